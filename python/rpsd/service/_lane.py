# SPDX-License-Identifier: MIT
"""Work that waits for the database, done beside the requests that need none."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, TypeVar

from rpsd import RpsdError, StateError
from rpsd.service._admission import Admission, Stop
from rpsd.service._clock import Deadline
from rpsd.service._problems import Problem
from rpsd.service._state import State
from rpsd.service._workers import Workers

if TYPE_CHECKING:
    from rpsd.service.store._database import Database

_T = TypeVar("_T")


class Damaged(StateError):
    """What is kept is not what was kept."""


class Lane:
    """Workers and a queue of their own for what a database may keep waiting.

    Belongs to the event loop's thread, but `database`.

    Parameters
    ----------
    state : State
    operation : str
        For the log.
    what : str
        What is kept there, for clients.
    """

    def __init__(self, state: State, operation: str, what: str) -> None:
        self._state = state
        self._operation = operation
        self._what = what
        self._admission: Admission | None = None

    def database(self) -> Database:
        """Return the database; it may wait for a disk.

        Raises
        ------
        StateError
            Where it cannot be had.
        """
        try:
            return self._state.database()
        except RpsdError as error:  # what is wrong with the service's own settings is not for its clients
            raise StateError(str(error)) from None

    async def run(
        self, points: int, deadline: Deadline, work: Callable[[Stop], _T], receive: Callable[[], object]
    ) -> _T:
        """Return what work returns, as `Admission.run`; what a database says of it becomes a problem."""
        if self._admission is None:
            config = self._state.snapshot.config
            self._admission = Admission(
                Workers(config.performance.max_workers),
                config.service.queue_requests,
                config.service.queue_points,
                self._state.metrics.count,
            )
        with self.problems():
            found: _T = await self._admission.run(points, deadline, work, receive)
            return found

    @contextlib.contextmanager
    def problems(self) -> Iterator[None]:
        """Turn what a database or a damaged row says into problems, and have the log tell of it."""
        try:
            yield
        except StateError as error:
            self._state.log.write("ERROR", self._operation, str(error))
            if isinstance(error, Damaged):
                raise Problem("state-damaged", f"what is kept of {self._what} is damaged") from None
            raise Problem(
                "state-unavailable", "the database did not answer", headers={"retry-after": "1"}
            ) from None
        except RpsdError as error:
            raise Problem("invalid-request", str(error)) from None
