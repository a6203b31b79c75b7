# SPDX-License-Identifier: MIT
"""The WebSocket /v1/stream: order, bits, limits, and how it ends."""

import json
import signal
import socket
import time

import numpy as np
import pytest
from serving import server, start, wait_until
from streaming import PATH, Socket, create, given, push, same, samples, taken
from websockets.exceptions import ConnectionClosed, InvalidStatus

import rpsd

__all__ = ["server", "start"]
X = samples(900, seed=5)


def closing(connection):
    """Return what comes until the other side closes, and its code."""
    messages = []
    while True:
        try:
            messages.append(connection.receive())
        except ConnectionClosed as closed:
            return messages, closed.rcvd.code


def test_estimates_come_in_order_with_the_bits_of_the_batch(server):
    with Socket(server, {"create": {"lookahead": 4}}) as connection:
        for k in range(0, 900, 3):
            connection.push(X[k : k + 3])
        answers = [connection.receive() for _ in range(300)]
        assert [one["sequence"] for one in answers] == list(range(1, 301))
        assert same(taken([value for one in answers for value in one["values"]]), X, 4)
    line = server.logged(operation="stream", stream=connection.told["id"])
    assert (line["status"], line["data_size"], line["level"]) == (101, 900, "INFO")


def test_every_change_is_that_of_the_library(server):
    stream = rpsd.Denoiser(lookahead=1).stream(2)
    with Socket(server, {"create": {"lookahead": 1, "series": 2}}) as connection:
        block = X[:40].reshape(2, 20)
        connection.send({"values": [given(row) for row in block], "sequence": 1})
        assert connection.receive()["values"] == [given(row) for row in stream.push_many(block)]
        connection.send({"op": "amend", "values": [[1.0], [2.0]]})
        assert connection.receive()["values"] == [[y] for y in stream.amend([1.0, 2.0])]
        connection.send({"op": "new-session", "sequence": 3})
        assert connection.receive() == {"sequence": 3, "samples": 20}
        connection.send({"op": "acknowledge"})
        stream.new_session()
        stream.acknowledge()
        assert connection.receive() == {"sequence": 4, "samples": 20}
        connection.raw.send(block.tobytes())
        assert connection.raw.recv(timeout=45) == stream.push_many(block).tobytes()
        id = connection.told["id"]
    assert server.ask("GET", f"{PATH}/{id}/snapshot").body == stream.snapshot()


def test_a_connection_that_breaks_is_resumed(server):
    """What was not answered is pushed again; what had been made all the same is answered as before."""
    with Socket(server, {"create": {"lookahead": 2}}) as connection:
        id = connection.told["id"]
        y = []
        for k in range(20):
            connection.push(X[k * 5 : k * 5 + 5], k + 1)
        for _ in range(7):
            y.extend(connection.receive()["values"])
        wait_until(lambda: server.ask("GET", f"{PATH}/{id}").json["sequence"] >= 12)
        connection.raw.socket.shutdown(socket.SHUT_RDWR)
    with Socket(server, {"resume": id, "sequence": 7}) as connection:
        assert connection.told["sequence"] >= 12
        for k in range(7, 30):
            connection.push(X[k * 5 : k * 5 + 5], k + 1)
        for k in range(7, 30):
            answer = connection.receive()
            assert answer["sequence"] == k + 1
            y.extend(answer["values"])
    assert same(taken(y), X[:150], 2)
    push(server, id, X[150:], 31)  # the same stream by the other way


@pytest.mark.parametrize(
    ("messages", "code", "name"),
    [
        (['{"values": [1, "2"]}'], 1008, "invalid-request"),
        (['{"values": [1], "sequence": 9}'], 1008, "conflict"),
        (['{"values": [1], "op": "pull"}'], 1008, "invalid-request"),
        (['{"op": "push"}'], 1008, "invalid-request"),
        (['{"op": "amend", "values": [1]}'], 1008, "conflict"),
        (['{"values": [1'], 1007, "malformed-body"),
        ([b"123"], 1007, "malformed-body"),
        ([json.dumps({"values": [1.0] * 8193})], 1009, "too-large"),
    ],
)
def test_what_is_refused_ends_it_after_what_came_before(server, messages, code, name):
    with Socket(server, {"create": {}}) as connection:
        good = [] if "amend" in str(messages) else ['{"values": [100, 101]}']
        for message in [*good, *messages, '{"values": [102]}']:
            connection.raw.send(message)
        found, closed = closing(connection)
    assert closed == code
    assert [one["sequence"] for one in found[:-1]] == list(range(1, len(good) + 1))
    assert found[-1]["type"] == f"urn:rpsd:problem:{name}"
    shown = server.ask("GET", f"{PATH}/{connection.told['id']}").json
    assert shown["sequence"] == len(good)
    server.logged(operation="stream", stream=connection.told["id"], level="WARNING", problem=name)


