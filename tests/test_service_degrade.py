# SPDX-License-Identifier: MIT
"""What answers where a series fails: as configured, told in header, body, log and metrics, never silently."""

import json
import re

import numpy as np
import pytest
from serving import Server

import rpsd
from rpsd.service import _held
from rpsd.service._held import Held

BINARY = "application/octet-stream"
X = 100 + rpsd.simulate("a", 200, seed=1).noisy
CHAIN = {"method": "wavelet", "noise": "mad", "level": 3}
GOOD = rpsd.denoise(X, **CHAIN)
#: Fails as stages do, by what the first sample says.
FAILING = """
import numpy as np
from rpsd.service import _compute
run = _compute.denoise_rows
def failing(denoiser, rows, *more):
    if rows.size and 111.25 in rows[:, 0]:
        raise RuntimeError(f"cannot handle {rows[0]}")
    outcomes = run(denoiser, rows, *more)
    for x, outcome in zip(rows, outcomes):
        if len(x) and x[0] == 222.25:
            outcome.values[7] = np.inf if len(x) % 2 else np.nan
    return outcomes
_compute.denoise_rows = failing
"""
CONFIG = """
service: {{on_failure: {policy}}}
guardrails: {{policies: {{rmse: raise}}}}
denoiser: {{method: wavelet, noise: mad, level: 3}}
"""
FAILURES = {
    "failure": {"values": [111.25, *X[1:]]},
    "unsound-output": {"values": [222.25, *X[1:]]},
    "guardrail": {"values": X.tolist(), "guardrails": {"rmse_threshold": 0.0}},
}


@pytest.fixture(scope="module")
def servers(tmp_path_factory):
    """Return a server for each policy; none may end badly."""
    started = {}
    try:
        for policy in ("error", "raw", "hold"):
            home = tmp_path_factory.mktemp(policy)
            (home / "c.yaml").write_text(CONFIG.format(policy=policy))
            started[policy] = Server(home, "--config", "c.yaml", prelude=FAILING)
        yield {policy: running.wait() for policy, running in started.items()}
        for running in started.values():
            assert running.stop() == 0
            assert not any(b"111.25" in line or b"222.25" in line for line in running.lines)
    finally:
        for running in started.values():
            running.process.kill()


def fallbacks(server, reason, answer):
    name = f'rpsd_fallback_total{{answer="{answer}",reason="{reason}"}} '
    lines = server.ask("GET", "/metrics").body.decode().splitlines()
    return next((float(line.removeprefix(name)) for line in lines if line.startswith(name)), 0.0)


@pytest.mark.parametrize("policy", ["error", "raw"])
def test_a_guardrail_that_the_policy_acts_on_is_counted(servers, policy):
    """Else all is compliant where the most is breached."""

    def breached():
        text = servers[policy].ask("GET", "/metrics").body.decode()
        found = re.findall(r'rpsd_guardrail_evaluations_total{[^}]*verdict="breached"} (\S+)', text)
        return sum(map(float, found))

    before = breached()
    servers[policy].post(FAILURES["guardrail"])
    assert breached() >= before + 1


@pytest.mark.parametrize("reason", FAILURES)
def test_error(servers, reason):
    server = servers["error"]
    before = fallbacks(server, reason, "error")
    answer = server.post(FAILURES[reason], x_request_id=f"error-{reason}")
    status, name = (422, "guardrail-breached") if reason == "guardrail" else (500, "computation-failed")
    assert (answer.status, answer.json["type"]) == (status, f"urn:rpsd:problem:{name}")
    assert "111.25" not in answer.body.decode()
    assert fallbacks(server, reason, "error") == before + 1
    line = server.logged(request_id=f"error-{reason}")
    assert line["level"] == ("WARNING" if reason == "guardrail" else "ERROR")
    assert line["degraded"] == {"answer": "error", "reason": reason}
    if reason == "failure":
        assert line["trace"].startswith("RuntimeError in failing (")


