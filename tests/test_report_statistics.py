# SPDX-License-Identifier: MIT
"""The numbers in the pictures, beside SciPy, statsmodels and closed forms."""

import numpy as np
import pytest
import scipy.signal
from statsmodels.tsa.statespace.structural import UnobservedComponents
from statsmodels.tsa.stattools import acf

import rpsd
from rpsd.report._canvas import robust_limits
from rpsd.report._figures import details
from rpsd.report._pareto import frontier, point, sweep
from rpsd.report._statistics import autocorrelation, filled, innovations, periodogram, winsorised
from rpsd.report._subject import subject_of


def noisy(n=400, seed=1, nsr=1.0):
    return 100 + rpsd.simulate("a", n, seed=seed, nsr=nsr).noisy


@pytest.mark.parametrize("n", [7, 300])
def test_the_periodogram_is_scipys(n):
    x = noisy(n)
    frequency, power = scipy.signal.periodogram(x, detrend="constant", scaling="density")
    # One-sided: all but the ends have the power of two.
    power[1 : (n + 1) // 2] /= 2
    np.testing.assert_allclose(periodogram(x)[0], frequency[1:], rtol=1e-12)
    np.testing.assert_allclose(periodogram(x)[1], power[1:], rtol=1e-9)


def test_bins_of_a_long_series_keep_the_power():
    x = np.random.default_rng(3).normal(size=100_000)
    frequency, power = periodogram(x)
    assert len(power) <= 240
    assert np.all(np.diff(frequency) > 0)
    assert frequency[-1] <= 0.5
    assert power[-50:].mean() == pytest.approx(1.0, abs=0.02)  # white noise of variance 1


def test_the_autocorrelation_is_statsmodels():
    x = noisy()
    np.testing.assert_allclose(autocorrelation(x, 20), acf(x, nlags=20)[1:], rtol=1e-9, atol=1e-12)


def test_innovations_are_those_of_statsmodels():
    x = noisy()
    x[[50, 51, 200]] = np.nan
    model = UnobservedComponents(x, "local level")
    found = model.smooth([0.7**2, 1.3**2]).filter_results.forecasts_error[0]
    ours = innovations(x, 0.7, 1.3)
    # statsmodels begins with a variance that is large, not infinite: the difference dies out.
    np.testing.assert_allclose(ours[30:], found[30:], rtol=1e-6, atol=1e-8)
    assert np.isnan(ours[[0, 50, 51, 200]]).all()


@pytest.mark.parametrize(("noise", "step"), [(0.0, 1.0), (1.0, 0.0)])
def test_innovations_at_both_ends_of_the_ratio(noise, step):
    x = noisy(50)
    forecast = x[:-1] if step else np.cumsum(x[:-1]) / np.arange(1, 50)
    np.testing.assert_allclose(innovations(x, noise, step)[1:], x[1:] - forecast, atol=1e-9)


def test_one_extreme_does_not_decide_an_autocorrelation():
    x = np.random.default_rng(5).normal(size=500)
    spoiled = x.copy()
    spoiled[100] = 1e6
    np.testing.assert_allclose(
        autocorrelation(winsorised(spoiled), 5), autocorrelation(x, 5), atol=4 * 5 / 500
    )


def test_details_and_smooth_add_up_to_the_series():
    x = noisy(301)
    parts = details(x, "sym8", 4)
    assert len(parts) == 5
    np.testing.assert_allclose(sum(parts), x, atol=1e-10)
    # Each detail has its power where its name says: periods of 2**j to 2**(j + 1) samples.
    for level, part in zip((4, 3, 2, 1), parts[1:], strict=True):
        frequency, power = scipy.signal.periodogram(part)
        inside = (frequency >= 0.8 / 2 ** (level + 1)) & (frequency <= 1.25 / 2**level)
        assert power[inside].sum() > 0.7 * power.sum()


def test_no_output_lies_below_the_frontier():
    x = noisy()
    removal, roughness = np.array(list(frontier(x))).T
    outputs = [x, rpsd.denoise(x), rpsd.denoise(x, wavelet="haar"), np.full_like(x, x.mean())]
    outputs += [rpsd.denoise(x, method="fir", fir_cutoff=cutoff) for cutoff in (0.1, 0.3)]
    outputs += [x + np.random.default_rng(1).normal(size=len(x))]
    for y in outputs:
        away, rough = point(x, y)
        # The frontier is convex, so that a chord lies above it: finely spaced, by little.
        assert rough >= np.interp(away, removal, roughness, right=0.0) * (1 - 0.01) - 1e-3
    # And it is reached: the local level smoother lies on it.
    away, rough = point(x, rpsd.denoise(x, method="kalman"))
    assert rough == pytest.approx(np.interp(away, removal, roughness), rel=0.02)


@pytest.mark.parametrize(
    ("options", "stronger"),
    [
        ({"wavelet": "db4", "threshold_scale": 0.5}, {"threshold_scale": 1.0}),
        ({"method": "fir", "fir_cutoff": 0.2}, {"fir_cutoff": 0.1}),
    ],
)
def test_the_sweep_runs_the_same_options_at_other_strengths(options, stronger):
    x = noisy()
    outputs = list(sweep(subject_of(rpsd.Denoiser(**options).run(x))))
    np.testing.assert_array_equal(outputs[3], rpsd.denoise(x, **options))
    np.testing.assert_array_equal(outputs[5], rpsd.denoise(x, **{**options, **stronger}))
    smooth = [point(x, y)[1] for y in outputs]
    assert smooth == sorted(smooth, reverse=True)


def test_methods_without_a_strength_have_the_frontier_alone():
    assert list(sweep(subject_of(rpsd.Denoiser().run(noisy())))) == []


def test_missing_samples_are_interpolated():
    np.testing.assert_array_equal(filled(np.array([np.nan, 1.0, np.nan, 3.0])), [1.0, 1.0, 2.0, 3.0])
    assert filled(np.array([np.nan])).size == 0


@pytest.mark.parametrize(
    ("values", "limits"),
    [
        ([1.0, 2.0, 3.0], (1.0, 3.0)),
        ([100.0, 101.0, 102.0, 1e6, 103.0], (100.0, 103.0)),
        ([5.0] * 99 + [1e6], (5.0, 1e6)),
        ([np.nan, 7.0], (7.0, 7.0)),
        ([np.nan], None),
    ],
    ids=["few", "five with a bad tick", "constant but for one", "one", "none"],
)
def test_limits_leave_out_the_few_that_lie_far_away(values, limits):
    assert robust_limits(np.array(values)) == limits
