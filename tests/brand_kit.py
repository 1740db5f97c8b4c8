"""What the tests of the brand's side share: an agreement, exported files without content, and receipts."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from fallback.agreement import Agreement
from fallback.documents.base import Counts, FormatRef, State
from fallback.documents.manifest import DeclaredOrder, FileEntry, Manifest
from fallback.documents.receipt import (
    RESEND,
    AnsweredOrder,
    By,
    OrderState,
    Receipt,
    ReceiptCounts,
    ReceivedFile,
    Stage,
    Times,
    disposition_of,
)

AT = datetime(2026, 11, 23, 20, 0, tzinfo=UTC)


def print_of(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def make_agreement(**terms: Any) -> Agreement:
    content = {
        "schema": "fallback.agreement/1",
        "id": "acme-northdock",
        "version": "1",
        "effective_from": "2026-10-01",
        "review_by": "2027-04-01",
        "parties": {"brand": {"org": "acme"}, "warehouse": {"org": "northdock"}},
        "format": {"orders": "order-lines-csv"},
        "delivery": {"primary": {"kind": "folder"}},
    }
    return Agreement.model_validate(content | terms)


AGREEMENT = make_agreement()


def make_manifest(
    sequence: int,
    orders: Sequence[str] | Mapping[str, tuple[int, str]],
    *,
    state: State = "live",
    data: bytes | None = None,
    agreement: Agreement = AGREEMENT,
) -> Manifest:
    """The manifest of a file of orders, named by key; revision and content may be given for each."""
    content = orders if isinstance(orders, Mapping) else {key: (1, key) for key in orders}
    name = f"{'DRILL_' if state == 'drill' else ''}ACME_ORDERS_{sequence:06d}.csv"
    data = f"file {sequence}".encode() if data is None else data
    return Manifest(
        file_id=name.removesuffix(".csv"),
        state=state,
        drill_id="D-1" if state == "drill" else None,
        sequence=sequence,
        created_at=AT + timedelta(minutes=sequence),
        agreement=agreement.ref,
        format=FormatRef(name="order-lines-csv", version="1", sha256=print_of("format")),
        files=(FileEntry(name=name, bytes=len(data), sha256=hashlib.sha256(data).hexdigest()),),
        counts=Counts(orders=len(content), lines=len(content), units=len(content)),
        hash_total="0",
        orders=tuple(
            DeclaredOrder(key=key, revision=revision, fingerprint=print_of(text))
            for key, (revision, text) in content.items()
        ),
        population=len(content),
    )


def write_export(folder: Path, manifest: Manifest, data: bytes | None = None) -> Path:
    """A file and its manifest as export leaves them."""
    path = folder / manifest.files[0].name
    path.write_bytes(f"file {manifest.sequence}".encode() if data is None else data)
    path.with_name(manifest.name).write_bytes(manifest.to_bytes())
    return path


def make_receipt(
    manifest: Manifest,
    states: Mapping[str, OrderState] | OrderState | None = None,
    *,
    stage: Stage = "processed",
    number: int = 1,
    **changes: Any,
) -> Receipt:
    """The warehouse's receipt: one state for all orders, or one for each key; ``changes`` replace its parts."""
    if isinstance(states, str):
        states = {order.key: states for order in manifest.orders}
    declared = {order.key: order for order in manifest.orders}
    orders = tuple(
        AnsweredOrder(
            key=key,
            revision=declared[key].revision if key in declared else 1,
            state=state,
            fingerprint=declared[key].fingerprint if key in declared else None,
            resend=changes.get("resend") or RESEND[state],
        )
        for key, state in (states or {}).items()
    )
    sent = manifest.files[0]
    content: dict[str, Any] = {
        "receipt_id": f"R-{manifest.file_id}-{stage}-{number}",
        "stage": stage,
        "state": manifest.state,
        "file": ReceivedFile(file_id=manifest.file_id, name=sent.name, sha256=sent.sha256, bytes=sent.bytes),
        "agreement": manifest.agreement,
        "counts": ReceiptCounts(declared=Counts(orders=len(orders)), received=Counts(orders=len(orders))),
        "times": Times(issued_at=AT + timedelta(hours=1, minutes=number)),
        "disposition": disposition_of(orders) if stage == "processed" else "pending",
        "orders": orders,
        "by": By(org="northdock"),
    }
    return Receipt.model_validate(content | {name: value for name, value in changes.items() if name != "resend"})
