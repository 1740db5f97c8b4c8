"""Line ends: how the lines of a file end, and whether that is as agreed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from fallback.formats.kinds.rows import Fault
from fallback.formats.spec import Format

_NAMES = {"\n": "LF", "\r\n": "CR LF", "\r": "CR"}


def unify(text: str, fmt: Format) -> tuple[str, Fault | None]:
    """The text with lines that can be split at LF, and what is wrong with ends that are all of another kind.

    Where every line end was changed alike, those within quotation marks were too: they are LF again. Elsewhere CR LF
    stays as it is; which of the two ends each row, ``ends_fault`` is told.
    """
    if "\r" not in text:
        return text, ends_fault({"\n": text.count("\n")}, fmt) if fmt.newline == "cr" else None
    both = text.count("\r\n")
    ends = {"\r\n": both, "\n": text.count("\n") - both, "\r": text.count("\r") - both}
    if fmt.newline == "cr" or not ends["\n"] + both or (fmt.newline == "lf" and not ends["\n"] + ends["\r"]):
        return text.replace("\r\n", "\n").replace("\r", "\n"), ends_fault(ends, fmt)
    return text, None


def split(text: str, fmt: Format) -> tuple[list[str], str, Fault | None]:
    """The lines of a text without quotation marks, what stands behind the last end, and what is wrong with the ends."""
    text, fault = unify(text, fmt)
    lines = text.split("\n")
    cut = lines.pop()
    if fault is None and fmt.newline != "cr":
        kinds = ["\r\n" if line[-1:] == "\r" else "\n" for line in lines]
        other = next((index for index, end in enumerate(kinds) if end != fmt.newline_text), 0)
        fault = ends_fault(Counter(kinds), fmt, other + 1)
        lines = [line.removesuffix("\r") for line in lines]
    return lines, cut, fault


def ends_fault(ends: Mapping[str, int], fmt: Format, line: int = 1) -> Fault | None:
    """What is wrong with the line ends of a file, which were counted by kind; None where they are as agreed.

    ``line`` is the first line that ends otherwise than agreed.
    """
    found = {end: count for end, count in ends.items() if count}
    agreed = fmt.newline_text
    if len(found) > 1:
        words = ", ".join(f"{count:,} with {_NAMES[end]}" for end, count in sorted(found.items()))
        return Fault("line-ends-mixed", line, found=words, expected=_NAMES[agreed])
    if found and agreed not in found:
        return Fault("line-ends", 1, found=_NAMES[next(iter(found))], expected=_NAMES[agreed])
    return None
