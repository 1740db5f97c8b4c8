"""The declaration of a format: what a ``format.toml`` may say, and whether what it says can work."""

from __future__ import annotations

import hashlib
import json
from functools import cached_property
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, StringConstraints, field_validator
from pydantic import Field as Info

from fallback.documents.base import FormatRef
from fallback.records.paths import PATHS, PathInfo

COMPUTED_ORDER = ("key", "order_lines", "order_units", "order_check", "purpose", "envelope_at")
COMPUTED_FILE = ("file_orders", "file_lines", "file_units", "hash_total")
COUNTS = ("order_lines", "order_units", "file_orders", "file_lines", "file_units")
IDENTIFYING = ("key", "brand", "platform", "order_id", "order_number", "group")
NAME_PARTS = ("marker", "brand", "sent", "sequence", "role")
CONSTANTS = ("platform", "group", "revision", "ordered_at", "currency", "service", "lines.uom")
"""What ``defaults`` may read as one text for all orders: what all that a brand sends one partner can have in common.
The rest is what ships, to whom, and the ids: one order's is never another's."""
REPLACED = ("platform", "ordered_at", "order_id", "order_number", "lines.line_id", "lines.line_number")
"""Where an order's own value gives way to a default by agreement: no parcel depends on which shop sold it and when, and
ids that are taken from others still tell orders and lines apart. An order that differs elsewhere is not written."""

# More than any partner has asked for, and little enough that no declaration fills the memory or takes for ever.
Word = Annotated[str, StringConstraints(max_length=200)]
Prose = Annotated[str, StringConstraints(max_length=4000)]
Name = Annotated[str, StringConstraints(min_length=1, max_length=200)]
Sign = Annotated[str, StringConstraints(min_length=1, max_length=1)]
Columns = Annotated[int, Info(ge=1, le=100_000)]
Amount = Annotated[int, Info(ge=1, le=1_000_000)]
Words = Annotated[tuple[Word, ...], Info(max_length=500)]
Terms = Annotated[dict[Word, Word], Info(max_length=100)]


class Spec(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True, populate_by_name=True)


class Field(Spec):
    """One field of the file: a column, a cell of a typed row, or a JSON member.

    Exactly one of ``path`` (canonical path or computed: ``key``, ``order_lines``, ``order_units``, ``order_check``; in
    a trailer ``file_orders``, ``file_lines``, ``file_units``, ``hash_total``), ``constant`` (always this text),
    ``code`` (a value of the agreement's ``[codes]``) and ``only`` (below). ``date`` is ``iso8601`` or a pattern of
    strftime directives, or several of which the first is written and any is read; ``zone`` is ``UTC`` where the pattern
    has none because all times are in UTC; ``coarse`` where it keeps less than the second: the rest is lost by
    agreement. ``placeholder`` is the agreed stand-in for an absent value, under the last part of the path. ``default``
    and ``default_from`` (another path) are what an absent value is read as. ``optional`` columns may be absent from the
    file. ``guard`` is a character that spreadsheets put before a value and that is taken off in reading.

    ``only``, in reading: the texts with which the file says all that remains to be shipped; with another one, blank too
    unless it is listed, the order is refused as ``needs-api``. ``per_line`` where such a field stands in every row.
    ``part``: two fields share a path, the ``last`` word of its text and what stands ``first``, before it. ``again``:
    the partner wants the value of another field once more; in reading the two must be the same. ``prefix`` stands
    before every value in the file and is no part of it. ``unused``: a column of the partner's that nothing of the order
    goes to; it is written blank, or with its ``constant``, and not read. ``once``: each value in one line of an order
    only.

    Fixed width: ``width`` in characters, ``start`` from 1 (else after the field before), ``justify``, ``pad``, and
    ``decimals`` for amounts without a point. X12: ``element`` is the position, or positions, in the segment;
    ``qualifier`` marks the constant that tells segments of one tag apart; ``repeat`` writes one segment a line of text.
    Another text than a constant is a warning there, and where the constant is ``required`` refuses the order.
    """

    name: Name
    path: Word | None = None
    constant: Word | None = None
    code: Word | None = None
    only: Words | None = None
    per_line: bool = False
    part: Literal["first", "last"] | None = None
    again: bool = False
    prefix: Name | None = None
    unused: bool = False
    once: bool = False
    required: bool = False
    max_length: Amount | None = None
    allowed: Words = ()
    pattern: Word | None = None
    date: str | tuple[str, ...] | None = None
    blank: Literal["absent"] = "absent"
    zone: Literal["UTC"] | None = None
    coarse: bool = False
    placeholder: Terms = {}
    default: Word | None = None
    default_from: Word | None = None
    optional: bool = False
    guard: Sign | None = None
    width: Columns | None = None
    start: Columns | None = None
    justify: Literal["left", "right"] = "left"
    pad: Literal[" ", "0"] = " "
    decimals: Annotated[int, Info(ge=0, le=6)] | None = None
    element: int | tuple[int, ...] | None = None
    qualifier: bool = False
    repeat: bool = False
    doc: Annotated[Prose, StringConstraints(min_length=1)]
    source: Prose | None = None

    @field_validator("date")
    @classmethod
    def _few(cls, date: str | tuple[str, ...] | None) -> str | tuple[str, ...] | None:
        patterns = date if isinstance(date, tuple) else (date or "",)
        if len(patterns) > 20 or any(len(pattern) > 100 for pattern in patterns):
            raise ValueError("at most 20 patterns, of at most 100 characters each")
        return date

    @property
    def stand_in(self) -> str | None:
        return next(iter(self.placeholder.values()), None)

    @property
    def dates(self) -> tuple[str, ...]:
        """The patterns of a date: the first is written, any is read."""
        return (self.date,) if isinstance(self.date, str) else self.date or ()

    @property
    def longest(self) -> int | None:
        """How many characters the text may have: its own limit, or its columns."""
        if self.decimals is not None:
            return None  # an amount without its point: the kind measures it
        return self.max_length if self.width is None else min(self.width, self.max_length or self.width)

    @property
    def info(self) -> PathInfo | None:
        """What the canonical path holds; None for computed fields, constants and codes."""
        return PATHS.get(self.path or "")