@pytest.mark.parametrize("reason", FAILURES)
def test_raw(servers, reason):
    server = servers["raw"]
    before = fallbacks(server, reason, "raw")
    answer = server.post({**FAILURES[reason], "lookahead": None}, x_request_id=f"raw-{reason}")
    assert answer.status == 200
    assert answer.headers["rpsd-degraded"] == f"raw;reason={reason}"
    content = answer.json
    assert content["values"] == list(FAILURES[reason]["values"])
    assert content["degraded"] == {"answer": "raw", "reason": reason}
    assert (content["action"], content["report"], content["noise"]) == ("raw", None, None)
    assert fallbacks(server, reason, "raw") == before + 1
    line = server.logged(request_id=f"raw-{reason}")
    assert line["level"] == ("WARNING" if reason == "guardrail" else "ERROR")
    assert line["degraded"]["reason"] == reason


def test_bytes_tell_it_in_a_header(servers):
    x = X.copy()
    x[0] = 111.25
    answer = servers["raw"].post(x.tobytes(), content_type=BINARY)
    assert answer.body == x.tobytes()
    assert (answer.headers["rpsd-degraded"], answer.headers["rpsd-action"]) == ("raw;reason=failure", "raw")


@pytest.mark.parametrize("report", ["none", "metrics", "full"])
@pytest.mark.parametrize("reason", ["failure", "unsound-output"])
def test_only_the_series_that_fails_is_degraded(servers, reason, report):
    """Although those of one length are computed by one call."""
    series = {"a": X.tolist(), "b": FAILURES[reason]["values"], "c": X.tolist()}
    asked = {"series": series, "report": report, "guardrails": {"policies": None}}
    answer = servers["raw"].post(asked)
    a, b, c = answer.json["series"].values()
    for good in (a, c):
        assert good["degraded"] is None
        assert good["values"] == GOOD.tolist()
    assert b["degraded"] == {"answer": "raw", "reason": reason}
    assert b["values"] == list(series["b"])
    assert answer.headers["rpsd-degraded"] == f"raw;reason={reason}"


def test_what_is_degraded_is_not_kept(servers):
    server, x = servers["raw"], X.copy()
    x[0] = 111.25
    before = fallbacks(server, "failure", "raw")
    for _ in range(2):
        answer = server.post(x.tobytes(), content_type=BINARY)
        assert answer.headers["rpsd-degraded"] == "raw;reason=failure"
    assert fallbacks(server, "failure", "raw") == before + 2


def hits(server):
    lines = server.ask("GET", "/metrics").body.decode().splitlines()
    return next(float(line.split()[1]) for line in lines if line.startswith("rpsd_cache_hits_total "))


@pytest.mark.parametrize(
    ("asked", "while_asked", "afterwards"),
    [(None, 1, 2), ("max-age=1, No-Cache", 0, 1), ("no-store", 0, 0), ("only-if-cached", 1, 2)],
)
def test_who_asks_for_it_has_the_answer_computed(servers, asked, while_asked, afterwards):
    """RFC 9111, 5.2.1: no-cache is computed, and kept anew; no-store is not kept either."""
    server, before = servers["raw"], hits(servers["raw"])
    named = {} if asked is None else {"cache_control": asked}
    body = json.dumps({"values": X.tolist(), "report": "none"}).encode()
    body += b" " * len(asked or "")  # of no other test
    for _ in range(2):
        assert server.post(body, **named).json["values"] == GOOD.tolist()
    assert hits(server) - before == while_asked
    assert server.post(body).json["values"] == GOOD.tolist()
    assert hits(server) - before == afterwards


def test_what_does_not_fail_says_nothing(servers):
    for server in servers.values():
        answer = server.post({"values": X.tolist()})
        assert "rpsd-degraded" not in answer.headers
        assert answer.json["degraded"] is None
        assert answer.json["values"] == GOOD.tolist()


