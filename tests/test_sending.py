"""Sending to the drop and collecting the answers, with everything that may go wrong between the two."""

from __future__ import annotations

import stat
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from brand_kit import AGREEMENT, AT, make_agreement, make_manifest, make_receipt, print_of, write_export
from fallback.agreement import Agreement
from fallback.brand.outbox import Outbox, open_outbox
from fallback.brand.sending import Collected, Sent, collect, send
from fallback.delivery.drop import Delivered, Folder
from fallback.delivery.memory import MemoryDrop
from fallback.documents.manifest import Manifest
from fallback.documents.receipt import AnsweredOrder, Reason, Receipt, ReceivedFile
from fallback.errors import FallbackError, Refused, WrongUse


class Killed(BaseException):
    """The program is killed here."""


class TroubledDrop(MemoryDrop):
    """A drop that fails as told: ``trouble`` is called before and after each put, with the name."""

    def __init__(self, trouble: Callable[[str, str], None]) -> None:
        super().__init__("live")
        self.trouble = trouble
        self.puts: list[str] = []

    def put(self, folder: Folder, name: str, data: bytes) -> Delivered:
        self.trouble("before", name)
        self.puts.append(name)
        delivered = super().put(folder, name, data)
        self.trouble("after", name)
        return delivered


class Desk:
    """The brand's machine: an outbox, a folder of exports, a folder of receipts, a clock that is turned by hand."""

    def __init__(self, folder: Path, drop: MemoryDrop, agreement: Agreement = AGREEMENT) -> None:
        self.folder = folder
        self.drop = drop
        self.agreement = agreement
        self.outbox: Outbox = open_outbox(folder / "outbox.sqlite")
        self.now = AT

    def export(self, sequence: int, orders: Any, **terms: Any) -> tuple[Path, Manifest]:
        manifest = make_manifest(sequence, orders, agreement=self.agreement, **terms)
        self.outbox.register_export(manifest)
        return write_export(self.folder, manifest), manifest

    def send(self, path: Path, **changes: Any) -> Sent:
        given: dict[str, Any] = {
            "agreement": self.agreement,
            "drop": self.drop,
            "outbox": self.outbox,
            "now": lambda: self.now,
        }
        return send(path, **{**given, **changes})

    def collect(self) -> Collected:
        return collect(
            agreement=self.agreement,
            drop=self.drop,
            outbox=self.outbox,
            receipts_folder=self.folder / "receipts",
            now=lambda: self.now,
        )

    def answer(self, receipt: Receipt, name: str | None = None) -> None:
        self.drop.put("out", name or receipt.name, receipt.to_bytes())

    def sent(self, sequence: int, orders: Any) -> Manifest:
        path, manifest = self.export(sequence, orders)
        self.send(path)
        return manifest


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path, MemoryDrop("live"))


def in_(drop: MemoryDrop) -> list[str]:
    return [entry.name for entry in drop.list("in")]


# --- sending


def test_a_file_and_its_manifest_are_proven_on_the_drop(desk: Desk) -> None:
    path, manifest = desk.export(1, ["a"])
    sent = desk.send(path)
    assert in_(desk.drop) == [path.name, manifest.name]
    assert desk.drop.read("in", manifest.name) == manifest.to_bytes()
    assert (sent.file_id, sent.name, sent.exit_code, sent.findings) == (manifest.file_id, path.name, 0, ())
    assert [proof.sha256 for proof in sent.data] == [manifest.files[0].sha256]
    assert (sent.manifest.name, sent.manifest.proof, sent.manifest.already) == (manifest.name, "read-back", False)
    file = desk.outbox.files()[0]
    assert (file.sending_at, file.sent_at) == (AT, AT)


@pytest.mark.parametrize(
    ("when", "first"), [("before", "manifest.json"), ("folder", "manifest.json"), ("after", "csv")]
)
def test_the_manifest_goes_first_or_last_as_agreed(tmp_path: Path, when: str, first: str) -> None:
    drop = TroubledDrop(lambda *_: None)
    agreement = make_agreement(delivery={"primary": {"kind": "folder"}, "manifest": when})
    desk = Desk(tmp_path, drop, agreement)
    path, manifest = desk.export(1, ["a"])
    sent = desk.send(path)
    assert drop.puts[0].endswith(first)
    assert sent.manifest.name == manifest.name


