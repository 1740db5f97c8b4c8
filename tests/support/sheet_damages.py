"""Damage of files with a row for each order line: about eighty kinds, seeded, to cells, rows, columns and bytes.

``damaged(data, fmt, chance)`` gives the name of the kind and the damaged bytes. Some kinds do no harm, such as rows of
whole orders in another order: a reader must not find anything then.
"""

from __future__ import annotations

import csv
import io
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from fallback.formats.spec import Format

Chance = random.Random


@dataclass
class Sheet:
    """A file as rows of cells. ``tied`` are the columns that say which order a row belongs to."""

    fmt: Format
    rows: list[list[str]]

    @property
    def tied(self) -> list[int]:
        return [self.column(path) for path in self.fmt.ties]

    def column(self, path: str) -> int:
        return next(at for at, field in enumerate(self.fmt.fields) if field.path == path)

    def paths(self, *paths: str) -> list[int]:
        """The columns of those of these paths that the format has."""
        return [at for at, field in enumerate(self.fmt.fields) if field.path in paths]

    def label(self, row: list[str]) -> tuple[str, ...]:
        return tuple(row[at] for at in self.tied)

    def own(self) -> list[int]:
        """The columns of the order that do not say which one it is."""
        return [
            at
            for at, field in enumerate(self.fmt.fields)
            if (field.info is None or field.info.level == "order") and at not in self.tied
        ]

    def of_lines(self) -> list[int]:
        return [at for at, field in enumerate(self.fmt.fields) if field.info and field.info.level == "line"]

    def runs(self) -> list[list[list[str]]]:
        """The rows, those of one order together where they are neighbours."""
        runs: list[list[list[str]]] = []
        for row in self.rows:
            if runs and self.label(runs[-1][0]) == self.label(row):
                runs[-1].append(row)
            else:
                runs.append([row])
        return runs

    def bytes(self, *, delimiter: str | None = None, quoting: int = csv.QUOTE_MINIMAL, end: str = "") -> bytes:
        text = io.StringIO()
        writer = csv.writer(
            text,
            delimiter=delimiter or self.fmt.delimited.delimiter,
            quoting=quoting,  # type: ignore[arg-type]
            lineterminator=end or self.fmt.newline_text,
        )
        writer.writerow([field.name for field in self.fmt.fields])
        writer.writerows(self.rows)
        return text.getvalue().encode("utf-8", "surrogatepass")


def sheet_of(data: bytes, fmt: Format) -> Sheet:
    rows = list(csv.reader(io.StringIO(data.decode(), newline=""), delimiter=fmt.delimited.delimiter))
    return Sheet(fmt, rows[1:])


# --- cells: what is put in the place of a text

Change = Callable[[str, Chance], str]


def _first_digit(text: str, to: Callable[[str], str]) -> str:
    return next((text[:at] + to(c) + text[at + 1 :] for at, c in enumerate(text) if c.isdigit()), text)


