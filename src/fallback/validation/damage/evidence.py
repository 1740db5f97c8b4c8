"""What is looked at to tell what happened to a file: a bounded part of it, read as leniently as it takes.

The exact reader says what is wrong; here nothing is judged, so that a file can be looked at which no reader would take.
Nothing of this is computed for a file without findings.
"""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

from fallback.findings import Finding
from fallback.formats.kinds.fixed_width import spans
from fallback.formats.spec import Field, Format, RecordSpec

if TYPE_CHECKING:
    from fallback.documents.manifest import Manifest

BOM = b"\xef\xbb\xbf"
MOST_BYTES = 1_000_000
MOST_ROWS = 2_000
MOST_LINES_TOLD = 10
DELIMITERS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "pipes"}
_FOCUS_BYTES = 200_000


class Sampled(NamedTuple):
    """One row as far as it can be told: its physical line and its cells, the tag of a typed row first."""

    line: int
    cells: list[str]


@dataclass
class Evidence:
    """One file of what was sent, with what is known of it. ``fmt`` is its own format where it is one of a pair.

    ``declared`` is how many bytes the manifest names. ``orders`` and ``records`` are how many were read; None where
    they are not of this file alone.
    """

    data: bytes
    fmt: Format
    findings: Sequence[Finding]
    declared: int | None = None
    manifest: Manifest | None = None
    orders: int | None = None
    records: int | None = None
    skus: frozenset[str] | None = None

    @cached_property
    def codes(self) -> Counter[str]:
        return Counter(finding.code for finding in self.findings)

    def has(self, *codes: str) -> bool:
        return any(code in self.codes for code in codes)

    def lines_of(self, *codes: str) -> tuple[int, ...]:
        """The first lines that findings of these codes name."""
        return told(sorted(finding.place.line for finding in self.findings if finding.code in codes))

    # --- bytes and text

    @cached_property
    def bom(self) -> bool:
        return self.data.startswith(BOM)

    @cached_property
    def content(self) -> bytes:
        return self.data.removeprefix(BOM)

    @cached_property
    def wide(self) -> str | None:
        """The encoding of text with two bytes a character, ``utf-16-le`` or ``-be``; None for any other."""
        if self.data[:2] in (b"\xff\xfe", b"\xfe\xff"):
            return "utf-16-le" if self.data[:1] == b"\xff" else "utf-16-be"
        head = self.data[:2000]
        for offset, name in ((1, "utf-16-le"), (0, "utf-16-be")):
            if len(head) > 3 and head[offset::2].count(0) > 0.4 * len(head) / 2 > 10 * head[1 - offset :: 2].count(0):
                return name
        return None

    @cached_property
    def text(self) -> str:
        """The beginning of the file as text, up to a line end; what cannot be decoded becomes U+FFFD."""
        return self.decode(self.content[:MOST_BYTES], whole=len(self.content) <= MOST_BYTES)

    def decode(self, part: bytes, *, whole: bool) -> str:
        if self.wide:
            return part.removeprefix(b"\xff\xfe").removeprefix(b"\xfe\xff").decode(self.wide, "replace")
        encoding = "utf-8" if self.fmt.encoding == "utf-8-sig" else self.fmt.encoding
        if self.has("encoding-wrong"):
            encoding = "cp1252"
        end = len(part) if whole else part.rfind(b"\n") + 1
        return part[: end or len(part)].decode(encoding, "replace")

    @cached_property
    def lines(self) -> list[str]:
        """The first physical lines, without their ends."""
        return [line.rstrip("\n") for line in islice(io.StringIO(self.text, newline=None), MOST_ROWS)]

    @cached_property
    def line_count(self) -> int:
        return self.data.count(b"\n") + (not self.data.endswith(b"\n"))

    def line_at(self, offset: int) -> int:
        """The physical line of a byte."""
        return self.data.count(b"\n", 0, offset) + 1

    def offset_of(self, line: int) -> int:
        """The first byte of a physical line, found by halving; the length of the file where it has fewer."""
        low, high, above = 0, len(self.data), 1
        while low < high:
            middle = (low + high) // 2
            here = above + self.data.count(b"\n", low, middle + 1)
            if here < line:
                low, above = middle + 1, here
            else:
                high = middle
        return low + 1 if line > 1 else 0

    # --- rows

    @cached_property
    def titles(self) -> list[str]:
        """The names of the columns as the agreed header has them."""
        bracketed = self.fmt.delimited.header == "bracketed"
        return [f"[{field.name}]" if bracketed else field.name for field in self.fmt.fields]

    @cached_property
    def headed(self) -> bool:
        return self.fmt.kind == "delimited" and self.fmt.delimited.header != "forbidden"

    @cached_property
    def delimiter(self) -> str:
        """What really parts the cells: the agreed character, unless another one does it better."""
        agreed = self.fmt.delimited.delimiter
        lines = self.lines[:50]
        if self.fmt.kind != "delimited" or not lines:
            return agreed
        if self.headed:
            known = set(self.titles)
            fits = {mark: len(known & {name.strip('"') for name in lines[0].split(mark)}) for mark in DELIMITERS}
        else:
            widths = {len(row.fields) + (row.tag != "" and self.fmt.delimited.tags == "cell") for row in self.fmt.rows}
            fits = {mark: sum(line.count(mark) + 1 in widths for line in lines) for mark in DELIMITERS}
        best = max(fits, key=lambda mark: (fits[mark], mark == agreed))
        return best if fits[best] > max(1, fits.get(agreed, 0)) else agreed

    @cached_property
    def all_rows(self) -> list[Sampled]:
        """The first rows of the file, the header among them; and those around the first finding further down."""
        if not self.fmt.tabular:
            return []
        rows = list(self._rows(self.text, 1, MOST_ROWS))
        last = rows[-1].line if rows else 0
        far = next((f.place.line for f in self.findings if f.is_error and f.place.line > last), 0)
        if far:
            begin = self.offset_of(far)
            part = self.data[begin : begin + _FOCUS_BYTES]
            rows += self._rows(self.decode(part, whole=begin + len(part) == len(self.data)), far, MOST_ROWS // 8)
        return rows

    def _rows(self, text: str, first: int, most: int) -> Iterator[Sampled]:
        if self.fmt.kind == "fixed-width":
            for number, line in enumerate(islice(io.StringIO(text, newline=None), most), first):
                yield Sampled(number, self._columns_of(line.rstrip("\n")))
            return
        mark = None if self.fmt.delimited.quoting == "none" else '"'
        reader = csv.reader(
            io.StringIO(text, newline=""), delimiter=self.delimiter, quotechar=mark, quoting=3 if mark is None else 0
        )
        before = 0
        try:
            for cells in islice(reader, most):
                if any(cells):
                    yield Sampled(first + before, self._parted(cells))
                before = reader.line_num
        except csv.Error:  # a cell of a size that no cell has
            return

    def _parted(self, cells: list[str]) -> list[str]:
        """The tag in a cell of its own where it stands before the first cell."""
        if self.fmt.delimited.tags == "joined":
            tag = next((row.tag for row in self.fmt.rows if cells[0].startswith(row.tag)), "")
            return [tag, cells[0][len(tag) :], *cells[1:]]
        return cells

    def _columns_of(self, line: str) -> list[str]:
        terms = self.fmt.fixed_width
        assert terms is not None
        tag = line[: terms.tag_width].strip()
        row = next((row for row in self.fmt.rows if row.tag == tag), None)
        cells = [line[begin:end].strip() for begin, end in spans(row, terms.tag_width)] if row else [line]
        return [tag, *cells] if terms.tag_width else cells

    @cached_property
    def names(self) -> list[str]:
        """The header as the file has it; empty where the format has none."""
        return [name.strip() for name in self.all_rows[0].cells] if self.headed and self.all_rows else []

    @cached_property
    def is_headed(self) -> bool:
        """Whether the first row is a header, if not quite the agreed one."""
        return bool(self.names) and 2 * len(set(self.names) & set(self.titles)) >= len(self.titles)

    @cached_property
    def rows(self) -> list[Sampled]:
        """The rows without the header."""
        comment = self.fmt.delimited.comment
        rows = [row for row in self.all_rows if not (comment and row.cells[0].startswith(comment))]
        return rows[1:] if self.is_headed else rows

    @cached_property
    def columns(self) -> dict[str, list[tuple[int, str]]]:
        """The texts of each canonical path, with their lines; by the header's names where there is one."""
        return self.texts_by(self.names if self.is_headed else self.titles)

    def texts_by(self, names: Sequence[str]) -> dict[str, list[tuple[int, str]]]:
        """The texts of each path, if the columns of a plain row had these names."""
        found: dict[str, list[tuple[int, str]]] = {}
        typed = self.fmt.layout == "header-detail"
        fields = dict(zip(self.titles, self.fmt.fields, strict=True))
        plain = [fields.get(name) for name in names]
        by_tag: dict[str, RecordSpec] = {row.tag: row for row in self.fmt.rows}
        for row in self.rows:
            own: Sequence[Field | None] = plain
            cells = row.cells
            if typed:
                spec = by_tag.get(cells[0])
                own, cells = (spec.fields, cells[1:]) if spec is not None else ((), [])
            for field, text in zip(own, cells, strict=False):
                if field is not None and field.path and text:
                    bare = text[1:] if field.guard and text[:1] == field.guard else text
                    found.setdefault(field.path, []).append((row.line, bare))
        return found

    @cached_property
    def field_names(self) -> dict[str, str]:
        """What the format calls each path."""
        return {field.path: field.name for field in self.fmt.all_fields if field.path}

    def width_of(self, cells: Sequence[str]) -> int | None:
        """How many cells a row should have that begins so; None where the format has no such row."""
        typed = self.fmt.layout == "header-detail"
        if not typed:
            return len(self.names) if self.is_headed else len(self.fmt.rows[0].fields)
        row = next((row for row in self.fmt.rows if row.tag == cells[0]), None) if cells else None
        return None if row is None else len(row.fields) + 1


def told(lines: Iterator[int] | Sequence[int]) -> tuple[int, ...]:
    """The first of some lines, each once."""
    return tuple(islice(dict.fromkeys(line for line in lines if line), MOST_LINES_TOLD))


def spoken(lines: Sequence[int]) -> str:
    """``line 12``, ``lines 2, 3 and more``."""
    shown = [f"{line:,}" for line in lines[:3]]
    more = " and more" if len(lines) > 3 else ""
    return f"line{'s' if len(lines) > 1 else ''} {', '.join(shown)}{more}" if lines else "the file"


_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}([T ][0-9:.]{5,12}(Z|[+-][0-9]{2}:?[0-9]{2})?)?|[0-9]{8}")
_CODE = re.compile(r"[A-Z]{2,3}")
_PHONE = re.compile(r"\+?[-0-9 ()./x]{6,}")


