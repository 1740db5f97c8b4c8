"""A format checks itself: each mistake is named with its place in the TOML, all of them at once, before any file is."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from fallback.errors import FallbackError
from fallback.formats.defaults import as_carried
from fallback.formats.library import load_format, shipped
from fallback.formats.read import read
from fallback.formats.soundness import mistakes
from fallback.formats.spec import Field, Format
from fallback.formats.write import write
from fallback.records.sample import sample_orders
from support.soak import times

CSV, PSV, JSONL = (load_format(f"order-{name}") for name in ("lines-csv", "header-detail-psv", "jsonl"))
FIRST, PAIR, WIDE = (load_format(f"order-{name}") for name in ("first-line-csv", "two-files-csv", "fixed-width"))
XML, X12, JSON = (load_format(f"order-{name}") for name in ("xml", "x12-940", "json"))
Content = dict[str, Any]
Change = Callable[[Content], None]


def wrong(base: Format, change: Change) -> list[str]:
    content = base.model_dump()
    change(content)
    return mistakes(Format.model_validate(content))


def of(path: str, record: int | None = None, /, **values: Any) -> Change:
    """Other values in the field of a path."""

    def change(content: Content) -> None:
        row = content if record is None else content["records"][record]
        next(field for field in row["fields"] if field["path"] == path).update(values)

    return change


def top(**values: Any) -> Change:
    return lambda content: content.update(values)


def cells(**values: Any) -> Change:
    return lambda content: content["delimited"].update(values)


def record(index: int, **values: Any) -> Change:
    return lambda content: content["records"][index].update(values)


def section(name: str, **values: Any) -> Change:
    return lambda content: content[name].update(values)


def named(name: str, index: int | None = None, /, **values: Any) -> Change:
    """Other values in the field of a name."""

    def change(content: Content) -> None:
        row = content if index is None else content["records"][index]
        next(field for field in row["fields"] if field["name"] == name).update(values)

    return change


def both(*changes: Change) -> Change:
    def change(content: Content) -> None:
        for one in changes:
            one(content)

    return change


def more(index: int | None = None, **field: Any) -> Change:
    def change(content: Content) -> None:
        row = content if index is None else content["records"][index]
        row["fields"] = [*row["fields"], {"doc": "One more.", **field}]

    return change


def without(path: str, index: int | None = None) -> Change:
    def change(content: Content) -> None:
        row = content if index is None else content["records"][index]
        row["fields"] = [field for field in row["fields"] if field["path"] != path]

    return change


ASCII = "pattern may use ASCII classes such as [A-Z0-9] only: it must mean the same in every engine"
NAME = "file_name: needs {marker} and {sequence}, and may use marker, brand, sent, sequence, role"
SAFE = "file_name: a plain name of letters, digits, dot, dash and underscore, which does not begin with DRILL_"
TAG = "records: each record needs a tag of its own, of letters and digits, which may stand in square brackets"
DELIMITER = "delimited.delimiter: a sign such as , ; | or a tab; no letter, digit, blank, quotation mark or backslash"
DIRECTIVES = "date may use %Y %y %m %d %-m %-d %H %M %S %z; found "

OF_A_FIELD: list[tuple[Format, Change, str]] = [
    (CSV, of("service", path=None), "fields[24] Service: needs exactly one of path, constant, code and only"),
    (CSV, of("service", constant="X"), "fields[24] Service: needs exactly one of path, constant, code and only"),
    (CSV, of("service", code="x"), "fields[24] Service: needs exactly one of path, constant, code and only"),
    (CSV, of("service", path="servise"), "fields[24] Service: servise is not a canonical path"),
    (CSV, of("service", path="ship_to"), "fields[24] Service: ship_to is not a canonical path"),
    (CSV, of("service", path="file_orders"), "fields[24] Service: file_orders is not a canonical path"),
    (CSV, of("service", name="Carrier"), "fields: Carrier is declared 2 times"),
    (CSV, of("carrier", path="service"), "fields: the path service stands in 2 fields"),
    (CSV, of("ordered_at", date=None), 'fields[7] OrderedAt: needs date: "iso8601" or a pattern such as "%Y-%m-%d"'),
    (
        CSV,
        of("ordered_at", date="%Y-%m-%d"),
        "fields[7] OrderedAt: date loses the time or the zone: an instant needs %H, %M, %S and %z",
    ),
    (
        CSV,
        of("ordered_at", date="%Y-%m-%d %H:%M:%S"),
        "fields[7] OrderedAt: date loses the time or the zone: an instant needs %H, %M, %S and %z",
    ),
    (CSV, of("ordered_at", date="%d %b %Y %H:%M:%S%z"), f"fields[7] OrderedAt: {DIRECTIVES}%b"),
    (CSV, of("ordered_at", date="%d %b %Y %H:%M:%S%z"), "fields[7] OrderedAt: date needs %Y, %m and %d"),
    (CSV, of("ordered_at", date="%Y-%m-%dT%H:%M:%S%z%"), f"fields[7] OrderedAt: {DIRECTIVES}%"),
    (CSV, of("ordered_at", date="%Y%Y-%m-%dT%H:%M:%S%z"), "fields[7] OrderedAt: date names a part twice"),
    (
        CSV,
        of("lines.expires_after", date="%Y-%m-%d %H"),
        "fields[37] ExpiresAfter: date has a time, and the value is a day",
    ),
    (CSV, of("service", date="iso8601"), "fields[24] Service: service is not a date"),
    *(
        (CSV, of("service", pattern=text), f"fields[24] Service: {ASCII}")
        for text in (
            r"\d+",
            r"[\w]+",
            "[^a]",
            ".*",
            "^STD$",
            "(?i)std",
            "(?P<a>x)",
            "É",
            r"\s",
            "STD$",
            "[a-z&&b]",
            "[a-z--b]",
            "[A-",
        )
    ),
    (
        CSV,
        of("service", pattern="(A-"),
        "fields[24] Service: pattern is not a regular expression: missing ), unterminated subpattern at position 0",
    ),
    (
        CSV,
        of("service", allowed=("STD", "OVERNIGHT"), max_length=3),
        "fields[24] Service: allowed value OVERNIGHT is longer than max_length 3",
    ),
    (
        CSV,
        of("ship_to.postal_code", placeholder={"zip": "000"}),
        'fields[20] PostalCode: placeholder stands under the last part of the path, such as { postal_code = "000" }',
    ),
    (
        CSV,
        of("ship_to.postal_code", placeholder={"postal_code": "0", "city": "X"}),
        'fields[20] PostalCode: placeholder stands under the last part of the path, such as { postal_code = "000" }',
    ),
    (
        CSV,
        of("revision", placeholder={"revision": "0"}),
        "fields[5] Revision: placeholder: a number cannot stand for an absent one",
    ),
    (
        CSV,
        of("service", name="Ser\nvice"),
        'fields[24] Ser\nvice: "Ser\\x0avice" cannot be written: it holds a sign that the file cannot carry',
    ),
    (
        CSV,
        more(name="Kind", constant="A\tB"),
        'fields[41] Kind: "A\\x09B" cannot be written: it holds a sign that the file cannot carry',
    ),
    (
        CSV,
        more(name="Kind", constant=" A"),
        'fields[41] Kind: " A" cannot be written: it holds a sign that the file cannot carry',
    ),
    (
        PSV,
        without("order_lines", 0),
        "fields: nothing carries order_lines: a lost row would make a smaller, valid order",
    ),
    (
        PSV,
        more(1, name="Lines", path="order_lines"),
        "records[1].fields[16] Lines: order_lines must have the same required, max_length as in the order's record",
    ),
    (
        PSV,
        more(1, name="Key", path="key"),
        "records[1].fields[16] Key: key is of the order: it must stand in the order's record, and may be repeated here",
    ),
    (
        PSV,
        of("order_id", 1, max_length=10),
        "records[1].fields[0] OrderId: order_id must have the same max_length as in the order's record",
    ),
    (
        PSV,
        more(0, name="SKU", path="lines.sku"),
        "records[0].fields[29] SKU: lines.sku belongs in the record that repeats lines",
    ),
    (
        PSV,
        more(2, name="SKU", path="lines.sku"),
        "records[2].fields[4] SKU: a trailer may hold file_orders, file_lines, file_units, hash_total; found lines.sku",
    ),
    (JSONL, of("ship_to.city", name="ship_to..city"), "fields[17] ship_to..city: a member's name is not blank"),
    (
        JSONL,
        of("ship_to.city", name="service.city"),
        "fields[17] service.city: service is a field itself and cannot hold others",
    ),
    (JSONL, of("lines.sku", name="sku"), "fields[29] sku: the lines stand in one list, such as lines.sku"),
    (JSONL, of("lines.sku", name="items.sku"), "fields[29] items.sku: the lines stand in one list, such as lines.sku"),
    (
        JSONL,
        of("service", name="lines.service"),
        "fields[23] lines.service: lines is the list of lines, and this is not of a line",
    ),
]

OF_THE_WHOLE: list[tuple[Format, Change, str]] = [
    (
        CSV,
        top(layout="nested"),
        "layout: delimited may be line or first-line or header-detail or two-files, found nested",
    ),
    (JSONL, top(layout="line"), "layout: json-lines may be nested, found line"),
    (CSV, top(layout="header-detail"), "records: a header-detail layout declares [[records]], not [[fields]]"),
    (PSV, top(records=()), "records: a header-detail layout declares [[records]], not [[fields]]"),
    (CSV, top(fields=()), "fields: a line layout declares [[fields]], not [[records]]"),
    (PSV, top(layout="line"), "fields: a line layout declares [[fields]], not [[records]]"),
    (JSONL, top(encoding="cp1252"), "encoding: JSON is utf-8"),
    (JSONL, cells(delimiter=";"), "delimited: JSON has no cells; remove the section"),
    *((CSV, cells(delimiter=mark), DELIMITER) for mark in ('"', "\\", "\n", "a", "0", " ", "'", "é")),
    (PSV, cells(header="required"), "delimited.header: typed rows have no header row; set it to forbidden"),
    (
        PSV,
        lambda content: content.update(records=content["records"][:1]),
        "records: one record for the order, one that repeats lines, and at most one trailer",
    ),
    (
        PSV,
        lambda content: content.update(records=[*content["records"], content["records"][2] | {"tag": "U"}]),
        "records: one record for the order, one that repeats lines, and at most one trailer",
    ),
    (PSV, record(1, tag="H"), TAG),
    (PSV, record(1, tag=""), TAG),
    (PSV, record(1, tag="D|"), TAG),
    (CSV, without("lines.sku"), "fields: nothing carries lines.sku, which every order needs"),
    (CSV, without("order_id"), "fields: nothing carries order_id, which every order needs"),
    (CSV, without("order_lines"), "fields: nothing carries order_lines: a lost row would make a smaller, valid order"),
    (CSV, top(drops=("lines.colour",)), "drops: lines.colour is not a canonical path"),
    (CSV, top(drops=("lines.sku",)), "drops: lines.sku cannot be dropped, every order needs it"),
    (CSV, top(drops=("lines.lot",)), "fields[36] Lot: lines.lot is listed under drops and carried"),
    (CSV, top(file_name="ORDERS.csv"), NAME),
    (CSV, top(file_name="{marker}ORDERS.csv"), NAME),
    (CSV, top(file_name="{marker}{sequence}{secret}"), NAME),
    (CSV, top(file_name="{marker}{sequence}{brand.__class__}"), NAME),
    (CSV, top(file_name="{marker}{sequence}{0}"), NAME),
    (CSV, top(file_name="{marker}{sequence}{"), NAME),
    (
        CSV,
        top(file_name="O_{marker}{sequence}.csv"),
        "file_name: begins with {marker}, by which a drill's file is told from a live one",
    ),
    (CSV, top(file_name="{marker}{sequence:Q}.csv"), "file_name: a part is followed by a form that it cannot have"),
    (
        CSV,
        top(file_name="{marker}{sequence:{brand}}.csv"),
        "file_name: a part is followed by a form that it cannot have",
    ),
    (CSV, top(file_name="{marker}in/{sequence}.csv"), SAFE),
    (CSV, top(file_name="{marker}../{sequence}.csv"), SAFE),
    (CSV, top(file_name="{marker}{sequence:06d} {sent:%H:%M}.csv"), SAFE),
    (CSV, top(file_name="{marker}DRILL_{sequence}.csv"), SAFE),
    (CSV, top(file_name="{marker}{sequence}" + "x" * 150), SAFE),
]


NEW_WORDS: list[tuple[Format, Change, str]] = [
    # fixed width
    (WIDE, top(fixed_width=None), "fixed_width: the section with record_length is missing"),
    (WIDE, of("brand", 0, start=1), "records[0].fields Brand: columns 1-16 overlap the field before"),
    (WIDE, of("order_id", 0, start=20), "records[0].fields OrderId: columns 20-51 overlap the field before"),
    (WIDE, of("order_id", 0, start=41), "records[0].fields: the fields end at column 1062, the record at 1055"),
    (WIDE, of("brand", 0, width=None), "records[0].fields Brand: needs a width"),
    (
        WIDE,
        of("brand", 0, pad="0", justify="right"),
        "records[0].fields Brand: only numbers, at the right, are padded with zeros; text loses its own",
    ),
    (
        WIDE,
        of("revision", 0, justify="left"),
        "records[0].fields Revision: only numbers, at the right, are padded with zeros; text loses its own",
    ),
    (WIDE, of("lines.quantity", 1, decimals=2), "records[1].fields Quantity: decimals are for amounts"),
    (
        WIDE,
        of("ordered_at", 0, width=19),
        "records[0].fields[8] OrderedAt: a date such as 2026-11-23T23:05:09Z is longer than 19 characters",
    ),
    (
        WIDE,
        section("fixed_width", record_length=100),
        "records[0].fields: the fields end at column 1055, the record at 100",
    ),
    (WIDE, record(1, tag="DD"), "records[1].tag: DD is longer than tag_width 1"),
    (CSV, of("brand", width=16, pad="0"), "fields[0] Brand: width and pad: for fixed-width only"),
    (WIDE, cells(delimiter=";"), "delimited: for the kind delimited only; remove the section"),
    # x12
    (
        X12,
        top(fields=CSV.model_dump()["fields"], records=()),
        "records: x12 declares its segments as [[records]], not [[fields]]",
    ),
    (
        X12,
        top(records=tuple(row.model_dump() for row in X12.records if not row.repeats)),
        "records: nothing repeats lines; the first segment that does begins each line",
    ),
    (X12, of("order_number", 0, element=None), "records[0].fields[1] W0502: needs the position of its element"),
    (X12, of("order_number", 0, element=()), "records[0].fields[1] W0502: needs the position of its element"),
    (X12, of("order_number", 0, element=-1), "records[0].fields[1] W0502: elements count from 1"),
    (X12, of("order_number", 0, element=1), "records[0].fields W0502: element 1 is that of W0501 already"),
    (X12, of("order_number", 0, qualifier=True), "records[0].fields[1] W0502: a qualifier is a constant"),
    (
        X12,
        of("instructions", 18, repeat=False),
        "records[18].fields[1] NTE02.WHI: of several lines; needs repeat = true",
    ),
    (X12, record(0, tag="ST"), "records[0] ST: a tag of two or three capitals and digits, and none of the envelope"),
    (X12, record(0, tag="w5"), "records[0] w5: a tag of two or three capitals and digits, and none of the envelope"),
    (X12, record(26, trailer=True), "records[26] W76: x12 has no closing record, its envelope counts"),
    (X12, record(3, loop="BT"), "records[3] N3: no N1 segment begins the loop BT"),
    (X12, named("N901.ZB", 9, constant="ZA"), "records[9] N9: nothing tells this segment from that of records[8]"),
    (
        X12,
        more(20, name="LX02", path="order_id", element=2),
        "records[20].fields[1] LX02: order_id is of the order, not of a line",
    ),
    (
        X12,
        named("N901.ZA", 8, constant="Z*"),
        'records[8].fields[0] N901.ZA: "Z*" cannot be written: it holds a sign that the file cannot carry',
    ),
    (
        X12,
        section("x12", element="~"),
        "x12: element, component and segment are three signs, no letter, digit, blank, quotation mark, backslash",
    ),
    (X12, section("x12", sender="A" * 16), "x12.sender: at most 15 characters"),
    (CSV, of("brand", element=2), "fields[0] Brand: element: for x12 only"),
    (PSV, record(0, loop="ST"), "records: loop and always are for x12"),
    # xml
    (
        XML,
        of("brand", name="brand name"),
        "fields[0] brand name: a path of elements such as ShipTo/Name, an attribute at its end such as Lines/@count",
    ),
    (
        XML,
        of("brand", name="@brand/name"),
        "fields[0] @brand/name: a path of elements such as ShipTo/Name, an attribute at its end such as Lines/@count",
    ),
    (
        XML,
        of("ship_to.city", name="OrderNumber/City"),
        "fields[17] OrderNumber/City: OrderNumber is a field itself and cannot hold others",
    ),
    (XML, of("lines.sku", name="SKU"), "fields[30] SKU: the values of a line stand below Lines/Line"),
    (
        XML,
        of("service", name="Lines/Line/Service"),
        "fields[23] Lines/Line/Service: Lines/Line is an element of a line, and this is not of a line",
    ),
    (
        XML,
        more(name="Lines/Line/Kind", constant="SO"),
        "fields[41] Lines/Line/Kind: Lines/Line is an element of a line, and this is not of a line",
    ),
    (XML, of("service", name="Lines"), "fields[23] Lines: the lines stand here, and no value can"),
    (XML, section("xml", root="1 Orders"), "xml: root and order are names of elements"),
    (XML, section("xml", lines="Lines//Line"), "xml.lines: the path of a line from the order, such as Lines/Line"),
    (
        XML,
        section("xml", order=""),
        "xml.order: a root that is the order itself needs max_orders = 1, and neither count nor attributes",
    ),
    (
        XML,
        section("xml", attributes={"count": "1"}),
        "xml: count and attributes are names of attributes of the root, each once",
    ),
    (
        XML,
        of("service", default="a\tb"),
        'fields[23] Service: "a\\x09b" is no value of service: printable characters only',
    ),
    (
        XML,
        of("lines.uom", default="ea"),
        'fields[34] Lines/Line/UOM: "ea" is no value of lines.uom: one to three capitals or digits, such as EA',
    ),
    (
        XML,
        of("lines.lot", default_from="lines.colour"),
        "fields[36] Lines/Line/Lot: default_from: lines.colour is not the path of another field",
    ),
    (
        XML,
        of("lines.lot", default_from="lines.lot"),
        "fields[36] Lines/Line/Lot: default_from: lines.lot is not the path of another field",
    ),
    (
        XML,
        of("lines.lot", default_from="order_id"),
        "fields[36] Lines/Line/Lot: default_from: lines.lot cannot be the value of order_id",
    ),
    (
        XML,
        of("lines.quantity", default_from="lines.sku"),
        "fields[33] Lines/Line/Quantity: default_from: lines.quantity cannot be the value of lines.sku",
    ),
    (
        XML,
        of("service", default_from="envelope_at"),
        "fields[23] Service: default_from: envelope_at is the instant at which the file was made",
    ),
    (
        XML,
        of("lines.lot", default_from="lines.sku", default="X"),
        "fields[36] Lines/Line/Lot: default and default_from: one of the two",
    ),
    (CSV, of("service", default="STD"), "fields[24] Service: default: for xml and x12 only"),
    (JSON, section("xml", root="X"), "xml: for the kind xml only; remove the section"),
    (CSV, section("x12", sender="X"), "x12: for the kind x12 only; remove the section"),
    # two files
    (
        PAIR,
        record(1, tag="rows"),
        'records: a pair of files has one record with tag orders, then one with tag lines that repeats "lines"',
    ),
    (
        PAIR,
        record(1, repeats=None),
        'records: a pair of files has one record with tag orders, then one with tag lines that repeats "lines"',
    ),
    (
        PAIR,
        lambda content: content.update(records=content["records"][:1]),
        'records: a pair of files has one record with tag orders, then one with tag lines that repeats "lines"',
    ),
    (
        PAIR,
        both(without("order_id", 1), without("order_number", 1)),
        "records[1].fields: no line says which order it belongs to; repeat order_id, order_number or key here",
    ),
    (PAIR, top(wrapper="gzip"), "wrapper: the files of a pair are not packed"),
    (PAIR, top(file_name="{marker}{sequence}.csv"), "file_name: needs {role}: it tells the two files of a pair apart"),
    (
        CSV,
        top(file_name="{marker}{sequence}{role}.csv"),
        "file_name: cannot use {role}: it tells the two files of a pair apart",
    ),
    (
        PAIR,
        of("order_id", 1, max_length=3),
        "records[1].fields[0] OrderId: order_id must have the same max_length as in the order's record",
    ),
    # rows
    (CSV, top(row_order={"tied_by": ("order_id",)}), "row_order: tied_by and follow are for the first-line layout"),
    (
        FIRST,
        top(row_order={"tied_by": ("order_id",), "follow": True}),
        "row_order: rows are tied by a path or follow the order's own, not both",
    ),
    (
        FIRST,
        top(row_order={"tied_by": ("lines.sku",)}),
        "row_order.tied_by: lines.sku must be a path of the order that a field holds",
    ),
    (
        FIRST,
        top(row_order={"tied_by": ("purchase_orders",)}),
        "row_order.tied_by: purchase_orders must be a path of the order that a field holds",
    ),
    (
        PSV,
        top(row_order={"adjacent": True}),
        "row_order.adjacent: for rows that say themselves which order they belong to",
    ),
    (
        JSONL,
        top(row_order={"adjacent": True}),
        "row_order.adjacent: for rows that say themselves which order they belong to",
    ),
    (
        CSV,
        top(row_order={"sorted_by": "lines.sku"}),
        "row_order.sorted_by: lines.sku must be a path of the order that a field holds",
    ),
    (
        CSV,
        top(row_order={"sorted_by": "number"}),
        "row_order.sorted_by: number must be a path of the order that a field holds",
    ),
    (PSV, cells(header="optional"), "delimited.header: typed rows have no header row; set it to forbidden"),
    (
        CSV,
        both(cells(header="forbidden"), of("carrier", optional=True)),
        "fields[25] Carrier: optional is for columns that a header row names",
    ),
    (
        CSV,
        of("carrier", optional=True, required=True),
        "fields[25] Carrier: optional and required contradict each other",
    ),
    (PSV, cells(tags="joined"), "delimited.tags: joined is for delimited rows without quoting"),
    # defaults, codes
    (
        CSV,
        both(without("platform"), top(defaults={"platform": "my shop"})),
        'defaults: "my shop" is no value of platform: an identifier without white space or colon',
    ),
    (CSV, top(defaults={"platform": "shop"}), "defaults: platform is carried, or listed under drops"),
    (CSV, top(defaults={"channel": "shop"}), "defaults: channel is not a canonical path"),
    (
        CSV,
        both(without("ordered_at"), top(defaults={"ordered_at": "today"})),
        'defaults: "today" is no value of ordered_at: a date and time such as 2026-11-23T14:05:09+01:00',
    ),
    (
        CSV,
        both(without("ordered_at"), top(defaults={"ordered_at": "2026-11-23T14:00:00"})),
        'defaults: "2026-11-23T14:00:00" is no value of ordered_at: a date and time such as 2026-11-23T14:05:09+01:00',
    ),
    (
        CSV,
        both(without("lines.quantity"), top(defaults={"lines.quantity": "0"})),
        'defaults: "0" is no value of lines.quantity: a whole number between 1 and 999,999',
    ),
    (
        CSV,
        both(without("platform"), top(defaults={"platform": "#"})),
        "defaults: platform is not of a line, and has no position",
    ),
    (
        CSV,
        both(without("platform"), top(defaults={"platform": "=lines.sku"})),
        "defaults: platform cannot be the value of lines.sku",
    ),
    (
        CSV,
        both(without("order_id"), top(defaults={"order_id": "=number"})),
        "defaults: order_id cannot be the value of number",
    ),
    (
        CSV,
        both(without("ordered_at"), top(defaults={"ordered_at": "=order_number"})),
        "defaults: ordered_at cannot be the value of order_number",
    ),
    (
        CSV,
        both(without("order_id"), without("order_number"), top(defaults={"order_id": "1", "order_number": "1"})),
        "fields: nothing tells one order from another: order_id, order_number or key must stand in the file",
    ),
    (CSV, without("currency"), "fields: nothing carries currency, and lines.unit_price is no price without it"),
    (
        CSV,
        both(without("currency"), top(drops=("currency",))),
        "fields: nothing carries currency, and lines.unit_price is no price without it",
    ),
    # contradictions
    (
        CSV,
        of("service", pattern="[A-Z]{4}", max_length=3),
        "fields[24] Service: no value of the pattern is as short as 3 characters",
    ),
    (
        CSV,
        of("service", pattern="(STD|EXP)-[0-9]", max_length=4),
        "fields[24] Service: no value of the pattern is as short as 4 characters",
    ),
    (
        CSV,
        of("service", pattern="[A-Z]+", allowed=("STD", "2DAY")),
        'fields[24] Service: allowed value "2DAY" does not have the form of the pattern',
    ),
    (
        CSV,
        of("ship_to.country", allowed=("US", "UK")),
        'fields[21] Country: "UK" is no value of ship_to.country: an ISO 3166-1 two-letter country code in capitals, '
        "such as US or ES",
    ),
    (
        CSV,
        of("ordered_at", max_length=19),
        "fields[7] OrderedAt: a date such as 2026-11-23T23:05:09Z is longer than 19 characters",
    ),
    (
        CSV,
        of("ordered_at", date="%Y-%-m%-dT%H:%M:%S%z", max_length=None),
        "fields[7] OrderedAt: a date written as %Y-%-m%-dT%H:%M:%S%z reads back as another",
    ),
    (
        CSV,
        of("ordered_at", date=("%d/%m/%Y %H:%M:%S%z", "%m/%d/%Y %H:%M:%S%z"), max_length=None),
        "fields[7] OrderedAt: dates contradict: 01/11/2027 23:05:09+0000, written as %m/%d/%Y %H:%M:%S%z, reads as "
        "another day by the patterns before",
    ),
    (CSV, of("ordered_at", date=()), 'fields[7] OrderedAt: needs date: "iso8601" or a pattern such as "%Y-%m-%d"'),
    (
        CSV,
        of("ordered_at", date="%Y-%m-%dT%H:%M%z", coarse=False),
        "fields[7] OrderedAt: date loses the time or the zone: an instant needs %H, %M, %S and %z",
    ),
    (
        CSV,
        of("ordered_at", date="%Y-%m-%dT%H:%M:%S%z", coarse=True),
        "fields[7] OrderedAt: coarse: the date keeps everything, or does not say its zone; it needs %z or zone",
    ),
    (CSV, of("service", coarse=True), "fields[24] Service: coarse is for a date and time of which the file keeps less"),
    (CSV, of("service", once=True), "fields[24] Service: once is for a text of the lines"),
    (
        CSV,
        of("order_number", part="last"),
        "fields[3] OrderNo: part: by order_number orders are known, and it stands in one field",
    ),
    (
        CSV,
        of("ship_to.name", part="last"),
        "fields[13] ShipToName: part: ship_to.name needs one field for the first part and one for the last",
    ),
    (
        CSV,
        of("service", again=True),
        "fields[24] Service: again: another field must hold service, and this one holds it whole",
    ),
    (
        CSV,
        of("lines.quantity", prefix="Q"),
        "fields[33] Quantity: part and prefix are for texts without a placeholder, in tables, one of the two",
    ),
    (
        CSV,
        of("service", path=None, only=("STD",)),
        "fields[24] Service: only is for tables that are read and never written",
    ),
    (
        CSV,
        more(name="State", only=()),
        "fields[41] State: only: the texts with which the file says all that remains to be shipped",
    ),
    (
        CSV,
        of("service", per_line=True),
        "fields[24] Service: per_line is for fields with only; a path says itself whether it is of a line",
    ),
    (
        CSV,
        of("service", unused=True),
        "fields[24] Service: unused is for columns of an order or a line that hold nothing of it: no path, no code",
    ),
    (
        CSV,
        cells(comment=","),
        "delimited.comment: a sign other than the delimiter; no letter, digit, blank or quotation mark",
    ),
    (
        CSV,
        cells(comment="B"),
        "delimited.comment: a sign other than the delimiter; no letter, digit, blank or quotation mark",
    ),
    (CSV, both(of("brand", name=";Brand"), cells(comment=";")), "delimited.comment: the format's own rows begin so"),
    (CSV, cells(comment="[", header="bracketed"), "delimited.comment: the format's own rows begin so"),
    (X12, named("N901.ZB", 9, qualifier=False), "records[9] N9: nothing tells this segment from that of records[7]"),
    (
        XML,
        of("carrier", default="UPSN"),
        "fields[24] Carrier: carrier may be absent: written so, it would be read as the default",
    ),
    (CSV, of("order_lines", once=True), "fields[6] OrderLines: once: for fields with a canonical path"),
    (
        CSV,
        more(name="Kind", constant="SO", zone="UTC", date="iso8601"),
        "fields[41] Kind: date and zone: for fields with a canonical path",
    ),
    (CSV, of("service", date=()), "fields[24] Service: service is not a date"),
    (CSV, top(row_order={"sorted_by": ""}), "row_order.sorted_by:  must be a path of the order that a field holds"),
]


@pytest.mark.parametrize("case", range(len(NEW_WORDS)))
def test_a_mistake_in_the_words_of_a_kind_or_layout_is_named(case: int) -> None:
    base, change, expected = NEW_WORDS[case]
    assert expected in wrong(base, change)


@pytest.mark.parametrize("case", range(len(OF_A_FIELD)))
def test_a_mistake_in_a_field_is_named_with_its_place(case: int) -> None:
    base, change, expected = OF_A_FIELD[case]
    assert expected in wrong(base, change)


@pytest.mark.parametrize("case", range(len(OF_THE_WHOLE)))
def test_a_mistake_in_the_whole_is_named(case: int) -> None:
    base, change, expected = OF_THE_WHOLE[case]
    assert expected in wrong(base, change)


@pytest.mark.parametrize(
    "change",
    [
        of("service", pattern=r"[A-Z0-9.-]{2,5}|\.|(STD|EXP)+|(?:a\-b)?"),
        of("ordered_at", date="%d/%m/%Y %H.%M.%S %z"),
        of("lines.expires_after", date="%Y%m%d"),
        of("ship_to.postal_code", placeholder={"postal_code": "000"}),
        of("service", name="Servicio de envío, tipo"),
        more(name="Kind", constant='5" | ü'),
        more(name="Client", code="client"),
        more(name="Key", path="key"),
        cells(delimiter="\t"),
        cells(delimiter="^", quoting="all"),
        top(file_name="{marker}{sent:%y%j}-{brand}.{sequence:08d}"),
    ],
)
def test_what_may_be_declared_is_sound(change: Change) -> None:
    assert wrong(CSV, change) == []


def test_texts_of_the_format_fit_its_quoting_and_encoding() -> None:
    def narrow(content: Content) -> None:
        content["encoding"], content["delimited"]["quoting"] = "ascii", "none"
        content["fields"] = [*content["fields"], {"name": "Size, cm", "constant": "ü", "doc": "Two mistakes."}]

    assert wrong(CSV, narrow) == [
        'fields[41] Size, cm: "Size, cm" cannot be written: it holds a sign that the file cannot carry',
        'fields[41] Size, cm: "ü" cannot be written: it holds a sign that the file cannot carry',
    ]


WORDS = sorted(set(Field.model_fields) - {"doc", "source"})
WHOLE = ["kind", "layout", "encoding", "newline", "drops", "defaults", "wrapper", "max_orders", "max_lines"]
SOME = st.sampled_from([fmt for fmt in map(load_format, shipped()) if fmt.direction != "read"])
SECTIONS = ("delimited", "fixed_width", "json_terms", "xml", "x12", "row_order")
PLAIN = """A 0 UTC lines.sku order_id order_number service ship_to.name order_lines key iso8601 %Y-%m-%d %Y%m%d%H%M%S
    %-m/%-d/%y [0-9]+ [A-Z]{1,3} lines lines.x Lines Lines/Line a/b @a # =order_number left right first last first-line
    line nested two-files header-detail ascii cp1252 lf cr gzip zip json xml x12 delimited fixed-width ~ * | ; H LX ST
    forbidden none all joined refuse count Orders"""
TEXTS = PLAIN.split()
SAID = st.one_of(
    st.sampled_from([None, True, False, "", " ", -1, 64, (), (1, 2), {}, *TEXTS]),
    st.sampled_from(TEXTS).map(lambda text: (text,)),
    st.dictionaries(st.sampled_from(TEXTS), st.sampled_from(TEXTS), min_size=1, max_size=2),
    st.integers(0, 40),
)


@settings(max_examples=times(3000))
@given(base=SOME, data=st.data())
def test_a_declaration_is_named_wrong_or_writes_what_it_reads(base: Format, data: st.DataObject) -> None:
    """Whatever a format says: it is told what is wrong with it, or it carries orders whole, or it refuses them."""
    content = base.model_dump()
    for _ in range(data.draw(st.integers(1, 3))):
        row = data.draw(st.sampled_from([one for one in (content, *base_rows(content)) if one["fields"]]))
        sections = [content[name] for name in SECTIONS if isinstance(content[name], dict)]
        target = data.draw(st.sampled_from([content, *sections, *base_rows(content), *row["fields"]]))
        words = WORDS if "doc" in target else WHOLE if target is content else sorted(set(target) - {"fields"})
        if words:
            target[data.draw(st.sampled_from(words))] = data.draw(SAID)
        if data.draw(st.integers(0, 4)) == 0:
            gone = data.draw(st.integers(0, len(row["fields"]) - 1))
            row["fields"] = [*row["fields"][:gone], *row["fields"][gone + 1 :]]
    try:
        fmt = Format.model_validate(content)
    except ValidationError:
        return
    if mistakes(fmt):
        return
    codes = dict.fromkeys(fmt.codes, "0042")
    key = (lambda order: order.order_id) if "key" in fmt.carried else None
    made = write(fmt, SAMPLE[: fmt.max_orders], codes=codes, key=key)
    if made.orders:
        back = read(fmt, made.parts, codes=codes, defaults={} if "brand" in fmt.carried else {"brand": "acme"})
        assert [one.order for one in back.orders] == [as_carried(order, fmt) for order in made.orders]


def base_rows(content: Content) -> list[Content]:
    rows = content["records"]
    return [row for row in rows if isinstance(row, dict)] if isinstance(rows, list | tuple) else []


SAMPLE = [
    order.model_copy(update={"order_id": f"S-{n}", "order_number": f"S-{n}", "group": "0", "service": "STD"})
    for n, order in enumerate(sample_orders(6, at=datetime(2026, 11, 23, 14, tzinfo=UTC)))
]


def folder_of(tmp_path: Path, text: str) -> Path:
    (tmp_path / "format.toml").write_text(text, "utf-8")
    return tmp_path


def refused(folder: Path) -> str:
    with pytest.raises(FallbackError) as error:
        load_format(folder)
    assert (error.value.code, error.value.exit_code) == ("format-invalid", 3)
    return error.value.message


def toml(name: str) -> str:
    return (Path(__file__).parents[1] / "formats" / name / "format.toml").read_text("utf-8")


def test_all_mistakes_are_told_at_once(tmp_path: Path) -> None:
    text = toml("order-lines-csv").replace("{sequence:06d}", "").replace('path = "service"', 'path = "servise"')
    text = text.replace('date = "iso8601"', 'date = "%Y"', 1)
    told = refused(folder_of(tmp_path, text))
    assert told.splitlines()[0] == f"{tmp_path / 'format.toml'} is wrong at 5 place(s):"
    assert [line.strip().partition(":")[0] for line in told.splitlines()[1:]] == [
        "fields[7] OrderedAt", "fields[7] OrderedAt", "fields[24] Service", "fields", "file_name",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ('title = "Orders', 'colour = "red"\ntitle = "Orders', "colour is not a key of this section"),
        ('path = "brand"\n', 'path = "brand"\npadding = "0"\n', "fields[0].padding is not a key of this section"),
        ('delimiter = ","', 'delimiter = ",,"', "delimited.delimiter"),
        ('quoting = "minimal"', 'quoting = "some"', "delimited.quoting may be 'minimal', 'all' or 'none'"),
        ('encoding = "utf-8"', 'encoding = "latin-1"', "encoding may be 'utf-8', 'utf-8-sig', 'cp1252'"),
        ('newline = "crlf"', "newline = 7", "newline may be 'lf', 'crlf' or 'cr'"),
        ('name = "order-lines-csv"', 'name = "Order Lines"', "name does not have the agreed form"),
        ('version = "1"', "version = 1", "version is text in quotation marks"),
        ('version = "1"', "", "version is missing"),
        (
            "required = true\nmax_length = 64",
            'required = "perhaps"\nmax_length = 64',
            "fields[0].required is true or false",
        ),
        ("max_length = 64", "max_length = 0", "fields[0].max_length is 1 or more"),
        ("max_length = 64", 'max_length = "long"', "fields[0].max_length is a whole number"),
        ("drops = []", 'drops = "lines.lot"', "drops is a list in brackets"),
        ("[delimited]", "[[delimited]]", "delimited is a section of its own"),
        ('doc = "The brand\'s code in the agreement."', "", "fields[0].doc is missing"),
    ],
)
def test_what_toml_may_not_say_is_named_in_plain_words(tmp_path: Path, old: str, new: str, expected: str) -> None:
    text = toml("order-lines-csv")
    assert old in text
    told = refused(folder_of(tmp_path, text.replace(old, new, 1)))
    assert expected in told
    assert "pydantic" not in told and "nput should" not in told and "type=" not in told


def test_what_is_not_toml_is_told_with_its_line(tmp_path: Path) -> None:
    told = refused(folder_of(tmp_path, toml("order-jsonl").replace('version = "1"', "version = ")))
    assert "is not TOML" in told and "line 2" in told
    (tmp_path / "format.toml").write_bytes("title = 'é'".encode("cp1252"))
    assert "is not UTF-8 text at line 1: save it as UTF-8" in refused(tmp_path)


def test_comments_and_layout_do_not_make_another_format(tmp_path: Path) -> None:
    for name in shipped():
        text = "# One more remark\n\n" + re.sub(r"(?m)^(\w+) = ", r"\1   =  ", toml(name))
        assert load_format(folder_of(tmp_path, text)).sha256 == load_format(name).sha256
        other = load_format(folder_of(tmp_path, text.replace('doc   =  "', 'doc   =  "In other words: ', 1)))
        assert other.sha256 != load_format(name).sha256
