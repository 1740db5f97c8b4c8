"""The tables of the outbox."""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import Column, Dialect, ForeignKey, Index, Integer, MetaData, String, Table, TypeDecorator

from fallback.database import Kind
from fallback.documents.base import moment
from fallback.records.values import write_instant


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

OUTBOX = Kind(
    "outbox",
    2,
    _schema,
    "outbox-unusable",
    "nothing was changed; check `outbox` in local.toml, its permissions and the free space, then try again",
)
