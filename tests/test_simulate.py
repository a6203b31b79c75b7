# SPDX-License-Identifier: MIT
"""rpsd.simulate: moments of the local-level model, the published test signals, seeds, bad arguments."""

import math

import numpy as np
import pytest

import rpsd

PRICES = ["a", "b", "c", "d", "e", "e_t3", "e_out", "e_both", "f", "g"]
SIGNALS = ["blocks", "bumps", "heavisine", "doppler"]


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


@pytest.mark.parametrize("kind", PRICES + SIGNALS)
def test_seed_decides_everything(kind):
    first, again, other = (rpsd.simulate(kind, 50, seed=seed) for seed in (5, 5, 6))
    for name in ("noisy", "truth", "step_sd", "jumps", "bad_ticks", "breaks"):
        np.testing.assert_array_equal(getattr(first, name), getattr(again, name))
    assert not np.array_equal(first.noisy, other.noisy)
    assert (first.kind, first.seed) == (kind, 5)


@pytest.mark.parametrize("kind", PRICES + SIGNALS)
@pytest.mark.parametrize("n", [0, 1, 2, np.int64(3), 17, 391])
def test_any_length(kind, n):
    s = rpsd.simulate(kind, n)
    for values in (s.noisy, s.truth, s.step_sd, s.bad_ticks, s.breaks):
        assert values.shape == (int(n),)
    assert np.isfinite(s.truth).all()
    assert kind == "f" or np.isfinite(s.noisy).all()
    assert np.all((s.jumps > 0) & (s.jumps < n))


@pytest.mark.parametrize(
    ("arguments", "parameters", "message"),
    [
        (("garch", 10), {}, "kind must be one of a, b, c, d, e, .* heavisine, doppler, got 'garch'"),
        ((["a"], 10), {}, r"kind must be one of .* got \['a'\]"),
        (("a", -1), {}, "n must be an integer >= 0, got -1"),
        (("a", 1.5), {}, "n must be an integer >= 0, got 1.5"),
        (("a", 1, -2), {}, "seed must be an integer >= 0, got -2"),
        (("a", 1), {"snr": 3}, "kind 'a' has the parameters nsr, step_sd, .* missing; got 'snr'"),
        (("d", 1), {"jumps": 3}, "kind 'd' has the parameters nsr, step_sd, tick, start; got 'jumps'"),
        (("blocks", 1), {"nsr": 3}, "kind 'blocks' has the parameters snr; got 'nsr'"),
        (("a", 1), {"nsr": -1.0}, "nsr must be a finite number >= 0, got -1.0"),
        (("a", 1), {"nsr": math.nan}, "nsr must be a finite number >= 0, got nan"),
        (("a", 1), {"nsr": math.inf}, "nsr must be a finite number >= 0, got inf"),
        (("a", 1), {"nsr": "3"}, "nsr must be a finite number >= 0, got '3'"),
        (("a", 1), {"nsr": True}, "nsr must be a finite number >= 0, got True"),
        (("a", 1), {"steps": "cauchy"}, "steps must be one of normal, t, got 'cauchy'"),
        (("a", 1), {"noise": 3.0}, "noise must be one of normal, t, got 3.0"),
        (("a", 1), {"volatility": "t"}, "volatility must be one of constant, garch, got 't'"),
        (("c", 1), {"jumps": 1.5}, "jumps must be an integer >= 0, got 1.5"),
        (("g", 1), {"session": -390}, "session must be an integer >= 0, got -390"),
        (("g", 1), {"session": 0}, "session must be > 0 where gap_sd is, got 0"),
        (("a", 1), {"steps": "t", "df": 2.0}, "df must be > 2 for a finite variance, got 2.0"),
        (("e", 1), {"noise_df": 1}, "noise_df must be > 2 for a finite variance, got 1"),
        (("b", 1), {"alpha": 0.1}, r"alpha \+ beta must be < 1, got 0.1 \+ 0.93"),
        (("f", 1), {"missing": 5.0}, "missing is a share and must be <= 1, got 5.0"),
        (("a", 1), {"bad_ticks": 2}, "bad_ticks is a share and must be <= 1, got 2"),
    ],
)
def test_bad_arguments_are_named(arguments, parameters, message):
    with pytest.raises(rpsd.InputError, match=message):
        rpsd.simulate(*arguments, **parameters)
