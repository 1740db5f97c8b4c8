"""Delimited text (RFC 4180 and its relatives), read to the letter: what the contract does not allow is a fault.

Lenient parsers join, split or guess where a file is damaged; here a stray quotation mark, a ragged row or a doubled
column is named with its line.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import chain
from operator import itemgetter
from typing import Any, NamedTuple

from fallback.findings import quote
from fallback.formats.kinds.ends import ends_fault, unify
from fallback.formats.kinds.envelope import Envelope
from fallback.formats.kinds.rows import Fault, Row
from fallback.formats.spec import Format


class _Record(NamedTuple):
    """One record before its cells are told apart: its text without line end, first line, and how its lines end."""

    text: str
    line: int
    end: str
    quoted: bool


def read(text: str, fmt: Format) -> Iterator[Row | Fault]:
    """The rows of a file, and a Fault for whatever is wrong in its layout."""
    text, fault = unify(text, fmt)
    if fault is not None:
        yield fault
    records = _records(text, fmt, compare_ends=fault is None and fmt.newline != "cr")
    arrange = None
    if fmt.delimited.comment:
        records = _without_comments(records, fmt.delimited.comment)
    if fmt.delimited.header != "forbidden":
        first = next(records, None)
        if first is None or isinstance(first, Fault):
            yield first or Fault("header-missing", 1)
            return
        if fmt.delimited.header == "optional" and not set(_cells(first, fmt) or ()) & set(_titles(fmt)):
            records = chain([first], records)  # a row of data: the header is left out
        else:
            names, faults = _header(first, fmt)
            yield from faults
            if names is None:
                return
            arrange = _arrangement(names, fmt)
    yield from _rows(records, fmt, arrange)


def _titles(fmt: Format) -> list[str]:
    """The names of the columns as the header row has them."""
    bracketed = fmt.delimited.header == "bracketed"
    return [f"[{field.name}]" if bracketed else field.name for field in fmt.fields]


def _without_comments(records: Iterator[_Record | Fault], comment: str) -> Iterator[_Record | Fault]:
    for record in records:
        if isinstance(record, Fault) or not record.text.startswith(comment):
            yield record


def _records(text: str, fmt: Format, *, compare_ends: bool) -> Iterator[_Record | Fault]:
    """Physical lines joined to records where a quotation mark is open; line ends compared with the agreement."""
    quoting = fmt.delimited.quoting != "none"
    lines = text.split("\n")
    cut = lines.pop()
    ends: Counter[str] = Counter()
    agreed, other = fmt.newline_text, 0
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
        if line[-1:] == "\r":
            line, end = line[:-1], "\r\n"
        ends[end] += 1
        if end != agreed and not other:
            other = number
        yield _Record(line, first + 1, end, quoted)
    if cut:
        yield _Record(cut, len(lines) + 1, "", quoting and '"' in cut)
    if compare_ends and (fault := ends_fault(ends, fmt, other)) is not None:
        yield fault


_MOST_IN_A_RECORD = 1_000_000


def _join(lines: list[str], first: int, delimiter: str) -> tuple[str, int] | None:
    """The record that begins at a line, and the line after it; None where a quotation mark is never closed.

    A mark is open only where a cell may begin with one: a stray mark elsewhere does not swallow the lines after it.
    """
    grammar = _grammar(delimiter)
    pieces, number = [lines[first]], first + 1
    size, rest = len(lines[first]), lines[first]
    # Where a mark is open their number is odd, which is sooner counted than the grammar is read.
    while rest.count('"') % 2 and grammar.open.fullmatch(rest):
        closed = None
        while closed is None:
            if number == len(lines) or size > _MOST_IN_A_RECORD:
                return None
            closed = grammar.close.match(lines[number])
            pieces.append(lines[number])
            size += len(lines[number])
            number += 1
        after = pieces[-1][closed.end() :]
        if not after.startswith(delimiter):
            break  # the record ends, or the mark was not the one that closes: the grammar will tell
        rest = after[1:]
    return "\n".join(pieces), number


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
    # Possessive: what stands between marks is never tried twice, so that no damage makes the search slow.
    inside = '"[^"]*+(?:""[^"]*+)*+'
    cell = f'(?:{inside}"|[^"{mark}]*+)'
    return _Grammar(
        whole=re.compile(f"{cell}(?:{mark}{cell})*+"),
        cell=re.compile(f"({cell})(?:{mark}|\\Z)"),
        open=re.compile(f"(?:{cell}{mark})*+{inside}"),
        close=re.compile(f'{inside[1:]}"'),
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


_DELIMITERS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "pipes"}


def _header(first: _Record, fmt: Format) -> tuple[list[str] | None, list[Fault]]:
    """The names of the columns, or None with what is wrong. One cause is one fault."""
    expected = _titles(fmt)
    agreed = frozenset(expected)
    optional = {title for title, field in zip(expected, fmt.fields, strict=True) if field.optional}
    cells = _cells(first, fmt)
    known = [name for name in cells or () if name in agreed]
    extra = [name for name in cells or () if name not in agreed]
    if not known and (other := _other_delimiter(first.text, expected, fmt)):
        return None, [other]
    if cells is None:
        return None, [Fault("quote-stray", 1, found="a quotation mark", expected="the agreed header")]
    if not first.end:
        return None, [Fault("file-cut", 1, expected="a line end after the header")]
    strict = fmt.delimited.extra_columns == "refuse"
    if 2 * len(known) < len(expected) if not strict else len(extra) > len(known):
        # A row of data, or joined with one: its cells are not told, they may be a person's.
        return None, [
            Fault(
                "header-missing", 1,
                found=f"{len(known)} of the agreed columns",
                expected=f"{len(expected)} columns, the first one {expected[0]}",
            )
        ]  # fmt: skip
    faults = [
        Fault("column-doubled", 1, field=name, found=f"{count} columns of this name", expected="one")
        for name, count in Counter(known).items()
        if count > 1
    ]
    missing = [name for name in expected if name not in known and name not in optional]
    if strict and missing and len(missing) == len(extra):
        whole = len(cells) == len(expected)
        return None, faults + [
            Fault("column-renamed", 1, field=name, found=_title(other, cells, whole), expected=quote(name))
            for name, other in zip(missing, extra, strict=True)
        ]
    faults += [Fault("column-missing", 1, field=name, expected=f"a column {quote(name)}") for name in missing]
    if strict:
        unknown = [_title(name, cells, whole=False) for name in dict.fromkeys(extra)]
        faults += [Fault("column-unknown", 1, found=name, expected="no such column") for name in unknown]
    if faults:
        return None, faults
    if known != (there := [name for name in expected if name in known]):
        moved = next(name for name, agreed in zip(known, there, strict=True) if name != agreed)
        faults = [
            Fault(
                "column-moved", 1, field=moved,
                found=f"as column {cells.index(moved) + 1}", expected=f"as column {expected.index(moved) + 1}",
            )
        ]  # fmt: skip
    return cells, faults


_PLAIN_TITLE = re.compile(r"[A-Za-z_][A-Za-z0-9_ ]{0,39}")


def _title(name: str, cells: Sequence[str], whole: bool) -> str:
    """The name of a column that is not ours. Where there are more cells than columns, a row of data may have been
    joined with the header, and the name be a person's: only its place is told."""
    return quote(name) if whole and _PLAIN_TITLE.fullmatch(name) else f"another name in column {cells.index(name) + 1}"


