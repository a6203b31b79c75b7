# SPDX-License-Identifier: MIT
"""POST /v1/noise and /v1/evaluate: the numbers of Python."""

import json

import numpy as np
import pytest
from serving import server

import rpsd
from rpsd._result import noise_data, report_data

__all__ = ["server"]
BINARY = "application/octet-stream"


def prices(n=400, seed=1):
    return 100 + rpsd.simulate("a", n, seed=seed, nsr=1.0).noisy


def plain(content):
    """What JSON makes of a report: NaN is null."""
    return json.loads(json.dumps(content).replace("NaN", "null"))


def test_noise(server):
    x = prices()
    expected = plain(noise_data(rpsd.estimate_noise(x)))
    assert server.post({"values": x.tolist()}, "/v1/noise").json == {"noise": expected, "notes": []}
    assert server.post(x.tobytes(), "/v1/noise", content_type=BINARY).json["noise"] == expected
    several = server.post({"series": {"a": x.tolist(), "b": [1.0, 2.0]}}, "/v1/noise").json["series"]
    assert several["a"]["noise"] == expected
    assert several["b"]["noise"] == plain(noise_data(rpsd.estimate_noise([1.0, 2.0])))


@pytest.mark.parametrize("lookahead", [None, 0])
def test_evaluate(server, lookahead):
    x = prices()
    y = rpsd.denoise(x, lookahead=lookahead)
    expected = plain(report_data(rpsd.evaluate(x, y, lookahead=lookahead)))
    numbers = [None if np.isnan(v) else v for v in y.tolist()]
    asked = {"x": x.tolist(), "y": numbers}
    answer = server.post({**asked, "lookahead": lookahead}, "/v1/evaluate")
    assert answer.json == {"report": expected, "lookahead": lookahead}
    several = server.post({"series": {"a": asked}, "lookahead": lookahead}, "/v1/evaluate").json
    assert several["series"]["a"]["report"] == expected
    query = "" if lookahead is None else f"?lookahead={lookahead}"
    pair = np.stack([x, y]).tobytes()
    assert server.post(pair, f"/v1/evaluate{query}", content_type=BINARY).json["report"] == expected


def test_thresholds_of_the_request(server):
    asked = {"x": [1.0, 2.0, 3.0], "y": [1.0, 2.0, 4.0], "guardrails": {"rmse_threshold": 0.001}}
    checks = server.post(asked, "/v1/evaluate").json["report"]["checks"]
    assert [c["threshold"] for c in checks if c["name"] == "rmse"] == [0.001]


@pytest.mark.parametrize(
    ("path", "content", "status"),
    [
        ("/v1/evaluate", {"x": [1, 2]}, 422),
        ("/v1/evaluate", {"x": [1, 2], "y": [1]}, 422),
        ("/v1/evaluate", {"x": [1], "y": [1], "series": {}}, 422),
        ("/v1/evaluate", {"x": [1], "y": [1], "level": 3}, 422),
        ("/v1/evaluate", {"x": [1], "y": [1], "lookahead": -1}, 422),
        ("/v1/evaluate", {"series": {}, "lookahead": -1}, 422),
        ("/v1/evaluate", {"x": [1], "y": [1], "guardrails": {"no": 1}}, 422),
        ("/v1/noise", {"values": [1], "levle": 1}, 422),
        ("/v1/noise", {"x": [1]}, 422),
    ],
)
def test_refusals(server, path, content, status):
    answer = server.post(content, path)
    assert (answer.status, answer.headers["content-type"]) == (status, "application/problem+json")


def test_what_has_no_values_is_json_only(server):
    assert server.post({"values": [1]}, "/v1/noise", accept=BINARY).status == 406


def test_what_comes_again_is_answered_from_before(server):
    def hits():
        lines = server.ask("GET", "/metrics").body.decode().splitlines()
        return next(float(line.split()[1]) for line in lines if line.startswith("rpsd_cache_hits_total"))

    body, before = {"values": [1.5, 2.5, 1.25, 3.5], "report": "metrics"}, hits()
    first, second = (server.post(body) for _ in range(2))
    assert hits() == before + 1
    assert first.body == second.body
    assert "values" not in server.post(body, "/v1/noise").json  # another endpoint's answer is another one
    line = server.logged(request_id=second.headers["x-request-id"])
    assert (line["data_size"], line["action"]) == (4, "passthrough")
