"""The journal of a drill: what was done, by which side, when, and what it proved."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from fallback.documents.base import AgreementRef, Document, Moment, Part, State

Side = Literal["brand", "warehouse"]


class Event(Part):
    """One thing that happened. ``source`` says how the time was obtained."""

    n: int
    at: Moment
    side: Side
    step: str
    text: str
    source: Literal["tool", "human"] = "tool"
    artefact: str | None = None
    sha256: str | None = None


class Commitment(Part):
    """One commitment of the agreement against what the drill took, in seconds."""

    id: str
    owner: str
    start: str
    end: str
    limit_s: float
    actual_s: float | None = None

    @property
    def met(self) -> bool:
        return self.actual_s is not None and self.actual_s <= self.limit_s


class Mishap(Part):
    """One injected mishap: the code it must be answered by, and the code that was observed."""

    id: str
    title: str
    expected: str
    observed: str | None = None
    text: str = ""

    @property
    def held(self) -> bool:
        return self.observed == self.expected


class Proof(Part):
    """One statement that the drill proves or refutes, with the numbers it rests on."""

    id: str
    text: str
    holds: bool
    numbers: dict[str, int] = {}


class Journal(Document):
    """``fallback.journal/1``. ``verdict`` is computed by rule from what is in the journal, never typed."""

    schema_: Literal["fallback.journal/1"] = Field(default="fallback.journal/1", alias="schema")
    drill_id: str
    state: State = "drill"
    level: Literal["walkthrough", "loopback", "exchange", "live-hour"] = "loopback"
    started_at: Moment
    ended_at: Moment
    agreement: AgreementRef
    tool: str
    events: tuple[Event, ...]
    commitments: tuple[Commitment, ...]
    mishaps: tuple[Mishap, ...]
    proofs: tuple[Proof, ...]
    verdict: Literal["passed", "failed", "aborted"]
    failures: tuple[str, ...] = ()
