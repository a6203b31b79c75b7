# SPDX-License-Identifier: MIT
"""The first and the last sample: nothing beyond them tells a bad tick from a move that stays."""

import numpy as np
import pytest

import rpsd


@pytest.mark.parametrize("nsr", [0.0, 0.1, 0.35, 1.0])
@pytest.mark.parametrize("end", [0, -1])
def test_a_move_at_an_end_is_kept_and_nothing_is_promised_for_it(nsr, end):
    lost, promised = [], []
    for seed in range(20):
        series = rpsd.simulate("b", 600, seed, nsr=nsr)
        x, move = series.noisy.copy(), 20.0 * (-1) ** seed
        before = rpsd.estimate_noise(x).predicted_gain_db
        x[end] += move
        result = rpsd.Denoiser().run(x)
        lost.append(abs(result.values[end] - series.truth[end] - move) > 10)
        promised.append(result.noise.predicted_gain_db - before)
    assert np.mean(lost) <= 0.05
    assert np.median(promised) < 0.1
    assert np.sum(np.array(promised) > 1) <= 1


def test_two_samples_that_agree_are_a_move():
    x = rpsd.simulate("b", 600, 3, nsr=1.0).noisy
    moved = x.copy()
    moved[-2:] += 20
    y = rpsd.denoise(moved)
    assert np.abs(y[-2:] - moved[-2:]).max() < 4
    assert np.abs(y[:-5] - rpsd.denoise(x)[:-5]).max() < 1


@pytest.mark.parametrize(("kind", "seed", "nsr"), [("e_both", 300015, None), ("a", 410017, 3.0)])
def test_a_bad_tick_at_the_first_sample_does_not_spoil_the_others(kind, seed, nsr):
    """Both begin with one; the gain was 0.6 dB, and 16 backwards."""
    given = {} if nsr is None else {"nsr": nsr, "bad_ticks": 0.005}
    series = rpsd.simulate(kind, 2048, seed, **given)
    for x, truth in ((series.noisy, series.truth), (series.noisy[::-1].copy(), series.truth[::-1])):
        result = rpsd.Denoiser().run(x)
        gain = 10 * np.log10(np.mean((x - truth) ** 2) / np.mean((result.values - truth) ** 2))
        assert gain > 15
        assert abs(result.noise.predicted_gain_db - gain) < 1.5


@pytest.mark.parametrize("run", [2, 3])
@pytest.mark.parametrize("nsr", [0.3, 1.0])
def test_a_few_bad_ticks_in_a_row_far_away_go_and_single_ones_with_them(run, nsr):
    series = rpsd.simulate("b", 800, 0, nsr=nsr)
    x, truth = series.noisy + 1000, series.truth + 1000
    bad = [*range(100, 100 + run), 400]
    x[bad] = [0.0] * run + [5000.0]
    y = rpsd.denoise(x)
    assert np.abs(y - truth)[bad].max() < 12
    others = np.setdiff1d(np.arange(800), bad)
    clean = rpsd.denoise(series.noisy) + 1000
    assert np.sqrt(np.mean((y - clean)[others] ** 2)) < 0.2


def test_ends_that_are_missing_or_short_are_no_matter():
    x = rpsd.simulate("a", 200, 1, nsr=1.0).noisy
    x[:2] = np.nan
    x[2] += 60
    x[3] = np.nan
    x[-1] -= 60
    y = rpsd.denoise(x)
    np.testing.assert_array_equal(np.isnan(y), np.isnan(x))
    assert (y[2], y[-1]) == (x[2], x[-1])
    for n in range(30, 40):
        assert np.isfinite(rpsd.denoise(x[4 : 4 + n])).all()
