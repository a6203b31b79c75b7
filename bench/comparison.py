# SPDX-License-Identifier: MIT
"""Write docs/comparison.md from what was measured: bench/RESULTS.md, bench/quality and bench/service.

    python bench/comparison.py

No number on that page is typed by hand; tests/test_comparison_page.py holds the page against this script.
"""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SPEED, QUALITY, SERVICE = (
    ROOT / "bench" / name for name in ("RESULTS.md", "quality/RESULTS.md", "service/RESULTS.md")
)
KEPT = ", malloc kept"
OURS = "rpsd.denoise"
PEERS = (
    "statsmodels local level",
    "PyWavelets BayesShrink db4",
    "scikit-image BayesShrink sym8",
    "PyWavelets universal soft db4",
)

HEAD = """\
# Beside others

Written by `python bench/comparison.py` from [speed](../bench/RESULTS.md),
[quality](../bench/quality/RESULTS.md) and [the service](../bench/service/RESULTS.md), which scripts
measure; no number here is typed by hand. **Where others are better, it says so.** Goals that were set
and not reached: [architecture](architecture.md#goals-not-reached).
"""
QUALITY_TEXT = """\
## Quality

Gain in dB over the raw series: mean over seeds of simulated prices whose truth is known
([the cells](cells.md)), with its standard error. The best of a row is bold, however little it leads by.
The limit is what a smoother that knows every parameter reached.
"""
MORE_TEXT = """\
### Where others gain more

Every cell in which a peer's mean is above that of the default. Where prices are the plain model that
statsmodels fits, and there are many, the two differ by less than their standard errors. In short series
the default is reluctant: it must not harm near-clean ones, and holds back where the evidence for noise
is thin ([method](method.md#what-it-does-not-do)); `method="kalman"` always smooths.
"""
CLEAN_TEXT = """\
### Where there is nothing to gain

Pure walks without noise: the share of series that came back unchanged, and the largest change (RMS, in
steps). Any change is damage here.
"""
SIGNALS_TEXT = """\
### Signals that are no prices

Mean squared error on the four signals of Donoho and Johnstone, less is better; the figures of
EbayesThresh are quoted from papers and not of this run. The best of a row is bold.
"""
SPEED_TEXT = """\
## Speed

Each task beside the fastest of its peers, medians of one run on one machine: read the ratios.
Where tasks were also measured in processes that keep their memory, the ratio that is worse for rpsd
stands here.
"""
SLOWER_TEXT = """\
### Where others are faster

- **The default is slower than plain wavelet thresholding.** It fits a model of price and noise to each
  series, by maximum likelihood, before it decides whether to smooth at all; thresholding takes whatever
  is fine for noise. What the time buys are the tables of quality above. Who knows that there is much
  noise has the fast chain by `method="wavelet", noise="mad"`.
- **Causal filters** are sums, as Fourier transforms would let later samples change bits of earlier
  values ([decision 5](decisions/0005-fir.md)).
"""
SERVICE_TEXT = """\
## The service

Beside a bare echo on the same server and the same two processors, which does nothing with what it
gets. The last column is the share of its rate.
"""


def sections(path: Path) -> dict[str, list[list[str]]]:
    """Return the first table of each section, its head first."""
    found = {}
    for part in re.split(r"^## ", path.read_text("utf-8"), flags=re.M)[1:]:
        title, _, text = part.partition("\n")
        table = re.search(r"(?:^\|.*\n)+", text + "\n", re.M)
        rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in table[0].splitlines()]
        found[title] = [rows[0], *rows[2:]]
    return found


def measured_on(path: Path) -> str:
    """Return which rpsd a file was measured with."""
    head = path.read_text("utf-8").partition("\n## ")[0]
    return re.search(r"rpsd [\d.]+ at \w+, .*|commit \w+", head)[0]


def table(head: list[str], rows: list[list[str]], right: int) -> list[str]:
    """Return a table whose last `right` columns are numbers."""
    rule = ["---"] * (len(head) - right) + ["---:"] * right
    return [f"| {' | '.join(row)} |" for row in (head, rule, *rows)] + [""]


def mean(cell: str) -> float | None:
    """Return the number at the beginning of a cell."""
    found = re.match(r"-?\d+\.\d+", cell)
    return float(found[0]) if found else None


def bold_best(row: list[str], best=max) -> list[str]:
    """Mark the best numbers behind the first cell."""
    numbers = [mean(cell) for cell in row]
    chosen = best(number for number in numbers[1:] if number is not None)
    pairs = zip(row, numbers, strict=True)
    return [f"**{cell}**" if number == chosen and k else cell for k, (cell, number) in enumerate(pairs)]


