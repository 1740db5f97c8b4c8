"""The order to be shipped: one fulfilment order of one sales order, as it travels to the warehouse."""

from __future__ import annotations

import hashlib
import json
import zlib
from collections.abc import Collection, Iterable
from datetime import UTC
from functools import lru_cache
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from fallback.records.values import (
    Country,
    Currency,
    Day,
    Gtin,
    HsCode,
    Identifier,
    Instant,
    Money,
    Note,
    OrderNumber,
    Sku,
    Text,
    Uom,
    refuse,
)

Quantity = Annotated[int, Field(ge=1, le=999_999)]


class Record(BaseModel):
    """Base of the canonical records: frozen, unknown keys refused, nothing coerced."""

    # Built on first use: only what a command needs is built, and a part only once, inside its whole.
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, defer_build=True)


class Property(Record):
    """A personalisation or an option of one line, as the shop sent it (engraving, gift wrap)."""

    name: Text
    value: Note


class ShipTo(Record):
    """The ship-to: where the parcel goes and who receives it.

    ``region`` is the subdivision code where the country's mail uses one (ISO 3166-2 without the country, ``KY``),
    else the name. ``postal_code`` is text. ``country`` is ISO 3166-1 alpha-2. ``phone`` is as the customer gave it.
    """

    name: Text
    company: Text | None = None
    address1: Text
    address2: Text | None = None
    address3: Text | None = None
    city: Text
    region: Text | None = None
    postal_code: Text | None = None
    country: Country
    phone: Text | None = None
    email: Text | None = None


class Line(Record):
    """One order line: what to pick and how many.

    ``line_id`` is the platform's own id (needed to write the shipment back), ``line_number`` counts from 1 within the
    order. ``quantity`` is a whole number of ``uom``. ``unit_price`` is in the order's currency. ``lot`` and
    ``expires_after`` ask for a lot and a minimum expiry date (GS1 AI 10 and 17). ``hs_code`` and ``origin_country``
    are for customs.
    """

    line_id: Identifier
    line_number: Annotated[int, Field(ge=1, le=99_999)]
    sku: Sku
    gtin: Gtin | None = None
    description: Text | None = None
    quantity: Quantity
    uom: Uom = "EA"
    unit_price: Money | None = None
    lot: Text | None = None
    expires_after: Day | None = None
    hs_code: HsCode | None = None
    origin_country: Country | None = None
    properties: Annotated[tuple[Property, ...], Field(strict=False)] = ()


class Order(Record):
    """One order for the warehouse: the part of a sales order that ships together from one place.

    ``order_id`` is the platform's own id, ``order_number`` what the customer sees. ``group`` names the fulfilment order
    of a split order, else ``0``. ``revision`` counts corrected versions from 1. Instants carry their offset from UTC:
    ``ordered_at``; ``ship_not_before``; ``ship_by``, the latest dispatch; ``cancel_after``, when the buyer no longer
    wants it. ``service`` is the agreed service level, ``carrier`` the SCAC or agreed carrier code.
    """

    brand: Identifier
    platform: Identifier
    order_id: Identifier
    order_number: OrderNumber
    group: Identifier = "0"
    revision: Annotated[int, Field(ge=1, le=999)] = 1
    ordered_at: Instant
    ship_not_before: Instant | None = None
    ship_by: Instant | None = None
    cancel_after: Instant | None = None
    purchase_order: Text | None = None
    currency: Currency | None = None
    ship_to: ShipTo
    service: Text
    carrier: Text | None = None
    instructions: Note | None = None
    gift_message: Note | None = None
    lines: Annotated[tuple[Line, ...], Field(strict=False, min_length=1)]

    @model_validator(mode="after")
    def _lines_apart(self) -> Self:
        if len({line.line_number for line in self.lines}) < len(self.lines):
            raise refuse("line-doubled", "each line number once in an order")
        if len({line.line_id for line in self.lines}) < len(self.lines):
            raise refuse("line-doubled", "each line id once in an order")
        if self.currency is None and any(line.unit_price is not None for line in self.lines):
            raise refuse("currency-missing", "a currency where lines have prices")
        return self

    @property
    def units(self) -> int:
        """The sum of the quantities of all lines."""
        return sum(line.quantity for line in self.lines)


PRIVATE_PATHS = frozenset(
    {f"ship_to.{name}" for name in ShipTo.model_fields if name != "country"}
    | {"instructions", "gift_message", "lines.properties"}
)
"""Canonical paths whose values are a customer's: findings mask them unless told to show values."""


_SHIPPING_DATES = ("ship_not_before", "ship_by", "cancel_after")


@lru_cache(maxsize=16)
def _covered(dropped: frozenset[str]) -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
    """The fields that a fingerprint covers: the order's own, its ship-to's, each line's."""

    def kept(prefix: str, names: Iterable[str]) -> tuple[str, ...]:
        return tuple(name for name in names if prefix + name not in dropped)

    ship_to = () if "ship_to" in dropped else kept("ship_to.", ShipTo.model_fields)
    return kept("", ("service", *_SHIPPING_DATES)), ship_to, kept("lines.", ("sku", "quantity", "uom", "lot"))


def _present(record: BaseModel, names: Iterable[str]) -> dict[str, Any]:
    return {name: value for name in names if (value := getattr(record, name)) is not None}


_canonical_json = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode


def fingerprint(order: Order, key: str, drops: Iterable[str] = ()) -> str:
    """What makes two orders the same parcel: SHA-256 of sorted canonical JSON, 64 hexadecimal digits.

    Covers key, ship-to, service, shipping dates (as instants) and the lines' SKU, quantity, unit and lot, less the
    paths in ``drops``, which a file cannot carry. Revision, money, notes and the order of the lines do not count.
    """
    own, of_ship_to, of_line = _covered(frozenset(drops))
    content = _present(order, own)
    for name in content.keys() & _SHIPPING_DATES:
        content[name] = content[name].astimezone(UTC).isoformat()
    content["key"] = key
    content["ship_to"] = _present(order.ship_to, of_ship_to)
    lines = [_present(line, of_line) for line in order.lines]
    content["lines"] = sorted(lines, key=_canonical_json) if len(lines) > 1 else lines
    return hashlib.sha256(_canonical_json(content).encode()).hexdigest()


CHECKED_ORDER = ("brand", "platform", "order_id", "order_number", "group", "revision")
CHECKED_LINE = ("line_number", "line_id", "sku", "gtin", "quantity", "uom", "lot")


def check_code(order: Order, carried: Collection[str]) -> str:
    """Eight hexadecimal digits by which a file proves what an order ships: CRC-32 (ISO 3309, as zlib's).

    Of the UTF-8 text of what identifies the order, then of each line its number, id, SKU, GTIN, quantity, unit and lot,
    each value followed by a line feed and an absent one by nothing else; without the paths that are not ``carried``.
    """
    own = [getattr(order, name) for name in CHECKED_ORDER if name in carried]
    names = [name for name in CHECKED_LINE if f"lines.{name}" in carried]
    values = [*own, *(getattr(line, name) for line in order.lines for name in names)]
    text = "".join("\n" if value is None else f"{value}\n" for value in values)
    return f"{zlib.crc32(text.encode()):08X}"
