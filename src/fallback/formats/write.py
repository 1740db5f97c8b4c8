"""Orders to the bytes of a fallback file. An order that the format cannot carry whole is refused, never cut."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import cached_property
from typing import Any

from fallback.errors import FallbackError, WrongUse
from fallback.findings import Finding, mask, quote
from fallback.formats import shape
from fallback.formats.cells import SHORT_YEARS, keeps_year
from fallback.formats.check import cell_problem
from fallback.formats.defaults import as_carried
from fallback.formats.kinds import Kind, kind_of
from fallback.formats.kinds.envelope import Envelope
from fallback.formats.kinds.fixed_width import fits
from fallback.formats.kinds.rows import Tree
from fallback.formats.shape import Column, RowShape, Shape
from fallback.formats.spec import Field, Format
from fallback.formats.wrapper import pack
from fallback.records.judge import judge
from fallback.records.order import Order
from fallback.records.paths import PATHS, PathInfo, values_of


@dataclass(frozen=True, slots=True)
class Written:
    """What was written: ``parts`` are the bytes of each file by its role, of which there is one (``orders``) unless the
    format is a pair; the orders in it, and the findings about those that were refused."""

    parts: Mapping[str, bytes]
    orders: tuple[Order, ...]
    findings: tuple[Finding, ...]

    @property
    def data(self) -> bytes:
        """The bytes of the one file. Raises WrongUse for a pair, of which neither file is the whole."""
        if len(self.parts) > 1:
            raise WrongUse("wrong-use", "the format is a pair of files, and one was asked for")
        return next(iter(self.parts.values()))


@dataclass(frozen=True)
class _Desk:
    """What the writing of one file needs at hand."""

    shape: Shape
    kind: Kind
    codes: Mapping[str, str]
    key: Callable[[Order], str] | None
    show_values: bool

    @property
    def format(self) -> Format:
        return self.shape.format

    def fixed(self, field: Field) -> str:
        """What a field of a constant or a code holds."""
        return field.constant if field.constant is not None else self.codes[str(field.code)]

    @cached_property
    def uncarried(self) -> tuple[tuple[str, PathInfo], ...]:
        """The paths that must be empty in every order, since neither a field nor ``drops`` knows them."""
        known = self.format.carried | set(self.format.lost)
        return tuple((path, info) for path, info in PATHS.items() if path not in known and not info.required)


def write(
    fmt: Format,
    orders: Sequence[Order],
    *,
    codes: Mapping[str, str] | None = None,
    key: Callable[[Order], str] | None = None,
    sequence: int = 1,
    at: datetime | None = None,
    show_values: bool = False,
) -> Written:
    """Write orders in a format.

    Args:
        codes: the agreement's ``[codes]``, for fields that hold one.
        key: makes the key of an order, for fields with ``path = "key"``.
        sequence: the number of the file, and ``at`` the instant of writing, for formats with an envelope.
        show_values: whether findings may show a customer's values.

    Raises FallbackError ``agreement-invalid`` where the format needs a code or a key that was not given,
    ``format-read-only`` where it cannot be written, ``orders-over-limit`` where it cannot hold so many.
    """
    if fmt.direction == "read":
        raise FallbackError("format-read-only", f"files of the format {fmt.name} are read, never written")
    if fmt.max_orders is not None and len(orders) > fmt.max_orders:
        raise FallbackError(
            "orders-over-limit",
            f"a file of {fmt.name} holds {fmt.max_orders}, found {len(orders)}",
            hint="give fewer orders at a time; an export under an agreement makes one file after the other",
        )
    desk = _Desk(shape.shape_of(fmt), kind_of(fmt), codes or {}, key, show_values)
    _check_given(desk)
    findings: list[Finding] = []
    rows: list[tuple[int, Any]] = []
    written: list[Order] = []
    make = _tabular if fmt.tabular else _tree if fmt.kind in ("xml", "x12") else _nested
    orders = _sorted(orders, fmt)
    carried = [as_carried(order, fmt) for order in orders]
    names = [_name(order, as_read, desk) for order, as_read in zip(orders, carried, strict=True)]
    times = Counter(names)
    for order, as_read, name in zip(orders, carried, names, strict=True):
        problems = [*_not_carried(order, desk), *_beyond(order, fmt), *_defaulted(order, as_read, desk)]
        if times[name] > 1:
            problems.append(_alike(order, desk))
        made = list(make(order, desk, problems))
        if problems:
            findings += problems
        else:
            rows += made
            written.append(order)
    if desk.shape.trailer_type >= 0:
        rows.append(_trailer(written, desk))
    envelope = Envelope(sequence, at, desk.codes) if at is not None else Envelope(sequence, codes=desk.codes)
    if fmt.layout == "two-files":
        parts = {role: _part(rows, index, fmt.part(role), desk.kind, envelope) for index, role in enumerate(fmt.roles)}
    else:
        parts = {fmt.roles[0]: pack("".join(desk.kind.write(rows, fmt, envelope)).encode(fmt.encoding), fmt)}
    return Written(parts, tuple(written), tuple(findings))


def _part(rows: Sequence[tuple[int, Any]], of_type: int, part: Format, kind: Kind, envelope: Envelope) -> bytes:
    """One file of a pair: the rows of one type."""
    own = ((0, cells) for row_type, cells in rows if row_type == of_type)
    return "".join(kind.write(own, part, envelope)).encode(part.encoding)


def _sorted(orders: Sequence[Order], fmt: Format) -> Sequence[Order]:
    """The orders as the partner's loader wants them."""
    path = fmt.row_order.sorted_by
    return orders if path is None else sorted(orders, key=lambda order: str(values_of(order, path)[0]))


