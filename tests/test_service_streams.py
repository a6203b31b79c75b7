# SPDX-License-Identifier: MIT
"""Streams of the service: pushes in, the bits of the batch out, whatever is asked again."""

import json
import sqlite3
import threading
from itertools import pairwise

import numpy as np
import pytest
from serving import server, start
from streaming import PATH, create, given, push, same, samples, taken

import rpsd

__all__ = ["server", "start"]
X = samples(700)


@pytest.mark.parametrize("lookahead", [0, 5])
def test_pushes_of_any_size_have_the_bits_of_the_batch(server, lookahead):
    id = create(server, lookahead=lookahead)
    cuts = [0, 1, 2, 9, 10, 300, 301, 699, 700]
    y = []
    for number, (begin, end) in enumerate(pairwise(cuts), 1):
        answer = push(server, id, X[begin:end], number).json
        assert (answer["sequence"], answer["samples"]) == (number, end)
        y.extend(answer["values"])
    assert same(taken(y), X, lookahead)


def test_float64_both_ways(server):
    id = create(server, lookahead=3, method="kalman")
    answer = server.post(X.tobytes(), f"{PATH}/{id}/push?sequence=1", content_type="application/octet-stream")
    assert answer.headers["content-type"] == "application/octet-stream"
    assert (answer.headers["rpsd-sequence"], answer.headers["rpsd-samples"]) == ("1", "700")
    y = rpsd.denoise(X, lookahead=3, method="kalman")
    assert answer.body[24:] == y[:-3].tobytes()
    flushed = server.post(b"", f"{PATH}/{id}/flush", accept="application/octet-stream")
    stream = rpsd.Denoiser(lookahead=3, method="kalman").stream()
    stream.push_many(X)
    assert flushed.body == stream.flush().tobytes()
    answer = server.post(b"1234567", f"{PATH}/{id}/push", content_type="application/octet-stream")
    assert (answer.status, answer.json["type"]) == (400, "urn:rpsd:problem:malformed-body")


def test_every_change_is_that_of_the_library(server):
    id = create(server, lookahead=2)
    stream = rpsd.Denoiser(lookahead=2).stream()
    assert push(server, id, X[:50]).json["values"] == given(stream.push_many(X[:50]))
    assert push(server, id, [99.5], op="amend").json["values"] == [stream.amend(99.5)]
    assert server.post({"sequence": 3}, f"{PATH}/{id}/new-session").json == {"sequence": 3, "samples": 50}
    stream.new_session()
    assert server.ask("POST", f"{PATH}/{id}/acknowledge").json == {"sequence": 4, "samples": 50}
    stream.acknowledge()
    assert push(server, id, X[50:90]).json["values"] == given(stream.push_many(X[50:90]))
    assert server.ask("GET", f"{PATH}/{id}/snapshot").body == stream.snapshot()
    shown = server.ask("GET", f"{PATH}/{id}").json
    health = stream.health()
    assert (shown["sequence"], shown["samples"], shown["warmup"]) == (5, 90, stream.warmup)
    assert shown["health"]["noise_sd"] == health.noise_sd
    assert shown["health"]["samples"] == health.samples == 90
    assert shown["options"]["lookahead"] == 2


def test_a_snapshot_goes_on_elsewhere(server):
    id = create(server, lookahead=1)
    push(server, id, X[:400])
    elsewhere = rpsd.Stream.restore(server.ask("GET", f"{PATH}/{id}/snapshot").body)
    assert push(server, id, X[400:]).json["values"] == given(elsewhere.push_many(X[400:]))


def test_a_bank(server):
    id = create(server, lookahead=1, series=2)
    block = np.array([X[:40], X[40:80]])
    bank = rpsd.Denoiser(lookahead=1).stream(2)
    for k, piece in enumerate((block[:, :10], block[:, 10:])):
        content = {"values": [given(row) for row in piece], "sequence": k + 1}
        found = server.post(content, f"{PATH}/{id}/push").json["values"]
        assert found == [given(row) for row in bank.push_many(piece)]
    packed = server.post(block.tobytes(), f"{PATH}/{id}/push", content_type="application/octet-stream")
    assert packed.body == bank.push_many(block).tobytes()
    amended = server.post({"values": [[1.0], [2.0]]}, f"{PATH}/{id}/amend").json["values"]
    assert amended == [[value] for value in bank.amend([1.0, 2.0])]
    assert server.ask("GET", f"{PATH}/{id}").json["health"]["samples"] == [80, 80]
    for values in ([1, 2, 3], [[1], [2], [3]], [[1, 2], [3]], []):
        answer = server.post({"values": values}, f"{PATH}/{id}/push")
        assert (answer.status, "values must" in answer.json["detail"]) == (422, True), values


