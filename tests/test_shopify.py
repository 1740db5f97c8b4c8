"""Shopify: what ships, what is left out and why, and what is refused, on the shapes that shops really send."""

from __future__ import annotations

import copy
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fallback.errors import FallbackError
from fallback.findings import CATALOGUE, Finding
from fallback.platforms import shopify
from fallback.platforms.base import Eligibility, Excluded, Source
from fallback.platforms.payload import read_payload
from fallback.platforms.population import guess_platform
from fallback.records.order import Order

ROOT = Path(__file__).resolve().parent.parent
EXAMPLE = ROOT / "examples" / "payloads" / "shopify-orders.json"
SAMPLES = ROOT.parent / "shared" / "samples" / "shopify"
NOW = datetime(2026, 11, 23, 15, 0, tzinfo=UTC)


def line(**change: Any) -> dict[str, Any]:
    return {
        "id": 501,
        "sku": "TEE-M-BLK",
        "name": "T-Shirt - M / Black",
        "title": "T-Shirt",
        "quantity": 2,
        "fulfillable_quantity": 2,
        "requires_shipping": True,
        "gift_card": False,
        "fulfillment_service": "manual",
        "fulfillment_status": None,
        "price": "24.00",
        "properties": [],
    } | change


def address(**change: Any) -> dict[str, Any]:
    return {
        "name": "Nora Quill",
        "first_name": "Nora",
        "last_name": "Quill",
        "company": None,
        "address1": "18 Harbor Street",
        "address2": "",
        "city": "Portland",
        "province": "Maine",
        "province_code": "ME",
        "zip": "04101",
        "country": "United States",
        "country_code": "US",
        "phone": "207-555-0118",
    } | change


def sale(**change: Any) -> dict[str, Any]:
    return {
        "id": 9001,
        "name": "#1042",
        "order_number": 1042,
        "created_at": "2026-11-23T08:12:44-05:00",
        "cancelled_at": None,
        "closed_at": None,
        "test": False,
        "currency": "USD",
        "financial_status": "paid",
        "fulfillment_status": None,
        "email": "nora.quill@example.com",
        "note": None,
        "note_attributes": [],
        "line_items": [line()],
        "shipping_address": address(),
        "shipping_lines": [{"code": "Standard", "title": "Standard shipping", "price": "5.00"}],
        "fulfillments": [],
        "refunds": [],
    } | change


def part(**change: Any) -> dict[str, Any]:
    return {
        "id": 70001,
        "order_id": 9001,
        "status": "open",
        "request_status": "unsubmitted",
        "assigned_location_id": 33,
        "fulfill_at": "2026-11-23T08:00:00-05:00",
        "fulfill_by": "2026-11-24T17:00:00-05:00",
        "delivery_method": {"id": 1, "method_type": "shipping"},
        "fulfillment_holds": [],
        "line_items": [{"id": 80001, "line_item_id": 501, "quantity": 2, "fulfillable_quantity": 2}],
    } | change


def outcomes(*payloads: Any, show: bool = False, **terms: Any) -> list[Order | Excluded | Finding]:
    sources = [Source(f"p{number}.json", payload) for number, payload in enumerate(payloads)]
    eligibility = Eligibility(**terms)
    return list(shopify.orders(sources, brand="acme", eligibility=eligibility, now=NOW, show_values=show))


def order_of(*payloads: Any, **terms: Any) -> Order:
    (only,) = outcomes(*payloads, **terms)
    assert isinstance(only, Order), only
    return only


def codes(results: Sequence[Order | Excluded | Finding]) -> list[str]:
    """Findings and exclusions by code; an order as its group."""
    return [result.group if isinstance(result, Order) else result.code for result in results]


def refused(*payloads: Any, **terms: Any) -> list[Finding]:
    """The findings of a payload of one order, which does not go and is counted."""
    results = outcomes(*payloads, **terms)
    findings = [result for result in results if isinstance(result, Finding)]
    rest = [result for result in results if not isinstance(result, Finding)]
    assert findings
    assert codes(rest) in (["refused-here"], [])
    return findings


# --- the good order -----------------------------------------------------------------------------------------------


def test_an_order_becomes_canonical() -> None:
    order = order_of(sale(note=" Leave at the\r\ndoor\t ", po_number="PO-7"))
    assert order.model_dump(exclude_none=True) == {
        "brand": "acme",
        "platform": "shopify",
        "order_id": "9001",
        "order_number": "#1042",
        "group": "0",
        "revision": 1,
        "ordered_at": datetime.fromisoformat("2026-11-23T08:12:44-05:00"),
        "purchase_order": "PO-7",
        "currency": "USD",
        "ship_to": {
            "name": "Nora Quill",
            "address1": "18 Harbor Street",
            "city": "Portland",
            "region": "ME",
            "postal_code": "04101",
            "country": "US",
            "phone": "207-555-0118",
            "email": "nora.quill@example.com",
        },
        "service": "Standard",
        "instructions": "Leave at the\ndoor",
        "lines": (
            {
                "line_id": "501",
                "line_number": 1,
                "sku": "TEE-M-BLK",
                "description": "T-Shirt - M / Black",
                "quantity": 2,
                "uom": "EA",
                "unit_price": Decimal("24.00"),
                "properties": (),
            },
        ),
    }


