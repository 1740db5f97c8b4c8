"""Orders and lines in two files that are one fallback file: written, read, validated, sent, received and answered."""

from __future__ import annotations

import hashlib
import json
import random
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from brand_kit import make_receipt
from cli_kit import fallback
from fallback.brand.outbox import open_outbox
from fallback.delivery.folder import FolderDrop
from fallback.delivery.memory import MemoryDrop
from fallback.delivery.server import Account, LoopbackServer
from fallback.documents.base import Counts
from fallback.documents.manifest import DeclaredOrder, FileEntry, Manifest, hash_total
from fallback.errors import FallbackError, Refused, WrongUse
from fallback.findings import Finding
from fallback.formats.library import load_format
from fallback.formats.pair import names_of
from fallback.formats.read import ReadFile, read
from fallback.formats.soundness import mistakes
from fallback.formats.spec import Format
from fallback.formats.write import write
from fallback.records.order import Order, fingerprint
from fallback.records.sample import sample_orders
from fallback.validation import validate
from test_procedure import PAUSED, Sides, make_sides
from test_receive_crash import Fuse, Night, _process_dies_and_the_machine_does_not  # noqa: F401
from warehouse_kit import PAUSED as CONFIRMED
from warehouse_kit import Parcel, Warehouse, make_agreement, make_order, make_orders, states

AT = datetime(2026, 11, 23, 14, tzinfo=UTC)
NAME = "order-two-files-csv"
PAIR = load_format(NAME)
NAMES = {"orders": "O.csv", "lines": "L.csv"}
FIRST = "ACME_ORDERS_20261123T140000Z_000001.csv"
OTHER = "ACME_LINES_20261123T140000Z_000001.csv"


def sample(count: int = 5, seed: int = 1) -> list[Order]:
    return sample_orders(count, seed=seed, at=AT)


def parts_of(orders: list[Order]) -> dict[str, bytes]:
    written = write(PAIR, orders)
    assert not written.findings
    return dict(written.parts)


def rows(data: bytes) -> list[bytes]:
    return data.splitlines(keepends=True)


def without(data: bytes, *numbers: int) -> bytes:
    """A file without some of its lines, counted from 1 as an editor does."""
    return b"".join(row for number, row in enumerate(rows(data), 1) if number not in numbers)


def findings(content: ReadFile) -> list[Finding]:
    return [*content.findings, *(one for order in content.orders for one in order.findings)]


def said(content: ReadFile) -> list[tuple[str, str | None, str, int]]:
    return [(one.code, one.order, one.place.file, one.place.line) for one in findings(content)]


def look(**parts: bytes) -> ReadFile:
    return read(PAIR, parts, name=NAMES)


def good(content: ReadFile) -> list[Order]:
    return [one.order for one in content.orders if one.order is not None]


# --- writing and reading


def text(longest: int) -> st.SearchStrategy[str]:
    letters = st.characters(codec="utf-8", exclude_categories=["C", "Z"])
    return st.text(letters | st.sampled_from(',;"\n '), min_size=1, max_size=longest).map(str.strip).filter(bool)


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 12), st.integers(0, 10**6), st.lists(text(40), min_size=12, max_size=12))
def test_what_is_written_reads_back(count: int, seed: int, notes: list[str]) -> None:
    orders = [order.model_copy(update={"instructions": note}) for order, note in zip(sample(count, seed), notes)]  # noqa: B905
    content = look(**parts_of(orders))
    assert good(content) == orders
    assert findings(content) == []
    assert content.records == count + sum(len(order.lines) for order in orders)
    assert {one.place.file for one in content.orders} == {"O.csv"}
    assert {place.file for one in content.orders for place in one.line_places} == {"L.csv"}


def test_each_file_has_its_own_header_and_neither_is_the_whole() -> None:
    written = write(PAIR, sample())
    assert list(written.parts) == ["orders", "lines"]
    assert written.parts["orders"].startswith(b"Brand,Platform,OrderId,OrderNo,")
    assert written.parts["lines"].startswith(b"OrderId,OrderNo,Group,LineNo,")
    with pytest.raises(WrongUse):
        _ = written.data


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6), st.randoms(use_true_random=False))
def test_a_line_is_found_wherever_it_stands(seed: int, chance: random.Random) -> None:
    orders = [order.model_copy(update={"instructions": None}) for order in sample(6, seed)]  # one physical line a row
    parts = parts_of(orders)
    for role, data in parts.items():
        header, *others = rows(data)
        chance.shuffle(others)
        parts[role] = header + b"".join(others)
    content = look(**parts)
    assert findings(content) == []
    told = {one.order_id: sorted(one.lines, key=lambda line: line.line_number) for one in good(content)}
    assert told == {one.order_id: list(one.lines) for one in orders}


def test_rows_of_an_order_that_must_stand_together() -> None:
    fmt = PAIR.model_copy(update={"row_order": PAIR.row_order.model_copy(update={"adjacent": True})})
    parts = parts_of(sample(2))
    header, *others = rows(parts["lines"])
    assert len(others) == 5
    parts["lines"] = header + b"".join([*others[1:], others[0]])
    assert said(read(fmt, parts, name=NAMES)) == [("rows-apart", "#1001", "L.csv", 6)]


# --- half a pair, and the wrong halves


