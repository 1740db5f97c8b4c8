"""Two versions of a format: what changes between them, and what each change breaks.

One question decides everything: does a reader with this term read what a writer with that one wrote? Asked with the new
version as the reader it says whether old files still read, asked the other way round whether the partner, who holds the
old version, must change before the first new file.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from fallback.formats.kinds.fixed_width import spans
from fallback.formats.spec import Field, Format, RecordSpec


@dataclass(frozen=True, slots=True)
class Change:
    """One difference between two versions of a format.

    ``old_files_read``: every file of the old version reads by the new one. ``partner_must_change``: a file of the new
    version may be refused, or taken for something else, by who holds the old one.
    """

    place: str
    text: str
    old_files_read: bool
    partner_must_change: bool

    @property
    def breaks(self) -> bool:
        return self.partner_must_change or not self.old_files_read


Reads = Callable[[Any, Any], bool]
"""Whether a reader with the second value of a term reads what a writer with the first one wrote."""


def _same(written: Any, held: Any) -> bool:
    return bool(written == held)


def _always(written: Any, held: Any) -> bool:  # noqa: ARG001 - a rule of the family
    return True


def _up_to(written: int | None, held: int | None) -> bool:
    return held is None or (written is not None and written <= held)


def _among(written: tuple[str, ...], held: tuple[str, ...]) -> bool:
    return not held or (bool(written) and set(written) <= set(held))


def _less_strict(written: bool, held: bool) -> bool:
    return written or not held


def _first_known(written: Any, held: Any) -> bool:
    first = written[0] if isinstance(written, tuple) else written
    return first == held or (isinstance(held, tuple) and first in held)


def _encoding(written: str, held: str) -> bool:
    return written in (held, "ascii") or (written, held) == ("utf-8", "utf-8-sig")


def _header(written: str, held: str) -> bool:
    return written == held or (held == "optional" and written != "bracketed")


def _any_or_same(written: Any, held: Any) -> bool:
    return held is None or bool(written == held)


_FORMAT: dict[str, Reads] = {
    "name": _always, "version": _always, "title": _always, "notes": _always, "status": _always, "uncounted": _always,
    "record": _same, "kind": _same, "layout": _same, "encoding": _encoding, "newline": _always, "file_name": _always,
    "drops": _always, "direction": _always, "wrapper": _same, "max_orders": _up_to, "max_lines": _up_to,
    "fixed_width": _same,
}  # fmt: skip
_SECTIONS: dict[str, dict[str, Reads]] = {
    "delimited": {"quoting": lambda written, held: written == held or "none" not in (written, held),
                  "header": _header, "extra_columns": _always,
                  "line_breaks": lambda written, held: held == "allow" or written == "refuse"},
    "row_order": {"adjacent": _less_strict, "sorted_by": _any_or_same},
    "x12": {"element": _always, "component": _always, "segment": _always},
    "json_terms": {},
    "xml": {},
}  # fmt: skip
"""Where a term is not named, a reader holds the same one as the writer."""

_FIELD: dict[str, Reads] = {
    "required": _less_strict, "optional": lambda written, held: held or not written, "allowed": _among,
    "pattern": _any_or_same, "date": _first_known, "once": _less_strict, "doc": _always, "source": _always,
}  # fmt: skip
_OF_STRANGERS = ("newline", "quoting", "file_name", "direction")
"""What our reader takes either way, and a partner's loader may not."""

_SEEN_ELSEWHERE = ("name", "max_length", "width", "start")
"""Of a field; its name, its longest value and its columns are compared as such."""


def diff(old: Format, new: Format) -> list[Change]:
    """Every change between two versions of a format with what it breaks; empty where they say the same."""
    changes = list(_diff(old, new))
    if changes and old.name == new.name and old.version == new.version:
        text = f"both versions call themselves {old.version}: give the new one another"
        changes.append(Change("version", text, old_files_read=True, partner_must_change=False))
    return changes


