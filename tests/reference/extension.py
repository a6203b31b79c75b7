# SPDX-License-Identifier: MIT
"""The nine ways to extend a finite signal to all integers, each as a formula for the sample at index i.

Notation: x[0] .. x[n-1] is the signal, which may have any leading axes; i holds any integers.
"""

import numpy as np

MODES = (
    "zero", "constant", "symmetric", "periodic", "smooth",
    "periodization", "reflect", "antisymmetric", "antireflect",
)  # fmt: skip


def extend(x, i, mode):
    """Return the samples at the indices i (an integer array of any shape) of the signal extended by mode."""
    i = np.asarray(i)
    return _EXTENSION[mode](np.asarray(x), i)


def _zero(x, i):
    n = x.shape[-1]
    return np.where((i >= 0) & (i < n), x[..., np.clip(i, 0, n - 1)], 0)


def _constant(x, i):
    return x[..., np.clip(i, 0, x.shape[-1] - 1)]


def _symmetric(x, i):
    """Mirrored between samples: ... x1 x0 | x0 x1 ... xn-1 | xn-1 xn-2 ...; period 2n."""
    n = x.shape[-1]
    j = i % (2 * n)
    return x[..., np.where(j < n, j, 2 * n - 1 - j)]


def _antisymmetric(x, i):
    """As symmetric, and each mirror image changes the sign."""
    n = x.shape[-1]
    return np.where(i % (2 * n) < n, 1, -1) * _symmetric(x, i)


def _reflect(x, i):
    """Mirrored at the outer samples: ... x2 x1 | x0 x1 ... xn-1 | xn-2 xn-3 ...; period 2n - 2."""
    n = x.shape[-1]
    if n == 1:
        return _constant(x, i)
    j = i % (2 * n - 2)
    return x[..., np.where(j < n, j, 2 * n - 2 - j)]


def _antireflect(x, i):
    """Turned by half a circle about the outer samples: x[-i] = 2 x0 - x[i], x[n-1+i] = 2 xn-1 - x[n-1-i].

    Two such turns move everything by one period P = 2n - 2 and up by 2 (xn-1 - x0).
    """
    n = x.shape[-1]
    if n == 1:
        return _constant(x, i)
    first, last = x[..., :1], x[..., -1:]
    if i.ndim == 2:
        first, last = first[..., None], last[..., None]
    periods, j = np.divmod(i, 2 * n - 2)
    turned = 2 * last - x[..., np.where(j < n, n - 1, 2 * n - 2 - j)]
    return np.where(j < n, x[..., np.minimum(j, n - 1)], turned) + periods * 2 * (last - first)


def _smooth(x, i):
    """Straight lines through the first two and through the last two samples."""
    n = x.shape[-1]
    if n == 1:
        return _constant(x, i)
    slope = np.where(i < 0, _constant(x, i * 0 + 1) - _constant(x, i * 0), 0) + np.where(
        i >= n, _constant(x, i * 0 + n - 1) - _constant(x, i * 0 + n - 2), 0
    )
    return _constant(x, i) + slope * (i - np.clip(i, 0, n - 1))


def _periodic(x, i):
    return x[..., i % x.shape[-1]]


def _periodization(x, i):
    """Periodic, after an odd signal has been made even by a copy of its last sample."""
    n = x.shape[-1]
    j = i % (n + n % 2)
    return x[..., np.minimum(j, n - 1)]


_EXTENSION = {
    "zero": _zero,
    "constant": _constant,
    "symmetric": _symmetric,
    "periodic": _periodic,
    "smooth": _smooth,
    "periodization": _periodization,
    "reflect": _reflect,
    "antisymmetric": _antisymmetric,
    "antireflect": _antireflect,
}
