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
from fallback.formats.cells import CellError
from fallback.formats.check import cell_problem
from fallback.formats.defaults import as_carried
from fallback.formats.kinds import kind_of
from fallback.formats.kinds.envelope import Envelope
from fallback.formats.kinds.rows import Tree
from fallback.formats.library import load_format, shipped
from fallback.formats.read import ReadFile, read
from fallback.formats.shape import Column, Shape, shape_of
from fallback.formats.soundness import mistakes
from fallback.formats.spec import Field, Format
from fallback.formats.write import write
from fallback.records.judge import judge
from fallback.records.order import CHECKED_LINE, CHECKED_ORDER, Line, Order, Property, ShipTo
from fallback.records.paths import PATHS
from fallback.render.text import finding_text
from support.strategies import variant

CSV, PSV, JSONL = (load_format(f"order-{name}") for name in ("lines-csv", "header-detail-psv", "jsonl"))
FIRST, PAIR, XML, JSON = (load_format(f"order-{name}") for name in ("first-line-csv", "two-files-csv", "xml", "json"))
PLAIN = (CSV, PSV, JSONL, FIRST, PAIR, XML, JSON)

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


def order_for(fmt: Format, number: str = "1001") -> Order:
    """The full order as a file of the format gives it back: what it carries, in the partner's own forms."""
    order = full_order(number)
    for path, info in PATHS.items():
        if path not in fmt.carried and not info.required:
            order = _changed(order, path, info.default)
    fields = {field.path: field for field in fmt.all_fields}
    if cell_problem(fields["order_number"], order.order_number):
        order = _changed(order, "order_number", number)
    if fields["service"].allowed:
        order = _changed(order, "service", fields["service"].allowed[0])
    carried = as_carried(order, fmt)
    assert isinstance(judge(carried.model_dump()), Order)
    return carried


def _key(order: Order) -> str:
    return f"{order.brand}:{order.order_id}"


def parts_of(fmt: Format, *orders: Order) -> dict[str, bytes]:
    made = write(fmt, orders[: fmt.max_orders], codes=CODES, key=_key)
    assert made.findings == ()
    return dict(made.parts)


_two: dict[int, dict[str, bytes]] = {}


def two_orders(fmt: Format) -> dict[str, bytes]:
    """A file of two orders, written once for all cases of a format."""
    if id(fmt) not in _two:
        _two[id(fmt)] = parts_of(fmt, order_for(fmt), order_for(fmt, "1002"))
    return dict(_two[id(fmt)])


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
    shape: Shape
    row: int
    column: Column

    @property
    def name(self) -> str:
        return f"{self.fmt.name}-{self.fmt.rows[self.row].tag or 'row'}-{self.column.field.name}"

    @property
    def is_reference(self) -> bool:
        """Whether the row of a line repeats what its order's row says."""
        return bool(self.fmt.rows[self.row].repeats and self.column.field.path and not self.column.of_line)

    def holds(self, text: str) -> bool:
        """Whether the text can stand in the field at all."""
        try:
            text.encode(self.fmt.encoding)
        except UnicodeEncodeError:
            return False
        width = self.column.field.width
        return width is None or len(text) <= width


def cases(*formats: Format) -> list[Case]:
    return [
        Case(shape.format, shape, index, column)
        for shape in map(shape_of, formats)
        for index, row in enumerate(shape.rows)
        for column in row.columns
        if not row.spec.trailer and not column.field.unused and not column.field.qualifier
        if not column.field.again  # tried with the field whose value it repeats
    ]


def without_closing_row(fmt: Format) -> Format:
    """The counts of a closing row would tell of most damages too; they have tests of their own."""
    return variant(fmt, {"records": [row.model_dump() for row in fmt.records if not row.trailer]})


# A format that is only read has no writing to begin with; what it refuses is tried by hand, beside its golden file.
WRITABLE = [fmt for fmt in map(load_format, shipped()) if fmt.direction != "read"]
CODES = {code: "0042" for fmt in WRITABLE for code in fmt.codes}
SHIPPED = cases(*map(without_closing_row, WRITABLE))
NESTED = ("json-lines", "json")


