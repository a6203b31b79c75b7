# SPDX-License-Identifier: MIT
"""Start and stop: where it listens, what it refuses, and that nothing is lost when it is told to go."""

import contextlib
import http.client
import signal
import socket
import subprocess
import sys
import threading

import numpy as np
import pytest
from command import own_home
from serving import free_port, start, wait_until

import rpsd
from rpsd.cli import main

__all__ = ["own_home", "start"]
BINARY = "application/octet-stream"


#: Each request keeps the event loop for a while.
SLOW = """
import time
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle
run = RequestResponseCycle.run_asgi
async def slow(self, app):
    time.sleep(0.01)
    await run(self, app)
RequestResponseCycle.run_asgi = slow
"""


def long_body():
    """A request that takes a second or so."""
    return 100 + rpsd.simulate("a", 200_000, seed=1).noisy


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1"])
def test_it_listens_on_loopback_only_by_itself(capsys, host):
    assert main(["serve", "--host", host, "--metrics-port", str(free_port())]) == 2
    assert f'host "{host}" needs tls_certificate and tls_key' in capsys.readouterr().err


def test_a_host_that_is_none(capsys):
    assert main(["serve", "--host", "no such host"]) == 2
    assert "host must be an address or a name of this machine" in capsys.readouterr().err


def test_options_that_fit_no_denoiser_are_refused_at_the_start(capsys):
    assert main(["serve", "--method", "kalman", "--noise", "mad"]) == 2
    assert "noise" in capsys.readouterr().err


def test_a_port_that_is_taken(start, capsys):
    running = start()
    assert main(["serve", "--metrics-port", str(running.port)]) == 1
    assert f"port {running.port} of 127.0.0.1 cannot be had" in capsys.readouterr().err


def test_the_extra_is_named_where_it_is_missing(monkeypatch, capsys):
    for name in [name for name in sys.modules if name.startswith(("rpsd.service", "litestar"))]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "litestar", None)
    assert main(["serve"]) == 1
    assert 'pip install "rpsd[service]"' in capsys.readouterr().err


def test_the_interface_may_have_a_port_of_its_own(start):
    port = free_port()
    running = start("--port", str(port), log_level="INFO")
    asked = {"body": np.ones(3).tobytes(), "content_type": BINARY}
    assert running.ask("POST", "/v1/denoise", port=port, **asked).status == 200
    assert running.ask("POST", "/v1/denoise", **asked).status == 404
    assert running.ask("GET", "/metrics").status == 200
    assert running.ask("GET", "/metrics", port=port).status == 404
    assert running.ask("GET", "/admin/log-level").status == 200
    for path in ("/metrics/", "//metrics", "/admin/log-level/", "/v1/denoise/", "/v1%2Fdenoise"):
        assert {running.ask("GET", path, port=place).status for place in (port, running.port)} == {404}
    assert running.ask("GET", "/admin/log-level", port=port).status == 404
    for place in (port, running.port):
        assert running.ask("GET", "/health", port=place).status == 200
    assert str(port) in running.logged(operation="start")["message"]


def test_the_configuration_is_what_requests_find(start, tmp_path):
    (tmp_path / "c.yaml").write_text(
        "denoiser: {method: wavelet, noise: mad, level: 2}\nservice: {max_points: 100}\n"
    )
    running = start("--config", "c.yaml")
    x = 100 + rpsd.simulate("a", 100, seed=1).noisy
    expected = {"method": "wavelet", "noise": "mad"}
    answer = running.ask("POST", "/v1/denoise", x.tobytes(), content_type=BINARY)
    assert answer.body == rpsd.denoise(x, level=2, **expected).tobytes()
    answer = running.ask("POST", "/v1/denoise?level=3", x.tobytes(), content_type=BINARY)
    assert answer.body == rpsd.denoise(x, level=3, **expected).tobytes()
    assert running.ask("POST", "/v1/denoise", np.ones(101).tobytes(), content_type=BINARY).status == 413


