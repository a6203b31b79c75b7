# SPDX-License-Identifier: MIT
"""The addresses of streams: /v1/streams and below."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Final

import msgspec
import numpy as np
from litestar import Response
from litestar.handlers import HTTPRouteHandler

from rpsd.service import _media
from rpsd.service._calls import (
    DELETE,
    GET,
    POST,
    SMALL_BODY,
    Answer,
    AnyRequest,
    Call,
    as_before,
    as_json,
    handlers_of,
)
from rpsd.service._clock import utc
from rpsd.service._idempotency import Answered, Repeated, key_of
from rpsd.service._observe import Seen
from rpsd.service._problems import Problem
from rpsd.service._state import State
from rpsd.service.streams import _forms
from rpsd.service.streams._ops import KINDS, NONE, SAMPLES, Kind, Op
from rpsd.service.streams._streams import Once, Streams

if TYPE_CHECKING:
    from rpsd.service.streams._live import Live

PATH: Final = "/v1/streams"
ONE: Final = f"{PATH}/{{id}}"
_ITEM: Final = 8


class _Call(Call):
    """One request about streams."""

    def __init__(self, state: State, streams: Streams, request: AnyRequest, here: Seen) -> None:
        super().__init__(state, request, here)
        self.streams = streams


def stream_routes(state: State, streams: Streams) -> list[HTTPRouteHandler]:
    """Return the handlers of streams."""

    def make(request: AnyRequest, here: Seen) -> _Call:
        return _Call(state, streams, request, here)

    return handlers_of(
        make,
        state,
        {
            PATH: {POST: ("create-stream", _create), GET: ("list-streams", _list)},
            ONE: {GET: ("show-stream", _show), DELETE: ("delete-stream", _delete)},
            f"{ONE}/snapshot": {GET: ("snapshot-stream", _snapshot)},
            f"{ONE}/flush": {POST: ("flush-stream", _flush)},
            **{f"{ONE}/{kind}": {POST: (f"{kind}-stream", _changing(kind))} for kind in KINDS},
        },
    )


async def _create(call: _Call) -> Answer:
    key = key_of(call.request.headers)
    with call.streams.under_way.alone(call.who.tenant, key):
        body, _ = await call.body(SMALL_BODY, _media.JSON)
        once = None if key is None else Once(key, body, _created)
        try:
            live, notes = await call.streams.create(
                call.here.snapshot,
                call.who,
                *_forms.read_new(body),
                call.deadline,
                call.request.receive,
                once,
            )
        except Repeated as again:
            return as_before(again.answered)
    return as_before(_created(live, notes))


def _created(live: Live, notes: list[str]) -> Answered:
    content = msgspec.json.encode(_forms.shown(live, live.identity.created, notes))
    return Answered(201, {"location": f"{PATH}/{live.id}"}, content)


async def _list(call: _Call) -> Answer:
    rows = await call.streams.rows(call.who, call.deadline, call.request.receive)
    found = [
        {
            "sequence": row.sequence,
            "samples": row.samples,
            "id": row.id,
            "created": utc(row.created),
            "used": utc(row.used),
        }
        for row in rows
    ]
    return as_json({"streams": found})


async def _show(call: _Call) -> Answer:
    def look(live: Any, row: Any) -> dict[str, Any]:
        return _forms.shown(live, row.used)

    return as_json(await call.streams.read(call.who, call.id, look, call.deadline, call.request.receive))


async def _delete(call: _Call) -> Answer:
    await call.streams.delete(call.who, call.id, call.deadline, call.request.receive)
    return Response(b"", status_code=204)


async def _snapshot(call: _Call) -> Answer:
    def look(live: Any, _row: Any) -> tuple[bytes, int, int]:
        return live.stream.snapshot(), live.sequence, live.samples

    content, sequence, samples = await call.streams.read(
        call.who, call.id, look, call.deadline, call.request.receive
    )
    return Response(content, media_type=_media.BINARY, headers=_headers(sequence, samples))


async def _flush(call: _Call) -> Answer:
    await call.body(SMALL_BODY, _media.JSON)

    def look(live: Any, _row: Any) -> tuple[int, int, Any]:
        return live.sequence, live.samples, live.stream.flush()

    found = await call.streams.read(call.who, call.id, look, call.deadline, call.request.receive)
    return _estimates(*found, call.request.headers.get("accept", _media.JSON), _media.JSON)


def _changing(kind: Kind) -> Callable[[_Call], Awaitable[Answer]]:
    read = _read_samples if kind in SAMPLES else _read_simple

    async def change(call: _Call) -> Answer:
        op, sent = await read(call, kind)
        call.here.data_size = op.values.size
        outcomes = await call.streams.change(call.who, call.id, [op], call.deadline, call.request.receive)
        done = outcomes[0]
        if isinstance(done, Exception):
            raise done
        call.state.metrics.points.inc(op.values.size)
        if kind not in SAMPLES:
            return Response(_forms.answer(op, done), media_type=_media.JSON)
        return _estimates(*done, call.request.headers.get("accept"), sent)

    return change


async def _read_samples(call: _Call, kind: Kind) -> tuple[Op, str]:
    most = call.service.max_push
    body, sent = await call.body(_forms.most_bytes(most), _media.JSON, _media.BINARY)
    query = call.request.scope["query_string"]
    if sent == _media.BINARY:
        if len(body) % _ITEM:
            raise Problem(
                "malformed-body", f"the body must be float64, {_ITEM} bytes each, got {len(body)} bytes"
            )
        values = np.frombuffer(body, dtype="<f8").astype(np.float64, copy=False)
        sequence = _forms.read_sequence(query)
    else:
        if query:
            raise Problem("invalid-request", "options of JSON are fields of its body, not of the address")
        values, sequence = _forms.read_samples(body, most)
    if values.size > most:
        raise Problem("too-large", f"a push has at most {most} samples, got {values.size}")
    return Op(kind, values, sequence), sent


async def _read_simple(call: _Call, kind: Kind) -> tuple[Op, str]:
    body, sent = await call.body(SMALL_BODY, _media.JSON)
    return Op(kind, NONE, _forms.read_change(body)), sent


def _estimates(sequence: int, samples: int, values: Any, accept: str | None, sent: str) -> Answer:
    """Answer estimates in the media type of the request, unless Accept prefers another."""
    if _media.wanted_type(accept, sent, (_media.JSON, _media.BINARY)) == _media.BINARY:
        content = values.astype("<f8", copy=False).tobytes()
        return Response(content, media_type=_media.BINARY, headers=_headers(sequence, samples))
    return Response(_forms.estimates(sequence, samples, values), media_type=_media.JSON)


def _headers(sequence: int, samples: int) -> dict[str, str]:
    return {"rpsd-sequence": str(sequence), "rpsd-samples": str(samples)}
