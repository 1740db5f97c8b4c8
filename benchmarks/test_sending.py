"""Putting a file on the drop, beside paramiko's own put of the same bytes to the same server.

Ours is a file under its final name, whole, with every byte read back; where only sizes are compared it is said so.
paramiko's is a put that asks for the size afterwards. Connections are open before the clock runs.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import paramiko
import pytest

from conftest import Measure
from fallback.delivery.server import Account, LoopbackServer
from fallback.delivery.sftp import SftpDrop
from support.sshd import Sshd

USER, PASSWORD, VARIABLE = "brand", "for this benchmark only", "FALLBACK_BENCH_PASSWORD"
SIZES = {1: 9, 50: 3}
sizes = pytest.mark.parametrize(("megabytes", "rounds"), SIZES.items(), ids=[f"{size} MB" for size in SIZES])
proofs = pytest.mark.parametrize("proof", ["hash", "size"])


@pytest.fixture
def loopback(folders: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LoopbackServer]:
    monkeypatch.setenv(VARIABLE, PASSWORD)
    with LoopbackServer(folders, {USER: Account(PASSWORD)}) as server:
        yield server


@contextmanager
def client(port: int, password: str | None = None, key_file: Path | None = None, user: str = USER):
    key = paramiko.PKey.from_path(key_file) if key_file else None
    with paramiko.Transport(("127.0.0.1", port)) as transport:
        transport.connect(username=user, password=password, pkey=key)
        with paramiko.SFTPClient.from_transport(transport) as sftp:
            yield sftp


def ours(measure: Measure, server: str, drop: SftpDrop, megabytes: int, rounds: int, proof: str) -> None:
    data, numbers = os.urandom(megabytes * 1_000_000), itertools.count()
    with drop:
        drop.list("in")
        by = "fallback" if proof == "hash" else "fallback, sizes only"
        put = lambda: drop.put("in", f"file-{next(numbers)}.csv", data)  # noqa: E731
        delivered = measure(f"send {megabytes} MB to {server}", by, put, rounds=rounds)
    assert (delivered.bytes, delivered.already) == (len(data), False)


def paramikos(measure: Measure, server: str, sftp, megabytes: int, rounds: int, folder: Path) -> None:
    source = folder / "source"
    source.write_bytes(os.urandom(megabytes * 1_000_000))
    numbers = itertools.count()
    target = str(folder / "in") if server == "sshd" else "/in"
    put = lambda: sftp.put(str(source), f"{target}/file-{next(numbers)}.csv")  # noqa: E731
    attributes = measure(f"send {megabytes} MB to {server}", "paramiko's put", put, rounds=rounds)
    assert attributes.st_size == source.stat().st_size


@sizes
@proofs
def test_send_to_loopback(
    measure: Measure, loopback: LoopbackServer, megabytes: int, rounds: int, proof: Literal["hash", "size"]
) -> None:
    drop = SftpDrop(
        "127.0.0.1", loopback.port, "live",
        user=USER, password_env=VARIABLE, host_key=loopback.fingerprint, proof=proof,
    )  # fmt: skip
    ours(measure, "loopback", drop, megabytes, rounds, proof)


@sizes
def test_send_to_loopback_by_paramiko(
    measure: Measure, loopback: LoopbackServer, folders: Path, megabytes: int, rounds: int
) -> None:
    with client(loopback.port, PASSWORD) as sftp:
        paramikos(measure, "loopback", sftp, megabytes, rounds, folders)


@sizes
@proofs
def test_send_to_sshd(
    measure: Measure, sshd: Sshd, folders: Path, megabytes: int, rounds: int, proof: Literal["hash", "size"]
) -> None:
    drop = SftpDrop(
        "127.0.0.1", sshd.port, "live",
        user=sshd.user, key_file=sshd.key_file, host_key=sshd.fingerprint, proof=proof,
        in_folder=str(folders / "in"), out_folder=str(folders / "out"),
    )  # fmt: skip
    ours(measure, "sshd", drop, megabytes, rounds, proof)


@sizes
def test_send_to_sshd_by_paramiko(measure: Measure, sshd: Sshd, folders: Path, megabytes: int, rounds: int) -> None:
    with client(sshd.port, key_file=sshd.key_file, user=sshd.user) as sftp:
        paramikos(measure, "sshd", sftp, megabytes, rounds, folders)
