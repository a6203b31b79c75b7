# SPDX-License-Identifier: MIT
"""Turn what users pass into series x time arrays for the core, and results back into what they passed."""

import reprlib
from collections.abc import Callable, Hashable
from typing import Any, NoReturn

import numpy as np
import numpy.typing as npt

from rpsd._errors import ConfigError, InputError, RpsdError, warn
from rpsd._pandas import pandas_type

#: A C-contiguous series x time array in the machine's byte order, float32 or float64.
Batch = npt.NDArray[Any]
#: One name of a column, or a list of several; pandas takes anything hashable for a name. None is hashable.
Labels = Hashable | list[Any]

_FIRST = np.zeros(1, dtype=np.intp)
_MOST_THREADS = 1024
# More series than _MANY_SERIES of fewer samples than _FEW_SAMPLES are most likely transposed.
_FEW_SAMPLES, _MANY_SERIES = 8, 64
_TIMED = ("DatetimeIndex", "PeriodIndex", "TimedeltaIndex")


class Mirror:
    """One input: its series as batches for the core, and the way back.

    A batch is every series of one dtype (an ndarray is one batch; a DataFrame has at most two).

    Attributes
    ----------
    batches : list of ndarray, shape (series, time)
        float32 or float64; may share memory with the input, which is never written.
    rebuild : callable
        Takes one output array for each batch, same shapes, and returns the mirrored object.
    shape : tuple of int
        Shape of one value per series: ``()`` for a single series.
    order : ndarray of int
        Where series j of the input stands among the rows of all batches.
    index : pandas.Index or None
        The labels of the samples, where the input has any.
    """

    __slots__ = ("_clock", "batches", "index", "order", "rebuild", "shape")

    def __init__(
        self,
        batches: list[Batch],
        rebuild: Callable[[list[Batch]], Any],
        shape: tuple[int, ...],
        order: npt.NDArray[np.intp],
        index: Any = None,
        clock: npt.NDArray[Any] | None = None,
    ) -> None:
        self.batches = batches
        self.rebuild = rebuild
        self.shape = shape
        self.order = order
        self.index = index
        self._clock = clock

    @property
    def times(self) -> npt.NDArray[Any] | None:
        """The times of the samples, ascending, where the input has an index or a column of times."""
        if self._clock is not None:
            return self._clock
        timed = type(self.index).__name__ in _TIMED
        return np.asarray(self.index.asi8, dtype=np.int64) if timed else None

    def stacked(self, outputs: list[Batch] | None = None) -> npt.NDArray[np.float64]:
        """Return all series (or outputs of the same layout) as one float64 batch in the input's order."""
        batches = self.batches if outputs is None else outputs
        if len(batches) == 1:
            return batches[0].astype(np.float64, copy=False)
        rows = [row for batch in batches for row in batch]
        return np.array([rows[j] for j in self.order], dtype=np.float64) if rows else np.empty((0, 0))

    def per_series(self, parts: list[npt.NDArray[Any]]) -> Any:
        """Return one value per series, given batch by batch, in the input's order."""
        if len(parts) == 1:
            return self.shaped(parts[0])
        return self.shaped(np.concatenate(parts)[self.order] if parts else np.empty(0))

    def shaped(self, values: npt.NDArray[Any]) -> Any:
        """Return one value per series in the input's shape; a scalar for a single series."""
        return values[0].item() if self.shape == () else values.reshape(self.shape)


def mirror(x: Any, axis: int, name: str = "x", *, time: Hashable = None, value: Labels = None) -> Mirror:
    """Return the mirror of an array-like, a pandas object, or a frame or array of another library.

    time and value name columns of a table: that of the times, and those that are series.
    """
    if time is not None or value is not None or is_frame(x):
        from rpsd.integrations._frames import mirror_table  # narwhals is for frames alone

        return mirror_table(x, axis, name, time, value)
    if not isinstance(x, np.ndarray):
        if isinstance(x, pandas_type("Series")):
            return _mirror_series(x, axis, name)
        if isinstance(x, pandas_type("DataFrame")):
            return _mirror_frame(x, axis, name)
    return _mirror_array(numeric_array(x, name), axis, name)


def is_pandas(x: Any) -> bool:
    """Return whether x is a pandas Series or DataFrame."""
    return isinstance(x, (*pandas_type("Series"), *pandas_type("DataFrame")))


def is_frame(x: Any) -> bool:
    """Return whether x is a frame, a series or an array of polars, pyarrow or another Arrow library."""
    if isinstance(x, np.ndarray | list | tuple):
        return False
    arrow = hasattr(x, "__arrow_c_stream__") or hasattr(x, "__arrow_c_array__")
    # What is lazy has no data to give away, and gets an error that says so.
    return (arrow and not is_pandas(x)) or type(x).__module__.startswith(("narwhals.", "polars."))


