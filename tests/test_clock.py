"""Cut-offs against a second opinion: the local clock read minute by minute."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fallback.agreement import Cutoff
from fallback.clock import cutoff_on, due_at, due_before, next_cutoff, order_due_at, previous_cutoff
from fallback.errors import WrongUse

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
ZONES = sorted(zone for zone in available_timezones() if "/" in zone)
DST_ZONES = ("America/New_York", "Europe/Madrid", "Australia/Lord_Howe", "Pacific/Apia", "Africa/Cairo")


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)  # type: ignore[misc]


def new_york(hour: int, minute: int, **terms: object) -> Cutoff:
    return Cutoff.model_validate({"time": time(hour, minute), "zone": "America/New_York", "days": DAYS, **terms})


instants = st.datetimes(datetime(1975, 1, 1), datetime(2090, 1, 1), timezones=st.just(UTC)).map(
    lambda moment: moment.replace(microsecond=0)
)
zones = st.one_of(st.sampled_from(DST_ZONES), st.sampled_from(ZONES))
cutoffs = st.builds(
    Cutoff,
    time=st.builds(time, st.integers(0, 23), st.integers(0, 59)),
    zone=zones,
    days=st.lists(st.sampled_from(DAYS), min_size=1, unique=True).map(tuple),
    gap=st.sampled_from(["shift-forward", "skip"]),
    fold=st.sampled_from(["first", "second"]),
    window=st.integers(1, 2880).map(lambda minutes: timedelta(minutes=minutes)),
)


def read_off_the_clock(cutoff: Cutoff, start: datetime, end: datetime) -> list[datetime]:
    """The instants between ``start`` and ``end`` at which the local clock shows the cut-off's time."""
    zone = ZoneInfo(cutoff.zone)
    shown: dict[date, list[datetime]] = {}
    moment = start.replace(second=0)
    while moment <= end:
        local = moment.astimezone(zone)
        if local.time() == cutoff.time and DAYS[local.weekday()] in cutoff.days and local.date() not in cutoff.holidays:
            shown.setdefault(local.date(), []).append(moment)
        moment += timedelta(minutes=1)
    return [times[0] if cutoff.fold == "first" else times[-1] for times in shown.values()]


def test_a_cut_off_on_a_common_day() -> None:
    cutoff = new_york(14, 0, days=("mon", "tue", "wed", "thu", "fri"), holidays=(date(2026, 11, 26),))
    assert next_cutoff(cutoff, utc(2026, 11, 23, 12, 0)) == utc(2026, 11, 23, 19, 0)
    assert previous_cutoff(cutoff, utc(2026, 11, 23, 12, 0)) == utc(2026, 11, 20, 19, 0)  # Monday looks back to Friday
    assert next_cutoff(cutoff, utc(2026, 11, 25, 19, 0)) == utc(2026, 11, 27, 19, 0)  # over Thanksgiving
    assert due_at(utc(2026, 11, 23, 19, 0), cutoff) == utc(2026, 11, 23, 20, 0)


def test_what_comes_exactly_at_the_cut_off_belongs_to_the_next_one() -> None:
    cutoff = new_york(14, 0)
    instant = utc(2026, 11, 23, 19, 0)
    assert previous_cutoff(cutoff, instant) == instant
    assert next_cutoff(cutoff, instant) == instant + timedelta(days=1)
    assert next_cutoff(cutoff, instant - timedelta(seconds=1)) == instant


def test_a_time_that_the_clocks_skip_moves_forward_or_is_left_out() -> None:
    night = date(2026, 3, 8)
    assert cutoff_on(new_york(2, 30), night) == utc(2026, 3, 8, 7, 30)  # 03:30 in New York
    assert cutoff_on(new_york(2, 30, fold="second"), night) == utc(2026, 3, 8, 7, 30)
    skipping = new_york(2, 30, gap="skip")
    assert cutoff_on(skipping, night) is None
    assert next_cutoff(skipping, utc(2026, 3, 8, 0, 0)) == utc(2026, 3, 9, 6, 30)


def test_a_time_that_comes_twice_is_its_first_or_second_coming() -> None:
    assert cutoff_on(new_york(1, 30), date(2026, 11, 1)) == utc(2026, 11, 1, 5, 30)
    assert cutoff_on(new_york(1, 30, fold="second"), date(2026, 11, 1)) == utc(2026, 11, 1, 6, 30)


