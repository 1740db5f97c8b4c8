"""Receiving: what a shift lead meets on a night, each with its state, reason, receipt and exit code."""

from __future__ import annotations

import hashlib
import os
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest

from fallback.brand.outbox import open_outbox
from fallback.brand.sending import collect
from fallback.delivery.folder import FolderDrop
from fallback.delivery.memory import MemoryDrop
from fallback.documents.manifest import FileEntry, Integration
from fallback.documents.receipt import RESEND, Existing, ReceivedFile
from fallback.documents.report import Rejected, Report
from fallback.errors import FallbackError, Refused
from fallback.findings import CATALOGUE, Finding, Place
from fallback.records.order import Order, fingerprint
from fallback.validation import validate
from fallback.warehouse.inbox import receive
from fallback.warehouse.ledger import Claim, open_ledger
from fallback.warehouse.loading import load_from_integration
from fallback.warehouse.wms import FileWms, Outcome, WmsOrder
from warehouse_kit import (
    AT,
    PAUSED,
    Parcel,
    StubWms,
    Warehouse,
    codes,
    make_agreement,
    make_order,
    make_orders,
    make_parcel,
    states,
    ticking,
)

SKUS = frozenset({"TEE-BLK-M", "0012"})


@pytest.fixture
def house(tmp_path: Path) -> Warehouse:
    return Warehouse(make_agreement(tmp_path), tmp_path)


def delivered(house: Warehouse, orders: list[Order] | None = None, **terms) -> Parcel:
    parcel = make_parcel(house.agreement, orders or make_orders(3), **terms)
    parcel.deliver(house.drop)
    return parcel


def record(house: Warehouse, order: Order, **changes) -> str:
    """The integration has loaded the order, and the ledger knows."""
    key = house.agreement.key(order)
    with house.ledger() as ledger:
        ledger.record([Claim(key, **changes)], state="live", at=AT)
    return key


def print_of(house: Warehouse, order: Order) -> str:
    return fingerprint(order, house.agreement.key(order))


class Killed(BaseException):
    """The process ends here."""


def killed(*arguments, **terms):
    raise Killed


def answered(receipt) -> dict:
    return {order.key.split(":")[2]: order for order in receipt.orders}


# --- a good file


def test_a_good_file_is_loaded_answered_in_three_stages_and_put_away(house):
    parcel = delivered(house)
    result = house.receive(skus=SKUS, person="Robin")
    assert result.exit_code == 0
    assert [receipt.stage for receipt in result.receipts] == ["received", "checked", "processed"]
    assert result.notes == ()
    assert house.wms.created == dict.fromkeys(parcel.keys, 1)
    assert house.names("in") == house.names("work") == house.names("bad") == []
    assert house.names("done") == sorted([parcel.name, parcel.manifest.name])
    assert house.drop.read("done", parcel.name) == parcel.data


def test_the_receipts_on_the_drop_are_those_returned_and_follow_each_other(house):
    parcel = delivered(house)
    first, second, last = house.receive().receipts
    assert [house.out(parcel, stage) for stage in ("received", "checked", "processed")] == [first, second, last]
    assert [receipt.supersedes for receipt in (first, second, last)] == [None, first.receipt_id, second.receipt_id]
    assert first.times.received_at == second.times.received_at == last.times.received_at
    assert last.times.received_at < last.times.checked_at < last.times.processed_at == last.times.issued_at
    assert (first.file.sha256, first.file.bytes) == (parcel.manifest.files[0].sha256, len(parcel.data))
    assert [receipt.disposition for receipt in (first, second, last)] == ["pending", "pending", "accepted"]


def test_the_last_receipt_names_every_declared_order_with_its_reference(house):
    parcel = delivered(house)
    receipt = house.receive(person="Robin").processed[0]
    assert [order.key for order in receipt.orders] == parcel.keys
    assert {order.state for order in receipt.orders} == {"accepted"}
    assert [order.wms_ref for order in receipt.orders] == ["NDK-1001", "NDK-1002", "NDK-1003"]
    assert receipt.counts.declared == receipt.counts.received == parcel.manifest.counts
    assert receipt.counts.by_state == {"accepted": 3}
    assert (receipt.by.org, receipt.by.person) == ("northdock", "Robin")
    assert receipt.agreement == house.agreement.ref


def test_an_empty_drop_is_good(house):
    result = house.receive()
    assert (result.exit_code, result.receipts, result.notes) == (0, (), ())


def test_several_files_are_taken_in_the_order_of_their_names(house):
    for sequence in (2, 1, 3):
        delivered(house, [make_order(1000 + sequence)], sequence=sequence)
    result = house.receive()
    assert [receipt.file.name[-12:-6] for receipt in result.processed] == ["000001", "000002", "000003"]


@pytest.mark.parametrize("fmt", ["order-lines-csv", "order-header-detail-psv", "order-jsonl"])
def test_every_shipped_format_goes_through_a_folder_into_files(tmp_path, fmt):
    house = Warehouse(
        make_agreement(tmp_path, format={"orders": fmt}),
        tmp_path,
        FolderDrop(tmp_path / "drop", "live", create=True),
        FileWms(tmp_path / "wms"),
    )
    parcel = delivered(house, [make_order(n, instructions=None) for n in (1001, 1002)])
    assert house.receive(skus=SKUS).exit_code == 0
    assert states(house.out(parcel)) == {"6001": "accepted", "6002": "accepted"}
    (file,) = (tmp_path / "wms" / "import").iterdir()
    loaded = [Order.model_validate_json(line) for line in file.read_text("utf-8").splitlines()]
    assert [order.order_number for order in loaded] == ["1001", "1002"]
    assert [order.ship_to.address1 for order in loaded] == ["1 Secret Street"] * 2


# --- orders that are not loaded


def test_a_rejected_order_does_not_stop_the_others_and_says_where(house):
    bad = make_order(1002, lines=[{"line_id": "9", "line_number": 1, "sku": "NO-SUCH", "quantity": 1}])
    parcel = delivered(house, [make_order(1001), bad, make_order(1003)])
    result = house.receive(skus=SKUS)
    assert result.exit_code == 1
    checked, receipt = result.receipts[1:]
    assert states(checked) == states(receipt) == {"6001": "accepted", "6002": "rejected", "6003": "accepted"}
    assert (checked.disposition, receipt.disposition) == ("pending", "partial")
    order = answered(receipt)["6002"]
    assert (order.resend, order.wms_ref, codes(order)) == ("corrected", None, ["sku-unknown"])
    assert (order.reasons[0].line, order.reasons[0].field) == (2, "lines.sku")
    assert house.wms.created == {key: 1 for key in parcel.keys if ":6002:" not in key}
    assert parcel.name in house.names("done")


def test_a_corrected_order_loads_from_the_next_file(house):
    bad = make_order(1001, lines=[{"line_id": "9", "line_number": 1, "sku": "NO-SUCH", "quantity": 1}])
    delivered(house, [bad])
    assert house.receive(skus=SKUS).processed[0].disposition == "rejected"
    delivered(house, [make_order(1001, revision=2)], sequence=2)
    assert states(house.receive(skus=SKUS).processed[0]) == {"6001": "accepted"}


