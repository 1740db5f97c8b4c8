"""An SSH connection for an SFTP drop: the host key is checked before any login, and no call waits for ever.

paramiko is the transport only: key exchange, login, encryption. What it leaves open is closed here: it checks no host
key by itself, offers outdated algorithms, sends small packets late, and has places where it waits without a limit.
"""

from __future__ import annotations

import errno
import logging
import os
import re
import socket
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event, Thread
from time import monotonic

import paramiko
from paramiko.hostkeys import HostKeyEntry, HostKeys, InvalidHostKey

from fallback.delivery.codec import ProtocolError, Session
from fallback.errors import FallbackError, Refused

# Without a handler Python prints a library's errors, with their tracebacks, to the operator's screen.
logging.getLogger("paramiko").addHandler(logging.NullHandler())

CIPHERS = ("aes128-gcm@openssh.com", "aes256-gcm@openssh.com", "aes128-ctr", "aes192-ctr", "aes256-ctr")
MACS = (
    "hmac-sha2-256-etm@openssh.com",
    "hmac-sha2-512-etm@openssh.com",
    "hmac-sha2-256",
    "hmac-sha2-512",
)
_OLD = ("sha1", "ssh-rsa", "ssh-dss")  # what an algorithm's name ends with that is no longer offered
_KEY_FAMILIES = (("ssh-ed25519",), ("ecdsa-sha2-",), ("rsa-sha2-",))
_FINGERPRINT = re.compile(r"SHA256:[A-Za-z0-9+/]{43}")
_KEEPALIVE = 15  # seconds

LOST = (OSError, EOFError, paramiko.SSHException, ProtocolError)
"""What is raised where a connection is lost or the other side is not what it should be."""


@dataclass(frozen=True, slots=True)
class Server:
    """A server, what it must prove, and how to log in there. Seconds for the two limits; no secret is held here."""

    host: str
    port: int
    user: str = field(repr=False)
    host_key: str | None = None
    known_hosts: Path | None = None
    key_file: Path | None = field(default=None, repr=False)
    password_env: str | None = field(default=None, repr=False)
    timeout: float = 20.0
    stall_timeout: float = 30.0

    @property
    def title(self) -> str:
        return f"sftp {self.host}:{self.port}"


class Connection:
    """An open SFTP session, with the watchdog that ends it when the server falls silent."""

    def __init__(self, transport: paramiko.Transport, watchdog: Watchdog, timeout: float) -> None:
        channel = transport.open_session(timeout=timeout)
        channel.settimeout(timeout)
        channel.invoke_subsystem("sftp")
        self.watchdog = watchdog
        self.session = Session(channel, watchdog.feed)
        self._transport = transport

    def close(self) -> None:
        self.watchdog.stop()
        _hang_up(self._transport)


_PATIENCE = 10  # so many times the limit of a silence is what an operation may take
_SLOWEST = 1_000  # bytes a second, for what it carries beyond that


class Watchdog:
    """Shuts a socket when it is not fed for ``limit`` seconds: every wait on it, in whatever state, then ends.

    An operation as a whole has its end too, which what it carries puts off: crumbs do not keep it going for ever.
    """

    def __init__(self, sock: socket.socket, limit: float) -> None:
        self.barked = False
        self._sock = sock
        self._limit = limit
        self.begin()
        self._stopped = Event()
        self._thread = Thread(target=self._watch, name="fallback-watchdog", daemon=True)
        self._thread.start()

    def begin(self) -> None:
        """Something new begins."""
        self._end = monotonic() + _PATIENCE * self._limit
        self._deadline = monotonic() + self._limit

    def feed(self, size: int) -> None:
        """Something of so many bytes has come from the server, or is confirmed by it."""
        self._end += size / _SLOWEST
        self._deadline = min(monotonic() + self._limit, self._end)

    def rest(self) -> None:
        """Nothing is awaited from the server."""
        self._deadline = float("inf")

    def stop(self) -> None:
        self._stopped.set()
        self._thread.join()

    def _watch(self) -> None:
        # While it rests it wakes at each limit: a deadline set meanwhile is never nearer than that.
        while not self._stopped.wait(max(0.0, min(self._deadline - monotonic(), self._limit))):
            if monotonic() >= self._deadline:
                self.barked = True
                with suppress(OSError):
                    self._sock.shutdown(socket.SHUT_RDWR)
                return