def _diff(old: Format, new: Format) -> Iterator[Change]:
    for name, reads in _FORMAT.items():
        yield from _term(name, getattr(old, name), getattr(new, name), reads)
    for section, rules in _SECTIONS.items():
        before, after = getattr(old, section), getattr(new, section)
        for name in type(before).model_fields:
            place = f"{section.removesuffix('_terms')}.{name}"
            yield from _term(place, getattr(before, name), getattr(after, name), rules.get(name, _same))
    if (old.kind, old.layout) != (new.kind, new.layout):
        return  # nothing of the fields can be compared
    for path in sorted(old.defaults.keys() | new.defaults.keys()):
        if path not in old.carried | new.carried:  # else it is a field that comes or goes
            yield from _term(f"defaults.{path}", old.defaults.get(path), new.defaults.get(path), _same)
    yield from _rows(old, new)


def _term(place: str, old: Any, new: Any, reads: Reads) -> Iterator[Change]:
    if old != new:
        stranger = place.rpartition(".")[2] in _OF_STRANGERS
        yield Change(place, _told(place, old, new), reads(old, new), stranger or not reads(new, old))


_PROSE = ("title", "notes", "uncounted", "doc", "source")


def _told(place: str, old: Any, new: Any) -> str:
    if place in _PROSE:
        return "the words are others"
    if isinstance(old, tuple) and isinstance(new, tuple):
        gone, come = (_said(tuple(one for one in a if one not in b)) for a, b in ((old, new), (new, old)))
        return f"no longer {gone}; now {come}" if set(old) != set(new) else "the same in another order"
    return f"{_said(old)} becomes {_said(new)}"


def _said(value: Any) -> str:
    if value is None or value in ((), {}):
        return "nothing"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, tuple):
        return ", ".join(map(str, value))
    if isinstance(value, dict):
        return ", ".join(f"{key} = {text}" for key, text in value.items())
    if isinstance(value, str | int):
        return str(value) if str(value).isprintable() else repr(value)
    return ", ".join(f"{name} {getattr(value, name)}" for name in type(value).model_fields)


def _rows(old: Format, new: Format) -> Iterator[Change]:
    before, after = _tagged(old), _tagged(new)
    for tag in [*before, *(tag for tag in after if tag not in before)]:
        if tag in before and tag in after:
            for name in ("repeats", "trailer", "loop", "always"):
                yield from _term(tag, getattr(before[tag], name), getattr(after[tag], name), _same)
            yield from _fields(tag, before[tag], after[tag], old, new)
        else:
            now = "removed" if tag in before else "new"
            yield Change(tag, f"these rows are {now}", old_files_read=False, partner_must_change=True)
    if old.kind == new.kind != "x12" and list(before) != list(after) and before.keys() == after.keys():
        yield Change("records", "the types of row stand in another order", *_NEITHER)


_NEITHER = (False, True)


def _tagged(fmt: Format) -> dict[str, RecordSpec]:
    """The types of row by a name of their own: X12 has several segments of one tag."""
    counts: Counter[str] = Counter()
    found = {}
    for row in fmt.rows:
        label = f"{row.loop}.{row.tag}" if row.loop else row.tag
        counts[label] += 1
        found[label if counts[label] == 1 else f"{label} ({counts[label]})"] = row
    return found


def _meaning(field: Field) -> tuple[object, ...]:
    return field.path, field.constant, field.code, field.only, field.part, field.again, field.unused


def _fields(tag: str, old: RecordSpec, new: RecordSpec, old_fmt: Format, new_fmt: Format) -> Iterator[Change]:
    before = {field.name: field for field in old.fields}
    after = {field.name: field for field in new.fields}
    gone = [field for field in old.fields if field.name not in after]
    come = [field for field in new.fields if field.name not in before]
    pairs = {name: (before[name], after[name]) for name in before if name in after}
    twins: dict[tuple[object, ...], list[Field]] = defaultdict(list)
    for field in come:
        twins[_meaning(field)].append(field)
    for field in gone:
        if twins[_meaning(field)]:
            pairs[field.name] = (field, twins[_meaning(field)].pop(0))
    come = [field for field in come if field in twins[_meaning(field)]]
    for name, field in before.items():
        place = f"{tag}.{name}".lstrip(".")
        if name in pairs:
            yield from _field(place, *pairs[name], old_fmt, new_fmt)
        else:
            yield Change(place, "the field is removed", _bears_more(new_fmt), not _bears_less(old_fmt, field))
    for field in come:
        kind = "a new field that is required" if field.required else "a new field"
        place = f"{tag}.{field.name}".lstrip(".")
        yield Change(place, kind, _bears_less(new_fmt, field), not _bears_more(old_fmt))
    if old_fmt.fixed_width and new_fmt.fixed_width:
        yield from _columns(tag, old, new, pairs, old_fmt.fixed_width.tag_width, new_fmt.fixed_width.tag_width)
    elif old_fmt.tabular and (moved := _moved(old, new, pairs)):
        text = f"{', '.join(moved)}: at another place among the fields"
        yield Change(tag or "fields", text, old_fmt.delimited.header in _NAMED, partner_must_change=True)


