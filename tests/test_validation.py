"""Validation beyond one order's fields: manifest, agreement, marker, limits, item list, places, privacy, size."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from brand_kit import make_agreement
from fallback.agreement import Agreement
from fallback.documents.base import AgreementRef, Counts, FormatRef
from fallback.documents.manifest import Manifest
from fallback.documents.report import Report
from fallback.errors import FallbackError, WrongUse
from fallback.findings import Finding
from fallback.formats.library import load_format
from fallback.formats.spec import Format
from fallback.formats.write import write
from fallback.records.order import Line, Order
from fallback.records.sample import sample_orders
from fallback.render.html import report_html
from fallback.render.json import document_json
from fallback.render.text import report_text
from fallback.validation import validate
from support.sent import (
    AT,
    CANARY,
    FORMATS,
    SECRETS,
    WRITTEN,
    Parts,
    canaries,
    manifest_of,
    name_of,
    sent,
    separators,
    unprintable,
)
from support.soak import times

CSV, PSV, JSONL = (load_format(f"order-{name}") for name in ("lines-csv", "header-detail-psv", "jsonl"))
SEVERAL = [fmt for fmt in WRITTEN if fmt.max_orders != 1]  # of a file of one order nothing is left when it is cut
FILE = "ACME_ORDERS_20261123T140000Z_000001.csv"
TERMS = make_agreement()
ORDERS = sample_orders(5, at=AT)


def codes(report: Report) -> list[str]:
    return [finding.code for finding in report.findings]


def checked(
    orders: Sequence[Order] = ORDERS,
    *,
    fmt: Format = CSV,
    agreement: Agreement = TERMS,
    name: str = FILE,
    data: bytes | None = None,
    skus: Sequence[str] | None = None,
    show_values: bool = False,
    **declared: Any,
) -> Report:
    """A file under an agreement, with its manifest; ``data`` are other bytes, ``declared`` other words of it."""
    good = write(fmt, orders).data
    manifest = manifest_of(fmt, good, orders, name, agreement, **declared)
    return validate(
        good if data is None else data,
        agreement=agreement, format=fmt, manifest=manifest, name=name, skus=skus, show_values=show_values,
    )  # fmt: skip


# --- a good file


@pytest.mark.parametrize("fmt", FORMATS, ids=lambda fmt: fmt.name)
def test_a_good_file_is_accepted_with_its_orders_and_keys(fmt: Format) -> None:
    file = sent(fmt.name)
    report = file.proven()
    assert (report.verdict, report.exit_code, report.findings, report.rejected) == ("accepted", 0, (), ())
    assert (report.file, report.orders) == (name_of(fmt), file.orders)
    assert list(report.keys) == [file.agreement.key(order) for order in file.orders]
    assert (report.sha256, report.bytes) == (file.manifest.sha256, file.manifest.size)
    document = report.document()
    assert document["schema"] == "fallback.report/1"
    number = len(file.orders)
    assert number >= (fmt.max_orders or 5)
    assert document["counts"] == {
        "records": report.records, "orders": number, "accepted": number, "rejected": 0,
        "lines": sum(len(order.lines) for order in file.orders), "units": sum(order.units for order in file.orders),
    }  # fmt: skip


def test_what_is_validated_must_be_said() -> None:
    with pytest.raises(WrongUse) as error:
        validate(b"")
    assert (error.value.code, error.value.exit_code) == ("wrong-use", 2)


def test_a_file_on_disk_is_read_with_the_manifest_beside_it(tmp_path: Path) -> None:
    data = write(CSV, ORDERS).data
    (tmp_path / FILE).write_bytes(data)
    assert codes(validate(tmp_path / FILE, agreement=TERMS)) == ["manifest-absent"]
    manifest = manifest_of(CSV, data, ORDERS, FILE, TERMS)
    (tmp_path / manifest.name).write_bytes(manifest.to_bytes())
    report = validate(str(tmp_path / FILE), agreement=TERMS)
    assert (report.file, report.verdict, report.findings) == (FILE, "accepted", ())
    (tmp_path / manifest.name).write_bytes(b"{")
    with pytest.raises(FallbackError) as error:
        validate(tmp_path / FILE, agreement=TERMS)
    assert (error.value.code, error.value.exit_code) == ("document-unreadable", 3)


@pytest.mark.parametrize("name", ["absent.csv", ""])
def test_a_file_that_cannot_be_read_is_an_error(tmp_path: Path, name: str) -> None:
    with pytest.raises(FallbackError) as error:
        validate(tmp_path / name, format=CSV)
    assert (error.value.code, error.value.exit_code) == ("file-unreadable", 3)


# --- against the manifest


def test_without_a_manifest_a_file_is_accepted_with_a_warning_under_an_agreement_only() -> None:
    data = write(CSV, ORDERS).data
    report = validate(data, agreement=TERMS, name=FILE)
    assert (codes(report), report.verdict, report.exit_code) == (["manifest-absent"], "accepted", 0)
    assert codes(validate(data, format=CSV, name=FILE)) == []


def test_other_bytes_of_the_same_size_are_refused() -> None:
    data = write(CSV, ORDERS).data
    report = checked(data=data.replace(b"Example", b"Sample!"))
    assert report.verdict == "rejected" and report.orders == ()
    assert codes(report)[0] == "file-hash-differs"


@pytest.mark.parametrize("fmt", FORMATS, ids=lambda fmt: fmt.name)
def test_a_format_without_counts_is_not_trusted_without_a_manifest(fmt: Format) -> None:
    file = sent(fmt.name)
    uncounted = ["uncounted"] if fmt.uncounted else []
    alone = file.plain()
    assert (codes(alone), alone.exit_code) == (uncounted, 0)
    assert ("Without its manifest the file cannot be proven" in report_text(alone)) == bool(uncounted)
    agreed = validate(file.parts, agreement=file.agreement, format=fmt, name=file.name)
    assert codes(agreed) == ["manifest-absent", *uncounted]


@pytest.mark.parametrize("fmt", SEVERAL, ids=lambda fmt: fmt.name)
def test_a_file_that_was_cut_between_two_orders_is_refused(fmt: Format) -> None:
    """Nothing of the file itself is damaged, its own totals neither: only the manifest knows."""
    file = sent(fmt.name)
    short = file.holding(file.orders[:3])
    alone = file.plain(short.parts)
    assert (alone.verdict, len(alone.orders)) == ("accepted", 3)
    report = file.proven(short.parts)
    assert (report.verdict, report.orders) == ("rejected", ())
    assert codes(report) == ["file-size-differs"] * len(fmt.roles)
    assert [one.name for one in report.diagnosis] == ["upload-cut"] * len(fmt.roles)
    assert [one.sentence for one in report.diagnosis] == [
        f"the upload broke off: {len(part):,} of {len(file.parts[role]):,} bytes arrived"
        for role, part in short.parts.items()
    ]
    assert {entry.codes for entry in report.rejected} == {("file-refused",)}
    assert [entry.key for entry in report.rejected] == [file.agreement.key(order) for order in file.orders[:3]]


def test_the_manifest_of_another_file_is_refused() -> None:
    data = write(CSV, ORDERS).data
    manifest = manifest_of(CSV, data, ORDERS, "ACME_ORDERS_000002.csv", TERMS)
    report = validate(data, agreement=TERMS, manifest=manifest, name=FILE)
    assert (codes(report), report.findings[0].found) == (["file-hash-differs"], "the manifest of another file")
    assert validate(data, agreement=TERMS, manifest=manifest).verdict == "accepted"  # its bytes, under its own name


@pytest.mark.parametrize(
    "declared",
    [
        {"counts": Counts(orders=5, lines=1, units=sum(order.units for order in ORDERS))},
        {"counts": Counts(orders=5, lines=sum(len(order.lines) for order in ORDERS), units=1)},
        {"hash_total": "1"},
    ],
)
def test_other_counts_than_declared_refuse_the_file(declared: dict[str, Any]) -> None:
    report = checked(**declared)
    assert (codes(report), report.verdict) == (["count-differs"], "rejected")
    assert report.findings[0].found != report.findings[0].expected


def test_an_order_that_is_declared_otherwise_or_not_at_all_is_rejected_and_the_others_load() -> None:
    manifest = manifest_of(CSV, b"", ORDERS, FILE, TERMS)
    first, second, third = manifest.orders[:3]
    declared = (
        first.model_copy(update={"fingerprint": "0" * 64}),
        second.model_copy(update={"revision": 2}),
        third.model_copy(update={"key": "acme:shopify:9:0"}),
        *manifest.orders[3:],
    )
    data = write(CSV, ORDERS).data
    manifest = manifest_of(CSV, data, ORDERS, FILE, TERMS).model_copy(update={"orders": declared})
    report = validate(data, agreement=TERMS, manifest=manifest, name=FILE)
    assert report.verdict == "partial"
    assert codes(report) == ["fingerprint-differs", "fingerprint-differs", "order-undeclared"]
    assert list(report.orders) == ORDERS[3:]


def test_another_format_or_agreement_is_refused_and_an_older_version_of_it_warns() -> None:
    report = checked(format=FormatRef(name=CSV.name, version="0", sha256=CSV.sha256))
    assert (codes(report), report.verdict) == (["format-differs"], "rejected")
    report = checked(format=FormatRef(name=CSV.name, version="1", sha256="0" * 64))
    assert (codes(report), report.verdict) == (["format-differs"], "rejected")
    for ref, code, verdict in (
        (AgreementRef(id="acme-southdock", version="1", sha256=TERMS.sha256), "agreement-differs", "rejected"),
        (AgreementRef(id=TERMS.id, version="0", sha256="0" * 64), "agreement-stale", "accepted"),
    ):
        data = write(CSV, ORDERS).data
        manifest = manifest_of(CSV, data, ORDERS, FILE, TERMS).model_copy(update={"agreement": ref})
        report = validate(data, agreement=TERMS, manifest=manifest, name=FILE)
        assert (codes(report), report.verdict) == ([code], verdict)


# --- drill and live


DRILLED = sample_orders(3, at=AT, marker="DRILL-")


def test_a_drill_s_file_is_accepted_as_what_it_is() -> None:
    report = checked(DRILLED, name=f"DRILL_{FILE}", state="drill", drill_id="D-1")
    assert (report.verdict, report.findings) == ("accepted", ())
    assert validate(write(CSV, DRILLED).data, format=CSV, name=f"DRILL_{FILE}").verdict == "accepted"


@pytest.mark.parametrize(
    ("orders", "name", "state"),
    [
        (DRILLED, FILE, "live"),
        (ORDERS, f"DRILL_{FILE}", "drill"),
        (DRILLED, FILE, "drill"),
        (ORDERS, f"DRILL_{FILE}", "live"),
        ([*ORDERS, DRILLED[0]], FILE, "live"),
        ([*DRILLED, ORDERS[0]], f"DRILL_{FILE}", "drill"),
        ([ORDERS[0].model_copy(update={"order_number": "DRILL-1"})], FILE, "live"),
        ([DRILLED[0].model_copy(update={"order_id": "1"})], f"DRILL_{FILE}", "drill"),
    ],
)
def test_drill_and_live_never_mix(orders: list[Order], name: str, state: str) -> None:
    report = checked(orders, name=name, state=state)
    assert (codes(report), report.verdict, report.orders) == (["marker-wrong"], "rejected", ())


def test_without_a_manifest_the_name_tells_a_drill() -> None:
    for orders, name in ((DRILLED, FILE), (ORDERS, f"DRILL_{FILE}")):
        report = validate(write(CSV, orders).data, format=CSV, name=name)
        assert (codes(report), report.orders) == (["marker-wrong"], ())


def test_a_whole_file_of_the_wrong_state_is_one_finding() -> None:
    report = validate(write(CSV, DRILLED).data, format=CSV, name=FILE)
    (finding,) = report.findings
    assert finding.found == "3 of 3 orders with DRILL- on number or id"
    assert {entry.codes for entry in report.rejected} == {("marker-wrong",)}


# --- limits and terms


def test_limits_of_the_agreement_are_kept() -> None:
    report = checked(agreement=make_agreement(limits={"max_orders_per_file": 4}))
    assert (codes(report), report.verdict) == (["orders-over-limit"], "rejected")
    alone = validate(write(CSV, ORDERS).data, agreement=make_agreement(limits={"max_orders_per_file": 4}), name=FILE)
    assert "orders-over-limit" in codes(alone) and alone.orders == ()
    report = checked(agreement=make_agreement(limits={"max_bytes": 1000}))
    assert (codes(report), report.verdict) == (["orders-over-limit"], "rejected")
    assert report.findings[0].expected == "at most 1,000"
    heavy = max(order.units for order in ORDERS)
    report = checked(agreement=make_agreement(limits={"max_units_per_order": heavy - 1}))
    assert set(codes(report)) == {"units-over-limit"} and report.verdict == "partial"
    assert max(order.units for order in report.orders) < heavy


def test_another_brand_s_order_is_rejected() -> None:
    other = ORDERS[0].model_copy(update={"brand": "other"})
    report = checked([other, *ORDERS[1:]])
    assert (codes(report), list(report.orders)) == (["brand-wrong"], ORDERS[1:])
    assert (report.findings[0].found, report.findings[0].expected) == ('"other"', '"acme"')


def test_a_key_in_the_file_that_is_not_the_order_s_is_rejected() -> None:
    content = CSV.model_dump()
    fmt = Format.model_validate(
        content | {"fields": [*content["fields"], {"name": "Key", "path": "key", "doc": "The key."}]}
    )
    data = write(fmt, ORDERS, key=TERMS.key).data
    assert validate(data, agreement=TERMS, format=fmt, name=FILE).verdict == "accepted"
    wrong = data.replace(TERMS.key(ORDERS[0]).encode(), b"acme:shopify:9:0")
    report = validate(wrong, agreement=TERMS, format=fmt, name=FILE)
    assert set(codes(report)) == {"manifest-absent", "value-wrong"}
    assert list(report.orders) == ORDERS[1:]


def test_all_or_nothing_loads_nothing_where_anything_is_wrong() -> None:
    strict = make_agreement(format={"orders": "order-lines-csv", "load_mode": "all-or-nothing"})
    assert checked(agreement=strict).verdict == "accepted"
    assert checked(agreement=strict, skus=["none"]).orders == ()
    report = checked(agreement=strict, skus=[line.sku for order in ORDERS[1:] for line in order.lines])
    bad = {"sku-unknown"} if report.findings else set()
    assert set(codes(report)) == bad
    assert report.orders == () or not bad
    one = ORDERS[0].model_copy(update={"brand": "other"})
    report = checked([one, *ORDERS[1:]], agreement=strict)
    assert (report.verdict, report.orders) == ("rejected", ())
    assert [entry.codes for entry in report.rejected] == [("brand-wrong",)] + [("file-refused",)] * 4
    warned = validate(write(CSV, ORDERS).data, agreement=strict, name=FILE)
    assert (codes(warned), warned.verdict) == (["manifest-absent"], "accepted")


# --- the item list


def with_skus(*skus: str) -> Order:
    lines = tuple(Line(line_id=str(n), line_number=n, sku=sku, quantity=1) for n, sku in enumerate(skus, 1))
    return ORDERS[0].model_copy(update={"lines": lines, "currency": None})


def test_a_sku_that_the_warehouse_does_not_know_is_named_with_the_nearest() -> None:
    report = checked([with_skus("TEE-M-BLK", "0012", "QQQ")], skus=["TEE-BLK-M", "TEE-BLK-L", "0012", "12"])
    assert codes(report) == ["sku-unknown", "sku-unknown"]
    first, second = report.findings
    assert (first.order_line, first.found, first.path, first.field) == (1, '"TEE-M-BLK"', "lines.sku", "SKU")
    assert str(first.hint).startswith('nearest is "TEE-')
    assert (second.order_line, second.hint) == (3, "add it to the SKU map or correct the order")


def test_skus_are_compared_to_the_letter() -> None:
    assert codes(checked([with_skus("0012")], skus=["12", "0012 ", "00012"])) == ["sku-unknown"]
    assert codes(checked([with_skus("0012")], skus={"0012"})) == []
    assert set(codes(checked(skus=[]))) == {"sku-unknown"}


def test_the_nearest_sku_is_the_same_in_every_run() -> None:
    items = [f"TEE-{letter}" for letter in "ABCDEFGH"]
    hints = {str(checked([with_skus("TEE-Z")], skus=some).findings[0].hint) for some in (items, items[::-1], {*items})}
    assert len(hints) == 1


def test_many_unknown_skus_take_no_time_to_speak_of() -> None:
    """A file for another warehouse: looking for the nearest of each would take minutes."""
    items = [f"SKU-{n:06d}" for n in range(15_000)]
    some = [with_skus(*(f"ART-{n}-{m}" for m in range(20))).model_copy(update={"order_id": str(n)}) for n in range(40)]
    report = checked(some, skus=items)
    assert codes(report) == ["sku-unknown"] * 800


# --- the same order twice


@pytest.mark.parametrize("fmt", [PSV, JSONL], ids=lambda fmt: fmt.name)
def test_no_copy_of_an_order_is_loaded(fmt: Format) -> None:
    file = sent(fmt.name)
    report = file.plain(file.with_copy(1, file.orders[1].ship_to.name))
    assert codes(report) == ["order-doubled"]
    assert [order.order_id for order in report.orders] == [o.order_id for o in ORDERS if o != ORDERS[1]]
    assert [entry.codes for entry in report.rejected] == [("order-doubled",)] * 2


@pytest.mark.parametrize("fmt", SEVERAL, ids=lambda fmt: fmt.name)
def test_a_damaged_copy_takes_the_good_one_with_it(fmt: Format) -> None:
    """Which of the two was meant cannot be known, be one of them to a name that nobody can print."""
    file = sent(fmt.name)
    good = file.orders[1]
    report = file.plain(unprintable(fmt, file.with_copy(1, CANARY["ship_to.name"])))
    assert report.findings
    assert good.order_id not in [order.order_id for order in report.orders]
    assert len(report.orders) in (0, len(file.orders) - 1)


# --- places, order and number of findings


def noted(order: Order, text: str) -> Order:
    return order.model_copy(update={"instructions": text})


def test_line_is_what_an_editor_shows_and_record_what_was_counted() -> None:
    """A quoted line break moves the one and not the other."""
    orders = [noted(with_skus("A"), "one\ntwo\nthree"), *(with_skus("B") for _ in range(2))]
    orders = [order.model_copy(update={"order_id": str(n)}) for n, order in enumerate(orders)]
    report = validate(write(CSV, orders).data, format=CSV, name="f", skus=["A"])
    assert [(f.place.line, f.place.record) for f in report.findings] == [(5, 2), (6, 3)]
    assert "f:5: sku-unknown" in report_text(report)
    report = validate(write(PSV, orders).data, format=PSV, name="f", skus=["A"])
    assert [(f.place.line, f.place.record) for f in report.findings] == [(6, 4), (8, 6)]
    report = validate(write(JSONL, orders).data, format=JSONL, name="f", skus=["A"])
    assert [(f.place.line, f.place.record) for f in report.findings] == [(2, 2), (3, 3)]


def test_findings_are_sorted_by_place_whatever_finds_them() -> None:
    data = write(CSV, ORDERS).data.replace(b"EA", b"ea", 2)
    lines = data.splitlines(keepends=True)
    lines.insert(2, b"\r\n")
    report = validate(b"".join([*lines, *lines[-1:]]), format=CSV, name="f", skus=["0012"])
    places = [(finding.place.line, finding.place.record) for finding in report.findings]
    assert places == sorted(places) and len(set(codes(report))) > 2


def test_orders_in_another_order_than_agreed_are_told_and_loaded() -> None:
    file = sent("spherewms-ord")
    free = file.fmt.model_copy(update={"row_order": file.fmt.row_order.model_copy(update={"sorted_by": None})})
    data = write(free, file.orders[::-1], codes=file.agreement.codes).data
    report = file.plain({"orders": data})
    assert (codes(report), report.exit_code, len(report.orders)) == (["rows-unsorted"], 0, len(file.orders))
    assert report.findings[0].found == "order 2 before order 1, by order_number"


def test_a_row_of_a_million_characters_is_one_finding() -> None:
    data = write(CSV, ORDERS).data
    for cell in (b"x" * 1_000_000, b'"' + b"x, " * 333_333 + b'"', b'"' + b'""' * 500_000 + b'"'):
        bad = data.replace(b",STD,", b"," + cell + b",", 1)
        report = validate(bad, format=CSV, name="f")
        assert codes(report) == ["order-fields-differ"] or set(codes(report)) == {"value-too-long"}
        assert len(report_text(report)) < 5000
        assert len(report.orders) == 4
    in_json = write(JSONL, ORDERS).data.replace(b'"STD"', b'"' + b"x" * 1_000_000 + b'"', 1)
    report = validate(in_json, format=JSONL, name="f")
    assert (codes(report), len(report.orders)) == (["value-too-long"], 4)


RUBBISH = (
    b"[" * 100_000, b'{"a":' * 50_000, b'"' * 99_999, b'","' * 50_000, b'"\n' * 50_001, b"\n" * 50_000,
    b"," * 100_000, b"|" * 100_000, b"9" * 100_000, b'{"quantity":' + b"9" * 5000 + b"}", b"\xef\xbb\xbf" * 9,
    b"<a>" * 50_000, b"~" * 100_000, b"*" * 100_000, b"ISA*" * 30_000, b" " * 100_000, b"&#9;" * 30_000,
)  # fmt: skip


@pytest.mark.parametrize("fmt", FORMATS, ids=lambda fmt: fmt.name)
def test_what_looks_deep_or_long_breaks_nothing(fmt: Format) -> None:
    file = sent(fmt.name)
    whole = [file.known(order) for order in file.orders]
    for role in fmt.roles:
        for rubbish in RUBBISH:
            for data in (rubbish, rubbish + b"\n", file.parts[role] + rubbish + b"\n"):
                report = file.plain({**file.parts, role: data})
                # White space after a document is no part of it.
                assert report.findings or (not rubbish.strip() and list(report.orders) == whole)
                assert [order for order in report.orders if order not in whole] == []


def test_many_damaged_rows_are_read_in_one_go() -> None:
    """The many-errors case: each row is looked at once, whatever is wrong with its neighbours."""
    rows = write(CSV, sample_orders(1500, at=AT)).data.splitlines(keepends=True)
    ragged = b"".join([rows[0], *(row.replace(b",", b"", 1) for row in rows[1:])])
    assert validate(ragged, format=CSV, name="f").orders == ()
    short = b"".join([rows[0], *(row.replace(b",,", b",", 1) for row in rows[1:])])
    assert set(codes(validate(short, format=CSV, name="f"))) == {"row-cells"}
    details = [b"D" + row for row in rows[1:]]
    assert validate(b"".join(details), format=PSV, name="f").orders == ()


def test_a_file_in_which_nothing_is_right_is_given_up_early() -> None:
    rows = write(CSV, sample_orders(20, at=AT)).data.splitlines(keepends=True)
    endless = b"".join([rows[0], *[b"a,b,c\r\n"] * 20_000])
    report = validate(endless, format=CSV, name="f")
    assert "findings-over-limit" in codes(report)
    assert report.orders == () and len(report.findings) < 10
    objects = write(JSONL, ORDERS).data + b"[]\n" * 20_000
    report = validate(objects, format=JSONL, name="f")
    assert "findings-over-limit" in codes(report) and report.orders == ()


def test_blank_rows_without_end_are_counted_and_the_orders_load() -> None:
    for blank in (b"\r\n", b"," * 40 + b"\r\n", b" \r\n"):
        report = validate(write(CSV, ORDERS).data + blank * 5000, format=CSV, name="f")
        assert report.verdict == "accepted" and set(codes(report)) == {"row-blank"}
        assert len(report.findings) == 101
        assert report.findings[-1].found == "4,900 empty rows from here on"


@pytest.mark.parametrize("encoding", ["cp1252", "iso-8859-1", "ascii"])
def test_utf_8_is_not_taken_for_a_one_byte_encoding(encoding: str) -> None:
    """Read as Windows-1252 each accented letter would be two others, and nothing would be wrong."""
    fmt = Format.model_validate(CSV.model_dump() | {"encoding": encoding})
    order = ORDERS[0].model_copy(update={"service": "Exprés"})
    report = validate(write(CSV, [order]).data, format=fmt, name="f")
    assert (codes(report), report.orders) == (["encoding-wrong"], ())
    assert report.findings[0].place.line == 2
    if encoding != "ascii":
        assert report.findings[0].found == "UTF-8"
        assert list(validate(write(fmt, [order]).data, format=fmt, name="f").orders) == [order]
        assert validate(write(fmt, [with_skus("A")]).data, format=fmt, name="f").verdict == "accepted"


def test_a_byte_order_mark_belongs_to_formats_that_have_one() -> None:
    fmt = Format.model_validate(CSV.model_dump() | {"encoding": "utf-8-sig"})
    data = write(fmt, ORDERS).data
    assert data.startswith(b"\xef\xbb\xbf")
    for good in (data, data[3:]):
        assert validate(good, format=fmt, name="f").verdict == "accepted"
    assert codes(validate(data[:3], format=fmt, name="f")) == ["file-empty"]
    assert codes(validate(data[:3] + data, format=fmt, name="f")) == ["byte-order-mark"]
    cut = validate(data.replace(b"acme", b"acm\xff"), format=fmt, name="f")
    assert (codes(cut), cut.findings[0].found, cut.findings[0].place.line) == (["encoding-wrong"], "byte 0xff", 2)


def test_numbers_that_no_machine_can_hold_are_refused() -> None:
    data = write(JSONL, ORDERS[:1]).data
    for number in (b"1e99999999999999999999", b"-1E-99999999999999999999", b"9" * 5000, b"1" + b"0" * 400, b"-0"):
        report = validate(data.replace(b'"quantity":', b'"quantity":' + number + b',"x":'), format=JSONL, name="f")
        assert report.orders == () and report.findings


# --- what happened to the file


def test_the_marks_of_a_spreadsheet_are_named() -> None:
    data = write(CSV, ORDERS).data
    for bad, name, words in (
        (data.replace(b"5550000001001", b"5.55E+12", 1), "spreadsheet-saved", "scientific notation in OrderId, line 2"),
        (data.replace(b",", b";"), "delimiter-other", "separated by semicolons"),
        (b"\xef\xbb\xbf" + data, "editor-saved", "begins with a byte order mark"),
    ):
        report = validate(bad, format=CSV, name="f")
        assert [one.name for one in report.diagnosis] == [name] and words in report.diagnosis[0].sentence


@pytest.mark.parametrize("wrapper", [None, "gzip", "zip"])
def test_an_identifier_that_has_lost_its_digits_is_found_in_a_packed_file_too(wrapper: str | None) -> None:
    fmt = Format.model_validate(CSV.model_dump() | {"wrapper": wrapper})
    lost = ORDERS[0].model_copy(update={"order_id": "5.55E+12"})
    report = validate(write(fmt, [lost, *ORDERS[1:]]).data, format=fmt, name="f")
    assert (codes(report), list(report.orders)) == (["scientific-notation"], ORDERS[1:])


@pytest.mark.parametrize("wrapper", ["gzip", "zip"])
def test_a_packed_file_that_is_not_whole_is_refused(wrapper: str) -> None:
    fmt = Format.model_validate(CSV.model_dump() | {"wrapper": wrapper})
    packed = write(fmt, ORDERS).data
    middle = len(packed) // 2
    turned = packed[:middle] + bytes([packed[middle] ^ 1]) + packed[middle + 1 :]
    for bad in (write(CSV, ORDERS).data, packed[:-1], packed[:middle], packed + packed, turned, b"PK", b"\x1f\x8b"):
        report = validate(bad, format=fmt, name="f")
        assert (codes(report), report.verdict, report.orders) == (["wrapper-wrong"], "rejected", ())


def test_an_error_page_instead_of_the_file_is_told() -> None:
    report = validate(b"<!doctype html>\n<html><body>502 Bad Gateway</body></html>\n", format=CSV, name="f")
    assert report.verdict == "rejected"
    assert [one.name for one in report.diagnosis] == ["error-page"]


def test_a_good_file_is_not_diagnosed() -> None:
    order = noted(with_skus("A"), "about 1E+10 of them")
    assert validate(write(CSV, [order]).data, format=CSV, name="f").diagnosis == ()


# --- privacy


def changed(file: Parts, sign: bytes, most: int) -> Iterator[Parts]:
    """The file without a sign here, or with one more; and with the rest of the row moved to one side, as wide as it
    was. At as many places as are wanted."""
    for role, data in file.items():
        places = [at for at in range(len(data)) if data.startswith(sign, at)]
        for at in places[:: max(1, len(places) // most)]:
            end = data.find(b"\n", at)
            rest = data[at + 1 : end]
            for other in (
                data[at + 1 :],
                sign + data[at:],
                rest + sign + data[end:],
                sign + data[at : end - 1] + data[end:],
            ):
                yield {**file, role: data[:at] + other}


def assert_private(report: Report) -> None:
    told = report_text(report, limit=10_000) + report_html(report) + document_json(report) + repr(report.findings)
    told += repr(report.rejected) + repr(report.diagnosis)
    assert [secret for secret in SECRETS if secret in told or json.dumps(secret)[1:-1] in told] == []


@pytest.mark.soak
@pytest.mark.parametrize("fmt", FORMATS, ids=lambda fmt: fmt.name)
def test_a_customer_s_values_are_never_told_wherever_a_separator_is_lost_or_added(fmt: Format) -> None:
    file = canaries(fmt.name)
    assert "Kanarienvogel" in b"".join(file.parts.values()).decode(fmt.encoding)
    for mark in separators(fmt):
        for parts in changed(file.parts, mark.encode(), times(200)):
            assert_private(file.plain(parts, skus=["0012"]))


def test_a_customer_s_values_are_never_told_where_cells_have_moved() -> None:
    """As a spreadsheet does it: a cell deleted in a row, the rest moved to the left, the row as wide as before."""
    file = canaries(CSV.name)
    orders = [order.model_copy(update={"instructions": None}) for order in file.orders]
    lines = file.holding(orders).parts["orders"].split(b"\r\n")
    cells = lines[1].split(b",")
    for at in range(len(cells)):
        for moved in (cells[:at] + cells[at + 1 :] + [b""], [*cells[:at], b"", *cells[at:-1]]):
            for times_more in (0, 3, 8):
                row = moved[times_more:] + [b""] * times_more
                bad = b"\r\n".join([lines[0], b",".join(row), *lines[2:]])
                assert_private(validate(bad, format=CSV, name="f"))
    for n in range(len(lines[0].split(b","))):
        header = lines[0].split(b",")
        header[n] = cells[23]
        assert_private(validate(b"\r\n".join([b",".join(header), *lines[1:]]), format=CSV, name="f"))
    assert_private(validate(lines[0] + b"\r\n".join(lines[1:]), format=CSV, name="f"))
    assert_private(validate(b"\r\n".join(lines[1:]), format=CSV, name="f"))


@pytest.mark.parametrize("fmt", FORMATS, ids=lambda fmt: fmt.name)
def test_values_are_told_to_who_asks_for_them(fmt: Format) -> None:
    file = canaries(fmt.name)
    parts = unprintable(fmt, file.parts)
    hidden, shown = file.plain(parts), file.plain(parts, show_values=True)
    assert codes(hidden) == codes(shown) and "control-character" in codes(hidden)
    assert "Kanarienvoge" in report_text(shown) and "Kanarienvoge" not in report_text(hidden)
    assert "characters (hidden, --show-values shows them)" in report_text(hidden)


# --- whatever comes


@pytest.mark.soak
@settings(max_examples=times(1500))
@given(st.sampled_from(FORMATS), st.integers(0, 1), st.binary(max_size=300), st.booleans())
def test_any_bytes_are_answered(fmt: Format, which: int, data: bytes, after_a_good_file: bool) -> None:
    file = sent(fmt.name, 1)
    role = fmt.roles[which % len(fmt.roles)]
    good = file.parts[role] if after_a_good_file else b""
    report = file.plain({**file.parts, role: good + data})
    assert report.verdict in ("accepted", "partial", "rejected")
    assert (report.verdict == "rejected") == (report.orders == ())
    assert all(isinstance(finding, Finding) for finding in report.findings)
    assert report.findings or good
    report_text(report)
    json.loads(document_json(report))


def test_a_manifest_never_widens_what_is_accepted() -> None:
    manifest = Manifest.from_json(manifest_of(CSV, b"", ORDERS, FILE, TERMS).to_bytes())
    for data in (b"", b"\n", b"Brand\r\n", write(CSV, ORDERS[:1]).data):
        report = validate(data, agreement=TERMS, manifest=manifest, name=FILE)
        assert report.orders == ()
