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
    np.testing.assert_array_equal(
        rpsd.denoise(x, outliers="spike", method="wavelet", threshold_mode="none"), x
    )


@pytest.mark.parametrize(("kind", "most"), [("walk", 0), ("t", 8), ("garch", 0), ("jumps", 0), ("ticks", 0)])
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
            x = np.round(
                np.cumsum(0.05 * rng.normal(size=2048)) + np.where(quiet, 0, 0.5 * rng.normal(size=2048))
            )
        else:
            x = rpsd.simulate("b" if kind == "garch" else "c", 2048, seed=seed).noisy
        # One tap passes everything: what is left of the options is the cleaning.
        cleaned = rpsd.denoise(x, method="fir", fir_taps=1, outliers="spike")
        removed += np.count_nonzero(np.abs(cleaned - x) > 1e-9 * np.ptp(x))
    assert removed <= most


def test_a_burst_of_volatility_is_no_run_of_bad_ticks():
    """Beside what moves as much itself nothing stands apart; single spikes are taken all the same."""
    removed = 0
    for seed in range(6):
        rng = np.random.default_rng(seed)
        x = np.cumsum(rng.normal(size=1500))
        x[700:740] += 15 * rng.normal(size=40)
        cleaned = rpsd.denoise(x, method="fir", fir_taps=1, outliers="spike")
        removed += np.count_nonzero(np.abs(cleaned - x) > 1e-9 * np.ptp(x))
    assert removed <= 55  # 48; 67 where only the distance from the two levels counts


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


LOG_OPTIONS = [*OPTIONS, {"method": "fir"}]


@pytest.mark.parametrize("options", LOG_OPTIONS, ids=str)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_prices_without_a_logarithm_are_bad_ticks(options, dtype):
    steps, seen = (0.002 * walk for walk in series(1.0))
    truth, dirty = np.exp(4 + steps), np.exp(4 + seen).astype(dtype)
    bad = [0, 1, 500, 501, 502, 503, 700, 1199]
    dirty[bad] = [0, -1, 0, 0, -0.0, 0, -55, 0]
    cleaned = rpsd.denoise(dirty, space="log", outliers="spike", **options)
    assert np.abs(np.log(cleaned / truth)).max() < 0.01  # five steps
    # Those inside are as if they were missing.
    inside = dirty.copy()
    inside[[0, 1, 1199]] = inside[[2, 2, 1198]]
    missing = np.where(inside > 0, inside, np.nan)
    others = inside > 0
    np.testing.assert_allclose(
        rpsd.denoise(inside, space="log", outliers="spike", **options)[others],
        rpsd.denoise(missing, space="log", outliers="spike", **options)[others],
        rtol=1e-9 if dtype == np.float64 else 1e-5,
    )


@pytest.mark.parametrize("options", LOG_OPTIONS, ids=str)
def test_prices_without_a_logarithm_are_refused_without_cleaning_and_where_they_are_many(options):
    x = np.exp(4 + 0.002 * series(1.0)[1])
    x[[40, 50]] = 0.0
    with pytest.raises(rpsd.InputError, match=r'a value <= 0 at position 40; allowed: .*outliers="spike"'):
        rpsd.denoise(x, space="log", **options)
    x[100:160] = 0.0
    with pytest.raises(
        rpsd.InputError, match="62 values <= 0 of 1200, the first at position 40; allowed: at most"
    ):
        rpsd.denoise(x, space="log", outliers="spike", **options)


@pytest.mark.parametrize("breaks", [None, np.arange(2048) % 512 == 0], ids=["whole", "sessions"])
@pytest.mark.parametrize("method", ["auto", "kalman"])
def test_the_predicted_gain_is_over_the_series_as_it_came(method, breaks):
    real, predicted = [], []
    for seed in range(8):
        drawn = rpsd.simulate("a", 2048, seed=seed, nsr=3, bad_ticks=0.005)
        result = rpsd.Denoiser(method=method, outliers="spike", breaks=breaks).run(drawn.noisy)
        errors = [np.mean((values - drawn.truth) ** 2) for values in (drawn.noisy, result.values)]
        real.append(10 * np.log10(errors[0] / errors[1]))
        predicted.append(result.noise.predicted_gain_db)
    assert np.mean(predicted) == pytest.approx(np.mean(real), abs=0.3)
    assert np.mean(real) > 12  # 8 dB of noise, and bad ticks


def test_bad_ticks_do_not_decide_whether_to_smooth():
    _, x = series(0.0)
    x[PLACES] += 500.0
    assert rpsd.Denoiser(outliers="spike").run(x).action == "cleaned"


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_clean_replaces_bad_ticks_and_nothing_else(dtype):
    _, x = series(0.5)
    x = (x + 500).astype(dtype)
    dirty = x.copy()
    dirty[PLACES] = [0, 5000, 650]
    dirty[600:602] = [5000, 0]
    dirty[:3] = dirty[700:705] = np.nan
    bad = np.r_[PLACES, 600, 601]
    y = rpsd.clean(dirty)
    good = np.setdiff1d(np.arange(x.size), bad)
    np.testing.assert_array_equal(y[good], dirty[good])
    assert y.dtype == dtype
    np.testing.assert_allclose(y[PLACES], (x[PLACES - 1] + x[PLACES + 1]) / 2, rtol=1e-6)
    np.testing.assert_allclose(y[600:602], x[599] + (x[602] - x[599]) * np.array([1, 2]) / 3, rtol=1e-6)


def test_clean_mirrors_its_input_and_leaves_what_is_clean():
    _, x = series(1.0)
    stacked = np.stack([x, x + 7])
    np.testing.assert_array_equal(rpsd.clean(stacked, threads=2), stacked)
    np.testing.assert_array_equal(rpsd.clean(stacked.T, axis=0), stacked.T)
    assert rpsd.clean(np.arange(5)).tolist() == [0, 1, 2, 3, 4]
    assert rpsd.clean([]).shape == (0,)
    with pytest.raises(rpsd.InputError, match="x has inf at position 1"):
        rpsd.clean([1.0, np.inf])


@pytest.mark.parametrize("options", [{"space": "log"}, {"lookahead": 5, "window": 64}, {"level": 1}], ids=str)
def test_bad_ticks_go_without_any_threshold_too(options):
    _, x = series(0.5)
    x += 500
    dirty = x.copy()
    dirty[PLACES] = 5000
    y = rpsd.denoise(dirty, method="wavelet", threshold_mode="none", outliers="spike", **options)
    good = ~np.isnan(y)
    assert good[PLACES[1:]].all()
    np.testing.assert_allclose(y[good], x[good], atol=5)
    untouched = good.copy()
    untouched[PLACES] = False
    np.testing.assert_array_equal(y[untouched], x[untouched])
