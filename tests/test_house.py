"""The house rules that a machine can hold. Every test names all offenders at once, as ``file:line: what``."""

from __future__ import annotations

import ast
import graphlib
import re
import subprocess
import tomllib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from types import ModuleType

import pytest

import fallback
from fallback.findings import CATALOGUE

ROOT = Path(__file__).resolve().parent.parent
SRC = ROOT / "src" / "fallback"
TESTS = ROOT / "tests"


def words(text: str) -> frozenset[str]:
    return frozenset(text.split())


ROOMS = (
    "errors",
    "findings",
    "records",
    "documents",
    "toml",
    "files",
    "database",
    "render",
    "formats",
    "platforms",
    "mapping",
    "agreement",
    "clock",
    "validation",
    "delivery",
    "brand",
    "warehouse",
    "reconciliation",
    "drills",
    "cli",
    "__main__",
    "__init__",
)
"""A room imports only from rooms before it in this list, and within itself."""

PURE_ROOMS = ("records", "documents", "render", "formats", "platforms", "clock", "reconciliation")
FINDS_FILES = ("fallback.formats.library", "fallback.platforms.population")
"""The two modules of pure rooms that may look at files: formats are found, payloads are read."""

WORLD_MODULES = words("""
    glob http logging multiprocessing os paramiko random secrets select shutil signal socket sqlalchemy sqlite3
    subprocess tempfile threading time urllib
""")
"""What a pure module may not import. ``pathlib`` may be: a path is a value until it is opened."""

WORLD_CALLS = words("open input print exec eval")
PATH_ACTS = words("""
    chmod cwd exists expanduser glob home is_dir is_file is_symlink iterdir lstat mkdir open read_bytes read_text
    rglob rmdir stat symlink_to touch unlink write_bytes write_text
""")

WALL_CLOCKS = words("""
    datetime.datetime.now datetime.datetime.utcnow datetime.datetime.today datetime.date.today time.time time.time_ns
    time.localtime time.gmtime time.ctime sqlalchemy.func.now sqlalchemy.func.current_timestamp
""")
"""What tells the hour. ``time.monotonic`` and ``time.perf_counter`` measure durations, and may be used."""

TALK = words("print input breakpoint exit quit SystemExit sys.exit sys.stdout sys.stderr os._exit")


@dataclass(frozen=True)
class Module:
    """One module of the source, parsed."""

    name: str
    path: Path
    tree: ast.Module
    imported: dict[str, str] = field(default_factory=dict)

    @property
    def room(self) -> str:
        return self.name.split(".")[1] if "." in self.name else "__init__"

    def at(self, node: ast.AST, what: str) -> str:
        return f"{self.path.relative_to(ROOT)}:{getattr(node, 'lineno', 0)}: {what}"

    def dotted(self, node: ast.AST) -> str:
        """The full name of what an expression names: ``datetime.now`` may be ``datetime.datetime.now``."""
        if isinstance(node, ast.Name):
            return self.imported.get(node.id, node.id)
        if isinstance(node, ast.Attribute):
            base = self.dotted(node.value)
            return f"{base}.{node.attr}" if base else ""
        return ""


@cache
def modules() -> dict[str, Module]:
    found = {}
    for path in sorted(SRC.rglob("*.py")):
        parts = path.relative_to(SRC.parent).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        tree = ast.parse(path.read_text("utf-8"), str(path))
        found[name] = Module(name, path, tree, dict(_names(tree)))
    return found


