# SPDX-License-Identifier: MIT
"""The public calls: mirrored types, dirty input, options that act, and errors that name what was wrong."""

import numpy as np
import pandas as pd
import pytest

import rpsd

N = 500


def prices(n=N, seed=3):
    generator = np.random.default_rng(seed)
    return 100 + np.cumsum(generator.standard_normal(n)) + 2 * generator.standard_normal(n)


# Mirrors -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shape", [(N,), (3, N), (2, 3, N), (0, N), (3, 0), (0,), (1,), (2, 1)])
def test_arrays_keep_shape_and_dtype(dtype, shape):
    x = np.resize(prices(), shape).astype(dtype)
    y = rpsd.denoise(x)
    assert isinstance(y, np.ndarray)
    assert (y.shape, y.dtype) == (x.shape, x.dtype)


@pytest.mark.parametrize("dtype", [np.int8, np.int64, np.uint16])
def test_integers_become_float64_unscaled(dtype):
    x = np.round(prices()).astype(dtype)
    np.testing.assert_array_equal(rpsd.denoise(x), rpsd.denoise(x.astype(float)))


def test_lists_foreign_byte_order_strides_and_misalignment():
    x = prices()
    expected = rpsd.denoise(x)
    buffer = np.empty(8 * N + 1, dtype=np.uint8)
    misaligned = buffer[1:].view(np.float64)
    misaligned[:] = x
    readonly = x.copy()
    readonly.setflags(write=False)
    for same in (list(x), x.astype(">f8"), np.repeat(x, 2)[::2], x[::-1].copy()[::-1], misaligned, readonly):
        np.testing.assert_array_equal(rpsd.denoise(same), expected)


@pytest.mark.parametrize("axis", [0, 1, 2, -1, -2, -3])
def test_axis_is_where_time_runs(axis):
    x = np.stack([prices(60, seed) for seed in range(6)]).reshape(2, 3, 60)
    moved = np.moveaxis(x, -1, axis)
    np.testing.assert_array_equal(rpsd.denoise(moved, axis=axis), np.moveaxis(rpsd.denoise(x), -1, axis))


def test_series_keeps_index_zone_name_and_dtype():
    index = pd.date_range("2025-01-01", periods=N, freq="min", tz="America/New_York", name="when")
    for dtype in ("float64", "float32"):
        series = pd.Series(prices(), index=index, name="close").astype(dtype)
        result = rpsd.denoise(series)
        pd.testing.assert_index_equal(result.index, index)
        assert (result.name, result.dtype) == ("close", series.dtype)
        np.testing.assert_array_equal(result.to_numpy(), rpsd.denoise(series.to_numpy()))


def test_frame_is_time_by_series_and_keeps_each_column():
    index = pd.date_range("2025-01-01", periods=N, freq="min")
    frame = pd.DataFrame(
        {"a": prices(seed=1), "b": prices(seed=2).astype("f4"), "c": np.arange(N), "d": prices(seed=4)},
        index=index,
    )
    frame.columns = pd.Index(["x", "x", 3, ("t", 1)], tupleize_cols=False, name="field")
    result = rpsd.denoise(frame)
    pd.testing.assert_index_equal(result.columns, frame.columns)
    pd.testing.assert_index_equal(result.index, index)
    assert list(result.dtypes) == [np.float64, np.float32, np.float64, np.float64]
    for j in range(4):
        np.testing.assert_array_equal(result.iloc[:, j].to_numpy(), rpsd.denoise(frame.iloc[:, j].to_numpy()))
    run = rpsd.Denoiser().run(frame)
    for j in range(4):
        alone = rpsd.Denoiser().run(frame.iloc[:, j].to_numpy())
        assert run.report.score[j] == pytest.approx(alone.report.score, rel=1e-12)
        assert run.noise.noise_sd[j] == alone.noise.noise_sd


@pytest.mark.parametrize("dtype", ["Float64", "Float32", "Int64", "double[pyarrow]", "int64[pyarrow]"])
def test_nullable_columns_keep_their_kind_and_their_gaps(dtype):
    series = pd.Series(np.round(prices()), name="p").astype(dtype)
    series.iloc[7] = pd.NA
    result = rpsd.denoise(series)
    kinds = {"Float64": "Float64", "Float32": "Float32", "Int64": "Float64"}
    assert str(result.dtype) == kinds.get(dtype, "double[pyarrow]")
    assert result.isna().sum() == 1
    assert result.isna().iloc[7]


