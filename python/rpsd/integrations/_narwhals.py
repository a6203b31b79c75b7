# SPDX-License-Identifier: MIT
"""Tables of polars, pyarrow and other Arrow libraries, through narwhals (extra: frames)."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from rpsd._arrow_forms import decoded
from rpsd._decimals import nearest_doubles
from rpsd._errors import ConfigError, InputError
from rpsd.integrations._groups import Groups, groups_of_codes, groups_of_order
from rpsd.integrations._tables import (
    ALLOWED_TIMES,
    Clock,
    Column,
    missing_key,
    no_keys,
    no_text,
    require_label,
)


class NarwhalsTable:
    """A frame of any library that narwhals knows, or one series or array as a frame of one column."""

    def __init__(self, x: Any, name: str) -> None:
        self.name = name
        self._nw = _narwhals(x)
        self._frame, self._back, self.is_series = _opened(self._nw, x, name)
        self.labels = list(self._frame.columns)
        if self._frame.implementation.is_pyarrow():
            for field in self._frame.to_native().schema:
                self._check_scale(field.name, field.type, field.type)
        self._schema = self._frame.schema

    def is_number(self, label: str) -> bool:
        dtype = self._schema[label]
        floats = self._nw.Float32 | self._nw.Float64
        return isinstance(dtype, floats) or dtype.is_integer() or self._is_decimal(label)

    def _check_scale(self, label: str, kind: Any, given: Any) -> None:
        """Refuse a decimal that narwhals has no type for, as what it raises names no column."""
        import pyarrow as pa

        if pa.types.is_decimal128(kind) and kind.scale < 0:
            name = self.name if self.is_series else f"{self.name}[{label!r}]"
            raise InputError(
                f"{name} must have digits down to units or below, got {given}: cast it to float64 or to a "
                "decimal of scale 0"
            )

    def _is_decimal(self, label: str) -> bool:
        if not self._frame.implementation.is_pyarrow():
            return bool(self._schema[label].is_decimal())
        import pyarrow as pa

        # narwhals knows those of 128 bits only.
        return bool(pa.types.is_decimal(self._frame.get_column(label).to_native().type))

    def column(self, label: str) -> Column:
        if not self.is_number(label):
            name = self.name if self.is_series else f"{self.name}[{label!r}]"
            allowed = "float32, float64, integers or decimals"
            kind = self._schema[label]
            use = f"; times are named by time={label!r}" if kind.is_temporal() else "; value names the prices"
            raise InputError(f"{name} must be {allowed}, got {kind}{'' if self.is_series else use}")
        given = self._frame.get_column(label)
        series = given if given.dtype.is_float() else given.cast(self._nw.Float64)
        nulls = series.is_null() if series.null_count() else None
        if self._is_decimal(label) and self._frame.implementation.is_pyarrow():
            values = nearest_doubles(given.to_native())
            values = values if nulls is None else np.where(nulls.to_numpy(), np.nan, values)
        else:
            values = np.ascontiguousarray(series.to_numpy())  # a null is NaN

        def restore(output: npt.NDArray[Any]) -> Any:
            fresh = self._nw.new_series(label, output, backend=self._frame.implementation)
            return fresh if nulls is None else fresh.zip_with(~nulls, series)

        return Column(values, restore)

    def clock(self, label: str) -> Clock:
        require_label(self, label, "time", self.labels)
        series = self._frame.get_column(label)
        dtype = series.dtype
        if isinstance(dtype, self._nw.Date | self._nw.Datetime):
            numbers = series.dt.timestamp("ns" if getattr(dtype, "time_unit", "us") == "ns" else "us")
        elif dtype.is_integer() or dtype.is_float():
            numbers = series
        else:
            raise InputError(f"{self.name}[{label!r}] must hold {ALLOWED_TIMES}, got {dtype}")
        times = numbers.to_numpy()
        missing = series.is_null().to_numpy() if series.null_count() else np.isnan(times)
        if times.dtype.kind == "u":
            times = times.astype(np.int64)  # differences of unsigned numbers are never below zero
        return Clock(times, missing if missing.any() else None, lambda row: str(series[int(row)]))

    def own_clock(self, by: Sequence[str]) -> Clock | None:
        return None

    def groups(self, by: Sequence[str]) -> Groups:
        for label in by:
            require_label(self, label, "by", self.labels)
            keys = self._decoded(self._frame.get_column(label))
            missing = keys.is_nan() if keys.dtype.is_float() else keys.is_null()
            if keys.null_count() or missing.any():
                raise missing_key(
                    self.name, label, np.flatnonzero((keys.is_null() | missing).fill_null(True).to_numpy())
                )
        if self._frame.implementation.is_polars():
            return _groups_of_polars([self._frame.get_column(label).to_native() for label in by])
        table = self._frame.select(*by).to_arrow()
        try:
            return _groups_of_arrow(table)
        except NotImplementedError:
            raise no_keys(self.name, by, [column.type for column in table.columns]) from None

    def _decoded(self, keys: Any) -> Any:
        """Return keys; of a dictionary of pyarrow's, which may hold NaN or null, those of each row."""
        if not self._frame.implementation.is_pyarrow():
            return keys
        native = keys.to_native()
        try:
            plain = decoded(native)
        except NotImplementedError:  # pyarrow's own is one
            raise no_keys(self.name, [keys.name], [native.type]) from None
        self._check_scale(keys.name, plain.type, native.type)
        return self._nw.from_native(plain, series_only=True)

    def keys(self, by: Sequence[str], rows: npt.NDArray[np.intp]) -> list[tuple[Any, ...]]:
        try:
            columns = [self._decoded(self._frame.get_column(label))[rows.tolist()].to_list() for label in by]
        except UnicodeDecodeError as error:
            raise no_text(self.name, by, error) from None
        return list(zip(*columns, strict=True))

    def replaced(self, columns: dict[str, Any]) -> Any:
        if self.is_series:
            return self._back(columns[self.labels[0]])
        return self._back(self._frame.with_columns(*columns.values()))


