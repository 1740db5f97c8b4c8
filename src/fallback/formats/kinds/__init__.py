"""Kinds: rows to text and back. A kind knows separators, quotes and tags; it never sees an order."""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Iterator
from typing import Any, Protocol, cast

from fallback.formats.kinds.envelope import Envelope
from fallback.formats.kinds.rows import Fault, Row
from fallback.formats.spec import Format


class Kind(Protocol):
    """The verbs of a kind. ``write`` yields the text of each row with its line end; ``writable`` tells whether a cell
    can hold a text."""

    def read(self, text: str, fmt: Format) -> Iterator[Row | Fault]: ...

    def write(self, rows: Iterable[tuple[int, Any]], fmt: Format, envelope: Envelope) -> Iterator[str]: ...

    def writable(self, text: str, fmt: Format) -> bool: ...


KINDS = {
    "delimited": "delimited",
    "fixed-width": "fixed_width",
    "json-lines": "json_lines",
    "json": "json_document",
    "xml": "xml_tree",
    "x12": "x12",
}
"""The kinds of file and their modules. A new kind is one file with the verbs of ``Kind`` and one line here."""


def kind_of(fmt: Format) -> Kind:
    """The module that reads and writes files of this format's kind; the others are not even loaded."""
    return cast("Kind", importlib.import_module(f"fallback.formats.kinds.{KINDS[fmt.kind]}"))
