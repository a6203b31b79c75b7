# SPDX-License-Identifier: MIT
"""POST /v1/denoise: the numbers of Python, in JSON and as bytes."""

import gzip

import numpy as np
import pytest
from serving import server

import rpsd

__all__ = ["server"]
JSON, BINARY = "application/json", "application/octet-stream"
CHAIN = {"method": "wavelet", "noise": "mad", "level": 3}


def prices(n=1741, seed=1, nsr=1.0):
    return 100 + rpsd.simulate("a", n, seed=seed, nsr=nsr).noisy


def with_gaps(n=500):
    x = prices(n, seed=2)
    x[[0, 17, 18, n - 1]] = np.nan
    return x


def as_json(x):
    return [None if np.isnan(v) else v for v in x.tolist()]


def from_json(values):
    return np.array([np.nan if v is None else v for v in values], dtype=float)


CASES = {
    "default": (prices(), {}),
    "gaps": (with_gaps(), {}),
    "chain": (prices(), CHAIN),
    "causal": (prices(400), {"lookahead": 0}),
    "delayed": (prices(400), {**CHAIN, "lookahead": 5, "window": 64}),
    "window": (prices(300), {"method": "fir", "fir_window": ["kaiser", 8.0], "fir_taps": 21}),
    "sessions": (prices(300), {"breaks": [k == 150 for k in range(300)]}),
    "one": (np.array([3.0]), {}),
    "none": (np.array([]), {}),
}


@pytest.mark.parametrize(("x", "options"), CASES.values(), ids=CASES)
def test_json_has_what_python_returns(server, x, options):
    answer = server.post({"values": as_json(x), **options})
    assert (answer.status, answer.headers["content-type"]) == (200, JSON)
    expected = rpsd.Denoiser(**_python(options)).run(x)
    got = answer.json
    np.testing.assert_array_equal(from_json(got["values"]), expected.values)
    assert got["action"] == expected.action
    assert got["lookahead"] == expected.lookahead
    assert got["warmup"] == expected.warmup
    assert got["report"]["passed"] == expected.report.passed
    checks = {check.name: check for check in expected.report.checks}
    assert list(checks) == [check["name"] for check in got["report"]["checks"]]
    for check in got["report"]["checks"]:
        np.testing.assert_equal(from_json([check["value"]])[0], checks[check["name"]].value)
        assert check["verdict"] == checks[check["name"]].verdict
    for name in ("correlation", "rmse", "trend", "power", "score"):
        np.testing.assert_equal(from_json([got["report"][name]])[0], getattr(expected.report, name))
    assert got["noise"].keys() == {
        "kind", "noise_sd", "step_sd", "nsr", "predicted_gain_db", "predicted_causal_gain_db",
        "gain_probability",
    }  # fmt: skip
    for name, value in got["noise"].items():
        if name != "kind":
            np.testing.assert_equal(from_json([value])[0], getattr(expected.noise, name))


def _python(options):
    """JSON has no tuples and no arrays."""
    given = dict(options)
    if "fir_window" in given:
        given["fir_window"] = tuple(given["fir_window"])
    if "breaks" in given:
        given["breaks"] = np.array(given["breaks"])
    return given


def test_several_series_are_each_as_if_alone(server):
    series = {"a": prices(300), "ü b": with_gaps(300), "c": prices(41, seed=3), "": prices(300, nsr=0)}
    got = server.post({"series": {name: as_json(x) for name, x in series.items()}}).json["series"]
    assert list(got) == list(series)
    for name, x in series.items():
        expected = rpsd.Denoiser().run(x)
        np.testing.assert_array_equal(from_json(got[name]["values"]), expected.values)
        assert got[name]["action"] == expected.action


@pytest.mark.parametrize("report", ["full", "metrics", "none"])
def test_as_much_of_the_report_as_is_wanted(server, report):
    got = server.post({"values": as_json(prices(200)), "report": report}).json
    if report == "none":
        assert got["report"] is None
    else:
        assert ("checks" in got["report"]) == (report == "full")
        assert got["report"]["score"] == rpsd.Denoiser().run(prices(200)).report.score


