"""Makes the golden file, the bad files with what is said of them, and the README of each shipped format.

    python -m tests.support.make_formats

writes them anew from each format's ``format.toml`` and ``orders.jsonl``, the recipes of ``recipes.py``,
``recipes_kinds.py`` and ``damages.py``; read the difference before you commit it. ``tests/test_formats.py`` fails while
the files are not what this program makes. A bad file that was made by hand may lie among them: what is said of it is
written anew, the file itself is not touched. A format that is only read has a ``sample.*`` instead of a golden file.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from fallback.formats.defaults import as_carried
from fallback.formats.describe import describe
from fallback.formats.library import load_format, shipped, shipped_folder
from fallback.formats.pair import names_of
from fallback.formats.read import read
from fallback.formats.spec import Format
from fallback.formats.write import write
from fallback.records.order import Order
from fallback.render.text import report_text
from fallback.validation import validate

from .damages import codes_of, damaged
from .recipes import CSV, JSONL, PSV, Recipe
from .recipes_kinds import FIXED, JSON, QUIET, SHOPIFY, X12, XML

BRAND = "unknown"
"""What validation without an agreement calls the brand where the file does not name it."""
SENT = datetime(2026, 11, 23, 14, tzinfo=UTC)

RECIPES: dict[str, Mapping[str, Recipe]] = {
    "order-lines-csv": CSV,
    "order-header-detail-psv": PSV,
    "order-jsonl": JSONL,
    "order-fixed-width": FIXED,
    "order-json": JSON,
    "order-xml": XML,
    "order-x12-940": X12,
    "quiet-shipment-order-xml": QUIET,
    "shopify-orders-csv": SHOPIFY,
}
BY_HAND_ONLY = ("order-lines-csv", "order-header-detail-psv", "order-jsonl")
"""The formats whose bad files all come from recipes; the others have those of ``damages.py`` too."""


def extension(fmt: Format) -> str:
    return fmt.file_name.rpartition(".")[2]


def names(fmt: Format, stem: str) -> dict[str, str]:
    """The names of the files of one golden or bad file by role.

    Those of a pair have their agreed form, with the stem in place of the brand, so that either finds the other.
    """
    if len(fmt.roles) == 1:
        return {fmt.roles[0]: f"{stem}.{extension(fmt)}"}
    return names_of(fmt, fmt.file_name.format(marker="", brand=stem, sent=SENT, sequence=1, role=fmt.roles[0].upper()))


def in_folder(fmt: Format, folder: Path, stem: str) -> dict[str, bytes]:
    """The bytes of a golden or bad file by role, as they lie in a folder."""
    files = {role: folder / name for role, name in names(fmt, stem).items()}
    return {role: file.read_bytes() for role, file in files.items() if file.is_file()}


def sample(folder: Path) -> list[Order]:
    """The orders of ``orders.jsonl`` that the golden file holds, as a file of the format gives them back."""
    fmt = load_format(folder)
    orders = read(load_format("order-jsonl"), (folder / "orders.jsonl").read_bytes()).orders
    assert all(one.order is not None for one in orders), [one.findings for one in orders]
    brand = {} if "brand" in fmt.carried else {"brand": BRAND}
    found = [as_carried(one.order.model_copy(update=brand), fmt) for one in orders if one.order is not None]
    return found[: fmt.max_orders]


def golden(folder: Path) -> dict[str, bytes]:
    """The bytes of the golden file by role; of a format that is only read, those of its sample."""
    fmt = load_format(folder)
    if fmt.direction == "read":
        return in_folder(fmt, folder, "sample")
    made = write(fmt, sample(folder), codes=codes_of(fmt))
    assert not made.findings, made.findings
    return dict(made.parts)


def said_of(fmt: Format, stem: str, parts: Mapping[str, bytes]) -> str:
    """What a person is told about a bad file that has neither agreement nor manifest."""
    name = next(iter(names(fmt, stem).values()))
    return report_text(validate(parts, format=fmt, name=name), limit=1000)


def bad(folder: Path) -> dict[str, Mapping[str, bytes]]:
    """The bad files of a format, by what befell them; those that were made by hand too."""
    fmt, good = load_format(folder), golden(folder)
    [role, *_] = fmt.roles
    made: dict[str, Mapping[str, bytes]] = {
        name: {role: recipe(good[role])} for name, recipe in RECIPES.get(fmt.name, {}).items()
    }
    if fmt.name not in BY_HAND_ONLY and fmt.direction == "both":
        damages = damaged(fmt, sample(folder))
        assert made.keys().isdisjoint(damages), made.keys() & damages.keys()
        made |= damages
    stems = {file.name.partition(".")[0].partition("_")[0] for file in (folder / "bad").glob(f"*.{extension(fmt)}")}
    return made | {stem: in_folder(fmt, folder / "bad", stem) for stem in sorted(stems - set(made))}


def made(folder: Path) -> dict[Path, bytes]:
    """The files that belong into the folder of a format, and their content."""
    fmt = load_format(folder)
    files = {folder / "README.md": describe(fmt).encode()}
    stem = "sample" if fmt.direction == "read" else "golden"
    files |= {folder / names(fmt, stem)[role]: data for role, data in golden(folder).items()}
    for name, parts in bad(folder).items():
        files |= {folder / "bad" / names(fmt, name)[role]: data for role, data in parts.items()}
        files[folder / "bad" / f"{name}.expected.txt"] = said_of(fmt, name, parts).encode()
    return files


def main() -> None:
    for name in shipped():
        folder = shipped_folder() / name
        (folder / "bad").mkdir(exist_ok=True)
        files = made(folder)
        for file, data in files.items():
            file.write_bytes(data)
        for old in set(folder.glob("bad/*")) - set(files):
            old.unlink()
        print(f"{name}: {len(files)} files")


if __name__ == "__main__":
    main()
