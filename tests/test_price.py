# SPDX-License-Identifier: MIT
"""The default: units, time and missing samples change nothing; what has no noise comes back as it is."""

import numpy as np
import pandas as pd
import pytest
from price_paths import STEPS, cell, cells

import rpsd

AUTO = rpsd.Denoiser()
KALMAN = rpsd.Denoiser(method="kalman")
FITTED = pytest.mark.parametrize("denoiser", [AUTO, KALMAN], ids=["auto", "kalman"])
KINDS = [("a", 1), ("a", 10), ("b", 1), ("c", 3), ("e_t3", 3), ("e_both", 3)]


@FITTED
@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_any_unit_and_origin(denoiser, kind):
    x, _ = cell(*kind, 600, 11)
    generator = np.random.default_rng(12)
    y = denoiser.denoise(x)
    assert not np.array_equal(y, x)
    for _ in range(4):
        a = np.exp(generator.uniform(-9, 9)) * generator.choice([-1, 1])
        b = generator.standard_normal() * 10 ** generator.uniform(-2, 4)
        moved = a * x + b
        np.testing.assert_allclose(
            denoiser.denoise(moved), a * y + b, rtol=0, atol=1e-9 * np.abs(moved).max()
        )


@FITTED
@pytest.mark.parametrize("kind", KINDS, ids=str)
@pytest.mark.parametrize("exponent", [-1000, -320, -3, 5, 300, 1000])
def test_powers_of_two_change_no_bit(denoiser, kind, exponent):
    x, _ = cell(*kind, 300, 13)
    expected = denoiser.run(x)
    result = denoiser.run(np.ldexp(x, exponent))
    np.testing.assert_array_equal(result.values, np.ldexp(expected.values, exponent))
    assert result.noise.noise_sd == np.ldexp(expected.noise.noise_sd, exponent)
    assert result.noise.step_sd == np.ldexp(expected.noise.step_sd, exponent)
    assert result.noise.predicted_gain_db == expected.noise.predicted_gain_db


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_time_may_run_backwards(kind):
    """The evidence looks forwards only, so a few choices differ; what comes out hardly does."""
    x, _ = cells(*kind, 600, range(8))
    difference = AUTO.denoise(x[:, ::-1])[:, ::-1] - AUTO.denoise(x)
    assert np.sqrt(np.mean(difference**2)) < 0.02 * kind[1]


