"""What a sample file shows of its own form: encoding, line ends, delimiter, quotation marks, header."""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from fallback.errors import FallbackError
from fallback.findings import quote

MOST_BYTES = 1 << 20
"""How much of a sample is looked at."""

_MOST_COLUMNS = 1000
_DELIMITERS = "\t|;,^~"


@dataclass(frozen=True, slots=True)
class Sample:
    """The form of a delimited file, and its cells. ``doubts`` are in words; ``names`` is empty without a header."""

    encoding: str
    newline: str
    delimiter: str
    quoting: str
    header: str
    comment: str | None
    names: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    doubts: tuple[str, ...]


def sniff(data: bytes, file: str, known: Callable[[str], bool]) -> Sample:
    """The form of a sample. ``known`` says whether a text is a name that columns have.

    Raises FallbackError ``file-unreadable`` where it is no delimited text with a row to learn from. No message holds a
    value of the file.
    """
    content, doubts = _whole_lines(data, file), list[str]()
    encoding, text = _decoded(content, file)
    if encoding in ("cp1252", "iso-8859-1"):
        doubts.append(f"encoding: not UTF-8, so probably {encoding}; ask the partner")
    newline = _newline(text, doubts)
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    text, comment = _without_comments(text)
    delimiter, rows = _cells(text, file)
    quoting = _quoting(text, delimiter, rows)
    if '"' not in text:
        doubts.append("quoting: no cell of the sample stands in quotation marks; minimal, or none")
    widths = Counter(map(len, rows))
    if widths[len(rows[0])] < len(rows):
        doubts.append(f"rows have {min(widths):,} to {max(widths):,} cells: read the partner's guide for their layout")
    header, names = _header(rows, known)
    body = rows[1:] if names else rows
    if not body:
        raise _unusable(file, "has a header and no row to learn from")
    if header == "forbidden":
        doubts.append("header: the first row looks like data; where it is a header, write the columns' names yourself")
    doubled = [name for name, count in Counter(names).items() if count > 1]
    if doubled:
        raise _unusable(file, f"has two columns called {quote(doubled[0])}", "a column needs a name of its own")
    return Sample(encoding, newline, delimiter, quoting, header, comment, names, tuple(map(tuple, body)), tuple(doubts))


def _unusable(file: str, what: str, hint: str = "") -> FallbackError:
    return FallbackError(
        "file-unreadable", f"{file} {what}", hint=hint or "give a delimited text file with a header and some rows"
    )


def _whole_lines(data: bytes, file: str) -> bytes:
    """The data, or as many whole lines of a long file as are looked at."""
    if not data.removeprefix(b"\xef\xbb\xbf").strip():
        raise _unusable(file, "is empty")
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise _unusable(file, "is UTF-16 text", "agreed files are UTF-8 or a one-byte encoding: save it as UTF-8")
    if data[:2] in (b"\x1f\x8b", b"PK"):
        raise _unusable(file, "is packed, or a spreadsheet", "unpack it, or save it as CSV")
    if re.search(rb"[\x00-\x08\x0e-\x1f]", data[:MOST_BYTES]):
        raise _unusable(file, "holds bytes that no text has")
    if len(data) <= MOST_BYTES:
        return data
    end = max(data.rfind(b"\n", 0, MOST_BYTES), data.rfind(b"\r", 0, MOST_BYTES))
    if end < 0:
        raise _unusable(file, f"has a first row of more than {MOST_BYTES:,} bytes")
    return data[: end + 1]


def _decoded(data: bytes, file: str) -> tuple[str, str]:
    for encoding in ("utf-8-sig" if data.startswith(b"\xef\xbb\xbf") else "utf-8", "cp1252", "iso-8859-1"):
        try:
            text = data.decode(encoding)
        except UnicodeDecodeError:
            continue
        begin = text.lstrip()[:2]
        for mark, kind, model in (("<", "XML", "xml"), ("{", "JSON", "json"), ("[{", "JSON", "json")):
            if begin.startswith(mark):
                hint = f"begin with the format.toml of order-{model}; `fallback formats show order-{model}`"
                raise _unusable(file, f"is {kind}, and drafts are made from delimited files", hint)
        if text.startswith("ISA"):
            raise _unusable(file, "is X12, and drafts are made from delimited files", "begin with order-x12-940")
        return encoding, text
    raise AssertionError("iso-8859-1 has a letter for every byte")


