# SPDX-License-Identifier: MIT
"""Measure the quality of denoising on series whose truth is known; write bench/quality/RESULTS.md.

python bench/quality/run.py                          every cell; writes RESULTS.md
python bench/quality/run.py --seeds 4                the same from few seeds
python bench/quality/run.py --cells a1 b3 "a0.1 *"   some cells (patterns of the shell), printed only
"""

import argparse
import os
import platform
import sys
from concurrent.futures import ProcessPoolExecutor
from fnmatch import fnmatch
from importlib.metadata import version
from pathlib import Path

# Each process takes one core: set before NumPy is loaded.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
sys.path.append(str(Path(__file__).resolve().parents[1]))

import tables
from cells import Cell, every_cell
from machine import commit, processor
from measure import Record, measure
from methods import METHODS, SLOW

import rpsd

HERE = Path(__file__).parent
SEEDS = {"offline": 32, "harm": 100, "walk": 200, "short": 100, "curve": 40}
PACKAGES = ("numpy", "scipy", "PyWavelets", "scikit-image", "statsmodels")

SECTIONS = {
    "offline": (
        "Offline",
        "Gain in dB, mean over the seeds ± its standard error. Closed form: 5 log10(1 + 4 NSR²), a random "
        "walk under noise. Limit on a grid: quoted, what a point-mass smoother that knows every parameter "
        "reached (32 seeds, n = 2048). True parameters: the exact smoother that knows them, on these seeds.",
        tables.offline,
    ),
    "harm": (
        "Near-clean prices",
        "Where there is next to nothing to gain: mean gain in dB ± its standard error, the worst seed, and "
        "the share of series that came back unchanged. t: a with Student-t(4) steps.",
        tables.harm,
    ),
    "walk": (
        "No noise",
        "Pure walks: the share that came back unchanged, and the largest change (RMS, in steps).",
        tables.walk,
    ),
    "short": (
        "Short series",
        "Gain in dB ± its standard error, and the share unchanged.",
        tables.short,
    ),
    "curve": (
        "Test signals",
        "Mean squared error under unit noise, at root-SNR 3 and 7, n = 1024; beside quoted figures of "
        "EbayesThresh (Johnstone & Silverman 2005) on the same signals, which are not of this run.",
        tables.curve,
    ),
}


def tasks(cells: list[Cell], seeds: int | None, refused: dict[str, str]) -> list[tuple[Cell, int, list[str]]]:
    """Return what is to be measured; every second seed goes without the slow method in long series."""
    out = []
    for cell in cells:
        able = [m for m in METHODS if m.name not in refused]
        names = [m.name for m in able if cell.group in m.groups and cell.name.startswith(m.cells)]
        for seed in range(seeds or SEEDS[cell.group]):
            skip = cell.group == "offline" and seed % 2 == 1
            out.append((cell, seed, [name for name in names if not (skip and name == SLOW)]))
    return out


def run(work: list[tuple[Cell, int, list[str]]], processes: int) -> list[Record]:
    """Measure in several processes, and say on stderr how far it is."""
    records: list[Record] = []
    with ProcessPoolExecutor(processes) as pool:
        for done, found in enumerate(pool.map(measure, *zip(*work, strict=True), chunksize=4), start=1):
            records += found
            if done % 100 == 0 or done == len(work):
                print(f"{done} of {len(work)} series", file=sys.stderr)
    return records


def report(cells: list[Cell], records: list[Record], refused: dict[str, str]) -> str:
    """Return the whole of RESULTS.md."""
    info = rpsd.build_info()
    versions = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    lines = [
        "# Quality of denoising",
        "",
        "Written by `python bench/quality/run.py`: [simulated series](../../docs/cells.md), known truth.",
        "Gain is 10 log10(MSE of the raw series / MSE of the output), of each series, in dB; missing samples",
        "are interpolated in both.",
        "",
        f"- Machine: {processor()}, {platform.system()} {platform.machine()}",
        f"- rpsd {info['version']} at {commit()}, {info['compiler']}, instruction set {info['isa']}",
        f"- Python {info['python']}, {versions}",
        *(f"- Left out, {name}: {reason}" for name, reason in refused.items()),
        "",
    ]
    groups = tables.grouped(records)
    for name, (title, text, make) in SECTIONS.items():
        chosen = [cell for cell in cells if cell.group == name]
        if chosen:
            lines += [f"## {title}", "", f"{text} {count(chosen, records)}", "", *make(chosen, groups)]
    prices = [cell for cell in cells if cell.group in {"offline", "harm", "short"}]
    rows = tables.calibration(prices, groups)
    if len(rows) > 3:
        text = (
            f"What `{tables.DEFAULT}` predicted and what came, in dB, over the series that it denoised, "
            "of the samples that are not missing."
        )
        lines += ["## Predicted gain", "", text, "", *rows]
    return "\n".join(lines)


def count(cells: list[Cell], records: list[Record]) -> str:
    """Say how many seeds each cell had, and the slow method among them."""
    names = {cell.name for cell in cells}
    seeds = {record.seed for record in records if record.cell in names}
    slow = {record.seed for record in records if record.cell in names and record.method == SLOW}
    fewer = f" ({len(slow)} for {SLOW})" if slow and len(slow) < len(seeds) else ""
    return f"{len(seeds)} seeds a cell{fewer}."


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, help=f"seeds a cell (default {SEEDS})")
    parser.add_argument("--cells", nargs="+", metavar="PATTERN", help="names of cells or of groups of cells")
    parser.add_argument("--processes", type=int, default=2, help="default 2")
    arguments = parser.parse_args()
    cells = every_cell()
    if arguments.cells:
        wanted = arguments.cells
        cells = [cell for cell in cells if any(fnmatch(cell.name, p) or cell.group == p for p in wanted)]
        if not cells:
            names = ", ".join([*SECTIONS, *(cell.name for cell in every_cell())])
            parser.error(f"no cell is named {' '.join(wanted)}; there are {names}")
    refused = {method.name: method.refusal() for method in METHODS if method.refusal()}
    text = report(cells, run(tasks(cells, arguments.seeds, refused), arguments.processes), refused)
    if arguments.cells:
        print(text)
    else:
        (HERE / "RESULTS.md").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
