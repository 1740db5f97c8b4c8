"""How long a command takes from the shell, beside a Python that only imports pydantic: interleaved, medians, spread.

Run as ``python benchmarks/start_up.py [ROUNDS]``. The targets are goals; nothing fails here.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter

from fallback.records.sample import sample_orders

LINES = 1_000
AT = "2026-11-23T14:00:00Z"
FALLBACK = [sys.executable, "-m", "fallback"]
PEERS = {
    "import pydantic": [sys.executable, "-c", "import pydantic"],
    "from pydantic import BaseModel": [sys.executable, "-c", "from pydantic import BaseModel"],
}


def environment() -> dict[str, str]:
    """What a person's shell has: modules are compiled once, and nothing traces."""
    strange = ("PYTHONDONTWRITEBYTECODE", "PYTHONPATH", "COVERAGE_PROCESS_START", "PYTHONUNBUFFERED")
    return {name: value for name, value in os.environ.items() if name not in strange}


def prepare(folder: Path) -> Path:
    """A brand's folder with a fallback file of 1,000 lines, its manifest beside it. Returns the file."""
    orders, lines = [], 0
    for order in sample_orders(LINES, at=datetime.fromisoformat(AT), service="Standard"):
        if lines >= LINES:
            break
        orders.append(order.model_copy(update={"lines": order.lines[: LINES - lines]}))
        lines += len(orders[-1].lines)
    payload = folder / "orders.jsonl"
    payload.write_text("".join(order.model_dump_json() + "\n" for order in orders), "utf-8")
    brand = folder / "acme"
    said = ["--brand", "acme", "--warehouse", "northdock", "--drop", "folder:drop"]
    run([*FALLBACK, "init", str(brand), *said], folder)
    run([*FALLBACK, "export", str(payload), "--platform", "canonical", "--at", AT], brand)
    return next(brand.glob("outgoing/*.csv"))


def run(command: list[str], folder: Path) -> float:
    """Seconds of wall time of a command that must succeed."""
    started = perf_counter()
    done = subprocess.run(
        command, cwd=folder, env=environment(), stdin=subprocess.DEVNULL, capture_output=True, check=False
    )
    seconds = perf_counter() - started
    if done.returncode:
        sys.exit(f"{' '.join(command[1:])} ended with {done.returncode}:\n{done.stderr.decode()[-2000:]}")
    return seconds


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 15
    with tempfile.TemporaryDirectory() as temporary:
        file = prepare(Path(temporary))
        ours = {
            "fallback --help": ([*FALLBACK, "--help"], "import pydantic", 2.0),
            f"fallback validate, {LINES:,} lines, by format": (
                [*FALLBACK, "validate", str(file), "--format", "order-lines-csv"],
                "from pydantic import BaseModel",
                3.0,
            ),
            f"fallback validate, {LINES:,} lines, by agreement": (
                [*FALLBACK, "validate", str(file)],
                "from pydantic import BaseModel",
                3.0,
            ),
        }
        commands = {**PEERS, **{name: command for name, (command, _, _) in ours.items()}}
        times: dict[str, list[float]] = {name: [] for name in commands}
        for number in range(rounds + 1):
            for name, command in commands.items():
                seconds = run(command, file.parent.parent)
                if number:  # the first round compiles and warms the caches
                    times[name].append(seconds)
    report(times, {name: (peer, target) for name, (_, peer, target) in ours.items()})


def report(times: dict[str, list[float]], peers: dict[str, tuple[str, float]]) -> None:
    rounds = len(next(iter(times.values())))
    stamp = datetime.now(UTC).strftime("%Y-%m-%d")
    print(f"start-up, {rounds} interleaved rounds, Python {sys.version.split()[0]}, {stamp}")
    print(f"{'':46}{'median':>10}{'from .. to':>20}{'ratio':>9}{'goal':>9}  beside")
    for name, seconds in times.items():
        spread = f"{min(seconds) * 1000:.0f} .. {max(seconds) * 1000:.0f} ms"
        line = f"{name:46}{statistics.median(seconds) * 1000:>7.0f} ms{spread:>20}"
        if name in peers:
            peer, target = peers[name]
            ratio = statistics.median(seconds) / statistics.median(times[peer])
            line += f"{ratio:>7.2f} x{target:>7.1f} x  {peer}"
        print(line)


if __name__ == "__main__":
    main()
