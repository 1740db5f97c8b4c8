"""Rows like those that partners and public programs show: read to the right orders, or refused and never guessed."""

from __future__ import annotations

import pytest

from fallback.formats.defaults import as_carried
from fallback.formats.library import load_format, shipped_folder
from fallback.formats.read import ReadFile, read
from fallback.formats.spec import Format
from fallback.formats.write import write
from fallback.records.order import Order


def own_orders(name: str) -> list[Order]:
    """The orders beside a format, of people who do not exist."""
    lines = (shipped_folder() / name / "orders.jsonl").read_text("utf-8").splitlines()
    return [Order.model_validate_json(line) for line in lines]


def rows_of(fmt: Format, order: Order) -> list[list[str]]:
    """The cells of an order's file, row by row."""
    text = write(fmt, [order], codes=dict.fromkeys(fmt.codes, "C1")).data.decode(fmt.encoding)
    return [row.split(fmt.delimited.delimiter) for row in text.splitlines()]


def back(fmt: Format, content: str | list[list[str]]) -> ReadFile:
    if isinstance(content, list):
        content = "".join(fmt.delimited.delimiter.join(row) + fmt.newline_text for row in content)
    codes = dict.fromkeys(fmt.codes, "C1")
    return read(fmt, content.encode(fmt.encoding), name="file", codes=codes, defaults={"brand": "acme"})


def told(content: ReadFile) -> list[tuple[str, str | None]]:
    """What is found in a file, about it and about its orders."""
    found = [*content.findings, *(finding for one in content.orders for finding in one.findings)]
    return [(finding.code, finding.field) for finding in found]


PUBLISHED = """\
"PH","2016000001","PO-77","ADA EXAMPLE","50 Sample Road N","","Waterloo","ON","N1N 1N1","CA","","555-010-7777",\
"ADA EXAMPLE","50 Sample Road N","","Waterloo","ON","N1N 1N1","CA","Ground","P","","2016-03-07T00:00:00Z","AMZ",""
"PD","2016000001","1","13300A","16","0.00"
"PD","2016000001","2","2500","6","0.00"
"""


def test_rows_like_the_published_sample_are_of_version_1_and_with_an_email_of_version_2() -> None:
    later = PUBLISHED.replace('"PO-77",', '"PO-77","ada@example.com",')
    for text, own, other in ((PUBLISHED, 1, 2), (later, 2, 1)):
        content = back(load_format(f"dropstream-ord-v{own}"), text)
        assert {code for code, _ in told(content)} == {"line-ends"}
        (order,) = [one.order for one in content.orders]
        assert order is not None
        assert (order.order_number, order.purchase_order, order.service) == ("2016000001", "PO-77", "Ground")
        assert (order.platform, order.ship_to.postal_code) == ("AMZ", "N1N 1N1")
        assert [(line.sku, line.quantity) for line in order.lines] == [("13300A", 16), ("2500", 6)]
        refused = back(load_format(f"dropstream-ord-v{other}"), text)
        assert "row-cells" in {code for code, _ in told(refused)}
        assert [one.order for one in refused.orders] == [None]


def test_columns_that_amazons_sellers_leave_out_may_be_absent() -> None:
    fmt = load_format("amazon-mcf-flat")
    order = own_orders(fmt.name)[0]
    kept = [index for index, field in enumerate(fmt.fields) if not field.optional]
    assert [fmt.fields[index].name for index in kept][5:8] == [
        "MerchantFulfillmentOrderItemID", "DisplayableOrderComment", "DeliverySLA"
    ]  # fmt: skip
    content = back(fmt, [[row[index] for index in kept] for row in rows_of(fmt, order)])
    assert told(content) == []
    (read_order,) = [one.order for one in content.orders]
    assert read_order is not None
    assert (read_order.order_id, read_order.lines) == (order.order_id, as_carried(order, fmt).lines)


