"""What happened to this file? One sentence for many findings, with the lines that prove it; never a silent repair."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import replace
from functools import lru_cache
from itertools import islice
from typing import TYPE_CHECKING

from fallback.documents.diagnosis import Diagnosis
from fallback.findings import Finding, Place
from fallback.formats.spec import Format
from fallback.validation.damage.evidence import Evidence
from fallback.validation.damage.identifiers import rewritten
from fallback.validation.damage.letters import garbled

if TYPE_CHECKING:
    from fallback.validation.damage.values import Mark
    from fallback.validation.parts import Parts

__all__ = ["diagnose", "evidence_of", "rewritten", "silent"]

MOST_FINDINGS = 20_000
"""So many findings are looked at: more of them say nothing new about the file as a whole."""
MOST_DIAGNOSES = 3

_PAPERS = frozenset(("manifest-absent", "agreement-stale", "agreement-differs", "orders-over-limit", "marker-wrong",
                     "brand-wrong", "units-over-limit", "part-missing", "uncounted"))  # fmt: skip
"""What is wrong with the papers or the orders, and not with the bytes."""

_Look = Callable[[Evidence], Diagnosis | None]


@lru_cache(maxsize=1)
def _stages() -> tuple[tuple[_Look, ...], ...]:
    """Each stage is asked in turn, and the first diagnosis of a stage stands for it. What stands instead of the file
    comes first, what explains the most next. A file that needs no diagnosis loads none of it."""
    from fallback.validation.damage import instead, layout, transfer, values

    return (
        (instead.empty, instead.stranger),
        (transfer.nul_bytes, transfer.encoding),
        (transfer.old_mac,),
        (layout.swapped,),
        (transfer.twice, transfer.repeated, transfer.cut),
        (values.saved,),
        (layout.shifted, instead.other_format),
        (layout.sorted_rows,),
        (layout.quotes, layout.broken, layout.separators),
        (transfer.line_ends,),
        (transfer.letters,),
    )


def _last() -> tuple[_Look, ...]:
    """What is said where nothing else explains the findings."""
    from fallback.validation.damage import layout, transfer

    return (layout.one_column, transfer.shorter)


_FINAL = frozenset(
    (
        *("query-empty", "error-page", "workbook", "other-document", "other-format", "other-version", "header-lost"),
        *("columns-shifted", "columns-swapped", "file-doubled", "files-joined", "quotes-lost", "line-ends-changed"),
        *("rows-sorted", "rows-broken", "delimiter-other"),
    )
)
"""After these, rows tell nothing more: they are of something else, or not where they were."""


_LOOKED_AT = 100_000


def silent(parts: Parts, fmt: Format, findings: Iterable[Finding]) -> list[Finding]:
    """Damage that no rule of the format can see: garbled or lost letters, identifiers taken for numbers, and names in
    the header that have changed places without their cells. Some megabytes of bytes and some rows are looked at."""
    found = []
    moved = [finding for finding in findings if finding.code == "column-moved"]
    for role, data in parts.data.items():
        place = Place(parts.name(role), 1)
        for offset, said in _letters(data, fmt):
            at = Place(place.file, data.count(b"\n", 0, offset) + 1)
            found.append(Finding("text-garbled", at, found=said, expected=f"{fmt.encoding} text"))
        if (mark := _taken(parts, fmt, role)) is not None:
            at = Place(place.file, mark.lines[0])
            found.append(
                Finding("numbers-rewritten", at, found=mark.words, expected="identifiers as the shop has them")
            )
        if moved and (swap := _swapped(evidence_of(parts, fmt, moved, role))):
            found.append(Finding("columns-swapped", place, found=swap, expected="the agreed header"))
    return found


def _letters(data: bytes, fmt: Format) -> Iterator[tuple[int, str]]:
    """Where letters are garbled or lost, and what is said of it; at most once."""
    if (text := garbled(data, fmt)) is not None:
        yield (text.offsets or (0,))[0], f"{text.pieces:,} pieces of garbled letters"
    elif fmt.encoding.startswith("utf-8") and data[:4_000_000].count(_LOST) > 2:
        yield data.index(_LOST), "marks that stand for lost letters"


_LOST = "\ufffd".encode()


def _taken(parts: Parts, fmt: Format, role: str) -> Mark | None:
    if fmt.kind != "delimited":
        return None
    from fallback.validation.damage.values import taken

    data = parts.data[role]
    head = data if len(data) <= _LOOKED_AT else data[: data.rfind(b"\n", 0, _LOOKED_AT) + 1]
    return taken(Evidence(head, fmt.part(role), ()))


def _swapped(evidence: Evidence) -> str | None:
    from fallback.validation.damage.layout import swapped

    look = swapped(evidence) if evidence.findings else None
    return (
        look.sentence if look is not None and look.name == "columns-swapped" and look.confidence != "possible" else None
    )


def diagnose(
    parts: Parts,
    fmt: Format,
    findings: Iterable[Finding],
    *,
    orders: int | None = None,
    records: int | None = None,
    skus: Collection[str] | None = None,
) -> tuple[Diagnosis, ...]:
    """What happened to the file as a whole, each cause once; empty where no finding calls for it.

    ``orders`` and ``records`` are how many were read of it; ``skus`` the warehouse's item list.
    """
    known = [finding for finding in islice(findings, MOST_FINDINGS) if finding.code not in _PAPERS]
    if not known:
        return ()
    said: list[Diagnosis] = []
    for role in parts.data:
        one = evidence_of(parts, fmt, known, role, orders=orders, records=records, skus=skus)
        if one.findings:
            name = parts.name(role) if len(parts.data) > 1 else ""
            said += [replace(diagnosis, file=name) for diagnosis in _looked(one)]
    return tuple(said)


def evidence_of(
    parts: Parts,
    fmt: Format,
    findings: Iterable[Finding],
    role: str,
    *,
    orders: int | None = None,
    records: int | None = None,
    skus: Collection[str] | None = None,
) -> Evidence:
    """What is to be looked at in one file. Of a pair its own findings count, and no number of orders."""
    alone = len(parts.names) == 1
    entry = parts.declared(role)
    return Evidence(
        data=parts.data[role],
        fmt=fmt.part(role),
        findings=[one for one in findings if alone or one.place.file == parts.name(role)],
        declared=entry.bytes if entry else None,
        manifest=parts.manifest,
        orders=orders if alone else None,
        records=records if alone else None,
        skus=frozenset(skus) if skus is not None else None,
    )


def _looked(evidence: Evidence) -> list[Diagnosis]:
    said: list[Diagnosis] = []
    for stage in _stages():
        diagnosis = next((found for look in stage if (found := look(evidence)) is not None), None)
        if diagnosis is not None:
            said.append(diagnosis)
            if diagnosis.name in _FINAL:
                break
    if not said:
        said = [found for look in _last() if (found := look(evidence)) is not None]
    return said[:MOST_DIAGNOSES]
