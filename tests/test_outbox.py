"""The brand's memory: what may go into a file, what may be sent, and what an answer changes."""

from __future__ import annotations

import json
import os
import sqlite3
import stat
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule

from brand_kit import AT, make_manifest, make_receipt, print_of
from fallback.brand.outbox import Outbox, open_outbox
from fallback.delivery.drop import Delivered
from fallback.documents.base import AgreementRef
from fallback.documents.manifest import Manifest
from fallback.documents.receipt import INSIDE, OrderState, Receipt, ReceivedFile
from fallback.errors import FallbackError, Refused, WrongUse

PROOF = (Delivered("in", "a.csv", 6, print_of("a"), "read-back", False, 0.1),)


@pytest.fixture
def outbox(tmp_path: Path) -> Outbox:
    return open_outbox(tmp_path / "outbox.sqlite")


def sent(outbox: Outbox, manifest: Manifest) -> Manifest:
    outbox.register_export(manifest)
    outbox.begin_sending(manifest.file_id, AT)
    outbox.mark_sent(manifest.file_id, PROOF, AT + timedelta(seconds=5))
    return manifest


def answered(outbox: Outbox, manifest: Manifest, states: Any, **changes: Any) -> Manifest:
    sent(outbox, manifest)
    outbox.record_receipt(make_receipt(manifest, states, **changes))
    return manifest


# --- sequence numbers


def test_sequence_numbers_are_never_given_twice(tmp_path: Path) -> None:
    path = tmp_path / "outbox.sqlite"
    with ThreadPoolExecutor(8) as pool:
        numbers = list(pool.map(lambda _: open_outbox(path).next_sequence("live"), range(40)))
    assert sorted(numbers) == list(range(1, 41))
    assert open_outbox(path).next_sequence("drill") == 1


def test_a_number_given_by_hand_is_counted_from(outbox: Outbox) -> None:
    outbox.register_export(make_manifest(70, ["a"]))
    outbox.register_export(make_manifest(7, ["b"]))
    assert outbox.next_sequence("live") == 71


# --- what may go into a file


def test_exported_and_never_sent_may_go_again(outbox: Outbox) -> None:
    outbox.register_export(make_manifest(1, ["a"]))
    standing = outbox.open_keys("live")["a"]
    assert (standing.status, standing.code) == ("exported", None)
    assert standing.next_revision(print_of("a")) == standing.next_revision(print_of("other")) == 1
    assert outbox.answers("live") == {}


def test_from_the_moment_that_sending_begins_an_order_counts_as_sent(outbox: Outbox) -> None:
    outbox.register_export(make_manifest(1, ["a"]))
    assert outbox.begin_sending("ACME_ORDERS_000001", AT) is True
    assert outbox.open_keys("live")["a"].code == "already-sent"
    assert outbox.begin_sending("ACME_ORDERS_000001", AT) is False  # killed and started again: it may go on
    assert outbox.answers("live") == {"a": "sent"}


def test_silence_is_no_answer(outbox: Outbox) -> None:
    manifest = sent(outbox, make_manifest(1, ["a"]))
    for stage in ("received", "checked"):
        outbox.record_receipt(make_receipt(manifest, "accepted" if stage == "checked" else None, stage=stage))
        assert outbox.open_keys("live")["a"].code == "already-sent"


@pytest.mark.parametrize("state", sorted(INSIDE))
def test_what_is_inside_the_warehouse_never_goes_again(outbox: Outbox, state: OrderState) -> None:
    answered(outbox, make_manifest(1, ["a"]), state)
    standing = outbox.open_keys("live")["a"]
    assert (standing.status, standing.code, standing.answer) == ("answered", "already-accepted", state)


@pytest.mark.parametrize("state", ["unknown", "duplicate-conflict", "withdrawn", "recalled"])
def test_what_nobody_has_decided_does_not_go_again(outbox: Outbox, state: OrderState) -> None:
    answered(outbox, make_manifest(1, ["a"]), state)
    assert outbox.open_keys("live")["a"].code == "awaiting-decision"


def test_rejected_never_to_be_sent_again_waits_for_a_decision(outbox: Outbox) -> None:
    answered(outbox, make_manifest(1, ["a"]), "rejected", resend="never")
    assert outbox.open_keys("live")["a"].code == "awaiting-decision"


