# SPDX-License-Identifier: MIT
"""Who is turned away before anything is spent on them: no task, no middleware, no line of the log each."""

from __future__ import annotations

import re
import time
from collections import Counter
from typing import Any, Final

import rpsd
from rpsd.service._admission import overloaded
from rpsd.service._observe import request_id_of
from rpsd.service._problems import MEDIA_TYPE, Problem
from rpsd.service._state import State
from rpsd.service._versions import headers_of

#: Where there is a door; health and metrics have none.
_BEHIND: Final = "/v1/"
#: A request that can be nothing else, up to its body.
_PLAIN: Final = re.compile(
    rb"POST /v1/[a-z]+(?:\?[\x21-\x7e]*)? HTTP/1\.1((?:\r\n[A-Za-z0-9-]+:[\t\x20-\x7e]*)+)\r\n\r\n"
)
_SIZE: Final = re.compile(rb"\r\ncontent-length: *(\d{1,6})(?=\r|$)")
#: What has a say in where a request or its connection ends.
_ODD: Final = re.compile(rb"\r\n(?:transfer-encoding|expect|connection|upgrade):")
_NAMED: Final = re.compile(rb"\r\n(?i:x-request-id): *([\x21-\x7e]*)")
_ID: Final = b"x-request-id"
_HERE: Final = b"{id}"
_KEPT: Final = 16


class Door:
    """Decides of whole requests, as they come out of their sockets; for the event loop's thread alone.

    Requests that were taken on and have no answer yet are counted by `Admission.taken`. Those that are turned
    away are told of together, by `tell`.

    Parameters
    ----------
    state : State
    """

    def __init__(self, state: State) -> None:
        self._state = state
        self._away: Counter[tuple[str, int, str]] = Counter()
        self._made: dict[tuple[Any, ...], tuple[bytes, bytes]] = {}

    @property
    def closing(self) -> bool:
        """Whether connections end with the answer that is under way."""
        return self._state.phase.name == "draining"

    def holds(self, path: str, *, credential: bool) -> bool:
        """Return whether a request waits for its body here: who has no credential gets 401 without one."""
        return path.startswith(_BEHIND) and (credential or self._state.access is None)

    def refusal(self, arrived: float) -> Problem | None:
        """Return why a request is turned away that arrived at a moment of `time.monotonic`, or take it on."""
        admission = self._state.admission
        if admission.crowded or time.monotonic() - arrived > admission.pace.patience:
            return overloaded()
        admission.taken += 1
        return None

    def answer_at_sight(self, data: bytes) -> bytes | None:
        """Return the answer to bytes that are one request, whole and plain, where it is turned away.

        None where it is not, or might be something else: the parser says then what it is. With more requests
        than can be served, what is left for those that can is what it takes to turn away the others.
        """
        if not self._state.admission.crowded:
            return None
        found = _PLAIN.match(data)
        if found is None:
            return None
        head = found[1].lower()
        sizes = _SIZE.findall(head)
        if len(sizes) != 1 or found.end() + int(sizes[0]) != len(data):
            return None
        if head.count(b"\r\nhost:") != 1 or head.count(b"content-length") != 1 or _ODD.search(head):
            return None
        given = _NAMED.search(found[1])
        request_id = request_id_of([] if given is None else [(_ID, given[1])])
        return self._answer(overloaded(), "POST", request_id, close=self.closing)

    def answer(self, problem: Problem, scope: Any, *, close: bool) -> bytes:
        """Return the whole answer to a request that is turned away, and count it."""
        return self._answer(problem, scope["method"], request_id_of(scope["headers"]), close=close)

    def _answer(self, problem: Problem, method: str, request_id: str, *, close: bool) -> bytes:
        self._away[method, problem.status, problem.name] += 1
        digest = self._state.snapshot.digest
        key = problem.name, digest, close, *problem.headers.values()
        made = self._made.get(key)
        if made is None:
            if len(self._made) >= _KEPT:
                self._made.clear()
            made = self._made[key] = _parts(problem, digest, close=close)
        head, body = made
        named = request_id.encode()
        content = body.replace(_HERE, named)
        size = len(content)
        if method == "HEAD":
            content = b""
        return b"%bcontent-length: %d\r\nx-request-id: %b\r\n\r\n%b" % (head, size, named, content)

    def tell(self) -> None:
        """Tell of those that were turned away since the last time."""
        away, self._away = self._away, Counter()
        state = self._state
        for (method, status, name), count in away.items():
            state.metrics.requests_by("none", method, status).inc(count)
            state.metrics.count("shed", count)
            state.rates.add(0.0, failed=True, count=count)
            title = Problem(name, "").title
            state.log.write("ERROR", "http", title, status=status, problem=name, requests=count)


def _parts(problem: Problem, digest: str, *, close: bool) -> tuple[bytes, bytes]:
    """Return the head of an answer, but for what depends on the request, and its body with a place for it."""
    headers = {
        "content-type": MEDIA_TYPE,
        **problem.headers,
        "rpsd-version": rpsd.__version__,
        "rpsd-config": digest,
        **({"connection": "close"} if close else {}),
    }
    lines = [f"{name}: {value}\r\n".encode() for name, value in headers.items()]
    lines += [b"%b: %b\r\n" % header for header in headers_of(_BEHIND)]
    head = f"HTTP/1.1 {problem.status} {problem.title}\r\n".encode() + b"".join(lines)
    return head, problem.body(_HERE.decode())
