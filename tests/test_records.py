"""The records themselves: what they hold, what they refuse, and what makes two orders the same parcel."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from fallback.findings import CATALOGUE
from fallback.records.judge import judge
from fallback.records.order import PRIVATE_PATHS, Line, Order, Property, ShipTo, fingerprint
from fallback.records.paths import PATHS, values_of, without
from fallback.records.sample import SKUS, sample_orders
from support.strategies import orders

AT = datetime(2026, 11, 23, 14, tzinfo=UTC)


def plain_order(**changes: Any) -> Order:
    lines = (
        Line(line_id="11", line_number=1, sku="0012", quantity=2, unit_price=Decimal("19.90"), lot="L1"),
        Line(line_id="12", line_number=2, sku="0013", quantity=1),
    )
    ship_to = ShipTo(name="Ada Example", address1="12 Sample Street", city="Boston", postal_code="02134", country="US")
    content: dict[str, Any] = {
        "brand": "acme", "platform": "shopify", "order_id": "1", "order_number": "#1", "ordered_at": AT,
        "ship_by": AT, "currency": "USD", "service": "STD", "ship_to": ship_to, "lines": lines,
    }  # fmt: skip
    return Order(**content | changes)


def of(order: Order, drops: tuple[str, ...] = ()) -> str:
    return fingerprint(order, "key", drops)


# --- the fingerprint

ONE_HOUR = timezone(timedelta(hours=1))


def moved(order: Order, **changes: Any) -> Order:
    return order.model_copy(update=changes)


def of_line(**changes: Any) -> Callable[[Order], Order]:
    return lambda order: moved(order, lines=(order.lines[0].model_copy(update=changes), *order.lines[1:]))


def of_ship_to(**changes: Any) -> Callable[[Order], Order]:
    return lambda order: moved(order, ship_to=order.ship_to.model_copy(update=changes))


SAME_PARCEL: dict[str, Callable[[Order], Order]] = {
    "the order of the lines": lambda order: moved(order, lines=order.lines[::-1]),
    "the revision": lambda order: moved(order, revision=7),
    "the currency": lambda order: moved(order, currency="EUR"),
    "a price": of_line(unit_price=Decimal(1)),
    "a description": of_line(description="Other words"),
    "a note": lambda order: moved(order, instructions="Ring twice", gift_message="Yours"),
    "when it was ordered": lambda order: moved(order, ordered_at=AT - timedelta(days=3)),
    "the purchase order": lambda order: moved(order, purchase_order="PO 1"),
    "line numbers and ids": of_line(line_number=9, line_id="99"),
    "the same instant elsewhere": lambda order: moved(order, ship_by=AT.astimezone(ONE_HOUR)),
}
ANOTHER_PARCEL: dict[str, Callable[[Order], Order]] = {
    "a SKU": of_line(sku="12"),
    "a quantity": of_line(quantity=3),
    "a unit": of_line(uom="CS"),
    "a lot": of_line(lot="L2"),
    "no lot": of_line(lot=None),
    "a line less": lambda order: moved(order, lines=order.lines[:1]),
    "a line twice": lambda order: moved(order, lines=(*order.lines, order.lines[0])),
    "the service": lambda order: moved(order, service="EXP"),
    "the latest dispatch": lambda order: moved(order, ship_by=AT + timedelta(seconds=1)),
    "the same hour, not the same instant": lambda order: moved(order, ship_by=AT.replace(tzinfo=ONE_HOUR)),
    "no latest dispatch": lambda order: moved(order, ship_by=None),
    "not before": lambda order: moved(order, ship_not_before=AT),
    "cancel after": lambda order: moved(order, cancel_after=AT),
    "a zero lost": of_ship_to(postal_code="2134"),
    "the country": of_ship_to(country="GB"),
    **{f"the ship-to's {name}": of_ship_to(**{name: "Other"}) for name in ShipTo.model_fields if name != "country"},
}


@pytest.mark.parametrize("change", SAME_PARCEL)
def test_what_does_not_make_another_parcel(change: str) -> None:
    order = plain_order()
    assert of(SAME_PARCEL[change](order)) == of(order)


@pytest.mark.parametrize("change", ANOTHER_PARCEL)
def test_what_makes_another_parcel(change: str) -> None:
    order = plain_order()
    assert of(ANOTHER_PARCEL[change](order)) != of(order)


def test_the_key_counts_and_what_a_file_cannot_carry_does_not() -> None:
    order = plain_order()
    assert fingerprint(order, "other") != of(order)
    drops = ("lines.lot", "ship_by", "ship_to.postal_code")
    assert of(order, drops) == of(without(order, drops), drops)
    assert of(order, drops) == of(of_ship_to(postal_code="other")(order), drops)
    assert of(order, drops) != of(order)


def test_a_fingerprint_is_the_hash_of_this_text() -> None:
    """Both sides and the ledger keep fingerprints: another way of making them would make every order another."""
    text = (
        '{"key":"key","lines":[{"lot":"L1","quantity":2,"sku":"0012","uom":"EA"},{"quantity":1,"sku":"0013","uom":"EA"}],'
        '"service":"STD","ship_by":"2026-11-23T14:00:00+00:00","ship_to":{"address1":"12 Sample Street",'
        '"city":"Boston","country":"US","name":"Ada Example","postal_code":"02134"}}'
    )
    assert of(plain_order()) == hashlib.sha256(text.encode()).hexdigest()


@given(orders(), st.randoms())
def test_line_order_and_offsets_never_count(order: Order, chance: Any) -> None:
    lines = list(order.lines)
    chance.shuffle(lines)
    zone = timezone(timedelta(minutes=chance.randrange(-839, 840)))
    dates = {
        name: value.astimezone(zone)
        for name in ("ship_not_before", "ship_by", "cancel_after")
        if (value := getattr(order, name)) is not None
    }
    assert of(moved(order, lines=tuple(lines), **dates)) == of(order)


# --- paths


def test_every_field_has_one_path_and_every_private_one_is_known() -> None:
    names = set(Order.model_fields) - {"ship_to", "lines"}
    names |= {f"ship_to.{name}" for name in ShipTo.model_fields} | {f"lines.{name}" for name in Line.model_fields}
    assert set(PATHS) == names
    assert set(PRIVATE_PATHS) <= names
    assert {path for path, info in PATHS.items() if info.private} == PRIVATE_PATHS
    assert {path for path, info in PATHS.items() if info.level == "line"} == {
        n for n in names if n.startswith("lines.")
    }


@given(orders())
def test_an_order_without_some_paths_has_their_defaults_and_all_else(order: Order) -> None:
    dropped = [path for path, info in PATHS.items() if not info.required]
    bare = without(order, dropped)
    for path, info in PATHS.items():
        expected = [info.default] * len(values_of(order, path)) if path in dropped else values_of(order, path)
        assert values_of(bare, path) == expected
    assert without(order, ()) == order


# --- values


@given(orders())
def test_an_order_goes_through_json_and_back(order: Order) -> None:
    text = order.model_dump_json()
    assert Order.model_validate_json(text).model_dump_json() == text
    assert "+00:00" not in text
    assert judge(order.model_dump()) == order
    assert order.units == sum(line["quantity"] for line in json.loads(text)["lines"])


REFUSED: list[tuple[str, Any, str]] = [
    ("order_id", "a b", "identifier-invalid"),
    ("order_id", "a\u00a0b", "identifier-invalid"),
    ("order_id", "a:b", "identifier-invalid"),
    ("order_number", " 1", "white-space"),
    ("order_number", "1\u3000", "white-space"),
    ("order_number", "1\n2", "control-character"),
    ("order_number", "1\ufeff", "control-character"),
    ("order_number", "10\u00ad01", "control-character"),  # looks like 1001 and would be another order
    ("order_id", "5001\u200b", "control-character"),
    ("group", "7\u2060", "control-character"),
    ("service", "a\u2028b", "control-character"),
    ("service", "a\u2066b", "bidi-character"),
    ("instructions", "a\tb", "control-character"),
    ("instructions", "a\r\nb", "control-character"),
    ("instructions", "a\u200fb", "bidi-character"),
    ("ordered_at", datetime(2026, 11, 23), "zone-missing"),
    ("ordered_at", datetime(2026, 11, 23, microsecond=1, tzinfo=UTC), "date-invalid"),
    ("ordered_at", datetime(2026, 11, 23, tzinfo=timezone(timedelta(seconds=90))), "date-invalid"),
    ("ordered_at", datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=14))), "date-invalid"),
    ("ordered_at", datetime(9999, 12, 31, 23, tzinfo=timezone(timedelta(hours=-14))), "date-invalid"),
    ("currency", "eur", "currency-unknown"),
    ("currency", None, "currency-missing"),
]
REFUSED_OF_LINE: list[tuple[str, Any, str]] = [
    ("sku", "TEE\u200d-1", "control-character"),
    ("gtin", "4006381333930", "gtin-invalid"),
    ("gtin", "٤٠٠٦٣٨١٣٣٣٩٣١", "gtin-invalid"),
    ("gtin", "", "gtin-invalid"),
    ("origin_country", "UK", "country-unknown"),
    ("expires_after", date(3000, 1, 1), "date-invalid"),
    ("unit_price", Decimal("-0.01"), "money-invalid"),
    ("unit_price", Decimal("-0"), "money-invalid"),
    ("unit_price", Decimal("0.0000001"), "money-invalid"),
    ("unit_price", Decimal("1E+3"), "money-invalid"),
    ("unit_price", Decimal("Infinity"), "finite_number"),
    ("unit_price", Decimal(10) ** 12, "money-invalid"),
    ("line_number", 2, "line-doubled"),
    ("line_id", "12", "line-doubled"),
]


def types_of(error: ValidationError) -> set[str]:
    return {item["type"] for item in error.errors()}


@pytest.mark.parametrize(("name", "value", "code"), REFUSED)
def test_an_order_refuses_what_it_cannot_hold(name: str, value: Any, code: str) -> None:
    with pytest.raises(ValidationError) as error:
        plain_order(**{name: value})
    assert types_of(error.value) == {code}
    assert code in CATALOGUE


@pytest.mark.parametrize(("name", "value", "code"), REFUSED_OF_LINE)
def test_a_line_refuses_what_it_cannot_hold(name: str, value: Any, code: str) -> None:
    first = plain_order().lines[0].model_dump() | {name: value}
    with pytest.raises(ValidationError) as error:
        plain_order(lines=(first, plain_order().lines[1]))
    assert types_of(error.value) == {code}


def test_identifiers_are_text_and_keep_their_zeros() -> None:
    order = plain_order(order_id="000000003", group="007")
    assert (order.order_id, order.group, order.lines[0].sku, order.ship_to.postal_code) == (
        "000000003", "007", "0012", "02134",
    )  # fmt: skip


def test_records_are_frozen_and_know_no_other_field() -> None:
    order = plain_order()
    with pytest.raises(ValidationError):
        order.service = "EXP"  # type: ignore[misc]
    with pytest.raises(ValidationError):
        Property(name="a", value="b", colour="red")  # type: ignore[call-arg]


# --- the sample


def test_the_same_arguments_give_the_same_sample() -> None:
    assert sample_orders(20, seed=3, at=AT) == sample_orders(20, seed=3, at=AT)
    assert sample_orders(20, seed=3, at=AT) != sample_orders(20, seed=4, at=AT)


def test_sample_orders_are_many_sided_and_all_apart() -> None:
    some = sample_orders(300, at=AT)
    assert len({order.order_id for order in some}) == len({order.order_number for order in some}) == 300
    assert {line.sku for order in some for line in order.lines} == set(SKUS)
    assert len({order.ship_to.country for order in some}) > 3
    assert {len(order.lines) for order in some} == {1, 2, 3}
    assert all(order.ordered_at < AT for order in some)
    for path in ("instructions", "gift_message", "ship_by", "lines.properties"):
        assert 0 < sum(any(values_of(order, path)) for order in some) < 300


def test_a_drill_s_sample_carries_its_marker() -> None:
    some = sample_orders(5, at=AT, marker="DRILL-", skus=["A"], service="EXP", brand="b", platform="p")
    assert all(order.order_number.startswith("DRILL-") and order.order_id.startswith("DRILL-") for order in some)
    assert {(order.brand, order.platform, order.service, len(order.lines)) for order in some} == {("b", "p", "EXP", 1)}
