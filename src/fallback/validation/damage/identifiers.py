"""Identifiers that a spreadsheet has rewritten as numbers: their digits are lost, and nothing else would tell."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from fallback.findings import Finding
from fallback.formats.assemble import ReadOrder
from fallback.formats.spec import Format
from fallback.records.paths import values_of

_REWRITTEN = re.compile(r"[0-9](?:[.,][0-9]+)?E\+[0-9]{2,3}")


def rewritten(orders: Sequence[ReadOrder], data: bytes, fmt: Format) -> dict[int, Finding]:
    """The orders with identifiers that a spreadsheet has rewritten as numbers, ``5.55E+12``, by their position: the
    digits are lost, and nothing else would tell. One finding an order, about all its fields that are so."""
    if fmt.kind != "delimited" or (fmt.wrapper is None and b"E+" not in data):
        return {}
    texts = {field.name: info.path for field in fmt.all_fields if (info := field.info) and info.kind == "text"}
    found: dict[int, Finding] = {}
    for index, read in enumerate(orders):
        fields = [name for name, path in texts.items() if read.order and is_rewritten(values_of(read.order, path))]
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


def is_rewritten(values: Iterable[str | None]) -> bool:
    """Whether one of these texts of an identifier is a number as a spreadsheet writes it."""
    return any(value is not None and _REWRITTEN.fullmatch(value) for value in values)
