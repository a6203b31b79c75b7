# SPDX-License-Identifier: MIT
"""Measure the service beside a bare Litestar echo; write RESULTS.md and the table of sizing.md."""

import atexit
import contextlib
import json
import os
import platform
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from importlib.metadata import version
from pathlib import Path

import numpy as np
import psutil
import sizing
from load import PERCENTILES, Kind, Load, request, schedule

import rpsd

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))

from machine import commit, processor  # noqa: E402

BINARY, JSON = "application/octet-stream", "application/json"
MAD = {"method": "wavelet", "noise": "mad"}
PACKAGES = ("numpy", "litestar", "uvicorn", "uvloop", "httptools", "msgspec", "orjson")
VARIETY = 16  # series of each kind, so that nothing profits from being the same
STEP = 2.5  # seconds of a load
BOUND = 50.0  # milliseconds at the 99th percentile up to which a load counts as carried
SEED_TABLE = (
    (1_000, "1"),
    (10_000, "1 - 10"),
    (100_000, "10 - 100"),
    (1_000_000, "100 +"),
    (10_000_000, "100 +"),
)
LIVE = b'{"status":"alive"}'
SETTINGS = {"RPSD_DRAIN_DELAY": "0", "RPSD_CACHE_SIZE": "0", "RPSD_MAX_WORKERS": "2"}
PATCH = "import rpsd.service._admission as a; a._TOGETHER = 1; from rpsd.cli import main; main()"


