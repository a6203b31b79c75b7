# SPDX-License-Identifier: MIT
"""How far a result is from what it should be, relative to the largest number in play."""

import numpy as np


def worst_error(actual, expected, scale=None):
    """Return max |actual - expected| / scale of two arrays or lists of arrays; inf unless they have one form.

    scale is the largest expected magnitude where none is given. NaN must be in the same places.
    """
    actual, expected = (a if isinstance(a, list) else [a] for a in (actual, expected))
    if [(a.shape, a.dtype) for a in actual] != [(e.shape, e.dtype) for e in expected]:
        return np.inf
    actual, expected = (np.concatenate([a.ravel() for a in arrays]) for arrays in (actual, expected))
    if not np.array_equal(np.isnan(actual), np.isnan(expected)):
        return np.inf
    size = np.nanmax(np.abs(expected), initial=0.0) if scale is None else scale
    difference = np.nanmax(np.abs(actual - expected), initial=0.0)
    return difference / size if size > 0 else difference
