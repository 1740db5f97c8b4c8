"""XML: whole or refused, without entities, with no text or element lost in silence."""

from __future__ import annotations

import re

import pytest

from fallback.formats.library import load_format
from fallback.formats.read import read
from fallback.formats.write import write
from kinds_kit import accepted, changed, codes, findings, golden, look, orders, short

NAME = "order-xml"
FMT = load_format(NAME)
GOOD = golden(NAME)
QUIET = load_format("quiet-shipment-order-xml")
LATIN = changed(FMT, encoding="iso-8859-1")
SPACED = changed(FMT, xml={**FMT.xml.model_dump(), "namespace": "urn:agreed"})


def put(old: bytes, new: bytes, data: bytes = GOOD) -> bytes:
    """The file with the first of some bytes replaced."""
    assert old in data
    return data.replace(old, new, 1)


def refused(data: bytes) -> list[str]:
    """What is said of a file of which no order may be loaded."""
    content = look(FMT, data)
    assert accepted(content) == []
    return codes(content)


# --- the document


@pytest.mark.parametrize(
    "prologue",
    [
        b'<!DOCTYPE Orders [<!ENTITY a "1">]>',
        b'<!DOCTYPE Orders [<!ENTITY a SYSTEM "file:///etc/hostname">]>',
        b'<!DOCTYPE Orders SYSTEM "http://127.0.0.1:9/orders.dtd">',
        b'<!DOCTYPE Orders [<!ENTITY % a SYSTEM "http://127.0.0.1:9/a"> %a;]>',
        b'<!DOCTYPE Orders [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">'
        b'<!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;"><!ENTITY d "&c;&c;&c;&c;&c;&c;&c;&c;&c;&c;">]>',
        b"<!DOCTYPE Orders>",
    ],
    ids=["entity", "external", "dtd", "parameter", "laughs", "bare"],
)
def test_document_types_and_entities_are_refused_where_they_stand(prologue: bytes) -> None:
    bad = put(b"<Orders", prologue + b"\n<Orders").replace(b"<Name>", b"<Name>&d;", 1)
    assert refused(bad) == ["xml-forbidden"]
    assert look(FMT, bad).findings[0].place.line == 2


@pytest.mark.parametrize(
    "bad",
    [
        GOOD[: len(GOOD) // 2],
        GOOD + GOOD,
        put(b"<Orders", b"<Orders>", GOOD[: GOOD.index(b"<Order ")]),
        put(b"<Name>", b"<Name>&undeclared;"),
        put(b"</Name>", b"</Nam>"),
        put(b"<Name>", b"<Name>&#x1;"),
        put(b'orderId="', b'brand="twice" orderId="'),
        put(b"<Name>", b"<a>" * 200 + b"<Name>"),
        b"not XML",
        b"<",
        b"<?xml",
    ],
    ids=short,
)
def test_what_is_no_whole_document_is_refused(bad: bytes) -> None:
    assert refused(bad) == ["xml-invalid"]


def test_a_document_that_is_cut_says_where() -> None:
    cut = GOOD[: GOOD.index(b"<City>")]
    assert look(FMT, cut).findings[-1].place.line == cut.count(b"\n") + 1


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"<Orders count", b'<Orders xmlns="urn:other" count'),
        (b"<Orders count", b'<x:Orders xmlns:x="urn:other" count'),
        (b"<Orders count", b"<Shipments count"),
    ],
)
def test_another_document_is_one_finding(old: bytes, new: bytes) -> None:
    name = new[1:].split(b" ")[0]
    bad = put(b"</Orders>", b"</" + name + b">", put(old, new))
    content = look(FMT, bad)
    assert [finding.code for finding in findings(content)] == ["header-missing"]
    assert content.orders == ()


def test_a_namespace_is_agreed_for_every_element() -> None:
    data = write(SPACED, orders(NAME)).data
    assert [one.order for one in look(SPACED, data).orders] == list(orders(NAME))
    assert codes(look(SPACED, data.replace(b"urn:agreed", b"urn:other"))) == ["header-missing"]
    assert codes(look(SPACED, GOOD)) == ["header-missing"]
    other = put(b"<Quantity>", b'<Quantity xmlns="urn:other">', data)
    content = look(SPACED, other)
    assert codes(content) == ["value-malformed"]
    assert accepted(content) == list(orders(NAME))[1:]
    prefixed = re.sub(rb"<(/?)", rb"<\1x:", data.partition(b"\n")[2]).replace(b"xmlns=", b"xmlns:x=")
    assert [one.order for one in look(SPACED, prefixed).orders] == list(orders(NAME))


