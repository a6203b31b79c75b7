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


RUNS = {
    500: [2000.0, 0.0],  # a digit too many, then no price
    600: [0.0],
    640: [2000.0, 1900.0, 2100.0],
    700: [20.0, 2000.0, 20.0],
    800: [0.0, 0.0],
}


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("options", [*OPTIONS, {"method": "fir"}], ids=str)
def test_bad_ticks_in_a_row_leave_no_trace(options, seed):
    truth, clean = series(1.0, seed)
    dirty, missing = 200 + clean, 200 + clean
    for place, ticks in RUNS.items():
        dirty[place : place + len(ticks)] = ticks
        missing[place : place + len(ticks)] = np.nan
    seen = np.isfinite(missing)
    cleaned = rpsd.denoise(dirty, outliers="spike", **options)
    np.testing.assert_allclose(cleaned[seen], rpsd.denoise(missing, **options)[seen], rtol=1e-9)
    lines = np.interp(np.arange(len(truth)), np.flatnonzero(seen), missing[seen])
    assert np.abs(cleaned - lines)[~seen].max() < 6.0


@pytest.mark.parametrize("length", [4, 5, 40])
def test_a_plateau_is_no_run_of_bad_ticks(length):
    _, x = series(0.0)
    x[600 : 600 + length] += 80.0
    np.testing.assert_array_equal(rpsd.denoise(x, outliers="spike", method="wavelet", threshold_mode="none"), x)


@pytest.mark.parametrize("kind, most", [("walk", 0), ("t", 8), ("garch", 0), ("jumps", 0), ("ticks", 0)])
def test_clean_prices_are_hardly_ever_taken_for_bad_ticks(kind, most):
    removed = 0
    for seed in range(100, 120):
        rng = np.random.default_rng(seed)
        if kind == "walk":
            x = np.cumsum(rng.normal(size=2048))
        elif kind == "t":
            x = np.cumsum(rng.standard_t(3, size=2048))
        elif kind == "ticks":  # more than half of the moves are zero, the others are the bounce of one tick
            quiet = rng.random(2048) < 0.7
            x = np.round(np.cumsum(0.05 * rng.normal(size=2048)) + np.where(quiet, 0, 0.5 * rng.normal(size=2048)))
        else:
            x = rpsd.simulate("b" if kind == "garch" else "c", 2048, seed=seed).noisy
        # One tap passes everything: what is left of the options is the cleaning.
        cleaned = rpsd.denoise(x, method="fir", fir_taps=1, outliers="spike")
        removed += np.count_nonzero(np.abs(cleaned - x) > 1e-9 * np.ptp(x))
    assert removed <= most


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
