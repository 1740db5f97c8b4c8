"""A receiver killed at every step, then started again: nothing twice, nothing lost, every order answered.

Each step of drop, ledger and loader is a point to die at, before and after it has taken effect. The warehouse system
takes its files away at once, so that no file left lying can hide a second loading.
"""

from __future__ import annotations

import random
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from fallback import database
from fallback.delivery.folder import FolderDrop
from fallback.delivery.memory import MemoryDrop
from fallback.documents.receipt import Receipt
from fallback.records.order import Order, fingerprint
from fallback.warehouse.inbox import Received, receive
from fallback.warehouse.ledger import Claim
from fallback.warehouse.loading import load_from_integration
from fallback.warehouse.wms import FileWms
from warehouse_kit import AT, Parcel, Warehouse, make_agreement, make_order, make_orders, make_parcel, states

SKUS = frozenset({"TEE-BLK-M", "0012"})
FOLDERS = ("in", "out", "work", "done", "bad")


@pytest.fixture(autouse=True)
def _process_dies_and_the_machine_does_not(monkeypatch):
    """What is killed here is a process: what it has written is there. Waiting for the disk would prove nothing more."""
    monkeypatch.setattr("os.fsync", lambda handle: None)
    real = database._connected

    def connected(connection, record):
        real(connection, record)
        connection.execute("PRAGMA synchronous = OFF")

    monkeypatch.setattr(database, "_connected", connected)


class Killed(BaseException):
    """The process ends here."""


@dataclass
class Fuse:
    """Ends the process at the n-th step, before or after it has taken effect. Counts the steps."""

    at: int = 0
    after: bool = False
    die: Callable[[], None] | None = None
    log: list[tuple[Any, ...]] = field(default_factory=list)

    @property
    def steps(self) -> int:
        return len(self.log)

    def step(self, act: Callable[[], Any], *what: Any) -> Any:
        self.log.append(what)
        here = self.steps == self.at
        if here and not self.after:
            self.blow()
        try:
            return act()
        finally:
            if here:
                self.blow()

    def blow(self) -> None:
        if self.die:
            self.die()
        raise Killed


class Fused:
    """Anything with verbs, each of which is a step of the fuse."""

    def __init__(self, real: Any, fuse: Fuse) -> None:
        self._real = real
        self._fuse = fuse

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._real, name)
        if name == "hold":
            return self._hold
        if not callable(value):
            return value
        return lambda *arguments, **terms: self._fuse.step(lambda: value(*arguments, **terms), name, *arguments)

    @contextmanager
    def _hold(self, *arguments: Any, **terms: Any) -> Any:
        with self._real.hold(*arguments, **terms) as alone:
            self._fuse.step(lambda: None)
            yield alone


@dataclass
class Night:
    """A warehouse whose system takes each file away as soon as the receiver has ended, however it ended."""

    house: Warehouse
    parcels: list[Parcel] = field(default_factory=list)
    loaded: Counter[str] = field(default_factory=Counter)

    def run(self, fuse: Fuse, **terms: Any) -> Received | None:
        house = self.house
        try:
            with house.ledger() as opened:
                return receive(
                    agreement=house.agreement,
                    drop=Fused(house.drop, fuse),
                    ledger=Fused(opened, fuse),
                    wms=Fused(FileWms(house.folder / "wms"), fuse),
                    now=lambda: next(house.clock),
                    skus=SKUS,
                    **terms,
                )
        except Killed:
            return None
        finally:
            self.take_away()

    def take_away(self) -> None:
        for file in (self.house.folder / "wms" / "import").glob("*.jsonl"):
            for line in file.read_text("utf-8").splitlines():
                self.loaded[self.house.agreement.key(Order.model_validate_json(line))] += 1
            file.unlink()

    def end(self) -> dict[str, Any]:
        """How the night ended, without the hours."""
        house = self.house
        receipts = {name: house.drop.read("out", name) for name in house.names("out")}
        answered = {name: states(Receipt.from_json(data)) for name, data in receipts.items()}
        return {"files": {name: house.names(name) for name in FOLDERS}, "answers": answered, "loaded": self.loaded}


def night(folder: Path, drop: Any = None) -> Night:
    agreement = make_agreement(folder)
    return Night(Warehouse(agreement, folder, drop or MemoryDrop("live")))


