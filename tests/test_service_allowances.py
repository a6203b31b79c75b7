# SPDX-License-Identifier: MIT
"""How much one may: rates, samples a day, failures; by the clock of the test and against a server."""

import itertools
import json
import time

import pytest
from guarded import X, guarded, within
from states import database, postgres, state_key, url

from rpsd.service.access._attempts import Attempts, network_of
from rpsd.service.access._keys import Keys, KeyText
from rpsd.service.access._limits import Limits
from rpsd.service.access._principal import KeyLimits
from rpsd.service.access._quota import Quota

__all__ = ["database", "postgres", "state_key", "url"]


class Clock:
    now = 1_000_000.0

    def __call__(self):
        return self.now


def test_a_rate_and_its_burst():
    clock = Clock()
    limits = Limits(clock)
    taken = [limits.take("a", 10.0, 4) for _ in range(7)]
    assert [one.wait > 0 for one in taken] == [False] * 5 + [True] * 2
    assert [one.left for one in taken[:5]] == [4, 3, 2, 1, 0]
    assert taken[5].wait == pytest.approx(0.1)
    assert limits.take("b", 10.0, 4).left == 4
    clock.now += 0.1001
    assert limits.take("a", 10.0, 4).wait == 0
    assert limits.take("a", 10.0, 4).wait > 0
    clock.now += 100
    assert limits.take("a", 10.0, 4).left == 4


def test_over_a_long_time_the_rate_is_kept_and_no_more():
    """By counting: whatever comes, in no window are there more than the rate times it and the burst."""
    clock, rate, burst = Clock(), 7.0, 3
    limits, allowed = Limits(clock), []
    for step in itertools.islice(itertools.cycle((0.01, 0.02, 0.3, 0.001, 0.05)), 3000):
        clock.now += step
        if not limits.take("a", rate, burst).wait:
            allowed.append(clock.now)
    for window in (1.0, 5.0, 50.0):
        ends = iter(range(len(allowed)))
        end = next(ends)
        for begin, at in enumerate(allowed):
            while end + 1 < len(allowed) and allowed[end + 1] <= at + window:
                end = next(ends)
            assert end - begin + 1 <= rate * window + burst + 1
    assert len(allowed) >= rate * (clock.now - allowed[0]) * 0.99


def test_many_principals_take_no_memory_for_ever():
    clock = Clock()
    limits = Limits(clock)
    for number in range(30_000):
        clock.now += 0.01
        limits.take(f"p{number}", 10.0, 1)
    assert len(limits._full_at) <= 10_001


def test_failures_are_of_an_address_and_a_credential():
    clock = Clock()
    attempts = Attempts(clock)
    for _ in range(10):
        assert attempts.wait("192.0.2.1", "key:a", 10) == 0
        attempts.fail("192.0.2.1", "key:a")
    assert attempts.wait("192.0.2.1", "key:a", 10) == pytest.approx(60)
    assert attempts.wait("192.0.2.1", "key:b", 10) == 0
    assert attempts.wait("192.0.2.2", "key:a", 10) == 0
    for number in range(50):
        attempts.fail("192.0.2.1", f"key:{number}")
    assert attempts.wait("192.0.2.1", "key:b", 10) > 0  # all of the address
    clock.now += 60
    assert attempts.wait("192.0.2.1", "key:a", 10) == 0


def test_who_shows_no_credential_does_not_slow_others_of_the_address():
    attempts = Attempts(Clock())
    for _ in range(100):
        attempts.fail("192.0.2.1", "none", guess=False)
    assert attempts.wait("192.0.2.1", "key:a", 10) == 0
    assert attempts.fail("192.0.2.1", "none", guess=False) == 101  # for the audit log


def test_an_address_of_ipv6_is_its_network_and_a_mapped_one_that_of_ipv4():
    assert network_of("2001:db8::1") == network_of("2001:db8::ffff:1") != network_of("2001:db8:0:1::1")
    assert network_of("::ffff:192.0.2.1") == "192.0.2.1"
    assert network_of("fe80::1%eth0") == network_of("fe80::2%eth1")
    assert network_of("unknown") == "unknown"


def test_failures_of_many_take_no_memory_for_ever():
    attempts = Attempts(Clock())
    for number in range(50_000):
        attempts.fail(f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}", "key")
    assert len(attempts._counts) <= 20_001


def test_samples_of_a_day_are_of_all_replicas(database):
    clock = Clock()
    one, other = Quota(database, clock), Quota(database, clock)
    one.charge("a", 100)
    other.charge("a", 50)
    other.charge("b", 7)
    assert (one.used("a"), other.used("a")) == (100, 50)
    one.flush()
    other.flush()
    assert (one.used("a"), other.used("a"), other.used("b")) == (100, 150, 7)
    one.refresh("a")
    assert one.used("a") == 150
    one.charge("a", 1)
    one.refresh("a")
    assert one.used("a") == 151
    one.flush()
    one.flush()
    other.refresh("a")
    assert other.used("a") == 151
    clock.now += one.until_tomorrow()
    assert (one.used("a"), other.used("a")) == (0, 0)
    one.refresh("a")
    assert one.used("a") == 0


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    with guarded(tmp_path_factory.mktemp("home"), rate_limit=0.001, rate_burst=5) as running:
        free = KeyLimits(rate=1e6)
        running.make("free", ["user", "viewer"], limits=free)
        running.make("small", ["user"], limits=KeyLimits(rate=1e6, points_per_day=100))
        running.start()
        yield running
        assert running.server.stop() == 0
        assert running.verify().fault is None


