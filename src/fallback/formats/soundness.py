"""Whether a format can work: every mistake in its declaration, each with its place in the TOML."""

from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from fallback.findings import quote
from fallback.formats import contradictions, layouts
from fallback.formats.cells import DATE_DIRECTIVES, CellError, date_directives, reader
from fallback.formats.kinds import kind_of
from fallback.formats.shape import put
from fallback.formats.spec import (
    COMPUTED_FILE,
    COMPUTED_ORDER,
    IDENTIFYING,
    NAME_PARTS,
    Field,
    Format,
    RecordSpec,
)
from fallback.records.judge import judge
from fallback.records.paths import PATHS, PathInfo


def mistakes(fmt: Format) -> list[str]:
    """What keeps a format from working, each with its place in the TOML; empty when it is sound."""
    return list(_mistakes(fmt))


def _mistakes(fmt: Format) -> Iterator[str]:
    yield from layouts.of_kind(fmt)
    if not fmt.fields and not fmt.records:
        return
    for row_index, row in enumerate(fmt.rows):
        base = f"records[{row_index}].fields" if fmt.records else "fields"
        for name, count in Counter(field.name for field in row.fields).items():
            if count > 1:
                yield f"{base}: {name} is declared {count} times"
        for (path, _), count in Counter((f.path, f.part) for f in row.fields if f.path and not f.again).items():
            if count > 1:
                yield f"{base}: the path {path} stands in {count} fields"
        for index, field in enumerate(row.fields):
            found = [*layouts.of_field(fmt, field), *_field_mistakes(fmt, row, field)]
            for problem in found or contradictions.of_field(field):
                yield f"{base}[{index}] {field.name}: {problem}"
    yield from contradictions.of_rows(fmt)
    yield from _row_order_mistakes(fmt)
    yield from _whole_mistakes(fmt)
    yield from _name_mistakes(fmt.file_name, pair=fmt.layout == "two-files")


_OF_A_PATH = ("part", "again", "prefix", "once", "coarse", "date", "zone", "placeholder", "default", "default_from")


def _field_mistakes(fmt: Format, row: RecordSpec, field: Field) -> Iterator[str]:
    pathless = [word for word in _OF_A_PATH if getattr(field, word) != Field.model_fields[word].default]
    if field.info is None and pathless:
        yield f"{' and '.join(pathless)}: for fields with a canonical path"
    if field.unused:
        if field.path or field.code or field.only or field.required or row.trailer or not fmt.tabular:
            yield "unused is for columns of an order or a line that hold nothing of it: no path, no code"
            return
    elif sum(value is not None for value in (field.path, field.constant, field.code, field.only)) != 1:
        yield "needs exactly one of path, constant, code and only"
        return
    if field.only == ():
        yield "only: the texts with which the file says all that remains to be shipped"
    if field.only is not None and (fmt.direction != "read" or not fmt.tabular):
        yield "only is for tables that are read and never written"
    if field.per_line and field.only is None:
        yield "per_line is for fields with only; a path says itself whether it is of a line"
    plain = fmt.tabular and field.info is not None and field.info.kind == "text" and not field.placeholder
    if (field.part or field.prefix) and (not plain or (field.part and field.prefix)):
        yield "part and prefix are for texts without a placeholder, in tables, one of the two"
    if field.part or field.again:
        yield from _shared_mistakes(fmt, row, field)
    if field.path:
        yield from _path_mistakes(fmt, row, field)
    if field.placeholder:
        if list(field.placeholder) != [(field.path or "").rpartition(".")[2]]:
            yield 'placeholder stands under the last part of the path, such as { postal_code = "000" }'
        elif field.info is not None and field.info.kind == "integer":
            yield "placeholder: a number cannot stand for an absent one"
    if field.pattern is not None:
        yield from _pattern_mistakes(field.pattern)
    for said in (*field.allowed, *filter(None, [field.default])):
        text = said.removeprefix(field.prefix or "")
        if field.info is not None and (wanted := _no_value(field.info, text, field.date, field.zone)):
            yield f"{quote(said)} is no value of {field.path}: {wanted}"
    if field.default_from is not None:
        yield from _source_mistakes(fmt, field)
    defaulted = field.default is not None or field.default_from is not None
    if defaulted and fmt.direction != "read" and field.info and not (field.info.required or field.info.default):
        yield f"{field.path} may be absent: written so, it would be read as the default"
    for value in field.allowed:
        if field.max_length and len(value) > field.max_length:
            yield f"allowed value {value} is longer than max_length {field.max_length}"
    title = field.name if fmt.kind == "delimited" and fmt.delimited.header != "forbidden" else None
    for own in filter(None, (title, field.constant, field.stand_in)):
        if not _can_stand(own, fmt):
            yield f"{quote(own)} cannot be written: it holds a sign that the file cannot carry"


