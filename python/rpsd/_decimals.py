# SPDX-License-Identifier: MIT
"""Arrow decimals as the nearest float64, as their text reads: the cast of pyarrow may be one bit away."""

from typing import Any

import numpy as np
import numpy.typing as npt

# What float64 holds exactly: integers below, and powers of ten up to.
_EXACT = 2**53
_POWER = 22


def nearest_doubles(column: Any) -> npt.NDArray[np.float64]:
    """Return a pyarrow array or chunked array of decimals as float64; a null has any value."""
    import pyarrow as pa

    if isinstance(column, pa.ChunkedArray):
        whole = column.combine_chunks()
        column = pa.concat_arrays(whole.chunks) if isinstance(whole, pa.ChunkedArray) else whole
    if not len(column):
        return np.empty(0)
    kind, scale = column.type, column.type.scale
    words = np.int32 if kind.bit_width == 32 else np.int64
    parts = np.frombuffer(column.buffers()[1], words).reshape(-1, max(1, kind.bit_width // 64))
    parts = parts[column.offset : column.offset + len(column)]
    low = parts[:, 0].astype(np.int64, copy=False)
    exact = (low < _EXACT) & (low > -_EXACT)
    for high in parts.T[1:]:
        exact &= high == low >> 63
    # One operation on two exact numbers is rounded once, and so to the nearest.
    power = np.float64(10 ** min(abs(scale), _POWER))
    whole_numbers = low.astype(np.float64)
    values = whole_numbers / power if scale >= 0 else whole_numbers * power
    if exact.all() and abs(scale) <= _POWER:
        return values
    texts = column.cast(pa.string()).cast(pa.float64())
    read = np.frombuffer(texts.buffers()[1], np.float64)[texts.offset : texts.offset + len(texts)]
    return np.where(exact, values, read) if abs(scale) <= _POWER else read
