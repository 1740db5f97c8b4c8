"""What happened to this file? Damage staged with real tools where that is possible, each diagnosed by its name,
and good files never; and repairs, which are proven or not made."""

from __future__ import annotations

import csv
import io
import random
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from brand_kit import make_agreement
from cli_kit import fallback
from fallback.documents.diagnosis import DIAGNOSES, Diagnosis
from fallback.documents.report import Report
from fallback.errors import WrongUse
from fallback.formats.library import load_format, shipped
from fallback.formats.samples import fitting, samples
from fallback.formats.spec import Format
from fallback.formats.write import write
from fallback.records.order import Order
from fallback.render.html import report_html
from fallback.render.text import report_text
from fallback.validation import validate
from fallback.validation.mending import repair
from support import soak
from support.sent import AT, manifest_of
from support.soak import times
from support.strategies import files

CODES = {
    name: "X1"
    for fmt in map(load_format, shipped())
    for field in fmt.all_fields
    if (name := field.code or "")
}  # fmt: skip
AGREEMENT = make_agreement()
CSV = load_format("order-lines-csv")
FILE = "ACME_ORDERS_20261123T140000Z_000001.csv"


def key(order: Order) -> str:
    return f"{order.brand}:{order.platform}:{order.order_id}:{order.group}"


@cache
def orders_of(name: str, count: int = 40, seed: int = 1) -> tuple[Order, ...]:
    fmt = load_format(name)
    return tuple(fitting(fmt, count, codes=CODES, key=key, at=AT, seed=seed))


def parts_of(name: str, orders: Sequence[Order]) -> Mapping[str, bytes]:
    fmt = load_format(name)
    written = write(fmt, orders, codes=CODES, key=key)
    return written.parts if len(fmt.roles) > 1 else {fmt.roles[0]: written.data}


@cache
def good(name: str = "order-lines-csv", count: int = 40, seed: int = 1) -> bytes:
    """A good file of a format; of a pair its first one."""
    return next(iter(parts_of(name, orders_of(name, count, seed)).values()))


def name_of(fmt: Format) -> str:
    return fmt.file_name.format(marker="", brand="ACME", sent=AT, sequence=1, role="ORDERS")


def looked_at(data: bytes, fmt: Format = CSV, **more: Any) -> Report:
    return validate(data, format=fmt, name=FILE, **more)


# --- tools


def table(data: bytes, delimiter: str = ",") -> list[list[str]]:
    return list(csv.reader(io.StringIO(data.decode(), newline=""), delimiter=delimiter))


def text_of(rows: Sequence[Sequence[str]], delimiter: str = ",", end: str = "\r\n", quoting: int = 0) -> bytes:
    stream = io.StringIO(newline="")
    csv.writer(stream, delimiter=delimiter, lineterminator=end, quoting=quoting).writerows(rows)  # type: ignore[arg-type]
    return stream.getvalue().encode()


def column(name: str, change: Callable[[str], str], data: bytes | None = None, **terms: Any) -> bytes:
    """Every cell of one column changed."""
    head, *rows = table(good() if data is None else data)
    at = head.index(name)
    return text_of([head, *([*row[:at], change(row[at]), *row[at + 1 :]] for row in rows)], **terms)


def header(change: Callable[[list[str]], list[str]]) -> bytes:
    head, rest = good().split(b"\r\n", 1)
    return ",".join(change(head.decode().split(","))).encode() + b"\r\n" + rest


def swap(names: list[str], one: str, other: str) -> list[str]:
    exchange = {one: other, other: one}
    return [exchange.get(name, name) for name in names]


def lettered(data: bytes | None = None) -> str:
    """A good file with letters that are not ASCII, whatever the samples have."""
    text = (good() if data is None else data).decode()
    return text.replace("Leeds", "Münster").replace("Boston", "Besançon").replace("Article", "Größe")


def iconv(data: bytes, source: str, target: str) -> bytes:
    if shutil.which("iconv") is None:
        pytest.skip("there is no iconv here")
    command = ["iconv", "-f", source, "-t", target]
    return subprocess.run(command, input=data, stdout=subprocess.PIPE, check=True).stdout


def number(text: str) -> Any:
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text or None


def workbook(data: bytes) -> bytes:
    """A spreadsheet's workbook of a file, its numbers taken for numbers."""
    openpyxl = pytest.importorskip("openpyxl")
    book = openpyxl.Workbook()
    for row in table(data):
        book.active.append([number(cell) for cell in row])
    stream = io.BytesIO()
    book.save(stream)
    book.close()
    return stream.getvalue()


def from_workbook(data: bytes, **terms: Any) -> bytes:
    openpyxl = pytest.importorskip("openpyxl")
    book = openpyxl.load_workbook(io.BytesIO(data))
    rows = [["" if cell is None else str(cell) for cell in row] for row in book.active.values]
    book.close()
    return text_of(rows, **terms)


