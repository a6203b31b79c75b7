# SPDX-License-Identifier: MIT
"""rpsd.simulate: moments of the local-level model, the published test signals, seeds, bad arguments."""

import math

import numpy as np
import pytest

import rpsd


@pytest.mark.parametrize("seed", [0, 7], ids=lambda seed: f"seed{seed}")
@pytest.mark.parametrize(("nsr", "step_sd"), [(1.0, 1.0), (3.0, 0.02), (0.1, 5.0)])
def test_local_level_has_the_moments_of_its_model(seed, nsr, step_sd):
    n = 200_000
    s = rpsd.simulate("a", n, seed=seed, nsr=nsr, step_sd=step_sd)
    noise = s.noisy - s.truth
    steps = np.diff(s.truth)
    assert s.noise_sd == nsr * step_sd
    assert noise.std() == pytest.approx(nsr * step_sd, rel=0.01)
    assert steps.std() == pytest.approx(step_sd, rel=0.01)
    # Standard errors of the sample correlations are 1/sqrt(n); 5 of them.
    bound = 5 / math.sqrt(n)
    assert abs(np.corrcoef(steps[1:], steps[:-1])[0, 1]) < bound
    assert abs(np.corrcoef(noise[1:], noise[:-1])[0, 1]) < bound
    assert abs(np.corrcoef(noise[1:], steps)[0, 1]) < bound
    # Harvey (1989): lag-1 autocovariance of the differences of what is seen is minus the noise variance.
    seen = np.diff(s.noisy)
    assert np.mean(seen[1:] * seen[:-1]) == pytest.approx(-(noise.std() ** 2), abs=0.02 * seen.var())


def blocks(t):
    places = [0.1, 0.13, 0.15, 0.23, 0.25, 0.4, 0.44, 0.65, 0.76, 0.78, 0.81]
    heights = [4, -5, 3, -4, 5, -4.2, 2.1, 4.3, -3.1, 2.1, -4.2]
    return sum(h * (0.5 if t == p else float(t > p)) for p, h in zip(places, heights, strict=True))


def bumps(t):
    places = [0.1, 0.13, 0.15, 0.23, 0.25, 0.4, 0.44, 0.65, 0.76, 0.78, 0.81]
    heights = [4, 5, 3, 4, 5, 4.2, 2.1, 4.3, 3.1, 5.1, 4.2]
    widths = [0.005, 0.005, 0.006, 0.01, 0.01, 0.03, 0.01, 0.01, 0.005, 0.008, 0.005]
    return sum(h / (1 + abs(t - p) / w) ** 4 for p, h, w in zip(places, heights, widths, strict=True))


def heavisine(t):
    return 4 * math.sin(4 * math.pi * t) - np.sign(t - 0.3) - np.sign(0.72 - t)


def doppler(t):
    return math.sqrt(t * (1 - t)) * math.sin(2.1 * math.pi / (t + 0.05))


@pytest.mark.parametrize("curve", [blocks, bumps, heavisine, doppler], ids=lambda f: f.__name__)
@pytest.mark.parametrize("snr", [7.0, 3.0])
def test_test_signals_are_those_of_donoho_and_johnstone(curve, snr):
    n = 1024
    s = rpsd.simulate(curve.__name__, n, seed=3, snr=snr)
    expected = np.array([curve(i / n) for i in range(1, n + 1)], dtype=float)
    expected *= snr / expected.std()
    np.testing.assert_allclose(s.truth, expected, rtol=1e-12, atol=1e-12)
    assert s.noise_sd == 1.0
    assert (s.noisy - s.truth).std() == pytest.approx(1.0, abs=0.1)


@pytest.mark.parametrize("kind", ["a", "blocks", "bumps", "heavisine", "doppler"])
def test_seed_decides_everything(kind):
    first, again, other = (rpsd.simulate(kind, 50, seed=seed) for seed in (5, 5, 6))
    np.testing.assert_array_equal(first.noisy, again.noisy)
    assert not np.array_equal(first.noisy, other.noisy)
    assert (first.kind, first.seed) == (kind, 5)


@pytest.mark.parametrize("kind", ["a", "blocks", "doppler"])
@pytest.mark.parametrize("n", [0, 1, 2, np.int64(3)])
def test_any_length(kind, n):
    s = rpsd.simulate(kind, n)
    assert s.noisy.shape == s.truth.shape == (int(n),)
    assert np.isfinite(s.noisy).all()


@pytest.mark.parametrize(
    ("arguments", "parameters", "message"),
    [
        (("garch", 10), {}, "kind must be one of a, blocks, bumps, heavisine, doppler, got 'garch'"),
        ((["a"], 10), {}, r"kind must be one of .* got \['a'\]"),
        (("a", -1), {}, "n must be an integer >= 0, got -1"),
        (("a", 1.5), {}, "n must be an integer >= 0, got 1.5"),
        (("a", 1, -2), {}, "seed must be an integer >= 0, got -2"),
        (("a", 1), {"snr": 3}, "kind 'a' has the parameters nsr, step_sd; got 'snr'"),
        (("blocks", 1), {"nsr": 3}, "kind 'blocks' has the parameters snr; got 'nsr'"),
        (("a", 1), {"nsr": -1.0}, "nsr must be a finite number >= 0, got -1.0"),
        (("a", 1), {"nsr": math.nan}, "nsr must be a finite number >= 0, got nan"),
        (("a", 1), {"nsr": math.inf}, "nsr must be a finite number >= 0, got inf"),
        (("a", 1), {"nsr": "3"}, "nsr must be a finite number >= 0, got '3'"),
        (("a", 1), {"nsr": True}, "nsr must be a finite number >= 0, got True"),
    ],
)
def test_bad_arguments_are_named(arguments, parameters, message):
    with pytest.raises(rpsd.InputError, match=message):
        rpsd.simulate(*arguments, **parameters)
