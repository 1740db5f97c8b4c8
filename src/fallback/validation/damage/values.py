"""Values that a program has rewritten in every row: a spreadsheet, or a script that takes identifiers for numbers."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from fallback.documents.diagnosis import Confidence, Diagnosis
from fallback.validation.damage.evidence import DELIMITERS, Evidence, spoken, told

Texts = Sequence[tuple[int, str]]

IDENTIFIERS = (
    *("order_id", "order_number", "group", "purchase_order", "ship_to.postal_code", "ship_to.phone"),
    *("lines.line_id", "lines.sku", "lines.gtin", "lines.lot", "lines.hs_code"),
)
_SCIENTIFIC = re.compile(r"[0-9](?:[.,][0-9]+)?[Ee]\+[0-9]{2,3}")
_FLOAT = re.compile(r"[0-9]+\.0")
_DECIMAL_COMMA = re.compile(r"[0-9]{1,3}(?:[. \u00a0][0-9]{3})*,[0-9]{1,4}|[0-9]+,[0-9]{1,4}")
_LOCALE_DATE = re.compile(r"[0-9]{1,2}[/.-][0-9]{1,2}[/.-](?:[0-9]{4}|[0-9]{2})(?:[ T].*)?")
_LOOSE_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{1,2}:[0-9]{2}.*")
_SERIAL = re.compile(r"[3-7][0-9]{4}(?:[.,][0-9]+)?")
_LONG = re.compile(r"[1-9][0-9]{15,24}")

POSTAL_DIGITS = {
    "AU": 4, "DE": 5, "EE": 5, "ES": 5, "FI": 5, "FR": 5, "IT": 5, "KR": 5, "MX": 5, "MY": 5, "NO": 4, "RO": 6, "SG": 6,
    "TR": 5, "UA": 5, "US": 5,
}  # fmt: skip
"""How many digits a postal code has where it has nothing else and may begin with a zero, which a number would lose."""


@dataclass(frozen=True, slots=True)
class Mark:
    """One thing that a program leaves behind: what is said of it, where, and how much it proves.

    ``by`` is ``spreadsheet`` for what no other program does, ``number`` for what anything does that takes text for
    numbers, ``save`` for what saving alone does. ``lost`` tells that values cannot be brought back.
    """

    words: str
    by: str
    lines: tuple[int, ...] = ()
    lost: bool = False
    proven: bool = False


def saved(evidence: Evidence) -> Diagnosis | None:
    """One diagnosis of all the marks that a spreadsheet program, a script or an editor has left."""
    marks = list(marks_of(evidence))
    kinds = Counter(mark.by for mark in marks)
    if not marks:
        return None
    rare = any(mark.by == "spreadsheet" and len(mark.lines) > 2 for mark in marks)
    said = "; ".join(mark.words for mark in marks)
    lines = told(sorted(line for mark in marks for line in mark.lines))
    proven = any(mark.proven for mark in marks)
    if kinds["spreadsheet"] or (kinds["number"] and kinds["save"]) or _by_pc(marks):
        sure: Confidence = "certain" if proven or rare or (kinds["spreadsheet"] and len(marks) > 1) else "likely"
        lost = ". What is lost cannot be brought back" if any(mark.lost for mark in marks) else ""
        return Diagnosis("spreadsheet-saved", sure, f"saved by a spreadsheet program: {said}{lost}", lines)
    if kinds["number"]:
        sure = "certain" if proven else "likely"
        return Diagnosis("taken-for-numbers", sure, f"a program has taken identifiers for numbers: {said}", lines)
    if any(mark.words.startswith("its cells are separated") for mark in marks):
        return Diagnosis("delimiter-other", "certain", said, lines)
    if any("byte order mark" in mark.words for mark in marks):
        words = f"saved by a spreadsheet program or an editor: {said}"
        return Diagnosis("editor-saved", "likely", words, lines)
    return Diagnosis("editor-saved", "possible", f"saved by another program: {said}", lines)


def _by_pc(marks: Sequence[Mark]) -> bool:
    """Semicolons and a byte order mark: what a spreadsheet does where the comma is the decimal mark."""
    words = " ".join(mark.words for mark in marks)
    return "byte order mark" in words and "separated by semicolons" in words


def taken(evidence: Evidence) -> Mark | None:
    """The first mark of identifiers that were taken for numbers, of those that no rule of a format sees."""
    names = evidence.field_names
    marks = (mark for mark in _numbers(evidence, names) if "scientific" not in mark.words)
    for mark in marks:
        return mark
    for path, lines, proven in _postal(evidence):
        if len({text for line, text in evidence.columns[path] if line in lines}) > 1:
            return Mark(f"zeros lost at the beginning of {names[path]}", "number", lines, True, proven)
    return None


def lost_values(evidence: Evidence) -> list[str]:
    """What shows that values were rewritten, so that no repair of the layout makes the file good."""
    return [mark.words for mark in marks_of(evidence) if mark.lost]


def marks_of(evidence: Evidence) -> Iterator[Mark]:
    """Every mark, those that prove most first."""
    names = evidence.field_names
    if evidence.fmt.tabular:
        yield from _numbers(evidence, names)
        yield from _zeros(evidence, names)
        yield from _dates(evidence, names)
        yield from _decimals(evidence, names)
    elif evidence.has("scientific-notation"):
        lines = evidence.lines_of("scientific-notation")
        yield Mark(f"numbers in scientific notation in {spoken(lines)}", "spreadsheet", lines, lost=True)
    yield from _saving(evidence)


def _numbers(evidence: Evidence, names: dict[str, str]) -> Iterator[Mark]:
    columns = evidence.columns
    scientific = {path: _where(columns, path, _SCIENTIFIC) for path in IDENTIFIERS}
    if found := {path: lines for path, lines in scientific.items() if lines}:
        lines = told(sorted(line for some in found.values() for line in some))
        where = ", ".join(names[path] for path in found)
        yield Mark(f"numbers in scientific notation in {where}, {spoken(lines)}", "spreadsheet", lines, lost=True)
    elif evidence.has("scientific-notation"):
        lines = evidence.lines_of("scientific-notation")
        yield Mark(f"numbers in scientific notation in {spoken(lines)}", "spreadsheet", lines, lost=True)
    for path in IDENTIFIERS:
        long = [(line, text) for line, text in columns.get(path, ()) if _LONG.fullmatch(text)]
        if len({text for _, text in long}) > 2 and all(not text[15:].strip("0") for _, text in long):
            lines = told(line for line, _ in long)
            words = f"long numbers in {names[path]} end in zeros from the 16th digit on"
            yield Mark(words, "spreadsheet", lines, lost=True)
    floats = {path: _where(columns, path, _FLOAT) for path in (*IDENTIFIERS, "lines.quantity", "lines.line_number")}
    if wrong := {path: lines for path, lines in floats.items() if len(lines) > 1 and not _has_whole(columns, path)}:
        lines = told(sorted(line for some in wrong.values() for line in some))
        where = ", ".join(names[path] for path in wrong)
        yield Mark(f"whole numbers end in .0 in {where}, {spoken(lines)}", "number", lines, lost=True)


def _has_whole(columns: dict[str, list[tuple[int, str]]], path: str) -> bool:
    """Whether a column has plain whole numbers too: then those that end in .0 were written so."""
    return any(text.isascii() and text.isdigit() for _, text in columns.get(path, ()))


def _where(columns: dict[str, list[tuple[int, str]]], path: str, pattern: re.Pattern[str]) -> tuple[int, ...]:
    return tuple(dict.fromkeys(line for line, text in columns.get(path, ()) if pattern.fullmatch(text)))


def _zeros(evidence: Evidence, names: dict[str, str]) -> Iterator[Mark]:
    """Zeros that are missing at the beginning: proven by what was declared, by check digits, by the item list or by
    the country."""
    for path, lines, proven in (*_declared_zeros(evidence), *_gtins(evidence), *_listed(evidence), *_postal(evidence)):
        yield Mark(f"zeros lost at the beginning of {names[path]}, {spoken(lines)}", "number", lines, True, proven)


Found = tuple[str, tuple[int, ...], bool]


def _declared_zeros(evidence: Evidence) -> Iterator[Found]:
    declared = evidence.manifest.orders if evidence.manifest else ()
    parts = {part for order in declared for part in order.key.split(":")}
    stripped = {part.lstrip("0") for part in parts if part.isdigit() and part.startswith("0")} - {""}
    for path in ("order_id", "order_number", "group") if stripped else ():
        texts = evidence.columns.get(path, ())
        lines = told(line for line, text in texts if text not in parts and text.removesuffix(".0") in stripped)
        if lines:
            yield path, lines, True


def _gtins(evidence: Evidence) -> Iterator[Found]:
    texts = [(line, text.removesuffix(".0")) for line, text in evidence.columns.get("lines.gtin", ())]
    wrong = [(line, text) for line, text in texts if text.isascii() and text.isdigit() and not _is_gtin(text)]
    healed = [(line, text) for line, text in wrong if any(_is_gtin(text.zfill(n)) for n in (8, 12, 13, 14))]
    # Of damaged numbers one in ten is made good by a zero before it, by chance.
    if len({text for _, text in healed}) > 1 and len(healed) * 5 >= len(wrong) * 4:
        yield "lines.gtin", told(line for line, _ in healed), False


def _is_gtin(text: str) -> bool:
    from stdnum import ean  # files that need no diagnosis do not pay for it

    return len(text) in (8, 12, 13, 14) and ean.is_valid(text)


def _listed(evidence: Evidence) -> Iterator[Found]:
    """SKUs that are on the item list with zeros before them, and not without."""
    skus = evidence.skus or frozenset()
    texts = [(line, text.removesuffix(".0")) for line, text in evidence.columns.get("lines.sku", ())] if skus else []
    lost = [
        line for line, text in texts
        if text.isdigit() and text not in skus and any(text.zfill(len(text) + n) in skus for n in range(1, 13))
    ]  # fmt: skip
    if lost:
        yield "lines.sku", told(lost), True


def _postal(evidence: Evidence) -> Iterator[Found]:
    countries = dict(evidence.columns.get("ship_to.country", ()))
    texts = [(line, text.removesuffix(".0")) for line, text in evidence.columns.get("ship_to.postal_code", ())]
    digits = [(line, text, POSTAL_DIGITS.get(countries.get(line, ""), 0)) for line, text in texts if text.isdigit()]
    lost = [line for line, text, length in digits if 0 < length - len(text) < 3]
    kept = any(text.startswith("0") for _, text, length in digits if length)
    if lost and not kept:
        yield "ship_to.postal_code", told(lost), False


def _dates(evidence: Evidence, names: dict[str, str]) -> Iterator[Mark]:
    wrong = {f.path for f in evidence.findings if f.code in ("date-invalid", "zone-missing", "value-too-long")}
    unread = evidence.has("header-missing", "delimiter-wrong", "findings-over-limit", "column-renamed")
    for field in evidence.fmt.all_fields:
        path = field.path or ""
        if field.info is None or field.info.kind not in ("instant", "day") or not (path in wrong or unread):
            continue
        texts = evidence.columns.get(path, [])
        for pattern, words in (
            (_SERIAL, "dates are a spreadsheet's day numbers"),
            (_LOCALE_DATE, "dates are rewritten as a country writes them"),
            (_LOOSE_DATE, "dates are rewritten without their T or zone"),
        ):
            found = [line for line, text in texts if pattern.fullmatch(text)]
            if 2 * len(found) > len(texts) and (field.date in (None, "iso8601") or path in wrong):
                lines = told(found)
                sort = "number" if pattern is _LOOSE_DATE else "spreadsheet"
                yield Mark(f"{words} in {names[path]}, {spoken(lines)}", sort, lines, lost=True)
                break


def _decimals(evidence: Evidence, names: dict[str, str]) -> Iterator[Mark]:
    for field in evidence.fmt.all_fields:
        if field.info is None or field.info.kind not in ("money", "integer") or field.path is None:
            continue
        texts = evidence.columns.get(field.path, [])
        found = [line for line, text in texts if _DECIMAL_COMMA.fullmatch(text)]
        if 2 * len(found) > len(texts):
            lines = told(found)
            yield Mark(f"decimal commas in {names[field.path]}, {spoken(lines)}", "spreadsheet", lines)


def _saving(evidence: Evidence) -> Iterator[Mark]:
    fmt = evidence.fmt
    if fmt.kind == "delimited" and evidence.delimiter != fmt.delimited.delimiter:
        found, agreed = (DELIMITERS.get(mark, mark) for mark in (evidence.delimiter, fmt.delimited.delimiter))
        yield Mark(f"its cells are separated by {found}, and {agreed} are agreed", "save", (1,))
    if evidence.bom and fmt.encoding != "utf-8-sig":
        yield Mark("it begins with a byte order mark", "save", (1,))
    if fmt.kind == "delimited" and fmt.delimited.quoting == "all" and b'"' not in evidence.data[:100_000]:
        yield Mark("the quotation marks around the cells are gone", "save")
