"""What the warehouse says: the answer for one order, and the receipt of each stage. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

from fallback.documents.base import AgreementRef, Counts, State, moment
from fallback.documents.manifest import DeclaredOrder, Manifest
from fallback.documents.receipt import (
    RESEND,
    AnsweredOrder,
    By,
    Disposition,
    Existing,
    OrderState,
    Reason,
    Receipt,
    ReceiptCounts,
    ReceivedFile,
    Resend,
    Times,
    count_states,
    disposition_of,
)
from fallback.documents.report import Rejected, Report
from fallback.findings import Finding
from fallback.records.order import Order
from fallback.warehouse.ledger import LedgerOrder
from fallback.warehouse.wms import CANCELLED, WmsOrder


def answer(
    declared: DeclaredOrder,
    state: OrderState,
    *codes: str,
    reasons: tuple[Reason, ...] = (),
    wms_ref: str | None = None,
    existing: Existing | None = None,
    resend: Resend | None = None,
) -> AnsweredOrder:
    """The answer for a declared order; ``codes`` are reasons without a place."""
    return AnsweredOrder(
        key=declared.key,
        revision=declared.revision,
        state=state,
        wms_ref=wms_ref,
        fingerprint=declared.fingerprint,
        existing=existing,
        resend=resend or RESEND[state],
        reasons=tuple(Reason(code=code) for code in codes) + reasons,
    )


def left_out(declared: DeclaredOrder) -> AnsweredOrder:
    """An order that nothing is wrong with, in a file that is not loaded."""
    return answer(declared, "rejected", "file-refused", resend="as-is")


# --- what validation found


def passed(manifest: Manifest, report: Report) -> dict[str, Order]:
    """The orders that may be loaded, by key: declared, read, and not rejected."""
    if report.refused_file:
        return {}
    barred = {rejected.key for rejected in report.rejected}
    read = dict(zip(report.keys, report.orders, strict=True))
    return {o.key: read[o.key] for o in manifest.orders if o.key in read and o.key not in barred}


def rejections(manifest: Manifest, report: Report) -> dict[str, AnsweredOrder]:
    """The answers for the declared orders that may not be loaded, by key."""
    if report.refused_file:
        return {order.key: left_out(order) for order in manifest.orders}
    good = passed(manifest, report)
    rejected = {entry.key: _reasons(report, entry) for entry in report.rejected if entry.key}
    # An order so damaged that its key cannot be told is one of those declared and not found.
    nameless = _unique(reason for entry in report.rejected if not entry.key for reason in _reasons(report, entry))
    absent = nameless or (Reason(code="count-differs"),)
    only_held_up = (Reason(code="file-refused"),)
    return {
        order.key: left_out(order)
        if rejected.get(order.key) == only_held_up
        else answer(order, "rejected", reasons=rejected.get(order.key, absent))
        for order in manifest.orders
        if order.key not in good
    }


def file_reasons(report: Report) -> tuple[Reason, ...]:
    """What was found about the file as a whole, warnings too: each code and column once, at its first place."""
    whole = (finding for finding in report.findings if finding.refuses_file or finding.about == "file")
    first: dict[tuple[str, str | None, str | None], Reason] = {}
    for finding in whole:
        reason = _reason(finding, report)
        first.setdefault((reason.code, reason.field, reason.file), reason)
    return tuple(first.values())


def _reasons(report: Report, entry: Rejected) -> tuple[Reason, ...]:
    found = _unique(_reason(f, report) for f in report.findings if f.is_error and f.order == entry.order)
    return found or tuple(Reason(code=code) for code in entry.codes)


def _reason(finding: Finding, report: Report) -> Reason:
    # The name of a column that the format does not know comes from the file, where anything may stand.
    field = finding.field if finding.path else None
    name = finding.place.file
    other = name if name not in ("", report.file) else None
    return Reason(code=finding.code, file=other, line=finding.place.line or None, field=field)


def _unique(reasons: Iterable[Reason]) -> tuple[Reason, ...]:
    return tuple({(reason.code, reason.file, reason.line, reason.field): reason for reason in reasons}.values())


# --- what the warehouse has already


def judge(declared: DeclaredOrder, ours: LedgerOrder | None, theirs: WmsOrder | None) -> AnsweredOrder | None:
    """The answer for an order that is known already, or None for one that may be loaded.

    ``ours`` is what the ledger knows of the key, ``theirs`` what the warehouse system has. Content known to differ is
    a conflict. Where the content of the other is not known, the order still is not loaded a second time: it is the
    same order by its key, and the reason says that nobody has compared them. One that the system has cancelled would
    not ship although it is there: it is held for a person to decide.
    """
    loaded = ours if ours is not None and ours.status == "loaded" else None
    if theirs is None and loaded is None:
        if ours is None or ours.status == "refused":
            return None
        existing = Existing(path=ours.path, state=ours.status)
        return answer(declared, "unknown", "wms-no-answer", existing=existing)
    path = loaded.path if loaded else theirs.path if theirs else ""
    existing = Existing(path=path, state=theirs.state if theirs else "loaded")
    wms_ref = (theirs.wms_ref if theirs else None) or (loaded.wms_ref if loaded else None)
    fingerprints = {known.fingerprint for known in (loaded, theirs) if known and known.fingerprint}
    state: OrderState = "duplicate-same"
    code = "duplicate-same" if fingerprints else "duplicate-unproven"
    if fingerprints - {declared.fingerprint}:
        state, code = "duplicate-conflict", "duplicate-conflict"
    if theirs is not None and theirs.state == CANCELLED:
        state, code = "held", "duplicate-cancelled"
    return answer(declared, state, code, wms_ref=wms_ref, existing=existing)


def grouped_otherwise(declared: DeclaredOrder, there: LedgerOrder | WmsOrder) -> AnsweredOrder:
    """The answer for an order that the warehouse has whole where it comes by fulfilment order, or the reverse.

    Both would ship what the other holds: it is held for a person to decide.
    """
    state = there.status if isinstance(there, LedgerOrder) else there.state
    existing = Existing(path=there.path, state=state)
    return answer(declared, "held", "group-changed", wms_ref=there.wms_ref, existing=existing)


def judge_all(
    declared: Iterable[DeclaredOrder], ours: Mapping[str, LedgerOrder], theirs: Mapping[str, WmsOrder]
) -> dict[str, AnsweredOrder]:
    """The answers for those of the orders that are known already, by key."""
    judged = ((order.key, judge(order, ours.get(order.key), theirs.get(order.key))) for order in declared)
    return {key: found for key, found in judged if found is not None}


# --- what became of an order that was loaded


def outcome(declared: DeclaredOrder, row: LedgerOrder | None) -> AnsweredOrder:
    """The answer for an order that was handed to the warehouse system. What nobody stated is unknown."""
    if row is not None and row.status == "loaded":
        return answer(declared, "accepted", wms_ref=row.wms_ref)
    if row is not None and row.status == "refused":
        return answer(declared, "rejected", "wms-refused", *([row.reason] if row.reason else []))
    return answer(declared, "unknown", "wms-no-answer", wms_ref=row.wms_ref if row else None)


# --- the receipts


def received_receipt(
    manifest: Manifest,
    file: ReceivedFile,
    *,
    state: State,
    agreement: AgreementRef,
    by: By,
    reasons: tuple[Reason, ...],
    at: datetime,
) -> Receipt:
    """The bytes have arrived: their number and hash, so that the brand can compare them. Nothing is read yet."""
    return Receipt(
        receipt_id=f"R-{file.file_id}-received",
        stage="received",
        state=state,
        file=file,
        agreement=agreement,
        counts=ReceiptCounts(declared=manifest.counts, received=Counts()),
        times=Times(received_at=moment(at), issued_at=moment(at)),
        disposition="pending",
        reasons=reasons,
        by=by,
    )


def checked_receipt(
    before: Receipt, manifest: Manifest, report: Report, rejected: Mapping[str, AnsweredOrder], at: datetime
) -> Receipt:
    """The file was read. ``accepted`` means here that an order passed the checks: nothing is loaded yet."""
    orders = tuple(rejected.get(order.key) or answer(order, "accepted") for order in manifest.orders)
    disposition: Disposition = "rejected" if orders and len(rejected) == len(orders) else "pending"
    times = before.times.model_copy(update={"checked_at": moment(at), "issued_at": moment(at)})
    counts = Counts(
        orders=len(report.orders) + len(report.rejected),
        lines=sum(len(order.lines) for order in report.orders),
        units=sum(order.units for order in report.orders),
    )
    return Receipt(
        receipt_id=f"R-{before.file.file_id}-checked",
        supersedes=before.receipt_id,
        stage="checked",
        state=before.state,
        file=before.file,
        agreement=before.agreement,
        counts=ReceiptCounts(declared=manifest.counts, received=counts, by_state=count_states(orders)),
        times=times,
        disposition=disposition,
        orders=orders,
        reasons=before.reasons + file_reasons(report),
        by=before.by,
    )


def processed_receipt(before: Receipt, orders: tuple[AnsweredOrder, ...], at: datetime) -> Receipt:
    """Every declared order, once, with what became of it."""
    times = before.times.model_copy(update={"processed_at": moment(at), "issued_at": moment(at)})
    return Receipt(
        receipt_id=f"R-{before.file.file_id}-processed",
        supersedes=before.receipt_id,
        stage="processed",
        state=before.state,
        file=before.file,
        agreement=before.agreement,
        counts=before.counts.model_copy(update={"by_state": count_states(orders)}),
        times=times,
        disposition=disposition_of(orders),
        orders=orders,
        reasons=before.reasons,
        by=before.by,
    )


def again(first: Receipt) -> Receipt:
    """The first answer once more, for a file that arrived a second time."""
    changes = {"receipt_id": f"R-{first.file.file_id}-duplicate", "supersedes": None, "disposition": "duplicate-file"}
    return first.model_copy(update=changes)
