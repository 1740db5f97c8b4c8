"""Orders that stand apart in a file, each an object or a tree: whole or broken by itself."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from fallback.findings import CATALOGUE, Finding, Place
from fallback.formats.assemble import Desk, ReadOrder, order_name
from fallback.formats.kinds.rows import Fault, Row

Identity = tuple[tuple[str, str], ...]


def read_each(
    items: Iterable[Row | Fault],
    desk: Desk,
    order_of: Callable[[Any, Place, Desk], ReadOrder],
    identity_of: Callable[[Any, Desk], Identity],
    number_of: Callable[[Any, Desk], str],
) -> tuple[list[ReadOrder], list[Finding], int]:
    """The orders, the findings about the file, and the number of objects.

    ``order_of`` makes one order; of a broken one, which takes nothing of its neighbours with it, the two others tell as
    much as there is.
    """
    orders: list[ReadOrder] = []
    findings: list[Finding] = []
    records, told = 0, 0
    for item in items:
        records = max(records, item.record)
        place = Place(desk.file, item.line, item.record)
        if isinstance(item, Row):
            orders.append(order_of(item.cells, place, desk))
        elif CATALOGUE[item.code].about == "order" and item.record:
            name = order_name(number_of(item.cells, desk), place.record)
            finding = Finding(item.code, place, order=name, field=item.field, found=item.found, expected=item.expected)
            identity = identity_of(item.cells, desk)
            orders.append(ReadOrder(None, name, place, (), None, (finding,), identity=identity))
        else:
            findings.append(Finding(item.code, place, field=item.field, found=item.found, expected=item.expected))
        told += len(orders[-1].findings) if orders and orders[-1].place == place else 0
        desk.within(
            orders=len(orders), findings=told + len(findings), such_as=orders[-1].findings if orders else findings
        )
    return orders, findings, records