def with_text(case: Case, text: Any) -> dict[str, bytes]:
    """A file of two orders, or as many as one holds; in the first, the field holds this text, or in JSON this value.

    Wherever else the order's own value stands, it stands so too, as a sender would write it.
    """
    fmt = case.fmt
    parts = two_orders(fmt)
    for index, role in enumerate(fmt.roles):
        part, content = fmt.part(role), parts[role].decode(fmt.encoding)
        rows = [(item.type, item.cells) for item in kind_of(fmt).read(content, part)]
        for at in _of_the_first_order(rows):
            for column in _same(case, index if len(fmt.roles) > 1 else rows[at][0]):
                if fmt.kind == "fixed-width":
                    content = _in_columns(content, at, column, text)
                else:
                    _put(rows[at][1], column, text)
        if fmt.kind != "fixed-width":
            for _, cells in rows if fmt.kind == "x12" else ():
                _put_constants(cells, case, text)
            content = "".join(kind_of(fmt).write(rows, part, Envelope()))
        parts[role] = content.encode(fmt.encoding)
    return parts


def _of_the_first_order(rows: list[tuple[int, Any]]) -> list[int]:
    """Where its rows are: each order has one line, so that of each type it is the first."""
    return list({row_type: index for index, (row_type, _) in reversed(list(enumerate(rows)))}.values())


def _same(case: Case, row_type: int) -> list[Column]:
    """The columns of a row that hold the value of the case: itself, and those that repeat what the order's row says."""
    rows = (case.shape.rows[row_type],) if case.fmt.tabular else case.shape.rows
    columns = [column for row in rows for column in row.columns]
    field = case.column.field
    if case.is_reference or field.path is None or field.part:
        return [
            c for c in columns if c.field is field and row_type in (case.row, 0 if not case.fmt.tabular else case.row)
        ]
    return [column for column in columns if column.field.path == field.path]


def _put(cells: Any, column: Column, text: Any) -> None:
    if isinstance(cells, Tree):
        (cells.lines[0] if column.of_line else cells.order)[column.field.name] = text or None
    elif isinstance(cells, dict):
        _set(cells, column.field.name.split("."), text)
    else:
        cells[column.index] = text


def _put_constants(tree: Tree, case: Case, text: Any) -> None:
    """What reading does not hand on: the segments' own constants, the one that is tried otherwise."""
    for row in case.fmt.rows:
        for field in row.fields:
            value = text if field is case.column.field else field.constant
            for target in tree.lines if row.repeats else [tree.order]:
                if field.constant is not None:
                    target[field.name] = value or None


def _in_columns(content: str, at: int, column: Column, text: str) -> str:
    """A text at its columns in one of the rows, padded as a sender would."""
    begin, end = (int(number) for number in re.findall("[0-9]+", column.at))
    field, newline = column.field, "\n"
    lines = content.split(newline)
    padded = (
        text.rjust(end - begin + 1, field.pad) if field.justify == "right" and text else text.ljust(end - begin + 1)
    )
    lines[at] = lines[at][: begin - 1] + padded + lines[at][end:]
    return newline.join(lines)


def _set(content: Any, parts: list[str], value: Any) -> None:
    for part in parts[:-1]:
        content = content[part][0] if isinstance(content[part], list) else content[part]
    content[parts[-1]] = value


def content_of(case: Case, text: Any, **more: Any) -> ReadFile:
    return read(case.fmt, with_text(case, text), name="file", defaults={"brand": "acme"}, **more)


def findings_of(content: ReadFile) -> list[Finding]:
    return [*content.findings, *(finding for one in content.orders for finding in one.findings)]


def assert_refused(case: Case, content: ReadFile, *codes: str) -> None:
    """The first order is refused for one of these reasons, with one finding; the second one is read."""
    findings = findings_of(content)
    if case.column.field.width is not None:
        codes = (*codes, "value-malformed")  # it does not stand in its columns as it should
    assert {finding.code for finding in findings} <= set(codes), [f.code for f in findings]
    assert len(findings) == 1, findings
    assert content.orders[0].order is None
    assert_plain(findings)
    if not content.findings and case.fmt.max_orders != 1:
        assert findings[0].order is not None
        assert content.orders[-1].order == order_for(case.fmt, "1002")


REFERENCES = [case for case in SHIPPED if case.is_reference]
OWN = [case for case in SHIPPED if not case.is_reference]
IDENTITY = ("brand", "platform", "order_id", "order_number", "group")


def params(some: Iterable[Case]) -> Any:
    return pytest.mark.parametrize("case", [pytest.param(case, id=case.name) for case in some])


def nothing(case: Case) -> Any:
    return None if case.fmt.kind in NESTED else ""


def defaulted(case: Case) -> bool:
    return case.column.field.default is not None or case.column.field.default_from is not None


# A blank constant of X12 says nothing, another one refuses the order: partners leave out what the constant would say.
REQUIRED = [
    case
    for case in OWN
    if case.column.field.required and case.column.stand_in is None and not defaulted(case)
    if case.fmt.kind != "x12" or case.column.field.constant is None
]


