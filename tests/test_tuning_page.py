# SPDX-License-Identifier: MIT
"""docs/tuning.md: its example prints what the page says, in the order of the errors against the truth."""

import re
from pathlib import Path

import pytest

PAGE = (Path(__file__).parent.parent / "docs" / "tuning.md").read_text(encoding="utf-8")


def test_the_example_prints_what_the_page_shows(capsys):
    exec(re.search(r"```python\n(.*?)```", PAGE, re.DOTALL).group(1), {})
    printed = capsys.readouterr().out.splitlines()
    shown = re.search(r"```text\n(.*?)```", PAGE, re.DOTALL).group(1).splitlines()
    numbers = re.compile(r"-?\d+\.\d{2,}")
    assert len(printed) == len(shown)
    for ours, theirs in zip(printed, shown, strict=True):
        assert numbers.sub("", ours) == numbers.sub("", theirs)
        for a, b in zip(numbers.findall(ours), numbers.findall(theirs), strict=True):
            assert float(a) == pytest.approx(float(b), abs=0.011 if len(b) < 6 else 2e-4)
    errors = [float(line.split()[-1]) for line in shown if "error" in line]
    assert errors == sorted(errors)
    assert len(errors) == 11
