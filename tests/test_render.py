"""What people read: golden texts, pages that no value can break, and pages that fit the screens they are read on."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from html import escape, unescape
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fallback.documents.base import AgreementRef, Counts
from fallback.documents.diagnosis import Diagnosis
from fallback.documents.journal import Commitment, Event, Journal, Mishap, Proof
from fallback.documents.receipt import (
    AnsweredOrder,
    By,
    Existing,
    Reason,
    Receipt,
    ReceiptCounts,
    ReceivedFile,
    Times,
    count_states,
    disposition_of,
)
from fallback.documents.reconciliation import Difference, Reconciliation
from fallback.documents.report import Rejected, Report
from fallback.errors import FallbackError, Refused, WrongUse
from fallback.findings import CATALOGUE, Finding, Place
from fallback.records.order import Order
from fallback.render import words
from fallback.render.html import bar, journal_html, receipt_html, report_html, sheet_html
from fallback.render.json import document_json
from fallback.render.text import (
    error_text,
    explain_text,
    finding_text,
    journal_text,
    receipt_text,
    reconciliation_text,
    report_text,
)

FILE = "ACME_ORDERS_20261123T140000Z_000007.csv"
START = datetime(2026, 11, 23, 14, tzinfo=UTC)
AGREEMENT = AgreementRef(id="acme-northdock", version="3", sha256="ab" * 32)


def after(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


# --- sample documents; ``text`` takes the place of every free text


def make_journal(text: str = "plain", *, broken: bool = False) -> Journal:
    return Journal(
        drill_id=text,
        started_at=START,
        ended_at=after(126),
        agreement=AgreementRef(id=text, version=text, sha256="ab" * 32),
        tool=text,
        events=(
            Event(n=1, at=START, side="brand", step=text, text=text, artefact=text, sha256="1f" * 32),
            Event(n=2, at=after(2), side="warehouse", step=text, text=text),
            Event(n=3, at=after(125), side="brand", step=text, text=text, source="human"),
        ),
        commitments=(
            Commitment(id=text, owner=text, start=text, end=text, limit_s=10, actual_s=48 if broken else 0.8),
            Commitment(id=text, owner=text, start=text, end=text, limit_s=900, actual_s=None if broken else 402),
        ),
        mishaps=(Mishap(id=text, title=text, expected=text, observed=None if broken else text, text=text),),
        proofs=(Proof(id=text, text=text, holds=not broken, numbers={text: 12, "loaded_twice": int(broken)}),),
        verdict="failed" if broken else "passed",
        failures=(text,) if broken else (),
    )


def make_receipt(text: str = "plain", *, state: str = "live", stage: str = "processed") -> Receipt:
    key = "acme:shopify:{}:0"
    orders = (
        AnsweredOrder(key=key.format(1), revision=1, state="accepted", wms_ref=text, resend="never"),
        AnsweredOrder(
            key=key.format(2),
            revision=1,
            state="rejected",
            resend="corrected",
            reasons=(Reason(code="sku-unknown", line=12, field=text),),
        ),
        AnsweredOrder(
            key=text,
            revision=1,
            state="duplicate-same",
            wms_ref=text,
            existing=Existing(path=text, state=text),
            resend="never",
            reasons=(Reason(code="duplicate-same", line=15),),
        ),
        AnsweredOrder(key=key.format(4), revision=1, state="unknown", resend="never", reasons=(Reason(code=text),)),
    )
    counts = Counts(orders=4, lines=9, units=14)
    return Receipt.model_validate(
        {
            "receipt_id": text,
            "supersedes": text,
            "stage": stage,
            "state": state,
            "file": ReceivedFile(file_id="F-7", name=FILE, sha256="c0" * 32, bytes=2210),
            "agreement": AgreementRef(id=text, version=text, sha256="ab" * 32),
            "counts": ReceiptCounts(declared=counts, received=counts, by_state=count_states(orders)),
            "times": Times(received_at=START, checked_at=after(3), processed_at=after(9), issued_at=after(9)),
            "disposition": disposition_of(orders),
            "orders": orders,
            "reasons": (Reason(code=text, line=1, field=text),),
            "by": By(org=text, person=text, role=text),
        }
    )


PRIVATE = (
    "Ada Lovelace",
    "12 Analytical Row",
    "London",
    "SW1A 2AA",
    "+44 20 7946 0000",
    "ada@example.com",
    "Ring twice",
)


def make_order(number: str) -> Order:
    name, address, city, postal, phone, email, note = PRIVATE
    return Order.model_validate(
        {
            "brand": "acme",
            "platform": "shopify",
            "order_id": "1",
            "order_number": number,
            "ordered_at": START,
            "service": "STD",
            "instructions": note,
            "ship_to": {
                "name": name,
                "address1": address,
                "city": city,
                "postal_code": postal,
                "country": "GB",
                "phone": phone,
                "email": email,
            },
            "lines": [
                {"line_id": "1", "line_number": 1, "sku": "0012", "quantity": 2},
                {"line_id": "2", "line_number": 2, "sku": "TEE", "quantity": 1},
            ],
        }
    )


def make_report(text: str = "plain") -> Report:
    return Report(
        file=text,
        format=text,
        verdict="partial",
        orders=(make_order("1041"),),
        rejected=(Rejected(text, text, ("sku-unknown", "value-missing")),),
        findings=(
            Finding("column-moved", Place(text, 1), field=text, found=text),
            Finding("sku-unknown", Place(text, 12, 11), text, 2, field=text, found=text, expected=text, hint=text),
            Finding("value-missing", Place(text, pointer=text), text, path=text),
        ),
        diagnosis=(Diagnosis("spreadsheet-saved", "likely", text, (2,), text),),
        records=3,
        bytes=2210,
        sha256="d0" * 32,
    )


PAGES: dict[str, Callable[[str], str]] = {
    "journal": lambda text: journal_html(make_journal(text)),
    "journal of a failed drill": lambda text: journal_html(make_journal(text, broken=True)),
    "receipt": lambda text: receipt_html(make_receipt(text, state="drill")),
    "report": lambda text: report_html(make_report(text)),
    "scope sheet": lambda text: sheet_html(
        text, text, "ab" * 32, [("cells", text)], [dict.fromkeys(SHEET, text)], [text]
    ),
}
SHEET = ("record", "rows", "place", "name", "meaning", "path", "required", "type", "length", "values", "example",
         "source")  # fmt: skip


# --- findings and errors


def test_a_finding_has_three_lines() -> None:
    finding = Finding(
        "sku-unknown",
        Place(FILE, 12, 11),
        order="1042",
        order_line=2,
        found='"TEE-M-BLK"',
        expected="a SKU of the warehouse's item list",
        hint='nearest is "TEE-BLK-M"; add it to sku-map.csv or correct the order',
    )
    assert finding_text(finding) == (
        "ACME_ORDERS_20261123T140000Z_000007.csv:12: sku-unknown (order 1042, line 2)\n"
        '  found "TEE-M-BLK", expected a SKU of the warehouse\'s item list\n'
        '  hint: nearest is "TEE-BLK-M"; add it to sku-map.csv or correct the order. `fallback explain sku-unknown`'
    )


@pytest.mark.parametrize(
    ("finding", "first", "second"),
    [
        (
            Finding("column-moved", Place("F", 1), field="SKU", found="as column 3"),
            "F:1: column-moved (warning)",
            "  SKU: found as column 3",
        ),
        (
            Finding("column-missing", Place("F", 1), field="SKU"),
            "F:1: column-missing",
            "  SKU: A column of the agreed format is absent.",
        ),
        (Finding("file-empty", Place("F")), "F: file-empty", "  The file holds no bytes or no order."),
        (
            Finding("quantity-unknown", Place("p.json", pointer="$.orders[3]"), order="#1003"),
            "p.json:$.orders[3]: quantity-unknown (order #1003)",
            "  The payload does not say how many units remain to be shipped.",
        ),
        (
            Finding("number-invalid", Place("F", 0, 7), order="7", path="lines.quantity", found='"1,000"'),
            "F: number-invalid (order 7, record 7)",
            '  lines.quantity: found "1,000"',
        ),
        (
            Finding("value-missing", Place(line=3), expected="a value"),
            "line 3: value-missing",
            "  expected a value",
        ),
        (Finding("sku-unmapped", order="7"), "sku-unmapped (order 7)", "  The shop's SKU has no row in the SKU map."),
        (
            Finding("duplicate-same", Place("F", 2), order="7"),
            "F:2: duplicate-same (warning, order 7)",
            "  The warehouse has this order already, with the same content.",
        ),
    ],
)
def test_a_finding_leaves_out_what_is_not_known(finding: Finding, first: str, second: str) -> None:
    lines = finding_text(finding).split("\n")
    assert lines[:2] == [first, second]
    assert lines[2] == f"  hint: {CATALOGUE[finding.code].remedy} `fallback explain {finding.code}`"


def test_text_of_a_file_cannot_move_the_cursor() -> None:
    finding = Finding("sku-unknown", Place("F\x1b[2J", 2), order="10\n42\u202e", field="S\rKU", found='"\x07"')
    text = finding_text(finding)
    assert text.count("\n") == 2
    assert all(line.isprintable() for line in text.split("\n"))
    assert "order 10\\x0a42\\x202e" in text


def test_an_order_number_of_a_million_characters_is_named_by_its_beginning() -> None:
    text = finding_text(Finding("value-too-long", Place("F", 2), order="9" * 1_000_000))
    assert f"(order {'9' * 80}... (1,000,000 characters))" in text
    assert len(text) < 500


def test_an_error_has_its_hint() -> None:
    error = Refused("name-taken", "drop: in/A.csv is there with other bytes", hint="find out which is right")
    assert error_text(error) == (
        "name-taken: drop: in/A.csv is there with other bytes\n"
        "  hint: find out which is right. `fallback explain name-taken`"
    )


def test_an_error_without_a_hint_takes_the_remedy_of_its_code() -> None:
    text = error_text(FallbackError("agreement-invalid", "agreement.toml is wrong at 1 place(s):\n  id is missing"))
    assert text == (
        "agreement-invalid: agreement.toml is wrong at 1 place(s):\n"
        "  id is missing\n"
        "  hint: Correct the places named. `fallback explain agreement-invalid`"
    )


@pytest.mark.parametrize("code", CATALOGUE)
def test_every_code_is_explained(code: str) -> None:
    text = explain_text(code)
    assert text.startswith(f"{code}: a")
    flat = " ".join(text.split())
    assert CATALOGUE[code].meaning in flat
    assert CATALOGUE[code].remedy in flat
    assert max(map(len, text.split("\n"))) <= 100


def test_explain_suggests_the_nearest_code() -> None:
    with pytest.raises(WrongUse, match="there is no code sku-unkown\n  hint: did you mean sku-unknown") as caught:
        explain_text("sku-unkown")
    assert caught.value.exit_code == 2


# --- golden texts


def test_report_text() -> None:
    report = Report(
        file=FILE,
        format="order-lines-csv 1",
        verdict="partial",
        orders=(make_order("1041"),),
        rejected=(Rejected("1042", "k2", ("sku-unknown",)), Rejected("1043", "k3", ("sku-unknown", "number-invalid"))),
        findings=(
            Finding("sku-unknown", Place(FILE, 14, 13), order="1043", order_line=1),
            Finding("number-invalid", Place(FILE, 14, 13), order="1043", order_line=1),
            Finding("sku-unknown", Place(FILE, 12, 11), order="1042", order_line=2, found='"TEE"'),
            Finding("column-moved", Place(FILE, 1), field="SKU", found="as column 3"),
        ),
        diagnosis=(Diagnosis("delimiter-other", "certain", "its cells are separated by tabs", (1,)),),
        records=14,
        bytes=2210,
    )
    assert report_text(report, limit=2) == (
        """\
