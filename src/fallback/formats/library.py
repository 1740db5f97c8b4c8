"""Finding formats: the shipped ones by name, a partner's own by the path of its TOML file."""

from __future__ import annotations

from pathlib import Path

from fallback.errors import FallbackError
from fallback.formats.soundness import mistakes
from fallback.formats.spec import Format
from fallback.toml import read_toml


def shipped_folder() -> Path:
    """Where the shipped formats are: inside the installed package, or at the top of the repository."""
    inside = Path(__file__).parent.parent / "_formats"
    return inside if inside.is_dir() else Path(__file__).parents[3] / "formats"


def shipped() -> list[str]:
    """The names of the shipped formats."""
    return sorted(path.parent.name for path in shipped_folder().glob("*/format.toml"))


def load_format(name: str | Path, folder: Path | None = None) -> Format:
    """A format by the name of a shipped one, or by the path of a TOML file or its folder (relative to ``folder``).

    Raises FallbackError ``format-unknown``, or ``format-invalid`` with every mistake.
    """
    return _load(format_file(name, folder))


def format_file(name: str | Path, folder: Path | None = None) -> Path:
    """Where a format stands, by its name or path as for ``load_format``. Raises FallbackError ``format-unknown``."""
    path = (folder or Path()) / name
    if str(name).endswith(".toml") or path.is_dir():
        file = path / "format.toml" if path.is_dir() else path
        if not file.is_file():
            raise FallbackError("format-unknown", f"there is no format file at {file}")
        return file
    if str(name) in shipped():
        return shipped_folder() / name / "format.toml"
    raise FallbackError(
        "format-unknown",
        f"there is no format {str(name)[:80]}",
        hint=f"shipped are {', '.join(shipped())}; another is named by the path of its format.toml",
    )


def _load(file: Path) -> Format:
    fmt = read_toml(file, Format, "format-invalid")
    if problems := mistakes(fmt):
        raise FallbackError(
            "format-invalid", f"{file} is wrong at {len(problems)} place(s):\n" + "\n".join(f"  {p}" for p in problems)
        )
    return fmt
