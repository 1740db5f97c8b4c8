"""Packed files: gzip, or zip with one file in it. Unpacking stops at a limit, whatever the file says of itself.

Every byte belongs to the one file inside: a second file, or what stands before or after it, could be orders that nobody
would read.
"""

from __future__ import annotations

import gzip
import io
import struct
import zipfile
import zlib

from fallback.formats.spec import Format

MOST = 200_000_000
"""How many bytes a file may unpack to: ten times the usual limit of an agreement, and no bomb."""

_EARLIEST = (1980, 1, 1, 0, 0, 0)
_MEMBER = "orders"
_BEGINS = {"gzip": b"\x1f\x8b", "zip": b"PK"}


class _Refused(Exception):
    """Why nothing is unpacked, in words. Never leaves this module."""


def pack(data: bytes, fmt: Format) -> bytes:
    """The bytes as they are sent. The same data give the same bytes: no time stands in them."""
    if fmt.wrapper == "gzip":
        return gzip.compress(data, mtime=0)
    if fmt.wrapper == "zip":
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(zipfile.ZipInfo(_MEMBER, _EARLIEST), data, zipfile.ZIP_DEFLATED)
        return packed.getvalue()
    return data


def unpack(data: bytes, fmt: Format, most: int = MOST) -> bytes | str:
    """The bytes inside, or in words why there are none."""
    if fmt.wrapper is None:
        return data
    if not data.startswith(_BEGINS[fmt.wrapper]):
        return "a file that is not packed so"
    try:
        return _inflate(data, most, _GZIP) if fmt.wrapper == "gzip" else _unzip(data, most)
    except _Refused as refused:
        return str(refused)
    except (zlib.error, zipfile.BadZipFile, struct.error, OSError, ValueError, NotImplementedError):
        return f"bytes that are no whole {fmt.wrapper} file"


_GZIP, _RAW = 31, -15  # what zlib calls them: with the header and the check sum of gzip, and without any


def _inflate(data: bytes, most: int, wrapped: int) -> bytes:
    """What is inside, unpacked no further than the limit."""
    stream = zlib.decompressobj(wrapped)
    content = stream.decompress(data, most + 1)
    if len(content) > most:
        raise _Refused(f"more than {most:,} bytes inside")
    if not stream.eof:
        raise _Refused("a file that was cut off")
    if stream.unused_data:
        raise _Refused("more bytes after the end of the packed file")
    return content


def _unzip(data: bytes, most: int) -> bytes:
    """The one file of an archive, by the list at its end; its bytes are unpacked here, with their own limit."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members, listed, comment = archive.infolist(), archive.start_dir, archive.comment
    if len(members) != 1:
        raise _Refused(f"{len(members)} files inside, not one")
    member = members[0]
    if member.flag_bits & _ENCRYPTED:
        raise _Refused("a file inside that is encrypted")
    if set(member.orig_filename) & set("/\\:"):
        raise _Refused("a folder inside")
    if member.file_size > most:
        raise _Refused(f"more than {most:,} bytes inside")
    begin = member.header_offset + _HEADER + sum(struct.unpack_from("<HH", data, member.header_offset + _HEADER - 4))
    end = begin + member.compress_size
    if member.header_offset or listed - end not in _DESCRIPTORS or data[-_END - len(comment) :][:4] != b"PK\5\6":
        raise _Refused("more bytes than those of the file inside")
    if member.compress_type == zipfile.ZIP_DEFLATED:
        content = _inflate(data[begin:end], most, _RAW)
    elif member.compress_type == zipfile.ZIP_STORED:
        content = data[begin:end]
    else:
        raise _Refused("a file inside that is packed neither by deflating nor as it is")
    if (len(content), zlib.crc32(content)) != (member.file_size, member.CRC):
        raise _Refused("bytes inside that are not those that were packed")
    return content


# The fixed parts of a zip archive, in bytes (PKWARE APPNOTE 4.3): a file's header, what may stand behind its bytes to
# say their length, the end of the archive; and the bit of an encrypted file.
_HEADER, _DESCRIPTORS, _END, _ENCRYPTED = 30, (0, 12, 16, 20, 24), 22, 1