def test_the_window_is_real_time_on_the_night_the_clocks_change() -> None:
    cutoff = new_york(23, 0, window=timedelta(hours=4))
    instant = next_cutoff(cutoff, utc(2026, 3, 8, 0, 0))
    assert instant == utc(2026, 3, 8, 4, 0)
    assert due_at(instant, cutoff) == utc(2026, 3, 8, 8, 0)  # 04:00 on the wall, not 03:00


def test_a_day_that_a_zone_left_out_gives_no_cut_off_twice() -> None:
    cutoff = Cutoff(time=time(14, 0), zone="Pacific/Apia", days=DAYS)
    assert cutoff_on(cutoff, date(2011, 12, 30)) == cutoff_on(cutoff, date(2011, 12, 31)) == utc(2011, 12, 31, 0, 0)
    assert next_cutoff(cutoff, utc(2011, 12, 31, 0, 0)) == utc(2012, 1, 1, 0, 0)


def test_a_long_closure_is_looked_over() -> None:
    closed = tuple(date(2026, 1, 5) + timedelta(weeks=week) for week in range(40))
    cutoff = new_york(14, 0, days=("mon",), holidays=closed)
    assert next_cutoff(cutoff, utc(2026, 1, 1)) == cutoff_on(cutoff, closed[-1] + timedelta(weeks=1))
    assert previous_cutoff(cutoff, utc(2026, 10, 12)) == cutoff_on(cutoff, closed[0] - timedelta(weeks=1))


def test_a_time_without_its_offset_is_refused() -> None:
    for ask in (previous_cutoff, next_cutoff):
        with pytest.raises(WrongUse, match="offset from UTC"):
            ask(new_york(14, 0), datetime(2026, 11, 23, 12, 0))


def test_without_cut_offs_nothing_has_a_due_time() -> None:
    assert order_due_at((), utc(2026, 11, 23)) is None
    assert due_before((), utc(2026, 11, 23)) is None


@settings(max_examples=60, deadline=None)
@given(cutoffs, instants)
def test_the_local_clock_agrees(cutoff: Cutoff, now: datetime) -> None:
    cutoff = cutoff.model_copy(update={"days": DAYS, "gap": "skip"})
    shown = read_off_the_clock(cutoff, now - timedelta(hours=52), now + timedelta(hours=52))
    # The dates at both ends may be cut in the middle of a fold.
    whole = [moment for moment in shown if abs(moment - now) < timedelta(hours=50)]
    assert previous_cutoff(cutoff, now) == max((moment for moment in whole if moment <= now), default=None)
    assert next_cutoff(cutoff, now) == min((moment for moment in whole if moment > now), default=None)


@settings(max_examples=300, deadline=None)
@given(cutoffs, instants, instants)
def test_due_times_never_go_back(cutoff: Cutoff, one: datetime, other: datetime) -> None:
    early, late = sorted((one, other))
    due_early, due_late = order_due_at([cutoff], early), order_due_at([cutoff], late)
    assert due_early is not None and due_late is not None
    assert due_early <= due_late
    assert previous_cutoff(cutoff, early) <= previous_cutoff(cutoff, late)  # type: ignore[operator]


@settings(max_examples=300, deadline=None)
@given(cutoffs, instants)
def test_an_order_is_never_due_before_its_cut_off_and_the_window(cutoff: Cutoff, ordered_at: datetime) -> None:
    closing = next_cutoff(cutoff, ordered_at)
    due = order_due_at([cutoff], ordered_at)
    assert closing is not None and due is not None
    assert closing > ordered_at
    assert due.timestamp() - closing.timestamp() == cutoff.window.total_seconds()  # elapsed, not on the wall
    assert due.utcoffset() == closing.utcoffset() == timedelta(0)
    assert previous_cutoff(cutoff, closing) == closing


@settings(max_examples=300, deadline=None)
@given(st.lists(cutoffs, max_size=3), instants, st.timedeltas(timedelta(days=-3), timedelta(days=20)))
def test_one_limit_answers_for_every_order(terms: list[Cutoff], ordered_at: datetime, after: timedelta) -> None:
    now = ordered_at + after
    due, limit = order_due_at(terms, ordered_at), due_before(terms, now)
    assert (limit is not None and ordered_at < limit) == (due is not None and due <= now)
