"""Letters: which encoding a file really is in, and whether its text was read in a wrong one and saved so."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice

from fallback.formats.spec import Format

_WINDOW = 4_000_000
_TAIL = 500_000
_MOST_RUNS = 50_000
_SINGLE = ("cp1252", "cp850", "mac-roman", "cp1250", "cp437")
"""The encodings of one byte a letter that a shop's computers write: Windows, DOS, Mac, Windows in Central Europe."""
_CENTRAL = frozenset(("PL", "CZ", "SK", "HU", "SI", "HR", "RO", "RS", "BA", "AL"))
ENCODING_NAMES = {
    "utf-8": "UTF-8",
    "utf-16-le": "UTF-16",
    "utf-16-be": "UTF-16",
    "cp1252": "Windows-1252 (cp1252)",
    "cp1250": "Windows-1250 (cp1250)",
    "cp850": "DOS (cp850)",
    "cp437": "DOS (cp437)",
    "mac-roman": "Mac Roman",
}


@dataclass(frozen=True, slots=True)
class Garbled:
    """Text that was decoded in a wrong encoding: how many pieces, in which one, the bytes where the first ones stand,
    and whether no piece that is not ASCII is anything else."""

    encoding: str
    pieces: int
    offsets: tuple[int, ...]
    entirely: bool


# What begins a garbled letter, by the encoding that UTF-8 was taken for: A with tilde or circumflex, a with circumflex,
# a box-drawing corner, a root.
_MARKS = (b"\xc3\x83", b"\xc3\x82", b"\xc3\xa2\xc2", b"\xc3\xa2\xe2", b"\xe2\x94\x9c", b"\xe2\x88\x9a")
_RUN = re.compile("[^\x00-\x7f]+")


def garbled(data: bytes, fmt: Format) -> Garbled | None:
    """Whether UTF-8 text was read in another encoding and saved as UTF-8 again. The first and last megabytes tell.

    One such piece may be what a customer typed; two different ones that make letters again are not.
    """
    if not fmt.encoding.startswith("utf-8"):
        return None
    head, tail = data[:_WINDOW], data[max(_WINDOW, len(data) - _TAIL) :]
    if not any(mark in part for mark in _MARKS for part in (head, tail) if not part.isascii()):
        return None
    runs = Counter(_runs(head) + _runs(tail))
    best = Garbled("", 0, (), False)
    for encoding in ("cp1252", "cp850", "mac-roman", "cp437"):
        good = [run for run in runs if undone(run, encoding) is not None]
        pieces = sum(runs[run] for run in good)
        if len(good) > 1 and pieces > best.pieces:
            first = [head.find(run.encode()) for run in good[:10]]
            offsets = tuple(sorted(at for at in first if at >= 0))
            best = Garbled(encoding, pieces, offsets, len(good) == len(runs))
    return best if best.pieces * 2 >= runs.total() and best.pieces else None


def _runs(part: bytes) -> list[str]:
    return [found[0] for found in islice(_RUN.finditer(part.decode("utf-8", "ignore")), _MOST_RUNS)]


def undone(run: str, encoding: str) -> str | None:
    """What a piece of text was before it was decoded in a wrong encoding; None where it was not."""
    try:
        text = b"".join(_byte(char, encoding) for char in run).decode("utf-8")
    except (UnicodeError, ValueError):
        return None
    return text if all(map(_is_of_text, text)) and text != run else None


def _byte(char: str, encoding: str) -> bytes:
    try:
        return char.encode(encoding)
    except UnicodeEncodeError:
        # Windows-1252 leaves five bytes open; programs give them the control characters of the same number.
        if encoding == "cp1252" and 0x80 <= ord(char) <= 0x9F:
            return bytes([ord(char)])
        raise


_PUNCTUATION = frozenset("‘’‚“”„–—…€°ºª·«»¿¡§©®™£´\u00a0")


def _is_of_text(char: str) -> bool:
    return char.isalpha() or char in _PUNCTUATION or unicodedata.category(char) in ("Mn", "So", "Sc")


def ungarble(text: str, encoding: str) -> str | None:
    """The text with every garbled piece undone; None where a piece is not garbled, so that nothing is proven."""
    runs = {run: undone(run, encoding) for run in set(_RUN.findall(text))}
    if not all(runs.values()):
        return None
    return _RUN.sub(lambda found: runs[found[0]] or "", text)


def encodings(data: bytes, countries: Iterable[str] = ()) -> list[str]:
    """The encodings of one byte a letter that the bytes make sense in, the best first; the text differs between them.

    Central European text needs a country of it: else its letters are those of Windows-1252 in other words.
    """
    part = data[:_WINDOW]
    central = not _CENTRAL.isdisjoint(countries)
    scores: dict[str, tuple[float, str]] = {}
    for encoding in _SINGLE:
        if encoding == "cp1250" and not central:
            continue
        text = part.decode(encoding, "replace")
        if all(text != other for _, other in scores.values()):
            scores[encoding] = (_score(text), text)
    best = max(score for score, _ in scores.values())
    good = [encoding for encoding, (score, _) in scores.items() if score > 0.4 and score > best - 0.3]
    return sorted(good, key=lambda encoding: -scores[encoding][0])


def _score(text: str) -> float:
    """How much of what is not ASCII makes sense beside its neighbours: between -1 and 1."""
    found = [_sense(text[at - 1 : at], text[at], text[at + 1 : at + 2]) for at in _places(text)]
    return sum(found) / len(found) if found else 0.0


def _places(text: str) -> list[int]:
    return [found.start() for found in islice(_ONE.finditer(text), 20_000)]


_ONE = re.compile("[^\x00-\x7f]")


def _sense(before: str, char: str, after: str) -> float:
    """Whether a character can stand between two others in a name or an address."""
    if unicodedata.category(char) in ("Ll", "Lu", "Lo"):
        inside = before.islower() and char.isupper()
        shouted = char.isupper() and before.isalpha() and after.islower()
        return -1.0 if inside or shouted else 1.0 if before.isalpha() or after.isalpha() else 0.2
    if char in "’·\u00a0":
        return 0.5
    return -1.0 if char not in _PUNCTUATION or (before.isalpha() and after.isalpha()) else 0.5