def _names(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """What the imports of a module bind, wherever they stand."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.asname or alias.name.split(".")[0], alias.name if alias.asname else alias.name.split(".")[0]
        elif isinstance(node, ast.ImportFrom) and not node.level:
            for alias in node.names:
                yield alias.asname or alias.name, f"{node.module}.{alias.name}"


def imports(module: Module) -> Iterator[tuple[ast.AST, str]]:
    """The modules that a module imports: in functions, for types only, and by a literal name too."""
    package = module.name if module.path.name == "__init__.py" else module.name.rpartition(".")[0]
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node, alias.name
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            base = ".".join([*above, *([node.module] if node.module else [])])
            for alias in node.names:
                yield node, f"{base}.{alias.name}" if f"{base}.{alias.name}" in modules() else base
        elif isinstance(node, ast.Call) and module.dotted(node.func) == "importlib.import_module":
            yield from ((node, name) for name in literals(node.args[0]))


def own(name: str) -> bool:
    return f"{name}.".startswith("fallback.")


def literals(node: ast.expr) -> Iterator[str]:
    """The text that an expression is, or the two that it may be."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    elif isinstance(node, ast.IfExp):
        yield from literals(node.body)
        yield from literals(node.orelse)


def hold(rule: Callable[[Module], Iterator[str]], among: Iterable[Module] | None = None) -> None:
    """Every module keeps the rule; else the test fails with all that do not."""
    none(offence for module in among or modules().values() for offence in rule(module))


def none(offences: Iterable[str]) -> None:
    if found := list(offences):
        pytest.fail(f"{len(found)} of them\n  " + "\n  ".join(found), pytrace=False)


def behind_the_command_line() -> list[Module]:
    return [module for module in modules().values() if module.room not in ("cli", "__main__")]


# --- rooms


def test_every_room_has_its_place() -> None:
    none(sorted({module.room for module in modules().values()} - set(ROOMS)))


def test_a_room_imports_only_from_rooms_above_it() -> None:
    def rule(module: Module) -> Iterator[str]:
        here = ROOMS.index(module.room) if module.room in ROOMS else len(ROOMS)
        for node, name in imports(module):
            room = name.split(".")[1] if "." in name else "__init__"
            if own(name) and name != module.name and (room not in ROOMS or ROOMS.index(room) > here):
                yield module.at(node, f"{module.room} imports {name}")

    hold(rule)


def test_no_two_modules_import_each_other_in_a_circle() -> None:
    graph = {
        module.name: {name for _, name in imports(module) if own(name) and name != module.name}
        for module in modules().values()
    }
    circle: list[str] = []
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as error:
        circle = error.args[1]
    none([" -> ".join(circle)] if circle else [])


# --- purity


def pure(module: Module) -> bool:
    return module.room in PURE_ROOMS and module.name not in FINDS_FILES


def test_pure_rooms_do_not_reach_into_the_world() -> None:
    """No module that reaches files, network, processes, chance or time; no call that opens or looks at a file."""

    def rule(module: Module) -> Iterator[str]:
        if not pure(module):
            return
        for node, name in imports(module):
            if name.split(".")[0] in WORLD_MODULES:
                yield module.at(node, f"imports {name}")
        for node in ast.walk(module.tree):
            if isinstance(node, ast.Call):
                if isinstance(node.func, ast.Name) and node.func.id in WORLD_CALLS:
                    yield module.at(node, f"calls {node.func.id}()")
                elif isinstance(node.func, ast.Attribute) and node.func.attr in PATH_ACTS:
                    yield module.at(node, f"calls .{node.func.attr}()")

    hold(rule)


def test_only_the_command_line_reads_the_wall_clock() -> None:
    def rule(module: Module) -> Iterator[str]:
        for node in ast.walk(module.tree):
            if isinstance(node, ast.Name | ast.Attribute) and module.dotted(node) in WALL_CLOCKS:
                yield module.at(node, module.dotted(node))

    hold(rule, behind_the_command_line())


def test_only_the_command_line_prints_and_exits() -> None:
    def rule(module: Module) -> Iterator[str]:
        for node in ast.walk(module.tree):
            if isinstance(node, ast.Name | ast.Attribute) and module.dotted(node) in TALK:
                yield module.at(node, module.dotted(node))

    hold(rule, behind_the_command_line())


# --- codes

KEBAB = re.compile(r"[a-z]+(-[a-z]+)*")


@cache
def code_takers() -> dict[str, int]:
    """Every function and class of the source that has an argument or a field ``code``, and its position."""
    found = {"pydantic_core.PydanticCustomError": 0}
    bases: dict[str, list[str]] = {}
    for module in modules().values():
        for node in module.tree.body:
            name = f"{module.name}.{getattr(node, 'name', '')}"
            if isinstance(node, ast.FunctionDef) and (position := _position(node.args.args)) >= 0:
                found[name] = position
            elif isinstance(node, ast.ClassDef):
                bases[name] = [full_name(module, base) for base in node.bases]
                found.update({f"{name}.{key}": position for key, position in _of_class(node)})
    found = {name.removesuffix(".__init__"): position for name, position in found.items()}
    for _ in range(3):  # a class without a constructor of its own has that of its base
        for name, above in bases.items():
            for base in above:
                if base in found:
                    found.setdefault(name, found[base])
    return found


def _position(arguments: list[ast.arg]) -> int:
    names = [argument.arg for argument in arguments if argument.arg not in ("self", "cls")]
    return names.index("code") if "code" in names else -1


def _of_class(node: ast.ClassDef) -> Iterator[tuple[str, int]]:
    fields = [
        item.target.id for item in node.body if isinstance(item, ast.AnnAssign) and isinstance(item.target, ast.Name)
    ]
    if "code" in fields:
        yield "__init__", fields.index("code")
    for item in node.body:
        if isinstance(item, ast.FunctionDef) and (position := _position(item.args.args)) >= 0:
            yield item.name, position


def full_name(module: Module, node: ast.expr) -> str:
    """What a call or a base class names, with the module it is defined in."""
    name = module.dotted(node)
    if name.startswith(("self.", "cls.")):
        method = name.partition(".")[2]
        owners = (item.name for item in module.tree.body if isinstance(item, ast.ClassDef))
        return next((n for owner in owners if (n := f"{module.name}.{owner}.{method}") in code_takers()), name)
    return name if "." in name else f"{module.name}.{name}"


def codes_used(module: Module) -> Iterator[tuple[ast.AST, str]]:
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Call) and (position := code_takers().get(full_name(module, node.func))) is not None:
            given = [*node.args[position : position + 1], *(k.value for k in node.keywords if k.arg == "code")]
            yield from ((node, code) for value in given for code in literals(value))


