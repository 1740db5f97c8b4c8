"""Kinds: rows to text and back. A kind knows separators, quotes and tags; it never sees an order."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Protocol

from fallback.formats.kinds import delimited, json_lines
from fallback.formats.kinds.rows import Fault, Row
from fallback.formats.spec import Format


class Kind(Protocol):
    """The verbs of a kind. ``write`` yields the text of each row with its line end; ``writable`` tells whether a cell
    can hold a text."""

    def read(self, text: str, fmt: Format) -> Iterator[Row | Fault]: ...

    def write(self, rows: Iterable[tuple[int, Any]], fmt: Format) -> Iterator[str]: ...

    def writable(self, text: str, fmt: Format) -> bool: ...


KINDS: dict[str, Kind] = {"delimited": delimited, "json-lines": json_lines}
"""The kinds of file. A new kind is one file with the verbs of ``Kind`` and one line here."""


def kind_of(fmt: Format) -> Kind:
    """The module that reads and writes files of this format's kind."""
    return KINDS[fmt.kind]
