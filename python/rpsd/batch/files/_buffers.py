# SPDX-License-Identifier: MIT
"""Columns between Arrow and NumPy by way of their buffers.

What pyarrow has for it, as `pyarrow.array` and `Array.to_numpy`, loads pandas where it is installed, which
takes longer than to read, denoise and write a million rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt


def as_arrow(values: npt.NDArray[Any], missing: npt.NDArray[np.bool_] | None = None) -> Any:
    """Return numbers or truth values as a pyarrow array that shares their memory, nulls where missing."""
    import pyarrow as pa

    if values.dtype == np.bool_:
        kind, data = pa.bool_(), np.packbits(values, bitorder="little")
    else:
        kind, data = pa.from_numpy_dtype(values.dtype), np.ascontiguousarray(values)
    valid = None if missing is None else pa.py_buffer(np.packbits(~missing, bitorder="little"))
    return pa.Array.from_buffers(kind, len(values), [valid, pa.py_buffer(data)])


def as_numpy(array: Any) -> npt.NDArray[Any]:
    """Return a pyarrow array of numbers, times or truth values; a null is NaN, which only float64 may have.

    A view that must not be written to, where it can be.
    """
    from pyarrow import types

    kind, count, start = array.type, len(array), array.offset
    if types.is_boolean(kind):
        return _bits(array.buffers()[1], start, count)
    name = f"datetime64[{kind.unit}]" if types.is_timestamp(kind) else kind.to_pandas_dtype()
    dtype = np.dtype(name)
    data = array.buffers()[1]
    if not count or data is None:
        return np.full(count, np.nan) if array.null_count else np.empty(0, dtype)
    values = np.frombuffer(data, dtype, count, start * dtype.itemsize)
    if not array.null_count:
        return values
    return np.where(missing_rows(array), np.nan, values)


def missing_rows(array: Any) -> npt.NDArray[np.bool_]:
    """Return where a pyarrow array, other than of no type or a union, is null."""
    valid = array.buffers()[0]
    if not array.null_count or valid is None:
        return np.full(len(array), bool(array.null_count))
    return ~_bits(valid, array.offset, len(array))


def texts(given: Sequence[str | None], kind: Any) -> Any:
    """Return texts as a pyarrow array of type string or large_string."""
    import pyarrow as pa

    data = [b"" if text is None else text.encode() for text in given]
    offsets = np.cumsum([0, *map(len, data)], dtype=np.int64 if pa.types.is_large_string(kind) else np.int32)
    present = [text is not None for text in given]
    valid = None if all(present) else pa.py_buffer(np.packbits(present, bitorder="little"))
    return pa.Array.from_buffers(
        kind, len(data), [valid, pa.py_buffer(offsets), pa.py_buffer(b"".join(data))]
    )


def scalar(text: str | None, kind: Any) -> Any:
    """Return a text, or null, as a pyarrow scalar of type string or large_string."""
    return texts([text], kind)[0]


def _bits(buffer: Any, start: int, count: int) -> npt.NDArray[np.bool_]:
    whole = np.frombuffer(buffer, np.uint8)[: (start + count + 7) // 8]
    return np.unpackbits(whole, count=start + count, bitorder="little")[start:].view(np.bool_)