def test_sending_again_finds_the_same_bytes(desk: Desk) -> None:
    path, _ = desk.export(1, ["a"])
    desk.send(path)
    desk.now += timedelta(hours=1)
    again = desk.send(path)
    assert again.manifest.already and all(proof.already for proof in again.data)
    assert desk.outbox.files()[0].sent_at == AT


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("place", [".json", ".csv"])
def test_killed_at_any_put_it_goes_on(tmp_path: Path, when: str, place: str) -> None:
    def trouble(moment: str, name: str) -> None:
        if moment == when and name.endswith(place):
            raise Killed

    drop = TroubledDrop(trouble)
    desk = Desk(tmp_path, drop)
    path, manifest = desk.export(1, ["a"])
    with pytest.raises(Killed):
        desk.send(path)
    assert desk.outbox.open_keys("live")["a"].code == "already-sent"  # nobody knows: so it counts as sent
    waiting = desk.collect()
    assert (waiting.exit_code, waiting.open[0].sent_at) == (4, None)
    drop.trouble = lambda *_: None
    assert desk.send(path).exit_code == 0
    assert in_(drop) == [path.name, manifest.name]
    assert desk.outbox.files()[0].sent_at == AT


def test_a_broken_connection_leaves_the_file_to_be_sent_again(tmp_path: Path) -> None:
    def trouble(moment: str, name: str) -> None:
        if moment == "after" and name.endswith(".csv"):
            raise FallbackError("unreachable", "the connection broke")

    desk = Desk(tmp_path, TroubledDrop(trouble))
    path, _ = desk.export(1, ["a"])
    with pytest.raises(FallbackError, match="unreachable"):
        desk.send(path)
    assert desk.outbox.open_keys("live")["a"].code == "already-sent"


def test_a_name_that_is_taken_frees_the_orders(desk: Desk) -> None:
    path, _ = desk.export(1, ["a"])
    desk.drop.put("in", path.name, b"other bytes")
    with pytest.raises(Refused) as caught:
        desk.send(path)
    assert caught.value.code == "name-taken"
    assert desk.outbox.open_keys("live")["a"].code is None
    assert desk.drop.read("in", path.name) == b"other bytes"


def test_refused_the_second_time_the_orders_stay_sent(tmp_path: Path) -> None:
    drop = TroubledDrop(lambda *_: None)
    desk = Desk(tmp_path, drop)
    path, _ = desk.export(1, ["a"])
    desk.send(path)

    def refuse(moment: str, name: str) -> None:
        raise Refused("host-key-changed", "another host key")

    drop.trouble = refuse
    with pytest.raises(Refused):
        desk.send(path)
    assert desk.outbox.open_keys("live")["a"].code == "already-sent"


def test_refused_after_a_broken_connection_the_orders_stay_sent(tmp_path: Path) -> None:
    def trouble(moment: str, name: str) -> None:
        raise Killed

    drop = TroubledDrop(trouble)
    desk = Desk(tmp_path, drop)
    path, _ = desk.export(1, ["a"])
    with pytest.raises(Killed):
        desk.send(path)

    def refuse(moment: str, name: str) -> None:
        raise Refused("host-key-changed", "another host key")

    drop.trouble = refuse
    with pytest.raises(Refused):
        desk.send(path)
    assert desk.outbox.open_keys("live")["a"].code == "already-sent"  # the first attempt may have reached the drop


def test_refused_after_the_data_is_there_the_orders_stay_sent(tmp_path: Path) -> None:
    agreement = make_agreement(delivery={"primary": {"kind": "folder"}, "manifest": "after"})
    desk = Desk(tmp_path, MemoryDrop("live"), agreement)
    path, manifest = desk.export(1, ["a"])
    desk.drop.put("in", manifest.name, b"other bytes")
    with pytest.raises(Refused, match="name-taken"):
        desk.send(path)
    assert in_(desk.drop) == [path.name, manifest.name]
    assert desk.outbox.open_keys("live")["a"].code == "already-sent"


def test_a_proof_that_is_less_than_agreed_is_not_confirmed(tmp_path: Path) -> None:
    class SizeOnly(MemoryDrop):
        def put(self, folder: Folder, name: str, data: bytes) -> Delivered:
            done = super().put(folder, name, data)
            return Delivered(done.folder, done.name, done.bytes, done.sha256, "size", done.already, done.seconds)

    for number, (agreed, exit_code) in enumerate({"hash": 4, "read-back": 4, "size": 0}.items()):
        folder = tmp_path / str(number)
        folder.mkdir()
        terms = {"primary": {"kind": "folder"}, "proof": agreed}
        desk = Desk(folder, SizeOnly("live"), make_agreement(delivery=terms))
        path, _ = desk.export(1, ["a"])
        assert desk.send(path).exit_code == exit_code