def through_pandas(data: bytes, *, index: bool = False, **terms: Any) -> bytes:
    pandas = pytest.importorskip("pandas")
    frame = pandas.read_csv(io.BytesIO(data), **terms)
    return bytes(frame.to_csv(index=index, lineterminator="\r\n").encode())


# --- the damage table, and more of its kind

Make = Callable[[], bytes]


@dataclass(frozen=True)
class Staged:
    """One damage: what it should be called, the format that is agreed, and how it is made."""

    name: str
    expected: str
    make: Make
    format: str = "order-lines-csv"
    declared: bool = False


STAGED: list[Staged] = []


def staged(name: str, expected: str, make: Make, format: str = "order-lines-csv", declared: bool = False) -> None:
    STAGED.append(Staged(name, expected, make, format, declared))


def lines(data: bytes) -> list[bytes]:
    return data.splitlines(keepends=True)


# cut, and lost on the way
staged("cut in the middle of a row", "upload-cut", lambda: good()[: len(good()) // 2 + 7])
staged("cut at a line end within an order", "upload-cut", lambda: b"".join(lines(good())[:21]))
staged("cut between two orders, declared", "upload-cut", lambda: good(count=20), declared=True)
staged("cut within a letter", "upload-cut", lambda: (d := lettered().encode())[: d.index("ö".encode(), 9000) + 1])
staged(
    "closing row lost",
    "upload-cut",
    lambda: b"".join(lines(good("order-header-detail-psv"))[:-1]),
    "order-header-detail-psv",
)
staged("JSON Lines cut", "upload-cut", lambda: good("order-jsonl")[:-40], "order-jsonl")
staged("JSON cut", "upload-cut", lambda: good("order-json")[:-900], "order-json")
staged("XML cut", "upload-cut", lambda: good("order-xml")[:-900], "order-xml")
staged("interchange cut", "upload-cut", lambda: good("order-x12-940")[:-300], "order-x12-940")
staged("fixed width cut", "upload-cut", lambda: good("order-fixed-width")[:-30], "order-fixed-width")
staged("NUL bytes in the middle", "nul-bytes", lambda: good()[:3000] + bytes(512) + good()[3512:])
staged("the end of the disk", "nul-bytes", lambda: good()[:5000] + bytes(len(good()) - 5000))
staged("one byte changed, declared", "bytes-changed", lambda: good().replace(b"Leeds", b"Leads", 1), declared=True)

# letters
for _encoding in ("cp1252", "mac-roman", "cp850"):
    staged(
        f"mojibake: UTF-8 read as {_encoding}",
        "text-garbled",
        lambda e=_encoding: lettered().encode().decode(e).encode(),
    )  # type: ignore[misc]
staged("mojibake by iconv", "text-garbled", lambda: iconv(lettered().encode(), "ISO-8859-1", "UTF-8"))
staged("file in cp1252", "encoding-other", lambda: lettered().encode("cp1252"))
staged("file in cp1252 by iconv", "encoding-other", lambda: iconv(lettered().encode(), "UTF-8", "WINDOWS-1252"))
staged("file in Mac Roman by iconv", "encoding-other", lambda: iconv(lettered().encode(), "UTF-8", "MACINTOSH"))
staged("UTF-16 with its mark", "encoding-other", lambda: lettered().encode("utf-16"))
staged("UTF-16 by iconv, without its mark", "encoding-other", lambda: iconv(good(), "UTF-8", "UTF-16LE"))
staged(
    "UTF-8 where ISO 8859-1 is agreed",
    "encoding-other",
    lambda: good("amazon-mcf-flat").decode("latin-1").replace("Leeds", "Köln").replace("12 ", "ß ").encode(),
    "amazon-mcf-flat",
)
staged("letters replaced", "letters-lost", lambda: re.sub("[öüç]", "\ufffd", lettered()).encode())

# cells and their marks
staged("a missing cell", "separators-damaged", lambda: good().replace(b",EA,", b",", 1))
staged("an extra cell", "separators-damaged", lambda: good().replace(b",EA,", b",EA,,", 1))
staged("an unclosed quotation mark", "quotes-damaged", lambda: good()[:-40].rpartition(b",")[0] + b',"x\r\n')
staged("a stray quotation mark", "quotes-damaged", lambda: good().replace(b"shopify", b'shop"ify', 1))
staged("quotation marks removed", "quotes-lost", lambda: good().replace(b'"', b""))
staged(
    "quotation marks in a format without",
    "quotes-added",
    lambda: text_of(list(csv.reader(io.StringIO(good("shipwire-tsv").decode()), delimiter="\t")), "\t", quoting=1),
    "shipwire-tsv",
)
staged("all cells quoted, declared", "quotes-added", lambda: text_of(table(good()), quoting=1), declared=True)
staged(
    "line breaks without quotation marks",
    "rows-broken",
    lambda: re.sub(rb'"(Leave with the porter.\nRing twice.)"', rb"\1", good()),
)
staged("semicolons for commas", "delimiter-other", lambda: text_of(table(good()), ";"))
staged("tabs for commas", "delimiter-other", lambda: text_of(table(good()), "\t"))
staged(
    "semicolons for pipes",
    "delimiter-other",
    lambda: good("order-header-detail-psv").replace(b";", b",").replace(b"|", b";"),
    "order-header-detail-psv",
)
staged("a byte order mark", "editor-saved", lambda: b"\xef\xbb\xbf" + good())
staged("LF for CR LF", "line-ends-changed", lambda: good().replace(b"\r\n", b"\n"))
staged("CR alone", "line-ends-changed", lambda: good().replace(b"\r\n", b"\r"))
staged("CR LF for LF", "line-ends-changed", lambda: good("order-jsonl").replace(b"\n", b"\r\n"), "order-jsonl")
staged("CR LF in some lines", "editor-saved", lambda: good().replace(b"\r\n", b"\n", 9))

# twice, joined, sorted
staged("the file twice", "file-doubled", lambda: good() + good())
staged(
    "the closing row and all again",
    "file-doubled",
    lambda: good("order-header-detail-psv") * 2,
    "order-header-detail-psv",
)
staged("JSON Lines twice", "file-doubled", lambda: good("order-jsonl") * 2, "order-jsonl")
staged("an XML document twice", "file-doubled", lambda: good("order-xml") * 2, "order-xml")
staged("two files joined, the header in the middle", "files-joined", lambda: good() + good(seed=9))
staged(
    "two files joined behind the closing row",
    "files-joined",
    lambda: good("order-header-detail-psv") + good("order-header-detail-psv", seed=9),
    "order-header-detail-psv",
)
staged("the last rows again", "rows-repeated", lambda: good() + b"".join(lines(good())[-12:]))
staged(
    "typed rows sorted",
    "rows-sorted",
    lambda: b"".join(sorted(lines(good("order-header-detail-psv")))),
    "order-header-detail-psv",
)
staged(
    "rows sorted by a column", "rows-sorted", lambda: _sorted_by("order-first-line-csv", "SKU"), "order-first-line-csv"
)

# columns
staged("two names swapped", "columns-swapped", lambda: header(lambda names: swap(names, "City", "PostalCode")))
staged(
    "line number and quantity swapped",
    "columns-swapped",
    lambda: header(lambda names: swap(names, "LineNo", "Quantity")),
)
staged(
    "two names swapped that look alike",
    "columns-swapped",
    lambda: header(lambda names: swap(names, "Address2", "Address3")),
)
staged("columns moved with their header", "columns-reordered", lambda: text_of([row[::-1] for row in table(good())]))
staged("cells shifted to the right", "columns-shifted", lambda: _shifted(lambda row: [*row[:14], "", *row[14:-1]]))
staged("cells shifted to the left", "columns-shifted", lambda: _shifted(lambda row: [*row[:13], *row[14:], ""]))
staged("one cell more in every row", "columns-shifted", lambda: _shifted(lambda row: [*row[:14], "", *row[14:]]))
staged(
    "row numbers of a data frame",
    "columns-shifted",
    lambda: through_pandas(good(), index=True, dtype=str, keep_default_na=False),
)
staged("the header lost", "header-lost", lambda: good().partition(b"\r\n")[2])
staged("one column wrong in every row", "column-damaged", lambda: column("Country", lambda _: "Germany"))
staged(
    "a column more",
    "other-version",
    lambda: text_of([[*row, "x" if n else "Warehouse"] for n, row in enumerate(table(good()))]),
)
staged("a column less", "other-version", lambda: text_of([[*row[:5], *row[6:]] for row in table(good())]))
staged("a column renamed", "other-version", lambda: good().replace(b"PostalCode", b"PostCode", 1))
staged("another version of a shipped format", "other-version", lambda: good("dropstream-ord-v2"), "dropstream-ord-v1")

# a spreadsheet, a script
staged("scientific notation", "spreadsheet-saved", lambda: column("OrderId", lambda text: f"{int(text):.2E}"))
staged(
    "scientific notation and zeros lost in every row",
    "spreadsheet-saved",
    lambda: column("PostalCode", lambda text: text.lstrip("0"), column("OrderId", lambda text: f"{int(text):.5E}")),
)
staged("zeros lost in postal codes", "taken-for-numbers", lambda: column("PostalCode", lambda text: text.lstrip("0")))
staged("zeros lost in article numbers", "taken-for-numbers", lambda: _with_gtins(lambda text: text.lstrip("0")))
staged("dates as a country writes them", "spreadsheet-saved", lambda: column("OrderedAt", lambda _: "11/23/2026 9:15"))
staged("dates as day numbers", "spreadsheet-saved", lambda: column("OrderedAt", lambda _: "46349.385417"))
staged(
    "semicolons and decimal commas",
    "spreadsheet-saved",
    lambda: b"\xef\xbb\xbf" + column("UnitPrice", lambda text: text.replace(".", ","), delimiter=";"),
)
staged("semicolons and a byte order mark", "spreadsheet-saved", lambda: b"\xef\xbb\xbf" + text_of(table(good()), ";"))
staged(
    "fifteen digits kept", "spreadsheet-saved", lambda: column("LineId", lambda text: f"{text}99"[:15].ljust(18, "0"))
)
staged("a workbook with the file's name", "workbook", lambda: workbook(good()))
staged("through a workbook with openpyxl", "taken-for-numbers", lambda: from_workbook(workbook(good())))
staged(
    "through a workbook, with semicolons", "spreadsheet-saved", lambda: from_workbook(workbook(good()), delimiter=";")
)
staged("through pandas, zeros", "taken-for-numbers", lambda: through_pandas(_in_new_england()))
staged(
    "through pandas, dates",
    "taken-for-numbers",
    lambda: through_pandas(good(), parse_dates=["OrderedAt"], dtype={"PostalCode": str}),
)
staged("through pandas, numbers with a gap", "taken-for-numbers", lambda: through_pandas(_with_gap()))

# something else
staged("nothing", "query-empty", lambda: b"")
staged("only the header", "query-empty", lambda: good().partition(b"\r\n")[0] + b"\r\n")
staged("only the closing row", "query-empty", lambda: b"T|0|0|0|0\n", "order-header-detail-psv")
staged("a web page", "error-page", lambda: b"<!DOCTYPE html>\n<html><head><title>502 Bad Gateway</title></head></html>")
staged("a web page for JSON Lines", "error-page", lambda: b"<html><body>Sign in</body></html>\n", "order-jsonl")
staged("a web page for XML", "error-page", lambda: b"<html><body>Sign in</body></html>\n", "order-xml")
staged(
    "an error of a store in XML",
    "error-page",
    lambda: b'<?xml version="1.0"?>\n<Error><Code>AccessDenied</Code></Error>',
)
staged("an error in JSON", "error-page", lambda: b'{"message": "Forbidden"}')
staged("an error in JSON for JSON Lines", "error-page", lambda: b'{"error": {"code": 429}}\n', "order-jsonl")
staged("some JSON", "other-document", lambda: b'{"rows": [{"a": 1}, {"a": 2}]}')
staged("some XML", "other-document", lambda: b'<?xml version="1.0"?>\n<catalogue><item/></catalogue>')
for _name in (
    "order-header-detail-psv",
    "order-jsonl",
    "order-json",
    "order-xml",
    "order-x12-940",
    "order-fixed-width",
    "shipstation-csv",
    "dropstream-ord-v1",
    "oracle-wms-orr",
    "shipwire-tsv",
    "order-two-files-csv",
):
    staged(f"a file of {_name}", "other-format", lambda n=_name: good(n))  # type: ignore[misc]
staged("rows for JSON Lines", "other-format", good, "order-jsonl")
staged("a JSON document for JSON Lines", "other-format", lambda: good("order-json"), "order-jsonl")


def _in_new_england() -> bytes:
    """Every address with a postal code that begins with a zero."""
    head, *rows = table(good())
    code, country = head.index("PostalCode"), head.index("Country")
    for row in rows:
        row[country], row[code] = "US", f"021{34 + sum(row[2].encode()) % 9}"
    return text_of([head, *rows])


def _shifted(change: Callable[[list[str]], list[str]]) -> bytes:
    head, *rows = table(good())
    return text_of([head, *map(change, rows)])


def _sorted_by(name: str, title: str) -> bytes:
    head, *rows = table(good(name))
    at = head.index(title)
    return text_of([head, *sorted(rows, key=lambda row: row[at])])


def _with_gtins(change: Callable[[str], str]) -> bytes:
    """Article numbers that begin with a zero, the same for the same SKU."""
    head, *rows = table(good())
    sku, gtin = head.index("SKU"), head.index("GTIN")
    known = ("0036000291452", "0012345678905", "0042100005264")
    for row in rows:
        row[gtin] = change(known[sum(row[sku].encode()) % 3])
    return text_of([head, *rows])


def _with_gap() -> bytes:
    """Purchase orders that are numbers, not in every row."""
    head, *rows = table(good())
    at = head.index("PurchaseOrder")
    order = head.index("OrderId")
    for row in rows:
        row[at] = f"47{row[order][-4:]}" if int(row[order]) % 3 else ""
    return text_of([head, *rows])


@pytest.mark.parametrize("case", STAGED, ids=lambda case: case.name)
def test_damage_is_diagnosed_by_its_name(case: Staged) -> None:
    fmt = load_format(case.format)
    data = case.make()
    more: dict[str, Any] = {}
    if case.declared:
        orders = orders_of(case.format)
        more = {"manifest": manifest_of(fmt, good(case.format), orders, FILE, AGREEMENT), "agreement": AGREEMENT}
    report = looked_at(data, fmt, **more)
    assert report.findings, "a silent case"
    names = [one.name for one in report.diagnosis]
    assert names[:1] == [case.expected], (names, sorted({f.code for f in report.findings}))
    check(report, data)


def check(report: Report, data: bytes) -> None:
    """What holds for every diagnosis: few, with lines that exist, a remedy, and nothing of a customer's."""
    names = [one.name for one in report.diagnosis]
    assert len(names) == len(set(names)) <= 3
    private = {
        text
        for order in orders_of("order-lines-csv")
        for text in (
            order.ship_to.name,
            order.ship_to.address1,
            order.ship_to.city,
            order.ship_to.phone,
            order.ship_to.email,
        )
        if text
    }
    for one in report.diagnosis:
        assert len(one.lines) <= 10 and list(one.lines) == sorted(one.lines)
        last = max(1, data.count(b"\n") + 1, data.count(b"\r") + 1)
        assert all(1 <= line <= last for line in one.lines)
        assert one.remedy and one.confidence in ("certain", "likely", "possible")
        assert not [text for text in private if text in one.sentence]
        assert one.sentence[1:] in " ".join(report_text(report).split())


def test_there_are_enough_of_them_and_every_name_is_among_them() -> None:
    assert len(STAGED) >= 40
    assert len({case.name for case in STAGED}) == len(STAGED)
    assert {case.expected for case in STAGED} == set(DIAGNOSES)


# --- a real spreadsheet program


@pytest.fixture(scope="session")
def office(tmp_path_factory: pytest.TempPathFactory) -> Callable[[bytes, str, str], bytes]:
    """A file through LibreOffice: as a workbook and back, by the filter options of the way out."""
    program = shutil.which("soffice")
    if program is None:
        pytest.skip("there is no LibreOffice here")
    folder = tmp_path_factory.mktemp("office")

    def convert(source: Path, target: str, *more: str) -> None:
        command = [
            program,
            "--headless",
            f"-env:UserInstallation=file://{folder}/profile",
            *more,
            "--convert-to",
            target,
        ]
        subprocess.run(
            [*command, "--outdir", str(folder), str(source)], check=True, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL, timeout=180,
        )  # fmt: skip

    def through(data: bytes, read: str, write: str) -> bytes:
        (folder / "given.csv").write_bytes(data)
        convert(folder / "given.csv", "xlsx", f"--infilter=Text - txt - csv (StarCalc):{read}")
        (folder / "given.csv").unlink()
        convert(folder / "given.xlsx", f"csv:Text - txt - csv (StarCalc):{write}")
        return (folder / "given.csv").read_bytes()

    return through


@pytest.mark.parametrize(
    ("read", "write", "expected"),
    [
        ("44,34,76,1", "44,34,76,1", "taken-for-numbers"),
        ("44,34,76,1", "59,34,76,1", "spreadsheet-saved"),
        ("44,34,ANSI,1", "44,34,76,1", "taken-for-numbers"),
    ],
)
def test_a_real_spreadsheet_program_is_noticed(
    office: Callable[[bytes, str, str], bytes], read: str, write: str, expected: str
) -> None:
    data = office(good(), read, write)
    report = looked_at(data)
    assert report.diagnosis[0].name == expected, report.diagnosis
    check(report, data)


# --- the words


def test_the_proof_names_physical_lines_with_line_breaks_in_cells() -> None:
    data = good()
    text = data.decode().splitlines()
    assert any(line.startswith("Ring twice") for line in text)
    bad = column("PostalCode", lambda code: code.lstrip("0"))
    [one] = looked_at(bad).diagnosis
    for line in one.lines:
        assert re.search(r",[0-9]{4},(US|ES|DE|FR|IT),", text[line - 1].replace(",0", ","))
    joined = looked_at(data + good(seed=9)).diagnosis[0]
    assert joined.lines == (data.count(b"\n") + 1,)


def test_a_diagnosis_stands_in_text_json_and_html() -> None:
    report = looked_at(text_of(table(good()), ";"))
    [one] = report.diagnosis
    assert one == Diagnosis("delimiter-other", "certain", one.sentence, (1,))
    assert report.document()["diagnosis"] == [
        {"name": "delimiter-other", "confidence": "certain", "sentence": one.sentence, "remedy": one.remedy,
         "lines": [1], "file": None}
    ]  # fmt: skip
    for page in (report_text(report), report_html(report)):
        assert "What happened to the file" in page and "cells are separated by semicolons" in page
        assert "delimiter-other, certain" in " ".join(page.split())


@pytest.mark.parametrize(
    ("make", "code", "verdict"),
    [
        (lambda: lettered().encode().decode("cp1252").encode(), "text-garbled", "accepted"),
        (lambda: column("PostalCode", lambda text: text.lstrip("0")), "numbers-rewritten", "accepted"),
        (lambda: header(lambda names: swap(names, "LineNo", "Quantity")), "columns-swapped", "rejected"),
    ],
)
def test_what_no_rule_of_a_format_can_see_is_a_finding_of_its_own(make: Make, code: str, verdict: str) -> None:
    """Once a file, with the first line: a warning where the orders may load, an error where each would be wrong."""
    report = looked_at(make())
    assert [finding.code for finding in report.findings].count(code) == 1
    [finding] = [finding for finding in report.findings if finding.code == code]
    assert finding.place.line and finding.refuses_file == (verdict == "rejected")
    assert report.verdict == verdict


@pytest.mark.parametrize("name", DIAGNOSES)
def test_every_diagnosis_is_explained(name: str, tmp_path: Path) -> None:
    done = fallback("explain", name, folder=tmp_path)
    assert done.code == 0 and done.out.startswith(f"{name}: ") and "remedy" in done.out
    document = fallback("explain", name, "--json", folder=tmp_path).document
    assert [one["name"] for one in document["diagnoses"]] == [name]


def test_of_a_pair_the_damaged_file_is_named() -> None:
    fmt = load_format("order-two-files-csv")
    files = dict(parts_of(fmt.name, orders_of(fmt.name)))
    name = "ACME_ORDERS_20261123T140000Z_000001.csv"
    assert validate(files, format=fmt, name=name).diagnosis == ()
    files["lines"] = files["lines"].replace(b",", b";")
    [one] = validate(files, format=fmt, name=name).diagnosis
    assert (one.name, one.file) == ("delimiter-other", validate(files, format=fmt, name=name).findings[0].place.file)


def test_what_was_declared_and_what_is_on_the_item_list_prove_lost_zeros() -> None:
    order = orders_of("order-lines-csv")[0].model_copy(update={"order_id": "000000042"})
    data = write(CSV, [order]).data
    manifest = manifest_of(CSV, data, [order], FILE, AGREEMENT)
    report = looked_at(data.replace(b"000000042", b"42"), manifest=manifest, agreement=AGREEMENT)
    assert [(one.name, one.confidence) for one in report.diagnosis] == [("taken-for-numbers", "certain")]
    rows = column("SKU", lambda text: text.lstrip("0"))
    skus = {line.sku for one in orders_of("order-lines-csv") for line in one.lines}
    assert any(sku.startswith("0") for sku in skus)
    report = looked_at(rows, skus=skus)
    assert [(one.name, one.confidence) for one in report.diagnosis] == [("taken-for-numbers", "certain")]


def test_the_manifest_names_the_format_and_its_version() -> None:
    manifest = manifest_of(CSV, good(), orders_of("order-lines-csv"), FILE, AGREEMENT)
    for change, expected in ({"version": "2"}, "other-version"), ({"name": "other-csv"}, "other-format"):
        declared = manifest.model_copy(update={"format": manifest.format.model_copy(update=change)})
        report = looked_at(good(), manifest=declared, agreement=AGREEMENT)
        assert [one.name for one in report.diagnosis] == [expected]


# --- good files, and hostile ones


@pytest.mark.soak
@pytest.mark.parametrize("name", shipped())
def test_a_good_file_is_never_diagnosed(name: str) -> None:
    fmt = load_format(name)
    if fmt.direction == "read":
        pytest.skip("a format that is read only: its sample file is tested with the formats")
    chance = random.Random(20261123)
    for _ in range(10_000 // (len(shipped()) - 1) + 1 if soak.ON else 15):
        count = min(chance.choice((1, 2, 5, 30)), fmt.max_orders or 30)
        orders = samples(fmt, count, at=AT, seed=chance.randrange(10**9))
        orders = [_lettered(order, chance) for order in orders]
        made = write(fmt, orders, codes=CODES, key=key)
        if not made.orders:
            continue
        data = made.parts if len(fmt.roles) > 1 else made.data
        report = validate(data, format=fmt, name=name_of(fmt))
        assert report.diagnosis == (), (report.diagnosis, report.findings)


@pytest.mark.soak
@given(data=st.data())
@settings(max_examples=times(1_000))
@pytest.mark.parametrize("name", ["order-lines-csv", "order-header-detail-psv", "order-jsonl"])
def test_whatever_a_record_may_hold_is_not_diagnosed(name: str, data: st.DataObject) -> None:
    fmt = load_format(name)
    report = validate(write(fmt, data.draw(files(fmt))).data, format=fmt, name=FILE)
    assert report.diagnosis == (), (report.diagnosis, report.findings)


_CITIES = (
    "São Paulo",
    "MANHÃ",
    "Łódź",
    "Besançon",
    "Ängelholm",
    "Praha 1",
    "東京",
    "Αθήνα",
    "Boston",
    "Ærøskøbing",
    "Äänekoski",
)


def _lettered(order: Order, chance: random.Random) -> Order:
    """An order with the letters and numbers that real ones have."""
    place = order.ship_to.model_copy(update={"city": chance.choice(_CITIES)})
    number = str(chance.choice((chance.randrange(10**6), 10 ** chance.randrange(3, 18), chance.randrange(10**18))))
    return order.model_copy(update={"ship_to": place, "purchase_order": number if chance.random() < 0.5 else None})


def hostile() -> Iterator[tuple[str, bytes]]:
    head = good().partition(b"\r\n")[0] + b"\r\n"
    yield "one line without end", b"x" * 3_000_000
    yield "quotation marks", head + b'"' * 500_000
    yield "separators", head + b"," * 2_000_000
    yield "empty lines", head + b"\r\n" * 500_000
    yield "carriage returns", b"\r" * 1_000_000
    yield "NUL", bytes(2_000_000)
    yield "brackets", b"[" * 500_000
    yield "braces", b'{"a":' * 200_000
    yield "elements", b"<a>" * 300_000
    yield "garbled letters", "Ã¼Ã¶".encode() * 200_000
    yield "header again and again", head * 3_000
    yield "bytes", bytes(range(256)) * 5_000


@pytest.mark.parametrize(("name", "data"), list(hostile()), ids=[name for name, _ in hostile()])
@pytest.mark.parametrize("fmt", ["order-lines-csv", "order-jsonl", "order-xml"])
def test_a_hostile_file_is_looked_at_and_no_more(name: str, data: bytes, fmt: str) -> None:
    report = looked_at(data, load_format(fmt))
    assert report.orders == () and len(report.diagnosis) <= 3
    assert all(len(one.sentence) < 1_000 for one in report.diagnosis)


# --- repair


def mended(tmp_path: Path, data: bytes, **more: Any) -> Any:
    path = tmp_path / FILE
    path.write_bytes(data)
    return repair(path, format=CSV, **more)


MENDABLE: dict[str, tuple[Make, str]] = {
    "byte order mark": (lambda: b"\xef\xbb\xbf" + good(), "byte order mark"),
    "semicolons": (lambda: text_of(table(good()), ";"), "commas instead of semicolons"),
    "tabs": (lambda: text_of(table(good()), "\t"), "commas instead of tabs"),
    "LF": (lambda: good().replace(b"\r\n", b"\n"), "lines end with CR LF"),
    "CR": (lambda: good().replace(b"\r\n", b"\r"), "lines end with CR LF"),
    "mixed": (lambda: good().replace(b"\r\n", b"\n", 9), "lines end with CR LF"),
    "columns": (lambda: text_of([row[::-1] for row in table(good())]), "columns stand in the agreed order"),
    "UTF-16": (lambda: good().decode().encode("utf-16"), "read as UTF-16"),
    "cp1252": (lambda: good().decode().encode("cp1252"), "read as Windows-1252"),
    "Mac Roman": (lambda: good().decode().encode("mac-roman"), "read as Mac Roman"),
    "mojibake": (lambda: good().decode().encode().decode("cp1252").encode(), "undid letters"),
}


@pytest.mark.parametrize("name", MENDABLE)
@pytest.mark.parametrize("declared", [False, True])
def test_what_is_provable_is_repaired_to_the_byte(name: str, declared: bool, tmp_path: Path) -> None:
    make, words = MENDABLE[name]
    more = {}
    if declared:
        orders = orders_of("order-lines-csv")
        more = {"manifest": manifest_of(CSV, good(), orders, FILE, AGREEMENT), "agreement": AGREEMENT}
    made = mended(tmp_path, make(), **more)
    assert made.data == good()
    assert any(words in step for step in made.done), made.done
    assert (made.proven, made.exit_code) == ("hash" if declared else "validation", 0)
    assert made.after is not None and made.after.verdict == "accepted"


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: column("OrderId", lambda text: f"{int(text):.2E}", delimiter=";"), "cannot be brought back"),
        (lambda: column("PostalCode", lambda text: text.lstrip("0")), "cannot be brought back"),
        (lambda: b"\xef\xbb\xbf" + text_of(table(good()), ";"), "no zero is lost"),
        (lambda: good()[:4000], "upload-cut"),
        (lambda: good() + good(), "file-doubled"),
        (lambda: header(lambda names: swap(names, "City", "PostalCode")), "columns-swapped"),
        (lambda: header(lambda names: swap(names, "Address2", "Address3")), "columns-swapped"),
        (lambda: good().replace(b",EA,", b",", 1), "nothing of what is wrong"),
        (lambda: good().decode().encode("ascii", "ignore").replace(b"Leeds", b"M\x9alln"), "nobody can tell"),
    ],
)
def test_what_is_not_provable_is_not_repaired(make: Make, words: str, tmp_path: Path) -> None:
    made = mended(tmp_path, make())
    assert (made.data, made.done, made.proven, made.exit_code) == (None, (), None, 1)
    assert words in made.left[0], made.left


