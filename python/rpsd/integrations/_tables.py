# SPDX-License-Identifier: MIT
"""Tables whose columns have names: what the mirrors of frames and of long tables ask of them."""

from collections.abc import Callable, Hashable, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from rpsd._arrow_forms import decoded
from rpsd._errors import InputError
from rpsd._mirror import Batch, is_frame, is_pandas, pandas_column
from rpsd.integrations._groups import Groups, groups_of_codes

_TIMED = ("DatetimeIndex", "PeriodIndex", "TimedeltaIndex")
#: What a column of times may hold.
ALLOWED_TIMES = "times, dates or numbers"


class Column(NamedTuple):
    """The values of a column, and how to give an output the column's own kind of array.

    values are float32 or float64, contiguous, missing as NaN, and share memory with the column where its
    layout allows it; they are never written to.
    """

    values: npt.NDArray[Any]
    restore: Callable[[npt.NDArray[Any]], Any]


class Clock(NamedTuple):
    """A column of times as numbers of one unit, where there is none, and how to show the one of a row."""

    times: npt.NDArray[Any]
    missing: npt.NDArray[np.bool_] | None
    shown: Callable[[int], str]


class Table(Protocol):
    """A table of the library that it came from."""

    name: str
    is_series: bool  # one series, for which no column can be named
    labels: list[Any]  # the names of the columns, in order

    def is_number(self, label: Any) -> bool:
        """Return whether a column can be denoised."""

    def column(self, label: Any) -> Column:
        """Return a column of prices; InputError where it is none."""

    def clock(self, label: Any) -> Clock:
        """Return a column of times; InputError where it is none."""

    def own_clock(self, by: Sequence[Any]) -> Clock | None:
        """Return the times that the table has beside its columns."""

    def groups(self, by: Sequence[Any]) -> Groups:
        """Return which rows are whose; InputError for a row without a key."""

    def keys(self, by: Sequence[Any], rows: npt.NDArray[np.intp]) -> list[tuple[Any, ...]]:
        """Return the keys of some rows."""

    def replaced(self, columns: dict[Any, Any]) -> Any:
        """Return an object as the one that came, with these restored columns in place of its own."""


def table_of(x: Any, name: str) -> Table:
    """Return x as a table; InputError where it has no columns."""
    if is_pandas(x):
        return PandasTable(x, name)
    if is_frame(x):
        from rpsd.integrations._narwhals import NarwhalsTable

        return NarwhalsTable(x, name)
    raise InputError(
        f"by, time and value name columns: {name} must be a table (pandas, polars, pyarrow), "
        f"got {type(x).__name__}"
    )


def several(given: Any) -> tuple[Any, ...]:
    """Return one label or a list of labels as a tuple."""
    if given is None:
        return ()
    return tuple(given) if isinstance(given, list) else (given,)


def require_label(table: Table, label: Any, argument: str, labels: Sequence[Any]) -> None:
    """Refuse a name that no column has, or several."""
    count = labels.count(label) if isinstance(label, Hashable) else 0
    if count == 0:
        names = ", ".join(map(repr, labels[:20])) + (", ..." if len(labels) > 20 else "")
        raise InputError(f"{argument} must name a column of {table.name} ({names}), got {label!r}")
    if count > 1:
        raise InputError(
            f"{argument} must name one column of {table.name}, got {label!r}, which {count} have"
        )


def series_columns(table: Table, by: tuple[Any, ...], time: Any, value: Any) -> list[Any]:
    """Return the labels of the columns to denoise: those of value, or those that are left."""
    if value is not None:
        if table.is_series:
            raise InputError(f"value names a column of a table, got {value!r} for a single series")
        chosen = list(several(value))
        if {*chosen} & {*by, time}:
            raise InputError(f"value must name other columns than by and time, got {value!r}")
    else:
        chosen = [label for label in table.labels if table.is_series or (label not in by and label != time)]
        if by:
            chosen = [label for label in chosen if table.is_number(label)]
            if len(chosen) != 1:
                came = ", ".join(map(repr, chosen)) or "none that holds numbers"
                raise InputError(
                    f"value must name the column of prices in {table.name}, got None for: {came}"
                )
    for label in chosen:
        require_label(table, label, "value", table.labels)
    return chosen


def stacked(columns: list[Column]) -> tuple[list[Batch], npt.NDArray[np.intp]]:
    """Return the columns as one batch for each dtype, and where each stands among the rows of all."""
    dtypes = sorted({column.values.dtype for column in columns}, key=str)
    groups = [[j for j, column in enumerate(columns) if column.values.dtype == dtype] for dtype in dtypes]
    order = np.argsort(np.array([j for group in groups for j in group], dtype=np.intp))
    # One column is a batch as it is, without a copy.
    batches = [
        columns[group[0]].values.reshape(1, -1)
        if len(group) == 1
        else np.stack([columns[j].values for j in group])
        for group in groups
    ]
    return batches, order


