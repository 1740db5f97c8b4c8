"""Where an order stands after all files that it was in and all receipts about them. Pure: rows in, verdicts out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from fallback.documents.manifest import Manifest
from fallback.documents.receipt import INSIDE, AnsweredOrder, OrderState, Reason, Receipt, Resend

OutboxStatus = Literal["exported", "sent", "answered"]
LeftOut = Literal["already-sent", "already-accepted", "awaiting-decision"]

WHOLE = "0"
"""The group of an order that the platform does not name by its fulfilment orders."""

_WEIGHT: dict[LeftOut | None, int] = {"already-accepted": 3, "already-sent": 2, "awaiting-decision": 1, None: 0}


@dataclass(frozen=True, slots=True)
class Grouping:
    """One order as the platform tells it: ``base`` is its key without the group; ``whole``, or a part of it."""

    base: str
    whole: bool

    @property
    def other(self) -> Grouping:
        """The same order told the other way: what ships under both, ships twice. Parts do not clash with parts."""
        return Grouping(self.base, not self.whole)


def grouping(split: tuple[str, str] | None) -> Grouping | None:
    """Of what ``Agreement.base_key`` makes of a key; None where it makes nothing of it."""
    return None if split is None else Grouping(split[0], split[1] == WHOLE)


@dataclass(frozen=True, slots=True)
class Entry:
    """One order in one exported file. ``begun``: sending the file began; ``answer`` and ``resend`` as received."""

    key: str
    file_id: str
    revision: int
    fingerprint: str
    begun: bool
    answer: OrderState | None = None
    resend: Resend | None = None

    @property
    def went(self) -> bool:
        """Whether the warehouse may know of it."""
        return self.begun or self.answer is not None

    @property
    def code(self) -> LeftOut | None:
        """Why the order may not go again because of this file; None: it may."""
        if self.answer is None:
            return "already-sent" if self.begun else None
        if self.answer in INSIDE:
            return "already-accepted"
        return None if self.answer == "rejected" and self.resend != "never" else "awaiting-decision"


@dataclass(frozen=True, slots=True)
class Standing:
    """Where one order stands, over all files that it was ever in.

    ``code`` tells why it must be left out of a new file (a code of the catalogue, about ``left-out``); None: it may go.
    ``status``, ``answer`` and ``file_id`` are those of the file that decides. ``revision`` and ``fingerprint`` are the
    last ones that went to the warehouse; 0 and None where none did.
    """

    key: str
    status: OutboxStatus
    code: LeftOut | None
    file_id: str
    answer: OrderState | None = None
    revision: int = 0
    fingerprint: str | None = None

    def next_revision(self, fingerprint: str) -> int:
        """The revision under which the order goes again: the same as it is, one more where its content changed."""
        return max(self.revision, 1) if fingerprint == self.fingerprint else self.revision + 1


def standings(entries: Iterable[Entry]) -> dict[str, Standing]:
    """Where each order stands, from its entries in the order of export: the file that forbids most decides."""
    by_key: dict[str, list[Entry]] = {}
    for entry in entries:
        by_key.setdefault(entry.key, []).append(entry)
    return {key: _standing(key, of_key) for key, of_key in by_key.items()}


def _standing(key: str, entries: list[Entry]) -> Standing:
    went = [entry for entry in entries if entry.went]
    if not went:
        return Standing(key=key, status="exported", code=None, file_id=entries[-1].file_id)
    deciding = max(reversed(went), key=lambda entry: _WEIGHT[entry.code])
    return Standing(
        key=key,
        status="sent" if deciding.answer is None else "answered",
        code=deciding.code,
        file_id=deciding.file_id,
        answer=deciding.answer,
        revision=went[-1].revision,
        fingerprint=went[-1].fingerprint,
    )


def answered_orders(manifest: Manifest, receipt: Receipt) -> tuple[AnsweredOrder, ...]:
    """The answer for each declared order, in the manifest's order. One that is not named is ``unknown``."""
    named = {order.key: order for order in receipt.orders}
    silence = (Reason(code="not-stated"),)
    return tuple(
        named.get(order.key)
        or AnsweredOrder(key=order.key, revision=order.revision, state="unknown", resend="never", reasons=silence)
        for order in manifest.orders
    )


def current_receipt(receipts: Sequence[Receipt]) -> Receipt | None:
    """Of the receipts of one file and stage the one that holds: not superseded by another; the first of equals."""
    superseded = {receipt.supersedes for receipt in receipts}
    last = receipts[-1] if receipts else None
    return next((receipt for receipt in receipts if receipt.receipt_id not in superseded), last)


def mismatch(receipt: Receipt, manifest: Manifest) -> str | None:
    """Why a receipt is not about the file of a manifest, in words; None where it is."""
    declared = {order.key: order for order in manifest.orders}
    sent = manifest.files[0]
    if receipt.state != manifest.state:
        return f"it is {receipt.state} and the file is {manifest.state}"
    if receipt.agreement.id != manifest.agreement.id:
        return "it is under another agreement than the file"
    if receipt.file.name != sent.name:
        return "it gives the file another name"
    if foreign := [order.key for order in receipt.orders if order.key not in declared]:
        return f"it answers for {len(foreign):,} orders that are not in the file"
    if any(order.revision != declared[order.key].revision for order in receipt.orders):
        return "it answers for another revision of an order"
    # Other bytes are what a damaged upload looks like. The warehouse may say so, and then has accepted nothing.
    inside = [order for order in receipt.orders if order.state in INSIDE]
    if inside and receipt.file.sha256 != manifest.sha256:
        return "it accepts orders from other bytes than those exported"
    for order in inside:
        same = order.fingerprint in (None, declared[order.key].fingerprint)
        if order.state in ("accepted", "duplicate-same") and not same:
            return f"it accepts {order.key} with other content than exported"
    return None
