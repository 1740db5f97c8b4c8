"""A real SSH and SFTP server on loopback, for drills and tests: one folder as its root, fresh host key, own accounts.

It listens on 127.0.0.1 only, offers SFTP and nothing else (no shell, no command, no forwarding), and reaches every file
below its root without following a link, so that neither ``..`` nor a link leads out of it.
"""

from __future__ import annotations

import errno
import hmac
import os
import posixpath
import socket
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event, Lock, Thread, current_thread
from types import TracebackType
from typing import TYPE_CHECKING, Self

import paramiko
from paramiko.common import (
    AUTH_FAILED,
    AUTH_SUCCESSFUL,
    OPEN_FAILED_ADMINISTRATIVELY_PROHIBITED,
    OPEN_SUCCEEDED,
)
from paramiko.sftp import SFTP_FAILURE, SFTP_NO_SUCH_FILE, SFTP_OK, SFTP_PERMISSION_DENIED

from fallback.delivery.folder import open_folder, rename_new
from fallback.delivery.ssh import modern

if TYPE_CHECKING:
    from typing_extensions import Buffer

_LONGEST_READ = 1 << 18


@dataclass(frozen=True, slots=True)
class Account:
    """Who may log in, with a password, a public key or either, and where.

    ``keys`` are lines as in a ``.pub`` file. ``folders`` are those below the root whose files the account may list,
    read and write; it does not see that there are others. None is all of them.
    """

    password: str | None = field(default=None, repr=False)
    keys: tuple[str, ...] = ()
    folders: frozenset[str] | None = None

    def may_use(self, folder: str) -> bool:
        return self.folders is None or folder in self.folders

    def may_see(self, path: str) -> bool:
        """Whether a path is a folder of the account, or leads to one."""
        return self.folders is None or any(path in ("", f) or f.startswith(path + "/") for f in self.folders)


