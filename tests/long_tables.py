# SPDX-License-Identifier: MIT
"""Long tables for the tests of files: many series in one table, and what reads and writes each format."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import feather

import rpsd
from rpsd import Config, Guardrails, Options
from rpsd._config import Performance
from rpsd.batch._file import denoise_file
from rpsd.batch._outcome import Columns

START = np.datetime64("2025-01-02T14:30", "us")
GOOD = [f"GOOD,2025-01-02T14:{m:02d}:00,{100 + m}" for m in range(5)]


def long_table(series=9, n=390, order="symbol"):
    """Return symbol, timestamp, price and volume of series of several lengths, sorted by `order`."""
    rng = np.random.default_rng(series)
    parts = []
    for k in range(series):
        length = n if k % 3 else n - 7 * k
        prices = 100 + rpsd.simulate("a", length, seed=k, nsr=1.0).noisy
        prices[rng.random(length) < 0.01] = np.nan
        parts.append(
            pd.DataFrame(
                {
                    "symbol": f"S{k:03d}",
                    "timestamp": (START + np.arange(length) * np.timedelta64(60, "s")),
                    "price": prices,
                    "volume": rng.integers(1, 1000, length),
                }
            )
        )
    table = pd.concat(parts, ignore_index=True)
    return table.sort_values(order, kind="stable", ignore_index=True)


def write(frame, path, **options):
    """Write a frame in the format of the name."""
    kind = path.name.split(".", 1)[1]
    if kind.startswith("csv"):
        frame.to_csv(path, index=False, date_format="%Y-%m-%dT%H:%M:%S", **options)
    elif kind == "parquet":
        pq.write_table(pa.Table.from_pandas(frame, preserve_index=False), path, **options)
    elif kind == "feather":
        feather.write_feather(pa.Table.from_pandas(frame, preserve_index=False), path, **options)
    else:
        table = pa.Table.from_pandas(frame, preserve_index=False)
        make = pa.ipc.new_stream if kind == "ipc" else pa.ipc.new_file
        with make(path, table.schema) as writer:
            writer.write_table(table, **(options or {"max_chunksize": 1000}))


def read(path):
    """Read a file of any of the formats."""
    kind = path.name.split(".", 1)[1]
    if kind.startswith("csv"):
        return pd.read_csv(path, keep_default_na=True)
    if kind == "parquet":
        return pq.read_table(path).to_pandas()
    if kind == "ipc":
        return pa.ipc.open_stream(path).read_all().to_pandas()
    return pa.ipc.open_file(path).read_all().to_pandas()


def run(path, target, *, threads=1, guardrails=None, options=None, metadata=None, chunk_size=1000, **columns):
    """Denoise a file; return the outcomes."""
    config = Config(
        denoiser=Options(**(options or {})),
        guardrails=guardrails or Guardrails(),
        performance=Performance(chunk_size=chunk_size),
    )
    return denoise_file(
        str(path),
        str(target),
        Columns(**columns),
        config,
        name=path.name,
        threads=threads,
        metadata=metadata or (lambda outcomes: {"series": len(outcomes)}),
    )


def each_alone(frame, by="symbol", **options):
    """Return the prices with each series denoised by itself, in a loop: the oracle."""
    out = frame["price"].to_numpy(copy=True)
    for rows in frame.groupby(by, sort=False).indices.values():
        out[rows] = rpsd.denoise(frame["price"].to_numpy()[rows], **options)
    return out


def lines(*rows):
    """Return a CSV file of symbol, timestamp and price."""
    return "symbol,timestamp,price\n" + "\n".join(rows) + "\n"
