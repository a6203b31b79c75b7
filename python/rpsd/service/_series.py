# SPDX-License-Identifier: MIT
"""The addresses that take series: POST /v1/denoise, /v1/noise and /v1/evaluate."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from litestar import Request, Response, post
from litestar.handlers import HTTPRouteHandler

from rpsd.service import _codec_binary, _codec_json, _compute, _media
from rpsd.service._admission import Stop
from rpsd.service._body import read_body
from rpsd.service._clock import Deadline
from rpsd.service._degrade import degraded_header
from rpsd.service._observe import Seen, note_failure, seen
from rpsd.service._problems import Problem
from rpsd.service._request import Answer, Asked, Limits
from rpsd.service._snapshot import Snapshot
from rpsd.service._stages import Stages
from rpsd.service._state import State

_Any = Request[Any, Any, Any]
_Decode = Callable[[bytes, bytes, Limits], Asked]
_Encode = Callable[[Answer], tuple[bytes, dict[str, str]]]
_Work = Callable[[Stop], tuple[Answer, bytes, dict[str, str]]]


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One address: what it takes, does and answers, by media type."""

    operation: str
    message: str
    compute: _compute.Compute
    decoders: dict[str, _Decode]
    encoders: dict[str, _Encode]

    @property
    def path(self) -> str:
        """Its address."""
        return f"/v1/{self.operation}"


_SERIES: Final[dict[str, _Decode]] = {_media.JSON: _codec_json.decode, _media.BINARY: _codec_binary.decode}
_PAIRS: Final[dict[str, _Decode]] = {
    _media.JSON: _codec_json.decode_pairs,
    _media.BINARY: _codec_binary.decode_pairs,
}
_JSON: Final[dict[str, _Encode]] = {_media.JSON: _codec_json.encode}
_MOST_POINTS: Final = {_media.JSON: _codec_json.most_points, _media.BINARY: _codec_binary.most_points}
ENDPOINTS: Final = (
    Endpoint(
        "denoise",
        "Denoising completed successfully",
        _compute.denoise,
        _SERIES,
        {**_JSON, _media.BINARY: _codec_binary.encode},
    ),
    Endpoint("noise", "Noise estimated successfully", _compute.estimate_noise, _SERIES, _JSON),
    Endpoint("evaluate", "Evaluation completed successfully", _compute.evaluate, _PAIRS, _JSON),
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
    deadline = Deadline(_seconds(headers.get("request-timeout"), service.request_timeout))
    sent = _media.sent_type(headers.get("content-type"), tuple(endpoint.decoders))
    wanted = _media.wanted_type(headers.get("accept"), sent, tuple(endpoint.encoders))
    query = request.scope["query_string"]
    body = await read_body(request.receive, headers, service.max_body_bytes)
    stages = here.stages = Stages(endpoint.operation)
    work = _work(snapshot, endpoint, endpoint.decoders[sent], endpoint.encoders[wanted], body, query, stages)
    points = _MOST_POINTS[sent](body)
    answer, content, extra = await state.admission.run(points, deadline, work, request.receive)
    here.message = endpoint.message
    _note(state, here, answer, len(body), len(content))
    _note_stages(state, stages)
    return Response(content, media_type=wanted, headers={**extra, **degraded_header(answer)})


def _work(
    snapshot: Snapshot,
    endpoint: Endpoint,
    decode: _Decode,
    encode: _Encode,
    body: bytes,
    query: bytes,
    stages: Stages,
) -> _Work:
    """Return what a worker does: all that takes time."""

    def work(stop: Stop) -> tuple[Answer, bytes, dict[str, str]]:
        stages.ended("queue")
        limits = Limits(snapshot.service.max_points, snapshot.service.max_series)
        asked = decode(body, query, limits)
        asked.check(limits)
        if endpoint.operation == "denoise":
            stages.algorithm = asked.options.get("method", snapshot.config.denoiser.method)
        stages.ended("parse")
        answer = endpoint.compute(snapshot, asked, stop)
        stages.ended("kernel")
        content, headers = encode(answer)
        stages.ended("serialise")
        return answer, content, headers

    return work


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
            metrics.actions.labels(outcome.content["action"]).inc()
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


def _seconds(text: str | None, most: float) -> float:
    """Return for how long the client waits: as Request-Timeout says, within what the service allows."""
    if text is None:
        return most
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not seconds > 0:
        raise Problem("invalid-request", "Request-Timeout must be a number of seconds > 0")
    return min(seconds, most)
