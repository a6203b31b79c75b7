# SPDX-License-Identifier: MIT
"""Series of one length are computed by one call, and each is answered as if it were alone."""

import json

import numpy as np
import pytest

import rpsd
from rpsd.service import _codec_json, _compute, _rows
from rpsd.service._admission import Stop
from rpsd.service._body import ClientGone
from rpsd.service._problems import Problem
from rpsd.service._request import Asked, Limits
from rpsd.service._snapshot import Snapshot

LIMITS = Limits(10**6, 1000, 10**8)


@pytest.fixture(scope="module")
def snapshot():
    return Snapshot(rpsd.Config())


def many():
    """Return series of few lengths: plain ones, gaps at the ends, constant, empty, all missing."""
    series = {"const": np.full(150, 5.0), "missing": np.full(150, np.nan)}
    for n in (0, 1, 2, 40, 150):
        for k in range(3):
            x = np.round(100 + rpsd.simulate("a", 150, seed=k, nsr=float(k)).noisy[:n], 1 + k)
            if k == 1:
                x[:3] = x[n // 2 : n // 2 + 2] = np.nan
            series[f"{n}.{k}"] = x
    return {name: [None if np.isnan(value) else value for value in x] for name, x in series.items()}


def answered(snapshot, body):
    asked = _codec_json.decode(json.dumps(body).encode(), b"", LIMITS)
    try:
        return json.loads(_codec_json.encode(_compute.denoise(snapshot, asked, Stop()))[0])
    except Problem as problem:
        return json.loads(problem.body())


@pytest.mark.filterwarnings("ignore::rpsd.RpsdWarning")
@pytest.mark.parametrize("report", ["none", "metrics", "full"])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"method": "wavelet", "noise": "mad", "level": 6},
        {"method": "kalman", "lookahead": 3},
        {"method": "wavelet", "noise": "mad", "lookahead": 2, "window": 32},
        {"breaks": "auto", "outliers": "spike"},
        {"guardrails": {"policy": "relax"}, "method": "wavelet", "noise": "mad"},
    ],
    ids=str,
)
def test_each_series_as_if_it_were_alone(snapshot, options, report):
    series = many()
    together = answered(snapshot, {"series": series, "report": report, **options})["series"]
    assert list(together) == list(series)
    for name, values in series.items():
        assert together[name] == answered(snapshot, {"values": values, "report": report, **options}), name


def test_the_series_that_fails_is_named(snapshot):
    series = {"fine": [100.0] * 20, "lost": [100.0] * 10 + [None] * 10}
    answer = answered(snapshot, {"series": series, "missing": "raise"})
    assert answer["detail"].startswith('series "lost": x has NaN at position 10')


def counted(monkeypatch, asked, snapshot, stop):
    sizes = []
    computed = _compute.denoise_rows

    def counting(denoiser, rows, *rest):
        sizes.append(len(rows))
        if len(sizes) == 2:
            stop.tell()
        return computed(denoiser, rows, *rest)

    monkeypatch.setattr(_compute, "denoise_rows", counting)
    with pytest.raises(ClientGone):
        _compute.denoise(snapshot, asked, stop)
    return sizes


def test_work_that_nobody_waits_for_ends_after_a_call(snapshot, monkeypatch):
    series = tuple(np.zeros((100, 10_000)))
    asked = Asked(tuple(map(str, range(100))), series, {"method": "wavelet", "noise": "mad"}, None, "none")
    assert counted(monkeypatch, asked, snapshot, Stop()) == [6, 6]


def test_a_report_is_not_begun_when_nobody_waits_for_it(snapshot, monkeypatch):
    asked, stop, run = Asked(None, (np.zeros(100),), {}, None, "full"), Stop(), rpsd.Denoiser.run

    def running(*given, **named):
        stop.tell()
        return run(*given, **named)

    monkeypatch.setattr(rpsd.Denoiser, "run", running)
    monkeypatch.setattr(_rows, "report_data", pytest.fail)
    with pytest.raises(ClientGone):
        _compute.denoise(snapshot, asked, stop)
