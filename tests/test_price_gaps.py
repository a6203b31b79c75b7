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


def on_ticks(kind, rng):
    """Noisy prices on ticks, and true ones."""
    n, seed = int(rng.integers(300, N)), int(rng.integers(2**31))
    if kind == "d":
        q = rpsd.simulate("d", n, seed)
        return q.noisy, q.truth
    q = rpsd.simulate("c", n, seed, nsr=1.0)
    tick = np.median(np.abs(np.diff(q.truth))) / 0.6745
    return np.round(q.noisy / tick) * tick, q.truth


def missing(n, rng):
    """5 to 50 % here and there, in one run, or in runs."""
    share = rng.uniform(0.05, 0.5)
    runs = int(rng.choice([0, 1, 5]))
    if runs == 0:
        return rng.random(n) < share
    gone = np.zeros(n, bool)
    length = int(share * n / runs)
    for k in range(runs):
        begin = k * (n // runs) + rng.integers(n // runs - length)
        gone[begin : begin + length] = True
    return gone


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("kind", ["d", "c"])
def test_ticks_with_gaps_in_any_unit_and_upside_down(kind, seed):
    """Windows of the lattice have as many states above their middle as below; where it is tried and not
    taken, it leaves no trace. About their own level the prices are small, and the tolerance with them."""
    rng = np.random.default_rng([31, seed])
    x, _ = on_ticks(kind, rng)
    with_gaps = np.where(missing(len(x), rng), np.nan, x)
    for prices in (x, with_gaps):
        y = rpsd.denoise(prices)
        middle = (np.nanmin(prices) + np.nanmax(prices)) / 2
        assert np.nanmax(np.abs(y - prices)) > 0
        for a, b in ((-1, 0.0), (-1, middle), (1, -middle), (-0.37, 5.0), (3.1, -200.0)):
            moved = a * prices + b
            difference = rpsd.denoise(moved) - (a * y + b)
            assert np.nanmax(np.abs(difference)) < 1e-9 * np.nanmax(np.abs(moved)), (a, b)
        single = prices.astype(np.float32)
        np.testing.assert_allclose(rpsd.denoise(-single), -rpsd.denoise(single), rtol=3e-7)


@pytest.mark.parametrize("seed", [21, 22, 33, 70, 90, 97, 98])
@pytest.mark.parametrize("outliers", ["none", "spike"])
def test_bad_ticks_beside_gaps_in_any_unit(seed, outliers):
    """A line from a bad tick to the price after a gap is exactly half as far: rounding must not decide."""
    x = rpsd.simulate("d", 1000, seed, step_sd=0.3).noisy
    x[1:-1][np.random.default_rng(seed).random(998) < 0.5] = np.nan
    x[[100, 300, 700]] += [30, -40, 25]
    y = rpsd.denoise(x, outliers=outliers)
    for a in (3.1, -0.37, 0.1):
        difference = rpsd.denoise(a * x, outliers=outliers) - a * y
        assert np.nanmax(np.abs(difference)) < 1e-9 * np.nanmax(np.abs(a * x)), a


def test_jumps_on_ticks_are_smoothed_as_others_are():
    """The lattice, which is tried and not taken, must not spoil what is known of the jumps: half of these
    were returned as they came."""
    gains, predicted = [], []
    for seed in range(16):
        x, truth = on_ticks("c", np.random.default_rng([32, seed]))
        result = rpsd.Denoiser().run(x)
        gains.append(gain_db(x, result.values, truth))
        predicted.append(result.noise.predicted_gain_db)
    assert min(gains) > 1
    assert np.mean(gains) > 3.2
    assert np.mean(predicted) == pytest.approx(np.mean(gains), abs=0.5)
