"""The scope of a format as a contract can attach it: every field as rows, as JSON Schema and as Table Schema."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from fallback.errors import FallbackError
from fallback.formats.describe import places_of, role_of
from fallback.formats.shape import Column, computed, shape_of
from fallback.formats.spec import COUNTS, Field, Format, RecordSpec
from fallback.records.order import Order
from fallback.records.paths import PATHS, values_of
from fallback.records.values import countries, currencies

_TYPES = {
    "text": "text",
    "integer": "whole number",
    "instant": "date and time",
    "day": "date",
    "money": "amount",
    "properties": "names and values",
}


def sheet(fmt: Format, examples: Sequence[Order] = ()) -> list[dict[str, str]]:
    """Every field of the file: record, name, meaning, canonical path, need, type, length, values, example, source.

    ``examples``: orders of people who do not exist; a field shows the first value that one of them has.
    """
    rows = []
    for row in shape_of(fmt).rows:
        for place, column in zip(places_of(row.spec, fmt), row.columns, strict=True):
            field = column.field
            rows.append(
                {
                    "record": row.spec.tag,
                    "rows": role_of(row.spec, fmt) if fmt.records else "",
                    "place": place,
                    "name": field.name,
                    "meaning": field.doc,
                    "path": field.path or _without_path(field),
                    "required": "yes" if field.required else "",
                    "type": _TYPES[field.info.kind] if field.info else "computed" if field.path else "text",
                    "length": "" if field.longest is None else str(field.longest),
                    "values": _in_words(field),
                    "example": _example(column, examples),
                    "source": field.source or "",
                }
            )
    return rows


def _in_words(field: Field) -> str:
    """Which values a field takes: those that are listed, or their form."""
    if field.only is not None:
        return ", ".join(one or "blank" for one in field.only)
    listed = ", ".join(field.allowed) or " or ".join(field.dates).replace("iso8601", "ISO 8601") or field.pattern or ""
    words = [f"always {field.constant}"] if field.constant else [listed] if listed else []
    if field.stand_in is not None:
        words.append(f"{field.stand_in} where absent")
    if field.once:
        words.append("each in one line only")
    return "; ".join(words)


def _example(column: Column, examples: Sequence[Order]) -> str:
    field = column.field
    if field.info is None or field.path is None:
        counted = field.path in ("order_lines", "order_units") and examples
        return field.constant or (str(computed(examples[0], str(field.path), None)) if counted else "")
    found = (value for order in examples for value in values_of(order, str(field.path)) if value not in (None, ()))
    return next((column.write(value) for value in found), "")


def _without_path(field: Field) -> str:
    if field.only is not None or field.unused:
        return "none"
    return f"code {field.code}" if field.code else "constant"


def json_schema(fmt: Format) -> dict[str, Any]:
    """JSON Schema of the canonical order as a file of this format carries it.

    What the format loses by agreement stands at its default; what a field demands of its value, the schema does too.
    """
    schema = Order.model_json_schema(mode="serialization")
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    schema["title"] = f"Order as carried by {fmt.name} version {fmt.version}"
    owners = {"": schema, "ship_to": schema["$defs"]["ShipTo"], "lines": schema["$defs"]["Line"]}
    for path, info in PATHS.items():
        head, _, name = path.rpartition(".")
        properties = owners[head]["properties"]
        field = next((one for one in fmt.all_fields if one.path == path and not one.again), None)
        if path in fmt.drops:
            default = [] if info.kind == "properties" else info.default
            properties[name] = {"const": default, "description": "Not carried, by agreement."}
        elif field is not None:
            properties[name] = _member(properties[name], field)
    return schema


def _member(said: dict[str, Any], field: Field) -> dict[str, Any]:
    """The schema of a member with what its field demands of it."""
    branches = [dict(one) for one in said.get("anyOf", [said])]
    if field.required and field.stand_in is None and field.default is None and field.default_from is None:
        branches = [one for one in branches if one.get("type") != "null"]
    if field.info is not None and field.info.kind == "text" and field.part is None:
        _demand(next(one for one in branches if one.get("type") != "null"), field)
    words = {"description": f"{field.doc} Field {field.name}."}
    return branches[0] | words if len(branches) == 1 else {**said, "anyOf": branches} | words


def _demand(text: dict[str, Any], field: Field) -> None:
    longest = None if field.longest is None else field.longest - len(field.prefix or "")
    if longest is not None:
        text["maxLength"] = min(longest, text.get("maxLength", longest))
    if field.prefix is not None:
        return  # the other rules are for the text with its prefix
    if field.allowed:
        text["enum"] = list(field.allowed)
    elif (values := _values(field.path)) is not None:
        text["enum"] = values
    if field.pattern is not None:
        text["pattern"] = f"^(?:{field.pattern})$"


def data_package(fmt: Format, paths: Sequence[str]) -> dict[str, Any]:
    """A Frictionless data package with a Table Schema for each file of this format, at these paths by its roles.

    Raises FallbackError ``format-invalid`` for formats that are no table with one header row.
    """
    if reason := _no_table(fmt):
        raise FallbackError("format-invalid", f"{fmt.name}: a Table Schema cannot say it: {reason}")
    resources = [_resource(fmt, row, path) for row, path in zip(fmt.rows, paths, strict=True)]
    return {"name": fmt.name, "title": fmt.title, "version": fmt.version, "resources": resources}


def _no_table(fmt: Format) -> str:
    if fmt.kind != "delimited" or fmt.layout == "header-detail":
        return "it has rows of several types, or is no delimited file"
    if fmt.delimited.header not in ("required", "bracketed"):
        return "it has no header row"
    if fmt.direction == "read" and any(field.optional for field in fmt.all_fields):
        return "it has columns that may be absent"  # what we write has all of them
    return "it is packed" if fmt.wrapper else ""


def _resource(fmt: Format, row: RecordSpec, path: str) -> dict[str, Any]:
    terms = fmt.delimited
    dialect: dict[str, Any] = {
        "csv": {"delimiter": terms.delimiter, "lineTerminator": fmt.newline_text, "quoteChar": '"'}
    }
    if terms.comment:
        dialect["commentChar"] = terms.comment
    schema = {"fields": [_table_field(fmt, field) for field in row.fields], "missingValues": [""], **_keys(fmt, row)}
    return {
        "name": row.tag or "orders",
        "type": "table",
        "path": path,
        "scheme": "file",
        "format": "csv",
        "mediatype": "text/csv",
        "encoding": fmt.encoding,
        "dialect": dialect,
        "schema": schema,
    }


def _keys(fmt: Format, row: RecordSpec) -> dict[str, Any]:
    """What tells the rows apart, and in a pair the order that a line belongs to."""
    named = {field.path: _title(fmt, field) for field in row.fields if field.path and not field.again}
    order = [path for path in _repeated(fmt) if path in named]
    line = [path for path in ("lines.line_id", "lines.line_number") if path in named][:1]
    pair = len(fmt.roles) > 1
    keys: dict[str, Any] = {}
    if order and (line or (pair and not row.repeats)):
        keys["primaryKey"] = [named[path] for path in (*order, *line)]
    if order and pair and row.repeats:
        own = {field.path: _title(fmt, field) for field in fmt.rows[0].fields}
        reference = {"resource": fmt.rows[0].tag, "fields": [own[path] for path in order]}
        keys["foreignKeys"] = [{"fields": [named[path] for path in order], "reference": reference}]
    return keys


def _repeated(fmt: Format) -> tuple[str, ...]:
    """The paths of the order that stand in every row."""
    if fmt.layout == "line":
        return fmt.identity()
    return () if fmt.row_order.follow else fmt.ties


def _title(fmt: Format, field: Field) -> str:
    return f"[{field.name}]" if fmt.delimited.header == "bracketed" else field.name


# What a cell's notation is in the eyes of a validator that knows neither our numbers nor our texts.
_HIDDEN = "\u0000-\u001f\u007f-\u009f\u2028\u2029\ufeff\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"
_PIECE = r"(?:[^\\;=]|\\[\\;=n])*"
_PATTERNS = {
    "text": f"[^ {_HIDDEN}](?:[^{_HIDDEN}]*[^ {_HIDDEN}])?",
    "integer": "0|[1-9][0-9]*",
    "money": "(0|[1-9][0-9]*)([.][0-9]{1,6})?",
    "properties": f"{_PIECE}={_PIECE}(?:; {_PIECE}={_PIECE})*",
}
_NOTE = _PATTERNS["text"].replace("\u0000-\u001f", "\u0000-\t\u000b-\u001f")
_IDENTIFIER = f"[^: {_HIDDEN}]+"
_OF_PATHS = {
    **dict.fromkeys(("brand", "platform", "order_id", "group", "lines.line_id"), _IDENTIFIER),
    **dict.fromkeys(("instructions", "gift_message"), _NOTE),
    "revision": "[1-9][0-9]{0,2}",
    "lines.line_number": "[1-9][0-9]{0,4}",
    "lines.quantity": "[1-9][0-9]{0,5}",
    "lines.gtin": "[0-9]{8}|[0-9]{12,14}",
    "lines.uom": "[A-Z0-9]{1,3}",
    "lines.hs_code": "[0-9]{6,12}",
}


@lru_cache(maxsize=1)
def _longest() -> dict[str, int]:
    """How long the texts of the canonical order may be at the most, by path."""
    schema = Order.model_json_schema()
    owners = {"": schema, "ship_to.": schema["$defs"]["ShipTo"], "lines.": schema["$defs"]["Line"]}
    return {
        head + name: branch["maxLength"]
        for head, owner in owners.items()
        for name, said in owner["properties"].items()
        for branch in said.get("anyOf", [said])
        if "maxLength" in branch
    }


def _values(path: str | None) -> list[str] | None:
    """The values of a path that a standard lists."""
    if path in ("ship_to.country", "lines.origin_country"):
        return sorted(countries())
    return sorted(currencies()) if path == "currency" else None


def _table_field(fmt: Format, field: Field) -> dict[str, Any]:
    info = field.info
    described: dict[str, Any] = {"name": _title(fmt, field), "type": "string", "description": field.doc}
    if field.path in PATHS:
        described["rdfType"] = f"urn:fallback:order:{field.path}"
    constraints: dict[str, Any] = {}
    # Where order fields stand on the first row only, they are blank on the others.
    of_line = info is not None and info.level == "line"
    everywhere = of_line or fmt.layout != "first-line" or field.path in _repeated(fmt)
    if field.required and everywhere:
        constraints["required"] = True
    if info is not None and info.kind in ("instant", "day"):
        return described | _date_type(field, info.kind) | ({"constraints": constraints} if constraints else {})
    longest = field.longest or _longest().get(field.path or "")
    if longest is not None:
        constraints["maxLength"] = longest
    values = list(field.allowed or field.only or ()) or _values(field.path)
    if field.constant and not field.unused:
        values = [field.constant]
    if values:
        constraints["enum"] = list(filter(None, [*values, field.stand_in]))
    kind = info.kind if info else "integer" if field.path in COUNTS else "text"
    if not (values or field.part or field.unused or field.guard):
        rule = field.pattern or re.escape(field.prefix or "") + (_OF_PATHS.get(field.path or "") or _PATTERNS[kind])
        constraints["pattern"] = rule if field.stand_in is None else f"{rule}|{re.escape(field.stand_in)}"
    return described | ({"constraints": constraints} if constraints else {})


def _date_type(field: Field, kind: str) -> dict[str, str]:
    """The type of a date in one form that Table Schema knows; else it stays a text."""
    if len(field.dates) != 1 or "%-" in field.dates[0] or field.stand_in is not None:
        return {}
    form = field.dates[0]
    if kind == "day":
        return {"type": "date", "format": "%Y-%m-%d" if form == "iso8601" else form}
    return {"type": "datetime", "format": "%Y-%m-%dT%H:%M:%S%z" if form == "iso8601" else form}
