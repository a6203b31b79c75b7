# SPDX-License-Identifier: MIT
"""Requests about what is kept, by a framework's handlers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, TypeVar

import msgspec
from litestar import HttpMethod, Request, Response, route
from litestar.handlers import HTTPRouteHandler

from rpsd.service import _media
from rpsd.service._body import read_body
from rpsd.service._clock import Deadline
from rpsd.service._idempotency import Answered
from rpsd.service._observe import Seen, seen
from rpsd.service._problems import Problem
from rpsd.service._request import seconds_of
from rpsd.service._state import State

AnyRequest = Request[Any, Any, Any]
Answer = Response[bytes]
_Call = TypeVar("_Call")
GET, POST, DELETE = HttpMethod.GET, HttpMethod.POST, HttpMethod.DELETE
#: Bytes of a body that has no samples.
SMALL_BODY: Final = 65_536


class Call:
    """One request, and what it needs."""

    def __init__(self, state: State, request: AnyRequest, here: Seen) -> None:
        self.state, self.request, self.here = state, request, here
        self.who = here.principal
        self.service = here.snapshot.service
        seconds = seconds_of(request.headers.get("request-timeout"), self.service.request_timeout)
        self.deadline = Deadline(seconds)

    @property
    def id(self) -> str:
        """That of the address."""
        return str(self.request.path_params["id"])

    async def body(self, most: int, *known: str) -> tuple[bytes, str]:
        """Return the body and its media type; where there is no body there need not be one."""
        headers = self.request.headers
        most = min(most, self.service.max_body_bytes)
        body = bytes(await read_body(self.request.receive, headers, most))
        if not body and headers.get("content-type") is None:
            return body, known[0]
        return body, _media.sent_type(headers.get("content-type"), known)


def handlers_of(
    make: Callable[[AnyRequest, Seen], _Call],
    state: State,
    addresses: Mapping[str, Mapping[HttpMethod, tuple[str, Callable[[_Call], Awaitable[Answer]]]]],
) -> list[HTTPRouteHandler]:
    """Return a handler for each address, given names and answers of its methods; GET takes HEAD too."""
    return [_handler(make, state, path, methods) for path, methods in addresses.items()]


def _handler(
    make: Callable[[AnyRequest, Seen], _Call],
    state: State,
    path: str,
    methods: Mapping[HttpMethod, tuple[str, Callable[[_Call], Awaitable[Answer]]]],
) -> HTTPRouteHandler:
    # One for all methods: of several, the framework's answer to OPTIONS has the methods of the first.
    known = {**methods, **({HttpMethod.HEAD: methods[HttpMethod.GET]} if HttpMethod.GET in methods else {})}

    @route(path.replace("{id}", "{id:str}"), http_method=list(known), status_code=200)
    async def handle(request: AnyRequest) -> Answer:
        operation, answer = known[HttpMethod(request.method)]
        here = seen(request.scope)
        here.route, here.operation = path, operation
        if state.phase.refusal is not None:
            raise Problem("not-ready", state.phase.refusal, headers={"retry-after": "1"})
        return await answer(make(request, here))

    return handle


def as_json(content: Any) -> Answer:
    """Answer plain data."""
    return Response(msgspec.json.encode(content), media_type=_media.JSON)


def as_before(answered: Answered) -> Answer:
    """Answer what may be kept for a request that comes again."""
    return Response(
        answered.body, status_code=answered.status, media_type=_media.JSON, headers=answered.headers
    )
