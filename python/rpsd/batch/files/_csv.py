# SPDX-License-Identifier: MIT
"""Rows of a CSV file whose text is kept byte for byte, except the cells that get new numbers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from rpsd._errors import InputError
from rpsd.batch.files import _numbers, _times
from rpsd.batch.files._buffers import as_arrow, scalar
from rpsd.batch.files._formats import Format
from rpsd.batch.files._numbers import BadCells, Numbers
from rpsd.batch.files._split import Cells, split
from rpsd.batch.files._times import Times

_F64 = npt.NDArray[np.float64]
_I64 = npt.NDArray[np.int64]
_Mask = npt.NDArray[np.bool_]

_PLAIN: Final = Format("csv")
# Rows by which the kind of a column is judged.
_SAMPLE: Final = 1000


class CsvTable:
    """A CSV file in UTF-8 with a header, or a block of its rows; see `rpsd.batch.files._table.Table`.

    Parameters
    ----------
    data : bytes or Cells
        The whole text, or what it was split into.
    name : str
    form : Format
    lines : ndarray of int64, optional
        The line of each row, where they are not those of the cells.
    """

    def __init__(
        self,
        data: bytes | Cells,
        name: str,
        form: Format = _PLAIN,
        *,
        lines: _I64 | None = None,
    ) -> None:
        self.name = name
        self.format = form
        self._cells = split(data, name) if isinstance(data, bytes) else data
        self.columns = self._cells.layout.header
        self.rows = len(self._cells.starts)
        if isinstance(data, bytes) and not self.rows:
            raise InputError(f"{name}: no data rows after the header")
        self._lines = lines
        self._read: dict[int, tuple[_F64, bool]] = {}
        #: whether numbers of earlier rows have a decimal comma, by column
        self.commas: dict[int, bool] = {}

    @property
    def mends(self) -> tuple[str, ...]:
        """What was put right in reading."""
        return mends(self._cells.mark, self._cells.blank, self._cells.first_blank)

    @property
    def metadata(self) -> Mapping[str, Any]:
        """Nothing: CSV has no place for it."""
        return {}

    @property
    def nbytes(self) -> int:
        """How much memory the rows take."""
        return len(self._cells.data) + 2 * self._cells.starts.nbytes

    def place(self, row: int) -> str:
        """Return where a row stands in the file."""
        return f"line {(self._cells.lines if self._lines is None else self._lines)[row]}"

    def places(self) -> Callable[[int], str]:
        """Return what tells `place` without holding the text."""
        lines = self._cells.lines if self._lines is None else self._lines
        if self.rows and lines[-1] - lines[0] == self.rows - 1:
            first = int(lines[0])
            return lambda row: f"line {first + row}"
        short = lines.astype(np.uint32) if self.rows and lines[-1] < 2**32 else lines
        return lambda row: f"line {short[row]}"

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
        values, bad, _ = self.read_numbers(column)
        bad.raise_first()
        return values

    def read_numbers(self, column: int) -> Numbers:
        """Read a column as float64, missing and unreadable ones as NaN."""
        numbers = _numbers.read_numbers(
            self._text(column),
            comma_allowed=self._cells.layout.delimiter == b";",
            comma=self.commas.get(column, False),
        )
        self._read[column] = numbers.values, numbers.comma
        self.commas[column] = numbers.comma
        return numbers

    def times(self, column: int) -> Times:
        """Read a column as times."""
        times, bad = self.read_times(column)
        bad.raise_first()
        return times

    def read_times(self, column: int) -> tuple[Times, BadCells]:
        """Read a column as times; those that cannot be read have any."""
        return _times.read_times(self._text(column))

    def labels(self, column: int) -> Any:
        """Return a column of text as a pyarrow dictionary array, or None where it holds something else."""
        if self.looks_numeric(column) or self.looks_like_time(column):
            return None
        return self.keys(column)

    def keys(self, column: int) -> Any:
        """Return a column as a pyarrow dictionary array, of the texts as they are."""
        import pyarrow as pa
        import pyarrow.compute as pc

        coded = self._text(column).dictionary_encode()
        texts = pc.replace_substring(coded.dictionary, '""', '"')
        if texts.equals(coded.dictionary):
            return coded
        again = texts.dictionary_encode()
        return pa.DictionaryArray.from_arrays(again.indices.take(coded.indices), again.dictionary)

    def kept(self, mask: _Mask) -> CsvTable:
        """Return a table of the header and some of the rows."""
        cells = self._cells
        data = np.frombuffer(cells.data, np.uint8)
        first = cells.starts[:, 0]
        # From one row to the next, with the quote before the first cell.
        begin = first - ((first > 0) & (data[first - 1] == ord('"')))
        end = np.append(begin[1:], len(data))
        header = int(begin[0]) if self.rows else len(data)
        lengths = (end - begin)[mask]
        shift = (begin[mask] - (header + np.cumsum(lengths) - lengths))[:, None]
        edges = np.flatnonzero(np.diff(np.concatenate(([False], mask, [False])).astype(np.int8)))
        runs = zip(begin[edges[0::2]], end[edges[1::2] - 1], strict=True)
        text = b"".join([cells.data[:header], *(cells.data[a:b] for a, b in runs)])
        left = Cells(text, cells.layout, cells.starts[mask] - shift, cells.stops[mask] - shift)
        lines = (cells.lines if self._lines is None else self._lines)[mask]
        return CsvTable(left, self.name, self.format, lines=lines)

    def replaced(self, values: Mapping[int, _F64], failed: Mapping[int, _Mask] | None = None) -> list[Any]:
        """Return the pieces (bytes or buffers) of the same text with new numbers.

        A cell whose number did not change, or was missing, keeps its text; one that failed is NaN.
        """
        import pyarrow as pa
        import pyarrow.compute as pc

        if not self.rows:
            return [self._cells.data]
        columns = sorted(values)
        starts, stops = self._cells.starts[:, columns], self._cells.stops[:, columns]
        # What stands between two replaced cells, from the start of the file to its end.
        gaps = _take(
            self._cells.data,
            np.concatenate(([0], stops.ravel())),
            np.concatenate((starts.ravel(), [len(self._cells.data)])),
        )
        lost = failed or {}
        texts = [self._new_text(column, values[column], lost.get(column)) for column in columns]
        pieces = []
        for i, text in enumerate(texts):
            pieces += [gaps.take(as_arrow(np.arange(i, len(gaps) - 1, len(columns)))), text]
        joined = pc.binary_join_element_wise(*pieces, scalar("", pa.large_string()))
        _, offsets, body = joined.buffers()
        size = int(np.frombuffer(offsets, np.int64)[self.rows])
        return [memoryview(body)[:size], gaps[len(gaps) - 1].as_py().encode()]

    def _new_text(self, column: int, values: _F64, failed: _Mask | None) -> Any:
        import pyarrow.compute as pc

        if column not in self._read:
            self.read_numbers(column)
        before, comma = self._read[column]
        kept = (values == before) | np.isnan(before)
        if failed is not None:
            kept &= ~failed
            values = np.where(failed, np.nan, values)
        text = _numbers.write_numbers(values, comma=comma)
        return pc.if_else(as_arrow(kept), self._text(column), text) if kept.any() else text

    def _text(self, column: int) -> Any:
        return _take(self._cells.data, self._cells.starts[:, column], self._cells.stops[:, column])

    def _sample(self, column: int) -> list[str]:
        starts, stops = self._cells.starts[:_SAMPLE, column], self._cells.stops[:_SAMPLE, column]
        return [self._cells.data[a:b].decode() for a, b in zip(starts, stops, strict=True)]


def mends(mark: bool, blank: int, first_blank: int) -> tuple[str, ...]:
    """Return what was put right in reading a text, in words."""
    told = ["the byte-order mark at the start was removed"] if mark else []
    return (*told, *([f"{blank} blank line(s) skipped, the first is line {first_blank}"] if blank else []))


def _take(data: bytes, starts: _I64, stops: _I64) -> Any:
    """Return the given stretches of a UTF-8 text, in order and not overlapping, as a large_string array."""
    import pyarrow as pa

    # Arrow strings share their ends: make an array of the stretches and what lies between, keep every second.
    offsets = np.empty(2 * len(starts), np.int64)
    offsets[0::2], offsets[1::2] = starts, stops
    both = pa.LargeStringArray.from_buffers(len(offsets) - 1, pa.py_buffer(offsets), pa.py_buffer(data))
    return both.take(as_arrow(np.arange(0, len(both), 2)))
