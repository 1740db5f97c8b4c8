"""A drop behind an SFTP server.

Nothing is believed that was not checked: the host key before the login, every status, the size and the bytes of what
was sent before it gets its final name. No call waits for ever: each read has its limit, and a watchdog ends what the
limits do not reach.
"""

from __future__ import annotations

import posixpath
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter, sleep
from types import TracebackType
from typing import Literal, Self

from fallback.delivery.codec import (
    CREATE,
    EXCLUSIVE,
    NO_SUCH_FILE,
    PERMISSION_DENIED,
    READ,
    UNSUPPORTED,
    WRITE,
    Attributes,
    FileChangedError,
    Session,
    StatusError,
)
from fallback.delivery.drop import (
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
from fallback.delivery.ssh import LOST, Connection, Server, connect, unreachable
from fallback.documents.base import State
from fallback.errors import FallbackError, NotConfirmed

# A server renames in two steps, link and unlink. So often, so many seconds apart, we look whether the second follows.
_LOOKS, _BETWEEN_LOOKS = 5, 0.05


class SftpDrop:
    """A drop on an SFTP server. It connects when it is first used, and again after a connection was lost.

    ``in_folder`` and ``out_folder`` are absolute, or relative to the folder of the login; work, done and bad lie beside
    ``in`` and are made when they are first needed; ``create`` makes in and out too. ``host_key`` is the SHA256
    fingerprint that the agreement pins; ``known_hosts`` holds where it pins none. Of ``key_file`` and ``password_env``
    (the NAME of an environment variable) neither given means the keys of ssh-agent. ``timeout`` is for each wait,
    ``stall_timeout`` for an operation in which the server gives no sign, both in seconds. Not for use by two threads at
    once.
    """

    def __init__(
        self,
        host: str,
        port: int,
        state: State,
        *,
        user: str,
        in_folder: str = "in",
        out_folder: str = "out",
        host_key: str | None = None,
        known_hosts: Path | None = None,
        key_file: Path | None = None,
        password_env: str | None = None,
        proof: Literal["hash", "read-back", "size"] = "hash",
        timeout: float = 20.0,
        stall_timeout: float = 30.0,
        create: bool = False,
    ) -> None:
        self.state: State = state
        self._server = Server(host, port, user, host_key, known_hosts, key_file, password_env, timeout, stall_timeout)
        self.title = self._server.title
        self._folders: dict[Folder, str] = {"in": in_folder, "out": out_folder}
        for own in ("work", "done", "bad"):
            self._folders[own] = posixpath.join(posixpath.dirname(in_folder.rstrip("/")), own)
        self._proof = proof
        self._to_make: set[Folder] = {"in", "out", "work", "done", "bad"} if create else {"work", "done", "bad"}
        self._connection: Connection | None = None

    def list(self, folder: Folder) -> list[Entry]:
        with self._session(f"listing {self._place(folder)}") as session:
            self._make(session, folder)
            try:
                found = session.list(self._folders[folder])
            except StatusError as error:
                raise self._missing(folder, error) from error
            entries = (_entry(name.decode("utf-8", "replace"), attributes) for name, attributes in found)
            return sorted((entry for entry in entries if entry), key=lambda entry: entry.name)

    def read(self, folder: Folder, name: str, limit: int | None = None) -> bytes:
        safe_name(name)
        with self._session(f"reading {self._place(folder, name)}") as session:
            self._make(session, folder)
            try:
                found = session.lstat(self._path(folder, name))
                if not _is_file(found):
                    raise self._unreadable(folder, name, "it is a link or not a file, and links are not followed")
                data = _read(session, self._path(folder, name), found.size, limit)
            except FileChangedError:
                raise self._unreadable(folder, name, "it changed meanwhile: it is still being written") from None
            except StatusError as error:
                if error.status == NO_SUCH_FILE:
                    self._look_for(session, folder)
                    raise self._unreadable(folder, name, "it is not there") from error
                raise self._unreadable(folder, name, _reason(error)) from error
            if data is None:
                raise self._unreadable(folder, name, f"it is longer than {limit:,} bytes")
            return data

    def put(self, folder: Folder, name: str, data: bytes) -> Delivered:
        started = perf_counter()
        digest = sha256(data)
        final = self._path(folder, final_name(name))
        part = self._path(folder, part_name(name, digest))
        already = True
        proof: Literal["read-back", "size"] = "read-back"
        with self._session(f"sending {self._place(folder, name)}, of which nothing got its final name") as session:
            self._make(session, folder)
            if not self._is_there(session, folder, name, data):
                already = False
                proof = "size" if self._proof == "size" else "read-back"
                try:
                    self._upload(session, folder, part, data)
                    self._prove(session, part, data)
                    self._publish(session, folder, name, part, final, data)
                except (StatusError, _NotWholeError) as error:
                    with suppress(StatusError):
                        session.remove(part)
                    # Somebody else may have put the same file in the same moment: then it is there.
                    already = self._is_there(session, folder, name, data)
                    if not already:
                        raise FallbackError(
                            "delivery-failed",
                            f"{self.title}: {self._place(folder, name)} did not arrive: {_reason(error)}",
                            hint="nothing is under that name; ask the warehouse about space and permissions, then send "
                            "it again",
                        ) from error
                    proof = "read-back"
        return Delivered(folder, name, len(data), digest, proof, already, perf_counter() - started)

    def move(self, name: str, source: Folder, target: Folder) -> bool:
        here, there = self._path(source, safe_name(name)), self._path(target, name)
        with self._session(f"moving {self._place(source, name)} to {self._place(target)}") as session:
            for folder in (source, target):
                self._make(session, folder)
            for look in range(_LOOKS):
                found = _lstat(session, here)
                if found is None:
                    self._look_for(session, source)
                if found is None or not _is_file(found):
                    return False
                if _lstat(session, there) is None:
                    try:
                        session.rename(here, there)
                    except StatusError as error:
                        if look == _LOOKS - 1:
                            self._look_for(session, target)
                            raise FallbackError(
                                "delivery-failed",
                                f"{self.title}: {self._place(source, name)} cannot be moved to "
                                f"{self._place(target)}: {_reason(error)}",
                                hint="ask the warehouse about the permissions of both folders; the file is still there",
                            ) from error
                    else:
                        return True
                # Another claimer may be in the middle of its rename: then the source is gone in a moment.
                sleep(_BETWEEN_LOOKS)
            raise name_taken(self.title, self._place(target, name), "a file", "none")

    def remove(self, folder: Folder, name: str) -> None:
        path = self._path(folder, safe_name(name))
        with self._session(f"removing {self._place(folder, name)}") as session:
            self._make(session, folder)
            try:
                session.remove(path)
            except StatusError as error:
                if error.status == NO_SUCH_FILE:
                    self._look_for(session, folder)
                    return
                raise FallbackError(
                    "delivery-failed",
                    f"{self.title}: {self._place(folder, name)} cannot be removed: {_reason(error)}",
                    hint="ask the warehouse about the permissions of the folder",
                ) from error

    def close(self) -> None:
        if self._connection is not None:
            connection, self._connection = self._connection, None
            connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @contextmanager
    def _session(self, doing: str) -> Iterator[Session]:
        if self._connection is None:
            self._connection = connect(self._server)
        watchdog = self._connection.watchdog
        watchdog.begin()
        try:
            yield self._connection.session
        except LOST as error:
            self.close()
            raise unreachable(self._server, error, doing=doing, barked=watchdog.barked) from error
        except StatusError as error:
            raise FallbackError(
                "delivery-failed",
                f"{self.title}: {_reason(error)} while {doing}",
                hint="ask the warehouse what this login may do in its folders",
            ) from error
        except BaseException as error:
            # Whoever stops us with Ctrl-C stops us between a request and its answer: that session is of no more use.
            if not isinstance(error, FallbackError):
                self.close()
            raise
        finally:
            watchdog.rest()

    def _upload(self, session: Session, folder: Folder, part: str, data: bytes) -> None:
        try:
            handle = _open_part(session, part, len(data))
        except StatusError as error:
            if error.status in (NO_SUCH_FILE, PERMISSION_DENIED):
                raise self._missing(folder, error) from error
            raise
        try:
            session.write(handle, data)
            session.flush(handle)
        except StatusError:
            with suppress(StatusError):
                session.close(handle)
            raise
        session.close(handle)

    def _prove(self, session: Session, part: str, data: bytes) -> None:
        """Compare what arrived under the temporary name, as the agreement says."""
        try:
            size = session.lstat(part).size
            whole = size == len(data) and (self._proof == "size" or _read(session, part, size, size) == data)
        except FileChangedError:
            whole = False
        except StatusError as error:
            if error.status == PERMISSION_DENIED:
                raise _NotWholeError(
                    "the server does not let us compare what arrived; it must, or [delivery] agrees on another proof"
                ) from error
            raise
        if not whole:
            raise _NotWholeError("what arrived is not what was sent")

    def _publish(self, session: Session, folder: Folder, name: str, part: str, final: str, data: bytes) -> None:
        with suppress(StatusError):
            session.lstat(final)
            raise _NotWholeError("somebody else has put a file there meanwhile")
        try:
            session.rename(part, final)
            replaced = self._was_replaced(session, final, data)
        except LOST as error:
            self.close()
            raise NotConfirmed(
                "not-confirmed",
                f"{self.title}: the connection broke while {self._place(folder, name)} was getting its final name: "
                "it may be there",
                hint="do not export again and do not send it twice: wait for the receipt, or look into the folder",
            ) from error
        if replaced:
            raise NotConfirmed(
                "not-confirmed",
                f"{self.title}: {self._place(folder, name)} got its name, and another file has replaced it",
                hint="call the warehouse: it may have taken either; and somebody else sends under these names",
            )

    def _was_replaced(self, session: Session, final: str, data: bytes) -> bool:
        """Whether something else has our name now: there are servers whose rename replaces. A file that is no longer
        there, or not ours to read any more, was taken by the warehouse."""
        try:
            size = session.lstat(final).size
            return size != len(data) or (self._proof != "size" and _read(session, final, size, size) != data)
        except FileChangedError:
            return True
        except StatusError:
            return False

    def _is_there(self, session: Session, folder: Folder, name: str, data: bytes) -> bool:
        """Whether the file is there with these bytes. Raises Refused ``name-taken`` where something else is."""
        place = self._place(folder, name)
        try:
            found = session.lstat(self._path(folder, name))
        except StatusError:
            return False  # or a server that does not tell; it will not replace it
        if not _is_file(found):
            raise name_taken(self.title, place, "a link or a folder", "a file")
        if found.size is not None and found.size != len(data):
            raise name_taken(self.title, place, f"{found.size:,} bytes", f"{len(data):,} bytes")
        try:
            there = _read(session, self._path(folder, name), found.size, len(data))
        except FileChangedError:
            there = None
        except StatusError as error:
            if error.status == NO_SUCH_FILE:
                return False
            raise name_taken(self.title, place, "a file that may not be read", "none") from error
        if there != data:
            shown = "other bytes" if there is None else f"sha256 {sha256(there)[:12]}"
            raise name_taken(self.title, place, shown, f"sha256 {sha256(data)[:12]}")
        return True

    def _make(self, session: Session, folder: Folder) -> None:
        """Make a folder that is ours to make, once a connection; never where the drop itself is not there."""
        if folder not in self._to_make:
            return
        path = self._folders[folder]
        if _lstat(session, path) is None:
            if folder not in ("in", "out"):
                self._make(session, "in")
                self._look_for(session, "in")
            steps = [path]
            while (above := posixpath.dirname(steps[-1])) not in ("", "/"):
                steps.append(above)
            refused: StatusError | None = None
            for step in reversed(steps):
                try:
                    session.make_folder(step)
                except StatusError as error:  # it is there already, or it is refused: the look below tells
                    refused = error
            if _lstat(session, path) is None:
                raise self._missing(folder, refused or StatusError(NO_SUCH_FILE))
        self._to_make.discard(folder)

    def _look_for(self, session: Session, folder: Folder) -> None:
        """Raises FallbackError ``folder-missing`` where the folder is not there."""
        try:
            session.lstat(self._folders[folder])
        except StatusError as error:
            if error.status == NO_SUCH_FILE:
                raise self._missing(folder, error) from error

    def _path(self, folder: Folder, name: str) -> str:
        return posixpath.join(self._folders[folder], name)

    def _place(self, folder: Folder, name: str = "") -> str:
        return posixpath.join(self._folders[folder], name).rstrip("/")

    def _missing(self, folder: Folder, error: StatusError) -> FallbackError:
        return FallbackError(
            "folder-missing",
            f"{self.title}: the folder {self._place(folder)} cannot be used: {_reason(error)}",
            hint="ask the warehouse to create it and to open it for this login, or correct [delivery]",
        )

    def _unreadable(self, folder: Folder, name: str, reason: str) -> FallbackError:
        return FallbackError(
            "file-unreadable",
            f"{self.title}: {self._place(folder, name)} cannot be read: {reason}",
            hint="list the folder; another program may have taken or replaced the file",
        )


class _NotWholeError(Exception):
    """What is under the temporary name is not, or cannot be shown to be, what was sent."""


def _open_part(session: Session, part: str, size: int) -> bytes:
    """Open a temporary file for writing. One left by an earlier try of the same bytes is written over in place."""
    try:
        return session.open(part, WRITE | CREATE | EXCLUSIVE)
    except StatusError:
        found = _lstat(session, part)
        if found is None:
            raise
        if _is_file(found) and found.size is not None and found.size <= size:
            return session.open(part, WRITE)
        session.remove(part)
        return session.open(part, WRITE | CREATE | EXCLUSIVE)


def _read(session: Session, path: str, expected: int | None, limit: int | None) -> bytes | None:
    if limit is not None and expected is not None and expected > limit:
        return None
    handle = session.open(path, READ)
    try:
        data = session.read(handle, expected, limit)
    except (StatusError, FileChangedError):
        with suppress(StatusError):
            session.close(handle)
        raise
    session.close(handle)
    return data


def _lstat(session: Session, path: str) -> Attributes | None:
    try:
        return session.lstat(path)
    except StatusError as error:
        if error.status == NO_SUCH_FILE:
            return None
        raise


def _is_file(found: Attributes) -> bool:
    # A server that tells no mode tells no links either.
    return found.mode is None or stat.S_ISREG(found.mode)


def _entry(name: str, found: Attributes) -> Entry | None:
    if not is_shown(name) or not _is_file(found):
        return None
    return Entry(name, found.size or 0, datetime.fromtimestamp(found.modified or 0, UTC))


def _reason(error: StatusError | _NotWholeError) -> str:
    if isinstance(error, _NotWholeError):
        return str(error)
    return {
        NO_SUCH_FILE: "it is not there",
        PERMISSION_DENIED: "the server denies permission",
        UNSUPPORTED: "the server cannot do what is needed",
    }.get(error.status, "the server refuses without a reason, most often because its disk is full")
