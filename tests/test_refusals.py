"""What export refuses before sending and validation before loading, each by its own code."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from fallback.agreement import Agreement, Local
from fallback.brand.outbox import open_outbox
from fallback.brand.outgoing import Export, export
from fallback.brand.sending import send
from fallback.delivery.memory import MemoryDrop
from fallback.documents.manifest import Manifest
from fallback.documents.report import Report
from fallback.errors import FallbackError
from fallback.formats.library import load_format
from fallback.formats.soundness import mistakes
from fallback.formats.spec import Format
from fallback.formats.write import Written, write
from fallback.records.order import Order
from fallback.records.sample import sample_orders
from fallback.validation import validate

AT = datetime(2026, 11, 23, 14, 0, tzinfo=UTC)
PLAIN = load_format("order-lines-csv")


def terms(folder: Path, **more: Any) -> Agreement:
    content = {
        "schema": "fallback.agreement/1",
        "id": "acme-northdock",
        "version": "1",
        "effective_from": "2026-10-01",
        "review_by": "2027-04-01",
        "parties": {"brand": {"org": "acme"}, "warehouse": {"org": "northdock"}},
        "format": {"orders": "order-lines-csv"},
        "delivery": {"primary": {"kind": "folder"}},
    }
    return Agreement.model_validate(content | more).at(folder, Local(side="brand"))


def made(folder: Path, orders: list[Order], **more: Any) -> Export:
    payload = folder / "orders.jsonl"
    payload.write_text("".join(order.model_dump_json() + "\n" for order in orders))
    with open_outbox(folder / "outbox.sqlite") as outbox:
        return export([payload], agreement=terms(folder, **more), outbox=outbox, now=AT, out=folder / "out")


def variant(**changes: Any) -> Format:
    """The plain format with some things otherwise."""
    return Format.model_validate(PLAIN.model_dump() | changes)


def with_field(path: str, **changes: Any) -> Format:
    return variant(fields=[f.model_dump() | (changes if f.path == path else {}) for f in PLAIN.fields])


def without_field(path: str, **changes: Any) -> Format:
    return variant(fields=[field.model_dump() for field in PLAIN.fields if field.path != path], **changes)


def codes(found: Report | Written | Export) -> set[str]:
    return {finding.code for finding in found.findings if finding.is_error}


ORDERS = sample_orders(6, at=AT, brand="acme")


# --- before sending


def test_a_value_that_the_format_has_no_field_for_refuses_the_order_and_is_not_lost() -> None:
    noted = next(order for order in sample_orders(40, at=AT) if order.instructions)
    plain = noted.model_copy(update={"instructions": None})
    written = write(without_field("instructions"), [noted, plain.model_copy(update={"order_id": "7"})])
    assert codes(written) == {"value-not-carried"}
    assert [order.order_id for order in written.orders] == ["7"]
    assert write(without_field("instructions", drops=["instructions"]), [noted]).findings == ()


def test_a_value_that_the_file_cannot_carry_is_refused() -> None:
    unquoted = variant(delimited=PLAIN.delimited.model_dump() | {"quoting": "none"})
    order = ORDERS[0].model_copy(update={"service": "STD, fast"})
    assert codes(write(unquoted, [order])) == {"value-not-writable"}
    accented = ORDERS[0].model_copy(update={"service": "Exprès"})
    assert codes(write(variant(encoding="ascii"), [accented])) == {"value-not-writable"}


def test_a_value_that_equals_the_stand_in_for_none_is_refused() -> None:
    agreed = with_field("ship_to.postal_code", placeholder={"postal_code": "000"})
    ship_to = ORDERS[0].ship_to.model_copy(update={"postal_code": "000"})
    assert codes(write(agreed, [ORDERS[0].model_copy(update={"ship_to": ship_to})])) == {"placeholder-taken"}
    absent = ORDERS[0].ship_to.model_copy(update={"postal_code": None})
    written = write(agreed, [ORDERS[0].model_copy(update={"ship_to": absent})])
    assert written.findings == () and b",000," in written.data


def test_a_file_that_reads_otherwise_than_it_was_meant_is_not_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def careless(*given: Any, **named: Any) -> Written:
        written = write(*given, **named)
        return Written({"orders": written.data.replace(b",EA,", b",CS,", 1)}, written.orders, written.findings)

    monkeypatch.setattr("fallback.brand.outgoing.write", careless)
    with pytest.raises(FallbackError) as refused:
        made(tmp_path, ORDERS)
    assert (refused.value.code, refused.value.exit_code) == ("read-back-differs", 3)
    assert not (tmp_path / "out").exists() or list((tmp_path / "out").iterdir()) == []


def test_an_order_of_more_units_than_agreed_is_refused_and_the_others_go(tmp_path: Path) -> None:
    heavy = max(ORDERS, key=lambda order: order.units)
    result = made(tmp_path, ORDERS, limits={"max_units_per_order": heavy.units - 1})
    assert codes(result) == {"units-over-limit"}
    assert result.manifest is not None
    assert len(result.manifest.orders) + len(result.manifest.excluded) == result.manifest.population == len(ORDERS)
    assert result.exit_code == 1


def test_an_order_told_under_another_grouping_is_left_out(tmp_path: Path) -> None:
    whole = ORDERS[0]
    first = made(tmp_path, [whole])
    assert first.manifest is not None
    with open_outbox(tmp_path / "outbox.sqlite") as outbox:
        outbox.begin_sending(first.manifest.file_id, AT)
    second = made(tmp_path, [whole.model_copy(update={"group": "7001"})])
    assert second.path is None and dict(second.excluded) == {"group-changed": 1}


PART = ORDERS[0].model_copy(update={"group": "7001"})


def begun(folder: Path, order: Order) -> None:
    """One order exported, and its sending begun."""
    result = made(folder, [order])
    assert result.manifest is not None
    with open_outbox(folder / "outbox.sqlite") as outbox:
        outbox.begin_sending(result.manifest.file_id, AT)


@pytest.mark.parametrize("order_key", ["{brand}:{group}:{platform}:{order_id}", "{group}:{order_number}:fb"])
def test_wherever_the_group_stands_in_the_key_an_order_is_known_under_another_one(
    tmp_path: Path, order_key: str
) -> None:
    terms = {"format": {"orders": "order-lines-csv", "order_key": order_key}}
    first = made(tmp_path, [PART], **terms)
    assert first.manifest is not None
    with open_outbox(tmp_path / "outbox.sqlite") as outbox:
        outbox.begin_sending(first.manifest.file_id, AT)
    assert dict(made(tmp_path, [ORDERS[0]], **terms).excluded) == {"group-changed": 1}
    other_part = made(tmp_path, [PART.model_copy(update={"group": "7002"})], **terms)
    assert other_part.counts.orders == 1  # it ships something else


def test_an_order_exported_before_in_part_is_left_out_where_it_has_gone_whole(tmp_path: Path) -> None:
    """A key that was exported and never sent is no reason not to ask what went."""
    made(tmp_path, [PART])
    begun(tmp_path, ORDERS[0])
    assert dict(made(tmp_path, [PART]).excluded) == {"group-changed": 1}


def test_an_order_whole_and_in_part_in_one_payload_goes_in_neither_way(tmp_path: Path) -> None:
    result = made(tmp_path, [ORDERS[0], PART, ORDERS[1]])
    assert result.manifest is not None and [one.key for one in result.manifest.orders] == [
        terms(tmp_path).key(ORDERS[1])
    ]
    assert dict(result.excluded) == {"refused-here": 2}
    assert codes(result) == {"order-doubled"} and result.exit_code == 1


def test_another_template_of_keys_is_refused_before_anything_is_exported_or_sent(tmp_path: Path) -> None:
    first = made(tmp_path, [ORDERS[0]])
    changed_terms = {"orders": "order-lines-csv", "order_key": "{brand}:{order_number}:{group}"}
    with pytest.raises(FallbackError) as refused:
        made(tmp_path, [ORDERS[1]], format=changed_terms)
    assert (refused.value.code, refused.value.exit_code) == ("key-template-changed", 7)
    assert first.path is not None
    with open_outbox(tmp_path / "outbox.sqlite") as outbox, pytest.raises(FallbackError) as refused:
        send(
            first.path, agreement=terms(tmp_path, format=changed_terms), drop=MemoryDrop("live"), outbox=outbox,
            now=lambda: AT,
        )  # fmt: skip
    assert refused.value.code == "key-template-changed"


@pytest.mark.parametrize("mark", ["drill-7", "DRILL_7", "Drill 7", "DRILL\u20107"])
def test_what_may_be_taken_for_the_marker_of_a_drill_is_not_live(tmp_path: Path, mark: str) -> None:
    with pytest.raises(FallbackError) as refused:
        made(tmp_path, [ORDERS[0].model_copy(update={"order_number": mark})])
    assert (refused.value.code, refused.value.exit_code) == ("marker-wrong", 7)
    order = ORDERS[0].model_copy(update={"order_number": mark})
    report = validate(write(PLAIN, [order]).data, format=PLAIN, name="f")
    assert codes(report) == {"marker-wrong"} and report.orders == ()
    drilled = {"order_number": "DRILLS1001", "order_id": "drill9"}  # a word that begins so is no marker
    assert validate(write(PLAIN, [order.model_copy(update=drilled)]).data, format=PLAIN, name="f").findings == ()


# --- before loading


def changed(folder: Path, change: Callable[[dict[str, Any]], None]) -> tuple[Path, Agreement]:
    """A good file whose manifest was changed by somebody who can count and hash."""
    result = made(folder, ORDERS)
    assert result.path is not None and result.manifest is not None
    beside = result.path.with_name(result.manifest.name)
    content = json.loads(beside.read_bytes())
    change(content)
    beside.write_text(json.dumps(content))
    Manifest.from_json(beside.read_bytes())
    return result.path, terms(folder)


def test_an_order_that_is_not_declared_is_not_loaded(tmp_path: Path) -> None:
    def other_key(content: dict[str, Any]) -> None:
        content["orders"][0]["key"] = "acme:shopify:1:0"

    path, agreement = changed(tmp_path, other_key)
    report = validate(path, agreement=agreement)
    assert codes(report) == {"order-undeclared"}
    assert len(report.orders) == len(ORDERS) - 1


def test_a_live_file_whose_manifest_names_a_drill_is_refused(tmp_path: Path) -> None:
    """Drill and live never mix: manifest, file name, drop and ids agree, or it is refused."""
    path, agreement = changed(tmp_path, lambda content: content.update(drill_id="D-1"))
    report = validate(path, agreement=agreement)
    assert codes(report) == {"marker-wrong"} and report.orders == ()


def test_an_order_whose_content_is_not_the_declared_one_is_not_loaded(tmp_path: Path) -> None:
    def other_content(content: dict[str, Any]) -> None:
        content["orders"][0]["fingerprint"] = "0" * 64

    path, agreement = changed(tmp_path, other_content)
    report = validate(path, agreement=agreement)
    assert codes(report) == {"fingerprint-differs"}
    assert len(report.orders) == len(ORDERS) - 1


def test_a_file_made_by_another_version_of_the_format_is_refused(tmp_path: Path) -> None:
    def other_format(content: dict[str, Any]) -> None:
        content["format"]["version"] = "0"

    path, agreement = changed(tmp_path, other_format)
    report = validate(path, agreement=agreement)
    assert codes(report) == {"format-differs"} and report.verdict == "rejected"


def read_as(fmt: Format, old: bytes, new: bytes) -> Report:
    data = write(fmt, ORDERS).data
    assert old in data
    return validate(data.replace(old, new, 1), format=fmt, name="f.csv")


def test_a_value_that_is_not_one_of_those_agreed_is_refused() -> None:
    report = read_as(with_field("lines.uom", allowed=("EA", "CS")), b",EA,", b",PK,")
    assert codes(report) == {"value-not-allowed"}


def test_a_file_meant_for_somebody_else_is_refused() -> None:
    always = {"name": "Client", "constant": "ACME", "doc": "The client's code."}
    fmt = variant(fields=[*(field.model_dump() for field in PLAIN.fields), always])
    data = write(fmt, ORDERS).data.replace(b",ACME\r\n", b",OTHER\r\n")
    report = validate(data, format=fmt, name="f.csv")
    assert codes(report) == {"value-wrong"} and report.orders == ()


def test_a_lost_row_does_not_make_a_smaller_order() -> None:
    long = next(order for order in sample_orders(20, at=AT) if len(order.lines) > 1)
    rows = write(PLAIN, [long]).data.splitlines(keepends=True)
    report = validate(b"".join(rows[:-1]), format=PLAIN, name="f.csv")
    assert codes(report) == {"line-count"} and report.orders == ()


def test_text_of_another_encoding_is_refused() -> None:
    accented = next(order for order in sample_orders(20, at=AT) if not order.ship_to.city.isascii() or
                    not order.ship_to.name.isascii())  # fmt: skip
    data = write(PLAIN, [accented]).data.decode().encode("cp1252")
    report = validate(data, format=PLAIN, name="f.csv")
    assert codes(report) == {"encoding-wrong"} and "1252" in report.diagnosis[0].sentence


def test_a_key_that_a_file_cannot_give_is_refused_before_anything_is_made(tmp_path: Path) -> None:
    (tmp_path / "own").mkdir()
    text = (Path(__file__).parents[1] / "formats" / "order-jsonl" / "format.toml").read_text()
    start = text.index('[[fields]]\nname = "group"')
    without = text[:start] + text[text.index("[[fields]]", start + 5) :]
    (tmp_path / "own" / "format.toml").write_text(without.replace("drops = []", 'drops = ["group"]', 1))
    agreement = terms(tmp_path, format={"orders": "own/format.toml"})
    with pytest.raises(FallbackError) as refused:
        agreement.open_format()
    assert (refused.value.code, refused.value.exit_code) == ("key-not-carried", 3)


def test_the_clock_of_an_export_is_handed_in(tmp_path: Path) -> None:
    result = made(tmp_path, ORDERS)
    assert result.manifest is not None and result.manifest.created_at == AT
    assert all(order.ordered_at < AT + timedelta(seconds=1) for order in ORDERS)


# --- files made to harm


JSONL = load_format("order-jsonl")


def lines_of(orders: list[Order]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in write(JSONL, orders).data.splitlines()]


def of_lines(*contents: dict[str, Any]) -> bytes:
    return b"".join(json.dumps(content).encode() + b"\n" for content in contents)


@pytest.mark.parametrize("number", ["1e9999999999999999999", "-1E+99999999999999999999", "1e999999", "9" * 5_000])
def test_a_number_that_no_machine_can_hold_refuses_its_order_only(number: str) -> None:
    first, second = write(JSONL, ORDERS[:2]).data.splitlines(keepends=True)
    quantity = f'"quantity":{ORDERS[0].lines[0].quantity}'.encode()
    assert quantity in first
    report = validate(first.replace(quantity, f'"quantity":{number}'.encode(), 1) + second, format=JSONL, name="f")
    assert report.verdict == "partial" and report.orders == (ORDERS[1],)
    assert codes(report) <= {"json-invalid", "number-invalid"}


def test_a_value_is_blamed_once_however_many_are_wrong() -> None:
    """One cause is one finding: what stands around a wrong value, and in it, is not blamed too."""
    content = lines_of(ORDERS[:1])[0]
    content["lines"] = [{"line_number": index + 1} for index in range(300)]
    content["ship_to"] = None
    report = validate(of_lines(content), format=JSONL, name="f")
    told = [(finding.order_line, finding.path or finding.expected) for finding in report.findings]
    assert len(told) == len(set(told))
    assert {line for line, _ in told if line} == set(range(1, 301))
    assert not {path for _, path in told} & {"lines", "ship_to.name"}


def test_a_file_in_which_all_is_wrong_is_not_read_to_its_end(tmp_path: Path) -> None:
    """Reading ends at 10,000 findings, and the first of them say what is wrong."""
    bad = b'{"lines":[{}]}\n'
    for data in (bad * 5_000, of_lines({"lines": [{}] * 10_000}), of_lines({f"m{i}": 1 for i in range(20_000)})):
        report = validate(data, format=JSONL, name="f")
        assert report.verdict == "rejected" and report.orders == ()
        assert "findings-over-limit" in codes(report) and 2 <= len(report.findings) <= 10
    header = b",".join(field.name.encode() for field in PLAIN.fields) + b"\r\n"
    for row in (b"x\r\n", b'"x"y\r\n'):
        assert codes(validate(header + row * 20_000, format=PLAIN, name="f")) >= {"findings-over-limit"}


def test_more_orders_than_agreed_are_not_read(tmp_path: Path) -> None:
    agreed = terms(tmp_path, format={"orders": "order-jsonl"}, limits={"max_orders_per_file": 3})
    report = validate(write(JSONL, ORDERS[:4]).data, agreement=agreed, name="f")
    assert (report.verdict, codes(report), report.rejected) == ("rejected", {"orders-over-limit"}, ())
    assert [finding.found for finding in report.findings if finding.is_error] == ["more than 3 orders"]
    assert validate(write(JSONL, ORDERS[:3]).data, agreement=agreed, name="f").verdict == "accepted"
    by_rows = terms(tmp_path, limits={"max_orders_per_file": 3})
    assert codes(validate(write(PLAIN, ORDERS[:4]).data, agreement=by_rows, name="f")) == {"orders-over-limit"}
    assert validate(write(PLAIN, ORDERS[:3]).data, agreement=by_rows, name="f").verdict == "accepted"


@pytest.mark.parametrize("fmt", [PLAIN, JSONL, load_format("order-header-detail-psv")], ids=lambda fmt: fmt.name)
def test_empty_rows_are_told_one_by_one_up_to_a_hundred_and_then_counted(fmt: Format) -> None:
    data = write(fmt, ORDERS).data + fmt.newline_text.encode() * 250
    report = validate(data, format=fmt, name="f")
    assert report.verdict == "accepted" and len(report.findings) == 101
    assert report.findings[-1].found == "150 empty rows from here on"
    assert report.findings[-1].place.line == data.count(b"\n") - 149


# --- nothing of a customer's


@pytest.mark.parametrize("joined", ["Ada Lovelace", "Louisville", "1 Secret Street"])
def test_a_name_in_a_header_that_has_too_many_cells_is_not_told(joined: str) -> None:
    header, rest = write(PLAIN, ORDERS).data.decode().split("\r\n", 1)
    report = validate(f"{header},{joined}\r\n{rest}".encode(), format=PLAIN, name="f")
    assert codes(report) == {"column-unknown"} and joined not in str(report.findings)
    report = validate(f"{header.replace('ShipToName', joined)},{joined}\r\n".encode(), format=PLAIN, name="f")
    assert joined not in str(report.findings)
    renamed = validate(f"{header.replace('Quantity', 'Qty')}\r\n{rest}".encode(), format=PLAIN, name="f")
    assert [finding.found for finding in renamed.findings] == ['"Qty"']


def test_an_order_whose_cells_have_moved_is_called_by_its_place() -> None:
    """A value in the wrong column may be a person's: it is not told as the number of an order."""
    names = [field.name for field in PLAIN.fields]
    order = ORDERS[0].model_copy(update={"lines": ORDERS[0].lines[:1]})
    header, row = (line.split(",") for line in write(PLAIN, [order]).data.decode().splitlines())
    moved = [*row[20:], *row[:20]]
    moved[names.index("OrderNo")], moved[names.index("OrderId")] = "5025550199", "Louisville"
    content = ",".join(header) + "\r\n" + ",".join(moved) + "\r\n"
    report = validate(content.encode(), format=PLAIN, name="f")
    told = str(report.findings) + str(report.rejected)
    assert report.orders == () and "of record 1" in told
    assert "5025550199" not in told and "Louisville" not in told
    shown = validate(content.encode(), format=PLAIN, name="f", show_values=True)
    assert shown.rejected[0].order == "5025550199"


