"""Orders to the bytes of a fallback file. An order that the format cannot carry whole is refused, never cut."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from fallback.errors import FallbackError
from fallback.findings import Finding, mask, quote
from fallback.formats import shape
from fallback.formats.check import cell_problem
from fallback.formats.kinds import Kind, kind_of
from fallback.formats.shape import Column, RowShape, Shape
from fallback.formats.spec import Format
from fallback.records.order import Order
from fallback.records.paths import PATHS, PathInfo, values_of


@dataclass(frozen=True, slots=True)
class Written:
    """The bytes of a file, the orders in it, and the findings about those that were refused."""

    data: bytes
    orders: tuple[Order, ...]
    findings: tuple[Finding, ...]


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

    @cached_property
    def uncarried(self) -> tuple[tuple[str, PathInfo], ...]:
        """The paths that must be empty in every order, since neither a field nor ``drops`` knows them."""
        known = self.format.carried | set(self.format.drops)
        return tuple((path, info) for path, info in PATHS.items() if path not in known and not info.required)


def write(
    fmt: Format,
    orders: Sequence[Order],
    *,
    codes: Mapping[str, str] | None = None,
    key: Callable[[Order], str] | None = None,
    show_values: bool = False,
) -> Written:
    """Write orders in a format.

    Args:
        codes: the agreement's ``[codes]``, for fields that hold one.
        key: makes the key of an order, for fields with ``path = "key"``.
        show_values: whether findings may show a customer's values.

    Raises FallbackError ``agreement-invalid`` where the format needs a code or a key that was not given.
    """
    desk = _Desk(shape.shape_of(fmt), kind_of(fmt), codes or {}, key, show_values)
    _check_given(desk)
    findings: list[Finding] = []
    rows: list[tuple[int, Any]] = []
    written: list[Order] = []
    for order in orders:
        problems: list[Finding] = list(_not_carried(order, desk))
        made = _nested(order, desk, problems) if fmt.layout == "nested" else list(_tabular(order, desk, problems))
        if problems:
            findings += problems
        else:
            rows += made
            written.append(order)
    if desk.shape.trailer_type >= 0:
        rows.append(_trailer(written, desk))
    text = "".join(desk.kind.write(rows, fmt))
    return Written(text.encode(fmt.encoding), tuple(written), tuple(findings))


def _check_given(desk: _Desk) -> None:
    needed = {field.code for field in desk.format.all_fields if field.code} - set(desk.codes)
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


def _tabular(order: Order, desk: _Desk, problems: list[Finding]) -> Iterator[tuple[int, list[str]]]:
    rows = desk.shape.rows
    if desk.format.layout == "header-detail":
        header = rows[desk.shape.order_type]
        yield desk.shape.order_type, [_cell(c, order, None, desk, problems) for c in header.columns]
    detail = rows[desk.shape.line_type]
    repeated = {
        # A detail row repeats the path of its order's row under the same rules: what is wrong with it is told already.
        c.index: _cell(c, order, None, desk, [] if desk.format.records and c.field.path else problems)
        for c in detail.columns
        if not c.of_line
    }
    for index in range(len(order.lines)):
        yield (
            desk.shape.line_type,
            [
                repeated[c.index] if c.index in repeated else _cell(c, order, index, desk, problems)
                for c in detail.columns
            ],
        )


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
        lacking = "no quoting" if desk.format.delimited.quoting == "none" else "CR at the end of its rows"
        problem = ("value-not-writable", f"no line break, delimiter or quotation mark: the format has {lacking}", None)
    elif not _encodable(text, desk.format.encoding):
        problem = ("value-not-writable", f"characters that {desk.format.encoding} has", None)
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


def _value(column: Column, order: Order, line: int | None, desk: _Desk) -> Any:
    field = column.field
    if field.constant is not None:
        return field.constant
    if field.code is not None:
        return desk.codes[field.code]
    if column.info is None:
        return shape.computed(order, str(field.path), desk.key)
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
        c.write(values[c.field.path]) if c.field.path else c.field.constant or desk.codes[str(c.field.code)]
        for c in columns
    ]
