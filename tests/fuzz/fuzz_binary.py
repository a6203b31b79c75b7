# SPDX-License-Identifier: MIT
"""Bodies as float64 behind a query: a Problem, or the numbers that struct reads."""

import struct

import atheris

with atheris.instrument_imports(include=["rpsd.service", "rpsd._schema"]):
    from rpsd.service import _codec_binary
    from rpsd.service._problems import Problem
    from rpsd.service._request import Limits, read_query, seconds_of

import contextlib

from target import fuzz

_LIMITS = Limits(points=1_000, series=10, bytes=100_000)


def one(data):
    """Take a line of a query, a line of a header, and a body."""
    query, _, rest = data.partition(b"\n")
    header, _, body = rest.partition(b"\n")
    with contextlib.suppress(Problem):
        assert 0 < seconds_of(header.decode("latin-1"), 60.0) <= 60.0
    for decode in (_codec_binary.decode, _codec_binary.decode_pairs):
        try:
            asked = decode(body, query, _LIMITS)
        except Problem:
            continue
        read = b"".join(one.astype("<f8").tobytes() for one in (*asked.series, *asked.others))
        numbers = struct.unpack(f"<{len(body) // 8}d", body)
        assert read == body
        assert sum(map(len, (*asked.series, *asked.others))) == len(numbers)
        assert decode is not _codec_binary.decode or len(asked.series) == read_query(query).series
    read_query.cache_clear()


fuzz(one)