@pytest.mark.parametrize("wrap", [lambda o: o, lambda o: {"order": o}, lambda o: {"orders": [o]}, lambda o: [o]])
def test_every_wrapping_of_orders_is_read(wrap: Any) -> None:
    payload = wrap(sale())
    assert shopify.recognises(payload)
    assert order_of(payload).order_number == "#1042"


@pytest.mark.parametrize(
    "wrap", [lambda f: {"fulfillment_order": f}, lambda f: {"fulfillment_orders": [f]}, lambda f: [f]]
)
def test_a_fulfilment_order_finds_its_order_in_another_file(wrap: Any) -> None:
    payload = wrap(part())
    assert shopify.recognises(payload)
    for files in ((payload, [sale()]), ([sale()], payload)):
        order = order_of(*files)
        assert (order.group, order.lines[0].line_id, order.lines[0].sku) == ("70001", "80001", "TEE-M-BLK")
        assert order.ship_not_before == datetime.fromisoformat("2026-11-23T08:00:00-05:00")
        assert order.ship_by == datetime.fromisoformat("2026-11-24T17:00:00-05:00")


def test_fulfilment_orders_beside_and_inside_their_orders() -> None:
    assert order_of({"orders": [sale()], "fulfillment_orders": [part()]}).group == "70001"
    inner = part()
    del inner["order_id"]
    assert order_of(sale(fulfillment_orders=[inner])).group == "70001"


def test_two_fulfilment_orders_of_one_order_are_two_orders() -> None:
    lines = [line(), line(id=502, sku="0012", quantity=1, fulfillable_quantity=1)]
    second = part(id=70002, line_items=[{"id": 80002, "line_item_id": 502, "quantity": 1, "fulfillable_quantity": 1}])
    results = outcomes([sale(line_items=lines)], [part(), second])
    assert codes(results) == ["70001", "70002"]
    assert [result.lines[0].sku for result in results if isinstance(result, Order)] == ["TEE-M-BLK", "0012"]


def test_the_shipped_example() -> None:
    payload = read_payload(EXAMPLE.read_bytes(), EXAMPLE.name)
    results = outcomes(payload)
    assert [r.order_number for r in results if isinstance(r, Order)] == ["#1042", "#1043", "#1044", "#1045", "#1050"]
    left_out = [result.code for result in results if isinstance(result, Excluded)]
    assert left_out == ["cancelled", "test-order", "gift-card", "not-physical"]
    by_number = {r.order_number: r for r in results if isinstance(r, Order)}
    assert by_number["#1044"].ship_to.postal_code == "02134"
    assert by_number["#1044"].lines[0].sku == "0012"
    assert by_number["#1045"].units == 3
    assert by_number["#1050"].ship_to.city == "Logroño"
    assert by_number["#1043"].gift_message == "Happy birthday, Ada!\nLove, Milo"
    assert by_number["#1043"].instructions == "Leave with the doorman\ndelivery_window: evening"
    assert [(p.name, p.value) for p in by_number["#1043"].lines[0].properties] == [
        ("Engraving", "For Ada"),
        ("Font", "Serif"),
    ]


# --- left out -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"cancelled_at": "2026-11-23T09:00:00Z"}, "cancelled"),
        ({"test": True}, "test-order"),
        ({"closed_at": "2026-11-23T09:00:00Z"}, "closed"),
        ({"fulfillment_status": "fulfilled", "closed_at": "2026-11-23T09:00:00Z"}, "already-fulfilled"),
        ({"fulfillment_status": "restocked"}, "nothing-to-ship"),
        ({"financial_status": "pending"}, "unpaid"),
        ({"financial_status": "voided"}, "unpaid"),
        ({"financial_status": "refunded"}, "unpaid"),
        ({"financial_status": "partially_paid"}, "unpaid"),
        ({"financial_status": "expired"}, "unpaid"),
        ({"line_items": [line(gift_card=True)]}, "gift-card"),
        ({"line_items": [line(requires_shipping=False)]}, "not-physical"),
        ({"line_items": [line(requires_shipping=False), line(gift_card=True)]}, "not-physical"),
        ({"line_items": [line(fulfillable_quantity=0)]}, "nothing-to-ship"),
        ({"line_items": [line(fulfillable_quantity=0, fulfillment_status="fulfilled")]}, "already-fulfilled"),
        ({"line_items": []}, "nothing-to-ship"),
        ({"shipping_address": None}, "no-address"),
        ({"shipping_address": {}}, "no-address"),
        # What the platform sends to an app that may not read addresses.
        ({"shipping_address": {"country": "United States", "country_code": "US", "name": " "}}, "no-address"),
    ],
)
def test_an_order_is_left_out_with_its_reason(change: dict[str, Any], code: str) -> None:
    assert outcomes(sale(**change)) == [Excluded(code, "shopify", "9001", "#1042", "0")]
    assert CATALOGUE[code].about == "left-out"


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"status": "on_hold"}, "on-hold"),
        ({"fulfillment_holds": [{"reason": "incorrect_address"}]}, "on-hold"),
        ({"status": "scheduled", "fulfill_at": "2026-12-01T00:00:00Z"}, "scheduled"),
        ({"status": "scheduled", "fulfill_at": None}, "scheduled"),
        ({"fulfill_at": "2026-11-23T15:00:01Z"}, "scheduled"),
        ({"request_status": "cancellation_requested"}, "cancel-requested"),
        ({"request_status": "cancellation_accepted"}, "cancelled"),
        ({"request_status": "accepted"}, "already-accepted"),
        ({"request_status": "CANCELLATION_REJECTED"}, "already-accepted"),
        ({"status": "in_progress"}, "already-accepted"),
        ({"status": "closed"}, "closed"),
        ({"status": "INCOMPLETE"}, "closed"),
        ({"status": "cancelled", "request_status": "closed"}, "cancelled"),
        ({"deleted_at": "2026-11-23T09:00:00Z"}, "cancelled"),
        ({"delivery_method": {"method_type": "pick_up"}}, "pickup"),
        ({"delivery_method": {"method_type": "retail"}}, "pickup"),
        ({"delivery_method": {"method_type": "none"}}, "not-physical"),
        ({"requires_shipping": False}, "not-physical"),
        (
            {"line_items": [{"id": 1, "line_item_id": 501, "quantity": 2, "fulfillable_quantity": 0}]},
            "already-fulfilled",
        ),
    ],
)
def test_a_fulfilment_order_is_left_out_with_its_reason(change: dict[str, Any], code: str) -> None:
    results = outcomes([sale()], [part(**change)])
    assert results[0] == Excluded(code, "shopify", "9001", "#1042", "70001")


