"""The drill: it passes where the procedure holds, it fails where it does not, and what it leaves is evidence."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import re
import tempfile
import threading
import tomllib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from importlib.metadata import PackageNotFoundError
from pathlib import Path
from time import perf_counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import fallback
from fallback.agreement import Agreement
from fallback.cli import main
from fallback.delivery import ssh
from fallback.documents.base import State
from fallback.documents.journal import Commitment, Journal, Mishap, Proof
from fallback.documents.receipt import AnsweredOrder
from fallback.drills import evidence, mishaps, plan, roles, run
from fallback.drills.mishaps.base import Observed, Staging, codes_of, one_code
from fallback.drills.mishaps.spreadsheet import resave
from fallback.drills.run import Drill, drill
from fallback.drills.setting import Setting
from fallback.errors import FallbackError, Refused, WrongUse
from fallback.formats.library import load_format
from fallback.formats.write import write
from fallback.records import sample
from fallback.records.order import Order
from fallback.warehouse.wms import FileWms, LoadOrder, Outcome

PLANTED = ("Zebedee Quixote-Plantagenet", "77 Recognisable Row", "+1 202 555 0199")
PEOPLE = ((*PLANTED[:2], "Boston", "MA", "02134", "US", PLANTED[2]),)
PRIVATE = (*PLANTED, "@example.com", "Leave with the porter")
EXPECTED = {
    "unmapped-sku": "sku-unmapped",
    "duplicate-order": "duplicate-same",
    "loaded-by-integration": "duplicate-same",
    "changed-order": "duplicate-conflict",
    "truncated-upload": "unreachable",
    "cut-file": "file-size-differs",
    "spreadsheet-resave": "file-size-differs",
    "wrong-host-key": "host-key-changed",
    "drill-to-live": "marker-wrong",
    "live-order-in-drill": "marker-wrong",
    "integration-live": "integration-live",
    "replay": "duplicate-same",
}


def clock(start: datetime | None = None, step: timedelta = timedelta(0)) -> Callable[[], datetime]:
    """A clock that runs as fast as the real one from ``start`` on, and jumps by ``step`` each time it is read."""
    first, begun = start or datetime.now(UTC), perf_counter()
    reads = iter(range(1_000_000))
    return lambda: first + timedelta(seconds=perf_counter() - begun) + next(reads) * step


@dataclass(frozen=True)
class Ran:
    result: Drill
    said: list[str]
    kept: Path
    threads: set[threading.Thread]

    @property
    def journal(self) -> Journal:
        return self.result.journal

    def proof(self, name: str) -> Proof:
        return next(proof for proof in self.journal.proofs if proof.id == name)


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ran]:
    """One whole drill of people who are easy to recognise, with its working folder kept."""
    folder, said = tmp_path_factory.mktemp("drill"), []  # type: ignore[var-annotated]
    before = set(threading.enumerate())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sample, "_PEOPLE", PEOPLE)
        result = drill(folder=folder / "report", now=clock(), keep=folder / "kept", say=said.append)
    yield Ran(result, said, folder / "kept", set(threading.enumerate()) - before)


@pytest.fixture
def only(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Play these mishaps only."""
    return lambda *stagings: monkeypatch.setattr(run, "MISHAPS", stagings)


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the drill's own temporary folder is made."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


# --- a drill of a procedure that holds


def test_a_procedure_that_holds_passes(ran: Ran) -> None:
    assert ran.journal.failures == ()
    assert ran.journal.verdict == "passed"
    assert ran.result.exit_code == 0
    assert (ran.journal.level, ran.journal.state) == ("loopback", "drill")


def test_every_mishap_is_answered_by_its_code(ran: Ran) -> None:
    assert {mishap.id: mishap.observed for mishap in ran.journal.mishaps} == EXPECTED
    assert {mishap.id: mishap.expected for mishap in ran.journal.mishaps} == EXPECTED
    diagnosis = next(mishap.text for mishap in ran.journal.mishaps if mishap.id == "spreadsheet-resave")
    assert "saved by a spreadsheet" in diagnosis
    path = next(mishap.text for mishap in ran.journal.mishaps if mishap.id == "loaded-by-integration")
    assert path.endswith("integration.")


