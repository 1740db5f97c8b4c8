"""Shopify: orders and fulfilment orders of the Admin REST API, as the API, its webhooks and export scripts write them.

The unit of work is the fulfilment order where the payload has any for an order, else the order itself (group ``0``).
Asked in this order: cancelled, test-order, already-fulfilled, closed (archived), the payment, the fulfilment order's
own state, then line by line. What the platform leaves open is decided on the side of not shipping twice:

* A payment state that the payload does not say is a finding, never "paid". ``partially_paid`` does not ship.
* How quantities are found stands in ``shopify_lines``.
* A fulfilment order that its service has accepted, or that is in progress, is at the warehouse already.
* Where ``[eligibility] locations`` is set, a payload that does not say who ships a line gives a finding.
* Fulfilment orders that ask for more units than the order line has, whose SKU is not the order line's, or whose
  destination is not the order's ship-to, are refused.

The note, note attributes, the incoterm and a merchant's request to the service become instructions; an attribute named
like a gift message becomes the gift message. An attribute or line property with a blank value says nothing and is left
out. Tags, taxes and discounts are the shop's own and do not travel. Ids, SKUs and order numbers are never changed;
other text loses white space at its ends, and line breaks where one line is meant, and is composed (NFC).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from fallback.findings import Finding, Place, quote
from fallback.platforms.base import Eligibility, Node, Outcome, Source, instant, kind_of, line_text
from fallback.platforms.shopify_case import Case, Desk, case_of, id_shown, key_of, word
from fallback.platforms.shopify_lines import (
    has_rest,
    picked_from_order,
    picked_from_part,
    refuse_surplus,
)
from fallback.platforms.shopify_record import record

_SINGLE = {"order": "order", "fulfillment_order": "part"}
_MANY = {"orders": "order", "fulfillment_orders": "part"}
_EXPECTED = "orders or fulfilment orders of Shopify"


def recognises(payload: Any) -> bool:
    """Whether parsed JSON holds Shopify's orders or fulfilment orders."""
    if isinstance(payload, list):
        return any(_is_order(item) or _is_part(item) for item in payload)
    if not isinstance(payload, dict):
        return False
    if _is_order(payload) or _is_part(payload):
        return True
    tests = {"order": _is_order, "part": _is_part}
    if any(tests[kind](payload.get(name)) for name, kind in _SINGLE.items()):
        return True
    many = ((payload.get(name), tests[kind]) for name, kind in _MANY.items())
    return any(isinstance(items, list) and (not items or any(map(test, items))) for items, test in many)


def orders(
    sources: Sequence[Source], *, brand: str, eligibility: Eligibility, now: datetime, show_values: bool = False
) -> Iterator[Outcome]:
    """Each order or fulfilment order of all payloads together, as ``base.Platform`` says.

    Pure, and raises nothing. A warning (``line-elsewhere``) may come before the Order that it is about.
    """
    desk = Desk(brand, eligibility, now, show_values)
    sales: list[Node] = []
    parts: dict[str | None, list[Node]] = {}
    for source in sources:
        for entry in _entries(source):
            if isinstance(entry, Finding):
                yield entry
            elif entry[0] == "order":
                sales.append(entry[1])
            else:
                parts.setdefault(key_of(entry[1].get("order_id")), []).append(entry[1])
    known = {key_of(order.get("id")) for order in sales} - {None}
    for order, other in _once(sales):
        key = key_of(order.get("id"))
        yield from _sales_order(desk, order, other, parts.get(key, []) if key is not None else [])
    for order_key, alone in parts.items():
        for part, _ in _once(alone) if order_key not in known else ():
            yield Finding("fulfilment-order-alone", part.at("order_id"), found=id_shown(part.get("id")))


# --- what the payloads hold ---------------------------------------------------------------------------------------


def _is_order(value: Any) -> bool:
    # Fulfilments and fulfilment orders have lines and a name too; an order is what belongs to no other.
    return (
        isinstance(value, dict)
        and "id" in value
        and "order_id" not in value
        and ("financial_status" in value or ("line_items" in value and "name" in value))
    )


def _is_part(value: Any) -> bool:
    return (
        isinstance(value, dict)
        and "order_id" in value
        and ("fulfillment_order_line_items" in value or ("line_items" in value and "request_status" in value))
    )


