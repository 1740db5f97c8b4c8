"""What happens to bytes on their way: another encoding, NUL bytes, a lost end, the file twice, other line ends."""

from __future__ import annotations

from fallback.documents.diagnosis import Confidence, Diagnosis
from fallback.validation.damage.evidence import Evidence, spoken, told
from fallback.validation.damage.letters import ENCODING_NAMES, encodings, garbled


def encoding(evidence: Evidence) -> Diagnosis | None:
    """Which encoding it really is, by decoding."""
    data, agreed = evidence.data, evidence.fmt.encoding
    if evidence.wide:
        words = f"the text is UTF-16, as a spreadsheet's or an editor's \"Unicode text\"; {agreed} is agreed"
        return Diagnosis("encoding-other", "certain", words, (1,))
    if not evidence.has("encoding-wrong"):
        return None
    lines = evidence.lines_of("encoding-wrong")
    if not agreed.startswith("utf-8") and _is_utf_8(data):
        return Diagnosis("encoding-other", "certain", f"the text is UTF-8, and {agreed} is agreed", lines)
    if agreed == "ascii":
        found = "UTF-8" if _is_utf_8(data) else "of one byte a letter"
        return Diagnosis(
            "encoding-other", "likely", f"the text has letters that ASCII does not have; it is {found}", lines
        )
    countries = {text for _, text in evidence.columns.get("ship_to.country", ())}
    found_as = encodings(data, countries)
    if not found_as:
        if _cut_letter(data):
            return None
        words = f"bytes that are neither {agreed} nor any encoding that a shop's computer writes"
        return Diagnosis("encoding-other", "possible", f"{words}, from {spoken(lines)} on", lines)
    names = " or ".join(ENCODING_NAMES[name] for name in found_as[:2])
    sure: Confidence = "likely" if len(found_as) == 1 else "possible"
    words = f"the text is probably {names}: saved on a PC and not by the export; {agreed} is agreed"
    return Diagnosis("encoding-other", sure, words, lines)


def _is_utf_8(data: bytes) -> bool:
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return not data.isascii()


def _cut_letter(data: bytes) -> bool:
    """Whether all is UTF-8 but the last letter, of which bytes are missing."""
    try:
        data.decode("utf-8")
    except UnicodeDecodeError as error:
        return error.start >= len(data) - 3 and error.reason == "unexpected end of data"
    return False


def nul_bytes(evidence: Evidence) -> Diagnosis | None:
    if not evidence.has("nul-character") or evidence.wide or 0 not in evidence.data:  # of a pair the other has them
        return None
    data = evidence.data
    count, at_end = data.count(0), len(data) - len(data.rstrip(b"\0"))
    line = evidence.line_at(data.index(0))
    where = "its end is nothing else" if at_end == count else f"the first in line {line:,}"
    words = f"{count:,} NUL byte{'s' if count > 1 else ''}, {where}: a disk or a transfer has failed"
    return Diagnosis("nul-bytes", "certain", words, (line,))


# --- the file twice

_HEADER_AT_LEAST = 12


def twice(evidence: Evidence) -> Diagnosis | None:
    """The file twice, or another one behind it: the same bytes again, or the header in the middle."""
    data, content = evidence.data, evidence.content
    half, odd = divmod(len(data), 2)
    if half > 20 and not odd and data.startswith(data[half:]):
        line = evidence.line_at(half)
        words = f"the file holds itself twice, the second time from line {line:,} on"
        return Diagnosis("file-doubled", "certain", words, (line,))
    at = _second_beginning(evidence)
    if at is None:
        return None
    line = evidence.line_at(at)
    first, second = data[:at].rstrip(), data[at:].removeprefix(b"\xef\xbb\xbf").rstrip()
    if first.removeprefix(b"\xef\xbb\xbf") == second:
        words = f"the file holds itself twice, the second time from line {line:,} on"
        return Diagnosis("file-doubled", "certain", words, (line,))
    if len(second) < len(first) and content.startswith(second) and b"\n" in second:
        words = f"the beginning of the file stands behind it once more, from line {line:,} on"
        return Diagnosis("file-doubled", "certain", words, (line,))
    return Diagnosis("files-joined", "certain", f"a second file begins in line {line:,}", (line,))


def _second_beginning(evidence: Evidence) -> int | None:
    """Where what begins a file stands once more."""
    data, content, fmt = evidence.data, evidence.content, evidence.fmt
    if fmt.kind == "delimited" and evidence.headed and evidence.is_headed:
        first = content[: content.find(b"\n") + 1].rstrip()
        return _again(data, first, len(data) - len(content) + 1) if len(first) >= _HEADER_AT_LEAST else None
    if fmt.kind == "xml":
        return _again(data, b"<?xml", len(data) - len(content) + 1)
    if fmt.kind == "json" and evidence.has("document-invalid"):
        head = content[:200].split(b"[")[0] + b"["
        return _again(data, head, 1, anywhere=True) if len(head) > 5 else None
    if fmt.rows[-1].trailer and fmt.tabular and evidence.has("trailer-differs"):
        ends = [row.line for row in evidence.all_rows if row.cells and row.cells[0] == fmt.rows[-1].tag]
        if ends and ends[0] < evidence.line_count:
            return evidence.offset_of(ends[0] + 1)
    return None


