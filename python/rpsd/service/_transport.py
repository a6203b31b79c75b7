# SPDX-License-Identifier: MIT
"""What a connection knows of its transport, and when what waits on it is taken."""

from __future__ import annotations

import asyncio
import socket
import sys
import time
from collections import deque
from collections.abc import Callable
from typing import Any, Final

_LINGER: Final = 2.0
_ANSWER: Final = b"HTTP/1.1 "
_END_OF_HEAD: Final = b"\r\n\r\n"
#: Where TCP_INFO of Linux has tcpi_last_data_recv, milliseconds.
_LAST_RECEIVED: Final = 52


class Lingering:
    """A transport that hears a client out when it closes while that still sends, and joins an answer's parts.

    Else the system answers what comes with a reset, and a reset takes away the answer that said why; and a
    process that is killed between a head and its body leaves an answer that has begun, which no balancer may
    ask for again.
    """

    def __init__(self, transport: Any, sending: Callable[[], bool], loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._sending = sending
        self._loop = loop
        self.timer: asyncio.TimerHandle | None = None
        self._head = b""  # of an answer whose body comes in the same turn of the loop
        self.ahead = b""  # what came, and is not parsed before requests that wait are answered

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def is_closing(self) -> bool:
        return self.timer is not None or self._transport.is_closing()

    def resume_reading(self) -> None:
        if not self.ahead:
            self._transport.resume_reading()

    def write(self, data: bytes) -> None:
        if self.timer is not None:
            return
        if self._head:
            head, self._head = self._head, b""
            self._transport.writelines([head, data])
        elif data.startswith(_ANSWER) and data.endswith(_END_OF_HEAD):
            self._head = data
            self._loop.call_soon(self._flush)
        else:
            self._transport.write(data)

    def _flush(self) -> None:
        """Write a head that no body came to."""
        if self._head:
            head, self._head = self._head, b""
            self._transport.write(head)

    def close(self) -> None:
        if self.timer is not None or self._transport.is_closing():
            return
        self._flush()
        if self._sending() and self._transport.can_write_eof():
            self.timer = self._loop.call_later(_LINGER, self._transport.close)
            self._transport.write_eof()
            self._transport.resume_reading()
        else:
            self._transport.close()


class Turns:
    """Starts requests that waited for one before them, one in each turn of the loop: others come between."""

    def __init__(self) -> None:
        self._starts: deque[Callable[[], None]] = deque()

    def ask(self, loop: asyncio.AbstractEventLoop, start: Callable[[], None]) -> None:
        """Call ``start`` when its turn comes."""
        self._starts.append(start)
        if len(self._starts) == 1:
            loop.call_soon(self._next, loop)

    def _next(self, loop: asyncio.AbstractEventLoop) -> None:
        start = self._starts.popleft()
        if self._starts:
            loop.call_soon(self._next, loop)
        start()


class Share:
    """What all connections together may take of something in one turn of the loop.

    Parameters
    ----------
    most : int
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._left = most

    @property
    def spent(self) -> bool:
        """Whether there is nothing left of it in this turn."""
        return self._left <= 0

    def take(self, loop: asyncio.AbstractEventLoop) -> None:
        """Take one."""
        if self._left == self._most:
            loop.call_soon(self._renew)
        self._left -= 1

    def _renew(self) -> None:
        self._left = self._most


class Arrival:
    """Tells when the last bytes of a socket came, which may be long before they were read."""

    def __init__(self, transport: Any) -> None:
        self._socket: socket.socket | None = None
        peer = transport.get_extra_info("socket")
        if sys.platform == "linux" and peer is not None:
            self._socket = socket.socket(peer.family, peer.type, peer.proto, fileno=peer.fileno())

    def moment(self) -> float:
        """Return it by `time.monotonic`; now where the system does not tell."""
        now = time.monotonic()
        if self._socket is None:
            return now
        try:
            info = self._socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _LAST_RECEIVED + 4)
        except OSError:
            return now
        return now - int.from_bytes(info[_LAST_RECEIVED:], sys.byteorder) / 1e3

    @property
    def waiting(self) -> bool:
        """Whether there are bytes that nobody has read yet; False where the system does not tell."""
        if self._socket is None:
            return False
        try:
            return bool(self._socket.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT))
        except OSError:  # none, or the connection is gone
            return False

    def close(self) -> None:
        """Forget the socket, which belongs to the transport."""
        if self._socket is not None:
            self._socket.detach()
            self._socket = None
