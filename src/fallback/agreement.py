"""The agreement: the terms that both sides hold, its own check, and what is this machine's own (``local.toml``)."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import re
from datetime import date, timedelta
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, PrivateAttr, ValidationInfo, field_validator

from fallback.documents.base import AgreementRef
from fallback.errors import FallbackError
from fallback.formats.library import load_format
from fallback.formats.spec import Format
from fallback.platforms.base import Eligibility
from fallback.records import keys
from fallback.records.order import Order
from fallback.toml import read_toml

Side = Literal["brand", "warehouse"]
Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]


class Terms(BaseModel):
    """Base of the sections: frozen, unknown keys refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True, defer_build=True)


def _sensible(span: timedelta) -> timedelta:
    if not timedelta(0) <= span <= timedelta(days=3660):
        raise ValueError("between nothing and ten years, such as PT60M or P15D")
    return span


Duration = Annotated[timedelta, AfterValidator(_sensible)]


class Party(Terms):
    """One side: the name of its organisation, and who may sign for it (OpenSSH ``allowed_signers`` lines)."""

    org: str
    signers: tuple[str, ...] = ()


class Parties(Terms):
    """Both sides. The brand's organisation is its code: it stands in keys, in every order and in names of files."""

    brand: Party
    warehouse: Party

    @field_validator("brand")
    @classmethod
    def _code(cls, brand: Party) -> Party:
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}", brand.org):
            raise ValueError("org is a code of letters, digits, dot, dash and underscore, at most 63")
        return brand


class SourceOfTruth(Terms):
    """Which side's figure holds when the two diverge, question by question, and who decides a dispute by when."""

    order_demand: str = "brand"
    shipped_quantity: str = "warehouse"
    on_hand: str = "warehouse"
    dispute_owner: str | None = None
    dispute_within: Duration | None = None


class FormatTerms(Terms):
    """The agreed format by name, or by the path of its TOML file beside the agreement; how keys are made.

    ``on_existing``: what the WMS does with an order number that it knows. ``load_mode``: whether the good orders of a
    file load when others are refused.
    """

    orders: str
    order_key: str = keys.DEFAULT_KEY
    on_existing: Literal["reject", "ignore", "update", "replace"] = "reject"
    load_mode: Literal["all-valid", "all-or-nothing"] = "all-valid"

    @field_validator("order_key")
    @classmethod
    def _template(cls, template: str) -> str:
        return keys.check_template(template)


class MappingTerms(Terms):
    """Crosswalk tables (CSV, beside the agreement) and what happens to an order that has no row."""

    sku: str | None = None
    service: str | None = None
    kit: str | None = None
    uom: str | None = None
    on_unmapped: Literal["reject-order"] = "reject-order"
    owner: str | None = None
    turnaround: Duration | None = None
    test_endpoint: str | None = None


class Extract(Terms):
    """Where one of the two lists of a reconciliation comes from."""

    command: str | None = None
    drop: str | None = None
    every: Duration | None = None
    as_of: str | None = None
    declared_count: str | None = None
    key_from: str | None = None


