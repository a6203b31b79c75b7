# SPDX-License-Identifier: MIT
"""Health as the deployment guide shows it, the log's eight fields, metrics."""

import re
from datetime import UTC, datetime

import pytest
from serving import server

import rpsd

__all__ = ["server"]
TIME = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z")
FIELDS = [
    "timestamp", "level", "service", "operation", "user_id", "data_size", "processing_time", "message",
]  # fmt: skip


def series(n=300):
    return rpsd.simulate("a", n, seed=1).noisy.tolist()


def test_health_is_the_guides(server):
    answer = server.ask("GET", "/health")
    assert (answer.status, answer.headers["content-type"]) == (200, "application/json")
    assert list(answer.json) == ["status", "timestamp"]
    assert answer.json["status"] == "healthy"
    assert TIME.fullmatch(answer.json["timestamp"])
    told = datetime.fromisoformat(answer.json["timestamp"])
    assert abs((datetime.now(UTC) - told).total_seconds()) < 60


def test_detailed_health_is_the_guides(server):
    for _ in range(3):
        assert server.post({"values": series()}).status == 200
    content = server.ask("GET", "/health/detailed").json
    assert list(content) == ["status", "timestamp", "system", "denoiser"]
    assert list(content["system"]) == ["cpu_usage", "memory_usage", "disk_usage"]
    assert all(0 <= value <= 100 for value in content["system"].values())
    assert content["system"]["memory_usage"] > 0
    assert list(content["denoiser"]) == ["requests_per_minute", "average_processing_time", "error_rate"]
    assert content["denoiser"]["requests_per_minute"] >= 3
    assert 0 < content["denoiser"]["average_processing_time"] < 60
    assert content["denoiser"]["error_rate"] == 0.0


@pytest.mark.parametrize(
    "path", ["/health/live", "/health/ready", "/health/startup", "/v2/health/live", "/v2/health/ready"]
)
def test_probes_say_yes(server, path):
    assert server.ask("GET", path).status == 200
    head = server.ask("HEAD", path)
    assert (head.status, head.body) == (200, b"")


def test_a_request_is_a_line_of_the_log(server):
    assert (
        server.post({"values": series(321)}, x_request_id="my-request").headers["x-request-id"]
        == "my-request"
    )
    line = server.logged(request_id="my-request")
    assert list(line)[:8] == FIELDS
    assert line["level"] == "INFO"
    assert line["service"] == "rpsd"
    assert line["operation"] == "denoise"
    assert line["data_size"] == 321
    assert 0 < line["processing_time"] < 60
    assert line["message"] == "Denoising completed successfully"
    assert line["status"] == 200
    assert datetime.fromisoformat(line["timestamp"]).tzinfo == UTC


def test_a_refused_request_is_a_warning_without_its_values(server):
    server.post({"values": [1.0, "secret-4711"]}, x_request_id="refused")
    line = server.logged(request_id="refused")
    assert (line["level"], line["status"], line["problem"]) == ("WARNING", 422, "invalid-request")
    assert not any(b"secret-4711" in written for written in server.lines)


def test_probes_are_lines_for_debugging_only(server):
    server.ask("GET", "/health/live", x_request_id="probe")
    assert server.logged(request_id="probe")["level"] == "DEBUG"


@pytest.mark.parametrize("given", ["", "a b", 'x"y', "a" * 129, "é"])
def test_an_id_that_could_forge_a_line_is_replaced(server, given):
    answer = server.ask("GET", "/health", x_request_id=given.encode("latin-1"))
    assert re.fullmatch(r"[0-9a-f]{16}", answer.headers["x-request-id"])


def test_every_line_is_json_with_the_eight_fields_first(server):
    assert server.log
    assert all(list(line)[:8] == FIELDS for line in server.log)


def samples(text):
    """Parse Prometheus' text format: value by name and labels."""
    rows = (line.rpartition(" ") for line in text.splitlines() if line and not line.startswith("#"))
    return {name: float(value) for name, _, value in rows}


def test_metrics_count(server):
    before = samples(server.ask("GET", "/metrics").body.decode())
    server.post({"values": series(100)})
    server.post({"series": {"a": series(50), "b": series(30)}})
    server.post({"values": "no"})
    answer = server.ask("GET", "/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    after = samples(answer.body.decode())

    def grown(name):
        return after[name] - before.get(name, 0)

    assert grown("rpsd_points_processed_total") == 180
    assert grown("rpsd_series_processed_total") == 3
    assert grown('rpsd_http_requests_total{code="200",method="POST",route="/v1/denoise"}') == 2
    assert grown('rpsd_http_requests_total{code="422",method="POST",route="/v1/denoise"}') == 1
    assert grown('rpsd_http_request_duration_seconds_count{route="/v1/denoise"}') == 3
    assert after["rpsd_queue_depth"] == after["rpsd_queue_points"] == after["rpsd_kernel_threads_busy"] == 0
    assert after["rpsd_http_requests_in_flight"] == 1  # the one that asks
    isa, version, git = (rpsd.build_info()[name] for name in ("isa", "version", "git"))
    assert after[f'rpsd_build_info{{git="{git}",isa="{isa}",version="{version}"}}'] == 1
    evaluated = [name for name in after if name.startswith("rpsd_guardrail_evaluations_total")]
    assert sum(map(grown, evaluated)) == 3 * len(rpsd.evaluate([1.0, 2.0], [1.0, 2.0]).checks)
    assert 0 < after["rpsd_system_memory_ratio"] < 1


def test_addresses_do_not_become_labels(server):
    for k in range(5):
        server.ask("GET", f"/nothing/{k}")
    text = server.ask("GET", "/metrics").body.decode()
    assert "/nothing" not in text
    assert samples(text)['rpsd_http_requests_total{code="404",method="GET",route="none"}'] >= 5