class RecordSpec(Spec):
    """One type of row, named by its tag: the order's own, its lines' (``repeats``), or the closing one.

    In a pair of files the tag is the role of the file, ``orders`` or ``lines``. In X12 it is the segment; ``loop`` is
    the first element of the N1 that it stands under, and ``always`` writes it even where it holds nothing of the order.
    """

    tag: Word = ""
    repeats: Literal["lines"] | None = None
    trailer: bool = False
    loop: Word | None = None
    always: bool = False
    fields: Annotated[tuple[Field, ...], Info(min_length=1, max_length=500)]


class Delimited(Spec):
    """``header`` bracketed: names stand in square brackets. ``comment``: rows that begin with it do not count.
    ``tags`` joined: a typed row's tag stands before its first cell, with no delimiter between them.
    ``line_breaks`` refuse: every row is one line, in quotation marks too."""

    delimiter: Sign = ","
    quoting: Literal["minimal", "all", "none"] = "minimal"
    header: Literal["required", "forbidden", "optional", "bracketed"] = "required"
    extra_columns: Literal["refuse", "ignore"] = "refuse"
    comment: Sign | None = None
    tags: Literal["cell", "joined"] = "cell"
    line_breaks: Literal["allow", "refuse"] = "allow"


class FixedWidth(Spec):
    """``record_length`` is how long every row is, in characters; ``tag_width`` how long the tag at its beginning."""

    record_length: Columns
    tag_width: Annotated[int, Info(ge=0, le=100)] = 0


class Json(Spec):
    """``root``: the list of orders in the document; ``count``: the member that says how many."""

    root: Word = "orders"
    count: Word | None = None


class Xml(Spec):
    """``root`` and ``order`` are element names, ``lines`` the path of a line from the order (``Lines/Line``); where
    ``order`` is blank, the root is the order itself, and a document holds one. ``count`` is the attribute of the root
    that says how many orders there are; ``attributes`` stand on the root."""

    root: Word = "Orders"
    order: Word = "Order"
    lines: Word = "Lines/Line"
    namespace: Word | None = None
    count: Word | None = None
    attributes: Terms = {}


class X12(Spec):
    """The envelope. Ids are overruled by ``[codes]`` of the agreement: ``x12_sender``, ``x12_receiver`` and their
    ``_qualifier``. Separators are for writing; in reading they come from the ISA segment."""

    version: Word = "004010"
    functional: Word = "OW"
    transaction: Word = "940"
    sender_qualifier: Word = "ZZ"
    sender: Word = "BRAND"
    receiver_qualifier: Word = "ZZ"
    receiver: Word = "WAREHOUSE"
    usage: Literal["P", "T"] = "P"
    element: Word = "*"
    component: Word = ">"
    segment: Word = "~"


class RowOrder(Spec):
    """What a partner demands of the order of rows: those of one order ``adjacent``; orders ``sorted_by`` a path.

    For the first-line layout: ``tied_by`` are the paths that every row of an order repeats, where those that identify
    it stand on the first one only; ``follow`` where none does, and a row without order fields belongs to the one above.
    """

    adjacent: bool = False
    sorted_by: Word | None = None
    tied_by: Words = ()
    follow: bool = False


