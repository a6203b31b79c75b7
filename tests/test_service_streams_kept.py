# SPDX-License-Identifier: MIT
"""What of streams is kept: through kill -9, by two processes at once, and what is damaged."""

import base64
import contextlib
import http.client
import random
import threading
import time

import numpy as np
import pytest
import sqlalchemy as sa
from postgres import postgres
from serving import Server
from streaming import PATH, Socket, create, push, same, samples, taken

import rpsd
from rpsd.service._lane import Damaged
from rpsd.service._problems import Problem
from rpsd.service.store._database import Database
from rpsd.service.store._schema import stream_inputs, streams
from rpsd.service.store._seal import StateKey
from rpsd.service.store._secrets import Secret
from rpsd.service.streams._keep import Keep
from rpsd.service.streams._ops import Op

__all__ = ["postgres"]
KEY = base64.b64encode(bytes(range(32))).decode()
X = samples(6000, seed=3)


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    """Return a function that starts servers, which are gone after the module."""
    started = []

    def new(url):
        one = Server(tmp_path_factory.mktemp("home"), state_url=url, state_key=KEY)
        started.append(one)
        return one

    yield new
    for one in started:
        one.process.kill()
        one.finished()


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def url(request, tmp_path_factory):
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path_factory.mktemp('state') / 'rpsd.db'}"
    return request.getfixturevalue("postgres").url()


@pytest.fixture(scope="module")
def replicas(url, running):
    """Return two servers that have one database."""
    return [one.wait() for one in [running(url), running(url)]]


def test_two_processes_take_turns(replicas):
    seed = random.randrange(2**32)
    print("seed", seed)
    chance = random.Random(seed)
    id = create(replicas[0], lookahead=3)
    y, at, sequence = [], 0, 0
    while at < 1500:
        size, sequence = chance.randrange(1, 60), sequence + 1
        for _ in range(chance.choice([1, 1, 2])):  # asked again, of either
            answer = push(chance.choice(replicas), id, X[at : at + size], sequence)
            assert answer.status == 200, answer.body
        y.extend(answer.json["values"])
        at += size
    assert same(taken(y), X[:at], 3)
    shown = [one.ask("GET", f"{PATH}/{id}").json for one in replicas]
    assert shown[0] == shown[1]
    assert (shown[0]["sequence"], shown[0]["samples"]) == (sequence, at)