def test_a_file_refused_as_a_whole_answers_for_every_order(house):
    parcel = make_parcel(house.agreement, make_orders(3))
    cut = Parcel(parcel.name, parcel.data[:-40], parcel.manifest)
    cut.deliver(house.drop)
    result = house.receive()
    assert result.exit_code == 1
    receipt = result.processed[0]
    assert receipt.disposition == result.receipts[1].disposition == "rejected"
    assert {(order.state, order.resend, *codes(order)) for order in receipt.orders} == {
        ("rejected", "as-is", "file-refused")
    }
    assert [order.key for order in receipt.orders] == parcel.keys
    assert "file-size-differs" in [reason.code for reason in receipt.reasons]
    assert receipt.file.bytes == len(cut.data)
    assert house.wms.created == {}
    assert house.names("bad") == sorted([parcel.name, parcel.manifest.name])


def test_all_or_nothing_loads_nothing_when_an_order_is_rejected(tmp_path):
    terms = {"orders": "order-jsonl", "load_mode": "all-or-nothing"}
    house = Warehouse(make_agreement(tmp_path, format=terms), tmp_path)
    bad = make_order(1002, lines=[{"line_id": "9", "line_number": 1, "sku": "NO-SUCH", "quantity": 1}])
    delivered(house, [make_order(1001), bad])
    receipt = house.receive(skus=SKUS).processed[0]
    assert {key: (order.resend, codes(order)) for key, order in answered(receipt).items()} == {
        "6001": ("as-is", ["file-refused"]),
        "6002": ("corrected", ["sku-unknown"]),
    }
    assert house.wms.created == {}


@pytest.mark.parametrize("late", [False, True])
def test_all_or_nothing_loads_nothing_when_an_order_conflicts(tmp_path, late):
    terms = {"orders": "order-jsonl", "load_mode": "all-or-nothing"}
    house = Warehouse(make_agreement(tmp_path, format=terms), tmp_path)
    other = WmsOrder(house.agreement.key(make_order(1002)), "NDK-7", "released", "integration", "d" * 64)
    if late:
        house.wms.appears = [other]
    else:
        house.wms.orders[other.key] = other
    delivered(house)
    receipt = house.receive().processed[0]
    assert states(receipt) == {"6001": "rejected", "6002": "duplicate-conflict", "6003": "rejected"}
    assert house.wms.created == {}
    # Nothing stays claimed: the good orders load from the next file.
    house.wms.orders.clear()
    house.wms.appears = []
    delivered(house, sequence=2)
    assert house.receive().processed[0].disposition == "accepted"


def test_all_or_nothing_takes_a_file_whose_other_orders_are_here_already(tmp_path):
    terms = {"orders": "order-jsonl", "load_mode": "all-or-nothing"}
    house = Warehouse(make_agreement(tmp_path, format=terms), tmp_path)
    record(house, make_order(1001), fingerprint=print_of(house, make_order(1001)))
    delivered(house)
    assert house.receive().processed[0].counts.by_state == {"duplicate-same": 1, "accepted": 2}


def test_an_order_that_cannot_be_named_is_answered_by_what_was_found(house, monkeypatch):
    parcel = delivered(house)
    order = make_order(1001)
    findings = (
        Finding("row-cells", Place(parcel.name, line=2), order="1002", field="Ada Lovelace"),
        Finding("row-cells", Place(parcel.name, line=2), order="1002", field="Ada Lovelace"),
    )
    report = Report(
        file=parcel.name,
        format="order-jsonl",
        verdict="partial",
        orders=(order,),
        keys=(house.agreement.key(order),),
        rejected=(Rejected("1002", None, ("row-cells",)),),
        findings=findings,
    )
    monkeypatch.setattr("fallback.warehouse.inbox.validate", lambda data, **terms: report)
    receipt = house.receive().processed[0]
    assert states(receipt) == {"6001": "accepted", "6002": "rejected", "6003": "rejected"}
    reason = answered(receipt)["6002"].reasons
    assert [(one.code, one.line, one.field) for one in reason] == [("row-cells", 2, None)]
    assert "Lovelace" not in receipt.to_json()


def test_an_order_without_its_id_is_rejected_and_the_others_load(house):
    parcel = make_parcel(house.agreement, make_orders(3))
    data = parcel.data.replace(b'"order_id":"6002",', b"")
    assert len(data) < len(parcel.data)
    entry = FileEntry(name=parcel.name, bytes=len(data), sha256=hashlib.sha256(data).hexdigest())
    Parcel(parcel.name, data, parcel.manifest.model_copy(update={"files": (entry,)})).deliver(house.drop)
    receipt = house.receive().processed[0]
    assert states(receipt) == {"6001": "accepted", "6002": "rejected", "6003": "accepted"}
    reasons = answered(receipt)["6002"].reasons
    assert [(reason.code, reason.line) for reason in reasons] == [("value-missing", 2)]


def test_an_order_that_nobody_speaks_of_is_rejected_not_accepted(house, monkeypatch):
    parcel = delivered(house)
    report = Report(file=parcel.name, format="order-jsonl", verdict="accepted")
    monkeypatch.setattr("fallback.warehouse.inbox.validate", lambda data, **terms: report)
    receipt = house.receive().processed[0]
    assert {(order.state, *codes(order)) for order in receipt.orders} == {("rejected", "count-differs")}
    assert house.wms.created == {}


# --- orders that the warehouse has already


def test_an_order_of_the_integration_with_the_same_content_is_a_duplicate_and_ships_once(house):
    record(house, make_order(1001), fingerprint=print_of(house, make_order(1001)), wms_ref="NDK-5")
    delivered(house)
    result = house.receive()
    assert result.exit_code == 0
    order = answered(result.processed[0])["6001"]
    assert (order.state, order.resend, codes(order)) == ("duplicate-same", "never", ["duplicate-same"])
    assert (order.wms_ref, order.existing.path, order.existing.state) == ("NDK-5", "integration", "loaded")
    assert list(house.wms.created) == [house.agreement.key(make_order(n)) for n in (1002, 1003)]


def test_a_duplicate_says_what_the_system_says_of_it(house):
    key = record(house, make_order(1001), fingerprint=print_of(house, make_order(1001)), wms_ref="NDK-5")
    house.wms.orders[key] = WmsOrder(key, "NDK-6", "shipped", "integration", None)
    delivered(house)
    order = answered(house.receive().processed[0])["6001"]
    assert (order.state, order.wms_ref, order.existing.state) == ("duplicate-same", "NDK-6", "shipped")


