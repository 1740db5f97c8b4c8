"""Line ends: how the lines of a file end, and whether that is as agreed."""

from __future__ import annotations

from collections.abc import Mapping

from fallback.formats.kinds.rows import Fault
from fallback.formats.spec import Format

_NAMES = {"\n": "LF", "\r\n": "CR LF", "\r": "CR"}


def unify(text: str, fmt: Format) -> tuple[str, Fault | None]:
    """The text with lines that can be split at LF, and what is wrong with ends that are CR or should be.

    CR LF stays as it is where CR alone ends no line: which of the two ends each row, ``ends_fault`` is told.
    """
    if fmt.newline != "cr":
        if "\r" in text and "\n" not in text:
            return text.replace("\r", "\n"), ends_fault({"\r": text.count("\r")}, fmt)
        return text, None
    both = text.count("\r\n")
    ends = {"\r\n": both, "\n": text.count("\n") - both, "\r": text.count("\r") - both}
    return text.replace("\r\n", "\n").replace("\r", "\n"), ends_fault(ends, fmt)


def ends_fault(ends: Mapping[str, int], fmt: Format) -> Fault | None:
    """What is wrong with the line ends of a file, which were counted by kind; None where they are as agreed."""
    found = {end: count for end, count in ends.items() if count}
    agreed = fmt.newline_text
    if len(found) > 1:
        words = ", ".join(f"{count:,} with {_NAMES[end]}" for end, count in sorted(found.items()))
        return Fault("line-ends-mixed", 1, found=words, expected=_NAMES[agreed])
    if found and agreed not in found:
        return Fault("line-ends", 1, found=_NAMES[next(iter(found))], expected=_NAMES[agreed])
    return None
