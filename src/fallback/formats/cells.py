"""One value to one text and back. A cell knows the notation of a value; whether the value is good, the record says."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

from fallback.records.paths import ValueKind
from fallback.records.values import write_instant

DATE_DIRECTIVES: Mapping[str, str] = {
    "%Y": r"(?P<Y>[0-9]{4})",
    "%m": r"(?P<m>[0-9]{2})",
    "%d": r"(?P<d>[0-9]{2})",
    "%H": r"(?P<H>[0-9]{2})",
    "%M": r"(?P<M>[0-9]{2})",
    "%S": r"(?P<S>[0-9]{2})",
    "%z": r"(?P<z>Z|[+-][0-9]{2}:?[0-9]{2})",
}
"""The parts of a date that a format may use, and how strictly each is read: no missing zeros, no white space."""

_INTEGER = re.compile(r"0|[1-9][0-9]{0,17}")
_MONEY = re.compile(r"(?:0|[1-9][0-9]{0,11})(?:\.[0-9]{1,6})?")
_ISO_INSTANT = "%Y-%m-%dT%H:%M:%S%z"
_ISO_DAY = "%Y-%m-%d"


class CellError(Exception):
    """A text that is not the notation of a value: the finding code and what was expected. Never leaves ``formats``."""

    def __init__(self, code: str, expected: str) -> None:
        super().__init__(code)
        self.code = code
        self.expected = expected


def date_directives(pattern: str) -> list[str]:
    """The directives of a date pattern, in its order; a sign of per cent at its end is one."""
    return re.findall(r"%(?:.|$)", pattern)


def reader(kind: ValueKind, date_pattern: str | None = None) -> Callable[[str], Any]:
    """How the text of a cell becomes a value. The function raises CellError for a wrong notation."""
    if kind == "instant":
        return _instant_reader(_ISO_INSTANT if date_pattern in (None, "iso8601") else str(date_pattern))
    if kind == "day":
        return _day_reader(_ISO_DAY if date_pattern in (None, "iso8601") else str(date_pattern))
    readers: dict[str, Callable[[str], Any]] = {
        "text": str,
        "integer": read_integer,
        "money": read_money,
        "properties": read_properties,
    }
    return readers[kind]


def writer(kind: ValueKind, date_pattern: str | None = None) -> Callable[[Any], str]:
    """How a value becomes the text of a cell; the mirror of ``reader``."""
    if kind == "instant" and date_pattern not in (None, "iso8601"):
        return lambda value: value.strftime(date_pattern)
    if kind == "day" and date_pattern not in (None, "iso8601"):
        return lambda value: value.strftime(date_pattern)
    writers: dict[str, Callable[[Any], str]] = {
        "text": str,
        "integer": str,
        "instant": write_instant,
        "day": date.isoformat,
        "money": write_money,
        "properties": write_properties,
    }
    return writers[kind]


def read_integer(text: str) -> int:
    if not _INTEGER.fullmatch(text):
        raise CellError("number-invalid", "a whole number in plain digits, such as 12")
    return int(text)


def read_money(text: str) -> Decimal:
    if not _MONEY.fullmatch(text):
        raise CellError("money-invalid", "an amount with at most six decimals, such as 19.90")
    return Decimal(text)


def write_money(value: Decimal) -> str:
    return format(value, "f")


def _date_regex(pattern: str) -> re.Pattern[str]:
    parts = re.split(r"(%.)", pattern)
    return re.compile("".join(DATE_DIRECTIVES.get(part, re.escape(part)) for part in parts))


def _example(pattern: str) -> str:
    moment = datetime(2026, 11, 23, 14, 5, 9, tzinfo=timezone(timedelta(hours=1)))
    return write_instant(moment) if pattern == _ISO_INSTANT else moment.strftime(pattern)


def _instant_reader(pattern: str) -> Callable[[str], datetime]:
    regex = _date_regex(pattern)
    without_zone = _date_regex(pattern.replace("%z", "").strip())
    expected = f"a date and time such as {_example(pattern)}"

    def read(text: str) -> datetime:
        match = regex.fullmatch(text)
        if match is None:
            code = "zone-missing" if without_zone.fullmatch(text) else "date-invalid"
            raise CellError(code, expected)
        part = match.group
        try:
            return datetime(
                int(part("Y")), int(part("m")), int(part("d")), int(part("H")), int(part("M")), int(part("S")),
                tzinfo=_zone(part("z")),
            )  # fmt: skip
        except ValueError:
            raise CellError("date-invalid", expected) from None

    return read


def _zone(text: str) -> timezone:
    if text == "Z":
        return UTC
    minutes = int(text[1:3]) * 60 + int(text[-2:])
    if int(text[-2:]) > 59:
        raise ValueError("no such offset")
    return timezone(timedelta(minutes=-minutes if text[0] == "-" else minutes))


def _day_reader(pattern: str) -> Callable[[str], date]:
    regex = _date_regex(pattern)
    expected = f"a date such as {_example(pattern)}"

    def read(text: str) -> date:
        match = regex.fullmatch(text)
        try:
            if match is not None:
                return date(int(match["Y"]), int(match["m"]), int(match["d"]))
        except ValueError:
            pass
        raise CellError("date-invalid", expected)

    return read


# Properties of a line in one cell: ``Engraving=Happy Birthday; Wrap=red``. A backslash takes the meaning from the
# character after it, so that any text goes through.
_ESCAPED = {"\\": "\\\\", ";": "\\;", "=": "\\=", "\n": "\\n"}
_ESCAPE = str.maketrans(_ESCAPED)
_PIECE = re.compile(r"(?:\\[\\;=n]|[^\\;=])*")


def write_properties(properties: Any) -> str:
    return "; ".join(f"{p.name.translate(_ESCAPE)}={p.value.translate(_ESCAPE)}" for p in properties)


def read_properties(text: str) -> tuple[dict[str, str], ...]:
    properties = []
    at = 0
    while True:
        name = _PIECE.match(text, at)
        equals = name.end() if name else at
        value = _PIECE.match(text, equals + 1)
        if not name or not value or text[equals : equals + 1] != "=":
            raise CellError("properties-invalid", "name=value; name=value")
        properties.append({"name": _unescape(name[0]), "value": _unescape(value[0])})
        at = value.end()
        if at == len(text):
            return tuple(properties)
        if text[at : at + 2] != "; ":
            raise CellError("properties-invalid", "name=value; name=value")
        at += 2


def _unescape(text: str) -> str:
    return re.sub(r"\\(.)", lambda match: "\n" if match[1] == "n" else match[1], text)
