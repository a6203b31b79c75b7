# SPDX-License-Identifier: MIT
"""Where trading sessions begin: given by a mask, told by gaps in the times, or seen in the prices."""

from typing import Any, Final

import numpy as np
import numpy.typing as npt

from rpsd._errors import InputError

# A gap in the times is a break where it is this many times the usual distance.
_LONG: Final = 5.0
# A move between sessions stands out from those around it: this many robust standard deviations, and it stays.
_LARGE: Final = 12.0
_BESIDE: Final = 5
_LEAST_SESSION: Final = 64

_Starts = npt.NDArray[np.intp]


def mask_starts(mask: tuple[bool, ...], n: int) -> _Starts:
    """Return where sessions begin after the first sample, by a mask that is True at first samples."""
    if len(mask) != n:
        raise InputError(f"breaks must be a mask of one value per sample, {n}, got {len(mask)}")
    starts = np.flatnonzero(mask)
    return starts[starts > 0]


def time_starts(times: npt.NDArray[np.int64]) -> _Starts:
    """Return where sessions begin, by ascending times: after a gap of more than five times the median distance."""
    gaps = np.diff(times)
    moved = gaps[gaps > 0]
    if moved.size == 0:
        return np.empty(0, dtype=np.intp)
    return np.flatnonzero(gaps > _LONG * float(np.median(moved))) + 1


def price_starts(x: npt.NDArray[Any]) -> _Starts:
    """Return where sessions begin, by the prices alone: at moves that stand out and are not taken back.

    A move of more than twelve robust standard deviations (median absolute move / 0.6745) between the
    medians of the five samples on either side, the largest first, and none within 64 samples of
    another or of an end.
    """
    seen = np.flatnonzero(~np.isnan(x))
    y = x[seen].astype(np.float64)
    if y.size <= 2 * _LEAST_SESSION:
        return np.empty(0, dtype=np.intp)
    scale = max(abs(float(y.max())), abs(float(y.min()))) or 1.0
    moves = np.diff(y / scale)
    spread = float(np.median(np.abs(moves))) / 0.6744897501960817
    if spread == 0:
        return np.empty(0, dtype=np.intp)
    starts: list[int] = []
    candidates = np.flatnonzero(np.abs(moves) > _LARGE * spread) + 1
    for at in candidates[np.argsort(-np.abs(moves[candidates - 1]), kind="stable")]:
        if at < _LEAST_SESSION or at > y.size - _LEAST_SESSION:
            continue
        if any(abs(at - other) < _LEAST_SESSION for other in starts):
            continue
        stays = np.median(y[at : at + _BESIDE]) - np.median(y[at - _BESIDE : at])
        if abs(stays) / scale > _LARGE / 2 * spread:
            starts.append(int(at))
    return seen[np.sort(np.array(starts, dtype=np.intp))]
