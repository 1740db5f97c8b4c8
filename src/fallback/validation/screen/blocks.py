"""The bytes of a large delimited file to batches of whole orders, or the word that they cannot be proven sound.

The fast parser is lenient where the contract is not. So before a block goes to it, these are proven of its bytes:

* the text is valid in its encoding, without NUL (and it is told whether there is any other character in the block that
  no value may hold: then cells are looked at more closely);
* every quotation mark stands where RFC 4180 allows one: counted from the beginning of the block, one with an even
  number opens a cell or is the second of a pair, one with an odd number closes a cell or is the first of a pair;
* every row ends with the agreed line end and has the agreed number of cells, and no row is blank.

Whatever of this fails is ``Unproven``, and the exact reader takes the file from its beginning.
"""

from __future__ import annotations

import hashlib
import io
import queue
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import IO, Any

import numpy as np
import pyarrow as pa
from pyarrow import csv

from fallback.errors import FallbackError
from fallback.formats.spec import Format
from fallback.validation.damage import letters
from fallback.validation.screen import arrays
from fallback.validation.screen.arrays import Ints

BLOCK = 1 << 20
"""Bytes that are looked at in one go: so many stay near the processor between one look and the next."""

_MOST = 64 << 20
_BOM = b"\xef\xbb\xbf"
_TAB, _LF, _CR, _QUOTE = 9, 10, 13, 34


class Unproven(Exception):
    """Something about the file as a whole is not proven: the exact reader takes it. Never leaves the screen."""


@dataclass(frozen=True)
class Source:
    """Where the bytes come from: a file, or bytes at hand."""

    path: Path | None
    data: bytes | None = None

    def open(self) -> IO[bytes]:
        """Raises FallbackError ``file-unreadable``."""
        if self.data is not None:
            return io.BytesIO(self.data)
        assert self.path is not None
        try:
            return self.path.open("rb", buffering=0)
        except OSError as error:
            raise FallbackError(
                "file-unreadable", f"{self.path}: {error.strerror or 'cannot be read'}",
                hint="check the name and the folder",
            ) from None  # fmt: skip

    def ends(self) -> bytes:
        """The first and the last megabytes, which are looked at for garbled letters; of a smaller file all."""
        head, tail = letters._WINDOW, letters._TAIL
        with self.open() as file:
            begin = file.read(head)
            file.seek(max(len(begin), file.seek(0, io.SEEK_END) - tail))
            return begin + file.read()

    def beginning(self, most: int) -> bytes:
        """The first bytes, so many at the most, to the end of a line."""
        with self.open() as file:
            data = file.read(most + 1)
        return data if len(data) <= most else data[: data.rfind(b"\n", 0, most) + 1]


@dataclass
class Batch:
    """Rows of whole orders: one column a declared field, and where each order begins.

    ``height`` is the number of physical lines of all rows; ``clean`` tells that no character stands in them that no
    text may hold. ``record`` is the number of its first row among the data rows, ``line`` the physical line on which
    that row begins.
    """

    columns: list[Any]
    starts: Ints
    raw: memoryview
    quotes: Ints
    record: int
    line: int
    height: int
    clean: bool

    @property
    def rows(self) -> int:
        return len(self.columns[0])

    @property
    def broken(self) -> bool:
        """Whether line ends stand within quotation marks."""
        return self.height != self.rows

    @cached_property
    def lengths(self) -> Ints:
        """How many rows each order has."""
        return np.diff(np.append(self.starts, self.rows))

    @cached_property
    def run_of(self) -> Ints:
        """The order of each row."""
        return np.repeat(np.arange(len(self.starts)), self.lengths)

    @cached_property
    def lines(self) -> Ints:
        """The physical line on which each row begins: those within quotation marks count, too."""
        if not self.broken:
            return self.line + np.arange(self.rows)
        ends = np.flatnonzero(np.frombuffer(self.raw, np.uint8) == _LF)
        outside = np.searchsorted(self.quotes, ends) % 2 == 0
        return self.line + np.append(0, np.flatnonzero(outside)[: self.rows - 1] + 1)


