# SPDX-License-Identifier: MIT
"""Credentials that fail are slowed: by the address they come from, and what they would be."""

from __future__ import annotations

import ipaddress
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

_SECONDS: Final = 60.0
#: Times what one credential of an address may fail, all of it may: those behind one address share it.
_OF_ADDRESS: Final = 6
_KEPT: Final = 20_000
#: Whoever has an address of IPv6 has all of its network.
_NETWORK: Final = 64


class Attempts:
    """Counts failures of the last minute; of the event loop's thread.

    Parameters
    ----------
    clock : callable
        Seconds, never going back.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._counts: OrderedDict[tuple[str, str], list[float]] = OrderedDict()

    def wait(self, address: str, prefix: str, most: int) -> float:
        """Return for how many seconds nothing of it is looked at; 0 where it is."""
        origin = network_of(address)
        return max(self._wait((origin, prefix), most), self._wait((origin, ""), most * _OF_ADDRESS))

    def fail(self, address: str, prefix: str, *, guess: bool = True) -> int:
        """Count a failure, a guess for its address too; return how many there are of this credential."""
        origin = network_of(address)
        if guess:
            self._add((origin, ""))
        return self._add((origin, prefix))

    def _wait(self, what: tuple[str, str], most: int) -> float:
        begin, count = self._counts.get(what, (0.0, 0))
        left = begin + _SECONDS - self._clock()
        return max(0.0, left) if count >= most else 0.0

    def _add(self, what: tuple[str, str]) -> int:
        now = self._clock()
        count = self._counts.setdefault(what, [now, 0])
        if now - count[0] >= _SECONDS:
            count[:] = [now, 0]
        count[1] += 1
        self._counts.move_to_end(what)
        if len(self._counts) > _KEPT:
            self._counts.popitem(last=False)
        return int(count[1])


def network_of(address: str) -> str:
    """Return what stands for who has an address."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(parsed, ipaddress.IPv6Address):
        if parsed.ipv4_mapped is not None:
            return str(parsed.ipv4_mapped)
        return str(ipaddress.ip_network((parsed, _NETWORK), strict=False))
    return address
