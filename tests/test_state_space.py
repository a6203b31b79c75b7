# SPDX-License-Identifier: MIT
"""The local level model of the core against statsmodels, numerical integration and its own definition."""

import numpy as np
import pytest
from reference.state_space import NOISE_SCALES, STEP_SCALES, mixture_log_likelihood, tilted
from statsmodels.tsa.statespace.structural import UnobservedComponents

from rpsd import _core

STEP_WEIGHTS = np.array([[0.85, 0.06, 0.04, 0.03, 0.015, 0.005]])
NOISE_WEIGHTS = np.array([[0.85, 0.05, 0.04, 0.03, 0.015, 0.008, 0.005, 0.002]])


def walk(n, noise, missing=0.0, seed=0):
    """Return one series (1, n) under noise, and where it is seen."""
    rng = np.random.default_rng([20261124, n, seed])
    y = np.cumsum(rng.standard_normal(n)) + noise * rng.standard_normal(n)
    seen = (rng.random(n) >= missing).astype(float)
    seen[0] = 1
    y[seen == 0] = 77.0
    return y[None], seen[None]


def statsmodels_level(y, seen, q, r):
    """Smooth by statsmodels, from the same law of the first level."""
    model = UnobservedComponents(np.where(seen > 0, y, np.nan)[1:], "local level")
    model.ssm.tolerance = 0  # else it stops updating variances once they hardly change
    model.ssm.loglikelihood_burn = 0  # the first level is known here
    model.ssm.initialize_known(y[:1], np.array([[r + q]]))
    return model.smooth([r, q], transformed=True)


