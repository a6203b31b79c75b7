# SPDX-License-Identifier: MIT
"""uvicorn's protocol with what it lacks: clients have only so long, headers only so many bytes."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Collection
from typing import Any, Final

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from rpsd.service._accept import Acceptor
from rpsd.service._door import Door
from rpsd.service._problems import MEDIA_TYPE, Problem
from rpsd.service._transport import Arrival, Lingering, Share, Turns

_MOST_HEADER_BYTES: Final = 16_384
_MOST_ADDRESS_BYTES: Final = 8_192
#: Bytes of a body up to which it is waited for: uvicorn reads no more than that where nobody takes them.
_WHOLE: Final = 65_536
#: Seconds between two looks at who has been too slow: a timer for each would cost more than parsing does.
_SWEEP: Final = 0.1
#: Where ASGI's ``state`` has a client's certificate in DER, or None.
CERTIFICATE: Final = "rpsd.certificate"
#: Bytes that the parser gets at once but of a body: it keeps and joins what is unfinished.
_PIECE: Final = 4_096
#: Bytes that are parsed in one turn of the loop, but those of a body whose length is known.
_A_TURN: Final = 16_384
_END_OF_HEAD: Final = b"\r\n\r\n"
#: Chunks of bodies that are parsed in one turn of the loop, of all connections together: each takes calls.
_CHUNKS_A_TURN: Final = 1_024
#: Requests of a connection that are parsed while one before them is answered.
_AHEAD: Final = 2
#: The parser takes others too: an address without a version is 0.9.
_VERSIONS: Final = ("1.0", "1.1")


class Times:
    """Seconds that clients have; `Protocol` reads them."""

    header = 10.0
    body = 30.0
    send = 30.0
    keep_alive = 5.0


def make_protocol(times: Times, door: Door, acceptor: Acceptor) -> type[HttpToolsProtocol]:
    """Return the protocol for uvicorn."""
    turns, again = Turns(), Turns()
    chunks = Share(_CHUNKS_A_TURN)

    class Protocol(HttpToolsProtocol):
        """HTTP/1.1 for clients that may be slow, or hostile, or too many."""

        due = math.inf  # when its client has been too slow; `sweep` looks at it
        _header_bytes = 0
        _unfinished = 0  # bytes of a line that has no end yet, about
        _receiving = False
        _in_body = False
        _body_left = 0  # bytes of a body that are still to come, where its length is known
        _again = b""  # a head to be parsed anew
        _time_left = math.inf
        _held: tuple[Any, Any] | None = None  # a request that comes whole before anything is done

        def connection_made(self, transport: Any) -> None:
            self._lingering = Lingering(transport, lambda: self._receiving, self.loop)
            self._arrival = Arrival(transport)
            self._writing: asyncio.TimerHandle | None = None
            encrypted = transport.get_extra_info("ssl_object")
            if encrypted is not None:
                # A client's certificate, which the handshake has found good; WebSockets get this state too.
                certificate = encrypted.getpeercert(binary_form=True)
                self.app_state = {**self.app_state, CERTIFICATE: certificate}
            super().connection_made(self._lingering)  # type: ignore[arg-type]
            acceptor.ask()
            self._arm(times.header)

        def connection_lost(self, exc: Exception | None) -> None:
            self._disarm()
            self._arrival.close()
            for timer in (self._writing, self._lingering.timer):
                if timer is not None:
                    timer.cancel()
            super().connection_lost(exc)
            if self._held is not None:  # to tell of a client that left
                held, self._held = self._held, None
                super()._start_asgi_task(*held)

        def data_received(self, data: bytes) -> None:
            if self._lingering.timer is not None:
                return  # heard, and forgotten
            if self._lingering.ahead:  # on its way when reading was paused
                self._lingering.ahead += data
                return
            idle = not self._receiving and (self.cycle is None or self.cycle.response_complete)
            answer = door.answer_at_sight(data) if idle else None
            if answer is None:
                self._feed(data)
            else:
                self._turn_away(answer, close=door.closing)

        def handle_websocket_upgrade(self) -> None:
            self._disarm()
            self._arrival.close()  # this protocol goes, and must not take the socket along
            super().handle_websocket_upgrade()

        def _feed(self, data: bytes) -> None:
            """Parse in pieces that end with a head or a body, so that requests come one by one."""
            start, left = 0, _A_TURN
            while start < len(data) and not self.transport.is_closing():
                if len(self.pipeline) >= _AHEAD:
                    self._hold(data[start:])
                    return
                if left <= 0 or (chunks.spent and self._in_body and not self._body_left):
                    self._pause(data[start:])
                    return
                end = start + (self._body_left or _PIECE)
                if not self._in_body and (found := data.find(_END_OF_HEAD, start, end)) >= 0:
                    end = found + len(_END_OF_HEAD)
                piece = data[start:end]
                start += len(piece)
                left -= 0 if self._body_left else len(piece)
                self._unfinished += len(piece)
                try:
                    self.parser.feed_data(piece)
                except httptools.HttpParserError:
                    self.logger.warning("Invalid HTTP request received.")
                    self.send_400_response("Invalid HTTP request received.")
                except httptools.HttpParserUpgrade as upgrade:
                    if not self._again:  # what follows is no request of HTTP
                        if self._asks_for_socket() and not self.transport.is_closing():
                            self.handle_websocket_upgrade()
                        return
                    start -= len(piece) - upgrade.args[0]
                    data, start = self._again + data[start:], 0
                    self._make_parser()
                if self._unfinished > _MOST_HEADER_BYTES:
                    self._refuse_headers()

        def _make_parser(self) -> None:
            self._again = b""
            self.parser = httptools.HttpRequestParser(self)
            self.parser.set_dangerous_leniencies(lenient_data_after_close=True)  # as uvicorn has it

        def _hold(self, data: bytes) -> None:
            self._time_left = self.due - self.loop.time()
            self._disarm()
            self._lingering.ahead = data
            self.flow.pause_reading()

        def _pause(self, data: bytes) -> None:
            """Let others come between what takes a call for each few bytes, as chunks do."""
            self._time_left = self.due - self.loop.time()
            self._lingering.ahead = data
            if not self.flow.read_paused:
                self.transport.pause_reading()
            again.ask(self.loop, self._release)

        def _release(self) -> None:
            data, self._lingering.ahead = self._lingering.ahead, b""
            if not data or self.transport.is_closing():
                return
            if self._receiving:
                self._arm(self._time_left)
            self._feed(data)
            if not self.flow.read_paused and not self.transport.is_closing():
                self.transport.resume_reading()

        def on_message_begin(self) -> None:
            super().on_message_begin()
            self._unfinished, self._in_body, self._body_left = 0, False, 0
            self.scope["rpsd.arrived"] = self._arrival.moment()  # type: ignore[typeddict-unknown-key]
            self._header_bytes, self._receiving = 0, True
            self._arm(times.header)

        def on_url(self, url: bytes) -> None:
            super().on_url(url)
            self._unfinished = 0  # bounded here
            if len(self.url) > _MOST_ADDRESS_BYTES:
                self._refuse(
                    Problem("address-too-long", f"an address has at most {_MOST_ADDRESS_BYTES} bytes")
                )

        def on_header(self, name: bytes, value: bytes) -> None:
            self._unfinished = 0
            self._header_bytes += len(name) + len(value)
            if self._header_bytes > _MOST_HEADER_BYTES:
                self._refuse_headers()
                return
            if self._in_body:
                return  # a trailer: proxies filter headers only
            super().on_header(name, value)

        def _refuse_headers(self) -> None:
            self._refuse(Problem("headers-too-large", f"headers have at most {_MOST_HEADER_BYTES} bytes"))

        def on_chunk_header(self) -> None:
            self._unfinished = 0
            chunks.take(self.loop)

        def on_headers_complete(self) -> None:
            self._unfinished = 0
            if self.transport.is_closing():
                return
            version = self.parser.get_http_version()
            method = self.parser.get_method()
            if self.parser.should_upgrade() and method != b"CONNECT" and not self._asks_for_socket():
                # There is nothing else to upgrade to, and the parser would take the body for that.
                lines = [b"%b: %b\r\n" % header for header in self.headers if header[0] != b"upgrade"]
                start = b"%b %b HTTP/%b\r\n" % (method, self.url, version.encode())
                self._again = b"".join([start, *lines, b"\r\n"])
                return
            size = _size(self.headers)
            self._in_body, self._body_left = True, 0 if math.isinf(size) else int(size)
            hosts = sum(name == b"host" for name, _ in self.headers)
            if version not in _VERSIONS:
                self._refuse(Problem("malformed-request", f"HTTP must be {' or '.join(_VERSIONS)}"))
                return
            if any(n == b"transfer-encoding" and v.lower() != b"chunked" for n, v in self.headers):
                # The parser takes a list that ends so, and leaves the body in its other codings.
                self._refuse(Problem("malformed-request", "Transfer-Encoding must be chunked"))
                return
            if hosts > 1 or (hosts == 0 and version == "1.1"):
                self._refuse(Problem("malformed-request", f"there must be one Host, got {hosts}"))
                return
            self._arm(times.body)
            super().on_headers_complete()

        def _asks_for_socket(self) -> bool:
            idle = self.cycle is None or self.cycle.response_complete
            return idle and self.parser.get_method() == b"GET" and self._should_upgrade()

        def _start_asgi_task(self, cycle: Any, app: Any) -> None:
            # What is small is there at once, and who is turned away then has cost nothing but its parsing.
            whole = self._receiving and not cycle.waiting_for_100_continue and _size(self.headers) <= _WHOLE
            if whole and door.holds(cycle.scope["path"], credential=self._shows_credential()):
                self._held = cycle, app
            else:
                super()._start_asgi_task(cycle, app)

        def _shows_credential(self) -> bool:
            shown = any(name == b"authorization" for name, _ in self.headers)
            return shown or self.app_state.get(CERTIFICATE) is not None

        def on_body(self, body: bytes) -> None:
            self._unfinished = 0
            self._body_left = max(self._body_left - len(body), 0)
            if not self.transport.is_closing():
                super().on_body(body)

        def on_message_complete(self) -> None:
            self._unfinished, self._in_body, self._body_left = 0, False, 0
            if self._again:
                return
            self._disarm()
            self._receiving = False
            if self.transport.is_closing():
                return
            super().on_message_complete()
            if self._held is not None:
                (cycle, app), self._held = self._held, None
                self._decide(cycle, app)

        def _decide(self, cycle: Any, app: Any) -> None:
            problem = door.refusal(cycle.scope["rpsd.arrived"])
            if problem is None:
                cycle.scope["rpsd.taken"] = True
                super()._start_asgi_task(cycle, app)
                return
            cycle.response_started = cycle.response_complete = True
            close = door.closing or not cycle.keep_alive
            self._turn_away(door.answer(problem, cycle.scope, close=close), close=close)

        def _turn_away(self, answer: bytes, *, close: bool) -> None:
            self.transport.write(answer)
            if close:
                self.transport.close()
            else:
                self.on_response_complete()

        def on_response_complete(self) -> None:
            self.server_state.total_requests += 1
            if self.transport.is_closing():
                return
            self.flow.resume_reading()
            if self.pipeline:
                turns.ask(self.loop, self._start_next)
            elif not self._receiving:
                self._arm(times.keep_alive)

        def _start_next(self) -> None:
            if not self.transport.is_closing():
                super()._start_asgi_task(*self.pipeline.pop())
                self._release()

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
            elif self._in_body and self.cycle.response_complete:
                self.transport.close()  # the rest of its body changes nothing

        def _arm(self, seconds: float) -> None:
            self.due = self.loop.time() + seconds

        def _disarm(self) -> None:
            self.due = math.inf

        def late(self) -> None:
            """Send a client away that has been too slow."""
            self._disarm()
            if self._receiving:
                self._refuse(Problem("slow-request", "the request did not arrive in time"))
            elif self._arrival.waiting:  # a request came in time, and the loop has not read it yet
                self._arm(times.keep_alive)
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


def _size(headers: list[tuple[bytes, bytes]]) -> float:
    """Return how many bytes a body has, where its headers say so."""
    return next((int(value) for name, value in headers if name == b"content-length"), math.inf)


def sweep(loop: asyncio.AbstractEventLoop, connections: Collection[Any]) -> None:
    """Send clients away that have been too slow, now and from now on."""
    now = loop.time()
    for connection in [one for one in connections if one.due <= now]:
        connection.late()
    loop.call_later(_SWEEP, sweep, loop, connections)