def _other_delimiter(text: str, expected: Sequence[str], fmt: Format) -> Fault | None:
    agreed = fmt.delimited.delimiter
    for mark, words in _DELIMITERS.items():
        if mark != agreed and len(set(expected) & set(text.replace('"', "").split(mark))) > 1:
            return Fault("delimiter-wrong", 1, found=words, expected=_DELIMITERS.get(agreed, quote(agreed)))
    return None


def _arrangement(names: Sequence[str], fmt: Format) -> tuple[int, list[int]]:
    """How many cells a row has, and where the declared ones stand in it."""
    return len(names), [names.index(title) if title in names else -1 for title in _titles(fmt)]


def _getter(indexes: list[int]) -> Callable[[Sequence[str]], Sequence[str]]:
    """What puts the cells of a row into the declared order; optional columns that are absent are blank."""
    if -1 in indexes:
        return lambda cells: [cells[index] if index >= 0 else "" for index in indexes]
    return itemgetter(*indexes) if len(indexes) > 1 else lambda cells: [cells[indexes[0]]]


def _rows(
    records: Iterator[_Record | Fault], fmt: Format, arrange: tuple[int, list[int]] | None
) -> Iterator[Row | Fault]:
    types = {row.tag: index for index, row in enumerate(fmt.rows)}
    joined = fmt.delimited.tags == "joined"
    widths = [len(row.fields) for row in fmt.rows]
    width, indexes = arrange or (widths[0], list(range(widths[0])))
    in_place = indexes == list(range(widths[0]))
    getter = None if in_place and width == widths[0] else _getter(indexes)
    guards = [field.guard for field in fmt.fields]
    tagged = fmt.layout == "header-detail"
    blank = fmt.delimited.delimiter + " \t"
    number = 0
    for record in records:
        if isinstance(record, Fault):
            yield record
            continue
        if not record.text.strip(blank):  # separators alone are what a spreadsheet makes of an empty row
            yield Fault("row-blank", record.line)
            continue
        number += 1
        cells = _cells(record, fmt)
        known = _loose(record, fmt) if cells is None else cells
        if joined and known:
            known = _parted(known, types)
        row_type, tag = 0, known[:1]
        if tagged:
            row_type = types.get(known[0], -1) if known else -1
            width, known = widths[row_type], known[1:]
        if cells is not None and record.end and row_type >= 0 and len(known) == width:
            row = getter(known) if getter else known
            if any(guards):
                row = [
                    cell[1:] if guard and cell[:1] == guard else cell for cell, guard in zip(row, guards, strict=True)
                ]
            yield Row(row_type, row, record.line, number)
            continue
        if not record.end:
            fault = Fault("file-cut", record.line, expected="a line end after the last row")
        elif cells is None:
            fault = Fault("quote-stray", record.line, expected="quotation marks around whole cells only")
        elif row_type < 0:
            found = quote(tag[0]) if tag[0].isalnum() and len(tag[0]) < 4 else None  # else it may be of a note
            expected = "a row that begins with " + " or ".join(types)
            fault = Fault("record-unknown", record.line, found=found, expected=expected)
        else:
            fault = Fault("row-cells", record.line, found=f"{len(known)} cells", expected=f"{width}")
        # A damaged record of several lines may have swallowed rows of other orders: it is not of one type.
        row_type = row_type if "\n" not in record.text else -1
        yield fault._replace(record=number, type=row_type, cells=tuple(known) if in_place else ())