@pytest.mark.parametrize(
    "change",
    [
        {"status": "scheduled", "fulfill_at": "2026-11-23T15:00:00Z"},
        {"delivery_method": None},
        {"delivery_method": {"method_type": "LOCAL"}},
        {"request_status": "rejected"},
        {"request_status": None, "fulfill_at": None},
    ],
)
def test_a_fulfilment_order_ships(change: dict[str, Any]) -> None:
    assert order_of([sale()], [part(**change)]).group == "70001"


def test_what_no_fulfilment_order_has_is_counted() -> None:
    lines = [line(), line(id=502, sku="0012")]
    assert codes(outcomes([sale(line_items=lines)], [part()])) == ["70001", "fulfilment-order-absent"]
    half = part(line_items=[{"id": 80001, "line_item_id": 501, "quantity": 1, "fulfillable_quantity": 1}])
    assert codes(outcomes([sale()], [half])) == ["70001", "fulfilment-order-absent"]
    digital = [line(), line(id=502, requires_shipping=False), line(id=503, fulfillable_quantity=0)]
    assert codes(outcomes([sale(line_items=digital)], [part()])) == ["70001"]


def test_an_order_left_out_takes_all_its_fulfilment_orders_along() -> None:
    results = outcomes([sale(cancelled_at="2026-11-23T09:00:00Z")], [part(), part(id=70002)])
    assert [(r.code, r.group) for r in results if isinstance(r, Excluded)] == [
        ("cancelled", "70001"),
        ("cancelled", "70002"),
    ]


def test_paid_only() -> None:
    authorised = sale(financial_status="authorized")
    assert codes(outcomes(authorised)) == ["0"]
    assert codes(outcomes(authorised, paid_only=True)) == ["unpaid"]
    assert codes(outcomes(sale(financial_status="partially_refunded"), paid_only=True)) == ["0"]


def test_a_payment_state_that_is_not_said_is_never_paid() -> None:
    for absent in (None, ""):
        (finding,) = refused(sale(financial_status=absent))
        assert (finding.code, finding.place.pointer) == ("value-missing", "$.financial_status")
    (finding,) = refused(sale(financial_status="owed"))
    assert (finding.code, finding.found) == ("payload-invalid", '"owed"')


def test_excluded_services() -> None:
    assert codes(outcomes(sale(), services_excluded=("Standard shipping",))) == ["service-excluded"]
    assert codes(outcomes(sale(), services_excluded=("Standard",))) == ["service-excluded"]
    assert codes(outcomes(sale(), services_excluded=("Express",))) == ["0"]


def test_locations_of_fulfilment_orders() -> None:
    assert codes(outcomes([sale()], [part()], locations=("33",))) == ["70001"]
    assert codes(outcomes([sale()], [part()], locations=("44",))) == ["other-location"]
    inner = part(assigned_location_id=None, assigned_location={"location_id": 44})
    assert codes(outcomes([sale()], [inner], locations=("44",))) == ["70001"]
    handle = part(assigned_location_id=None, fulfillment_service_handle="northdock")
    assert codes(outcomes([sale()], [handle], locations=("northdock",))) == ["70001"]
    (finding,) = refused([sale()], [part(assigned_location_id=None)], locations=("33",))
    assert finding.code == "value-missing"


def test_locations_without_fulfilment_orders() -> None:
    lines = [line(fulfillment_service="northdock"), line(id=502, fulfillment_service="elsewhere")]
    results = outcomes(sale(line_items=lines), locations=("northdock",))
    assert codes(results) == ["line-elsewhere", "0"]
    assert isinstance(results[1], Order)
    assert [item.line_id for item in results[1].lines] == ["501"]
    assert codes(outcomes(sale(line_items=[lines[1]]), locations=("northdock",))) == ["other-location"]
    (finding,) = refused(sale(), locations=("northdock",))
    assert (finding.code, finding.place.pointer) == ("value-missing", "$.line_items[0].fulfillment_service")
    assert codes(outcomes(sale(), locations=("manual",))) == ["0"]


# --- how many -----------------------------------------------------------------------------------------------------


