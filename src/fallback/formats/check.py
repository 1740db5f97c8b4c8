"""What a field demands of the text of its cell, the same for writing and for reading."""

from __future__ import annotations

import re
from functools import lru_cache

from fallback.formats.spec import Field


@lru_cache(maxsize=512)
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern)


def cell_problem(field: Field, text: str) -> tuple[str, str, str | None] | None:
    """Code, what was expected, and what was found (None: the value) where the text breaks a rule of its field."""
    if field.longest is not None and len(text) > field.longest:
        return "value-too-long", f"at most {field.longest:,} characters", f"{len(text):,} characters"
    if field.allowed and text not in field.allowed:
        return "value-not-allowed", "one of " + ", ".join(field.allowed), None
    if field.pattern is not None and not _compiled(field.pattern).fullmatch(text):
        return "value-malformed", f"the form {field.pattern}", None
    return None