@pytest.mark.parametrize("known_by", ["ledger", "wms", "both"])
def test_other_content_under_the_same_key_is_a_conflict(house, known_by):
    key = house.agreement.key(make_order(1001))
    if known_by in ("ledger", "both"):
        record(house, make_order(1001), fingerprint="d" * 64)
    if known_by in ("wms", "both"):
        same = print_of(house, make_order(1001)) if known_by == "both" else "d" * 64
        house.wms.orders[key] = WmsOrder(key, "NDK-5", "released", "integration", same)
    delivered(house)
    result = house.receive()
    assert result.exit_code == 1
    order = answered(result.processed[0])["6001"]
    assert (order.state, order.resend, codes(order)) == ("duplicate-conflict", "corrected", ["duplicate-conflict"])
    assert key not in house.wms.created


@pytest.mark.parametrize("known_by", ["ledger", "wms"])
def test_an_order_whose_content_is_not_known_is_not_loaded_and_the_reason_says_so(house, known_by):
    key = house.agreement.key(make_order(1001))
    if known_by == "ledger":
        record(house, make_order(1001))
    else:
        house.wms.orders[key] = WmsOrder(key, "NDK-5", "released")
    delivered(house)
    order = answered(house.receive().processed[0])["6001"]
    assert (order.state, order.resend, codes(order)) == ("duplicate-same", "never", ["duplicate-unproven"])
    assert key not in house.wms.created


def test_an_order_that_is_cancelled_in_the_system_is_held_for_a_decision(house):
    key = house.agreement.key(make_order(1001))
    same = print_of(house, make_order(1001))
    house.wms.orders[key] = WmsOrder(key, "NDK-5", "cancelled", "integration", same)
    delivered(house)
    result = house.receive()
    assert result.exit_code == 1
    order = answered(result.processed[0])["6001"]
    assert (order.state, order.resend, codes(order)) == ("held", "never", ["duplicate-cancelled"])
    assert key not in house.wms.created


@pytest.mark.parametrize(
    ("first", "known_by"),
    # A system is asked by key: that it has the whole order shows, which parts it has only the ledger can tell.
    [("0", "file"), ("777", "file"), ("0", "integration"), ("777", "integration"), ("0", "system")],
)
def test_an_order_that_is_here_in_another_grouping_is_held(house, first, known_by):
    """Rule 9: the key is asked again just before loading; a whole order and its parts are the same goods."""
    second = "777" if first == "0" else "0"
    before, after = (make_order(1001, group=group) for group in (first, second))
    if known_by == "file":
        delivered(house, [before])
        house.receive()
    elif known_by == "integration":
        through_us(house, [before])
    else:
        key = house.agreement.key(before)
        house.wms.orders[key] = WmsOrder(key, "NDK-1", "released")
    delivered(house, [after, make_order(1002)], sequence=2)
    receipt = house.receive().processed[0]
    assert states(receipt) == {"6001": "held", "6002": "accepted"}
    assert codes(answered(receipt)["6001"]) == ["group-changed"]
    (late,) = through_us(house, [after])
    assert (late.state, codes(late)) == ("held", ["group-changed"])
    assert house.agreement.key(after) not in house.wms.created


def test_parts_of_one_order_do_not_hold_each_other_up(house):
    delivered(house, [make_order(1001, group="777")])
    delivered(house, [make_order(1001, group="778")], sequence=2)
    assert house.receive().exit_code == 0
    assert len(house.wms.created) == 2


def test_an_order_that_one_file_holds_whole_and_in_part_is_rejected(house):
    delivered(house, [make_order(1001), make_order(1001, group="777"), make_order(1002)])
    receipt = house.receive().processed[0]
    assert [(order.state, codes(order)) for order in receipt.orders] == [
        ("rejected", ["group-changed"]),
        ("rejected", ["group-changed"]),
        ("accepted", []),
    ]


def test_two_receivers_with_one_order_in_two_groupings_load_one(house, monkeypatch):
    """The other one claims the whole order between our look and our claim."""
    whole, part = make_order(1001), make_order(1001, group="777")
    key = house.agreement.key(whole)
    base, group = house.agreement.base_key(key)
    real = StubWms.find

    def find(self, keys):
        with house.ledger() as ledger:
            ledger.claim("F-other", [Claim(key, base=base, group=group)], state="live", at=AT)
        return real(self, keys)

    monkeypatch.setattr(StubWms, "find", find)
    assert [order.state for order in through_us(house, [part])] == ["held"]
    delivered(house, [part])
    assert states(house.receive().processed[0]) == {"6001": "held"}
    assert house.wms.created == {}


def test_another_key_template_loads_nothing(house):
    """Under another template no order would be known again (rule 9): nothing is taken, exit code 7."""
    delivered(house)
    house.receive()
    changed = {"orders": "order-jsonl", "order_key": "{brand}:{order_number}:{group}"}
    other = Warehouse(make_agreement(house.folder, format=changed), house.folder, house.drop, house.wms)
    delivered(other, sequence=2)
    with pytest.raises(Refused, match="key-template-changed"):
        other.receive()
    with pytest.raises(Refused, match="key-template-changed"):
        through_us(other, make_orders(1))
    assert set(house.wms.created.values()) == {1}


def test_what_comes_past_us_between_plan_and_load_is_seen(house):
    key = house.agreement.key(make_order(1002))
    same = print_of(house, make_order(1002))
    house.wms.appears = [WmsOrder(key, "NDK-5", "released", "integration", same)]
    delivered(house)
    receipt = house.receive().processed[0]
    assert states(receipt) == {"6001": "accepted", "6002": "duplicate-same", "6003": "accepted"}
    assert key not in house.wms.created
    with house.ledger() as ledger:
        assert key not in ledger.find([key], state="live")


def test_the_same_order_in_two_files_loads_once(house):
    delivered(house, make_orders(2))
    delivered(house, make_orders(3), sequence=2)
    first, second = house.receive().processed
    assert states(first) == {"6001": "accepted", "6002": "accepted"}
    assert states(second) == {"6001": "duplicate-same", "6002": "duplicate-same", "6003": "accepted"}
    assert answered(second)["6001"].existing.path == "fallback"
    assert set(house.wms.created.values()) == {1}


@pytest.mark.parametrize("status", ["claimed", "unknown"])
def test_an_order_that_another_file_may_have_loaded_is_unknown_and_left_alone(house, status):
    key = house.agreement.key(make_order(1001))
    with house.ledger() as ledger:
        ledger.claim("F0", [Claim(key)], state="live", at=AT)
        if status == "unknown":
            ledger.settle("F0", {key: Outcome("unknown")}, state="live", at=AT)
    delivered(house)
    order = answered(house.receive().processed[0])["6001"]
    assert (order.state, order.resend, codes(order)) == ("unknown", "never", ["wms-no-answer"])
    assert order.existing.state == status
    assert key not in house.wms.created


# --- the loader's answers


def test_an_order_that_the_system_refuses_is_rejected_and_may_come_again(house):
    house.wms.refuses = {"1002"}
    delivered(house)
    order = answered(house.receive().processed[0])["6002"]
    assert (order.state, order.resend, codes(order)) == ("rejected", "corrected", ["wms-refused", "no-stock"])
    house.wms.refuses = set()
    delivered(house, [make_order(1002, revision=2)], sequence=2)
    assert states(house.receive().processed[0]) == {"6002": "accepted"}


