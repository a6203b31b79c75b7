# SPDX-License-Identifier: MIT
"""A file of columns as the commands see it, whatever its format."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from rpsd._errors import InputError
from rpsd._repeats import RULE
from rpsd._text import shown
from rpsd.batch.files._buffers import as_numpy
from rpsd.batch.files._formats import Format
from rpsd.batch.files._numbers import BadCell, BadCells, Numbers
from rpsd.batch.files._times import Times, check_order

_F64 = npt.NDArray[np.float64]


class Table(Protocol):
    """Columns read from a file; a new file with some of them replaced can be written from it."""

    @property
    def name(self) -> str:
        """Name of the file, for messages."""

    @property
    def format(self) -> Format:
        """Format of the file."""

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

    @property
    def nbytes(self) -> int:
        """How much memory the rows take."""

    def place(self, row: int) -> str:
        """Return where a row stands in the file, such as ``line 7``."""

    def places(self) -> Callable[[int], str]:
        """Return what tells `place` without holding the rows."""

    def looks_numeric(self, column: int) -> bool:
        """Tell whether a column holds numbers, judged by its first rows."""

    def looks_like_time(self, column: int) -> bool:
        """Tell whether a column holds times, judged by its first rows."""

    def numbers(self, column: int) -> _F64:
        """Read a column as float64, missing as NaN; BadCell where a cell is neither."""

    def read_numbers(self, column: int) -> Numbers:
        """Read a column as float64, missing and unreadable cells as NaN."""

    def times(self, column: int) -> Times:
        """Read a column as times; BadCell where a cell is none."""

    def read_times(self, column: int) -> tuple[Times, BadCells]:
        """Read a column as times; BadCell where it is of a type that holds none."""

    def labels(self, column: int) -> Any:
        """Return a column of text as a pyarrow dictionary array, or None where it holds something else."""

    def keys(self, column: int) -> Any:
        """Return any column as a pyarrow dictionary array."""


def read_numbers(table: Table, column: int) -> _F64:
    """Read a column as float64, missing as NaN; InputError names the place of a bad cell."""
    with blaming(table, column):
        return table.numbers(column)


def read_times(table: Table, column: int) -> tuple[Times, list[str]]:
    """Read a time column and check its order; return it with notes for the user."""
    with blaming(table, column):
        times = table.times(column)
        refuse_several_series(times, lambda: table)
        duplicates, row = check_order(times)
    notes = list(times.notes)
    if duplicates:
        notes.append(why_duplicates(duplicates, table.place(row)))
    return times, [f'column "{shown(table.columns[column])}": {note}' for note in notes]


def why_duplicates(count: int, first: str) -> str:
    """Return a note on times that repeat."""
    return f"{count} duplicate timestamp(s) kept in file order, the first at {first}"


def why_several(count: int, rows: int) -> str:
    """Return what is wrong with a series whose times repeat as those of several do."""
    return (
        f"{count} of {rows} rows repeat the time before them, this is the first: the key most likely does "
        f"not tell series apart; allowed: {RULE}; name a column that does with --by, or take rows as they "
        "come with --no-time"
    )


def refuse_several_series(times: Times, whole: Callable[[], Table]) -> None:
    """Raise InputError where many times repeat, and never under one label of a column with few of them.

    whole: gives the rows with all columns, which a large file is not read with where no time repeats.
    """
    if (times.values[1:] > times.values[:-1]).all():
        return
    instants, instant = np.unique(times.values, return_inverse=True)
    if 4 * (len(instant) - len(instants)) < len(instant):
        return
    table = whole()
    for column, name in enumerate(table.columns):
        labels = table.labels(column)
        if labels is None or not 2 <= len(labels.dictionary) <= table.rows // 2:
            continue
        codes = as_numpy(labels.indices.fill_null(len(labels.dictionary)))
        if len(np.unique(instant * (len(labels.dictionary) + 1) + codes)) == table.rows:
            first, second = (shown(str(labels.dictionary[i].as_py())) for i in (0, 1))
            raise InputError(
                f'{table.name}: column "{shown(name)}" tells {len(labels.dictionary)} series apart '
                f'("{first}", "{second}"{", ..." if len(labels.dictionary) > 2 else ""}) whose times repeat; '
                f'allowed: one series in a file; rpsd batch --by "{shown(name)}" takes each for itself, '
                "and --no-time all rows as one series"
            )


@contextmanager
def blaming(table: Table, column: int) -> Iterator[None]:
    """Turn a BadCell into an InputError with file, line and column."""
    try:
        yield
    except BadCell as bad:
        place = f'{table.name}: {table.place(bad.row)}, column "{shown(table.columns[column])}"'
        raise InputError(f"{place}: {bad.reason}") from None
