# SPDX-License-Identifier: MIT
"""Jobs in the database: rows, sealed requests, sealed results, and who computes which."""

from __future__ import annotations

import secrets
from collections.abc import Collection, Mapping
from types import SimpleNamespace
from typing import Any, Final, NamedTuple

import msgspec
import sqlalchemy as sa

from rpsd import StateError
from rpsd.service._idempotency import Answered
from rpsd.service._lane import Damaged
from rpsd.service._plain import Content
from rpsd.service._problems import Problem
from rpsd.service._repeats import Repeat, Repeats
from rpsd.service.jobs._forms import UNDER_WAY, Kept, packed, state_data, unpacked
from rpsd.service.store._database import Database, now
from rpsd.service.store._schema import jobs
from rpsd.service.store._seal import place_of

_ID_BYTES: Final = 16
_NAME_BYTES: Final = 8
_SECOND: Final = 1_000_000
_NEVER: Final = 2**62
#: How often a job is begun whose process is lost each time: once, and once more.
_MOST_ATTEMPTS: Final = 2
#: All of a row but what may be large.
_SHOWN: Final = [one for one in jobs.c if one.name not in ("request", "result")]
#: Of a row that nobody computes any more.
_FREE: Final[Mapping[str, Any]] = {"lease_owner": None, "lease_until": None}


class New(NamedTuple):
    """A job that is asked for."""

    tenant: str
    owner: str
    operation: str
    points: int
    kept: Kept
    body: bytes | bytearray


class Claimed(NamedTuple):
    """A job that this process computes, under a name that nobody else has."""

    id: str
    tenant: str
    owner: str
    operation: str
    created: int
    points: int
    name: str


class Look(NamedTuple):
    """How many jobs wait, and whether there are some that were lost or have expired."""

    queued: int
    over: bool


