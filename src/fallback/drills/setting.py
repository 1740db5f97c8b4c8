"""The setting of a drill on one machine: a server of its own on loopback, and both sides with what they hold."""

from __future__ import annotations

import hashlib
import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from fallback.delivery.drop import PART_SUFFIX
from fallback.delivery.server import Account, LoopbackServer, new_key
from fallback.documents.receipt import AnsweredOrder, Receipt
from fallback.drills import plan
from fallback.drills.evidence import Evidence
from fallback.drills.roles import Brand, Clock, Warehouse, integration_payload, open_brand, open_warehouse
from fallback.files import write_file
from fallback.warehouse.ledger import Claim

_LIVE_FILE = "ACME_ORDERS_20260105T140000Z_000041.csv"
_LIVE_KEY = f"{plan.BRAND}:shopify:5550000000041:0"
_LIVE_SEQUENCES = 41


@dataclass(frozen=True)
class Setting:
    """Everything that a drill plays with. ``root`` is its working folder; nothing of the drill lies outside of it."""

    root: Path
    server: LoopbackServer
    shop: plan.Shop
    brand: Brand
    warehouse: Warehouse
    evidence: Evidence

    def carry(self, *payloads: Path, brand: Brand | None = None) -> Receipt:
        """One delivery, whole: export, send, receive, collect. Returns the warehouse's last word."""
        side = brand or self.brand
        exported = side.export(*payloads)
        side.send(exported)
        self.warehouse.receive()
        return side.answer(exported)

    def integration_delivers(self, payloads: Sequence[Path]) -> tuple[AnsweredOrder, ...]:
        """The integration brings the orders of the shop's payloads to the warehouse, by its own path."""
        return self.warehouse.from_integration(integration_payload(self.brand, payloads))

    @property
    def served(self) -> Path:
        """The server's root folder."""
        return self.root / "server"


@contextmanager
def open_setting(
    root: Path, *, evidence: Evidence, now: Clock, seed: int, orders: int, drill_id: str
) -> Iterator[Setting]:
    """Build the setting below ``root``, keep server and connections alive in the block, and close them after it."""
    brand, warehouse, served = root / "brand", root / "warehouse", root / "server"
    for folder in (brand, warehouse, *(served / name for name in ("in", "out", "drill/in", "drill/out"))):
        folder.mkdir(mode=0o700, parents=True)
    accounts = {
        "brand": Account(keys=(new_key(brand / "key"),), folders=frozenset({"in", "out", "drill/in", "drill/out"})),
        "warehouse": Account(keys=(new_key(warehouse / "key"),)),
    }
    with ExitStack() as stack:
        server = stack.enter_context(LoopbackServer(served, accounts))
        agreement = plan.agreement_text(now(), server.port, server.fingerprint)
        for folder, files in ((brand, plan.brand_files(agreement)), (warehouse, plan.warehouse_files(agreement))):
            for name, text in files.items():
                write_file(folder / name, text.encode())
        setting = Setting(
            root,
            server,
            plan.Shop(brand / "shop", seed=seed, orders=orders, at=now()),
            stack.enter_context(open_brand(brand, evidence.saw("brand"), now, drill_id)),
            stack.enter_context(open_warehouse(warehouse, evidence.saw("warehouse"), now)),
            evidence,
        )
        _be_live(setting, now)
        yield setting


def _be_live(setting: Setting, now: Clock) -> None:
    """Some live business, so that there is something that a drill could disturb."""
    write_file(setting.served / "in" / _LIVE_FILE, b"a live file that waits for the warehouse\r\n")
    for _ in range(_LIVE_SEQUENCES):
        setting.brand.outbox.next_sequence("live")
    setting.warehouse.ledger.record([Claim(_LIVE_KEY)], state="live", at=now())


def live_state(setting: Setting) -> dict[str, str]:
    """Everything live, by place, as SHA-256: files on the server, files of the warehouse system, rows in both memories.

    The files are read as they lie on the disk, past every verb of this program.
    """
    found: dict[str, str] = {}
    for title, folder in (("drop", setting.served), ("system", setting.warehouse.system_folder)):
        for path in sorted(folder.rglob("*")):
            place = path.relative_to(folder)
            if path.is_file() and place.parts[0] != "drill":
                found[f"{title}: {place}"] = hashlib.sha256(path.read_bytes()).hexdigest()
    for title, file in (
        ("outbox", setting.brand.outbox.path),
        ("ledger", setting.warehouse.agreement.folder / "ledger.sqlite"),
    ):
        found |= {f"{title}: {table}": content for table, content in _live_rows(file).items()}
    return found


def _live_rows(file: Path) -> dict[str, str]:
    """The rows of each table that says live or drill, those of live only."""
    found = {}
    with closing(sqlite3.connect(f"{file.as_uri()}?mode=ro", uri=True)) as connection:
        tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        for table in sorted(tables):
            columns = [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]
            if "state" in columns:
                rows = connection.execute(f"SELECT * FROM {table} WHERE state = 'live' ORDER BY 1, 2")  # noqa: S608
                found[table] = hashlib.sha256(repr(rows.fetchall()).encode()).hexdigest()
    return found


def left_on_drop(setting: Setting) -> dict[str, int]:
    """How many files of the drill wait, are half done, or are half uploaded; those hidden from a listing too."""
    folder = setting.served / "drill"
    names = [path for path in folder.rglob("*") if path.is_file()]
    return {
        "waiting": sum(path.parent.name == "in" for path in names),
        "half_done": sum(path.parent.name == "work" for path in names),
        "half_uploaded": sum(path.name.endswith(PART_SUFFIX) for path in names),
    }


def kept_documents(setting: Setting) -> Iterator[bytes]:
    """The bytes of every document and memory of the drill. Not among them are the order files themselves."""
    for folder, _, names in os.walk(setting.root):
        for name in names:
            if (
                ".manifest.json" in name
                or ".receipt.json" in name
                or ".sqlite" in name
                or name.startswith("DRILL_WMS_")
            ):
                yield (Path(folder) / name).read_bytes()
