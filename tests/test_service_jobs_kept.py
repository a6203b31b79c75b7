# SPDX-License-Identifier: MIT
"""What of jobs is kept: through kill -9 and SIGTERM, by several processes, each computed by one at a time."""

import base64
import contextlib
import http.client
import random
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest
import sqlalchemy as sa
from jobbing import (
    BINARY,
    ENDLESS,
    LONG,
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
from postgres import postgres
from serving import Server, wait_until
from states import database, raw_engine, run_sql, state_key, url

import rpsd
from rpsd.service._idempotency import Answered
from rpsd.service._lane import Damaged
from rpsd.service._problems import Problem
from rpsd.service.jobs._forms import Kept
from rpsd.service.jobs._keep import Keep, New
from rpsd.service.jobs._peek import may_have_jobs
from rpsd.service.store._database import Database, now
from rpsd.service.store._schema import jobs

__all__ = ["database", "postgres", "state_key", "url"]
KEY = base64.b64encode(bytes(range(32))).decode()
HOUR = 3600.0


@pytest.fixture
def running(tmp_path):
    """Return a function that starts servers of one database, which are gone after the test."""
    started = []

    def new(url, **variables):
        one = Server(tmp_path, state_url=url, state_key=KEY, job_lease=1, **variables)
        started.append(one)
        return one.wait()

    yield new
    for one in started:
        one.process.kill()
        one.finished()


@pytest.fixture(scope="module")
def expected(tmp_path_factory):
    """Return what /v1/denoise answers to the long series."""
    server = Server(tmp_path_factory.mktemp("home"))
    try:
        return server.wait().post(LONG.tobytes(), content_type=BINARY).body
    finally:
        server.process.kill()
        server.finished()


def kill(server):
    server.process.kill()
    server.finished()


def test_a_job_outlives_the_process_that_is_killed_in_its_middle(url, running, expected):
    """Once more: after a restart over SQLite, by a replica that was there all the time over PostgreSQL."""
    first = running(url)
    others = [] if url.startswith("sqlite") else [running(url)]
    id = submitted(first, LONG, idempotency_key="one")
    assert reached(first, id, "running")["attempts"] == 1
    ends = [first, *others]
    computes = wait_until(lambda: next((one for one in ends if is_computing(one)), None))
    second = submitted(first, X)  # another replica may have it
    kill(computes)
    other = next((one for one in ends if one is not computes), None) or running(url)
    again = submit(other, LONG, idempotency_key="one")
    assert (again.status, again.json["id"]) == (202, id)
    found = ended(other, id)
    assert (found["status"], found["attempts"]) == ("done", 2)
    assert result(other, id).body == expected
    assert ended(other, second)["status"] == "done"
    assert other.logged(operation="job", job=id)["status"] == "done"


def is_computing(server):
    return b"rpsd_jobs_running 1.0" in server.ask("GET", "/metrics").body


@pytest.mark.slow
def test_a_job_that_is_lost_twice_has_failed(tmp_path, running):
    url = f"sqlite:///{tmp_path / 'rpsd.db'}"
    server = running(url)
    id = submitted(server, LONG)
    for attempt in (1, 2):
        wait_until(partial(is_computing, server))
        assert state(server, id)["attempts"] == attempt
        kill(server)
        server = running(url)
    found = ended(server, id)
    assert (found["status"], found["attempts"]) == ("failed", 2)
    assert found["problem"]["type"] == "urn:rpsd:problem:computation-failed"
    assert problem(result(server, id)) == (409, "conflict")
    assert server.logged(operation="job", job=id)["status"] == "lost"


@pytest.mark.slow
def test_killed_many_times_no_job_is_lost(url, running):
    """Jobs are asked for while two processes are killed now and then; each ends, right or lost twice."""
    seed = random.randrange(2**32)
    print("seed", seed)
    chance = random.Random(seed)
    here = [running(url), running(url)]
    over, asked = threading.Event(), {}

    def client(number):
        count = 0
        while not over.is_set():
            count += 1
            key, n = f"{number}-{count}", random.Random(f"{seed} {number} {count}").randrange(100, 60_000)
            while key not in asked:  # until it is answered
                with contextlib.suppress(OSError, http.client.HTTPException):
                    answer = submit(here[count % 2], LONG[:n], idempotency_key=key)
                    assert answer.status == 202, answer.body
                    asked[key] = answer.json["id"], n
            time.sleep(0.05)

    clients = [threading.Thread(target=client, args=(number,)) for number in range(3)]
    for one in clients:
        one.start()
    try:
        for _ in range(10):
            time.sleep(chance.random() * 2)
            which = chance.randrange(2)
            kill(here[which])
            here[which] = running(url)
    finally:
        over.set()
        for one in clients:
            one.join()
    jobs = {one["id"]: one for one in wait_until(partial(all_ended, here[0]))}
    assert sorted(jobs) == sorted(id for id, _ in asked.values())
    for id, n in asked.values():
        assert jobs[id]["attempts"] in (1, 2)
        if jobs[id]["status"] == "failed":
            assert jobs[id]["attempts"] == 2
        else:
            assert jobs[id]["status"] == "done"
            assert result(here[0], id).body == rpsd.denoise(LONG[:n]).tobytes()
    assert sum(one["status"] == "done" for one in jobs.values()) > len(jobs) // 2


def all_ended(server):
    found = server.ask("GET", PATH).json["jobs"]
    return all(one["ended"] for one in found) and found


@pytest.mark.parametrize("url", ["sqlite", pytest.param("postgresql", marks=pytest.mark.slow)], indirect=True)
def test_a_process_that_is_told_to_end_gives_its_job_back(url, running, expected):
    first = running(url)
    ids = [submitted(first, LONG), submitted(first, X)]
    reached(first, ids[0], "running")
    assert first.stop(signal.SIGTERM) == 0
    query = sa.select(jobs.c.status, jobs.c.attempts, jobs.c.lease_owner)
    with contextlib.closing(raw_engine(url)) as engine, engine.connect() as connection:
        assert [tuple(row) for row in connection.execute(query)] == [("queued", 0, None)] * 2
    second = running(url)
    found = [ended(second, id) for id in ids]
    assert [(one["status"], one["attempts"]) for one in found] == [("done", 1)] * 2
    assert result(second, ids[0]).body == expected


@pytest.fixture(scope="module")
def replicas(postgres, tmp_path_factory):
    """Return one that takes jobs and computes none, and one that computes them."""
    home, url = tmp_path_factory.mktemp("home"), postgres.url()
    started = [
        Server(home, state_url=url, state_key=KEY, job_lease=1, job_workers=number) for number in (0, 1)
    ]
    yield [one.wait() for one in started]
    for one in started:
        one.process.kill()
        one.finished()


def test_a_job_that_is_cancelled_at_another_replica_is_stopped(replicas):
    takes, computes = replicas
    id, before = submitted(takes, ENDLESS), computed(computes)
    reached(takes, id, "running")
    assert takes.ask("POST", f"{PATH}/{id}/cancel").json["status"] == "cancelled"
    wait_until(lambda: not is_computing(computes))
    assert computed(computes) == before
    assert state(computes, id)["status"] == "cancelled"
    second = submitted(takes, X)
    assert ended(takes, second)["status"] == "done"  # by the other, who was told by nobody


def test_two_replicas_make_one_job_of_a_request_that_comes_to_both(replicas):
    before = len(replicas[0].ask("GET", PATH).json["jobs"])
    for number in range(5):
        with ThreadPoolExecutor(2) as pool:
            answers = list(pool.map(partial(submit, body=X, idempotency_key=f"key-{number}"), replicas))
        assert [one.status for one in answers] == [202, 202]
        assert answers[0].body == answers[1].body
    assert len(replicas[1].ask("GET", PATH).json["jobs"]) == before + 5


def test_a_database_that_is_away_is_told_and_no_job_is_lost(postgres, running, expected):
    server = running(postgres.url())
    id = submitted(server, LONG)
    reached(server, id, "running")
    postgres.stop()
    try:
        assert problem(submit(server, X)) == (503, "state-unavailable")
        assert problem(server.ask("GET", f"{PATH}/{id}")) == (503, "state-unavailable")
        assert server.post({"values": [1.0, 2.0]}).status == 200  # what needs no database goes on
    finally:
        postgres.start()
    assert ended(server, id)["status"] == "done"
    assert result(server, id).body == expected


# Claims, by themselves


def new(tenant="here", points=3):
    return New(tenant, "me", "denoise", points, Kept(BINARY, BINARY, b""), b"x" * 24)


def put(keep, number=1, **more):
    """Return the ids of new jobs."""
    answers = [keep.submit(new(**more), 1000, 10**9, None) for _ in range(number)]
    assert all(isinstance(one, Answered) for one in answers)
    return [one.headers["location"].rpartition("/")[2] for one in answers]


def test_each_job_is_claimed_once_whoever_comes_at_once(url, state_key):
    databases = [Database(url, state_key) for _ in range(2)]
    keeps = [Keep(one) for one in databases]
    ids = put(keeps[0], 40)
    claimed, errors = [], []

    def run(keep):
        try:
            while (one := keep.claim(HOUR)) is not None:
                claimed.append(one.id)
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=run, args=(keeps[number % 2],)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for one in databases:
        one.close()
    assert errors == []
    assert sorted(claimed) == sorted(ids)


def test_who_lost_a_lease_changes_nothing(database):
    keep = Keep(database)
    (id,) = put(keep)
    first = keep.claim(0.0)
    assert first.id == id
    time.sleep(0.01)
    assert keep.look().over
    second = keep.claim(HOUR)
    assert second.id == id
    assert not keep.renew(first, HOUR)
    assert not keep.finish(first, "done", {}, b"first", HOUR)
    assert not keep.give_back(first)
    assert keep.request(first) is None
    assert keep.renew(second, HOUR)
    assert keep.request(second)[1] == b"x" * 24
    assert keep.claim(HOUR) is None
    assert keep.finish(second, "done", {"content-type": BINARY}, b"second", HOUR)
    assert keep.result(id, "here") == ({"content-type": BINARY}, b"second")
    assert not keep.finish(second, "done", {}, b"again", HOUR)
    assert keep.row(id, "here")[0].attempts == 2


def test_a_tenant_whose_name_begins_as_another_gets_nothing_of_his(database):
    """Of places joined by a slash, desk/alice + denoise and desk + alice/denoise would be one."""
    keep = Keep(database)
    (id,) = put(keep, tenant="desk/alice")
    assert keep.finish(keep.claim(HOUR), "done", {"content-type": BINARY}, b"hers", HOUR)
    assert keep.result(id, "desk/alice")[1] == b"hers"
    with database.begin() as connection:
        connection.execute(jobs.update().values(tenant="desk", operation="alice/denoise"))
    with pytest.raises(Damaged):
        keep.result(id, "desk")


def test_a_lease_that_is_renewed_is_nobody_elses(database):
    keep = Keep(database)
    put(keep)
    claimed = keep.claim(0.0)
    assert keep.renew(claimed, HOUR)
    assert keep.claim(HOUR) is None
    assert not keep.look().over


def test_a_job_is_begun_once_more_at_most(database):
    keep = Keep(database)
    (id,) = put(keep)
    for _ in range(3):  # given back in time is as if it had not been
        assert keep.give_back(keep.claim(HOUR))
    for _ in range(2):
        assert keep.claim(0.0).id == id
        time.sleep(0.01)
    assert keep.claim(0.0) is None
    assert [one.id for one in keep.sweep(HOUR)] == [id]
    row, problem = keep.row(id, "here")
    assert (row.status, row.attempts, problem["status"]) == ("failed", 2, 500)
    assert keep.sweep(HOUR) == []
    assert not keep.look().over


def test_tenants_take_turns(database):
    """One that has a thousand waiting keeps nobody out; of each tenant the oldest is first."""
    keep = Keep(database)
    seed = random.randrange(2**32)
    print("seed", seed)
    order = ["a"] * 9 + ["b"] * 3 + ["c"]
    random.Random(seed).shuffle(order)
    ids = {tenant: [] for tenant in order}
    for tenant in order:
        ids[tenant] += put(keep, tenant=tenant)
    claimed = []
    while (one := keep.claim(HOUR)) is not None:
        claimed.append(one)
    assert {one.tenant for one in claimed[:3]} == {"a", "b", "c"}
    assert sorted(one.tenant for one in claimed[3:7]) == ["a", "a", "b", "b"]
    for tenant, mine in ids.items():
        assert [one.id for one in claimed if one.tenant == tenant] == mine


def test_a_job_that_cannot_be_taken_keeps_no_other_from_being_computed(tmp_path, state_key):
    """As where its index is damaged: it is found, and no change finds it."""
    url = f"sqlite:///{tmp_path / 'rpsd.db'}"
    with contextlib.closing(Database(url, state_key)) as database:
        keep = Keep(database)
        stuck, other = (put(keep, tenant="a")[0] for _ in range(2))
        never = f"WHEN OLD.id = '{stuck}' BEGIN SELECT RAISE(IGNORE); END"
        run_sql(url, f"CREATE TRIGGER never BEFORE UPDATE ON jobs {never}")
        assert keep.claim(HOUR).id == other
        assert keep.claim(HOUR) is None


def test_expired_jobs_are_gone_before_they_are_deleted(database):
    keep = Keep(database)
    (id,) = put(keep)
    assert keep.finish(keep.claim(HOUR), "done", {}, b"", 0.0)
    for look in (keep.result, keep.row):
        with pytest.raises(Problem, match=r"^there is no such job$"):
            look(id, "here")
    assert keep.rows("here") == []
    assert keep.look().over
    keep.sweep(HOUR)
    with database.read() as connection:
        assert connection.execute(sa.select(sa.func.count()).select_from(jobs)).scalar() == 0


def test_a_file_without_jobs_is_looked_at_and_not_opened(tmp_path, state_key):
    file = tmp_path / "rpsd.db"
    assert not may_have_jobs(file)
    assert not file.exists()
    with contextlib.closing(Database(f"sqlite:///{file}", state_key)) as database:
        keep = Keep(database)
        assert not may_have_jobs(file)
        (id,) = put(keep)
        assert may_have_jobs(file)
        claimed = keep.claim(HOUR)
        assert may_have_jobs(file)
        assert keep.finish(claimed, "done", {}, b"", HOUR)
        assert not may_have_jobs(file)
        with database.begin() as connection:
            connection.execute(jobs.update().where(jobs.c.id == id).values(expires=now() - 1))
        assert may_have_jobs(file)
    assert may_have_jobs(file)
    file.write_bytes(b"no database at all" * 100)
    assert may_have_jobs(file)  # who opens it tells what is wrong
