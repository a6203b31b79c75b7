# SPDX-License-Identifier: MIT
"""Whole figures by kind: which panels, how they stand, how large they are."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from rpsd._denoiser import Denoiser
from rpsd._errors import ConfigError
from rpsd._modwt import imodwt, modwt
from rpsd.report._canvas import (
    DENOISED,
    QUIET,
    RAW,
    SMALL,
    draw,
    dress,
    dress_time,
    new_figure,
    view,
)
from rpsd.report._panels import (
    draw_autocorrelation,
    draw_guardrails,
    draw_increments,
    draw_price,
    draw_removed,
    draw_spectrum,
    plain_numbers,
)
from rpsd.report._pareto import again, draw_pareto
from rpsd.report._plot import draw_vintages
from rpsd.report._statistics import filled
from rpsd.report._subject import Subject

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure

_F64 = npt.NDArray[np.float64]

_WIDTH: Final = 9.5
_MOST_DETAILS: Final = 5
_NEWEST: Final = 150
_WAVELET: Final = "sym8"
#: The newest samples of which vintages are made.
VINTAGE_SAMPLES: Final = 2048


@dataclass(frozen=True)
class Kind:
    """A kind of figure.

    Attributes
    ----------
    height : callable
        Inches, for a subject.
    panel : callable or None
        Draws a figure of one axes.
    whole : callable or None
        Draws a figure of several.
    timed : bool
        Whether x is time.
    """

    height: Callable[[Subject], float]
    panel: Callable[[Axes, Subject], None] | None = None
    whole: Callable[[Figure | SubFigure, Subject], None] | None = None
    timed: bool = False


def make_figure(
    kind: str, subject: Subject, *, ax: Axes | None = None, figure: Figure | SubFigure | None = None
) -> Figure:
    """Draw a kind of figure of a subject, on the axes or figure given or on a new one."""
    if kind not in KINDS:
        raise ConfigError(f"kind must be one of {', '.join(KINDS)}; got {kind!r}")
    chosen = KINDS[kind]
    if ax is not None:
        if figure is not None:
            raise ConfigError("ax and figure exclude each other: give one of them")
        if chosen.panel is None:
            single = ", ".join(name for name, one in KINDS.items() if one.panel is not None)
            raise ConfigError(f"ax takes a kind of one axes ({single}); got kind={kind!r}: give figure")
        _one(chosen, ax, subject)
        return _root(ax)
    target = new_figure(_WIDTH, chosen.height(subject)) if figure is None else figure
    if chosen.panel is not None:
        _one(chosen, target.subplots(), subject)
    else:
        assert chosen.whole is not None
        chosen.whole(target, subject)
    return _root(target)


def _root(artist: Axes | Figure | SubFigure) -> Figure:
    figure = artist.get_figure(root=True)
    assert figure is not None
    return figure


def _one(kind: Kind, axes: Axes, subject: Subject) -> None:
    assert kind.panel is not None
    kind.panel(axes, subject)
    if kind.panel is draw_guardrails:
        return  # it dresses itself: no line runs through its words
    _finish(axes)
    if kind.timed:
        dress_time([axes], subject.axis, len(subject.x))


def _finish(axes: Axes, columns: int = 5) -> None:
    dress(axes, legend=bool(axes.get_legend_handles_labels()[0]), columns=columns)


def _series(target: Figure | SubFigure, subject: Subject) -> None:
    """Draw price, what was removed, and increments, over one time axis."""
    rows = target.subplots(3, 1, sharex=True, height_ratios=[3, 1.3, 1.3])
    _draw_series(list(rows), subject)


def _draw_series(rows: list[Axes], subject: Subject) -> None:
    for axes, panel in zip(rows, (draw_price, draw_removed, draw_increments), strict=True):
        panel(axes, subject)
        _finish(axes)
    dress_time(rows, subject.axis, len(subject.x))


def _newest(target: Figure | SubFigure, subject: Subject) -> None:
    """Draw the end of the series, so near that the band can be seen."""
    end = subject.newest(_NEWEST)
    axes = target.subplots()
    draw_price(axes, end)
    _finish(axes)
    dress_time([axes], end.axis, len(end.x), first_row=len(subject.x) - len(end.x))


def _overview(target: Figure | SubFigure, subject: Subject) -> None:
    checks = 0 if subject.report is None else len(subject.report.checks)
    grid = target.add_gridspec(5, 2, height_ratios=[2.6, 1.1, 1.1, 2.0, 0.25 * checks + 0.3])
    top = target.add_subplot(grid[0, :])
    rows = [top, *(target.add_subplot(grid[row, :], sharex=top) for row in (1, 2))]
    _draw_series(rows, subject)
    for axes in rows[:2]:
        axes.tick_params(labelbottom=False)
    for place, panel in ((grid[3, 0], draw_spectrum), (grid[3, 1], draw_autocorrelation)):
        axes = target.add_subplot(place)
        panel(axes, subject)
        _finish(axes, columns=2)
    draw_guardrails(target.add_subplot(grid[4, :]), subject)


def details(x: _F64, wavelet: str, levels: int) -> list[_F64]:
    """Return the multiresolution of a series: the smooth, then details from coarse to fine; their sum is x.

    Each is the inverse of one level of `rpsd.modwt` alone (Percival & Walden, chapter 5).
    """
    coefficients = modwt(x, wavelet, levels)
    parts = []
    for level in range(levels + 1):
        alone = np.zeros_like(coefficients)
        alone[level] = coefficients[level]
        parts.append(imodwt(alone, wavelet))
    return parts


def _multiresolution(target: Figure | SubFigure, subject: Subject) -> None:
    """Draw smooth and details before and after; a bad tick that was replaced would hide all else."""
    levels = _levels(subject)
    options = subject.options
    wavelet = _WAVELET if options is None or options.wavelet == "auto" else options.wavelet
    parts = []
    for series in (subject.seen(), subject.scaled(subject.y)):
        whole = filled(series)
        found = details(whole, wavelet, levels) if len(whole) else [series] * (levels + 1)
        parts.append([np.where(np.isnan(series), np.nan, part) for part in found])
    rows = np.atleast_1d(target.subplots(levels + 1, 1, sharex=True, height_ratios=[2.2] + [1] * levels))
    for row, (axes, before, after) in enumerate(zip(rows, *parts, strict=True)):
        level = levels + 1 - row
        draw(axes, before, subject.axis, color=RAW, linewidth=1.6, label="original")
        draw(axes, after, subject.axis, color=DENOISED, linewidth=0.8, label="denoised")
        view(axes, before, after)
        axes.set_ylabel("smooth" if row == 0 else f"detail {level}", rotation="horizontal", ha="right")
        plain_numbers(axes)
        dress(axes, legend=row == 0)
        axes.yaxis.get_major_locator().set_params(nbins=5 if row == 0 else 2)
        if row:
            text = f"periods of {2**level} to {2 ** (level + 1)} samples ({subject.unit})"
            axes.set_title(text, loc="right", fontsize=SMALL - 0.5, color=QUIET, pad=2)
    target.align_ylabels(list(rows))
    dress_time(list(rows), subject.axis, len(subject.x))


def _levels(subject: Subject) -> int:
    """Return the levels the run used, or as many as the length bears, so that each is a panel to read."""
    bears = max(int(math.log2(max(len(subject.x), 1))) - 2, 0)
    return min(subject.level or _MOST_DETAILS, bears, _MOST_DETAILS + 1)


def _vintages(target: Figure | SubFigure, subject: Subject) -> None:
    newest = subject.newest(VINTAGE_SAMPLES)
    with again():
        found = Denoiser(newest.options).vintages(newest.x)
    draw_vintages(target, newest, found, first_row=len(subject.x) - len(newest.x))


def _fixed(height: float) -> Callable[[Subject], float]:
    return lambda subject: height


def _per_check(subject: Subject) -> float:
    return 0.9 + 0.27 * (0 if subject.report is None else len(subject.report.checks))


KINDS: Final[dict[str, Kind]] = {
    "overview": Kind(lambda subject: 8.6 + _per_check(subject), whole=_overview),
    "series": Kind(_fixed(6.4), whole=_series),
    "price": Kind(_fixed(3.6), draw_price, timed=True),
    "newest": Kind(_fixed(3.6), whole=_newest),
    "removed": Kind(_fixed(2.6), draw_removed, timed=True),
    "increments": Kind(_fixed(2.6), draw_increments, timed=True),
    "spectrum": Kind(_fixed(3.4), draw_spectrum),
    "autocorrelation": Kind(_fixed(3.2), draw_autocorrelation),
    "multiresolution": Kind(lambda subject: 2.9 + 0.85 * _levels(subject), whole=_multiresolution),
    "guardrails": Kind(_per_check, draw_guardrails),
    "pareto": Kind(_fixed(3.6), draw_pareto),
    "vintages": Kind(_fixed(5.0), whole=_vintages),
}


def plot_result(
    result: Any,
    kind: str,
    *,
    series: Any = None,
    name: str | None = None,
    ax: Axes | None = None,
    figure: Figure | SubFigure | None = None,
) -> Figure:
    """Draw a result; see `rpsd.Result.plot`."""
    from rpsd.report._subject import subject_of

    return make_figure(kind, subject_of(result, series, name), ax=ax, figure=figure)
