# SPDX-License-Identifier: MIT
"""Files read piece by piece, so that a file of any length takes a bounded memory."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final, Protocol, TextIO

from rpsd._errors import InputError, RpsdError
from rpsd.batch.files._formats import Format, format_of, format_of_bytes
from rpsd.batch.files._table import Table

#: Rows that are read at a time, at least: fewer cost more for each piece than for its rows.
LEAST_ROWS: Final = 65_536
#: Bytes of decoded rows that are held at a time.
MOST_HELD: Final = 128 << 20


class Source(Protocol):
    """A file of columns, open for reading."""

    @property
    def name(self) -> str:
        """What messages call it."""

    @property
    def format(self) -> Format:
        """What it holds."""

    @property
    def size(self) -> int:
        """About how many bytes it takes decoded."""

    @property
    def mends(self) -> tuple[str, ...]:
        """What was put right in the pieces read so far."""

    def head(self) -> Table:
        """Return the first rows with all columns, some thousand at least where there are so many."""

    def keep(self, by: int, only: Sequence[str]) -> None:
        """Leave out the rows that have none of some keys in a column."""

    def pieces(self, columns: Sequence[int] | None = None, *, first: int = 0) -> Iterator[Table]:
        """Yield the rows in file order, from a piece on, with some columns at least; None: all of them."""

    def use_whole(self) -> None:
        """Read all rows as one piece."""

    def close(self) -> None:
        """Close the file."""


def open_source(path: str, name: str, *, rows: int = LEAST_ROWS, parallel: bool = False) -> Source:
    """Open a file.

    Parameters
    ----------
    path : str
    name : str
        What messages call the file; its suffixes tell the format.
    rows : int
        Rows of a piece, at least; a piece is whole row groups.
    parallel : bool
        Whether columns may be decoded by several threads.

    Raises
    ------
    InputError
        Where it cannot be read.
    """
    form = format_of(name)
    try:
        return _opened(path, name, form, rows, parallel)
    except OSError as error:
        raise InputError(f"cannot read {name}: {error.strerror or error}") from None


def read_whole(path: str, data_dir: str = ".") -> tuple[Source, Table]:
    """Read a whole file, of the format that its suffix tells; standard input, ``-``, by its first bytes.

    A relative path is taken from `data_dir` (RPSD_DATA_DIR).
    """
    if path == "-":
        data = _read_standard_input()
        source = _opened(data, "standard input", format_of_bytes(data), LEAST_ROWS, True)
    else:
        full = Path(data_dir) / path
        try:
            source = _opened(os.fspath(full), os.fspath(full), format_of(path), LEAST_ROWS, True)
        except OSError as error:
            where = "" if full == Path(path) else f' (in the data directory "{data_dir}")'
            raise RpsdError(f"cannot read {full}: {error.strerror or error}{where}") from None
    source.use_whole()
    table = next(source.pieces())
    if not table.rows:
        raise InputError(f"{source.name}: no data rows after the header")
    return source, table


def read_table(path: str, data_dir: str = ".") -> Table:
    """Read a whole file; see `read_whole`."""
    return read_whole(path, data_dir)[1]


def _read_standard_input() -> bytes:
    stdin: TextIO | None = sys.stdin
    if stdin is None:
        raise RpsdError("cannot read standard input: it is closed")
    try:
        return stdin.buffer.read()
    except OSError as error:
        raise RpsdError(f"cannot read standard input: {error.strerror}") from None


def _opened(place: str | bytes, name: str, form: Format, rows: int, parallel: bool) -> Source:
    if form.kind == "csv":
        from rpsd.batch.files._csv_source import CsvSource

        return CsvSource(place, name, form, rows=rows)
    from rpsd.batch.files._arrow_source import ArrowSource, ParquetSource

    kind = ParquetSource if form.kind == "parquet" else ArrowSource
    try:
        return kind(place, name, rows=rows, parallel=parallel)
    except UnicodeDecodeError:
        raise InputError(f"{name}: the name of a column is not UTF-8; rename the column") from None
