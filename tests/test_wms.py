"""The shipped loader: whole files or none, handed over once, and a memory that outlasts them."""

from __future__ import annotations

import json
import os
import stat
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fallback.errors import FallbackError
from fallback.records.order import Order, fingerprint
from fallback.warehouse import wms as module
from fallback.warehouse.wms import CANCELLED, FileWms, Listed, LoadOrder, Outcome, Wms, open_wms
from warehouse_kit import AT, make_agreement, make_order, make_orders

HEADER = "key,wms_ref,state,path,fingerprint\n"
PRINT = "c" * 64


def load_order(order: Order, path: str = "fallback") -> LoadOrder:
    key = f"{order.brand}:{order.platform}:{order.order_id}:{order.group}"
    return LoadOrder(key, fingerprint(order, key), order, path)


@pytest.fixture
def wms(tmp_path: Path) -> FileWms:
    return FileWms(tmp_path)


def refusal(act, *arguments) -> str:
    with pytest.raises(FallbackError) as caught:
        act(*arguments)
    assert (caught.value.code, caught.value.exit_code) == ("wms-unusable", 3)
    return caught.value.message


def imported(folder: Path) -> list[Order]:
    return [
        Order.model_validate_json(line)
        for file in sorted((folder / "import").iterdir())
        for line in file.read_text("utf-8").splitlines()
    ]


def test_it_is_a_warehouse_system(wms):
    system: Wms = wms
    assert system.find(["k"]) == {}


def test_orders_are_handed_over_as_canonical_lines_for_the_owner_only(tmp_path, wms):
    orders = make_orders(3)
    outcomes = wms.load("F1", [load_order(order) for order in orders])
    assert list(outcomes.values()) == [Outcome("loaded", f"F1:{line}") for line in (1, 2, 3)]
    assert imported(tmp_path) == orders
    assert os.listdir(tmp_path / "import") == ["F1.jsonl"]
    assert stat.S_IMODE((tmp_path / "import" / "F1.jsonl").stat().st_mode) == 0o600


def test_what_was_handed_over_is_found_by_key(wms):
    order = load_order(make_order(1001))
    wms.load("F1", [order])
    for system in (wms, FileWms(wms.folder)):
        found = system.find([order.key, "other"])
        assert set(found) == {order.key}
        assert (found[order.key].wms_ref, found[order.key].state) == ("F1:1", "handed-over")
        assert (found[order.key].path, found[order.key].fingerprint) == ("fallback", order.fingerprint)


def test_the_memory_holds_no_customer_data(tmp_path, wms):
    wms.load("F1", [load_order(make_order(1001))])
    assert "Lovelace" not in (tmp_path / "loaded" / "F1.json").read_text("utf-8")


@pytest.mark.parametrize("taken", [True, False])
def test_the_same_batch_again_creates_nothing(tmp_path, wms, taken):
    orders = [load_order(order) for order in make_orders(2)]
    first = wms.load("F1", orders)
    file = tmp_path / "import" / "F1.jsonl"
    before = file.read_bytes()
    if taken:  # the warehouse system has imported the file and taken it away
        file.unlink()
    assert FileWms(tmp_path).load("F1", orders) == first
    assert FileWms(tmp_path).load("F1", orders[:1]) == first
    assert file.exists() is not taken
    if not taken:
        assert file.read_bytes() == before


