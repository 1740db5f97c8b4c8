"""Repair where it is provable: a new file whose cells are those of the damaged one, under the agreed layout.

Only what stands around the values is changed: encoding, byte order mark, delimiter, quotation marks, line ends, the
order of columns. What was done counts only if the new file proves it: by the hash that the manifest names, else by a
validation that finds less and loses no order.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from fallback.documents.report import Report
from fallback.errors import WrongUse
from fallback.formats.kinds import kind_of
from fallback.formats.kinds.envelope import Envelope
from fallback.formats.kinds.rows import Fault, Row
from fallback.formats.spec import Format
from fallback.validation import validate
from fallback.validation.damage import evidence_of
from fallback.validation.damage.evidence import DELIMITERS, Evidence
from fallback.validation.damage.letters import ENCODING_NAMES, encodings, garbled, ungarble
from fallback.validation.damage.values import lost_values
from fallback.validation.parts import Parts, open_parts

if TYPE_CHECKING:
    from fallback.agreement import Agreement
    from fallback.documents.manifest import Manifest

Proof = Literal["hash", "validation"]

_ENDS = {"\n": "LF", "\r\n": "CR LF", "\r": "CR"}


@dataclass(frozen=True, slots=True)
class Repair:
    """What a repair came to.

    ``data`` is the new file, None where nothing is provable or nothing is wrong. ``done`` says what was changed,
    ``left`` what was not and why. ``proven``: ``hash``, the bytes are those that the manifest names; ``validation``,
    less is found and no order is lost. ``before`` and ``after`` are the two reports.
    """

    file: str
    before: Report
    data: bytes | None = None
    done: tuple[str, ...] = ()
    left: tuple[str, ...] = ()
    proven: Proof | None = None
    after: Report | None = None

    @property
    def exit_code(self) -> int:
        """0 where the file, new or as it was, is valid; else 1."""
        report = self.after or self.before
        return 1 if report.exit_code or (self.left and self.data is None) else 0

    def document(self, out: str | None) -> dict[str, Any]:
        """The repair as ``fallback.repair/1``; ``out`` is the new file's name."""
        return {
            "schema": "fallback.repair/1",
            "file": self.file,
            "out": out,
            "sha256": hashlib.sha256(self.data).hexdigest() if self.data is not None else None,
            "proven": self.proven,
            "done": list(self.done),
            "left": list(self.left),
            "diagnosis": [one.document() for one in self.before.diagnosis],
            "before": _counts(self.before),
            "after": _counts(self.after) if self.after else None,
        }


def _counts(report: Report) -> dict[str, Any]:
    return {
        "verdict": report.verdict,
        "findings": len(report.findings),
        "accepted": len(report.orders),
        "rejected": len(report.rejected),
    }


def repair(
    path: str | Path,
    *,
    agreement: Agreement | None = None,
    format: Format | None = None,
    manifest: Manifest | None = None,
    skus: Collection[str] | None = None,
) -> Repair:
    """Repair one file where that is provable; nothing is written. Of a pair, the file that is named.

    Args:
        path: the damaged file. With no manifest given, ``NAME.manifest.json`` beside it is read.
        agreement: the terms; gives the format, keys and limits. Without it, ``format`` is needed.
        format: the format, where there is no agreement.
        manifest: what the sender declared; its hash is the best proof there is.
        skus: the warehouse's item list.

    Raises FallbackError ``file-unreadable`` where there is no file.
    """
    if agreement is None and format is None:
        raise WrongUse("wrong-use", "a repair needs an agreement or a format")
    fmt = format or agreement.open_format()  # type: ignore[union-attr]  # one of the two is there
    parts = open_parts(Path(path), fmt, manifest)
    role = next((role for role, name in parts.names.items() if name == Path(path).name), fmt.roles[0])

    def judged(data: Mapping[str, bytes]) -> Report:
        return validate(
            data, agreement=agreement, format=fmt, manifest=parts.manifest, name=parts.title, skus=skus
        )  # fmt: skip

    before = judged(parts.data)
    evidence = evidence_of(
        parts, fmt, before.findings, role, orders=len(before.orders) + len(before.rejected), skus=skus
    )
    plain = Repair(parts.name(role), before)
    if not [finding for finding in before.findings if finding.code != "manifest-absent"]:
        return plain
    if fmt.wrapper is not None:
        return replace(plain, left=("a packed file is not repaired: ask for it again",))
    tries = [one for one in _tries(evidence) if one.data != parts.data[role]]
    if evidence.declared is not None:
        return _by_hash(plain, tries, parts, role, judged)
    return _by_validation(plain, tries, evidence, parts, role, judged)


_Judge = Any