@pytest.mark.parametrize("resend", ["corrected", "as-is"])
def test_rejected_may_go_again_with_a_new_revision_where_the_content_changed(outbox: Outbox, resend: str) -> None:
    answered(outbox, make_manifest(1, ["a"]), "rejected", resend=resend)
    standing = outbox.open_keys("live")["a"]
    assert (standing.status, standing.code, standing.revision) == ("answered", None, 1)
    assert standing.next_revision(print_of("a")) == 1
    assert standing.next_revision(print_of("corrected")) == 2


def test_revisions_count_what_went_to_the_warehouse(outbox: Outbox) -> None:
    answered(outbox, make_manifest(1, {"a": (1, "first")}), "rejected")
    outbox.register_export(make_manifest(2, {"a": (2, "second")}))  # never sent
    assert outbox.open_keys("live")["a"].next_revision(print_of("third")) == 2
    answered(outbox, make_manifest(3, {"a": (2, "third")}), "rejected")
    assert outbox.open_keys("live")["a"].next_revision(print_of("fourth")) == 3


def test_an_order_that_a_receipt_does_not_name_is_unknown(outbox: Outbox) -> None:
    answered(outbox, make_manifest(1, ["a", "b"]), {"a": "accepted"})
    assert {key: one.answer for key, one in outbox.open_keys("live").items()} == {"a": "accepted", "b": "unknown"}
    assert outbox.answers("live") == {"a": "accepted", "b": "unknown"}


def test_drill_and_live_do_not_know_of_each_other(outbox: Outbox) -> None:
    answered(outbox, make_manifest(1, ["a"], state="drill"), "accepted")
    assert outbox.open_keys("live") == {}
    sent(outbox, make_manifest(1, ["a"]))
    assert [file.name for file in outbox.files("drill")] == ["DRILL_ACME_ORDERS_000001.csv"]
    assert len(outbox.files()) == 2


# --- what may be sent


def test_two_files_with_the_same_order_are_never_both_sent(outbox: Outbox) -> None:
    outbox.register_export(make_manifest(1, ["a", "b"]))
    outbox.register_export(make_manifest(2, ["c"]))
    sent(outbox, make_manifest(3, ["d"]))
    with pytest.raises(Refused, match="newer file ACME_ORDERS_000004") as caught:
        outbox.register_export(make_manifest(4, ["b", "c"]))
        outbox.begin_sending("ACME_ORDERS_000001", AT)
    assert caught.value.code == "file-superseded"
    assert outbox.begin_sending("ACME_ORDERS_000004", AT)
    assert outbox.summary().made == ()


@pytest.mark.parametrize("state", [None, "accepted", "held", "unknown", "duplicate-conflict", "withdrawn"])
def test_an_order_that_is_at_the_warehouse_stops_every_other_file(outbox: Outbox, state: OrderState | None) -> None:
    first = make_manifest(1, ["a", "b"])
    second = make_manifest(2, ["b", "c"])
    outbox.register_export(first)
    outbox.begin_sending(first.file_id, AT)
    outbox.register_export(second)  # made while the first was on its way
    if state is not None:
        outbox.record_receipt(make_receipt(first, state))
    for send in (lambda: outbox.begin_sending(second.file_id, AT), lambda: outbox.mark_sent(second.file_id, PROOF, AT)):
        with pytest.raises(Refused, match="orders of ACME_ORDERS_000002") as caught:
            send()
        assert (caught.value.code, caught.value.exit_code) == ("order-in-flight", 7)
        assert "ACME_ORDERS_000001" in caught.value.message
    assert outbox.files()[1].sending_at is None


def test_a_rejected_order_goes_in_another_file(outbox: Outbox) -> None:
    answered(outbox, make_manifest(1, ["a"]), "rejected")
    sent(outbox, make_manifest(2, ["a"]))
    assert outbox.open_keys("live")["a"].code == "already-sent"


def test_a_file_that_the_warehouse_has_is_not_sent_again(outbox: Outbox) -> None:
    manifest = sent(outbox, make_manifest(1, ["a"]))
    assert outbox.begin_sending(manifest.file_id, AT) is False
    outbox.record_receipt(make_receipt(manifest, stage="received"))
    with pytest.raises(Refused, match="its receipt says received") as caught:
        outbox.begin_sending(manifest.file_id, AT)
    assert caught.value.code == "order-in-flight"


