# SPDX-License-Identifier: MIT
"""How many samples a principal had today, counted in the database for all replicas."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Final

import sqlalchemy as sa

from rpsd.service.store._database import Database
from rpsd.service.store._schema import usage

_DAY: Final = 86_400
_KEPT_DAYS: Final = 32


class Quota:
    """Samples by principal and day (UTC); what is counted here reaches the database by `flush`.

    Parameters
    ----------
    database : Database
    clock : callable
        Seconds since 1970.
    """

    def __init__(self, database: Database, clock: Callable[[], float] = time.time) -> None:
        self._database = database
        self._clock = clock
        self._lock = threading.Lock()
        self._kept: dict[tuple[str, int], int] = {}
        self._pending: dict[tuple[str, int], int] = {}

    def used(self, name: str) -> int:
        """Return the samples of today, as far as this process knows."""
        what = (name, self._day())
        with self._lock:
            return self._kept.get(what, 0) + self._pending.get(what, 0)

    def charge(self, name: str, points: int) -> None:
        """Count samples."""
        what = (name, self._day())
        with self._lock:
            self._pending[what] = self._pending.get(what, 0) + points

    def until_tomorrow(self) -> float:
        """Return the seconds until counting begins anew."""
        return _DAY - self._clock() % _DAY

    def refresh(self, name: str) -> None:
        """Read what all replicas counted today; it waits for the database."""
        what = (name, self._day())
        with self._database.read() as connection:
            row = connection.execute(sa.select(usage.c.points).where(_is(what))).one_or_none()
        with self._lock:
            self._kept = {**{one: n for one, n in self._kept.items() if one[1] == what[1]}, what: 0}
            self._kept[what] = row.points if row is not None else 0

    def flush(self) -> None:
        """Write what was counted; it waits for the database.

        Raises
        ------
        StateError
            Where it cannot be written; then it is kept for the next time.
        """
        with self._lock:
            pending = dict(self._pending)
        if not pending:
            return
        totals = {}
        with self._database.begin() as connection:
            for what, points in sorted(pending.items()):  # in one order, so that two replicas do not lock
                added = connection.execute(
                    usage.update().where(_is(what)).values(points=usage.c.points + points)
                )
                if added.rowcount == 0:
                    connection.execute(usage.insert().values(principal=what[0], day=what[1], points=points))
                totals[what] = connection.execute(sa.select(usage.c.points).where(_is(what))).scalar_one()
            connection.execute(usage.delete().where(usage.c.day < self._day() - _KEPT_DAYS))
        with self._lock:
            for what, points in pending.items():
                self._pending[what] -= points
                if not self._pending[what]:
                    del self._pending[what]
            self._kept.update(totals)

    def _day(self) -> int:
        return int(self._clock() // _DAY)


def _is(what: tuple[str, int]) -> sa.ColumnElement[bool]:
    return sa.and_(usage.c.principal == what[0], usage.c.day == what[1])
