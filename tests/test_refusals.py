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
from fallback.documents.manifest import Manifest
from fallback.documents.report import Report
from fallback.errors import FallbackError
from fallback.formats.library import load_format
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
        return Written(written.data.replace(b",EA,", b",CS,", 1), written.orders, written.findings)

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
    assert codes(report) == {"encoding-wrong"} and "1252" in " ".join(report.diagnosis)


def test_a_key_that_a_file_cannot_give_is_refused_before_anything_is_made(tmp_path: Path) -> None:
    (tmp_path / "own").mkdir()
    text = (Path(__file__).parents[1] / "formats" / "order-jsonl" / "format.toml").read_text()
    start = text.index('[[fields]]\nname = "group"')
    (tmp_path / "own" / "format.toml").write_text(text[:start] + text[text.index("[[fields]]", start + 5) :])
    agreement = terms(tmp_path, format={"orders": "own/format.toml"})
    with pytest.raises(FallbackError) as refused:
        agreement.open_format()
    assert (refused.value.code, refused.value.exit_code) == ("key-not-carried", 3)


def test_the_clock_of_an_export_is_handed_in(tmp_path: Path) -> None:
    result = made(tmp_path, ORDERS)
    assert result.manifest is not None and result.manifest.created_at == AT
    assert all(order.ordered_at < AT + timedelta(seconds=1) for order in ORDERS)
