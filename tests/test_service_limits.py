# SPDX-License-Identifier: MIT
"""How much the service takes on: sizes at and beyond their limits, a full queue, deadlines, slow clients."""

import contextlib
import json
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from serving import Server

import rpsd

BINARY = "application/octet-stream"
POST = b"POST /v1/denoise HTTP/1.1\r\nHost: x\r\n"
MOST_POINTS, MOST_SERIES, MOST_BYTES = 200_000, 3, 1_700_000


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """Return a server that takes little: one worker, a queue of one."""
    running = Server(
        tmp_path_factory.mktemp("home"),
        max_workers=1,
        queue_requests=1,
        max_points=MOST_POINTS,
        max_series=MOST_SERIES,
        max_body_bytes=MOST_BYTES,
        header_timeout=0.5,
        body_timeout=1,
    )
    try:
        yield running.wait()
        assert running.stop() == 0
    finally:
        running.process.kill()


def bytes_of(n):
    return np.full(n, 7.0).tobytes()


def problem(answer):
    return answer.status, answer.json["type"].rpartition(":")[2]


@pytest.mark.parametrize(("more", "status"), [(0, 200), (1, 413), (MOST_POINTS, 413)])
def test_samples(small, more, status):
    assert small.post(bytes_of(MOST_POINTS + more), content_type=BINARY).status == status
    text = b'{"report": "none", "values": [' + b"7," * (MOST_POINTS + more - 1) + b"7]}"
    assert small.post(text).status == status


@pytest.mark.parametrize(("count", "status"), [(MOST_SERIES, 200), (MOST_SERIES + 1, 413), (3000, 413)])
def test_series(small, count, status):
    assert small.post({"series": {str(k): [1, 2] for k in range(count)}}).status == status
    assert small.post(bytes_of(count), f"/v1/denoise?series={count}", content_type=BINARY).status == status


@pytest.mark.parametrize(("more", "status"), [(0, 200), (1, 413), (1000 * MOST_BYTES, 413)])
def test_bytes(small, more, status):
    text = b'{"values": [1, 2]' + b" " * (MOST_BYTES - 18) + b"}"
    if more:  # told by its length alone, before it is sent
        head = POST + b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n" % (MOST_BYTES + more)
        assert small.send(head).startswith(b"HTTP/1.1 413 ")
    else:
        assert small.post(text).status == status


def test_one_that_still_sends_is_heard_out_and_told(small):
    """What is refused by its length is answered before it is sent, without a reset that loses the answer."""
    body = b" " * (10 * MOST_BYTES)
    head = POST + b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body)
    for _ in range(5):
        assert small.send(head + body).startswith(b"HTTP/1.1 413 ")


def test_bytes_in_chunks_without_a_length(small):
    chunk = b"10000\r\n" + b" " * 0x10000 + b"\r\n"
    head = POST + b"Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    assert small.send(head + chunk * 30).startswith(b"HTTP/1.1 413 ")


def long_series():
    return 100 + rpsd.simulate("a", MOST_POINTS, seed=1).noisy


def test_a_full_queue_answers_everyone(small):
    x, answers = long_series(), []

    def ask():
        answers.append(small.post(x.tobytes(), content_type=BINARY))

    clients = [threading.Thread(target=ask) for _ in range(6)]
    for client in clients:
        client.start()
    lives = [small.ask("GET", "/health/live").status for _ in range(5)]
    for client in clients:
        client.join()
    assert lives == [200] * 5
    served = [answer for answer in answers if answer.status == 200]
    shed = [answer for answer in answers if answer.status != 200]
    assert len(served) >= 2
    assert shed
    expected = rpsd.denoise(x).tobytes()
    assert all(answer.body == expected for answer in served)
    for answer in shed:
        assert problem(answer) == (503, "overloaded")
        assert 1 <= int(answer.headers["retry-after"]) <= 3
    metrics = small.ask("GET", "/metrics").body.decode()
    assert f'rpsd_shed_total{{reason="queue"}} {float(len(shed))}' in metrics


def test_what_is_not_done_in_time_is_told(small):
    answer = small.post(long_series().tobytes(), content_type=BINARY, request_timeout="0.001")
    assert problem(answer) == (504, "deadline-exceeded")
    assert "rpsd_deadline_exceeded_total 1.0" in small.ask("GET", "/metrics").body.decode()


def test_a_client_that_leaves_is_noticed(small):
    body = long_series().tobytes()
    head = POST + b"Content-Type: application/octet-stream\r\nContent-Length: %d\r\n" % len(body)
    with socket.create_connection(("127.0.0.1", small.port)) as raw:
        raw.sendall(head + b"X-Request-ID: gone\r\n\r\n" + body)
    assert small.logged(request_id="gone")["status"] == 499


def test_clients_that_send_no_more_are_sent_away(small):
    told = {
        b"": b"",
        b"\r\n": b"",
        b"GET /health HTTP/1.1\r\nHos": b"HTTP/1.1 408 ",
        POST + b"Content-Type: application/json\r\nContent-Length: 9\r\n\r\n{": b"HTTP/1.1 408 ",
        b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n": b"HTTP/1.1 200 ",  # and is closed when nothing follows
    }
    with ThreadPoolExecutor(len(told)) as pool:
        answers = list(pool.map(small.send, told))
    for sent, status, received in zip(told, told.values(), answers, strict=True):
        assert received.startswith(status), sent
        assert bool(received) == bool(status), sent
        if status.endswith(b"408 "):
            content = json.loads(received.partition(b"\r\n\r\n")[2])
            assert content["type"] == "urn:rpsd:problem:slow-request"


