# SPDX-License-Identifier: MIT
"""Who gets a worker, who waits for one, and who is told to come back later."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections import deque
from collections.abc import Callable
from typing import Any, Final, TypeVar

from rpsd import _core
from rpsd.service._body import ClientGone
from rpsd.service._clock import Deadline
from rpsd.service._problems import Problem
from rpsd.service._workers import Workers

#: Seconds after which to come back: spread, so that those who were told together do not return together.
_RETRY_AFTER: Final = (1, 3)
#: Requests that one worker takes at a time: more gain nothing, and wait for each other.
_TOGETHER: Final = 16
#: More samples than this are worth watching whether their client is still there.
_WATCHED: Final = 20_000

_T = TypeVar("_T")


class Stop:
    """Tells running work that nobody waits for it any more."""

    __slots__ = ("_core",)

    def __init__(self) -> None:
        self._core = _core.Stop()

    @property
    def set(self) -> bool:
        """Whether it was told."""
        return self._core.is_set

    def tell(self) -> None:
        """Stop the work; from any thread, once and for all."""
        self._core.set()

    def check(self) -> None:
        """Raise ClientGone where nobody waits any more."""
        if self.set:
            raise ClientGone

    def during(self, call: Callable[[], _T]) -> _T:
        """Return what is called; calls of the core on this thread look at the stop meanwhile.

        Raises
        ------
        ClientGone
            Where one was stopped in the middle.
        """
        try:
            return self._core.during(call)
        except _core.Stopped:
            raise ClientGone from None


class _Job:
    __slots__ = ("abandoned", "deadline", "finished", "future", "points", "stop", "work")

    def __init__(
        self, points: int, deadline: Deadline, work: Callable[[Stop], Any], future: asyncio.Future[Any]
    ) -> None:
        self.points = points
        self.deadline = deadline
        self.work = work
        self.future = future
        self.stop = Stop()
        self.finished = self.abandoned = False


class Admission:
    """A queue in front of the workers, bounded in requests and in samples.

    Belongs to the event loop's thread; only the work itself runs in others.

    Parameters
    ----------
    workers : Workers
    most_requests, most_points : int
        That may wait; a single request that is larger waits where nothing else does.

    count : callable
        Told of each request that was ``shed``, ``expired``, ``cancelled`` or ``abandoned``: nobody waits
        for it, but a worker is in the middle of it until it heeds its `Stop`.
    observe_batch : callable
        Told of how many requests a worker takes at a time.

    Attributes
    ----------
    running, abandoned : int
        Workers that compute, and requests that they have not stopped computing for nobody.
    """

    def __init__(
        self,
        workers: Workers,
        most_requests: int,
        most_points: int,
        count: Callable[[str], None] = lambda what: None,
        observe_batch: Callable[[int], None] = lambda size: None,
    ) -> None:
        self._workers = workers
        self._count = count
        self._observe_batch = observe_batch
        self.most_requests = most_requests
        self.most_points = most_points
        self._waiting: deque[_Job] = deque()
        self.waiting_points = 0
        self.running = 0
        self.abandoned = 0

    @property
    def waiting(self) -> int:
        """Requests that wait."""
        return len(self._waiting)

    async def run(
        self, points: int, deadline: Deadline, work: Callable[[Stop], Any], receive: Callable[[], Any]
    ) -> Any:
        """Return what work returns, once a worker has done it.

        Parameters
        ----------
        points : int
            Samples of the request.
        deadline : Deadline
        work : callable
            Gets a `Stop` to look at now and then. Those that wait, and whose attribute ``alike`` is equal,
            may be done by their ``together(works, stops)``, which returns what came of each, or its error.
        receive : callable
            ASGI's, which tells when the client has gone.

        Raises
        ------
        Problem
            overloaded, where the queue is full; deadline-exceeded.
        ClientGone
            Where the client left first.
        """
        if self._waiting and (
            len(self._waiting) >= self.most_requests or self.waiting_points + points > self.most_points
        ):
            self._count("shed")
            raise overloaded()
        loop = asyncio.get_running_loop()
        job = _Job(points, deadline, work, loop.create_future())
        self._waiting.append(job)
        self.waiting_points += points
        self._start_next()
        timer = loop.call_later(deadline.left, self._expire, job)
        watch = None
        if job in self._waiting or points > _WATCHED:
            watch = loop.create_task(self._watch(job, receive))
        try:
            return await job.future
        finally:
            # Also where this task is cancelled, as a server that must stop does.
            timer.cancel()
            if watch is not None:
                watch.cancel()
            self._drop(job)

    def _start_next(self) -> None:
        while self._waiting and self.running < self._workers.count:
            job = self._waiting.popleft()
            self.waiting_points -= job.points
            if job.deadline.over:
                self._expire(job)
                continue
            jobs = [job, *self._like(job)]
            self._observe_batch(len(jobs))
            self.running += 1
            loop = job.future.get_loop()
            self._workers.submit(lambda jobs=jobs, loop=loop: self._work(jobs, loop))  # type: ignore[misc]

    def _like(self, job: _Job) -> list[_Job]:
        """Take this worker's share of those waiting that are like a job."""
        alike = getattr(job.work, "alike", None)
        if alike is None or not self._waiting:
            return []
        found = [one for one in self._waiting if getattr(one.work, "alike", None) == alike]
        taken = found[: min(_TOGETHER - 1, -(-len(found) // self._workers.count))]
        for one in taken:
            self._waiting.remove(one)
            self.waiting_points -= one.points
        return taken

    def _work(self, jobs: list[_Job], loop: asyncio.AbstractEventLoop) -> None:
        results: list[Any]
        try:
            if len(jobs) == 1:
                results = [jobs[0].work(jobs[0].stop)]
            else:
                together = jobs[0].work.together  # type: ignore[attr-defined]
                results = together([job.work for job in jobs], [job.stop for job in jobs])
        except BaseException as error:  # whatever it is, it belongs to the requests
            results = [error] * len(jobs)
        with contextlib.suppress(RuntimeError):  # the loop is closed: the process ends
            loop.call_soon_threadsafe(self._finish, jobs, results)

    def _finish(self, jobs: list[_Job], results: list[Any]) -> None:
        self.running -= 1
        for job, result in zip(jobs, results, strict=True):
            job.finished = True
            if job.abandoned:
                self.abandoned -= 1
            if job.future.done():
                continue
            if isinstance(result, BaseException):
                job.future.set_exception(result)
            else:
                job.future.set_result(result)
        self._start_next()

    def _expire(self, job: _Job) -> None:
        if not job.future.done():
            self._count("expired")
            job.future.set_exception(Problem("deadline-exceeded", "the answer was not there in time"))

    async def _watch(self, job: _Job, receive: Callable[[], Any]) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        if not job.future.done():
            self._count("cancelled")
            job.future.set_exception(ClientGone())

    def _drop(self, job: _Job) -> None:
        """Take out of the queue, or stop, what nobody waits for any more."""
        job.stop.tell()
        with contextlib.suppress(ValueError):
            self._waiting.remove(job)
            self.waiting_points -= job.points
            return
        if not job.finished:
            job.abandoned = True
            self.abandoned += 1
            self._count("abandoned")


def overloaded() -> Problem:
    """Return the problem of a request that finds the queue full."""
    seconds = random.randint(*_RETRY_AFTER)
    return Problem("overloaded", "the queue is full; come back later", headers={"retry-after": str(seconds)})
