"""The words that text and pages share: times, amounts, verdicts and states as a shift lead reads them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from fallback.findings import CATALOGUE, Finding, Place

if TYPE_CHECKING:  # the models cost a tenth of a second; explaining a code must not pay for them
    from fallback.documents.diagnosis import Diagnosis
    from fallback.documents.journal import Commitment, Journal, Proof
    from fallback.documents.receipt import AnsweredOrder, Reason, Receipt
    from fallback.documents.reconciliation import Reconciliation
    from fallback.documents.report import Report

NAME_LIMIT = 80


def plain(text: str, limit: int = 0) -> str:
    """Text that cannot move a cursor, reverse a line or break one: what is not printable becomes ``\\x..``.

    A ``limit`` above 0 keeps that many characters and says how long the whole was.
    """
    shown = text[:limit] if limit else text
    if not shown.isprintable():
        shown = "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in shown)
    return shown if len(text) <= limit or not limit else f"{shown}... ({len(text):,} characters)"


def count(number: int, noun: str) -> str:
    """``1 order``, ``5 orders``, ``12,000 orders``."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def verb(number: int, one: str = "is", many: str = "are") -> str:
    return one if number == 1 else many


def utc(value: datetime) -> datetime:
    """The instant in UTC; one that is before or after all years there becomes the first or the last of them."""
    try:
        return value.astimezone(UTC)
    except OverflowError:  # the other side's clock may say anything
        return datetime.min.replace(tzinfo=UTC) if value.year == 1 else datetime.max.replace(tzinfo=UTC)


def instant(value: datetime) -> str:
    """``2026-11-23 14:00:05 UTC``: one zone for both sides."""
    return f"{utc(value):%Y-%m-%d %H:%M:%S} UTC"


def clock(value: datetime) -> str:
    """The time of day in UTC: ``14:00:05``."""
    return f"{utc(value):%H:%M:%S}"


def duration(seconds: float) -> str:
    """Seconds as a person says them: ``0.8 s``, ``14 s``, ``2 min 05 s``, ``1 h 02 min``."""
    if seconds < 9.95:
        return f"{seconds:.1f} s".replace(".0 s", " s")
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    minutes = round(seconds / 60)
    return f"{minutes // 60} h {minutes % 60:02d} min"


def sentence(text: str) -> str:
    """The text with a full stop at its end, unless it has one."""
    return text if text.endswith((".", "!", "?")) else f"{text}."


def capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def meaning(code: str) -> str:
    """What a code means. The other side may be ahead of us: a code that is not known here says so."""
    entry = CATALOGUE.get(code)
    return entry.meaning if entry else "This version of the program does not know the code; the sender's does."


def remedy(code: str) -> str:
    entry = CATALOGUE.get(code)
    return entry.remedy if entry else "Ask the sender what it means, and bring both sides to the same version."


# --- findings


def place(where: Place) -> str:
    """``FILE:12``, or ``FILE:$.orders[3]`` in a payload; without a file the line or pointer alone."""
    if not where.file:
        return spot(where)
    at = str(where.line) if where.line else plain(where.pointer, 200)
    return f"{plain(where.file)}:{at}" if at else plain(where.file)


def spot(where: Place) -> str:
    """The place within its file: ``line 12``, or the pointer."""
    return f"line {where.line}" if where.line else plain(where.pointer, 200)


def about(finding: Finding) -> str:
    """What the finding is about: ``order 1042, line 2``; empty for a whole file."""
    parts = ["warning"] if not finding.is_error else []
    if finding.order is not None:
        parts.append(f"order {plain(finding.order, NAME_LIMIT)}")
    if finding.order_line is not None:
        parts.append(f"line {finding.order_line}")
    if finding.place.record and not finding.place.line:
        parts.append(f"record {finding.place.record}")
    return ", ".join(parts)


def difference(finding: Finding) -> str:
    """What was found and what was expected, named by the column; the code's meaning where neither is said."""
    parts = [f"found {plain(finding.found)}"] if finding.found is not None else []
    if finding.expected is not None:
        parts.append(f"expected {plain(finding.expected)}")
    field = plain(finding.field or finding.path or "", NAME_LIMIT)
    return (f"{field}: " if field else "") + (", ".join(parts) or meaning(finding.code))


def advice(finding: Finding) -> str:
    return sentence(plain(finding.hint or remedy(finding.code)))


# --- the report


def diagnosis(one: Diagnosis) -> str:
    """What happened to a file, how sure that is, and under which name it is explained."""
    where = f"{plain(one.file)}: " if one.file else ""
    return f"{where}{sentence(capital(plain(one.sentence)))} ({one.name}, {one.confidence})"


