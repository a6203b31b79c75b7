# SPDX-License-Identifier: MIT
"""What tests of rules and dashboards share: the files of deploy, and the names in an expression."""

import re
from functools import cache
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[1]
PROMETHEUS = ROOT / "deploy" / "prometheus"
_WORDS = {"and", "or", "unless", "on", "ignoring", "by", "without", "bool"}
_TEXT = re.compile(r'"(?:[^"\\]|\\.)*"')


@cache
def rules():
    """Return every rule, recording and alerting."""
    files = sorted((PROMETHEUS / "rules").glob("*.yml"))
    groups = [group for file in files for group in yaml.safe_load(file.read_text("utf-8"))["groups"]]
    return [rule for group in groups for rule in group["rules"]]


def alerts():
    """Return alerting rules by name."""
    return {rule["alert"]: rule for rule in rules() if "alert" in rule}


def metrics_of(expression):
    """Return the names of the metrics in an expression."""
    bare = _TEXT.sub('""', expression)
    bare = re.sub(r"\{[^}]*\}|\[[^\]]*\]|\b(by|on|without|ignoring) *\([^)]*\)", " ", bare)
    names = re.findall(r"(?<![\w.$])([a-zA-Z_:][\w:]*)\b(?! *\()", bare)
    return {name for name in names if name.lower() not in _WORDS}


def matched_labels(expression):
    """Return pairs of a metric and a label that the expression asks it for."""
    found = re.findall(r"([a-zA-Z_:][\w:]*)\{([^}]*)\}", expression)
    return {(name, label) for name, inner in found for label in re.findall(r"(\w+) *(?:=~|!~|!=|=)", inner)}


def scraped(server):
    """Return the labels of every metric of a scrape, by the names that PromQL has for it."""
    names = {}
    for line in server.ask("GET", "/metrics").body.decode().splitlines():
        if line.startswith("# TYPE "):
            name, kind = line.split()[2:]
            names.setdefault(name, set())
            if kind == "histogram":
                names.update({f"{name}_{part}": {"le"} for part in ("bucket", "count", "sum")})
        elif not line.startswith("#"):
            name = re.split(r"[{ ]", line, maxsplit=1)[0]
            names.setdefault(name, set()).update(re.findall(r'(\w+)="', line))
    return names