def refused(desk: Desk, path: Path, **changes: Any) -> FallbackError:
    with pytest.raises(FallbackError) as caught:
        desk.send(path, **changes)
    assert in_(desk.drop) == []
    assert all(one.code is None for one in desk.outbox.open_keys("live").values())
    return caught.value


def test_a_file_that_was_changed_is_not_sent(desk: Desk) -> None:
    path, _ = desk.export(1, ["a"])
    path.write_bytes(b"file 2")
    error = refused(desk, path)
    assert (error.code, error.exit_code) == ("file-hash-differs", 7)
    path.write_bytes(b"file 1, longer")
    assert refused(desk, path).code == "file-size-differs"
    path.unlink()
    assert refused(desk, path).code == "file-unreadable"


def test_a_file_without_manifest_or_of_another_outbox_is_not_sent(desk: Desk) -> None:
    stray = write_export(desk.folder, make_manifest(9, ["z"]))
    error = refused(desk, stray)
    assert isinstance(error, WrongUse) and error.code == "wrong-use"
    path, manifest = desk.export(1, ["a"])
    path.with_name(manifest.name).unlink()
    error = refused(desk, path)
    assert isinstance(error, WrongUse) and "--format" in error.hint


def test_a_manifest_that_was_changed_is_not_sent(desk: Desk) -> None:
    path, manifest = desk.export(1, ["a", "b"])
    beside = path.with_name(manifest.name)
    beside.write_bytes(make_manifest(1, ["a"]).to_bytes())
    assert refused(desk, path).code == "file-changed"
    beside.write_bytes(b"{")
    assert refused(desk, path).code == "document-unreadable"
    renamed = path.rename(path.with_name("OTHER.csv"))
    renamed.with_name("OTHER.csv.manifest.json").write_bytes(manifest.to_bytes())
    assert refused(desk, renamed).code == "file-changed"


def test_another_agreement_is_refused_and_another_version_warns(desk: Desk) -> None:
    path, _ = desk.export(1, ["a"])
    assert refused(desk, path, agreement=make_agreement(id="zeta-northdock")).code == "agreement-differs"
    sent = desk.send(path, agreement=make_agreement(version="2"))
    assert [finding.code for finding in sent.findings] == ["agreement-stale"]
    assert sent.exit_code == 0


def test_drill_and_live_never_mix(tmp_path: Path) -> None:
    live, drill = MemoryDrop("live"), MemoryDrop("drill")
    desk = Desk(tmp_path, live)
    path, _ = desk.export(1, ["a"])
    exercise, manifest = desk.export(1, ["DRILL-a"], state="drill")
    for file, drop in ((path, drill), (exercise, live)):
        with pytest.raises(Refused) as caught:
            desk.send(file, drop=drop)
        assert (caught.value.code, caught.value.exit_code) == ("marker-wrong", 7)
    marked = manifest.model_copy(update={"state": "live", "file_id": "X"})
    exercise.with_name(manifest.name).write_bytes(marked.to_bytes())
    for drop in (live, drill):
        with pytest.raises(Refused, match="is drill by its name, live by its manifest"):
            desk.send(exercise, drop=drop)
    assert in_(live) == in_(drill) == []


def test_the_fence_is_asked_before_anything_is_put(desk: Desk) -> None:
    path, _ = desk.export(1, ["a", "b"])
    second, _ = desk.export(2, ["b"])
    with pytest.raises(Refused, match="file-superseded"):
        desk.send(path)
    assert in_(desk.drop) == []
    desk.send(second)
    third, _ = desk.export(3, ["b"])
    before = in_(desk.drop)
    with pytest.raises(Refused, match="order-in-flight"):
        desk.send(third)
    assert in_(desk.drop) == before


# --- collecting


def test_nothing_sent_is_nothing_to_collect(desk: Desk) -> None:
    desk.export(1, ["a"])
    collected = desk.collect()
    assert (collected.exit_code, collected.answers, collected.open) == (0, (), ())