def fulfilment(status: Any, quantity: int, line_id: int = 501) -> dict[str, Any]:
    return {"id": 1, "status": status, "line_items": [{"id": line_id, "quantity": quantity}]}


def refund(quantity: int, kind: str = "cancel") -> dict[str, Any]:
    return {"refund_line_items": [{"line_item_id": 501, "quantity": quantity, "restock_type": kind}]}


def remaining(change: dict[str, Any], **order: Any) -> Any:
    item = line(quantity=5, fulfillable_quantity=None) | change
    results = outcomes(sale(line_items=[item], **order))
    return results[0].units if isinstance(results[0], Order) else results[0].code


@pytest.mark.parametrize(
    ("change", "order", "expected"),
    [
        ({"fulfillable_quantity": 3}, {"fulfillments": [fulfilment("success", 4)]}, 3),
        ({"current_quantity": 4}, {}, 4),
        ({"current_quantity": 4}, {"fulfillments": [fulfilment("success", 1)]}, 3),
        ({"current_quantity": 4}, {"fulfillments": [fulfilment("success", 4)]}, "already-fulfilled"),
        ({"current_quantity": 0}, {}, "nothing-to-ship"),
        ({}, {}, 5),
        ({}, {"fulfillments": [fulfilment("success", 1), fulfilment("success", 2)]}, 2),
        ({}, {"fulfillments": [fulfilment("success", 2, line_id=999)]}, 5),
        ({}, {"refunds": [refund(2)]}, 3),
        ({}, {"refunds": [refund(2)], "fulfillments": [fulfilment("success", 2)]}, 1),
        ({}, {"refunds": [refund(5)]}, "nothing-to-ship"),
        ({}, {"refunds": [refund(5, "no_restock")], "fulfillments": [fulfilment("success", 5)]}, "already-fulfilled"),
        # Two were shipped and one of them came back: three are still to be shipped.
        ({}, {"refunds": [refund(1, "return")], "fulfillments": [fulfilment("success", 2)]}, 3),
        ({"current_quantity": 4}, {"refunds": [refund(1, "return")], "fulfillments": [fulfilment("success", 2)]}, 3),
        # Only what succeeded counts, and what somebody is working on.
        ({}, {"fulfillments": [fulfilment(status, 2) for status in ("failure", "error", "cancelled")]}, 5),
        ({}, {"fulfillments": [fulfilment("pending", 1), fulfilment("open", 1)]}, 3),
        ({}, {"fulfillments": [fulfilment(None, 1)]}, "quantity-unknown"),
        ({}, {"fulfillments": [fulfilment("sideways", 1)]}, "quantity-unknown"),
        ({"fulfillment_status": "fulfilled"}, {}, "already-fulfilled"),
        # Lists that are not in the payload: nothing is assumed but what the states say.
        ({}, {"fulfillments": None, "refunds": None}, 5),
        ({}, {"fulfillments": None, "fulfillment_status": "partial"}, "quantity-unknown"),
        ({"fulfillment_status": "partial"}, {"fulfillments": None}, "quantity-unknown"),
        ({}, {"refunds": None, "financial_status": "partially_refunded"}, "quantity-unknown"),
        ({"current_quantity": 4}, {"refunds": None, "financial_status": "partially_refunded"}, 4),
        ({"quantity": None}, {}, "quantity-unknown"),
        ({}, {"refunds": [{"refund_line_items": [{"quantity": 1}]}]}, "quantity-unknown"),
        ({}, {"fulfillments": "none"}, "payload-invalid"),
        ({}, {"refunds": [7]}, "payload-invalid"),
        ({}, {"refunds": [{"refund_line_items": "all"}]}, "payload-invalid"),
        ({"fulfillable_quantity": 6}, {}, "payload-invalid"),
    ],
)
def test_the_quantity_to_ship(change: dict[str, Any], order: dict[str, Any], expected: Any) -> None:
    assert remaining(change, **order) == expected


def test_without_any_word_of_fulfilment_the_quantity_is_unknown() -> None:
    order = sale(line_items=[line(fulfillable_quantity=None)])
    del order["fulfillments"], order["fulfillment_status"]
    (finding,) = refused(order)
    assert (finding.code, finding.place.pointer) == ("quantity-unknown", "$.line_items[0].quantity")


@pytest.mark.parametrize(
    ("value", "found"),
    [(-1, "-1"), (Decimal("1.5"), "1.5"), ("1", '"1"'), ("1,000", '"1,000"'), (True, "true or false"), ([], "a list")],
)
@pytest.mark.parametrize("name", ["fulfillable_quantity", "current_quantity", "quantity"])
def test_a_quantity_that_is_no_whole_number_is_refused(name: str, value: Any, found: str) -> None:
    (finding,) = refused(sale(line_items=[line(**{name: value})]))
    assert (finding.code, finding.found) == ("payload-invalid", found)
    assert (finding.place.pointer, finding.order, finding.order_line) == (f"$.line_items[0].{name}", "#1042", 1)


def test_a_quantity_larger_than_any_line_is_refused() -> None:
    (finding,) = refused(sale(line_items=[line(quantity=10**6, fulfillable_quantity=10**6)]))
    assert finding.code == "number-out-of-range"


