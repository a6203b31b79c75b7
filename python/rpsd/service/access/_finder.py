# SPDX-License-Identifier: MIT
"""Whom a credential proves, found in threads and remembered for a second."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final, NamedTuple

from rpsd import StateError
from rpsd.service.access._credentials import Shown
from rpsd.service.access._principal import Principal

#: Seconds for which what was found is right: so long may a key that is revoked still work.
_FRESH: Final = 1.0
#: Seconds for which it stands in where the database, or the issuer of tokens, is away.
_STALE: Final = 300.0
_PATIENCE: Final = 5.0
_KEPT: Final = 4096
_THREADS: Final = 4


class _Found(NamedTuple):
    principal: Principal
    at: float


class Finder:
    """Asks for each credential once a second at most, however many requests show it.

    Parameters
    ----------
    find : callable
        Returns whom a credential proves, or None; may wait, and raises StateError where it cannot tell.
    clock : callable
        Seconds, never going back.
    """

    def __init__(
        self, find: Callable[[Shown], Principal | None], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._find = find
        self._clock = clock
        self._found: OrderedDict[bytes, _Found] = OrderedDict()
        self._asked: dict[bytes, asyncio.Future[Principal | None]] = {}
        # Apart, so that an issuer of tokens that is slow keeps nobody waiting who has a key.
        self._threads = {
            kind: ThreadPoolExecutor(_THREADS, thread_name_prefix=f"rpsd-{kind}")
            for kind in ("key", "token", "certificate")
        }

    def known(self, shown: Shown) -> Principal | None:
        """Return whom a credential proved a moment ago, None where that is not known."""
        found = self._found.get(shown.digest)
        return found.principal if found is not None and self._clock() - found.at < _FRESH else None

    def was_good(self, shown: Shown) -> bool:
        """Return whether a credential proved somebody when it was last looked at, and not long ago."""
        found = self._found.get(shown.digest)
        return found is not None and self._clock() - found.at < _STALE

    async def find(self, shown: Shown) -> Principal | None:
        """Return whom a credential proves, None where it proves nobody.

        Raises
        ------
        StateError
            Where nobody can tell.
        """
        digest = shown.digest
        asked = self._asked.get(digest)
        if asked is None:
            loop = asyncio.get_running_loop()
            asked = self._asked[digest] = loop.run_in_executor(self._threads[shown.kind], self._find, shown)
            asked.add_done_callback(lambda done: self._keep(digest, done))
        try:
            async with asyncio.timeout(_PATIENCE):
                return await asyncio.shield(asked)
        except (StateError, TimeoutError):
            found = self._found.get(digest)
            if found is not None and self._clock() - found.at < _STALE:
                return found.principal
            raise StateError("credentials cannot be checked") from None

    def _keep(self, digest: bytes, done: asyncio.Future[Principal | None]) -> None:
        self._asked.pop(digest, None)
        if done.cancelled() or done.exception() is not None:
            return
        principal = done.result()
        if principal is None:
            self._found.pop(digest, None)
            return
        self._found[digest] = _Found(principal, self._clock())
        self._found.move_to_end(digest)
        if len(self._found) > _KEPT:
            self._found.popitem(last=False)

    def close(self) -> None:
        """End the threads; what they do meanwhile is for nobody."""
        for threads in self._threads.values():
            threads.shutdown(wait=False, cancel_futures=True)
