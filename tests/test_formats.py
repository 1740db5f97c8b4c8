"""Every folder of a shipped format: its golden file byte for byte, its bad files as a person is told of them.

``python -m tests.support.make_formats`` writes them anew; see there.
"""

from __future__ import annotations

import json

import pytest

from fallback.documents.report import Report
from fallback.findings import CATALOGUE
from fallback.formats.library import load_format, shipped, shipped_folder
from fallback.formats.read import read
from fallback.formats.spec import Format
from fallback.formats.write import write
from fallback.records.order import Order
from fallback.records.paths import PATHS, values_of
from fallback.render.html import report_html
from fallback.render.json import document_json
from fallback.render.text import report_text
from fallback.validation import validate
from support.damages import codes_of
from support.make_formats import BRAND, BY_HAND_ONLY, RECIPES, in_folder, made, names, said_of, sample

FOLDERS = {name: shipped_folder() / name for name in shipped()}
FORMATS = {name: load_format(name) for name in FOLDERS}
BAD = [
    (name, file.name.removesuffix(".expected.txt"))
    for name, folder in FOLDERS.items()
    for file in sorted((folder / "bad").glob("*.expected.txt"))
]


def code_in(stem: str) -> str:
    """The code that the name of a bad file begins with."""
    return max((code for code in CATALOGUE if f"{stem}-".startswith(f"{code}-")), key=len)


def report_of(name: str, stem: str) -> Report:
    """What is found in a bad file, opened by its path as a person would."""
    fmt, folder = FORMATS[name], FOLDERS[name] / "bad"
    files = [folder / file for file in names(fmt, stem).values()]
    return validate(next(file for file in files if file.is_file()), format=fmt)


def private_values(orders: list[Order]) -> set[str]:
    """What is a customer's in the sample, without values so short or common that they stand in any text."""
    found = set()
    for order in orders:
        for path, info in PATHS.items():
            for value in values_of(order, path) if info.private else ():
                found |= {value} if isinstance(value, str) else set()
                found |= {text for one in value or () if not isinstance(value, str) for text in (one.name, one.value)}
    return {value for value in found if len(value) > 3}


@pytest.mark.parametrize("name", FOLDERS)
def test_the_folder_is_what_the_program_makes(name: str) -> None:
    """The golden file, the README, the bad files and what is said of each; nothing missing, nothing left over."""
    folder = FOLDERS[name]
    expected = made(folder)
    there = {file: file.read_bytes() for file in [*folder.glob("*"), *folder.glob("bad/*")] if file.is_file()}
    given = {folder / "format.toml", folder / "orders.jsonl"}
    assert set(there) - given == set(expected)
    assert [file.name for file in expected if there[file] != expected[file]] == []


def warnings_of(fmt: Format) -> list[str]:
    """What is said of any file without a manifest."""
    return ["uncounted"] if fmt.uncounted else []


@pytest.mark.parametrize("name", [name for name, fmt in FORMATS.items() if fmt.direction == "both"])
def test_the_golden_file_is_the_sample(name: str) -> None:
    folder, fmt = FOLDERS[name], FORMATS[name]
    golden, orders = in_folder(fmt, folder, "golden"), sample(folder)
    assert write(fmt, orders, codes=codes_of(fmt)).parts == golden
    content = read(fmt, golden, codes=codes_of(fmt), defaults={} if "brand" in fmt.carried else {"brand": BRAND})
    assert content.findings == ()
    assert [one.order for one in content.orders] == orders
    report = validate(golden, format=fmt, name=next(iter(names(fmt, "golden").values())))
    assert (report.verdict, report.diagnosis, list(report.orders)) == ("accepted", (), orders)
    assert [finding.code for finding in report.findings] == warnings_of(fmt)


@pytest.mark.parametrize("name", [name for name, fmt in FORMATS.items() if fmt.direction == "read"])
def test_the_sample_of_a_format_that_is_only_read_gives_its_orders(name: str) -> None:
    folder, fmt = FOLDERS[name], FORMATS[name]
    report = validate(in_folder(fmt, folder, "sample"), format=fmt, name=names(fmt, "sample")["orders"])
    assert report.verdict == "partial"
    assert list(report.orders) == sample(folder)


