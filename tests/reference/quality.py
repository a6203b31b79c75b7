# SPDX-License-Identifier: MIT
"""The four guardrail metrics and the score, for one pair of series, from their definitions."""

import math

import numpy as np

from .gaps import filled

_WINDOW = 30


def evaluate(x, y):
    """Return correlation, rmse, trend, power and score of output y against input x."""
    x, y = filled(x), filled(y)
    if len(x) == 0 or np.isnan(x).any() or np.isnan(y).any():
        return dict.fromkeys(("correlation", "rmse", "trend", "power", "score"), math.nan)
    same = bool(np.all(x == y))
    metrics = {
        "correlation": 1.0 if same else correlation(x, y),
        "rmse": 0.0 if same else rmse(x, y),
        "trend": trend(x, y),
        "power": 1.0 if same else power(x, y),
    }
    return {**metrics, "score": score(**metrics)}


def _about_mean(x):
    # A rounded mean would leave a constant series with a variance.
    return x - x.mean() if np.ptp(x) > 0 else np.zeros_like(x)


def correlation(x, y):
    u, v = _about_mean(x), _about_mean(y)
    size = np.linalg.norm(u) * np.linalg.norm(v)
    return float(np.sum(u * v) / size) if size > 0 else 0.0


def rmse(x, y):
    spread = np.sqrt(np.mean(_about_mean(x) ** 2))
    difference = np.sqrt(np.mean((x - y) ** 2))
    return float(difference / spread) if spread > 0 else math.inf


def trend(x, y):
    """Share of full 30-sample windows whose least-squares slopes have one sign; zero agrees with zero."""
    if len(x) < _WINDOW:
        return math.nan
    return float(np.mean(_slope_signs(x) == _slope_signs(y)))


def _slope_signs(x):
    """Signs of sum_k (2k - 29) x[i + k], in exact integers: x is a multiple of a power of two."""
    ratios = [value.as_integer_ratio() for value in x.tolist()]
    scale = max(denominator for _, denominator in ratios)
    exact = np.array([n * (scale // denominator) for n, denominator in ratios], dtype=object)
    windows = len(x) - _WINDOW + 1
    slopes = sum((2 * k - (_WINDOW - 1)) * exact[k : k + windows] for k in range(_WINDOW))
    return np.array([(s > 0) - (s < 0) for s in slopes])


def power(x, y):
    """1 - |P(y) - P(x)| / P(x), with P the sum of the periodogram over 0 < k / n <= 0.05 cycles a sample."""
    low_x, low_y = _low_power(x), _low_power(y)
    if low_x == 0:
        return 1.0 if low_y == 0 else 0.0
    return float(1 - abs(low_y - low_x) / low_x)


def _low_power(x):
    n = len(x)
    periodogram = np.abs(np.fft.fft(_about_mean(x))) ** 2 / n
    k = np.arange(n)
    return float(np.sum(periodogram[(k > 0) & (20 * k <= n)]))


def score(correlation, rmse, trend, power):
    """40, 25, 20 and 15 points; without a trend its points go to the others in proportion."""
    points = (
        (40, min(correlation / 0.85, 1)),
        (25, max(0, 1 - rmse / 0.5)),
        (20, min(trend / 0.9, 1) if not math.isnan(trend) else math.nan),
        (15, min(power / 0.95, 1)),
    )
    known = [(weight, value) for weight, value in points if not math.isnan(value)]
    total = 100 * sum(w * v for w, v in known) / sum(w for w, _ in known)
    return min(max(total, 0.0), 100.0)
