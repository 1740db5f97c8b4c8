"""JSON objects and trees: the members of an object by their dotted names, and back. Used by both kinds of JSON."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

from fallback.formats.kinds.rows import Fault, Row, Tree
from fallback.formats.spec import Format


class _KeyDoubled(Exception):
    pass


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    if len(content) < len(pairs):
        raise _KeyDoubled
    return content


def _no_constant(name: str) -> Any:
    raise ValueError(name)


DECODER = json.JSONDecoder(object_pairs_hook=_object, parse_float=Decimal, parse_constant=_no_constant)


def decode(text: str, at: int, number: int) -> Any | Fault:
    """The JSON value of a text, or the Fault for what is wrong with it. NaN and doubled keys are not JSON here."""
    try:
        return DECODER.decode(text)
    except _KeyDoubled:
        return Fault("json-key-doubled", at, number, expected="each name once in an object")
    except (ValueError, RecursionError):
        return Fault("json-invalid", at, number, expected="one whole JSON object")


def row(content: Any, fmt: Format, at: int, number: int) -> Row | Fault:
    """An object as the row of one order."""
    if isinstance(content, Fault):
        return content
    if not isinstance(content, dict):
        return Fault("json-invalid", at, number, expected="one whole JSON object")
    return Row(0, to_tree(content, fmt), at, number)


def to_tree(content: dict[str, Any], fmt: Format) -> Tree:
    """The members that the format names; everything else, and every group that is none, is unknown."""
    list_name = fmt.json_terms.lines
    unknown: list[tuple[str, str]] = []
    names = {field.name for field in fmt.fields}
    own = {name for name in names if not name.startswith(list_name + ".")}
    order = _flat({k: v for k, v in content.items() if k != list_name}, own, "", unknown)
    inside = {name.removeprefix(list_name + ".") for name in names - own}
    lines: list[dict[str, Any]] = []
    items = content.get(list_name)
    if not isinstance(items, list):
        unknown.append(("value-malformed", f"{list_name} that is no list"))
        items = []
    for index, item in enumerate(items):
        if not isinstance(item, dict):
            unknown.append(("value-malformed", f"{list_name}[{index}] that is no object"))
            item = {}  # noqa: PLW2901 - its absent values are found missing
        found = _flat(item, inside, f"{list_name}[{index}].", unknown)
        lines.append({f"{list_name}.{name}": value for name, value in found.items()})
    return Tree(order, lines, tuple(unknown))


def _flat(content: dict[str, Any], names: set[str], shown: str, unknown: list[tuple[str, str]]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for key, value in content.items():
        deeper = {name.removeprefix(key + ".") for name in names if name.startswith(key + ".")}
        if key in names:
            values[key] = value
        elif not deeper:
            unknown.append(("value-malformed", f"{shown}{key[:60]}"))
        elif isinstance(value, dict):
            found = _flat(value, deeper, f"{shown}{key}.", unknown)
            values.update({f"{key}.{name}": one for name, one in found.items()})
        elif value is not None:
            unknown.append(("value-malformed", f"{shown}{key} that is no object"))
    return values


def from_tree(tree: Tree, fmt: Format) -> dict[str, Any]:
    """The object of one order, members in declared order, absent ones as null."""
    list_name = fmt.json_terms.lines
    content: dict[str, Any] = {}
    for field in fmt.fields:
        if field.name.startswith(list_name + "."):
            if list_name not in content:
                content[list_name] = [_object_of(line, list_name + ".") for line in tree.lines]
        else:
            _put(content, field.name.split("."), tree.order[field.name])
    return content


def _object_of(line: dict[str, Any], prefix: str) -> dict[str, Any]:
    content: dict[str, Any] = {}
    for name, value in line.items():
        _put(content, name.removeprefix(prefix).split("."), value)
    return content


def _put(content: dict[str, Any], keys: list[str], value: Any) -> None:
    for key in keys[:-1]:
        content = content.setdefault(key, {})
    content[keys[-1]] = value


def compact(content: Any) -> str:
    return json.dumps(content, ensure_ascii=False, separators=(",", ":"))
