"""A drop that tells what was put there, at the instant at which it was there: how a drill gets its times."""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType
from typing import Self

from fallback.delivery.drop import Delivered, Drop, Entry, Folder

Saw = Callable[[Delivered, bytes], None]


class WatchedDrop:
    """Another drop, verb by verb. ``saw`` is called after each file that was put, with the proof and the bytes."""

    def __init__(self, drop: Drop, saw: Saw) -> None:
        self.state = drop.state
        self.title = drop.title
        self._drop = drop
        self._saw = saw

    def list(self, folder: Folder) -> list[Entry]:
        return self._drop.list(folder)

    def read(self, folder: Folder, name: str, limit: int | None = None) -> bytes:
        return self._drop.read(folder, name, limit)

    def put(self, folder: Folder, name: str, data: bytes) -> Delivered:
        delivered = self._drop.put(folder, name, data)
        self._saw(delivered, data)
        return delivered

    def move(self, name: str, source: Folder, target: Folder) -> bool:
        return self._drop.move(name, source, target)

    def remove(self, folder: Folder, name: str) -> None:
        self._drop.remove(folder, name)

    def close(self) -> None:
        self._drop.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
