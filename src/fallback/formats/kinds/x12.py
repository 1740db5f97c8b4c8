"""ASC X12: one transaction an order. Separators come from the ISA segment, counts and control numbers are checked.

A format declares segments by tag, loop and qualifier, and the elements in them; what a transaction holds besides is
named, not lost in silence. Sources: X12.5 (interchange control), X12.6 (segments and separators).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC
from typing import Any, NamedTuple

from fallback.errors import FallbackError
from fallback.findings import quote
from fallback.formats.kinds.envelope import Envelope
from fallback.formats.kinds.rows import Fault, Row, Tree
from fallback.formats.spec import Field, Format, RecordSpec

_ISA_LENGTH = 106
_ISA_WIDTHS = (2, 10, 2, 10, 2, 15, 2, 15, 6, 4, 1, 5, 9, 1, 1, 1)
_DATE = 8
_MOST_SEGMENTS = 100_000  # in one transaction: no order has so many, and a hostile one would fill the memory
_MOST_UNKNOWN = 20_000  # as many findings say that the file is wrong as a whole


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


class _Known(NamedTuple):
    """A declared segment, ready for use: its positions, its qualifiers, and whether it stands after the lines."""

    spec: RecordSpec
    positions: frozenset[int]
    qualifiers: tuple[tuple[int, str | None], ...]
    closing: bool

    def takes(self, segment: _Segment, loop: str | None, in_lines: bool) -> bool:
        """Whether a segment of this tag is this one, where it stands."""
        placed = bool(self.spec.repeats) or self.closing if in_lines else not self.spec.repeats
        return (
            placed
            and self.spec.loop in (None, loop)
            and all(segment.element(position) == text for position, text in self.qualifiers)
        )


class _Terms:
    """A format's declared segments by tag, and the tag that begins a line."""

    def __init__(self, fmt: Format) -> None:
        first = next((index for index, row in enumerate(fmt.records) if row.repeats), len(fmt.records))
        self.starter = fmt.records[first].tag if first < len(fmt.records) else ""
        self.known: dict[str, list[_Known]] = {}
        for index, row in enumerate(fmt.records):
            positions = frozenset(position for field in row.fields for position in _positions(field))
            qualifiers = tuple((_positions(field)[0], field.constant) for field in row.fields if field.qualifier)
            known = _Known(row, positions, qualifiers, index > first and not row.repeats)
            self.known.setdefault(row.tag, []).append(known)

    def of(self, segment: _Segment, loop: str | None, in_lines: bool) -> _Known | None:
        """The declared segment that this one is: in the lines one of theirs before one that closes the order."""
        fitting = [known for known in self.known.get(segment.tag, ()) if known.takes(segment, loop, in_lines)]
        return next((known for known in fitting if known.spec.repeats), next(iter(fitting), None))

    def title(self, segment: _Segment) -> str:
        """What an unknown segment is called: its first element is shown only where that is a qualifier."""
        told = segment.tag == "N1" or any(
            q[0] == 1 for known in self.known.get(segment.tag, ()) for q in known.qualifiers
        )
        return segment.tag[:3] + (f"*{segment.element(1)[:3]}" if told else "")


def read(text: str, fmt: Format) -> Iterator[Row | Fault]:
    """The transactions of an interchange as rows, and a Fault for whatever is wrong with the envelopes."""
    body = text.lstrip("\r\n ")
    line = text.count("\n", 0, len(text) - len(body)) + 1
    if not body.startswith("ISA") or len(body) < _ISA_LENGTH:
        yield Fault("header-missing", line, expected=f"an ISA segment of {_ISA_LENGTH} characters")
        return
    element, component, terminator = body[3], body[104], body[105]
    if terminator in "\r\n" and body.rstrip().endswith(component):
        terminator, component = component, " "  # ISA16 is left blank, and what stands there ends the segment
    isa = body[: _ISA_LENGTH - 1].split(element)
    widths = tuple(len(part) for part in isa[1:])
    if widths != _ISA_WIDTHS or any(map(str.isalnum, (element, component, terminator))):
        yield Fault(
            "envelope-wrong", line, found="an ISA segment of other widths", expected="16 elements, 106 characters"
        )
        return
    if not body.rstrip("\r\n ".replace(terminator, "")).endswith(terminator):
        yield Fault("file-cut", text.count("\n") + 1, expected="the segment terminator at the end")
        return
    yield from _Interchange(fmt).read(_segments(body, element, terminator, line))


def _segments(text: str, element: str, terminator: str, line: int) -> Iterator[_Segment]:
    pieces = text.split(terminator)
    if not pieces[-1].strip():
        pieces.pop()
    for number, piece in enumerate(pieces, start=1):
        body = piece.lstrip("\r\n")
        line += piece.count("\n", 0, len(piece) - len(body))
        yield _Segment(body.rstrip("\r\n").split(element), number, line)
        line += body.count("\n") + terminator.count("\n")