def test_commitments_are_those_of_the_agreement_and_were_measured(ran: Ran) -> None:
    assert [commitment.id for commitment in ran.journal.commitments] == ["export", "acknowledge", "load", "fix"]
    assert all(commitment.met for commitment in ran.journal.commitments)
    assert all(commitment.actual_s is not None and commitment.actual_s > 0 for commitment in ran.journal.commitments)


def test_the_numbers_are_those_of_the_files_that_the_warehouse_system_got(ran: Ran) -> None:
    files = (ran.kept / "warehouse" / "wms" / "drill" / "import").glob("*.jsonl")
    orders = [Order.model_validate_json(line) for file in files for line in file.read_bytes().splitlines()]
    copies = Counter(order.order_id for order in orders)
    assert max(copies.values()) == 1
    assert ran.proof("loaded-once").numbers == {"orders": len(orders), "loaded_twice": 0}
    assert ran.proof("nothing-lost").numbers["in_the_system"] == len(orders)
    assert ran.proof("nothing-lost").numbers["lost"] == 0
    assert ran.proof("same-content").numbers == {"compared": len(orders), "different": 0}
    assert ran.proof("replay").numbers == {"sent_again": 2 * len(orders), "loaded_again": 0}
    assert ran.proof("every-order-answered").numbers["without_answer"] == 0
    assert ran.proof("no-login-at-a-stranger").numbers == {"logins_tried": 0, "files_left": 0, "exit_code": 7}
    assert all(order.order_id.startswith("DRILL-") for order in orders)
    assert all(line.sku.isdigit() and len(line.sku) == 6 for order in orders for line in order.lines)


def test_drill_and_live_stayed_apart(ran: Ran) -> None:
    server = ran.kept / "server"
    assert len([path for path in (server / "in").iterdir() if path.is_file()]) == 1
    assert list((server / "out").iterdir()) == []
    assert list((server / "drill" / "in").iterdir()) == []
    assert list((server / "drill" / "work").iterdir()) == []
    assert ran.proof("live-untouched").numbers["compared"] >= 5
    assert ran.proof("live-untouched").numbers["changed"] == 0
    done = [path.name for path in (server / "drill" / "done").iterdir()]
    assert done and all(name.startswith("DRILL_") for name in done)


def test_the_journal_is_read_again_as_it_was_written(ran: Ran) -> None:
    data = ran.result.report.with_name("journal.json").read_bytes()
    assert Journal.from_json(data) == ran.journal
    assert data == ran.journal.to_bytes()


def test_the_page_stands_alone_and_names_the_hash_of_the_journal(ran: Ran) -> None:
    page = ran.result.report.read_text("utf-8")
    digest = hashlib.sha256(ran.result.report.with_name("journal.json").read_bytes()).hexdigest()
    assert digest in page
    assert all(code in page for code in EXPECTED.values())
    assert "passed" in page
    assert not re.search(r"https?://|<script|@import", page)


def test_events_are_in_order_and_their_hashes_are_those_of_the_files(ran: Ran) -> None:
    events = ran.journal.events
    assert [event.n for event in events] == list(range(1, len(events) + 1))
    assert [event.at for event in events] == sorted(event.at for event in events)
    assert {event.at.microsecond % 1000 for event in events} == {0}
    there = {
        hashlib.sha256(path.read_bytes()).hexdigest()
        for path in (ran.kept / "server" / "drill").rglob("*")
        if path.is_file()
    }
    put = [event for event in events if event.step in ("announced", "delivered", "received", "checked", "processed")]
    assert len(put) > 30
    assert {event.sha256 for event in put} <= there
    agreements = {event.sha256 for event in events if event.step == "preflight"}
    assert agreements == {ran.journal.agreement.sha256}


def test_no_customer_data_is_in_the_evidence_nor_in_what_is_said(ran: Ran) -> None:
    documents = [ran.result.report, ran.result.report.with_name("journal.json")]
    documents += ran.kept.rglob("*.manifest.json")
    documents += ran.kept.rglob("*.receipt.json")
    documents += ran.kept.rglob("*.sqlite*")
    documents += (ran.kept / "server" / "drill" / "out").iterdir()
    assert len(documents) > 60
    found = [(path.name, value) for path in documents for value in PRIVATE if value.encode() in path.read_bytes()]
    assert found == []
    assert not any(value in line for value in PRIVATE for line in ran.said)
    # The order files do hold it, or there would be nothing to look for.
    sent = b"".join(path.read_bytes() for path in (ran.kept / "brand" / "outgoing").glob("*.csv"))
    assert all(value.encode() in sent for value in PLANTED)


