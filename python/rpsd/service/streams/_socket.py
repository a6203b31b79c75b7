# SPDX-License-Identifier: MIT
"""The WebSocket /v1/stream: changes in, estimates out, in their order."""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from typing import Any, Final

import msgspec
import numpy as np

from rpsd.service._admission import overloaded
from rpsd.service._body import ClientGone
from rpsd.service._clock import Deadline
from rpsd.service._observe import Seen, refuse, seen
from rpsd.service._problems import Problem
from rpsd.service._state import State
from rpsd.service.streams import _forms
from rpsd.service.streams._ops import Op
from rpsd.service.streams._streams import Streams

PATH: Final = "/v1/stream"
#: Messages that are read ahead, and kept by one commit.
_AHEAD: Final = 64
_ITEM: Final = 8
#: Close codes (RFC 6455, 7.4.1): going away, no UTF-8 or JSON, policy, too big, failure, try again later.
_AWAY, _MALFORMED, _POLICY, _LARGE, _FAILED, _LATER = 1001, 1007, 1008, 1009, 1011, 1013


def make_socket_protocol(**arguments: Any) -> Any:
    """Return uvicorn's protocol of one connection; the library is loaded for the first one."""
    from rpsd.service.streams._socket_protocol import SocketProtocol

    return SocketProtocol(**arguments)