def test_two_processes_at_once(replicas):
    """Neither knows of the other, nor says which change it makes: each is made once, in some order."""
    id = create(replicas[0], lookahead=1)
    found = []

    def run(server, begin):
        for k in range(begin, begin + 400, 10):
            answer = push(server, id, X[k : k + 10])
            assert answer.status == 200, answer.body
            found.append((answer.json["sequence"], k, answer.json["values"]))

    threads = [
        threading.Thread(target=run, args=(replicas[number % 2], 1000 * number)) for number in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found.sort()
    assert [sequence for sequence, _, _ in found] == list(range(1, 161))
    x = np.concatenate([X[k : k + 10] for _, k, _ in found])
    assert same(taken([value for _, _, values in found for value in values]), x, 1)


def test_what_one_deletes_is_gone_for_the_other(replicas):
    id = create(replicas[0])
    assert push(replicas[1], id, X[:5], 1).status == 200
    assert replicas[0].ask("DELETE", f"{PATH}/{id}").status == 204
    assert push(replicas[1], id, X[5:9]).status == 404
    assert push(replicas[1], id, X[:5], 1).status == 404


def test_an_id_that_the_database_takes_for_no_text_is_not_there(replicas):
    with Socket(replicas[0], {"resume": "a\0b"}) as connection:
        assert connection.told["type"] == "urn:rpsd:problem:not-found"


def killed_again_and_again(url, running, kills, streams):
    """Push from several clients while the service is killed; return what was answered of each."""
    seed = random.randrange(2**32)
    print("seed", seed)
    chance = random.Random(seed)
    here = [running(url).wait()]
    ids = [create(here[0], lookahead=2) for _ in range(streams)]
    answered = {id: [] for id in ids}
    over = threading.Event()

    def client(id):
        k, answered_last = 0, False
        while not (over.is_set() and answered_last and k % 10 == 0):  # one that was cut off is asked again
            answered_last = False
            with contextlib.suppress(OSError, http.client.HTTPException):
                answer = push(here[0], id, X[k * 3 % 5000 :][:3], k + 1)
                assert answer.status == 200, answer.body
                answered[id].append(answer.json)
                k, answered_last = k + 1, True

    threads = [threading.Thread(target=client, args=(id,)) for id in ids]
    for thread in threads:
        thread.start()
    try:
        for _ in range(kills):
            at = max(len(one) for one in answered.values())
            while max(len(one) for one in answered.values()) < at + 20:
                time.sleep(0.01)
            time.sleep(chance.random() * 0.2)
            here[0].process.kill()
            here[0].finished()
            here[0] = running(url).wait()
    finally:
        over.set()
        for thread in threads:
            thread.join()
    return here[0], answered


def check_nothing_is_lost(server, answered):
    for id, answers in answered.items():
        n = len(answers)
        assert [one["sequence"] for one in answers] == list(range(1, n + 1))
        shown = server.ask("GET", f"{PATH}/{id}").json
        assert (shown["sequence"], shown["samples"]) == (n, 3 * n)
        x = np.concatenate([X[k * 3 % 5000 :][:3] for k in range(n)])
        assert same(taken([value for one in answers for value in one["values"]]), x, 2)


def test_killed_under_load_nothing_is_lost(tmp_path, running):
    url = f"sqlite:///{tmp_path / 'rpsd.db'}"
    check_nothing_is_lost(*killed_again_and_again(url, running, kills=1, streams=4))


@pytest.mark.slow
def test_killed_many_times_nothing_is_lost(url, running):
    check_nothing_is_lost(*killed_again_and_again(url, running, kills=20, streams=16))


@pytest.fixture
def kept(tmp_path):
    """Return a small stream that is kept, with changes since its checkpoint, and what a push would answer."""
    database = Database(f"sqlite:///{tmp_path / 'rpsd.db'}", StateKey(StateKey.new()))
    keep = Keep(database)
    stream = rpsd.Denoiser(method="fir", fir_taps=3, window=4, min_periods=1, lookahead=1).stream()
    live = keep.create("here", "me", stream, 10, 1e6)
    inputs = []
    for k in range(3):
        op = Op("push", X[k * 4 : k * 4 + 4])
        live.apply(op)
        inputs.append(keep.sealed(live.id, live.sequence, op))
    assert keep.commit([keep.write(live, 0, inputs)]) == [True]
    yield database, keep, live.id, live.apply(Op("push", X[12:20])).values.tobytes()
    database.close()


def flips(value):
    """Yield a value of a row with one thing of it changed, everywhere it can be."""
    if isinstance(value, bytes):
        for at in range(len(value)):
            yield value[:at] + bytes([value[at] ^ (1 << at % 8)]) + value[at + 1 :]
        yield from (b"", value[:-1], value + b"\0")
    elif isinstance(value, str):
        for at in range(len(value)):
            yield value[:at] + chr(ord(value[at]) ^ 1) + value[at + 1 :]
    else:
        yield from (value ^ (1 << bit) for bit in range(40))


def answer_of(keep, id, connection=None):
    if connection is None:
        live, _ = keep.fresh(id, "here", None)
    else:
        live = keep.locked(connection, id, "here", None)
    return live.apply(Op("push", X[12:20])).values.tobytes()


def found_with(keep, id, connection, change):
    """Return what is answered after a change of the database, which is undone; None where it is found out."""
    undo = connection.begin_nested()
    try:
        connection.execute(change)
        return answer_of(keep, id, connection)
    except (Damaged, sa.exc.IntegrityError):
        return None
    except Problem as problem:
        return problem.name
    finally:
        undo.rollback()


def changes(connection):
    """Yield every change of one thing of a stream's row and its inputs, with the column that it is of."""
    for table in (streams, stream_inputs):
        for row in connection.execute(sa.select(table)).mappings().all():
            here = sa.and_(*(column == row[column.name] for column in table.primary_key))
            for name, value in row.items():
                if name not in ("owner", "used", "id", "stream"):  # no part of any answer; or another's row
                    for changed in flips(value):
                        yield name, table.update().where(here).values({name: changed})


@pytest.mark.parametrize("most", [200, pytest.param(None, marks=pytest.mark.slow)])
def test_every_byte_of_what_is_kept_that_is_changed_is_found(kept, most):
    """Of a stream's row and its inputs, or of some by chance: each is told, and no answer is another one."""
    seed = random.randrange(2**32)
    print("seed", seed)
    database, keep, id, expected = kept
    with database.begin() as connection:
        assert answer_of(keep, id, connection) == expected
        tried = list(changes(connection))
        assert len(tried) > 1500
        for name, change in tried if most is None else random.Random(seed).sample(tried, most):
            found = found_with(keep, id, connection, change)
            assert found == ("not-found" if name == "tenant" else None), (name, change.compile().params)
        assert answer_of(keep, id, connection) == expected


def test_inputs_that_are_missing_or_moved_are_found(kept):
    database, keep, id, expected = kept
    with database.begin() as connection:
        rows = connection.execute(sa.select(stream_inputs)).mappings().all()

    def with_rows(some):
        with database.begin() as connection:
            connection.execute(stream_inputs.delete())
            connection.execute(stream_inputs.insert(), [dict(row) for row in some])

    swapped = [
        {**rows[0], "request": rows[1]["request"]},
        {**rows[1], "request": rows[0]["request"]},
        rows[2],
    ]
    for some in (rows[:2], rows[1:], rows[::2], swapped, [*rows, {**rows[2], "sequence": 4}]):
        with_rows(some)
        with pytest.raises(Damaged):
            keep.fresh(id, "here", None)
    with_rows(rows)
    assert answer_of(keep, id) == expected


def test_damage_is_told_and_its_stream_can_be_deleted(replicas, url):
    server = replicas[0]
    id = create(server)
    push(server, id, X[:10], 1)
    database = Database(url, StateKey(Secret(KEY.encode())))
    here = streams.c.id == id
    with database.begin() as connection:
        checkpoint = bytearray(connection.execute(sa.select(streams.c.checkpoint).where(here)).scalar_one())
        checkpoint[100] ^= 1
        connection.execute(streams.update().where(here).values(checkpoint=bytes(checkpoint)))
    database.close()
    other = replicas[1]
    for answer in (push(other, id, X[10:20], 2), other.ask("GET", f"{PATH}/{id}"), push(other, id, X[10:20])):
        assert (answer.status, answer.json["type"]) == (500, "urn:rpsd:problem:state-damaged")
        assert answer.json["detail"] == "what is kept of this stream is damaged"
    assert other.logged(operation="streams", level="ERROR")["message"].endswith(
        "was changed after it was sealed"
    )
    assert other.ask("DELETE", f"{PATH}/{id}").status == 204


def test_a_database_that_is_away_is_told_and_nothing_is_lost(postgres, running):
    server = running(postgres.url()).wait()
    id = create(server, lookahead=1)
    y = push(server, id, X[:50], 1).json["values"]
    postgres.stop()
    try:
        answer = push(server, id, X[50:90], 2)
        assert (answer.status, answer.json["type"]) == (503, "urn:rpsd:problem:state-unavailable")
        assert answer.json["detail"] == "the database did not answer"
        assert answer.headers["retry-after"] == "1"
        assert server.post({"values": [1.0, 2.0]}).status == 200  # what needs no database goes on
    finally:
        postgres.start()
    y += push(server, id, X[50:90], 2).json["values"]
    assert same(taken(y), X[:90], 1)
