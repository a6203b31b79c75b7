# SPDX-License-Identifier: MIT
"""What those who run the service change while it runs: the level of its log."""

from __future__ import annotations

import ipaddress
from typing import Any, Final, Literal

import msgspec
from litestar import HttpMethod, MediaType, Request, Response, route
from litestar.handlers import HTTPRouteHandler

from rpsd.service._body import read_body
from rpsd.service._codec_json import decoded
from rpsd.service._observe import seen
from rpsd.service._problems import Problem
from rpsd.service._state import State
from rpsd.service.access._principal import LOCAL

_Any = Request[Any, Any, Any]
LOG_LEVEL: Final = "/admin/log-level"
_LARGEST: Final = 1024


class LogLevel(msgspec.Struct, forbid_unknown_fields=True):
    """The level of the log."""

    level: Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"]


_decoder: Final = msgspec.json.Decoder(LogLevel)


def admin_routes(state: State) -> list[HTTPRouteHandler]:
    """Return the handler of /admin/log-level, for this machine only."""

    @route(LOG_LEVEL, http_method=[HttpMethod.GET, HttpMethod.PUT])
    async def log_level(request: _Any) -> Response[bytes]:
        here = seen(request.scope)
        # Where credentials are asked for, roles decide; else only this machine is trusted.
        if here.principal is LOCAL and not is_local(request.scope.get("client")):
            raise Problem("not-found", "there is no such address")
        here.route, here.operation = LOG_LEVEL, "log-level"
        if request.method == "PUT":
            body = await read_body(request.receive, request.headers, _LARGEST)
            before, level = state.log.level, decoded(_decoder, body).level
            state.log.level = level
            here.message = f"log level {before} is now {level}"
            here.level = level if level in ("ERROR", "CRITICAL") else "WARNING"  # told whatever it is
        content = msgspec.json.encode({"level": state.log.level})
        return Response(content, media_type=MediaType.JSON)

    return [log_level]


def is_local(client: Any) -> bool:
    """Return whether an ASGI client is of this machine."""
    try:
        return ipaddress.ip_address(client[0]).is_loopback
    except (TypeError, ValueError):
        return False
