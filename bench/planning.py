# SPDX-License-Identifier: MIT
"""Measure what a unit of a batch costs and plan a million series with it; writes docs/planning.md.

python bench/planning.py [--price DOLLARS] [--store GB/S] [--bars N] [--costs FILE]
"""

import argparse
import json
import multiprocessing
import platform
import resource
import tempfile
import time
from importlib.metadata import version
from pathlib import Path

import numpy as np
from machine import commit, processor
from schedule import GIGA, Cluster, simulate

PAGE = Path(__file__).parent.parent / "docs" / "planning.md"
PICTURE = PAGE.parent / "images" / "schedule.png"
SERIES = 1_000_000
CORES = (32, 320, 3200)
PER_UNIT = (4, 16, 64, 256, 1024)
# Of files: log-normal, mean 1.
SPREAD = 0.6
METHODS = {
    "auto": {},
    "the seed's chain": {
        "method": "wavelet",
        "wavelet": "db4",
        "level": 4,
        "threshold_mode": "bayes",
        "noise": "mad",
        "use_fir_filter": True,
        "fir_cutoff": 0.1,
    },
}


def make_file(path, series, bars):
    """Write a long table of minute bars, one row group a series."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    import rpsd

    times = np.arange(bars).astype("datetime64[m]").astype("datetime64[us]")
    writer = None
    for i in range(series):
        prices = 100 + rpsd.simulate("a", bars, seed=i, nsr=1.0, step_sd=0.02).noisy.round(4)
        rows = pa.table({"symbol": pa.array([f"S{i:04}"] * bars), "time": times, "price": prices})
        writer = writer or pq.ParquetWriter(path, rows.schema)
        writer.write_table(rows)
    writer.close()


def unit_costs(path, options, queue):
    """Run the unit of a file in this process; tell processor seconds and the most memory."""
    from rpsd import Config, Options
    from rpsd.batch import Columns, plan, run_unit

    with tempfile.TemporaryDirectory() as out:
        config = Config(denoiser=Options(**options))
        (unit,) = plan([path], Path(out) / "out", columns=Columns(by="symbol"), config=config)
        unit["cache"] = None
        begun = processor_time()
        record = run_unit(unit)
        assert all(one["action"] != "failed" for one in record["series"]), record["series"][0]
        queue.put(
            {
                "seconds": processor_time() - begun,
                "start": begun,
                "memory": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
                "written": (Path(out) / "out" / Path(path).name).stat().st_size,
            }
        )


def parquet_costs(path, _, queue):
    """Read a file and write it again with the same library, no more."""
    import pyarrow.parquet as pq

    with tempfile.TemporaryDirectory() as out:
        begun = processor_time()
        pq.write_table(pq.read_table(path), Path(out) / "same.parquet")
        queue.put({"seconds": processor_time() - begun})


def processor_time():
    """Return user and system seconds of this process: other work on the machine takes none of them."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def in_its_own_process(what, path, options, repeats):
    """Return the least of each number of some runs."""
    context = multiprocessing.get_context("spawn")
    runs = []
    for _ in range(repeats):
        queue = context.SimpleQueue()
        process = context.Process(target=what, args=(path, options, queue))
        process.start()
        runs.append(queue.get())
        process.join()
    return {key: min(run[key] for run in runs) for key in runs[0]}


def measure(bars):
    """Return what a series, a unit and a worker cost by method."""
    sizes = (1, 4, 16)
    with tempfile.TemporaryDirectory() as folder:
        paths = [str(Path(folder) / f"{series}.parquet") for series in sizes]
        for path, series in zip(paths, sizes, strict=True):
            make_file(path, series, bars)
        costs = {"read": Path(paths[1]).stat().st_size / sizes[1], "methods": {}}
        same = in_its_own_process(parquet_costs, paths[1], {}, 3)
        costs["parquet"] = same["seconds"] / sizes[1]
        for name, options in METHODS.items():
            one, four, many = (
                in_its_own_process(unit_costs, path, options, repeats)
                for path, repeats in zip(paths, (3, 3, 2), strict=True)
            )
            series = (many["seconds"] - four["seconds"]) / (sizes[2] - sizes[1])
            costs["methods"][name] = {
                "series": series,
                "unit": max(0.0, one["seconds"] - series),
                "start": one["start"],
                "memory": many["memory"],
                "written": four["written"] / sizes[1],
            }
    costs |= {
        "bars": bars,
        "when": time.strftime("%Y-%m-%d"),
        "machine": processor(),
        "commit": commit(),
        "versions": {name: version(name) for name in ("numpy", "pyarrow")}
        | {"Python": platform.python_version()},
    }
    return costs


