"""What is read where a partner's file has no field for something that every order needs; and what is lost by that."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from fallback.formats import cells
from fallback.formats.shape import put
from fallback.formats.spec import Format
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
    coarse as they are written. Not judged: a default may be no value of its path where it is taken from another one."""
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
    own, of_ship_to, of_line = _names((*fmt.defaults, *coarse))
    return kept.model_copy(
        update={name: data.get(name) for name in own}
        | {"ship_to": kept.ship_to.model_copy(update={name: data["ship_to"].get(name) for name in of_ship_to})}
        | {
            "lines": tuple(
                line.model_copy(update={name: filled.get(name) for name in of_line})
                for line, filled in zip(kept.lines, lines, strict=True)
            )
        }
    )


def _names(paths: Iterable[str]) -> tuple[list[str], list[str], list[str]]:
    """The last parts of paths: of the order's own, its ship-to's and its lines'."""
    parts = [path.rpartition(".") for path in paths]
    own, ship_to, line = ([name for head, _, name in parts if head == place] for place in ("", "ship_to", "lines"))
    return own, ship_to, line
