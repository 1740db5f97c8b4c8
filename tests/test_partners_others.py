"""More partners' formats: Shopify's export, ShipStream, ShipStation, Odoo, Quiet and Peoplevox, and their words."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fallback.errors import FallbackError
from fallback.formats.defaults import as_carried
from fallback.formats.describe import describe
from fallback.formats.library import load_format, shipped_folder
from fallback.formats.read import ReadFile, read
from fallback.formats.samples import samples
from fallback.formats.scope import sheet
from fallback.formats.soundness import mistakes
from fallback.formats.spec import Format
from fallback.formats.write import Written, write
from fallback.records.order import Order
from fallback.validation import validate

WRITTEN = ("shipstream-redstag-csv", "shipstation-csv", "odoo-sale-order-csv", "quiet-shipment-order-xml", "peoplevox")
CODES = dict.fromkeys(("client", "business_unit", "odoo_partner", "peoplevox_customer"), "C1")
NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
SHOPIFY = load_format("shopify-orders-csv")


def own_orders(name: str) -> list[Order]:
    """The orders beside a format, of people who do not exist."""
    lines = (shipped_folder() / name / "orders.jsonl").read_text("utf-8").splitlines()
    return [Order.model_validate_json(line) for line in lines]


def files(fmt: Format, *orders: Order) -> list[Written]:
    """The orders in as many files as the partner wants."""
    step = fmt.max_orders or len(orders)
    return [write(fmt, orders[at : at + step], codes=CODES) for at in range(0, len(orders), step)]


def back(fmt: Format, data: bytes | Mapping[str, bytes]) -> ReadFile:
    return read(fmt, data, name="file", codes=CODES, defaults={"brand": "acme"})


def edited(fmt: Format, data: bytes, old: str, new: str) -> ReadFile:
    text = data.decode()
    assert old in text, text
    return back(fmt, text.replace(old, new, 1).encode())


def told(content: ReadFile) -> list[tuple[str, str | None]]:
    """What is found in a file, about it and about its orders."""
    found = [*content.findings, *(finding for one in content.orders for finding in one.findings)]
    return [(finding.code, finding.field) for finding in found]


def altered(fmt: Format, **changes: Any) -> Format:
    return Format.model_validate({**fmt.model_dump(), **changes})


def refielded(fmt: Format, name: str, **changes: Any) -> Format:
    """A format of which one field has other terms."""
    fields = [{**f.model_dump(), **(changes if f.name == name else {})} for f in fmt.fields]
    return altered(fmt, fields=fields)


@pytest.mark.parametrize("name", WRITTEN)
def test_a_formats_own_orders_go_through_it(name: str) -> None:
    fmt, orders = load_format(name), own_orders(name)
    assert 5 <= len(orders) <= 8
    carried = [as_carried(order, fmt) for order in orders]
    found = []
    for done in files(fmt, *carried):
        assert done.findings == ()
        content = back(fmt, done.parts)
        assert told(content) == []
        found += [one.order for one in content.orders]
    assert found == carried


REFUSED = {
    "shipstream-redstag-csv": {"lines.properties"},
    "shipstation-csv": {"lines.properties"},
    "odoo-sale-order-csv": {"lines.properties"},
    "quiet-shipment-order-xml": {"lines.properties", "gift_message", "ship_to.name", "ship_to.address1"},
    "peoplevox": {"lines.properties", "gift_message", "instructions"},
}


@pytest.mark.parametrize("name", WRITTEN)
@given(seed=st.integers(0, 10_000))
def test_sample_orders_come_back_or_are_refused_for_a_reason(name: str, seed: int) -> None:
    fmt = load_format(name)
    for done in files(fmt, *samples(fmt, 12, at=NOON, seed=seed)):
        assert {finding.path for finding in done.findings} <= REFUSED[name]
        if done.orders:
            content = back(fmt, done.parts)
            assert told(content) == []
            assert [one.order for one in content.orders] == list(done.orders)


@pytest.mark.parametrize("name", [*WRITTEN, "shopify-orders-csv"])
def test_the_page_says_what_nobody_could_verify(name: str) -> None:
    fmt = load_format(name)
    page = describe(fmt)
    assert fmt.status == "unverified"
    assert re.search("[Uu]nverified: ", page)
    assert all(note in page for note in fmt.notes)
    assert ("order_lines" in fmt.carried) == (fmt.uncounted is None)
    assert len(sheet(fmt)) == len(fmt.all_fields)
    assert "https://" not in (shipped_folder() / name / "format.toml").read_text("utf-8")


# --- Shopify's export


def sample() -> bytes:
    return (shipped_folder() / "shopify-orders-csv" / "sample.csv").read_bytes()


def test_shopifys_export_is_read_by_name_and_filled_down_by_name() -> None:
    content = back(SHOPIFY, sample())
    assert content.findings == ()
    assert [one.order for one in content.orders if one.order] == own_orders("shopify-orders-csv")
    assert len(sample().split(b"\n", 1)[0].split(b",")) == 79


def test_what_the_export_cannot_say_needs_the_api() -> None:
    refused = {one.number: one.findings for one in back(SHOPIFY, sample()).orders if one.order is None}
    assert {number: [(f.code, f.field) for f in found] for number, found in refused.items()} == {
        "#1003": [("needs-api", "Lineitem requires shipping")],
        "#1005": [("needs-api", "Fulfillment Status")],
        "#1007": [("needs-api", "Fulfillment Status")],
        "#1008": [("needs-api", "Financial Status")],
        "#1009": [("needs-api", "Financial Status")],
    }
    assert refused["#1003"][0].order_line == 2
    assert refused["#1008"][0].expected == '"paid" or "authorized"'


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("Cancelled at", "2026-11-23 05:10:00 -0500"),
        ("Refunded Amount", "4.00"),
        ("Fulfillment Status", ""),
        ("Lineitem fulfillment status", "fulfilled"),
    ],
)
def test_one_word_about_a_refund_or_a_shipment_keeps_the_order_from_the_floor(column: str, value: str) -> None:
    header, row = (line.split(",") for line in _one_order().decode().splitlines()[:2])
    row[header.index(column)] = value
    content = back(SHOPIFY, f"{','.join(header)}\n{','.join(row)}\n".encode())
    assert told(content) == [("needs-api", column)]


def _one_order() -> bytes:
    lines = sample().decode().splitlines(keepends=True)
    return "".join([lines[0], *(line for line in lines if line.startswith("#1006"))]).encode()


def _columns(without: set[str]) -> bytes:
    rows = [line.split(",") for line in _one_order().decode().splitlines()]
    kept = [index for index, name in enumerate(rows[0]) if name not in without]
    return "".join(",".join(row[index] for index in kept) + "\n" for row in rows).encode()


def test_absent_columns_that_nobody_needs_are_no_matter() -> None:
    header = sample().split(b"\n", 1)[0].decode().split(",")
    content = back(SHOPIFY, _columns({"Refunded Amount", *header[header.index("Id") + 1 :]}))
    assert told(content) == []
    assert content.orders[0].order is not None


@pytest.mark.parametrize("column", ["Id", "Cancelled at", "Fulfillment Status"])
def test_a_column_that_says_what_may_ship_must_be_there(column: str) -> None:
    assert told(back(SHOPIFY, _columns({column}))) == [("column-missing", column)]


def test_a_row_of_data_in_place_of_the_header_is_told() -> None:
    assert told(back(SHOPIFY, sample().split(b"\n", 1)[1])) == [("header-missing", None)]


def test_orders_that_share_a_name_are_all_refused() -> None:
    data = (shipped_folder() / "shopify-orders-csv" / "bad" / "order-fields-differ.csv").read_bytes()
    content = back(SHOPIFY, data)
    assert {code for code, _ in told(content)} == {"order-fields-differ"}
    assert [one.order for one in content.orders] == [None]
    assert "Id" in str(content.orders[0].findings[0].field)
    assert "Fulfillment Status" not in str(content.orders[0].findings[0].field)  # a later row may leave it out


def test_a_later_row_without_its_order_refuses_the_file() -> None:
    """The order that it was torn from would be a smaller, valid one: nothing counts its lines."""
    content = edited(SHOPIFY, sample(), "\n#1010,olive@example.com,,", "\n#9010,olive@example.com,,")
    assert [finding.code for finding in content.findings] == ["line-orphan"]
    assert content.findings[0].refuses_file


def test_shopifys_export_is_never_written() -> None:
    with pytest.raises(FallbackError) as caught:
        write(SHOPIFY, own_orders("shopify-orders-csv"))
    assert caught.value.code == "format-read-only"
    assert validate(sample(), format=SHOPIFY, name="orders_export_1.csv").verdict != "accepted"


# --- rows that follow their order


def odoo() -> tuple[Format, bytes]:
    fmt = load_format("odoo-sale-order-csv")
    return fmt, files(fmt, *own_orders(fmt.name))[0].data


def test_a_row_after_an_orders_first_has_nothing_of_the_order() -> None:
    _, data = odoo()
    rows = data.decode().splitlines()
    assert rows[1].startswith("order_5550000001001,#1001,")
    assert rows[2].startswith("," * 21 + "line_55500000010012,0012,3")


def test_a_following_row_that_is_lost_is_noticed_by_the_count() -> None:
    fmt, data = odoo()
    lines = data.decode().splitlines(keepends=True)
    assert told(back(fmt, "".join(lines[:2] + lines[3:]).encode())) == [("line-count", "x_order_lines")]
    # the first row of an order lost: its other row would be one more line of the order above
    at = next(index for index, line in enumerate(lines) if line.startswith("order_5550000001004"))
    assert told(back(fmt, "".join(lines[:at] + lines[at + 1 :]).encode())) == [("line-count", "x_order_lines")]


def test_a_damaged_row_refuses_a_file_whose_rows_only_their_place_ties() -> None:
    fmt, data = odoo()
    content = edited(fmt, data, "MUG-11OZ,12\n", "MUG-11OZ,12,\n")
    assert any(finding.code == "row-cells" and finding.refuses_file for finding in content.findings)
    header, rest = data.decode().split("\n", 1)
    headless = back(fmt, f"{header}\n{rest.split(chr(10), 1)[1]}".encode())
    assert headless.findings[0].code == "line-orphan"
    assert headless.findings[0].refuses_file


def test_an_order_that_stands_twice_is_two_orders_and_not_a_larger_one() -> None:
    fmt, data = odoo()
    lines = data.decode().splitlines(keepends=True)
    at = next(index for index, line in enumerate(lines) if line.startswith("order_3,"))
    content = back(fmt, "".join([*lines[: at + 1], *lines[at:]]).encode())
    assert [len(one.line_places) for one in content.orders if one.number == "000000003"] == [1, 1]
    report = validate("".join([*lines[: at + 1], *lines[at:]]).encode(), format=fmt, name="x.csv")
    assert "order-doubled" in {finding.code for finding in report.findings}


def test_a_prefix_is_no_part_of_the_value() -> None:
    fmt, data = odoo()
    content = edited(fmt, data, "order_3,", "3,")
    assert ("value-malformed", "id") in told(content)
    refused = next(one for one in edited(fmt, data, ",EXP,1,", ",,1,").orders if one.order is None)
    assert dict(refused.identity)["order_id"] == "3"


# --- a text in two fields, a value in two fields, the root that is the order


@pytest.mark.parametrize("name", ["Bo", "Ada Example", "Ada  Maria de la Example"])
def test_a_name_in_two_fields_comes_back_whole(name: str) -> None:
    fmt = load_format("shipstream-redstag-csv")
    order = own_orders(fmt.name)[0]
    order = as_carried(order.model_copy(update={"ship_to": order.ship_to.model_copy(update={"name": name})}), fmt)
    done = files(fmt, order)[0]
    assert f",{name.rpartition(' ')[0]},{name.rpartition(' ')[2]}," in done.data.decode()
    assert back(fmt, done.data).orders[0].order == order


def test_an_order_without_a_name_in_either_field_is_refused_once() -> None:
    fmt = load_format("shipstream-redstag-csv")
    data = files(fmt, own_orders(fmt.name)[0])[0].data
    assert [code for code, _ in told(edited(fmt, data, ",Ada,Example,", ",,,"))] == ["value-missing"]


def quiet() -> tuple[Format, bytes]:
    fmt = load_format("quiet-shipment-order-xml")
    return fmt, files(fmt, own_orders(fmt.name)[0])[0].data


def test_the_root_of_quiets_document_is_the_order() -> None:
    fmt, data = quiet()
    text = data.decode()
    assert text.startswith('<?xml version="1.0" encoding="US-ASCII"?>\n<ShipOrderDocument xmlns="http://schemas.')
    assert text.count('Address1="12 Sample Street"') == 2
    with pytest.raises(FallbackError) as caught:
        write(fmt, own_orders(fmt.name)[:2], codes=CODES)
    assert caught.value.code == "orders-over-limit"


@pytest.mark.parametrize(
    ("old", "new", "field"),
    [
        ('QuantityOrdered="3"', 'QuantityOrdered="30"', "OrderDetails/@QuantityOrdered"),
        ('QuantityToShip="3"', 'QuantityToShip="30"', "OrderDetails/@QuantityOrdered"),
        ('<BillTo Contact="Ada Example"', '<BillTo Contact="Bo Template"', "OrderHeader/BillTo/@Contact"),
        ("<BillTo Contact", '<BillTo Company="Example Ltd." Contact', "OrderHeader/BillTo/@Company"),
    ],
)
def test_what_stands_twice_must_be_the_same(old: str, new: str, field: str) -> None:
    fmt, data = quiet()
    content = edited(fmt, data, old, new)
    assert told(content) == [("value-wrong", field)]
    finding = content.orders[0].findings[0]
    assert finding.order_line == (2 if "Quantity" in field else None)
    assert "Template" not in str(finding.found)


def test_another_root_or_namespace_is_refused() -> None:
    fmt, data = quiet()
    assert ("header-missing", None) in told(edited(fmt, data, "V2/ShipmentOrder.xsd", "V3/ShipmentOrder.xsd"))
    renamed = data.replace(b"ShipOrderDocument", b"ShipOrderCancelDocument")
    assert ("header-missing", None) in told(back(fmt, renamed))


# --- the rules of the words


@pytest.mark.parametrize(
    ("name", "field", "changes", "words"),
    [
        ("shipstream-redstag-csv", "sku", {"only": ("A",)}, "exactly one of path"),
        ("shipstream-redstag-csv", "company", {"path": None, "only": ("A",)}, "never written"),
        ("shipstream-redstag-csv", "company", {"per_line": True}, "per_line is for fields with only"),
        ("shipstream-redstag-csv", "lastname", {"part": "first"}, "stands in 2 fields"),
        ("shipstream-redstag-csv", "lastname", {"path": "ship_to.address3"}, "one for the last"),
        ("shipstream-redstag-csv", "qty", {"prefix": "q"}, "part and prefix are for texts"),
        ("quiet-shipment-order-xml", "OrderHeader/BillTo/@City", {"again": False}, "stands in 2 fields"),
        ("quiet-shipment-order-xml", "ClientID", {"code": None, "path": "carrier", "again": True}, ""),
        ("quiet-shipment-order-xml", "ClientID", {"code": None, "path": "group", "again": True}, "another field"),
    ],
)
def test_a_word_used_wrongly_is_named(name: str, field: str, changes: dict[str, Any], words: str) -> None:
    found = mistakes(refielded(load_format(name), field, **changes))
    assert (not found) if not words else any(words in one for one in found), found


@pytest.mark.parametrize(
    ("name", "changes", "words"),
    [
        ("quiet-shipment-order-xml", {"max_orders": None}, "xml.order"),
        ("shipstation-csv", {"row_order": {"follow": True}}, "first-line"),
        ("odoo-sale-order-csv", {"row_order": {"follow": True, "tied_by": ("order_id",)}}, "not both"),
        ("shipstream-redstag-csv", {"row_order": {"tied_by": ("group",)}}, "row_order.tied_by: group"),
        ("shipstream-redstag-csv", {"uncounted": None}, "order_lines"),
    ],
)
def test_terms_that_cannot_work_are_named(name: str, changes: dict[str, Any], words: str) -> None:
    found = mistakes(altered(load_format(name), **changes))
    assert any(words in one for one in found), found