def test_nothing_is_left_running(ran: Ran) -> None:
    assert not any(thread.is_alive() for thread in ran.threads)
    assert ran.proof("cleaned-up").numbers == {"running": 0, "folders_left": 0}


def test_files_with_customer_data_are_for_the_owner_only(ran: Ran) -> None:
    files = [path for path in ran.kept.rglob("*") if path.is_file()]
    assert [path.name for path in files if path.stat().st_mode & 0o077] == []


# --- the same again


def _without_times(journal: Journal) -> Any:
    """The journal without times and hashes, and without the names of files and drills, which hold the time."""
    content = journal.model_dump(mode="json", by_alias=True)
    for name in ("drill_id", "started_at", "ended_at"):
        del content[name]
    del content["agreement"]["sha256"]
    for event in content["events"]:
        for name in ("at", "sha256", "artefact"):
            del event[name]
    for commitment in content["commitments"]:
        del commitment["actual_s"]
    return content


def test_the_same_seed_gives_the_same_journal_at_any_hour(
    ran: Ran, tmp_path: Path, temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sample, "_PEOPLE", PEOPLE)
    midnight = clock(datetime(2026, 11, 23, 0, 7, 0, 250_000, UTC))
    again = drill(folder=tmp_path / "again", now=midnight, keep=tmp_path / "kept")
    assert _without_times(again.journal) == _without_times(ran.journal)
    assert again.journal.drill_id == "D-20261123T000700Z"
    assert again.journal.started_at == datetime(2026, 11, 23, 0, 7, 0, again.journal.started_at.microsecond, UTC)
    assert list(temporary.iterdir()) == []


def test_another_seed_gives_other_orders_and_the_temporary_folder_is_removed(
    ran: Ran, tmp_path: Path, temporary: Path
) -> None:
    folder = tmp_path / "other"
    other = fallback.drill(folder=folder, now=clock(), seed=2, orders=40, drill_id="D-OTHER")
    assert other.journal.failures == ()
    assert other.journal.drill_id == "D-OTHER"
    assert _without_times(other.journal) != _without_times(ran.journal)
    exported = next(event.text for event in other.journal.events if event.step == "exported")
    assert exported.startswith("40 orders")
    assert list(temporary.iterdir()) == []
    assert sorted(path.name for path in folder.iterdir()) == ["journal.json", "report.html"]


# --- a procedure that does not hold


class _Careless(FileWms):
    """Loads the first order of each batch twice, and loses the last of a large one while it says that it is loaded."""

    def load(self, batch_id: str, orders: Sequence[LoadOrder]) -> dict[str, Outcome]:
        there = [orders[0], *orders[: -1 if len(orders) > 3 else None]]
        return {order.key: Outcome("loaded", "said") for order in orders} | super().load(batch_id, there)


def test_orders_loaded_twice_or_lost_fail_the_drill(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, only: Callable[..., None]
) -> None:
    def open_careless(agreement: Agreement, state: State = "live") -> FileWms:
        return _Careless(agreement.path("wms") / state)

    monkeypatch.setattr(roles, "open_wms", open_careless)
    only(mishaps.MISHAPS[0])
    failed = drill(folder=tmp_path / "report", now=clock(), orders=5)
    proofs = {proof.id: proof for proof in failed.journal.proofs}
    assert failed.exit_code == 8
    assert failed.journal.verdict == "failed"
    assert proofs["loaded-once"].numbers["loaded_twice"] > 0
    assert proofs["nothing-lost"].numbers["lost"] == 1
    assert not proofs["clear-at-the-end"].holds
    assert "proof loaded-once: does not hold" in failed.journal.failures
    assert "proof nothing-lost: does not hold" in failed.journal.failures
    assert "failed" in failed.report.read_text("utf-8")