def picked(rows: list[list[str]], names: list[str]) -> list[list[str]]:
    """Return the columns of these names, without the head."""
    places = [rows[0].index(name) for name in names]
    return [[row[place] for place in places] for row in rows[1:]]


def quality() -> list[str]:
    """Return the tables of gains and errors."""
    found = sections(QUALITY)
    offline, short = found["Offline"], found["Short series"]
    who = [OURS, "rpsd, kalman", *PEERS]
    rows = [bold_best(row) for row in picked(offline, ["cell", *who])]
    limits = picked(offline, ["limit on a grid"])
    rows = [[row[0], *limit, *row[1:]] for row, limit in zip(rows, limits, strict=True)]
    lines = [QUALITY_TEXT, *table(["cell", "limit", *who], rows, 7), MORE_TEXT]

    more = []
    for cells in (offline, short):
        for row in cells[1:]:
            ours = row[cells[0].index(OURS)]
            for name in PEERS:
                theirs = row[cells[0].index(name)] if name in cells[0] else ""
                if theirs and mean(theirs) > mean(ours):
                    gained = [text.partition(",")[0] for text in (ours, theirs)]
                    more.append([row[0], name, *gained, f"{mean(theirs) - mean(ours):.2f}"])
    lines += table(["cell", "who", OURS, "they", "more"], more, 3)

    walks = found["No noise"]
    lines += [CLEAN_TEXT, *table(walks[0], walks[1:], len(walks[0]) - 1)]
    signals = found["Test signals"]
    names = [name for name in signals[0][1:] if name != "identity"]
    errors = [bold_best(row, min) for row in picked(signals, ["cell", *names])]
    lines += [SIGNALS_TEXT, *table(["signal, root-SNR", *names], errors, len(names))]
    others = [name for name in names if not name.startswith("rpsd")]
    behind = []
    for row in picked(signals, ["cell", OURS, *others]):
        best = min((error for error in row[2:] if error), key=mean)
        if mean(best) < mean(row[1]):
            behind.append(f"{row[0]} ({best.partition(' ')[0]} against {row[1].partition(' ')[0]})")
    lines.append(f"Behind the best of the others the default is in: {', '.join(behind) or 'none'}.\n")
    return lines


def contests(rows: list[list[str]]) -> list[tuple[list[str], list[str], float]]:
    """Return our row, that of the fastest peer, and its time in ours; one for each mode of ours."""
    ours = [row for row in rows if row[0].startswith("rpsd")]
    # NumPy is a part of all that is imported here, and no rival.
    peers = [row for row in rows if not row[0].startswith("rpsd") and row[0] != "numpy"]
    if not peers:
        return []
    peer = min(peers, key=lambda row: float(row[3]))
    kept = peer[0].endswith(KEPT)
    first = next(row for row in ours if row[0].endswith(KEPT) == kept)
    modes = [first, *(row for row in ours if row[0] == "rpsd causal")]
    return [(row, peer, float(peer[3]) / float(row[3])) for row in modes]


def speed() -> list[str]:
    """Return the tables of times."""
    faster, slower = [], []
    for title, rows in sections(SPEED).items():
        for ours, peer, ratio in contests(rows[1:]):
            row = [title, ours[0], ours[1], peer[0], peer[1], f"{max(ratio, 1 / ratio):.1f}"]
            (faster if ratio >= 1 else slower).append(row)
    head = ["task", "ours", "takes", "fastest peer", "takes"]
    return [
        SPEED_TEXT,
        *table([*head, "times faster"], faster, 1),
        SLOWER_TEXT,
        *table([*head, "times slower"], slower, 1),
    ]


def service() -> list[str]:
    """Return what the service costs, and its latency."""
    found = sections(SERVICE)
    costs, latency = (
        next(rows for title, rows in found.items() if title.startswith(t)) for t in ("L1", "L2")
    )
    share = ["samples", "request", "rps", "CPU us", "echo rps", "echo CPU us", "of echo's rps"]
    wanted = ["request, float64", "rps (of capacity)", "p50 ms", "p99 ms", "p99.9 ms"]
    return [
        SERVICE_TEXT,
        *table(share, picked(costs, share), 5),
        "Latency from the intended start of each request, at half of what it can carry and at 80 %:\n",
        *table(wanted, picked(latency, wanted), 4),
    ]


def page() -> str:
    """Return the page."""
    files = {"Quality": QUALITY, "Speed": SPEED, "The service": SERVICE}
    places = [f"- {name}: {measured_on(path)}" for name, path in files.items()]
    return "\n".join([HEAD, *places, "", *quality(), *speed(), *service()]).rstrip() + "\n"


if __name__ == "__main__":
    (ROOT / "docs" / "comparison.md").write_text(page(), encoding="utf-8")
