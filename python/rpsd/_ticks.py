# SPDX-License-Identifier: MIT
"""Prices on ticks in log space: their logarithms are on no lattice, so what ticks tell is lost there."""

from typing import Any, Final

import numpy as np
import numpy.typing as npt

from rpsd import _core
from rpsd._errors import warn

# In ticks: where the default considers the lattice of prices (cpp/src/denoise_price.cpp).
_COARSE: Final = 3.0
_STILL: Final = 0.02


def warn_of_lost_ticks(batch: npt.NDArray[Any], noise_sd: Any, step_sd: Any) -> None:
    """Warn once where series are on ticks so coarse that the default would use them in price space.

    noise_sd and step_sd are those of the logarithms, one for each series.
    """
    for x, noise, step in zip(batch, noise_sd, step_sd, strict=True):
        tick = _coarse_tick(x, noise, step)
        if tick > 0:
            warn(
                f'space="log" does not use that prices are on ticks (of {tick:.6g} here); space="price" '
                "does, and gains more where the noise is a tick or less"
            )
            return


def _coarse_tick(x: npt.NDArray[Any], noise: float, step: float) -> float:
    """Return the tick, 0 where there is none or where it is small beside noise or steps."""
    if not (noise > 0 and step > 0):
        return 0.0
    seen = ~np.isnan(x)
    y = np.where(seen, x, 0).astype(np.float64)
    precision = float(np.finfo(x.dtype).eps) * float(np.abs(y).max())
    tick = _core.tick_size(y, seen.astype(np.float64), precision=precision)
    price = float(np.median(y[seen]))
    coarse = max(noise, step) * price < _COARSE * tick and step * price > _STILL * tick
    return tick if coarse else 0.0
