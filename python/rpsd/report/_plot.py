# SPDX-License-Identifier: MIT
"""Draw a series before and after denoising, and what was removed or revised."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from rpsd._errors import InputError
from rpsd.report._axis import PositionAxis, position_axis

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from rpsd._vintages import Vintages

_F64 = npt.NDArray[np.float64]

_RAW: Final = "#9aa5b1"
_DENOISED: Final = "#b3261e"
_REMOVED: Final = "#1f5f8b"
# Above this many points a line is drawn as the range of each of so many stretches: it looks the same.
_MOST_POINTS: Final = 8000
_DPI: Final = 120
_LARGEST: Final = 1e300


def plot_denoised(
    time: npt.NDArray[Any] | None,
    x: _F64,
    y: _F64,
    *,
    name: str = "price",
    title: str = "",
    zone: str = "",
    truth: _F64 | None = None,
) -> Figure:
    """Draw the original and the denoised series above, and what was removed below.

    Parameters
    ----------
    time : ndarray of datetime64 or numbers, shape (n,), or None
        Time of each row. Rows stand side by side whatever the time between them, and lines are broken
        where a session ends, so that nights and weekends leave no trace.
    x, y : ndarray of float64, shape (n,)
        Series before and after, in the same unit; NaN leaves a hole.
    name : str
        What the series is, for the axes.
    title : str
        Text above the picture.
    zone : str
        Time zone of `time`, for the axis.
    truth : ndarray of float64, shape (n,), optional
        The known truth of a simulation, drawn as well.

    Returns
    -------
    matplotlib.figure.Figure
        With the Agg canvas; pyplot is not touched.

    Raises
    ------
    InputError
        Where the lengths differ, and for values beyond ±1e300, whose differences no axis can span.

    Examples
    --------
    >>> import numpy as np
    >>> from rpsd.report import plot_denoised
    >>> figure = plot_denoised(None, np.array([1.0, 3.0, 2.0]), np.array([1.5, 2.0, 2.0]))
    >>> [line.get_label() for line in figure.axes[0].lines]
    ['original', 'denoised']
    """
    lengths = {len(series) for series in (time, x, y, truth) if series is not None}
    if len(lengths) > 1:
        raise InputError(f"time, x, y and truth must have one length, got lengths {sorted(lengths)}")
    _check_drawable({"x": x, "y": y, "truth": truth})
    figure, upper, lower = _panels([3, 1])
    axis = position_axis(time, len(x), zone)
    _draw(upper, x, axis, color=_RAW, linewidth=2.2, label="original")
    if truth is not None:
        _draw(upper, truth, axis, color="black", linewidth=1.0, linestyle="--", label="truth")
    _draw(upper, y, axis, color=_DENOISED, linewidth=0.8, label="denoised")
    _draw(lower, x - y, axis, color=_REMOVED, linewidth=0.8, label="original minus denoised")
    lower.axhline(0.0, color="black", linewidth=0.6)
    upper.set_ylabel(_literal(name), parse_math=False)
    lower.set_ylabel("removed\n(same unit)")
    _dress((upper, lower), axis, len(x))
    if title:
        figure.suptitle(_literal(title), fontsize=11, parse_math=False)
    return figure


def plot_vintages(
    time: npt.NDArray[Any] | None,
    x: _F64,
    vintages: Vintages,
    *,
    newest: int = 200,
    level: float = 0.9,
    name: str = "price",
    title: str = "",
    zone: str = "",
    truth: _F64 | None = None,
) -> Figure:
    """Draw the first vintage with its revision band beside the final one above, and the revisions below.

    Parameters
    ----------
    time, name, title, zone
        As in `plot_denoised`.
    x : ndarray of float64, shape (n,)
        The series.
    vintages : Vintages
        Those of x; of one series.
    newest : int
        How many samples are drawn, the last ones.
    level : float
        Of the band.
    truth : ndarray of float64, shape (n,), optional
        The known truth of a simulation, drawn as well.

    Returns
    -------
    matplotlib.figure.Figure
        With the Agg canvas; pyplot is not touched.

    Raises
    ------
    InputError
        Where the lengths differ, for several series, and for values beyond ±1e300.
    """
    ladder = np.asarray(vintages.values, dtype=np.float64)
    bounds = [np.asarray(bound, dtype=np.float64) for bound in vintages.band(level)]
    if ladder.shape != (len(x), len(vintages.lags)):
        raise InputError(
            f"vintages must be of one series of {len(x)} samples, got values of shape {ladder.shape}"
        )
    lengths = {len(series) for series in (time, x, truth) if series is not None}
    if len(lengths) > 1:
        raise InputError(f"time, x and truth must have one length, got lengths {sorted(lengths)}")
    _check_drawable({"x": x, "truth": truth})
    shown = slice(max(len(x) - newest, 0), None)
    first, final = ladder[shown, 0], ladder[shown, -1]
    low, high = (bound[shown, 0] for bound in bounds)
    figure, upper, lower = _panels([2, 1])
    axis = position_axis(None if time is None else time[shown], len(first), zone)
    fill: dict[str, Any] = {"color": _REMOVED, "alpha": 0.2, "linewidth": 0, "label": f"{level:.0%} band"}
    _draw(upper, x[shown], axis, color=_RAW, linewidth=1.0, label="original")
    if truth is not None:
        _draw(upper, truth[shown], axis, color="black", linewidth=1.0, linestyle="--", label="truth")
    ages = ["offline" if lag is None else f"lag {lag}" for lag in vintages.lags]
    _fill(upper, low, high, axis, **fill)
    _draw(upper, first, axis, color=_REMOVED, linewidth=1.2, label=ages[0])
    _draw(upper, final, axis, color=_DENOISED, linewidth=1.6, label=f"{ages[-1]} (final)")
    revision = final - first
    _fill(lower, low - first, high - first, axis, **fill)
    _draw(lower, revision, axis, color=_DENOISED, linewidth=1.0, label=f"{ages[-1]} minus {ages[0]}")
    misses = np.flatnonzero((final < low) | (final > high))
    lower.plot(misses, revision[misses], "o", markersize=3.5, color="black", label="outside the band")
    lower.axhline(0.0, color="black", linewidth=0.6)
    upper.set_ylabel(_literal(name), parse_math=False)
    lower.set_ylabel("revision\n(same unit)")
    _dress((upper, lower), axis, len(first))
    if not axis.labels:
        start = len(x) - len(first)
        lower.xaxis.set_major_formatter(lambda row, _: f"{row + start:g}")
    if title:
        figure.suptitle(_literal(title), fontsize=11, parse_math=False)
    return figure


def to_png(figure: Figure) -> bytes:
    """Return a figure as the bytes of a PNG file, the same bytes for the same figure."""
    stream = io.BytesIO()
    figure.savefig(stream, format="png", metadata={"Software": None})
    return stream.getvalue()


def _check_drawable(named: dict[str, _F64 | None]) -> None:
    for which, series in named.items():
        if series is not None and (peak := np.nanmax(np.abs(series), initial=0.0)) > _LARGEST:
            raise InputError(
                f"{which} must lie within ±{_LARGEST:g} to be drawn, got a value of size {peak:g}"
            )


def _panels(heights: list[float]) -> tuple[Figure, Axes, Axes]:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 6.5), dpi=_DPI, layout="constrained")
    FigureCanvasAgg(figure)
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=heights)
    return figure, upper, lower


def _literal(text: str) -> str:
    """Escape what no font can draw: lone surrogates, as in file names that are not UTF-8, and controls."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


