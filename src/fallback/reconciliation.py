"""The reconciliation: platform against warehouse by key, with what the outbox knows. Pure: lists in, verdict out.

An order makes the fallback due when it was placed before a closed cut-off, the window after it has ended, and a list
taken from the WMS after that end does not have it. Counts decide nothing: cancelled orders and those placed after the
cut-off never balance. Where a list cannot be relied on, the verdict is ``unknown``.
"""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from fallback.agreement import Agreement, Cutoff, Monitoring
from fallback.clock import as_utc, due_before, order_due_at
from fallback.documents.base import moment
from fallback.documents.receipt import INSIDE
from fallback.documents.reconciliation import Difference, Reconciliation, Verdict
from fallback.errors import FallbackError
from fallback.records.keys import KEY_PARTS

_CANCELLED = re.compile(r"cancell?ed\b", re.IGNORECASE)
# With fewer orders than this, how many of them match says nothing about the key.
_ENOUGH = 20
_HARDLY_ANY = 0.02


@dataclass(frozen=True, slots=True)
class Expected:
    """One eligible order of the platform: it is to be shipped, so it must come to the WMS."""

    key: str
    ordered_at: datetime
    fingerprint: str | None = None


@dataclass(frozen=True, slots=True)
class WmsRow:
    """One order of the warehouse's list. What the list does not say is None."""

    key: str
    fingerprint: str | None = None
    state: str | None = None
    arrived_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class WmsSnapshot:
    """The warehouse's list as it was at ``as_of``; ``declared_count`` is how many orders it says that it has.

    ``as_of`` None: nobody knows when it was taken, and nothing can be concluded from it.
    """

    rows: tuple[WmsRow, ...]
    as_of: datetime | None = None
    declared_count: int | None = None


def reconcile(
    *,
    eligible: Iterable[Expected],
    wms: WmsSnapshot,
    answered: Mapping[str, str],
    cutoffs: Sequence[Cutoff],
    monitoring: Monitoring,
    now: datetime,
    unread: int = 0,
) -> Reconciliation:
    """Compare the platform's eligible orders with the warehouse's list, and say whether the fallback is due.

    Args:
        eligible: the orders to be shipped, after eligibility and mapping.
        wms: the warehouse's list.
        answered: by key, what became of orders sent by fallback: the order state of a receipt, or ``sent``.
        cutoffs: the agreement's; without any, an order is due as soon as a list taken after it does not have it.
        monitoring: how old the list may be, and how far the two clocks may be apart.
        now: the present instant. Raises WrongUse where an instant has no offset.
        unread: how many orders of the platform could not be read. Whether they are in the warehouse nobody knows, so
            that nothing but ``due`` is certain.
    """
    now = as_utc(now)
    as_of = None if wms.as_of is None else moment(as_utc(wms.as_of))
    copies: Counter[str] = Counter()
    expected = _by_key(eligible, copies)
    rows: dict[str, list[WmsRow]] = {}
    for row in wms.rows:
        rows.setdefault(row.key, []).append(row)
    matched = sum(_ships(rows.get(key, ())) for key in expected)
    extra = sum(key not in expected for key in rows)
    counts = {"eligible": len(expected), "wms": len(rows), "matched": matched, "extra": extra}

    def unknown(*reasons: str) -> Reconciliation:
        return Reconciliation(verdict="unknown", at=moment(now), wms_as_of=as_of, reasons=reasons, counts=counts)

    if as_of is None:
        return unknown("the warehouse's list does not say when it was taken")
    if doubts := [*_doubts_of_list(wms, as_of, monitoring, now), *_doubts_of_platform(expected, monitoring, now)]:
        return unknown(*doubts)
    is_due = _judge(cutoffs, min(now, as_of))
    if doubt := _doubt_of_key(expected, rows, answered, is_due):
        return unknown(doubt)

    found = _sort(expected, rows, answered, cutoffs, is_due)
    differences = _differences(expected, copies, rows, found.lost)
    blind = (f"orders of the platform that could not be read: {unread:,}; export names them",) if unread else ()
    return Reconciliation(
        verdict="unknown" if unread and found.verdict != "due" else found.verdict,
        at=moment(now),
        wms_as_of=as_of,
        due_at=_earliest(found.due or found.in_flight or [one for one, _ in found.lost], cutoffs),
        missing=tuple(sorted(one.key for one in found.due)),
        differences=tuple(sorted(differences, key=lambda one: (one.key, one.kind, one.found or ""))),
        reasons=(*blind, *_reasons(found, len(expected), cutoffs)),
        counts=counts
        | {
            "due": len(found.due),
            "in_flight": len(found.in_flight),
            "undecided": len(found.undecided),
            "accepted_and_absent": len(found.accepted),
            "cancelled": len(found.cancelled),
            "late": len(found.late),
        },
    )


