"""What the tests of the warehouse's side share: an agreement, orders, files with their manifests, and a warehouse."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from fallback.agreement import Agreement, Local
from fallback.delivery.drop import Drop
from fallback.delivery.memory import MemoryDrop
from fallback.documents.base import Counts, State
from fallback.documents.manifest import DeclaredOrder, FileEntry, Integration, Manifest, hash_total
from fallback.documents.receipt import AnsweredOrder, Receipt
from fallback.formats.write import write
from fallback.records.order import Order, fingerprint
from fallback.warehouse.inbox import Received, receive
from fallback.warehouse.ledger import Ledger, open_ledger
from fallback.warehouse.wms import LoadOrder, Outcome, WmsOrder

AT = datetime(2026, 11, 23, 14, 0, tzinfo=UTC)
PAUSED = Integration(state="paused", confirmed_by="Kim of operations", at=AT)


def make_agreement(folder: Path, **terms: Any) -> Agreement:
    content = {
        "schema": "fallback.agreement/1",
        "id": "acme-northdock",
        "version": "1",
        "effective_from": "2026-10-01",
        "review_by": "2027-04-01",
        "parties": {"brand": {"org": "acme"}, "warehouse": {"org": "northdock"}},
        "format": {"orders": "order-jsonl"},
        "delivery": {"primary": {"kind": "folder"}},
    }
    return Agreement.model_validate(content | terms).at(folder, Local(side="warehouse"))


def make_order(number: int, *, state: State = "live", **changes: Any) -> Order:
    mark = "DRILL-" if state == "drill" else ""
    content: dict[str, Any] = {
        "brand": "acme",
        "platform": "shopify",
        "order_id": f"{mark}{5000 + number}",
        "order_number": f"{mark}{number}",
        "ordered_at": AT,
        "ship_to": {
            "name": "Ada Lovelace",
            "address1": "1 Secret Street",
            "city": "Louisville",
            "region": "KY",
            "postal_code": "40202",
            "country": "US",
            "phone": "555-0100",
        },
        "service": "STD",
        "instructions": "ring twice",
        "lines": [
            {"line_id": f"{number}01", "line_number": 1, "sku": "TEE-BLK-M", "quantity": 2},
            {"line_id": f"{number}02", "line_number": 2, "sku": "0012", "quantity": 1},
        ],
    }
    return Order.model_validate(content | changes)


def make_orders(count: int, start: int = 1001, *, state: State = "live") -> list[Order]:
    return [make_order(number, state=state) for number in range(start, start + count)]


@dataclass(frozen=True)
class Parcel:
    """A fallback file and its manifest, as the brand makes them."""

    name: str
    data: bytes
    manifest: Manifest

    def deliver(self, drop: Drop) -> None:
        drop.put("in", self.manifest.name, self.manifest.to_bytes())
        drop.put("in", self.name, self.data)

    @property
    def keys(self) -> list[str]:
        return [order.key for order in self.manifest.orders]


def make_parcel(
    agreement: Agreement,
    orders: Sequence[Order],
    *,
    sequence: int = 1,
    state: State = "live",
    integration: Integration = PAUSED,
    name: str | None = None,
    file_id: str | None = None,
    data: bytes | None = None,
) -> Parcel:
    fmt = agreement.open_format()
    written = write(fmt, orders, codes=agreement.codes, key=agreement.key)
    assert not written.findings
    mark = "DRILL_" if state == "drill" else ""
    name = name or f"{mark}ACME_ORDERS_20261123T140000Z_{sequence:06d}.jsonl"
    declared = []
    for order in orders:
        key = agreement.key(order)
        print_ = fingerprint(order, key, fmt.drops)
        declared.append(DeclaredOrder(key=key, revision=order.revision, fingerprint=print_))
    manifest = Manifest(
        file_id=file_id or name.rpartition(".")[0],
        state=state,
        sequence=sequence,
        created_at=AT,
        agreement=agreement.ref,
        format=fmt.ref,
        files=(FileEntry(name=name, bytes=len(written.data), sha256=hashlib.sha256(written.data).hexdigest()),),
        counts=Counts(
            orders=len(orders), lines=sum(len(o.lines) for o in orders), units=sum(order.units for order in orders)
        ),
        hash_total=hash_total(order.order_number for order in orders),
        orders=tuple(declared),
        population=len(orders),
        integration=integration,
    )
    return Parcel(name, written.data if data is None else data, manifest)


def ticking(start: datetime = AT) -> Iterator[datetime]:
    while True:
        start += timedelta(seconds=1)
        yield start


class StubWms:
    """A warehouse system in memory. It counts how often each key was created, which must never be twice.

    ``refuses`` and ``silent``: order numbers that it does not take, or does not answer for. ``loses_answers``: it
    takes the orders and then times out.
    """

    def __init__(self, orders: Iterable[WmsOrder] = ()) -> None:
        self.orders = {order.key: order for order in orders}
        self.created: dict[str, int] = {}
        self.batches: dict[str, dict[str, Outcome]] = {}
        self.refuses: set[str] = set()
        self.silent: set[str] = set()
        self.loses_answers = False
        self.appears: list[WmsOrder] = []
        self.finds = 0

    def find(self, keys: Collection[str]) -> dict[str, WmsOrder]:
        self.finds += 1
        if self.finds == 2:  # what comes past us between the plan and the load
            self.orders |= {order.key: order for order in self.appears}
        return {key: self.orders[key] for key in keys if key in self.orders}

    def load(self, batch_id: str, orders: Sequence[LoadOrder]) -> dict[str, Outcome]:
        if batch_id not in self.batches:
            self.batches[batch_id] = {item.key: self._create(batch_id, item) for item in orders}
            if self.loses_answers:
                raise TimeoutError
        told = self.batches[batch_id]
        return {item.key: told[item.key] for item in orders if item.order.order_number not in self.silent}

    def _create(self, batch_id: str, item: LoadOrder) -> Outcome:
        if item.order.order_number in self.refuses:
            return Outcome("refused", reason="no-stock")
        if item.order.order_number in self.silent:
            return Outcome("unknown")
        self.created[item.key] = self.created.get(item.key, 0) + 1
        ref = f"NDK-{item.order.order_number}"
        self.orders[item.key] = WmsOrder(item.key, ref, "released", item.path, item.fingerprint)
        return Outcome("loaded", ref)


@dataclass
class Warehouse:
    """A drop, a ledger and a warehouse system in memory, and the verbs of a test."""

    agreement: Agreement
    folder: Path
    drop: Drop = field(default_factory=lambda: MemoryDrop("live"))
    wms: Any = field(default_factory=StubWms)
    clock: Iterator[datetime] = field(default_factory=ticking)

    def ledger(self) -> Ledger:
        return open_ledger(f"sqlite:///{self.folder}/ledger.sqlite")

    def receive(self, **terms: Any) -> Received:
        with self.ledger() as ledger:
            given = {
                "agreement": self.agreement,
                "drop": self.drop,
                "ledger": ledger,
                "wms": self.wms,
                "now": lambda: next(self.clock),
            }
            return receive(**given | terms)

    def names(self, folder: str) -> list[str]:
        return [entry.name for entry in self.drop.list(folder)]  # type: ignore[arg-type]

    def out(self, parcel: Parcel, stage: str = "processed") -> Receipt:
        return Receipt.from_json(self.drop.read("out", f"{parcel.name}.{stage}.receipt.json"))


def states(receipt: Receipt) -> dict[str, str]:
    """The state of each order, by the order id within its key."""
    return {order.key.split(":")[2]: order.state for order in receipt.orders}


def codes(answer: AnsweredOrder) -> list[str]:
    return [reason.code for reason in answer.reasons]
