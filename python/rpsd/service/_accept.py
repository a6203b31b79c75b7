# SPDX-License-Identifier: MIT
"""New connections, taken as fast as they come: uvloop takes one in each turn of the loop.

When turns are long, as they are when there is much to do, clients would wait in the backlog for seconds, and
probes of health among them.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Callable, Sequence
from typing import Any, Final

#: Connections that are taken in one turn: making one takes longer than turning a request away.
_AT_ONCE: Final = 64


class Acceptor:
    """Takes what waits in the backlog whenever a connection was made; for the event loop's thread alone.

    Parameters
    ----------
    context : ssl.SSLContext, optional
        What connections are encrypted with; None is not at all.
    """

    def __init__(self, context: ssl.SSLContext | None = None) -> None:
        self._context = context
        self._listeners: Sequence[socket.socket] = ()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._asked = False

    def start(
        self,
        loop: asyncio.AbstractEventLoop,
        listeners: Sequence[socket.socket],
        make: Callable[[], asyncio.Protocol],
    ) -> None:
        """Take connections of listeners that do not block."""
        self._loop, self._listeners, self._make = loop, listeners, make

    def ask(self) -> None:
        """Look in the next turn whether there are more."""
        if self._listeners and not self._asked:
            self._asked = True
            self._loop.call_soon(self._take)

    def _take(self) -> None:
        self._asked = False
        for listener in self._listeners:
            for _ in range(_AT_ONCE):
                try:
                    peer, _address = listener.accept()
                except OSError:  # there is none, or it is closed
                    break
                peer.setblocking(False)
                task = self._loop.create_task(
                    self._loop.connect_accepted_socket(self._make, peer, ssl=self._context)
                )
                self._tasks.add(task)
                task.add_done_callback(self._made)

    def _made(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            task.exception()  # a client that has left again: nobody to tell
