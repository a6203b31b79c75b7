#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Give a new instance a twentieth of the requests, compare it with the old one, and promote it or roll back.

canary.py OLD NEW --upstream /etc/nginx/upstream.conf: URLs of both instances, as nginx and this script reach
them. Exit code 0: promoted; 1: rolled back; 2: not begun. It needs `rpsd` on the path and nothing else; where
instances ask for credentials, RPSD_API_KEY_FILE has a key of the roles user and viewer.
"""

import argparse
import math
import os
import re
import shlex
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from urllib.parse import urlsplit

_SAMPLE = re.compile(r"^(\w+)(?:\{(.*)\})? (\S+)$")
#: Standard errors beyond which a share is taken to be worse: once in 700 canaries by chance.
_SIGMA = 3.0


def main() -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("old")
    parser.add_argument("new")
    parser.add_argument("--upstream", type=Path, required=True, help="the file with nginx' upstream block")
    parser.add_argument("--reload", default="nginx -s reload", help="how nginx is told")
    parser.add_argument("--percent", type=int, default=5, choices=range(1, 51), metavar="1..50")
    parser.add_argument("--seconds", type=float, default=600.0, help="for how long it is watched")
    parser.add_argument("--min-requests", type=int, default=200, help="fewer of the new one decide nothing")
    parser.add_argument("--max-ratio", type=float, default=1.2, help="of times, new to old")
    parser.add_argument("--compare-requests", type=int, default=200)
    given = parser.parse_args()

    smoke = ["rpsd", "smoke", given.new]
    compare = ["rpsd", "compare", given.old, given.new, "--requests", str(given.compare_requests)]
    for command in (smoke, [*compare, "--max-ratio", str(given.max_ratio)]):
        if subprocess.run(command, check=False).returncode != 0:
            print(f"not begun: {' '.join(command[:2])} failed")
            return 2

    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    promoted = False
    try:
        set_weights(given, 100 - given.percent, given.percent)
        before = scrape(given.old), scrape(given.new)
        print(f"{given.percent} % of requests to {given.new} for {given.seconds:g} s", flush=True)
        time.sleep(given.seconds)
        old, new = (
            since(scrape(url), first) for url, first in zip((given.old, given.new), before, strict=True)
        )
        faults = judge(old, new, given.min_requests, given.max_ratio)
        for fault in faults:
            print(fault)
        promoted = not faults
    except (KeyboardInterrupt, OSError, ValueError) as error:
        print(f"interrupted: {error!r}")
    finally:  # whatever happened, one of the two has everything
        set_weights(given, *((0, 1) if promoted else (1, 0)))
    print(
        f"promoted: SIGTERM {given.old} when it is idle" if promoted else f"rolled back: to {given.old} alone"
    )
    return 0 if promoted else 1


def _interrupt(number, frame):
    raise KeyboardInterrupt(signal.Signals(number).name)


def set_weights(given, old, new):
    """Write nginx' upstream block, whole or not at all, and have it read."""
    lines = ["# Written by canary.py.", "upstream rpsd {"]
    for url, weight in ((given.old, old), (given.new, new)):
        state = f"weight={weight} max_fails=1 fail_timeout=2s" if weight else "down"
        lines.append(f"    server {urlsplit(url).netloc} {state};")
    lines += ["    keepalive 64;", "    keepalive_timeout 4s;", "}"]
    part = given.upstream.with_name(given.upstream.name + ".part")
    part.write_text("\n".join(lines) + "\n")
    part.replace(given.upstream)
    subprocess.run(shlex.split(given.reload), check=True)


def scrape(url):
    """Return what /metrics tells: numbers by name and labels."""
    request = urllib.request.Request(url.rstrip("/") + "/metrics")
    if file := os.environ.get("RPSD_API_KEY_FILE"):
        request.add_header("Authorization", f"Bearer {Path(file).read_text().strip()}")
    with urllib.request.urlopen(request, timeout=10) as answer:
        found = [_SAMPLE.match(line) for line in answer.read().decode().splitlines()]
    return {(one[1], one[2] or ""): float(one[3]) for one in found if one}


def since(now, before):
    """Return what was added; a counter that fell began anew."""
    return {
        key: value - before.get(key, 0.0) if value >= before.get(key, 0.0) else value
        for key, value in now.items()
    }


def total(samples, name, *labels):
    """Return the sum of a metric's samples with all of these labels, each a regular expression."""
    return sum(
        value
        for (metric, text), value in samples.items()
        if metric == name and all(re.search(label, text) for label in labels)
    )


_ROUTES = 'route="/v[12]/'
_TIME = "rpsd_http_request_duration_seconds"
_CHECKS = "rpsd_guardrail_evaluations_total"
_REQUESTS = "rpsd_http_requests_total"


def judge(old, new, min_requests, max_ratio):
    """Return in what the new one is worse; an empty list where it is not."""
    shares = (
        ("failed requests", _REQUESTS, (_ROUTES,), 'code="5'),
        ("breached guardrails", _CHECKS, (), 'verdict="breached"'),
    )
    requests = total(new, _REQUESTS, _ROUTES)
    if requests < min_requests:
        return [f"the new one has had {requests:.0f} requests; {min_requests} decide"]
    faults = []
    for name, metric, labels, bad in shares:
        counts = [(total(one, metric, *labels, bad), total(one, metric, *labels)) for one in (old, new)]
        (bad_old, all_old), (bad_new, all_new) = counts
        if not all_new or not all_old:
            continue
        pooled = (bad_old + bad_new) / (all_old + all_new)
        error = math.sqrt(pooled * (1 - pooled) * (1 / all_old + 1 / all_new))
        text = f"{name}: {bad_new:.0f} of {all_new:.0f}, old {bad_old:.0f} of {all_old:.0f}"
        print(text)
        if bad_new / all_new - bad_old / all_old > _SIGMA * error:
            faults.append(f"worse in {text}")
    means = [
        total(one, f"{_TIME}_sum", _ROUTES) / max(1, total(one, f"{_TIME}_count", _ROUTES))
        for one in (old, new)
    ]
    text = f"mean time: {1000 * means[1]:.2f} ms, old {1000 * means[0]:.2f} ms"
    print(text)
    if means[0] and means[1] > max_ratio * means[0]:
        faults.append(f"worse in {text}")
    return faults


if __name__ == "__main__":
    sys.exit(main())
