"""Mapping: crosswalk tables from the shop's names to the warehouse's. It runs once, in export, before the format.

A table is a CSV file in UTF-8 with a header: ``from,to`` for SKUs; ``from,to,carrier`` for shipping services (a blank
carrier says none); ``from,to,factor_num,factor_den`` for units of measure, where one unit ``from`` is ``factor_num /
factor_den`` units ``to``. Any table may also have ``status`` (``active``, ``retired`` or ``blocked``: only active rows
map) and ``note``. Identifiers are text and compared to the letter. A table that is there needs a row for everything;
where there is no table, names stay as they are. Nothing is rounded.
"""

from __future__ import annotations

import csv
import difflib
import hashlib
import io
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from fallback.errors import FallbackError
from fallback.findings import Finding, quote
from fallback.records.judge import problems_of
from fallback.records.order import Line, Order
from fallback.records.values import Sku, Text, Uom

STATUSES = ("active", "retired", "blocked")


@dataclass(frozen=True, slots=True)
class Row:
    """What one name becomes. ``num`` and ``den`` are the ratio of units, 1 and 1 where none is meant."""

    to: str
    line: int
    carrier: str | None = None
    num: int = 1
    den: int = 1
    status: str = "active"


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """One crosswalk: its rows by ``from``, the name of its file, and the SHA-256 of its bytes."""

    file: str
    rows: dict[str, Row]
    sha256: str

    def row(self, name: str) -> Row | None:
        """The row that maps a name, if there is an active one."""
        row = self.rows.get(name)
        return row if row is not None and row.status == "active" else None


@dataclass(frozen=True, slots=True)
class Mapping:
    """The crosswalks of an agreement; ``None`` where it has none for that axis."""

    sku: Table | None = None
    service: Table | None = None
    uom: Table | None = None

    @property
    def sha256(self) -> str:
        """SHA-256 over the tables' own, 64 hexadecimal digits: two sides with the same one map alike."""
        tables = {"sku": self.sku, "service": self.service, "uom": self.uom}
        content = {name: table.sha256 for name, table in tables.items() if table is not None}
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()

    def apply(self, order: Order) -> Order | list[Finding]:
        """The order in the warehouse's names, or everything that has no row. The order goes whole or not at all."""
        findings: list[Finding] = []
        lines: list[Line] = []
        for line in order.lines:
            mapped = self._line(order, line)
            lines += [mapped] if isinstance(mapped, Line) else []
            findings += mapped if isinstance(mapped, list) else []
        update: dict[str, Any] = {"lines": tuple(lines)}
        if self.service is not None:
            row = self.service.row(order.service)
            if row is None:
                findings.append(_unmapped("service-unmapped", self.service, order.service, order))
            else:
                update |= {"service": row.to, "carrier": row.carrier or order.carrier}
        return findings or order.model_copy(update=update)

    def _line(self, order: Order, line: Line) -> Line | list[Finding]:
        findings: list[Finding] = []
        update: dict[str, Any] = {}
        if self.sku is not None:
            row = self.sku.row(line.sku)
            if row is None:
                findings.append(_unmapped("sku-unmapped", self.sku, line.sku, order, line))
            else:
                update["sku"] = row.to
        if self.uom is not None:
            row = self.uom.row(line.uom)
            converted = (
                [_unmapped("uom-unmapped", self.uom, line.uom, order, line)]
                if row is None
                else _converted(row, order, line)
            )
            if isinstance(converted, dict):
                update |= converted
            else:
                findings += converted
        return findings or line.model_copy(update=update)


def _unmapped(code: str, table: Table, name: str, order: Order, line: Line | None = None) -> Finding:
    row = table.rows.get(name)
    if row is not None:
        hint = f"line {row.line} of {table.file} has it as {row.status}: its owner decides whether it may ship"
    elif near := _nearest(table, name):
        hint = f"nearest is {quote(near)}; add a row to {table.file} or correct the order"
    else:
        hint = f"add a row to {table.file}; its owner is named in the agreement"
    return Finding(
        code,
        order=order.order_number,
        order_line=line.line_number if line is not None else None,
        path=code.removesuffix("-unmapped") if line is None else f"lines.{code.removesuffix('-unmapped')}",
        found=quote(name),
        expected=f"a row of {table.file}",
        hint=hint,
    )


