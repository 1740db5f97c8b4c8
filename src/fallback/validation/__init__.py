"""Validation: may this file be loaded, and which of its orders? The warehouse's answer before its loader's."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from fallback.documents.base import MANIFEST_SUFFIX, Counts
from fallback.documents.report import Rejected, Report, Verdict
from fallback.errors import WrongUse
from fallback.findings import Finding, Place
from fallback.formats.assemble import ReadOrder, finding_order
from fallback.formats.pair import names_of
from fallback.formats.read import ReadFile, read
from fallback.formats.spec import Format
from fallback.validation.checks import Terms, against_manifest, against_terms, doubled, markers, of_file
from fallback.validation.damage import diagnose, rewritten, silent
from fallback.validation.parts import Parts, open_parts
from fallback.validation.screen import screened

if TYPE_CHECKING:
    from fallback.agreement import Agreement
    from fallback.documents.manifest import Manifest

__all__ = ["validate"]


def validate(
    source: bytes | Mapping[str, bytes] | str | Path,
    *,
    agreement: Agreement | None = None,
    format: Format | None = None,
    manifest: Manifest | None = None,
    name: str | None = None,
    skus: Collection[str] | None = None,
    show_values: bool = False,
    max_findings: int | None = None,
) -> Report:
    """Validate one fallback file.

    Args:
        source: the file's bytes, or its path. Of a pair the bytes of each file by its role, or the path of either: the
            other is found by the manifest, else by its name.
        agreement: the terms; gives the format, keys and limits. Without it, ``format`` is needed.
        format: the format, where there is no agreement.
        manifest: what the sender declares. With a path and none given, ``NAME.manifest.json`` beside it is read.
        name: the file's name where ``source`` is bytes.
        skus: the warehouse's item list; None skips the check.
        show_values: whether findings may show a customer's values.
        max_findings: how many findings of each code are listed; all are counted in ``totals``. None lists all.

    Returns a Report: ``orders`` may be loaded, and every order that may not is in ``rejected``. A large file without a
    manifest is screened (``validation.screen``); its orders are made when they are asked for. Raises FallbackError
    ``file-unreadable`` where there is no file, ``document-unreadable`` where the manifest is damaged.
    """
    if agreement is None and format is None:
        raise WrongUse("wrong-use", "validation needs an agreement or a format")
    fmt = format or agreement.open_format()  # type: ignore[union-attr]  # one of the two is there
    if manifest is None and not isinstance(source, Mapping) and not _beside(source):
        large = screened(
            Path(source) if isinstance(source, str) else source,
            format=fmt,
            agreement=agreement,
            name=name or ("" if isinstance(source, bytes) else Path(source).name),
            skus=skus,
            show_values=show_values,
            max_findings=max_findings,
        )
        if large is not None:
            return large
    parts = _open(source, fmt, name, manifest)
    manifest, title, data = parts.manifest, parts.title, parts.joined
    codes = agreement.codes if agreement else None
    terms = Terms(fmt, agreement, manifest, title, frozenset(skus) if skus is not None else None)
    defaults = {} if "brand" in fmt.carried else {"brand": terms.brand}
    most = agreement.limits.max_orders_per_file if agreement else None
    content = read(
        fmt, parts.data, name=parts.names, codes=codes, defaults=defaults, show_values=show_values, most_orders=most
    )
    orders = content.orders
    about_file = [*content.findings, *of_file(parts, len(orders), terms)]
    about_file += silent(parts, fmt, about_file)
    damaged = rewritten(orders, data, fmt)  # ids that have lost their digits are alike, and not the same order
    legible = {i: order for i, order in enumerate(orders) if i not in damaged}
    apart = (damaged, markers(orders, terms), doubled(legible, terms))
    judged = [
        (
            order,
            [
                *order.findings,
                *against_terms(order, terms),
                *(found[i] for found in apart if i in found),
                *against_manifest(order, terms),
            ],
        )
        for i, order in enumerate(orders)
    ]
    if _UNCOUNTED.isdisjoint(finding.code for finding in about_file):
        about_file += _whole(content, terms)
    # Orders of the wrong state share one finding: it is the file that is wrong.
    findings = list(dict.fromkeys(about_file + [finding for _, found in judged for finding in found]))
    report = _report(content, judged, findings, terms, parts)
    return report if max_findings is None else report.shortened(max_findings)


# The other bytes, or the part of them that was read, hold another number of orders: that is one cause.
_UNCOUNTED = frozenset(
    ("file-hash-differs", "file-size-differs", "part-missing", "orders-over-limit", "findings-over-limit")
)


def _beside(source: bytes | str | Path) -> bool:
    """Whether there is a manifest beside the file."""
    return not isinstance(source, bytes) and Path(f"{source}{MANIFEST_SUFFIX}").is_file()


def _open(
    source: bytes | Mapping[str, bytes] | str | Path, fmt: Format, name: str | None, manifest: Manifest | None
) -> Parts:
    if isinstance(source, str | Path):
        parts = open_parts(Path(source), fmt, manifest)
        return parts if name is None else Parts(parts.data, {**parts.names, fmt.roles[0]: name}, parts.manifest)
    names = names_of(fmt, name or (manifest.files[0].name if manifest is not None else ""))
    return Parts(source if isinstance(source, Mapping) else {fmt.roles[0]: source}, names, manifest)


def _whole(content: ReadFile, terms: Terms) -> list[Finding]:
    """Another number of orders, lines or units than declared. Damaged orders count as orders: they have their words."""
    if terms.manifest is None:
        return []
    from fallback.documents.manifest import hash_total  # loaded already where there is a manifest

    declared = terms.manifest.counts
    orders = [order.order for order in content.orders if order.order is not None]
    counted = Counts(
        orders=len(content.orders), lines=sum(len(o.lines) for o in orders), units=sum(o.units for o in orders)
    )
    if counted.orders == declared.orders > len(orders):
        return []
    words = "{0.orders:,} orders, {0.lines:,} lines, {0.units:,} units, hash total {1}"
    total = hash_total(order.order_number for order in orders)
    if (counted, total) == (declared, terms.manifest.hash_total):
        return []
    found, expected = words.format(counted, total), words.format(declared, terms.manifest.hash_total)
    return [Finding("count-differs", Place(terms.file), found=found, expected=expected)]


def _report(
    content: ReadFile,
    judged: list[tuple[ReadOrder, list[Finding]]],
    findings: list[Finding],
    terms: Terms,
    parts: Parts,
) -> Report:
    refused = any(finding.refuses_file for finding in findings)
    all_or_nothing = terms.agreement is not None and terms.agreement.format.load_mode == "all-or-nothing"
    if all_or_nothing and any(finding.is_error for finding in findings):
        refused = True
    accepted: list[ReadOrder] = []
    rejected: list[Rejected] = []
    for order, found in judged:
        codes = tuple(dict.fromkeys(finding.code for finding in found if finding.is_error))
        if order.order is not None and not codes and not refused:
            accepted.append(order)
        else:
            key = None if order.shifted else terms.key_of(order)
            rejected.append(Rejected(order.number, key, codes or ("file-refused",)))
    verdict: Verdict = "rejected" if refused or not accepted else "partial" if rejected else "accepted"
    orders = tuple(order.order for order in accepted if order.order is not None)
    return Report(
        file=terms.file,
        format=terms.format.name,
        verdict=verdict,
        orders=orders,
        keys=tuple(terms.key(order) for order in orders),
        rejected=tuple(rejected),
        findings=tuple(finding_order(findings)),
        diagnosis=diagnose(parts, terms.format, findings, orders=len(judged), records=content.records, skus=terms.skus),
        records=content.records,
        sha256=parts.sha256,
        bytes=len(parts.joined),
    )
