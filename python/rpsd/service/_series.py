# SPDX-License-Identifier: MIT
"""The addresses that take series: POST /v1/denoise, /v1/noise and /v1/evaluate."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import msgspec
from litestar import Request, Response, post
from litestar.handlers import HTTPRouteHandler

from rpsd.service import _codec_arrow, _codec_binary, _codec_json, _compute, _media
from rpsd.service._answers import Denoised, Evaluation, NoiseEstimate
from rpsd.service._body import read_body
from rpsd.service._clock import Deadline
from rpsd.service._degrade import degraded_header
from rpsd.service._observe import Seen, note_failure, seen
from rpsd.service._problems import Problem
from rpsd.service._request import Answer, Outcome, seconds_of
from rpsd.service._stages import Stages
from rpsd.service._state import State
from rpsd.service._work import Decode, Done, Encode, Work

_Any = Request[Any, Any, Any]
#: Bytes of a kept answer beside its body, for each series.
_OVERHEAD: Final = 4_096
#: Samples up to which waiting requests are computed together: longer ones gain little.
_SHORT: Final = 4_096


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One address: what it takes, does and answers, by media type."""

    operation: str
    message: str
    compute: _compute.Compute
    decoders: dict[str, Decode]
    encoders: dict[str, Encode]
    form: type[msgspec.Struct]
    together: bool = True

    @property
    def path(self) -> str:
        """Its address."""
        return f"/v1/{self.operation}"


_SERIES: Final[dict[str, Decode]] = {
    _media.JSON: _codec_json.decode,
    _media.BINARY: _codec_binary.decode,
    _media.ARROW: _codec_arrow.decode,
}
_PAIRS: Final[dict[str, Decode]] = {
    _media.JSON: _codec_json.decode_pairs,
    _media.BINARY: _codec_binary.decode_pairs,
    _media.ARROW: _codec_arrow.decode_pairs,
}
_JSON: Final[dict[str, Encode]] = {_media.JSON: _codec_json.encode}
_MOST_POINTS: Final = {
    _media.JSON: _codec_json.most_points,
    _media.BINARY: _codec_binary.most_points,
    _media.ARROW: _codec_arrow.most_points,
}
ENDPOINTS: Final = (
    Endpoint(
        "denoise",
        "Denoising completed successfully",
        _compute.denoise,
        _SERIES,
        {**_JSON, _media.BINARY: _codec_binary.encode, _media.ARROW: _codec_arrow.encode},
        Denoised,
    ),
    Endpoint(
        "noise",
        "Noise estimated successfully",
        _compute.estimate_noise,
        _SERIES,
        {**_JSON, _media.ARROW: _codec_arrow.rows_encoder(NoiseEstimate)},
        NoiseEstimate,
    ),
    Endpoint(
        "evaluate",
        "Evaluation completed successfully",
        _compute.evaluate,
        _PAIRS,
        {**_JSON, _media.ARROW: _codec_arrow.rows_encoder(Evaluation)},
        Evaluation,
        together=False,
    ),
)


def series_routes(state: State) -> list[HTTPRouteHandler]:
    """Return a handler for each endpoint."""
    return [_handler(state, endpoint) for endpoint in ENDPOINTS]


def _handler(state: State, endpoint: Endpoint) -> HTTPRouteHandler:
    @post(endpoint.path, status_code=200, name=endpoint.operation)
    async def handle(request: _Any) -> Response[bytes]:
        here = seen(request.scope)
        here.route, here.operation = endpoint.path, endpoint.operation
        return await _answer(state, endpoint, request, here)

    return handle


