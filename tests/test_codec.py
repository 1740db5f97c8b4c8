"""The SFTP codec against a server that answers in any order, a little at a time, or nonsense."""

from __future__ import annotations

import struct
from collections.abc import Callable
from itertools import cycle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fallback.delivery.codec import CHUNK, Attributes, FileChangedError, ProtocolError, Session, StatusError

VERSION = struct.pack(">I", 3)
END, FAILURE, UNSUPPORTED = 1, 4, 8


def text(value: bytes) -> bytes:
    return struct.pack(">I", len(value)) + value


def packet(kind: int, content: bytes) -> bytes:
    return struct.pack(">IB", len(content) + 1, kind) + content


def status(number: int, code: int) -> bytes:
    return packet(101, struct.pack(">II", number, code) + text(b"words of the server") + text(b"en"))


class Line:
    """A channel: what is sent goes to ``answer``, packet by packet, and its answers come back.

    ``late`` gives what comes when the client waits and nothing has come yet.
    """

    def __init__(
        self, answer: Callable[[int, bytes], bytes], piece: int = 1 << 17, late: Callable[[], bytes] = bytes
    ) -> None:
        self._answer = answer
        self._late = late
        self._sent = bytearray()
        self._waiting = bytearray()
        self._piece = piece

    def sendall(self, data: bytes) -> None:
        self._sent += data
        while len(self._sent) >= 4:
            (length,) = struct.unpack_from(">I", self._sent)
            self._waiting += self._answer(self._sent[4], bytes(self._sent[5 : 4 + length]))
            del self._sent[: 4 + length]

    def recv(self, size: int) -> bytes:
        if not self._waiting:
            self._waiting += self._late()
        piece = bytes(self._waiting[: min(size, self._piece)])
        del self._waiting[: len(piece)]
        return piece

    def recv_ready(self) -> bool:
        return bool(self._waiting)


def session(
    answer: Callable[[int, int, bytes], bytes],
    hello: bytes = VERSION,
    piece: int = 1 << 17,
    late: Callable[[], bytes] = bytes,
) -> Session:
    """A session with a server that answers the requests after the greeting: kind, number, content."""

    def reply(kind: int, content: bytes) -> bytes:
        if kind == 1:
            return packet(2, hello)
        return answer(kind, *struct.unpack_from(">I", content), content[4:])

    return Session(Line(reply, piece, late), lambda size: None)


class Shuffled:
    """A server that holds one file, keeps its answers back, and gives them in any order and a little at a time."""

    def __init__(self, data: bytes, choices: list[int]) -> None:
        self._data = data
        self._choices = cycle(choices)
        self._kept: list[bytes] = []

    def keep(self, kind: int, number: int, content: bytes) -> bytes:
        offset, length = struct.unpack_from(">QI", content, 4 + len(b"h"))
        piece = self._data[offset : offset + min(length, 1 + next(self._choices) * 997)]
        self._kept.append(packet(103, struct.pack(">I", number) + text(piece)) if piece else status(number, END))
        return b""

    def give(self) -> bytes:
        return self._kept.pop(next(self._choices) % len(self._kept)) if self._kept else b""


