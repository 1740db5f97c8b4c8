"""The two sides of a drill. Each has its own folder, agreement, memory and login; they share nothing but the drop.

Every verb is the real one: what a role adds is only that it hands in what its side holds.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from fallback.agreement import Agreement, load_agreement
from fallback.brand.outbox import Outbox, open_outbox
from fallback.brand.outgoing import Export, crosswalk, export
from fallback.brand.sending import Collected, Sent, collect, send
from fallback.delivery import Drop, open_drop
from fallback.documents.base import moment
from fallback.documents.manifest import Integration
from fallback.documents.receipt import AnsweredOrder, Receipt
from fallback.documents.reconciliation import Reconciliation
from fallback.drills.plan import as_lines
from fallback.drills.watched import Saw, WatchedDrop
from fallback.errors import FallbackError, NotConfirmed
from fallback.files import write_file
from fallback.platforms.population import read_orders
from fallback.reconciliation import Expected, read_wms_extract, reconcile
from fallback.records.order import Order, fingerprint
from fallback.warehouse.inbox import Received, receive
from fallback.warehouse.ledger import Ledger, ledger_of
from fallback.warehouse.loading import load_from_integration
from fallback.warehouse.wms import Wms, open_wms

Clock = Callable[[], datetime]
OPERATOR = "brand operator, played by the drill"
SHIFT_LEAD = "shift lead, played by the drill"
_STAMP = "%Y%m%dT%H%M%SZ"


@dataclass(frozen=True)
class Brand:
    """The brand's machine. ``first_sequence`` is where its numbers begin, where another machine has its own."""

    agreement: Agreement
    outbox: Outbox
    drop: Drop
    now: Clock
    drill_id: str
    folder: Path
    first_sequence: int | None = None

    def export(self, *payloads: Path, integration: Integration | None = None) -> Export:
        """The orders of the shop's payloads as a fallback file of this drill."""
        return export(
            payloads,
            agreement=self.agreement,
            outbox=self.outbox,
            now=self.now(),
            out=self.folder / "outgoing",
            platform="canonical",
            integration=integration or self.paused(),
            state="drill",
            drill_id=self.drill_id,
            sequence=self.first_sequence,
        )

    def paused(self) -> Integration:
        """The statement that the integration is paused, by name."""
        return Integration(state="paused", confirmed_by=OPERATOR, at=moment(self.now()))

    def send(self, exported: Export, drop: Drop | None = None) -> Sent:
        """Send an exported file to the drill's drop, or to another one."""
        path = file_of(exported)
        return send(path, agreement=self.agreement, drop=drop or self.drop, outbox=self.outbox, now=self.now)

    def collect(self) -> Collected:
        return collect(
            agreement=self.agreement,
            drop=self.drop,
            outbox=self.outbox,
            receipts_folder=self.folder / "receipts",
            now=self.now,
        )

    def answer(self, exported: Export) -> Receipt:
        """The warehouse's last word on an exported file, collected. Raises NotConfirmed where there is none."""
        self.collect()
        name = file_of(exported).name
        for file in self.outbox.files("drill"):
            if file.name == name and file.answered and file.receipt is not None:
                return file.receipt
        raise NotConfirmed("not-confirmed", "the warehouse has not answered for every order of a file of this drill")

    def eligible(self, payloads: Sequence[Path]) -> tuple[Order, ...]:
        """The orders that are to ship, in the warehouse's names; one that has no name there as the shop has it."""
        population = read_orders(
            payloads,
            brand=self.agreement.brand,
            eligibility=self.agreement.eligibility,
            now=self.now(),
            platform="canonical",
        )
        mapping = crosswalk(self.agreement)
        mapped = ((order, mapping.apply(order)) for order in population.orders)
        return tuple(new if isinstance(new, Order) else order for order, new in mapped)

    def reconcile(self, payloads: Sequence[Path], list_name: str) -> Reconciliation:
        """The shop against the warehouse's list that lies on the drop."""
        as_of = datetime.strptime(list_name.split("_")[-2], _STAMP).replace(tzinfo=UTC)
        data = self.drop.read("out", list_name, self.agreement.limits.max_bytes)
        orders = self.eligible(payloads)
        named = keyed(self.agreement, orders)
        expected = [
            Expected(key, order.ordered_at, content) for order, (key, content) in zip(orders, named, strict=True)
        ]
        return reconcile(
            eligible=expected,
            wms=read_wms_extract(data, list_name, self.agreement, as_of),
            answered=self.outbox.answers("drill"),
            cutoffs=self.agreement.cutoffs,
            monitoring=self.agreement.monitoring,
            now=self.now(),
        )

    def map_article(self, sku: str, item: str) -> None:
        """Add a row to the SKU map, as its owner would."""
        assert self.agreement.mapping.sku is not None
        path = self.agreement.path(self.agreement.mapping.sku)
        write_file(path, path.read_bytes() + f"{sku},{item},\n".encode(), replace=True)

    @contextmanager
    def second_machine(self, name: str, first_sequence: int) -> Iterator[Brand]:
        """Another machine of the brand, which knows nothing of what this one has sent."""
        folder = self.agreement.folder / name
        folder.mkdir(mode=0o700)
        with open_outbox(folder / "outbox.sqlite") as outbox:
            yield replace(self, outbox=outbox, folder=folder, first_sequence=first_sequence)


