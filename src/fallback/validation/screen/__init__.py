"""The screen: a large file at the speed of parsing it, with the very findings of the exact reader.

The exact reader (``formats.read``) is the truth. The screen proves orders good in bulk, a column at a time, and what it
proves is derived from the same format and the same records: a text is good where the exact functions accepted it, or
a subset of what they accept. It says *proven* or *do not know*, never *wrong*. What is not proven goes to the exact
reader:

* about bytes, header, rows: the whole file. So does a file with a manifest, because the fingerprint of each order is
  made of the order itself, which costs what reading it costs (and an agreement allows 5,000 orders in a file unless it
  says otherwise); a drill's file; a file that an agreement loads wholly or not at all, where anything is wrong.
* about an order: its rows. Of an order in which nothing but single cells are wrong, or whose rows disagree, the
  findings are put together from the exact word on each distinct text; there may be a million of them.
* orders whose rows stand in several places: their rows, found in a second reading.

Files of fewer than ``LEAST_LINES`` lines are read exactly, and need neither Arrow nor numpy; so are all files where
Arrow is not installed (the extra ``frame``).
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from fallback.formats.spec import Format

if TYPE_CHECKING:
    from collections.abc import Collection

    from fallback.agreement import Agreement
    from fallback.documents.report import Report

LEAST_LINES = 10_000
_LEAST_BYTES = 100_000
_LOOK = 1 << 20


def screened(
    source: bytes | Path,
    *,
    format: Format,
    agreement: Agreement | None,
    name: str,
    skus: Collection[str] | None,
    show_values: bool,
    max_findings: int | None,
) -> Report | None:
    """The report on a large file without a manifest; None where the exact reader is to make it."""
    if not _is_for_it(format) or not _is_large(source) or find_spec("pyarrow") is None or find_spec("numpy") is None:
        return None
    from fallback.validation.screen.run import run

    return run(
        source,
        fmt=format,
        agreement=agreement,
        name=name,
        skus=skus,
        show_values=show_values,
        max_findings=max_findings,
    )


def _is_for_it(fmt: Format) -> bool:
    terms = fmt.delimited
    return (
        (fmt.kind, fmt.layout) == ("delimited", "line")
        and fmt.encoding in ("utf-8", "utf-8-sig", "ascii")
        and fmt.newline in ("lf", "crlf")
        and fmt.wrapper is None
        and terms.quoting != "none"
        and terms.header != "optional"
        and terms.comment is None
        and "order_check" not in fmt.carried  # made of an order as a whole
    )


def _is_large(source: bytes | Path) -> bool:
    """Whether there are so many line ends. What cannot be opened, the exact way says."""
    if isinstance(source, bytes):
        return len(source) >= _LEAST_BYTES and source.count(b"\n") >= LEAST_LINES
    try:
        if source.stat().st_size < _LEAST_BYTES:
            return False
        with source.open("rb") as file:
            lines = 0
            while lines < LEAST_LINES and (piece := file.read(_LOOK)):
                lines += piece.count(b"\n")
    except OSError:
        return False
    return lines >= LEAST_LINES
