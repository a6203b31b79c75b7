# SPDX-License-Identifier: MIT
"""Noise from the finest details, thresholds, and the rules by which coefficients shrink.

mad, universal: D. L. Donoho, I. M. Johnstone, "Ideal spatial adaptation by wavelet shrinkage", Biometrika
81(3), 1994. bayes: S. G. Chang, B. Yu, M. Vetterli, "Adaptive wavelet thresholding for image denoising and
compression", IEEE Trans. Image Processing 9(9), 2000. garrote: H.-Y. Gao, "Wavelet shrinkage denoising
using the non-negative garrote", J. Comput. Graph. Stat. 7(4), 1998. firm: H.-Y. Gao, A. G. Bruce,
"WaveShrink with firm shrinkage", Statistica Sinica 7(4), 1997. scad: A. Antoniadis, J. Fan,
"Regularization of wavelet approximations", JASA 96(455), 2001. The other selectors are in selection.py.
"""

import math

import numpy as np

#: The third quartile of the standard normal distribution.
NORMAL_QUARTILE = 0.6744897501960817


def mad(d):
    """Standard deviation of Gaussian noise that makes up details d: median(|d|) / Phi^-1(3/4)."""
    return float(np.median(np.abs(d))) / NORMAL_QUARTILE


def universal(sigma, n):
    return sigma * math.sqrt(2 * math.log(n))


def bayes(sigma, d):
    """sigma^2 / s with s the signal's standard deviation in d; infinite where d is all noise."""
    signal = math.sqrt(max(float(np.mean(np.asarray(d, dtype=float) ** 2)) - sigma**2, 0.0))
    return sigma**2 / signal if signal > 0 else math.inf


def soft(d, t):
    return np.sign(d) * np.maximum(np.abs(d) - t, 0)


def hard(d, t):
    return np.where(np.abs(d) >= t, d, 0)


def garrote(d, t):
    kept = np.abs(d) > t
    return np.where(kept, d - t**2 / np.where(kept, d, 1), 0)


def firm(d, low, high):
    """Nothing up to low, everything above high, a straight line between."""
    size = np.abs(d)
    if high == low:
        return hard(d, low)
    between = np.sign(d) * high * (size - low) / (high - low)
    return np.where(size <= low, 0, np.where(size <= high, between, d))


def scad(d, t, a=3.7):
    """Soft up to 2t, everything above a t, a straight line between."""
    size = np.abs(d)
    line = np.sign(d) * ((a - 1) * size - a * t) / (a - 2)
    return np.where(size <= 2 * t, soft(d, t), np.where(size <= a * t, line, d))


def shrink(d, t, rule):
    """Apply a rule by its name; an infinite threshold leaves nothing, and firm's upper one is 2t."""
    if math.isinf(t):
        return np.zeros_like(d)
    if rule == "firm":
        return firm(d, t, 2 * t)
    return {"soft": soft, "hard": hard, "garrote": garrote, "scad": scad}[rule](d, t)
