"""Shape: an order to typed rows and back. Which cell of which row holds which canonical path, in one place."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from operator import itemgetter
from typing import Any

from fallback.formats import cells
from fallback.formats.spec import Field, Format, RecordSpec
from fallback.records.order import Order
from fallback.records.paths import PathInfo


@dataclass(frozen=True, slots=True)
class Column:
    """One field of a row type, ready for use: where its cell is, what it holds, how it is read and written.

    ``keys`` is where the value stands in the plain data of its order or line: ``("ship_to", "city")``, ``("sku",)``.
    ``ruled`` tells whether the field has rules of its own for the text, ``whole`` whether it holds an integer.
    """

    index: int
    field: Field
    info: PathInfo | None
    read: Callable[[str], Any]
    write: Callable[[Any], str]
    keys: tuple[str, ...]
    of_line: bool
    stand_in: str | None
    required: bool
    ruled: bool
    whole: bool

    @property
    def private(self) -> bool:
        return self.info is not None and self.info.private


@dataclass(frozen=True)
class RowShape:
    """The columns of one row type, apart by what they describe: the order, one line, or nothing of either."""

    spec: RecordSpec
    columns: tuple[Column, ...]

    @cached_property
    def order_columns(self) -> tuple[Column, ...]:
        return tuple(c for c in self.columns if c.info is not None and not c.of_line)

    @cached_property
    def own_columns(self) -> tuple[Column, ...]:
        """Columns that do not describe one line: what the order's own row, or its first one, says once."""
        return tuple(c for c in self.columns if not c.of_line)

    @cached_property
    def line_columns(self) -> tuple[Column, ...]:
        return tuple(c for c in self.columns if c.of_line)

    @cached_property
    def fixed_columns(self) -> tuple[Column, ...]:
        """Columns that hold the same text in every row: constants and codes of the agreement."""
        return tuple(c for c in self.columns if c.field.path is None)

    @cached_property
    def head(self) -> Callable[[Sequence[str]], Any]:
        """The cells that every row of one order repeats, for comparison."""
        indexes = [c.index for c in self.columns if not c.of_line]
        return itemgetter(*indexes) if indexes else lambda _: ()

    def column(self, path: str) -> Column | None:
        return next((c for c in self.columns if c.field.path == path), None)


@dataclass(frozen=True)
class Shape:
    """A format compiled for use. ``rows`` are in the order of ``format.rows``."""

    format: Format
    rows: tuple[RowShape, ...]

    @cached_property
    def order_type(self) -> int:
        return next(i for i, row in enumerate(self.rows) if not row.spec.repeats and not row.spec.trailer)

    @cached_property
    def line_type(self) -> int:
        return next((i for i, row in enumerate(self.rows) if row.spec.repeats), self.order_type)

    @cached_property
    def trailer_type(self) -> int:
        return next((i for i, row in enumerate(self.rows) if row.spec.trailer), -1)

    @cached_property
    def columns(self) -> dict[str, Column]:
        """The column that a path is read from: the order's own row before a line's reference to it."""
        found: dict[str, Column] = {}
        for index in (self.line_type, self.order_type):
            found.update({c.field.path: c for c in self.rows[index].columns if c.field.path})
        return found

    @cached_property
    def members(self) -> Members:
        return Members(
            frozenset(prefix for field in self.format.fields for prefix in _prefixes(field)),
            frozenset(tuple(field.name.split(".")) for field in self.format.fields),
            {
                group: tuple(c for c in self.rows[0].order_columns if c.field.name.startswith(f"{'.'.join(group)}."))
                for c in self.rows[0].order_columns
                for group in _prefixes(c.field)[:-1]
            },
        )


@dataclass(frozen=True)
class Members:
    """The members of a JSON object by the format's dotted names, each as the tuple of its parts: those there are, those
    that hold a value, and the columns below each one that holds other members of the order."""

    known: frozenset[tuple[str, ...]]
    leaves: frozenset[tuple[str, ...]]
    groups: Mapping[tuple[str, ...], tuple[Column, ...]]


def _prefixes(field: Field) -> list[tuple[str, ...]]:
    parts = field.name.split(".")
    return [tuple(parts[:depth]) for depth in range(1, len(parts) + 1)]


def shape_of(fmt: Format) -> Shape:
    """Compile a format. The format must be sound (``spec.mistakes`` is empty)."""
    return Shape(fmt, tuple(RowShape(row, tuple(_columns(row))) for row in fmt.rows))


def _columns(row: RecordSpec) -> list[Column]:
    columns = []
    for index, field in enumerate(row.fields):
        info = field.info
        kind = info.kind if info else "text" if field.path in (None, "key", "hash_total") else "integer"
        of_line = info is not None and info.level == "line"
        columns.append(
            Column(
                index,
                field,
                info,
                cells.reader(kind, field.date),
                cells.writer(kind, field.date),
                keys=tuple((field.path or "").split(".")[of_line:]),
                of_line=of_line,
                stand_in=field.stand_in,
                required=field.required,
                ruled=field.max_length is not None or bool(field.allowed) or field.pattern is not None,
                whole=kind == "integer",
            )
        )
    return columns


def put(data: dict[str, Any], keys: tuple[str, ...], value: Any) -> None:
    """Set a value in nested plain data."""
    for key in keys[:-1]:
        data = data.setdefault(key, {})
    data[keys[-1]] = value


def computed(order: Order, path: str, key: Callable[[Order], str] | None) -> Any:
    """The value of a computed path of an order."""
    if path == "order_lines":
        return len(order.lines)
    return key(order) if key else None


def totals(orders: Sequence[Order], hash_total: str) -> Mapping[str, Any]:
    """The computed values of a trailer."""
    return {
        "file_orders": len(orders),
        "file_lines": sum(len(order.lines) for order in orders),
        "file_units": sum(order.units for order in orders),
        "hash_total": hash_total,
    }