class Process:
    """A server on a free port, with no settings from outside."""

    def __init__(self, command, **variables):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        kept = {name: value for name, value in os.environ.items() if not name.startswith("RPSD_")}
        self.home = tempfile.TemporaryDirectory()
        self.process = subprocess.Popen(
            [sys.executable, *(part.format(port=self.port) for part in command)],
            env=kept | {"HOME": self.home.name, **variables},
            stderr=subprocess.DEVNULL,
        )
        atexit.register(self.process.kill)  # where a measurement fails
        self.used = psutil.Process(self.process.pid)
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port)).close()
                break
            except OSError:
                time.sleep(0.05)

    def cpu(self):
        """Return the seconds of processor that it had."""
        if sys.platform != "linux":
            return sum(self.used.cpu_times()[:2])
        # The clock of a process, as clock_getcpuclockid(3) makes it: threads that ended count too.
        return time.clock_gettime(~self.process.pid << 3 | 2)

    def peak(self):
        """Return the most megabytes that it ever had in memory."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return float(status.partition("VmHWM:")[2].split()[0]) * 1024 / 1e6

    def metric(self, name):
        text = urllib.request.urlopen(f"http://127.0.0.1:{self.port}/metrics").read().decode()
        return next(float(line.split()[1]) for line in text.splitlines() if line.startswith(name + " "))

    def stop(self):
        self.process.terminate()
        self.process.wait()
        self.home.cleanup()


def service(*code, **variables):
    begin = ["-c", *code] if code else ["-m", "rpsd.cli"]
    return Process([*begin, "serve", "--metrics-port", "{port}"], **{**SETTINGS, **variables})


def series(n, count=VARIETY):
    return [np.round(100 + rpsd.simulate("a", n, seed=k).noisy, 2) for k in range(count)]


def binary(x, **options):
    query = "&".join(f"{name}={value}" for name, value in options.items())
    right = rpsd.denoise(x, **options).tobytes().__eq__
    return Kind("float64", request(f"/v1/denoise?{query}", x.tobytes(), BINARY), right)


def text(x, report, **options):
    body = json.dumps({"values": x.tolist(), "report": report, **options}).encode()
    start = b'{"values":' + json.dumps(rpsd.denoise(x, **options).tolist(), separators=(",", ":")).encode()
    return Kind("json", request("/v1/denoise", body, JSON), lambda answer: answer.startswith(start))


def echoed(kind):
    body = kind.request.partition(b"\r\n\r\n")[2]
    return Kind("echo", kind.request, body.__eq__)


def burst(server, kinds, count=600, connections=16, allowed=(200,)):
    """Return answers a second and processor microseconds a request of as many as the server can do."""
    begin = server.cpu()
    run = Load(server.port, schedule(1e6, count / 1e6, kinds), connections=connections, patience=120).run()
    check(run, allowed)
    rate = count / max(record.answered for record in run.records)
    return rate, (server.cpu() - begin) / count * 1e6


def check(run, allowed=(200,)):
    assert set(run.statuses()) <= {*allowed}, run.statuses()
    assert run.lost() == 0
    assert run.wrong() == 0


def at_rate(server, kinds, rate, seconds=STEP):
    run = Load(server.port, schedule(rate, seconds, kinds), connections=128).run()
    check(run)
    return run


def capacity(server, kinds, guess):
    """Return the highest of some rates, each 0.85 times the last, at which p99 is within the bound."""
    rate = guess
    while rate > guess / 10:
        if at_rate(server, kinds, rate, 1.5).percentiles()[2] <= BOUND:
            return rate
        rate *= 0.85
    return rate


def row(*cells):
    return "| " + " | ".join(str(cell) for cell in cells) + " |"


def table(head, rows):
    return "\n".join([row(*head), row(*("---" for _ in head)), *(row(*cells) for cells in rows)])


def milliseconds(run, **chosen):
    return [f"{value:.2f}" for value in run.percentiles(**chosen)]


def overhead(mine, echo):
    """L1: what a request costs, beside a bare echo of the same bytes; each figure is the best of four."""
    command = "serve", "--metrics-port", "{port}"
    loop, worker = (
        Process([str(HERE / "trivial.py"), where, *command], **SETTINGS) for where in ("loop", "worker")
    )
    rows = []
    for n in (256, 1741):
        plain = [echoed(binary(x)) for x in series(n)]
        for name, one, kinds in (
            ("an echo in the service, by the event loop", loop, plain),
            ("an echo in the service, by a worker", worker, plain),
            ("float64, wavelet and mad", mine, [binary(x, **MAD) for x in series(n)]),
            ("float64, the default", mine, [binary(x) for x in series(n)]),
            ("JSON, report none, wavelet and mad", mine, [text(x, "none", **MAD) for x in series(n)]),
            ("JSON, report none, the default", mine, [text(x, "none") for x in series(n)]),
            ("JSON, report full, the default", mine, [text(x, "full") for x in series(n)]),
        ):
            found = [(burst(one, kinds), burst(echo, [echoed(kind) for kind in kinds])) for _ in range(4)]
            (rate, cost), (bare, floor) = (
                (max(pair[k][0] for pair in found), min(pair[k][1] for pair in found)) for k in range(2)
            )
            shares = f"{cost - floor:.0f}", f"{rate / bare:.2f}"
            rows.append([n, name, f"{rate:.0f}", f"{cost:.0f}", f"{bare:.0f}", f"{floor:.0f}", *shares])
    loop.stop()
    worker.stop()
    head = ("samples", "request", "rps", "CPU us", "echo rps", "echo CPU us", "added us", "of echo's rps")
    return table(head, rows)


def latencies(mine, echo):
    """L2: latency at half and at four fifths of the capacity, Poisson arrivals."""
    rows = []
    for name, server, kinds in (
        ("256 samples, the default", mine, [binary(x) for x in series(256)]),
        ("1,741 samples, wavelet and mad", mine, [binary(x, **MAD) for x in series(1741)]),
        ("1,741 samples, the default", mine, [binary(x) for x in series(1741)]),
        ("10,000 samples, wavelet and mad", mine, [binary(x, **MAD) for x in series(10_000)]),
        ("echo of 1,741 samples", echo, [echoed(binary(x, **MAD)) for x in series(1741)]),
    ):
        carried = capacity(server, kinds, 0.9 * burst(server, kinds)[0])
        for share in (0.5, 0.8):
            run = at_rate(server, kinds, share * carried)
            rows.append(
                [name, f"{share * carried:.0f} ({share:.0%})", *milliseconds(run), f"{run.lag():.2f}"]
            )
    head = ("request, float64", "rps (of capacity)", *(f"p{p:g} ms" for p in PERCENTILES), "load's own p99")
    return table([part.replace("p100", "max") for part in head], rows)


def sizes():
    """L3: one request at a time, of each size in the seed's table."""
    rows = []
    for n, allowed in SEED_TABLE:
        server = service(RPSD_REQUEST_TIMEOUT="600", RPSD_BODY_TIMEOUT="600", RPSD_SEND_TIMEOUT="600")
        before, x = server.peak(), 100 + np.cumsum(np.random.default_rng(0).normal(size=n))
        kinds = (binary(x, **MAD), binary(x)) if n < SEED_TABLE[-1][0] else (binary(x, **MAD),)
        count = 50 if n <= 10_000 else 5 if n <= 100_000 else 1
        cells = [f"{n:,}", allowed]
        for kind in kinds:
            run = Load(server.port, [(0.0, kind)] * count, connections=1, patience=600).run()
            check(run)
            ends = np.diff([0.0, *sorted(record.answered for record in run.records)])
            cells += [f"{np.median(ends):.4g}", f"{ends.max():.4g}"]
        cells += ["", ""] if len(kinds) == 1 else []
        cells += [f"{x.nbytes / 1e6:.3g}", f"{server.peak() - before:.0f}"]
        rows.append(cells)
        server.stop()
    head = ("samples", "seed's table, s", "wavelet and mad, s", "worst", "the default, s", "worst")
    return table((*head, "payload, MB", "memory beyond the start, MB"), rows)


