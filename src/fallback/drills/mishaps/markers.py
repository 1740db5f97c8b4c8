"""Drill and live get into each other's way."""

from __future__ import annotations

from fallback.delivery import open_drop
from fallback.drills.mishaps.base import Observed, Staging, refusal
from fallback.drills.plan import as_lines
from fallback.drills.setting import Setting
from fallback.files import write_file
from fallback.validation.checks import DRILL_ORDER


def _drill_to_live(setting: Setting) -> Observed:
    brand = setting.brand
    exported = brand.export(setting.shop.payload("to-the-live-drop", 1))
    with open_drop(brand.agreement, "live") as live:
        error = refusal(lambda: brand.send(exported, live))
    brand.send(exported)
    setting.warehouse.receive()
    brand.answer(exported)
    return Observed(error.code if error else None, "Refused before a connection was made. Then to the drill's drop.")


def _live_order_in_drill(setting: Setting) -> Observed:
    brand = setting.brand
    payload = setting.shop.payload("with-a-live-order", 2)
    marked, other = setting.shop.orders(payload)
    live = other.model_copy(
        update={
            "order_id": other.order_id.removeprefix(DRILL_ORDER),
            "order_number": other.order_number.removeprefix(DRILL_ORDER),
        }
    )
    mixed = payload.with_name("mixed.jsonl")
    write_file(mixed, as_lines([marked, live]))
    error = refusal(lambda: brand.export(mixed))
    setting.carry(payload)
    return Observed(error.code if error else None, "No file was made of it. Without the live order it went.")


DRILL_TO_LIVE = Staging(
    "drill-to-live", "A drill's file is sent to the live drop", "marker-wrong", "brand", _drill_to_live
)
LIVE_ORDER_IN_DRILL = Staging(
    "live-order-in-drill", "A live order among those of the drill", "marker-wrong", "brand", _live_order_in_drill
)
