# SPDX-License-Identifier: MIT
"""Where the rows of series stand among those of a file."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt


class Rows:
    """The rows of some series of one length: one after the other from a row on, or anywhere."""

    def __init__(
        self, start: int, begin: npt.NDArray[np.intp], length: int, rows: npt.NDArray[np.int64] | None
    ) -> None:
        self.shape = len(begin), length
        self._start = start + int(begin[0])
        self._index: npt.NDArray[np.intp] | None = None
        if rows is not None or (len(begin) > 1 and (np.diff(begin) != length).any()):
            at = begin[:, None] + np.arange(length)
            self._index = start + (at if rows is None else rows[at])

    def of(self, column: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Return their values, series x time; a view where it can be."""
        if self._index is not None:
            return column[self._index]
        count, length = self.shape
        return column[self._start : self._start + count * length].reshape(count, length)

    def put(self, column: npt.NDArray[Any], values: npt.NDArray[Any]) -> None:
        """Put back what `of` returned."""
        if self._index is not None:
            column[self._index] = values

    def at(self, series: int, place: int = 0) -> int:
        """Return one row."""
        if self._index is not None:
            return int(self._index[series, place])
        return self._start + series * self.shape[1] + place

    def all_of(self, series: int) -> npt.NDArray[np.intp] | slice:
        """Return the rows of one series."""
        return (
            slice(self.at(series), self.at(series) + self.shape[1])
            if self._index is None
            else self._index[series]
        )