CELLS: dict[str, Change] = {
    "blank": lambda text, chance: "",
    "white space before": lambda text, chance: " " + text,
    "white space behind": lambda text, chance: text + " ",
    "no-break space behind": lambda text, chance: text + "\u00a0",
    "wide space before": lambda text, chance: "\u3000" + text,
    "line separator inside": lambda text, chance: text[:1] + "\u2028" + text[1:],
    "only a space": lambda text, chance: " ",
    "tab inside": lambda text, chance: text[:1] + "\t" + text[1:],
    "line break inside": lambda text, chance: text[:1] + "\n" + text[1:],
    "line break behind": lambda text, chance: text + "\n",
    "carriage return inside": lambda text, chance: text[:1] + "\r" + text[1:],
    "both line ends inside": lambda text, chance: text[:1] + "\r\n" + text[1:],
    "control character": lambda text, chance: text[:2] + chance.choice("\x01\x07\x0b\x1b\x1f\x7f") + text[2:],
    "C1 control character": lambda text, chance: text[:1] + chance.choice("\x80\x85\x9f") + text[1:],
    "bidirectional mark": lambda text, chance: text + chance.choice("\u200e\u202e\u2066\u061c") + "x",
    "zero-width space": lambda text, chance: text[:1] + "\u200b" + text[1:],
    "soft hyphen": lambda text, chance: text[:1] + "\u00ad" + text[1:],
    "byte order mark inside": lambda text, chance: "\ufeff" + text,
    "letters of two bytes": lambda text, chance: text + chance.choice("éßŁ"),
    "letters of three bytes": lambda text, chance: chance.choice("京都’–") + text + chance.choice("京都’–"),
    "letters of four bytes": lambda text, chance: text + "🚚",
    "dotless i": lambda text, chance: "Drıll-" + text,
    "too long": lambda text, chance: (text or "x") * chance.choice((8, 40, 400)),
    "too long in bytes only": lambda text, chance: "é" * chance.choice((20, 30, 35, 50, 60)),
    "a quotation mark": lambda text, chance: text[:1] + '"' + text[1:],
    "only quotation marks": lambda text, chance: '""',
    "a delimiter": lambda text, chance: text + ",",
    "a formula": lambda text, chance: "=SUM(A1)" + text,
    "scientific notation": lambda text, chance: "5.55E+12",
    "a comma for a point": lambda text, chance: text.replace(".", ",") if "." in text else text + ",5",
    "a fraction": lambda text, chance: text + ".5",
    "a leading zero": lambda text, chance: "0" + text,
    "a lost zero": lambda text, chance: text.lstrip("0"),
    "a minus": lambda text, chance: "-" + text,
    "a plus": lambda text, chance: "+" + text,
    "a separator of thousands": lambda text, chance: "1,000",
    "an underscore": lambda text, chance: "1_000",
    "a nought": lambda text, chance: "0",
    "a large number": lambda text, chance: "9" * chance.choice((5, 7, 10, 18, 19)),
    "another digit": lambda text, chance: _first_digit(text, lambda c: str((int(c) + 3) % 10) if c.isascii() else "7"),
    "an Arabic digit": lambda text, chance: _first_digit(text, lambda c: "\u0663"),
    "small letters": lambda text, chance: text.lower(),
    "capitals": lambda text, chance: text.upper(),
    "a colon": lambda text, chance: text + ":1",
    "a word": lambda text, chance: chance.choice(("Overnite", "n/a", "NULL", "None", "#N/A", "true")),
    "a phone number": lambda text, chance: "+1 555 010 0199",
    "a mail address": lambda text, chance: "jane.doe@example.com",
    "a date of a locale": lambda text, chance: "12/31/2026",
    "a date that is none": lambda text, chance: "2026-02-30T25:00:00Z",
    "the last day of a month": lambda text, chance: chance.choice(("2026-11-30T00:00:00Z", "2026-11-31", "2028-02-29")),
    "a date without a zone": lambda text, chance: "2026-11-23T14:00:00",
    "a date with a long offset": lambda text, chance: "2026-11-23T14:00:00" + chance.choice(("+24:00", "-00:60")),
    "an absurd year": lambda text, chance: chance.choice(("0001", "1969", "3000", "9999")) + "-12-31T23:59:59Z",
    "a date as a number": lambda text, chance: "46349",
    "the marker of a drill": lambda text, chance: chance.choice(("DRILL-", "drill_", "Drillbit", "DRILL ")) + text,
}  # fmt: skip


# --- rows, columns, bytes

Rows = Callable[[Sheet, Chance], bytes]


def _some(sheet: Sheet, chance: Chance) -> int:
    return chance.randrange(len(sheet.rows))


def _row_lost(sheet: Sheet, chance: Chance) -> bytes:
    del sheet.rows[_some(sheet, chance)]
    return sheet.bytes()


def _row_doubled(sheet: Sheet, chance: Chance) -> bytes:
    at = _some(sheet, chance)
    sheet.rows.insert(at, list(sheet.rows[at]))
    return sheet.bytes()


def _row_moved(sheet: Sheet, chance: Chance) -> bytes:
    row = sheet.rows.pop(_some(sheet, chance))
    sheet.rows.insert(chance.randrange(len(sheet.rows) + 1), row)
    return sheet.bytes()


def _rows_swapped(sheet: Sheet, chance: Chance) -> bytes:
    one, other = _some(sheet, chance), _some(sheet, chance)
    sheet.rows[one], sheet.rows[other] = sheet.rows[other], sheet.rows[one]
    return sheet.bytes()


def _sorted_by(sheet: Sheet, chance: Chance) -> bytes:
    column = chance.randrange(len(sheet.fmt.fields))
    sheet.rows.sort(key=lambda row: row[column], reverse=chance.random() < 0.5)
    return sheet.bytes()


def _shuffled(sheet: Sheet, chance: Chance) -> bytes:
    chance.shuffle(sheet.rows)
    return sheet.bytes()


