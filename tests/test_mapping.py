"""Mapping: tables read strictly and all at once, orders mapped whole or not at all, nothing rounded."""

from __future__ import annotations

import pickle
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fallback.errors import FallbackError
from fallback.findings import Finding
from fallback.mapping import Mapping, Row, Table, load_mapping
from fallback.records.judge import judge
from fallback.records.order import Line, Order, ShipTo


def line(number: int = 1, **change: Any) -> Line:
    return Line(**({"line_id": str(number), "line_number": number, "sku": "0012", "quantity": 12} | change))


def order(*lines: Line, **change: Any) -> Order:
    values: dict[str, Any] = {
        "brand": "acme",
        "platform": "shopify",
        "order_id": "9001",
        "order_number": "#1042",
        "ordered_at": datetime(2026, 11, 23, 14, tzinfo=UTC),
        "currency": "USD",
        "ship_to": ShipTo(name="Nora Quill", address1="18 Harbor Street", city="Portland", country="US"),
        "service": "Standard",
        "lines": lines or (line(),),
    }
    return Order(**(values | change))


@pytest.fixture
def tables(tmp_path: Path) -> Any:
    def load(**texts: str | bytes) -> Mapping:
        paths = {}
        for axis, text in texts.items():
            paths[axis] = tmp_path / f"{axis}.csv"
            paths[axis].write_bytes(text if isinstance(text, bytes) else text.encode())
        return load_mapping(**paths)

    return load


def mapped(mapping: Mapping, one: Order) -> Order:
    result = mapping.apply(one)
    assert isinstance(result, Order), result
    return result


def refused(mapping: Mapping, one: Order) -> list[Finding]:
    result = mapping.apply(one)
    assert isinstance(result, list)
    assert all(finding.order == "#1042" and finding.is_error for finding in result)
    return result


def test_without_tables_an_order_stays_as_it_is() -> None:
    assert mapped(load_mapping(), order()) == order()


def test_names_are_mapped(tables: Any) -> None:
    mapping = tables(
        sku="from,to\n0012,BOWL-S\r\n12,TWELVE\n",
        service='from,to,carrier,note\nStandard,GROUND,UPSN,"the usual, by land"\nExpress,AIR,,\n',
        uom="from,to,factor_num,factor_den\nEA,CS,1,12\nPK,EA,3,1\n",
    )
    result = mapped(mapping, order(line(1), line(2, sku="12", quantity=5, uom="PK")))
    assert [(one.sku, one.quantity, one.uom) for one in result.lines] == [("BOWL-S", 1, "CS"), ("TWELVE", 15, "EA")]
    assert (result.service, result.carrier) == ("GROUND", "UPSN")
    assert mapped(mapping, order(service="Express")).carrier is None
    assert mapped(mapping, order(service="Express", carrier="FDEG")).carrier == "FDEG"


def test_a_table_needs_a_row_for_everything(tables: Any) -> None:
    mapping = tables(
        sku="from,to\nTEE-BLK-M,1\nBOWL,2\n", service="from,to,carrier\nExpress,AIR,\n", uom=UOM + "CS,EA,12,1\n"
    )
    findings = refused(mapping, order(line(1, sku="TEE-M-BLK"), line(2, sku="ZZZ")))
    assert [(finding.code, finding.path, finding.order_line, finding.found) for finding in findings] == [
        ("sku-unmapped", "lines.sku", 1, '"TEE-M-BLK"'),
        ("uom-unmapped", "lines.uom", 1, '"EA"'),
        ("sku-unmapped", "lines.sku", 2, '"ZZZ"'),
        ("uom-unmapped", "lines.uom", 2, '"EA"'),
        ("service-unmapped", "service", None, '"Standard"'),
    ]
    assert findings[0].hint == 'nearest is "TEE-BLK-M"; add a row to sku.csv or correct the order'
    assert findings[0].expected == "a row of sku.csv"
    assert findings[2].hint == "add a row to sku.csv; its owner is named in the agreement"


UOM = "from,to,factor_num,factor_den\n"


def test_names_are_compared_to_the_letter(tables: Any) -> None:
    mapping = tables(sku="from,to\n0012,A\ntee,B\n")
    for sku in ("12", "TEE", "00012", "é"):
        (finding,) = refused(mapping, order(line(sku=sku)))
        assert finding.code == "sku-unmapped"