async def _answer(state: State, endpoint: Endpoint, request: _Any, here: Seen) -> Response[bytes]:
    """Read a request, have it computed, and say what came of it."""
    snapshot, headers = here.snapshot, request.headers
    service = snapshot.service
    if state.phase.refusal is not None:
        raise Problem("not-ready", state.phase.refusal, headers={"retry-after": "1"})
    deadline = Deadline(seconds_of(headers.get("request-timeout"), service.request_timeout))
    sent = _media.sent_type(headers.get("content-type"), tuple(endpoint.decoders))
    # Several lines of Accept are one list (RFC 9110, 5.3).
    accept = ", ".join(headers.getall("accept", [])) or None
    wanted = _media.wanted_type(accept, sent, tuple(endpoint.encoders))
    query = request.scope["query_string"]
    body = await read_body(request.receive, headers, service.max_body_bytes)
    key = None
    if not _computed_anew(headers.getall("cache-control", [])):
        key = snapshot.cache.key(body, endpoint.operation, sent, wanted, query)
    if key is not None and (kept := snapshot.cache.get(key)) is not None:
        state.metrics.cache_hits.inc()
        return _answered(state, endpoint, here, kept, wanted, len(body))
    points = _MOST_POINTS[sent](body)
    alike = (endpoint.operation, sent, query, points) if endpoint.together and points <= _SHORT else None
    decode, encode = endpoint.decoders[sent], endpoint.encoders[wanted]
    stages = here.stages = Stages(endpoint.operation)
    work = Work(snapshot, endpoint.compute, decode, encode, body, query, alike, stages)
    done = await state.admission.run(points, deadline, work, request.receive)
    if key is not None:
        state.metrics.cache_misses.inc()
        # What answers in place of an output is right once: the next time it may be computed.
        if not any(outcome.failure for outcome in done[0].outcomes):
            state.metrics.cache_evictions.inc(snapshot.cache.put(key, *_kept(done)))
    return _answered(state, endpoint, here, done, wanted, len(body))


def _computed_anew(lines: list[str]) -> bool:
    """Return whether a request wants no answer that was kept (RFC 9111), as those that test a service do."""
    directives = {one.strip().lower() for line in lines for one in line.split(",")}
    return not directives.isdisjoint(("no-cache", "no-store"))


def _kept(done: Done) -> tuple[int, Done]:
    """Return the bytes that an answer takes when it is kept, and the answer without what its body has."""
    answer, content, extra = done
    outcomes = tuple(Outcome(None, one.content, one.size, removed=one.removed) for one in answer.outcomes)
    return len(content) + _OVERHEAD * (1 + len(outcomes)), (Answer(answer.names, outcomes), content, extra)


def _answered(
    state: State, endpoint: Endpoint, here: Seen, done: Done, wanted: str, received: int
) -> Response[bytes]:
    answer, content, extra = done
    here.message = endpoint.message
    _note(state, here, answer, received, len(content))
    if here.stages is not None:
        _note_stages(state, here.stages)
    return Response(content, media_type=wanted, headers={**extra, **degraded_header(answer)})


def _note(state: State, here: Seen, answer: Answer, received: int, sent: int) -> None:
    metrics = state.metrics
    points = sum(outcome.size for outcome in answer.outcomes)
    here.data_size = points
    metrics.received.inc(received)
    metrics.request_bytes.observe(received)
    metrics.response_bytes.observe(sent)
    metrics.request_points.observe(points)
    metrics.points.inc(points)
    metrics.series.inc(len(answer.outcomes))
    for outcome in answer.outcomes:
        if "action" in outcome.content:
            metrics.actions_by(outcome.content["action"]).inc()
        if outcome.failure is not None:
            note_failure(state, here, outcome.failure)
        metrics.observe_report(outcome.content.get("report") or {})
        if outcome.removed is not None:
            metrics.variance_reduction.observe(outcome.removed)
    here.fields["series"] = len(answer.outcomes)
    if len(answer.outcomes) == 1 and "action" in answer.outcomes[0].content:
        here.fields["action"] = answer.outcomes[0].content["action"]


def _note_stages(state: State, stages: Stages) -> None:
    """Tell how long each stage of a request that was answered took."""
    for stage in stages:
        state.metrics.observe_stage(stages.algorithm, stage.name, stage.end - stage.begin)
