"""A drop that is a folder: on this machine, on a mounted share, or on the disk behind a server.

Every file is reached through a descriptor of its folder, and no folder or file is reached through a link: what is
checked is what is opened, even if somebody swaps the two in between.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from time import perf_counter
from types import TracebackType
from typing import Self

from fallback.delivery.drop import (
    FOLDERS,
    Delivered,
    Entry,
    Folder,
    final_name,
    is_shown,
    name_taken,
    part_name,
    safe_name,
    sha256,
)
from fallback.documents.base import State
from fallback.errors import FallbackError

_OPEN_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
# O_NONBLOCK: a pipe under the name of a file must not hold us up.
_OPEN_FILE = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
# What link() says where the file system has no hard links, or lets nobody link another user's file.
_NO_LINKS = {errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK}


class FolderDrop:
    """A drop below ``root``: in, out, work, done and bad; for a drill all of them below ``root/drill/``.

    ``in_folder`` and ``out_folder`` are paths below that place; work, done and bad lie beside ``in`` and are made when
    they are first needed. ``in`` and ``out`` are made only if ``create`` is set: a folder that is not there is more
    often a share that is not mounted.
    """

    def __init__(
        self,
        root: Path,
        state: State,
        *,
        in_folder: str = "in",
        out_folder: str = "out",
        title: str | None = None,
        create: bool = False,
    ) -> None:
        self.state: State = state
        self.title = title or f"folder {root}"
        self._root = root
        beside = PurePosixPath(in_folder).parent
        places = {"in": in_folder, "out": out_folder} | {own: str(beside / own) for own in ("work", "done", "bad")}
        self._parts: dict[Folder, tuple[str, ...]] = {f: _parts(places[f], state) for f in FOLDERS}
        if len(set(self._parts.values())) < len(FOLDERS):
            raise _wrong_folder("in, out, work, done and bad are five different folders")
        if create:
            self._create()

    def list(self, folder: Folder) -> list[Entry]:
        with self._open(folder) as opened:
            return sorted(_entries(opened), key=lambda entry: entry.name)

    def read(self, folder: Folder, name: str, limit: int | None = None) -> bytes:
        safe_name(name)
        with self._open(folder) as opened:
            try:
                return _read(opened, name, limit)
            except OSError as error:
                raise FallbackError(
                    "file-unreadable",
                    f"{self.title}: {self._place(folder, name)} cannot be read: {_reason(error)}",
                    hint="look at the folder by hand; another program may have taken or replaced the file",
                ) from error

    def put(self, folder: Folder, name: str, data: bytes) -> Delivered:
        started = perf_counter()
        digest = sha256(data)
        part = part_name(final_name(name), digest)

        def proof(already: bool) -> Delivered:
            return Delivered(folder, name, len(data), digest, "read-back", already, perf_counter() - started)

        with self._open(folder) as opened:
            if self._is_there(opened, folder, name, digest):
                return proof(already=True)
            try:
                _write(opened, part, data)
                if sha256(_read(opened, part, len(data))) != digest:
                    raise OSError(errno.EIO, "what was read back differs")
                rename_new(opened, part, opened, name)
            except OSError as error:
                with suppress(OSError):
                    os.unlink(part, dir_fd=opened)
                # Somebody else may have put the same file in the same moment: then it is there.
                if isinstance(error, (FileExistsError, FileNotFoundError)) and self._is_there(
                    opened, folder, name, digest
                ):
                    return proof(already=True)
                raise FallbackError(
                    "delivery-failed",
                    f"{self.title}: {self._place(folder, name)} did not arrive: {_reason(error)}",
                    hint="nothing is under that name; check space and permissions of the folder, then send it again",
                ) from error
            with suppress(OSError):
                os.fsync(opened)
            return proof(already=False)

    def move(self, name: str, source: Folder, target: Folder) -> bool:
        safe_name(name)
        with self._open(source) as here, self._open(target) as there:
            found = _status(here, name)
            if found is None or not stat.S_ISREG(found.st_mode):
                return False
            try:
                rename_new(here, name, there, name)
            except FileNotFoundError:
                return False
            except FileExistsError:
                found, taken = _status(here, name), _status(there, name)
                if found is None or (taken is not None and os.path.samestat(found, taken)):
                    return False  # another claimer has it, and may be about to take it out of the source
                raise name_taken(self.title, self._place(target, name), "a file", "none") from None
            except OSError as error:
                raise FallbackError(
                    "delivery-failed",
                    f"{self.title}: {self._place(source, name)} cannot be moved to "
                    f"{self._place(target)}: {_reason(error)}",
                    hint="check the permissions of both folders; the file is still where it was",
                ) from error
            for opened in (there, here):
                with suppress(OSError):
                    os.fsync(opened)
            return True

    def remove(self, folder: Folder, name: str) -> None:
        safe_name(name)
        with self._open(folder) as opened:
            try:
                os.unlink(name, dir_fd=opened)
            except FileNotFoundError:
                return
            except OSError as error:
                raise FallbackError(
                    "delivery-failed",
                    f"{self.title}: {self._place(folder, name)} cannot be removed: {_reason(error)}",
                    hint="check the permissions of the folder",
                ) from error

    def close(self) -> None:
        """Nothing is held open between two calls."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _place(self, folder: Folder, name: str = "") -> str:
        return "/".join((*self._parts[folder], name)).rstrip("/")

    def _create(self) -> None:
        try:
            self._root.mkdir(parents=True, exist_ok=True)
            for folder in ("in", "out"):
                os.close(open_folder(self._root, self._parts[folder], create=True))
        except OSError as error:
            raise self._missing("in", error) from error

    @contextmanager
    def _open(self, folder: Folder) -> Iterator[int]:
        try:
            own = folder not in ("in", "out")
            if own:  # these we make ourselves, but never where the drop itself is not there
                os.close(open_folder(self._root, self._parts["in"]))
            opened = open_folder(self._root, self._parts[folder], create=own)
        except OSError as error:
            raise self._missing(folder, error) from error
        try:
            yield opened
        finally:
            os.close(opened)

    def _missing(self, folder: Folder, error: OSError) -> FallbackError:
        return FallbackError(
            "folder-missing",
            f"{self.title}: the folder {self._place(folder)} cannot be used: {_reason(error)}",
            hint="is the share mounted? Else create the folder, or correct [delivery] and the root in local.toml",
        )

    def _is_there(self, opened: int, folder: Folder, name: str, digest: str) -> bool:
        """Whether the file is there with these bytes. Raises Refused ``name-taken`` where something else is."""
        if _status(opened, name) is None:
            return False
        try:
            found = sha256(_read(opened, name, None))
        except FileNotFoundError:
            return False
        except OSError as error:
            raise name_taken(self.title, self._place(folder, name), _reason(error), "a file") from error
        if found != digest:
            raise name_taken(self.title, self._place(folder, name), f"sha256 {found[:12]}", f"sha256 {digest[:12]}")
        return True


