"""The command line as its users meet it: exit codes, words, JSON, nothing overwritten, nothing betrayed."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest

from cli_kit import INIT_BRAND, INIT_WAREHOUSE, Done, Night, environment, fallback, make_night
from fallback import cli
from fallback.documents.manifest import Manifest
from fallback.documents.receipt import Receipt
from fallback.findings import CATALOGUE
from fallback.formats.library import load_format, shipped

FALLBACK = (sys.executable, "-m", "fallback")
OPEN = 4  # orders of the sample payload that ship; a fifth is cancelled


@pytest.fixture
def night(tmp_path: Path) -> Night:
    return make_night(tmp_path)


def process(*args: str, folder: Path, **options: Any) -> subprocess.CompletedProcess[str]:
    """A command in a process of its own."""
    return subprocess.run(
        (*FALLBACK, *args), cwd=folder, env=environment(), capture_output=True, text=True, check=False, **options
    )


# --- the command itself


def commands() -> dict[str, click.Command]:
    """Every command that does something, by its words."""
    found: dict[str, click.Command] = {}

    def walk(command: click.Command, words: tuple[str, ...]) -> None:
        if isinstance(command, click.Group):
            context = click.Context(command)
            for name in command.list_commands(context):
                inner = command.get_command(context, name)
                assert inner is not None
                walk(inner, (*words, name))
        else:
            found[" ".join(words)] = command

    walk(cli.cli, ())
    return found


@pytest.mark.parametrize("words", commands())
def test_every_command_has_help_with_an_example(words: str, tmp_path: Path) -> None:
    for flag in ("-h", "--help"):
        done = fallback(*words.split(), flag, folder=tmp_path)
        assert done.code == 0
        assert done.err == ""
        assert f"fallback {words.removesuffix(' run')}" in done.out.partition("Example")[2]
    for parameter in commands()[words].params:
        assert not isinstance(parameter, click.Option) or parameter.help, parameter.name


def test_the_help_names_the_commands_and_the_exit_codes(tmp_path: Path) -> None:
    done = fallback("--help", folder=tmp_path)
    assert done.code == 0
    for name in cli.COMMANDS:
        assert f"\n  {name} " in done.out
    for code in cli.EXIT_CODES:
        assert f"\n  {code} " in done.out


def test_alone_it_shows_the_help_and_says_that_nothing_was_done(tmp_path: Path) -> None:
    done = fallback(folder=tmp_path)
    assert done.code == 2
    assert done.out == ""
    assert "Commands:" in done.err


def test_the_version(tmp_path: Path) -> None:
    done = process("--version", folder=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("fallback ")


def test_the_script_of_the_package_is_the_module(tmp_path: Path) -> None:
    script = Path(sys.executable).with_name("fallback")
    if not script.is_file():
        pytest.skip("the package is not installed beside this Python")
    done = subprocess.run((script, "explain", "sku-unknown"), cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.stdout == process("explain", "sku-unknown", folder=tmp_path).stdout


WRONG_USE = {
    "an unknown command": (("statsu",), "Did you mean status?"),
    "an unknown command of a group": (("formats", "lst"), "lst"),
    "an unknown option": (("status", "--jsno"), "--jsno"),
    "no payload": (("export",), "PAYLOADS"),
    "no file": (("validate",), "FILES"),
    "agreement and format": (("validate", "x.csv", "--agreement", ".", "--format", "order-jsonl"), "not both"),
    "agreement and format of an export": (
        ("export", "x.json", "--agreement", ".", "--format", "order-jsonl"),
        "not both",
    ),
    "a name without a paused integration": (("export", "x.json", "--confirmed-by", "J. Ops"), "--confirmed-by"),
    "a paused integration without a name": (("export", "x.json", "--integration", "paused"), "--confirmed-by"),
    "a format without its brand": (("export", "sample-orders.json", "--format", "order-jsonl"), "--brand"),
    "another brand": (("export", "sample-orders.json", "--brand", "zeta"), "acme"),
    "a platform that does not exist": (("export", "sample-orders.json", "--platform", "x"), "canonical, shopify"),
    "an instant without offset": (("export", "x.json", "--at", "2026-11-23T14:00:00"), "offset from UTC"),
    "no instant": (("export", "x.json", "--at", "tonight"), "2026-11-23T14:00:00Z"),
    "sequence 0": (("export", "x.json", "--sequence", "0"), "--sequence"),
    "outputs of several files": (("validate", "a.csv", "b.csv", "--html", "x.html"), "for one file"),
    "an output over its input": (("validate", "a.csv", "--accepted", "./a.csv"), "takes the place"),
    "two outputs in one": (("validate", "a.csv", "--accepted", "b", "--orders", "b"), "Each file once"),
    "a manifest sent": (("send", "outgoing/X.csv.manifest.json"), "fallback send outgoing/X.csv"),
    "the other side's command": (("receive",), "go to the warehouse's folder"),
    "an unknown code": (("explain", "sku-unknwn"), "sku-unknown"),
    "a reconciliation without lists": (("reconcile",), "--platform"),
    "a brand with a colon": (("formats", "sample", "order-jsonl", "--brand", "a:b"), "--brand"),
}


@pytest.mark.parametrize("case", WRONG_USE)
def test_wrong_use_is_told_and_exits_2(case: str, night: Night) -> None:
    args, words = WRONG_USE[case]
    done = night.brand(*args)
    assert done.code == 2
    assert done.out == ""
    assert words in done.err
    assert not (night.acme / "outgoing").exists()


CANNOT_RUN = {
    "a payload that is not there": (("export", "nix.json"), "file-unreadable: nix.json"),
    "a folder for a payload": (("export", "."), "file-unreadable"),
    "a payload below a file": (("export", "sku-map.csv/x"), "file-unreadable"),
    "a payload that is not JSON": (("export", "sku-map.csv"), "payload-unreadable: sku-map.csv"),
    "a payload of no platform": (("export", "other.json"), "payload-unreadable"),
    "a file that is not there": (("validate", "nix.csv"), "file-unreadable: nix.csv"),
    "a folder for a file": (("validate", "."), "file-unreadable"),
    "an item list that is not there": (("validate", "sku-map.csv", "--skus", "nix"), "file-unreadable: nix"),
    "an item list that is not text": (("validate", "sku-map.csv", "--skus", "bytes"), "not UTF-8 text"),
    "a format that does not exist": (("validate", "x", "--format", "nix"), "format-unknown"),
    "a format folder without a format": (("formats", "check", "."), "format-unknown"),
    "a format with a mistake": (("formats", "check", "bad.toml"), "format-invalid"),
    "no agreement": (("validate", "sku-map.csv", "--agreement", "nowhere"), "agreement-missing"),
    "a file to send that is not there": (("send", "nix.csv"), "file-unreadable: nix.csv"),
    "a list of the warehouse that is not there": (
        ("reconcile", "--platform", "sample-orders.json", "--wms", "nix.csv"),
        "file-unreadable: nix.csv",
    ),
    "a list of something else": (
        ("reconcile", "--platform", "sample-orders.json", "--wms", "sku-map.csv"),
        "extract-unusable: sku-map.csv",
    ),
    "a folder of something else": (("reconcile", "--platform", "sample-orders.json", "--wms", "."), "extract-unusable"),
    "an output in a folder that is a file": (
        ("formats", "sample", "order-jsonl", "--out", "sku-map.csv/x"),
        "file-unwritable",
    ),
}


@pytest.mark.parametrize("case", CANNOT_RUN)
def test_what_cannot_run_is_told_and_exits_3(case: str, night: Night) -> None:
    (night.acme / "other.json").write_text('{"parcels": [{"id": 1}]}', "utf-8")
    (night.acme / "bytes").write_bytes(b"\xff\xfe\x00")
    (night.acme / "bad.toml").write_text('name = "X"\n', "utf-8")
    args, words = CANNOT_RUN[case]
    done = night.brand(*args)
    assert done.code == 3
    assert done.out == ""
    assert words in done.err
    code = done.err.partition(":")[0]
    assert done.err.rstrip().endswith(f"`fallback explain {code}`")
    assert "Error" not in done.err


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read(night: Night) -> None:
    (night.acme / "sample-orders.json").chmod(0)
    done = night.export()
    assert done.code == 3
    assert "file-unreadable: sample-orders.json" in done.err


def test_a_fault_of_our_own_is_told_without_the_value_it_happened_to(
    night: Night, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*args: object, **terms: object) -> None:
        raise KeyError("Ada Lovelace")

    monkeypatch.setattr("fallback.brand.outgoing.export", broken)
    done = night.export()
    assert done.code == 3
    assert done.err.startswith("program-fault: ")
    assert "cli/export_.py:" in done.err
    assert "Ada" not in done.text
    assert "KeyError" not in done.text


# --- agreements that cannot be used

BROKEN_TERMS = {
    "a key that is not known": (b'colour = "red"\n', "colour is not a key of this section"),
    "a mistake of syntax": (b"id = = 1\n", "is not TOML"),
    "bytes that are not UTF-8": (b"# caf\xe9\n", "is not UTF-8 text at line 1"),
}


@pytest.mark.parametrize("command", ["status", "check", "collect"])
@pytest.mark.parametrize("case", BROKEN_TERMS)
def test_a_broken_agreement_is_told(command: str, case: str, night: Night) -> None:
    line, words = BROKEN_TERMS[case]
    file = night.acme / "agreement.toml"
    file.write_bytes(line + file.read_bytes())
    done = night.brand(command)
    assert done.code == 3
    assert done.err.startswith("agreement-invalid: ")
    assert words in done.err
    assert "codec" not in done.err


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('id = "acme-northdock"', 'id = "Acme & Co"', "id does not have the agreed form"),
        ('version = "1"', "version = 1", "version is text in quotation marks"),
        ("review_by = ", "review_by = 'soon' #", "review_by is a date such as"),
        ('time = "14:00"', 'time = "2 pm"', "cutoffs[0].time is a time of day such as 14:00"),
        ('time = "14:00"', 'time = "14:00Z"', "cutoffs[0].time: a wall-clock time"),
        ('window = "PT60M"', 'window = "an hour"', "cutoffs[0].window is a duration such as PT60M"),
        ('zone = "UTC"', 'zone = "Mars/Base"', "not an IANA time zone"),
        ("max_bytes = 20000000", "max_bytes = 0", "limits.max_bytes is 1 or more"),
        ("max_bytes = 20000000", 'max_bytes = "much"', "limits.max_bytes is a whole number"),
        ('load_mode = "all-valid"', 'load_mode = "some"', "format.load_mode may be 'all-valid' or 'all-or-nothing'"),
        ('days = ["mon", "tue", "wed", "thu", "fri"]', "days = []", "cutoffs[0].days is empty"),
        ("[limits]", "[limits]\nsurprise = 1", "limits.surprise is not a key of this section"),
        ("{order_id}", "{colour}", "colour"),
        (":{group}", "", "the key needs {group}: without it the second part of a split order never ships"),
        (":{group}", "-{group}", "the key is parts with colons between them"),
        (":{group}", ":{group}:{order_id}", "each part once"),
        (":{group}", ":{group!r}", "the key is parts with colons between them"),
        ("{order_id}", "1", "the key needs {order_id} or {order_number}"),
    ],
)
def test_a_wrong_term_is_named_in_plain_words(old: str, new: str, words: str, night: Night) -> None:
    night.change_terms(old, new)
    done = night.brand("check")
    assert done.code == 3
    assert words in done.err
    assert "should" not in done.err  # the validator's own sentences go no further


def test_a_broken_local_toml_is_told(night: Night) -> None:
    (night.acme / "local.toml").write_text("sidee = 1\n", "utf-8")
    done = night.brand("status")
    assert done.code == 3
    assert done.err.startswith("local-invalid: local.toml is wrong at 2 place(s):")
    (night.acme / "local.toml").unlink()
    assert night.brand("status").out.endswith("next: fallback init DIR --side SIDE --from agreement.toml\n")
    assert "local-invalid" in night.brand("collect").err


# --- init


def contents(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_init_makes_both_sides_and_never_overwrites(night: Night) -> None:
    before = contents(night.base)
    assert {path.name for path in before} == {
        *("agreement.toml", "local.toml", "sku-map.csv", "service-map.csv", "sample-orders.json"),
    }
    assert not (night.northdock / "sample-orders.json").exists()
    for args in (INIT_BRAND, INIT_WAREHOUSE):
        done = fallback(*args, folder=night.base)
        assert done.code == 2
        assert "is there already; nothing was written" in done.err
    assert contents(night.base) == before
    assert night.brand("check").out.splitlines()[0] == night.warehouse("check").out.splitlines()[0]
    assert all(path.stat().st_mode & 0o077 == 0 for path in before)


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (("--zone", "Mars/Base"), "not an IANA time zone"),
        (("--cutoff", '2"pm'), "cutoffs[0].time"),
        (("--format", "nix"), "format-unknown"),
        (("--brand", 'a"b'), "small letters"),
        (("--warehouse", "North Dock"), "small letters"),
        (("--drop", "mailbox"), "--drop is"),
        (("--drop", "folder:"), "--drop is"),
        (("--drop", "sftp://host/x"), "--drop is"),
        (("--drop", "sftp://me:secret@host/x"), "never a password"),
        (("--drop", "sftp://me@host:99999/x"), "the port"),
    ],
)
def test_init_writes_nothing_when_an_answer_is_wrong(more: tuple[str, ...], words: str, tmp_path: Path) -> None:
    done = fallback(*INIT_BRAND, *more, folder=tmp_path)
    assert done.code in (2, 3)
    assert words in done.err
    assert "secret" not in done.text
    assert list(tmp_path.iterdir()) == []


def test_init_asks_for_what_it_is_not_told(tmp_path: Path) -> None:
    done = fallback("init", "own", stdin=f"folder:{tmp_path}/drop\nzeta\nharbour\n".encode(), folder=tmp_path)
    assert done.code == 0
    assert "Where is the drop?" in done.err
    assert 'id = "zeta-harbour"' in (tmp_path / "own" / "agreement.toml").read_text("utf-8")
    assert (tmp_path / "drop" / "in").is_dir()


def test_init_says_what_is_missing_where_nobody_answers(tmp_path: Path) -> None:
    done = fallback("init", "own", folder=tmp_path)
    assert done.code == 2
    assert "--drop is missing" in done.err
    assert not (tmp_path / "own").exists()


def test_init_from_takes_the_agreement_as_it_is(night: Night) -> None:
    base = night.base
    more = ("--side", "warehouse", "--from", "acme")
    done = fallback("init", "other", *more, "--drop", "folder:drop", "--zone", "UTC", folder=base)
    assert (done.code, "--zone" in done.err) == (2, True)
    done = fallback("init", "other", *more, "--drop", "sftp://me@host/x", folder=base)
    assert (done.code, "agreed is kind folder" in done.err) == (2, True)
    assert fallback("init", "o", "--from", "nowhere", "--drop", "folder:drop", folder=base).code == 3
    assert not (base / "other").exists()
    assert fallback("init", "acme/agreement.toml", *more, "--drop", "folder:drop", folder=base).code == 2


def test_init_for_sftp_writes_the_login_apart_and_no_secret(tmp_path: Path) -> None:
    drop = ("--drop", "sftp://acme@drop.example:2222/upload", "--host-key", f"SHA256:{'a' * 43}")
    made = fallback("init", "acme", "--brand", "acme", "--warehouse", "northdock", *drop, folder=tmp_path)
    assert made.code == 0
    agreement = (tmp_path / "acme" / "agreement.toml").read_text("utf-8")
    assert 'host = "drop.example", port = 2222, in = "/upload/in", out = "/upload/out"' in agreement
    assert "acme@" not in agreement
    assert 'user = "acme"' in (tmp_path / "acme" / "local.toml").read_text("utf-8")
    theirs = ("init", "nd", "--side", "warehouse", "--from", "acme/agreement.toml", "--key-file", "id_ed25519")
    assert fallback(*theirs, "--drop", "sftp://nd@drop.example/upload", folder=tmp_path).code == 2
    assert fallback(*theirs, "--drop", "sftp://nd@drop.example:2222/upload", folder=tmp_path).code == 0
    assert f'key_file = "{tmp_path}/id_ed25519"' in (tmp_path / "nd" / "local.toml").read_text("utf-8")
    checked = fallback("check", "acme", folder=tmp_path)
    assert checked.code == 0, checked.text
    unset = fallback("check", "acme", "--connect", folder=tmp_path)
    assert (unset.code, "FALLBACK_PASSWORD" in unset.err) == (3, True)


def test_a_format_of_their_own_travels_with_the_agreement(tmp_path: Path) -> None:
    shipped_one = Path(__file__).parents[1] / "formats" / "order-lines-csv" / "format.toml"
    text = shipped_one.read_text("utf-8").replace('name = "order-lines-csv"', 'name = "northdock-orders"', 1)
    (tmp_path / "northdock.toml").write_text(text, "utf-8")
    assert fallback(*INIT_BRAND, "--format", "northdock.toml", folder=tmp_path).code == 0
    assert fallback(*INIT_WAREHOUSE, folder=tmp_path).code == 0
    (tmp_path / "northdock.toml").unlink()
    night = Night(tmp_path)
    night.exported()
    assert "northdock-orders" in night.warehouse("check").out
    assert "--format" in fallback(*INIT_WAREHOUSE, "--format", "order-jsonl", folder=tmp_path).err


def test_a_format_that_does_not_carry_the_key_is_refused(night: Night) -> None:
    shipped_one = Path(__file__).parents[1] / "formats" / "order-lines-csv" / "format.toml"
    fields = shipped_one.read_text("utf-8").split("[[fields]]\n")
    kept = [field for field in fields if not field.startswith('name = "Group"')]
    assert len(kept) == len(fields) - 1
    own = "[[fields]]\n".join(kept).replace("drops = []", 'drops = ["group"]', 1)
    for folder in (night.acme, night.northdock):
        (folder / "own.toml").write_text(own, "utf-8")
    night.change_terms('orders = "order-lines-csv"', 'orders = "own.toml"')
    for done in (night.brand("check"), night.export(), night.warehouse("check")):
        assert (done.code, done.err.splitlines()[-2].partition(":")[0]) == (3, "key-not-carried")
        assert "group, which the format" in done.err


def test_a_group_that_a_format_refuses_is_none_in_every_key(night: Night) -> None:
    """Without a column for it, part of a split order is refused: what a file holds are whole orders, of group 0."""
    shipped_one = Path(__file__).parents[1] / "formats" / "order-lines-csv" / "format.toml"
    fields = shipped_one.read_text("utf-8").split("[[fields]]\n")
    own = "[[fields]]\n".join(field for field in fields if not field.startswith('name = "Group"'))
    for folder in (night.acme, night.northdock):
        (folder / "own.toml").write_text(own, "utf-8")
    night.change_terms('orders = "order-lines-csv"', 'orders = "own.toml"')
    done = night.warehouse("validate", night.exported())
    assert (done.code, "accepted: 4 orders" in done.out) == (0, True), done.text


@pytest.mark.parametrize("name", [name for name in shipped() if load_format(name).status == "unverified"])
def test_an_agreement_on_a_partners_format_exports_once_its_codes_are_agreed(name: str, tmp_path: Path) -> None:
    made = fallback(*INIT_BRAND, "--format", name, folder=tmp_path)
    fmt = load_format(name)
    if fmt.direction == "read":
        assert (made.code, "format-read-only" in made.err) == (3, True), made.text
        return
    assert made.code == 0, made.text
    night = Night(tmp_path)
    if fmt.codes:
        assert f"agree on [codes] before the first export: {', '.join(sorted(fmt.codes))}" in made.err
        assert night.brand("check").out.count("codes.") == len(fmt.codes)
        assert "[codes]" in night.export().err
    terms = night.acme / "agreement.toml"
    terms.write_text(re.sub(r'(?m)^# (\w+) = ""', r'\1 = "C1"', terms.read_text("utf-8")), "utf-8")
    assert fallback(*INIT_WAREHOUSE, folder=tmp_path).code == 0
    done = night.warehouse("validate", night.exported())
    assert (done.code, "accepted" in done.out) == (0, True), done.text


def test_a_brand_that_takes_the_warehouses_agreement_gets_its_maps(tmp_path: Path) -> None:
    args = ("--warehouse", "northdock", "--brand", "acme", "--drop", "folder:drop")
    assert fallback("init", "northdock", "--side", "warehouse", *args, folder=tmp_path).code == 0
    assert sorted(path.name for path in (tmp_path / "northdock").iterdir()) == ["agreement.toml", "local.toml"]
    taken = fallback("init", "acme", "--from", "northdock", "--drop", "folder:drop", folder=tmp_path)
    assert taken.code == 0, taken.text
    night = Night(tmp_path)
    assert night.exported().is_file()


# --- status and check


def test_status_knows_the_next_command_at_every_point(night: Night) -> None:
    def step(done: Done) -> str:
        assert done.code == 0
        return done.out.splitlines()[-1]

    assert step(fallback("status", folder=night.base)) == "next: fallback init DIR"
    assert step(night.brand("status")).startswith("next: fallback export PAYLOAD --integration paused")
    assert step(night.warehouse("status")).startswith("next: wait for the brand")
    file = night.exported()
    assert step(night.brand("status")) == f"next: fallback send outgoing/{file.name}"
    assert night.brand("send", file).code == 0
    assert step(night.brand("status")) == "next: fallback collect"
    assert "1 file waiting" in night.warehouse("status").out
    assert step(night.warehouse("status")) == "next: fallback receive"
    night.warehouse("receive")
    night.brand("collect")
    assert f"{OPEN} in the warehouse" in night.brand("status").out
    assert step(night.brand("status")).startswith("next: fallback reconcile")


def test_status_with_a_drop_that_cannot_be_seen(night: Night) -> None:
    (night.drop / "in").rmdir()
    done = night.warehouse("status")
    assert done.code == 0
    assert "cannot be seen" in done.out
    assert "folder-missing" in done.out
    assert done.out.endswith("next: fallback check --connect\n")
    connected = night.warehouse("check", "--connect")
    assert (connected.code, connected.err.partition(":")[0]) == (3, "folder-missing")


def test_check_finds_gaps_and_a_review_that_is_due(night: Night) -> None:
    assert night.brand("check", "--connect").code == 0
    night.change_terms("review_by = ", "review_by = 2026-01-01 # ")
    for side in (night.brand, night.warehouse):
        done = side("check")
        assert done.code == 1
        assert "agreement-review" in done.out
        assert "\n1 gap\n" in done.out
    assert "agreement-review" in night.brand("status").out
    text = (night.acme / "agreement.toml").read_text("utf-8")
    (night.acme / "agreement.toml").write_text(
        text.partition("[[cutoffs]]")[0] + '[delivery]\nprimary = { kind = "folder" }\n',
        "utf-8",
    )
    done = night.brand("check")
    assert done.code == 1
    for gap in ("cutoffs: ", "commitments: ", "integration.pause_owner: "):
        assert gap in done.out
    assert {one["code"] for one in night.brand("check", "--json").document["findings"]} == {
        *("agreement-gap", "agreement-review"),
    }


def test_check_finds_terms_that_cannot_be_meant(night: Night) -> None:
    night.change_terms("effective_from = ", "effective_from = 2398-01-01 # ")
    night.change_terms('org = "northdock"', 'org = "acme"')
    (night.acme / "local.toml").unlink()
    done = night.brand("check")
    assert done.code == 1
    for gap in ("effective_from: found 2398-01-01", "parties.warehouse.org: ", "local.toml: found none"):
        assert gap in done.out


def test_check_reads_the_maps_of_the_brand(night: Night) -> None:
    (night.acme / "sku-map.csv").write_text("from,to\nA,1\nA,2\n", "utf-8")
    done = night.brand("check")
    assert (done.code, done.err.partition(":")[0]) == (3, "map-invalid")


# --- export, send, receive, collect


def unmap(night: Night) -> None:
    """Take an SKU of the first order out of the map."""
    payload = json.loads((night.acme / "sample-orders.json").read_text("utf-8"))
    sku = payload["orders"][0]["line_items"][0]["sku"]
    rows = (night.acme / "sku-map.csv").read_text("utf-8").splitlines(keepends=True)
    kept = [row for row in rows if not row.startswith(f"{sku},")]
    (night.acme / "sku-map.csv").write_text("".join(kept), "utf-8")


def test_status_does_not_name_a_file_where_it_is_not(night: Night) -> None:
    done = night.brand("export", "sample-orders.json", "--integration", "paused", "--confirmed-by", "J", "--out", "out")
    assert done.code == 0
    (file,) = (night.acme / "out").glob("*.csv")
    assert night.brand("status").out.endswith(f"next: fallback send DIR/{file.name}\n")


def test_what_is_answered_is_not_sent_again(night: Night) -> None:
    file = night.exported()
    night.brand("send", file)
    night.warehouse("receive", "--person", "S. Lead")
    night.brand("collect")
    done = night.brand("send", file)
    assert (done.code, done.err.partition(":")[0]) == (7, "order-in-flight")
    assert "its receipt says processed" in done.err and "wait for" not in done.err


def test_an_order_that_is_refused_does_not_hold_back_the_others(night: Night) -> None:
    unmap(night)
    done = night.export()
    assert done.code == 1
    assert "sku-unmapped (order #1001" in done.err
    file = night.acme / done.out.strip()
    manifest = Manifest.from_json(file.with_name(f"{file.name}.manifest.json").read_bytes())
    assert 0 < manifest.counts.orders < OPEN
    assert manifest.population == OPEN + 1
    assert {one.code for one in manifest.excluded} == {"refused-here", "cancelled"}
    night.brand("send", file)
    assert night.warehouse("receive").code == 0


def test_nothing_to_export_is_good_and_makes_no_file(night: Night) -> None:
    night.change_payload(lambda order, place: order.update(cancelled_at="2026-11-01T00:00:00Z"))
    done = night.export()
    assert (done.code, done.out) == (0, "")
    assert "nothing-to-export" in done.err
    assert "5 cancelled" in done.err
    assert not (night.acme / "outgoing").exists()


def test_an_export_in_a_format_alone_can_be_validated_and_not_sent(night: Night) -> None:
    args = ("--format", "order-lines-csv", "--brand", "acme", "--out", "plain")
    done = night.brand("export", "sample-orders.json", *args)
    assert done.code == 0
    assert "not sent" in done.err
    file = night.acme / done.out.strip()
    assert night.brand("validate", file, "--format", "order-lines-csv").code == 0
    assert night.brand("send", file).code == 2


def test_the_night_by_command(night: Night) -> None:
    file = night.exported()
    sent = night.brand("send", file)
    assert sent.code == 0
    assert sent.out.count("delivered: ") == 2
    again = night.brand("send", file)
    assert again.code == 0
    assert again.out.count("was there already: ") == 2
    early = night.brand("collect")
    assert early.code == 4
    assert "not-confirmed" in early.err
    assert "already-sent" in night.export().err
    received = night.warehouse("receive", "--person", "S. Lead", "--html", "pages")
    assert received.code == 0
    assert f"({OPEN} of {OPEN})" in received.out
    assert "S. Lead" in received.out
    page = next((night.northdock / "pages").glob("*.html"))
    assert "S. Lead" in page.read_text("utf-8")
    twice = night.warehouse("receive")
    assert (twice.code, twice.out) == (0, "")
    assert "nothing is waiting" in twice.err
    late = night.brand("collect")
    assert late.code == 0
    assert "every order is in the warehouse" in late.err
    after = night.brand("send", file)
    assert (after.code, after.err.partition(":")[0]) == (7, "order-in-flight")
    assert f"{OPEN} already-accepted" in night.export().err
    loaded = [line for one in (night.northdock / "wms" / "import").iterdir() for line in one.read_text().splitlines()]
    assert len(loaded) == OPEN


def test_a_file_that_was_changed_is_not_sent(night: Night) -> None:
    file = night.exported()
    file.write_bytes(file.read_bytes().replace(b"EA", b"CS", 1))
    done = night.brand("send", file)
    assert (done.code, done.err.partition(":")[0]) == (7, "file-hash-differs")
    file.write_bytes(file.read_bytes()[:-10])
    assert night.brand("send", file).code == 7
    assert list((night.drop / "in").iterdir()) == []


def test_a_file_that_the_outbox_does_not_know_is_not_sent(night: Night) -> None:
    file = night.exported()
    (night.acme / "outbox.sqlite").unlink()
    done = night.brand("send", file)
    assert done.code == 2
    assert "did not export" in done.err


def test_while_the_integration_is_live_nothing_is_loaded_unless_somebody_answers_for_it(night: Night) -> None:
    done = night.brand("export", "sample-orders.json")
    assert "the warehouse will not load this file" in done.err
    night.brand("send", night.acme / done.out.strip())
    refused = night.warehouse("receive")
    assert (refused.code, refused.err.partition(":")[0]) == (7, "integration-live")
    assert not list((night.drop / "out").iterdir())
    assert night.warehouse("receive", "--integration-live", "M. Manager").code == 0
    receipt = next((night.drop / "out").glob("*.processed.receipt.json"))
    assert Receipt.from_json(receipt.read_bytes()).by.person == "M. Manager"


def test_a_rejected_order_is_told_on_both_sides(night: Night) -> None:
    night.brand("send", night.exported())
    skus = night.northdock / "items.txt"
    skus.write_text("# the items\nTEE-BLK-M\n0012\n\nMUG-11OZ\n", "utf-8")
    done = night.warehouse("receive", "--skus", "items.txt")
    assert done.code == 1
    assert "sku-unknown" in done.out
    collected = night.brand("collect")
    assert collected.code == 1
    assert "not in the warehouse: " in collected.err
    assert night.brand("status").out.endswith("next: correct the orders in the shop, then: fallback export PAYLOAD\n")


def test_receipts_that_cannot_be_used_are_told_and_change_nothing(night: Night) -> None:
    nothing = night.brand("collect")
    assert (nothing.code, nothing.err) == (0, "nothing was sent yet, and nothing is to be collected\n")
    night.brand("send", night.exported())
    night.warehouse("receive")
    [last] = (night.drop / "out").glob("*.processed.receipt.json")
    receipt = json.loads(last.read_bytes())
    receipt["file"] |= {"file_id": "ZETA_1", "name": "ZETA_1.csv"}
    (night.drop / "out" / "ZETA_1.csv.processed.receipt.json").write_text(json.dumps(receipt), "utf-8")
    (night.drop / "out" / "X.csv.processed.receipt.json").write_text('{"schema": "x"}', "utf-8")
    done = night.brand("collect")
    assert done.code == 3
    assert "document-unreadable: X.csv.processed.receipt.json" in done.err
    assert "passed over: ZETA_1.csv" in done.err
    assert f"{OPEN} in the warehouse" in night.brand("status").out


def test_a_drill_and_a_live_file_never_mix(night: Night) -> None:
    (night.drop / "drill" / "in").mkdir(parents=True)
    (night.drop / "drill" / "out").mkdir()
    done = night.brand("send", night.exported(), "--drill")
    assert (done.code, done.err.partition(":")[0]) == (7, "marker-wrong")


# --- validate


def test_validate_tells_each_order_that_may_not_be_loaded(night: Night) -> None:
    file = night.exported()
    lines = file.read_bytes().splitlines(keepends=True)
    file.write_bytes(b"".join([*lines[:-1], lines[-1].replace(b",EA,", b",each,")]))
    done = night.brand("validate", file)
    assert done.code == 1
    assert done.out.startswith("rejected: ")
    assert "file-size-differs" in done.out
    alone = night.base / "alone.csv"
    alone.write_bytes(file.read_bytes())
    done = night.brand("validate", alone)
    assert done.code == 1
    assert done.out.startswith("partial: ")
    assert re.search(r"alone\.csv:[0-9]+: value-too-long \(order #[0-9]+, line [0-9]\)", done.out)
    assert "manifest-absent" in done.out


def test_what_validate_writes_can_be_used_again(night: Night) -> None:
    file = night.exported()
    outputs = ("--orders", "good.jsonl", "--accepted", "good.csv", "--html", "page.html")
    assert night.brand("validate", file, *outputs).code == 0
    assert (night.acme / "good.csv").read_bytes() == file.read_bytes()
    assert len((night.acme / "good.jsonl").read_text("utf-8").splitlines()) == OPEN
    page = (night.acme / "page.html").read_text("utf-8")
    assert file.name in page
    args = ("--format", "order-lines-csv", "--brand", "acme", "--out", "again")
    again = night.brand("export", "good.jsonl", *args)
    assert (night.acme / again.out.strip()).read_bytes() == file.read_bytes()
    assert all((night.acme / name).stat().st_mode & 0o077 == 0 for name in ("good.jsonl", "good.csv", "page.html"))


def test_an_item_list_is_held_against_the_file(night: Night) -> None:
    file = night.exported()
    items = night.base / "items.txt"
    items.write_text("TEE-BLK-M\nTEE-BLK-L\nMUG-11OZ\nCAP-RED\nSOCK-42\n0012\n", "utf-8")
    assert night.brand("validate", file, "--skus", items).code == 0
    items.write_bytes(b"\xef\xbb\xbf" + items.read_bytes())  # a list that an editor has saved
    assert night.brand("validate", file, "--skus", items).code == 0
    items.write_text("# none\n", "utf-8")
    done = night.brand("validate", file, "--skus", items)
    assert (done.code, "there is no entry in it" in done.err) == (3, True)
    items.write_text("TEE-BLK-M\n", "utf-8")
    done = night.brand("validate", file, "--skus", items)
    assert done.code == 1
    assert "sku-unknown" in done.out


def test_several_files_get_a_report_each(night: Night) -> None:
    file = night.exported()
    broken = night.base / "broken.csv"
    broken.write_bytes(b"")
    done = night.brand("validate", file, broken)
    assert done.code == 1
    assert done.out.startswith("accepted: ")
    assert "file-empty" in done.out
    reports = night.brand("validate", file, broken, "--json").document
    assert [report["verdict"] for report in reports] == ["accepted", "rejected"]


# --- formats and explain


WRITTEN = [fmt for fmt in map(load_format, shipped()) if len(fmt.roles) == 1 and fmt.direction == "both"]


@pytest.mark.parametrize("name", [fmt.name for fmt in WRITTEN])
def test_a_sample_is_valid_by_pipe_and_by_file(name: str, tmp_path: Path) -> None:
    piped = fallback("formats", "sample", name, "--orders", "7", "--seed", "3", folder=tmp_path)
    assert (piped.code, piped.err) == (0, "")
    data = piped.out.encode("utf-8", "surrogateescape")
    done = fallback("validate", "-", "--format", name, folder=tmp_path, stdin=data)
    assert done.code == 0, done.text
    assert "standard input" in done.out
    assert ("1 order" if load_format(name).max_orders == 1 else "7 orders") in done.out
    written = fallback("formats", "sample", name, "--orders", "1", "--out", "x", folder=tmp_path)
    assert written.err == "1 order\n"
    assert fallback("validate", written.out.strip(), "--format", name, folder=tmp_path).code == 0
    assert f"{name} version" in fallback("formats", "check", name, folder=tmp_path).out
    assert f"# {name}, version" in fallback("formats", "show", name, folder=tmp_path).out
    assert name in fallback("formats", "list", folder=tmp_path).out


def test_explain_knows_every_code(tmp_path: Path) -> None:
    everything = fallback("explain", folder=tmp_path).out
    for code, entry in CATALOGUE.items():
        done = fallback("explain", code, folder=tmp_path)
        assert done.code == 0
        assert done.out.startswith(f"{code}: ")
        assert entry.meaning in everything


# --- reconcile

AT = "2026-11-23"  # a Monday; the agreed cut-off is 14:00 UTC, its window 60 minutes


def reconciled(night: Night, at: str, as_of: str, *keys: str) -> Done:
    night.change_payload(lambda order, place: order.update(created_at=f"{AT}T10:0{place}:00Z"))
    (night.acme / "wms.csv").write_text("\n".join(["key", *keys, ""]), "utf-8")
    return night.brand(
        *("reconcile", "--platform", "sample-orders.json", "--wms", "wms.csv"),
        *("--at", f"{AT}T{at}:00Z", "--wms-as-of", f"{AT}T{as_of}:00Z"),
    )


def sample_keys(night: Night) -> list[str]:
    payload = json.loads((night.acme / "sample-orders.json").read_text("utf-8"))
    return [f"acme:shopify:{order['id']}:0" for order in payload["orders"] if not order["cancelled_at"]]


def test_reconcile_says_where_the_two_sides_stand(night: Night) -> None:
    keys = sample_keys(night)
    clear = reconciled(night, "15:10", "15:05", *keys)
    assert (clear.code, clear.out.partition(":")[0]) == (0, "clear")
    in_flight = reconciled(night, "14:10", "14:05", *keys[:1])
    assert (in_flight.code, in_flight.out.partition(":")[0]) == (0, "in-flight")
    due = reconciled(night, "15:10", "15:05", *keys[:1])
    assert (due.code, due.out.partition(":")[0]) == (5, "due")
    assert keys[1] in due.out
    unknown = reconciled(night, "15:59", "15:05", *keys)
    assert (unknown.code, unknown.out.partition(":")[0]) == (6, "unknown")
    differs = reconciled(night, "15:10", "15:05", *keys, keys[0])
    assert (differs.code, "in the warehouse more than once" in differs.out) == (1, True)
    assert "Call the warehouse" in differs.out


def test_the_age_of_a_list_is_not_taken_from_the_date_of_its_file(night: Night) -> None:
    """A copy made a minute ago may be of a list of last week."""
    reconciled(night, "15:10", "15:05", *sample_keys(night))
    done = night.brand("reconcile", "--platform", "sample-orders.json", "--wms", "wms.csv")
    assert (done.code, done.out.partition(":")[0]) == (6, "unknown")
    assert "--wms-as-of" in done.err


def test_reconcile_reads_what_the_file_loader_has(night: Night) -> None:
    night.brand("send", night.exported())
    night.warehouse("receive")
    night.brand("collect")
    done = night.brand("reconcile", "--platform", "sample-orders.json", "--wms", night.northdock / "wms")
    assert (done.code, done.out.partition(":")[0]) == (0, "clear")
    assert "the system has not confirmed it" in done.err


def test_reconcile_takes_the_systems_own_list_where_it_writes_one(night: Night) -> None:
    """What was handed over and is in no list since is not in the warehouse."""
    night.brand("send", night.exported())
    night.warehouse("receive")
    (night.northdock / "wms" / "orders.csv").write_text("key,wms_ref,state,path,fingerprint\n", "utf-8")
    done = night.brand("reconcile", "--platform", "sample-orders.json", "--wms", night.northdock / "wms")
    assert done.out.partition(":")[0] in ("in-flight", "unknown")
    assert "not confirmed it" not in done.err


# --- output


def test_json_is_one_document_and_talk_is_elsewhere(night: Night) -> None:
    def document(done: Done, schema: str) -> Any:
        assert done.document["schema"] == f"fallback.{schema}/1"
        return done.document

    made = fallback("init", "third", "--from", "acme", "--drop", "folder:drop", "--json", folder=night.base)
    assert "agreement.toml" in document(made, "init")["files"]
    assert document(night.brand("status", "--json"), "status")["side"] == "brand"
    assert document(fallback("status", "--json", folder=night.base), "status")["next"] == "fallback init DIR"
    assert document(night.brand("check", "--json"), "check")["findings"] == []
    exported = night.export("--json")
    assert "guessed" in exported.err
    file = Path("outgoing") / document(exported, "export")["file"]
    assert document(night.brand("validate", file, "--json"), "report")["verdict"] == "accepted"
    assert document(night.brand("send", file, "--json"), "sent")["confirmed"] is True
    assert document(night.brand("collect", "--json"), "collected")["open"][0]["file_id"] == file.stem
    assert len(document(night.warehouse("receive", "--json"), "received")["receipts"]) == 3
    assert document(night.brand("collect", "--json"), "collected")["open"] == []
    listed = ("reconcile", "--platform", "sample-orders.json", "--wms", night.northdock / "wms")
    assert document(night.brand(*listed, "--json"), "reconciliation")["verdict"] == "clear"
    assert len(document(night.brand("explain", "--json"), "codes")["codes"]) == len(CATALOGUE)
    formats = document(night.brand("formats", "list", "--json"), "formats")["formats"]
    assert [one["name"] for one in formats] == shipped()
    assert document(night.brand("formats", "show", "order-jsonl", "--json"), "format")["name"] == "order-jsonl"
    assert document(night.brand("formats", "check", "order-jsonl", "--json"), "soundness")["sound"] is True
    assert night.brand("send", "nix.csv", "--json").out == ""


CANARY = {
    "name": "Canary Zebedee",
    "address1": "77 Canary Row",
    "phone": "+1 502 555 0199",
    "email": "canary@zebedee.example",
    "note": "the canary is under the mat",
}


def test_a_customer_is_never_named(night: Night) -> None:
    def put_canary(order: dict[str, Any], place: int) -> None:
        order["shipping_address"] |= {name: CANARY[name] for name in ("name", "address1", "phone")}
        order |= {"email": CANARY["email"], "note": CANARY["note"]}
        if place == 0:
            order["shipping_address"]["name"] += "\u202e"
        if place == 1:
            order["shipping_address"]["city"] = CANARY["name"] * 20

    night.change_payload(put_canary)
    file = night.exported()
    broken = night.base / "broken.csv"
    broken.write_text(file.read_text("utf-8").replace(CANARY["phone"], CANARY["phone"] + "\x07"), "utf-8")
    for more in ((), ("--json",), ("--html", "page.html")):
        assert night.brand("validate", broken, *more).code == 1
        night.export("--json", "--out", "x")
    night.brand("send", file)
    night.warehouse("receive", "--html", "pages")
    night.brand("collect")
    night.brand("reconcile", "--platform", "sample-orders.json", "--wms", night.northdock / "wms")
    night.brand("status")
    # The payload, the fallback files and what is handed to the warehouse system carry customers; nothing else may.
    kept = {
        str(path): path.read_bytes().decode("utf-8", "replace")
        for path in night.base.rglob("*")
        if path.is_file() and path.suffix not in (".csv", ".jsonl") and path.name != "sample-orders.json"
    }
    assert {Path(name).suffix for name in kept} >= {".json", ".html", ".sqlite", ".toml"}
    for place, text in [*kept.items(), *enumerate(night.said)]:
        for value in CANARY.values():
            assert value not in text, place
    assert CANARY["name"] in night.export("--show-values", "--out", "x").err
    assert CANARY["phone"] in night.brand("validate", broken, "--show-values").out


def test_no_colours_and_no_cursor_moves(night: Night, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    unmap(night)
    night.brand("send", night.exported())
    night.warehouse("receive")
    night.brand("collect")
    night.brand("statsu")
    assert "\x1b" not in "".join(night.said)


# --- processes


def test_an_error_in_a_process_of_its_own(tmp_path: Path) -> None:
    done = process("validate", "nix.csv", "--format", "order-jsonl", folder=tmp_path)
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr.startswith("file-unreadable: nix.csv")


@pytest.fixture
def heard() -> Iterator[None]:
    """What runs in the background, as a job of CI may, has the signal ignored, and so has what it starts."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("heard")
