"""Trees read: an order whose values stand under names, as text; what XML and X12 make of a file."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from fallback.findings import Finding, Place
from fallback.formats.apart import read_each
from fallback.formats.assemble import Assembly, Desk, ReadOrder, order_name
from fallback.formats.kinds.rows import Fault, Row, Tree
from fallback.formats.shape import Column


def read_all(items: Iterable[Row | Fault], desk: Desk) -> tuple[list[ReadOrder], list[Finding], int]:
    """The orders, the findings about the file, and the number of orders."""
    return read_each(items, desk, _order, _identity, _number)


def _text(tree: Tree, path: str, desk: Desk) -> str:
    """The text of a path of the order, with the default that stands for it where it is absent."""
    if path == "envelope_at":
        return str(tree.order.get("@envelope", ""))
    column = desk.shape.named.get(path)
    if column is None:
        return ""
    text = str(tree.order.get(column.field.name, ""))
    return (
        text
        or column.field.default
        or (_text(tree, column.field.default_from, desk) if column.field.default_from else "")
    )


def _identity(tree: Any, desk: Desk) -> tuple[tuple[str, str], ...]:
    if not isinstance(tree, Tree):
        return ()
    return tuple((path, text) for path in desk.shape.format.identity() if (text := _text(tree, path, desk)))


def _number(tree: Any, desk: Desk) -> str:
    return _text(tree, "order_number", desk) if isinstance(tree, Tree) else ""


# X12 element 473: F final cancellation, C cancellation of what is open.
_CANCELLING = ("F", "C")


def _order(tree: Tree, place: Place, desk: Desk) -> ReadOrder:
    assembly = Assembly(desk, order_name(_number(tree, desk), place.record), place, _identity(tree, desk))
    purpose = _text(tree, "purpose", desk)
    if purpose in _CANCELLING:
        found = f"purpose {purpose}"
        cancelled = Finding("cancellation", place, order=assembly.number, found=found, expected="N or R")
        return ReadOrder(None, assembly.number, place, (), None, (cancelled,), identity=assembly.identity)
    _tell_unknown(tree, assembly)
    for column in desk.shape.tree_columns:
        text = str(tree.order.get(column.field.name, ""))
        if not column.of_line and column.field.path is not None:
            _take(column, text or _text(tree, column.field.path, desk), tree, -1, assembly)
        elif text:  # a constant or a code of the agreement
            _take(column, text, tree, -1, assembly)
    for index, line in enumerate(tree.lines):
        assembly.start_line(place)
        for column in desk.shape.tree_columns:
            text = str(line.get(column.field.name, ""))
            if column.of_line or text:
                text = text or column.field.default or ""
                if not text and column.field.default_from:
                    source = desk.shape.named.get(column.field.default_from)
                    text = str(line.get(source.field.name, "")) if source else ""
                _take(column, text, tree, index, assembly)
    return assembly.finish()


def _take(column: Column, text: str, tree: Tree, index: int, assembly: Assembly) -> None:
    where = tree.at.get((index, column.field.name), "")
    place = assembly.place
    if where:
        place = Place(place.file, place.line, place.record, at=where)
    assembly.cell(column, text, place)


def _tell_unknown(tree: Tree, assembly: Assembly) -> None:
    """What the format does not know: one finding a name, however often it comes."""
    for code, name in dict.fromkeys(tree.unknown):
        assembly.desk.within(findings=len(assembly.findings), such_as=assembly.findings)
        assembly.findings.append(
            Finding(code, assembly.place, order=assembly.number, found=name, expected="what the format declares")
        )
