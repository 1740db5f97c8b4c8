"""The scope sheet of a format: page, JSON Schema and Table Schema say what the program does."""

from __future__ import annotations

import json
import re
import shutil
from datetime import UTC, datetime
from pathlib import Path

import jsonschema
import pytest
from frictionless import Package, system

from cli_kit import fallback
from fallback.errors import FallbackError
from fallback.formats.defaults import as_carried
from fallback.formats.describe import proofs
from fallback.formats.library import load_format, shipped, shipped_folder
from fallback.formats.samples import fitting, sample_codes
from fallback.formats.scope import data_package, json_schema, sheet
from fallback.formats.spec import Format

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
FORMATS = {name: load_format(name) for name in shipped()}


def is_table(fmt: Format) -> bool:
    try:
        data_package(fmt, fmt.roles)
    except FallbackError:
        return False
    return True


TABLES = [name for name, fmt in FORMATS.items() if is_table(fmt)]


# --- the page


@pytest.mark.parametrize("name", FORMATS)
def test_the_sheet_has_every_field_with_what_it_means(name: str) -> None:
    fmt = FORMATS[name]
    rows = sheet(fmt, fitting(fmt, 9, codes=sample_codes(fmt), key=str, at=NOON) if fmt.direction == "both" else ())
    assert [row["name"] for row in rows] == [field.name for field in fmt.all_fields]
    assert all(row["meaning"] and row["path"] and row["type"] for row in rows)
    for row, field in zip(rows, fmt.all_fields, strict=True):
        assert row["required"] == ("yes" if field.required else "")
        if fmt.direction == "both" and field.required and field.info is not None:
            assert row["example"], row
            assert not field.allowed or row["example"] in field.allowed


def test_the_page_is_one_file_with_every_field_and_a_place_to_sign(tmp_path: Path) -> None:
    page = fallback("formats", "scope", "order-header-detail-psv", "--as", "html", folder=tmp_path).out
    assert page.startswith("<!doctype html>")
    for field in FORMATS["order-header-detail-psv"].all_fields:
        assert f'<span class="name">{field.name}</span>' in page
    assert "Rows T: one at the end of the file" in page
    assert "For the warehouse: name, date, signature" in page
    assert "`" not in re.sub(r"<style>.*</style>", "", page, flags=re.DOTALL)
    for proof in proofs(FORMATS["order-header-detail-psv"]):
        assert f"<li>{proof}</li>" in page.replace("&#39;", "'")


# --- JSON Schema


@pytest.mark.parametrize("name", [name for name, fmt in FORMATS.items() if fmt.direction == "both"])
def test_orders_that_a_format_carries_are_valid_by_its_json_schema(name: str) -> None:
    fmt = FORMATS[name]
    schema = json_schema(fmt)
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema, format_checker=jsonschema.FormatChecker())
    orders = fitting(fmt, 20, codes=sample_codes(fmt), key=lambda order: order.order_id, at=NOON)
    assert orders
    for order in orders:
        validator.validate(json.loads(as_carried(order, fmt).model_dump_json()))


@pytest.mark.parametrize(
    ("change", "valid"),
    [
        ({}, True),
        ({"order_number": "1" * 41}, False),
        ({"revision": 0}, False),
        ({"colour": "red"}, False),
        ({"service": None}, False),
        ({"currency": "XYZ"}, False),
        ({"currency": None}, True),
    ],
)
def test_the_json_schema_demands_what_the_fields_demand(change: dict[str, object], valid: bool) -> None:
    fmt = FORMATS["order-lines-csv"]
    [order] = fitting(fmt, 1, codes={}, key=str, at=NOON)
    content = json.loads(order.model_dump_json()) | change
    assert jsonschema.Draft202012Validator(json_schema(fmt)).is_valid(content) == valid


def test_what_is_dropped_by_agreement_cannot_stand_in_an_order() -> None:
    fmt = next(fmt for fmt in FORMATS.values() if "currency" in fmt.drops and "lines.unit_price" in fmt.drops)
    schema = json_schema(fmt)
    assert schema["properties"]["currency"]["const"] is None
    assert schema["$defs"]["Line"]["properties"]["unit_price"]["const"] is None


# --- Table Schema, as Frictionless reads it


