# SPDX-License-Identifier: MIT
"""What the service refuses, and how: problem details from one catalogue, never a word of its insides."""

import gzip
import json
import re
import socket
from pathlib import Path

import numpy as np
import pytest
from serving import server, wait_until

from rpsd.service._problems import CATALOGUE

__all__ = ["server"]
BINARY = "application/octet-stream"
OK = [1.0, 2.0, 3.0]


def deep(n):
    return '{"values": [1], "fir_window": ' + "[" * n + "]" * n + "}"


REFUSED = {
    "NaN": ('{"values": [1, NaN]}', 400, "malformed-body"),
    "infinity": ('{"values": [1, Infinity]}', 400, "malformed-body"),
    "large number": ('{"values": [1e999]}', 422, "invalid-request"),
    "cut off": ('{"values": [1, 2', 400, "malformed-body"),
    "nothing": ("", 400, "malformed-body"),
    "two": ('{"values": [1]} {"values": [1]}', 400, "malformed-body"),
    "not UTF-8": (b'{"values": [1], "wavelet": "\xff"}', 400, "malformed-body"),
    "list": ("[1, 2, 3]", 422, "invalid-request"),
    "text": ('{"values": [1, "2"]}', 422, "invalid-request"),
    "truth": ('{"values": [1, true]}', 422, "invalid-request"),
    "rows": ('{"values": [[1, 2], [3, 4]]}', 422, "invalid-request"),
    "no values": ("{}", 422, "invalid-request"),
    "both": ('{"values": [1], "series": {"a": [1]}}', 422, "invalid-request"),
    "unknown": ('{"values": [1], "levle": 3}', 422, "invalid-request"),
    "threads": ('{"values": [1], "threads": 64}', 422, "invalid-request"),
    "level": ('{"values": [1], "level": "x"}', 422, "invalid-request"),
    "wavelet": ('{"values": [1], "wavelet": "/etc/passwd"}', 422, "invalid-request"),
    "clash": ('{"values": [1], "method": "kalman", "noise": "mad"}', 422, "invalid-request"),
    "mask": ('{"values": [1], "breaks": [true, false]}', 422, "invalid-request"),
    "policy": ('{"values": [1], "lookahead": 0, "guardrails": {"policy": "relax"}}', 422, "invalid-request"),
    "guardrail": ('{"values": [1], "guardrails": {"no": 1}}', 422, "invalid-request"),
    "report": ('{"values": [1], "report": "all"}', 422, "invalid-request"),
    "deep": (deep(40), 400, "malformed-body"),
    "deepest": (deep(100_000), 400, "malformed-body"),
}


def require_problem(answer, status, name):
    assert answer.status == status, answer.body
    assert answer.headers["content-type"] == "application/problem+json"
    content = answer.json
    assert content["type"] == f"urn:rpsd:problem:{name}"
    assert content["status"] == status
    assert content["title"]
    assert content["detail"]
    assert content["request_id"] == answer.headers["x-request-id"]
    assert not re.search(r"Traceback|\.py|/usr|/home|/tmp|0x[0-9a-f]{6}", answer.body.decode())
    return content["detail"]


@pytest.mark.parametrize(("body", "status", "name"), REFUSED.values(), ids=REFUSED)
def test_bodies_that_are_refused(server, body, status, name):
    body = body if isinstance(body, bytes) else body.encode()
    require_problem(server.post(body), status, name)


def test_messages_name_what_came_and_what_is_allowed(server):
    def detail(content):
        return server.post(content).json["detail"]

    assert detail({"values": OK, "level": -3}) == 'level must be "auto" or an integer from 0 to 64, got -3'
    assert "levle" in detail({"values": OK, "levle": 3})
    assert "$.values[1]" in detail({"values": [1, "x"]})
    assert detail({"series": {"a": OK, "b": [1.0] * 9}, "breaks": [True] + [False] * 8}).startswith(
        'series "a": '
    )


QUERIES = {
    "twice": "level=1&level=2",
    "unknown": "levle=3",
    "value": "level=x",
    "no value": "level",
    "series": "series=0",
    "negative": "series=-1",
    "digits of another script": "series=%D9%A2",
    "thousands of digits": "series=" + "9" * 4301,
    "thousands of digits of an option": "level=" + "9" * 4301,
    "guardrail": "guardrails.no=1",
    "many": "&".join(f"a{k}=1" for k in range(200)),
}


@pytest.mark.parametrize("query", QUERIES.values(), ids=QUERIES)
def test_queries_that_are_refused(server, query):
    answer = server.post(np.ones(4).tobytes(), f"/v1/denoise?{query}", content_type=BINARY)
    require_problem(answer, 422, "invalid-request")


def test_options_of_json_are_in_its_body(server):
    require_problem(server.post({"values": OK}, "/v1/denoise?level=1"), 422, "invalid-request")


@pytest.mark.parametrize(("size", "query"), [(7, ""), (9, ""), (8 * 5, "?series=2")])
def test_bytes_that_are_no_whole_series_are_refused(server, size, query):
    answer = server.post(bytes(size), f"/v1/denoise{query}", content_type=BINARY)
    require_problem(answer, 400, "malformed-body")


def test_infinite_bytes_are_refused_as_python_refuses_them(server):
    answer = server.post(np.array([1, np.inf]).tobytes(), content_type=BINARY)
    assert "inf" in require_problem(answer, 422, "invalid-request")


