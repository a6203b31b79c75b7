# SPDX-License-Identifier: MIT
"""What requests about jobs say, what they are answered, and how both are kept."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta

from rpsd.service._clock import utc
from rpsd.service._problems import Problem
from rpsd.service._series import ENDPOINTS

OPERATIONS: Final = {endpoint.operation: endpoint for endpoint in ENDPOINTS}
#: What a job does where the address does not say.
USUAL: Final = ENDPOINTS[0].operation
_NAME: Final = b"operation"
_LENGTH: Final = 4

Status = Literal["queued", "running", "done", "failed", "cancelled"]
#: Of jobs that have not ended.
UNDER_WAY: Final = ("queued", "running")


class JobRow(msgspec.Struct):
    """A job in a list."""

    id: str
    operation: str
    status: Status
    samples: Annotated[int, Meta(description="Samples of its series.")]
    created: Annotated[str, Meta(description="UTC.")]
    started: Annotated[str | None, Meta(description="UTC; when it was last begun.")]
    ended: Annotated[str | None, Meta(description="UTC; null while it is under way.")]
    expires: Annotated[str | None, Meta(description="UTC; until when it is kept.")]
    attempts: Annotated[int, Meta(description="How often it was begun; twice where a service was lost.")]


class JobState(JobRow):
    """A job."""

    problem: Annotated[dict[str, Any] | None, Meta(description="Why it failed: problem details.")]


class JobList(msgspec.Struct):
    """All jobs of a tenant, oldest first."""

    jobs: list[JobRow]


class Kept(msgspec.Struct, array_like=True, frozen=True):
    """What is kept of a request beside its body."""

    sent: str
    wanted: str
    query: bytes


def read_query(query: bytes) -> tuple[str, bytes]:
    """Return what a job does, and the rest of an address's query.

    Raises
    ------
    Problem
        For what there is not, or twice.
    """
    pairs = query.split(b"&") if query else []
    given = [value for name, _, value in (one.partition(b"=") for one in pairs) if name == _NAME]
    if len(given) > 1:
        raise Problem("invalid-request", 'the query gives "operation" twice')
    operation = given[0].decode("latin-1") if given else USUAL
    if operation not in OPERATIONS:
        raise Problem("invalid-request", f'operation must be {", ".join(OPERATIONS)}, got "{operation[:40]}"')
    return operation, b"&".join(one for one in pairs if one.partition(b"=")[0] != _NAME)


def row_data(row: Any) -> dict[str, Any]:
    """Return a row of the database as it is shown in a list."""
    return {
        "id": row.id,
        "operation": row.operation,
        "status": row.status,
        "samples": row.points,
        "created": utc(row.created),
        "started": None if row.started is None else utc(row.started),
        "ended": None if row.ended is None else utc(row.ended),
        "expires": None if row.ended is None else utc(row.expires),
        "attempts": row.attempts,
    }


def state_data(row: Any, problem: dict[str, Any] | None = None) -> dict[str, Any]:
    """Return a row of the database as it is shown alone."""
    return {**row_data(row), "problem": problem}


def packed(head: Any, body: bytes | bytearray | memoryview) -> bytes:
    """Return a body with what is kept beside it, as bytes."""
    text = msgspec.msgpack.encode(head)
    return b"".join((len(text).to_bytes(_LENGTH, "little"), text, body))


def unpacked(content: bytes, kind: Any) -> tuple[Any, bytes]:
    """Return what `packed` was given."""
    end = _LENGTH + int.from_bytes(content[:_LENGTH], "little")
    return msgspec.msgpack.decode(content[_LENGTH:end], type=kind), content[end:]
