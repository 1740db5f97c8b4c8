"""The bytes of a fallback file to orders, each with its places: the exact reader.

A structural fault poisons the order it falls in; where it cannot be tied to one, the file is refused.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Any

from fallback.findings import CATALOGUE, Finding, Place, quote
from fallback.formats import nested, shape
from fallback.formats.assemble import Assembly, Desk, GivenUp, ReadOrder, finding_order, order_name
from fallback.formats.kinds import kind_of
from fallback.formats.kinds.rows import Fault, Row
from fallback.formats.shape import Column
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
    """The rows of one order, before they are read. ``name`` is what findings call it."""

    identity: tuple[tuple[str, str], ...]
    number: str
    name: str
    place: Place
    header: Row | None = None
    head: Any = None
    rows: list[Row] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    told: set[str] = field(default_factory=set)
    poisoned: bool = False


def read(
    fmt: Format,
    data: bytes,
    *,
    name: str = "",
    codes: Mapping[str, str] | None = None,
    defaults: Mapping[str, str] | None = None,
    show_values: bool = False,
    most_orders: int | None = None,
) -> ReadFile:
    """Read a file of a format.

    Args:
        name: the file's name, for places.
        codes: the agreement's ``[codes]``; a field that holds another value is a finding.
        defaults: canonical values that the file need not carry (``brand``).
        show_values: whether findings may show a customer's values.
        most_orders: where the file holds more, none is read. A file with more than ``MOST_FINDINGS`` findings is not
            read to its end either.
    """
    text, problem = _decode(fmt, data, name)
    if problem is not None:
        return ReadFile((), (problem,), 0)
    desk = Desk(shape.shape_of(fmt), name, codes, defaults or {}, show_values, most_orders)
    items = _few_blanks(kind_of(fmt).read(text, fmt))
    try:
        if fmt.layout == "nested":
            orders, findings, records = nested.read_all(items, desk)
        else:
            orders, findings, records = _Reader(desk).read(items)
    except GivenUp as end:
        return ReadFile((), end.findings, 0)
    if not orders and not any(finding.is_error for finding in findings):
        findings.append(Finding("file-empty", Place(name), found="no orders", expected="at least one order"))
    return ReadFile(tuple(orders), tuple(finding_order(findings)), records)


_BLANKS_TOLD = 100


def _few_blanks(items: Iterable[Row | Fault]) -> Iterator[Row | Fault]:
    """The items; of blank rows the first, and how many more there are at the first that is not told."""
    blanks, untold = 0, 0
    for item in items:
        if item.line and isinstance(item, Fault) and item.code == "row-blank":
            blanks += 1
            if blanks > _BLANKS_TOLD:
                untold = untold or item.line
                continue
        yield item
    if untold:
        yield Fault("row-blank", untold, found=f"{blanks - _BLANKS_TOLD:,} empty rows from here on", expected="none")


_BOM = b"\xef\xbb\xbf"


def _decode(fmt: Format, data: bytes, name: str) -> tuple[str, Finding | None]:
    """The text of a file, or why there is none."""

    def refused(code: str, at: int, found: str, expected: str) -> tuple[str, Finding]:
        return "", Finding(code, Place(name, data.count(b"\n", 0, at) + 1), found=found, expected=expected)

    content = data.removeprefix(_BOM) if fmt.encoding == "utf-8-sig" else data
    if not content:
        return "", Finding("file-empty", Place(name), found=f"{len(data)} bytes", expected="at least one order")
    if content.startswith(_BOM):
        return refused("byte-order-mark", 0, "a UTF-8 byte order mark", "none")
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return refused("encoding-wrong", 0, "UTF-16", fmt.encoding)
    if b"\0" in data:
        return refused("nul-character", data.index(b"\0"), f"{data.count(0):,} NUL bytes", "none")
    if fmt.encoding in ("cp1252", "iso-8859-1") and (at := _utf_8_from(data)) is not None:
        return refused("encoding-wrong", at, "UTF-8", fmt.encoding)
    try:
        return content.decode("utf-8" if fmt.encoding == "utf-8-sig" else fmt.encoding), None
    except UnicodeDecodeError as error:
        at = len(data) - len(content) + error.start
        return refused("encoding-wrong", at, f"byte 0x{data[at]:02x}", f"{fmt.encoding} text")


def _utf_8_from(data: bytes) -> int | None:
    """Where the first character of several bytes stands, if all that is not ASCII in the data is UTF-8.

    Read as a one-byte encoding it would be other letters and no error (ISO 8859-1 has a letter for every byte).
    """
    if data.isascii():
        return None
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return None
    return next(at for at, byte in enumerate(data) if byte > 127)


class _Reader:
    """Groups the rows of a delimited file into orders. One use, one file."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.shape = desk.shape
        self.bundles: dict[tuple[Any, ...], _Bundle] = {}
        self.current: _Bundle | None = None
        self.last: _Bundle | None = None
        self.findings: list[Finding] = []
        self.pending: list[Fault] = []
        self.orphans: list[tuple[tuple[str, ...], Row, _Bundle]] = []
        self.trailer: Row | None = None
        self.line_rows = 0
        self.records = 0
        self.faulty = False
        self.headless = False
        self.closed = False
        self.typed = self.shape.format.layout == "header-detail"
        order_row = self.shape.rows[self.shape.order_type]
        columns = [(path, column) for path in self.shape.format.identity() if (column := order_row.column(path))]
        self.identity = [(path, column.index) for path, column in columns]
        indexes = [column.index for _, column in columns]
        self.label: Callable[[Any], tuple[str, ...]] = (
            itemgetter(*indexes) if len(indexes) > 1 else lambda cells: (cells[indexes[0]],)
        )
        number = order_row.column("order_number")
        self.number = number.index if number else 0
        # A detail row that repeats fields of its order says which order it belongs to.
        line_row = self.shape.rows[self.shape.line_type]
        self.references: list[tuple[Column, int]] = [
            (own, column.index)
            for column in line_row.columns
            if self.typed and (own := order_row.column(str(column.field.path)))
        ]

    def place(self, at: Row | Fault) -> Place:
        return Place(self.desk.file, at.line, at.record)

    def bundle(self, at: Row | Fault) -> _Bundle:
        """A new order, begun by this row."""
        self.desk.within(orders=len(self.bundles) + 1)
        number = at.cells[self.number]
        identity = tuple((path, at.cells[index]) for path, index in self.identity)
        return _Bundle(identity, number, order_name(number, at.record), self.place(at))

    def read(self, items: Iterable[Row | Fault]) -> tuple[list[ReadOrder], list[Finding], int]:
        take = self.take_typed if self.typed else self.take_line
        for item in items:
            self.records = max(self.records, item.record)
            if isinstance(item, Fault):
                self.fault(item)
            else:
                take(item)
        self.settle()
        self.adopt_orphans()
        codes = {finding.code for finding in self.findings}
        if codes & {"quote-unclosed", "file-cut"} or (self.shape.trailer_type >= 0 and self.trailer is None):
            torn = self.last  # what is missing of the last order went with the end of the file
        else:
            torn = None
        bundles = sorted(self.bundles.values(), key=lambda bundle: bundle.place)
        orders, told = [], len(self.findings)
        for bundle in bundles:
            orders.append(self.build(bundle, torn=bundle is torn))
            told += len(orders[-1].findings)
            self.desk.within(findings=told, such_as=orders[-1].findings)
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
            bundle = self.bundles[label] = self.bundle(row)
            bundle.header, bundle.head = row, head
        elif head != bundle.head:
            self.compare(bundle, row)
        bundle.rows.append(row)
        self.last = bundle

    def compare(self, bundle: _Bundle, row: Row) -> None:
        assert bundle.header is not None
        differing = ", ".join(
            column.field.name
            for column in self.shape.rows[0].columns
            if not column.of_line and row.cells[column.index] != bundle.header.cells[column.index]
        )
        if differing in bundle.told:
            return  # where the first row is the damaged one, every other differs from it
        bundle.told.add(differing)
        self.poison(
            bundle,
            Finding(
                "order-fields-differ",
                self.place(row),
                order=bundle.name,
                field=differing,
                found="another value",
                expected=f"the same as in line {bundle.header.line}",
            ),
        )

    def take_typed(self, row: Row) -> None:
        if self.trailer is not None and not self.closed:
            self.closed = True
            self.add("trailer-differs", row, found="rows after the closing row", expected="none")
        if row.type == self.shape.order_type:
            self.begin(row)
        elif row.type == self.shape.trailer_type:
            self.trailer = row
        else:
            self.line_rows += 1
            self.take_detail(row)

    def begin(self, row: Row) -> None:
        key: tuple[Any, ...] = self.label(row.cells)
        if key in self.bundles:
            key = (*key, row.record)  # twice the same order: validation compares the two
        self.current = self.last = self.bundles[key] = self.bundle(row)
        self.current.header = row

    def take_detail(self, row: Row) -> None:
        owner = self.current
        if owner is None:
            if not self.headless:  # else its order's row has a finding of its own
                self.headless = True
                self.add("line-orphan", row, found="a detail row before its order", expected="its order above it")
        elif owner.header is not None and any(
            row.cells[index] != owner.header.cells[own.index] for own, index in self.references
        ):
            self.orphans.append((tuple(row.cells[index] for _, index in self.references), row, owner))
        else:
            owner.rows.append(row)

    def adopt_orphans(self) -> None:
        """A detail row in the wrong place poisons the order that it names; that order has lost a row.

        Where there is no such order, its own row is lost; or the order above lacks a line and this is it, damaged.
        """
        owners: dict[tuple[str, ...], _Bundle] = {}
        for bundle in self.bundles.values() if self.orphans else ():
            if bundle.header is not None:
                owners.setdefault(tuple(bundle.header.cells[own.index] for own, _ in self.references), bundle)
        paths = [str(own.field.path) for own, _ in self.references]
        declared = self.shape.rows[self.shape.order_type].column("order_lines")
        for reference, row, above in self.orphans:
            owner = owners.get(reference)
            assert above.header is not None
            if owner is None and declared and above.header.cells[declared.index] != str(len(above.rows)):
                owner = above
            if owner is None:
                named = dict(zip(paths, reference, strict=True))
                number = named.get("order_number", reference[0])
                owner = _Bundle(tuple(named.items()), number, order_name(number, row.record), self.place(row))
                owners[reference] = self.bundles["orphan", *reference] = owner
                self.desk.within(orders=len(self.bundles))
            if "line-orphan" not in owner.told:
                owner.told.add("line-orphan")
                expected = f"detail rows of the order in line {above.header.line}"
                found = "a detail row of another order"
                at = self.place(row)
                self.poison(owner, Finding("line-orphan", at, order=owner.name, found=found, expected=expected))

    # --- faults

    def fault(self, fault: Fault) -> None:
        """A structural fault: about the file, or poison for the order it falls in."""
        if CATALOGUE[fault.code].about == "file":
            if fault.code == "record-unknown":
                self.current, self.headless = None, True
            self.refuse(fault)
            return
        self.faulty = True
        if fault.type in (-1, self.shape.line_type):
            self.line_rows += 1
        if not self.typed:
            self.pending.append(fault)
            self.desk.within(findings=len(self.pending))
        elif fault.code == "file-cut" and self.shape.trailer_type >= 0:
            self.refuse(fault)  # the closing row is lost, whatever the cut row is
        elif fault.type == self.shape.line_type and self.current is not None:
            self.poison(self.current, self.finding(fault, self.current.name))
        elif fault.type == self.shape.order_type and self.tells_order(fault):
            self.current = self.last = self.bundles[*self.label(fault.cells), fault.record] = self.bundle(fault)
            self.poison(self.current, self.finding(fault, self.current.name))
        else:
            self.current, self.headless = None, True
            self.refuse(fault)

    def settle(self) -> None:
        """Ties each damaged row to its order. What begins otherwise than the good rows is half a row: nobody's."""
        kin = [n for n, (path, _) in enumerate(self.identity) if path in ("brand", "platform")]
        families = {tuple(label[n] for n in kin) for label in self.bundles} if kin and self.pending else set()
        labels = [self.label(fault.cells) if self.tells_order(fault) else None for fault in self.pending]
        begun = [label is not None and tuple(label[n] for n in kin) in families for label in labels]
        for index, (fault, label) in enumerate(zip(self.pending, labels, strict=True)):
            if index and not begun[index] and self.is_broken(self.pending[index - 1], fault):
                continue  # the half behind a line break: one finding for both
            after = self.pending[index + 1] if index + 1 < len(begun) and not begun[index + 1] else None
            if after is not None and self.is_broken(fault, after):
                pieces = f"{len(fault.cells)} and {len(after.cells)} cells"
                fault = fault._replace(found=f"a line break within the row: {pieces}")  # noqa: PLW2901
            bundle = self.bundles.get(label) if label is not None else None
            if fault.type < 0:  # other orders may have lost rows in it too
                self.refuse(fault)
                if bundle is not None:
                    bundle.poisoned = True
            elif bundle is not None:
                bundle.place = min(bundle.place, self.place(fault))
                self.poison(bundle, self.finding(fault, bundle.name))
            elif label is not None and begun[index]:
                bundle = self.bundles[label] = self.bundle(fault)
                self.poison(bundle, self.finding(fault, bundle.name))
            else:
                self.refuse(fault)

    def is_broken(self, first: Fault, second: Fault) -> bool:
        """Whether two damaged rows are one that was broken by a line break without quotation marks."""
        whole = len(first.cells) + len(second.cells) - 1 == len(self.shape.rows[0].columns)
        return whole and first.code == second.code == "row-cells" and second.record == first.record + 1

    def tells_order(self, fault: Fault) -> bool:
        """Whether the identifying cells of a damaged row stand before the damage."""
        # The last cell of a row that was cut may be cut itself.
        whole = len(fault.cells) - (fault.code == "file-cut")
        return whole > max(self.number, *(index for _, index in self.identity))

    def refuse(self, fault: Fault) -> None:
        self.findings.append(self.finding(fault, None))
        self.desk.within(findings=len(self.findings), such_as=self.findings)

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
        self.desk.within(findings=len(bundle.findings), such_as=bundle.findings)

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
        agreed = self.counted(orders)
        for column in self.shape.rows[index].fixed_columns:
            value = self.desk.fixed(column)
            agreed |= {} if value is None else {column.field.name: value}
        differing = [
            (column.field.name, self.trailer.cells[column.index], agreed[name])
            for column in self.shape.rows[index].columns
            if (name := column.field.path or column.field.name) in agreed
            and self.trailer.cells[column.index] != agreed[name]
        ]
        if differing:
            one = len(differing) == 1
            self.findings.append(
                Finding(
                    "trailer-differs",
                    self.place(self.trailer),
                    field=", ".join(name for name, _, _ in differing),
                    found=", ".join(f"{'' if one else f'{name} '}{quote(text, 20)}" for name, text, _ in differing),
                    expected=", ".join(f"{'' if one else f'{name} '}{quote(value)}" for name, _, value in differing),
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
        from fallback.documents.manifest import hash_total  # for the few formats that have a trailer

        counted["hash_total"] = hash_total(bundle.number for bundle in self.bundles.values())
        quantity = self.shape.rows[self.shape.line_type].column("lines.quantity")
        assert quantity is not None  # every order needs it
        texts = [row.cells[quantity.index] for bundle in self.bundles.values() for row in bundle.rows]
        if not self.orphans and not damaged and all(_COUNTABLE.fullmatch(text) for text in texts):
            counted["file_units"] = str(sum(map(int, texts)))
        return counted

    def build(self, bundle: _Bundle, *, torn: bool) -> ReadOrder:
        """One order from its rows. ``torn``: its last rows may be missing, which is known already."""
        assembly = Assembly(self.desk, bundle.name, bundle.place, bundle.identity, poisoned=bundle.poisoned)
        assembly.findings += bundle.findings
        if bundle.poisoned or bundle.header is None:
            return assembly.finish()
        order_row = self.shape.rows[self.shape.order_type]
        assembly.take(order_row.own_columns, bundle.header.cells, bundle.place)
        line_row = self.shape.rows[self.shape.line_type]
        fixed = line_row.fixed_columns if line_row is not order_row else ()
        for row in bundle.rows:
            place = self.place(row)
            assembly.start_line(place)
            assembly.take(line_row.line_columns, row.cells, place)
            assembly.take(fixed, row.cells, place)
        return assembly.finish(torn=torn)


_COUNTABLE = re.compile(r"[1-9][0-9]{0,17}")
