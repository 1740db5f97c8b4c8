"""Columns and rows that are not where they should be: shifted, swapped, sorted, broken, without their marks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import pairwise

from fallback.documents.diagnosis import Diagnosis
from fallback.formats.spec import Field
from fallback.validation.damage.evidence import DELIMITERS, Evidence, Sampled, fits, spoken, told

_MOST_JUDGED = 300


# --- columns


def swapped(evidence: Evidence) -> Diagnosis | None:
    """Two names in the header have changed places: with their cells, or without."""
    names, titles = evidence.names, evidence.titles
    if not evidence.headed or len(names) != len(titles) or set(names) != set(titles) or names == titles:
        return None
    moved = [index for index, (name, title) in enumerate(zip(names, titles, strict=True)) if name != title]
    by_name, by_place = _agreement(evidence, names, moved), _agreement(evidence, titles, moved)
    pair = " and ".join(names[index] for index in moved[:2])
    if by_place > by_name + 0.25 and by_place > 0.8:
        more = " and others" if len(moved) > 2 else ""
        words = f"the names {pair}{more} have changed places in the header, and the cells have not"
        lines = told([1, *(row.line for row in evidence.rows[:2])])
        return Diagnosis("columns-swapped", "certain" if by_place - by_name > 0.6 else "likely", words, lines)
    if len(moved) == 2 and by_name < by_place + 0.25:
        words = f"{pair} have changed places; whether their cells have too, the values do not tell"
        return Diagnosis("columns-swapped", "possible", words, (1,))
    words = (
        f"{len(moved):,} columns stand elsewhere than agreed, the first is {names[moved[0]]}; they were read by name"
    )
    return Diagnosis("columns-reordered", "certain", words, (1,))


def _agreement(evidence: Evidence, names: Sequence[str], columns: Sequence[int]) -> float:
    """How much of the cells of some columns looks like values of them, if the columns had these names; 1 is all."""
    fields = dict(zip(evidence.titles, evidence.fmt.fields, strict=True))
    judged: list[bool] = []
    numbers: list[tuple[str, str]] = []
    order = _order_column(evidence, names)
    for row in evidence.rows[:_MOST_JUDGED]:
        if len(row.cells) != len(names):
            continue
        for index in columns:
            field, text = fields[names[index]], row.cells[index]
            good = fits(field, text)
            if field.path == "lines.line_number":
                numbers.append((row.cells[order] if order is not None else "", text))
            elif good is not None:
                judged.append(good)
    judged += _counts_up(numbers)
    return sum(judged) / len(judged) if judged else 0.5


def _order_column(evidence: Evidence, names: Sequence[str]) -> int | None:
    wanted = {field.name for field in evidence.fmt.fields if field.path in ("order_id", "order_number", "key")}
    return next((index for index, name in enumerate(names) if name.strip("[]") in wanted), None)


def _counts_up(numbers: Sequence[tuple[str, str]]) -> list[bool]:
    """Line numbers count from 1 within an order, which quantities do only by chance."""
    good = []
    last = ("", 0)
    for order, text in numbers:
        number = int(text) if text.isdigit() and len(text) < 7 else -1
        good.append(number == (last[1] + 1 if order == last[0] else 1))
        last = (order, number)
    return good


def shifted(evidence: Evidence) -> Diagnosis | None:
    """Cells that stand beside their columns: an unnamed column before them, or one lost or added in between."""
    names, titles = evidence.names, evidence.titles
    if evidence.headed and len(names) == len(titles) + 1 and names[1:] == titles:
        words = "a column was added before the first one, as data frames do with their row numbers"
        return Diagnosis("columns-shifted", "certain", words, (1,))
    if evidence.fmt.kind != "delimited" or evidence.delimiter != evidence.fmt.delimited.delimiter:
        return None
    if evidence.fmt.layout == "header-detail" or (evidence.headed and names != titles):
        return None
    wrong = {f.place.line for f in evidence.findings if f.is_error}
    rows = [row for row in evidence.rows if row.line in wrong] or evidence.rows
    found = [(row, by) for row in rows[:_MOST_JUDGED] if (by := _shift_of(row, evidence.fmt.fields))]
    if len(found) < 2 or len(found) * 3 < len(rows[:_MOST_JUDGED]) * 2:
        return None
    steps, _ = Counter(by[0] for _, by in found).most_common(1)[0]
    begin = min(by[1] for _, by in found if by[0] == steps)
    way = "right" if steps > 0 else "left"
    count = f"{len(found):,} of {len(evidence.rows):,} rows looked at"
    name = evidence.fmt.fields[begin].name
    words = f"the cells of {count} stand one column too far to the {way}, from about {name} on"
    lines = told(row.line for row, _ in found)
    return Diagnosis("columns-shifted", "certain" if len(found) > 4 else "likely", words, lines)


def _shift_of(row: Sampled, fields: Sequence[Field]) -> tuple[int, int] | None:
    """By how many columns the cells of a row are shifted, and from which one on; None where they are not."""
    plain = [fits(field, cell) for field, cell in zip(fields, row.cells, strict=False)]
    wrong = [index for index, good in enumerate(plain) if good is False]
    if len(wrong) < 3:
        return None
    for steps in (1, -1):
        begin = max(0, wrong[0] - (steps < 0))
        moved = [
            fits(field, row.cells[index + steps])
            for index, field in enumerate(fields)
            if index >= begin and 0 <= index + steps < len(row.cells)
        ]
        good, bad = moved.count(True), moved.count(False)
        stays = plain[begin:].count(True)
        if good >= 5 and good > 3 * bad and good >= stays + 3:
            return steps, begin
    return None


# --- rows


def sorted_rows(evidence: Evidence) -> Diagnosis | None:
    """Rows in the order of a column that is not the order's: the lines of an order stand apart."""
    codes = (
        *("rows-apart", "line-orphan", "trailer-differs", "order-fields-differ", "rows-unsorted", "trailer-missing"),
        *("record-unknown", "header-missing", "line-count"),
    )
    rows = evidence.rows
    if not evidence.has(*codes) or len(rows) < 4 or not evidence.fmt.tabular:
        return None
    if evidence.fmt.layout == "header-detail" or not evidence.is_headed:
        return _sorted_lines(evidence)
    names = evidence.names
    order = _order_column(evidence, names)
    torn = order is None or _apart([row.cells[order] for row in rows if len(row.cells) > order])
    if not torn:
        return None
    for index, name in enumerate(names):
        texts = [row.cells[index] for row in rows if len(row.cells) > index]
        if name in evidence.titles and index != order and _is_sorted(texts):
            words = f"the rows were sorted by {name}, and the lines of an order no longer stand together"
            return Diagnosis("rows-sorted", "likely", words, told(row.line for row in rows[:3]))
    return _sorted_lines(evidence)


