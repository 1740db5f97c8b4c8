"""Payload files: read strictly, their platform guessed or named; our own orders come back as they went."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fallback.errors import FallbackError, WrongUse
from fallback.findings import CATALOGUE, Finding
from fallback.platforms import canonical, payload
from fallback.platforms.base import Eligibility, Excluded, Source
from fallback.platforms.payload import read_payload
from fallback.platforms.population import PLATFORMS, guess_platform, read_orders
from fallback.records.order import Line, Order, Property, ShipTo

NOW = datetime(2026, 11, 23, 15, 0, tzinfo=UTC)


def an_order(**change: Any) -> Order:
    values: dict[str, Any] = {
        "brand": "acme",
        "platform": "shopify",
        "order_id": "9001",
        "order_number": "#1042",
        "ordered_at": datetime(2026, 11, 23, 8, 12, 44, tzinfo=timezone(timedelta(hours=-5))),
        "currency": "USD",
        "ship_to": ShipTo(name="Nora Quill", address1="18 Harbor Street", city="Portland", country="US"),
        "service": "STD",
        "lines": (Line(line_id="501", line_number=1, sku="0012", quantity=2, unit_price=Decimal("19.90")),),
    }
    return Order(**(values | change))


def ours(*payloads: Any, brand: str = "acme", show: bool = False, **terms: Any) -> list[Order | Excluded | Finding]:
    sources = [Source(f"p{number}", content) for number, content in enumerate(payloads)]
    verb = canonical.orders(sources, brand=brand, eligibility=Eligibility(**terms), now=NOW, show_values=show)
    return list(verb)


def parsed(order: Order, **change: Any) -> dict[str, Any]:
    content: dict[str, Any] = read_payload(order.model_dump_json().encode())
    return content | change


# --- bytes --------------------------------------------------------------------------------------------------------


def test_numbers_are_exact() -> None:
    content = read_payload(b'{"price": 19.10, "id": 12345678901234567890, "zip": "02134"}')
    assert content == {"price": Decimal("19.10"), "id": 12345678901234567890, "zip": "02134"}
    assert str(content["price"]) == "19.10"


def test_json_lines_are_a_list() -> None:
    assert read_payload(b'{"a": 1}\r\n{"a": 2}\n\n') == [{"a": 1}, {"a": 2}]
    assert read_payload(b'{"a": 1}\n', "orders.jsonl") == [{"a": 1}]
    assert read_payload('{"a": "x\u2028y"}\n{"a": 2}'.encode()) == [{"a": "x\u2028y"}, {"a": 2}]


def test_a_byte_order_mark_of_json_is_nothing() -> None:
    assert read_payload(b"\xef\xbb\xbf[]") == []


@pytest.mark.parametrize(
    ("data", "name", "words"),
    [
        (b"", "p.json", "it is empty"),
        (b" \n", "p.jsonl", "it is empty"),
        (b'{"orders": [', "p.json", "not JSON at line 1, column 13"),
        (b"<html>", "p.json", "not JSON at line 1, column 1"),
        (b'{"a": 1}\n{"a": ', "p.json", "not JSON at line 2, column 7"),
        (b'{"a": 1}\n\n{"a": 2}', "p.jsonl", "line 2 is blank"),
        (b'{"a": 1}\n{"a": 1, "a": 2}', "p.jsonl", '"a" stands twice in one object in line 2'),
        (b'{"x y": 1, "x y": 2}', "p.json", "a key stands twice in one object"),
        (b'{"a":\n "caf\xe9"}', "p.json", "not UTF-8 at line 2"),
        ("{}".encode("utf-16"), "p.json", "it is UTF-16"),
        (b'{"a": NaN}', "p.json", "a number that is none"),
        (b'{"a": -Infinity}', "p.json", "a number that is none"),
        (b'{"a": ' + b"9" * 5000 + b"}", "p.json", "a number that is none"),
        (b"[" * 65 + b"]" * 65, "p.json", "nested deeper than 64"),
        (b'{"a":' * 70 + b"1" + b"}" * 70, "p.json", "nested deeper than 64"),
        (b"[" * 200_000, "p.json", "nested deeper than 64"),
    ],
)
def test_what_cannot_be_read_is_told_in_words(data: bytes, name: str, words: str) -> None:
    with pytest.raises(FallbackError) as caught:
        read_payload(data, name)
    assert (caught.value.code, caught.value.exit_code) == ("payload-unreadable", 3)
    assert caught.value.message.startswith(f"{name}: ")
    assert words in caught.value.message
    assert caught.value.hint


def test_nesting_up_to_the_limit_is_read() -> None:
    assert read_payload(b"[" * 64 + b"]" * 64)


def test_too_many_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(payload, "MAX_BYTES", 10)
    with pytest.raises(FallbackError, match="more than"):
        read_payload(b'"' + b"x" * 10 + b'"')


@given(st.binary(max_size=60) | st.text(max_size=60).map(str.encode))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    try:
        read_payload(data)
    except FallbackError as error:
        assert error.code == "payload-unreadable"


# --- platforms ----------------------------------------------------------------------------------------------------


def test_the_platform_is_guessed() -> None:
    shopify = Source("a.json", {"orders": [{"id": 1, "financial_status": "paid"}]})
    mine = Source("b.jsonl", [parsed(an_order())])
    empty = Source("c.json", [])
    assert guess_platform([shopify, empty]) == "shopify"
    assert guess_platform([mine]) == "canonical"
    for sources, words in (
        ([shopify, mine], "a.json is of shopify, b.jsonl is of canonical"),
        ([empty], "nothing to tell its platform by"),
        ([Source("d.json", {"fulfillment": {"id": 1, "order_id": 2, "line_items": []}})], "d.json: not of a platform"),
        ([Source("e.json", [{"id": 1, "status": "processing", "line_items": [], "billing": {}}])], "e.json: not of"),
        ([Source("f.json", "text")], "f.json: not of a platform"),
    ):
        with pytest.raises(FallbackError) as caught:
            guess_platform(sources)
        assert caught.value.code == "payload-unreadable"
        assert words in caught.value.message


def test_read_orders_sorts_what_it_finds(tmp_path: Path) -> None:
    good, bad = parsed(an_order()), parsed(an_order(order_id="9002", order_number="#1043"), service="")
    excluded = parsed(an_order(order_id="9003", service="PALLET"))
    (tmp_path / "one.jsonl").write_text("\n".join(json.dumps(item, default=str) for item in (good, bad)), "utf-8")
    (tmp_path / "two.json").write_text(json.dumps([excluded], default=str), "utf-8")
    population = read_orders(
        [tmp_path / "one.jsonl", str(tmp_path / "two.json")],
        brand="acme",
        eligibility=Eligibility(services_excluded=("PALLET",)),
        now=NOW,
    )
    assert population.platform == "canonical"
    assert population.orders == (an_order(),)
    assert population.excluded == (
        Excluded("refused-here", "shopify", "9002", "#1043"),
        Excluded("service-excluded", "shopify", "9003", "#1042"),
    )
    (finding,) = population.findings
    assert (finding.code, finding.path, finding.order) == ("value-missing", "service", "#1043")
    assert (finding.place.file, finding.place.record, finding.place.pointer) == ("one.jsonl", 2, "$[1].service")


def test_a_named_platform_is_not_guessed(tmp_path: Path) -> None:
    file = tmp_path / "empty.json"
    file.write_text("[]", "utf-8")
    terms = {"brand": "acme", "eligibility": Eligibility(), "now": NOW}
    for name in PLATFORMS:
        assert read_orders([file], platform=name, **terms).orders == ()  # type: ignore[arg-type]
    with pytest.raises(WrongUse, match="no platform woocommerce"):
        read_orders([file], platform="woocommerce", **terms)  # type: ignore[arg-type]
    with pytest.raises(WrongUse, match="offset from UTC"):
        read_orders([file], brand="acme", eligibility=Eligibility(), now=NOW.replace(tzinfo=None))
    for missing in (tmp_path / "absent.json", tmp_path):
        with pytest.raises(FallbackError) as caught:
            read_orders([missing], **terms)  # type: ignore[arg-type]
        assert caught.value.code == "file-unreadable"


# --- our own orders -----------------------------------------------------------------------------------------------


def words(limit: int) -> st.SearchStrategy[str]:
    letters = st.characters(exclude_categories=("C", "Z"), exclude_characters=":")
    return st.text(letters, min_size=1, max_size=limit).filter(lambda text: text == text.strip())


maybe = st.none() | words(30)
instants = st.datetimes(
    datetime(1971, 1, 1),
    datetime(2998, 1, 1),
    timezones=st.sampled_from([UTC, timezone(timedelta(hours=5, minutes=30))]),
).map(lambda moment: moment.replace(microsecond=0))
notes = st.none() | st.lists(words(20), min_size=1, max_size=3).map("\n".join)
lines = st.builds(
    Line,
    line_id=words(20),
    line_number=st.just(1),
    sku=words(64),
    gtin=st.sampled_from([None, "4006381333931"]),
    description=maybe,
    quantity=st.integers(1, 999_999),
    uom=st.sampled_from(["EA", "CS"]),
    unit_price=st.none() | st.decimals(0, 10**6, places=2).filter(lambda price: not price.is_signed()),
    lot=maybe,
    expires_after=st.none() | st.dates(date(1970, 1, 1), date(2999, 12, 31)),
    hs_code=st.sampled_from([None, "610910"]),
    origin_country=st.sampled_from([None, "PT"]),
    properties=st.lists(st.builds(Property, name=words(10), value=words(10)), max_size=2).map(tuple),
)
orders = st.builds(
    Order,
    brand=words(20),
    platform=words(20),
    order_id=words(20),
    order_number=words(20),
    group=words(20),
    revision=st.integers(1, 999),
    ordered_at=instants,
    ship_not_before=st.none() | instants,
    ship_by=st.none() | instants,
    cancel_after=st.none() | instants,
    purchase_order=maybe,
    currency=st.just("EUR"),
    ship_to=st.builds(
        ShipTo,
        name=words(50),
        company=maybe,
        address1=words(50),
        address2=maybe,
        address3=maybe,
        city=words(50),
        region=maybe,
        postal_code=maybe,
        country=st.sampled_from(["US", "ES"]),
        phone=maybe,
        email=maybe,
    ),
    service=words(20),
    carrier=maybe,
    instructions=notes,
    gift_message=notes,
    lines=st.lists(lines, min_size=1, max_size=3).map(
        lambda some: tuple(
            one.model_copy(update={"line_number": number, "line_id": f"{number}-{one.line_id}"[:20]})
            for number, one in enumerate(some, 1)
        )
    ),
)


@given(st.lists(orders, max_size=3, unique_by=lambda order: (order.platform, order.order_id, order.group)))
def test_our_own_orders_come_back_as_they_went(some: list[Order]) -> None:
    mine = [order.model_copy(update={"brand": "acme"}) for order in some]
    data = "".join(order.model_dump_json() + "\n" for order in mine).encode()
    if mine:
        assert ours(read_payload(data, "orders.jsonl")) == mine
        assert ours(*(read_payload(order.model_dump_json().encode()) for order in mine)) == mine
        assert canonical.recognises(read_payload(data, "orders.jsonl"))


def test_an_order_twice_goes_once_and_two_versions_not_at_all() -> None:
    first, second = parsed(an_order()), parsed(an_order(service="EXP"))
    assert ours([first], first) == [an_order()]
    results = ours([first, second])
    assert [result.code for result in results if not isinstance(result, Order)] == ["payload-doubled", "refused-here"]
    assert len(results) == 2
    assert len(ours([first, parsed(an_order(group="7"))])) == 2


def test_an_order_of_another_brand_is_refused() -> None:
    finding, left_out = ours(parsed(an_order()), brand="other")
    assert isinstance(finding, Finding)
    assert (finding.code, finding.found, finding.expected) == ("brand-wrong", '"acme"', '"other"')
    assert left_out == Excluded("refused-here", "shopify", "9001", "#1042")


@pytest.mark.parametrize(
    ("change", "code", "pointer"),
    [
        ({"ordered_at": "2026-11-23T08:12:44"}, "zone-missing", "$.ordered_at"),
        ({"ordered_at": "2026-11-23T08:12:44.5Z"}, "date-invalid", "$.ordered_at"),
        ({"ordered_at": 1763903564}, "date-invalid", "$.ordered_at"),
        ({"order_id": 9001}, "value-malformed", "$.order_id"),
        ({"revision": Decimal("1.0")}, "number-invalid", "$.revision"),
        ({"colour": "green"}, "value-malformed", "$.colour"),
        ({"a long key: with a name": 1}, "value-malformed", "$[?]"),
        ({"lines": []}, "value-missing", "$.lines"),
        ({"lines": [7]}, "value-malformed", "$.lines[0]"),
        ({"ship_to": None}, "value-missing", "$.ship_to"),
    ],
)
def test_our_own_orders_are_read_strictly(change: dict[str, Any], code: str, pointer: str) -> None:
    finding, *rest = ours(parsed(an_order(), **change))
    assert isinstance(finding, Finding)
    assert (finding.code, finding.place.pointer) == (code, pointer)
    assert rest == ([] if "order_id" in change else [Excluded("refused-here", "shopify", "9001", "#1042")])


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"quantity": "2"}, "number-invalid"),
        ({"quantity": 0}, "number-out-of-range"),
        ({"unit_price": "19,90"}, "money-invalid"),
        ({"unit_price": " 19.90"}, "money-invalid"),
        ({"unit_price": True}, "money-invalid"),
        ({"expires_after": "20261123"}, "date-invalid"),
        ({"expires_after": "2026-02-30"}, "date-invalid"),
        ({"expires_after": 5}, "date-invalid"),
    ],
)
def test_their_lines_too(change: dict[str, Any], code: str) -> None:
    content = parsed(an_order())
    content["lines"][0] |= change
    finding = ours([content])[0]
    assert isinstance(finding, Finding)
    name = next(iter(change))
    assert (finding.code, finding.path, finding.place.pointer, finding.order_line) == (
        code,
        f"lines.{name}",
        f"$[0].lines[0].{name}",
        1,
    )


def test_a_persons_values_stay_hidden() -> None:
    content = parsed(an_order())
    content["ship_to"] |= {"name": " Nora Quill", "email": "nora@example.com" * 30}
    hidden, shown = ours(content), ours(content, show=True)
    assert not any("Nora" in str(result) or "nora@" in str(result) for result in hidden)
    assert any("Nora" in str(result) for result in shown)


anything = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(max_size=8)
    | st.decimals(allow_nan=False, allow_infinity=False),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from([*Order.model_fields, *Line.model_fields]) | st.text(max_size=3), inner)
    ),
    max_leaves=10,
)


@given(anything, st.sampled_from([*Order.model_fields, None]))
def test_whatever_json_comes_the_answer_is_values(content: Any, name: str | None) -> None:
    item = content if name is None else parsed(an_order(), **{name: content})
    canonical.recognises(item)
    for result in ours(item, [item]):
        if not isinstance(result, Order):
            assert result.code in CATALOGUE
