# SPDX-License-Identifier: MIT
"""Answers that are kept: a request that comes again has its answer without computing."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Hashable
from typing import Any, Final

_MOST_BYTES: Final = 1 << 26
#: Longer bodies take longer to tell apart, and few answers of them would fit.
_LONGEST: Final = 1 << 18


class Cache:
    """The answers used last, bounded in number and bytes; for the event loop's thread alone.

    Right because an answer depends on nothing but the request and the configuration, each of which has a
    cache of its own.

    Parameters
    ----------
    entries : int
        0 keeps none.
    """

    def __init__(self, entries: int, most_bytes: int = _MOST_BYTES) -> None:
        self._entries = entries
        self._most_bytes = most_bytes
        self._kept: OrderedDict[Hashable, tuple[int, Any]] = OrderedDict()
        self.bytes = 0

    def key(self, body: bytes | bytearray, *rest: Hashable) -> Hashable:
        """Return what a request is known by; None where it is not kept."""
        if not self._entries or len(body) > _LONGEST:
            return None
        return hashlib.sha256(body).digest(), *rest

    def get(self, key: Hashable) -> Any:
        """Return what was put, or None."""
        found = self._kept.get(key)
        if found is None:
            return None
        self._kept.move_to_end(key)
        return found[1]

    def put(self, key: Hashable, size: int, value: Any) -> int:
        """Keep a value of so many bytes, in place of those used longest ago; return how many left for it."""
        if size > self._most_bytes:
            return 0
        self.bytes += size - self._kept.pop(key, (0, None))[0]
        self._kept[key] = size, value
        before = len(self._kept)
        while len(self._kept) > self._entries or self.bytes > self._most_bytes:
            self.bytes -= self._kept.popitem(last=False)[1][0]
        return before - len(self._kept)