partial: 1 of 3 orders may be loaded, 2 are rejected
  file      ACME_ORDERS_20261123T140000Z_000007.csv
  format    order-lines-csv 1
  read      14 records, 2,210 bytes
  accepted  1 order, 2 lines, 3 units
  rejected  2 orders

What happened to the file
  - Its cells are separated by tabs. (delimiter-other, certain)
    Ask for the original file. `fallback repair FILE` writes a new one if nothing else has changed.

3 errors, 1 warning

ACME_ORDERS_20261123T140000Z_000007.csv:1: column-moved (warning)
  SKU: found as column 3
  hint: Nothing is lost here. Tell the sender: a loader that goes by position would load this file wrongly. \
`fallback explain column-moved`

ACME_ORDERS_20261123T140000Z_000007.csv:12: sku-unknown (order 1042, line 2)
  found "TEE"
  hint: Add it to the SKU map or correct the order. `fallback explain sku-unknown`

and 2 more: sku-unknown 1, number-invalid 1. The JSON report (--json) names them all.

Rejected orders
  1042 (sku-unknown), 1043 (sku-unknown, number-invalid)

Next
  Load only the accepted orders. Have the rejected ones corrected at their source and sent in a new
  file; do not mend this file by hand.
"""
    )


def test_report_text_of_a_good_file_is_short() -> None:
    report = Report(file=FILE, format="order-lines-csv 1", verdict="accepted", orders=(make_order("1041"),), records=2)
    text = report_text(report)
    assert text.startswith("accepted: 1 order may be loaded, nothing is rejected\n")
    assert text.endswith("Next\n  Nothing to mend: the file can be sent, or loaded.\n")
    assert "0 errors" not in text


def test_without_its_manifest_a_file_is_not_said_to_be_whole() -> None:
    """A file cut between two orders looks whole; only the manifest proves that it is."""
    found = (Finding("manifest-absent", Place(FILE)),)
    report = Report(
        file=FILE, format="x 1", verdict="accepted", orders=(make_order("1041"),), findings=found, records=2
    )
    for shown in (report_text(report), report_html(report)):
        assert "cannot be proven complete" in shown and "can be sent, or loaded" not in shown


@pytest.mark.parametrize(
    ("at", "shown"),
    [
        ("0001-01-01T00:00:00+14:00", "1-01-01 00:00:00 UTC"),
        ("9999-12-31T23:59:59-14:00", "9999-12-31 23:59:59 UTC"),
        ("2026-11-23T15:00:00+01:00", "2026-11-23 14:00:00 UTC"),
    ],
)
def test_an_instant_beyond_all_years_is_shown_and_breaks_nothing(at: str, shown: str) -> None:
    assert words.instant(datetime.fromisoformat(at)).lstrip("0") == shown
    assert words.clock(datetime.fromisoformat(at)) == shown[-12:-4]


def test_a_refused_file_says_so_before_anything_else() -> None:
    report = Report(FILE, "f 1", "rejected", findings=(Finding("file-hash-differs", Place(FILE)),))
    assert report_text(report).startswith("rejected: the file as a whole is refused, no order of it may be loaded\n")
    assert "Load nothing from this file" in report_text(report)


def test_receipt_text() -> None:
    receipt = make_receipt("NDK-88").model_copy(
        update={"receipt_id": "R-7", "supersedes": None, "by": By(org="Northdock", person="S. Lead"), "reasons": ()}
    )
    assert (
        receipt_text(receipt)
        == """\