def _orders_shuffled(sheet: Sheet, chance: Chance) -> bytes:
    runs = sheet.runs()
    chance.shuffle(runs)
    sheet.rows = [row for run in runs for row in run]
    return sheet.bytes()


def _lines_reversed(sheet: Sheet, chance: Chance) -> bytes:
    sheet.rows = [row for run in sheet.runs() for row in reversed(run)]
    return sheet.bytes()


def _order_again(sheet: Sheet, chance: Chance) -> bytes:
    run = chance.choice(sheet.runs())
    sheet.rows += [list(row) for row in run]
    return sheet.bytes()


def _file_twice(sheet: Sheet, chance: Chance) -> bytes:
    sheet.rows = sheet.rows * 2
    return sheet.bytes()


def _order_renamed(sheet: Sheet, chance: Chance) -> bytes:
    """One order takes the name of another."""
    one, other = chance.choice(sheet.runs()), chance.choice(sheet.runs())
    for row in one:
        for at in sheet.tied:
            row[at] = other[0][at]
    return sheet.bytes()


def _name_blank(sheet: Sheet, chance: Chance) -> bytes:
    """What an order is called is blank on all its rows."""
    for row in chance.choice(sheet.runs()):
        row[chance.choice(sheet.tied)] = ""
    return sheet.bytes()


def _one_name(sheet: Sheet, chance: Chance) -> bytes:
    """All rows say that they are of one order."""
    for row in sheet.rows:
        for at in sheet.tied:
            row[at] = sheet.rows[0][at]
    return sheet.bytes()


def _rows_disagree(sheet: Sheet, chance: Chance) -> bytes:
    for _ in range(chance.randrange(1, 4)):
        row = sheet.rows[_some(sheet, chance)]
        row[chance.choice(sheet.own())] = chance.choice(("1 Wrong Street", "", "7"))
    return sheet.bytes()


def _cells_shifted(sheet: Sheet, chance: Chance) -> bytes:
    row = sheet.rows[_some(sheet, chance)]
    at = chance.randrange(len(row))
    row.insert(at, row.pop(chance.randrange(len(row))))
    return sheet.bytes()


def _cells_swapped(sheet: Sheet, chance: Chance) -> bytes:
    row = sheet.rows[_some(sheet, chance)]
    one, other = chance.randrange(len(row)), chance.randrange(len(row))
    row[one], row[other] = row[other], row[one]
    return sheet.bytes()


def _column_of_another(sheet: Sheet, chance: Chance) -> bytes:
    one, other = chance.randrange(len(sheet.fmt.fields)), chance.randrange(len(sheet.fmt.fields))
    for row in sheet.rows:
        row[one], row[other] = row[other], row[one]
    return sheet.bytes()


def _column_wrong(sheet: Sheet, chance: Chance) -> bytes:
    column, change = chance.randrange(len(sheet.fmt.fields)), chance.choice(list(CELLS.values()))
    for row in sheet.rows:
        row[column] = change(row[column], chance)
    return sheet.bytes()


def _cell_more(sheet: Sheet, chance: Chance) -> bytes:
    sheet.rows[_some(sheet, chance)].insert(chance.randrange(len(sheet.fmt.fields)), chance.choice(("", "x")))
    return sheet.bytes()


def _cell_fewer(sheet: Sheet, chance: Chance) -> bytes:
    del sheet.rows[_some(sheet, chance)][chance.randrange(len(sheet.fmt.fields))]
    return sheet.bytes()


def _blank_row(sheet: Sheet, chance: Chance) -> bytes:
    lines = sheet.bytes().splitlines(keepends=True)
    wide = sheet.fmt.delimited.delimiter.encode() * (len(sheet.fmt.fields) - 1)
    blank = chance.choice((b"", wide, b" ", b" " + wide, b"\t"))
    lines.insert(chance.randrange(1, len(lines) + 1), blank + sheet.fmt.newline_text.encode())
    return b"".join(lines)


def _header_again(sheet: Sheet, chance: Chance) -> bytes:
    sheet.rows.insert(_some(sheet, chance), [field.name for field in sheet.fmt.fields])
    return sheet.bytes()


def _columns_moved(sheet: Sheet, chance: Chance) -> bytes:
    text = sheet_of(sheet.bytes(), sheet.fmt)
    order = list(range(len(sheet.fmt.fields)))
    chance.shuffle(order)
    rows = [[field.name for field in sheet.fmt.fields], *text.rows]
    lines = io.StringIO()
    csv.writer(lines, lineterminator=sheet.fmt.newline_text).writerows([row[at] for at in order] for row in rows)
    return lines.getvalue().encode()