def _parted(cells: list[str], tags: Iterable[str]) -> list[str]:
    """The cells with the joined tag in one of its own; the first cell as it is where there is none."""
    tag = next((tag for tag in tags if cells[0].startswith(tag)), None)
    return cells if tag is None else [tag, cells[0][len(tag) :], *cells[1:]]


def _loose(record: _Record, fmt: Format) -> list[str]:
    """The cells before the first quotation mark: enough to say which order a damaged row belongs to."""
    return record.text[: record.text.index('"')].split(fmt.delimited.delimiter)[:-1]


def write(rows: Iterable[tuple[int, Any]], fmt: Format, envelope: Envelope) -> Iterator[str]:  # noqa: ARG001
    """The text of each row with its line end, the header first where the format has one."""
    end = fmt.newline_text
    delimiter = fmt.delimited.delimiter
    line = {"minimal": _minimal, "all": _all, "none": str.join}[fmt.delimited.quoting]
    if fmt.delimited.header != "forbidden":
        yield line(delimiter, _titles(fmt)) + end
    tags = [row.tag for row in fmt.rows]
    tagged, joined = fmt.layout == "header-detail", fmt.delimited.tags == "joined"
    for row_type, cells in rows:
        if joined:
            yield tags[row_type] + line(delimiter, cells) + end
        else:
            yield line(delimiter, [tags[row_type], *cells] if tagged else cells) + end


def writable(text: str, fmt: Format) -> bool:
    """Whether the kind can carry this text in a cell."""
    broken = fmt.newline == "cr" or fmt.delimited.line_breaks == "refuse"
    if "\r" in text or (broken and "\n" in text):
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
