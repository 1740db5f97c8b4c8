"""Databases of our own, each an SQLite file: opened, versioned, locked, and what goes wrong in them in plain words."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import (
    URL,
    Column,
    Connection,
    Engine,
    Integer,
    MetaData,
    NullPool,
    Table,
    create_engine,
    event,
    insert,
    inspect,
    select,
)
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from fallback.errors import FallbackError


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of database: what it is called, the version of its tables, and what is said where it cannot be used."""

    name: str
    version: int
    schema: MetaData
    code: str
    hint: str

    def unusable(self, text: str, hint: str = "") -> FallbackError:
        return FallbackError(self.code, text, hint=hint or self.hint)


_VERSION = "schema_version"


def open_database(kind: Kind, file: Path, wait_s: float) -> Engine:
    """The database in a file, made (mode 0600) where there is none; a lock is waited for ``wait_s`` seconds.

    Raises FallbackError with the kind's code: no such folder, no permission, another file, another version, a full
    disk.
    """
    try:
        # Made here and not by SQLite, so that nobody else may ever read it; its -wal and -shm inherit the mode.
        handle = os.open(file, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        os.fchmod(handle, 0o600)
        os.close(handle)
    except OSError as error:
        words = error.strerror or "cannot be opened"
        raise kind.unusable(f"the {kind.name} {file}: {words[:1].lower()}{words[1:]}") from None
    # No pool: a connection lives as long as a verb, so that nothing needs closing and threads share nothing.
    url = URL.create("sqlite", database=str(file))
    engine = create_engine(url, poolclass=NullPool, connect_args={"timeout": wait_s})
    event.listen(engine, "connect", _connected)
    event.listen(engine, "begin", _begun)
    with told(kind, file), engine.begin() as connection:
        _check_version(kind, file, connection)
    return engine


@contextmanager
def told(kind: Kind, file: Path) -> Iterator[None]:
    """What goes wrong in the database, said in plain words: the library's own repeat the statement and its values."""
    try:
        yield
    except (SQLAlchemyError, sqlite3.Error) as error:
        name = str(getattr(error.orig if isinstance(error, DBAPIError) else error, "sqlite_errorname", ""))
        words = next((text for mark, text in _CAUSES.items() if name.startswith(mark)), "cannot be used")
        raise kind.unusable(f"the {kind.name} {file} {words.format(kind=kind.name)}") from None


_CAUSES = {
    "SQLITE_BUSY": "is locked by another program",
    "SQLITE_LOCKED": "is locked by another program",
    "SQLITE_FULL": "cannot grow: the disk is full",
    "SQLITE_NOTADB": "is no {kind}",
    "SQLITE_CORRUPT": "is damaged",
    "SQLITE_CANTOPEN": "cannot be opened",
    "SQLITE_READONLY": "may not be written to",
    "SQLITE_PERM": "may not be used",
    "SQLITE_IOERR": "cannot be read or written: the disk reports an error",
}


def _connected(connection: Any, _record: object) -> None:
    connection.isolation_level = None  # BEGIN is ours, see _begun
    cursor = connection.cursor()
    try:
        # Of two programs that make the file at once, one cannot switch: the other does. Both modes are safe.
        with suppress(sqlite3.OperationalError):
            cursor.execute("PRAGMA journal_mode = WAL")
        cursor.execute("PRAGMA synchronous = FULL")  # what is marked as sent or loaded survives a power cut
        cursor.execute("PRAGMA foreign_keys = ON")
    finally:
        cursor.close()


def _begun(connection: Connection) -> None:
    # A reading that is upgraded later could decide on what is no longer true, or fail half-way: the write lock is
    # taken at once.
    reading = connection.get_execution_options().get("reading", False)
    connection.exec_driver_sql("BEGIN" if reading else "BEGIN IMMEDIATE")


def _check_version(kind: Kind, file: Path, connection: Connection) -> None:
    version = Table(_VERSION, MetaData(), Column("version", Integer, nullable=False))
    names = inspect(connection).get_table_names()
    if not names:
        version.create(connection)
        kind.schema.create_all(connection)
        connection.execute(insert(version).values(version=kind.version))
        return
    found = connection.execute(select(version.c.version)).scalars().all() if _VERSION in names else []
    if list(found) != [kind.version]:
        said = f"of version {found[0]}" if len(found) == 1 else f"no {kind.name}"
        raise kind.unusable(
            f"the {kind.name} {file} is {said}; this program writes version {kind.version}",
            "use the version of the program that wrote it, or name another file in local.toml; never delete what knows "
            "which orders went",
        )
