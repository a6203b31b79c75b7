# SPDX-License-Identifier: MIT
"""The honest guardrails, slow and plain, written from docs/guardrails.md."""

import math

import numpy as np
from scipy.stats import chi2

LAGS = 20


def filled(v):
    known = np.flatnonzero(~np.isnan(v))
    return np.interp(np.arange(len(v)), known, v[known])


def clipped(e):
    moved = np.abs(e[e != 0])
    return e if moved.size == 0 else np.clip(e, -6 * np.median(moved), 6 * np.median(moved))


def steady_gain(noise_sd, step_sd):
    r = (noise_sd / step_sd) ** 2 if step_sd > 0 else 0
    return (math.sqrt(1 + 4 * r) - 1) / (2 * r) if r > 0 else 1.0


def kept_near(apart, x, best):
    """Differences, those larger than six medians of what x differs from best by as large as that."""
    of_x = filled(x) - filled(best)
    far = 6 * np.median(np.abs(of_x[of_x != 0])) if of_x.any() else np.inf
    return np.clip(apart, -far, far)


def without_bad_ticks(y, x, best):
    """What y differs from best by; where x is far from best, by no more than that counts as far."""
    of_x, apart = filled(x) - filled(best), filled(y) - filled(best)
    far = 6 * np.median(np.abs(of_x[of_x != 0])) if of_x.any() else np.inf
    return np.where(np.abs(of_x) > far, np.clip(apart, -far, far), apart)


def gain(x, y, best, model):
    """Predicted gain of y, and the mean squared errors of x and of the best estimate."""
    noise_sd, _, gain_db, *_ = model
    seen = ~np.isnan(x) & ~np.isnan(y)
    taken = np.mean(kept_near(filled(x) - filled(best), x, best)[seen] ** 2)
    share = 1 - 10 ** (-gain_db / 10)
    raw = taken / share if share > 1e-3 else noise_sd**2
    left = raw - taken if share > 1e-3 else raw
    apart = np.mean(kept_near(filled(y) - filled(best), x, best)[seen] ** 2)
    return 10 * math.log10(raw / (left + apart)), raw, left


def edges(x, y, best, model):
    noise_sd, step_sd, _, _, walk = model
    _, raw, left = gain(x, y, best, model)
    end = steady_gain(noise_sd, step_sd) * raw if walk else min(raw, 2 * left)
    of_x, of_y = (without_bad_ticks(v, x, best) for v in (x, y))
    all_of_x = np.sum(of_x**2)
    part = min(1, math.sqrt(np.sum(clipped(filled(x) - filled(y)) ** 2) / all_of_x)) if all_of_x > 0 else 0

    def error(e):
        return max(np.mean(e) ** 2, np.mean(e**2) / 2)

    return [
        10 * math.log10((end + (1 - part) ** 2 * error(u)) / (end + error(v)))
        for u, v in ((of_x[:5], of_y[:5]), (of_x[-5:], of_y[-5:]))
    ]


def bias(x, y, best, model):
    raw = gain(x, y, best, model)[1]
    of_y, of_best = (abs(np.mean(clipped(filled(x) - filled(v)))) for v in (y, best))
    return max(0.0, of_y - of_best) / math.sqrt(raw)


def moves(v):
    return np.sum(np.abs(np.diff(v)))


def near(like, best, x):
    """The estimate of the same lookahead without bad ticks that it let through."""
    return filled(best) + kept_near(filled(like) - filled(best), x, best)


def variance(y, best):
    return (moves(filled(y)) / moves(filled(best))) ** 2


def roughness(x, y, like):
    x, y, like = filled(x), filled(y), filled(like)
    allowed = np.sum(clipped(x - like) ** 2)
    part = min(1, math.sqrt(np.sum(clipped(x - y) ** 2) / allowed)) if allowed > 0 else 0
    return moves(y) / min(moves(x), 2 * moves(x + part * (like - x)))


def lag(x, y, best, like, model):
    x, best, late = filled(x), filled(best), model[3]
    cleaned = best + clipped(x - best)

    def beyond(v):
        speed = (v[2:] - v[:-2]) / 2
        return abs(np.sum((cleaned - v)[1:-1] * speed) / np.sum(speed**2) - late)

    return max(0.0, beyond(filled(y)) - beyond(filled(like))) / (1 + 2 * late)


def overshoot(x, y):
    both = ~np.isnan(x) & ~np.isnan(y)
    x, y = x[both], y[both]
    usual = np.median(np.abs(np.diff(x)[np.diff(x) != 0]))
    near = [x[max(t - 15, 0) : t + 16] for t in range(len(x))]
    beyond = [max(v - np.max(u), np.min(u) - v, 0.0) for u, v in zip(near, y, strict=True)]
    return max(beyond) / usual


def scale(x, y, best):
    x, y, best = filled(x), filled(y), filled(best)
    slopes = [abs(np.polyfit(best, best - v, 1)[0]) for v in (y, x)]
    return max(0, slopes[0] - slopes[1])


def stuck(x, y):
    x, y = filled(x), filled(y)
    return np.mean(np.diff(y)[np.diff(x) != 0] == 0)


def jumps(x, y, best, model):
    noise_sd, step_sd, *_ = model
    k = steady_gain(noise_sd, step_sd)
    side = min(max(2 * math.ceil(-1 / math.log1p(-k) if k < 1 else 0) + 1, 5), 15)
    cleaned = filled(best) + clipped(filled(x) - filled(best))
    x, y = filled(x), filled(y)
    sd = math.sqrt(step_sd**2 * 2 * side / 3 + noise_sd**2 * 2 / side)
    sizes = {
        t: np.mean(cleaned[t : t + side]) - np.mean(cleaned[t - side : t])
        for t in range(side, len(y) - side + 1)
    }
    large = [t for t in sizes if abs(sizes[t]) > 6 * sd]
    found, run = [], []
    for t in large:
        if run and t > max(run, key=lambda u: (abs(sizes[u]), -u)) + 2 * side:
            found.append(max(run, key=lambda u: (abs(sizes[u]), -u)))
            run = []
        run.append(t)
    if run:
        found.append(max(run, key=lambda u: (abs(sizes[u]), -u)))
    of_x, kept = ([np.mean(v[t : t + side]) - np.mean(v[t - side : t]) for t in found] for v in (x, y))
    return np.dot(of_x, kept) / np.dot(of_x, of_x) if found else math.nan


def whiteness(x, y, best, model):
    noise_sd, step_sd, *_ = model
    seen = ~np.isnan(x) & ~np.isnan(y)
    cleaned = filled(best) + clipped(filled(x) - filled(best))
    level, p, signs = cleaned[0], noise_sd**2, np.zeros(len(x))
    for t in range(1, len(x)):
        p += step_sd**2
        if seen[t]:
            signs[t] = np.sign(cleaned[t] - level)
            k = p / (p + noise_sd**2)
            level, p = level + k * (cleaned[t] - level), p * (1 - k)
    still = np.count_nonzero(filled(x)[1:][seen[1:]] == filled(x)[:-1][seen[1:]])
    if 10 * still > np.count_nonzero(signs):
        return math.nan
    statistic = 0.0
    for lag_ in range(1, LAGS + 1):
        products = signs[lag_:] * signs[:-lag_]
        pairs = np.count_nonzero(products)
        statistic += products.sum() ** 2 / pairs if pairs else 0
    beyond = max(0.0, statistic - chi2.isf(0.001, LAGS))
    return math.sqrt(beyond / (LAGS * np.count_nonzero(signs)))
