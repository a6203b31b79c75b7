# SPDX-License-Identifier: MIT
"""Filtering with given taps, from the sums.

zero_phase: F. Gustafsson, "Determining the initial states in forward-backward filtering", IEEE Trans. Signal
Processing 44(4), 1996, as SciPy's filtfilt has it: odd extension, each pass from the steady state.
"""

import numpy as np


def causal(x, taps):
    """y[t] = sum_k taps[k] x[t - k], zero before the start."""
    return full(x, taps)[..., : x.shape[-1]]


def same(x, taps):
    """The centred part of the full convolution, which starts (T - 1) // 2 samples in."""
    start = (len(taps) - 1) // 2
    return full(x, taps)[..., start : start + x.shape[-1]]


def full(x, taps):
    x, taps = np.asarray(x, dtype=float), np.asarray(taps, dtype=float)
    n = x.shape[-1]
    y = np.zeros((*x.shape[:-1], n + len(taps) - 1))
    for k, tap in enumerate(taps):
        y[..., k : k + n] += tap * x
    return y


def zero_phase(x, taps):
    """Forward and backward, on x extended by odd reflection with min(3T, n - 1) samples at each end."""
    x = np.asarray(x, dtype=float)
    n = x.shape[-1]
    pad = min(3 * len(taps), n - 1)
    k = np.arange(1, pad + 1)
    before = 2 * x[..., :1] - x[..., k[::-1]]
    after = 2 * x[..., -1:] - x[..., n - 1 - k]
    extended = np.concatenate((before, x, after), axis=-1)
    forward = _from_steady_state(extended, taps)
    backward = _from_steady_state(forward[..., ::-1], taps)[..., ::-1]
    return backward[..., pad : pad + n]


def _from_steady_state(x, taps):
    """Causal filtering in which the first sample has been there for ever."""
    reach = len(taps) - 1
    past = np.repeat(x[..., :1], reach, axis=-1)
    return causal(np.concatenate((past, x), axis=-1), taps)[..., reach:]
