# SPDX-License-Identifier: MIT
"""The audit log: one chain of records, in which nothing can be changed, removed, swapped or added unseen.

Each digest is an HMAC of the one before and of the record (Schneier and Kelsey, Secure Audit Logs to Support
Computer Forensics, 1999, without their evolving key); the head beside tells where the chain ends.
An older head has a good signature for ever: whoever writes remembers the last, and finds an end that is
cut off.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

import msgspec
import sqlalchemy as sa

from rpsd import StateError
from rpsd.service.store._database import Database, now
from rpsd.service.store._head import START, Head
from rpsd.service.store._schema import audit, audit_head

_PAGE: Final = 5000
_NUMBER: Final = 8
_BYTES: Final = (bytes, memoryview)
# Made once: to make them takes as long as to run them.
_LOCK_HEAD: Final = sa.select(audit_head).with_for_update()
_SET_HEAD: Final = audit_head.update()
_ADD: Final = audit.insert()
_DIGEST: Final = sa.select(audit.c.digest).where(audit.c.number == sa.bindparam("number"))


class Record(NamedTuple):
    """One decision or act, before it has a number.

    Attributes
    ----------
    who : str
        Name of a principal, or ``cli:USER``.
    action : str
        Such as ``POST /v1/denoise`` or ``keys create``.
    outcome : str
        allowed, denied, done or failed.
    details : mapping
        Plain values; no secret, no samples.
    """

    who: str
    action: str
    outcome: str
    details: Mapping[str, Any] = {}


class Verdict(NamedTuple):
    """What came of a check: how many records hold, and what is wrong with the one after; None is nothing."""

    records: int
    fault: str | None
    head: Head


class AuditLog:
    """The audit log of a database.

    Parameters
    ----------
    database : Database
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._key = database.seal.derive("audit chain")
        self._last: Head | None = None  # that was written here: the chain goes through it for ever

    def write(self, records: Sequence[Record]) -> Head:
        """Append records, all of them or none.

        Raises
        ------
        StateError
            Where they cannot be kept, or the chain is not that which was written here before.
        """
        with self._database.begin() as connection:
            head = self._locked_head(connection)
            self._require_ours(connection, head)
            rows = []
            for record in records:
                when, number = now(), head.number + 1
                text = _canonical(number, when, record)
                head = Head(number, self._digest(head.digest, number, text))
                rows.append({"number": number, "time": when, "record": text, "digest": head.digest})
            connection.execute(_ADD, rows)
            end = {**head._asdict(), "signature": head.signed(self._database.seal)}
            connection.execute(_SET_HEAD, end)
        self._last = head
        return head

    def verify(self, known: Head | None = None) -> Verdict:
        """Check the whole chain.

        Parameters
        ----------
        known : Head, optional
            A head that was kept elsewhere: the chain must go through it.
        """
        with self._database.read() as connection:
            head, last = START, None
            while rows := connection.execute(_page(last)).all():
                for row in rows:
                    fault = self._fault(row, head)
                    if fault is None and known is not None and known.number == row.number:
                        fault = None if known.digest == row.digest else "is not that of the head given"
                    if fault is not None:
                        return Verdict(head.number, f"record {head.number + 1} {fault}", head)
                    head = Head(row.number, bytes(row.digest))
                last = head.number
            fault = self._fault_of_end(connection, head, known)
        return Verdict(head.number, fault, head)

    def head(self) -> Head:
        """Return where the chain ends, as the head says."""
        with self._database.read() as connection:
            row = connection.execute(sa.select(audit_head)).one_or_none()
        return START if row is None else Head(row.number, bytes(row.digest))

    def read(self, after: int = 0, most: int = _PAGE) -> Iterable[dict[str, Any]]:
        """Yield records after a number, oldest first."""
        with self._database.read() as connection:
            rows = connection.execute(_page(after, most)).all()
        for row in rows:
            yield msgspec.json.decode(row.record)

    def _fault(self, row: Any, before: Head) -> str | None:
        if not (isinstance(row.record, str) and isinstance(row.digest, _BYTES)):
            return "was changed"  # SQLite takes anything in any column
        if row.number <= before.number:
            return "has one before it that is not of the chain"
        if row.number != before.number + 1:
            return "is missing"
        if not hmac.compare_digest(self._digest(before.digest, row.number, row.record), bytes(row.digest)):
            return "was changed, or one before it"
        try:
            content = msgspec.json.decode(row.record)
        except msgspec.DecodeError:
            return "is no record"
        return None if content["time"] == row.time else "has another time beside it"

    def _fault_of_end(self, connection: sa.Connection, head: Head, known: Head | None) -> str | None:
        rows = connection.execute(sa.select(audit_head)).all()
        if not rows:
            return "the head is missing"
        kept = self._signed_head(rows)
        if kept is None:
            return "the head was changed"
        if kept != head:
            return f"the chain ends at record {head.number}, and the head is of record {kept.number}"
        if known is not None and known.number > head.number:
            return f"the chain ends at record {head.number}, before the head given"
        return None

    def _locked_head(self, connection: sa.Connection) -> Head:
        rows = connection.execute(_LOCK_HEAD).all()
        if not rows:
            raise StateError("the audit log has lost its head")
        head = self._signed_head(rows)
        if head is None:
            raise StateError("the head of the audit log was changed")
        return head

    def _require_ours(self, connection: sa.Connection, head: Head) -> None:
        """Raise where the chain was turned back; others may have written since."""
        last = self._last
        if last is None or head == last:
            return
        row = connection.execute(_DIGEST, {"number": last.number}).one_or_none()
        if head.number <= last.number or row is None or bytes(row.digest) != last.digest:
            raise StateError(
                f"the audit log was turned back: it had {last.text()}, and ends at {head.text()}"
            )

    def _signed_head(self, rows: Sequence[Any]) -> Head | None:
        """Return the head of the only row, None where somebody changed it."""
        row = rows[0]
        if len(rows) > 1 or not isinstance(row.number, int) or row.number < 0:
            return None
        if not (isinstance(row.digest, _BYTES) and isinstance(row.signature, _BYTES)):
            return None
        head = Head(row.number, bytes(row.digest))
        good = hmac.compare_digest(head.signed(self._database.seal), bytes(row.signature))
        return head if good else None

    def _digest(self, before: bytes, number: int, text: str) -> bytes:
        message = before + number.to_bytes(_NUMBER, "big") + text.encode()
        return hmac.digest(self._key, message, hashlib.sha256)


def _canonical(number: int, when: int, record: Record) -> str:
    content = {
        **record.details,
        "number": number,
        "time": when,
        "who": record.who,
        "action": record.action,
        "outcome": record.outcome,
    }
    return msgspec.json.encode(content, order="deterministic").decode()


def _page(after: int | None, most: int = _PAGE) -> sa.Select[Any]:
    rows = sa.select(audit).order_by(audit.c.number).limit(most)
    return rows if after is None else rows.where(audit.c.number > after)