partial: 2 of 4 orders are in the warehouse, the others are listed below
  file     ACME_ORDERS_20261123T140000Z_000007.csv
  times    received 2026-11-23 14:00:00, checked 14:00:03, processed 14:00:09 UTC
  by       Northdock (S. Lead)
  receipt  R-7

            orders  lines  units
  declared       4      9     14
  received       4      9     14

3 orders to look at

unknown, 1 order: NDK-88
    Nobody can say whether it was loaded: look it up before anything else. Do not load or pick it
    again.
    This version of the program does not know the code; the sender's does.
    Do: Ask the sender what it means, and bring both sides to the same version.
    Send again: never.
    - acme:shopify:4:0

rejected, 1 order: sku-unknown
    Not loaded.
    The SKU is not on the warehouse's item list.
    Do: Add it to the SKU map or correct the order.
    Send again: when corrected, in a new file.
    - acme:shopify:2:0  line 12, NDK-88

duplicate-same, 1 order: duplicate-same
    The warehouse has this order already, with the same content.
    Do: Do not send it again: it ships once.
    Send again: never.
    - NDK-88  line 15  WMS NDK-88  came by NDK-88, NDK-88

1 order accepted. Nobody sends or loads it again.
"""
    )


@pytest.mark.parametrize(
    ("changes", "first"),
    [
        (
            {"stage": "received", "orders": (), "disposition": "pending"},
            "pending: the file has arrived, its 4 orders are",
        ),
        ({"stage": "checked", "disposition": "pending"}, "pending: 1 of 4 orders passed the checks, and nothing is"),
        ({"disposition": "duplicate-file"}, "duplicate-file: this file was received before, nothing was loaded again"),
        ({"disposition": "rejected"}, "rejected: nothing of it is in the warehouse through this file (4 orders)"),
    ],
)
def test_the_first_line_of_a_receipt_says_how_far_it_went(changes: dict[str, Any], first: str) -> None:
    receipt = make_receipt().model_copy(update=changes)
    assert receipt_text(receipt).startswith(first)
    assert escape(words.receipt_sentence(receipt))[1:] in receipt_html(receipt)


def test_an_accepted_receipt_says_that_every_order_is_in() -> None:
    orders = tuple(
        AnsweredOrder(key=f"a:s:{n}:0", revision=1, state="accepted", wms_ref=f"N{n}", resend="never") for n in range(4)
    )
    receipt = make_receipt().model_copy(update={"orders": orders, "disposition": "accepted", "reasons": ()})
    text = receipt_text(receipt)
    assert text.startswith("accepted: every order is in the warehouse (4 of 4)\n")
    assert "to look at" not in text
    assert text.endswith("4 orders accepted. Nobody sends or loads them again.\n")


def test_a_receipt_of_a_refused_file_names_the_reason_once() -> None:
    orders = tuple(
        AnsweredOrder(
            key=f"a:s:{n}:0", revision=1, state="rejected", resend="as-is", reasons=(Reason(code="file-refused"),)
        )
        for n in range(60)
    )
    reasons = (Reason(code="column-missing", line=1, field="SKU"),)
    receipt = make_receipt().model_copy(update={"orders": orders, "disposition": "rejected", "reasons": reasons})
    text = receipt_text(receipt)
    assert text.count(CATALOGUE["file-refused"].meaning) == 1
    assert "column-missing (line 1, SKU)" in text
    assert "Send again: as it is, in a new file." in text
    assert "and 10 more for the same reason" in text
    assert "a:s:59:0" in receipt_html(receipt)


def test_a_change_by_the_warehouse_is_shown_with_what_is_loaded() -> None:
    changed = AnsweredOrder(
        key="a:s:1:0", revision=1, state="accepted-changed", resend="never", reasons=(Reason(code="value-too-long"),)
    )
    receipt = make_receipt().model_copy(update={"orders": (changed,), "disposition": "accepted", "reasons": ()})
    text = receipt_text(receipt)
    assert "accepted-changed, 1 order: value-too-long\n    Loaded, with a change by the warehouse.\n" in text
    assert "Send again" not in text + receipt_html(receipt)
    assert text.endswith("No order was accepted as it is.\n")


def test_times_name_the_date_again_when_it_changes() -> None:
    times = Times(received_at=after(0), processed_at=after(86_400), issued_at=after(86_400))
    receipt = make_receipt().model_copy(update={"times": times})
    assert words.receipt_times(receipt) == "received 2026-11-23 14:00:00, processed 2026-11-24 14:00:00 UTC"


def test_a_drill_receipt_says_that_nothing_ships() -> None:
    drill, live = make_receipt(state="drill"), make_receipt()
    assert "DRILL: nothing on this page ships" in receipt_text(drill)
    assert "DRILL: nothing on this page ships" in receipt_html(drill)
    assert "DRILL" not in receipt_text(live) + receipt_html(live)


def test_reconciliation_text() -> None:
    document = Reconciliation(
        verdict="due",
        at=START,
        wms_as_of=after(-60),
        due_at=after(-120),
        missing=("acme:shopify:1:0", "acme:shopify:2:0"),
        differences=(Difference(key="acme:shopify:3:0", kind="doubled", found="file, integration"),),
        reasons=("2 orders placed before the cut-off daily are absent after its window.",),
        counts={"platform": 12, "in_flight": 1},
    )
    assert (
        reconciliation_text(document, limit=1)
        == """\
