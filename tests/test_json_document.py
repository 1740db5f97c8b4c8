"""One JSON document: whole or refused; its count is a number that fits."""

from __future__ import annotations

import json
from typing import Any

import pytest

from fallback.formats.library import load_format
from kinds_kit import accepted, codes, findings, golden, look, orders, short

NAME = "order-json"
FMT = load_format(NAME)
GOOD = golden(NAME)


def document(**changes: Any) -> bytes:
    return json.dumps(json.loads(GOOD) | changes).encode()


@pytest.mark.parametrize(
    "bad",
    [
        GOOD[: len(GOOD) // 2],
        GOOD[:-3],
        GOOD + GOOD,
        GOOD.rstrip()[:-2] + b",]}",
        GOOD.replace(b'"orders":', b'"orders":[],"orders":', 1),
        GOOD.replace(b'"brand":', b'"brand":"other","brand":', 1),
        GOOD.replace(b'"quantity":', b'"quantity":NaN,"x":', 1),
        GOOD.replace(b'"orders":[', b'"orders":' + b"[" * 100_000, 1),
        GOOD.replace(b'"orders":[', b'"orders":[' + b'{"a":' * 100_000, 1),
        b'{"orderCount":' + b"9" * 5000 + b',"orders":[]}',
        b"[]",
        b"{}",
        b'"orders"',
        b'{"orders":{}}',
        b"{",
    ],
    ids=short,
)
def test_what_is_no_whole_document_is_refused(bad: bytes) -> None:
    content = look(FMT, bad)
    assert codes(content) == ["document-invalid"]
    assert content.orders == ()


def test_a_document_that_is_cut_says_where() -> None:
    cut = GOOD[: GOOD.index(b"\n", len(GOOD) // 2) + 20]
    assert look(FMT, cut).findings[0].place.line == cut.count(b"\n") + 1


@pytest.mark.parametrize("count", [5, 7, 0, -6, "6", 6.0, True, None, [6], 10**400])
def test_a_count_that_differs_or_is_no_number_refuses_the_file(count: Any) -> None:
    content = look(FMT, document(orderCount=count))
    assert codes(content) == ["trailer-differs"]
    assert len(str(content.findings[0].found)) < 80
    assert accepted(content) == []


def test_one_order_is_not_counted_by_a_truth() -> None:
    one = json.loads(GOOD)["orders"][:1]
    assert codes(look(FMT, document(orders=one, orderCount=1))) == []
    assert codes(look(FMT, document(orders=one, orderCount=True))) == ["trailer-differs"]


def test_a_lost_or_doubled_order_is_counted() -> None:
    all_of_them = json.loads(GOOD)["orders"]
    assert codes(look(FMT, document(orders=all_of_them[1:]))) == ["trailer-differs"]
    assert codes(look(FMT, document(orders=all_of_them[:1] + all_of_them))) == ["trailer-differs"]


def test_a_member_that_is_not_declared_is_told() -> None:
    assert codes(look(FMT, document(test=True))) == ["column-unknown"]


@pytest.mark.parametrize("item", [None, 5, "order", [], True])
def test_what_is_no_order_is_refused_by_its_place(item: Any) -> None:
    all_of_them = json.loads(GOOD)["orders"]
    content = look(FMT, document(orders=[all_of_them[0], item], orderCount=2))
    assert codes(content) == ["json-invalid"]
    assert content.orders[1].place.record == 2
    assert accepted(content) == list(orders(NAME))[:1]


def test_a_document_that_was_laid_out_anew_is_the_same() -> None:
    for text in (json.dumps(json.loads(GOOD), indent=2), json.dumps(json.loads(GOOD), sort_keys=True)):
        content = look(FMT, text.replace("\n", "\r\n").encode())
        assert findings(content) == []
        assert accepted(content) == list(orders(NAME))
