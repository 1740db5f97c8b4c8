"""The evidence of a drill: its events, what was promised against what it took, proofs by number, and the verdict.

The verdict is computed from what stands in the journal, and from nothing else. No text of the evidence holds a
customer's value, a key or a file name: the same seed gives the same words.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime

from fallback.agreement import Agreement
from fallback.delivery.drop import Delivered
from fallback.documents.base import MANIFEST_SUFFIX
from fallback.documents.journal import Commitment, Event, Journal, Mishap, Proof, Side
from fallback.documents.manifest import Manifest
from fallback.documents.receipt import SUFFIX as RECEIPT_SUFFIX
from fallback.documents.receipt import Receipt
from fallback.records.order import Order

Say = Callable[[str], None]

# Of each delivery, while a mishap plays, only the arrival and the last answer are told.
_BRIEF = frozenset({"announced", "received", "checked", "listed"})


class Evidence:
    """What a drill has to show for itself, as it grows. ``say`` is told of each event."""

    def __init__(self, now: Callable[[], datetime], say: Say | None = None) -> None:
        self._now = now
        self._say = say or (lambda _: None)
        self._events: list[Event] = []
        self.mishaps: list[Mishap] = []
        self.proofs: list[Proof] = []
        self.stopped: str | None = None
        self.brief = False

    @property
    def events(self) -> tuple[Event, ...]:
        return tuple(self._events)

    def note(self, side: Side, step: str, text: str, *, artefact: str | None = None, sha256: str | None = None) -> None:
        """One event, at this instant, in milliseconds."""
        at = self._now().astimezone(UTC)
        self._events.append(
            Event(
                n=len(self._events) + 1,
                at=at.replace(microsecond=at.microsecond // 1000 * 1000),
                side=side,
                step=step,
                text=text,
                artefact=artefact,
                sha256=sha256,
            )
        )
        if not self.brief:
            self._say(f"{side:<9}  {step}: {text}")

    def add_mishap(self, mishap: Mishap, proofs: Iterable[Proof]) -> None:
        """A mishap that was played, and what it proves."""
        self.mishaps.append(mishap)
        self.proofs += proofs
        self._say(f"{'held' if mishap.held else 'FAILED':<9}  {mishap.title}: {mishap.observed or 'not answered'}")

    def saw(self, side: Side) -> Callable[[Delivered, bytes], None]:
        """What notes each file that a side has put on the drop."""

        def put(delivered: Delivered, data: bytes) -> None:
            step, text = _of_file(delivered, data)
            if not (self.brief and step in _BRIEF):
                self.note(side, step, text, artefact=delivered.name, sha256=delivered.sha256)

        return put


def _of_file(delivered: Delivered, data: bytes) -> tuple[str, str]:
    """The step that a file on the drop is, and what it says."""
    name = delivered.name
    if name.endswith(MANIFEST_SUFFIX):
        counts = Manifest.from_json(data).counts
        return "announced", f"the manifest declares {counts.orders:,} orders, {counts.units:,} units"
    if name.endswith(RECEIPT_SUFFIX):
        receipt = Receipt.from_json(data)
        return receipt.stage, _of_receipt(receipt)
    if delivered.folder == "out":
        return "listed", "what the warehouse system has, by key"
    compared = "every byte read back" if delivered.proof == "read-back" else "size compared"
    return "delivered", f"the file is under its final name, {compared}"


def _of_receipt(receipt: Receipt) -> str:
    if receipt.stage == "received":
        return f"the file has arrived, {receipt.counts.declared.orders:,} orders declared"
    states = ", ".join(f"{number:,} {state}" for state, number in sorted(receipt.counts.by_state.items()))
    reasons = list(dict.fromkeys(reason.code for reason in receipt.reasons))
    why = f"; the file: {', '.join(reasons)}" if reasons else ""
    return f"{'nothing is loaded yet; ' if receipt.stage == 'checked' else ''}{states}{why}"


# --- commitments


def measured(agreement: Agreement, events: Sequence[Event]) -> tuple[Commitment, ...]:
    """Each commitment of the agreement, from the first event it begins with to the first one after it that ends it."""
    found = []
    for name, terms in agreement.commitments.items():
        start = next((event for event in events if event.step == terms.from_), None)
        end = next((event for event in events if start and event.n > start.n and event.step == terms.to), None)
        took = (end.at - start.at).total_seconds() if start and end else None
        found.append(
            Commitment(
                id=name,
                owner=terms.owner,
                start=terms.from_,
                end=terms.to,
                limit_s=terms.limit.total_seconds(),
                actual_s=None if took is None else round(took, 3),
            )
        )
    return tuple(found)


# --- proofs


def loaded_once(keys: Collection[str]) -> Proof:
    """From the keys of all orders that the warehouse system really got."""
    copies = Counter(keys)
    twice = sum(number > 1 for number in copies.values())
    return Proof(
        id="loaded-once",
        text="No order is in the warehouse system twice, counted in the import files that it got",
        holds=bool(copies) and not twice,
        numbers={"orders": len(copies), "loaded_twice": twice},
    )


def every_declared_order_answered(manifests: Iterable[Manifest], receipts: Iterable[Receipt]) -> Proof:
    """From the manifests and receipts on the drop: silence is not an answer."""
    answered = {
        (receipt.file.name, order.key)
        for receipt in receipts
        if receipt.stage == "processed"
        for order in receipt.orders
        if order.state != "unknown"
    }
    declared = [(manifest.files[0].name, order.key) for manifest in manifests for order in manifest.orders]
    silent = sum(one not in answered for one in declared)
    return Proof(
        id="every-order-answered",
        text="Every order that a file declared was answered by name",
        holds=bool(declared) and not silent,
        numbers={"declared": len(declared), "without_answer": silent},
    )


def nothing_lost(eligible: Collection[str], system: Collection[str], explained: Collection[str]) -> Proof:
    """From the shop's orders, what the system got, and what was answered or left out with a reason, all by key."""
    inside = set(eligible) & set(system)
    reasoned = (set(eligible) - inside) & set(explained)
    lost = set(eligible) - inside - reasoned
    return Proof(
        id="nothing-lost",
        text="Every order of the shop that is to ship is in the warehouse system, or was answered with a reason",
        holds=bool(eligible) and not lost,
        numbers={
            "to_ship": len(set(eligible)),
            "in_the_system": len(inside),
            "with_a_reason": len(reasoned),
            "lost": len(lost),
        },
    )


