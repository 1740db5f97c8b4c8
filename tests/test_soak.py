"""A season of nights in which nobody keeps to the order of things: nothing is lost, nothing is loaded twice.

``make soak`` goes through the whole season; a tenth of it runs by default.
"""

from __future__ import annotations

import json
import os
import random
import shutil
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import pytest

from cli_kit import Done, Night, make_night
from fallback.records.order import Order
from fallback.records.sample import sample_orders

ACTS = 400 if os.environ.get("FALLBACK_SOAK") else 40


@dataclass
class Season:
    """One shop and one warehouse, and whoever presses the keys, as a seed has it."""

    night: Night
    chance: random.Random
    orders: list[Order] = field(default_factory=list)
    done: Counter[str] = field(default_factory=Counter)

    def act(self) -> None:
        acts = [self.sell, self.export, self.send, self.send, self.receive, self.receive, self.collect]
        act = self.chance.choice([*acts, self.damage, self.upload_again])
        act()
        self.done[act.__name__] += 1

    def sell(self) -> None:
        """More orders; the shop's export always holds all there ever were."""
        start = len(self.orders)
        at = datetime(2026, 11, 23, 12, tzinfo=UTC)
        more = sample_orders(start + self.chance.randint(1, 6), seed=7, at=at, service="Standard")[start:]
        self.orders += more
        text = "".join(order.model_dump_json() + "\n" for order in self.orders)
        (self.night.acme / "shop.jsonl").write_text(text, "utf-8")

    def export(self) -> None:
        if self.orders:
            self.allowed(self.night.export("--platform", "canonical", payload="shop.jsonl"), 0)

    def send(self) -> None:
        """Any file that was ever made, sent or not: what must not go again is refused."""
        if files := sorted(self.night.acme.glob("outgoing/*.csv")):
            self.allowed(self.night.brand("send", self.chance.choice(files)), 0, 3, 4, 7)

    def receive(self) -> None:
        self.allowed(self.night.warehouse("receive"), 0, 1, 7)

    def collect(self) -> None:
        self.allowed(self.night.brand("collect"), 0, 1, 4)

    def damage(self) -> None:
        """What waits on the drop loses its end."""
        if files := sorted(self.night.drop.glob("in/*.csv")):
            file = self.chance.choice(files)
            file.write_bytes(file.read_bytes()[: -self.chance.randint(1, 200)])

    def upload_again(self) -> None:
        """Somebody puts a file on the drop by hand, and its manifest, which may both have been there before."""
        if files := sorted(self.night.acme.glob("outgoing/*.csv")):
            file = self.chance.choice(files)
            for path in (file.with_name(f"{file.name}.manifest.json"), file):
                shutil.copy(path, self.night.drop / "in" / path.name)

    def allowed(self, done: Done, *codes: int) -> None:
        assert done.code in codes, done.text

    def calm(self) -> None:
        """Everything in its order, until there is nothing left to do."""
        for _ in range(4):
            self.receive()
            self.collect()
            self.export()
            for file in sorted(self.night.acme.glob("outgoing/*.csv")):
                self.allowed(self.night.brand("send", file), 0, 3, 4, 7)

    def loaded(self) -> list[str]:
        """The order ids that the warehouse system was handed, one for each time."""
        files = sorted(self.night.northdock.glob("wms/import/*.jsonl"))
        return [json.loads(line)["order_id"] for file in files for line in file.read_text("utf-8").splitlines()]


@pytest.mark.soak
@pytest.mark.parametrize("seed", [1, 2])
def test_in_whatever_order_things_happen_every_order_is_loaded_once(tmp_path: Path, seed: int) -> None:
    season = Season(make_night(tmp_path), random.Random(seed))
    for _ in range(ACTS):
        season.act()
        assert max(Counter(season.loaded()).values(), default=0) <= 1
    season.calm()
    assert sorted(season.loaded()) == sorted(order.order_id for order in season.orders)
    assert len(season.done) > 5