@pytest.mark.parametrize(
    ("quantities", "expected"),
    [
        ({"remaining_quantity": 1, "fulfillable_quantity": 2, "quantity": 2}, 1),
        ({"fulfillable_quantity": 1, "quantity": 2}, 1),
        ({"quantity": 2}, 2),
        ({}, "quantity-unknown"),
        ({"quantity": "2"}, "payload-invalid"),
    ],
)
def test_the_quantity_of_a_fulfilment_order_line(quantities: dict[str, Any], expected: Any) -> None:
    results = outcomes([sale()], [part(line_items=[{"id": 80001, "line_item_id": 501, **quantities}])])
    first = results[0]
    assert (first.units if isinstance(first, Order) else first.code) == expected  # type: ignore[union-attr]


# --- never twice, never wrong -------------------------------------------------------------------------------------


def test_the_same_order_twice_goes_once() -> None:
    assert codes(outcomes([sale(), sale()], {"order": sale()})) == ["0"]
    assert codes(outcomes([sale()], [part(), part()])) == ["70001"]


def test_two_versions_of_an_order_both_stay() -> None:
    results = outcomes([sale(), sale(note="changed")])
    assert codes(results) == ["payload-doubled", "refused-here"]
    assert isinstance(results[0], Finding)
    assert results[0].place.pointer == "$[1]"
    assert codes(outcomes([sale()], [part(), part(fulfill_by=None)])) == ["payload-doubled", "refused-here"]


def test_fulfilment_orders_cannot_ship_more_than_was_ordered() -> None:
    results = outcomes([sale()], [part(), part(id=70002)])
    assert codes(results) == ["payload-invalid", "refused-here", "payload-invalid", "refused-here"]
    closed = outcomes([sale()], [part(), part(id=70002, status="closed")])
    assert codes(closed) == ["70001", "closed"]


def test_a_fulfilment_order_alone_is_told() -> None:
    (finding,) = outcomes([part()])
    assert isinstance(finding, Finding)
    assert (finding.code, finding.found, finding.place.pointer) == (
        "fulfilment-order-alone",
        '"70001"',
        "$[0].order_id",
    )


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"line_items": [{"id": 1, "line_item_id": 999, "quantity": 1}]}, "$[0].line_items[0].line_item_id"),
        ({"line_items": [{"id": 1, "line_item_id": 501, "quantity": 1, "sku": "OTHER"}]}, "$[0].line_items[0].sku"),
        ({"line_items": None}, "$[0].line_items"),
        ({"status": None}, "$[0].status"),
        ({"status": "asleep"}, "$[0].status"),
        ({"destination": address(zip="10001")}, "$[0].destination.zip"),
        ({"id": None}, "$[0].id"),
    ],
)
def test_a_fulfilment_order_that_does_not_fit_is_refused(change: dict[str, Any], pointer: str) -> None:
    results = outcomes([sale()], [part(**change)])
    findings = [result for result in results if isinstance(result, Finding)]
    assert [finding.place.pointer for finding in findings] == [pointer]
    assert not any(isinstance(result, Order) for result in results)


def test_a_destination_alike_is_no_conflict() -> None:
    alike = address(address1="18  HARBOR street", country_code=None)
    assert order_of([sale()], [part(destination=alike)]).ship_to.address1 == "18 Harbor Street"


def test_the_destination_serves_where_the_order_has_no_address() -> None:
    destination = {"first_name": "Bo", "last_name": "Ek", "address1": "1 St", "city": "Ottawa", "country": "Canada"}
    order = order_of(
        [sale(shipping_address=None, email=None)], [part(destination=destination | {"email": "b@example.com"})]
    )
    assert (order.ship_to.name, order.ship_to.country, order.ship_to.email) == ("Bo Ek", "CA", "b@example.com")


def test_one_bad_order_does_not_stop_the_others() -> None:
    bad = sale(id=9002, name="#1043", line_items={"0": line()})
    results = outcomes([7, bad, sale(), "x"])
    assert codes(results) == ["payload-invalid", "payload-invalid", "payload-invalid", "refused-here", "0"]


# --- identity -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "code", "pointer"),
    [
        ({"id": None}, "value-missing", "$[0].id"),
        ({"id": ""}, "value-missing", "$[0].id"),
        ({"id": Decimal("1.5")}, "value-malformed", "$[0].id"),
        ({"id": True}, "value-malformed", "$[0].id"),
        ({"id": "gid://shopify/Order/1"}, "identifier-invalid", "$[0].id"),
        ({"name": None, "order_number": None}, "value-missing", "$[0].name"),
        ({"name": "#1042 "}, "white-space", "$[0].name"),
    ],
)
def test_an_order_without_a_sound_identity_is_refused(change: dict[str, Any], code: str, pointer: str) -> None:
    (finding,) = outcomes([sale(**change)])
    assert isinstance(finding, Finding)
    assert (finding.code, finding.place.pointer) == (code, pointer)


def test_numbers_of_orders_are_text() -> None:
    assert order_of(sale(name="000000003")).order_number == "000000003"
    assert order_of(sale(name=None)).order_number == "1042"
    assert order_of(sale(id=5714096001031)).order_id == "5714096001031"


# --- values -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("sku", [None, "", "  "])
def test_a_line_without_sku_is_refused_at_its_place(sku: Any) -> None:
    (finding,) = refused({"orders": [sale(line_items=[line(requires_shipping=False), line(sku=sku)])]})
    assert (finding.code, finding.place.pointer) == ("value-missing", "$.orders[0].line_items[1].sku")
    assert (finding.order, finding.order_line, finding.path) == ("#1042", 2, "lines.sku")


