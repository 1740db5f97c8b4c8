"""What the tests of the kinds share: files of sample orders, and what is said of a damaged one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from functools import cache
from typing import Any

from fallback.findings import Finding
from fallback.formats.defaults import as_carried
from fallback.formats.library import load_format
from fallback.formats.read import ReadFile, read
from fallback.formats.samples import fitting
from fallback.formats.spec import Format
from fallback.formats.write import write
from fallback.records.order import Order

AT = datetime(2026, 11, 23, 14, tzinfo=UTC)
CODES = {"client": "0042", "business_unit": "B1"}


@cache
def orders(name: str, count: int = 6) -> tuple[Order, ...]:
    """Sample orders of a shipped format, as its files give them back."""
    fmt = load_format(name)
    found = fitting(fmt, fmt.max_orders or count, codes=CODES, key=lambda order: order.order_id, at=AT)
    return tuple(as_carried(order, fmt) for order in found)


@cache
def golden(name: str, count: int = 6) -> bytes:
    """The bytes of a file with these orders."""
    made = write(load_format(name), orders(name, count), codes=CODES, at=AT)
    assert not made.findings
    return made.data


def changed(fmt: Format, **changes: Any) -> Format:
    """The format with other settings."""
    return Format.model_validate(fmt.model_dump(by_alias=True) | changes)


def look(fmt: Format, data: bytes) -> ReadFile:
    return read(fmt, data, name="file", codes=CODES, defaults={"brand": "acme"})


def findings(content: ReadFile) -> list[Finding]:
    return [*content.findings, *(finding for order in content.orders for finding in order.findings)]


def codes(content: ReadFile) -> list[str]:
    """The codes of all findings but warnings, each once."""
    return list(dict.fromkeys(finding.code for finding in findings(content) if finding.is_error))


def accepted(content: ReadFile) -> list[Order]:
    """The orders that may be loaded: none where the file as a whole is refused."""
    if any(finding.refuses_file for finding in findings(content)):
        return []
    return [one.order for one in content.orders if one.order is not None]


def differing(found: Iterable[Order], originals: Mapping[str, Order]) -> set[str]:
    """The names of fields in which accepted orders differ from those that were written."""
    names: set[str] = set()
    for order in found:
        nearest = min((_differing(order, one) for one in originals.values()), key=len)
        names |= nearest
    return names


def _differing(one: Order, other: Order) -> set[str]:
    if len(one.lines) != len(other.lines):
        return {"another number of lines", *Order.model_fields}
    names = {name for name in Order.model_fields if name != "lines" and getattr(one, name) != getattr(other, name)}
    for line, own in zip(one.lines, other.lines, strict=True):
        names |= {f"lines.{n}" for n in type(line).model_fields if getattr(line, n) != getattr(own, n)}
    return names


def short(value: object) -> str | None:
    """The name of a parameter of a test: a file has none of its own."""
    return "bytes" if isinstance(value, bytes) else None