@pytest.mark.parametrize(("there", "absent"), [("orders", "L.csv"), ("lines", "O.csv")])
def test_half_a_pair_is_one_finding_about_the_whole_file(there: str, absent: str) -> None:
    content = look(**{there: parts_of(sample())[there]})
    assert said(content) == [("part-missing", None, absent, 0)]
    assert content.findings[0].refuses_file
    assert good(content) == []
    assert len(content.orders) == (5 if there == "orders" else 0), "what was to ship is named where it is known"


def test_bytes_alone_are_half_a_pair() -> None:
    content = read(PAIR, parts_of(sample())["orders"], name="x")
    assert said(content) == [("part-missing", None, "x lines", 0)]


@pytest.mark.parametrize("name", [None, "whatever.csv"])
def test_a_name_that_the_format_would_not_give_is_that_of_half_a_pair(name: str | None) -> None:
    report = validate(parts_of(sample())["orders"], format=PAIR, name=name)
    assert [(one.code, one.place.file) for one in report.findings] == [("part-missing", f"{name or ''} lines".strip())]
    assert report.orders == ()


def test_swapped_files_are_told_by_their_headers() -> None:
    parts = parts_of(sample())
    content = look(orders=parts["lines"], lines=parts["orders"])
    assert said(content) == [("header-missing", None, "L.csv", 1), ("header-missing", None, "O.csv", 1)]


@pytest.mark.parametrize("role", ["orders", "lines"])
def test_a_file_with_its_header_alone_is_empty(role: str) -> None:
    parts = parts_of(sample())
    parts[role] = rows(parts[role])[0]
    assert said(look(**parts)) == [("file-empty", None, NAMES[role], 0)]


@pytest.mark.parametrize(
    ("code", "damage"),
    [
        ("delimiter-wrong", lambda data: data.replace(b",", b";")),
        ("column-renamed", lambda data: data.replace(b"OrderNo", b"OrderNumber", 1)),
        ("encoding-wrong", lambda data: data.decode().encode("utf-16")),
        ("file-empty", lambda data: b""),
        ("quote-unclosed", lambda data: data + b'"open\r\n'),
    ],
)
@pytest.mark.parametrize("role", ["orders", "lines"])
def test_a_fault_of_one_file_names_it_and_nothing_else(role: str, code: str, damage: Callable[[bytes], bytes]) -> None:
    parts = parts_of(sample())
    parts[role] = damage(parts[role])
    (finding,) = findings(look(**parts))
    assert (finding.code, finding.place.file, finding.refuses_file) == (code, NAMES[role], True)


def test_what_a_mark_left_open_swallows_is_not_blamed_on_the_orders() -> None:
    parts = parts_of(sample())
    first, second, *others = rows(parts["lines"])
    content = look(orders=parts["orders"], lines=first + second + b'"' + b"".join(others))
    assert said(content) == [("quote-unclosed", None, "L.csv", 3)]
    assert good(content) == []


# --- rows that are lost, doubled or damaged


def test_a_lost_line_does_not_make_a_smaller_order() -> None:
    orders = sample(3)
    parts = parts_of(orders)
    content = look(orders=parts["orders"], lines=without(parts["lines"], 3))
    assert said(content) == [("line-count", "#1001", "O.csv", 2)]
    assert good(content) == orders[1:]


def test_an_order_without_lines_is_one_finding() -> None:
    orders = sample(3)
    parts = parts_of(orders)
    content = look(orders=parts["orders"], lines=without(parts["lines"], *range(2, 2 + len(orders[0].lines))))
    assert said(content) == [("line-count", "#1001", "O.csv", 2)]
    assert findings(content)[0].found == "no line in L.csv"
    assert good(content) == orders[1:]


def test_lines_without_their_order_are_one_finding_an_order() -> None:
    orders = sample(3)
    parts = parts_of(orders)
    content = look(orders=without(parts["orders"], 2), lines=parts["lines"])
    assert said(content) == [("line-orphan", "#1001", "L.csv", 2)]
    assert good(content) == orders[1:]
    assert content.orders[-1].identity == (("order_id", orders[0].order_id), ("order_number", "#1001"), ("group", "0"))


def test_a_doubled_line_is_noticed() -> None:
    parts = parts_of(sample(3))
    content = look(orders=parts["orders"], lines=parts["lines"] + rows(parts["lines"])[-1])
    assert [(one.code, one.place.file) for one in findings(content)] == [("line-doubled", "L.csv")]


def test_the_same_order_twice_is_one_cause_and_neither_loads() -> None:
    orders = sample(3)
    parts = parts_of(orders)
    parts["orders"] += rows(parts["orders"])[1]
    report = validate(parts, format=PAIR, name=FIRST)
    assert {(one.code, one.order) for one in report.findings} == {("order-doubled", "#1001")}
    assert list(report.orders) == orders[1:]
    assert [one.codes for one in report.rejected] == [("order-doubled",)] * 2


def test_a_damaged_row_poisons_its_order_only() -> None:
    orders = sample(4)
    parts = parts_of(orders)
    ragged = parts["orders"].replace(b",USD,", b",USD,,", 1)
    content = look(orders=ragged, lines=parts["lines"])
    assert said(content) == [("row-cells", "#1001", "O.csv", 2)]
    assert good(content) == orders[1:]
    first, second, *others = rows(parts["lines"])
    content = look(orders=parts["orders"], lines=first + second.replace(b"EA", b"EA,") + b"".join(others))
    assert said(content) == [("row-cells", "#1001", "L.csv", 2)]
    assert good(content) == orders[1:]


