# SPDX-License-Identifier: MIT
"""The service against its OpenAPI document, by right and wrong requests that Schemathesis makes of it."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from guarded import guarded
from serving import server

__all__ = ["server"]
HERE = Path(__file__).parent
# Values may be allowed each by itself and yet not go together, which no schema says: 422.
# What is wrong may be too large as well: 413.
# 504 is right where a client waits for less time than there is.
# What is behind the JSON of a tensor is as long as a header and the shape say.
# Streams and jobs are not there, have gone on, or are more than a tenant has.
CONFIG = """
hooks = "schemathesis_hooks"
[checks.positive_data_acceptance]
expected-statuses = ["2xx", 406, 422]
[checks.negative_data_rejection]
expected-statuses = [400, 401, 403, 404, 405, 406, 409, 413, 415, 422, 428, 429, 504]
[checks.not_a_server_error]
expected-statuses = ["2xx", "4xx", 504]
[[operations]]
include-path-regex = "^/v1/(streams|jobs)"
[operations.checks.positive_data_acceptance]
expected-statuses = ["2xx", 404, 406, 409, 413, 422]
[[operations]]
include-path-regex = "^/v2/models"
[operations.checks.positive_data_acceptance]
expected-statuses = ["2xx", 400, 413, 422]
"""


def run(server, tmp_path, *arguments):
    (tmp_path / "schemathesis.toml").write_text(CONFIG)
    found = subprocess.run(
        [
            sys.executable,
            "-c",
            "from schemathesis.cli import schemathesis; schemathesis()",
            "run",
            f"http://127.0.0.1:{server.port}/openapi.json",
            "--checks=all",
            "--seed=1",
            "--continue-on-failure",
            "--generation-database=none",
            *arguments,
        ],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(HERE), os.environ.get("PYTHONPATH", "")])},
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
    )
    assert found.returncode == 0, found.stdout[-5000:] + found.stderr[-2000:]
    return int(re.search(r"(\d+) generated", found.stdout)[1])


def answered(server, path, code, method="POST"):
    metrics = server.ask("GET", "/metrics").body.decode()
    pattern = rf'rpsd_http_requests_total{{code="{code}",method="{method}",route="{path}"}} (\S+)'
    found = re.search(pattern, metrics)
    return float(found[1]) if found else 0.0


@pytest.mark.slow
def test_a_few_requests_of_each_kind(server, tmp_path):
    assert run(server, tmp_path, "--phases=fuzzing", "--max-examples=8") > 20
    for path in ("/v1/denoise", "/v1/noise", "/v1/evaluate"):
        assert answered(server, path, 200) > 0
        assert answered(server, path, 422) > 0
    assert answered(server, "/v1/streams", 201) > 0
    assert answered(server, "/v1/jobs", 202) > 0
    assert answered(server, "/admin/log-level", 200, "PUT") > 0
    assert answered(server, "/admin/log-level", 422, "PUT") > 0
    assert server.ask("GET", "/admin/log-level").json == {"level": "DEBUG"}


@pytest.mark.slow
def test_streams_as_one_thing_leads_to_another(server, tmp_path):
    some = ("--phases=stateful", "--include-path-regex=^/v1/streams", "--max-examples=30")
    run(server, tmp_path, *some, "--request-timeout=60")
    assert answered(server, "/v1/streams/{id}/push", 200) > 0


@pytest.mark.slow
def test_jobs_as_one_thing_leads_to_another(server, tmp_path):
    some = ("--phases=stateful", "--include-path-regex=^/v1/jobs", "--max-examples=30")
    run(server, tmp_path, *some, "--request-timeout=60")
    assert answered(server, "/v1/jobs/{id}/result", 200, "GET") > 0


@pytest.mark.slow
def test_with_a_key_as_one_thing_leads_to_another(tmp_path):
    """The same where credentials are asked for: each act is in the audit log, and its chain holds."""
    home = tmp_path / "home"
    home.mkdir()
    with guarded(
        home, rate_limit=1e6, rate_burst=10**6, failed_credentials=10**6, max_streams=10**5
    ) as service:
        service.make("both", ["user", "operator"])
        service.start()
        key = ("-H", f"Authorization: Bearer {service.keys['both']}")
        some = ("--phases=stateful", "--include-path-regex=^/v1/(streams|jobs)", "--max-examples=15")
        assert run(service.server, tmp_path, *some, "--request-timeout=60", *key) > 20
        verdict = service.verify()
        assert verdict.fault is None
        assert verdict.records > 20
        assert not [line for line in service.server.log if line["level"] in ("ERROR", "CRITICAL")]


@pytest.mark.slow
def test_every_boundary_and_many_requests(server, tmp_path):
    assert run(server, tmp_path, "--max-examples=300") > 3000
    assert answered(server, "/v1/denoise", 200) > 100
    # A change of the level is told at the new one.
    told = [line for line in server.log if (line["operation"], line.get("status")) != ("log-level", 200)]
    assert not [line for line in told if line["level"] == "ERROR" and line.get("status") != 504]