@given(
    size=st.integers(0, 150_000),
    expected=st.none() | st.integers(0, 300_000),
    choices=st.lists(st.integers(1, 40), min_size=1, max_size=20),
    piece=st.sampled_from([1, 7, 1 << 17]),
)
def test_a_file_is_read_whole_whatever_the_order_and_size_of_the_answers(
    size: int, expected: int | None, choices: list[int], piece: int
) -> None:
    data = (bytes(range(251)) * (size // 251 + 1))[:size]
    if piece < 100:
        data = data[:2_000]

    def read(limit: int | None) -> bytes | None:
        server = Shuffled(data, choices)
        return session(server.keep, piece=piece, late=server.give).read(b"h", expected, limit)

    assert read(None) == data
    assert read(len(data)) == data
    if data:
        assert read(len(data) - 1) is None


@given(size=st.integers(0, 5_000_000), refused=st.none() | st.integers(0, 160))
def test_every_status_of_an_upload_is_checked(size: int, refused: int | None) -> None:
    written = {}

    def answer(kind: int, number: int, content: bytes) -> bytes:
        offset, length = struct.unpack_from(">QI", content, 5)
        if offset == (refused or -1) * CHUNK or (refused == 0 and offset == 0):
            return status(number, FAILURE)
        written[offset] = length
        return status(number, 0)

    talk = session(answer)
    if refused is not None and refused * CHUNK < size:
        with pytest.raises(StatusError) as error:
            talk.write(b"h", bytes(size))
        assert error.value.status == FAILURE
    else:
        talk.write(b"h", bytes(size))
        assert sum(written.values()) == size


@pytest.mark.parametrize(
    "hello",
    [
        packet(101, VERSION),
        b"HTTP/1.0 400 Bad Request",
        packet(2, b"")[:5],
        struct.pack(">IB", 1 << 24, 2),
        b"\x00" * 8,
    ],
)
def test_what_does_not_greet_is_no_server(hello: bytes) -> None:
    with pytest.raises((ProtocolError, EOFError)):
        Session(Line(lambda kind, content: hello), lambda size: None)


@pytest.mark.parametrize(
    "reply",
    [
        lambda number: status(number + 1, 0),
        lambda number: packet(103, struct.pack(">I", number) + text(b"data")),
        lambda number: status(number, 0),
        lambda number: packet(105, struct.pack(">II", number, 0x1)),
        lambda number: packet(105, struct.pack(">IIII", number, 0x80000000, 1, 99)),
        lambda number: packet(105, b""),
        lambda number: b"",
    ],
)
def test_an_answer_to_something_else_ends_the_session(reply: Callable[[int], bytes]) -> None:
    talk = session(lambda kind, number, content: reply(number))
    with pytest.raises((ProtocolError, EOFError)):
        talk.lstat("in")


@pytest.mark.parametrize(
    "reply",
    [
        lambda number: packet(103, struct.pack(">I", number) + text(bytes(CHUNK + 1))),
        lambda number: packet(103, struct.pack(">I", number) + text(b"")),
        lambda number: packet(104, struct.pack(">I", number) + text(b"name")),
        lambda number: packet(103, struct.pack(">I", number + 500) + text(b"data")),
    ],
)
def test_data_that_was_not_asked_for_ends_the_session(reply: Callable[[int], bytes]) -> None:
    talk = session(lambda kind, number, content: reply(number))
    with pytest.raises(ProtocolError):
        talk.read(b"h", 10, None)


def test_a_write_answered_with_data_ends_the_session() -> None:
    talk = session(lambda kind, number, content: packet(103, struct.pack(">I", number) + text(b"data")))
    with pytest.raises(ProtocolError):
        talk.write(b"h", b"data")


def test_a_file_with_a_hole_is_a_changed_file() -> None:
    def answer(kind: int, number: int, content: bytes) -> bytes:
        (offset,) = struct.unpack_from(">Q", content, 5)
        if offset == CHUNK:
            return status(number, END)
        return (
            packet(103, struct.pack(">I", number) + text(bytes(CHUNK))) if offset < 4 * CHUNK else status(number, END)
        )

    with pytest.raises(FileChangedError):
        session(answer).read(b"h", 4 * CHUNK, None)


def test_a_refused_read_is_told_after_all_answers_are_in() -> None:
    talk = session(lambda kind, number, content: status(number, FAILURE))
    with pytest.raises(StatusError):
        talk.read(b"h", 10 * CHUNK, None)
    with pytest.raises(StatusError):
        talk.lstat("in")


def test_a_listing_without_an_end_is_given_up() -> None:
    entry = text(b"x.csv") + text(b"-rw-------") + struct.pack(">I", 0)

    def answer(kind: int, number: int, content: bytes) -> bytes:
        head = struct.pack(">I", number)
        return (
            packet(102, head + text(b"h")) if kind == 11 else packet(104, head + struct.pack(">I", 1000) + entry * 1000)
        )

    with pytest.raises(ProtocolError):
        session(answer).list("in")


def test_every_attribute_that_a_server_may_tell_is_understood() -> None:
    told = struct.pack(">IQIIIIII", 0x8000000F, 7, 1, 2, 0o100600, 3, 4, 1) + text(b"extended") + text(b"thing")
    talk = session(lambda kind, number, content: packet(105, struct.pack(">I", number) + told))
    assert talk.lstat("x") == Attributes(size=7, mode=0o100600, modified=4)
    talk = session(lambda kind, number, content: packet(105, struct.pack(">II", number, 0)))
    assert talk.lstat("x") == Attributes()
    assert talk.size(b"h") is None


@pytest.mark.parametrize("advertised", [True, False])
@pytest.mark.parametrize("answered", [0, UNSUPPORTED, FAILURE])
def test_a_file_is_flushed_where_the_server_can(advertised: bool, answered: int) -> None:
    asked = []

    def answer(kind: int, number: int, content: bytes) -> bytes:
        asked.append(kind)
        return status(number, answered)

    hello = VERSION + (text(b"fsync@openssh.com") + text(b"1") if advertised else b"")
    talk = session(answer, hello)
    if advertised and answered == FAILURE:
        with pytest.raises(StatusError):
            talk.flush(b"h")
    else:
        talk.flush(b"h")
    assert asked == ([200] if advertised else [])


def test_a_listing_that_gives_nothing_and_never_ends_is_given_up() -> None:
    """No call waits for ever: a server may answer READDIR with no name at all, time after time."""

    def answer(kind: int, number: int, content: bytes) -> bytes:
        head = struct.pack(">I", number)
        return packet(102, head + text(b"h")) if kind == 11 else packet(104, head + struct.pack(">I", 0))

    with pytest.raises(ProtocolError):
        session(answer).list("in")


def test_what_an_answer_carries_or_confirms_is_counted() -> None:
    """An operation has its end, which only what it carries puts off."""
    counted: list[int] = []

    def reply(kind: int, content: bytes) -> bytes:
        return packet(2, VERSION) if kind == 1 else status(struct.unpack_from(">I", content)[0], 0)

    talk = Session(Line(reply), counted.append)
    counted.clear()
    talk.write(b"h", bytes(3 * CHUNK))
    assert sum(size for size in counted if size >= CHUNK) == 3 * CHUNK
