# SPDX-License-Identifier: MIT
"""A long series that nobody waits for any more is not computed to its end: the only worker is free again.

The series takes the default twelve seconds of a processor or more; what comes next has six.
"""

import contextlib
import socket
import time

import numpy as np
import pytest
from serving import Server, wait_until

import rpsd

BINARY = "application/octet-stream"


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    running = Server(
        tmp_path_factory.mktemp("home"), max_workers=1, cache_size=0, request_timeout=300, on_failure="raw"
    )
    try:
        yield running.wait()
        assert running.stop() == 0
    finally:
        running.process.kill()


@pytest.fixture(scope="module")
def long():
    rng = np.random.default_rng(5)
    heavy = np.cumsum(rng.standard_t(3, 1_000_000)) + rng.standard_t(2.5, 1_000_000) / 2
    return (100 + heavy).tobytes()


def metric(server, name):
    lines = server.ask("GET", "/metrics").body.decode().splitlines()
    return next(float(line.split()[1]) for line in lines if line.startswith(f"{name} "))


def is_free_again(server, given_up):
    """Whether the next request is answered in time, with its bits, and the long one is over."""
    x = 100 + rpsd.simulate("a", 3000, seed=1).noisy
    answer = server.post(x.tobytes(), content_type=BINARY, request_timeout="6")
    assert answer.status == 200
    assert answer.body == rpsd.denoise(x).tobytes()
    assert metric(server, "rpsd_abandoned_total") == given_up
    assert metric(server, "rpsd_requests_abandoned") == 0
    # It is no failure of the computation, which `on_failure` would answer.
    assert not [line for line in server.log if "degraded" in line or "trace" in line]


@pytest.mark.parametrize("path", ["/v1/denoise", "/v1/denoise?report=full", "/v1/noise"])
def test_the_client_leaves(server, long, path):
    before = metric(server, "rpsd_abandoned_total")
    head = f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: {BINARY}\r\nAccept: application/json\r\n"
    with contextlib.closing(socket.create_connection(("127.0.0.1", server.port), timeout=60)) as client:
        client.sendall(f"{head}Content-Length: {len(long)}\r\n\r\n".encode() + long)
        wait_until(lambda: metric(server, "rpsd_kernel_threads_busy") == 1)
        time.sleep(0.3)
    is_free_again(server, before + 1)


def test_the_deadline_passes(server, long):
    before = metric(server, "rpsd_abandoned_total")
    answer = server.post(long, content_type=BINARY, request_timeout="0.5")
    assert (answer.status, answer.json["type"]) == (504, "urn:rpsd:problem:deadline-exceeded")
    is_free_again(server, before + 1)