def bad_order(number: int) -> Order:
    return make_order(number, lines=[{"line_id": "9", "line_number": 1, "sku": "NO-SUCH", "quantity": 1}])


def deliver(night: Night, *parcels: Parcel) -> None:
    for parcel in parcels:
        parcel.deliver(night.house.drop)
        night.parcels.append(parcel)


def mixed(night: Night) -> None:
    """Good orders, one that the integration has loaded, one that is rejected."""
    agreement = night.house.agreement
    known = make_order(1001)
    key = agreement.key(known)
    with night.house.ledger() as opened:
        opened.record([Claim(key, fingerprint(known, key))], state="live", at=AT)
    deliver(night, make_parcel(agreement, [known, make_order(1002), bad_order(1003), make_order(1004)]))


def two_files(night: Night) -> None:
    """Two files that have an order in common."""
    agreement = night.house.agreement
    deliver(night, make_parcel(agreement, make_orders(2)), make_parcel(agreement, make_orders(2, 1002), sequence=2))


def refused(night: Night) -> None:
    """A file that was cut on its way."""
    parcel = make_parcel(night.house.agreement, make_orders(2))
    deliver(night, Parcel(parcel.name, parcel.data[:-9], parcel.manifest))


def again(night: Night) -> None:
    """A file that was answered before, and comes again."""
    deliver(night, make_parcel(night.house.agreement, make_orders(2)))
    night.run(Fuse())
    night.parcels[0].deliver(night.house.drop)


def changed(night: Night) -> None:
    """Another file under the name of one that was answered before."""
    deliver(night, make_parcel(night.house.agreement, make_orders(2)))
    night.run(Fuse())
    make_parcel(night.house.agreement, [make_order(2001)]).deliver(night.house.drop)


SCENES = [mixed, two_files, refused, again, changed]


def steps_of(scene: Callable[[Night], None], folder: Path) -> tuple[int, dict[str, Any]]:
    whole = night(folder)
    scene(whole)
    fuse = Fuse()
    whole.run(fuse)
    return fuse.steps, whole.end()


def check(told: Night, expected: dict[str, Any]) -> tuple[int, int, int]:
    """How many orders were loaded twice, lost, and not answered for."""
    end = told.end()
    assert end == expected
    twice = sum(count > 1 for count in end["loaded"].values())
    lost = sum(key not in end["loaded"] for key in expected["loaded"])
    answers = {}
    for parcel in told.parcels:
        answers.update((order.key, order) for order in told.house.out(parcel).orders)
    unanswered = sum(key not in answers for parcel in told.parcels for key in parcel.keys)
    # What is said to be accepted is loaded, and nothing else is.
    assert {key for key, order in answers.items() if order.state == "accepted"} <= set(end["loaded"])
    return twice, lost, unanswered


@pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene.__name__)
def test_killed_after_every_step_the_night_ends_as_if_nothing_had_happened(tmp_path, scene):
    steps, expected = steps_of(scene, tmp_path)
    totals = [0, 0, 0]
    for at in range(1, steps + 1):
        folder = tmp_path / str(at)
        folder.mkdir()
        told = night(folder)
        scene(told)
        assert told.run(Fuse(at, after=True)) is None
        told.run(Fuse())
        totals = [a + b for a, b in zip(totals, check(told, expected), strict=True)]
    print(f"{scene.__name__}: killed at {steps} steps, loaded twice {totals[0]}, lost {totals[1]}, "
          f"unanswered {totals[2]}")  # fmt: skip
    assert totals == [0, 0, 0]
    assert steps > 10


def test_killed_again_and_again_it_still_comes_to_an_end(tmp_path):
    """The receiver dies at a random step of every run until one run happens to come through."""
    rng = random.Random(20261123)
    totals = Counter()
    for turn in range(10):
        folder = tmp_path / str(turn)
        folder.mkdir()
        scene = rng.choice(SCENES)
        (folder / "whole").mkdir()
        steps, expected = steps_of(scene, folder / "whole")
        told = night(folder)
        scene(told)
        while told.run(Fuse(rng.randint(1, steps + 5), rng.random() < 0.5)) is None:
            totals["kills"] += 1
        told.run(Fuse())
        totals.update(dict(zip(("twice", "lost", "unanswered"), check(told, expected), strict=True)))
    print(dict(totals))
    assert totals["kills"] > 10
    assert totals["twice"] == totals["lost"] == totals["unanswered"] == 0


