"""What a change of a format breaks, held against real files; and the same orders as two sources show them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fallback.errors import FallbackError
from fallback.formats.compare import Change, diff
from fallback.formats.defaults import as_carried
from fallback.formats.library import load_format, shipped
from fallback.formats.parity import Parity, parity
from fallback.formats.read import read
from fallback.formats.soundness import mistakes
from fallback.formats.spec import Field, Format
from fallback.formats.write import write
from fallback.records.order import Order
from fallback.records.paths import PATHS
from fallback.records.sample import sample_orders

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
CSV, WIDTH, JSON = (load_format(f"order-{name}") for name in ("lines-csv", "fixed-width", "json"))
Content = dict[str, Any]


def changed(change: Callable[[Content], None], base: Format = CSV) -> Format:
    content = base.model_dump(by_alias=True) | {"version": "2"}
    change(content)
    return Format.model_validate(content)


def at(path: str, /, **values: Any) -> Callable[[Content], None]:
    """Other values in the field of a path."""

    def change(content: Content) -> None:
        rows = content["records"] or [content]
        next(field for row in rows for field in row["fields"] if field["path"] == path).update(values)

    return change


def cells(**values: Any) -> Callable[[Content], None]:
    return lambda content: content["delimited"].update(values)


def top(**values: Any) -> Callable[[Content], None]:
    return lambda content: content.update(values)


def fields(change: Callable[[list[Any]], list[Any]]) -> Callable[[Content], None]:
    return lambda content: content.update(fields=change(list(content["fields"])))


def gone(path: str) -> Callable[[Content], None]:
    def change(content: Content) -> None:
        content["fields"] = [field for field in content["fields"] if field["path"] != path]
        content["drops"] = [*content["drops"], path]

    return change


COLOUR = {"name": "Colour", "unused": True, "doc": "A column of the partner's."}
STAYS, OLD_BREAKS, PARTNER, BOTH = (True, False), (False, False), (True, True), (False, True)

CHANGES: list[tuple[Callable[[Content], None], str, tuple[bool, bool]]] = [
    (at("service", doc="Other words."), "Service", STAYS),
    (top(title="Another title"), "title", STAYS),
    (top(notes=["A note."]), "notes", STAYS),
    (at("ship_to.city", max_length=7), "City", OLD_BREAKS),
    (at("ship_to.city", max_length=200), "City", PARTNER),
    (at("ship_to.region", required=True), "Region", OLD_BREAKS),
    (at("ship_to.name", required=False), "ShipToName", PARTNER),
    (at("service", allowed=["EXP", "STD"]), "Service", OLD_BREAKS),
    (at("service", pattern="[A-Z]{3}"), "Service", OLD_BREAKS),
    (at("ordered_at", date=["%Y-%m-%d %H:%M:%S%z", "iso8601"]), "OrderedAt", PARTNER),
    (at("ordered_at", date=["iso8601", "%Y-%m-%d %H:%M:%S%z"]), "OrderedAt", STAYS),
    (at("ordered_at", date="%Y-%m-%d %H:%M:%S%z"), "OrderedAt", BOTH),
    (at("service", name="Method"), "Service", BOTH),
    (at("service", prefix="S-"), "Service", BOTH),
    (gone("carrier"), "Carrier", BOTH),
    (fields(lambda all_: [*all_, COLOUR]), "Colour", BOTH),
    (fields(lambda all_: [*all_, COLOUR | {"optional": True}]), "Colour", PARTNER),
    (fields(lambda all_: [*all_[1:], all_[0]]), "fields", PARTNER),
    (cells(delimiter=";"), "delimited.delimiter", BOTH),
    (cells(quoting="all"), "delimited.quoting", PARTNER),
    (cells(header="forbidden"), "delimited.header", BOTH),
    (cells(header="optional"), "delimited.header", PARTNER),
    (cells(extra_columns="ignore"), "delimited.extra_columns", STAYS),
    (cells(line_breaks="refuse"), "delimited.line_breaks", OLD_BREAKS),
    (top(encoding="cp1252"), "encoding", BOTH),
    (top(encoding="utf-8-sig"), "encoding", PARTNER),
    (top(newline="lf"), "newline", PARTNER),
    (top(file_name="{marker}{brand}_X_{sequence:06d}.csv"), "file_name", PARTNER),
    (top(wrapper="gzip"), "wrapper", BOTH),
    (top(max_orders=3), "max_orders", OLD_BREAKS),
    (top(row_order={"adjacent": True}), "row_order.adjacent", OLD_BREAKS),
]


def only(changes: list[Change], place: str) -> Change:
    """The one change, beside those that a removed field brings to ``drops``."""
    [found] = [change for change in changes if change.place not in ("drops", "version")]
    assert found.place == place
    return found


@pytest.mark.parametrize("case", range(len(CHANGES)))
def test_a_change_is_said_with_what_it_breaks(case: int) -> None:
    change, place, (old_files, partner) = CHANGES[case]
    new = changed(change)
    found = only(diff(CSV, new), place)
    assert (found.old_files_read, found.partner_must_change) == (old_files, partner), found.text
    assert found.breaks == (partner or not old_files)


def reads(held: Format, written: Format) -> bool:
    """Whether a reader of one version reads what the other one wrote, and as the same orders."""
    orders = sample_orders(written.max_orders or 40, at=NOON, service="STD")
    made = write(written, [as_carried(order, written) for order in orders])
    assert made.orders
    content = read(held, made.parts, name="x", defaults={"brand": "acme"})
    return not any(finding.is_error for finding in content.findings) and [one.order for one in content.orders] == list(
        made.orders
    )


@pytest.mark.parametrize("case", range(len(CHANGES)))
def test_what_is_said_not_to_break_does_not(case: int) -> None:
    change, place, _ = CHANGES[case]
    new = changed(change)
    assert mistakes(new) == []
    found = only(diff(CSV, new), place)
    if found.old_files_read:
        assert reads(new, CSV)
    if not found.partner_must_change:
        assert reads(CSV, new)


@pytest.mark.parametrize("name", shipped())
def test_nothing_changes_between_a_format_and_itself(name: str) -> None:
    assert diff(load_format(name), load_format(name)) == []


@given(st.data())
def test_no_other_declaration_is_called_the_same(data: st.DataObject) -> None:
    """Any two of the shipped formats differ, and so do two of which one says one thing of one field otherwise."""
    old, new = (load_format(data.draw(st.sampled_from(shipped()))) for _ in range(2))
    assert bool(diff(old, new)) == (old.sha256 != new.sha256)


FIELD = {
    "name": "X", "path": "carrier", "constant": "X", "code": "x", "only": ["x"], "per_line": True, "part": "last",
    "again": True, "prefix": "x", "unused": True, "required": True, "max_length": 7, "allowed": ["x"], "once": True,
    "pattern": "[a-z]", "date": "iso8601", "zone": "UTC", "coarse": True, "placeholder": {"x": "y"}, "default": "x",
    "default_from": "carrier", "optional": True, "guard": "'", "width": 9, "justify": "right",
    "pad": "0", "decimals": 2, "element": 9, "qualifier": True, "repeat": True, "doc": "x", "source": "x",
}  # fmt: skip


def test_a_change_of_any_word_of_a_field_is_told() -> None:
    told = set()
    for name, value in FIELD.items():
        new = changed(at("gift_message", **{name: value}))
        told |= {name} if [one for one in diff(CSV, new) if one.place in ("GiftMessage", "X")] else set()
    assert told | {"blank", "start"} == set(Field.model_fields)  # blank has one value; start is told as the columns


def test_fields_of_fixed_width_are_compared_by_their_columns() -> None:
    wider = changed(at("platform", width=20), WIDTH)
    texts = {change.place: change.text for change in diff(WIDTH, wider)}
    assert texts["H.Platform"] == "columns 18-33 become 18-37"
    assert texts["H.OrderId"] == "columns 34-65 become 38-69"
    assert all(change.breaks for change in diff(WIDTH, wider) if change.place.startswith("H."))


def test_members_of_json_may_stand_anywhere() -> None:
    turned = changed(fields(lambda all_: all_[::-1]), JSON)
    assert [change for change in diff(JSON, turned) if change.breaks] == []


def test_the_fewest_fields_are_said_to_have_moved() -> None:
    moved = changed(fields(lambda all_: [all_[0], all_[9], *all_[1:9], *all_[10:]]))
    [change] = [change for change in diff(CSV, moved) if change.place == "fields"]
    assert change.text.startswith(f"{CSV.fields[9].name}: ")


def test_another_content_under_the_same_version_is_told() -> None:
    new = changed(top(version=CSV.version, title="Another"))
    assert [change.place for change in diff(CSV, new)] == ["title", "version"]


# --- the same orders twice

ORDERS = sample_orders(12, at=NOON)


def key(order: Order) -> str:
    return order.order_id


def same(left: list[Order], right: list[Order], **terms: Any) -> Parity:
    return parity(left, right, key=key, **terms)


@pytest.mark.parametrize("name", [name for name in shipped() if load_format(name).direction == "both"])
def test_what_a_file_loses_is_dropped_by_agreement_and_nothing_else(name: str) -> None:
    fmt = load_format(name)
    found = same(ORDERS, [as_carried(order, fmt) for order in ORDERS], formats=[fmt])
    assert found.same
    assert (found.left, found.right, found.equal) == (12, 12, 12)
    assert {one.verdict for one in found.differences} <= {"dropped"}
    assert {one.path for one in found.differences} <= set(fmt.lost)


def with_line(order: Order, at_: int, **values: Any) -> Order:
    lines = [line.model_copy(update=values) if number == at_ else line for number, line in enumerate(order.lines)]
    return order.model_copy(update={"lines": tuple(lines)})


def test_one_difference_is_one_difference() -> None:
    longest = max(ORDERS, key=lambda order: len(order.lines))
    last = len(longest.lines) - 1
    for values in ({"quantity": 99}, {"sku": "AAA"}, {"line_id": "1"}, {"description": "Z"}):
        found = same([longest], [with_line(longest, last, **values)])
        [name] = values
        assert [(one.path, one.line, one.verdict) for one in found.differences] == [
            (f"lines.{name}", last + 1, "different")
        ] or name == "line_id"
        assert found.equal == 0
        assert not found.same


def test_lines_may_stand_in_another_order() -> None:
    turned = [order.model_copy(update={"lines": order.lines[::-1]}) for order in ORDERS]
    assert same(ORDERS, turned).differences == ()


def test_lines_without_ids_of_the_platform_are_known_by_their_sku() -> None:
    order = max(ORDERS, key=lambda order: len({line.sku for line in order.lines}))
    assert len({line.sku for line in order.lines}) == len(order.lines) > 1
    other = [line.model_copy(update={"line_id": f"W-{at}"}) for at, line in enumerate(order.lines)]
    turned = order.model_copy(update={"lines": tuple(other[::-1])})
    assert {one.path for one in same([order], [turned]).differences} == {"lines.line_id"}


def test_what_only_one_side_has_is_named() -> None:
    order = max(ORDERS, key=lambda order: len(order.lines))
    shorter = order.model_copy(update={"lines": order.lines[1:]})
    found = same(ORDERS, [shorter if one is order else one for one in ORDERS[1:] or []])
    assert {(one.key, one.verdict, one.line) for one in found.differences} == {
        (ORDERS[0].order_id, "only-left", 0),
        (order.order_id, "only-left", 1),
    } - ({(order.order_id, "only-left", 1)} if order is ORDERS[0] else set())
    assert [one.verdict for one in same([], ORDERS[:1]).differences] == ["only-right"]


def test_a_key_that_one_side_shows_twice_is_refused() -> None:
    with pytest.raises(FallbackError, match="the right side shows 1 of its orders more than once"):
        same(ORDERS, [*ORDERS, ORDERS[3]])


def test_orders_are_known_by_what_both_sides_can_know_of_them() -> None:
    fmt = load_format("peoplevox")  # it has no field for the platform's own id
    found = same(ORDERS, [as_carried(order, fmt) for order in ORDERS], formats=[fmt])
    assert found.equal == 12


@pytest.mark.parametrize("path", [path for path, info in PATHS.items() if info.private and info.kind == "text"])
def test_no_value_of_a_customer_is_shown_unless_asked(path: str) -> None:
    name = path.removeprefix("ship_to.")
    order = ORDERS[0]
    changes = (
        {"ship_to": order.ship_to.model_copy(update={name: "Secret Value"})} if "." in path else {name: "Secret Value"}
    )
    other = order.model_copy(update=changes)
    assert "Secret" not in str(same([order], [other]))
    assert "Secret Value" in str(same([order], [other], show_values=True))
