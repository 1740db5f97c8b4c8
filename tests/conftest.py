"""Fixtures that several test files share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from support import soak
from support.sshd import Sshd, running_sshd

# Counts and times of examples are the test's own matter: a slow machine must not fail it.
settings.register_profile("default", max_examples=40, deadline=None)
settings.register_profile("soak", max_examples=2000, deadline=None)
settings.load_profile("soak" if soak.ON else "default")


@pytest.fixture(scope="session")
def sshd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    """A real OpenSSH server; one for all tests of a worker."""
    with running_sshd(tmp_path_factory.mktemp("sshd")) as server:
        yield server


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """An empty folder for a drop."""
    folder = tmp_path / "root"
    folder.mkdir()
    return folder