def open_folder(root: Path, parts: Sequence[str], *, create: bool = False) -> int:
    """A descriptor of a folder below ``root``, reached without following a link. The caller closes it.

    ``create`` makes the folders that are not there. Raises OSError.
    """
    opened = os.open(root, _OPEN_FOLDER)
    for part in parts:
        try:
            if create:
                with suppress(FileExistsError):
                    os.mkdir(part, dir_fd=opened)
            inner = os.open(part, _OPEN_FOLDER | os.O_NOFOLLOW, dir_fd=opened)
        finally:
            os.close(opened)
        opened = inner
    return opened


def rename_new(source_folder: int, source: str, target_folder: int, target: str) -> None:
    """Give a file another name, in the same or another folder; never replaces, and one of two callers succeeds.

    The folders are descriptors. Raises FileExistsError, FileNotFoundError or another OSError; the file is then where it
    was. Where links are unsupported the check and the rename are two steps: two who rename the same file still cannot
    both succeed, but a third who creates the target in between is replaced.
    """
    try:
        os.link(source, target, src_dir_fd=source_folder, dst_dir_fd=target_folder, follow_symlinks=False)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        if _status(target_folder, target) is not None:
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST)) from None
        os.rename(source, target, src_dir_fd=source_folder, dst_dir_fd=target_folder)
        return
    try:
        with suppress(FileNotFoundError):
            os.unlink(source, dir_fd=source_folder)
    except OSError:
        os.unlink(target, dir_fd=target_folder)
        raise


def _parts(place: str, state: State) -> tuple[str, ...]:
    path = PurePosixPath(place)
    if path.is_absolute() or not path.parts or ".." in path.parts:
        raise _wrong_folder("a folder is a path below the root, without ..")
    if state == "drill":
        return ("drill", *path.parts)
    if path.parts[0].lower() == "drill":
        raise _wrong_folder("a live drop does not lie below drill/")
    return path.parts


def _wrong_folder(rule: str) -> FallbackError:
    return FallbackError(
        "agreement-invalid", f"[delivery] names a folder that cannot be used: {rule}", hint="correct in and out there"
    )


def _status(folder: int, name: str) -> os.stat_result | None:
    try:
        return os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return None


def _entries(folder: int) -> Iterator[Entry]:
    for name in os.listdir(folder):
        if is_shown(name):
            found = _status(folder, name)
            if found is not None and stat.S_ISREG(found.st_mode):
                yield Entry(name, found.st_size, datetime.fromtimestamp(found.st_mtime, UTC))


def _read(folder: int, name: str, limit: int | None) -> bytes:
    """The bytes of a regular file of at most ``limit`` bytes. Raises OSError."""
    with os.fdopen(os.open(name, os.O_RDONLY | _OPEN_FILE, dir_fd=folder), "rb") as file:
        found = os.fstat(file.fileno())
        if not stat.S_ISREG(found.st_mode):
            raise OSError(errno.ELOOP, "")
        data = file.read() if limit is None else file.read(limit + 1)
        if limit is not None and len(data) > limit:
            raise OSError(errno.EFBIG, f"it is longer than {limit:,} bytes")
        return data


def _write(folder: int, part: str, data: bytes) -> None:
    """Write a temporary file and see it onto the disk. One left by an earlier try is written over."""
    flags = os.O_WRONLY | os.O_CREAT | _OPEN_FILE
    try:
        descriptor = os.open(part, flags | os.O_EXCL, 0o600, dir_fd=folder)
    except FileExistsError:
        found = _status(folder, part)
        if found is not None and not (stat.S_ISREG(found.st_mode) and found.st_nlink == 1):
            os.unlink(part, dir_fd=folder)
        descriptor = os.open(part, flags, 0o600, dir_fd=folder)
    with os.fdopen(descriptor, "wb") as file:
        os.ftruncate(file.fileno(), min(len(data), os.fstat(file.fileno()).st_size))
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _reason(error: OSError) -> str:
    """What to say of a fault: our own words, or the system's, never a path."""
    known = {
        errno.ENOENT: "it is not there",
        errno.ELOOP: "it is a link or not a file, and links are not followed",
        errno.ENOTDIR: "it is a link or not a folder, and links are not followed",
        errno.ENOSPC: "the disk is full",
        errno.EDQUOT: "the quota of the disk is used up",
        errno.EACCES: "permission denied",
        errno.EROFS: "the disk is read-only",
    }
    return known.get(error.errno or 0) or (error.strerror or "the system gives no reason").lower()
