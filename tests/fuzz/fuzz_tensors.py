# SPDX-License-Identifier: MIT
"""Bodies as tensors of V2: a Problem, or the numbers that Python's own readers find."""

import json

import atheris
import numpy as np

with atheris.instrument_imports(include=["rpsd.service"]):
    from rpsd.service._problems import Problem
    from rpsd.service._request import Limits
    from rpsd.service._v2_tensors import HEAD, Tensors

from target import fuzz

_LIMITS = Limits(points=1_000, series=10, bytes=100_000)


def _flat(data):
    return [v for item in data for v in _flat(item)] if isinstance(data, list) else [data]


def one(data):
    """Take a line with the value of the header that tells the length of the JSON, and a body."""
    head, _, body = data.partition(b"\n")
    try:
        tensors = Tensors.of({HEAD: head.decode("latin-1")} if head else {})
        tensors.is_quick(body, b"")
        asked = tensors.decode(body, b"", _LIMITS)
    except Problem:
        return
    text = body if tensors.head is None else body[: tensors.head]
    tensor = json.loads(text)["inputs"][0]
    read = np.concatenate([*asked.series, np.empty(0)])
    if "data" in tensor:
        expected = np.array([np.nan if v is None else float(v) for v in _flat(tensor["data"])])
        assert np.array_equal(read, expected, equal_nan=True)
    else:
        assert np.array_equal(read, np.frombuffer(body[len(text) :], "<f8"), equal_nan=True)


fuzz(one)
