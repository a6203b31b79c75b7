# SPDX-License-Identifier: MIT
"""Two ports, one application: what a request may ask for depends on where it came in."""

from __future__ import annotations

from typing import Any

from rpsd.service._state import State


class Listeners:
    """Hides /v1 from the port of the metrics, and those and /admin from that of /v1; health is on both.

    An address is exact: Litestar would take /metrics/ and //metrics for /metrics, wherever they come in.

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
        if not self._is_here(scope):
            scope = {**scope, "path": "/none", "raw_path": b"/none"}
        await self._app(scope, receive, send)

    def _is_here(self, scope: Any) -> bool:
        path: str = scope["path"]
        if "//" in path or path.endswith("/") or b"%" in scope["raw_path"]:
            return False
        if self._metrics == self._interface or path.startswith(("/health", "/v2/health")):
            return True
        port: int | None = (scope.get("server") or ("", None))[1]
        inside = path == "/metrics" or path.startswith("/admin/")
        return inside == (port == self._metrics)
