# SPDX-License-Identifier: MIT
"""Empirical Bayes with the Laplace prior, from its definition: every integral over the prior by quadrature.

I. M. Johnstone, B. W. Silverman, "Empirical Bayes selection of wavelet thresholds", Annals of Statistics
33(4), 2005: a coefficient z = m + N(0, 1) has m = 0 with probability 1 - w, and else m of density
a/2 exp(-a |m|); w and a are of the greatest marginal likelihood, 0.04 <= a <= 3 and the threshold of
n coefficients no more than sqrt(2 ln n).
"""

import math

import numpy as np
from scipy import optimize

from .selection import density, quadrature

RATES = (0.04, 3.0)


def integral(z, a, low=0.0, power=0):
    """Integral of u^power phi(z - u) a/2 exp(-a u) over u >= low >= 0; its peak is at z - a."""
    value = lambda u: u**power * density(np.asarray(z)[..., None] - u) * a / 2 * np.exp(-a * u)  # noqa: E731
    return quadrature(value, np.maximum(low, z - 14), np.maximum(low, z) + 10, panels=9)


def marginal(z, a):
    return integral(z, a) + integral(-z, a)


def least_weight(t, a):
    """The weight at which the posterior median leaves 0 at t."""
    return 1 / (1 + (2 * integral(t, a) - marginal(t, a)) / density(t))


def most_threshold(n):
    return math.sqrt(2 * math.log(max(n, 2)))


def best_weight(z, a):
    """Of this rate; and the logarithm of the likelihood, less that of noise alone."""
    odds = marginal(z, a) / density(z) - 1
    least = least_weight(most_threshold(len(z)), a)
    score = lambda w: np.sum(odds / (1 + w * odds))  # noqa: E731
    if score(least) <= 0:
        w = least
    elif score(1.0) >= 0:
        w = 1.0
    else:
        w = optimize.brentq(score, least, 1.0, xtol=1e-15, rtol=1e-14)
    return w, np.sum(np.log1p(w * odds))


def fit(z):
    """Weight and rate: the best of a grid of rates, then between its neighbours."""
    size = np.minimum(np.abs(z), 35)
    loss = lambda s: -best_weight(size, math.exp(s))[1]  # noqa: E731
    grid = np.linspace(*np.log(RATES), 16)
    k = int(np.argmin([loss(s) for s in grid]))
    bounds = grid[max(k - 1, 0)], grid[min(k + 1, len(grid) - 1)]
    found = optimize.minimize_scalar(loss, bounds=bounds, method="bounded", options={"xatol": 1e-9}).x
    a = math.exp(min((found, *bounds), key=loss))
    return best_weight(size, a)[0], a


def posterior_median(z, w, a):
    """By halving, of all z together."""
    size = np.abs(z)
    half = ((1 - w) * density(size) + w * marginal(size, a)) / 2
    low, high = np.zeros_like(size), np.where(w * integral(size, a) > half, size, 0)
    for _ in range(50):
        middle = (low + high) / 2
        above = w * integral(size, a, middle) > half
        low, high = np.where(above, middle, low), np.where(above, high, middle)
    return np.sign(z) * low


def posterior_mean(z, w, a):
    size = np.abs(z)
    first = integral(size, a, power=1) - integral(-size, a, power=1)
    return np.sign(z) * w * first / ((1 - w) * density(size) + w * marginal(size, a))


def threshold(w, a):
    """Up to where the posterior median is 0."""
    gap = lambda t: 2 * w * integral(t, a) - (1 - w) * density(t) - w * marginal(t, a)  # noqa: E731
    return optimize.brentq(gap, 1e-9, 20, xtol=1e-13) if w < 1 else 0.0