def test_values_that_differ_from_what_was_declared_are_not_repaired(tmp_path: Path) -> None:
    manifest = manifest_of(CSV, good(), orders_of("order-lines-csv"), FILE, AGREEMENT)
    bad = b"\xef\xbb\xbf" + good().replace(b"Leeds", b"Leads", 1)
    made = mended(tmp_path, bad, manifest=manifest, agreement=AGREEMENT)
    assert (made.data, made.exit_code) == (None, 1) and "values have changed too" in made.left[0]
    made = mended(tmp_path, good(), manifest=manifest, agreement=AGREEMENT, skus={"X"})
    assert made.data is None and "was so before it was sent" in made.left[0]
    with pytest.raises(WrongUse):
        repair(tmp_path / FILE)


def test_formats_of_other_kinds_are_repaired_where_text_is(tmp_path: Path) -> None:
    for name in ("order-jsonl", "order-fixed-width", "order-json", "order-header-detail-psv"):
        fmt, data = load_format(name), good(name)
        path = tmp_path / name
        path.write_bytes(b"\xef\xbb\xbf" + data.replace(b"\n", b"\r\n"))
        made = repair(path, format=fmt)
        assert made.data is not None and made.exit_code == 0, made.left
        assert made.after is not None and made.after.orders == looked_at(data, fmt).orders


