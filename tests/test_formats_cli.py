"""``fallback formats``: from a partner's sample file to a signed scope sheet, as people type it."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cli_kit import Done, fallback, make_night
from fallback.formats.contradictions import shortest
from fallback.formats.library import load_format, shipped, shipped_folder
from fallback.formats.read import read
from fallback.formats.soundness import mistakes
from fallback.formats.spec import Format
from fallback.formats.write import write
from fallback.records.sample import sample_orders

AT = ("--at", "2026-11-23T12:00:00Z")


def copy_of(name: str, folder: Path, *changes: tuple[str, str]) -> Path:
    """A shipped format with another text in some places, each of which must be there."""
    text = (shipped_folder() / name / "format.toml").read_text("utf-8")
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new, 1)
    file = folder / f"{name}-{len(list(folder.iterdir()))}.toml"
    file.write_text(text, "utf-8")
    return file


# --- check

CITY = 'path = "ship_to.city"\nrequired = true\nmax_length = {}'


@pytest.mark.parametrize("name", shipped())
def test_every_shipped_format_is_sound_and_says_what_to_beware_of(name: str, tmp_path: Path) -> None:
    said = fallback("formats", "check", name, "--json", folder=tmp_path)
    document = said.document
    assert (said.code, document["sound"], document["mistakes"]) == (0, True, [])
    fmt = load_format(name)
    closed = any(row.trailer for row in fmt.rows) or fmt.json_terms.count or fmt.xml.count or fmt.kind == "x12"
    told = " ".join(document["warnings"])
    assert ("no closing row" in told) == (not closed and fmt.max_orders != 1)
    assert ("a lost row is noticed by the manifest only" in told) == bool(fmt.uncounted)
    assert ("nobody could try it" in told) == (fmt.status == "unverified")
    assert (document["fitting"] > 0) == (fmt.direction == "both")
    text = fallback("formats", "check", name, folder=tmp_path)
    assert text.code == 0
    assert all(f"  warning: {warning}" in text.out for warning in document["warnings"])


def test_what_does_not_fit_is_named_with_its_path(tmp_path: Path) -> None:
    narrow = copy_of("order-lines-csv", tmp_path, (CITY.format(60), CITY.format(6)))
    document = fallback("formats", "check", narrow, "--json", folder=tmp_path).document
    [refused] = document["refused"]
    assert (refused["code"], refused["path"]) == ("value-too-long", "ship_to.city")
    assert document["sound"]


def test_a_format_that_takes_no_order_proves_nothing(tmp_path: Path) -> None:
    narrow = copy_of("order-lines-csv", tmp_path, (CITY.format(60), CITY.format(1)))
    done = fallback("formats", "check", narrow, folder=tmp_path)
    assert done.code == 3
    assert "no sample order fits it (value-too-long ship_to.city), so nothing is proven" in done.err


def test_the_sample_beside_a_format_counts(tmp_path: Path) -> None:
    shutil.copytree(shipped_folder() / "order-lines-csv", tmp_path / "mine")
    sample = tmp_path / "mine" / "orders.jsonl"
    good = sample.read_text("utf-8")
    plain = fallback("formats", "check", "mine", "--json", folder=tmp_path).document
    sample.unlink()
    assert fallback("formats", "check", "mine", "--json", folder=tmp_path).document["tried"] < plain["tried"]
    sample.write_text(re.sub('"city":"[^"]*"', f'"city":"{"x" * 61}"', good, count=1), "utf-8")
    done = fallback("formats", "check", "mine", folder=tmp_path)
    assert done.code == 3
    assert "1 of the orders in the orders.jsonl beside it do not fit (value-too-long ship_to.city)" in done.err
    sample.write_text("{}\n" + good, "utf-8")
    assert "the sample beside the format has" in fallback("formats", "check", "mine", folder=tmp_path).err


def test_an_unsound_format_is_one_document_too(tmp_path: Path) -> None:
    wrong = copy_of("order-lines-csv", tmp_path, ('path = "service"', 'path = "servise"'))
    done = fallback("formats", "check", wrong, "--json", folder=tmp_path)
    assert done.code == 3
    assert not done.document["sound"]
    assert len(done.document["mistakes"]) == 2
    (tmp_path / "no.toml").write_text("name = ", "utf-8")
    done = fallback("formats", "check", "no.toml", "--json", folder=tmp_path)
    assert (done.code, done.document["sound"], len(done.document["mistakes"])) == (3, False, 1)
    assert fallback("formats", "check", "nix", "--json", folder=tmp_path).code == 3


Change = Callable[[dict[str, Any]], None]


def at(path: str, /, **values: Any) -> Change:
    def change(content: dict[str, Any]) -> None:
        rows = content["records"] or [content]
        next(field for row in rows for field in row["fields"] if field["path"] == path).update(values)

    return change


def identity(content: dict[str, Any]) -> None:
    content["fields"] = [one for one in content["fields"] if one["path"] not in ("order_id", "order_number")]
    content["defaults"] = {"order_id": "1", "order_number": "1"}


CONTRADICTIONS: list[tuple[str, Change, str]] = [
    ("order-lines-csv", at("service", pattern="[A-Z]{9}", max_length=8), "no value of the pattern is as short as 8"),
    ("order-lines-csv", at("service", pattern="[A-Z]+", allowed=["STD", "2"]), '"2" does not have the form'),
    ("order-lines-csv", at("ordered_at", max_length=10), "is longer than 10 characters"),
    ("order-lines-csv", at("ordered_at", date="%Y%-m%-d%H%M%S%z"), "reads back as another"),
    ("order-lines-csv", at("ordered_at", date=["%Y-%m-%dT%H:%M:%S%z", "%Y-%d-%mT%H:%M:%S%z"]), "dates contradict"),
    ("order-lines-csv", at("service", doc="CHECK"), "CHECK stands where something is still to be decided"),
    ("order-lines-csv", lambda content: content.update(title="CHECK"), "title: CHECK stands where"),
    ("order-lines-csv", identity, "nothing tells one order from another"),
    ("order-fixed-width", at("platform", start=30), "columns 18-29 belong to no field"),
    ("order-fixed-width", at("platform", start=10), "overlap the field before"),
    ("order-fixed-width", at("service", path=None, constant="X" * 99), "is longer than"),
    ("order-x12-940", at("purchase_order", element=2), "element 2"),
]


@pytest.mark.parametrize("case", range(len(CONTRADICTIONS)))
def test_terms_that_contradict_each_other_are_named(case: int) -> None:
    name, change, words = CONTRADICTIONS[case]
    content = load_format(name).model_dump(by_alias=True)
    change(content)
    assert any(words in one for one in mistakes(Format.model_validate(content))), words


@pytest.mark.parametrize(
    ("pattern", "length"),
    [
        ("", 0), ("ab", 2), ("a*b+c?", 1), ("[A-Z]{3}", 3), ("[A-Z]{2,5}x", 3), ("(ab|c)d", 2), ("(?:ab){2}", 4),
        ("a|bcd", 1), (r"\.[\]]", 2), ("(a?b)*", 0), ("a{0,3}", 0), ("((ab|cde){2}|f{9})g", 5),
    ],
)  # fmt: skip
def test_the_shortest_text_of_a_pattern(pattern: str, length: int) -> None:
    assert shortest(pattern) == length


def test_text_in_columns_of_no_field_is_not_lost_in_silence() -> None:
    """A value that runs over the end of its columns would be cut without a word."""
    fmt = load_format("order-fixed-width")
    orders = sample_orders(3, at=load_at())
    lines = write(fmt, orders).data.decode().split(fmt.newline_text)
    first = next(at for at, line in enumerate(lines) if line.startswith("D"))
    lines[first] = lines[first].rstrip().ljust(600) + "more".ljust(len(lines[first]) - 600)
    content = read(fmt, fmt.newline_text.join(lines).encode())
    assert [one.order is None for one in content.orders] == [True, False, False]
    assert [finding.code for finding in content.orders[0].findings] == ["row-cells"]


def load_at() -> Any:
    from datetime import UTC, datetime

    return datetime(2026, 11, 23, 12, tzinfo=UTC)


# --- diff


def test_diff_says_what_breaks_and_what_does_not(tmp_path: Path) -> None:
    old = copy_of("order-lines-csv", tmp_path)
    shorter = copy_of("order-lines-csv", tmp_path, ("max_length = 40", "max_length = 30"), ('"1"', '"2"'))
    worded = copy_of("order-lines-csv", tmp_path, ("as the customer knows it", "on the parcel"), ('"1"', '"2"'))
    done = fallback("formats", "diff", old, shorter, folder=tmp_path)
    assert done.code == 1
    assert "breaks    OrderNo: at most 40 characters becomes at most 30 characters" in done.out
    assert "old files may be refused; the partner need not change" in done.out
    assert fallback("formats", "diff", old, worded, folder=tmp_path).code == 0
    assert fallback("formats", "diff", old, old, folder=tmp_path).out == "nothing changes\n"
    document = fallback("formats", "diff", shorter, old, "--json", folder=tmp_path).document
    assert document["schema"] == "fallback.format-diff/1"
    assert document["breaks"]
    [change] = [one for one in document["changes"] if one["breaks"]]
    assert (change["old_files_read"], change["partner_must_change"]) == (True, True)
    assert fallback("formats", "diff", old, "nix", folder=tmp_path).code == 3


# --- parity


@pytest.fixture(scope="module")
def night(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A brand's folder with a payload, the file that was made of it, and its orders as the warehouse shows them."""
    made = make_night(tmp_path_factory.mktemp("night"))
    export = ("export", "sample-orders.json", "--out", "out", "--integration", "paused", "--confirmed-by", "J. Ops")
    assert fallback(*export, folder=made.acme).code == 0
    [file] = (made.acme / "out").glob("*.csv")
    shutil.copy(file, made.acme / "file.csv")
    assert fallback("validate", "file.csv", "--format", "order-lines-csv", "--orders", "wms.jsonl",
                    folder=made.acme).code == 0  # fmt: skip
    return made.acme