def test_a_replay_that_goes_past_the_guard_fails_the_drill(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, only: Callable[..., None]
) -> None:
    batches = iter(range(100))

    def past_the_guard(orders: Sequence[Order], *, agreement: Agreement, wms: FileWms, **_: Any) -> list[AnsweredOrder]:
        loads = [LoadOrder(agreement.key(order), "0" * 64, order, "integration") for order in orders]
        wms.load(f"past-{next(batches)}", loads)
        return [AnsweredOrder(key=load.key, revision=1, state="accepted", resend="never") for load in loads]

    monkeypatch.setattr(roles, "load_from_integration", past_the_guard)
    only(mishaps.MISHAPS[-1])
    failed = drill(folder=tmp_path / "report", now=clock(), orders=3)
    assert failed.exit_code == 8
    assert failed.journal.mishaps[0].observed == "accepted"
    assert failed.journal.failures == (
        "commitment fix: not measured, limit 30.0 s",
        "mishap replay: expected duplicate-same, observed accepted",
        "proof replay: does not hold",
        "proof loaded-once: does not hold",
        "proof clear-at-the-end: does not hold",
    )


class _Anything(frozenset[str]):
    def __contains__(self, _: object) -> bool:
        return True

    def __sub__(self, _: object) -> _Anything:
        return self


def test_a_program_that_takes_any_host_key_fails_the_drill(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, only: Callable[..., None]
) -> None:
    monkeypatch.setattr(ssh, "_agreed_keys", lambda _: (_Anything(), frozenset()))
    only(*(staging for staging in mishaps.MISHAPS if staging.id == "wrong-host-key"))
    failed = drill(folder=tmp_path / "report", now=clock(), orders=1)
    proof = next(proof for proof in failed.journal.proofs if proof.id == "no-login-at-a-stranger")
    assert failed.exit_code == 8
    assert proof.numbers == {"logins_tried": 1, "files_left": 2, "exit_code": 0}
    assert "mishap wrong-host-key: expected host-key-changed, observed nothing" in failed.journal.failures


def test_a_breached_commitment_fails_the_drill(tmp_path: Path, only: Callable[..., None]) -> None:
    only(mishaps.MISHAPS[0])
    slow = clock(step=timedelta(seconds=9))
    failed = drill(folder=tmp_path / "report", now=slow, orders=2)
    breached = {commitment.id for commitment in failed.journal.commitments if not commitment.met}
    assert failed.exit_code == 8
    assert "export" in breached
    assert any(failure.startswith("commitment export: took") for failure in failed.journal.failures)


def test_a_mishap_that_the_procedure_does_not_survive_was_not_answered(
    tmp_path: Path, only: Callable[..., None]
) -> None:
    def play(_: Setting) -> Observed:
        raise FallbackError("unreachable", "the server does not answer")

    only(Staging("staged", "A mishap", "unreachable", "brand", play))
    failed = drill(folder=tmp_path / "report", now=clock(), orders=1)
    assert failed.journal.mishaps[0].observed is None
    assert "mishap staged: expected unreachable, observed nothing" in failed.journal.failures


def test_a_procedure_that_cannot_go_on_fails_and_leaves_its_journal(
    tmp_path: Path, temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any, **__: Any) -> None:
        raise FallbackError("delivery-failed", "the disk is full")

    monkeypatch.setattr(roles, "send", full)
    failed = drill(folder=tmp_path / "report", now=clock(), orders=1)
    assert failed.exit_code == 8
    assert failed.journal.failures[0] == "the drill could not go on: delivery-failed: the disk is full"
    assert "commitment export: not measured, limit 20.0 s" in failed.journal.failures
    assert Journal.from_json((tmp_path / "report" / "journal.json").read_bytes()) == failed.journal
    assert list(temporary.iterdir()) == []


# --- stopped, or not begun


def _stop(_: Setting) -> Observed:
    raise KeyboardInterrupt


STOP = Staging("stop", "Stopped by hand", "interrupted", "brand", _stop)


