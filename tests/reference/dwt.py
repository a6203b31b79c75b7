# SPDX-License-Identifier: MIT
"""The discrete wavelet transform by its sums: extend, convolve with each filter, keep every other sample.

S. Mallat, "A theory for multiresolution signal decomposition: the wavelet representation", IEEE Trans.
Pattern Analysis and Machine Intelligence 11(7), 1989; lengths and offsets as PyWavelets documents them.
A bank is (dec_lo, dec_hi, rec_lo, rec_hi), four sequences of one even length F. Time is the last axis.
"""

import numpy as np

from .extension import extend


def coefficient_count(n, taps, mode):
    return (n + 1) // 2 if mode == "periodization" else (n + taps - 1) // 2


def max_level(n, taps):
    """floor(log2(n / (F - 1))): the deepest level that still has a coefficient free of the extension."""
    level = 0
    while n >= (taps - 1) * 2 ** (level + 1):
        level += 1
    return level


def dwt(x, bank, mode):
    """c[k] = sum_j f[j] x[2k + s - j], with s = 1, or F / 2 with periodization, for both analysis filters."""
    x = np.asarray(x)
    taps = len(bank[0])
    shift = taps // 2 if mode == "periodization" else 1
    k = np.arange(coefficient_count(x.shape[-1], taps, mode))[:, None]
    j = np.arange(taps)[None, :]
    around = extend(x, 2 * k + shift - j, mode)
    return around @ np.asarray(bank[0]), around @ np.asarray(bank[1])


def idwt(a, d, bank, mode):
    """y[t] = sum_k a[k] g[t + F - 2 - 2k] + d[k] h[t + F - 2 - 2k] for 0 <= t < 2N - F + 2.

    g and h are the synthesis filters. With periodization t runs over 0 .. 2N - 1, everything is
    periodic, and F - 2 becomes F / 2 - 1.
    """
    a, d = np.asarray(a), np.asarray(d)
    taps, count = len(bank[2]), a.shape[-1]
    periodic = mode == "periodization"
    length = 2 * count if periodic else 2 * count - taps + 2
    offset = taps // 2 - 1 if periodic else taps - 2
    y = np.zeros((*a.shape[:-1], length), dtype=np.result_type(a, d, np.float64))
    for t in range(length):
        for j in range(taps):
            twice_k = t + offset - j
            if twice_k % 2 == 0 and (periodic or 0 <= twice_k < 2 * count):
                k = twice_k // 2 % count
                y[..., t] += a[..., k] * bank[2][j] + d[..., k] * bank[3][j]
    return y


def wavedec(x, bank, mode, level):
    """Return [cA_level, cD_level, ..., cD_1]."""
    approximation, details = np.asarray(x), []
    for _ in range(level):
        approximation, detail = dwt(approximation, bank, mode)
        details.append(detail)
    return [approximation, *details[::-1]]


def waverec(coeffs, bank, mode):
    """Undo wavedec; where an odd length was extended the reconstruction is one sample longer."""
    approximation = coeffs[0]
    for detail in coeffs[1:]:
        approximation = idwt(approximation[..., : detail.shape[-1]], detail, bank, mode)
    return approximation
