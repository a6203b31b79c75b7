# SPDX-License-Identifier: MIT
"""Who is turned away at the door, what it takes to be told, and from when on a deadline counts."""

import asyncio
import contextlib
import json
import signal
import socket
import sys
import threading
import time
from types import SimpleNamespace

import httptools
import pytest
from serving import start

from rpsd.service._accept import Acceptor
from rpsd.service._admission import Admission
from rpsd.service._clock import Deadline
from rpsd.service._door import Door
from rpsd.service._pace import Pace
from rpsd.service._problems import Problem
from rpsd.service._transport import Arrival
from rpsd.service._workers import Workers

__all__ = ["start"]
CROWDED = """
import rpsd.service._admission as admission
admission.Admission.crowded = property(lambda self: True)
"""
HEAD = b"POST /v1/denoise HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
PLAIN = HEAD + b"Content-Length: 2\r\n\r\n{}"
#: What the door leaves to the parser: not whole, not one, not plain, or not behind it.
ODD = {
    "part": PLAIN[:-1],
    "two": PLAIN + PLAIN,
    "more": PLAIN + b"P",
    "length twice": HEAD + b"Content-Length: 2\r\nContent-Length: 2\r\n\r\n{}",
    "length hidden": HEAD + b"Content-Length: 2\r\nContent-Length : 9\r\n\r\n{}",
    "length with a sign": HEAD + b"Content-Length: +2\r\n\r\n{}",
    "length with a tab": HEAD + b"Content-Length: 2\r\ncontent-length:\t2\r\n\r\n{}",
    "no length": HEAD + b"\r\n",
    "chunked": HEAD + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n{}",
    "closing": HEAD + b"Connection: close\r\nContent-Length: 2\r\n\r\n{}",
    "expecting": HEAD + b"Expect: 100-continue\r\nContent-Length: 2\r\n\r\n{}",
    "upgrade": HEAD + b"Upgrade: h2c\r\nContent-Length: 2\r\n\r\n{}",
    "two hosts": HEAD + b"Host: y\r\nContent-Length: 2\r\n\r\n{}",
    "no host": b"POST /v1/denoise HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}",
    "folded": HEAD + b"X: 1\r\n  Content-Length: 9\r\nContent-Length: 2\r\n\r\n{}",
    "bare LF": HEAD + b"X: 1\nContent-Length: 9\r\nContent-Length: 2\r\n\r\n{}",
    "1.0": PLAIN.replace(b"1.1", b"1.0"),
    "GET": PLAIN.replace(b"POST", b"GET"),
    "health": PLAIN.replace(b"/v1/denoise", b"/health/live"),
}


class Log:
    def __init__(self):
        self.lines = []

    def write(self, *arguments, **fields):
        self.lines.append(fields)


def make_door(crowded=True):
    counted = []
    metrics = SimpleNamespace(
        count=lambda what, number: counted.append((what, number)),
        requests_by=lambda *labels: SimpleNamespace(inc=lambda number: counted.append((*labels, number))),
    )
    state = SimpleNamespace(
        admission=SimpleNamespace(crowded=crowded, pace=SimpleNamespace(patience=1.0), taken=0),
        snapshot=SimpleNamespace(digest="0123"),
        phase=SimpleNamespace(name="serving"),
        rates=SimpleNamespace(add=lambda *_, **__: None),
        metrics=metrics,
        log=Log(),
    )
    return Door(state), state, counted


def parsed(answer):
    """Return status, headers and body, as a parser of others reads them."""

    class Reader:
        def __init__(self):
            self.headers, self.body, self.whole = {}, b"", False

        def on_header(self, name, value):
            self.headers[name.decode()] = value.decode()

        def on_body(self, body):
            self.body += body

        def on_message_complete(self):
            self.whole = True

    reader = Reader()
    parser = httptools.HttpResponseParser(reader)
    parser.feed_data(answer)
    assert reader.whole
    return parser.get_status_code(), reader.headers, json.loads(reader.body)


@pytest.mark.parametrize("data", ODD.values(), ids=ODD)
def test_what_is_not_plain_is_left_to_the_parser(data):
    door, _, _ = make_door()
    assert door.answer_at_sight(data) is None


@pytest.mark.parametrize("more", [b"", b"X-Request-ID: mine-1\r\n", b"Accept:   */*\r\nX-Empty:\r\n"])
def test_a_plain_request_is_answered_at_sight(more):
    door, state, counted = make_door()
    status, headers, body = parsed(door.answer_at_sight(PLAIN.replace(b"Host", more + b"Host")))
    assert (status, body["type"]) == (503, "urn:rpsd:problem:overloaded")
    assert 1 <= int(headers["retry-after"]) <= 3
    assert headers["x-request-id"] == body["request_id"]
    assert (body["request_id"] == "mine-1") == (b"mine-1" in more)
    assert headers["rpsd-config"] == "0123"
    door.answer_at_sight(PLAIN)
    door.tell()
    door.tell()
    assert counted == [("none", "POST", 503, 2), ("shed", 2)]
    assert [line["requests"] for line in state.log.lines] == [2]


