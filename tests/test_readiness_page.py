# SPDX-License-Identifier: MIT
"""READINESS.md: each claim leads to a test or a measurement that is there, or is marked open."""

import re
from pathlib import Path

import pytest
from pages import dead_links, missing_tests

import rpsd

ROOT = Path(__file__).parents[1]
PATHS = [ROOT / "READINESS.md", ROOT / "SUPPORT.md", ROOT / "SECURITY.md"]
PAGE = PATHS[0].read_text("utf-8")
LEVELS = ("Development", "Production", "Enterprise")


def claims(level):
    section = re.search(rf"^## {level}\n(.*?)(?=^## |\Z)", PAGE, re.M | re.S)[1]
    return re.findall(r"^\| (.*?) \| (.*) \|$", section, re.M)[2:]


@pytest.mark.parametrize("level", LEVELS)
def test_every_claim_is_shown_or_open(level):
    found = claims(level)
    assert len(found) >= 9
    for claim, shown in found:
        assert "](" in shown or re.search(r"\*\*open", shown, re.I), claim


def test_every_claim_leads_somewhere():
    assert missing_tests(PATHS[0]) == []
    for path in PATHS:
        assert dead_links(path) == [], path.name


def test_it_is_of_this_version():
    assert f"rpsd {rpsd.__version__}" in PAGE
