"""The documents are true: what they show is typed and run, what is generated is current, what they name exists.

``console`` blocks of one page run in one empty folder, in their order. A line that begins with ``$ `` is a command; it
must end with exit code 0, or with the one that a comment at its end names (``# exit 4``). The lines below a command
must be among those that it prints, in that order; ``…`` stands for anything, on a line of its own for any lines.
``python`` blocks of one page run one after the other in a folder that has both sides of ``fallback init`` and the
sample payload as ``orders.json``; the ``text`` block that follows one says what it prints, by the same rules.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import typing
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import ModuleType
from urllib.parse import unquote

import pytest

from cli_kit import Night, environment, make_night
from fallback import cli
from fallback.agreement import Agreement
from fallback.documents import diagnosis, journal, manifest, receipt, reconciliation
from fallback.documents.receipt import Receipt
from fallback.findings import CATALOGUE
from fallback.formats.library import shipped

ROOT = Path(__file__).resolve().parent.parent
REFERENCE = ROOT / "docs" / "reference"
WRITTEN = sorted(
    path
    for path in [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("examples/**/*.md")]
    if REFERENCE not in path.parents
)
EVERY = sorted([*WRITTEN, *REFERENCE.rglob("*.md"), *ROOT.glob("formats/*/README.md")])


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@dataclass(frozen=True)
class Block:
    """A fenced block: its language, its text, and the line of the page that it begins at."""

    language: str
    text: str
    line: int


def blocks(page: Path) -> Iterator[Block]:
    lines = page.read_text("utf-8").splitlines()
    start: int | None = None
    for number, line in enumerate(lines):
        if not line.startswith("```"):
            continue
        if start is None:
            start = number
        else:
            yield Block(lines[start].removeprefix("```"), "\n".join(lines[start + 1 : number]), start + 2)
            start = None
    assert start is None, f"{name_of(page)}: a block is not closed"


def pages_with(language: str) -> list[str]:
    return [name_of(page) for page in WRITTEN if any(block.language == language for block in blocks(page))]


# --- what is typed


@dataclass(frozen=True)
class Typed:
    """A command of a page, the exit code it must end with, and the lines it must print."""

    command: str
    code: int
    shown: tuple[str, ...]
    line: int


def typed(block: Block) -> Iterator[Typed]:
    found: list[list[str]] = []
    places = []
    for number, line in enumerate(block.text.splitlines(), block.line):
        if line.startswith("$ "):
            found.append([line.removeprefix("$ ")])
            places.append(number)
        else:
            found[-1].append(line)
    for (command, *shown), place in zip(found, places, strict=True):
        ends = re.search(r"\s# exit ([0-9]+)$", command)
        yield Typed(command, int(ends[1]) if ends else 0, tuple(shown), place)


def is_shown(shown: tuple[str, ...], printed: str) -> str | None:
    """The first line that is shown and was not printed, in order; None where all were."""
    lines = iter([line.rstrip() for line in printed.splitlines()])
    for line in shown:
        if line.strip() in ("", "…"):
            continue
        pattern = re.compile(".*?".join(re.escape(part) for part in line.rstrip().split("…")))
        if not any(pattern.fullmatch(one) for one in lines):
            return line
    return None


@pytest.mark.parametrize(
    ("shown", "printed", "lacking"),
    [
        (("a", "b"), "a\nb\n", None),
        (("a", "…", "c"), "a\nb\nc\n", None),
        (("b", "a"), "a\nb\n", "a"),
        (("at … done",), "at 12:00 done", None),
        (("at … done",), "at 12:00 done!", "at … done"),
        (("a.c",), "abc", "a.c"),
    ],
)
def test_what_is_shown_is_told_from_what_is_not(shown: tuple[str, ...], printed: str, lacking: str | None) -> None:
    assert is_shown(shown, printed) == lacking


@pytest.mark.skipif(shutil.which("bash") is None, reason="the commands of the pages are typed into bash")
@pytest.mark.parametrize("page", pages_with("console"))
def test_the_commands_of_a_page_do_what_it_says(page: str, tmp_path: Path) -> None:
    folder, told = tmp_path / "here", tmp_path / "told"
    folder.mkdir()
    where = folder
    for block in blocks(ROOT / page):
        for step in typed(block) if block.language == "console" else ():
            if re.fullmatch(r"make \w+", step.command):
                assert f"\n{step.command.removeprefix('make ')}:" in (ROOT / "Makefile").read_text("utf-8")
                continue
            done = subprocess.run(
                ["bash", "-c", f'{step.command}\ncode=$?\npwd > "{told}"\nexit $code'],
                cwd=where,
                env=environment(LC_ALL="C.UTF-8"),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                check=False,
            )
            place = f"{page}:{step.line}: {step.command}"
            assert done.returncode == step.code, f"{place}\n{done.stdout}"
            assert "Traceback" not in done.stdout
            assert (lacking := is_shown(step.shown, done.stdout)) is None, f"{place}\nno {lacking!r} in\n{done.stdout}"
            where = Path(told.read_text().strip())


def scripts(page: str) -> Iterator[tuple[Block, tuple[str, ...]]]:
    found = list(blocks(ROOT / page))
    for block, following in zip(found, [*found[1:], None], strict=True):
        if block.language == "python":
            shown = following.text.splitlines() if following and following.language == "text" else []
            yield block, tuple(shown)


def run_scripts(page: str, night: Night) -> str:
    """Run the Python of a page; everything that it printed."""
    shutil.copy(night.acme / "sample-orders.json", night.base / "orders.json")
    said = []
    for block, shown in scripts(page):
        done = subprocess.run(
            [sys.executable, "-c", block.text],
            cwd=night.base,
            env=environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{page}:{block.line}\n{done.stdout}"
        assert (lacking := is_shown(shown, done.stdout)) is None, f"{page}:{block.line}: no {lacking!r}\n{done.stdout}"
        said.append(done.stdout)
    return "".join(said)


@pytest.mark.parametrize("page", [page for page in pages_with("python") if page != "README.md"])
def test_the_scripts_of_a_page_run(page: str, tmp_path: Path) -> None:
    run_scripts(page, make_night(tmp_path))


def test_the_scripts_of_the_front_page_bring_every_order_to_the_warehouse(tmp_path: Path) -> None:
    night = make_night(tmp_path)
    said = run_scripts("README.md", night)
    [processed] = (night.drop / "out").glob("*.processed.receipt.json")
    answer = Receipt.from_json(processed.read_bytes())
    assert (answer.disposition, answer.counts.by_state) == ("accepted", {"accepted": 4})
    assert "4 orders sent, left out: {'cancelled': 1}" in said
    assert f"{answer.file.name} accepted {{'accepted': 4}}" in said
    assert list((night.drop / "in").iterdir()) == []
    [batch] = (night.northdock / "wms" / "import").iterdir()
    loaded = [json.loads(line) for line in batch.read_text("utf-8").splitlines()]
    assert len(loaded) == 4


def test_the_first_screen_has_the_two_commands() -> None:
    screen = "\n".join((ROOT / "README.md").read_text("utf-8").splitlines()[:25])
    assert "$ make drill\n$ make test" in screen


# --- what is generated


@cache
def generator() -> ModuleType:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(ROOT / "docs"))
        import generate

        return typing.cast(ModuleType, generate)


def test_the_generated_pages_are_current() -> None:
    made = generator().pages()
    there = {path.relative_to(REFERENCE).as_posix(): path.read_text("utf-8") for path in REFERENCE.rglob("*.md")}
    stale = sorted(name for name in made.keys() | there.keys() if made.get(name) != there.get(name))
    assert stale == [], "run `make docs`"
    assert all(text.startswith("<!-- Generated by docs/generate.py") for text in made.values())


def test_every_command_and_code_and_format_has_its_page() -> None:
    commands = (REFERENCE / "cli.md").read_text("utf-8")
    for name in cli.COMMANDS:
        assert f"\n## fallback {name}\n" in commands
    codes = (REFERENCE / "codes.md").read_text("utf-8")
    for code in CATALOGUE:
        assert f"](codes/{code}.md)" in codes
    for name in shipped():
        assert (REFERENCE / "formats" / f"{name}.md").is_file()


# --- what is named


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    text = re.sub(r"^```.*?^```", "", page.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)
    heads = re.findall(r"^#+ +(.*)$", text, flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}


@pytest.mark.parametrize("page", [name_of(page) for page in EVERY])
def test_every_link_leads_somewhere(page: str) -> None:
    file = ROOT / page
    text = re.sub(r"^```.*?^```", "", file.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = unquote(target).partition("#")
        found = (file.parent / path).resolve() if path else file
        assert found.exists(), target
        assert found.is_relative_to(ROOT), target
        if anchor:
            assert anchor in anchors(found), target


def literals(annotation: object) -> Iterator[str]:
    """The values of every Literal within an annotation."""
    for argument in typing.get_args(annotation):
        if isinstance(argument, str):
            yield argument
        else:
            yield from literals(argument)


@cache
def vocabulary() -> frozenset[str]:
    """Every word in kebab-case that the program knows: codes, formats, and the values that documents and terms take."""
    words = {*CATALOGUE, *shipped(), *(entry.about for entry in CATALOGUE.values())}
    models = [vars(module) for module in (diagnosis, journal, manifest, receipt, reconciliation)]
    for thing in [thing for module in models for thing in module.values()]:
        words.update(literals(thing))
        for field in getattr(thing, "model_fields", {}).values():
            words.update(literals(field.annotation))
    for definition in Agreement.model_json_schema()["$defs"].values():
        for field in definition.get("properties", {}).values():
            words.update(field.get("enum", ()))
    return frozenset(words)


OTHER_WORDS = frozenset(
    {"pre-commit", "python-stdnum", "pytest-benchmark", "pytest-xdist", "ssh-keygen", "fixed-width"}
)


@pytest.mark.parametrize("page", [name_of(page) for page in WRITTEN])
def test_every_word_of_the_program_that_a_page_uses_exists(page: str) -> None:
    text = (ROOT / page).read_text("utf-8")
    used = set(re.findall(r"`([a-z0-9]+(?:-[a-z0-9]+)+)`", text))
    assert sorted(used - vocabulary() - OTHER_WORDS) == []
    explained = set(re.findall(r"fallback explain ([a-z-]+)", text))
    assert sorted(explained - CATALOGUE.keys() - diagnosis.DIAGNOSES.keys()) == []
    commands = set(re.findall(r"`fallback ([a-z]+)[ `]", text))
    assert sorted(commands - cli.COMMANDS.keys()) == []


def test_every_command_that_a_message_names_exists() -> None:
    texts = [path.read_text("utf-8") for path in (ROOT / "src").rglob("*") if path.suffix in (".py", ".j2")]
    named = {command for text in texts for command in re.findall(r"`fallback ([a-z]+)[ `]", text)}
    assert sorted(named - cli.COMMANDS.keys()) == []