def _by_hash(plain: Repair, tries: list[_Try], parts: Parts, role: str, judged: _Judge) -> Repair:
    """The try that gives the very bytes that were sent; there is no better proof, and none else is needed."""
    entry = parts.declared(role)
    if entry is not None and hashlib.sha256(parts.data[role]).hexdigest() == entry.sha256:
        return replace(plain, left=("the bytes are those that were sent: what is wrong was so before it was sent",))
    for one in tries:
        if entry is not None and hashlib.sha256(one.data).hexdigest() == entry.sha256:
            after = judged({**parts.data, role: one.data})
            return replace(plain, data=one.data, done=one.done, proven="hash", after=after)
    words = "no repair of the layout gives the bytes that the manifest names: values have changed too, or are lost"
    return replace(plain, left=(words,))


def _by_validation(
    plain: Repair, tries: list[_Try], evidence: Evidence, parts: Parts, role: str, judged: _Judge
) -> Repair:
    """The try after which least is found; where two readings of the letters are possible, neither is proven."""
    if lost := lost_values(evidence):
        return replace(plain, left=(f"values were rewritten, and cannot be brought back: {'; '.join(lost)}",))
    if _VALUES.intersection(one.name for one in plain.before.diagnosis):
        words = "a program has taken the cells for its own: without a manifest nobody can prove that no zero is lost"
        return replace(plain, left=(words,))
    if beyond := [one.name for one in plain.before.diagnosis if one.name not in _MENDABLE]:
        return replace(plain, left=(f"another layout does not undo what happened to it: {', '.join(beyond)}",))
    if len({one.letters for one in tries}) > 1:
        names = " or ".join(sorted({ENCODING_NAMES.get(one.letters, one.letters) for one in tries if one.letters}))
        return replace(plain, left=(f"the letters could be {names}: without a manifest nobody can tell",))
    best, found = None, _merit(plain.before)
    for one in tries:
        report = judged({**parts.data, role: one.data})
        if _merit(report) > found and _keeps(plain.before, report, one.healed):
            best, found = (one, report), _merit(report)
    if best is None:
        return replace(plain, left=("nothing of what is wrong can be repaired provably",))
    one, after = best
    left = ["values are those of the damaged file: without a manifest nobody can prove that none was changed"]
    if after.exit_code or after.findings:
        number = len(after.findings)
        left.append(f"{number:,} {'finding is' if number == 1 else 'findings are'} left")
    return replace(plain, data=one.data, done=one.done, left=tuple(left), proven="validation", after=after)


_VALUES = frozenset(("spreadsheet-saved", "taken-for-numbers"))
_MENDABLE = frozenset(
    (
        *(
            "encoding-other",
            "delimiter-other",
            "editor-saved",
            "line-ends-changed",
            "columns-reordered",
            "quotes-added",
        ),
        *("text-garbled", "letters-lost", "column-damaged", "separators-damaged", "quotes-damaged", "bytes-changed"),
    )
)
"""What another layout undoes, and what stays as it is beside it, with its findings."""


def _merit(report: Report) -> tuple[int, int, int]:
    """Orders that may be loaded, then orders that were read, then how little is found."""
    return len(report.orders), len(report.orders) + len(report.rejected), -len(report.findings)


def _keeps(before: Report, after: Report, healed: str) -> bool:
    """Whether every order that was good is good still, and the same but for letters that were undone."""
    there = {order.model_dump_json() for order in after.orders} if before.orders else set()
    were = (order.model_dump_json() for order in before.orders)
    return all((ungarble(text, healed) if healed and not text.isascii() else text) in there for text in were)


# --- what can be tried


@dataclass(frozen=True, slots=True)
class _Try:
    """One new file, what was done for it, the encoding its letters were read in where that is a guess, and the one that
    garbled letters were undone by."""

    data: bytes
    done: tuple[str, ...]
    letters: str = ""
    healed: str = ""


def _tries(evidence: Evidence) -> Iterator[_Try]:
    """New files, those that change least first."""
    for text, done, letters, healed in _texts(evidence):
        for body, more in _bodies(text, evidence):
            data = _encoded(body, evidence.fmt)
            if data is not None:
                yield _Try(data, (*done, *more), letters, healed)


def _encoded(text: str, fmt: Format) -> bytes | None:
    try:
        return text.encode(fmt.encoding)
    except UnicodeEncodeError:
        return None