_Entry = tuple[str, Node]


def _entries(source: Source) -> Iterator[_Entry | Finding]:
    """Orders ("order") and fulfilment orders ("part") of one payload, wherever they stand in it."""
    payload, root = source.payload, Place(source.file, pointer="$")
    if isinstance(payload, list):
        yield from _listed(payload, root, None)
        return
    if not isinstance(payload, dict):
        yield Finding("payload-invalid", root, found=kind_of(payload), expected=_EXPECTED)
        return
    whole = Node(payload, root)
    if _is_order(payload) or _is_part(payload):
        yield from _classified(whole, None)
        return
    for name, kind in _SINGLE.items():
        if name in payload:
            yield from _one(payload[name], whole.at(name), kind)
    for name, kind in _MANY.items():
        if name in payload:
            yield from _listed(payload[name], whole.at(name), kind)
    if not (_SINGLE.keys() | _MANY.keys()) & payload.keys():
        yield Finding("payload-invalid", root, expected=_EXPECTED)


def _listed(items: Any, place: Place, kind: str | None, parent: Any = None) -> Iterator[_Entry | Finding]:
    if not isinstance(items, list):
        yield Finding("payload-invalid", place, found=kind_of(items), expected="a list")
        return
    for index, item in enumerate(items):
        yield from _one(item, Node({}, place).at(index), kind, parent)


def _one(item: Any, place: Place, kind: str | None, parent: Any = None) -> Iterator[_Entry | Finding]:
    if not isinstance(item, dict):
        yield Finding("payload-invalid", place, found=kind_of(item), expected="an order or a fulfilment order")
    else:
        yield from _classified(Node(item if parent is None else {"order_id": parent, **item}, place), kind)


def _classified(node: Node, kind: str | None) -> Iterator[_Entry | Finding]:
    if kind == "part" or (kind is None and _is_part(node.value)):
        yield "part", node
        return
    yield "order", node
    if (inner := node.get("fulfillment_orders")) is not None:
        yield from _listed(inner, node.at("fulfillment_orders"), "part", parent=node.get("id"))


def _content(node: Node) -> dict[str, Any]:
    return {name: value for name, value in node.value.items() if name != "fulfillment_orders"}


def _once(nodes: Sequence[Node]) -> list[tuple[Node, Node | None]]:
    """Each object once by its id, together with a copy of it that says something else, where there is one."""
    result: list[tuple[Node, Node | None]] = []
    seen: dict[str, int] = {}
    for node in nodes:
        key = key_of(node.get("id"))
        if key is None or key not in seen:
            if key is not None:
                seen[key] = len(result)
            result.append((node, None))
        elif _content(result[seen[key]][0]) != _content(node):
            result[seen[key]] = (result[seen[key]][0], node)
    return result


# --- one order ----------------------------------------------------------------------------------------------------


def _sales_order(desk: Desk, order: Node, other: Node | None, nodes: Sequence[Node]) -> Iterator[Outcome]:
    whole = case_of(desk, order, None)
    if not isinstance(whole, Case):
        yield from whole
        return
    units: list[tuple[Case, Node, Node | None]] = []
    for part, second in _once(nodes):
        case = case_of(desk, order, part)
        if isinstance(case, Case):
            units.append((case, part, second))
        else:
            yield from case
    verdict = _doubled(whole, order, other) or _order_code(whole)
    if verdict is not None:
        yield from _left_out(verdict, [case for case, _, _ in units] if nodes else [whole])
    elif nodes:
        yield from _split(whole, units)
    else:
        yield from record(whole, picked_from_order(whole))


def _left_out(verdict: str | Finding, cases: Sequence[Case]) -> Iterator[Outcome]:
    if isinstance(verdict, Finding):
        yield verdict
    code = verdict if isinstance(verdict, str) else "refused-here"
    yield from (case.excluded(code) for case in cases)


def _doubled(case: Case, node: Node, other: Node | None) -> Finding | None:
    if other is None:
        return None
    return case.finding("payload-doubled", other.place, expected=f"what stands at {node.place.pointer}")


