# SPDX-License-Identifier: MIT
"""What happened in the last minute, as /health/detailed tells it."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from typing import Final, NamedTuple

_SECONDS: Final = 60


class Summary(NamedTuple):
    """The last minute."""

    requests_per_minute: int
    average_processing_time: float
    error_rate: float


class Rates:
    """Counts requests in buckets of a second, so that its size does not depend on their number.

    Parameters
    ----------
    clock : callable
        Seconds, never going back.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._buckets: deque[list[float]] = deque()  # second, requests, seconds spent, failures

    def add(self, seconds: float, *, failed: bool, count: int = 1) -> None:
        """Count requests that took so many seconds together."""
        now = int(self._clock())
        self._forget(now)
        if not self._buckets or self._buckets[-1][0] != now:
            self._buckets.append([now, 0, 0.0, 0])
        bucket = self._buckets[-1]
        bucket[1] += count
        bucket[2] += seconds
        bucket[3] += count * failed

    def summary(self) -> Summary:
        """Return requests, mean seconds and share of failures of the last minute; 0 where there were none."""
        self._forget(int(self._clock()))
        requests = int(sum(bucket[1] for bucket in self._buckets))
        if not requests:
            return Summary(0, 0.0, 0.0)
        spent, failures = (sum(bucket[k] for bucket in self._buckets) for k in (2, 3))
        return Summary(requests, spent / requests, failures / requests)

    def _forget(self, now: int) -> None:
        while self._buckets and self._buckets[0][0] <= now - _SECONDS:
            self._buckets.popleft()
