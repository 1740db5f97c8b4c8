"""Whether a format can work: every mistake in its declaration, each with its place in the TOML."""

from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime

from fallback.findings import quote
from fallback.formats.cells import DATE_DIRECTIVES, CellError, date_directives, reader
from fallback.formats.kinds.fixed_width import spans
from fallback.formats.spec import (
    COMPUTED_FILE,
    COMPUTED_ORDER,
    COUNTS,
    NAME_PARTS,
    Delimited,
    Field,
    Format,
    RecordSpec,
)
from fallback.records.paths import PATHS


def mistakes(fmt: Format) -> list[str]:
    """What keeps a format from working, each with its place in the TOML; empty when it is sound."""
    return list(_mistakes(fmt))


def _mistakes(fmt: Format) -> Iterator[str]:
    if fmt.layout not in _LAYOUTS[fmt.kind]:
        yield f"layout: {fmt.kind} may be {' or '.join(_LAYOUTS[fmt.kind])}, found {fmt.layout}"
    if fmt.layout == "header-detail":
        yield from _record_mistakes(fmt)
    elif fmt.layout == "two-files":
        yield from _pair_mistakes(fmt)
    elif (fmt.records or not fmt.fields) and fmt.kind != "x12":
        yield f"fields: a {fmt.layout} layout declares [[fields]], not [[records]]"
    if fmt.kind in ("json-lines", "json"):
        yield from _member_mistakes(fmt)
    elif fmt.kind == "fixed-width":
        yield from _width_mistakes(fmt)
    elif fmt.kind == "x12":
        yield from _segment_mistakes(fmt)
    elif fmt.kind == "delimited" and not _DELIMITER.fullmatch(fmt.delimited.delimiter):
        yield "delimited.delimiter: a sign such as , ; | or a tab; no letter, digit, blank, quotation mark or backslash"
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
            for problem in _field_mistakes(fmt, row, field):
                yield f"{base}[{index}] {field.name}: {problem}"
    yield from _row_order_mistakes(fmt)
    if fmt.kind == "xml" and not fmt.xml.order and (fmt.max_orders != 1 or fmt.xml.count or fmt.xml.attributes):
        yield "xml.order: a root that is the order itself needs max_orders = 1, and neither count nor attributes"
    yield from _whole_mistakes(fmt)
    yield from _name_mistakes(fmt.file_name, pair=fmt.layout == "two-files")


_LAYOUTS = {
    "delimited": ("line", "first-line", "header-detail", "two-files"),
    "fixed-width": ("line", "header-detail"),
    "json-lines": ("nested",),
    "json": ("nested",),
    "xml": ("nested",),
    "x12": ("nested",),
}


def _width_mistakes(fmt: Format) -> Iterator[str]:
    """Fixed width: every field has its columns, none shares them, and what is padded can be told from its padding."""
    terms = fmt.fixed_width
    if terms is None:
        yield "fixed_width: the section with record_length is missing"
        return
    for row_index, row in enumerate(fmt.rows):
        base = f"records[{row_index}].fields" if fmt.records else "fields"
        end = terms.tag_width
        placed = sorted(zip(spans(row, terms.tag_width), row.fields, strict=True), key=lambda one: one[0])
        for (begin, last), field in placed:
            if field.width is None:
                yield f"{base} {field.name}: needs a width"
            if begin < end:
                yield f"{base} {field.name}: columns {begin + 1}-{last} overlap the field before"
            end = max(end, last)
            kind = "integer" if field.path in COUNTS else field.info.kind if field.info else "text"
            if field.pad == "0" and (kind not in ("integer", "money") or field.justify == "left"):
                yield f"{base} {field.name}: only numbers, at the right, are padded with zeros; text loses its own"
            if field.decimals is not None and kind != "money":
                yield f"{base} {field.name}: decimals are for amounts"
        if end > terms.record_length:
            yield f"{base}: the fields end at column {end}, the record at {terms.record_length}"
        if len(row.tag) > terms.tag_width:
            yield f"records[{row_index}].tag: {row.tag} is longer than tag_width {terms.tag_width}"


def _segment_mistakes(fmt: Format) -> Iterator[str]:
    """X12: every field has its element, qualifiers are constants, and something begins a line."""
    if fmt.fields or not fmt.records:
        yield "records: x12 declares its segments as [[records]], not [[fields]]"
    if not any(row.repeats for row in fmt.records):
        yield "records: nothing repeats lines; the first segment that does begins each line"
    for row_index, row in enumerate(fmt.records):
        for index, field in enumerate(row.fields):
            if field.element is None:
                yield f"records[{row_index}].fields[{index}] {field.name}: needs the position of its element"
            if field.qualifier and field.constant is None:
                yield f"records[{row_index}].fields[{index}] {field.name}: a qualifier is a constant"
    for name in ("sender", "receiver"):
        if len(getattr(fmt.x12, name)) > 15:
            yield f"x12.{name}: at most 15 characters"


_DELIMITER = re.compile(r"\t|[!-~](?<![A-Za-z0-9\"'\\])")
_TAG = re.compile(r"[A-Za-z0-9_-]{1,20}|\[[A-Za-z0-9_-]{1,18}\]")


