"""The two sides that ``fallback formats parity`` compares: what each is, its orders, and what of it is not compared."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fallback.errors import FallbackError
from fallback.formats.library import load_format
from fallback.formats.parity import Difference, Parity
from fallback.formats.read import read
from fallback.formats.spec import Format
from fallback.platforms.base import Eligibility
from fallback.platforms.population import read_orders
from fallback.records.order import Order
from fallback.render.words import count
from fallback.validation.parts import open_parts

if TYPE_CHECKING:
    from fallback.agreement import Agreement

_TOLD = 100
"""How many differences are listed; the rest is counted."""


@dataclass(frozen=True, slots=True)
class Side:
    """One source. ``unread`` orders are there and could not be read, ``left_out`` ones do not ship, by code."""

    name: str
    source: str
    format: Format | None
    orders: Sequence[Order]
    unread: int
    codes: tuple[str, ...]
    left_out: dict[str, int]

    def told(self) -> dict[str, Any]:
        """The side as it stands in ``fallback.parity/1``."""
        numbers = {"orders": len(self.orders), "unread": self.unread, "left_out": self.left_out}
        return {"name": self.name, "source": self.source, **numbers}

    def text(self) -> str:
        words = f"{count(len(self.orders), 'order')} in {self.name} ({self.source})"
        if self.left_out:
            words += f"; left out: {', '.join(f'{times} {code}' for code, times in sorted(self.left_out.items()))}"
        if self.unread:
            words += f"; not readable: {self.unread:,} ({', '.join(self.codes)})"
        return words


def side_of(path: Path, formats: Sequence[Format], brand: str, terms: Agreement | None, now: datetime) -> Side:
    """The orders of one source: a file of one of the formats, else canonical orders or a platform's payload.

    Raises FallbackError ``payload-unreadable`` or ``file-unreadable`` where it is neither.
    """
    refused: list[str] = []
    for fmt in (*formats, load_format("order-jsonl")):
        side = _of_file(path, fmt, terms.brand if terms else brand, terms)
        if isinstance(side, Side):
            return side
        if fmt in formats:
            refused.append(f"{fmt.name} ({side})")
    try:
        return _of_payload(path, brand, terms, now)
    except FallbackError as error:
        if error.code != "payload-unreadable" or not refused:
            raise
        raise FallbackError(
            "payload-unreadable",
            f"{path.name} is no payload, and no whole file of {' or of '.join(refused)}",
            hint="--format names the format of the file; `fallback validate` says what is wrong with it",
        ) from None


def _of_file(path: Path, fmt: Format, brand: str, terms: Agreement | None) -> Side | str:
    """The orders of a file, or the codes by which it is no file of the format."""
    parts = open_parts(path, fmt)
    codes = terms.codes if terms else None
    content = read(fmt, parts.data, name=parts.names, codes=codes, defaults={"brand": brand})
    found = [finding.code for one in content.orders for finding in one.findings if finding.is_error]
    whole = [finding.code for finding in content.findings if finding.refuses_file]
    orders = [one.order for one in content.orders if one.order is not None]
    if whole or not orders:
        return ", ".join(dict.fromkeys(whole + found))
    unread = len(content.orders) - len(orders)
    return Side(path.name, fmt.name, fmt, orders, unread, tuple(dict.fromkeys(found)), {})


def _of_payload(path: Path, brand: str, terms: Agreement | None, now: datetime) -> Side:
    eligibility = terms.eligibility if terms else Eligibility()
    found = read_orders([path], brand=terms.brand if terms else brand, eligibility=eligibility, now=now)
    codes = [finding.code for finding in found.findings if finding.is_error]
    orders, unread = list(found.orders), found.unread
    if terms is not None and found.platform != "canonical":  # canonical orders are mapped already
        from fallback.brand.outgoing import crosswalk

        table = crosswalk(terms)
        mapped = [table.apply(order) for order in found.orders]
        orders = [one for one in mapped if isinstance(one, Order)]
        codes += [finding.code for one in mapped if not isinstance(one, Order) for finding in one]
        unread += len(mapped) - len(orders)
    left_out = Counter(one.code for one in found.excluded if one.code != "refused-here")
    source = "canonical" if found.platform == "canonical" else f"{found.platform} payload"
    return Side(path.name, source, None, orders, unread, tuple(dict.fromkeys(codes)), dict(left_out))


def parity_text(found: Parity, left: Side, right: Side) -> str:
    """What two sources agree on, in words; differences first, what is dropped by agreement counted by path."""
    return "\n".join(_lines(found, left, right)) + "\n"


def _lines(found: Parity, left: Side, right: Side) -> Iterator[str]:
    yield left.text()
    yield right.text()
    shown = [one for one in found.differences if one.verdict != "dropped"]
    for one in shown[:_TOLD]:
        yield _difference(one, left.name, right.name)
    if len(shown) > _TOLD:
        yield f"and {count(len(shown) - _TOLD, 'difference')} more; --json lists all"
    dropped = Counter(one.path for one in found.differences if one.verdict == "dropped")
    for path, times in sorted(dropped.items()):
        yield f"dropped by agreement: {path}, {count(times, 'time')}"
    yield f"{'equal' if found.same and not left.unread + right.unread else 'not equal'}: {_sum(found)}"


def _sum(found: Parity) -> str:
    both = found.left + sum(one.verdict == "only-right" and not one.path for one in found.differences)
    return f"{found.equal:,} of {count(both, 'order')}"


def _difference(one: Difference, left: str, right: str) -> str:
    line = f" of line {one.line}" if one.line else ""
    if one.verdict == "different":
        return f"different: {one.key}: {one.path}{line}: {one.left} and {one.right}"
    where = left if one.verdict == "only-left" else right
    return f"only in {where}: {one.key}" + (f": line {one.line}" if one.line else "")
