# SPDX-License-Identifier: MIT
"""docs/operations/sizing.md says what bench/service/RESULTS.md has, and what `rpsd doctor` asks."""

import re
from pathlib import Path

import pytest
from scripts import loaded

from rpsd.cli._machine import GUIDE

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "operations" / "sizing.md").read_text("utf-8")
RESULTS = (ROOT / "bench" / "service" / "RESULTS.md").read_text("utf-8")


@pytest.fixture(scope="module")
def sizing():
    return loaded(ROOT / "bench" / "service" / "sizing.py")


def test_the_table_is_that_of_the_results(sizing):
    assert sizing.written(PAGE, RESULTS) == PAGE, "run python bench/service/sizing.py"


def test_replicas_by_hand(sizing):
    # A million a day are 11.57 a second; ten and two times that, of 70 % of 100 a second.
    assert sizing.busy(1_000_000, 100.0) == pytest.approx(3.307, abs=1e-3)
    assert sizing.replicas(1_000_000, 100.0) == 5
    assert sizing.replicas(1, 100.0) == 2  # one is not enough where one may be away
    changed = re.sub(r"(\| 1741 \| float64, the default \|) [\d.]+", r"\1 7", RESULTS)
    assert sizing.carried(changed)["float64"] == 7.0
    assert sizing.written(PAGE, changed) != PAGE


def test_times_of_sizes_are_those_of_the_results():
    """To within the factor by which they move from run to run."""
    section = RESULTS.partition("## L3:")[2].partition("\n## ")[0]
    measured = {
        cells[0]: (cells[2], cells[4])
        for cells in ([cell.strip() for cell in row.strip("|").split("|")] for row in section.splitlines())
        if len(cells) > 5
    }
    rows = re.findall(r"^\| ([\d,]+) \| [a-z\d ]+ \| ([\d.]+) \| ([\d.]+|not measured) \|$", PAGE, re.M)
    assert len(rows) == 5
    for samples, chain, default in rows:
        for said, found in zip((chain, default), measured[samples], strict=True):
            if found:
                assert float(said) == pytest.approx(float(found), rel=0.5), samples
            else:
                assert said == "not measured"


def test_what_is_asked_of_a_machine_is_what_doctor_asks():
    head = PAGE.partition("\n## ")[0]
    rows = dict(re.findall(r"^\| (processors|memory|disk|network|system) \| (.*) \|$", head, re.M))
    for column, level in enumerate(("minimum", "recommended")):
        asked = GUIDE[level]
        cell = {name: text.split(" | ")[column] for name, text in rows.items()}
        assert cell["processors"].split(",")[0] == str(asked.processors)
        assert cell["memory"].startswith(f"{asked.memory} GB")
        assert cell["disk"].startswith(f"{asked.disk} GB")
        link = f"{asked.link} Mbit/s" if asked.link < 1000 else f"{asked.link // 1000} Gbit/s"
        assert cell["network"] == link
        assert ".".join(map(str, asked.glibc)) in rows["system"]
