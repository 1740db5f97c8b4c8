"""A sample payload as a shop would send it, so that a new folder can be tried at once."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from fallback.records.order import Order
from fallback.records.sample import sample_orders
from fallback.records.values import write_instant

_SERVICES = {"STD": "Standard", "EXP": "Express"}


def payload(at: datetime, count: int = 5) -> str:
    """Shopify's JSON of some sample orders, one of them cancelled."""
    orders = [_order(order) for order in sample_orders(count, at=at)]
    orders[-1]["cancelled_at"] = write_instant(at)
    return json.dumps({"orders": orders}, indent=1, ensure_ascii=False) + "\n"


def _order(order: Order) -> dict[str, Any]:
    ship_to = order.ship_to
    return {
        "id": int(order.order_id),
        "name": order.order_number,
        "created_at": write_instant(order.ordered_at),
        "cancelled_at": None,
        "currency": order.currency,
        "email": ship_to.email,
        "financial_status": "paid",
        "fulfillment_status": None,
        "test": False,
        "note": order.instructions,
        "note_attributes": [],
        "shipping_address": {
            "name": ship_to.name,
            "address1": ship_to.address1,
            "city": ship_to.city,
            "province_code": ship_to.region,
            "zip": ship_to.postal_code,
            "country_code": ship_to.country,
            "phone": ship_to.phone,
        },
        "shipping_lines": [{"title": _SERVICES[order.service], "code": _SERVICES[order.service]}],
        "line_items": [
            {
                "id": int(line.line_id),
                "sku": line.sku,
                "title": line.description,
                "quantity": line.quantity,
                "fulfillable_quantity": line.quantity,
                "price": str(line.unit_price),
                "requires_shipping": True,
                "gift_card": False,
                "properties": [{"name": p.name, "value": p.value} for p in line.properties],
            }
            for line in order.lines
        ],
    }
