# SPDX-License-Identifier: MIT
"""Answers to requests that may come again, kept for a day."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable
from typing import Final, NamedTuple

import msgspec
import sqlalchemy as sa

from rpsd import StateError
from rpsd.service._idempotency import HEADER, Answered
from rpsd.service._lane import Damaged
from rpsd.service._problems import Problem
from rpsd.service.store._database import Database, now
from rpsd.service.store._schema import idempotency
from rpsd.service.store._seal import place_of

_DAY: Final = 86_400 * 1_000_000
_LENGTH: Final = 8


class Repeat(NamedTuple):
    """A request that may come again; neither its key nor what it says can be guessed from what is kept."""

    tenant: str
    key: str
    fingerprint: bytes


class Repeats:
    """Answers by tenant and key, sealed; any thread may ask.

    Parameters
    ----------
    database : Database
    """

    def __init__(self, database: Database) -> None:
        self._seal = database.seal
        self._key = database.seal.derive("idempotency")

    def of(self, tenant: str, key: str, *said: bytes | bytearray) -> Repeat:
        """Return a request by its key and all that it says."""
        return Repeat(tenant, self._digest([tenant.encode(), key.encode()]).hex(), self._digest(said))

    def _digest(self, parts: Iterable[bytes | bytearray]) -> bytes:
        digest = hmac.new(self._key, digestmod=hashlib.sha256)
        for part in parts:
            digest.update(len(part).to_bytes(_LENGTH, "big"))
            digest.update(part)
        return digest.digest()

    def find(self, connection: sa.Connection, repeat: Repeat) -> Answered | None:
        """Return the answer that a request got before, None where it is the first.

        Raises
        ------
        Problem
            key-reused, where the key was another request's.
        """
        here = (idempotency.c.tenant == repeat.tenant) & (idempotency.c.key == repeat.key)
        query = sa.select(idempotency.c.fingerprint, idempotency.c.answer)
        row = connection.execute(query.where(here, idempotency.c.expires > now())).first()
        if row is None:
            return None
        if not hmac.compare_digest(row.fingerprint, repeat.fingerprint):
            raise Problem("key-reused", f"this {HEADER} is that of another request; take a new one")
        try:
            return msgspec.msgpack.decode(self._seal.open(row.answer, _place(repeat)), type=Answered)
        except StateError as error:
            raise Damaged(str(error)) from None

    def keep(self, connection: sa.Connection, repeat: Repeat, answered: Answered) -> None:
        """Keep an answer, with what else the transaction does; what is older than a day goes."""
        connection.execute(idempotency.delete().where(idempotency.c.expires <= now()))
        sealed = self._seal.close(msgspec.msgpack.encode(answered), _place(repeat))
        connection.execute(
            idempotency.insert().values(**repeat._asdict(), expires=now() + _DAY, answer=sealed)
        )


def _place(repeat: Repeat) -> str:
    return place_of("idempotency", repeat.tenant, repeat.key)