def test_a_damaged_row_that_is_nobodys_refuses_the_file() -> None:
    parts = parts_of(sample(4))
    first, second, *others = rows(parts["lines"])
    content = look(orders=parts["orders"], lines=first + b'55"5' + second + b"".join(others))
    assert said(content) == [("quote-stray", None, "L.csv", 2)]
    assert content.findings[0].refuses_file
    content = look(orders=parts["orders"].replace(b"acme", b'ac"me', 1), lines=parts["lines"])
    assert said(content) == [("quote-stray", None, "O.csv", 2)]


@pytest.mark.parametrize("role", ["orders", "lines"])
def test_a_file_that_was_cut_in_a_row(role: str) -> None:
    orders = sample(4)
    parts = parts_of(orders)
    parts[role] = parts[role][:-9]
    content = look(**parts)
    assert [(one.code, one.order, one.place.file) for one in findings(content)] == [("file-cut", "#1004", NAMES[role])]
    assert good(content) == orders[:3]


def test_a_line_that_says_something_else_of_its_order() -> None:
    lines = PAIR.records[1]
    ship_by = next(one for one in PAIR.records[0].fields if one.path == "ship_by")
    record = lines.model_copy(update={"fields": (*lines.fields, ship_by)})
    fmt = Format(**PAIR.model_dump(exclude={"records"}), records=(PAIR.records[0], record))
    assert mistakes(fmt) == []
    orders = [order.model_copy(update={"ship_by": AT}) for order in sample(2)]
    parts = dict(write(fmt, orders).parts)
    assert good(read(fmt, parts)) == orders
    parts["lines"] = parts["lines"].replace(b"2026-11-23T14:00:00Z", b"2026-11-24T14:00:00Z", 1)
    (finding,) = findings(read(fmt, parts, name=NAMES))
    assert (finding.code, finding.order, finding.field) == ("order-fields-differ", "#1001", "ShipBy")
    assert finding.expected == "the same as in line 2 of the orders file"


def by_number_only() -> Format:
    """A pair of a partner whose lines say the order number only."""
    lines = PAIR.records[1]
    fields = tuple(one for one in lines.fields if one.path not in ("order_id", "group"))
    record = lines.model_copy(update={"fields": fields})
    return Format(**PAIR.model_dump(exclude={"records"}), records=(PAIR.records[0], record))


def test_two_orders_under_one_number_cannot_be_told_apart() -> None:
    fmt = by_number_only()
    assert mistakes(fmt) == []
    orders = sample(3)
    assert good(read(fmt, write(fmt, orders).parts)) == orders
    apart = write(fmt, orders).parts
    content = read(fmt, {role: part.replace(b"#1002", b"#1001") for role, part in apart.items()}, name=NAMES)
    assert said(content) == [("line-orphan", "#1001", "O.csv", 2), ("line-orphan", "#1001", "O.csv", 3)]
    assert good(content) == orders[2:]


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_no_damage_gives_an_order_that_was_not_sent(data: st.DataObject) -> None:
    """Under its manifest a pair loads as it was written, or not at all; without one nothing crashes."""
    parcel = SENT
    parts = dict(parcel.parts)
    role = data.draw(st.sampled_from(["orders", "lines"]))
    content = bytearray(parts[role])
    at = data.draw(st.integers(0, len(content) - 1))
    what = data.draw(st.sampled_from(["flip", "cut", "insert", "remove row"]))
    if what == "flip":
        content[at] ^= data.draw(st.integers(1, 255))
    elif what == "cut":
        del content[at:]
    elif what == "insert":
        content[at:at] = data.draw(st.binary(min_size=1, max_size=3))
    else:
        content = bytearray(without(bytes(content), data.draw(st.integers(1, 8))))
    parts[role] = bytes(content)
    if parts != parcel.parts:
        assert validate(parts, format=PAIR, manifest=parcel.manifest).orders == ()
    sent = {order.order_id: sorted(line.line_id for line in order.lines) for order in SENT_ORDERS}
    for order in validate(parts, format=PAIR, name=FIRST).orders:
        # One changed byte may make another id; it never makes an order smaller.
        assert len(order.lines) == len(sent.get(order.order_id, order.lines))


# --- names, and what a pair must declare


@given(st.from_regex(r"[A-Z][A-Z0-9_]{0,20}", fullmatch=True), st.sampled_from(["", "DRILL_"]), st.integers(1, 10**7))
def test_either_name_gives_both(brand: str, marker: str, sequence: int) -> None:
    form = {"marker": marker, "brand": brand, "sent": AT, "sequence": sequence}
    names = {role: PAIR.file_name.format(role=role.upper(), **form) for role in PAIR.roles}
    assert names_of(PAIR, names["orders"]) == names_of(PAIR, names["lines"]) == names
    assert names_of(PAIR, "orders.csv") == {"orders": "orders.csv"}
    assert names_of(load_format("order-lines-csv"), names["lines"]) == {"orders": names["lines"]}


