"""Something else under the file's name: nothing, an error page, a workbook, another format, another version."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

from fallback.documents.diagnosis import Confidence, Diagnosis
from fallback.errors import FallbackError
from fallback.formats.library import load_format, shipped
from fallback.formats.read import read
from fallback.formats.spec import Format
from fallback.validation.damage.evidence import DELIMITERS, Evidence, fits

_PACKED = ((b"PK\x03\x04", "a workbook of a spreadsheet program (xlsx) or another zip archive"),
           (b"\xd0\xcf\x11\xe0", "a workbook of an old spreadsheet program (xls)"),
           (b"%PDF", "a PDF"), (b"\x1f\x8b", "a gzip archive"))  # fmt: skip
_MAGIC = {"zip": b"PK", "gzip": b"\x1f\x8b"}


def empty(evidence: Evidence) -> Diagnosis | None:
    """No order at all, and nothing else wrong that would say why."""
    if not evidence.content or (evidence.data[:1000].isspace() and evidence.data.isspace()):
        size = f"{len(evidence.data):,} bytes" if evidence.data else "0 bytes"
        return Diagnosis("query-empty", "likely", f"nothing has arrived: {size}. The sender's query or disk failed")
    if not evidence.has("file-empty"):
        return None
    if evidence.fmt.layout == "header-detail":
        what = "only the closing row is there"
    elif evidence.is_headed:
        what = "only the header is there"
    else:
        what = "the file is whole and holds no order"
    return Diagnosis("query-empty", "likely", f"{what}: the sender's query found nothing or failed", (1,))


def stranger(evidence: Evidence) -> Diagnosis | None:
    """A page, a workbook or a document that is none of the agreed kind."""
    data, fmt = evidence.content, evidence.fmt
    magic = next((words for mark, words in _PACKED if data.startswith(mark)), None)
    if magic and not (fmt.wrapper and data.startswith(_MAGIC[fmt.wrapper])):
        return Diagnosis("workbook", "certain", f"this is {magic}, with the name of the agreed file")
    head = data[:4000].lstrip().lower()
    if head.startswith((b"<!doctype html", b"<html")) or b"<html" in head[:1000]:
        return Diagnosis("error-page", "certain", "this is a web page, not the file: the download brought it", (1,))
    if head.startswith(b"<") and fmt.kind != "xml":
        if b"<error" in head or b"<fault" in head or b":fault" in head:
            words = "this is a server's error message in XML, not the file: the download brought it"
            return Diagnosis("error-page", "certain", words, (1,))
        return nearest(evidence) or Diagnosis("other-document", "certain", f"this is XML, and {_agreed(fmt)}", (1,))
    if head[:1] in (b"{", b"[") and fmt.kind not in ("json", "json-lines"):
        return _json(evidence)
    if head[:1] == b"{" and evidence.has("document-invalid", "value-missing", "column-unknown", "json-invalid"):
        return _error_answer(evidence)
    return None


def _agreed(fmt: Format) -> str:
    kinds = {"delimited": "text in columns", "fixed-width": "text in columns", "json-lines": "JSON, one order a line"}
    return f"the agreed format is {kinds.get(fmt.kind, fmt.kind.upper())}"


def _json(evidence: Evidence) -> Diagnosis | None:
    if (answer := _error_answer(evidence)) is not None:
        return answer
    if (other := nearest(evidence)) is not None:
        return other
    try:
        json.loads(evidence.text)
    except (ValueError, RecursionError):
        if not re.match(r'\s*[{\[]\s*["{\[]', evidence.text):
            return None
    return Diagnosis("other-document", "certain", f"this is JSON, and {_agreed(evidence.fmt)}", (1,))


def _error_answer(evidence: Evidence) -> Diagnosis | None:
    """A small JSON object that speaks of an error."""
    if len(evidence.data) > 20_000:
        return None
    try:
        content = json.loads(evidence.text)
    except (ValueError, RecursionError):
        return None
    names = {str(name).lower() for name in content} if isinstance(content, dict) else set()
    if not names & {"error", "errors", "message", "detail", "fault", "status_code", "error_description"}:
        return None
    words = "this is a server's error message in JSON, not the file: the download brought it"
    return Diagnosis("error-page", "certain", words, (1,))


# --- another format

_STRANGE = (
    *("header-missing", "delimiter-wrong", "column-missing", "column-unknown", "column-renamed", "record-unknown"),
    *("row-cells", "json-invalid", "document-invalid", "xml-invalid", "envelope-wrong", "quote-stray"),
    *("quote-unclosed", "line-orphan", "trailer-missing", "file-cut", "value-missing", "findings-over-limit"),
)


def other_format(evidence: Evidence) -> Diagnosis | None:
    """Another format, or another version of the agreed one: as the manifest says, or as the file shows."""
    fmt, manifest = evidence.fmt, evidence.manifest
    if manifest is not None and manifest.format.name == fmt.name and evidence.has("format-differs"):
        made, agreed = manifest.format.version, fmt.version
        words = f"version {made} of {fmt.name}, and version {agreed}" if made != agreed else "another edition of it"
        return Diagnosis("other-version", "certain", f"the file was made with {words} is agreed, by its manifest")
    if evidence.has("column-doubled"):
        return None
    version = _version(evidence)
    if version is not None and evidence.is_headed and not _has_header_of_another(evidence):
        return version
    if evidence.has(*_STRANGE) and _is_strange(evidence) and (found := nearest(evidence)) is not None:
        return found
    if manifest is not None and evidence.has("format-differs"):
        words = f"the file was made in the format {manifest.format.name}, and {fmt.name} is agreed, by its manifest"
        return Diagnosis("other-format", "certain", words)
    return version or _without_header(evidence)


def _has_header_of_another(evidence: Evidence) -> bool:
    """Whether the header is the very one of another format, much as it may share with the agreed one."""
    there = set(evidence.names)
    parts = (fmt.part(role) for fmt in _others(evidence.fmt) for role in fmt.roles)
    return any(there == {field.name for field in part.fields} for part in parts)


def _without_header(evidence: Evidence) -> Diagnosis | None:
    """Rows as agreed, and no header above them."""
    rows = [row for row in evidence.rows[:100] if len(row.cells) == len(evidence.titles)]
    if not evidence.has("header-missing") or not evidence.headed or len(rows) * 5 < len(evidence.rows[:100]) * 4:
        return None
    judged = [
        good
        for row in rows
        for field, cell in zip(evidence.fmt.fields, row.cells, strict=True)
        if (good := fits(field, cell)) is not None
    ]
    if not judged or sum(judged) * 10 < len(judged) * 9:
        return None
    words = f"the header is not there; its {len(rows):,} rows looked at have the agreed columns"
    return Diagnosis("header-lost", "certain" if len(rows) > 2 else "likely", words, (1,))


def _is_strange(evidence: Evidence) -> bool:
    """Whether it is worth while to try other formats: hardly a row is as agreed."""
    if evidence.headed:
        return not evidence.is_headed or evidence.has("column-missing", "column-renamed")
    if not evidence.fmt.tabular:
        return True
    rows = evidence.rows[:200]
    good = sum(len(row.cells) == evidence.width_of(row.cells) for row in rows)
    return good * 5 <= len(rows)


def _version(evidence: Evidence) -> Diagnosis | None:
    """Most of the agreed columns, and some that were added, left out or renamed."""
    fmt = evidence.fmt
    if evidence.is_headed:
        there, agreed = set(evidence.names), set(evidence.titles)
        optional = {title for title, field in zip(evidence.titles, fmt.fields, strict=True) if field.optional}
        lacking = [name for name in evidence.titles if name not in there | optional]
        more = len(there - agreed - {""})
        if not evidence.has("column-missing", "column-unknown", "column-renamed") or evidence.names[0] == "":
            return None
        known = len(there & agreed)
        if 10 * known < 6 * len(agreed) or len(set(evidence.names)) < len(evidence.names):
            return None
        lack = f", {', '.join(lacking[:3])}{' and more' if len(lacking) > 3 else ''} not there" if lacking else ""
        extra = f", and {more} that the format does not have" if more else ""
        words = f"{known} of {len(agreed)} agreed columns{lack}{extra}"
        sure: Confidence = "likely" if known > 2 else "possible"
        return Diagnosis("other-version", sure, f"probably another version of {fmt.name}: {words}", (1,))
    if fmt.kind == "fixed-width":
        return _other_length(evidence)
    rows = [row for row in evidence.rows if evidence.width_of(row.cells) is not None][:500]
    if fmt.kind != "delimited" or evidence.headed or len(rows) < 3 or not evidence.has("row-cells"):
        return None
    tags = {row.cells[0] if fmt.layout == "header-detail" else "" for row in rows}
    for tag in sorted(tags):
        own = [row for row in rows if not tag or row.cells[0] == tag]
        widths = {len(row.cells) for row in own}
        agreed_width = evidence.width_of(own[0].cells)
        if len(widths) == 1 and agreed_width not in widths and len(own) > 2:
            kind = f" {tag}" if tag else ""
            words = f"every row{kind} has {widths.pop()} cells, and {agreed_width} are agreed"
            lines = tuple(row.line for row in own[:3])
            return Diagnosis("other-version", "likely", f"probably another version of {fmt.name}: {words}", lines)
    return None


def _other_length(evidence: Evidence) -> Diagnosis | None:
    """Rows of fixed width that all have the same length, and not the agreed one."""
    fmt = evidence.fmt
    lengths = {len(line) for line in evidence.lines[:500] if line.strip()}
    agreed = fmt.fixed_width.record_length if fmt.fixed_width else 0
    if not evidence.has("row-cells") or len(lengths) != 1 or agreed in lengths or len(evidence.lines) < 3:
        return None
    words = f"every row has {lengths.pop()} characters, and {agreed} are agreed"
    return Diagnosis("other-version", "likely", f"probably another version of {fmt.name}: {words}", (1, 2, 3))


_TRIED_BYTES = 100_000


def nearest(evidence: Evidence) -> Diagnosis | None:
    """The format of the library that the file is in: one whose signs it carries, and of which it has a whole order."""
    text, agreed = evidence.text[:_TRIED_BYTES], evidence.fmt
    for fmt in _others(agreed):
        for role in fmt.roles:
            part = fmt.part(role) if len(fmt.roles) > 1 else fmt
            if not _carries_signs(text, part):
                continue
            proven = _has_order(text, fmt) if len(fmt.roles) == 1 else True
            sure: Confidence = "certain" if proven else "likely"
            same = _family(fmt.name) == _family(agreed.name)
            which = f", its {role} file" if len(fmt.roles) > 1 else ""
            words = f"the file is in the format {fmt.name}{which}, and {agreed.name} is agreed"
            return Diagnosis("other-version" if same else "other-format", sure, words, (1,))
    return None


def _family(name: str) -> str:
    return re.sub(r"-v[0-9]+$", "", name)


def _others(agreed: Format) -> Iterator[Format]:
    for name in shipped():
        try:
            fmt = load_format(name)
        except FallbackError:  # a damaged installation is told elsewhere
            continue
        if fmt.name != agreed.name and fmt.wrapper is None:
            yield fmt


def _carries_signs(text: str, fmt: Format) -> bool:
    """Whether a text could be of a format, by what costs next to nothing to look at."""
    head = text[:4000].lstrip()
    first = head.partition("\n")[0].rstrip("\r")
    if fmt.kind == "delimited":
        return _is_table(first, fmt)
    if fmt.kind == "fixed-width":
        lines = [line.rstrip("\r") for line in text.split("\n")[:20] if line.strip()]
        length = fmt.fixed_width.record_length if fmt.fixed_width else 0
        return len(lines) > 1 and sum(len(line) == length for line in lines[:-1]) * 5 >= (len(lines) - 1) * 4
    if fmt.kind == "x12":
        return head.startswith("ISA") and f"ST{head[3:4]}{fmt.x12.transaction}" in head
    if fmt.kind == "xml":
        root = re.search(r"<(?:[\w.-]+:)?([A-Za-z][\w.-]*)", re.sub(r"<[?!][^>]*>", "", head))
        return root is not None and root[1] in (fmt.xml.root, fmt.xml.order)
    names = {field.name.partition(".")[0] for field in fmt.fields}
    try:
        content = json.loads(first if fmt.kind == "json-lines" else text)
    except (ValueError, RecursionError):
        return fmt.kind == "json" and re.match(rf'\{{\s*"{fmt.json_terms.root}"\s*:\s*\[', head) is not None
    if fmt.kind == "json":
        return isinstance(content, dict) and isinstance(content.get(fmt.json_terms.root), list)
    return isinstance(content, dict) and 2 * len(names & content.keys()) > len(content) > 2


def _is_table(first: str, fmt: Format) -> bool:
    mark = fmt.delimited.delimiter
    if fmt.delimited.header != "forbidden":
        bracketed = fmt.delimited.header == "bracketed"
        titles = {f"[{field.name}]" if bracketed else field.name: field.optional for field in fmt.fields}
        cells = {cell.strip('"') for cell in first.removeprefix("\ufeff").split(mark)}
        needed = {title for title, optional in titles.items() if not optional}
        there = 10 * len(needed & cells) >= 9 * len(needed) and 10 * len(titles.keys() & cells) >= 7 * len(cells)
        return len(needed) > 1 and there
    if fmt.layout != "header-detail":
        return False  # rows without a name or a tag could be of anybody
    widths = {row.tag: len(row.fields) for row in fmt.rows}
    if fmt.delimited.tags == "joined":
        return sum(first.startswith(tag) for tag in widths) == 1 and first.count(mark) + 1 in widths.values()
    tag = first.partition(mark)[0].strip('"')
    return tag in widths and abs(first.count(mark) - widths[tag]) <= 1 and mark in DELIMITERS


def _has_order(text: str, fmt: Format) -> bool:
    """Whether the beginning of a text gives an order, read in a format."""
    if fmt.kind in ("json", "xml", "x12") and len(text) >= _TRIED_BYTES:
        return False
    try:
        data = text.encode("utf-8" if fmt.encoding == "utf-8-sig" else fmt.encoding, "replace")
    except UnicodeError:
        return False
    return any(one.order is not None for one in read(fmt, data, defaults={"brand": "unknown"}).orders)
