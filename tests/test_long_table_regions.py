# SPDX-License-Identifier: MIT
"""Files larger than what may be held: read in regions, to the same bytes, in a bounded memory."""

import contextlib
import os
import subprocess
import sys

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq
import pytest
from long_tables import each_alone, long_table, read, run, write

import rpsd
from rpsd.batch import _file
from rpsd.batch.files import _csv_source

SUFFIXES = ("csv", "csv.gz", "csv.zst", "parquet", "arrow", "ipc", "feather")


def limit(monkeypatch, most_held):
    """Hold this many bytes at most, and read a few hundred rows at a time."""
    monkeypatch.setattr(_file, "MOST_HELD", most_held)
    monkeypatch.setattr(_file, "LEAST_ROWS", 1)
    monkeypatch.setattr(_csv_source, "_LEAST_BLOCK", 8000)


def outputs(tmp_path, monkeypatch, suffix, **more):
    """Return bytes and outcomes of in.<suffix>, read whole and with little and nothing held."""
    found = []
    for most_held in (None, 60_000, 1):
        with monkeypatch.context() as patch:
            if most_held is not None:
                limit(patch, most_held)
            target = tmp_path / f"out{most_held}.{suffix}"
            source = tmp_path / f"in.{suffix}"
            outcomes = run(source, target, by="symbol", values=("price",), chunk_size=1, **more)
        found.append((target.read_bytes() if target.exists() else None, repr(outcomes)))
    return found


@pytest.mark.parametrize("order", ["symbol", "timestamp"])
@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_large_file_gives_the_same_bytes_and_outcomes(tmp_path, monkeypatch, suffix, order):
    frame = long_table(series=12, order=order)
    frame.loc[frame["symbol"] == "S004", "volume"] = 7
    frame.loc[(frame["symbol"] == "S004").to_numpy().nonzero()[0][17], "price"] = np.inf  # fails
    options = {"row_group_size": 500} if suffix == "parquet" else {}
    write(frame, tmp_path / f"in.{suffix}", **options)
    whole, some, none = outputs(tmp_path, monkeypatch, suffix)
    assert whole == some
    assert whole == none
    expected = each_alone(frame[frame["symbol"] != "S004"].reset_index(drop=True))
    out = read(tmp_path / f"out1.{suffix}")
    np.testing.assert_array_equal(out["price"][frame["symbol"] != "S004"], expected)
    assert out["price"][frame["symbol"] == "S004"].isna().all()


def test_a_key_that_comes_back_late_is_one_series(tmp_path, monkeypatch):
    frame = long_table(series=12)
    late = frame[frame["symbol"] == "S001"].index[-100:]
    frame = pd.concat([frame.drop(late), frame.loc[late]], ignore_index=True)
    write(frame, tmp_path / "in.parquet", row_group_size=500)
    whole, some, none = outputs(tmp_path, monkeypatch, "parquet")
    assert whole == some == none
    np.testing.assert_array_equal(read(tmp_path / "out1.parquet")["price"], each_alone(frame))


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_only_some_keys_of_a_large_file(tmp_path, monkeypatch, suffix):
    frame = long_table(series=12, order="timestamp")
    write(frame, tmp_path / f"in.{suffix}", **({"row_group_size": 500} if suffix == "parquet" else {}))
    whole, some, none = outputs(tmp_path, monkeypatch, suffix, only=("S003", "S011"))
    assert whole == some == none
    wanted = frame[frame["symbol"].isin(["S003", "S011"])].reset_index(drop=True)
    np.testing.assert_array_equal(read(tmp_path / f"out1.{suffix}")["price"], each_alone(wanted))


def test_columns_are_series_of_a_large_file(tmp_path, monkeypatch):
    frame = long_table(series=1, n=4000)
    frame["mid"] = frame["price"] + 1
    for suffix in ("csv", "parquet"):
        write(frame, tmp_path / f"in.{suffix}")
        run(tmp_path / f"in.{suffix}", tmp_path / f"a.{suffix}", values=("price", "mid"))
        with monkeypatch.context() as patch:
            limit(patch, 1)
            run(tmp_path / f"in.{suffix}", tmp_path / f"b.{suffix}", values=("price", "mid"), chunk_size=1)
        assert (tmp_path / f"a.{suffix}").read_bytes() == (tmp_path / f"b.{suffix}").read_bytes()
        out = read(tmp_path / f"b.{suffix}")
        for name in ("price", "mid"):
            np.testing.assert_array_equal(out[name], rpsd.denoise(frame[name].to_numpy()))