def test_empty_frames():
    for frame in (pd.DataFrame(), pd.DataFrame({"a": []}), pd.DataFrame(index=range(3))):
        assert rpsd.denoise(frame).shape == frame.shape


def test_out_and_input_that_is_never_modified():
    x = prices()
    before = x.copy()
    expected = rpsd.denoise(x)
    np.testing.assert_array_equal(x, before)
    out = np.empty_like(x)
    assert rpsd.denoise(x, out=out) is out
    np.testing.assert_array_equal(out, expected)
    rpsd.denoise(x, out=x)
    np.testing.assert_array_equal(x, expected)
    columns = np.empty((N, 2))
    rpsd.denoise(before, out=columns[:, 1])
    np.testing.assert_array_equal(columns[:, 1], expected)


# Dirty data ----------------------------------------------------------------------------------------


def test_missing_samples_stay_missing_and_are_interpolated_within():
    x = prices()
    filled = x.copy()
    x[[0, 1, 100, 101, 102, N - 1]] = np.nan
    known = ~np.isnan(x)
    filled = np.interp(np.arange(N), np.flatnonzero(known), x[known])
    options = {"method": "wavelet", "noise": "mad"}
    y = rpsd.denoise(x, **options)
    np.testing.assert_array_equal(np.isnan(y), np.isnan(x))
    np.testing.assert_allclose(y[known], rpsd.denoise(filled, **options)[known], rtol=0, atol=1e-10)
    result = rpsd.Denoiser(**options).run(x)
    assert (result.missing, result.action) == (6, "denoised")


def test_all_missing_constant_and_short_series_come_back():
    for x in (np.full(50, np.nan), np.full(200, 7.25), np.array([3.0]), np.array([3.0, 4.0]), np.array([])):
        np.testing.assert_allclose(rpsd.denoise(x), x, rtol=1e-15)
    assert rpsd.Denoiser().run(np.full(50, np.nan)).action == "passthrough"
    assert rpsd.Denoiser().run(np.array([1.0, 2.0])).action == "passthrough"


@pytest.mark.parametrize("scale", [1e-300, 1e-160, 1e160, 1e300])
@pytest.mark.parametrize("method", ["auto", "kalman", "wavelet"])
def test_prices_in_extreme_units(scale, method):
    x = prices()
    expected = rpsd.denoise(x, method=method)
    np.testing.assert_allclose(rpsd.denoise(x * scale, method=method) / scale, expected, rtol=1e-9)


@pytest.mark.parametrize("method", ["auto", "kalman", "wavelet"])
def test_log_space_is_the_method_on_logarithms(method):
    x = np.abs(prices()) + 1
    expected = np.exp(rpsd.denoise(np.log(x), method=method))
    np.testing.assert_allclose(rpsd.denoise(x, method=method, space="log"), expected, rtol=1e-12)


# Options that act ----------------------------------------------------------------------------------

BASE = {"method": "wavelet", "wavelet": "db4", "level": 4, "threshold_mode": "bayes"}


@pytest.mark.parametrize(
    "change",
    [
        {"wavelet": "sym8"},
        {"level": 2},
        {"threshold_mode": "universal"},
        {"threshold_mode": "none"},
        {"threshold_rule": "hard"},
        {"threshold_rule": "garrote"},
        {"threshold_rule": "firm"},
        {"threshold_scale": 0.5},
        {"noise": "mad"},
        {"noise": "level"},
        {"noise": 1.5},
        {"boundary": "periodic"},
        {"space": "log"},
        {"use_fir_filter": True},
        {"method": "fir"},
        {"method": "kalman"},
        {"method": "auto"},
    ],
    ids=str,
)
def test_each_option_changes_the_result(change):
    x = prices()
    options = change if "method" in change else {**BASE, **change}
    assert not np.array_equal(rpsd.denoise(x, **options), rpsd.denoise(x, **BASE))


