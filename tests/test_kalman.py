# SPDX-License-Identifier: MIT
"""method="kalman" is the local level model by exact maximum likelihood: statsmodels is the judge."""

import warnings

import numpy as np
import pytest
from price_paths import cell
from statsmodels.tsa.statespace.structural import UnobservedComponents

import rpsd

KALMAN = rpsd.Denoiser(method="kalman")
SERIES = [("a", 0.5, 300, 1), ("a", 1, 700, 2), ("a", 3, 500, 3), ("a", 10, 400, 4), ("b", 1, 600, 5)]


def with_gaps(x):
    x = x.copy()
    x[::7] = np.nan
    x[100:130] = np.nan
    return x


@pytest.fixture(params=[*SERIES, "gaps"], ids=str)
def prices(request):
    return with_gaps(cell("a", 2, 500, 6)[0]) if request.param == "gaps" else cell(*request.param)[0]


def judge(x):
    """A diffuse start, so that its likelihood is that of the samples after the first."""
    return UnobservedComponents(x, "local level", use_exact_diffuse=True)


def test_smooths_as_statsmodels_does_with_the_same_parameters(prices):
    result = KALMAN.run(prices)
    noise = result.noise
    theirs = judge(prices).smooth([noise.noise_sd**2, noise.step_sd**2]).smoothed_state[0]
    seen = np.isfinite(prices)
    np.testing.assert_allclose(result.values[seen], theirs[seen], rtol=0, atol=1e-8 * noise.noise_sd)
    assert (result.action, result.lookahead, result.level) == ("denoised", None, 0)


def test_finds_the_parameters_that_statsmodels_finds(prices):
    model, result = judge(prices), KALMAN.run(prices)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its optimiser says that it cannot do better
        fitted = model.fit(method="bfgs", gtol=1e-10, disp=False)
    ours = np.array([result.noise.noise_sd, result.noise.step_sd])
    assert model.loglike(ours**2) >= fitted.llf - 1e-9 * abs(fitted.llf)
    np.testing.assert_allclose(ours, np.sqrt(fitted.params), rtol=1e-6)
    seen = np.isfinite(prices)
    theirs = fitted.smoothed_state[0]
    np.testing.assert_allclose(result.values[seen], theirs[seen], rtol=0, atol=1e-6 * ours[0])


def test_predicts_the_gain_of_the_closed_form():
    """5 log10(1 + 4 r^2) from the whole series, -10 log10 of the steady-state gain from the past."""
    noise = KALMAN.run(cell("a", 1, 20_000, 7)[0]).noise
    r = noise.nsr**2
    assert noise.predicted_gain_db == pytest.approx(5 * np.log10(1 + 4 * r), abs=0.01)
    steady = (np.sqrt(1 + 4 * r) - 1) / (2 * r)
    assert noise.predicted_causal_gain_db == pytest.approx(-10 * np.log10(steady), abs=1e-9)
    assert noise.nsr == pytest.approx(1, abs=0.05)
    assert (noise.kind, np.isnan(noise.gain_probability)) == ("price", True)


def test_time_runs_backwards_as_well(prices):
    backwards = KALMAN.denoise(prices[::-1])[::-1]
    np.testing.assert_allclose(
        backwards, KALMAN.denoise(prices), rtol=0, atol=1e-9 * np.nanmax(np.abs(prices))
    )


@pytest.mark.parametrize("n", range(3, 40))
def test_smooths_short_series_as_statsmodels_does(n):
    x = cell("a", 2, n, 8)[0]
    result = KALMAN.run(x)
    noise = result.noise
    model = judge(x)
    theirs = model.smooth([noise.noise_sd**2, noise.step_sd**2])
    np.testing.assert_allclose(result.values, theirs.smoothed_state[0], rtol=0, atol=1e-5 * np.ptp(x))


def test_a_walk_of_steps_of_one_sign_is_left_alone():
    x = np.cumsum(np.abs(np.random.default_rng(9).standard_normal(300)))
    result = KALMAN.run(x)
    np.testing.assert_array_equal(result.values, x)
    assert (result.action, result.noise.predicted_gain_db < 0.01) == ("passthrough", True)


def test_asks_for_a_least_gain_where_told_to():
    x = cell("a", 1, 700, 2)[0]
    assert rpsd.Denoiser(method="kalman", min_gain_db=20).run(x).action == "passthrough"
    np.testing.assert_array_equal(rpsd.denoise(x, method="kalman", min_gain_db=20), x)
