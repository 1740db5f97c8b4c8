"""The outbox: the brand's memory of what was exported, sent and answered, and of the last sequence number.

It is the first fence against shipping twice. An order counts as sent from the moment at which sending it begins, and
from then on nothing but a processed receipt frees it: silence is never an answer. Holds keys, fingerprints and hashes,
no customer data. Each verb is one transaction, so that a program killed between two verbs finds its way on.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from sqlalchemy import Connection, Engine, Row, Select, and_, bindparam, or_, select
from sqlalchemy.dialects.sqlite import insert

from fallback.brand import tables
from fallback.brand.standing import (
    WHOLE,
    Entry,
    Standing,
    answered_orders,
    current_receipt,
    mismatch,
    standings,
)
from fallback.clock import as_utc
from fallback.database import open_database, told
from fallback.delivery.drop import Delivered
from fallback.documents.base import State
from fallback.documents.manifest import Manifest
from fallback.documents.receipt import INSIDE, AnsweredOrder, Receipt, Stage
from fallback.errors import Refused, WrongUse
from fallback.records.keys import split_key

_STAGES: tuple[Stage, ...] = ("received", "checked", "processed")


@dataclass(frozen=True, slots=True)
class OutboxFile:
    """One exported file: when it was made, when sending began and was proven, and the receipt that holds now."""

    file_id: str
    state: State
    name: str
    sha256: str
    sequence: int
    made_at: datetime
    sending_at: datetime | None = None
    sent_at: datetime | None = None
    superseded_by: str | None = None
    receipt: Receipt | None = None

    @property
    def waiting(self) -> bool:
        """Whether it was made, may be sent, and was not."""
        return self.sending_at is None and self.superseded_by is None

    @property
    def answered(self) -> bool:
        """Whether the warehouse has answered for every order. Received or checked is not an answer."""
        return self.receipt is not None and self.receipt.stage == "processed"

    @property
    def open(self) -> bool:
        """Whether it went to the warehouse, or may have, and is not answered."""
        return self.sending_at is not None and not self.answered


@dataclass(frozen=True, slots=True)
class Summary:
    """What ``fallback status`` says of the outbox.

    ``made``: names of files that were made and not sent; ``open``: sent and not answered. ``rejected``, ``awaiting``
    and ``accepted`` are keys of orders: to correct, to be decided with the warehouse, inside it.
    """

    state: State
    made: tuple[str, ...]
    open: tuple[str, ...]
    rejected: tuple[str, ...]
    awaiting: tuple[str, ...]
    accepted: tuple[str, ...]
    last_sequence: int
    last_receipt: Receipt | None


class Outbox:
    """The outbox of one brand; ``open_outbox`` opens it.

    Every verb raises FallbackError ``outbox-unusable`` where the file cannot be read or written.
    """

    def __init__(self, path: Path, engine: Engine) -> None:
        self.path = path
        self._engine = engine

    def close(self) -> None:
        """Let go of the file."""
        self._engine.dispose()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def next_sequence(self, state: State) -> int:
        """Reserve the next sequence number. Never given twice, not even to two programs at once."""
        with self._transaction() as connection:
            return _raise_sequence(connection, state, _last_sequence(connection, state) + 1)

    def open_keys(self, state: State) -> dict[str, Standing]:
        """Every order that was ever exported, by key: whether it must be left out now, and its last revision."""
        with self._transaction() as connection:
            return standings(_entries(connection, _exported(state)))

    def answers(self, state: State) -> dict[str, str]:
        """For each order that went to the warehouse its answer, or ``sent`` while there is none: for reconciling."""
        known = self.open_keys(state)
        return {key: one.answer or "sent" for key, one in known.items() if one.status != "exported"}

    def keep_template(self, order_key: str, state: State) -> None:
        """Write down by which template keys are made; with it, a whole order and its parts are known as one.

        Raises Refused ``key-template-changed`` where orders were exported under keys of another one: none of them
        would be known again.
        """
        with self._transaction() as connection:
            kept = _template(connection, state)
            if kept == order_key:
                return
            exported = connection.execute(select(tables.files.c.n).where(tables.files.c.state == state).limit(1))
            if kept is not None and exported.first():
                raise Refused(
                    "key-template-changed",
                    f"the outbox knows its orders by {kept}, and the agreement now makes keys by {order_key}",
                    hint="nothing was exported or sent; put the order_key back on both sides",
                )
            row = insert(tables.templates).values(state=state, order_key=order_key)
            connection.execute(row.on_conflict_do_update(index_elements=["state"], set_={"order_key": order_key}))

    def register_export(self, manifest: Manifest) -> None:
        """Remember a file that was made. Older files that hold one of its orders and were never sent are superseded.

        So are those that hold such an order whole where it comes now by fulfilment order, or the reverse. The same
        manifest again changes nothing; another one under the same id raises Refused ``file-changed``.
        """
        with self._transaction() as connection:
            known = connection.execute(
                select(tables.files.c.manifest).where(tables.files.c.file_id == manifest.file_id)
            ).scalar()
            if known == manifest.to_json():
                return
            if known is not None:
                raise Refused(
                    "file-changed",
                    f"a file with the id {manifest.file_id} was exported before with other content",
                    hint="export again under a new sequence number",
                )
            _supersede(connection, manifest, _insert(connection, manifest))
            if manifest.sequence > _last_sequence(connection, manifest.state):
                _raise_sequence(connection, manifest.state, manifest.sequence)

    def manifest(self, file_id: str) -> Manifest | None:
        """The manifest of a file as it was exported; None where this outbox did not make the file."""
        with self._transaction() as connection:
            row = _find(connection, file_id)
        return None if row is None else Manifest.from_json(row.manifest, file_id)

    def begin_sending(self, file_id: str, at: datetime) -> bool:
        """The fence, asked before anything is put on the drop: from here on the file's orders count as sent.

        True when this is the first time, False when sending began before and may go on. Raises Refused
        ``order-in-flight`` where an order is sent, accepted or undecided in another file, or the warehouse has
        answered this one; ``file-superseded`` where a newer file holds one of its orders.
        """
        with self._transaction() as connection:
            return self._begin(connection, file_id, as_utc(at))

    def mark_sent(self, file_id: str, proof: Sequence[Delivered], at: datetime) -> None:
        """Remember that a file is on the drop, and what proves it. The first time counts.

        Where sending was not begun, the fence is asked here, and it raises as ``begin_sending`` does.
        """
        with self._transaction() as connection:
            file = self._known(connection, file_id)
            if file.sending_at is None:
                self._begin(connection, file_id, as_utc(at))
            if file.sent_at is None:
                text = json.dumps([asdict(one) for one in proof])
                connection.execute(
                    tables.files.update().where(tables.files.c.n == file.n).values(sent_at=as_utc(at), proof=text)
                )

    def withdraw_sending(self, file_id: str) -> None:
        """Take back ``begin_sending``, where it is certain that nothing of the file has reached the drop.

        Where sending was begun a second time nothing is certain, and nothing is taken back: the other may have put it.
        """
        with self._transaction() as connection:
            connection.execute(
                tables.files.update()
                .where(tables.files.c.file_id == file_id, tables.files.c.sent_at.is_(None), tables.files.c.begun == 1)
                .values(sending_at=None, begun=0)
            )

    def record_receipt(self, receipt: Receipt) -> bool:
        """Remember what the warehouse says of one file. False when it was known already.

        A processed receipt answers the file's orders; those that it does not name are ``unknown``, never accepted. A
        second one must name the first as superseded. Raises Refused ``receipt-foreign`` for a receipt that is not
        about what was sent, or contradicts an earlier one.
        """
        with self._transaction() as connection:
            file = _find(connection, receipt.file.file_id)
            if file is None:
                raise _foreign(receipt, "this outbox did not make the file")
            manifest = Manifest.from_json(file.manifest, receipt.file.file_id)
            if problem := mismatch(receipt, manifest):
                raise _foreign(receipt, problem)
            earlier = _receipts(connection, file.n, receipt.stage)
            if known := [one for one in earlier if one.receipt_id == receipt.receipt_id]:
                if receipt not in known:
                    raise _foreign(receipt, "it was collected before with other content")
                return False
            if file.sending_at is None:  # it went another way, by hand: what the warehouse has is sent
                connection.execute(
                    tables.files.update()
                    .where(tables.files.c.n == file.n)
                    .values(sending_at=as_utc(receipt.times.issued_at))
                )
            if receipt.stage == "processed":
                _answer(connection, file.n, manifest, receipt, current_receipt(earlier))
            connection.execute(
                tables.receipts.insert().values(
                    file=file.n, stage=receipt.stage, receipt_id=receipt.receipt_id, document=receipt.to_json()
                )
            )
            return True

    def files(self, state: State | None = None) -> tuple[OutboxFile, ...]:
        """Every file that was exported, in the order of export."""
        query = select(tables.files).order_by(tables.files.c.n)
        with self._transaction() as connection:
            rows = connection.execute(query if state is None else query.where(tables.files.c.state == state)).all()
            return tuple(
                OutboxFile(
                    file_id=row.file_id,
                    state=row.state,
                    name=row.name,
                    sha256=row.sha256,
                    sequence=row.sequence,
                    made_at=row.made_at,
                    sending_at=row.sending_at,
                    sent_at=row.sent_at,
                    superseded_by=row.superseded_by,
                    receipt=_heard(connection, row.n),
                )
                for row in rows
            )

    def summary(self, state: State = "live") -> Summary:
        """Where things stand, for ``fallback status``."""
        files = self.files(state)
        answered = [one for one in self.open_keys(state).values() if one.status == "answered"]
        receipts = [file.receipt for file in files if file.receipt is not None]
        with self._transaction() as connection:
            last = _last_sequence(connection, state)
        return Summary(
            state=state,
            made=tuple(file.name for file in files if file.waiting),
            open=tuple(file.name for file in files if file.open),
            rejected=tuple(sorted(one.key for one in answered if one.code is None)),
            awaiting=tuple(sorted(one.key for one in answered if one.code == "awaiting-decision")),
            accepted=tuple(sorted(one.key for one in answered if one.code == "already-accepted")),
            last_sequence=last,
            last_receipt=max(receipts, key=lambda receipt: receipt.times.issued_at, default=None),
        )

    @contextmanager
    def _transaction(self) -> Iterator[Connection]:
        with told(tables.OUTBOX, self.path), self._engine.begin() as connection:
            yield connection

    def _known(self, connection: Connection, file_id: str) -> Row[Any]:
        row = _find(connection, file_id)
        if row is None:
            raise WrongUse(
                "wrong-use",
                f"the outbox {self.path.name} does not know the file {file_id}",
                hint="only a file that this machine exported under the agreement can be sent",
            )
        return row

    def _begin(self, connection: Connection, file_id: str, at: datetime) -> bool:
        file = self._known(connection, file_id)
        if heard := _heard(connection, file.n):
            wait = "" if heard.stage == "processed" else "wait for its processed receipt, then "
            raise Refused(
                "order-in-flight",
                f"the warehouse has {file.name} already: its receipt says {heard.stage}",
                hint=f"do not send it again; {wait}export what is still open",
            )
        rivals = standings(_rivals(connection, file.state, file.n))
        if held := [one for one in rivals.values() if one.code is not None]:
            raise Refused(
                "order-in-flight",
                f"orders of {file.name} are at the warehouse by another file, {held[0].file_id},"
                f" whole or in part: {_some(one.key for one in held)}",
                hint="do not send this file; `fallback collect`, then export again: what may not go is left out",
            )
        if file.superseded_by is not None:
            raise Refused(
                "file-superseded",
                f"{file.name} was never sent, and the newer file {file.superseded_by} holds orders of it",
                hint="send the newer file, or export again",
            )
        values = {"begun": file.begun + 1, "sending_at": file.sending_at or at}
        connection.execute(tables.files.update().where(tables.files.c.n == file.n).values(values))
        return file.sending_at is None


def open_outbox(path: Path, *, wait_s: float = 10.0) -> Outbox:
    """The outbox in the file ``path``, made (mode 0600) where there is none.

    ``wait_s`` is how long, in seconds, to wait for another program that uses it. Raises FallbackError
    ``outbox-unusable``: no such folder, no permission, another file, another version, a full disk.
    """
    return Outbox(path, open_database(tables.OUTBOX, path, wait_s))


def _last_sequence(connection: Connection, state: State) -> int:
    query = select(tables.sequences.c.last).where(tables.sequences.c.state == state)
    return connection.execute(query).scalar() or 0


def _raise_sequence(connection: Connection, state: State, last: int) -> int:
    row = insert(tables.sequences).values(state=state, last=last)
    connection.execute(row.on_conflict_do_update(index_elements=["state"], set_={"last": last}))
    return last


def _find(connection: Connection, file_id: str) -> Row[Any] | None:
    return connection.execute(select(tables.files).where(tables.files.c.file_id == file_id)).first()


def _template(connection: Connection, state: State) -> str | None:
    query = select(tables.templates.c.order_key).where(tables.templates.c.state == state)
    return connection.execute(query).scalar()


def _entries(connection: Connection, query: Select[Any]) -> list[Entry]:
    return [
        Entry(
            key=row.key,
            file_id=row.file_id,
            revision=row.revision,
            fingerprint=row.fingerprint,
            begun=row.sending_at is not None,
            answer=row.answer,
            resend=row.resend,
        )
        for row in connection.execute(query)
    ]


def _exported(state: State) -> Select[Any]:
    """Every order of every file of a state, in the order of export."""
    return (
        select(tables.orders, tables.files.c.file_id, tables.files.c.sending_at)
        .join(tables.files, tables.files.c.n == tables.orders.c.file)
        .where(tables.files.c.state == state)
        .order_by(tables.files.c.n)
    )


def _rivals(connection: Connection, state: State, file: int) -> list[Entry]:
    """What other files hold of a file's orders: under the same key, or whole where it is a part, or the reverse.

    A part does not clash with another part of its order: each ships something else.
    """
    ours, theirs = tables.orders.alias(), tables.orders
    regrouped = and_(theirs.c.base == ours.c.base, (theirs.c.group == WHOLE) != (ours.c.group == WHOLE))
    rival = or_(theirs.c.key == ours.c.key, regrouped)
    query = _exported(state).join(ours, rival).where(ours.c.file == file, theirs.c.file != file)
    return _entries(connection, query.distinct())


def _supersede(connection: Connection, manifest: Manifest, file: int) -> None:
    """Files that hold an order of this one and were never sent may no longer be sent."""
    for file_id in {entry.file_id for entry in _rivals(connection, manifest.state, file) if not entry.went}:
        connection.execute(
            tables.files.update()
            .where(tables.files.c.file_id == file_id, tables.files.c.superseded_by.is_(None))
            .values(superseded_by=manifest.file_id)
        )


def _insert(connection: Connection, manifest: Manifest) -> int:
    """Enter a file and its orders; gives the row of the file."""
    row = tables.files.insert().values(
        file_id=manifest.file_id,
        state=manifest.state,
        name=manifest.files[0].name,
        sha256=manifest.sha256,
        sequence=manifest.sequence,
        manifest=manifest.to_json(),
        made_at=manifest.created_at,
    )
    file: int = connection.execute(row.returning(tables.files.c.n)).scalar_one()
    template = _template(connection, manifest.state)
    content = []
    for order in manifest.orders:
        base, group = (split_key(template, order.key) if template else None) or (None, None)
        content.append(
            {"file": file, "key": order.key, "base": base, "group": group}
            | {"revision": order.revision, "fingerprint": order.fingerprint}
        )
    if content:
        connection.execute(tables.orders.insert(), content)
    return file


def _receipts(connection: Connection, file: int, stage: Stage) -> list[Receipt]:
    query = select(tables.receipts.c.document).where(tables.receipts.c.file == file, tables.receipts.c.stage == stage)
    return [Receipt.from_json(text) for text in connection.execute(query.order_by(tables.receipts.c.n)).scalars()]


def _heard(connection: Connection, file: int) -> Receipt | None:
    """The receipt of a file that holds now: the current one of the last stage that there is."""
    query = select(tables.receipts.c.stage).where(tables.receipts.c.file == file)
    there = set(connection.execute(query).scalars())
    last = next((stage for stage in reversed(_STAGES) if stage in there), None)
    return None if last is None else current_receipt(_receipts(connection, file, last))


def _answer(connection: Connection, file: int, manifest: Manifest, receipt: Receipt, current: Receipt | None) -> None:
    """Enter the answers of a processed receipt, unless ``current``, the one that held so far, stands."""
    answers = answered_orders(manifest, receipt)
    sent = manifest.sha256
    if current is not None and current.file.sha256 == sent != receipt.file.sha256:
        raise _foreign(receipt, f"it is about other bytes than {current.receipt_id}, which answers for what was sent")
    if current is not None and receipt.supersedes != current.receipt_id:
        if current.supersedes != receipt.receipt_id and _meaning(answers) != _meaning(
            answered_orders(manifest, current)
        ):
            raise _foreign(receipt, f"it contradicts {current.receipt_id} and does not supersede it")
        return
    update = tables.orders.update().where(tables.orders.c.file == file, tables.orders.c.key == bindparam("of"))
    rows = [{"of": order.key, "answer": order.state, "resend": order.resend} for order in answers]
    if rows:
        connection.execute(update, rows)


def _meaning(answers: Iterable[AnsweredOrder]) -> list[tuple[str, bool, str]]:
    """What the sender must know of each answer: a file delivered twice is answered with other words, and means the
    same."""
    return [(order.key, order.state in INSIDE, order.resend) for order in answers]


def _foreign(receipt: Receipt, problem: str) -> Refused:
    return Refused(
        "receipt-foreign",
        f"the receipt {receipt.name}: {problem}",
        hint="do not act on it; call the warehouse on the agreed number",
    )


def _some(keys: Iterable[str], limit: int = 3) -> str:
    shown = sorted(keys)
    return ", ".join(shown[:limit]) + (" and more" if len(shown) > limit else "")
