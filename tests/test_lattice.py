# SPDX-License-Identifier: MIT
"""Prices on ticks: the tick itself, the smoother against its slow twin, and what it gains."""

import numpy as np
import pytest
from reference import lattice as twin

import rpsd
from rpsd import _core

EPSILON = np.finfo(float).eps


def tick_size(y, dtype=float):
    y = np.asarray(y, dtype)
    seen = np.isfinite(y)
    filled = np.where(seen, y, 0).astype(float)
    precision = float(np.finfo(dtype).eps) * np.max(np.abs(filled), initial=0)
    return _core.tick_size(filled, seen.astype(float), precision=precision)


def smooth(y, tick, noise_variance, step_variance, step_scale=()):
    seen = np.isfinite(y)
    return _core.smooth_lattice(
        np.where(seen, y, 0),
        seen.astype(float),
        tick=tick,
        noise_variance=noise_variance,
        step_variance=step_variance,
        step_scale=np.asarray(step_scale, float),
    )


def roll(seed, n, step_sd=0.5, tick=1.0, level=100.3):
    """R. Roll (1984): trades bounce one tick about a random walk; here also rounded to ticks."""
    rng = np.random.default_rng(seed)
    x = level + tick * np.cumsum(step_sd * rng.standard_normal(n))
    return x, tick * np.round(x / tick + rng.choice([-1.0, 1.0], n))


def spoil(y, seed, count, size=30):
    rng = np.random.default_rng(seed)
    bad = rng.choice(np.arange(5, len(y) - 5), count, replace=False)
    y = y.copy()
    y[bad] += np.round(rng.choice([-1, 1], count) * rng.uniform(0.5, 1, count) * size)
    return y


def jump(x, y, seed, count, size):
    rng = np.random.default_rng(seed)
    x, y = x.copy(), y.copy()
    for at in rng.choice(np.arange(5, len(y) - 5), count, replace=False):
        by = np.round(rng.choice([-1, 1]) * rng.uniform(0.5, 1) * size)
        x[at:] += by
        y[at:] += by
    return x, y


def gain_db(x, y, mean):
    return 10 * np.log10(np.nanmean((y - x) ** 2) / np.mean((mean - x) ** 2))


def walk(n=300, seed=1, ticks=3):
    return np.cumsum(np.random.default_rng(seed).integers(-ticks, ticks + 1, n))


TICKS = {
    "cents": (100 + 0.01 * walk(), 0.01),
    "cents at 1e5": (1e5 + 0.01 * walk(), 0.01),
    "quarters": (4500.25 + 0.25 * walk(), 0.25),
    "thirty-seconds": (110 + walk() / 32, 1 / 32),
    "yen": (15000.0 + 5 * walk(), 5.0),
    "small unit": (1e-9 * (100 + walk()), 1e-9),
    "prices beside the ticks": (0.0037 + 0.01 * walk(), 0.01),
    "halved for a while": (50 + 0.01 * np.r_[walk(), 0.5 * walk()], 0.005),
    "no move of one tick": (
        0.01 * np.cumsum(np.random.default_rng(3).choice([-15, -10, -6, 6, 10, 15], 300)),
        0.01,
    ),
    "one bad tick": (np.r_[100 + 0.01 * walk(), 1e4, 100 + 0.01 * walk(seed=2)], 0.01),
    "continuous": (100 + np.cumsum(np.random.default_rng(4).standard_normal(300)), 0),
    "finer than it matters": (100 + np.round(np.cumsum(np.random.default_rng(4).standard_normal(300)), 3), 0),
    "one price beside the ticks": (np.r_[100 + 0.01 * walk(), 100.0037, 100 + 0.01 * walk(seed=2)], 0),
    "constant": (np.full(300, 7.25), 0),
    "19 moves": (np.repeat(np.arange(20.0), 20), 0),
    "20 moves": (np.repeat(np.arange(21.0), 20), 1.0),
    "one price": ([1.0], 0),
    "none": ([], 0),
    "all missing": (np.full(40, np.nan), 0),
}


@pytest.mark.parametrize("case", TICKS)
def test_tick(case):
    y, tick = TICKS[case]
    assert tick_size(y) == pytest.approx(tick, rel=1e-6, abs=0)


def test_tick_with_gaps():
    y = 100 + 0.01 * walk(1000)
    y[np.random.default_rng(5).random(1000) < 0.3] = np.nan
    assert tick_size(y) == pytest.approx(0.01, rel=1e-9)


@pytest.mark.parametrize("level", [0.5, 20, 150])
def test_tick_in_single_precision(level):
    assert tick_size(level + 0.01 * walk(2000), np.float32) == pytest.approx(0.01, rel=1e-4)