def test_a_lost_or_doubled_order_is_counted() -> None:
    begin, end = GOOD.index(b" <Order "), GOOD.index(b"</Order>\n") + len(b"</Order>\n")
    assert refused(GOOD[:begin] + GOOD[end:]) == ["trailer-differs"]
    assert refused(GOOD[:end] + GOOD[begin:]) == ["trailer-differs"]
    assert refused(GOOD[:begin] + b" <!--" + GOOD[begin:end].replace(b"--", b"") + b"-->\n" + GOOD[end:]) == [
        "trailer-differs"
    ]
    assert refused(re.sub(rb' count="6">', b">", GOOD, count=1)) == ["trailer-differs"]


def test_what_stands_between_the_orders_is_told() -> None:
    assert refused(put(b" <Order ", b" <Shipment/>\n <Order ")) == ["column-unknown"]
    assert refused(put(b" <Order ", b" 5\n <Order ")) == ["column-unknown"]
    assert refused(put(b'<Orders count="6"', b'<Orders test="1" count="6"')) == ["column-unknown"]


def test_a_document_of_other_elements_is_not_read_to_its_end() -> None:
    bad = put(b" <Order ", b"<Shipment/>" * 50_000 + b" <Order ")
    content = look(FMT, bad)
    assert set(codes(content)) == {"column-unknown"}
    assert len(findings(content)) < 2000


@pytest.mark.parametrize("declared", [b"ISO-8859-15", b"windows-1252", b"UTF-16", b"nonsense"])
def test_a_declaration_of_another_encoding_makes_no_other_letters(declared: bytes) -> None:
    """Where a document names another encoding than agreed, its bytes may be other letters: \\xa4 is a euro in one."""
    order = orders(NAME)[0].model_copy(update={"instructions": "Für Zoë ¤"})
    for fmt in (FMT, LATIN):
        data = write(fmt, [order]).data
        assert accepted(look(fmt, data)) == [order]
        bad = re.sub(rb'encoding="[^"]*"', b'encoding="' + declared + b'"', data)
        assert codes(look(fmt, bad)) == ["encoding-wrong"]
    plain = re.sub(rb'encoding="[^"]*"', b'encoding="' + declared + b'"', write(FMT, [orders(NAME)[0]]).data)
    assert accepted(look(FMT, plain)) == [orders(NAME)[0]]


def test_a_document_may_do_without_its_declaration() -> None:
    assert accepted(look(FMT, GOOD.partition(b"\n")[2])) == list(orders(NAME))
    assert accepted(look(FMT, GOOD.replace(b"\n", b"\r\n"))) == list(orders(NAME))


# --- an order


@pytest.mark.parametrize(
    "inserted",
    [
        b"<Name>Another Person</Name>",
        b"<Region>MA</Region><Region>NY</Region>",
        b"<Gate>4</Gate>",
        b"some text",
        b"<Name><First>Ada</First></Name>",
    ],
)
def test_what_an_order_should_not_hold_refuses_it(inserted: bytes) -> None:
    content = look(FMT, put(b"<ShipTo>", b"<ShipTo>" + inserted))
    assert codes(content) == ["value-malformed"]
    assert content.orders[0].order is None
    assert accepted(content) == list(orders(NAME))[1:]


@pytest.mark.parametrize(
    "second",
    [
        b"<ShipTo><Company>Another</Company></ShipTo>",
        b"<Lines><Line/></Lines>",
        b"<Lines>5</Lines>",
        b'<Gift xmlns="urn:other"/>',
    ],
)
def test_two_addresses_are_never_mixed_into_one(second: bytes) -> None:
    """Each of their values stands once: only the element that holds them is there twice."""
    content = look(FMT, put(b"<ShipTo>", second + b"<ShipTo>"))
    assert "value-malformed" in codes(content)
    assert accepted(content) == list(orders(NAME))[1:]


