"""Delimited text (RFC 4180 and its relatives), read to the letter: what the contract does not allow is a fault.

Lenient parsers join, split or guess where a file is damaged; here a stray quotation mark, a ragged row or a doubled
column is named with its line.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from operator import itemgetter
from typing import Any, NamedTuple

from fallback.findings import quote
from fallback.formats.kinds.envelope import Envelope
from fallback.formats.kinds.rows import Fault, Row
from fallback.formats.spec import Format


class _Record(NamedTuple):
    """One record before its cells are told apart: its text without line end, first line, and how its lines end."""

    text: str
    line: int
    end: str
    quoted: bool


TYPED = False


def read(text: str, fmt: Format) -> Iterator[Row | Fault]:
    """The rows of a file, and a Fault for whatever is wrong in its layout."""
    translated = fmt.newline != "cr" and "\r" in text and "\n" not in text
    if translated:
        yield Fault("line-ends", 1, found="CR", expected=_END_NAMES[fmt.newline_text])
    if translated or fmt.newline == "cr":
        text = text.replace("\r", "\n")
    records = _records(text, fmt, compare_ends=not translated)
    header = fmt.delimited.header == "required"
    arrange = None
    if header:
        first = next(records, None)
        if first is None or isinstance(first, Fault):
            yield first or Fault("header-missing", 1)
            return
        names, faults = _header(first, fmt)
        yield from faults
        if names is None:
            return
        arrange = _arrangement(names, fmt)
    yield from _rows(records, fmt, arrange)


_END_NAMES = {"\n": "LF", "\r\n": "CR LF", "\r": "CR"}


def _records(text: str, fmt: Format, *, compare_ends: bool) -> Iterator[_Record | Fault]:
    """Physical lines joined to records where a quotation mark is open; line ends compared with the agreement."""
    if not text:
        return
    quoting = fmt.delimited.quoting != "none"
    lines = text.split("\n")
    cut = lines.pop()
    ends: Counter[str] = Counter()
    number = 0
    while number < len(lines):
        first = number
        line = lines[number]
        number += 1
        quoted = quoting and '"' in line
        if quoted:
            joined = _join(lines, first, fmt.delimited.delimiter)
            if joined is None:
                yield Fault("quote-unclosed", first + 1)
                return
            line, number = joined
        end = "\n"
        if line[-1:] == "\r" and fmt.newline != "cr":
            line, end = line[:-1], "\r\n"
        ends[end] += 1
        yield _Record(line, first + 1, end, quoted)
    if cut:
        yield _Record(cut, len(lines) + 1, "", quoting and '"' in cut)
    if compare_ends:
        yield from _line_ends(ends, fmt)


_MOST_IN_A_RECORD = 1_000_000


def _join(lines: list[str], first: int, delimiter: str) -> tuple[str, int] | None:
    """The record that begins at a line, and the line after it; None where a quotation mark is never closed.

    A mark is open only where a cell may begin with one: a stray mark elsewhere does not swallow the lines after it.
    """
    grammar = _grammar(delimiter)
    text, number = lines[first], first + 1
    while grammar.open.fullmatch(text):
        pieces = [text]
        size = len(text)
        closed = False
        while not closed:
            if number == len(lines) or size > _MOST_IN_A_RECORD:
                return None
            pieces.append(lines[number])
            size += len(lines[number])
            closed = grammar.close.match(lines[number]) is not None
            number += 1
        text = "\n".join(pieces)
    return text, number


def _line_ends(ends: Counter[str], fmt: Format) -> Iterator[Fault]:
    agreed = "\n" if fmt.newline == "cr" else fmt.newline_text
    if len(ends) > 1:
        found = ", ".join(f"{count:,} with {_END_NAMES[end]}" for end, count in sorted(ends.items()))
        yield Fault("line-ends-mixed", 1, found=found, expected=_END_NAMES[agreed])
    elif ends and agreed not in ends:
        yield Fault("line-ends", 1, found=_END_NAMES[next(iter(ends))], expected=_END_NAMES[agreed])


class _Grammar(NamedTuple):
    """RFC 4180 section 2 as expressions: a whole record, one cell of it, a text whose last cell is open, and the
    beginning of a line that closes a cell."""

    whole: re.Pattern[str]
    cell: re.Pattern[str]
    open: re.Pattern[str]
    close: re.Pattern[str]


@lru_cache(maxsize=16)
def _grammar(delimiter: str) -> _Grammar:
    mark = re.escape(delimiter)
    cell = f'(?:"(?:[^"]|"")*"|[^"{mark}]*)'
    return _Grammar(
        whole=re.compile(f"{cell}(?:{mark}{cell})*"),
        cell=re.compile(f"({cell})(?:{mark}|$)"),
        open=re.compile(f'(?:{cell}{mark})*"(?:[^"]|"")*'),
        close=re.compile('(?:[^"]|"")*"(?!")'),
    )


def _cells(record: _Record, fmt: Format) -> list[str] | None:
    """The cells of a record; None where its quotation marks do not follow the grammar."""
    delimiter = fmt.delimited.delimiter
    if not record.quoted:
        return record.text.split(delimiter)
    grammar = _grammar(delimiter)
    if not grammar.whole.fullmatch(record.text):
        return None
    cells = grammar.cell.findall(record.text)
    # The end of the text also ends an empty cell, which is one only after a delimiter.
    if len(cells) > 1 and cells[-1] == "" and not record.text.endswith(delimiter):
        cells.pop()
    return [cell[1:-1].replace('""', '"') if cell[:1] == '"' else cell for cell in cells]


def _header(first: _Record, fmt: Format) -> tuple[list[str] | None, list[Fault]]:
    """The names of the columns, or None with what is wrong. One cause is one fault."""
    expected = [field.name for field in fmt.fields]
    cells = _cells(first, fmt)
    if cells is None:
        return None, [Fault("quote-stray", 1, found="a quotation mark", expected="the agreed header")]
    known = set(expected)
    found = set(cells)
    if not found & known:
        for other, title in ((";", "semicolons"), (",", "commas"), ("\t", "tabs"), ("|", "pipes")):
            if other != fmt.delimited.delimiter and len(known & set(first.text.replace('"', "").split(other))) > 1:
                words = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "pipes"}
                agreed = words.get(fmt.delimited.delimiter, quote(fmt.delimited.delimiter))
                return None, [Fault("delimiter-wrong", 1, found=title, expected=agreed)]
        return None, [Fault("header-missing", 1, expected=f"{len(expected)} columns, the first one {expected[0]}")]
    faults = [
        Fault("column-doubled", 1, field=name, found=f"{count} columns of this name", expected="one")
        for name, count in Counter(cells).items()
        if count > 1 and name in known
    ]
    missing = [name for name in expected if name not in found]
    extra = [name for name in cells if name not in known]
    if missing and len(missing) == len(extra):
        faults += [
            Fault("column-renamed", 1, field=name, found=quote(other), expected=quote(name))
            for name, other in zip(missing, extra, strict=True)
        ]
        return None, faults
    faults += [Fault("column-missing", 1, field=name, expected=f"a column {quote(name)}") for name in missing]
    if fmt.delimited.extra_columns == "refuse":
        faults += [Fault("column-unknown", 1, field=name[:60], found=quote(name)) for name in dict.fromkeys(extra)]
    if faults:
        return None, faults
    if [name for name in cells if name in known] != expected:
        moved = next(i for i, name in enumerate(cells) if name != expected[i : i + 1][0])
        faults.append(Fault("column-moved", 1, field=cells[moved], found=f"as column {moved + 1}"))
    return cells, faults


def _arrangement(names: Sequence[str], fmt: Format) -> tuple[int, Any]:
    """How many cells a row has, and what puts them into the declared order (None: they are)."""
    expected = [field.name for field in fmt.fields]
    if list(names) == expected:
        return len(names), None
    indexes = [names.index(name) for name in expected]
    return len(names), itemgetter(*indexes) if len(indexes) > 1 else lambda cells: (cells[indexes[0]],)


def _rows(records: Iterator[_Record | Fault], fmt: Format, arrange: tuple[int, Any] | None) -> Iterator[Row | Fault]:
    types = {row.tag: index for index, row in enumerate(fmt.rows)}
    widths = [len(row.fields) for row in fmt.rows]
    width, getter = arrange or (widths[0], None)
    tagged = fmt.layout == "header-detail"
    number = 0
    for record in records:
        if isinstance(record, Fault):
            yield record
            continue
        if not record.text:
            yield Fault("row-blank", record.line)
            continue
        number += 1
        cells = _cells(record, fmt)
        if not record.end:
            yield Fault(
                "file-cut", record.line, number, cells=tuple(cells or ()), expected="a line end after the last row"
            )
            continue
        if cells is None:
            yield Fault("quote-stray", record.line, number, cells=_loose(record, fmt))
            continue
        row_type = 0
        if tagged:
            tag = cells.pop(0)
            if tag not in types:
                yield Fault("record-unknown", record.line, number, found=quote(tag, 12), expected=" or ".join(types))
                continue
            row_type = types[tag]
            width = widths[row_type]
        if len(cells) != width:
            yield Fault(
                "row-cells", record.line, number, row_type, tuple(cells),
                found=f"{len(cells)} cells", expected=f"{width}",
            )  # fmt: skip
            continue
        yield Row(row_type, getter(cells) if getter else cells, record.line, number)


def _loose(record: _Record, fmt: Format) -> tuple[str, ...]:
    """The cells before the first quotation mark: enough to say which order a damaged row belongs to."""
    before = record.text[: record.text.index('"')].split(fmt.delimited.delimiter)[:-1]
    return tuple(before[1:] if fmt.layout == "header-detail" else before)


def write(rows: Iterable[tuple[int, Any]], fmt: Format, envelope: Envelope) -> Iterator[str]:  # noqa: ARG001
    """The text of each row with its line end, the header first where the format has one."""
    end = fmt.newline_text
    delimiter = fmt.delimited.delimiter
    line = {"minimal": _minimal, "all": _all, "none": str.join}[fmt.delimited.quoting]
    if fmt.delimited.header == "required":
        yield line(delimiter, [field.name for field in fmt.fields]) + end
    tags = [row.tag for row in fmt.rows]
    tagged = fmt.layout == "header-detail"
    for row_type, cells in rows:
        yield line(delimiter, [tags[row_type], *cells] if tagged else cells) + end


def writable(text: str, fmt: Format) -> bool:
    """Whether the kind can carry this text in a cell."""
    if fmt.newline == "cr" and "\n" in text:
        return False
    return fmt.delimited.quoting != "none" or not any(c in text for c in (fmt.delimited.delimiter, '"', "\n"))


def _all(delimiter: str, cells: Sequence[str]) -> str:
    return delimiter.join('"' + cell.replace('"', '""') + '"' for cell in cells)


def _minimal(delimiter: str, cells: Sequence[str]) -> str:
    joined = delimiter.join(cells)
    if '"' not in joined and "\n" not in joined and joined.count(delimiter) == len(cells) - 1:
        return joined
    return delimiter.join(
        '"' + cell.replace('"', '""') + '"' if delimiter in cell or '"' in cell or "\n" in cell else cell
        for cell in cells
    )