def _again(data: bytes, first: bytes, start: int, *, anywhere: bool = False) -> int | None:
    at = data.find(first, start)
    while at > 0:
        if anywhere or data[at - 1 : at] in (b"\n", b"\r", b"\xbf", b">"):
            return at
        at = data.find(first, at + 1)
    return None


_MOST_COMPARED = 20_000_000


def repeated(evidence: Evidence) -> Diagnosis | None:
    """A block of rows that stands in the file twice."""
    if not evidence.has("order-doubled", "line-doubled", "trailer-differs"):
        return None
    lines = evidence.data[:_MOST_COMPARED].split(b"\n")
    seen: dict[bytes, int] = {}
    pairs: list[tuple[int, int]] = []
    starts = {f.place.line for f in evidence.findings if f.code in ("order-doubled", "line-doubled")}
    for number, line in enumerate(lines, 1):
        if len(line) < 12:
            continue
        first = seen.setdefault(line, number)
        begun = pairs or (number in starts and _record(lines, first) == _record(lines, number))
        if first != number and begun:
            pairs.append((first, number))
    if not pairs:
        return None
    first, second = pairs[0]
    words = f"{len(pairs):,} rows from line {second:,} on are the same as those from line {first:,} on"
    if len(pairs) == 1:
        words = f"line {second:,} is the same as line {first:,}"
    return Diagnosis("rows-repeated", "certain", words, told(number for _, number in pairs))


def _record(lines: list[bytes], number: int) -> list[bytes]:
    """The physical lines from one on, to the end of its quotation marks."""
    taken, marks = 0, 0
    while taken < 200 and number - 1 + taken < len(lines) and (not taken or marks % 2):
        marks += lines[number - 1 + taken].count(b'"')
        taken += 1
    return lines[number - 1 : number - 1 + taken]


# --- the end


def cut(evidence: Evidence) -> Diagnosis | None:
    """A lost end: fewer bytes than declared with a torn end or fewer orders; or an end that is none."""
    data, declared = evidence.data, evidence.declared
    short = declared is not None and len(data) < declared
    torn = _torn(evidence)
    if short and (torn or _fewer_orders(evidence)):
        words = f"the upload broke off: {len(data):,} of {declared:,} bytes arrived"
        return Diagnosis("upload-cut", "certain", words, (evidence.line_count,))
    if torn is None:
        return None
    block = next((size for size in (65536, 32768, 8192, 4096) if len(data) % size == 0), 0)
    blocks = f"; {len(data):,} bytes are whole blocks of {block:,}" if block else ""
    sure: Confidence = "certain" if torn == _MID_ROW else "likely"
    return Diagnosis("upload-cut", sure, f"the end is missing: {torn}{blocks}", (evidence.line_count,))


_MID_ROW = "the last line breaks off"


def _torn(evidence: Evidence) -> str | None:
    """What shows that the file does not end where it should."""
    if evidence.has("nul-character") or not evidence.data:
        return None
    if evidence.has("encoding-wrong") and _cut_letter(evidence.data):
        return _MID_ROW
    if evidence.has("file-cut"):
        last = evidence.all_rows[-1:]
        cells = last[0].cells if last and last[0].line >= evidence.line_count - 1 else []
        whole = evidence.fmt.tabular and cells and len(cells) == evidence.width_of(cells)
        return "the last line has no end" if whole else _MID_ROW
    ended = evidence.data[-1000:].rstrip()[-1:]
    if evidence.has("document-invalid", "xml-invalid") and ended not in (b"}", b"]", b">"):
        return _MID_ROW
    if evidence.has("document-invalid", "xml-invalid") and _is_open(evidence):
        return "the document is not closed"
    if evidence.has("trailer-missing") and not (evidence.fmt.kind == "x12" and b"IEA" in evidence.data[-200:]):
        return "the closing row with the counts is not there"
    if evidence.has("quote-unclosed") and not evidence.data.endswith(b"\n"):
        return _MID_ROW
    return "the last order lacks lines" if _last_order_lacks(evidence) else None


def _is_open(evidence: Evidence) -> bool:
    """Whether a document opens more than it closes, at its last line."""
    data = evidence.data
    if evidence.fmt.kind == "json":
        return any(data.count(opens) > data.count(ends) for opens, ends in ((b"{", b"}"), (b"[", b"]")))
    return (
        evidence.lines_of("xml-invalid")[:1] == (evidence.line_count,)
        and b"</" + evidence.fmt.xml.root.encode() not in data
    )