def connect(server: Server) -> Connection:
    """Connect, check the host key, log in, and open an SFTP session.

    Raises Refused ``host-key-changed`` or ``host-key-unknown`` before anything of the login is sent; FallbackError
    ``unreachable``, ``login-refused`` or ``local-invalid``.
    """
    agreed, revoked = _agreed_keys(server)
    password = _password(server)
    key = _private_key(server, password)
    try:
        return _open(server, agreed - revoked, None, key, password)
    except _OtherHostKey as other:
        shown = other
    if not agreed:
        raise Refused(
            "host-key-unknown",
            f"{server.title}: no host key is agreed; the server shows {shown.fingerprint}",
            hint="ask the warehouse on the agreed phone number to read out the fingerprint of its server; only if it "
            "is this one, put it into the agreement as host_key",
        )
    if shown.fingerprint in revoked:
        raise Refused(
            "host-key-changed",
            f"{server.title}: the server shows the host key {shown.fingerprint}, which known_hosts marks as revoked",
            hint="do not send; call the warehouse on the agreed number",
        )
    # A server has several keys and shows the one we ask for first: perhaps another one is agreed.
    for family in _KEY_FAMILIES:
        if not shown.kind.startswith(family[0].split("-sha2-")[0]):
            with suppress(_OtherHostKey, _NoSuchHostKey):
                return _open(server, agreed - revoked, family, key, password)
    raise Refused(
        "host-key-changed",
        f"{server.title}: the server shows the host key {shown.fingerprint}, agreed is {' or '.join(sorted(agreed))}",
        hint="nothing was sent, not even the login; call the warehouse on the agreed number: either its server has a "
        "new key, which only a new agreement can say, or this is not its server",
    )


def known_keys(lines: Iterable[str], host: str, port: int) -> tuple[frozenset[str], frozenset[str]]:
    """The fingerprints that known_hosts lines hold for a server, and those that they mark as revoked.

    Hashed names are understood. Lines of authorities, patterns and damaged lines are passed over: a server that only
    they know is unknown. A key that is revoked is so for every server, whichever its line names. A server may have
    several keys of one kind, as while it changes them.
    """
    known: set[str] = set()
    revoked: set[str] = set()
    name = host if port == 22 else f"[{host}]:{port}"
    for text in lines:
        words = text.split()
        marker = words.pop(0) if words and words[0].startswith("@") else None
        if marker not in (None, "@revoked") or not words or words[0].startswith("#"):
            continue
        with suppress(paramiko.SSHException, InvalidHostKey):
            entry = HostKeyEntry.from_line(" ".join(words))
            if entry is None or not entry.hostnames or not entry.key:
                continue
            if marker:
                revoked.add(entry.key.fingerprint)
            elif any(_is_name(shown, name) for shown in entry.hostnames):
                known.add(entry.key.fingerprint)
    return frozenset(known), frozenset(revoked)


def _is_name(shown: str, name: str) -> bool:
    """Whether a name in known_hosts, which may be hashed, is this server's."""
    return shown == name or (shown.startswith("|1|") and HostKeys.hash_host(name, shown) == shown)


class _OtherHostKey(Exception):
    def __init__(self, key: paramiko.PKey) -> None:
        super().__init__()
        self.fingerprint = key.fingerprint
        self.kind = key.get_name()


class _NoSuchHostKey(Exception):
    """The server has no host key of the family that was asked for."""