def _dress(both: tuple[Axes, Axes], axis: PositionAxis, n: int) -> None:
    upper, lower = both
    for axes in both:
        axes.grid(alpha=0.25, linewidth=0.6)
        axes.ticklabel_format(axis="y", useOffset=False)
        axes.spines[["top", "right"]].set_visible(False)
        for row in axis.breaks if len(axis.breaks) <= 60 else ():
            axes.axvline(row - 0.5, color="black", alpha=0.35, linewidth=0.7, linestyle=":")
        # Above the axes, where no line can run under it.
        axes.legend(loc="lower right", bbox_to_anchor=(1.0, 1.0), ncols=5, frameon=False, borderaxespad=0.1)
    if len(axis.breaks) and len(axis.breaks) <= 60:
        note = "dotted: session breaks (nights and weekends take no room)"
        upper.set_title(note, loc="left", fontsize=9, color="0.35")
    margin = 0.01 * n + 0.5
    upper.set_xlim(-margin, max(n - 1, 0) + margin)
    lower.set_xlabel(axis.title)
    if axis.labels:
        lower.set_xticks(axis.ticks, axis.labels)


def _draw(axes: Axes, series: _F64, axis: PositionAxis, **style: Any) -> None:
    position, values = _lifted(*_reduced(np.arange(len(series), dtype=np.float64), series), axis)
    lone = len(values) == 1
    axes.plot(position, values, marker="o" if lone else "", solid_joinstyle="round", **style)


def _fill(axes: Axes, low: _F64, high: _F64, axis: PositionAxis, **style: Any) -> None:
    at = np.arange(len(low), dtype=np.float64)
    position, floor = _lifted(at, low, axis)
    axes.fill_between(position, floor, _lifted(at, high, axis)[1], **style)


def _lifted(position: _F64, values: _F64, axis: PositionAxis) -> tuple[_F64, _F64]:
    """Put a NaN between two sessions, which lifts the pen."""
    places = np.searchsorted(position, axis.breaks)
    return np.insert(position, places, np.nan), np.insert(values, places, np.nan)


def _reduced(position: _F64, series: _F64) -> tuple[_F64, _F64]:
    """Replace a long series by the least and the greatest value of each of many short stretches."""
    if len(series) <= _MOST_POINTS:
        return position, series
    stretches = _MOST_POINTS // 2
    edges = np.linspace(0, len(series), stretches, endpoint=False).astype(np.int64)
    least = np.fmin.reduceat(series, edges)
    greatest = np.fmax.reduceat(series, edges)
    # Rising or falling as the stretch does, so that the line does not zigzag more than it must.
    falls = series[edges] > series[np.append(edges[1:], len(series)) - 1]
    pairs = np.where(falls[:, None], np.column_stack((greatest, least)), np.column_stack((least, greatest)))
    return np.repeat(position[edges], 2), pairs.ravel()
