"""The report: what validation found in one fallback file, and which orders may be loaded."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from fallback.findings import Finding
from fallback.records.order import Order

Verdict = Literal["accepted", "partial", "rejected"]


@dataclass(frozen=True, slots=True)
class Rejected:
    """An order that may not be loaded: its number as the file says, its key where it could be computed, and why."""

    order: str
    key: str | None
    codes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Report:
    """What validation found.

    ``orders`` are those that may be loaded, in the order of the file; ``keys`` their keys where an agreement gives
    them, in the same order. ``findings`` are sorted by place. ``records`` counts data rows.
    """

    file: str
    format: str
    verdict: Verdict
    orders: tuple[Order, ...] = ()
    keys: tuple[str, ...] = ()
    rejected: tuple[Rejected, ...] = ()
    findings: tuple[Finding, ...] = ()
    diagnosis: tuple[str, ...] = ()
    records: int = 0
    sha256: str = ""
    bytes: int = 0

    @property
    def refused_file(self) -> bool:
        """Whether the file as a whole was refused."""
        return any(finding.refuses_file for finding in self.findings)

    @property
    def exit_code(self) -> int:
        """0 when every order may be loaded, else 1."""
        return 0 if self.verdict == "accepted" else 1

    def document(self) -> dict[str, Any]:
        """The report as ``fallback.report/1``."""
        return {
            "schema": "fallback.report/1",
            "file": self.file,
            "format": self.format,
            "verdict": self.verdict,
            "counts": {
                "records": self.records,
                "orders": len(self.orders) + len(self.rejected),
                "lines": sum(len(order.lines) for order in self.orders),
                "units": sum(order.units for order in self.orders),
                "accepted": len(self.orders),
                "rejected": len(self.rejected),
            },
            "diagnosis": list(self.diagnosis),
            "findings": [
                # Of a pair the other file is named: the line is one of that file.
                finding.document() | ({"file": name} if (name := finding.place.file) not in ("", self.file) else {})
                for finding in self.findings
            ],
        }