@pytest.mark.parametrize(
    ("changes", "mistake"),
    [
        ({"file_name": "{marker}{brand}_{sequence:06d}.csv"}, "needs {role}"),
        ({"records": PAIR.records[::-1]}, "one record with tag orders"),
        ({"records": PAIR.records[:1]}, "one record with tag orders"),
        ({"wrapper": "gzip"}, "not packed"),
        (
            {"records": (PAIR.records[0], PAIR.records[1].model_copy(update={"fields": PAIR.records[1].fields[3:]}))},
            "no line says which order it belongs to",
        ),
        ({"kind": "json"}, "layout: json may be nested"),
    ],
)
def test_a_pair_that_cannot_work_is_refused(changes: dict[str, Any], mistake: str) -> None:
    content = {name: getattr(PAIR, name) for name in Format.model_fields} | changes
    assert any(mistake in one for one in mistakes(Format(**content))), mistakes(Format(**content))


def test_one_file_has_no_role_in_its_name() -> None:
    fmt = load_format("order-lines-csv")
    named = fmt.model_copy(update={"file_name": "{marker}{brand}_{role}_{sequence:06d}.csv"})
    assert any("cannot use {role}" in one for one in mistakes(named))


# --- validation


@dataclass(frozen=True)
class Pair(Parcel):
    """Two files and their manifest, as the brand makes them."""

    parts: dict[str, bytes] = field(default_factory=dict)

    @property
    def files(self) -> dict[str, bytes]:
        return {entry.name: self.parts[entry.role] for entry in self.manifest.files}

    def deliver(self, drop: Any) -> None:
        drop.put("in", self.manifest.name, self.manifest.to_bytes())
        for name, data in self.files.items():
            drop.put("in", name, data)

    def changed(self, **parts: bytes) -> Pair:
        """The same manifest with other bytes: what a damaged upload looks like."""
        return Pair(self.name, parts.get("orders", self.data), self.manifest, self.parts | parts)


def make_pair(orders: list[Order], *, sequence: int = 1, agreement: Any = None) -> Pair:
    agreement = agreement or AGREEMENT
    written = write(PAIR, orders)
    assert not written.findings
    names = names_of(PAIR, f"ACME_ORDERS_20261123T140000Z_{sequence:06d}.csv")
    keys = [agreement.key(order) for order in orders]
    manifest = Manifest(
        file_id=names["orders"].removesuffix(".csv"),
        state="live",
        sequence=sequence,
        created_at=AT,
        agreement=agreement.ref,
        format=PAIR.ref,
        files=tuple(
            FileEntry(name=names[role], role=role, bytes=len(data), sha256=hashlib.sha256(data).hexdigest())
            for role, data in written.parts.items()
        ),
        counts=Counts(
            orders=len(orders), lines=sum(len(o.lines) for o in orders), units=sum(order.units for order in orders)
        ),
        hash_total=hash_total(order.order_number for order in orders),
        orders=tuple(
            DeclaredOrder(key=key, revision=order.revision, fingerprint=fingerprint(order, key))
            for key, order in zip(keys, orders, strict=True)
        ),
        population=len(orders),
        integration=CONFIRMED,
    )
    return Pair(names["orders"], written.parts["orders"], manifest, dict(written.parts))


AGREEMENT = make_agreement(Path(), format={"orders": NAME})
SENT_ORDERS = sample(4)
SENT = make_pair(SENT_ORDERS)


def put_down(folder: Path, parcel: Pair) -> None:
    for name, data in {parcel.manifest.name: parcel.manifest.to_bytes(), **parcel.files}.items():
        (folder / name).write_bytes(data)


@pytest.mark.parametrize("with_manifest", [True, False])
@pytest.mark.parametrize("named", [FIRST, OTHER])
def test_either_path_finds_the_other(tmp_path: Path, named: str, with_manifest: bool) -> None:
    put_down(tmp_path, SENT)
    if not with_manifest:
        (tmp_path / SENT.manifest.name).unlink()
    report = validate(tmp_path / named, agreement=AGREEMENT)
    assert list(report.orders) == SENT_ORDERS
    assert [one.code for one in report.findings] == ([] if with_manifest else ["manifest-absent"])
    assert (report.file, report.bytes) == (FIRST, SENT.manifest.size)
    assert report.sha256 == SENT.manifest.sha256


def test_the_manifest_names_files_that_the_format_would_not(tmp_path: Path) -> None:
    put_down(tmp_path, SENT)
    (tmp_path / OTHER).rename(tmp_path / "other.csv")
    entries = (SENT.manifest.files[0], SENT.manifest.files[1].model_copy(update={"name": "other.csv"}))
    manifest = SENT.manifest.model_copy(update={"files": entries})
    (tmp_path / manifest.name).write_bytes(manifest.to_bytes())
    assert validate(tmp_path / FIRST, agreement=AGREEMENT).exit_code == 0


@pytest.mark.parametrize(("gone", "left"), [(FIRST, OTHER), (OTHER, FIRST)])
def test_half_a_pair_on_disk(tmp_path: Path, gone: str, left: str) -> None:
    put_down(tmp_path, SENT)
    (tmp_path / gone).unlink()
    report = validate(tmp_path / left, agreement=AGREEMENT)
    assert report.refused_file
    assert [(one.code, one.place.file) for one in report.findings] == [("part-missing", gone)]


