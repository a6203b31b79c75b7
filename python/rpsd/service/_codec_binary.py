# SPDX-License-Identifier: MIT
"""Series as little-endian float64, one after the other; NaN is a missing sample, both ways."""

from __future__ import annotations

from typing import Final

import numpy as np

from rpsd.service._plain import LARGE, Content
from rpsd.service._problems import Problem
from rpsd.service._request import Answer, Asked, Limits, outcome_headers, read_query

_ITEM: Final = 8
#: Series that are read in no more time than their samples.
_FEW: Final = 64


def most_points(body: bytes | bytearray) -> int:
    """Return the number of samples."""
    return len(body) // _ITEM


def is_quick(body: bytes | bytearray, query: bytes) -> bool:
    """Return whether reading takes a time that the length bounds: a few series."""
    del body
    return read_query(query).series <= _FEW


def decode(body: bytes | bytearray, query: bytes, limits: Limits) -> Asked:
    """Read series of one length, with options in the query; `series` is how many there are.

    Raises
    ------
    Problem
        Where the bytes are no whole numbers, or the numbers no whole series.
    """
    given = read_query(query)
    if len(body) % _ITEM:
        raise Problem(
            "malformed-body", f"the body must be float64, {_ITEM} bytes each, got {len(body)} bytes"
        )
    if given.series > limits.series:
        raise Problem("too-large", f"a request has at most {limits.series} series, got {given.series}")
    values = np.frombuffer(body, dtype="<f8").astype(np.float64, copy=False)
    if len(values) % given.series:
        raise Problem("malformed-body", f"{len(values)} samples are not {given.series} series of one length")
    rows = tuple(values.reshape(given.series, -1))
    names = None if given.series == 1 else tuple(map(str, range(given.series)))
    return Asked(names, rows, given.options, given.guardrails or None, given.report)


def decode_pairs(body: bytes | bytearray, query: bytes, limits: Limits) -> Asked:
    """Read an input and its output, one after the other.

    Raises
    ------
    Problem
        As `decode`.
    """
    asked = decode(body, query + b"&series=2" if query else b"series=2", limits)
    x, y = asked.series
    return Asked(None, (x,), asked.options, asked.guardrails, "full", (y,))


def encode(answer: Answer) -> tuple[Content, dict[str, str]]:
    """Return the values of all series, and in headers what was done to them."""
    values = [one.values.astype("<f8", copy=False) for one in answer.outcomes if one.values is not None]
    if sum(one.nbytes for one in values) < LARGE:
        return b"".join(one.tobytes() for one in values), outcome_headers(answer)
    whole = values[0] if len(values) == 1 else np.concatenate(values)
    return np.ascontiguousarray(whole).data.cast("B"), outcome_headers(answer)
