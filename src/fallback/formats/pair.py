"""Orders and lines in two files that are one fallback file: how the two are named, and how their rows are tied.

A line belongs to the order that it names, wherever the two stand in their files.
"""

from __future__ import annotations

import re
import string
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from fallback.findings import CATALOGUE, Finding, Place
from fallback.formats.assemble import Assembly, Desk, ReadOrder, order_name
from fallback.formats.kinds.rows import Fault, Row
from fallback.formats.spec import Format


def names_of(fmt: Format, name: str) -> dict[str, str]:
    """The names of all files of a fallback file by role, from the name of any of them.

    A name that the format would not give is that of an orders file, and the only one.
    """
    if len(fmt.roles) > 1 and (found := re.fullmatch(_name_pattern(fmt), name)):
        begin, end = found.span("role")
        return {role: name[:begin] + role.upper() + name[end:] for role in fmt.roles}
    return {fmt.roles[0]: name}


def _name_pattern(fmt: Format) -> str:
    """The form of the format's file names. The role is the last that there may be: a brand may be called so too."""
    day = datetime(2026, 11, 23, 14, tzinfo=UTC)
    forms = {"marker": ".*", "brand": ".+", "sequence": "[0-9]+"}
    forms["role"] = f"(?P<role>{'|'.join(role.upper() for role in fmt.roles)})"
    pattern = ""
    for text, name, form, _ in string.Formatter().parse(fmt.file_name):
        pattern += re.escape(text)
        if name == "sent":
            pattern += re.sub("[0-9]+|[A-Za-z]+", _like, re.escape(format(day, form or "")))
        elif name is not None:
            pattern += forms[name]
    return pattern


def _like(found: re.Match[str]) -> str:
    return "[0-9]+" if found[0].isdigit() else "[A-Za-z]+"


@dataclass
class _Entry:
    """One order in the making: its own row, and its lines as far as they were found."""

    identity: tuple[tuple[str, str], ...]
    name: str
    place: Place
    row: Row | None = None
    lines: list[Row] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    poisoned: bool = False

    def poison(self, *findings: Finding) -> None:
        self.poisoned = True
        self.findings += [one for one in findings if all(one.code != known.code for known in self.findings)]


_Tie = tuple[str, ...]


def read_all(
    items: Mapping[str, Iterable[Row | Fault]], names: Mapping[str, str], desk: Desk
) -> tuple[list[ReadOrder], list[Finding], int]:
    """The orders, the findings about the files, and the number of rows in both.

    ``items`` by role; a file that is not there has its finding already, and ``names`` are the files' own.
    """
    reader = _Reader(desk, names)
    records = sum(reader.take(role, items[role]) for role in desk.shape.format.roles if role in items)
    return reader.orders(), reader.findings, records


