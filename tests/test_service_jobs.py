# SPDX-License-Identifier: MIT
"""Jobs: what they compute is what the addresses that compute answer, they end as asked, and within limits."""

import json
import socket
import sqlite3
import time

import numpy as np
import pyarrow as pa
import pytest
from jobbing import (
    BINARY,
    ENDLESS,
    PATH,
    X,
    computed,
    ended,
    problem,
    reached,
    result,
    state,
    submit,
    submitted,
)
from serving import Server, wait_until

ARROW = "application/vnd.apache.arrow.stream"
JSON = "application/json"
GIVEN = X.round(3).tolist()


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def server(home):
    """Return a server whose leases outlive the tests, so that nothing waits for one; it must end well."""
    running = Server(home, state_dir=home / "state", job_lease=600, log_level="DEBUG")
    try:
        yield running.wait()
        assert running.stop() == 0
    finally:
        running.process.kill()


def arrow(**columns):
    sink = pa.BufferOutputStream()
    table = pa.table(columns)
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue().to_pybytes()


def text(**content):
    return json.dumps(content).encode()


ASKED = [
    ("denoise", "", BINARY, X.tobytes(), {}),
    ("denoise", "lookahead=3&report=full&series=2", BINARY, X.tobytes(), {"accept": JSON}),
    ("denoise", "", JSON, text(values=GIVEN, lookahead=2), {}),
    ("denoise", "", JSON, text(series={"a": GIVEN, "b": [None, *GIVEN]}, report="metrics"), {}),
    ("denoise", "", JSON, text(values=GIVEN), {"accept": BINARY}),
    ("denoise", "method=wavelet&noise=mad", ARROW, arrow(a=X, b=X + 1), {}),
    ("noise", "", JSON, text(values=GIVEN), {}),
    ("evaluate", "lookahead=1", BINARY, np.concatenate([X, X[::-1]]).tobytes(), {}),
]


@pytest.mark.parametrize(("operation", "query", "kind", "body", "headers"), ASKED)
def test_the_result_is_what_the_address_answers(server, operation, query, kind, body, headers):
    asked = "&".join(part for part in (f"operation={operation}", query) if part)
    id = submitted(server, body, f"?{asked}", content_type=kind, **headers)
    assert ended(server, id)["status"] == "done"
    address = f"/v1/{operation}" + (f"?{query}" if query else "")
    direct = server.ask("POST", address, body, content_type=kind, cache_control="no-cache", **headers)
    found = result(server, id)
    assert (found.status, direct.status) == (200, 200), found.body
    assert found.body == direct.body
    names = {name for name in direct.headers if name.startswith("rpsd-")} | {"content-type"}
    assert {name: found.headers.get(name) for name in names} == {name: direct.headers[name] for name in names}


def test_a_job_says_where_it_is(server):
    answer = submit(server, X)
    assert answer.json.items() >= {"operation": "denoise", "status": "queued", "samples": len(X)}.items()
    assert (answer.json["started"], answer.json["ended"], answer.json["attempts"]) == (None, None, 0)
    id = answer.json["id"]
    found = ended(server, id)
    assert (found["status"], found["attempts"], found["problem"]) == ("done", 1, None)
    assert found["created"] <= found["started"] <= found["ended"] < found["expires"]
    (listed,) = [one for one in server.ask("GET", PATH).json["jobs"] if one["id"] == id]
    assert {**listed, "problem": None} == found
    line = server.logged(operation="job", job=id)
    assert (line["status"], line["data_size"], line["level"], line["user_id"]) == (
        "done",
        len(X),
        "INFO",
        None,
    )
    metrics = server.ask("GET", "/metrics").body.decode()
    assert 'rpsd_jobs_total{status="done"}' in metrics
    assert server.ask("DELETE", f"{PATH}/{id}").status == 204
    for path in (f"{PATH}/{id}", f"{PATH}/{id}/result"):
        assert problem(server.ask("GET", path)) == (404, "not-found")
    assert problem(server.ask("DELETE", f"{PATH}/{id}")) == (404, "not-found")