def _agreed_keys(server: Server) -> tuple[frozenset[str], frozenset[str]]:
    """The fingerprints of which the server must show one, and those that are revoked. The agreement goes first."""
    pinned = _FINGERPRINT.search(server.host_key or "")
    if server.host_key and not pinned:
        raise FallbackError(
            "agreement-invalid",
            f"{server.title}: host_key is not a SHA256 fingerprint",
            hint="it looks like SHA256: and 43 characters; `ssh-keygen -lf` prints it for a key file",
        )
    known: frozenset[str] = frozenset()
    revoked: frozenset[str] = frozenset()
    if server.known_hosts:
        try:
            lines = server.known_hosts.read_text(encoding="utf-8", errors="replace").splitlines()
        except OSError as error:
            raise FallbackError(
                "local-invalid",
                f"{server.title}: the file that known_hosts names in local.toml cannot be read",
                hint="correct known_hosts, or leave it out where the agreement holds host_key",
            ) from error
        known, revoked = known_keys(lines, server.host, server.port)
    return frozenset([pinned[0]]) if pinned else known, revoked


def _password(server: Server) -> str | None:
    if server.password_env is None:
        return None
    password = os.environ.get(server.password_env)
    if not password:
        raise FallbackError(
            "local-invalid",
            f"{server.title}: local.toml takes the password from the environment variable {server.password_env}, "
            "which is not set",
            hint="set it in the shell or the job that starts the program; it never stands in a file or a command",
        )
    return password


def _private_key(server: Server, password: str | None) -> paramiko.PKey | None:
    if server.key_file is None:
        return None
    _keep_private(server, server.key_file)
    kinds: Sequence[type[paramiko.PKey]] = (paramiko.Ed25519Key, paramiko.ECDSAKey, paramiko.RSAKey)
    for kind in kinds:
        try:
            return kind.from_private_key_file(str(server.key_file), password)
        except paramiko.PasswordRequiredException:
            problem, hint = (
                "is encrypted",
                "name the variable that holds its passphrase as password_env, or use ssh-agent",
            )
            break
        except OSError:
            problem, hint = "cannot be read", "correct key_file and the permissions of that file"
            break
        except (paramiko.SSHException, ValueError):  # of another kind, or damaged
            problem, hint = "holds no private key that can be used", "ed25519, ECDSA and RSA keys can; is it the .pub?"
    raise FallbackError(
        "local-invalid", f"{server.title}: the file that key_file names in local.toml {problem}", hint=hint
    )


def _keep_private(server: Server, key_file: Path) -> None:
    """Raises FallbackError where others on this machine may read a key of ours; as ssh does, not for somebody else's,
    which was mounted here."""
    if os.name != "posix":
        return
    with suppress(OSError):  # that it is not there is told by who reads it
        found = key_file.stat()
        if found.st_uid == os.getuid() and found.st_mode & 0o077:
            raise FallbackError(
                "local-invalid",
                f"{server.title}: the file that key_file names in local.toml is open to others on this machine",
                hint="close it with `chmod 600`; if others use this machine, have a new key made",
            )


def _open(
    server: Server,
    agreed: frozenset[str],
    family: Sequence[str] | None,
    key: paramiko.PKey | None,
    password: str | None,
) -> Connection:
    try:
        sock = _socket(server)
    except OSError as error:
        raise unreachable(server, error) from error
    watchdog = Watchdog(sock, server.stall_timeout)
    transport: paramiko.Transport | None = None
    try:
        transport = _transport(sock, server, family)
        transport.start_client(timeout=server.timeout)
        if transport.is_active() and not transport.initial_kex_done:
            raise TimeoutError
        shown = transport.get_remote_server_key()
        if shown.fingerprint not in agreed:
            raise _OtherHostKey(shown)
        watchdog.begin()
        _log_in(transport, server, key, password)
        watchdog.begin()
        return Connection(transport, watchdog, server.timeout)
    except BaseException as error:
        watchdog.stop()
        _hang_up(transport)
        sock.close()
        if isinstance(error, paramiko.ssh_exception.IncompatiblePeer) and family:
            raise _NoSuchHostKey from error
        if isinstance(error, LOST):
            raise unreachable(server, error, barked=watchdog.barked) from error
        raise


