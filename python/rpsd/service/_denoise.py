# SPDX-License-Identifier: MIT
"""POST /v1/denoise."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any, Final

from litestar import Request, Response, post
from litestar.handlers import HTTPRouteHandler

from rpsd.service import _codec_binary, _codec_json, _compute, _media
from rpsd.service._admission import Stop
from rpsd.service._body import read_body
from rpsd.service._clock import Deadline
from rpsd.service._observe import Seen, seen
from rpsd.service._problems import Problem
from rpsd.service._request import Answer, Limits
from rpsd.service._snapshot import Snapshot
from rpsd.service._state import State

_Any = Request[Any, Any, Any]
_CODECS: Final[dict[str, ModuleType]] = {_media.JSON: _codec_json, _media.BINARY: _codec_binary}


def denoise_routes(state: State) -> list[HTTPRouteHandler]:
    """Return the handler."""

    @post("/v1/denoise", status_code=200)
    async def denoise(request: _Any) -> Response[bytes]:
        here = seen(request.scope)
        here.route, here.operation = "/v1/denoise", "denoise"
        return await _answer(state, request, here)

    return [denoise]


async def _answer(state: State, request: _Any, here: Seen) -> Response[bytes]:
    """Read a request, have it computed, and say what came of it."""
    snapshot, headers = state.snapshot, request.headers
    service = snapshot.service
    if state.phase.name == "starting":
        raise Problem("not-ready", "the service is starting", headers={"retry-after": "1"})
    deadline = Deadline(_seconds(headers.get("request-timeout"), service.request_timeout))
    sent = _media.sent_type(headers.get("content-type"))
    wanted = _media.wanted_type(headers.get("accept"), sent)
    query = request.scope["query_string"]
    body = await read_body(request.receive, headers, service.max_body_bytes)
    points = _CODECS[sent].most_points(body)
    work = _work(snapshot, _CODECS[sent], _CODECS[wanted], body, query)
    answer, content, extra = await state.admission.run(points, deadline, work, request.receive)
    _note(state, here, answer, len(body))
    return Response(content, media_type=wanted, headers=extra)


def _work(
    snapshot: Snapshot, reader: ModuleType, writer: ModuleType, body: bytes, query: bytes
) -> Callable[[Stop], tuple[Answer, bytes, dict[str, str]]]:
    """Return what a worker does: all that takes time."""

    def work(stop: Stop) -> tuple[Answer, bytes, dict[str, str]]:
        limits = Limits(snapshot.service.max_points, snapshot.service.max_series)
        asked = reader.decode(body, query, limits)
        asked.check(limits)
        answer = _compute.denoise(snapshot, asked, stop)
        return answer, *writer.encode(answer)

    return work


def _note(state: State, here: Seen, answer: Answer, received: int) -> None:
    metrics = state.metrics
    points = sum(len(outcome.values) for outcome in answer.outcomes)
    here.data_size = points
    here.message = "Denoising completed successfully"
    metrics.received.inc(received)
    metrics.request_points.observe(points)
    metrics.points.inc(points)
    metrics.series.inc(len(answer.outcomes))
    for outcome in answer.outcomes:
        metrics.actions.labels(outcome.action).inc()
        for check in (outcome.report or {}).get("checks", ()):
            metrics.guardrails.labels(check["name"], check["verdict"]).inc()
    here.fields["series"] = len(answer.outcomes)
    if len(answer.outcomes) == 1:
        here.fields["action"] = answer.outcomes[0].action


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
