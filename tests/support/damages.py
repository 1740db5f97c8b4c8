"""What befalls a file of any format, made from what its declaration says.

A damage knows the codes of which one must be found in what it makes. The name of a bad file is that code and the name
of the damage, as in ``line-count-row-lost``. Where only a count would notice a damage and the format has none, it makes
no file: it is the manifest that notices.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal
from itertools import groupby
from typing import Any, NamedTuple

from fallback.formats.kinds.fixed_width import pad
from fallback.formats.shape import shape_of
from fallback.formats.spec import Field, Format
from fallback.formats.write import write
from fallback.records.order import Order
from fallback.validation import validate

Parts = Mapping[str, bytes]


@dataclass(frozen=True)
class Case:
    """A golden file by role, its format and its orders."""

    format: Format
    orders: tuple[Order, ...]
    parts: Parts

    def written(self, orders: Sequence[Order]) -> Parts:
        """What the format makes of other orders, all of which it takes."""
        made = write(self.format, orders, codes=codes_of(self.format))
        assert not made.findings, made.findings
        return made.parts

    def with_part(self, role: str, data: bytes) -> Parts:
        return {**self.parts, role: data}


def codes_of(fmt: Format) -> dict[str, str]:
    """The ``[codes]`` of an agreement that the format needs."""
    return dict.fromkeys(fmt.codes, "C1")


Make = Callable[[Case], Parts | None]
"""The damaged parts, or None where the damage cannot befall the format."""


class Damage(NamedTuple):
    """One damage: its name, the codes of which one must be found, and what makes it.

    ``counted``: it may go unnoticed where nothing is counted. ``own``: it is shown for our own formats only, since a
    partner's format goes through the same reader.
    """

    name: str
    codes: str
    make: Make
    counted: bool = False
    own: bool = False


# --- values: written with a value that stands nowhere else, which is then replaced in the bytes


_AT = datetime(2031, 7, 19, 3, 41, 7, tzinfo=UTC)
_RARE: Mapping[str, Callable[[int], Any]] = {
    "order_id": lambda n: f"864209{n}",
    "ordered_at": lambda n: _AT.replace(day=19 + n),
    "ship_to.city": lambda n: f"Sentinelville{n}",
    "ship_to.country": lambda n: ("AQ", "BV", "GS")[n],
    "lines.quantity": lambda n: 4321 + n,
    "lines.sku": lambda n: f"SENTINEL-{n}",
    "lines.gtin": lambda n: ("5901234123457", "9780201379624", "0012345678905")[n],
    "lines.unit_price": lambda n: Decimal(f"4321.9{n}"),
}


def instead(path: str, *texts: str) -> Make:
    """Texts in place of the values of a path, each in another order or line."""

    def make(case: Case) -> Parts | None:
        column = shape_of(case.format).columns.get(path) or shape_of(case.format).named.get(path)
        if column is None or path in case.format.lost:
            return None
        orders, swaps = list(case.orders), []
        for n, (text, (at, line)) in enumerate(zip(texts, _places(case, path), strict=False)):
            value = _RARE[path](n)
            orders[at] = _with(orders[at], path, line, value)
            rare = [column.write(value), text]
            if case.format.fixed_width is not None:
                rare = [pad(column.field, rare[0]), _padded(column.field, text)]
            swaps.append(rare)
        encoding = case.format.encoding
        parts = case.written(orders)
        for old, new in swaps:
            assert any(old.encode(encoding) in data for data in parts.values()), old
            assert not any(old.encode(encoding) in data for data in case.parts.values()), old
            parts = {role: data.replace(old.encode(encoding), new.encode(encoding)) for role, data in parts.items()}
        return parts

    return make


def _padded(field: Field, text: str) -> str:
    fill = field.pad if text.isdigit() else " "
    return text.rjust(field.width or 0, fill) if field.justify == "right" else text.ljust(field.width or 0, fill)


def _places(case: Case, path: str) -> Iterator[tuple[int, int | None]]:
    """Where a value can be put: orders with several lines first, so that it is seen what befalls the others."""
    for at in sorted(range(len(case.orders)), key=lambda at: -len(case.orders[at].lines)):
        if path.startswith("lines."):
            yield from ((at, line) for line in range(len(case.orders[at].lines)))
        else:
            yield at, None


def _with(order: Order, path: str, line: int | None, value: Any) -> Order:
    head, _, name = path.rpartition(".")
    if line is not None:
        lines = list(order.lines)
        lines[line] = lines[line].model_copy(update={name: value})
        return order.model_copy(update={"lines": tuple(lines)})
    if head:
        return order.model_copy(update={head: order.ship_to.model_copy(update={name: value})})
    return order.model_copy(update={name: value})


# --- bytes


def each_part(change: Callable[[bytes], bytes]) -> Make:
    return lambda case: {role: change(data) for role, data in case.parts.items()}


def other_encoding(case: Case) -> Parts | None:
    own = case.format.encoding
    other = "utf-8" if own in ("cp1252", "iso-8859-1") else "cp1252"
    parts = {role: data.decode(own).encode(other, "replace") for role, data in case.parts.items()}
    return None if parts == case.parts else parts


def other_line_ends(case: Case) -> Parts | None:
    if not case.format.tabular:
        return None
    own = case.format.newline_text.encode()
    other = b"\n" if own == b"\r\n" else b"\r\n"
    return {role: data.replace(own, other) for role, data in case.parts.items()}


# --- rows


class _Row(NamedTuple):
    """A row of a golden file: its bytes, and of which order and line it is; None where it is of none."""

    data: bytes
    order: int | None = None
    line: int | None = None


def rows_of(case: Case, role: str) -> list[_Row]:
    """The rows of a part: header, those of the orders, trailer."""
    fmt = case.format
    raw = _split(case.parts[role], fmt)
    head = 1 if fmt.kind == "delimited" and fmt.delimited.header in ("required", "bracketed") else 0
    found = [_Row(data) for data in raw[:head]]
    own_rows = fmt.layout == "header-detail" or (fmt.layout == "two-files" and role == "orders")
    line_rows = not (fmt.layout == "two-files" and role == "orders")
    kinds = [
        (at, line)
        for at, order in enumerate(case.orders)
        for line in [*([None] if own_rows else []), *(range(len(order.lines)) if line_rows else [])]
    ]
    found += [_Row(data, *kind) for data, kind in zip(raw[head:], kinds, strict=False)]
    rest = raw[head + len(kinds) :]
    assert len(rest) == sum(row.trailer for row in fmt.rows)
    return found + [_Row(data) for data in rest]


def _split(data: bytes, fmt: Format) -> list[bytes]:
    """Rows with their ends; a line break between quotation marks is none."""
    lines = data.splitlines(keepends=True)
    if fmt.kind != "delimited" or fmt.delimited.quoting == "none":
        return lines
    found = [b""]
    for line in lines:
        whole = found[-1].count(b'"') % 2 == 0
        found = [*found, line] if whole else [*found[:-1], found[-1] + line]
    return found[1:]


def on_rows(change: Callable[[list[_Row]], Sequence[_Row]], role: str = "lines") -> Make:
    """A change of the rows of the only file, of a pair those of one."""

    def make(case: Case) -> Parts | None:
        part = role if role in case.format.roles else "orders"
        if not case.format.tabular:
            return None
        rows = rows_of(case, part)
        data = b"".join(row.data for row in change(rows))
        return None if data == case.parts[part] else case.with_part(part, data)

    return make


def _middle(rows: Sequence[_Row]) -> int:
    """The second line of the first order that has two."""
    return next(at for at, row in enumerate(rows) if row.line == 1)


def row_lost(rows: list[_Row]) -> list[_Row]:
    return [row for at, row in enumerate(rows) if at != _middle(rows)]


def row_doubled(rows: list[_Row]) -> list[_Row]:
    at = _middle(rows)
    return [*rows[: at + 1], *rows[at:]]


def first_row_lost(rows: list[_Row]) -> list[_Row]:
    """The row that has the fields of the order: its own, or the first of its lines."""
    at = _middle(rows) - (1 if rows[_middle(rows) - 1].line is not None else 0)
    if rows[at - 1].order == rows[at].order:  # a row of the order's own stands above its lines
        at -= 1
    return [*rows[:at], *rows[at + 1 :]]


def row_moved(rows: list[_Row]) -> list[_Row]:
    """A line stands behind all orders."""
    at = _middle(rows)
    end = max(n for n, row in enumerate(rows) if row.order is not None) + 1
    return [*rows[:at], *rows[at + 1 : end], rows[at], *rows[end:]]


def cut_at_row_end(rows: list[_Row]) -> list[_Row]:
    """The file ends behind the first line of the last order that has several."""
    at = max(n for n, row in enumerate(rows) if row.line == 1)
    return rows[:at]


def order_lost(rows: list[_Row]) -> list[_Row]:
    return [row for row in rows if row.order != 1]


def order_doubled(rows: list[_Row]) -> list[_Row]:
    groups = [list(group) for _, group in groupby(rows, key=lambda row: row.order)]
    return [row for group in groups for row in (group * 2 if group[0].order == 1 else group)]


def trailer_lost(rows: list[_Row]) -> list[_Row]:
    return rows if rows[-1].order is not None else rows[:-1]


def blank_row(case: Case) -> Parts | None:
    end = case.format.newline_text.encode()
    return on_rows(lambda rows: [*rows[:2], _Row(end), *rows[2:]])(case)


def mixed_line_ends(case: Case) -> Parts | None:
    own = case.format.newline_text.encode()
    other = b"\n" if own == b"\r\n" else b"\r\n"

    def change(rows: list[_Row]) -> list[_Row]:
        at = _middle(rows)
        return [*rows[:at], _Row(rows[at].data.removesuffix(own) + other), *rows[at + 1 :]]

    return on_rows(change)(case)


def old_trailer(case: Case) -> Parts | None:
    """The closing row of a file with one order less."""
    if not any(row.trailer for row in case.format.rows):
        return None
    [data] = case.written(case.orders[:-1]).values()
    last = _split(data, case.format)[-1]
    return on_rows(lambda rows: [*rows[:-1], _Row(last)])(case)


def in_one_file(change: Callable[[list[_Row]], Sequence[_Row]]) -> Make:
    return lambda case: on_rows(change)(case) if len(case.parts) == 1 else None


def cut_in_row(case: Case) -> Parts | None:
    """The file ends in the middle of its last row."""
    if not case.format.tabular:
        return None
    role = case.format.roles[-1]
    last = _split(case.parts[role], case.format)[-1]
    return case.with_part(role, case.parts[role][: -len(last.rstrip()) // 2])


# --- cells and headers


def of_cells(change: Callable[[bytes, bytes], bytes]) -> Make:
    """A change of the row in the middle, given the delimiter."""

    def make(case: Case) -> Parts | None:
        if case.format.kind != "delimited":
            return None
        mark = case.format.delimited.delimiter.encode()

        def changed(rows: list[_Row]) -> list[_Row]:
            at = _middle(rows)
            return [*rows[:at], _Row(change(rows[at].data, mark)), *rows[at + 1 :]]

        return on_rows(changed)(case)

    return make


def without_last_cell(row: bytes, mark: bytes) -> bytes:
    body = row.rstrip(b"\r\n")
    return body.rpartition(mark)[0] + row[len(body) :]


def of_width(change: Callable[[bytes], bytes]) -> Make:
    """A change of the row in the middle, of fixed width."""

    def make(case: Case) -> Parts | None:
        def changed(rows: list[_Row]) -> list[_Row]:
            at = _middle(rows)
            return [*rows[:at], _Row(change(rows[at].data)), *rows[at + 1 :]]

        return on_rows(changed)(case) if case.format.kind == "fixed-width" else None

    return make


def of_header(change: Callable[[list[bytes], int], list[bytes]]) -> Make:
    """A change of the names of the columns, given the one of the SKU."""

    def make(case: Case) -> Parts | None:
        fmt = case.format
        if fmt.kind != "delimited" or fmt.delimited.header not in ("required", "bracketed"):
            return None
        mark, end = fmt.delimited.delimiter.encode(), fmt.newline_text.encode()
        sku = next(at for at, field in enumerate(fmt.part(fmt.roles[-1]).fields) if field.path == "lines.sku")

        def changed(rows: list[_Row]) -> list[_Row]:
            named = change(rows[0].data.removesuffix(end).split(mark), sku)
            if fmt.delimited.header == "bracketed":
                named = [b"[" + name.strip(b"[]") + b"]" for name in named]
            return [*([_Row(mark.join(named) + end)] if named else []), *rows[1:]]

        return on_rows(changed)(case)

    return make


def at_sku(*names: bytes) -> Make:
    """Other names in place of that of the SKU, or none."""
    return of_header(lambda known, sku: [*known[:sku], *names, *known[sku + 1 :]])


def sku_doubled(names: list[bytes], sku: int) -> list[bytes]:
    """The column before has the name of the SKU too."""
    return [*names[: sku - 1], names[sku], *names[sku:]]


def other_delimiter(case: Case) -> Parts | None:
    if case.format.kind != "delimited":
        return None
    own = case.format.delimited.delimiter.encode()
    return each_part(lambda data: data.replace(own, b";"))(case)


def swapped_columns(case: Case) -> Parts | None:
    """Two columns in each other's place, with their names."""
    fmt = case.format
    if fmt.kind != "delimited" or fmt.delimited.header not in ("required", "bracketed"):
        return None
    mark = fmt.delimited.delimiter.encode()

    def swap(rows: list[_Row]) -> list[_Row]:
        found = []
        for row in rows:
            first, second, rest = row.data.split(mark, 2)
            found.append(_Row(mark.join((second, first, rest))))
        return found

    return on_rows(swap, role="orders")(case)


