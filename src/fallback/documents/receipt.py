"""The receipt: the warehouse's statement about one file, in three stages, answering for every declared order."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from fallback.documents.base import AgreementRef, Counts, Document, Moment, Part, State
from fallback.documents.manifest import SafeName
from fallback.records.values import Fingerprint

SUFFIX = ".receipt.json"

Stage = Literal["received", "checked", "processed"]
OrderState = Literal[
    "accepted",
    "accepted-changed",
    "held",
    "duplicate-same",
    "duplicate-conflict",
    "rejected",
    "withdrawn",
    "recalled",
    "unknown",
]
Resend = Literal["never", "corrected", "as-is"]
Disposition = Literal["accepted", "partial", "rejected", "duplicate-file", "pending"]

RESEND: dict[OrderState, Resend] = {
    "accepted": "never",
    "accepted-changed": "never",
    "held": "never",
    "duplicate-same": "never",
    "duplicate-conflict": "corrected",
    "rejected": "corrected",
    "withdrawn": "never",
    "recalled": "never",
    "unknown": "never",
}
"""What the sender may do about an order in a state, unless the receipt says otherwise (X12 element 715's idea).

``as-is`` is for orders of a file that was refused as a whole."""

INSIDE: frozenset[OrderState] = frozenset({"accepted", "accepted-changed", "held", "duplicate-same"})
"""The states in which the warehouse has the order: it must never be sent again."""


class ReceivedFile(Part):
    """The fallback file as it came. Of a pair ``name`` is that of its orders file, ``bytes`` the sum, and ``sha256``
    stands for both files: see ``joint_sha256``."""

    file_id: SafeName
    name: SafeName
    sha256: Fingerprint
    bytes: int


class Reason(Part):
    """Why an order is in its state: a finding code and its place in the file. Never a value.

    ``file`` is named where it is the second one of a pair.
    """

    code: str
    file: str | None = Field(default=None, exclude_if=lambda name: name is None)
    line: int | None = None
    field: str | None = None


class Existing(Part):
    """The record that the warehouse already had under the same key: by which path it came, and its state there."""

    path: str
    state: str


class AnsweredOrder(Part):
    """The answer for one declared order."""

    key: str
    revision: int
    state: OrderState
    wms_ref: str | None = None
    fingerprint: Fingerprint | None = None
    existing: Existing | None = None
    resend: Resend
    reasons: tuple[Reason, ...] = ()


class ReceiptCounts(Part):
    declared: Counts
    received: Counts
    by_state: dict[OrderState, int] = {}


class Times(Part):
    received_at: Moment | None = None
    checked_at: Moment | None = None
    processed_at: Moment | None = None
    issued_at: Moment


class By(Part):
    org: str
    person: str | None = None
    role: str | None = None
    key_id: str | None = None


class Receipt(Document):
    """``fallback.receipt/1``. From stage ``checked`` on, every declared order is listed exactly once."""

    schema_: Literal["fallback.receipt/1"] = Field(default="fallback.receipt/1", alias="schema")
    receipt_id: str
    supersedes: str | None = None
    stage: Stage
    state: State
    file: ReceivedFile
    agreement: AgreementRef
    counts: ReceiptCounts
    times: Times
    disposition: Disposition
    orders: tuple[AnsweredOrder, ...] = ()
    reasons: tuple[Reason, ...] = ()
    by: By

    @model_validator(mode="after")
    def _answers_once(self) -> Self:
        if len({order.key for order in self.orders}) < len(self.orders):
            raise ValueError("an order is answered twice")
        if self.stage == "processed" and len(self.orders) != self.counts.declared.orders:
            raise ValueError("a processed receipt answers for every declared order")
        return self

    @property
    def name(self) -> str:
        """The name of the receipt's own file. An answer to a file that came again never replaces the first one."""
        stage = "duplicate" if self.disposition == "duplicate-file" else self.stage
        return f"{self.file.name}.{stage}{SUFFIX}"


def count_states(orders: tuple[AnsweredOrder, ...]) -> dict[OrderState, int]:
    """How many orders are in each state; states with none are left out."""
    counts: dict[OrderState, int] = {}
    for order in orders:
        counts[order.state] = counts.get(order.state, 0) + 1
    return counts


def disposition_of(orders: tuple[AnsweredOrder, ...]) -> Disposition:
    """``accepted`` when every order is in the warehouse, ``rejected`` when none is, else ``partial``."""
    inside = sum(order.state in INSIDE for order in orders)
    if any(order.state == "unknown" for order in orders):
        return "partial"
    return "accepted" if inside == len(orders) else "partial" if inside else "rejected"
