# SPDX-License-Identifier: MIT
"""The tables of bench/quality/RESULTS.md, from the records of all runs."""

import math
from collections.abc import Callable, Iterable
from functools import partial

import numpy as np
from cells import GRID_LIMITS, Cell
from measure import Record
from methods import METHODS

DEFAULT = "rpsd.denoise"
SMOOTHER = "statsmodels local level"
OURS = ("rpsd.denoise", "rpsd, kalman")

# Quoted, not measured in this run: mean MSE on the same signals, n = 1024, of EbayesThresh (Johnstone &
# Silverman, Ann. Statist. 33, 2005) in R: two from 40 seeds, one from the raw results of Xing, Carbonetto &
# Stephens, "Flexible signal denoising via flexible empirical Bayes shrinkage", JMLR 22 (2021), root-SNR 3.
QUOTED = {
    "EbayesThresh TI, Cauchy, median": {
        "blocks 3": 0.209,
        "bumps 3": 0.197,
        "heavisine 3": 0.051,
        "doppler 3": 0.094,
        "blocks 7": 0.207,
        "bumps 7": 0.237,
        "heavisine 7": 0.071,
        "doppler 7": 0.104,
    },
    "EbayesThresh DWT, Laplace, median": {
        "blocks 3": 0.280,
        "bumps 3": 0.296,
        "heavisine 3": 0.061,
        "doppler 3": 0.126,
        "blocks 7": 0.325,
        "bumps 7": 0.358,
        "heavisine 7": 0.096,
        "doppler 7": 0.163,
    },
    "EbayesThresh TI, Laplace, mean (Xing et al. 2021)": {
        "blocks 3": 0.2084,
        "bumps 3": 0.2185,
        "doppler 3": 0.0952,
    },
}

Records = dict[tuple[str, str], list[Record]]


def grouped(records: Iterable[Record]) -> Records:
    """Return the records of each pair of cell and method, by seed."""
    groups: Records = {}
    for record in sorted(records, key=lambda record: record.seed):
        groups.setdefault((record.cell, record.method), []).append(record)
    return groups


def mean_error(values: Iterable[float], digits: int = 2) -> str:
    """Format a mean and its standard error; the mean alone of a single value."""
    x = np.array(list(values))
    if len(x) == 0 or np.isnan(x).all():
        return ""
    mean = f"{x.mean():.{digits}f}"
    return f"{mean} ± {x.std(ddof=1) / math.sqrt(len(x)):.{digits}f}" if len(x) > 1 else mean


def table(head: list[str], rows: list[list[str]]) -> list[str]:
    """Return a Markdown table."""
    lines = ["| " + " | ".join(head) + " |", "| --- |" + " ---: |" * (len(head) - 1)]
    return [*lines, *("| " + " | ".join(row) + " |" for row in rows), ""]


def methods_in(cells: list[Cell], records: Records) -> list[str]:
    """Return the methods that ran in any of the cells, in the order of the one table."""
    ran = {method for cell, method in records if cell in {cell.name for cell in cells}}
    return [method.name for method in METHODS if method.name in ran]


def by_method(
    cells: list[Cell],
    records: Records,
    extra: dict[str, Callable[[Cell], str]],
    show: Callable[[list[Record]], str],
) -> list[str]:
    """Return a row a cell: the extra columns, then one a method."""
    methods = methods_in(cells, records)
    rows = []
    for cell in cells:
        found = [records.get((cell.name, method), []) for method in methods]
        rows.append([cell.name, *(f(cell) for f in extra.values()), *(show(f) if f else "" for f in found)])
    return table(["cell", *extra, *methods], rows)


def offline(cells: list[Cell], records: Records) -> list[str]:
    """Gain of every method in every cell of prices."""
    return by_method(
        cells,
        records,
        {
            "closed form": lambda cell: f"{cell.closed_form:.2f}" if cell.kind == "a" else "",
            "limit on a grid": lambda cell: (
                f"{GRID_LIMITS[cell.name]:.2f}" if cell.name in GRID_LIMITS else ""
            ),
        },
        lambda found: mean_error(record.gain_db for record in found),
    )


def harm(cells: list[Cell], records: Records) -> list[str]:
    """Share unchanged, mean and worst gain where there is next to nothing to gain."""

    def show(found: list[Record]) -> str:
        gains = [record.gain_db for record in found]
        return f"{mean_error(gains, 3)}, worst {min(gains):.2f}, {share(found)}"

    return by_method(cells, records, {"random walk's limit": lambda cell: f"{cell.closed_form:.3f}"}, show)


def walk(cells: list[Cell], records: Records) -> list[str]:
    """Share of noise-free series that come back unchanged, and the largest change of the others."""

    def show(found: list[Record]) -> str:
        return f"{share(found)}, worst {max(record.moved for record in found):.2f}"

    return by_method(cells, records, {}, show)


def share(found: list[Record]) -> str:
    """Format the share of series that came back unchanged."""
    return f"{100 * np.mean([record.unchanged for record in found]):.0f} %"


def short(cells: list[Cell], records: Records) -> list[str]:
    """Gain in short series, and how far each of our methods is from the smoother on the same seeds."""
    lines = by_method(
        cells,
        records,
        {"closed form": lambda cell: f"{cell.closed_form:.2f}"},
        lambda found: f"{mean_error(record.gain_db for record in found)}, {share(found)}",
    )
    rows = []
    for cell in cells:
        theirs = {record.seed: record.gain_db for record in records.get((cell.name, SMOOTHER), [])}
        ours = [records.get((cell.name, method), []) for method in OURS]
        differences = [[r.gain_db - theirs[r.seed] for r in found if r.seed in theirs] for found in ours]
        rows.append([cell.name, *map(mean_error, differences)])
    return [*lines, f"Gain less that of {SMOOTHER}, same seeds:", "", *table(["cell", *OURS], rows)]


def calibration(cells: list[Cell], records: Records) -> list[str]:
    """Predicted against real gain of the default, over the series that it denoised."""
    rows = []
    for cell in cells:
        found = records.get((cell.name, DEFAULT), [])
        told = [r for r in found if r.action != "passthrough" and math.isfinite(r.predicted_db)]
        if not told:
            continue
        rows.append(
            [
                cell.name,
                f"{len(told)} of {len(found)}",
                mean_error(r.predicted_db for r in told),
                mean_error(r.seen_gain_db for r in told),
                mean_error((r.predicted_db - r.seen_gain_db for r in told), 3),
                f"{100 * np.mean([r.seen_gain_db > 0 for r in told]):.0f} %",
            ]
        )
    return table(["cell", "denoised", "predicted", "real", "predicted - real", "real > 0"], rows)


def curve(cells: list[Cell], records: Records) -> list[str]:
    """Mean squared error on the test signals, beside quoted figures."""
    quoted = {f"quoted: {name}": partial(quote, values) for name, values in QUOTED.items()}
    return by_method(cells, records, quoted, lambda found: mean_error((record.mse for record in found), 3))


def quote(values: dict[str, float], cell: Cell) -> str:
    """Format the figure quoted for a cell, if there is one."""
    return f"{values[cell.name]:.3f}" if cell.name in values else ""
