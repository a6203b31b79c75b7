# SPDX-License-Identifier: MIT
"""From nothing to a paged alert and back, on this machine: rpsd, Prometheus, Alertmanager, a webhook.

    python deploy/walkthrough.py docs/operations/walkthrough.md

runs it with the files of deploy, changed in nothing but ports, and writes what was seen. It needs `rpsd`,
`prometheus` and `alertmanager` (Debian: `prometheus-alertmanager`) in PATH, and takes some six minutes.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
_PATIENCE = 900.0
_FAULT = "RpsdDown"


def get(url: str) -> Any:
    """Return the JSON at an address."""
    with urllib.request.urlopen(url, timeout=30) as answer:
        return json.load(answer)


def free_port() -> int:
    """Return a port that nobody has."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def wait_for(happened: Callable[[], Any]) -> Any:
    """Return the first true value of a function; what refuses connections has none yet."""
    end = time.monotonic() + _PATIENCE
    while time.monotonic() < end:
        with contextlib.suppress(OSError):
            if value := happened():
                return value
        time.sleep(0.2)
    raise TimeoutError("it did not happen")


class Webhook:
    """What stands for the pager: it keeps what it is sent, as (address, moment, content)."""

    def __init__(self) -> None:
        self.received: list[tuple[str, float, Any]] = []
        keep = self.received.append

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                keep((self.path, time.time(), json.loads(body)))
                self.send_response(200)
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self._server.server_port
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def wait(self, path: str, alert: str, status: str) -> tuple[float, Any]:
        """Return when an alert came with a status, and its message."""

        def found() -> tuple[float, Any] | None:
            for at, moment, content in list(self.received):
                for one in content["alerts"]:
                    if at == path and one["labels"]["alertname"] == alert and one["status"] == status:
                        return moment, content
            return None

        result: tuple[float, Any] = wait_for(found)
        return result

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()


class Chain:
    """The programs, with ports of their own and files of deploy that know them.

    Where it is to be fast, seconds stand for minutes: scrapes, evaluations, what alerts and groups wait for.
    """

    def __init__(self, home: Path, *, fast: bool) -> None:
        self.home, self.webhook = home, Webhook()
        self.ports = {8000: free_port(), 9090: free_port(), 9093: free_port(), 9095: self.webhook.port}
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        for source in ("prometheus", "alertmanager"):
            shutil.copytree(HERE / source, home / source)
            for file in (home / source).rglob("*.yml"):
                file.write_text(self._own(file.read_text("utf-8"), fast=fast), "utf-8")

    def _own(self, text: str, *, fast: bool) -> str:
        for port, own in self.ports.items():
            text = text.replace(f"localhost:{port}", f"127.0.0.1:{own}")
        if fast:
            text = re.sub(r"\b(group_wait|group_interval|evaluation_interval): \d+[smh]", r"\1: 1s", text)
            # Longer than a busy machine may take to answer a scrape.
            text = re.sub(r"\bscrape_interval: \d+s", "scrape_interval: 5s", text)
            text = re.sub(r"\bfor: \d+[mh]", "for: 10s", text)
        return text

    def url(self, port: int) -> str:
        """Return the address of what listens on a port by default."""
        return f"http://127.0.0.1:{self.ports[port]}"

    def start(self, name: str) -> None:
        """Start a program and wait until it answers."""
        own, home = self.ports, self.home
        manager = shutil.which("alertmanager") or shutil.which("prometheus-alertmanager") or "alertmanager"
        command, port, ready = {
            "rpsd": (["rpsd", "serve", f"--metrics-port={own[8000]}"], 8000, "/health/ready"),
            "prometheus": (
                [
                    "prometheus", f"--config.file={home}/prometheus/prometheus.yml",
                    f"--storage.tsdb.path={home}/tsdb", f"--web.listen-address=127.0.0.1:{own[9090]}",
                ],
                9090,
                "/-/ready",
            ),
            "alertmanager": (
                [
                    manager, f"--config.file={home}/alertmanager/alertmanager.yml",
                    f"--storage.path={home}/alerts", f"--web.listen-address=127.0.0.1:{own[9093]}",
                    "--cluster.listen-address=",
                ],
                9093,
                "/-/ready",
            ),
        }[name]  # fmt: skip
        environ = {key: value for key, value in os.environ.items() if not key.startswith("RPSD_")}
        with open(home / f"{name}.log", "ab") as log:
            self._running[name] = subprocess.Popen(
                command, stdout=log, stderr=log, env={**environ, "HOME": str(home)}
            )

        def answers() -> bool:
            if self._running[name].poll() is not None:
                raise RuntimeError((home / f"{name}.log").read_text("utf-8"))
            with urllib.request.urlopen(self.url(port) + ready, timeout=30) as answer:
                return bool(answer.status == 200)

        wait_for(answers)

    def kill(self, name: str) -> None:
        """Kill a program as the kernel would."""
        process = self._running.pop(name)
        process.send_signal(signal.SIGKILL)
        process.wait()

    def query(self, expression: str) -> list[Any]:
        """Return what Prometheus answers."""
        answer = get(f"{self.url(9090)}/api/v1/query?query={urllib.parse.quote(expression)}")
        result: list[Any] = answer["data"]["result"]
        return result

    def close(self) -> None:
        """End all of it."""
        for process in self._running.values():
            process.terminate()
        for process in self._running.values():
            process.wait(60)
        self.webhook.close()


