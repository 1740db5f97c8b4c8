"""The declaration of a format: what a ``format.toml`` may say, and whether what it says can work."""

from __future__ import annotations

import hashlib
import json
from functools import cached_property
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, StringConstraints
from pydantic import Field as Info

from fallback.documents.base import FormatRef
from fallback.records.paths import PATHS, PathInfo

COMPUTED_ORDER = ("key", "order_lines", "order_units", "order_check", "purpose", "envelope_at")
COMPUTED_FILE = ("file_orders", "file_lines", "file_units", "hash_total")
COUNTS = ("order_lines", "order_units", "file_orders", "file_lines", "file_units")
IDENTIFYING = ("key", "brand", "platform", "order_id", "order_number", "group")
NAME_PARTS = ("marker", "brand", "sent", "sequence", "role")


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

    name: Annotated[str, StringConstraints(min_length=1)]
    path: str | None = None
    constant: str | None = None
    code: str | None = None
    only: tuple[str, ...] | None = None
    per_line: bool = False
    part: Literal["first", "last"] | None = None
    again: bool = False
    prefix: Annotated[str, StringConstraints(min_length=1)] | None = None
    unused: bool = False
    once: bool = False
    required: bool = False
    max_length: Annotated[int, Info(ge=1)] | None = None
    allowed: tuple[str, ...] = ()
    pattern: str | None = None
    date: str | tuple[str, ...] | None = None
    blank: Literal["absent"] = "absent"
    zone: Literal["UTC"] | None = None
    coarse: bool = False
    placeholder: dict[str, str] = {}
    default: str | None = None
    default_from: str | None = None
    optional: bool = False
    guard: Annotated[str, StringConstraints(min_length=1, max_length=1)] | None = None
    width: Annotated[int, Info(ge=1)] | None = None
    start: Annotated[int, Info(ge=1)] | None = None
    justify: Literal["left", "right"] = "left"
    pad: Literal[" ", "0"] = " "
    decimals: Annotated[int, Info(ge=0, le=6)] | None = None
    element: int | tuple[int, ...] | None = None
    qualifier: bool = False
    repeat: bool = False
    doc: Annotated[str, StringConstraints(min_length=1)]
    source: str | None = None

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

    tag: str = ""
    repeats: Literal["lines"] | None = None
    trailer: bool = False
    loop: str | None = None
    always: bool = False
    fields: Annotated[tuple[Field, ...], Info(min_length=1)]


class Delimited(Spec):
    """``header`` bracketed: names stand in square brackets. ``comment``: rows that begin with it do not count.
    ``tags`` joined: a typed row's tag stands before its first cell, with no delimiter between them.
    ``line_breaks`` refuse: every row is one line, in quotation marks too."""

    delimiter: Annotated[str, StringConstraints(min_length=1, max_length=1)] = ","
    quoting: Literal["minimal", "all", "none"] = "minimal"
    header: Literal["required", "forbidden", "optional", "bracketed"] = "required"
    extra_columns: Literal["refuse", "ignore"] = "refuse"
    comment: Annotated[str, StringConstraints(min_length=1, max_length=1)] | None = None
    tags: Literal["cell", "joined"] = "cell"
    line_breaks: Literal["allow", "refuse"] = "allow"


class FixedWidth(Spec):
    """``record_length`` is how long every row is, in characters; ``tag_width`` how long the tag at its beginning."""

    record_length: Annotated[int, Info(ge=1)]
    tag_width: Annotated[int, Info(ge=0)] = 0


class Json(Spec):
    """``root``: the list of orders in the document; ``count``: the member that says how many."""

    root: str = "orders"
    count: str | None = None


class Xml(Spec):
    """``root`` and ``order`` are element names, ``lines`` the path of a line from the order (``Lines/Line``); where
    ``order`` is blank, the root is the order itself, and a document holds one. ``count`` is the attribute of the root
    that says how many orders there are; ``attributes`` stand on the root."""

    root: str = "Orders"
    order: str = "Order"
    lines: str = "Lines/Line"
    namespace: str | None = None
    count: str | None = None
    attributes: dict[str, str] = {}


class X12(Spec):
    """The envelope. Ids are overruled by ``[codes]`` of the agreement: ``x12_sender``, ``x12_receiver`` and their
    ``_qualifier``. Separators are for writing; in reading they come from the ISA segment."""

    version: str = "004010"
    functional: str = "OW"
    transaction: str = "940"
    sender_qualifier: str = "ZZ"
    sender: str = "BRAND"
    receiver_qualifier: str = "ZZ"
    receiver: str = "WAREHOUSE"
    usage: Literal["P", "T"] = "P"
    element: str = "*"
    component: str = ">"
    segment: str = "~"


class RowOrder(Spec):
    """What a partner demands of the order of rows: those of one order ``adjacent``; orders ``sorted_by`` a path.

    For the first-line layout: ``tied_by`` are the paths that every row of an order repeats, where those that identify
    it stand on the first one only; ``follow`` where none does, and a row without order fields belongs to the one above.
    """

    adjacent: bool = False
    sorted_by: str | None = None
    tied_by: tuple[str, ...] = ()
    follow: bool = False


class Format(Spec):
    """A format. ``records`` is what layouts with types of row declare, and X12; the others declare ``fields``.

    ``defaults`` are paths that a partner's file has no field for although every order needs them, and what is read
    instead: a text, ``=PATH`` the value of another path, ``#`` the position of the line. What the order holds there is
    lost by agreement, as with ``drops``. ``direction`` read: the format cannot be written. ``status`` unverified:
    nobody could try it against the partner's system. ``uncounted``: why the partner's file has no count of an order's
    lines. ``wrapper``: the bytes are packed. ``max_orders``: how many orders
    a file may hold at the most, ``max_lines`` how many lines an order. ``notes``: what both sides must know beyond the
    fields, such as what nobody could verify.
    """

    name: Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")]
    version: Annotated[str, StringConstraints(min_length=1)]
    title: str
    record: Literal["order"] = "order"
    kind: Literal["delimited", "fixed-width", "json-lines", "json", "xml", "x12"]
    layout: Literal["line", "first-line", "header-detail", "two-files", "nested"]
    encoding: Literal["utf-8", "utf-8-sig", "cp1252", "iso-8859-1", "ascii"] = "utf-8"
    newline: Literal["lf", "crlf", "cr"] = "crlf"
    file_name: str
    drops: tuple[str, ...] = ()
    defaults: dict[str, str] = {}
    direction: Literal["both", "read"] = "both"
    status: Literal["verified", "unverified"] = "verified"
    uncounted: str | None = None
    wrapper: Literal["gzip", "zip"] | None = None
    max_orders: Annotated[int, Info(ge=1)] | None = None
    max_lines: Annotated[int, Info(ge=1)] | None = None
    notes: tuple[str, ...] = ()
    row_order: RowOrder = RowOrder()
    delimited: Delimited = Delimited()
    fixed_width: FixedWidth | None = None
    json_terms: Json = Info(default=Json(), alias="json")
    xml: Xml = Xml()
    x12: X12 = X12()
    fields: tuple[Field, ...] = ()
    records: tuple[RecordSpec, ...] = ()

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
        return (*self.drops, *self.defaults, *dict.fromkeys(coarse))

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
