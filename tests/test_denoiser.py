# SPDX-License-Identifier: MIT
"""What users do with denoisers and reports: pickle, compare, scale, and read warnings."""

import copy
import pickle
import pydoc

import numpy as np
import pandas as pd
import pytest
import pywt

import rpsd

N = 500


def prices(n=N, seed=3):
    generator = np.random.default_rng(seed)
    return 100 + np.cumsum(generator.standard_normal(n)) + 2 * generator.standard_normal(n)


@pytest.mark.parametrize(
    "x",
    [
        np.full(300, 205.1),
        np.repeat(205.1 + 0.01 * np.arange(6), 50),
        np.where(np.arange(300) % 7 == 0, np.nan, 205.1),
        np.zeros(64),
    ],
    ids=["constant", "stale", "constant with gaps", "zero"],
)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_prices_that_hardly_move_come_back_untouched(x, dtype):
    result = rpsd.Denoiser().run(x.astype(dtype))
    np.testing.assert_array_equal(result.values, x.astype(dtype))
    assert (result.action, result.report.score, result.report.passed) == ("passthrough", 100, True)


def test_values_that_are_lost_fail_the_report():
    x = prices()
    lost = x.copy()
    lost[10:13] = np.nan
    for y, count in ((lost, 3), (np.full(N, np.nan), N)):
        report = rpsd.evaluate(x, y)
        assert not report.passed
        assert [(c.name, c.value) for c in report.checks if not c.passed and c.name == "missing"] == [
            ("missing", count)
        ]
    assert rpsd.evaluate(lost, lost).passed


@pytest.mark.parametrize("n", [0, 3])
def test_where_nothing_can_be_compared_nothing_is_breached(n):
    """As with np.all([]); a policy acts on breaches only."""
    nothing = np.full(n, np.nan)
    result = rpsd.Denoiser(guardrails={"policy": "raise"}).run(nothing)
    assert result.report.passed is True
    assert rpsd.evaluate(nothing, nothing).passed is True
    assert np.isnan([result.report.score, *(check.value for check in result.report.checks[:4])]).all()
    assert rpsd.evaluate(np.full((2, n), np.nan), np.full((2, n), np.nan)).passed.tolist() == [True, True]
    assert rpsd.evaluate(np.empty((0, n)), np.empty((0, n))).passed.shape == (0,)


def test_single_precision_does_not_overflow():
    x = prices()
    large = rpsd.denoise((x * 1e36).astype(np.float32))
    np.testing.assert_allclose(large / 1e36, rpsd.denoise(x), rtol=1e-5)


def test_a_denoiser_pickles_copies_and_does_not_change():
    x = prices()
    denoiser = rpsd.Denoiser(
        guardrails={"rmse_threshold": 0.2}, wavelet=pywt.Wavelet("sym8"), use_fir_filter=True
    )
    for twin in (pickle.loads(pickle.dumps(denoiser)), copy.deepcopy(denoiser)):
        assert twin.guardrails == denoiser.guardrails
        np.testing.assert_array_equal(twin.denoise(x), denoiser.denoise(x))
    with pytest.raises(AttributeError):
        denoiser.options = rpsd.Options()
    with pytest.raises(AttributeError):
        denoiser.threads = 2


def test_evaluate_refuses_other_labels():
    frame = pd.DataFrame({"a": prices(seed=1), "b": prices(seed=2)})
    assert rpsd.evaluate(frame, frame).passed.all()
    with pytest.raises(rpsd.InputError, match="columns"):
        rpsd.evaluate(frame, frame[["b", "a"]])
    with pytest.raises(rpsd.InputError, match="index"):
        rpsd.evaluate(frame["a"], frame["a"].set_axis(range(7, N + 7)))


def test_warnings_point_at_the_caller():
    index = pd.DatetimeIndex(["2025-01-01", "2025-01-01"])
    calls = (
        lambda: rpsd.denoise(prices(40), level=9),
        lambda: rpsd.Denoiser(level=9).run(prices(40)),
        lambda: rpsd.denoise(pd.Series([1.0, 2.0], index=index)),
        lambda: rpsd.wavedec(prices(40), "db4", level=9),
        lambda: rpsd.Denoiser(guardrails={"rmse_threshold": 0, "policy": "warn"}).denoise(prices()),
    )
    for call in calls:
        with pytest.warns(UserWarning, match=".") as caught:
            call()
        assert [w.filename for w in caught] == [__file__]


def test_help_does_not_show_the_environment(monkeypatch):
    monkeypatch.setenv("PASSWORD_OF_THE_TEST", "hunter2")
    assert "hunter2" not in pydoc.render_doc(rpsd.load_config)


def test_given_noise_is_in_the_units_of_the_prices():
    x = prices()
    expected = rpsd.denoise(x, noise=1.5)
    for scale in (2.0**-700, 2.0**3, 2.0**700):
        np.testing.assert_array_equal(rpsd.denoise(x * scale, noise=1.5 * scale), expected * scale)


def test_gaps_between_the_largest_numbers_do_not_overflow():
    x = np.tile([1.6e308, np.nan, -1.6e308, -1.5e308], 40)
    y = rpsd.denoise(x, threshold_scale=0.5)
    np.testing.assert_array_equal(np.isnan(y), np.isnan(x))
    assert np.isfinite(y[~np.isnan(x)]).all()


@pytest.mark.parametrize("threads", [1, 2, 7])
def test_the_first_bad_series_is_named_whatever_the_threads(threads):
    x = np.stack([prices(100, seed) for seed in range(20)])
    x[7:, 5] = np.inf
    with pytest.raises(rpsd.InputError, match="series 7, position 5"):
        rpsd.denoise(x, threads=threads)


def test_the_default_run_is_its_own_reference():
    """A run of the default saves the fit of the guardrails; evaluate makes it, to the same bits."""
    x = np.stack([rpsd.simulate(kind, 600, seed=3, nsr=1.0).noisy for kind in ("a", "b", "a")])
    x[0, :40] = np.nan
    x[2] = np.cumsum(np.random.default_rng(0).normal(size=600))  # in which no noise is found
    run = rpsd.Denoiser().run(x)
    values = np.array(run.values)
    run.values[:] = 0  # what the caller does with them is no matter
    evaluated = rpsd.evaluate(x, values)
    for ours, theirs in zip(run.report.checks, evaluated.checks, strict=True):
        np.testing.assert_array_equal(ours.value, theirs.value)
        np.testing.assert_array_equal(ours.counts, theirs.counts)
