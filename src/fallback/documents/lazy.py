"""A sequence whose length is known before its members are made: a report of a large file has hundreds of thousands."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, TypeVar, overload

T = TypeVar("T")


class Lazy(Sequence[T]):
    """Like a tuple, and equal to one with the same members. Its members are made when somebody asks for them.

    Going over it makes them one after the other and keeps none; so does its beginning (``[:50]``). Whoever asks for a
    single one, or compares, has all of them made and kept.
    """

    __slots__ = ("_kept", "_length", "_make")
    __hash__ = None  # type: ignore[assignment]  # as a list: hashing would make all

    def __init__(self, length: int, make: Callable[[], Iterable[T]]) -> None:
        self._length = length
        self._make = make
        self._kept: tuple[T, ...] | None = None

    def __len__(self) -> int:
        return self._length

    def __iter__(self) -> Iterator[T]:
        return iter(self._make() if self._kept is None else self._kept)

    @overload
    def __getitem__(self, index: int) -> T: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[T, ...]: ...
    def __getitem__(self, index: int | slice) -> T | tuple[T, ...]:
        if self._kept is None and isinstance(index, slice):
            start, stop, step = index.indices(self._length)
            if step > 0:
                return tuple(islice(iter(self), start, stop, step))
        return self._all()[index]

    def __eq__(self, other: Any) -> bool:
        if not isinstance(other, Lazy | tuple | list):
            return NotImplemented
        return len(self) == len(other) and self._all() == tuple(other)

    def __reduce__(self) -> tuple[type[tuple[T, ...]], tuple[tuple[T, ...]]]:
        """To another process it goes as a tuple: only here can its members be made."""
        return tuple, (self._all(),)

    def __repr__(self) -> str:
        return f"<{self._length:,} members, made when asked for>"

    def _all(self) -> tuple[T, ...]:
        if self._kept is None:
            self._kept = tuple(self._make())
        return self._kept
