# SPDX-License-Identifier: MIT
"""docs/operations/coverage.md: each row of the guide is there, and what it names is there."""

import re
from pathlib import Path

import pytest
from pages import dead_links, missing_tests

ROOT = Path(__file__).parents[1]
PATH = ROOT / "docs" / "operations" / "coverage.md"
PAGE = PATH.read_text("utf-8")
STATES = {"done", "partly", "not run", "open"}
#: How many things the guide names in each part; fewer rows have lost one.
LEAST = dict(zip("ABCDEFGHIJKLMNO", (12, 19, 9, 16, 7, 7, 4, 8, 3, 16, 11, 9, 6, 8, 6), strict=True))


def rows(letter):
    section = re.search(rf"^## {letter}\. .*?\n(.*?)(?=^## |\Z)", PAGE, re.M | re.S)
    assert section, f"no part {letter}"
    found = re.findall(r"^\| (.*?) \| (.*?) \| (.*) \|$", section[1], re.M)
    assert found[:2] == [("the guide", "state", "by"), ("---", "---", "---")]
    return found[2:]


@pytest.mark.parametrize("letter", LEAST)
def test_a_part_has_all_its_rows_and_each_has_a_state_and_a_proof(letter):
    found = rows(letter)
    assert len(found) == LEAST[letter]
    assert len({what for what, _, _ in found}) == len(found)
    for what, state, by in found:
        assert state in STATES, what
        assert "](" in by or letter == "E", f"{what} leads nowhere"
        assert state != "not run" or "](" in by, what


def test_the_variables_of_the_guide_are_those():
    assert [what.strip("`") for what, _, _ in rows("E")] == [
        "RPSD_DATA_DIR",
        "RPSD_LOG_LEVEL",
        "RPSD_CACHE_DIR",
        "RPSD_MAX_WORKERS",
        "RPSD_CHUNK_SIZE",
        "RPSD_METRICS_PORT",
        "RPSD_HEALTH_CHECK_INTERVAL",
    ]


def test_every_link_leads_somewhere():
    assert dead_links(PATH) == []


def test_every_test_that_is_named_is_there():
    assert missing_tests(PATH) == []


def test_what_is_not_there_is_found(tmp_path):
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "test_a.py").write_text("def test_one():\n    pass\n")
    page = tmp_path / "page.md"
    page.write_text(
        "# A title: two\n[`test_one`](tests/test_a.py) [`test_two`](tests/test_a.py) [b](b.md) "
        "[c](#a-title-two) [d](page.md#no) [`test_a`](tests/test_a.py)\n"
    )
    assert dead_links(page) == ["b.md", "page.md#no"]
    assert missing_tests(page) == ["tests/test_a.py: test_two"]