def test_an_order_that_the_system_does_not_answer_for_is_unknown_and_never_loaded_again(house):
    house.wms.silent = {"1002"}
    delivered(house)
    result = house.receive()
    assert result.exit_code == 1
    order = answered(result.processed[0])["6002"]
    assert (order.state, order.resend, codes(order)) == ("unknown", "never", ["wms-no-answer"])
    assert result.processed[0].disposition == "partial"
    house.wms.silent = set()
    delivered(house, sequence=2)
    assert answered(house.receive().processed[0])["6002"].state == "unknown"
    assert len(house.wms.created) == 2


def test_a_timeout_after_loading_is_cleared_up_by_looking(house):
    house.wms.loses_answers = True
    parcel = delivered(house)
    receipt = house.receive().processed[0]
    assert {order.state for order in receipt.orders} == {"accepted"}
    assert house.wms.created == dict.fromkeys(parcel.keys, 1)


@pytest.mark.parametrize("trouble", [TimeoutError(), FallbackError("wms-unusable", "gone")])
def test_a_timeout_that_cannot_be_cleared_up_is_unknown(house, trouble):
    class Deaf(StubWms):
        def load(self, batch_id, orders):
            self.find = self.gone
            raise TimeoutError

        def gone(self, keys):
            raise trouble

    house.wms = Deaf()
    delivered(house)
    receipt = house.receive().processed[0]
    assert {order.state for order in receipt.orders} == {"unknown"}


def test_an_order_found_after_a_timeout_but_not_ours_stays_unknown(house):
    class Racing(StubWms):
        def load(self, batch_id, orders):
            for item in orders:
                self.orders[item.key] = WmsOrder(item.key, "NDK-9", "released", "integration", item.fingerprint)
            raise TimeoutError

    house.wms = Racing()
    delivered(house)
    assert {order.state for order in house.receive().processed[0].orders} == {"unknown"}


def test_a_system_that_is_down_leaves_the_file_for_the_next_sweep(house):
    class Down(StubWms):
        def load(self, batch_id, orders):
            raise FallbackError("wms-unusable", "the warehouse system is down")

    healthy, house.wms = house.wms, Down()
    parcel = delivered(house)
    down = house.receive()
    assert ([note.code for note in down.waiting], down.exit_code) == (["wms-unusable"], 3)
    assert house.names("work") == sorted([parcel.name, parcel.manifest.name])
    house.wms = healthy
    result = house.receive()
    assert result.exit_code == 0
    assert [receipt.stage for receipt in result.receipts] == ["received", "checked", "processed"]
    assert house.wms.created == dict.fromkeys(parcel.keys, 1)


@pytest.mark.parametrize("trouble", [ConnectionError("Ada"), KeyError("Ada"), FallbackError("unreachable", "down")])
@pytest.mark.parametrize("verb", ["find", "load"])
def test_one_file_that_the_loader_fails_on_does_not_stop_the_others_and_its_words_are_not_repeated(
    house, trouble, verb
):
    """Nothing that is wrong with one file stops the others; what a loader says may be a customer's (rule 7)."""

    class Failing(StubWms):
        def _of_one(self, keys):
            if any(key.split(":")[2] == "6001" for key in keys):
                raise trouble

        def find(self, keys):
            if verb == "find":
                self._of_one(keys)
            return super().find(keys)

        def load(self, batch_id, orders):
            if verb == "load":
                self._of_one([item.key for item in orders])
            return super().load(batch_id, orders)

    house.wms = Failing()
    first = delivered(house)
    other = delivered(house, [make_order(2001)], sequence=2)
    for _ in range(2):
        result = house.receive()
        assert [(note.code, note.name, note.exit_code) for note in result.waiting] == [("wms-unusable", first.name, 3)]
        assert "Ada" not in repr(result)
    assert house.out(other).disposition == "accepted"
    house.wms.__class__ = StubWms
    assert house.receive().exit_code == 0
    assert set(house.wms.created.values()) == {1}


def test_a_fault_of_ours_in_one_file_does_not_stop_the_others(house, monkeypatch):
    parcel = delivered(house)
    other = delivered(house, [make_order(2001)], sequence=2)

    def faulty(data, *, name, **terms):
        if name == parcel.name:
            raise ArithmeticError("Ada Lovelace")
        return validate(data, name=name, **terms)

    monkeypatch.setattr("fallback.warehouse.inbox.validate", faulty)
    result = house.receive()
    assert [(note.code, note.name) for note in result.refused] == [("program-fault", parcel.name)]
    assert result.exit_code == 3
    assert "Ada" not in repr(result)
    assert house.out(other).disposition == "accepted"


SENTENCE = "invalid address: Ada Lovelace, 1 Secret Street"


@pytest.mark.parametrize(
    ("told", "state", "ref", "said"),
    [
        (Outcome("refused", reason=SENTENCE), "rejected", None, ["wms-refused"]),
        (Outcome("refused", reason="no-stock"), "rejected", None, ["wms-refused", "no-stock"]),
        (Outcome("loaded", SENTENCE), "accepted", None, []),
        (Outcome("loaded", 12345), "accepted", "12345", []),
        (Outcome("OK", "N1"), "unknown", None, ["wms-no-answer"]),
        (None, "unknown", None, ["wms-no-answer"]),
    ],
)
def test_what_a_loader_answers_is_held_to_plain_words(house, told, state, ref, said):
    """Rule 7: receipts and ledger never hold a name or an address, whoever wrote it."""

    class Talking(StubWms):
        def load(self, batch_id, orders):
            return {item.key: told for item in orders}

    house.wms = Talking()
    delivered(house)
    order = answered(house.receive().processed[0])["6001"]
    assert (order.state, order.wms_ref, codes(order)) == (state, ref, said)
    with sqlite3.connect(house.folder / "ledger.sqlite") as connection:
        assert "Lovelace" not in "\n".join(connection.iterdump())
    connection.close()


@pytest.mark.parametrize("answer", [None, ["x"], 7])
def test_a_loader_that_answers_nothing_leaves_every_order_unknown(house, answer):
    house.wms.load = lambda batch_id, orders: answer
    delivered(house)
    assert {order.state for order in house.receive().processed[0].orders} == {"unknown"}


def test_a_loader_that_does_not_say_what_is_there_stops_its_file(house):
    house.wms.find = dict.fromkeys
    delivered(house)
    result = house.receive()
    assert ([note.code for note in result.waiting], house.wms.created) == (["wms-unusable"], {})


def test_what_a_loader_says_of_an_order_that_is_there_is_held_to_plain_words(house):
    order = make_order(1001)
    key = house.agreement.key(order)
    path = "phone call of Ada"
    for state, told, word in [("cancelled by Ada", "held", "cancelled"), (SENTENCE, "duplicate-same", "unnamed")]:
        house.wms.orders[key] = WmsOrder(key, 77, state, path)
        delivered(house, [order], sequence=len(state))
        (answer,) = house.receive().processed[0].orders
        assert (answer.state, answer.wms_ref) == (told, "77")
        assert answer.existing == Existing(path="unnamed", state=word)


