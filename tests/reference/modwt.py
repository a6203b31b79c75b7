# SPDX-License-Identifier: MIT
"""The maximal overlap discrete wavelet transform by its definition.

D. B. Percival & A. T. Walden, "Wavelet Methods for Time Series Analysis", 2000, chapter 5.
A bank is PyWavelets' (dec_lo, dec_hi, rec_lo, rec_hi). Time is the only axis.
"""

import numpy as np


def analysis_filters(bank):
    """g~ and h~: tap l meets x[t - l], as in the library's own convolution."""
    return np.array(bank[0]) / np.sqrt(2), np.array(bank[1]) / np.sqrt(2)


def synthesis_filters(bank):
    """Tap l meets V[t + l]: of an orthogonal bank the same filters, which it holds the other way round."""
    return np.array(bank[2])[::-1] / np.sqrt(2), np.array(bank[3])[::-1] / np.sqrt(2)


def periodic(x, bank, level):
    """V_J, W_J .. W_1 with V_j[t] = sum_l g~[l] V_{j-1}[(t - 2^(j-1) l) mod N], W_j with h~."""
    g, h = analysis_filters(bank)
    v, details = np.array(x, dtype=float), []
    t = np.arange(len(v))
    for j in range(1, level + 1):
        around = [v[(t - 2 ** (j - 1) * tap) % len(v)] for tap in range(len(g))]
        details.append(sum(c * part for c, part in zip(h, around, strict=True)))
        v = sum(c * part for c, part in zip(g, around, strict=True))
    return np.array([v, *details[::-1]])


def inverse_periodic(coeffs, bank):
    """V_{j-1}[t] = sum_l g~[l] V_j[(t + 2^(j-1) l) mod N] + h~[l] W_j[the same]."""
    g, h = synthesis_filters(bank)
    v = np.array(coeffs[0], dtype=float)
    t = np.arange(len(v))
    for j in range(len(coeffs) - 1, 0, -1):
        w = coeffs[len(coeffs) - j]
        index = [(t + 2 ** (j - 1) * tap) % len(v) for tap in range(len(g))]
        v = sum(g[tap] * v[i] + h[tap] * w[i] for tap, i in enumerate(index))
    return v


def lags(bank, level):
    """Centre of energy of each row's filter, rounded: the filters' own add up level by level."""
    g, h = analysis_filters(bank)
    tap = np.arange(len(g))
    low, high = (tap @ g**2 / np.sum(g**2), tap @ h**2 / np.sum(h**2))
    details = [2 ** (j - 1) * high + (2 ** (j - 1) - 1) * low for j in range(level, 0, -1)]
    return [int(np.floor(lag + 0.5)) for lag in [(2**level - 1) * low, *details]]


def symmetric(x, bank, level):
    """The periodic transform of the series and its mirror; the n coefficients of each row over the series."""
    doubled = periodic(np.concatenate([x, x[::-1]]), bank, level)
    rows = zip(doubled, lags(bank, level), strict=True)
    return np.array([np.roll(row, -lag)[: len(x)] for row, lag in rows])


def inverse_symmetric(coeffs, bank):
    """Least squares over all series: the matrix of the transform, column by column."""
    level, n = len(coeffs) - 1, coeffs.shape[1]
    matrix = np.stack([symmetric(unit, bank, level).ravel() for unit in np.eye(n)], axis=1)
    return np.linalg.lstsq(matrix, coeffs.ravel(), rcond=None)[0]
