# SPDX-License-Identifier: MIT
"""What spectra and autocorrelations are drawn of."""

from __future__ import annotations

import math
from typing import Final

import numpy as np
import numpy.typing as npt

_F64 = npt.NDArray[np.float64]

# More frequencies than these are drawn as means of so many bins, evenly wide on a logarithmic axis.
_MOST_BINS: Final = 240
# Samples from the end that innovations are computed of: their autocorrelation is known to 0.01 then.
_MOST_SAMPLES: Final = 1 << 16
# Innovations further out than so many standard deviations count as being there: one bad tick must not
# decide what the autocorrelation is.
_WINSOR: Final = 5.0
_NORMAL_QUARTILE: Final = 0.6744897501960817


def filled(series: _F64) -> _F64:
    """Return a series whose missing samples are interpolated, or an empty one where all are missing."""
    there = np.flatnonzero(np.isfinite(series))
    if len(there) in (0, len(series)):
        return series[there]
    return np.interp(np.arange(len(series)), there, series[there])


def periodogram(series: _F64) -> tuple[_F64, _F64]:
    """Return frequencies in cycles a sample, without 0, and the power at each, in bins where they are many.

    The power is abs(X)**2 / n of the mean-removed series, so that white noise of variance v has v
    everywhere. Missing samples are interpolated, as where the guardrail `power` is measured.
    """
    whole = filled(series)
    n = len(whole)
    if n < 2:
        return np.empty(0), np.empty(0)
    power = np.abs(np.fft.rfft(whole - whole.mean())[1:]) ** 2 / n
    frequency = np.arange(1, len(power) + 1) / n
    if len(power) <= _MOST_BINS:
        return frequency, power
    edges = np.unique(np.geomspace(1, len(power) + 1, _MOST_BINS + 1).astype(np.int64))[:-1] - 1
    counts = np.diff(np.append(edges, len(power)))
    return np.add.reduceat(frequency, edges) / counts, np.add.reduceat(power, edges) / counts


def autocorrelation(series: _F64, lags: int) -> _F64:
    """Return the autocorrelation at lags 1 to `lags`; missing samples count as the mean."""
    there = np.isfinite(series)
    e = np.where(there, series - np.mean(series[there]), 0.0)
    total = e @ e
    return np.array([e[k:] @ e[:-k] / total for k in range(1, lags + 1)], np.float64)


def winsorised(series: _F64) -> _F64:
    """Return a series with its extremes drawn in."""
    there = series[np.isfinite(series)]
    centre = np.median(there)
    sd = np.median(np.abs(there - centre)) / _NORMAL_QUARTILE
    if sd == 0:
        return series
    return np.clip(series, centre - _WINSOR * sd, centre + _WINSOR * sd)


def innovations(series: _F64, noise_sd: float, step_sd: float) -> _F64:
    """Return by how much each sample differs from its forecast by a random walk under noise.

    The Kalman filter of the local level model (Harvey 1989), begun at the first sample; a missing sample
    has no innovation (NaN) and leaves the forecast where it was, less sure. Of a long series the newest
    65,536 samples.
    """
    newest = series[-_MOST_SAMPLES:]
    out = np.full(len(newest), np.nan)
    # Only the ratio matters to the forecast, and nothing can overflow in it.
    step, noise = (1.0, (noise_sd / step_sd) ** 2) if step_sd > 0 else (0.0, 1.0)
    level, variance = math.nan, math.inf
    for t, sample in enumerate(newest.tolist()):
        variance += step
        if math.isnan(sample):
            continue
        if math.isinf(variance):
            level, variance = sample, noise
            continue
        out[t] = sample - level
        gain = variance / (variance + noise)
        level += gain * out[t]
        variance *= 1.0 - gain
    return out
