"""One value to one text and back. A cell knows the notation of a value; whether the value is good, the record says."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

from fallback.records.paths import ValueKind
from fallback.records.values import write_instant

DATE_DIRECTIVES: Mapping[str, str] = {
    "%Y": r"(?P<Y>[0-9]{4})",
    "%y": r"(?P<y>[0-9]{2})",
    "%m": r"(?P<m>[0-9]{2})",
    "%d": r"(?P<d>[0-9]{2})",
    "%-m": r"(?P<m>1[0-2]|[1-9])",
    "%-d": r"(?P<d>[12][0-9]|3[01]|[1-9])",
    "%H": r"(?P<H>[0-9]{2})",
    "%M": r"(?P<M>[0-9]{2})",
    "%S": r"(?P<S>[0-9]{2})",
    "%z": r"(?P<z>Z|[+-][0-9]{2}:?[0-9]{2})",
}
"""The parts of a date that a format may use, and how strictly each is read: no missing zeros, no white space. ``%-m``
and ``%-d`` have no zero before a single digit; the two digits of ``%y`` are of this century."""

SHORT_YEARS = range(2000, 2100)
"""The years that two digits can say."""

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
    return re.findall(r"%(?:-?.|$)", pattern)


def reader(kind: ValueKind, date: str | Sequence[str] | None = None, zone: str | None = None) -> Callable[[str], Any]:
    """How the text of a cell becomes a value. The function raises CellError for a wrong notation.

    ``date`` is one pattern, or several of which any may be found; ``zone`` is UTC where a pattern has none.
    """
    if kind in ("instant", "day"):
        make = _instant_reader if kind == "instant" else _day_reader
        iso = _ISO_INSTANT if kind == "instant" else _ISO_DAY
        patterns = [
            iso if one == "iso8601" else one for one in ([date or iso] if isinstance(date, str | None) else date)
        ]
        return _any_of([make(pattern, zone) for pattern in patterns])
    readers: dict[str, Callable[[str], Any]] = {
        "text": str,
        "integer": read_integer,
        "money": read_money,
        "properties": read_properties,
    }
    return readers[kind]


def _any_of(readers: Sequence[Callable[[str], Any]]) -> Callable[[str], Any]:
    if len(readers) == 1:
        return readers[0]

    def read(text: str) -> Any:
        first: CellError | None = None
        for one in readers:
            try:
                return one(text)
            except CellError as error:
                first = first or error
        raise first or CellError("date-invalid", "a date")

    return read


def writer(kind: ValueKind, date: str | Sequence[str] | None = None, zone: str | None = None) -> Callable[[Any], str]:
    """How a value becomes the text of a cell; the mirror of ``reader``. The first of several patterns is written."""
    pattern = date if isinstance(date, str | None) else date[0]
    if kind in ("instant", "day") and pattern not in (None, "iso8601"):
        if zone is not None and kind == "instant":
            return lambda value: _dated(value.astimezone(UTC), pattern)
        return lambda value: _dated(value, pattern)
    writers: dict[str, Callable[[Any], str]] = {
        "text": str,
        "integer": str,
        "instant": write_instant,
        "day": _iso_day,
        "money": write_money,
        "properties": write_properties,
    }
    return writers[kind]


def _dated(value: date, pattern: str) -> str:
    """A date in a pattern. What ``strftime`` makes of a directive with a minus depends on the machine."""
    short = {"%-m": str(value.month), "%-d": str(value.day)}
    return value.strftime(re.sub(r"%-[md]", lambda match: short[match[0]], pattern))


def _iso_day(value: date) -> str:
    return value.isoformat()


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
    parts = re.split(r"(%-?.)", pattern)
    return re.compile("".join(DATE_DIRECTIVES.get(part, re.escape(part)) for part in parts))


def _example(pattern: str) -> str:
    moment = datetime(2026, 11, 23, 14, 5, 9, tzinfo=timezone(timedelta(hours=1)))
    return write_instant(moment) if pattern == _ISO_INSTANT else _dated(moment, pattern)


def _instant_reader(pattern: str, zone: str | None) -> Callable[[str], datetime]:
    regex = _date_regex(pattern)
    without_zone = _date_regex(pattern.replace("%z", "").strip())
    expected = f"a date and time such as {_example(pattern)}"

    def read(text: str) -> datetime:
        match = regex.fullmatch(text)
        if match is None:
            code = "zone-missing" if zone is None and without_zone.fullmatch(text) else "date-invalid"
            raise CellError(code, expected)
        part = {"H": "0", "M": "0", "S": "0", "z": "Z"} | match.groupdict()
        try:
            return datetime(
                _year(part), int(part["m"]), int(part["d"]), int(part["H"]), int(part["M"]), int(part["S"]),
                tzinfo=_zone(part["z"]),
            )  # fmt: skip
        except ValueError:
            raise CellError("date-invalid", expected) from None

    return read


def keeps_year(value: date, pattern: str | Sequence[str] | None) -> bool:
    """Whether a date that is written in this pattern, the first of several, keeps its century."""
    first = pattern if isinstance(pattern, str | None) else pattern[0]
    years = {value.year, value.astimezone(UTC).year} if isinstance(value, datetime) else {value.year}
    return first is None or "%y" not in date_directives(first) or years <= set(SHORT_YEARS)


def _year(part: Mapping[str, str]) -> int:
    return int(part["Y"]) if "Y" in part else SHORT_YEARS[0] + int(part["y"])


def _zone(text: str) -> timezone:
    if text == "Z":
        return UTC
    minutes = int(text[1:3]) * 60 + int(text[-2:])
    if int(text[-2:]) > 59:
        raise ValueError("no such offset")
    return timezone(timedelta(minutes=-minutes if text[0] == "-" else minutes))


def _day_reader(pattern: str, zone: str | None) -> Callable[[str], date]:  # noqa: ARG001 - a day has no zone
    regex = _date_regex(pattern)
    expected = f"a date such as {_example(pattern)}"

    def read(text: str) -> date:
        match = regex.fullmatch(text)
        try:
            if match is not None:
                return date(_year(match.groupdict()), int(match["m"]), int(match["d"]))
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
