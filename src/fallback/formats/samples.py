"""Sample orders that a format takes: its own forms of numbers and services, less what it refuses."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime

from fallback.formats.check import cell_problem
from fallback.formats.defaults import as_carried
from fallback.formats.spec import Format
from fallback.formats.write import write
from fallback.records.order import Order
from fallback.records.sample import sample_orders

_TRIES = 20  # times as many orders are looked at as are wanted: a partner may refuse most of them


def samples(fmt: Format, count: int, *, at: datetime, seed: int = 1, brand: str = "acme") -> list[Order]:
    """Sample orders as a file of this format gives them back. Some may be refused when they are written.

    A service that the format allows stands for the agreed one, and S- for the sign before a number that it forbids.
    """
    fields = {field.path: field for field in fmt.all_fields}
    number, service = fields.get("order_number"), fields.get("service")
    allowed = service.allowed if service is not None else ()
    marker = "S-" if number is not None and cell_problem(number, "#1001") is not None else ""
    made = sample_orders(count, seed=seed, at=at, brand=brand, marker=marker, service=(*allowed, "STD")[0])
    return [as_carried(order, fmt) for order in made]


def sample_codes(fmt: Format) -> dict[str, str]:
    """A value for each code that the fields hold of an agreement."""
    return {field.code: (*field.allowed, "X")[0] for field in fmt.all_fields if field.code}


def fitting(
    fmt: Format,
    count: int,
    *,
    codes: Mapping[str, str],
    key: Callable[[Order], str],
    at: datetime,
    seed: int = 1,
    brand: str = "acme",
) -> list[Order]:
    """As many sample orders as are wanted, of those that the format takes; fewer where it refuses nearly all."""
    step = fmt.max_orders or count * _TRIES
    wanted: list[Order] = []
    looked = count
    while True:
        made = samples(fmt, looked, at=at, seed=seed, brand=brand)
        parts = (made[begin : begin + step] for begin in range(0, looked, step))
        wanted = [order for part in parts for order in write(fmt, part, codes=codes, key=key).orders][:count]
        if len(wanted) == count or looked >= count * _TRIES:
            return wanted
        looked *= 2