@pytest.mark.parametrize("status", ["retired", "blocked"])
def test_only_active_rows_map(tables: Any, status: str) -> None:
    mapping = tables(sku=f"from,to,status\n0011,A,active\n0012,B,{status}\n")
    (finding,) = refused(mapping, order())
    assert finding.code == "sku-unmapped"
    assert finding.hint == f"line 3 of sku.csv has it as {status}: its owner decides whether it may ship"
    assert mapped(mapping, order(line(sku="0011"))).lines[0].sku == "A"


@pytest.mark.parametrize(
    ("quantity", "price", "row", "code", "path"),
    [
        (13, None, "EA,CS,1,12", "uom-fraction", "lines.quantity"),
        (1, None, "EA,CS,1,12", "uom-fraction", "lines.quantity"),
        (999_999, None, "EA,PC,2,1", "number-out-of-range", "lines.quantity"),
        (1, "10.00", "EA,PC,3,1", "uom-fraction", "lines.unit_price"),
        (12, "999999999999.00", "EA,CS,1,12", "uom-fraction", "lines.unit_price"),
    ],
)
def test_what_is_not_whole_is_refused(
    tables: Any, quantity: int, price: str | None, row: str, code: str, path: str
) -> None:
    mapping = tables(uom=UOM + row + "\n")
    (finding,) = refused(mapping, order(line(quantity=quantity, unit_price=None if price is None else Decimal(price))))
    assert (finding.code, finding.path, finding.order_line) == (code, path, 1)
    assert finding.found
    assert finding.expected
    assert "being" in finding.expected


@pytest.mark.parametrize(
    ("price", "row", "expected"),
    [
        ("2.50", "EA,CS,1,12", "30.00"),
        ("30.00", "EA,PC,12,1", "2.50"),
        ("1.00", "EA,PC,8,1", "0.125"),
        ("19.90", "EA,PC,1,1", "19.90"),
        ("3", "EA,PC,2,2", "3"),
    ],
)
def test_the_price_follows_the_unit(tables: Any, price: str, row: str, expected: str) -> None:
    result = mapped(tables(uom=UOM + row + "\n"), order(line(unit_price=Decimal(price))))
    assert str(result.lines[0].unit_price) == expected


@given(
    st.integers(1, 999_999),
    st.integers(1, 999_999),
    st.integers(1, 999_999),
    st.none() | st.decimals(0, 10**9, places=2).filter(lambda price: not price.is_signed()),
)
def test_units_and_amounts_are_conserved(quantity: int, num: int, den: int, price: Decimal | None) -> None:
    mapping = Mapping(uom=Table("uom.csv", {"EA": Row("CS", 2, num=num, den=den)}, "0" * 64))
    result = mapping.apply(order(line(quantity=quantity, unit_price=price)))
    if isinstance(result, Order):
        one = result.lines[0]
        assert one.quantity * den == quantity * num
        assert judge(result.model_dump()) == result
        if price is not None:
            assert one.unit_price is not None
            assert one.unit_price * one.quantity == price * quantity
    else:
        assert [finding.code for finding in result] in (["uom-fraction"], ["number-out-of-range"])


