# SPDX-License-Identifier: MIT
"""Long tables: by, time and value, against loops over single series and the libraries' own group-by."""

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import rpsd

OPTIONS = {"method": "wavelet", "noise": "mad"}
MAKERS = {
    "pandas": pd.DataFrame,
    "polars": pl.DataFrame,
    "pyarrow": pa.table,
    "batch": lambda columns: pa.record_batch({k: pa.array(v) for k, v in columns.items()}),
}
START = np.datetime64("2025-01-02T14:30", "us")


def long_table(lengths=(80, 80, 30, 80, 1), order="time", dtype="f8", seed=1):
    """Columns of a table of several symbols, sorted by symbol, by time, or shuffled with time kept."""
    series = [100 + rpsd.simulate("a", n, seed=seed + k, nsr=1.0).noisy for k, n in enumerate(lengths)]
    columns = {
        "symbol": np.repeat([f"S{k}" for k in range(len(lengths))], lengths),
        "ts": START + np.concatenate([np.arange(n) for n in lengths]) * np.timedelta64(60, "s"),
        "px": np.concatenate(series).astype(dtype),
        "size": np.arange(sum(lengths)),
    }
    if order == "symbol":
        rows = np.arange(sum(lengths))
    elif order == "time":
        rows = np.argsort(columns["ts"], kind="stable")
    else:
        drawn = np.random.default_rng(seed).permutation(np.repeat(np.arange(len(lengths)), lengths))
        rows = np.empty(sum(lengths), dtype=int)
        rows[np.argsort(drawn, kind="stable")] = np.arange(sum(lengths))
    return {name: column[rows] for name, column in columns.items()}


def looped(columns, value="px", keys=("symbol",), **options):
    """The oracle: each series by itself, as an array."""
    labels = np.array(["|".join(map(str, key)) for key in zip(*(columns[k] for k in keys), strict=True)])
    x = columns[value]
    y = np.empty(len(x), dtype=x.dtype if x.dtype.kind == "f" else "f8")
    for label in set(labels):
        y[labels == label] = rpsd.denoise(x[labels == label], **options)
    return y


def column(table, name):
    return np.asarray(table[name] if not isinstance(table, pa.RecordBatch) else table.column(name))


@pytest.mark.parametrize("kind", MAKERS)
@pytest.mark.parametrize("order", ["symbol", "time", "shuffled"])
@pytest.mark.parametrize("dtype", ["f8", "f4"])
@pytest.mark.parametrize("lengths", [(80, 80, 30, 80, 1), (64, 64, 64)], ids=["ragged", "equal"])
def test_each_group_is_denoised_by_itself_and_rows_stay(kind, order, dtype, lengths):
    columns = long_table(lengths, order, dtype)
    given = MAKERS[kind](columns)
    expected = looped(columns, **OPTIONS)
    for threads in (1, 2):
        result = rpsd.denoise(given, by="symbol", time="ts", value="px", threads=threads, **OPTIONS)
        assert type(result) is type(given)
        for name in ("symbol", "ts", "size"):
            np.testing.assert_array_equal(column(result, name), columns[name])
        assert column(result, "px").dtype == dtype
        np.testing.assert_array_equal(column(result, "px"), expected)
    np.testing.assert_array_equal(column(given, "px"), columns["px"])


def test_the_libraries_own_groups_give_the_same():
    columns = long_table(order="shuffled")
    frame = pd.DataFrame(columns)
    mine = rpsd.denoise(frame, by="symbol", value="px")
    theirs = frame.groupby("symbol")["px"].transform(lambda s: rpsd.denoise(s.to_numpy()))
    np.testing.assert_array_equal(mine["px"], theirs)
    table = pl.DataFrame(columns).with_row_index("row")
    parts = [part.with_columns(rpsd.denoise(part["px"])) for part in table.partition_by("symbol")]
    merged = pl.concat(parts).sort("row")
    assert rpsd.denoise(table, by="symbol", time="ts", value="px").equals(merged)


@pytest.mark.parametrize("kind", MAKERS)
def test_several_keys_several_values_and_other_dtypes(kind):
    columns = long_table((40, 40, 40), "time")
    columns["venue"] = np.arange(120) // 7 % 2
    columns["small"] = columns["px"].astype("f4")
    given = MAKERS[kind](columns)
    result = rpsd.denoise(
        given, by=["symbol", "venue"], time="ts", value=["px", "size", "small"], breaks="auto", **OPTIONS
    )
    keys = ("symbol", "venue")
    unbroken = rpsd.denoise(given, by=["symbol", "venue"], value=["px", "size", "small"], **OPTIONS)
    for name in ("px", "size", "small"):
        np.testing.assert_array_equal(column(unbroken, name), looped(columns, name, keys, **OPTIONS))
    assert column(result, "size").dtype == np.float64
    assert column(result, "small").dtype == np.float32