def test_the_same_sequence_gets_the_same_answer(server):
    id = create(server, lookahead=2)
    first = push(server, id, X[:300], 1)
    second = push(server, id, X[300:320], 2)
    third = server.post({"sequence": 3}, f"{PATH}/{id}/new-session")
    for _ in range(2):
        assert push(server, id, X[:300], 1).body == first.body
        assert push(server, id, X[300:320], 2).body == second.body
        assert server.post({"sequence": 3}, f"{PATH}/{id}/new-session").body == third.body
    assert server.ask("GET", f"{PATH}/{id}").json["sequence"] == 3
    for sequence, values in ((1, X[:299]), (2, X[320:340]), (3, X[:1]), (5, X[:1])):
        answer = push(server, id, values, sequence)
        assert (answer.status, answer.json["type"]) == (409, "urn:rpsd:problem:conflict")
        assert answer.json["sequence"] == 3
    assert push(server, id, X[320:], 4).status == 200


def test_what_is_refused_changes_nothing(server):
    id = create(server, lookahead=2)
    assert server.post({"values": [1.0]}, f"{PATH}/{id}/amend").json["status"] == 409
    push(server, id, X[:100], 1)
    before = server.ask("GET", f"{PATH}/{id}/snapshot").body
    refused = [
        ({"values": [1.0, 2.0]}, "amend", 422),
        ({"values": []}, "push", 422),
        ({"values": [[1.0]]}, "push", 422),
        ({"values": [1e400]}, "push", 422),
        ({"values": ["1"]}, "push", 422),
        ({}, "push", 422),
        ({"values": [1.0], "sequence": 0}, "push", 422),
        ({"values": [1.0], "more": 1}, "push", 422),
        ({"values": [1.0] * 8193}, "push", 413),
        ({"values": [1.0]}, "new-session", 422),
    ]
    for content, op, status in refused:
        answer = server.post(json.dumps(content).replace("Infinity", "1e400").encode(), f"{PATH}/{id}/{op}")
        assert answer.status == status, (content, answer.body)
    assert server.post(b'{"values": [1], "values": [2]}', f"{PATH}/{id}/push").status == 422
    assert server.post({"values": [1]}, f"{PATH}/{id}/push?sequence=2").status == 422
    assert server.ask("GET", f"{PATH}/{id}/snapshot").body == before


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ({"lookahead": -1}, "lookahead must be"),
        ({"breaks": "auto"}, "breaks must be None in a stream"),
        ({"series": 0}, "series"),
        ({"series": 10**9}, "series must be at most"),
        ({"on_breach": "explode"}, "on_breach must be"),
        ({"values": [1]}, "values"),
        ({"window": 10**8, "method": "wavelet"}, "window"),
    ],
)
def test_streams_that_are_none(server, content, said):
    answer = server.post(content, PATH)
    assert answer.status in (413, 422)
    assert said in answer.json["detail"]


def test_lists_and_deletes(server):
    ids = [create(server) for _ in range(3)]
    found = server.ask("GET", PATH).json["streams"]
    assert [one["id"] for one in found][-3:] == ids
    assert server.ask("DELETE", f"{PATH}/{ids[1]}").status == 204
    assert ids[1] not in {one["id"] for one in server.ask("GET", PATH).json["streams"]}
    for method, path in [("GET", ""), ("DELETE", ""), ("GET", "/snapshot"), ("POST", "/flush"),
                         ("POST", "/new-session")]:  # fmt: skip
        answer = server.ask(method, f"{PATH}/{ids[1]}{path}")
        assert (answer.status, answer.json["detail"]) == (404, "there is no such stream")
    assert push(server, ids[1], [1.0]).status == 404


