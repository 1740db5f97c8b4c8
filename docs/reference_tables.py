"""Tables in Markdown, and models of pydantic as tables: what a field holds, and whether it must be there."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table in Markdown; the cells may hold anything but a code block."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(_cell(cell) for cell in row) + " |" for row in lines)


def _cell(text: str) -> str:
    return re.sub(r"(?<!\\)\|", r"\\|", " ".join(text.split()))


class _Row(NamedTuple):
    """One field of a model: its name, what it holds, whether it must be there, what it is where it is absent."""

    name: str
    holds: str
    required: bool
    default: str
    inner: str | None
    many: str


def _rows(schema: Mapping[str, Any]) -> Iterator[_Row]:
    for name, field in schema.get("properties", {}).items():
        holds, inner, many = _holds(field)
        default = None if "const" in field else field.get("default")
        text = "" if default in (None, [], {}) or inner else _value(default)
        yield _Row(name, holds, name in schema.get("required", ()), text, inner, many)


def _value(default: Any) -> str:
    return f"`{json.dumps(default, ensure_ascii=False)}`"


_WORDS = {
    "string": "text",
    "integer": "whole number",
    "number": "number",
    "boolean": "true or false",
    "object": "table",
    "date-time": "date and time with its offset",
    "date": "date",
    "time": "time of day",
    "duration": "duration such as PT60M",
}


def _holds(field: Mapping[str, Any]) -> tuple[str, str | None, str]:
    """What a field holds in words; the name of the model within it, and whether there are many: ``[]`` or ``*``."""
    if "anyOf" in field:
        return _holds(next(one for one in field["anyOf"] if one.get("type") != "null"))
    if "$ref" in field:
        return "section", field["$ref"].rpartition("/")[2], ""
    if field.get("type") == "array":
        holds, inner, _ = _holds(field["items"])
        return f"list of {'sections' if inner else holds}", inner, "[]"
    if isinstance(field.get("additionalProperties"), dict):
        holds, inner, _ = _holds(field["additionalProperties"])
        return f"table of {'sections' if inner else holds}", inner, ".*"
    if "const" in field:
        return _value(field["const"]), None, ""
    if "enum" in field:
        return ", ".join(_value(one) for one in field["enum"]), None, ""
    return _WORDS.get(field.get("format", ""), _WORDS[field["type"]]), None, ""


def keys(schema: Mapping[str, Any]) -> str:
    """The keys of one section as a table; empty where it has sections only."""
    rows = [
        (f"`{row.name}`", row.holds, "yes" if row.required else "", row.default)
        for row in _rows(schema)
        if row.inner is None
    ]
    return table(("key", "holds", "required", "otherwise"), rows) if rows else ""


def sections(schema: Mapping[str, Any], models: Mapping[str, Any], above: str = "") -> Iterator[str]:
    """The sections below one, those that hold the same things together."""
    by_model: dict[str, list[_Row]] = {}
    for row in _rows(schema):
        if row.inner is not None:
            by_model.setdefault(row.inner, []).append(row)
    for name, rows in by_model.items():
        model = models[name]
        yield "### " + ", ".join(_title(above, row) for row in rows)
        yield model.get("description", "").replace("``", "`")
        yield keys(model)
        for row in rows[:1]:
            yield from sections(model, models, f"{above}{row.name}.")


def _title(above: str, row: _Row) -> str:
    name = f"[[{above}{row.name}]]" if row.many == "[]" else f"[{above}{row.name}{row.many.replace('*', 'NAME')}]"
    return f"`{name}`" + ("" if row.required else " (optional)")


def paths(schema: Mapping[str, Any], models: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, str, str]]:
    """Every field of a document, however deep, with what it holds and whether it must be there."""
    for row in _rows(schema):
        need = "yes" if row.required else f"else {row.default}" if row.default else ""
        yield f"`{above}{row.name}{row.many}`", row.holds, need
        if row.inner is not None:
            yield from paths(models[row.inner], models, f"{above}{row.name}{row.many}.")