@pytest.mark.parametrize("kind", MAKERS)
def test_sessions_are_those_of_each_group(kind):
    columns = long_table((80, 80, 80), "symbol")
    columns["ts"][[120, 200]] += np.timedelta64(3600, "s")  # one long gap in S1, another one in S2
    for first, last in ((121, 160), (201, 240)):
        columns["ts"][first:last] += np.timedelta64(3600, "s")
    expected = np.concatenate(
        [
            rpsd.denoise(pd.Series(px, index=pd.DatetimeIndex(ts)), breaks="auto", **OPTIONS)
            for px, ts in zip(columns["px"].reshape(3, -1), columns["ts"].reshape(3, -1), strict=True)
        ]
    )
    given = MAKERS[kind](columns)
    options = {"by": "symbol", "time": "ts", "value": "px"}
    result = rpsd.denoise(given, breaks="auto", **options, **OPTIONS)
    np.testing.assert_array_equal(column(result, "px"), expected)
    run = rpsd.Denoiser(breaks="auto", **OPTIONS).run(given, **options)
    assert run.sessions.tolist() == [1, 2, 2]


@pytest.mark.parametrize("kind", MAKERS)
def test_a_result_has_one_value_for_each_group(kind):
    columns = long_table(order="time")
    given = MAKERS[kind](columns)
    denoiser = rpsd.Denoiser(**OPTIONS)
    run = denoiser.run(given, by="symbol", time="ts", value="px")
    assert run.groups == ("S0", "S1", "S2", "S3", "S4")
    np.testing.assert_array_equal(column(run.values, "px"), looped(columns, **OPTIONS))
    for k, symbol in enumerate(run.groups):
        alone = denoiser.run(columns["px"][columns["symbol"] == symbol])
        for name in ("action", "level", "missing", "sessions", "strength", "binding", "warmup"):
            assert getattr(run, name)[k] == getattr(alone, name), name
        np.testing.assert_array_equal(run.noise.noise_sd[k], alone.noise.noise_sd)
        np.testing.assert_array_equal(run.report.score[k], alone.report.score)
        assert run.report.passed[k] == alone.report.passed
        for ours, theirs in zip(run.report.checks, alone.report.checks, strict=True):
            np.testing.assert_array_equal(ours.value[k], theirs.value)
            assert (ours.passed[k], ours.counts[k]) == (theirs.passed, theirs.counts)
    both = denoiser.run(given, by=["symbol"], value=["px", "size"])
    assert both.action.shape == (5, 2)
    assert both.groups == (("S0",), ("S1",), ("S2",), ("S3",), ("S4",))


def test_a_result_draws_one_group():
    columns = long_table(order="time")
    run = rpsd.Denoiser().run(pl.DataFrame(columns), by="symbol", time="ts", value="px")
    (axes,) = run.plot("price", series="S1").axes
    drawn = [line.get_ydata() for line in axes.lines]
    expected = columns["px"][columns["symbol"] == "S1"]
    assert any(np.array_equal(line, expected) for line in drawn)
    with pytest.raises(rpsd.InputError, match=r"series must be .* the key of a group, got 'S9'"):
        run.plot("price", series="S9")
    wide = rpsd.Denoiser().run(pl.DataFrame({"a": expected, "b": expected[::-1]}))
    assert any(
        np.array_equal(line.get_ydata(), expected) for line in wide.plot("price", series=0).axes[0].lines
    )


def test_policies_act_on_each_group():
    columns = long_table((400, 400), "time")
    given = pl.DataFrame(columns)
    strict = {"rmse_threshold": 1e-9, "policy": "passthrough"}
    call = {"by": "symbol", "time": "ts", "value": "px"}
    result = rpsd.denoise(given, guardrails=strict, **call, **OPTIONS)
    np.testing.assert_array_equal(result["px"], looped(columns, guardrails=strict, **OPTIONS))
    assert not result.equals(rpsd.denoise(given, **call, **OPTIONS))
    with pytest.raises(rpsd.GuardrailError, match="symbol='S0': guardrails breached: rmse"):
        rpsd.denoise(given, guardrails={**strict, "policy": "raise"}, **call, **OPTIONS)


