"""What every platform shares: its verbs, the terms of eligibility, the value for an order left out, and how the values
of a payload become those of a record."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any, Protocol

from pydantic import BaseModel, ConfigDict

from fallback.findings import Finding, Place, mask, quote
from fallback.records.judge import Loc, Problem
from fallback.records.order import Order
from fallback.records.paths import PATHS


class Eligibility(BaseModel):
    """Which orders of the platform belong into a file: the agreement's ``[eligibility]``.

    ``paid_only``: ship only what is paid or partially refunded; by default authorised payments ship too, and pending,
    voided and refunded ones never do. ``locations``: what this warehouse serves, as ids of the platform's locations or
    names of its fulfilment services; empty means all. ``services_excluded``: shipping services, as the platform names
    them, that this warehouse does not ship. ``number_prefix``: what the shop puts before its order numbers and the
    warehouse leaves out, such as #; it is taken off, so that both sides call an order the same.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    paid_only: bool = False
    locations: tuple[str, ...] = ()
    services_excluded: tuple[str, ...] = ()
    number_prefix: str = ""

    def number(self, order_number: str) -> str:
        """The order number as the warehouse knows it."""
        return order_number.removeprefix(self.number_prefix) or order_number


@dataclass(frozen=True, slots=True)
class Excluded:
    """An order left out of the file, with a code of the catalogue (about ``left-out``), for the manifest's count.

    The identifiers are those that the key template may use, so that the manifest can name it by key.
    """

    code: str
    platform: str
    order_id: str
    order_number: str
    group: str = "0"


@dataclass(frozen=True, slots=True)
class Source:
    """One payload and the name of the file it came from. Numbers in it are ``int`` and ``Decimal``."""

    file: str
    payload: Any


Outcome = Order | Excluded | Finding


class Platform(Protocol):
    """The verbs of a platform module: ``recognises`` and ``orders``, both pure.

    ``recognises(payload)`` tells whether parsed JSON is of this platform. ``orders`` takes all payloads of one export
    together, because parts of an order may come in different files. It yields for each order one Order, or one
    Excluded, or its Findings followed by an Excluded ``refused-here`` where the order could be identified. A bad order
    never stops the others. ``now`` is an aware instant; ``show_values`` puts customers' values into findings unmasked.
    """

    def recognises(self, payload: Any) -> bool: ...

    def orders(
        self,
        sources: Sequence[Source],
        *,
        brand: str,
        eligibility: Eligibility,
        now: datetime,
        show_values: bool = False,
    ) -> Iterator[Outcome]: ...


@dataclass(frozen=True, slots=True)
class Node:
    """An object of a payload and the place where it stands."""

    value: dict[str, Any]
    place: Place

    def get(self, name: str) -> Any:
        return self.value.get(name)

    def at(self, *steps: str | int) -> Place:
        """The place of something inside, by names and positions."""
        return replace(self.place, pointer=self.place.pointer + pointer(steps))


_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,59}")


def pointer(steps: Iterable[str | int]) -> str:
    """Steps as a piece of a JSON path. A name that is no plain word is not repeated: it may be anything."""
    return "".join(
        f"[{step}]" if isinstance(step, int) else f".{step}" if _PLAIN.fullmatch(step) else "[?]" for step in steps
    )


# --- values: what cannot be brought into form is given back as it is, for the judge to refuse -------------------

_BREAKS = re.compile(r"[\t\r\n]+")


def line_text(value: Any) -> Any:
    """Text of one line: white space at the ends removed, a tab or line break within is one space, blank is absent.

    Composed characters are used (Unicode NFC): the same letters in fewer code points. Nothing else is changed.
    """
    if not isinstance(value, str):
        return value
    if _BREAKS.search(value):
        parts = (part.strip(" ") for part in _BREAKS.split(value))
        value = " ".join(part for part in parts if part)
    return unicodedata.normalize("NFC", value).strip() or None


def note_text(value: Any) -> Any:
    """Text of several lines: line breaks are LF, tabs spaces, white space at the ends removed, blank is absent; NFC."""
    if not isinstance(value, str):
        return value
    text = value.replace("\r\n", "\n").replace("\r", "\n").replace("\t", " ")
    return unicodedata.normalize("NFC", text).strip() or None


def exact_text(value: Any) -> Any:
    """Text that is compared to the letter (SKU): as it is, and absent where it is blank."""
    return None if isinstance(value, str) and not value.strip() else value