def test_a_drill_stopped_by_hand_cleans_up_and_proves_nothing(
    tmp_path: Path, temporary: Path, only: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    only(STOP)
    monkeypatch.chdir(tmp_path)
    before = set(threading.enumerate())
    with pytest.raises(SystemExit) as stopped:
        main(["drill", "--report", "report", "--orders", "1"])
    assert stopped.value.code == 130
    assert list(temporary.iterdir()) == []
    assert not any(thread.is_alive() for thread in set(threading.enumerate()) - before)
    journal = Journal.from_json(Path("report/journal.json").read_bytes())
    assert journal.verdict == "aborted"
    assert journal.failures[0] == "the drill was stopped by hand"


def test_evidence_is_never_replaced(tmp_path: Path) -> None:
    (tmp_path / "journal.json").write_text("{}")
    with pytest.raises(Refused) as refused:
        drill(folder=tmp_path, now=clock())
    assert refused.value.code == "name-taken"
    assert (tmp_path / "journal.json").read_text() == "{}"


def test_a_working_folder_that_holds_something_is_not_used(tmp_path: Path) -> None:
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "mine.txt").write_text("mine")
    with pytest.raises(WrongUse):
        drill(folder=tmp_path / "report", now=clock(), keep=tmp_path / "kept")
    assert [path.name for path in (tmp_path / "kept").iterdir()] == ["mine.txt"]


def test_a_folder_that_cannot_be_made_is_said_before_the_drill(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(FallbackError) as error:
        drill(folder=tmp_path / "file" / "report", now=clock())
    assert error.value.code == "file-unwritable"


def test_the_journal_says_so_when_the_program_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(_: str) -> str:
        raise PackageNotFoundError

    monkeypatch.setattr(run, "version", absent)
    assert run._tool() == "fallback, not installed"


# --- the command


def test_the_command_prints_the_journal_and_last_the_path_of_the_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], only: Callable[..., None]
) -> None:
    only(mishaps.MISHAPS[0])
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as ended:
        main(["drill", "--orders", "2"])
    out, err = capsys.readouterr()
    page = Path(out.splitlines()[-1])
    assert ended.value.code == 0
    assert re.fullmatch(r"drill-report-D-[0-9]{8}T[0-9]{6}Z", page.parent.name)
    assert page.is_file()
    assert out.startswith("passed: ")
    assert "held       An article without a row in the SKU map: sku-unmapped" in err
    assert [path.name for path in tmp_path.iterdir()] == [page.parent.name]


@dataclass
class _Recorder:
    """Stands in for the drill, and ends as it is told."""

    verdict: str
    given: list[dict[str, Any]]

    def __call__(self, **given: Any) -> Drill:
        self.given.append({name: given[name] for name in ("seed", "orders", "keep")})
        at = datetime(2026, 11, 23, 14, 0, tzinfo=UTC)
        content = {"drill_id": "D-1", "started_at": at, "ended_at": at, "tool": "fallback", "verdict": self.verdict}
        content |= {"agreement": {"id": "a", "version": "1", "sha256": "0" * 64}}
        content |= dict.fromkeys(("events", "commitments", "mishaps", "proofs"), ())
        return Drill(Journal.model_validate(content), Path("report.html"))