@dataclass(frozen=True, slots=True)
class _Sorted:
    """Eligible orders by what is to be said of them. All but ``late`` are absent from the WMS, or cancelled there.

    ``due``: nobody has them, and their due time has passed. ``lost``: it has passed, and sending them is not the
    answer; with each what is known of it: ``cancelled`` in the WMS, or the state of an order that went by fallback.
    ``in_flight``: not due yet. ``late`` ones came after their due time.
    """

    due: list[Expected]
    lost: list[tuple[Expected, str]]
    in_flight: list[Expected]
    late: list[Expected]

    @property
    def cancelled(self) -> list[str]:
        return [state for _, state in self.lost if state == "cancelled"]

    @property
    def accepted(self) -> list[str]:
        return [state for _, state in self.lost if state in INSIDE]

    @property
    def undecided(self) -> list[str]:
        """States of those that no receipt accepts or rejects."""
        return [state for _, state in self.lost if state != "cancelled" and state not in INSIDE]

    @property
    def verdict(self) -> Verdict:
        if self.due:
            return "due"
        if self.lost:
            return "unknown"
        return "late" if self.late else "in-flight" if self.in_flight else "clear"


def _sort(
    expected: Mapping[str, Expected],
    rows: Mapping[str, Sequence[WmsRow]],
    answered: Mapping[str, str],
    cutoffs: Sequence[Cutoff],
    is_due: Callable[[Expected], bool],
) -> _Sorted:
    absent = [
        (one, "cancelled" if key in rows else answered.get(key, "rejected"))
        for key, one in expected.items()
        if not _ships(rows.get(key, ()))
    ]
    overdue = [(one, state) for one, state in absent if is_due(one)]
    return _Sorted(
        # What went by fallback and was not rejected is not missing: another file could ship it twice.
        due=[one for one, state in overdue if state == "rejected"],
        lost=[(one, state) for one, state in overdue if state != "rejected"],
        in_flight=[one for one, _ in absent if not is_due(one)],
        late=[one for one in expected.values() if one.key not in answered and _is_late(one, rows, cutoffs)],
    )


def _ships(rows: Iterable[WmsRow]) -> bool:
    """Whether the WMS has an order that it has not cancelled; it may have been entered again."""
    return any(not _CANCELLED.match(row.state or "") for row in rows)


def _reasons(found: _Sorted, eligible: int, cutoffs: Sequence[Cutoff]) -> Iterator[str]:
    if found.due:
        yield f"{len(found.due):,} of {eligible:,} eligible orders are not in the WMS, past their due time"
    if found.due and not cutoffs:
        yield "no cut-off is agreed: an order is due as soon as a later list does not have it"
    if found.undecided:
        states = _tally(found.undecided)
        yield f"{len(found.undecided):,} orders went by fallback, are not in the WMS and not decided: {states}"
    if found.accepted:
        number = f"{len(found.accepted):,} orders"
        yield f"{number} are accepted by receipt and not in the WMS: its list is older, or they were lost"
    if found.cancelled:
        yield f"{len(found.cancelled):,} orders are cancelled in the WMS and not on the platform: they do not ship"
    if found.late:
        yield f"{len(found.late):,} orders came to the WMS after their due time"
    if found.in_flight:
        yield f"{len(found.in_flight):,} orders are not in the WMS, and no list was taken after their due time yet"
    if not eligible:
        yield "the platform has no eligible order: make sure that its list is whole"


def _by_key(eligible: Iterable[Expected], copies: Counter[str]) -> dict[str, Expected]:
    """Each order once: one that is there twice was placed at the earlier time, with the content that all agree on."""
    found: dict[str, Expected] = {}
    for one in eligible:
        copies[one.key] += 1
        ordered_at, fingerprint = as_utc(one.ordered_at), one.fingerprint
        if other := found.get(one.key):
            ordered_at = min(ordered_at, other.ordered_at)
            fingerprint = fingerprint if fingerprint == other.fingerprint else None
        found[one.key] = Expected(one.key, ordered_at, fingerprint)
    return found