# pandas -------------------------------------------------------------------------------------------


def test_levels_of_an_index_are_keys_and_times():
    columns = long_table(order="symbol")
    expected = looped(columns, **OPTIONS)
    series = pd.DataFrame(columns).set_index(["symbol", "ts"])["px"]
    for given in ({"by": "symbol"}, {"by": "symbol", "time": "ts"}):
        result = rpsd.denoise(series, **given, **OPTIONS)
        pd.testing.assert_index_equal(result.index, series.index)
        assert result.name == "px"
        np.testing.assert_array_equal(result, expected)
    with pytest.raises(rpsd.InputError, match=r"denoise each by itself: by=\['symbol'\]"):
        rpsd.denoise(series)
    frame = series.to_frame()
    pd.testing.assert_frame_equal(rpsd.denoise(frame, by="symbol", **OPTIONS), result.to_frame())
    backwards = series.iloc[::-1]
    with pytest.raises(rpsd.InputError, match=r"x.index must not go back in time .*symbol='S3'"):
        rpsd.denoise(backwards, by="symbol")
    with pytest.raises(rpsd.InputError, match="by must name a column of x"):
        rpsd.denoise(series, by="venue")


def test_an_index_with_a_zone_stays_and_its_times_are_checked():
    columns = long_table((50, 50), "time")
    index = pd.DatetimeIndex(columns.pop("ts"), tz="America/New_York", name="when")
    frame = pd.DataFrame(columns, index=index)
    result = rpsd.denoise(frame, by="symbol", value="px", **OPTIONS)
    pd.testing.assert_index_equal(result.index, index)
    np.testing.assert_array_equal(result["px"], looped(columns, **OPTIONS))
    with pytest.raises(rpsd.InputError, match=r"x.index must not go back in time within a group"):
        rpsd.denoise(frame.iloc[::-1], by="symbol", value="px")


@pytest.mark.parametrize("dtype", ["Float32", "Int64", "double[pyarrow]", "decimal"])
def test_pandas_extension_columns_and_categories(dtype):
    columns = long_table((50, 50), "time")
    columns["px"] = np.round(columns["px"])
    frame = pd.DataFrame(columns)
    frame["symbol"] = frame["symbol"].astype("category")
    frame["ts"] = frame["ts"].astype("timestamp[us][pyarrow]")
    kind = pd.ArrowDtype(pa.decimal128(12, 2)) if dtype == "decimal" else dtype
    frame["px"] = frame["px"].astype("double[pyarrow]").astype(kind)
    frame.loc[7, "px"] = pd.NA
    result = rpsd.denoise(frame, by="symbol", time="ts", value="px", **OPTIONS)
    columns["px"][7] = np.nan
    if dtype == "Float32":
        columns["px"] = columns["px"].astype("f4")
    assert str(result["px"].dtype) == {"Float32": "Float32", "Int64": "Float64"}.get(dtype, "double[pyarrow]")
    assert result["px"].isna().to_numpy().nonzero()[0].tolist() == [7]
    np.testing.assert_array_equal(
        result["px"].to_numpy(dtype=float, na_value=np.nan), looped(columns, **OPTIONS).astype(float)
    )


def test_the_accessor_is_the_function_from_the_past_alone():
    import rpsd.integrations.pandas

    columns = long_table(order="time")
    frame = pd.DataFrame(columns)
    result = frame.rpsd.denoise(by="symbol", time="ts", value="px")
    np.testing.assert_array_equal(result["px"], looped(columns, lookahead=0))
    offline = frame["px"].rpsd.denoise(lookahead=None)
    pd.testing.assert_series_equal(offline, rpsd.denoise(frame["px"]))


# Errors -------------------------------------------------------------------------------------------


def with_missing(columns, name, row):
    """The same columns with one value missing."""
    values = columns[name].astype(object)
    values[row] = None
    return {**columns, name: list(values)}


