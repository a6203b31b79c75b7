# SPDX-License-Identifier: MIT
"""What work took that was done before, by which one tells what is done at once and what is handed over."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Final

_KEPT: Final = 512
#: Share of the difference by which a cost comes down; it goes up at once.
_FALL: Final = 0.1


class Costs:
    """Seconds of processor by kind of work; any thread may ask and tell."""

    def __init__(self) -> None:
        self._seconds: dict[Hashable, float] = {}

    def of(self, kind: Hashable) -> float | None:
        """Return what work of this kind takes, or None where there was none."""
        return self._seconds.get(kind)

    def learn(self, kind: Hashable, seconds: float) -> None:
        """Remember what one took."""
        before = self._seconds.get(kind)
        if before is None:
            if len(self._seconds) >= _KEPT:
                self._seconds.clear()
        elif seconds < before:
            seconds = before + _FALL * (seconds - before)
        self._seconds[kind] = seconds
