"""Value types of the canonical records: each refuses what it cannot hold, and never mends it.

A refused value raises a pydantic error whose *type* is a finding code of ``fallback.findings.CATALOGUE`` and
whose *message* says what was expected. The value itself is never put in the message: it may be a person's.
"""

from __future__ import annotations

import re
import unicodedata
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import lru_cache
from typing import Annotated

from pydantic import AfterValidator, PlainSerializer, StringConstraints
from pydantic_core import PydanticCustomError

# C0 and C1 controls, and the marks that reorder text on a label or a screen (Unicode TR 9: embeddings,
# overrides, isolates). The line break is allowed in notes only.
# Lone surrogates are halves of a character: no encoding carries them.
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ufeff\ud800-\udfff]")
_CONTROL_BUT_BREAK = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029\ufeff\ud800-\udfff]")
_BIDI = re.compile(r"[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")


def refuse(code: str, expected: str) -> PydanticCustomError:
    """An error that names its finding code and what was expected. The braces of a value cannot reach it."""
    return PydanticCustomError(code, "{expected}", {"expected": expected})


def _clean(value: str, control: re.Pattern[str]) -> str:
    # Printable ASCII is the common case; one C-speed test spares it three searches.
    if value.isascii() and value.isprintable():
        if value[0] == " " or value[-1] == " ":
            raise refuse("white-space", "no white space at the beginning or end")
        return value
    if control.search(value):
        raise refuse("control-character", "printable characters only")
    if _BIDI.search(value):
        raise refuse("bidi-character", "no characters that reverse the direction of text")
    if value != value.strip():
        raise refuse("white-space", "no white space at the beginning or end")
    return value


def _text(value: str) -> str:
    return _clean(value, _CONTROL)


def _note(value: str) -> str:
    return _clean(value, _CONTROL_BUT_BREAK)


def _visible(value: str) -> str:
    # Compared to the letter: with a soft hyphen or a zero-width space in it, the same name would be another order.
    if not _text(value).isascii() and any(unicodedata.category(sign) == "Cf" for sign in value):
        raise refuse("control-character", "no character that cannot be seen, such as a soft hyphen")
    return value


def _identifier(value: str) -> str:
    # Shown in findings and used in keys: no white space of any kind, no separator of the key template.
    if ":" in _visible(value) or value.split() != [value]:
        raise refuse("identifier-invalid", "an identifier without white space or colon")
    return value


@lru_cache(maxsize=1)
def countries() -> frozenset[str]:
    """The codes of ISO 3166-1 alpha-2."""
    from iso3166 import countries_by_alpha2

    return frozenset(countries_by_alpha2)


@lru_cache(maxsize=1)
def currencies() -> frozenset[str]:
    """The codes of ISO 4217."""
    from iso4217 import Currency

    return frozenset(c.code for c in Currency)


def _country(value: str) -> str:
    if value not in countries():
        raise refuse("country-unknown", "an ISO 3166-1 two-letter country code in capitals, such as US or ES")
    return value


def _currency(value: str) -> str:
    if value not in currencies():
        raise refuse("currency-unknown", "an ISO 4217 currency code in capitals, such as USD or EUR")
    return value


@lru_cache(maxsize=65_536)
def _gtin_is_valid(value: str) -> bool:
    from stdnum import ean

    return value.isascii() and value.isdigit() and bool(ean.is_valid(value))


def _gtin(value: str) -> str:
    if not _gtin_is_valid(value):
        raise refuse("gtin-invalid", "8, 12, 13 or 14 digits with a right check digit")
    return value


_EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)
_LATEST = datetime(2999, 12, 31, tzinfo=UTC)


def in_range(value: datetime) -> datetime:
    """An aware instant, if it is one that every zone can say: before the year 1 and after 9999 there is none."""
    if not _EARLIEST <= value <= _LATEST:
        raise refuse("date-invalid", "a date between 1970 and 2999")
    return value


def _instant(value: datetime) -> datetime:
    offset = value.utcoffset()
    if offset is None:
        raise refuse("zone-missing", "a date and time with its offset from UTC")
    if value.microsecond or offset.seconds % 60:
        raise refuse("date-invalid", "a date and time in whole seconds, its offset in whole minutes")
    return in_range(value)


def _day(value: date) -> date:
    if not 1970 <= value.year <= 2999:
        raise refuse("date-invalid", "a date between 1970 and 2999")
    return value


def write_instant(value: datetime) -> str:
    """An instant as ISO 8601 with its offset, ``Z`` for UTC: ``2026-11-23T14:00:00Z``."""
    return value.isoformat().replace("+00:00", "Z")


def _money(value: Decimal) -> Decimal:
    exponent = value.as_tuple().exponent
    # -0.00 equals 0.00 and is written otherwise: refused, so that what is read is what was written.
    if not isinstance(exponent, int) or value.is_signed() or not -6 <= exponent <= 0 or value >= 10**12:
        raise refuse("money-invalid", "an amount of zero or more with at most six decimals, such as 19.90")
    return value


Text = Annotated[str, StringConstraints(min_length=1, max_length=255), AfterValidator(_text)]
"""One line of printable text, 1 to 255 characters (Shopify's limit), no white space at its ends. Absent is ``None``."""

Note = Annotated[str, StringConstraints(min_length=1, max_length=5000), AfterValidator(_note)]
"""Printable text of at most 5,000 characters that may hold line breaks (LF)."""

Identifier = Annotated[str, StringConstraints(min_length=1, max_length=64), AfterValidator(_identifier)]
"""Text that names something; compared to the letter, zeros kept. No white space, no colon, at most 64 characters."""

OrderNumber = Annotated[str, StringConstraints(min_length=1, max_length=64), AfterValidator(_visible)]
"""The number on the parcel, as the customer knows it: ``#1001``, ``000000003``. Text."""

Sku = Annotated[str, StringConstraints(min_length=1, max_length=64), AfterValidator(_visible)]
"""Stock keeping unit: text, compared to the letter (``0012`` is not ``12``), at most 64 characters."""

Country = Annotated[str, AfterValidator(_country)]
"""ISO 3166-1 alpha-2."""

Currency = Annotated[str, AfterValidator(_currency)]
"""ISO 4217."""

Gtin = Annotated[str, AfterValidator(_gtin)]
"""GTIN-8, -12, -13 or -14 with its check digit (GS1 General Specifications, section 7.9)."""

Instant = Annotated[
    datetime, AfterValidator(_instant), PlainSerializer(write_instant, return_type=str, when_used="json")
]
"""A date and time with its offset from UTC, in whole seconds (ISO 8601)."""

Day = Annotated[date, AfterValidator(_day)]
"""A calendar date without a time (ISO 8601)."""

Money = Annotated[Decimal, AfterValidator(_money)]
"""A decimal amount in the order's currency; never a float."""

Uom = Annotated[str, StringConstraints(pattern=r"^[A-Z0-9]{1,3}$")]
"""Unit of measure, one to three capitals or digits (UN/ECE Recommendation 20, X12 element 355): ``EA`` each, ``CS``."""

HsCode = Annotated[str, StringConstraints(pattern=r"^[0-9]{6,12}$")]
"""Harmonised System code: the WCO's six digits and up to six national ones, without dots."""

Fingerprint = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
"""SHA-256 in lower-case hexadecimal."""
