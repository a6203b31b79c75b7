# SPDX-License-Identifier: MIT
"""Streams in the database: rows, sealed checkpoints, sealed inputs since."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final, NamedTuple

import msgspec
import sqlalchemy as sa

from rpsd import StateError, Stream
from rpsd.service._idempotency import Answered, Repeated
from rpsd.service._lane import Damaged
from rpsd.service._problems import Problem
from rpsd.service._repeats import Repeat, Repeats
from rpsd.service.store._database import Database, now
from rpsd.service.store._schema import stream_inputs, streams
from rpsd.service.store._seal import place_of
from rpsd.service.streams._live import Checkpoint, Done, Identity, Live
from rpsd.service.streams._ops import Op

_COUNT: Final = 8
_ID_BYTES: Final = 16
_MICROSECONDS: Final = 1_000_000


class Input(NamedTuple):
    """A change of a stream, sealed."""

    sequence: int
    sealed: bytes


class Write(NamedTuple):
    """Changes of one stream that are to be kept, if it is still where it was before them."""

    id: str
    before: int
    after: int
    samples: int
    inputs: Sequence[Input]
    due: Checkpoint | None
    sealed_due: bytes | None


class Keep:
    """Streams in a database; any thread may ask.

    Parameters
    ----------
    database : Database
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._seal = database.seal
        self.repeats = Repeats(database)

    def create(
        self,
        tenant: str,
        owner: str,
        stream: Stream,
        most: int,
        idle: float,
        once: tuple[Repeat, Callable[[Live], Answered]] | None = None,
    ) -> Live:
        """Keep a new stream, and forget those that nobody used for `idle` seconds.

        Parameters
        ----------
        once : tuple, optional
            A request that may come again, and what makes its answer.

        Raises
        ------
        Problem
            conflict, where the tenant has as many as it may.
        Repeated
            Where it came before.
        """
        settings = msgspec.json.encode({"series": stream.n_series, "options": stream.options}).decode()
        identity = Identity(secrets.token_hex(_ID_BYTES), tenant, now(), settings)
        checkpoint = Checkpoint(0, 0, stream.snapshot())
        sealed = self._sealed_checkpoint(identity, checkpoint)
        live = Live(identity, stream, checkpoint)
        with self._database.begin() as connection:
            connection.execute(streams.delete().where(streams.c.used < now() - int(idle * _MICROSECONDS)))
            self._database.hold(connection, tenant)  # two of one tenant at once would count alike
            if once is not None and (before := self.repeats.find(connection, once[0])) is not None:
                raise Repeated(before)
            theirs = sa.select(sa.func.count()).select_from(streams).where(streams.c.tenant == tenant)
            if connection.execute(theirs).scalar_one() >= most:
                raise Problem("conflict", f"there are at most {most} streams; delete one first")
            connection.execute(
                streams.insert().values(
                    **identity._asdict(),
                    owner=owner,
                    used=identity.created,
                    sequence=0,
                    samples=0,
                    checkpoint_sequence=0,
                    checkpoint=sealed,
                )
            )
            if once is not None:
                repeat, answer = once
                self.repeats.keep(connection, repeat, answer(live))
        return live

    def delete(self, id: str, tenant: str) -> bool:
        """Forget a stream; return whether there was one."""
        here = (streams.c.id == id) & (streams.c.tenant == tenant)
        with self._database.begin() as connection:
            return connection.execute(streams.delete().where(here)).rowcount > 0

    def rows(self, tenant: str) -> list[Any]:
        """Return the rows of a tenant's streams, oldest first."""
        theirs = sa.select(
            streams.c.id, streams.c.created, streams.c.used, streams.c.sequence, streams.c.samples
        ).where(streams.c.tenant == tenant)
        with self._database.read() as connection:
            return list(connection.execute(theirs.order_by(streams.c.created, streams.c.id)).all())

    def fresh(self, id: str, tenant: str, live: Live | None) -> tuple[Live, Any]:
        """Return a stream as it is now, from what is in memory where that helps, and its row."""
        with self._database.read() as connection:
            row = self._row(connection, id, tenant)
            return self._caught_up(connection, row, live), row

    def again(self, id: str, tenant: str, ops: Iterable[Op]) -> dict[int, Done]:
        """Return what changes that were made before did, by their sequence.

        Raises
        ------
        Problem
            conflict, where another change was made, or it is too long ago.
        """
        wanted = {op.sequence or 0: op for op in ops}
        with self._database.read() as connection:
            row = self._row(connection, id, tenant)
            first = min(wanted)
            if first <= row.checkpoint_sequence:
                raise Problem(
                    "conflict", f"change {first} is too long ago to be asked for again", sequence=row.sequence
                )
            live, done = self._restored(row), {}
            for op in self._inputs(connection, row, live):
                asked = wanted.get(live.sequence + 1)
                if asked is not None and asked.encoded() != op.encoded():
                    raise Problem(
                        "conflict",
                        f"change {asked.sequence} is there already, and it is another one",
                        sequence=row.sequence,
                    )
                found = live.apply(op)
                if asked is not None:
                    done[found.sequence] = found
        return done

    def sealed(self, id: str, sequence: int, op: Op) -> Input:
        """Return a change as it is kept."""
        return Input(sequence, self._seal.close(op.encoded(), _input_place(id, sequence)))

    def write(self, live: Live, before: int, inputs: Sequence[Input]) -> Write:
        """Return what is to be kept of changes that were made in memory."""
        due = live.due
        sealed = None if due is None else self._sealed_checkpoint(live.identity, due)
        return Write(live.id, before, live.sequence, live.samples, inputs, due, sealed)

    def commit(self, writes: Sequence[Write]) -> list[bool]:
        """Keep changes of several streams, each once, in one transaction; return which were kept."""
        with self._database.begin() as connection:
            here = {
                row.id: row.sequence
                for row in connection.execute(
                    sa.select(streams.c.id, streams.c.sequence)
                    .where(streams.c.id.in_([one.id for one in writes]))
                    .order_by(streams.c.id)
                    .with_for_update()
                )
            }
            kept = [here.get(one.id) == one.before for one in writes]
            self.put(connection, [one for one, good in zip(writes, kept, strict=True) if good])
        return kept

    def put(self, connection: sa.Connection, writes: Sequence[Write]) -> None:
        """Keep changes of streams whose rows are locked."""
        if not writes:
            return
        used = now()
        connection.execute(
            streams.update()
            .where(streams.c.id == sa.bindparam("here"))
            .values(sequence=sa.bindparam("after"), samples=sa.bindparam("count"), used=used),
            [{"here": one.id, "after": one.after, "count": one.samples} for one in writes],
        )
        connection.execute(
            stream_inputs.insert(),
            [
                {"stream": one.id, "sequence": sequence, "request": sealed}
                for one in writes
                for sequence, sealed in one.inputs
            ],
        )
        for one in writes:
            if one.due is not None:
                connection.execute(
                    streams.update()
                    .where(streams.c.id == one.id)
                    .values(checkpoint_sequence=one.due.sequence, checkpoint=one.sealed_due)
                )
                connection.execute(
                    stream_inputs.delete().where(
                        (stream_inputs.c.stream == one.id) & (stream_inputs.c.sequence <= one.due.sequence)
                    )
                )

    def locked(self, connection: sa.Connection, id: str, tenant: str, live: Live | None) -> Live:
        """As `fresh`; nobody else changes it until the transaction ends."""
        row = self._row(connection, id, tenant, lock=True)
        return self._caught_up(connection, row, live)

    def transaction(self) -> Any:
        """Return a transaction that may change streams."""
        return self._database.begin()

    @staticmethod
    def _row(connection: sa.Connection, id: str, tenant: str, *, lock: bool = False) -> Any:
        here = sa.select(streams).where((streams.c.id == id) & (streams.c.tenant == tenant))
        row = connection.execute(here.with_for_update() if lock else here).first()
        if row is None:
            raise Problem("not-found", "there is no such stream")
        return row

    def _caught_up(self, connection: sa.Connection, row: Any, live: Live | None) -> Live:
        if live is None or not row.checkpoint_sequence <= live.sequence <= row.sequence:
            live = self._restored(row)
        for op in self._inputs(connection, row, live):
            live.apply(op)
        if live.samples != row.samples:
            raise Damaged(f"streams/{row.id}: {row.samples} samples are said to be there, {live.samples} are")
        return live

    def _restored(self, row: Any) -> Live:
        identity = Identity(row.id, row.tenant, row.created, row.settings)
        try:
            plain = self._seal.open(row.checkpoint, _place(identity, row.checkpoint_sequence))
            samples, state = int.from_bytes(plain[:_COUNT], "little"), plain[_COUNT:]
            checkpoint = Checkpoint(row.checkpoint_sequence, samples, state)
            return Live(identity, Stream.restore(state), checkpoint)
        except StateError as error:
            raise Damaged(str(error)) from None

    def _inputs(self, connection: sa.Connection, row: Any, live: Live) -> Iterable[Op]:
        """Yield the changes that a stream in memory lacks; all are there, and none beyond its sequence."""
        after = (stream_inputs.c.stream == row.id) & (stream_inputs.c.sequence > live.sequence)
        query = sa.select(stream_inputs.c.sequence, stream_inputs.c.request).where(after)
        found = connection.execute(query.order_by(stream_inputs.c.sequence)).all()
        gapless = all(one.sequence == k for k, one in enumerate(found, live.sequence + 1))
        if len(found) != row.sequence - live.sequence or not gapless:
            raise Damaged(f"streams/{row.id}: not all of its changes up to {row.sequence} are there")
        for sequence, sealed in found:
            try:
                kept = self._seal.open(sealed, _input_place(row.id, sequence))
            except StateError as error:
                raise Damaged(str(error)) from None
            yield Op.decoded(kept)

    def _sealed_checkpoint(self, identity: Identity, checkpoint: Checkpoint) -> bytes:
        plain = checkpoint.samples.to_bytes(_COUNT, "little") + checkpoint.state
        return self._seal.close(plain, _place(identity, checkpoint.sequence))


def _place(identity: Identity, sequence: int) -> str:
    """Return where a checkpoint belongs: what of its row nobody may change without it."""
    return place_of("streams", *identity, sequence)


def _input_place(id: str, sequence: int) -> str:
    return f"stream_inputs/{id}/{sequence}"
