# SPDX-License-Identifier: MIT
"""Time: UTC as text for people, deadlines on the clock that nobody sets."""

from __future__ import annotations

import time
from datetime import UTC, datetime


def utc_now(*, milliseconds: bool = False) -> str:
    """Return now as ``2025-01-27T10:00:00Z``."""
    text = datetime.now(UTC).isoformat(timespec="milliseconds" if milliseconds else "seconds")
    return text.replace("+00:00", "Z")


class Deadline:
    """A moment after which an answer is of no use.

    Parameters
    ----------
    seconds : float
        From now.
    """

    __slots__ = ("_at",)

    def __init__(self, seconds: float) -> None:
        self._at = time.monotonic() + seconds

    @property
    def left(self) -> float:
        """Seconds until it; 0 where it is over."""
        return max(0.0, self._at - time.monotonic())

    @property
    def over(self) -> bool:
        """Whether it has passed."""
        return time.monotonic() >= self._at
