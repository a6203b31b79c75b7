# SPDX-License-Identifier: MIT
"""The same work done with PyWavelets, SciPy and scikit-image, as their users write it."""

import math

import numpy as np
import pywt
import scipy.signal
from skimage.restoration import denoise_wavelet

DB4 = pywt.Wavelet("db4")
LEVEL = 4
NORMAL_QUARTILE = 0.6744897501960817


def prices(*shape: int) -> np.ndarray:
    """Random walks with noise, series x time (NSR 1), seeded."""
    generator = np.random.default_rng(20261123)
    walk = np.cumsum(generator.standard_normal(shape), axis=-1)
    return 100 + walk + generator.standard_normal(shape)


def pywt_bayes(x: np.ndarray, level: int = LEVEL) -> np.ndarray:
    """BayesShrink, db4, MAD noise: one series, as lean as NumPy lets it be."""
    coefficients = pywt.wavedec(x, DB4, level=level)
    variance = (np.median(np.abs(coefficients[-1])) / NORMAL_QUARTILE) ** 2
    shrunk = [coefficients[0]]
    for d in coefficients[1:]:
        signal = math.sqrt(max(np.dot(d, d) / len(d) - variance, 0.0))
        shrunk.append(pywt.threshold(d, variance / signal, "soft") if signal > 0 else np.zeros_like(d))
    return pywt.waverec(shrunk, DB4)[: len(x)]


def pywt_bayes_batch(x: np.ndarray) -> np.ndarray:
    """The same for a batch on the last axis."""
    coefficients = pywt.wavedec(x, DB4, level=LEVEL)
    sigma = np.median(np.abs(coefficients[-1]), axis=-1, keepdims=True) / NORMAL_QUARTILE
    shrunk = [coefficients[0]]
    for d in coefficients[1:]:
        signal = np.sqrt(np.maximum(np.mean(d * d, axis=-1, keepdims=True) - sigma**2, 0))
        with np.errstate(divide="ignore"):
            threshold = np.where(signal > 0, sigma**2 / signal, np.inf)
        # The soft rule in plain NumPy: pywt.threshold takes one threshold for all series only.
        shrunk.append(np.sign(d) * np.maximum(np.abs(d) - threshold, 0))
    return pywt.waverec(shrunk, DB4)[..., : x.shape[-1]]


def skimage_bayes(x: np.ndarray) -> np.ndarray:
    """scikit-image's BayesShrink of one series."""
    return denoise_wavelet(x, wavelet="db4", wavelet_levels=LEVEL, method="BayesShrink", mode="soft")


def pywt_round_trip(x: np.ndarray) -> np.ndarray:
    """Four levels down and up."""
    return pywt.waverec(pywt.wavedec(x, DB4, level=LEVEL), DB4)


def scipy_lfilter(taps: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Causal FIR, direct form."""
    return scipy.signal.lfilter(taps, 1.0, x)


def scipy_oaconvolve(taps: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Causal FIR by overlap-add."""
    return scipy.signal.oaconvolve(x, taps)[: len(x)]


def numpy_convolve(taps: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Causal FIR by direct convolution."""
    return np.convolve(x, taps)[: len(x)]


def scipy_filtfilt(taps: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Zero-phase FIR."""
    return scipy.signal.filtfilt(taps, 1.0, x)


def zero_phase_average(x: np.ndarray) -> np.ndarray:
    """A centred mean of five samples: an output for the guardrails to compare with its input."""
    return np.convolve(np.pad(x, 2, mode="edge"), np.full(5, 0.2), "valid")
