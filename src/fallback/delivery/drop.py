"""The drop: the mailbox that brand and warehouse both reach, whatever stands behind it.

``in`` holds what goes to the warehouse, ``out`` what comes back; ``work``, ``done`` and ``bad`` are the warehouse's
own. A drop is live or a drill's; the two never share a folder.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from datetime import datetime
from types import TracebackType
from typing import Literal, Protocol, Self

from fallback.documents.base import State
from fallback.errors import Refused

Folder = Literal["in", "out", "work", "done", "bad"]
FOLDERS: tuple[Folder, ...] = ("in", "out", "work", "done", "bad")

_SAFE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,179}")
PART_SUFFIX = ".part"


@dataclass(frozen=True, slots=True)
class Entry:
    """A regular file in a folder of the drop: its name, size in bytes, and when it last changed (aware)."""

    name: str
    size: int
    modified: datetime


@dataclass(frozen=True, slots=True)
class Delivered:
    """Proof that a file is in a folder of the drop under its final name, whole. Holds no content.

    ``proof`` is what was compared there: ``read-back`` (every byte, by SHA-256) or ``size``. ``already`` tells that
    the same bytes were there before, and nothing was sent.
    """

    folder: Folder
    name: str
    bytes: int
    sha256: str
    proof: Literal["read-back", "size"]
    already: bool
    seconds: float


class Drop(Protocol):
    """The verbs of a drop. Each raises FallbackError (``unreachable``, ``folder-missing``, ...) and never hangs."""

    state: State
    title: str
    """What to call it in a message: kind, host, folder; never a user or a secret."""

    def list(self, folder: Folder) -> list[Entry]:
        """The whole files of a folder, by name. Left out: names that begin with a dot or end in ``.part``, names that
        are not safe, folders, links."""
        ...

    def read(self, folder: Folder, name: str, limit: int | None = None) -> bytes:
        """The bytes of a file. Raises FallbackError ``file-unreadable`` where it is absent, a link, or longer than
        ``limit`` bytes."""
        ...

    def put(self, folder: Folder, name: str, data: bytes) -> Delivered:
        """Write a file under a temporary name, compare what arrived, and rename it; never replaces.

        The same name with the same bytes is done already; with other bytes raises Refused ``name-taken``. What did
        not arrive whole raises FallbackError ``delivery-failed``, or ``unreachable`` where the connection broke, and
        nothing is under the final name. Where it broke at the rename, NotConfirmed: the file may be there.
        """
        ...

    def move(self, name: str, source: Folder, target: Folder) -> bool:
        """Rename a file into another folder. False when it is not there: somebody else has it.

        Of two who move the same file exactly one gets True. Never replaces: a name that is taken in ``target``, be it
        by the same bytes, raises Refused ``name-taken``.
        """
        ...

    def remove(self, folder: Folder, name: str) -> None:
        """Remove a file; absent is fine."""
        ...

    def close(self) -> None: ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


def safe_name(name: str) -> str:
    """The name itself if it is a plain file name, else Refused ``name-unsafe``. Nothing of the name is repeated."""
    if not is_safe_name(name):
        raise Refused(
            "name-unsafe",
            f"a file name of {len(name):,} characters is not a plain name",
            hint="names are letters, digits, dot, dash and underscore, at most 180, and begin with a letter or digit",
        )
    return name


def is_safe_name(name: str) -> bool:
    return _SAFE_NAME.fullmatch(name) is not None


def is_shown(name: str) -> bool:
    """Whether a name is listed: safe, and not a file that is still being written."""
    return is_safe_name(name) and not name.endswith(PART_SUFFIX)


def final_name(name: str) -> str:
    """The name itself if a file may be put under it, else Refused ``name-unsafe``."""
    if safe_name(name).endswith(PART_SUFFIX):
        raise Refused(
            "name-unsafe",
            f"a file name ends in {PART_SUFFIX}, the mark of an unfinished file: nobody would list it",
            hint="send it under another name",
        )
    return name


def part_name(name: str, digest: str) -> str:
    """The temporary name of a file that is being written: hidden from pollers by its dot and its ending.

    The beginning of the content's SHA-256 is part of it. So two senders of the same bytes write the same bytes to the
    same place, and neither can publish what the other has half written.
    """
    return f".{safe_name(name)}.{digest[:12]}{PART_SUFFIX}"


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def name_taken(title: str, place: str, found: str, expected: str) -> Refused:
    """There is something of that name, and it must not be replaced. ``place`` is folder and name."""
    return Refused(
        "name-taken",
        f"{title}: {place} is taken: found {found}, expected {expected}",
        hint="never overwritten; find out which is right, then export again under a new sequence number",
    )