def fits(field: Field, text: str) -> bool | None:
    """Whether a text looks like a value of a field; None where the field could hold anything, or nothing stands there.

    For telling which of two columns a value is of, not for judging it.
    """
    info = field.info
    if not text:
        return False if field.required else None
    if field.allowed:
        return text in field.allowed
    if field.constant is not None:
        return text == field.constant
    if field.path in ("order_lines", "order_units") or (info is not None and info.kind == "integer"):
        return text.isascii() and text.isdigit() and len(text) < 7
    if info is None or field.only is not None or field.unused:
        return None
    if info.kind == "money":
        return re.fullmatch(r"[0-9]{1,12}([.,][0-9]{1,6})?", text) is not None
    if info.kind in ("instant", "day"):
        return _DAY.fullmatch(text) is not None if not field.date or field.date == "iso8601" else text[:1].isdigit()
    return _fits_text(info.path, text)


def _fits_text(path: str, text: str) -> bool | None:
    if path in ("ship_to.country", "lines.origin_country"):
        return len(text) == 2 and _CODE.fullmatch(text) is not None
    if path in ("currency", "lines.uom"):
        return _CODE.fullmatch(text) is not None
    if path == "ship_to.email":
        return "@" in text
    if path == "ship_to.phone":
        return _PHONE.fullmatch(text) is not None
    if path == "ship_to.postal_code":
        return len(text) < 12 and any(map(str.isdigit, text)) and "@" not in text
    if path in ("lines.gtin", "lines.hs_code"):
        return text.isascii() and text.isdigit() and 6 <= len(text) <= 14
    if path in ("ship_to.city", "ship_to.region", "ship_to.name"):
        return not any(map(str.isdigit, text)) and "@" not in text
    if path in ("brand", "platform", "order_id", "order_number", "group", "lines.sku", "lines.line_id"):
        return not any(map(str.isspace, text)) and "@" not in text
    return None
