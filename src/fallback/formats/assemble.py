"""One order in the making: values from cells, blame with its place, and the judgement of the record at the end."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from fallback.findings import Finding, Place, mask, quote
from fallback.formats import shape
from fallback.formats.cells import CellError
from fallback.formats.check import cell_problem
from fallback.formats.defaults import fill
from fallback.formats.shape import Column, Shape
from fallback.records.judge import Problem, judge
from fallback.records.order import Order, check_code


@dataclass(frozen=True, slots=True)
class ReadOrder:
    """One order of a file: the record, or None with the findings that refuse it.

    ``number`` is what findings call it, see ``order_name``. ``place`` is its first row, ``line_places`` one a line;
    ``key`` is the key that the file carries, where its format does; ``declared_lines`` how many lines it should have.
    ``identity`` are the texts of its identifying fields by canonical path, so that a refused order can be named;
    ``shifted`` tells that they may be other fields' texts, which nobody is told.
    """

    order: Order | None
    number: str
    place: Place
    line_places: tuple[Place, ...]
    key: str | None
    findings: tuple[Finding, ...]
    declared_lines: int | None = None
    identity: tuple[tuple[str, str], ...] = ()
    shifted: bool = False


def order_name(number: str, record: int) -> str:
    """What findings call an order: its number, or its place where a damaged row may have something else there."""
    return number if is_name(number) else f"of record {record}"


def is_name(text: str) -> bool:
    """Whether a text can name an order in a finding: hardly one of a person's name, address or mail can."""
    return _NAME.fullmatch(text) is not None and text.isprintable()


_NAME = re.compile(r"[^\s@]{1,64}")


MOST_FINDINGS = 10_000
"""So many say that the file is wrong as a whole: nobody reads on, and a hostile one would fill the memory."""


class GivenUp(Exception):
    """Reading ends here: the last of ``findings`` refuses the file. Never leaves ``formats``."""

    def __init__(self, *findings: Finding) -> None:
        super().__init__()
        self.findings = findings


@dataclass(frozen=True)
class Desk:
    """What the reading of one file needs at hand. Of more than ``most_orders`` none is loaded, so none is read."""

    shape: Shape
    file: str
    codes: Mapping[str, str] | None
    defaults: Mapping[str, str]
    show_values: bool
    most_orders: int | None = None

    def within(self, *, orders: int = 0, findings: int = 0, such_as: Sequence[Finding] = ()) -> None:
        """Raises GivenUp where the file holds more than it may; the first of ``such_as`` say what."""
        if self.most_orders is not None and orders > self.most_orders:
            found, expected = f"more than {self.most_orders:,} orders", f"at most {self.most_orders:,}"
            raise GivenUp(Finding("orders-over-limit", Place(self.file), found=found, expected=expected))
        if findings > MOST_FINDINGS:
            last = Finding("findings-over-limit", Place(self.file), found=f"more than {MOST_FINDINGS:,} findings")
            raise GivenUp(*such_as[:5], last)

    def fixed(self, column: Column) -> str | None:
        """What a column of a constant or a code must hold; None where the agreement is not at hand."""
        spec = column.field
        return spec.constant if spec.code is None else (self.codes or {}).get(spec.code)


