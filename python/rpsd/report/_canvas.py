# SPDX-License-Identifier: MIT
"""What every picture shares: colours, lines of any length, views that bad ticks do not flatten, files."""

from __future__ import annotations

import contextlib
import io
import re
import warnings
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from rpsd._errors import ConfigError, InputError
from rpsd.report._axis import PositionAxis

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_F64 = npt.NDArray[np.float64]

INK: Final = "#1c2128"
QUIET: Final = "#59636e"
LINES: Final = "#c9d1d9"
RAW: Final = "#8b96a3"
DENOISED: Final = "#b3261e"
REMOVED: Final = "#1f5f8b"
PASSED: Final = "#1b7f3b"
#: What each colour is called in the style sheet of a page, which may change it with the theme.
COLOURS: Final = {
    INK: "--ink",
    QUIET: "--quiet",
    LINES: "--lines",
    RAW: "--raw",
    DENOISED: "--denoised",
    REMOVED: "--removed",
    PASSED: "--passed",
}
SMALL: Final = 9.0

DPI: Final = 120
LARGEST: Final = 1e300
# Above this many points a line is drawn as the range of each of half as many stretches, which are as
# narrow as the columns of pixels of the widest picture: it looks the same.
_MOST_POINTS: Final = 2400
# A view leaves out what lies further from the rest than this many times the range of the rest; the rest
# is all but half a percent of the samples at either side, and one sample at least.
_FURTHEST: Final = 2.0
_SHARE: Final = 0.005
_FEWEST: Final = 5
_LONGEST_NAME: Final = 32


