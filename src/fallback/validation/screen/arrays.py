"""Arrow arrays and numpy arrays over the same memory.

``pa.array`` of a list, comparison with a Python text and ``to_numpy`` import pandas where it is installed, which takes
longer than a small file: arrays are made of buffers here, and no function of this module does.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


def texts(values: Iterable[str]) -> Any:
    """An Arrow array of texts."""
    parts = [value.encode() for value in values]
    offsets = np.zeros(len(parts) + 1, np.int32)
    np.cumsum([len(part) for part in parts], out=offsets[1:])
    return pa.Array.from_buffers(pa.string(), len(parts), [None, pa.py_buffer(offsets), pa.py_buffer(b"".join(parts))])


def ints(values: Any) -> Any:
    """An Arrow array of positions."""
    whole = np.ascontiguousarray(values, np.int64)
    return pa.Array.from_buffers(pa.int64(), len(whole), [None, pa.py_buffer(whole)])


def bools(values: Any) -> Bools:
    """The values of an Arrow array of truth values without nulls."""
    bits = np.frombuffer(values.buffers()[1], np.uint8)
    return np.unpackbits(bits, count=values.offset + len(values), bitorder="little")[values.offset :].view(np.bool_)


def mask(values: Bools) -> Any:
    """An Arrow array of truth values."""
    packed = np.packbits(values, bitorder="little")
    return pa.Array.from_buffers(pa.bool_(), len(values), [None, pa.py_buffer(packed)])


def whole(column: Any) -> Any:
    """A chunked column as one array."""
    return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()


def offsets(column: Any) -> tuple[NDArray[np.int32], NDArray[np.uint8]]:
    """Where each text of a column begins and ends, and the bytes of all."""
    _, begins, data = column.buffers()
    at = np.frombuffer(begins, np.int32, len(column) + 1, column.offset * 4)
    return at, np.frombuffer(data, np.uint8) if data is not None else np.zeros(0, np.uint8)


def lengths(column: Any) -> NDArray[np.int32]:
    """How many bytes each text has."""
    at, _ = offsets(column)
    return at[1:] - at[:-1]


def neighbours(columns: Sequence[Any]) -> list[Any]:
    """Of each column whether each row but the first says the same as the row above it, as Arrow arrays."""
    rows = len(columns[0])
    return [pc.equal(column.slice(1), column.slice(0, rows - 1)) for column in columns]


def both(truths: Sequence[Any]) -> Bools:
    """Where all of these Arrow arrays of truth values say yes."""
    together = truths[0]
    for one in truths[1:]:
        together = pc.and_(together, one)
    return bools(together)


def take(column: Any, rows: Any) -> Any:
    """The texts of a column in these rows."""
    return column.take(ints(rows))


def is_utf_8(data: memoryview) -> bool:
    """Whether the bytes are text in UTF-8: Arrow looks at them as at one long value."""
    ends = np.array([0, len(data)], np.int32)
    value = pa.Array.from_buffers(pa.string(), 1, [None, pa.py_buffer(ends), pa.py_buffer(data)])
    try:
        value.validate(full=True)
    except pa.ArrowInvalid:
        return False
    return True


def numbers(encoded: Any) -> Any:
    """Of an encoded column the position of each text among the distinct ones."""
    indices = encoded.indices
    return np.frombuffer(indices.buffers()[1], np.int32, len(indices), indices.offset * 4)
