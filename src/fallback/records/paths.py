"""Canonical paths: every field of an order under one dotted name, derived from the model itself.

``ship_to.city`` is a field of the order's ship-to, ``lines.sku`` a field of each line.
"""

from __future__ import annotations

import types
import typing
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Literal

from pydantic import BaseModel

from fallback.records.order import PRIVATE_PATHS, Line, Order, ShipTo

ValueKind = Literal["text", "integer", "instant", "day", "money", "properties"]
Level = Literal["order", "line"]

_KINDS: dict[type, ValueKind] = {str: "text", int: "integer", datetime: "instant", date: "day", Decimal: "money"}


@dataclass(frozen=True, slots=True)
class PathInfo:
    """What a canonical path holds. ``private`` values are a customer's and are masked in findings."""

    path: str
    level: Level
    kind: ValueKind
    required: bool
    private: bool
    default: Any


def _base(annotation: Any) -> Any:
    """The plain type below ``Annotated`` and ``| None``."""
    origin = typing.get_origin(annotation)
    if origin is typing.Annotated:
        return _base(typing.get_args(annotation)[0])
    if origin in (typing.Union, types.UnionType):
        return next(_base(part) for part in typing.get_args(annotation) if part is not type(None))
    return annotation


def _paths(model: type[BaseModel], prefix: str, level: Level) -> dict[str, PathInfo]:
    paths: dict[str, PathInfo] = {}
    for name, field in model.model_fields.items():
        path = prefix + name
        if path in ("ship_to", "lines"):
            continue
        paths[path] = PathInfo(
            path=path,
            level=level,
            kind=_KINDS.get(_base(field.annotation), "properties"),
            required=field.is_required(),
            private=path in PRIVATE_PATHS,
            default=None if field.is_required() else field.default,
        )
    return paths


PATHS: dict[str, PathInfo] = {
    **_paths(Order, "", "order"),
    **_paths(ShipTo, "ship_to.", "order"),
    **_paths(Line, "lines.", "line"),
}


def values_of(order: Order, path: str) -> list[Any]:
    """The values of a path in an order: one for a field of the order, one a line for a field of its lines."""
    if path.startswith("lines."):
        name = path.removeprefix("lines.")
        return [getattr(line, name) for line in order.lines]
    if path.startswith("ship_to."):
        return [getattr(order.ship_to, path.removeprefix("ship_to."))]
    return [getattr(order, path)]


def without(order: Order, drops: Iterable[str]) -> Order:
    """The order as a file shows it that agreed not to carry these paths."""
    own: dict[str, Any] = {}
    ship_to: dict[str, Any] = {}
    line: dict[str, Any] = {}
    for path in drops:
        head, _, name = path.rpartition(".")
        {"": own, "ship_to": ship_to, "lines": line}[head][name] = PATHS[path].default
    if ship_to:
        own["ship_to"] = order.ship_to.model_copy(update=ship_to)
    if line:
        own["lines"] = tuple(one.model_copy(update=line) for one in order.lines)
    return order.model_copy(update=own) if own else order