@pytest.mark.parametrize(
    ("name", "column", "text"),
    [
        ("amazon-mcf-flat", "FulfillmentAction", "Hold"),
        ("shipwire-tsv", "shipping_window_min_date", "1/23/27"),
        ("oracle-wms-orr", "order_nbr_to_replace", "1000"),
        ("oracle-wms-orr", "uom", "CASES"),
        ("oracle-wms-orr", "serial_nbr", "S1"),
    ],
)
def test_a_column_that_changes_what_ships_must_be_blank(name: str, column: str, text: str) -> None:
    fmt = load_format(name)
    named = {record.tag: [field.name for field in record.fields] for record in fmt.rows}
    tag = next(tag for tag, names in named.items() if column in names)
    rows = rows_of(fmt, own_orders(name)[0])
    for row in rows[fmt.delimited.header != "forbidden" :]:
        if row[0].startswith(tag):
            row[named[tag].index(column)] = text
    content = back(fmt, rows)
    assert {code for code, _ in told(content)} == {"value-wrong"}
    assert content.orders[0].order is None


HEADER = "order_ref,shipping_method,firstname,lastname,company,street1,city,region,postcode,country,telephone,sku,qty\n"
FIRST = "123456,ups_01,Ada,Example,Example Ltd,11 Sample Square,New York,NY,10036,US,212.555.0100,product1,5\n"


def test_rows_like_shipstreams_sample_need_the_orders_own_id() -> None:
    """Its published later rows have one comma more than its header: of such a file nothing is read."""
    fmt = load_format("shipstream-redstag-csv")
    plain = HEADER + FIRST + "123456" + "," * 11 + "product2,1\n"
    assert ("column-missing", "unique_id") in told(back(fmt, plain))
    rows = plain.splitlines(keepends=True)
    named = "unique_id," + rows[0] + "".join(f"99-1,{row}" for row in rows[1:])
    content = back(fmt, named)
    assert {code for code, _ in told(content)} == {"line-ends"}
    (order,) = [one.order for one in content.orders]
    assert order is not None
    assert (order.order_id, order.order_number, order.ship_to.name) == ("99-1", "123456", "Ada Example")
    assert [(line.sku, line.quantity) for line in order.lines] == [("product1", 5), ("product2", 1)]
    torn = back(fmt, named.replace("," * 11 + "product2", "," * 12 + "product2"))
    assert [(f.code, f.refuses_file) for f in torn.findings if f.is_error] == [("row-cells", True)]


INTEGRATION = """\
<?xml version="1.0" encoding="utf-8"?>
<ShipOrderDocument xmlns="http://schemas.quietlogistics.com/V2/ShipmentOrder.xsd">
  <ClientID>C1</ClientID><BusinessUnit>C1</BusinessUnit>
  <OrderHeader OrderNumber="H1" OrderType="SO" OrderDate="2026-11-23T09:15:00Z">
    <Extension>R900</Extension><Comments/>
    <ShipMode Carrier="FEDEX" ServiceLevel="GROUND"/>
    <ShipTo Company="" Contact="Ada Example" Address1="1 Sample Way" City="Portland" State="OR" PostalCode="97201"
      Country="US"/>
    <BillTo Contact="Ada Example" Address1="1 Sample Way" City="Portland" State="OR" PostalCode="97201" Country="US"/>
  </OrderHeader>
  <OrderDetails ItemNumber="SKU-1" Line="1" QuantityOrdered="2" QuantityToShip="2" UOM="EA"/>
</ShipOrderDocument>
"""


def test_a_document_like_the_public_integrations_is_read_and_what_it_adds_refuses_it() -> None:
    fmt = load_format("quiet-shipment-order-xml")
    content = back(fmt, INTEGRATION)
    assert told(content) == []
    order = content.orders[0].order
    assert order is not None
    assert (order.order_id, order.order_number, order.carrier, order.service) == ("R900", "H1", "FEDEX", "GROUND")
    assert [(line.sku, line.quantity) for line in order.lines] == [("SKU-1", 2)]
    for old, new in (
        ("OrderType=", 'Gift="true" OrderType='),
        ("OrderType=", 'ShipDate="2026-12-24T00:00:00Z" OrderType='),
        ("</OrderHeader>", '<Notes NoteType="GIFT" NoteValue="x"/></OrderHeader>'),
        ('OrderType="SO"', 'OrderType="RTV"'),
    ):
        changed = back(fmt, INTEGRATION.replace(old, new))
        assert changed.orders[0].order is None, new
