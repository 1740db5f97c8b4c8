"""Whether a format can work: every mistake in its declaration, each with its place in the TOML."""

from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Iterator

from fallback.formats.cells import DATE_DIRECTIVES, date_directives
from fallback.formats.spec import COMPUTED_FILE, COMPUTED_ORDER, NAME_PARTS, Field, Format, RecordSpec
from fallback.records.paths import PATHS


def mistakes(fmt: Format) -> list[str]:
    """What keeps a format from working, each with its place in the TOML; empty when it is sound."""
    return list(_mistakes(fmt))


def _mistakes(fmt: Format) -> Iterator[str]:
    kinds = {"delimited": ("line", "header-detail"), "json-lines": ("nested",)}
    if fmt.layout not in kinds[fmt.kind]:
        yield f"layout: {fmt.kind} may be {' or '.join(kinds[fmt.kind])}, found {fmt.layout}"
    if fmt.layout == "header-detail":
        yield from _record_mistakes(fmt)
    elif fmt.records or not fmt.fields:
        yield f"fields: a {fmt.layout} layout declares [[fields]], not [[records]]"
    if fmt.kind == "json-lines" and fmt.encoding != "utf-8":
        yield "encoding: JSON is utf-8"
    if fmt.kind == "delimited" and fmt.delimited.delimiter in '"\r\n\\':
        yield "delimited.delimiter: a quotation mark, backslash or line break cannot separate cells"
    for row_index, row in enumerate(fmt.rows):
        base = f"records[{row_index}].fields" if fmt.records else "fields"
        for name, count in Counter(field.name for field in row.fields).items():
            if count > 1:
                yield f"{base}: {name} is declared {count} times"
        for path, count in Counter(field.path for field in row.fields if field.path).items():
            if count > 1:
                yield f"{base}: the path {path} stands in {count} fields"
        for index, field in enumerate(row.fields):
            for problem in _field_mistakes(fmt, row, field):
                yield f"{base}[{index}] {field.name}: {problem}"
    yield from _whole_mistakes(fmt)


def _record_mistakes(fmt: Format) -> Iterator[str]:
    if fmt.fields or not fmt.records:
        yield "records: a header-detail layout declares [[records]], not [[fields]]"
        return
    if fmt.delimited.header == "required":
        yield "delimited.header: typed rows have no header row; set it to forbidden"
    roles = Counter("trailer" if row.trailer else "line" if row.repeats else "order" for row in fmt.records)
    if roles["order"] != 1 or roles["line"] != 1 or roles["trailer"] > 1:
        yield "records: one record for the order, one that repeats lines, and at most one trailer"
    tags = [row.tag for row in fmt.records]
    if "" in tags or len(set(tags)) < len(tags):
        yield "records: each record needs a tag of its own"


def _field_mistakes(fmt: Format, row: RecordSpec, field: Field) -> Iterator[str]:
    if sum(value is not None for value in (field.path, field.constant, field.code)) != 1:
        yield "needs exactly one of path, constant and code"
        return
    if field.path:
        yield from _path_mistakes(fmt, row, field)
    if field.placeholder and list(field.placeholder) != [(field.path or "").rpartition(".")[2]]:
        yield 'placeholder stands under the last part of the path, such as { postal_code = "000" }'
    if field.pattern is not None:
        if re.search(r"\\[dDwWsSbB]|\[\^|(?<!\\)\.", field.pattern) or not field.pattern.isascii():
            yield "pattern may use ASCII classes such as [A-Z0-9] only: it must mean the same in every engine"
        try:
            re.compile(field.pattern)
        except re.error as error:
            yield f"pattern is not a regular expression: {error}"
    for value in field.allowed:
        if field.max_length and len(value) > field.max_length:
            yield f"allowed value {value} is longer than max_length {field.max_length}"


def _path_mistakes(fmt: Format, row: RecordSpec, field: Field) -> Iterator[str]:
    path = field.path or ""
    if row.trailer:
        if path not in COMPUTED_FILE:
            yield f"a trailer may hold {', '.join(COMPUTED_FILE)}; found {path}"
        return
    if path in COMPUTED_ORDER:
        return
    info = field.info
    if info is None:
        yield f"{path} is not a canonical path"
        return
    if fmt.layout == "header-detail" and info.level == "line" and row.repeats != "lines":
        yield f"{path} belongs in the record that repeats lines"
    if path in fmt.drops:
        yield f"{path} is listed under drops and carried"
    if fmt.kind == "json-lines" and field.name != path and field.name.count(".") != path.count("."):
        yield "the member's name has as many parts as its path"
    if info.kind in ("instant", "day"):
        yield from _date_mistakes(field.date, info.kind)
    elif field.date:
        yield f"{path} is not a date"


def _date_mistakes(date: str | None, kind: str) -> Iterator[str]:
    if date is None:
        yield 'needs date: "iso8601" or a pattern such as "%Y-%m-%d"'
        return
    if date == "iso8601":
        return
    found = date_directives(date)
    if unknown := sorted(found - set(DATE_DIRECTIVES)):
        yield f"date may use {' '.join(DATE_DIRECTIVES)}; found {' '.join(unknown)}"
    if not {"%Y", "%m", "%d"} <= found:
        yield "date needs %Y, %m and %d"
    if kind == "instant" and not {"%H", "%M", "%S", "%z"} <= found:
        yield "date loses the time or the zone: an instant needs %H, %M, %S and %z"
    if kind == "day" and found - {"%Y", "%m", "%d"}:
        yield "date has a time, and the value is a day"


def _whole_mistakes(fmt: Format) -> Iterator[str]:
    carried = fmt.carried
    if not {"key", "order_id", "order_number"} & carried:
        yield "fields: nothing tells orders apart: carry key, order_id or order_number"
    # The brand is known from the agreement; everything else that an order needs must stand in the file.
    for path, info in PATHS.items():
        if info.required and path not in carried and path != "brand":
            yield f"fields: nothing carries {path}, which every order needs"
    for path in fmt.drops:
        if path not in PATHS:
            yield f"drops: {path} is not a canonical path"
        elif PATHS[path].required:
            yield f"drops: {path} cannot be dropped, every order needs it"
    if fmt.kind != "json-lines" and "order_lines" not in carried:
        yield "fields: nothing carries order_lines: a lost row would make a smaller, valid order"
    try:
        names = {name for _, name, _, _ in string.Formatter().parse(fmt.file_name) if name is not None}
    except ValueError:
        names = {"?"}
    if names - set(NAME_PARTS) or not {"marker", "sequence"} <= names:
        yield f"file_name: needs {{marker}} and {{sequence}}, and may use {', '.join(NAME_PARTS)}"
