"""Lossless or loud: what is written reads back as it was, for every shipped format and for formats of every make."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from fallback.formats.defaults import as_carried
from fallback.formats.library import load_format, shipped
from fallback.formats.read import ReadFile, read
from fallback.formats.samples import fitting
from fallback.formats.soundness import mistakes
from fallback.formats.spec import Format
from fallback.formats.write import Written, write
from fallback.records.judge import judge
from fallback.records.order import Order
from fallback.records.paths import PATHS, values_of
from support.soak import times
from support.strategies import files, orders, readable, variant

pytestmark = pytest.mark.soak

AT = datetime(2026, 11, 23, 14, tzinfo=UTC)
WRITABLE = [fmt for fmt in map(load_format, shipped()) if fmt.direction != "read"]
CODES = {"client": "0042", "facility": "EAST 1"}
CODES |= {code: "0042" for fmt in WRITABLE for code in fmt.codes if code not in CODES}


def key(order: Order) -> str:
    return f"{order.brand}:{order.platform}:{order.order_id}:{order.group}"


def written(fmt: Format, some: Sequence[Order]) -> Written:
    return write(fmt, some, codes=CODES, key=key)


def content(fmt: Format, parts: Mapping[str, bytes]) -> ReadFile:
    return read(fmt, parts, name="file", codes=CODES, defaults={} if "brand" in fmt.carried else {"brand": "acme"})


def assert_same(fmt: Format, made: Written) -> None:
    """The file gives the orders that are in it, without a finding, and written again it is the same file."""
    back = content(fmt, made.parts)
    assert back.findings == ()
    assert [one.findings for one in back.orders] == [()] * len(made.orders)
    assert [one.order for one in back.orders] == [as_carried(order, fmt) for order in made.orders]
    again = written(fmt, [one.order for one in back.orders if one.order is not None])
    assert again.parts == made.parts
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
    **{fmt.name: fmt for fmt in WRITABLE},
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
    by = fmt.row_order.sorted_by
    assert list(made.orders) == (sorted(some, key=lambda order: values_of(order, by)) if by else some)
    assert_same(fmt, made)


@pytest.mark.parametrize("make", MAKES)
@settings(max_examples=times(80))
@given(data=st.data())
def test_any_order_reads_back_or_is_refused_with_a_finding(make: str, data: st.DataObject) -> None:
    fmt = MAKES[make]
    some = data.draw(files())
    if "brand" not in fmt.carried:
        some = [order.model_copy(update={"brand": "acme"}) for order in some]
    made = written(fmt, some[: fmt.max_orders])
    assume(readable(fmt, made))
    refused = [order for order in some[: fmt.max_orders] if order not in made.orders]
    assert {finding.order for finding in made.findings} == {order.order_number for order in refused}
    assert all(finding.is_error and finding.found and finding.expected for finding in made.findings)
    if made.orders:
        assert_same(fmt, made)


HARD = (
    "a\n\nb", "a\n b", "a \nb", "a\uffffb", "\ufffe", "]]>", "&amp;", "<a/>", "&#10;", "a~b", "a*b>c", "~", '"', '"a"',
    "'0012", "'",
    "=1+1", "#", ";x", ";", "\\n", "\\", "0", "00", "0000-00-00", "a,b;c|d\te", "a\xa0b", "N/A", "null", "None", "a  b",
    "\u0301", "\U0001f381", "ISA", "IEA*1*000000001~", "x" * 60, "x" * 256,
)  # fmt: skip
"""Texts that mean something to one of the kinds, or lie at the edge of what a record allows."""


@pytest.mark.parametrize("fmt", WRITABLE, ids=lambda fmt: fmt.name)
def test_a_text_that_means_something_to_the_kind_reads_back_or_is_refused(fmt: Format) -> None:
    (order,) = fitting(fmt, 1, codes=CODES, key=key, at=AT)
    told = fmt.carried | set(fmt.lost)
    for path in (path for path, info in PATHS.items() if info.kind == "text" and path in told):
        for text in HARD:
            other = with_value(order, path, text)
            if isinstance(judge(other.model_dump()), list):
                continue  # no text of this path
            made = written(fmt, [other])
            if made.orders and readable(fmt, made):
                assert_same(fmt, made)
            else:
                assert made.orders or [finding.is_error for finding in made.findings] != []


def with_value(order: Order, path: str, value: Any) -> Order:
    head, _, name = path.rpartition(".")
    if head == "ship_to":
        return order.model_copy(update={"ship_to": order.ship_to.model_copy(update={name: value})})
    if head == "lines":
        return order.model_copy(update={"lines": (order.lines[0].model_copy(update={name: value}), *order.lines[1:])})
    return order.model_copy(update={name: value})


@pytest.mark.parametrize("name", ["peoplevox", "shipstation-csv", "order-two-files-csv", "order-lines-csv"])
def test_orders_that_a_file_cannot_tell_apart_are_refused_and_the_others_go(name: str) -> None:
    """The lines of both would be those of each, or of one larger order."""
    fmt = load_format(name)
    one, two, three = fitting(fmt, 3, codes=CODES, key=key, at=AT)
    for path in fmt.ties:
        two = with_value(two, path, values_of(one, path)[0])
    made = written(fmt, [one, two, three])
    assert made.orders == (three,)
    assert [(finding.code, finding.order) for finding in made.findings] == [
        ("order-doubled", one.order_number), ("order-doubled", two.order_number),
    ]  # fmt: skip
    assert_same(fmt, made)


def test_a_line_that_would_begin_a_comment_is_refused_and_not_passed_over() -> None:
    """The lines of a pair begin with the order's id: read back, the order would have none."""
    pair = load_format("order-two-files-csv")
    fmt = variant(pair, {"delimited": pair.delimited.model_dump() | {"comment": ";"}})
    assert mistakes(fmt) == []
    one, two = fitting(fmt, 2, codes=CODES, key=key, at=AT)
    made = written(fmt, [with_value(one, "order_id", ";1"), two])
    assert made.orders == (two,)
    assert [(finding.code, finding.path) for finding in made.findings] == [("value-not-writable", "order_id")]


def test_a_default_that_is_no_value_of_its_path_refuses_the_order() -> None:
    """Where the number stands for the id, too, it must be one: read back, the file would be refused."""
    fmt = load_format("peoplevox")
    one, two = fitting(fmt, 2, codes=CODES, key=key, at=AT)
    made = written(fmt, [with_value(one, "order_number", "A 1"), two])
    assert made.orders == (two,)
    assert [(f.code, f.path, f.found) for f in made.findings] == [("identifier-invalid", "order_id", '"A 1"')]


@given(orders())
def test_a_line_of_order_jsonl_is_the_integration_s_own_json(order: Order) -> None:
    made = written(JSONL, [order])
    if made.orders:
        assert made.data == order.model_dump_json().encode() + b"\n"