@pytest.mark.parametrize("role", ["orders", "lines"])
def test_each_file_is_held_against_its_own_hash(role: str) -> None:
    data = SENT.parts[role]
    longer = validate(SENT.parts | {role: data + rows(data)[-1]}, agreement=AGREEMENT, manifest=SENT.manifest)
    other = validate(SENT.parts | {role: data.replace(b"1001", b"1009")}, agreement=AGREEMENT, manifest=SENT.manifest)
    name = {"orders": FIRST, "lines": OTHER}[role]
    assert ("file-size-differs", name) in [(one.code, one.place.file) for one in longer.findings]
    assert ("file-hash-differs", name) in [(one.code, one.place.file) for one in other.findings]
    assert longer.orders == other.orders == ()


def test_swapped_files_do_not_pass_for_their_manifest() -> None:
    swapped = {"orders": SENT.parts["lines"], "lines": SENT.parts["orders"]}
    report = validate(swapped, agreement=AGREEMENT, manifest=SENT.manifest)
    assert {(one.code, one.place.file) for one in report.findings if one.code.startswith("file-")} == {
        ("file-size-differs", FIRST),
        ("file-size-differs", OTHER),
    }
    assert report.orders == ()


def test_a_finding_in_the_lines_names_their_file_in_the_report() -> None:
    report = validate(SENT.parts, agreement=AGREEMENT, manifest=SENT.manifest, skus=["0012"])
    documents = report.document()["findings"]
    assert {(one["code"], one["file"]) for one in documents} == {("sku-unknown", OTHER)}


def test_one_half_too_large_is_the_whole_too_large() -> None:
    agreement = AGREEMENT.model_copy(update={"limits": AGREEMENT.limits.model_copy(update={"max_bytes": 1500})})
    assert all(len(data) < 1500 for data in SENT.parts.values())
    report = validate(SENT.parts, agreement=agreement, manifest=SENT.manifest)
    assert "orders-over-limit" in {one.code for one in report.findings}


def test_a_drills_half_in_a_live_pair_is_refused() -> None:
    entries = (SENT.manifest.files[0], SENT.manifest.files[1].model_copy(update={"name": f"DRILL_{OTHER}"}))
    manifest = SENT.manifest.model_copy(update={"files": entries})
    report = validate(SENT.parts, agreement=AGREEMENT, manifest=manifest)
    assert report.refused_file


def test_a_manifest_names_each_file_once() -> None:
    content = json.loads(SENT.manifest.to_json())
    content["files"][1]["name"] = content["files"][0]["name"]
    with pytest.raises(FallbackError) as refused:
        Manifest.from_json(json.dumps(content))
    assert refused.value.code == "document-unreadable"


# --- by command


def test_a_sample_pair_is_valid_from_either_file(tmp_path: Path) -> None:
    assert fallback("formats", "sample", NAME, folder=tmp_path).code == 2, "a pair has no place on standard output"
    done = fallback("formats", "sample", NAME, "--orders", "7", "--out", "x", folder=tmp_path)
    assert done.code == 0
    paths = done.out.split()
    assert len(paths) == 2
    for path in paths:
        checked = fallback("validate", path, "--format", NAME, folder=tmp_path)
        assert checked.code == 0
        assert "7 orders" in checked.out
    both = fallback("validate", *paths, "--format", NAME, folder=tmp_path)
    assert both.out == checked.out, "the two are one fallback file"
    assert f"{NAME} version" in fallback("formats", "check", NAME, folder=tmp_path).out
    assert "## File lines: a line of the order a row" in fallback("formats", "show", NAME, folder=tmp_path).out
    same = fallback("formats", "parity", *paths, "--format", NAME, folder=tmp_path)
    assert (same.code, "7 orders" in same.out) == (0, True)
    (tmp_path / paths[1]).unlink()
    half = fallback("validate", paths[0], "--format", NAME, folder=tmp_path)
    assert half.code == 1
    assert "part-missing" in half.out


def test_the_good_orders_of_a_pair_are_a_pair(tmp_path: Path) -> None:
    done = fallback("formats", "sample", NAME, "--out", "x", folder=tmp_path)
    first, other = (tmp_path / path for path in done.out.split())
    other.write_bytes(without(other.read_bytes(), 2))
    command = ("validate", other, "--format", NAME, "--accepted")
    assert fallback(*command, "good.csv", folder=tmp_path).code == 2, "a name that does not give two"
    assert fallback(*command, first, folder=tmp_path).code == 2, "not over what is read"
    assert fallback(*command, f"good/{first.name}", folder=tmp_path).code == 1
    again = fallback("validate", f"good/{other.name}", "--format", NAME, "--json", folder=tmp_path)
    assert (again.code, again.document["counts"]["accepted"]) == (0, 4)


def test_a_pair_without_an_agreement_is_written_whole(tmp_path: Path) -> None:
    make_sides(tmp_path, "--drop", f"folder:{tmp_path / 'drop'}")
    payload = tmp_path / "acme" / "sample-orders.json"
    done = fallback("export", payload, "--format", NAME, "--brand", "acme", folder=tmp_path)
    assert done.code == 0
    written = tmp_path / done.out.strip()
    assert len(list(tmp_path.glob("*.csv"))) == 2
    assert fallback("validate", written, "--format", NAME, folder=tmp_path).code == 0


# --- the procedure