def batching():
    """L4: 64 clients with 256 samples each, waiting requests computed together or one by one."""
    rows = []
    for name, kinds in {
        "float64, wavelet and mad": [binary(x, **MAD) for x in series(256)],
        "float64, the default": [binary(x) for x in series(256)],
        "JSON, report none, the default": [text(x, "none") for x in series(256)],
        "JSON, report full, the default": [text(x, "full") for x in series(256)],
    }.items():
        found = {}
        for how, server in (("one by one", service(PATCH)), ("together", service())):
            found[how] = max(burst(server, kinds, 800, 64)[0] for _ in range(2))
            if how == "together":
                size = server.metric("rpsd_batch_size_sum") / server.metric("rpsd_batch_size_count")
            server.stop()
        gain = found["together"] / found["one by one"]
        rows.append([name, *(f"{rate:.0f}" for rate in found.values()), f"{gain:.2f}", f"{size:.1f}"])
    head = ("request of 256 samples, 64 at a time", "one by one, rps", "together, rps", "gain", "mean batch")
    return table(head, rows)


def caching():
    """Return what an answer costs that is kept, beside one that is computed."""
    kept, fresh = service(RPSD_CACHE_SIZE="1000"), service()
    rows = []
    for name, kinds in {
        "float64, wavelet and mad": [binary(x, **MAD) for x in series(1741)],
        "JSON, report full, the default": [text(x, "full") for x in series(1741)],
    }.items():
        burst(kept, kinds, 100)
        costs = [min(burst(server, kinds, 300)[1] for _ in range(2)) for server in (kept, fresh)]
        rows.append([name, *(f"{cost:.0f}" for cost in costs)])
    kept.stop()
    fresh.stop()
    return table(("request of 1,741 samples", "kept, CPU us", "computed, CPU us"), rows)