@pytest.mark.parametrize("words", [["drill"], ["drill", "run"]])
def test_run_is_the_command_by_default(
    words: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    recorder = _Recorder("passed", [])
    monkeypatch.setattr(run, "drill", recorder)
    for options in ([], ["--seed", "3", "--orders", "7", "--keep", "kept"]):
        with pytest.raises(SystemExit) as ended:
            main([*words, *options, "--json"])
        assert ended.value.code == 0
        out, err = capsys.readouterr()
        assert json.loads(out)["schema"] == "fallback.journal/1"
        assert err == "report: report.html\n"
    assert recorder.given == [
        {"seed": 1, "orders": 12, "keep": None},
        {"seed": 3, "orders": 7, "keep": Path("kept")},
    ]


def test_a_failed_drill_ends_with_8(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(run, "drill", _Recorder("failed", []))
    with pytest.raises(SystemExit) as ended:
        main(["drill"])
    assert ended.value.code == 8
    assert "drill-failed" in capsys.readouterr().err


def test_help_is_the_groups_own(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["drill", "--help"])
    assert ended.value.code == 0
    assert "run" in capsys.readouterr().out


# --- pieces

GOOD = (
    (Commitment(id="load", owner="warehouse", start="a", end="b", limit_s=10, actual_s=3),),
    (Mishap(id="m", title="M", expected="marker-wrong", observed="marker-wrong"),),
    (Proof(id="p", text="P", holds=True),),
)


def test_the_verdict_is_good_only_when_everything_is() -> None:
    assert evidence.failures_of(*GOOD) == ()


@pytest.mark.parametrize(
    ("place", "changes", "failure"),
    [
        (0, {"actual_s": 10.5}, "commitment load: took 10.5 s, limit 10.0 s"),
        (0, {"actual_s": None}, "commitment load: not measured, limit 10.0 s"),
        (1, {"observed": "unreachable"}, "mishap m: expected marker-wrong, observed unreachable"),
        (1, {"observed": None}, "mishap m: expected marker-wrong, observed nothing"),
        (2, {"holds": False}, "proof p: does not hold"),
        (0, None, "no commitment was put to the test"),
        (1, None, "no mishap was put to the test"),
        (2, None, "no proof was put to the test"),
    ],
)
def test_one_thing_that_does_not_hold_is_a_failure(place: int, changes: dict[str, Any] | None, failure: str) -> None:
    parts: list[Any] = list(GOOD)
    parts[place] = () if changes is None else (GOOD[place][0].model_copy(update=changes),)
    assert evidence.failures_of(*parts) == (failure,)


def test_a_commitment_is_measured_from_its_first_event_to_the_first_one_after_it() -> None:
    seconds = iter([0, 1, 4, 9, 16])
    start = datetime(2026, 11, 23, 14, 0, tzinfo=UTC)
    book = evidence.Evidence(lambda: start + timedelta(seconds=next(seconds)))
    for step in ("received", "delivered", "received", "delivered", "received"):
        book.note("brand", step, "")
    terms = {"acknowledge": {"from": "delivered", "to": "received", "limit": "PT3S", "owner": "warehouse"}}
    terms |= {"load": {"from": "delivered", "to": "processed", "limit": "PT3S", "owner": "warehouse"}}
    text = plan.agreement_text(start, 22, "SHA256:" + "A" * 43)
    agreement = Agreement.model_validate(tomllib.loads(text) | {"commitments": terms})
    assert [commitment.actual_s for commitment in evidence.measured(agreement, book.events)] == [3.0, None]


@pytest.mark.parametrize(
    ("codes", "one"),
    [([], None), (["a", "a"], "a"), (["b", "a"], "a + b")],
)
def test_several_codes_are_not_one(codes: list[str], one: str | None) -> None:
    assert one_code(codes) == one


def test_an_order_without_a_reason_counts_by_its_state() -> None:
    accepted = AnsweredOrder(key="k", revision=1, state="accepted", resend="never")
    assert codes_of([accepted]) == ["accepted"]


def test_proofs_of_nothing_do_not_hold() -> None:
    proofs = [
        evidence.loaded_once([]),
        evidence.every_declared_order_answered([], []),
        evidence.nothing_lost([], [], []),
        evidence.same_content({}, {}),
        evidence.live_untouched({}, {}),
        evidence.no_customer_data([], []),
    ]
    assert [proof.id for proof in proofs if proof.holds] == []


@pytest.mark.parametrize("note", ["Ring\ntwice at 5", 'The "blue" door'])
def test_a_customers_value_is_found_however_json_writes_it(note: str) -> None:
    order = sample.sample_orders(1, at=datetime(2026, 11, 23, tzinfo=UTC))[0].model_copy(update={"instructions": note})
    values = evidence.private_values([order])
    document = json.dumps({"note": note}).encode()
    assert not evidence.no_customer_data(values, [document]).holds
    assert evidence.no_customer_data(values, [b"{}"]).holds


@given(st.integers(0, 10_000), st.integers(1, 5))
def test_a_spreadsheet_always_changes_the_size_and_the_identifiers(seed: int, count: int) -> None:
    at = datetime(2026, 11, 23, 14, 0, tzinfo=UTC)
    orders = sample.sample_orders(count, seed=seed, at=at, marker="DRILL-", skus=list(plan.ITEMS.values()))
    data = write(load_format("order-lines-csv"), orders).data
    saved = resave(data)
    assert len(saved) < len(data)
    assert saved.startswith(b"\xef\xbb\xbf")
    rows = list(csv.DictReader(io.StringIO(saved.decode("utf-8-sig"), newline=""), delimiter=";"))
    assert all(not row["SKU"].startswith("0") and "E+" in row["LineId"] for row in rows)