def _sorted_lines(evidence: Evidence) -> Diagnosis | None:
    lines = evidence.lines[1:] if evidence.is_headed else evidence.lines
    header_last = evidence.headed and not evidence.is_headed and evidence.has("header-missing")
    if len(set(lines)) < 4 or not (_ascends(lines) or _ascends(lines[::-1])):
        return None
    if evidence.headed and not header_last and not evidence.has("rows-apart", "line-orphan", "order-fields-differ"):
        return None
    words = "the lines of the file were sorted, and the rows of an order no longer stand together"
    return Diagnosis("rows-sorted", "certain" if len(lines) > 9 else "likely", words, (1, len(lines)))


def _ascends(texts: Sequence[str]) -> bool:
    return all(a <= b for a, b in pairwise(texts)) or all(a.casefold() <= b.casefold() for a, b in pairwise(texts))


def _is_sorted(texts: Sequence[str]) -> bool:
    filled = [text for text in texts if text]
    if len(filled) < 4 or len(set(filled)) < 3:
        return False
    if _ascends(filled) or _ascends(filled[::-1]):
        return True
    if not all(text.isascii() and text.isdigit() and len(text) < 19 for text in filled):
        return False
    numbers = [int(text) for text in filled]
    return numbers in (sorted(numbers), sorted(numbers, reverse=True))


def _apart(texts: Sequence[str]) -> bool:
    """Whether a text comes again after another one."""
    seen: set[str] = set()
    for before, text in pairwise(["", *(text for text in texts if text)]):
        if text != before:
            if text in seen:
                return True
            seen.add(text)
    return False


def broken(evidence: Evidence) -> Diagnosis | None:
    """Rows with line breaks in them and no quotation marks around."""
    if not evidence.has("row-cells", "record-unknown") or evidence.fmt.kind != "delimited":
        return None
    rows, found, index = evidence.rows, [], 0
    while index < len(rows) - 1:
        width = evidence.width_of(rows[index].cells)
        cells, pieces = len(rows[index].cells), 1
        while width and cells < width and index + pieces < len(rows) and pieces < 12:
            cells += len(rows[index + pieces].cells) - 1
            pieces += 1
        if pieces > 1 and cells == width and len(rows[index].cells) < width:
            found.append(rows[index].line)
            index += pieces
        else:
            index += 1
    named = sum("line break" in (f.found or "") for f in evidence.findings)
    if not found or (len(found) < 2 and not named and len(rows) > 20 and evidence.codes["row-cells"] > 2):
        return None
    lines = told(found)
    rows_said = "1 row" if len(found) == 1 else f"{len(found):,} rows"
    words = f"line breaks stand inside {rows_said} without quotation marks, {spoken(lines)}"
    return Diagnosis("rows-broken", "certain" if named or len(found) > 2 else "likely", words, lines)


