# SPDX-License-Identifier: MIT
"""How often a principal may ask: GCRA, one number for each (ITU-T I.371, virtual scheduling)."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Final, NamedTuple

_KEPT: Final = 10_000
#: Of a step: what adding it up loses.
_ROUNDING: Final = 1e-6


class Taken(NamedTuple):
    """What came of asking.

    Attributes
    ----------
    wait : float
        Seconds until it is allowed; 0 where it is.
    left : int
        Requests that are still allowed at once.
    reset : float
        Seconds until all of the burst is.
    """

    wait: float
    left: int
    reset: float


class Limits:
    """Rates of principals; of the event loop's thread.

    Parameters
    ----------
    clock : callable
        Seconds, never going back.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._full_at: dict[str, float] = {}

    def take(self, name: str, rate: float, burst: int) -> Taken:
        """Take one request of a principal that has a rate a second and a burst beyond it."""
        now = self._clock()
        step, most = 1 / rate, burst / rate
        busy = max(self._full_at.get(name, now) - now, 0.0)
        if busy > most + _ROUNDING * step:
            return Taken(busy - most, 0, busy)
        self._full_at[name] = now + busy + step
        if len(self._full_at) > _KEPT:
            self._full_at = {one: then for one, then in self._full_at.items() if then > now}
        return Taken(0.0, math.floor((most - busy) * rate + _ROUNDING), busy + step)
