# SPDX-License-Identifier: MIT
"""Which media type a body has, and which one its answer is wanted in."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from rpsd.service._problems import Problem

JSON: Final = "application/json"
BINARY: Final = "application/octet-stream"
ARROW: Final = "application/vnd.apache.arrow.stream"
#: Of what a header lists, no more is read: each takes time.
_MOST_RANGES: Final = 32
_MOST_PARAMETERS: Final = 8
_CHARSETS: Final = ("utf-8", "utf8", "us-ascii")


@lru_cache
def sent_type(content_type: str | None, known: tuple[str, ...]) -> str:
    """Return the media type of a body.

    Raises
    ------
    Problem
        For one that is not known, or where none is given.
    """
    pieces = (content_type or "").split(";", _MOST_PARAMETERS)
    name, *parameters = (piece.strip().lower() for piece in pieces)
    if name not in known:
        came = f'"{name[:80]}"' if name else "no Content-Type"
        raise Problem("unsupported-media-type", f"Content-Type must be {', '.join(known)}, got {came}")
    for parameter in parameters:
        key, _, value = parameter.partition("=")
        if key == "charset" and name == JSON and value.strip('"') not in _CHARSETS:
            raise Problem("unsupported-media-type", f'JSON is UTF-8, got charset "{value[:40]}"')
    return name


@lru_cache
def wanted_type(accept: str | None, sent: str, known: tuple[str, ...]) -> str:
    """Return the media type of the answer: what came if it is known, unless Accept prefers another.

    Raises
    ------
    Problem
        Where Accept allows none of them.
    """
    preferred = tuple(sorted(known, key=lambda name: name != sent))
    if accept is None or accept.strip() in ("", "*/*", preferred[0]):
        return preferred[0]
    weights = {name: _weight(accept, name) for name in preferred}
    best = max(preferred, key=lambda name: weights[name])
    if weights[best] <= 0:
        raise Problem("not-acceptable", f"Accept must allow one of {', '.join(known)}")
    return best


def _weight(accept: str, name: str) -> float:
    """Return the weight of the most specific range that a media type is in (RFC 9110, 12.5.1)."""
    found = {"*/*": -1.0, f"{name.partition('/')[0]}/*": -1.0, name: -1.0}
    for part in accept.split(",", _MOST_RANGES)[:_MOST_RANGES]:
        media_range, *parameters = (piece.strip().lower() for piece in part.split(";", _MOST_PARAMETERS))
        if media_range in found:
            found[media_range] = next((_number(p[2:]) for p in parameters if p.startswith("q=")), 1.0)
    return next((weight for weight in reversed(found.values()) if weight >= 0), 0.0)


def _number(text: str) -> float:
    try:
        return min(1.0, max(0.0, float(text)))
    except ValueError:
        return 0.0
