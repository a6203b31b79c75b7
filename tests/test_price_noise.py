# SPDX-License-Identifier: MIT
"""Wavelets with the noise of the price model: noise="price", which is what noise="auto" is everywhere."""

import numpy as np
import pytest
from reference.agreement import worst_error
from scipy import signal
from test_denoise_chain import composed
from test_denoise_modwt import composed as composed_modwt

import rpsd

METHODS = [{"method": "wavelet"}, {"transform": "modwt"}]


def gaps(x, share=0.1):
    return np.where(np.random.default_rng(5).random(len(x)) < share, np.nan, x)


def same(found, expected):
    names = ("noise_sd", "step_sd", "nsr", "predicted_gain_db", "gain_probability")
    pairs = [(getattr(found, name), getattr(expected, name)) for name in names]
    return found.kind == expected.kind and np.allclose(*zip(*pairs, strict=True), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("nsr", [0.6, 1.0, 3.0])
@pytest.mark.parametrize("mode", ["bayes", "universal"])
def test_is_the_composition_with_the_noise_that_estimate_noise_finds(mode, nsr):
    x = rpsd.simulate("a", 1500, seed=2, nsr=nsr).noisy
    sd = rpsd.estimate_noise(x).noise_sd
    expected = composed(x, threshold_mode=mode, noise=sd)
    for noise in ({}, {"noise": "price"}):
        found = rpsd.denoise(x, method="wavelet", threshold_mode=mode, **noise)
        assert worst_error(found, expected) <= 1e-10
    found = rpsd.denoise(x, transform="modwt", threshold_mode=mode)
    np.testing.assert_allclose(found, composed_modwt(x, "db4", 4, "symmetric", mode, sd), rtol=0, atol=1e-10)


@pytest.mark.parametrize("options", METHODS, ids=str)
def test_a_walk_without_noise_comes_back(options):
    for seed in range(10):
        x = 100 + np.cumsum(np.random.default_rng(seed).normal(size=800))
        result = rpsd.Denoiser(**options).run(x)
        assert (result.action, result.level) == ("passthrough", 0)
        np.testing.assert_array_equal(result.values, x)
        assert same(result.noise, rpsd.estimate_noise(x))
        textbook = rpsd.denoise(x, noise="mad", **options)
        assert np.std(textbook - x) > 0.1 * np.std(np.diff(x))


@pytest.mark.parametrize("options", METHODS, ids=str)
@pytest.mark.parametrize("space", ["price", "log"])
def test_the_model_is_reported_and_gaps_do_not_count(options, space):
    x = gaps(1e-3 * np.exp(0.001 * rpsd.simulate("a", 2000, seed=1, nsr=1.0).noisy))
    found = rpsd.Denoiser(space=space, **options).run(x)
    assert found.noise.kind == "price"
    assert same(found.noise, rpsd.estimate_noise(x if space == "price" else np.log(x)))
    # A line between neighbours has no noise: were it to count, a tenth less would be found.
    assert found.noise.nsr == pytest.approx(1.0, abs=0.06)
    careful = rpsd.Denoiser(space=space, min_gain_db=found.noise.predicted_gain_db - 1e-9, **options)
    np.testing.assert_array_equal(careful.denoise(x), found.values)
    assert rpsd.Denoiser(space=space, min_gain_db=9, **options).run(x).action == "passthrough"


def test_short_and_still_series_have_no_model():
    for x in (np.arange(31) % 7.0, np.full(500, 3.0), np.array([1.0]), np.full(9, np.nan)):
        result = rpsd.Denoiser(method="wavelet").run(x)
        assert result.action == "passthrough"
        assert np.isnan(result.noise.noise_sd)
        assert (result.noise.predicted_gain_db, result.noise.gain_probability) == (0, 0)


def test_the_filter_that_is_asked_for_runs_without_noise_too():
    x = 100 + np.cumsum(np.random.default_rng(3).normal(size=700))
    taps = signal.firwin(101, 0.1, window="hann")
    expected = signal.filtfilt(taps, 1, x, padlen=303)
    assert worst_error(rpsd.denoise(x, use_fir_filter=True), expected) <= 1e-10


@pytest.mark.parametrize(
    "options", [{"method": "fir"}, {"method": "wavelet", "threshold_mode": "none"}, {"level": 0}], ids=str
)
def test_no_model_is_fitted_where_nothing_is_shrunk(options):
    noise = rpsd.Denoiser(**options).run(rpsd.simulate("a", 500, seed=1, nsr=1.0).noisy).noise
    assert noise.kind == "none"
    assert np.isnan([noise.noise_sd, noise.step_sd, noise.predicted_gain_db]).all()


def test_windows_fit_their_own_samples():
    x = rpsd.simulate("a", 400, seed=4, nsr=2.0).noisy
    y = rpsd.denoise(x, method="wavelet", lookahead=1, window=128)
    for t in (127, 250, 398):
        part = x[t - 127 : t + 2]
        sd = rpsd.estimate_noise(part).noise_sd
        assert y[t] == pytest.approx(composed(part, noise=sd)[127], rel=1e-12)
    result = rpsd.Denoiser(method="wavelet", lookahead=1, window=128).run(x)
    assert same(result.noise, rpsd.estimate_noise(x[-129:]))
