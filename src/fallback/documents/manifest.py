"""The manifest: what the brand declares about one fallback file. It lies beside it as ``NAME.manifest.json``."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from fallback.documents.base import (
    MANIFEST_SUFFIX,
    AgreementRef,
    Counts,
    Document,
    FormatRef,
    Moment,
    Part,
    State,
    joint_sha256,
)
from fallback.records.values import Fingerprint

SafeName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,149}$")]
"""A file name and nothing else: no folder, no link, no white space, at most 150 characters."""


class FileEntry(Part):
    """One file of the fallback file: its name, its role (``orders``, ``lines``), size in bytes and SHA-256."""

    name: SafeName
    role: str = "orders"
    bytes: int
    sha256: Fingerprint


class DeclaredOrder(Part):
    """One order in the file, by key; no customer data."""

    key: str
    revision: int
    fingerprint: Fingerprint
    ship_by: Moment | None = None


class ExcludedOrder(Part):
    """One order of the platform's population that is not in the file, and why."""

    key: str
    code: str


class Integration(Part):
    """What the brand says of the integration at export: ``paused`` or ``down`` need who confirmed it, and when."""

    state: Literal["down", "paused", "live"] = "live"
    confirmed_by: str | None = None
    at: Moment | None = None

    @model_validator(mode="after")
    def _confirmed(self) -> Self:
        if self.state != "live" and (self.at is None or not (self.confirmed_by or "").strip()):
            raise ValueError("a paused or silent integration is confirmed by a person, at an instant")
        return self


class Manifest(Document):
    """``fallback.manifest/1``: included and excluded orders together are the population."""

    schema_: Literal["fallback.manifest/1"] = Field(default="fallback.manifest/1", alias="schema")
    file_id: SafeName
    state: State
    drill_id: str | None = None
    sequence: int = Field(ge=1)
    created_at: Moment
    agreement: AgreementRef
    format: FormatRef
    files: tuple[FileEntry, ...] = Field(min_length=1)
    counts: Counts
    hash_total: str
    orders: tuple[DeclaredOrder, ...]
    excluded: tuple[ExcludedOrder, ...] = ()
    population: int
    integration: Integration = Integration()

    @model_validator(mode="after")
    def _adds_up(self) -> Self:
        if len({order.key for order in self.orders}) < len(self.orders):
            raise ValueError("an order is declared twice")
        if len({file.name for file in self.files}) < len(self.files):
            raise ValueError("a file is named twice")
        if self.counts.orders != len(self.orders):
            raise ValueError("the count of orders is not the number of orders declared")
        if len(self.orders) + len(self.excluded) != self.population:
            raise ValueError("included and excluded orders are not the population")
        return self

    @property
    def name(self) -> str:
        """The name of the manifest's own file."""
        return self.files[0].name + MANIFEST_SUFFIX

    @property
    def sha256(self) -> str:
        """The hash of the whole fallback file, see ``joint_sha256``."""
        return joint_sha256([file.sha256 for file in self.files])

    @property
    def size(self) -> int:
        """How many bytes all its files have."""
        return sum(file.bytes for file in self.files)


def hash_total(order_numbers: Iterable[str]) -> str:
    """The sum of the digits-only order numbers modulo 10^10 (the idea of NACHA's entry hash), as text."""
    total = 0
    for number in order_numbers:
        digits = "".join(c for c in number if c in "0123456789")
        total += int(digits[-10:]) if digits else 0
    return str(total % 10**10)
