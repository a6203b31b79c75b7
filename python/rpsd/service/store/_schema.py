# SPDX-License-Identifier: MIT
"""The tables. Times are microseconds since 1970, UTC, as both databases order and compare those alike."""

from __future__ import annotations

from typing import Final

from sqlalchemy import BigInteger, Column, ForeignKey, Index, Integer, LargeBinary, MetaData, Table, Text

METADATA: Final = MetaData()

#: Sealed under the state key; `Seal` has them open.
data_keys = Table(
    "data_keys",
    METADATA,
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("created", BigInteger, nullable=False),
    Column("wrapped", LargeBinary, nullable=False),
)

api_keys = Table(
    "api_keys",
    METADATA,
    Column("id", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("tenant", Text, nullable=False),
    # JSON: a list of roles, and an object of the limits that are not those of the configuration.
    Column("roles", Text, nullable=False),
    Column("limits", Text, nullable=False),
    Column("digest", LargeBinary, nullable=False),
    # The secret before a rotation, and until when it is still taken.
    Column("digest_before", LargeBinary),
    Column("before_until", BigInteger),
    Column("created", BigInteger, nullable=False),
    Column("expires", BigInteger),
    Column("revoked", BigInteger),
    Column("last_used", BigInteger),
    # Of all the others but the last use: a row without a good one proves nobody.
    Column("mac", LargeBinary),
)

audit = Table(
    "audit",
    METADATA,
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("time", BigInteger, nullable=False),
    # Canonical JSON, whose bytes are what the digest is of.
    Column("record", Text, nullable=False),
    Column("digest", LargeBinary, nullable=False),
)

#: One row: the last number of the chain and its digest, so that an end cut off is seen.
audit_head = Table(
    "audit_head",
    METADATA,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("number", BigInteger, nullable=False),
    Column("digest", LargeBinary, nullable=False),
    Column("signature", LargeBinary, nullable=False),
)

#: Samples of a day (since 1970, UTC) that a principal had.
usage = Table(
    "usage",
    METADATA,
    Column("principal", Text, primary_key=True),
    Column("day", Integer, primary_key=True, autoincrement=False),
    Column("points", BigInteger, nullable=False),
)

streams = Table(
    "streams",
    METADATA,
    Column("id", Text, primary_key=True),
    Column("tenant", Text, nullable=False),
    Column("owner", Text, nullable=False),
    Column("created", BigInteger, nullable=False),
    Column("used", BigInteger, nullable=False),
    # Pushes and samples so far.
    Column("sequence", BigInteger, nullable=False),
    Column("samples", BigInteger, nullable=False),
    Column("settings", Text, nullable=False),
    Column("checkpoint_sequence", BigInteger, nullable=False),
    Column("checkpoint", LargeBinary, nullable=False),
    Index("streams_by_tenant", "tenant"),
    Index("streams_by_use", "used"),
)

#: What was pushed since the checkpoint.
stream_inputs = Table(
    "stream_inputs",
    METADATA,
    Column("stream", Text, ForeignKey("streams.id", ondelete="CASCADE"), primary_key=True),
    Column("sequence", BigInteger, primary_key=True, autoincrement=False),
    Column("request", LargeBinary, nullable=False),
)

jobs = Table(
    "jobs",
    METADATA,
    Column("id", Text, primary_key=True),
    Column("tenant", Text, nullable=False),
    Column("owner", Text, nullable=False),
    Column("operation", Text, nullable=False),
    # queued, running, done, failed, cancelled
    Column("status", Text, nullable=False),
    Column("created", BigInteger, nullable=False),
    Column("started", BigInteger),
    Column("ended", BigInteger),
    Column("expires", BigInteger, nullable=False),
    Column("attempts", Integer, nullable=False),
    # Who computes it, a name for each time that it is begun, and until when nobody else may.
    Column("lease_owner", Text),
    Column("lease_until", BigInteger),
    # Empty once it has ended.
    Column("request", LargeBinary, nullable=False),
    Column("result", LargeBinary),
    # Samples, and bytes of what is kept of it.
    Column("points", BigInteger, nullable=False, server_default="0"),
    Column("bytes", BigInteger, nullable=False, server_default="0"),
    Index("jobs_by_turn", "status", "tenant", "created"),
    Index("jobs_by_tenant", "tenant", "created"),
    Index("jobs_by_end", "expires"),
)

#: Answers to requests that may come again (Idempotency-Key).
idempotency = Table(
    "idempotency",
    METADATA,
    Column("tenant", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("fingerprint", LargeBinary, nullable=False),
    Column("expires", BigInteger, nullable=False),
    Column("answer", LargeBinary),
    Index("idempotency_by_end", "expires"),
)