@dataclass(frozen=True)
class Warehouse:
    """The warehouse's machine, and what its system got."""

    agreement: Agreement
    ledger: Ledger
    wms: Wms
    drop: Drop
    now: Clock
    skus: frozenset[str]

    def receive(self, integration_live_by: str | None = None) -> Received:
        """Sweep the drill's drop once."""
        return receive(
            agreement=self.agreement,
            drop=self.drop,
            ledger=self.ledger,
            wms=self.wms,
            now=self.now,
            skus=self.skus,
            integration_live_by=integration_live_by,
            person=SHIFT_LEAD,
        )

    def from_integration(self, payload: bytes) -> tuple[AnsweredOrder, ...]:
        """Take what the integration delivers: orders as JSON Lines, in the warehouse's names."""
        return load_from_integration(
            [Order.model_validate_json(line) for line in payload.splitlines()],
            agreement=self.agreement,
            ledger=self.ledger,
            wms=self.wms,
            now=self.now,
            state="drill",
        )

    @property
    def system_folder(self) -> Path:
        return self.agreement.path(self.agreement.local.wms.folder)

    def system_orders(self) -> tuple[Order, ...]:
        """What the warehouse system really got, from its import files. Whatever was loaded twice is there twice."""
        files = sorted((self.system_folder / "drill" / "import").glob("*.jsonl"))
        return tuple(Order.model_validate_json(line) for file in files for line in file.read_bytes().splitlines())

    def put_list(self) -> str:
        """Put the list of what the system has on the drop, for the brand; returns its name."""
        stream = io.StringIO(newline="")
        writer = csv.writer(stream)
        writer.writerow(("key", "fingerprint", "state"))
        writer.writerows((*named, "released") for named in keyed(self.agreement, self.system_orders()))
        number = sum(is_list(entry.name) for entry in self.drop.list("out")) + 1
        name = f"DRILL_WMS_{self.now().astimezone(UTC):{_STAMP}}_{number:06d}.csv"
        self.drop.put("out", name, stream.getvalue().encode())
        return name


def is_list(name: str) -> bool:
    """Whether a file on the drop is the warehouse's list."""
    return name.startswith("DRILL_WMS_")


def keyed(agreement: Agreement, orders: Sequence[Order]) -> list[tuple[str, str]]:
    """Key and fingerprint of each order, under the agreement."""
    drops = agreement.open_format().lost
    return [(key := agreement.key(order), fingerprint(order, key, drops)) for order in orders]


def integration_payload(brand: Brand, payloads: Sequence[Path]) -> bytes:
    """What the integration would deliver of the shop's orders: it maps them as the fallback does."""
    return as_lines(brand.eligible(payloads))


@contextmanager
def open_brand(folder: Path, saw: Saw, now: Clock, drill_id: str) -> Iterator[Brand]:
    """The brand of a folder with its agreement and local.toml, until the end of the block."""
    agreement = load_agreement(folder)
    with (
        open_outbox(agreement.path(agreement.local.outbox)) as outbox,
        open_drop(agreement, "drill") as drop,
    ):
        yield Brand(agreement, outbox, WatchedDrop(drop, saw), now, drill_id, agreement.folder)


@contextmanager
def open_warehouse(folder: Path, saw: Saw, now: Clock) -> Iterator[Warehouse]:
    """The warehouse of a folder with its agreement and local.toml, until the end of the block."""
    agreement = load_agreement(folder)
    assert agreement.local.skus is not None
    items = frozenset(agreement.path(agreement.local.skus).read_text("utf-8").split())
    with ledger_of(agreement) as ledger, open_drop(agreement, "drill") as drop:
        yield Warehouse(agreement, ledger, open_wms(agreement, "drill"), WatchedDrop(drop, saw), now, items)


def file_of(exported: Export) -> Path:
    """The file that an export made. Raises FallbackError ``nothing-to-export`` where it made none."""
    if exported.path is None:
        raise FallbackError("nothing-to-export", "an export of this drill made no file")
    return exported.path
