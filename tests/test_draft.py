"""A draft format from a sample file: right guesses, marked doubts, and nothing of a customer in it."""

from __future__ import annotations

import gzip
import re
import tomllib
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli_kit import fallback
from fallback.errors import FallbackError
from fallback.formats.contradictions import TO_DO
from fallback.formats.draft import draft
from fallback.formats.library import load_format, shipped_folder
from fallback.formats.read import read
from fallback.formats.samples import fitting, sample_codes
from fallback.formats.sniff import MOST_BYTES, sniff
from fallback.formats.write import write
from fallback.records.order import PRIVATE_PATHS
from fallback.records.paths import values_of

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


def drafted(data: bytes) -> dict[str, Any]:
    return tomllib.loads(draft(data, "partner-orders"))


def sample_of(name: str) -> bytes:
    fmt = load_format(name)
    orders = fitting(fmt, 12, codes=sample_codes(fmt), key=str, at=NOON)
    return write(fmt, orders, codes=sample_codes(fmt), key=str).data


# --- what is guessed

RECOGNISED = {
    "order-lines-csv": 41, "order-first-line-csv": 41, "shipstation-csv": 24, "amazon-mcf-flat": 18,
    "odoo-sale-order-csv": 15, "shipstream-redstag-csv": 14, "shipwire-tsv": 18,
}  # fmt: skip
"""How many columns of a format are recognised at the least."""


@pytest.mark.parametrize("name", RECOGNISED)
def test_columns_of_known_files_are_recognised(name: str) -> None:
    fmt = load_format(name)
    said = drafted(sample_of(name))
    guessed = {field["name"]: field["path"] for field in said["fields"] if "path" in field}
    right = {field.name: field.path for field in fmt.all_fields if field.path}
    assert sum(right.get(name) == path for name, path in guessed.items()) >= RECOGNISED[name]
    assert {name: path for name, path in guessed.items() if right.get(name) != path and name != "name"} == {}
    assert [field["name"] for field in said["fields"]] == [field.name for field in fmt.fields]
    header = {"required": "required", "bracketed": "bracketed"}[fmt.delimited.header]
    assert (said["delimited"]["delimiter"], said["delimited"]["header"]) == (fmt.delimited.delimiter, header)
    assert said["layout"] == fmt.layout


def test_a_draft_of_our_own_golden_file_reads_it(tmp_path: Path) -> None:
    """Only the title is left to do; then the draft reads the file as the format does."""
    golden = (shipped_folder() / "order-lines-csv" / "golden.csv").read_bytes()
    assert fallback("formats", "new", shipped_folder() / "order-lines-csv" / "golden.csv", "--out", "format.toml",
                    folder=tmp_path).code == 0  # fmt: skip
    refused = fallback("formats", "check", "format.toml", folder=tmp_path)
    assert refused.code == 3
    assert "at 1 place(s)" in refused.err or "title: CHECK" in refused.err
    file = tmp_path / "format.toml"
    file.write_text(re.sub(f'"{TO_DO}"', '"Something"', file.read_text("utf-8")), "utf-8")
    mine = load_format(file)
    ours = read(load_format("order-lines-csv"), golden)
    theirs = read(mine, golden)
    assert [one.order for one in theirs.orders] == [one.order for one in ours.orders]
    said = fallback("formats", "check", "format.toml", folder=tmp_path)
    assert said.code == 0, said.err
    assert f"lines still marked {TO_DO}" in said.out


HEADER = "Order No,Order Date,SKU,Qty,Country\r\n"


def rows(date: str = "2026-11-23T10:00:00Z", quantity: str = "1", country: str = "US") -> bytes:
    return f"{HEADER}A-1,{date},0012,{quantity},{country}\r\nA-2,{date},0013,{quantity},{country}\r\n".encode()


@pytest.mark.parametrize(
    ("date", "pattern", "more"),
    [
        ("2026-11-23T10:00:00Z", "iso8601", {}),
        ("2026-11-23 10:00:00", "%Y-%m-%d %H:%M:%S", {"zone": "UTC"}),
        ("2026-11-23", "%Y-%m-%d", {"zone": "UTC", "coarse": True}),
        ("23/11/2026", "%d/%m/%Y", {"zone": "UTC", "coarse": True}),
        ("11/23/2026 10:00", "%m/%d/%Y %H:%M", {"zone": "UTC", "coarse": True}),
        ("23.11.2026", "%d.%m.%Y", {"zone": "UTC", "coarse": True}),
        ("20261123", "%Y%m%d", {"zone": "UTC", "coarse": True}),
        ("20261123100000", "%Y%m%d%H%M%S", {"zone": "UTC"}),
    ],
)
def test_the_form_of_a_date_is_guessed(date: str, pattern: str, more: dict[str, object]) -> None:
    field = next(one for one in drafted(rows(date))["fields"] if one["name"] == "Order Date")
    assert {key: field[key] for key in field.keys() & {"date", "zone", "coarse"}} == {"date": pattern, **more}


