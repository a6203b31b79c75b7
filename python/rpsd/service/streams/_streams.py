# SPDX-License-Identifier: MIT
"""What is done with streams, one thing at a time with each."""

from __future__ import annotations

import asyncio
import contextlib
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeVar

from rpsd import InputError, Options, StateError
from rpsd.service._admission import Stop, overloaded
from rpsd.service._clock import Deadline
from rpsd.service._idempotency import Answered, UnderWay
from rpsd.service._lane import Lane
from rpsd.service._problems import Problem
from rpsd.service._snapshot import Snapshot
from rpsd.service._state import State
from rpsd.service.access._principal import Principal

if TYPE_CHECKING:
    from rpsd.service.streams._commits import Commits
    from rpsd.service.streams._keep import Input, Keep, Write
    from rpsd.service.streams._live import Done, Live
    from rpsd.service.streams._ops import Op

_T = TypeVar("_T")
#: Bytes of streams in memory; those used least recently leave first.
_MOST_BYTES: Final = 1 << 28
#: Requests that may wait for one stream.
_MOST_WAITING: Final = 64
#: Series of a bank with what each remembers, window and lookahead, and these of one series: what a state,
#: and a sample, may cost.
_MOST_HISTORY: Final = 1 << 22
_MOST_WINDOW: Final = 1 << 14
#: Samples that what has none counts as in the queue.
_SMALL: Final = 1


class Once(NamedTuple):
    """A request for a stream that may come again: its key, what it says, and what makes its answer."""

    key: str
    said: bytes
    answer: Callable[[Live, list[str]], Answered]


class _Worked(NamedTuple):
    """What came of changes in memory: outcomes in their order, and what is to be kept of it."""

    live: Live
    outcomes: list[Done | Exception]
    write: Write | None


@dataclass
class _Turn:
    """Whose turn it is with a stream."""

    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    users: int = 0


