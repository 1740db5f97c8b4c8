"""Rows read: those of an order are brought together by what they say of it, and make one order.

A structural fault poisons the order it falls in; where it cannot be tied to one, the file is refused.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from operator import itemgetter
from typing import Any

from fallback.findings import CATALOGUE, Finding, Place, quote
from fallback.formats.assemble import Assembly, Desk, ReadOrder, order_name
from fallback.formats.kinds.rows import Fault, Row
from fallback.formats.shape import Column


def read_all(items: Iterable[Row | Fault], desk: Desk) -> tuple[list[ReadOrder], list[Finding], int]:
    """The orders in the order of their first row, the findings about the file, and the number of rows."""
    return _Reader(desk).read(items)


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
        self.adjacent = self.shape.format.row_order.adjacent
        self.follow = self.shape.format.row_order.follow
        order_row = self.shape.rows[self.shape.order_type]
        columns = [(path, column) for path in self.shape.format.identity() if (column := order_row.column(path))]
        self.identity = [(path, column.index, column.field.prefix or "") for path, column in columns]
        ties = [(path, column.index) for path in self.shape.format.ties if (column := order_row.column(path))]
        self.tied_by = [path for path, _ in ties]
        indexes = [index for _, index in ties]
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
        identity = tuple((path, at.cells[index].removeprefix(prefix)) for path, index, prefix in self.identity)
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
        if self.shape.format.uncounted:
            self.refuse_orphans()
        else:
            self.adopt_orphans()
        self.refuse_headless()
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
        if self.follow:
            self.take_following(row)
            return
        label = self.label(row.cells)
        bundle = self.bundles.get(label)
        head = self.shape.rows[0].head(row.cells)
        if bundle is None:
            bundle = self.bundles[label] = self.bundle(row)
            bundle.header, bundle.head = row, head
        elif head != bundle.head and (differing := self.differing(bundle, row)):
            self.compare(bundle, row, differing)
        if self.adjacent and bundle is not self.last and bundle.rows:
            self.tear(bundle, row)
        bundle.rows.append(row)
        self.last = bundle

    def take_following(self, row: Row) -> None:
        """A row that belongs to the order above it, or begins the next one: it alone has fields of the order."""
        if any(row.cells[column.index] for column in self.shape.rows[0].own_columns):
            self.begin(row)
        if self.last is None:
            self.add("line-orphan", row, found="a row without an order", expected="the order's own row above it")
        else:
            self.last.rows.append(row)

    def differing(self, bundle: _Bundle, row: Row) -> str:
        """The fields in which a row says otherwise than the first one of its order. In the first-line layout a later
        row may leave out what the first one says, wherever it stands."""
        assert bundle.header is not None
        left_out = ("",) if self.shape.format.layout == "first-line" else ()
        return ", ".join(
            column.field.name
            for column in self.shape.rows[0].own_columns
            if row.cells[column.index] not in (bundle.header.cells[column.index], *left_out)
        )

    def tear(self, bundle: _Bundle, row: Row) -> None:
        if "rows-apart" not in bundle.told:
            bundle.told.add("rows-apart")
            found, expected = "rows of another order in between", "all rows of the order together"
            place = self.place(row)
            self.poison(bundle, Finding("rows-apart", place, order=bundle.name, found=found, expected=expected))

    def compare(self, bundle: _Bundle, row: Row, differing: str) -> None:
        assert bundle.header is not None
        if differing in bundle.told:
            return  # where the first row is the damaged one, every other differs from it
        bundle.told.add(differing)
        finding = Finding("order-fields-differ", self.place(row), order=bundle.name, field=differing)
        words = f"the same as in line {bundle.header.line}"
        self.poison(bundle, replace(finding, found="another value", expected=words))

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

    def refuse_orphans(self) -> None:
        """Where no order counts its lines, the one that a damaged row came from would be whole without it."""
        told: dict[tuple[str, ...], Fault] = {}
        for reference, row, above in self.orphans:
            assert above.header is not None
            expected = f"detail rows of the order in line {above.header.line}"
            fault = Fault("line-orphan", row.line, row.record, found="a detail row of another order", expected=expected)
            told.setdefault(reference, fault)
        for fault in told.values():
            self.refuse(fault)

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

    def refuse_headless(self) -> None:
        """Rows without their order's first one are missing from an order that nobody knows, unless orders count."""
        fmt, own = self.shape.format, self.shape.rows[0].own_columns
        needed = [c.index for c in own if c.field.path and c.field.required and c.field.path not in fmt.ties]
        for bundle in self.bundles.values() if fmt.layout == "first-line" and "order_lines" not in fmt.carried else ():
            if bundle.header and not bundle.poisoned and not any(bundle.header.cells[index] for index in needed):
                self.add("line-orphan", bundle.header, found="a row of an order", expected="the order's first row")

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
        if self.follow:
            self.refuse(fault)  # whose row it was, and whose the rows after it are, its place alone would tell
        elif not self.typed:
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
        kin = [n for n, path in enumerate(self.tied_by) if path in ("brand", "platform")]
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
        return whole > max(self.number, *(index for _, index, _ in self.identity))

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
