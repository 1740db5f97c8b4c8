"""Nested layouts read: an order is one object, its lines a list in it."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from fallback.findings import CATALOGUE, Finding, Place
from fallback.formats.assemble import Assembly, Desk, ReadOrder
from fallback.formats.kinds.rows import Fault, Row
from fallback.formats.shape import Column


def read_all(items: Iterable[Row | Fault], desk: Desk) -> tuple[list[ReadOrder], list[Finding], int]:
    """The orders, the findings about the file, and the number of objects."""
    orders: list[ReadOrder] = []
    findings: list[Finding] = []
    records = 0
    for item in items:
        records = max(records, item.record)
        place = Place(desk.file, item.line, item.record)
        if isinstance(item, Row):
            orders.append(_order(item.cells, place, desk))
            continue
        # Each object is whole or broken by itself: a broken one takes nothing of its neighbours with it.
        number = _number(item.cells, desk) or f"of record {item.record}"
        tied = CATALOGUE[item.code].about == "order"
        finding = Finding(item.code, place, order=number if tied else None, found=item.found, expected=item.expected)
        if tied:
            orders.append(ReadOrder(None, number, place, (), None, (finding,)))
        else:
            findings.append(finding)
    return orders, findings, records


def _number(content: Any, desk: Desk) -> str:
    for path in ("order_number", "order_id", "key"):
        column = desk.shape.columns.get(path)
        if column is not None:
            value = _get(content, column.field.name.split("."))
            if isinstance(value, str) and len(value) <= 64:
                return value
    return ""


def _get(content: Any, parts: Iterable[str]) -> Any:
    for part in parts:
        content = content.get(part) if isinstance(content, dict) else None
    return content


def _order(content: dict[str, Any], place: Place, desk: Desk) -> ReadOrder:
    assembly = Assembly(desk, _number(content, desk) or f"of record {place.record}", place)
    row = desk.shape.rows[0]
    _unknown(content, desk, assembly)
    for column in row.columns:
        if not column.of_line:
            _member(column, _get(content, column.field.name.split(".")), assembly, place, column.keys)
    lines = content.get("lines")
    if not isinstance(lines, list):
        assembly.blame("value-malformed", ("lines",), None, place, found="no list", expected="a list of lines")
        lines = []
    for index, line in enumerate(lines):
        assembly.start_line(place)
        if not isinstance(line, dict):
            assembly.blame("value-malformed", ("lines", index), None, place, found="no object", expected="an object")
            continue
        for column in row.line_columns:
            loc = ("lines", index, *column.keys)
            _member(column, _get(line, column.field.name.split(".")[1:]), assembly, place, loc)
    return assembly.finish()


def _member(column: Column, value: Any, assembly: Assembly, place: Place, loc: tuple[Any, ...]) -> None:
    """One JSON value: integers are numbers, properties a list of objects, everything else is text or null."""
    if column.info is not None and column.info.kind == "properties":
        if value is not None:
            _properties(column, value, assembly, place, loc)
        return
    if value is None:
        assembly.cell(column, "", place)
        return
    number = (column.info is not None and column.info.kind == "integer") or column.field.path == "order_lines"
    if number and isinstance(value, int) and not isinstance(value, bool):
        if value < 0:
            assembly.blame("number-out-of-range", loc, column, place, text=str(value), expected="1 or more")
        else:
            assembly.cell(column, str(value), place)
    elif isinstance(value, str) and not number:
        if value == "":
            assembly.blame("value-malformed", loc, column, place, found="empty text", expected="text, or null for none")
        else:
            assembly.cell(column, value, place)
    elif number:
        text = str(value) if isinstance(value, int | Decimal | str) else "another type"
        assembly.blame("number-invalid", loc, column, place, text=text, expected="a whole JSON number, such as 12")
    else:
        assembly.blame("value-malformed", loc, column, place, found="no text", expected="text in quotation marks")


def _properties(column: Column, value: Any, assembly: Assembly, place: Place, loc: tuple[Any, ...]) -> None:
    good = isinstance(value, list) and all(
        isinstance(item, dict) and set(item) == {"name", "value"} and all(isinstance(v, str) for v in item.values())
        for item in value
    )
    if good:
        assembly.lines[-1][column.keys[-1]] = tuple(value)
    else:
        expected = 'a list of {"name": ..., "value": ...}'
        assembly.blame("properties-invalid", loc, column, place, found="something else", expected=expected)


def _unknown(content: dict[str, Any], desk: Desk, assembly: Assembly) -> None:
    """Members that the format does not know: one finding each, by name."""
    known: dict[str, set[str]] = {}
    for field in desk.shape.format.fields:
        head, _, tail = field.name.partition(".")
        known.setdefault(head, set()).update({tail} - {""})
    unknown = [name for name in content if name not in known]
    ship_to = content.get("ship_to")
    if isinstance(ship_to, dict):
        unknown += [f"ship_to.{name}" for name in ship_to if name not in known.get("ship_to", ())]
    lines = content.get("lines")
    for index, line in enumerate(lines if isinstance(lines, list) else ()):
        if isinstance(line, dict):
            unknown += [f"lines[{index}].{name}" for name in line if name not in known.get("lines", ())]
    for name in unknown:
        assembly.blame(
            "value-malformed", (name,), None, assembly.place, found=f"a member {name[:60]}", expected="no such member"
        )