LINES = ("--format", "order-lines-csv")


def compare(night: Path, left: str, right: str, *args: str) -> Done:
    return fallback("formats", "parity", left, right, *args, folder=night)


def test_the_warehouse_shows_the_same_order_whichever_way_it_came(night: Path) -> None:
    done = compare(night, "sample-orders.json", "file.csv", "--agreement", ".")
    assert (done.code, done.out.splitlines()[-1]) == (0, "equal: 4 of 4 orders")
    assert "left out: 1 cancelled" in done.out
    assert compare(night, "file.csv", "wms.jsonl", *LINES).code == 0
    assert compare(night, "sample-orders.json", "wms.jsonl", "--agreement", ".").code == 0
    document = compare(night, "sample-orders.json", "wms.jsonl", "--agreement", ".", "--json").document
    assert (document["schema"], document["equal"], document["differences"]) == ("fallback.parity/1", 4, [])
    assert document["left"]["left_out"] == {"cancelled": 1}


def test_without_the_mapping_the_services_differ(night: Path) -> None:
    done = compare(night, "sample-orders.json", "file.csv", *LINES)
    assert done.code == 1
    assert done.out.count('service: "Standard" and "STD"') == 4


def orders_of(night: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (night / "wms.jsonl").read_text("utf-8").splitlines()]