def test_a_file_on_its_way_is_not_superseded(outbox: Outbox) -> None:
    first = make_manifest(1, ["a"])
    outbox.register_export(first)
    outbox.begin_sending(first.file_id, AT)
    outbox.register_export(make_manifest(2, ["a"]))  # its export was begun before
    assert outbox.files()[0].superseded_by is None
    assert outbox.begin_sending(first.file_id, AT) is False  # killed and started again: it may go on


def test_an_unknown_file_is_not_sent(outbox: Outbox) -> None:
    for call in (lambda: outbox.begin_sending("X", AT), lambda: outbox.mark_sent("X", PROOF, AT)):
        with pytest.raises(WrongUse) as caught:
            call()
        assert caught.value.code == "wrong-use"
    assert outbox.manifest("X") is None


def test_sending_is_taken_back_only_before_it_is_proven(outbox: Outbox) -> None:
    manifest = make_manifest(1, ["a"])
    outbox.register_export(manifest)
    outbox.begin_sending(manifest.file_id, AT)
    outbox.withdraw_sending(manifest.file_id)
    assert outbox.open_keys("live")["a"].code is None
    outbox.mark_sent(manifest.file_id, PROOF, AT)
    outbox.withdraw_sending(manifest.file_id)
    assert outbox.open_keys("live")["a"].code == "already-sent"


def test_sending_is_not_taken_back_while_another_sends_the_same_file(outbox: Outbox) -> None:
    """It counts as sent from the moment at which sending begins: the other may have put the data."""
    manifest = make_manifest(1, ["a"])
    outbox.register_export(manifest)
    assert outbox.begin_sending(manifest.file_id, AT)
    assert not outbox.begin_sending(manifest.file_id, AT + timedelta(seconds=1))
    outbox.withdraw_sending(manifest.file_id)
    assert outbox.open_keys("live")["a"].code == "already-sent"
    assert outbox.files()[0].sending_at == AT


def test_the_first_time_of_sending_counts(outbox: Outbox) -> None:
    manifest = sent(outbox, make_manifest(1, ["a"]))
    outbox.mark_sent(manifest.file_id, PROOF, AT + timedelta(hours=1))
    file = outbox.files()[0]
    assert (file.sending_at, file.sent_at) == (AT, AT + timedelta(seconds=5))
    assert (file.open, file.answered, file.waiting) == (True, False, False)


def test_times_without_offset_are_refused(outbox: Outbox) -> None:
    outbox.register_export(make_manifest(1, ["a"]))
    with pytest.raises(WrongUse):
        outbox.begin_sending("ACME_ORDERS_000001", datetime(2026, 11, 23))


# --- one order told whole and by fulfilment order


BY_GROUP = "{group}:{brand}:{order_number}"
WHOLE, PART, OTHER_PART, OTHER_ORDER = "0:acme:A:1", "7:acme:A:1", "8:acme:A:1", "7:acme:A:2"


@pytest.mark.parametrize(("first", "second"), [(WHOLE, PART), (PART, WHOLE)])
def test_of_a_whole_order_and_a_part_of_it_only_the_newer_file_is_sent(outbox: Outbox, first: str, second: str) -> None:
    """The same order shipped twice: the keys differ, so the fence asks for the order and not for its key alone."""
    outbox.keep_template(BY_GROUP, "live")
    outbox.register_export(make_manifest(1, [first]))
    outbox.register_export(make_manifest(2, [second]))
    with pytest.raises(Refused) as caught:
        outbox.begin_sending("ACME_ORDERS_000001", AT)
    assert caught.value.code == "file-superseded"
    assert outbox.begin_sending("ACME_ORDERS_000002", AT)


@pytest.mark.parametrize(("first", "second"), [(WHOLE, PART), (PART, WHOLE)])
def test_what_is_at_the_warehouse_in_part_or_whole_stops_the_other(outbox: Outbox, first: str, second: str) -> None:
    outbox.keep_template(BY_GROUP, "live")
    outbox.register_export(make_manifest(1, [first]))
    outbox.begin_sending("ACME_ORDERS_000001", AT)
    outbox.register_export(make_manifest(2, [second, OTHER_ORDER]))
    with pytest.raises(Refused, match=f"whole or in part: {first}") as caught:
        outbox.begin_sending("ACME_ORDERS_000002", AT)
    assert caught.value.code == "order-in-flight"
    outbox.record_receipt(make_receipt(make_manifest(1, [first]), "rejected"))
    assert outbox.begin_sending("ACME_ORDERS_000002", AT)


