# SPDX-License-Identifier: MIT
"""Long gaps: nights and halts in a series on a full grid say nothing of the prices that are there."""

import numpy as np
import pytest

import rpsd

N = 1950


def in_the_middle(count, length):
    seen = np.ones(N, bool)
    for centre in (np.arange(count) + 0.5) * N / count:
        seen[int(centre) - length // 2 :][:length] = False
    return seen


def nights():
    return np.tile(np.arange(1440) < 390, N // 390)


def on_grid(model, seed, nsr, seen):
    """Noisy with NaN where nothing is seen, and true; a night is no time to the walk, a halt is."""
    q = rpsd.simulate(model, N, seed, nsr=nsr)
    noisy, truth = (v if len(seen) == N else np.zeros(len(seen)) for v in (q.noisy, q.truth))
    if len(seen) != N:
        noisy[seen], truth[seen] = q.noisy, q.truth
    return np.where(seen, noisy, np.nan), truth


def gain_db(x, y, truth):
    seen = ~np.isnan(x)
    return 10 * np.log10(np.mean((x - truth)[seen] ** 2) / np.mean((y - truth)[seen] ** 2))


@pytest.mark.parametrize(
    ("model", "nsr", "seen"),
    [
        ("a", 1.0, in_the_middle(3, 300)),
        ("c", 1.0, in_the_middle(3, 300)),
        ("g", 0.3, nights()),
        ("g", 3.0, nights()),
    ],
    ids=["halts", "halts, jumps", "nights, little noise", "nights, much noise"],
)
def test_long_gaps_cost_nothing_beside_the_gaussian_model(model, nsr, seen):
    gains = {"auto": [], "kalman": []}
    for seed in range(4000, 4006):
        x, truth = on_grid(model, seed, nsr, seen)
        for method, found in gains.items():
            found.append(gain_db(x, rpsd.denoise(x, method=method), truth))
    assert np.mean(gains["auto"]) > np.mean(gains["kalman"]) - 0.2
    assert min(gains["auto"]) > -0.1


@pytest.mark.parametrize("seen", [in_the_middle(20, 20), nights()], ids=["short gaps", "nights"])
def test_the_predicted_gain_is_of_the_samples_that_are_there(seen):
    predicted, gains = [], []
    for seed in range(4000, 4010):
        x, truth = on_grid("c", seed, 1.0, seen)
        result = rpsd.Denoiser().run(x)
        predicted.append(result.noise.predicted_gain_db)
        gains.append(gain_db(x, result.values, truth))
    assert np.mean(predicted) == pytest.approx(np.mean(gains), abs=0.3)
    assert min(predicted) > 2


def test_series_with_gaps_have_the_same_bits_alone_and_among_others():
    rows = [
        on_grid("c", seed, 1.0, in_the_middle(*gaps))[0]
        for seed, gaps in enumerate([(3, 300), (1, 1), (20, 20), (10, 60)] * 2)
    ]
    rows.append(rpsd.simulate("a", N, 9, nsr=1.0).noisy)
    together = rpsd.denoise(np.array(rows))
    for row, values in zip(rows, together, strict=True):
        np.testing.assert_array_equal(values, rpsd.denoise(row))


@pytest.mark.parametrize(
    "missing",
    [slice(501, 502), slice(495, 500), slice(501, 531), [499, 501]],
    ids=["one after", "five before", "thirty after", "one on either side"],
)
def test_a_bad_tick_beside_what_is_missing_goes_as_any_other(missing):
    kept = 0
    for seed in range(20):
        q = rpsd.simulate("a", 1000, seed, nsr=1.0)
        x = q.noisy.copy()
        x[500] += 20
        x[missing] = np.nan
        kept += abs(rpsd.denoise(x)[500] - q.truth[500]) > 10
    assert kept <= 4


def test_bad_ticks_among_many_missing_samples_go():
    gains = []
    for seed in range(6):
        q = rpsd.simulate("e_out", 2048, seed)
        x = q.noisy.copy()
        x[np.random.default_rng(seed).random(len(x)) < 0.4] = np.nan
        gains.append(gain_db(x, rpsd.denoise(x), q.truth))
    assert min(gains) > 10


def test_a_price_on_ticks_that_is_alone_beside_a_gap_stays_near():
    for seed in range(12):
        q = rpsd.simulate("d", 400, seed)
        for missing in (slice(1, 200), slice(200, 399)):
            x = q.noisy.copy()
            x[missing] = np.nan
            assert np.nanmax(np.abs(rpsd.denoise(x) - x)) < 5  # ticks