def test_many_slow_clients_do_not_keep_others_out(small):
    with contextlib.ExitStack() as slow:
        for _ in range(200):
            raw = slow.enter_context(socket.create_connection(("127.0.0.1", small.port)))
            raw.sendall(b"GET /health HTTP/1.1\r\nA")
        assert small.post({"values": [1, 2]}).status == 200


def test_a_line_without_an_end_is_not_kept(small):
    """The parser tells of whole headers only, and joins what it has of one anew with every piece."""
    get, body = b"GET /health HTTP/1.1\r\nHost: a\r\n", b'12\r\n{"values":[1,2,3]}\r\n'
    post = POST + b"Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    heads = [(get + b"X: ", 431), (get, 431), (get + b"X:", 431), (post + body + b"0\r\nX: ", 431)]
    heads += [(post + b"3;", 431), (post, 431), (b"GET /", 414), (b"GET /health ", 431), (b"", 431)]
    fills = {get + b"X:": b" ", b"GET /health ": b" ", post: b"0", b"": b"\r\n"}
    for head, status in heads:
        fill = fills.get(head, b"a")
        received = b""
        with socket.create_connection(("127.0.0.1", small.port), timeout=30) as raw:
            raw.sendall(head + fill * (24_576 // len(fill)))  # and no more: the answer does not wait for it
            with contextlib.suppress(ConnectionResetError):
                received = raw.recv(65536)
        assert received.startswith(b"HTTP/1.1 %d " % status), (head, received)


def test_headers_up_to_the_limit(small):
    for size, status in (16_200, 200), (16_400, 431):
        for pieces in 1, 8:
            with socket.create_connection(("127.0.0.1", small.port), timeout=30) as raw:
                data = b"GET /health HTTP/1.1\r\nHost: a\r\nX: " + b"x" * size + b"\r\n\r\n"
                step = -(-len(data) // pieces)
                for start in range(0, len(data), step):
                    raw.sendall(data[start : start + step])
                assert raw.recv(65536).startswith(b"HTTP/1.1 %d " % status)


def test_an_upgrade_is_ignored_and_the_body_read(small):
    """As `curl --http2` and Java's HttpClient ask for one with every request."""
    body = b'{"values": [1, 2, 3], "report": "none"}'
    kinds = b"Connection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: AAMAAABk\r\nUpgrade: h2c\r\n"
    for asked in (
        kinds,
        b"Upgrade: websocket\r\nConnection: upgrade\r\n",
        b"Connection: Upgrade\r\nUpgrade:\r\n",
    ):
        head = POST + asked + b"Content-Type: application/json\r\n"
        whole = head + b"Content-Length: %d\r\n\r\n%b" % (len(body), body)
        chunked = head + b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
        with socket.create_connection(("127.0.0.1", small.port), timeout=30) as raw:
            for request in whole, chunked, whole:
                for start in range(0, len(request), 50):
                    raw.sendall(request[start : start + 50])
            raw.sendall(whole * 5 + b"GET /health HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            received = b""
            while piece := raw.recv(65536):
                received += piece
            assert received.count(b"HTTP/1.1 200 ") == 9, received


def test_requests_that_wait_on_their_connection_do_not_keep_others_waiting(small):
    """Which are taken one by one, however many were sent at once, and answered in their order."""
    get = b"GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n"
    last = b"GET /health/live HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
    counts = []

    def ask():
        counts.append(small.send(get * 40 + last).count(b"HTTP/1.1 200 "))

    clients = [threading.Thread(target=ask) for _ in range(10)]
    for client in clients:
        client.start()
    seen = []
    while any(client.is_alive() for client in clients):
        small.ask("GET", "/health/live")
        seen.append(len(counts))
    for client in clients:
        client.join()
    assert counts == [41] * 10
    assert sum(count == 0 for count in seen) > 60  # between any two, and not only after one of each


BLOCKED = """
import time
from rpsd.service import _door, _protocol
_protocol.Times.keep_alive = 0.3
look = _door.Door.answer_at_sight
def block(self, data):
    if b"?block" in data:
        time.sleep(1.5)
    return look(self, data)
_door.Door.answer_at_sight = block
"""


def test_a_request_that_came_before_its_connection_was_idle_for_too_long_is_answered(tmp_path):
    """The loop was busy meanwhile, and comes to look for idle connections before it reads from them."""
    running = Server(tmp_path, prelude=BLOCKED)
    blocked = threading.Thread(target=running.ask, args=("GET", "/health?block"))
    try:
        with contextlib.closing(running.wait().connect()) as idle:
            idle.request("GET", "/health/live")
            assert idle.getresponse().read()
            local = idle.sock.getsockname()
            blocked.start()
            time.sleep(0.2)  # less than it may be idle, and the loop is busy by now
            idle.request("GET", "/health/live")
            assert idle.getresponse().read()
            assert idle.sock.getsockname() == local
        blocked.join()
        assert running.stop() == 0
    finally:
        running.process.kill()
