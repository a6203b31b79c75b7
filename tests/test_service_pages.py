# SPDX-License-Identifier: MIT
"""Pages of the web that a browser on this machine would let ask a service without credentials."""

import pytest
from serving import server

__all__ = ["server"]
FOREIGN = (403, "urn:rpsd:problem:foreign-page")
REBOUND = [
    "evil.example",
    "evil.example:8000",
    "EVIL.example.",
    "127.0.0.1.nip.io",
    "localhost.evil.example",
    "[::1].x",
]
OWN = [
    "127.0.0.1",
    "127.0.0.1:8000",
    "[::1]:8000",
    "localhost",
    "LOCALHOST:9",
    "localhost.",
    "api.localhost",
    "desk:8000",
]
CHANGES = [
    ("POST", "/v1/streams"),
    ("POST", "/v2/models/rpsd/infer"),
    ("PUT", "/admin/log-level"),
    ("POST", "/v1/denoise"),
    ("GET", "/metrics"),
    ("GET", "/health/detailed"),
]


def told(answer):
    return answer.status, answer.json.get("type")


@pytest.mark.parametrize("host", REBOUND)
def test_a_name_that_others_give_out_is_none_of_this_service(server, host):
    for method, path in CHANGES:
        assert told(server.ask(method, path, host=host)) == FOREIGN
    # A page at that name sends it as its origin too.
    assert told(server.ask("POST", "/v1/streams", host=host, origin=f"http://{host}")) == FOREIGN
    assert server.ask("GET", "/health/live", host=host).status == 200  # probes name what they like


@pytest.mark.parametrize("host", OWN)
def test_names_that_nobody_else_gives_out_are_taken(server, host):
    assert server.ask("GET", "/metrics", host=host).status == 200
    answer = server.post({"values": [1.0, 2.0]}, host=host, origin=f"http://{host}")
    assert answer.status == 200


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://127.0.0.1:1", "", "http://["])
def test_a_page_of_another_origin_changes_and_reads_nothing(server, origin):
    for method, path in CHANGES:
        assert told(server.ask(method, path, origin=origin)) == FOREIGN
    assert server.ask("GET", "/v1/streams").json == {"streams": []}


def test_who_names_no_host_is_no_browser(server):
    assert server.send(b"GET /metrics HTTP/1.0\r\n\r\n").startswith(b"HTTP/1.1 200 ")