def test_no_tick_where_single_precision_cannot_tell():
    assert tick_size(1e5 + 0.01 * walk(), np.float32) == 0
    assert tick_size(100 + np.cumsum(np.random.default_rng(4).standard_normal(300)), np.float32) == 0


def test_tick_follows_the_unit():
    y = 100 + 0.01 * walk()
    for unit in (1e-6, 3.7, 1e6):
        assert tick_size(unit * (y - 93.3)) == pytest.approx(unit * 0.01, rel=1e-6)


def dirty(n, gaps):
    _x, y = jump(*roll(11, n), seed=2, count=2, size=18)
    y = spoil(y, 3, 2)
    y[::gaps] = np.nan
    y[n // 2 : n // 2 + 4] = np.nan
    return y


TWINS = {
    "bounce": (roll(1, 80)[1], 1.0, 1.03, 0.3, None),
    "jumps, bad ticks, gaps": (dirty(90, 7), 1.0, 1.2, 0.7, None),
    "quarters": (roll(4, 40, 0.3, 0.25)[1], 0.25, 0.07, 0.006, None),
    "sixteen states a tick": (roll(5, 30, 0.06)[1], 1.0, 1.0, 0.004, None),
    "coarse grid": (
        np.round(100 + np.cumsum(3 * np.random.default_rng(6).standard_normal(40))),
        1.0,
        4.5,
        6.0,
        None,
    ),
    "volatility": (roll(7, 70)[1], 1.0, 1.0, 0.3, np.exp(np.sin(np.arange(70) / 9))),
    "extreme volatility": (roll(7, 40)[1], 1.0, 1.0, 0.3, np.r_[np.full(20, 1e-9), np.full(20, 1e9)]),
    "four prices": (np.array([1.0, 2.0, 1.0, 3.0]), 1.0, 0.5, 0.5, None),
    "one price": (np.array([np.nan, 4.0, np.nan]), 1.0, 0.5, 0.5, None),
}


@pytest.mark.parametrize("case", TWINS)
def test_smoother_equals_its_twin(case):
    y, tick, noise_variance, step_variance, scale = TWINS[case]
    mean, variance, fit = smooth(y, tick, noise_variance, step_variance, () if scale is None else scale)
    expected = twin.smooth_lattice(y, np.isfinite(y), tick, noise_variance, step_variance, scale)
    np.testing.assert_allclose(mean, expected[0], rtol=0, atol=1e-9)
    np.testing.assert_allclose(variance, expected[1], rtol=1e-9, atol=1e-9)
    assert fit == pytest.approx(expected[2], rel=1e-7, abs=1e-9)


def test_parts_of_a_long_series_stand_for_it():
    """Beyond 16,384 samples parameters are fitted to eight parts."""
    x, y = roll(8, 40000)
    mean, _, fit = smooth(y, 1.0, 1.05, 0.27)
    assert fit["step_variance"] == pytest.approx(0.25, rel=0.1)
    assert gain_db(x, y, mean) > 9.1
    whole = smooth(y[:16384], 1.0, 1.05, 0.27)[0]
    assert np.mean((mean[:16384] - whole) ** 2) < 0.05 * np.mean((whole - x[:16384]) ** 2)


def test_unit_and_level():
    y = spoil(roll(9, 500)[1], 1, 3)
    mean, variance, fit = smooth(y, 1.0, 1.08, 0.25)
    for unit, level in ((0.0078125, 0.0), (1.0, 1e6), (1e-7, 3.0)):
        other = smooth(level + unit * y, unit, 1.08 * unit**2, 0.25 * unit**2)
        np.testing.assert_allclose((other[0] - level) / unit, mean, rtol=0, atol=1e-7)
        np.testing.assert_allclose(other[1] / unit**2, variance, rtol=1e-6)
        assert other[2]["log_likelihood_gain"] == pytest.approx(fit["log_likelihood_gain"], abs=1e-6)


def test_time_and_sign_may_be_reversed():
    """The chain is reversible. Beyond 4,096 samples rows are computed twice, in blocks whose seams then lie
    elsewhere."""
    y = spoil(roll(10, 6000)[1], 1, 12)
    mean, variance, _ = smooth(y, 1.0, 1.08, 0.25)
    back = smooth(y[::-1].copy(), 1.0, 1.08, 0.25)
    np.testing.assert_allclose(back[0][::-1], mean, rtol=0, atol=1e-8)
    np.testing.assert_allclose(back[1][::-1], variance, rtol=0, atol=1e-8)
    np.testing.assert_allclose(-smooth(-y, 1.0, 1.08, 0.25)[0], mean, rtol=0, atol=1e-9)


def test_gain_on_the_roll_model():
    """Limit with true parameters 9.3 dB (QUALITY.md, cell d); the Gaussian smoother has 6.3."""
    rows = []
    for seed in range(6):
        x, y = roll([20, seed], 2048)
        mean, variance, fit = smooth(y, 1.0, 1.05, 0.27)
        rows.append((gain_db(x, y, mean), np.mean((mean - x) ** 2) / np.mean(variance)))
        assert fit["log_likelihood_gain"] > 100
        assert fit["noise_variance"] == pytest.approx(1 + 1 / 12, rel=0.06)
        assert fit["step_variance"] == pytest.approx(0.25, rel=0.3)
    gain, calibration = np.mean(rows, axis=0)
    assert gain > 8.9
    assert calibration == pytest.approx(1, abs=0.1)


def test_bad_ticks_and_jumps_cost_nothing():
    """Against the same prices without them, from a start that they have spoilt."""
    errors = []
    for seed in range(4):
        x, y = roll([21, seed], 2048)
        clean = smooth(y, 1.0, 1.05, 0.27)[0]
        jumped_x, jumped = jump(x, y, seed, 8, 22)
        mean, _, fit = smooth(spoil(jumped, 100 + seed, 10, 50), 1.0, 1.2, 1.1)
        errors.append((np.mean((clean - x) ** 2), np.mean((mean - jumped_x) ** 2)))
        assert fit["bad_tick_share"] == pytest.approx(10 / 2048, rel=0.3)
        assert fit["jump_share"] == pytest.approx(8 / 2048, rel=0.5)
    alone, together = np.mean(errors, axis=0)
    assert together < 1.25 * alone


def test_gaussian_noise_shows_no_lead():
    """Where rounding is the only thing not Gaussian the caller keeps the Gaussian smoother."""
    for seed in range(4):
        rng = np.random.default_rng([22, seed])
        x = np.cumsum(rng.standard_normal(2048))
        y = np.round(x + rng.standard_normal(2048))
        mean, _, fit = smooth(y, 1.0, 1 + 1 / 12, 1.0)
        assert fit["log_likelihood_gain"] < 10
        assert gain_db(x, y, mean) > 3.3  # the limit is 5 log10(1 + 4 * 13 / 12) = 3.6


def test_known_volatility_helps():
    rng = np.random.default_rng(23)
    scale = np.exp(1.5 * np.sin(np.arange(4096) / 60))
    scale /= scale.mean()
    x = np.cumsum(0.5 * np.sqrt(scale) * rng.standard_normal(4096))
    y = np.round(x + rng.choice([-1.0, 1.0], 4096))
    without, told = smooth(y, 1.0, 1.05, 0.27), smooth(y, 1.0, 1.05, 0.27, scale)
    assert gain_db(x, y, told[0]) > gain_db(x, y, without[0]) + 0.3
    assert told[2]["log_likelihood_gain"] > 100


BAD = {
    "lengths": ({"y": np.zeros(3), "seen": np.ones(2)}, "one length"),
    "nothing seen": ({"y": np.zeros(2), "seen": np.zeros(2)}, "seen must have"),
    "no tick": ({"tick": 0.0}, "must be above 0"),
    "variance": ({"noise_variance": 65.0}, "at most 64"),
    "scale": ({"step_scale": np.ones(2)}, "step_scale must be"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_arguments(case):
    changed, message = BAD[case]
    good = {
        "y": np.zeros(3),
        "seen": np.ones(3),
        "tick": 1.0,
        "noise_variance": 1.0,
        "step_variance": 1.0,
        "step_scale": np.empty(0),
    }
    args = good | changed
    with pytest.raises(ValueError, match=message):
        _core.smooth_lattice(args.pop("y"), args.pop("seen"), **args)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_log_space_tells_that_it_does_not_use_ticks(dtype):
    """Their logarithms are on no lattice: Roll's prices are then denoised as if by a Gaussian model."""
    _, y = roll(3, 2048, level=400.0)
    prices = (y / 4).astype(dtype)
    with pytest.warns(
        rpsd.RpsdWarning, match=r'space="log" does not use that prices are on ticks \(of 0.25 here\)'
    ):
        rpsd.denoise(np.stack([prices, prices]), space="log")
    for options in ({}, {"space": "log", "method": "kalman"}):  # pytest makes any warning an error
        rpsd.denoise(prices, **options)
    fine = np.exp(0.0005 * np.random.default_rng(1).normal(size=2048).cumsum() + 5)
    noisy = np.round(fine + 0.2 * np.random.default_rng(2).normal(size=2048), 3)  # 200 ticks of noise
    rpsd.denoise(noisy.astype(dtype), space="log")


def test_log_space_tells_nothing_of_ticks_where_only_the_bounce_moves_prices():
    """In price space too the lattice is left out where steps are less than a fiftieth of a tick."""
    prices = 100.0 + np.random.default_rng(3).integers(0, 2, 2000)
    rpsd.denoise(prices, space="log")  # pytest makes any warning an error
