# SPDX-License-Identifier: MIT
"""rpsd.simulate: each price model against its closed forms and published parameters."""

import math

import numpy as np
import pytest
import scipy.stats

import rpsd


def standardised_t(df):
    return scipy.stats.t(df, scale=math.sqrt((df - 2) / df))


def test_a_draws_its_steps_and_then_its_noise():
    """Results in documents name seeds: the numbers behind a seed stay."""
    rng = np.random.default_rng(11)
    truth = np.cumsum(rng.standard_normal(500) * 0.2)
    noisy = truth + rng.standard_normal(500) * (3.0 * 0.2)
    s = rpsd.simulate("a", 500, seed=11, nsr=3.0, step_sd=0.2)
    np.testing.assert_array_equal(s.truth, truth)
    np.testing.assert_array_equal(s.noisy, noisy)


@pytest.mark.parametrize("kind", ["a", "b", "c", "g", "e", "e_out"])
def test_no_noise_leaves_the_truth(kind):
    s = rpsd.simulate(kind, 3000, seed=2, nsr=0)
    np.testing.assert_array_equal(s.noisy, s.truth)
    assert s.noise_sd == 0


def test_noise_is_the_only_difference_between_two_ratios():
    quiet, loud = (rpsd.simulate("c", 3000, seed=3, nsr=nsr) for nsr in (1.0, 3.0))
    np.testing.assert_array_equal(quiet.truth, loud.truth)
    np.testing.assert_allclose(3 * (quiet.noisy - quiet.truth), loud.noisy - loud.truth, atol=1e-10)


@pytest.mark.parametrize(("alpha", "beta"), [(0.05, 0.93), (0.2, 0.5)])
def test_volatility_follows_the_garch_recursion(alpha, beta):
    s = rpsd.simulate("b", 2000, seed=4, session=0, alpha=alpha, beta=beta, step_sd=0.1)
    steps = np.diff(s.truth)
    expected = (1 - alpha - beta) * 0.1**2 + alpha * steps**2 + beta * s.step_sd[1:] ** 2
    np.testing.assert_allclose(s.step_sd[2:] ** 2, expected[:-1], rtol=1e-9)


def test_squared_steps_have_the_moments_of_bollerslev():
    a, b = 0.05, 0.93
    found = []
    for seed in range(12):
        steps = np.diff(rpsd.simulate("b", 100_000, seed=seed, session=0).truth)
        squares = steps**2 - np.mean(steps**2)
        acf = [np.mean(squares[lag:] * squares[: len(squares) - lag]) / squares.var() for lag in (1, 20)]
        found.append([np.mean(steps**2), scipy.stats.kurtosis(steps, fisher=False), *acf])
    # Bollerslev (1986), kurtosis, and (1988), "On the correlation structure for the GARCH process".
    kurtosis = 3 * (1 - (a + b) ** 2) / (1 - (a + b) ** 2 - 2 * a**2)
    lag_1 = a * (1 - a * b - b**2) / (1 - 2 * a * b - b**2)
    expected = np.array([1.0, kurtosis, lag_1, lag_1 * (a + b) ** 19])
    error = scipy.stats.sem(found)
    assert np.all(error < [0.01, 0.05, 0.01, 0.01])
    assert np.all(np.abs(np.mean(found, axis=0) - expected) < 4 * error)


def test_a_day_is_u_shaped():
    """Wood, McInish & Ord (1985); with the GARCH switched off only the shape of the day is left."""
    s = rpsd.simulate("b", 5 * 390, seed=5, alpha=0, beta=0)
    day = s.step_sd[:390]
    np.testing.assert_allclose(s.step_sd, np.tile(day, 5), rtol=1e-12)
    np.testing.assert_allclose(day, day[::-1], rtol=1e-12)
    assert day[0] / day.min() == pytest.approx(3, abs=1e-3)
    assert np.argmin(day) in {194, 195}
    assert np.mean(s.step_sd**2) == pytest.approx(1)
    # Five samples a day: open, a quarter, noon, three quarters, close.
    short = rpsd.simulate("b", 10, seed=5, alpha=0, beta=0, session=5).step_sd
    np.testing.assert_allclose(short / short[2], [3, 1.5, 1, 1.5, 3] * 2, rtol=1e-12)


