"""What each kind and layout demands of a declaration, and which words mean nothing to it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

from fallback.formats.kinds.fixed_width import spans
from fallback.formats.spec import COUNTS, Delimited, Field, Format

_LAYOUTS = {
    "delimited": ("line", "first-line", "header-detail", "two-files"),
    "fixed-width": ("line", "header-detail"),
    "json-lines": ("nested",),
    "json": ("nested",),
    "xml": ("nested",),
    "x12": ("nested",),
}


def of_kind(fmt: Format) -> Iterator[str]:
    """The mistakes against the kind and the layout, each with its place in the TOML."""
    if fmt.layout not in _LAYOUTS[fmt.kind]:
        yield f"layout: {fmt.kind} may be {' or '.join(_LAYOUTS[fmt.kind])}, found {fmt.layout}"
    if fmt.layout == "header-detail":
        yield from _record_mistakes(fmt)
    elif fmt.layout == "two-files":
        yield from _pair_mistakes(fmt)
    elif (fmt.records or not fmt.fields) and fmt.kind != "x12":
        yield f"fields: a {fmt.layout} layout declares [[fields]], not [[records]]"
    if not fmt.fields and not fmt.records:
        return
    if fmt.kind in ("json-lines", "json"):
        yield from _member_mistakes(fmt)
    elif fmt.kind == "fixed-width":
        yield from _width_mistakes(fmt)
    elif fmt.kind == "x12":
        yield from _segment_mistakes(fmt)
    elif fmt.kind == "xml":
        yield from _element_mistakes(fmt)
    else:
        yield from _sign_mistakes(fmt)
    for section, kind in _SECTIONS.items():
        if fmt.kind != kind and getattr(fmt, section) != Format.model_fields[section].default:
            yield f"{section.removesuffix('_terms')}: for the kind {kind} only; remove the section"
    if fmt.kind != "x12" and any(row.loop or row.always for row in fmt.records):
        yield "records: loop and always are for x12"


def _sign_mistakes(fmt: Format) -> Iterator[str]:
    """Delimited: the signs can be told from what stands between them."""
    terms = fmt.delimited
    if not _DELIMITER.fullmatch(terms.delimiter):
        yield "delimited.delimiter: a sign such as , ; | or a tab; no letter, digit, blank, quotation mark or backslash"
    if terms.comment is not None:
        own = [row.tag or f"[{row.fields[0].name}]"[terms.header != "bracketed" :] for row in fmt.rows]
        if not _DELIMITER.fullmatch(terms.comment) or terms.comment in (terms.delimiter, "\t"):
            yield "delimited.comment: a sign other than the delimiter; no letter, digit, blank or quotation mark"
        elif any(text.startswith(terms.comment) for text in own):
            yield "delimited.comment: the format's own rows begin so"


_SECTIONS = {
    "delimited": "delimited", "fixed_width": "fixed-width", "json_terms": "json", "xml": "xml", "x12": "x12",
}  # fmt: skip


def of_field(fmt: Format, field: Field) -> Iterator[str]:
    """The words of one field that mean nothing to its kind: who wrote them expects something of them."""
    for words, kinds in _WORDS.items():
        said = [word for word in words if getattr(field, word) != Field.model_fields[word].default]
        if said and fmt.kind not in kinds:
            yield f"{' and '.join(said)}: for {' and '.join(kinds)} only"
    if field.optional and fmt.delimited.header == "forbidden":
        yield "optional is for columns that a header row names"
    if field.optional and field.required:
        yield "optional and required contradict each other"


_WORDS = {
    ("width", "start", "justify", "pad", "decimals"): ("fixed-width",),
    ("element", "qualifier", "repeat"): ("x12",),
    ("default", "default_from"): ("xml", "x12"),
    ("guard", "optional"): ("delimited",),
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


_PLAIN_NAME = r"[A-Za-z_][A-Za-z0-9_.-]*"
_ELEMENT = re.compile(_PLAIN_NAME)
_ELEMENTS = re.compile(rf"{_PLAIN_NAME}(?:/{_PLAIN_NAME})*")
_PATH = re.compile(rf"(?:{_PLAIN_NAME}/)*@?{_PLAIN_NAME}")


def _element_mistakes(fmt: Format) -> Iterator[str]:
    """XML: the paths must make one tree of elements, those of the lines below the element of a line."""
    terms = fmt.xml
    if not _ELEMENT.fullmatch(terms.root) or not _ELEMENT.fullmatch(terms.order or terms.root):
        yield "xml: root and order are names of elements"
    if not _ELEMENTS.fullmatch(terms.lines):
        yield "xml.lines: the path of a line from the order, such as Lines/Line"
    if not terms.order and (fmt.max_orders != 1 or terms.count or terms.attributes):
        yield "xml.order: a root that is the order itself needs max_orders = 1, and neither count nor attributes"
    own = [*terms.attributes, *filter(None, [terms.count])]
    if len(set(own)) < len(own) or not all(map(_ELEMENT.fullmatch, own)):
        yield "xml: count and attributes are names of attributes of the root, each once"
    names = {field.name for field in fmt.fields}
    for index, field in enumerate(fmt.fields):
        place, parts = f"fields[{index}] {field.name}", field.name.split("/")
        if not _PATH.fullmatch(field.name):
            yield f"{place}: a path of elements such as ShipTo/Name, an attribute at its end such as Lines/@count"
        if above := [name for depth in range(1, len(parts)) if (name := "/".join(parts[:depth])) in names]:
            yield f"{place}: {above[0]} is a field itself and cannot hold others"
        inside = field.name.startswith(f"{terms.lines}/")
        of_line = field.info is not None and field.info.level == "line"
        if of_line and not inside:
            yield f"{place}: the values of a line stand below {terms.lines}"
        if inside and not of_line:
            yield f"{place}: {terms.lines} is an element of a line, and this is not of a line"
        if field.name == terms.lines or terms.lines.startswith(f"{field.name}/"):
            yield f"{place}: the lines stand here, and no value can"


_ENVELOPE = ("ISA", "GS", "ST", "SE", "GE", "IEA")
_SEGMENT = re.compile(r"[A-Z][A-Z0-9]{1,2}")


def _segment_mistakes(fmt: Format) -> Iterator[str]:
    """X12: every field has its element, qualifiers are constants, and something begins a line."""
    if fmt.fields or not fmt.records:
        yield "records: x12 declares its segments as [[records]], not [[fields]]"
    if not any(row.repeats for row in fmt.records):
        yield "records: nothing repeats lines; the first segment that does begins each line"
    loops = {field.constant for row in fmt.records if row.tag == "N1" for field in row.fields if field.qualifier}
    known: dict[object, dict[int, set[object]]] = {}
    for row_index, row in enumerate(fmt.records):
        place = f"records[{row_index}] {row.tag}"
        if row.trailer:
            yield f"{place}: x12 has no closing record, its envelope counts"
        if not _SEGMENT.fullmatch(row.tag) or row.tag in _ENVELOPE:
            yield f"{place}: a tag of two or three capitals and digits, and none of the envelope"
        if row.loop is not None and row.loop not in loops:
            yield f"{place}: no N1 segment begins the loop {row.loop}"
        own: set[object] = {(field.element, field.constant) for field in row.fields if field.qualifier}
        twins = known.setdefault((row.tag, row.loop, row.repeats), {})
        for twin, qualifiers in twins.items():
            if own <= qualifiers or qualifiers <= own:
                yield f"{place}: nothing tells this segment from that of records[{twin}]"
        twins[row_index] = own
        for index, field in enumerate(row.fields):
            positions = field.element if isinstance(field.element, tuple) else (field.element or 1,)
            if min(positions, default=1) < 1:
                yield f"records[{row_index}].fields[{index}] {field.name}: elements count from 1"
            if row.repeats and field.path and (field.info is None or field.info.level == "order"):
                yield f"records[{row_index}].fields[{index}] {field.name}: {field.path} is of the order, not of a line"
            if not field.element:
                yield f"records[{row_index}].fields[{index}] {field.name}: needs the position of its element"
            if field.qualifier and field.constant is None:
                yield f"records[{row_index}].fields[{index}] {field.name}: a qualifier is a constant"
            if field.path in _NOTES and not field.repeat:
                yield f"records[{row_index}].fields[{index}] {field.name}: of several lines; needs repeat = true"
    separators = [getattr(fmt.x12, name) for name in ("element", "component", "segment")]
    if len(set(separators)) < len(separators) or not all(map(_DELIMITER.fullmatch, separators)):
        yield "x12: element, component and segment are three signs, no letter, digit, blank, quotation mark, backslash"
    for name in ("sender", "receiver"):
        if len(getattr(fmt.x12, name)) > 15:
            yield f"x12.{name}: at most 15 characters"


_NOTES = ("instructions", "gift_message")  # the texts of a record that may hold line breaks
_DELIMITER = re.compile(r"\t|[!-~](?<![A-Za-z0-9\"'\\])")
_TAG = re.compile(r"[A-Za-z0-9_-]{1,20}|\[[A-Za-z0-9_-]{1,18}\]")


def _record_mistakes(fmt: Format) -> Iterator[str]:
    if fmt.fields or not fmt.records:
        yield "records: a header-detail layout declares [[records]], not [[fields]]"
        return
    if fmt.kind == "delimited" and fmt.delimited.header != "forbidden":
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