class PandasTable:
    """A pandas DataFrame, or a Series as a table of one column; by and time may be levels of the index."""

    def __init__(self, x: Any, name: str) -> None:
        self.name = name
        self.is_series = x.ndim == 1
        self._x = x
        self.labels = [x.name] if self.is_series else list(x.columns)
        self._places = {label: j for j, label in enumerate(self.labels)}

    def is_number(self, label: Any) -> bool:
        dtype = self._values(label).dtype
        return getattr(dtype, "kind", "O") in "iuf" or str(dtype).startswith("decimal")

    def column(self, label: Any) -> Column:
        name = self.name if self.is_series else f"{self.name}[{label!r}]"
        return Column(*pandas_column(self._values(label), name))

    def clock(self, label: Any) -> Clock:
        return self._clock(self._key(label, "time"), label)

    def own_clock(self, by: Sequence[Any]) -> Clock | None:
        index = self._x.index
        timed = [
            level
            for level, label in enumerate(index.names)
            if label not in by and type(_times(index.get_level_values(level))).__name__ in _TIMED
        ]
        return self._clock(index.get_level_values(timed[0]), "index") if len(timed) == 1 else None

    def groups(self, by: Sequence[Any]) -> Groups:
        import pandas

        found = []
        for label in by:
            key = self._key(label, "by")
            try:
                codes, kinds = pandas.factorize(key)
            except (NotImplementedError, TypeError):  # of pyarrow, and of what has no hash
                raise no_keys(self.name, [label], [key.dtype]) from None
            missing = codes < 0
            if getattr(kinds.dtype, "kind", "O") == "f":  # NaN in an Arrow-backed column is a kind to pandas
                nan = np.isnan(kinds.to_numpy(dtype=np.float64, na_value=np.nan))
                missing = np.append(nan, True)[codes]
            if missing.any():
                raise missing_key(self.name, label, np.flatnonzero(missing))
            found.append((codes, len(kinds)))
        return groups_of_codes(found, len(self._x))

    def keys(self, by: Sequence[Any], rows: npt.NDArray[np.intp]) -> list[tuple[Any, ...]]:
        try:
            columns = [self._key(label, "by").take(rows).tolist() for label in by]
        except UnicodeDecodeError as error:
            raise no_text(self.name, by, error) from None
        return list(zip(*columns, strict=True))

    def replaced(self, columns: dict[Any, Any]) -> Any:
        kind, index = type(self._x), self._x.index
        if self.is_series:
            return kind(columns[self._x.name], index=index, name=self._x.name)
        frame = self._x.copy(deep=False)
        for label, values in columns.items():
            frame.isetitem(self._places[label], values)
        return frame

    def _values(self, label: Any) -> Any:
        return self._x if self.is_series else self._x.iloc[:, self._places[label]]

    def _key(self, label: Any, argument: str) -> Any:
        """Return a column, or a level of the index, as an index."""
        import pandas

        columns = [] if self.is_series else self.labels
        levels = [level for level in self._x.index.names if level is not None]
        require_label(self, label, argument, [*columns, *levels])
        if label in levels:
            return self._x.index.get_level_values(label)
        values = self._values(label)
        if isinstance(values.dtype, pandas.ArrowDtype):
            import pyarrow

            array = pyarrow.array(values)
            chunks = [array] if isinstance(array, pyarrow.Array) else array.chunks
            plain = decoded(pyarrow.chunked_array(chunks, array.type))
            return pandas.Index(pandas.arrays.ArrowExtensionArray(plain), name=label)
        try:
            return pandas.Index(values)
        except NotImplementedError:  # float16
            raise InputError(
                f"{self.name}[{label!r}] must have a type that pandas has an index of, got {values.dtype}: "
                "convert it"
            ) from None

    def _clock(self, index: Any, label: Any) -> Clock:
        index = _times(index)
        missing = np.asarray(index.isna())
        if type(index).__name__ in _TIMED:
            times = index.asi8
        elif getattr(index.dtype, "kind", "O") in "iuf":
            exact = np.float64 if index.dtype.kind == "f" or missing.any() else np.int64
            times = index.to_numpy(dtype=exact, **({"na_value": np.nan} if missing.any() else {}))
        else:
            hint = f"; parse it first: pandas.to_datetime({self.name}[{label!r}])"
            raise InputError(
                f"{self.name}[{label!r}] must hold {ALLOWED_TIMES}, got dtype {index.dtype}{hint}"
            )
        return Clock(times, missing if missing.any() else None, lambda row: str(index[row]))


def _times(index: Any) -> Any:
    """Return an Arrow-backed index of times as one of pandas' own."""
    import pandas

    arrow = isinstance(index.dtype, pandas.ArrowDtype) and index.dtype.kind == "M"
    return pandas.DatetimeIndex(index) if arrow else index


def no_keys(name: str, by: Sequence[Any], kinds: Sequence[Any]) -> InputError:
    """Return the error for columns of which one cannot be compared."""
    came = ", ".join(f"{name}[{label!r}] of type {kind}" for label, kind in zip(by, kinds, strict=True))
    return InputError(f"by must name columns of text, numbers, flags, times or bytes, got {came}: convert it")


def no_text(name: str, by: Sequence[Any], error: UnicodeDecodeError) -> InputError:
    """Return the error for keys whose bytes are no text."""
    which = ", ".join(f"{name}[{label!r}]" for label in by)
    return InputError(f"{which} must have keys in UTF-8, got {error.object!r}")


def missing_key(name: str, label: Any, rows: npt.NDArray[np.intp]) -> InputError:
    """Return the error for rows that belong to no series."""
    return InputError(
        f"{name}[{label!r}] must have a key for each row, got none at row {rows[0]} ({len(rows)} in all); "
        "a row without a key is of no series: drop such rows, or give them a key"
    )