def quotes(evidence: Evidence) -> Diagnosis | None:
    """Quotation marks that were removed, added or damaged."""
    fmt = evidence.fmt
    if fmt.kind != "delimited" or evidence.delimiter != fmt.delimited.delimiter:
        return None
    if fmt.delimited.quoting == "none":
        filled = [cell for row in evidence.all_rows[:200] for cell in row.cells if cell]
        quoted = sum(len(cell) > 1 and cell[0] == cell[-1] == '"' for cell in filled)
        if filled and quoted * 10 >= len(filled) * 6:
            words = "the cells stand between quotation marks, and the format has none"
            return Diagnosis("quotes-added", "certain", words, (1,))
        return None
    first = evidence.lines[0] if evidence.lines else ""
    if evidence.has("file-size-differs", "file-hash-differs") and fmt.delimited.quoting == "minimal":
        cells = first.split(evidence.delimiter)
        if len(cells) > 1 and all(len(cell) > 1 and cell[0] == cell[-1] == '"' for cell in cells):
            words = (
                "every cell stands between quotation marks, also where none is needed: another program wrote the file"
            )
            return Diagnosis("quotes-added", "certain", words, (1,))
    if evidence.has("row-cells") and b'"' not in evidence.data:
        wide = [row.line for row in evidence.rows if len(row.cells) > (evidence.width_of(row.cells) or 10_000)]
        if wide:
            mark = DELIMITERS.get(evidence.delimiter, "separators")
            words = f"there is no quotation mark in the file, and {mark} inside cells part them in {spoken(wide)}"
            return Diagnosis("quotes-lost", "likely", words, told(wide))
    if evidence.has("quote-unclosed", "quote-stray"):
        lines = evidence.lines_of("quote-unclosed", "quote-stray")
        kind = "is opened and never closed" if evidence.has("quote-unclosed") else "stands where none may"
        words = f"a quotation mark {kind} in {spoken(lines)}: one was lost or added"
        return Diagnosis("quotes-damaged", "certain", words, lines)
    return None


def separators(evidence: Evidence) -> Diagnosis | None:
    """A few rows with too many or too few cells."""
    found = [f for f in evidence.findings if f.code == "row-cells"]
    if not found:
        return None
    lines = evidence.lines_of("row-cells")
    thing = "characters" if evidence.fmt.kind == "fixed-width" else "cells"
    counts = {((f.found or "").partition(" ")[0], (f.expected or "").partition(" ")[0]) for f in found}
    kinds = {int(there) < int(agreed) for there, agreed in counts if there.isdigit() and agreed.isdigit()}
    kind = "too many or too few" if len(kinds) != 1 else "too few" if kinds.pop() else "too many"
    unit = "row has" if len(found) == 1 else "rows have"
    lost = "separators" if thing == "cells" else "characters"
    words = f"{len(found):,} {unit} {kind} {thing}: {lost} were lost or added in {spoken(lines)}"
    return Diagnosis("separators-damaged", "certain", words, lines)


# --- one column


_STRUCTURE = frozenset(
    ("manifest-absent", "file-size-differs", "file-hash-differs", "count-differs", "order-undeclared", "line-ends",
     "fingerprint-differs", "trailer-differs", "column-moved", "row-blank", "agreement-stale", "sku-unknown")
)  # fmt: skip


def one_column(evidence: Evidence) -> Diagnosis | None:
    """The same finding about the same column in nearly every row."""
    hits = Counter(
        (f.code, f.field) for f in evidence.findings if f.field and f.code not in _STRUCTURE and f.order is not None
    )
    if not hits:
        return None
    (code, field), count = hits.most_common(1)[0]
    own = next((one for one in evidence.fmt.all_fields if one.name == field), None)
    of_line = own is not None and own.info is not None and own.info.level == "line"
    total = evidence.records if of_line and evidence.fmt.tabular else evidence.orders
    cut_off = evidence.has("findings-over-limit")
    if not cut_off and (count < 4 or not total or count * 5 < total * 4):
        return None
    lines = told(f.place.line for f in evidence.findings if (f.code, f.field) == (code, field))
    share = "nearly every row" if cut_off else f"{count:,} of {total:,} {'rows' if of_line else 'orders'}"
    words = f"the column {field} is wrong in {share} for one reason, {code}"
    return Diagnosis("column-damaged", "likely" if cut_off else "certain", words, lines)