def test_what_is_over_the_rate_is_told_when_to_come_back(service):
    answers = [service.post("user") for _ in range(8)]
    assert [one.status for one in answers] == [200] * 6 + [429] * 2
    for left, answer in zip((5, 4, 3, 2, 1, 0), answers, strict=False):
        assert answer.headers["ratelimit"].startswith(f'"requests";r={left};t=')
    refused = answers[-1]
    assert refused.json["type"] == "urn:rpsd:problem:rate-limited"
    assert 900 <= int(refused.headers["retry-after"]) <= 1000
    assert refused.headers["ratelimit"].startswith('"requests";r=0;t=')
    assert refused.headers["ratelimit-policy"] == '"requests";q=6;w=6000'
    assert service.post("free").status == 200  # somebody else's
    assert service.metric("rpsd_ratelimited_total", "free") >= 2
    denied = service.records(who=f"key:{service.ids['user']}", outcome="denied")
    assert len(denied) == 1  # one a second, or what is over it would fill the disk


def test_probes_have_no_rate(service):
    for _ in range(20):
        assert service.ask("user", "GET", "/health/ready").status == 200


def test_the_samples_of_a_day_end(service):
    answers = [service.post("small", {"values": X}) for _ in range(4)]  # 40 samples each
    assert [one.status for one in answers] == [200, 200, 200, 429]
    refused = answers[-1]
    assert refused.json["type"] == "urn:rpsd:problem:quota-used"
    assert 0 < int(refused.headers["retry-after"]) <= 86_400
    assert service.ask("small", "GET", "/metrics").status == 200  # takes no samples
    assert service.post("free").status == 200


def test_guessing_is_slowed_and_those_who_are_known_pass(service):
    parts = KeyText.parse(service.keys["free"])
    assert service.post("free").status == 200
    guesses = [
        service.ask(KeyText(parts.id, KeyText.make().secret).text(), "GET", "/metrics") for _ in range(13)
    ]
    assert [one.status for one in guesses] == [401] * 10 + [429] * 3
    assert 0 < int(guesses[-1].headers["retry-after"]) <= 60
    records = service.records(credential=f"key:{parts.id}", outcome="denied")
    assert len(records) == 10
    assert service.post("auditor").status == 403  # a good key from the same address
    slowed = service.ask("auditor", "GET", "/metrics").body.decode()
    assert 'rpsd_auth_failures_total{reason="slowed"} 3.0' in slowed
    assert json.loads(guesses[-1].body)["detail"] == "too many credentials that failed"


def test_credentials_in_addresses_do_not_fill_the_log_and_trailers_are_none(tmp_path):
    with guarded(tmp_path, failed_credentials=2) as service:
        service.start()
        assert {service.ask(None, "GET", "/health/live?key=1").status for _ in range(8)} == {400}
        body = b"0\r\nAuthorization: Bearer %b\r\n\r\n" % service.keys["user"].encode()
        head = b"GET /v1/jobs HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
        assert service.server.send(head + body).startswith(b"HTTP/1.1 401 ")
        assert service.server.stop() == 0
        assert len(service.records(reason="credentials-in-address")) == 2


def test_failures_of_an_address_keep_nobody_out_who_was_good(tmp_path):
    """Guesses by one behind a proxy are no reason to refuse, or to hang up on, all the others behind it."""
    with guarded(tmp_path, failed_credentials=1) as service:
        service.start()
        with service.socket("user", {"create": {}}) as connection:
            assert service.post("user").status == 200
            for _ in range(12):
                assert service.ask(None, "GET", "/metrics").status == 401
                service.server.ask("GET", "/metrics", authorization="Basic x")
            assert service.ask("auditor", "GET", "/metrics").status == 200  # nobody guessed
            guesses = [service.ask(KeyText.make().text(), "GET", "/metrics").status for _ in range(9)]
            assert (guesses[0], guesses[-1]) == (401, 429)
            time.sleep(1.5)  # longer than what was found is taken for right without a look
            assert service.post("user").status == 200
            assert service.ask("operator", "GET", "/metrics").status == 429  # was not here before
            time.sleep(1.5)
            connection.push(X[:1])
            assert connection.receive()["sequence"] == 1
            Keys(service.db).revoke(service.ids["user"])
            within(2, lambda: service.post("user").status != 200)  # one that is over is looked up too
            assert service.post("user").status == 429
