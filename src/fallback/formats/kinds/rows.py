"""Rows: what kinds make of text, and text of. Neither an order nor bytes."""

from __future__ import annotations

from typing import Any, NamedTuple


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