@pytest.mark.parametrize(
    ("first", "name"),
    [
        ({}, "invalid-request"),
        ({"create": {}, "resume": "a"}, "invalid-request"),
        ({"create": {"levle": 1}}, "invalid-request"),
        ({"create": {"breaks": "auto"}}, "invalid-request"),
        ({"resume": "nothing"}, "not-found"),
        ({"values": [1]}, "invalid-request"),
    ],
)
def test_first_messages_that_are_none(server, first, name):
    with Socket(server, first) as connection:
        assert connection.told["type"] == f"urn:rpsd:problem:{name}"
        assert closing(connection) == ([], 1008)


def test_a_resumed_stream_that_has_lost_something_says_so(server):
    id = create(server)
    push(server, id, X[:5], 1)
    with Socket(server, {"resume": id, "sequence": 2}) as connection:
        assert connection.told["type"] == "urn:rpsd:problem:conflict"
        assert connection.told["sequence"] == 1


def test_a_message_that_is_too_large_is_not_read(server):
    with Socket(server, {"create": {}}) as connection:
        connection.raw.send("x" * 400_000)
        assert closing(connection) == ([], 1009)


def refused(server, path="/v1/stream", **more):
    with pytest.raises(InvalidStatus) as error:
        Socket(server, {}, **more)
    response = error.value.response
    return response.status_code, json.loads(response.body)["type"].rpartition(":")[2]


def test_handshakes_that_are_refused(server, start):
    assert refused(server, origin="http://evil.example") == (403, "foreign-page")
    assert server.logged(status=403)["level"] == "WARNING"
    assert not [line for line in server.log if line["operation"] == "uvicorn.error"]
    with Socket(server, {"create": {}}, origin=f"http://127.0.0.1:{server.port}"):
        pass
    handshake = (
        "GET /v1/other HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
    )
    answer = server.send(handshake.encode())
    assert answer.startswith(b"HTTP/1.1 404 ")
    assert b"urn:rpsd:problem:not-found" in answer
    assert server.ask("GET", "/v1/stream").status == 404  # without an upgrade there is nothing


def opened(server):
    metrics = server.ask("GET", "/metrics").body.decode()
    return next(
        float(line.split()[1]) for line in metrics.splitlines() if line.startswith("rpsd_sessions_open")
    )


def test_limits_idleness_and_the_drain(start):
    server = start(max_sessions=2, session_idle_timeout=5, drain_delay=30)
    with Socket(server, {"create": {}}) as idle, Socket(server, {"create": {}}) as other:
        assert opened(server) == 2
        assert refused(server) == (503, "overloaded")
        found, code = closing(idle)
        assert (found[0]["type"], code) == ("urn:rpsd:problem:slow-request", 1008)
        closing(other)
    wait_until(lambda: opened(server) == 0)
    with Socket(server, {"create": {"lookahead": 1}}) as connection:
        connection.push(X[:10])
        assert connection.receive()["samples"] == 10
        server.process.send_signal(signal.SIGTERM)
        assert closing(connection) == ([], 1001)
    assert refused(server) == (503, "not-ready")
    assert server.stop() == 1  # told a second time


def test_a_stop_at_once_ends_connections_well(start):
    server = start()
    with Socket(server, {"create": {"lookahead": 1}}) as connection:
        connection.push(X[:10])
        assert connection.receive()["samples"] == 10
        server.process.send_signal(signal.SIGINT)
        assert closing(connection) == ([], 1001)
    assert server.finished() == 0


def test_a_fast_client_is_held_up(server):
    """One that sends and never reads fills what lies between, and no memory of the service."""
    message = json.dumps({"values": [1.0] * 8000})
    with Socket(server, {"create": {}}) as connection:
        raw = connection.raw.socket
        raw.settimeout(2)
        payload = message.encode()
        frame = bytes([0x81, 0xFE]) + len(payload).to_bytes(2, "big") + bytes(4) + payload
        with pytest.raises(TimeoutError):
            raw.sendall(frame * 3000)
        assert server.ask("GET", "/health/live").status == 200
        raw.close()


def test_connections_outlive_the_time_of_a_request(start):
    server = start(header_timeout=0.5, body_timeout=0.5)
    with Socket(server, {"create": {}}) as connection:
        time.sleep(1.5)
        connection.push(np.ones(3))
        assert connection.receive()["samples"] == 3