def test_every_code_used_is_in_the_catalogue() -> None:
    def rule(module: Module) -> Iterator[str]:
        for node, code in codes_used(module):
            if code not in CATALOGUE and KEBAB.fullmatch(code):
                yield module.at(node, code)

    assert {"fallback.findings.Finding", "fallback.errors.Refused", "fallback.records.values.refuse"} <= set(
        code_takers()
    )
    assert sum(1 for module in modules().values() for _ in codes_used(module)) > 100
    hold(rule)


def test_every_code_of_the_catalogue_is_used() -> None:
    quoted = {
        node.value
        for module in modules().values()
        if module.name != "fallback.findings"
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    none(code for code in CATALOGUE if code not in quoted)


def test_every_code_of_the_catalogue_is_raised_by_a_test() -> None:
    """A test names the code, or a bad file of a shipped format does. This test and that of the words do not count."""
    own_tests = {"test_house.py", "test_render.py"}
    text = "\n".join(path.read_text("utf-8") for path in TESTS.rglob("*.py") if path.name not in own_tests)
    bad = {path.name.split(".")[0] for path in ROOT.glob("formats/*/bad/*")}

    def named(code: str) -> bool:
        # A single word such as "closed" must stand in quotes: prose uses it too.
        pattern = rf"(?<![\w-]){code}(?![\w-])" if "-" in code else rf"""(["']){code}\1"""
        return code in bad or re.search(pattern, text) is not None

    none(code for code in CATALOGUE if not named(code))


def test_codes_and_their_words_keep_the_form() -> None:
    none(code for code in CATALOGUE if not KEBAB.fullmatch(code))
    texts = [(code, text) for code, entry in CATALOGUE.items() for text in (entry.meaning, entry.remedy)]
    none(f"{code}: {text}" for code, text in texts if not text.endswith((".", "!", "?")))


# --- the house as a whole


def test_no_file_of_the_source_is_longer_than_500_lines() -> None:
    lengths = {path: path.read_text("utf-8").count("\n") for path in SRC.rglob("*.*") if path.suffix in (".py", ".j2")}
    none(f"{path.relative_to(ROOT)}: {length}" for path, length in lengths.items() if length > 500)


def test_public_names_come_out_the_same_twice() -> None:
    """A submodule of the same name would replace a function on the second look."""
    public = fallback.__all__
    submodules = {path.stem for path in SRC.iterdir() if path.suffix == ".py" or (path / "__init__.py").is_file()}
    first = {name: getattr(fallback, name) for name in public}
    second = {name: getattr(fallback, name) for name in public}
    assert [name for name in public if first[name] is not second[name]] == []
    assert [name for name in public if isinstance(second[name], ModuleType) or name in submodules] == []
    assert sorted(set(public) - set(dir(fallback))) == []
    assert len(set(public)) == len(public)


def test_the_version_stands_once() -> None:
    version = fallback.__version__
    with (ROOT / "pyproject.toml").open("rb") as file:
        assert tomllib.load(file)["project"]["version"] == version


def _word(*parts: str) -> str:
    # Assembled, so that this file does not hold the words it looks for.
    return "".join(parts)


# The first is a word of SSH too: as a name in code, and of its key holder, it may stand.
FOREIGN = re.compile(
    "|".join(
        (
            rf"(?i:(?<!ssh[- ])(?<!user[- ])\b(?:sub-?)?{_word('ag', 'ents')}?\b(?! =|\.\w|\())",
            rf"\b{_word('C', 'EO')}\b",
            rf"\b{_word('L', 'LM')}s?\b",
            rf"(?<![\w.])/{_word('wo', 'rk')}/(?:main|shared|\.library)",
            rf"(?<![\w.])/{_word('tm', 'p')}/w\b",
        )
    )
)


def text_files() -> Iterator[tuple[Path, str]]:
    """The files that belong to the repository, those not yet added included."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=False,
    )
    if listed.returncode:
        pytest.skip("not a git checkout: the files of the repository cannot be told from others")
    for name in sorted(set(listed.stdout.decode().split("\0")) - {""}):
        path = ROOT / name
        if path.is_file():
            try:
                yield path, path.read_text("utf-8")
            except UnicodeDecodeError:
                continue


def test_the_text_speaks_of_the_project_only() -> None:
    offences = [
        f"{path.relative_to(ROOT)}:{number}: {found[0]}"
        for path, text in text_files()
        for number, line in enumerate(text.splitlines(), 1)
        if (found := FOREIGN.search(line))
    ]
    none(offences)


@pytest.mark.parametrize(
    ("text", "foreign"),
    [
        (_word("an ag", "ent wrote it"), True),
        (_word("Sub", "ag", "ents"), True),
        (_word("the C", "EO"), True),
        (_word("see /wo", "rk/main/x"), True),
        (_word("in /tm", "p/w/venv"), True),
        (_word("allow_ag", "ent=False"), False),
        (_word("the ssh-ag", "ent"), False),
        (_word("drop/wo", "rk/name"), False),
        (_word("the reag", "ent"), False),
        (_word("ag", "ent = paramiko.Ag", "ent()"), False),
    ],
)
def test_foreign_words_are_told_from_innocent_ones(text: str, foreign: bool) -> None:
    assert (FOREIGN.search(text) is not None) == foreign