def _texts(evidence: Evidence) -> Iterator[tuple[str, tuple[str, ...], str, str]]:
    """The text of the file in every reading that makes sense, with what was done to have it; then the encoding that is
    a guess, and the one that garbled letters were undone by."""
    data, fmt = evidence.data, evidence.fmt
    mark = ("removed the byte order mark",) if evidence.bom and fmt.encoding != "utf-8-sig" else ()
    if evidence.wide:
        text = data.decode(evidence.wide, "replace").removeprefix("\ufeff")
        if "\ufffd" not in text:
            yield text, (f"read as UTF-16, written as {fmt.encoding}",), "", ""
        return
    agreed = "utf-8" if fmt.encoding == "utf-8-sig" else fmt.encoding
    readings: list[tuple[str, str]] = [(agreed, "")]
    if evidence.has("encoding-wrong"):
        countries = {text for _, text in evidence.columns.get("ship_to.country", ())}
        readings = [("utf-8", "")] if agreed != "utf-8" else []
        readings += [(name, name) for name in encodings(data, countries)] if agreed == "utf-8" else []
    for name, guess in readings:
        try:
            text = evidence.content.decode(name)
        except UnicodeDecodeError:
            continue
        done = mark if name == agreed else (*mark, f"read as {ENCODING_NAMES[name]}, written as {fmt.encoding}")
        yield text, done, guess, ""
        found = garbled(evidence.data, fmt) if name == agreed else None
        healed = ungarble(text, found.encoding) if found is not None and found.entirely else None
        if found is not None and healed is not None:
            undid = f"undid letters that were read as {ENCODING_NAMES[found.encoding]}"
            yield healed, (*done, undid), "", found.encoding


def _bodies(text: str, evidence: Evidence) -> Iterator[tuple[str, tuple[str, ...]]]:
    """A text as it is, with the agreed line ends, and with its rows written anew."""
    yield text, ()
    fmt, end = evidence.fmt, evidence.fmt.newline_text
    ended = (f"lines end with {_ENDS[end]}",)
    if fmt.kind != "delimited":
        unified = text.replace("\r\n", "\n").replace("\r", "\n").replace("\n", end)
        if unified != text:
            yield unified, ended
        return
    for body in dict.fromkeys((_old_ends(text), text.replace("\r\n", "\n"))):
        rows = _rows(body, evidence)
        if rows is not None:
            made = "".join(kind_of(fmt).write(((row.type, row.cells) for row in rows), fmt, Envelope()))
            if made != text:
                yield made, _layout(text, made, evidence)


_OUTSIDE = re.compile(r'"[^"]*"|\r(?!\n)')


def _old_ends(text: str) -> str:
    """CR alone as a line end outside of quotation marks becomes LF."""
    bare = text.count("\r") - text.count("\r\n")
    return _OUTSIDE.sub(lambda found: "\n" if found[0] == "\r" else found[0], text) if bare > 1 else text


def _rows(text: str, evidence: Evidence) -> list[Row] | None:
    """The rows of a text by what really parts its cells, in the agreed order of columns; None where one is damaged or
    the text has more than rows: what cannot be written again as it was."""
    fmt = evidence.fmt
    terms = fmt.delimited
    if any(field.guard for field in fmt.all_fields) or (terms.comment and f"\n{terms.comment}" in f"\n{text}"):
        return None
    if evidence.headed and sorted(evidence.names) != sorted(evidence.titles):
        return None
    quoting = "minimal" if terms.quoting == "none" and '"' in text else terms.quoting
    dialect = terms.model_copy(update={"delimiter": evidence.delimiter, "quoting": quoting, "line_breaks": "allow"})
    # A copy of its own: what a format remembers of itself goes along with the plain one.
    said = {name: getattr(fmt, name) for name in type(fmt).model_fields} | {"delimited": dialect}
    rows: list[Row] = []
    for item in kind_of(fmt).read(text, Format(**said)):
        if isinstance(item, Row):
            rows.append(item)
        elif not _harmless(item):
            return None
    writable = kind_of(fmt).writable
    return rows if rows and all(writable(cell, fmt) for row in rows for cell in row.cells) else None


def _harmless(fault: Fault) -> bool:
    return fault.code in ("line-ends", "line-ends-mixed", "column-moved")


def _layout(text: str, made: str, evidence: Evidence) -> tuple[str, ...]:
    """What was done to the layout of rows."""
    fmt, done = evidence.fmt, []
    agreed = fmt.delimited.delimiter
    if evidence.delimiter != agreed:
        here, there = (DELIMITERS.get(mark, mark) for mark in (evidence.delimiter, agreed))
        done.append(f"cells are separated by {there} instead of {here}")
    if evidence.headed and evidence.names != evidence.titles:
        done.append("columns stand in the agreed order")
    if text.count("\r\n") != made.count("\r\n") or text.count("\r") != made.count("\r"):
        done.append(f"lines end with {_ENDS[fmt.newline_text]}")
    if text.count('"') != made.count('"'):
        done.append("quotation marks stand where the format has them")
    return tuple(done)