def test_a_second_address_behind_the_first_is_told_by_its_name() -> None:
    bad = put(b"</ShipTo>", b"</ShipTo><ShipTo><Company>Another</Company></ShipTo>")
    assert [finding.found for finding in findings(look(FMT, bad))] == ["a second ShipTo"]


def test_an_attribute_that_is_not_declared_refuses_the_order() -> None:
    assert codes(look(FMT, put(b"<SKU>", b'<SKU old="7">'))) == ["value-malformed"]
    assert codes(look(FMT, put(b"<SKU>", b'<SKU x:old="7" xmlns:x="urn:x">'))) == ["value-malformed"]
    assert codes(look(FMT, put(b"<SKU>", b'<SKU xml:lang="en">'))) == []


def test_comments_and_cdata_belong_to_no_value_and_take_nothing_from_it() -> None:
    sku = orders(NAME)[0].lines[0].sku.encode()
    for written in (
        sku[:2] + b"<!-- 99 -->" + sku[2:],
        b"<![CDATA[" + sku + b"]]>",
        sku[:1] + b"<![CDATA[" + sku[1:] + b"]]>",
        sku[:1] + b"<?pi 99?>" + sku[1:],
        b"".join(b"&#%d;" % letter for letter in sku),
    ):
        content = look(FMT, put(b"<SKU>" + sku, b"<SKU>" + written))
        assert findings(content) == []
        assert accepted(content) == list(orders(NAME))


def test_a_value_broken_by_an_element_is_no_value() -> None:
    sku = orders(NAME)[0].lines[0].sku.encode()
    content = look(FMT, put(b"<SKU>" + sku, b"<SKU>" + sku[:2] + b"<b/>" + sku[2:]))
    assert set(codes(content)) == {"value-malformed"}
    assert accepted(content) == list(orders(NAME))[1:]


def test_blanks_around_a_value_are_told() -> None:
    """A program that lays a document out anew puts values on lines of their own."""
    content = look(FMT, re.sub(rb"<SKU>([^<]*)</SKU>", rb"<SKU>\n   \1\n</SKU>", GOOD, count=1))
    assert len(codes(content)) == 1
    assert accepted(content) == list(orders(NAME))[1:]


def test_lines_are_counted() -> None:
    line = re.search(rb" *<Line .*?</Line>\n", GOOD, re.DOTALL)
    assert line is not None
    lost = look(FMT, GOOD[: line.start()] + GOOD[line.end() :])
    assert codes(lost) in (["line-count"], ["line-count", "value-missing"])
    doubled = look(FMT, GOOD[: line.end()] + GOOD[line.start() :])
    assert codes(doubled) == ["line-doubled"]


def test_any_text_of_a_record_is_carried() -> None:
    text = "a<b>&amp;&lt;]]>\n\"quoted\" 'so' \u00e9\u4e2d\U0001f600\n\n  <!-- -->"
    order = orders(NAME)[0].model_copy(update={"instructions": text, "order_id": "<&\"'>"})
    for fmt in (FMT, changed(FMT, newline="crlf"), SPACED):
        made = write(fmt, [order])
        assert made.findings == ()
        assert accepted(look(fmt, made.data)) == [order]


# --- a document that is the order itself


def test_a_root_that_is_the_order_is_checked_like_one() -> None:
    data = golden(QUIET.name)
    (order,) = orders(QUIET.name)
    assert accepted(look(QUIET, data)) == [order]
    assert codes(look(QUIET, data.replace(b"schemas.quietlogistics.com", b"example.com"))) == ["header-missing"]
    assert codes(look(QUIET, data[: len(data) // 2])) == ["xml-invalid"]
    assert codes(look(QUIET, data + data)) == ["xml-invalid"]


def test_a_document_for_another_client_is_not_loaded() -> None:
    data = golden(QUIET.name)
    content = read(
        QUIET, data, name="file", codes={"client": "9999", "business_unit": "B1"}, defaults={"brand": "acme"}
    )
    assert codes(content) == ["value-wrong"]
    assert accepted(content) == []
