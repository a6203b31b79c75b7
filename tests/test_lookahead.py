# SPDX-License-Identifier: MIT
"""The default and kalman with a fixed lag: nothing later changes a value, live is backtest, and it pays."""

from itertools import pairwise

import numpy as np
import pandas as pd
import pytest

import rpsd

METHODS = ("auto", "kalman")


def gain(series, estimate, burn_in=64):
    """In dB, over samples with a value after the burn-in."""
    there = np.flatnonzero(~np.isnan(estimate) & ~np.isnan(series.noisy))
    there = there[there >= burn_in]
    before = np.mean((series.noisy - series.truth)[there] ** 2)
    return 10 * np.log10(before / np.mean((estimate - series.truth)[there] ** 2))


def dirty(n=700, seed=0):
    """Jumps, bad ticks, gaps, moving volatility."""
    x = 500 + rpsd.simulate("c", n, seed, nsr=1.0).noisy
    rng = np.random.default_rng([seed, n])
    x[rng.random(n) < 0.05] = np.nan
    x[rng.integers(n, size=3)] *= 10
    x[200:230] = np.nan
    return x


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("lookahead", [0, 1, 7])
@pytest.mark.parametrize("options", [{}, {"outliers": "spike"}, {"space": "log"}], ids=str)
def test_nothing_after_the_lag_changes_a_bit(method, lookahead, options):
    x = dirty()
    y = rpsd.denoise(x, method=method, lookahead=lookahead, **options)
    rng = np.random.default_rng(1)
    for cut in (1, 2, 30, 201, 400, 699):
        other = x.copy()
        other[cut:] = rng.choice([1.0, np.nan, 1e9, 120.0], size=len(x) - cut)
        settled = max(cut - lookahead, 0)
        for changed in (other, x[:cut]):
            again = rpsd.denoise(changed, method=method, lookahead=lookahead, **options)
            np.testing.assert_array_equal(again[:settled], y[:settled])


@pytest.mark.parametrize("method", METHODS)
def test_what_is_not_known_yet_and_what_is_missing_is_nan_and_counted(method):
    x = dirty()
    x[-2] = np.nan
    result = rpsd.Denoiser(method=method, lookahead=5).run(x)
    expected = np.isnan(x)
    expected[-5:] = True
    np.testing.assert_array_equal(np.isnan(result.values), expected)
    assert (result.lookahead, result.missing) == (5, np.isnan(x).sum())
    assert result.warmup == 5 - np.isnan(x[-5:]).sum()


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("lookahead", [0, 4])
def test_no_information_crosses_a_break(method, lookahead):
    x = dirty(600)
    mask = np.zeros(600, dtype=bool)
    mask[[150, 152, 400]] = True
    y = rpsd.denoise(x, method=method, lookahead=lookahead, breaks=mask)
    # Within a session the last values have what there is of it: a missing sample adds nothing.
    edges = [0, 150, 152, 400, 600]
    for begin, end in pairwise(edges):
        session = np.r_[x[begin:end], np.full(lookahead if end < 600 else 0, np.nan)]
        alone = rpsd.denoise(session, method=method, lookahead=lookahead)[: end - begin]
        np.testing.assert_array_equal(y[begin:end], alone)


@pytest.mark.parametrize("method", METHODS)
def test_batches_frames_and_threads_give_the_same_bits(method):
    x = np.stack([dirty(400, seed) for seed in range(9)])
    options = {"method": method, "lookahead": 2}
    single = np.stack([rpsd.denoise(row, **options) for row in x])
    np.testing.assert_array_equal(rpsd.denoise(x, threads=2, **options), single)
    index = pd.date_range("2026-01-05", periods=400, freq="min")
    frame = rpsd.denoise(pd.DataFrame(x.T, index=index), **options)
    np.testing.assert_array_equal(frame.to_numpy(), single.T)
    assert frame.index.equals(index)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("scale", [2.0**40, 2.0**-300])
def test_units_of_a_power_of_two_change_no_bit(method, scale):
    x = dirty(400)
    y = rpsd.denoise(x, method=method, lookahead=1)
    np.testing.assert_array_equal(rpsd.denoise(x * scale, method=method, lookahead=1), y * scale)


# Mean gains of the prototype on 32 seeds (lags 0, 1, 5), less 0.25: four seeds scatter.
CELLS = {
    ("a1", 0): 1.76,
    ("a3", 0): 5.16,
    ("b1", 0): 1.99,
    ("c1", 0): 1.90,
    ("c3", 0): 4.76,
    ("a1", 1): 2.84,
    ("c3", 5): 6.91,
}


@pytest.mark.parametrize(("cell", "lookahead"), CELLS)
def test_the_default_gains_what_its_design_does(cell, lookahead):
    gains = []
    for seed in range(8):
        series = rpsd.simulate(cell[0], 2048, seed, nsr=float(cell[1:]))
        gains.append(gain(series, rpsd.denoise(series.noisy, lookahead=lookahead)))
    print(cell, lookahead, np.round(gains, 2))
    assert np.mean(gains) >= CELLS[cell, lookahead]


def test_near_clean_prices_are_left_alone():
    gains = []
    for seed in range(100):
        series = rpsd.simulate("a", 1500, seed, nsr=0.1)
        gains.append(gain(series, rpsd.denoise(series.noisy, lookahead=0)))
    assert np.mean(gains) >= -0.05