def report_sentence(report: Report) -> str:
    good, bad = len(report.orders), len(report.rejected)
    if report.verdict == "accepted":
        return f"{count(good, 'order')} may be loaded, nothing is rejected"
    if report.verdict == "partial":
        return f"{good:,} of {count(good + bad, 'order')} may be loaded, {bad:,} {verb(bad)} rejected"
    if report.refused_file:
        return "the file as a whole is refused, no order of it may be loaded"
    return "no order of this file may be loaded"


def report_next(report: Report) -> str:
    """What to do after validation."""
    if report.verdict == "accepted":
        if any(finding.code in ("manifest-absent", "uncounted") for finding in report.findings):
            return (
                "Nothing to mend in what is here. Without its manifest the file cannot be proven complete: ask for the "
                "manifest, or have the number of orders confirmed, before it is loaded."
            )
        return "Nothing to mend: the file can be sent, or loaded."
    if report.verdict == "partial":
        return (
            "Load only the accepted orders. Have the rejected ones corrected at their source and sent in a new file; "
            "do not mend this file by hand."
        )
    return "Load nothing from this file, and do not mend it by hand: ask for what the hints say, in a new file."


# --- the receipt

STATES: dict[str, str] = {
    "unknown": "Nobody can say whether it was loaded: look it up before anything else. Do not load or pick it again.",
    "duplicate-conflict": "In the warehouse already, with other content. Do not pick it from this file.",
    "rejected": "Not loaded.",
    "held": "In the warehouse, on hold there. It does not ship until the hold is released.",
    "duplicate-same": "In the warehouse already, with the same content. Not loaded again: it ships once.",
    "withdrawn": "Withdrawn by the brand before it was loaded. It does not ship.",
    "recalled": "Recalled by the brand after it was loaded. Stop it: it must not ship.",
    "accepted-changed": "Loaded, with a change by the warehouse.",
    "accepted": "Loaded from this file. It ships.",
}
"""Order states in words of the floor, the most urgent first: a receipt is read from the top."""

LOADED = ("accepted", "accepted-changed")

RESEND_WORDS: dict[str, str] = {
    "never": "never",
    "corrected": "when corrected, in a new file",
    "as-is": "as it is, in a new file",
}


@dataclass(frozen=True, slots=True)
class Group:
    """Orders of a receipt that share their state, the codes of their reasons and what the sender may do."""

    state: str
    codes: tuple[str, ...]
    resend: str
    orders: tuple[AnsweredOrder, ...]

    @property
    def state_words(self) -> str:
        """The state in words; empty where a code of the same name says it already."""
        return "" if self.state in self.codes else STATES[self.state]


def receipt_groups(receipt: Receipt) -> tuple[list[Group], tuple[AnsweredOrder, ...]]:
    """The orders that need a look, in groups, the most urgent first; and those that were accepted as they are."""
    found: dict[tuple[str, tuple[str, ...], str], list[AnsweredOrder]] = {}
    for order in receipt.orders:
        codes = tuple(dict.fromkeys(reason.code for reason in order.reasons))
        found.setdefault((order.state, codes, order.resend), []).append(order)
    accepted = [
        order for (state, codes, _), orders in found.items() if state == "accepted" and not codes for order in orders
    ]
    rank = list(STATES)
    groups = [
        Group(state, codes, resend, tuple(orders))
        for (state, codes, resend), orders in found.items()
        if state != "accepted" or codes
    ]
    return sorted(groups, key=lambda group: rank.index(group.state)), tuple(accepted)


def receipt_sentence(receipt: Receipt) -> str:
    from fallback.documents.receipt import INSIDE  # loaded already where there is a receipt

    declared = receipt.counts.declared.orders
    inside = sum(order.state in INSIDE for order in receipt.orders)
    if receipt.disposition == "duplicate-file":
        return "this file was received before, nothing was loaded again"
    if receipt.stage == "received":
        return f"the file has arrived, its {count(declared, 'order')} {verb(declared)} not answered for yet"
    if receipt.disposition == "rejected":
        return f"nothing of it is in the warehouse through this file ({count(declared, 'order')})"
    if receipt.stage == "checked":
        passed = sum(order.state in LOADED for order in receipt.orders)
        return f"{passed:,} of {count(declared, 'order')} passed the checks, and nothing is loaded yet"
    if inside == declared:
        return f"every order is in the warehouse ({declared:,} of {declared:,})"
    return f"{inside:,} of {count(declared, 'order')} {verb(inside)} in the warehouse, the others are listed below"