def pair_sides(base: Path, drop: tuple[str, ...] = (), warehouse_drop: tuple[str, ...] = ()) -> Sides:
    drop = drop or ("--drop", f"folder:{base / 'served'}")
    return make_sides(base, *drop, "--format", NAME, warehouse_drop=warehouse_drop or drop)


@pytest.fixture(params=["folder", "loopback"])
def sides(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Sides]:
    if request.param == "folder":
        yield pair_sides(tmp_path)
        return
    root = tmp_path / "served"
    for name in ("in", "out", "work", "done", "bad"):
        (root / name).mkdir(parents=True)
    accounts = {"acme": Account(password="secret"), "northdock": Account(password="secret")}
    with LoopbackServer(root, accounts) as server, pytest.MonkeyPatch.context() as patch:
        patch.setenv("FALLBACK_PASSWORD", "secret")
        host = f"127.0.0.1:{server.port}/"
        drop = ("--drop", f"sftp://acme@{host}", "--host-key", server.fingerprint)
        yield pair_sides(tmp_path, drop, ("--drop", f"sftp://northdock@{host}"))


def served(sides: Sides, folder: str) -> list[str]:
    return sorted(path.name for path in (sides.brand.parent / "served" / folder).iterdir())


def export_pair(sides: Sides) -> tuple[Manifest, Path, Path]:
    assert sides.run("brand", "export", "sample-orders.json", *PAUSED) == 0
    manifest = sides.manifests()[-1]
    first, other = (sides.brand / "outgoing" / entry.name for entry in manifest.files)
    return manifest, first, other


def test_from_the_payload_to_a_receipt_for_every_order(sides: Sides) -> None:
    manifest, first, other = export_pair(sides)
    assert [entry.role for entry in manifest.files] == ["orders", "lines"]
    assert manifest.name == f"{first.name}.manifest.json"
    for path, entry in ((first, manifest.files[0]), (other, manifest.files[1])):
        assert (len(path.read_bytes()), hashlib.sha256(path.read_bytes()).hexdigest()) == (entry.bytes, entry.sha256)
        assert path.stat().st_mode & 0o077 == 0
        assert sides.run("brand", "validate", f"outgoing/{path.name}") == 0
    assert sides.run("brand", "send", f"outgoing/{other.name}") == 0, "either file stands for the pair"
    assert sides.run("brand", "send", f"outgoing/{first.name}") == 0, "and again"
    assert served(sides, "in") == sorted([first.name, other.name, manifest.name])
    assert sides.run("brand", "collect") == 4
    assert sides.run("warehouse", "receive") == 0
    assert sides.run("warehouse", "receive") == 0
    assert sides.run("brand", "collect") == 0
    (receipt,) = sides.processed()
    assert receipt.disposition == "accepted"
    assert (receipt.file.name, receipt.file.bytes) == (first.name, manifest.size)
    assert receipt.file.sha256 == manifest.sha256
    assert receipt.counts.received == manifest.counts
    assert [(o.key, o.fingerprint) for o in receipt.orders] == [(o.key, o.fingerprint) for o in manifest.orders]
    assert served(sides, "done") == sorted([first.name, other.name, manifest.name])
    assert served(sides, "in") == served(sides, "work") == []
    assert len(set(sides.loaded())) == len(sides.loaded()) == 4
    assert sides.run("brand", "export", "sample-orders.json", *PAUSED) == 0
    assert len(sides.manifests()) == 1, "what is accepted is not exported again"


def test_damaged_lines_on_the_drop_refuse_the_whole(sides: Sides) -> None:
    manifest, first, other = export_pair(sides)
    assert sides.run("brand", "send", f"outgoing/{first.name}") == 0
    there = sides.brand.parent / "served" / "in" / other.name
    there.write_bytes(without(there.read_bytes(), 2))
    assert sides.run("warehouse", "receive") == 1
    assert sides.run("brand", "collect") == 1
    (receipt,) = sides.processed()
    assert receipt.disposition == "rejected"
    assert {(order.state, order.resend) for order in receipt.orders} == {("rejected", "as-is")}
    assert ("file-size-differs", other.name) in [(reason.code, reason.file) for reason in receipt.reasons]
    assert served(sides, "bad") == sorted([first.name, other.name, manifest.name])
    assert sides.loaded() == []


@pytest.mark.parametrize("late", ["orders", "lines"])
def test_half_a_pair_on_the_drop_is_left_there_until_the_other_comes(sides: Sides, late: str) -> None:
    manifest, first, other = export_pair(sides)
    assert sides.run("brand", "send", f"outgoing/{first.name}") == 0
    absent = sides.brand.parent / "served" / "in" / {"orders": first, "lines": other}[late].name
    absent.rename(absent.parent.parent / absent.name)
    assert sides.run("warehouse", "receive") == 0, "its manifest came first, it may still be on its way"
    assert served(sides, "in") == sorted({first.name, other.name, manifest.name} - {absent.name})
    assert (served(sides, "work"), sides.processed(), sides.loaded()) == ([], [], [])
    assert sides.run("brand", "collect") == 4
    (absent.parent.parent / absent.name).rename(absent)
    assert sides.run("warehouse", "receive") == 0
    assert sides.run("brand", "collect") == 0
    assert len(set(sides.loaded())) == len(sides.loaded()) == 4


