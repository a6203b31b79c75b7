# SPDX-License-Identifier: MIT
"""The last good value of each named series, for answers under `on_failure: hold`."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import Final, NamedTuple

import numpy as np

from rpsd.service._request import F64

#: Series that are remembered; the least recently seen goes.
_KEPT: Final = 10_000
#: Samples by which a series is known again: names are chosen by clients, and may be chosen twice.
_TAIL: Final = 16


class _Value(NamedTuple):
    tail: bytes
    value: float


class Held:
    """Remembers of each series its last samples and the output of the last one; any thread may ask."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._values: OrderedDict[bytes, _Value] = OrderedDict()

    def remember(self, key: bytes, x: F64, y: F64) -> None:
        """Keep what came of a series."""
        if len(x) < _TAIL or not np.isfinite(y[-1]):
            return
        with self._lock:
            self._values[key] = _Value(x[-_TAIL:].tobytes(), float(y[-1]))
            self._values.move_to_end(key)
            if len(self._values) > _KEPT:
                self._values.popitem(last=False)

    def recall(self, key: bytes, x: F64) -> F64 | None:
        """Return the value held from the sample on that it belongs to, NaN before and where x is, or None.

        It belongs to a sample of this series only where the samples before are those it was made of.
        """
        with self._lock:
            found = self._values.get(key)
        if found is None:
            return None
        at = _last_position(x, found.tail)
        if at is None:
            return None
        out = np.full(len(x), np.nan)
        out[at:] = found.value
        out[np.isnan(x)] = np.nan
        return out


def _last_position(x: F64, tail: bytes) -> int | None:
    """Return the position of the last sample of the last run of samples that are those of a tail."""
    data = x.tobytes()
    end = len(data)
    while (begin := data.rfind(tail, 0, end)) >= 0:
        if begin % x.itemsize == 0:
            return begin // x.itemsize + _TAIL - 1
        end = begin + len(tail) - 1
    return None
