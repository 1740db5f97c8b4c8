"""Packed files: one file inside and nothing beside it, within a limit, whatever the file says of itself."""

from __future__ import annotations

import gzip
import io
import random
import struct
import zipfile
import zlib

import pytest

from fallback.formats.library import load_format
from fallback.formats.read import read
from fallback.formats.spec import Format
from fallback.formats.wrapper import pack, unpack
from fallback.formats.write import write
from kinds_kit import accepted, changed, codes, orders, short
from support.soak import times

NAME = "order-lines-csv"
PLAIN = load_format(NAME)
GZIP = changed(PLAIN, wrapper="gzip")
ZIP = changed(PLAIN, wrapper="zip")
INSIDE = write(PLAIN, orders(NAME)).data
OTHER = b"a" * 100_000


def zipped(*members: tuple[str, bytes], method: int = zipfile.ZIP_DEFLATED, comment: bytes = b"") -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", method) as archive:
        archive.comment = comment
        for name, data in members:
            archive.writestr(name, data)
    return packed.getvalue()


def why(data: bytes, fmt: Format, most: int = 1_000_000) -> str:
    """The words why nothing is unpacked."""
    found = unpack(data, fmt, most)
    assert isinstance(found, str)
    return found


@pytest.mark.parametrize("fmt", [GZIP, ZIP], ids=["gzip", "zip"])
def test_what_is_packed_unpacks_and_the_same_bytes_are_made_twice(fmt: Format) -> None:
    made = write(fmt, orders(NAME))
    assert made.data == write(fmt, orders(NAME)).data
    assert made.data == pack(INSIDE, fmt) != INSIDE
    assert unpack(made.data, fmt) == INSIDE
    content = read(fmt, made.data, name="file")
    assert codes(content) == []
    assert accepted(content) == list(orders(NAME))


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (INSIDE, "not packed"),
        (b"", "not packed"),
        (b"PK\3\4", "not packed"),
        (gzip.compress(INSIDE)[:-1], "cut off"),
        (gzip.compress(INSIDE)[:40], "cut off"),
        (gzip.compress(INSIDE)[:2], "cut off"),
        (gzip.compress(INSIDE) + b"more", "more bytes"),
        (gzip.compress(INSIDE) + b"\0" * 512, "more bytes"),
        (gzip.compress(INSIDE) + gzip.compress(INSIDE), "more bytes"),
        (gzip.compress(INSIDE)[:-4] + b"\0\0\0\1", "no whole gzip file"),
        (gzip.compress(INSIDE)[:-8] + b"\0\0\0\1" + gzip.compress(INSIDE)[-4:], "no whole gzip file"),
        (b"\x1f\x8b" + b"\xff" * 50, "no whole gzip file"),
        (gzip.compress(bytes(2_000_000)), "more than 1,000,000 bytes"),
        (gzip.compress(gzip.compress(bytes(2_000_000)))[:5], "cut off"),
    ],
    ids=short,
)
def test_a_gzip_file_that_is_not_whole_or_not_alone_is_refused(data: bytes, words: str) -> None:
    assert words in why(data, GZIP)


def lying(size: int) -> bytes:
    """An archive whose file says of itself that it is small, in both places, and is not."""
    data = bytearray(zipped(("orders", bytes(5_000_000))))
    listed = data.rindex(b"PK\1\2")
    for at in (22, listed + 24):
        struct.pack_into("<I", data, at, size)
    return bytes(data)


def flagged(at_local: int, at_listed: int, form: str, value: int) -> bytes:
    """An archive of which one number is another one, in both places where it stands."""
    data = bytearray(zipped(("orders", INSIDE)))
    for at in (at_local, data.rindex(b"PK\1\2") + at_listed):
        struct.pack_into(form, data, at, value)
    return bytes(data)


