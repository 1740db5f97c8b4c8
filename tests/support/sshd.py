"""A real OpenSSH server on loopback, as root or as any user, without systemd, PAM or DNS.

The login is the user who runs the tests, by a key made for it.
"""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Event, Thread

import pytest

MISSING = "there is no sshd here; install it with `apt-get install openssh-server`"


@dataclass(frozen=True)
class Sshd:
    """A running server. ``fingerprints`` by kind of host key: ed25519, ecdsa, rsa."""

    port: int
    user: str
    key_file: Path
    fingerprints: dict[str, str]
    pid: int

    @property
    def fingerprint(self) -> str:
        return self.fingerprints["ed25519"]

    def sessions(self) -> list[int]:
        """The processes that serve the open connections."""
        asked = ["ps", "-o", "pid=", "--ppid", str(self.pid)]
        listed = subprocess.run(asked, check=False, capture_output=True, text=True)  # it fails where there are none
        return [int(pid) for pid in listed.stdout.split()]


def find_sshd() -> str:
    """The path of sshd. Where there is none the test is skipped; in CI, where there must be one, it fails."""
    found = shutil.which("sshd", path=os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"]))
    if found is None or shutil.which("ssh-keygen") is None:
        if os.environ.get("CI") == "true":
            pytest.fail(MISSING)
        pytest.skip(MISSING)
    return str(Path(found).resolve())


@contextmanager
def running_sshd(folder: Path) -> Iterator[Sshd]:
    """Start sshd with its keys and configuration in ``folder``, and stop it at the end."""
    program = find_sshd()
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)  # sshd started by root insists on it
    kinds = {"ed25519": [], "ecdsa": [], "rsa": ["-b", "2048"]}
    for kind, options in kinds.items():
        _keygen(folder / f"host_{kind}", kind, *options)
    _keygen(folder / "login", "ed25519")
    (folder / "authorized_keys").write_text((folder / "login.pub").read_text())
    fingerprints = {kind: _fingerprint(folder / f"host_{kind}.pub") for kind in kinds}
    for attempt in range(5):  # somebody else may take the free port before sshd does
        port = _free_port()
        config = folder / f"sshd_config.{attempt}"
        config.write_text(_config(folder, port, kinds))
        process = subprocess.Popen(
            [program, "-D", "-e", "-f", str(config)], stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
        )
        listening, reader = _follow(process)
        try:
            if listening():
                user = pwd.getpwuid(os.geteuid()).pw_name
                yield Sshd(port, user, folder / "login", fingerprints, process.pid)
                return
        finally:
            process.terminate()
            process.wait()
            reader.join(5)
            if not reader.is_alive():
                process.stderr.close()
    pytest.fail("sshd does not start; what it says is above")


def _follow(process: subprocess.Popen[str]):
    """Read sshd's log to its end; the first function tells whether it listens, once it says so or has ended."""
    told, said = Event(), []

    def read() -> None:
        for line in process.stderr:
            said.append(line)
            if "Server listening" in line:
                told.set()
        told.set()

    def listening() -> bool:
        told.wait(20)
        up = any("Server listening" in line for line in said)
        if not up:
            print("".join(said))
        return up

    reader = Thread(target=read, daemon=True)
    reader.start()
    return listening, reader


def _keygen(path: Path, kind: str, *options: str) -> None:
    subprocess.run(["ssh-keygen", "-q", "-t", kind, *options, "-N", "", "-f", str(path)], check=True)


def _fingerprint(public: Path) -> str:
    line = subprocess.run(["ssh-keygen", "-lf", str(public)], check=True, capture_output=True, text=True).stdout
    return line.split()[1]


def _free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


def _config(folder: Path, port: int, kinds) -> str:
    return "\n".join(
        [
            f"Port {port}",
            "ListenAddress 127.0.0.1",
            *(f"HostKey {folder}/host_{kind}" for kind in kinds),
            "PidFile none",
            f"AuthorizedKeysFile {folder}/authorized_keys",
            "StrictModes no",
            "UsePAM no",
            "PermitRootLogin prohibit-password",
            "PasswordAuthentication no",
            "KbdInteractiveAuthentication no",
            "UseDNS no",
            "PrintMotd no",
            "MaxStartups 100",
            "MaxSessions 100",
            "LogLevel VERBOSE",
            "Subsystem sftp internal-sftp",
            "",
        ]
    )
