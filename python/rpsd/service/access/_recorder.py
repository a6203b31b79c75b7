# SPDX-License-Identifier: MIT
"""Writes the audit log in a thread of its own: all that waits in one transaction (group commit)."""

from __future__ import annotations

import asyncio
import contextlib
import queue
import threading
import time
from collections.abc import Callable
from typing import Final, NamedTuple, Protocol

from rpsd import StateError
from rpsd.service.access._audit import AuditLog, Record
from rpsd.service.store._head import Head

#: Records that may wait, and those of one transaction.
_WAITING: Final = 10_000
_TOGETHER: Final = 500
#: Seconds between two tries while it fails, and between two heads in the log.
_TRY_AGAIN: Final = 1.0
_HEAD_EVERY: Final = 3600.0
_PATIENCE: Final = 5.0


class Heard(Protocol):
    """Who is told how it goes; by the thread."""

    def wrote(self, records: int) -> None:
        """Hear of records that are durable."""

    def failed(self, records: int) -> None:
        """Hear of records that are not."""

    def changed(self, fault: str | None) -> None:
        """Hear that it begins to fail, or works again."""

    def ended_at(self, head: Head) -> None:
        """Hear every hour, and at the end, where the chain ends."""


class _Waiting(NamedTuple):
    record: Record
    loop: asyncio.AbstractEventLoop | None
    future: asyncio.Future[bool] | None


class Recorder:
    """Takes records from anywhere, and says when they are durable.

    Parameters
    ----------
    audit : AuditLog
    heard : Heard
    beside : callable
        What else the thread writes now and then.
    """

    def __init__(self, audit: AuditLog, heard: Heard, beside: Callable[[], None] = lambda: None) -> None:
        self._audit = audit
        self._heard = heard
        self._beside = beside
        self._queue: queue.SimpleQueue[_Waiting | None] = queue.SimpleQueue()
        self._head: Head | None = None
        self._head_at = time.monotonic()
        self.failing = False
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="rpsd-audit", daemon=True)
        self._thread.start()

    def write(self, record: Record) -> asyncio.Future[bool] | None:
        """Have a record written; the future is whether it is durable, None says at once that it is not.

        Of the event loop's thread.
        """
        if self._lost():
            return None
        loop = asyncio.get_running_loop()
        future: asyncio.Future[bool] = loop.create_future()
        self._queue.put(_Waiting(record, loop, future))
        return future

    def note(self, record: Record) -> None:
        """Have a record written that nobody waits for; of any thread."""
        if not self._lost():
            self._queue.put(_Waiting(record, None, None))

    def close(self, seconds: float = _PATIENCE) -> bool:
        """Write what waits; return whether all of it was, within some seconds."""
        self._queue.put(None)
        self._thread.join(seconds)
        return not self._thread.is_alive() and not self.failing

    def _lost(self) -> bool:
        # While it fails nothing is kept for later: what waits has no bound, and those who wait go away.
        if not self.failing and self._queue.qsize() < _WAITING:
            return False
        self._heard.failed(1)
        return True

    def _run(self) -> None:
        while not self._closing:
            self._write(self._taken())
            with contextlib.suppress(StateError):  # told by the records, which fail likewise
                self._beside()
            if self._head is not None and time.monotonic() - self._head_at >= _HEAD_EVERY:
                self._tell_head()
        self._tell_head()

    def _taken(self) -> list[_Waiting]:
        """Return what waits; nothing after a second without any."""
        taken: list[_Waiting] = []
        with contextlib.suppress(queue.Empty):
            while len(taken) < _TOGETHER:
                one = self._queue.get(timeout=_TRY_AGAIN) if not taken else self._queue.get_nowait()
                if one is None:
                    self._closing = True
                    break
                taken.append(one)
        return taken

    def _write(self, waiting: list[_Waiting]) -> None:
        records = [one.record for one in waiting]
        if self.failing and not records:
            records = [Record("service", "audit-log", "failed", {"message": "records before were lost"})]
        if not records:
            return
        try:
            self._head = self._audit.write(records)
        except Exception as error:  # whatever it is, nobody may take it for written
            self._heard.failed(len(waiting))
            self._set_failing(str(error) if isinstance(error, StateError) else type(error).__name__)
            _tell(waiting, written=False)
            return
        self._heard.wrote(len(records))
        self._set_failing(None)
        _tell(waiting, written=True)

    def _set_failing(self, fault: str | None) -> None:
        before, self.failing = self.failing, fault is not None
        if before != self.failing:
            self._heard.changed(fault)

    def _tell_head(self) -> None:
        self._head_at = time.monotonic()
        if self._head is not None:
            self._heard.ended_at(self._head)


def _tell(waiting: list[_Waiting], *, written: bool) -> None:
    by_loop: dict[asyncio.AbstractEventLoop, list[asyncio.Future[bool]]] = {}
    for one in waiting:
        if one.loop is not None and one.future is not None:
            by_loop.setdefault(one.loop, []).append(one.future)
    for loop, futures in by_loop.items():
        with contextlib.suppress(RuntimeError):  # the loop is closed: the process ends
            loop.call_soon_threadsafe(_resolve, futures, written)


def _resolve(futures: list[asyncio.Future[bool]], written: bool) -> None:
    for future in futures:
        if not future.done():
            future.set_result(written)
