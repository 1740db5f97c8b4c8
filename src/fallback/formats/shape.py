"""Shape: an order to typed rows and back. Which cell of which row holds which canonical path, in one place."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from operator import itemgetter
from typing import Any

from fallback.formats import cells
from fallback.formats.kinds.fixed_width import spans
from fallback.formats.spec import COUNTS, Field, Format, RecordSpec
from fallback.records.order import Order, check_code
from fallback.records.paths import PathInfo, ValueKind


@dataclass(frozen=True, slots=True)
class Column:
    """One field of a row type, ready for use: where its cell is, what it holds, how it is read and written.

    ``keys`` is where the value stands in the plain data of its order or line: ``("ship_to", "city")``, ``("sku",)``.
    ``ruled`` tells whether the field has rules of its own for the text, ``whole`` whether it holds an integer,
    ``at`` where it stands in a row of fixed width.
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
    at: str = ""

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
        return tuple(c for c in self.columns if not c.of_line and not c.field.unused)

    @cached_property
    def line_columns(self) -> tuple[Column, ...]:
        return tuple(c for c in self.columns if c.of_line)

    @cached_property
    def fixed_columns(self) -> tuple[Column, ...]:
        """Columns that hold the same text in every row: constants and codes of the agreement."""
        return tuple(c for c in self.columns if c.field.path is None and c.field.only is None and not c.field.unused)

    @cached_property
    def head(self) -> Callable[[Sequence[str]], Any]:
        """The cells that every row of one order repeats, for comparison."""
        indexes = [c.index for c in self.own_columns]
        return itemgetter(*indexes) if indexes else lambda _: ()

    def column(self, path: str) -> Column | None:
        return next((c for c in self.columns if c.field.path == path and not c.field.again), None)


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
        """The column that a path is read from: the order's own row before a line's reference to it; in X12 any row."""
        found: dict[str, Column] = {}
        for index in (*range(len(self.rows)), self.line_type, self.order_type):
            found.update({c.field.path: c for c in self.rows[index].columns if c.field.path and not c.field.again})
        return found

    @cached_property
    def tree_columns(self) -> tuple[Column, ...]:
        """Every column of a format whose orders are trees, in declared order."""
        return tuple(column for row in self.rows for column in row.columns)

    @cached_property
    def named(self) -> dict[str, Column]:
        """The column of each path of a format whose orders are trees."""
        return {c.field.path: c for c in self.tree_columns if c.field.path and not c.field.again}

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
    """Compile a format. The format must be sound (``soundness.mistakes`` is empty)."""
    return Shape(fmt, tuple(RowShape(row, tuple(_columns(row, fmt))) for row in fmt.rows))


def _columns(row: RecordSpec, fmt: Format) -> list[Column]:
    places = spans(row, fmt.fixed_width.tag_width) if fmt.fixed_width else [(0, 0)] * len(row.fields)
    columns = []
    for index, (field, (begin, end)) in enumerate(zip(row.fields, places, strict=True)):
        info = field.info
        kind: ValueKind = info.kind if info else "integer" if field.path in COUNTS else "text"
        of_line = field.per_line or (info is not None and info.level == "line")
        columns.append(
            Column(
                index,
                field,
                info,
                _reader(kind, field),
                _writer(kind, field),
                keys=tuple((field.path or "").split(".")[of_line:]),
                of_line=of_line,
                stand_in=field.stand_in,
                required=field.required or field.only is not None,  # looked at where it is blank, too
                ruled=field.longest is not None or bool(field.allowed) or field.pattern is not None,
                whole=kind == "integer",
                at=f"columns {begin + 1}-{end}" if end else "",
            )
        )
    return columns


def _reader(kind: ValueKind, field: Field) -> Callable[[str], Any]:
    prefix = field.prefix
    if prefix is None:
        return cells.reader(kind, field.date, field.zone)

    def read(text: str) -> str:
        if not text.startswith(prefix):
            raise cells.CellError("value-malformed", f"a value that begins with {prefix}")
        return text.removeprefix(prefix)

    return read


def _writer(kind: ValueKind, field: Field) -> Callable[[Any], str]:
    if field.part is not None:  # the blank between the two parts is not written
        return lambda text: str(text).rpartition(" ")[2 if field.part == "last" else 0]
    if field.prefix is not None:
        return lambda text: f"{field.prefix}{text}"
    return cells.writer(kind, field.date, field.zone)


def put(data: dict[str, Any], keys: tuple[str, ...], value: Any) -> None:
    """Set a value in nested plain data."""
    for key in keys[:-1]:
        data = data.setdefault(key, {})
    data[keys[-1]] = value


def computed(order: Order, path: str, key: Callable[[Order], str] | None, carried: Collection[str] = ()) -> Any:
    """The value of a computed path of an order, in a file that carries these paths."""
    if path == "order_check":
        return check_code(order, carried)
    if path == "order_lines":
        return len(order.lines)
    if path == "order_units":
        return order.units
    if path == "purpose":
        return "N" if order.revision == 1 else "R"
    if path == "envelope_at":
        return None
    return key(order) if key else None


def totals(orders: Sequence[Order], hash_total: str) -> Mapping[str, Any]:
    """The computed values of a trailer."""
    return {
        "file_orders": len(orders),
        "file_lines": sum(len(order.lines) for order in orders),
        "file_units": sum(order.units for order in orders),
        "hash_total": hash_total,
    }
