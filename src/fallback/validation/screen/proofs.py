"""Quick proofs for columns with many distinct texts. Each accepts a subset of what the exact reader accepts, and says
so of whole arrays; what it does not accept is not thereby wrong."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import AfterValidator, StringConstraints

from fallback.formats import cells
from fallback.formats.shape import Column
from fallback.formats.spec import Format
from fallback.records import values
from fallback.records.order import Line, Order, ShipTo
from fallback.validation.screen import arrays
from fallback.validation.screen.arrays import Bools

Proof = Callable[[Any, bool], Bools | None]
"""Which texts are good, given that no character stands in them that no text may hold; None where it cannot say."""


def proof_of(column: Column, fmt: Format, blank: bool) -> Proof | None:
    """The quick proof for a column, if there is one. ``blank``: whether a blank cell is good."""
    field, info = column.field, column.info
    odd = column.stand_in is not None or field.only is not None or field.again or field.part or field.guard
    if info is None or odd or field.prefix is not None or field.allowed:
        return None
    parts: list[Proof] = []
    signs = _ASCII
    if field.pattern is not None:
        if not _same_in_re2(field.pattern):
            return None
        signs = _signs(field.pattern)
        parts.append((_sized(field.pattern) if _is_gtin(column) else None) or _matching(field.pattern))
    if info.kind == "text":
        part = _text(column, "\t" if fmt.delimited.delimiter == "\t" else "", signs if parts else None)
    elif info.kind == "money":
        part = _matching(cells._MONEY.pattern)
    elif info.kind in ("instant", "day"):
        part = _dated(info.kind == "instant", field.date, field.zone)
    else:
        part = None
    if part is None:
        return None
    parts.append(part)
    if info.kind == "text" and not _is_gtin(column) and "+" in signs:
        parts.append(_not_rewritten)
    longest = field.longest

    def proof(texts: Any, clean: bool) -> Bools | None:
        sizes = arrays.lengths(texts)
        filled = sizes > 0
        good = filled if longest is None else filled & (sizes <= longest)  # as many bytes as characters, or more
        for one in parts:
            proven = one(texts, clean)
            if proven is None:
                return None
            good = good & proven
        return good | ~filled if blank else good

    return proof


def all_of(proofs: Iterable[Proof | None]) -> Proof | None:
    """The proof that all of these say; None where there is none for one of them."""
    parts = list(proofs)
    if None in parts:
        return None

    def proof(texts: Any, clean: bool) -> Bools | None:
        good = None
        for one in parts:
            proven = one(texts, clean)  # type: ignore[misc]  # none of them is None
            if proven is None:
                return None
            good = proven if good is None else good & proven
        return good

    return proof


def _same_in_re2(pattern: str) -> bool:
    """Whether RE2 takes the pattern for what Python takes it for: counts in braces are all that differs within what a
    format may say."""
    bare = re.sub(r"\\.", "", pattern, flags=re.DOTALL)
    bare = re.sub(r"\[[^\]]*\]", "", bare)
    if re.search(r"[{}]", re.sub(r"\{[0-9]+(?:,[0-9]*)?\}", "", bare)):
        return False
    try:
        pc.match_substring_regex(arrays.texts([""]), _whole(pattern))
    except pa.ArrowInvalid:
        return False
    return True


def _signs(pattern: str) -> frozenset[str]:
    """All signs that a text of this pattern can have, and maybe more."""
    found: set[str] = set()
    for piece in _PIECES.findall(pattern):
        if piece[0] == "[":
            found |= {sign for sign in _ASCII if re.fullmatch(piece, sign)}
        elif piece not in _OPERATORS and piece[:1] + piece[-1:] != "{}":
            found.add(piece[-1])
    return frozenset(found)


_PIECES = re.compile(r"\\.|\[(?:\\.|[^\]\\])*\]|\(\?:|\{[0-9,]*\}|.", re.DOTALL)
_OPERATORS = frozenset(("(?:", "(", ")", "|", "?", "*", "+"))
_ASCII = frozenset(map(chr, range(128)))
_SOLID = frozenset(map(chr, range(33, 127)))  # what can be seen, without the blank


def _whole(pattern: str) -> str:
    return rf"\A(?:{pattern})\z"


def _matching(pattern: str) -> Proof:
    expression = _whole(pattern)
    return lambda texts, _: arrays.bools(pc.match_substring_regex(texts, expression))


# --- texts

_RULES = (values._text, values._note, values._visible, values._identifier)
_IDENTIFIER = "[!-9;-~]+"  # printable ASCII without blank and colon
_VISIBLE = "[!-~](?:[ -~]*[!-~])?"


def _text(column: Column, tab: str, signs: frozenset[str] | None) -> Proof | None:
    """What the record demands of a text. ``signs`` are those of its pattern, which is proven apart."""
    longest, rule = _rule(column)
    if rule is values._gtin:
        return _gtin
    if signs is not None and signs <= _SOLID - ({":"} if rule is values._identifier else set()) and rule in _RULES:
        return _limited(lambda texts, _: np.ones(len(texts), bool), longest)
    if rule is values._identifier:
        return _limited(_matching(_IDENTIFIER), longest)
    if rule is values._visible:
        return _limited(_matching(_VISIBLE), longest)
    if rule in (values._text, values._note):
        refused = tab + ("\n" if rule is values._text else "")
        return _limited(lambda texts, clean: _clean(texts, refused) if clean else None, longest)
    return None


def _is_gtin(column: Column) -> bool:
    return column.info is not None and column.info.kind == "text" and _rule(column)[1] is values._gtin


def _sized(pattern: str) -> Proof | None:
    """The proof of a pattern that only counts digits, where that they are digits is proven apart."""
    counts = re.fullmatch(r"\[0-9\]\{([0-9]+)(,?)([0-9]*)\}", pattern)
    if counts is None:
        return None
    least, most = int(counts[1]), int(counts[3] or (10**9 if counts[2] else counts[1]))

    def proof(texts: Any, _: bool) -> Bools:
        sizes = arrays.lengths(texts)
        return (sizes >= least) & (sizes <= most)

    return proof


def _rule(column: Column) -> tuple[int, Any]:
    """How long the record lets a text be, and its function that looks at it."""
    model: Any = Line if column.of_line else ShipTo if len(column.keys) > 1 else Order
    declared = model.model_fields[column.keys[-1]]
    longest, rule = 0, None
    for said in [*declared.metadata, *_said(declared.annotation)]:
        if isinstance(said, StringConstraints) and said.pattern is None and said.max_length:
            longest = said.max_length
        elif isinstance(said, AfterValidator):
            rule = said.func
        elif type(said).__name__ == "MaxLen":
            longest = said.max_length
        elif type(said).__name__ != "MinLen":
            return 0, None
    return longest, rule


def _said(annotation: Any) -> list[Any]:
    """What stands in the annotations below ``| None``."""
    found = list(getattr(annotation, "__metadata__", ()))
    for part in getattr(annotation, "__args__", ()) if not found else ():
        found += _said(part)
    return found


def _limited(proof: Proof, longest: int) -> Proof | None:
    if not longest:
        return None

    def limited(texts: Any, clean: bool) -> Bools | None:
        proven = proof(texts, clean)
        return None if proven is None else proven & (arrays.lengths(texts) <= longest)

    return limited


def _table(*ranges: tuple[int, int]) -> Bools:
    table = np.zeros(256, bool)
    for least, most in ranges:
        table[least : most + 1] = True
    return table


# No white space begins with these bytes in UTF-8; of the characters of two bytes only those that begin with C2 are.
_BEGINS = _table((0x21, 0x7E), (0xC3, 0xDF), (0xE4, 0xEF))
_PLAIN = _table((0x21, 0x7E))
_OF_TWO = _table((0xC3, 0xDF))
_OF_THREE = _table((0xE4, 0xEF))


def _clean(texts: Any, refused: str) -> Bools:
    """Texts of which only the ends are open: no white space there. ``refused`` are signs that may stand in none."""
    at, data = arrays.offsets(texts)
    if not len(data):
        return np.zeros(len(texts), bool)
    begins, ends = at[:-1], at[1:] - 1
    most = len(data) - 1
    good = _BEGINS[data[np.minimum(begins, most)]]
    plain = _PLAIN[data[np.maximum(ends, 0)]]
    if not plain.all():
        rest = np.flatnonzero(~plain)
        end, begin = ends[rest], begins[rest]
        two = _OF_TWO[data[np.maximum(end - 1, 0)]] & (end - 1 >= begin)
        three = _OF_THREE[data[np.maximum(end - 2, 0)]] & (end - 2 >= begin)
        plain[rest] = two | (three & (data[np.maximum(end - 1, 0)] >= 0x80))
    good &= plain
    for sign in refused:
        if (data[at[0] : at[-1]] == ord(sign)).any():
            good &= ~arrays.bools(pc.match_substring(texts, sign))
    return good


_DIGIT = _table((0x30, 0x39))


def _not_rewritten(texts: Any, _: bool) -> Bools:
    """Texts that do not end as a number does that a spreadsheet has rewritten, ``5.55E+12``."""
    at, data = arrays.offsets(texts)
    good = np.ones(len(texts), bool)
    if len(data):
        rows = np.flatnonzero(_DIGIT[data[np.minimum(at[:-1], len(data) - 1)]])
        ends = at[1:][rows]
        good[rows] = (data[np.maximum(ends - 3, 0)] != ord("+")) & (data[np.maximum(ends - 4, 0)] != ord("+"))
    return good


# --- article numbers

_GTINS = (8, 12, 13, 14)


def _gtin(texts: Any, _: bool) -> Bools:
    """The check digit of GS1: from the right the digits count once and three times in turn: a multiple of ten."""
    sizes = arrays.lengths(texts)
    good = np.zeros(len(texts), bool)
    for size in _GTINS:
        rows, digits = _of_size(texts, sizes, size)
        if len(digits):
            weights = np.array([3 if (size - place) % 2 == 0 else 1 for place in range(size)], np.uint16)
            good[rows] = (digits <= 9).all(axis=1) & (digits.astype(np.uint16) @ weights % 10 == 0)
    return good


def _of_size(texts: Any, sizes: Any, size: int) -> tuple[Any, Any]:
    """The rows whose texts have so many bytes, and these less the sign ``0``, one row a text."""
    fits = sizes == size
    rows: Any = slice(None)
    if not fits.all():
        rows = np.flatnonzero(fits)
        if not len(rows):
            return rows, np.zeros((0, size), np.uint8)
        texts = arrays.take(texts, rows)
    if not len(texts):
        return rows, np.zeros((0, size), np.uint8)
    at, data = arrays.offsets(texts)
    return rows, data[at[0] : at[-1]].reshape(-1, size) - np.uint8(ord("0"))


# --- dates

_DIGITS = {"%Y": 4, "%m": 2, "%d": 2, "%H": 2, "%M": 2, "%S": 2}


def _dated(instant: bool, date: str | Sequence[str] | None, zone: str | None) -> Proof | None:
    """Dates in a pattern of parts of fixed size. The 29th to 31st of a month are left to the calendar."""
    pattern = date if isinstance(date, str | None) else date[0]
    if pattern in (None, "iso8601"):
        pattern = "%Y-%m-%dT%H:%M:%S%z" if instant else "%Y-%m-%d"
    pieces = [piece for piece in re.split(r"(%-?.)", pattern) if piece]
    offset = pieces[-1] == "%z"
    if offset:
        pieces.pop()
    known = [piece for piece in pieces if piece[0] == "%"]
    if not set(known) <= _DIGITS.keys() or len(set(known)) < len(known) or not {"%Y", "%m", "%d"} <= set(known):
        return None
    if not pattern.isascii() or (instant and not offset and zone is None) or (not instant and offset):
        return None
    places: dict[str, int] = {}
    literals: list[tuple[int, int]] = []
    size = 0
    for piece in pieces:
        if piece[0] == "%":
            places[piece] = size
            size += _DIGITS[piece]
        else:
            literals += [(size + index, ord(sign)) for index, sign in enumerate(piece)]
            size += len(piece)
    endings = (6, 1) if offset else (0,)

    def proof(texts: Any, _: bool) -> Bools:
        sizes = arrays.lengths(texts)
        good = np.zeros(len(texts), bool)
        for ending in endings:
            rows, digits = _of_size(texts, sizes, size + ending)
            if len(digits):
                good[rows] = _dates(digits, places, literals) & _offsets(digits[:, size:])
        return good

    return proof


_RANGES = {"%m": (1, 12), "%d": (1, 28), "%H": (0, 23), "%M": (0, 59), "%S": (0, 59)}


def _dates(digits: Any, places: dict[str, int], literals: list[tuple[int, int]]) -> Any:
    good = np.ones(len(digits), bool)
    for place, sign in literals:
        good &= digits[:, place] == (sign - 48) % 256
    for part, place in places.items():
        for index in range(_DIGITS[part]):
            good &= digits[:, place + index] <= 9
        if part in _RANGES:
            number = digits[:, place] * np.uint8(10) + digits[:, place + 1]
            least, most = _RANGES[part]
            good &= (number >= least) & (number <= most)
        else:  # 1980 to 2979: within the range of the records by years, whatever the zone
            year = digits[:, place : place + 4].astype(np.int32) @ np.array([1000, 100, 10, 1], np.int32)
            good &= (year >= 1980) & (year < 2980)
    return good


def _offsets(digits: Any) -> Any:
    """``Z``, or an offset such as ``+01:00`` of less than a day."""
    size = digits.shape[1]
    if not size:
        return True
    if size == 1:
        return digits[:, 0] == ord("Z") - 48
    sign, hours, minutes = digits[:, 0], digits[:, 1] * np.uint8(10) + digits[:, 2], digits[:, 4] * np.uint8(10)
    good = (sign == (ord("+") - 48) % 256) | (sign == (ord("-") - 48) % 256)
    good &= (digits[:, 3] == ord(":") - 48) & (minutes <= 50) & (digits[:, 4] <= 5) & (digits[:, 5] <= 9)
    return good & (digits[:, 1] <= 2) & (digits[:, 2] <= 9) & (hours <= 23)
