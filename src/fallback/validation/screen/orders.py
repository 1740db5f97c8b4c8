"""Batches of whole orders: which of them are proven good, what the cells of the others say, and which go to the exact
reader.

An order is one of these: *good*; one whose rows disagree, and nothing else is said of it; one whose cells are wrong,
each by itself, and what the exact reader finds is the sum of their verdicts; or one for the exact reader.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow.compute as pc

from fallback.formats.assemble import Desk
from fallback.formats.kinds.rows import Row
from fallback.formats.shape import Column, Shape
from fallback.records.paths import PATHS
from fallback.validation.checks import like_drill
from fallback.validation.screen import arrays
from fallback.validation.screen.arrays import Bools, Ints
from fallback.validation.screen.blocks import Batch, Unproven
from fallback.validation.screen.columns import ORDER, Cells, Verdict, Verdicts

_MOST_OWN = 62  # fields of the order: each is one bit of a number

GOOD, DIFFER, CELLS, EXACT = 0, 1, 2, 3


@dataclass(frozen=True)
class Judged:
    """What is known of the orders of one batch, by their position in it.

    ``kinds`` is one of the words above; ``units`` of each order. ``rows``, ``numbers`` are cells with a verdict, of
    orders of the kind CELLS only, in the order of the file; ``differing`` rows of orders whose rows disagree, with the
    fields.
    """

    kinds: Any
    units: Ints
    rows: Ints
    numbers: Ints
    differing: tuple[Ints, Ints]


class Judge:
    """Judges batches of one format. One use, one file."""

    def __init__(self, desk: Desk, also: Mapping[str, Callable[[str], bool]], most_units: int | None) -> None:
        shape = desk.shape.rows[0]
        fmt = desk.shape.format
        self.desk = desk
        self.verdicts = Verdicts(column.field.name for column in shape.columns)
        self.most_units = most_units
        derived = derived_columns(desk.shape)

        def cells(column: Column) -> Cells:
            path = column.field.path or ""
            lacks = [one for one in (column, *derived.get(path, ())) if one.info and one.info.required]
            lacking = any(one.info and one.info.path not in desk.defaults for one in lacks)
            return Cells(column, desk, self.verdicts, lacking, also.get(path), derived.get(path, ()))

        self.own = shape.own_columns
        self.tied = [column.index for path in fmt.ties if (column := shape.column(path))]
        self.heads = {column.index: cells(column) for column in self.own}
        self.each = {column.index: cells(column) for column in shape.line_columns}
        self.number = shape.column("order_number")
        self.quantity = shape.column("lines.quantity")
        self.price = shape.column("lines.unit_price")
        self.currency = shape.column("currency")
        self.declared_lines = shape.column("order_lines")
        self.declared_units = shape.column("order_units")
        self.once = [column for path in fmt.once if (column := shape.column(path))]
        self.marked = [c.index for path in ("order_number", "order_id") if (c := shape.column(path))]
        self.paths = [path for path in fmt.identity() if shape.column(path)]
        self.identity = [column.index for path in self.paths if (column := shape.column(path))]
        self.number_at = self.number.index if self.number is not None else 0
        self.line_number = shape.column("lines.line_number")
        self.indexes = {column.field.name: column.index for column in shape.columns}

    def order_line(self, batch: Batch, row: int, run: int, verdict: Verdict) -> int:
        """What the exact reader calls the line of a row: its number, where it has been read by then, or its place."""
        column = self.line_number
        if column is not None and (verdict.late or column.index < self.indexes[verdict.field]):
            _, number = self.each[column.index].verdict(batch.columns[column.index][row].as_py())
            if number >= 0:
                return number
        return row - int(batch.starts[run]) + 1

    def judge(self, batch: Batch) -> Judged:
        """Raises Unproven where a row may be a blank one, or an order carry the marker of a drill."""
        self._refuse(batch)
        kinds = np.zeros(len(batch.starts), np.int8)
        differing = self._differing(batch, kinds)
        found: list[tuple[Ints, Ints]] = []
        alike = kinds == GOOD
        head_rows = batch.starts if alike.all() else batch.starts[alike]
        integers: dict[int, Ints] = {}
        if len(head_rows):
            for index, judge in self.heads.items():
                texts = arrays.take(batch.columns[index], head_rows)
                if judge.column.whole:
                    places, numbers, values = judge.integers(texts)
                    integers[index] = np.full(len(batch.starts), -1)
                    integers[index][alike] = values
                else:
                    places, numbers = judge.judge(texts, clean=batch.clean)
                if len(places):
                    found.append((head_rows[places], numbers))
        wrong: dict[int, Ints] = {}
        rows_alike = self._rows_alike(batch, kinds)
        for index, judge in self.each.items():
            texts = batch.columns[index] if rows_alike is None else arrays.take(batch.columns[index], rows_alike)
            if judge.column.whole:
                places, numbers, values = judge.integers(texts)
                integers[index] = values if rows_alike is None else np.full(batch.rows, -1)
                if rows_alike is not None:
                    integers[index][rows_alike] = values
            else:
                places, numbers = judge.judge(texts, clean=batch.clean)
            if len(places):
                places = places if rows_alike is None else rows_alike[places]
                found.append((places, numbers))
                wrong[index] = places
        once = self._once(batch, kinds, integers, wrong)
        doubled = np.zeros(len(kinds), bool)
        if once:
            again = np.array(once, np.int64)
            found.append((again[:, 0], again[:, 1]))
            doubled[batch.run_of[again[:, 0]]] = True
        rows, numbers = self._sum(batch, kinds, found)
        units = self._together(batch, kinds, integers, doubled)
        if self.most_units is not None:
            kinds[(units > self.most_units) & (kinds == GOOD)] = EXACT
        if len(rows):
            kept = kinds[batch.run_of[rows]] == CELLS
            rows, numbers = rows[kept], numbers[kept]
        return Judged(kinds, units, rows, numbers, differing)

    @staticmethod
    def _rows_alike(batch: Batch, kinds: Any) -> Ints | None:
        """The rows of orders whose rows agree; None where nearly all are, and all may be looked at."""
        differ = kinds == DIFFER
        if batch.lengths[differ].sum() * 10 < batch.rows:
            return None
        return np.flatnonzero(~differ[batch.run_of])

    def _refuse(self, batch: Batch) -> None:
        first = batch.columns[self.tied[0]]
        at, data = arrays.offsets(first)
        sizes = at[1:] - at[:-1]
        blank = sizes == 0
        if len(data):
            blank |= data[np.minimum(at[:-1], len(data) - 1)] == ord(" ")
        if blank.any():
            strip = self.desk.shape.format.delimited.delimiter + " \t"
            for cells in row_cells(batch, np.flatnonzero(blank)):
                if not "".join(cells).strip(strip):
                    raise Unproven("a row that is blank")
        for index in self.marked:
            heads = arrays.take(batch.columns[index], batch.starts)
            at, data = arrays.offsets(heads)
            begins = data[np.minimum(at[:-1], max(len(data) - 1, 0))] | 0x20 if len(data) else data
            if (begins == ord("d")).any() and any(map(like_drill, heads.to_pylist())):
                raise Unproven("the marker of a drill")

    def _differing(self, batch: Batch, kinds: Any) -> tuple[Ints, Ints]:
        """Orders whose rows disagree: the first row of each set of fields in which rows differ from the first."""
        others = [column.index for column in self.own if column.index not in self.tied]
        none = np.zeros(0, np.int64)
        if batch.rows == len(batch.starts) or not others:
            return none, none
        equals = arrays.neighbours([batch.columns[index] for index in others])
        same = arrays.both(equals)
        same[batch.starts[1:] - 1] = True
        if same.all():
            return none, none
        runs = np.unique(batch.run_of[np.flatnonzero(~same) + 1])
        kinds[runs] = DIFFER
        rows = np.flatnonzero(kinds[batch.run_of] == DIFFER)
        firsts = batch.starts[batch.run_of[rows]]
        bits = np.zeros(len(rows), np.int64)
        within = np.ones(batch.rows - 1, bool)
        within[batch.starts[1:] - 1] = False
        for bit, index in enumerate(others):
            if (arrays.bools(equals[bit]) | ~within).all():
                continue  # no row says otherwise than the one above it
            column = batch.columns[index]
            equal = arrays.bools(pc.equal(arrays.take(column, rows), arrays.take(column, firsts)))
            bits |= np.where(equal, 0, 1 << bit)
        rows, bits = rows[bits != 0], bits[bits != 0]
        order = np.lexsort((rows, bits, batch.run_of[rows]))
        runs, sets = batch.run_of[rows[order]], bits[order]
        first = np.append(True, (runs[1:] != runs[:-1]) | (sets[1:] != sets[:-1]))
        kept = np.sort(order[first])
        return rows[kept], bits[kept]

    def differing_fields(self, bits: int) -> str:
        """The names of the fields that a number of ``differing`` stands for."""
        others = [column for column in self.own if column.index not in self.tied]
        return ", ".join(column.field.name for bit, column in enumerate(others) if bits >> bit & 1)

    def _sum(self, batch: Batch, kinds: Any, found: list[tuple[Ints, Ints]]) -> tuple[Ints, Ints]:
        """All cells with a verdict in the order of their places; orders that no cell alone can judge are EXACT."""
        none = np.zeros(0, np.int64)
        if not found:
            return none, none
        rows = np.concatenate([rows for rows, _ in found])
        numbers = np.concatenate([numbers for _, numbers in found])
        runs = batch.run_of[rows]
        free = kinds[runs] != DIFFER
        rows, numbers, runs = rows[free], numbers[free], runs[free]
        kinds[runs[kinds[runs] == GOOD]] = CELLS
        kinds[runs[numbers == ORDER]] = EXACT
        numbers = np.maximum(numbers, 0)
        fields = self.verdicts.fields(numbers)
        odd = np.flatnonzero(self.verdicts.strange(numbers))
        if len(odd) > 1:  # two fields with what cannot stand there: the cells of the order may have moved
            width = len(self.verdicts.ranks)
            of, count = np.unique(np.unique(runs[odd] * width + fields[odd]) // width, return_counts=True)
            kinds[of[count > 1]] = EXACT
        order = np.lexsort((fields, rows))
        return rows[order], numbers[order]

    def _once(
        self, batch: Batch, kinds: Any, integers: dict[int, Ints], wrong: dict[int, Ints]
    ) -> list[tuple[int, int]]:
        """The rows of lines that an order has twice, with their verdict. Where two fields say so, or such a field is
        wrong itself (``wrong``: the rows by column), the order is EXACT."""
        told: dict[int, tuple[int, int]] = {}
        for column in self.once:
            bad = np.zeros(batch.rows, bool)
            bad[wrong.get(column.index, [])] = True
            for row, number in self._each_once(batch, kinds, column, integers.get(column.index), bad):
                run = int(batch.run_of[row])
                if told.setdefault(run, (row, number)) != (row, number) or number == ORDER:
                    kinds[run] = EXACT
        return [one for run, one in told.items() if kinds[run] != EXACT]

    def _together(self, batch: Batch, kinds: Any, integers: dict[int, Ints], doubled: Bools) -> Ints:
        """What is said of several cells together: counts, and a currency where there are prices. Where a line is there
        twice (``doubled``), nothing is said of counts."""
        most = self.desk.shape.format.max_lines
        doubt = np.zeros(len(kinds), bool)
        if most is not None:
            doubt |= batch.lengths > most
        assert self.quantity is not None
        quantities = integers[self.quantity.index]
        units = np.add.reduceat(np.maximum(quantities, 0), batch.starts)
        if self.declared_lines is not None:
            declared = integers.get(self.declared_lines.index, units)
            doubt |= (declared >= 0) & (declared != batch.lengths) & ~doubled
        if self.declared_units is not None:
            declared = integers.get(self.declared_units.index, units)
            whole = np.minimum.reduceat(quantities, batch.starts) > 0
            doubt |= (declared >= 0) & (declared != units) & whole & ~doubled
        if self.price is not None and self.currency is not None:
            blank = arrays.lengths(batch.columns[self.currency.index])[batch.starts] == 0
            if blank.any():
                priced = arrays.lengths(batch.columns[self.price.index]) > 0
                doubt |= blank & np.logical_or.reduceat(priced, batch.starts)
        kinds[doubt & (kinds != DIFFER)] = EXACT
        return units

    def _each_once(
        self, batch: Batch, kinds: Any, column: Column, integers: Ints | None, wrong: Bools
    ) -> list[tuple[int, int]]:
        """Prove that no two lines of an order say the same here: they rise in most files. Returns the first row that
        says again what another one says, of each order that has one, and the verdict on it."""
        texts = batch.columns[column.index]
        if batch.rows == len(batch.starts):
            return []
        if integers is not None:
            rising = (integers[1:] > integers[:-1]) & (integers[:-1] >= 0)
        else:
            rising = arrays.bools(pc.less(texts.slice(0, batch.rows - 1), texts.slice(1)))
        rising[batch.starts[1:] - 1] = True
        if rising.all():
            return []
        doubled: list[tuple[int, int]] = []
        for run in np.unique(batch.run_of[np.flatnonzero(~rising) + 1]).tolist():
            if kinds[run] in (DIFFER, EXACT):
                continue
            start, count = int(batch.starts[run]), int(batch.lengths[run])
            seen: set[str] = set()
            for row, text in enumerate(texts.slice(start, count).to_pylist(), start):
                if text in seen:
                    if wrong[start : start + count].any():
                        kinds[run] = EXACT  # a number that cannot be read is none
                    else:
                        doubled.append((row, self.each[column.index].doubled(text)))
                    break
                if text:
                    seen.add(text)
        return doubled


def row_cells(batch: Batch, rows: Any) -> Iterator[tuple[str, ...]]:
    """The cells of some rows of a batch."""
    taken = [arrays.take(column, rows).to_pylist() for column in batch.columns]
    return zip(*taken, strict=True)


def rows_of(batch: Batch, runs: Bools) -> list[Row]:
    """The rows of some orders of a batch, for the exact reader."""
    rows = np.flatnonzero(runs[batch.run_of])
    lines = batch.lines[rows].tolist()
    return [
        Row(0, list(cells), line, batch.record + row)
        for cells, line, row in zip(row_cells(batch, rows), lines, rows.tolist(), strict=True)
    ]


def derived_columns(shape: Shape) -> dict[str, tuple[Column, ...]]:
    """Columns of paths that the format gives the value of another path, by that path: what they demand is demanded of
    the other column's texts, too."""
    found: dict[str, tuple[Column, ...]] = {}
    for path, text in shape.format.defaults.items():
        source = shape.rows[0].column(text[1:]) if text.startswith("=") else None
        if source is not None and not path.startswith("lines."):
            field = source.field.model_copy(update={"path": path, "pattern": None, "max_length": None, "allowed": ()})
            keys = tuple(path.split("."))
            column = replace(source, field=field, info=PATHS[path], keys=keys, ruled=False)
            found[text[1:]] = (*found.get(text[1:], ()), column)
    return found
