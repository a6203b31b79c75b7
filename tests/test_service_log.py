# SPDX-License-Identifier: MIT
"""The log: five levels, changed while it runs, and nothing in it that a client sent as data."""

import errno
import io
import json

import numpy as np
import pytest
from serving import Server, wait_until

import rpsd
from rpsd.service._admin import is_local
from rpsd.service._log import Log, trace_of

LEVELS = ["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"]
PATH = "/admin/log-level"
BREAKABLE = """
import pathlib, rpsd
run = rpsd.Denoiser._run_batch
def failing(self, source, batch, threads):
    if pathlib.Path("broken").exists() or (batch.size and 31337.25 in batch[:, 0]):
        raise ValueError(f"could not handle {batch.tolist()}")
    return run(self, source, batch, threads)
rpsd.Denoiser._run_batch = failing
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    home = tmp_path_factory.mktemp("home")
    running = Server(home, prelude=BREAKABLE, health_check_interval=1)
    running.home = home
    try:
        yield running.wait()
        assert running.stop() == 0
    finally:
        running.process.kill()


def set_level(server, level):
    body = json.dumps({"level": level}).encode()
    return server.ask("PUT", PATH, body, content_type="application/json")


def emit_all(server, mark):
    """Cause an event of each level, CRITICAL excepted."""
    server.ask("GET", "/health/live", x_request_id=f"{mark}-DEBUG")
    server.post({"values": [1.0]}, x_request_id=f"{mark}-INFO")
    server.post({"values": "x"}, x_request_id=f"{mark}-WARNING")
    server.post({"values": [31337.25]}, x_request_id=f"{mark}-ERROR")


@pytest.mark.parametrize("level", LEVELS)
def test_each_level_lets_through_what_it_says(server, level):
    answer = set_level(server, level)
    assert (answer.status, answer.json) == (200, {"level": level})
    assert server.ask("GET", PATH).json == {"level": level}
    emit_all(server, level)
    change = server.ask("PUT", PATH, b'{"level": "INFO"}', x_request_id=f"{level}-after")
    assert change.status == 200
    server.logged(request_id=f"{level}-after")  # the change itself is told, and all before it is written
    seen = {
        line["request_id"].rpartition("-")[2]: line["level"]
        for line in server.log
        if line.get("request_id", "").startswith(f"{level}-") and not line["request_id"].endswith("after")
    }
    assert seen == {name: name for name in LEVELS[LEVELS.index(level) : -1]}


def test_critical_is_a_kernel_that_computes_wrongly(server):
    set_level(server, "CRITICAL")
    (server.home / "broken").touch()
    assert "ValueError" in server.logged(level="CRITICAL", operation="self-check")["message"]
    (server.home / "broken").unlink()
    wait_until(lambda: server.ask("GET", "/health/ready").status == 200)
    set_level(server, "INFO")


@pytest.mark.parametrize(
    "body", [b"", b'{"level": "TRACE"}', b'{"level": "INFO", "more": 1}', b"[]", b"x" * 2000]
)
def test_what_is_no_level_is_refused(server, body):
    answer = server.ask("PUT", PATH, body)
    assert 400 <= answer.status < 500
    assert answer.headers["content-type"] == "application/problem+json"
    assert server.ask("POST", PATH, body).status == 405
    assert server.ask("GET", PATH).json["level"] in LEVELS


@pytest.mark.parametrize(
    ("client", "local"),
    [
        (("127.0.0.1", 1), True),
        (("::1", 1), True),
        (("192.0.2.1", 1), False),
        (None, False),
        (("x", 1), False),
    ],
)
def test_only_this_machine_may_change_it(client, local):
    assert is_local(client) is local


def test_canaries_never_reach_the_log_nor_the_metrics(server):
    """Values, headers with credentials, addresses: whatever a client sends as data stays out."""
    set_level(server, "DEBUG")
    value, canary = 31337.25, "canary4711"
    secret = {"authorization": f"Bearer {canary}", "cookie": canary, "x_api_key": canary}
    bodies = [
        json.dumps({"values": [value, 31338.75]}).encode(),
        json.dumps({"values": [1.0, canary]}).encode(),
        json.dumps({"series": {canary: [value]}}).encode(),
        json.dumps({"values": [1.0], canary: 1}).encode(),
        json.dumps({"values": [1.0], "wavelet": canary}).encode(),
        canary.encode(),
    ]
    answers = [server.post(body, **secret) for body in bodies]
    answers.append(
        server.post(np.array([value, 31338.75]).tobytes(), content_type="application/octet-stream")
    )
    answers.append(server.ask("GET", f"/{canary}?{canary}={canary}", **secret))
    answers.append(
        server.post(b"", f"/v1/denoise?{canary}={canary}", content_type="application/octet-stream")
    )
    answers.append(server.ask("PUT", PATH, f'{{"level": "{canary}"}}'.encode()))
    answers.append(server.ask("GET", "/health", x_request_id=f"{canary} with spaces"))
    assert [answer.status for answer in answers] == [500, 422, 500, 422, 422, 400, 500, 404, 422, 422, 200]
    server.ask("GET", "/health/live", x_request_id="last")
    server.logged(request_id="last")
    for written in server.lines:
        assert not any(word in written for word in (b"31337", b"31338", canary.encode())), written
    assert canary.encode() not in server.ask("GET", "/metrics").body
    set_level(server, "INFO")


def test_a_trace_has_places_and_no_words():
    try:
        rpsd.denoise([1.0], level="4711")
    except rpsd.ConfigError as error:
        text = trace_of(error)
    assert text.startswith("ConfigError in ")
    assert "test_service_log.py" in text
    assert "4711" not in text
    assert trace_of(ValueError("4711")) == "ValueError"


class Full(io.RawIOBase):
    """A file on a disk that has room for so many bytes."""

    def __init__(self, room):
        self.room, self.data = room, b""

    def writable(self):
        return True

    def write(self, data):
        if not self.room:
            raise OSError(errno.ENOSPC, "no space left")
        taken = bytes(data[: self.room])
        self.room -= len(taken)
        self.data += taken
        return len(taken)


def test_what_a_full_disk_tore_is_a_line_of_its_own():
    disk = Full(room=450)
    log = Log(io.BufferedWriter(disk), "INFO")
    for k in range(5):
        log.write("INFO", "test", f"before {k}")
    wait_until(lambda: log.lost)
    disk.room = 10_000
    for k in range(3):
        log.write("INFO", "test", f"after {k}")
    log.close()
    lines = disk.data.splitlines()
    good = [json.loads(line)["message"] for line in lines if line.endswith(b"}")]
    assert good[-3:] == ["after 0", "after 1", "after 2"]
    assert len(lines) == len(good) + 1  # the torn one
    assert log.lost == 5 + 3 - len(good)
