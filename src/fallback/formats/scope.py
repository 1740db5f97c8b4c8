"""The scope of a format as a contract can attach it: every field as rows, as JSON Schema and as Table Schema."""

from __future__ import annotations

from typing import Any

from fallback.errors import FallbackError
from fallback.formats.spec import Field, Format
from fallback.records.order import Order
from fallback.records.paths import PATHS

_TYPES = {
    "text": "text",
    "integer": "whole number",
    "instant": "date and time",
    "day": "date",
    "money": "amount",
    "properties": "names and values",
}


def sheet(fmt: Format, example: Order | None = None) -> list[dict[str, str]]:
    """Every field of the file: record, name, meaning, canonical path, need, type, length, values, example, source."""
    from fallback.formats.shape import shape_of
    from fallback.records.paths import values_of

    rows = []
    for row in shape_of(fmt).rows:
        for column in row.columns:
            field = column.field
            value = next(iter(values_of(example, field.path)), None) if example and field.info and field.path else None
            rows.append(
                {
                    "record": row.spec.tag,
                    "name": field.name,
                    "meaning": field.doc,
                    "path": field.path or _without_path(field),
                    "required": "yes" if field.required else "",
                    "type": _TYPES[field.info.kind] if field.info else "computed" if field.path else "text",
                    "length": "" if field.longest is None else str(field.longest),
                    "values": ", ".join(field.allowed or field.only or ()) or field.constant or field.pattern or "",
                    "example": "" if value is None or value == () else column.write(value),
                    "source": field.source or "",
                }
            )
    return rows


def _without_path(field: Field) -> str:
    if field.only is not None or field.unused:
        return "none"
    return f"code {field.code}" if field.code else "constant"


def json_schema(fmt: Format) -> dict[str, Any]:
    """JSON Schema of the canonical order, without the paths that the format drops by agreement."""
    schema = Order.model_json_schema(mode="serialization")
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    schema["title"] = f"Order as carried by {fmt.name} version {fmt.version}"
    for path in fmt.drops:
        head, _, name = path.rpartition(".")
        owner = {"": schema, "ship_to": schema["$defs"]["ShipTo"], "lines": schema["$defs"]["Line"]}[head]
        owner["properties"].pop(name, None)
    return schema


def data_package(fmt: Format, path: str) -> dict[str, Any]:
    """A Frictionless data package with a Table Schema for a file of this format.

    Raises FallbackError ``format-invalid`` for formats that are no table with one header row.
    """
    if fmt.kind != "delimited" or fmt.layout != "line" or fmt.delimited.header != "required":
        raise FallbackError(
            "format-invalid", f"{fmt.name} is no table with one header row; a Table Schema cannot say it"
        )
    dialect = {"csv": {"delimiter": fmt.delimited.delimiter, "lineTerminator": fmt.newline_text, "quoteChar": '"'}}
    return {
        "name": fmt.name,
        "title": fmt.title,
        "version": fmt.version,
        "resources": [
            {
                "name": "orders",
                "type": "table",
                "path": path,
                "scheme": "file",
                "format": "csv",
                "mediatype": "text/csv",
                "encoding": fmt.encoding.removesuffix("-sig"),
                "dialect": dialect,
                "schema": {"fields": [_table_field(field) for field in fmt.fields], "missingValues": [""]},
            }
        ],
    }


# What a cell's notation is in the eyes of a validator that knows neither our numbers nor our dates.
_PATTERNS = {
    "integer": "0|[1-9][0-9]*",
    "money": "(0|[1-9][0-9]*)([.][0-9]{1,6})?",
    "instant": "[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(Z|[+-][0-9]{2}:?[0-9]{2})",
    "day": "[0-9]{4}-[0-9]{2}-[0-9]{2}",
}


def _table_field(field: Field) -> dict[str, Any]:
    constraints: dict[str, Any] = {}
    if field.required:
        constraints["required"] = True
    if field.longest is not None:
        constraints["maxLength"] = field.longest
    if field.allowed:
        constraints["enum"] = list(field.allowed)
    kind = field.info.kind if field.info else "integer" if field.path in ("order_lines", "order_units") else "text"
    if field.pattern:
        constraints["pattern"] = field.pattern
    elif kind in _PATTERNS and field.date in (None, "iso8601"):
        constraints["pattern"] = _PATTERNS[kind]
    described: dict[str, Any] = {"name": field.name, "type": "string", "description": field.doc}
    if field.path in PATHS:
        described["rdfType"] = f"urn:fallback:order:{field.path}"
    return described | ({"constraints": constraints} if constraints else {})
