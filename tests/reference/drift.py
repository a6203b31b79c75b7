# SPDX-License-Identifier: MIT
"""The drift monitor again, a rate at a time over the whole series, with loops in Python."""

import numpy as np
from scipy import stats

CHARTS = 6
DOUBT = 1.5
LEAST = 0.01
ODDS = {"scale": 2.0, "noise": 1.2, "missing": 4.0, "stale": 9.0}
SPANS = {"scale": 1, "noise": 4, "missing": 1, "stale": 1}


def ratios(hits, count, odds):
    """Log likelihood ratios of a hit and a miss: Wilson's upper limit against `odds` times its odds."""
    level = 2 * stats.norm.cdf(DOUBT) - 1
    p = stats.binomtest(int(hits), int(count)).proportion_ci(level, method="wilson").high
    p = max(p, LEAST)
    q = odds * p / (1 - p) / (1 + odds * p / (1 - p))
    return np.log(q / p), np.log((1 - q) / (1 - p))


def first_alarm(hits, name, reference, run_length):
    """Return the place and side of the first alarm, or None; and the rate of the reference."""
    span = SPANS[name] * reference
    threshold = np.log(CHARTS * run_length)
    known = hits[:span]
    up = ratios(known.sum(), span, ODDS[name])
    down = ratios(span - known.sum(), span, ODDS[name])[::-1] if name in {"scale", "noise"} else (0, 0)
    rise = fall = 0.0
    for t, hit in enumerate(hits[span:], span):
        rise = max(0.0, rise + up[0 if hit else 1])
        fall = max(0.0, fall + down[0 if hit else 1])
        if rise > threshold:
            return (t, 1), known.mean()
        if fall > threshold:
            return (t, -1), known.mean()
    return None, known.mean()


def missing_hits(x):
    """One for each sample from the second one on."""
    return np.isnan(x[1:])


def stale_hits(x):
    """One for each number but the first."""
    return np.diff(x[~np.isnan(x)]) == 0


def scale_hits(x, reference):
    """One for each move; the limit is one of half octaves about the first move, the nearest to the median."""
    moves = np.abs(np.diff(x[~np.isnan(x)]))
    moves = moves[moves > 0]
    limits = moves[0] * 2.0**0.25 * 2.0 ** (np.arange(-31, 32) / 2)
    above = np.array([(moves[:reference] >= limit).sum() for limit in limits])
    nearest = np.lexsort((limits, above, np.abs(above - reference / 2)))[0]
    return moves >= limits[nearest]


def noise_hits(x, reference):
    """One for each move: of the filter with the least mean absolute innovation over the reference."""
    values = x[~np.isnan(x)]
    values = values[np.r_[True, np.diff(values) != 0]]
    span, best = SPANS["noise"] * reference, None
    for i in range(10):
        r = (0.15 * 1.6**i) ** 2
        steady = (np.sqrt(1 + 4 * r) - 1) / (2 * r)
        level, past, cost, hits = values[0], 0.0, 0.0, []
        for t, value in enumerate(values[1:], 1):
            gain = max(steady, 1 / (t + 1)) if t <= span else steady
            innovation = value - level
            hits.append(innovation * past < 0)
            level += gain * innovation
            past = (1 - gain) * past + innovation
            cost += abs(innovation) if t <= span else 0
        if best is None or cost < best[0]:
            best = cost, np.array(hits)
    return best[1]
