# SPDX-License-Identifier: MIT
"""The addresses that take series: POST /v1/denoise, /v1/noise, /v1/evaluate, and infer of the V2 protocol."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol

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
from rpsd.service._request import Answer, Outcome, seconds_of
from rpsd.service._stages import Stages
from rpsd.service._state import State
from rpsd.service._v2 import Infer
from rpsd.service._work import Decode, Done, Encode, Form, Work

#: Bytes of a kept answer beside its body, for each series.
_OVERHEAD: Final = 4_096
#: Of Cache-Control, no more is read.
_MOST_DIRECTIVES: Final = 16
#: Bytes of a body that the event loop may read: it takes no longer than to hand it over.
_SMALL: Final = 1 << 16
_METHODS: Final = "OPTIONS, POST"


class Address(Protocol):
    """Where series are taken."""

    @property
    def operation(self) -> str:
        """What logs and metrics call it."""

    @property
    def message(self) -> str:
        """What the log says where it succeeds."""

    @property
    def compute(self) -> _compute.Compute:
        """What is done."""

    @property
    def path(self) -> str:
        """Its address."""

    def form(self, headers: Mapping[str, str]) -> Form:
        """Return how a request of these headers is read and answered, or raise the Problem of others."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An address of our own: what it takes, does and answers, by media type."""

    operation: str
    message: str
    compute: _compute.Compute
    decoders: dict[str, Decode]
    encoders: dict[str, Encode]
    answer: type[msgspec.Struct]

    @property
    def path(self) -> str:
        """Its address."""
        return f"/v1/{self.operation}"

    def form(self, headers: Mapping[str, str]) -> Form:
        """As of `Address`."""
        sent = _media.sent_type(headers.get("content-type"), tuple(self.decoders))
        wanted = _media.wanted_type(headers.get("accept"), sent, tuple(self.encoders))
        return Form(
            (self.operation, sent, wanted),
            wanted,
            self.decoders[sent],
            self.encoders[wanted],
            MOST_POINTS[sent],
            _QUICK[sent],
        )


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
#: What a body does not exceed in samples, without reading it.
MOST_POINTS: Final = {
    _media.JSON: _codec_json.most_points,
    _media.BINARY: _codec_binary.most_points,
    _media.ARROW: _codec_arrow.most_points,
}
#: Which small bodies the event loop reads: never Arrow's, where few bytes may be many samples.
_QUICK: Final[dict[str, Callable[[bytes | bytearray, bytes], bool]]] = {
    _media.JSON: _codec_json.is_quick,
    _media.BINARY: _codec_binary.is_quick,
    _media.ARROW: lambda body, query: False,
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
    ),
)
#: All of them, with that of KServe's V2 protocol.
ADDRESSES: Final[tuple[Address, ...]] = (*ENDPOINTS, Infer())


class Series:
    """ASGI: answers the addresses of series; a framework's way to a handler costs more than such work.

    Parameters
    ----------
    app : ASGI application
        Answers all others.
    state : State
    """

    def __init__(self, app: Any, state: State) -> None:
        self._app = app
        self._state = state
        self._addresses = {address.path: address for address in ADDRESSES}

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Pass a request on, or answer it."""
        address = self._addresses.get(scope["path"]) if scope["type"] == "http" else None
        if address is None:
            await self._app(scope, receive, send)
            return
        try:
            status, headers, body = await self._answer(address, scope, receive)
        except Exception as error:
            status, headers, body = answer_of(self._state, scope, error)
        await respond(send, status, headers, body)

    async def _answer(
        self, address: Address, scope: Any, receive: Any
    ) -> tuple[int, dict[str, str], Content]:
        if scope["method"] == "POST":
            here = seen(scope)
            here.route, here.operation = address.path, address.operation
            return 200, *await _answer(self._state, address, scope, receive, here)
        if scope["method"] == "OPTIONS":
            return 204, {"allow": _METHODS}, b""
        raise Problem("method-not-allowed", f"allowed: {_METHODS}", headers={"allow": _METHODS})


async def _answer(
    state: State, address: Address, scope: Any, receive: Any, here: Seen
) -> tuple[dict[str, str], Content]:
    """Read a request, have it computed, and say what came of it."""
    snapshot, headers = here.snapshot, headers_of(scope)
    service = snapshot.service
    if state.phase.refusal is not None:
        raise Problem("not-ready", state.phase.refusal, headers={"retry-after": "1"})
    seconds = seconds_of(headers.get("request-timeout"), service.request_timeout)
    deadline = Deadline(seconds, scope.get("rpsd.arrived"))
    state.admission.pace.came(seconds)
    form = address.form(headers)
    query = scope["query_string"]
    body = await read_body(receive, headers, service.max_body_bytes)
    control = _directives(headers.get("cache-control"))
    key = None
    if "no-store" not in control:
        key = snapshot.cache.key(body, form.key, query)
    if key is not None and "no-cache" not in control:
        if (kept := snapshot.cache.get(key)) is not None:
            state.metrics.cache_hits.inc()
            return _answered(state, address, here, kept, form, len(body))
        state.metrics.cache_misses.inc()
    if deadline.over:  # before anything is spent on it
        state.metrics.count("expired")
        raise late()
    stages = here.stages = Stages(address.operation)
    observe = state.metrics.observe_stages
    work = Work(snapshot, address.compute, form.decode, form.encode, body, query, stages, observe)
    try:
        quick = len(body) <= _SMALL and form.is_quick(body, query)
        points = work.read().points if quick else form.most_points(body)
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
    return _answered(state, address, here, done, form, len(body))


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
    state: State, address: Address, here: Seen, done: Done, form: Form, received: int
) -> tuple[dict[str, str], Content]:
    answer, content, extra = done
    here.message = address.message
    note_answer(state, here, answer, received, len(content))
    return {"content-type": form.media, **extra, **degraded_header(answer)}, content


def note_answer(state: State, here: Seen, answer: Answer, received: int, sent: int) -> None:
    """Have the log and the metrics tell of what was computed."""
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