def test_a_sku_is_never_changed() -> None:
    assert order_of(sale(line_items=[line(sku="0012")])).lines[0].sku == "0012"
    (finding,) = refused(sale(line_items=[line(sku="0012 ")]))
    assert finding.code == "white-space"
    (finding,) = refused(sale(line_items=[line(sku=12)]))
    assert (finding.code, finding.found) == ("value-malformed", '"12"')
    (finding,) = refused(sale(line_items=[line(sku="9" * 65)]))
    assert finding.code == "value-too-long"


def test_a_postal_code_that_is_a_number_is_refused() -> None:
    (finding,) = refused(sale(shipping_address=address(zip=2134)))
    assert (finding.code, finding.place.pointer) == ("value-malformed", "$.shipping_address.zip")
    assert finding.hint is not None
    assert "zeros" in finding.hint


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"country_code": None}, "US"),
        ({"country_code": None, "country": "canada"}, "CA"),
        ({"country_code": None, "country": "Taiwan"}, "TW"),
        ({"country_code": None, "country": "Côte d'Ivoire"}, "CI"),
        ({"country_code": None, "country": "DE"}, "DE"),
    ],
)
def test_countries(change: dict[str, Any], expected: str) -> None:
    assert order_of(sale(shipping_address=address(**change))).ship_to.country == expected


def test_an_unknown_country_is_refused() -> None:
    (finding,) = refused(sale(shipping_address=address(country_code=None, country="Atlantis")))
    assert (finding.code, finding.place.pointer) == ("country-unknown", "$.shipping_address.country_code")
    absent = {name: value for name, value in address().items() if name != "country_code"} | {"country": None}
    (finding,) = refused(sale(shipping_address=absent))
    assert (finding.code, finding.place.pointer) == ("value-missing", "$.shipping_address.country")


def test_names_and_regions() -> None:
    def ship_to(**change: Any) -> Any:
        return order_of(sale(shipping_address=address(**change))).ship_to

    assert ship_to(name="").name == "Nora Quill"
    assert ship_to(name=None, first_name=None).name == "Quill"
    firm = ship_to(name=None, first_name=None, last_name=None, company="Abbot & Daughters")
    assert (firm.name, firm.company) == ("Abbot & Daughters", None)
    assert ship_to(province_code=None).region == "Maine"
    assert ship_to(province_code=None, province=None).region is None
    (finding,) = refused(sale(shipping_address=address(name=None, first_name=None, last_name=None)))
    assert (finding.code, finding.path) == ("value-missing", "ship_to.name")


def test_phone_and_email_of_the_order_serve_where_the_address_has_none() -> None:
    order = order_of(
        sale(shipping_address=address(phone=None), phone="555-0100", email=None, contact_email="a@example.com")
    )
    assert (order.ship_to.phone, order.ship_to.email) == ("555-0100", "a@example.com")


def test_white_space_is_folded_and_nothing_else() -> None:
    order = order_of(
        sale(shipping_address=address(address1=" 12 Main St \r\n\t Apt 4 ", address2="  ", city="São  Paulo"))
    )
    assert (order.ship_to.address1, order.ship_to.address2) == ("12 Main St Apt 4", None)
    assert order.ship_to.city == "São  Paulo"
    assert order_of(sale(shipping_address=address(city="São"))).ship_to.city == "São"


@pytest.mark.parametrize(("text", "code"), [("A\u202eB", "bidi-character"), ("A\x07B", "control-character")])
def test_characters_that_mislead_are_refused_and_never_shown(text: str, code: str) -> None:
    (finding,) = refused(sale(shipping_address=address(name=text)))
    assert (finding.code, finding.path, finding.found) == (
        code,
        "ship_to.name",
        "3 characters (hidden, --show-values shows them)",
    )
    (finding,) = refused(sale(note=f"note {text}"))
    assert (finding.code, finding.place.pointer) == (code, "$.note")


def test_values_are_shown_on_request_only() -> None:
    private = "Q" * 300
    payload = sale(shipping_address=address(name=private, city=["Portland"]), note="N" * 5001)
    hidden = outcomes(payload)
    assert not any("QQ" in str(result) or "NN" in str(result) or "Portland" in str(result) for result in hidden)
    shown = [result for result in outcomes(payload, show=True) if isinstance(result, Finding)]
    assert any("QQQ" in (finding.found or "") for finding in shown)
    assert {finding.code for finding in shown} == {"value-too-long", "value-malformed"}


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, []),
        ({}, []),
        ([], []),
        ({"name": "Engraving", "value": 3}, [("Engraving", "3")]),
        ({"Engraving": "A\r\nB", "Wrap": True}, [("Engraving", "A\nB"), ("Wrap", "true")]),
        ([{"name": "Text", "value": "  "}, {"name": "_id", "value": Decimal("1.50")}], [("_id", "1.50")]),
        ([{"name": "Text", "value": None}], []),
    ],
)
def test_shapes_of_properties(value: Any, expected: list[tuple[str, str]]) -> None:
    order = order_of(sale(line_items=[line(properties=value)]))
    assert [(p.name, p.value) for p in order.lines[0].properties] == expected


