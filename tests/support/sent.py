"""A file as a brand sends it: its bytes and the manifest that declares them."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from fallback.agreement import Agreement
from fallback.documents.base import Counts
from fallback.documents.manifest import DeclaredOrder, FileEntry, Manifest, hash_total
from fallback.formats.spec import Format
from fallback.records.order import Order, fingerprint

AT = datetime(2026, 11, 23, 14, tzinfo=UTC)


def manifest_of(
    fmt: Format, data: bytes, orders: Sequence[Order], file: str, agreement: Agreement, **changes: Any
) -> Manifest:
    """The manifest of a file under an agreement; ``changes`` are what it declares otherwise."""
    keys = [agreement.key(order) for order in orders]
    content: dict[str, Any] = {
        "file_id": file.partition(".")[0],
        "state": "live",
        "sequence": 1,
        "created_at": AT,
        "agreement": agreement.ref,
        "format": fmt.ref,
        "files": (FileEntry(name=file, bytes=len(data), sha256=hashlib.sha256(data).hexdigest()),),
        "counts": Counts(
            orders=len(orders),
            lines=sum(len(order.lines) for order in orders),
            units=sum(order.units for order in orders),
        ),
        "hash_total": hash_total(order.order_number for order in orders),
        "orders": tuple(
            DeclaredOrder(key=key, revision=order.revision, fingerprint=fingerprint(order, key, fmt.drops))
            for key, order in zip(keys, orders, strict=True)
        ),
        "population": len(orders),
    }
    return Manifest.model_validate(content | changes)