def test_the_answer_for_the_pair_that_was_sent_is_not_overruled_by_one_for_other_lines(tmp_path: Path) -> None:
    """The orders file may be the same to the byte: the bytes of a pair are those of both."""
    pair = make_pair(make_orders(1), agreement=AGREEMENT)
    sent, (key,) = pair.manifest, [order.key for order in pair.manifest.orders]
    answer = make_receipt(sent, "accepted")
    answer = answer.model_copy(update={"file": answer.file.model_copy(update={"sha256": sent.sha256})})
    damaged = make_receipt(sent, "rejected", number=2, resend="as-is", supersedes=answer.receipt_id)
    assert damaged.file.sha256 == sent.files[0].sha256 != sent.sha256
    with open_outbox(tmp_path / "outbox.sqlite") as outbox:
        outbox.register_export(sent)
        outbox.begin_sending(sent.file_id, AT)
        assert outbox.record_receipt(answer)
        with pytest.raises(Refused) as refused:
            outbox.record_receipt(damaged)
        assert refused.value.code == "receipt-foreign"
        assert outbox.answers("live") == {key: "accepted"}


def test_a_changed_half_is_not_sent(tmp_path: Path) -> None:
    sides = pair_sides(tmp_path)
    _, first, other = export_pair(sides)
    other.write_bytes(other.read_bytes().replace(b"TEE", b"TAE"))
    assert sides.run("brand", "send", f"outgoing/{first.name}") == 7
    assert served(sides, "in") == []
    other.unlink()
    assert sides.run("brand", "send", f"outgoing/{first.name}") == 3


# --- the warehouse


@pytest.fixture
def house(tmp_path: Path) -> Warehouse:
    return Warehouse(make_agreement(tmp_path, format={"orders": NAME}), tmp_path)


@pytest.mark.parametrize("late", ["orders", "lines"])
@pytest.mark.parametrize(("when", "code"), [("before", 0), ("after", 1)])
def test_a_half_that_is_not_there_yet_is_waited_for(tmp_path: Path, late: str, when: str, code: int) -> None:
    delivery = {"primary": {"kind": "folder"}, "manifest": when}
    house = Warehouse(make_agreement(tmp_path, format={"orders": NAME}, delivery=delivery), tmp_path)
    pair = make_pair(make_orders(2), agreement=house.agreement)
    pair.deliver(house.drop)
    (absent,) = (entry.name for entry in pair.manifest.files if entry.role == late)
    house.drop.remove("in", absent)
    result = house.receive()
    assert [(note.kind, note.code, note.name) for note in result.notes] == [("waiting", "file-absent", absent)]
    assert (result.receipts, result.exit_code, house.names("work")) == ((), code, [])
    house.drop.put("in", absent, pair.files[absent])
    assert house.receive().exit_code == 0
    assert set(states(house.out(pair)).values()) == {"accepted"}


def test_without_their_manifest_the_two_wait_together(house: Warehouse) -> None:
    pair = make_pair(make_orders(2), agreement=house.agreement)
    pair.deliver(house.drop)
    house.drop.remove("in", pair.manifest.name)
    assert [(note.code, note.name) for note in house.receive().notes] == [("manifest-absent", FIRST)]
    house.drop.remove("in", FIRST)
    assert [(note.code, note.name) for note in house.receive().notes] == [("manifest-absent", OTHER)]


def test_a_manifest_of_one_half_is_that_of_another_file(house: Warehouse) -> None:
    pair = make_pair(make_orders(2), agreement=house.agreement)
    manifest = pair.manifest.model_copy(update={"files": pair.manifest.files[:1]})
    pair.deliver(house.drop)
    house.drop.remove("in", manifest.name)
    house.drop.put("in", manifest.name, manifest.to_bytes())
    assert [(note.code, note.kind) for note in house.receive().notes] == [("file-hash-differs", "refused")]
    assert house.names("bad") == sorted([FIRST, OTHER, manifest.name])
    assert house.wms.created == {}


def test_a_reason_in_the_lines_names_their_file(house: Warehouse) -> None:
    pair = make_pair(make_orders(2), agreement=house.agreement)
    pair.deliver(house.drop)
    receipt = house.receive(skus=frozenset({"TEE-BLK-M"})).processed[0]
    reasons = [reason for order in receipt.orders for reason in order.reasons]
    assert [(one.code, one.file, one.line, one.field) for one in reasons] == [
        ("sku-unknown", OTHER, 3, "SKU"),
        ("sku-unknown", OTHER, 5, "SKU"),
    ]


def test_the_same_pair_again_is_a_duplicate(house: Warehouse) -> None:
    pair = make_pair(make_orders(2), agreement=house.agreement)
    pair.deliver(house.drop)
    house.receive()
    pair.deliver(house.drop)
    (again,) = house.receive().receipts
    assert again.disposition == "duplicate-file"
    assert set(house.wms.created.values()) == {1}
    assert house.names("in") == house.names("work") == []
    assert house.names("done") == sorted([FIRST, OTHER, pair.manifest.name])


def test_other_lines_under_the_same_names_are_a_changed_file(house: Warehouse) -> None:
    """The orders file is the same to the byte; it is the lines that differ."""
    make_pair(make_orders(2), agreement=house.agreement).deliver(house.drop)
    house.receive()
    orders = make_orders(2)
    lines = tuple(line.model_copy(update={"quantity": 9}) for line in orders[0].lines)
    other = make_pair([orders[0].model_copy(update={"lines": lines}), orders[1]], agreement=house.agreement)
    other.deliver(house.drop)
    result = house.receive()
    assert [(note.code, note.exit_code) for note in result.notes] == [("file-changed", 7)]
    assert set(house.wms.created.values()) == {1}
    assert len(house.names("bad")) == 3


