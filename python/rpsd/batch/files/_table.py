# SPDX-License-Identifier: MIT
"""A file of columns as the commands see it, whatever its format."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol, TextIO

import numpy as np
import numpy.typing as npt

from rpsd._errors import InputError, RpsdError
from rpsd._text import shown
from rpsd.batch.files._numbers import BadCell
from rpsd.batch.files._times import Times, check_order

_F64 = npt.NDArray[np.float64]

PARQUET_SUFFIXES = (".parquet", ".pq")


class Table(Protocol):
    """Columns read from a file; a new file with some of them replaced can be written from it."""

    @property
    def name(self) -> str:
        """Name of the file, for messages."""

    @property
    def suffix(self) -> str:
        """``.csv`` or ``.parquet``."""

    @property
    def columns(self) -> tuple[str, ...]:
        """Column names in file order."""

    @property
    def rows(self) -> int:
        """Number of data rows."""

    @property
    def mends(self) -> tuple[str, ...]:
        """What was put right in reading."""

    @property
    def metadata(self) -> Mapping[str, Any]:
        """What `replaced` was given when the file was written, where its format keeps it."""

    def place(self, row: int) -> str:
        """Return where a row stands in the file, such as ``line 7``."""

    def looks_numeric(self, column: int) -> bool:
        """Tell whether a column holds numbers, judged by its first rows."""

    def looks_like_time(self, column: int) -> bool:
        """Tell whether a column holds times, judged by its first rows."""

    def numbers(self, column: int) -> _F64:
        """Read a column as float64, missing as NaN; BadCell where a cell is neither."""

    def times(self, column: int) -> Times:
        """Read a column as times; BadCell where a cell is none."""

    def labels(self, column: int) -> Any:
        """Return a column of text as a pyarrow dictionary array, or None where it holds something else."""

    def replaced(self, values: Mapping[int, _F64], metadata: Mapping[str, Any]) -> list[Any]:
        """Return the pieces (bytes or buffers) of the file with new values in some columns."""


def read_bytes(path: str, data_dir: str = ".") -> tuple[bytes, str]:
    """Read a whole file, or standard input for ``-``; return it with the name to use in messages.

    A relative path is taken from `data_dir` (RPSD_DATA_DIR).
    """
    if path == "-":
        stdin: TextIO | None = sys.stdin
        if stdin is None:
            raise RpsdError("cannot read standard input: it is closed")
        try:
            return stdin.buffer.read(), "standard input"
        except OSError as error:
            raise RpsdError(f"cannot read standard input: {error.strerror}") from None
    full = Path(data_dir) / path
    try:
        return full.read_bytes(), os.fspath(full)
    except OSError as error:
        where = "" if full == Path(path) else f' (in the data directory "{data_dir}")'
        raise RpsdError(f"cannot read {full}: {error.strerror}{where}") from None


def read_table(path: str, data_dir: str = ".") -> Table:
    """Read a CSV or Parquet file, by suffix; standard input by its first bytes."""
    from rpsd.batch.files._csv import CsvTable
    from rpsd.batch.files._parquet import ParquetTable

    data, name = read_bytes(path, data_dir)
    parquet = data.startswith(b"PAR1") if path == "-" else Path(path).suffix.lower() in PARQUET_SUFFIXES
    return ParquetTable(data, name) if parquet else CsvTable(data, name)


_COMPRESSED = frozenset({".gz", ".bz2", ".xz", ".zip", ".zst"})


def same_format(table: Table, path: str) -> bool:
    """Tell whether a name fits the format of a table: Parquet by its suffixes, CSV by any uncompressed."""
    suffix = Path(path).suffix.lower()
    return (table.suffix in PARQUET_SUFFIXES) == (suffix in PARQUET_SUFFIXES) and suffix not in _COMPRESSED


def read_numbers(table: Table, column: int) -> _F64:
    """Read a column as float64, missing as NaN; InputError names the place of a bad cell."""
    with _blaming(table, column):
        return table.numbers(column)


def read_times(table: Table, column: int) -> tuple[Times, list[str]]:
    """Read a time column and check its order; return it with notes for the user."""
    with _blaming(table, column):
        times = table.times(column)
        _refuse_several_series(table, times)
        duplicates, row = check_order(times)
    notes = [times.note] if times.note else []
    if duplicates:
        first = table.place(row)
        notes.append(f"{duplicates} duplicate timestamp(s) kept in file order, the first at {first}")
    return times, [f'column "{shown(table.columns[column])}": {note}' for note in notes]


def _refuse_several_series(table: Table, times: Times) -> None:
    """Raise InputError where many times repeat, and never under one label of a column with few of them."""
    if (times.values[1:] > times.values[:-1]).all():
        return
    instants, instant = np.unique(times.values, return_inverse=True)
    if 4 * (table.rows - len(instants)) < table.rows:
        return
    for column, name in enumerate(table.columns):
        labels = table.labels(column)
        if labels is None or not 2 <= len(labels.dictionary) <= table.rows // 2:
            continue
        codes = labels.indices.fill_null(len(labels.dictionary)).to_numpy(zero_copy_only=False)
        if len(np.unique(instant * (len(labels.dictionary) + 1) + codes)) == table.rows:
            first, second = (shown(str(labels.dictionary[i].as_py())) for i in (0, 1))
            raise InputError(
                f'{table.name}: column "{shown(name)}" tells {len(labels.dictionary)} series apart '
                f'("{first}", "{second}"{", ..." if len(labels.dictionary) > 2 else ""}) whose times repeat; '
                "allowed: one series in a file (split it by that column, or give each series a column); "
                "--no-time takes all rows as one series"
            )


@contextmanager
def _blaming(table: Table, column: int) -> Iterator[None]:
    try:
        yield
    except BadCell as bad:
        place = f'{table.name}: {table.place(bad.row)}, column "{shown(table.columns[column])}"'
        raise InputError(f"{place}: {bad.reason}") from None