def test_an_order_rejected_after_it_was_loaded_is_not_reported_as_rejected(house, monkeypatch):
    """The receiver was killed after loading, and the item list has changed since: what is loaded is loaded."""
    parcel = delivered(house)
    house.wms.silent = {"1003"}
    with monkeypatch.context() as patch:
        patch.setattr("fallback.warehouse.ledger.Ledger.settle", killed)
        with pytest.raises(Killed):
            house.receive(skus=SKUS)
    receipt = house.receive(skus={"OTHER"}).processed[0]
    assert states(receipt) == {"6001": "accepted", "6002": "accepted", "6003": "unknown"}
    assert house.wms.created == dict.fromkeys(parcel.keys[:2], 1)


# --- the fence


def test_a_live_integration_leaves_the_file_where_it_is(house):
    parcel = delivered(house, integration=Integration())
    result = house.receive()
    assert result.exit_code == 7
    assert [(note.kind, note.code, note.name) for note in result.refused] == [
        ("refused", "integration-live", parcel.name)
    ]
    assert house.names("in") == sorted([parcel.name, parcel.manifest.name])
    assert result.receipts == ()
    assert house.wms.created == {}


DAY = timedelta(days=1)
SKEW = timedelta(minutes=2)


@pytest.mark.parametrize(
    ("said", "guard", "taken"),
    [
        (Integration(state="paused", confirmed_by="Kim", at=AT), "none", True),
        (Integration(state="paused", confirmed_by="Kim", at=AT - DAY + timedelta(minutes=1)), "none", True),
        (Integration(state="paused", confirmed_by="Kim", at=AT + SKEW), "none", True),
        (Integration(state="down", confirmed_by="Kim", at=AT), "wms", True),
        (Integration(state="down", confirmed_by="Kim", at=AT), "ledger", True),
        (Integration(state="down", confirmed_by="Kim", at=AT), "none", False),
        (Integration(state="paused", confirmed_by="Kim", at=AT - DAY - SKEW), "wms", False),
        (Integration(state="paused", confirmed_by="Kim", at=AT + DAY), "wms", False),
    ],
)
def test_nothing_loads_without_a_pause_confirmed_by_somebody_tonight(tmp_path, said, guard, taken):
    """Rule 9: ``none`` (no load without a confirmed pause)."""
    house = Warehouse(make_agreement(tmp_path, integration={"replay_guard": guard}), tmp_path)
    parcel = delivered(house, integration=said)
    result = house.receive()
    assert [note.code for note in result.notes] == ([] if taken else ["integration-live"])
    assert result.exit_code == (0 if taken else 7)
    assert len(house.wms.created) == (3 if taken else 0)
    if not taken:
        assert parcel.name in house.names("in")
        assert house.receive(integration_live_by="S. Lead").receipts[0].by.person == "S. Lead"


@pytest.mark.parametrize("said", [{"confirmed_by": "Kim"}, {"confirmed_by": " ", "at": AT}, {"at": AT}])
@pytest.mark.parametrize("state", ["paused", "down"])
def test_a_pause_is_confirmed_by_a_person_at_an_instant(state, said):
    with pytest.raises(ValueError, match="confirmed by a person, at an instant"):
        Integration(state=state, **said)


@pytest.mark.parametrize(
    ("age", "paused", "taken"),
    [
        (timedelta(minutes=19), timedelta(minutes=5), True),
        (timedelta(hours=3), timedelta(hours=4), True),
        (timedelta(hours=3), timedelta(minutes=5), False),
        (timedelta(days=3), timedelta(minutes=5), False),
        (timedelta(minutes=-10), timedelta(minutes=5), False),
        (None, timedelta(minutes=5), True),
    ],
)
def test_a_system_known_from_a_list_needs_one_that_has_what_the_integration_brought(tmp_path, age, paused, taken):
    """Rule 9: a WMS that cannot be asked needs an extract younger than ``max_snapshot_age``, or one from after the
    confirmed pause, from which on nothing has come."""
    wms = FileWms(tmp_path / "wms")
    if age is not None:
        listed = tmp_path / "wms" / "orders.csv"
        listed.write_text("key,wms_ref,state,path,fingerprint\n")
        os.utime(listed, ((AT - age).timestamp(),) * 2)
    house = Warehouse(make_agreement(tmp_path), tmp_path, wms=wms)
    delivered(house, integration=Integration(state="paused", confirmed_by="Kim", at=AT - paused))
    result = house.receive()
    assert [note.code for note in result.notes] == ([] if taken else ["list-stale"])
    assert result.exit_code == (0 if taken else 7)
    if not taken:
        receipt = house.receive(integration_live_by="S. Lead").receipts[0]
        assert (receipt.by.person, [reason.code for reason in receipt.reasons]) == ("S. Lead", ["list-stale"])


def test_who_loads_beside_a_live_integration_is_named_in_every_receipt(house):
    delivered(house, integration=Integration())
    result = house.receive(integration_live_by="Sam of the dock", person="Robin")
    assert result.exit_code == 0
    for receipt in result.receipts:
        assert receipt.by.person == "Sam of the dock"
        assert "integration-live" in [reason.code for reason in receipt.reasons]


def test_the_name_is_not_used_where_the_integration_is_paused(house):
    delivered(house)
    receipt = house.receive(integration_live_by="Sam of the dock", person="Robin").processed[0]
    assert (receipt.by.person, receipt.reasons) == ("Robin", ())


def test_a_file_taken_beside_a_live_integration_needs_the_name_again_until_it_is_written_down(house, monkeypatch):
    parcel = delivered(house, integration=Integration())
    with monkeypatch.context() as patch:
        patch.setattr("fallback.warehouse.ledger.Ledger.open_file", killed)
        with pytest.raises(Killed):
            house.receive(integration_live_by="Sam of the dock")
    result = house.receive()
    assert (result.exit_code, result.refused[0].code) == (7, "integration-live")
    assert parcel.name in house.names("work")
    assert house.receive(integration_live_by="Sam of the dock").exit_code == 0


# --- the same file again


def test_the_same_file_again_is_answered_with_the_first_receipt(house):
    parcel = delivered(house)
    first = house.receive().processed[0]
    for _ in range(2):
        parcel.deliver(house.drop)
        result = house.receive()
        assert result.exit_code == 0
        (receipt,) = result.receipts
        assert (receipt.disposition, receipt.orders, receipt.times) == ("duplicate-file", first.orders, first.times)
        assert receipt.file == first.file
        assert house.out(parcel, "duplicate") == receipt
        assert house.out(parcel) == first
    assert house.wms.created == dict.fromkeys(parcel.keys, 1)
    assert house.names("in") == house.names("work") == []
    assert house.names("done") == sorted([parcel.name, parcel.manifest.name])