class Format(Spec):
    """A format. ``records`` is what layouts with types of row declare, and X12; the others declare ``fields``.

    ``defaults`` are paths that a partner's file has no field for although every order needs them, and what is read
    instead: a text, ``=PATH`` the value of another path, ``#`` the position of the line. Where the order was sold,
    when, and under which ids is lost by agreement then, as with ``drops``; an order with another value elsewhere is
    not written. ``direction`` read: the format cannot be written. ``status`` unverified:
    nobody could try it against the partner's system. ``uncounted``: why the partner's file has no count of an order's
    lines. ``wrapper``: the bytes are packed. ``max_orders``: how many orders
    a file may hold at the most, ``max_lines`` how many lines an order. ``notes``: what both sides must know beyond the
    fields, such as what nobody could verify.
    """

    name: Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")]
    version: Name
    title: Prose
    record: Literal["order"] = "order"
    kind: Literal["delimited", "fixed-width", "json-lines", "json", "xml", "x12"]
    layout: Literal["line", "first-line", "header-detail", "two-files", "nested"]
    encoding: Literal["utf-8", "utf-8-sig", "cp1252", "iso-8859-1", "ascii"] = "utf-8"
    newline: Literal["lf", "crlf", "cr"] = "crlf"
    file_name: Word
    drops: Words = ()
    defaults: Terms = {}
    direction: Literal["both", "read"] = "both"
    status: Literal["verified", "unverified"] = "verified"
    uncounted: Prose | None = None
    wrapper: Literal["gzip", "zip"] | None = None
    max_orders: Amount | None = None
    max_lines: Amount | None = None
    notes: Annotated[tuple[Prose, ...], Info(max_length=100)] = ()
    row_order: RowOrder = RowOrder()
    delimited: Delimited = Delimited()
    fixed_width: FixedWidth | None = None
    json_terms: Json = Info(default=Json(), alias="json")
    xml: Xml = Xml()
    x12: X12 = X12()
    fields: Annotated[tuple[Field, ...], Info(max_length=500)] = ()
    records: Annotated[tuple[RecordSpec, ...], Info(max_length=100)] = ()

    @cached_property
    def rows(self) -> tuple[RecordSpec, ...]:
        """The types of row; a layout without tags has one."""
        return self.records or (RecordSpec(fields=self.fields),)

    @property
    def roles(self) -> tuple[str, ...]:
        """The roles of the files that make one fallback file: ``orders``, and ``lines`` where they stand apart."""
        return tuple(row.tag for row in self.records) if self.layout == "two-files" else ("orders",)

    def part(self, role: str) -> Format:
        """One file of a pair as a format of its own: a row an order, or a row a line. A single file is the format."""
        if self.layout != "two-files":
            return self
        said = {name: getattr(self, name) for name in type(self).model_fields}
        fields = next(row.fields for row in self.records if row.tag == role)
        return Format(**said | {"layout": "line", "fields": fields, "records": ()})

    @cached_property
    def all_fields(self) -> tuple[Field, ...]:
        return tuple(field for row in self.rows for field in row.fields)

    @cached_property
    def carried(self) -> frozenset[str]:
        """The paths that a file of this format holds."""
        return frozenset(field.path for field in self.all_fields if field.path)

    @property
    def codes(self) -> frozenset[str]:
        """What of the agreement's ``[codes]`` the fields hold."""
        return frozenset(field.code for field in self.all_fields if field.code)

    @cached_property
    def lost(self) -> tuple[str, ...]:
        """The paths whose values a file of this format does not keep, by agreement."""
        coarse = (field.path for field in self.all_fields if field.coarse and field.path)
        replaced = (path for path in self.defaults if path in REPLACED)
        return (*self.drops, *replaced, *dict.fromkeys(coarse))

    @cached_property
    def once(self) -> tuple[str, ...]:
        """The paths whose values stand in one line of an order only."""
        return ("lines.line_number", "lines.line_id", *(str(field.path) for field in self.all_fields if field.once))

    @cached_property
    def lines_member(self) -> str:
        """The member of a nested layout that holds the list of lines: what the names of its fields begin with."""
        names = [field.name for field in self.fields if field.info is not None and field.info.level == "line"]
        return names[0].partition(".")[0] if names else "lines"

    @property
    def tabular(self) -> bool:
        """Whether rows are lists of cells; else each order is a tree."""
        return self.kind in ("delimited", "fixed-width")

    @property
    def newline_text(self) -> str:
        return {"lf": "\n", "crlf": "\r\n", "cr": "\r"}[self.newline]

    @property
    def sha256(self) -> str:
        """The hash of the declaration's content; comments and layout of the TOML do not count, nor what is not said."""
        content = json.dumps(self.model_dump(mode="json", exclude_defaults=True), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(content.encode()).hexdigest()

    @property
    def ref(self) -> FormatRef:
        return FormatRef(name=self.name, version=self.version, sha256=self.sha256)

    @cached_property
    def ties(self) -> tuple[str, ...]:
        """The paths that every row of an order repeats; of a pair of files, those by which a line names its order."""
        if self.layout == "two-files":
            own, of_lines = ({field.path for field in row.fields} for row in self.records)
            return tuple(path for path in IDENTIFYING if path in own & of_lines)
        return self.row_order.tied_by or self.identity()

    def identity(self) -> tuple[str, ...]:
        """The paths by which an order of the file is known from the others."""
        if "key" in self.carried:
            return ("key",)
        main = [path for path in ("order_id", "order_number") if path in self.carried]
        return (*(path for path in ("brand", "platform") if path in self.carried), *main) + (
            ("group",) if "group" in self.carried else ()
        )
