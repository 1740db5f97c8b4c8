"""The ledger: the warehouse's memory of which order was loaded, by which path and with which content.

It also holds which files were received and what was answered. No customer data: keys, fingerprints, codes and times.
Every receiver of a drop uses the same ledger; live and drill are kept apart in it.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import sqlite3
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, Self

from pydantic import TypeAdapter
from sqlalchemy import (
    JSON,
    Column,
    Connection,
    Engine,
    Index,
    Integer,
    MetaData,
    Row,
    String,
    Table,
    UniqueConstraint,
    and_,
    create_engine,
    delete,
    event,
    insert,
    inspect,
    or_,
    select,
    update,
)
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, SQLAlchemyError

from fallback.documents.base import State
from fallback.documents.receipt import AnsweredOrder, Receipt, ReceivedFile, Stage
from fallback.errors import FallbackError
from fallback.records.values import write_instant
from fallback.warehouse.wms import Outcome, Way

if TYPE_CHECKING:
    from fallback.agreement import Agreement

Status = Literal["claimed", "loaded", "refused", "unknown"]

VERSION = 1
_DRIVERS = ("sqlite", "sqlite+pysqlite")
_CHUNK = 500  # keys a query: far below SQLite's limit of bound values

_schema = MetaData()
_version = Table("schema_version", _schema, Column("version", Integer, nullable=False))
_files = Table(
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
_orders = Table(
    "orders",
    _schema,
    Column("state", String, primary_key=True),
    Column("key", String, primary_key=True),
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
)
_ANSWERS = TypeAdapter(tuple[AnsweredOrder, ...])


@dataclass(frozen=True, slots=True)
class Claim:
    """An order to be written into the ledger. The fingerprint is absent where only the key is known."""

    key: str
    fingerprint: str | None = None
    revision: int = 1
    wms_ref: str | None = None


@dataclass(frozen=True, slots=True)
class LedgerOrder:
    """What the ledger knows of one key.

    ``claimed``: a receiver is loading it, or was killed while it did. ``refused``: the warehouse system did not take
    it; the key is free. ``unknown``: it was handed over, and nobody said whether it was taken.
    """

    key: str
    revision: int
    fingerprint: str | None
    path: Way
    status: Status
    wms_ref: str | None
    reason: str | None
    batch_id: str | None
    file_id: str | None
    at: datetime


@dataclass(frozen=True, slots=True)
class LedgerFile:
    """What the ledger knows of one file: the receipts given, and whether it is done with.

    ``answers`` is the plan: the answers for those of its orders that are not to be loaded, fixed before loading.
    """

    file_id: str
    name: str
    sha256: str
    receipts: Mapping[Stage, Receipt]
    answers: tuple[AnsweredOrder, ...] | None
    opened_at: datetime
    closed_at: datetime | None


class Ledger:
    """An open ledger. Made by :func:`open_ledger`; close it, or use it in a ``with`` statement.

    Every verb is one transaction, safe against other processes on the same file. Each raises FallbackError
    ``ledger-unusable`` where the ledger cannot be read or written.
    """

    def __init__(self, engine: Engine, file: Path) -> None:
        self._engine = engine
        self._file = file

    # --- orders

    def find(self, keys: Collection[str], *, state: State) -> dict[str, LedgerOrder]:
        """What is known of those of the keys that the ledger holds."""
        with self._reading() as connection:
            return _orders_of(connection, state, keys)

    def batch(self, batch_id: str, *, state: State) -> dict[str, LedgerOrder]:
        """The orders that the batch has claimed, by key."""
        query = select(_orders).where(_orders.c.state == state, _orders.c.batch_id == batch_id)
        with self._reading() as connection:
            return {row.key: _order(row) for row in connection.execute(query)}

    def record(
        self, claims: Iterable[Claim], *, state: State, at: datetime, path: Way = "integration"
    ) -> tuple[LedgerOrder, ...]:
        """Write down what was loaded by another path, so that the fallback does not load it again.

        A key that is known already keeps its entry and is returned: if it was loaded by the fallback, the order may be
        in the warehouse twice.
        """
        known: list[LedgerOrder] = []
        wanted = {claim.key: claim for claim in claims}
        with self._writing() as connection:
            there = _orders_of(connection, state, wanted)
            for key, claim in wanted.items():
                if key in there and there[key].status != "refused":
                    known.append(there[key])
                    continue
                values = _values(claim, status="loaded", path=path, at=at, batch_id=None, file_id=None)
                _put_order(connection, state, key, values, new=key not in there)
        return tuple(known)

    def claim(
        self,
        batch_id: str,
        claims: Sequence[Claim],
        *,
        state: State,
        at: datetime,
        path: Way = "fallback",
        file_id: str | None = None,
    ) -> dict[str, LedgerOrder]:
        """Claim the keys for a batch, in one transaction. Returns those that are somebody else's, as they stand.

        A key belongs to one batch at a time: of two receivers that want it, one gets it. Claimed again by the same
        batch it stays as it is. A key that the warehouse system refused is free.
        """
        others: dict[str, LedgerOrder] = {}
        with self._writing() as connection:
            there = _orders_of(connection, state, [claim.key for claim in claims])
            for claim in claims:
                row = there.get(claim.key)
                if row is not None and row.status != "refused":
                    if row.batch_id != batch_id:
                        others[claim.key] = row
                    continue
                values = _values(claim, status="claimed", path=path, at=at, batch_id=batch_id, file_id=file_id)
                _put_order(connection, state, claim.key, values, new=row is None)
        return others

    def settle(self, batch_id: str, outcomes: Mapping[str, Outcome], *, state: State, at: datetime) -> None:
        """Write down what became of the claimed orders of a batch. The first word on an order stands."""
        with self._writing() as connection:
            for key, outcome in outcomes.items():
                connection.execute(
                    update(_orders)
                    .where(_orders.c.state == state, _orders.c.key == key)
                    .where(_orders.c.batch_id == batch_id, _orders.c.status == "claimed")
                    .values(
                        status=outcome.state, wms_ref=outcome.wms_ref, reason=outcome.reason, at=write_instant(_utc(at))
                    )
                )

    # --- files

    def files(self, file_id: str, name: str, *, state: State) -> tuple[LedgerFile, ...]:
        """The files received before under this id or this name."""
        with self._reading() as connection:
            return _files_of(connection, state, file_id, name)

    def open_file(self, file: ReceivedFile, *, state: State, at: datetime) -> tuple[LedgerFile, ...]:
        """Write down a file that has arrived, unless its id or name is known; returns what ``files`` then gives."""
        with self._writing() as connection:
            if not _files_of(connection, state, file.file_id, file.name):
                values = file.model_dump() | {"state": state, "receipts": {}, "opened_at": write_instant(_utc(at))}
                connection.execute(insert(_files).values(values))
            return _files_of(connection, state, file.file_id, file.name)

    def save_receipt(self, receipt: Receipt) -> Receipt:
        """Keep a receipt before it is given out. The first one of a stage stands, and is returned."""
        here = _this_file(receipt.state, receipt.file.file_id)
        with self._writing() as connection:
            row = connection.execute(select(_files.c.receipts).where(here)).one()
            receipts: dict[str, str] = dict(row.receipts)
            if receipt.stage not in receipts:
                receipts[receipt.stage] = receipt.to_json()
                connection.execute(
                    update(_files)
                    .where(here)
                    .values(receipts=receipts, stage=receipt.stage, disposition=receipt.disposition)
                )
            return Receipt.from_json(receipts[receipt.stage])

    def save_answers(
        self, file_id: str, batch_id: str, answers: Sequence[AnsweredOrder], *, state: State
    ) -> tuple[AnsweredOrder, ...]:
        """Fix the plan of a file before loading: which orders are not loaded, and why; their claims are given up.

        The first plan stands, and is returned: a receiver that was killed goes on with it.
        """
        here = _this_file(state, file_id)
        with self._writing() as connection:
            saved = connection.execute(select(_files.c.answers).where(here)).scalar_one()
            if saved is None:
                _release(connection, state, batch_id, [answer.key for answer in answers])
                saved = _ANSWERS.dump_json(tuple(answers)).decode()
                connection.execute(update(_files).where(here).values(answers=saved))
            return _ANSWERS.validate_json(saved)

    def close_file(self, file_id: str, *, state: State, at: datetime) -> None:
        """The file is answered and put away: when it arrives again, it is a duplicate."""
        here = and_(_this_file(state, file_id), _files.c.closed_at.is_(None))
        with self._writing() as connection:
            connection.execute(update(_files).where(here).values(closed_at=write_instant(_utc(at))))

    @contextmanager
    def hold(self, name: str, *, state: State) -> Iterator[bool]:
        """Whether this receiver alone works on the file of that name, as long as the block lasts.

        The hold ends with the process, however it ends: a file that is in work and not held was left by one that was
        killed.
        """
        digest = hashlib.sha256(name.encode()).hexdigest()[:20]
        lock = self._file.with_name(f"{self._file.name}.{state}-{digest}.lock")
        try:
            handle = _lock(lock)
        except OSError as error:
            raise _unusable(f"{lock.parent}: {error.strerror or 'cannot be used'}") from None
        try:
            yield handle is not None
        finally:
            if handle is not None:
                lock.unlink(missing_ok=True)
                os.close(handle)

    # --- the file itself

    def close(self) -> None:
        self._engine.dispose()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        with _told(self._file), self._engine.connect() as connection:
            yield connection.execution_options(reading=True)

    @contextmanager
    def _writing(self) -> Iterator[Connection]:
        with _told(self._file), self._engine.begin() as connection:
            yield connection


def open_ledger(url: str, *, timeout: float = 10.0) -> Ledger:
    """Open the ledger at an SQLAlchemy URL such as ``sqlite:///ledger.sqlite``; it is made where there is none.

    ``timeout`` is how many seconds to wait while another process writes. Raises FallbackError ``ledger-unusable``
    where it is locked, damaged, of another version, or not a ledger.
    """
    try:
        address = make_url(url)
    except ArgumentError:
        raise _unusable("the ledger's URL is malformed", "a URL such as sqlite:///ledger.sqlite") from None
    if address.drivername not in _DRIVERS or address.database in (None, "", ":memory:"):
        raise _unusable("the ledger's URL does not name an SQLite file", "a URL such as sqlite:///ledger.sqlite")
    file = Path(address.database or "")
    try:
        # Made here and not by SQLite, so that nobody else may ever read it; its -wal and -shm inherit the mode.
        os.close(os.open(file, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600))
    except OSError as error:
        raise _unusable(f"{file}: {error.strerror or 'cannot be opened'}") from None
    engine = create_engine(address, connect_args={"timeout": timeout})
    event.listen(engine, "connect", _connected)
    event.listen(engine, "begin", _begun)
    ledger = Ledger(engine, file)
    try:
        with ledger._writing() as connection:
            _check_version(connection, file)
    except BaseException:
        engine.dispose()
        raise
    return ledger


def ledger_of(agreement: Agreement) -> Ledger:
    """The ledger that local.toml names; a relative path begins at the agreement's folder."""
    try:
        address = make_url(agreement.local.ledger)
    except ArgumentError:
        return open_ledger(agreement.local.ledger)
    if address.get_backend_name() == "sqlite" and address.database:
        address = address.set(database=str(agreement.path(address.database)))
    return open_ledger(address.render_as_string(hide_password=False))


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
        raise _unusable(
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
def _told(file: Path) -> Iterator[None]:
    """What goes wrong in the database, said in plain words."""
    try:
        yield
    except (SQLAlchemyError, sqlite3.Error) as error:
        name = getattr(error.orig if isinstance(error, DBAPIError) else error, "sqlite_errorname", "")
        words = next((text for code, text in _PLAIN.items() if str(name).startswith(code)), "cannot be used")
        raise _unusable(f"{file} {words}") from None


def _unusable(text: str, hint: str = "") -> FallbackError:
    return FallbackError(
        "ledger-unusable", text, hint=hint or "nothing is lost: free the file or the disk, then receive again"
    )


def _lock(path: Path) -> int | None:
    """An open handle that holds the lock file, or None where somebody else does."""
    while True:
        handle = os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(handle)
            return None
        # The holder before us removes the file: a lock on a file that has no name any more holds nothing.
        try:
            if os.path.samestat(os.fstat(handle), path.stat()):
                return handle
        except FileNotFoundError:
            pass
        os.close(handle)


def _this_file(state: State, file_id: str) -> Any:
    return and_(_files.c.state == state, _files.c.file_id == file_id)


def _files_of(connection: Connection, state: State, file_id: str, name: str) -> tuple[LedgerFile, ...]:
    query = select(_files).where(_files.c.state == state, or_(_files.c.file_id == file_id, _files.c.name == name))
    rows = sorted(connection.execute(query), key=lambda row: row.file_id != file_id)
    return tuple(_file(row) for row in rows)


def _orders_of(connection: Connection, state: State, keys: Collection[str]) -> dict[str, LedgerOrder]:
    found: dict[str, LedgerOrder] = {}
    wanted = list(keys)
    for start in range(0, len(wanted), _CHUNK):
        chunk = wanted[start : start + _CHUNK]
        query = select(_orders).where(_orders.c.state == state, _orders.c.key.in_(chunk))
        found |= {row.key: _order(row) for row in connection.execute(query)}
    return found


def _values(claim: Claim, *, status: Status, path: Way, at: datetime, **more: str | None) -> dict[str, Any]:
    return {
        "revision": claim.revision,
        "fingerprint": claim.fingerprint,
        "wms_ref": claim.wms_ref,
        "reason": None,
        "status": status,
        "path": path,
        "at": write_instant(_utc(at)),
        **more,
    }


def _put_order(connection: Connection, state: State, key: str, values: dict[str, Any], *, new: bool) -> None:
    if new:
        connection.execute(insert(_orders).values(state=state, key=key, **values))
    else:
        connection.execute(update(_orders).where(_orders.c.state == state, _orders.c.key == key).values(**values))


def _release(connection: Connection, state: State, batch_id: str, keys: Collection[str]) -> None:
    for key in keys:
        connection.execute(
            delete(_orders)
            .where(_orders.c.state == state, _orders.c.key == key)
            .where(_orders.c.batch_id == batch_id, _orders.c.status == "claimed")
        )


def _order(row: Row[Any]) -> LedgerOrder:
    content = row._asdict()
    del content["state"]
    return LedgerOrder(**content | {"at": datetime.fromisoformat(row.at)})


def _file(row: Row[Any]) -> LedgerFile:
    return LedgerFile(
        file_id=row.file_id,
        name=row.name,
        sha256=row.sha256,
        receipts={stage: Receipt.from_json(text) for stage, text in row.receipts.items()},
        answers=None if row.answers is None else _ANSWERS.validate_json(row.answers),
        opened_at=datetime.fromisoformat(row.opened_at),
        closed_at=None if row.closed_at is None else datetime.fromisoformat(row.closed_at),
    )


def _utc(value: datetime) -> datetime:
    return value.astimezone(UTC).replace(microsecond=0)