def _no_value(info: PathInfo, text: str, *dates: Any) -> str | None:
    """What a text should be to be a value of a path, for the record too; None where it is one."""
    try:
        value = reader(info.kind, *dates)(text)
    except CellError as error:
        return error.expected
    data: dict[str, Any] = {}
    put(data, tuple(info.path.removeprefix("lines.").split(".")), value)
    judged = judge({"lines": [data]} if info.level == "line" else data)  # much is missing besides
    problems = judged if isinstance(judged, list) else ()
    return next((problem.expected for problem in problems if problem.path == info.path), None)


def _source_mistakes(fmt: Format, field: Field) -> Iterator[str]:
    """Where an absent value is taken from: a field of the same level, and of the same kind of value."""
    source, info = PATHS.get(str(field.default_from)), field.info
    if field.default is not None:
        yield "default and default_from: one of the two"
    if field.default_from == "envelope_at":
        if info is None or info.kind != "instant":
            yield "default_from: envelope_at is the instant at which the file was made"
    elif source is None or source.path not in fmt.carried or source.path == field.path:
        yield f"default_from: {field.default_from} is not the path of another field"
    elif info is None or source.level != info.level or info.kind not in ("text", source.kind):
        yield f"default_from: {field.path} cannot be the value of {field.default_from}"


def _shared_mistakes(fmt: Format, row: RecordSpec, field: Field) -> Iterator[str]:
    """A path in several fields: as two parts of one text, or once more for a partner who wants it twice."""
    others = [one for one in fmt.all_fields if one is not field and one.path == field.path and not one.again]
    if field.part and field.path in IDENTIFYING:
        yield f"part: by {field.path} orders are known, and it stands in one field"
    if field.again and (field.part or not others):
        yield f"again: another field must hold {field.path}, and this one holds it whole"
    elif field.part and {one.part for one in row.fields if one.path == field.path} != {"first", "last"}:
        yield f"part: {field.path} needs one field for the first part and one for the last"


def _row_order_mistakes(fmt: Format) -> Iterator[str]:
    terms = fmt.row_order
    if (terms.tied_by or terms.follow) and fmt.layout != "first-line":
        yield "row_order: tied_by and follow are for the first-line layout"
    if terms.tied_by and terms.follow:
        yield "row_order: rows are tied by a path or follow the order's own, not both"
    if terms.adjacent and (not fmt.tabular or fmt.layout == "header-detail" or terms.follow):
        yield "row_order.adjacent: for rows that say themselves which order they belong to"
    named = [("sorted_by", terms.sorted_by)] if terms.sorted_by is not None else []
    for word, path in (*named, *(("tied_by", path) for path in terms.tied_by)):
        if path not in fmt.carried or path not in PATHS or PATHS[path].level != "order":
            yield f"row_order.{word}: {path} must be a path of the order that a field holds"


def _can_stand(text: str, fmt: Format) -> bool:
    """Whether a text of the format itself can be a value in the file."""
    try:
        text.encode(fmt.encoding)
    except UnicodeEncodeError:
        return False
    return text.isprintable() and text == text.strip() and kind_of(fmt).writable(text, fmt)


# What means the same in every engine that may read the format: no anchors, no dot, no classes by letter, exclusion or
# set arithmetic (as in [a-z--b]), no groups but plain ones.
_ESCAPED = r"\\[^A-Za-z0-9]"
_CLASS = rf"\[(?!\^)(?:{_ESCAPED}|(?!--|&&|~~|\|\|)[^\\\[\]])+\]"
_PATTERN = re.compile(rf"(?:{_ESCAPED}|{_CLASS}|\((?!\?)|\(\?:|[^\\\[\].^$(])*")