@pytest.mark.parametrize(
    "value",
    ["text", 7, [["a", "b"]], [{"value": "x"}], [{"name": "", "value": "x"}], [{"name": "a", "value": {"b": ""}}]],
)
def test_other_shapes_of_properties_are_refused(value: Any) -> None:
    (finding,) = refused(sale(line_items=[line(properties=value)]))
    assert (finding.code, finding.place.pointer, finding.order_line) == (
        "payload-invalid",
        "$.line_items[0].properties",
        1,
    )
    (finding,) = refused(sale(note_attributes=value))
    assert (finding.code, finding.place.pointer) == ("payload-invalid", "$.note_attributes")


@pytest.mark.parametrize("name", ["gift_message", "Gift Message", "gift-note", " GIFT NOTE:", "GiftMessage"])
def test_a_gift_message_is_known_by_its_name(name: str) -> None:
    order = order_of(sale(note_attributes=[{"name": name, "value": "With love"}, {"name": "Colour", "value": "green"}]))
    assert (order.gift_message, order.instructions) == ("With love", "Colour: green")


def test_what_the_merchant_told_the_service_is_an_instruction() -> None:
    asked = part(
        merchant_requests=[
            {"kind": "fulfillment_request", "message": "Two boxes", "request_options": {"note": "handle with care"}},
            {"kind": "cancellation_request", "message": "no"},
        ],
        international_duties={"incoterm": "DAP"},
    )
    order = order_of([sale(note="Ring twice", note_attributes=[{"name": "floor", "value": 3}])], [asked])
    assert order.instructions == "Ring twice\nTwo boxes\nhandle with care\nincoterm: DAP\nfloor: 3"


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ([{"code": None, "title": "Generic Shipping"}], "Generic Shipping"),
        ([{"code": "UPS 03", "title": "Ground"}], "UPS 03"),
        ([{"code": "STD", "title": "Standard"}, {"code": "STD", "title": "Standard"}], "STD"),
        ([{"code": "OLD", "title": "Old", "is_removed": True}, {"code": "NEW"}], "NEW"),
    ],
)
def test_the_service(lines: Any, expected: str) -> None:
    assert order_of(sale(shipping_lines=lines)).service == expected


@pytest.mark.parametrize(
    ("lines", "code"),
    [
        ([], "value-missing"),
        (None, "value-missing"),
        ([{"code": "", "title": " "}], "value-missing"),
        ([{"code": "STD"}, {"code": "EXP"}], "payload-invalid"),
        ("Standard", "payload-invalid"),
        ([{"code": 7}], "payload-invalid"),
    ],
)
def test_a_service_that_cannot_be_told_is_refused(lines: Any, code: str) -> None:
    (finding,) = refused(sale(shipping_lines=lines))
    assert finding.code == code
    assert finding.place.pointer.startswith("$.shipping_lines")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("2016-05-17T04:14:36-00:00", "2016-05-17T04:14:36+00:00"),
        ("2026-11-23T08:12:44.987-05:00", "2026-11-23T08:12:44-05:00"),
        (" 2026-11-23T08:12:44Z ", "2026-11-23T08:12:44+00:00"),
    ],
)
def test_dates(value: str, expected: str) -> None:
    assert order_of(sale(created_at=value)).ordered_at == datetime.fromisoformat(expected)


@pytest.mark.parametrize(
    ("value", "code"),
    [
        ("2026-11-23T08:12:44", "zone-missing"),
        ("2026-11-23", "date-invalid"),
        ("2026-13-23T08:12:44Z", "date-invalid"),
        (1763903564, "date-invalid"),
        (None, "value-missing"),
    ],
)
def test_dates_that_are_none(value: Any, code: str) -> None:
    (finding,) = refused(sale(created_at=value))
    assert (finding.code, finding.place.pointer) == (code, "$.created_at")


@pytest.mark.parametrize(
    ("price", "expected"), [("19.90", "19.90"), (Decimal("19.9"), "19.9"), (20, "20"), ("", None), (None, None)]
)
def test_prices(price: Any, expected: str | None) -> None:
    unit_price = order_of(sale(line_items=[line(price=price)])).lines[0].unit_price
    assert unit_price == (None if expected is None else Decimal(expected))
    assert expected is None or str(unit_price) == expected


@pytest.mark.parametrize("price", ["19,90", "$19.90", "-1.00", "1e3", "NaN", True, []])
def test_prices_that_are_none(price: Any) -> None:
    (finding,) = refused(sale(line_items=[line(price=price)]))
    assert (finding.code, finding.place.pointer) == ("money-invalid", "$.line_items[0].price")


def test_a_name_longer_than_a_title_may_be_gives_way_to_the_title() -> None:
    order = order_of(sale(line_items=[line(name="T-Shirt - " + "M" * 250)]))
    assert order.lines[0].description == "T-Shirt"


def test_a_note_that_is_no_text_is_refused() -> None:
    (finding,) = refused(sale(note=["Ring twice"]))
    assert (finding.code, finding.place.pointer, finding.found) == ("value-malformed", "$.note", "a list")


