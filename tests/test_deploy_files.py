# SPDX-License-Identifier: MIT
"""The files of deploy/ beside the code that they are for: names, limits, times, paths; scripts."""

import json
import os
import re
import subprocess
import tomllib
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import yaml
from scripts import loaded

import rpsd
from rpsd._config import _OTHER_VARIABLES

ROOT = Path(__file__).parents[1]
DEPLOY = ROOT / "deploy"
DEFAULT = {(row[0], row[1]): row[2] for row in rpsd.Config().rows()}
VARIABLES = {f"RPSD_{key.upper()}" for _, key in DEFAULT} | {*_OTHER_VARIABLES, "RPSD_STATE_KEY_FILE"}


def files(*patterns):
    found = [path for pattern in patterns for path in sorted(DEPLOY.glob(pattern)) if path.is_file()]
    assert found
    return found


def compose():
    return yaml.safe_load((DEPLOY / "compose" / "compose.yaml").read_text())


def test_every_variable_is_one_that_rpsd_knows():
    """Any other name that begins so stops the start."""
    for path in files(
        "systemd/*",
        "container/Dockerfile",
        "compose/compose.yaml",
        "helm/rpsd/templates/*",
        "backup/*",
        "kustomize/**/*.yaml",
    ):
        for name in re.findall(r"\bRPSD_[A-Z_]+", path.read_text()):
            assert name in VARIABLES or name == "RPSD_IMAGE", f"{path.name}: {name}"


def test_the_configuration_is_one(tmp_path):
    assert rpsd.load_config(DEPLOY / "config.yaml").service.drain_delay == 5
    values = yaml.safe_load((DEPLOY / "helm" / "rpsd" / "values.yaml").read_text())
    (tmp_path / "c.yaml").write_text(yaml.safe_dump(values["config"]))
    assert rpsd.load_config(tmp_path / "c.yaml").service.drain_timeout == 25


def setting(name, pattern):
    text = (DEPLOY / name).read_text()
    found = re.search(pattern, text, re.M)
    assert found, f"{name}: {pattern}"
    return float(found[1])


def test_there_is_time_to_drain():
    drain = DEFAULT["service", "drain_delay"] + DEFAULT["service", "drain_timeout"]
    assert setting("systemd/rpsd@.service", r"^TimeoutStopSec=(\d+)$") >= drain + 5
    assert setting("compose/compose.yaml", r"stop_grace_period: (\d+)s$") >= drain + 5
    assert (
        setting("systemd/rpsd@.service", r"^WatchdogSec=(\d+)$")
        == 2 * DEFAULT["monitoring", "health_check_interval"]
    )


@pytest.mark.parametrize(
    ("name", "pattern", "factor", "key"),
    [
        ("nginx/nginx.conf", r"client_max_body_size (\d+)m;", 2**20, "max_body_bytes"),
        ("haproxy/haproxy.cfg", r"content-length\) gt (\d+)", 1, "max_body_bytes"),
        ("nginx/nginx.conf", r"client_header_timeout (\d+)s;", 1, "header_timeout"),
        ("haproxy/haproxy.cfg", r"timeout http-request (\d+)s", 1, "header_timeout"),
        ("nginx/nginx.conf", r"client_body_timeout (\d+)s;", 1, "body_timeout"),
        ("nginx/nginx.conf", r"^    send_timeout (\d+)s;", 1, "send_timeout"),
        ("haproxy/haproxy.cfg", r"timeout client (\d+)s", 1, "send_timeout"),
    ],
)
def test_balancers_have_the_limits_of_the_service(name, pattern, factor, key):
    assert setting(name, pattern) * factor == DEFAULT["service", key]


