"""ASC X12: one transaction an order. Separators come from the ISA segment, counts and control numbers are checked.

A format declares segments by tag, loop and qualifier, and the elements in them; what a transaction holds besides is
named, not lost in silence. Sources: X12.5 (interchange control), X12.6 (segments and separators).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC
from typing import Any, NamedTuple

from fallback.findings import quote
from fallback.formats.kinds.envelope import Envelope
from fallback.formats.kinds.rows import Fault, Row, Tree
from fallback.formats.spec import Field, Format, RecordSpec

_ISA_LENGTH = 106
_ISA_WIDTHS = (2, 10, 2, 10, 2, 15, 2, 15, 6, 4, 1, 5, 9, 1, 1, 1)
_ENVELOPE = ("ISA", "GS", "ST", "SE", "GE", "IEA")


class _Segment(NamedTuple):
    """One segment: its elements, the first one its tag; its number from 1 and the physical line it begins on."""

    elements: list[str]
    number: int
    line: int

    @property
    def tag(self) -> str:
        return self.elements[0]

    def element(self, position: int) -> str:
        return self.elements[position] if position < len(self.elements) else ""


def read(text: str, fmt: Format) -> Iterator[Row | Fault]:
    """The transactions of an interchange as rows, and a Fault for whatever is wrong with the envelopes."""
    text = text.lstrip("\r\n ")
    if not text.startswith("ISA") or len(text) < _ISA_LENGTH:
        yield Fault("header-missing", 1, expected="an ISA segment")
        return
    element, component, terminator = text[3], text[104], text[105]
    if terminator in "\r\n" and text.rstrip().endswith(component):
        terminator, component = component, " "  # ISA16 is left blank, and what stands there ends the segment
    isa = text[: _ISA_LENGTH - 1].split(element)
    widths = tuple(len(part) for part in isa[1:])
    if widths != _ISA_WIDTHS or terminator.isalnum() or component.isalnum() or element.isalnum():
        yield Fault("envelope-wrong", 1, found="an ISA segment of other widths", expected="16 elements, 106 characters")
        return
    segments = list(_segments(text, element, terminator))
    if not text.rstrip("\r\n ".replace(terminator, "")).endswith(terminator):
        yield Fault("file-cut", segments[-1].line, expected="the segment terminator at the end")
        return
    yield from _interchange(segments, fmt)


def _segments(text: str, element: str, terminator: str) -> Iterator[_Segment]:
    line = 1
    pieces = text.split(terminator)
    if not pieces[-1].strip():
        pieces.pop()
    for number, piece in enumerate(pieces, start=1):
        body = piece.lstrip("\r\n")
        line += piece[: len(piece) - len(body)].count("\n")
        yield _Segment(body.rstrip("\r\n").split(element), number, line)
        line += body.count("\n")


def _interchange(segments: Sequence[_Segment], fmt: Format) -> Iterator[Row | Fault]:
    """Walk the envelopes: ISA holds groups, GS holds transactions; each closing segment counts and repeats a number."""
    isa, group = segments[0], None
    transaction: list[_Segment] = []
    open_at: _Segment | None = None
    groups = transactions = number = 0
    closed = False
    for segment in segments[1:]:
        if closed:
            yield _wrong(segment, "segments after IEA", "one interchange in a file")
            return
        if segment.tag == "GS":
            group, groups, transactions = segment, groups + 1, 0
            if segment.element(1) != fmt.x12.functional:
                yield _wrong(segment, f"GS01 {quote(segment.element(1), 6)}", fmt.x12.functional)
        elif segment.tag == "ST":
            open_at, transaction = segment, []
            transactions += 1
        elif segment.tag == "SE" and open_at is not None:
            number += 1
            yield from _closed(open_at, transaction, segment, number, group, fmt)
            open_at = None
        elif segment.tag == "GE":
            if group is None or open_at is not None:
                yield _wrong(segment, "a GE without its GS, or inside a transaction", "closed transactions")
            else:
                yield from _counted(segment, transactions, group.element(6), "transactions")
            group = None
        elif segment.tag == "IEA":
            yield from _counted(segment, groups, isa.element(13), "groups")
            closed = True
        elif open_at is not None:
            transaction.append(segment)
        else:
            yield _wrong(segment, f"a segment {quote(segment.tag, 6)} outside a transaction", "ST, GE or IEA")
    if not closed or group is not None or open_at is not None:
        yield Fault("trailer-missing", segments[-1].line, expected="SE, GE and IEA at the end")


def _wrong(segment: _Segment, found: str, expected: str) -> Fault:
    return Fault("envelope-wrong", segment.line, field=f"segment {segment.number}", found=found, expected=expected)


def _counted(segment: _Segment, count: int, control: str, title: str) -> Iterator[Fault]:
    if segment.element(1).lstrip("0") != str(count):
        yield _wrong(segment, f"{segment.tag}01 {quote(segment.element(1), 12)}", f"{count} {title}")
    if segment.element(2) != control:
        yield _wrong(segment, f"control number {quote(segment.element(2), 12)}", quote(control, 12))


def _closed(
    opened: _Segment, inner: list[_Segment], closing: _Segment, number: int, group: _Segment | None, fmt: Format
) -> Iterator[Row | Fault]:
    """One transaction. A wrong count of segments or another control number poisons it: something was lost or added."""
    tree = _tree(inner, fmt, group)
    count = len(inner) + 2
    found = expected = None
    if opened.element(1) != fmt.x12.transaction:
        found, expected = f"ST01 {quote(opened.element(1), 6)}", fmt.x12.transaction
    elif closing.element(1).lstrip("0") != str(count):
        found, expected = f"SE01 {quote(closing.element(1), 12)}", f"{count} segments"
    elif closing.element(2) != opened.element(2):
        found, expected = f"SE02 {quote(closing.element(2), 12)}", f"ST02 {quote(opened.element(2), 12)}"
    if found:
        yield Fault(
            "transaction-torn", opened.line, number, 0, tree, field=f"segment {closing.number}", found=found,
            expected=expected,
        )  # fmt: skip
    else:
        yield Row(0, tree, opened.line, number)


def _tree(segments: Sequence[_Segment], fmt: Format, group: _Segment | None) -> Tree:
    order: dict[str, Any] = {}
    lines: list[dict[str, Any]] = []
    unknown: list[tuple[str, str]] = []
    at: dict[tuple[int, str], str] = {}
    starter = next((row.tag for row in fmt.records if row.repeats), "")
    loop: str | None = None
    for segment in segments:
        if segment.tag == starter:
            lines.append({})
            loop = None
        elif segment.tag == "N1":
            loop = segment.element(1)
        spec = _spec_of(segment, fmt, loop, bool(lines))
        if spec is None:
            name = f"segment {segment.number}, {segment.tag}*{segment.element(1)[:3]}"
            unknown.append(("segment-unknown", name))
            continue
        target, index = (lines[-1], len(lines) - 1) if spec.repeats else (order, -1)
        declared = {position for field in spec.fields for position in _positions(field)}
        for position in range(1, len(segment.elements)):
            if segment.element(position) and position not in declared:
                unknown.append(("segment-unknown", f"segment {segment.number}, {segment.tag}{position:02d}"))
        for field in spec.fields:
            text = "".join(segment.element(position) for position in _positions(field))
            if not text:
                continue
            if field.repeat and field.name in target:
                target[field.name] += "\n" + text
            elif (field.constant or text) != text or (field.name in target and field.constant is None):
                unknown.append(("segment-unknown", f"segment {segment.number}, {field.name}"))
            else:
                target[field.name] = text
                at[index, field.name] = f"segment {segment.number}, element {_positions(field)[0]}"
    if group is not None:
        order["@envelope"] = group.element(4) + group.element(5)
    return Tree(order, lines, tuple(unknown), at)


def _spec_of(segment: _Segment, fmt: Format, loop: str | None, in_lines: bool) -> RecordSpec | None:
    """The declared segment: of this tag, in this loop, with these qualifiers; one of the lines before the order's."""
    fitting = [
        row
        for row in fmt.records
        if row.tag == segment.tag
        and row.loop in (None, loop)
        and all(segment.element(_positions(f)[0]) == f.constant for f in row.fields if f.qualifier)
        and (in_lines or not row.repeats)
    ]
    return next((row for row in fitting if bool(row.repeats) == in_lines), next(iter(fitting), None))


