"""The SFTP protocol, version 3, as a client speaks it: the few requests that a drop needs, over a channel.

The channel is all that is used of the SSH library. Requests that carry file content go out many at a time, and the
status of every one is checked: a write that the server refused in the middle of a file is never overlooked.
Source: draft-ietf-secsh-filexfer-02; the extension ``fsync@openssh.com``: OpenSSH's PROTOCOL, section 4.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Container
from dataclasses import dataclass
from typing import Protocol

_INIT, _VERSION, _OPEN, _CLOSE, _READ, _WRITE, _LSTAT, _FSTAT = 1, 2, 3, 4, 5, 6, 7, 8
_OPENDIR, _READDIR, _REMOVE, _MKDIR, _RENAME, _EXTENDED = 11, 12, 13, 14, 18, 200
_STATUS, _HANDLE, _DATA, _NAME, _ATTRS = 101, 102, 103, 104, 105

READ, WRITE, CREATE, EXCLUSIVE = 0x01, 0x02, 0x08, 0x20
OK, END, NO_SUCH_FILE, PERMISSION_DENIED, UNSUPPORTED = 0, 1, 2, 3, 8

CHUNK = 32_000  # bytes a request: with its head it fits into one SSH packet of 32 KiB
WRITES_IN_FLIGHT = 128  # 4 MB on the way
READS_IN_FLIGHT = 64  # 2 MB, the window that the channel grants the server
_LONGEST_ANSWER = 1 << 20
_LONGEST_LISTING = 200_000


class Channel(Protocol):
    """What is used of a channel: both raise OSError when it breaks or is silent for too long."""

    def sendall(self, data: bytes, /) -> None: ...

    def recv(self, size: int, /) -> bytes: ...

    def recv_ready(self) -> bool: ...


class StatusError(Exception):
    """The server answered a request with another status than success."""

    def __init__(self, status: int) -> None:
        super().__init__(f"status {status}")
        self.status = status


class ProtocolError(Exception):
    """The server answered something that is not SFTP, or not an answer to what was asked."""


class FileChangedError(Exception):
    """A file grew or shrank while it was read: whoever writes it has not finished."""


@dataclass(frozen=True, slots=True)
class Attributes:
    """What a server tells of a file; it may leave out any of it. ``modified`` in seconds since 1970."""

    size: int | None = None
    mode: int | None = None
    modified: int | None = None


class Session:
    """One SFTP session on an open channel. ``progress`` is called at every answer with the number of bytes that it
    carries or confirms, so that silence can be noticed, and a server that answers next to nothing for ever.

    Methods raise StatusError for what the server refuses; ProtocolError, EOFError or OSError when the session is lost.
    """

    def __init__(self, channel: Channel, progress: Callable[[int], None]) -> None:
        self._channel = channel
        self._progress = progress
        self._received = bytearray()
        self._last = 0
        self._send(_INIT, struct.pack(">I", 3))
        kind, answer = self._packet()
        if kind != _VERSION:
            raise ProtocolError
        answer.number()
        self._extensions: set[bytes] = set()
        while answer.left:
            self._extensions.add(answer.text())
            answer.text()

    def lstat(self, path: str) -> Attributes:
        return self._ask(_ATTRS, _LSTAT, _text(path)).attributes()

    def open(self, path: str, flags: int) -> bytes:
        return self._ask(_HANDLE, _OPEN, _text(path), struct.pack(">II", flags, 0)).text()

    def size(self, handle: bytes) -> int | None:
        return self._ask(_ATTRS, _FSTAT, _bytes(handle)).attributes().size

    def close(self, handle: bytes) -> None:
        self._ask(_STATUS, _CLOSE, _bytes(handle))

    def flush(self, handle: bytes) -> None:
        """Have the server put the file onto its disk, where it can."""
        if b"fsync@openssh.com" in self._extensions:
            try:
                self._ask(_STATUS, _EXTENDED, _bytes(b"fsync@openssh.com"), _bytes(handle))
            except StatusError as error:
                if error.status != UNSUPPORTED:
                    raise

    def remove(self, path: str) -> None:
        self._ask(_STATUS, _REMOVE, _text(path))

    def rename(self, source: str, target: str) -> None:
        """The plain RENAME of the protocol, which must not replace."""
        self._ask(_STATUS, _RENAME, _text(source), _text(target))

    def make_folder(self, path: str) -> None:
        self._ask(_STATUS, _MKDIR, _text(path), struct.pack(">I", 0))

    def list(self, path: str) -> list[tuple[bytes, Attributes]]:
        """The names in a folder as the server spells them, with what it tells of each."""
        found: list[tuple[bytes, Attributes]] = []
        handle = self._ask(_HANDLE, _OPENDIR, _text(path)).text()
        try:
            while len(found) <= _LONGEST_LISTING:
                answer = self._ask(_NAME, _READDIR, _bytes(handle))
                number = answer.number()
                if number == 0:
                    raise ProtocolError  # the end is a status; this could go on for ever
                for _ in range(number):
                    name = answer.text()
                    answer.text()  # the line that `ls -l` would print
                    found.append((name, answer.attributes()))
        except StatusError as error:
            if error.status != END:
                raise
            self.close(handle)
            return found
        raise ProtocolError  # a listing without an end

    def write(self, handle: bytes, data: bytes) -> None:
        """Write a file from its beginning. Raises StatusError with the first refusal, after all answers are in."""
        waiting: dict[int, int] = {}
        refused: int | None = None
        view = memoryview(data)
        offsets = iter(range(0, len(data), CHUNK))
        offset = next(offsets, None)
        while offset is not None or waiting:
            if offset is not None and refused is None and len(waiting) < WRITES_IN_FLIGHT:
                piece = view[offset : offset + CHUNK]
                number = self._request(_WRITE, _bytes(handle), struct.pack(">QI", offset, len(piece)), piece)
                waiting[number] = len(piece)
                offset = next(offsets, None)
                if not self._channel.recv_ready():
                    continue
            elif not waiting:
                break
            kind, answer = self._packet()
            length = waiting.pop(_known(answer.number(), waiting))
            if kind != _STATUS:
                raise ProtocolError
            status = answer.number()
            if status == OK:
                self._progress(length)
            elif refused is None:
                refused = status
        if refused is not None:
            raise StatusError(refused)

    def read(self, handle: bytes, expected: int | None, limit: int | None) -> bytes | None:
        """A file to its end, or None where it is longer than ``limit`` bytes.

        ``expected`` is its size, as far as the server tells: so much is asked for at once. The end is where the server
        says it is. Raises StatusError, or FileChangedError, after all answers are in.
        """
        pieces: dict[int, bytes] = {}
        waiting: dict[int, tuple[int, int]] = {}
        offset, total = 0, 0
        end: int | None = None
        refused: int | None = None
        while True:
            while end is None and len(waiting) < READS_IN_FLIGHT and (offset <= (expected or 0) or not waiting):
                waiting[self._ask_for(handle, offset, CHUNK)] = (offset, CHUNK)
                offset += CHUNK
            if not waiting:
                break
            kind, answer = self._packet()
            start, length = waiting.pop(_known(answer.number(), waiting))
            if kind == _STATUS:
                status = answer.number()
                refused = status if status != END and refused is None else refused
                end = start if end is None else min(end, start)
                continue
            piece = answer.text()
            if kind != _DATA or not 0 < len(piece) <= length:
                raise ProtocolError
            pieces[start] = piece
            total += len(piece)
            if limit is not None and total > limit:
                end = 0  # ask for no more, and wait for what is on its way
            elif len(piece) < length:
                rest = (start + len(piece), length - len(piece))
                waiting[self._ask_for(handle, *rest)] = rest
        if refused is not None:
            raise StatusError(refused)
        if limit is not None and total > limit:
            return None
        data = b"".join(pieces[start] for start in sorted(pieces))
        if len(data) != end or len(data) != max((start + len(piece) for start, piece in pieces.items()), default=0):
            raise FileChangedError
        return data

    def _ask_for(self, handle: bytes, offset: int, length: int) -> int:
        return self._request(_READ, _bytes(handle), struct.pack(">QI", offset, length))

    def _ask(self, expected: int, kind: int, *parts: bytes) -> _Answer:
        number = self._request(kind, *parts)
        found, answer = self._packet()
        if answer.number() != number:
            raise ProtocolError
        if found == _STATUS:
            status = answer.number()
            if status != OK:
                raise StatusError(status)
        if found != expected:
            raise ProtocolError
        return answer

    def _request(self, kind: int, *parts: bytes | memoryview) -> int:
        self._last = (self._last + 1) & 0xFFFFFFFF
        self._send(kind, struct.pack(">I", self._last), *parts)
        return self._last

    def _send(self, kind: int, *parts: bytes | memoryview) -> None:
        length = 1 + sum(len(part) for part in parts)
        self._channel.sendall(b"".join((struct.pack(">IB", length, kind), *parts)))

    def _packet(self) -> tuple[int, _Answer]:
        length, kind = struct.unpack(">IB", self._take(5))
        if not 1 <= length <= _LONGEST_ANSWER:
            raise ProtocolError
        answer = _Answer(self._take(length - 1))
        self._progress(length)
        return kind, answer

    def _take(self, size: int) -> bytes:
        while len(self._received) < size:
            piece = self._channel.recv(1 << 17)
            if not piece:
                raise EOFError
            self._received += piece
        taken = bytes(self._received[:size])
        del self._received[:size]
        return taken


class _Answer:
    """The content of an answer, read from its beginning. What is not there raises ProtocolError."""

    def __init__(self, content: bytes) -> None:
        self._content = content
        self._at = 0

    @property
    def left(self) -> int:
        return len(self._content) - self._at

    def number(self, form: str = ">I") -> int:
        try:
            (number,) = struct.unpack_from(form, self._content, self._at)
        except struct.error:
            raise ProtocolError from None
        self._at += struct.calcsize(form)
        return int(number)

    def text(self) -> bytes:
        length = self.number()
        if length > self.left:
            raise ProtocolError
        self._at += length
        return self._content[self._at - length : self._at]

    def attributes(self) -> Attributes:
        flags = self.number()
        size = self.number(">Q") if flags & 0x1 else None
        if flags & 0x2:  # user and group
            self.number(">Q")
        mode = self.number() if flags & 0x4 else None
        modified = self.number(">Q") & 0xFFFFFFFF if flags & 0x8 else None  # access time, modification time
        if flags & 0x80000000:
            for _ in range(self.number()):
                self.text()
                self.text()
        return Attributes(size, mode, modified)


def _bytes(value: bytes) -> bytes:
    return struct.pack(">I", len(value)) + value


def _text(value: str) -> bytes:
    return _bytes(value.encode())


def _known(number: int, waiting: Container[int]) -> int:
    if number not in waiting:
        raise ProtocolError
    return number
