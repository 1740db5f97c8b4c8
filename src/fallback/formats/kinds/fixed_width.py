"""Fixed width: every value at its columns, every row equally long. What does not fit is refused, never cut."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from decimal import Decimal
from typing import Any

from fallback.findings import quote
from fallback.formats.kinds.ends import split
from fallback.formats.kinds.envelope import Envelope
from fallback.formats.kinds.rows import Fault, Row
from fallback.formats.spec import Field, Format, RecordSpec


def spans(row: RecordSpec, tag_width: int) -> list[tuple[int, int]]:
    """The columns of each field of a row, from 0, the end not included."""
    found = []
    at = tag_width
    for field in row.fields:
        begin = field.start - 1 if field.start is not None else at
        at = begin + (field.width or 0)
        found.append((begin, at))
    return found


def gaps(row: RecordSpec, tag_width: int, length: int = 0) -> list[tuple[int, int]]:
    """The columns between the fields of a row, and after them up to its length, that no field has; from 0."""
    found, at = [], tag_width
    for begin, end in sorted(spans(row, tag_width)):
        if begin > at:
            found.append((at, begin))
        at = max(at, end)
    return [*found, (at, length)] if length > at else found


def read(text: str, fmt: Format) -> Iterator[Row | Fault]:
    """The rows of a file, unpadded; a row of another length is a fault."""
    terms = fmt.fixed_width
    assert terms is not None
    lines, cut, fault = split(text, fmt)
    if fault is not None:
        yield fault
    types = {row.tag: index for index, row in enumerate(fmt.rows)}
    layout = [(row, spans(row, terms.tag_width)) for row in fmt.rows]
    empty = [gaps(row, terms.tag_width, terms.record_length) for row in fmt.rows]
    number = 0
    for at, line in enumerate(lines, start=1):
        if not line.strip():
            yield Fault("row-blank", at)
            continue
        number += 1
        tag = line[: terms.tag_width].strip()
        if terms.tag_width and tag not in types:
            yield Fault("record-unknown", at, number, found=quote(tag, 12), expected=" or ".join(types))
            continue
        row_type = types[tag] if terms.tag_width else 0
        row, places = layout[row_type]
        cells = [unpad(field, line[begin:end]) for field, (begin, end) in zip(row.fields, places, strict=True)]
        if len(line) != terms.record_length:
            yield Fault(
                "row-cells", at, number, row_type, tuple(cells[: _whole(places, len(line))]),
                found=f"{len(line)} characters", expected=f"{terms.record_length}",
            )  # fmt: skip
            continue
        if spilt := [(begin, end) for begin, end in empty[row_type] if line[begin:end].strip(" ")]:
            yield Fault(
                "row-cells", at, number, row_type, tuple(cells),
                found=f"text in columns {spilt[0][0] + 1}-{spilt[0][1]}", expected="none, no field is there",
            )  # fmt: skip
            continue
        placed = zip(row.fields, cells, places, strict=True)
        if moved := [(f, span) for f, cell, span in placed if not _stands(f, line[span[0] : span[1]], cell)]:
            field, (begin, end) = moved[0]
            side = "digits" if field.decimals is not None or field.pad == "0" else "text"
            yield Fault(
                "value-malformed", at, number, row_type, tuple(cells), field=field.name,
                found=f"something else in columns {begin + 1}-{end}",
                expected=f"{side} at the {field.justify} of its columns, padded as agreed",
            )  # fmt: skip
            continue
        yield Row(row_type, cells, at, number)
    if cut:
        yield Fault("file-cut", len(lines) + 1, number + 1, expected="a line end after the last row")


def _whole(places: list[tuple[int, int]], length: int) -> int:
    """How many cells stand in a row that is too short; in one that is too long nobody knows where it was torn."""
    return sum(end <= length for _, end in places)


def unpad(field: Field, text: str) -> str:
    """The value in a field's columns. All padding is no value; a number of zeros only is zero."""
    if not text.strip():
        return ""
    # Blanks among the zeros are no padding: the row may have shifted by a column, and with it the number.
    value = text.strip(" ") if field.pad == " " else text.lstrip("0") or "0"
    if field.decimals is not None and value.isascii() and value.isdigit():
        digits = value.rjust(field.decimals + 1, "0")
        return f"{digits[: -field.decimals]}.{digits[-field.decimals :]}" if field.decimals else digits
    return value


def _stands(field: Field, text: str, value: str) -> bool:
    """Whether a value stands in its columns as it would be written: one that was moved may have lost a character."""
    if field.decimals is not None and value and not (text.isascii() and text.strip(" ").isdigit()):
        return False
    return pad(field, value) == text


def pad(field: Field, text: str) -> str:
    """The value in its columns."""
    width = field.width or 0
    if field.decimals is not None and text:
        text = str(int(Decimal(text).scaleb(field.decimals)))
    if not text:
        return " " * width
    return text.rjust(width, field.pad) if field.justify == "right" else text.ljust(width, field.pad)


def write(rows: Iterable[tuple[int, Any]], fmt: Format, envelope: Envelope) -> Iterator[str]:  # noqa: ARG001
    """The text of each row with its line end."""
    terms = fmt.fixed_width
    assert terms is not None
    layout = [(row, spans(row, terms.tag_width)) for row in fmt.rows]
    for row_type, cells in rows:
        row, places = layout[row_type]
        line = row.tag.ljust(terms.tag_width)
        for field, (begin, _), cell in zip(row.fields, places, cells, strict=True):
            line = line.ljust(begin) + pad(field, cell)
        yield line.ljust(terms.record_length) + fmt.newline_text


def writable(text: str, fmt: Format) -> bool:  # noqa: ARG001 - the verb of the family
    """A line break would tear the row."""
    return "\n" not in text


def fits(field: Field, text: str) -> bool:
    """Whether an amount loses nothing by the number of decimals that the field has, and fits its columns."""
    if field.decimals is None:
        return True
    scaled = Decimal(text).scaleb(field.decimals)
    return scaled == scaled.to_integral_value() and len(str(int(scaled))) <= (field.width or 0)
