# SPDX-License-Identifier: MIT
"""Single panels: each draws one thing about a subject on the axes it is given."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from rpsd.report._canvas import (
    DENOISED,
    INK,
    LINES,
    PASSED,
    QUIET,
    RAW,
    REMOVED,
    SMALL,
    draw,
    dress,
    fill,
    shortened,
    view,
)
from rpsd.report._statistics import autocorrelation, innovations, periodogram, winsorised
from rpsd.report._subject import Subject

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from rpsd._result import Check

_F64 = npt.NDArray[np.float64]

_MOST_LAGS: Final = 40
_FEWEST_SAMPLES: Final = 8
# Of Nyquist: the band whose power the guardrail `power` compares.
_LOW_BAND: Final = 0.1
# A spectrum is drawn down to this share of the least power of the series before.
_FAINTEST: Final = 1e-3
# Bars of guardrails end at 1; beside them stands what they are.
_TEXT_ENDS: Final = 2.0
_NORMAL_975: Final = 1.959963984540054


def draw_price(axes: Axes, subject: Subject) -> None:
    """Draw the series before and after, and the band of one standard deviation of the noise about it."""
    band = subject.band()
    if band is not None:
        label = f"denoised ± noise sd ({subject.noise_sd:.3g}{' of the log' if subject.log else ''})"
        fill(axes, *band, subject.axis, color=REMOVED, alpha=0.22, linewidth=0, label=label)
    draw(axes, subject.x, subject.axis, color=RAW, linewidth=2.2, label="original")
    if subject.truth is not None:
        draw(axes, subject.truth, subject.axis, color=INK, linewidth=1.0, linestyle="--", label="truth")
    draw(axes, subject.y, subject.axis, color=DENOISED, linewidth=0.8, label="denoised")
    view(axes, subject.x, subject.y)
    axes.set_ylabel(shortened(subject.name), parse_math=False)
    plain_numbers(axes)


def draw_removed(axes: Axes, subject: Subject) -> None:
    """Draw what was removed, sample by sample."""
    removed = subject.x - subject.y
    draw(axes, removed, subject.axis, color=REMOVED, linewidth=0.8, label="original minus denoised")
    axes.axhline(0.0, color=INK, linewidth=0.6)
    view(axes, removed)
    axes.set_ylabel("removed\n(same unit)")
    plain_numbers(axes)


def draw_increments(axes: Axes, subject: Subject) -> None:
    """Draw the differences of neighbours before and after."""
    before, after = (_increments(subject.scaled(series)) for series in (subject.x, subject.y))
    draw(axes, before, subject.axis, color=RAW, linewidth=0.9, label="increments, original")
    draw(axes, after, subject.axis, color=DENOISED, linewidth=0.8, label="denoised")
    view(axes, before, after)
    axes.set_ylabel(f"increment\n({subject.unit})")
    plain_numbers(axes)


def draw_spectrum(axes: Axes, subject: Subject) -> None:
    """Draw the periodogram before and after on logarithmic axes, and the low band."""
    spectra = [periodogram(subject.scaled(series)) for series in (subject.x, subject.y)]
    axes.set_xlabel("frequency (cycles per sample)")
    axes.set_ylabel(f"power ({'log price' if subject.log else 'unit of price'}²)")
    if not np.any(spectra[0][1] > 0):
        note(axes, "no power: no sample differs from another")
        return
    axes.set_xscale("log")
    axes.set_yscale("log")
    low = _LOW_BAND / 2
    axes.axvspan(spectra[0][0][0] * 0.9, low, color=REMOVED, alpha=0.10, linewidth=0, label="low band")
    styles: tuple[dict[str, Any], ...] = (
        {"color": RAW, "linewidth": 1.6, "label": "original"},
        {"color": DENOISED, "linewidth": 0.9, "label": "denoised"},
    )
    for (frequency, power), style in zip(spectra, styles, strict=True):
        marker = "o" if len(frequency) < 20 else ""
        drawn = np.where(power > 0, power, np.nan)
        axes.plot(frequency, drawn, marker=marker, markersize=3, **style)
    if subject.noise_sd > 0:
        axes.axhline(subject.noise_sd**2, color=REMOVED, linewidth=1.0, linestyle="--", label="noise")
    _limit_power(axes, spectra[0][1], spectra[1][1], subject.noise_sd**2)
    axes.set_xlim(spectra[0][0][0] * 0.9, 0.55)


def draw_autocorrelation(axes: Axes, subject: Subject) -> None:
    """Draw the autocorrelation of what was removed and of the one-step innovations of the fitted model."""
    removed = subject.scaled(subject.x) - subject.scaled(subject.y)
    shown = []
    if np.nanmax(np.abs(removed), initial=0.0) > 0:
        shown.append(("removed", removed, REMOVED))
    if subject.noise_sd >= 0 and subject.step_sd >= 0 and subject.noise_sd + subject.step_sd > 0:
        found = innovations(subject.seen(), subject.noise_sd, subject.step_sd)
        shown.append(("innovations", found, DENOISED))
    shown = [(label, winsorised(one), colour) for label, one, colour in shown if _varies(one)]
    axes.set_xlabel("lag (samples)")
    axes.set_ylabel("autocorrelation")
    if not shown:
        note(axes, "nothing was removed, and no model was fitted")
        return
    count = min(int(np.isfinite(one).sum()) for _, one, _ in shown)
    lags = np.arange(1, min(_MOST_LAGS, count // 2) + 1)
    bound = _NORMAL_975 / math.sqrt(count)
    axes.axhspan(-bound, bound, color=LINES, alpha=0.6, linewidth=0, label="95 % band")
    axes.axhline(0.0, color=INK, linewidth=0.6)
    for i, (label, one, colour) in enumerate(shown):
        r = autocorrelation(one, len(lags))
        at = lags + (0.3 * i - 0.15 * (len(shown) - 1))
        axes.vlines(at, 0.0, r, color=colour, linewidth=1.6)
        axes.plot(at, r, linestyle="", marker="os"[i], markersize=2.6, color=colour, label=label)
    largest = max(1.3 * bound, 1.15 * max(float(np.max(np.abs(line.get_ydata()))) for line in axes.lines))
    axes.set_ylim(-min(largest, 1.05), min(largest, 1.05))
    axes.set_xlim(0.2, lags[-1] + 0.8)


def draw_guardrails(axes: Axes, subject: Subject) -> None:
    """Draw one bar a check: by how much it keeps its threshold, or misses it."""
    assert subject.report is not None
    checks = subject.report.checks
    axes.set_xlim(-1.0, _TEXT_ENDS)
    axes.set_ylim(len(checks) - 0.4, -0.6)
    axes.axvspan(-1.0, 0.0, color=DENOISED, alpha=0.07, linewidth=0)
    for row, check in enumerate(checks):
        computed = not math.isnan(check.value)
        colour = {"passed": PASSED, "breached": DENOISED}.get(check.verdict, QUIET)
        length = _margin(check) if computed else 0.0
        axes.barh(row, length, height=0.55, color=colour)
        if computed:
            axes.plot(length, row, marker="o", markersize=5, color=colour, clip_on=False)
        value = f"{check.value:.4g}" if computed else "–"
        bound = f"{'≥' if check.relation == '>=' else '≤'} {check.threshold:g}"
        text = f"{value}  ({bound})  {check.verdict}"
        axes.text(1.06, row, text, va="center", color=colour, fontsize=SMALL)
    axes.axvline(0.0, color=INK, linewidth=1.2)
    axes.set_yticks(range(len(checks)), [shortened(check.name) for check in checks])
    axes.set_xticks([-1.0, -0.5, 0.0, 0.5, 1.0], ["breached", "", "threshold", "", "passed"])
    axes.set_xlabel("distance to the threshold (half the way: as much as the threshold itself)", loc="left")
    dress(axes, legend=False)
    axes.grid(visible=False, axis="y")
    axes.tick_params(axis="y", length=0)
    axes.spines["bottom"].set_bounds(-1.0, 1.0)


def note(axes: Axes, text: str) -> None:
    """Say why axes are empty."""
    axes.set_xticks([])
    axes.set_yticks([])
    axes.text(0.5, 0.5, text, transform=axes.transAxes, ha="center", va="center", color=QUIET, fontsize=SMALL)


def plain_numbers(axes: Axes) -> None:
    """Show prices as they are, not as an offset and a difference."""
    axes.ticklabel_format(axis="y", useOffset=False)


def _increments(series: _F64) -> _F64:
    """Return each sample less the one before it; the first has none."""
    return np.concatenate(([np.nan], np.diff(series))) if len(series) else series


def _varies(series: _F64) -> bool:
    there = series[np.isfinite(series)]
    return len(there) >= _FEWEST_SAMPLES and bool(np.ptp(there) > 0)


def _limit_power(axes: Axes, before: _F64, after: _F64, noise: float) -> None:
    """Leave out what lies far below anything the series had: rounding, and gaps of the transform."""
    seen = before[before > 0]
    left = after[after > 0]
    both = np.concatenate((seen, left))
    floor = _FAINTEST * min(float(seen.min()), float(np.median(left)) if len(left) else math.inf)
    least = max(float(both.min()), floor)
    axes.set_ylim((min(least, noise) if noise > 0 else least) / 2, 2 * float(both.max()))


def _margin(check: Check) -> float:
    """Return the distance of value and threshold, in thresholds, from -1 to 1; positive where it is kept."""
    distance = float(check.value) - float(check.threshold)
    kept = distance if check.relation == ">=" else -distance
    if math.isinf(kept):
        return math.copysign(1.0, kept)
    share = kept / (abs(check.threshold) or 1.0)
    return share / (1.0 + abs(share))