def numeric_array(x: Any, name: str) -> npt.NDArray[Any]:
    """Return x as a float32 or float64 array in native byte order: integers become float64, unscaled."""
    if isinstance(x, np.ma.MaskedArray):
        raise InputError(f"{name} must not be a masked array; fill the mask with NaN: {name}.filled(np.nan)")
    try:
        array = np.asarray(x)
    except (TypeError, ValueError) as error:
        raise InputError(f"{name} must be an array of numbers, got {type(x).__name__}: {error}") from None
    if array.dtype.kind == "f" and array.dtype.itemsize in (4, 8):
        return array.astype(array.dtype.newbyteorder("="), copy=False)
    if array.dtype.kind in "iu":
        return array.astype(np.float64)
    if array.size == 0 and not isinstance(x, np.ndarray):
        return array.astype(np.float64)
    hint = _object_hint(array) if array.dtype == object else ""
    raise InputError(f"{name} must be float32, float64 or integers, got dtype {array.dtype}{hint}")


def _object_hint(array: npt.NDArray[Any]) -> str:
    """Say what is no number among Python objects, or that they only need converting."""
    for place, item in enumerate(array.flat):
        if item is None or type(item).__name__ in {"NAType", "NaTType"}:
            return f" with {item} at position {place}; a missing value is NaN, not {item}"
        if isinstance(item, bool) or not isinstance(item, int | float | np.integer | np.floating):
            return f" with {type(item).__name__} {reprlib.repr(item)} at position {place}"
    return ', all numbers; convert them: .astype("float64")'


def _mirror_array(x: npt.NDArray[Any], axis: int, name: str) -> Mirror:
    if x.ndim == 1 and axis in (-1, 0) and x.flags.c_contiguous and x.flags.aligned:
        return Mirror([x.reshape(1, -1)], _only_row, (), _FIRST)
    # A table of columns is the other way round; axis=1 says that it is meant as it is.
    if x.ndim == 2 and axis == -1 and 0 < x.shape[1] < _FEW_SAMPLES and x.shape[0] > _MANY_SERIES:
        warn(
            f"{name} of shape {x.shape} is taken for {x.shape[0]} series of {x.shape[1]} sample(s): axis=0 "
            "where its columns are the series, axis=1 if they are not"
        )
    axis = checked_axis(axis, x.ndim, name)
    last = np.moveaxis(x, axis, -1)
    outer, n = last.shape[:-1], last.shape[-1]
    batch = np.require(last, requirements=["C", "A"]).reshape(int(np.prod(outer, dtype=np.intp)), n)

    def rebuild(outputs: list[Batch]) -> Any:
        return np.moveaxis(outputs[0].reshape(*outer, n), -1, axis)

    return Mirror([batch], rebuild, outer, np.arange(len(batch)))


def _only_row(outputs: list[Batch]) -> Any:
    return outputs[0][0]


def checked_axis(axis: int, ndim: int, name: str) -> int:
    """Return axis counted from the front, or raise InputError."""
    if ndim == 0:
        raise InputError(f"{name} must have at least one dimension, got a scalar")
    if isinstance(axis, bool) or not isinstance(axis, int | np.integer) or not -ndim <= axis < ndim:
        raise InputError(f"axis must be an integer from {-ndim} to {ndim - 1} for this {name}, got {axis!r}")
    return int(axis) % ndim


def _mirror_series(x: Any, axis: int, name: str) -> Mirror:
    if axis not in (-1, 0):
        raise InputError(f"axis must be 0 or -1 for a Series, got {axis!r}")
    check_index(x.index, name)
    values, restore = pandas_column(x, name)

    def rebuild(outputs: list[Batch]) -> Any:
        # The output is nobody else's; pandas 3 would copy it. Others' classes need not know how not to.
        more = {"copy": False} if type(x).__module__.partition(".")[0] == "pandas" else {}
        return type(x)(restore(outputs[0][0]), index=x.index, name=x.name, **more)

    return Mirror([values.reshape(1, -1)], rebuild, (), _FIRST, x.index)


def _mirror_frame(x: Any, axis: int, name: str) -> Mirror:
    if axis not in (-1, 0):
        raise InputError(f"axis must be 0 (or -1) for a DataFrame, whose rows are time, got {axis!r}")
    check_index(x.index, name)
    columns = [pandas_column(x.iloc[:, j], f"{name}[{x.columns[j]!r}]") for j in range(x.shape[1])]
    dtypes = sorted({values.dtype for values, _ in columns}, key=str)
    groups = [[j for j, (values, _) in enumerate(columns) if values.dtype == dtype] for dtype in dtypes]
    batches = [np.stack([columns[j][0] for j in group]) for group in groups]
    order = np.argsort(np.array([j for group in groups for j in group], dtype=np.intp))

    def rebuild(outputs: list[Batch]) -> Any:
        rows = [row for output in outputs for row in output]
        frame = type(x)({j: restore(rows[order[j]]) for j, (_, restore) in enumerate(columns)}, index=x.index)
        frame.columns = x.columns
        return frame

    return Mirror(batches, rebuild, (len(columns),), order, x.index)