@dataclass
class Assembly:
    """Collects one order's values and findings; ``finish`` judges them."""

    desk: Desk
    number: str
    place: Place
    identity: tuple[tuple[str, str], ...] = ()
    data: dict[str, Any] = field(default_factory=dict)
    lines: list[dict[str, Any]] = field(default_factory=list)
    line_places: list[Place] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    blamed: set[tuple[Any, ...]] = field(default_factory=set)
    strange: set[str] = field(default_factory=set)
    texts: dict[tuple[Any, ...], str] = field(default_factory=dict)
    places: dict[tuple[Any, ...], Place] = field(default_factory=dict)
    again: list[tuple[Column, tuple[Any, ...], str, Place]] = field(default_factory=list)
    declared_lines: int | None = None
    declared_units: int | None = None
    key: str | None = None
    check: str | None = None
    poisoned: bool = False
    unsaid: bool = False

    def start_line(self, place: Place) -> None:
        self.lines.append({})
        self.line_places.append(place)

    def take(self, columns: Iterable[Column], cells: Sequence[str], place: Place) -> None:
        """Take the cells of a row that stand in these columns."""
        for column in columns:
            text = cells[column.index]
            if text or column.required or column.field.again:  # most cells are blank
                self.cell(column, text, place)

    def cell(self, column: Column, text: str, place: Place) -> None:
        """Take the text of one cell: its value goes to the order or to the line begun last."""
        loc: tuple[Any, ...] = ("lines", len(self.lines) - 1, *column.keys) if column.of_line else column.keys
        if place.at:
            self.places[loc] = place
        if column.field.only is not None:
            self._ask(column, column.field.only, text, loc, place)
            return
        if column.field.again:
            self.again.append((column, loc, "" if text == column.stand_in else text, place))
            return
        if not text or text == column.stand_in:
            if column.required and column.stand_in is None:
                self.blame("value-missing", loc, column, place, found="nothing", expected="a value")
            return
        problem = cell_problem(column.field, text) if column.ruled else None
        if problem is not None:
            self.blame(problem[0], loc, column, place, text=text, found=problem[2], expected=problem[1])
            return
        if column.info is None:
            self._computed(column, text, loc, place)
            return
        if column.field.part and loc in self.texts:
            text = f"{self.texts[loc]} {text}"
        try:
            value = column.read(text)
        except CellError as error:
            self.blame(error.code, loc, column, place, text=text, expected=error.expected)
            return
        self.texts[loc] = text
        shape.put(self.lines[-1] if column.of_line else self.data, column.keys, value)

    def _ask(self, column: Column, only: tuple[str, ...], text: str, loc: tuple[Any, ...], place: Place) -> None:
        """Whether the file says what remains to be shipped; once an order."""
        if text not in only and not self.unsaid:
            self.unsaid = True
            expected = " or ".join(quote(one) if one else "nothing" for one in only)
            self.blame("needs-api", loc, column, place, text=text, found=None if text else "nothing", expected=expected)

    def _compare_again(self) -> None:
        """What stands twice must be the same: which of the two is meant cannot be known."""
        for column, loc, text, place in self.again:
            if loc not in self.blamed and text != self.texts.get(loc, ""):
                first = self.desk.shape.named[str(column.field.path)].field.name
                words = {"found": None if text else "nothing", "expected": f"the same as in {first}"}
                self.blame("value-wrong", loc, column, place, text=text, **words)

    def _computed(self, column: Column, text: str, loc: tuple[Any, ...], place: Place) -> None:
        spec = column.field
        if spec.path == "key":
            self.key = text
        elif spec.path == "order_check":
            self.check = text
        elif spec.path in ("purpose", "envelope_at"):
            return  # the room of the tree has looked at it
        elif spec.path in ("order_lines", "order_units"):
            try:
                setattr(self, _DECLARED[spec.path], column.read(text))
            except CellError as error:
                self.blame(error.code, loc, column, place, text=text, expected=error.expected)
        else:
            expected = self.desk.fixed(column)
            if expected is not None and text != expected:
                words = quote(expected) if expected else "nothing"
                self.blame("value-wrong", ("fixed", spec.name), column, place, text=text, expected=words)

    def blame(
        self,
        code: str,
        loc: tuple[Any, ...],
        column: Column | None,
        place: Place,
        *,
        text: str | None = None,
        found: str | None = None,
        expected: str | None = None,
    ) -> None:
        """Add a finding about one value, and remember where, so that the record's own word is not added to it."""
        self.blamed.add(loc)
        self.desk.within(findings=len(self.findings), such_as=self.findings)
        line = loc[1] if loc[:1] == ("lines",) and len(loc) > 1 else None
        if column is not None and column.at:
            place = replace(place, at=column.at)
        self.findings.append(
            Finding(
                code,
                place,
                order=self.number,
                order_line=None if line is None else self.line_number(line),
                field=column.field.name if column else None,
                path=column.field.path if column else None,
                found=found or (None if text is None else self.shown(column, text)),
                expected=expected,
            )
        )

    def line_number(self, index: int) -> int:
        number = self.lines[index].get("line_number")
        return number if isinstance(number, int) else index + 1

    def shown(self, column: Column | None, text: str) -> str:
        """A value as a finding may show it. Where cells have shifted, a person's data can stand in any column: only
        what looks like a value of this column is shown in it."""
        right = column is not None and not column.private and _looks_right(column, text)
        if column is not None and not column.private and not right:
            self.strange.add(column.field.name)
        return quote(text) if self.desk.show_values or right else mask(text)

    def finish(self, *, torn: bool = False) -> ReadOrder:
        """The judged order. In a file that is torn, a missing row is known already."""
        order = None
        if self.unsaid:  # what else such an order lacks does not matter: it does not ship from this file
            self.poisoned = True
            self.findings = [finding for finding in self.findings if finding.code == "needs-api"]
        else:
            self._compare_again()
            self._count_lines(torn)
        if self.desk.shape.format.defaults:
            fill(self.data, self.lines, self.desk.shape.format)
        data = {**self.desk.defaults, **self.data, "lines": self.lines}
        judged = judge(data) if not self.poisoned else []
        if isinstance(judged, list):
            above = {part for loc in self.blamed for part in _above(loc)}
            for problem in judged:
                self.take_problem(problem, above)
        elif not any(f.is_error for f in self.findings) and self._proves(judged):
            order = judged
        shifted = len(self.strange) >= _SHIFTED and not self.desk.show_values
        if shifted:
            self.number = order_name("", self.place.record)
            self.findings = [self._hidden(finding) for finding in self.findings]
        return ReadOrder(
            order,
            self.number,
            self.place,
            tuple(self.line_places),
            self.key,
            tuple(finding_order(self.findings)),
            self.declared_lines,
            self.identity,
            shifted,
        )

    def _proves(self, order: Order) -> bool:
        """Whether the order is the one that its check digits were made of, where the file has them."""
        fmt = self.desk.shape.format
        if self.check is None or check_code(order, fmt.carried) == self.check:
            return True
        column = self.desk.shape.columns.get("order_check")
        expected = f"{check_code(order, fmt.carried)}, if the rest of the order were right"
        self.blame("check-differs", ("order_check",), column, self.place, text=self.check, expected=expected)
        return False

    def _hidden(self, finding: Finding) -> Finding:
        """A finding of an order whose cells have moved: any value in it may be a person's."""
        value = finding.found is not None and finding.found.startswith('"')
        return replace(finding, order=self.number, found=_ANOTHER if value else finding.found)

    def _count_lines(self, torn: bool) -> None:
        """A lost or doubled row must not make a smaller or larger, valid order; where the cause is known, say that."""
        doubled = False
        for path in self.desk.shape.format.once:
            name = path.removeprefix("lines.")
            seen: set[Any] = set()
            for index, line in enumerate(self.lines):
                value = line.get(name)
                if value in seen and not doubled:
                    doubled = True
                    column = self.desk.shape.columns.get(path)
                    loc, place = ("lines", index, name), self.line_places[index]
                    self.blame("line-doubled", loc, column, place, text=str(value), expected="each once in an order")
                if value is not None:
                    seen.add(value)
        most = self.desk.shape.format.max_lines
        if most is not None and len(self.lines) > most:
            found, words = f"{len(self.lines)} lines", f"at most {most} lines in an order"
            self.blame("number-out-of-range", ("order_lines",), None, self.place, found=found, expected=words)
        expected = self.declared_lines
        if expected is not None and expected != len(self.lines) and not doubled and not self.poisoned and not torn:
            column = self.desk.shape.columns.get("order_lines")
            self.blame(
                "line-count", ("order_lines",), column, self.place,
                found=f"{len(self.lines)} lines", expected=f"{expected}",
            )  # fmt: skip
        units = [line.get("quantity", 0) for line in self.lines]
        agreed = self.declared_units in (None, sum(units)) or 0 in units  # a quantity that is wrong has its own finding
        if not agreed and not doubled and ("order_lines",) not in self.blamed:
            column = self.desk.shape.columns.get("order_units")
            self.blame(
                "unit-count", ("order_units",), column, self.place,
                found=f"{sum(units)} units", expected=f"{self.declared_units}",
            )  # fmt: skip

    def take_problem(self, problem: Problem, above: set[tuple[Any, ...]]) -> None:
        """Add the record's word, unless a value in it or around it has been blamed. ``above`` is all around those."""
        if problem.loc in above or problem.loc in self.blamed or any(p in self.blamed for p in _above(problem.loc)):
            return
        if self._source(problem) in self.blamed:
            return
        above.update(_above(problem.loc))
        index = problem.loc[1] if problem.loc[:1] == ("lines",) and len(problem.loc) > 1 else None
        place = self.places.get(problem.loc) or (self.line_places[index] if isinstance(index, int) else self.place)
        column = self.desk.shape.columns.get(problem.path)
        text = self.texts.get(problem.loc)
        found = "nothing" if problem.code == "value-missing" else None
        if found is None and column is None and problem.found is not None:
            found = "a value"
        self.blame(problem.code, problem.loc, column, place, text=text, found=found, expected=problem.expected)

    def _source(self, problem: Problem) -> tuple[Any, ...]:
        """Where the value stands that by default is that of the problem's path, too."""
        source = self.desk.shape.format.defaults.get(problem.path, "").removeprefix("=").split(".")
        return (*problem.loc[:2], *source[1:]) if source[0] == "lines" else tuple(source)