_NAMED = ("required", "bracketed")


def _bears_more(reader: Format) -> bool:
    """Whether a reader takes a file with one field more."""
    return (
        reader.kind == "delimited" and reader.delimited.header in _NAMED and reader.delimited.extra_columns == "ignore"
    )


def _bears_less(reader: Format, field: Field) -> bool:
    """Whether a reader takes a file without this field."""
    if reader.kind == "delimited":
        return reader.delimited.header in _NAMED and field.optional
    return reader.kind != "fixed-width" and not field.required and field.constant is None


def _moved(old: RecordSpec, new: RecordSpec, pairs: dict[str, tuple[Field, Field]]) -> list[str]:
    """The fewest names whose move explains the new order of the fields that stayed: all but a longest rising row."""
    places = {field.name: at for at, field in enumerate(new.fields)}
    stayed = [field.name for field in old.fields if field.name in pairs]
    tops: list[int] = []  # the lowest end of a rising row of each length
    length: dict[str, int] = {}
    for name in stayed:
        at = places[pairs[name][1].name]
        length[name] = bisect_left(tops, at) + 1
        tops[length[name] - 1 : length[name]] = [at]
    keep: set[str] = set()
    wanted, below = len(tops), len(new.fields)
    for name in reversed(stayed):
        if length[name] == wanted and places[pairs[name][1].name] < below:
            keep.add(name)
            wanted, below = wanted - 1, places[pairs[name][1].name]
    return [name for name in stayed if name not in keep]


def _columns(
    tag: str, old: RecordSpec, new: RecordSpec, pairs: dict[str, tuple[Field, Field]], old_width: int, new_width: int
) -> Iterator[Change]:
    before = {field.name: span for field, span in zip(old.fields, spans(old, old_width), strict=True)}
    after = {field.name: span for field, span in zip(new.fields, spans(new, new_width), strict=True)}
    for name, (_, twin) in pairs.items():
        (begin, end), (first, last) = before[name], after[twin.name]
        if (begin, end) != (first, last):
            text = f"columns {begin + 1}-{end} become {first + 1}-{last}"
            yield Change(f"{tag}.{name}".lstrip("."), text, *_NEITHER)


def _field(place: str, old: Field, new: Field, old_fmt: Format, new_fmt: Format) -> Iterator[Change]:
    if old.name != new.name:
        # Where no name stands in the file, it is a word of the declaration only.
        alike = not any(_has_names(fmt) for fmt in (old_fmt, new_fmt))
        yield Change(place, f"the field is called {new.name} now", alike, not alike)
    if old.longest != new.longest:
        text = f"{_at_most(old.longest)} becomes {_at_most(new.longest)}"
        yield Change(place, text, _up_to(old.longest, new.longest), not _up_to(new.longest, old.longest))
    for name in Field.model_fields:
        if name not in _SEEN_ELSEWHERE and getattr(old, name) != getattr(new, name):
            reads = _FIELD.get(name, _same)
            for change in _term(name, getattr(old, name), getattr(new, name), reads):
                yield Change(place, f"{name}: {change.text}", change.old_files_read, change.partner_must_change)


def _has_names(fmt: Format) -> bool:
    if fmt.kind == "delimited":
        return fmt.layout != "header-detail" and fmt.delimited.header != "forbidden"
    return fmt.kind not in ("fixed-width", "x12")


def _at_most(longest: int | None) -> str:
    return f"at most {longest:,} characters" if longest else "any length"
