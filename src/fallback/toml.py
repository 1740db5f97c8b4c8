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
        content = tomllib.loads(file.read_text("utf-8"))
        return model.model_validate(content)
    except OSError as error:
        raise FallbackError("file-unreadable", f"{file}: {error.strerror or 'cannot be read'}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise FallbackError(code, f"{file} is not TOML: {error}") from None
    except ValidationError as error:
        places = "\n".join(f"  {toml_place(item)}" for item in error.errors(include_url=False))
        raise FallbackError(code, f"{file.name} is wrong at {error.error_count()} place(s):\n{places}") from None


_TOML_WORDS = {
    "missing": "is missing",
    "extra_forbidden": "is not a key of this section",
    "literal_error": "may be {expected}",
}


def toml_place(item: Any) -> str:
    """One mistake in a TOML file in plain words: its path, and what was expected there."""
    path = ".".join(f"[{part}]" if isinstance(part, int) else str(part) for part in item["loc"]).replace(".[", "[")
    words = _TOML_WORDS.get(item["type"], "")
    if words:
        return f"{path} {words.format(**item.get('ctx', {}))}"
    message = item["msg"].removeprefix("Value error, ")
    return f"{path}: {message[:1].lower()}{message[1:]}"
