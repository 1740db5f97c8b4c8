"""The bytes of a fallback file to orders, each with its places: the exact reader.

A structural fault poisons the order it falls in; where it cannot be tied to one, the file is refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Any

from fallback.documents.manifest import hash_total
from fallback.findings import CATALOGUE, Finding, Place
from fallback.formats import nested, shape
from fallback.formats.assemble import Assembly, Desk, ReadOrder, finding_order
from fallback.formats.kinds import kind_of
from fallback.formats.kinds.rows import Fault, Row
from fallback.formats.spec import Format


@dataclass(frozen=True, slots=True)
class ReadFile:
    """What a file holds: its orders in the order of their first row, findings about the file as a whole, and the
    number of data rows."""

    orders: tuple[ReadOrder, ...]
    findings: tuple[Finding, ...]
    records: int


@dataclass
class _Bundle:
    """The rows of one order, before they are read."""

    label: tuple[str, ...]
    number: str
    place: Place
    header: Row | None = None
    head: Any = None
    rows: list[Row] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    poisoned: bool = False


def read(
    fmt: Format,
    data: bytes,
    *,
    name: str = "",
    codes: Mapping[str, str] | None = None,
    defaults: Mapping[str, str] | None = None,
    show_values: bool = False,
) -> ReadFile:
    """Read a file of a format.

    Args:
        name: the file's name, for places.
        codes: the agreement's ``[codes]``; a field that holds another value is a finding.
        defaults: canonical values that the file need not carry (``brand``).
        show_values: whether findings may show a customer's values.
    """
    text, problem = _decode(fmt, data, name)
    if problem is not None:
        return ReadFile((), (problem,), 0)
    desk = Desk(shape.shape_of(fmt), name, codes, defaults or {}, show_values)
    if fmt.layout == "nested":
        orders, findings, records = nested.read_all(kind_of(fmt).read(text, fmt), desk)
    else:
        orders, findings, records = _Reader(desk).read(text)
    if not orders and not any(finding.is_error for finding in findings):
        findings.append(Finding("file-empty", Place(name), found="no orders", expected="at least one order"))
    return ReadFile(tuple(orders), tuple(finding_order(findings)), records)


def _decode(fmt: Format, data: bytes, name: str) -> tuple[str, Finding | None]:
    """The text of a file, or why there is none."""
    if not data:
        return "", Finding("file-empty", Place(name), found="0 bytes", expected="at least one order")
    bom = b"\xef\xbb\xbf"
    if fmt.encoding == "utf-8-sig" and data.startswith(bom):
        data = data[3:]
    elif data.startswith(bom):
        return "", Finding("byte-order-mark", Place(name, 1), found="a UTF-8 byte order mark", expected="none")
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return "", Finding("encoding-wrong", Place(name, 1), found="UTF-16", expected=fmt.encoding)
    if b"\0" in data:
        line = data.count(b"\n", 0, data.index(b"\0")) + 1
        return "", Finding("nul-character", Place(name, line), found=f"{data.count(0):,} NUL bytes", expected="none")
    try:
        return data.decode("utf-8" if fmt.encoding == "utf-8-sig" else fmt.encoding), None
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        found = f"byte 0x{data[error.start]:02x}"
        return "", Finding("encoding-wrong", Place(name, line), found=found, expected=f"{fmt.encoding} text")


class _Reader:
    """Groups the rows of a delimited file into orders. One use, one file."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.shape = desk.shape
        self.bundles: dict[tuple[Any, ...], _Bundle] = {}
        self.current: _Bundle | None = None
        self.findings: list[Finding] = []
        self.orphans: list[tuple[tuple[str, ...], Finding]] = []
        self.trailer: Row | None = None
        self.line_rows = 0
        self.records = 0
        self.faulty = False
        self.torn = False
        self.headless = False
        order_row = self.shape.rows[self.shape.order_type]
        identity = [order_row.column(path) for path in self.shape.format.identity()]
        self.identity = [column.index for column in identity if column is not None]
        self.label = itemgetter(*self.identity) if len(self.identity) > 1 else self._one
        number = order_row.column("order_number") or order_row.column("order_id") or order_row.column("key")
        self.number = number.index if number else 0
        # A detail row that repeats fields of its order says which order it belongs to.
        line_row = self.shape.rows[self.shape.line_type]
        self.references = [
            (own, column.index)
            for column in line_row.order_columns
            if (own := order_row.column(str(column.field.path))) and self.shape.line_type != self.shape.order_type
        ]

    def _one(self, cells: Any) -> tuple[str, ...]:
        return (cells[self.identity[0]],)

    def place(self, at: Row | Fault) -> Place:
        return Place(self.desk.file, at.line, at.record)

    def read(self, text: str) -> tuple[list[ReadOrder], list[Finding], int]:
        fmt = self.shape.format
        take = self.take_line if fmt.layout == "line" else self.take_typed
        for item in kind_of(fmt).read(text, fmt):
            self.records = max(self.records, item.record)
            if isinstance(item, Fault):
                self.fault(item)
            else:
                take(item)
        self.adopt_orphans()
        self.torn = any(f.code in ("quote-unclosed", "file-cut", "trailer-missing") for f in self.findings)
        orders = [self.build(bundle) for bundle in self.bundles.values()]
        self.check_trailer(orders)
        return orders, self.findings, self.records

    # --- rows

    def take_line(self, row: Row) -> None:
        """A row that repeats the order's fields: compared with the order's first row as a whole, then by cell."""
        self.line_rows += 1
        label = self.label(row.cells)
        bundle = self.bundles.get(label)
        head = self.shape.rows[0].head(row.cells)
        if bundle is None:
            bundle = self.bundles[label] = _Bundle(label, row.cells[self.number], self.place(row))
        if bundle.header is None:
            bundle.header, bundle.head = row, head
        elif head != bundle.head:
            self.compare(bundle, row)
        bundle.rows.append(row)

    def compare(self, bundle: _Bundle, row: Row) -> None:
        assert bundle.header is not None
        differing = [
            column.field.name
            for column in self.shape.rows[0].columns
            if not column.of_line and row.cells[column.index] != bundle.header.cells[column.index]
        ]
        self.poison(
            bundle,
            Finding(
                "order-fields-differ",
                self.place(row),
                order=bundle.number,
                field=", ".join(differing[:5]),
                found="another value",
                expected=f"the same as in line {bundle.header.line}",
            ),
        )

    def take_typed(self, row: Row) -> None:
        if self.trailer is not None:
            self.add("trailer-differs", row, found="rows after the closing row", expected="none")
        if row.type == self.shape.order_type:
            self.begin(row)
        elif row.type == self.shape.trailer_type:
            self.trailer = row
        else:
            self.line_rows += 1
            self.take_detail(row)

    def begin(self, row: Row) -> None:
        label = self.label(row.cells)
        key: tuple[Any, ...] = label
        if label in self.bundles:
            key = (*label, row.record)  # twice the same order: validation compares the two
        self.current = self.bundles[key] = _Bundle(label, row.cells[self.number], self.place(row), header=row)

    def take_detail(self, row: Row) -> None:
        owner = self.current
        if owner is None and self.headless:
            return  # its order's row has a finding of its own
        if owner is None:
            self.add("line-orphan", row, found="a detail row before the first order", expected="its order above it")
            return
        if owner.header is not None and any(
            row.cells[index] != owner.header.cells[own.index] for own, index in self.references
        ):
            reference = tuple(row.cells[index] for _, index in self.references)
            number = next(
                (row.cells[i] for own, i in self.references if own.field.path == "order_number"), reference[0]
            )
            self.orphans.append(
                (
                    reference,
                    Finding(
                        "line-orphan",
                        self.place(row),
                        order=number,
                        found="a detail row of another order",
                        expected=f"detail rows of the order in line {owner.header.line}",
                    ),
                )
            )
            return
        owner.rows.append(row)

    def adopt_orphans(self) -> None:
        """A detail row in the wrong place poisons the order that it names; that order has lost a row."""
        for reference, finding in self.orphans:
            owner = next(
                (
                    bundle
                    for bundle in self.bundles.values()
                    if bundle.header is not None
                    and tuple(bundle.header.cells[own.index] for own, _ in self.references) == reference
                ),
                None,
            )
            if owner is None:
                owner = self.bundles[("orphan", *reference)] = _Bundle(reference, finding.order or "", finding.place)
            self.poison(owner, finding)

    # --- faults

    def fault(self, fault: Fault) -> None:
        """A structural fault: about the file, or poison for the order it falls in."""
        if CATALOGUE[fault.code].about == "file":
            if fault.code == "record-unknown":
                self.current, self.headless = None, True
            self.findings.append(self.finding(fault, None))
            return
        self.faulty = True
        bundle = self.tie(fault)
        if fault.type in (-1, self.shape.line_type):
            self.line_rows += 1
        if bundle is None:
            self.findings.append(self.finding(fault, None))
        else:
            self.poison(bundle, self.finding(fault, bundle.number))

    def tie(self, fault: Fault) -> _Bundle | None:
        """The order that a damaged row belongs to, where its identifying cells stand before the damage."""
        typed = self.shape.format.layout == "header-detail"
        if typed and fault.type == self.shape.line_type:
            return self.current
        if typed and fault.type != self.shape.order_type:
            return None
        # The last cell of a row that was cut may be cut itself.
        whole = len(fault.cells) - (fault.code == "file-cut")
        if whole <= max(*self.identity, self.number):
            return None
        label = self.label(fault.cells)
        bundle = self.bundles.get(label)
        if bundle is None or typed:
            bundle = _Bundle(label, fault.cells[self.number], self.place(fault))
            self.bundles[(*label, fault.record) if typed else label] = bundle
        if typed:
            self.current = bundle
        return bundle

    def finding(self, fault: Fault, order: str | None) -> Finding:
        return Finding(
            fault.code,
            self.place(fault),
            order=order,
            field=fault.field,
            found=fault.found,
            expected=fault.expected,
        )

    def poison(self, bundle: _Bundle, finding: Finding) -> None:
        bundle.poisoned = True
        bundle.findings.append(finding)

    def add(self, code: str, at: Row, *, found: str, expected: str) -> None:
        self.findings.append(Finding(code, self.place(at), found=found, expected=expected))

    # --- the whole

    def check_trailer(self, orders: list[ReadOrder]) -> None:
        """The closing row against what was read: one finding for all counts that differ."""
        index = self.shape.trailer_type
        if index < 0 or any(finding.refuses_file for finding in self.findings):
            return
        if self.trailer is None:
            place = Place(self.desk.file, 0, self.records)
            self.findings.append(Finding("trailer-missing", place, expected=f"a row {self.shape.rows[index].spec.tag}"))
            return
        counted = self.counted(orders)
        differing = [
            (column.field.name, self.trailer.cells[column.index], counted[str(column.field.path)])
            for column in self.shape.rows[index].columns
            if column.field.path in counted and self.trailer.cells[column.index] != counted[column.field.path]
        ]
        if differing:
            self.findings.append(
                Finding(
                    "trailer-differs",
                    self.place(self.trailer),
                    field=", ".join(name for name, _, _ in differing),
                    found=", ".join(f"{name} {text[:20]}" for name, text, _ in differing),
                    expected=", ".join(f"{name} {count}" for name, _, count in differing) + " as counted in the file",
                )
            )

    def counted(self, orders: list[ReadOrder]) -> dict[str, str]:
        """What the trailer should say, from the rows. A row lost from an order is that order's finding: what each
        order declares is counted then. What damaged rows keep from being counted is left out."""
        damaged = any(o.declared_lines is not None and o.declared_lines != len(o.line_places) for o in orders)
        lines = self.line_rows
        if damaged and not self.faulty and not self.orphans:
            lines = sum(o.declared_lines or 0 for o in orders)
        counted = {"file_orders": str(len(self.bundles)), "file_lines": str(lines)}
        if self.faulty:
            return counted
        counted["hash_total"] = hash_total(bundle.number for bundle in self.bundles.values())
        quantity = self.shape.rows[self.shape.line_type].column("lines.quantity")
        texts = [row.cells[quantity.index] for b in self.bundles.values() for row in b.rows] if quantity else ["?"]
        if all(text.isascii() and text.isdigit() for text in texts) and not self.orphans and not damaged:
            counted["file_units"] = str(sum(int(text[:18]) for text in texts))
        return counted

    def build(self, bundle: _Bundle) -> ReadOrder:
        """One order from its rows."""
        assembly = Assembly(self.desk, bundle.number, bundle.place, poisoned=bundle.poisoned)
        assembly.findings += bundle.findings
        if bundle.poisoned or bundle.header is None:
            return assembly.finish(torn=self.torn)
        order_row = self.shape.rows[self.shape.order_type]
        for column in order_row.columns:
            if not column.of_line:
                assembly.cell(column, bundle.header.cells[column.index], bundle.place)
        line_row = self.shape.rows[self.shape.line_type]
        fixed = line_row.fixed_columns if line_row is not order_row else ()
        for row in bundle.rows:
            place = self.place(row)
            assembly.start_line(place)
            for column in line_row.line_columns:
                if row.cells[column.index] or column.field.required:  # most cells of a line are blank
                    assembly.cell(column, row.cells[column.index], place)
            for column in fixed:
                assembly.cell(column, row.cells[column.index], place)
        return assembly.finish(torn=self.torn)
