# SPDX-License-Identifier: MIT
"""What requests about streams say, and what they are answered."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Final

import msgspec
import numpy as np
from msgspec import UNSET, Meta, UnsetType

from rpsd import Options
from rpsd._schema import fields
from rpsd.service._clock import utc
from rpsd.service._codec_json import (
    count_strings,
    decoded,
    most_points,
    numbers,
    require_shallow,
    require_unique,
)
from rpsd.service._numbers import write_numbers
from rpsd.service._problems import Problem
from rpsd.service._request import F64
from rpsd.service.streams._live import Done, Live
from rpsd.service.streams._ops import NONE, SAMPLES, Kind, Op

#: Bytes of a JSON body for each sample that a push may have, and beside them.
_BYTES_A_SAMPLE: Final = 32
_BESIDE: Final = 4_096

_MOST_SEQUENCE: Final = 2**53
_Sequence = Annotated[int, Meta(ge=1, le=_MOST_SEQUENCE)]

NewStream: Any = msgspec.defstruct(
    "NewStream",
    [
        ("series", Annotated[int, Meta(ge=1)] | UnsetType | None, UNSET),
        ("on_breach", Any, UNSET),
        *((name, Any, UNSET) for name in fields(Options)),
    ],
    forbid_unknown_fields=True,
)


class Change(msgspec.Struct, forbid_unknown_fields=True):
    """A change without samples."""

    sequence: _Sequence | UnsetType | None = UNSET


class Samples(Change, forbid_unknown_fields=True):
    """A change with samples."""

    values: msgspec.Raw = msgspec.Raw(b"")


class First(msgspec.Struct, forbid_unknown_fields=True):
    """The first message of a connection: a new stream, or one that is there."""

    create: msgspec.Raw | UnsetType = UNSET
    resume: str | UnsetType = UNSET
    sequence: Annotated[int, Meta(ge=0, le=_MOST_SEQUENCE)] | UnsetType | None = UNSET


class Message(Samples, forbid_unknown_fields=True):
    """A later message of a connection: a change."""

    op: Kind = "push"


class Changed(msgspec.Struct):
    """Where a stream is after a change."""

    sequence: Annotated[int, Meta(description="Changes so far.")]
    samples: Annotated[int, Meta(description="Samples so far, of each series.")]


class Estimates(Changed):
    """And the estimates, `lookahead` samples before those that came."""

    values: Annotated[
        list[float | list[float | None] | None],
        Meta(description="A list for each series of a bank; null where there is none."),
    ]


class StreamHealth(msgspec.Struct):
    """What is believed of a stream; a list for each series of a bank. As `rpsd.Stream.health` has it."""

    samples: int | list[int]
    missing: int | list[int]
    noise_sd: float | list[float | None] | None
    step_sd: float | list[float | None] | None
    gate: float | list[float | None] | None
    resets: int | list[int]
    noise_ratio: float | list[float | None] | None
    missing_rate: float | list[float | None] | None
    lag: float | list[float | None] | None
    alarms: list[str | list[str]]


class StreamState(Changed):
    """A stream."""

    id: str
    created: Annotated[str, Meta(description="UTC.")]
    used: Annotated[str, Meta(description="UTC, of the last change.")]
    series: Annotated[int | None, Meta(description="Series of a bank; null for one series.")]
    warmup: Annotated[int, Meta(description="Samples before the first estimate.")]
    options: Annotated[dict[str, Any], Meta(description="What runs.")]
    health: StreamHealth
    notes: Annotated[list[str], Meta(description="Warnings about its options.")] = []


class StreamRow(Changed):
    """A stream in a list."""

    id: str
    created: str
    used: str


class StreamList(msgspec.Struct):
    """All streams of a tenant, oldest first."""

    streams: list[StreamRow]


_new: Final = msgspec.json.Decoder(NewStream)
_change: Final = msgspec.json.Decoder(Change)
_samples: Final = msgspec.json.Decoder(Samples)


_first: Final = msgspec.json.Decoder(First)
_message: Final = msgspec.json.Decoder(Message)


def read_first(text: bytes) -> First:
    """Return the first message of a connection."""
    first: First = decoded(_first, text)
    if (first.create is UNSET) == (first.resume is UNSET):
        raise Problem("invalid-request", "the first message must have one of create and resume")
    return first


def read_message(text: bytes, most: int) -> Op:
    """Return the change that a later message asks for."""
    if most_points(text) > most + _BESIDE:
        raise Problem("too-large", f"a push has at most {most} samples")
    given = decoded(_message, text)
    values = bytes(given.values).strip()
    if bool(values) != (given.op in SAMPLES):
        raise Problem(
            "invalid-request", "a message must have values where op is push or amend, and only there"
        )
    return Op(
        given.op, _array(values) if values else NONE, None if given.sequence is UNSET else given.sequence
    )


def read_new(body: bytes) -> tuple[dict[str, Any], int | None, Any]:
    """Return options, series and what comes out on a breach."""
    given = decoded(_new, body or b"{}")
    named = {name: getattr(given, name) for name in given.__struct_fields__}
    options = {name: value for name, value in named.items() if value is not UNSET}
    require_shallow(options)
    require_unique(body, count_strings(options))
    return options, options.pop("series", None), options.pop("on_breach", None)


def read_change(body: bytes) -> int | None:
    """Return the sequence of a change without samples."""
    return _sequence(decoded(_change, body or b"{}"), body, 0)


def read_sequence(query: bytes) -> int | None:
    """Return the sequence that an address gives."""
    if not query:
        return None
    name, _, value = query.partition(b"=")
    if name != b"sequence" or not value.isdigit() or not 0 < int(value[:20]) <= _MOST_SEQUENCE:
        raise Problem("invalid-request", "the query may be sequence=N, an integer of at least 1")
    return int(value)


def read_samples(body: bytes, most: int) -> tuple[F64, int | None]:
    """Return samples and sequence of a change."""
    if most_points(body) > most + _BESIDE:
        raise Problem("too-large", f"a push has at most {most} samples")
    given = decoded(_samples, body)
    text = bytes(given.values).strip()
    if not text:
        raise Problem("invalid-request", "the body must have values")
    return _array(text), _sequence(given, body, 1)


def most_bytes(most: int) -> int:
    """Return how large a body is at most that has so many samples."""
    return _BESIDE + _BYTES_A_SAMPLE * most


def answer(op: Op, done: Done) -> bytes:
    """Return what came of a change as JSON."""
    if op.kind in SAMPLES:
        return estimates(*done)
    return msgspec.json.encode({"sequence": done.sequence, "samples": done.samples})


def estimates(sequence: int, samples: int, values: F64) -> bytes:
    """Return estimates as JSON, a list for each series of a bank."""
    rows = [write_numbers(row) for row in np.atleast_2d(values)]
    text = rows[0] if values.ndim == 1 else b"[" + b",".join(rows) + b"]"
    return f'{{"sequence":{sequence},"samples":{samples},"values":'.encode() + text + b"}"


def shown(live: Live, used: int, notes: Sequence[str] = ()) -> dict[str, Any]:
    """Return a stream as plain data, used as its row says."""
    stream, health = live.stream, live.stream.health()
    return {
        "id": live.id,
        "sequence": live.sequence,
        "samples": live.samples,
        "created": utc(live.identity.created),
        "used": utc(used),
        "series": stream.n_series,
        "warmup": stream.warmup,
        "options": msgspec.to_builtins(stream.options),
        "health": {
            name: value.tolist() if isinstance(value, np.ndarray) else value
            for name in StreamHealth.__struct_fields__
            for value in [getattr(health, name)]
        },
        "notes": list(notes),
    }


def _sequence(given: Change, body: bytes, beside: int) -> int | None:
    """Return the sequence of a change that has so many names beside it."""
    require_unique(body, beside + (given.sequence is not UNSET))
    return None if given.sequence is UNSET else given.sequence


def _array(text: bytes) -> F64:
    if not text[1:].lstrip().startswith(b"["):
        return numbers(msgspec.Raw(text), "$.values")
    rows = decoded(_rows, text)
    found = [numbers(row, f"$.values[{k}]") for k, row in enumerate(rows)]
    if len({len(row) for row in found}) != 1:
        raise Problem("invalid-request", "values must be lists of one length")
    return np.array(found)


_rows: Final = msgspec.json.Decoder(list[msgspec.Raw])