t = np.arange(500)
CLEAN = {
    "constant": np.full(500, 3.3),
    "straight line": 100 + 0.1 * t,
    "single jump": np.where(t < 250, 1.0, 2.5),
    "jump on a line": 0.1 * t + 5 * (t > 200),
    "two levels": np.where((t // 50) % 2, 1.0, 2.0),
    "staircase": np.floor(t / 50),
    "fine staircase": 100 + 0.01 * np.floor(t / 7),
    "single spike": np.where(t == 100, 5.0, 0.0),
}


@FITTED
@pytest.mark.parametrize("x", CLEAN.values(), ids=CLEAN.keys())
@pytest.mark.parametrize("scale", [1.0, 0.001, -1e6])
def test_shapes_without_noise_come_back(denoiser, x, scale):
    x = scale * x
    np.testing.assert_allclose(denoiser.denoise(x), x, rtol=0, atol=1e-9 * np.abs(x).max())
    assert denoiser.run(x).noise.predicted_gain_db < 0.01


@pytest.mark.parametrize("law", STEPS.values(), ids=STEPS.keys())
def test_walks_without_noise_come_back(law):
    x = np.stack([np.cumsum(law(np.random.default_rng(seed), 600)) for seed in range(100)])
    changed = (AUTO.denoise(x, threads=0) != x).any(axis=1)
    assert changed.sum() <= 2


@FITTED
@pytest.mark.parametrize(
    "gone",
    [
        [0, 1, 2],
        [-1, -2],
        range(200, 260),
        range(0, 500, 2),
        [*range(60), *range(200, 210), *range(450, 500)],
    ],
    ids=["leading", "trailing", "gap", "half", "ends and a gap"],
)
def test_missing_samples_stay_missing_and_harm_no_other(denoiser, gone):
    x, truth = cell("a", 2, 500, 21)
    x[list(gone)] = np.nan
    result = denoiser.run(x)
    np.testing.assert_array_equal(np.isnan(result.values), np.isnan(x))
    assert result.missing == len(gone)
    kept = np.isfinite(x)
    before, after = (np.mean((values - truth)[kept] ** 2) for values in (x, result.values))
    assert 10 * np.log10(before / after) > (2.5 if len(gone) < 200 else 2)


@FITTED
def test_missing_ends_are_as_if_they_were_not_there(denoiser):
    x, _ = cell("a", 2, 400, 22)
    padded = np.r_[np.full(7, np.nan), x, np.full(30, np.nan)]
    np.testing.assert_array_equal(denoiser.denoise(padded)[7:-30], denoiser.denoise(x))


@FITTED
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("n", range(71))
def test_any_length(denoiser, n, dtype):
    x = cell("a", 2, 71, 23)[0][:n].astype(dtype)
    for values in (x, np.full(n, np.nan, dtype), np.where(np.arange(n) % 3, x, np.nan).astype(dtype)):
        result = denoiser.run(values)
        assert (result.values.dtype, result.values.shape) == (dtype, (n,))
        np.testing.assert_array_equal(np.isnan(result.values), np.isnan(values))
        assert result.noise.predicted_gain_db >= 0
        if np.isnan(values).all():
            assert (result.action, np.isnan(result.noise.noise_sd)) == ("passthrough", True)


@FITTED
def test_missing_may_be_refused(denoiser):
    x, _ = cell("a", 2, 100, 24)
    x[7] = np.nan
    with pytest.raises(rpsd.InputError, match="x has NaN at position 7"):
        rpsd.denoise(x, method=denoiser.options.method, missing="raise")
    x[9] = np.inf
    with pytest.raises(rpsd.InputError, match="x has inf at position 9"):
        denoiser.denoise(x)


@FITTED
def test_single_precision_and_integers(denoiser):
    x, _ = cell("a", 3, 700, 25)
    y = denoiser.denoise(x)
    single = denoiser.denoise(x.astype(np.float32))
    assert single.dtype == np.float32
    np.testing.assert_allclose(single, y, rtol=0, atol=1e-5 * np.abs(x).max())
    whole = np.round(100 * x).astype(np.int64)
    np.testing.assert_array_equal(denoiser.denoise(whole), denoiser.denoise(whole.astype(float)))


@FITTED
@pytest.mark.parametrize("scale", [1e-300, 1e300])
def test_numbers_near_the_ends_of_their_range(denoiser, scale):
    x, _ = cell("a", 3, 500, 26)
    y = denoiser.denoise(x)
    np.testing.assert_allclose(denoiser.denoise(x * scale) / scale, y, rtol=0, atol=1e-9 * np.abs(x).max())


@FITTED
def test_logarithms_of_prices(denoiser):
    x, _ = cell("a", 2, 500, 27)
    prices = np.exp(3 + 0.001 * x)
    options = {"method": denoiser.options.method, "space": "log"}
    expected = np.exp(denoiser.denoise(np.log(prices)))
    np.testing.assert_allclose(rpsd.denoise(prices, **options), expected, rtol=1e-12)
    assert rpsd.Denoiser(**options).run(prices).noise.noise_sd == pytest.approx(0.002, rel=0.15)
    with pytest.raises(rpsd.InputError, match="a value <= 0 at position 0"):
        rpsd.denoise(-prices, **options)
    walk = np.exp(np.cumsum(0.01 * np.random.default_rng(28).standard_normal(500)))
    np.testing.assert_array_equal(rpsd.denoise(walk, space="log"), walk)


@FITTED
def test_several_series_are_worked_on_one_by_one(denoiser):
    x, _ = cells("b", 2, 200, range(12))
    x[3, :20] = np.nan
    x[5] = 7.0
    expected = np.stack([denoiser.denoise(row) for row in x])
    np.testing.assert_array_equal(denoiser.denoise(x), expected)
    np.testing.assert_array_equal(denoiser.denoise(x.T, axis=0), expected.T)
    np.testing.assert_array_equal(denoiser.denoise(x.reshape(3, 4, 200)), expected.reshape(3, 4, 200))
    frame = pd.DataFrame(x.T, columns=[f"s{j}" for j in range(12)])
    denoised = denoiser.denoise(frame)
    pd.testing.assert_frame_equal(denoised, pd.DataFrame(expected.T, columns=frame.columns))
    for threads in (2, 5, 0):
        np.testing.assert_array_equal(denoiser.denoise(x, threads=threads), expected)
    x[7, 5] = np.inf
    with pytest.raises(rpsd.InputError, match="inf at series 7, position 5"):
        denoiser.denoise(x)


def test_the_least_gain_decides():
    x, _ = cell("a", 0.5, 2000, 31)
    predicted = rpsd.estimate_noise(x).predicted_gain_db
    assert 1 < predicted < 2
    for least, action in ((0, "denoised"), (predicted - 0.01, "denoised"), (predicted + 0.01, "passthrough")):
        result = rpsd.Denoiser(min_gain_db=least).run(x)
        assert result.action == action
        assert np.array_equal(result.values, x) == (action == "passthrough")
        assert result.noise.predicted_gain_db == predicted


def test_bad_ticks_alone_are_cleaned():
    walk, _ = cell("a", 0, 1000, 32)
    x = walk.copy()
    bad = [200, 555, 800]
    x[bad] += [60, -45, 50]
    result = AUTO.run(x)
    assert result.action == "cleaned"
    np.testing.assert_array_equal(np.delete(result.values, bad), np.delete(walk, bad))
    assert np.abs(result.values - walk)[bad].max() < 3  # between its neighbours


@pytest.mark.parametrize("size", [1e3, 1e5, 1e9, -1e6])
def test_one_bad_tick_of_any_size_leaves_no_trace(size):
    """A price of 0, or of other units, is thousands of steps away."""
    s = rpsd.simulate("a", 1000, 7, nsr=1.0)
    x = s.noisy.copy()
    x[500] = size
    clean, found = rpsd.estimate_noise(s.noisy), rpsd.Denoiser().run(x)
    assert found.noise.noise_sd == pytest.approx(clean.noise_sd, rel=0.1)
    assert found.noise.step_sd == pytest.approx(clean.step_sd, rel=0.1)
    assert np.abs(found.values - s.truth).max() < 5


def test_jumps_stay_where_they_are():
    x, truth = cell("c", 1, 1000, 33)
    y = AUTO.denoise(x)
    at = np.argsort(np.abs(np.diff(truth)))[-6:]
    assert np.abs(np.diff(y)[at] / np.diff(truth)[at] - 1).max() < 0.25


@pytest.mark.parametrize("n", [64, 300, 1000])
@pytest.mark.parametrize("share", [0.07, 0.1, 0.15])
def test_two_prices_in_turn(n, share):
    """Apart from the rarer price the series is constant: neither noise nor steps have a variance."""
    for seed in range(10):
        x = np.where(np.random.default_rng(seed).random(n) < share, 101.0, 100.0)
        result = rpsd.Denoiser().run(x)
        assert np.isfinite(result.values).all(), seed
        if result.action == "passthrough":
            assert np.array_equal(result.values, x)
        else:
            assert result.values.min() >= 100
            assert result.values.max() <= 101
        if result.action == "cleaned":
            assert np.count_nonzero(result.values != x) <= 0.05 * n


@pytest.mark.parametrize("method", ["auto", "kalman"])
def test_a_constant_with_bad_ticks(method):
    x = np.full(500, 100.0)
    x[[50, 120, 200, 280, 333, 400]] = [130, 70, 110, 140, 90, 30]
    result = rpsd.Denoiser(method=method, outliers="spike").run(x)
    assert result.action == "cleaned"
    np.testing.assert_allclose(result.values, 100.0, rtol=1e-14)


def test_series_of_one_batch_do_not_disturb_each_other():
    """Those whose ends are missing are worked on apart, and what was found of the others must stay."""
    rng = np.random.default_rng(16)
    x = np.cumsum(rng.standard_normal((8, 600)), axis=1)
    ticks = rng.random(x.shape) < 0.01
    ticks[:, [0, -1]] = False
    x[ticks] += rng.choice([-40.0, 40.0], np.count_nonzero(ticks))
    x[2, :3] = np.nan
    x[5, -7:] = np.nan
    x[6, 0] += 50
    together = rpsd.Denoiser().run(x)
    assert "cleaned" in together.action
    for row in range(8):
        np.testing.assert_array_equal(together.values[row], rpsd.denoise(x[row]))
