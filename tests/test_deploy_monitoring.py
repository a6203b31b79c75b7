# SPDX-License-Identifier: MIT
"""Alerts: of metrics that there are, each with a runbook and with a test that it fires and is silent."""

import re
import subprocess

import pytest
import yaml
from promql import PROMETHEUS, ROOT, alerts, matched_labels, metrics_of, rules, scraped
from serving import server

__all__ = ["server"]
ALERTMANAGER = ROOT / "deploy" / "alertmanager" / "alertmanager.yml"
RUNBOOKS = ROOT / "docs" / "operations" / "runbooks.md"
BASE = "https://rpsd.example/docs/operations/runbooks.md#"
TESTS = sorted((PROMETHEUS / "tests").glob("*.yml"))
#: What Prometheus itself has, beside what it scrapes.
OWN = {"up"}


def test_names_in_an_expression_are_found():
    expression = 'sum by (job) (rate(a_total{x="b_total",le=~"c"}[5m])) > 1e9 and on (job) 2 * a:b - time()'
    assert metrics_of(expression) == {"a_total", "a:b"}
    assert matched_labels(expression) == {("a_total", "x"), ("a_total", "le")}


def test_every_metric_of_the_rules_is_in_a_live_scrape(server):
    server.post({"values": [100.0, 100.1, 100.3, 100.2] * 20})
    names = scraped(server)
    recorded = {rule["record"] for rule in rules() if "record" in rule}
    used = set().union(*(metrics_of(rule["expr"]) for rule in rules()))
    assert used - recorded - OWN <= names.keys()
    for rule in rules():
        for name, label in matched_labels(rule["expr"]):
            assert label == "job" or label in names[name] or name in OWN, rule


def test_every_alert_says_what_it_must():
    assert len(alerts()) == sum("alert" in rule for rule in rules()) > 30
    for name, rule in alerts().items():
        assert rule["labels"]["severity"] in ("page", "ticket", "none"), name
        assert set(rule["annotations"]) == {"summary", "description", "runbook_url"}, name
        assert rule["annotations"]["runbook_url"] == BASE + name.lower()


def test_every_alert_has_a_runbook_and_every_runbook_an_alert():
    sections = re.split(r"^### ", RUNBOOKS.read_text("utf-8"), flags=re.M)[1:]
    told = {section.split("\n", 1)[0]: section for section in sections}
    assert told.keys() == alerts().keys()
    for name, section in told.items():
        for part in ("Means", "Look", "Call"):
            assert re.search(rf"\*\*[\w, ]*{part}[\w, ]*:\*\*", section, re.I), f"{name}: {part}"


def test_every_alert_is_tested_to_fire_and_to_be_silent():
    fires, silent = set(), set()
    for file in TESTS:
        for test in yaml.safe_load(file.read_text("utf-8"))["tests"]:
            for case in test.get("alert_rule_test", ()):
                (fires if case["exp_alerts"] else silent).add(case["alertname"])
    assert fires == alerts().keys()
    assert silent == alerts().keys() - {"Watchdog"}  # which is never silent


def test_windows_of_an_objective_differ_in_nothing_else():
    by_base = {}
    for rule in rules():
        if "record" in rule:
            base, window = re.fullmatch(r"(.+?)(\d+[mhd])", rule["record"]).groups()
            assert f"[{window}]" in rule["expr"]
            by_base.setdefault(base, set()).add(rule["expr"].replace(f"[{window}]", "[]"))
    assert len(by_base) == 7
    assert all(len(expressions) == 1 for expressions in by_base.values())


def test_inhibition_names_alerts_that_there_are():
    config = yaml.safe_load(ALERTMANAGER.read_text("utf-8"))
    for rule in config["inhibit_rules"]:
        for matcher in (*rule["source_matchers"], *rule["target_matchers"]):
            label, how, value = re.fullmatch(r'(\w+)(=~|!=|=)"(.*)"', matcher).groups()
            if label == "alertname":
                wanted = [name for name in alerts() if re.fullmatch(value, name)]
                assert wanted if how == "=" else len(wanted) == value.count("|") + 1, matcher


@pytest.fixture(scope="module")
def run():
    def run(*command):
        done = subprocess.run(command, capture_output=True, check=False, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    return run


@pytest.mark.slow
def test_promtool_takes_the_rules(run):
    run(
        "promtool",
        "check",
        "rules",
        "--lint=all",
        "--lint-fatal",
        *sorted((PROMETHEUS / "rules").glob("*.yml")),
    )


@pytest.mark.slow
@pytest.mark.parametrize("file", TESTS, ids=lambda file: file.stem)
def test_alerts_fire_and_are_silent(run, file):
    run("promtool", "test", "rules", file)


@pytest.mark.slow
def test_promtool_takes_the_configuration(run, tmp_path):
    """As it is, and with the lines that are for TLS."""
    text = (PROMETHEUS / "prometheus.yml").read_text("utf-8")
    assert text.count("#: ") == 5
    for name in ("rpsd-ca.pem", "rpsd-monitoring.key"):
        (tmp_path / name).write_text("x")
    (tmp_path / "rules").symlink_to(PROMETHEUS / "rules")
    (tmp_path / "tls.yml").write_text(text.replace("#: ", ""))
    run("promtool", "check", "config", PROMETHEUS / "prometheus.yml")
    run("promtool", "check", "config", "--syntax-only", tmp_path / "tls.yml")


@pytest.mark.slow
def test_amtool_takes_the_routes(run):
    run("amtool", "check-config", ALERTMANAGER)
    routed = ("amtool", "config", "routes", "test", f"--config.file={ALERTMANAGER}")
    receivers = {"page": "pager", "ticket": "tickets"}
    for name in ("Watchdog", "RpsdDown", "RpsdSheds"):
        severity = alerts()[name]["labels"]["severity"]
        wanted = receivers.get(severity, "dead-mans-switch")
        labels = [f"alertname={name}", f"severity={severity}", "job=rpsd"]
        run(*routed, f"--verify.receivers={wanted}", *labels)
    run(*routed, "--verify.receivers=tickets", "alertname=Other")