def _narwhals(x: Any) -> Any:
    try:
        import narwhals
    except ModuleNotFoundError as error:
        if error.name != "narwhals":
            raise
        kind = f"{type(x).__module__.partition('.')[0]}.{type(x).__name__}"
        raise ConfigError(f'a {kind} needs the "frames" extra: pip install "rpsd[frames]"') from None
    return narwhals


def _opened(nw: Any, x: Any, name: str) -> tuple[Any, Callable[[Any], Any], bool]:
    """Return x as a frame of narwhals, how to make an object as x of one, and whether x is one series.

    A series is made of a series.
    """
    if isinstance(x, nw.DataFrame):
        return x, lambda frame: frame, False
    if isinstance(x, nw.Series):
        return x.to_frame(), lambda series: series, True
    try:
        found = nw.from_native(x, eager_only=True, allow_series=True, pass_through=True)
    except nw.exceptions.DuplicateError:
        raise _not_unique(x.schema.names, name) from None
    if isinstance(found, nw.DataFrame):
        return found, lambda frame: frame.to_native(), False
    if isinstance(found, nw.Series):
        return found.to_frame(), lambda series: series.to_native(), True
    if hasattr(x, "__arrow_c_stream__") or hasattr(x, "__arrow_c_array__"):
        return _opened_arrow(nw, x, name)
    raise InputError(
        f"{name} must hold data, got {type(x).__module__.partition('.')[0]}.{type(x).__name__}, which is "
        "lazy: collect it first, or use polars expressions (import rpsd.integrations.polars)"
    )


def _not_unique(names: Sequence[str], name: str) -> InputError:
    twice = next((label for label in names if names.count(label) > 1), "")
    return InputError(
        f"{name} must have columns of different names, got {names.count(twice)} named {twice!r}: rename them"
    )


def _opened_arrow(nw: Any, x: Any, name: str) -> tuple[Any, Callable[[Any], Any], bool]:
    """Open any object with the Arrow PyCapsule interface by pyarrow.

    What comes back is made by the `from_arrow` of its type, where it has one, and else is pyarrow's.
    """
    try:
        import pyarrow as pa
    except ModuleNotFoundError as error:
        if error.name != "pyarrow":
            raise
        kind = f"{type(x).__module__}.{type(x).__name__}"
        raise ConfigError(f"a {kind} is read with pyarrow: pip install pyarrow") from None

    whole = isinstance(x, pa.RecordBatch | pa.Array) or not hasattr(x, "__arrow_c_stream__")
    data = pa.chunked_array([pa.array(x)] if whole else x)
    if pa.types.is_struct(data.type):
        metadata = x.schema.metadata if isinstance(x, pa.RecordBatch) else None
        data = pa.Table.from_struct_array(data).replace_schema_metadata(metadata)
    if isinstance(data, pa.Table) and len(set(data.column_names)) < data.num_columns:
        raise _not_unique(data.column_names, name)
    made = None if type(x).__module__.startswith("pyarrow.") else getattr(type(x), "from_arrow", None)

    def alike(result: Any) -> Any:
        if whole and isinstance(result, pa.Table):
            arrays = [_array(column) for column in result.columns]
            result = pa.RecordBatch.from_arrays(arrays, schema=result.schema)
            if isinstance(x, pa.StructArray):
                result = result.to_struct_array()
        elif whole:
            result = _array(result)
        return result if made is None else made(result)

    frame = nw.from_native(data, allow_series=True)
    single = isinstance(frame, nw.Series)
    return frame.to_frame() if single else frame, lambda out: alike(out.to_native()), single


def _array(chunked: Any) -> Any:
    """Return a chunked array as an array, without a copy of one chunk."""
    return chunked.chunk(0) if chunked.num_chunks == 1 else chunked.combine_chunks()


def _groups_of_polars(keys: list[Any]) -> Groups:
    import polars as pl

    names = [str(k) for k in range(len(keys))]  # a user's name may be a pattern to polars
    table = pl.DataFrame([key.alias(name) for key, name in zip(keys, names, strict=True)])
    grouped = table.with_row_index("row").group_by(names, maintain_order=True).agg("row")["row"]
    return groups_of_order(grouped.explode().to_numpy(), grouped.list.len().to_numpy())


def _groups_of_arrow(table: Any) -> Groups:
    found = []
    for column in table.columns:
        encoded = decoded(column).dictionary_encode().combine_chunks()
        found.append((encoded.indices.to_numpy(), len(encoded.dictionary)))
    return groups_of_codes(found, table.num_rows)