def identifier(value: Any) -> Any:
    """An id as text: platforms write theirs as integers."""
    return str(value) if is_whole(value) else exact_text(value)


def is_whole(value: Any) -> bool:
    """Whether a value is an integer of JSON; ``true`` is none."""
    return isinstance(value, int) and not isinstance(value, bool)


def first_given(*values: Any) -> Any:
    """The first value that is not absent."""
    return next((value for value in values if value is not None), None)


_INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:?\d\d)?", re.ASCII)


def instant(value: Any) -> Any:
    """ISO 8601 text as a datetime, with its offset where it says one."""
    if isinstance(value, str) and _INSTANT.fullmatch(value):
        try:
            return datetime.fromisoformat(value)
        except ValueError:
            return value
    return value


def whole_seconds(value: Any) -> Any:
    """An instant without fractions of a second, which no deadline of this trade has."""
    moment = instant(value)
    return moment.replace(microsecond=0) if isinstance(moment, datetime) else moment


_AMOUNT = re.compile(r"-?\d{1,20}(\.\d{1,20})?", re.ASCII)


def money(value: Any) -> Any:
    """An amount as Decimal, from text such as ``19.90`` or a number of JSON."""
    if isinstance(value, str) and _AMOUNT.fullmatch(value):
        return Decimal(value)
    return Decimal(value) if is_whole(value) else value


# English names as shops write them, where ISO 3166-1 has a longer or another one.
_COUNTRY_NAMES = {
    "BOLIVIA": "BO",
    "BRITISH VIRGIN ISLANDS": "VG",
    "BRUNEI": "BN",
    "CAPE VERDE": "CV",
    "CZECH REPUBLIC": "CZ",
    "HONG KONG SAR": "HK",
    "LAOS": "LA",
    "MACAO SAR": "MO",
    "MOLDOVA": "MD",
    "PALESTINIAN TERRITORIES": "PS",
    "RUSSIA": "RU",
    "SOUTH KOREA": "KR",
    "TANZANIA": "TZ",
    "TURKEY": "TR",
    "UNITED KINGDOM": "GB",
    "UNITED STATES": "US",
    "VENEZUELA": "VE",
    "VIETNAM": "VN",
}


@lru_cache(maxsize=1)
def _codes_by_name() -> dict[str, str]:
    from iso3166 import countries_by_apolitical_name, countries_by_name

    names = {**countries_by_name, **countries_by_apolitical_name}
    return {**{name: country.alpha2 for name, country in names.items()}, **_COUNTRY_NAMES}


def country_code(name: Any) -> Any:
    """The ISO 3166-1 alpha-2 code of a country's English name; what is not such a name stays as it is."""
    return _codes_by_name().get(name.upper(), name) if isinstance(name, str) else name


# --- findings ---------------------------------------------------------------------------------------------------


def kind_of(value: Any) -> str:
    """What sort of value stands in a payload, in words."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "true or false"
    if isinstance(value, str):
        return "text" if value.strip() else "blank text"
    if isinstance(value, int | float | Decimal):
        return "a number"
    return "a list" if isinstance(value, list | tuple) else "an object"


def shown(value: object, path: str, show_values: bool) -> str | None:
    """A value as a finding may show it: masked unless its canonical path is known to hold nothing of a customer's."""
    if value is None:
        return None
    if not isinstance(value, str | int | Decimal | datetime) or isinstance(value, bool):
        return kind_of(value)
    text = str(value)
    known = PATHS.get(path)
    public = known is not None and not known.private and "@" not in text
    return quote(text) if show_values or public else mask(text)


def findings_of(
    problems: Iterable[Problem],
    place: Callable[[Loc], Place],
    *,
    order: str | None,
    show_values: bool,
    hint: Callable[[Problem], str | None] = lambda _: None,
    line: Callable[[int], int] = lambda index: index + 1,
) -> list[Finding]:
    """What the judge found, as findings; ``place``, ``hint`` and ``line`` (the number of a line) know the payload."""
    return [
        Finding(
            problem.code,
            place(problem.loc),
            order=order,
            order_line=line(problem.loc[1]) if len(problem.loc) > 1 and isinstance(problem.loc[1], int) else None,
            path=problem.path or None,
            found=shown(problem.found, problem.path, show_values),
            expected=problem.expected,
            hint=hint(problem),
        )
        for problem in problems
    ]