def overload():
    """O1: three times the capacity, a deadline of 250 ms, then a half of it; by three numbers of connections.

    The load goes before the server where both want a processor: what it cannot send in time is not overload.
    """
    rows = []
    for connections in (64, 256, 1000):
        server = service(RPSD_QUEUE_REQUESTS="64", RPSD_REQUEST_TIMEOUT="0.25")
        kinds = [*(binary(x) for x in series(256)), *(text(x, "none", **MAD) for x in series(1741))]
        peak = 0.8 * max(burst(server, kinds, allowed=(200, 503, 504))[0] for _ in range(3))
        probe = Kind("live", b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n", LIVE.__eq__, len(kinds) / 50)
        loads = (("carried", peak, STEP), ("3 x", 3 * peak, 10.0), ("half, after", peak / 2, STEP))
        for name, rate, seconds in loads:
            with priority(-10):
                run = Load(
                    server.port, schedule(rate, seconds, [*kinds, probe]), connections=connections
                ).run()
            check(run, (0, 200, 503, 504))
            rows.append([connections, name, f"{rate:.0f}", *_account(run), f"{server.peak():.0f}"])
        server.stop()
    head = ("connections", "load", "offered rps", "right, 1/s", "200", "503", "504", "lost", "never sent")
    times = (
        "p99 of 200, ms",
        "from when sent",
        "p99 of 503",
        "p50",
        "health answered",
        "its p99",
        "load's own p99",
    )
    return table((*head, *times, "peak memory, MB"), rows)


def _account(run):
    """Return the cells of a load: how many were answered how, and after what time."""
    of = [record for record in run.records if record.kind != "live"]
    counts = {status: sum(record.status == status for record in of) for status in (0, 200, 503, 504)}
    lives = [record for record in run.records if record.kind == "live" and record.sent == record.sent]

    def after(status, percentile, records=of):
        found = [record.answered - record.sent for record in records if record.status == status]
        return f"{np.percentile(found, percentile) * 1e3:.0f}" if found else ""

    intended = [record.latency for record in of if record.status == 200]
    return [
        f"{sum(record.right for record in of) / run.seconds:.0f}",
        *(counts[status] for status in (200, 503, 504)),
        run.lost(),
        sum(record.sent != record.sent for record in run.records),
        f"{np.percentile(intended, 99) * 1e3:.0f}" if intended else "",
        after(200, 99),
        after(503, 99),
        after(503, 50),
        f"{sum(record.right for record in lives)} of {len(lives)}",
        after(200, 99, lives),
        f"{run.lag():.0f}",
    ]


@contextlib.contextmanager
def priority(nice):
    """Run with another priority, where the system lets."""
    if hasattr(os, "setpriority"):
        with contextlib.suppress(PermissionError):
            os.setpriority(os.PRIO_PROCESS, 0, nice)
    try:
        yield
    finally:
        if hasattr(os, "setpriority"):
            with contextlib.suppress(PermissionError):
                os.setpriority(os.PRIO_PROCESS, 0, 0)


def main():
    begin = time.monotonic()
    mine, echo = service(), Process([str(HERE / "echo.py"), "{port}"])
    parts = [("L1: what the service costs", overhead(mine, echo)), ("L2: latency", latencies(mine, echo))]
    mine.stop()
    echo.stop()
    parts += [("L3: sizes, beside the seed's table", sizes()), ("L4: together", batching())]
    parts += [("The cache", caching()), ("O1: overload", overload())]
    write(parts, time.monotonic() - begin)


def write(parts, seconds):
    versions = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    lines = [
        "# The service, measured",
        "",
        f"By `python bench/service/run.py` in {seconds:.0f} s on {processor()}, a machine shared with others",
        f"(load {os.getloadavg()[1]:.1f}), commit {commit()}.",
        f"Python {platform.python_version()}, {versions}.",
        "",
        "Only ratios within this run count: figures move by half from run to run. Latency counts from the",
        "intended start of each request, arrivals are Poisson, and every answer is verified against",
        "`rpsd.denoise`, bit by bit. Two workers, no cache but where it is measured; the load runs on the",
        "same two processors.",
    ]
    for title, content in parts:
        lines += ["", f"## {title}", "", content]
    text = "\n".join(lines) + "\n"
    (HERE / "RESULTS.md").write_text(text)
    sizing.PAGE.write_text(sizing.written(sizing.PAGE.read_text("utf-8"), text), "utf-8")


if __name__ == "__main__":
    main()
