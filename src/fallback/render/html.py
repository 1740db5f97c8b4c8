"""Documents as HTML pages for people who read, print and sign. Each page stands alone: no network, no script.

Jinja2 is imported when a page is made, not before. Everything that comes from a document is escaped, and what is not
printable is made visible, so that no value can add to a page or reorder it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from fallback.documents.journal import Commitment, Journal
from fallback.documents.receipt import Receipt
from fallback.documents.report import Report
from fallback.render import words

if TYPE_CHECKING:
    from jinja2 import Environment

LIMIT_AT = 80
"""Where on a bar the limit stands, in per cent of its width: the last fifth is room for a breach."""


def report_html(report: Report, limit: int = 1000) -> str:
    """What validation found, for the sender; at most ``limit`` findings and rejected orders, the rest counted."""
    findings = sorted(report.findings, key=lambda finding: finding.place)
    return _page(
        "report",
        report=report,
        findings=findings[:limit],
        rejected=report.rejected[:limit],
        more_findings=sum(report.totals.values()) - len(findings[:limit]),
        all_listed=len(findings) == sum(report.totals.values()),
        more_rejected=len(report.rejected[limit:]),
        lines=report.lines,
        units=report.units,
    )


def receipt_html(receipt: Receipt) -> str:
    """The receipt for the shift lead: what did not come in and why, then every accepted order."""
    groups, accepted = words.receipt_groups(receipt)
    return _page("receipt", receipt=receipt, groups=groups, accepted=accepted)


def journal_html(journal: Journal) -> str:
    """The evidence of a drill: verdict, commitments, both sides' timeline, mishaps, proofs, hashes, and where to sign.

    The page names the SHA-256 of the journal's JSON, which binds a signed print to the file.
    """
    return _page(
        "journal",
        journal=journal,
        sha256=hashlib.sha256(journal.to_bytes()).hexdigest(),
        seconds=(journal.ended_at - journal.started_at).total_seconds(),
        bar=bar,
        limit_at=LIMIT_AT,
        scores=(
            ("commitments", "Commitments met", [item.met for item in journal.commitments]),
            ("mishaps", "Mishaps answered as expected", [item.held for item in journal.mishaps]),
            ("proofs", "Proofs that hold", [item.holds for item in journal.proofs]),
        ),
    )


def bar(commitment: Commitment) -> float:
    """The length of a commitment's bar in per cent: at least 1, so that it is seen, at most 100."""
    if commitment.actual_s is None:
        return 0.0
    if commitment.limit_s <= 0:
        return 100.0
    return round(min(100.0, max(1.0, LIMIT_AT * commitment.actual_s / commitment.limit_s)), 1)


def _page(name: str, **content: Any) -> str:
    return _environment().get_template(f"{name}.html.j2").render(words=words, **content)


@lru_cache(maxsize=1)
def _environment() -> Environment:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    return Environment(
        loader=PackageLoader("fallback.render"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_visible,
    )


def _visible(value: Any) -> Any:
    # Macros and blocks give marked-up text, which is escaped already and keeps its line breaks.
    return words.plain(value) if isinstance(value, str) and not hasattr(value, "__html__") else value


def sheet_html(
    title: str,
    subtitle: str,
    sha256: str,
    facts: Sequence[tuple[str, str]],
    fields: Sequence[Mapping[str, str]],
    proofs: Sequence[str],
) -> str:
    """The scope sheet of a format: what holds for the file, every field, what it proves, and where to sign."""
    return _page("sheet", title=title, subtitle=subtitle, sha256=sha256, facts=facts, fields=fields, proofs=proofs)