due: the fallback is due, 2 orders are missing
  at         2026-11-23 14:00:00 UTC
  warehouse  list of 2026-11-23 13:59:00 UTC
  due        2026-11-23 13:58:00 UTC
  platform   12
  in flight  1

Why
  - 2 orders placed before the cut-off daily are absent after its window.

Missing orders
  - acme:shopify:1:0
  and 1 more; the JSON names them all.

Differences
  - acme:shopify:3:0: in the warehouse more than once (file, integration)

Next
  Start the fallback: `fallback export PAYLOAD --integration paused --confirmed-by NAME`.
"""
    )


@pytest.mark.parametrize("verdict", ["clear", "in-flight", "late", "due", "unknown"])
def test_every_verdict_of_a_reconciliation_has_its_words(verdict: Any) -> None:
    text = reconciliation_text(Reconciliation(verdict=verdict, at=START))
    assert text.startswith(f"{verdict}: ")
    assert "warehouse  no list" in text
    assert ("alarm" in text) == (verdict == "unknown")


def test_journal_text() -> None:
    assert (
        journal_text(make_journal("one", broken=True))
        == """\
failed: the procedure did not hold
  drill      one
  level      loopback: both roles on one machine, over a server that the drill started itself
  time       2026-11-23 14:00:00 UTC, 2 min 06 s
  agreement  one one, abababababab
  tool       one

