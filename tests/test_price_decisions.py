# SPDX-License-Identifier: MIT
"""How the default decides: the size of its tests, what it promises, and what it keeps."""

import numpy as np
import pytest
from price_paths import STEPS, cells, gains_db
from scipy.ndimage import gaussian_filter1d
from scipy.special import erfcinv

import rpsd


@pytest.mark.parametrize("law", STEPS.values(), ids=STEPS.keys())
def test_of_short_walks_two_in_a_hundred_are_smoothed(law):
    """At n = 128: where near-clean series hardly count, the level of the test alone decides."""
    x = np.stack([np.cumsum(law(np.random.default_rng(seed), 128)) for seed in range(2000)])
    changed = (rpsd.denoise(x, threads=0) != x).any(axis=1)
    assert changed.mean() < 0.022


def sign_z(x):
    """Studentised sum of products of each move with an exponential average of those before it.

    Moves are in units of a moving standard deviation, which leaves large ones out, and held at 2.5 of it.
    """

    def smooth(values):
        return gaussian_filter1d(values, 20, mode="mirror", truncate=5)

    moves = np.diff(x)
    held = np.minimum(moves**2, (3 * 1.4826 * np.median(np.abs(moves))) ** 2)
    used = moves**2 <= 16 * smooth(held)
    scale = smooth(np.where(used, moves**2, 0)) / smooth(used.astype(float))
    u = moves / np.sqrt(scale)
    u = np.where(np.abs(u) > 4, 0, np.clip(u, -2.5, 2.5))
    total = variance = average = average_square = 0.0
    for v in u:
        total -= v * average
        variance += v**2 * average_square
        average = 0.2 * (average + v)
        average_square = 0.04 * (average_square + v**2)
    return total / np.sqrt(variance)


@pytest.mark.parametrize("jumps", [0, 12])
def test_the_probability_of_a_gain_is_no_higher_than_signs_allow(jumps):
    """Without noise z is the smaller one of two, and told by P(gain > 0)."""
    equal = 0
    for seed in range(60):
        generator = np.random.default_rng(seed)
        steps = generator.standard_normal(500)
        steps[generator.choice(500, jumps, replace=False)] *= 15
        x = np.cumsum(steps)
        result = rpsd.Denoiser().run(x)
        if result.action != "passthrough":
            continue
        z = 0.7 - np.sqrt(2) * erfcinv(2 * result.noise.gain_probability)
        expected = sign_z(x)
        assert z < expected + 0.06, seed
        equal += z > expected - 0.06
    assert equal >= 30  # the likelihood ratio is often zero, where signs are below


@pytest.mark.parametrize(
    ("kind", "nsr"), [("b", 1), ("c", 1), ("c", 3), ("e_t3", 3), ("e_out", 3), ("e_both", 3)]
)
def test_what_is_promised_is_kept(kind, nsr):
    noisy, truth = cells(kind, nsr, 2048, range(100, 116))
    result = rpsd.Denoiser().run(noisy, threads=0)
    gains = gains_db(noisy, truth, result.values)
    assert result.noise.predicted_gain_db.mean() == pytest.approx(
        gains.mean(), abs=0.35 if kind == "e_t3" else 0.25
    )


@pytest.mark.slow
@pytest.mark.parametrize("nsr", [0.05, 0.1])
@pytest.mark.parametrize("kind", ["a", "b", "c", "t4"])
def test_no_harm_over_many_seeds(kind, nsr):
    noisy, truth = cells(kind, nsr, 600, range(2000))
    gains = gains_db(noisy, truth, rpsd.denoise(noisy, threads=0))
    assert gains.mean() > -0.03
