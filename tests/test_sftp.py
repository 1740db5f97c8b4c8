"""SFTP in trouble: wrong keys, refused logins, silence, cuts, lying servers, and a jail that holds."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import stat
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import paramiko
import pytest
from paramiko.hostkeys import HostKeys

from fallback.delivery import server as serving
from fallback.delivery.codec import CREATE, EXCLUSIVE, READ, WRITE, Session, StatusError
from fallback.delivery.drop import part_name, sha256
from fallback.delivery.server import Account, LoopbackServer, new_key
from fallback.delivery.sftp import SftpDrop
from fallback.delivery.ssh import Server, Watchdog, connect, known_keys
from fallback.errors import FallbackError, NotConfirmed, Refused
from support.sshd import Sshd

NAME = "ACME_ORDERS_20261123T140000Z_000007.csv"
DATA = os.urandom(300_000)
USER, PASSWORD, VARIABLE = "brand-acme-user", "correct horse battery", "FALLBACK_TEST_PASSWORD"
NO_KEY = "SHA256:" + "A" * 43
FOLDERS = frozenset({"in", "out", "drill/in", "drill/out"})


@pytest.fixture(autouse=True)
def _password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, PASSWORD)


@pytest.fixture
def server(root: Path) -> Iterator[LoopbackServer]:
    for folder in ("in", "out", "work", "done", "bad", "drill/in", "drill/out"):
        (root / folder).mkdir(parents=True)
    users = {USER: Account(PASSWORD, folders=FOLDERS), "warehouse": Account(PASSWORD)}
    with LoopbackServer(root, users) as running:
        yield running


def drop_at(port: int, **changes: Any) -> SftpDrop:
    settings: dict[str, Any] = {"user": USER, "password_env": VARIABLE, "timeout": 10.0, "stall_timeout": 10.0}
    return SftpDrop("127.0.0.1", port, "live", **(settings | changes))


def drop_of(server: LoopbackServer, **changes: Any) -> SftpDrop:
    return drop_at(server.port, **({"host_key": server.fingerprint} | changes))


def failure(act: Callable[[], object]) -> FallbackError:
    """The error of an act; it shows no secret, no user and no path of a key, and says what to do."""
    with pytest.raises(FallbackError) as caught:
        act()
    text = str(caught.value)
    for hidden in (USER, PASSWORD, "key_of_brand", "Traceback", "Exception", "paramiko", "Errno"):
        assert hidden not in text
    assert caught.value.hint
    return caught.value


# --- the host key


def test_a_wrong_host_key_is_refused_before_any_login(server: LoopbackServer) -> None:
    with drop_of(server, host_key=NO_KEY) as drop:
        error = failure(lambda: drop.put("in", NAME, DATA))
    assert (error.code, error.exit_code, type(error)) == ("host-key-changed", 7, Refused)
    assert NO_KEY in str(error)
    assert server.fingerprint in str(error)
    assert f"127.0.0.1:{server.port}" in str(error)
    assert server.login_attempts == 0


def test_a_changed_host_key_is_refused_before_any_login(server: LoopbackServer) -> None:
    agreed = server.fingerprint
    with drop_of(server, host_key=agreed) as drop:
        drop.put("in", NAME, DATA)
    logins = server.login_attempts
    before = server.replace_host_key()
    with drop_of(server, host_key=agreed) as drop:
        error = failure(lambda: drop.read("in", NAME))
    assert (error.code, error.exit_code) == ("host-key-changed", 7)
    assert agreed in str(error)
    assert server.fingerprint in str(error)
    assert server.fingerprint != agreed
    assert server.login_attempts == logins
    server.replace_host_key(before)
    with drop_of(server, host_key=agreed) as drop:
        assert drop.read("in", NAME) == DATA


def test_without_an_agreed_host_key_the_fingerprint_is_shown_and_nothing_is_sent(server: LoopbackServer) -> None:
    error = failure(lambda: drop_of(server, host_key=None).list("in"))
    assert (error.code, error.exit_code) == ("host-key-unknown", 7)
    assert server.fingerprint in str(error)
    assert "phone" in error.hint
    assert server.login_attempts == 0


def test_a_host_key_that_is_no_fingerprint_is_named(server: LoopbackServer) -> None:
    error = failure(lambda: drop_of(server, host_key="MD5:aa:bb").list("in"))
    assert error.code == "agreement-invalid"
    assert server.login_attempts == 0


@pytest.mark.parametrize("kind", ["ed25519", "ecdsa", "rsa"])
def test_any_key_of_a_server_that_has_several_may_be_the_agreed_one(sshd: Sshd, root: Path, kind: str) -> None:
    (root / "in").mkdir()
    with drop_at(
        sshd.port,
        user=sshd.user,
        password_env=None,
        key_file=sshd.key_file,
        host_key=sshd.fingerprints[kind],
        in_folder=str(root / "in"),
    ) as drop:
        assert drop.list("in") == []


def test_a_wrong_host_key_of_sshd_is_refused(sshd: Sshd) -> None:
    drop = drop_at(sshd.port, user=sshd.user, password_env=None, key_file=sshd.key_file, host_key=NO_KEY)
    error = failure(lambda: drop.list("in"))
    assert error.code == "host-key-changed"
    assert sshd.fingerprint in str(error)


def known_line(server: LoopbackServer, name: str, marker: str = "") -> str:
    key = server._host_key
    return f"{marker}{name} {key.get_name()} {key.get_base64()}\n"


@pytest.mark.parametrize("hashed", [False, True])
def test_known_hosts_holds_where_the_agreement_pins_no_key(
    server: LoopbackServer, tmp_path: Path, hashed: bool
) -> None:
    name = f"[127.0.0.1]:{server.port}"
    known = tmp_path / "known_hosts"
    known.write_text(
        "# a comment\n\n@cert-authority *.example ssh-ed25519 AAAA\ndamaged line\nother.example ssh-rsa %%%\n"
        + known_line(server, HostKeys.hash_host(name) if hashed else f"{name},elsewhere.example")
    )
    with drop_of(server, host_key=None, known_hosts=known) as drop:
        assert drop.list("in") == []
    server.replace_host_key()
    error = failure(lambda: drop_of(server, host_key=None, known_hosts=known).list("in"))
    assert error.code == "host-key-changed"


def test_a_revoked_host_key_is_refused_even_if_it_is_agreed(server: LoopbackServer, tmp_path: Path) -> None:
    known = tmp_path / "known_hosts"
    known.write_text(known_line(server, f"[127.0.0.1]:{server.port}", "@revoked "))
    error = failure(lambda: drop_of(server, known_hosts=known).list("in"))
    assert error.code in ("host-key-changed", "host-key-unknown")
    assert server.login_attempts == 0


def test_known_hosts_may_be_missing_or_know_other_servers_only(server: LoopbackServer, tmp_path: Path) -> None:
    error = failure(lambda: drop_of(server, host_key=None, known_hosts=tmp_path / "nowhere").list("in"))
    assert error.code == "local-invalid"
    (tmp_path / "known").write_text(known_line(server, "other.example"))
    error = failure(lambda: drop_of(server, host_key=None, known_hosts=tmp_path / "known").list("in"))
    assert error.code == "host-key-unknown"


def test_the_default_port_stands_in_known_hosts_without_brackets(server: LoopbackServer) -> None:
    lines = [known_line(server, "sftp.example")]
    assert known_keys(lines, "sftp.example", 22) == (frozenset([server.fingerprint]), frozenset())
    assert known_keys(lines, "sftp.example", 2222) == (frozenset(), frozenset())


@pytest.mark.parametrize("line", ["@revoked * {}", "@revoked\t{host} {}", "@revoked   elsewhere.example {}"])
def test_a_revoked_key_is_revoked_whatever_server_its_line_names(
    server: LoopbackServer, tmp_path: Path, line: str
) -> None:
    key = server._host_key
    host = f"[127.0.0.1]:{server.port}"
    known = tmp_path / "known_hosts"
    public = f"{key.get_name()} {key.get_base64()}"
    known.write_text(f"{host} {public}\n" + line.format(public, host=host) + "\n")
    for pinned in (server.fingerprint, None):
        error = failure(lambda pinned=pinned: drop_of(server, host_key=pinned, known_hosts=known).list("in"))
        assert error.code == "host-key-changed" and "revoked" in str(error)
    assert server.login_attempts == 0


def test_while_a_server_changes_its_key_both_are_known(server: LoopbackServer, tmp_path: Path) -> None:
    other = paramiko.ECDSAKey.generate()
    key, host = server._host_key, f"[127.0.0.1]:{server.port}"
    lines = [f"{host} {one.get_name()} {one.get_base64()}" for one in (other, key, paramiko.ECDSAKey.generate())]
    known, _ = known_keys(lines, "127.0.0.1", server.port)
    assert {other.fingerprint, key.fingerprint} < known
    (tmp_path / "known").write_text("\n".join(lines) + "\n")
    with drop_of(server, host_key=None, known_hosts=tmp_path / "known") as drop:
        assert drop.list("in") == []


# --- the login


@pytest.mark.skipif(os.name != "posix", reason="files have no such modes here")
def test_a_private_key_that_others_may_read_is_not_used(root: Path, tmp_path: Path) -> None:
    (root / "in").mkdir()
    path = tmp_path / "key_of_brand"
    with LoopbackServer(root, {USER: Account(keys=(new_key(path),))}) as server:
        for mode in (0o644, 0o640, 0o604):
            path.chmod(mode)
            error = failure(lambda: drop_of(server, password_env=None, key_file=path).list("in"))
            assert error.code == "local-invalid" and "open to others" in str(error) and "chmod 600" in str(error.hint)
        assert server.login_attempts == 0
        path.chmod(0o400)
        with drop_of(server, password_env=None, key_file=path) as drop:
            assert drop.list("in") == []


def test_a_wrong_password_is_told(server: LoopbackServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "wrong " + PASSWORD)
    error = failure(lambda: drop_of(server).list("in"))
    assert (error.code, error.exit_code) == ("login-refused", 3)
    assert f"127.0.0.1:{server.port}" in str(error)


def test_an_unknown_user_is_told_the_same(server: LoopbackServer) -> None:
    assert failure(lambda: drop_of(server, user="nobody").list("in")).code == "login-refused"


@pytest.mark.parametrize("value", [None, ""])
def test_a_password_variable_that_is_not_set_is_named(
    server: LoopbackServer, monkeypatch: pytest.MonkeyPatch, value: str | None
) -> None:
    monkeypatch.setenv(VARIABLE, "") if value == "" else monkeypatch.delenv(VARIABLE)
    error = failure(lambda: drop_of(server).list("in"))
    assert error.code == "local-invalid"
    assert VARIABLE in str(error)
    assert server.login_attempts == 0


def test_a_key_logs_in_and_a_stranger_s_does_not(root: Path, tmp_path: Path) -> None:
    (root / "in").mkdir()
    users = {USER: Account(keys=(new_key(tmp_path / "key_of_brand"),))}
    new_key(tmp_path / "key_of_brand_2")
    assert stat.S_IMODE((tmp_path / "key_of_brand").stat().st_mode) == 0o600
    with LoopbackServer(root, users) as server:
        with drop_of(server, password_env=None, key_file=tmp_path / "key_of_brand") as drop:
            assert drop.list("in") == []
        other = drop_of(server, password_env=None, key_file=tmp_path / "key_of_brand_2")
        assert failure(lambda: other.list("in")).code == "login-refused"
        assert failure(lambda: drop_of(server).list("in")).code == "login-refused"


def test_an_encrypted_key_needs_its_passphrase(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (root / "in").mkdir()
    key = paramiko.ECDSAKey.generate()
    path = tmp_path / "key_of_brand"
    key.write_private_key_file(str(path), password="open sesame")
    public = f"{key.get_name()} {key.get_base64()}"
    with LoopbackServer(root, {USER: Account(keys=(public,))}) as server:
        error = failure(lambda: drop_of(server, password_env=None, key_file=path).list("in"))
        assert error.code == "local-invalid"
        assert "encrypted" in str(error)
        monkeypatch.setenv(VARIABLE, "open sesame")
        with drop_of(server, key_file=path) as drop:
            assert drop.list("in") == []


@pytest.mark.parametrize("content", [None, b"", b"not a key", b"\xff\xfe\x00"])
def test_a_key_file_that_cannot_be_used_is_told(server: LoopbackServer, tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "key_of_brand"
    if content is not None:
        path.write_bytes(content)
    error = failure(lambda: drop_of(server, password_env=None, key_file=path).list("in"))
    assert error.code == "local-invalid"
    assert server.login_attempts == 0


def test_with_nothing_configured_only_the_agent_is_asked(
    server: LoopbackServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    assert failure(lambda: drop_of(server, password_env=None).list("in")).code == "login-refused"
    assert server.login_attempts == 0


def test_a_key_that_ssh_agent_holds_logs_in(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if shutil.which("ssh-agent") is None:
        pytest.skip("there is no ssh-agent here; install it with `apt-get install openssh-client`")
    (root / "in").mkdir()
    new_key(tmp_path / "key_of_brand_2")
    account = Account(keys=(new_key(tmp_path / "key_of_brand"),))
    with tempfile.TemporaryDirectory() as short:  # a socket's path may not be long
        monkeypatch.setenv("SSH_AUTH_SOCK", f"{short}/socket")
        asked = ["ssh-agent", "-D", "-a", f"{short}/socket"]
        with subprocess.Popen(asked, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
            try:
                assert process.stdout is not None
                process.stdout.readline()  # it says where it listens once it does
                for name in ("key_of_brand_2", "key_of_brand"):
                    subprocess.run(["ssh-add", "-q", str(tmp_path / name)], check=True)
                with LoopbackServer(root, {USER: account}) as server:
                    with drop_of(server, password_env=None) as drop:
                        assert drop.list("in") == []
                    assert server.login_attempts >= 2
            finally:
                process.terminate()


# --- nobody there, or somebody who says nothing


def test_a_port_where_nothing_listens(root: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        error = failure(lambda: drop_at(port, host_key=NO_KEY).list("in"))
    assert (error.code, error.exit_code) == ("unreachable", 3)
    assert f"127.0.0.1:{port}" in str(error)


def test_a_host_name_that_does_not_exist(monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody(*args: object, **kwargs: object) -> None:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", nobody)
    error = failure(lambda: drop_at(22, host_key=NO_KEY).list("in"))
    assert error.code == "unreachable"
    assert "name" in str(error)


@contextmanager
def talker(talk: Callable[[socket.socket], None]) -> Iterator[int]:
    """A listener on a free port that deals with one caller as told, and then holds the line until the end."""
    over = threading.Event()

    def serve() -> None:
        caller, _ = listener.accept()
        with caller:
            talk(caller)
            over.wait(30)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            over.set()
            thread.join(10)


def test_a_listener_that_never_speaks_is_given_up() -> None:
    with talker(lambda caller: None) as port:
        error = failure(lambda: drop_at(port, host_key=NO_KEY, timeout=0.3).list("in"))
    assert error.code == "unreachable"
    assert "0.3 s" in str(error)


def test_a_listener_that_falls_silent_in_the_key_exchange_is_given_up() -> None:
    with talker(lambda caller: caller.sendall(b"SSH-2.0-Frozen_1.0\r\n")) as port:
        error = failure(lambda: drop_at(port, host_key=NO_KEY, timeout=0.3).list("in"))
    assert error.code == "unreachable"


def test_a_listener_that_speaks_something_else_is_no_sftp_server() -> None:
    def web(caller: socket.socket) -> None:
        caller.sendall(b"HTTP/1.0 400 Bad Request\r\n\r\n")
        caller.shutdown(socket.SHUT_WR)

    with talker(web) as port:
        error = failure(lambda: drop_at(port, host_key=NO_KEY).list("in"))
    assert error.code == "unreachable"
    assert "not an SFTP server" in str(error)


@contextmanager
def silent_at(stage: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Make the loopback server fall silent at one stage of a session."""
    over = threading.Event()

    def wait(*args: object) -> int:
        over.wait(30)
        return paramiko.common.AUTH_FAILED

    monkeypatch.setattr(serving._Door if stage.startswith("check") else serving._Files, stage, wait)
    try:
        yield
    finally:
        over.set()


