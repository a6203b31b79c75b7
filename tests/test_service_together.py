# SPDX-License-Identifier: MIT
"""Requests that wait and are alike are computed together, and each is answered as if it were alone."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from serving import start

import rpsd
from rpsd.service import _codec_binary, _codec_json, _compute, _stages
from rpsd.service._admission import Admission, Stop
from rpsd.service._clock import Deadline
from rpsd.service._problems import Problem
from rpsd.service._snapshot import Snapshot
from rpsd.service._work import Work
from rpsd.service._workers import Workers

__all__ = ["start"]


class Alike:
    """Work of which several may be done together; `sizes` tells of how many it was."""

    def __init__(self, name, alike, sizes, gate):
        self.name, self.alike, self.sizes, self.gate = name, alike, sizes, gate

    def __call__(self, stop):
        self.gate.wait(30)
        self.sizes.append(1)
        return self.name

    def together(self, works, stops):
        self.sizes.append(len(works))
        return [KeyError(work.name) if work.name == "bad" else work.name for work in works]


async def stays():
    await asyncio.Event().wait()


def run(names, workers=1):
    """Run work by (name, alike), the first of which holds the worker until all are there."""

    async def whole():
        gate, sizes, threads = threading.Event(), [], Workers(workers)
        admission = Admission(threads, 100, 100, observe_batch=lambda size: None)
        works = [Alike(name, alike, sizes, gate) for name, alike in names]
        tasks = [asyncio.create_task(admission.run(1, Deadline(30), work, stays)) for work in works]
        for _ in range(5):
            await asyncio.sleep(0)
        gate.set()
        results = await asyncio.gather(*tasks, return_exceptions=True)
        assert (admission.running, admission.waiting, admission.waiting_points) == (0, 0, 0)
        threads.close()
        return results, sizes

    return asyncio.run(whole())


def test_what_is_alike_and_waits_is_taken_at_once():
    results, sizes = run([("first", None), ("a", 1), ("b", 2), ("c", 1), ("d", None), ("e", 1)])
    assert results == ["first", "a", "b", "c", "d", "e"]
    assert sizes == [1, 3, 1, 1]


def test_an_error_is_that_of_its_request():
    results, _ = run([("first", None), ("a", 1), ("bad", 1), ("c", 1)])
    assert isinstance(results.pop(2), KeyError)
    assert results == ["first", "a", "c"]


def test_no_worker_takes_the_share_of_others():
    _, sizes = run([("first", None), ("second", None), *((str(k), 1) for k in range(41))], workers=2)
    assert max(sizes) == 16
    assert sum(sizes) == 43


def works(snapshot, bodies, codec=_codec_json, query=b""):
    return [Work(snapshot, _compute.denoise, codec.decode, codec.encode, body, query) for body in bodies]


def alone(work):
    try:
        return work(Stop())[1:]
    except Problem as problem:
        return problem.body()


def test_answers_together_are_those_alone():
    snapshot = Snapshot(rpsd.Config())
    x = [np.round(100 + rpsd.simulate("a", 60, seed=k, nsr=k % 3).noisy, 2).tolist() for k in range(6)]
    text = [
        f'{{"values": {values}, "report": "{report}"}}'.encode()
        for values in x
        for report in ("none", "full")
    ]
    odd = str([*x[0][:58], None, None]).replace("None", "null")
    text += [f'{{"values": {values}, "missing": "raise"}}'.encode() for values in (x[0], odd, x[1])]
    groups = {}
    for work in works(snapshot, text):
        work.read()
        groups.setdefault(work.alike, []).append(work)
    assert sorted(map(len, groups.values())) == [3, 6, 6]
    found = {}
    for group in groups.values():
        done = Work.together(group, [Stop() for _ in group])
        found.update(zip(map(id, group), done, strict=True))
    together = [found[id(work)] for group in groups.values() for work in group]
    again = [work for group in groups.values() for work in group]
    for one, work in zip(together, again, strict=True):
        assert (one.body() if isinstance(one, Problem) else one[1:]) == alone(work)
    assert sum(isinstance(one, Problem) for one in together) == 1


def test_only_single_short_series_are_alike():
    snapshot = Snapshot(rpsd.Config())
    bodies = [b'{"values": [1, 2]}', b'{"series": {"b": [1, 2]}}', b'{"values": [%s1]}' % (b"1," * 5000)]
    given = works(snapshot, bodies)
    for work in given:
        work.read()
    assert [work.alike is None for work in given] == [False, True, True]


class Clock:
    """Seconds that pass only where a test lets them."""

    def __init__(self):
        self.now = 0.0

    def perf_counter(self):
        return self.now


@pytest.fixture
def clock(monkeypatch):
    """Return a clock by which computing takes 8 s a call, and writing 1 s a request."""
    clock, denoise = Clock(), _compute.denoise

    def computing(snapshot, asked, stop):
        clock.now += 8
        return denoise(snapshot, asked, stop)

    def writing(answer):
        clock.now += 1
        if answer.outcomes[0].values[0] > 1000:
            raise MemoryError
        return _codec_json.encode(answer)

    monkeypatch.setattr(_stages, "time", clock)
    clock.computing, clock.writing = computing, writing
    return clock


def timed(clock, bodies):
    """Work on bodies together; return what came of each, and how long its stages took."""
    seconds = {}
    snapshot = Snapshot(rpsd.Config())
    given = [
        Work(snapshot, clock.computing, _codec_json.decode, clock.writing, body, b"", stages, told)
        for k, body in enumerate(bodies)
        for stages, told in [(_stages.Stages("x"), lambda stages, k=k: seconds.update({k: stages.seconds()}))]
    ]
    for work in given:
        work.read()
    assert len({work.alike for work in given}) == 1
    return Work.together(given, [Stop() for _ in bodies]), [seconds[k] for k in range(len(bodies))]


@pytest.mark.parametrize("count", [1, 3])
def test_each_is_told_its_share_of_the_time(clock, count):
    """Of one call of 8 s."""
    _, seconds = timed(clock, [b'{"values": [1, 2, 3, 2], "report": "none"}'] * count)
    assert [one["kernel"] for one in seconds] == pytest.approx([8 / count] * count)
    assert [one["serialise"] for one in seconds] == [1] * count
    assert sum(sum(one.values()) - one["queue"] for one in seconds) == pytest.approx(clock.now)


def test_time_of_what_failed_is_counted_too(clock):
    """Two together, then each by itself, as one of them has what it may not have."""
    bodies = [b'{"values": [%s, 2, 3], "missing": "raise", "report": "none"}' % x for x in (b"1", b"null")]
    found, seconds = timed(clock, bodies)
    assert [type(one) for one in found] == [tuple, Problem]
    assert [one["kernel"] for one in seconds] == [8 / 2 + 8, 8 / 2 + 8]
    assert sum(sum(one.values()) - one["queue"] for one in seconds) == clock.now == 25


def test_an_error_while_writing_is_that_of_its_request(clock):
    text = b'{"values": [%d, 2, 3], "report": "none"}'
    found, _ = timed(clock, [text % x for x in (1, 2000, 3)])
    assert [type(one) for one in found] == [tuple, MemoryError, tuple]


def test_nothing_is_computed_when_nobody_waits(monkeypatch):
    monkeypatch.setattr(_compute, "denoise_rows", pytest.fail)
    given = works(Snapshot(rpsd.Config()), [np.zeros(50).tobytes()] * 2, _codec_binary)
    stops = [Stop(), Stop()]
    for stop in stops:
        stop.tell()
    assert [type(one).__name__ for one in Work.together(given, stops)] == ["ClientGone"] * 2


def test_over_http(start):
    """200 requests by 16 clients have the bits of rpsd.denoise, some of them computed together."""
    server = start(max_workers=1, cache_size=0)
    x = [100 + rpsd.simulate("a", 256, seed=k).noisy for k in range(20)]
    expected = [rpsd.denoise(one).tobytes() for one in x]

    def ask(k):
        answer = server.post(x[k % 20].tobytes(), content_type="application/octet-stream")
        return answer.status == 200 and answer.body == expected[k % 20]

    with ThreadPoolExecutor(16) as pool:
        assert all(pool.map(ask, range(200)))
    lines = server.ask("GET", "/metrics").body.decode().splitlines()
    metrics = dict(line.rsplit(" ", 1) for line in lines)
    assert float(metrics["rpsd_batch_size_sum"]) == 200
    assert float(metrics["rpsd_batch_size_count"]) < 200
    assert server.stop() == 0
