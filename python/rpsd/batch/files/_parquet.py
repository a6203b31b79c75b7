# SPDX-License-Identifier: MIT
"""A Parquet file whose schema and other columns are kept."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from rpsd._errors import InputError
from rpsd.batch.files import _times
from rpsd.batch.files._numbers import BadCell
from rpsd.batch.files._times import Times

_F64 = npt.NDArray[np.float64]


class ParquetTable:
    """A Parquet file; see `rpsd.batch.files._table.Table` for the methods."""

    suffix: Final = ".parquet"

    def __init__(self, data: bytes, name: str) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        self.name = name
        self.mends: tuple[str, ...] = ()
        try:
            self._table = pq.read_table(pa.BufferReader(data))
        except (pa.ArrowException, OSError) as error:
            raise InputError(f"{name}: not a readable Parquet file: {str(error).splitlines()[0]}") from None
        self.columns = tuple(self._table.column_names)
        self.rows = self._table.num_rows
        if not self.rows:
            raise InputError(f"{name}: no data rows")

    @property
    def metadata(self) -> Mapping[str, Any]:
        """What rpsd wrote beside the columns; empty in files of others."""
        try:
            kept = json.loads((self._table.schema.metadata or {}).get(b"rpsd", b"{}"))
        except ValueError:
            return {}
        return kept if isinstance(kept, dict) else {}

    def place(self, row: int) -> str:
        """Return where a row stands in the file."""
        return f"row {row + 1}"

    def looks_numeric(self, column: int) -> bool:
        """Tell whether a column holds numbers."""
        from pyarrow import types

        kind = self._table.schema.field(column).type
        return bool(types.is_integer(kind) or types.is_floating(kind) or types.is_decimal(kind))

    def looks_like_time(self, column: int) -> bool:
        """Tell whether a column holds times, by its type or as text."""
        from pyarrow import types

        kind = self._table.schema.field(column).type
        if types.is_string(kind) or types.is_large_string(kind):
            cells = self._table.column(column).slice(0, 1000).to_pylist()
            return _times.looks_like_time([cell or "" for cell in cells])
        return bool(types.is_timestamp(kind) or types.is_date(kind))

    def numbers(self, column: int) -> _F64:
        """Read a column as float64, nulls as NaN."""
        import pyarrow as pa

        kind = self._table.schema.field(column).type
        if not self.looks_numeric(column):
            raise BadCell(0, f"the column is of type {kind}; allowed: integer, floating or decimal")
        cast = self._table.column(column).combine_chunks().cast(pa.float64(), safe=False)
        values: _F64 = cast.to_numpy(zero_copy_only=False)
        infinite = np.isinf(values)
        if infinite.any():
            row = int(np.argmax(infinite))
            raise BadCell(row, f"{values[row]} is infinite; allowed: a finite number, or null for missing")
        return values

    def times(self, column: int) -> Times:
        """Read a column as times."""
        import pyarrow as pa
        from pyarrow import types

        data = self._table.column(column).combine_chunks()
        if types.is_string(data.type) or types.is_large_string(data.type):
            return _times.read_times(data.cast(pa.large_string()).fill_null(""))
        if not (self.looks_like_time(column) or self.looks_numeric(column)):
            raise BadCell(0, f"the column is of type {data.type}; allowed: timestamp, date, number or text")
        return _times.read_arrow_times(data)

    def labels(self, column: int) -> Any:
        """Return a column of text as a pyarrow dictionary array, or None where it holds something else."""
        from pyarrow import types

        data = self._table.column(column).combine_chunks()
        if types.is_dictionary(data.type):
            data = data.cast(data.type.value_type)
        if not (types.is_string(data.type) or types.is_large_string(data.type)) or self.looks_like_time(
            column
        ):
            return None
        return data.dictionary_encode()

    def replaced(self, values: Mapping[int, _F64], metadata: Mapping[str, Any]) -> list[Any]:
        """Return the file with new numbers: float32 stays float32, all other number types become float64.

        `metadata` is stored as JSON under the schema's key ``rpsd``.
        """
        import pyarrow as pa
        import pyarrow.parquet as pq

        table = self._table
        for column, new in values.items():
            field = table.schema.field(column)
            kind = field.type if pa.types.is_float32(field.type) else pa.float64()
            # Nulls stay nulls; a NaN in the input, or before the first causal value, stays NaN.
            nulls = np.asarray(table.column(column).combine_chunks().is_null())
            array = pa.array(new, mask=nulls).cast(kind)
            table = table.set_column(column, field.with_type(kind), array)
        kept = table.schema.metadata or {}
        table = table.replace_schema_metadata({**kept, b"rpsd": json.dumps(metadata).encode()})
        sink = pa.BufferOutputStream()
        pq.write_table(table, sink)
        return [sink.getvalue()]
