"""Writing and validating a fallback file, beside a bare pass of the csv module over the same bytes: the floor."""

from __future__ import annotations

import csv
import io

import pytest

from conftest import Measure, file_of, orders_of
from fallback.formats.library import load_format
from fallback.formats.write import write
from fallback.validation import validate

SIZES = {1_000: 15, 10_000: 7, 100_000: 3}
sizes = pytest.mark.parametrize(("lines", "rounds"), SIZES.items(), ids=[f"{lines:,} lines" for lines in SIZES])


@sizes
def test_write(measure: Measure, lines: int, rounds: int) -> None:
    fmt, orders = load_format("order-lines-csv"), orders_of(lines)
    made = measure(f"write {lines:,} lines", "fallback", lambda: write(fmt, orders), rounds=rounds)
    assert made.data.count(b"\r\n") > lines
    assert not made.findings


@sizes
def test_write_by_the_csv_module(measure: Measure, lines: int, rounds: int) -> None:
    rows = list(csv.reader(io.StringIO(file_of(lines).decode(), newline="")))

    def floor() -> bytes:
        text = io.StringIO()
        csv.writer(text).writerows(rows)
        return text.getvalue().encode()

    assert measure(f"write {lines:,} lines", "csv module", floor, rounds=rounds) == file_of(lines)


@sizes
def test_validate(measure: Measure, lines: int, rounds: int) -> None:
    fmt, data = load_format("order-lines-csv"), file_of(lines)
    report = measure(f"validate {lines:,} lines", "fallback", lambda: validate(data, format=fmt), rounds=rounds)
    assert (report.verdict, report.records) == ("accepted", lines)


@sizes
def test_read_by_the_csv_module(measure: Measure, lines: int, rounds: int) -> None:
    data = file_of(lines)

    def floor() -> int:
        return sum(1 for _ in csv.reader(io.StringIO(data.decode(), newline="")))

    assert measure(f"validate {lines:,} lines", "csv module", floor, rounds=rounds) == lines + 1
