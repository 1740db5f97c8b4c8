"""The same orders as two sources show them, key by key and field by field: the proof that nothing needs rework."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from fallback.errors import FallbackError
from fallback.findings import mask, quote
from fallback.formats import cells
from fallback.formats.defaults import as_carried
from fallback.formats.spec import Format
from fallback.records.order import Line, Order
from fallback.records.paths import PATHS, values_of

Verdict = Literal["dropped", "different", "only-left", "only-right"]


@dataclass(frozen=True, slots=True)
class Difference:
    """One field of one order on which two sources disagree, or an order or a line that only one of them has.

    ``dropped`` is lost by agreement. ``line`` counts from 1 among the lines of the side that has it, 0 is none.
    ``left`` and ``right`` say what stands there; a customer's value is masked.
    """

    key: str
    path: str
    verdict: Verdict
    line: int = 0
    left: str = ""
    right: str = ""


@dataclass(frozen=True, slots=True)
class Parity:
    """What two sources agree on: how many orders each has, how many are equal in all that is not dropped by agreement,
    and every difference."""

    left: int
    right: int
    equal: int
    differences: tuple[Difference, ...]

    @property
    def same(self) -> bool:
        """Whether both show the same orders, but for what is dropped by agreement."""
        return all(one.verdict == "dropped" for one in self.differences)


def parity(
    left: Iterable[Order],
    right: Iterable[Order],
    *,
    key: Callable[[Order], str],
    formats: Iterable[Format] = (),
    show_values: bool = False,
) -> Parity:
    """Compare the orders of two sources.

    Args:
        formats: those that the orders of either side went through; what they lose by agreement is ``dropped``.
        show_values: whether a customer's values are shown.

    Raises FallbackError ``payload-doubled`` where a source shows one key twice: nobody could say which one counts.
    """
    carriers = tuple(formats)

    def named(order: Order) -> str:  # by what both sides can know of the order
        return key(_carried(order, carriers))

    ours, theirs = _by_key(left, named, "left"), _by_key(right, named, "right")
    found: list[Difference] = []
    for name in sorted(ours.keys() | theirs.keys()):
        if name in ours and name in theirs:
            found += _of_order(name, ours[name], theirs[name], carriers, show_values)
        else:
            found.append(Difference(name, "", "only-left" if name in ours else "only-right"))
    unequal = {one.key for one in found if one.verdict != "dropped"}
    return Parity(len(ours), len(theirs), len((ours.keys() & theirs.keys()) - unequal), tuple(found))


def _by_key(orders: Iterable[Order], key: Callable[[Order], str], side: str) -> Mapping[str, Order]:
    listed = list(orders)
    counts = Counter(map(key, listed))
    if doubled := sorted(name for name, count in counts.items() if count > 1):
        raise FallbackError(
            "payload-doubled",
            f"the {side} side shows {len(doubled):,} of its orders more than once, such as {quote(doubled[0])}",
            hint="compare sources that show each order once",
        )
    return {key(order): order for order in listed}


def _of_order(
    name: str, left: Order, right: Order, formats: tuple[Format, ...], show_values: bool
) -> Iterator[Difference]:
    carried = _carried(left, formats), _carried(right, formats)
    for path, info in PATHS.items():
        if info.level == "order" and path != "revision":
            (ours,), (theirs,) = values_of(left, path), values_of(right, path)
            if ours != theirs:
                verdict = _verdict(*(values_of(one, path) for one in carried))
                yield _difference(name, path, verdict, 0, ours, theirs, show_values)
    for ours_at, theirs_at in _pairs(*carried):
        if ours_at is None or theirs_at is None:
            at = theirs_at if ours_at is None else ours_at
            yield Difference(name, "lines", "only-right" if ours_at is None else "only-left", (at or 0) + 1)
            continue
        for field in Line.model_fields:
            pair = getattr(left.lines[ours_at], field), getattr(right.lines[theirs_at], field)
            if pair[0] != pair[1]:
                kept = getattr(carried[0].lines[ours_at], field), getattr(carried[1].lines[theirs_at], field)
                yield _difference(name, f"lines.{field}", _verdict(*kept), ours_at + 1, *pair, show_values)


def _carried(order: Order, formats: tuple[Format, ...]) -> Order:
    for fmt in formats:
        order = as_carried(order, fmt)
    return order


def _verdict(left: Any, right: Any) -> Verdict:
    return "dropped" if left == right else "different"


def _pairs(left: Order, right: Order) -> Iterator[tuple[int | None, int | None]]:
    """The places of the same line on both sides: by the first of these by which both sides know their lines apart."""
    for field in ("line_id", "sku", "line_number"):
        ours = {getattr(line, field): at for at, line in enumerate(left.lines)}
        theirs = {getattr(line, field): at for at, line in enumerate(right.lines)}
        if len(ours) == len(left.lines) and len(theirs) == len(right.lines) and ours.keys() & theirs.keys():
            break
    for value, at in ours.items():
        yield at, theirs.get(value)
    for value, at in theirs.items():
        if value not in ours:
            yield None, at


def _difference(
    name: str, path: str, verdict: Verdict, line: int, left: Any, right: Any, show_values: bool
) -> Difference:
    shown = (_shown(value, path, show_values) for value in (left, right))
    return Difference(name, path, verdict, line, *shown)


def _shown(value: Any, path: str, show_values: bool) -> str:
    if value is None or value == ():
        return "nothing"
    text = cells.writer(PATHS[path].kind)(value)
    return mask(text) if PATHS[path].private and not show_values else quote(text)