@lru_cache(maxsize=4096)
def _nearest(table: Table, name: str) -> str | None:
    return next(iter(difflib.get_close_matches(name, table.rows, n=1, cutoff=0.7)), None)


def _converted(row: Row, order: Order, line: Line) -> dict[str, Any] | list[Finding]:
    """Quantity, unit and price of a line in the warehouse's unit; what is not whole is refused."""
    units, rest = divmod(line.quantity * row.num, row.den)
    price = _price(line.unit_price, row)
    ratio = f"{row.den:,} {line.uom} being {row.num:,} {row.to}"
    found = f"{line.quantity:,} {line.uom}"
    if rest:
        fault = ("uom-fraction", "lines.quantity", found, f"a whole number of {row.to}, {ratio}")
    elif not 1 <= units <= 999_999:
        fault = ("number-out-of-range", "lines.quantity", found, f"between 1 and 999,999 {row.to}, {ratio}")
    elif price is _INEXACT:
        fault = ("uom-fraction", "lines.unit_price", str(line.unit_price), f"a price that can be divided, {ratio}")
    else:
        return {"uom": row.to, "quantity": units, "unit_price": price}
    code, path, found, expected = fault
    number = order.order_number
    return [Finding(code, order=number, order_line=line.line_number, path=path, found=found, expected=expected)]


_INEXACT = Decimal(-1)


def _price(price: Decimal | None, row: Row) -> Decimal | None:
    """The price of one unit ``to``; ``_INEXACT`` where six decimals cannot say it."""
    if price is None or row.num == row.den:
        return price
    millionths, rest = divmod(int(price.scaleb(6)) * row.den, row.num)
    if rest or millionths >= 10**18:
        return _INEXACT
    exact = Decimal(millionths).scaleb(-6)
    # As many decimals as the shop's price has, unless the new one needs more.
    digits = max(_decimals(price), _decimals(exact.normalize()))
    return exact.quantize(Decimal(1).scaleb(-digits))


def _decimals(value: Decimal) -> int:
    exponent = value.as_tuple().exponent
    return max(0, -exponent) if isinstance(exponent, int) else 0


# --- reading tables -----------------------------------------------------------------------------------------------

_COLUMNS: dict[str, tuple[str, ...]] = {
    "sku": ("from", "to"),
    "service": ("from", "to", "carrier"),
    "uom": ("from", "to", "factor_num", "factor_den"),
}
_OPTIONAL = ("status", "note")
_SHOWN = 20


def load_mapping(*, sku: Path | None = None, service: Path | None = None, uom: Path | None = None) -> Mapping:
    """The crosswalks from their files. Raises FallbackError ``map-invalid`` with every wrong line of every table, or
    ``file-unreadable``."""
    faults: list[str] = []
    tables: dict[str, Table] = {}
    for axis, path in (("sku", sku), ("service", service), ("uom", uom)):
        if path is not None:
            table = _read(axis, path)
            if isinstance(table, Table):
                tables[axis] = table
            else:
                faults += table
    if faults:
        more = f"\n  and {len(faults) - _SHOWN:,} more" if len(faults) > _SHOWN else ""
        places = "".join(f"\n  {fault}" for fault in faults[:_SHOWN])
        raise FallbackError(
            "map-invalid",
            f"the mapping is wrong at {len(faults):,} place(s):{places}{more}",
            hint="correct the lines named; save as CSV in UTF-8, separated by commas",
        )
    return Mapping(**tables)