def pandas_column(x: Any, name: str) -> tuple[npt.NDArray[Any], Callable[[npt.NDArray[Any]], Any]]:
    """Return the values of a pandas column, and how to give an output the column's own kind of array."""
    dtype = x.dtype
    if isinstance(dtype, np.dtype):
        return np.ascontiguousarray(numeric_array(x.to_numpy(), name)), np.asarray
    # pandas' nullable and Arrow-backed numbers tell their kind; sparse ones have no size of an item.
    kind = getattr(dtype, "kind", "O") if hasattr(dtype, "itemsize") else "O"
    if (kind not in "iuf" or (kind == "f" and dtype.itemsize == 2)) and not str(dtype).startswith("decimal"):
        allowed = "float32, float64, integers or decimals, of NumPy, nullable or Arrow-backed"
        raise InputError(f"{name} must be {allowed}, got dtype {dtype}")
    single = kind == "f" and dtype.itemsize == 4
    values = np.ascontiguousarray(x.to_numpy(dtype=np.float32 if single else np.float64, na_value=np.nan))
    if kind == "f":
        target = dtype
    else:
        target = "Float64" if str(dtype).startswith(("Int", "UInt")) else "double[pyarrow]"
    series = type(x)
    return values, lambda output: series(output).astype(target).array


def check_index(index: Any, name: str) -> None:
    """Refuse a pandas index that is of several series, or whose times are missing or go backwards."""
    if index.nlevels > 1 and any(len(index.unique(k)) > 1 for k in range(index.nlevels - 1)):
        keys = list(index.names[:-1])
        each = f"{name}.groupby(level=0).transform(rpsd.denoise)" if None in keys else f"by={keys!r}"
        raise InputError(
            f"{name}.index must be of one series, got {index.nlevels} levels with several values before the "
            f"last; denoise each by itself: {each}"
        )
    if type(index).__name__ not in _TIMED:
        return
    if index.hasnans:
        row = int(index.isna().argmax())
        raise InputError(f"{name}.index must have a time for each row, got NaT at row {row}")
    if not index.is_monotonic_increasing:
        backwards = np.flatnonzero(np.diff(index.asi8) < 0)[0] + 1
        raise InputError(
            f"{name}.index must not go back in time, got {index[backwards]} after {index[backwards - 1]} "
            f"at row {backwards}; sort it first: {name}.sort_index()"
        )
    repeated = int(index.duplicated().sum())
    if repeated:
        warn(
            f"{name}.index repeats {repeated} of {len(index)} times; rows are taken in the order given",
        )


def require_same_labels(x: Any, y: Any) -> None:
    """Refuse two pandas objects with other labels: by position they would be compared wrongly."""
    for axis in ("index", "columns"):
        labels, others = getattr(x, axis, None), getattr(y, axis, None)
        if labels is None or others is None or not hasattr(labels, "equals"):
            continue
        if not labels.equals(others):
            raise InputError(f"y.{axis} must equal x.{axis}, label for label and in order; align them first")


def checked_threads(threads: int) -> int:
    """Return threads as int, or raise InputError: 0 means one for each processor."""
    whole = isinstance(threads, int | np.integer) and not isinstance(threads, bool)
    if not whole or not 0 <= threads <= _MOST_THREADS:
        allowed = f"an integer from 0 (all processors) to {_MOST_THREADS}"
        raise InputError(f"threads must be {allowed}, got {threads!r}")
    return int(threads)


def checked_out(out: Any, values: Any) -> npt.NDArray[Any]:
    if not isinstance(values, np.ndarray):
        raise InputError(f"out is for ndarrays only, got x of type {type(values).__name__}")
    if not isinstance(out, np.ndarray) or out.shape != values.shape or out.dtype != values.dtype:
        got = f"{out.dtype} {out.shape}" if isinstance(out, np.ndarray) else type(out).__name__
        raise InputError(f"out must be an ndarray of {values.dtype} {values.shape}, got {got}")
    if not out.flags.writeable:
        raise InputError("out must be writeable, got a read-only array")
    return out


def raise_from_core(error: ValueError) -> NoReturn:
    """Raise the core's standard exception as rpsd's own."""
    text = str(error)
    kind: type[RpsdError] = ConfigError if text.startswith("RPSD_ISA") else InputError
    raise kind(text) from None