What failed
  - one

Commitments: 0 of 2 met
  breached      one  one  48 s, limit 10 s
  not measured  one  one  not measured, limit 15 min 00 s

Mishaps: 0 of 1 answered as expected
  FAILED  one: not answered, expected one
          one

Proofs: 0 of 1 hold
  FAILED  one (one 12, loaded twice 1)

Timeline
        +0 s  brand      one: one
        +2 s  warehouse  one: one
 +2 min 05 s  brand      one: one (noted by hand)
"""
    )


def test_a_passed_journal_names_no_failure() -> None:
    text = journal_text(make_journal())
    assert text.startswith("passed: the procedure held\n")
    assert "met  plain  plain  0.8 s, limit 10 s" in text
    assert "What failed" not in text
    assert "FAILED" not in text


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (0, "0 s"),
        (0.04, "0 s"),
        (0.84, "0.8 s"),
        (9.94, "9.9 s"),
        (9.96, "10 s"),
        (59.4, "59 s"),
        (59.6, "1 min 00 s"),
        (125, "2 min 05 s"),
        (3599.6, "1 h 00 min"),
        (3720, "1 h 02 min"),
        (360_000, "100 h 00 min"),
    ],
)
def test_durations(seconds: float, expected: str) -> None:
    assert words.duration(seconds) == expected


def test_json_is_the_document_of_the_schema() -> None:
    journal = make_journal()
    assert document_json(journal) == journal.to_json()
    report = json.loads(document_json(make_report()))
    assert report["schema"] == "fallback.report/1"
    assert report["counts"]["accepted"] == 1


# --- pages


class Skeleton(HTMLParser):
    """The tags of a page with their attributes' names, and its text; what a value must not be able to change."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, ...]] = []
        self.text: list[str] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, *(name for name, _ in attrs)))

    def handle_endtag(self, tag: str) -> None:
        self.tags.append(("/", tag))

    def handle_comment(self, data: str) -> None:
        self.tags.append(("comment",))

    def handle_data(self, data: str) -> None:
        self.text.append(data)