REFUSED = [
    ("?operation=denoize", JSON, text(values=GIVEN), {}, 422),
    ("?operation=noise&operation=noise", JSON, text(values=GIVEN), {}, 422),
    ("?level=2", JSON, text(values=GIVEN), {}, 422),
    ("", JSON, text(values=GIVEN, levle=2), {}, 422),
    ("", JSON, text(values=GIVEN, level=-2), {}, 422),
    ("?operation=noise", JSON, text(values=GIVEN, lookahead=-1), {}, 422),
    ("?operation=evaluate", JSON, text(values=GIVEN), {}, 422),
    ("?operation=evaluate", JSON, text(x=GIVEN, y=GIVEN, guardrails={"lag": 1}), {}, 422),
    ("", JSON, b"{", {}, 400),
    ("", BINARY, b"1234567", {}, 400),
    ("?levle=2", BINARY, X.tobytes(), {}, 422),
    ("?operation=noise", BINARY, X.tobytes(), {"accept": BINARY}, 406),
    ("", "text/csv", b"1", {}, 415),
    ("", JSON, text(values=GIVEN), {"idempotency_key": "a b"}, 422),
    ("", JSON, text(values=GIVEN), {"idempotency_key": "a" * 256}, 422),
]


@pytest.mark.parametrize(("query", "kind", "body", "headers", "status"), REFUSED)
def test_what_cannot_be_computed_is_refused_at_once(server, query, kind, body, headers, status):
    before = server.ask("GET", PATH).json
    assert submit(server, body, query, content_type=kind, **headers).status == status
    assert server.ask("GET", PATH).json == before


def test_a_job_that_fails_says_why(server):
    body = text(values=GIVEN, guardrails={"policy": "raise", "correlation_threshold": 1.0})
    id = submitted(server, body, content_type=JSON)
    found = ended(server, id)
    assert found["status"] == "failed"
    direct = server.ask("POST", "/v1/denoise", body, content_type=JSON)
    assert direct.status == 422
    assert found["problem"] == {name: one for name, one in direct.json.items() if name != "request_id"}
    assert problem(result(server, id)) == (409, "conflict")
    assert server.logged(operation="job", job=id)["problem"] == "guardrail-breached"


def metric(server, name):
    metrics = server.ask("GET", "/metrics").body.decode()
    return float(next(line for line in metrics.splitlines() if line.startswith(f"{name} ")).split()[1])


def running_jobs(server):
    return metric(server, "rpsd_jobs_running")


def test_a_job_is_cancelled_in_the_middle_and_before_it_begins(server):
    id, second, before = submitted(server, ENDLESS), submitted(server, X), computed(server)
    reached(server, id, "running")
    assert problem(result(server, id)) == (409, "conflict")
    for one in (second, id):
        for _ in range(2):  # asked again, answered again
            answer = server.ask("POST", f"{PATH}/{one}/cancel")
            assert (answer.status, answer.json["status"]) == (200, "cancelled")
        assert problem(result(server, one)) == (409, "conflict")
    wait_until(lambda: running_jobs(server) == 0)
    assert computed(server) == before
    assert not [line for line in server.log if line["operation"] == "job" and line.get("job") in (id, second)]
    third = submitted(server, X)
    assert ended(server, third)["status"] == "done"
    assert problem(server.ask("POST", f"{PATH}/{third}/cancel")) == (409, "conflict")
    assert state(server, id)["status"] == state(server, second)["status"] == "cancelled"
    assert problem(server.ask("POST", f"{PATH}/{'0' * 32}/cancel")) == (404, "not-found")


def test_a_job_that_is_deleted_is_stopped(server):
    id, before = submitted(server, ENDLESS), computed(server)
    reached(server, id, "running")
    time.sleep(0.5)  # what is asked for is read by now, and not computed by far
    assert server.ask("DELETE", f"{PATH}/{id}").status == 204
    wait_until(lambda: running_jobs(server) == 0)
    assert computed(server) == before
    assert problem(result(server, id)) == (404, "not-found")


