"""What befalls the golden files of single formats, beyond what befalls every one (``damages.py``)."""

from __future__ import annotations

import re
from collections.abc import Callable

from .recipes import Recipe, both, cell, cut_after, put, row, rows


def found(pattern: str, change: Callable[[bytes], bytes]) -> Recipe:
    """A change of the first place that fits a pattern, which must be there."""

    def recipe(golden: bytes) -> bytes:
        place = re.search(pattern.encode(), golden, re.DOTALL)
        assert place is not None, pattern
        return golden[: place.start()] + change(place[0]) + golden[place.end() :]

    return recipe


def lost(_: bytes) -> bytes:
    return b""


def twice(piece: bytes) -> bytes:
    return piece + piece


def nested(levels: int) -> bytes:
    return b"<Deep>" * levels + b"</Deep>" * levels


# --- fixed width: in the rows of lines the quantity stands in six columns, zeros before it

FIXED: dict[str, Recipe] = {
    "record-unknown-tag": row("Leave with the porter", lambda line: b"X" + line[1:]),
    "trailer-missing-cut": rows(lambda lines: lines[:-3]),
    "trailer-differs-hash-total": found(r"T00000007\d+", lambda counts: counts[:-1] + b"9"),
    "number-invalid-moved": row("90001 ", lambda line: line.replace(b"000001EA ", b" 000001EA")),
    "row-cells-tab": row("90001 ", lambda line: line.replace(b" " * 8, b"\t")),
}

# --- JSON and XML: one document

_JSON_LINE = r'\{"lineId":"7002".*?\},(?=\{"lineId":"7003")'
_JSON_ORDER = r'\{"brand":"acme","platform":"shopify","orderId":"5550000001006".*?\},\n'

JSON: dict[str, Recipe] = {
    "document-invalid-cut": cut_after('"lineId":"7003"'),
    "document-invalid-comma": found(r"\}\n\]", lambda _: b"},\n]"),
    "document-invalid-joined": twice,
    "document-invalid-key-doubled": put('"quantity":12,', '"quantity":1,"quantity":12,'),
    "document-invalid-no-list": put('"orders":[', '"order":['),
    "document-invalid-not-a-number": put('"quantity":12,', '"quantity":NaN,'),
    "column-unknown-member": put('"orders":[', '"warehouse":"EAST","orders":['),
    "json-invalid-list": found(_JSON_ORDER, lambda order: b"[" + order[:-2] + b"],\n"),
    "trailer-differs-count": put('"orderCount":7', '"orderCount":8'),
    "trailer-differs-order-lost": found(_JSON_ORDER, lost),
    "order-doubled": both(found(_JSON_ORDER, twice), put('"orderCount":7', '"orderCount":8')),
    "line-count-line-lost": found(_JSON_LINE, lost),
    "line-doubled": both(
        found(_JSON_LINE, twice), found('"lineCount":3(?=[^{]*{"lineId":"7001")', lambda _: b'"lineCount":4')
    ),
    "value-malformed-member": found(_JSON_LINE, lambda line: line.replace(b'"sku"', b'"colour":"red","sku"')),
    "number-invalid-text": put('"quantity":12,', '"quantity":"12",'),
}  # fmt: skip

_XML_LINE = r' +<Line id="7002".*?</Line>\n'
_XML_ORDER = r' <Order [^>]*orderId="5550000001006".*?</Order>\n'
_ENTITY = '<!DOCTYPE {0} [<!ENTITY city SYSTEM "file:///etc/hostname">]>\n<{0}'
_BOMB = '<!DOCTYPE {0} [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;"><!ENTITY c "&b;&b;&b;">]>\n<{0}'

XML: dict[str, Recipe] = {
    "xml-invalid-cut": cut_after('<Line id="7003"'),
    "xml-invalid-not-closed": found("</ShipTo>", lost),
    "xml-invalid-joined": twice,
    "xml-invalid-deep": found("</Order>", lambda end: nested(100) + end),
    "xml-forbidden-entity": both(put("<Orders", _ENTITY.format("Orders")), put("Leeds", "&city;")),
    "xml-forbidden-bomb": both(put("<Orders", _BOMB.format("Orders")), put("Leeds", "&c;")),
    "header-missing-namespace": put("<Orders", '<Orders xmlns="urn:another:orders"'),
    "header-missing-root": both(put("<Orders", "<Shipments"), put("</Orders>", "</Shipments>")),
    "column-unknown-element": found(
        _XML_ORDER, lambda order: order.replace(b"<Order ", b"<Shipment ").replace(b"</Order>", b"</Shipment>")
    ),
    "trailer-differs-count": put('<Orders count="7"', '<Orders count="8"'),
    "trailer-differs-order-lost": found(_XML_ORDER, lost),
    "order-doubled": both(found(_XML_ORDER, twice), put('<Orders count="7"', '<Orders count="8"')),
    "line-count-line-lost": found(_XML_LINE, lost),
    "line-doubled": found(_XML_LINE, twice),
    "value-malformed-element": found(_XML_LINE, lambda line: line.replace(b"<SKU>", b"<Colour>red</Colour><SKU>")),
    "value-malformed-twice": found(_XML_LINE, lambda line: line.replace(b"<SKU>", b"<SKU>CAP-RED</SKU><SKU>")),
    "value-malformed-text": found(_XML_LINE, lambda line: line.replace(b"<SKU>", b"CAP-RED <SKU>")),
}

_QUIET_LINE = r' <OrderDetails Line="2".*?/>\n'

