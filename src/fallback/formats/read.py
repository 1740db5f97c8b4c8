"""The bytes of a fallback file to orders, each with its places: the exact reader."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from fallback.findings import Finding, Place
from fallback.formats import nested, pair, shape, table, tree
from fallback.formats.assemble import Desk, GivenUp, ReadOrder, finding_order
from fallback.formats.kinds import kind_of
from fallback.formats.kinds.rows import Fault, Row
from fallback.formats.spec import Format
from fallback.formats.wrapper import unpack
from fallback.records.paths import values_of


@dataclass(frozen=True, slots=True)
class ReadFile:
    """What a file holds: its orders in the order of their first row, findings about the file as a whole, and the
    number of data rows."""

    orders: tuple[ReadOrder, ...]
    findings: tuple[Finding, ...]
    records: int


def read(
    fmt: Format,
    data: bytes | Mapping[str, bytes],
    *,
    name: str | Mapping[str, str] = "",
    codes: Mapping[str, str] | None = None,
    defaults: Mapping[str, str] | None = None,
    show_values: bool = False,
    most_orders: int | None = None,
) -> ReadFile:
    """Read a file of a format.

    Args:
        data: the bytes; of a pair those of each file, by its role.
        name: the file's name, for places; of a pair by role too.
        codes: the agreement's ``[codes]``; a field that holds another value is a finding.
        defaults: canonical values that the file need not carry (``brand``).
        show_values: whether findings may show a customer's values.
        most_orders: where the file holds more, none is read. A file with more than ``MOST_FINDINGS`` findings is not
            read to its end either.
    """
    parts = data if isinstance(data, Mapping) else {fmt.roles[0]: data}
    names = _names(fmt, name)
    title = names[fmt.roles[0]]
    texts: dict[str, str] = {}
    findings: list[Finding] = []
    for role in fmt.roles:
        text = _text(fmt, parts.get(role), Place(names[role]), role)
        if isinstance(text, Finding):
            findings.append(text)
        else:
            texts[role] = text
    if len(fmt.roles) == 1 and findings:
        return ReadFile((), tuple(findings), 0)
    desk = Desk(shape.shape_of(fmt), title, codes, defaults or {}, show_values, most_orders)
    try:
        orders, more, records = _orders(texts, names, desk)
    except GivenUp as end:
        return ReadFile((), end.findings, 0)
    findings += more + _row_order(fmt, orders, title)
    if not orders and not any(finding.is_error for finding in findings):
        findings.append(Finding("file-empty", Place(title), found="no orders", expected="at least one order"))
    return ReadFile(tuple(orders), tuple(finding_order(findings)), records)


def _names(fmt: Format, name: str | Mapping[str, str]) -> dict[str, str]:
    """The name of each file by its role; in a pair the role says which one is meant where its own name is not known."""
    first = fmt.roles[0]
    title = name if isinstance(name, str) else name.get(first, "")
    if len(fmt.roles) == 1:
        return {first: title}
    known = {} if isinstance(name, str) else name
    return {role: known.get(role) or f"{title} {role}".strip() for role in fmt.roles}


def _orders(
    texts: Mapping[str, str], names: Mapping[str, str], desk: Desk
) -> tuple[list[ReadOrder], list[Finding], int]:
    """What the room of the layout makes of the records."""
    fmt = desk.shape.format
    items = {role: _few_blanks(kind_of(fmt).read(text, fmt.part(role))) for role, text in texts.items()}
    if fmt.layout == "two-files":
        return pair.read_all(items, names, desk)
    read_all = table.read_all if fmt.tabular else tree.read_all if fmt.kind in ("xml", "x12") else nested.read_all
    return read_all(items[fmt.roles[0]], desk)


def _text(fmt: Format, data: bytes | None, place: Place, role: str) -> str | Finding:
    """The text of one file, or why there is none."""
    if data is None:
        expected = f"both files: {' and '.join(fmt.roles)}" if len(fmt.roles) > 1 else "the file"
        return Finding("part-missing", place, found=f"no file with the {role}", expected=expected)
    content = unpack(data, fmt)
    if isinstance(content, str):
        return Finding("wrapper-wrong", place, found=content, expected=f"a {fmt.wrapper} file")
    return _decode(fmt, content, place)


def _row_order(fmt: Format, orders: Sequence[ReadOrder], name: str) -> list[Finding]:
    """The order of rows that a partner demands: one finding where it is not kept."""
    path = fmt.row_order.sorted_by
    values = [str(values_of(one.order, path)[0]) for one in orders if one.order is not None] if path else []
    at = next((n for n in range(1, len(values)) if values[n] < values[n - 1]), None)
    if at is None:
        return []
    found = f"order {at + 1} before order {at}, by {path}"
    return [Finding("rows-unsorted", Place(name), found=found, expected=f"orders sorted by {path}")]


_BLANKS_TOLD = 100


def _few_blanks(items: Iterable[Row | Fault]) -> Iterator[Row | Fault]:
    """The items; of blank rows the first, and how many more there are at the first that is not told."""
    blanks, untold = 0, 0
    for item in items:
        if item.line and isinstance(item, Fault) and item.code == "row-blank":
            blanks += 1
            if blanks > _BLANKS_TOLD:
                untold = untold or item.line
                continue
        yield item
    if untold:
        yield Fault("row-blank", untold, found=f"{blanks - _BLANKS_TOLD:,} empty rows from here on", expected="none")


_BOM = b"\xef\xbb\xbf"


def _decode(fmt: Format, data: bytes, place: Place) -> str | Finding:
    def refused(code: str, at: int, found: str, expected: str) -> Finding:
        return Finding(code, Place(place.file, data.count(b"\n", 0, at) + 1), found=found, expected=expected)

    content = data.removeprefix(_BOM) if fmt.encoding == "utf-8-sig" else data
    if not content:
        return Finding("file-empty", place, found=f"{len(data)} bytes", expected="at least one order")
    if content.startswith(_BOM):
        return refused("byte-order-mark", 0, "a UTF-8 byte order mark", "none")
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return refused("encoding-wrong", 0, "UTF-16", fmt.encoding)
    if b"\0" in data:
        return refused("nul-character", data.index(b"\0"), f"{data.count(0):,} NUL bytes", "none")
    if fmt.encoding in ("cp1252", "iso-8859-1") and (at := _utf_8_from(data)) is not None:
        return refused("encoding-wrong", at, "UTF-8", fmt.encoding)
    try:
        return content.decode("utf-8" if fmt.encoding == "utf-8-sig" else fmt.encoding)
    except UnicodeDecodeError as error:
        at = len(data) - len(content) + error.start
        return refused("encoding-wrong", at, f"byte 0x{data[at]:02x}", f"{fmt.encoding} text")


def _utf_8_from(data: bytes) -> int | None:
    """Where the first character of several bytes stands, if all that is not ASCII in the data is UTF-8.

    Read as a one-byte encoding it would be other letters and no error (ISO 8859-1 has a letter for every byte).
    """
    if data.isascii():
        return None
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return None
    return next(at for at, byte in enumerate(data) if byte > 127)
