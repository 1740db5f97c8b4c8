"""The ledger: one claim a key, whoever asks; live and drill apart; refused in plain words where it cannot be used."""

from __future__ import annotations

import fcntl
import random
import signal
import sqlite3
import stat
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fallback.agreement import Local
from fallback.documents.base import AgreementRef, Counts
from fallback.documents.receipt import AnsweredOrder, By, Receipt, ReceiptCounts, ReceivedFile, Times
from fallback.errors import FallbackError, Refused
from fallback.warehouse.ledger import Claim, Ledger, ledger_of, open_ledger
from fallback.warehouse.wms import Outcome
from warehouse_kit import AT, make_agreement

PRINT_A, PRINT_B = "a" * 64, "b" * 64
LOADED = Outcome("loaded", "NDK-1")


def url(folder: Path) -> str:
    return f"sqlite:///{folder}/ledger.sqlite"


@pytest.fixture
def ledger(tmp_path: Path):
    with open_ledger(url(tmp_path)) as opened:
        yield opened


def refusal(address: str, **terms: float) -> str:
    with pytest.raises(FallbackError) as caught:
        open_ledger(address, **terms)
    assert (caught.value.code, caught.value.exit_code) == ("ledger-unusable", 3)
    assert caught.value.hint
    return caught.value.message


# --- the file


def test_the_file_is_for_its_owner_only_and_survives_a_power_cut(tmp_path, ledger):
    ledger.record([Claim("k")], state="live", at=AT)
    for path in tmp_path.iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path.name
    with ledger._engine.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2  # FULL


def test_what_was_written_is_there_when_it_is_opened_again(tmp_path):
    with open_ledger(url(tmp_path)) as first:
        first.record([Claim("k", PRINT_A, 3, "NDK-7")], state="live", at=AT)
    with open_ledger(url(tmp_path)) as second:
        found = second.find(["k", "other"], state="live")["k"]
    assert (found.fingerprint, found.revision, found.wms_ref) == (PRINT_A, 3, "NDK-7")
    assert (found.status, found.path, found.at) == ("loaded", "integration", AT)


def test_another_version_is_refused(tmp_path):
    open_ledger(url(tmp_path)).close()
    with sqlite3.connect(tmp_path / "ledger.sqlite") as connection:
        connection.execute("UPDATE schema_version SET version = 3")
    connection.close()
    assert "is of version 3; this program writes version 2" in refusal(url(tmp_path))


def test_another_programs_database_is_refused(tmp_path):
    with sqlite3.connect(tmp_path / "ledger.sqlite") as connection:
        connection.execute("CREATE TABLE songs (title)")
    connection.close()
    assert "is no ledger" in refusal(url(tmp_path))


def test_a_file_that_is_no_database_is_refused(tmp_path):
    (tmp_path / "ledger.sqlite").write_bytes(b"orders, orders, orders\n" * 500)
    assert "is no ledger" in refusal(url(tmp_path))


def test_a_locked_ledger_is_refused_after_the_timeout(tmp_path, ledger):
    other = sqlite3.connect(tmp_path / "ledger.sqlite")
    other.execute("BEGIN IMMEDIATE")
    assert "locked by another program" in refusal(url(tmp_path), timeout=0.05)
    other.close()


def test_a_ledger_damaged_while_open_says_so_in_plain_words(tmp_path):
    with open_ledger(url(tmp_path)) as opened:
        opened.record([Claim(f"key-{n}") for n in range(2000)], state="live", at=AT)
    file = tmp_path / "ledger.sqlite"
    whole = file.read_bytes()
    file.write_bytes(whole[:8192] + b"\xff" * (len(whole) - 8192))
    with pytest.raises(FallbackError) as caught, open_ledger(url(tmp_path)) as opened:
        opened.find([f"key-{n}" for n in range(2000)], state="live")
    assert "is damaged" in caught.value.message
    assert "SELECT" not in str(caught.value)


def test_a_malformed_address_in_local_toml_is_refused(tmp_path):
    local = Local(side="warehouse", ledger="ledger.sqlite")
    with pytest.raises(FallbackError, match="ledger-unusable: the ledger's URL is malformed"):
        ledger_of(make_agreement(tmp_path).at(tmp_path, local))


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("sqlite://", "does not name an SQLite file"),
        ("sqlite:///:memory:", "does not name an SQLite file"),
        ("postgresql://db/ledger", "does not name an SQLite file"),
        ("ledger.sqlite", "malformed"),
        ("sqlite:////no/such/folder/ledger.sqlite", "no such file or directory"),
    ],
)
def test_an_address_that_cannot_be_used_is_refused(address, words):
    assert words in refusal(address)