@params(REQUIRED)
def test_a_required_value_that_is_absent_is_named(case: Case) -> None:
    content = content_of(case, nothing(case))
    assert_refused(case, content, "value-missing")
    (finding,) = content.orders[0].findings
    assert (finding.found, finding.field) == ("nothing", case.column.field.name)


def checked(case: Case) -> bool:
    """Whether the check digits of the order cover it: then it is no less a change to take it away."""
    paths = {*CHECKED_ORDER, *(f"lines.{name}" for name in CHECKED_LINE)}
    return "order_check" in case.fmt.carried and case.column.field.path in paths


OPTIONAL = [case for case in OWN if not case.column.field.required and case.column.field.path != "currency"]


@params(case for case in OPTIONAL if checked(case))
def test_a_checked_value_that_is_absent_is_noticed(case: Case) -> None:
    assert_refused(case, content_of(case, nothing(case)), "check-differs")


@params(case for case in OPTIONAL if not checked(case))
def test_an_optional_value_may_be_absent(case: Case) -> None:
    content = content_of(case, nothing(case))
    assert content.findings == ()
    assert {one.findings for one in content.orders} == {()}
    assert content.orders[0].order is not None


def too_long(case: Case) -> Any:
    most = case.column.field.max_length or 10**4
    return 10**most if case.fmt.kind in NESTED and case.column.whole else "1" * (most + 1)


@params(case for case in OWN if case.column.field.max_length)
def test_a_value_longer_than_its_field_is_refused_in_reading(case: Case) -> None:
    content = content_of(case, too_long(case))
    in_list = case.fmt.kind in NESTED and case.column.keys == ("properties",)
    assert_refused(case, content, "properties-invalid" if in_list else "value-too-long")


LONG_TEXT = [
    case
    for case in OWN
    if case.column.field.longest and case.column.info and case.column.info.kind == "text"
    if not case.column.field.pattern and not case.column.field.allowed
]


