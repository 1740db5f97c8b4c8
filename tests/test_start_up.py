"""Small commands start fast: what they do not need is not imported. Nothing is timed here; ``make bench`` does that."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
from pathlib import Path

import pytest

from fallback.cli import main

HEAVY = {"pandas", "numpy", "pyarrow", "sqlalchemy", "paramiko", "cryptography", "jinja2"}


def imported(*command: str, folder: Path) -> set[str]:
    """The top-level modules that a Python imports; the command must end well."""
    done = subprocess.run(
        [sys.executable, "-X", "importtime", *command],
        cwd=folder,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    told = [line.rpartition("|")[2].strip() for line in done.stderr.splitlines() if line.startswith("import time:")]
    assert done.returncode == 0, done.stderr[-2000:]
    assert len(told) > 20
    return {name.partition(".")[0] for name in told}


def commanded(*arguments: str, folder: Path) -> set[str]:
    names = imported("-m", "fallback", *arguments, folder=folder)
    assert {"fallback", "click"} <= names
    return names


def test_importing_the_package_imports_nothing_but_itself(tmp_path: Path) -> None:
    names = imported("-c", "import fallback; fallback.__version__", folder=tmp_path)
    assert "fallback" in names
    assert not names & (HEAVY | {"pydantic", "click"})


@pytest.mark.parametrize("arguments", [["--help"], ["validate", "--help"], ["drill", "--help"], ["--version"]])
def test_help_builds_no_model(arguments: list[str], tmp_path: Path) -> None:
    assert not commanded(*arguments, folder=tmp_path) & (HEAVY | {"pydantic", "pydantic_core"})


def test_explaining_a_code_builds_no_model(tmp_path: Path) -> None:
    assert not commanded("explain", "sku-unknown", folder=tmp_path) & (HEAVY | {"pydantic"})


def test_validating_by_a_format_imports_nothing_heavy(tmp_path: Path) -> None:
    commanded("formats", "sample", "order-lines-csv", "--orders", "20", "--out", str(tmp_path), folder=tmp_path)
    (file,) = tmp_path.glob("*.csv")
    names = commanded("validate", file.name, "--format", "order-lines-csv", folder=tmp_path)
    assert "pydantic" in names
    assert not names & HEAVY


def test_validating_under_an_agreement_imports_nothing_heavy(tmp_path: Path) -> None:
    said = ("--brand", "acme", "--warehouse", "northdock", "--drop", "folder:drop")
    commanded("init", "acme", *said, folder=tmp_path)
    brand = tmp_path / "acme"
    commanded("export", "sample-orders.json", "--integration", "down", "--confirmed-by", "J. Ops", folder=brand)
    (file,) = brand.glob("outgoing/*.csv")
    assert file.with_name(f"{file.name}.manifest.json").is_file()
    assert not commanded("validate", str(file.relative_to(brand)), folder=brand) & HEAVY


def test_what_speeds_up_a_process_of_our_own_leaves_the_process_of_others_alone(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("PYDANTIC_DISABLE_PLUGINS", raising=False)
    before = gc.get_threshold()
    with pytest.raises(SystemExit) as ended:
        main(["explain", "sku-unknown"])
    assert ended.value.code == 0
    assert "sku-unknown" in capsys.readouterr().out
    assert gc.get_threshold() == before
    assert "PYDANTIC_DISABLE_PLUGINS" not in os.environ
