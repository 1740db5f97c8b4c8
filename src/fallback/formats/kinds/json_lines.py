"""JSON Lines: one JSON object a line, one order an object. A line that is whole is an order that is whole."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from decimal import Decimal
from typing import Any

from fallback.formats.kinds.ends import split
from fallback.formats.kinds.envelope import Envelope
from fallback.formats.kinds.rows import Fault, Row
from fallback.formats.spec import Format


class KeyDoubled(Exception):
    """An object names a key twice. Never leaves ``kinds``."""


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    if len(content) < len(pairs):
        raise KeyDoubled
    return content


def _no_constant(name: str) -> Any:
    raise ValueError(name)


def _decimal(text: str) -> Decimal:
    try:
        return Decimal(text)
    except ArithmeticError:  # an exponent that no number has
        raise ValueError from None


DECODER = json.JSONDecoder(object_pairs_hook=_object, parse_float=_decimal, parse_constant=_no_constant)


def read(text: str, fmt: Format) -> Iterator[Row | Fault]:
    """The objects of a file, and a Fault for each line that is not one."""
    lines, cut, fault = split(text, fmt)
    if fault is not None:
        yield fault
    number = 0
    for index, line in enumerate(lines):
        if not line.strip():
            yield Fault("row-blank", index + 1)
            continue
        number += 1
        yield _row(line, index + 1, number)
    if cut.strip():
        number += 1
        row = _row(cut, len(lines) + 1, number)
        # Whole, but for its line end: nothing proves that it is the whole line.
        cells = row.cells if isinstance(row, Row) else ()
        yield Fault("file-cut", len(lines) + 1, number, 0, cells, expected="a line end after the last row")


def _row(line: str, at: int, number: int) -> Row | Fault:
    try:
        content = DECODER.decode(line)
    except KeyDoubled:
        return Fault("json-key-doubled", at, number, expected="each name once in an object")
    except (ValueError, RecursionError):
        return Fault("json-invalid", at, number, expected="one whole JSON object")
    if not isinstance(content, dict):
        return Fault("json-invalid", at, number, expected="one whole JSON object")
    return Row(0, content, at, number)


def write(rows: Iterable[tuple[int, Any]], fmt: Format, envelope: Envelope) -> Iterator[str]:  # noqa: ARG001
    """The text of each object with its line end: compact, in declared order, absent members as null."""
    end = fmt.newline_text
    for _, content in rows:
        yield json.dumps(content, ensure_ascii=False, separators=(",", ":")) + end


def writable(text: str, fmt: Format) -> bool:  # noqa: ARG001
    """JSON carries any text."""
    return True