def of_delimited(make: Make, unquoted: bool = True) -> Make:
    """A damage of delimited files only, or of those only that have quotation marks."""

    def made(case: Case) -> Parts | None:
        fits = case.format.kind == "delimited" and (unquoted or case.format.delimited.quoting != "none")
        return make(case) if fits else None

    return made


# --- pairs


def half(role: str) -> Make:
    """Only the other file of a pair is there."""
    return lambda case: {r: d for r, d in case.parts.items() if r != role} if len(case.parts) > 1 else None


def in_pair(change: Callable[[list[_Row]], Sequence[_Row]], role: str) -> Make:
    return lambda case: on_rows(change, role)(case) if len(case.parts) > 1 else None


_LINE = "line-count line-doubled unit-count trailer-differs"
_HEADER = "header-missing column-missing column-renamed column-unknown column-doubled"
_TORN = "line-orphan rows-apart order-fields-differ line-count value-missing"

DAMAGES: tuple[Damage, ...] = (
    Damage("no-bytes", "file-empty", each_part(lambda _: b""), own=True),
    Damage("other-encoding", "encoding-wrong", other_encoding),
    Damage("utf-16", "encoding-wrong", each_part(lambda data: data.decode("latin-1").encode("utf-16")), own=True),
    Damage("in-file", "byte-order-mark", each_part(lambda data: b"\xef\xbb\xbf" + data)),
    Damage("in-city", "nul-character", instead("ship_to.city", "Sentinel\0ville"), own=True),
    Damage("in-city", "control-character xml-invalid document-invalid", instead("ship_to.city", "Sentinel\x07ville")),
    Damage("other", "line-ends", other_line_ends, own=True),
    Damage("one-row", "line-ends-mixed line-ends row-cells", mixed_line_ends),
    Damage("in-row", "file-cut quote-unclosed row-cells line-count", cut_in_row),
    Damage("cut-at-row-end", f"trailer-missing {_LINE} file-cut", on_rows(cut_at_row_end), counted=True),
    Damage("row-lost", _LINE, on_rows(row_lost), counted=True),
    Damage("row-doubled", _LINE, on_rows(row_doubled), counted=True),
    Damage("first-row-lost", f"{_TORN} row-cells trailer-differs", on_rows(first_row_lost), counted=True),
    Damage("row-moved", _TORN, on_rows(row_moved), counted=True),
    Damage("order-lost", "trailer-differs", in_one_file(order_lost), counted=True),
    Damage("order-twice", f"order-doubled {_LINE}", on_rows(order_doubled), counted=True),
    Damage("at-the-end", "trailer-missing", on_rows(trailer_lost)),
    Damage("of-another-file", "trailer-differs", old_trailer),
    Damage("in-file", "row-blank", blank_row, own=True),
    Damage("one-less", "row-cells", of_cells(without_last_cell)),
    Damage("one-more", "row-cells", of_cells(lambda row, mark: row.replace(mark, mark * 2, 1))),
    Damage("semicolons", f"delimiter-wrong {_HEADER} record-unknown row-cells quote-stray", other_delimiter),
    Damage("in-city", "quote-stray", of_delimited(instead("ship_to.city", 'Sentinel"ville'), unquoted=False)),
    Damage("lost", _HEADER, of_header(lambda _, sku: [])),
    Damage("sku", "column-missing", at_sku()),
    Damage("colour", "column-unknown row-cells", of_header(lambda names, _: [*names, b"Colour"]), own=True),
    Damage("sku", "column-renamed column-missing", at_sku(b"Article"), own=True),
    Damage("sku", "column-doubled", of_header(sku_doubled), own=True),
    Damage("first-two", "column-moved", swapped_columns, own=True),
    Damage("one-short", "row-cells", of_width(lambda row: row.replace(b" ", b"", 1))),
    Damage("one-long", "row-cells", of_width(lambda row: row.replace(b" ", b"  ", 1))),
    Damage("forms", "number-invalid", instead("lines.quantity", "1.5", "1e3", "-1")),
    Damage("zero", "number-out-of-range", instead("lines.quantity", "0")),
    Damage("sku", "value-missing value-malformed", instead("lines.sku", "")),
    Damage("country", "country-unknown value-not-allowed", instead("ship_to.country", "UK"), own=True),
    Damage("day", "date-invalid", instead("ordered_at", "30.02.2026")),
    Damage("sku", "value-too-long row-cells", instead("lines.sku", "4" * 70)),
    Damage("zone", "zone-missing date-invalid", instead("ordered_at", "2026-11-23T09:15:00"), own=True),
    Damage("in-city", "bidi-character", instead("ship_to.city", "Sentinel\u202eville"), own=True),
    Damage("in-city", "white-space", of_delimited(instead("ship_to.city", "Sentinelville ")), own=True),
    Damage("price", "money-invalid value-malformed", instead("lines.unit_price", "19.90 EUR"), own=True),
    Damage("zeros-lost", "gtin-invalid", instead("lines.gtin", "200000000015"), own=True),
    Damage("order-id", "scientific-notation value-malformed", of_delimited(instead("order_id", "5.55E+12"))),
    Damage("lines-file", "part-missing", half("lines")),
    Damage("orders-file", "part-missing", half("orders")),
    Damage("order-lost", "line-orphan", in_pair(order_lost, "orders")),
    Damage("lines-lost", "line-count", in_pair(order_lost, "lines")),
)  # fmt: skip


_FEW = 3


def damaged(fmt: Format, orders: Sequence[Order]) -> dict[str, Parts]:
    """The bad files of a format, by the code that must be found in each and the name of the damage.

    They hold a few of the orders: those with the most lines, and the first of the others.
    """
    few = sorted(sorted(range(len(orders)), key=lambda at: (-len(orders[at].lines), at))[:_FEW])
    case = Case(fmt, tuple(orders[at] for at in few), {})
    case = replace(case, parts=case.written(case.orders))
    found: dict[str, Parts] = {}
    for damage in DAMAGES:
        if damage.own and fmt.status == "unverified":
            continue
        parts = damage.make(case)
        if parts is None:
            continue
        report = validate(parts, format=fmt)
        codes = {finding.code for finding in report.findings} - {"uncounted"}
        code = next((code for code in damage.codes.split() if code in codes), None)
        if code is None and damage.counted and not codes:
            continue
        stem = f"{code}-{damage.name}"
        assert code is not None and stem not in found, (fmt.name, damage.name, damage.codes, codes)
        found[stem] = parts
    return found