def between(filler: bytes) -> bytes:
    """An archive with bytes between its file and the list of its files."""
    data = bytearray(zipped(("orders", INSIDE)))
    listed = data.rindex(b"PK\1\2")
    struct.pack_into("<I", data, len(data) - 6, listed + len(filler))
    return bytes(data[:listed]) + filler + bytes(data[listed:])


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (INSIDE, "not packed"),
        (gzip.compress(INSIDE), "not packed"),
        (zipped(), "0 files inside"),
        (zipped(("a", INSIDE), ("b", INSIDE)), "2 files inside"),
        (zipped(("../orders", INSIDE)), "a folder"),
        (zipped(("/etc/orders", INSIDE)), "a folder"),
        (zipped(("C:\\orders", INSIDE)), "a folder"),
        (zipped(("orders/", b"")), "a folder"),
        (zipped(("orders", INSIDE))[:-1], "no whole zip file"),
        (zipped(("orders", INSIDE))[:300], "no whole zip file"),
        (zipped(("orders", INSIDE)) + b"more", "more bytes"),
        (zipped(("orders", OTHER)) + zipped(("orders", INSIDE)), "more bytes"),
        (b"PK" + zipped(("orders", INSIDE)), "more bytes"),
        (between(b"hidden"), "more bytes"),
        (zipped(("orders", bytes(2_000_000))), "more than 1,000,000 bytes"),
        (zipped(("orders", bytes(2_000_000)), method=zipfile.ZIP_STORED), "more than 1,000,000 bytes"),
        (lying(100), "more than 1,000,000 bytes"),
        (zipped(("orders", INSIDE), method=zipfile.ZIP_BZIP2), "neither"),
        (zipped(("orders", INSIDE), method=zipfile.ZIP_LZMA), "neither"),
        (flagged(6, 8, "<H", 1), "encrypted"),
        (flagged(14, 16, "<I", 1), "not those that were packed"),
        (flagged(22, 24, "<I", 5), "not those that were packed"),
    ],
    ids=short,
)
def test_a_zip_file_with_anything_but_one_whole_file_is_refused(data: bytes, words: str) -> None:
    assert words in why(data, ZIP)


def test_a_zip_file_of_another_program_is_read() -> None:
    """With a name of its own, a comment, without compression, with the length behind the bytes."""
    assert unpack(zipped(("orders 23.11.csv", INSIDE), comment=b"sent by hand"), ZIP) == INSIDE
    assert unpack(zipped(("orders.csv", INSIDE), method=zipfile.ZIP_STORED), ZIP) == INSIDE

    class Pipe(io.RawIOBase):
        def __init__(self) -> None:
            super().__init__()
            self.written = bytearray()

        def writable(self) -> bool:
            return True

        def write(self, data: bytes) -> int:  # type: ignore[override]
            self.written += data
            return len(data)

    pipe = Pipe()
    with zipfile.ZipFile(pipe, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("orders.csv", INSIDE)
    assert unpack(bytes(pipe.written), ZIP) == INSIDE


def test_a_bomb_is_not_unpacked_beyond_the_limit() -> None:
    layer = zlib.compressobj(9, zlib.DEFLATED, 31)
    bomb = b"".join([*(layer.compress(bytes(1_000_000)) for _ in range(300)), layer.flush()])
    assert len(bomb) < 400_000
    assert "more than 200,000,000 bytes" in str(unpack(bomb, GZIP))


@pytest.mark.parametrize("fmt", [GZIP, ZIP], ids=["gzip", "zip"])
def test_a_packed_file_that_is_wrong_is_one_finding(fmt: Format) -> None:
    for bad in (INSIDE, pack(INSIDE, fmt)[:-1], pack(INSIDE, fmt) * 2):
        content = read(fmt, bad, name="file")
        assert [(one.code, one.place.file) for one in content.findings] == [("wrapper-wrong", "file")]
        assert content.orders == ()
    assert codes(read(PLAIN, pack(INSIDE, fmt), name="file")) != []
    assert codes(read(fmt, pack(b"", fmt), name="file")) == ["file-empty"]
    assert codes(read(fmt, pack(pack(INSIDE, fmt), fmt), name="file")) == ["nul-character"]


@pytest.mark.parametrize("fmt", [GZIP, ZIP], ids=["gzip", "zip"])
def test_no_damage_to_a_packed_file_gives_other_orders(fmt: Format) -> None:
    """The check sum is of what is inside: whatever is unpacked is what was packed."""
    data, chance = pack(INSIDE, fmt), random.Random(23)
    for _ in range(times(20_000)):
        at, end = chance.randrange(len(data)), chance.randrange(1, 5)
        bad = chance.choice(
            (
                data[:at] + bytes([chance.randrange(256)]) + data[at + 1 :],
                data[:at] + data[at + end :],
                data[:at] + chance.randbytes(end) + data[at:],
                data[:at],
                data[at:],
            )
        )
        found = unpack(bad, fmt)
        assert isinstance(found, str) or found == INSIDE