@pytest.mark.parametrize("name", [name for name, fmt in FORMATS.items() if fmt.status == "verified"])
def test_the_sample_holds_what_is_hard(name: str) -> None:
    text = (FOLDERS[name] / "orders.jsonl").read_text("utf-8")
    orders = [json.loads(line) for line in text.splitlines()]
    assert len(orders) > 5
    for hard in ('"0012"', '"02134"', '"000000003"', "ü", "🎁", r"\n", r"\"", "|", ",", ";", r"\\", "+05:30"):
        assert hard in text
    values = {path for path, info in PATHS.items() if info.level == "line"}
    assert {f"lines.{key}" for order in orders for line in order["lines"] for key in line if line[key]} == values


@pytest.mark.parametrize(("name", "stem"), BAD)
def test_a_bad_file_is_told_of_as_expected(name: str, stem: str) -> None:
    folder, fmt = FOLDERS[name] / "bad", FORMATS[name]
    assert code_in(stem) in {finding.code for finding in report_of(name, stem).findings}
    expected = (folder / f"{stem}.expected.txt").read_text("utf-8")
    assert said_of(fmt, stem, in_folder(fmt, folder, stem)) == expected


@pytest.mark.parametrize(("name", "stem"), BAD)
def test_a_bad_file_gives_no_order_that_was_not_sent(name: str, stem: str) -> None:
    """Whatever is accepted of it is to the letter what was written."""
    originals = sample(FOLDERS[name])
    report = report_of(name, stem)
    assert [order for order in report.orders if order not in originals] == []
    assert len(report.keys) == len(set(report.keys)) == len(report.orders)


@pytest.mark.parametrize(("name", "stem"), BAD)
def test_nothing_of_a_customer_s_is_told_of_a_bad_file(name: str, stem: str) -> None:
    report = report_of(name, stem)
    told = report_text(report, limit=1000) + report_html(report) + document_json(report)
    assert [value for value in private_values(sample(FOLDERS[name])) if value in told] == []


BY_HAND = """
    file-empty encoding-wrong-cp1252 encoding-wrong-utf-16 byte-order-mark nul-character line-ends line-ends-mixed
    file-cut number-invalid number-out-of-range zone-missing date-invalid value-too-long value-missing
    control-character gtin-invalid country-unknown line-doubled row-blank
"""
OF_KIND = {
    "order-lines-csv": """
        header-missing column-missing column-unknown column-renamed column-doubled column-moved delimiter-wrong
        row-cells quote-stray quote-unclosed line-count-lost line-count-cut order-fields-differ scientific-notation
    """,
    "order-header-detail-psv": """
        record-unknown line-orphan line-count-lost order-doubled trailer-missing trailer-differs row-cells
        quote-stray quote-unclosed
    """,
    "order-jsonl": "json-invalid json-key-doubled json-invalid-not-a-number order-doubled value-malformed",
}


@pytest.mark.parametrize("name", BY_HAND_ONLY)
def test_the_bad_files_cover_what_befalls_files(name: str) -> None:
    """The list of damages that every format answers, and those of its kind."""
    there = {stem for format_name, stem in BAD if format_name == name}
    assert set(BY_HAND.split()) | set(OF_KIND[name].split()) <= there
    assert set(RECIPES[name]) <= there


CODES_OF_KIND = {
    "fixed-width": "row-cells record-unknown trailer-missing trailer-differs line-count line-orphan file-cut",
    "json": "document-invalid json-invalid column-unknown trailer-differs line-count line-doubled order-doubled",
    "xml": "xml-invalid xml-forbidden header-missing line-doubled value-malformed",
    "x12": """
        header-missing envelope-wrong transaction-torn trailer-missing unit-count cancellation segment-unknown file-cut
    """,
    "delimited": "file-cut row-cells",
    "two-files": "part-missing line-orphan line-count",
    "header-detail": "line-orphan",
    "order-first-line-csv": "line-count line-doubled value-missing",
    "shopify-orders-csv": "needs-api line-orphan order-fields-differ column-missing value-malformed",
}
"""What bad files there are of a kind, a layout or a format, beyond those that there are of all."""


@pytest.mark.parametrize("name", [name for name in FOLDERS if name not in BY_HAND_ONLY])
def test_the_bad_files_of_a_format_have_the_codes_of_its_kind(name: str) -> None:
    fmt = FORMATS[name]
    needed = " ".join(CODES_OF_KIND.get(key, "") for key in (fmt.kind, fmt.layout, name)).split()
    codes = {code_in(stem) for format_name, stem in BAD if format_name == name}
    assert {"byte-order-mark", "encoding-wrong", "number-invalid", *needed} <= codes
