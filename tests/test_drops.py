"""Every drop behaves alike: one suite for the folder, memory, loopback SFTP and OpenSSH's sshd."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from threading import Barrier

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fallback.agreement import Agreement, Local
from fallback.delivery import FOLDERS, Drop, open_drop
from fallback.delivery.drop import part_name, sha256
from fallback.delivery.folder import FolderDrop
from fallback.delivery.memory import MemoryDrop
from fallback.delivery.server import Account, LoopbackServer, new_key
from fallback.delivery.sftp import SftpDrop
from fallback.documents.base import State
from fallback.errors import FallbackError, Refused

KINDS = ("folder", "memory", "loopback", "sshd")
ON_DISK = ("folder", "loopback", "sshd")
NAME = "ACME_ORDERS_20261123T140000Z_000007.csv"
DATA = b"OrderNo,SKU\r\n1042,0012\r\n"
BAD_NAMES = (
    "",
    ".",
    "..",
    "../out/x.csv",
    "in/x.csv",
    "/etc/passwd",
    "a\\b.csv",
    ".hidden.csv",
    "-rf",
    "x y.csv",
    "x\n.csv",
    "x.csv\n",
    "x\x00.csv",
    "x\x1b[2J.csv",
    "x\u202evsc.csv",
    "caf\u00e9.csv",
    "a" * 181,
    "a" * 256,
)
fast = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@dataclass(frozen=True)
class Place:
    """A drop to be tested: a function that opens it (as often as wanted), and where it lies on the disk."""

    kind: str
    open: Callable[..., Drop]
    root: Path

    def folder(self, folder: str, state: State = "live") -> Path:
        return self.root / ("drill" if state == "drill" else "") / folder

    def names(self, folder: str = "in") -> list[str]:
        return sorted(os.listdir(self.folder(folder)))


@pytest.fixture
def place(request: pytest.FixtureRequest, root: Path) -> Iterator[Place]:
    with ExitStack() as opened:
        yield Place(request.param, OPENERS[request.param](request, root, opened), root)


def _folder(request: pytest.FixtureRequest, root: Path, opened: ExitStack) -> Callable[..., Drop]:
    def open_it(state: State = "live", create: bool = True) -> Drop:
        return opened.enter_context(FolderDrop(root, state, create=create))

    return open_it


def _memory(request: pytest.FixtureRequest, root: Path, opened: ExitStack) -> Callable[..., Drop]:
    drops = {state: MemoryDrop(state) for state in ("live", "drill")}
    return lambda state="live", create=True: drops[state]


def _loopback(request: pytest.FixtureRequest, root: Path, opened: ExitStack) -> Callable[..., Drop]:
    key = root.parent / "key"
    server = opened.enter_context(LoopbackServer(root, {"warehouse": Account(keys=(new_key(key),))}))

    def open_it(state: State = "live", create: bool = True) -> Drop:
        below = "drill/" if state == "drill" else ""
        drop = SftpDrop(
            "127.0.0.1",
            server.port,
            state,
            user="warehouse",
            key_file=key,
            host_key=server.fingerprint,
            in_folder=f"{below}in",
            out_folder=f"{below}out",
            create=create,
        )
        return opened.enter_context(drop)

    return open_it


def _sshd(request: pytest.FixtureRequest, root: Path, opened: ExitStack) -> Callable[..., Drop]:
    server = request.getfixturevalue("sshd")

    def open_it(state: State = "live", create: bool = True) -> Drop:
        below = root / "drill" if state == "drill" else root
        drop = SftpDrop(
            "127.0.0.1",
            server.port,
            state,
            user=server.user,
            key_file=server.key_file,
            host_key=server.fingerprint,
            in_folder=f"{below}/in",
            out_folder=f"{below}/out",
            create=create,
        )
        return opened.enter_context(drop)

    return open_it


OPENERS = {"folder": _folder, "memory": _memory, "loopback": _loopback, "sshd": _sshd}
every = pytest.mark.parametrize("place", KINDS, indirect=True)
on_disk = pytest.mark.parametrize("place", ON_DISK, indirect=True)


def code(error: pytest.ExceptionInfo[FallbackError]) -> str:
    return error.value.code


# --- the way of a file


@every
def test_a_file_is_put_listed_read_moved_and_removed(place: Place) -> None:
    drop = place.open()
    for folder in FOLDERS:
        assert drop.list(folder) == []
    proof = drop.put("in", NAME, DATA)
    assert (proof.folder, proof.name, proof.bytes, proof.sha256) == ("in", NAME, len(DATA), sha256(DATA))
    assert (proof.proof, proof.already) == ("read-back", False)
    (entry,) = drop.list("in")
    assert (entry.name, entry.size) == (NAME, len(DATA))
    assert entry.modified.utcoffset() is not None
    assert drop.read("in", NAME) == DATA

    assert drop.move(NAME, "in", "work")
    assert not drop.move(NAME, "in", "work")
    assert drop.list("in") == []
    assert drop.move(NAME, "work", "done")
    assert drop.read("done", NAME) == DATA
    drop.remove("done", NAME)
    drop.remove("done", NAME)
    assert all(drop.list(folder) == [] for folder in FOLDERS)


@every
def test_what_one_side_puts_the_other_reads(place: Place) -> None:
    brand, warehouse = place.open(), place.open()
    brand.put("in", NAME, DATA)
    assert warehouse.read("in", NAME) == DATA
    warehouse.put("out", "answer.json", b"{}")
    assert [entry.name for entry in brand.list("out")] == ["answer.json"]


@every
def test_the_files_are_listed_by_name(place: Place) -> None:
    drop = place.open()
    for name in ("b.csv", "C.csv", "a.csv", "0.csv"):
        drop.put("in", name, name.encode())
    assert [entry.name for entry in drop.list("in")] == ["0.csv", "C.csv", "a.csv", "b.csv"]


@every
@pytest.mark.parametrize("size", [0, 1, 31_999, 32_000, 32_001, 64_000, 3_000_000])
def test_files_of_every_size_are_the_same_byte_for_byte(place: Place, size: int) -> None:
    drop = place.open()
    data = os.urandom(size)
    assert drop.put("in", NAME, data).bytes == size
    assert drop.read("in", NAME) == data
    assert drop.list("in")[0].size == size
    assert drop.put("in", NAME, data).already


_numbers = count()


@every
@fast
@given(
    data=st.binary(max_size=200),
    times=st.sampled_from([1, 1, 1, 400]),
    stem=st.text("abcXYZ0189._-", max_size=60),
)
def test_any_content_under_any_plain_name_comes_back(place: Place, data: bytes, times: int, stem: str) -> None:
    drop = place.open()
    name = f"{next(_numbers)}-{stem}.csv"  # two examples never share a name
    drop.put("in", name, data * times)
    assert drop.read("in", name) == data * times
    assert name in [entry.name for entry in drop.list("in")]


# --- a name is given once


@every
def test_the_same_name_with_the_same_bytes_is_done_already(place: Place) -> None:
    drop = place.open()
    assert not drop.put("in", NAME, DATA).already
    again = place.open().put("in", NAME, DATA)
    assert again.already
    assert again.proof == "read-back"


@every
@pytest.mark.parametrize("other", [DATA.lower(), DATA + b"x", DATA[:-1], b""])
def test_the_same_name_with_other_bytes_is_refused_and_the_first_stays(place: Place, other: bytes) -> None:
    drop = place.open()
    drop.put("in", NAME, DATA)
    with pytest.raises(Refused) as error:
        drop.put("in", NAME, other)
    assert (code(error), error.value.exit_code) == ("name-taken", 7)
    assert drop.read("in", NAME) == DATA


@every
def test_a_move_never_replaces(place: Place) -> None:
    drop = place.open()
    drop.put("work", NAME, b"first")
    drop.put("in", NAME, b"second")
    with pytest.raises(Refused) as error:
        drop.move(NAME, "in", "work")
    assert code(error) == "name-taken"
    assert (drop.read("in", NAME), drop.read("work", NAME)) == (b"second", b"first")


@every
def test_of_two_claimers_exactly_one_gets_the_file(place: Place) -> None:
    names = [f"{number}.csv" for number in range(12)]
    giver = place.open()
    for name in names:
        giver.put("in", name, DATA)
    barrier = Barrier(2)

    def claim() -> list[bool]:
        drop = place.open()
        drop.list("work")
        got = []
        for name in names:
            barrier.wait()
            got.append(drop.move(name, "in", "work"))
        return got

    with ThreadPoolExecutor(2) as pool:
        one, two = (job.result() for job in [pool.submit(claim), pool.submit(claim)])
    assert [sorted(pair) for pair in zip(one, two, strict=True)] == [[False, True]] * len(names)
    assert [entry.name for entry in giver.list("work")] == sorted(names)
    assert giver.list("in") == []


@every
def test_several_senders_of_the_same_file_leave_it_once_and_whole(place: Place) -> None:
    data = os.urandom(1_000_000)
    barrier = Barrier(3)

    def send() -> bool:
        drop = place.open()
        drop.list("in")
        barrier.wait()
        return drop.put("in", NAME, data).already

    with ThreadPoolExecutor(3) as pool:
        already = [job.result() for job in [pool.submit(send) for _ in range(3)]]
    assert already.count(False) == 1
    drop = place.open()
    assert drop.read("in", NAME) == data
    if place.kind in ON_DISK:
        assert place.names() == [NAME]


@every
def test_of_several_senders_of_other_bytes_one_wins_and_the_others_are_refused(place: Place) -> None:
    barrier = Barrier(3)

    def send(data: bytes) -> str:
        drop = place.open()
        drop.list("in")
        barrier.wait()
        try:
            drop.put("in", NAME, data)
        except Refused as error:
            return error.code
        return "delivered"

    contents = [bytes([number]) * 100_000 for number in range(3)]
    with ThreadPoolExecutor(3) as pool:
        results = [job.result() for job in [pool.submit(send, data) for data in contents]]
    assert sorted(results) == ["delivered", "name-taken", "name-taken"]
    assert place.open().read("in", NAME) == contents[results.index("delivered")]


# --- names


@every
@pytest.mark.parametrize("name", BAD_NAMES)
def test_a_name_that_is_not_plain_is_refused_by_every_verb(place: Place, name: str) -> None:
    drop = place.open()
    for verb in (
        lambda: drop.put("in", name, DATA),
        lambda: drop.read("in", name),
        lambda: drop.move(name, "in", "work"),
        lambda: drop.remove("in", name),
    ):
        with pytest.raises(Refused) as error:
            verb()
        assert (code(error), error.value.exit_code) == ("name-unsafe", 7)
        assert len(name) < 3 or name not in str(error.value)


@every
@fast
@given(name=st.text(max_size=12).filter(lambda text: not text.isascii() or not text.isalnum()))
def test_no_text_at_all_leads_out_of_the_folder(place: Place, name: str) -> None:
    drop = place.open()
    try:
        drop.put("in", name, b"")
    except Refused as error:
        assert error.code == "name-unsafe"
    else:
        assert name in [entry.name for entry in drop.list("in")]


@every
def test_a_file_is_not_put_under_the_mark_of_an_unfinished_one(place: Place) -> None:
    with pytest.raises(Refused) as error:
        place.open().put("in", "orders.csv.part", DATA)
    assert code(error) == "name-unsafe"


# --- what else lies in the folder


@on_disk
def test_hidden_and_unfinished_and_unsafe_names_are_not_listed(place: Place) -> None:
    drop = place.open()
    drop.put("in", NAME, DATA)
    for name in (".hidden.csv", "half.csv.part", ".half.csv.part", "a b.csv", "x\u202evsc.csv", "x\n.csv", "x\x1b.csv"):
        (place.folder("in") / name).write_bytes(DATA)
    (place.folder("in") / "folder.csv").mkdir()
    (place.folder("in") / os.fsdecode(b"latin1-\xe9.csv")).write_bytes(DATA)
    assert [entry.name for entry in drop.list("in")] == [NAME]


@on_disk
def test_links_are_not_listed_read_moved_or_written_through(place: Place, tmp_path: Path) -> None:
    drop = place.open()
    drop.list("work")
    secret = tmp_path / "secret.csv"
    secret.write_bytes(b"of somebody else")
    link = place.folder("in") / NAME
    link.symlink_to(secret)
    dangling = place.folder("in") / "dangling.csv"
    dangling.symlink_to(tmp_path / "nowhere")
    assert drop.list("in") == []
    with pytest.raises(FallbackError) as error:
        drop.read("in", NAME)
    assert code(error) == "file-unreadable"
    assert not drop.move(NAME, "in", "work")
    for name in (NAME, "dangling.csv"):
        with pytest.raises(Refused) as refused:
            drop.put("in", name, DATA)
        assert code(refused) == "name-taken"
    assert secret.read_bytes() == b"of somebody else"
    assert not (tmp_path / "nowhere").exists()
    drop.remove("in", NAME)
    assert not link.is_symlink()
    assert secret.exists()


@on_disk
@pytest.mark.parametrize("left", [b"", DATA[:5], DATA, DATA + b"much more than that"])
def test_a_part_left_by_an_earlier_try_is_replaced(place: Place, left: bytes) -> None:
    drop = place.open()
    drop.list("in")
    (place.folder("in") / part_name(NAME, sha256(DATA))).write_bytes(left)
    drop.put("in", NAME, DATA)
    assert drop.read("in", NAME) == DATA
    assert place.names() == [NAME]


@on_disk
def test_a_link_under_the_temporary_name_is_not_followed(place: Place, tmp_path: Path) -> None:
    drop = place.open()
    drop.list("in")
    victim = tmp_path / "victim"
    victim.write_bytes(b"stays")
    (place.folder("in") / part_name(NAME, sha256(DATA))).symlink_to(victim)
    drop.put("in", NAME, DATA)
    assert victim.read_bytes() == b"stays"
    assert (place.folder("in") / NAME).read_bytes() == DATA
    assert not (place.folder("in") / NAME).is_symlink()


@pytest.mark.parametrize("place", ["folder", "loopback"], indirect=True)
def test_files_are_for_the_owner_only(place: Place) -> None:
    place.open().put("in", NAME, DATA)
    assert (place.folder("in") / NAME).stat().st_mode & 0o777 == 0o600


def test_a_pipe_in_the_folder_is_no_file_and_holds_nothing_up(root: Path) -> None:
    drop = FolderDrop(root, "live", create=True)
    os.mkfifo(root / "in" / NAME)
    assert drop.list("in") == []
    with pytest.raises(FallbackError) as error:
        drop.read("in", NAME)
    assert code(error) == "file-unreadable"


# --- what is not there, and limits


@every
def test_a_file_that_is_not_there_cannot_be_read(place: Place) -> None:
    with pytest.raises(FallbackError) as error:
        place.open().read("in", NAME)
    assert (code(error), error.value.exit_code) == ("file-unreadable", 3)
    assert NAME in str(error.value)


@every
@pytest.mark.parametrize("size", [10, 100_000])
def test_a_file_beyond_the_limit_is_not_read(place: Place, size: int) -> None:
    drop = place.open()
    drop.put("in", NAME, bytes(size))
    assert len(drop.read("in", NAME, limit=size)) == size
    with pytest.raises(FallbackError) as error:
        drop.read("in", NAME, limit=size - 1)
    assert code(error) == "file-unreadable"
    assert drop.read("in", NAME) == bytes(size)


@on_disk
def test_a_missing_folder_is_named_by_every_verb(place: Place) -> None:
    drop = place.open(create=False)
    verbs: list[Callable[[], object]] = [
        lambda: drop.list("in"),
        lambda: drop.list("work"),
        lambda: drop.read("in", NAME),
        lambda: drop.put("in", NAME, DATA),
        lambda: drop.put("out", NAME, DATA),
        lambda: drop.move(NAME, "in", "work"),
        lambda: drop.remove("in", NAME),
    ]
    for verb in verbs:
        with pytest.raises(FallbackError) as error:
            verb()
        assert (code(error), error.value.exit_code) == ("folder-missing", 3)
        assert error.value.hint
    assert list(place.root.iterdir()) == []


@pytest.mark.parametrize("place", ["folder", "loopback"], indirect=True)
def test_a_full_disk_leaves_nothing_behind_and_the_next_try_succeeds(place: Place) -> None:
    drop = place.open()
    data = os.urandom(400_000)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
    try:
        with pytest.raises(FallbackError) as error:
            drop.put("in", NAME, data)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert (code(error), error.value.exit_code) == ("delivery-failed", 3)
    assert place.names() == []
    assert not drop.put("in", NAME, data).already
    assert drop.read("in", NAME) == data


# --- live and drill


@every
def test_drill_and_live_share_no_folder(place: Place) -> None:
    live, drill = place.open("live"), place.open("drill")
    assert (live.state, drill.state) == ("live", "drill")
    for folder in FOLDERS:
        live.put(folder, "live.csv", b"live")
        drill.put(folder, "drill.csv", b"drill")
    for folder in FOLDERS:
        assert [entry.name for entry in live.list(folder)] == ["live.csv"]
        assert [entry.name for entry in drill.list(folder)] == ["drill.csv"]


def test_a_folder_drop_refuses_folders_that_could_mix_or_lead_out(root: Path) -> None:
    for wrong in ("../in", "/in", "", "drill/in", "out", "work"):
        with pytest.raises(FallbackError) as error:
            FolderDrop(root, "live", in_folder=wrong)
        assert code(error) == "agreement-invalid"


def test_a_drill_folder_that_is_a_link_to_the_live_one_is_not_used(root: Path) -> None:
    FolderDrop(root, "live", create=True)
    (root / "drill").symlink_to(root)
    with pytest.raises(FallbackError) as error:
        FolderDrop(root, "drill").put("in", NAME, DATA)
    assert code(error) == "folder-missing"
    assert os.listdir(root / "in") == []


def test_where_there_are_no_hard_links_the_promises_hold(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_links(*args: object, **kwargs: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", no_links)
    drop = FolderDrop(root, "live", create=True)
    drop.put("in", NAME, DATA)
    with pytest.raises(Refused):
        drop.put("in", NAME, b"other")
    assert drop.put("in", NAME, DATA).already
    assert drop.move(NAME, "in", "work")
    assert not drop.move(NAME, "in", "work")
    drop.put("in", NAME, b"other")
    with pytest.raises(Refused):
        drop.move(NAME, "in", "work")
    assert drop.read("work", NAME) == DATA


def test_a_file_that_cannot_leave_its_folder_is_not_in_two(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drop = FolderDrop(root, "live", create=True)
    drop.put("in", NAME, DATA)
    unlink = os.unlink

    def sticky(path: str, *, dir_fd: int | None = None) -> None:
        if os.path.samestat(os.fstat(dir_fd or 0), (root / "in").stat()):
            raise PermissionError(13, "Permission denied")
        unlink(path, dir_fd=dir_fd)

    with monkeypatch.context() as patch:
        patch.setattr(os, "unlink", sticky)
        for verb in (lambda: drop.move(NAME, "in", "work"), lambda: drop.remove("in", NAME)):
            with pytest.raises(FallbackError) as error:
                verb()
            assert code(error) == "delivery-failed"
            assert "permission denied" in str(error.value)
    assert drop.list("work") == []
    assert drop.read("in", NAME) == DATA


def test_a_root_that_cannot_be_made_is_told(root: Path) -> None:
    (root / "file").write_bytes(b"")
    with pytest.raises(FallbackError) as error:
        FolderDrop(root / "file" / "drop", "live", create=True)
    assert code(error) == "folder-missing"


# --- the drop of an agreement


def agreement(root: Path, delivery: dict[str, object], local: dict[str, object]) -> Agreement:
    terms = {
        "schema": "fallback.agreement/1",
        "id": "acme-3pl",
        "version": "1",
        "effective_from": "2026-01-01",
        "review_by": "2027-01-01",
        "parties": {"brand": {"org": "acme"}, "warehouse": {"org": "3pl"}},
        "format": {"orders": "order-lines-csv"},
        "delivery": delivery,
    }
    return Agreement.model_validate(terms).at(root, Local.model_validate({"side": "brand", "delivery": local}))


def test_the_drop_of_an_agreement_lies_where_local_toml_says(root: Path) -> None:
    terms = agreement(root, {"primary": {"kind": "folder"}}, {"primary": {"root": "share"}})
    with open_drop(terms, create=True) as live, open_drop(terms, "drill", create=True) as drill:
        live.put("in", NAME, DATA)
        drill.put("in", NAME, DATA)
    assert (root / "share/in" / NAME).is_file()
    assert (root / "share/drill/in" / NAME).is_file()


def test_an_agreed_drill_folder_is_used_and_never_the_live_one(root: Path) -> None:
    for folders in ({"in": "drill/in", "out": "drill/out"}, {}, {"in": "in", "out": "out"}):
        delivery = {"primary": {"kind": "folder"}, "drill": {"kind": "folder", **folders}}
        with open_drop(agreement(root, delivery, {"primary": {"root": "."}}), "drill", create=True) as drop:
            drop.list("in")
    assert sorted(str(path.relative_to(root)) for path in root.rglob("*")) == ["drill", "drill/in", "drill/out"]


def test_the_secondary_way_has_its_own_login(root: Path) -> None:
    delivery = {"primary": {"kind": "sftp", "host": "sftp.example"}, "secondary": {"kind": "folder"}}
    terms = agreement(root, delivery, {"secondary": {"root": "share"}})
    with open_drop(terms, channel="secondary", create=True) as drop:
        drop.put("in", NAME, DATA)
    with pytest.raises(FallbackError) as error:
        open_drop(terms)
    assert code(error) == "local-invalid"


@pytest.mark.parametrize(
    ("delivery", "local", "expected"),
    [
        ({"primary": {"kind": "sftp", "host": "sftp.example"}}, {"primary": {"root": "x"}}, "local-invalid"),
        ({"primary": {"kind": "sftp"}}, {"primary": {"user": "x"}}, "agreement-invalid"),
        ({"primary": {"kind": "folder"}}, {"primary": {"user": "x"}}, "local-invalid"),
        ({"primary": {"kind": "folder"}}, {}, "local-invalid"),
    ],
)
def test_what_is_missing_in_the_terms_is_named(
    root: Path, delivery: dict[str, object], local: dict[str, object], expected: str
) -> None:
    with pytest.raises(FallbackError) as error:
        open_drop(agreement(root, delivery, local))
    assert code(error) == expected
    assert error.value.hint


def test_there_may_be_no_secondary_way(root: Path) -> None:
    with pytest.raises(FallbackError) as error:
        open_drop(agreement(root, {"primary": {"kind": "folder"}}, {}), channel="secondary")
    assert code(error) == "agreement-gap"


def test_a_drill_endpoint_that_shares_a_live_folder_is_refused(root: Path) -> None:
    host = {"kind": "sftp", "host": "sftp.example", "in": "/up/in", "out": "/up/out"}
    for drill in (host, {**host, "host": "SFTP.example", "in": "/up/./in/", "out": "/x"}):
        terms = agreement(root, {"primary": host, "drill": drill}, {"primary": {"user": "x"}})
        with pytest.raises(Refused) as error:
            open_drop(terms, "drill")
        assert (code(error), error.value.exit_code) == ("marker-wrong", 7)


def test_an_sftp_drop_of_an_agreement_finds_live_and_drill(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FALLBACK_TEST_PASSWORD", "correct horse")
    with LoopbackServer(root, {"brand": Account("correct horse")}) as server:
        host = {"kind": "sftp", "host": "127.0.0.1", "port": server.port, "host_key": server.fingerprint, "in": "a/in"}
        login = {"user": "brand", "password_env": "FALLBACK_TEST_PASSWORD"}
        terms = agreement(root, {"primary": host}, {"primary": login})
        with open_drop(terms, create=True) as live, open_drop(terms, "drill", create=True) as drill:
            live.put("in", NAME, DATA)
            drill.put("in", NAME, DATA)
            drill.move(NAME, "in", "work")
    files = sorted(path.relative_to(root).parts for path in root.rglob("*.csv"))
    assert files == [("a", "drill", "work", NAME), ("a", "in", NAME)]


def test_the_room_is_entered_without_the_ssh_library() -> None:
    script = "import sys, fallback.delivery; sys.exit('paramiko' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0
