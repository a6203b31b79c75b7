# SPDX-License-Identifier: MIT
"""Times that repeat: a few are noted, many show that the key does not tell series apart, trades may."""

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from long_tables import run, write

import rpsd
from rpsd._repeats import repeats_as_several

START = np.datetime64("2025-01-02T14:30", "s")
BARS = np.arange(200)


def trades(stamps, seed):
    """Counts of the rows of each stamp: bursts of a log-normal size, as when one order takes many others."""
    return np.ceil(np.random.default_rng(seed).lognormal(0.0, 1.2, stamps)).astype(int)


SEVERAL = {
    "two series": np.repeat(BARS, 2),
    "five series with gaps": np.sort(
        np.concatenate([BARS[np.random.default_rng(k).random(200) < 0.8] for k in range(5)])
    ),
    "a part twice": np.sort(np.concatenate([BARS, BARS[:30]])),
    "one time": np.zeros(200, int),
    "a clock that stood still": np.concatenate([BARS[:150], np.full(50, 150)]),
    "a fifth again": np.sort(np.concatenate([BARS, np.random.default_rng(1).permutation(BARS)[:50]])),
}
ONE = {
    "none": BARS,
    "a tenth": np.sort(np.concatenate([BARS[:180], BARS[:20]])),
    "a pair": np.array([1, 1]),
    "trades": np.repeat(np.arange(300), trades(300, 1)),
    "many trades": np.repeat(np.arange(300), 5 * trades(300, 2)),
    "few trades": np.repeat(np.arange(300), np.where(np.arange(300) % 8, 1, trades(300, 3))),
}


@pytest.mark.parametrize("times", SEVERAL.values(), ids=SEVERAL)
def test_times_of_several_series(times):
    assert repeats_as_several(times)


@pytest.mark.parametrize("times", ONE.values(), ids=ONE)
def test_times_of_one_series(times):
    assert not repeats_as_several(times)


def table(**series):
    """Return symbol, ts and px, sorted by time, of series with given times."""
    parts = [
        pd.DataFrame(
            {
                "symbol": key,
                "ts": START + times * np.timedelta64(60, "s"),
                "px": 100 + rpsd.simulate("a", len(times), seed=len(times), nsr=1.0).noisy,
            }
        )
        for key, times in series.items()
    ]
    return pd.concat(parts).sort_values("ts", kind="stable", ignore_index=True)


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_a_series_of_a_file_fails_where_its_times_are_those_of_several(tmp_path, suffix):
    frame = table(A=BARS, B=SEVERAL["two series"], C=ONE["trades"], D=ONE["a tenth"])
    write(frame, tmp_path / f"in.{suffix}")
    asked = {"by": "symbol", "values": ("px",)}
    outcomes = run(tmp_path / f"in.{suffix}", tmp_path / f"out.{suffix}", **asked)
    alone, twice, traded, few = sorted(outcomes, key=lambda outcome: outcome.key)
    row = np.flatnonzero((frame["symbol"] == "B") & (frame["ts"] == frame["ts"][0]))[1]
    place = f"line {row + 2}" if suffix == "csv" else f"row {row + 1}"
    assert twice.error.startswith(f'{place}, column "ts": 200 of 400 rows repeat the time before them')
    assert "name a column that does with --by, or take rows as they come with --no-time" in twice.error
    assert (twice.action, twice.notes) == ("failed", ())
    assert [o.error for o in (alone, traded, few)] == ["", "", ""]
    assert alone.notes == ()
    repeats = trades(300, 1).sum() - 300
    assert f"{repeats} duplicate timestamp(s) kept in file order" in traded.notes[0]
    assert "20 duplicate timestamp(s) kept in file order" in few.notes[0]
    outcomes = run(tmp_path / f"in.{suffix}", tmp_path / f"all.{suffix}", no_time=True, **asked)
    assert {o.action for o in outcomes} <= {"denoised", "passthrough"}
    # Without a key nothing is said of keys; a column of labels that tells the series apart is.
    write(frame[frame["symbol"] == "B"], tmp_path / f"b.{suffix}")
    (outcome,) = run(tmp_path / f"b.{suffix}", tmp_path / f"b_out.{suffix}", values=("px",))
    assert (outcome.error, len(outcome.notes)) == ("", 1)


@pytest.mark.parametrize("make", [pd.DataFrame, pl.DataFrame, pa.Table.from_pandas])
def test_a_group_of_a_frame_is_refused_where_its_times_are_those_of_several(make):
    asked = {"by": "symbol", "time": "ts", "value": "px"}
    frame = table(A=BARS, B=SEVERAL["two series"])
    row = np.flatnonzero((frame["symbol"] == "B") & (frame["ts"] == frame["ts"][0]))[1]
    told = rf"x\['ts'\] .*, got 200 of 400 rows .*, the first at row {row}, symbol='B'; by most likely"
    with pytest.raises(rpsd.InputError, match=told):
        rpsd.denoise(make(frame), **asked)
    rpsd.denoise(make(frame), by="symbol", value="px")
    frame = table(A=BARS, C=ONE["trades"])
    repeats = trades(300, 1).sum() - 300
    with pytest.warns(rpsd.RpsdWarning, match=f"repeats {repeats} of {len(frame)} times of 2 groups"):
        rpsd.denoise(make(frame), **asked)


def test_a_group_of_an_index_of_times_is_refused_alike():
    frame = table(A=BARS, B=SEVERAL["two series"]).set_index("ts")
    with pytest.raises(rpsd.InputError, match=r"x\.index .* or reset the index to take rows as they come"):
        rpsd.denoise(frame, by="symbol", value="px")