@pytest.mark.parametrize("suffix", ["csv", "parquet", "arrow"])
def test_a_large_file_whose_times_repeat_is_taken_and_refused_as_a_small_one(tmp_path, monkeypatch, suffix):
    frame = long_table(series=1, n=900).drop(columns="symbol")
    frame["timestamp"] = frame["timestamp"].to_numpy()[np.arange(900) // 2 * 2]
    for venues in (["X"], ["X", "Y"]):
        frame["venue"] = np.resize(venues, 900)
        write(frame, tmp_path / f"in.{suffix}")
        found = []
        for most_held in (2**27, 1):
            with monkeypatch.context() as patch:
                limit(patch, most_held)
                try:
                    outcomes = run(tmp_path / f"in.{suffix}", tmp_path / "out", values=("price",))
                    found.append((repr(outcomes), (tmp_path / "out").read_bytes()))
                except rpsd.InputError as error:
                    found.append(str(error))
        assert found[0] == found[1]
        told = "450 duplicate timestamp(s)" if len(venues) == 1 else 'column "venue" tells 2 series apart'
        assert told in str(found[0])


def test_text_with_quotes_blank_lines_and_no_last_newline_is_kept_over_blocks(tmp_path, monkeypatch):
    rows = [f'"S{k // 40}";"a\n""b"";{k}";{k % 40};{k},5' + "\r\n" * (1 + (k % 50 == 7)) for k in range(400)]
    text = "\ufeffsymbol;note;t;price\r\n" + "".join(rows).rstrip()
    (tmp_path / "in.csv").write_bytes(text.encode())
    found = []
    for most_held in (2**27, 1):
        with monkeypatch.context() as patch:
            limit(patch, most_held)
            patch.setattr(_csv_source, "_LEAST_BLOCK", 256)
            outcomes = run(tmp_path / "in.csv", tmp_path / "out.csv", by="symbol", time="t", chunk_size=1)
        found.append(((tmp_path / "out.csv").read_bytes(), outcomes))
        assert outcomes[0].notes == (
            "the byte-order mark at the start was removed",
            "8 blank line(s) skipped, the first is line 18",
        )
    assert [o.key for o in outcomes] == [f"S{k}" for k in range(10)]
    # A straight line is returned as it is.
    assert found[0][0] == found[1][0] == text.encode().removeprefix(b"\xef\xbb\xbf")


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("S9,2025-01-02,5,6", "line 3003: 4 cell(s) where the header has 3"),
        ('S9,"2025-01-02,5', 'line 3003: a quote (") is opened here and never closed'),
        ('S9,2025"-01-02,5', 'line 3003: a quote (") that does not enclose a whole cell'),
        ("S9,2025-01-02,\0", "line 3003: a NUL byte (byte 68156 of the file)"),
        ("S9,x,5", "line 3003, column \"time\": 'x' is not a time"),
    ],
)
def test_what_is_wrong_far_down_is_named_by_its_line(tmp_path, monkeypatch, row, message):
    start = "symbol,time,price\n" + "".join(f"S{k},2025-01-02,{k:05d}\n" for k in range(100, 3101))
    (tmp_path / "in.csv").write_bytes((start + row + "\nS9,2025-01-02,5\n").encode())
    limit(monkeypatch, 1)
    try:
        outcomes = run(tmp_path / "in.csv", tmp_path / "out.csv", by="symbol", chunk_size=1)
        error = next(o.error for o in outcomes if o.error)
    except rpsd.InputError as caught:
        error = str(caught)
    assert message in error


CHILD = """
import resource, sys
import pyarrow.parquet, pyarrow.csv, pyarrow.compute
from rpsd import load_config
from rpsd.batch import _file
from rpsd.batch._outcome import Columns
config = load_config(environ={"RPSD_METHOD": "wavelet", "RPSD_CHUNK_SIZE": "1"})
source, target, held = sys.argv[1:]
_file.MOST_HELD, _file.LEAST_ROWS = int(held), 10_000
def run(path, out):
    return _file.denoise_file(path, out, Columns(by="symbol", values=("price",)), config, name=path,
                              threads=1, metadata=lambda outcomes: {})
run(source.replace("large", "small"), target)  # what is loaded and kept once
def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
before = peak()
outcomes = run(source, target)
assert all(o.action != "failed" for o in outcomes), outcomes[0]
print(len(outcomes), peak() - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="counts in kilobytes on Linux")
@pytest.mark.parametrize("order", ["sorted", "interleaved"])
@pytest.mark.parametrize("suffix", ["parquet", "csv", pytest.param("csv.gz", marks=pytest.mark.slow)])
def test_a_file_takes_a_bounded_memory(tmp_path, suffix, order):
    """A file of many times what may be held is denoised in less memory than it takes."""
    count, n = 400, 1000
    rng = np.random.default_rng(0)
    prices = 100 + np.cumsum(rng.normal(size=n)) + rng.normal(size=n)
    schema = pa.schema(
        [("symbol", pa.string()), ("t", pa.int64()), ("price", pa.float64()), ("text", pa.string())]
    )
    texts = pa.array([f"a text of some length {i:0100d}" for i in range(n)])
    for name, parts in (("small", 20), ("large", count)):
        path = tmp_path / f"{name}.{suffix}"
        with pa.OSFile(str(path), "wb") as sink, _writer(sink, schema, suffix) as writer:
            for k in range(parts):
                symbols = np.full(n, k) if order == "sorted" else np.arange(n) % parts
                times = np.arange(n) if order == "sorted" else k * n + np.arange(n)
                symbols = pa.array([f"S{s:05d}" for s in symbols.tolist()])
                writer.write(pa.table([symbols, times, prices + 1e-3 * k, texts], schema=schema))
    size = count * n * 150
    child = [sys.executable, "-c", CHILD, str(tmp_path / f"large.{suffix}"), str(tmp_path / f"out.{suffix}")]
    # The system's allocator gives back what others keep for later.
    pool = {"ARROW_DEFAULT_MEMORY_POOL": "system"}
    done = subprocess.run(
        [*child, str(2 << 20)], env=os.environ | pool, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    series, kilobytes = map(int, done.stdout.split())
    assert series == count
    assert kilobytes < size / 2 / 1024


@contextlib.contextmanager
def _writer(sink, schema, suffix):
    if suffix == "parquet":
        with pq.ParquetWriter(sink, schema, use_dictionary=False) as writer:
            yield writer
    else:
        compressed = pa.CompressedOutputStream(sink, "gzip") if suffix.endswith("gz") else sink
        with compressed, pacsv.CSVWriter(compressed, schema) as writer:
            yield writer