def same_content(shop: Mapping[str, str], system: Mapping[str, str]) -> Proof:
    """From the fingerprints, by key, of the shop's orders and of what the system got."""
    common = shop.keys() & system.keys()
    different = sum(shop[key] != system[key] for key in common)
    return Proof(
        id="same-content",
        text="What the warehouse system got is what the shop has: address, service, dates, articles, quantities",
        holds=bool(common) and not different,
        numbers={"compared": len(common), "different": different},
    )


def live_untouched(before: Mapping[str, str], after: Mapping[str, str]) -> Proof:
    """From the hashes of everything live, before and after the drill."""
    changed = sum(before.get(name) != after.get(name) for name in before.keys() | after.keys())
    return Proof(
        id="live-untouched",
        text="Live folders, and the live part of outbox and ledger, are as they were before the drill",
        holds=bool(before) and not changed,
        numbers={"compared": len(before), "changed": changed},
    )


def drop_clean(left: Mapping[str, int]) -> Proof:
    """From the numbers of files that lie where none may lie at the end."""
    return Proof(
        id="drop-clean",
        text="Nothing waits on the drill's drop, nothing is half done and nothing half uploaded",
        holds=not any(left.values()),
        numbers=dict(left),
    )


def private_values(orders: Iterable[Order]) -> frozenset[str]:
    """The customers' values that must never be in evidence: who, where exactly, how to reach them, their notes."""
    found: set[str] = set()
    for order in orders:
        to = order.ship_to
        found.update(value for value in (to.name, to.company, to.address1, to.address2, to.phone, to.email) if value)
        found.update(line for note in (order.instructions, order.gift_message) if note for line in note.splitlines())
    return frozenset(found)


def no_customer_data(values: Collection[str], documents: Iterable[bytes]) -> Proof:
    """From the bytes of all that is kept or shown: documents, memories, and the journal's own words."""
    wanted = [form.encode() for value in values for form in {value, json.dumps(value)[1:-1]}]
    read = list(documents)
    found = sum(any(value in data for value in wanted) for data in read)
    return Proof(
        id="no-customer-data",
        text="No name, street, phone number, e-mail address or note of a customer is in any document or memory",
        holds=bool(values) and bool(read) and not found,
        numbers={"values_looked_for": len(values), "documents_read": len(read), "documents_with_one": found},
    )


# --- verdict


def failures_of(
    commitments: Sequence[Commitment], mishaps: Sequence[Mishap], proofs: Sequence[Proof]
) -> tuple[str, ...]:
    """Everything that did not hold, in words. A drill without any of it proves nothing, and has failed too."""
    found: list[str] = []
    kinds = {"commitment": commitments, "mishap": mishaps, "proof": proofs}
    found += [f"no {kind} was put to the test" for kind, items in kinds.items() if not items]
    for commitment in commitments:
        if not commitment.met:
            took = "not measured" if commitment.actual_s is None else f"took {commitment.actual_s:.1f} s"
            found.append(f"commitment {commitment.id}: {took}, limit {commitment.limit_s:.1f} s")
    for mishap in mishaps:
        if not mishap.held:
            found.append(f"mishap {mishap.id}: expected {mishap.expected}, observed {mishap.observed or 'nothing'}")
    found += [f"proof {proof.id}: does not hold" for proof in proofs if not proof.holds]
    return tuple(found)


def journal_of(
    evidence: Evidence,
    *,
    drill_id: str,
    agreement: Agreement,
    started_at: datetime,
    ended_at: datetime,
    tool: str,
    aborted: bool,
) -> Journal:
    """The journal, with its verdict by rule: aborted when stopped by hand, passed when nothing failed, else failed."""
    commitments = measured(agreement, evidence.events)
    failures = failures_of(commitments, evidence.mishaps, evidence.proofs)
    if evidence.stopped:
        failures = (evidence.stopped, *failures)
    return Journal(
        drill_id=drill_id,
        level="loopback",
        started_at=started_at.astimezone(UTC),
        ended_at=ended_at.astimezone(UTC),
        agreement=agreement.ref,
        tool=tool,
        events=evidence.events,
        commitments=commitments,
        mishaps=tuple(evidence.mishaps),
        proofs=tuple(evidence.proofs),
        verdict="aborted" if aborted else "failed" if failures else "passed",
        failures=failures,
    )
