# SPDX-License-Identifier: MIT
"""One series of a result, as pictures need it: numbers, times, a name."""

from __future__ import annotations

import operator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt
from msgspec import structs

from rpsd._errors import InputError
from rpsd._mirror import is_frame, mirror
from rpsd._result import METRICS, Report
from rpsd.report._axis import PositionAxis, position_axis
from rpsd.report._canvas import check_drawable

if TYPE_CHECKING:
    from rpsd._options import Options
    from rpsd._result import Result

_F64 = npt.NDArray[np.float64]

# Standard deviations of noise and step together beyond which what was removed was a bad tick.
_BAD_TICK: Final = 8.0


@dataclass(frozen=True, eq=False)
class Subject:
    """One series before and after, and what was found.

    Attributes
    ----------
    x, y : ndarray of float64, shape (n,)
        Before and after; NaN leaves a hole.
    time : ndarray of datetime64 or numbers, shape (n,), or None
    zone : str
        Time zone of time, for the axis.
    name : str
        What the series is, for the axes.
    noise_sd, step_sd : float
        Of the noise model, in the units of x, or of its logarithm where log is set; NaN where unknown.
    log : bool
        Whether logarithms were denoised.
    level : int
        Wavelet levels used.
    report : Report or None
        Of this series alone.
    options : Options or None
        What was run.
    truth : ndarray of float64, shape (n,), or None
        The known truth of a simulation.
    """

    x: _F64
    y: _F64
    time: npt.NDArray[Any] | None = None
    zone: str = ""
    name: str = "price"
    noise_sd: float = float("nan")
    step_sd: float = float("nan")
    log: bool = False
    level: int = 0
    report: Report | None = None
    options: Options | None = None
    truth: _F64 | None = None

    def __post_init__(self) -> None:
        named = {"time": self.time, "x": self.x, "y": self.y, "truth": self.truth}
        lengths = {len(series) for series in named.values() if series is not None}
        if len(lengths) > 1:
            raise InputError(f"time, x, y and truth must have one length, got lengths {sorted(lengths)}")
        check_drawable({"x": self.x, "y": self.y, "truth": self.truth})

    @cached_property
    def axis(self) -> PositionAxis:
        """The time axis by position."""
        return position_axis(self.time, len(self.x), self.zone)

    @property
    def unit(self) -> str:
        """What a number of `scaled` is, for an axis."""
        return "log price" if self.log else "same unit"

    def scaled(self, series: _F64) -> _F64:
        """Return a series as it was worked on: its logarithm with space="log", NaN where there is none."""
        if not self.log:
            return series
        with np.errstate(divide="ignore", invalid="ignore"):
            logarithm = np.log(series)
        return np.where(np.isfinite(logarithm), logarithm, np.nan)

    def band(self) -> tuple[_F64, _F64] | None:
        """Return y less and plus one standard deviation of the noise; None where that is unknown or 0."""
        if not self.noise_sd > 0:
            return None
        if self.log:
            return self.y * np.exp(-self.noise_sd), self.y * np.exp(self.noise_sd)
        return self.y - self.noise_sd, self.y + self.noise_sd

    def seen(self) -> _F64:
        """Return x, scaled, without what was replaced as a bad tick: the samples that a model is about."""
        x = self.scaled(self.x)
        if not (self.noise_sd >= 0 and self.step_sd >= 0):
            return x
        with np.errstate(invalid="ignore"):
            ticks = np.abs(x - self.scaled(self.y)) > _BAD_TICK * (self.noise_sd + self.step_sd)
        return np.where(ticks, np.nan, x)

    def newest(self, most: int) -> Subject:
        """Return the newest samples alone, breaks with them."""
        start = max(len(self.x) - most, 0)
        options = self.options
        if options is not None and isinstance(options.breaks, np.ndarray):
            options = structs.replace(options, breaks=options.breaks[..., start:])
        return replace(
            self,
            x=self.x[start:],
            y=self.y[start:],
            time=None if self.time is None else self.time[start:],
            truth=None if self.truth is None else self.truth[start:],
            options=options,
        )