def _line_numbers(sheet: Sheet, chance: Chance) -> bytes:
    """The lines of an order are numbered otherwise: with gaps, backwards, one twice, beyond nine."""
    column = sheet.column("lines.line_number")
    for run in sheet.runs():
        numbers = chance.sample(range(1, 40), len(run))
        if chance.random() < 0.2:
            numbers[-1] = numbers[0]
        for row, number in zip(run, numbers, strict=True):
            row[column] = str(number)
    return sheet.bytes()


def _quantities(sheet: Sheet, chance: Chance) -> bytes:
    column = sheet.column("lines.quantity")
    for row in sheet.rows:
        row[column] = str(chance.choice((1, 2, 9, 10, 99_999, 999_999)))
    return sheet.bytes()


def _no_currency(sheet: Sheet, chance: Chance) -> bytes:
    for run in sheet.runs():
        if chance.random() < 0.5:
            for row in run:
                row[sheet.column("currency")] = ""
    return sheet.bytes()


def _many_cells(sheet: Sheet, chance: Chance) -> bytes:
    """A tenth of all rows is wrong, each in one cell."""
    kinds = list(CELLS.values())
    for row in sheet.rows:
        if chance.random() < 0.1:
            at = chance.randrange(len(row))
            row[at] = chance.choice(kinds)(row[at], chance)
    return sheet.bytes()


def _many_lines_wrong(sheet: Sheet, chance: Chance) -> bytes:
    """Every row is wrong in one cell that is of its line."""
    kinds = [CELLS[kind] for kind in ("blank", "a fraction", "a nought", "small letters", "another digit", "too long")]
    for row in sheet.rows:
        at = chance.choice(sheet.of_lines())
        row[at] = chance.choice(kinds)(row[at], chance)
    return sheet.bytes()


def _order_cell(sheet: Sheet, chance: Chance) -> bytes:
    """A cell of the order is wrong on all rows of it."""
    run = chance.choice(sheet.runs())
    at = chance.choice([*sheet.own(), *sheet.tied])
    text = chance.choice(list(CELLS.values()))(run[0][at], chance)
    for row in run:
        row[at] = text
    return sheet.bytes()


SHEETS: dict[str, Rows] = {
    "row lost": _row_lost,
    "row doubled": _row_doubled,
    "row moved": _row_moved,
    "rows swapped": _rows_swapped,
    "sorted by a column": _sorted_by,
    "rows shuffled": _shuffled,
    "orders shuffled": _orders_shuffled,
    "lines reversed": _lines_reversed,
    "order again at the end": _order_again,
    "file twice": _file_twice,
    "order under another's name": _order_renamed,
    "order without a name": _name_blank,
    "all of one name": _one_name,
    "rows disagree": _rows_disagree,
    "cells of a row shifted": _cells_shifted,
    "cells of a row swapped": _cells_swapped,
    "columns under each other's name": _column_of_another,
    "column wrong in every row": _column_wrong,
    "cell more": _cell_more,
    "cell fewer": _cell_fewer,
    "blank row": _blank_row,
    "header again": _header_again,
    "columns moved": _columns_moved,
    "lines numbered otherwise": _line_numbers,
    "other quantities": _quantities,
    "no currency": _no_currency,
    "many cells": _many_cells,
    "every line wrong": _many_lines_wrong,
    "cell of an order": _order_cell,
    "all cells quoted": lambda sheet, chance: sheet.bytes(quoting=csv.QUOTE_ALL),
    "semicolons": lambda sheet, chance: sheet.bytes(delimiter=";"),
    "tabs": lambda sheet, chance: sheet.bytes(delimiter="\t"),
    "other line ends": lambda sheet, chance: sheet.bytes(end="\n" if sheet.fmt.newline == "crlf" else "\r\n"),
    "old Mac line ends": lambda sheet, chance: sheet.bytes(end="\r"),
}


Bytes = Callable[[bytes, Chance], bytes]


def _at(data: bytes, chance: Chance) -> int:
    return chance.randrange(len(data))


def _put(data: bytes, chance: Chance, some: Sequence[bytes], *, over: int = 0) -> bytes:
    at = _at(data, chance)
    return data[:at] + chance.choice(some) + data[at + over :]