def _positions(field: Field) -> tuple[int, ...]:
    return field.element if isinstance(field.element, tuple) else (field.element or 0,)


def write(rows: Iterable[tuple[int, Any]], fmt: Format, envelope: Envelope) -> Iterator[str]:
    """The interchange: ISA, one GS, a transaction an order, GE, IEA; a segment a line where the format ends lines."""
    terms, at = fmt.x12, envelope.at.astimezone(UTC)
    end = terms.segment + fmt.newline_text
    ids = {
        name: envelope.codes.get(f"x12_{name}", getattr(terms, name))
        for name in ("sender_qualifier", "sender", "receiver_qualifier", "receiver")
    }
    control = f"{envelope.sequence % 10**9:09d}"
    isa = (
        "00", "", "00", "", ids["sender_qualifier"], ids["sender"], ids["receiver_qualifier"],
        ids["receiver"],
        f"{at:%y%m%d}", f"{at:%H%M}", "U", terms.version[:5], control, "0", terms.usage, terms.component,
    )  # fmt: skip
    padded = (value.ljust(width)[:width] for value, width in zip(isa, _ISA_WIDTHS, strict=True))
    yield terms.element.join(["ISA", *padded]) + end
    group = str(envelope.sequence)
    heads = ("GS", terms.functional, ids["sender"], ids["receiver"], f"{at:%Y%m%d}", f"{at:%H%M}", group, "X")
    yield terms.element.join([*heads, terms.version]) + end
    count = 0
    for count, (_, tree) in enumerate(rows, start=1):
        number = f"{count:04d}"
        body = [terms.element.join(elements) + end for elements in _transaction(tree, fmt)]
        yield terms.element.join(["ST", terms.transaction, number]) + end
        yield from body
        yield terms.element.join(["SE", str(len(body) + 2), number]) + end
    yield terms.element.join(["GE", str(count), group]) + end
    yield terms.element.join(["IEA", "1", control]) + end