def subject_of(
    result: Result,
    series: Any = None,
    name: str | None = None,
    time: npt.NDArray[Any] | None = None,
    zone: str = "",
) -> Subject:
    """Return one series of a result.

    Parameters
    ----------
    result : Result
    series : int or label, optional
        Which one of several: its position in the batch, in C order, or the name of a column.
    name : str, optional
        For the axes; the name of the Series or column where none is given.
    time, zone
        As in `Subject`; those of the index of a pandas object where none are given.
    """
    place = _place(result, series)
    index = result.x.index if _is_pandas_alone(result) else None
    if time is None:
        time, zone = _times(index)
    label = _label(result, place)
    noise = result.noise

    def one(value: Any) -> Any:
        return np.ravel(value)[place]

    return Subject(
        x=_row(result, result.x, place),
        y=_row(result, result.values, place),
        time=time,
        zone=zone,
        name=name or (label if label is not None else "price"),
        noise_sd=float(one(noise.noise_sd)),
        step_sd=float(one(noise.step_sd)),
        log=result.options.space == "log",
        level=int(one(result.level)),
        report=report_of(result.report, place),
        options=result.options,
    )


def report_of(report: Report, place: int) -> Report:
    """Return the report of one series of a batch."""

    def one(value: Any) -> Any:
        return np.ravel(value)[place].item() if np.ndim(value) else value

    checks = tuple(
        replace(check, value=one(check.value), passed=bool(one(check.passed)), counts=bool(one(check.counts)))
        for check in report.checks
    )
    metrics = {name: one(getattr(report, name)) for name in METRICS}
    verdict = checks, bool(one(report.passed)), one(report.action)
    return Report(**metrics, judged=lambda: verdict)


def _place(result: Result, series: Any) -> int:
    shape = np.shape(result.action)
    count = int(np.prod(shape, dtype=np.intp))
    if series is None:
        if count == 1:
            return 0
        raise InputError(f"series must say which of the {count} series to draw, got None")
    if result.groups is not None and series in result.groups:
        return result.groups.index(series) * (count // len(result.groups))
    columns = getattr(result.x, "columns", None) if _is_pandas_alone(result) else None
    if columns is not None and series in columns:
        found = columns.get_loc(series)
        if isinstance(found, int):
            return found
        raise InputError(f"series must name one column, got {series!r}, which several have; give a position")
    try:
        place = operator.index(series)
    except TypeError:
        place = count
    if not 0 <= place < count:
        names = " or the name of a column" if columns is not None else ""
        names = " or the key of a group" if result.groups is not None else names
        raise InputError(f"series must be a position from 0 to {count - 1}{names}, got {series!r}")
    return place


def _row(result: Result, x: Any, place: int) -> _F64:
    """Return one series of x, the input or the output, as float64, missing as NaN."""
    axis, by, time, value = result.axis, result.by, result.time, result.value
    if by is not None:
        from rpsd.integrations._long import LongTable

        return LongTable(x, axis, by, time, value).series(place)
    if time is not None or value is not None or is_frame(x):
        rows = mirror(x, axis, time=time, value=value).stacked()
        return np.asarray(rows[place], np.float64)
    if hasattr(x, "iloc"):
        column = x if x.ndim == 1 else x.iloc[:, place]
        values: _F64 = column.to_numpy(dtype=np.float64, na_value=np.nan)
        return values
    array = np.moveaxis(np.asarray(x), axis, -1)
    outer = np.unravel_index(place, array.shape[:-1]) if array.ndim > 1 else ()
    return np.asarray(array[outer], np.float64)


def _is_pandas_alone(result: Result) -> bool:
    """Return whether every column of a pandas object is a series by its index."""
    named = result.by is not None or result.time is not None or result.value is not None
    return hasattr(result.x, "iloc") and not named


def _label(result: Result, place: int) -> str | None:
    x = result.x
    if result.groups is not None:
        group, column = divmod(place, max(np.size(result.action) // len(result.groups), 1))
        value = result.value[column] if isinstance(result.value, list) else result.value
        return " ".join(str(part) for part in (result.groups[group], value) if part is not None)
    if not _is_pandas_alone(result):
        return None
    label = x.name if x.ndim == 1 else x.columns[place]
    return None if label is None else str(label)


def _times(index: Any) -> tuple[npt.NDArray[Any] | None, str]:
    """Return the times of a pandas index by the clock of their zone, or its numbers, and the zone."""
    kind = type(index).__name__
    if kind == "DatetimeIndex":
        zone = index.tz
        return index.tz_localize(None).to_numpy(), "" if zone is None else str(zone)
    if kind == "PeriodIndex":
        return index.to_timestamp().to_numpy(), ""
    if index is None or kind == "RangeIndex" or getattr(index.dtype, "kind", "O") not in "iuf":
        return None, ""
    return index.to_numpy(), ""