def written(night: Path, name: str, orders: list[dict[str, Any]]) -> str:
    (night / name).write_text("".join(json.dumps(order) + "\n" for order in orders), "utf-8")
    return name


def test_every_difference_is_told_and_no_customer_is(night: Path) -> None:
    orders = orders_of(night)
    secret = orders[0]["ship_to"]["name"]
    orders[0]["ship_to"]["name"] = "Somebody Else"
    orders[1]["lines"][0]["quantity"] += 5
    del orders[2]
    done = compare(night, "file.csv", written(night, "other.jsonl", orders), *LINES)
    assert done.code == 1
    assert "ship_to.name: 1" in done.out
    assert f'lines.quantity of line 1: "{orders[1]["lines"][0]["quantity"] - 5}" and' in done.out
    assert "only in file.csv: acme:shopify:" in done.out
    assert done.out.endswith("not equal: 1 of 4 orders\n")
    assert secret not in done.out
    assert "Somebody" not in done.out
    assert "Somebody Else" in compare(night, "file.csv", "other.jsonl", *LINES, "--show-values").out
    as_json = compare(night, "file.csv", "other.jsonl", *LINES, "--json")
    assert secret not in as_json.out
    assert {one["verdict"] for one in as_json.document["differences"]} == {"different", "only-left"}