@pytest.mark.parametrize("changed", [{"name": "OTHER_000009.jsonl"}, {"file_id": "OTHER-9"}])
def test_the_same_bytes_under_the_same_id_or_name_are_the_same_file(house, changed):
    parcel = delivered(house)
    first = house.receive().processed[0]
    given = {"name": parcel.name, "file_id": parcel.manifest.file_id} | changed
    delivered(house, **given)
    receipt = house.receive().receipts[0]
    assert (receipt.disposition, receipt.orders) == ("duplicate-file", first.orders)
    assert set(house.wms.created.values()) == {1}
    assert house.names("work") == []


@pytest.mark.parametrize("same", ["name", "file_id"])
def test_other_bytes_under_the_same_id_or_name_are_refused(house, same):
    parcel = delivered(house)
    house.receive()
    given = {"name": parcel.name} if same == "name" else {"file_id": parcel.manifest.file_id, "sequence": 2}
    other = delivered(house, [make_order(2001)], **given)
    result = house.receive()
    assert result.exit_code == 7
    assert ([note.code for note in result.refused], result.receipts) == (["file-changed"], ())
    assert len(house.wms.created) == 3
    assert house.drop.read("done", parcel.name) == parcel.data
    assert house.drop.read("bad", other.name) == other.data
    assert house.names("in") == house.names("work") == []


def test_what_is_refused_twice_under_one_name_is_kept_twice(house):
    parcel = delivered(house)
    house.receive()
    others = [make_parcel(house.agreement, [make_order(number)], name=parcel.name) for number in (2001, 2002)]
    for other in others + others[-1:]:
        other.deliver(house.drop)
        assert house.receive().exit_code == 7
    kept = [house.drop.read("bad", name) for name in house.names("bad") if not name.count("manifest")]
    assert sorted(kept) == sorted(other.data for other in others)
    assert house.names("work") == []


def test_a_file_that_equals_one_not_answered_yet_waits(house):
    parcel = make_parcel(house.agreement, make_orders(3))
    with house.ledger() as ledger:
        entry = parcel.manifest.files[0]
        file = ReceivedFile(file_id="FIRST", name=parcel.name, sha256=entry.sha256, bytes=entry.bytes)
        ledger.open_file(file, state="live", at=AT)
    parcel.deliver(house.drop)
    result = house.receive()
    assert [(note.kind, note.code) for note in result.notes] == [("waiting", "duplicate-file")]
    assert (result.exit_code, house.wms.created) == (0, {})


# --- files that do not belong


@pytest.mark.parametrize("drop_state", ["live", "drill"])
def test_a_drills_file_in_a_live_drop_or_the_reverse_is_refused_and_answered(tmp_path, drop_state):
    house = Warehouse(make_agreement(tmp_path), tmp_path, MemoryDrop(drop_state))
    other = "drill" if drop_state == "live" else "live"
    parcel = delivered(house, make_orders(2, state=other), state=other)
    result = house.receive()
    assert result.exit_code == 7
    assert [note.code for note in result.refused] == ["marker-wrong"]
    receipt = result.processed[0]
    assert (receipt.state, receipt.disposition) == (drop_state, "rejected")
    assert "marker-wrong" in [reason.code for reason in receipt.reasons]
    assert parcel.name in house.names("bad")
    assert house.wms.created == {}


def test_a_drills_manifest_under_a_live_name_is_refused(house):
    delivered(house, make_orders(2, state="drill"), state="drill", name="ACME_1.jsonl")
    assert [note.code for note in house.receive().refused] == ["marker-wrong"]
    assert house.wms.created == {}


def test_drill_orders_in_a_live_file_are_refused(house):
    delivered(house, make_orders(2, state="drill"))
    result = house.receive()
    assert (result.exit_code, result.refused[0].code) == (7, "marker-wrong")
    assert house.wms.created == {}


def test_a_drill_runs_through_the_same_code(tmp_path):
    house = Warehouse(make_agreement(tmp_path), tmp_path, MemoryDrop("drill"))
    delivered(house, make_orders(2, state="drill"), state="drill")
    assert house.receive().exit_code == 0
    with house.ledger() as ledger:
        assert ledger.find(list(house.wms.created), state="live") == {}
        assert len(ledger.find(list(house.wms.created), state="drill")) == 2


def test_a_manifest_of_another_file_is_refused_without_an_answer(house):
    mine, other = (make_parcel(house.agreement, make_orders(2), sequence=n) for n in (1, 2))
    house.drop.put("in", mine.manifest.name, other.manifest.to_bytes())
    house.drop.put("in", mine.name, mine.data)
    result = house.receive()
    assert ([note.code for note in result.refused], result.receipts) == (["file-hash-differs"], ())
    assert house.names("bad") == sorted([mine.name, mine.manifest.name])
    # The file that the manifest belongs to is not harmed by it.
    other.deliver(house.drop)
    assert house.receive().exit_code == 0


@pytest.mark.parametrize("damage", ["../x.csv", "/etc/passwd", "a b.csv", "x" * 200])
def test_a_manifest_that_names_a_path_is_refused(house, damage):
    parcel = make_parcel(house.agreement, make_orders(2))
    text = parcel.manifest.to_json().replace(f'"{parcel.name}"', f'"{damage}"')
    house.drop.put("in", parcel.manifest.name, text.encode())
    house.drop.put("in", parcel.name, parcel.data)
    result = house.receive()
    assert result.exit_code == 3
    assert [note.code for note in result.refused] == ["document-unreadable"]
    assert damage not in result.refused[0].text
    assert house.names("bad") == sorted([parcel.name, parcel.manifest.name])
    assert house.wms.created == {}


@pytest.mark.parametrize("text", ["", "{", '{"schema": "fallback.manifest/2"}', "[" * 5000])
def test_an_unreadable_manifest_stops_its_file_only(house, text):
    house.drop.put("in", "A.jsonl.manifest.json", text.encode())
    house.drop.put("in", "A.jsonl", b"{}")
    parcel = delivered(house)
    result = house.receive()
    assert (result.exit_code, result.refused[0].code) == (3, "document-unreadable")
    assert house.out(parcel).disposition == "accepted"


def test_a_file_that_is_too_large_is_answered_without_reading_it(tmp_path):
    house = Warehouse(make_agreement(tmp_path, limits={"max_bytes": 5000}), tmp_path)
    parcel = delivered(house, make_orders(2), data=b"x" * 5001)
    result = house.receive()
    assert result.exit_code == 1
    receipt = result.processed[0]
    assert (receipt.disposition, receipt.file.bytes) == ("rejected", 5001)
    assert [reason.code for reason in receipt.reasons] == ["orders-over-limit"]
    assert [order.resend for order in receipt.orders] == ["as-is", "as-is"]
    assert parcel.name in house.names("bad")


def test_nothing_longer_than_agreed_is_read_from_the_drop(tmp_path, monkeypatch):
    """Another file of the same name in ``bad`` may be of any length."""
    house = Warehouse(make_agreement(tmp_path, limits={"max_bytes": 5_000}), tmp_path)
    asked = []
    real = MemoryDrop.read
    monkeypatch.setattr(
        MemoryDrop,
        "read",
        lambda self, folder, name, limit=None: asked.append(limit) or real(self, folder, name, limit),
    )
    parcel = delivered(house)
    house.drop.put("done", parcel.name, b"x" * 90_000)
    assert house.receive().exit_code == 0
    assert f"{parcel.name}.{hashlib.sha256(parcel.data).hexdigest()[:12]}" in house.names("done")
    assert set(asked) == {5_000}


