# SPDX-License-Identifier: MIT
"""SIGHUP: new settings whole or not at all, one configuration an answer, and no request lost over it."""

import contextlib
import itertools
import signal
import threading
import time

import numpy as np
import pytest
from serving import Server, wait_until

import rpsd

BINARY = "application/octet-stream"
X = 100 + rpsd.simulate("a", 300, seed=1).noisy
CHAIN = "denoiser: {{method: wavelet, noise: mad, level: {level}}}\n"
OUTPUTS = {
    level: rpsd.denoise(X, method="wavelet", noise="mad", level=level).tobytes() for level in (1, 2, 3)
}
BAD = {
    "denoiser:\n  level: -3\n": "c.yaml:2: denoiser.level must be",
    "denoiser: [": "c.yaml:1: not valid YAML",
    "denoiser: {method: kalman, noise: mad}\n": "noise",  # each is allowed, not both
    "service: {host: 192.0.2.1}\n": 'host "192.0.2.1" needs tls_certificate and tls_key',
}


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    home = tmp_path_factory.mktemp("home")
    (home / "c.yaml").write_text(CHAIN.format(level=1))
    running = Server(home, "--config", "c.yaml", "--threshold-scale", "1.0")
    running.file = home / "c.yaml"
    try:
        yield running.wait()
        assert running.stop() == 0
    finally:
        running.process.kill()


def reload(server, text):
    """Write a configuration, ask for a reload, and wait for what comes of it."""
    before = len(reloads(server))
    replace(server.file, text)
    server.process.send_signal(signal.SIGHUP)
    return wait_until(lambda: reloads(server)[before:])[0]


def replace(file, text):
    other = file.with_suffix(".new")
    other.write_text(text)
    other.replace(file)


def reloads(server):
    return [line for line in server.log if line["operation"] == "reload" and line["level"] != "WARNING"]


def denoised(server):
    return server.ask("POST", "/v1/denoise", X.tobytes(), content_type=BINARY)


def metric(server, name):
    lines = server.ask("GET", "/metrics").body.decode().splitlines()
    return next(float(line.split()[1]) for line in lines if line.startswith(f"rpsd_{name} "))


def test_a_reload_takes_the_new_settings(server):
    reload(server, CHAIN.format(level=1))
    first = denoised(server)
    line = reload(server, CHAIN.format(level=2) + "service: {max_points: 400}\n")
    second = denoised(server)
    assert (first.body, second.body) == (OUTPUTS[1], OUTPUTS[2])
    assert line["changed"] == ["denoiser.level", "service.max_points"]
    assert (line["before"], second.headers["rpsd-config"]) == (
        first.headers["rpsd-config"],
        line["message"].split()[1],
    )
    assert denoised(server).headers["rpsd-config"] != first.headers["rpsd-config"]
    too_long = server.ask("POST", "/v1/denoise", np.ones(401).tobytes(), content_type=BINARY)
    assert too_long.status == 413
    assert metric(server, "config_last_reload_successful") == 1
    assert time.time() - metric(server, "config_last_reload_success_timestamp_seconds") < 60
    reload(server, CHAIN.format(level=1))
    assert denoised(server).headers["rpsd-config"] == first.headers["rpsd-config"]  # of what it says


@pytest.mark.parametrize(("text", "reason"), BAD.items(), ids=["value", "yaml", "pair", "host"])
def test_a_bad_file_keeps_the_old_settings(server, text, reason):
    reload(server, CHAIN.format(level=2))
    digest = denoised(server).headers["rpsd-config"]
    line = reload(server, text)
    assert line["level"] == "ERROR"
    assert reason in line["message"]
    assert f"configuration {digest} is kept" in line["message"]
    answer = denoised(server)
    assert (answer.body, answer.headers["rpsd-config"]) == (OUTPUTS[2], digest)
    assert metric(server, "config_last_reload_successful") == 0
    assert server.ask("GET", "/health/ready").status == 200


def test_a_file_that_is_gone_keeps_the_old_settings(server):
    reload(server, CHAIN.format(level=3))
    server.file.unlink()
    before = len(reloads(server))
    server.process.send_signal(signal.SIGHUP)
    line = wait_until(lambda: reloads(server)[before:])[0]
    assert "does not exist" in line["message"]
    assert denoised(server).body == OUTPUTS[3]


def test_the_command_line_stays_above_the_file(server):
    line = reload(server, "denoiser: {method: wavelet, noise: mad, level: 2, threshold_scale: 7.0}\n")
    assert "denoiser.threshold_scale" not in line["changed"]
    assert denoised(server).body == OUTPUTS[2]


def test_what_needs_a_start_is_told(server):
    reload(server, CHAIN.format(level=2) + "performance: {max_workers: 3}\n")
    assert "performance.max_workers" in server.logged(level="WARNING", operation="reload")["message"]


def test_the_log_level_follows(server):
    reload(server, "monitoring: {log_level: DEBUG}\n")
    server.ask("GET", "/health/live", x_request_id="seen")
    assert server.logged(request_id="seen")["level"] == "DEBUG"
    reload(server, "monitoring: {log_level: INFO}\n")
    server.ask("GET", "/health/live", x_request_id="unseen")
    denoised(server)
    assert not [line for line in server.log if line.get("request_id") == "unseen"]


@pytest.mark.parametrize(
    "requests", [pytest.param(150, id="few"), pytest.param(5000, marks=pytest.mark.slow)]
)
def test_reloads_under_load_fail_nothing_and_mix_nothing(server, requests):
    """F10: each answer has the numbers of the configuration that it names."""
    digests = {}
    for level, output in OUTPUTS.items():
        reload(server, CHAIN.format(level=level))
        digests[denoised(server).headers["rpsd-config"]] = output
    counted = len(reloads(server))
    over, seen, wrong = threading.Event(), set(), []

    def ask():
        with contextlib.closing(server.connect()) as connection:
            for _ in range(requests):
                connection.request("POST", "/v1/denoise", X.tobytes(), {"content-type": BINARY})
                answer = connection.getresponse()
                digest, body = answer.getheader("rpsd-config"), answer.read()
                seen.add(digest)
                if answer.status != 200 or digests.get(digest) != body:
                    wrong.append((answer.status, digest, body[:80]))

    def reload_often():
        texts = [CHAIN.format(level=level) for level in OUTPUTS]
        for text in itertools.cycle([*texts, *BAD]):
            if over.is_set():
                return
            replace(server.file, text)
            server.process.send_signal(signal.SIGHUP)
            time.sleep(0.01)

    clients = [threading.Thread(target=ask) for _ in range(2)]
    reloader = threading.Thread(target=reload_often)
    for thread in (*clients, reloader):
        thread.start()
    for thread in clients:
        thread.join()
    over.set()
    reloader.join()
    assert not wrong
    assert seen == digests.keys()
    levels = [line["level"] for line in reloads(server)[counted:]]
    assert {"INFO", "ERROR"} <= set(levels)
    assert server.ask("GET", "/health/ready").status == 200