@pytest.mark.parametrize("step", ["write_file", "_sync_folder", "rename"])
@pytest.mark.parametrize("nth", [1, 2])
def test_a_kill_at_any_step_hands_the_file_over_once(tmp_path, monkeypatch, step, nth):
    """The warehouse system takes each file away at once, so that only the loader's own memory can tell."""
    orders = [load_order(order) for order in make_orders(2)]
    calls = []

    class Killed(BaseException):
        pass

    def killing(real):
        def act(*arguments, **terms):
            calls.append(step)
            if len(calls) == nth:
                raise Killed
            return real(*arguments, **terms)

        return act

    with monkeypatch.context() as patch:
        where = Path if step == "rename" else module
        patch.setattr(where, step, killing(getattr(where, step)))
        with suppress(Killed):
            FileWms(tmp_path).load("F1", orders)
    taken = imported(tmp_path)
    for file in (tmp_path / "import").iterdir():
        file.unlink()
    assert set(FileWms(tmp_path).load("F1", orders)) == {order.key for order in orders}
    assert [order.order_number for order in taken + imported(tmp_path)] == ["1001", "1002"]
    assert not [name for name in os.listdir(tmp_path / "staged") if name.endswith(".jsonl")]


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(["F1", "F2", "F3"]), st.booleans()), max_size=8))
def test_however_often_batches_are_loaded_each_order_is_handed_over_once(tmp_path_factory, calls):
    folder = tmp_path_factory.mktemp("wms")
    FileWms(folder)
    batches = {
        name: [load_order(order) for order in make_orders(2, start)]
        for name, start in (("F1", 1000), ("F2", 2000), ("F3", 3000))
    }
    taken: list[str] = []
    for name, take in calls:
        FileWms(folder).load(name, batches[name])
        if take:
            taken += [order.order_number for order in imported(folder)]
            for file in (folder / "import").iterdir():
                file.unlink()
    taken += [order.order_number for order in imported(folder)]
    expected = {order.order.order_number for name, _ in calls for order in batches[name]}
    assert sorted(taken) == sorted(expected)


# --- what the system writes back


def test_orders_of_the_integration_are_known_from_the_list_written_back(tmp_path, wms):
    (tmp_path / "orders.csv").write_text(f"{HEADER}k,NDK-1,shipped,integration,{PRINT}\nl,,released,,\n")
    found = wms.find(["k", "l", "m"])
    assert (found["k"].wms_ref, found["k"].state, found["k"].fingerprint) == ("NDK-1", "shipped", PRINT)
    assert (found["l"].wms_ref, found["l"].path, found["l"].fingerprint) == (None, "integration", None)
    assert "m" not in found


def test_the_systems_word_on_our_order_goes_before_ours(tmp_path, wms):
    order = load_order(make_order(1001))
    wms.load("F1", [order])
    (tmp_path / "orders.csv").write_text(f"{HEADER}{order.key},NDK-9,shipped,fallback,\n")
    found = wms.find([order.key])[order.key]
    assert (found.wms_ref, found.state, found.fingerprint) == ("NDK-9", "shipped", order.fingerprint)


def test_the_list_is_read_again_when_it_was_replaced(tmp_path, wms):
    new = tmp_path / "new.csv"
    for state in ("released", "shipped"):
        new.write_text(f"{HEADER}k,NDK-1,{state},integration,\n")
        new.rename(tmp_path / "orders.csv")
        assert wms.find(["k"])["k"].state == state


@pytest.mark.parametrize("rows", [("cancelled", "released"), ("released", "cancelled")])
def test_a_key_cancelled_and_entered_again_counts_as_the_one_that_ships(tmp_path, wms, rows):
    lines = "".join(f"k,NDK-{number},{state},integration,\n" for number, state in enumerate(rows))
    (tmp_path / "orders.csv").write_text(HEADER + lines)
    assert wms.find(["k"])["k"].state == "released"


def test_columns_in_another_order_a_byte_order_mark_and_empty_rows_are_read(tmp_path, wms):
    text = "\ufeffstate,key,fingerprint,path,wms_ref\r\nreleased,k,,integration,NDK-1\r\n\r\n"
    (tmp_path / "orders.csv").write_bytes(text.encode())
    assert wms.find(["k"])["k"].wms_ref == "NDK-1"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", "does not begin with the columns"),
        ("key,state\nk,released\n", "does not begin with the columns"),
        (f"{HEADER}k,NDK-1,released\n", "row 2"),
        (f"{HEADER}k,NDK-1,,integration,\n", "row 2"),
        (f"{HEADER},NDK-1,released,integration,\n", "row 2"),
        (f"{HEADER}k,NDK-1,released,integration,1234\n", "row 2"),
        (f'{HEADER}k,"NDK-1,released,integration,\n', "separated by commas"),
        (b"key\xff,wms_ref", "UTF-8"),
    ],
)
def test_a_list_that_cannot_be_trusted_stops_everything(tmp_path, wms, content, words):
    data = content if isinstance(content, bytes) else content.encode()
    (tmp_path / "orders.csv").write_bytes(data)
    assert words in refusal(wms.find, ["k"])