class Reader:
    """Reads a source once, and knows its size and hash at the end."""

    def __init__(self, source: Source, fmt: Format, tied: list[int], block: int = BLOCK) -> None:
        self.fmt = fmt
        self.tied = tied
        self.block = block
        self.source = source
        self.size = 0
        self.hash = hashlib.sha256()
        self.records = 0
        self.line = 1
        self.names = [str(index) for index in range(len(fmt.fields))]
        self.delimiter = fmt.delimited.delimiter.encode()
        self.ascii_only = fmt.encoding == "ascii"
        around = b"\n\r" if fmt.newline == "crlf" else b"\n"
        self.opens = np.zeros(256, bool)  # what may stand before a mark that opens a cell, or after one that closes it
        self.opens[list(self.delimiter + b'"\n')] = True
        self.closes = np.zeros(256, bool)
        self.closes[list(self.delimiter + b'"' + around)] = True
        self.parsing = csv.ParseOptions(
            delimiter=fmt.delimited.delimiter,
            newlines_in_values=True,
            ignore_empty_lines=False,
            invalid_row_handler=self._ragged,
        )
        self.converting = csv.ConvertOptions(
            check_utf8=False, column_types=dict.fromkeys(self.names, pa.string()), strings_can_be_null=False
        )
        self.faults = 0
        self.room, self.flags = np.empty(0, np.uint8), np.empty(0, bool)

    def _ragged(self, _: Any) -> str:
        self.faults += 1
        return "skip"

    def ahead(self) -> Iterator[Batch]:
        """The batches, read by a thread of their own a few at a time before they are asked for."""
        ready: queue.Queue[Batch | BaseException | None] = queue.Queue(4)
        ended = threading.Event()

        def hand(item: Batch | BaseException | None) -> bool:
            while not ended.is_set():
                try:
                    ready.put(item, timeout=0.1)
                    return True
                except queue.Full:
                    continue
            return False

        def run() -> None:
            try:
                for batch in self.batches():
                    if not hand(batch):
                        return
                hand(None)
            except BaseException as error:  # it is raised again where the batches are wanted
                hand(error)

        thread = threading.Thread(target=run, name="fallback-screen", daemon=True)
        thread.start()
        try:
            while (item := ready.get()) is not None:
                if isinstance(item, BaseException):
                    raise item
                yield item
        finally:
            ended.set()
            thread.join()

    def batches(self) -> Iterator[Batch]:
        """Raises Unproven where something is not proven."""
        with self.source.open() as file:
            yield from self._batches(file.read)

    def _batches(self, read: Callable[[int], bytes]) -> Iterator[Batch]:
        rest = self._piece(read, self.block)
        while (piece := self._piece(read, self.block)) and b"\n" not in rest:
            rest += piece
            if len(rest) > _MOST:
                raise Unproven("no line end")
        data = self._headed(rest) + piece
        while data:
            cut, quotes = self._cut(data, last=not piece)
            batch = self._batch(data, cut, quotes, last=not piece) if cut else None
            if batch is not None:
                data = data[len(batch.raw) :]
                self.records += batch.rows
                self.line += batch.height
                yield batch
            elif len(data) > _MOST:
                raise Unproven("one order, or one row, as large as a file")
            if piece:
                piece = self._piece(read, self.block if batch is not None else max(self.block, len(data)))
                data += piece
            elif batch is not None:
                break

    def _piece(self, read: Callable[[int], bytes], size: int) -> bytes:
        piece = read(size)
        self.size += len(piece)
        self.hash.update(piece)
        return piece

    def _headed(self, data: bytes) -> bytes:
        """The bytes behind the header, which must be the agreed one to the letter."""
        if self.fmt.encoding == "utf-8-sig":
            data = data.removeprefix(_BOM)
        if data.startswith(_BOM):
            raise Unproven("a byte order mark")
        if self.fmt.delimited.header == "forbidden":
            return data
        bracketed = self.fmt.delimited.header == "bracketed"
        titles = [f"[{field.name}]" if bracketed else field.name for field in self.fmt.fields]
        for mark in ("", '"'):
            header = self.fmt.delimited.delimiter.join(f"{mark}{title}{mark}" for title in titles)
            line = (header + self.fmt.newline_text).encode()
            plain = not any(
                c in title for title in titles for c in f'\r\n"{"" if mark else self.fmt.delimited.delimiter}'
            )
            if data.startswith(line) and plain:
                self.line += 1
                return data[len(line) :]
        raise Unproven("another header")

    def _cut(self, data: bytes, *, last: bool) -> tuple[int, Ints]:
        """Where the last whole row of the data ends, 0 where there is none, and where its quotation marks stand."""
        if last and not data.endswith(b"\n"):
            raise Unproven("the last row has no end")
        none = np.zeros(0, np.int64)
        quotes = none
        if b'"' in data:
            codes = np.frombuffer(data, np.uint8)
            quotes = np.flatnonzero(np.equal(codes, _QUOTE, out=self._spare(len(codes))[1]))
        end = data.rfind(b"\n")
        while end >= 0 and (before := int(np.searchsorted(quotes, end))) % 2:
            end = data.rfind(b"\n", 0, int(quotes[before - 1]))
        if last and end + 1 != len(data):
            raise Unproven("a quotation mark that is never closed")
        return end + 1, quotes[: int(np.searchsorted(quotes, end))] if len(quotes) else none

    def _batch(self, data: bytes, cut: int, quotes: Ints, *, last: bool) -> Batch | None:
        """The whole orders at the beginning of whole rows; None where not one ends in them."""
        raw = memoryview(data)[:cut]
        codes = np.frombuffer(raw, np.uint8)
        if len(quotes):
            self._quoted(codes, quotes)
        breaks, clean = self._clean(raw, codes)
        columns = self._parsed(raw)
        rows = len(columns[0])
        if self.fmt.newline == "crlf":
            self._ended(quotes, rows)
        same = arrays.both(arrays.neighbours([columns[index] for index in self.tied]))
        starts = np.append(0, np.flatnonzero(~same) + 1)
        if not last:
            if len(starts) < 2:
                return None
            kept, starts = int(starts[-1]), starts[:-1]
            at = _row_from_end(codes, quotes, rows - kept)
            breaks -= data.count(b"\n", at, cut)
            columns = [column.slice(0, kept) for column in columns]
            raw, quotes = raw[:at], quotes[: int(np.searchsorted(quotes, at))]
        return Batch(columns, starts, raw, quotes, self.records + 1, self.line, breaks, clean)

    def _spare(self, size: int) -> tuple[Any, Any]:
        """Room for as many bytes and as many truth values, used again for each block."""
        if len(self.room) < size:
            self.room, self.flags = np.empty(size, np.uint8), np.empty(size, bool)
        return self.room[:size], self.flags[:size]

    def _quoted(self, codes: Any, quotes: Ints) -> None:
        """Prove that cells are quoted as RFC 4180 says."""
        opening, closing = quotes[::2], quotes[1::2]
        if len(quotes) % 2 or not (
            self.opens[codes[opening[opening > 0] - 1]].all() and self.closes[codes[closing + 1]].all()
        ):
            raise Unproven("a stray quotation mark")

    def _clean(self, data: memoryview, codes: Any) -> tuple[int, bool]:
        """Prove that the text is valid. Returns the number of line ends, and whether it is proven that nothing else is
        in it that no value may hold."""
        moved, flags = self._spare(len(codes))
        np.subtract(codes, 32, out=moved)
        odd = np.flatnonzero(np.greater_equal(moved, 95, out=flags))  # controls and DEL, and all that is not ASCII
        found = codes[odd]
        low = found[found < 128]
        breaks = int(np.count_nonzero(low == _LF))
        self.returns = odd[found == _CR]
        if not low.all():
            raise Unproven("a NUL")
        if len(self.returns) and (self.fmt.newline == "lf" or not (codes[self.returns + 1] == _LF).all()):
            raise Unproven("another line end")
        tabs = int(np.count_nonzero(low == _TAB)) if self.delimiter == b"\t" else 0
        clean = breaks + len(self.returns) + tabs == len(low)
        if len(low) < len(found):
            if self.ascii_only or not arrays.is_utf_8(data):
                raise Unproven("another encoding")
            clean = clean and not _suspect(codes, odd)
        return breaks, clean

    def _ended(self, quotes: Ints, rows: int) -> None:
        """Prove that every row ends with CR LF, and that no CR stands elsewhere."""
        if len(self.returns) != rows or (np.searchsorted(quotes, self.returns) % 2).any():
            raise Unproven("another line end")

    def _parsed(self, data: memoryview) -> list[Any]:
        self.faults = 0
        try:
            table = csv.read_csv(
                pa.BufferReader(pa.py_buffer(data)),
                csv.ReadOptions(use_threads=False, block_size=len(data) + 1, column_names=self.names),
                self.parsing,
                self.converting,
            )
        except pa.ArrowInvalid:
            raise Unproven("the parser does not know what to make of it") from None
        if self.faults or not table.num_rows:
            raise Unproven("a row with another number of cells")
        return [arrays.whole(column) for column in table.columns]


