# SPDX-License-Identifier: MIT
"""Requests and answers by ASGI alone: a framework's own take longer than a short series."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

#: The body of an answer. To copy one into bytes stops all threads, so that large ones stay where they are.
Content = bytes | memoryview
#: Bytes from which on a body is large.
LARGE: Final = 1 << 20


def headers_of(scope: Any) -> dict[str, str]:
    """Return the headers of a request; several lines of a name are one list (RFC 9110, 5.3)."""
    found: dict[str, str] = {}
    for raw_name, raw_value in scope["headers"]:
        name, value = raw_name.decode("latin-1"), raw_value.decode("latin-1")
        found[name] = f"{found[name]}, {value}" if name in found else value
    return found


def encoded(headers: Mapping[str, str], size: int) -> Iterable[tuple[bytes, bytes]]:
    """Return the headers of an answer of so many bytes, as ASGI has them."""
    yield b"content-length", b"%d" % size
    for name, value in headers.items():
        yield name.encode(), value.encode()


async def respond(send: Any, status: int, headers: Mapping[str, str], body: Content) -> None:
    """Answer a request."""
    start = {"type": "http.response.start", "status": status, "headers": [*encoded(headers, len(body))]}
    await send(start)
    await send({"type": "http.response.body", "body": body})
