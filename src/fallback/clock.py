"""Cut-offs in the warehouse's zone, and when the fallback is due. ``now`` is handed in; all arithmetic is in UTC.

Adding a window to a wall-clock time is wrong on the two nights a year when clocks change: 23:00 and four hours is three
real hours in spring. So a cut-off becomes an instant in UTC first, and only then is anything added to it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from fallback.agreement import Cutoff, Weekday
from fallback.errors import WrongUse

_WEEKDAYS: tuple[Weekday, ...] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")

# Of each week at least one day has a cut-off; a holiday or a night without the time takes that of one week away.
_SPARE_WEEKS = 4


def as_utc(instant: datetime) -> datetime:
    """The same instant in UTC. Raises WrongUse where it has no offset: local time would be a guess."""
    if instant.utcoffset() is None:
        raise WrongUse("wrong-use", "a date and time without its offset from UTC", hint="add the offset, such as Z")
    return instant.astimezone(UTC)


def cutoff_on(cutoff: Cutoff, day: date) -> datetime | None:
    """The cut-off of one local date, in UTC; None where that date has none.

    A time that the clocks skip that night (gap) is moved forward by as much as the clocks are (02:30 becomes 03:30), or
    left out with ``gap = "skip"``. A time that comes twice that night (fold) is its ``first`` or ``second`` coming.
    """
    if _WEEKDAYS[day.weekday()] not in cutoff.days or day in cutoff.holidays:
        return None
    zone = ZoneInfo(cutoff.zone)
    wall = datetime.combine(day, cutoff.time)
    # Fold 0 reads a skipped time with the offset before the gap, which moves it forward (PEP 495).
    instant = wall.replace(tzinfo=zone).astimezone(UTC)
    if instant.astimezone(zone).replace(tzinfo=None) != wall:
        return None if cutoff.gap == "skip" else instant
    if cutoff.fold == "second":
        return wall.replace(tzinfo=zone, fold=1).astimezone(UTC)
    return instant


def previous_cutoff(cutoff: Cutoff, now: datetime) -> datetime | None:
    """The last cut-off at or before ``now``, in UTC: the one that is closed. None where there was none."""
    return next((instant for instant in _around(cutoff, now, -1) if instant <= now), None)


def next_cutoff(cutoff: Cutoff, now: datetime) -> datetime | None:
    """The first cut-off after ``now``, in UTC. What comes exactly at a cut-off belongs to the next one."""
    return next((instant for instant in _around(cutoff, now, 1) if instant > now), None)


def due_at(instant: datetime, cutoff: Cutoff) -> datetime:
    """When the window after a cut-off ends, in UTC: what is missing then makes the fallback due."""
    return as_utc(instant) + cutoff.window


def order_due_at(cutoffs: Iterable[Cutoff], ordered_at: datetime) -> datetime | None:
    """When an order placed at ``ordered_at`` must be in the WMS: the earliest due time of its next cut-offs, in UTC."""
    closing = ((next_cutoff(cutoff, ordered_at), cutoff) for cutoff in cutoffs)
    return min((due_at(instant, cutoff) for instant, cutoff in closing if instant), default=None)


def due_before(cutoffs: Iterable[Cutoff], now: datetime) -> datetime | None:
    """The last cut-off whose window has ended at ``now``: every order placed before it is past its due time.

    It answers for all orders at once what ``order_due_at(cutoffs, ordered_at) <= now`` answers for one.
    """
    closed = (previous_cutoff(cutoff, as_utc(now) - cutoff.window) for cutoff in cutoffs)
    return max((instant for instant in closed if instant), default=None)


def _around(cutoff: Cutoff, now: datetime, step: int) -> Iterator[datetime]:
    """Cut-offs by date, from two days on the other side of ``now`` onwards, forward (1) or back (-1) in time.

    Two days, because a zone may jump a whole day (Pacific/Apia did in 2011).
    """
    today = as_utc(now).astimezone(ZoneInfo(cutoff.zone)).date()
    reach = 7 * (len(cutoff.holidays) + _SPARE_WEEKS)
    for days in range(-2, reach):
        instant = cutoff_on(cutoff, today + timedelta(days=step * days))
        if instant is not None:
            yield instant
