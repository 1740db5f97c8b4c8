"""The reconciliation: platform against warehouse, by key."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from fallback.documents.base import Document, Moment, Part

Verdict = Literal["clear", "in-flight", "late", "due", "unknown"]
EXIT_CODES: dict[Verdict, int] = {"clear": 0, "in-flight": 0, "late": 1, "due": 5, "unknown": 6}


class Difference(Part):
    """One key on which the two sides disagree."""

    key: str
    kind: Literal["missing", "extra", "fingerprint", "doubled"]
    found: str | None = None


class Reconciliation(Document):
    """``fallback.reconciliation/1``. ``unknown`` is an alarm, never "fine"; ``reasons`` say why."""

    schema_: Literal["fallback.reconciliation/1"] = Field(default="fallback.reconciliation/1", alias="schema")
    verdict: Verdict
    at: Moment
    wms_as_of: Moment | None = None
    due_at: Moment | None = None
    missing: tuple[str, ...] = ()
    differences: tuple[Difference, ...] = ()
    reasons: tuple[str, ...] = ()
    counts: dict[str, int] = {}

    @property
    def exit_code(self) -> int:
        """By the verdict; 1 where nothing is missing and the sides differ. An extra order alone is no difference that
        needs anybody: the warehouse's list holds those that were shipped."""
        return EXIT_CODES[self.verdict] or int(any(one.kind != "extra" for one in self.differences))
