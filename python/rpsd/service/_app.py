# SPDX-License-Identifier: MIT
"""The application: handlers, and what happens to their errors."""

from __future__ import annotations

from typing import Any

from litestar import Litestar, Request, Response
from litestar.exceptions import HTTPException

from rpsd.service._admin import admin_routes
from rpsd.service._body import ClientGone
from rpsd.service._degrade import Failed
from rpsd.service._docs import docs_routes
from rpsd.service._health import health_routes
from rpsd.service._listeners import Listeners
from rpsd.service._log import trace_of
from rpsd.service._observe import Observe, note_failure, seen
from rpsd.service._problems import MEDIA_TYPE, Problem
from rpsd.service._request import Failure
from rpsd.service._series import series_routes
from rpsd.service._shed import Shed
from rpsd.service._state import State
from rpsd.service.streams._routes import stream_routes
from rpsd.service.streams._socket import StreamSocket
from rpsd.service.streams._streams import Streams

_BY_STATUS = {400: "malformed-request", 404: "not-found", 405: "method-not-allowed"}
_GONE = 499


def make_app(state: State) -> Observe:
    """Return the ASGI application of a state."""

    def answer_error(request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
        return _error_response(state, request, error)

    streams = Streams(state)
    litestar = Litestar(
        [
            *health_routes(state),
            *series_routes(state),
            *stream_routes(state, streams),
            *docs_routes(),
            *admin_routes(state),
        ],
        exception_handlers={Exception: answer_error},
        openapi_config=None,
        logging_config=None,
        debug=False,
    )
    return Observe(Shed(Listeners(StreamSocket(litestar, state, streams), state), state), state)


def _error_response(state: State, request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    here = seen(request.scope)
    if isinstance(error, ClientGone):
        return Response(b"", status_code=_GONE)
    problem = _problem_of(error)
    if problem is None:
        problem = Problem("internal-error", "the service failed; its log says why, by the request's id")
        state.log.write(
            "ERROR", here.operation, "unexpected error", trace=trace_of(error), request_id=here.request_id
        )
    here.message = problem.title
    here.fields["problem"] = problem.name
    if isinstance(problem, Failed):
        note_failure(state, here, problem.failure)
    elif problem.name == "guardrail-breached":
        note_failure(state, here, Failure("guardrail", "error"))
    return Response(
        problem.body(here.request_id),
        status_code=problem.status,
        media_type=MEDIA_TYPE,
        headers=problem.headers,
    )


def _problem_of(error: Exception) -> Problem | None:
    if isinstance(error, Problem):
        return error
    if isinstance(error, HTTPException) and error.status_code in _BY_STATUS:
        name = _BY_STATUS[error.status_code]
        if error.status_code == 400:  # Litestar's own, of a Host that is none
            return Problem(name, error.detail)
        headers = {key.lower(): value for key, value in (error.headers or {}).items()}
        if "allow" in headers:
            headers["allow"] = ", ".join(sorted(headers["allow"].split(", ")))
        allowed = f"allowed: {headers['allow']}" if "allow" in headers else "there is no such address"
        return Problem(name, allowed, headers=headers)
    return None
