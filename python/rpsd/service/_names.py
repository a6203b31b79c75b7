# SPDX-License-Identifier: MIT
"""Names that JSON gives twice, of which decoders take the last and say nothing."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Final

#: Bytes looked at in one go: other threads get their turn between.
_PIECE: Final = 1 << 18
_BACKSLASH: Final = ord("\\")
#: All that stands between two strings but what tells where an object begins and ends, and which is a name.
_NO_STRUCTURE: Final = bytes(set(range(256)) - set(b"{}[]:"))


def repeated_name(body: bytes | bytearray) -> str | None:
    """Return a name that an object of valid JSON has twice, or None; numbers are not read."""
    open_: list[set[str]] = []
    before = b""
    for mark, text in _parts(body):
        if text is None:
            for one in mark:
                if one in b"{[":
                    open_.append(set())
                elif one in b"}]":
                    open_.pop()
                elif before:  # a colon: the string before it is a name
                    name: Any = json.loads(before.decode("utf-8", "replace"), strict=False)
                    if name in open_[-1]:
                        return str(name)
                    open_[-1].add(name)
                before = b""
        else:
            before = text
    return None


def _parts(body: bytes | bytearray) -> Iterator[tuple[bytes, bytes | None]]:
    """Return structure and strings, with their quotes, as they come."""
    at, size = 0, len(body)
    while at < size:
        begin = body.find(b'"', at)
        for cut in range(at, size if begin < 0 else begin, _PIECE):
            end = min(cut + _PIECE, size if begin < 0 else begin)
            if mark := bytes(body[cut:end]).translate(None, _NO_STRUCTURE):
                yield mark, None
        if begin < 0:
            return
        at = _end(body, begin)
        yield b"", bytes(body[begin:at])


def _end(body: bytes | bytearray, begin: int) -> int:
    """Return where a string ends: after the first quote with an even number of backslashes before it."""
    at = body.find(b'"', begin + 1)
    while True:
        first = at
        while body[first - 1] == _BACKSLASH:
            first -= 1
        if (at - first) % 2 == 0:
            return at + 1
        at = body.find(b'"', at + 1)
