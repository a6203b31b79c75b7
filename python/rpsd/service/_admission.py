# SPDX-License-Identifier: MIT
"""Who gets a worker, who waits for one, and who is told to come back later."""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections import deque
from collections.abc import Callable
from typing import Any, Final, TypeVar

from rpsd import _core
from rpsd.service._body import ClientGone
from rpsd.service._clock import Deadline
from rpsd.service._pace import PATIENCE, Pace
from rpsd.service._problems import Problem
from rpsd.service._workers import Workers

#: Seconds after which to come back: spread, so that those who were told together do not return together.
_RETRY_AFTER: Final = (1, 3)
#: Requests that one worker takes at a time: more gain nothing, and wait for each other.
_TOGETHER: Final = 16
#: Seconds of light work between two looks at the sockets.
_SLICE: Final = 0.005
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

    Belongs to the event loop's thread; only the work itself runs in others, and there what is light is done
    too: between two looks at the sockets as many as are alike, so that none of them waits long.

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
    taken : int
        Requests that were let in and have no answer yet; those who let them in count.
    pace : Pace
        For how long requests may wait, and in what time they are done.
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
        self._waiting: deque[_Job] = deque()  # for a worker
        self._light: deque[_Job] = deque()  # for the event loop
        self.waiting_points = 0
        self.running = 0
        self.abandoned = 0
        self.taken = 0
        self.pace = Pace()

    @property
    def waiting(self) -> int:
        """Requests that wait."""
        return len(self._waiting) + len(self._light)

    @property
    def full(self) -> bool:
        """Whether not even the smallest request may wait."""
        return 0 < self.waiting >= self.most_requests

    @property
    def crowded(self) -> bool:
        """Whether there are as many as may wait and as workers could have in hand, or the first waits long.

        How many can be served in time depends on what they are, and on what else the machine has to do.
        """
        if self.taken >= self.most_requests + _TOGETHER * self._workers.count:
            return True
        patience = self.pace.patience
        for queue in (self._light, self._waiting):
            if queue and (waits := queue[0].deadline).age > min(patience, PATIENCE * waits.seconds):
                return True
        return False

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
            Where its attribute ``light`` is true, no worker is needed.
        receive : callable
            ASGI's, which tells when the client has gone.

        Raises
        ------
        Problem
            overloaded, where the queue is full or the deadline comes first; deadline-exceeded.
        ClientGone
            Where the client left first.
        """
        light = getattr(work, "light", False)
        ahead = len(self._light if light else self._waiting)
        over = self.waiting and self.waiting_points + points > self.most_points
        if self.full or over or self.pace.turn(ahead, light=light) > deadline.left:
            self._count("shed")
            raise overloaded()
        loop = asyncio.get_running_loop()
        job = _Job(points, deadline, work, loop.create_future())
        self.waiting_points += points
        if light:
            return await self._soon(job, loop)
        self._waiting.append(job)
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

    async def _soon(self, job: _Job, loop: asyncio.AbstractEventLoop) -> Any:
        self._light.append(job)
        if len(self._light) == 1:
            loop.call_soon(self._turn, loop)
        try:
            return await job.future
        finally:
            job.stop.tell()

    def _turn(self, loop: asyncio.AbstractEventLoop) -> None:
        """Do light work for a moment, those together that are alike."""
        end = time.monotonic() + _SLICE
        while self._light and time.monotonic() < end:
            job = self._light.popleft()
            jobs = [job, *self._like(job, self._light, 1)]
            self.waiting_points -= job.points
            self._compute_here(jobs)
        if self._light:
            loop.call_soon(self._turn, loop)

    def _compute_here(self, jobs: list[_Job]) -> None:
        jobs = [job for job in jobs if not self._is_late(job)]
        if jobs:
            self._observe_batch(len(jobs))
            begin = time.monotonic()
            _settle(jobs, _results(jobs))
            self.pace.took((time.monotonic() - begin) / len(jobs), light=True)

    def _start_next(self) -> None:
        while self._waiting and self.running < self._workers.count:
            job = self._waiting.popleft()
            self.waiting_points -= job.points
            if self._is_late(job):
                continue
            jobs = [job, *self._like(job, self._waiting, self._workers.count)]
            self._observe_batch(len(jobs))
            self.running += 1
            loop = job.future.get_loop()
            self._workers.submit(lambda jobs=jobs, loop=loop: self._work(jobs, loop))  # type: ignore[misc]

    def _like(self, job: _Job, queue: deque[_Job], sharers: int) -> list[_Job]:
        """Take the share of those waiting that are like a job."""
        alike = getattr(job.work, "alike", None)
        if alike is None or not queue:
            return []
        found = [one for one in queue if getattr(one.work, "alike", None) == alike]
        taken = found[: min(_TOGETHER - 1, -(-len(found) // sharers))]
        for one in taken:
            queue.remove(one)
            self.waiting_points -= one.points
        return [one for one in taken if not self._is_late(one)]

    def _is_late(self, job: _Job) -> bool:
        """Return whether nobody waits any more for one that was taken out of its queue; it is never begun."""
        if job.deadline.over:
            self._expire(job)
        job.finished = job.future.done()
        return job.finished

    def _work(self, jobs: list[_Job], loop: asyncio.AbstractEventLoop) -> None:
        begin = time.monotonic()
        results = _results(jobs)
        with contextlib.suppress(RuntimeError):  # the loop is closed: the process ends
            loop.call_soon_threadsafe(self._finish, jobs, results, begin)

    def _finish(self, jobs: list[_Job], results: list[Any], begin: float) -> None:
        self.running -= 1
        self.pace.took((time.monotonic() - begin) / len(jobs) / self._workers.count, light=False)
        self.abandoned -= sum(job.abandoned for job in jobs)
        _settle(jobs, results)
        self._start_next()

    def _expire(self, job: _Job) -> None:
        if not job.future.done():
            self._count("expired")
            job.future.set_exception(late())

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


def _results(jobs: list[_Job]) -> list[Any]:
    try:
        if len(jobs) == 1:
            return [jobs[0].work(jobs[0].stop)]
        together = jobs[0].work.together  # type: ignore[attr-defined]
        return list(together([job.work for job in jobs], [job.stop for job in jobs]))
    except BaseException as error:  # whatever it is, it belongs to the requests
        return [error] * len(jobs)


def _settle(jobs: list[_Job], results: list[Any]) -> None:
    for job, result in zip(jobs, results, strict=True):
        job.finished = True
        if job.future.done():
            continue
        if isinstance(result, BaseException):
            job.future.set_exception(result)
        else:
            job.future.set_result(result)


def overloaded() -> Problem:
    """Return the problem of a request that finds the queue full."""
    seconds = random.randint(*_RETRY_AFTER)
    return Problem("overloaded", "the queue is full; come back later", headers={"retry-after": str(seconds)})


def late() -> Problem:
    """Return the problem of a request whose deadline has passed."""
    return Problem("deadline-exceeded", "the answer was not there in time")