def test_the_result_comes_as_it_was_asked_for(server):
    id = submitted(server, X, accept=JSON)
    ended(server, id)
    assert result(server, id).headers["content-type"] == JSON
    assert result(server, id, accept="application/*").status == 200
    assert problem(result(server, id, accept=BINARY)) == (406, "not-acceptable")
    head = server.ask("HEAD", f"{PATH}/{id}/result")
    assert (head.status, head.body) == (200, b"")


def test_what_is_kept_is_sealed_and_a_change_of_it_is_found(server, home):
    x = 4321.0 + np.arange(64.0)
    done, failed = submitted(server, x), submitted(server, x.tobytes(), "?guardrails.policy=raise")
    assert ended(server, done)["status"] == "done"
    ended(server, failed)
    y = result(server, done).body
    file = home / "state" / "rpsd.db"
    kept = b"".join(one.read_bytes() for one in file.parent.glob("rpsd.db*"))
    for values in (x.tobytes(), y):
        assert not any(values[k : k + 16] in kept for k in range(0, len(values), 128))
    with sqlite3.connect(file, timeout=20) as connection:
        sealed, request = connection.execute(
            "SELECT result, request FROM jobs WHERE id = ?", (done,)
        ).fetchone()
        assert request == b""  # what has ended needs it no more
        changed = sealed[:40] + bytes([sealed[40] ^ 1]) + sealed[41:]
        connection.execute("UPDATE jobs SET result = ? WHERE id = ?", (changed, done))
    connection.close()
    assert problem(result(server, done)) == (500, "state-damaged")
    assert server.ask("DELETE", f"{PATH}/{done}").status == 204


def test_what_clients_send_is_nowhere_to_be_read(server, home):
    """Neither in the log nor in metrics, nor in the database: values, names of series, keys of requests."""
    canary, values = "canary4711", (31337 + (X - X.min()) / (2 * np.ptp(X))).round(4).tolist()
    good = text(series={canary: values})
    bad = text(series={canary: values}, guardrails={"policy": "raise", "correlation_threshold": 1.0})
    ids = [
        submitted(server, body, content_type=JSON, idempotency_key=f"{canary}{len(body)}")
        for body in (good, bad)
    ]
    assert [ended(server, id)["status"] for id in ids] == ["done", "failed"]
    assert canary in state(server, ids[1])["problem"]["detail"]  # for who asked it is there
    assert submit(server, good, f"?operation={canary}", content_type=JSON).status == 422
    assert server.ask("GET", f"{PATH}/{canary}").status == 404
    server.logged(operation="job", job=ids[1])
    kept = b"".join(one.read_bytes() for one in (home / "state").glob("rpsd.db*"))
    for written in (*server.lines, server.ask("GET", "/metrics").body, kept):
        assert not any(word in written for word in (b"31337.", canary.encode()))


# Idempotency-Key


def ids(server):
    return [one["id"] for one in server.ask("GET", PATH).json["jobs"]]


def test_a_request_that_comes_again_gets_the_same_answer(server):
    first = submit(server, X, idempotency_key="once")
    assert first.status == 202
    before = ids(server)
    ended(server, first.json["id"])
    for key in ("once", '"once"'):  # as the draft has it
        again = submit(server, X, idempotency_key=key)
        assert (again.status, again.body) == (first.status, first.body)
        assert again.headers["location"] == first.headers["location"]
    assert ids(server) == before
    for body, query, headers in (
        (X[1:], "", {}), (X, "?lookahead=1", {}), (X, "?operation=noise", {}), (X, "", {"accept": JSON}),
    ):  # fmt: skip
        other = submit(server, body, query, idempotency_key="once", **headers)
        assert problem(other) == (422, "key-reused")
    assert ids(server) == before
    assert submit(server, X, idempotency_key="twice").json["id"] not in before


