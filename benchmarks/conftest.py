"""Figures beside those of a peer that is measured in the same run. No timing is asserted."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from fallback.formats.library import load_format
from fallback.formats.write import write
from fallback.records.order import Order
from fallback.records.sample import sample_orders
from support.sshd import Sshd, running_sshd

AT = datetime(2026, 11, 23, 14, tzinfo=UTC)


@dataclass
class Table:
    """The medians of a run, by what was done and by whom. Peers are those that are not ``fallback``."""

    medians: dict[str, dict[str, float]] = field(default_factory=dict)

    def lines(self) -> Iterator[str]:
        yield f"{'':34}{'median':>12}{'ratio':>9}  beside"
        for what, by in self.medians.items():
            peers = {name: seconds for name, seconds in by.items() if not name.startswith("fallback")}
            for name, seconds in by.items():
                if name in peers:
                    continue
                title = what + name.removeprefix("fallback")
                yield f"{title:34}{_time(seconds):>12}"
                for peer, other in peers.items():
                    yield f"{'':34}{_time(other):>12}{seconds / other:>7.2f} x  {peer}"


def _time(seconds: float) -> str:
    return f"{seconds * 1000:,.1f} ms"


TABLE = pytest.StashKey[Table]()
Measure = Callable[..., Any]


def pytest_configure(config: pytest.Config) -> None:
    config.stash[TABLE] = Table()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    table = config.stash[TABLE]
    if table.medians:
        terminalreporter.section("beside their peers, in this run")
        for line in table.lines():
            terminalreporter.write_line(line)


@pytest.fixture
def measure(benchmark: Any, request: pytest.FixtureRequest) -> Measure:
    """Run a function some rounds, and enter its median under what it does and who does it. Returns its last result."""

    def run(what: str, by: str, function: Callable[..., Any], *, rounds: int, setup: Callable[[], Any] | None = None):
        benchmark.group = what
        gc.collect()
        gc.freeze()  # what is there already, sample orders of other benchmarks too, is not searched for garbage
        result = benchmark.pedantic(function, setup=setup, rounds=rounds, warmup_rounds=1)
        gc.unfreeze()
        if benchmark.stats is not None:
            request.config.stash[TABLE].medians.setdefault(what, {})[by] = benchmark.stats.stats.median
        return result

    return run


@cache
def orders_of(lines: int) -> tuple[Order, ...]:
    """Sample orders of that many lines together."""
    taken: list[Order] = []
    left = lines
    for order in sample_orders(lines, at=AT):
        if left <= 0:
            break
        taken.append(order.model_copy(update={"lines": order.lines[:left]}))
        left -= len(taken[-1].lines)
    return tuple(taken)


@cache
def file_of(lines: int) -> bytes:
    """The file of these orders in the format ``order-lines-csv``."""
    return write(load_format("order-lines-csv"), orders_of(lines)).data


@pytest.fixture(scope="session")
def sshd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    """A real OpenSSH server; where there is none its benchmarks are skipped."""
    with running_sshd(tmp_path_factory.mktemp("sshd")) as server:
        yield server


@pytest.fixture
def folders(tmp_path: Path) -> Path:
    """The folders of a drop."""
    for name in ("in", "out"):
        (tmp_path / name).mkdir()
    return tmp_path
