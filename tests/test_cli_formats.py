# SPDX-License-Identifier: MIT
"""`rpsd denoise` in every format: the same values as the library, the same format out."""

import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from command import QUIET, own_home
from long_tables import long_table, read, write

import rpsd
from rpsd.batch._file import denoise_file
from rpsd.batch._outcome import Columns
from rpsd.cli import main

__all__ = ["own_home"]  # a fixture that guards every test here


@pytest.mark.parametrize("suffix", ["csv", "csv.gz", "csv.zst", "parquet", "arrow", "ipc", "feather"])
def test_every_format_in_and_the_same_out(tmp_path, suffix):
    frame = long_table(series=1).drop(columns="symbol")
    write(frame, tmp_path / f"in.{suffix}")
    assert main(["denoise", f"in.{suffix}", "-o", f"out.{suffix}", "--value", "price", *QUIET]) == 0
    out = read(tmp_path / f"out.{suffix}")
    np.testing.assert_array_equal(out["price"], rpsd.denoise(frame["price"].to_numpy()))
    np.testing.assert_array_equal(out["volume"], frame["volume"])
    # The same bytes as those of a batch, but for what is told of it.
    batch = tmp_path / f"batch.{suffix}"
    denoise_file(
        f"in.{suffix}",
        str(batch),
        Columns(values=("price",)),
        rpsd.Config(),
        name=f"in.{suffix}",
        threads=1,
        metadata=lambda _: {},
    )
    assert read(batch).equals(out)
    if "csv" in suffix:
        assert batch.read_bytes() == (tmp_path / f"out.{suffix}").read_bytes()


def test_arrow_on_standard_input_is_told_by_its_first_bytes(tmp_path):
    frame = long_table(series=1).drop(columns="symbol")
    for suffix in ("arrow", "ipc", "parquet"):
        write(frame, tmp_path / f"in.{suffix}")
        with open(tmp_path / f"in.{suffix}", "rb") as stdin:
            command = [sys.executable, "-m", "rpsd.cli", "denoise", "-", "--value", "price", *QUIET]
            done = subprocess.run(command, stdin=stdin, capture_output=True, check=True)
        (tmp_path / f"out.{suffix}").write_bytes(done.stdout)
        out = read(tmp_path / f"out.{suffix}")
        np.testing.assert_array_equal(out["price"], rpsd.denoise(frame["price"].to_numpy()))


def test_breaks_auto_with_a_lookahead_goes_by_the_times_before(tmp_path):
    at = np.r_[0:300, 310:600, 5000:5300]  # a gap that is long only until a longer one comes
    stamps = np.datetime64("2025-03-03T14:30:00", "s") + at * np.timedelta64(60, "s")
    frame = pd.DataFrame({"time": stamps, "price": 100 + rpsd.simulate("a", len(at), seed=1, nsr=1.0).noisy})
    write(frame, tmp_path / "in.parquet")
    arguments = ["--breaks", "auto", "--lookahead", "0", *QUIET]
    assert main(["denoise", "in.parquet", "-o", "out.parquet", *arguments]) == 0
    expected = rpsd.denoise(frame.set_index("time")["price"], breaks="auto", lookahead=0)
    np.testing.assert_array_equal(read(tmp_path / "out.parquet")["price"], expected)