def errors_of(folder: Path, fmt: Format, files: list[Path]) -> list[str]:
    """What Frictionless says against the files of a format."""
    for file in files:
        shutil.copy(file, folder / file.name)
    package = data_package(fmt, [file.name for file in files])
    (folder / "datapackage.json").write_text(json.dumps(package), "utf-8")
    with system.use_context(trusted=True):
        found = Package(str(folder / "datapackage.json")).validate()
    return [error.type for one in (found, *found.tasks) for error in one.errors]


def files_of(folder: Path, fmt: Format) -> dict[str, list[Path]]:
    """The files of a folder by what they show; of a pair both, orders first."""
    found: dict[str, list[Path]] = {}
    for file in sorted(folder.glob("*"), key=lambda file: "_LINES_" in file.name):
        if file.suffix in (".csv", ".tsv", ".txt", ".psv") and not file.name.endswith(".expected.txt"):
            found.setdefault(re.sub(r"(_[A-Z]+)*_(ORDERS|LINES)_.*", "", file.stem), []).append(file)
    return {name: files for name, files in found.items() if len(files) == len(fmt.roles)}


@pytest.mark.filterwarnings("ignore")  # of libraries below Frictionless
@pytest.mark.parametrize("name", TABLES)
def test_frictionless_accepts_the_golden_file(name: str, tmp_path: Path) -> None:
    files = files_of(shipped_folder() / name, FORMATS[name])["golden"]
    assert errors_of(tmp_path, FORMATS[name], files) == []


CANNOT = {
    "line-ends": "a line end is the reader's affair, any is taken",
    "byte-order-mark": "a mark before the first name is taken off",
    "quote-stray": "the reader of CSV makes something of any quotation mark",
    "line-count": "a rule between rows",
    "unit-count": "a rule between rows",
    "line-orphan": "a rule between rows: which order a row without one belongs to",
    "line-doubled": "a rule between rows, where nothing in the row tells the lines apart",
    "order-doubled": "a rule between rows, where nothing in the row tells the orders apart",
    "order-fields-differ": "a rule between rows",
    "rows-apart": "a rule between rows",
    "value-missing-first-row-lost": "which row is the first of its order is a rule between rows",
    "currency-missing": "a rule between cells",
    "marker-wrong": "a rule between the cells and the name of the file",
    "file-empty-header-only": "a table without rows is a table",
    "gtin-invalid": "a check digit is no pattern",
    "scientific-notation": "what a spreadsheet made of a number is a text like another",
    "date-invalid-day": "where several forms of a date are agreed, it is a text",
}
"""Which bad files a Table Schema cannot tell, by the beginning of their names, and why."""

BAD = [
    pytest.param(name, files, id=f"{name}-{what}")
    for name in TABLES
    for what, files in files_of(shipped_folder() / name / "bad", FORMATS[name]).items()
    if not what.startswith(tuple(CANNOT))
]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("name", "files"), BAD)
def test_frictionless_refuses_each_bad_file_that_a_table_schema_can_tell(
    name: str, files: list[Path], tmp_path: Path
) -> None:
    assert errors_of(tmp_path, FORMATS[name], files) != []


def test_most_bad_files_can_be_told() -> None:
    assert len(TABLES) >= 9
    assert len(BAD) > 100


@pytest.mark.parametrize("name", ["order-jsonl", "order-header-detail-psv", "spherewms-ord", "shopify-orders-csv"])
def test_what_is_no_table_with_one_header_row_is_said(name: str, tmp_path: Path) -> None:
    done = fallback("formats", "scope", name, "--as", "data-package", folder=tmp_path)
    assert done.code == 3
    assert "a Table Schema cannot say it" in done.err


def test_a_data_package_names_the_files_that_are_given(tmp_path: Path) -> None:
    def package(*args: str) -> list[str]:
        done = fallback("formats", "scope", *args, "--as", "data-package", folder=tmp_path)
        return [one["path"] for one in done.document["resources"]]

    assert package("order-lines-csv") == ["orders.csv"]
    assert package("order-lines-csv", "--file", "a.csv") == ["a.csv"]
    assert package("peoplevox") == ["orders.csv", "lines.csv"]
    assert package("peoplevox", "--file", "a.csv", "--file", "b.csv") == ["a.csv", "b.csv"]
    assert (
        fallback("formats", "scope", "peoplevox", "--as", "data-package", "--file", "a.csv", folder=tmp_path).code == 2
    )