def test_streams_that_push_at_once_share_commits(server):
    ids = [create(server, lookahead=1) for _ in range(8)]
    found = {id: [] for id in ids}

    def run(id):
        for k in range(20):
            found[id].extend(push(server, id, X[k * 5 : k * 5 + 5], k + 1).json["values"])

    threads = [threading.Thread(target=run, args=(id,)) for id in ids]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for id in ids:
        assert same(taken(found[id]), X[:100], 1)
    metrics = server.ask("GET", "/metrics").body.decode()
    numbers = {line.split()[0]: float(line.split()[1]) for line in metrics.splitlines() if line[0] != "#"}
    count, total = (numbers[f"rpsd_stream_commit_size_{name}"] for name in ("count", "sum"))
    assert total >= count + 20


def test_pushes_to_one_stream_at_once_are_made_one_after_another(server):
    id = create(server)
    answers = []

    def run():
        for k in range(10):
            values = X[k * 3 : k * 3 + 3]
            answers.append((push(server, id, values).json, values))

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    answers.sort(key=lambda pair: pair[0]["sequence"])
    assert [answer["sequence"] for answer, _ in answers] == list(range(1, 41))
    x = np.concatenate([values for _, values in answers])
    assert same(taken([value for answer, _ in answers for value in answer["values"]]), x, 0)


def test_a_stream_is_made_once_however_often_it_is_asked_for(server):
    first = server.post({"lookahead": 1}, PATH, idempotency_key="once")
    assert first.status == 201
    id = first.json["id"]
    assert push(server, id, X[:5], 1).status == 200
    again = server.post({"lookahead": 1}, PATH, idempotency_key="once")
    assert (again.status, again.body, again.headers["location"]) == (201, first.body, f"{PATH}/{id}")
    other = server.post({"lookahead": 2}, PATH, idempotency_key="once")
    assert (other.status, other.json["type"]) == (422, "urn:rpsd:problem:key-reused")
    job = server.post({"lookahead": 1, "values": [1, 2]}, "/v1/jobs", idempotency_key="once")
    assert (job.status, job.json["type"]) == (422, "urn:rpsd:problem:key-reused")  # of another address too
    assert server.post({"lookahead": 1}, PATH, idempotency_key="twice").json["id"] != id
    assert server.ask("DELETE", f"{PATH}/{id}").status == 204
    assert server.post({"lookahead": 1}, PATH, idempotency_key="once").body == first.body


def test_limits_and_idleness(start):
    server = start(max_streams=2, max_push=10, stream_idle_timeout=2)
    ids = [create(server), create(server)]
    answer = server.post({}, PATH)
    assert (answer.status, answer.json["detail"]) == (409, "there are at most 2 streams; delete one first")
    assert push(server, ids[0], np.ones(10)).status == 200
    assert push(server, ids[0], np.ones(11)).status == 413
    while server.post({}, PATH).status != 201:  # idle ones leave
        pass
    assert push(server, ids[1], np.ones(1)).status == 404


def test_a_checkpoint_now_and_then(start, tmp_path):
    """More samples than a checkpoint has, twice; a restart goes on from the one that is kept."""
    server = start(state_dir=tmp_path / "state")
    id = create(server, lookahead=2)
    x = samples(20_000)
    y = []
    for k in range(10):
        y.extend(push(server, id, x[2000 * k : 2000 * k + 2000], k + 1).json["values"])
    with sqlite3.connect(tmp_path / "state" / "rpsd.db") as database:
        kept = database.execute("SELECT count(*) FROM stream_inputs").fetchone()[0]
        at = database.execute("SELECT checkpoint_sequence FROM streams").fetchone()[0]
    database.close()
    assert (kept, at) == (4, 6)
    assert same(taken(y), x, 2)
    assert push(server, id, x[12000:14000], 7).json["values"] == y[12000:14000]
    answer = push(server, id, x[10000:12000], 6)
    assert (answer.status, "too long ago" in answer.json["detail"]) == (409, True)
    server.process.kill()
    again = start(state_dir=tmp_path / "state")
    y.extend(push(again, id, x[:1000], 11).json["values"])
    assert same(taken(y), np.concatenate([x, x[:1000]]), 2)