def accepted_sentence(receipt: Receipt) -> str:
    """What holds for the orders that were accepted as they are."""
    number = len(receipt_groups(receipt)[1])
    if receipt.stage == "checked":
        return f"{count(number, 'order')} passed the checks. Nothing is loaded yet."
    if not number:
        return "No order was accepted as it is."
    return f"{count(number, 'order')} accepted. Nobody sends or loads {verb(number, 'it', 'them')} again."


def receipt_times(receipt: Receipt) -> str:
    """``received 2026-11-23 14:00:00, checked 14:00:03 UTC``: what has happened; the date where it is another."""
    times = receipt.times
    steps = (("received", times.received_at), ("checked", times.checked_at), ("processed", times.processed_at))
    shown, day = [], None
    for word, at in [(word, at) for word, at in steps if at] or [("issued", times.issued_at)]:
        when = utc(at)
        shown.append(f"{word} {clock(when) if when.date() == day else f'{when:%Y-%m-%d %H:%M:%S}'}")
        day = when.date()
    return ", ".join(shown) + " UTC"


def issuer(receipt: Receipt) -> str:
    person = ", ".join(part for part in (receipt.by.person, receipt.by.role) if part)
    return f"{receipt.by.org} ({person})" if person else receipt.by.org


def reason_place(reasons: tuple[Reason, ...]) -> str:
    """``line 12, SKU; line 14, Qty``: where in the file the reasons are."""
    spots = (
        ", ".join(
            ([f"line {reason.line}"] if reason.line else [])
            + ([reason.field] if reason.field else [])
            + ([f"in {plain(reason.file)}"] if reason.file else [])
        )
        for reason in reasons
    )
    return "; ".join(spot for spot in dict.fromkeys(spots) if spot)


def order_details(order: AnsweredOrder) -> tuple[str, str, str]:
    """Where the order's reasons are in the file, its number in the WMS, and by which path it had come before."""
    existing = f"came by {order.existing.path}, {order.existing.state}" if order.existing else ""
    return reason_place(order.reasons), f"WMS {order.wms_ref}" if order.wms_ref else "", existing


# --- the reconciliation

DIFFERENCES: dict[str, str] = {
    "missing": "due and not in the warehouse",
    "extra": "in the warehouse and not asked for",
    "fingerprint": "in the warehouse with other content",
    "doubled": "in the warehouse more than once",
}


def reconciliation_sentence(document: Reconciliation) -> str:
    if document.verdict == "due":
        return f"the fallback is due, {count(len(document.missing), 'order')} {verb(len(document.missing))} missing"
    return {
        "clear": "every order that should be in the warehouse is there",
        "in-flight": "orders are still on their way, and their window has not ended",
        "late": "orders came after their window had ended, or the two sides differ",
        "unknown": "it cannot be told whether orders are missing; this is an alarm",
    }[document.verdict]


def reconciliation_next(document: Reconciliation) -> str:
    if document.verdict == "clear" and document.exit_code:
        return "Nothing is missing. Call the warehouse about the differences before these orders ship."
    return {
        "clear": "Nothing to do.",
        "in-flight": "Wait for the end of the window, then look again: `fallback reconcile`.",
        "late": "No file is needed. Tell the owner of the integration, and look into the differences.",
        "due": "Start the fallback: `fallback export PAYLOAD --integration paused --confirmed-by NAME`.",
        "unknown": "Get fresh lists from both sides and look again; until then act as if orders were missing.",
    }[document.verdict]


# --- the journal

LEVELS: dict[str, str] = {
    "walkthrough": "talked through by both sides, nothing sent",
    "loopback": "both roles on one machine, over a server that the drill started itself",
    "exchange": "both sides, over the agreed drill folders",
    "live-hour": "both sides, in an hour of live operation",
}


def journal_sentence(journal: Journal) -> str:
    return {
        "passed": "the procedure held",
        "failed": "the procedure did not hold",
        "aborted": "the drill was stopped before its end and proves nothing",
    }[journal.verdict]


def elapsed(journal: Journal, at: datetime) -> str:
    """How long after the start of the drill: ``+14 s``."""
    return f"+{duration(max(0.0, (at - journal.started_at).total_seconds()))}"


def commitment_words(commitment: Commitment) -> str:
    """What it took and what it may take: ``0.8 s, limit 10 s``."""
    if commitment.actual_s is None:
        return f"not measured, limit {duration(commitment.limit_s)}"
    return f"{duration(commitment.actual_s)}, limit {duration(commitment.limit_s)}"


def met_word(commitment: Commitment) -> str:
    return "met" if commitment.met else "not measured" if commitment.actual_s is None else "breached"


def numbers(proof: Proof) -> str:
    """The numbers a proof rests on: ``orders 12, loaded twice 0``."""
    return ", ".join(f"{name.replace('_', ' ')} {value:,}" for name, value in proof.numbers.items())
