"""Packed files: gzip, or zip with one file in it. Unpacking stops at a limit, whatever the file says of itself."""

from __future__ import annotations

import gzip
import io
import zipfile
import zlib

from fallback.formats.spec import Format

MOST = 200_000_000
"""How many bytes a file may unpack to: ten times the usual limit of an agreement, and no bomb."""

_EARLIEST = (1980, 1, 1, 0, 0, 0)
_MEMBER = "orders"


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
    try:
        return _gunzip(data, most) if fmt.wrapper == "gzip" else _unzip(data, most)
    except (OSError, EOFError, zlib.error, zipfile.BadZipFile, NotImplementedError, RuntimeError):
        return f"bytes that are no whole {fmt.wrapper} file"


def _gunzip(data: bytes, most: int) -> bytes | str:
    with gzip.GzipFile(fileobj=io.BytesIO(data)) as stream:
        content = stream.read(most + 1)
    return content if len(content) <= most else f"more than {most:,} bytes inside"


def _unzip(data: bytes, most: int) -> bytes | str:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = archive.infolist()
        if len(members) != 1:
            return f"{len(members)} files inside, not one"
        with archive.open(members[0]) as stream:
            content = stream.read(most + 1)
    return content if len(content) <= most else f"more than {most:,} bytes inside"
