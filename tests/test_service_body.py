# SPDX-License-Identifier: MIT
"""A body and its numbers are in memory once each, however many pieces they come in."""

import asyncio
import tracemalloc

import msgspec
import numpy as np
import pytest

from rpsd.service._body import read_body
from rpsd.service._numbers import read_numbers
from rpsd.service._problems import Problem
from rpsd.service._request import seconds_of

PIECE = 65_536


def receiver(pieces):
    """Return ASGI's receive for some pieces, made when they are asked for."""
    left = iter(range(pieces))

    async def receive():
        k = next(left)
        return {"type": "http.request", "body": bytes([k % 256]) * PIECE, "more_body": k < pieces - 1}

    return receive


def peak(work):
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        result = work()
        return result, tracemalloc.get_traced_memory()[1] - before
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("pieces", [1, 2, 128])
def test_a_body_is_there_once(pieces):
    got = []

    async def read():  # what a task returns may be written out by a loop that is debugged
        got.append(await read_body(receiver(pieces), {}, pieces * PIECE))

    _, most = peak(lambda: asyncio.run(read()))
    (body,) = got
    assert body == b"".join(bytes([k % 256]) * PIECE for k in range(pieces))
    assert most < 1.3 * len(body) + 4 * PIECE


def test_a_body_in_pieces_that_is_too_large():
    with pytest.raises(Problem) as refused:
        asyncio.run(read_body(receiver(3), {}, 3 * PIECE - 1))
    assert refused.value.name == "too-large"


def test_numbers_are_there_once():
    x = np.arange(500_000) + 0.5
    text = msgspec.Raw(msgspec.json.encode(x.tolist()))
    read, most = peak(lambda: read_numbers(text))
    np.testing.assert_array_equal(read, x)
    assert most < x.nbytes + 8e6  # and the objects of a piece


@pytest.mark.parametrize("space", ["", " ", "\x1e", "\x85", "\xa0"])
def test_a_number_of_seconds_may_have_any_space_around_it(space):
    assert seconds_of(f"{space}1.5{space}", 60.0) == 1.5


@pytest.mark.parametrize("text", ["", "\x1e", "0", "-1", "nan", "1 2", "1_0"])
def test_no_number_of_seconds_is_a_problem(text):
    with pytest.raises(Problem, match="Request-Timeout"):
        seconds_of(text, 60.0)