# --- patterns


@pytest.mark.parametrize("pattern", ["([A-Z]+)+[0-9]", "(a|aa)+", "(?:[A-Z]{1,3}-){2}", "((a+)b)*", "(a?){30}"])
def test_a_pattern_that_could_take_for_ever_is_no_pattern(pattern: str) -> None:
    assert ["for ever" in mistake for mistake in mistakes(with_field("service", pattern=pattern))] == [True]


@pytest.mark.parametrize(
    "pattern", ["[A-Z]+(-[0-9]+)?", "(?:[A-Z]{3})+", "(STD|EXP)+", "[,*+]{2}([,+])*", r"(\,a)+", r"\(+\)+"]
)
def test_a_pattern_that_cannot_is_one(pattern: str) -> None:
    assert mistakes(with_field("service", pattern=pattern)) == []


# --- defaults: what the file has no field for


def defaulted(path: str, text: str) -> Format:
    content = PLAIN.model_dump(by_alias=True)
    content["fields"] = [field for field in content["fields"] if field["path"] != path]
    content["defaults"] = {path: text}
    fmt = Format.model_validate(content)
    assert mistakes(fmt) == []
    return fmt


@pytest.mark.parametrize(
    ("path", "text", "value"),
    [("service", "STD", "EXP"), ("group", "0", "2"), ("revision", "1", 3), ("currency", "USD", None)],
)
def test_an_order_that_a_default_would_change_is_not_written(path: str, text: str, value: Any) -> None:
    fmt = defaulted(path, text)
    own = {path: int(text) if path == "revision" else text}
    order = sample_orders(1, at=AT, service="STD")[0]
    lines = tuple(line.model_copy(update={"unit_price": None}) for line in order.lines)
    order = order.model_copy(update={"lines": lines} | own)
    other = order.model_copy(update={path: value})
    assert write(fmt, [order]).orders == (order,)
    made = write(fmt, [order.model_copy(update={"order_id": "A", "order_number": "A"}), other])
    assert [one.order_id for one in made.orders] == ["A"]
    [finding] = made.findings
    assert (finding.code, finding.order, finding.path) == ("value-not-carried", other.order_number, path)
    assert finding.expected == f'"{text}", as which every file of order-lines-csv is read'


def test_a_line_that_a_default_would_change_is_named() -> None:
    fmt = defaulted("lines.sku", "=lines.gtin")
    order = sample_orders(1, at=AT, service="STD")[0]
    gtins = tuple(line.model_copy(update={"sku": "4006381333931", "gtin": "4006381333931"}) for line in order.lines)
    alike = order.model_copy(update={"lines": gtins})
    assert write(fmt, [alike]).orders == (alike,)
    last = gtins[-1].model_copy(update={"sku": "OTHER"})
    [finding] = write(fmt, [alike.model_copy(update={"lines": (*gtins[:-1], last)})]).findings
    assert (finding.code, finding.path, finding.order_line) == ("value-not-carried", "lines.sku", last.line_number)
    assert finding.expected == "the value of lines.gtin, as which every file of order-lines-csv is read"


@pytest.mark.parametrize(("path", "text"), [("platform", "shop"), ("ordered_at", "1970-01-01T00:00:00Z")])
def test_where_and_when_an_order_was_sold_is_lost_by_agreement(path: str, text: str) -> None:
    fmt = defaulted(path, text)
    assert path in fmt.lost
    assert len(write(fmt, sample_orders(5, at=AT, service="STD")).orders) == 5