class StreamSocket:
    """Serves the WebSocket, and passes on what is none.

    Parameters
    ----------
    app : ASGI application
    state : State
    streams : Streams
    """

    def __init__(self, app: Any, state: State, streams: Streams) -> None:
        self._app = app
        self._state = state
        self._streams = streams
        self._inboxes: set[_Inbox] = set()
        self._open: Counter[str] = Counter()
        state.phase.when_draining(self._drain)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve a connection until one of both ends it."""
        if scope["type"] != "websocket":
            await self._app(scope, receive, send)
            return
        here = seen(scope)
        problem = self._refusal(scope, here)
        if problem is not None:
            await refuse(scope, problem, send)
            return
        tenant = here.principal.tenant
        inbox = _Inbox(receive)
        self._inboxes.add(inbox)
        self._open[tenant] += 1
        self._state.metrics.sessions_open.inc()
        try:
            await receive()  # websocket.connect
            await send({"type": "websocket.accept"})
            await _Session(self._state, self._streams, here, inbox, send).run()
        finally:
            self._state.metrics.sessions_open.dec()
            self._open[tenant] -= 1
            if not self._open[tenant]:
                del self._open[tenant]
            self._inboxes.discard(inbox)

    def _refusal(self, scope: Any, here: Seen) -> Problem | None:
        if scope["path"] != PATH:
            return Problem("not-found", "there is no such address")
        here.route, here.operation = PATH, "stream"
        reason = self._state.phase.reason
        if reason is not None:
            return Problem("not-ready", reason, headers={"retry-after": "1"})
        if self._open[here.principal.tenant] >= here.snapshot.service.max_sessions:
            return overloaded()
        return None

    def _drain(self) -> None:
        for inbox in self._inboxes:
            inbox.drain()


class _Inbox:
    """Messages that have come, read ahead by a few."""

    def __init__(self, receive: Any) -> None:
        self._receive = receive
        self._messages: deque[Any] = deque()
        self._ready, self._room = asyncio.Event(), asyncio.Event()
        self._room.set()
        self._gone = self.draining = False

    async def fill(self) -> None:
        """Read until the client leaves; no more than fit, so that a fast one is held up."""
        while (message := await self._receive())["type"] == "websocket.receive":
            self._messages.append(message)
            self._ready.set()
            if len(self._messages) >= _AHEAD:
                self._room.clear()
                await self._room.wait()
        self._gone = True
        self._ready.set()

    async def take(self) -> list[Any]:
        """Return what has come, at least one message; nothing where the service drains."""
        await self._ready.wait()
        if self.draining:
            return []
        if not self._messages:
            raise ClientGone
        taken = list(self._messages)
        self._messages.clear()
        self._room.set()
        if not self._gone:
            self._ready.clear()
        return taken

    def drain(self) -> None:
        """Let nothing more be taken."""
        self.draining = True
        self._ready.set()


class _Session:
    """One connection."""

    def __init__(self, state: State, streams: Streams, here: Seen, inbox: _Inbox, send: Any) -> None:
        self._state, self._streams, self._here = state, streams, here
        self._inbox, self._send_raw = inbox, send
        self._service = here.snapshot.service
        self._id = ""

    async def run(self) -> None:
        """Serve until the end, and say why it is."""
        reader = asyncio.create_task(self._inbox.fill())
        try:
            code, reason = await self._served()
            self._here.message = reason
            await self._send({"type": "websocket.close", "code": code, "reason": reason})
        except (ClientGone, OSError):  # uvicorn's ClientDisconnected is one of the latter
            self._here.message = self._here.message or "the client left"
        except TimeoutError:
            self._here.message = "the client does not read"
        finally:
            reader.cancel()

    async def _served(self) -> tuple[int, str]:
        try:
            await self._begin()
            while messages := await self._taken():
                await self._answer(messages)
        except Problem as problem:
            self._here.fields["problem"] = problem.name
            self._here.level = "ERROR" if problem.status >= 500 else "WARNING"
            await self._send({"type": "websocket.send", "text": problem.body(self._here.request_id).decode()})
            return _code_of(problem), problem.name
        return _AWAY, "the service is draining"

    async def _taken(self) -> list[Any]:
        try:
            async with asyncio.timeout(self._service.session_idle_timeout):
                return await self._inbox.take()
        except TimeoutError:
            raise Problem("slow-request", "nothing came for too long") from None

    async def _begin(self) -> None:
        """Create or resume a stream, as the first message says."""
        messages = await self._taken()
        if not messages:
            return
        first = _forms.read_first(_text(messages.pop(0)))
        here = self._here
        if first.create is not msgspec.UNSET:
            options, series, on_breach = _forms.read_new(bytes(first.create))
            live, notes = await self._streams.create(
                here.snapshot, here.principal, options, series, on_breach, self._deadline(), _never
            )
            content = _forms.shown(live, live.identity.created, notes)
        else:
            resumed = str(first.resume)
            if "\0" in resumed:  # which PostgreSQL takes for no text
                raise Problem("not-found", "there is no such stream")
            content = await self._streams.read(
                here.principal,
                resumed,
                lambda live, row: _forms.shown(live, row.used),
                self._deadline(),
                _never,
            )
            if (first.sequence or 0) > content["sequence"]:
                raise Problem(
                    "conflict",
                    f"sequence must be at most {content['sequence']}, the last change, got {first.sequence}",
                    sequence=content["sequence"],
                )
        self._id = here.fields["stream"] = content["id"]
        await self._send({"type": "websocket.send", "text": msgspec.json.encode(content).decode()})
        if messages:
            await self._answer(messages)

    async def _answer(self, messages: list[Any]) -> None:
        """Make the changes of messages that came together, as many at a time as a push may have samples."""
        some: list[tuple[Op, bool]] = []
        points = 0
        refusal: Problem | None = None
        for message in messages:
            try:
                op = self._op(message)
            except Problem as problem:
                refusal = problem
                break
            if points + op.values.size > self._service.max_push:
                await self._change(some)
                some, points = [], 0
            some.append((op, message.get("bytes") is not None))
            points += op.values.size
        if some:
            await self._change(some)
        if refusal is not None:
            raise refusal

    def _op(self, message: Any) -> Op:
        most = self._service.max_push
        if message.get("bytes") is not None:
            data = message["bytes"]
            if len(data) % _ITEM:
                raise Problem("malformed-body", f"a message must be float64, {_ITEM} bytes each")
            op = Op("push", np.frombuffer(data, dtype="<f8").astype(np.float64, copy=False))
        else:
            op = _forms.read_message(_text(message), most)
        if op.values.size > most:
            raise Problem("too-large", f"a push has at most {most} samples, got {op.values.size}")
        return op

    async def _change(self, some: list[tuple[Op, bool]]) -> None:
        """Make changes, and answer each as it came: as JSON, or as float64."""
        here, ops = self._here, [op for op, _ in some]
        outcomes = await self._streams.change(here.principal, self._id, ops, self._deadline(), _never)
        for (op, binary), done in zip(some, outcomes, strict=False):
            if isinstance(done, Exception):
                raise done
            here.data_size += op.values.size
            self._state.metrics.points.inc(op.values.size)
            if binary:
                await self._send({"type": "websocket.send", "bytes": done.values.astype("<f8").tobytes()})
            else:
                await self._send({"type": "websocket.send", "text": _forms.answer(op, done).decode()})

    def _deadline(self) -> Deadline:
        return Deadline(self._service.request_timeout)

    async def _send(self, message: Any) -> None:
        """Send a message; who does not read for too long is left."""
        async with asyncio.timeout(self._service.send_timeout):
            await self._send_raw(message)


def _text(message: Any) -> bytes:
    text = message.get("text")
    if text is None:
        raise Problem("invalid-request", "the first message must be JSON")
    return bytes(text.encode())


def _code_of(problem: Problem) -> int:
    if problem.name == "malformed-body":
        return _MALFORMED
    if problem.name == "too-large":
        return _LARGE
    return _POLICY if problem.status < 500 else _FAILED if problem.status == 500 else _LATER


async def _never() -> None:
    """Tell of no leaving: a change that has come is made."""
    await asyncio.Event().wait()