VICTIM = """
import os, signal, sys
from pathlib import Path
from test_receive_crash import Fuse, FolderDrop, night

folder, at, after = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3] == "after"
told = night(folder, FolderDrop(folder / "drop", "live"))
told.take_away = lambda: None
told.run(Fuse(at, after, die=lambda: os.kill(os.getpid(), signal.SIGKILL)))
"""


def test_a_real_process_killed_with_kill_9_loses_nothing(tmp_path):
    whole = tmp_path / "whole"
    whole.mkdir()
    steps, expected = steps_of(mixed, whole)
    points = [(at, ("before", "after")[at % 2]) for at in range(4, steps, max(steps // 5, 1))]
    victims = []
    for at, when in points:
        folder = tmp_path / f"{at}-{when}"
        folder.mkdir()
        told = night(folder, FolderDrop(folder / "drop", "live", create=True))
        mixed(told)
        command = [sys.executable, "-c", VICTIM, str(folder), str(at), when]
        victims.append((told, subprocess.Popen(command, cwd=Path(__file__).parent)))
    totals = [0, 0, 0]
    for told, victim in victims:
        assert victim.wait() == -signal.SIGKILL
        told.take_away()
        told.run(Fuse())
        totals = [a + b for a, b in zip(totals, check(told, expected), strict=True)]
    print(f"kill -9 at {len(points)} points: loaded twice {totals[0]}, lost {totals[1]}, unanswered {totals[2]}")
    assert totals == [0, 0, 0]


@pytest.mark.parametrize("part", ["data", "manifest"])
@pytest.mark.parametrize("step", ["claim", "put away"])
def test_a_rename_of_two_steps_that_was_cut_between_them_is_finished(tmp_path, step, part):
    """On a folder a rename is a link and an unlink: killed between the two, the file is in both folders."""
    told = night(tmp_path, FolderDrop(tmp_path / "drop", "live", create=True))
    mixed(told)
    parcel = told.parcels[0]
    name = parcel.name if part == "data" else parcel.manifest.name
    drop = tmp_path / "drop"
    if step == "claim":
        (drop / "work").mkdir()
        if part == "manifest":
            (drop / "in" / parcel.name).rename(drop / "work" / parcel.name)
        (drop / "work" / name).hardlink_to(drop / "in" / name)
    else:
        (tmp_path / "trial").mkdir()
        trial, fuse = night(tmp_path / "trial"), Fuse()
        mixed(trial)
        trial.run(fuse)
        told.run(Fuse(at=1 + fuse.log.index(("move", name, "work", "done"))))
        (drop / "done").mkdir(exist_ok=True)
        (drop / "done" / name).hardlink_to(drop / "work" / name)
    result = told.run(Fuse())
    assert result is not None
    assert result.notes == ()
    (tmp_path / "whole").mkdir()
    check(told, steps_of(mixed, tmp_path / "whole")[1])


def test_the_integration_killed_at_every_step_loads_each_order_once(tmp_path):
    """Its queue comes again from the start after each kill, shuffled."""
    rng = random.Random(7)
    orders = make_orders(4)
    at = 0
    while True:
        at += 1
        folder = tmp_path / str(at)
        folder.mkdir()
        told = night(folder)
        deliver(told, make_parcel(told.house.agreement, orders[:1]))
        told.run(Fuse())
        survived = through_us(told, orders, Fuse(at, after=bool(at % 2)))
        again = through_us(told, rng.sample(orders, 4), Fuse())
        assert told.loaded == Counter(told.house.agreement.key(order) for order in orders)
        assert {answer.state for answer in again} <= {"accepted", "duplicate-same"}
        if survived:
            break
    print(f"integration: killed at {at - 1} steps, loaded twice 0, lost 0")
    assert at > 15


def through_us(told: Night, orders: list[Order], fuse: Fuse) -> Any:
    house = told.house
    try:
        with house.ledger() as opened:
            return load_from_integration(
                orders,
                agreement=house.agreement,
                ledger=Fused(opened, fuse),
                wms=Fused(FileWms(house.folder / "wms"), fuse),
                now=lambda: AT,
            )
    except Killed:
        return None
    finally:
        told.take_away()
