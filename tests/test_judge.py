"""The judge: every problem at once, each with a code of the catalogue, in plain words, one cause once."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fallback.findings import CATALOGUE
from fallback.records.judge import Problem, judge
from fallback.records.order import Order


def good() -> dict[str, Any]:
    return {
        "brand": "acme",
        "platform": "shopify",
        "order_id": "5551001",
        "order_number": "#1001",
        "ordered_at": datetime(2026, 11, 23, 14, tzinfo=UTC),
        "currency": "USD",
        "service": "STD",
        "ship_to": {"name": "Ann Example", "address1": "1 Main St", "city": "Boston", "country": "US"},
        "lines": [
            {"line_id": "11", "line_number": 1, "sku": "0012", "quantity": 2, "unit_price": Decimal("19.90")},
            {"line_id": "12", "line_number": 2, "sku": "0013", "quantity": 1},
        ],
    }


def changed(loc: tuple[str | int, ...], value: Any) -> dict[str, Any]:
    data = good()
    target: Any = data
    for part in loc[:-1]:
        target = target[part]
    target[loc[-1]] = value
    return data


def test_good_data_is_an_order() -> None:
    order = judge(good())
    assert isinstance(order, Order)
    assert order.units == 3


CASES: list[tuple[tuple[str | int, ...], Any, str, str]] = [
    (("order_id",), None, "value-missing", "a value"),
    (("order_id",), "", "value-missing", "a value"),
    (("order_id",), 5, "value-malformed", "text"),
    (("order_id",), "a:b", "identifier-invalid", "an identifier without white space or colon"),
    (("order_number",), "9" * 65, "value-too-long", "at most 64 characters"),
    (("order_number",), "a\ud800", "control-character", "whole characters: half of a surrogate pair cannot be written"),
    (("instructions",), "x" * 5001, "value-too-long", "at most 5,000 characters"),
    (("revision",), 0, "number-out-of-range", "a whole number between 1 and 999"),
    (("ordered_at",), "2026-11-23", "date-invalid", "a date and time such as 2026-11-23T14:00:00+01:00"),
    (("ordered_at",), datetime(2026, 1, 1), "zone-missing", "a date and time with its offset from UTC"),
    (("currency",), "DOLLARS", "currency-unknown", "an ISO 4217 currency code in capitals, such as USD or EUR"),
    (("ship_to",), 5, "value-malformed", "a group of named values"),
    (("ship_to",), None, "value-missing", "a value"),
    (("ship_to", "name"), "A\u202eB", "bidi-character", "no characters that reverse the direction of text"),
    (("ship_to", "city"), " Boston", "white-space", "no white space at the beginning or end"),
    (("lines",), [], "value-missing", "at least one"),
    (("lines",), "x", "value-malformed", "a list"),
    (("lines",), None, "value-missing", "a value"),
    (("lines", 1, "quantity"), 0, "number-out-of-range", "a whole number between 1 and 999,999"),
    (("lines", 1, "quantity"), 10**40, "number-out-of-range", "a whole number between 1 and 999,999"),
    (("lines", 1, "quantity"), True, "number-invalid", "a whole number"),
    (("lines", 1, "quantity"), "1,000", "number-invalid", "a whole number"),
    (("lines", 1, "quantity"), 1.0, "number-invalid", "a whole number"),
    (("lines", 1, "unit_price"), 1.5, "money-invalid", "an amount such as 19.90"),
    (("lines", 1, "unit_price"), Decimal("NaN"), "money-invalid", "an amount such as 19.90"),
    (("lines", 1, "expires_after"), "soon", "date-invalid", "a date such as 2026-11-23"),
    (("lines", 1, "expires_after"), date(1900, 1, 1), "date-invalid", "a date between 1970 and 2999"),
    (("lines", 1, "uom"), "each", "value-malformed", "one to three capitals or digits, such as EA"),
    (("lines", 1, "hs_code"), "61.09", "value-malformed", "6 to 12 digits without dots"),
    (("lines", 1, "gtin"), "4006381333930", "gtin-invalid", "8, 12, 13 or 14 digits with a right check digit"),
    (("lines", 1, "colour"), "green", "value-malformed", "no field of this name"),
]


@pytest.mark.parametrize(("loc", "value", "code", "expected"), CASES)
def test_one_cause_is_one_problem(loc: tuple[str | int, ...], value: Any, code: str, expected: str) -> None:
    problems = judge(changed(loc, value))
    absent = value in (None, "") and code == "value-missing"
    assert problems == [Problem(code, loc, expected, None if absent or value == [] else value)]


def test_what_concerns_the_whole_order_has_no_place_and_no_value() -> None:
    data = changed(("currency",), None)
    assert judge(data) == [Problem("currency-missing", (), "a currency where lines have prices")]
    doubled = changed(("lines", 1, "line_number"), 1)
    assert judge(doubled) == [Problem("line-doubled", (), "each line number once in an order")]


def test_everything_wrong_is_told_at_once() -> None:
    data = changed(("lines", 0, "quantity"), 0)
    del data["ship_to"]["name"]
    del data["lines"][1]["sku"]
    problems = judge(data)
    assert isinstance(problems, list)
    assert [(problem.code, problem.path) for problem in problems] == [
        ("value-missing", "ship_to.name"),
        ("number-out-of-range", "lines.quantity"),
        ("value-missing", "lines.sku"),
    ]


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.decimals() | st.datetimes(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
FIELDS: list[tuple[str | int, ...]] = [
    *((name,) for name in Order.model_fields),
    *(("ship_to", name) for name in Order.model_fields["ship_to"].annotation.model_fields),  # type: ignore[union-attr]
    *(("lines", 1, name) for name in ("line_id", "line_number", "sku", "quantity", "unit_price", "properties", "lot")),
    ("lines", 1),
]


@given(st.sampled_from(FIELDS), anything)
def test_whatever_stands_in_a_field_the_judge_answers(loc: tuple[str | int, ...], value: Any) -> None:
    result = judge(changed(loc, value))
    if isinstance(result, list):
        assert result
        for problem in result:
            assert problem.code in CATALOGUE
            assert problem.expected
            assert "{" not in problem.expected
