"""Comparing: two versions of a format, and the same orders as two sources show them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from fallback.formats.defaults import as_carried
from fallback.formats.spec import Field, Format
from fallback.records.order import Order
from fallback.records.paths import PATHS, values_of

Effect = Literal["breaking", "compatible"]


@dataclass(frozen=True, slots=True)
class Change:
    """One difference between two versions of a format. ``breaking``: a file of one does not read by the other."""

    effect: Effect
    place: str
    text: str


_LAYOUT = ("record", "kind", "layout", "encoding", "newline", "wrapper", "delimited", "fixed_width", "json_terms",
           "xml", "x12", "row_order")  # fmt: skip


def diff(old: Format, new: Format) -> list[Change]:
    """What a change of a format breaks, and what it does not: both sides must hold the same version either way."""
    return list(_diff(old, new))


def _diff(old: Format, new: Format) -> Iterator[Change]:
    for name in _LAYOUT:
        if getattr(old, name) != getattr(new, name):
            yield Change("breaking", name.removesuffix("_terms"), f"{_said(old, name)} becomes {_said(new, name)}")
    if old.file_name != new.file_name:
        yield Change("compatible", "file_name", f"{old.file_name} becomes {new.file_name}")
    for path in sorted(set(new.drops) - set(old.drops)):
        yield Change("breaking", "drops", f"{path} is no longer carried: what it holds is lost by agreement")
    before, after = _fields(old), _fields(new)
    for place in before.keys() - after.keys():
        yield Change("breaking", place, "the field is removed")
    for place in after.keys() - before.keys():
        optional = old.kind in ("xml", "x12") and not after[place].required
        yield Change("compatible" if optional else "breaking", place, "the field is new")
    if [place for place in before if place in after] != [place for place in after if place in before]:
        yield Change("breaking", "fields", "the fields stand in another order")
    for place in sorted(before.keys() & after.keys()):
        yield from _field_diff(place, before[place], after[place])


def _said(fmt: Format, name: str) -> str:
    value = getattr(fmt, name)
    return str(value) if isinstance(value, str) or value is None else "other terms"


def _fields(fmt: Format) -> dict[str, Field]:
    return {f"{row.tag}.{field.name}".lstrip("."): field for row in fmt.rows for field in row.fields}


_FIELD_TERMS = ("pattern", "date", "zone", "coarse", "once", "only", "per_line", "part", "again", "prefix",
                "placeholder", "decimals", "width", "start", "justify", "pad", "element")  # fmt: skip


def _field_diff(place: str, old: Field, new: Field) -> Iterator[Change]:
    if (old.path, old.constant, old.code, old.unused) != (new.path, new.constant, new.code, new.unused):
        yield Change("breaking", place, "the field means something else")
    if old.required != new.required:
        now = "required" if new.required else "optional"
        yield Change("breaking" if new.required else "compatible", place, f"the field is {now} now")
    if old.longest != new.longest:
        shorter = new.longest is not None and (old.longest is None or new.longest < old.longest)
        words = f"at most {old.longest or 'any number of'} characters becomes {new.longest or 'any number of'}"
        yield Change("breaking" if shorter else "compatible", place, words)
    if set(old.allowed) != set(new.allowed):
        narrower = bool(new.allowed) and not set(old.allowed or ["?"]) <= set(new.allowed)
        yield Change("breaking" if narrower else "compatible", place, "other values are allowed")
    for name in _FIELD_TERMS:
        if getattr(old, name) != getattr(new, name):
            yield Change("breaking", place, f"{name} is another")


@dataclass(frozen=True, slots=True)
class Difference:
    """One field of one order on which two sources disagree, or an order that only one of them has.

    ``verdict``: equal is not listed; ``dropped`` is lost by agreement; ``different``, ``only-left``, ``only-right``.
    """

    key: str
    path: str
    verdict: Literal["dropped", "different", "only-left", "only-right"]


def parity(
    left: Iterable[Order], right: Iterable[Order], *, key: Callable[[Order], str], fmt: Format | None = None
) -> list[Difference]:
    """The same orders as two sources show them, key by key and field by field.

    ``fmt``: the format that one of them went through; what it loses by agreement is ``dropped``, not different.
    """
    ours = {key(order): order for order in left}
    theirs = {key(order): order for order in right}
    found: list[Difference] = []
    for name in sorted(ours.keys() | theirs.keys()):
        if name not in theirs or name not in ours:
            found.append(Difference(name, "", "only-left" if name in ours else "only-right"))
        else:
            found += _order_parity(name, ours[name], theirs[name], fmt)
    return found


def _order_parity(name: str, left: Order, right: Order, fmt: Format | None) -> Iterator[Difference]:
    carried = (as_carried(left, fmt), as_carried(right, fmt)) if fmt else (left, right)
    for path in PATHS:
        if path == "revision" or _values(left, path) == _values(right, path):
            continue
        same = _values(carried[0], path) == _values(carried[1], path)
        yield Difference(name, path, "dropped" if same else "different")


def _values(order: Order, path: str) -> Sequence[Any]:
    """The values of a path; those of the lines in the order of their SKUs, however a source sorts them."""
    if not path.startswith("lines."):
        return values_of(order, path)
    lines = sorted(order.lines, key=lambda line: (line.sku, line.quantity, line.line_id))
    return [getattr(line, path.removeprefix("lines.")) for line in lines]