# --- what cannot be used


@pytest.mark.parametrize("there", ["ACME:SHOPIFY:1:0", "acme:shopify:1:0 "])
def test_a_key_that_is_written_otherwise_in_the_list_stops_everything(tmp_path, wms, there):
    """Rule 9: an order that the system has under a key written otherwise would load a second time."""
    (tmp_path / "orders.csv").write_text(f"{HEADER}{there},NDK-1,released,,\n")
    assert "orders.csv" in refusal(wms.find, ["acme:shopify:1:0"])


def test_an_order_whose_key_is_there_in_two_ways_stops_everything(tmp_path, wms):
    (tmp_path / "orders.csv").write_text(f"{HEADER}a:1,,released,,\nA:1,,released,,\n")
    assert "other letters" in refusal(wms.find, ["a:1"])
    assert wms.find(["b:1"]) == {}


def test_the_list_is_the_systems_own_and_has_its_own_time(tmp_path, wms):
    """Handed over is not in the system: where it writes a list, only that counts."""
    assert isinstance(wms, Listed)
    orders = [load_order(order) for order in make_orders(2)]
    wms.load("F1", orders)
    assert (set(wms.listed()), wms.listed_at()) == ({order.key for order in orders}, None)
    listed = tmp_path / "orders.csv"
    listed.write_text(f"{HEADER}k,NDK-1,Cancelled,,\n")
    os.utime(listed, (AT.timestamp(),) * 2)
    assert (set(wms.listed()), wms.listed_at()) == ({"k"}, AT)
    assert wms.listed()["k"].state == CANCELLED


def test_a_damaged_memory_stops_everything(tmp_path, wms):
    wms.load("F1", [load_order(make_order(1001))])
    for damage in ("[{", '[{"name": 1}]', "7"):
        (tmp_path / "loaded" / "F1.json").write_text(damage)
        assert "is damaged" in refusal(FileWms(tmp_path).find, ["k"])


def test_another_programs_file_is_never_replaced(tmp_path, wms):
    (tmp_path / "import" / "F1.jsonl").write_text("theirs")
    assert "was not written by this program" in refusal(wms.load, "F1", [load_order(make_order(1001))])
    assert (tmp_path / "import" / "F1.jsonl").read_text() == "theirs"


def test_a_batch_name_that_is_a_path_is_refused(tmp_path, wms):
    refusal(wms.load, "../F1", [load_order(make_order(1001))])
    assert imported(tmp_path) == []


def test_a_folder_that_is_a_file_is_refused(tmp_path):
    (tmp_path / "wms").write_text("")
    assert "wms" in refusal(FileWms, tmp_path / "wms")


@pytest.mark.parametrize("part", ["loaded", "staged"])
def test_a_folder_that_went_away_is_refused(tmp_path, wms, part):
    for file in (tmp_path / part).iterdir():
        file.unlink()
    (tmp_path / part).rmdir()
    (tmp_path / part).write_text("")
    refusal(wms.load, "F1", [load_order(make_order(1001))])
    assert imported(tmp_path) == []
    if part == "loaded":
        refusal(wms.find, ["k"])


def test_a_note_that_cannot_be_read_stops_everything(tmp_path, wms):
    (tmp_path / "loaded" / "F1.json").mkdir()
    refusal(wms.find, ["k"])


def test_a_list_that_is_a_folder_is_refused(tmp_path, wms):
    (tmp_path / "orders.csv").mkdir()
    refusal(wms.find, ["k"])


def test_the_folder_is_named_in_local_toml_and_a_drill_has_its_own(tmp_path):
    agreement = make_agreement(tmp_path)
    open_wms(agreement).load("F1", [load_order(make_order(1001))])
    drill = open_wms(agreement, "drill")
    assert imported(tmp_path / "wms")
    assert drill.find([load_order(make_order(1001)).key]) == {}
    assert drill.folder == tmp_path / "wms" / "drill"
    assert json.loads((tmp_path / "wms" / "loaded" / "F1.json").read_text())[0]["path"] == "fallback"
