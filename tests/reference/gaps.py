# SPDX-License-Identifier: MIT
"""Missing samples (NaN): straight lines between neighbours, the nearest sample at the ends."""

import numpy as np


def filled(x):
    """Return a copy of the series x without NaN; a series that is all NaN stays so."""
    x = np.array(x, dtype=float)
    known = np.flatnonzero(~np.isnan(x))
    if len(known) == 0:
        return x
    for i in np.flatnonzero(np.isnan(x)):
        left, right = known[known < i], known[known > i]
        if len(left) == 0:
            x[i] = x[right[0]]
        elif len(right) == 0:
            x[i] = x[left[-1]]
        else:
            weight = (i - left[-1]) / (right[0] - left[-1])
            x[i] = x[left[-1]] + (x[right[0]] - x[left[-1]]) * weight
    return x