def _check_given(desk: _Desk) -> None:
    needed = desk.format.codes - set(desk.codes)
    if needed:
        raise FallbackError(
            "agreement-invalid",
            f"[codes] of the agreement lacks what {desk.format.name} needs: {', '.join(sorted(needed))}",
            hint="add them to [codes] of the agreement",
        )
    if "key" in desk.format.carried and desk.key is None:
        raise FallbackError(
            "agreement-invalid",
            f"the format {desk.format.name} carries the order's key, which only an agreement makes",
            hint="give --agreement instead of --format",
        )


def _not_carried(order: Order, desk: _Desk) -> Iterator[Finding]:
    """Values that neither a field nor ``drops`` knows: nothing is lost in silence."""
    for path, info in desk.uncarried:
        for index, value in enumerate(values_of(order, path)):
            if value is not None and value != info.default:
                yield Finding(
                    "value-not-carried",
                    order=order.order_number,
                    order_line=order.lines[index].line_number if info.level == "line" else None,
                    path=path,
                    found=f"a value for {path}",
                    expected=f"a field of {desk.format.name} for it, or {path} under drops",
                )


def _beyond(order: Order, fmt: Format) -> Iterator[Finding]:
    """What the format does not take of an order's lines: too many, or one value twice."""
    if fmt.max_lines is not None and len(order.lines) > fmt.max_lines:
        found, most = f"{len(order.lines)} lines", f"at most {fmt.max_lines} lines in an order"
        yield Finding("number-out-of-range", order=order.order_number, path="order_lines", found=found, expected=most)
    for field in fmt.all_fields:
        values = values_of(order, str(field.path)) if field.once else []
        for index, value in enumerate(values):
            if value is not None and value in values[:index]:
                yield Finding(
                    "line-doubled",
                    order=order.order_number,
                    order_line=order.lines[index].line_number,
                    field=field.name,
                    path=field.path,
                    found=quote(str(value)),
                    expected=f"each {field.name} in one line of an order only",
                )


