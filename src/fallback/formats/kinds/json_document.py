"""JSON: one document, the orders a list in it. A document is whole or it is nothing."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from typing import Any

from fallback.findings import quote
from fallback.formats.kinds.envelope import Envelope
from fallback.formats.kinds.json_lines import DECODER, KeyDoubled
from fallback.formats.kinds.rows import Fault, Row
from fallback.formats.spec import Format


def read(text: str, fmt: Format) -> Iterator[Row | Fault]:
    """The orders of the document, each with the line that it begins on where each has lines of its own."""
    terms = fmt.json_terms
    try:
        content = DECODER.decode(text)
    except KeyDoubled:
        yield Fault("document-invalid", 1, found="a name that stands twice in an object", expected="each name once")
        return
    except RecursionError:
        yield Fault("document-invalid", 1, found="objects in objects without end", expected="one whole JSON document")
        return
    except ValueError as error:
        line = getattr(error, "lineno", 1)
        yield Fault("document-invalid", line, found="JSON that ends or breaks here", expected="one whole JSON document")
        return
    if not isinstance(content, dict) or not isinstance(content.get(terms.root), list):
        yield Fault("document-invalid", 1, expected=f"an object with a list {terms.root}")
        return
    strangers = len(content.keys() - {terms.root, terms.count})
    if strangers:
        known = " and ".join(name for name in (terms.root, terms.count) if name)
        yield Fault("column-unknown", 1, found=f"{strangers} members more", expected=known)
    orders = content[terms.root]
    count = content.get(terms.count or "")
    if terms.count and (type(count) is not int or count != len(orders)):
        shown = quote(str(count), 20) if type(count) is int else "no whole number"
        yield Fault("trailer-differs", 1, field=terms.count, found=shown, expected=f"{len(orders)} orders")
    starts = _starts(text, len(orders))
    for number, (order, line) in enumerate(zip(orders, starts, strict=True), start=1):
        if isinstance(order, dict):
            yield Row(0, order, line, number)
        else:
            yield Fault("json-invalid", line, number, expected="an object for each order")


def _starts(text: str, count: int) -> list[int]:
    """The line on which each order begins, as our own writing puts them; else all begin on the first."""
    begins = [number for number, line in enumerate(text.split("\n"), start=1) if re.match(r"\{", line)]
    own = begins[-count:] if count else []
    return own if len(own) == count else [1] * count


def write(rows: Iterable[tuple[int, Any]], fmt: Format, envelope: Envelope) -> Iterator[str]:  # noqa: ARG001
    """The document: the count first where the format has one, then one order a line."""
    terms, end = fmt.json_terms, fmt.newline_text
    texts = [json.dumps(content, ensure_ascii=False, separators=(",", ":")) for _, content in rows]
    count = f'"{terms.count}":{len(texts)},' if terms.count else ""
    yield f'{{{count}"{terms.root}":[{end}'
    yield f",{end}".join(texts)
    yield f"{end}]}}{end}"


def writable(text: str, fmt: Format) -> bool:  # noqa: ARG001 - the verb of the family
    """JSON carries any text."""
    return True