def _newline(text: str, doubts: list[str]) -> str:
    text = re.sub('"[^"]*"', "", text)  # line breaks within cells do not count
    counts = {"crlf": text.count("\r\n")}
    counts |= {"lf": text.count("\n") - counts["crlf"], "cr": text.count("\r") - counts["crlf"]}
    most = max(counts, key=lambda name: counts[name])
    if sum(count > 0 for count in counts.values()) > 1:
        doubts.append("newline: the sample has several kinds of line end")
    return most


def _without_comments(text: str) -> tuple[str, str | None]:
    """The text without the lines before its header that begin with a mark of comments, and the mark."""
    lines = text.split("\n")
    mark = lines[0][:1]
    others = [line for line in lines if not line.startswith(mark)]
    if mark not in ("#", ";") or lines[0].count(mark) > 1 or 2 * len(others) < len(lines):
        return text, None
    return "\n".join(others), mark


def _parsed(text: str, delimiter: str) -> list[list[str]]:
    try:
        return [row for row in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter) if any(row)]
    except csv.Error:
        return []


def _cells(text: str, file: str) -> tuple[str, list[list[str]]]:
    """The delimiter by which most rows have as many cells as the first one, and the cells."""
    begin = text.split("\n")
    few = "\n".join(begin[:200])
    if len(few) > 131_072 and max(map(len, begin[:200])) > 131_072:
        raise _unusable(file, "has a row of more than 131,072 characters")

    def fit(delimiter: str) -> tuple[float, int]:
        rows = _parsed(few, delimiter)
        if not rows or len(rows[0]) < 2:
            return 0.0, 0
        return round(sum(len(row) == len(rows[0]) for row in rows) / len(rows), 1), len(rows[0])

    best = max(_DELIMITERS, key=fit)
    rows = _parsed(text, best)
    if fit(best) == (0.0, 0) or not rows:
        raise _unusable(file, "has no tab, pipe, semicolon, comma, caret or tilde between cells: it has one column")
    if len(rows[0]) > _MOST_COLUMNS:
        raise _unusable(file, f"has {len(rows[0]):,} columns, and a file of orders at most {_MOST_COLUMNS:,}")
    if _is_tagged(rows):
        hint = "such rows are [[records]]: begin with the format.toml of order-header-detail-psv"
        raise _unusable(file, "has rows of several types, and drafts are made of one", hint)
    return best, rows


def _is_tagged(rows: list[list[str]]) -> bool:
    """Whether the first cell of each row is one of few tags that say what the row is, and how long."""
    widths: dict[str, set[int]] = {}
    for row in rows:
        widths.setdefault(row[0], set()).add(len(row))
    some = len(rows) > len(widths) > 1 and max(map(len, widths)) < 9
    return some and all(len(one) == 1 for one in widths.values()) and len(set().union(*widths.values())) > 1


def _quoting(text: str, delimiter: str, rows: list[list[str]]) -> str:
    whole = io.StringIO(newline="")
    csv.writer(whole, delimiter=delimiter, quoting=csv.QUOTE_ALL, lineterminator="\n").writerows(rows)
    if whole.getvalue().strip() == text.strip():
        return "all"
    if '"' in text and not re.search(rf'(?:^|{re.escape(delimiter)})"', text, re.MULTILINE):
        return "none"
    return "minimal"


_DATA = re.compile(r"[^A-Za-z]*|.*@.*|.{61,}|.*[0-9]{5}.*", re.DOTALL)
"""What no column is called: no letter in it, an address, a long text, a long number."""


def _header(rows: list[list[str]], known: Callable[[str], bool]) -> tuple[str, tuple[str, ...]]:
    """How the header is, and the names in it. One that looks like a value is not repeated: it may be a customer's."""
    first = [cell.strip() for cell in rows[0]]
    kind = "required"
    if all(cell.startswith("[") and cell.endswith("]") for cell in first if cell):
        first, kind = [cell.strip("[]") for cell in first], "bracketed"
    elif not _is_header(first, rows[1:], known):
        return "forbidden", ()
    names = (cell if cell and not _DATA.fullmatch(cell) else f"column{at}" for at, cell in enumerate(first, start=1))
    return kind, tuple(names)


def _is_header(first: list[str], rows: list[list[str]], known: Callable[[str], bool]) -> bool:
    recognised, suspect = sum(map(known, first)), sum(_DATA.fullmatch(cell) is not None for cell in first)
    if recognised * 2 >= len(first):
        return True
    again = any(row[at : at + 1] == [cell] for row in rows for at, cell in enumerate(first) if cell)
    above_numbers = any(
        not _DATA.fullmatch(cell) and all(re.fullmatch("[0-9.]+", "".join(row[at : at + 1])) for row in rows)
        for at, cell in enumerate(first)
    )
    return not again and suspect <= recognised and (recognised > 0 or (bool(rows) and above_numbers))
