# SPDX-License-Identifier: MIT
"""The seed's chain for one series: wavelet shrinkage, then a zero-phase FIR filter."""

import numpy as np

from . import dwt, fir, shrinkage
from .gaps import filled

_DEFAULT_LEVEL = 4


def denoise(
    x,
    bank,
    *,
    boundary="symmetric",
    level="auto",
    threshold_mode="bayes",
    threshold_rule="soft",
    threshold_scale=1.0,
    noise="mad",
    fir_taps=None,
    space="price",
):
    """Return the denoised series; NaN where x is NaN."""
    x = np.asarray(x, dtype=float)
    y = filled(x)
    if len(y) == 0 or np.isnan(y).any():
        return y
    if (y == y[0]).all():  # no noise to remove, whatever the options say of it
        return np.where(np.isnan(x), np.nan, y)
    if space == "log":
        y = np.log(y)
    if level == "auto":
        level = min(_DEFAULT_LEVEL, dwt.max_level(len(y), len(bank[0])))
    if threshold_mode != "none" and level > 0:
        approximation, *details = dwt.wavedec(y, bank, boundary, level)
        finest = shrinkage.mad(details[-1]) if noise in ("mad", "level") else noise
        shrunk = []
        for d in details:
            sigma = shrinkage.mad(d) if noise == "level" else finest
            t = shrinkage.bayes(sigma, d) if threshold_mode == "bayes" else shrinkage.universal(sigma, len(y))
            # No shrinkage at all is asked for by a scale of 0, of a level without signal as well.
            t = t * threshold_scale if threshold_scale > 0 else 0.0
            shrunk.append(shrinkage.shrink(d, t, threshold_rule))
        y = dwt.waverec([approximation, *shrunk], bank, boundary)[: len(x)]
    if fir_taps is not None:
        y = fir.zero_phase(y, fir_taps)
    if space == "log":
        y = np.exp(y)
    return np.where(np.isnan(x), np.nan, y)