class LoopbackServer:
    """The server, as a context manager. ``port`` and ``fingerprint`` are known once it is entered."""

    def __init__(self, root: Path, users: Mapping[str, Account]) -> None:
        self.root = root
        self.users = dict(users)
        self.port = 0
        self.login_attempts = 0
        self._host_key: paramiko.PKey = paramiko.ECDSAKey.generate()
        self._lock = Lock()
        self._transports: set[paramiko.Transport] = set()
        self._threads: set[Thread] = set()
        self._cut: tuple[int, str | None] | None = None
        self._closing = False

    @property
    def fingerprint(self) -> str:
        """The SHA256 fingerprint of the host key, as it stands in an agreement."""
        return str(self._host_key.fingerprint)

    def __enter__(self) -> Self:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self._accepting = Thread(target=self._accept, name="fallback-server", daemon=True)
        self._accepting.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Stop listening, cut every connection, and wait until its thread has ended."""
        self._closing = True
        with suppress(OSError):  # wakes accept(), which closing the listener does not on every system
            socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
        self._accepting.join()
        self._listener.close()
        with self._lock:
            transports, threads = list(self._transports), list(self._threads)
        for transport in transports:
            _cut(transport)
        for thread in (*transports, *threads):
            thread.join(5)

    def replace_host_key(self, key: paramiko.PKey | None = None) -> paramiko.PKey:
        """Show another host key to new connections: a fresh one, as a stranger's server would, or the one given.

        Returns the one before, so that it can be put back.
        """
        before, self._host_key = self._host_key, key or paramiko.ECDSAKey.generate()
        return before

    def cut_after(self, size: int, user: str | None = None) -> None:
        """Drop the connection that uploads the byte after the next ``size`` ones, by ``user`` or by anybody; once."""
        with self._lock:
            self._cut = (size, user)

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                if self._closing:
                    return
                continue
            if self._closing:
                sock.close()
                return
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            transport = paramiko.Transport(sock)
            modern(transport)
            transport.add_server_key(self._host_key)
            transport.set_subsystem_handler("sftp", paramiko.SFTPServer, _Files)
            with self._lock:
                ended = {other for other in self._transports if not other.is_alive()}
                self._transports = (self._transports - ended) | {transport}
            for other in ended:
                _cut(other)
            # With an event it returns at once: the next caller need not wait for this one's handshake.
            transport.start_server(event=Event(), server=_Door(self, transport))

    def _enter(self, thread: Thread) -> None:
        with self._lock:
            self._threads = {other for other in self._threads if other.is_alive()} | {thread}

    def _grant(self, user: str, size: int) -> int:
        """How many of these bytes are still written; fewer than asked for means that the connection is to be cut."""
        with self._lock:
            if self._cut is None or self._cut[1] not in (None, user):
                return size
            left, of = self._cut
            self._cut = None if size > left else (left - size, of)
            return min(size, left)


def new_key(path: Path) -> str:
    """Write a fresh private key, mode 0600, and return its public line for an Account."""
    key = paramiko.ECDSAKey.generate()
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        key.write_private_key(file)
    return f"{key.get_name()} {key.get_base64()}"


class _Door(paramiko.ServerInterface):
    """The login of one connection."""

    def __init__(self, house: LoopbackServer, transport: paramiko.Transport) -> None:
        self.house = house
        self.transport = transport
        self.user = ""
        self.cut = False
        self.account = Account(folders=frozenset())

    def get_allowed_auths(self, username: str) -> str:  # noqa: ARG002
        return "publickey,password"

    def check_auth_password(self, username: str, password: str) -> int:
        account = self.house.users.get(username)
        expected = account.password if account else None
        right = expected is not None and hmac.compare_digest(expected.encode(), password.encode())
        return self._decide(username, right)

    def check_auth_publickey(self, username: str, key: paramiko.PKey) -> int:
        account = self.house.users.get(username)
        shown = (key.get_name(), key.get_base64())
        return self._decide(username, account is not None and shown in [tuple(k.split()[:2]) for k in account.keys])

    def check_channel_request(self, kind: str, chanid: int) -> int:  # noqa: ARG002
        return OPEN_SUCCEEDED if kind == "session" else OPEN_FAILED_ADMINISTRATIVELY_PROHIBITED

    def _decide(self, user: str, right: bool) -> int:
        self.house.login_attempts += 1
        if not right:
            return AUTH_FAILED
        self.user, self.account = user, self.house.users[user]
        return AUTH_SUCCESSFUL


class _Files(paramiko.SFTPServerInterface):
    """The files of one session. Nothing follows a link, so stat and lstat say the same."""

    def __init__(self, door: _Door) -> None:
        super().__init__(door)
        self._door = door

    def session_started(self) -> None:
        self._door.house._enter(current_thread())

    def open(self, path: str, flags: int, attr: paramiko.SFTPAttributes) -> paramiko.SFTPHandle | int:  # noqa: ARG002
        try:
            with self._folder_of(path) as (folder, name):
                flags |= os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
                descriptor = os.open(name, flags, 0o600, dir_fd=folder)
        except OSError as error:
            return _status(error)
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            return SFTP_PERMISSION_DENIED
        return _OpenFile(descriptor, self._door)

    def list_folder(self, path: str) -> list[paramiko.SFTPAttributes] | int:
        parts = _parts(path)
        here = "/".join(parts)
        account = self._door.account
        if not account.may_see(here):
            return SFTP_NO_SUCH_FILE
        found = []
        try:
            folder: int = open_folder(self._door.house.root, parts)
            try:
                for name in os.listdir(folder):
                    if name.isprintable() and (account.may_use(here) or account.may_see(posixpath.join(here, name))):
                        with suppress(FileNotFoundError):
                            status = os.stat(name, dir_fd=folder, follow_symlinks=False)
                            found.append(paramiko.SFTPAttributes.from_stat(status, name))
            finally:
                os.close(folder)
        except OSError as error:
            return _status(error)
        return found

    def lstat(self, path: str) -> paramiko.SFTPAttributes | int:
        parts = _parts(path)
        try:
            if self._door.account.may_see("/".join(parts)):
                folder = open_folder(self._door.house.root, parts)
                try:
                    return paramiko.SFTPAttributes.from_stat(os.fstat(folder))
                finally:
                    os.close(folder)
        except OSError as error:
            if error.errno != errno.ENOTDIR:
                return _status(error)
        try:
            with self._folder_of(path) as (folder, name):
                return paramiko.SFTPAttributes.from_stat(os.stat(name, dir_fd=folder, follow_symlinks=False))
        except OSError as error:
            return _status(error)

    stat = lstat

    def remove(self, path: str) -> int:
        try:
            with self._folder_of(path) as (folder, name):
                os.unlink(name, dir_fd=folder)
        except OSError as error:
            return _status(error)
        return SFTP_OK

    def rename(self, oldpath: str, newpath: str) -> int:
        try:
            with self._folder_of(oldpath) as (source, old), self._folder_of(newpath) as (target, new):
                rename_new(source, old, target, new)
        except OSError as error:
            return _status(error)
        return SFTP_OK

    def mkdir(self, path: str, attr: paramiko.SFTPAttributes) -> int:  # noqa: ARG002
        parts = _parts(path)
        if not parts or not self._door.account.may_see("/".join(parts)):
            return SFTP_PERMISSION_DENIED
        try:
            folder = open_folder(self._door.house.root, parts[:-1])
            try:
                os.mkdir(parts[-1], dir_fd=folder)
            finally:
                os.close(folder)
        except OSError as error:
            return _status(error)
        return SFTP_OK

    @contextmanager
    def _folder_of(self, path: str) -> Iterator[tuple[int, str]]:
        """A descriptor of the folder that a file is in, and its name there. Raises OSError."""
        parts = _parts(path)
        if not parts or not self._door.account.may_use("/".join(parts[:-1])):
            raise FileNotFoundError(errno.ENOENT, "")
        folder = open_folder(self._door.house.root, parts[:-1])
        try:
            yield folder, parts[-1]
        finally:
            os.close(folder)


class _OpenFile(paramiko.SFTPHandle):
    def __init__(self, descriptor: int, door: _Door) -> None:
        super().__init__()
        self._descriptor = descriptor
        self._door = door

    def close(self) -> None:
        os.close(self._descriptor)

    def stat(self) -> paramiko.SFTPAttributes | int:
        return paramiko.SFTPAttributes.from_stat(os.fstat(self._descriptor))

    def read(self, offset: int, length: int) -> bytes | int:
        try:
            return os.pread(self._descriptor, min(length, _LONGEST_READ), offset)
        except OSError as error:
            return _status(error)

    def write(self, offset: int, data: Buffer) -> int:
        whole = memoryview(data)
        if self._door.cut:  # what was on its way when the line was cut is lost with it
            return SFTP_FAILURE
        granted = self._door.house._grant(self._door.user, len(whole))
        rest = whole[:granted]
        try:
            while rest:
                written = os.pwrite(self._descriptor, rest, offset)
                rest, offset = rest[written:], offset + written
        except OSError as error:
            return _status(error)
        if granted < len(whole):
            self._door.cut = True
            _cut(self._door.transport)
            return SFTP_FAILURE
        return SFTP_OK


def _parts(path: str) -> tuple[str, ...]:
    """The parts of a path below the root; ``..`` never leads above it."""
    return tuple(part for part in posixpath.normpath(posixpath.join("/", path)).split("/") if part)


def _status(error: OSError) -> int:
    if error.errno in (errno.ELOOP, errno.EPERM):
        return SFTP_PERMISSION_DENIED
    return int(paramiko.SFTPServer.convert_errno(error.errno or 0))


def _cut(transport: paramiko.Transport) -> None:
    with suppress(OSError):
        transport.sock.shutdown(socket.SHUT_RDWR)
    transport.close()
    transport.packetizer.complete_handshake()  # its timer runs on where the handshake was not finished