def test_answers_come_in_stages_and_collecting_again_finds_the_same(desk: Desk) -> None:
    manifest = desk.sent(1, ["a", "b"])
    desk.now += timedelta(minutes=30)
    collected = desk.collect()
    assert collected.exit_code == 4
    assert [(one.name, one.waited, one.stage) for one in collected.open] == [
        (manifest.files[0].name, timedelta(minutes=30), None)
    ]
    desk.answer(make_receipt(manifest, stage="received"))
    collected = desk.collect()
    assert (collected.exit_code, collected.open[0].stage) == (4, "received")
    assert (collected.answers[0].new, collected.answers[0].orders) == (True, ())
    desk.answer(make_receipt(manifest, "accepted"))
    first, second = desk.collect(), desk.collect()
    assert (first.exit_code, first.open, first.not_inside) == (0, (), ())
    assert [(one.receipt.stage, one.new) for one in first.answers] == [("processed", True)]
    assert [one.new for one in second.answers] == [False]
    assert [entry.name for entry in desk.drop.list("out")] == [
        f"{manifest.files[0].name}.{stage}.receipt.json" for stage in ("processed", "received")
    ]


def test_receipts_are_kept_for_the_owner_only(desk: Desk) -> None:
    manifest = desk.sent(1, ["a"])
    receipt = make_receipt(manifest, "accepted")
    desk.answer(receipt)
    desk.collect()
    desk.collect()
    kept = list((desk.folder / "receipts").iterdir())
    assert [file.name for file in kept] == [receipt.name]
    assert kept[0].read_bytes() == receipt.to_bytes()
    assert stat.S_IMODE(kept[0].stat().st_mode) == 0o600


def test_a_receipt_that_supersedes_under_the_same_name_is_kept_beside_the_first(desk: Desk) -> None:
    manifest = desk.sent(1, ["a"])
    first = make_receipt(manifest, "unknown")
    desk.answer(first)
    assert desk.collect().exit_code == 1
    second = make_receipt(manifest, "accepted", number=2, supersedes=first.receipt_id)
    desk.drop.remove("out", first.name)
    desk.answer(second)
    assert desk.collect().exit_code == 0
    kept = {file.read_bytes() for file in (desk.folder / "receipts").iterdir()}
    assert kept == {first.to_bytes(), second.to_bytes()}


def test_an_order_that_is_not_named_is_unknown(desk: Desk) -> None:
    manifest = desk.sent(1, ["a", "b"])
    desk.answer(make_receipt(manifest, {"a": "accepted"}))
    collected = desk.collect()
    assert collected.exit_code == 1
    silent = AnsweredOrder(key="b", revision=1, state="unknown", resend="never", reasons=(Reason(code="not-stated"),))
    assert collected.not_inside == (silent,)
    assert collected.answers[0].orders[1] == silent
    assert desk.outbox.open_keys("live")["b"].code == "awaiting-decision"


def test_a_rejected_order_is_open_until_another_file_settles_it(desk: Desk) -> None:
    manifest = desk.sent(1, ["a", "b"])
    desk.answer(make_receipt(manifest, {"a": "accepted", "b": "rejected"}))
    collected = desk.collect()
    assert (collected.exit_code, [order.key for order in collected.not_inside]) == (1, ["b"])
    corrected = desk.sent(2, {"b": (2, "corrected")})
    collected = desk.collect()
    assert (collected.exit_code, collected.not_inside) == (4, ())
    desk.answer(make_receipt(corrected, "accepted"))
    collected = desk.collect()
    assert (collected.exit_code, collected.not_inside, len(collected.answers)) == (0, (), 2)


def test_a_foreign_receipt_is_refused_and_the_others_are_taken(desk: Desk) -> None:
    manifest, other = desk.sent(1, ["a"]), desk.sent(2, ["b"])
    desk.answer(make_receipt(manifest, {"a": "accepted", "z": "accepted"}))
    desk.answer(make_receipt(other, "accepted"))
    collected = desk.collect()
    assert collected.exit_code == 7
    assert [(one.name, one.code) for one in collected.problems] == [
        (f"{manifest.files[0].name}.processed.receipt.json", "receipt-foreign")
    ]
    assert [one.file_id for one in collected.answers] == [other.file_id]
    assert [one.file_id for one in collected.open] == [manifest.file_id]
    assert len(list((desk.folder / "receipts").iterdir())) == 1


