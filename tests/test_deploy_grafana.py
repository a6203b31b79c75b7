# SPDX-License-Identifier: MIT
"""The dashboard: ids, places, its variable for the source, and queries of metrics that there are."""

import itertools
import json
import re
import subprocess

import pytest
import yaml
from promql import ROOT, matched_labels, metrics_of, rules, scraped
from serving import server

__all__ = ["server"]
DASHBOARD = json.loads((ROOT / "deploy" / "grafana" / "rpsd.json").read_text("utf-8"))
PANELS = DASHBOARD["panels"]
ROWS = [
    "Traffic",
    "Objectives",
    "Latency",
    "Errors and shedding",
    "Quality",
    "Resources",
    "Store, streams and jobs",
]
SOURCE = {"type": "prometheus", "uid": "${datasource}"}


def expressions():
    """Return every expression, with Grafana's variables as Prometheus would get them."""
    found = [target["expr"] for panel in PANELS for target in panel.get("targets", ())]
    return [text.replace("$__rate_interval", "1m").replace("$instance", ".*") for text in found]


def test_rows_and_panels():
    assert [panel["title"] for panel in PANELS if panel["type"] == "row"] == ROWS
    ids = [panel["id"] for panel in PANELS]
    assert len(set(ids)) == len(ids)
    titles = [panel["title"] for panel in PANELS]
    assert len(set(titles)) == len(titles)
    for panel in PANELS:
        if panel["type"] != "row":
            assert panel["datasource"] == SOURCE
            assert panel["fieldConfig"]["defaults"]["unit"]
            letters = [target["refId"] for target in panel["targets"]]
            assert len(set(letters)) == len(letters) > 0
            assert all(
                target["datasource"] == SOURCE and target["legendFormat"] for target in panel["targets"]
            )


def test_no_panel_lies_over_another():
    places = [panel["gridPos"] for panel in PANELS]
    for one in places:
        assert one["x"] >= 0
        assert one["x"] + one["w"] <= 24
    for a, b in itertools.combinations(places, 2):
        apart = a["x"] + a["w"] <= b["x"] or b["x"] + b["w"] <= a["x"]
        assert apart or a["y"] + a["h"] <= b["y"] or b["y"] + b["h"] <= a["y"], (a, b)


def test_every_variable_that_is_used_is_there():
    names = {variable["name"] for variable in DASHBOARD["templating"]["list"]}
    used = set(re.findall(r"\$\{?(\w+)", json.dumps(PANELS))) - {"__rate_interval", "__all"}
    assert used == names == {"datasource", "instance"}


def test_every_metric_is_in_a_live_scrape(server):
    server.post({"values": [100.0, 100.1, 100.3, 100.2] * 20, "report": "full"})
    names = scraped(server)
    recorded = {rule["record"] for rule in rules() if "record" in rule}
    assert set().union(*map(metrics_of, expressions())) <= names.keys() | recorded
    for expression in expressions():
        for name, label in matched_labels(expression):
            assert label in ("job", "instance") or label in names[name], expression


@pytest.mark.slow
def test_promtool_takes_every_expression(tmp_path):
    made = [{"record": f"panel:{n}", "expr": text} for n, text in enumerate(expressions())]
    file = tmp_path / "panels.yml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": made}]}))
    done = subprocess.run(["promtool", "check", "rules", file], capture_output=True, check=False, text=True)
    assert done.returncode == 0, done.stderr
    assert f"{len(made)} rules found" in done.stdout
