"""Fixed width: a character too few or too many moves every value behind it, and none of them may be taken for good."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from fallback.formats.kinds.fixed_width import spans
from fallback.formats.library import load_format
from fallback.formats.spec import Format
from fallback.formats.write import write
from kinds_kit import accepted, changed, codes, findings, golden, look, orders, short

NAME = "order-fixed-width"
FMT = load_format(NAME)
GOOD = golden(NAME)
TERMS = FMT.fixed_width
assert TERMS is not None
TAG, LENGTH = TERMS.tag_width, TERMS.record_length


def column(tag: str, path: str) -> tuple[int, int]:
    """The columns of a field, from 0."""
    row = next(row for row in FMT.records if row.tag == tag)
    return next(span for span, field in zip(spans(row, TAG), row.fields, strict=True) if field.path == path)


def rows(data: bytes = GOOD) -> list[str]:
    return data.decode().split("\n")[:-1]


def first(tag: str) -> int:
    return next(index for index, row in enumerate(rows()) if row.startswith(tag))


def with_row(index: int, row: str) -> bytes:
    all_of_them = rows()
    return "".join(f"{one}\n" for one in [*all_of_them[:index], row, *all_of_them[index + 1 :]]).encode()


def with_cell(tag: str, path: str, text: str) -> bytes:
    """The file with other characters in a field of the first row of a type."""
    (begin, end), index = column(tag, path), first(tag)
    row = rows()[index]
    assert len(text) == end - begin
    return with_row(index, row[:begin] + text + row[end:])


def test_every_row_is_as_long_as_agreed_in_characters() -> None:
    """A letter of two bytes is one character."""
    order = orders(NAME)[0].model_copy(update={"instructions": "Für Zoë, 中文 \U0001f600"})
    data = write(FMT, [order]).data
    assert {len(row) for row in data.decode().split("\n")[:-1]} == {LENGTH}
    assert len(data) > data.decode().count("\n") * (LENGTH + 1)
    assert accepted(look(FMT, data)) == [order]


@pytest.mark.parametrize("tag", ["H", "D"])
@pytest.mark.parametrize("at", [2, 40, LENGTH // 2, LENGTH])
@pytest.mark.parametrize("change", ["short", "long", "much short", "twice"])
def test_a_row_of_another_length_refuses_its_order(tag: str, at: int, change: str) -> None:
    index = first(tag)
    row = rows()[index]
    bad = {
        "short": row[: at - 1] + row[at:],
        "long": row[:at] + "x" + row[at:],
        "much short": row[:at],
        "twice": row + row,
    }[change]
    if len(bad) == LENGTH:
        pytest.skip("nothing is cut off at the end")
    content = look(FMT, with_row(index, bad))
    assert codes(content)[0] == "row-cells"
    finding = next(one for one in findings(content) if one.code == "row-cells")
    assert (finding.place.line, finding.found, finding.expected) == (
        index + 1,
        f"{len(bad)} characters",
        f"{LENGTH}",
    )
    assert [order for order in accepted(content) if order not in orders(NAME)[1:]] == []


@pytest.mark.parametrize(
    ("tag", "path", "text"),
    [
        ("D", "lines.quantity", "{}12 "),
        ("D", "lines.quantity", " {}12"),
        ("D", "lines.quantity", "{}1 2"),
        ("D", "lines.quantity", "{}1\t"),
        ("D", "lines.sku", " 0012{}"),
        ("D", "lines.sku", "\t0012{}"),
        ("H", "order_number", "  #1001{}"),
    ],
)
def test_a_value_that_was_moved_within_its_columns_is_not_taken(tag: str, path: str, text: str) -> None:
    """A character was lost before it, and one came behind it: the row is as long as it should be."""
    begin, end = column(tag, path)
    pad = "0" if path == "lines.quantity" else " "
    content = look(FMT, with_cell(tag, path, text.format(pad * (end - begin - len(text.format(""))))))
    assert len(codes(content)) == 1
    assert codes(content)[0] in ("value-malformed", "number-invalid", "control-character")
    assert accepted(content) == list(orders(NAME))[1:]


def test_the_columns_of_a_wrong_value_are_told() -> None:
    begin, end = column("H", "ship_to.country")
    content = look(FMT, with_cell("H", "ship_to.country", "QQ"))
    assert [(one.code, one.place.at) for one in findings(content)] == [
        ("country-unknown", f"columns {begin + 1}-{end}")
    ]


def test_a_tab_is_no_padding() -> None:
    _, end = column("D", "lines.description")
    index = first("D")
    row = rows()[index]
    assert row[end - 1] == " "
    content = look(FMT, with_row(index, row[: end - 1] + "\t" + row[end:]))
    assert len(codes(content)) == 1
    assert accepted(content) == list(orders(NAME))[1:]
    blank = look(FMT, with_cell("D", "lines.lot", "\t" * (column("D", "lines.lot")[1] - column("D", "lines.lot")[0])))
    assert codes(blank) == ["value-malformed"]


@pytest.mark.parametrize(("agreed", "found"), [("lf", b"\r\n"), ("crlf", b"\n"), ("lf", b"\r"), ("cr", b"\n")])
def test_other_line_ends_are_told_and_nothing_is_lost(agreed: str, found: bytes) -> None:
    fmt = changed(FMT, newline=agreed)
    content = look(fmt, GOOD.replace(b"\n", found))
    assert [finding.code for finding in findings(content)] == ["line-ends"]
    assert accepted(content) == list(orders(NAME))


def test_line_ends_of_two_kinds_refuse_the_file_and_hide_no_row() -> None:
    for bad in (GOOD.replace(b"\n", b"\r\n", 1), GOOD.replace(b"\n", b"\r\n").replace(b"\r\n", b"\n", 2)):
        content = look(FMT, bad)
        assert codes(content) == ["line-ends-mixed"]
        assert len(content.orders) == len(orders(NAME))
        assert accepted(content) == []


@pytest.mark.parametrize(
    "bad",
    [
        GOOD[:-1],
        GOOD[: len(GOOD) // 2],
        GOOD[: GOOD.rindex(b"\nT") + 1],
        GOOD + GOOD,
        GOOD.replace(b"\n", b""),
        GOOD.replace(b"\nD", b"\nX", 1),
        GOOD.replace(b"\nD", b"\nd", 1),
        b"\n".join(line.rstrip() for line in GOOD.split(b"\n")),
        GOOD + b"\x1a",
    ],
    ids=short,
)
def test_a_file_that_was_cut_joined_or_trimmed_is_refused(bad: bytes) -> None:
    content = look(FMT, bad)
    assert codes(content)
    assert accepted(content) == []


def line_format(**field: Any) -> Format:
    """A format of one type of row, with a gap before its last field and a rest behind it."""
    plain = {"doc": "A value.", "required": True}
    content = {
        "name": "narrow", "version": "1", "title": "Narrow", "kind": "fixed-width", "layout": "line",
        "newline": "lf", "file_name": "{marker}{sequence:06d}.txt", "uncounted": "a test",
        "defaults": {"ship_to.name": "A", "ship_to.address1": "B", "ship_to.city": "C", "ship_to.country": "US",
                     "ordered_at": "2026-11-23T14:00:00Z", "service": "STD", "platform": "shop",
                     "order_number": "=order_id", "lines.line_id": "=lines.line_number"},
        "fixed_width": {"record_length": 40},
        "fields": [
            {"name": "Id", "path": "order_id", "width": 6, **plain},
            {"name": "Line", "path": "lines.line_number", "width": 3, "justify": "right", **plain},
            {"name": "Sku", "path": "lines.sku", "width": 8, **plain},
            {"name": "Quantity", "path": "lines.quantity", "width": 5, "justify": "right", "pad": "0", **plain},
            {"name": "Price", "path": "lines.unit_price", "doc": "Cents.", "start": 25, "width": 8,
             "justify": "right", "pad": "0", "decimals": 2, **field},
            {"name": "Currency", "path": "currency", "width": 3, "doc": "Currency."},
        ],
    }  # fmt: skip
    return Format.model_validate(content)


def test_decimals_that_are_implied_are_digits_only() -> None:
    narrow = line_format()
    good = b"A1      10012    00007  00001250USD     \n"
    (order,) = accepted(look(narrow, good))
    assert order.lines[0].unit_price == Decimal("12.50")
    for text in (b"000012.5", b"0001250 ", b" 0001250", b"-0001250", b"1.234.56"):
        content = look(narrow, good.replace(b"00001250", text))
        assert codes(content) == ["value-malformed"], text
        assert [finding.field for finding in findings(content)] == ["Price"]
        assert findings(content)[0].found == "something else in columns 25-32"


def test_text_where_no_field_is_tells_of_a_row_that_has_moved() -> None:
    narrow = line_format()
    for bad in (
        b"A1      10012    00007x 00001250USD     \n",
        b"A1      10012    00007  00001250USD    x\n",
    ):
        content = look(narrow, bad)
        assert codes(content) == ["row-cells"]
        assert accepted(content) == []


def test_an_amount_of_more_decimals_or_digits_than_the_columns_hold_is_not_written() -> None:
    narrow = line_format()
    (order,) = accepted(look(narrow, b"A1      10012    00007  00001250USD     \n"))
    line = order.lines[0]
    for price in ("12.505", "1234567.00"):
        dear = order.model_copy(update={"lines": (line.model_copy(update={"unit_price": Decimal(price)}),)})
        assert [finding.code for finding in write(narrow, [dear]).findings] == ["value-not-writable"]
    long = order.model_copy(update={"lines": (line.model_copy(update={"sku": "123456789"}),)})
    assert [finding.code for finding in write(narrow, [long]).findings] == ["value-too-long"]
