# SPDX-License-Identifier: MIT
"""Where two files of one format differ: row, column, both values."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from rpsd._text import shown
from rpsd.batch.files import find_delimiter, format_of

# Cells that are told of one by one.
_TOLD: Final = 5
_PIECE: Final = 2**20
# Bytes that show the delimiter of a CSV file.
_HEAD: Final = 2**16
# Rows of a column without numbers that are held as Python objects at a time.
_SLICE: Final = 65_536


class Cell(NamedTuple):
    """A cell in which two files differ; rows count from 1, without a header."""

    row: int
    column: str
    first: str
    second: str


@dataclass
class Comparison:
    """What two files differ in.

    Attributes
    ----------
    layout : str
        Why their cells cannot be compared, else "".
    unread : bool
        Whether that is as one of them cannot be read.
    byte : int or None
        The first byte that differs; None where the files are the same.
    rows : int
    changed : int
        Cells that differ.
    cells : list of Cell
        The first five of each column.
    largest : float
        Greatest difference of two numbers, 0 where there is none.
    at : Cell or None
        Where that is.
    squares : float
        Sum of the squared differences.
    """

    layout: str = ""
    unread: bool = False
    byte: int | None = None
    rows: int = 0
    changed: int = 0
    cells: list[Cell] = field(default_factory=list)
    largest: float = 0.0
    at: Cell | None = None
    squares: float = 0.0
    _told: dict[str, int] = field(default_factory=dict)

    @property
    def same(self) -> bool:
        """Whether every cell is the same, whatever the bytes."""
        return not self.layout and not self.changed

    def add(self, cell: Cell, apart: float) -> None:
        """Count a cell that differs, by so much where it holds numbers."""
        self.changed += 1
        self._told[cell.column] = self._told.get(cell.column, 0) + 1
        if self._told[cell.column] <= _TOLD:
            self.cells.append(cell)
        if math.isfinite(apart):
            self.squares += apart * apart
            if apart > self.largest:
                self.largest, self.at = apart, cell


def compare(first: str, second: str) -> Comparison:
    """Compare two files whose names tell one format, byte by byte and then cell by cell."""
    found = Comparison(byte=_first_byte(first, second))
    if found.byte is None:
        return found
    try:
        if format_of(second).kind == "csv":
            _compare_csv(first, second, found)
        else:
            _compare_arrow(first, second, found)
    except Exception as error:  # a damaged file may fail in any way that its reader knows
        text = str(error).splitlines()
        found.layout = f"it cannot be read: {text[0] if text else type(error).__name__}"
        found.unread = True
    return found


def read_arrow(path: str) -> Any:
    """Return the table in a Parquet or Arrow file."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    if format_of(path).kind == "parquet":
        return pq.read_table(path, partitioning=None)
    with pa.memory_map(path) as file:
        return (pa.ipc.open_stream(file) if _is_stream(path) else pa.ipc.open_file(file)).read_all()


def read_schema(path: str) -> Any:
    """Return the schema of a Parquet or Arrow file."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    if format_of(path).kind == "parquet":
        return pq.read_schema(path)
    with pa.memory_map(path) as file:
        return (pa.ipc.open_stream(file) if _is_stream(path) else pa.ipc.open_file(file)).schema


def _is_stream(path: str) -> bool:
    with open(path, "rb") as file:
        return file.read(6) != b"ARROW1"


def _first_byte(first: str, second: str) -> int | None:
    start = 0
    with open(first, "rb") as a, open(second, "rb") as b:
        while True:
            one, other = a.read(_PIECE), b.read(_PIECE)
            if one != other:
                common = min(len(one), len(other))
                differ = np.frombuffer(one, np.uint8, common) != np.frombuffer(other, np.uint8, common)
                return start + (int(np.argmax(differ)) if differ.any() else common)
            if not one:
                return None
            start += len(one)


def _compare_csv(first: str, second: str, found: Comparison) -> None:
    rows, others = _csv_rows(first), _csv_rows(second)
    header, other_header = next(rows, []), next(others, [])
    if header != other_header:
        found.layout = f"its columns are {_listed(header)}, not {_listed(other_header)}"
        return
    for number, (row, other) in enumerate(zip_longest(rows, others), 1):
        if row is None or other is None or len(row) != len(other):
            found.layout = f"its rows differ from row {number} on"
            return
        found.rows = number
        if row != other:
            for column, one, two in zip(header, row, other, strict=False):
                if one != two:
                    found.add(Cell(number, column, one, two), _apart(one, two))


def _csv_rows(path: str) -> Iterator[list[str]]:
    """Yield the cells of each line that is not blank, the header first."""
    with _opened(path) as raw:
        head = raw.read(_HEAD)
    delimiter = find_delimiter(head, b"\n" if b"\n" in head else b"\r").decode()
    with _opened(path) as raw, io.TextIOWrapper(raw, "utf-8", errors="surrogateescape", newline="") as text:
        yield from (row for row in csv.reader(text, delimiter=delimiter) if row)


def _opened(path: str) -> Any:
    """Open a file of text that may be compressed."""
    import pyarrow as pa

    codec = format_of(path).codec
    return pa.CompressedInputStream(path, codec) if codec else open(path, "rb")


def _apart(one: str, two: str) -> float:
    try:
        return abs(float(one.replace(",", ".")) - float(two.replace(",", ".")))
    except ValueError:
        return math.nan


def _compare_arrow(first: str, second: str, found: Comparison) -> None:
    a, b = read_arrow(first), read_arrow(second)
    if not a.schema.equals(b.schema):
        found.layout = f"its columns are {_typed(a.schema)}, not {_typed(b.schema)}"
    elif a.num_rows != b.num_rows:
        found.layout = f"it has {a.num_rows} rows, not {b.num_rows}"
    else:
        found.rows = a.num_rows
        for i, name in enumerate(a.column_names):
            _compare_column(name, a.column(i), b.column(i), found)


def _compare_column(name: str, a: Any, b: Any, found: Comparison) -> None:
    import pyarrow as pa

    if not pa.types.is_floating(a.type):
        if not a.equals(b):
            for start in range(0, len(a), _SLICE):
                ones, twos = a.slice(start, _SLICE).to_pylist(), b.slice(start, _SLICE).to_pylist()
                for i, (one, two) in enumerate(zip(ones, twos, strict=True)):
                    if one != two:
                        found.add(Cell(start + i + 1, name, str(one), str(two)), math.nan)
        return
    (x, missing), (y, others) = _floats(a), _floats(b)
    # Bit by bit: 0.0 is not -0.0, and one NaN may be another.
    bits = np.dtype(f"u{x.itemsize}")
    rows = np.flatnonzero((missing != others) | ((x.view(bits) != y.view(bits)) & ~missing))
    with np.errstate(over="ignore", invalid="ignore"):
        apart = np.abs(x[rows].astype(np.float64) - y[rows].astype(np.float64))
    for row, by in zip(rows.tolist(), apart.tolist(), strict=True):
        one, two = ("null" if gone[row] else repr(v[row].item()) for v, gone in ((x, missing), (y, others)))
        found.add(Cell(row + 1, name, one, two), by)


def _floats(column: Any) -> tuple[npt.NDArray[Any], npt.NDArray[np.bool_]]:
    values = column.combine_chunks().to_numpy(zero_copy_only=False)
    return np.ascontiguousarray(values), np.asarray(column.is_null())


def _listed(names: Sequence[str]) -> str:
    return ", ".join(f'"{shown(name)}"' for name in names) or "none"


def _typed(schema: Any) -> str:
    return ", ".join(f'"{shown(field.name)}" {field.type}' for field in schema)
