# SPDX-License-Identifier: MIT
"""Write the table of docs/operations/sizing.md from RESULTS.md: python bench/service/sizing.py."""

import math
from pathlib import Path

HERE = Path(__file__).parent
PAGE = HERE.parents[1] / "docs" / "operations" / "sizing.md"
RESULTS = HERE / "RESULTS.md"
#: Rows of L1: samples, request, and what it is in words.
REQUESTS = (
    ("1741", "JSON, report full, the default", "JSON with the full report"),
    ("1741", "float64, the default", "float64"),
    ("1741", "float64, wavelet and mad", "float64, the seed's chain"),
)
A_DAY = (1_000, 10_000, 100_000, 1_000_000, 10_000_000, 100_000_000)
PEAK = 10  # the busiest minute of a day beside the mean
BUSY = 0.7  # where the chart's autoscaler adds a replica
UNSURE = 2  # by which figures of RESULTS.md may be off


def carried(text: str) -> dict[str, float]:
    """Return what the measured instance carried of each kind, in requests a second, from the table L1."""
    section = text.partition("## L1:")[2].partition("\n## ")[0]
    found = {}
    for line in section.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        for samples, request, words in REQUESTS:
            if cells[:2] == [samples, request]:
                found[words] = float(cells[2])
    assert len(found) == len(REQUESTS), "RESULTS.md has other rows"
    return found


def busy(a_day: int, rate: float) -> float:
    """Return how many such instances the busiest minute fills."""
    return a_day / 86_400 * PEAK * UNSURE / (rate * BUSY)


def replicas(a_day: int, rate: float) -> int:
    """Return how many replicas carry it while one of them is away."""
    return math.ceil(busy(a_day, rate)) + 1


def _short(value: float) -> str:
    return f"{value:,.0f}" if value >= 10 else f"{value:.1g}"


def table(text: str) -> str:
    """Return the table as Markdown."""
    kinds = carried(text)
    lines = [
        f"| requests a day | a second, mean | peak | {' | '.join(kinds)} |",
        f"| ---: | ---: | ---: | {' | '.join('---:' for _ in kinds)} |",
        f"| one instance carries, a second | | | {' | '.join(_short(one) for one in kinds.values())} |",
    ]
    for a_day in A_DAY:
        mean = a_day / 86_400
        cells = [f"{replicas(a_day, one)} ({_short(busy(a_day, one))})" for one in kinds.values()]
        lines.append(f"| {a_day:,} | {_short(mean)} | {_short(PEAK * mean)} | {' | '.join(cells)} |")
    return "\n".join(lines)


def written(page: str, text: str) -> str:
    """Return the page with the table of these results."""
    begin, end = "<!-- replicas -->\n", "<!-- /replicas -->"
    head, _, rest = page.partition(begin)
    return head + begin + table(text) + "\n" + end + rest.partition(end)[2]


if __name__ == "__main__":
    PAGE.write_text(written(PAGE.read_text("utf-8"), RESULTS.read_text("utf-8")), "utf-8")
