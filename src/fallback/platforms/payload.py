"""The bytes of a payload, read strictly: JSON or JSON Lines, nothing guessed and nothing doubled."""

from __future__ import annotations

import json
import re
from decimal import Decimal
from typing import Any, NoReturn

from fallback.errors import FallbackError

MAX_BYTES = 512 * 1024 * 1024
MAX_DEPTH = 64


def read_payload(data: bytes, name: str = "payload") -> Any:
    """Parsed JSON, or the list of values of JSON Lines, with numbers as ``int`` and ``Decimal``.

    ``name`` is what the error calls it. Raises FallbackError ``payload-unreadable`` for bytes that are not UTF-8 or not
    JSON, a key that stands twice in one object, a number that is none (``NaN``), nesting deeper than 64, and more than
    512 MiB.
    """
    if len(data) > MAX_BYTES:
        _refuse(name, f"it has more than {MAX_BYTES >> 20} MiB", "export in parts: several files can be given together")
    text = _decode(data, name)
    if not text.strip():
        _refuse(name, "it is empty", "a query that failed often leaves an empty file: export again")
    if name.lower().endswith((".jsonl", ".ndjson")):
        payload: Any = _read_lines(text, name)
    else:
        try:
            payload = _parse(text, name)
        except json.JSONDecodeError as error:
            if error.msg != "Extra data":
                _refuse(name, f"not JSON at line {error.lineno:,}, column {error.colno:,}", _CUT)
            payload = _read_lines(text, name)
    _check_depth(payload, name)
    return payload


_CUT = "the file was cut or edited; export again"


def _refuse(name: str, what: str, hint: str) -> NoReturn:
    raise FallbackError("payload-unreadable", f"{name}: {what}", hint=hint)


def _decode(data: bytes, name: str) -> str:
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        _refuse(name, "it is UTF-16", "save the platform's export as it came, in UTF-8")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        _refuse(name, f"not UTF-8 at line {line:,}", "another program has saved it; use the platform's own export")


class _Doubled(ValueError):
    """A key stands twice in one object."""


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    if len(content) < len(pairs):
        seen: set[str] = set()
        key = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise _Doubled(f'"{key}"' if re.fullmatch(r"\w{1,60}", key, re.ASCII) else "a key")
    return content


def _constant(_: str) -> NoReturn:
    raise ValueError("not a number of JSON")


def _parse(text: str, name: str, line: int = 0) -> Any:
    """One JSON text. JSONDecodeError is left to the caller, who knows whether it may be JSON Lines."""
    where = f" in line {line:,}" if line else ""
    try:
        return json.loads(text, object_pairs_hook=_object, parse_float=Decimal, parse_constant=_constant)
    except json.JSONDecodeError:
        raise
    except _Doubled as error:
        _refuse(
            name, f"{error} stands twice in one object{where}", "which of the two holds cannot be known; export again"
        )
    except RecursionError:
        _refuse(
            name, f"nested deeper than {MAX_DEPTH}{where}", "no platform exports this; find out where it comes from"
        )
    except (ValueError, ArithmeticError):  # NaN, Infinity, numbers of thousands of digits
        _refuse(
            name, f"it holds a number that is none{where}", "no platform exports this; find out where it comes from"
        )


def _read_lines(text: str, name: str) -> list[Any]:
    """JSON Lines: one value a line; only the last line may be blank."""
    values = []
    for number, line in enumerate(text.rstrip("\r\n").split("\n"), start=1):
        if not line.strip():
            _refuse(name, f"line {number:,} is blank", _CUT)
        try:
            values.append(_parse(line, name, number))
        except json.JSONDecodeError as error:
            _refuse(name, f"not JSON at line {number:,}, column {error.colno:,}", _CUT)
    return values


def _check_depth(payload: Any, name: str) -> None:
    level = [payload]
    for _ in range(MAX_DEPTH):
        level = [
            inner
            for outer in level
            for inner in (outer.values() if isinstance(outer, dict) else outer if isinstance(outer, list) else ())
            if isinstance(inner, dict | list)
        ]
        if not level:
            return
    _refuse(name, f"nested deeper than {MAX_DEPTH}", "no platform exports this; find out where it comes from")
