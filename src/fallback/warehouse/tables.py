"""The ledger's tables, and the file that its URL names."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import JSON, Column, Engine, Index, Integer, MetaData, String, Table, UniqueConstraint
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from fallback.database import Kind, open_database

_DRIVERS = ("sqlite", "sqlite+pysqlite")

_schema = MetaData()
templates = Table(
    "templates",
    _schema,
    Column("state", String, primary_key=True),
    Column("order_key", String, nullable=False),
)
files = Table(
    "files",
    _schema,
    Column("state", String, primary_key=True),
    Column("file_id", String, primary_key=True),
    Column("name", String, nullable=False),
    Column("sha256", String, nullable=False),
    Column("bytes", Integer, nullable=False),
    Column("stage", String),
    Column("disposition", String),
    Column("receipts", JSON, nullable=False),
    Column("answers", String),
    Column("opened_at", String, nullable=False),
    Column("closed_at", String),
    UniqueConstraint("state", "name"),
)
orders = Table(
    "orders",
    _schema,
    Column("state", String, primary_key=True),
    Column("key", String, primary_key=True),
    Column("base", String),
    Column("group", String),
    Column("revision", Integer, nullable=False),
    Column("fingerprint", String),
    Column("path", String, nullable=False),
    Column("status", String, nullable=False),
    Column("wms_ref", String),
    Column("reason", String),
    Column("batch_id", String),
    Column("file_id", String),
    Column("at", String, nullable=False),
    Index("orders_by_batch", "state", "batch_id"),
    Index("orders_by_base", "state", "base"),
)

LEDGER = Kind(
    "ledger",
    2,
    _schema,
    "ledger-unusable",
    "look at the file, its permissions and the free space, then receive again; a damaged ledger is restored from its "
    "backup, never deleted",
)


def open_tables(url: str, timeout: float) -> tuple[Engine, Path]:
    """The database at an SQLAlchemy URL, and its file; made where there is none. ``timeout`` is in seconds."""
    try:
        address = make_url(url)
    except ArgumentError:
        raise LEDGER.unusable("the ledger's URL is malformed", "a URL such as sqlite:///ledger.sqlite") from None
    if address.drivername not in _DRIVERS or address.database in (None, "", ":memory:"):
        raise LEDGER.unusable("the ledger's URL does not name an SQLite file", "a URL such as sqlite:///ledger.sqlite")
    file = Path(address.database or "")
    return open_database(LEDGER, file, timeout), file
