"""From plain data to an Order, or to everything that is wrong with it: one judge for every way in.

Payloads and files alike are brought to plain Python values and judged here, once. What pydantic reports is translated
into codes of the catalogue and words for a person; its own sentences and class names go no further.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from annotated_types import Ge, Le
from pydantic import ValidationError

from fallback.records.order import Line, Order

Loc = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong with an order.

    ``code`` is of the catalogue. ``loc`` leads to the value by names and positions, from 0: ``("lines", 1, "sku")``;
    it is empty for what concerns the order as a whole. ``expected`` is in plain words. ``found`` is the value itself,
    unmasked, ``None`` where it is absent or the order as a whole is meant: whoever shows it decides how.
    """

    code: str
    loc: Loc
    expected: str
    found: object = None

    @property
    def path(self) -> str:
        """The canonical path, without positions: ``lines.sku``."""
        return ".".join(part for part in self.loc if isinstance(part, str))


def judge(data: Mapping[str, Any]) -> Order | list[Problem]:
    """The Order that ``data`` describes, or every problem with it, in the order of its fields.

    Values are Python's own: text, int, Decimal, aware datetime, date; nothing is converted. One cause gives one
    problem: where a value is wrong, what contains it is not reported too.
    """
    try:
        return Order.model_validate(data)
    except ValidationError as error:
        return problems_of(error)


def problems_of(error: ValidationError) -> list[Problem]:
    """What pydantic found in a record, as problems; see ``judge``."""
    items = error.errors(include_url=False)
    containers = {tuple(item["loc"][:depth]) for item in items for depth in range(len(item["loc"]))}
    return [_problem(item) for item in items if item["loc"] not in containers]


def _bounds(name: str) -> tuple[int, int]:
    field = Line.model_fields.get(name) or Order.model_fields[name]
    least = next(bound.ge for bound in field.metadata if isinstance(bound, Ge))
    most = next(bound.le for bound in field.metadata if isinstance(bound, Le))
    return least, most  # type: ignore[return-value]  # the records bound integers by integers


_FORMS = {"uom": "one to three capitals or digits, such as EA", "hs_code": "6 to 12 digits without dots"}

# The error types of pydantic that a Record can give, each as a code and what was expected.
_WORDS: dict[str, tuple[str, str]] = {
    "string_type": ("value-malformed", "text"),
    "string_unicode": ("control-character", "whole characters: half of a surrogate pair cannot be written"),
    "string_too_long": ("value-too-long", "at most {max_length:,} characters"),
    "string_pattern_mismatch": ("value-malformed", "{form}"),
    "int_type": ("number-invalid", "a whole number"),
    "greater_than_equal": ("number-out-of-range", "a whole number between {least:,} and {most:,}"),
    "less_than_equal": ("number-out-of-range", "a whole number between {least:,} and {most:,}"),
    "is_instance_of": ("money-invalid", "an amount such as 19.90"),
    "finite_number": ("money-invalid", "an amount such as 19.90"),
    "datetime_type": ("date-invalid", "a date and time such as 2026-11-23T14:00:00+01:00"),
    "date_type": ("date-invalid", "a date such as 2026-11-23"),
    "tuple_type": ("value-malformed", "a list"),
    "model_type": ("value-malformed", "a group of named values"),
    "extra_forbidden": ("value-malformed", "no field of this name"),
}
_ABSENT = frozenset({"missing", "string_too_short", "too_short"})


def _problem(item: Any) -> Problem:
    """One pydantic error as a Problem."""
    kind, loc, context = item["type"], tuple(item["loc"]), item.get("ctx", {})
    # The input of "missing", and of what concerns the whole, is the container: not a value to be shown.
    found = None if kind == "missing" or not loc else item["input"]
    if kind in _ABSENT or (found is None and loc):
        return Problem("value-missing", loc, "at least one" if kind == "too_short" else "a value", None)
    if "expected" in context and kind not in _WORDS:  # our own: the type is the code
        return Problem(kind, loc, context["expected"], found)
    code, words = _WORDS[kind]
    name = str(loc[-1]) if loc else ""
    if "{least" in words:
        least, most = _bounds(name)
        words = words.format(least=least, most=most)
    else:
        words = words.format(form=_FORMS.get(name, "the agreed form"), **context)
    return Problem(code, loc, words, found)