class Streams:
    """Streams of all tenants; belongs to the event loop's thread.

    Parameters
    ----------
    state : State

    Attributes
    ----------
    under_way : UnderWay
        Requests for new ones that are not answered yet.
    """

    def __init__(self, state: State) -> None:
        self._state = state
        self._loop: asyncio.AbstractEventLoop | None = None
        self._lane = Lane(state, "streams", "this stream")
        self._keep: Keep | None = None
        self._commits: Commits | None = None
        self._live: OrderedDict[str, Live] = OrderedDict()
        self._bytes = 0
        self._turns: dict[str, _Turn] = {}
        self.under_way = UnderWay()

    async def create(
        self,
        snapshot: Snapshot,
        who: Principal,
        options: Mapping[str, Any],
        series: int | None,
        on_breach: str | None,
        deadline: Deadline,
        receive: Callable[[], Any],
        once: Once | None = None,
    ) -> tuple[Live, list[str]]:
        """Make a stream; return it and what there is to say of its options.

        Raises
        ------
        Repeated
            Where that is what a request asked for that came before.
        """
        settings = snapshot.config.state

        def make(_stop: Stop) -> tuple[Live, list[str]]:
            denoiser, notes = snapshot.denoiser(options, None)
            _check_size(denoiser.options, series, snapshot.service.max_push)
            stream = denoiser.stream(series, on_breach)
            keep, repeat = self._opened(), None
            if once is not None:
                again = keep.repeats.of(who.tenant, once.key, b"streams", once.said)
                repeat = again, lambda live: once.answer(live, notes)
            most, idle = settings.max_streams, settings.stream_idle_timeout
            return keep.create(who.tenant, who.name, stream, most, idle, repeat), notes

        live, notes = await self._run(_SMALL, deadline, make, receive)
        self._remember(live)
        return live, notes

    async def change(
        self, who: Principal, id: str, ops: Sequence[Op], deadline: Deadline, receive: Callable[[], Any]
    ) -> list[Done | Exception]:
        """Make changes, in their order, until one is refused; return what came of each, the refusal last.

        All that are answered are on the disk.
        """
        points = sum(op.values.size for op in ops) or _SMALL
        async with self._turn(id, deadline):
            live = self._take(id, who.tenant)
            worked = await self._run(
                points, deadline, lambda stop: self._work(who, id, live, ops, stop), receive
            )
            if worked.write is not None:
                assert self._commits is not None
                with self._lane.problems():
                    kept = await self._commits.put(worked.write)
                if kept:
                    worked.live.kept(worked.write.due)
                else:  # another replica was faster: once more, while nobody else may
                    worked = await self._run(
                        points, deadline, lambda _: self._work_locked(who, id, ops), receive
                    )
            self._remember(worked.live)
            return worked.outcomes

    async def read(
        self,
        who: Principal,
        id: str,
        look: Callable[[Live, Any], _T],
        deadline: Deadline,
        receive: Callable[[], Any],
    ) -> _T:
        """Return what a function sees of a stream as it is now, and of its row."""
        async with self._turn(id, deadline):
            live = self._take(id, who.tenant)

            def looked(_stop: Stop) -> tuple[Live, _T]:
                now, row = self._opened().fresh(id, who.tenant, live)
                return now, look(now, row)

            now, found = await self._run(_SMALL, deadline, looked, receive)
            self._remember(now)
            return found

    async def rows(self, who: Principal, deadline: Deadline, receive: Callable[[], Any]) -> list[Any]:
        """Return the rows of a tenant's streams."""
        return await self._run(_SMALL, deadline, lambda _: self._opened().rows(who.tenant), receive)

    async def delete(self, who: Principal, id: str, deadline: Deadline, receive: Callable[[], Any]) -> None:
        """Forget a stream."""
        async with self._turn(id, deadline):
            self._take(id, who.tenant)
            if not await self._run(
                _SMALL, deadline, lambda _: self._opened().delete(id, who.tenant), receive
            ):
                raise Problem("not-found", "there is no such stream")

    def _work(self, who: Principal, id: str, live: Live | None, ops: Sequence[Op], stop: Stop) -> _Worked:
        """Make changes in memory; done by a worker."""
        keep = self._opened()
        first = ops[0].sequence
        if live is None or (first is not None and first > live.sequence + 1):
            live, _ = keep.fresh(id, who.tenant, live)
            if stop.set and self._loop is not None:  # what took too long to load is there for the next
                self._loop.call_soon_threadsafe(self._remember, live)
            stop.check()
        before = live.sequence
        outcomes, inputs = self._made(keep, live, who.tenant, ops)
        return _Worked(live, outcomes, keep.write(live, before, inputs) if inputs else None)

    def _work_locked(self, who: Principal, id: str, ops: Sequence[Op]) -> _Worked:
        """As `_work`, and keep the changes, while nobody else may make any."""
        keep = self._opened()
        live, _ = keep.fresh(id, who.tenant, None)  # what takes long of it is done before the row is locked
        with keep.transaction() as connection:
            live = keep.locked(connection, id, who.tenant, live)
            before = live.sequence
            outcomes, inputs = self._made(keep, live, who.tenant, ops)
            if inputs:
                write = keep.write(live, before, inputs)
                keep.put(connection, [write])
                live.kept(write.due)
        return _Worked(live, outcomes, None)

    @staticmethod
    def _made(
        keep: Keep, live: Live, tenant: str, ops: Sequence[Op]
    ) -> tuple[list[Done | Exception], list[Input]]:
        """Make changes until one is refused; return what came of each, and what is to be kept."""
        outcomes: list[Done | Exception] = []
        inputs: list[Input] = []
        begin = live.sequence
        again = [op for op in ops if op.sequence is not None and op.sequence <= begin]
        try:
            answered = keep.again(live.id, tenant, again) if again else {}
            for op in ops:
                if op.sequence is not None and op.sequence <= begin:
                    outcomes.append(answered[op.sequence])
                else:
                    outcomes.append(_applied(op, live))
                    inputs.append(keep.sealed(live.id, live.sequence, op))
        except Problem as problem:
            outcomes.append(problem)
        return outcomes, inputs

    def _opened(self) -> Keep:
        """Return where streams are kept; it may wait for a disk."""
        if self._keep is None:
            from rpsd.service.streams._commits import Commits
            from rpsd.service.streams._keep import Keep

            keep = Keep(self._lane.database())
            self._commits = self._commits or Commits(keep.commit, self._state.metrics.commit_size.observe)
            self._keep = keep
        return self._keep

    async def _run(
        self, points: int, deadline: Deadline, work: Callable[[Stop], _T], receive: Callable[[], Any]
    ) -> _T:
        """Have something done by a worker of the streams."""
        self._loop = asyncio.get_running_loop()
        return await self._lane.run(points, deadline, work, receive)

    @contextlib.asynccontextmanager
    async def _turn(self, id: str, deadline: Deadline) -> AsyncIterator[None]:
        """Wait until nobody else works on a stream."""
        turn = self._turns.setdefault(id, _Turn())
        if turn.users > _MOST_WAITING:
            raise overloaded()
        turn.users += 1
        try:
            try:
                async with asyncio.timeout(deadline.left):
                    await turn.lock.acquire()
            except TimeoutError:
                raise Problem("deadline-exceeded", "the answer was not there in time") from None
            try:
                yield
            finally:
                turn.lock.release()
        finally:
            turn.users -= 1
            if not turn.users:
                del self._turns[id]

    def _take(self, id: str, tenant: str) -> Live | None:
        """Take a stream out of memory: what goes wrong with it meanwhile must leave nothing there."""
        live = self._live.get(id)
        if live is None or live.identity.tenant != tenant:
            return None
        del self._live[id]
        self._bytes -= live.size
        return live

    def _remember(self, live: Live) -> None:
        self._take(live.id, live.identity.tenant)
        self._live[live.id] = live
        self._bytes += live.size
        while self._bytes > _MOST_BYTES and len(self._live) > 1:
            _, oldest = self._live.popitem(last=False)
            self._bytes -= oldest.size


def _check_size(options: Options, series: int | None, most: int) -> None:
    """Raise the Problem of a stream that would take too much memory, or too much time for each sample."""
    if series is not None and series > most:
        raise Problem("too-large", f"series must be at most {most}, the samples of a push, got {series}")
    history = options.lookahead or 0
    if options.method in ("wavelet", "fir"):
        history += options.window
    if history > _MOST_WINDOW:
        raise Problem(
            "too-large", f"window and lookahead must be at most {_MOST_WINDOW} together, got {history}"
        )
    if (series or 1) * history > _MOST_HISTORY:
        raise Problem(
            "too-large", f"series must be at most {_MOST_HISTORY // history} with such a lookahead or window"
        )


def _applied(op: Op, live: Live) -> Done:
    """Change a stream, or say why not."""
    if op.sequence not in (None, live.sequence + 1):
        raise Problem(
            "conflict",
            f"sequence must be {live.sequence + 1}, the next change, got {op.sequence}",
            sequence=live.sequence,
        )
    try:
        return live.apply(op)
    except InputError as error:
        raise Problem("invalid-request", str(error), sequence=live.sequence) from None
    except StateError as error:
        raise Problem("conflict", str(error), sequence=live.sequence) from None
