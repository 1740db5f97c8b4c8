"""A file for which nobody has confirmed that the integration is paused."""

from __future__ import annotations

from fallback.documents.journal import Proof
from fallback.documents.manifest import Integration
from fallback.drills.mishaps.base import Observed, Staging, one_code
from fallback.drills.roles import SHIFT_LEAD
from fallback.drills.setting import Setting


def _integration_live(setting: Setting) -> Observed:
    brand, warehouse = setting.brand, setting.warehouse
    exported = brand.export(setting.shop.payload("integration-live", 2), integration=Integration())
    brand.send(exported)
    before = len(warehouse.system_orders())
    refused = warehouse.receive().refused
    loaded = len(warehouse.system_orders()) - before
    setting.evidence.note("warehouse", "answered-for", f"to be loaded all the same; by name: {SHIFT_LEAD}")
    warehouse.receive(integration_live_by=SHIFT_LEAD)
    receipt = brand.answer(exported)
    named = receipt.by.person == SHIFT_LEAD and "integration-live" in {reason.code for reason in receipt.reasons}
    proof = Proof(
        id="fence-before-loading",
        text="Nothing was loaded before the pause was confirmed; the receipt names who answered for it",
        holds=not loaded and named,
        numbers={"loaded_before": loaded, "named_in_the_receipt": int(named)},
    )
    text = "The file stayed where it was until a person answered for it."
    return Observed(one_code(note.code for note in refused), text, (proof,))


INTEGRATION_LIVE = Staging(
    "integration-live",
    "The integration is not confirmed as paused",
    "integration-live",
    "warehouse",
    _integration_live,
)
