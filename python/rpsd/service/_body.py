# SPDX-License-Identifier: MIT
"""The bytes of a request, read within limits and unpacked."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from typing import Any, Final

from rpsd.service._problems import Problem

#: Unpacked bytes that a packed byte may stand for, once there is a mebibyte of them; text hardly reaches 20.
_MOST_RATIO: Final = 100
_FREE: Final = 1 << 20
_PIECE: Final = 1 << 20


class ClientGone(Exception):
    """The client left before its answer: nobody to tell."""


async def read_body(receive: Any, headers: Mapping[str, str], most: int) -> bytes | bytearray:
    """Return the body of a request, unpacked.

    Parameters
    ----------
    receive : callable
        ASGI's.
    headers : mapping
        With names in lower case.
    most : int
        Bytes, packed and unpacked.

    Raises
    ------
    Problem
        For a body that is too large, or packed in a way that is not known or damaged.
    ClientGone
        Where the client left.
    """
    unpacked = _unpacker(headers.get("content-encoding"), most)
    length = headers.get("content-length")
    if length is not None and int(length) > most:  # of digits: the parser of HTTP has seen to it
        raise _too_large(most)
    # Grown in place: pieces that are joined at the end are had twice.
    whole: bytes | bytearray = b""
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGone
        piece = unpacked(message["body"], not message["more_body"]) if unpacked else message["body"]
        if len(whole) + len(piece) > most:
            raise _too_large(most)
        if not whole:
            whole = piece
        else:
            if isinstance(whole, bytes):
                whole = bytearray(whole)
            whole += piece
        if not message["more_body"]:
            return whole


def _too_large(most: int) -> Problem:
    return Problem("too-large", f"a body has at most {most} bytes", headers={"connection": "close"})


def _unpacker(encoding: str | None, most: int) -> Any:
    name = (encoding or "identity").strip().lower()
    if name == "identity":
        return None
    if name != "gzip":
        raise Problem(
            "unsupported-media-type", f'Content-Encoding must be gzip or identity, got "{name[:40]}"'
        )
    inflater = zlib.decompressobj(wbits=31)
    packed = total = 0

    def unpack(data: bytes, last: bool) -> bytes:
        nonlocal packed, total
        packed += len(data)
        room = min(most, max(_FREE, _MOST_RATIO * packed)) - total
        try:
            out = inflater.decompress(data, room + 1)
        except zlib.error:
            raise Problem("malformed-body", "the body is not valid gzip") from None
        total += len(out)
        if len(out) > room:
            raise _too_large(most)
        if last and (not inflater.eof or inflater.unused_data):
            raise Problem("malformed-body", "the body must be one gzip member, whole")
        return out

    return unpack