def test_balancers_outwait_the_service():
    for name, pattern, key in (
        ("nginx/nginx.conf", r"^    proxy_read_timeout (\d+)s;", "request_timeout"),
        ("haproxy/haproxy.cfg", r"timeout server (\d+)s", "request_timeout"),
        ("nginx/nginx.conf", r"^            proxy_read_timeout (\d+)s;", "session_idle_timeout"),
        ("haproxy/haproxy.cfg", r"timeout tunnel (\d+)s", "session_idle_timeout"),
    ):
        assert setting(name, pattern) > DEFAULT["service", key], (name, pattern)


def test_balancers_send_again_only_what_keeps_nothing():
    computing = {"/v1/denoise", "/v1/noise", "/v1/evaluate", "/v2/models/rpsd/infer"}
    nginx = (DEPLOY / "nginx" / "nginx.conf").read_text()
    pattern = re.search(r"location ~ (\S+) \{\n\s+proxy_next_upstream .* non_idempotent;", nginx)[1]
    haproxy = (DEPLOY / "haproxy" / "haproxy.cfg").read_text()
    assert set(re.search(r"use_backend computing if \{ path (.*) \}", haproxy)[1].split()) == computing
    assert haproxy.count("retry-on conn-failure empty-response") == nginx.count("non_idempotent;") == 1
    paths = json.loads((ROOT / "docs" / "openapi.json").read_text())["paths"]
    assert {path for path in paths if re.search(pattern, path)} == computing


def test_compose_finds_what_it_names():
    content = compose()
    services, secrets = content["services"], content["secrets"]
    for name, one in services.items():
        assert one["read_only"] is True, name
        assert one["cap_drop"] == ["ALL"], name
        for place in one.get("volumes", ()):
            if place.startswith("."):
                source = (DEPLOY / "compose" / place.split(":")[0]).resolve()
                assert source.exists(), f"{name}: {place}"
        for secret in one.get("secrets", ()):
            assert (secret if isinstance(secret, str) else secret["source"]) in secrets, name
    upstream = (DEPLOY / "compose" / "upstream.conf").read_text()
    assert {f"{name}:8000" for name in services if name.startswith("rpsd-")} == set(
        re.findall(r"server (\S+)", upstream)
    )


def test_locked_requirements_are_those_of_the_package():
    text = (DEPLOY / "requirements.txt").read_text()
    locked = dict(re.findall(r"^([A-Za-z0-9._-]+)(?:\[\w+\])?==(\S+)", text, re.M))
    named = {name.lower().replace("_", "-") for name in locked}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = [*project["dependencies"], *project["optional-dependencies"]["service"], "psycopg"]
    for line in wanted:
        assert re.match(r"[A-Za-z0-9._-]+", line)[0].lower() in named, line
    assert all("--hash=sha256:" in block for block in re.split(r"^(?=[a-z])", text, flags=re.M)[1:])


@pytest.fixture(scope="module")
def canary():
    return loaded(DEPLOY / "rollout" / "canary.py")


def told(requests=1000.0, failed=0.0, breached=0.0, seconds=0.01):
    route = 'route="/v1/denoise",method="POST",code='
    return {
        ("rpsd_http_requests_total", f'{route}"200"'): requests - failed,
        ("rpsd_http_requests_total", f'{route}"503"'): failed,
        ("rpsd_http_requests_total", 'route="/health",method="GET",code="503"'): 10_000.0,
        ("rpsd_http_request_duration_seconds_sum", 'route="/v1/denoise"'): requests * seconds,
        ("rpsd_http_request_duration_seconds_count", 'route="/v1/denoise"'): requests,
        ("rpsd_guardrail_evaluations_total", 'guardrail="rmse",verdict="passed"'): requests - breached,
        ("rpsd_guardrail_evaluations_total", 'guardrail="rmse",verdict="breached"'): breached,
    }