def test_everything_wrong_with_an_order_is_told_at_once() -> None:
    findings = refused(
        sale(
            created_at="yesterday",
            shipping_address=address(address1=None, zip=4101),
            line_items=[line(sku=None), line(id=502, quantity="1"), line(id=503, properties="x")],
            shipping_lines=[{"code": "A"}, {"code": "B"}],
        )
    )
    assert {(finding.code, finding.place.pointer) for finding in findings} == {
        ("date-invalid", "$.created_at"),
        ("value-missing", "$.shipping_address.address1"),
        ("value-malformed", "$.shipping_address.zip"),
        ("value-missing", "$.line_items[0].sku"),
        ("payload-invalid", "$.line_items[1].quantity"),
        ("payload-invalid", "$.line_items[2].properties"),
        ("payload-invalid", "$.shipping_lines"),
    }
    assert len(findings) == 7


# --- other people's payloads --------------------------------------------------------------------------------------


@pytest.mark.skipif(not SAMPLES.is_dir(), reason="the public samples are not here")
@pytest.mark.parametrize("file", sorted(SAMPLES.glob("*.json")), ids=lambda file: file.name)
def test_public_samples_give_orders_or_findings(file: Path) -> None:
    try:
        payload = read_payload(file.read_bytes(), file.name)
    except FallbackError as error:
        assert error.code == "payload-unreadable"
        return
    results = outcomes(payload)
    assert results
    if not shopify.recognises(payload):
        assert not any(isinstance(result, Order) for result in results)
        with pytest.raises(FallbackError, match="not of a platform"):
            guess_platform([Source(file.name, payload)])


@pytest.mark.skipif(not SAMPLES.is_dir(), reason="the public samples are not here")
def test_a_failed_fulfilment_of_a_public_sample_ships_nothing() -> None:
    order = order_of(read_payload((SAMPLES / "rubyapi_orders.json").read_bytes()))
    assert [(item.sku, item.quantity) for item in order.lines] == [
        ("IPOD2008GREEN", 1),
        ("IPOD2008RED", 1),
        ("IPOD2008BLACK", 1),
    ]
    assert order.instructions == "custom engraving: Happy Birthday\ncolour: green"


@pytest.mark.skipif(not SAMPLES.is_dir(), reason="the public samples are not here")
def test_a_public_sample_whose_fulfilment_order_names_the_wrong_line() -> None:
    files = [read_payload((SAMPLES / f"rubyapi_{name}.json").read_bytes()) for name in ("orders", "fulfillment_orders")]
    assert codes(outcomes(*files)) == ["519788021", "payload-invalid", "refused-here", "fulfilment-order-absent"]


scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.decimals(allow_nan=False, allow_infinity=False)
    | st.text(max_size=20)
    | st.sampled_from(["2026-11-23T08:12:44-05:00", "0001-01-01T00:00:00+14:00", "partial", "\ud800", "a:b", "1e5"])
)
json_values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from([*sale(), *part(), *line(), *address()]) | st.text(max_size=5), inner, max_size=5
        )
    ),
    max_leaves=12,
)


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(found for name, child in children for found in places(child, (*path, name)))]


WHOLE: dict[str, Any] = {
    "orders": [
        sale(
            note_attributes=[{"name": "floor", "value": "3"}],
            line_items=[line(), line(id=502, fulfillable_quantity=None, properties=[{"name": "a", "value": "b"}])],
            fulfillments=[fulfilment("success", 1, 502)],
            refunds=[refund(0)],
        ),
        sale(id=9002, name="#1043"),
    ],
    "fulfillment_orders": [part(destination=address(), merchant_requests=[{"kind": "fulfillment_request"}])],
}


def sound(results: list[Order | Excluded | Finding]) -> None:
    for result in results:
        if isinstance(result, Excluded | Finding):
            assert result.code in CATALOGUE
        if isinstance(result, Finding):
            assert json.dumps(result.document())
        if isinstance(result, Excluded):
            assert CATALOGUE[result.code].about == "left-out"
    keys = [(r.order_id, r.group) for r in results if isinstance(r, Order)]
    assert len(keys) == len(set(keys))


@given(json_values, st.booleans())
def test_whatever_json_comes_the_answer_is_values(payload: Any, locations: bool) -> None:
    shopify.recognises(payload)
    sound(outcomes(payload, WHOLE, locations=("33",) if locations else ()))


@settings(max_examples=300)
@given(st.sampled_from(places(WHOLE)), json_values, st.booleans())
def test_whatever_stands_in_a_payload_the_answer_is_values(path: tuple[Any, ...], value: Any, remove: bool) -> None:
    payload: Any = copy.deepcopy({"": WHOLE})
    target = payload
    steps = ("", *path)
    for step in steps[:-1]:
        target = target[step]
    if remove and isinstance(target, dict):
        del target[steps[-1]]
    else:
        target[steps[-1]] = value
    results = outcomes(payload.get(""))
    sound(results)
    if path[:2] != ("orders", 1) and len(path) > 2:  # the other order goes, whatever happened to the first
        assert any(isinstance(r, Order) and r.order_id == "9002" for r in results) or path[-1] == "id"


@given(st.integers(0, 50), st.integers(0, 50), st.integers(0, 50), st.sampled_from(["cancel", "return", "no_restock"]))
def test_never_more_than_was_ordered_and_not_yet_shipped(ordered: int, shipped: int, refunded: int, kind: str) -> None:
    result = remaining(
        {"quantity": ordered},
        fulfillments=[fulfilment("success", shipped)],
        refunds=[refund(refunded, kind)],
    )
    units = result if isinstance(result, int) else 0
    assert units <= ordered
    assert units <= max(0, ordered - shipped)