def test_the_parts_of_an_order_do_not_stop_each_other(outbox: Outbox) -> None:
    outbox.keep_template(BY_GROUP, "live")
    for number, key in enumerate((PART, OTHER_PART, OTHER_ORDER), 1):
        sent(outbox, make_manifest(number, [key]))
    assert {one.code for one in outbox.open_keys("live").values()} == {"already-sent"}


def test_keys_made_otherwise_are_refused_once_orders_are_known(outbox: Outbox) -> None:
    """Under another template no order would be known again: all would be sent and loaded a second time."""
    outbox.keep_template("{brand}:{order_id}:{group}", "live")
    outbox.keep_template(BY_GROUP, "live")  # nothing was exported yet
    outbox.register_export(make_manifest(1, [WHOLE]))
    outbox.keep_template(BY_GROUP, "live")
    with pytest.raises(Refused) as caught:
        outbox.keep_template("{brand}:{order_id}:{group}", "live")
    assert (caught.value.code, caught.value.exit_code) == ("key-template-changed", 7)
    assert caught.value.hint
    outbox.keep_template("{brand}:{order_id}:{group}", "drill")  # a drill has orders of its own


# --- registering


def test_registering_again_changes_nothing_and_never_replaces(outbox: Outbox) -> None:
    manifest = make_manifest(1, ["a"])
    outbox.register_export(manifest)
    outbox.register_export(manifest)
    assert len(outbox.files()) == 1
    assert outbox.manifest(manifest.file_id) == manifest
    with pytest.raises(Refused) as caught:
        outbox.register_export(make_manifest(1, ["a", "b"]))
    assert caught.value.code == "file-changed"
    assert set(outbox.open_keys("live")) == {"a"}


def test_a_file_of_no_order_is_remembered(outbox: Outbox) -> None:
    sent(outbox, make_manifest(1, []))
    outbox.record_receipt(make_receipt(make_manifest(1, []), {}))
    assert outbox.files()[0].answered


def test_a_large_file_passes_the_fence(outbox: Outbox) -> None:
    keys = [f"k{n}" for n in range(1201)]
    answered(outbox, make_manifest(1, keys), "rejected")
    sent(outbox, make_manifest(2, keys))
    assert sum(one.code == "already-sent" for one in outbox.open_keys("live").values()) == 1201


# --- receipts


def test_a_receipt_is_entered_once(outbox: Outbox) -> None:
    manifest = sent(outbox, make_manifest(1, ["a"]))
    receipt = make_receipt(manifest, "accepted")
    assert outbox.record_receipt(receipt) is True
    assert outbox.record_receipt(receipt) is False
    assert outbox.files()[0].receipt == receipt


def test_a_late_received_does_not_undo_processed(outbox: Outbox) -> None:
    manifest = answered(outbox, make_manifest(1, ["a"]), "accepted")
    outbox.record_receipt(make_receipt(manifest, stage="received"))
    assert outbox.files()[0].answered
    assert outbox.open_keys("live")["a"].code == "already-accepted"


def test_a_receipt_that_supersedes_changes_the_answer(outbox: Outbox) -> None:
    manifest = answered(outbox, make_manifest(1, ["a", "b"]), "unknown")
    first = outbox.files()[0].receipt
    assert first is not None
    later = make_receipt(manifest, {"a": "accepted", "b": "rejected"}, number=2, supersedes=first.receipt_id)
    outbox.record_receipt(later)
    assert {key: one.code for key, one in outbox.open_keys("live").items()} == {"a": "already-accepted", "b": None}
    assert outbox.files()[0].receipt == later


def test_an_earlier_receipt_that_comes_later_changes_nothing(outbox: Outbox) -> None:
    manifest = sent(outbox, make_manifest(1, ["a"]))
    first = make_receipt(manifest, "unknown")
    outbox.record_receipt(make_receipt(manifest, "accepted", number=2, supersedes=first.receipt_id))
    outbox.record_receipt(first)
    assert outbox.open_keys("live")["a"].code == "already-accepted"
    assert outbox.files()[0].receipt == make_receipt(manifest, "accepted", number=2, supersedes=first.receipt_id)