@params(LONG_TEXT)
def test_a_value_longer_than_its_field_is_refused_in_writing(case: Case) -> None:
    fmt, path = case.fmt, str(case.column.field.path)
    order, other = order_for(fmt), order_for(fmt, "1002")
    most = case.column.field.longest
    assert most is not None
    for length, good in ((most, True), (most + 1, False)):
        long = _changed(order, path, "x" * length)
        if fmt.defaults and isinstance(judge(as_carried(long, fmt).model_dump()), list):
            continue  # longer than a record allows, too
        some = [long, other][: fmt.max_orders]
        made = write(fmt, some, codes=CODES, key=_key)
        assert set(made.orders) == set(some if good else some[1:])
        assert {(f.code, f.path, f.expected) for f in made.findings} == (
            set() if good else {("value-too-long", path, f"at most {most:,} characters")}
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
        own = case.column.field.date == "iso8601"
        if case.holds(text) and (own or not reads(case, text)):
            assert_refused(case, content_of(case, text), *([code] if own else ["date-invalid", "value-too-long"]))


def reads(case: Case, text: str) -> bool:
    try:
        case.column.read(text)
    except CellError:
        return False
    return True


@params(case for case in OWN if case.column.info and case.column.info.kind == "day")
def test_a_day_in_another_form_is_refused(case: Case) -> None:
    for text in ("2026-02-30", "20261123", "2026-1-1", "3000-01-01", "1/1/2026"):
        assert_refused(case, content_of(case, text), "date-invalid")


@params(case for case in OWN if case.column.whole)
def test_a_number_in_another_form_is_refused(case: Case) -> None:
    bad: tuple[Any, ...] = ("-1", "1.5", "1,0", "1_0", " 7", "007", "1e3", "0x1", "+5", "٣", "one")
    if case.fmt.kind in NESTED:
        bad = (1.5, "7", True, [7], {"n": 7}, -1)
    elif case.column.field.pad == "0":
        bad = tuple(text for text in bad if text != "007")  # as it is written there
    for value in bad:
        if case.fmt.kind in NESTED or case.holds(value):
            codes = ("value-too-long", "number-invalid", "number-out-of-range")
            assert_refused(case, content_of(case, value), *codes)
    if case.column.info is not None:
        assert_refused(case, content_of(case, 0 if case.fmt.kind in NESTED else "0"), "number-out-of-range")


@params(case for case in OWN if case.column.info and case.column.info.kind == "money")
def test_an_amount_in_another_form_is_refused(case: Case) -> None:
    for text in ("19,90", "-1", "1e3", "€5", "1.2345678", ".5", "5.", "01.00", "1 000", "NaN"):
        if case.holds(text):
            assert_refused(case, content_of(case, text), "money-invalid")


@params(case for case in OWN if case.column.info and case.column.info.kind == "text")
def test_text_that_cannot_be_printed_is_refused(case: Case) -> None:
    path = str(case.column.field.path)
    plain = {"currency": "currency-unknown", "ship_to.country": "country-unknown", "lines.gtin": "gtin-invalid"}
    plain |= {"lines.origin_country": "country-unknown", "lines.uom": "value-malformed"}
    plain |= {"lines.hs_code": "value-malformed"}
    for text, code in (("a\x1bb", "control-character"), ("a\u202eb", "bidi-character"), (" a", "white-space")):
        if not case.holds(text) or (case.fmt.kind == "xml" and code == "control-character"):
            continue  # no file has it: it is refused as a whole
        if case.column.field.part and code == "white-space":
            continue  # within the whole text it is none
        content = content_of(case, text)
        codes = {finding.code for finding in findings_of(content)}
        assert codes & {plain.get(path, code), "value-too-long", "value-malformed", "value-not-allowed"}, codes
        assert content.orders[0].order is None
        assert_plain(findings_of(content))


@params(REFERENCES)
def test_a_detail_row_that_names_another_order_is_refused(case: Case) -> None:
    content = content_of(case, "9")
    findings = findings_of(content)
    assert [finding.code for finding in findings][-1:] == ["line-orphan"] or case.fmt.layout == "two-files"
    # The order has no line then: counted, or missing where nothing counts them.
    assert {one.code for one in findings} <= {"line-orphan", "line-count", "order-fields-differ", "value-missing"}
    assert content.orders[0].order is None
    assert_plain(findings)


@params(case for case in OWN if case.column.private)
def test_a_customer_s_value_is_told_only_where_it_was_asked_for(case: Case) -> None:
    bad = f" {NAME}" if case.fmt.kind == "xml" else f"{NAME}\x07"  # which no XML can hold
    hidden, shown = content_of(case, bad), content_of(case, bad, show_values=True)
    if case.column.keys == ("properties",):
        assert_refused(case, hidden, "properties-invalid")
        return
    assert hidden.orders[0].order is None
    assert_plain(findings_of(hidden))
    told = "".join(finding_text(finding) for finding in findings_of(shown))
    assert NAME in told or "value-too-long" in told or case.column.field.width is not None


PERSONS = (NAME, "canary@example.com", "+1 617 555 0101", "12 Canary Street")


@params(case for case in OWN if case.fmt.kind not in NESTED and case.column.field.path not in IDENTITY)
def test_a_person_s_value_that_has_moved_into_another_column_is_not_told(case: Case) -> None:
    for value in (*PERSONS, "+16175550101"):
        content = content_of(case, value)
        told = "".join(map(finding_text, findings_of(content)))
        assert value not in told + "".join(one.number for one in content.orders)


@params(case for case in OWN if case.column.field.path in IDENTITY)
def test_a_person_s_value_does_not_name_an_order(case: Case) -> None:
    for value in PERSONS:
        content = content_of(case, value)
        told = "".join(map(finding_text, findings_of(content)))
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


RULED = [ruled(base, "service", allowed=("STD", "EXP")) for base in PLAIN]
PATTERNED = [ruled(base, "lines.sku", pattern="[0-9]{4}|[A-Z]+-[A-Z0-9.-]+") for base in PLAIN]


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


@pytest.mark.parametrize("base", PLAIN, ids=lambda fmt: fmt.name)
def test_constants_and_codes_are_held_against_what_was_agreed(base: Format) -> None:
    content = base.model_dump()
    row = content["records"][0] if content["records"] else content
    row["fields"] = [*row["fields"], *FIXED]
    fmt = Format.model_validate(content)
    assert mistakes(fmt) == []
    data = write(fmt, [full_order()], codes={"site": "EAST"}).parts
    assert read(fmt, data, codes={"site": "EAST"}).orders[0].order == full_order()
    assert read(fmt, data).orders[0].order == full_order()  # without an agreement a code may be any
    (finding,) = read(fmt, data, codes={"site": "WEST"}).orders[0].findings
    assert (finding.code, finding.field, finding.found, finding.expected) == ("value-wrong", "Site", '"EAST"', '"WEST"')
    (finding,) = read(fmt, {role: part.replace(b"SO", b"RT") for role, part in data.items()}).orders[0].findings
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


@pytest.mark.parametrize("base", PLAIN, ids=lambda fmt: fmt.name)
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