QUIET: dict[str, Recipe] = {
    "encoding-wrong-utf-8": put('City="Boston"', 'City="Bóston"'),
    "xml-invalid-cut": cut_after("<OrderDetails Line="),
    "xml-invalid-joined": twice,
    "xml-forbidden-entity": both(
        put("<ShipOrderDocument", _ENTITY.format("ShipOrderDocument")), put('City="Boston"', 'City="&city;"')
    ),
    "header-missing-namespace": put("V2/ShipmentOrder.xsd", "V1/ShipmentOrder.xsd"),
    "header-missing-no-namespace": found(' xmlns="[^"]*"', lost),
    "header-missing-root": put("ShipOrderDocument", "ShipmentOrder"),
    "line-doubled": found(_QUIET_LINE, twice),
    "value-wrong-quantity": put('QuantityToShip="3"', 'QuantityToShip="2"'),
    "value-malformed-attribute": put('Line="2"', 'Line="2" Colour="red"'),
}

# --- X12

_LOOP = r"LX\*2~\n.*?(?=W76)"
_NOTE = r"(?<=\n)W05\*N\*#1006[^~]*~\n"

X12: dict[str, Recipe] = {
    "header-missing-no-isa": rows(lambda lines: lines[1:]),
    "envelope-wrong-isa-collapsed": row("ISA*", lambda line: re.sub(rb" +", b" ", line)),
    "envelope-wrong-group": put("GS*OW*", "GS*PO*"),
    "envelope-wrong-ge01": put("GE*7*", "GE*6*"),
    "envelope-wrong-ge02": put("GE*7*1~", "GE*7*2~"),
    "envelope-wrong-iea01": put("IEA*1*", "IEA*2*"),
    "envelope-wrong-iea02": put("IEA*1*000000001", "IEA*1*000000002"),
    "envelope-wrong-joined": twice,
    "envelope-wrong-transaction-lost": found(r"ST\*940\*0006.*?(?=ST\*940)", lost),
    "envelope-wrong-foreign-separator": rows(
        lambda lines: [lines[0], *(line.replace(b"*", b"|") for line in lines[1:])]
    ),
    "trailer-missing-iea": row("IEA*"),
    "trailer-missing-cut": rows(lambda lines: lines[:-6]),
    "file-cut": lambda golden: golden[:-8],
    "transaction-torn-se01": found(r"SE\*\d+\*0006", lambda _: b"SE*9*0006"),
    "transaction-torn-control-number": found(r"(SE\*\d+\*)0006", lambda piece: piece[:-1] + b"7"),
    "transaction-torn-segment-lost": found(r"W01\*999999[^~]*~\n", lost),
    "transaction-torn-line-lost": found(_LOOP, lost),
    "transaction-torn-segment-doubled": found(r"W01\*999999[^~]*~\n", twice),
    "unit-count-changed": put("W01*999999*", "W01*999998*"),
    "value-not-allowed-purpose": put("W05*N*#1006", "W05*Q*#1006"),
    "cancellation": put("W05*N*#1006", "W05*F*#1006"),
    "segment-unknown": found(r"W05\*N\*#1006.*?SE\*\d+", lambda piece: re.sub(
        rb"SE\*(\d+)", lambda count: b"SE*%d" % (int(count[1]) + 1), piece.replace(b"~\n", b"~\nMEA*WT*G*1~\n", 1)
    )),
    "segment-unknown-element": put("W05*N*#1006", "W05*N*#1006*****DX"),
    "number-invalid-decimals": put("W01*999999*", "W01*999999.0*"),
}  # fmt: skip

# --- Shopify's export: of its sample only orders of which all is to be shipped, then a damage


def only(*numbers: str) -> Recipe:
    """The header and the rows of some orders."""
    marks = tuple(f"{number},".encode() for number in numbers)
    return rows(lambda lines: [lines[0], *(line for line in lines[1:] if line.startswith(marks))])


_GOOD = only("#1001", "#1002", "#1004")

SHOPIFY: dict[str, Recipe] = {
    "needs-api-fulfilled": only("#1007"),
    "needs-api-partly-fulfilled": only("#1005"),
    "needs-api-refunded": only("#1008"),
    "needs-api-voided": only("#1009"),
    "needs-api-nothing-to-ship": only("#1003"),
    "file-empty": lambda _: b"",
    "file-empty-header-only": only(),
    "encoding-wrong-cp1252": both(_GOOD, lambda golden: golden.decode().encode("cp1252")),
    "byte-order-mark": both(_GOOD, lambda golden: b"\xef\xbb\xbf" + golden),
    "delimiter-wrong": both(_GOOD, put(",", ";")),
    "column-missing-id": both(_GOOD, put(",Id,", ",Identity,")),
    "file-cut": both(_GOOD, cut_after("POSTER-24")),
    "row-cells": both(_GOOD, cell("POSTER-24", ",true", "true")),
    "value-malformed-id": both(_GOOD, put("5550000001001", "5.55E+12")),
    "date-invalid-spreadsheet": both(_GOOD, put("2026-11-22 23:59:59 -0500", "11/22/2026 23:59")),
    "number-invalid": both(_GOOD, put(",12,Mug 11 oz", ',"12.0",Mug 11 oz')),
    "line-orphan-first-row-lost": both(_GOOD, rows(lambda lines: [lines[0], *lines[2:]])),
    "order-fields-differ-sorted": both(_GOOD, rows(lambda lines: [lines[0], *sorted(lines[1:])])),
}
