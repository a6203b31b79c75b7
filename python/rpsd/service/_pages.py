# SPDX-License-Identifier: MIT
"""Pages of the web, which a browser on this machine may let ask a service on loopback."""

from __future__ import annotations

import re
from typing import Any, Final

from rpsd.service._observe import refuse
from rpsd.service._problems import Problem
from rpsd.service._state import State

#: Probes of load balancers may name any host; what they are told is no secret.
_FREE: Final = ("/health", "/v2/health")
_LOAD: Final = "/health/detailed"
_HOST: Final = re.compile(r"(\[[0-9a-f:.]+\]|[^:\[\]]*)(?::\d*)?")
_OWN: Final = re.compile(r"\d+(\.\d+){3}|.*\.localhost")


class Pages:
    """Middleware that refuses what a page of another origin asks for.

    A browser sends Origin with what a page may change, and with a WebSocket. It tells nothing where the name
    of the page's own host leads here (DNS rebinding), so a service that asks for no credentials takes names
    only that nobody else can give out: addresses, names without a dot, and its own.

    Parameters
    ----------
    app : ASGI application
    state : State
    """

    def __init__(self, app: Any, state: State) -> None:
        self._app = app
        self._named = None if state.access is not None else state.snapshot.config.service.host.lower()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Pass a request on, or answer it."""
        problem = self._refusal(scope) if scope["type"] in ("http", "websocket") else None
        if problem is None:
            await self._app(scope, receive, send)
        else:
            await refuse(scope, problem, send)

    def _refusal(self, scope: Any) -> Problem | None:
        if scope["path"].startswith(_FREE) and scope["path"] != _LOAD:
            return None
        given = {name: value.decode("latin-1") for name, value in scope["headers"]}
        host, origin = given.get(b"host", ""), given.get(b"origin")
        # No page can make a browser send credentials of this kind.
        if (
            origin is not None
            and b"authorization" not in given
            and origin.partition("://")[2].lower() != host.lower()
        ):
            return Problem("foreign-page", "pages of other origins may not ask here without credentials")
        if self._named is not None and not self._is_own(host):
            return Problem(
                "foreign-page",
                "without credentials Host must be an address, a name without a dot or the configured host; "
                "where a proxy passes on another, set auth to on",
            )
        return None

    def _is_own(self, host: str) -> bool:
        match = _HOST.fullmatch(host.lower())
        if match is None:
            return False
        name = match.group(1).removesuffix(".")
        return name[:1] == "[" or "." not in name or bool(_OWN.fullmatch(name)) or name == self._named
