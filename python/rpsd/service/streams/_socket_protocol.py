# SPDX-License-Identifier: MIT
"""uvicorn's protocol of a WebSocket, which lets the application end what the server would cut off."""

from __future__ import annotations

import math
from typing import Any

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol


class SocketProtocol(WebSocketsSansIOProtocol):
    """A connection that is told of a drain by the application, which closes it after its last answer."""

    due = math.inf  # for the sweep of slow clients: the application closes idle ones

    def shutdown(self) -> None:
        """Leave an open connection to the application."""
        if self.close_sent or not self.handshake_complete:
            super().shutdown()

    async def send(self, message: Any) -> None:
        """Send; a handshake that was refused is over, else uvicorn logs an error that is nobody's."""
        await super().send(message)
        if message["type"] == "websocket.http.response.body" and not message.get("more_body", False):
            self.handshake_complete = True
