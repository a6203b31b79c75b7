# SPDX-License-Identifier: MIT
"""What the tests of jobs share: series that take a while, and clients that ask for jobs."""

import numpy as np
from serving import wait_until

import rpsd

PATH = "/v1/jobs"
BINARY = "application/octet-stream"
X = 100 + rpsd.simulate("a", 500, seed=5, nsr=1.0).noisy
#: What a killed process is in the middle of: a second or more for the default method.
LONG = 100 + rpsd.simulate("a", 200_000, seed=6, nsr=1.0).noisy
#: What nobody waits for the end of.
ENDLESS = np.tile(LONG, 8)
ENDED = ("done", "failed", "cancelled")


def submit(server, body, query="", content_type=BINARY, **headers):
    """Return the answer to a job of a body."""
    if isinstance(body, np.ndarray):
        body = body.tobytes()
    return server.ask("POST", PATH + query, body, content_type=content_type, **headers)


def submitted(server, body, query="", **headers):
    """Return the id of a job of a body."""
    answer = submit(server, body, query, **headers)
    assert answer.status == 202, answer.body
    assert answer.headers["location"] == f"{PATH}/{answer.json['id']}"
    return answer.json["id"]


def state(server, id):
    answer = server.ask("GET", f"{PATH}/{id}")
    assert answer.status == 200, answer.body
    return answer.json


def reached(server, id, *statuses):
    """Wait until a job has one of some statuses, and return it as it is then."""
    return wait_until(lambda: (found := state(server, id))["status"] in statuses and found)


def ended(server, id):
    return reached(server, id, *ENDED)


def result(server, id, **headers):
    return server.ask("GET", f"{PATH}/{id}/result", **headers)


def computed(server):
    """Return how many answers were written: what is stopped in the middle has none."""
    lines = server.ask("GET", "/metrics").body.decode().splitlines()
    counts = [
        one for one in lines if one.startswith("rpsd_kernel_seconds_count") and 'stage="serialise"' in one
    ]
    return sum(float(one.split()[-1]) for one in counts)


def problem(answer):
    return answer.status, answer.json["type"].rpartition(":")[2]
