"""Canonical: our own orders, as ``Order.model_dump_json()`` writes them, one a line or in a list.

Strict: unknown keys, another brand, or the same order twice with different content are refused. Whether an order is to
ship was decided where it was made; only the agreement's excluded services are left out here.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, datetime
from typing import Any

from fallback.findings import Finding, Place, quote
from fallback.platforms.base import (
    Eligibility,
    Excluded,
    Outcome,
    Source,
    findings_of,
    instant,
    kind_of,
    money,
    pointer,
)
from fallback.records.judge import judge
from fallback.records.order import Order

NAME = "canonical"
_MARKS = {"platform", "order_id", "ship_to", "lines"}
_INSTANTS = ("ordered_at", "ship_not_before", "ship_by", "cancel_after")


def recognises(payload: Any) -> bool:
    """Whether parsed JSON is an order of ours, or a list that has one."""
    items = payload if isinstance(payload, list) else [payload]
    return any(isinstance(item, dict) and item.keys() >= _MARKS for item in items)


def orders(
    sources: Sequence[Source],
    *,
    brand: str,
    eligibility: Eligibility,
    now: datetime,  # noqa: ARG001  # part of the family's verb; nothing here depends on the hour
    show_values: bool = False,
) -> Iterator[Outcome]:
    """Each order of all payloads, as ``base.Platform`` says. Pure, and raises nothing."""
    read = [_one(item, place, show_values) for source in sources for item, place in _entries(source)]
    copies: dict[tuple[str, ...], set[str]] = {}
    for result in read:
        if isinstance(result, Order):
            copies.setdefault(_names(result), set()).add(result.model_dump_json())
    given: set[tuple[str, ...]] = set()
    for result in read:
        if isinstance(result, list):
            yield from result
            continue
        names = _names(result)
        if names in given:
            continue
        given.add(names)
        number = result.order_number
        if result.brand != brand:
            yield Finding("brand-wrong", order=number, found=quote(result.brand), expected=quote(brand))
            yield _excluded("refused-here", result)
        elif len(copies[names]) > 1:
            yield Finding("payload-doubled", order=number, found=f"{len(copies[names])} versions of one order")
            yield _excluded("refused-here", result)
        elif result.service in eligibility.services_excluded:
            yield _excluded("service-excluded", result)
        else:
            yield result


def _entries(source: Source) -> Iterator[tuple[Any, Place]]:
    if isinstance(source.payload, list):
        for index, item in enumerate(source.payload):
            yield item, Place(source.file, record=index + 1, pointer=f"$[{index}]")
    else:
        yield source.payload, Place(source.file, record=1, pointer="$")


def _names(order: Order) -> tuple[str, ...]:
    return order.brand, order.platform, order.order_id, order.group


def _excluded(code: str, order: Order) -> Excluded:
    return Excluded(code, order.platform, order.order_id, order.order_number, order.group)


def _one(item: Any, place: Place, show_values: bool) -> Order | list[Outcome]:
    """One object as an Order, or what is wrong with it."""
    if not isinstance(item, dict):
        return [Finding("payload-invalid", place, found=kind_of(item), expected="an order")]
    judged = judge(_python(item))
    if isinstance(judged, Order):
        return judged
    number = item.get("order_number")
    outcomes: list[Outcome] = list(
        findings_of(
            judged,
            lambda loc: Place(place.file, record=place.record, pointer=place.pointer + pointer(loc)),
            order=number if isinstance(number, str) else None,
            show_values=show_values,
        )
    )
    wrong = {problem.loc for problem in judged}
    if not any((name,) in wrong for name in ("platform", "order_id", "order_number", "group")):
        names = (item["platform"], item["order_id"], item["order_number"], item.get("group", "0"))
        outcomes.append(Excluded("refused-here", *names))
    return outcomes


def _python(item: dict[str, Any]) -> dict[str, Any]:
    """The values of one JSON object as Python's own: instants, days and amounts stand in it as text."""
    data = {name: instant(value) if name in _INSTANTS else value for name, value in item.items()}
    if isinstance(data.get("lines"), list):
        data["lines"] = [_line(line) if isinstance(line, dict) else line for line in data["lines"]]
    return data


def _line(line: dict[str, Any]) -> dict[str, Any]:
    data = dict(line)
    if "unit_price" in data:
        data["unit_price"] = money(data["unit_price"])
    if isinstance(data.get("expires_after"), str):
        data["expires_after"] = _day(data["expires_after"])
    return data


def _day(value: str) -> Any:
    try:
        return date.fromisoformat(value) if len(value) == 10 else value
    except ValueError:
        return value