def test_the_same_answer_in_other_words_is_no_contradiction(outbox: Outbox) -> None:
    manifest = answered(outbox, make_manifest(1, ["a"]), "accepted")
    outbox.record_receipt(make_receipt(manifest, "duplicate-same", number=2, disposition="duplicate-file"))
    assert outbox.answers("live") == {"a": "accepted"}


def foreign_receipts() -> dict[str, Any]:
    manifest = make_manifest(1, ["a", "b"])
    other = ReceivedFile(file_id=manifest.file_id, name=manifest.files[0].name, sha256=print_of("x"), bytes=6)
    good = make_receipt(manifest, "accepted")
    changed = tuple(order.model_copy(update={"fingerprint": print_of("x")}) for order in good.orders)
    revised = tuple(order.model_copy(update={"revision": 2}) for order in good.orders)
    drill = {"state": "drill"}
    return {
        "this outbox did not make the file": make_receipt(make_manifest(9, ["a", "b"]), "accepted"),
        "it is drill and the file is live": make_receipt(manifest, "accepted", **drill),
        "under another agreement": make_receipt(
            manifest, "accepted", agreement=AgreementRef(id="zeta-northdock", version="1", sha256=print_of("z"))
        ),
        "gives the file another name": make_receipt(
            manifest, "accepted", file=other.model_copy(update={"name": "other.csv"})
        ),
        "1 orders that are not in the file": make_receipt(
            manifest, {"a": "accepted", "b": "accepted", "c": "accepted"}
        ),
        "another revision": make_receipt(manifest, "accepted", orders=revised),
        "from other bytes": make_receipt(manifest, "accepted", file=other),
        "accepts a with other content": make_receipt(manifest, "accepted", orders=changed),
    }


@pytest.mark.parametrize("problem", foreign_receipts())
def test_a_foreign_receipt_changes_nothing(outbox: Outbox, problem: str) -> None:
    sent(outbox, make_manifest(1, ["a", "b"]))
    with pytest.raises(Refused) as caught:
        outbox.record_receipt(foreign_receipts()[problem])
    assert (caught.value.code, caught.value.exit_code) == ("receipt-foreign", 7)
    assert problem in caught.value.message
    assert outbox.answers("live") == {"a": "sent", "b": "sent"}
    assert outbox.files()[0].receipt is None


def test_receipts_that_contradict_each_other_are_foreign(outbox: Outbox) -> None:
    manifest = answered(outbox, make_manifest(1, ["a"]), "accepted")
    for receipt in (
        make_receipt(manifest, "rejected"),  # the same id with other content
        make_receipt(manifest, "rejected", number=2),  # another one that does not supersede it
    ):
        with pytest.raises(Refused) as caught:
            outbox.record_receipt(receipt)
        assert caught.value.code == "receipt-foreign"
    assert outbox.answers("live") == {"a": "accepted"}
    assert outbox.files()[0].receipt == make_receipt(manifest, "accepted")


def test_a_damaged_upload_is_an_answer(outbox: Outbox) -> None:
    manifest = sent(outbox, make_manifest(1, ["a"]))
    damaged = ReceivedFile(file_id=manifest.file_id, name=manifest.files[0].name, sha256=print_of("x"), bytes=3)
    outbox.record_receipt(make_receipt(manifest, "rejected", resend="as-is", file=damaged))
    assert outbox.open_keys("live")["a"].code is None


def test_a_file_that_was_carried_by_hand_is_answered_too(outbox: Outbox) -> None:
    manifest = make_manifest(1, ["a"])
    outbox.register_export(manifest)
    outbox.record_receipt(make_receipt(manifest, stage="received"))
    assert outbox.files()[0].open
    assert outbox.open_keys("live")["a"].code == "already-sent"
    outbox.record_receipt(make_receipt(manifest, "accepted"))
    assert outbox.open_keys("live")["a"].code == "already-accepted"


def test_a_receipt_about_other_bytes_does_not_take_the_place_of_the_one_that_answers(outbox: Outbox) -> None:
    """What a damaged upload looks like frees nothing that the warehouse has accepted from the right bytes."""
    manifest = answered(outbox, make_manifest(1, ["a"]), "accepted")
    accepted = make_receipt(manifest, "accepted")
    other = accepted.file.model_copy(update={"sha256": print_of("damaged")})
    forged = make_receipt(manifest, "rejected", number=2, supersedes=accepted.receipt_id, file=other)
    with pytest.raises(Refused, match="other bytes") as caught:
        outbox.record_receipt(forged)
    assert caught.value.code == "receipt-foreign"
    assert outbox.open_keys("live")["a"].code == "already-accepted"
    outbox.record_receipt(make_receipt(manifest, "rejected", number=3, supersedes=accepted.receipt_id))
    assert outbox.open_keys("live")["a"].code is None


