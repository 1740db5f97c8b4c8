"""The manual fallback for when the order integration between a brand and its 3PL breaks.

The front door: every public name, imported when it is first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

_HOMES = {
    "Agreement": "agreement",
    "FallbackError": "errors",
    "FileWms": "warehouse.wms",
    "Finding": "findings",
    "Integration": "documents.manifest",
    "LoopbackServer": "delivery.server",
    "Manifest": "documents.manifest",
    "Order": "records.order",
    "Receipt": "documents.receipt",
    "Report": "documents.report",
    "collect": "brand.sending",
    "drill": "drills.run",
    "export": "brand.outgoing",
    "fingerprint": "records.order",
    "load_agreement": "agreement",
    "load_format": "formats.library",
    "open_drop": "delivery",
    "open_ledger": "warehouse.ledger",
    "open_outbox": "brand.outbox",
    "open_wms": "warehouse.wms",
    "read": "formats.read",
    "receive": "warehouse.inbox",
    "reconcile": "reconciliation",
    "repair": "validation.mending",
    "send": "brand.sending",
    "validate": "validation",
    "write": "formats.write",
}

__all__ = [
    "Agreement",
    "FallbackError",
    "FileWms",
    "Finding",
    "Integration",
    "LoopbackServer",
    "Manifest",
    "Order",
    "Receipt",
    "Report",
    "__version__",
    "collect",
    "drill",
    "export",
    "fingerprint",
    "load_agreement",
    "load_format",
    "open_drop",
    "open_ledger",
    "open_outbox",
    "open_wms",
    "read",
    "receive",
    "reconcile",
    "repair",
    "send",
    "validate",
    "write",
]

if TYPE_CHECKING:
    from fallback.agreement import Agreement, load_agreement
    from fallback.brand.outbox import open_outbox
    from fallback.brand.outgoing import export
    from fallback.brand.sending import collect, send
    from fallback.delivery import open_drop
    from fallback.delivery.server import LoopbackServer
    from fallback.documents.manifest import Integration, Manifest
    from fallback.documents.receipt import Receipt
    from fallback.documents.report import Report
    from fallback.drills.run import drill
    from fallback.errors import FallbackError
    from fallback.findings import Finding
    from fallback.formats.library import load_format
    from fallback.formats.read import read
    from fallback.formats.write import write
    from fallback.reconciliation import reconcile
    from fallback.records.order import Order, fingerprint
    from fallback.validation import validate
    from fallback.validation.mending import repair
    from fallback.warehouse.inbox import receive
    from fallback.warehouse.ledger import open_ledger
    from fallback.warehouse.wms import FileWms, open_wms


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"fallback has no public name {name}")
    return getattr(importlib.import_module(f"fallback.{home}"), name)


def __dir__() -> list[str]:
    return __all__
