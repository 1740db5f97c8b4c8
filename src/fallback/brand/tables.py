"""The tables of the outbox, and the SQLite file that holds them."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import (
    URL,
    Column,
    Connection,
    Dialect,
    Engine,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    NullPool,
    String,
    Table,
    TypeDecorator,
    create_engine,
    event,
)
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from fallback.documents.base import moment
from fallback.errors import FallbackError
from fallback.records.values import write_instant

VERSION = 2
"""The version of the tables, kept in the file's ``user_version``."""


class _Instant(TypeDecorator[datetime]):
    """An instant as ISO 8601 text in UTC, whole seconds: sorts as it reads."""

    impl = String
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> str | None:  # noqa: ARG002
        return None if value is None else write_instant(moment(value).astimezone(UTC))

    def process_result_value(self, value: str | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        return None if value is None else datetime.fromisoformat(value)


_schema = MetaData()

sequences = Table(
    "sequences",
    _schema,
    Column("state", String, primary_key=True),
    Column("last", Integer, nullable=False),
)

templates = Table(
    "templates",
    _schema,
    Column("state", String, primary_key=True),
    Column("order_key", String, nullable=False),
)

files = Table(
    "files",
    _schema,
    Column("n", Integer, primary_key=True),
    Column("file_id", String, nullable=False, unique=True),
    Column("state", String, nullable=False),
    Column("name", String, nullable=False),
    Column("sha256", String, nullable=False),
    Column("sequence", Integer, nullable=False),
    Column("manifest", String, nullable=False),
    Column("made_at", _Instant, nullable=False),
    Column("sending_at", _Instant),
    Column("begun", Integer, nullable=False, default=0),
    Column("sent_at", _Instant),
    Column("proof", String),
    Column("superseded_by", String),
)

orders = Table(
    "orders",
    _schema,
    Column("file", Integer, ForeignKey("files.n"), primary_key=True),
    Column("key", String, primary_key=True),
    Column("base", String),
    Column("group", String),
    Column("revision", Integer, nullable=False),
    Column("fingerprint", String, nullable=False),
    Column("answer", String),
    Column("resend", String),
    Index("orders_by_key", "key"),
    Index("orders_by_base", "base"),
)

receipts = Table(
    "receipts",
    _schema,
    Column("n", Integer, primary_key=True),
    Column("file", Integer, ForeignKey("files.n"), nullable=False, index=True),
    Column("stage", String, nullable=False),
    Column("receipt_id", String, nullable=False),
    Column("document", String, nullable=False),
)


def open_tables(path: Path, wait_s: float) -> Engine:
    """The tables in the file ``path``, made (mode 0600) where there is none. Raises as open_outbox."""
    try:
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        os.fchmod(handle, 0o600)
        os.close(handle)
    except OSError as error:
        raise _unusable(path, error.strerror or "it cannot be opened") from None
    # No pool: a connection lives as long as a verb, so that nothing needs closing and threads share nothing.
    url = URL.create("sqlite", database=str(path))
    engine = create_engine(url, poolclass=NullPool, connect_args={"timeout": wait_s})
    event.listen(engine, "connect", _configure)
    event.listen(engine, "begin", _begin_immediate)
    with transaction(engine, path) as connection:
        version = connection.exec_driver_sql("PRAGMA user_version").scalar_one()
        empty = not connection.exec_driver_sql("SELECT count(*) FROM sqlite_master").scalar_one()
        if version == 0 and empty:
            _schema.create_all(connection)
            connection.exec_driver_sql(f"PRAGMA user_version = {VERSION}")
        elif version != VERSION:
            raise _unusable(path, f"it is not an outbox of version {VERSION}; its version is {version}")
    return engine


@contextmanager
def transaction(engine: Engine, path: Path) -> Iterator[Connection]:
    """One transaction that holds the write lock, undone as a whole where anything is raised in it."""
    try:
        with engine.begin() as connection:
            yield connection
    except SQLAlchemyError as error:
        # The library's own sentence repeats the statement and its values; only the cause is said.
        said = str(error.orig) if isinstance(error, DBAPIError) else ""
        raise _unusable(path, next((words for mark, words in _CAUSES.items() if mark in said), _UNNAMED)) from None


_UNNAMED = "it cannot be read or written"
_CAUSES = {
    "locked": "another program is using it",
    "readonly": "it may not be written",
    "disk is full": "the disk is full",
    "not a database": "the file is not an outbox",
    "malformed": "the file is damaged",
    "unable to open": "its folder may not be written",
}


def _unusable(path: Path, cause: str) -> FallbackError:
    return FallbackError(
        "outbox-unusable",
        f"the outbox {path}: {cause[:1].lower()}{cause[1:]}",
        hint="nothing was changed; check `outbox` in local.toml, its permissions and the free space, then try again",
    )


def _configure(connection: Any, _: Any) -> None:
    connection.isolation_level = None  # we begin by ourselves, below
    cursor = connection.cursor()
    try:
        # Of two programs that make the file at once, one cannot switch: the other does. Both modes are safe.
        with suppress(sqlite3.OperationalError):
            cursor.execute("PRAGMA journal_mode = WAL")
        cursor.execute("PRAGMA synchronous = FULL")  # what is marked as sent survives a power cut
        cursor.execute("PRAGMA foreign_keys = ON")
    finally:
        cursor.close()


def _begin_immediate(connection: Connection) -> None:
    """Take the write lock at once: a reading that is upgraded later could decide on what is no longer true."""
    connection.exec_driver_sql("BEGIN IMMEDIATE")