def _socket(server: Server) -> socket.socket:
    sock = socket.create_connection((server.host, server.port), timeout=server.timeout)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    if hasattr(socket, "TCP_USER_TIMEOUT"):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(server.stall_timeout * 1000))
    return sock


def _transport(sock: socket.socket, server: Server, family: Sequence[str] | None) -> paramiko.Transport:
    transport = paramiko.Transport(sock)
    transport.banner_timeout = server.timeout
    transport.handshake_timeout = server.timeout
    transport.auth_timeout = server.timeout
    transport.channel_timeout = server.timeout
    transport.clear_to_send_timeout = server.timeout
    modern(transport)
    if family:
        options = transport.get_security_options()
        options.key_types = [kind for kind in options.key_types if kind.startswith(tuple(family))]
    transport.set_keepalive(_KEEPALIVE)
    return transport


def modern(transport: paramiko.Transport) -> None:
    """Leave a transport only algorithms that are held to be safe today, the fastest first."""
    options = transport.get_security_options()
    options.ciphers = [name for name in CIPHERS if name in options.ciphers]
    options.digests = [name for name in MACS if name in options.digests]
    options.kex = [name for name in options.kex if not name.endswith(_OLD)]
    options.key_types = [name for name in options.key_types if not name.endswith(_OLD)]


def _log_in(transport: paramiko.Transport, server: Server, key: paramiko.PKey | None, password: str | None) -> None:
    try:
        if key is not None:
            if transport.auth_publickey(server.user, key) and password is not None:
                transport.auth_password(server.user, password)
        elif password is not None:
            transport.auth_password(server.user, password)
        else:
            _log_in_by_agent(transport, server.user)
    except paramiko.AuthenticationException as error:
        # The library says the same of a wrong password and of a server that says nothing.
        if str(error) == "Authentication timeout." or not transport.is_active():
            raise TimeoutError from error
    if not transport.is_authenticated():
        raise FallbackError(
            "login-refused",
            f"{server.title}: the server does not accept the login",
            hint="check user, key_file and password_env in local.toml; ask the warehouse whether the account is open",
        )


def _log_in_by_agent(transport: paramiko.Transport, user: str) -> None:
    agent = paramiko.Agent()
    try:
        for key in agent.get_keys():
            with suppress(paramiko.AuthenticationException):
                transport.auth_publickey(user, key)
            if transport.is_authenticated() or not transport.is_active():
                return
    finally:
        agent.close()


def _hang_up(transport: paramiko.Transport | None) -> None:
    if transport is not None:
        with suppress(OSError):
            transport.sock.shutdown(socket.SHUT_RDWR)  # wakes the library's thread at once
        transport.close()
        transport.packetizer.complete_handshake()  # its timer runs on where the handshake was not finished
        if transport.is_alive():
            transport.join(1.0)


def unreachable(server: Server, error: BaseException, *, doing: str = "", barked: bool = False) -> FallbackError:
    """The error for a connection that does not come about or is lost, in our words: a library's may name the user."""
    reason = "the connection broke"
    if barked:
        reason = f"the server gave no sign for {server.stall_timeout:g} s, or too little for much longer"
    elif isinstance(error, TimeoutError) or isinstance(error.__context__, TimeoutError):
        reason = f"the server did not answer within {server.timeout:g} s"
    elif isinstance(error, socket.gaierror):
        reason = "the host name is not known"
    elif isinstance(error, ConnectionRefusedError):
        reason = "nothing listens at that port"
    elif isinstance(error, OSError) and error.errno in (errno.EHOSTUNREACH, errno.ENETUNREACH):
        reason = "there is no way to that host"
    elif isinstance(error, paramiko.ssh_exception.IncompatiblePeer):
        reason = "the server offers only algorithms that are no longer held to be safe"
    elif isinstance(error, ProtocolError) or "banner" in str(error):
        reason = "what answers there is not an SFTP server"
    return FallbackError(
        "unreachable",
        f"{server.title}: {reason}" + (f" while {doing}" if doing else ""),
        hint="check host, port and network; ask the warehouse whether its server is up; then try again",
    )
