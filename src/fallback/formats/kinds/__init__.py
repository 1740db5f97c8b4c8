"""Kinds: rows to text and back. A kind knows separators, quotes and tags; it never sees an order."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from types import ModuleType
from typing import Any, NamedTuple, Protocol

from fallback.formats.spec import Format


class Row(NamedTuple):
    """One data row: the index of its type in ``format.rows``, its cells as declared (text; JSON for nested kinds),
    the physical line it begins at and its number among the data rows."""

    type: int
    cells: Any
    line: int
    record: int


class Fault(NamedTuple):
    """Something wrong with the layout. ``cells`` are what could be told apart, to tie the fault to an order;
    ``type`` the row type where known, else -1."""

    code: str
    line: int
    record: int = 0
    type: int = -1
    cells: Any = ()
    field: str | None = None
    found: str | None = None
    expected: str | None = None


class Kind(Protocol):
    """The verbs of a kind. Both are lazy; ``write`` yields the text of each row with its line end."""

    def read(self, text: str, fmt: Format) -> Iterator[Row | Fault]: ...

    def write(self, rows: Iterable[tuple[int, Any]], fmt: Format) -> Iterator[str]: ...


def kind_of(fmt: Format) -> Kind:
    """The module that reads and writes files of this format's kind."""
    from fallback.formats.kinds import delimited, json_lines

    kinds: dict[str, ModuleType] = {"delimited": delimited, "json-lines": json_lines}
    return kinds[fmt.kind]  # type: ignore[return-value]
