"""The front door: the public names, what they cost, and what is said of a name that is not one of them."""

from __future__ import annotations

import inspect
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

import fallback

SUBMODULES = {
    path.stem
    for path in Path(fallback.__file__).parent.iterdir()
    if path.suffix == ".py" or (path / "__init__.py").is_file()
}
HEAVY = ("pydantic", "sqlalchemy", "paramiko", "jinja2", "click", "pandas", "pyarrow", "numpy")


@pytest.mark.parametrize("name", fallback.__all__)
def test_a_public_name_is_the_same_twice_and_documented(name: str) -> None:
    first = getattr(fallback, name)
    assert getattr(fallback, name) is first
    assert not isinstance(first, ModuleType)
    assert name not in SUBMODULES
    if name != "__version__":
        assert len(inspect.getdoc(first) or "") > 30
        assert first.__module__.startswith("fallback.")
        assert first.__name__ == name


def test_the_names_are_listed() -> None:
    assert set(dir(fallback)) >= set(fallback.__all__)
    assert list(fallback.__all__) == sorted(set(fallback.__all__))
    assert fallback.__doc__


def test_all_can_be_imported_at_once() -> None:
    names: dict[str, object] = {}
    exec("from fallback import *", names)
    assert set(fallback.__all__) <= set(names)


def test_a_public_function_says_what_it_takes_and_gives() -> None:
    for name in fallback.__all__:
        thing = getattr(fallback, name)
        if inspect.isfunction(thing):
            signature = inspect.signature(thing)
            parameters = [one for one in signature.parameters.values() if one.annotation is inspect.Parameter.empty]
            assert (name, parameters) == (name, [])
            assert signature.return_annotation is not inspect.Signature.empty


def test_a_name_that_is_not_public_is_told() -> None:
    with pytest.raises(AttributeError, match=r"^fallback has no public name orders_from_cvs$"):
        _ = fallback.orders_from_cvs  # type: ignore[attr-defined]
    with pytest.raises(ImportError, match="nothing_of_this_name"):
        exec("from fallback import nothing_of_this_name", {})


def test_to_import_it_costs_next_to_nothing() -> None:
    code = f"import sys, fallback; dir(fallback); print(*sorted({set(HEAVY)!r} & sys.modules.keys()))"
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


@pytest.mark.parametrize("args", ["['--help']", "['explain', 'sku-unknown']", "['status']"])
def test_small_commands_load_no_tables_of_data(args: str, tmp_path: Path) -> None:
    code = (
        "import sys\nfrom fallback.cli import main\n"
        f"try: main({args})\nexcept SystemExit as end: assert not end.code\n"
        "print('loaded', *{'pandas', 'pyarrow', 'numpy', 'paramiko', 'sqlalchemy'} & sys.modules.keys())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path)
    assert done.stdout.splitlines()[-1] == "loaded"
