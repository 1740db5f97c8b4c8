"""TOML files of the project, read into models: every mistake at once, each with its path in the file."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from fallback.errors import FallbackError

Model = TypeVar("Model", bound=BaseModel)


def read_toml(file: Path, model: type[Model], code: str) -> Model:
    """The content of a TOML file as a model. Raises FallbackError ``code`` with each wrong place."""
    try:
        with file.open("rb") as stream:
            text = stream.read(_MOST_BYTES + 1).decode("utf-8")
        return model.model_validate(_parsed(text, file, code))
    except OSError as error:
        raise FallbackError("file-unreadable", f"{file}: {error.strerror or 'cannot be read'}") from None
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise FallbackError(code, f"{file} is not UTF-8 text at line {line:,}: save it as UTF-8") from None
    except ValidationError as error:
        places = "\n".join(f"  {toml_place(item)}" for item in error.errors(include_url=False, include_input=False))
        raise FallbackError(code, f"{file.name} is wrong at {error.error_count()} place(s):\n{places}") from None


# No declaration needs more, and the time that the parser takes grows with the square of a dotted key's length.
_MOST_BYTES, _LONGEST_LINE = 1_000_000, 20_000


def _parsed(text: str, file: Path, code: str) -> dict[str, Any]:
    if len(text.encode()) > _MOST_BYTES:
        raise FallbackError(code, f"{file} is longer than {_MOST_BYTES:,} bytes: no such file needs as much")
    if long := [number for number, line in enumerate(text.split("\n"), start=1) if len(line) > _LONGEST_LINE]:
        raise FallbackError(code, f"{file} has more than {_LONGEST_LINE:,} characters in line {long[0]:,}")
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise FallbackError(code, f"{file} is not TOML: {error}") from None
    except RecursionError:
        raise FallbackError(code, f"{file} has too many brackets within brackets") from None
    except ValueError:
        raise FallbackError(code, f"{file} has a number of too many digits") from None


_TOML_WORDS = {
    "missing": "is missing",
    "extra_forbidden": "is not a key of this section",
    "literal_error": "may be {expected}",
    "string_type": "is text in quotation marks",
    "string_pattern_mismatch": "does not have the agreed form {pattern}",
    "string_too_short": "is empty",
    "string_too_long": "has at most {max_length:,} character(s)",
    "int_type": "is a whole number",
    "int_parsing": "is a whole number",
    "int_from_float": "is a whole number",
    "greater_than_equal": "is {ge} or more",
    "less_than_equal": "is {le:,} or less",
    "bool_type": "is true or false",
    "bool_parsing": "is true or false",
    "date_type": "is a date such as 2026-11-23",
    "date_parsing": "is a date such as 2026-11-23",
    "date_from_datetime_parsing": "is a date such as 2026-11-23",
    "date_from_datetime_inexact": "is a date such as 2026-11-23, without a time",
    "time_type": "is a time of day such as 14:00",
    "time_parsing": "is a time of day such as 14:00",
    "time_delta_type": "is a duration such as PT60M or P15D",
    "time_delta_parsing": "is a duration such as PT60M or P15D",
    "tuple_type": "is a list in brackets",
    "too_short": "is empty",
    "too_long": "has at most {max_length:,} entries",
    "dict_type": "is a section of its own",
    "model_type": "is a section of its own",
}


def toml_place(item: Any) -> str:
    """One mistake in a TOML file in plain words: its path, and what was expected there."""
    path = ".".join(f"[{part}]" if isinstance(part, int) else str(part) for part in item["loc"]).replace(".[", "[")
    words = _TOML_WORDS.get(item["type"], "")
    if words:
        return f"{path} {words.format(**item.get('ctx', {}))}"
    if item["type"] != "value_error":  # what a library would say of it is not for a shift lead
        return f"{path} does not have the form that is needed here"
    message = item["msg"].removeprefix("Value error, ")
    return f"{path}: {message[:1].lower()}{message[1:]}"
