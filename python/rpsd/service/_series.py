# SPDX-License-Identifier: MIT
"""The addresses that take series: POST /v1/denoise, /v1/noise and /v1/evaluate."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import msgspec

from rpsd.service import _codec_arrow, _codec_binary, _codec_json, _compute, _media
from rpsd.service._admission import late
from rpsd.service._answers import Denoised, Evaluation, NoiseEstimate
from rpsd.service._body import read_body
from rpsd.service._clock import Deadline
from rpsd.service._degrade import degraded_header
from rpsd.service._errors import answer_of
from rpsd.service._observe import Seen, note_failure, seen
from rpsd.service._plain import Content, headers_of, respond
from rpsd.service._problems import Problem
from rpsd.service._request import Answer, Outcome
from rpsd.service._stages import Stages
from rpsd.service._state import State
from rpsd.service._work import Decode, Done, Encode, Work

#: Bytes of a kept answer beside its body, for each series.
_OVERHEAD: Final = 4_096
#: Of Cache-Control, no more is read.
_MOST_DIRECTIVES: Final = 16
#: Bytes of a body that the event loop may read: it takes no longer than to hand it over.
_SMALL: Final = 1 << 16
_METHODS: Final = "OPTIONS, POST"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One address: what it takes, does and answers, by media type."""

    operation: str
    message: str
    compute: _compute.Compute
    decoders: dict[str, Decode]
    encoders: dict[str, Encode]
    form: type[msgspec.Struct]

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
#: Which small bodies the event loop reads: never Arrow's, where few bytes may be many samples.
_QUICK: Final = {_media.JSON: _codec_json.is_quick, _media.BINARY: _codec_binary.is_quick}
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
    ),
)


class Series:
    """ASGI: answers the addresses of ENDPOINTS; a framework's way to a handler costs more than such work.

    Parameters
    ----------
    app : ASGI application
        Answers all others.
    state : State
    """

    def __init__(self, app: Any, state: State) -> None:
        self._app = app
        self._state = state
        self._endpoints = {endpoint.path: endpoint for endpoint in ENDPOINTS}

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Pass a request on, or answer it."""
        endpoint = self._endpoints.get(scope["path"]) if scope["type"] == "http" else None
        if endpoint is None:
            await self._app(scope, receive, send)
            return
        try:
            status, headers, body = await self._answer(endpoint, scope, receive)
        except Exception as error:
            status, headers, body = answer_of(self._state, scope, error)
        await respond(send, status, headers, body)

    async def _answer(
        self, endpoint: Endpoint, scope: Any, receive: Any
    ) -> tuple[int, dict[str, str], Content]:
        if scope["method"] == "POST":
            here = seen(scope)
            here.route, here.operation = endpoint.path, endpoint.operation
            return 200, *await _answer(self._state, endpoint, scope, receive, here)
        if scope["method"] == "OPTIONS":
            return 204, {"allow": _METHODS}, b""
        raise Problem("method-not-allowed", f"allowed: {_METHODS}", headers={"allow": _METHODS})


async def _answer(
    state: State, endpoint: Endpoint, scope: Any, receive: Any, here: Seen
) -> tuple[dict[str, str], Content]:
    """Read a request, have it computed, and say what came of it."""
    snapshot, headers = here.snapshot, headers_of(scope)
    service = snapshot.service
    if state.phase.refusal is not None:
        raise Problem("not-ready", state.phase.refusal, headers={"retry-after": "1"})
    seconds = _seconds(headers.get("request-timeout"), service.request_timeout)
    deadline = Deadline(seconds, scope.get("rpsd.arrived"))
    state.admission.pace.came(seconds)
    sent = _media.sent_type(headers.get("content-type"), tuple(endpoint.decoders))
    wanted = _media.wanted_type(headers.get("accept"), sent, tuple(endpoint.encoders))
    query = scope["query_string"]
    body = await read_body(receive, headers, service.max_body_bytes)
    control = _directives(headers.get("cache-control"))
    key = None
    if "no-store" not in control:
        key = snapshot.cache.key(body, endpoint.operation, sent, wanted, query)
    if key is not None and "no-cache" not in control:
        if (kept := snapshot.cache.get(key)) is not None:
            state.metrics.cache_hits.inc()
            return _answered(state, endpoint, here, kept, wanted, len(body))
        state.metrics.cache_misses.inc()
    if deadline.over:  # before anything is spent on it
        state.metrics.count("expired")
        raise late()
    stages = here.stages = Stages(endpoint.operation)
    decode, encode = endpoint.decoders[sent], endpoint.encoders[wanted]
    observe = state.metrics.observe_stages
    work = Work(snapshot, endpoint.compute, decode, encode, body, query, stages, observe)
    try:
        quick = len(body) <= _SMALL and sent in _QUICK and _QUICK[sent](body, query)
        points = work.read().points if quick else _MOST_POINTS[sent](body)
    except Exception:
        observe(stages)
        raise
    try:
        done = await state.admission.run(points, deadline, work, receive)
    except Exception:
        here.data_size = work.samples
        raise
    # What answers in place of an output is right once: the next time it may be computed.
    if key is not None and not any(outcome.failure for outcome in done[0].outcomes):
        state.metrics.cache_evictions.inc(snapshot.cache.put(key, *_kept(done)))
    return _answered(state, endpoint, here, done, wanted, len(body))


def _directives(control: str | None) -> set[str]:
    """Return the names in Cache-Control.

    Of those of requests (RFC 9111, 5.2.1), no-cache has the answer computed, and no-store has it not kept
    either; age, which others are about, makes no difference to what depends on the request alone.
    """
    listed = (control or "").split(",", _MOST_DIRECTIVES)[:_MOST_DIRECTIVES]
    return {one.partition("=")[0].strip().lower() for one in listed}


def _kept(done: Done) -> tuple[int, Done]:
    """Return the bytes that an answer takes when it is kept, and the answer without what its body has."""
    answer, content, extra = done
    outcomes = tuple(Outcome(None, one.content, one.size, removed=one.removed) for one in answer.outcomes)
    return len(content) + _OVERHEAD * (1 + len(outcomes)), (Answer(answer.names, outcomes), content, extra)


def _answered(
    state: State, endpoint: Endpoint, here: Seen, done: Done, wanted: str, received: int
) -> tuple[dict[str, str], Content]:
    answer, content, extra = done
    here.message = endpoint.message
    _note(state, here, answer, received, len(content))
    return {"content-type": wanted, **extra, **degraded_header(answer)}, content


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