class _Interchange:
    """Walks the envelopes: ISA holds groups, GS holds transactions; each closing segment counts and repeats a number.
    One use, one file."""

    def __init__(self, fmt: Format) -> None:
        self.fmt = fmt
        self.terms = _Terms(fmt)
        self.group: _Segment | None = None
        self.opened: _Segment | None = None
        self.inner: list[_Segment] = []
        self.groups = self.transactions = self.number = 0

    def read(self, segments: Iterator[_Segment]) -> Iterator[Row | Fault]:
        isa = segment = next(segments)
        if isa.element(15) != self.fmt.x12.usage:
            yield _wrong(isa, f"ISA15 {quote(isa.element(15), 1)}", f"{self.fmt.x12.usage}: P is live, T is a test")
        for segment in segments:
            if segment.tag == "IEA":
                yield from self.counted(segment, self.groups, isa.element(13), "groups")
                break
            if len(self.inner) > _MOST_SEGMENTS:
                yield _wrong(segment, f"more than {_MOST_SEGMENTS:,} segments in a transaction", "an order")
                return
            yield from self.take(segment)
        else:
            yield Fault("trailer-missing", segment.line, expected="SE, GE and IEA at the end")
            return
        if self.group is not None or self.opened is not None:
            yield Fault("trailer-missing", segment.line, expected="SE and GE before IEA")
        elif (more := next(segments, None)) is not None:
            yield _wrong(more, "segments after IEA", "one interchange in a file")

    def take(self, segment: _Segment) -> Iterator[Row | Fault]:
        tag, expected = segment.tag, self.fmt.x12.functional
        if tag in ("GS", "ST", "GE") and self.opened is not None:
            yield self.torn(self.opened, segment, f"{tag} before the SE of this transaction", "SE")
            self.opened = None
        if tag == "GS":
            if self.group is not None:
                yield _wrong(segment, "GS before the GE of the group", "GE")
            self.group, self.groups, self.transactions = segment, self.groups + 1, 0
            if segment.element(1) != expected:
                yield _wrong(segment, f"GS01 {quote(segment.element(1), 6)}", expected)
        elif tag == "ST":
            if self.group is None:
                yield _wrong(segment, "ST outside a group", "GS before it")
            self.opened, self.inner = segment, []
            self.transactions += 1
            self.number += 1
        elif tag == "SE" and self.opened is not None:
            yield self.closed(self.opened, segment)
            self.opened = None
        elif tag == "GE" and self.group is not None:
            yield from self.counted(segment, self.transactions, self.group.element(6), "transactions")
            self.group = None
        elif self.opened is not None:
            self.inner.append(segment)
        else:
            yield _wrong(segment, f"a segment {quote(tag, 6)} outside its envelope", "GS, ST, GE or IEA")

    def counted(self, segment: _Segment, count: int, control: str, title: str) -> Iterator[Fault]:
        if segment.element(1).lstrip("0") != str(count):
            yield _wrong(segment, f"{segment.tag}01 {quote(segment.element(1), 12)}", f"{count} {title}")
        if segment.element(2) != control:
            yield _wrong(segment, f"{segment.tag}02 {quote(segment.element(2), 12)}", quote(control, 12))

    def closed(self, opened: _Segment, closing: _Segment) -> Row | Fault:
        """One transaction. A wrong count of segments or another control number poisons it: something was lost or added;
        and so does a line break in a segment, of which nobody knows whether it stands for a blank."""
        count = len(self.inner) + 2
        broken = next((one for one in (opened, *self.inner, closing) if _is_broken(one)), None)
        if broken is not None:
            return self.torn(opened, broken, "a line break within the segment", "a terminator before each line break")
        if opened.element(1) != self.fmt.x12.transaction:
            return self.torn(opened, opened, f"ST01 {quote(opened.element(1), 6)}", self.fmt.x12.transaction)
        if closing.element(1).lstrip("0") != str(count):
            return self.torn(opened, closing, f"SE01 {quote(closing.element(1), 12)}", f"{count} segments")
        if closing.element(2) != opened.element(2):
            control = quote(opened.element(2), 12)
            return self.torn(opened, closing, f"SE02 {quote(closing.element(2), 12)}", f"ST02 {control}")
        return Row(0, _tree(self.inner, self.terms, self.group), opened.line, self.number)

    def torn(self, opened: _Segment, at: _Segment, found: str, expected: str) -> Fault:
        tree, field = _tree(self.inner, self.terms, self.group), f"segment {at.number}"
        return Fault("transaction-torn", opened.line, self.number, 0, tree, field=field, found=found, expected=expected)


def _wrong(segment: _Segment, found: str, expected: str) -> Fault:
    return Fault("envelope-wrong", segment.line, field=f"segment {segment.number}", found=found, expected=expected)