def test_kalman_is_the_filter_with_the_right_parameters_in_the_end():
    series = rpsd.simulate("a", 4096, 3, nsr=1.0)
    y = rpsd.denoise(series.noisy, method="kalman", lookahead=0)
    level, variance, exact = series.noisy[0], 1.0, []
    for v in series.noisy:
        variance += 1.0
        k = variance / (variance + 1.0)
        level, variance = level + k * (v - level), k
        exact.append(level)
    assert gain(series, y, 1000) >= gain(series, np.array(exact), 1000) - 0.05


@pytest.mark.parametrize("method", METHODS)
def test_bad_input(method):
    with pytest.raises(
        rpsd.ConfigError, match=f'lookahead must be at most 1000 with method="{method}", got 1001'
    ):
        rpsd.Denoiser(method=method, lookahead=1001)
    with pytest.raises(rpsd.InputError, match="x has inf at position 3; allowed: finite"):
        rpsd.denoise([1.0, 2, 3, np.inf, 5], method=method, lookahead=0)
    with pytest.raises(rpsd.InputError, match="x has a value <= 0 at position 1"):
        rpsd.denoise([1.0, 0, 3], method=method, lookahead=0, space="log")
    with pytest.raises(rpsd.InputError, match="x has NaN at position 1"):
        rpsd.denoise([1.0, np.nan, 3], method=method, lookahead=0, missing="raise")


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("n", [0, 1, 2, 5])
def test_any_length(method, n):
    x = np.arange(float(n))
    for lookahead in (0, 3):
        y = rpsd.denoise(x, method=method, lookahead=lookahead)
        assert y.shape == (n,)
        assert np.isnan(y[max(n - lookahead, 0) :]).all()
        if method == "auto":  # so few samples tell it nothing
            np.testing.assert_array_equal(y[: max(n - lookahead, 0)], x[: max(n - lookahead, 0)])


@pytest.mark.parametrize("lookahead", [0, 2])
@pytest.mark.parametrize("method", METHODS)
def test_the_audit_agrees(method, lookahead):
    x = rpsd.simulate("a", 400, 1, nsr=1.0).noisy
    report = rpsd.audit(lambda x: rpsd.denoise(x, method=method, lookahead=lookahead), x)
    assert report.lookahead == lookahead
    assert report.causal == (lookahead == 0)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(("begin", "every"), [(0, 2), (1, 2), (0, 4), (0, 8), (3, 10)])
def test_regular_gaps_cost_nothing(method, begin, every):
    """Two-minute bars on a grid of minutes are as good as by themselves."""
    beside, alone = [], []
    for seed in range(3):
        series = rpsd.simulate("a", 600 * every, seed, nsr=3.0)
        at = slice(begin, None, every)
        gaps = np.full(len(series.noisy), np.nan)
        gaps[at] = series.noisy[at]
        for x, y, truth in ((gaps, beside, series.truth), (series.noisy[at].copy(), alone, series.truth[at])):
            z = rpsd.denoise(x, method=method, lookahead=0)
            there = np.flatnonzero(~np.isnan(x))[64:]
            left = np.mean((z - truth)[there] ** 2)
            y.append(10 * np.log10(np.mean((x - truth)[there] ** 2) / left))
    assert np.mean(beside) > np.mean(alone) - 0.25


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("lookahead", [0, 3])
@pytest.mark.parametrize("space", ["price", "log"])
@pytest.mark.parametrize("noise", [0.0, 0.05])
@pytest.mark.parametrize("tick", [0.001, 101.0 - 85, 1e3, 1e6])
def test_bad_ticks_leave_no_trace(method, lookahead, space, noise, tick):
    """All is as if they had been missing, whether noise is found or not, but that they get a value."""
    rng = np.random.default_rng(3)
    x = 100 + np.cumsum(0.02 * rng.normal(size=600)) + noise * rng.normal(size=600)
    bad, missing = x.copy(), x.copy()
    bad[[200, 401, 402]] = tick
    missing[[200, 401, 402]] = np.nan
    options = {"method": method, "lookahead": lookahead, "space": space, "outliers": "spike"}
    y, expected = rpsd.denoise(bad, **options), rpsd.denoise(missing, **options)
    there = ~np.isnan(missing)
    np.testing.assert_array_equal(y[there], expected[there])
    assert np.abs(y - x)[~there].max() < 0.3


@pytest.mark.parametrize("method", METHODS)
def test_a_move_that_stays_is_believed_at_its_third_sample(method):
    x = 100 + np.cumsum(0.02 * np.random.default_rng(4).normal(size=400))
    x[200:] += 50
    y = rpsd.denoise(x, method=method, lookahead=0, outliers="spike")
    assert np.abs(y[200:202] - x[199]).max() < 1
    assert np.abs(y[202] - x[202]) < 1
    assert np.abs(y[210:] - x[210:]).max() < 1


def test_ticks_that_seldom_move_are_no_bad_ticks():
    rng = np.random.default_rng(5)
    x = 100 + 0.25 * np.cumsum(rng.choice([-1, 0, 1], p=[0.02, 0.96, 0.02], size=3000))
    assert np.abs(rpsd.denoise(x, lookahead=0, outliers="spike") - x).max() < 0.2  # none is held back