def new_figure(width: float, height: float) -> Figure:
    """Return an empty figure with the Agg canvas; ConfigError names the extra where matplotlib is missing."""
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "matplotlib":
            raise
        raise ConfigError('pictures need the "plot" extra: pip install "rpsd[plot]"') from None
    figure = Figure(figsize=(width, height), dpi=DPI, layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def literal(text: str) -> str:
    """Escape what no font can draw: lone surrogates, as in file names that are not UTF-8, and controls."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


def shortened(text: str, longest: int = _LONGEST_NAME) -> str:
    """Return a name fit for an axis: its beginning and its end, which tell most."""
    text = literal(text)
    if len(text) <= longest:
        return text
    tail = longest // 3
    return f"{text[: longest - tail - 1]}…{text[-tail:]}"


def check_drawable(named: dict[str, _F64 | None]) -> None:
    """Raise InputError for values whose differences no axis can span."""
    for which, series in named.items():
        if series is not None and (peak := np.nanmax(np.abs(series), initial=0.0)) > LARGEST:
            raise InputError(
                f"{which} must lie within ±{LARGEST:g} to be drawn, got a value of size {peak:g}"
            )


def dress(axes: Axes, *, legend: bool = True, columns: int = 5) -> None:
    """Give axes the colours of the page, a quiet grid, and the legend above, where no line runs under it."""
    axes.grid(color=LINES, alpha=0.6, linewidth=0.6)
    axes.set_axisbelow(True)
    axes.patch.set_alpha(0.0)
    axes.spines[["top", "right"]].set_visible(False)
    for spine in axes.spines.values():
        spine.set_color(QUIET)
    axes.tick_params(which="both", color=QUIET, labelcolor=INK, labelsize=SMALL)
    for text in (axes.xaxis.label, axes.yaxis.label):
        text.set_color(INK)
        text.set_fontsize(SMALL + 0.5)
    for text in (axes.xaxis.get_offset_text(), axes.yaxis.get_offset_text()):
        text.set_color(INK)
        text.set_fontsize(SMALL)
    if legend:
        # borderaxespad keeps it clear of the axes, and constrained layout makes room for it.
        axes.legend(
            loc="lower right",
            bbox_to_anchor=(1.0, 1.0),
            ncols=columns,
            frameon=False,
            borderaxespad=0.1,
            labelcolor=INK,
            fontsize=SMALL,
            handlelength=1.6,
            columnspacing=1.4,
        )


def dress_time(all_axes: Iterable[Axes], axis: PositionAxis, n: int, *, first_row: int = 0) -> None:
    """Give axes that share x a time axis by position: ticks, title, and dotted session breaks."""
    stacked = list(all_axes)
    for axes in stacked:
        for row in axis.breaks if len(axis.breaks) <= 60 else ():
            axes.axvline(row - 0.5, color=INK, alpha=0.35, linewidth=0.7, linestyle=":")
    note = "; dotted: session breaks" if 0 < len(axis.breaks) <= 60 else ""
    margin = 0.01 * n + 0.5
    stacked[0].set_xlim(-margin, max(n - 1, 0) + margin)
    stacked[-1].set_xlabel(axis.title + note)
    if axis.labels:
        stacked[-1].set_xticks(axis.ticks, axis.labels)
    elif n:
        stacked[-1].set_xticks(_whole_rows(first_row, n))
        stacked[-1].xaxis.set_major_formatter(lambda row, _: f"{row + first_row:.10g}")


def _whole_rows(first: int, n: int) -> _F64:
    """Return positions of n rows at which round row numbers stand."""
    from matplotlib.ticker import MaxNLocator

    locator = MaxNLocator(9, integer=True, min_n_ticks=1)
    ticks = np.array(locator.tick_values(first, first + n - 1), np.float64) - first
    return ticks[(ticks >= 0) & (ticks < n)]


def draw(axes: Axes, series: _F64, axis: PositionAxis, **style: Any) -> None:
    """Draw a series by position; a sample whose neighbours are both missing is a dot."""
    position, values = _lifted(*reduced(np.arange(len(series), dtype=np.float64), series), axis)
    there = np.isfinite(np.concatenate(([np.nan], values, [np.nan])))
    lone = np.flatnonzero(there[1:-1] & ~there[:-2] & ~there[2:])
    dots: dict[str, Any] = {}
    if len(lone):
        dots = {"marker": "o", "markersize": 1 + style.get("linewidth", 1.0), "markevery": lone.tolist()}
    axes.plot(position, values, solid_joinstyle="round", **dots, **style)


def fill(axes: Axes, low: _F64, high: _F64, axis: PositionAxis, **style: Any) -> None:
    """Fill the band between two series of the same places."""
    at = np.arange(len(low), dtype=np.float64)
    position, floor = _lifted(*_reduced_by(np.fmin, at, low), axis)
    axes.fill_between(position, floor, _lifted(*_reduced_by(np.fmax, at, high), axis)[1], **style)


def view(axes: Axes, *series: _F64) -> None:
    """Limit y to where the series are, and mark at the edge the samples that lie far outside.

    Parameters
    ----------
    axes : Axes
        With the position as x.
    *series : ndarray of float64
        What is drawn; the first is marked where it leaves the view.
    """
    limits = robust_limits(*series)
    if limits is None:
        return
    low, high = limits
    margin = 0.05 * (high - low) or 0.01 * abs(low) or 1.0
    axes.set_ylim(low - margin, high + margin)
    first = series[0]
    for edge, marker, outside in (
        (low - margin, "v", np.flatnonzero(first < low - margin)),
        (high + margin, "^", np.flatnonzero(first > high + margin)),
    ):
        if not len(outside):
            continue
        extreme = np.min(first[outside]) if marker == "v" else np.max(first[outside])
        places = np.unique(_columns(outside, len(first)))
        axes.plot(
            places,
            np.full(len(places), edge),
            linestyle="",
            marker=marker,
            markersize=7,
            color=REMOVED,
            clip_on=False,
            label=f"{len(outside):,} beyond, to {extreme:.4g}".replace("-", "−"),
        )


def robust_limits(*series: _F64) -> tuple[float, float] | None:
    """Return the least and greatest value but for the few that lie far away; None where there are none."""
    values = np.concatenate([one[np.isfinite(one)] for one in series])
    if not len(values):
        return None
    cut = max(1, int(_SHARE * len(values))) if len(values) >= _FEWEST else 0
    ends = np.partition(values, (cut, len(values) - 1 - cut))
    low, high = float(ends[cut]), float(ends[len(values) - 1 - cut])
    reach = _FURTHEST * (high - low)
    if reach == 0:
        return float(values.min()), float(values.max())
    near = values[(values >= low - reach) & (values <= high + reach)]
    return float(near.min()), float(near.max())


def to_png(figure: Figure) -> bytes:
    """Return a figure as the bytes of a PNG file, the same bytes for the same figure."""
    stream = io.BytesIO()
    with _laid_out(figure):
        figure.savefig(stream, format="png", metadata={"Software": None})
    return stream.getvalue()


def to_svg(figure: Figure, prefix: str) -> str:
    """Return a figure as an SVG element for a page: no background, text as text, colours by CSS variables.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
    prefix : str
        Of every id, which must be unique on the page.
    """
    import matplotlib as mpl

    stream = io.StringIO()
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": prefix}), _laid_out(figure):
        figure.savefig(
            stream, format="svg", transparent=True, metadata={"Date": None, "Creator": None, "Format": None}
        )
    # From the element on; what stands before it belongs to a file of its own.
    text = stream.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>|<!--.*?-->|<style.*?</style>", "", text, flags=re.DOTALL)
    text = re.sub(r'(<svg\b[^>]*?) height="[^"]*"', r"\1", text, count=1)
    text = re.sub(r'(<svg\b[^>]*?) width="[^"]*"', r"\1", text, count=1)
    text = re.sub(r'\bid="', f'id="{prefix}', text)
    text = re.sub(r'(url\(#|href="#)', rf"\g<1>{prefix}", text)
    # A hundredth of a point is finer than any screen, and half the size of the page.
    text = re.sub(r'(?<= d=")[^"]*', lambda path: re.sub(r"(\.\d\d)\d+", r"\1", path[0]), text)
    return re.sub(
        r"(?<=: )#[0-9a-f]{6}\b",
        lambda found: f"var({COLOURS[found[0]]})" if found[0] in COLOURS else found[0],
        text,
    )


@contextlib.contextmanager
def _laid_out(figure: Figure) -> Iterator[None]:
    """Lay a figure out once, where saving would draw it once more to do so.

    A name may be in a script that the font has not: a box in the picture, and no reason to warn.
    """
    engine = figure.get_layout_engine()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=r"Glyph \d+ .* missing from font")
        warnings.filterwarnings("ignore", message=r"Matplotlib currently does not support")
        if engine is not None:
            engine.execute(figure)
        figure.set_layout_engine("none")
        try:
            yield
        finally:
            figure.set_layout_engine(engine)


def _columns(places: npt.NDArray[np.int64], n: int) -> npt.NDArray[np.int64]:
    """Return places as fine as an eye can tell, so that a thousand marks are not written a million times."""
    step = max(1, n // 400)
    return places // step * step


def _lifted(position: _F64, values: _F64, axis: PositionAxis) -> tuple[_F64, _F64]:
    """Put a NaN between two sessions, which lifts the pen."""
    places = np.searchsorted(position, axis.breaks)
    return np.insert(position, places, np.nan), np.insert(values, places, np.nan)


def reduced(position: _F64, series: _F64) -> tuple[_F64, _F64]:
    """Replace a long series by the least and the greatest value of each of many short stretches."""
    if len(series) <= _MOST_POINTS:
        return position, series
    edges = _edges(len(series))
    least = np.fmin.reduceat(series, edges)
    greatest = np.fmax.reduceat(series, edges)
    # Rising or falling as the stretch does, so that the line does not zigzag more than it must.
    falls = series[edges] > series[np.append(edges[1:], len(series)) - 1]
    pairs = np.where(falls[:, None], np.column_stack((greatest, least)), np.column_stack((least, greatest)))
    return np.repeat(position[edges], 2), pairs.ravel()


def _reduced_by(ufunc: np.ufunc, position: _F64, series: _F64) -> tuple[_F64, _F64]:
    if len(series) <= _MOST_POINTS:
        return position, series
    edges = _edges(len(series))
    return position[edges], ufunc.reduceat(series, edges)


def _edges(n: int) -> npt.NDArray[np.int64]:
    return np.linspace(0, n, _MOST_POINTS // 2, endpoint=False).astype(np.int64)