def test_orders_that_cannot_be_read_are_not_equal(night: Path) -> None:
    text = (night / "file.csv").read_text("utf-8").replace(",US,", ",UU,")
    (night / "half.csv").write_text(text, "utf-8", newline="")
    done = compare(night, "half.csv", "half.csv", *LINES)
    assert done.code == 1
    assert re.search(r"not readable: [1-3] \(country-unknown\)", done.out)


@pytest.mark.parametrize(
    ("make", "code", "words"),
    [
        (lambda data: b"", 3, "no whole file of order-lines-csv (file-empty)"),
        (lambda data: data.replace(b",", b";"), 3, "no whole file of order-lines-csv (delimiter-wrong"),
        (lambda data: b"\xff\xfe" + data, 3, "(encoding-wrong)"),
        (lambda data: b"[]", 3, "payload"),
        (lambda data: b"{", 3, "payload"),
        (lambda data: b"PK\x03\x04", 3, "payload"),
        (lambda data: data + data.split(b"\r\n", 1)[1], 3, ""),
    ],
)
def test_what_is_no_source_is_said_in_words(night: Path, make: Callable[[bytes], bytes], code: int, words: str) -> None:
    (night / "bad.csv").write_bytes(make((night / "file.csv").read_bytes()))
    done = compare(night, "bad.csv", "file.csv", *LINES)
    assert done.code == code
    assert words in done.err


def test_sources_that_are_not_there_or_show_an_order_twice(night: Path) -> None:
    assert compare(night, "nix.csv", "file.csv", *LINES).code == 3
    assert compare(night, ".", "file.csv", *LINES).code == 3
    assert compare(night, "file.csv", "file.csv").code == 3  # nobody said what it is
    orders = orders_of(night)
    done = compare(night, written(night, "twice.jsonl", [*orders, orders[0]]), "file.csv", *LINES)
    assert done.code in (1, 3)
    assert "order-doubled" in done.text or "more than once" in done.text


def test_files_of_two_formats_are_compared(night: Path, tmp_path: Path) -> None:
    for name in ("order-json", "order-x12-940"):
        out = fallback("formats", "sample", name, *AT, folder=tmp_path).out
        (tmp_path / name).write_text(out, "utf-8", newline="")
    args = ("--format", "order-json", "--format", "order-x12-940")
    done = fallback("formats", "parity", "order-json", "order-x12-940", *args, folder=tmp_path)
    assert done.code == 0, done.text
    assert "dropped by agreement: lines.unit_price" in done.out


def test_a_pair_is_named_by_either_half(night: Path, tmp_path: Path) -> None:
    fallback("formats", "sample", "order-two-files-csv", *AT, "--out", ".", folder=tmp_path)
    lines, orders = sorted(file.name for file in tmp_path.glob("*.csv"))
    done = fallback("formats", "parity", lines, orders, "--format", "order-two-files-csv", folder=tmp_path)
    assert (done.code, done.out.splitlines()[-1]) == (0, "equal: 5 of 5 orders")
    (tmp_path / lines).unlink()
    done = fallback("formats", "parity", orders, orders, "--format", "order-two-files-csv", folder=tmp_path)
    assert (done.code, "part-missing" in done.err) == (3, True)
