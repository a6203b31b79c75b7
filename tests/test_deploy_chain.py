# SPDX-License-Identifier: MIT
"""The live chain: service, Prometheus, Alertmanager, webhook; and which alert keeps which from calling."""

import json
import urllib.request

import pytest
from promql import ROOT, alerts
from scripts import loaded

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def walkthrough():
    return loaded(ROOT / "deploy" / "walkthrough.py")


def test_a_service_that_is_gone_is_paged_and_its_return_is_told(walkthrough, tmp_path):
    with walkthrough.chain(tmp_path, fast=True) as made:
        text = "\n".join(walkthrough.walk(made))
        received = list(made.webhook.received)
    told = [one for path, _, content in received if path == "/page" for one in content["alerts"]]
    pages = [one for one in told if one["labels"]["alertname"] == "RpsdDown"]
    assert (pages[0]["status"], pages[-1]["status"]) == ("firing", "resolved")
    assert pages[0]["annotations"]["runbook_url"] == alerts()["RpsdDown"]["annotations"]["runbook_url"]
    page = (ROOT / "docs" / "operations" / "walkthrough.md").read_text("utf-8")
    heads = [line for line in text.splitlines() if line.startswith("## ")]
    assert heads == [line for line in page.splitlines() if line.startswith("## ")]


CAUSES = [
    ("RpsdDown", "RpsdNotReady", {}),
    ("RpsdSelfCheckFails", "RpsdNotReady", {}),
    ("RpsdAuditLogFails", "RpsdStoreFails", {}),
    ("RpsdAvailabilityBurnsFast", "RpsdAvailabilityBurnsSlowly", {"slo": "availability"}),
    ("RpsdDiskFull", "RpsdDiskFillsUp", {"dir": "state"}),
    ("RpsdCertificateEnds", "RpsdCertificateEndsSoon", {}),
]


@pytest.mark.parametrize(
    ("cause", "effect", "more"), CAUSES, ids=lambda value: value if isinstance(value, str) else ""
)
def test_of_a_cause_and_its_effect_only_the_cause_calls(walkthrough, tmp_path, cause, effect, more):
    def labels(name, instance):
        severity = alerts()[name]["labels"]["severity"]
        return {
            "labels": {"alertname": name, "severity": severity, "job": "rpsd", "instance": instance, **more}
        }

    elsewhere = (
        labels(effect, "b")
        if "slo" not in more
        else labels(effect, "b") | {"labels": {**labels(effect, "b")["labels"], "slo": "latency"}}
    )
    with walkthrough.chain(tmp_path, fast=True) as made:
        made.start("alertmanager")
        asked = urllib.request.Request(
            f"{made.url(9093)}/api/v2/alerts",
            json.dumps([labels(cause, "a"), labels(effect, "a"), elsewhere]).encode(),
            {"Content-Type": "application/json"},
        )
        urllib.request.urlopen(asked, timeout=30)

        def inhibited():
            found = walkthrough.get(f"{made.url(9093)}/api/v2/alerts")
            states = {
                (one["labels"]["alertname"], one["labels"]["instance"]): bool(one["status"]["inhibitedBy"])
                for one in found
            }
            return states if states.get((effect, "a")) else None

        states = walkthrough.wait_for(inhibited)
    assert states == {(cause, "a"): False, (effect, "a"): True, (effect, "b"): False}
