# SPDX-License-Identifier: MIT
"""What is seen of every request from outside: its id, its line in the log, its metrics.

Plain ASGI: Starlette's kind of middleware would keep a client's leaving from those who compute for it.
"""

from __future__ import annotations

import asyncio
import random
import re
import time
from typing import Any, Final

import rpsd
from rpsd.service._metrics import SMALL
from rpsd.service._problems import MEDIA_TYPE, Problem
from rpsd.service._request import Failure
from rpsd.service._snapshot import Snapshot
from rpsd.service._stages import Stages
from rpsd.service._state import State
from rpsd.service._versions import INFER, headers_of
from rpsd.service.access._principal import LOCAL

#: What a client may call its request; anything else gets an id of ours.
_ID: Final = re.compile(rb"[A-Za-z0-9._:/+=-]{1,128}")
_GONE: Final = 499
#: Of a connection that is a WebSocket now.
_SWITCHED: Final = 101
_QUIET: Final = ("health", "metrics")
#: How the addresses of work begin, which is queued, shed, traced and counted in /health/detailed.
WORK: Final = ("/v1/", INFER)


class Seen:
    """What handlers tell of a request while they answer it; `Observe` reads it.

    The snapshot is taken at its beginning: all of its answer is of one configuration.
    """

    __slots__ = (
        "data_size",
        "fields",
        "level",
        "message",
        "operation",
        "principal",
        "request_id",
        "route",
        "snapshot",
        "stages",
    )

    def __init__(self, request_id: str, snapshot: Snapshot) -> None:
        self.request_id = request_id
        self.snapshot = snapshot
        self.principal = LOCAL
        self.level: str | None = None
        self.stages: Stages | None = None
        self.operation = "http"
        self.route = "none"
        self.data_size = 0
        self.message = ""
        self.fields: dict[str, Any] = {}


def seen(scope: Any) -> Seen:
    """Return what is known of the request of an ASGI scope."""
    found: Seen = scope["rpsd.seen"]
    return found


def note_failure(state: State, here: Seen, failure: Failure) -> None:
    """Count a series that was not computed, and have its request's line of the log tell of it."""
    state.metrics.fallback.labels(failure.reason, failure.answer).inc()
    state.metrics.observe_report(failure.report or {})
    here.fields["degraded"] = {"answer": failure.answer, "reason": failure.reason}
    if failure.trace is not None:
        here.fields["trace"] = failure.trace
    if failure.reason != "guardrail":
        here.level = "ERROR"
    elif here.level is None:
        here.level = "WARNING"


async def refuse(scope: Any, problem: Problem, send: Any) -> None:
    """Answer a problem in place of the application, without routing or reading the body."""
    here = seen(scope)
    here.message = problem.title
    here.fields["problem"] = problem.name
    body = problem.body(here.request_id, scope["path"])
    headers = {"content-type": MEDIA_TYPE, "content-length": str(len(body)), **problem.headers}
    before = "websocket." if scope["type"] == "websocket" else ""
    await send(
        {
            "type": f"{before}http.response.start",
            "status": problem.status,
            "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
        }
    )
    await send({"type": f"{before}http.response.body", "body": body})