def test_a_series_starts_anywhere_in_the_life_of_its_volatility():
    starts = [rpsd.simulate("b", 1, seed=seed, session=0).step_sd[0] ** 2 for seed in range(300)]
    # Bollerslev (1986): the variance of h is 2 a^2 / (1 - (a + b)^2 - 2 a^2) = 0.144.
    assert np.var(starts) == pytest.approx(0.144, rel=0.5)


def test_steps_fit_the_path_of_their_standard_deviation():
    s = rpsd.simulate("b", 50_000, seed=6, step_sd=0.05)
    z = np.diff(s.truth) / s.step_sd[1:]
    assert scipy.stats.kstest(z, "norm").pvalue > 0.01
    assert s.step_sd.std() > 0.01


@pytest.mark.parametrize("df", [3.0, 4.0, 10.0])
def test_student_steps(df):
    s = rpsd.simulate("a", 50_000, seed=7, nsr=0, steps="t", df=df)
    assert scipy.stats.kstest(np.diff(s.truth), standardised_t(df).cdf).pvalue > 0.01


@pytest.mark.parametrize(("kind", "df"), [("e_t3", 3.0), ("e_both", 3.0), ("e_t3", 5.0)])
def test_student_noise(kind, df):
    s = rpsd.simulate(kind, 50_000, seed=8, noise_df=df)
    noise = (s.noisy - s.truth)[~s.bad_ticks]
    assert s.noise_sd == 3
    assert scipy.stats.kstest(noise / 3, standardised_t(df).cdf).pvalue > 0.01


def test_jumps_are_where_they_are_said_to_be():
    sizes = []
    for seed in range(50):
        s = rpsd.simulate("c", 2048, seed=seed, step_sd=0.5, alpha=0, beta=0, session=0)
        assert len(s.jumps) == 8
        assert np.all(np.diff(s.jumps) > 0)
        assert s.jumps[0] >= 40
        assert s.jumps[-1] < 2048 - 40
        # Without jumps the same seed draws the same steps.
        rest = rpsd.simulate("b", 2048, seed=seed, step_sd=0.5, alpha=0, beta=0, session=0)
        moved = np.diff(s.truth - rest.truth) / 0.5
        np.testing.assert_array_equal(np.flatnonzero(np.abs(moved) > 1e-9) + 1, s.jumps)
        sizes.extend(moved[s.jumps - 1])
    assert scipy.stats.kstest(np.abs(sizes), scipy.stats.uniform(8, 14).cdf).pvalue > 0.01
    assert (np.min(np.abs(sizes)), np.max(np.abs(sizes))) == pytest.approx((8, 22), abs=0.3)
    assert scipy.stats.binomtest(int(np.sum(np.array(sizes) > 0)), len(sizes)).pvalue > 0.01


@pytest.mark.parametrize(("nsr", "step_sd", "tick"), [(2.0, 0.5, 1.0), (4.0, 0.5, 1.0), (1.0, 3.0, 0.0)])
def test_roll_bounce(nsr, step_sd, tick):
    s = rpsd.simulate("d", 200_000, seed=9, nsr=nsr, step_sd=step_sd, tick=tick)
    spread = nsr * step_sd
    assert s.noise_sd == pytest.approx(math.sqrt(spread**2 + tick**2 / 12), rel=1e-12)
    if tick:
        np.testing.assert_array_equal(s.noisy, np.round(s.noisy))
        assert np.max(np.abs(s.noisy - s.truth)) <= spread + tick / 2
    else:
        np.testing.assert_allclose(np.abs(s.noisy - s.truth), spread, rtol=1e-6)
    assert np.std(s.noisy - s.truth) == pytest.approx(s.noise_sd, rel=0.01)
    # Roll (1984): the spread is twice the root of minus the autocovariance of price changes.
    seen = np.diff(s.noisy)
    assert -np.mean(seen[1:] * seen[:-1]) == pytest.approx(s.noise_sd**2, rel=0.03)
    assert np.diff(s.truth).std() == pytest.approx(step_sd, rel=0.01)


