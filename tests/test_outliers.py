# SPDX-License-Identifier: MIT
"""outliers="spike": bad ticks count as missing samples and get a value; nothing else changes."""

import numpy as np
import pytest

import rpsd

PLACES = np.array([100, 101 + 300, 900])
OPTIONS = [{}, {"method": "kalman"}, {"method": "wavelet"}, {"method": "wavelet", "transform": "modwt"}]


def series(nsr, seed=5, n=1200):
    rng = np.random.default_rng(seed)
    truth = np.cumsum(rng.normal(size=n))
    return truth, truth + nsr * rng.normal(size=n)


@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_a_bad_tick_leaves_no_trace(options, dtype):
    truth, clean = series(1.0)
    dirty = clean.copy()
    dirty[PLACES] += [60.0, -45.0, 50.0]
    missing = clean.copy()
    missing[PLACES] = np.nan
    cleaned = rpsd.denoise(dirty.astype(dtype), outliers="spike", **options)
    expected = rpsd.denoise(missing.astype(dtype), **options)
    others = np.setdiff1d(np.arange(len(truth)), PLACES)
    np.testing.assert_allclose(cleaned[others], expected[others], rtol=1e-9 if dtype == np.float64 else 1e-5)
    assert np.abs(cleaned[PLACES] - truth[PLACES]).max() < 3.0


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_clean_series_are_denoised_as_without_it(options):
    _, clean = series(0.8, seed=11)
    np.testing.assert_array_equal(
        rpsd.denoise(clean, outliers="spike", **options), rpsd.denoise(clean, **options)
    )


def test_a_jump_is_no_bad_tick():
    _, x = series(0.0)
    x[600:] += 80.0
    np.testing.assert_array_equal(rpsd.denoise(x, outliers="spike"), x)


def test_without_noise_only_the_bad_ticks_change():
    _, x = series(0.0)
    dirty = x.copy()
    dirty[PLACES] += 40.0
    result = rpsd.Denoiser(outliers="spike").run(dirty)
    assert result.action == "cleaned"
    changed = np.flatnonzero(result.values != dirty)
    np.testing.assert_array_equal(changed, PLACES)
    neighbours = (x[PLACES - 1] + x[PLACES + 1]) / 2
    np.testing.assert_allclose(result.values[PLACES], neighbours, atol=1e-6)


def test_missing_samples_stay_missing():
    _, x = series(1.0)
    x[PLACES] += 50.0
    x[[7, 99, 500]] = np.nan
    y = rpsd.denoise(x, outliers="spike")
    np.testing.assert_array_equal(np.flatnonzero(np.isnan(y)), [7, 99, 500])


@pytest.mark.parametrize("n", range(6))
def test_short_series(n):
    x = np.arange(n, dtype=float) ** 2
    for options in OPTIONS:
        assert rpsd.denoise(x, outliers="spike", **options).shape == (n,)