@pytest.mark.parametrize("name", PAGES)
@settings(deadline=None)  # the first example compiles the templates
@given(
    text=st.text(
        st.one_of(st.sampled_from("<>&\"'`/=-!;#x\n\x00\x1b\u202e{}%"), st.characters(codec="utf-8")),
        min_size=1,
        max_size=40,
    )
)
def test_no_value_can_add_to_a_page(name: str, text: str) -> None:
    page = PAGES[name](text)
    assert Skeleton(page).tags == Skeleton(PAGES[name]("plain")).tags
    shown = words.plain(text)
    assert escape(shown) in page.replace("&#34;", "&quot;").replace("&#39;", "&#x27;")


@pytest.mark.parametrize("name", PAGES)
def test_markup_in_a_value_is_shown_as_it_is(name: str) -> None:
    evil = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>{{ 7 * 7 }}"
    page = PAGES[name](evil)
    assert "<script" not in page
    assert "<img" not in page
    assert "".join(Skeleton(page).text).count(evil) >= 3


@pytest.mark.parametrize("name", PAGES)
def test_a_page_stands_alone(name: str) -> None:
    page = PAGES[name]("plain")
    assert page.startswith("<!doctype html>")
    tags = {tag for tag, *_ in Skeleton(page).tags}
    assert not tags & {"script", "link", "img", "iframe", "object", "embed", "form"}
    assert not re.search(r"https?:|//|@import|url\((?!#)", page)
    assert "default-src 'none'" in page
    assert "prefers-color-scheme: dark" in page
    assert "size: A4" in page


