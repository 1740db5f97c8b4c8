"""The declaration of a format: what a ``format.toml`` may say, and whether what it says can work."""

from __future__ import annotations

import hashlib
import json
import re
import string
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import cached_property
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, StringConstraints
from pydantic import Field as Info

from fallback.documents.base import FormatRef
from fallback.findings import quote
from fallback.formats.cells import DATE_DIRECTIVES, date_directives
from fallback.records.paths import PATHS, PathInfo

COMPUTED_ORDER = ("key", "order_lines")
COMPUTED_FILE = ("file_orders", "file_lines", "file_units", "hash_total")
NAME_PARTS = ("marker", "brand", "sent", "sequence")


class Spec(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)


class Field(Spec):
    """One field of the file: a column, a cell of a typed row, or a JSON member.

    Exactly one of ``path`` (canonical path or computed: ``key``, ``order_lines``; in a trailer ``file_orders``,
    ``file_lines``, ``file_units``, ``hash_total``), ``constant`` (always this text) and ``code`` (a value of the
    agreement's ``[codes]``). ``date`` is ``iso8601`` or a pattern of strftime directives. ``placeholder`` is the agreed
    stand-in for an absent value, under the last part of the path.
    """

    name: Annotated[str, StringConstraints(min_length=1)]
    path: str | None = None
    constant: str | None = None
    code: str | None = None
    required: bool = False
    max_length: Annotated[int, Info(ge=1)] | None = None
    allowed: tuple[str, ...] = ()
    pattern: str | None = None
    date: str | None = None
    blank: Literal["absent"] = "absent"
    placeholder: dict[str, str] = {}
    doc: Annotated[str, StringConstraints(min_length=1)]
    source: str | None = None

    @property
    def stand_in(self) -> str | None:
        return next(iter(self.placeholder.values()), None)

    @property
    def info(self) -> PathInfo | None:
        """What the canonical path holds; None for computed fields, constants and codes."""
        return PATHS.get(self.path or "")


class RecordSpec(Spec):
    """One type of row, named by its tag: the order's own, its lines' (``repeats``), or the closing one."""

    tag: str = ""
    repeats: Literal["lines"] | None = None
    trailer: bool = False
    fields: Annotated[tuple[Field, ...], Info(min_length=1)]


class Delimited(Spec):
    delimiter: Annotated[str, StringConstraints(min_length=1, max_length=1)] = ","
    quoting: Literal["minimal", "all", "none"] = "minimal"
    header: Literal["required", "forbidden"] = "required"
    extra_columns: Literal["refuse", "ignore"] = "refuse"


