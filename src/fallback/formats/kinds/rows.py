"""Rows: what kinds make of text, and text of. Neither an order nor bytes."""

from __future__ import annotations

from typing import Any, NamedTuple


class Row(NamedTuple):
    """One data row: the index of its type in ``format.rows``, its cells as declared (a Tree for nested layouts), the
    physical line it begins at and its number among the data rows. ``part`` is the file of a pair it stands in."""

    type: int
    cells: Any
    line: int
    record: int
    part: str = ""


class Tree(NamedTuple):
    """One order of a nested layout: values by field name for the order, and for each of its lines.

    ``unknown`` are members or segments that the format does not declare, as code and name; ``at`` tells where a value
    stands, by the line's index (-1: the order) and field name, where a line number is not enough.
    """

    order: dict[str, Any]
    lines: list[dict[str, Any]]
    unknown: tuple[tuple[str, str], ...] = ()
    at: dict[tuple[int, str], str] = {}


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
    part: str = ""