def test_a_folder_is_no_ledger(tmp_path):
    assert "is a directory" in refusal(f"sqlite:///{tmp_path}")


def test_the_agreements_ledger_lies_in_the_agreements_folder(tmp_path):
    with ledger_of(make_agreement(tmp_path)):
        pass
    assert (tmp_path / "ledger.sqlite").is_file()


# --- orders


def test_live_and_drill_are_two_worlds(ledger):
    ledger.record([Claim("k")], state="live", at=AT)
    assert ledger.find(["k"], state="drill") == {}
    assert ledger.claim("B", [Claim("k")], state="drill", at=AT) == {}


def test_a_key_belongs_to_the_batch_that_claimed_it_first(ledger):
    assert ledger.claim("B1", [Claim("k", PRINT_A), Claim("l")], state="live", at=AT, file_id="F1") == {}
    others = ledger.claim("B2", [Claim("k", PRINT_B), Claim("m")], state="live", at=AT, file_id="F2")
    assert {key: (row.batch_id, row.fingerprint) for key, row in others.items()} == {"k": ("B1", PRINT_A)}
    assert set(ledger.batch("B2", state="live")) == {"m"}
    # The same batch again, after a kill: its claims are its own.
    assert ledger.claim("B1", [Claim("k", PRINT_A), Claim("l")], state="live", at=AT) == {}
    assert set(ledger.batch("B1", state="live")) == {"k", "l"}


def test_the_first_word_on_an_order_stands(ledger):
    ledger.claim("B", [Claim("k")], state="live", at=AT)
    ledger.settle("B", {"k": LOADED}, state="live", at=AT + timedelta(minutes=1))
    ledger.settle("B", {"k": Outcome("refused")}, state="live", at=AT + timedelta(minutes=2))
    found = ledger.find(["k"], state="live")["k"]
    assert (found.status, found.wms_ref, found.at) == ("loaded", "NDK-1", AT + timedelta(minutes=1))


def test_another_batch_settles_nothing(ledger):
    ledger.claim("B1", [Claim("k")], state="live", at=AT)
    ledger.settle("B2", {"k": LOADED}, state="live", at=AT)
    assert ledger.find(["k"], state="live")["k"].status == "claimed"


@pytest.mark.parametrize(("status", "free"), [("refused", True), ("unknown", False), ("loaded", False)])
def test_only_a_refused_key_is_free_again(ledger, status, free):
    ledger.claim("B1", [Claim("k")], state="live", at=AT)
    ledger.settle("B1", {"k": Outcome(status)}, state="live", at=AT)
    others = ledger.claim("B2", [Claim("k", PRINT_B, 2)], state="live", at=AT)
    assert (not others) is free
    if free:
        row = ledger.batch("B2", state="live")["k"]
        assert (row.status, row.revision, row.fingerprint) == ("claimed", 2, PRINT_B)


def test_recording_returns_what_was_there_and_leaves_it(ledger):
    ledger.claim("B1", [Claim("k", PRINT_A)], state="live", at=AT)
    ledger.settle("B1", {"k": LOADED}, state="live", at=AT)
    known = ledger.record([Claim("k", PRINT_B), Claim("n")], state="live", at=AT)
    assert [(row.key, row.path, row.fingerprint) for row in known] == [("k", "fallback", PRINT_A)]
    assert ledger.find(["n"], state="live")["n"].path == "integration"
    assert ledger.record([Claim("m")], state="live", at=AT, path="manual") == ()
    assert ledger.find(["m"], state="live")["m"].path == "manual"


def test_an_order_known_whole_is_not_free_by_its_parts_nor_the_reverse(ledger):
    """Rule 9, the second fence: the key is asked just before loading, and a whole order holds what its parts hold."""

    def of(order: str, group: str) -> Claim:
        return Claim(f"{order}:{group}", base=f"{order}:", group=group)

    ledger.claim("B1", [of("1", "0"), of("2", "777")], state="live", at=AT)
    others = ledger.claim("B2", [of("1", "777"), of("2", "0"), of("2", "778"), of("3", "0")], state="live", at=AT)
    assert {key: row.key for key, row in others.items()} == {"1:777": "1:0", "2:0": "2:777"}
    assert set(ledger.batch("B2", state="live")) == {"2:778", "3:0"}
    assert ledger.regrouped([of("1", "9")], state="live", batch_id="B1") == {}
    assert ledger.regrouped([of("1", "9")], state="drill") == {}
    ledger.settle("B1", {"1:0": Outcome("refused")}, state="live", at=AT)
    assert ledger.claim("B3", [of("1", "777")], state="live", at=AT) == {}


