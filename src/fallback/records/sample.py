"""Sample orders: valid, seeded, of people who do not exist. For trying a format, for tests and for drills."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TypeVar

from fallback.records.order import Line, Order, Property, ShipTo

# Invented people; streets are numbered so that they fit everywhere; phone numbers are of the ranges that regulators
# keep for fiction (555-01xx in North America, 01632 960xxx in Great Britain), mail is at example.com (RFC 2606).
_PEOPLE = (
    ("Ada Example", "12 Sample Street", "Boston", "MA", "02134", "US", "+1 617 555 0101"),
    ("Núria Ejemplo", "Calle de Muestra 7, 3º 2ª", "Barcelona", None, "08001", "ES", None),
    ("Jörg Muster", "Musterstraße 4", "Berlin", None, "10115", "DE", None),
    ("Aoife Specimen", "3 Sample Quay", "Cork", None, None, "IE", None),
    ("Olive Pattern", "Flat 9, 40 Specimen Road", "Leeds", None, "LS1 1AA", "GB", "+44 1632 960123"),
    ("Bo Template", "1 Placeholder Way", "Portland", "OR", "97201", "US", "+1 503 555 0142"),
)
Item = TypeVar("Item")
SKUS = ("TEE-BLK-M", "TEE-BLK-L", "0012", "MUG-11OZ", "CAP-RED", "SOCK-42")


def sample_orders(
    count: int,
    *,
    seed: int = 1,
    at: datetime,
    brand: str = "acme",
    platform: str = "shopify",
    marker: str = "",
    skus: Sequence[str] = SKUS,
    service: str = "STD",
) -> list[Order]:
    """Sample orders. The same arguments give the same orders.

    Args:
        at: the aware instant before which all were ordered.
        marker: what order ids and numbers begin with; ``DRILL-`` for a drill's.
    """
    chance = _Chance(seed)
    return [_order(chance, n, at.replace(microsecond=0), brand, platform, marker, skus, service) for n in range(count)]


class _Chance:
    """Numbers that look random and are the same for a seed on every machine and version (Knuth's MMIX generator)."""

    def __init__(self, seed: int) -> None:
        self.state = seed

    def below(self, limit: int) -> int:
        self.state = (self.state * 6364136223846793005 + 1442695040888963407) % 2**64
        return (self.state >> 32) % limit

    def one_of(self, items: Sequence[Item]) -> Item:
        return items[self.below(len(items))]

    def some_of(self, items: Sequence[Item], count: int) -> list[Item]:
        rest = list(items)
        return [rest.pop(self.below(len(rest))) for _ in range(count)]


def _order(
    chance: _Chance,
    n: int,
    at: datetime,
    brand: str,
    platform: str,
    marker: str,
    skus: Sequence[str],
    service: str,
) -> Order:
    name, address, city, region, postal_code, country, phone = chance.one_of(_PEOPLE)
    number = 1001 + n
    order_id = 5_550_000_000_000 + number
    chosen = chance.some_of(skus, min(chance.one_of((1, 1, 2, 3)), len(skus)))
    ordered_at = at - timedelta(minutes=5 + chance.below(595))
    return Order(
        brand=brand,
        platform=platform,
        order_id=f"{marker}{order_id}",
        order_number=f"{marker}{number}" if marker else f"#{number}",
        ordered_at=ordered_at,
        ship_by=at + timedelta(days=1) if chance.below(10) < 3 else None,
        currency="USD",
        ship_to=ShipTo(
            name=name,
            address1=address,
            city=city,
            region=region,
            postal_code=postal_code,
            country=country,
            phone=phone,
            email=f"customer{number}@example.com",
        ),
        service=service,
        instructions="Leave with the porter.\nRing twice." if chance.below(10) < 2 else None,
        gift_message="Happy birthday; see you soon!" if chance.below(10) < 1 else None,
        lines=tuple(
            Line(
                line_id=f"{order_id}{index}",
                line_number=index,
                sku=sku,
                description=f"Article {sku}",
                quantity=chance.one_of((1, 1, 1, 2, 3, 12)),
                unit_price=Decimal(500 + chance.below(9400)).scaleb(-2),
                properties=(Property(name="Engraving", value="For A. & B."),) if chance.below(10) < 1 else (),
            )
            for index, sku in enumerate(chosen, start=1)
        ),
    )
