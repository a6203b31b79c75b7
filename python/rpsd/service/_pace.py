# SPDX-License-Identifier: MIT
"""For how long clients wait, and how long work takes: both by the last ones, of which no few change much."""

from __future__ import annotations

import math
from collections import deque
from typing import Final

_REMEMBERED: Final = 63
#: Share of the time for an answer that a request may wait: what is left is for computing, and for a machine
#: that has other things to do.
PATIENCE: Final = 0.6
#: Seconds below which no patience is: turns of the event loop are that long.
_LEAST: Final = 0.05


class Median:
    """The median of the last numbers that it was told of; a given one where there are none."""

    def __init__(self, empty: float) -> None:
        self._last: deque[float] = deque(maxlen=_REMEMBERED)
        self._empty = empty
        self._known: float | None = empty

    def add(self, number: float) -> None:
        """Remember one."""
        self._last.append(number)
        self._known = None

    @property
    def value(self) -> float:
        """The median."""
        if self._known is None:
            self._known = sorted(self._last)[(len(self._last) - 1) // 2]
        return self._known


class Pace:
    """For the event loop's thread alone.

    Attributes
    ----------
    most : float
        Seconds of patience that there are at most.
    """

    def __init__(self) -> None:
        self.most = math.inf
        self._waits = Median(math.inf)
        self._took = {light: Median(0.0) for light in (False, True)}

    def came(self, seconds: float) -> None:
        """Tell of a request whose client waits for so long."""
        self._waits.add(seconds)

    def took(self, seconds: float, *, light: bool) -> None:
        """Tell of how long one request kept the others of its queue."""
        self._took[light].add(seconds)

    @property
    def patience(self) -> float:
        """Seconds for which requests may wait, as long as half of those who came want to wait longer."""
        return min(self.most, max(_LEAST, PATIENCE * self._waits.value))

    def turn(self, ahead: int, *, light: bool) -> float:
        """Return in how many seconds it is the turn of one with so many ahead of it, and done."""
        return (ahead + 1) * self._took[light].value if ahead else 0.0