@pytest.mark.parametrize("missing", [0.0, 0.25])
@pytest.mark.parametrize(("q", "r"), [(1.0, 0.5), (0.01, 3.0), (2.0, 1e-4)])
def test_smoother_is_that_of_statsmodels(q, r, missing):
    y, seen = walk(300, 1.0, missing)
    ones = np.ones_like(y)
    mean, variance, step_square, likelihood = _core.local_level_smooth(y, seen, q * ones, r * ones)
    other = statsmodels_level(y[0], seen[0], q, r)
    np.testing.assert_allclose(mean[0, 1:], other.smoothed_state[0], rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(variance[0, 1:], other.smoothed_state_cov[0, 0], rtol=1e-8)
    np.testing.assert_allclose(likelihood[0], other.llf, rtol=1e-11)
    # E[w^2] from the smoothed disturbances: the one at t leads to t + 1.
    square = other.smoothed_state_disturbance[0] ** 2 + other.smoothed_state_disturbance_cov[0, 0]
    np.testing.assert_allclose(step_square[0, 2:], square[:-1], rtol=1e-7, atol=1e-12)


@pytest.mark.parametrize("noise", [0.3, 1.0, 4.0])
def test_fit_is_that_of_statsmodels(noise):
    y, seen = walk(400, noise, 0.1)
    ones = np.ones_like(y)
    fit = _core.local_level_fit(y, seen, ones, ones)[0]
    # An exact diffuse start leaves the first sample out of the likelihood, as the core does.
    model = UnobservedComponents(np.where(seen[0] > 0, y[0], np.nan), "local level", use_exact_diffuse=True)
    constant = -0.5 * np.log(2 * np.pi)  # that statsmodels counts for the first sample
    assert model.loglike(fit[:2]) - constant == pytest.approx(fit[2], rel=1e-10)
    # Score of an independent likelihood: central differences vanish at the top.
    for k in range(2):
        moved = [fit[:2] * np.exp(sign * 1e-3 * np.eye(2)[k]) for sign in (-1, 1)]
        low, high = (model.loglike(m) for m in moved)
        assert abs(high - low) / 2e-3 < 1e-3


def test_mixture_likelihood_is_that_of_the_definition():
    y, seen = walk(250, 1.0, 0.1)
    y[0, 100:] += 30
    y[0, 180] += 60
    rng = np.random.default_rng(5)
    q, r = np.exp(0.5 * rng.standard_normal((2, 1, 250)))
    got = _core.local_level_mixture(y, seen, q, r, STEP_WEIGHTS, NOISE_WEIGHTS)[0]
    expected = mixture_log_likelihood(y[0], seen[0], q[0], r[0], STEP_WEIGHTS[0], NOISE_WEIGHTS[0])
    assert got == pytest.approx(expected, rel=1e-11)


def test_noise_sites_are_moments_by_integration():
    y, seen = walk(40, 1.0, 0.2, seed=1)
    y[0, 7] += 25
    ones = np.ones_like(y)
    r = 1.3 * ones
    mean, variance, _, _ = _core.local_level_smooth(y, seen, 0.8 * ones, r)
    matched, noise_variance, sums, doubt = _core.noise_sites(
        y, seen, mean, variance, r, least_variance=1e-12, noise_variance=0.9, weights=NOISE_WEIGHTS
    )
    squares, responsibilities, doubts = [], np.zeros(8), 0.0
    for t in np.flatnonzero(seen[0]):
        # The level given the other samples: the smoothed Gaussian divided by the site.
        cavity = 1 / (1 / variance[0, t] - 1 / r[0, t])
        others = cavity * (mean[0, t] / variance[0, t] - y[0, t] / r[0, t])
        share, square, expected, more = tilted(y[0, t] - others, cavity, 0.9, NOISE_SCALES, NOISE_WEIGHTS[0])
        assert matched[0, t] == pytest.approx(expected, rel=1e-6)
        squares.append(square)
        responsibilities += share
        doubts += more
    assert noise_variance == pytest.approx(np.mean(squares), rel=1e-7)
    np.testing.assert_allclose(sums, responsibilities, rtol=1e-7)
    assert doubt == pytest.approx(doubts, rel=1e-5)


def test_step_sites_are_moments_by_integration():
    y, seen = walk(40, 0.7, 0.2, seed=2)
    y[0, 20:] += 30
    ones = np.ones_like(y)
    q, shape = 1.1 * ones, np.linspace(0.5, 1.5, 40)[None]
    mean, _, step_square, _ = _core.local_level_smooth(y, seen, q, 0.5 * ones)
    scaled, ratio, step_variance, sums, doubt = _core.step_sites(
        mean, step_square, shape, q, least_variance=1e-12, step_variance=0.7, weights=STEP_WEIGHTS
    )
    responsibilities, doubts = np.zeros(6), 0.0
    for t in range(1, 40):
        step = mean[0, t] - mean[0, t - 1]
        variance = step_square[0, t] - step**2
        if variance > q[0, t] * (1 - 1e-6):
            continue  # a missing sample at the end says nothing of its step
        cavity = 1 / (1 / variance - 1 / q[0, t])
        base = 0.7 * shape[0, t]
        away = step * cavity / variance
        share, square, expected, more = tilted(away, cavity, base, STEP_SCALES, STEP_WEIGHTS[0])
        assert scaled[0, t] == pytest.approx(square, rel=1e-6)
        assert ratio[0, t] == pytest.approx(np.clip(expected / base, 0.2, 1e6), rel=1e-5)
        responsibilities += share
        doubts += more
    assert doubt == pytest.approx(doubts, rel=1e-5)
    np.testing.assert_allclose(sums, responsibilities, rtol=1e-6)
    assert step_variance == pytest.approx(np.mean((scaled / shape)[0, 1:]), rel=1e-12)


@pytest.mark.parametrize("n", [2, 3, 30, 61, 62, 63, 500])
def test_volatility_is_a_reflected_gaussian_average(n):
    u = np.random.default_rng(n).random((1, n)) ** 8
    got = _core.step_volatility(u, step_variance=0.3)[0]
    scaled = np.r_[u[0, 1], u[0, 1:]] / 0.3
    taps = np.exp(-0.5 * (np.arange(-62, 63) / 20) ** 2)
    padded = np.pad(scaled, 62, mode="reflect")
    expected = np.maximum(np.convolve(padded, taps / taps.sum(), "valid"), 0.02)
    # Means of four samples and lines between them stand for the samples.
    np.testing.assert_allclose(got, expected / expected[1:].mean(), atol=0.03)


def test_volatility_damps_a_wave_as_a_gaussian_does():
    t = np.arange(4000)
    wave = np.cos(2 * np.pi * t / 100)
    got = _core.step_volatility(2 + wave[None], step_variance=0.3)[0]
    expected = 2 + np.exp(-0.5 * (2 * np.pi / 100 * 20) ** 2) * wave
    np.testing.assert_allclose(got[200:-200] / got.mean(), (expected / 2)[200:-200], atol=0.005)


@pytest.mark.parametrize("n", [40, 62, 500])
def test_volatility_of_a_reversed_series_is_reversed(n):
    u = np.random.default_rng(n).random(n) ** 8
    u[0], u[-1] = u[1], u[-2]  # the first step's place is taken by the second
    forward = _core.step_volatility(u[None], step_variance=0.3)[0]
    backward = _core.step_volatility(u[None, ::-1].copy(), step_variance=0.3)[0]
    np.testing.assert_allclose(backward[::-1] / backward[5], forward / forward[-6], rtol=1e-12)


def test_shapes_are_checked():
    y, seen = walk(10, 1.0)
    with pytest.raises(ValueError, match="r must have the shape of y"):
        _core.local_level_smooth(y, seen, y, y[:, :5].copy())
    with pytest.raises(ValueError, match="step_weights must be series x 6"):
        _core.local_level_mixture(y, seen, seen, seen, NOISE_WEIGHTS, NOISE_WEIGHTS)
