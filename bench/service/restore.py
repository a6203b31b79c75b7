# SPDX-License-Identifier: MIT
"""Measure a backup and its restore by deploy/backup's scripts: python bench/service/restore.py [GIGABYTES].

A service with jobs, streams and an audit log, until its database has that size (1); backup.sh with a copy;
all of it restored from the copy by restore-drill.sh. Writes the table of docs/operations/backup.md.
"""

import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "bench"))

from machine import commit, processor  # noqa: E402

PAGE = ROOT / "docs" / "operations" / "backup.md"
BACKUP = ROOT / "deploy" / "backup"
SAMPLES = 1_000_000  # of a job
STREAMS, PUSHES = 100, 2


class Service:
    """A service that asks for keys, and a client of it."""

    def __init__(self, work, program):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.state = work / "state"
        variables = {"STATE_DIR": self.state, "MAX_JOBS_BYTES": 2**31 - 1, "MAX_JOBS": 10**6, "AUTH": "on",
                     "DRAIN_DELAY": 0, "RATE_LIMIT": 10**6, "RATE_BURST": 10**6,
                     "METRICS_PORT": self.port}  # fmt: skip
        self.environ = environ(work) | {f"RPSD_{name}": str(value) for name, value in variables.items()}
        made = subprocess.run(
            [program, "keys", "create", "measure", "--role", "user"],
            env=self.environ, check=True, capture_output=True, text=True,
        )  # fmt: skip
        self._headers = {"Authorization": f"Bearer {made.stdout.strip()}"}
        self.process = subprocess.Popen([program, "serve"], env=self.environ, stderr=subprocess.DEVNULL)
        while subprocess.run(
            [program, "healthcheck", f"http://127.0.0.1:{self.port}"], capture_output=True, check=False
        ).returncode:
            assert self.process.poll() is None
        self._connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=600)

    def ask(self, method, path, body=None, kind="application/json"):
        self._connection.request(method, path, body, {**self._headers, "Content-Type": kind})
        answer = self._connection.getresponse()
        text = answer.read()
        assert answer.status < 300, (answer.status, text[:500])
        return json.loads(text)

    def size(self):
        """Return the bytes of the database; what is in its write-ahead log comes into it now and then."""
        return (self.state / "rpsd.db").stat().st_size

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(120)


def environ(work):
    kept = {name: value for name, value in os.environ.items() if not name.startswith("RPSD_")}
    return kept | {"HOME": str(work)}


def fill(service, size):
    """Give it streams, then jobs until it has the size; return what it has."""
    rng = np.random.default_rng(1)
    for _ in range(STREAMS):
        stream = service.ask("POST", "/v1/streams", json.dumps({"lookahead": 2}))["id"]
        for number in range(1, PUSHES + 1):
            values = (100 + rng.normal(size=50).cumsum()).tolist()
            body = json.dumps({"values": values, "sequence": number})
            service.ask("POST", f"/v1/streams/{stream}/push", body)
    jobs = 0
    path = "/v1/jobs?method=wavelet&noise=mad"
    while service.size() < size:
        body = (100 + 0.01 * rng.normal(size=SAMPLES).cumsum()).tobytes()
        job = service.ask("POST", path, body, "application/octet-stream")["id"]
        while (status := service.ask("GET", f"/v1/jobs/{job}")["status"]) in ("queued", "running"):
            time.sleep(0.2)
        assert status == "done"
        jobs += 1
    return jobs


def timed(command, **more):
    begin = time.monotonic()
    done = subprocess.run(list(map(str, command)), check=False, capture_output=True, text=True, **more)
    assert done.returncode == 0, done.stdout + done.stderr
    return time.monotonic() - begin, done.stdout


def main():
    gigabytes = float(sys.argv[1]) if len(sys.argv) > 1 else 1.0
    with tempfile.TemporaryDirectory(prefix="restore-") as name:
        work = Path(name)
        program = work / "rpsd"
        program.write_text(f'#!/bin/sh\nexec {sys.executable} -m rpsd.cli "$@"\n')
        program.chmod(0o755)
        for folder in ("here", "there"):
            (work / folder).mkdir()
        service = Service(work, program)
        jobs = fill(service, gigabytes * 1e9)
        database = service.size()
        made = service.environ | {"RPSD": str(program), "COPY_TO": str(work / "there")}
        # While it serves, as the timer does it.
        backup, _ = timed([BACKUP / "backup.sh", work / "here"], env=made)
        service.stop()
        file = next((work / "there").glob("*.backup"))
        size = file.stat().st_size
        drill = environ(work) | {
            "RPSD": str(program),
            "RPSD_STATE_KEY_FILE": str(service.state / "state.key"),
        }
        whole, said = timed([BACKUP / "restore-drill.sh", work / "there", service.port], env=drill)
        restored = float(re.search(r"serving after (\d+) s", said)[1])
    rows = [
        "| database, GB | backup, GB | jobs of a million samples, streams | `backup.sh`, s | the drill, s "
        "| minutes a GB |",
        "| ---: | ---: | --- | ---: | ---: | ---: |",
        f"| {database / 1e9:.2f} | {size / 1e9:.2f} | {jobs}, {STREAMS} | {backup:.0f} | {restored:.0f} | "
        f"{restored / 60 / (database / 1e9):.2f} |",
        "",
        f"{time.strftime('%Y-%m-%d', time.gmtime())}, {processor()} shared with others (load "
        f"{os.getloadavg()[0]:.1f}), commit {commit()}; SQLite to SQLite on one disk. The drill as a whole,",
        f"with its ending, took {whole:.0f} s.",
    ]
    head, mark, rest = PAGE.read_text("utf-8").partition("<!-- figures -->\n")
    end = "<!-- /figures -->"
    PAGE.write_text(head + mark + "\n".join(rows) + "\n" + end + rest.partition(end)[2], "utf-8")


if __name__ == "__main__":
    main()
