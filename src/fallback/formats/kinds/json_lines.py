"""JSON Lines: one JSON object a line, one order an object. A line that is whole is an order that is whole."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from fallback.formats.kinds.json_tree import compact, decode, from_tree, row
from fallback.formats.kinds.envelope import Envelope
from fallback.formats.kinds.rows import Fault, Row
from fallback.formats.spec import Format

TYPED = True


def read(text: str, fmt: Format) -> Iterator[Row | Fault]:
    """The objects of a file, and a Fault for each line that is not one."""
    lines = text.split("\n")
    cut = lines.pop()
    number = 0
    for index, line in enumerate(lines):
        if not line.strip():
            yield Fault("row-blank", index + 1)
            continue
        number += 1
        yield row(decode(line, index + 1, number), fmt, index + 1, number)
    if cut.strip():
        number += 1
        found = row(decode(cut, len(lines) + 1, number), fmt, len(lines) + 1, number)
        # Whole, but for its line end: nothing proves that it is the whole line.
        cells = found.cells if isinstance(found, Row) else ()
        yield Fault("file-cut", len(lines) + 1, number, 0, cells, expected="a line end after the last row")


def write(rows: Iterable[tuple[int, Any]], fmt: Format, envelope: Envelope) -> Iterator[str]:  # noqa: ARG001
    """The text of each object with its line end: compact, in declared order, absent members as null."""
    for _, tree in rows:
        yield compact(from_tree(tree, fmt)) + fmt.newline_text


def writable(text: str, fmt: Format) -> bool:  # noqa: ARG001 - the verb of the family
    """JSON carries any text."""
    return True
