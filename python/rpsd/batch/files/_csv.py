# SPDX-License-Identifier: MIT
"""A CSV file whose text is kept byte for byte, except the cells that get new numbers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from rpsd.batch.files import _numbers, _times
from rpsd.batch.files._split import split
from rpsd.batch.files._times import Times

_F64 = npt.NDArray[np.float64]

# Rows by which the kind of a column is judged.
_SAMPLE: Final = 1000


class CsvTable:
    """A CSV file with a header, in UTF-8; see `rpsd.batch.files._table.Table` for the methods."""

    suffix: Final = ".csv"

    def __init__(self, data: bytes, name: str) -> None:
        self.name = name
        self._cells = split(data, name)
        self.columns = self._cells.header
        self.rows = len(self._cells.starts)
        self._read: dict[int, tuple[_F64, bool]] = {}

    @property
    def mends(self) -> tuple[str, ...]:
        """What was put right in reading."""
        return self._cells.mends

    @property
    def metadata(self) -> Mapping[str, Any]:
        """Nothing: CSV has no place for it."""
        return {}

    def place(self, row: int) -> str:
        """Return where a row stands in the file."""
        return f"line {self._cells.line(row)}"

    def looks_numeric(self, column: int) -> bool:
        """Tell whether a column holds numbers, judged by its first rows."""
        return _numbers.looks_numeric(self._sample(column))

    def looks_like_time(self, column: int) -> bool:
        """Tell whether a column holds times, judged by its first rows."""
        cells = self._sample(column)
        # Integers in a later column are more often volumes or identifiers than times.
        return _times.looks_like_time(cells) or (column == 0 and _times.looks_like_epoch(cells))

    def numbers(self, column: int) -> _F64:
        """Read a column as float64, missing as NaN."""
        semicolon = self._cells.delimiter == b";"
        values, comma = _numbers.read_numbers(self._text(column), comma_allowed=semicolon)
        self._read[column] = values, comma
        return values

    def times(self, column: int) -> Times:
        """Read a column as times."""
        return _times.read_times(self._text(column))

    def labels(self, column: int) -> Any:
        """Return a column of text as a pyarrow dictionary array, or None where it holds something else."""
        if self.looks_numeric(column) or self.looks_like_time(column):
            return None
        return self._text(column).dictionary_encode()

    def replaced(self, values: Mapping[int, _F64], metadata: Mapping[str, Any]) -> list[Any]:
        """Return the pieces of the same file with new numbers; CSV has no place for metadata.

        A cell whose number did not change, or was missing, keeps its text; numbers of the columns to replace
        must have been read before.
        """
        import pyarrow as pa
        import pyarrow.compute as pc

        columns = sorted(values)
        starts, stops = self._cells.starts[:, columns], self._cells.stops[:, columns]
        # What stands between two replaced cells, from the start of the file to its end.
        gaps = _take(
            self._cells.data,
            np.concatenate(([0], stops.ravel())),
            np.concatenate((starts.ravel(), [len(self._cells.data)])),
        )
        texts = [self._new_text(column, values[column]) for column in columns]
        pieces = []
        for i, text in enumerate(texts):
            pieces += [gaps.take(pa.array(np.arange(i, len(gaps) - 1, len(columns)))), text]
        joined = pc.binary_join_element_wise(*pieces, pa.scalar("", pa.large_string()))
        _, offsets, body = joined.buffers()
        size = int(np.frombuffer(offsets, np.int64)[self.rows])
        return [memoryview(body)[:size], gaps[len(gaps) - 1].as_py().encode()]

    def _new_text(self, column: int, values: _F64) -> Any:
        import pyarrow as pa
        import pyarrow.compute as pc

        before, comma = self._read[column]
        text = _numbers.write_numbers(values, comma=comma)
        kept = (values == before) | np.isnan(before)
        return pc.if_else(pa.array(kept), self._text(column), text) if kept.any() else text

    def _text(self, column: int) -> Any:
        return _take(self._cells.data, self._cells.starts[:, column], self._cells.stops[:, column])

    def _sample(self, column: int) -> list[str]:
        starts, stops = self._cells.starts[:_SAMPLE, column], self._cells.stops[:_SAMPLE, column]
        return [self._cells.data[a:b].decode() for a, b in zip(starts, stops, strict=True)]


def _take(data: bytes, starts: npt.NDArray[np.int64], stops: npt.NDArray[np.int64]) -> Any:
    """Return the given stretches of a UTF-8 text, in order and not overlapping, as a large_string array."""
    import pyarrow as pa

    # Arrow strings share their ends: make an array of the stretches and what lies between, keep every second.
    offsets = np.empty(2 * len(starts), np.int64)
    offsets[0::2], offsets[1::2] = starts, stops
    both = pa.LargeStringArray.from_buffers(len(offsets) - 1, pa.py_buffer(offsets), pa.py_buffer(data))
    return both.take(pa.array(np.arange(0, len(both), 2)))