def test_a_request_that_is_refused_leaves_its_key_free(server):
    assert submit(server, b"{", content_type=JSON, idempotency_key="free").status == 400
    assert submit(server, X, idempotency_key="free").status == 202


def test_a_request_that_is_under_way_is_told_so(server):
    body = X.tobytes()
    head = f"POST {PATH} HTTP/1.1\r\nHost: x\r\nContent-Type: {BINARY}\r\nIdempotency-Key: slow\r\n"
    head += f"Content-Length: {len(body)}\r\nConnection: close\r\nExpect: 100-continue\r\n\r\n"
    with socket.create_connection(("127.0.0.1", server.port), timeout=45) as raw:
        raw.sendall(head.encode())
        assert raw.recv(4096).startswith(b"HTTP/1.1 100 ")  # its body is waited for
        answer = submit(server, X[:3], idempotency_key="slow")
        assert problem(answer) == (409, "conflict")
        assert answer.headers["retry-after"] == "1"
        assert submit(server, X, idempotency_key="another").status == 202
        raw.sendall(body)
        received = b""
        while piece := raw.recv(65536):
            received += piece
    assert received.startswith(b"HTTP/1.1 202 ")
    again = submit(server, X, idempotency_key="slow")
    assert again.body == received.partition(b"\r\n\r\n")[2]


def test_an_answer_is_kept_for_a_day(server, home):
    first = submit(server, X, idempotency_key="old")
    day = 86_400 * 1_000_000
    with sqlite3.connect(home / "state" / "rpsd.db", timeout=20) as connection:
        ends = [one for (one,) in connection.execute("SELECT expires FROM idempotency")]
        assert 0 <= time.time_ns() // 1000 + day - max(ends) < 60_000_000
        connection.execute("UPDATE idempotency SET expires = expires - ?", (day + 1_000_000,))
    connection.close()
    second = submit(server, X[1:], idempotency_key="old")
    assert second.status == 202
    assert second.json["id"] != first.json["id"]
    assert submit(server, X[1:], idempotency_key="old").body == second.body


# Limits


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """Return a server that keeps little, for a short time, and computes no job."""
    home = tmp_path_factory.mktemp("home")
    running = Server(
        home, state_dir=home / "state", job_lease=1, max_jobs=3, max_jobs_bytes=20_000, job_workers=0
    )
    try:
        yield running.wait()
        assert running.stop() == 0
    finally:
        running.process.kill()


def test_a_tenant_has_so_many_jobs_and_bytes(small):
    first = [submitted(small, X[:10]) for _ in range(3)]
    assert problem(submit(small, X[:10])) == (409, "conflict")
    for id in first[1:]:
        assert small.ask("DELETE", f"{PATH}/{id}").status == 204
    assert problem(submit(small, np.zeros(2500))) == (413, "too-large")
    id = submitted(small, np.zeros(2000))
    assert problem(submit(small, np.zeros(1000))) == (409, "conflict")
    assert small.ask("POST", f"{PATH}/{id}/cancel").status == 200  # what it asked for goes at once
    assert submit(small, np.zeros(1000)).status == 202
    assert state(small, first[0])["status"] == "queued"  # nobody computes here


def test_jobs_expire_and_take_too_long(tmp_path):
    server = Server(tmp_path, state_dir=tmp_path / "state", job_lease=1, job_expiry=1, job_timeout=0.05)
    try:
        server.wait()
        id = submitted(server, ENDLESS)
        found = server.logged(operation="job", job=id)
        assert (found["status"], found["problem"]) == ("failed", "deadline-exceeded")
        wait_until(lambda: server.ask("GET", f"{PATH}/{id}").status == 404)
        with sqlite3.connect(tmp_path / "state" / "rpsd.db", timeout=20) as connection:
            count = "SELECT count(*) FROM jobs"
            wait_until(lambda: connection.execute(count).fetchone() == (0,))
        connection.close()
        assert server.stop() == 0
    finally:
        server.process.kill()
