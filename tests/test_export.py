"""Export: the population adds up, nothing goes twice, the file is whole or not there, drill and live stay apart."""

from __future__ import annotations

import errno
import json
import os
import stat
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from brand_kit import make_agreement, make_receipt
from fallback.agreement import Agreement, Local, key_template
from fallback.brand.outbox import Outbox, open_outbox
from fallback.brand.outgoing import Export, export, export_plain, file_name, manifest_path
from fallback.documents.manifest import Integration, Manifest
from fallback.documents.report import Report
from fallback.errors import FallbackError, Refused, WrongUse
from fallback.files import write_file
from fallback.formats.defaults import as_carried
from fallback.formats.library import load_format, shipped, shipped_folder
from fallback.formats.read import read
from fallback.formats.samples import fitting
from fallback.records.order import Order, fingerprint
from fallback.records.sample import sample_orders
from fallback.render.json import document_json
from fallback.validation import validate

AT = datetime(2026, 11, 23, 14, 0, 5, tzinfo=UTC)
NAME = "ACME_ORDERS_20261123T140005Z_000001.csv"
ORDERS = sample_orders(6, at=AT)
SHARED = Path(__file__).parents[2] / "shared" / "samples" / "shopify" / "rubyapi_orders.json"


class Brand:
    """A brand's folder: agreement, outbox, payloads."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.out = folder / "outgoing"

    def agreement(self, **terms: Any) -> Agreement:
        return make_agreement(**terms).at(self.folder, Local(side="brand"))

    def payload(self, orders: Sequence[Order], name: str = "orders.jsonl") -> Path:
        path = self.folder / name
        path.write_text("".join(order.model_dump_json() + "\n" for order in orders), "utf-8")
        return path

    @property
    def outbox(self) -> Outbox:
        return open_outbox(self.folder / "outbox.sqlite")

    def export(self, orders: Sequence[Order] = ORDERS, terms: dict[str, Any] | None = None, **how: Any) -> Export:
        with self.outbox as outbox:
            return export(
                [self.payload(orders)],
                agreement=self.agreement(**(terms or {})), outbox=outbox, **{"now": AT, "platform": "canonical", **how},
            )  # fmt: skip

    def answer(self, made: Export, states: Any, at: datetime = AT, **changes: Any) -> None:
        """The file is sent, and the warehouse says this of it."""
        assert made.manifest is not None
        with self.outbox as outbox:
            outbox.begin_sending(made.manifest.file_id, at)
            outbox.record_receipt(make_receipt(made.manifest, states, **changes))

    def files(self) -> list[str]:
        return sorted(path.name for path in self.folder.glob("outgoing/*"))


@pytest.fixture
def brand(tmp_path: Path) -> Brand:
    return Brand(tmp_path)


def manifest(made: Export) -> Manifest:
    assert made.manifest is not None
    return made.manifest


def codes(made: Export) -> list[str]:
    return [finding.code for finding in made.findings]


# --- what an export is


def test_an_export_is_a_file_and_the_manifest_that_proves_it(brand: Brand) -> None:
    made = brand.export(integration=Integration(state="paused", confirmed_by="J. Ops", at=AT))
    assert made.path == brand.out / NAME
    assert brand.files() == [NAME, f"{NAME}.manifest.json"]
    beside = manifest_path(brand.out / NAME)
    assert Manifest.from_json(beside.read_bytes()) == made.manifest
    agreement = brand.agreement()
    assert [entry.key for entry in manifest(made).orders] == [agreement.key(order) for order in ORDERS]
    assert [entry.fingerprint for entry in manifest(made).orders] == [
        fingerprint(order, agreement.key(order)) for order in ORDERS
    ]
    assert (manifest(made).population, made.exit_code, made.excluded) == (6, 0, {})
    assert manifest(made).integration.confirmed_by == "J. Ops"
    report = validate(brand.out / NAME, agreement=agreement)
    assert (report.verdict, report.findings, list(report.orders)) == ("accepted", (), ORDERS)


def test_both_files_are_for_the_owner_s_eyes_only(brand: Brand) -> None:
    brand.export()
    modes = {stat.S_IMODE(path.stat().st_mode) for path in brand.out.iterdir()}
    assert modes == {0o600}


def test_the_manifest_and_the_export_s_own_document_hold_nothing_of_a_customer_s(brand: Brand) -> None:
    made = brand.export()
    told = manifest(made).to_json() + json.dumps(made.document())
    for order in ORDERS:
        for value in (order.ship_to.name, order.ship_to.address1, order.ship_to.email, order.ship_to.phone):
            assert value is None or value not in told


def terms_of(name: str) -> dict[str, Any]:
    """The terms of an agreement on a shipped format, as `fallback init` makes them, with its codes agreed on."""
    fmt = load_format(name)
    return {"format": {"orders": name, "order_key": key_template(fmt)}, "codes": dict.fromkeys(fmt.codes, "C1")}


@pytest.mark.parametrize("name", [name for name in shipped() if load_format(name).direction == "both"])
def test_every_shipped_format_is_exported_and_validates(brand: Brand, name: str) -> None:
    terms, fmt = terms_of(name), load_format(name)
    agreement = brand.agreement(**terms)
    orders = fitting(fmt, 6, codes=agreement.codes, key=agreement.key, at=AT)
    made = brand.export(orders, terms=terms)
    assert made.path is not None and made.path.suffix == Path(fmt.file_name).suffix
    report = validate(made.path, agreement=agreement)
    assert (report.verdict, report.findings) == ("accepted", ())
    expected = sorted(orders, key=lambda order: order.order_number) if fmt.row_order.sorted_by else orders
    assert list(report.orders) == [as_carried(order, fmt) for order in expected[: fmt.max_orders]]


def test_a_format_of_one_order_a_file_makes_one_file_after_the_other(brand: Brand) -> None:
    terms = terms_of("quiet-shipment-order-xml")
    three = fitting(load_format("quiet-shipment-order-xml"), 3, codes=terms["codes"], key=str, at=AT)
    gift = three[0].model_copy(update={"order_id": "77", "order_number": "77", "gift_message": "For you"})
    orders = [gift, *three]  # refused by the format, and not in the way of those after it
    for left in (2, 1, 0):
        made = brand.export(orders, terms=terms)
        assert made.counts.orders == 1
        assert made.excluded.get("next-file", 0) == left
        assert made.excluded["refused-here"] == 1
        assert sum(made.excluded.values()) + 1 == manifest(made).population == 4
        brand.answer(made, {})
    with brand.outbox as outbox:
        assert len(outbox.open_keys("live")) == 3
    assert brand.export(orders, terms=terms).path is None


def test_a_sign_before_the_shops_numbers_is_taken_off_for_both_sides(brand: Brand) -> None:
    terms = terms_of("dropstream-ord-v2") | {"eligibility": {"number_prefix": "#", "services_excluded": ["COLLECT"]}}
    plain = fitting(load_format("dropstream-ord-v2"), 2, codes={}, key=str, at=AT)
    named = [order.model_copy(update={"order_id": f"#{n}", "order_number": f"#{n}"}) for n, order in enumerate(plain)]
    named.append(named[0].model_copy(update={"order_id": "#9", "order_number": "#9", "service": "COLLECT"}))
    made = brand.export(named, terms=terms)
    assert [entry.key for entry in manifest(made).orders] == ["acme:shopify:0:0", "acme:shopify:1:0"]
    assert [entry.key for entry in manifest(made).excluded] == ["acme:shopify:9:0"]
    assert made.path is not None
    report = validate(made.path, agreement=brand.agreement(**terms))
    assert (report.verdict, [order.order_number for order in report.orders]) == ("accepted", ["0", "1"])


def test_the_document_is_the_published_one(brand: Brand) -> None:
    made = brand.export()
    document = made.document()
    assert list(document) == ["schema", "file", "manifest", "sha256", "counts", "excluded", "findings"]
    assert document["schema"] == "fallback.export/1"
    assert (document["file"], document["manifest"]) == (NAME, f"{NAME}.manifest.json")
    assert document["sha256"] == manifest(made).files[0].sha256


# --- the population


def test_included_and_excluded_are_the_population(brand: Brand) -> None:
    wide = ORDERS[0].model_copy(update={"order_id": "7", "order_number": "#7", "service": "Overnight, by noon"})
    wide = wide.model_copy(update={"ship_to": wide.ship_to.model_copy(update={"name": "x" * 61})})
    other = ORDERS[0].model_copy(update={"order_id": "8", "brand": "other"})
    foreign = ORDERS[0].model_copy(update={"order_id": "9", "service": "COLLECT"})
    made = brand.export([*ORDERS, wide, other, foreign], terms={"eligibility": {"services_excluded": ["COLLECT"]}})
    assert made.excluded == {"refused-here": 2, "service-excluded": 1}
    assert (made.counts.orders, manifest(made).population) == (6, 9)
    assert {entry.code for entry in manifest(made).excluded} == {"refused-here", "service-excluded"}
    keys = [entry.key for entry in (*manifest(made).orders, *manifest(made).excluded)]
    assert len(keys) == len(set(keys)) == 9
    assert set(codes(made)) == {"value-too-long", "brand-wrong"}
    assert made.exit_code == 1


def test_exclusions_alone_are_good(brand: Brand) -> None:
    made = brand.export(terms={"eligibility": {"services_excluded": ["STD"]}})
    assert (made.path, made.manifest, made.exit_code) == (None, None, 0)
    assert made.excluded == {"service-excluded": 6}
    assert brand.files() == []
    assert made.document()["file"] is None
    assert brand.outbox.files() == ()


def test_two_orders_of_one_key_are_both_left_out_with_one_finding(brand: Brand) -> None:
    twin = ORDERS[0].model_copy(update={"platform": "manual"})
    terms = {"format": {"orders": "order-lines-csv", "order_key": "{order_id}:{group}"}}
    made = brand.export([*ORDERS, twin], terms=terms)
    assert codes(made) == ["order-doubled"]
    assert made.excluded == {"refused-here": 2}
    assert manifest(made).population == 7


# --- what was sent before


def test_what_is_on_its_way_is_left_out_until_it_is_answered(brand: Brand) -> None:
    brand.export()
    latest = brand.export()  # nothing was sent: it may be made again
    with brand.outbox as outbox:
        outbox.begin_sending(manifest(latest).file_id, AT)
    again = brand.export([*ORDERS, sample_orders(7, at=AT)[6]])
    assert again.excluded == {"already-sent": 6}
    assert (again.counts.orders, manifest(again).population) == (1, 7)


def test_the_warehouse_s_answer_decides_what_goes_again(brand: Brand) -> None:
    first = brand.export()
    keys = [entry.key for entry in manifest(first).orders]
    states = dict(zip(keys, ["accepted", "rejected", "held", "duplicate-conflict", "unknown", "accepted"], strict=True))
    brand.answer(first, states)
    again = brand.export()
    assert [entry.key for entry in manifest(again).orders] == [keys[1]]
    assert again.excluded == {"already-accepted": 3, "awaiting-decision": 2}


def test_a_rejected_order_goes_again_under_the_next_revision_where_it_was_corrected(brand: Brand) -> None:
    first = brand.export(ORDERS[:2])
    brand.answer(first, "rejected")
    corrected = ORDERS[0].model_copy(update={"service": "EXP"})
    again = brand.export([corrected, ORDERS[1]])
    assert [entry.revision for entry in manifest(again).orders] == [2, 1]
    content = read(load_format("order-lines-csv"), (again.path or Path()).read_bytes())
    assert [one.order.revision for one in content.orders if one.order] == [2, 1]
    brand.answer(again, "rejected", number=2)
    third = brand.export([ORDERS[0], ORDERS[1]])
    assert [entry.revision for entry in manifest(third).orders] == [3, 1]


# --- names and numbers


def test_each_file_has_a_name_and_a_number_of_its_own(brand: Brand) -> None:
    made = [brand.export(now=AT + timedelta(seconds=n)) for n in range(3)]
    assert [manifest(one).sequence for one in made] == [1, 2, 3]
    assert len({one.path for one in made}) == 3
    elsewhere = brand.export(now=AT.astimezone(tz=None), out=brand.folder / "other")
    assert elsewhere.path is not None and elsewhere.path.parent.name == "other"
    assert elsewhere.path.name == "ACME_ORDERS_20261123T140005Z_000004.csv"


def test_the_same_second_and_number_with_other_orders_is_refused(brand: Brand) -> None:
    first = brand.export(sequence=7)
    before = {path: path.read_bytes() for path in brand.out.iterdir()}
    assert brand.export(sequence=7).manifest == first.manifest  # the same again is the same
    with pytest.raises(Refused) as error:
        brand.export(ORDERS[:2], sequence=7)
    assert (error.value.code, error.value.exit_code) == ("name-taken", 7)
    assert {path: path.read_bytes() for path in brand.out.iterdir()} == before
    assert brand.export(now=AT + timedelta(seconds=1)).manifest is not None
    assert brand.outbox.files()[-1].sequence == 8


def test_names_follow_the_format_and_hold_nothing_else() -> None:
    fmt = load_format("order-lines-csv")
    name = file_name(fmt, brand="acme", now=AT.astimezone(), sequence=1, state="drill")
    assert name == f"DRILL_{NAME}"
    for wrong in ({"now": datetime(2026, 11, 23)}, {"sequence": 0}):
        with pytest.raises(WrongUse):
            file_name(fmt, **{"brand": "acme", "now": AT, "sequence": 1, "state": "live"} | wrong)  # type: ignore[arg-type]
    for brand_name in ("../acme", "a b", "acme/x", ""):
        name_or_error: Any
        try:
            name_or_error = file_name(fmt, brand=brand_name, now=AT, sequence=1, state="live")
        except Refused as error:
            assert error.code == "name-unsafe"
        else:
            assert brand_name == "" and not name_or_error.startswith("DRILL_")


# --- drill and live


def test_a_drill_s_export_is_marked_in_name_manifest_and_orders(brand: Brand) -> None:
    made = brand.export(sample_orders(2, at=AT, marker="DRILL-"), state="drill", drill_id="D-1")
    assert made.path is not None and made.path.name.startswith("DRILL_ACME_")
    assert (manifest(made).state, manifest(made).drill_id) == ("drill", "D-1")
    assert validate(made.path, agreement=brand.agreement()).verdict == "accepted"
    assert brand.outbox.files("live") == ()


@pytest.mark.parametrize(
    ("marker", "state", "change"),
    [
        ("DRILL-", "live", {}),
        ("", "drill", {}),
        ("DRILL-", "drill", {"order_number": "#1"}),
        ("DRILL-", "drill", {"order_id": "1"}),
        ("", "live", {"order_number": "DRILL-1"}),
    ],
)
def test_drill_and_live_orders_never_mix(brand: Brand, marker: str, state: str, change: dict[str, Any]) -> None:
    orders = sample_orders(2, at=AT, marker=marker)
    orders[1] = orders[1].model_copy(update=change)
    with pytest.raises(Refused) as error:
        brand.export(orders, state=state)
    assert (error.value.code, error.value.exit_code) == ("marker-wrong", 7)
    assert brand.files() == []


# --- limits and terms


def test_a_file_that_the_warehouse_would_refuse_is_not_made(brand: Brand) -> None:
    for limits in ({"max_orders_per_file": 5}, {"max_bytes": 500}):
        with pytest.raises(FallbackError) as error:
            brand.export(terms={"limits": limits})
        assert (error.value.code, error.value.exit_code) == ("orders-over-limit", 3)
    assert brand.files() == []
    assert brand.outbox.next_sequence("live") == 1


def test_kits_are_refused_and_not_left_unexploded(brand: Brand) -> None:
    with pytest.raises(FallbackError) as error:
        brand.export(terms={"mapping": {"kit": "kits.csv"}})
    assert error.value.code == "agreement-invalid"


def test_mapping_runs_once_before_the_format_and_what_has_no_row_is_left_out(brand: Brand) -> None:
    skus = sorted({line.sku for order in ORDERS for line in order.lines})
    table = "from,to\n" + "".join(f"{sku},WH-{sku}\n" for sku in skus[:-1])
    (brand.folder / "sku-map.csv").write_text(table)
    made = brand.export(terms={"mapping": {"sku": "sku-map.csv"}})
    unmapped = [order for order in ORDERS if skus[-1] in {line.sku for line in order.lines}]
    assert set(codes(made)) == {"sku-unmapped"} and made.excluded == {"refused-here": len(unmapped)}
    content = read(load_format("order-lines-csv"), (made.path or Path()).read_bytes())
    assert all(line.sku.startswith("WH-") for one in content.orders if one.order for line in one.order.lines)


# --- a disk that does not want to


def assert_nothing_is_there(brand: Brand) -> None:
    assert brand.files() == []
    assert brand.outbox.files() == ()


def test_where_the_folder_cannot_be_nothing_is_made(brand: Brand) -> None:
    (brand.folder / "outgoing").write_text("a file where the folder should be")
    with pytest.raises(FallbackError) as error:
        brand.export()
    assert (error.value.code, error.value.exit_code) == ("file-unwritable", 3)
    assert str(brand.folder / "outgoing") in error.value.message
    assert brand.outbox.files() == ()


def full_disk(at: int) -> Any:
    """A disk that is full at the write with this number."""
    write, count = os.fdopen, iter(range(1000))

    def fdopen(handle: int, *how: Any, **more: Any) -> Any:
        file = write(handle, *how, **more)
        if next(count) >= at:
            file.close()
            raise OSError(errno.ENOSPC, "No space left on device")
        return file

    return fdopen


@pytest.mark.parametrize("at", [0, 1])
def test_on_a_full_disk_nothing_is_under_the_final_names(
    brand: Brand, monkeypatch: pytest.MonkeyPatch, at: int
) -> None:
    """Neither when the file does not fit, nor when its manifest does not."""
    brand.payload(ORDERS)
    with monkeypatch.context() as patch:
        patch.setattr("fallback.files.os.fdopen", full_disk(at))
        with pytest.raises(FallbackError) as error:
            brand.export()
    assert (error.value.code, error.value.exit_code) == ("file-unwritable", 3)
    assert "No space left on device" in error.value.message
    assert_nothing_is_there(brand)
    assert brand.export().path is not None


def test_where_the_outbox_cannot_remember_it_nothing_is_left(brand: Brand, monkeypatch: pytest.MonkeyPatch) -> None:
    def forgetful(*_: Any) -> None:
        raise FallbackError("outbox-unusable", "the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(Outbox, "register_export", forgetful)
        with pytest.raises(FallbackError) as error:
            brand.export()
    assert error.value.code == "outbox-unusable"
    assert_nothing_is_there(brand)


# --- writing a file


def test_a_file_is_written_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "new" / "a.txt"
    write_file(path, b"one")
    write_file(path, b"one")  # the same is done already
    assert (path.read_bytes(), stat.S_IMODE(path.stat().st_mode)) == (b"one", 0o600)
    with pytest.raises(Refused) as error:
        write_file(path, b"two")
    assert (error.value.code, path.read_bytes()) == ("name-taken", b"one")
    write_file(path, b"two", replace=True)
    assert path.read_bytes() == b"two"
    with monkeypatch.context() as patch:
        patch.setattr("fallback.files.os.fdopen", full_disk(0))
        with pytest.raises(FallbackError):
            write_file(path, b"three", replace=True)
    assert path.read_bytes() == b"two"
    assert [file.name for file in path.parent.iterdir()] == ["a.txt"]


def test_a_name_that_is_a_link_or_a_folder_is_taken(tmp_path: Path) -> None:
    (tmp_path / "real").write_bytes(b"one")
    (tmp_path / "link").symlink_to("real")
    (tmp_path / "nowhere").symlink_to("absent")
    (tmp_path / "folder").mkdir()
    for name in ("link", "nowhere", "folder"):
        with pytest.raises(Refused) as error:
            write_file(tmp_path / name, b"one")
        assert error.value.code == "name-taken"
    assert not (tmp_path / "absent").exists()


# --- without an agreement


def test_a_format_alone_makes_a_file_that_can_be_validated_and_not_sent(brand: Brand) -> None:
    fmt = load_format("order-header-detail-psv")
    made = export_plain([brand.payload(ORDERS)], format=fmt, brand="acme", now=AT, out=brand.out, platform="canonical")
    assert (made.manifest, made.exit_code, made.excluded) == (None, 0, {})
    assert made.path is not None and brand.files() == [made.path.name]
    assert list(validate(made.path, format=fmt).orders) == ORDERS
    assert made.document()["manifest"] is None
    with pytest.raises(Refused) as error:
        export_plain([brand.payload(ORDERS[:1])], format=fmt, brand="acme", now=AT, out=brand.out, platform="canonical")
    assert error.value.code == "name-taken"


def test_a_format_alone_refuses_what_it_cannot_carry_and_a_drill_s_orders(brand: Brand) -> None:
    fmt = load_format("order-lines-csv")

    def plain(orders: Sequence[Order]) -> Export:
        return export_plain([brand.payload(orders)], format=fmt, brand="acme", now=AT, out=brand.out)

    long = ORDERS[0].model_copy(update={"ship_to": ORDERS[0].ship_to.model_copy(update={"name": "x" * 61})})
    made = plain([long])
    assert (made.path, made.excluded, made.exit_code) == (None, {"refused-here": 1}, 1)
    with pytest.raises(Refused) as error:
        plain(sample_orders(1, at=AT, marker="DRILL-"))
    assert (error.value.code, brand.files()) == ("marker-wrong", [])


@pytest.mark.parametrize("name", shipped())
def test_a_format_alone_is_written_and_validates_or_is_only_read(brand: Brand, name: str) -> None:
    fmt = load_format(name)
    if fmt.direction == "read" or fmt.codes:
        with pytest.raises(FallbackError) as error:
            export_plain([brand.payload(ORDERS[:1])], format=fmt, brand="acme", now=AT, out=brand.out)
        assert error.value.code == ("format-read-only" if fmt.direction == "read" else "agreement-invalid")
        assert not brand.out.exists()
        return
    orders = fitting(fmt, fmt.max_orders or 3, codes={}, key=str, at=AT)
    made = export_plain([brand.payload(orders)], format=fmt, brand="acme", now=AT, out=brand.out)
    assert made.path is not None and len(brand.files()) == len(fmt.roles)
    report = validate(made.path, format=fmt)
    assert (report.verdict, len(report.orders)) == ("accepted", len(orders))
    assert codes_of(report) == (["uncounted"] if fmt.uncounted else [])


def codes_of(report: Report) -> list[str]:
    return [finding.code for finding in report.findings]


def test_a_format_that_is_only_read_is_never_agreed_for_export(brand: Brand) -> None:
    """Its own key cannot be made; and where it could, writing is refused and nothing is left."""
    with pytest.raises(FallbackError) as error:
        brand.export(terms=terms_of("shopify-orders-csv"))
    assert error.value.code == "key-not-carried"
    own = (shipped_folder() / "order-jsonl" / "format.toml").read_text("utf-8")
    (brand.folder / "own.toml").write_text('direction = "read"\n' + own, "utf-8")
    with pytest.raises(FallbackError) as error:
        brand.export(terms={"format": {"orders": "own.toml"}})
    assert (error.value.code, error.value.exit_code) == ("format-read-only", 3)
    assert_nothing_is_there(brand)


# --- real input


@pytest.mark.skipif(not SHARED.is_file(), reason="the public sample is not here")
@pytest.mark.parametrize("name", [name for name in shipped() if load_format(name).direction == "both"])
def test_a_public_payload_goes_through_or_is_refused_whole(brand: Brand, name: str) -> None:
    """Its one order has a note of two lines and line properties, for which not every partner has a place."""
    terms = terms_of(name)
    agreement = brand.agreement(**terms)
    with brand.outbox as outbox:
        made = export([SHARED], agreement=agreement, outbox=outbox, now=AT)
    assert made.platform == "shopify"
    if not load_format(name).lost:
        assert made.path is not None or name == "order-fixed-width"
    if made.path is None:
        assert (made.counts.orders, made.excluded, brand.files()) == (0, {"refused-here": 1}, [])
        assert {code for code in codes(made) if code.startswith("value-")} == set(codes(made)) != set()
        return
    assert manifest(made).population == len(manifest(made).orders) + len(manifest(made).excluded) > 0
    report = validate(made.path, agreement=agreement)
    assert (report.verdict, report.findings) == ("accepted", ())
    assert list(report.keys) == [entry.key for entry in manifest(made).orders]
    json.loads(document_json(report))
