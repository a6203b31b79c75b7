# SPDX-License-Identifier: MIT
"""What is done with jobs by those who ask for them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, TypeVar

from rpsd.service._admission import Stop
from rpsd.service._clock import Deadline
from rpsd.service._compute import check
from rpsd.service._idempotency import Answered, UnderWay
from rpsd.service._lane import Lane
from rpsd.service._series import MOST_POINTS
from rpsd.service._snapshot import Snapshot
from rpsd.service._state import State
from rpsd.service._work import Work
from rpsd.service.access._principal import Principal
from rpsd.service.jobs._forms import OPERATIONS, Kept
from rpsd.service.jobs._runner import Runner

if TYPE_CHECKING:
    from rpsd.service.jobs._keep import Keep

_T = TypeVar("_T")
_Receive = Callable[[], Any]
#: Samples that what has none counts as in the queue.
_SMALL: Final = 1


class Jobs:
    """Jobs of all tenants; belongs to the event loop's thread.

    Parameters
    ----------
    state : State

    Attributes
    ----------
    runner : Runner
        Computes them.
    under_way : UnderWay
        Requests for them that are not answered yet.
    """

    def __init__(self, state: State) -> None:
        self._state = state
        self._lane = Lane(state, "jobs", "this job")
        self._keep: Keep | None = None
        self.runner = Runner(state, self._opened)
        self.under_way = UnderWay()

    async def submit(
        self,
        snapshot: Snapshot,
        who: Principal,
        operation: str,
        kept: Kept,
        body: bytes,
        key: str | None,
        deadline: Deadline,
        receive: _Receive,
    ) -> tuple[Answered, int]:
        """Keep a job that can be computed; return what is answered, and the samples of it.

        A request that comes again gets the answer of the first, and has no samples.
        """
        endpoint, settings = OPERATIONS[operation], snapshot.config.state
        decode, encode = endpoint.decoders[kept.sent], endpoint.encoders[kept.wanted]

        def make(_stop: Stop) -> tuple[Answered, int]:
            from rpsd.service.jobs._keep import New

            keep, repeat = self._opened(), None
            if key is not None:
                said = (operation, kept.sent, kept.wanted)
                repeat = keep.repeats.of(
                    who.tenant, key, b"jobs", *(one.encode() for one in said), kept.query, body
                )
                if (before := keep.before(repeat)) is not None:
                    return before, 0
            work = Work(snapshot, endpoint.compute, decode, encode, body, kept.query)
            asked = work.read()
            check(endpoint.compute, snapshot, asked)
            new = New(who.tenant, who.name, operation, asked.points, kept, body)
            answered = keep.submit(new, settings.max_jobs, settings.max_jobs_bytes, repeat)
            return answered, asked.points

        found = await self._lane.run(MOST_POINTS[kept.sent](body), deadline, make, receive)
        self.runner.wake()
        return found

    async def rows(self, who: Principal, deadline: Deadline, receive: _Receive) -> list[Any]:
        """Return the rows of a tenant's jobs."""
        return await self._run(lambda keep: keep.rows(who.tenant), deadline, receive)

    async def row(self, who: Principal, id: str, deadline: Deadline, receive: _Receive) -> Any:
        """Return a job's row, and why it failed where it did."""
        return await self._run(lambda keep: keep.row(id, who.tenant), deadline, receive)

    async def result(
        self, who: Principal, id: str, deadline: Deadline, receive: _Receive
    ) -> tuple[dict[str, str], bytes]:
        """Return headers and body of a job's result."""
        return await self._run(lambda keep: keep.result(id, who.tenant), deadline, receive)

    async def cancel(self, who: Principal, id: str, deadline: Deadline, receive: _Receive) -> Any:
        """End a job that is under way, wherever it is computed; return its row."""
        expiry = self._state.snapshot.config.state.job_expiry
        row, ended = await self._run(lambda keep: keep.cancel(id, who.tenant, expiry), deadline, receive)
        self.runner.stop(id)
        if ended:
            self._state.metrics.jobs.labels("cancelled").inc()
        return row

    async def delete(self, who: Principal, id: str, deadline: Deadline, receive: _Receive) -> None:
        """Forget a job."""
        await self._run(lambda keep: keep.delete(id, who.tenant), deadline, receive)
        self.runner.stop(id)

    async def _run(self, work: Callable[[Keep], _T], deadline: Deadline, receive: _Receive) -> _T:
        return await self._lane.run(_SMALL, deadline, lambda _: work(self._opened()), receive)

    def _opened(self) -> Keep:
        """Return where jobs are kept; it may wait for a disk."""
        if self._keep is None:
            from rpsd.service.jobs._keep import Keep

            self._keep = Keep(self._lane.database())
        return self._keep
