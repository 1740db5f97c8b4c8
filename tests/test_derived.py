"""Every rule of every declaration is tried, on the way out and on the way in, and answered in plain words.

The cases are made from the declarations: a field that is added is tried without a line being written here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from fallback.errors import FallbackError
from fallback.findings import CATALOGUE, Finding
from fallback.formats.kinds import kind_of
from fallback.formats.library import load_format, shipped
from fallback.formats.read import ReadFile, read
from fallback.formats.shape import Column, shape_of
from fallback.formats.soundness import mistakes
from fallback.formats.spec import Field, Format
from fallback.formats.write import write
from fallback.records.order import Line, Order, Property, ShipTo
from fallback.records.paths import PATHS
from fallback.render.text import finding_text
from support.strategies import variant

CSV, PSV, JSONL = (load_format(f"order-{name}") for name in ("lines-csv", "header-detail-psv", "jsonl"))

NAME = "Zebulon Kanarienvogel"
AT = datetime(2026, 11, 23, 14, tzinfo=UTC)


def full_order(number: str = "1001") -> Order:
    """An order in which every field has a value."""
    line = Line(
        line_id="11", line_number=1, sku="0012", gtin="4006381333931", description="Tape", quantity=2, uom="CS",
        unit_price=Decimal("19.90"), lot="L1", expires_after=date(2027, 6, 30), hs_code="701328", origin_country="PT",
        properties=(Property(name="Engraving", value=NAME),),
    )  # fmt: skip
    return Order(
        brand="acme", platform="shopify", order_id=number, order_number=f"#{number}", group="G1", revision=2,
        ordered_at=AT, ship_not_before=AT, ship_by=AT, cancel_after=AT, purchase_order="PO1", currency="EUR",
        ship_to=ShipTo(
            name=NAME, company="Company", address1="12 Canary Street", address2="Apt 4", address3="Hof", city="Boston",
            region="MA", postal_code="02134", country="US", phone="+1 617 555 0101", email="canary@example.com",
        ),
        service="STD", carrier="UPSN", instructions="Ring", gift_message="Yours", lines=(line,),
    )  # fmt: skip


PRIVATE = (NAME, "Kanarienvogel", "Canary Street", "617 555", "canary@example.com")

MACHINE_WORDS = re.compile(
    r"pydantic|validation error|Input should|should be a valid|ensure this|Value error|\bNone\b|<class|\bstr\b|\bdict\b"
    r"|NoneType|ValueError|KeyError|Traceback|Decimal\(|datetime|\bOrder\(|\bLine\(|ShipTo\(|object at 0x|__"
)


def assert_plain(findings: Iterable[Finding]) -> None:
    """Each finding is in words for a person, says what to do, and tells nothing of a customer."""
    for finding in findings:
        text = finding_text(finding)
        assert not MACHINE_WORDS.search(text), text
        assert finding.code in CATALOGUE and (finding.expected or finding.found)
        assert [value for value in PRIVATE if value in text] == []


# --- texts put in the place of one field's, on the way in


@dataclass(frozen=True)
class Case:
    fmt: Format
    row: int
    column: Column

    @property
    def name(self) -> str:
        return f"{self.fmt.name}-{self.fmt.rows[self.row].tag or 'row'}-{self.column.field.name}"


def cases(*formats: Format) -> list[Case]:
    return [
        Case(fmt, row, column)
        for fmt in formats
        for row, shape in enumerate(shape_of(fmt).rows)
        for column in shape.columns
        if not shape.spec.trailer
    ]


def without_closing_row(fmt: Format) -> Format:
    """The counts of a closing row would tell of most damages too; they have tests of their own."""
    return variant(fmt, {"records": [row.model_dump() for row in fmt.records if not row.trailer]})


SHIPPED = cases(*(without_closing_row(load_format(name)) for name in shipped()))


def with_text(case: Case, text: Any) -> bytes:
    """A file of two orders; in the first one, the field holds this text, or in JSON this value.

    A detail row that repeats the field holds it too, as a sender would write it.
    """
    fmt = case.fmt
    rows = list(_rows(fmt, write(fmt, [full_order(), full_order("1002")]).data))
    at = next(index for index, (row_type, _) in enumerate(rows) if row_type == case.row)
    _, cells = rows[at]
    if fmt.kind == "json-lines":
        _set(cells, case.column.field.name.split("."), text)
    else:
        for index in _same_order(case, rows, at):
            repeated = next(
                c for c in shape_of(fmt).rows[rows[index][0]].columns if c.field.path == case.column.field.path
            )
            rows[index][1][repeated.index] = text
    return "".join(kind_of(fmt).write(rows, fmt)).encode(fmt.encoding)


def _same_order(case: Case, rows: list[tuple[int, Any]], at: int) -> list[int]:
    """The rows that repeat the field of the row ``at``, itself included."""
    repeating = [
        index
        for index, row in enumerate(shape_of(case.fmt).rows)
        if any(column.field.path == case.column.field.path for column in row.columns)
    ]
    if case.column.of_line or case.row or not case.fmt.records:
        return [at]
    end = next((index for index in range(at + 1, len(rows)) if rows[index][0] == case.row), len(rows))
    return [at, *(index for index in range(at + 1, end) if rows[index][0] in repeating)]


def _rows(fmt: Format, data: bytes) -> Iterable[tuple[int, Any]]:
    for item in kind_of(fmt).read(data.decode(fmt.encoding), fmt):
        yield item.type, item.cells


def _set(content: Any, parts: list[str], value: Any) -> None:
    for part in parts[:-1]:
        content = content[part][0] if isinstance(content[part], list) else content[part]
    content[parts[-1]] = value


def content_of(case: Case, text: Any) -> ReadFile:
    return read(case.fmt, with_text(case, text), name="file")


def assert_refused(case: Case, content: ReadFile, *codes: str) -> None:
    """The first order is refused for one of these reasons, with one finding; the second one is read."""
    findings = [*content.findings, *(finding for one in content.orders for finding in one.findings)]
    assert {finding.code for finding in findings} <= set(codes), [f.code for f in findings]
    assert len(findings) == 1, findings
    assert content.orders[0].order is None
    assert_plain(findings)
    if not content.findings:
        assert findings[0].order is not None
        assert content.orders[-1].order == full_order("1002")


REFERENCES = {(case.fmt.name, case.row, case.column.index) for case in SHIPPED if case.row and not case.column.of_line}
OWN = [case for case in SHIPPED if (case.fmt.name, case.row, case.column.index) not in REFERENCES]
IDENTITY = ("brand", "platform", "order_id", "order_number", "group")


def params(some: Iterable[Case]) -> Any:
    return pytest.mark.parametrize("case", [pytest.param(case, id=case.name) for case in some])


def nothing(case: Case) -> Any:
    return None if case.fmt.kind == "json-lines" else ""


@params(case for case in OWN if case.column.field.required)
def test_a_required_value_that_is_absent_is_named(case: Case) -> None:
    content = content_of(case, nothing(case))
    assert_refused(case, content, "value-missing")
    (finding,) = content.orders[0].findings
    assert (finding.found, finding.field) == ("nothing", case.column.field.name)


@params(case for case in OWN if not case.column.field.required and case.column.field.path != "currency")
def test_an_optional_value_may_be_absent(case: Case) -> None:
    content = content_of(case, nothing(case))
    assert content.findings == ()
    assert [one.findings for one in content.orders] == [(), ()]
    assert content.orders[0].order is not None


def too_long(case: Case) -> Any:
    most = case.column.field.max_length or 10**4
    return 10**most if case.fmt.kind == "json-lines" and case.column.whole else "1" * (most + 1)


@params(case for case in OWN if case.column.field.max_length)
def test_a_value_longer_than_its_field_is_refused_in_reading(case: Case) -> None:
    content = content_of(case, too_long(case))
    in_list = case.fmt.kind == "json-lines" and case.column.keys == ("properties",)
    assert_refused(case, content, "properties-invalid" if in_list else "value-too-long")


LONG_TEXT = [
    case for case in OWN if case.column.field.max_length and case.column.info and case.column.info.kind == "text"
]


@params(LONG_TEXT)
def test_a_value_longer_than_its_field_is_refused_in_writing(case: Case) -> None:
    order, path = full_order(), str(case.column.field.path)
    most = case.column.field.max_length
    assert most is not None
    for length, good in ((most, True), (most + 1, False)):
        long = _changed(order, path, "x" * length)
        made = write(case.fmt, [long, full_order("1002")])
        assert made.orders == ((long, full_order("1002")) if good else (full_order("1002"),))
        assert [(f.code, f.path, f.expected) for f in made.findings] == (
            [] if good else [("value-too-long", path, f"at most {most:,} characters")]
        )
        assert_plain(made.findings)


def _changed(order: Order, path: str, value: Any) -> Order:
    """The order with another value, not judged: a model of a later version may allow more."""
    head, _, name = path.rpartition(".")
    if head == "ship_to":
        return order.model_copy(update={"ship_to": order.ship_to.model_copy(update={name: value})})
    if head == "lines":
        return order.model_copy(update={"lines": (order.lines[0].model_copy(update={name: value}),)})
    return order.model_copy(update={name: value})


BAD_DATES = {
    "2026-02-30T14:00:00Z": "date-invalid",
    "2026-11-23T24:00:00Z": "date-invalid",
    "2026-11-23T14:00:60Z": "date-invalid",
    "2026-11-23 14:00:00Z": "date-invalid",
    "2026-11-23": "date-invalid",
    "23/11/2026": "date-invalid",
    "2026-11-23T14:00:00+24:00": "date-invalid",
    "2026-11-23T14:00:00+01:99": "date-invalid",
    "1969-12-31T23:59:59Z": "date-invalid",
    "2026-11-23T14:00:00": "zone-missing",
    "٢٠٢٦-11-23T14:00:00Z": "date-invalid",
}


@params(case for case in OWN if case.column.info and case.column.info.kind == "instant")
def test_an_instant_in_another_form_is_refused(case: Case) -> None:
    for text, code in BAD_DATES.items():
        assert_refused(case, content_of(case, text), code)


@params(case for case in OWN if case.column.info and case.column.info.kind == "day")
def test_a_day_in_another_form_is_refused(case: Case) -> None:
    for text in ("2026-02-30", "20261123", "2026-1-1", "3000-01-01", "1/1/2026"):
        assert_refused(case, content_of(case, text), "date-invalid")


@params(case for case in OWN if case.column.whole)
def test_a_number_in_another_form_is_refused(case: Case) -> None:
    bad: tuple[Any, ...] = ("-1", "1.5", "1,0", "1_0", " 7", "007", "1e3", "0x1", "+5", "٣", "one")
    if case.fmt.kind == "json-lines":
        bad = (1.5, "7", True, [7], {"n": 7}, -1)
    for value in bad:
        codes = ("value-too-long", "number-invalid", "number-out-of-range")
        assert_refused(case, content_of(case, value), *codes)
    if case.column.field.path != "order_lines":
        assert_refused(case, content_of(case, 0 if case.fmt.kind == "json-lines" else "0"), "number-out-of-range")


@params(case for case in OWN if case.column.info and case.column.info.kind == "money")
def test_an_amount_in_another_form_is_refused(case: Case) -> None:
    for text in ("19,90", "-1", "1e3", "€5", "1.2345678", ".5", "5.", "01.00", "1 000", "NaN"):
        assert_refused(case, content_of(case, text), "money-invalid")


@params(case for case in OWN if case.column.info and case.column.info.kind == "text")
def test_text_that_cannot_be_printed_is_refused(case: Case) -> None:
    path = str(case.column.field.path)
    plain = {"currency": "currency-unknown", "ship_to.country": "country-unknown", "lines.gtin": "gtin-invalid"}
    plain |= {"lines.origin_country": "country-unknown", "lines.uom": "value-malformed"}
    plain |= {"lines.hs_code": "value-malformed"}
    for text, code in (("a\x1bb", "control-character"), ("a\u202eb", "bidi-character"), (" a", "white-space")):
        content = content_of(case, text)
        codes = {finding.code for one in content.orders for finding in one.findings}
        assert codes & {plain.get(path, code), "value-too-long"}, codes
        assert content.orders[0].order is None
        assert_plain(finding for one in content.orders for finding in one.findings)


@params(case for case in SHIPPED if (case.fmt.name, case.row, case.column.index) in REFERENCES)
def test_a_detail_row_that_names_another_order_is_refused(case: Case) -> None:
    content = content_of(case, "9")
    (finding,) = content.orders[0].findings
    assert finding.code == "line-orphan" and content.orders[0].order is None
    assert_plain([finding])


@params(case for case in OWN if case.column.private)
def test_a_customer_s_value_is_told_only_where_it_was_asked_for(case: Case) -> None:
    bad = f"{NAME}\x07"
    hidden = content_of(case, bad)
    shown = read(case.fmt, with_text(case, bad), name="file", show_values=True)
    if case.column.keys == ("properties",):
        assert_refused(case, hidden, "properties-invalid")
        return
    assert_plain(finding for one in hidden.orders for finding in one.findings)
    told = "".join(finding_text(finding) for one in shown.orders for finding in one.findings)
    assert NAME in told or "value-too-long" in told


@pytest.mark.parametrize("value", [NAME, "canary@example.com", "+1 617 555 0101", "+16175550101", "12 Canary Street"])
@params(case for case in OWN if case.fmt.kind != "json-lines" and case.column.field.path not in IDENTITY)
def test_a_person_s_value_that_has_moved_into_another_column_is_not_told(case: Case, value: str) -> None:
    content = content_of(case, value)
    told = "".join(finding_text(f) for one in content.orders for f in one.findings)
    told += "".join(one.number for one in content.orders)
    assert value not in told


@pytest.mark.parametrize("value", [NAME, "canary@example.com", "+1 617 555 0101", "12 Canary Street"])
@params(case for case in OWN if case.column.field.path in IDENTITY)
def test_a_person_s_value_does_not_name_an_order(case: Case, value: str) -> None:
    content = content_of(case, value)
    told = "".join(finding_text(f) for one in content.orders for f in one.findings)
    assert value not in told + "".join(one.number for one in content.orders)


# --- rules that no shipped format has: the same cases from declarations that have them


def ruled(base: Format, path: str, **rules: Any) -> Format:
    content = base.model_dump()
    for row in content["records"] or [content]:
        for field in row["fields"]:
            field.update(rules if field["path"] == path else {})
    fmt = Format.model_validate(content)
    assert mistakes(fmt) == []
    return fmt


RULED = [ruled(base, "service", allowed=("STD", "EXP")) for base in (CSV, PSV, JSONL)]
PATTERNED = [ruled(base, "lines.sku", pattern="[0-9]{4}|[A-Z]+-[A-Z0-9.-]+") for base in (CSV, PSV, JSONL)]


@pytest.mark.parametrize("fmt", RULED, ids=lambda fmt: fmt.name)
def test_a_value_that_is_not_agreed_is_refused_both_ways(fmt: Format) -> None:
    case = next(case for case in cases(fmt) if case.column.field.path == "service")
    content = content_of(case, "OVERNIGHT")
    assert_refused(case, content, "value-not-allowed")
    assert content.orders[0].findings[0].expected == "one of STD, EXP"
    assert content.orders[0].findings[0].found == '"OVERNIGHT"'
    made = write(fmt, [_changed(full_order(), "service", "OVERNIGHT")])
    assert [(f.code, f.found) for f in made.findings] == [("value-not-allowed", '"OVERNIGHT"')]
    assert made.orders == ()


@pytest.mark.parametrize("fmt", PATTERNED, ids=lambda fmt: fmt.name)
def test_a_value_of_another_form_is_refused_both_ways(fmt: Format) -> None:
    case = next(case for case in cases(fmt) if case.column.field.path == "lines.sku")
    for bad in ("12", "0012x", "tee-blk", "0012\n"):
        content = content_of(case, bad)
        assert_refused(case, content, "value-malformed")
    made = write(fmt, [_changed(full_order(), "lines.sku", "12")])
    assert [f.code for f in made.findings] == ["value-malformed"]
    assert write(fmt, [_changed(full_order(), "lines.sku", "TEE-BLK.M")]).findings == ()


FIXED = (
    {"name": "Kind", "constant": "SO", "doc": "Always the same."},
    {"name": "Site", "code": "site", "doc": "A code of the agreement."},
)


@pytest.mark.parametrize("base", [CSV, PSV, JSONL], ids=lambda fmt: fmt.name)
def test_constants_and_codes_are_held_against_what_was_agreed(base: Format) -> None:
    content = base.model_dump()
    row = content["records"][0] if content["records"] else content
    row["fields"] = [*row["fields"], *FIXED]
    fmt = Format.model_validate(content)
    assert mistakes(fmt) == []
    data = write(fmt, [full_order()], codes={"site": "EAST"}).data
    assert read(fmt, data, codes={"site": "EAST"}).orders[0].order == full_order()
    assert read(fmt, data).orders[0].order == full_order()  # without an agreement a code may be any
    (finding,) = read(fmt, data, codes={"site": "WEST"}).orders[0].findings
    assert (finding.code, finding.field, finding.found, finding.expected) == ("value-wrong", "Site", '"EAST"', '"WEST"')
    (finding,) = read(fmt, data.replace(b"SO", b"RT")).orders[0].findings
    assert (finding.code, finding.field, finding.found) == ("value-wrong", "Kind", '"RT"')
    with pytest.raises(FallbackError) as error:
        write(fmt, [full_order()])
    assert (error.value.code, error.value.exit_code) == ("agreement-invalid", 3)
    assert "site" in error.value.message


def test_constants_and_codes_of_detail_and_closing_rows_are_held_too() -> None:
    content = PSV.model_dump()
    for row in content["records"][1:]:
        row["fields"] = [*row["fields"], *FIXED]
    fmt = Format.model_validate(content)
    assert mistakes(fmt) == []
    codes = {"site": "EAST"}
    data = write(fmt, [full_order()], codes=codes).data
    assert read(fmt, data, codes=codes).orders[0].findings == read(fmt, data, codes=codes).findings == ()
    lines = data.splitlines(keepends=True)
    (finding,) = read(fmt, lines[0] + lines[1].replace(b"EAST", b"WEST") + lines[2], codes=codes).orders[0].findings
    assert (finding.code, finding.field) == ("value-wrong", "Site")
    (finding,) = read(fmt, lines[0] + lines[1] + lines[2].replace(b"SO", b"RT"), codes=codes).findings
    assert (finding.code, finding.field, finding.found) == ("trailer-differs", "Kind", '"RT"')
    assert finding.refuses_file


def test_a_code_that_no_cell_can_hold_is_refused() -> None:
    content = PSV.model_dump()
    content["records"][1]["fields"] = [*content["records"][1]["fields"], FIXED[1]]
    made = write(Format.model_validate(content), [full_order()], codes={"site": "EA\rST"})
    assert [(f.code, f.field) for f in made.findings] == [("value-not-writable", "Site")]


def test_a_key_that_the_file_carries_needs_an_agreement() -> None:
    fmt = Format.model_validate(
        CSV.model_dump() | {"fields": [*CSV.model_dump()["fields"], {"name": "Key", "path": "key", "doc": "The key."}]}
    )
    with pytest.raises(FallbackError) as error:
        write(fmt, [full_order()])
    assert error.value.code == "agreement-invalid" and "key" in error.value.message


@pytest.mark.parametrize("base", [CSV, PSV, JSONL], ids=lambda fmt: fmt.name)
def test_a_value_that_no_field_carries_refuses_the_order_unless_it_was_agreed_to_drop_it(base: Format) -> None:
    for path, info in PATHS.items():
        if info.required or path == "currency":
            continue
        dropping = variant(base, {"drops": (path,)})
        lacking = Format.model_validate(dropping.model_dump() | {"drops": ()})
        assert write(dropping, [full_order()]).findings == ()
        made = write(lacking, [full_order()])
        assert [(f.code, f.path) for f in made.findings] == [("value-not-carried", path)]
        assert made.orders == ()
        assert_plain(made.findings)


@pytest.mark.parametrize("field", CSV.fields, ids=lambda field: field.name)
def test_each_column_that_is_absent_is_named(field: Field) -> None:
    header, rest = write(CSV, [full_order()]).data.split(b"\r\n", 1)
    names = header.decode().split(",")
    content = read(CSV, ",".join(n for n in names if n != field.name).encode() + b"\r\n" + rest)
    assert [(f.code, f.field) for f in content.findings] == [("column-missing", field.name)]
    assert content.orders == ()
    other = read(CSV, ",".join("X" if n == field.name else n for n in names).encode() + b"\r\n" + rest)
    assert [(f.code, f.field, f.found) for f in other.findings] == [("column-renamed", field.name, '"X"')]
    more = read(CSV, (",".join(names) + ",X").encode() + b"\r\n" + rest)
    assert [(f.code, f.found) for f in more.findings] == [("column-unknown", "another name in column 42")]
    twice = read(CSV, (",".join(names) + f",{field.name}").encode() + b"\r\n" + rest)
    assert [(f.code, f.field) for f in twice.findings] == [("column-doubled", field.name)]


@pytest.mark.parametrize("field", JSONL.fields, ids=lambda field: field.name)
def test_each_member_that_is_not_known_is_named(field: Field) -> None:
    name = field.name.split(".")[-1]
    data = write(JSONL, [full_order()]).data.replace(f'"{name}":'.encode(), f'"x":0,"{name}":'.encode())
    (one,) = read(JSONL, data).orders
    assert one.order is None
    assert {finding.code for finding in one.findings} <= {"value-malformed", "properties-invalid"}
    found = {finding.found for finding in one.findings}
    assert f"a member {field.name.removesuffix(name)}x" in found
    assert len(found) == len(one.findings)


def test_the_project_s_own_formats_are_found_by_name_folder_and_file(tmp_path: Path) -> None:
    for name in shipped():
        assert load_format(name) == load_format(name).model_copy()
        source = Path(__file__).parents[1] / "formats" / name
        assert load_format(source) == load_format(source / "format.toml") == load_format(name)
        assert load_format(f"formats/{name}", Path(__file__).parents[1]) == load_format(name)
    for unknown in ("no-such-format", tmp_path, tmp_path / "format.toml"):
        with pytest.raises(FallbackError) as error:
            load_format(unknown)
        assert (error.value.code, error.value.exit_code) == ("format-unknown", 3)
