"""The picture of the house is the house: its rooms in their order, and who imports from whom."""

from __future__ import annotations

import re

import pytest

from test_house import ROOMS, ROOT, imports, modules, own

PAGE = ROOT / "docs" / "architecture.md"
ROW = re.compile(r"\| `(?P<room>[a-z_]+)` \| (?P<words>.+?) \|(?P<imports>.*)\|")
TABLE = {row["room"]: row for row in map(ROW.fullmatch, PAGE.read_text("utf-8").splitlines()) if row}


def imported_by(room: str) -> set[str]:
    """The other rooms that the modules of a room import from."""
    names = (name for module in modules().values() if module.room == room for _, name in imports(module) if own(name))
    return {name.split(".")[1] for name in names if "." in name} - {room}


def test_the_page_shows_the_rooms_in_their_order() -> None:
    assert tuple(TABLE) == ROOMS


@pytest.mark.parametrize("room", ROOMS[:-1])  # the front door imports what it names
def test_the_page_shows_what_a_room_imports(room: str) -> None:
    told = TABLE[room]["imports"].strip()
    if told.startswith("all but"):
        above = set(ROOMS[: ROOMS.index(room)])
        assert imported_by(room) == above - set(re.findall(r"`(\w+)`", told))
    else:
        shown = told.split(", ") if told else []
        assert set(shown) == imported_by(room)
        assert shown == sorted(shown, key=ROOMS.index)
