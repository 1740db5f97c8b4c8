"""JSON: one document, the orders a list in it, each on lines of its own. A document is whole or it is nothing."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

from fallback.formats.kinds.json_tree import compact, decode, from_tree, row
from fallback.formats.kinds.envelope import Envelope
from fallback.formats.kinds.rows import Fault, Row
from fallback.formats.spec import Format

TYPED = True


def read(text: str, fmt: Format) -> Iterator[Row | Fault]:
    """The orders of the document, each with the line that it begins on."""
    terms = fmt.json_terms
    content = decode(text, 1, 0)
    if isinstance(content, Fault):
        yield content._replace(expected="one whole JSON document")
        return
    if not isinstance(content, dict) or not isinstance(content.get(terms.root), list):
        yield Fault("json-invalid", 1, expected=f"an object with a list {terms.root}")
        return
    for name in content:
        if name not in (terms.root, terms.count):
            yield Fault("column-unknown", 1, field=name[:60], found=f"a member {name[:60]}")
    orders = content[terms.root]
    if terms.count and content.get(terms.count) != len(orders):
        found = content.get(terms.count)
        shown = str(found) if isinstance(found, int) else "no number"
        yield Fault("trailer-differs", 1, field=terms.count, found=shown, expected=f"{len(orders)} orders")
    starts = _starts(text, len(orders))
    for number, order in enumerate(orders, start=1):
        yield row(order, fmt, starts[number - 1], number)


def _starts(text: str, count: int) -> list[int]:
    """The line on which each order begins: our own writing puts each on its own; else all begin on the first."""
    lines = [number for number, line in enumerate(text.split("\n"), start=1) if re.match(r"\s*\{", line)]
    begins = lines[-count:] if count and len(lines) >= count else []
    return begins if len(begins) == count else [1] * count


def write(rows: Iterable[tuple[int, Any]], fmt: Format, envelope: Envelope) -> Iterator[str]:  # noqa: ARG001
    """The document: the count first where the format has one, then one order a line."""
    terms, end = fmt.json_terms, fmt.newline_text
    texts = [compact(from_tree(tree, fmt)) for _, tree in rows]
    count = f"{compact(terms.count)}:{len(texts)}," if terms.count else ""
    yield f"{{{count}{compact(terms.root)}:[{end}"
    yield f",{end}".join(texts)
    yield f"{end}]}}{end}"


def writable(text: str, fmt: Format) -> bool:  # noqa: ARG001 - the verb of the family
    """JSON carries any text."""
    return True