@pytest.mark.parametrize("stage", ["check_auth_password", "check_channel_request", "check_channel_subsystem_request"])
def test_a_server_that_falls_silent_on_the_way_in_is_given_up(
    server: LoopbackServer, monkeypatch: pytest.MonkeyPatch, stage: str
) -> None:
    with silent_at(stage, monkeypatch):
        error = failure(lambda: drop_of(server, stall_timeout=0.4).list("in"))
    assert (error.code, error.exit_code) == ("unreachable", 3)
    assert "no sign for 0.4 s" in str(error)


def test_silence_after_the_password_is_not_a_wrong_password(
    server: LoopbackServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    with silent_at("check_auth_password", monkeypatch):
        assert failure(lambda: drop_of(server, timeout=0.4).list("in")).code == "unreachable"


@pytest.mark.parametrize("limits", [{"timeout": 1.5}, {"stall_timeout": 1.5}])
def test_a_server_that_falls_silent_in_a_session_is_given_up(
    server: LoopbackServer, monkeypatch: pytest.MonkeyPatch, limits: dict[str, float]
) -> None:
    with drop_of(server, **limits) as drop:
        drop.list("in")
        with silent_at("list_folder", monkeypatch):
            error = failure(lambda: drop.list("in"))
        assert error.code == "unreachable"
        assert "listing in" in str(error)


def test_a_stopped_process_of_sshd_is_given_up_and_the_next_call_connects_anew(sshd: Sshd, root: Path) -> None:
    (root / "in").mkdir()
    before = set(sshd.sessions())
    with drop_at(
        sshd.port,
        user=sshd.user,
        password_env=None,
        key_file=sshd.key_file,
        host_key=sshd.fingerprint,
        in_folder=str(root / "in"),
        stall_timeout=1.5,
    ) as drop:
        drop.list("in")
        sessions = set(sshd.sessions()) - before
        assert sessions
        for pid in sessions:
            os.kill(pid, signal.SIGSTOP)
        try:
            assert failure(lambda: drop.put("in", NAME, DATA)).code == "unreachable"
        finally:
            for pid in sessions:
                os.kill(pid, signal.SIGKILL)
        assert os.listdir(root / "in") == []
        drop.put("in", NAME, DATA)
    assert (root / "in" / NAME).read_bytes() == DATA


class BlackHole:
    """A line to a server that, once told, takes no more bytes and carries none, and says nothing of it."""

    def __init__(self, port: int) -> None:
        self._far = port
        self._open: list[socket.socket] = []
        self.shut = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
        self.port = self._listener.getsockname()[1]
        self._threads = [threading.Thread(target=self._serve, daemon=True)]
        self._threads[0].start()

    def __enter__(self) -> BlackHole:
        return self

    def __exit__(self, *error: object) -> None:
        for sock in (*self._open, self._listener):
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(10)
        for sock in (*self._open, self._listener):
            sock.close()

    def _serve(self) -> None:
        try:
            near, _ = self._listener.accept()
        except OSError:
            return
        far = socket.create_connection(("127.0.0.1", self._far))
        self._open += [near, far]
        for source, target in ((near, far), (far, near)):
            thread = threading.Thread(target=self._carry, args=(source, target), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _carry(self, source: socket.socket, target: socket.socket) -> None:
        try:
            while not self.shut.is_set():
                piece = source.recv(65536)
                if not piece:
                    return
                if not self.shut.is_set():
                    target.sendall(piece)
        except OSError:
            return


def test_a_line_that_swallows_everything_in_mid_upload_is_given_up(server: LoopbackServer, root: Path) -> None:
    with BlackHole(server.port) as line, drop_of(server, user="warehouse") as near:
        drop = drop_at(line.port, user="warehouse", host_key=server.fingerprint, stall_timeout=1.5)
        with drop:
            drop.list("in")
            line.shut.set()
            error = failure(lambda: drop.put("in", NAME, os.urandom(20_000_000)))
        assert error.code == "unreachable"
        assert "no sign for 1.5 s" in str(error)
        assert near.list("in") == []


# --- cuts and lies


@pytest.mark.parametrize("after", [0, 1, 100_000, 299_999])
def test_a_cut_in_mid_upload_leaves_nothing_and_the_next_try_succeeds(
    server: LoopbackServer, root: Path, after: int
) -> None:
    server.cut_after(after)
    with drop_of(server) as drop:
        error = failure(lambda: drop.put("in", NAME, DATA))
        assert (error.code, error.exit_code) == ("unreachable", 3)
        assert f"in/{NAME}" in str(error)
        assert not (root / "in" / NAME).exists()
        with drop_of(server) as other:
            assert other.list("in") == []
        assert (root / "in" / part_name(NAME, sha256(DATA))).stat().st_size == after
        assert not drop.put("in", NAME, DATA).already
    assert os.listdir(root / "in") == [NAME]
    assert (root / "in" / NAME).read_bytes() == DATA


def test_a_staged_cut_is_for_one_user(server: LoopbackServer) -> None:
    server.cut_after(10, USER)
    with drop_of(server, user="warehouse") as drop:
        drop.put("out", NAME, DATA)
    with drop_of(server) as drop:
        assert failure(lambda: drop.put("in", NAME, DATA)).code == "unreachable"


def damaged(monkeypatch: pytest.MonkeyPatch, damage: Callable[[Any, int, bytes], Any]) -> None:
    write = serving._OpenFile.write
    monkeypatch.setattr(
        serving._OpenFile, "write", lambda file, offset, data: damage(lambda d: write(file, offset, d), offset, data)
    )


def test_a_write_refused_in_mid_file_is_not_overlooked(
    server: LoopbackServer, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    refused = []

    def refuse_one(write: Any, offset: int, data: bytes) -> int:
        if offset > 100_000 and not refused:
            refused.append(offset)
            return paramiko.sftp.SFTP_FAILURE
        return write(data)

    damaged(monkeypatch, refuse_one)
    with drop_of(server) as drop:
        error = failure(lambda: drop.put("in", NAME, DATA))
        assert (error.code, error.exit_code) == ("delivery-failed", 3)
        assert os.listdir(root / "in") == []
        drop.put("in", NAME, DATA)  # the same session still serves
    assert (root / "in" / NAME).read_bytes() == DATA


@pytest.mark.parametrize("proof", ["hash", "read-back"])
def test_a_byte_changed_on_the_way_is_found_by_reading_back(
    server: LoopbackServer, root: Path, monkeypatch: pytest.MonkeyPatch, proof: str
) -> None:
    damaged(monkeypatch, lambda write, offset, data: write(bytes([data[0] ^ 1]) + bytes(data[1:])))
    with drop_of(server, proof=proof) as drop:
        error = failure(lambda: drop.put("in", NAME, DATA))
    assert error.code == "delivery-failed"
    assert os.listdir(root / "in") == []


def test_a_lost_end_is_found_by_the_size_alone(
    server: LoopbackServer, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    damaged(monkeypatch, lambda write, offset, data: write(data) if offset < 250_000 else 0)
    with drop_of(server, proof="size") as drop:
        assert failure(lambda: drop.put("in", NAME, DATA)).code == "delivery-failed"
    assert os.listdir(root / "in") == []


def test_the_agreed_proof_is_the_one_that_is_stated(server: LoopbackServer) -> None:
    with drop_of(server, proof="size") as drop:
        assert drop.put("in", NAME, DATA).proof == "size"
        assert drop.put("in", NAME, DATA).proof == "read-back"


def test_where_reading_is_denied_the_proof_is_not_pretended(
    server: LoopbackServer, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = serving._Files.open

    def write_only(files: Any, path: str, flags: int, attr: Any) -> Any:
        return opened(files, path, flags, attr) if flags & os.O_WRONLY else paramiko.sftp.SFTP_PERMISSION_DENIED

    monkeypatch.setattr(serving._Files, "open", write_only)
    with drop_of(server) as drop:
        error = failure(lambda: drop.put("in", NAME, DATA))
        assert error.code == "delivery-failed"
        assert "compare" in str(error)
        assert os.listdir(root / "in") == []
    with drop_of(server, proof="size") as drop:
        assert drop.put("in", NAME, DATA).proof == "size"
        refused = failure(lambda: drop.put("in", NAME, DATA[::-1]))
        assert refused.code == "name-taken"
        assert failure(lambda: drop.read("in", NAME)).code == "file-unreadable"


def test_a_server_that_gives_little_at_a_time_is_read_to_the_end(
    server: LoopbackServer, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = serving._OpenFile.read
    monkeypatch.setattr(serving._OpenFile, "read", lambda file, offset, length: read(file, offset, min(length, 7_001)))
    (root / "in" / NAME).write_bytes(DATA)
    with drop_of(server) as drop:
        assert drop.read("in", NAME) == DATA
        assert drop.put("in", NAME, DATA).already


@pytest.mark.parametrize("size", [0, 10, None, 1 << 60])
def test_a_size_that_is_a_lie_is_not_believed(
    server: LoopbackServer, root: Path, monkeypatch: pytest.MonkeyPatch, size: int | None
) -> None:
    tell = serving._Files.lstat

    def lie(files: Any, path: str) -> Any:
        told = tell(files, path)
        if path.endswith(".csv") and not isinstance(told, int):
            told.st_size = size
        return told

    monkeypatch.setattr(serving._Files, "lstat", lie)
    (root / "in" / NAME).write_bytes(DATA)
    with drop_of(server) as drop:
        assert drop.read("in", NAME) == DATA
        assert failure(lambda: drop.read("in", NAME, limit=len(DATA) - 1)).code == "file-unreadable"
        assert drop.list("in")[0].name == NAME


def test_a_file_that_changes_while_it_is_read_is_not_taken_for_whole(
    server: LoopbackServer, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (root / "in" / NAME).write_bytes(DATA)
    read = serving._OpenFile.read

    def cut_short(file: Any, offset: int, length: int) -> Any:
        return b"" if offset == 32_000 else read(file, offset, length)

    with drop_of(server) as drop:
        with monkeypatch.context() as patch:
            patch.setattr(serving._OpenFile, "read", cut_short)
            error = failure(lambda: drop.read("in", NAME))
        assert error.code == "file-unreadable"
        assert "changed" in str(error)
        assert drop.read("in", NAME) == DATA


def test_a_cut_at_the_final_rename_is_told_as_not_confirmed(
    server: LoopbackServer, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rename = serving._Files.rename

    def rename_and_die(files: Any, old: str, new: str) -> int:
        done = rename(files, old, new)
        serving._cut(files._door.transport)
        return done

    with drop_of(server) as drop:
        with monkeypatch.context() as patch:
            patch.setattr(serving._Files, "rename", rename_and_die)
            error = failure(lambda: drop.put("in", NAME, DATA))
        assert (error.code, error.exit_code, type(error)) == ("not-confirmed", 4, NotConfirmed)
        assert (root / "in" / NAME).read_bytes() == DATA
        assert drop.put("in", NAME, DATA).already


@pytest.mark.parametrize("verb", ["list", "remove", "put", "move"])
def test_what_the_server_forbids_is_told_and_the_session_goes_on(
    server: LoopbackServer, root: Path, monkeypatch: pytest.MonkeyPatch, verb: str
) -> None:
    (root / "in" / NAME).write_bytes(DATA)

    def deny(*args: object) -> int:
        return paramiko.sftp.SFTP_PERMISSION_DENIED

    with drop_of(server, user="warehouse") as drop:
        act, method, code = {
            "list": (lambda: drop.list("in"), "list_folder", "folder-missing"),
            "remove": (lambda: drop.remove("in", NAME), "remove", "delivery-failed"),
            "put": (lambda: drop.put("in", "new.csv", DATA), "open", "folder-missing"),
            "move": (lambda: drop.move(NAME, "in", "work"), "lstat", "delivery-failed"),
        }[verb]
        with monkeypatch.context() as patch:
            patch.setattr(serving._Files, method, deny)
            error = failure(act)
        assert (error.code, error.exit_code) == (code, 3)
        assert "denies permission" in str(error)
        assert drop.read("in", NAME) == DATA


def test_a_refused_rename_leaves_nothing(server: LoopbackServer, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (root / "in" / "other.csv").write_bytes(DATA)
    monkeypatch.setattr(serving._Files, "rename", lambda *args: paramiko.sftp.SFTP_OP_UNSUPPORTED)
    with drop_of(server, user="warehouse") as drop:
        assert failure(lambda: drop.put("in", NAME, DATA)).code == "delivery-failed"
        assert failure(lambda: drop.move("other.csv", "in", "work")).code == "delivery-failed"
    assert os.listdir(root / "in") == ["other.csv"]


def test_another_file_that_replaces_ours_is_not_a_delivery(
    server: LoopbackServer, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is believed that was not checked: there are servers whose rename replaces."""
    rename = serving._Files.rename

    def replaced(files: Any, old: str, new: str) -> int:
        done = rename(files, old, new)
        (root / "in" / NAME).write_bytes(DATA[::-1])
        return done

    def taken(files: Any, old: str, new: str) -> int:
        done = rename(files, old, new)
        (root / "in" / NAME).unlink()
        return done

    with drop_of(server) as drop:
        monkeypatch.setattr(serving._Files, "rename", replaced)
        error = failure(lambda: drop.put("in", NAME, DATA))
        assert (error.code, type(error)) == ("not-confirmed", NotConfirmed) and "replaced" in str(error)
        (root / "in" / NAME).unlink()
        monkeypatch.setattr(serving._Files, "rename", taken)
        assert not drop.put("in", NAME, DATA).already  # the warehouse has taken it already


def test_a_name_that_is_taken_in_mid_upload_is_not_replaced(
    server: LoopbackServer, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = serving._OpenFile.write

    def and_another(file: Any, offset: int, data: bytes) -> Any:
        (root / "in" / NAME).write_bytes(b"of another sender")
        return write(file, offset, data)

    def replace(files: Any, old: str, new: str) -> int:
        os.replace(root / old.lstrip("/"), root / new.lstrip("/"))
        return int(paramiko.sftp.SFTP_OK)

    monkeypatch.setattr(serving._OpenFile, "write", and_another)
    monkeypatch.setattr(serving._Files, "rename", replace)
    with drop_of(server) as drop:
        assert failure(lambda: drop.put("in", NAME, DATA)).code == "name-taken"
    assert (root / "in" / NAME).read_bytes() == b"of another sender"
    assert os.listdir(root / "in") == [NAME]


def test_a_server_that_gives_crumbs_for_ever_is_given_up() -> None:
    """A server that is never silent for long, and never done."""
    ours, theirs = socket.socketpair()
    watchdog = Watchdog(ours, 0.05)
    with ours, theirs:
        while not watchdog.barked:
            watchdog.feed(0)  # however fast they come, crumbs do not add up
        assert theirs.recv(1) == b""  # every wait on the connection ends
    watchdog.stop()


# --- the jail


@contextmanager
def session_of(server: LoopbackServer, user: str) -> Iterator[Session]:
    connection = connect(
        Server("127.0.0.1", server.port, user, host_key=server.fingerprint, password_env=VARIABLE, timeout=10)
    )
    try:
        yield connection.session
    finally:
        connection.close()


def refused(act: Callable[[], object]) -> int:
    with pytest.raises(StatusError) as caught:
        act()
    return caught.value.status


def test_the_brand_sees_its_folders_and_no_others(server: LoopbackServer, root: Path) -> None:
    for folder in ("work", "done", "bad", "in"):
        (root / folder / NAME).write_bytes(DATA)
    os.mkfifo(root / "in" / "pipe.csv")
    with session_of(server, USER) as session:
        assert sorted(name for name, _ in session.list("/")) == [b"drill", b"in", b"out"]
        assert sorted(name for name, _ in session.list("drill")) == [b"in", b"out"]
        assert sorted(name for name, _ in session.list("in")) == [NAME.encode(), b"pipe.csv"]
        refused(lambda: session.open("in/pipe.csv", READ))
        for folder in ("work", "/done", "bad", "in/../work", "out/../../bad"):
            refused(lambda folder=folder: session.list(folder))
            refused(lambda folder=folder: session.lstat(f"{folder}/{NAME}"))
            refused(lambda folder=folder: session.open(f"{folder}/{NAME}", READ))
            refused(lambda folder=folder: session.open(f"{folder}/new.csv", WRITE | CREATE))
            refused(lambda folder=folder: session.remove(f"{folder}/{NAME}"))
            refused(lambda folder=folder: session.rename(f"in/{NAME}", f"{folder}/new.csv"))
        refused(lambda: session.make_folder("mine"))
    for folder in ("work", "done", "bad"):
        assert os.listdir(root / folder) == [NAME]
    with drop_of(server) as drop:
        for verb in (lambda: drop.list("work"), lambda: drop.read("done", NAME), lambda: drop.move(NAME, "in", "bad")):
            assert failure(verb).code == "folder-missing"


def test_nothing_leads_out_of_the_root(server: LoopbackServer, root: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret.csv").write_bytes(b"secret")
    (root / "in" / "link.csv").symlink_to(outside / "secret.csv")
    (root / "in" / "new.csv").symlink_to(outside / "new.csv")
    (root / "way").symlink_to(outside)
    (root / "in" / NAME).write_bytes(DATA)
    with session_of(server, "warehouse") as session:
        for path in (
            "../outside/secret.csv",
            "/../../outside/secret.csv",
            "in/../../outside/secret.csv",
            str(outside / "secret.csv"),
            "way/secret.csv",
            "in/link.csv",
            "in/link.csv/",
            "\x00",
            "",
        ):
            refused(lambda path=path: session.open(path, READ))
        for path in ("../outside/new.csv", "way/new.csv", "in/new.csv", "way"):
            refused(lambda path=path: session.open(path, WRITE | CREATE))
            refused(lambda path=path: session.open(path, WRITE | CREATE | EXCLUSIVE))
            refused(lambda path=path: session.rename(f"in/{NAME}", path))
        refused(lambda: session.list("way"))
        refused(lambda: session.remove("way/secret.csv"))
        refused(lambda: session.make_folder("way/folder"))
        assert stat.S_ISLNK(session.lstat("in/link.csv").mode or 0)
        assert stat.S_ISLNK(session.lstat("way").mode or 0)
    assert sorted(os.listdir(outside)) == ["secret.csv"]
    assert (outside / "secret.csv").read_bytes() == b"secret"


def test_a_rename_on_the_server_never_replaces(server: LoopbackServer, root: Path) -> None:
    (root / "in" / "a.csv").write_bytes(b"a")
    (root / "in" / "b.csv").write_bytes(b"b")
    with session_of(server, USER) as session:
        refused(lambda: session.rename("in/a.csv", "in/b.csv"))
    assert (root / "in" / "a.csv").read_bytes() == b"a"
    assert (root / "in" / "b.csv").read_bytes() == b"b"


def test_the_server_offers_files_and_nothing_else(server: LoopbackServer) -> None:
    connection = connect(
        Server("127.0.0.1", server.port, "warehouse", host_key=server.fingerprint, password_env=VARIABLE)
    )
    transport = connection._transport
    try:
        for ask in (
            lambda: transport.open_session(timeout=10).exec_command("id"),
            lambda: transport.open_session(timeout=10).invoke_shell(),
            lambda: transport.open_channel("direct-tcpip", ("127.0.0.1", 22), ("127.0.0.1", 1), timeout=10),
            lambda: transport.request_port_forward("127.0.0.1", 0),
        ):
            with pytest.raises(paramiko.SSHException):
                ask()
    finally:
        connection.close()


def test_several_are_served_at_once_and_all_threads_end(server: LoopbackServer, root: Path) -> None:
    def send(number: int) -> int:
        with drop_of(server) as drop:
            return drop.put("in", f"{number}.csv", DATA).bytes

    with ThreadPoolExecutor(5) as pool:
        assert list(pool.map(send, range(10))) == [len(DATA)] * 10
    left_open = drop_of(server)
    left_open.list("in")
    server.close()
    assert failure(lambda: left_open.list("in")).code == "unreachable"
    assert not [thread.name for thread in threading.enumerate() if not thread.daemon and "Main" not in thread.name]
    assert not [thread for thread in threading.enumerate() if isinstance(thread, paramiko.Transport)]


def test_a_secret_is_not_in_what_is_shown_of_an_account() -> None:
    assert PASSWORD not in repr(Account(PASSWORD))
    assert USER not in repr(Server("sftp.example", 22, USER, password_env=VARIABLE))