def test_headers_that_nearly_fit_take_no_time():
    data = HEAD + b"".join(b"X-%d:   \r\n" % k for k in range(400)) + b"\x01"
    begin = time.thread_time()
    assert make_door()[0].answer_at_sight(data) is None
    assert time.thread_time() - begin < 1


def test_who_waited_long_outside_is_not_let_in():
    door, state, _ = make_door(crowded=False)
    assert door.answer_at_sight(PLAIN) is None
    assert door.refusal(time.monotonic()) is None
    assert state.admission.taken == 1
    assert isinstance(door.refusal(time.monotonic() - 2), Problem)
    assert state.admission.taken == 1


def test_over_http(start):
    """Connections stay, health is answered, and who is turned away is counted and told of."""
    server = start(prelude=CROWDED)
    connection = server.connect()
    for body in (b'{"values": [1, 2]}', b"x" * 60_000):
        connection.request("POST", "/v1/denoise", body, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        assert (answer.status, answer.getheader("connection")) == (503, None)
        assert json.loads(answer.read())["status"] == 503
    connection.request("HEAD", "/v1/denoise", headers={"Content-Length": "0"})
    answer = connection.getresponse()
    assert (answer.status, answer.read()) == (503, b"")  # what came with it would be the next answer
    connection.request("GET", "/health/live")
    assert connection.getresponse().status == 200
    connection.close()
    closing = server.post({"values": [1, 2]}, connection="close")
    assert (closing.status, closing.headers["connection"]) == (503, "close")
    assert sum(line["requests"] for line in [server.logged(problem="overloaded")]) >= 1
    metrics = server.ask("GET", "/metrics").body.decode()
    assert 'rpsd_shed_total{reason="queue"} 4.0' in metrics
    assert server.stop() == 0


@pytest.mark.skipif(sys.platform != "linux", reason="other systems do not tell")
def test_the_clock_starts_where_the_system_has_the_bytes():
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        socket.create_connection(listener.getsockname()) as client,
        listener.accept()[0] as peer,
    ):
        client.sendall(b"x")
        time.sleep(0.3)
        arrival = Arrival(SimpleNamespace(get_extra_info=lambda name: peer))
        waited = time.monotonic() - arrival.moment()
        arrival.close()
        assert peer.recv(1) == b"x"  # the socket is still the transport's
    assert 0.25 < waited < 10


@pytest.mark.skipif(sys.platform != "linux", reason="other systems do not tell")
def test_a_deadline_counts_from_the_arrival(start):
    """What waited in its socket for longer than a request may take is not answered as if it had just come."""
    server = start(request_timeout=1.5)
    with contextlib.closing(server.connect()) as held:
        held.request("GET", "/health/live")
        assert held.getresponse().read()
        server.process.send_signal(signal.SIGSTOP)
        held.request("POST", "/v1/denoise", b'{"values": [1, 2]}', {"Content-Type": "application/json"})
        time.sleep(1.7)
        server.process.send_signal(signal.SIGCONT)
        assert held.getresponse().status == 503
    assert server.post({"values": [1, 2]}).status == 200
    assert server.stop() == 0


@pytest.mark.skipif(sys.platform == "win32", reason="uvloop is not made for it")
def test_connections_that_wait_are_taken_together():
    import uvloop

    made = []

    async def turns():
        loop, acceptor = asyncio.get_running_loop(), Acceptor()

        class Protocol(asyncio.Protocol):
            def connection_made(self, transport):
                made.append(transport)
                acceptor.ask()

        with socket.create_server(("127.0.0.1", 0), backlog=64) as listener:
            server = await loop.create_server(Protocol, sock=listener)
            acceptor.start(loop, [listener], Protocol)
            clients = [socket.create_connection(listener.getsockname()) for _ in range(40)]
            for _ in range(12):  # a connection each, without
                await asyncio.sleep(0)
            count = len(made)
            for one in (*clients, *made):
                one.close()
            server.close()
            await asyncio.sleep(0.05)
        return count

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        assert runner.run(turns()) == 40


class Light:
    """Work that the loop may do."""

    light, alike = True, "alike"

    def __init__(self, sizes):
        self.sizes = sizes

    def __call__(self, stop):
        self.sizes.append((1, threading.current_thread() is threading.main_thread()))
        return "done"

    def together(self, works, stops):
        self.sizes.append((len(works), threading.current_thread() is threading.main_thread()))
        return ["done"] * len(works)