@pytest.mark.parametrize(
    ("headers", "status", "name"),
    [
        ({"content_type": "text/csv"}, 415, "unsupported-media-type"),
        ({"content_type": ""}, 415, "unsupported-media-type"),
        ({"content_type": "application/json; charset=latin-1"}, 415, "unsupported-media-type"),
        ({"content_type": "application/json; charset=utf-16"}, 415, "unsupported-media-type"),
        ({"content_type": "application/jsonx"}, 415, "unsupported-media-type"),
        ({"content_type": "application/json, application/json"}, 415, "unsupported-media-type"),
        ({"accept": "application/json;q=nan"}, 406, "not-acceptable"),
        ({"accept": "*/*;q=0"}, 406, "not-acceptable"),
        ({"content_encoding": "br"}, 415, "unsupported-media-type"),
        ({"content_encoding": "gzip"}, 400, "malformed-body"),
        ({"accept": "text/html"}, 406, "not-acceptable"),
        ({"accept": "application/json;q=0, text/*"}, 406, "not-acceptable"),
        ({"request_timeout": "soon"}, 422, "invalid-request"),
        ({"request_timeout": "-1"}, 422, "invalid-request"),
        ({"request_timeout": "nan"}, 422, "invalid-request"),
        ({"request_timeout": "1_0"}, 422, "invalid-request"),
    ],
)
def test_headers_that_are_refused(server, headers, status, name):
    require_problem(server.post({"values": OK}, **headers), status, name)


@pytest.mark.parametrize("path", ["/", "/v1", "/v1/nothing", "/../etc/passwd", "/%2e%2e/x", "/v1/denoise%00"])
def test_addresses_without_anything(server, path):
    require_problem(server.ask("GET", path), 404, "not-found")


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/v1/denoise"), ("DELETE", "/v1/denoise"), ("POST", "/health")]
)
def test_methods_that_an_address_does_not_take(server, method, path):
    answer = server.ask(method, path)
    assert require_problem(answer, 405, "method-not-allowed").startswith("allowed: ")
    assert answer.headers["allow"]


@pytest.mark.parametrize(
    "packed",
    [
        gzip.compress(bytes(2**26)),  # a bomb: a thousand times its size
        gzip.compress(bytes(8))[:-4],
        gzip.compress(bytes(8)) + b"more",
    ],
    ids=["bomb", "cut", "longer"],  # the bytes have the time in them
)
def test_packed_bodies_that_are_refused(server, packed):
    answer = server.post(packed, content_type=BINARY, content_encoding="gzip")
    assert answer.status in (400, 413)
    require_problem(answer, answer.status, "too-large" if answer.status == 413 else "malformed-body")


POST = b"POST /v1/denoise HTTP/1.1\r\nHost: x\r\n"
MALFORMED = {
    "garbage": b"\x00\x01\x02\r\n\r\n",
    "version": b"GET /health HTTP/x\r\n\r\n",
    "two lengths": POST + b"Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
    "length and chunks": POST + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "negative": POST + b"Content-Length: -3\r\n\r\n",
    "chunk": POST + b"Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n",
    "header": b"GET /health HTTP/1.1\r\nHost: x\r\nA B: c\r\n\r\n",
}


@pytest.mark.parametrize("data", MALFORMED.values(), ids=MALFORMED)
def test_malformed_http_is_a_problem_and_an_end(server, data):
    received = server.send(data)
    head, _, body = received.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400 ")
    assert b"content-type: application/problem+json" in head
    assert json.loads(body)["type"] == "urn:rpsd:problem:malformed-request"


def test_addresses_and_headers_have_a_largest_size(server):
    for data, status in (
        (b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", 414),
        (b"GET /health HTTP/1.1\r\nHost: x\r\nA: " + b"a" * 17000 + b"\r\n\r\n", 431),
        (b"GET /health HTTP/1.1\r\nHost: x\r\n" + b"a: b\r\n" * 9000 + b"\r\n", 431),
    ):
        assert server.send(data).startswith(f"HTTP/1.1 {status} ".encode())
    assert server.ask("GET", "/health", a="a" * 16000).status == 200


def test_a_client_that_leaves_in_the_middle_of_its_body_is_noticed(server):
    head = POST + b"Content-Type: application/json\r\nContent-Length: 99\r\nX-Request-ID: left\r\n\r\n"
    with socket.create_connection(("127.0.0.1", server.port)) as raw:
        raw.sendall(head + b"{")
    assert server.logged(request_id="left")["status"] == 499


def test_the_page_lists_the_catalogue():
    page = (Path(__file__).parents[1] / "docs" / "service.md").read_text(encoding="utf-8")
    listed = re.findall(r"^\| `urn:rpsd:problem:([\w-]+)` \| (\d+) (.*) \|$", page, re.M)
    assert listed == [(name, str(entry.status), entry.title) for name, entry in CATALOGUE.items()]


def test_nothing_here_was_the_services_own_fault(server):
    wait_until(lambda: server.ask("GET", "/metrics").status == 200)
    assert not [line for line in server.log if line["level"] in ("ERROR", "CRITICAL")]
    assert server.ask("GET", "/health/detailed").json["denoiser"]["error_rate"] == 0.0
