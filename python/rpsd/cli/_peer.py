# SPDX-License-Identifier: MIT
"""The textbook chain as users of PyWavelets write it: what `demo` and `doctor` compare with."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

_F64 = npt.NDArray[np.float64]


def pywavelets_chain(x: _F64) -> _F64:
    """Return db4, 4 levels, BayesShrink with the MAD of the finest details, soft thresholds, symmetric ends.

    S. G. Chang, B. Yu and M. Vetterli, "Adaptive wavelet thresholding for image denoising and compression",
    IEEE Trans. Image Processing 9 (2000); the noise after Donoho & Johnstone (1994).
    """
    import pywt

    approximation, *details = pywt.wavedec(x, "db4", mode="symmetric", level=4)
    # The normal quantile at 3/4: the median of absolute values over it estimates a standard deviation.
    variance = (np.median(np.abs(details[-1])) / 0.6744897501960817) ** 2
    shrunk = [approximation]
    for detail in details:
        signal = max(float(np.mean(detail**2)) - variance, 0.0) ** 0.5
        soft = pywt.threshold(detail, variance / signal, "soft") if signal > 0 else np.zeros_like(detail)
        shrunk.append(soft)
    out: _F64 = pywt.waverec(shrunk, "db4", mode="symmetric")[: len(x)]
    return out
