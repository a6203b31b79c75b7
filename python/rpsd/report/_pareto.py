# SPDX-License-Identifier: MIT
"""Smoothness against fidelity: what other strengths would have done, and what no smoother can do."""

from __future__ import annotations

import contextlib
import math
import warnings
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt
from msgspec.structs import replace

from rpsd._denoiser import Denoiser
from rpsd._errors import RpsdWarning
from rpsd.report._canvas import DENOISED, QUIET, RAW, REMOVED, SMALL
from rpsd.report._panels import note
from rpsd.report._subject import Subject

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from rpsd._options import Options

_F64 = npt.NDArray[np.float64]

#: The newest samples that a sweep runs on: enough to know the trade, and quick.
MOST_SAMPLES: Final = 4096
_STRENGTHS: Final = (0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 5.0)
# Penalties from where nothing is smoothed to where hardly anything moves.
_PENALTIES: Final = np.geomspace(1e-3, 1e5, 49)
_FEWEST_SAMPLES: Final = 3


def draw_pareto(axes: Axes, subject: Subject) -> None:
    """Draw the roughness of the output against what was removed, over strengths, with the frontier.

    Bad ticks that were replaced do not count: they would be all that can be seen.
    """
    axes.set_xlabel(f"RMS of what was removed ({subject.unit})")
    axes.set_ylabel(f"RMS of the increments\n({subject.unit})")
    newest = subject.newest(MOST_SAMPLES)
    x, y = newest.seen(), newest.scaled(newest.y)
    whole = x[np.isfinite(x)]
    if len(whole) < _FEWEST_SAMPLES or not np.any(np.diff(whole)):
        note(axes, "nothing to smooth: no sample differs from another")
        return
    curve = np.array(list(frontier(whole)))
    axes.plot(*curve.T, color=RAW, linewidth=1.6, label="frontier: no output lies below it")
    points = np.array([point(x, strong) for strong in sweep(newest)]).reshape(-1, 2)
    if len(points):
        label = f"same options, strength ×{_STRENGTHS[0]:g} to ×{_STRENGTHS[-1]:g}"
        axes.plot(*points.T, color=REMOVED, linewidth=1.0, marker="o", markersize=3.5, label=label)
    axes.plot(*point(x, x), color=QUIET, marker="s", markersize=6, linestyle="", label="original")
    here = point(x, y)
    if np.all(np.isfinite(here)):
        axes.plot(*here, color=DENOISED, marker="D", markersize=7, linestyle="", label="this result")
    if subject.noise_sd > 0:
        axes.axvline(subject.noise_sd, color=QUIET, linewidth=0.9, linestyle=":", label="noise sd")
    # The far end of the frontier, a constant, would press all else into a corner.
    furthest = max(subject.noise_sd if subject.noise_sd > 0 else 0.0, *here[:1], *points[:, 0], 0.0)
    reach = min(float(curve[-1, 0]), 2.5 * furthest or 0.5 * float(curve[-1, 0]))
    axes.set_xlim(-0.03 * reach, reach)
    top = max(float(curve[0, 1]), point(x, x)[1], here[1] if math.isfinite(here[1]) else 0.0)
    axes.set_ylim(0.0, 1.08 * top)
    if len(subject.x) > MOST_SAMPLES:
        axes.set_title(f"newest {MOST_SAMPLES:,} samples", loc="left", fontsize=SMALL, color=QUIET)


def point(x: _F64, y: _F64) -> tuple[float, float]:
    """Return RMS(x - y) and the RMS of the increments of y, over the samples that both have, else NaN."""
    both = np.isfinite(x) & np.isfinite(y)
    steps = np.diff(y[both])
    if not len(steps):
        return math.nan, math.nan
    return float(np.sqrt(np.mean((x - y)[both] ** 2))), float(np.sqrt(np.mean(steps**2)))


def frontier(x: _F64) -> Iterator[tuple[float, float]]:
    """Yield the points below which no output lies: of all y with its removal, the one with least steps.

    The y that minimises sum (x - y)**2 + p sum (step of y)**2, over p: Whittaker's smoother, which is the
    local level smoother whose noise is sqrt(p) steps.
    """
    from scipy.linalg import solveh_banded

    n = len(x)
    for penalty in _PENALTIES:
        bands = np.empty((2, n))
        bands[0] = -penalty
        bands[1] = 1.0 + 2.0 * penalty
        bands[1, [0, -1]] = 1.0 + penalty
        centred = x - x.mean()  # prices far from 0 lose no digits
        yield point(centred, solveh_banded(bands, centred))


def sweep(subject: Subject) -> Iterator[_F64]:
    """Yield the outputs of the same options at other strengths, none where the method has no strength.

    Wavelets: multiples of threshold_scale. FIR: cutoffs as many times lower. The fitted methods choose
    their own strength, and smooth like the frontier.
    """
    if subject.options is None:
        return
    for strength in _STRENGTHS:
        change = _change(subject.options, strength)
        if change:
            options = replace(subject.options, min_gain_db=0.0, **change)
            yield subject.scaled(_run(options, subject.x))


def _change(options: Options, strength: float) -> dict[str, Any]:
    if options.method == "wavelet":
        return {"threshold_scale": options.threshold_scale * strength}
    if options.method == "fir":
        return {"fir_cutoff": min(options.fir_cutoff / strength, 0.99)}
    return {}


@contextlib.contextmanager
def again() -> Iterator[None]:
    """Run the same options once more without telling once more what was told of them."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RpsdWarning)
        yield


def _run(options: Options, x: _F64) -> _F64:
    with again():
        out: _F64 = Denoiser(options).denoise(x)
    return out
