# SPDX-License-Identifier: MIT
"""The application: handlers, and what happens to their errors."""

from __future__ import annotations

from typing import Any

from litestar import Litestar, Request, Response

from rpsd.service._admin import admin_routes
from rpsd.service._docs import docs_routes
from rpsd.service._errors import answer_of
from rpsd.service._health import health_routes
from rpsd.service._listeners import Listeners
from rpsd.service._observe import Observe
from rpsd.service._pages import Pages
from rpsd.service._series import Series
from rpsd.service._shed import Shed
from rpsd.service._state import State
from rpsd.service._v2 import v2_routes
from rpsd.service.jobs._jobs import Jobs
from rpsd.service.jobs._routes import job_routes
from rpsd.service.streams._routes import stream_routes
from rpsd.service.streams._socket import StreamSocket
from rpsd.service.streams._streams import Streams


def make_app(state: State, jobs: Jobs) -> tuple[Observe, Any]:
    """Return the ASGI application of a state, and the part of it that asks nobody who he is."""

    def answer_error(request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
        status, headers, body = answer_of(state, request.scope, error)
        return Response(
            body, status_code=status, media_type=headers.pop("content-type", None), headers=headers
        )

    streams = Streams(state)
    litestar = Litestar(
        [
            *health_routes(state),
            *v2_routes(state),
            *stream_routes(state, streams),
            *job_routes(state, jobs),
            *docs_routes(asks=state.access is not None),
            *admin_routes(state),
        ],
        exception_handlers={Exception: answer_error},
        openapi_config=None,
        logging_config=None,
        debug=False,
    )
    served = StreamSocket(Series(litestar, state), state, streams)
    inner = Pages(Shed(Listeners(served, state), state), state)
    if state.access is None:
        return Observe(inner, state), inner
    from rpsd.service.access._guard import Guard

    return Observe(Guard(inner, state, state.access), state), inner