def _last_order_lacks(evidence: Evidence) -> bool:
    """Whether nothing is wrong but that the order at the end has the first of its lines and not the last ones."""
    if evidence.codes["line-count"] != 1 or not evidence.fmt.tabular:
        return False
    errors = [finding for finding in evidence.findings if finding.is_error and finding.code != "file-size-differs"]
    there, declared = (_number(text) for text in (errors[0].found, errors[0].expected))
    if len(errors) > 1 or not 0 < there < declared or errors[0].place.line < evidence.line_count - 40:
        return False
    begin = errors[0].place.line
    numbers = [text for line, text in evidence.columns.get("lines.line_number", ()) if line >= begin]
    path = next((one for one in ("order_id", "order_number", "key") if one in evidence.columns), "")
    names = {text for line, text in evidence.columns.get(path, ()) if line >= begin}
    return len(names) == 1 and (not numbers or numbers == [str(n + 1) for n in range(there)])


def _number(text: str | None) -> int:
    digits = (text or "").partition(" ")[0]
    return int(digits) if digits.isdigit() and len(digits) < 9 else 0


def _fewer_orders(evidence: Evidence) -> bool:
    """Fewer orders than declared, and none that is not."""
    manifest, orders = evidence.manifest, evidence.orders
    if manifest is None or orders is None or evidence.has("order-undeclared", "encoding-wrong"):
        return False
    structural = evidence.has("header-missing", "delimiter-wrong", "column-missing", "column-unknown", "column-renamed")
    return 0 < orders < manifest.counts.orders and not structural


def shorter(evidence: Evidence) -> Diagnosis | None:
    """Other bytes than declared where nothing else explains them: the end of all reasoning."""
    data, declared = evidence.data, evidence.declared
    if declared is None or not evidence.has("file-size-differs", "file-hash-differs"):
        return None
    if len(data) < declared and evidence.orders is None:
        words = f"the upload broke off: {len(data):,} of {declared:,} bytes arrived"
        return Diagnosis("upload-cut", "likely", words, (evidence.line_count,))
    if evidence.has("file-hash-differs") and len(data) != declared:
        return None
    words = f"the file is whole and {_by(len(data) - declared)}: it was edited or damaged after it was sent"
    return Diagnosis("bytes-changed", "likely", words)


def _by(difference: int) -> str:
    if not difference:
        return "as long as declared, with other bytes"
    return f"{abs(difference):,} bytes {'longer' if difference > 0 else 'shorter'} than declared"


# --- line ends and letters


def old_mac(evidence: Evidence) -> Diagnosis | None:
    """Lines that end with CR alone, those within cells aside: what a spreadsheet on a Mac writes."""
    part = evidence.data[:1_000_000]
    feeds, bare = part.count(b"\n"), part.count(b"\r") - part.count(b"\r\n")
    if evidence.fmt.newline == "cr" or bare < 2 or bare <= feeds or evidence.wide:
        return None
    words = f"the lines end with CR alone, {bare:,} of them: saved on a Mac as an old program does"
    return Diagnosis("line-ends-changed", "certain", words, (1,))


def line_ends(evidence: Evidence) -> Diagnosis | None:
    data, declared = evidence.data, evidence.declared
    if evidence.has("line-ends-mixed") and not evidence.has("quote-stray", "quote-unclosed", "row-cells"):
        at = evidence.lines_of("line-ends-mixed")
        return Diagnosis(
            "editor-saved", "likely", f"lines end in two ways, from {spoken(at)} on: edited, or two files joined", at
        )
    alike = "the lines end otherwise than agreed, all in the same way"
    if not evidence.has("line-ends"):
        return None
    if declared is not None and declared in (len(data) + data.count(b"\n"), len(data) - data.count(b"\r\n")):
        alike += ", and nothing else has changed: its size is the declared one but for them"
        return Diagnosis("line-ends-changed", "certain", f"{alike}: a transfer in text mode", (1,))
    return Diagnosis("line-ends-changed", "likely", f"{alike}: a transfer in text mode or an editor", (1,))


_LOST = "\ufffd".encode()


def letters(evidence: Evidence) -> Diagnosis | None:
    """Letters that were read wrongly and saved so, or replaced."""
    if evidence.has("text-garbled") and (found := garbled(evidence.data, evidence.fmt)) is not None:
        lines = told(sorted(evidence.line_at(at) for at in found.offsets))
        sure: Confidence = "certain" if found.entirely and found.pieces > 2 else "likely"
        name = ENCODING_NAMES[found.encoding]
        words = f"UTF-8 text was read as {name} and saved so: {found.pieces:,} pieces, first in {spoken(lines)}"
        return Diagnosis("text-garbled", sure, words, lines)
    lost = evidence.data.count(_LOST) if evidence.has("text-garbled") else 0
    if lost:
        line = evidence.line_at(evidence.data.index(_LOST))
        words = f"{lost:,} letters were replaced by the mark for a lost letter, the first in line {line:,}"
        return Diagnosis("letters-lost", "certain" if lost > 1 else "likely", words, (line,))
    return None
