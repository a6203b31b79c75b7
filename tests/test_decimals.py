# SPDX-License-Identifier: MIT
"""Decimals become the float64 nearest to them, as Python reads their text, in files and frames."""

from decimal import Decimal

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from long_tables import run

import rpsd
from rpsd._decimals import nearest_doubles

KINDS = {
    "decimal32": (pa.decimal32(9, 4), 10**9),
    "decimal64": (pa.decimal64(18, 9), 10**18),
    "decimal128": (pa.decimal128(38, 9), 10**38),
    "decimal128, deep": (pa.decimal128(38, 30), 10**38),
    "decimal128, wide": (pa.decimal128(38, -5), 10**33),
    "decimal256": (pa.decimal256(76, 20), 10**76),
}


def arrow(unscaled, kind):
    """Return an array of decimals; made of text, as arithmetic of Decimal rounds."""
    return pa.array([None if n is None else Decimal(f"{n}E{-kind.scale}") for n in unscaled], kind)


@pytest.mark.parametrize(("kind", "limit"), KINDS.values(), ids=KINDS)
@settings(max_examples=50)
@given(data=st.data())
def test_the_nearest_double(kind, limit, data):
    near = [2**53, 2**53 - 1, 2**63, 2**64, 2**64 + 1, 2**127]
    edges = [sign * n for n in near for sign in (1, -1) if n < limit]
    some = st.one_of(st.integers(1 - limit, limit - 1), st.integers(-(10**6), 10**6))
    some = st.one_of(some, st.sampled_from(edges)) if edges else some
    unscaled = data.draw(st.lists(some, max_size=20))
    expected = [float(f"{n}E{-kind.scale}") for n in unscaled]
    array = arrow(unscaled, kind)
    np.testing.assert_array_equal(nearest_doubles(array), expected)
    np.testing.assert_array_equal(nearest_doubles(array.slice(1)), expected[1:])
    chunks = pa.chunked_array([array, array.slice(2)])
    np.testing.assert_array_equal(nearest_doubles(chunks), expected + expected[2:])


def prices(big):
    """Return unscaled prices, many of which pyarrow casts to a neighbour of the nearest double."""
    walk = np.random.default_rng(3).integers(-50, 51, 400).cumsum() + (10**17 if big else 10**6)
    return [None if k == 7 else number for k, number in enumerate(walk.tolist())]


@pytest.mark.parametrize("big", [False, True])
@pytest.mark.parametrize("suffix", ["parquet", "arrow"])
def test_decimals_of_files(tmp_path, suffix, big):
    kind = pa.decimal128(38, 4)
    unscaled = prices(big)
    array = arrow(unscaled, kind)
    table = pa.table({"price": array})
    if suffix == "parquet":
        pq.write_table(table, tmp_path / "in.parquet")
    else:
        with pa.ipc.new_file(tmp_path / "in.arrow", table.schema) as writer:
            writer.write_table(table, max_chunksize=150)
    expected = np.array([np.nan if n is None else float(f"{n}E-4") for n in unscaled])
    (outcome,) = run(tmp_path / f"in.{suffix}", tmp_path / f"out.{suffix}", options={"min_gain_db": 1e9})
    assert (outcome.action, outcome.missing) == ("passthrough", 1)
    path = tmp_path / f"out.{suffix}"
    out = pq.read_table(path) if suffix == "parquet" else pa.ipc.open_file(path).read_all()
    assert out["price"].null_count == 1
    np.testing.assert_array_equal(out["price"].to_numpy(), expected)


WIDTHS = (pa.decimal64(18, 4), pa.decimal256(76, 4))
FRAMES = {
    "pyarrow": lambda array: pa.table({"px": array}),
    "chunks": lambda array: pa.table({"px": pa.chunked_array([array.slice(0, 100), array.slice(100)])}),
    "polars": lambda array: pl.DataFrame({"px": pl.from_arrow(array)}),
    "pandas": lambda array: pd.DataFrame({"px": pd.Series(array, dtype=pd.ArrowDtype(array.type))}),
}


@pytest.mark.parametrize("big", [False, True])
@pytest.mark.parametrize(
    ("kind", "type_"),
    [(kind, pa.decimal128(38, 4)) for kind in FRAMES]
    + [(kind, type_) for kind in FRAMES if kind != "polars" for type_ in WIDTHS],
)
def test_decimals_of_frames(kind, type_, big):
    unscaled = prices(big)
    expected = [None if n is None else float(f"{n}E-4") for n in unscaled]
    out = rpsd.denoise(FRAMES[kind](arrow(unscaled, type_)), min_gain_db=1e9)["px"]
    told = out.to_pylist() if hasattr(out, "to_pylist") else out.to_list()
    assert [None if pd.isna(value) else value for value in told] == expected