class Keep:
    """Jobs in a database; any thread may ask.

    Parameters
    ----------
    database : Database
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._seal = database.seal
        self.repeats = Repeats(database)

    def submit(self, new: New, most: int, most_bytes: int, repeat: Repeat | None) -> Answered:
        """Keep a new job, and return what is answered; a request that comes again gets the same.

        Raises
        ------
        Problem
            Where the tenant has as many as it may, or the key is another request's.
        """
        row = {
            **{name: getattr(new, name) for name in ("tenant", "owner", "operation", "points")},
            **{"id": secrets.token_hex(_ID_BYTES), "created": now(), "expires": _NEVER},
            **{"status": "queued", "attempts": 0, "started": None, "ended": None},
        }
        sealed = self._seal.close(
            packed(new.kept, new.body), _place(Claimed(**_some(row), name=""), "request")
        )
        content = msgspec.json.encode(state_data(SimpleNamespace(**row)))
        answered = Answered(202, {"location": f"/v1/jobs/{row['id']}"}, content)
        with self._database.begin() as connection:
            self._database.hold(connection, new.tenant)  # two of one tenant at once would count alike
            if repeat is not None:
                before = self.repeats.find(connection, repeat)
                if before is not None:
                    return before
            self._check_room(connection, new.tenant, len(sealed), most, most_bytes)
            connection.execute(jobs.insert().values(**row, request=sealed, bytes=len(sealed)))
            if repeat is not None:
                self.repeats.keep(connection, repeat, answered)
        return answered

    def before(self, repeat: Repeat) -> Answered | None:
        """Return what a request got that came before, None where none did."""
        with self._database.read() as connection:
            return self.repeats.find(connection, repeat)

    def rows(self, tenant: str) -> list[Any]:
        """Return the rows of a tenant's jobs, oldest first."""
        theirs = sa.select(*_SHOWN).where(jobs.c.tenant == tenant, jobs.c.expires > now())
        with self._database.read() as connection:
            return list(connection.execute(theirs.order_by(jobs.c.created, jobs.c.id)).all())

    def row(self, id: str, tenant: str) -> tuple[Any, dict[str, Any] | None]:
        """Return a job's row, and why it failed where it did."""
        with self._database.read() as connection:
            return self._shown(connection, id, tenant)

    def result(self, id: str, tenant: str) -> tuple[dict[str, str], bytes]:
        """Return headers and body of a job's result.

        Raises
        ------
        Problem
            not-found; conflict, where there is no result.
        """
        with self._database.read() as connection:
            row = connection.execute(sa.select(jobs).where(*_theirs(id, tenant))).first()
        if row is None:
            raise _none()
        if row.status != "done":
            headers = {"retry-after": "1"} if row.status in UNDER_WAY else {}
            raise Problem("conflict", f"there is no result: the job is {row.status}", headers=headers)
        kept: tuple[dict[str, str], bytes]
        kept = unpacked(self._opened(row.result, _place(row, "done")), dict[str, str])
        return kept

    def cancel(self, id: str, tenant: str, expiry: float) -> tuple[Any, bool]:
        """End a job that is under way; return its row, and whether it was.

        Raises
        ------
        Problem
            not-found; conflict, where it has ended otherwise.
        """
        at = now()
        ends = {"status": "cancelled", "ended": at, "expires": at + int(expiry * _SECOND), "request": b""}
        with self._database.begin() as connection:
            here = jobs.update().where(*_theirs(id, tenant), jobs.c.status.in_(UNDER_WAY))
            ended = connection.execute(here.values(**ends, **_FREE, bytes=0)).rowcount > 0
            row, _ = self._shown(connection, id, tenant)
        if row.status != "cancelled":
            raise Problem("conflict", f"the job is {row.status} already")
        return row, ended

    def delete(self, id: str, tenant: str) -> None:
        """Forget a job and its result, whether it has ended or not."""
        with self._database.begin() as connection:
            if not connection.execute(jobs.delete().where(*_theirs(id, tenant))).rowcount:
                raise _none()

    def look(self) -> Look:
        """Return what there is to do; this is asked again and again."""
        with self._database.read() as connection:
            at = self._database.clock(connection)
            queued = sa.select(sa.func.count()).where(jobs.c.status == "queued").scalar_subquery()
            lost = sa.exists().where(jobs.c.status == "running", jobs.c.lease_until < at)
            over = sa.exists().where(jobs.c.expires <= at)
            number, more = connection.execute(sa.select(queued, sa.or_(lost, over))).one()
        return Look(number, bool(more))

    def sweep(self, expiry: float) -> list[Any]:
        """Delete what has expired; end what was lost too often, and return it."""
        with self._database.begin() as connection:
            at = self._database.clock(connection)
            connection.execute(jobs.delete().where(jobs.c.expires <= at))
            lost = (jobs.c.status == "running", jobs.c.lease_until < at, jobs.c.attempts >= _MOST_ATTEMPTS)
            ends = {"status": "failed", "ended": at, "expires": at + int(expiry * _SECOND), "request": b""}
            ended = jobs.update().values(**ends, **_FREE, bytes=0)
            rows = connection.execute(sa.select(jobs.c.id, jobs.c.owner, jobs.c.points).where(*lost)).all()
            # Another replica may have been faster.
            return [
                row for row in rows if connection.execute(ended.where(jobs.c.id == row.id, *lost)).rowcount
            ]

    def claim(self, lease: float) -> Claimed | None:
        """Take a job that nobody computes: of the tenant of whom the fewest are computed, the oldest."""
        name = secrets.token_hex(_NAME_BYTES)
        passed: set[str] = set()
        while True:
            with self._database.begin() as connection:
                at = self._database.clock(connection)
                id = self._next(connection, at, passed)
                if id is None:
                    return None
                taken = {"status": "running", "started": at, "attempts": jobs.c.attempts + 1}
                leased = {"lease_owner": name, "lease_until": at + int(lease * _SECOND)}
                # Another replica may have been faster, and be done with it; or the index that tells of it is
                # damaged, and must not keep this one here.
                passed.add(id)
                here = jobs.update().where(jobs.c.id == id, _is_free(at)).values(**taken, **leased)
                if connection.execute(here).rowcount:
                    mine = sa.select(*_SHOWN).where(jobs.c.id == id)
                    row = connection.execute(mine).one()
                    return Claimed(**_some(row._asdict()), name=name)

    def renew(self, claimed: Claimed, lease: float) -> bool:
        """Say that a job is still computed; return whether it is still this process that should."""
        with self._database.begin() as connection:
            until = self._database.clock(connection) + int(lease * _SECOND)
            mine = jobs.update().where(*_is_mine(claimed))
            return connection.execute(mine.values(lease_until=until)).rowcount > 0

    def request(self, claimed: Claimed) -> tuple[Kept, bytes] | None:
        """Return what a job asks for, None where it is no longer this process that should compute it."""
        with self._database.read() as connection:
            query = sa.select(jobs.c.request).where(*_is_mine(claimed))
            sealed = connection.execute(query).scalar_one_or_none()
        if sealed is None:
            return None
        kept: tuple[Kept, bytes] = unpacked(self._opened(sealed, _place(claimed, "request")), Kept)
        return kept

    def finish(
        self, claimed: Claimed, status: str, headers: Mapping[str, str], body: Content, expiry: float
    ) -> bool:
        """Keep what came of a job; return whether it was still this process that should."""
        at = now()
        sealed = self._seal.close(packed(dict(headers), body), _place(claimed, status))
        return self._give(
            claimed,
            status=status,
            ended=at,
            expires=at + int(expiry * _SECOND),
            request=b"",
            result=sealed,
            bytes=len(sealed),
        )

    def give_back(self, claimed: Claimed) -> bool:
        """Let another compute a job, as if it had not been begun; return whether it was this process's."""
        return self._give(claimed, status="queued", started=None, attempts=jobs.c.attempts - 1)

    def _give(self, claimed: Claimed, **values: Any) -> bool:
        with self._database.begin() as connection:
            mine = jobs.update().where(*_is_mine(claimed)).values(**values, **_FREE)
            return connection.execute(mine).rowcount > 0

    @staticmethod
    def _next(connection: sa.Connection, at: int, passed: Collection[str]) -> str | None:
        free = sa.and_(_is_free(at), jobs.c.id.not_in(passed))
        running = sa.select(jobs.c.tenant, sa.func.count()).where(
            jobs.c.status == "running", jobs.c.lease_until >= at
        )
        computed: dict[str, int] = dict(map(tuple, connection.execute(running.group_by(jobs.c.tenant))))
        waiting = connection.execute(
            sa.select(jobs.c.tenant, sa.func.min(jobs.c.created)).where(free).group_by(jobs.c.tenant)
        ).all()
        if not waiting:
            return None
        tenant, created = min(waiting, key=lambda one: (computed.get(one[0], 0), one[1]))
        first = sa.select(jobs.c.id).where(jobs.c.tenant == tenant, jobs.c.created == created, free)
        return connection.execute(first.order_by(jobs.c.id)).scalars().first()

    @staticmethod
    def _check_room(connection: sa.Connection, tenant: str, size: int, most: int, most_bytes: int) -> None:
        theirs = sa.select(sa.func.count(), sa.func.coalesce(sa.func.sum(jobs.c.bytes), 0))
        count, total = connection.execute(theirs.where(jobs.c.tenant == tenant)).one()
        if size > most_bytes:
            raise Problem("too-large", f"jobs have at most {most_bytes} bytes together, this one has {size}")
        if count >= most:
            raise Problem("conflict", f"there are at most {most} jobs; delete one first")
        if total + size > most_bytes:
            raise Problem("conflict", f"jobs have at most {most_bytes} bytes together; delete one first")

    def _shown(self, connection: sa.Connection, id: str, tenant: str) -> tuple[Any, dict[str, Any] | None]:
        row = connection.execute(sa.select(*_SHOWN).where(*_theirs(id, tenant))).first()
        if row is None:
            raise _none()
        if row.status != "failed":
            return row, None
        sealed = connection.execute(sa.select(jobs.c.result).where(jobs.c.id == id)).scalar_one()
        if sealed is None:
            text = Problem("computation-failed", "the services that computed the job were lost").body()
        else:
            _, text = unpacked(self._opened(sealed, _place(row, "failed")), dict[str, str])
        return row, msgspec.json.decode(text)

    def _opened(self, sealed: bytes, place: str) -> bytes:
        try:
            return self._seal.open(sealed, place)
        except StateError as error:
            raise Damaged(str(error)) from None


def _some(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: row[name] for name in Claimed._fields if name != "name"}


def _theirs(id: str, tenant: str) -> tuple[Any, ...]:
    return jobs.c.id == id, jobs.c.tenant == tenant, jobs.c.expires > now()


def _is_mine(claimed: Claimed) -> tuple[Any, ...]:
    return jobs.c.id == claimed.id, jobs.c.status == "running", jobs.c.lease_owner == claimed.name


def _is_free(at: int) -> Any:
    """Return what holds of a job that nobody computes, and that may be begun."""
    lost = (jobs.c.status == "running") & (jobs.c.lease_until < at) & (jobs.c.attempts < _MOST_ATTEMPTS)
    return (jobs.c.status == "queued") | lost


def _place(job: Any, part: str) -> str:
    """Return where a part of a job belongs: what of its row nobody may change without it."""
    return place_of("jobs", job.id, job.tenant, job.operation, job.created, job.points, part)


def _none() -> Problem:
    return Problem("not-found", "there is no such job")