def test_a_ledger_refuses_keys_of_another_template_once_it_knows_orders(ledger):
    """Rule 9: under another template no order would be known again, and each would load a second time."""
    ledger.keep_template("{order_id}:{group}", state="live")
    ledger.keep_template("{order_number}:{group}", state="live")
    ledger.record([Claim("1001:0")], state="live", at=AT)
    with pytest.raises(Refused) as caught:
        ledger.keep_template("{order_id}:{group}", state="live")
    assert (caught.value.code, caught.value.exit_code) == ("key-template-changed", 7)
    ledger.keep_template("{order_number}:{group}", state="live")
    ledger.keep_template("{order_id}:{group}", state="drill")


def test_many_keys_are_found_at_once(ledger):
    keys = [f"key-{number}" for number in range(1300)]
    ledger.record([Claim(key) for key in keys], state="live", at=AT)
    assert set(ledger.find([*keys, "absent"], state="live")) == set(keys)


BATCHES = ("B1", "B2", "B3")
KEYS = ("k", "l", "m")
ACTS = st.lists(
    st.tuples(
        st.sampled_from(("claim", "settle", "record")),
        st.sampled_from(BATCHES),
        st.sets(st.sampled_from(KEYS), min_size=1),
        st.sampled_from(("loaded", "refused", "unknown")),
    ),
    max_size=12,
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(ACTS)
def test_whatever_happens_a_key_is_loaded_by_one_way_only(tmp_path_factory, acts):
    loaded: dict[str, str] = {}
    with open_ledger(url(tmp_path_factory.mktemp("ledger"))) as ledger:
        for act, batch, keys, status in acts:
            claims = [Claim(key) for key in sorted(keys)]
            if act == "claim":
                others = ledger.claim(batch, claims, state="live", at=AT)
                assert not any(key in loaded and key not in others and loaded[key] != batch for key in keys)
            elif act == "record":
                known = {row.key for row in ledger.record(claims, state="live", at=AT)}
                for key in keys - known:
                    assert key not in loaded
                    loaded[key] = "integration"
            else:
                mine = {key for key, row in ledger.batch(batch, state="live").items() if row.status == "claimed"}
                ledger.settle(batch, dict.fromkeys(keys, Outcome(status)), state="live", at=AT)
                for key in keys & mine if status == "loaded" else ():
                    assert key not in loaded
                    loaded[key] = batch
        assert {key for key, row in ledger.find(KEYS, state="live").items() if row.status == "loaded"} == set(loaded)


CLAIMER = """
import random, sys
from datetime import UTC, datetime
from fallback.warehouse.ledger import Claim, open_ledger

url, batch, seed = sys.argv[1:]
keys = [f"key-{number}" for number in range(200)]
random.Random(seed).shuffle(keys)
sys.stdin.readline()
with open_ledger(url, timeout=60) as ledger:
    for start in range(0, len(keys), 20):
        claims = [Claim(key) for key in keys[start:start + 20]]
        others = ledger.claim(batch, claims, state="live", at=datetime(2026, 11, 23, tzinfo=UTC))
        print(*(claim.key for claim in claims if claim.key not in others))
"""


def test_processes_that_claim_the_same_keys_get_each_key_once(tmp_path):
    seeds = random.Random(7).sample(range(1000), 4)
    claimers = [
        subprocess.Popen(
            [sys.executable, "-c", CLAIMER, url(tmp_path), f"B{seed}", str(seed)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for seed in seeds
    ]
    for claimer in claimers:  # all of them are let go together, the ledger is made by whoever comes first
        claimer.stdin.write("go\n")
        claimer.stdin.flush()
    claimed = [key for claimer in claimers for key in claimer.communicate()[0].split()]
    assert [claimer.returncode for claimer in claimers] == [0] * 4
    assert sorted(claimed) == sorted(f"key-{number}" for number in range(200))


# --- files


def received(**changes: object) -> Receipt:
    content = {
        "receipt_id": "R-F1-received",
        "stage": "received",
        "state": "live",
        "file": ReceivedFile(file_id="F1", name="F1.csv", sha256=PRINT_A, bytes=3),
        "agreement": AgreementRef(id="acme", version="1", sha256=PRINT_B),
        "counts": ReceiptCounts(declared=Counts(), received=Counts()),
        "times": Times(issued_at=AT),
        "disposition": "pending",
        "by": By(org="northdock"),
    }
    return Receipt(**content | changes)


def open_one(ledger: Ledger, receipt: Receipt | None = None):
    return ledger.open_file((receipt or received()).file, state="live", at=AT)


def test_a_file_is_known_by_its_id_and_by_its_name(ledger):
    assert ledger.files("F1", "F1.csv", state="live") == ()
    (file,) = open_one(ledger)
    assert (file.file_id, file.sha256, file.receipts, file.closed_at) == ("F1", PRINT_A, {}, None)
    assert [seen.file_id for seen in ledger.files("F1", "other.csv", state="live")] == ["F1"]
    assert [seen.file_id for seen in ledger.files("F2", "F1.csv", state="live")] == ["F1"]
    assert ledger.files("F1", "F1.csv", state="drill") == ()
    # Opened again under another id it stays what it was.
    again = received(file=ReceivedFile(file_id="F2", name="F1.csv", sha256=PRINT_B, bytes=4))
    assert [seen.sha256 for seen in open_one(ledger, again)] == [PRINT_A]


def test_the_first_receipt_of_a_stage_stands(ledger):
    open_one(ledger)
    first = ledger.save_receipt(received())
    later = received(times=Times(issued_at=AT + timedelta(hours=1)))
    assert ledger.save_receipt(later) == first == received()
    assert open_one(ledger)[0].receipts == {"received": first}


def test_the_first_plan_stands_and_gives_up_the_claims_it_does_not_load(ledger):
    open_one(ledger)
    ledger.claim("F1", [Claim("k"), Claim("l")], state="live", at=AT)
    answer = AnsweredOrder(key="l", revision=1, state="duplicate-same", resend="never")
    assert ledger.save_answers("F1", "F1", [answer], state="live") == (answer,)
    assert set(ledger.batch("F1", state="live")) == {"k"}
    assert ledger.save_answers("F1", "F1", [], state="live") == (answer,)
    assert open_one(ledger)[0].answers == (answer,)


def test_a_file_is_closed_once(ledger):
    open_one(ledger)
    ledger.close_file("F1", state="live", at=AT)
    ledger.close_file("F1", state="live", at=AT + timedelta(hours=1))
    assert open_one(ledger)[0].closed_at == AT


def test_times_are_kept_in_utc(ledger):
    local = datetime.fromisoformat("2026-11-23T09:00:00-05:00")
    ledger.record([Claim("k")], state="live", at=local)
    at = ledger.find(["k"], state="live")["k"].at
    assert (at, at.tzinfo) == (local, UTC)


# --- the hold


def test_one_receiver_at_a_time_works_on_a_file(tmp_path, ledger):
    with open_ledger(url(tmp_path)) as other, ledger.hold("F1.csv", state="live") as first:
        assert first
        with other.hold("F1.csv", state="live") as second:
            assert not second
        with other.hold("F2.csv", state="live") as another, other.hold("F1.csv", state="drill") as drill:
            assert another
            assert drill
    with ledger.hold("F1.csv", state="live") as again:
        assert again
    assert not list(tmp_path.glob("*.lock"))


HOLDER = """
import sys
from fallback.warehouse.ledger import open_ledger

with open_ledger(sys.argv[1]) as ledger, ledger.hold("F1.csv", state="live") as alone:
    print(alone, flush=True)
    sys.stdin.readline()
"""


def test_a_hold_ends_with_the_process_that_had_it(tmp_path, ledger):
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, url(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout.readline() == "True\n"
        with ledger.hold("F1.csv", state="live") as alone:
            assert not alone
        holder.send_signal(signal.SIGKILL)
    with ledger.hold("F1.csv", state="live") as alone:
        assert alone


def test_a_lock_file_that_was_removed_in_the_last_moment_holds_nothing(tmp_path, ledger, monkeypatch):
    """The holder before us removes it between our opening and our locking it."""
    real = fcntl.flock
    removed = []

    def flock(handle, how):
        real(handle, how)
        if not removed:
            removed.extend(tmp_path.glob("*.lock"))
            removed[0].unlink()

    monkeypatch.setattr("fcntl.flock", flock)
    with ledger.hold("F1.csv", state="live") as alone:
        assert alone
        assert list(tmp_path.glob("*.lock")) == removed
        with ledger.hold("F1.csv", state="live") as second:
            assert not second


def test_a_folder_that_takes_no_lock_file_is_refused(tmp_path, ledger):
    gone = Ledger(ledger._engine, tmp_path / "gone" / "ledger.sqlite")
    with pytest.raises(FallbackError, match="ledger-unusable"), gone.hold("F1.csv", state="live"):
        pass