def test_a_link_in_the_drop_is_never_followed(tmp_path):
    drop = FolderDrop(tmp_path / "drop", "live", create=True)
    house = Warehouse(make_agreement(tmp_path), tmp_path, drop)
    parcel = make_parcel(house.agreement, make_orders(2))
    secret = tmp_path / "secret.jsonl"
    secret.write_bytes(parcel.data)
    drop.put("in", parcel.manifest.name, parcel.manifest.to_bytes())
    (tmp_path / "drop" / "in" / parcel.name).symlink_to(secret)
    result = house.receive()
    assert [note.code for note in result.notes] == ["file-absent"]
    assert house.wms.created == {}


# --- files that are not whole yet


def test_a_file_without_its_manifest_is_left_alone_and_reported(house):
    parcel = make_parcel(house.agreement, make_orders(2))
    house.drop.put("in", parcel.name, parcel.data)
    result = house.receive()
    assert [(note.kind, note.code, note.name) for note in result.waiting] == [
        ("waiting", "manifest-absent", parcel.name)
    ]
    assert result.exit_code == 1  # the manifest is agreed to come first
    assert house.names("in") == [parcel.name]
    house.drop.put("in", parcel.manifest.name, parcel.manifest.to_bytes())
    assert house.receive().exit_code == 0


def test_a_manifest_without_its_file_waits(house):
    parcel = make_parcel(house.agreement, make_orders(2))
    house.drop.put("in", parcel.manifest.name, parcel.manifest.to_bytes())
    result = house.receive()
    assert [(note.code, note.name) for note in result.waiting] == [("file-absent", parcel.name)]
    assert (result.exit_code, house.names("in")) == (0, [parcel.manifest.name])


def test_where_the_manifest_comes_last_it_is_the_file_that_waits(tmp_path):
    terms = {"primary": {"kind": "folder"}, "manifest": "after"}
    house = Warehouse(make_agreement(tmp_path, delivery=terms), tmp_path)
    one, two = (make_parcel(house.agreement, [make_order(n)], sequence=n) for n in (1, 2))
    house.drop.put("in", one.name, one.data)
    assert house.receive().exit_code == 0
    house.drop.put("in", two.manifest.name, two.manifest.to_bytes())
    assert house.receive().exit_code == 1


# --- trouble with one file does not stop the others


def test_an_answer_that_cannot_be_given_out_waits_for_the_next_sweep(house):
    parcel = delivered(house)
    other = delivered(house, [make_order(2001)], sequence=2)
    in_the_way = f"{parcel.name}.checked.receipt.json"
    house.drop.put("out", in_the_way, b"somebody else's")
    result = house.receive()
    assert result.exit_code == 7
    assert [(note.code, note.name) for note in result.refused] == [("name-taken", parcel.name)]
    assert house.out(other).disposition == "accepted"
    assert parcel.name in house.names("work")
    house.drop.remove("out", in_the_way)
    assert house.receive().exit_code == 0
    assert house.out(parcel).disposition == "accepted"
    assert set(house.wms.created.values()) == {1}


def test_a_file_that_cannot_be_read_stays_and_is_reported(house, monkeypatch):
    parcel = delivered(house)
    other = delivered(house, [make_order(2001)], sequence=2)
    real = MemoryDrop.read

    def read(self, folder, name, limit=None):
        if name == parcel.name:
            raise FallbackError("file-unreadable", f"{name} cannot be read")
        return real(self, folder, name, limit)

    with monkeypatch.context() as patch:
        patch.setattr(MemoryDrop, "read", read)
        result = house.receive()
    assert result.exit_code == 3
    assert [(note.code, note.name) for note in result.refused] == [("file-unreadable", parcel.name)]
    assert house.out(other).disposition == "accepted"
    assert house.receive().exit_code == 0
    assert house.out(parcel).disposition == "accepted"


def test_a_taken_file_whose_manifest_is_gone_is_reported_at_every_sweep(house):
    parcel = delivered(house)
    house.drop.move(parcel.name, "in", "work")
    house.drop.remove("in", parcel.manifest.name)
    for _ in range(2):
        result = house.receive()
        assert [(note.code, note.exit_code) for note in result.refused] == [("manifest-absent", 1)]
        assert house.names("work") == [parcel.name]
    house.drop.put("in", parcel.manifest.name, parcel.manifest.to_bytes())
    assert house.receive().exit_code == 0


@pytest.mark.parametrize("content", [b"{", None], ids=["unreadable", "of another file"])
def test_a_manifest_left_alone_in_work_is_put_with_the_bad_ones(house, content):
    other = make_parcel(house.agreement, make_orders(2))
    house.drop.put("work", "A.jsonl.manifest.json", content or other.manifest.to_bytes())
    result = house.receive()
    assert (result.exit_code, result.notes) == (0, ())
    assert house.names("bad") == ["A.jsonl.manifest.json"]
    other.deliver(house.drop)
    assert house.receive().exit_code == 0


def test_a_drop_that_goes_away_while_a_file_is_taken_stops_the_sweep(house, monkeypatch):
    parcel = delivered(house)

    def unreachable(self, folder, name, limit=None):
        raise FallbackError("unreachable", "the server does not answer")

    with monkeypatch.context() as patch:
        patch.setattr(MemoryDrop, "read", unreachable)
        with pytest.raises(FallbackError, match="unreachable"):
            house.receive()
    assert house.names("in") == sorted([parcel.name, parcel.manifest.name])
    assert house.receive().exit_code == 0


def test_a_drop_that_cannot_be_reached_stops_the_sweep(house, monkeypatch):
    def unreachable(self, folder):
        raise FallbackError("unreachable", "the server does not answer")

    monkeypatch.setattr(MemoryDrop, "list", unreachable)
    with pytest.raises(FallbackError, match="unreachable"):
        house.receive()


# --- several receivers


def test_a_file_that_another_receiver_has_in_hand_is_left_to_it(house):
    parcel = delivered(house)
    with house.ledger() as ledger, ledger.hold(parcel.name, state="live"):
        assert house.receive().receipts == ()
        house.drop.move(parcel.name, "in", "work")
        assert house.receive().receipts == ()
        house.drop.move(parcel.manifest.name, "in", "work")
        house.drop.move(parcel.name, "work", "done")
        assert house.receive().receipts == ()
    assert house.wms.created == {}


