# SPDX-License-Identifier: MIT
"""What the tests of load share: kinds of requests whose answers are verified, and what a server uses."""

import json
import sys
from pathlib import Path

import numpy as np
import psutil

import rpsd

sys.path.insert(0, str(Path(__file__).parent.parent / "bench" / "service"))

import load

BINARY = "application/octet-stream"


def binary(x, name="binary", weight=1.0, timeout=None, **options):
    """Return the request of a series as float64, and its right answer: the bits of rpsd.denoise."""
    query = "&".join(f"{key}={value}" for key, value in options.items())
    headers = {} if timeout is None else {"Request-Timeout": timeout}
    sent = load.request(f"/v1/denoise?{query}", x.tobytes(), BINARY, **headers)
    return load.Kind(name, sent, rpsd.denoise(x, **options).tobytes().__eq__, weight)


def text(x, name="json", weight=1.0, **options):
    """Return the request of a series as JSON, and its right answer."""
    expected = rpsd.denoise(x, **{key: value for key, value in options.items() if key != "report"})
    body = json.dumps({"values": x.tolist(), **options}).encode()
    known = set()  # answers found right before: reading them again would make the load late

    def right(answer):
        if answer not in known and np.array_equal(json.loads(answer)["values"], expected):
            known.add(answer)
        return answer in known

    return load.Kind(name, load.request("/v1/denoise", body, "application/json"), right, weight)


def series(n, seed=0):
    return np.round(100 + rpsd.simulate("a", n, seed=seed).noisy, 2)


def rss(server):
    """Return the megabytes that a server has in memory."""
    return psutil.Process(server.process.pid).memory_info().rss / 1e6


def peak_rss(server):
    """Return the most megabytes that it ever had."""
    status = Path(f"/proc/{server.process.pid}/status").read_text()
    return float(status.partition("VmHWM:")[2].split()[0]) * 1024 / 1e6


def burst(server, kinds, count, connections=64):
    """Send so many requests as fast as answers come; return the run and answers a second."""
    planned = load.schedule(1e6, count / 1e6, kinds)
    run = load.Load(server.port, planned, connections=connections).run()
    return run, len(run.records) / max(record.answered for record in run.records)
