# SPDX-License-Identifier: MIT
"""Rows of a Parquet or Arrow file, whose schema and other columns are kept."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from rpsd._arrow_forms import in_findable, some_rows
from rpsd._decimals import nearest_doubles
from rpsd._errors import InputError
from rpsd._text import shown
from rpsd.batch.files import _times
from rpsd.batch.files._buffers import as_arrow, as_numpy, missing_rows
from rpsd.batch.files._formats import Format
from rpsd.batch.files._numbers import NO_BAD_CELLS, BadCell, BadCells, Numbers, finite_numbers
from rpsd.batch.files._times import Times

_F64 = npt.NDArray[np.float64]
_Mask = npt.NDArray[np.bool_]


class ArrowTable:
    """Rows held as a pyarrow table; see `rpsd.batch.files._table.Table` for the methods.

    Parameters
    ----------
    table : pyarrow.Table
        All columns of the file, or some.
    name : str
    form : Format
    names : tuple of str
        Names of all columns of the file.
    at : dict, optional
        Where in `table` each column of the file stands; None: where it stands in the file.
    groups : sequence of int, optional
        Rows of each row group, which the file that is written has too.
    rows : ndarray of int64 or int
        The row of the file that each row is, or the first one is.
    """

    mends: tuple[str, ...] = ()

    def __init__(
        self,
        table: Any,
        name: str,
        form: Format,
        names: tuple[str, ...],
        *,
        at: Mapping[int, int] | None = None,
        groups: Sequence[int] = (),
        rows: npt.NDArray[np.int64] | int = 0,
    ) -> None:
        self.name = name
        self.format = form
        self.columns = names
        self.table = table
        self.rows = table.num_rows
        self.groups = tuple(size for size in groups if size) or (self.rows,) * (self.rows > 0)
        self._at = at
        self._row = rows

    @property
    def nbytes(self) -> int:
        """How much memory the rows take."""
        return int(self.table.nbytes)

    @property
    def metadata(self) -> Mapping[str, Any]:
        """What rpsd wrote beside the columns; empty in files of others."""
        try:
            kept = json.loads((self.table.schema.metadata or {}).get(b"rpsd", b"{}"))
        except ValueError:
            return {}
        return kept if isinstance(kept, dict) else {}

    def place(self, row: int) -> str:
        """Return where a row stands in the file."""
        return f"row {1 + (self._row + row if isinstance(self._row, int) else self._row[row])}"

    def places(self) -> Any:
        """Return what tells `place` without holding the rows."""
        rows = self._row
        return lambda row: f"row {1 + (rows + row if isinstance(rows, int) else rows[row])}"

    def looks_numeric(self, column: int) -> bool:
        """Tell whether a column holds numbers."""
        return _is_number(self._type(column))

    def looks_like_time(self, column: int) -> bool:
        """Tell whether a column holds times, by its type or as text."""
        from pyarrow import types

        kind = _value_type(self._type(column))
        if _is_text(kind):
            cells = self._column(column).slice(0, 1000).cast("string").to_pylist()
            return _times.looks_like_time([cell or "" for cell in cells])
        return bool(types.is_timestamp(kind) or types.is_date(kind))

    def numbers(self, column: int) -> _F64:
        """Read a column as float64, nulls as NaN."""
        values, bad, _ = self.read_numbers(column)
        bad.raise_first()
        return values

    def read_numbers(self, column: int) -> Numbers:
        """Read a column as float64, nulls and unreadable values, as those of no number, as NaN."""
        import pyarrow as pa

        data = _joined(self._stored(column))
        if not self.looks_numeric(column):
            why = f"the column is of type {data.type}; allowed: integer, float32, float64 or decimal"
            unread = np.flatnonzero(~missing_rows(data))
            return Numbers(np.full(self.rows, np.nan), BadCells(unread, lambda row: why))
        values: _F64
        if pa.types.is_decimal(data.type):
            values = nearest_doubles(data)
            if data.null_count:
                values = np.where(missing_rows(data), np.nan, values)
        else:
            values = as_numpy(data if pa.types.is_float64(data.type) else data.cast(pa.float64(), safe=False))
        allowed = "allowed: a finite number, or null for missing"
        return finite_numbers(values, lambda row: f"{values[row]} is infinite; {allowed}")

    def times(self, column: int) -> Times:
        """Read a column as times."""
        times, bad = self.read_times(column)
        bad.raise_first()
        return times

    def read_times(self, column: int) -> tuple[Times, BadCells]:
        """Read a column as times; those that cannot be read have any."""
        import pyarrow as pa

        kind = _value_type(self._type(column))
        if not (_is_text(kind) or pa.types.is_timestamp(kind) or pa.types.is_date(kind) or _is_number(kind)):
            allowed = "timestamp, date, integer, float32, float64, decimal or text"
            raise BadCell(0, f"the column is of type {self._type(column)}; allowed: {allowed}")
        data = self._column(column)
        data = data.dictionary_decode() if pa.types.is_dictionary(data.type) else data
        if _is_text(kind):
            return _times.read_times(data.cast(pa.large_string()).fill_null(""))
        if not self.rows:
            return Times(np.empty(0, np.int64), None), NO_BAD_CELLS
        return _times.read_arrow_times(data)

    def labels(self, column: int) -> Any:
        """Return a column of text as a pyarrow dictionary array, or None where it holds something else."""
        text = _is_text(_value_type(self._type(column)))
        return self.keys(column) if text and not self.looks_like_time(column) else None

    def keys(self, column: int) -> Any:
        """Return a column as a pyarrow dictionary array; text that is not UTF-8 is null."""
        from pyarrow import types

        check_keys(self._type(column))
        # Escaped, the names of two series might be one.
        data = _in_utf8(in_findable(_joined(self._stored(column))), "missing")
        if types.is_dictionary(data.type):
            # A dictionary may name one value twice.
            data = data if len(data.dictionary.unique()) == len(data.dictionary) else data.dictionary_decode()
        return data if types.is_dictionary(data.type) else data.dictionary_encode()

    def kept(self, mask: _Mask) -> ArrowTable:
        """Return a table of some of the rows, its row groups with those that are left."""
        kept = np.concatenate([[0], np.cumsum(mask)])
        sizes = np.diff(kept[np.cumsum([0, *self.groups])]).tolist()
        rows = self._row + np.arange(self.rows) if isinstance(self._row, int) else self._row
        return ArrowTable(
            self._filtered(mask),
            self.name,
            self.format,
            self.columns,
            at=self._at,
            groups=sizes,
            rows=rows[mask],
        )

    def with_values(self, values: Mapping[int, _F64], failed: Mapping[int, _Mask] | None = None) -> Any:
        """Return the pyarrow table with new numbers: float32 stays float32, all other types become float64.

        Parameters
        ----------
        values : dict of ndarray
            New numbers by column.
        failed : dict of ndarray of bool, optional
            Rows that have no value.
        """
        table = self.table
        for column, new in values.items():
            field = new_field(table.schema.field(column))
            # Nulls stay nulls; a NaN in the input, or before the first causal value, stays NaN.
            nulls = table.column(column).null_count > 0
            mask = missing_rows(_joined(table.column(column))) if nulls else None
            lost = None if failed is None else failed.get(column)
            if lost is not None:
                mask = lost if mask is None else mask | lost
            array = as_arrow(new, mask)
            if array.type != field.type:
                array = array.cast(field.type)
            table = table.set_column(column, field, array)
        return table

    def _filtered(self, mask: _Mask) -> Any:
        import pyarrow as pa

        chosen, columns = as_arrow(mask), []
        for field, column in zip(self.table.schema, self.table.columns, strict=True):
            try:
                columns.append(some_rows(column, chosen))
            except pa.ArrowNotImplementedError:
                what = f'column "{shown(field.name)}" is of type {field.type}'
                raise InputError(
                    f"{self.name}: {what}, of which pyarrow takes no part of the rows; allowed with --only: "
                    "files without such a column"
                ) from None
        return pa.table(columns, schema=self.table.schema)

    def _column(self, column: int) -> Any:
        return _in_utf8(in_findable(_joined(self._stored(column))), "escaped")

    def _stored(self, column: int) -> Any:
        return self.table.column(column if self._at is None else self._at[column])

    def _type(self, column: int) -> Any:
        return self.table.schema.field(column if self._at is None else self._at[column]).type


def new_field(field: Any) -> Any:
    """Return the field of a column that gets new numbers."""
    import pyarrow as pa

    # A failed series leaves nulls.
    kind = field.type if pa.types.is_float32(field.type) else pa.float64()
    return field.with_type(kind).with_nullable(True)


def _joined(column: Any) -> Any:
    """Return a pyarrow chunked array as one array."""
    import pyarrow as pa

    if column.num_chunks == 1:
        return column.chunk(0)
    column = column.combine_chunks()
    return column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column


def check_keys(kind: Any) -> None:
    """Raise BadCell where a column of that type tells no series apart."""
    import pyarrow as pa
    from pyarrow import types

    value = _value_type(kind)
    raw = types.is_binary(value) or types.is_large_binary(value) or types.is_binary_view(value)
    raw = raw or types.is_fixed_size_binary(value) or types.is_interval(value)
    if raw or types.is_nested(value) or isinstance(value, pa.BaseExtensionType):
        raise BadCell(0, f"the column is of type {kind}; allowed: text, numbers, dates")


def _in_utf8(data: Any, others: Literal["escaped", "missing"]) -> Any:
    """Return a pyarrow array whose text can be read: writers need not check that it is UTF-8."""
    import pyarrow as pa

    if pa.types.is_dictionary(data.type):
        kind, labels = data.type, _in_utf8(data.dictionary, others)
        return data if labels is data.dictionary else labels.take(data.indices).cast(kind.value_type)
    if not _is_text(data.type):
        return data
    try:
        data.validate(full=True)
    except pa.ArrowInvalid:
        cells = [_decoded(cell, others) for cell in data.cast(pa.large_binary()).to_pylist()]
        return pa.array(cells, data.type)
    return data


def _decoded(cell: bytes | None, others: Literal["escaped", "missing"]) -> str | None:
    if cell is None:
        return None
    try:
        return cell.decode()
    except UnicodeDecodeError:
        return cell.decode(errors="backslashreplace") if others == "escaped" else None


def _value_type(kind: Any) -> Any:
    from pyarrow import types

    return kind.value_type if types.is_dictionary(kind) else kind


def _is_number(kind: Any) -> bool:
    from pyarrow import types

    # float16, with its three digits, is refused, as in arrays and frames.
    floats = types.is_float32(kind) or types.is_float64(kind)
    return bool(types.is_integer(kind) or floats or types.is_decimal(kind))


def _is_text(kind: Any) -> bool:
    from pyarrow import types

    return bool(types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind))