def _transaction(tree: Tree, fmt: Format) -> Iterator[list[str]]:
    first = next((i for i, row in enumerate(fmt.records) if row.repeats), len(fmt.records))
    repeated = [row for row in fmt.records if row.repeats]
    for row in fmt.records[:first]:
        yield from _segments_of(row, tree.order)
    for line in tree.lines:
        for row in repeated:
            yield from _segments_of(row, line)
    for row in fmt.records[first:]:
        if not row.repeats:
            yield from _segments_of(row, tree.order)


def _segments_of(row: RecordSpec, values: dict[str, Any]) -> Iterator[list[str]]:
    """The segment of one record, or as many as its repeated field has lines; none where it would say nothing."""
    repeated = next((field for field in row.fields if field.repeat), None)
    texts = values.get(repeated.name, "").split("\n") if repeated and values.get(repeated.name) else [None]
    said = [field for field in row.fields if field.constant is None and values.get(field.name) is not None]
    if not said and not row.always:
        return
    for text in texts:
        elements = [row.tag]
        for field in row.fields:
            value = text if field is repeated else values.get(field.name)
            for position, part in zip(_positions(field), _parts(field, value), strict=True):
                elements += [""] * (position + 1 - len(elements))
                elements[position] = part
        while not elements[-1]:  # nothing stands for what is absent at the end of a segment
            elements.pop()
        yield elements


def _parts(field: Field, value: str | None) -> list[str]:
    """A value over its elements: a date and time of fixed length stand in two."""
    positions = _positions(field)
    text = value or ""
    return [text] if len(positions) == 1 else [text[:8], text[8:]]


def writable(text: str, fmt: Format) -> bool:
    """X12 has no quoting: a separator cannot stand in a value, and a line break only where segments repeat."""
    terms = fmt.x12
    return not any(mark in text for mark in (terms.element, terms.component, terms.segment))