@pytest.mark.parametrize(
    ("new", "said"),
    [
        ({}, None),
        ({"failed": 2.0}, None),
        ({"failed": 30.0}, "failed requests"),
        ({"breached": 40.0}, "breached guardrails"),
        ({"seconds": 0.0119}, None),
        ({"seconds": 0.0121}, "mean time"),
        ({"requests": 199.0}, "199 requests"),
    ],
)
def test_the_canary_tells_worse_from_chance(canary, new, said):
    faults = canary.judge(told(requests=19_000.0, failed=10.0, breached=20.0), told(**new), 200, 1.2)
    assert len(faults) == (said is not None)
    assert all(said in fault for fault in faults)


def test_the_canary_counts_from_its_beginning_and_through_a_restart(canary):
    key = ("n", "")
    assert canary.since({key: 7.0}, {key: 5.0}) == {key: 2.0}
    assert canary.since({key: 3.0}, {key: 5.0}) == {key: 3.0}


def backups(directory, *ages):
    moments = [datetime.now(UTC) - timedelta(seconds=age) for age in ages]
    for moment in moments:
        for end in ("backup", "head"):
            (directory / f"rpsd-{moment:%Y%m%dT%H%M%SZ}.{end}").touch()
    return moments


def test_figures_of_the_restore_hold_the_goal():
    """Ten minutes a gigabyte at most; the timer and the time of a backup within five."""
    page = (ROOT / "docs" / "operations" / "backup.md").read_text("utf-8")
    table = page.partition("<!-- figures -->")[2].partition("<!-- /figures -->")[0]
    numbers = re.findall(r"^\| ([\d.]+) \| ([\d.]+) \| .* \| (\d+) \| (\d+) \| ([\d.]+) \|$", table, re.M)
    (database, _, backup, drill, minutes) = map(float, numbers[0])
    assert database >= 1
    assert minutes == pytest.approx(drill / 60 / database, abs=0.02)
    assert minutes <= 10
    assert setting("systemd/rpsd-backup.timer", r"^OnCalendar=\*:0/(\d+)$") * 60 + backup <= 300


def run_backup(tmp_path, **more):
    program = tmp_path / "rpsd"
    program.write_text(
        '#!/bin/sh\nif [ "$3" = --verify ]; then cmp "$2" "$GOOD"; else echo sealed >"$2"; echo 1:aa; fi\n'
    )
    program.chmod(0o755)
    (tmp_path / "verified").write_text("sealed\n")
    environ = {
        "PATH": os.environ["PATH"],
        "RPSD": str(program),
        "GOOD": str(tmp_path / "verified"),
        **more,
    }
    return subprocess.run(
        [DEPLOY / "backup" / "backup.sh", tmp_path / "b"],
        env=environ,
        capture_output=True,
        text=True,
        check=False,
    )


def test_backups_of_a_day_and_the_first_of_each_day_are_kept(tmp_path):
    (tmp_path / "b").mkdir()
    (tmp_path / "off").mkdir()
    day = 86_400
    moments = backups(tmp_path / "b", 31 * day, 3600, *(k * 3600 for k in range(25, 97, 4)))
    assert run_backup(tmp_path, COPY_TO=str(tmp_path / "off")).returncode == 0
    left = {path.name for path in (tmp_path / "b").iterdir()}
    assert {path.name for path in (tmp_path / "off").iterdir()} < left  # the new one alone, with its head
    days = {}
    for moment in sorted(moments[1:]):
        days.setdefault(moment.date(), moment)
    kept = {moments[1], *(m for m in days.values())}
    assert len(left) == 2 * (len(kept) + 1)
    assert all(f"rpsd-{m:%Y%m%dT%H%M%SZ}.{end}" in left for m in kept for end in ("backup", "head"))


def test_a_copy_that_is_not_whole_or_not_mounted_fails(tmp_path):
    (tmp_path / "b").mkdir()
    (tmp_path / "off").mkdir()
    done = run_backup(tmp_path, COPY_TO=str(tmp_path / "none"))
    assert done.returncode == 1
    assert "is it mounted?" in done.stderr
    assert run_backup(tmp_path, COPY_TO=str(tmp_path / "off"), GOOD="/dev/null").returncode == 1