@pytest.mark.parametrize("what", ["state", "agreement", "bytes"])
def test_a_receipt_from_elsewhere_is_foreign(desk: Desk, what: str) -> None:
    manifest = desk.sent(1, ["a"])
    sent = manifest.files[0]
    changes: dict[str, Any] = {
        "state": {"state": "drill"},
        "agreement": {"agreement": make_agreement(id="zeta-northdock").ref},
        "bytes": {"file": ReceivedFile(file_id=manifest.file_id, name=sent.name, sha256=print_of("x"), bytes=6)},
    }[what]
    desk.answer(make_receipt(manifest, "accepted", **changes))
    collected = desk.collect()
    assert (collected.exit_code, collected.problems[0].code) == (7, "receipt-foreign")
    assert desk.outbox.answers("live") == {"a": "sent"}


def test_a_live_receipt_on_a_drill_drop_is_foreign(desk: Desk) -> None:
    manifest = desk.sent(1, ["a"])
    desk.drop = MemoryDrop("drill")
    desk.answer(make_receipt(manifest, "accepted"))
    collected = desk.collect()
    assert (collected.exit_code, collected.answers) == (7, ())
    assert "it is live and lies on a drill drop" in collected.problems[0].text
    assert desk.outbox.answers("live") == {"a": "sent"}


def test_a_damaged_upload_is_answered_and_may_go_again(desk: Desk) -> None:
    manifest = desk.sent(1, ["a"])
    damaged = ReceivedFile(file_id=manifest.file_id, name=manifest.files[0].name, sha256=print_of("x"), bytes=3)
    desk.answer(make_receipt(manifest, "rejected", resend="as-is", file=damaged))
    collected = desk.collect()
    assert (collected.exit_code, collected.problems) == (1, ())
    assert desk.outbox.open_keys("live")["a"].next_revision(print_of("a")) == 1


def test_receipts_of_others_are_passed_over_with_a_note(desk: Desk) -> None:
    desk.answer(make_receipt(make_manifest(9, ["z"]), "accepted"))
    desk.drop.put("out", "readme.txt", b"hello")
    collected = desk.collect()
    assert (collected.exit_code, collected.problems, collected.answers) == (0, (), ())
    assert "did not make" in collected.notes[0]
    assert not (desk.folder / "receipts").exists()


def test_a_receipt_that_cannot_be_read_answers_nothing(desk: Desk) -> None:
    manifest = desk.sent(1, ["a"])
    name = make_receipt(manifest, "accepted").name
    desk.drop.put("out", name, b'{"schema": "fallback.receipt/9"}')
    collected = desk.collect()
    assert (collected.exit_code, collected.problems[0].code) == (4, "document-unreadable")
    desk.answer(make_receipt(manifest, "accepted"), "again.receipt.json")
    assert desk.collect().exit_code == 3


def test_a_receipt_that_is_too_large_is_not_read(tmp_path: Path) -> None:
    desk = Desk(tmp_path, MemoryDrop("live"), make_agreement(limits={"max_bytes": 100}))
    manifest = desk.sent(1, ["a"])
    desk.answer(make_receipt(manifest, "accepted"))
    assert desk.collect().problems[0].code == "file-unreadable"


def test_a_drop_that_does_not_answer_stops_collecting(tmp_path: Path) -> None:
    class Broken(MemoryDrop):
        def read(self, folder: Folder, name: str, limit: int | None = None) -> bytes:
            raise FallbackError("unreachable", "the connection broke")

    desk = Desk(tmp_path, Broken("live"))
    manifest = desk.sent(1, ["a"])
    desk.answer(make_receipt(manifest, "accepted"))
    with pytest.raises(FallbackError, match="unreachable"):
        desk.collect()


def test_receipts_are_taken_in_the_order_in_which_they_were_given(desk: Desk) -> None:
    manifest = desk.sent(1, ["a"])
    first = make_receipt(manifest, "unknown")
    second = make_receipt(manifest, "rejected", number=2, supersedes=first.receipt_id)
    third = make_receipt(manifest, "accepted", number=3, supersedes=second.receipt_id)
    for name, receipt in {"3": first, "2": second, "1": third}.items():
        desk.answer(receipt, f"{name}.receipt.json")
    collected = desk.collect()
    assert (collected.exit_code, collected.problems) == (0, ())
    assert collected.answers[0].receipt == third


def test_a_clock_without_zone_is_refused_before_anything_is_put(desk: Desk) -> None:
    path, _ = desk.export(1, ["a"])
    with pytest.raises(WrongUse):
        desk.send(path, now=lambda: datetime(2026, 11, 23))
    assert in_(desk.drop) == []
