"""What the screen has found so far: complete counts, the first findings of each code, and who is rejected.

Nothing here grows with the file but a few numbers and the identifying texts of each rejected order.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np

from fallback.documents.report import Rejected
from fallback.findings import Finding, Place
from fallback.formats.assemble import ReadOrder, is_name, order_name
from fallback.records.order import Order
from fallback.validation.checks import Terms
from fallback.validation.screen import arrays
from fallback.validation.screen.arrays import Ints
from fallback.validation.screen.blocks import Batch
from fallback.validation.screen.columns import CODES
from fallback.validation.screen.orders import CELLS, GOOD, Judge, Judged

Codes = tuple[str, ...]
_DIFFER = "order-fields-differ"


@dataclass(frozen=True)
class _Refused:
    """The orders of one batch that their cells or their rows refuse: first rows, identifying texts, and codes."""

    records: Ints
    lines: Ints
    identity: list[Any]
    number: Any
    codes: list[Codes]


@dataclass
class Tally:
    """``most`` findings of each code are listed, None for all; ``first`` so many of all are kept for the diagnosis.

    ``doubtful`` tells that a refused order lacks what its key has a stand-in for (``stand_ins``): it may be another.
    """

    judge: Judge
    terms: Terms
    most: int | None
    first: int
    stand_ins: frozenset[str]
    totals: Counter[str] = field(default_factory=Counter)
    listed: Counter[str] = field(default_factory=Counter)
    findings: list[tuple[int, Finding]] = field(default_factory=list)
    orders: int = 0
    accepted: int = 0
    lines: int = 0
    units: int = 0
    refused: list[_Refused] = field(default_factory=list)
    apart: list[tuple[Place, Rejected]] = field(default_factory=list)
    doubtful: bool = False
    torn: list[tuple[int, Order]] = field(default_factory=list)
    bad: list[Ints] = field(default_factory=list)

    def take(self, batch: Batch, judged: Judged, torn: Any) -> None:
        """Count the orders of a batch that the exact reader does not judge. ``torn`` are rows that wait for others."""
        own = judged.kinds <= CELLS
        if torn is not None:
            own &= ~torn
        good = own & (judged.kinds == GOOD)
        self.orders += int(own.sum())
        self.accepted += int(good.sum())
        self.lines += int(batch.lengths[good].sum())
        self.units += int(judged.units[good].sum())
        if good.all():
            return
        self.bad.append(batch.record + batch.starts[~good])
        rows, numbers = judged.rows, judged.numbers
        differing, sets = judged.differing
        if torn is not None:
            kept, kept_differing = ~torn[batch.run_of[rows]], ~torn[batch.run_of[differing]]
            rows, numbers, differing, sets = rows[kept], numbers[kept], differing[kept_differing], sets[kept_differing]
        if len(rows):
            self._cells(batch, rows, numbers)
        if len(differing):
            self._rows(batch, differing, sets)

    def _cells(self, batch: Batch, rows: Ints, numbers: Ints) -> None:
        codes = self.judge.verdicts.codes(numbers)
        runs = batch.run_of[rows]
        self._refuse(batch, runs, codes)
        for at in self._wanted(codes):
            row, run = int(rows[at]), int(runs[at])
            verdict = self.judge.verdicts[int(numbers[at])]
            self._list(
                batch.record + int(batch.starts[run]),
                Finding(
                    verdict.code,
                    self._place(batch, row),
                    order=self._name(batch, run),
                    order_line=self.judge.order_line(batch, row, run, verdict) if verdict.of_line else None,
                    field=verdict.field,
                    path=verdict.path,
                    found=verdict.found,
                    expected=verdict.expected,
                ),
            )

    def _rows(self, batch: Batch, rows: Ints, sets: Ints) -> None:
        runs = batch.run_of[rows]
        codes = np.full(len(rows), CODES.index(_DIFFER))
        self._refuse(batch, runs, codes)
        for at in self._wanted(codes):
            row, run = int(rows[at]), int(runs[at])
            start = int(batch.starts[run])
            self._list(
                batch.record + start,
                Finding(
                    _DIFFER,
                    self._place(batch, row),
                    order=self._name(batch, run),
                    field=self.judge.differing_fields(int(sets[at])),
                    found="another value",
                    expected=f"the same as in line {batch.lines[start]}",
                ),
            )

    def _refuse(self, batch: Batch, runs: Ints, of: Ints) -> None:
        """Keep who is refused and why: the codes of each order once, in the order of their places."""
        for code, count in enumerate(np.bincount(of).tolist()):
            if count:
                self.totals[CODES[code]] += count
        _, first = np.unique(runs * len(CODES) + of, return_index=True)
        first.sort()
        runs, of = runs[first], of[first]
        begins = np.flatnonzero(np.append(True, runs[1:] != runs[:-1]))
        ends = np.append(begins[1:], len(runs)).tolist()
        each = of.tolist()
        codes = [_codes(*each[begin:end]) for begin, end in zip(begins.tolist(), ends, strict=True)]
        starts = batch.starts[runs[begins]]
        identity = [arrays.take(batch.columns[index], starts) for index in self.judge.identity]
        for path, column in zip(self.judge.paths, identity, strict=True):
            self.doubtful |= path in self.stand_ins and not all(map(is_name, column.unique().to_pylist()))
        self.refused.append(
            _Refused(
                batch.record + starts,
                batch.lines[starts],
                identity,
                arrays.take(batch.columns[self.judge.number_at], starts),
                codes,
            )
        )

    def _wanted(self, codes: Ints) -> Any:
        """Which of these findings are listed, or told to the diagnosis."""
        if self.most is None:
            return range(len(codes))
        wanted = np.zeros(len(codes), bool)
        wanted[: max(0, self.first - len(self.findings))] = True
        for code in np.unique(codes).tolist():
            wanted[np.flatnonzero(codes == code)[: max(0, self.most - self.listed[CODES[code]])]] = True
        return np.flatnonzero(wanted)

    def _list(self, record: int, finding: Finding) -> None:
        self.listed[finding.code] += 1
        self.findings.append((record, finding))

    def _place(self, batch: Batch, row: int) -> Place:
        return Place(self.terms.file, int(batch.lines[row]), batch.record + row)

    def _name(self, batch: Batch, run: int) -> str:
        start = int(batch.starts[run])
        return order_name(batch.columns[self.judge.number_at][start].as_py(), batch.record + start)

    def read(self, order: ReadOrder, found: Sequence[Finding], *, torn: bool) -> None:
        """Count an order that the exact reader has judged."""
        self.orders += 1
        found = list(dict.fromkeys(found))
        codes = tuple(dict.fromkeys(finding.code for finding in found if finding.is_error))
        for finding in found:
            self.totals[finding.code] += 1
            if self.most is None or len(self.findings) < self.first or self.listed[finding.code] < self.most:
                self._list(order.place.record, finding)
        if order.order is not None and not codes:
            self.accepted += 1
            self.lines += len(order.order.lines)
            self.units += order.order.units
            if torn:
                self.torn.append((order.place.record, order.order))
        else:
            key = None if order.shifted else self.terms.key_of(order)
            self.doubtful |= any(path in self.stand_ins and not is_name(text) for path, text in order.identity)
            self.apart.append((order.place, Rejected(order.number, key, codes or ("file-refused",))))
            self.bad.append(np.array([order.place.record]))

    @property
    def rejected(self) -> int:
        return self.orders - self.accepted

    def rejections(self) -> Iterator[Rejected]:
        """Who is rejected, in the order of the file."""
        apart = sorted(self.apart, key=lambda one: one[0])
        at = 0
        for record, rejected in sorted_by_record(self._refusals()):
            while at < len(apart) and apart[at][0].record < record:
                yield apart[at][1]
                at += 1
            yield rejected
        yield from (rejected for _, rejected in apart[at:])

    def _refusals(self) -> Iterator[list[tuple[int, Rejected]]]:
        for some in self.refused:
            texts = [column.to_pylist() for column in some.identity]
            made = []
            rows = zip(some.records.tolist(), some.lines.tolist(), some.number.to_pylist(), some.codes, strict=True)
            for index, (record, line, number, codes) in enumerate(rows):
                identity = tuple((path, column[index]) for path, column in zip(self.judge.paths, texts, strict=True))
                place = Place(self.terms.file, line, record)
                name = order_name(number, record)
                key = self.terms.key_of(ReadOrder(None, name, place, (), None, (), identity=identity))
                made.append((record, Rejected(name, key, codes)))
            yield made

    def told(self) -> list[Finding]:
        """The findings about orders that are kept, order by order."""
        self.findings.sort(key=lambda one: one[0])
        return [finding for _, finding in self.findings]


@lru_cache(maxsize=4096)
def _codes(*numbers: int) -> Codes:
    return tuple(CODES[number] for number in numbers)


def sorted_by_record(batches: Iterable[list[tuple[int, Rejected]]]) -> Iterator[tuple[int, Rejected]]:
    """What each batch gives is of two kinds, one behind the other, and no batch reaches into the next."""
    pending: list[tuple[int, Rejected]] = []
    for batch in batches:
        if pending and batch and batch[0][0] > pending[-1][0]:
            yield from sorted(pending, key=lambda one: one[0])
            pending = []
        pending += batch
    yield from sorted(pending, key=lambda one: one[0])