# --- tables -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("axis", "text", "fault"),
    [
        ("sku", "", "sku.csv:1: is empty, the header from,to is needed"),
        ("sku", b"\xef\xbb\xbffrom,to\n", "sku.csv:1: begins with a byte order mark"),
        ("sku", b"from,to\na,b\ncaf\xe9,b\n", "sku.csv:3: is not UTF-8"),
        ("sku", "from;to\na;b\n", "sku.csv:1: is separated by semicolons, not by commas"),
        ("sku", "from\tto\n", "sku.csv:1: is separated by tabs, not by commas"),
        ("sku", "a,b\n", "sku.csv:1: the header has no column from, to"),
        ("sku", "from,to,colour\n", 'sku.csv:1: the header has an unknown column "colour"'),
        ("sku", "from,to,to\n", "sku.csv:1: the header names a column twice"),
        ("sku", "from,to\na,b\n\na,c\n", 'sku.csv:4: "a" stands in line 2 already'),
        ("sku", "from,to\n,b\n", "sku.csv:2: from is blank"),
        ("sku", "from,to\na,\n", "sku.csv:2: to is blank"),
        ("sku", "from,to\na \t,b\n", "sku.csv:2: from is"),
        ("sku", "from,to\na, b\n", 'sku.csv:2: to is " b", needed: no white space at the beginning or end'),
        ("sku", f"from,to\na,{'9' * 65}\n", "needed: at most 64 characters"),
        ("sku", "from,to\na,b,c\n", "sku.csv:2: has 3 cells, the header has 2"),
        ("sku", "from,to\na\n", "sku.csv:2: has 1 cells, the header has 2"),
        ("sku", 'from,to\n"a\nb",c\n', "sku.csv:2: from is"),
        ("sku", 'from,to\n"a,b\n', "sku.csv:2: a quotation mark is opened and never closed"),
        ("sku", 'from,to\na,b\n"a"x,b\n', "sku.csv:3: a quotation mark"),
        ("sku", "from,to,status\na,b,\n", 'sku.csv:2: status is ""'),
        ("sku", "from,to,status\na,b,Active\n", 'sku.csv:2: status is "Active", one of active, retired, blocked'),
        ("service", "from,to\n", "service.csv:1: the header has no column carrier"),
        ("service", "from,to,carrier\na,b, UPS\n", 'service.csv:2: carrier is " UPS"'),
        ("uom", "from,to\n", "uom.csv:1: the header has no column factor_num, factor_den"),
        ("uom", UOM + "each,CS,1,12\n", 'uom.csv:2: from is "each", needed: one to three capitals or digits'),
        ("uom", UOM + "EA,CS,1.0,12\n", 'uom.csv:2: factor_num is "1.0", a whole number'),
        ("uom", UOM + "EA,CS,1,0\n", 'uom.csv:2: factor_den is "0"'),
        ("uom", UOM + "EA,CS,1,1000000\n", 'uom.csv:2: factor_den is "1000000"'),
        ("uom", UOM + "EA,CS,1,٣\n", "uom.csv:2: factor_den is"),
    ],
)
def test_a_table_that_is_wrong_is_refused_with_its_line(tables: Any, axis: str, text: str | bytes, fault: str) -> None:
    with pytest.raises(FallbackError) as caught:
        tables(**{axis: text})
    assert (caught.value.code, caught.value.exit_code) == ("map-invalid", 3)
    assert fault in caught.value.message
    assert "1 place(s)" in caught.value.message


def test_every_wrong_line_of_every_table_is_told_at_once(tables: Any) -> None:
    with pytest.raises(FallbackError) as caught:
        tables(sku="from,to\n,\na,b\na,c\n", service="from;to\n", uom=UOM + "EA,CS,x,y\n")
    assert caught.value.message.splitlines() == [
        "the mapping is wrong at 6 place(s):",
        "  sku.csv:2: from is blank",
        "  sku.csv:2: to is blank",
        '  sku.csv:4: "a" stands in line 3 already',
        "  service.csv:1: is separated by semicolons, not by commas",
        '  uom.csv:2: factor_num is "x", a whole number between 1 and 999,999 is needed',
        '  uom.csv:2: factor_den is "y", a whole number between 1 and 999,999 is needed',
    ]


def test_a_table_that_is_wrong_everywhere_is_not_told_for_ever(tables: Any) -> None:
    with pytest.raises(FallbackError) as caught:
        tables(sku="from,to\n" + ",b\n" * 500)
    assert "500 place(s)" in caught.value.message
    assert caught.value.message.endswith("and 480 more")


def test_a_table_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(FallbackError) as caught:
        load_mapping(sku=tmp_path / "absent.csv")
    assert caught.value.code == "file-unreadable"


def test_the_hash_is_of_content_and_axis(tables: Any, tmp_path: Path) -> None:
    text = "from,to,carrier\nA,B,\n"
    first = tables(service=text)
    assert len(first.sha256) == 64
    assert first.sha256 == tables(service=text).sha256
    assert first.sha256 != tables(service=text + "C,D,\n").sha256
    assert first.sha256 != tables(sku="from,to\nA,B\n").sha256 != load_mapping().sha256
    assert pickle.loads(pickle.dumps(first)).sha256 == first.sha256


@given(st.binary(max_size=80))
def test_any_bytes_are_a_table_or_refused(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "any.csv"
    path.write_bytes(b"from,to\n" + data)
    try:
        load_mapping(sku=path)
    except FallbackError as error:
        assert error.code == "map-invalid"