def test_who_comes_new_is_let_in_while_others_ask(start):
    """Not one in a turn of the event loop: with much to do turns are long, and probes would wait for them."""
    running = start(prelude=SLOW)
    regulars, new, over = [0] * 8, 48, threading.Event()

    def ask_again(k):
        with contextlib.closing(running.connect()) as connection:
            while not over.is_set():
                connection.request("GET", "/health/live")
                connection.getresponse().read()
                regulars[k] += 1

    clients = [threading.Thread(target=ask_again, args=(k,)) for k in range(len(regulars))]
    for client in clients:
        client.start()
    wait_until(lambda: min(regulars) > 0)
    before = sum(regulars)
    with contextlib.ExitStack() as stack:
        opened = [
            stack.enter_context(socket.create_connection(("127.0.0.1", running.port))) for _ in range(new)
        ]
        for raw in opened:
            raw.sendall(b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n")
        assert all(raw.recv(12) == b"HTTP/1.1 200" for raw in opened)
        turns = (sum(regulars) - before) / len(regulars)
    over.set()
    for client in clients:
        client.join()
    assert turns < new / 2


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_what_is_under_way_is_finished(start, number):
    running = start()
    x = long_body()
    answers = []

    def ask():
        answers.append(running.ask("POST", "/v1/denoise", x.tobytes(), content_type=BINARY))

    with contextlib.closing(running.connect()) as idle:  # that nobody uses must not keep it
        idle.request("GET", "/health")
        assert idle.getresponse().read()
        client = threading.Thread(target=ask)
        client.start()
        wait_until(lambda: b"rpsd_kernel_threads_busy 1" in running.ask("GET", "/metrics").body)
        assert running.stop(number) == 0
        client.join()
    assert answers[0].body == rpsd.denoise(x).tobytes()
    assert answers[0].headers["connection"] == "close"
    assert running.log[-1]["message"].startswith("stopped")


def test_while_it_drains_it_answers_and_says_that_it_goes(start):
    running = start(drain_delay=1.5)
    kept = running.connect()
    kept.request("GET", "/health/ready")
    assert kept.getresponse().read()
    running.process.send_signal(signal.SIGTERM)
    running.logged(operation="stop")
    kept.request("GET", "/health/ready")
    first = kept.getresponse()
    assert (first.status, first.getheader("connection")) == (503, "close")
    assert b"draining" in first.read()
    answer = running.ask("POST", "/v1/denoise", np.ones(9).tobytes(), content_type=BINARY)
    assert (answer.status, answer.headers["connection"]) == (200, "close")
    assert running.ask("GET", "/health/live").status == 200
    assert running.ask("GET", "/health").status == 503
    assert running.finished() == 0
    with pytest.raises((OSError, http.client.HTTPException)):
        running.ask("GET", "/health")


def test_a_second_signal_ends_it_at_once(start):
    running = start(drain_delay=3600)
    running.process.send_signal(signal.SIGTERM)
    running.logged(operation="stop")
    assert running.stop() == 1


def test_a_log_that_nobody_reads_stops_nothing(start, tmp_path):
    running = start(wait=False, log_level="DEBUG")
    running.process.kill()
    command = [sys.executable, "-m", "rpsd.cli", "serve", "--metrics-port", str(running.port)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, cwd=tmp_path) as process:
        wait_until(running._is_ready)
        process.stderr.close()
        for _ in range(50):
            assert running.ask("GET", "/nothing").status == 404
        assert b"rpsd_log_lines_lost" in running.ask("GET", "/metrics").body
        process.kill()


def test_a_body_that_nobody_waits_for_holds_no_stop_up(start):
    server = start()
    head = (
        b"POST /none HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 70000\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", server.port), timeout=45) as raw:
        raw.sendall(head)
        assert raw.recv(65536).startswith(b"HTTP/1.1 404 ")
        assert server.stop() == 0
    assert not [line for line in server.log if line["level"] == "ERROR"]


def test_who_has_not_sent_all_of_a_body_at_the_end_of_a_drain_is_told(start):
    running = start(drain_timeout=1)
    head = b"POST /v1/denoise HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
    with socket.create_connection(("127.0.0.1", running.port), timeout=30) as raw:
        raw.sendall(head + b"Content-Length: 300000\r\n\r\n" + b" " * 200_000)
        wait_until(lambda: b"rpsd_http_requests_in_flight 2" in running.ask("GET", "/metrics").body)
        running.process.send_signal(signal.SIGTERM)
        received = b""
        with contextlib.suppress(ConnectionResetError):
            while piece := raw.recv(65536):
                received += piece
    assert received.startswith(b"HTTP/1.1 503 ")
    assert b"urn:rpsd:problem:not-ready" in received
    assert running.finished() == 0
    assert not [line for line in running.log if "ASGI" in line["message"]]
