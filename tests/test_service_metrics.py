# SPDX-License-Identifier: MIT
"""Metrics: every name that is promised, well formed by Prometheus' own rules, few series, and true."""

import re
import subprocess
from pathlib import Path

import numpy as np
import pytest
from prometheus_client.parser import text_string_to_metric_families
from serving import server, wait_until

import rpsd

__all__ = ["server"]
X = 100 + rpsd.simulate("a", 500, seed=1).noisy
PAGE = Path(__file__).parents[1] / "docs" / "service.md"
#: What stands for one quantity in Prometheus' base units, and what does not (promtool check metrics).
BASE = ("seconds", "bytes", "ratio", "total", "info")
NO_BASE = re.compile(r"_(ms|us|ns|milliseconds|minutes|hours|percent|kb|mb|gb|kilobytes|megabytes)(_|$)")


def families(server):
    text = server.ask("GET", "/metrics").body.decode()
    return {family.name: family for family in text_string_to_metric_families(text)}


@pytest.fixture
def scraped(server):
    server.post({"values": X.tolist(), "report": "full"})
    server.post({"values": X.tolist(), "report": "metrics", "method": "wavelet", "noise": "mad"})
    server.post({"values": "no"})
    return families(server)


def test_the_page_lists_every_metric_and_no_other(scraped):
    listed = re.findall(
        r"^\| `(rpsd_\w+?)(_total)?(?:\{[\w,]+\})?` \|", PAGE.read_text(encoding="utf-8"), re.M
    )
    assert sorted(name for name, _ in listed) == sorted(name for name in scraped if name.startswith("rpsd_"))
    for name, total in listed:
        assert bool(total) == (scraped[name].type == "counter"), name


def test_names_and_helps_keep_the_rules(scraped):
    for name, family in scraped.items():
        if not name.startswith("rpsd_"):
            continue
        assert family.documentation.endswith("."), name
        assert family.type in ("counter", "gauge", "histogram"), name
        assert not NO_BASE.search(name), name
        assert not re.search(r"_(count|sum|bucket|total)$", name), name
        assert name == name.lower(), name
        for sample in family.samples:
            assert sample.name.endswith("_total") == (family.type == "counter")
            assert all(re.fullmatch(r"[a-z_]+", label) for label in sample.labels if label != "le")


def test_series_stay_few(scraped):
    assert sum(len(family.samples) for family in scraped.values()) < 1000


def test_what_is_not_there_yet_has_a_name_and_no_sample(scraped):
    for name in ("rpsd_backup_last_success_timestamp_seconds", "rpsd_audit_last_verified_timestamp_seconds"):
        assert scraped[name].documentation
        assert not scraped[name].samples


@pytest.mark.slow
def test_promtool_has_nothing_to_say(server, scraped):
    """Prometheus' own checks of names and units; .ci/run --full has the program."""
    text = server.ask("GET", "/metrics").body
    done = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    wrong = text + b"# TYPE rpsd_queue_ms gauge\nrpsd_queue_ms 1\n"  # units and a help
    done = subprocess.run(["promtool", "check", "metrics"], input=wrong, capture_output=True, check=False)
    assert done.returncode == 3
    assert done.stderr.count(b"rpsd_queue_ms") == 2


def value(families, name, **labels):
    found = [
        sample.value
        for family in families.values()
        for sample in family.samples
        if sample.name == f"rpsd_{name}" and sample.labels == labels
    ]
    return found[0] if found else 0.0


def test_they_tell_what_happened(server):
    before = families(server)
    answer = server.post(
        X.tobytes(), "/v1/denoise?method=wavelet&noise=mad", content_type="application/octet-stream"
    )
    full = server.post({"values": X.tolist(), "method": "wavelet", "noise": "mad"})
    after = families(server)

    def grown(name, **labels):
        return value(after, name, **labels) - value(before, name, **labels)

    assert grown("queue_wait_seconds_count") == 2
    for stage in ("parse", "kernel", "serialise"):
        assert grown("kernel_seconds_count", algorithm="wavelet", stage=stage) == 2
        assert 0 < grown("kernel_seconds_sum", algorithm="wavelet", stage=stage) < 60
    assert grown("request_body_bytes_sum") > X.nbytes
    assert grown("response_body_bytes_sum") == len(answer.body) + len(full.body)
    report = rpsd.Denoiser(method="wavelet", noise="mad").run(X).report
    for name in ("correlation", "rmse", "trend", "power"):
        assert grown("guardrail_value_sum", guardrail=name) == pytest.approx(getattr(report, name))
    y = np.frombuffer(answer.body)
    removed = 1 - np.var(np.diff(y)) / np.var(np.diff(X))
    assert grown("variance_reduction_ratio_sum") == pytest.approx(removed)
    # Of the second tick on, which all before may be faster than.
    wait_until(lambda: value(families(server), "event_loop_lag_seconds_count") > 0)
    assert value(after, "self_checks_total", result="success") >= 1
    for name in ("data", "state"):
        assert value(after, "disk_free_bytes", dir=name) > 0
    assert value(after, "ready") == 1
    assert value(after, "config_last_reload_successful") == 1


def test_small_requests_are_those_of_the_objective(server):
    """1 to 10,000 samples, answered: neither what was refused nor what is large has a say."""
    before = families(server)
    for samples, status in ((1, 200), (10_000, 200), (10_001, 200), (0, 200)):
        values = np.linspace(100, 101, samples).tolist()
        asked = {"values": values, "method": "wavelet", "noise": "mad", "report": "none"}
        assert server.post(asked).status == status
    assert server.post({"values": [1.0], "method": "no"}).status == 422
    server.ask("GET", "/health")
    after = families(server)
    name = "small_request_duration_seconds_count"
    assert value(after, name) - value(before, name) == 2


def test_what_alerts_on_its_first_time_is_there_from_the_start(server):
    """A counter that appears with its first event has no rate then."""
    scraped = families(server)
    fallbacks = [sample.labels for sample in scraped["rpsd_fallback"].samples]
    assert len(fallbacks) == 9
    assert [sample.labels for sample in scraped["rpsd_shed"].samples] == [{"reason": "queue"}]
