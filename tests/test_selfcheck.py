"""A format checks itself: each mistake is named with its place in the TOML, all of them at once, before any file is."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fallback.errors import FallbackError
from fallback.formats.library import load_format, shipped
from fallback.formats.spec import Format, mistakes

CSV, PSV, JSONL = (load_format(f"order-{name}") for name in ("lines-csv", "header-detail-psv", "jsonl"))
Content = dict[str, Any]
Change = Callable[[Content], None]


def wrong(base: Format, change: Change) -> list[str]:
    content = base.model_dump()
    change(content)
    return mistakes(Format.model_validate(content))


def of(path: str, record: int | None = None, /, **values: Any) -> Change:
    """Other values in the field of a path."""

    def change(content: Content) -> None:
        row = content if record is None else content["records"][record]
        next(field for field in row["fields"] if field["path"] == path).update(values)

    return change


def top(**values: Any) -> Change:
    return lambda content: content.update(values)


def cells(**values: Any) -> Change:
    return lambda content: content["delimited"].update(values)


def record(index: int, **values: Any) -> Change:
    return lambda content: content["records"][index].update(values)


def more(index: int | None = None, **field: Any) -> Change:
    def change(content: Content) -> None:
        row = content if index is None else content["records"][index]
        row["fields"] = [*row["fields"], {"doc": "One more.", **field}]

    return change


def without(path: str, index: int | None = None) -> Change:
    def change(content: Content) -> None:
        row = content if index is None else content["records"][index]
        row["fields"] = [field for field in row["fields"] if field["path"] != path]

    return change


ASCII = "pattern may use ASCII classes such as [A-Z0-9] only: it must mean the same in every engine"
NAME = "file_name: needs {marker} and {sequence}, and may use marker, brand, sent, sequence"
SAFE = "file_name: a plain name of letters, digits, dot, dash and underscore, which does not begin with DRILL_"
DELIMITER = "delimited.delimiter: a sign such as , ; | or a tab; no letter, digit, blank, quotation mark or backslash"
DIRECTIVES = "date may use %Y %m %d %H %M %S %z; found "

OF_A_FIELD: list[tuple[Format, Change, str]] = [
    (CSV, of("service", path=None), "fields[24] Service: needs exactly one of path, constant and code"),
    (CSV, of("service", constant="X"), "fields[24] Service: needs exactly one of path, constant and code"),
    (CSV, of("service", code="x"), "fields[24] Service: needs exactly one of path, constant and code"),
    (CSV, of("service", path="servise"), "fields[24] Service: servise is not a canonical path"),
    (CSV, of("service", path="ship_to"), "fields[24] Service: ship_to is not a canonical path"),
    (CSV, of("service", path="file_orders"), "fields[24] Service: file_orders is not a canonical path"),
    (CSV, of("service", name="Carrier"), "fields: Carrier is declared 2 times"),
    (CSV, of("carrier", path="service"), "fields: the path service stands in 2 fields"),
    (CSV, of("ordered_at", date=None), 'fields[7] OrderedAt: needs date: "iso8601" or a pattern such as "%Y-%m-%d"'),
    (
        CSV,
        of("ordered_at", date="%Y-%m-%d"),
        "fields[7] OrderedAt: date loses the time or the zone: an instant needs %H, %M, %S and %z",
    ),
    (
        CSV,
        of("ordered_at", date="%Y-%m-%d %H:%M:%S"),
        "fields[7] OrderedAt: date loses the time or the zone: an instant needs %H, %M, %S and %z",
    ),
    (CSV, of("ordered_at", date="%d %b %Y %H:%M:%S%z"), f"fields[7] OrderedAt: {DIRECTIVES}%b"),
    (CSV, of("ordered_at", date="%d %b %Y %H:%M:%S%z"), "fields[7] OrderedAt: date needs %Y, %m and %d"),
    (CSV, of("ordered_at", date="%Y-%m-%dT%H:%M:%S%z%"), f"fields[7] OrderedAt: {DIRECTIVES}%"),
    (CSV, of("ordered_at", date="%Y%Y-%m-%dT%H:%M:%S%z"), "fields[7] OrderedAt: date names a part twice"),
    (
        CSV,
        of("lines.expires_after", date="%Y-%m-%d %H"),
        "fields[37] ExpiresAfter: date has a time, and the value is a day",
    ),
    (CSV, of("service", date="iso8601"), "fields[24] Service: service is not a date"),
    *(
        (CSV, of("service", pattern=text), f"fields[24] Service: {ASCII}")
        for text in (
            r"\d+",
            r"[\w]+",
            "[^a]",
            ".*",
            "^STD$",
            "(?i)std",
            "(?P<a>x)",
            "É",
            r"\s",
            "STD$",
            "[a-z&&b]",
            "[a-z--b]",
            "[A-",
        )
    ),
    (
        CSV,
        of("service", pattern="(A-"),
        "fields[24] Service: pattern is not a regular expression: missing ), unterminated subpattern at position 0",
    ),
    (
        CSV,
        of("service", allowed=("STD", "OVERNIGHT"), max_length=3),
        "fields[24] Service: allowed value OVERNIGHT is longer than max_length 3",
    ),
    (
        CSV,
        of("ship_to.postal_code", placeholder={"zip": "000"}),
        'fields[20] PostalCode: placeholder stands under the last part of the path, such as { postal_code = "000" }',
    ),
    (
        CSV,
        of("ship_to.postal_code", placeholder={"postal_code": "0", "city": "X"}),
        'fields[20] PostalCode: placeholder stands under the last part of the path, such as { postal_code = "000" }',
    ),
    (
        CSV,
        of("revision", placeholder={"revision": "0"}),
        "fields[5] Revision: placeholder: a number cannot stand for an absent one",
    ),
    (
        CSV,
        of("service", name="Ser\nvice"),
        'fields[24] Ser\nvice: "Ser\\x0avice" cannot be written: it holds a sign that the file cannot carry',
    ),
    (
        CSV,
        more(name="Kind", constant="A\tB"),
        'fields[41] Kind: "A\\x09B" cannot be written: it holds a sign that the file cannot carry',
    ),
    (
        CSV,
        more(name="Kind", constant=" A"),
        'fields[41] Kind: " A" cannot be written: it holds a sign that the file cannot carry',
    ),
    (
        PSV,
        without("order_lines", 0),
        "fields: nothing carries order_lines: a lost row would make a smaller, valid order",
    ),
    (
        PSV,
        more(1, name="Lines", path="order_lines"),
        "records[1].fields[16] Lines: order_lines must have the same required, max_length as in the order's record",
    ),
    (
        PSV,
        more(1, name="Key", path="key"),
        "records[1].fields[16] Key: key is of the order: it must stand in the order's record, and may be repeated here",
    ),
    (
        PSV,
        of("order_id", 1, max_length=10),
        "records[1].fields[0] OrderId: order_id must have the same max_length as in the order's record",
    ),
    (
        PSV,
        more(0, name="SKU", path="lines.sku"),
        "records[0].fields[28] SKU: lines.sku belongs in the record that repeats lines",
    ),
    (
        PSV,
        more(2, name="SKU", path="lines.sku"),
        "records[2].fields[4] SKU: a trailer may hold file_orders, file_lines, file_units, hash_total; found lines.sku",
    ),
    (JSONL, of("ship_to.city", name="ship_to..city"), "fields[17] ship_to..city: a member's name is not blank"),
    (
        JSONL,
        of("ship_to.city", name="service.city"),
        "fields[17] service.city: service is a field itself and cannot hold others",
    ),
    (JSONL, of("lines.sku", name="sku"), "fields[29] sku: the lines stand in one list, such as lines.sku"),
    (JSONL, of("lines.sku", name="items.sku"), "fields[29] items.sku: the lines stand in one list, such as lines.sku"),
    (
        JSONL,
        of("service", name="lines.service"),
        "fields[23] lines.service: lines is the list of lines, and this is not of a line",
    ),
]

OF_THE_WHOLE: list[tuple[Format, Change, str]] = [
    (CSV, top(layout="nested"), "layout: delimited may be line or header-detail, found nested"),
    (JSONL, top(layout="line"), "layout: json-lines may be nested, found line"),
    (CSV, top(layout="header-detail"), "records: a header-detail layout declares [[records]], not [[fields]]"),
    (PSV, top(records=()), "records: a header-detail layout declares [[records]], not [[fields]]"),
    (CSV, top(fields=()), "fields: a line layout declares [[fields]], not [[records]]"),
    (PSV, top(layout="line"), "fields: a line layout declares [[fields]], not [[records]]"),
    (JSONL, top(encoding="cp1252"), "encoding: JSON is utf-8"),
    (JSONL, cells(delimiter=";"), "delimited: JSON has no cells; remove the section"),
    *((CSV, cells(delimiter=mark), DELIMITER) for mark in ('"', "\\", "\n", "a", "0", " ", "'", "é")),
    (PSV, cells(header="required"), "delimited.header: typed rows have no header row; set it to forbidden"),
    (
        PSV,
        lambda content: content.update(records=content["records"][:1]),
        "records: one record for the order, one that repeats lines, and at most one trailer",
    ),
    (
        PSV,
        lambda content: content.update(records=[*content["records"], content["records"][2] | {"tag": "U"}]),
        "records: one record for the order, one that repeats lines, and at most one trailer",
    ),
    (PSV, record(1, tag="H"), "records: each record needs a tag of its own, of letters and digits"),
    (PSV, record(1, tag=""), "records: each record needs a tag of its own, of letters and digits"),
    (PSV, record(1, tag="D|"), "records: each record needs a tag of its own, of letters and digits"),
    (CSV, without("lines.sku"), "fields: nothing carries lines.sku, which every order needs"),
    (CSV, without("order_id"), "fields: nothing carries order_id, which every order needs"),
    (CSV, without("order_lines"), "fields: nothing carries order_lines: a lost row would make a smaller, valid order"),
    (CSV, top(drops=("lines.colour",)), "drops: lines.colour is not a canonical path"),
    (CSV, top(drops=("lines.sku",)), "drops: lines.sku cannot be dropped, every order needs it"),
    (CSV, top(drops=("lines.lot",)), "fields[36] Lot: lines.lot is listed under drops and carried"),
    (CSV, top(file_name="ORDERS.csv"), NAME),
    (CSV, top(file_name="{marker}ORDERS.csv"), NAME),
    (CSV, top(file_name="{marker}{sequence}{secret}"), NAME),
    (CSV, top(file_name="{marker}{sequence}{brand.__class__}"), NAME),
    (CSV, top(file_name="{marker}{sequence}{0}"), NAME),
    (CSV, top(file_name="{marker}{sequence}{"), NAME),
    (
        CSV,
        top(file_name="O_{marker}{sequence}.csv"),
        "file_name: begins with {marker}, by which a drill's file is told from a live one",
    ),
    (CSV, top(file_name="{marker}{sequence:Q}.csv"), "file_name: a part is followed by a form that it cannot have"),
    (
        CSV,
        top(file_name="{marker}{sequence:{brand}}.csv"),
        "file_name: a part is followed by a form that it cannot have",
    ),
    (CSV, top(file_name="{marker}in/{sequence}.csv"), SAFE),
    (CSV, top(file_name="{marker}../{sequence}.csv"), SAFE),
    (CSV, top(file_name="{marker}{sequence:06d} {sent:%H:%M}.csv"), SAFE),
    (CSV, top(file_name="{marker}DRILL_{sequence}.csv"), SAFE),
    (CSV, top(file_name="{marker}{sequence}" + "x" * 150), SAFE),
]


@pytest.mark.parametrize("case", range(len(OF_A_FIELD)))
def test_a_mistake_in_a_field_is_named_with_its_place(case: int) -> None:
    base, change, expected = OF_A_FIELD[case]
    assert expected in wrong(base, change)


@pytest.mark.parametrize("case", range(len(OF_THE_WHOLE)))
def test_a_mistake_in_the_whole_is_named(case: int) -> None:
    base, change, expected = OF_THE_WHOLE[case]
    assert expected in wrong(base, change)


@pytest.mark.parametrize(
    "change",
    [
        of("service", pattern=r"[A-Z0-9.-]{2,5}|\.|(STD|EXP)+|(?:a\-b)?"),
        of("ordered_at", date="%d/%m/%Y %H.%M.%S %z"),
        of("lines.expires_after", date="%Y%m%d"),
        of("ship_to.postal_code", placeholder={"postal_code": "000"}),
        of("service", name="Servicio de envío, tipo"),
        more(name="Kind", constant='5" | ü'),
        more(name="Client", code="client"),
        more(name="Key", path="key"),
        cells(delimiter="\t"),
        cells(delimiter="^", quoting="all"),
        top(file_name="{marker}{sent:%y%j}-{brand}.{sequence:08d}"),
    ],
)
def test_what_may_be_declared_is_sound(change: Change) -> None:
    assert wrong(CSV, change) == []


def test_texts_of_the_format_fit_its_quoting_and_encoding() -> None:
    def narrow(content: Content) -> None:
        content["encoding"], content["delimited"]["quoting"] = "ascii", "none"
        content["fields"] = [*content["fields"], {"name": "Size, cm", "constant": "ü", "doc": "Two mistakes."}]

    assert wrong(CSV, narrow) == [
        'fields[41] Size, cm: "Size, cm" cannot be written: it holds a sign that the file cannot carry',
        'fields[41] Size, cm: "ü" cannot be written: it holds a sign that the file cannot carry',
    ]


def folder_of(tmp_path: Path, text: str) -> Path:
    (tmp_path / "format.toml").write_text(text, "utf-8")
    return tmp_path


def refused(folder: Path) -> str:
    with pytest.raises(FallbackError) as error:
        load_format(folder)
    assert (error.value.code, error.value.exit_code) == ("format-invalid", 3)
    return error.value.message


def toml(name: str) -> str:
    return (Path(__file__).parents[1] / "formats" / name / "format.toml").read_text("utf-8")


def test_all_mistakes_are_told_at_once(tmp_path: Path) -> None:
    text = toml("order-lines-csv").replace("{sequence:06d}", "").replace('path = "service"', 'path = "servise"')
    text = text.replace('date = "iso8601"', 'date = "%Y"', 1)
    told = refused(folder_of(tmp_path, text))
    assert told.splitlines()[0] == f"{tmp_path / 'format.toml'} is wrong at 5 place(s):"
    assert [line.strip().partition(":")[0] for line in told.splitlines()[1:]] == [
        "fields[7] OrderedAt", "fields[7] OrderedAt", "fields[24] Service", "fields", "file_name",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ('title = "Orders', 'colour = "red"\ntitle = "Orders', "colour is not a key of this section"),
        ('path = "brand"\n', 'path = "brand"\npadding = "0"\n', "fields[0].padding is not a key of this section"),
        ('delimiter = ","', 'delimiter = ",,"', "delimited.delimiter"),
        ('quoting = "minimal"', 'quoting = "some"', "delimited.quoting may be 'minimal', 'all' or 'none'"),
        ('encoding = "utf-8"', 'encoding = "latin-1"', "encoding may be 'utf-8', 'utf-8-sig', 'cp1252'"),
        ('newline = "crlf"', "newline = 7", "newline may be 'lf', 'crlf' or 'cr'"),
        ('name = "order-lines-csv"', 'name = "Order Lines"', "name does not have the agreed form"),
        ('version = "1"', "version = 1", "version is text in quotation marks"),
        ('version = "1"', "", "version is missing"),
        (
            "required = true\nmax_length = 64",
            'required = "perhaps"\nmax_length = 64',
            "fields[0].required is true or false",
        ),
        ("max_length = 64", "max_length = 0", "fields[0].max_length is 1 or more"),
        ("max_length = 64", 'max_length = "long"', "fields[0].max_length is a whole number"),
        ("drops = []", 'drops = "lines.lot"', "drops is a list in brackets"),
        ("[delimited]", "[[delimited]]", "delimited is a section of its own"),
        ('doc = "The brand\'s code in the agreement."', "", "fields[0].doc is missing"),
    ],
)
def test_what_toml_may_not_say_is_named_in_plain_words(tmp_path: Path, old: str, new: str, expected: str) -> None:
    text = toml("order-lines-csv")
    assert old in text
    told = refused(folder_of(tmp_path, text.replace(old, new, 1)))
    assert expected in told
    assert "pydantic" not in told and "nput should" not in told and "type=" not in told


def test_what_is_not_toml_is_told_with_its_line(tmp_path: Path) -> None:
    told = refused(folder_of(tmp_path, toml("order-jsonl").replace('version = "1"', "version = ")))
    assert "is not TOML" in told and "line 2" in told
    (tmp_path / "format.toml").write_bytes("title = 'é'".encode("cp1252"))
    assert "is not UTF-8 text at line 1: save it as UTF-8" in refused(tmp_path)


def test_comments_and_layout_do_not_make_another_format(tmp_path: Path) -> None:
    for name in shipped():
        text = "# One more remark\n\n" + re.sub(r"(?m)^(\w+) = ", r"\1   =  ", toml(name))
        assert load_format(folder_of(tmp_path, text)).sha256 == load_format(name).sha256
        other = load_format(folder_of(tmp_path, text.replace("The brand's code", "The code of the brand")))
        assert other.sha256 != load_format(name).sha256
