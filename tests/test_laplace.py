# SPDX-License-Identifier: MIT
"""The Laplace prior of ebayes: fit, posterior median and mean against integrals over the prior."""

import math

import bits
import numpy as np
import pytest
import pywt
from reference import laplace
from scipy import special

import rpsd

SIGMA = 0.1
ONE_LEVEL = {"wavelet": "haar", "level": 1, "threshold_mode": "ebayes", "prior": "laplace", "noise": SIGMA}
MODWT = {"transform": "modwt", "threshold_mode": "ebayes", "prior": "laplace", "noise": "mad"}


def series(z):
    """Samples whose finest Haar details are SIGMA z."""
    x = np.full(2 * len(z), 100.0)
    x[::2] += SIGMA * z / math.sqrt(2)
    x[1::2] -= SIGMA * z / math.sqrt(2)
    return x


def shrunk(z, rule, **options):
    y = rpsd.denoise(series(z), threshold_rule=rule, **{**ONE_LEVEL, **options})
    return pywt.dwt(y, "haar")[1] / SIGMA


def signal(n, share, rate, seed=0):
    """Noise, and in a share of the coefficients Laplace signal."""
    rng = np.random.default_rng([seed, n])
    return rng.standard_normal(n) + np.where(rng.random(n) < share, rng.laplace(0, 1 / rate, n), 0)


# Both free; the weight 1; the rate at either bound; the weight at its bound, which moves with the rate.
LEVELS = {
    "usual": signal(300, 0.2, 0.5),
    "dense": signal(300, 1.0, 0.3),
    "huge": signal(60, 0.9, 0.01),
    "small": signal(200, 1.0, 4.0),
    "needle": np.r_[signal(200, 0.0, 1.0), 9.0],
    "one": np.array([3.0]),
}


def test_the_twin_has_the_marginal_of_the_paper():
    z = np.array([0.0, 0.3, 1.0, 4.0, 9.0, 20.0])
    for a in (0.04, 0.5, 3.0):
        part = lambda u: np.exp(special.log_ndtr(-u) + u * u / 2)  # noqa: E731
        paper = a / 2 * (part(a - z) + part(a + z)) * np.exp(-z * z / 2)
        np.testing.assert_allclose(laplace.marginal(z, a), paper, rtol=1e-12)


@pytest.mark.parametrize("name", LEVELS)
def test_shrinkage_is_that_of_the_best_prior(name):
    z = LEVELS[name]
    w, a = laplace.fit(z)
    if name == "dense":
        assert w == 1
    elif name != "one":
        assert w < 1 or name in {"huge", "small"}
    for rule in ("posterior_median", "posterior_mean"):
        expected = getattr(laplace, rule)(z, w, a)
        np.testing.assert_allclose(shrunk(z, rule), expected, rtol=0, atol=1e-6, err_msg=rule)
    t = laplace.threshold(w, a)
    np.testing.assert_allclose(
        shrunk(z, "soft"), np.sign(z) * np.maximum(np.abs(z) - t, 0), rtol=0, atol=1e-6
    )


def test_many_coefficients_have_the_prior_of_few():
    """From 8192 on it is first sought on a part of them; repetitions change neither weight nor rate."""
    z = LEVELS["usual"]
    for rule in ("posterior_median", "posterior_mean"):
        y = shrunk(np.tile(z, 30), rule)
        np.testing.assert_allclose(y, np.tile(shrunk(z, rule), 30), rtol=0, atol=1e-8)


def test_the_rate_keeps_to_its_bounds():
    assert laplace.fit(LEVELS["huge"])[1] == pytest.approx(0.04, rel=1e-3)
    z = np.r_[LEVELS["huge"], 1e3, -1e5, 1e7]  # far from noise, a coefficient loses the rate
    for rule in ("posterior_median", "posterior_mean"):
        np.testing.assert_allclose((np.abs(z) - np.abs(shrunk(z, rule)))[-3:], 0.04, rtol=0, atol=1e-6)


def test_shrinkage_is_odd_and_increasing():
    z = np.linspace(0, 12, 800)
    z = np.r_[z, -z]
    for rule in ("posterior_median", "posterior_mean"):
        y = shrunk(z, rule)
        np.testing.assert_allclose(y[:800], -y[800:], rtol=0, atol=1e-11)
        assert (np.diff(y[:800]) >= -1e-11).all()
        assert (y[:800] <= z[:800] + 1e-11).all()


@pytest.mark.parametrize("rule", ["posterior_median", "posterior_mean"])
@pytest.mark.parametrize("transform", ["dwt", "modwt"])
def test_scaled_and_shifted(transform, rule):
    s = rpsd.simulate("heavisine", 1024, 3, snr=3).noisy
    options = {**MODWT, "transform": transform, "threshold_rule": rule}
    y = rpsd.denoise(s, **options)
    for a in (2.0**-30, 2.0**20, -1.0):
        np.testing.assert_array_equal(rpsd.denoise(a * s, **options), a * y)
    for a, b in ((3.7, 11.0), (-1e-4, 2.0), (1e5, -1e5)):
        limit = 1e-9 * np.max(np.abs(a * s + b))
        np.testing.assert_allclose(rpsd.denoise(a * s + b, **options), a * y + b, rtol=0, atol=limit)


def test_zeros_stay_and_noise_goes():
    for n in (1, 2, 64, 1000):
        np.testing.assert_array_equal(rpsd.denoise(np.full(n, 7.0), **MODWT), np.full(n, 7.0))
    y = shrunk(np.zeros(256), "posterior_median")
    np.testing.assert_allclose(y, 0, atol=1e-11)
    left = [shrunk(signal(512, 0, 1, seed), "posterior_median") for seed in range(40)]
    zeroed = [bool(np.all(np.abs(y) < 1e-11)) for y in left]
    assert np.mean(zeroed) >= 0.7
    assert np.mean(np.square(left)) < 0.02


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("noise", ["mad", "level", "local"])
def test_same_bits_for_any_threads_and_batch(noise, dtype):
    x = bits.noisy_prices(2, 20_011, dtype)
    for transform in ("dwt", "modwt"):
        denoiser = rpsd.Denoiser(**{**MODWT, "transform": transform, "noise": noise, "level": 4})
        one = denoiser.denoise(x[0])
        assert one.dtype == dtype
        assert bits.digest(denoiser.denoise(x[0], threads=3)) == bits.digest(one)
        assert bits.digest(denoiser.denoise(x, threads=2)[0]) == bits.digest(one)


def test_cauchy_is_the_default():
    x = rpsd.simulate("bumps", 512, 1, snr=3).noisy
    default = {name: value for name, value in MODWT.items() if name != "prior"}
    np.testing.assert_array_equal(rpsd.denoise(x, **default), rpsd.denoise(x, **default, prior="cauchy"))
    assert not np.array_equal(rpsd.denoise(x, **default), rpsd.denoise(x, **MODWT))
    with pytest.raises(rpsd.ConfigError, match='prior must be "cauchy" or "laplace", got "normal"'):
        rpsd.Denoiser(prior="normal")


def test_it_is_the_better_prior_of_sharp_signals():
    simulated = [rpsd.simulate("bumps", 1024, seed, snr=3) for seed in range(15)]
    errors = {}
    for prior in ("cauchy", "laplace"):
        denoiser = rpsd.Denoiser(method="wavelet", **{**MODWT, "prior": prior})
        errors[prior] = np.mean([np.mean((denoiser.denoise(s.noisy) - s.truth) ** 2) for s in simulated])
    assert errors["laplace"] < 0.99 * errors["cauchy"]
