"""An article that nobody has mapped."""

from __future__ import annotations

from fallback.documents.journal import Proof
from fallback.documents.receipt import Receipt
from fallback.drills.mishaps.base import Observed, Staging, one_code
from fallback.drills.plan import NEW_ARTICLE, NEW_ITEM
from fallback.drills.setting import Setting
from fallback.records.order import Order


def _unmapped(setting: Setting) -> Observed:
    brand, note = setting.brand, setting.evidence.note
    first, *others = setting.shop.take(3)
    payload = setting.shop.payload("new-article", [_with_article(first, NEW_ARTICLE), *others])
    exported = brand.export(payload)
    code = one_code(finding.code for finding in exported.findings)
    note("brand", "refused", f"{exported.counts.orders} of 3 orders are in the file, the other has no name there")
    brand.send(exported)
    setting.warehouse.receive()
    at_once = _accepted(brand.answer(exported))
    brand.map_article(NEW_ARTICLE, NEW_ITEM)
    mended = _accepted(setting.carry(payload))
    note("brand", "corrected", f"the map has its row, {mended} order exported again, sent and accepted")
    proof = Proof(
        id="refused-order-apart",
        text="An order that was refused before sending did not hold up the others, and went once it was corrected",
        holds=(at_once, mended) == (2, 1),
        numbers={"went_at_once": at_once, "went_when_corrected": mended},
    )
    return Observed(code, "Refused at export, the other orders went at once; mapped, it followed.", (proof,))


def _with_article(order: Order, sku: str) -> Order:
    line, *rest = order.lines
    return order.model_copy(update={"lines": (line.model_copy(update={"sku": sku}), *rest)})


def _accepted(receipt: Receipt) -> int:
    return receipt.counts.by_state.get("accepted", 0)


UNMAPPED_SKU = Staging("unmapped-sku", "An article without a row in the SKU map", "sku-unmapped", "brand", _unmapped)