def units_of(costs, name, per_unit, *, seed=0):
    """Return core seconds, bytes in and bytes out of each unit, the largest first as in `rpsd batch`."""
    cost = costs["methods"][name]
    count = -(-SERIES // per_unit)
    rng = np.random.default_rng(seed)
    size = np.sort(rng.lognormal(-(SPREAD**2) / 2, SPREAD, count))[::-1]
    series = size / size.sum() * SERIES
    return series * cost["series"] + cost["unit"], series * costs["read"], series * cost["written"]


def cost_rows(costs):
    """Yield the table of unit costs."""
    bars = costs["bars"]
    yield "| | " + " | ".join(METHODS) + " |"
    yield "|---|" + "---:|" * len(METHODS)
    methods = [costs["methods"][name] for name in METHODS]

    def row(what, values):
        return f"| {what} | " + " | ".join(values) + " |"

    yield row("a sample, us", [f"{cost['series'] / bars * 1e6:.2f}" for cost in methods])
    yield row(
        "of that reading and writing the same Parquet with pyarrow",
        [f"{costs['parquet'] / bars * 1e6:.2f}"] * len(methods),
    )
    yield row(f"a series of {bars:,} bars, s", [f"{cost['series']:.2f}" for cost in methods])
    yield row("a unit, whatever is in it, s", [f"{cost['unit']:.2f}" for cost in methods])
    start = min(cost["start"] for cost in methods)
    yield row("a worker until its first unit, s", [f"{start:.1f}"] * len(methods))
    yield row(
        "most memory of a worker, unit of 16 series, MB", [f"{cost['memory'] / 1e6:,.0f}" for cost in methods]
    )
    yield row("Parquet read a series, MB", [f"{costs['read'] / 1e6:.1f}"] * len(methods))
    yield row("Parquet written a series, MB", [f"{cost['written'] / 1e6:.1f}" for cost in methods])
    yield row(
        "a core reads and writes, MB/s",
        [f"{(costs['read'] + cost['written']) / cost['series'] / 1e6:.1f}" for cost in methods],
    )


def plan_rows(costs, price):
    """Yield what the whole takes if no core ever waits."""
    yield "| method | core hours | dollars | cores | hours | GB/s in and out | memory of the workers, GB |"
    yield "|---|---:|---:|---:|---:|---:|---:|"
    for name in METHODS:
        cost = costs["methods"][name]
        hours = SERIES * (cost["series"] + cost["unit"] / 64) / 3600
        for cores in CORES:
            flow = SERIES * (costs["read"] + cost["written"]) / (hours / cores * 3600) / GIGA
            memory = cores * cost["memory"] / GIGA
            yield (
                f"| {name} | {hours:,.0f} | {hours * price:,.0f} | {cores:,} | {hours / cores:,.2f} | "
                f"{flow:.2f} | {memory:,.0f} |"
            )


def schedule_rows(costs, price, store, curves):
    """Yield what the simulation makes of it; keep curves for the picture."""
    yield (
        "| cores | series a unit | units | hours | utilisation | waits for the store | lost and done again | "
        "dollars |"
    )
    yield "|---:|---:|---:|---:|---:|---:|---:|---:|"
    for cores in CORES:
        for per_unit in PER_UNIT:
            units = units_of(costs, "auto", per_unit)
            out = simulate(Cluster(cores=cores, store=store * GIGA), *units)
            curves[cores, per_unit] = out
            whole = cores * out.makespan
            yield (
                f"| {cores:,} | {per_unit:,} | {len(units[0]):,} | {out.makespan / 3600:,.2f} | "
                f"{out.utilisation(cores):.0%} | {out.moved / whole:.1%} | {out.lost / whole:.1%} | "
                f"{whole / 3600 * price:,.0f} |"
            )


def effect_rows(costs, store, cores=320, per_unit=64):
    """Yield what each trouble alone does to the makespan."""
    yield "| 320 cores, 64 series a unit, auto | hours | utilisation |"
    yield "|---|---:|---:|"
    none = {"slow": 0.0, "losses": 0.0, "dispatch": 0.0, "start": 0.0}
    ideal = {"store": 1e18, "link": 1e18, **none}
    given = {"store": store * GIGA}
    shuffled = np.random.default_rng(1)
    for what, cluster, order in (
        ("no trouble at all", ideal, None),
        ("as assumed", given, None),
        ("units in any order, not the largest first", given, shuffled),
        ("no slow cores", given | {"slow": 0.0}, None),
        ("no losses", given | {"losses": 0.0}, None),
        ("each core lost once an hour", given | {"losses": 24.0}, None),
        ("an object store of 1 GB/s", {"store": GIGA}, None),
    ):
        units = units_of(costs, "auto", per_unit)
        if order is not None:
            places = order.permutation(len(units[0]))
            units = [one[places] for one in units]
        out = simulate(Cluster(cores=cores, **cluster), *units)
        yield f"| {what} | {out.makespan / 3600:,.2f} | {out.utilisation(cores):.0%} |"


def draw(curves, path, cores=320):
    """Draw how many cores are at work over time, by series a unit."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(figsize=(8, 3.2), layout="constrained")
    for per_unit, colour in zip((16, 256, 1024), ("#1f5f8b", "#1b7f3b", "#b3261e"), strict=True):
        times, busy = np.array(curves[cores, per_unit].curve).T
        places = np.linspace(0, times[-1], 1200)
        at = np.maximum(np.searchsorted(times, places, side="right") - 1, 0)
        axes.step(places / 3600, busy[at], color=colour, label=f"{per_unit:,} series a unit", linewidth=1.2)
    axes.set(
        xlabel="hours", ylabel="cores at work", title=f"{cores} cores, {SERIES:,} series", ylim=(0, None)
    )
    axes.legend(frameon=False, loc="lower left")
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=110, metadata={"Software": None})


def replace(text, name, lines):
    """Put lines between the marks of that name."""
    before, rest = text.split(f"<!-- {name} -->")
    return (
        f"{before}<!-- {name} -->\n"
        + "\n".join(lines)
        + f"\n<!-- /{name} -->"
        + rest.split(f"<!-- /{name} -->")[1]
    )


def main():
    """Measure or read costs, simulate, write the page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--price", type=float, default=0.04, help="dollars a core hour (assumed)")
    parser.add_argument("--store", type=float, default=20.0, help="GB/s of the object store (assumed)")
    parser.add_argument("--bars", type=int, default=491_400, help="bars a series")
    parser.add_argument("--costs", type=Path, help="JSON of an earlier measurement; made if it is not there")
    asked = parser.parse_args()
    if asked.costs is not None and asked.costs.exists():
        costs = json.loads(asked.costs.read_text())
    else:
        costs = measure(asked.bars)
        if asked.costs is not None:
            asked.costs.write_text(json.dumps(costs, indent=1))
    versions = ", ".join(f"{name} {number}" for name, number in costs["versions"].items())
    where = f"Measured on {costs['when']}: {costs['machine']}, {versions}, commit {costs['commit']}."
    assumed = f"Assumed: {asked.price} dollars a core hour, {asked.store:g} GB/s of the object store."
    curves = {}
    text = PAGE.read_text(encoding="utf-8")
    text = replace(text, "costs", [where, "", *cost_rows(costs)])
    text = replace(text, "plan", [assumed, "", *plan_rows(costs, asked.price)])
    text = replace(text, "schedule", list(schedule_rows(costs, asked.price, asked.store, curves)))
    text = replace(text, "effects", list(effect_rows(costs, asked.store)))
    draw(curves, PICTURE)
    PAGE.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
