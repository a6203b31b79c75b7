# SPDX-License-Identifier: MIT
"""Two ports, one application: what a request may ask for depends on where it came in."""

from __future__ import annotations

from typing import Any

from rpsd.service._state import State


class Listeners:
    """Hides /v1 from the port of the metrics, and those and /admin from that of /v1; health is on both.

    Parameters
    ----------
    app : ASGI application
    state : State
    """

    def __init__(self, app: Any, state: State) -> None:
        self._app = app
        self._metrics, self._interface = state.ports

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Pass a request on, to where there is nothing if it may not."""
        if scope["type"] == "http" and self._metrics != self._interface:
            port = (scope.get("server") or ("", None))[1]
            path = scope["path"]
            inside = path == "/metrics" or path.startswith("/admin/")
            if not path.startswith(("/health", "/v2/health")) and inside != (port == self._metrics):
                scope = {**scope, "path": "/none", "raw_path": b"/none"}
        await self._app(scope, receive, send)
