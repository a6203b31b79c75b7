# SPDX-License-Identifier: MIT
"""Files in and out beside the readers and writers alone: python bench/files.py [-o RESULTS.md].

Task H: a CSV of timestamp and price, 1e6 rows, by `rpsd denoise`. And 5,000 symbols of 390 bars in one
Parquet file (symbol, timestamp, price, volume), all of its series by `denoise_file`, and by `rpsd batch`.
Each is a process of its own, start included, as a user runs it; the best of some runs, which take turns, and
its processor time.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq
from machine import commit, processor

import rpsd

ROWS = 1_000_000
SYMBOLS, BARS = 5000, 390
SEED = {
    "RPSD_WAVELET": "db4",
    "RPSD_LEVEL": "4",
    "RPSD_THRESHOLD_MODE": "bayes",
    "RPSD_NOISE": "mad",
    "RPSD_USE_FIR_FILTER": "true",
    "RPSD_FIR_CUTOFF": "0.1",
}

CSV_PEERS = {
    "pyarrow": "import pyarrow.csv as c; c.write_csv(c.read_csv(sys.argv[1]), sys.argv[2])",
    "polars": "import polars as p; p.read_csv(sys.argv[1], try_parse_dates=True).write_csv(sys.argv[2])",
    "pandas": "import pandas as p; p.read_csv(sys.argv[1], parse_dates=[0]).to_csv(sys.argv[2], index=False)",
}
PARQUET_PEERS = {
    "pyarrow": "import pyarrow.parquet as q; q.write_table(q.read_table(sys.argv[1]), sys.argv[2])",
    "polars": "import polars as p; p.read_parquet(sys.argv[1])"
    ".write_parquet(sys.argv[2], compression='snappy')",
    "pandas": "import pandas as p; p.read_parquet(sys.argv[1]).to_parquet(sys.argv[2])",
}
ALL_SERIES = """
from rpsd import load_config
from rpsd.batch._file import denoise_file
from rpsd.batch._outcome import Columns
columns = Columns(by="symbol", time="timestamp", values=("price",))
outcomes = denoise_file(sys.argv[1], sys.argv[2], columns, load_config(), name=sys.argv[1],
                        threads=int(sys.argv[3]), metadata=lambda outcomes: {})
assert all(outcome.action != "failed" for outcome in outcomes)
"""


def make_csv(path: Path) -> None:
    """Write seconds and prices on ticks of a hundredth of a cent."""
    noisy = rpsd.simulate("a", ROWS, seed=1, nsr=1.0, step_sd=0.01).noisy
    stamps = np.datetime64("2025-01-01T00:00:00", "s") + np.arange(ROWS)
    table = pa.table({"timestamp": stamps, "price": np.round(100 + noisy, 4)})
    pacsv.write_csv(table, path, pacsv.WriteOptions(quoting_style="none"))


def make_parquet(path: Path) -> None:
    """Write a day of minute bars of many symbols."""
    prices = [100 + rpsd.simulate("a", BARS, seed=seed, nsr=1.0).noisy for seed in range(SYMBOLS)]
    minutes = np.datetime64("2025-01-02T14:30", "us") + np.arange(BARS) * np.timedelta64(60, "s")
    table = pa.table(
        {
            "symbol": np.repeat([f"S{k:04d}" for k in range(SYMBOLS)], BARS),
            "timestamp": pa.array(np.tile(minutes, SYMBOLS), pa.timestamp("us", tz="UTC")),
            "price": np.concatenate(prices),
            "volume": np.random.default_rng(0).integers(1, 10_000, SYMBOLS * BARS),
        }
    )
    pq.write_table(table, path)


def timed(command: list[str], environment: dict[str, str]) -> tuple[float, float]:
    """Return the wall and processor time of a process."""
    before, start = os.times(), time.perf_counter()
    subprocess.run(command, env=os.environ | environment, check=True)
    wall, after = time.perf_counter() - start, os.times()
    used = after.children_user + after.children_system - before.children_user - before.children_system
    return wall, used


def measure(
    commands: dict[str, tuple[list[str], dict[str, str]]], rounds: int
) -> dict[str, tuple[float, float]]:
    """Return the best wall time of each command, and its processor time; the commands take turns."""
    best: dict[str, tuple[float, float]] = {}
    for _ in range(rounds):
        for who, (command, environment) in commands.items():
            best[who] = min(best.get(who, (np.inf, np.inf)), timed(command, environment))
    return best


def table(title: str, best: dict[str, tuple[float, float]]) -> list[str]:
    """Return a table of times and their ratios to pyarrow's."""
    peer = best["pyarrow"]
    lines = [f"## {title}", "", "| who | s | of pyarrow | processor s | of pyarrow |"]
    lines.append("| --- | ---: | ---: | ---: | ---: |")
    for who, (wall, used) in best.items():
        lines.append(f"| {who} | {wall:.2f} | {wall / peer[0]:.2f} | {used:.2f} | {used / peer[1]:.2f} |")
    return [*lines, ""]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("-o", "--output", type=Path)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    python = [sys.executable, "-c"]
    with tempfile.TemporaryDirectory() as folder:
        one, many = Path(folder) / "one.csv", Path(folder) / "many.parquet"
        make_csv(one)
        make_parquet(many)
        csv = [str(one), str(Path(folder) / "out.csv")]
        parquet = [str(many), str(Path(folder) / "out.parquet")]
        denoise = [sys.executable, "-m", "rpsd.cli", "denoise", csv[0], "-o", csv[1]]
        quiet = ["--log-level", "WARNING"]
        text = {who: ([*python, f"import sys; {code}", *csv], {}) for who, code in CSV_PEERS.items()}
        text |= {
            "rpsd denoise": (denoise, {"RPSD_LOG_LEVEL": "INFO"}),
            "rpsd denoise, seed's chain": (denoise, SEED),
            "rpsd denoise, no report asked for": ([*denoise, *quiet], {}),
            "rpsd denoise, seed's chain, no report asked for": ([*denoise, *quiet], SEED),
        }
        tables = {
            who: ([*python, f"import sys; {code}", *parquet], {}) for who, code in PARQUET_PEERS.items()
        }
        for threads in (1, 2):
            command = [*python, f"import sys{ALL_SERIES}", *parquet, str(threads)]
            tables[f"rpsd, {threads} thread(s)"] = command, {}
            tables[f"rpsd, seed's chain, {threads} thread(s)"] = command, SEED
        whole = [sys.executable, "-m", "rpsd.cli", "batch", parquet[0], "-o", str(Path(folder) / "batch")]
        whole += ["--by", "symbol", "--cache-size", "0"]
        tables |= {"rpsd batch": (whole, {}), "rpsd batch, seed's chain": (whole, SEED)}
        lines = [
            *table(f"H {ROWS:,} rows of CSV", measure(text, arguments.rounds)),
            *table(
                f"{SYMBOLS:,} series of {BARS} bars in one Parquet file", measure(tables, arguments.rounds)
            ),
        ]
    head = ["# Files beside their readers and writers", "", f"- {processor()}, rpsd at {commit()}", ""]
    text_out = "\n".join([*head, *lines])
    print(text_out)
    if arguments.output:
        arguments.output.write_text(text_out, encoding="utf-8")


if __name__ == "__main__":
    main()