@pytest.mark.parametrize(
    "change", [{"fir_cutoff": 0.3}, {"fir_taps": 31}, {"fir_window": "hamming"}], ids=str
)
def test_each_fir_option_changes_the_result(change):
    x = prices()
    base = {**BASE, "use_fir_filter": True}
    assert not np.array_equal(rpsd.denoise(x, **{**base, **change}), rpsd.denoise(x, **base))


@pytest.mark.parametrize(
    ("key", "strict", "check"),
    [
        ("correlation_threshold", 1.0, "correlation"),
        ("rmse_threshold", 0.0, "rmse"),
        ("trend_threshold", 1.0, "trend"),
        ("power_threshold", 1.0, "power"),
    ],
)
def test_each_guardrail_threshold_acts(key, strict, check):
    x = prices()
    lenient = {"correlation_threshold": -1, "rmse_threshold": 9, "trend_threshold": 0, "power_threshold": 0}
    assert rpsd.Denoiser(guardrails=lenient).run(x).report.passed
    report = rpsd.Denoiser(guardrails={**lenient, key: strict}).run(x).report
    assert not report.passed
    assert [c.name for c in report.checks if not c.passed] == [check]
    with pytest.raises(rpsd.GuardrailError, match=check) as caught:
        rpsd.Denoiser(guardrails={**lenient, key: strict, "policy": "raise"}).denoise(x)
    assert caught.value.report.correlation == report.correlation
    with pytest.warns(rpsd.RpsdWarning, match=check):
        rpsd.Denoiser(guardrails={**lenient, key: strict, "policy": "warn"}).denoise(x)


def test_config_feeds_the_denoiser(tmp_path):
    path = tmp_path / "config.yaml"
    path.write_text("denoiser: {wavelet: sym8, level: 3}\nguardrails: {rmse_threshold: 0.01}\n")
    for config in (path, str(path), rpsd.load_config(path)):
        denoiser = rpsd.Denoiser(config, level=2)
        assert (denoiser.options.wavelet, denoiser.options.level) == ("sym8", 2)
        assert denoiser.guardrails.rmse_threshold == 0.01


# Errors --------------------------------------------------------------------------------------------

BAD_DATA = {
    "scalar": (3.0, "at least one dimension"),
    "complex": (np.ones(4, complex), "complex128"),
    "bool": (np.ones(4, bool), "bool"),
    "text": ("abc", "dtype <U3"),
    "float16": (np.ones(4, np.float16), "float16"),
    "object": ([1.0, None], "NaN, not None"),
    "missing of pandas": (
        pd.Series([1.0, pd.NA], dtype=object),
        "with <NA> at position 1; a missing value is NaN",
    ),
    "text among numbers": (np.array([1.0, 2.0, "3,5"], object), "dtype object with str '3,5' at position 2"),
    "numbers as objects": (np.array([1.0, 2], object), 'all numbers; convert them: .astype("float64")'),
    "nullable flags": (
        pd.Series([True], dtype="boolean"),
        "of NumPy, nullable or Arrow-backed, got dtype boolean",
    ),
    "ragged": ([[1.0], [1.0, 2.0]], "array of numbers"),
    "inf": (np.array([1.0, np.inf]), "inf at position 1"),
    "minus inf": (np.array([[1.0, 2.0], [1.0, -np.inf]]), "-inf at series 1, position 1"),
    "masked": (np.ma.masked_array([1.0, 2.0], [True, False]), "masked"),
    "sparse": (pd.Series([1.0, 2.0]).astype("Sparse[float]"), "Sparse"),
    "dates": (np.array(["2025-01-01"], "M8[D]"), "datetime64"),
}


@pytest.mark.parametrize(("bad", "words"), BAD_DATA.values(), ids=BAD_DATA)
def test_bad_data_is_an_input_error(bad, words):
    with pytest.raises(rpsd.InputError) as caught:
        rpsd.denoise(bad)
    assert words in str(caught.value)
    assert isinstance(caught.value, ValueError)


def test_many_series_of_few_samples_are_told_to_look_transposed():
    x = np.ones((1950, 2))
    with pytest.warns(rpsd.RpsdWarning, match=r"x of shape \(1950, 2\) is taken for 1950 series of 2 sample"):
        rpsd.denoise(x)
    for options in ({"axis": 0}, {"axis": 1}):  # pytest makes any warning an error
        rpsd.denoise(x, **options)
    rpsd.denoise(x[:64])
    rpsd.denoise(np.ones((1950, 8)))


