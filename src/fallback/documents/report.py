"""The report: what validation found in one fallback file, and which orders may be loaded."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from fallback.documents.diagnosis import Diagnosis
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
    them, in the same order. ``findings`` are sorted by place; where there are many, the first ones of each code are
    listed, and ``totals`` has how many there are of each. ``records`` counts data rows.

    ``orders``, ``keys`` and ``rejected`` are tuples, or of a large file ``Lazy`` sequences, which read the file again
    when their members are asked for. ``counted`` are the lines and units of ``orders`` where they were counted already,
    ``found`` the totals where not all findings are listed.
    """

    file: str
    format: str
    verdict: Verdict
    orders: Sequence[Order] = ()
    keys: Sequence[str] = ()
    rejected: Sequence[Rejected] = ()
    findings: tuple[Finding, ...] = ()
    diagnosis: tuple[Diagnosis, ...] = ()
    records: int = 0
    sha256: str = ""
    bytes: int = 0
    counted: tuple[int, int] | None = None
    found: Mapping[str, int] | None = None

    @property
    def lines(self) -> int:
        """How many lines the orders have that may be loaded."""
        return self.counted[0] if self.counted is not None else sum(len(order.lines) for order in self.orders)

    @property
    def units(self) -> int:
        """How many units the orders have that may be loaded."""
        return self.counted[1] if self.counted is not None else sum(order.units for order in self.orders)

    @property
    def totals(self) -> Mapping[str, int]:
        """How many findings there are of each code, those that are not listed too."""
        return self.found if self.found is not None else Counter(finding.code for finding in self.findings)

    def shortened(self, most: int) -> Report:
        """The same report with so many findings of each code at the most; all of them are counted in ``totals``."""
        seen: Counter[str] = Counter()
        kept = []
        for finding in self.findings:
            seen[finding.code] += 1
            if seen[finding.code] <= most:
                kept.append(finding)
        return self if len(kept) == len(self.findings) else replace(self, findings=tuple(kept), found=self.totals)

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
                "lines": self.lines,
                "units": self.units,
                "accepted": len(self.orders),
                "rejected": len(self.rejected),
            },
            "diagnosis": [one.document() for one in self.diagnosis],
            "totals": dict(sorted(self.totals.items())),
            "findings": [
                # Of a pair the other file is named: the line is one of that file.
                finding.document() | ({"file": name} if (name := finding.place.file) not in ("", self.file) else {})
                for finding in self.findings
            ],
        }
