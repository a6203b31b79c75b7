# SPDX-License-Identifier: MIT
"""uvicorn's protocol with what it lacks: clients have only so long, headers only so many bytes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from rpsd.service._problems import MEDIA_TYPE, Problem

_MOST_HEADER_BYTES: Final = 16_384
_MOST_ADDRESS_BYTES: Final = 8_192
_LINGER: Final = 2.0
#: The parser takes others too: an address without a version is 0.9.
_VERSIONS: Final = ("1.0", "1.1")


class Times:
    """Seconds that clients have; `Protocol` reads them."""

    header = 10.0
    body = 30.0
    send = 30.0


class _Lingering:
    """A transport that hears a client out when it closes while that still sends.

    Else the system answers what comes with a reset, and a reset takes away the answer that said why.
    """

    def __init__(self, transport: Any, sending: Callable[[], bool], loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._sending = sending
        self._loop = loop
        self.timer: asyncio.TimerHandle | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def is_closing(self) -> bool:
        return self.timer is not None or self._transport.is_closing()

    def write(self, data: bytes) -> None:
        if self.timer is None:
            self._transport.write(data)

    def close(self) -> None:
        if self.timer is not None or self._transport.is_closing():
            return
        if self._sending() and self._transport.can_write_eof():
            self.timer = self._loop.call_later(_LINGER, self._transport.close)
            self._transport.write_eof()
            self._transport.resume_reading()
        else:
            self._transport.close()


def make_protocol(times: Times) -> type[HttpToolsProtocol]:
    """Return the protocol for uvicorn."""

    class Protocol(HttpToolsProtocol):
        """HTTP/1.1 for clients that may be slow, or hostile."""

        _timer: asyncio.TimerHandle | None = None
        _writing: asyncio.TimerHandle | None = None
        _header_bytes = 0
        _receiving = False
        _upgraded = False

        def connection_made(self, transport: Any) -> None:
            self._lingering = _Lingering(transport, lambda: self._receiving, self.loop)
            super().connection_made(self._lingering)  # type: ignore[arg-type]
            self._arm(times.header)

        def connection_lost(self, exc: Exception | None) -> None:
            self._disarm()
            for timer in (self._writing, self._lingering.timer):
                if timer is not None:
                    timer.cancel()
            super().connection_lost(exc)

        def data_received(self, data: bytes) -> None:
            if self._lingering.timer is not None:
                return  # heard, and forgotten
            super().data_received(data)
            if self._upgraded:
                return
            idle = self.cycle is None or self.cycle.response_complete
            if idle and not self._receiving and self._timer is None and self.timeout_keep_alive_task is None:
                self._arm(
                    times.header
                )  # blank lines before a request stop the keep-alive clock and start none

        def handle_websocket_upgrade(self) -> None:
            self._disarm()
            self._upgraded = True
            super().handle_websocket_upgrade()

        def on_message_begin(self) -> None:
            super().on_message_begin()
            self._header_bytes, self._receiving = 0, True
            self._arm(times.header)

        def on_url(self, url: bytes) -> None:
            super().on_url(url)
            if len(self.url) > _MOST_ADDRESS_BYTES:
                self._refuse(
                    Problem("address-too-long", f"an address has at most {_MOST_ADDRESS_BYTES} bytes")
                )

        def on_header(self, name: bytes, value: bytes) -> None:
            self._header_bytes += len(name) + len(value)
            if self._header_bytes > _MOST_HEADER_BYTES:
                self._refuse(Problem("headers-too-large", f"headers have at most {_MOST_HEADER_BYTES} bytes"))
                return
            super().on_header(name, value)

        def on_headers_complete(self) -> None:
            if self.transport.is_closing():
                return
            version = self.parser.get_http_version()
            hosts = sum(name == b"host" for name, _ in self.headers)
            if version not in _VERSIONS:
                self._refuse(Problem("malformed-request", f"HTTP must be {' or '.join(_VERSIONS)}"))
                return
            if hosts > 1 or (hosts == 0 and version == "1.1"):
                self._refuse(Problem("malformed-request", f"there must be one Host, got {hosts}"))
                return
            self._arm(times.body)
            super().on_headers_complete()

        def on_body(self, body: bytes) -> None:
            if not self.transport.is_closing():
                super().on_body(body)

        def on_message_complete(self) -> None:
            self._disarm()
            self._receiving = False
            if not self.transport.is_closing():
                super().on_message_complete()

        def send_400_response(self, msg: str) -> None:
            self._refuse(Problem("malformed-request", msg))

        def pause_writing(self) -> None:
            super().pause_writing()
            self._writing = self.loop.call_later(times.send, self.transport.abort)

        def resume_writing(self) -> None:
            super().resume_writing()
            if self._writing is not None:
                self._writing.cancel()

        def shutdown(self) -> None:
            # A request that is on its way is still answered; the time it has is bounded.
            if not self._receiving:
                super().shutdown()

        def _arm(self, seconds: float) -> None:
            self._disarm()
            self._timer = self.loop.call_later(seconds, self._late)

        def _disarm(self) -> None:
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None

        def _late(self) -> None:
            if self._receiving:
                self._refuse(Problem("slow-request", "the request did not arrive in time"))
            else:
                self.transport.close()

        def _refuse(self, problem: Problem) -> None:
            """Answer where no application can, and close."""
            if self.transport.is_closing():
                return
            self._disarm()
            answering = self.cycle is not None and not self.cycle.response_complete
            if not (answering and self.cycle.response_started):
                body = problem.body()
                head = (
                    f"HTTP/1.1 {problem.status} {problem.title}\r\ncontent-type: {MEDIA_TYPE}\r\n"
                    f"content-length: {len(body)}\r\nconnection: close\r\n\r\n"
                )
                self.transport.write(head.encode() + body)
            self.transport.close()

    return Protocol