@pytest.mark.parametrize("kind", MAKERS)
def test_what_is_wrong_names_the_group(kind):
    columns = long_table(order="time")
    make = MAKERS[kind]
    call = {"by": "symbol", "time": "ts", "value": "px"}
    row = int(np.flatnonzero(columns["symbol"] == "S2")[20])

    swapped = {name: values.copy() for name, values in columns.items()}
    later = int(np.flatnonzero(columns["symbol"] == "S2")[21])
    swapped["ts"][[row, later]] = swapped["ts"][[later, row]]
    with pytest.raises(
        rpsd.InputError, match=rf"x\['ts'\] must not go back in time within .*row {later}, symbol='S2'"
    ):
        rpsd.denoise(make(swapped), **call)

    with pytest.raises(rpsd.InputError, match=rf"x\['ts'\] must have a time .* row {row}, symbol='S2'"):
        rpsd.denoise(make(with_missing(columns, "ts", row)), **call)

    with pytest.raises(
        rpsd.InputError, match=rf"x\['symbol'\] must have a key for each row, got none at row {row} \(1 in"
    ):
        rpsd.denoise(make(with_missing(columns, "symbol", row)), **call)

    infinite = columns["px"].copy()
    infinite[row] = np.inf
    with pytest.raises(rpsd.InputError, match="symbol='S2': x has inf at position 20"):
        rpsd.denoise(make({**columns, "px": infinite}), **call)

    repeated = {name: values.copy() for name, values in columns.items()}
    repeated["ts"][later] = repeated["ts"][row]
    with pytest.warns(rpsd.RpsdWarning, match=r"repeats 1 of 271 times of 5 groups"):
        rpsd.denoise(make(repeated), **call)

    # Times that repeat or go back from one group to another are as they should be (errors on any warning).
    rpsd.denoise(make(long_table(order="symbol")), **call)


NAN_KEYS = {
    "pandas": lambda keys: pd.DataFrame({"id": keys}),
    "pandas arrow": lambda keys: pd.DataFrame({"id": pd.arrays.ArrowExtensionArray(pa.array(keys))}),
    "pandas categories": lambda keys: pd.DataFrame({"id": pd.Categorical(keys)}),
    "polars": lambda keys: pl.DataFrame({"id": keys}),
    "pyarrow": lambda keys: pa.table({"id": keys}),
    "pyarrow dictionary": lambda keys: pa.table({"id": pa.array(keys).dictionary_encode()}),
}


@pytest.mark.parametrize("kind", NAN_KEYS)
def test_a_key_that_is_nan_is_missing(kind):
    table = NAN_KEYS[kind](np.array([7.0, 7.0, np.nan, 8.0]))
    with pytest.raises(rpsd.InputError, match=r"x\['id'\] must have a key .* got none at row 2 \(1 in all\)"):
        rpsd.denoise(table, by="id")


@pytest.mark.parametrize("kind", MAKERS)
def test_names_that_are_missing_or_not_clear(kind):
    given = MAKERS[kind](long_table())
    for call, message in (
        (
            {"by": "symbol", "time": "ts"},
            "value must name the column of prices in x, got None for: 'px', 'size'",
        ),
        ({"by": "sym"}, r"by must name a column of x \('symbol', 'ts', 'px', 'size'\), got 'sym'"),
        ({"by": "symbol", "time": "when"}, "time must name a column"),
        ({"by": "symbol", "value": "symbol"}, "value must name other columns"),
        ({"by": []}, r"by must name at least one column, got \[\]"),
        ({"by": "symbol", "value": "ts"}, r"x\['ts'\] must be"),
        ({"by": "symbol", "value": "px", "breaks": [True, False]}, "got a mask"),
        ({"by": "symbol", "value": "px", "axis": 1}, "axis must be 0"),
    ):
        with pytest.raises(rpsd.InputError, match=message):
            rpsd.denoise(given, **call)
    with pytest.raises(rpsd.InputError, match="must be a table"):
        rpsd.denoise(np.ones(4), by="symbol")


@pytest.mark.parametrize("kind", MAKERS)
def test_a_table_without_rows(kind):
    given = MAKERS[kind]({name: values[:0] for name, values in long_table().items()})
    result = rpsd.denoise(given, by="symbol", time="ts", value="px")
    assert type(result) is type(given)
    run = rpsd.Denoiser().run(given, by="symbol", time="ts", value="px")
    assert run.groups == ()
    assert run.action.shape == (0,)


def test_each_group_for_functions_without_by():
    px = np.concatenate([rpsd.simulate("a", 300, seed=k, nsr=2.0).noisy for k in range(2)])
    frame = pl.DataFrame({"symbol": ["A"] * 300 + ["B"] * 300, "px": px})
    groups = frame.to_pandas().groupby("symbol")["px"]
    alone = groups.apply(lambda x: rpsd.estimate_noise(x).noise_sd).to_dict()
    result = rpsd.Denoiser().run(frame, by="symbol", value="px")
    assert dict(zip(result.groups, result.noise.noise_sd, strict=True)) == alone
