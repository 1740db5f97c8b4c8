"""Lossless or loud: what is written reads back as it was, for every shipped format and for formats of every make."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from fallback.formats.library import load_format, shipped
from fallback.formats.read import ReadFile, read
from fallback.formats.spec import Format, mistakes
from fallback.formats.write import Written, write
from fallback.records.order import Order
from fallback.records.paths import without
from support.soak import times
from support.strategies import files, orders, readable, variant

pytestmark = pytest.mark.soak

CODES = {"client": "0042", "facility": "EAST 1"}


def key(order: Order) -> str:
    return f"{order.brand}:{order.platform}:{order.order_id}:{order.group}"


def written(fmt: Format, some: Sequence[Order]) -> Written:
    return write(fmt, some, codes=CODES, key=key)


def content(fmt: Format, data: bytes) -> ReadFile:
    return read(fmt, data, name="file", codes=CODES, defaults={} if "brand" in fmt.carried else {"brand": "acme"})


def assert_same(fmt: Format, made: Written) -> None:
    """The file gives the orders that are in it, without a finding, and written again it is the same file."""
    back = content(fmt, made.data)
    assert back.findings == ()
    assert [one.findings for one in back.orders] == [()] * len(made.orders)
    assert [one.order for one in back.orders] == [without(order, fmt.drops) for order in made.orders]
    again = written(fmt, [one.order for one in back.orders if one.order is not None])
    assert again.data == made.data
    if "key" in fmt.carried:
        assert [one.key for one in back.orders] == [key(order) for order in made.orders]


CSV = load_format("order-lines-csv")
PSV = load_format("order-header-detail-psv")
JSONL = load_format("order-jsonl")

BARE = ("lines.unit_price", "lines.properties", "instructions", "gift_message", "revision", "group", "lines.uom")


def with_fields(base: Format, *more: Mapping[str, Any], **changes: Any) -> Format:
    """A variant with more fields at the end of the order's own row."""
    content = variant(base, changes).model_dump()
    row = content["records"][0] if content["records"] else content
    row["fields"] = [*row["fields"], *({"doc": "Added.", **field} for field in more)]
    return Format.model_validate(content)


def dated(base: Format, instant: str, day: str) -> Format:
    """A variant with dates in another notation."""
    content = base.model_dump()
    for row in content["records"] or [content]:
        for field in row["fields"]:
            if field["date"]:
                field |= {"date": day if field["path"] == "lines.expires_after" else instant, "max_length": 40}
    return Format.model_validate(content)


def renamed(base: Format, names: Mapping[str, str]) -> Format:
    content = base.model_dump()
    for field in content["fields"]:
        head, dot, tail = field["name"].partition(".")
        field["name"] = names.get(head, head) + dot + tail
    return Format.model_validate(content)


def delimited(delimiter: str, quoting: str, newline: str, encoding: str, header: bool) -> Format:
    base = CSV if header or delimiter in ",\t" else PSV
    settings = {"delimiter": delimiter, "quoting": quoting, "header": "required" if header else "forbidden"}
    return variant(base, {"delimited": settings, "newline": newline, "encoding": encoding})


MAKES: dict[str, Format] = {
    **{name: load_format(name) for name in shipped()},
    "semicolon, all quoted": delimited(";", "all", "crlf", "utf-8-sig", header=True),
    "tab, no quotes, ascii": delimited("\t", "none", "lf", "ascii", header=True),
    "pipe, no quotes, cp1252": delimited("|", "none", "crlf", "cp1252", header=False),
    "comma, no header, cr": delimited(",", "minimal", "cr", "utf-8", header=False),
    "semicolon, typed rows, latin": delimited(";", "minimal", "lf", "iso-8859-1", header=False),
    "tilde, typed rows, all quoted, cr": delimited("~", "all", "cr", "utf-8-sig", header=False),
    "comma, header, cp1252": delimited(",", "minimal", "crlf", "cp1252", header=True),
    "columns ignored": variant(CSV, {"delimited": {"extra_columns": "ignore"}}),
    "much dropped": variant(CSV, {"drops": BARE}),
    "much dropped, typed": variant(PSV, {"drops": BARE}),
    "much dropped, json": variant(JSONL, {"drops": BARE}),
    "no closing row": variant(PSV, {"records": PSV.model_dump()["records"][:2]}),
    "key, constant and codes": with_fields(
        CSV,
        {"name": "Key", "path": "key", "required": True},
        {"name": "Kind", "constant": "SO"},
        {"name": "Client", "code": "client"},
    ),
    "key and codes, typed": with_fields(
        PSV, {"name": "Key", "path": "key"}, {"name": "Facility", "code": "facility", "max_length": 6}
    ),
    "key and count, json": with_fields(
        JSONL,
        {"name": "key", "path": "key"},
        {"name": "count.lines", "path": "order_lines"},
        {"name": "count.unit", "constant": "lines"},
    ),
    "other member names": renamed(JSONL, {"ship_to": "shipTo", "lines": "items"}),
    "other dates": dated(CSV, "%d.%m.%Y %H:%M:%S %z", "%d.%m.%Y"),
    "other dates, typed": dated(PSV, "%Y%m%d%H%M%S%z", "%Y%m%d"),
    "stand-ins": Format.model_validate(
        CSV.model_dump()
        | {
            "fields": [
                field
                | (
                    {"placeholder": {"postal_code": "000"}, "required": True}
                    if field["path"] == "ship_to.postal_code"
                    else {}
                )
                | ({"placeholder": {"ship_by": "9999-12-31"}} if field["path"] == "ship_by" else {})
                for field in CSV.model_dump()["fields"]
            ]
        }
    ),
}


@pytest.mark.parametrize("make", MAKES)
def test_formats_of_every_make_are_sound(make: str) -> None:
    assert mistakes(MAKES[make]) == []


@pytest.mark.parametrize("make", MAKES)
@settings(max_examples=times(120))
@given(data=st.data())
def test_what_a_format_carries_whole_is_written_whole_and_reads_back(make: str, data: st.DataObject) -> None:
    fmt = MAKES[make]
    some = data.draw(files(fmt))
    made = written(fmt, some)
    assume(readable(fmt, made))
    assert made.findings == ()
    assert list(made.orders) == some
    assert_same(fmt, made)


@pytest.mark.parametrize("make", MAKES)
@settings(max_examples=times(80))
@given(data=st.data())
def test_any_order_reads_back_or_is_refused_with_a_finding(make: str, data: st.DataObject) -> None:
    fmt = MAKES[make]
    some = data.draw(files())
    if "brand" not in fmt.carried:
        some = [order.model_copy(update={"brand": "acme"}) for order in some]
    made = written(fmt, some)
    assume(readable(fmt, made))
    refused = [order for order in some if order not in made.orders]
    assert {finding.order for finding in made.findings} == {order.order_number for order in refused}
    assert all(finding.is_error and finding.found and finding.expected for finding in made.findings)
    if made.orders:
        assert_same(fmt, made)


@given(orders())
def test_a_line_of_order_jsonl_is_the_integration_s_own_json(order: Order) -> None:
    made = written(JSONL, [order])
    if made.orders:
        assert made.data == order.model_dump_json().encode() + b"\n"
