# SPDX-License-Identifier: MIT
"""Read the columns that count: keys, times and prices, with the first error of each series."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, Literal

import numpy as np
import numpy.typing as npt

from rpsd._errors import InputError
from rpsd._text import shown
from rpsd.batch._outcome import Columns
from rpsd.batch._partitions import NULL, partition_key
from rpsd.batch.files import Table, Times, choose_columns, find_column, passed_over
from rpsd.batch.files._buffers import as_numpy
from rpsd.batch.files._numbers import BadCells
from rpsd.batch.files._table import blaming, refuse_several_series

_F64 = npt.NDArray[np.float64]
_Codes = npt.NDArray[np.int32]

#: Code of rows without a key.
NO_KEY: Final = -1
_KINDS: Final = {"UTC": "times with a zone", "": "times without a zone", None: "numbers"}


class Reader:
    """Reads the rows of a file, table by table.

    Parameters
    ----------
    head : Table
        The first rows of the file, with all columns: what tells which is which.
    columns : Columns

    Attributes
    ----------
    by, time : int or None
    key : str
        That of all rows, where no column has keys.
    values : list of int
    notes : tuple of str
        On columns that were passed over.
    ids : dict
        The number of each key, counted as they appear.
    zone : {"UTC", "", None}
        As `Times.zone`.
    offsets : frozenset of str
        As `Times.offsets`.
    errors : dict
        What is wrong with a series, by its number and a price column; of the whole series by None.
    unread : dict
        How many prices of a series cannot be read, by its number and the column.
    keyless : tuple of int and str
        How many rows have no key, and what is wrong with the first.
    keyless_missing : dict
        How many prices of those rows are missing, by column.
    """

    def __init__(self, head: Table, columns: Columns) -> None:
        self.by: int | None = None
        self.key = ""
        self._keyed = columns.by is not None
        if columns.by is not None:
            self.by, self.key = _find_key(head, columns.by)
        self.time, self.values = choose_columns(
            head, columns.time, columns.values, no_time=columns.no_time, by=self.by
        )
        guessed = columns.time is None and not columns.no_time
        self.notes = passed_over(head, self.time, [self.by, *self.values]) if guessed else ()
        self.ids: dict[str, int] = {}
        self.zone: Literal["UTC", ""] | None = None
        self.offsets: frozenset[str] = frozenset()
        self.errors: dict[tuple[int, int | None], str] = {}
        self.unread: dict[tuple[int, int], int] = {}
        self.keyless = (0, "")
        self.keyless_missing: dict[int, int] = dict.fromkeys(self.values, 0)
        self._begun = False

    def read(
        self, table: Table, whole: Callable[[], Table]
    ) -> tuple[_Codes, npt.NDArray[Any] | None, dict[int, _F64]]:
        """Return the number of the series of each row, its time and its prices.

        whole: gives the table with all columns, where it has only those that count.
        """
        codes = self._codes(table)
        times = None if self.time is None else self._times(self.time, codes, table, whole)
        self._begun = True
        numbers = {}
        lost = codes == NO_KEY
        for column in self.values:
            numbers[column], bad, _ = table.read_numbers(column)
            self._blame(codes, bad, column, column, table)
            for series, count in zip(*np.unique(codes[bad.rows], return_counts=True), strict=True):
                cell = int(series), column
                self.unread[cell] = self.unread.get(cell, 0) + int(count)
            if lost.any():
                missing = np.isnan(numbers[column]) & lost
                missing[bad.rows] = False
                self.keyless_missing[column] += int(missing.sum())
        return codes, times, numbers

    def missing(self, series: int, column: int, prices: _F64) -> int:
        """Return how many prices of a whole series are missing: without those that cannot be read."""
        return int(np.isnan(prices).sum()) - self.unread.get((series, column), 0)

    def _codes(self, table: Table) -> _Codes:
        if self.by is None:
            self.ids[self.key] = 0
            return np.zeros(table.rows, dtype=np.int32)
        with blaming(table, self.by):
            keys = table.keys(self.by)
        indices = keys.indices
        if indices.null_count:
            indices = indices.fill_null(len(keys.dictionary))
        texts = [*_texts(keys.dictionary), None]
        ids = np.full(len(texts), NO_KEY, dtype=np.int32)
        for place in indices.unique().to_pylist():
            if (texts[place] or "").strip():
                ids[place] = self.ids.setdefault(texts[place], len(self.ids))
        codes: _Codes = ids[as_numpy(indices)]
        lost = codes == NO_KEY
        if lost.any():
            rows, error = self.keyless
            where = f'{table.place(int(np.argmax(lost)))}, column "{shown(table.columns[self.by])}"'
            error = (
                error
                or f"{where}: the key is missing or not UTF-8; allowed: the name of a series in every row"
            )
            self.keyless = rows + int(lost.sum()), error
        return codes

    def _times(
        self, column: int, codes: _Codes, table: Table, whole: Callable[[], Table]
    ) -> npt.NDArray[Any]:
        with blaming(table, column):
            times, bad = table.read_times(column)
        if not self._begun:
            self.zone = times.zone
            if not self._keyed:
                refuse_several_series(times, whole)
        self._blame(codes, bad, None, column, table)
        if times.zone != self.zone:
            why = f"{_KINDS[times.zone]} where the file begins with {_KINDS[self.zone]}; allowed: one kind"
            self._blame(codes, BadCells(np.arange(table.rows), lambda row: why), None, column, table)
        self.offsets |= times.offsets
        return as_numbers(times)

    def _blame(self, codes: _Codes, bad: BadCells, key: int | None, column: int, table: Table) -> None:
        """Keep the first bad cell of each series."""
        if not bad.rows.size:
            return
        first = np.unique(codes[bad.rows], return_index=True)[1]
        for row in bad.rows[np.sort(first)].tolist():
            series = int(codes[row]), key
            if series not in self.errors:
                place = f'{table.place(row)}, column "{shown(table.columns[column])}"'
                self.errors[series] = f"{place}: {bad.why(row)}"


def _find_key(head: Table, by: str) -> tuple[int | None, str]:
    """Return the column of keys, or None and the key that the folders of the file's name give all rows."""
    key = None if by in head.columns else partition_key(head.name, by)
    if key is None:
        try:
            return find_column(head, by, "--by"), ""
        except InputError as error:
            if by in head.columns:
                raise
            hint = f'where folders tell it ("{shown(by)}=KEY"), give the folder that they are in'
            raise InputError(f"{error}; {hint}") from None
    if key == NULL or not key.strip():
        raise InputError(
            f'{head.name}: the key is missing in the folder "{shown(by)}={shown(key)}"; allowed: the name of '
            "a series"
        )
    return None, key


def _texts(keys: Any) -> list[str | None]:
    """Return keys as texts; NaN is none, as null is."""
    import pyarrow as pa
    import pyarrow.compute as pc

    texts: list[str | None] = keys.cast("string").to_pylist()
    if not pa.types.is_floating(keys.type):
        return texts
    return [None if nan else text for nan, text in zip(pc.is_nan(keys).to_pylist(), texts, strict=True)]


def as_numbers(times: Times) -> npt.NDArray[Any]:
    """Return times as numbers that can be compared and subtracted."""
    return times.values.view(np.int64) if times.values.dtype.kind == "M" else times.values
