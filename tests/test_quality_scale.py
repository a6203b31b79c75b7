# SPDX-License-Identifier: MIT
"""The guardrails where their fast forms could fail: weak bands, prime lengths, jumps, chunks; and lags."""

import math

import numpy as np
import pytest
from reference import quality
from statsmodels.stats.diagnostic import acorr_ljungbox
from statsmodels.tsa.stattools import acf

import rpsd
from rpsd import _core
from rpsd._whiteness import ljung_box

# Primes, powers of two and their neighbours, ends of chunks of 1,024, and every filter (steps 4 to 7).
LENGTHS = (20, 21, 101, 1019, 1024, 1025, 2048, 5003, 8191, 16_384, 20_011, 30_000, 50_021, 100_003, 131_072)


def noise(n, seed):
    return np.random.default_rng([seed, n]).standard_normal(n)


def walk(n, seed=1):
    return 100 + np.cumsum(noise(n, seed))


def low_power(x):
    """Sum of |X_k|^2 over 0 < k / n <= 1 / 20, in the longest floating point type there is."""
    from scipy.fft import rfft

    x = np.asarray(x, np.longdouble)
    spectrum = rfft(x - x.mean())
    return float(np.sum(np.abs(spectrum[1 : len(x) // 20 + 1]) ** 2))


def almost_empty_band(n, seed, share, above=1 / 20, below=1 / 2):
    """Noise between two frequencies, with this share of its power at 0 < f <= 1 / 20 instead."""
    frequency = np.arange(n // 2 + 1) / n
    generator = np.random.default_rng([seed, n])
    spectrum = generator.standard_normal((2, n // 2 + 1)).T @ np.array([1, 1j])
    inside, outside = (frequency > 0) & (20 * frequency <= 1), (frequency > above) & (frequency < below)
    spectrum[~inside & ~outside] = 0
    total = np.sum(np.abs(spectrum[outside]) ** 2)
    spectrum[inside] *= np.sqrt(share * total / np.sum(np.abs(spectrum[inside]) ** 2))
    return np.fft.irfft(spectrum, n)


def check_power(x, y, rel):
    """The metric knows P(y) / P(x) as long as it is not small beside 1."""
    ratio = low_power(y) / low_power(x)
    assert ratio > 0.1
    assert rpsd.evaluate(x, y).power == pytest.approx(1 - abs(ratio - 1), abs=rel * max(ratio, 1))


@pytest.mark.parametrize("n", LENGTHS)
def test_band_power_of_ordinary_series(n):
    x = walk(n)
    check_power(x, x + noise(n, 2), 1e-12)
    check_power(noise(n, 3), noise(n, 4), 1e-12)
    check_power(1e-6 * noise(n, 3), x, 1e-12)


@pytest.mark.parametrize("n", [n for n in LENGTHS if n > 100])
@pytest.mark.parametrize(("above", "below"), [(0.0501, 0.1), (0.09, 0.15), (0.2, 0.3), (0.3, 0.5)])
def test_band_power_where_the_band_is_almost_empty(n, above, below):
    """What lies above the band may not be folded onto it."""
    check_power(almost_empty_band(n, 5, 1e-8, above, below), noise(n, 6), 1e-10)


@pytest.mark.parametrize("n", [400, 4000, 100_000])
def test_one_tone_at_a_time(n):
    t = np.arange(n)
    slow = np.sin(2 * np.pi * 3 * t / n)
    last = n // 20
    around_the_edge = (1, last // 2, last - 1, last, last + 1, 2 * last)
    folded_onto_zero = (n // 7, n // 6, n // 5, n // 4, n // 2 - 1)
    for cycles in around_the_edge + folded_onto_zero:
        added = 1.0 if cycles <= last else 0.0
        tone = np.cos(2 * np.pi * (cycles * t % n) / n)
        assert rpsd.evaluate(slow, slow + tone).power == pytest.approx(1 - added, abs=1e-11), cycles


def test_after_another_length():
    """Tables are kept for one length; the next one must get its own."""
    pairs = [(walk(n), walk(n) + noise(n, 2)) for n in (700, 1500, 25, 700, 3, 1501, 1500)]
    together = [rpsd.evaluate(x, y).power for x, y in pairs]
    assert together[0] == together[3]
    assert together[1] == together[6]
    for (x, y), power in zip(pairs, together, strict=True):
        assert power == pytest.approx(quality.power(x, y), rel=1e-10)


@pytest.mark.parametrize("n", [30, 31, 93, 94, 95, 1023, 1024, 1025, 1052, 1053, 1054, 2077, 3000])
def test_slopes_at_the_ends_of_blocks(n):
    x, y = walk(n, 7), walk(n, 8)
    assert rpsd.evaluate(x, y).trend == pytest.approx(quality.trend(x, y), abs=1e-12)


def test_a_jump_is_forgotten_after_its_windows():
    """No running sum carries the rounding of a value of another size along."""
    rng = np.random.default_rng(9)
    x, y = 1 + rng.integers(-4, 5, (2, 4000)) * 2.0**-40
    x[0] = 1e15
    y[2000] = -1e12
    assert rpsd.evaluate(x, y).trend == quality.trend(x, y)


@pytest.mark.parametrize("n", [2, 21, 22, 100, 1023, 1044, 5000])
@pytest.mark.parametrize("level", [0.0, 1e6])
def test_autocorrelation_is_that_of_statsmodels(n, level):
    x = np.stack([level + walk(n), level + noise(n, 2)])
    lags = min(20, n - 1)
    expected = [acf(row, nlags=lags, fft=False)[1:] for row in x]
    np.testing.assert_allclose(_core.autocorrelation(x, lags=lags, threads=1), expected, rtol=0, atol=1e-9)


def test_autocorrelation_of_small_moves_of_large_prices():
    """The mean of the prices, rounded, is off by a part of a move; the moves' own mean is exact."""
    moves = np.random.default_rng(6).integers(-3, 4, 1000) + 0.0
    expected = acf(moves, nlags=20, fft=False)[1:]
    found = _core.autocorrelation(2.0**20 + moves[None] * 2.0**-32, lags=20, threads=1)
    np.testing.assert_allclose(found[0], expected, rtol=0, atol=1e-9)


def test_all_lags():
    x = noise(150, 3)[None]
    expected = acf(x[0], nlags=149, fft=False)[1:]
    np.testing.assert_allclose(_core.autocorrelation(x, lags=149, threads=1)[0], expected, rtol=0, atol=1e-13)


@pytest.mark.parametrize("scale", [1e-200, 1e-100, 1e200])
def test_autocorrelation_has_no_unit(scale):
    x = walk(300)[None]
    expected = _core.autocorrelation(x, lags=5, threads=1)
    np.testing.assert_allclose(_core.autocorrelation(scale * x, lags=5, threads=1), expected, rtol=1e-10)


def test_autocorrelation_of_nothing():
    x = np.stack([np.full(50, 0.1), noise(50, 1), noise(50, 1), noise(50, 1), np.zeros(50)])
    x[1, 7], x[2, 49] = np.nan, np.inf
    assert np.isnan(_core.autocorrelation(x, lags=3, threads=2)).all(axis=1).tolist() == [1, 1, 1, 0, 1]
    assert math.isnan(ljung_box(x)[1][0])


@pytest.mark.parametrize("lags", [0, 50, 51])
def test_lags_that_are_not_there(lags):
    with pytest.raises(ValueError, match=f"lags must be from 1 to .* less one, got {lags} for 50 samples"):
        _core.autocorrelation(np.ones((1, 50)), lags=lags, threads=1)


@pytest.mark.parametrize(("lags", "fitted"), [(1, 0), (10, 3), (20, 0), (20, 2)])
def test_ljung_box_is_that_of_statsmodels(lags, fitted):
    rng = np.random.default_rng(10)
    x = rng.standard_normal((4, 500))
    x[1, 1:] += 0.2 * x[1, :-1]
    x[2] = np.cumsum(x[2])
    statistic, p_value = ljung_box(x, lags, fitted)
    for row, q, p in zip(x, statistic, p_value, strict=True):
        expected = acorr_ljungbox(row, lags=[lags], model_df=fitted)
        assert q == pytest.approx(expected["lb_stat"].iloc[0], rel=1e-10)
        assert p == pytest.approx(expected["lb_pvalue"].iloc[0], rel=1e-8, abs=1e-300)


def test_ljung_box_rejects_as_often_as_it_says():
    _, p_value = ljung_box(np.random.default_rng(11).standard_normal((4000, 300)))
    assert np.mean(p_value < 0.05) == pytest.approx(0.05, abs=0.015)
