"""The ledger: the warehouse's memory of which order was loaded, by which path and with which content.

It also holds which files were received and what was answered. No customer data: keys, fingerprints, codes and times.
Every receiver of a drop uses the same ledger; live and drill are kept apart in it.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, Self

from pydantic import TypeAdapter
from sqlalchemy import (
    ColumnElement,
    Connection,
    Delete,
    Engine,
    Row,
    Update,
    and_,
    bindparam,
    delete,
    insert,
    or_,
    select,
    update,
)
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from fallback.database import told
from fallback.documents.base import State
from fallback.documents.receipt import AnsweredOrder, Receipt, ReceivedFile, Stage
from fallback.errors import Refused
from fallback.records.values import write_instant
from fallback.warehouse import tables
from fallback.warehouse.wms import Outcome, Way

if TYPE_CHECKING:
    from fallback.agreement import Agreement

Status = Literal["claimed", "loaded", "refused", "unknown"]

WHOLE = "0"
"""The group of an order that is not split."""

_CHUNK = 500  # keys a query: far below SQLite's limit of bound values
_its_key = tables.orders.c.key == bindparam("of")
_ANSWERS = TypeAdapter(tuple[AnsweredOrder, ...])


@dataclass(frozen=True, slots=True)
class Claim:
    """An order to be written into the ledger. The fingerprint is absent where only the key is known.

    ``base`` and ``group`` are what ``Agreement.base_key`` makes of the key: with them a whole order and its parts are
    known to be the same.
    """

    key: str
    fingerprint: str | None = None
    revision: int = 1
    wms_ref: str | None = None
    base: str | None = None
    group: str | None = None


@dataclass(frozen=True, slots=True)
class LedgerOrder:
    """What the ledger knows of one key.

    ``claimed``: a receiver is loading it, or was killed while it did. ``refused``: the warehouse system did not take
    it; the key is free. ``unknown``: it was handed over, and nobody said whether it was taken.
    """

    key: str
    base: str | None
    group: str | None
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

    def keep_template(self, order_key: str, *, state: State) -> None:
        """Write down by which template the keys are made.

        Raises Refused ``key-template-changed`` where orders are known under keys of another one: none of them would be
        known again.
        """
        here = tables.templates.c.state == state
        with self._writing() as connection:
            kept = connection.execute(select(tables.templates.c.order_key).where(here)).scalar_one_or_none()
            if kept == order_key:
                return
            known = connection.execute(select(tables.orders.c.key).where(tables.orders.c.state == state).limit(1))
            if kept is not None and known.first():
                raise Refused(
                    "key-template-changed",
                    f"the ledger knows its orders by {kept}, and the agreement now makes keys by {order_key}",
                    hint="nothing was loaded; put the order_key back on both sides",
                )
            connection.execute(delete(tables.templates).where(here))
            connection.execute(insert(tables.templates).values(state=state, order_key=order_key))

    def find(self, keys: Collection[str], *, state: State) -> dict[str, LedgerOrder]:
        """What is known of those of the keys that the ledger holds."""
        with self._reading() as connection:
            return _orders_of(connection, state, keys)

    def regrouped(self, claims: Iterable[Claim], *, state: State, batch_id: str = "") -> dict[str, LedgerOrder]:
        """Those of the orders that are known in another grouping, by key: whole where parts are known, or the reverse.

        What the batch itself has claimed does not count.
        """
        with self._reading() as connection:
            return _regrouped(connection, state, claims, batch_id)

    def batch(self, batch_id: str, *, state: State) -> dict[str, LedgerOrder]:
        """The orders that the batch has claimed, by key."""
        query = select(tables.orders).where(tables.orders.c.state == state, tables.orders.c.batch_id == batch_id)
        with self._reading() as connection:
            return {row.key: _order(row) for row in connection.execute(query)}

    def record(
        self, claims: Iterable[Claim], *, state: State, at: datetime, path: Way = "integration"
    ) -> tuple[LedgerOrder, ...]:
        """Write down what was loaded by another path, so that the fallback does not load it again.

        A key that is known already keeps its entry and is returned: if it was loaded by the fallback, the order may be
        in the warehouse twice.
        """
        wanted = {claim.key: claim for claim in claims}
        with self._writing() as connection:
            taken = _taken(connection, state, wanted)
            free = [claim for key, claim in wanted.items() if key not in taken]
            _put_orders(connection, state, free, status="loaded", path=path, at=at)
        return tuple(taken.values())

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
        batch it stays as it is. A key that the warehouse system refused is free. An order that is known whole is not
        free by its parts, nor the reverse: what is returned for its key is the entry of the other grouping.
        """
        wanted = {claim.key: claim for claim in claims}
        with self._writing() as connection:
            taken = _regrouped(connection, state, claims, batch_id) | _taken(connection, state, wanted)
            free = [claim for key, claim in wanted.items() if key not in taken]
            _put_orders(connection, state, free, status="claimed", path=path, at=at, batch_id=batch_id, file_id=file_id)
        return {key: row for key, row in taken.items() if row.batch_id != batch_id}

    def settle(self, batch_id: str, outcomes: Mapping[str, Outcome], *, state: State, at: datetime) -> None:
        """Write down what became of the claimed orders of a batch. The first word on an order stands."""
        told = [
            {"of": key, "status": said.state, "wms_ref": said.wms_ref, "reason": said.reason, "at": _instant(at)}
            for key, said in outcomes.items()
        ]
        with self._writing() as connection:
            _each(connection, update(tables.orders).where(_claimed_by(state, batch_id)), told)

    # --- files

    def files(self, file_id: str, name: str, *, state: State) -> tuple[LedgerFile, ...]:
        """The files received before under this id or this name."""
        with self._reading() as connection:
            return _files_of(connection, state, file_id, name)

    def open_file(self, file: ReceivedFile, *, state: State, at: datetime) -> tuple[LedgerFile, ...]:
        """Write down a file that has arrived, unless its id or name is known; returns what ``files`` then gives."""
        with self._writing() as connection:
            if not _files_of(connection, state, file.file_id, file.name):
                values = file.model_dump() | {"state": state, "receipts": {}, "opened_at": _instant(at)}
                connection.execute(insert(tables.files).values(values))
            return _files_of(connection, state, file.file_id, file.name)

    def save_receipt(self, receipt: Receipt) -> Receipt:
        """Keep a receipt before it is given out. The first one of a stage stands, and is returned."""
        here = _this_file(receipt.state, receipt.file.file_id)
        with self._writing() as connection:
            row = connection.execute(select(tables.files.c.receipts).where(here)).one()
            receipts: dict[str, str] = dict(row.receipts)
            if receipt.stage not in receipts:
                receipts[receipt.stage] = receipt.to_json()
                connection.execute(
                    update(tables.files)
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
            saved = connection.execute(select(tables.files.c.answers).where(here)).scalar_one()
            if saved is None:
                _release(connection, state, batch_id, [answer.key for answer in answers])
                saved = _ANSWERS.dump_json(tuple(answers)).decode()
                connection.execute(update(tables.files).where(here).values(answers=saved))
            return _ANSWERS.validate_json(saved)

    def close_file(self, file_id: str, *, state: State, at: datetime) -> None:
        """The file is answered and put away: when it arrives again, it is a duplicate."""
        here = and_(_this_file(state, file_id), tables.files.c.closed_at.is_(None))
        with self._writing() as connection:
            connection.execute(update(tables.files).where(here).values(closed_at=_instant(at)))

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
            raise tables.LEDGER.unusable(f"{lock.parent}: {error.strerror or 'cannot be used'}") from None
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
        with told(tables.LEDGER, self._file), self._engine.connect() as connection:
            yield connection.execution_options(reading=True)

    @contextmanager
    def _writing(self) -> Iterator[Connection]:
        with told(tables.LEDGER, self._file), self._engine.begin() as connection:
            yield connection


def open_ledger(url: str, *, timeout: float = 10.0) -> Ledger:
    """Open the ledger at an SQLAlchemy URL such as ``sqlite:///ledger.sqlite``; it is made where there is none.

    ``timeout`` is how many seconds to wait while another process writes. Raises FallbackError ``ledger-unusable``
    where it is locked, damaged, of another version, or not a ledger.
    """
    return Ledger(*tables.open_tables(url, timeout))


def ledger_of(agreement: Agreement) -> Ledger:
    """The ledger that local.toml names; a relative path begins at the agreement's folder."""
    try:
        address = make_url(agreement.local.ledger)
    except ArgumentError:
        return open_ledger(agreement.local.ledger)
    if address.get_backend_name() == "sqlite" and address.database:
        address = address.set(database=str(agreement.path(address.database)))
    return open_ledger(address.render_as_string(hide_password=False))


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
    return and_(tables.files.c.state == state, tables.files.c.file_id == file_id)


def _files_of(connection: Connection, state: State, file_id: str, name: str) -> tuple[LedgerFile, ...]:
    query = select(tables.files).where(
        tables.files.c.state == state, or_(tables.files.c.file_id == file_id, tables.files.c.name == name)
    )
    rows = sorted(connection.execute(query), key=lambda row: row.file_id != file_id)
    return tuple(_file(row) for row in rows)


def _orders_of(connection: Connection, state: State, keys: Collection[str]) -> dict[str, LedgerOrder]:
    found: dict[str, LedgerOrder] = {}
    wanted = list(keys)
    for start in range(0, len(wanted), _CHUNK):
        chunk = wanted[start : start + _CHUNK]
        query = select(tables.orders).where(tables.orders.c.state == state, tables.orders.c.key.in_(chunk))
        found |= {row.key: _order(row) for row in connection.execute(query)}
    return found


def _taken(connection: Connection, state: State, keys: Collection[str]) -> dict[str, LedgerOrder]:
    """Those of the keys that are not free: known, and not refused by the warehouse system."""
    return {key: row for key, row in _orders_of(connection, state, keys).items() if row.status != "refused"}


def _regrouped(connection: Connection, state: State, claims: Iterable[Claim], batch_id: str) -> dict[str, LedgerOrder]:
    wanted = {claim.key: claim for claim in claims if claim.base is not None}
    bases = list({claim.base for claim in wanted.values()})
    known: dict[str | None, list[LedgerOrder]] = {}
    for start in range(0, len(bases), _CHUNK):
        chunk = bases[start : start + _CHUNK]
        query = select(tables.orders).where(tables.orders.c.state == state, tables.orders.c.base.in_(chunk))
        for row in map(_order, connection.execute(query)):
            if row.status != "refused" and row.batch_id != batch_id:
                known.setdefault(row.base, []).append(row)
    return {
        key: row
        for key, claim in wanted.items()
        for row in known.get(claim.base, ())
        if (row.group == WHOLE) != (claim.group == WHOLE)
    }


def _put_orders(
    connection: Connection, state: State, claims: Sequence[Claim], *, at: datetime, **common: str | None
) -> None:
    """Write new entries, in the place of those that there may be."""
    _each(
        connection,
        delete(tables.orders).where(tables.orders.c.state == state, _its_key),
        [{"of": c.key} for c in claims],
    )
    rows = [asdict(claim) | {"state": state, "at": _instant(at)} | common for claim in claims]
    if rows:
        connection.execute(insert(tables.orders), rows)


def _release(connection: Connection, state: State, batch_id: str, keys: Collection[str]) -> None:
    _each(connection, delete(tables.orders).where(_claimed_by(state, batch_id)), [{"of": key} for key in keys])


def _claimed_by(state: State, batch_id: str) -> ColumnElement[bool]:
    ours = and_(tables.orders.c.state == state, tables.orders.c.batch_id == batch_id)
    return and_(ours, tables.orders.c.status == "claimed", _its_key)


def _each(connection: Connection, statement: Update | Delete, rows: list[dict[str, Any]]) -> None:
    """Run one statement for many orders at once; ``of`` in each row is the key."""
    if rows:
        connection.execute(statement, rows)


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


def _instant(value: datetime) -> str:
    return write_instant(value.astimezone(UTC).replace(microsecond=0))