def test_bytes_have_what_python_returns(server):
    x = with_gaps()
    answer = server.post(x.tobytes(), "/v1/denoise?method=wavelet&noise=mad&level=3", content_type=BINARY)
    assert (answer.status, answer.headers["content-type"]) == (200, BINARY)
    assert answer.body == rpsd.Denoiser(**CHAIN).denoise(x).tobytes()
    assert answer.headers["rpsd-action"] == "denoised"
    assert answer.headers["rpsd-lookahead"] == "none"


def test_bytes_of_several_series(server):
    x = np.stack([prices(300, seed=k) for k in range(3)])
    path = "/v1/denoise?series=3&lookahead=0"
    answer = server.post(x.tobytes(), path, content_type=BINARY)
    assert answer.body == rpsd.denoise(x, lookahead=0).tobytes()
    assert answer.headers["rpsd-lookahead"] == "0"
    named = server.post(x.tobytes(), path, content_type=BINARY, accept=JSON).json["series"]
    assert list(named) == ["0", "1", "2"]
    np.testing.assert_array_equal(from_json(named["2"]["values"]), rpsd.denoise(x, lookahead=0)[2])


@pytest.mark.parametrize(
    ("accept", "content_type"),
    [
        (BINARY, BINARY),
        ("*/*", JSON),
        ("application/*;q=0.5, application/octet-stream", BINARY),
        ("application/octet-stream;q=0.1, application/json;q=0.2", JSON),
        ("text/html, */*;q=0.1", JSON),
    ],
)
def test_the_answer_is_in_the_type_that_is_accepted(server, accept, content_type):
    answer = server.post({"values": as_json(prices(100))}, accept=accept)
    assert answer.headers["content-type"] == content_type
    if content_type == BINARY:
        assert answer.body == rpsd.denoise(prices(100)).tobytes()


def test_several_lines_of_accept_are_one_list(server):
    lines = b"Accept: text/html\r\nAccept: application/octet-stream\r\nConnection: close\r\n"
    head = b"POST /v1/denoise HTTP/1.1\r\nHost: x\r\nContent-Type: application/json; charset=UTF-8\r\n"
    received = server.send(head + lines + b"Content-Length: 17\r\n\r\n" + b'{"values": [1.5]}')
    assert received.endswith(b"\r\n\r\n" + np.array([1.5]).tobytes())


def test_guardrails_of_the_request_act(server):
    x = prices(1000, nsr=3.0)
    strict = {"policy": "raise", "rmse_threshold": 0.0, "gain_threshold": 30.0}
    answer = server.post({"values": as_json(x), "guardrails": strict})
    assert (answer.status, answer.json["type"]) == (422, "urn:rpsd:problem:guardrail-breached")
    with pytest.raises(rpsd.GuardrailError) as raised:
        rpsd.Denoiser(guardrails=strict).denoise(x)
    assert answer.json["detail"] == str(raised.value)
    assert answer.json["report"]["passed"] is False
    query = "&".join(f"guardrails.{name}={value}" for name, value in strict.items())
    assert server.post(x.tobytes(), f"/v1/denoise?{query}", content_type=BINARY).status == 422


def test_warnings_are_notes_of_the_request_that_caused_them(server):
    asked = {"values": as_json(prices(100)), "level": 12, "method": "wavelet"}
    for _ in range(2):  # a denoiser that is used again still tells
        (note,) = server.post(asked).json["notes"]
        assert "level" in note
    unused = {"values": as_json(prices(100)), "window": 64}
    for _ in range(2):
        (note,) = server.post(unused).json["notes"]
        assert "window" in note
    assert server.post({"values": as_json(prices(100))}).json["notes"] == []


def test_a_packed_body_is_unpacked(server):
    packed = gzip.compress(prices(500).tobytes())
    answer = server.post(packed, content_type=BINARY, content_encoding="gzip")
    assert answer.body == rpsd.denoise(prices(500)).tobytes()


def test_a_connection_takes_many_requests(server):
    connection = server.connect()
    for seed in range(20):
        connection.request("POST", "/v1/denoise", prices(100, seed).tobytes(), {"content-type": BINARY})
        assert connection.getresponse().read() == rpsd.denoise(prices(100, seed)).tobytes()
    connection.close()