def _read(axis: str, path: Path) -> Table | list[str]:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise FallbackError("file-unreadable", f"{path}: {error.strerror or 'cannot be read'}") from None
    if data.startswith(b"\xef\xbb\xbf"):
        return [f"{path.name}:1: begins with a byte order mark: a spreadsheet has saved it, zeros may be lost"]
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        return [f"{path.name}:{line}: is not UTF-8"]
    rows: dict[str, Row] = {}
    faults: list[str] = []
    for line, item in _rows(axis, text):
        if isinstance(item, str):
            faults.append(f"{path.name}:{line}: {item}")
        elif (first := rows.get(item["from"])) is not None:
            faults.append(f"{path.name}:{line}: {quote(item['from'])} stands in line {first.line} already")
        else:
            row = _row(axis, line, item)
            if isinstance(row, Row):
                rows[item["from"]] = row
            else:
                faults += [f"{path.name}:{line}: {fault}" for fault in row]
    return faults or Table(path.name, rows, hashlib.sha256(data).hexdigest())


def _rows(axis: str, text: str) -> Iterator[tuple[int, dict[str, str] | str]]:
    """Line number and cells by column of each row, or what is wrong with the row."""
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    line = 1
    header: list[str] | None = None
    try:
        for cells in reader:
            if header is None:
                header = cells
                if fault := _header_fault(axis, header):
                    yield line, fault
                    return
            elif cells and len(cells) != len(header):
                yield line, f"has {len(cells)} cells, the header has {len(header)}"
            elif cells:
                yield line, dict(zip(header, cells, strict=True))
            line = reader.line_num + 1
    except csv.Error:
        yield line, "a quotation mark is opened and never closed, or stands inside a cell; or a cell is far too long"
    if header is None:
        yield 1, f"is empty, the header {','.join(_COLUMNS[axis])} is needed"


def _header_fault(axis: str, header: list[str]) -> str | None:
    needed = _COLUMNS[axis]
    if len(header) == 1 and (other := re.search(r"[;\t|]", header[0])):
        word = {";": "semicolons", "\t": "tabs", "|": "bars"}[other.group()]
        return f"is separated by {word}, not by commas"
    if missing := [name for name in needed if name not in header]:
        return f"the header has no column {', '.join(missing)}"
    if unknown := [name for name in header if name not in (*needed, *_OPTIONAL)]:
        return f"the header has an unknown column {quote(unknown[0])}"
    if len(set(header)) < len(header):
        return "the header names a column twice"
    return None


@lru_cache(maxsize=3)
def _type(axis: str) -> TypeAdapter[str]:
    return TypeAdapter({"sku": Sku, "service": Text, "uom": Uom}[axis])


def _row(axis: str, line: int, cells: dict[str, str]) -> Row | list[str]:
    """One row, or everything wrong with it."""
    faults = [fault for name in ("from", "to") if (fault := _name_fault(_type(axis), name, cells[name]))]
    if cells.get("carrier") and (fault := _name_fault(_type("service"), "carrier", cells["carrier"])):
        faults.append(fault)
    factors = [cells.get(name, "1") for name in ("factor_num", "factor_den")]
    for name, factor in zip(("factor_num", "factor_den"), factors, strict=True):
        if not re.fullmatch(r"[1-9][0-9]{0,5}", factor):
            faults.append(f"{name} is {quote(factor)}, a whole number between 1 and 999,999 is needed")
    status = cells.get("status", "active")
    if status not in STATUSES:
        faults.append(f"status is {quote(status)}, one of {', '.join(STATUSES)} is needed")
    if faults:
        return faults
    return Row(cells["to"], line, cells.get("carrier") or None, int(factors[0]), int(factors[1]), status)


def _name_fault(kind: TypeAdapter[str], name: str, value: str) -> str | None:
    if not value:
        return f"{name} is blank"
    try:
        kind.validate_python(value)
    except ValidationError as error:
        problem = problems_of(error)[0]
        expected = "one to three capitals or digits, such as EA" if kind is _type("uom") else problem.expected
        return f"{name} is {quote(value)}, needed: {expected}"
    return None
