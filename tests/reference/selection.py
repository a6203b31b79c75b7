# SPDX-License-Identifier: MIT
"""Threshold selectors, blocks and posterior rules, each as its paper defines it, slowly.

sure, hybrid: D. L. Donoho, I. M. Johnstone, "Adapting to unknown smoothness via wavelet shrinkage", JASA
90(432), 1995. minimax: the same, Biometrika 81(3), 1994. fdr: F. Abramovich, Y. Benjamini, "Adaptive
thresholding of wavelet coefficients", CSDA 22(4), 1996. blockjs: T. T. Cai, "Adaptive wavelet estimation",
Annals of Statistics 27(3), 1999. neighblock: T. T. Cai, B. W. Silverman, "Incorporating information on
neighbouring coefficients into wavelet estimation", Sankhya B 63, 2001. ebayes: I. M. Johnstone, B. W.
Silverman, "Needles and straw in haystacks", Annals of Statistics 32(4), 2004, and "Empirical Bayes selection
of wavelet thresholds", 33(4), 2005; integrals over the prior are done by quadrature.
"""

import itertools
import math

import numpy as np
from scipy import optimize, special, stats

LAMBDA = 4.50524
normal = stats.norm


def sure_risk(z, t):
    """Stein's unbiased estimate of the risk of soft thresholding at t."""
    return len(z) - 2 * np.sum(np.abs(z) <= t) + np.sum(np.minimum(np.abs(z), t) ** 2)


def sure(z):
    candidates = [t for t in (0, *np.sort(np.abs(z))) if t <= math.sqrt(2 * math.log(len(z)))]
    return candidates[int(np.argmin([sure_risk(z, t) for t in candidates]))]


def hybrid(z):
    n = len(z)
    sparse = np.mean(z**2 - 1) <= math.log2(n) ** 1.5 / math.sqrt(n)
    return math.sqrt(2 * math.log(n)) if sparse else sure(z)


def quadrature(value, begin, end, panels=10):
    """Integral of `value` from begin to end, arrays or numbers: Gauss and Legendre's rule on equal panels."""
    nodes, weights = np.polynomial.legendre.leggauss(20)
    places = ((nodes + 1) / 2 + np.arange(panels)[:, None]).ravel() / panels
    width = np.asarray(end - begin)[..., None]
    at = np.asarray(begin)[..., None] + width * places
    return np.sum(value(at) * width * np.tile(weights, panels), axis=-1) / (2 * panels)


def soft_risk(t, mean):
    """E (soft(Z + mean, t) - mean)^2 by quadrature."""
    error = lambda x: (np.sign(x) * np.maximum(abs(x) - t, 0) - mean) ** 2 * normal.pdf(x - mean)  # noqa: E731
    parts = sorted({-t, t, mean, mean - 9, mean + 9})
    return sum(quadrature(error, a, b) for a, b in itertools.pairwise(parts))


def minimax(n):
    """Where the ratio to 1/n + min(mean^2, 1) is as great without signal as with a boundless one."""
    return optimize.brentq(lambda t: (n + 1) * soft_risk(t, 0) - (1 + t * t), 0, 9, xtol=1e-13)


def fdr(z, rate=0.05):
    """The threshold for all coefficients together, so far below the last one found that this stays."""
    size = np.sort(np.abs(z))[::-1]
    found = np.flatnonzero(2 * normal.sf(size) <= rate * np.arange(1, len(z) + 1) / len(z))
    return size[found[-1]] * (1 - 1e-15) if len(found) else math.inf


def block_sizes(mode, n):
    """Length of a block and of the margin on each side."""
    if mode == "blockjs":
        return max(int(math.log(n)), 1), 0
    length = max(int(math.log(n) / 2), 1)
    return length, max(length // 2, 1)


def blocks(mode, d, sigma, n):
    length, margin = block_sizes(mode, n)
    out = np.zeros_like(d)
    for begin in range(0, len(d), length):
        around = d[max(begin - margin, 0) : begin + length + margin]
        energy = np.sum(around**2)
        keep = max(0, 1 - LAMBDA * len(around) * sigma**2 / energy) if energy > 0 else 0
        out[begin : begin + length] = keep * d[begin : begin + length]
    return out


def blocks_all_shifts(mode, d, sigma, n, stride):
    """Of a periodic level whose neighbours are `stride` apart: the mean over all places of the block."""
    length, margin = block_sizes(mode, n)
    count = length + 2 * margin
    out = np.zeros_like(d)
    for t in range(len(d)):
        for first in range(t - (margin + length - 1) * stride, t - margin * stride + 1, stride):
            around = d[(first + stride * np.arange(count)) % len(d)]
            out[t] += d[t] * max(0, 1 - LAMBDA * count * sigma**2 / np.sum(around**2)) / length
    return out


def density(z):
    return np.exp(-z * z / 2) / math.sqrt(2 * math.pi)


def prior(m):
    """The quasi-Cauchy density of m >= 0: N(0, 1/b - 1) mixed over b ~ Beta(1/2, 1)."""
    mills_ratio = math.sqrt(math.pi / 2) * special.erfcx(m / math.sqrt(2))
    return (1 - m * mills_ratio) / math.sqrt(2 * math.pi)


def integral(z, low, power=0):
    """Integral of u^power phi(z - u) prior(u) over u >= low >= 0, where phi is not negligible."""
    value = lambda u: u**power * density(np.asarray(z)[..., None] - u) * prior(u)  # noqa: E731
    return quadrature(value, np.maximum(low, z - 10), np.maximum(low, z) + 10)


def marginal(z):
    """Density of a coefficient that is signal; its integral is known, so this checks the closed form."""
    return -np.expm1(-z * z / 2) / (z * z) / math.sqrt(2 * math.pi)


def weight(z):
    """The weight of the greatest marginal likelihood, with a threshold up to sqrt(2 ln n)."""
    size = np.clip(np.abs(z), 1e-5, 35)
    odds = marginal(size) / density(size) - 1
    t = math.sqrt(2 * math.log(max(len(z), 2)))
    least = 1 / (1 + (2 * integral(t, 0.0) - marginal(t)) / density(t))
    score = lambda w: np.sum(odds / (1 + w * odds))  # noqa: E731
    if score(least) <= 0:
        return least
    return 1.0 if score(1.0) >= 0 else optimize.brentq(score, least, 1.0, xtol=1e-15, rtol=1e-14)


def posterior_median(z, w):
    """By halving, of all z together."""
    size = np.abs(z)
    half = ((1 - w) * density(size) + w * marginal(size)) / 2
    low, high = np.zeros_like(size), np.where(w * integral(size, 0.0) > half, size, 0)
    for _ in range(50):
        middle = (low + high) / 2
        above = w * integral(size, middle) > half
        low, high = np.where(above, middle, low), np.where(above, high, middle)
    return np.sign(z) * low


def posterior_mean(z, w):
    size = np.abs(z)
    first = integral(size, 0.0, 1) - integral(-size, 0.0, 1)
    return np.sign(z) * w * first / ((1 - w) * density(size) + w * marginal(size))


def threshold(w):
    """Up to where the posterior median is 0."""
    gap = lambda t: 2 * w * integral(t, 0.0) - (1 - w) * density(t) - w * marginal(t)  # noqa: E731
    return optimize.brentq(gap, 1e-4, 20, xtol=1e-13) if w < 1 else 0.0
