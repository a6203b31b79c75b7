# SPDX-License-Identifier: MIT
"""Turn away what a full queue would, before it costs what it would cost to be served."""

from __future__ import annotations

from typing import Any

from rpsd.service._admission import overloaded
from rpsd.service._observe import WORK, refuse
from rpsd.service._state import State


class Shed:
    """Middleware that answers 503 to work while the queue is full, without routing or reading the body.

    Parameters
    ----------
    app : ASGI application
    state : State
    """

    def __init__(self, app: Any, state: State) -> None:
        self._app = app
        self._state = state

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Pass a request on, or answer it."""
        if not self._state.admission.full or scope["type"] != "http" or not scope["path"].startswith(WORK):
            await self._app(scope, receive, send)
            return
        self._state.metrics.count("shed")
        await refuse(scope, overloaded(), send)
