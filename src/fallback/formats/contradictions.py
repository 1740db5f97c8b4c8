"""What two terms of one format say against each other, so that no value, or another one, could be written or read."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta, timezone

from fallback.findings import quote
from fallback.formats.cells import CellError, keeps_year, reader, writer
from fallback.formats.kinds.fixed_width import gaps
from fallback.formats.spec import Field, Format, RecordSpec

TO_DO = "CHECK"
"""What a draft leaves where a person has to decide."""


def of_field(field: Field) -> Iterator[str]:
    """The contradictions within one field whose terms are right each by itself."""
    if field.doc == TO_DO or TO_DO in (field.constant, field.source, field.code):
        yield f"{TO_DO} stands where something is still to be decided, or written"
    longest = field.longest
    if longest is not None and field.pattern is not None and shortest(field.pattern) > longest:
        yield f"no value of the pattern is as short as {longest:,} characters"
    for word, text in _own_texts(field):
        if longest is not None and len(text) > longest and not (word == "allowed value" and field.max_length):
            yield f"{word} {quote(text)} is longer than {longest:,} characters"
        elif field.pattern is not None and not re.fullmatch(field.pattern, text):
            yield f"{word} {quote(text)} does not have the form of the pattern"
    if field.info is not None and field.info.kind in ("instant", "day"):
        yield from _dates(field)


def _own_texts(field: Field) -> Iterator[tuple[str, str]]:
    yield from (("allowed value", text) for text in field.allowed)
    if field.constant:
        yield "constant", field.constant
    if field.stand_in:
        yield "placeholder", field.stand_in
    if field.default:
        yield "default", field.default


_DAYS = (date(2026, 11, 23), date(2027, 1, 11), date(2027, 11, 1), date(2028, 2, 29), date(2026, 12, 3))


def _dates(field: Field) -> Iterator[str]:
    """Dates that do not come back: too long for the field, or read as another day by one of several patterns."""
    assert field.info is not None
    kind = field.info.kind
    patterns = field.date if isinstance(field.date, tuple) else (field.date,)
    read = reader(kind, field.date, field.zone)
    zones = (UTC, timezone(timedelta(hours=5, minutes=30)))
    moments = [datetime(day.year, day.month, day.day, 23, 5, 9, tzinfo=zone) for day in _DAYS for zone in zones]
    for pattern in patterns:
        alone, write = reader(kind, pattern, field.zone), writer(kind, pattern, field.zone)
        for value in moments if kind == "instant" else _DAYS:
            text = write(value)
            if field.longest is not None and len(text) > field.longest and pattern == patterns[0]:
                yield f"a date such as {text} is longer than {field.longest:,} characters"
                return
            try:
                once, back = alone(text), read(text)
            except CellError:
                yield f"a date written as {pattern} does not read back"
                return
            if once != value and not field.coarse and pattern == patterns[0] and keeps_year(value, pattern):
                yield f"a date written as {pattern} reads back as another"
                return
            if back != once:
                yield f"dates contradict: {text}, written as {pattern}, reads as another day by the patterns before"
                return


_PIECE = re.compile(r"\\.|\[(?:\\.|[^\]\\])*\]|\((?:\?:)?|\{[0-9]+(?:,[0-9]*)?\}|.", re.DOTALL)


def shortest(pattern: str) -> int:
    """How long the shortest text is that a pattern of a format matches."""
    groups, last = [[0]], 0  # of each open group the length of each alternative; the length of what a sign repeats
    for piece in _PIECE.findall(pattern):
        if piece[0] == "(":
            groups.append([0])
        elif piece == ")" and len(groups) > 1:
            last = min(groups.pop())
            groups[-1][-1] += last
        elif piece == "|":
            groups[-1].append(0)
            last = 0
        elif piece in "*?+" or (piece[0] == "{" and len(piece) > 1):
            times = 1 if piece == "+" else 0 if piece in "*?" else int(re.findall("[0-9]+", piece)[0])
            groups[-1][-1] += last * (times - 1)
            last = 0
        else:
            groups[-1][-1] += 1
            last = 1
    return min(groups[0])


def of_rows(fmt: Format) -> Iterator[str]:
    """Columns that no field has, elements that two have, and orders that nothing tells apart."""
    if fmt.title == TO_DO:
        yield f"title: {TO_DO} stands where the name of the file's content is still to be written"
    for path, text in fmt.defaults.items():
        if text == TO_DO:
            yield f"defaults.{path}: {TO_DO} stands where the value is still to be decided"
    for index, row in enumerate(fmt.rows):
        base = f"records[{index}].fields" if fmt.records else "fields"
        if fmt.fixed_width is not None:
            for begin, end in gaps(row, fmt.fixed_width.tag_width):
                yield f"{base}: columns {begin + 1}-{end} belong to no field; declare them as unused"
        elif fmt.kind == "x12":
            yield from (f"{base} {problem}" for problem in _elements(row))
    named = fmt.identity()
    if not {"key", "order_id", "order_number"} & set(named):
        yield "fields: nothing tells one order from another: order_id, order_number or key must stand in the file"


def _elements(row: RecordSpec) -> Iterator[str]:
    taken: dict[int, str] = {}
    for field in row.fields:
        for element in field.element if isinstance(field.element, tuple) else (field.element,):
            if element is not None and element in taken:
                yield f"{field.name}: element {element} is that of {taken[element]} already"
            elif element is not None:
                taken[element] = field.name
