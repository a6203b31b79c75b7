# SPDX-License-Identifier: MIT
"""The queue in front of the workers: its bounds, deadlines, and clients that leave."""

import asyncio
import threading
import time
from collections import Counter

import pytest

from rpsd.service._admission import Admission
from rpsd.service._body import ClientGone
from rpsd.service._cache import Cache
from rpsd.service._clock import Deadline
from rpsd.service._problems import Problem
from rpsd.service._rates import Rates
from rpsd.service._workers import Workers


class Gate:
    """Work that waits until it is let go."""

    def __init__(self):
        self.open = threading.Event()
        self.done = []
        self.stops = []
        self.counted = Counter()

    def count(self, what):
        self.counted[what] += 1

    def work(self, name):
        def run(stop):
            self.stops.append(stop)
            self.open.wait(30)
            self.done.append(name)
            return name

        return run


async def stays():
    await asyncio.Event().wait()


async def leaves():
    return {"type": "http.disconnect"}


def with_admission(scenario, workers=1, requests=2, points=100):
    """Run a coroutine of an admission and a gate."""

    async def whole():
        threads, gate = Workers(workers), Gate()
        try:
            return await scenario(Admission(threads, requests, points, gate.count), gate)
        finally:
            gate.open.set()
            threads.close()

    return asyncio.run(whole())


def start(admission, gate, name, points=1, seconds=30.0, receive=stays):
    return asyncio.create_task(admission.run(points, Deadline(seconds), gate.work(name), receive))


async def settle():
    for _ in range(5):
        await asyncio.sleep(0)


def test_first_come_first_served():
    async def scenario(admission, gate):
        tasks = [start(admission, gate, k) for k in range(3)]
        await settle()
        assert (admission.running, admission.waiting, admission.waiting_points) == (1, 2, 2)
        gate.open.set()
        assert await asyncio.gather(*tasks) == gate.done == [0, 1, 2]
        assert (admission.running, admission.waiting, admission.waiting_points) == (0, 0, 0)

    with_admission(scenario)


def test_a_full_queue_says_when_to_come_back():
    async def scenario(admission, gate):
        tasks = [start(admission, gate, k) for k in range(3)]
        await settle()
        with pytest.raises(Problem) as refused:
            await admission.run(1, Deadline(30), gate.work("late"), stays)
        assert refused.value.name == "overloaded"
        assert int(refused.value.headers["retry-after"]) > 0
        assert gate.counted == {"shed": 1}
        gate.open.set()
        assert await asyncio.gather(*tasks) == [0, 1, 2]

    with_admission(scenario)


def test_the_queue_is_bounded_in_samples_too():
    async def scenario(admission, gate):
        tasks = [start(admission, gate, k, points=60) for k in range(2)]
        await settle()
        with pytest.raises(Problem):
            await admission.run(41, Deadline(30), gate.work("large"), stays)
        tasks.append(start(admission, gate, "small", points=40))
        await settle()
        gate.open.set()
        assert await asyncio.gather(*tasks) == [0, 1, "small"]

    with_admission(scenario)


def test_a_single_request_may_be_larger_than_the_queue():
    async def scenario(admission, gate):
        gate.open.set()
        assert await start(admission, gate, "whole", points=1000) == "whole"

    with_admission(scenario, requests=0)


def test_what_waits_too_long_is_never_begun():
    async def scenario(admission, gate):
        first = start(admission, gate, "first")
        await settle()
        with pytest.raises(Problem) as late:
            await start(admission, gate, "late", points=7, seconds=0.01)
        assert late.value.name == "deadline-exceeded"
        assert (gate.counted, admission.waiting, admission.waiting_points) == ({"expired": 1}, 0, 0)
        gate.open.set()
        await first
        assert gate.done == ["first"]

    with_admission(scenario)


def test_running_work_is_told_that_its_time_is_over():
    async def scenario(admission, gate):
        with pytest.raises(Problem):
            await start(admission, gate, "late", seconds=0.01)
        assert gate.stops[0].set
        assert admission.running == 1  # the worker is not free before it heeds that
        gate.open.set()
        while admission.running:
            await asyncio.sleep(0.001)

    with_admission(scenario)


def test_what_a_client_left_is_taken_out():
    async def scenario(admission, gate):
        first = start(admission, gate, "first")
        await settle()
        with pytest.raises(ClientGone):
            await start(admission, gate, "left", points=7, receive=leaves)
        assert (gate.counted, admission.waiting, admission.waiting_points) == ({"cancelled": 1}, 0, 0)
        gate.open.set()
        await first
        assert gate.done == ["first"]

    with_admission(scenario)