def _split(whole: Case, units: Sequence[tuple[Case, Node, Node | None]]) -> Iterator[Outcome]:
    """The fulfilment orders of one order, held against the order and against each other."""
    verdicts = [_doubled(case, part, second) or _part_code(case, part) for case, part, second in units]
    going = [(case, part) for (case, part, _), verdict in zip(units, verdicts, strict=True) if verdict is None]
    picked = iter(refuse_surplus(whole, [picked_from_part(case, part) for case, part in going]))
    for (case, _, _), verdict in zip(units, verdicts, strict=True):
        yield from record(case, next(picked)) if verdict is None else _left_out(verdict, [case])
    if has_rest(whole, [part for _, part, _ in units]):
        yield whole.excluded("fulfilment-order-absent")


def _order_code(case: Case) -> str | Finding | None:
    """Why nothing of this order ships, if so."""
    order = case.order
    if order.get("cancelled_at"):
        return "cancelled"
    if order.get("test"):
        return "test-order"
    status = word(order.get("fulfillment_status"))
    if status in ("fulfilled", "restocked"):
        return "already-fulfilled" if status == "fulfilled" else "nothing-to-ship"
    if order.get("closed_at"):
        return "closed"
    return _payment_code(case)


_UNPAID = frozenset({"authorized", "partially_paid", "pending", "voided", "refunded", "expired", "unpaid"})


def _payment_code(case: Case) -> str | Finding | None:
    status = word(case.order.get("financial_status"))
    if status in ("paid", "partially_refunded") or (status == "authorized" and not case.desk.eligibility.paid_only):
        return None
    if status in _UNPAID:
        return "unpaid"
    return case.finding(
        "value-missing" if status is None else "payload-invalid",
        case.order.at("financial_status"),
        found=None if status is None else quote(status),
        expected="a payment state such as paid, authorized or pending",
        hint="whether it may ship cannot be known: export the orders with the field financial_status",
    )


_STATES = {
    "open": None,
    "scheduled": None,  # its date decides
    "in_progress": "already-accepted",
    "on_hold": "on-hold",
    "incomplete": "closed",
    "closed": "closed",
    "cancelled": "cancelled",
}
_REQUESTS = {
    "unsubmitted": None,
    "submitted": None,
    "rejected": None,
    "accepted": "already-accepted",
    "cancellation_requested": "cancel-requested",
    "cancellation_accepted": "cancelled",
    "cancellation_rejected": "already-accepted",
    "closed": "closed",
}
_METHODS = {
    "shipping": None,
    "local": None,
    "pickup_point": None,
    "pick_up": "pickup",
    "retail": "pickup",
    "none": "not-physical",
}


def _part_code(case: Case, part: Node) -> str | Finding | None:
    """Why this fulfilment order does not ship, if so."""
    method = part.get("delivery_method")
    codes: list[str] = []
    for table, name, value in (
        (_REQUESTS, "request_status", part.get("request_status")),
        (_STATES, "status", part.get("status")),
        (_METHODS, "delivery_method", method.get("method_type") if isinstance(method, dict) else method),
    ):
        state = word(value)
        if state is None and name != "status":
            continue
        if state not in table:
            found = None if state is None else quote(state)
            return case.finding("payload-invalid", part.at(name), found=found, expected=f"one of {', '.join(table)}")
        codes += [code] if (code := table[state]) else []
    if "cancelled" in codes or part.get("deleted_at"):
        return "cancelled"
    if codes:
        return codes[0]
    if part.get("fulfillment_holds"):
        return "on-hold"
    due = instant(line_text(part.get("fulfill_at")))
    dated = isinstance(due, datetime) and due.tzinfo is not None
    if (dated and due > case.desk.now) or (not dated and word(part.get("status")) == "scheduled"):
        return "scheduled"
    if part.get("requires_shipping") is False:
        return "not-physical"
    return _location_code(case, part)


def _location_code(case: Case, part: Node) -> str | Finding | None:
    wanted = case.desk.eligibility.locations
    if not wanted:
        return None
    assigned = part.get("assigned_location")
    ids = (part.get("assigned_location_id"), assigned.get("location_id") if isinstance(assigned, dict) else None)
    given = {key_of(value) for value in (*ids, part.get("fulfillment_service_handle"))} - {None}
    if not given:
        return case.finding("value-missing", part.at("assigned_location_id"), expected="the location that ships it")
    return None if given & set(wanted) else "other-location"
