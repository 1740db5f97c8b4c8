"""What every platform shares: the terms of eligibility it is given, and the value for an order left out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

from pydantic import BaseModel, ConfigDict

from fallback.findings import Finding
from fallback.records.order import Order


class Eligibility(BaseModel):
    """Which orders of the platform belong into a file: the agreement's ``[eligibility]``.

    ``paid_only``: ship only what is paid or partially refunded; by default authorised payments ship too, and pending,
    voided and refunded ones never do. ``locations``: ids of the platform's locations that this warehouse serves; empty
    means all. ``services_excluded``: shipping services, as the platform names them, that this warehouse does not ship.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    paid_only: bool = False
    locations: tuple[str, ...] = ()
    services_excluded: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Excluded:
    """An order left out of the file, with a code of the catalogue (about ``left-out``), for the manifest's count.

    The identifiers are those that the key template may use, so that the manifest can name it by key.
    """

    code: str
    order_id: str
    order_number: str
    group: str = "0"


class Platform(Protocol):
    """The verbs of a platform module: ``recognises`` and ``orders``, both pure.

    ``recognises(payload)`` tells whether parsed JSON is of this platform. ``orders(payload, brand, eligibility, file,
    show_values)`` yields, for each order of the payload, one Order, Excluded or Finding; a Finding (with its
    ``place.pointer``) means this order could not be read, and the others still go. ``payload`` is parsed JSON with
    numbers as ``int`` and ``Decimal``.
    """

    def recognises(self, payload: Any) -> bool: ...

    def orders(
        self, payload: Any, *, brand: str, eligibility: Eligibility, file: str = "", show_values: bool = False
    ) -> Iterator[Order | Excluded | Finding]: ...