def test_doubts_are_marked() -> None:
    def text(data: bytes) -> str:
        return draft(data, "x")

    assert "or %d/%m/%Y" in text(rows("03/04/2026"))
    assert "in no form of date that is known" in text(rows("next week"))
    assert "whole number in plain digits" in text(rows(quantity="2.0"))
    assert "no two-letter country codes" in text(rows(country="USA"))
    assert "several kinds of line end" in text(rows().replace(b"\r\n", b"\n", 1))
    assert "probably cp1252" in text(rows(country="Österreich").decode().encode("cp1252"))
    assert "rows have 4 to 5 cells" in text(rows() + b"A-3,x,y,1\r\n")
    for path in ("ship_to.name", "ship_to.address1"):
        assert f"no column was recognised as {path}, which every order needs" in text(rows())


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (rows(), {"delimiter": ",", "quoting": "minimal", "header": "required"}),
        (rows().replace(b",", b";"), {"delimiter": ";", "quoting": "minimal", "header": "required"}),
        (rows().replace(b",", b"|"), {"delimiter": "|", "quoting": "minimal", "header": "required"}),
        (rows().replace(b",", b"\t"), {"delimiter": "\t", "quoting": "minimal", "header": "required"}),
        (b'"Order","SKU"\n"1","A, B"\n', {"delimiter": ",", "quoting": "all", "header": "required"}),
        (b'Order|SKU\n1|6" pipe\n', {"delimiter": "|", "quoting": "none", "header": "required"}),
        (b"; a note\n[order_no]\t[sku]\n1\tA\n",
         {"delimiter": "\t", "quoting": "minimal", "header": "bracketed", "comment": ";"}),
        (b"1001,Jane Roe,SKU-1,2\n1002,Joe Doe,SKU-2,1\n",
         {"delimiter": ",", "quoting": "minimal", "header": "forbidden"}),
    ],
)  # fmt: skip
def test_the_dialect_is_guessed(data: bytes, expected: dict[str, str]) -> None:
    assert drafted(data)["delimited"] == expected


@pytest.mark.parametrize(("newline", "end"), [("crlf", "\r\n"), ("lf", "\n"), ("cr", "\r")])
def test_line_ends_are_seen_outside_of_quotation_marks(newline: str, end: str) -> None:
    data = f'Order,Notes{end}1,"a\nb"{end}2,"c\nd"{end}'.encode()
    assert drafted(data)["newline"] == newline
    assert "several kinds" not in draft(data, "x")


def test_a_byte_order_mark_is_part_of_the_encoding() -> None:
    assert drafted(b"\xef\xbb\xbf" + rows())["encoding"] == "utf-8-sig"
    assert drafted(b"\xef\xbb\xbf" + rows())["fields"][0]["name"] == "Order No"


# --- what is no sample

