# SPDX-License-Identifier: MIT
"""Processes that do units; one that is killed takes none with it."""

from __future__ import annotations

import multiprocessing
import multiprocessing.connection
import signal
import warnings
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from typing import Any, Final, Self

from rpsd._errors import RpsdError
from rpsd.batch._unit import failed_record, remove_temporaries, run_unit

#: How often a unit is begun before it counts as failed: its first time and two more.
TRIES: Final = 3
_JOIN_SECONDS: Final = 5.0

_Unit = Mapping[str, Any]


class _Worker:
    """A process with one unit at a time."""

    def __init__(self) -> None:
        # Nothing is inherited: a fork of a process with threads could hang.
        context = multiprocessing.get_context("spawn")
        self.connection, theirs = context.Pipe()
        self.process: SpawnProcess = context.Process(target=_serve, args=(theirs,), daemon=True)
        with _without_interrupts():
            self.process.start()
        theirs.close()
        self.ready = False
        self.unit: _Unit | None = None

    def give(self, unit: _Unit) -> None:
        self.unit = unit
        with suppress(OSError):  # it has died, and will be found dead
            self.connection.send(unit)

    def end(self) -> None:
        self.process.terminate()
        self.process.join(_JOIN_SECONDS)
        if self.process.is_alive():
            self.process.kill()
            self.process.join()
        self.connection.close()


class Workers:
    """A pool of processes; leaving the ``with`` block ends them, whatever they do.

    Parameters
    ----------
    count : int
        How many processes.
    """

    def __init__(self, count: int) -> None:
        self._count = count
        self._workers: list[_Worker] = []
        self._failed_starts = 0
        self._deaths: Counter[str] = Counter()
        self._suspects: deque[_Unit] = deque()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for worker in self._workers:
            worker.process.terminate()
        for worker in self._workers:
            worker.end()
            if worker.unit is not None:
                remove_temporaries(worker.unit["output"], [worker.unit["name"]])

    def run(self, units: Iterable[_Unit]) -> Iterator[dict[str, Any]]:
        """Yield the record of each unit as it is done.

        A unit whose worker died is tried again when the others are done, with nothing beside it: what it died
        of may have been the memory that the others took.
        """
        waiting = iter(units)
        following = next(waiting, None)
        for _ in range(self._count):
            self._workers.append(_Worker())
        while following is not None or self._suspects or self._busy:
            idle = [worker for worker in self._workers if worker.ready and worker.unit is None]
            for worker in idle:
                if following is not None:
                    worker.give(following)
                    following = next(waiting, None)
            if idle and self._suspects and not self._busy:
                idle[0].give(self._suspects.popleft())
            yield from self._heard()

    @property
    def _busy(self) -> bool:
        return any(worker.unit is not None for worker in self._workers)

    def _heard(self) -> Iterator[dict[str, Any]]:
        """Wait until a worker says something, or dies."""
        by_connection = {worker.connection: worker for worker in self._workers}
        for heard in multiprocessing.connection.wait(list(by_connection)):
            assert isinstance(heard, Connection)
            worker = by_connection[heard]
            try:
                record = heard.recv()
            except (EOFError, OSError):
                yield from self._replaced(worker)
                continue
            worker.unit, worker.ready = None, True
            self._failed_starts = 0
            if record is not None:
                yield record

    def _replaced(self, dead: _Worker) -> Iterator[dict[str, Any]]:
        dead.end()
        code = dead.process.exitcode
        how = f"by signal {-code}" if code is not None and code < 0 else f"with exit code {code}"
        if not dead.ready:
            self._failed_starts += 1
            if self._failed_starts >= TRIES:
                raise RpsdError(f"worker processes cannot be started: {TRIES} ended {how}")
        elif dead.unit is not None:
            name = dead.unit["name"]
            remove_temporaries(dead.unit["output"], [name])
            self._deaths[name] += 1
            if self._deaths[name] < TRIES:
                self._suspects.append(dead.unit)
            else:
                yield failed_record(
                    dead.unit,
                    f"its worker process was ended {how} each of {TRIES} times; is there too little memory?",
                )
        self._workers[self._workers.index(dead)] = _Worker()


def run_here(units: Iterable[_Unit]) -> Iterator[dict[str, Any]]:
    """Yield the record of each unit, done in this process."""
    for unit in units:
        yield _run_quietly(unit)


def _serve(connection: Connection) -> None:
    """Do units until there are no more; the process that gives them decides when to stop."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with suppress(EOFError, OSError):  # the other side has gone
        connection.send(None)
        while True:
            connection.send(_run_quietly(connection.recv()))


def _run_quietly(unit: _Unit) -> dict[str, Any]:
    """Run a unit; what it warns of stands in its record, by series, and would be told a million times."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return run_unit(unit)


@contextmanager
def _without_interrupts() -> Iterator[None]:
    """Start processes that Ctrl-C at the terminal does not reach while they load."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
