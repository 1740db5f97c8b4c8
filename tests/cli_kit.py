"""What the tests of the command line and of the documents share: commands as users type them, and a night."""

from __future__ import annotations

import contextlib
import io
import json
import os
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from fallback.cli import main


@dataclass(frozen=True)
class Done:
    """What a command ended with."""

    code: int
    out: str
    err: str

    @property
    def text(self) -> str:
        return self.out + self.err

    @property
    def document(self) -> Any:
        """Standard output as the one JSON document that it must be."""
        return json.loads(self.out)


class _Stream(io.TextIOWrapper):
    """Standard input or output in memory, with the bytes below it."""

    def __init__(self, data: bytes = b"") -> None:
        super().__init__(io.BytesIO(data), "utf-8", newline="")

    def text(self) -> str:
        self.flush()
        buffer = self.buffer
        assert isinstance(buffer, io.BytesIO)
        return buffer.getvalue().decode("utf-8", "surrogateescape")  # a file may have another encoding


def fallback(*args: str | Path, folder: Path, stdin: bytes = b"") -> Done:
    """A command in a folder. Whatever it does, it ends with an exit code, and says nothing of a traceback."""
    out, err = _Stream(), _Stream()
    with pytest.MonkeyPatch.context() as patch, pytest.raises(SystemExit) as ended:
        patch.chdir(folder)
        patch.setattr(sys, "stdin", _Stream(stdin))
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            main([str(arg) for arg in args])
    done = Done(int(ended.value.code or 0), out.text(), err.text())
    assert "Traceback" not in done.text, done.text
    return done


INIT_BRAND = ("init", "acme", "--brand", "acme", "--warehouse", "northdock", "--drop", "folder:drop")
INIT_WAREHOUSE = (
    *("init", "northdock", "--side", "warehouse", "--from", "acme/agreement.toml", "--drop", "folder:drop"),
)


@dataclass
class Night:
    """The folders of both sides and the drop between them; everything that was ever printed."""

    base: Path
    said: list[str] = field(default_factory=list)

    @property
    def acme(self) -> Path:
        return self.base / "acme"

    @property
    def northdock(self) -> Path:
        return self.base / "northdock"

    @property
    def drop(self) -> Path:
        return self.base / "drop"

    def brand(self, *args: str | Path, stdin: bytes = b"") -> Done:
        return self._run(self.acme, args, stdin)

    def warehouse(self, *args: str | Path, stdin: bytes = b"") -> Done:
        return self._run(self.northdock, args, stdin)

    def _run(self, folder: Path, args: tuple[str | Path, ...], stdin: bytes) -> Done:
        done = fallback(*args, folder=folder, stdin=stdin)
        self.said.append(done.text)
        return done

    def export(self, *more: str | Path, payload: str = "sample-orders.json") -> Done:
        """The first act of a night, its integration paused."""
        return self.brand("export", payload, "--integration", "paused", "--confirmed-by", "J. Ops", *more)

    def exported(self, *more: str | Path, payload: str = "sample-orders.json") -> Path:
        """The file that an export made; its exit code is 0 or 1."""
        done = self.export(*more, payload=payload)
        assert done.code in (0, 1), done.text
        return self.acme / done.out.strip()

    def change_payload(self, change: Any, payload: str = "sample-orders.json") -> None:
        """Change each order of the payload by a function of the order and its place."""
        file = self.acme / payload
        content = json.loads(file.read_text("utf-8"))
        for place, order in enumerate(content["orders"]):
            change(order, place)
        file.write_text(json.dumps(content), "utf-8")

    def change_terms(self, old: str, new: str) -> None:
        """Change the text of both sides' agreement."""
        for folder in (self.acme, self.northdock):
            text = (folder / "agreement.toml").read_text("utf-8")
            assert old in text
            (folder / "agreement.toml").write_text(text.replace(old, new), "utf-8")


def make_night(base: Path) -> Night:
    """Both sides as `fallback init` makes them."""
    for args in (INIT_BRAND, INIT_WAREHOUSE):
        done = fallback(*args, folder=base)
        assert done.code == 0, done.text
    return Night(base)


def environment(**more: str) -> dict[str, str]:
    """The environment of a process of its own, with the `fallback` of this Python first on the path."""
    beside = str(Path(sys.executable).parent)
    own = {name: value for name, value in os.environ.items() if name != "FALLBACK_PASSWORD"}
    return own | {"PATH": os.pathsep.join((beside, own.get("PATH", "")))} | more