def test_roll_is_in_cents():
    s = rpsd.simulate("d", 100, seed=9)
    assert (s.noise_sd, s.step_sd[0]) == (math.sqrt(13 / 12), 0.5)
    assert s.truth[0] == pytest.approx(10000.3, abs=3)


@pytest.mark.parametrize("kind", ["e_out", "e_both"])
def test_bad_ticks_are_few_and_far_off(kind):
    s = rpsd.simulate(kind, 100_000, seed=10, nsr=2.0, step_sd=0.1)
    expected = scipy.stats.binom(100_000, 0.005).interval(0.999)
    assert expected[0] <= np.count_nonzero(s.bad_ticks) <= expected[1]
    clean = rpsd.simulate(kind, 100_000, seed=10, nsr=2.0, step_sd=0.1, bad_ticks=0)
    off = (s.noisy - clean.noisy) / s.noise_sd
    np.testing.assert_array_equal(np.abs(off) > 1e-9, s.bad_ticks)
    assert scipy.stats.kstest(np.abs(off[s.bad_ticks]), scipy.stats.uniform(15, 35).cdf).pvalue > 0.01
    assert 0.4 < np.mean(off[s.bad_ticks] > 0) < 0.6


def test_missing_samples():
    s = rpsd.simulate("f", 100_000, seed=11)
    missing = np.isnan(s.noisy)
    assert missing.mean() == pytest.approx(0.05, abs=0.003)
    assert not missing[0]
    assert not missing[-1]
    np.testing.assert_array_equal(s.noisy[~missing], rpsd.simulate("b", 100_000, seed=11).noisy[~missing])
    every = np.isnan(rpsd.simulate("f", 50, seed=11, missing=1.0).noisy)
    np.testing.assert_array_equal(np.flatnonzero(~every), [0, 49])


@pytest.mark.parametrize(("session", "gap_sd"), [(390, 10.0), (78, 4.0)])
def test_nights_open_gaps_between_sessions(session, gap_sd):
    n = 2000 * session
    s = rpsd.simulate("g", n, seed=12, session=session, gap_sd=gap_sd, step_sd=0.3)
    np.testing.assert_array_equal(np.flatnonzero(s.breaks), np.arange(0, n, session))
    joined = rpsd.simulate("b", n, seed=12, session=session, step_sd=0.3)
    assert not joined.breaks.any()
    gaps = np.diff(s.truth - joined.truth)
    closed = s.breaks[1:]
    np.testing.assert_allclose(gaps[~closed], 0, atol=1e-8)
    assert scipy.stats.kstest(gaps[closed] / (0.3 * gap_sd), standardised_t(4).cdf).pvalue > 0.01
    np.testing.assert_array_equal(s.step_sd, joined.step_sd)


def test_kinds_are_choices_of_parameters():
    c = rpsd.simulate("c", 500, seed=13, nsr=0.5)
    built = rpsd.simulate("a", 500, seed=13, nsr=0.5, volatility="garch", jumps=8)
    np.testing.assert_array_equal(c.noisy, built.noisy)
    np.testing.assert_array_equal(c.jumps, built.jumps)
    both = rpsd.simulate("e_t3", 500, seed=13, bad_ticks=0.005)
    np.testing.assert_array_equal(rpsd.simulate("e", 500, seed=13).noisy, both.noisy)
    np.testing.assert_array_equal(rpsd.simulate("e_both", 500, seed=13).noisy, both.noisy)