class _Reader:
    """Ties the rows of two files. One use, one pair."""

    def __init__(self, desk: Desk, names: Mapping[str, str]) -> None:
        self.desk = desk
        self.names = names
        self.format = desk.shape.format
        self.own, self.line = desk.shape.rows
        identity = (self.own.column(path) for path in self.format.identity())
        self.identity = [column for column in identity if column]
        self.repeated = [
            (own, column)
            for column in self.line.own_columns
            if column.field.path and (own := self.own.column(column.field.path))
        ]
        self.ties = [pair for pair in self.repeated if pair[0].field.path in self.format.ties]
        self.rows: dict[str, list[Row]] = {}
        self.faults: dict[str, list[Fault]] = {}
        self.findings: list[Finding] = []
        self.entries: dict[_Tie, list[_Entry]] = {}
        self.astray: dict[_Tie, list[Row]] = {}
        self.begun = 0

    def take(self, role: str, items: Iterable[Row | Fault]) -> int:
        """Take the rows of one file; how many there were."""
        rows, faults, records = [], [], 0
        for item in items:
            records = max(records, item.record)
            if isinstance(item, Row):
                rows.append(item._replace(part=role))
            elif CATALOGUE[item.code].about == "file":
                self.refuse(item._replace(part=role))
            else:
                faults.append(item._replace(part=role))
                self.desk.within(findings=len(faults))
        if not rows and not faults and self.is_whole(role):
            place, thing = Place(self.names[role]), "order" if role == self.format.roles[0] else "line"
            self.findings.append(Finding("file-empty", place, found=f"no {thing}s", expected=f"at least one {thing}"))
        self.rows[role], self.faults[role] = rows, faults
        return records

    def is_whole(self, role: str) -> bool:
        """Whether nothing of a file is lost but what the findings of its orders say."""
        return not any(one.refuses_file and one.place.file == self.names[role] for one in self.findings)

    def orders(self) -> list[ReadOrder]:
        """Tie what was taken: the orders in the order of their file, then those of which there are lines only."""
        heads, lines = self.format.roles
        for row in self.rows.get(heads, ()):
            self.begin(row).row = row
        for row in self.rows.get(lines, ()):
            self.give(row)
        for fault in (*self.faults.get(heads, ()), *self.faults.get(lines, ())):
            self.settle(fault)
        for entries in self.entries.values():
            self.tell_apart(entries)
        entries = sorted((one for some in self.entries.values() for one in some), key=lambda one: one.place)
        lines_are_whole = lines in self.rows and self.is_whole(lines)
        for entry in entries:
            self.count(entry, lines_are_whole)
        if heads in self.rows and self.is_whole(heads):
            entries += [self.orphan(tie, rows[0]) for tie, rows in self.astray.items()]
        orders, told = [], len(self.findings)
        for entry in entries:
            orders.append(self.build(entry))
            told += len(orders[-1].findings)
            self.desk.within(orders=len(orders), findings=told, such_as=orders[-1].findings)
        return orders

    # --- rows

    def place(self, at: Row | Fault) -> Place:
        return Place(self.names[at.part], at.line, at.record)

    def begin(self, at: Row | Fault) -> _Entry:
        """A new order, of which this is the row. The same order twice has the same lines: validation compares them."""
        texts = {str(c.field.path): at.cells[c.index].removeprefix(c.field.prefix or "") for c in self.identity}
        number = self.own.column("order_number")
        name = order_name(at.cells[number.index if number else self.identity[0].index], at.record)
        entry = _Entry(tuple(texts.items()), name, self.place(at))
        tie = tuple(at.cells[own.index] for own, _ in self.ties)
        known = self.entries.setdefault(tie, [])
        entry.lines = known[0].lines if known else self.astray.pop(tie, [])
        known.append(entry)
        self.begun += 1
        self.desk.within(orders=self.begun)
        return entry

    def give(self, row: Row) -> None:
        """Give a line to the order that it names."""
        tie = tuple(row.cells[column.index] for _, column in self.ties)
        entries = self.entries.get(tie, ())
        if not entries:
            self.astray.setdefault(tie, []).append(row)
            return
        lines, own_row = entries[0].lines, entries[0].row
        assert own_row is not None  # damaged rows come after all lines
        differing = [
            column.field.name for own, column in self.repeated if row.cells[column.index] != own_row.cells[own.index]
        ]
        if differing:
            self.poison(
                entries, "order-fields-differ", row, field=", ".join(differing), found="another value",
                expected=f"the same as in line {own_row.line} of the {self.format.roles[0]} file",
            )  # fmt: skip
        apart = self.format.row_order.adjacent and lines and lines[-1].record != row.record - 1
        if apart:
            found, expected = "rows of another order in between", "all rows of the order together"
            self.poison(entries, "rows-apart", row, found=found, expected=expected)
        lines.append(row)

    # --- what is wrong with them

    def settle(self, fault: Fault) -> None:
        """Tie a damaged row to its order. Other rows must know the order too, else it is half a row, and nobody's."""
        is_order = fault.part == self.format.roles[0]
        needed = [own.index if is_order else column.index for own, column in self.ties]
        if is_order:
            needed += [column.index for column in self.identity]
        # The last cell of a row that was cut may be cut itself.
        whole = len(fault.cells) - (fault.code == "file-cut")
        tie = tuple(fault.cells[index] for index in needed[: len(self.ties)]) if whole > max(needed) else ()
        if is_order and tie in self.astray:
            self.begin(fault)
        if tie in self.entries:
            self.poison(
                self.entries[tie], fault.code, fault, field=fault.field, found=fault.found, expected=fault.expected
            )
        else:
            self.refuse(fault)

    def refuse(self, fault: Fault) -> None:
        place = self.place(fault)
        self.findings.append(Finding(fault.code, place, field=fault.field, found=fault.found, expected=fault.expected))
        self.desk.within(findings=len(self.findings), such_as=self.findings)

    def poison(self, entries: Sequence[_Entry], code: str, at: Row | Fault, **words: Any) -> None:
        for entry in entries:
            entry.poison(Finding(code, self.place(at), order=entry.name, **words))

    def tell_apart(self, entries: Sequence[_Entry]) -> None:
        """Different orders under one name: whose the lines are cannot be known."""
        if len({entry.identity for entry in entries}) > 1:
            columns = ", ".join(own.field.name for own, _ in self.ties)
            for entry in entries:
                found, expected = f"{len(entries)} orders with the same {columns}", "another one for each order"
                entry.poison(Finding("line-orphan", entry.place, order=entry.name, found=found, expected=expected))

    def count(self, entry: _Entry, lines_are_whole: bool) -> None:
        """An order without any line; and one that lacks lines because their file is damaged, which is said already."""
        declared = self.own.column("order_lines")
        count = entry.row.cells[declared.index] if declared and entry.row else None
        if entry.poisoned or (entry.lines and (lines_are_whole or count == str(len(entry.lines)))):
            return
        found, expected = f"no line in {self.names[self.format.roles[1]]}", count or "at least one"
        field = declared.field.name if declared else None
        finding = Finding("line-count", entry.place, order=entry.name, field=field, found=found, expected=expected)
        entry.poison(*([finding] if lines_are_whole else []))

    def orphan(self, tie: _Tie, row: Row) -> _Entry:
        """The order that lines name and its own file does not have."""
        texts = {str(own.field.path): text.removeprefix(own.field.prefix or "") for (own, _), text in
                 zip(self.ties, tie, strict=True)}  # fmt: skip
        number = texts.get("order_number", tie[0])
        entry = _Entry(tuple(texts.items()), order_name(number, row.record), self.place(row))
        expected = f"its order in {self.names[self.format.roles[0]]}"
        self.poison([entry], "line-orphan", row, found="a line without its order", expected=expected)
        return entry

    def build(self, entry: _Entry) -> ReadOrder:
        assembly = Assembly(self.desk, entry.name, entry.place, entry.identity, poisoned=entry.poisoned)
        assembly.findings += entry.findings
        if entry.poisoned or entry.row is None:
            return assembly.finish()
        assembly.take(self.own.own_columns, entry.row.cells, entry.place)
        for row in entry.lines:
            place = self.place(row)
            assembly.start_line(place)
            assembly.take(self.line.line_columns, row.cells, place)
            assembly.take(self.line.fixed_columns, row.cells, place)
        return assembly.finish()