def _name(order: Order, as_read: Order, desk: _Desk) -> tuple[Any, ...]:
    """What tells the order from the others in the file."""
    ties = desk.format.ties
    return tuple(desk.key(order) if path == "key" and desk.key else values_of(as_read, path)[0] for path in ties)


def _alike(order: Order, desk: _Desk) -> Finding:
    columns = desk.shape.columns if desk.format.records or desk.format.tabular else desk.shape.named
    fields = ", ".join(columns[path].field.name for path in desk.format.ties)
    return Finding(
        "order-doubled",
        order=order.order_number,
        field=fields,
        found="another order of the same name",
        expected="one by which each order is known",
    )


def _defaulted(order: Order, as_read: Order, desk: _Desk) -> Iterator[Finding]:
    """What of another field's value is none of the path that takes it by default: such a file would be refused."""
    judged = judge(as_read.model_dump()) if desk.format.defaults else as_read
    for problem in judged if isinstance(judged, list) else ():
        private = problem.path in PATHS and PATHS[problem.path].private and not desk.show_values
        text = str(problem.found)
        found = "nothing" if problem.found is None else mask(text) if private else quote(text)
        yield Finding(problem.code, order=order.order_number, path=problem.path, found=found, expected=problem.expected)


def _tabular(order: Order, desk: _Desk, problems: list[Finding]) -> Iterator[tuple[int, list[str]]]:
    rows = desk.shape.rows
    if desk.format.records:
        header = rows[desk.shape.order_type]
        yield desk.shape.order_type, [_cell(c, order, None, desk, problems) for c in header.columns]
    detail = rows[desk.shape.line_type]
    found: list[Finding] = []
    repeated = {c.index: _cell(c, order, None, desk, found) for c in detail.columns if not c.of_line}
    # A detail row repeats paths of its order's row under the same rules: most that is wrong with them is told already.
    told = {(finding.code, finding.path) for finding in problems if finding.path}
    problems += [finding for finding in found if (finding.code, finding.path) not in told]
    once = _once(desk)
    for index in range(len(order.lines)):
        cells = [
            repeated[c.index] if c.index in repeated else _cell(c, order, index, desk, problems) for c in detail.columns
        ]
        for column in once if index else ():
            cells[column.index] = ""
        yield desk.shape.line_type, cells


def _once(desk: _Desk) -> tuple[Column, ...]:
    """The columns that stand on the first row of an order only: not those by which its rows are known."""
    if desk.format.layout != "first-line":
        return ()
    own = desk.shape.rows[0].own_columns
    if desk.format.row_order.follow:
        return own
    return tuple(c for c in own if c.field.path and c.field.path not in desk.format.ties)


def _cell(column: Column, order: Order, line: int | None, desk: _Desk, problems: list[Finding]) -> str:
    """The text of one cell; what is wrong with it goes to ``problems``."""
    value = _value(column, order, line, desk)
    text = "" if value is None or value == () else column.write(value)
    field = column.field
    problem: tuple[str, str, str | None] | None
    if text == "":
        if column.stand_in is not None:
            return column.stand_in
        problem = ("value-missing", "a value", None) if field.required else None
    elif text == column.stand_in:
        problem = ("placeholder-taken", f"a value other than the stand-in {quote(text)}", None)
    elif not desk.kind.writable(text, desk.format):
        expected = f"no line break, delimiter or quotation mark: the format has {_narrow(desk.format)}"
        problem = ("value-not-writable", expected, None)
    elif column.index == 0 and desk.format.delimited.comment and text.startswith(desk.format.delimited.comment):
        problem = ("value-not-writable", f"a first cell without {text[0]}, which begins a comment", None)
    elif not _encodable(text, desk.format.encoding):
        problem = ("value-not-writable", f"characters that {desk.format.encoding} has", None)
    elif isinstance(value, date) and not keeps_year(value, field.date):
        problem = ("value-not-writable", f"a year from {SHORT_YEARS[0]} to {SHORT_YEARS[-1]}: it has two digits", None)
    elif not fits(field, text):
        problem = ("value-not-writable", f"an amount of {field.decimals} decimals in {field.width} columns", None)
    else:
        problem = cell_problem(field, text) if column.ruled else None
    if problem:
        code, expected, found = problem
        shown = mask(text) if column.private and not desk.show_values else found or quote(text)
        problems.append(
            Finding(
                code,
                order=order.order_number,
                order_line=None if line is None else order.lines[line].line_number,
                field=field.name,
                path=field.path,
                found=shown if text else "nothing",
                expected=expected,
            )
        )
    return text


