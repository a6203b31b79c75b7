# SPDX-License-Identifier: MIT
"""The known series that guards the kernel, and what health and requests say where it comes out wrong."""

import numpy as np
import pytest
import pywt
from serving import BREAKABLE, start, wait_until

import rpsd
from rpsd.service import _known, _selfcheck
from rpsd.service._selfcheck import SelfCheck, check

__all__ = ["start"]


def composed():
    """The known output as those would compute it who have PyWavelets only."""
    coefficients = pywt.wavedec(_known.SERIES, "db4", mode="symmetric", level=3)
    sigma = np.median(np.abs(coefficients[-1])) / 0.6744897501960817
    for k, d in enumerate(coefficients[1:], 1):
        s = np.sqrt(max(np.mean(d**2) - sigma**2, 0))
        coefficients[k] = pywt.threshold(d, sigma**2 / s, "soft") if s else np.zeros_like(d)
    return pywt.waverec(coefficients, "db4", mode="symmetric")


def test_the_known_values_are_those_of_pywavelets():
    np.testing.assert_allclose(_known.CHAIN_VALUES, composed(), rtol=1e-12)


def test_the_kernel_passes():
    assert check() is None


@pytest.mark.parametrize("name", ["CHAIN_VALUES", "CAUSAL_VALUES"])
def test_a_difference_of_one_part_in_a_million_is_found(monkeypatch, name):
    values = getattr(_known, name).copy()
    values[3] *= 1 + 1e-6
    monkeypatch.setattr(_known, name, values)
    assert "values differ from those expected by up to 0.0001" in check()
    monkeypatch.setattr(_known, name, values[:-1])
    assert "expected" in check()
    monkeypatch.setattr(_known, name, values * np.nan)
    assert "differ" in check()


def test_a_check_that_hangs_is_told(monkeypatch):
    monkeypatch.setattr(_selfcheck, "_PATIENCE", 0.0)
    seen = []
    mine = SelfCheck(lambda: 1, seen.append)
    monkeypatch.setattr(_selfcheck, "check", lambda: wait_until(lambda: mine.overdue) and None)
    mine.run()
    assert seen == [None]
    assert not mine.overdue


def metric(server, name):
    lines = server.ask("GET", "/metrics").body.decode().splitlines()
    return next(float(line.rpartition(" ")[2]) for line in lines if line.startswith(f"rpsd_{name} "))


@pytest.mark.parametrize("how", ["differ", pytest.param("raise", marks=pytest.mark.slow)])
def test_a_kernel_that_computes_wrongly_gets_no_requests(start, tmp_path, how):
    running = start(prelude=BREAKABLE, health_check_interval=1)
    assert metric(running, "self_check_last_success_timestamp_seconds") > 0
    (tmp_path / "broken").write_text(how)
    wait_until(lambda: running.ask("GET", "/health/ready").status == 503)
    ready = running.ask("GET", "/health/ready")
    assert "the self-check failed" in ready.json["detail"]
    health = running.ask("GET", "/health")
    assert (health.status, health.json["status"]) == (503, "unhealthy")
    assert running.ask("GET", "/health/live").status == 200
    refused = running.post({"values": [1.0, 2.0]})
    assert (refused.status, refused.json["type"]) == (503, "urn:rpsd:problem:not-ready")
    assert refused.headers["retry-after"]
    line = running.logged(level="CRITICAL")
    assert line["operation"] == "self-check"
    assert "4711" not in line["message"]
    assert metric(running, 'self_checks_total{result="failure"}') >= 1
    assert metric(running, "ready") == 0
    (tmp_path / "broken").unlink()
    wait_until(lambda: running.ask("GET", "/health/ready").status == 200)
    assert running.post({"values": [1.0, 2.0]}).status == 200
    assert running.logged(operation="self-check", level="WARNING")
    assert running.stop() == 0


def test_it_is_not_ready_where_it_starts_broken(start, tmp_path):
    (tmp_path / "broken").write_text("differ")
    running = start(prelude=BREAKABLE, wait=False)
    running.logged(operation="start")
    assert "the self-check failed" in running.ask("GET", "/health/ready").json["detail"]
    assert running.ask("GET", "/health/startup").status == 200
    assert rpsd.denoise([1.0]).tolist() == [1.0]