def _record_mistakes(fmt: Format) -> Iterator[str]:
    if fmt.fields or not fmt.records:
        yield "records: a header-detail layout declares [[records]], not [[fields]]"
        return
    if fmt.kind == "delimited" and fmt.delimited.header == "required":
        yield "delimited.header: typed rows have no header row; set it to forbidden"
    roles = Counter("trailer" if row.trailer else "line" if row.repeats else "order" for row in fmt.records)
    if roles["order"] != 1 or roles["line"] != 1 or roles["trailer"] > 1:
        yield "records: one record for the order, one that repeats lines, and at most one trailer"
    tags = [row.tag for row in fmt.records]
    if len(set(tags)) < len(tags) or not all(map(_TAG.fullmatch, tags)):
        yield "records: each record needs a tag of its own, of letters and digits, which may stand in square brackets"
    if fmt.delimited.tags == "joined":
        if fmt.kind != "delimited" or fmt.delimited.quoting != "none":
            yield "delimited.tags: joined is for delimited rows without quoting"
        if any(one != other and one.startswith(other) for one in tags for other in tags):
            yield "delimited.tags: joined tags must not begin with one another"


def _pair_mistakes(fmt: Format) -> Iterator[str]:
    """Two files: one of orders, one of lines that say which order each belongs to."""
    if fmt.fields or [(row.tag, row.repeats, row.trailer) for row in fmt.records] != _PAIR:
        yield 'records: a pair of files has one record with tag orders, then one with tag lines that repeats "lines"'
        return
    named = {field.path for field in fmt.records[1].fields}
    if not named & {"order_id", "order_number", "key"}:
        yield "records[1].fields: no line says which order it belongs to; repeat order_id, order_number or key here"
    if fmt.wrapper:
        yield "wrapper: the files of a pair are not packed"


_PAIR = [("orders", None, False), ("lines", "lines", False)]


def _member_mistakes(fmt: Format) -> Iterator[str]:
    """JSON: the dotted names must make one tree of objects, with the lines in one list."""
    if fmt.encoding != "utf-8":
        yield "encoding: JSON is utf-8"
    if fmt.delimited != Delimited():
        yield "delimited: JSON has no cells; remove the section"
    names = {field.name for field in fmt.fields}
    for index, field in enumerate(fmt.fields):
        parts = field.name.split(".")
        if "" in parts:
            yield f"fields[{index}] {field.name}: a member's name is not blank"
        if inside := [".".join(parts[:depth]) for depth in range(1, len(parts)) if ".".join(parts[:depth]) in names]:
            yield f"fields[{index}] {field.name}: {inside[0]} is a field itself and cannot hold others"
        of_line = field.info is not None and field.info.level == "line"
        if of_line and (parts[0] != fmt.lines_member or len(parts) == 1):
            yield f"fields[{index}] {field.name}: the lines stand in one list, such as {fmt.lines_member}.{parts[-1]}"
        if not of_line and parts[0] == fmt.lines_member:
            yield f"fields[{index}] {field.name}: {fmt.lines_member} is the list of lines, and this is not of a line"


def _field_mistakes(fmt: Format, row: RecordSpec, field: Field) -> Iterator[str]:
    if field.unused:
        if field.path or field.code or field.only or field.required or row.trailer or not fmt.tabular:
            yield "unused is for columns of an order or a line that hold nothing of it: no path, no code"
            return
    elif sum(value is not None for value in (field.path, field.constant, field.code, field.only)) != 1:
        yield "needs exactly one of path, constant, code and only"
        return
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
    for value in field.allowed:
        if field.max_length and len(value) > field.max_length:
            yield f"allowed value {value} is longer than max_length {field.max_length}"
    written = (field.name if fmt.delimited.header == "required" else None, field.constant, field.stand_in)
    for text in written if fmt.kind == "delimited" else ():
        if text and not _can_stand(text, fmt):
            yield f"{quote(text)} cannot be written: it holds a sign that the file cannot carry"


def _shared_mistakes(fmt: Format, row: RecordSpec, field: Field) -> Iterator[str]:
    """A path in several fields: as two parts of one text, or once more for a partner who wants it twice."""
    others = [one for one in fmt.all_fields if one is not field and one.path == field.path and not one.again]
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
    for path in terms.tied_by:
        if path not in fmt.carried or path not in PATHS or PATHS[path].level != "order":
            yield f"row_order.tied_by: {path} must be a path of the order that a field holds"


def _can_stand(text: str, fmt: Format) -> bool:
    """Whether a text of the format itself can be a cell."""
    try:
        text.encode(fmt.encoding)
    except UnicodeEncodeError:
        return False
    bare = fmt.delimited.quoting == "none" and (fmt.delimited.delimiter in text or '"' in text)
    return text.isprintable() and text == text.strip() and not bare


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
        for date in field.date if isinstance(field.date, tuple) else (field.date,):
            yield from _date_mistakes(date, info.kind, field)
    elif field.date:
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
        if text != "#" and (source is None or info.kind not in ("text", source.kind)):
            yield f"defaults: {path} cannot be the value of {text[1:]}"
    else:
        try:
            reader(info.kind)(text)
        except CellError as error:
            yield f"defaults: {path} is {error.expected}"


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