def _narrow(fmt: Format) -> str:
    """Why a cell cannot hold every sign."""
    if fmt.delimited.quoting == "none":
        return "no quoting"
    return "CR at the end of its rows" if fmt.newline == "cr" else "rows of one line each"


def _value(column: Column, order: Order, line: int | None, desk: _Desk) -> Any:
    field = column.field
    if field.constant is not None or field.code is not None:
        return desk.fixed(field)
    if field.unused:
        return None
    if column.info is None:
        return shape.computed(order, str(field.path), desk.key, desk.format.carried)
    if line is not None:
        return getattr(order.lines[line], column.keys[0])
    value: Any = order
    for key in column.keys:
        value = getattr(value, key)
    return value


def _encodable(text: str, encoding: str) -> bool:
    if text.isascii():
        return True
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        return False
    return True


def _tree(order: Order, desk: _Desk, problems: list[Finding]) -> list[tuple[int, Any]]:
    """The order as values under names, all text: for XML and X12."""
    own = {
        c.field.name: _cell(c, order, None, desk, problems) or None for c in desk.shape.tree_columns if not c.of_line
    }
    lines = [
        {c.field.name: _cell(c, order, index, desk, problems) or None for c in _of_each_line(desk)}
        for index in range(len(order.lines))
    ]
    return [(0, Tree(own, lines))]


def _of_each_line(desk: _Desk) -> Iterator[Column]:
    """Columns of the lines, and the constants in the segments that repeat with them."""
    for row in desk.shape.rows:
        yield from (c for c in row.columns if c.of_line or (row.spec.repeats and c.field.path is None))


def _nested(order: Order, desk: _Desk, problems: list[Finding]) -> list[tuple[int, Any]]:
    row, group = desk.shape.rows[0], desk.format.lines_member
    content: dict[str, Any] = {}
    for column in row.columns:
        if column.of_line:
            if group not in content:
                content[group] = [_line(order, index, row, desk, problems) for index in range(len(order.lines))]
            continue
        shape.put(content, tuple(column.field.name.split(".")), _member(column, order, None, desk, problems))
    return [(0, content)]


def _line(order: Order, index: int, row: RowShape, desk: _Desk, problems: list[Finding]) -> dict[str, Any]:
    content: dict[str, Any] = {}
    for column in row.line_columns:
        shape.put(content, tuple(column.field.name.split(".")[1:]), _member(column, order, index, desk, problems))
    return content


def _member(column: Column, order: Order, line: int | None, desk: _Desk, problems: list[Finding]) -> Any:
    """The JSON value of one field: integers as numbers, properties as objects, everything else as text."""
    if column.info is not None and column.info.kind == "properties":
        return [{"name": p.name, "value": p.value} for p in _value(column, order, line, desk)]
    text = _cell(column, order, line, desk, problems)
    if text == "":
        return None
    return int(text) if column.whole else text


def _trailer(orders: Sequence[Order], desk: _Desk) -> tuple[int, list[str]]:
    from fallback.documents.manifest import hash_total  # for the few formats that have a trailer

    values = shape.totals(orders, hash_total(order.order_number for order in orders))
    columns = desk.shape.rows[desk.shape.trailer_type].columns
    return desk.shape.trailer_type, [
        c.write(values[c.field.path]) if c.field.path else desk.fixed(c.field) for c in columns
    ]