HOSTILE: dict[str, tuple[bytes, str]] = {
    "nothing": (b"", "is empty"),
    "a byte order mark": (b"\xef\xbb\xbf", "is empty"),
    "blank lines": (b"\r\n \r\n\r\n", "is empty"),
    "a header only": (HEADER.encode(), "has a header and no row to learn from"),
    "bytes": (bytes(range(256)) * 9, "holds bytes that no text has"),
    "UTF-16": (rows().decode().encode("utf-16"), "is UTF-16 text"),
    "UTF-16 without its mark": (rows().decode().encode("utf-16-le"), "holds bytes that no text has"),
    "packed": (gzip.compress(rows()), "is packed, or a spreadsheet"),
    "a spreadsheet": (b"PK\x03\x04 xl/workbook.xml", "is packed, or a spreadsheet"),
    "one column": (b"OrderNo\n1001\n1002\n", "it has one column"),
    "5,000 columns": (b",".join(b"c%d" % n for n in range(5000)) + b"\n" + b"," * 4999 + b"\n", "has 5,000 columns"),
    "a first row without an end": (b"a," * MOST_BYTES, "has a first row of more than 1,048,576 bytes"),
    "a cell without an end": (b"a,b\n" + b'1,"' + b"x" * 200_000 + b"\n", "has a row of more than 131,072 characters"),
    "two columns of one name": (b"Order,SKU,Qty,Qty\n1,a,2,2\n", 'has two columns called "Qty"'),
    "rows of several types": (b"H|1001|Roe|US\nD|1|A\nD|2|B\nH|1002|Doe|US\nD|1|C\n", "rows of several types"),
    "XML": (b"<?xml version='1.0'?><Orders a='1,2'/>\n", "is XML"),
    "JSON": (b'{"orders": [1, 2]}\n', "is JSON"),
    "a list in JSON": (b'[{"order": 1, "x": 2}]\n', "is JSON"),
    "X12": (b"ISA*00*          *00*", "is X12"),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_what_is_no_sample_is_said_in_words(case: str, tmp_path: Path) -> None:
    data, words = HOSTILE[case]
    (tmp_path / "their.csv").write_bytes(data)
    done = fallback("formats", "new", "their.csv", "--out", "format.toml", folder=tmp_path)
    assert done.code == 3
    assert done.err.startswith("file-unreadable: their.csv")
    assert words in done.err
    assert not (tmp_path / "format.toml").exists()


def test_what_cannot_be_read_is_said_in_words(tmp_path: Path) -> None:
    assert fallback("formats", "new", "nix.csv", folder=tmp_path).code == 3
    assert fallback("formats", "new", ".", folder=tmp_path).code == 3
    (tmp_path / "a.csv").write_bytes(rows())
    assert fallback("formats", "new", "a.csv", "--name", "No Name", folder=tmp_path).code == 2
    assert fallback("formats", "new", "a.csv", "--out", "a.csv/x.toml", folder=tmp_path).code == 3


def test_a_file_that_is_there_is_never_replaced(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(rows())
    (tmp_path / "format.toml").write_text("mine", "utf-8")
    done = fallback("formats", "new", "a.csv", "--out", "format.toml", folder=tmp_path)
    assert done.code == 7
    assert (tmp_path / "format.toml").read_text("utf-8") == "mine"
    assert fallback("formats", "new", "a.csv", "--out", "a.csv", folder=tmp_path).code == 7
    assert (tmp_path / "a.csv").read_bytes() == rows()


def test_a_long_file_is_known_by_its_beginning() -> None:
    long = HEADER.encode() + rows()[len(HEADER) :] * 30_000
    assert len(long) > MOST_BYTES
    assert drafted(long)["fields"] == drafted(rows())["fields"]


@pytest.mark.parametrize("name", ["order-lines-csv", "amazon-mcf-flat", "shipstation-csv", "shipwire-tsv"])
def test_nothing_of_a_customer_is_in_a_draft(name: str) -> None:
    fmt = load_format(name)
    orders = fitting(fmt, 12, codes=sample_codes(fmt), key=str, at=NOON)
    data = write(fmt, orders, codes=sample_codes(fmt), key=str).data
    headless = data.split(b"\r\n" if b"\r\n" in data else b"\n", 1)[1]
    said = draft(data, "x") + draft(headless, "x")
    values = {value for order in orders for path in PRIVATE_PATHS for value in values_of(order, path)}
    assert [value for value in values if isinstance(value, str) and len(value) > 3 and value in said] == []


def test_a_customer_in_the_header_is_not_repeated() -> None:
    said = draft(b"Order No,SKU,Quantity,jane.roe@example.com,+1 555 0100\r\n1,A,2,x,y\r\n", "x")
    assert "jane" not in said
    assert "555" not in said
    assert '"column4"' in said


# --- whatever it is


@given(st.binary(max_size=300))
def test_any_bytes_make_a_draft_or_an_error_in_words(data: bytes) -> None:
    try:
        text = draft(data, "x", "a.csv")
    except FallbackError as error:
        assert error.code == "file-unreadable"
    else:
        assert tomllib.loads(text)["name"] == "x"


CELLS = st.text(st.one_of(st.sampled_from('",;|\t\r\n\\#[]@'), st.characters(codec="utf-8", exclude_categories=["Cc"])))


@given(st.lists(st.lists(CELLS, min_size=1, max_size=5), min_size=1, max_size=6), st.sampled_from(",;\t|"))
def test_any_text_makes_a_draft_or_an_error_in_words(table: list[list[str]], delimiter: str) -> None:
    data = "\n".join(delimiter.join(row) for row in table).encode()
    try:
        text = draft(data, "x", "a.csv")
    except FallbackError as error:
        assert error.code == "file-unreadable"
    else:
        names = [field["name"] for field in tomllib.loads(text)["fields"]]
        assert len(set(names)) == len(names)


def test_what_is_known_decides_what_a_header_is() -> None:
    data = b"alpha,beta\ngamma,delta\n"
    assert sniff(data, "x", lambda _: False).header == "forbidden"
    assert sniff(data, "x", lambda text: text == "alpha").header == "required"