def _pattern_mistakes(pattern: str) -> Iterator[str]:
    if not _PATTERN.fullmatch(pattern) or not pattern.isascii():
        yield "pattern may use ASCII classes such as [A-Z0-9] only: it must mean the same in every engine"
        return
    try:
        re.compile(pattern)
    except re.error as error:
        yield f"pattern is not a regular expression: {error}"
        return
    if _is_endless(pattern):
        yield "pattern repeats a group that can match in several ways, as ([A-Z]+)+ does: some values take for ever"


_PIECE = re.compile(rf"{_ESCAPED}|{_CLASS}|\((?:\?:)?|\)|[*+?]|\{{[0-9]+(?:,[0-9]*)?\}}|.")


_WORDS = re.compile(r"\((?:\?:)?([A-Za-z0-9]+(?:\|[A-Za-z0-9]+)+)\)")


def _begin_alike(words: list[str]) -> bool:
    return len({word[0] for word in words}) < len(words)


def _is_endless(pattern: str) -> bool:
    """Whether a group with a choice in it (a quantifier or an alternative) is repeated: each repetition multiplies the
    ways to try."""
    pattern = _WORDS.sub(lambda found: found[0] if _begin_alike(found[1].split("|")) else "(word)", pattern)
    choices, closed = [False], False  # of each open group, and of one that has just been closed
    for piece in _PIECE.findall(pattern):
        if piece[0] == "(":
            choices.append(False)
        elif piece[0] in "*+{" and closed:
            return True
        elif piece[0] in "*+?|" or (piece[0] == "{" and "," in piece):
            choices[-1] = True
        if piece == ")":
            closed = choices.pop()
            choices[-1] = choices[-1] or closed
        else:
            closed = False
    return False


def _path_mistakes(fmt: Format, row: RecordSpec, field: Field) -> Iterator[str]:
    path = field.path or ""
    if row.trailer:
        if path not in COMPUTED_FILE:
            yield f"a trailer may hold {', '.join(COMPUTED_FILE)}; found {path}"
        return
    info = field.info
    if info is None and path not in COMPUTED_ORDER:
        yield f"{path} is not a canonical path"
        return
    if row.repeats and (info is None or info.level == "order"):
        yield from _reference_mistakes(fmt, field)
    if info is None:
        return
    if fmt.records and info.level == "line" and not row.repeats:
        yield f"{path} belongs in the record that repeats lines"
    if path in fmt.drops:
        yield f"{path} is listed under drops and carried"
    if info.kind in ("instant", "day"):
        for date in field.dates or (None,):
            yield from _date_mistakes(date, info.kind, field)
    elif field.date is not None:
        yield f"{path} is not a date"
    if field.once and (info.level != "line" or info.kind != "text" or info.private):
        yield "once is for a text of the lines"
    if field.coarse and info.kind != "instant":
        yield "coarse is for a date and time of which the file keeps less"


def _reference_mistakes(fmt: Format, field: Field) -> Iterator[str]:
    """A detail row may repeat what its order's row says, to tell that it belongs there."""
    order_rows = [row for row in fmt.records if not row.repeats and not row.trailer]
    own = [one for row in order_rows for one in row.fields if one.path == field.path]
    if not own:
        yield f"{field.path} is of the order: it must stand in the order's record, and may be repeated here"
    same = ("required", "max_length", "allowed", "pattern", "date", "placeholder", "prefix")
    if own and (differing := [name for name in same if getattr(own[0], name) != getattr(field, name)]):
        yield f"{field.path} must have the same {', '.join(differing)} as in the order's record"


