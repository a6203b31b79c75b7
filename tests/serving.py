# SPDX-License-Identifier: MIT
"""What the tests of the service share: a real server on loopback, and a client that hides nothing."""

import contextlib
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time

import pytest
from warm import WARM, Process

_MAIN = "import sys, rpsd.cli; sys.exit(rpsd.cli.main())"
#: A prelude: the kernel computes wrongly while there is a file `broken` in the home.
BREAKABLE = """
import pathlib, rpsd
run, broken = rpsd.Denoiser.run, pathlib.Path("broken")
def wrong(self, x, **more):
    result = run(self, x, **more)
    if broken.exists():
        if broken.read_text() == "raise":
            raise RuntimeError("4711.25")
        result.values[5] += 1e-6
    return result
rpsd.Denoiser.run = wrong
"""
_PATIENCE = 45.0  # seconds, on a machine that has other things to do


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Answer:
    """Status, headers (names in lower case) and body."""

    def __init__(self, response):
        self.status = response.status
        self.headers = {name.lower(): value for name, value in response.getheaders()}
        self.body = response.read()

    @property
    def json(self):
        return json.loads(self.body, parse_constant=pytest.fail)  # NaN and Infinity are no JSON


class Server:
    """A `rpsd serve` of its own, with an empty home; `log` has what it wrote, parsed.

    A prelude is code that runs before it, in its process: what breaks it on purpose.
    """

    def __init__(self, home, *arguments, prelude=None, **variables):
        self.port = free_port()
        given = {f"RPSD_{name.upper()}": str(value) for name, value in variables.items() if value is not None}
        environ = {
            **{name: value for name, value in os.environ.items() if not name.startswith("RPSD_")},
            **{name: os.environ[name] for name in ("RPSD_ISA",) if name in os.environ},
            "HOME": str(home),
            "USERPROFILE": str(home),
            "RPSD_DRAIN_DELAY": "0",
            **given,
        }
        code = _MAIN if prelude is None else f"{prelude}\n{_MAIN}"
        arguments = ["serve", "--metrics-port", str(self.port), *arguments]
        if WARM:
            self.process = Process(code, arguments, environ, home)
        else:
            command = [sys.executable, "-c", code, *arguments]
            self.process = subprocess.Popen(command, env=environ, cwd=home, stderr=subprocess.PIPE)
        self.lines = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self):
        with self.process.stderr as pipe:
            self.lines.extend(pipe)

    @property
    def log(self):
        return [json.loads(line) for line in list(self.lines)]

    def wait(self):
        """Wait until it is ready."""
        wait_until(lambda: self.process.poll() is not None or self._is_ready())
        assert self.process.poll() is None, b"".join(self.lines).decode()
        return self

    def _is_ready(self):
        with contextlib.suppress(OSError):
            return self.ask("GET", "/health/ready").status == 200
        return False

    def connect(self, port=None):
        return http.client.HTTPConnection("127.0.0.1", port or self.port, timeout=_PATIENCE)

    def ask(self, method, path, body=None, port=None, **headers):
        """Send one request; underscores in names of headers stand for hyphens."""
        with contextlib.closing(self.connect(port)) as connection:
            named = {name.replace("_", "-"): value for name, value in headers.items()}
            connection.request(method, path, body, named)
            return Answer(connection.getresponse())

    def post(self, content, path="/v1/denoise", **headers):
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        return self.ask("POST", path, body, **{"content_type": "application/json", **headers})

    def send(self, data):
        """Send bytes as they are; return all that comes until the server closes."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=_PATIENCE) as raw:
            raw.sendall(data)
            received = b""
            with contextlib.suppress(ConnectionResetError):
                while piece := raw.recv(65536):
                    received += piece
            return received

    def logged(self, **fields):
        """Wait for a line of the log with these fields, and return it."""
        return wait_until(lambda: next((line for line in self.log if fields.items() <= line.items()), None))

    def stop(self, number=signal.SIGTERM):
        """Stop it; return the exit code."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.finished()

    def finished(self):
        code = self.process.wait(_PATIENCE)
        self._reader.join(_PATIENCE)
        return code


def wait_until(happened, patience=_PATIENCE):
    """Return the first true value of a function, asked again and again."""
    end = time.monotonic() + patience
    while not (value := happened()):
        assert time.monotonic() < end, "nothing happened"
        time.sleep(0.02)
    return value


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """Return a server with the defaults, shared by the tests of a module; it must end well."""
    running = Server(tmp_path_factory.mktemp("home"), log_level="DEBUG")
    try:
        yield running.wait()
        assert running.stop() == 0
    finally:
        running.process.kill()


@pytest.fixture
def start(tmp_path):
    """Return a function that starts servers, which are gone after the test."""
    started = []

    def new(*arguments, wait=True, **variables):
        running = Server(tmp_path, *arguments, **variables)
        started.append(running)
        return running.wait() if wait else running

    yield new
    for running in started:
        running.process.kill()
        running.finished()
