"""A drop in memory: the same behaviour without a disk, for tests and scripts in which one program plays both sides."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from threading import Lock
from time import perf_counter
from types import TracebackType
from typing import Self

from fallback.delivery.drop import FOLDERS, Delivered, Entry, Folder, final_name, name_taken, safe_name, sha256
from fallback.documents.base import State
from fallback.errors import FallbackError

_START = datetime(2000, 1, 1, tzinfo=UTC)


class MemoryDrop:
    """A drop that lasts as long as the object; several threads may share it.

    Its clock is its own: each change is a second later than the one before, so that a result never depends on when it
    was computed.
    """

    def __init__(self, state: State) -> None:
        self.state: State = state
        self.title = f"{state} drop in memory"
        self._files: dict[Folder, dict[str, tuple[bytes, datetime]]] = {folder: {} for folder in FOLDERS}
        self._changes = 0
        self._lock = Lock()

    def list(self, folder: Folder) -> list[Entry]:
        with self._lock:
            files = self._files[folder]
            return [Entry(name, len(files[name][0]), files[name][1]) for name in sorted(files)]

    def read(self, folder: Folder, name: str, limit: int | None = None) -> bytes:
        with self._lock:
            data, _ = self._files[folder].get(safe_name(name), (None, None))
        if data is None:
            raise FallbackError("file-unreadable", f"{self.title}: {folder}/{name} cannot be read: it is not there")
        if limit is not None and len(data) > limit:
            raise FallbackError(
                "file-unreadable",
                f"{self.title}: {folder}/{name} cannot be read: it is longer than {limit:,} bytes",
            )
        return data

    def put(self, folder: Folder, name: str, data: bytes) -> Delivered:
        started = perf_counter()
        digest = sha256(data)
        final_name(name)
        with self._lock:
            there, _ = self._files[folder].get(name, (None, None))
            if there is None:
                self._files[folder][name] = (bytes(data), self._now())
            elif there != data:
                raise name_taken(
                    self.title, f"{folder}/{name}", f"sha256 {sha256(there)[:12]}", f"sha256 {digest[:12]}"
                )
        return Delivered(folder, name, len(data), digest, "read-back", there is not None, perf_counter() - started)

    def move(self, name: str, source: Folder, target: Folder) -> bool:
        safe_name(name)
        with self._lock:
            if name not in self._files[source]:
                return False
            if name in self._files[target]:
                raise name_taken(self.title, f"{target}/{name}", "a file", "none")
            self._files[target][name] = self._files[source].pop(name)
            return True

    def remove(self, folder: Folder, name: str) -> None:
        with self._lock:
            self._files[folder].pop(safe_name(name), None)

    def close(self) -> None:
        """The files stay: the other side may still have to read them."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _now(self) -> datetime:
        self._changes += 1
        return _START + timedelta(seconds=self._changes)
