"""Nested layouts read: an order is one object, its lines a list in it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from decimal import Decimal
from typing import Any

from fallback.findings import Finding, Place
from fallback.formats.apart import read_each
from fallback.formats.assemble import Assembly, Desk, ReadOrder, order_name
from fallback.formats.kinds.rows import Fault, Row
from fallback.formats.shape import Column, Members


def read_all(items: Iterable[Row | Fault], desk: Desk) -> tuple[list[ReadOrder], list[Finding], int]:
    """The orders, the findings about the file, and the number of objects."""
    return read_each(items, desk, _order, _identity, _number)


def _texts(content: Any, paths: Iterable[str], desk: Desk) -> Iterator[tuple[str, str]]:
    for path in paths:
        column = desk.shape.columns.get(path)
        value = None if column is None else _get(content, column.field.name.split("."))
        if isinstance(value, str):
            yield path, value


def _identity(content: Any, desk: Desk) -> tuple[tuple[str, str], ...]:
    return tuple(_texts(content, desk.shape.format.identity(), desk))


def _number(content: Any, desk: Desk) -> str:
    return next(_texts(content, ("order_number",), desk), ("", ""))[1]


def _get(content: Any, parts: Iterable[str]) -> Any:
    for part in parts:
        content = content.get(part) if isinstance(content, dict) else None
    return content


def _order(content: dict[str, Any], place: Place, desk: Desk) -> ReadOrder:
    assembly = Assembly(desk, order_name(_number(content, desk), place.record), place, _identity(content, desk))
    row, group = desk.shape.rows[0], desk.shape.format.lines_member
    _unknown(content, desk, assembly)
    _misshapen(content, assembly, place)
    for column in row.columns:
        if not column.of_line and column.keys not in assembly.blamed:
            _member(column, _get(content, column.field.name.split(".")), assembly, place, column.keys)
    lines = content.get(group)
    if not isinstance(lines, list):
        code, found = ("value-missing", "nothing") if lines is None else ("value-malformed", "another type")
        assembly.blame(code, ("lines",), None, place, found=found, expected=f"a list {group} of the order's lines")
        lines = []
    for index, line in enumerate(lines):
        assembly.start_line(place)
        if not isinstance(line, dict):
            expected = "an object for each line"
            assembly.blame("value-malformed", ("lines", index), None, place, found="another type", expected=expected)
            continue
        for column in row.line_columns:
            loc = ("lines", index, *column.keys)
            _member(column, _get(line, column.field.name.split(".")[1:]), assembly, place, loc)
    return assembly.finish()


def _misshapen(content: dict[str, Any], assembly: Assembly, place: Place) -> None:
    """Members that should hold others and are absent or something else: one finding, whatever they should hold."""
    for group, columns in assembly.desk.shape.members.groups.items():
        value = _get(content, group)
        if isinstance(value, dict) or (value is None and not any(column.field.required for column in columns)):
            continue
        if columns[0].keys not in assembly.blamed:
            code, found = ("value-missing", "nothing") if value is None else ("value-malformed", "another type")
            expected = f"an object {'.'.join(group)} with members"
            assembly.blame(code, columns[0].keys, None, place, found=found, expected=expected)
        assembly.blamed.update(column.keys for column in columns)


def _member(column: Column, value: Any, assembly: Assembly, place: Place, loc: tuple[Any, ...]) -> None:
    """One JSON value: integers are numbers, properties a list of objects, everything else is text or null."""
    if column.info is not None and column.info.kind == "properties":
        if value is not None:
            _properties(column, value, assembly, place, loc)
        return
    if value is None:
        assembly.cell(column, "", place)
        return
    if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
        code, expected = ("number-invalid", _WHOLE) if column.whole else ("value-malformed", _TEXT)
        assembly.blame(code, loc, column, place, found="another type", expected=expected)
    elif column.whole and not isinstance(value, int):
        assembly.blame("number-invalid", loc, column, place, text=str(value), expected=_WHOLE)
    elif column.whole and int(value) < 0:
        assembly.blame("number-out-of-range", loc, column, place, text=str(value), expected="1 or more")
    elif column.whole or (isinstance(value, str) and value):
        assembly.cell(column, str(value), place)
    else:
        found = "a number" if value else "empty text"
        assembly.blame("value-malformed", loc, column, place, found=found, expected=_TEXT)


_WHOLE = "a whole JSON number, such as 12"
_TEXT = "text in quotation marks, or null for none"


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
    """Members that the format does not know: one finding a name, however many lines have it."""
    members = desk.shape.members
    for parts in dict.fromkeys(_strangers(content, (), members)):
        name = ".".join(part if _PLAIN_NAME.fullmatch(part) else "?" for part in parts)
        found, expected = f"a member {name}", "no such member"
        assembly.blame("value-malformed", ("member", *parts), None, assembly.place, found=found, expected=expected)


_PLAIN_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,39}")


def _strangers(content: Any, above: tuple[str, ...], members: Members) -> Iterator[tuple[str, ...]]:
    for item in content if isinstance(content, list) else [content]:
        for name, value in item.items() if isinstance(item, dict) else ():
            here = (*above, name)
            if here not in members.known:
                yield here
            elif here not in members.leaves:
                yield from _strangers(value, here, members)
