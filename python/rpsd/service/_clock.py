# SPDX-License-Identifier: MIT
"""Time: UTC as text for people, deadlines on the clock that nobody sets."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from functools import lru_cache


def utc_now(*, milliseconds: bool = False) -> str:
    """Return now as ``2025-01-27T10:00:00Z``."""
    seconds, nanoseconds = divmod(time.time_ns(), 1_000_000_000)
    fraction = f".{nanoseconds // 1_000_000:03d}" if milliseconds else ""
    return f"{_second(seconds)}{fraction}Z"


def utc(microseconds: int) -> str:
    """Return a time of the database as text."""
    moment = datetime.fromtimestamp(microseconds / 1e6, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


@lru_cache(1)
def _second(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")


class Deadline:
    """A moment after which an answer is of no use.

    Parameters
    ----------
    seconds : float
    since : float, optional
        From when on, by `time.monotonic`; by default from now.
    """

    __slots__ = ("_at", "_since")

    def __init__(self, seconds: float, since: float | None = None) -> None:
        self._since = time.monotonic() if since is None else since
        self._at = self._since + seconds

    @property
    def seconds(self) -> float:
        """Seconds from when it was set until it."""
        return self._at - self._since

    @property
    def age(self) -> float:
        """Seconds since it was set."""
        return time.monotonic() - self._since

    @property
    def left(self) -> float:
        """Seconds until it; 0 where it is over."""
        return max(0.0, self._at - time.monotonic())

    @property
    def over(self) -> bool:
        """Whether it has passed."""
        return time.monotonic() >= self._at
