"""Partners' flat files: what they write reads back, what they cannot hold is refused, and the words that they need."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fallback.errors import FallbackError
from fallback.formats.cells import CellError, reader, writer
from fallback.formats.compare import diff
from fallback.formats.defaults import as_carried
from fallback.formats.describe import describe
from fallback.formats.library import load_format, shipped_folder
from fallback.formats.read import ReadFile, read
from fallback.formats.samples import fitting, samples
from fallback.formats.scope import sheet
from fallback.formats.soundness import mistakes
from fallback.formats.spec import Format
from fallback.formats.write import Written, write
from fallback.records.order import Order, fingerprint
from fallback.records.sample import sample_orders
from fallback.validation import validate

NAMES = ("dropstream-ord-v1", "dropstream-ord-v2", "oracle-wms-orr", "amazon-mcf-flat", "shipwire-tsv", "spherewms-ord")
CODES = dict.fromkeys(("client", "company", "facility", "inventory_account", "order_comment", "order_type"), "C1")
NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


def own_orders(name: str) -> list[Order]:
    """The orders beside a format, of people who do not exist."""
    lines = (shipped_folder() / name / "orders.jsonl").read_text("utf-8").splitlines()
    return [Order.model_validate_json(line) for line in lines]


def written(fmt: Format, *orders: Order) -> Written:
    return write(fmt, orders, codes=CODES)


def back(fmt: Format, data: bytes) -> ReadFile:
    return read(fmt, data, name="file", codes=CODES, defaults={"brand": "acme"})


def altered(fmt: Format, **changes: Any) -> Format:
    """A format of which some terms are other ones."""
    return Format.model_validate({**fmt.model_dump(), **changes})


def codes_of(done: Written) -> list[tuple[str, str | None]]:
    return sorted({(finding.code, finding.path) for finding in done.findings})


def edited(fmt: Format, data: bytes, old: str, new: str) -> ReadFile:
    """A file with one passage changed by the partner."""
    text = data.decode(fmt.encoding)
    assert text.count(old) >= 1, text
    return back(fmt, text.replace(old, new, 1).encode(fmt.encoding))


def told(content: ReadFile) -> list[tuple[str, str | None]]:
    """What is found in a file, about it and about its orders."""
    found = [*content.findings, *(finding for one in content.orders for finding in one.findings)]
    return [(finding.code, finding.path) for finding in found]


@pytest.mark.parametrize("name", NAMES)
def test_a_formats_own_orders_go_through_it(name: str) -> None:
    fmt, orders = load_format(name), own_orders(name)
    assert 5 <= len(orders) <= 8
    done = written(fmt, *orders)
    assert codes_of(done) == []
    content = back(fmt, done.data)
    assert told(content) == []
    assert [one.order for one in content.orders] == [as_carried(order, fmt) for order in done.orders]
    again = written(fmt, *(as_carried(order, fmt) for order in orders))
    assert again.data == done.data


# Why each format refuses some orders of any shop: it has no field for the value, or cannot write it, and never cuts it.
REFUSED = {
    "dropstream-ord-v1": {"lines.properties", "instructions", "gift_message"},
    "dropstream-ord-v2": {"lines.properties", "instructions", "gift_message"},
    "oracle-wms-orr": {"instructions"},
    "amazon-mcf-flat": {"lines.properties", "instructions", "ship_to.postal_code"},
    "shipwire-tsv": {"lines.properties", "instructions", "ship_to.phone"},
    "spherewms-ord": set(),
}


@pytest.mark.parametrize("name", NAMES)
@given(seed=st.integers(0, 10_000))
def test_sample_orders_come_back_or_are_refused_for_a_reason(name: str, seed: int) -> None:
    fmt = load_format(name)
    done = written(fmt, *samples(fmt, 12, at=NOON, seed=seed))
    assert {path for _, path in codes_of(done)} <= REFUSED[name]
    if done.orders:
        content = back(fmt, done.data)
        assert told(content) == []
        assert [one.order for one in content.orders] == list(done.orders)


@pytest.mark.parametrize("name", NAMES)
def test_the_page_says_what_nobody_could_verify(name: str) -> None:
    fmt = load_format(name)
    page = describe(fmt)
    assert fmt.status == "unverified"
    assert "Unverified: " in page
    assert all(note in page for note in fmt.notes)
    assert all(field.doc for field in fmt.all_fields)
    carried = "order_lines" in fmt.carried
    assert carried == (fmt.uncounted is None)
    assert ("a lost row is noticed by the manifest only" in page) != carried
    assert "https://" not in (shipped_folder() / name / "format.toml").read_text("utf-8")


@pytest.mark.parametrize("name", NAMES)
def test_a_file_by_its_format_alone_is_valid_without_the_brand(name: str) -> None:
    fmt = load_format(name)
    report = validate(written(fmt, *own_orders(name)).data, format=fmt, name="file")
    assert report.verdict == "accepted"


# --- DropStream


def test_dropstream_rows_have_the_published_number_of_values() -> None:
    for version, values in ((1, 25), (2, 26)):
        fmt = load_format(f"dropstream-ord-v{version}")
        rows = written(fmt, *own_orders(fmt.name)[:1]).data.decode().splitlines()
        assert rows[0].startswith('"PH","1001",')
        assert rows[0].count('","') == values - 1
        assert rows[1].startswith('"PD","1001","1",')
        assert rows[1].count('","') == 5
    assert [field.path for field in load_format("dropstream-ord-v2").records[0].fields][2] == "ship_to.email"


def test_what_a_partner_fills_beside_the_order_is_not_read() -> None:
    fmt = load_format("dropstream-ord-v1")
    done = written(fmt, *own_orders(fmt.name)[:1])
    billed = '"","","","","","","","STD"'
    content = edited(fmt, done.data, billed, '"Bo Template","1 Way","","Portland","OR","97201","US","STD"')
    assert told(content) == []
    assert content.orders[0].order == as_carried(done.orders[0], fmt)
    assert told(edited(fmt, done.data, '"0.00"', '"19.90"')) == []


def test_an_order_number_with_a_sign_that_the_partner_forbids_is_refused() -> None:
    fmt = load_format("dropstream-ord-v2")
    done = written(fmt, *sample_orders(3, at=NOON))
    assert ("value-malformed", "order_number") in codes_of(done)
    assert done.orders == ()
    assert all(order.order_number.startswith("S-") for order in samples(fmt, 3, at=NOON))


def test_a_row_of_one_line_takes_no_line_break() -> None:
    fmt = load_format("dropstream-ord-v2")
    order = own_orders(fmt.name)[0].model_copy(update={"instructions": "Ring.\nWait."})
    done = written(fmt, order)
    assert codes_of(done) == [("value-not-writable", "instructions")]
    assert "rows of one line" in (done.findings[0].expected or "")


# --- Oracle


def test_tags_of_oracle_stand_before_the_first_field() -> None:
    fmt = load_format("oracle-wms-orr")
    data = written(fmt, *own_orders(fmt.name)).data
    rows = data.decode().split("\r\n")
    header = [field.name for field in fmt.records[0].fields]
    assert rows[0].startswith("[H1]C1|C1|#1001|C1|20261123091500|")
    assert rows[1].startswith("[H2]1|TEE-BLK-M|")
    assert len(rows[0].split("|")) == len(header)
    assert header[:5] == ["facility_code", "company_code", "order_nbr", "order_type", "ord_date"]
    assert "| 1 | `facility_code`" in describe(fmt)
    assert told(edited(fmt, data, "[H2]2|", "[H3]2|"))[0] == ("record-unknown", None)
    assert told(edited(fmt, data, "[H2]2|", "2|"))[0] == ("record-unknown", None)
    lost = back(fmt, data.replace(rows[2].encode() + b"\r\n", b"", 1))
    assert told(lost) == [("line-count", "order_lines")]


def test_a_day_without_its_time_is_read_as_midnight() -> None:
    fmt = load_format("oracle-wms-orr")
    data = written(fmt, *own_orders(fmt.name)[:1]).data
    (order,) = edited(fmt, data, "20261123091500", "20261123").orders
    assert order.order is not None
    assert order.order.ordered_at == datetime(2026, 11, 23, tzinfo=UTC)


def test_live_files_of_oracle_begin_as_its_loader_wants_them() -> None:
    name = load_format("oracle-wms-orr").file_name
    assert name.format(marker="", brand="ACME", sent=NOON, sequence=7) == "ORRACME_20261123120000_000007.psv"


# --- Amazon


def test_later_rows_of_amazon_may_leave_out_what_the_first_one_says() -> None:
    fmt = load_format("amazon-mcf-flat")
    done = written(fmt, *own_orders(fmt.name)[:1])
    rows = [row.split("\t") for row in done.data.decode(fmt.encoding).splitlines()]
    assert rows[2][:6] == ["5550000001001", "", "", "0012", "3", "55500000010012"]
    assert told(edited(fmt, done.data, "0012\t3\t55500000010012\t\t\t\tC1", "0012\t3\t55500000010012\t\t\t\t")) == []
    # A row may say it again; a row that says otherwise is another order's, or damaged.
    repeated = edited(fmt, done.data, "5550000001001\t\t\t0012", "5550000001001\t#1001\t2026-11-23T09:15:00Z\t0012")
    assert told(repeated) == []
    assert told(edited(fmt, done.data, "5550000001001\t\t\t0012", "5550000001001\t#9\t\t0012")) == [
        ("order-fields-differ", None)
    ]


def test_an_order_with_more_lines_than_a_partner_takes_is_refused_both_ways() -> None:
    fmt = load_format("amazon-mcf-flat")
    order = own_orders(fmt.name)[-1]
    assert len(order.lines) == fmt.max_lines == 100
    extra = order.lines[0].model_copy(update={"line_id": "101", "line_number": 101})
    larger = order.model_copy(update={"lines": (*order.lines, extra)})
    assert codes_of(written(fmt, larger)) == [("number-out-of-range", "order_lines")]
    wide = altered(fmt, max_lines=None)
    content = back(fmt, written(wide, larger).data)
    assert [(code, content.orders[0].order) for code, _ in told(content)] == [("number-out-of-range", None)]


def test_a_service_that_amazon_does_not_know_is_found_before_sending() -> None:
    fmt = load_format("amazon-mcf-flat")
    order = own_orders(fmt.name)[0].model_copy(update={"service": "STD"})
    assert codes_of(written(fmt, order)) == [("value-not-allowed", "service")]
    assert codes_of(written(fmt, order.model_copy(update={"order_number": "一", "service": "Standard"}))) == [
        ("value-not-writable", "order_number")
    ]


# --- Shipwire


def test_shipwire_reads_its_columns_in_any_order_and_passes_comments() -> None:
    fmt = load_format("shipwire-tsv")
    done = written(fmt, *own_orders(fmt.name)[:2])
    rows = [row.split("\t") for row in done.data.decode().splitlines()]
    assert rows[0][:3] == ["[order_no]", "[external_id]", "[order_date]"]
    turned = ["\t".join([*reversed(row), extra]) for row, extra in zip(rows, ["[bill_to_name]", *"abcd"], strict=True)]
    content = back(fmt, ("; A comment\t\t\r\n" + "\r\n".join(turned) + "\r\n").encode())
    assert {code for code, _ in told(content)} == {"column-moved"}
    assert [one.order for one in content.orders] == [as_carried(order, fmt) for order in done.orders]


def test_a_cell_that_would_begin_a_comment_is_refused() -> None:
    fmt = load_format("shipwire-tsv")
    order = own_orders(fmt.name)[0].model_copy(update={"order_number": "; 7"})
    assert codes_of(written(fmt, order)) == [("value-not-writable", "order_number")]


def test_a_sku_in_two_lines_of_an_order_is_refused_both_ways() -> None:
    fmt = load_format("shipwire-tsv")
    order = own_orders(fmt.name)[0]
    twice = order.lines[1].model_copy(update={"sku": order.lines[0].sku})
    doubled = order.model_copy(update={"lines": (order.lines[0], twice, order.lines[2])})
    done = written(fmt, doubled)
    assert [(f.code, f.path, f.order_line, f.found) for f in done.findings] == [
        ("line-doubled", "lines.sku", 2, '"TEE-BLK-M"')
    ]
    assert done.orders == ()
    data = written(fmt, order).data
    assert told(edited(fmt, data, "\t0012\t", "\tTEE-BLK-M\t")) == [("line-doubled", "lines.sku")]


def test_the_hour_that_a_date_leaves_out_is_lost_by_agreement() -> None:
    fmt = load_format("shipwire-tsv")
    order = own_orders(fmt.name)[1]
    assert order.ordered_at == datetime(2026, 1, 4, 23, 15, tzinfo=UTC)
    carried = as_carried(order, fmt)
    assert carried.ordered_at == datetime(2026, 1, 4, tzinfo=UTC)
    assert as_carried(carried, fmt) == carried
    assert b"\t1/4/26\t" in written(fmt, order).data
    assert "ordered_at" in fmt.lost
    key = "acme:3"
    assert fingerprint(order, key, fmt.lost) == fingerprint(carried, key, fmt.lost)
    for text in ("1/4/2026", "01/04/2026"):  # as a spreadsheet may write it
        assert edited(fmt, written(fmt, order).data, "1/4/26", text).orders[0].order == carried


@pytest.mark.parametrize("year", [1999, 2100])
def test_a_year_that_two_digits_cannot_say_is_refused(year: int) -> None:
    fmt = load_format("shipwire-tsv")
    order = own_orders(fmt.name)[0].model_copy(update={"ordered_at": datetime(year, 6, 1, tzinfo=UTC)})
    assert codes_of(written(fmt, order)) == [("value-not-writable", "ordered_at")]


@given(
    at=st.datetimes(datetime(2000, 1, 2), datetime(2099, 12, 30)).map(lambda at: at.replace(microsecond=0)),
    offset=st.integers(-14, 14),
    pattern=st.sampled_from(["%-m/%-d/%y", "%m/%d/%Y", "%d.%m.%Y %H:%M", "%Y%m%d%H%M%S", "%-d-%-m-%Y %H:%M:%S"]),
)
def test_a_coarse_date_is_the_same_once_it_is_read(at: datetime, offset: int, pattern: str) -> None:
    instant = at.replace(tzinfo=timezone(timedelta(hours=offset)))
    text = writer("instant", pattern, "UTC")(instant)
    value = reader("instant", pattern, "UTC")(text)
    assert timedelta(0) <= instant - value < timedelta(days=1)
    assert writer("instant", pattern, "UTC")(value) == text


@pytest.mark.parametrize("text", ["01/20/16", "13/1/16", "1/32/16", "2/30/16", "1/2/6", "1/2/16 ", "1/2/116", "0/1/16"])
def test_a_date_of_another_form_is_not_guessed(text: str) -> None:
    for kind in ("instant", "day"):
        with pytest.raises(CellError) as error:
            reader(kind, "%-m/%-d/%y", "UTC")(text)  # type: ignore[arg-type]
        assert error.value.expected.endswith("11/23/26")


# --- SphereWMS


def test_rows_of_sphere_are_sorted_and_its_ship_to_code_is_the_orders_id() -> None:
    fmt = load_format("spherewms-ord")
    orders = own_orders(fmt.name)
    data = written(fmt, *orders).data
    numbers = [row.split(",")[2] for row in data.decode().splitlines() if row.startswith("ORD,")]
    assert numbers == sorted(numbers)
    assert data.startswith(b"ORD,C1,#1001,5550000001001,2026-11-23T09:15:00Z,3,5550000001001,Ada Example,")
    changed = edited(fmt, data, "Z,3,5550000001001,", "Z,3,5550000001009,")
    assert told(changed)[0][0] in ("order-fields-differ", "value-wrong")


# --- the words, and what may not be said with them

BASE = """
name = "x"
version = "1"
title = "X"
kind = "delimited"
layout = "line"
file_name = "{marker}X_{sequence:06d}.csv"
uncounted = "no column for it"
[defaults]
platform = "shop"
order_id = "=order_number"
"lines.line_id" = "#"
"lines.line_number" = "#"
"""
FIELDS: dict[str, dict[str, Any]] = {
    "order_number": {},
    "ordered_at": {"date": "%m/%d/%Y", "zone": "UTC", "coarse": True},
    **{f"ship_to.{name}": {} for name in ("name", "address1", "city", "country")},
    "service": {},
    "lines.sku": {"once": True},
    "lines.quantity": {},
}


def declared(tmp_path: Path, **changes: dict[str, Any]) -> Format:
    """A small format of its own, with some fields declared otherwise."""
    words = {True: "true", False: "false"}
    text = BASE
    for path in {**FIELDS, **changes}:
        terms = changes.get(path, FIELDS.get(path, {}))
        text += f'\n[[fields]]\nname = "{path}"\ndoc = "A field."\n'
        text += f'path = "{path}"\n' if path in FIELDS and "path" not in terms else ""
        for key, value in terms.items():
            text += "" if value is None else f"{key} = {words[value] if isinstance(value, bool) else repr(value)}\n"
    file = tmp_path / "format.toml"
    file.write_text(text, "utf-8")
    return load_format(file)


def test_a_small_format_with_every_word_is_sound(tmp_path: Path) -> None:
    fmt = declared(tmp_path, Note={"unused": True}, Price={"unused": True, "constant": "0.00"})
    assert mistakes(fmt) == []
    order = sample_orders(1, at=NOON)[0].model_copy(update={"ship_by": None})
    plain = order.model_copy(
        update={
            "currency": None,
            "instructions": None,
            "gift_message": None,
            "ship_to": order.ship_to.model_copy(update=dict.fromkeys(("region", "postal_code", "phone", "email"))),
            "lines": tuple(
                line.model_copy(update={"unit_price": None, "description": None, "properties": ()})
                for line in order.lines
            ),
        }
    )
    done = written(fmt, plain)
    assert codes_of(done) == []
    assert all(row.endswith(",,0.00") for row in done.data.decode().splitlines()[1:])
    # What stands in an unused column may differ from row to row.
    text = re.sub(r",,0\.00\r", lambda match: f",note {match.start()},{match.start()}\r", done.data.decode())
    content = back(fmt, text.encode())
    assert told(content) == []
    assert content.orders[0].order == as_carried(plain, fmt)
    page = describe(fmt)
    assert "not used, always `0.00`" in page
    assert "each in one line only" in page
    assert "carried less exactly, by agreement: `ordered_at`" in page
    assert {row["path"] for row in sheet(fmt) if row["name"] in ("Note", "Price")} == {"none"}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"Note": {"unused": True, "code": "x"}}, "unused is for columns"),
        ({"Note": {"unused": True, "required": True}}, "unused is for columns"),
        ({"Note": {}}, "needs exactly one of path, constant, code and only"),
        ({"ordered_at": {"date": "%m/%d/%Y", "zone": "UTC"}}, "date loses the time"),
        ({"ordered_at": {"date": "%m/%d/%Y", "coarse": True}}, "does not say its zone"),
        ({"ordered_at": {"date": "%Y%m%d%H%M%S", "zone": "UTC", "coarse": True}}, "keeps everything"),
        ({"ordered_at": {"date": "%y/%m/%d/%Y", "zone": "UTC", "coarse": True}}, "names a part twice"),
        ({"ordered_at": {"date": "%-d/%y", "zone": "UTC", "coarse": True}}, "date needs %Y, %m and %d"),
        ({"ordered_at": {"date": "%-H/%m/%d/%Y", "zone": "UTC", "coarse": True}}, "found %-H"),
        ({"service": {"coarse": True}}, "coarse is for a date and time"),
        ({"service": {"once": True}}, "once is for a text of the lines"),
        ({"lines.quantity": {"once": True}}, "once is for a text of the lines"),
    ],
)
def test_a_word_in_the_wrong_place_is_named(changes: dict[str, Any], words: str, tmp_path: Path) -> None:
    with pytest.raises(FallbackError) as error:
        declared(tmp_path, **changes)
    assert error.value.code == "format-invalid"
    assert words in str(error.value)


def test_joined_tags_need_bare_cells_and_cannot_be_mistaken() -> None:
    fmt = load_format("oracle-wms-orr")
    quoted = altered(fmt, delimited={**fmt.delimited.model_dump(), "quoting": "minimal"})
    assert any("joined is for delimited rows without quoting" in text for text in mistakes(quoted))
    records = [{**row.model_dump(), "tag": tag} for row, tag in zip(fmt.records, ("H", "HD"), strict=True)]
    alike = altered(fmt, records=records)
    assert any("begin with one another" in text for text in mistakes(alike))


def test_a_change_of_the_words_is_told() -> None:
    fmt = load_format("shipwire-tsv")
    fields = [{**field.model_dump(), "once": False} for field in fmt.fields]
    changes = diff(fmt, altered(fmt, fields=fields))
    assert [change.place for change in changes if change.breaks] == ["sku"]


# --- samples


def test_samples_are_those_that_a_format_takes() -> None:
    for name in NAMES:
        fmt = load_format(name)
        orders = fitting(fmt, 9, codes=CODES, key=lambda order: order.order_id, at=NOON)
        assert len(orders) == 9
        assert written(fmt, *orders).findings == ()
    lines = load_format("order-lines-csv")
    assert fitting(lines, 4, codes={}, key=lambda order: "", at=NOON) == sample_orders(4, at=NOON)


def test_samples_end_where_a_format_refuses_nearly_all() -> None:
    fmt = load_format("order-lines-csv")
    fields = [field.model_dump() | ({"max_length": 1} if field.path == "ship_to.city" else {}) for field in fmt.fields]
    narrow = altered(fmt, fields=fields)
    assert fitting(narrow, 3, codes={}, key=lambda order: "", at=NOON) == []