_DECLARED = {"order_lines": "declared_lines", "order_units": "declared_units"}

# So many fields of one order with what cannot stand there: its cells have moved, and its number may be a phone number.
_SHIFTED = 2
_ANOTHER = "a value of another field (hidden, --show-values shows it)"


def _above(loc: tuple[Any, ...]) -> Iterator[tuple[Any, ...]]:
    """What a value stands in: its line, its address, the order."""
    return (loc[:depth] for depth in range(len(loc)))


_NUMBER = re.compile(r"\s*[-+]?[0-9][0-9.,_'eE+-]*\s*")
_DATE = re.compile(
    r"[0-9]{1,4}[-/.][0-9]{1,2}[-/.][0-9]{1,4}([ T][0-9]{1,2}:[0-9:.]{2,9} ?(Z|[+-][0-9]{2}:?[0-9]{2})?)?"
    r"|(19|20)[0-9]{6}|[0-9]{5}([.,][0-9]+)?"  # without separators; the day number of a spreadsheet
)
_CODES = ("ship_to.country", "lines.origin_country", "currency", "lines.uom")


def _looks_right(column: Column, text: str) -> bool:
    """Whether a text can hardly be a name, an address, a phone number or an e-mail in this column."""
    kind = column.info.kind if column.info else "text"
    digits = sum(map(str.isdigit, text))
    if kind in ("integer", "money") or column.whole:
        return digits < 7 and _NUMBER.fullmatch(text) is not None
    if kind in ("instant", "day"):
        return _DATE.fullmatch(text) is not None
    bare = text.strip()
    if any(map(str.isspace, bare)) or "@" in bare or bare.startswith(("+", "(")):
        return False
    return len(bare) <= 3 if column.field.path in _CODES else True


def _by_place(finding: Finding) -> tuple[str, int, int, str]:
    return finding.place.file, finding.place.line, finding.place.record, finding.field or ""


def finding_order(findings: Sequence[Finding]) -> list[Finding]:
    """Findings as they are shown: by place."""
    return sorted(findings, key=_by_place)