BAD_CALLS = {
    "axis": ({"axis": 1}, rpsd.InputError, "axis"),
    "threads": ({"threads": -1}, rpsd.InputError, "threads"),
    "out shape": ({"out": np.empty(3)}, rpsd.InputError, "out"),
    "out dtype": ({"out": np.empty(N, np.float32)}, rpsd.InputError, "out"),
    "wavelet": ({"wavelet": "db99"}, rpsd.ConfigError, "wavelet"),
    "continuous wavelet": ({"wavelet": "morl"}, rpsd.ConfigError, "wavelet"),
    "level": ({"level": -1}, rpsd.ConfigError, "level"),
    "unknown": ({"wavlet": "db4"}, rpsd.ConfigError, "wavelet"),
    "window": ({"use_fir_filter": True, "fir_window": ("chebwin", -1, 2)}, rpsd.ConfigError, "fir_window"),
    "guardrail": ({"policy": "raise"}, rpsd.ConfigError, "guardrails={"),
    "many threads": ({"threads": 2**40}, rpsd.InputError, "threads"),
    "far ahead": ({"lookahead": 1001}, rpsd.ConfigError, "lookahead must be at most 1000"),
}


@pytest.mark.parametrize(("given", "error", "words"), BAD_CALLS.values(), ids=BAD_CALLS)
def test_bad_calls_name_the_argument(given, error, words):
    with pytest.raises(error, match=words):
        rpsd.denoise(prices(), **given)


def test_denoise_takes_config_and_guardrails_and_says_so(tmp_path):
    x = prices()
    strict = {"rmse_threshold": 1e-9, "policy": "raise"}
    with pytest.raises(rpsd.GuardrailError, match="rmse"):
        rpsd.denoise(x, guardrails=strict)
    (tmp_path / "strict.yaml").write_text(
        "denoiser: {level: 2}\nguardrails: {rmse_threshold: 1e-9, policy: warn}\n"
    )
    with pytest.warns(rpsd.RpsdWarning, match="rmse"):
        y = rpsd.denoise(x, config=tmp_path / "strict.yaml")
    np.testing.assert_array_equal(y, rpsd.denoise(x, level=2))
    with pytest.warns(rpsd.RpsdWarning, match="rmse"):
        assert not np.array_equal(rpsd.denoise(x, config=tmp_path / "strict.yaml", level=3), y)
    for word in ("``config``", "``guardrails``", "GuardrailError"):
        assert word in rpsd.denoise.__doc__


def test_missing_raise_and_prices_without_a_logarithm():
    x = prices()
    x[5] = np.nan
    with pytest.raises(rpsd.InputError, match="NaN at position 5"):
        rpsd.denoise(x, missing="raise")
    x[5] = 0.0
    with pytest.raises(rpsd.InputError, match="<= 0 at position 5"):
        rpsd.denoise(x, space="log")


def test_nothing_is_written_where_one_series_is_bad():
    x = np.stack([prices(), prices()])
    x[1, 3] = np.inf
    out = np.zeros_like(x)
    with pytest.raises(rpsd.InputError):
        rpsd.denoise(x, out=out)
    assert not out.any()


def test_time_index_backwards_missing_and_repeated():
    index = pd.date_range("2025-01-01", periods=4, freq="min")
    values = [1.0, 2.0, 3.0, 4.0]
    with pytest.raises(rpsd.InputError, match=r"back in time.*row 1"):
        rpsd.denoise(pd.Series(values, index=index[[1, 0, 2, 3]]))
    with pytest.raises(rpsd.InputError, match="NaT at row 2"):
        rpsd.denoise(pd.Series(values, index=index.where(index != index[2])))
    with pytest.warns(rpsd.RpsdWarning, match="repeats 1 of 4"):
        rpsd.denoise(pd.Series(values, index=index[[0, 1, 1, 3]]))


def test_frame_with_text_names_the_column():
    with pytest.raises(rpsd.InputError, match="symbol"):
        rpsd.denoise(pd.DataFrame({"price": [1.0, 2.0], "symbol": ["A", "A"]}))
