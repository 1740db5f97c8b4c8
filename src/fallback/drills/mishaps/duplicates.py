"""Orders that the warehouse has already, by another file or by the integration."""

from __future__ import annotations

from fallback.drills.mishaps.base import Observed, Staging, codes_of, one_code
from fallback.drills.setting import Setting
from fallback.records.order import Order

_SECOND_MACHINE = 900_001  # machines of one brand share no sequence numbers


def _duplicate_order(setting: Setting) -> Observed:
    payload = setting.shop.payload("sent-twice", 2)
    setting.carry(payload)
    with setting.brand.second_machine("second-machine", _SECOND_MACHINE) as second:
        receipt = setting.carry(payload, brand=second)
    text = "A second machine of the brand, which did not know of the first file, sent the same orders in its own."
    return Observed(one_code(codes_of(receipt.orders)), text)


def _loaded_by_integration(setting: Setting) -> Observed:
    brand = setting.brand
    payload = setting.shop.payload("late-integration", 2)
    exported = brand.export(payload)
    brand.send(exported)
    setting.integration_delivers([payload])
    setting.evidence.note("warehouse", "loaded", "the integration brings the same orders before the file is taken")
    setting.warehouse.receive()
    orders = brand.answer(exported).orders
    paths = ", ".join(sorted({order.existing.path for order in orders if order.existing}))
    return Observed(one_code(codes_of(orders)), f"The receipt says by which path they had come: {paths or 'none'}.")


def _changed_order(setting: Setting) -> Observed:
    payload = setting.shop.payload("changed-order", 1)
    placed = setting.shop.orders(payload)
    setting.integration_delivers([payload])
    setting.shop.payload("changed-order", [_one_more(order) for order in placed])
    receipt = setting.carry(payload)
    setting.shop.payload("changed-order", placed)
    text = (
        "It was changed in the shop after the integration had loaded it. What is loaded stands; the change is undone."
    )
    return Observed(one_code(codes_of(receipt.orders)), text)


def _one_more(order: Order) -> Order:
    line, *rest = order.lines
    return order.model_copy(update={"lines": (line.model_copy(update={"quantity": line.quantity + 1}), *rest)})


DUPLICATE_ORDER = Staging(
    "duplicate-order", "The same orders in a second file", "duplicate-same", "warehouse", _duplicate_order
)
LOADED_BY_INTEGRATION = Staging(
    "loaded-by-integration",
    "Orders that the integration loaded before the file came",
    "duplicate-same",
    "warehouse",
    _loaded_by_integration,
)
CHANGED_ORDER = Staging(
    "changed-order",
    "An order that is there with other content",
    "duplicate-conflict",
    "warehouse",
    _changed_order,
)