def test_the_command_writes_a_new_file_and_never_takes_the_place_of_another(tmp_path: Path) -> None:
    (tmp_path / FILE).write_bytes(text_of(table(good()), ";"))
    args = ("repair", FILE, "--format", "order-lines-csv")
    done = fallback(*args, folder=tmp_path)
    new = tmp_path / f"{Path(FILE).stem}.repaired.csv"
    assert (done.code, done.out) == (0, f"{new.name}\n")
    assert new.read_bytes() == good() and new.stat().st_mode & 0o777 == 0o600
    assert "commas instead of semicolons" in done.err and "nobody can prove" in done.err
    new.write_bytes(b"other")
    done = fallback(*args, folder=tmp_path)
    assert done.code == 7 and "name-taken" in done.err and new.read_bytes() == b"other"
    assert fallback(*args, "--out", FILE, folder=tmp_path).code == 2
    assert fallback(*args, "--agreement", "x", folder=tmp_path).code == 2
    document = fallback(*args, "--out", "new.csv", "--json", folder=tmp_path).document
    assert (document["schema"], document["out"], document["proven"]) == ("fallback.repair/1", "new.csv", "validation")
    assert document["after"]["verdict"] == "accepted" and document["diagnosis"][0]["name"] == "delimiter-other"
    (tmp_path / "marked.csv").write_bytes(b"\xef\xbb\xbf" + good()[:4000])
    done = fallback("repair", "marked.csv", "--format", "order-lines-csv", folder=tmp_path)
    assert (done.code, done.out) == (1, "marked.repaired.csv\n") and "1 finding is left" in done.err
    (tmp_path / "cut.csv").write_bytes(good()[:4000])
    done = fallback("repair", "cut.csv", "--format", "order-lines-csv", folder=tmp_path)
    assert (done.code, done.out) == (1, "") and "Nothing is written" in done.err
    (tmp_path / "good.csv").write_bytes(good())
    done = fallback("repair", "good.csv", "--format", "order-lines-csv", folder=tmp_path)
    assert (done.code, done.out) == (0, "") and "Nothing is wrong" in done.err
    assert fallback("repair", "absent.csv", "--format", "order-lines-csv", folder=tmp_path).code == 3
