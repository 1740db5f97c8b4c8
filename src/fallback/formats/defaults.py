"""What is read where a partner's file has no field for something that every order needs; and what is lost by that."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from fallback.formats import cells
from fallback.formats.shape import put
from fallback.formats.spec import Format
from fallback.records.judge import judge
from fallback.records.order import Order
from fallback.records.paths import PATHS, without


def fill(data: dict[str, Any], lines: list[dict[str, Any]], fmt: Format) -> None:
    """Put the format's defaults into the plain data of an order, where nothing stands."""
    for path, text in fmt.defaults.items():
        info = PATHS[path]
        keys = tuple(path.split("."))
        if info.level == "order":
            value = _get(data, text[1:].split(".")) if text.startswith("=") else cells.reader(info.kind)(text)
            if value is not None:
                put(data, keys, value)
            continue
        for position, line in enumerate(lines, start=1):
            line.setdefault(keys[-1], _of_line(text, position, data, line, path))


def _of_line(text: str, position: int, data: dict[str, Any], line: dict[str, Any], path: str) -> Any:
    info = PATHS[path]
    value: Any = text
    if text == "#":
        value = position
    elif text.startswith("=lines."):
        value = line.get(text.removeprefix("=lines."))
    elif text.startswith("="):
        value = _get(data, text[1:].split("."))
    else:
        return cells.reader(info.kind)(text)
    return str(value) if info.kind == "text" and value is not None else value


def _get(data: Any, keys: list[str]) -> Any:
    for key in keys:
        data = data.get(key) if isinstance(data, dict) else None
    return data


def as_carried(order: Order, fmt: Format) -> Order:
    """The order as a file of this format gives it back: without what it drops, with its defaults, and its times as
    coarse as they are written."""
    kept = without(order, fmt.drops)
    coarse = {field.path: field for field in fmt.all_fields if field.coarse and field.path}
    if not fmt.defaults and not coarse:
        return kept
    data = kept.model_dump()
    lines = [dict(line) for line in data.pop("lines")]
    for path in fmt.defaults:
        head, _, name = path.rpartition(".")
        for part in lines if head == "lines" else [data["ship_to"] if head else data]:
            part.pop(name, None)
    for path, field in coarse.items():
        value = data[path]
        if isinstance(value, datetime):
            text = cells.writer("instant", field.date, field.zone)(value)
            data[path] = cells.reader("instant", field.date, field.zone)(text)
    fill(data, lines, fmt)
    judged = judge({**data, "lines": lines})
    assert isinstance(judged, Order)  # the soundness of the format: its defaults are values of their paths
    return judged
