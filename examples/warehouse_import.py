"""A warehouse's import job with a system of its own: an SQLite database stands for the WMS.

    python warehouse_import.py northdock wms.sqlite --person "S. Lead"

`northdock` is the folder of the agreement. What a WMS must be able to do is two verbs: `find` says which keys it has,
by whichever path they came, and `load` takes a batch of orders. Run it every few minutes; it takes what has come.
"""

from __future__ import annotations

import argparse
import sqlite3
import sys
from collections.abc import Collection, Sequence
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import fallback
from fallback.render.text import error_text, receipt_text
from fallback.warehouse.ledger import ledger_of
from fallback.warehouse.wms import LoadOrder, Outcome, WmsOrder

TABLE = """CREATE TABLE IF NOT EXISTS orders (
    key TEXT PRIMARY KEY,       -- the fence: no key twice, whoever loads it
    ref TEXT NOT NULL, state TEXT NOT NULL, path TEXT NOT NULL, fingerprint TEXT, batch TEXT, content TEXT NOT NULL
)"""


class DatabaseWms:
    """The two verbs over a table of orders."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self.database = database
        database.execute(TABLE)

    def find(self, keys: Collection[str]) -> dict[str, WmsOrder]:
        found = {}
        for key in keys:
            row = self.database.execute(
                "SELECT key, ref, state, path, fingerprint FROM orders WHERE key = ?", (key,)
            ).fetchone()
            if row:
                found[key] = WmsOrder(*row)
        return found

    def load(self, batch_id: str, orders: Sequence[LoadOrder]) -> dict[str, Outcome]:
        with self.database:  # one transaction: all of the batch, or none when we are killed
            return {item.key: self._load(batch_id, item) for item in orders}

    def _load(self, batch_id: str, item: LoadOrder) -> Outcome:
        ref = f"ND-{item.order.order_number}"
        added = self.database.execute(
            "INSERT INTO orders VALUES (?, ?, 'released', ?, ?, ?, ?) ON CONFLICT (key) DO NOTHING",
            (item.key, ref, item.path, item.fingerprint, batch_id, item.order.model_dump_json()),
        )
        if added.rowcount:
            return Outcome("loaded", ref)
        # There already. The same batch may be asked for again after a crash, and then gets the same answer.
        before, of_batch = self.database.execute("SELECT ref, batch FROM orders WHERE key = ?", (item.key,)).fetchone()
        return Outcome("loaded", before) if of_batch == batch_id else Outcome("refused", before, "order-known")


def now() -> datetime:
    return datetime.now(UTC).replace(microsecond=0)


def main() -> int:
    parser = argparse.ArgumentParser(description="Take what is in the drop, load it, answer for every order.")
    parser.add_argument("folder", type=Path, help="the folder of the agreement")
    parser.add_argument("database", type=Path, help="the warehouse system")
    parser.add_argument("--person", required=True, help="who receives")
    given = parser.parse_args()
    try:
        terms = fallback.load_agreement(given.folder)
        with (
            closing(sqlite3.connect(given.database)) as database,
            ledger_of(terms) as ledger,
            fallback.open_drop(terms) as drop,
        ):
            received = fallback.receive(
                agreement=terms, drop=drop, ledger=ledger, wms=DatabaseWms(database), now=now, person=given.person
            )
    except fallback.FallbackError as error:
        print(error_text(error), file=sys.stderr)
        return error.exit_code
    for receipt in received.processed:
        print(receipt_text(receipt))
    for note in received.notes:
        print(f"{note.code}: {note.text}", file=sys.stderr)
    return received.exit_code


if __name__ == "__main__":
    sys.exit(main())