class Observe:
    """Middleware around the whole application.

    Parameters
    ----------
    app : ASGI application
    state : State
    """

    def __init__(self, app: Any, state: State) -> None:
        self._app = app
        self._state = state
        self._version = rpsd.__version__.encode()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer a request and tell of it."""
        if scope["type"] == "websocket":
            await self._observe_socket(scope, receive, send)
            return
        state, begin = self._state, time.perf_counter()
        request_id = request_id_of(scope["headers"])
        here = scope["rpsd.seen"] = Seen(request_id, state.snapshot)
        status, taken = _GONE, "rpsd.taken" in scope

        async def sending(message: Any) -> None:
            nonlocal status, taken
            if message["type"] == "http.response.start":
                status = message["status"]
                # A client that is slow to take its answer keeps nobody else out.
                state.admission.taken -= taken
                taken = False
                message["headers"] = [*message["headers"], *self._headers(here, scope["path"])]
            await send(message)

        state.metrics.in_flight.inc()
        traced = scope["path"].startswith(WORK)
        span = state.tracer.begin(scope["headers"]) if state.tracer and traced else None
        try:
            await self._app(scope, receive, sending)
        except asyncio.CancelledError:  # the end of a drain, which waits for no more of a body
            if status != _GONE:
                raise
            await refuse(scope, Problem("not-ready", "the service has stopped"), sending)
        finally:
            state.admission.taken -= taken
            state.metrics.in_flight.dec()
            if span is not None:
                self._trace(span, scope["method"], here, status)
            self._tell(scope["method"], here, status, time.perf_counter() - begin)

    async def _observe_socket(self, scope: Any, receive: Any, send: Any) -> None:
        """Let a connection be served, and tell of it at its end."""
        begin = time.perf_counter()
        here = scope["rpsd.seen"] = Seen(request_id_of(scope["headers"]), self._state.snapshot)
        status = _GONE

        async def sending(message: Any) -> None:
            nonlocal status
            if message["type"] in ("websocket.accept", "websocket.http.response.start"):
                status = message.get("status", _SWITCHED)
                message["headers"] = [*message.get("headers", ()), *self._headers(here, scope["path"])]
            await send(message)

        try:
            await self._app(scope, receive, sending)
        finally:
            self._state.metrics.requests_by(here.route, "GET", status).inc()
            self._write(here, status, time.perf_counter() - begin)

    def _headers(self, here: Seen, path: str) -> list[tuple[bytes, bytes]]:
        headers = [
            (b"x-request-id", here.request_id.encode()),
            (b"rpsd-version", self._version),
            (b"rpsd-config", here.snapshot.digest.encode()),
            *headers_of(path),
        ]
        if self._state.phase.name == "draining":
            headers.append((b"connection", b"close"))
        return headers

    def _trace(self, span: Any, method: str, here: Seen, status: int) -> None:
        attributes = {
            "http.request.method": method,
            "http.route": here.route,
            "http.response.status_code": status,
            "rpsd.request_id": here.request_id,
            "rpsd.samples": here.data_size,
        }
        trace_id = self._state.tracer.end(span, attributes, here.stages or ()) if self._state.tracer else None
        if trace_id is not None:
            here.fields["trace_id"] = trace_id

    def _tell(self, method: str, here: Seen, status: int, seconds: float) -> None:
        state = self._state
        state.metrics.requests_by(here.route, method, status).inc()
        state.metrics.seconds_by(here.route).observe(seconds)
        if here.route.startswith(WORK):
            state.rates.add(seconds, failed=status >= 500 or here.level == "ERROR")
            if 0 < here.data_size <= SMALL and 200 <= status < 300:
                state.metrics.small_seconds.observe(seconds)
        self._write(here, status, seconds)

    def _write(self, here: Seen, status: int, seconds: float) -> None:
        """Write the line of a request, or of a connection, to the log."""
        self._state.log.write(
            here.level or _level(status, here.operation in _QUIET),
            here.operation,
            here.message or ("the client left" if status == _GONE else f"answered {status}"),
            user_id=None if here.principal is LOCAL else here.principal.name,
            data_size=here.data_size,
            processing_time=round(seconds, 6),
            request_id=here.request_id,
            status=status,
            **here.fields,
        )


def _level(status: int, quiet: bool) -> str:
    if quiet:
        return "DEBUG" if status < 400 else "WARNING"
    return "ERROR" if status >= 500 else "WARNING" if status >= 400 else "INFO"


def request_id_of(headers: list[tuple[bytes, bytes]]) -> str:
    """Return what a request is known by: what it says itself, or a number by chance."""
    given = next((value for name, value in headers if name == b"x-request-id"), None)
    if given is not None and _ID.fullmatch(given):
        return given.decode()
    return f"{random.getrandbits(64):016x}"