@pytest.mark.parametrize("at", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"])
def test_a_receipt_of_a_time_that_utc_cannot_say_is_not_one(at: str) -> None:
    text = make_receipt(make_manifest(1, ["a"]), "accepted").to_json()
    issued = json.loads(text)["times"]["issued_at"]
    with pytest.raises(FallbackError) as caught:
        Receipt.from_json(text.replace(issued, at))
    assert caught.value.code == "document-unreadable"
    assert "times.issued_at" in caught.value.message


# --- where things stand


def test_the_summary(outbox: Outbox) -> None:
    assert outbox.summary().last_receipt is None
    answered(outbox, make_manifest(1, ["a", "b", "c"]), {"a": "accepted", "b": "rejected", "c": "duplicate-conflict"})
    sent(outbox, make_manifest(2, ["d"]))
    outbox.register_export(make_manifest(3, ["e"]))
    summary = outbox.summary()
    assert (summary.made, summary.open) == (("ACME_ORDERS_000003.csv",), ("ACME_ORDERS_000002.csv",))
    assert (summary.accepted, summary.rejected, summary.awaiting) == (("a",), ("b",), ("c",))
    assert summary.last_sequence == 3
    assert summary.last_receipt is not None
    assert summary.last_receipt.file.file_id == "ACME_ORDERS_000001"
    assert outbox.summary("drill").last_sequence == 0


# --- the file itself


def test_the_outbox_is_for_its_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "outbox.sqlite"
    path.touch(0o644)
    outbox = open_outbox(path)
    with outbox._transaction():  # the log files beside it are there while it is used
        names = {file.name for file in tmp_path.iterdir()}
        assert {stat.S_IMODE(file.stat().st_mode) for file in tmp_path.iterdir()} == {0o600}
    assert names > {"outbox.sqlite"}
    assert {stat.S_IMODE(file.stat().st_mode) for file in tmp_path.iterdir()} == {0o600}


def test_another_program_that_reads_does_not_stop_it(outbox: Outbox) -> None:
    with sqlite3.connect(outbox.path) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT * FROM files").fetchall()
        assert outbox.next_sequence("live") == 1
    reader.close()


def unusable(path: Path) -> str:
    with pytest.raises(FallbackError) as caught:
        open_outbox(path, wait_s=0.05).next_sequence("live")
    assert (caught.value.code, caught.value.exit_code) == ("outbox-unusable", 3)
    assert "sqlite3" not in str(caught.value) and "SELECT" not in str(caught.value)
    return caught.value.message


def test_what_cannot_be_used_is_said_plainly(tmp_path: Path) -> None:
    assert "no such file or directory" in unusable(tmp_path / "none" / "outbox.sqlite")
    assert "is a directory" in unusable(tmp_path)
    (tmp_path / "text").write_text("not a database, and long enough to be looked at as one" * 40)
    assert "is no outbox" in unusable(tmp_path / "text")
    open_outbox(tmp_path / "older").close()
    for name, statement in {
        "other": "CREATE TABLE other (n)",
        "older": "UPDATE schema_version SET version = 1",
    }.items():
        other = sqlite3.connect(tmp_path / name)
        other.execute(statement)
        other.commit()
        other.close()
    assert "is no outbox" in unusable(tmp_path / "other")
    assert "is of version 1; this program writes version 2" in unusable(tmp_path / "older")


def test_another_program_that_writes_is_waited_for_and_then_named(outbox: Outbox) -> None:
    other = sqlite3.connect(outbox.path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    assert "is locked by another program" in unusable(outbox.path)
    other.close()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_an_outbox_that_may_not_be_read(tmp_path: Path) -> None:
    (tmp_path / "outbox.sqlite").touch(0o000)
    assert "permission denied" in unusable(tmp_path / "outbox.sqlite")


def test_a_program_that_is_killed_leaves_all_or_nothing(tmp_path: Path) -> None:
    path = tmp_path / "outbox.sqlite"
    outbox = open_outbox(path)
    manifest = make_manifest(1, ["a"])
    outbox.register_export(manifest)
    program = (
        "import os, sys; from pathlib import Path; from datetime import datetime, UTC\n"
        "from fallback.brand.outbox import open_outbox\n"
        "outbox = open_outbox(Path(sys.argv[1]))\n"
        "with outbox._transaction() as connection:\n"
        "    outbox._begin(connection, sys.argv[2], datetime.now(UTC))\n"
        "    os._exit(9)\n"
    )
    done = subprocess.run([sys.executable, "-c", program, str(path), manifest.file_id], check=False, timeout=60)
    assert done.returncode == 9
    assert outbox.open_keys("live")["a"].code is None
    assert outbox.begin_sending(manifest.file_id, AT) is True


# --- whatever happens, in whatever order

KEYS = st.lists(st.sampled_from("abcd"), min_size=1, max_size=3, unique=True)
ANSWERS = st.sampled_from(["accepted", "held", "rejected", "unknown", "duplicate-conflict"])


class Night(RuleBasedStateMachine):
    """Exports, sendings and answers in any order: no order is ever with the warehouse by two files."""

    exported = Bundle("exported")
    gone = Bundle("gone")

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.outbox = open_outbox(Path(self.folder.name) / "outbox.sqlite")
        self.free: dict[str, set[str]] = {}  # by order, the files that may still ship it
        self.sequence = 0

    def teardown(self) -> None:
        self.folder.cleanup()

    @rule(target=exported, keys=KEYS)
    def export(self, keys: list[str]) -> Manifest:
        """An honest export: leaves out what the outbox names."""
        standings = self.outbox.open_keys("live")
        left = [key for key in keys if key not in standings or standings[key].code is None]
        return self.export_blindly(left)

    @rule(target=exported, keys=KEYS)
    def export_blindly(self, keys: list[str]) -> Manifest:
        """One that was begun earlier, or does not ask."""
        self.sequence = self.outbox.next_sequence("live")
        manifest = make_manifest(self.sequence, keys)
        self.outbox.register_export(manifest)
        return manifest

    @rule(target=gone, manifest=exported)
    def send(self, manifest: Manifest) -> Manifest | None:
        try:
            self.outbox.begin_sending(manifest.file_id, AT)
        except Refused:
            return manifest
        for order in manifest.orders:
            self.free.setdefault(order.key, set()).add(manifest.file_id)
        return manifest

    @rule(manifest=gone)
    def prove(self, manifest: Manifest) -> None:
        if next(file for file in self.outbox.files() if file.file_id == manifest.file_id).open:
            self.outbox.mark_sent(manifest.file_id, PROOF, AT)

    @rule(manifest=consumes(gone), answer=ANSWERS)
    def answer(self, manifest: Manifest, answer: OrderState) -> None:
        file = next(file for file in self.outbox.files() if file.file_id == manifest.file_id)
        if not file.open:
            return
        self.outbox.record_receipt(make_receipt(manifest, answer))
        if answer == "rejected":
            for order in manifest.orders:
                self.free[order.key].discard(manifest.file_id)

    @invariant()
    def one_file_for_one_order(self) -> None:
        assert all(len(files) <= 1 for files in self.free.values())

    @invariant()
    def the_outbox_knows_which_orders_may_go(self) -> None:
        standings = self.outbox.open_keys("live")
        assert {key for key, one in standings.items() if one.code is not None} == {
            key for key, files in self.free.items() if files
        }


TestNight = Night.TestCase
TestNight.settings = settings(max_examples=25, stateful_step_count=15, deadline=None)


@settings(max_examples=15, deadline=None)
@given(st.lists(st.sampled_from("ab"), max_size=6), st.sampled_from("ab"))
def test_a_revision_rises_exactly_when_the_content_changes(contents: list[str], last: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        outbox = open_outbox(Path(folder) / "outbox.sqlite")
        revisions = []
        for sequence, content in enumerate([*contents, last], 1):
            standing = outbox.open_keys("live").get("k")
            revisions.append(1 if standing is None else standing.next_revision(print_of(content)))
            answered(outbox, make_manifest(sequence, {"k": (revisions[-1], content)}), "rejected")
    changes = sum(one != other for one, other in zip(contents, [*contents, last][1:], strict=False))
    assert revisions[-1] == 1 + changes
