# SPDX-License-Identifier: MIT
"""Draw a series before and after denoising, and what was removed or revised."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from rpsd._errors import InputError
from rpsd.report._axis import plain_time
from rpsd.report._canvas import (
    DENOISED,
    INK,
    RAW,
    REMOVED,
    draw,
    dress,
    dress_time,
    fill,
    new_figure,
    shortened,
    view,
)
from rpsd.report._panels import draw_price, draw_removed, plain_numbers
from rpsd.report._subject import Subject

if TYPE_CHECKING:
    from matplotlib.figure import Figure, SubFigure

    from rpsd._vintages import Vintages

_F64 = npt.NDArray[np.float64]


def plot_denoised(
    time: Any,
    x: _F64,
    y: _F64,
    *,
    name: str = "price",
    title: str = "",
    zone: str = "",
    truth: _F64 | None = None,
    noise_sd: float = float("nan"),
    log: bool = False,
) -> Figure:
    """Draw the original and the denoised series above, and what was removed below.

    Parameters
    ----------
    time : ndarray of datetime64 or numbers, shape (n,), a pandas index of them, or None
        Time of each row. Rows stand side by side whatever the time between them, and lines are broken
        where a session ends, so that nights and weekends leave no trace.
    x, y : ndarray of float64, shape (n,)
        Series before and after, in the same unit; NaN leaves a hole.
    name : str
        What the series is, for the axes.
    title : str
        Text above the picture.
    zone : str
        Time zone of `time`, for the axis; that of a pandas index where none is given.
    truth : ndarray of float64, shape (n,), optional
        The known truth of a simulation, drawn as well.
    noise_sd : float
        Standard deviation of the noise: half the width of the band about y; NaN draws none.
    log : bool
        Whether noise_sd is that of the logarithm.

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
    time, zone = plain_time(time, zone)
    subject = Subject(x=x, y=y, time=time, zone=zone, name=name, noise_sd=noise_sd, log=log, truth=truth)
    figure = new_figure(11, 6.5)
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=[3, 1])
    draw_price(upper, subject)
    draw_removed(lower, subject)
    for axes in (upper, lower):
        dress(axes)
    dress_time((upper, lower), subject.axis, len(x))
    if title:
        figure.suptitle(shortened(title, 90), fontsize=11, color=INK, parse_math=False)
    return figure


def plot_vintages(
    time: Any,
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
    time, zone = plain_time(time, zone)
    lengths = {len(series) for series in (time, x, truth) if series is not None}
    if len(lengths) > 1:
        raise InputError(f"time, x and truth must have one length, got lengths {sorted(lengths)}")
    subject = Subject(x=x, y=x, time=time, zone=zone, name=name, truth=truth)
    figure = new_figure(11, 6.5)
    draw_vintages(figure, subject, vintages, newest=newest, level=level)
    if title:
        figure.suptitle(shortened(title, 90), fontsize=11, color=INK, parse_math=False)
    return figure


def draw_vintages(
    target: Figure | SubFigure,
    subject: Subject,
    vintages: Vintages,
    *,
    newest: int = 200,
    level: float = 0.9,
    first_row: int = 0,
) -> None:
    """Draw vintages of the subject; `first_row` is the row that its first sample is."""
    x = subject.x
    ladder = np.asarray(vintages.values, dtype=np.float64)
    if ladder.shape != (len(x), len(vintages.lags)):
        raise InputError(
            f"vintages must be of one series of {len(x)} samples, got values of shape {ladder.shape}"
        )
    bounds = [np.asarray(bound, dtype=np.float64) for bound in vintages.band(level)]
    shown = slice(max(len(x) - newest, 0), None)
    seen = subject.newest(newest)
    axis = seen.axis
    first, final = ladder[shown, 0], ladder[shown, -1]
    low, high = (bound[shown, 0] for bound in bounds)
    upper, lower = target.subplots(2, 1, sharex=True, height_ratios=[2, 1])
    band: dict[str, Any] = {"color": REMOVED, "alpha": 0.2, "linewidth": 0, "label": f"{level:.0%} band"}
    draw(upper, seen.x, axis, color=RAW, linewidth=1.0, label="original")
    if seen.truth is not None:
        draw(upper, seen.truth, axis, color=INK, linewidth=1.0, linestyle="--", label="truth")
    ages = ["offline" if lag is None else f"lag {lag}" for lag in vintages.lags]
    fill(upper, low, high, axis, **band)
    draw(upper, first, axis, color=REMOVED, linewidth=1.2, label=ages[0])
    draw(upper, final, axis, color=DENOISED, linewidth=1.6, label=f"{ages[-1]} (final)")
    view(upper, seen.x, first, final, low, high)
    revision = final - first
    fill(lower, low - first, high - first, axis, **band)
    draw(lower, revision, axis, color=DENOISED, linewidth=1.0, label=f"{ages[-1]} minus {ages[0]}")
    misses = np.flatnonzero((final < low) | (final > high))
    lower.plot(
        misses, revision[misses], "o", linestyle="", markersize=3.5, color=INK, label="outside the band"
    )
    lower.axhline(0.0, color=INK, linewidth=0.6)
    view(lower, revision, low - first, high - first)
    upper.set_ylabel(shortened(subject.name), parse_math=False)
    lower.set_ylabel("revision\n(same unit)")
    for axes in (upper, lower):
        plain_numbers(axes)
        dress(axes)
    dress_time((upper, lower), axis, len(first), first_row=first_row + len(x) - len(first))
