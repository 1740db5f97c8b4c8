"""The ledger's tables, and its database: opened, checked, and what goes wrong in it said in plain words."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import (
    JSON,
    Column,
    Connection,
    Engine,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    UniqueConstraint,
    create_engine,
    event,
    insert,
    inspect,
    select,
)
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, SQLAlchemyError

from fallback.errors import FallbackError

VERSION = 2
_DRIVERS = ("sqlite", "sqlite+pysqlite")

_schema = MetaData()
_version = Table("schema_version", _schema, Column("version", Integer, nullable=False))
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


def open_tables(url: str, timeout: float) -> tuple[Engine, Path]:
    """The database at an SQLAlchemy URL, and its file; made where there is none. ``timeout`` is in seconds."""
    try:
        address = make_url(url)
    except ArgumentError:
        raise unusable("the ledger's URL is malformed", "a URL such as sqlite:///ledger.sqlite") from None
    if address.drivername not in _DRIVERS or address.database in (None, "", ":memory:"):
        raise unusable("the ledger's URL does not name an SQLite file", "a URL such as sqlite:///ledger.sqlite")
    file = Path(address.database or "")
    try:
        # Made here and not by SQLite, so that nobody else may ever read it; its -wal and -shm inherit the mode.
        os.close(os.open(file, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600))
    except OSError as error:
        raise unusable(f"{file}: {error.strerror or 'cannot be opened'}") from None
    engine = create_engine(address, connect_args={"timeout": timeout})
    event.listen(engine, "connect", _connected)
    event.listen(engine, "begin", _begun)
    try:
        with told(file), engine.begin() as connection:
            _check_version(connection, file)
    except BaseException:
        engine.dispose()
        raise
    return engine, file


def _connected(connection: Any, _record: object) -> None:
    connection.isolation_level = None  # BEGIN is ours, see _begun
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode = WAL")
    cursor.execute("PRAGMA synchronous = FULL")
    cursor.close()


def _begun(connection: Connection) -> None:
    # A transaction that begins by reading and then writes can fail half-way on SQLite; one that takes the write lock
    # at its beginning waits its turn instead.
    reading = connection.get_execution_options().get("reading", False)
    connection.exec_driver_sql("BEGIN" if reading else "BEGIN IMMEDIATE")


def _check_version(connection: Connection, file: Path) -> None:
    tables = inspect(connection).get_table_names()
    if not tables:
        _schema.create_all(connection)
        connection.execute(insert(_version).values(version=VERSION))
        return
    found = connection.execute(select(_version.c.version)).scalars().all() if _version.name in tables else []
    if list(found) != [VERSION]:
        said = f"of version {found[0]}" if len(found) == 1 else "not a ledger"
        raise unusable(
            f"{file} is {said}; this program writes version {VERSION}",
            "use the version of the program that wrote it, or name another file in local.toml; never delete a ledger "
            "that knows what was loaded",
        )


_PLAIN = {
    "SQLITE_BUSY": "is locked by another program",
    "SQLITE_LOCKED": "is locked by another program",
    "SQLITE_FULL": "cannot grow: the disk is full",
    "SQLITE_NOTADB": "is not a ledger",
    "SQLITE_CORRUPT": "is damaged",
    "SQLITE_CANTOPEN": "cannot be opened",
    "SQLITE_READONLY": "may not be written to",
    "SQLITE_PERM": "may not be used",
    "SQLITE_IOERR": "cannot be read or written: the disk reports an error",
}


@contextmanager
def told(file: Path) -> Iterator[None]:
    """What goes wrong in the database, said in plain words."""
    try:
        yield
    except (SQLAlchemyError, sqlite3.Error) as error:
        name = getattr(error.orig if isinstance(error, DBAPIError) else error, "sqlite_errorname", "")
        words = next((text for code, text in _PLAIN.items() if str(name).startswith(code)), "cannot be used")
        raise unusable(f"{file} {words}") from None


def unusable(text: str, hint: str = "") -> FallbackError:
    usual = "look at the file, its permissions and the free space, then receive again; a damaged ledger is restored"
    return FallbackError("ledger-unusable", text, hint=hint or f"{usual} from its backup, never deleted")
