"""Every folder of a shipped format: its golden file byte for byte, its bad files as a person is told of them.

``python -m tests.support.make_formats`` writes them anew; see there.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from fallback.findings import CATALOGUE
from fallback.formats.library import load_format, shipped, shipped_folder
from fallback.formats.read import read
from fallback.formats.write import write
from fallback.records.order import Order
from fallback.records.paths import PATHS, values_of
from fallback.render.html import report_html
from fallback.render.json import document_json
from fallback.render.text import report_text
from fallback.validation import validate
from support.make_formats import RECIPES, extension, made, said_of, sample

FOLDERS = {name: shipped_folder() / name for name in shipped()}
BAD = [
    pytest.param(name, file, id=f"{name}-{file.stem}")
    for name, folder in FOLDERS.items()
    for file in sorted((folder / "bad").glob("*"))
    if not file.name.endswith(".expected.txt")
]


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


@pytest.mark.parametrize("name", FOLDERS)
def test_the_golden_file_is_the_sample(name: str) -> None:
    folder = FOLDERS[name]
    fmt = load_format(name)
    golden = (folder / f"golden.{extension(fmt)}").read_bytes()
    assert write(fmt, sample(folder)).data == golden
    content = read(fmt, golden)
    assert content.findings == ()
    assert [one.order for one in content.orders] == sample(folder)
    report = validate(golden, format=fmt)
    assert (report.verdict, report.findings, report.diagnosis) == ("accepted", (), ())


def test_the_sample_holds_what_is_hard() -> None:
    for folder in FOLDERS.values():
        text = (folder / "orders.jsonl").read_text("utf-8")
        orders = [json.loads(line) for line in text.splitlines()]
        assert len(orders) > 5
        for hard in ('"0012"', '"02134"', '"000000003"', "ü", "🎁", r"\n", r"\"", "|", ",", ";", r"\\", "+05:30"):
            assert hard in text
        values = {path for path, info in PATHS.items() if info.level == "line"}
        assert {f"lines.{key}" for order in orders for line in order["lines"] for key in line if line[key]} == values


@pytest.mark.parametrize(("name", "file"), BAD)
def test_a_bad_file_is_told_of_as_expected(name: str, file: Path) -> None:
    fmt = load_format(name)
    report = validate(file, format=fmt)
    code = max((code for code in CATALOGUE if f"{file.stem}-".startswith(f"{code}-")), key=len)
    assert code in {finding.code for finding in report.findings}
    assert said_of(fmt, file, file.read_bytes()) == file.with_suffix(".expected.txt").read_text("utf-8")


@pytest.mark.parametrize(("name", "file"), BAD)
def test_a_bad_file_gives_no_order_that_was_not_sent(name: str, file: Path) -> None:
    """Whatever is accepted of it is to the letter what was written."""
    originals = sample(FOLDERS[name])
    report = validate(file, format=load_format(name))
    assert [order for order in report.orders if order not in originals] == []
    assert len(report.keys) == len(set(report.keys)) == len(report.orders)


@pytest.mark.parametrize(("name", "file"), BAD)
def test_nothing_of_a_customer_s_is_told_of_a_bad_file(name: str, file: Path) -> None:
    report = validate(file, format=load_format(name))
    told = report_text(report, limit=1000) + report_html(report) + document_json(report)
    assert [value for value in private_values(sample(FOLDERS[name])) if value in told] == []


@pytest.mark.parametrize("name", FOLDERS)
def test_the_bad_files_cover_what_befalls_files(name: str) -> None:
    """The list of damages that every format answers, and those of its kind."""
    common = """
        file-empty encoding-wrong-cp1252 encoding-wrong-utf-16 byte-order-mark nul-character line-ends line-ends-mixed
        file-cut number-invalid number-out-of-range zone-missing date-invalid value-too-long value-missing
        control-character gtin-invalid country-unknown line-doubled row-blank
    """
    of_kind = {
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
    there = {file.stem for file in FOLDERS[name].glob("bad/*") if not file.name.endswith(".txt")}
    assert set(common.split()) | set(of_kind.get(name, "").split()) <= there
    assert set(RECIPES.get(name, {})) <= there