def _doubts_of_list(wms: WmsSnapshot, as_of: datetime, monitoring: Monitoring, now: datetime) -> Iterator[str]:
    if now - as_of > monitoring.max_snapshot_age:
        limit = _minutes(monitoring.max_snapshot_age)
        yield f"the warehouse's list is {_minutes(now - as_of)} old, agreed are at most {limit}"
    if as_of - now > monitoring.max_clock_skew:
        yield f"the warehouse's list is from {_minutes(as_of - now)} in the future: a clock is wrong"
    if wms.declared_count not in (None, len(wms.rows)):
        yield f"the warehouse's list says that it has {wms.declared_count:,} orders and has {len(wms.rows):,}"


def _doubts_of_platform(expected: Mapping[str, Expected], monitoring: Monitoring, now: datetime) -> Iterator[str]:
    latest = max((one.ordered_at for one in expected.values()), default=now)
    if latest - now > monitoring.max_clock_skew:
        yield f"an order was placed {_minutes(latest - now)} in the future: a clock is wrong"


def _doubt_of_key(
    expected: Mapping[str, Expected],
    rows: Mapping[str, object],
    answered: Mapping[str, str],
    is_due: Callable[[Expected], bool],
) -> str | None:
    """Where hardly any of many orders is there and the list is not empty, a wrong key looks like a whole outage.

    Sending then could ship everything twice, because the warehouse would not know the orders again.
    """
    judged = [one for one in expected.values() if one.key not in answered and is_due(one)]
    matched = sum(one.key in rows for one in judged)
    if not rows or len(judged) < _ENOUGH or matched >= _HARDLY_ANY * len(judged):
        return None
    newest = sorted(judged, key=lambda one: (one.ordered_at, one.key))[-3:]
    return (
        f"{matched:,} of {len(judged):,} orders past their due time are in the WMS list of {len(rows):,}: either"
        " everything has stopped or the two sides do not make the same key; read these to the warehouse by phone: "
        + ", ".join(one.key for one in newest)
    )


def _judge(cutoffs: Sequence[Cutoff], seen_until: datetime) -> Callable[[Expected], bool]:
    """Whether an order must be in a list that was taken at ``seen_until``."""
    limit = due_before(cutoffs, seen_until) if cutoffs else seen_until
    return lambda one: limit is not None and one.ordered_at < limit


def _is_late(one: Expected, rows: Mapping[str, Sequence[WmsRow]], cutoffs: Sequence[Cutoff]) -> bool:
    """Whether the integration brought an order after its due time; only a list that says when orders came can tell."""
    arrived = min((as_utc(row.arrived_at) for row in rows.get(one.key, ()) if row.arrived_at), default=None)
    # The due time is at least a window away: most orders need no calendar.
    if arrived is None or all(arrived <= one.ordered_at + cutoff.window for cutoff in cutoffs):
        return False
    due = order_due_at(cutoffs, one.ordered_at)
    return due is not None and arrived > due


def _earliest(orders: Iterable[Expected], cutoffs: Sequence[Cutoff]) -> datetime | None:
    first = min((one.ordered_at for one in orders), default=None)
    return None if first is None else order_due_at(cutoffs, first)


def _differences(
    expected: Mapping[str, Expected],
    copies: Mapping[str, int],
    rows: Mapping[str, Sequence[WmsRow]],
    lost: Iterable[tuple[Expected, str]],
) -> Iterator[Difference]:
    for one, state in lost:
        yield Difference(key=one.key, kind="missing", found=state)
    for key, number in copies.items():
        if number > 1:
            yield Difference(key=key, kind="doubled", found=f"{number} times on the platform")
    for key, found in rows.items():
        if len(found) > 1:
            yield Difference(key=key, kind="doubled", found=f"{len(found)} times in the warehouse")
        if key not in expected:
            yield Difference(key=key, kind="extra", found=min((row.state for row in found if row.state), default=None))
            continue
        prints = {row.fingerprint for row in found if row.fingerprint}
        wanted = expected[key].fingerprint
        if wanted is not None and prints - {wanted}:
            yield Difference(key=key, kind="fingerprint", found=min(prints - {wanted})[:12])


def _tally(states: Iterable[str]) -> str:
    return ", ".join(f"{number:,} {state}" for state, number in sorted(Counter(states).items()))


def _minutes(span: timedelta) -> str:
    seconds = int(span.total_seconds())
    return f"{seconds // 60:,} min {seconds % 60} s"


# --- the warehouse's list as a file

_OPTIONAL = ("fingerprint", "state", "arrived_at")
_SHOWN = 5
_SCIENTIFIC = re.compile(r"[0-9]([.,][0-9]+)?E\+[0-9]+")
_FINGERPRINT = re.compile(r"[0-9a-f]{64}")
_STATE = re.compile(r"[A-Za-z0-9][A-Za-z0-9 _./-]{0,39}")


