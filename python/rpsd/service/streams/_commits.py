# SPDX-License-Identifier: MIT
"""Commits of several streams at once: who comes while one is written shares the next."""

from __future__ import annotations

import asyncio
import contextlib
import queue
import threading
from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple

from rpsd.service.streams._keep import Write

_TOGETHER: Final = 256


class _Waiting(NamedTuple):
    write: Write
    future: asyncio.Future[bool]


class Commits:
    """A thread that keeps what is put, all that waits in one transaction.

    Parameters
    ----------
    commit : callable
        Keeps changes of several streams, each once, and returns which were kept.
    observe : callable
        Told of how many one transaction has.
    """

    def __init__(
        self, commit: Callable[[Sequence[Write]], list[bool]], observe: Callable[[int], None]
    ) -> None:
        self._commit = commit
        self._observe = observe
        self._queue: queue.SimpleQueue[_Waiting] = queue.SimpleQueue()
        threading.Thread(target=self._run, name="rpsd-commits", daemon=True).start()

    async def put(self, write: Write) -> bool:
        """Return whether changes were kept, once they are on the disk.

        Raises
        ------
        StateError
            Where the database failed; whether they were kept is not known then.
        """
        future: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._queue.put(_Waiting(write, future))
        return await future

    def _run(self) -> None:
        while True:
            waiting = [self._queue.get()]
            with contextlib.suppress(queue.Empty):
                while len(waiting) < _TOGETHER:
                    waiting.append(self._queue.get_nowait())
            self._keep(waiting)

    def _keep(self, waiting: list[_Waiting]) -> None:
        """Keep what waits; of one stream, whose first may have been left by its client, one after another."""
        now: list[_Waiting] = []
        later: list[_Waiting] = []
        ids: set[str] = set()
        for one in waiting:
            (later if one.write.id in ids else now).append(one)
            ids.add(one.write.id)
        self._observe(len(now))
        results: Sequence[Any]
        try:
            results = self._commit([one.write for one in now])
        except BaseException as error:  # whatever it is, it belongs to those who wait
            results = [error] * len(now)
        with contextlib.suppress(RuntimeError):  # the loop is closed: the process ends
            now[0].future.get_loop().call_soon_threadsafe(_tell, now, results)
        if later:
            self._keep(later)


def _tell(waiting: list[_Waiting], results: Sequence[Any]) -> None:
    for one, result in zip(waiting, results, strict=True):
        if one.future.done():
            continue
        if isinstance(result, BaseException):
            one.future.set_exception(result)
        else:
            one.future.set_result(result)