@pytest.mark.parametrize("policy", ["raw", "hold"])
def test_errors_of_the_request_stay_errors(servers, policy):
    server = servers[policy]
    assert server.post({"values": [1.0, "x"]}).status == 422
    assert server.post({"values": X.tolist(), "method": "kalman", "noise": "mad"}).status == 422
    assert server.post(np.array([1, np.inf]).tobytes(), content_type=BINARY).status == 422
    own = {"policy": "raise", "rmse_threshold": 0.0}
    answer = server.post({"values": X.tolist(), "guardrails": own})
    assert (answer.status, "rpsd-degraded" in answer.headers) == (422, False)


def test_missing_samples_and_warmup_are_no_failures(servers):
    x = X.copy()
    x[[0, 50, 199]] = np.nan
    for query in ("", "?lookahead=0&window=32", "?lookahead=5&window=32"):
        assert servers["error"].post(x.tobytes(), f"/v1/denoise{query}", content_type=BINARY).status == 200


def test_hold_answers_with_the_last_good_value(servers):
    server = servers["hold"]
    good = server.post({"series": {"eur": X.tolist()}}).json["series"]["eur"]["values"]
    later = [111.25, *X[50:], 101.0, None, 103.0]
    answer = server.post({"series": {"eur": later}}, x_request_id="held")
    assert answer.headers["rpsd-degraded"] == "hold;reason=failure"
    got = answer.json["series"]["eur"]
    assert got["values"] == [None] * 150 + [good[-1]] * 2 + [None, good[-1]]
    assert (got["action"], got["degraded"]["answer"]) == ("hold", "hold")
    assert server.logged(request_id="held")["degraded"] == {"answer": "hold", "reason": "failure"}


def test_series_computed_by_one_call_are_held_too(servers):
    server, own = servers["hold"], {"guardrails": {"policies": None}}
    y = 100 + rpsd.simulate("a", 200, seed=3).noisy
    good = server.post({"series": {"p": X.tolist(), "q": y.tolist()}, **own}).json["series"]
    later = {"p": [111.25, *X[50:]], "q": [111.25, *y[50:]]}
    got = server.post({"series": later, **own}).json["series"]
    for name in "pq":
        assert got[name]["values"] == [None] * 150 + [good[name]["values"][-1]]


@pytest.mark.parametrize("name", ["eur", "another"])
def test_without_a_value_of_that_series_hold_is_an_error(servers, name):
    server = servers["hold"]
    server.post({"series": {"eur": X.tolist()}})
    other = 50 + rpsd.simulate("a", 200, seed=2).noisy  # of the same name, perhaps: of another client
    answer = server.post({"series": {name: [111.25, *other]}})
    assert (answer.status, answer.json["type"]) == (500, "urn:rpsd:problem:computation-failed")
    assert fallbacks(server, "failure", "error") >= 1


def test_a_value_is_held_for_the_series_that_it_was_made_of():
    held, x = Held(), np.arange(40.0)
    held.remember(b"k", x, x / 2)
    got = held.recall(b"k", np.arange(10.0, 50.0))
    np.testing.assert_array_equal(got, [*[np.nan] * 29, *[19.5] * 11])
    assert held.recall(b"k", np.arange(0.5, 50.0)) is None
    assert held.recall(b"other", x) is None
    held.remember(b"short", x[:3], x[:3])
    assert held.recall(b"short", x) is None


def test_the_latest_place_of_the_same_samples_counts():
    held, x = Held(), np.ones(20)
    held.remember(b"k", x, x)
    got = held.recall(b"k", np.ones(40))
    assert np.isnan(got[:39]).all()
    assert got[39] == 1.0


def test_as_many_as_may_be_are_held(monkeypatch):
    monkeypatch.setattr(_held, "_KEPT", 2)
    held, x = Held(), np.arange(20.0)
    for key in (b"a", b"b", b"a", b"c"):
        held.remember(key, x, x)
    assert [held.recall(key, x) is None for key in (b"a", b"b", b"c")] == [False, True, False]
