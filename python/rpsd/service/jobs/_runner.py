# SPDX-License-Identifier: MIT
"""Jobs computed by this process: claimed, renewed, ended, or given back."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, NamedTuple, TypeVar

from rpsd import StateError
from rpsd._sections import State as Settings
from rpsd.service._admission import Stop
from rpsd.service._body import ClientGone
from rpsd.service._clock import Deadline
from rpsd.service._degrade import degraded_header
from rpsd.service._errors import note_problem, problem_of
from rpsd.service._lane import Damaged
from rpsd.service._log import trace_of
from rpsd.service._observe import Seen
from rpsd.service._plain import Content
from rpsd.service._problems import MEDIA_TYPE, Problem
from rpsd.service._request import Answer
from rpsd.service._series import note_answer
from rpsd.service._stages import Stages
from rpsd.service._state import State
from rpsd.service._work import Work
from rpsd.service.access._principal import LOCAL
from rpsd.service.jobs._forms import OPERATIONS
from rpsd.service.jobs._peek import may_have_jobs
from rpsd.service.store._place import file_of

if TYPE_CHECKING:
    from rpsd.service.jobs._keep import Claimed, Keep

_T = TypeVar("_T")
#: Seconds between two looks for jobs of other processes, at most, and two tries of a database that is away.
_PAUSE: Final = 5.0
_AGAIN: Final = 1.0
#: Leases are renewed thrice before they end.
_RENEWALS: Final = 3
#: Bytes of a result that both databases take.
_MOST_BYTES: Final = 900_000_000


@dataclass
class _Running:
    claimed: Claimed
    deadline: Deadline
    stop: Stop = field(default_factory=Stop)
    thread: threading.Thread | None = None


class _Outcome(NamedTuple):
    """What came of a job, and what the log and the metrics are told of it."""

    status: str
    headers: Mapping[str, str]
    body: Content
    told: tuple[Answer, int] | Problem


class Runner:
    """Computes jobs, each by one process at a time.

    A thread looks for jobs, renews the leases of those under way, and deletes what has expired; each job has
    a thread of its own. Before there is a job, SQLite's file is looked at and not opened.

    Parameters
    ----------
    state : State
    opened : callable
        Returns where jobs are kept; it may wait for a disk.
    """

    def __init__(self, state: State, opened: Callable[[], Keep]) -> None:
        self._state = state
        self._opened = opened
        self._keep: Keep | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._changed = threading.Condition()
        self._woken = self._draining = False
        self._running: dict[str, _Running] = {}
        self._renewed = 0.0
        self._thread = threading.Thread(target=self._run, name="rpsd-jobs", daemon=True)
        state.phase.when_draining(self.drain)

    def start(self) -> None:
        """Begin to look for jobs; called on the event loop."""
        self._loop = asyncio.get_running_loop()
        self._thread.start()

    def wake(self) -> None:
        """Look for jobs now."""
        with self._changed:
            self._woken = True
            self._changed.notify_all()

    def stop(self, id: str) -> None:
        """Stop computing a job, where this process does; its row must say already why."""
        with self._changed:
            for one in self._running.values():
                if one.claimed.id == id:
                    one.stop.tell()

    def drain(self) -> None:
        """Begin no more, and stop those under way: another process will compute them."""
        with self._changed:
            self._draining = True
            for one in self._running.values():
                one.stop.tell()
            self._changed.notify_all()

    def close(self, seconds: float = 10.0) -> None:
        """Wait until all are given back, for some seconds at most."""
        self.drain()
        end = time.monotonic() + seconds
        if self._thread.ident is None:  # it never began
            return
        self._thread.join(seconds)
        for one in list(self._running.values()):
            if one.thread is not None:
                one.thread.join(max(0.0, end - time.monotonic()))

    def _run(self) -> None:
        fault: str | None = None
        while not self._draining:
            try:
                self._turn(self._state.snapshot.config.state)
                fault = None
            except Exception as error:  # a database that is away comes back
                before, fault = fault, str(error) if isinstance(error, StateError) else trace_of(error)
                if fault != before:
                    self._state.log.write("ERROR", "jobs", fault)
            with self._changed:
                self._changed.wait_for(lambda: self._woken or self._draining, self._pause())
                self._woken = False

    def _pause(self) -> float:
        """Return how long to wait for the next turn, where nobody wakes."""
        ends = [one.deadline.left for one in self._running.values() if not one.stop.set]
        lease = self._state.snapshot.config.state.job_lease
        return max(0.01, min(_PAUSE, lease / _RENEWALS, *ends))

    def _turn(self, settings: Settings) -> None:
        for one in list(self._running.values()):
            if one.deadline.over:
                one.stop.tell()
        keep = self._keep = self._keep or self._found()
        if keep is None:
            return
        if time.monotonic() - self._renewed >= settings.job_lease / _RENEWALS / 2:
            for one in list(self._running.values()):
                if not keep.renew(one.claimed, settings.job_lease):
                    one.stop.tell()
            self._renewed = time.monotonic()
        look = keep.look()
        self._state.metrics.jobs_queued.set(look.queued)
        for id, owner, points in keep.sweep(settings.job_expiry) if look.over else ():
            self._on_loop(lambda: self._state.metrics.jobs.labels("lost").inc())
            self._write("ERROR", "lost", owner, points, id, "the services that computed it were lost")
        more = bool(look.queued or look.over)
        while more and len(self._running) < settings.job_workers and not self._draining:
            claimed = keep.claim(settings.job_lease)
            more = claimed is not None
            if claimed is not None:
                self._begin(keep, claimed, settings)

    def _found(self) -> Keep | None:
        file = file_of(self._state.snapshot.config)
        return self._opened() if file is None or may_have_jobs(file) else None

    def _begin(self, keep: Keep, claimed: Claimed, settings: Settings) -> None:
        running = _Running(claimed, Deadline(settings.job_timeout))
        running.thread = threading.Thread(
            target=self._compute, args=(keep, running), name="rpsd-job", daemon=True
        )
        with self._changed:
            self._running[claimed.name] = running
            if self._draining:
                running.stop.tell()
        self._state.metrics.jobs_running.set(len(self._running))
        running.thread.start()

    def _compute(self, keep: Keep, running: _Running) -> None:
        begin = time.perf_counter()
        claimed = running.claimed
        here = Seen(claimed.id, self._state.snapshot)
        here.operation, here.data_size = "job", claimed.points
        try:
            outcome = self._outcome(keep, running, here)
            if outcome is None:
                if self._insisted(lambda: keep.give_back(claimed), default=False):
                    self._write("INFO", "queued", claimed.owner, claimed.points, claimed.id, "given back")
            elif self._insisted(lambda: self._finish(keep, claimed, outcome), default=False):
                self._on_loop(lambda: self._tell(claimed, here, outcome, time.perf_counter() - begin))
        except Exception as error:  # nobody renews it: it is begun once more, and then has failed
            self._state.log.write("ERROR", "job", "unexpected error", job=claimed.id, trace=trace_of(error))
        finally:
            with self._changed:
                del self._running[claimed.name]
                self._woken = True
                self._changed.notify_all()
            self._state.metrics.jobs_running.set(len(self._running))

    def _outcome(self, keep: Keep, running: _Running, here: Seen) -> _Outcome | None:
        """Compute a job; None where it was stopped, and is another's or nobody's."""
        claimed = running.claimed
        try:
            asked = self._insisted(lambda: keep.request(claimed), default=None)
            if asked is None:
                return None
            kept, body = asked
            endpoint = OPERATIONS[claimed.operation]
            decode, encode = endpoint.decoders[kept.sent], endpoint.encoders[kept.wanted]
            stages, observe = Stages(claimed.operation), self._state.metrics.observe_stages
            work = Work(here.snapshot, endpoint.compute, decode, encode, body, kept.query, stages, observe)
            answer, content, extra = work(running.stop)
            if len(content) > _MOST_BYTES:
                raise Problem("too-large", f"a result has at most {_MOST_BYTES} bytes, got {len(content)}")
            headers = {"content-type": kept.wanted, **extra, **degraded_header(answer)}
            return _Outcome("done", headers, content, (answer, len(body)))
        except ClientGone:
            if not running.deadline.over:
                return None
            problem = Problem(
                "deadline-exceeded", f"a job is computed for at most {running.deadline.seconds:g} s"
            )
        except Damaged as error:
            self._state.log.write("ERROR", "jobs", str(error))
            problem = Problem("state-damaged", "what is kept of this job is damaged")
        except Exception as error:
            problem = problem_of(self._state, here, error)
        return _Outcome("failed", {"content-type": MEDIA_TYPE}, problem.body(), problem)

    def _finish(self, keep: Keep, claimed: Claimed, outcome: _Outcome) -> bool:
        expiry = self._state.snapshot.config.state.job_expiry
        return keep.finish(claimed, outcome.status, outcome.headers, outcome.body, expiry)

    def _insisted(self, call: Callable[[], _T], *, default: _T) -> _T:
        """Return what a database says; while it is away, try again until the process ends."""
        while True:
            try:
                return call()
            except Damaged:
                raise
            except StateError as error:
                self._state.log.write("ERROR", "jobs", str(error))
            with self._changed:
                if self._changed.wait_for(lambda: self._draining, _AGAIN):
                    return default

    def _on_loop(self, call: Callable[[], None]) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed: the process ends
            assert self._loop is not None
            self._loop.call_soon_threadsafe(call)

    def _tell(self, claimed: Claimed, here: Seen, outcome: _Outcome, seconds: float) -> None:
        """Have metrics and log tell of a job that has ended; on the event loop."""
        state, told = self._state, outcome.told
        if isinstance(told, Problem):
            note_problem(state, here, told)
            level = "ERROR" if told.status >= 500 else "WARNING"
        else:
            here.message, level = OPERATIONS[claimed.operation].message, "INFO"
            note_answer(state, here, *told, len(outcome.body))
        state.metrics.jobs.labels(outcome.status).inc()
        state.metrics.job_seconds.observe(seconds)
        self._write(
            here.level or level, outcome.status, claimed.owner, here.data_size, claimed.id, here.message,
            processing_time=round(seconds, 6), config=here.snapshot.digest, **here.fields,
        )  # fmt: skip

    def _write(
        self, level: str, status: str, owner: str, points: int, id: str, message: str, **fields: object
    ) -> None:
        owner_id = None if owner == LOCAL.name else owner
        self._state.log.write(
            level, "job", message, user_id=owner_id, data_size=points, job=id, status=status, **fields
        )