def read_wms_extract(
    data: bytes, name: str, agreement: Agreement, as_of: datetime | None = None, declared_count: int | None = None
) -> WmsSnapshot:
    """The warehouse's list from a CSV file in UTF-8, comma-separated, with a header.

    Columns: ``key``, or those that the agreement's key is made of (``brand``, ``platform``, ``order_id``,
    ``order_number``, ``group``); then, if the warehouse can say them, ``fingerprint``, ``state`` and ``arrived_at``
    (ISO 8601 with offset). No other column: names and addresses have no place in it. ``as_of`` is when it was taken.
    Raises FallbackError ``extract-unusable`` with the places that are wrong.
    """
    if data.startswith(b"\xef\xbb\xbf"):
        raise _unusable(name, ["it begins with a byte order mark: a spreadsheet has saved it, and zeros may be lost"])
    try:
        reader = csv.reader(io.StringIO(data.decode(), newline=""), strict=True)
        header = next(reader, [])
        key_of = _key_reader(header, name, agreement)
        rows: list[WmsRow] = []
        wrong: list[str] = []
        for cells in reader:
            problem = _problem(cells, header)
            if problem is None:
                rows.append(_row(dict(zip(header, cells, strict=True)), key_of))
            else:
                wrong.append(f"line {reader.line_num}: {problem}")
    except UnicodeDecodeError as error:
        raise _unusable(name, [f"byte {error.start + 1:,} is not UTF-8"]) from None
    except csv.Error:
        raise _unusable(name, [f"line {reader.line_num}: a quotation mark or a separator is out of place"]) from None
    if wrong:
        raise _unusable(name, wrong)
    return WmsSnapshot(tuple(rows), as_of, declared_count)


def _key_reader(header: list[str], name: str, agreement: Agreement) -> Callable[[dict[str, str]], str]:
    """How the key is read from a row, by the columns that there are."""
    by_parts = "key" not in header
    allowed = {*_OPTIONAL, *(KEY_PARTS if by_parts else ("key",))}
    needed = agreement.key_parts if by_parts else ("key",)
    wrong = [
        f"column {n} of the header is not one of the list's" for n, cell in enumerate(header, 1) if cell not in allowed
    ]
    wrong += [f"the column {part} is missing" for part in needed if part not in header]
    wrong += [f"the column {cell} is there twice" for cell in sorted(set(header) & allowed) if header.count(cell) > 1]
    if wrong:
        raise _unusable(name, wrong)
    if not by_parts:
        return lambda cells: cells["key"]
    return lambda cells: agreement.key_of(**{part: cells.get(part, "") for part in KEY_PARTS})


def _problem(cells: list[str], header: list[str]) -> str | None:
    """What is wrong with a row, or None. No value is repeated: anything may stand in a wrong column."""
    if len(cells) != len(header):
        return f"{len(cells)} cells, the header has {len(header)}"
    for column, cell in zip(header, cells, strict=True):
        if column in _OPTIONAL:
            if cell and not _is_valid(column, cell):
                return f"{column} is not in its agreed form"
        elif not cell:
            return f"{column} is empty"
        elif not cell.isprintable() or cell != cell.strip():
            return f"{column} has white space at its ends or characters that cannot be printed"
        elif _SCIENTIFIC.fullmatch(cell):
            return f"{column} is a number that a spreadsheet has shortened; its digits are lost"
    return None


def _is_valid(column: str, cell: str) -> bool:
    if column == "fingerprint":
        return _FINGERPRINT.fullmatch(cell) is not None
    if column == "state":
        return _STATE.fullmatch(cell) is not None
    try:
        return datetime.fromisoformat(cell).utcoffset() is not None
    except ValueError:
        return False


def _row(cells: dict[str, str], key_of: Callable[[dict[str, str]], str]) -> WmsRow:
    arrived = cells.get("arrived_at")
    return WmsRow(
        key=key_of(cells),
        fingerprint=cells.get("fingerprint") or None,
        state=cells.get("state") or None,
        arrived_at=datetime.fromisoformat(arrived) if arrived else None,
    )


def _unusable(name: str, wrong: list[str]) -> FallbackError:
    more = [f"and {len(wrong) - _SHOWN:,} more"] if len(wrong) > _SHOWN else []
    places = "\n".join(f"  {place}" for place in [*wrong[:_SHOWN], *more])
    return FallbackError(
        "extract-unusable",
        f"{name} cannot be used as the warehouse's list:\n{places}",
        hint="ask for the list as the system writes it: UTF-8, commas, a header with key, or with the key's parts",
    )