def test_ctrl_c_ends_with_130(tmp_path: Path) -> None:
    started = subprocess.Popen(
        (*FALLBACK, "init", "own"),
        cwd=tmp_path,
        env=environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    with started:
        assert started.stderr is not None
        assert started.stderr.read(len("Where is the drop?")) == b"Where is the drop?"
        for _ in range(10):  # a signal in the very moment before the wait for an answer is not seen until it ends
            started.send_signal(signal.SIGINT)
            with contextlib.suppress(subprocess.TimeoutExpired):
                started.wait(timeout=5)
                break
        started.kill()
        text = started.stderr.read().decode()
    assert started.returncode == 130
    assert "interrupted: stopped by hand" in text
    assert "Traceback" not in text
    assert list(tmp_path.iterdir()) == []


def test_an_interruption_anywhere_ends_with_130(night: Night, monkeypatch: pytest.MonkeyPatch) -> None:
    def stopped(*args: object, **terms: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("fallback.brand.outgoing.export", stopped)
    done = night.export()
    assert done.code == 130
    assert "start it again" in done.err


@pytest.mark.parametrize("args", [("explain",), ("--help",), ("formats", "sample", "order-lines-csv"), ("nix",)])
def test_a_reader_that_goes_away_is_no_traceback(args: tuple[str, ...], tmp_path: Path) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    try:
        done = subprocess.run(
            (*FALLBACK, *args), cwd=tmp_path, env=environment(), stdout=writer, stderr=subprocess.PIPE, check=False
        )
        assert done.returncode == (2 if args == ("nix",) else 141)
        assert b"Traceback" not in done.stderr
        assert b"Exception ignored" not in done.stderr
        options = {"cwd": tmp_path, "env": environment(), "stdout": writer, "stderr": writer}
        both = subprocess.run((*FALLBACK, *args), check=False, **options)  # type: ignore[call-overload]
        assert both.returncode == 141
    finally:
        os.close(writer)


# --- who answers for something is named; what is written never takes another file's place


@pytest.mark.parametrize("name", ["", "   ", "J.\x1b[31m Ops", "J. Ops\u202e", "x" * 81])
def test_a_name_names_somebody(night: Night, name: str) -> None:
    done = night.brand("export", "sample-orders.json", "--integration", "paused", "--confirmed-by", name)
    assert done.code == 2 and "name of a person" in done.err, done.text
    done = night.warehouse("receive", "--integration-live", name)
    assert done.code == 2 and "name of a person" in done.err, done.text


@pytest.mark.parametrize("at", ["9999-12-31T23:59:59-12:00", "0001-01-01T00:00:00+14:00", "1970-01-01T00:00:00Z"])
def test_an_instant_is_of_our_time(night: Night, at: str) -> None:
    assert night.export("--at", at).code == 2
    assert night.export("--sequence", "99999999999999999999999999").code == 2


@pytest.mark.parametrize("output", ["--orders", "--accepted", "--html"])
def test_an_output_never_takes_the_place_of_another_file(night: Night, output: str) -> None:
    made = night.exported()
    before = (night.acme / "outbox.sqlite").read_bytes()
    done = night.brand("validate", made, output, "outbox.sqlite")
    assert done.code == 7 and "name-taken" in done.err, done.text
    assert (night.acme / "outbox.sqlite").read_bytes() == before


def test_sending_says_that_a_live_integration_will_not_be_loaded(night: Night) -> None:
    done = night.brand("export", "sample-orders.json")
    done = night.brand("send", done.out.strip())
    assert done.code == 0 and "--integration-live" in done.err, done.text


def test_what_was_loaded_is_told_before_its_pages_fail(night: Night) -> None:
    night.brand("send", night.exported())
    (night.northdock / "pages").write_text("a file, no folder")
    done = night.warehouse("receive", "--html", "pages")
    assert done.code == 3 and "4 orders accepted" in done.out, done.text
