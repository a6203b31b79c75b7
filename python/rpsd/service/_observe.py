# SPDX-License-Identifier: MIT
"""What is seen of every request from outside: its id, its line in the log, its metrics.

Plain ASGI: Starlette's kind of middleware would keep a client's leaving from those who compute for it.
"""

from __future__ import annotations

import re
import secrets
import time
from typing import Any, Final

import rpsd
from rpsd.service._state import State
from rpsd.service._versions import headers_of

#: What a client may call its request; anything else gets an id of ours.
_ID: Final = re.compile(rb"[A-Za-z0-9._:/+=-]{1,128}")
_GONE: Final = 499
_QUIET: Final = ("health", "metrics")


class Seen:
    """What handlers tell of a request while they answer it; `Observe` reads it."""

    __slots__ = ("data_size", "fields", "message", "operation", "request_id", "route")

    def __init__(self, request_id: str) -> None:
        self.request_id = request_id
        self.operation = "http"
        self.route = "none"
        self.data_size = 0
        self.message = ""
        self.fields: dict[str, Any] = {}


def seen(scope: Any) -> Seen:
    """Return what is known of the request of an ASGI scope."""
    found: Seen = scope["rpsd.seen"]
    return found


class Observe:
    """Middleware around the whole application.

    Parameters
    ----------
    app : ASGI application
    state : State
    """

    def __init__(self, app: Any, state: State) -> None:
        self.inner = app
        self._state = state
        self._version = rpsd.__version__.encode()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer a request and tell of it."""
        if scope["type"] != "http":
            await self.inner(scope, receive, send)
            return
        state, begin = self._state, time.perf_counter()
        request_id = _request_id(scope["headers"])
        here = scope["rpsd.seen"] = Seen(request_id)
        status = _GONE

        async def sending(message: Any) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message["headers"], *self._headers(request_id, scope["path"])]
            await send(message)

        state.metrics.in_flight.inc()
        try:
            await self.inner(scope, receive, sending)
        finally:
            state.metrics.in_flight.dec()
            self._tell(scope["method"], here, status, time.perf_counter() - begin)

    def _headers(self, request_id: str, path: str) -> list[tuple[bytes, bytes]]:
        headers = [
            (b"x-request-id", request_id.encode()),
            (b"rpsd-version", self._version),
            (b"rpsd-config", self._state.snapshot.digest.encode()),
            *headers_of(path),
        ]
        if self._state.phase.name == "draining":
            headers.append((b"connection", b"close"))
        return headers

    def _tell(self, method: str, here: Seen, status: int, seconds: float) -> None:
        state = self._state
        state.metrics.requests_by(here.route, method, status).inc()
        state.metrics.seconds_by(here.route).observe(seconds)
        quiet = here.operation in _QUIET
        if here.route.startswith("/v1/"):
            state.rates.add(seconds, failed=status >= 500)
        level = "ERROR" if status >= 500 and not quiet else "WARNING" if status >= 400 else "INFO"
        state.log.write(
            "DEBUG" if quiet and level == "INFO" else level,
            here.operation,
            here.message or ("the client left" if status == _GONE else f"answered {status}"),
            data_size=here.data_size,
            processing_time=round(seconds, 6),
            request_id=here.request_id,
            status=status,
            **here.fields,
        )


def _request_id(headers: list[tuple[bytes, bytes]]) -> str:
    given = next((value for name, value in headers if name == b"x-request-id"), b"")
    return given.decode() if _ID.fullmatch(given) else secrets.token_hex(8)