def test_light_work_is_done_by_the_loop_and_together():
    sizes = []

    async def scenario():
        workers = Workers(1)
        admission = Admission(workers, 100, 1000)
        jobs = [admission.run(1, Deadline(30), Light(sizes), None) for _ in range(20)]
        late = admission.run(1, Deadline(-1), Light(sizes), None)
        results = await asyncio.gather(late, *jobs, return_exceptions=True)
        workers.close()
        assert (admission.waiting, admission.waiting_points, admission.running) == (0, 0, 0)
        return results

    late, *results = asyncio.run(scenario())
    assert isinstance(late, Problem)
    assert late.name == "deadline-exceeded"
    assert results == ["done"] * 20
    assert sum(size for size, _ in sizes) == 20
    assert max(size for size, _ in sizes) > 1
    assert all(here for _, here in sizes)


def test_nobody_is_let_in_while_the_first_waits_long():
    async def scenario():
        workers, gate = Workers(1), threading.Event()
        admission = Admission(workers, 100, 1000)
        admission.pace.most = 0.05
        tasks = [
            asyncio.create_task(
                admission.run(1, Deadline(30), lambda stop: gate.wait(30), asyncio.Event().wait)
            )
            for _ in range(2)
        ]
        await asyncio.sleep(0)
        before = admission.crowded
        await asyncio.sleep(0.2)
        after = admission.crowded
        gate.set()
        await asyncio.gather(*tasks)
        workers.close()
        return before, after, admission.crowded

    assert asyncio.run(scenario()) == (False, True, False)


def waits(seconds, waited, others=()):
    """Whether the door is closed once a request that waits for so many seconds has waited for some."""

    async def scenario():
        workers, gate = Workers(1), threading.Event()
        admission = Admission(workers, 100, 1000)
        admission.pace.most = 36.0
        for other in others:
            admission.pace.came(other)
        begin = Deadline(seconds, time.monotonic() - waited)
        tasks = [
            asyncio.create_task(admission.run(1, deadline, lambda stop: gate.wait(30), asyncio.Event().wait))
            for deadline in (Deadline(30), begin)
        ]
        await asyncio.sleep(0)
        crowded = admission.crowded
        gate.set()
        await asyncio.gather(*tasks, return_exceptions=True)
        workers.close()
        return crowded

    return asyncio.run(scenario())


def test_the_door_goes_by_what_those_who_wait_wait_for():
    assert waits(10.0, 8.0)
    assert not waits(60.0, 8.0)
    assert not waits(60.0, 8.0, others=[1.0] * 20 + [60.0] * 21)
    assert waits(60.0, 8.0, others=[1.0] * 21 + [60.0] * 20)


def test_who_waited_outside_is_judged_by_what_clients_wait_for():
    door, state, _ = make_door(crowded=False)
    state.admission.pace = Pace()
    state.admission.pace.most = 36.0
    assert door.refusal(time.monotonic() - 2) is None
    for _ in range(10):
        state.admission.pace.came(0.25)
    assert isinstance(door.refusal(time.monotonic() - 2), Problem)
    assert door.refusal(time.monotonic()) is None
    for _ in range(100):
        state.admission.pace.came(1e-6)
    assert door.refusal(time.monotonic()) is None  # never less than a turn of the loop


@pytest.mark.parametrize("light", [False, True])
def test_what_would_be_too_late_is_told_at_once(light):
    sizes = []

    async def scenario():
        workers, gate, counted = Workers(1), threading.Event(), []
        admission = Admission(workers, 100, 1000, counted.append)
        for _ in range(9):
            admission.pace.took(1.0, light=light)
        admission.pace.took(1e6, light=light)  # one is no rule

        def ask(seconds):
            work = Light(sizes) if light else lambda stop: gate.wait(30)
            return asyncio.create_task(admission.run(1, Deadline(seconds), work, asyncio.Event().wait))

        tasks = [ask(seconds) for seconds in (30, 30, 1.5, 10)]
        await asyncio.sleep(0)
        gate.set()
        results = await asyncio.gather(*tasks, return_exceptions=True)
        workers.close()
        return results, counted

    results, counted = asyncio.run(scenario())
    assert [isinstance(one, Problem) and one.name for one in results] == [False, False, "overloaded", False]
    assert counted == ["shed"]


def test_a_client_that_leaves_while_its_body_comes_is_told_of(start):
    server = start()
    with socket.create_connection(("127.0.0.1", server.port)) as raw:
        raw.sendall(HEAD + b"X-Request-ID: left\r\nContent-Length: 100\r\n\r\n{")
    assert server.logged(request_id="left")["status"] == 499
    assert server.stop() == 0
