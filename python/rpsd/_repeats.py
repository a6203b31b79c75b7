# SPDX-License-Identifier: MIT
"""Times that repeat within a series: a few are dirt, many are another series under the same key."""

from typing import Any

import numpy as np
import numpy.typing as npt

#: How the rule is told to users.
RULE = "at most a tenth of the rows, or bursts as those of trades"


def repeats_as_several(times: npt.NDArray[Any]) -> bool:
    """Tell whether the times of a series, which do not go back, repeat as those of several series do.

    More than a tenth of them repeat, and not as trades under one stamp: these come in bursts, so that
    their numbers scatter at least twice as much as those of independent arrivals, whose variance is about
    what the mean is above 1; those of series that share their times hardly scatter.
    """
    bounds = np.flatnonzero(times[1:] != times[:-1]) + 1
    counts = np.diff(bounds, prepend=0, append=len(times))
    repeated = len(times) - len(counts)
    if repeated <= max(1, len(times) // 10):
        return False
    # A clock that stood still once makes no trades.
    others = np.delete(counts, counts.argmax())
    excess = others.mean() - 1 if others.size else 0.0
    return not (excess > 0 and others.var() >= 2 * excess)
