# SPDX-License-Identifier: MIT
"""Bodies as JSON: a Problem, or the numbers that Python's own reader finds."""

import json

import atheris

with atheris.instrument_imports(include=["rpsd.service"]):
    from rpsd.service import _codec_json
    from rpsd.service._problems import Problem
    from rpsd.service._request import Limits

import numpy as np
from target import fuzz

_LIMITS = Limits(points=1_000, series=10, bytes=100_000)


def _same(read, values):
    expected = np.array([np.nan if value is None else float(value) for value in values])
    assert np.array_equal(read, expected, equal_nan=True)


def one(data):
    _codec_json.is_quick(data, b"")
    for decode in (_codec_json.decode, _codec_json.decode_pairs):
        try:
            asked = decode(data, b"", _LIMITS)
        except Problem:
            continue
        body = json.loads(data)
        series = body.get("series", {None: body})
        assert (asked.names is None) == ("series" not in body)
        assert asked.names is None or list(asked.names) == list(series)
        for read, given in zip(asked.series, series.values(), strict=True):
            _same(read, given.get("values", given.get("x")) if isinstance(given, dict) else given)


fuzz(one)
