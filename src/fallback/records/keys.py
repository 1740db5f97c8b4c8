"""The template of order keys: what it may be, and what a key that it made says."""

from __future__ import annotations

import re
from functools import lru_cache

KEY_PARTS = ("brand", "platform", "order_id", "order_number", "group")
DEFAULT_KEY = "{brand}:{platform}:{order_id}:{group}"


def parts_of(template: str) -> tuple[str, ...]:
    """The canonical paths that a key is made of."""
    return tuple(re.findall(r"\{(\w+)\}", template))


def check_template(template: str) -> str:
    """The template, where each key that it makes names one order and says which. Raises ValueError with the reason."""
    # Identifiers hold no colon and an order number may: joined by colons, each part once, a key has one reading.
    parts = parts_of(template)
    if unknown := sorted(set(parts) - set(KEY_PARTS)):
        found = ", ".join(f"{{{name}}}" for name in unknown)
        raise ValueError(f"the key may use {', '.join(KEY_PARTS)}; found {found}")
    if len(parts) != len(set(parts)) or not re.fullmatch(r"(\{\w+\}|[^{}:]+)(:(\{\w+\}|[^{}:]+))*", template):
        raise ValueError(f"the key is parts with colons between them, each part once, such as {DEFAULT_KEY}")
    if not {"order_id", "order_number"} & set(parts):
        raise ValueError("the key needs {order_id} or {order_number}")
    if "group" not in parts:
        raise ValueError("the key needs {group}: without it the second part of a split order never ships")
    return template


def split_key(template: str, key: str) -> tuple[str, str] | None:
    """A key without its group, and the group; None where the template did not make it."""
    found = re.fullmatch(_pattern(template), key)
    return None if found is None else (key[: found.start("group")] + key[found.end("group") :], found["group"])


def whole_key(template: str, key: str) -> str | None:
    """The key that the same order has whole, as group 0; None where the template did not make it."""
    found = re.fullmatch(_pattern(template), key)
    return None if found is None else key[: found.start("group")] + "0" + key[found.end("group") :]


@lru_cache
def _pattern(template: str) -> str:
    """The keys of a template. An order number may hold colons; it is the only part that does."""
    pattern = re.escape(template)
    for name in KEY_PARTS:
        held = ".+" if name == "order_number" else "[^:]+"
        pattern = pattern.replace(re.escape(f"{{{name}}}"), f"(?P<{name}>{held})")
    return pattern