def test_a_pair_beyond_the_limit_is_answered_unread(tmp_path: Path) -> None:
    orders = [order.model_copy(update={"instructions": "x" * 1000}) for order in make_orders(3)]
    pair = make_pair(orders)
    limits = {"max_bytes": pair.manifest.size - 1}
    house = Warehouse(make_agreement(tmp_path, format={"orders": NAME}, limits=limits), tmp_path)
    pair = make_pair(orders, agreement=house.agreement)
    pair.deliver(house.drop)
    receipt = house.receive().processed[0]
    assert [reason.code for reason in receipt.reasons] == ["orders-over-limit"]
    assert set(states(receipt).values()) == {"rejected"}


# --- killed


def mixed(told: Night) -> None:
    """Good orders, and one that is rejected."""
    bad = make_order(1003, lines=[{"line_id": "9", "line_number": 1, "sku": "NO-SUCH", "quantity": 1}])
    deliver(told, make_pair([*make_orders(2), bad], agreement=told.house.agreement))


def cut(told: Night) -> None:
    pair = make_pair(make_orders(2), agreement=told.house.agreement)
    deliver(told, pair.changed(lines=pair.parts["lines"][:-9]))


def again(told: Night) -> None:
    deliver(told, make_pair(make_orders(2), agreement=told.house.agreement))
    told.run(Fuse())
    told.parcels[0].deliver(told.house.drop)


def two_pairs(told: Night) -> None:
    """Two pairs that have an order in common."""
    agreement = told.house.agreement
    deliver(told, make_pair(make_orders(2), agreement=agreement))
    deliver(told, make_pair(make_orders(2, 1002), sequence=2, agreement=agreement))


def deliver(told: Night, parcel: Pair) -> None:
    parcel.deliver(told.house.drop)
    told.parcels.append(parcel)


def night(folder: Path, drop: Any = None) -> Night:
    folder.mkdir(exist_ok=True)
    return Night(Warehouse(make_agreement(folder, format={"orders": NAME}), folder, drop or MemoryDrop("live")))


@pytest.mark.parametrize("scene", [mixed, cut, again, two_pairs], ids=lambda scene: scene.__name__)
def test_killed_at_every_step_the_night_ends_as_if_nothing_had_happened(
    tmp_path: Path, scene: Callable[[Night], None]
) -> None:
    whole, fuse = night(tmp_path / "whole"), Fuse()
    scene(whole)
    whole.run(fuse)
    expected = whole.end()
    assert max(expected["loaded"].values(), default=0) <= 1
    for at in range(1, fuse.steps + 1):
        for after in (False, True):
            told = night(tmp_path / f"{at}-{after}")
            scene(told)
            assert told.run(Fuse(at, after=after)) is None
            told.run(Fuse())
            assert told.end() == expected, f"killed {'after' if after else 'before'} {fuse.log[at - 1]}"


def test_killed_between_the_two_claims(tmp_path: Path) -> None:
    trial, fuse = night(tmp_path / "trial"), Fuse()
    mixed(trial)
    trial.run(fuse)
    told = night(tmp_path / "told")
    mixed(told)
    assert told.run(Fuse(1 + fuse.log.index(("move", OTHER, "in", "work")))) is None
    assert (told.house.names("work"), OTHER in told.house.names("in")) == ([FIRST], True)
    told.run(Fuse())
    assert told.end() == trial.end()


def test_killed_between_the_two_claims_and_the_other_half_is_gone(tmp_path: Path) -> None:
    told = night(tmp_path)
    mixed(told)
    told.house.drop.move(FIRST, "in", "work")
    told.house.drop.remove("in", OTHER)
    result = told.run(Fuse())
    assert result is not None
    assert ("waiting", "file-absent", OTHER) in [(note.kind, note.code, note.name) for note in result.notes]
    assert told.loaded == Counter()
    told.house.drop.put("in", OTHER, told.parcels[0].files[OTHER])  # type: ignore[attr-defined]
    told.run(Fuse())
    assert len(told.loaded) == 2


@pytest.mark.parametrize("name", [FIRST, OTHER, f"{FIRST}.manifest.json"])
def test_a_rename_of_two_steps_that_was_cut_between_them_is_finished(tmp_path: Path, name: str) -> None:
    """On a folder a rename is a link and an unlink: killed between the two, the file is in both folders."""
    trial = night(tmp_path / "trial")
    mixed(trial)
    trial.run(Fuse())
    told = night(tmp_path / "told", FolderDrop(tmp_path / "drop", "live", create=True))
    mixed(told)
    drop = tmp_path / "drop"
    (drop / "work").mkdir()
    for before in (FIRST, OTHER, f"{FIRST}.manifest.json"):
        if before == name:
            break
        (drop / "in" / before).rename(drop / "work" / before)
    (drop / "work" / name).hardlink_to(drop / "in" / name)
    result = told.run(Fuse())
    assert result is not None
    assert result.notes == ()
    assert told.end() == trial.end()
