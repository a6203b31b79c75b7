# SPDX-License-Identifier: MIT
"""What the default gains against known truths, what it predicts, and that it does no harm."""

import numpy as np
import pytest
from price_paths import cells, gains_db

import rpsd

# Mean gain in dB that a cell must reach with its seeds: the limit with known parameters (closed form, or
# grids of states and scales), less what five seeds of it may lack.
GAINS = {
    ("a", 0.5): 1.5 - 0.3,
    ("a", 1): 3.5 - 0.3,
    ("a", 3): 7.8 - 0.3,
    ("a", 10): 13.0 - 0.4,
    ("b", 1): 3.8 - 0.3,
    ("b", 3): 8.1 - 0.3,
    ("c", 1): 3.8 - 0.4,
    ("c", 3): 7.8 - 0.3,
    ("e_t3", 3): 8.9 - 0.6,
    ("e_out", 3): 15.2 - 0.8,
    ("e_both", 3): 17.1 - 0.6,
}
NEAR_CLEAN = [("a", 0.05), ("a", 0.1), ("a", 0.3), ("b", 0.1), ("t4", 0.1)]


@pytest.fixture(scope="module")
def runs():
    """Gains and predicted gains of five seeds of each cell."""
    found = {}
    for kind, nsr in GAINS:
        noisy, truth = cells(kind, nsr, 2048, range(5))
        result = rpsd.Denoiser().run(noisy, threads=0)
        assert (result.action == "denoised").all()
        found[kind, nsr] = gains_db(noisy, truth, result.values), result.noise.predicted_gain_db
    return found


@pytest.mark.parametrize("cell", GAINS, ids=str)
def test_gain_near_its_limit(runs, cell):
    gains, predicted = runs[cell]
    assert gains.mean() > GAINS[cell]
    assert gains.min() > 0.7 * GAINS[cell]
    assert predicted.mean() == pytest.approx(gains.mean(), abs=1.0)


@pytest.mark.parametrize(("step", "noise"), [(0.1, 0.25), (0.08, 0.2), (0.2, 0.2), (0.3, 0.1)])
def test_coarse_ticks_are_smoothed_as_well_as_by_the_plain_model(step, noise):
    """In ticks; two thirds to four fifths of the moves are zero."""
    rng = np.random.default_rng(21)
    truth = 100 + np.cumsum(step * rng.normal(size=(5, 2000)), axis=1)
    ticks = np.round(truth + noise * rng.normal(size=truth.shape))
    gains = gains_db(ticks, truth, rpsd.denoise(ticks))
    plain = gains_db(ticks, truth, rpsd.denoise(ticks, method="kalman"))
    assert gains.mean() > plain.mean() - 0.1
    assert gains.min() > 2


def test_predicted_gains_are_right_on_average(runs):
    gains, predicted = (np.concatenate(parts) for parts in zip(*runs.values(), strict=True))
    assert predicted.mean() == pytest.approx(gains.mean(), abs=0.3)


def test_no_harm_where_there_is_hardly_any_noise():
    """A false alarm is rare but costs some dB: 60 seeds tell the mean of a cell to about 0.06 dB."""
    found = []
    for kind, nsr in NEAR_CLEAN:
        noisy, truth = cells(kind, nsr, 600, range(60))
        found.append(gains_db(noisy, truth, rpsd.denoise(noisy, threads=0)))
        assert found[-1].mean() > -0.1, (kind, nsr)
    gains = np.concatenate(found)
    assert gains.mean() > -0.03
    assert (gains < -0.05).mean() <= 0.03


def test_minute_bars_of_liquid_stocks_are_left_alone():
    """Noise of 0.18 steps: at most 0.27 dB could be had of it."""
    noisy, truth = cells("a", 0.18, 1946, range(20))
    result = rpsd.Denoiser().run(noisy, threads=0)
    assert (result.action == "passthrough").mean() >= 0.85
    assert result.noise.predicted_gain_db.mean() < 0.27
    assert gains_db(noisy, truth, result.values).mean() > -0.03


@pytest.mark.parametrize(
    ("kind", "n", "nsr", "seed"),
    [("b", 1500, 0.18, 5022), ("c", 1500, 0.18, 5012), ("b", 1500, 0.3, 5079), ("c", 600, 0.18, 5249)],
)
def test_steps_of_moving_size_are_no_noise_to_wavelets(kind, n, nsr, seed):
    """Of these walks one sample passes for the tip of a peak; the finest details are steps all the same."""
    s = rpsd.simulate(kind, n, seed, nsr=nsr)
    assert gains_db(s.noisy, s.truth, rpsd.denoise(s.noisy)) > 0


@pytest.mark.parametrize(("kind", "n", "nsr"), [("a", 1000, 0.4), ("b", 2000, 0.3), ("a", 1000, 1.0)])
@pytest.mark.parametrize("run", [2, 3])
def test_a_few_equal_samples_in_a_row_let_no_wavelets_in(kind, n, nsr, run):
    """They came back as they were, but the series elsewhere was given to wavelets, and lost 3 dB of 1."""
    for seed in range(12):
        s = rpsd.simulate(kind, n, seed, nsr=nsr)
        x, others = s.noisy.copy(), np.ones(n, bool)
        x[n // 2 : n // 2 + run] += 20 * np.hypot(1, nsr)
        others[n // 2 : n // 2 + run] = False
        result = rpsd.Denoiser().run(x)
        gain = gains_db(s.noisy[others], s.truth[others], result.values[others])
        alone = gains_db(s.noisy[others], s.truth[others], rpsd.denoise(s.noisy)[others])
        assert gain > alone - 0.6, seed
        assert np.abs(result.values - x)[~others].max() < 4 * np.hypot(1, nsr), seed


@pytest.mark.parametrize("snr", [7.0, 15.0])
def test_peaks_are_no_bad_ticks_where_no_noise_is_found(snr):
    for seed in range(5):
        s = rpsd.simulate("bumps", 512, seed, snr=snr)
        assert gains_db(s.noisy, s.truth, rpsd.denoise(s.noisy)) > -0.2, seed