def test_receivers_at_the_same_time_load_each_order_once_and_answer_for_every_file(tmp_path):
    drop = FolderDrop(tmp_path / "drop", "live", create=True)
    agreement = make_agreement(tmp_path)
    system = FileWms(tmp_path / "wms")
    parcels = [make_parcel(agreement, make_orders(4, 1000 + 3 * n), sequence=n) for n in range(1, 9)]
    for parcel in parcels:
        parcel.deliver(drop)

    def sweep(_):
        return Warehouse(agreement, tmp_path, drop, system).receive()

    with ThreadPoolExecutor(4) as threads:
        results = list(threads.map(sweep, range(4)))
    receipts = [receipt for result in results for receipt in result.processed]
    assert sorted(receipt.file.name for receipt in receipts) == sorted(parcel.name for parcel in parcels)
    lines = [line for file in (tmp_path / "wms" / "import").iterdir() for line in file.read_text("utf-8").splitlines()]
    numbers = [Order.model_validate_json(line).order_number for line in lines]
    assert sorted(numbers) == [str(number) for number in range(1003, 1003 + 25)]
    # Each file has its last order in common with the next one: one of the two loads it.
    found = [state for receipt in receipts for state in states(receipt).values()]
    assert found.count("accepted") == 25
    assert set(found) <= {"accepted", "duplicate-same", "unknown"}


# --- the integration through us


def through_us(house: Warehouse, orders: list[Order], **terms):
    with house.ledger() as ledger:
        given = {"agreement": house.agreement, "ledger": ledger, "wms": house.wms, "now": lambda: AT}
        return load_from_integration(orders, **given | terms)


def test_the_integration_that_comes_back_loads_nothing_twice(house):
    delivered(house, make_orders(3))
    house.receive()
    moved = make_order(1002, ship_to=make_order(1).ship_to.model_copy(update={"address1": "2 Other Street"}))
    late = [make_order(1001), moved, make_order(1004), make_order(1004)]
    answers = through_us(house, late)
    assert [(order.state, codes(order)) for order in answers] == [
        ("duplicate-same", ["duplicate-same"]),
        ("duplicate-conflict", ["duplicate-conflict"]),
        ("accepted", []),
        ("duplicate-same", ["duplicate-same"]),
    ]
    assert (answers[0].existing.path, answers[3].existing.path) == ("fallback", "integration")
    assert set(house.wms.created.values()) == {1}
    # And the other way round: what the integration loaded is a duplicate in the next file.
    delivered(house, [make_order(1004)], sequence=2)
    assert states(house.receive().processed[0]) == {"6004": "duplicate-same"}


def test_the_integration_killed_while_loading_goes_on_with_the_same_batch(house, monkeypatch):
    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr("fallback.warehouse.ledger.Ledger.settle", killed)
        through_us(house, make_orders(2))
    answers = through_us(house, make_orders(3, 1000))
    assert [order.state for order in answers] == ["accepted"] * 3
    assert set(house.wms.created.values()) == {1}


def test_two_connectors_that_deliver_the_same_order_load_it_once(house, monkeypatch):
    """The other one claims the key between our look and our claim."""
    order = make_order(1001)
    key = house.agreement.key(order)
    real = StubWms.find

    def find(self, keys):
        with house.ledger() as ledger:
            ledger.claim("I-other", [Claim(key)], state="live", at=AT, path="integration")
        return real(self, keys)

    monkeypatch.setattr(StubWms, "find", find)
    (answer,) = through_us(house, [order])
    assert (answer.state, house.wms.created) == ("unknown", {})


@pytest.mark.parametrize("state", ["live", "drill"])
def test_an_integration_that_delivers_to_the_wrong_side_is_refused(house, state):
    other = "drill" if state == "live" else "live"
    with pytest.raises(Refused) as caught:
        through_us(house, [make_order(1, state=state), make_order(2, state=other)], state=state)
    assert (caught.value.code, caught.value.exit_code) == ("marker-wrong", 7)
    assert house.wms.created == {}


# --- what the brand makes of the answers


def test_the_brand_takes_every_answer(house):
    """Accepted, rejected, cut and sent again: each receipt is about what was sent, and none contradicts another."""
    bad = make_order(1002, lines=[{"line_id": "9", "line_number": 1, "sku": "NO-SUCH", "quantity": 1}])
    good = make_parcel(house.agreement, [make_order(1001), bad])
    whole = make_parcel(house.agreement, make_orders(2, 2001), sequence=2)
    cut = Parcel(whole.name, whole.data[:-9], whole.manifest)
    with open_outbox(house.folder / "outbox.sqlite") as outbox:
        for parcel in (good, cut):
            outbox.register_export(parcel.manifest)
            outbox.begin_sending(parcel.manifest.file_id, AT)
            parcel.deliver(house.drop)
        house.receive(skus=SKUS)
        good.deliver(house.drop)
        house.receive(skus=SKUS)
        terms = {"agreement": house.agreement, "drop": house.drop, "outbox": outbox, "now": lambda: AT}
        for _ in range(2):
            collected = collect(receipts_folder=house.folder / "receipts", **terms)
            assert collected.problems == ()
            assert collected.open == ()
            assert [order.key.split(":")[2] for order in collected.not_inside] == ["6002", "7001", "7002"]


# --- what must never be there


def test_no_customer_data_reaches_receipts_notes_or_the_ledger(house):
    bad = make_order(1002, lines=[{"line_id": "9", "line_number": 1, "sku": "NO-SUCH", "quantity": 1}])
    parcel = delivered(house, [make_order(1001), bad])
    result = house.receive(skus=SKUS)
    with sqlite3.connect(house.folder / "ledger.sqlite") as connection:
        ledger = "\n".join(connection.iterdump())
    connection.close()
    said = ledger + "".join(house.drop.read("out", name).decode() for name in house.names("out")) + repr(result)
    for private in ("Lovelace", "Secret", "40202", "555-0100", "ring twice", "Louisville"):
        assert private not in said
    assert "Lovelace" in house.drop.read("done", parcel.name).decode()


def test_every_code_that_is_said_is_in_the_catalogue(house):
    said = {"wms-refused", "wms-no-answer", "file-refused", "count-differs", "duplicate-same", "duplicate-conflict"}
    said |= {"duplicate-unproven", "duplicate-cancelled", "duplicate-file", "file-absent", "integration-live"}
    assert said <= set(CATALOGUE)
    assert RESEND["unknown"] == RESEND["held"] == RESEND["duplicate-same"] == "never"


def test_the_clock_is_handed_in(house):
    delivered(house)
    receipt = house.receive(now=lambda: AT).processed[0]
    assert receipt.times.issued_at == AT
    assert next(ticking(AT)) > AT
    assert PAUSED.at == AT


def test_a_ledger_that_cannot_be_used_loads_nothing(house, tmp_path):
    parcel = delivered(house)
    with open_ledger(f"sqlite:///{tmp_path}/ledger.sqlite", timeout=0.05) as ledger:
        other = sqlite3.connect(tmp_path / "ledger.sqlite")
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(FallbackError, match="ledger-unusable"):
            receive(agreement=house.agreement, drop=house.drop, ledger=ledger, wms=house.wms, now=lambda: AT)
        other.close()
    assert house.wms.created == {}
    assert house.receive().exit_code == 0
    assert house.wms.created == dict.fromkeys(parcel.keys, 1)
