# SPDX-License-Identifier: MIT
"""The guardrail metrics equal their definitions: the twin, closed forms, and the conventions at the edges."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from reference import quality
from reference.gaps import filled

import rpsd

METRICS = ("correlation", "rmse", "trend", "power", "score")


def walk(n, seed=1):
    return 100 + np.cumsum(np.random.default_rng([seed, n]).standard_normal(n))


def moving_average(x, width):
    return np.convolve(
        np.pad(x, (width // 2, (width - 1) // 2), mode="edge"), np.ones(width) / width, "valid"
    )


def check(x, y, rel=1e-9):
    report, expected = rpsd.evaluate(x, y), quality.evaluate(x, y)
    for name in METRICS:
        assert getattr(report, name) == pytest.approx(expected[name], rel=rel, abs=rel, nan_ok=True), name


def values(report):
    return [getattr(report, name) for name in METRICS]


@pytest.mark.parametrize(
    "n", [*range(1, 70), 100, 199, 200, 201, 997, 1000, 1024, 1946, 4096, 5003, 65_536, 100_000]
)
def test_agrees_with_the_twin(n):
    x = walk(n)
    noise = np.random.default_rng([2, n]).standard_normal(n)
    check(x, x + 0.3 * noise)
    if n in (30, 200, 997, 4096):
        check(x, moving_average(x, 5))
        check(x, 50 + 0.5 * x[::-1])
        check(x, 1000 * noise)
        check(noise, x)


@pytest.mark.parametrize("n", [30, 200, 1001])
def test_scipy_and_numpy_say_the_same(n):
    """The twin's own judges: numpy.corrcoef, a line fitted to each window, scipy's periodogram."""
    from scipy.signal import periodogram

    x, y = walk(n), moving_average(walk(n), 7)
    report = rpsd.evaluate(x, y)
    assert report.correlation == pytest.approx(np.corrcoef(x, y)[0, 1], rel=1e-9)
    assert report.rmse == pytest.approx(np.sqrt(np.mean((x - y) ** 2)) / np.std(x), rel=1e-9)
    slopes = [
        np.polyfit(np.arange(30), np.lib.stride_tricks.sliding_window_view(z, 30).T, 1)[0] for z in (x, y)
    ]
    assert report.trend == pytest.approx(np.mean(np.sign(slopes[0]) == np.sign(slopes[1])), rel=1e-9)
    frequency, (power_x, power_y) = periodogram(np.stack([x, y]), detrend="constant", scaling="spectrum")
    # As many as are at most a tenth of the Nyquist frequency, told apart exactly.
    low = slice(1, n // 20 + 1)
    assert frequency[low][-1] <= 0.05
    ratio = power_y[low].sum() / power_x[low].sum()
    assert report.power == pytest.approx(1 - abs(ratio - 1), rel=1e-9)


@pytest.mark.parametrize("n", [30, 31, 500, 100_000])
def test_identity_scores_100(n):
    x = walk(n)
    assert values(rpsd.evaluate(x, x)) == [1, 0, 1, 1, 100]
    assert values(rpsd.evaluate(x, x.copy())) == [1, 0, 1, 1, 100]
    assert rpsd.evaluate(x, x).passed is True


@pytest.mark.parametrize("n", [1, 2, 19, 20, 29])
def test_identity_of_a_short_series(n):
    assert values(rpsd.evaluate(walk(n), walk(n))) == pytest.approx([1, 0, math.nan, 1, 100], nan_ok=True)


@pytest.mark.parametrize("value", [0.0, 1.0, 0.1, -101.37, 1e-300, 1e300])
def test_identity_of_a_constant_series(value):
    x = np.full(333, value)
    assert values(rpsd.evaluate(x, x)) == [1, 0, 1, 1, 100]


@pytest.mark.parametrize("n", [7, 30, 333, 1000, 1021])
@pytest.mark.parametrize("value", [0.0, 0.1, -101.37])
def test_constant_against_anything_else(value, n):
    constant, x = np.full(n, value), walk(n)
    trend = math.nan if n < 30 else 0.0
    same_power = 1.0 if n < 20 else 0.0
    report = rpsd.evaluate(constant, x)
    assert values(report)[:4] == pytest.approx([0, math.inf, trend, same_power], nan_ok=True)
    check(constant, x)
    report = rpsd.evaluate(x, constant)
    assert report.correlation == 0
    assert report.power == same_power
    check(x, constant)
    report = rpsd.evaluate(constant, constant + 1)
    agree = math.nan if n < 30 else 1.0
    assert values(report)[:4] == pytest.approx([0, math.inf, agree, 1], nan_ok=True)
    check(constant, constant + 1)


def test_shift_and_stretch_in_closed_form():
    x = walk(1000)
    shifted = rpsd.evaluate(x, x + 0.25)
    assert values(shifted)[:4] == pytest.approx([1, 0.25 / np.std(x), 1, 1], rel=1e-9)
    for gain in (0.5, 0.9, 1.3):
        report = rpsd.evaluate(x, gain * x)
        assert report.correlation == pytest.approx(1, rel=1e-12)
        assert report.trend == 1
        assert report.power == pytest.approx(1 - abs(gain**2 - 1), rel=1e-9)
    mirrored = rpsd.evaluate(x, -x)
    assert mirrored.correlation == pytest.approx(-1, rel=1e-12)
    assert mirrored.trend == 0
    assert mirrored.power == pytest.approx(1, rel=1e-9)


def test_power_counts_frequencies_to_a_tenth_of_nyquist_inclusive():
    n = 400
    t = np.arange(n)
    slow = np.sin(2 * np.pi * 3 * t / n)
    for cycles, counts in ((1, True), (19, True), (20, True), (21, False), (40, False)):
        y = slow + np.sin(2 * np.pi * cycles * t / n)
        # Half the amplitude squared of each: the added power is the power that was there.
        assert rpsd.evaluate(slow, y).power == pytest.approx(0 if counts else 1, abs=1e-9), cycles


def test_trend_takes_full_windows_of_30():
    x = np.arange(30.0)
    assert rpsd.evaluate(x, x + np.tile([0.1, -0.1], 15)).trend == 1
    assert math.isnan(rpsd.evaluate(x[:29], 2 * x[:29]).trend)
    up_then_down = np.concatenate([np.arange(100.0), np.arange(99.0, -1.0, -1.0)])
    # 171 windows; those that lie in the falling half or across the top by more than half turn down.
    report = rpsd.evaluate(up_then_down, np.arange(200.0))
    assert report.trend == pytest.approx(85 / 171)


def test_flat_windows_agree_with_flat_windows_only():
    # Ticks of 1/64: slopes of many windows are exactly zero, and none may be decided by rounding.
    rng = np.random.default_rng(3)
    for offset in (0, 100, 54_321.015625):
        for scale in (1, 3):
            x, y = offset + scale * rng.integers(-1, 2, (2, 3000)) / 64
            flat = np.convolve(x, 2 * np.arange(30) - 29, "valid") == 0
            assert flat.sum() > 5 or offset > 0
            check(x, y)
            check(x, np.round(x * 32) / 32)
    flat = np.full(100, 7.25)
    assert rpsd.evaluate(np.r_[flat, walk(50)], np.r_[flat, walk(50)]).trend == 1


@pytest.mark.parametrize(
    ("correlation", "rmse", "trend", "power", "score"),
    [
        (0.85, 0.0, 0.9, 0.95, 100),
        (1.0, 0.25, 1.0, 1.0, 87.5),
        (0.425, 0.5, 0.45, 0.475, 37.5),
        (0.5, 9.0, 0.0, -80.0, 0),
        (0.85, 0.25, math.nan, 0.95, (40 + 12.5 + 15) / 0.8),
    ],
)
def test_the_twins_score_by_hand(correlation, rmse, trend, power, score):
    assert quality.score(correlation, rmse, trend, power) == pytest.approx(score)


def test_score_by_hand():
    x = walk(500)
    report = rpsd.evaluate(x, x + 0.2 * np.std(x))
    assert report.score == pytest.approx(100 - 25 * 0.2 / 0.5, rel=1e-9)
    wild = rpsd.evaluate(x, -1000 * x)
    assert wild.power < -1e5
    assert wild.score == 0


def test_a_lag_of_one_bar_scores_92_on_a_random_walk():
    x = walk(2000)
    assert rpsd.evaluate(x[1:], x[:-1]).score == pytest.approx(92, abs=6)


@pytest.mark.parametrize("n", [40, 500])
def test_nan_is_filled_in_each_series_for_itself(n):
    rng = np.random.default_rng([4, n])
    x, y = walk(n), moving_average(walk(n), 3)
    x[rng.random(n) < 0.2] = np.nan
    y[rng.random(n) < 0.1] = np.nan
    x[0] = y[-1] = np.nan
    check(x, y)
    assert values(rpsd.evaluate(x, y)) == pytest.approx(values(rpsd.evaluate(filled(x), filled(y))), rel=1e-9)
    assert values(rpsd.evaluate(x, x)) == [1, 0, 1, 1, 100]
    assert values(rpsd.evaluate(x, filled(x))) == pytest.approx([1, 0, 1, 1, 100], abs=1e-9)
    constant = np.where(rng.random(n) < 0.5, 3.0, np.nan)
    assert values(rpsd.evaluate(constant, np.full(n, 3.0))) == [1, 0, 1, 1, 100]


def test_nothing_to_measure():
    for x in (np.empty(0), np.full(50, np.nan)):
        assert np.isnan(values(rpsd.evaluate(x, x))).all()
        assert np.isnan(values(rpsd.evaluate(np.ones(len(x)), x))).all()


def test_batches_and_dtypes():
    x = np.stack([walk(300, seed) for seed in range(4)])
    y = np.stack([moving_average(row, 5) for row in x])
    report = rpsd.evaluate(x, y)
    for name in METRICS:
        each = [getattr(rpsd.evaluate(u, v), name) for u, v in zip(x, y, strict=True)]
        np.testing.assert_array_equal(getattr(report, name), each)
    assert rpsd.evaluate(x[None], y[None]).score.shape == (1, 4)
    single = x[0].astype(np.float32), y[0].astype(np.float32)
    check(*single)
    check(np.round(x[0]).astype(int), y[0])
    assert values(rpsd.evaluate(x[0, ::-1], y[0, ::-1])) == values(
        rpsd.evaluate(x[0, ::-1].copy(), y[0, ::-1].copy())
    )


@pytest.mark.parametrize("offset", [0.0, 1e6, 1e9])
@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e6])
def test_large_prices_and_small_moves(offset, scale):
    # Steps of a power of two: adding the offset rounds nothing, so the metrics may not change.
    steps = np.random.default_rng(5).integers(-8, 9, (2, 700)) / 2**6
    x, y = np.cumsum(steps, axis=1)
    plain = values(rpsd.evaluate(x, y))
    moved = values(rpsd.evaluate(offset + x, offset + y))
    assert moved == pytest.approx(plain, rel=1e-6 if offset == 1e9 else 1e-9)
    stretched = values(rpsd.evaluate(scale * x, scale * y))
    assert stretched == pytest.approx(plain, rel=1e-9)


@pytest.mark.parametrize("scale", [1e-170, 1e-100, 1e100, 1e170])
def test_the_unit_of_the_price_does_not_matter(scale):
    x = np.cumsum(np.random.default_rng(6).standard_normal(200))
    y = moving_average(x, 5)
    assert values(rpsd.evaluate(scale * x, scale * y)) == pytest.approx(values(rpsd.evaluate(x, y)), rel=1e-9)


@pytest.mark.parametrize(
    ("of_x", "of_y"),
    [
        (1, 1e80), (1, 1e250), (1e250, 1), (1e-300, 1), (1, 1e-300), (1e-90, 1e101), (1e101, 1e-90),
        (1e300, 1e210), (1e306, 1e305), (1e-300, 1e300),
    ],
)  # fmt: skip
def test_neither_does_that_one_series_has_another_unit(of_x, of_y):
    x = np.random.default_rng(6).standard_normal(200).cumsum() + 5
    y = moving_average(x, 5)
    plain, scaled = rpsd.evaluate(x, y), rpsd.evaluate(of_x * x, of_y * y)
    assert scaled.correlation == pytest.approx(plain.correlation, rel=1e-9)
    assert scaled.trend == plain.trend
    # In logarithms, as only these have the range: ratios of 1e600 are rmse = inf and power = -inf.
    decades = math.log10(of_y) - math.log10(of_x)
    if decades == pytest.approx(-1):
        assert scaled.rmse == pytest.approx(quality.rmse(x, 0.1 * y), rel=1e-9)
        assert scaled.power == pytest.approx(quality.power(x, 0.1 * y), rel=1e-9)
    elif decades > 0:
        difference = decades + math.log10(np.sqrt(np.mean(y**2)) / np.std(x))
        expected = math.inf if difference > 308 else difference
        assert math.log10(scaled.rmse) == pytest.approx(expected, abs=1e-9)
        power = math.log10(plain.power) + 2 * decades
        assert math.log10(-scaled.power) == pytest.approx(math.inf if power > 308 else power, abs=1e-9)
        assert scaled.score <= 60
    else:
        assert scaled.rmse == pytest.approx(np.sqrt(np.mean(x**2)) / np.std(x), rel=1e-9)
        assert scaled.power == pytest.approx(0, abs=1e-15)


def test_a_multiple_by_a_power_of_two_is_no_copy():
    """Brought to one size each, the two are equal."""
    x = walk(200)
    report = rpsd.evaluate(x, np.ldexp(x, 800))
    assert report.rmse == pytest.approx(2.0**800 * np.sqrt(np.mean(x**2)) / np.std(x), rel=1e-9)
    assert report.power == -math.inf
    against_zero = rpsd.evaluate(1e250 * x, 0 * x)
    assert values(against_zero)[:4] == pytest.approx([0, np.sqrt(np.mean(x**2)) / np.std(x), 0, 0])


@given(st.integers(1, 300), st.floats(0, 3), st.integers(0, 2**32 - 1))
def test_any_pair_agrees_with_the_twin(n, noise, seed):
    rng = np.random.default_rng(seed)
    x = np.cumsum(rng.standard_normal(n))
    y = x + noise * rng.standard_normal(n)
    check(x, y)
    score = rpsd.evaluate(x, y).score
    assert 0 <= score <= 100


REFUSED = [
    (np.ones(5), np.ones(4), r"y must have the shape of x, \(5,\), got \(4,\)"),
    (np.ones((2, 5)), np.ones(5), r"y must have the shape of x, \(2, 5\), got \(5,\)"),
    (np.array([1, np.inf]), np.ones(2), "x must be finite, .* got inf"),
    (np.ones(2), np.array([1, -np.inf]), "y must be finite, .* got"),
    (np.float64(1), np.float64(1), "x must have at least one dimension"),
    (np.ones(3), np.array(["a", "b", "c"]), "y must be float32, float64 or integers, got dtype <U1"),
]


@pytest.mark.parametrize(("x", "y", "message"), REFUSED, ids=range(len(REFUSED)))
def test_bad_arguments(x, y, message):
    with pytest.raises(rpsd.InputError, match=message):
        rpsd.evaluate(x, y)
