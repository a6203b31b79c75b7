# SPDX-License-Identifier: MIT
"""The namespace of polars expressions: causal by default, eager and lazy, in group_by and over."""

import doctest

import numpy as np
import polars as pl
import pytest

import rpsd
import rpsd.integrations.pandas
import rpsd.integrations.polars

KALMAN = {"method": "kalman"}


def frame(lengths=(90, 60, 90)):
    series = [rpsd.simulate("a", n, seed=k, nsr=1.0).noisy for k, n in enumerate(lengths)]
    table = pl.DataFrame(
        {
            "symbol": np.repeat([f"S{k}" for k in range(len(lengths))], lengths),
            "ts": np.concatenate([np.arange(n) for n in lengths]),
            "px": np.concatenate(series),
        }
    )
    return table.sort("ts", maintain_order=True)


def by_symbol(table, **options):
    """The oracle: a loop over partitions, in the order of the rows."""
    parts = table.with_row_index("row").partition_by("symbol")
    done = [part.with_columns(px=rpsd.denoise(part["px"].to_numpy(), **options)) for part in parts]
    return pl.concat(done).sort("row")["px"]


@pytest.mark.parametrize("engine", ["in-memory", "streaming"])
def test_over_and_by_are_a_loop_over_groups_from_the_past_alone(engine):
    table = frame()
    expected = by_symbol(table, lookahead=0, **KALMAN)
    px = pl.col("px").rpsd
    for expression in (
        px.denoise(**KALMAN).over("symbol"),
        px.denoise(by="symbol", **KALMAN),
        px.denoise(by="symbol", time="ts", threads=2, **KALMAN),
    ):
        assert table.with_columns(expression)["px"].equals(expected)
        lazy = table.lazy().with_columns(smooth=expression).select("smooth").collect(engine=engine)
        assert lazy["smooth"].equals(expected)
    offline = table.select(px.denoise(lookahead=None, by="symbol", **KALMAN))["px"]
    assert offline.equals(by_symbol(table, **KALMAN))
    assert not offline.equals(expected)


def test_group_by_gives_a_list_for_each_group():
    table = frame()
    expected = by_symbol(table, lookahead=0, **KALMAN)
    smooth = pl.col("px").rpsd.denoise(**KALMAN)
    lists = table.lazy().group_by("symbol", maintain_order=True).agg(smooth).collect()
    for symbol, values in lists.iter_rows():
        assert values == expected.filter(table["symbol"] == symbol).to_list()


def test_all_rows_are_one_series_without_groups():
    x = pl.Series("px", rpsd.simulate("a", 300, nsr=1.0).noisy)
    smooth = (
        x.to_frame().lazy().filter(pl.col("px").is_not_nan()).select(pl.col("px").rpsd.denoise()).collect()
    )
    np.testing.assert_array_equal(smooth["px"], rpsd.denoise(x.to_numpy(), lookahead=0))


@pytest.mark.parametrize(
    ("dtype", "out"), [(pl.Float64, pl.Float64), (pl.Float32, pl.Float32), (pl.Int64, pl.Float64)]
)
def test_schema_is_known_before_the_run_and_nulls_stay(dtype, out):
    table = frame().with_columns((pl.col("px") * 100).round().cast(dtype))
    table = table.with_columns(
        pl.when(pl.int_range(pl.len()).is_in([0, 100])).then(None).otherwise(pl.col("px")).alias("px")
    )
    for options in ({}, {"by": "symbol", "time": "ts"}):
        lazy = table.lazy().with_columns(pl.col("px").rpsd.denoise(**options, **KALMAN))
        if hasattr(pl.Expr, "pipe_with_dtype"):  # older polars knows it from the run alone
            assert lazy.collect_schema()["px"] == out
        result = lazy.collect()
        assert result["px"].dtype == out
        assert result["px"].is_null().arg_true().to_list() == [0, 100]
    plain = table["px"].cast(out).to_numpy()
    expected = rpsd.denoise(plain, lookahead=0, **KALMAN)
    seen = table["px"].is_not_null().to_numpy()
    alone = table.select(pl.col("px").rpsd.denoise(**KALMAN))["px"].to_numpy()
    np.testing.assert_array_equal(alone[seen], expected[seen])


def test_errors_of_the_options_come_at_once_and_those_of_the_data_with_the_run():
    with pytest.raises(rpsd.ConfigError, match="level must be"):
        pl.col("px").rpsd.denoise(level=-1)
    with pytest.raises(rpsd.InputError, match="by and time must be other columns"):
        pl.col("px").rpsd.denoise(time="px")
    table = frame()
    lazy = table.lazy().with_columns(pl.col("px").rpsd.denoise(by="symbol", time="ts"))
    lazy.collect()
    backwards = table.reverse().lazy().with_columns(pl.col("px").rpsd.denoise(by="symbol", time="ts"))
    with pytest.raises(rpsd.InputError, match=r"x\['ts'\] must not go back in time .* symbol='S"):
        backwards.collect()
    with pytest.raises(rpsd.InputError, match="x must be float32, float64, integers or decimals, got String"):
        table.select(pl.col("symbol").rpsd.denoise())


def test_the_examples_run():
    for module in (rpsd.integrations.polars, rpsd.integrations.pandas):
        result = doctest.testmod(module)
        assert (result.attempted, result.failed) == (3 if module is rpsd.integrations.polars else 2, 0)