def _row_from_end(codes: Any, quotes: Ints, count: int) -> int:
    """Where the last rows of a block begin, so many; they do not reach its beginning."""
    for size in (1 << 16, len(codes)):
        begin = max(0, len(codes) - size)
        ends = np.flatnonzero(codes[begin:] == _LF) + begin
        if len(quotes):
            ends = ends[np.searchsorted(quotes, ends) % 2 == 0]
        if len(ends) > count:
            return int(ends[-count - 1]) + 1
    raise AssertionError("a block has more rows than its last order")  # pragma: no cover


def _suspect(codes: Any, odd: Ints) -> bool:
    """Whether a character stands here that no text may hold: C1 controls, marks that reorder text, the separators of
    lines and paragraphs, a byte order mark. ``odd`` are the places of all that is not plain."""
    lead = codes[odd]
    places = odd[_LEADS[lead]]
    if not len(places):
        return False
    first, second = codes[places], codes[places + 1]
    third = codes[np.minimum(places + 2, len(codes) - 1)]
    return bool(
        ((first == 0xC2) & (second < 0xA0)).any()
        or ((first == 0xD8) & (second == 0x9C)).any()
        or ((first == 0xE2) & (second == 0x80) & _IN_E280[third]).any()
        or ((first == 0xE2) & (second == 0x81) & (third >= 0xA6) & (third <= 0xA9)).any()
        or ((first == 0xEF) & (second == 0xBB)).any()
    )


def _bytes(*values: int) -> Any:
    table = np.zeros(256, bool)
    table[list(values)] = True
    return table


_LEADS = _bytes(0xC2, 0xD8, 0xE2, 0xEF)
_IN_E280 = _bytes(0x8E, 0x8F, *range(0xA8, 0xAF))