class Format(Spec):
    """A format. ``records`` is what a header-detail layout declares; the other layouts declare ``fields``."""

    name: Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")]
    version: Annotated[str, StringConstraints(min_length=1)]
    title: str
    record: Literal["order"] = "order"
    kind: Literal["delimited", "json-lines"]
    layout: Literal["line", "header-detail", "nested"]
    encoding: Literal["utf-8", "utf-8-sig", "cp1252", "iso-8859-1", "ascii"] = "utf-8"
    newline: Literal["lf", "crlf", "cr"] = "crlf"
    file_name: str
    drops: tuple[str, ...] = ()
    delimited: Delimited = Delimited()
    fields: tuple[Field, ...] = ()
    records: tuple[RecordSpec, ...] = ()

    @cached_property
    def rows(self) -> tuple[RecordSpec, ...]:
        """The types of row; a layout without tags has one."""
        return self.records or (RecordSpec(fields=self.fields),)

    @cached_property
    def all_fields(self) -> tuple[Field, ...]:
        return tuple(field for row in self.rows for field in row.fields)

    @cached_property
    def carried(self) -> frozenset[str]:
        """The paths that a file of this format holds."""
        return frozenset(field.path for field in self.all_fields if field.path)

    @cached_property
    def lines_member(self) -> str:
        """The member of a nested layout that holds the list of lines: what the names of its fields begin with."""
        names = [field.name for field in self.fields if field.info is not None and field.info.level == "line"]
        return names[0].partition(".")[0] if names else "lines"

    @property
    def newline_text(self) -> str:
        return {"lf": "\n", "crlf": "\r\n", "cr": "\r"}[self.newline]

    @property
    def sha256(self) -> str:
        """The hash of the declaration's content; comments and layout of the TOML do not count."""
        content = json.dumps(self.model_dump(mode="json"), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(content.encode()).hexdigest()

    @property
    def ref(self) -> FormatRef:
        return FormatRef(name=self.name, version=self.version, sha256=self.sha256)

    def identity(self) -> tuple[str, ...]:
        """The paths by which the rows of one order are known to belong together."""
        if "key" in self.carried:
            return ("key",)
        main = [path for path in ("order_id", "order_number") if path in self.carried]
        return (*(path for path in ("brand", "platform") if path in self.carried), *main) + (
            ("group",) if "group" in self.carried else ()
        )


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
    if not fmt.fields and not fmt.records:
        return
    if fmt.kind == "json-lines":
        yield from _member_mistakes(fmt)
    elif not _DELIMITER.fullmatch(fmt.delimited.delimiter):
        yield "delimited.delimiter: a sign such as , ; | or a tab; no letter, digit, blank, quotation mark or backslash"
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
    yield from _name_mistakes(fmt.file_name)


_DELIMITER = re.compile(r"\t|[!-~](?<![A-Za-z0-9\"'\\])")
_TAG = re.compile(r"[A-Za-z0-9_-]{1,20}")


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
    if len(set(tags)) < len(tags) or not all(map(_TAG.fullmatch, tags)):
        yield "records: each record needs a tag of its own, of letters and digits"


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
    if sum(value is not None for value in (field.path, field.constant, field.code)) != 1:
        yield "needs exactly one of path, constant and code"
        return
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
        yield from _date_mistakes(field.date, info.kind)
    elif field.date:
        yield f"{path} is not a date"


def _reference_mistakes(fmt: Format, field: Field) -> Iterator[str]:
    """A detail row may repeat what its order's row says, to tell that it belongs there."""
    order_rows = [row for row in fmt.records if not row.repeats and not row.trailer]
    own = [one for row in order_rows for one in row.fields if one.path == field.path]
    if not own:
        yield f"{field.path} is of the order: it must stand in the order's record, and may be repeated here"
    same = ("required", "max_length", "allowed", "pattern", "date", "placeholder")
    if own and (differing := [name for name in same if getattr(own[0], name) != getattr(field, name)]):
        yield f"{field.path} must have the same {', '.join(differing)} as in the order's record"


def _date_mistakes(date: str | None, kind: str) -> Iterator[str]:
    if date is None:
        yield 'needs date: "iso8601" or a pattern such as "%Y-%m-%d"'
        return
    if date == "iso8601":
        return
    found = date_directives(date)
    if unknown := sorted(set(found) - set(DATE_DIRECTIVES)):
        yield f"date may use {' '.join(DATE_DIRECTIVES)}; found {' '.join(unknown)}"
    if len(set(found)) < len(found):
        yield "date names a part twice"
    if not {"%Y", "%m", "%d"} <= set(found):
        yield "date needs %Y, %m and %d"
    if kind == "instant" and not {"%H", "%M", "%S", "%z"} <= set(found):
        yield "date loses the time or the zone: an instant needs %H, %M, %S and %z"
    if kind == "day" and set(found) & {"%H", "%M", "%S", "%z"}:
        yield "date has a time, and the value is a day"


def _whole_mistakes(fmt: Format) -> Iterator[str]:
    carried = fmt.carried
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


def _name_mistakes(template: str) -> Iterator[str]:
    try:
        names = {name for _, name, _, _ in string.Formatter().parse(template) if name is not None}
    except ValueError:
        names = {"?"}
    if names - set(NAME_PARTS) or not {"marker", "sequence"} <= names:
        yield f"file_name: needs {{marker}} and {{sequence}}, and may use {', '.join(NAME_PARTS)}"
        return
    if not template.startswith("{marker}"):
        yield "file_name: begins with {marker}, by which a drill's file is told from a live one"
    try:
        name = template.format(marker="", brand="BRAND", sent=datetime(2026, 11, 23, tzinfo=UTC), sequence=1)
    except (ValueError, KeyError, IndexError):
        yield "file_name: a part is followed by a form that it cannot have"
        return
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,149}", name) or name.startswith("DRILL_"):
        yield "file_name: a plain name of letters, digits, dot, dash and underscore, which does not begin with DRILL_"
