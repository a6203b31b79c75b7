# SPDX-License-Identifier: MIT
"""Taps of the low-pass filter by the window method, to the bit those of scipy.signal.firwin."""

from collections.abc import Hashable
from typing import Any, Final

import numpy as np
import numpy.typing as npt

# The usual windows, as weights of cosines of 0, 1, 2 turns: without SciPy's signal package, which takes ten
# times as long to load as a million samples to filter.
_COSINES: Final[dict[Hashable, tuple[float, ...]]] = {
    **dict.fromkeys(("hann", "han"), (0.5, 0.5)),
    **dict.fromkeys(("hamming", "hamm", "ham"), (0.54, 1 - 0.54)),
    **dict.fromkeys(("blackman", "black", "blk"), (0.42, 0.50, 0.08)),
    **dict.fromkeys(("boxcar", "box", "ones", "rect", "rectangular"), (1.0,)),
}


def design_taps(taps: int, cutoff: float, window: Any) -> npt.NDArray[np.float64]:
    """Return the taps for a cutoff as a share of Nyquist; of a window that is zero at all of them, NaN.

    Raises ValueError or TypeError where SciPy does, for a window that it cannot make.
    """
    with np.errstate(all="ignore"):
        if not isinstance(window, str) or window not in _COSINES:
            from scipy.signal import firwin

            return np.asarray(firwin(taps, cutoff, window=window))
        away = np.arange(taps, dtype=np.float64) - 0.5 * (taps - 1)
        ideal = cutoff * np.sinc(cutoff * away) * _window(taps, _COSINES[window])
        return np.asarray(ideal / np.sum(ideal))


def _window(taps: int, weights: tuple[float, ...]) -> npt.NDArray[np.float64]:
    if taps == 1:
        return np.ones(1)
    turn = np.linspace(-np.pi, np.pi, taps)
    window = np.zeros(taps)
    for k, weight in enumerate(weights):
        window += weight * np.cos(k * turn)
    return window
