# SPDX-License-Identifier: MIT
"""docs/comparison.md is what bench/comparison.py writes, and agrees with other tables of measurements."""

import re
from pathlib import Path

import pytest
from scripts import loaded

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "comparison.md").read_text(encoding="utf-8")


def rows(text):
    return [
        [cell.strip() for cell in line.strip("|").split("|")] for line in re.findall(r"^\|.*", text, re.M)
    ]


def test_the_page_is_what_the_script_writes():
    assert loaded(ROOT / "bench" / "comparison.py").page() == PAGE


def test_ratios_are_those_of_the_readme():
    """The README's are of the raw times; both name where others are faster."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    overview = rows(re.search(r"<!-- measured -->\n(.*?)<!-- /measured -->", readme, re.S)[1])[2:]
    faster, slower = (
        rows(part) for part in PAGE.partition("## Speed")[2].split("### Where others are faster")
    )
    ratios = {row[0]: float(row[-1]) for row in faster[2:]}
    ratios |= {row[0]: 1 / float(row[-1]) for row in slower if row[0].startswith("default")}
    for task, *_, times in overview:
        assert ratios[task] == pytest.approx(float(times), abs=0.06, rel=0.01), task


def test_it_says_where_others_are_better():
    text = re.sub(r"\s+", " ", PAGE)
    assert "The default is slower than plain wavelet thresholding" in text
    quality = (ROOT / "bench" / "quality" / "RESULTS.md").read_text(encoding="utf-8")
    short = rows(quality.partition("## Short series")[2].partition("Gain less")[0])
    more = PAGE.partition("### Where others gain more")[2].partition("###")[0]
    told = {(row[0], row[1]) for row in rows(more)}
    ours, peer = short[0].index("rpsd.denoise"), short[0].index("statsmodels local level")
    for row in short[2:]:
        gains = [float(row[column].split()[0]) for column in (ours, peer)]
        assert ((row[0], "statsmodels local level") in told) == (gains[1] > gains[0])