def test_errors_of_the_work_are_the_callers():
    async def scenario(admission, gate):
        def fail(stop):
            raise KeyError("inside")

        with pytest.raises(KeyError, match="inside"):
            await admission.run(1, Deadline(30), fail, stays)
        gate.open.set()
        assert await start(admission, gate, "next") == "next"

    with_admission(scenario)


def test_workers_run_side_by_side():
    async def scenario(admission, gate):
        barrier = threading.Barrier(3, timeout=30)

        def meet(stop):
            return barrier.wait()

        met = await asyncio.gather(*(admission.run(1, Deadline(30), meet, stays) for _ in range(3)))
        assert sorted(met) == [0, 1, 2]

    with_admission(scenario, workers=3)


def test_rates_are_those_of_the_last_minute():
    now = 1000.0
    rates = Rates(lambda: now)
    assert rates.summary() == (0, 0.0, 0.0)
    rates.add(1.0, failed=False)
    now = 1030.0
    rates.add(3.0, failed=True)
    assert rates.summary() == (2, 2.0, 0.5)
    now = 1060.5
    assert rates.summary() == (1, 3.0, 1.0)
    now = 1090.0
    assert rates.summary() == (0, 0.0, 0.0)


def test_the_cache_keeps_what_was_used_last():
    cache = Cache(2, most_bytes=100)
    keys = [cache.key(bytes([k]), "denoise") for k in range(4)]
    assert keys[0] != cache.key(b"\0", "noise")
    cache.put(keys[0], 10, "zero")
    cache.put(keys[1], 10, "one")
    assert cache.get(keys[0]) == "zero"
    cache.put(keys[2], 10, "two")
    assert [cache.get(key) for key in keys] == ["zero", None, "two", None]
    cache.put(keys[3], 85, "three")
    assert [cache.get(key) for key in keys] == [None, None, "two", "three"]
    assert cache.bytes == 95
    cache.put(keys[3], 5, "again")
    cache.put(keys[0], 101, "large")
    assert ([cache.get(key) for key in keys], cache.bytes) == ([None, None, "two", "again"], 15)


def test_there_is_no_cache_of_size_0_nor_of_long_bodies():
    assert Cache(0).key(b"") is None
    assert Cache(1).key(bytes(2**18 + 1)) is None
    assert Cache(1).key(bytes(2**18)) is not None


def test_what_cannot_be_stopped_is_counted_until_it_ends():
    async def scenario(admission, gate):
        with pytest.raises(Problem):
            await start(admission, gate, "late", seconds=0.01)
        assert (gate.counted, admission.abandoned) == ({"expired": 1, "abandoned": 1}, 1)
        gate.open.set()
        while admission.running:
            await asyncio.sleep(0.001)
        assert (gate.counted["abandoned"], admission.abandoned) == (1, 0)

    with_admission(scenario)


def test_what_is_late_when_its_turn_comes_is_not_abandoned():
    """The timers of those that wait may come after their turn."""

    async def scenario(admission, gate):
        first = start(admission, gate, "first")
        await settle()
        waiting = [start(admission, gate, k, seconds=0.05) for k in range(2)]
        await settle()
        time.sleep(0.1)  # the loop is late
        admission._start_next()
        admission.running -= 1  # as if the worker were free
        admission._start_next()
        results = await asyncio.gather(*waiting, return_exceptions=True)
        assert [one.name for one in results] == ["deadline-exceeded"] * 2
        admission.running += 1
        gate.open.set()
        assert await first == "first"
        await settle()
        assert (gate.done, gate.counted) == (["first"], {"expired": 2})
        assert (admission.abandoned, admission.waiting, admission.waiting_points) == (0, 0, 0)

    with_admission(scenario)


def test_what_was_left_is_not_begun():
    async def scenario(admission, gate):
        first = start(admission, gate, "first")
        await settle()
        left = start(admission, gate, "left")
        await settle()
        admission._waiting[0].future.cancel()
        admission.running -= 1
        admission._start_next()
        admission.running += 1
        with pytest.raises(asyncio.CancelledError):
            await left
        gate.open.set()
        await first
        assert (gate.done, admission.abandoned, gate.counted["abandoned"]) == (["first"], 0, 0)

    with_admission(scenario)