def _without(data: bytes, chance: Chance, sign: bytes) -> bytes:
    places = [at for at in range(len(data)) if data[at : at + 1] == sign]
    if not places:
        return data
    at = chance.choice(places)
    return data[:at] + data[at + 1 :]


def _piece(data: bytes, chance: Chance, times: int) -> bytes:
    at = _at(data, chance)
    end = at + chance.randrange(1, 120)
    return data[:at] + data[at:end] * times + data[end:]


BYTES: dict[str, Bytes] = {
    "nothing": lambda data, chance: data,
    "cut off": lambda data, chance: data[: _at(data, chance)],
    "cut at a row": lambda data, chance: data[: data.rindex(b"\n", 0, _at(data, chance) + data.index(b"\n") + 1) + 1],
    "last line end lost": lambda data, chance: data.rstrip(b"\r\n"),
    "lines added at the end": lambda data, chance: data + chance.choice((b"\n", b"\r\n", b"\r\n\r\n", b"\x1a")),
    "begins later": lambda data, chance: data[_at(data, chance) :],
    "byte lost": lambda data, chance: _put(data, chance, (b"",), over=1),
    "byte another": lambda data, chance: _put(data, chance, [bytes([chance.randrange(256)])], over=1),
    "telling byte": lambda data, chance: _put(data, chance, (b",", b'"', b"\n", b"\r", b"0", b" ", b";"), over=1),
    "telling byte added": lambda data, chance: _put(data, chance, (b",", b'"', b"\n", b"\r\n", b"\r", b" ", b'""')),
    "quotation mark lost": lambda data, chance: _without(data, chance, b'"'),
    "delimiter lost": lambda data, chance: _without(data, chance, b","),
    "line end lost": lambda data, chance: _without(data, chance, b"\n"),
    "carriage return lost": lambda data, chance: _without(data, chance, b"\r"),
    "all quotation marks lost": lambda data, chance: data.replace(b'"', b""),
    "NUL": lambda data, chance: _put(data, chance, (b"\0",)),
    "invalid UTF-8": lambda data, chance: _put(data, chance, (b"\xff", b"\xc3", b"\xe2\x80", b"\xed\xa0\x80")),
    "byte order mark": lambda data, chance: b"\xef\xbb\xbf" + data,
    "Windows-1252": lambda data, chance: data.decode("utf-8", "replace").encode("cp1252", "replace"),
    "UTF-16": lambda data, chance: data.decode("utf-8", "replace").encode("utf-16"),
    "mojibake": lambda data, chance: data.decode("utf-8").encode("utf-8").decode("latin-1").encode("utf-8"),
    "piece doubled": lambda data, chance: _piece(data, chance, 2),
    "piece lost": lambda data, chance: _piece(data, chance, 0),
    "one line end another": lambda data, chance: data.replace(b"\r\n", b"\n", 1) if b"\r" in data
    else data.replace(b"\n", b"\r\n", 1),
    "header quoted": lambda data, chance: b",".join(
        b'"' + name + b'"' for name in data.split(b"\n", 1)[0].rstrip(b"\r").split(b",")
    ) + data[len(data.split(b"\n", 1)[0].rstrip(b"\r")) :],
    "header lost": lambda data, chance: data.split(b"\n", 1)[1],
    "header in capitals": lambda data, chance: data.split(b"\n", 1)[0].upper() + b"\n" + data.split(b"\n", 1)[1],
    "header alone": lambda data, chance: data.split(b"\n", 1)[0] + b"\n",
    "empty": lambda data, chance: b"",
}  # fmt: skip

KINDS = (*(f"cell: {name}" for name in CELLS), *SHEETS, *(f"bytes: {name}" for name in BYTES))


def damaged(data: bytes, fmt: Format, chance: Chance) -> tuple[str, bytes]:
    """A file with one damage and the name of its kind, sometimes with several damaged cells."""
    return kind_damaged(chance.choice(KINDS), data, fmt, chance)


def kind_damaged(kind: str, data: bytes, fmt: Format, chance: Chance) -> tuple[str, bytes]:
    """The same with a damage of this kind."""
    group, _, name = kind.rpartition(": ")
    if group == "bytes":
        return kind, BYTES[name](data, chance)
    sheet = sheet_of(data, fmt)
    if group == "cell":
        for _ in range(chance.choice((1, 1, 2, 5))):
            row = sheet.rows[_some(sheet, chance)]
            at = chance.randrange(len(row))
            row[at] = CELLS[name](row[at], chance)
        return kind, sheet.bytes()
    return kind, SHEETS[name](sheet, chance)
