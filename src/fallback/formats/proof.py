"""The proof that a sound format works: what it writes reads back as it was; and what it cannot prove, in words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from fallback.formats.defaults import as_carried
from fallback.formats.read import read
from fallback.formats.samples import sample_codes
from fallback.formats.spec import Format
from fallback.formats.write import write
from fallback.records.order import Order


@dataclass(frozen=True, slots=True)
class Proof:
    """How many orders were written, how many of them fit, whether those read back as they were (``holds``), and why the
    others do not fit: how many findings of each code, by canonical path."""

    tried: int
    fitting: int
    holds: bool
    refused: tuple[tuple[str, str, int], ...]


def prove(fmt: Format, orders: Sequence[Order]) -> Proof:
    """Write the orders in files of this format and read them back. A format that is only read is not written."""
    if fmt.direction == "read":
        return Proof(0, 0, holds=True, refused=())
    codes = sample_codes(fmt)
    step = fmt.max_orders or 50
    fitting, holds, refused = 0, True, Counter[tuple[str, str]]()
    for begin in range(0, len(orders), step):
        written = write(fmt, orders[begin : begin + step], codes=codes, key=lambda order: order.order_id)
        fitting += len(written.orders)
        refused.update((one.code, one.path or "") for one in written.findings)
        if written.orders:
            brand = {"brand": written.orders[0].brand}
            content = read(fmt, written.parts, name=fmt.name, codes=codes, defaults=brand)
            holds &= not any(finding.is_error for finding in content.findings)
            holds &= [one.order for one in content.orders] == [as_carried(order, fmt) for order in written.orders]
    return Proof(len(orders), fitting, holds, tuple((*what, times) for what, times in sorted(refused.items())))


def cautions(fmt: Format) -> Iterator[str]:
    """What both sides should know of a sound format: each is a risk that another kind of file would not have."""
    if fmt.uncounted:
        yield f"no row says how many lines an order has: a lost row is noticed by the manifest only ({fmt.uncounted})"
    closing = any(row.trailer for row in fmt.rows)
    counted = {"json": fmt.json_terms.count, "xml": fmt.xml.count, "x12": True}.get(fmt.kind)
    if not (closing or counted or fmt.max_orders == 1):
        yield "no closing row or count of orders: whole orders can be lost from a file that comes without its manifest"
    if fmt.status == "unverified":
        yield "unverified: nobody could try it against the partner's system"
    if fmt.direction == "read":
        yield "it is only read: no file of ours proves what it means"
