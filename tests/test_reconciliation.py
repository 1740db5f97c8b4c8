"""When the fallback is due, when it is not, and when nobody can tell."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fallback.agreement import Agreement, Cutoff, Monitoring
from fallback.clock import order_due_at
from fallback.documents.reconciliation import Reconciliation
from fallback.errors import FallbackError, WrongUse
from fallback.reconciliation import Expected, WmsRow, WmsSnapshot, read_wms_extract, reconcile

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
CUTOFF = Cutoff(time=time(14, 0), zone="America/New_York", days=DAYS, window=timedelta(minutes=60))
CLOSED = datetime(2026, 11, 23, 19, 0, tzinfo=UTC)  # Monday 14:00 in New York
DUE = CLOSED + timedelta(minutes=60)
MONITORING = Monitoring()
ONE = "a" * 64
OTHER = "b" * 64


def minutes(number: float) -> timedelta:
    return timedelta(minutes=number)


def placed(key: str, ago: timedelta = timedelta(hours=1), fingerprint: str | None = None) -> Expected:
    """An order placed ``ago`` before the cut-off."""
    return Expected(key, CLOSED - ago, fingerprint)


TAKEN = DUE + minutes(5)


def listed(*keys: str, as_of: datetime | None = TAKEN, count: int | None = None) -> WmsSnapshot:
    return WmsSnapshot(tuple(WmsRow(key) for key in keys), as_of, count)


def run(eligible: list[Expected], wms: WmsSnapshot, **changes: Any) -> Reconciliation:
    given: dict[str, Any] = {"answered": {}, "cutoffs": (CUTOFF,), "monitoring": MONITORING, "now": DUE + minutes(10)}
    return reconcile(eligible=eligible, wms=wms, **{**given, **changes})


def test_all_there_is_clear() -> None:
    result = run([placed("a"), placed("b")], listed("a", "b", "old"))
    assert (result.verdict, result.exit_code, result.missing) == ("clear", 0, ())
    assert result.counts["matched"] == 2
    assert [(one.key, one.kind) for one in result.differences] == [("old", "extra")]


def test_missing_after_the_window_is_due() -> None:
    result = run([placed("a"), placed("b")], listed("b"))
    assert (result.verdict, result.exit_code, result.missing) == ("due", 5, ("a",))
    assert result.due_at == DUE
    assert "1 of 2 eligible orders" in result.reasons[0]


@pytest.mark.parametrize(
    ("now", "as_of"),
    [
        (DUE - minutes(1), DUE - minutes(2)),  # the window is open
        (DUE + minutes(10), DUE - minutes(1)),  # it has ended, and the list was taken before
    ],
)
def test_missing_before_the_due_time_of_the_list_is_in_flight(now: datetime, as_of: datetime) -> None:
    result = run([placed("a")], listed("b", as_of=as_of), now=now)
    assert (result.verdict, result.exit_code, result.missing) == ("in-flight", 0, ())
    assert result.due_at == DUE


def test_what_is_placed_at_the_cut_off_belongs_to_the_next() -> None:
    result = run([placed("a", timedelta(0))], listed("b"))
    assert result.verdict == "in-flight"
    assert result.due_at == DUE + timedelta(days=1)


def test_an_order_of_days_ago_was_due_days_ago() -> None:
    old = placed("a", timedelta(days=2, hours=1))
    result = run([old], listed("b", as_of=CLOSED), now=CLOSED + minutes(1))
    assert (result.verdict, result.due_at) == ("due", DUE - timedelta(days=2))


@pytest.mark.parametrize(
    ("wms", "reason"),
    [
        (listed("a", as_of=None), "does not say when it was taken"),
        (listed("a", as_of=DUE - minutes(11)), "is 21 min 0 s old, agreed are at most 20 min 0 s"),
        (listed("a", as_of=DUE + minutes(70)), "60 min 0 s in the future"),
        (listed("a", count=2), "says that it has 2 orders and has 1"),
        (listed("a", "b", count=1), "says that it has 1 orders and has 2"),
    ],
)
def test_a_list_that_cannot_be_relied_on_is_unknown_even_where_all_are_there(wms: WmsSnapshot, reason: str) -> None:
    result = run([placed("a")], wms)
    assert (result.verdict, result.exit_code) == ("unknown", 6)
    assert reason in result.reasons[0]


def test_an_order_from_the_future_shows_a_wrong_clock() -> None:
    result = run([placed("a"), Expected("b", DUE + minutes(70))], listed("a", "b"))
    assert result.verdict == "unknown"
    assert "60 min 0 s in the future" in result.reasons[0]


def test_clocks_may_differ_by_as_much_as_agreed() -> None:
    assert run([placed("a")], listed("a", as_of=DUE + minutes(12))).verdict == "clear"


def test_an_empty_list_is_a_list() -> None:
    assert run([placed(str(n)) for n in range(50)], listed()).verdict == "due"


def test_hardly_any_match_points_at_the_key() -> None:
    eligible = [placed(f"acme:shopify:{n}:0", minutes(n + 1)) for n in range(60)]
    result = run(eligible, listed(*(f"{n}" for n in range(60))))
    assert (result.verdict, result.missing) == ("unknown", ())
    assert "do not make the same key" in result.reasons[0]
    assert "acme:shopify:0:0" in result.reasons[0]  # the newest are read out by phone
    assert run(eligible, listed("acme:shopify:0:0", "acme:shopify:1:0")).verdict == "due"  # 2 of 60 match
    many = eligible + [placed(f"k{n}") for n in range(60)]
    assert run(many, listed("acme:shopify:0:0", "acme:shopify:1:0")).verdict == "unknown"  # 2 of 120
    assert run(eligible[:19], listed("1", "2")).verdict == "due"  # too few to say anything of the key


def test_fresh_orders_alone_say_nothing_of_the_key() -> None:
    eligible = [Expected(f"k{n}", CLOSED + minutes(1)) for n in range(60)]
    assert run(eligible, listed("x")).verdict == "in-flight"


def test_without_cut_offs_a_missing_order_is_due_at_once() -> None:
    result = run([placed("a")], listed("b"), cutoffs=())
    assert (result.verdict, result.due_at, result.missing) == ("due", None, ("a",))
    assert "no cut-off is agreed" in result.reasons[1]


@pytest.mark.parametrize("state", ["accepted", "accepted-changed", "held", "duplicate-same"])
def test_accepted_by_receipt_and_not_in_a_list_past_its_due_time_is_unknown_and_never_sent_again(state: str) -> None:
    """An order lost in silence: the receipt alone does not ship it."""
    result = run([placed("a"), placed("b")], listed("b"), answered={"a": state})
    assert (result.verdict, result.exit_code, result.missing) == ("unknown", 6, ())
    assert [(one.key, one.kind, one.found) for one in result.differences] == [("a", "missing", state)]
    assert "accepted by receipt" in result.reasons[0]


@pytest.mark.parametrize("word", ["cancelled", "CANCELED", "Cancelled by J."])
def test_an_order_that_the_wms_has_cancelled_is_not_there(word: str) -> None:
    """It does not ship, and another file would not make it ship: it is a difference, and nothing is clear."""
    eligible, rows = [placed("a"), placed("b")], (WmsRow("a", state=word), WmsRow("b", state="released"))
    for answered in ({}, {"a": "accepted"}, {"a": "rejected"}):
        result = run(eligible, WmsSnapshot(rows, DUE + minutes(5)), answered=answered)
        assert (result.verdict, result.exit_code, result.missing) == ("unknown", 6, ())
        assert [(one.key, one.kind, one.found) for one in result.differences] == [("a", "missing", "cancelled")]
        assert "1 orders are cancelled in the WMS and not on the platform" in result.reasons[0]
    again = WmsSnapshot((*rows, WmsRow("a", state="released")), DUE + minutes(5))  # entered again: one of them ships
    assert run(eligible, again).verdict == "clear"


@pytest.mark.parametrize("state", ["sent", "unknown", "duplicate-conflict", "withdrawn", "recalled"])
def test_sent_and_not_decided_is_unknown_and_never_sent_again(state: str) -> None:
    result = run([placed("a"), placed("b")], listed("b"), answered={"a": state})
    assert (result.verdict, result.missing) == ("unknown", ())
    assert f"1 {state}" in result.reasons[0]


@pytest.mark.parametrize("state", ["sent", "accepted"])
def test_sent_before_the_due_time_is_in_flight(state: str) -> None:
    """Exit codes are a contract: 0 clear or still in flight."""
    now = DUE - minutes(1)
    result = run([placed("a")], listed("b", as_of=now), answered={"a": state}, now=now)
    assert (result.verdict, result.exit_code) == ("in-flight", 0)


def test_rejected_by_receipt_has_to_go_again() -> None:
    result = run([placed("a"), placed("b")], listed("b"), answered={"a": "rejected"})
    assert (result.verdict, result.missing) == ("due", ("a",))


def test_came_after_the_due_time_is_late_where_the_list_says_when() -> None:
    rows = (WmsRow("a", arrived_at=DUE + minutes(1)), WmsRow("b", arrived_at=DUE), WmsRow("c"))
    eligible = [placed("a"), placed("b"), placed("c")]
    result = run(eligible, WmsSnapshot(rows, DUE + minutes(5)))
    assert (result.verdict, result.exit_code, result.counts["late"]) == ("late", 1, 1)
    assert run(eligible, WmsSnapshot(rows, DUE + minutes(5)), answered={"a": "accepted"}).verdict == "clear"
    assert run(eligible, WmsSnapshot(rows, DUE + minutes(5)), cutoffs=()).verdict == "clear"


def test_doubled_and_differing_orders_are_differences() -> None:
    eligible = [placed("a"), placed("a", minutes(5)), placed("b", fingerprint=ONE), placed("c", fingerprint=ONE)]
    rows = (WmsRow("a"), WmsRow("b", OTHER), WmsRow("b", ONE), WmsRow("c", ONE))
    result = run(eligible, WmsSnapshot(rows, DUE + minutes(5)))
    assert [(one.key, one.kind, one.found) for one in result.differences] == [
        ("a", "doubled", "2 times on the platform"),
        ("b", "doubled", "2 times in the warehouse"),
        ("b", "fingerprint", "b" * 12),
    ]
    assert (result.verdict, result.exit_code) == ("clear", 1)
    assert result.counts["eligible"] == 3


def test_no_eligible_order_is_said() -> None:
    assert "no eligible order" in run([], listed("a")).reasons[0]


def test_instants_without_offset_are_refused() -> None:
    naive = datetime(2026, 11, 23, 12, 0)
    for call in (
        lambda: run([Expected("a", naive)], listed("a")),
        lambda: run([placed("a")], listed("a", as_of=naive)),
        lambda: run([placed("a")], listed("a"), now=naive),
    ):
        with pytest.raises(WrongUse):
            call()


# --- whatever the lists hold

KEYS = st.sampled_from([f"k{n}" for n in range(8)])
SPANS = st.integers(-3 * 24 * 60, 3 * 24 * 60).map(minutes)
PRINTS = st.sampled_from([None, ONE, OTHER])
STATES = st.sampled_from(["sent", "accepted", "held", "duplicate-same", "duplicate-conflict", "rejected", "unknown"])
eligible_lists = st.lists(st.builds(Expected, KEYS, SPANS.map(lambda span: CLOSED + span), PRINTS), max_size=8)
WORDS = st.sampled_from([None, "released", "cancelled"])
row_lists = st.lists(st.builds(WmsRow, KEYS, PRINTS, WORDS, st.none()), max_size=8)
ages = st.integers(-10, 40).map(minutes)


@settings(max_examples=400, deadline=None)
@given(eligible_lists, row_lists, st.none() | ages, st.none() | st.integers(0, 8), st.dictionaries(KEYS, STATES), SPANS)
def test_never_fine_while_something_is_due_and_missing(
    eligible: list[Expected],
    rows: list[WmsRow],
    age: timedelta | None,
    count: int | None,
    answered: dict[str, str],
    span: timedelta,
) -> None:
    now = CLOSED + span
    as_of = None if age is None else now - age
    wms = WmsSnapshot(tuple(rows), as_of, count)
    result = run(eligible, wms, answered=answered, now=now)
    there = {row.key for row in rows if row.state != "cancelled"}
    cancelled = {row.key for row in rows} - there
    seen_until = min(now, as_of) if as_of else now
    owed = {
        one.key for one in eligible if (at := order_due_at([CUTOFF], one.ordered_at)) is not None and at <= seen_until
    }
    lost = owed - there
    if lost:
        assert result.verdict in ("due", "unknown")
    if result.verdict == "due":
        assert (
            set(result.missing)
            == {key for key in lost - cancelled if answered.get(key, "rejected") == "rejected"}
            != set()
        )
    else:
        assert result.missing == ()
    if result.verdict == "clear":
        assert {one.key for one in eligible} <= there
    if as_of is None or age not in [minutes(n) for n in range(-2, 21)] or count not in (None, len(rows)):
        assert result.verdict == "unknown"


@settings(max_examples=200, deadline=None)
@given(st.data(), eligible_lists, row_lists, st.dictionaries(KEYS, STATES))
def test_the_order_of_the_lists_does_not_matter(
    data: st.DataObject, eligible: list[Expected], rows: list[WmsRow], answered: dict[str, str]
) -> None:
    first = run(eligible, WmsSnapshot(tuple(rows), DUE + minutes(5)), answered=answered)
    turned = data.draw(st.permutations(eligible)), tuple(data.draw(st.permutations(rows)))
    assert run(turned[0], WmsSnapshot(turned[1], DUE + minutes(5)), answered=answered) == first
    assert Reconciliation.from_json(first.to_bytes()) == first


# --- the warehouse's list as a file


def agreement(order_key: str | None = None) -> Agreement:
    terms: dict[str, Any] = {
        "schema": "fallback.agreement/1",
        "id": "acme-northdock",
        "version": "1",
        "effective_from": "2026-10-01",
        "review_by": "2027-04-01",
        "parties": {"brand": {"org": "acme"}, "warehouse": {"org": "northdock"}},
        "format": {"orders": "order-lines-csv"} | ({"order_key": order_key} if order_key else {}),
        "delivery": {"primary": {"kind": "folder"}},
    }
    return Agreement.model_validate(terms)


def extract(text: str, **terms: Any) -> WmsSnapshot:
    return read_wms_extract(text.encode(), "wms.csv", agreement(**terms))


def test_a_list_by_key() -> None:
    text = f"key,state,fingerprint,arrived_at\r\na:b:1:0,released,{ONE},2026-11-23T14:00:00-05:00\r\na:b:2:0,,,\r\n"
    snapshot = read_wms_extract(text.encode(), "wms.csv", agreement(), DUE, 2)
    assert snapshot == WmsSnapshot(
        (WmsRow("a:b:1:0", ONE, "released", CLOSED), WmsRow("a:b:2:0")), as_of=DUE, declared_count=2
    )


def test_a_list_by_the_parts_of_the_key_keeps_zeros() -> None:
    text = "order_id,brand,group,platform\n000000003,acme,0,shopify\n"
    assert [row.key for row in extract(text).rows] == ["acme:shopify:000000003:0"]
    text, order_key = "order_number,brand,group\n#1001,acme,0\n", "{brand}:{order_number}:{group}"
    assert [row.key for row in extract(text, order_key=order_key).rows] == ["acme:#1001:0"]


@pytest.mark.parametrize(
    ("order_key", "key", "split"),
    [
        (None, "acme:shopify:1:0", ("acme:shopify:1:", "0")),
        (None, "acme:shopify:1:777", ("acme:shopify:1:", "777")),
        (None, "acme:shopify:1", None),
        (None, "acme:shopify:1:0:2", None),
        ("{group}:{brand}:{order_id}", "7:acme:1", (":acme:1", "7")),
        ("{brand}:{order_number}:{group}", "acme:A:1:0", ("acme:A:1:", "0")),  # a number may hold a colon
        ("{group}:{order_number}:fb", "7:A:1:fb", (":A:1:fb", "7")),
        ("{group}:{order_number}:fb", "7:A:1:fc", None),
    ],
)
def test_a_whole_order_and_its_parts_have_one_base_key(
    order_key: str | None, key: str, split: tuple[str, str] | None
) -> None:
    assert agreement(order_key).base_key(key) == split


def test_a_list_with_a_header_alone_is_empty() -> None:
    assert extract("key\n").rows == ()


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("", "the column brand is missing"),
        ("brand,platform,order_id\n", "the column group is missing"),
        ("key,customer\n", "column 2 of the header is not one of the list's"),
        ("key,order_id\n", "column 2 of the header"),
        ("key;state\na;b\n", "column 1 of the header"),
        ("key,key\n", "the column key is there twice"),
        ("key,state\na\n", "line 2: 1 cells, the header has 2"),
        ("key\na\n\nb\n", "line 3: 0 cells"),
        ("key,state\na,open\n,open\n", "line 3: key is empty"),
        ("key\na \n", "line 2: key has white space"),
        ("key\na\x00\n", "line 2: key has white space at its ends or characters that cannot be printed"),
        ("brand,platform,order_id,group\nacme,shopify,1.23E+11,0\n", "line 2: order_id is a number that a spreadsheet"),
        ("key,fingerprint\na,xyz\n", "line 2: fingerprint is not"),
        ("key,arrived_at\na,2026-11-23T14:00:00\n", "line 2: arrived_at is not"),
        ("key,arrived_at\na,yesterday\n", "line 2: arrived_at is not"),
        ('key\n"a\n', "line 2: a quotation mark"),
        ("\ufeffkey\na\n", "byte order mark"),
    ],
)
def test_a_list_that_is_wrong_names_the_places(text: str, place: str) -> None:
    with pytest.raises(FallbackError) as caught:
        extract(text)
    assert caught.value.code == "extract-unusable"
    assert caught.value.exit_code == 3
    assert place in caught.value.message
    assert caught.value.message.startswith("wms.csv")


def test_a_list_in_another_encoding_is_refused() -> None:
    with pytest.raises(FallbackError, match="byte 5 is not UTF-8"):
        read_wms_extract(b"key\n\xe9\n", "wms.csv", agreement())


def test_many_wrong_places_are_counted_and_values_never_shown() -> None:
    with pytest.raises(FallbackError) as caught:
        extract("key,state\n" + "a,Jane Doe <jane@example.com>\n" * 8)
    assert "and 3 more" in caught.value.message
    assert "jane" not in str(caught.value).lower()