class Cutoff(Terms):
    """A cut-off: a wall-clock time in the warehouse's zone on some weekdays, and the window after it.

    Orders placed before it and absent from the WMS when ``window`` has passed make the fallback due.
    """

    id: str = "daily"
    time: dt.time
    zone: str
    days: Annotated[tuple[Weekday, ...], Field(min_length=1)] = ("mon", "tue", "wed", "thu", "fri")
    holidays: tuple[date, ...] = ()
    gap: Literal["shift-forward", "skip"] = "shift-forward"
    fold: Literal["first", "second"] = "first"
    window: Duration = timedelta(minutes=60)
    warn_after: Duration | None = None
    min_orders: int = Field(default=1, ge=1)
    pickup: dt.time | None = None

    @field_validator("zone")
    @classmethod
    def _zone(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except (KeyError, ValueError, OSError):
            raise ValueError("not an IANA time zone such as America/New_York") from None
        return name

    @field_validator("time")
    @classmethod
    def _time(cls, time: dt.time) -> dt.time:
        if time.tzinfo is not None:
            raise ValueError("a wall-clock time such as 14:00; its zone is named by zone")
        return time

    @field_validator("window")
    @classmethod
    def _window(cls, window: timedelta) -> timedelta:
        if window <= timedelta(0):
            raise ValueError("longer than nothing, such as PT60M")
        return window


class IntegrationTerms(Terms):
    """How the integration works when it works, how long its hops retry, and who can pause it."""

    direction: str | None = None
    trigger: Literal["push", "pull", "batch"] | None = None
    schedule: str | None = None
    zone: str | None = None
    max_delay: Duration | None = None
    retry_horizon: Duration = timedelta(days=15)
    late_arrival_horizon: Duration = timedelta(days=21)
    pause_owner: str | None = None
    replay_guard: Literal["wms", "ledger", "none"] = "none"


class Check(Terms):
    """Something that a person or a job looks at: what, how often, whose duty it is, and who stands in."""

    id: str
    what: str
    every: Duration
    owner: str
    backup: str | None = None


class Monitoring(Terms):
    """Who looks for the failure, and what a reconciliation may rest on.

    ``max_snapshot_age``: an older list of the warehouse proves nothing. ``max_clock_skew``: how far a time may lie in
    the future before a clock counts as wrong. ``checks`` are for people.
    """

    checks: tuple[Check, ...] = ()
    max_snapshot_age: Duration = timedelta(minutes=20)
    max_clock_skew: Duration = timedelta(minutes=2)


class CommitmentTerms(Terms):
    """A limit between two events of the procedure, and the side that owes it."""

    from_: str = Field(alias="from")
    to: str
    limit: Duration
    owner: str


class Escalation(Terms):
    """Whom each side calls on which level, how long after the fallback was declared. For people."""

    level: int
    after: Duration
    brand: str
    warehouse: str
    channel: str
    respond_within: Duration


class Contacts(Terms):
    """The file with names and numbers: kept apart, and never in evidence. For people."""

    file: str


class Endpoint(Terms):
    """One way to the drop. ``in`` and ``out`` are folders on the server, or below ``root`` of local.toml."""

    kind: Literal["sftp", "folder"]
    host: str | None = None
    port: int = 22
    in_: str = Field(default="in", alias="in")
    out: str = "out"
    host_key: str | None = None

    @field_validator("in_", "out")
    @classmethod
    def _folder(cls, name: str) -> str:
        if not name or ".." in name.split("/") or not name.isprintable():
            raise ValueError("the name of a folder, without ..")
        return name

    @field_validator("out")
    @classmethod
    def _other(cls, out: str, info: ValidationInfo) -> str:
        if out.strip("/") == info.data.get("in_", "").strip("/"):
            raise ValueError("another folder than in: what the warehouse answers is not taken for orders")
        return out


class DeliveryTerms(Terms):
    """The ways to the drop. Without ``drill``, a drill uses folders named drill beside the live ones.

    ``manifest``: whether it goes ``before`` or ``after`` its file. ``proof``: what proves that a file has arrived:
    ``hash`` and ``read-back`` compare every byte, ``size`` only the length.
    """

    primary: Endpoint
    secondary: Endpoint | None = None
    drill: Endpoint | None = None
    manifest: Literal["before", "after", "folder"] = "before"
    proof: Literal["hash", "read-back", "size"] = "hash"


class Limits(Terms):
    """What one file and one order may hold; more is confirmed by phone. ``max_bytes`` also bounds what is read."""

    max_orders_per_file: int = Field(default=5000, ge=1)
    max_units_per_order: int = Field(default=500, ge=1)
    max_bytes: int = Field(default=20_000_000, ge=1)


class DrillTerms(Terms):
    """How often both sides rehearse, what else makes a drill due, and when there is none. For people."""

    interval: Duration = timedelta(days=90)
    retest_after_fail: Duration = timedelta(days=14)
    triggers: tuple[str, ...] = ()
    min_level: Literal["exchange", "live-hour"] = "exchange"
    skus: tuple[str, ...] = ()
    service: str | None = None
    blackout: tuple[str, ...] = ()


class Privacy(Terms):
    """How many days files with customer data, and evidence without, are kept. For people."""

    payload_days: int = Field(default=14, ge=1)
    evidence_days: int = Field(default=1095, ge=1)


class Login(Terms):
    """How this machine logs in at one endpoint, or where its folder is mounted. Holds no secret itself."""

    user: str | None = None
    key_file: str | None = None
    password_env: str | None = None
    known_hosts: str | None = None
    root: str | None = None


class WmsTerms(Terms):
    """This warehouse's loader: ``file`` hands accepted orders over as files in ``folder``."""

    kind: Literal["file"] = "file"
    folder: str = "wms"


class Local(Terms):
    """``local.toml``: what is this machine's own. Never shared, never hashed, no secret in it."""

    side: Side
    person: str | None = None
    outbox: str = "outbox.sqlite"
    outgoing: str = "outgoing"
    receipts: str = "receipts"
    ledger: str = "sqlite:///ledger.sqlite"
    skus: str | None = None
    wms: WmsTerms = WmsTerms()
    delivery: dict[Literal["primary", "secondary", "drill"], Login] = {}


class Agreement(Terms):
    """The terms both sides hold. ``folder`` is where its relative paths begin; ``local`` is this machine's own."""

    schema_: Literal["fallback.agreement/1"] = Field(alias="schema")
    id: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")]
    version: str
    effective_from: date
    review_by: date
    flows: tuple[Literal["orders"], ...] = ("orders",)
    parties: Parties
    source_of_truth: SourceOfTruth = SourceOfTruth()
    format: FormatTerms
    codes: dict[str, str] = {}
    eligibility: Eligibility = Eligibility()
    mapping: MappingTerms = MappingTerms()
    platform_extract: Extract | None = None
    wms_extract: Extract | None = None
    cutoffs: tuple[Cutoff, ...] = ()
    integration: IntegrationTerms = IntegrationTerms()
    monitoring: Monitoring = Monitoring()
    commitments: dict[str, CommitmentTerms] = {}
    escalation: tuple[Escalation, ...] = ()
    contacts: Contacts | None = None
    delivery: DeliveryTerms
    limits: Limits = Limits()
    drill: DrillTerms = DrillTerms()
    privacy: Privacy = Privacy()

    _folder: Path = PrivateAttr(default=Path())
    _text: str = PrivateAttr(default="")
    _local: Local | None = PrivateAttr(default=None)

    @property
    def brand(self) -> str:
        return self.parties.brand.org

    @property
    def folder(self) -> Path:
        return self._folder

    @property
    def local(self) -> Local:
        """This machine's own settings. Raises FallbackError ``local-invalid`` where there is no local.toml."""
        if self._local is None:
            raise FallbackError(
                "local-invalid",
                f"there is no local.toml beside the agreement in {self._folder}",
                hint="`fallback init DIR --side brand` or `--side warehouse` writes one",
            )
        return self._local

    @property
    def has_local(self) -> bool:
        """Whether there is a local.toml beside the agreement."""
        return self._local is not None

    def path(self, relative: str) -> Path:
        """A path of the agreement or of local.toml, which begins at the agreement's folder."""
        return self._folder / Path(relative).expanduser()

    def at(self, folder: Path, local: Local | None = None, text: str = "") -> Self:
        """The same agreement, with its folder, this machine's settings, and the text of its file."""
        copy = self.model_copy()
        copy._folder = folder
        copy._local = local
        copy._text = text
        return copy

    @property
    def text(self) -> str:
        """The agreement's file as it was read, comments and all."""
        return self._text

    @property
    def sections(self) -> dict[str, str]:
        """SHA-256 of each section's content, defaults filled in; comments and layout do not count."""
        content = self.model_dump(mode="json", by_alias=True)
        return {name: _sha256(value) for name, value in content.items()}

    @property
    def sha256(self) -> str:
        return _sha256(self.sections)

    @property
    def ref(self) -> AgreementRef:
        return AgreementRef(id=self.id, version=self.version, sha256=self.sha256)

    def key(self, order: Order) -> str:
        """The key that names this order on both paths."""
        return self.key_of(
            brand=order.brand,
            platform=order.platform,
            order_id=order.order_id,
            order_number=order.order_number,
            group=order.group,
        )

    def key_of(self, *, brand: str, platform: str, order_id: str, order_number: str, group: str) -> str:
        """The key from its parts alone: a payload, a file and a WMS extract all have them."""
        return self.format.order_key.format(
            brand=brand, platform=platform, order_id=order_id, order_number=order_number, group=group
        )

    def base_key(self, key: str) -> tuple[str, str] | None:
        """A key without its group, and the group; None where this agreement's template did not make it.

        A whole order and its parts, which the platform tells apart by the group alone, have the same first half.
        """
        return keys.split_key(self.format.order_key, key)

    def whole_key(self, key: str) -> str | None:
        """The key that the same order has whole, as group 0; None where this agreement's template did not make it."""
        return keys.whole_key(self.format.order_key, key)

    def open_format(self) -> Format:
        """The agreed format. Raises FallbackError ``key-not-carried`` where the key cannot be computed from a file."""
        fmt = load_format(self.format.orders, self._folder)
        lacking = sorted(set(self.key_parts) - _told_by(fmt))
        if lacking:
            raise FallbackError(
                "key-not-carried",
                f"order_key uses {', '.join(lacking)}, which the format {fmt.name} does not carry",
                hint='choose a template whose parts the format carries, or add a field with path = "key"',
            )
        return fmt

    @property
    def key_parts(self) -> tuple[str, ...]:
        """The canonical paths that the key is made of."""
        return keys.parts_of(self.format.order_key)


def key_template(fmt: Format) -> str:
    """The default template, less the parts that a file of this format does not tell."""
    told = _told_by(fmt)
    named = "order_id" if "order_id" in told else "order_number"
    return ":".join(f"{{{part}}}" for part in ("brand", "platform", named, "group") if part in told or part == "group")


def _told_by(fmt: Format) -> frozenset[str]:
    """The parts of a key that an order of a file has as it was written: what the format carries, the brand, and the
    group where the format neither carries nor drops it, since an order that is part of a split one is refused then."""
    if "key" in fmt.carried:
        return frozenset(keys.KEY_PARTS)
    return fmt.carried | {"brand"} | ({"group"} - set(fmt.lost))


def _sha256(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def load_agreement(path: str | Path = ".") -> Agreement:
    """The agreement of a folder or file, with the local.toml beside it where there is one.

    Raises FallbackError ``agreement-missing``, ``agreement-invalid`` or ``local-invalid``, naming every wrong place.
    """
    file = Path(path)
    if file.is_dir():
        file = file / "agreement.toml"
    if not file.is_file():
        raise FallbackError(
            "agreement-missing",
            f"there is no agreement at {file}",
            hint="go to its folder, name it, or make one with `fallback init DIR`",
        )
    agreement = read_toml(file, Agreement, "agreement-invalid")
    beside = file.parent / "local.toml"
    local = read_toml(beside, Local, "local-invalid") if beside.is_file() else None
    return agreement.at(file.parent.resolve(), local, file.read_text("utf-8"))