@contextlib.contextmanager
def chain(home: Path, *, fast: bool) -> Iterator[Chain]:
    """Have a chain that ends with the block."""
    made = Chain(home, fast=fast)
    try:
        yield made
    finally:
        made.close()


def walk(made: Chain) -> Iterator[str]:
    """Go from nothing to a page and back; yield what was done and seen, as Markdown."""

    def run(*command: str) -> str:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        return "\n".join(line.rstrip() for line in f"{done.stdout}{done.stderr}".strip("\n").splitlines())

    def shown(command: str, output: str) -> str:
        for port in made.ports:
            output = output.replace(f"127.0.0.1:{made.ports[port]}", f"localhost:{port}")
            output = output.replace(f"127.0.0.1 port {made.ports[port]}", f"localhost port {port}")
        return "\n".join(["```console", f"$ {command}", *filter(None, [output]), "```\n"])

    def sent(page: Any, *names: str) -> str:
        told = {"receiver": page["receiver"], "alert": {name: page["alerts"][0][name] for name in names}}
        text = json.dumps(told, indent=2)
        return f"```json\n{text.replace(f'127.0.0.1:{made.ports[8000]}', 'localhost:8000')}\n```\n"

    def no_alert() -> str:
        wait_for(lambda: not made.query(f'ALERTS{{alertname="{_FAULT}"}}'))
        return f"`{_FAULT}` is neither pending nor firing.\n"

    def smoke() -> str:
        return run("rpsd", "smoke", url, "--timeout=300")

    url = made.url(8000)
    made.start("rpsd")
    yield "## The service\n"
    yield shown("rpsd serve &\n$ curl -s localhost:8000/health/ready", json.dumps(get(f"{url}/health/ready")))
    yield shown("rpsd smoke http://localhost:8000 --timeout=300", smoke())

    made.start("alertmanager")
    made.start("prometheus")
    up = wait_for(lambda: [one for one in made.query('up{job="rpsd"}') if one["value"][1] == "1"])
    yield "## Prometheus and Alertmanager\n"
    yield shown(
        "prometheus-alertmanager --config.file=deploy/alertmanager/alertmanager.yml &\n"
        "$ prometheus --config.file=deploy/prometheus/prometheus.yml &\n"
        "$ curl -sg 'localhost:9090/api/v1/query?query=up{job=\"rpsd\"}' | jq -c '.data.result'",
        json.dumps(up),
    )
    _, alive = made.webhook.wait("/alive", "Watchdog", "firing")
    yield f"The dead man's switch hears of `{alive['alerts'][0]['labels']['alertname']}`: the chain works.\n"
    yield no_alert()

    yield "## The fault\n"
    broken = time.time()
    made.kill("rpsd")
    yield shown("kill -9 $(pidof -x rpsd)", "")
    wait_for(lambda: made.query(f'ALERTS{{alertname="{_FAULT}"}}'))
    yield f"After {time.time() - broken:.0f} s `{_FAULT}` is pending or firing.\n"
    moment, page = made.webhook.wait("/page", _FAULT, "firing")
    yield f"After {moment - broken:.0f} s the pager has it:\n"
    yield sent(page, "status", "labels", "annotations", "startsAt")

    yield f"## What [its runbook](runbooks.md#{_FAULT.lower()}) says\n"
    yield shown("curl -sS localhost:8000/health/live", run("curl", "-sS", f"{url}/health/live"))
    yield shown("rpsd config validate", run("rpsd", "config", "validate"))
    yield "The configuration is good; the process is gone. Start it:\n"
    mended = time.time()
    made.start("rpsd")
    yield shown("rpsd serve &\n$ rpsd smoke http://localhost:8000 --timeout=300", smoke())

    yield "## And back\n"
    moment, page = made.webhook.wait("/page", _FAULT, "resolved")
    yield f"After {moment - mended:.0f} s the pager hears that it is over:\n"
    yield sent(page, "status", "startsAt", "endsAt")
    yield no_alert()


def main() -> None:
    """Write the page."""
    today = time.strftime("%Y-%m-%d", time.gmtime())
    head = (
        "# Walk-through: from nothing to a paged alert and back\n\n"
        "Written by `python deploy/walkthrough.py docs/operations/walkthrough.md`, which ran all of it\n"
        "on one machine with the files of `deploy`; ports were others, and a webhook stood for the pager.\n"
        f"With faster clocks it is a test (`tests/test_deploy_chain.py`). Run on {today} UTC, on a machine\n"
        "that was busy with other work: its times tell of that, not of rpsd.\n"
    )
    with tempfile.TemporaryDirectory() as home, chain(Path(home), fast=False) as made:
        text = "\n".join([head, *walk(made)])
    Path(sys.argv[1]).write_text(text, "utf-8")


if __name__ == "__main__":
    main()
