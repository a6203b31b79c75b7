# SPDX-License-Identifier: MIT
"""Run the benchmarks beside their peers; write RESULTS.md and the README table: python bench/run.py."""

import itertools
import json
import os
import platform
import subprocess
import sys
import tempfile
from collections import defaultdict
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from machine import commit, processor

import rpsd

HERE = Path(__file__).parent
README_GROUPS = (
    "default, cell",
    "local level fitted and smoothed",
    "F causal",
    "A denoise, db4 L4 BayesShrink, n = 1,741",
    "A denoise, db4 L4 BayesShrink, n = 10,000",
    "A denoise, db4 L4 BayesShrink, n = 1,000,000",
    "B denoise",
    "C translation-invariant denoise, db4 L4, n = 1,048,576",
    "D centred FIR, 101 taps, n = 1,000,000",
    "D causal FIR, 101 taps, n = 1,000,000",
    "D zero-phase FIR, 101 taps, n = 1,000,000",
    "E exact median of absolute values, n = 1,000,000",
    "G guardrails, n = 100,000",
    "wavedec + waverec, db4 L4, n = 10,000",
)
#: Ends the names of rows of the process whose malloc keeps its memory.
KEPT = ", malloc kept"
PACKAGES = ("numpy", "scipy", "PyWavelets", "scikit-image", "pytest-benchmark")


def measure(arguments: list[str], **variables: str) -> list[dict]:
    """Run pytest-benchmark on this folder, with these environment variables, and return its records."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        command = [sys.executable, "-m", "pytest", str(HERE), "-q", "-p", "no:cacheprovider"]
        command += ["-c", str(HERE / "pytest.ini"), f"--benchmark-json={report}", *arguments]
        subprocess.run(command, check=True, env=os.environ | variables)
        return json.loads(report.read_text())["benchmarks"]


def measure_kept_memory(records: list[dict]) -> list[dict]:
    """Measure PyWavelets again with a malloc that keeps its memory, and our first row in the same process."""
    first: dict[str, str] = {}
    for record in records:
        if record["group"].startswith(("A ", "B ", "C ", "wavedec")):
            first.setdefault(record["group"], record["extra_info"]["who"])
    kept = measure(
        ["-k", "(PyWavelets or rpsd) and (series or transform or batch or denoise)"],
        MALLOC_MMAP_THRESHOLD_=str(2**32),
        MALLOC_TRIM_THRESHOLD_=str(2**40),
        MALLOC_TOP_PAD_=str(2**28),
    )
    chosen = []
    for record in kept:
        who, ours = record["extra_info"]["who"], first.get(record["group"])
        if ours is not None and (who == ours or who.startswith("PyWavelets")):
            record["extra_info"]["who"] = f"{who}{KEPT}"
            chosen.append(record)
    return chosen


def base_of(row: dict, rows: list[dict]) -> dict:
    """Return our first row of the process that a row is of: a processor is not as fast ten minutes later."""
    kept = row["extra_info"]["who"].endswith(KEPT)
    names = [(one, one["extra_info"]["who"]) for one in rows]
    return next((one for one, who in names if who.startswith("rpsd") and who.endswith(KEPT) == kept), rows[0])


def measure_ipp() -> list[dict]:
    """Build and run bench/ipp where Intel IPP is installed (pip install ipp-static ipp-include)."""
    try:
        version("ipp-static"), version("ipp-include")
    except PackageNotFoundError:
        return []
    with tempfile.TemporaryDirectory() as folder:
        configure = ["cmake", "-S", str(HERE / "ipp"), "-B", folder, f"-DIPP_ROOT={sys.prefix}"]
        subprocess.run(configure, check=True)
        subprocess.run(["cmake", "--build", folder, "--parallel", str(os.cpu_count())], check=True)
        programs = [str(Path(folder) / name) for name in ("bench_ipp_denoise", "bench_ipp")]
        rows = [json.loads(subprocess.check_output([program])) for program in programs]
    return [
        {
            "group": f"{row['group']}, n = {row['samples']:,}",
            "extra_info": {"who": row["who"], "samples": row["samples"]},
            "stats": {"median": row["ns"] * 1e-9 * row["samples"]},
        }
        for row in itertools.chain(*rows)
    ]


def table(records: list[dict]) -> list[str]:
    """One table a group: medians, and how many times longer each takes than our first row."""
    groups = defaultdict(list)
    for record in records:
        groups[record["group"]].append(record)
    lines = []
    for group, rows in groups.items():
        lines += [f"## {group}", "", "| who | median | ns a sample | ratio to our first row |"]
        lines.append("| --- | ---: | ---: | ---: |")
        for row in rows:
            median, samples = row["stats"]["median"], row["extra_info"]["samples"]
            per_sample = f"{median / samples * 1e9:.2f}" if samples else ""
            who, ours = row["extra_info"]["who"], base_of(row, rows)["stats"]["median"]
            lines.append(f"| {who} | {duration(median)} | {per_sample} | {median / ours:.2f} |")
        lines.append("")
    return lines


def overview(records: list[dict]) -> list[str]:
    """The README's table: of some groups, our first row and the fastest peer."""
    lines = [
        "| task | rpsd, ns a sample | fastest peer, ns a sample | times faster |",
        "| --- | ---: | ---: | ---: |",
    ]
    groups = defaultdict(list)
    for record in records:
        if record["group"].startswith(README_GROUPS):
            groups[record["group"]].append(record)
    for group, rows in groups.items():
        peers = [row for row in rows if not row["extra_info"]["who"].startswith("rpsd")]
        peer = min(peers, key=lambda row: row["stats"]["median"] / base_of(row, rows)["stats"]["median"])
        ours, theirs = (
            row["stats"]["median"] / row["extra_info"]["samples"] * 1e9 for row in (base_of(peer, rows), peer)
        )
        who = peer["extra_info"]["who"]
        lines.append(f"| {group} | {ours:.1f} | {who} {theirs:.1f} | {theirs / ours:.1f} |")
    return lines


def duration(seconds: float) -> str:
    """Format a time with three digits and its unit."""
    for unit, scale in (("s", 1.0), ("ms", 1e3), ("us", 1e6)):
        if seconds * scale >= 1:
            return f"{seconds * scale:.3g} {unit}"
    return f"{seconds * 1e9:.3g} ns"


def main() -> None:
    """Measure and write."""
    if {"-h", "--help"} & set(sys.argv):
        print(__doc__)
        return
    records = measure(sys.argv[1:])
    records += measure_kept_memory(records) + measure_ipp()
    info = rpsd.build_info()
    versions = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    lines = [
        "# Benchmark results",
        "",
        "Written by `python bench/run.py`: medians; the rows of a table were measured one after the other,",
        f'those that end in "{KEPT[2:]}" in a later process, to whose own row of rpsd their ratios are.',
        "Times vary with the machine and what else it does: read the ratios.",
        "",
        f"- Machine: {processor()}, {platform.system()} {platform.machine()}",
        f"- rpsd {info['version']} at {commit()}, {info['compiler']}, instruction set {info['isa']}",
        f"- Python {info['python']}, {versions}",
        "",
        *table(records),
    ]
    (HERE / "RESULTS.md").write_text("\n".join(lines), encoding="utf-8")
    readme = HERE.parent / "README.md"
    before, rest = readme.read_text(encoding="utf-8").split("<!-- measured -->")
    after = rest.split("<!-- /measured -->")[1]
    table_here = "\n".join(["<!-- measured -->", *overview(records), "<!-- /measured -->"])
    readme.write_text(before + table_here + after, encoding="utf-8")


if __name__ == "__main__":
    main()