def _is_broken(segment: _Segment) -> bool:
    return any("\n" in text or "\r" in text for text in segment.elements)


def _tree(segments: Sequence[_Segment], terms: _Terms, group: _Segment | None) -> Tree:
    """The values of a transaction, those of each line from the segment on that begins it; and what is not known."""
    order: dict[str, Any] = {}
    lines: list[dict[str, Any]] = []
    unknown: list[tuple[str, str]] = []
    at: dict[tuple[int, str], str] = {}
    repeated: dict[tuple[int, str], list[str]] = {}
    loop: str | None = None
    for segment in segments:
        if segment.tag == terms.starter:
            lines.append({})
            loop = None
        elif segment.tag == "N1":
            loop = segment.element(1)
        known = terms.of(segment, loop, bool(lines))
        here = f"segment {segment.number}, "
        if known is None:
            unknown.append(("segment-unknown", here + terms.title(segment)))
            continue
        target, index = (lines[-1], len(lines) - 1) if known.spec.repeats else (order, -1)
        for position in range(1, min(len(segment.elements), _MOST_UNKNOWN)):
            if segment.element(position) and position not in known.positions:
                unknown.append(("segment-unknown", f"{here}{segment.tag}{position:02d}"))
        for field in known.spec.fields:
            text = _text(field, segment)
            if not text:
                continue
            if field.repeat:
                repeated.setdefault((index, field.name), []).append(text)
            elif field.constant is not None:
                if text != field.constant:  # what it says of another element may be what that one means
                    unknown.append(("value-wrong" if field.required else "segment-unknown", here + field.name))
            elif field.name in target:  # which of the two is meant cannot be known
                only = field.required or known.qualifiers
                unknown.append(("value-malformed" if only else "segment-unknown", f"{here}a second {field.name}"))
            else:
                target[field.name] = text
                at[index, field.name] = f"{here}element {_positions(field)[0]}"
        if len(unknown) > _MOST_UNKNOWN:
            break
    for (index, name), texts in repeated.items():
        (lines[index] if index >= 0 else order)[name] = "\n".join(texts)
    if group is not None:
        order["@envelope"] = group.element(4) + group.element(5)
    return Tree(order, lines, tuple(unknown), at)


def _positions(field: Field) -> tuple[int, ...]:
    return field.element if isinstance(field.element, tuple) else (field.element or 0,)


def _text(field: Field, segment: _Segment) -> str:
    """The text of a field. A date and its time stand in two elements; with a date of another length they stay two."""
    first, *rest = (segment.element(position) for position in _positions(field))
    return first + "".join(rest) if len(first) == _DATE or not any(rest) else " ".join((first, *rest))


def write(rows: Iterable[tuple[int, Any]], fmt: Format, envelope: Envelope) -> Iterator[str]:
    """The interchange: ISA, one GS, a transaction an order, GE, IEA; a segment a line where the format ends lines."""
    terms, at, ids = fmt.x12, envelope.at.astimezone(UTC), _ids(fmt, envelope)
    end = terms.segment + fmt.newline_text
    control = f"{envelope.sequence % 10**9:09d}"
    isa = (
        "00", "", "00", "", ids["sender_qualifier"], ids["sender"], ids["receiver_qualifier"],
        ids["receiver"],
        f"{at:%y%m%d}", f"{at:%H%M}", "U", terms.version[:5], control, "0", terms.usage, terms.component,
    )  # fmt: skip
    padded = (value.ljust(width) for value, width in zip(isa, _ISA_WIDTHS, strict=True))
    yield terms.element.join(["ISA", *padded]) + end
    group = str(int(control))
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


_LONGEST = {"sender_qualifier": 2, "sender": 15, "receiver_qualifier": 2, "receiver": 15}


def _ids(fmt: Format, envelope: Envelope) -> dict[str, str]:
    """Who sends and who receives, as ISA and GS say it. Raises FallbackError where an id does not fit: the elements of
    ISA have fixed widths, and an id that was cut is somebody else's."""
    ids = {name: envelope.codes.get(f"x12_{name}", getattr(fmt.x12, name)) for name in _LONGEST}
    for name, longest in _LONGEST.items():
        text = ids[name]
        if not 0 < len(text) <= longest or not text.isprintable() or text != text.strip() or not writable(text, fmt):
            message = f"x12_{name} has 1 to {longest} characters and none that separates elements, found {quote(text)}"
            raise FallbackError("agreement-invalid", message, hint=f"correct x12_{name} in [codes] of the agreement")
    return ids


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
    """X12 has no quoting: a separator cannot stand in a value. Line breaks stand between segments that repeat, and an
    empty line would be an empty segment."""
    terms = fmt.x12
    return not any(mark in text for mark in (terms.element, terms.component, terms.segment, "\r", "\n\n"))