@pytest.mark.parametrize("name", PAGES)
def test_tags_of_a_page_are_closed(name: str) -> None:
    void = {"meta", "br", "rect", "path", "line"}
    stack: list[str] = []
    for tag, *rest in Skeleton(PAGES[name]("plain")).tags:
        if tag == "/":
            if rest[0] not in void:
                assert stack.pop() == rest[0]
        elif tag not in void:
            stack.append(tag)
    assert stack == []


def test_private_values_of_orders_are_nowhere() -> None:
    report = make_report()
    for text in (report_text(report), report_html(report), document_json(report)):
        for value in PRIVATE:
            assert value not in unescape(text)


def test_a_page_counts_the_findings_it_leaves_out() -> None:
    findings = tuple(Finding("sku-unknown", Place(FILE, line), order=str(line)) for line in range(1, 8))
    rejected = tuple(Rejected(str(line), None, ("sku-unknown",)) for line in range(1, 8))
    page = report_html(Report(FILE, "f 1", "rejected", rejected=rejected, findings=findings), limit=5)
    assert page.count("And 2 more") == 2
    assert "line 5<" in page
    assert "line 6<" not in page


def test_the_journal_page_names_the_hash_of_its_journal() -> None:
    import hashlib

    journal = make_journal()
    assert hashlib.sha256(journal.to_bytes()).hexdigest() in journal_html(journal)
    assert "The procedure held." in journal_html(journal)
    assert "The procedure did not hold." in journal_html(make_journal(broken=True))


@pytest.mark.parametrize(
    ("limit_s", "actual_s", "expected"),
    [(10, 0, 1), (10, 5, 40), (10, 10, 80), (10, 11, 88), (10, 1000, 100), (10, None, 0), (0, 1, 100), (0, 0, 100)],
)
def test_a_bar_stands_against_its_limit(limit_s: float, actual_s: float | None, expected: float) -> None:
    assert bar(Commitment(id="a", owner="b", start="c", end="d", limit_s=limit_s, actual_s=actual_s)) == expected


@pytest.mark.parametrize("module", ["text", "html", "json", "words"])
def test_jinja_is_imported_only_when_a_page_is_made(module: str) -> None:
    code = f"import sys, fallback.render.{module}; sys.exit('jinja2' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_text_does_not_pay_for_the_models() -> None:
    code = "import sys, fallback.render.text; sys.exit('pydantic' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


# --- a browser

MEASURE = """<!doctype html><html><body>{frames}<script>
onload = () => {{
  const sizes = {{}};
  for (const frame of document.querySelectorAll("iframe")) {{
    const root = frame.contentDocument.documentElement;
    sizes[frame.name] = [root.scrollWidth, root.clientWidth, root.innerText.length];
  }}
  document.body.textContent = JSON.stringify(sizes);
}};
</script></body></html>"""

CHROMIUM_ARGUMENTS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--window-size=1300,1200",
    "--dump-dom",
)


def test_pages_fit_a_phone_a_screen_and_a4(tmp_path: Path) -> None:
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if chromium is None:
        message = "no Chromium here to measure the pages with; install it with: apt-get install chromium"
        if os.environ.get("CI") == "true":
            pytest.fail(message)
        pytest.skip(message)
    long = "ACME_ORDERS_20261123T140000Z_000007.csv.manifest.json and words to be broken at the end of a line"
    frames = "".join(
        f'<iframe name="{name} {width} {kind}" style="width:{width}px;height:900px;border:0" '
        f'srcdoc="{escape(make(text))}"></iframe>'
        for name, make in PAGES.items()
        for width in (390, 680, 1200)
        for kind, text in (("plain", long), ("unbroken", "M" * 300))
    )
    page = tmp_path / "measure.html"
    page.write_text(MEASURE.format(frames=frames), "utf-8")
    done = subprocess.run(
        [chromium, *CHROMIUM_ARGUMENTS, f"--user-data-dir={tmp_path / 'profile'}", page.as_uri()],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    found = re.search(r"<body>(\{.*\})</body>", done.stdout)
    assert found, done.stdout[:2000] + done.stderr[-2000:]
    sizes = json.loads(unescape(found[1]))
    assert len(sizes) == len(PAGES) * 3 * 2
    assert {name: size for name, size in sizes.items() if size[0] > size[1] or size[2] < 200} == {}
