"""What happened to this file? One sentence for many findings, with the mark that proves it; never a repair."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from fallback.findings import Finding
from fallback.formats.assemble import ReadOrder
from fallback.formats.spec import Format
from fallback.records.paths import values_of

if TYPE_CHECKING:
    from fallback.validation.parts import Parts

_REWRITTEN = re.compile(r"[0-9](?:[.,][0-9]+)?E\+[0-9]{2,3}")
_SCIENTIFIC = re.compile(rb"(?<![0-9A-Za-z.])[0-9](?:[.,][0-9]+)?E\+[0-9]{2}(?![0-9A-Za-z])")


def rewritten(orders: Sequence[ReadOrder], data: bytes, fmt: Format) -> dict[int, Finding]:
    """The orders with identifiers that a spreadsheet has rewritten as numbers, ``5.55E+12``, by their position: the
    digits are lost, and nothing else would tell. One finding an order, about all its fields that are so."""
    if fmt.kind != "delimited" or (fmt.wrapper is None and b"E+" not in data):
        return {}
    texts = {field.name: info.path for field in fmt.all_fields if (info := field.info) and info.kind == "text"}
    found: dict[int, Finding] = {}
    for index, read in enumerate(orders):
        fields = [name for name, path in texts.items() if read.order and _is_rewritten(values_of(read.order, path))]
        if fields:
            found[index] = Finding(
                "scientific-notation",
                read.place,
                order=read.number,
                field=", ".join(fields),
                found="a number in scientific notation",
                expected="an identifier as the shop has it",
            )
    return found


def _is_rewritten(values: Iterable[str | None]) -> bool:
    return any(value is not None and _REWRITTEN.fullmatch(value) for value in values)


def diagnose(parts: Parts, fmt: Format, findings: Iterable[Finding]) -> tuple[str, ...]:
    """Sentences about damage of the file as a whole; empty where no finding calls for one."""
    errors = [finding for finding in findings if finding.is_error]
    said: dict[str, None] = {}
    for role, data in parts.data.items():
        # What one finding tells of a pair of files it may tell of one only.
        codes = {one.code for one in errors if len(parts.names) == 1 or one.place.file == parts.name(role)}
        entry = parts.declared(role)
        said.update(dict.fromkeys(_said(data, fmt, codes, entry.bytes if entry else None) if codes else []))
    return tuple(said)


def _said(data: bytes, fmt: Format, codes: set[str], declared: int | None) -> list[str]:
    """Sentences about one file; ``declared`` is how many bytes the manifest names."""
    said = []
    marks = _spreadsheet_marks(data, fmt, codes)
    if marks:
        said.append(f"saved by a spreadsheet program: {'; '.join(marks)}. Identifiers may have lost zeros and digits.")
    if declared is not None and len(data) < declared:
        share = f"{len(data):,} of {declared:,} bytes arrived"
        said.append(f"the upload broke off: {share}. Ask for it to be sent again, as it is.")
    if "encoding-wrong" in codes and data[:2] not in (b"\xff\xfe", b"\xfe\xff") and fmt.encoding.startswith("utf-8"):
        said.append("the text is probably Windows-1252 (cp1252): saved on a PC and not by the export.")
    if data[:64].lstrip()[:1] == b"<" and fmt.kind == "delimited":
        said.append("this is a web page or XML, not the file: the download brought an error page.")
    return said


def _spreadsheet_marks(data: bytes, fmt: Format, codes: set[str]) -> list[str]:
    marks = []
    if fmt.kind == "delimited" and (match := _SCIENTIFIC.search(data)):
        line = data.count(b"\n", 0, match.start()) + 1
        marks.append(f"a number in scientific notation in line {line}")
    if "delimiter-wrong" in codes:
        marks.append("its cells are separated otherwise than agreed")
    if "byte-order-mark" in codes and fmt.kind == "delimited":
        marks.append("it begins with a byte order mark")
    return marks