def _date_mistakes(date: str | None, kind: str, field: Field) -> Iterator[str]:
    if date is None:
        yield 'needs date: "iso8601" or a pattern such as "%Y-%m-%d"'
        return
    if date == "iso8601":
        return
    found = date_directives(date)
    if unknown := sorted(set(found) - set(DATE_DIRECTIVES)):
        yield f"date may use {' '.join(DATE_DIRECTIVES)}; found {' '.join(unknown)}"
    found = [{"%y": "%Y", "%-m": "%m", "%-d": "%d"}.get(one, one) for one in found]
    if len(set(found)) < len(found):
        yield "date names a part twice"
    if not {"%Y", "%m", "%d"} <= set(found):
        yield "date needs %Y, %m and %d"
    whole = {"%H", "%M", "%S"} | ({"%z"} if field.zone is None else set())
    first = field.date[0] if isinstance(field.date, tuple) else field.date
    if kind == "instant" and date == first:
        keeps = whole <= set(found)
        if not keeps and not field.coarse:
            yield "date loses the time or the zone: an instant needs %H, %M, %S and %z"
        elif field.coarse and (keeps or (field.zone is None and "%z" not in found)):
            yield "coarse: the date keeps everything, or does not say its zone; it needs %z or zone"
    if kind == "day" and set(found) & {"%H", "%M", "%S", "%z"}:
        yield "date has a time, and the value is a day"


def _whole_mistakes(fmt: Format) -> Iterator[str]:
    carried = fmt.carried
    # The brand is known from the agreement; everything else that an order needs must stand in the file.
    for path, text in fmt.defaults.items():
        yield from _default_mistakes(fmt, path, text)
    for path, info in PATHS.items():
        if info.required and path not in carried and path != "brand" and path not in fmt.defaults:
            yield f"fields: nothing carries {path}, which every order needs"
    for path in fmt.drops:
        if path not in PATHS:
            yield f"drops: {path} is not a canonical path"
        elif PATHS[path].required:
            yield f"drops: {path} cannot be dropped, every order needs it"
    if "lines.unit_price" in carried and "currency" not in carried | set(fmt.defaults):
        yield "fields: nothing carries currency, and lines.unit_price is no price without it"
    counted = "order_lines" in carried or fmt.uncounted
    if fmt.kind != "json-lines" and not counted and fmt.direction != "read":
        yield "fields: nothing carries order_lines: a lost row would make a smaller, valid order"


def _default_mistakes(fmt: Format, path: str, text: str) -> Iterator[str]:
    info = PATHS.get(path)
    if info is None:
        yield f"defaults: {path} is not a canonical path"
    elif path in fmt.carried or path in fmt.drops:
        yield f"defaults: {path} is carried, or listed under drops"
    elif text == "#" or text.startswith("="):
        source = PATHS.get(text[1:])
        if text == "#" and info.level != "line":
            yield f"defaults: {path} is not of a line, and has no position"
        if text != "#" and (source is None or not _can_be(info, source) or source.path not in fmt.carried):
            yield f"defaults: {path} cannot be the value of {text[1:]}"
    elif wanted := _no_value(info, text):
        yield f"defaults: {quote(text)} is no value of {path}: {wanted}"


def _can_be(info: PathInfo, source: PathInfo) -> bool:
    return info.kind in ("text", source.kind) and source.level in ("order", info.level)


def _name_mistakes(template: str, *, pair: bool) -> Iterator[str]:
    try:
        names = {name for _, name, _, _ in string.Formatter().parse(template) if name is not None}
    except ValueError:
        names = {"?"}
    if names - set(NAME_PARTS) or not {"marker", "sequence"} <= names:
        yield f"file_name: needs {{marker}} and {{sequence}}, and may use {', '.join(NAME_PARTS)}"
        return
    if pair != ("role" in names) or template.count("{role}") != pair:
        yield f"file_name: {'needs {role}' if pair else 'cannot use {role}'}: it tells the two files of a pair apart"
        return
    if not template.startswith("{marker}"):
        yield "file_name: begins with {marker}, by which a drill's file is told from a live one"
    try:
        day = datetime(2026, 11, 23, tzinfo=UTC)
        name = template.format(marker="", brand="BRAND", sent=day, sequence=1, role="ORDERS")
    except (ValueError, KeyError, IndexError):
        yield "file_name: a part is followed by a form that it cannot have"
        return
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,149}", name) or name.startswith("DRILL_"):
        yield "file_name: a plain name of letters, digits, dot, dash and underscore, which does not begin with DRILL_"
