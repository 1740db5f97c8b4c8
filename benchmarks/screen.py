"""How fast a large file is validated, beside the parse of the same file alone: whole processes, interleaved.

Run as ``python benchmarks/screen.py [LINES] [ROUNDS]``. The targets are goals; nothing fails here.
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
from typing import NamedTuple

from order_lines import FORMAT, make

PARSE = """
import sys
from pyarrow import csv
import pyarrow as pa
names = open(sys.argv[1], encoding="utf-8").readline().strip().split(",")
reader = csv.open_csv(
    sys.argv[1],
    read_options=csv.ReadOptions(use_threads=False),
    parse_options=csv.ParseOptions(newlines_in_values=True),
    convert_options=csv.ConvertOptions(column_types={name: pa.string() for name in names}),
)
print(sum(batch.num_rows for batch in reader))
"""
TARGETS = {"clean": (2.2, 1.8, 320, "parse"), "1 % bad": (1.3, 1.3, 320, "clean"), "all bad": (2.0, 2.0, 320, "clean")}
"""Of each file how many times the CPU and the wall time of its peer are the goal, and how many megabytes."""


class Cost(NamedTuple):
    """What a process has used: seconds of CPU, seconds of wall time, megabytes of memory at the most."""

    cpu: float
    wall: float
    memory: float


def run(command: list[str], allowed: tuple[int, ...]) -> Cost:
    started = perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stdin=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    wall = perf_counter() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode not in allowed:
        sys.exit(f"{' '.join(command[1:])[:200]} ended with {process.returncode}")
    return Cost(used.ru_utime + used.ru_stime, wall, used.ru_maxrss / 1024)


def main() -> None:
    lines = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 5
    with tempfile.TemporaryDirectory() as temporary:
        files = {name: Path(temporary) / f"{name.replace(' ', '-')}.csv" for name in TARGETS}
        for (name, file), bad in zip(files.items(), (0.0, 0.01, 1.0), strict=True):
            print(f"{name}: writing {lines:,} lines", file=sys.stderr)
            make(lines, file, bad)
        validate = [sys.executable, "-m", "fallback", "validate", "--format", str(FORMAT)]
        commands = {"parse": ([sys.executable, "-c", PARSE, str(files["clean"])], (0,))}
        commands |= {name: ([*validate, str(file)], (0,) if name == "clean" else (1,)) for name, file in files.items()}
        costs: dict[str, list[Cost]] = {name: [] for name in commands}
        for number in range(rounds + 1):
            for name, (command, allowed) in commands.items():
                cost = run(command, allowed)
                if number:  # the first round compiles and warms the caches
                    costs[name].append(cost)
    report(lines, costs)


def report(lines: int, costs: dict[str, list[Cost]]) -> None:
    rounds = len(costs["parse"])
    stamp = datetime.now(UTC).strftime("%Y-%m-%d")
    print(f"{lines:,} lines, {rounds} interleaved rounds, Python {sys.version.split()[0]}, {stamp}")
    print(f"{'':10}{'CPU s':>8}{'from .. to':>15}{'wall s':>8}{'MB':>6}{'CPU':>9}{'wall':>9}  beside (goals)")
    for name, some in costs.items():
        cpu = [cost.cpu for cost in some]
        line = f"{name:10}{statistics.median(cpu):8.2f}{f'{min(cpu):.2f} .. {max(cpu):.2f}':>15}"
        line += f"{statistics.median(cost.wall for cost in some):8.2f}{max(cost.memory for cost in some):6.0f}"
        if name in TARGETS:
            goal_cpu, goal_wall, memory, peer = TARGETS[name]
            # The ratio of each round: what else the machine did meanwhile, both have felt.
            pairs = list(zip(some, costs[peer], strict=True))
            times = [statistics.median(one.cpu / other.cpu for one, other in pairs)]
            times += [statistics.median(one.wall / other.wall for one, other in pairs)]
            line += "".join(f"{value:7.2f} x" for value in times)
            line += f"  {peer} ({goal_cpu} x, {goal_wall} x, {memory} MB)"
        print(line)


if __name__ == "__main__":
    main()
