"""One column: which of its cells are proven good, and the exact word on each distinct text that is not.

The word is always that of the exact reader: the cell is given to its own ``Assembly``, the value to the field of the
record itself, once for each distinct text. ``proofs`` only spare that for columns with many distinct texts.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import ValidationError, create_model

from fallback.findings import CATALOGUE, Place
from fallback.formats.assemble import Assembly, Desk
from fallback.formats.shape import Column
from fallback.records.judge import problems_of
from fallback.records.order import Line, Order, Record, ShipTo
from fallback.validation.damage.identifiers import is_rewritten
from fallback.validation.screen import arrays
from fallback.validation.screen.arrays import Bools, Ints
from fallback.validation.screen.proofs import Proof, all_of, proof_of

GOOD = 0
ORDER = -1
"""No verdict on the cell alone: the whole order goes to the exact reader."""

_FEW = 512  # so many texts are looked up in a table that is built for each block
_MANY = 100_000  # so many verdicts are kept at the most


class Verdict(NamedTuple):
    """What the exact reader finds in a cell. ``strange`` where the text may be one of another column, ``late`` where it
    is the record that refuses the value, when all cells of the order are read."""

    code: str
    found: str | None
    expected: str | None
    field: str
    path: str | None
    of_line: bool
    strange: bool
    late: bool


CODES = tuple(CATALOGUE)
_CODE_NUMBERS = {code: number for number, code in enumerate(CODES)}


class Verdicts:
    """All verdicts of a file, each once; their numbers begin at 1."""

    def __init__(self, names: Iterable[str]) -> None:
        self.ranks = {name: rank for rank, name in enumerate(sorted(set(names)))}
        self.all: list[Verdict | None] = [None]
        self._numbers: dict[Verdict, int] = {}
        self._codes, self._fields, self._strange = array("q", [0]), array("q", [0]), array("q", [0])

    def number(self, verdict: Verdict) -> int:
        number = self._numbers.setdefault(verdict, len(self.all))
        if number == len(self.all):
            self.all.append(verdict)
            self._codes.append(_CODE_NUMBERS[verdict.code])
            self._fields.append(self.ranks[verdict.field])
            self._strange.append(verdict.strange)
        return number

    def __getitem__(self, number: int) -> Verdict:
        verdict = self.all[number]
        assert verdict is not None
        return verdict

    def codes(self, numbers: Ints) -> Ints:
        """The code of each verdict, as its position in ``CODES``."""
        return np.array(self._codes)[numbers]

    def fields(self, numbers: Ints) -> Ints:
        """The field of each verdict, as its position among the names of all fields; of ORDER any."""
        return np.array(self._fields)[numbers]

    def strange(self, numbers: Ints) -> Bools:
        return np.array(self._strange)[numbers] > 0


@dataclass
class Cells:
    """The judge of one column. ``lacking`` tells whether an order without this value lacks something."""

    column: Column
    desk: Desk
    verdicts: Verdicts
    lacking: bool
    also: Callable[[str], bool] | None = None
    derived: tuple[Column, ...] = ()
    proof: Proof | None = None
    known: Any = None
    memo: dict[str, tuple[int, int]] = field(default_factory=dict)
    full: bool = False

    def __post_init__(self) -> None:
        self.validate = _field_of(self.column)
        self.derive = [(column.keys[-1], _field_of(column)) for column in self.derived]
        self.known = arrays.texts([])
        if self.also is None:
            blank = self.verdict("")[0] == GOOD
            self.proof = all_of(proof_of(one, self.desk.shape.format, blank) for one in (self.column, *self.derived))

    def verdict(self, text: str) -> tuple[int, int]:
        """The number of the verdict on a text, and the integer that it says, -1 where it says none."""
        known = self.memo.get(text)
        if known is None:
            if len(self.memo) > _MANY:
                self.memo.clear()
            known = self.memo[text] = self._verdict(text)
        return known

    def _verdict(self, text: str) -> tuple[int, int]:
        column = self.column
        assembly = Assembly(self.desk, "", Place())
        if column.of_line:
            assembly.start_line(Place())
        assembly.take((column,), {column.index: text}, Place())  # type: ignore[arg-type]  # looked up by its index
        held = assembly.lines[0] if column.of_line else assembly.data
        for key in column.keys if held else ():
            held = held[key]
        value: Any = assembly.declared_lines if assembly.declared_lines is not None else assembly.declared_units
        late = False
        if held != {} and not assembly.findings:
            value = held
            late = True
            name = column.keys[-1]
            try:
                self.validate({name: value})  # type: ignore[misc]  # there is a value only where there is a path
            except ValidationError as error:
                place = ("lines", 0) if column.of_line else column.keys[:-1]
                for problem in problems_of(error):
                    if len(problem.loc) > 1:
                        return ORDER, -1
                    assembly.take_problem(replace(problem, loc=(*place, name)), set())
        elif value is None and self.lacking and not assembly.findings:
            return ORDER, -1
        if assembly.findings:
            if len(assembly.findings) > 1 or assembly.unsaid or self.derived:
                return ORDER, -1
            said = assembly.findings[0]
            assert said.field is not None
            verdict = Verdict(
                said.code,
                said.found,
                said.expected,
                said.field,
                said.path,
                column.of_line,
                bool(assembly.strange),
                late,
            )
            return self.verdicts.number(verdict), value if late and type(value) is int else -1
        if text and not (self.also is None or self.also(text)):
            return ORDER, -1
        if type(value) is str and is_rewritten([value]):
            return ORDER, -1  # ids that have lost their digits are alike: the order is looked at as a whole
        for name, validate in self.derive if value is not None else ():
            try:
                validate({name: value})  # type: ignore[misc]  # derived columns have paths
            except ValidationError:
                return ORDER, -1
        return GOOD, value if type(value) is int else -1

    def doubled(self, text: str) -> int:
        """The number of the verdict on a line whose text another line of the order has, too."""
        assembly = Assembly(self.desk, "", Place())
        found = assembly.shown(self.column, text)
        name, path = self.column.field.name, self.column.field.path
        expected, strange = "each once in an order", bool(assembly.strange)
        return self.verdicts.number(Verdict("line-doubled", found, expected, name, path, True, strange, True))

    def judge(self, texts: Any, *, clean: bool) -> tuple[Ints, Ints]:
        """The positions of the texts that are not good, and their verdicts. ``clean`` tells that no character stands
        in them that no text may hold."""
        places = None
        if not self.full:
            known = pc.is_in(texts, value_set=self.known)
            if known.true_count == len(texts):
                return _NONE, _NONE
            places = np.flatnonzero(~arrays.bools(known))
            texts = arrays.take(texts, places)
        if self.proof is not None and (proven := self.proof(texts, clean)) is not None:
            if not self.full:
                self._learn(texts.filter(arrays.mask(proven)).unique())
            if proven.all():
                return _NONE, _NONE
            left = np.flatnonzero(~proven)
            texts = arrays.take(texts, left)
            places = left if places is None else places[left]
        encoded = texts.dictionary_encode()
        judged = np.array([self.verdict(text)[0] for text in encoded.dictionary.to_pylist()], np.int64)
        if not self.full:
            self._learn(encoded.dictionary.filter(arrays.mask(judged == GOOD)))
        if not judged.any():
            return _NONE, _NONE
        each = judged[arrays.numbers(encoded)]
        bad = np.flatnonzero(each)
        return (bad if places is None else places[bad]), each[bad]

    def integers(self, texts: Any) -> tuple[Ints, Ints, Ints]:
        """As ``judge``, with the integer that each text says, -1 where it says none."""
        encoded = texts.dictionary_encode()
        both = [self.verdict(text) for text in encoded.dictionary.to_pylist()]
        judged = np.array([number for number, _ in both], np.int64)
        index = arrays.numbers(encoded)
        values = np.array([value for _, value in both], np.int64)[index]
        if not judged.any():
            return _NONE, _NONE, values
        each = judged[index]
        bad = np.flatnonzero(each)
        return bad, each[bad], values

    def _learn(self, texts: Any) -> None:
        self.known = pa.concat_arrays([self.known, texts])
        self.full = len(self.known) > _FEW


_NONE: Ints = np.zeros(0, np.int64)


def _field_of(column: Column) -> Callable[[Any], Any] | None:
    """What the record says of one field alone: a record of this field and no other."""
    info = column.info
    if info is None:
        return None
    name = column.keys[-1]
    model: type[Record] = Line if column.of_line else ShipTo if len(column.keys) > 1 else Order
    declared = model.model_fields[name]
    alone = create_model("Alone", __base__=Record, **{name: (declared.annotation, declared)})  # type: ignore[call-overload]
    alone.model_rebuild(force=True)
    validate: Callable[[Any], Any] = alone.__pydantic_validator__.validate_python
    return validate
