# SPDX-License-Identifier: MIT
"""Selectors, blocks, posterior rules and local noise against the twin, and what their papers say of them."""

import math

import bits
import numpy as np
import pytest
import pywt
from reference import dwt, modwt, selection, shrinkage
from scipy import stats

import rpsd

MODES = ("sure", "hybrid", "minimax", "fdr", "ebayes", "blockjs", "neighblock", "wiener")
BLOCKS = ("blockjs", "neighblock")

pytestmark = pytest.mark.filterwarnings("ignore:Level value of:UserWarning")


def bumpy(n, seed=1):
    """Prices with noise and a few jumps: coefficients of all sizes."""
    rng = np.random.default_rng([seed, n])
    jumps = np.cumsum(np.where(rng.random(n) < 0.01, rng.standard_normal(n) * 2, 0))
    return 100 + jumps + np.cumsum(rng.standard_normal(n)) / 60 + rng.standard_normal(n) / 10


def thresholds(mode, details, sigmas, n):
    """In units of the noise, one for each level."""
    z = [d / sigma for d, sigma in zip(details, sigmas, strict=True)]
    if mode == "minimax":
        return [selection.minimax(n)] * len(z)
    if mode == "fdr":
        return [selection.fdr(np.concatenate(z))] * len(z)
    if mode == "ebayes":
        return [selection.threshold(selection.weight(v)) for v in z]
    return [{"sure": selection.sure, "hybrid": selection.hybrid}[mode](v) for v in z]


def by_hand(x, transform, mode, rule, noise=0.1, scale=1.0, wavelet="db4", level=3):
    """The chain on the twin, symmetric."""
    bank, n = pywt.Wavelet(wavelet).filter_bank, len(x)
    if transform == "dwt":
        coeffs = dwt.wavedec(x, bank, "symmetric", level)
        kept = coeffs
        sigmas = [noise] * level
    else:
        coeffs = list(modwt.periodic(np.concatenate([x, x[::-1]]), bank, level))
        kept = list(modwt.symmetric(x, bank, level))
        sigmas = [noise / 2 ** (j / 2) for j in range(level, 0, -1)]
    if mode not in (*BLOCKS, "wiener"):
        limits = thresholds(mode, kept[1:], sigmas, n)
    for k in range(level):
        d, sigma = coeffs[k + 1], sigmas[k]
        if mode in BLOCKS and transform == "dwt":
            found = selection.blocks(mode, d, scale * sigma, n)
        elif mode in BLOCKS:
            found = selection.blocks_all_shifts(mode, d, scale * sigma, n, 2 ** (level - k))
        elif mode == "wiener":
            found = d * max(0, 1 - (scale * sigma) ** 2 / np.mean(kept[k + 1] ** 2))
        elif rule.startswith("posterior"):
            w = selection.weight(kept[k + 1] / sigma)
            one = getattr(selection, rule)
            found = scale * sigma * one(d / (scale * sigma), w)
        else:
            found = shrinkage.shrink(d, scale * sigma * limits[k], rule)
        coeffs[k + 1] = found
    if transform == "dwt":
        return dwt.waverec(coeffs, bank, "symmetric")[:n]
    return modwt.inverse_periodic(np.array(coeffs), bank)[:n]


@pytest.mark.parametrize("transform", ["dwt", "modwt"])
@pytest.mark.parametrize("mode", MODES)
def test_every_mode_is_its_twin(mode, transform):
    rules = ("soft", "hard", "scad") if mode not in (*BLOCKS, "wiener") else ("auto",)
    # sure takes one of the coefficients for its threshold: at scale 1, hard would hang on its last bit.
    for n, scale in ((90, 1.0 if mode == "fdr" else 0.97), (701, 0.6)):
        x = bumpy(n)
        for rule in rules:
            options = {"threshold_mode": mode, "threshold_rule": rule, "threshold_scale": scale}
            found = rpsd.denoise(x, transform=transform, wavelet="db4", level=3, noise=0.1, **options)
            expected = by_hand(x, transform, mode, rule, scale=scale)
            np.testing.assert_allclose(found, expected, rtol=0, atol=1e-9, err_msg=f"{n} {rule}")


@pytest.mark.parametrize("rule", ["posterior_median", "posterior_mean"])
def test_posterior_rules_are_integrals_over_the_prior(rule):
    x = bumpy(150)
    for transform, scale in (("dwt", 1.0), ("dwt", 0.7), ("modwt", 1.0)):
        options = {"threshold_mode": "ebayes", "threshold_rule": rule, "threshold_scale": scale}
        found = rpsd.denoise(x, transform=transform, wavelet="db4", level=2, noise=0.1, **options)
        expected = by_hand(x, transform, "ebayes", rule, scale=scale, level=2)
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-9)


def test_the_weight_of_many_coefficients():
    """From 8192 coefficients on it is first sought on a part of them."""
    x = bumpy(20_000)
    options = {"threshold_mode": "ebayes", "wavelet": "haar", "level": 1, "noise": 0.1}
    found = rpsd.denoise(x, threshold_rule="hard", **options)
    expected = by_hand(x, "dwt", "ebayes", "hard", wavelet="haar", level=1)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-9)


def test_the_prior_has_the_marginal_of_the_paper():
    z = np.array([0.3, 1.0, 4.0, 9.0, 20.0])
    by_quadrature = selection.integral(z, 0.0) + selection.integral(-z, 0.0)
    np.testing.assert_allclose(by_quadrature, selection.marginal(z), rtol=1e-12)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("noise", [0.1, "mad"])
def test_fdr_keeps_what_benjamini_and_hochberg_find(noise, dtype):
    """The last of them too, whose size is the threshold."""
    for seed in range(10):
        x = bumpy(256, seed)
        for unit in (1.0, 2.0**-40, 1.7 + seed, 1e-3 / (1 + seed)):
            scaled = (unit * x).astype(dtype)
            sigma = unit * noise if noise == 0.1 else noise
            options = {"wavelet": "haar", "level": 1, "threshold_mode": "fdr", "threshold_rule": "hard"}
            found = pywt.dwt(rpsd.denoise(scaled, noise=sigma, **options), "haar")[1]
            details = pywt.dwt(scaled, "haar")[1]
            spread = sigma if noise == 0.1 else shrinkage.mad(details)
            p_values = 2 * stats.norm.sf(np.abs(details) / spread)
            kept = stats.false_discovery_control(p_values) <= 0.05
            np.testing.assert_array_equal(np.abs(found) > spread / 2, kept, err_msg=f"{seed} {unit}")


def test_minimax_table_of_the_paper():
    """Donoho & Johnstone (1994), table 2; here from what the transform leaves of one large Haar detail."""
    for n, expected in ((64, 1.474), (128, 1.669), (256, 1.859), (512, 2.045), (1024, 2.226)):
        x = np.zeros(n)
        x[0] = 100.0
        options = {"wavelet": "haar", "level": 1, "noise": 1.0, "threshold_mode": "minimax"}
        left = rpsd.denoise(x, **options)
        shrunk_by = (100 - (left[0] - left[1])) / math.sqrt(2)
        assert shrunk_by == pytest.approx(expected, abs=6e-4)


def test_sure_is_the_least_risk_there_is():
    z = np.random.default_rng(5).standard_normal(300) * np.where(np.arange(300) < 60, 3, 1)
    grid = np.linspace(0, math.sqrt(2 * math.log(300)), 20_001)
    least = min(selection.sure_risk(z, t) for t in grid)
    assert selection.sure_risk(z, selection.sure(z)) <= least + 1e-9


@pytest.mark.parametrize("n", [64, 128])
def test_blocks_of_all_shifts_are_the_average_over_shifts(n):
    """Where blocks fill every level exactly (4 coefficients for these lengths)."""
    assert selection.block_sizes("blockjs", n) == (4, 0)
    x, total = bumpy(n), np.zeros(n)
    for shift in range(n):
        approximation, *details = pywt.wavedec(np.roll(x, shift), "db2", "periodization", 3)
        details = [selection.blocks("blockjs", d, 0.1, n) for d in details]
        total += np.roll(pywt.waverec([approximation, *details], "db2", "periodization"), -shift)
    found = rpsd.denoise(
        x, wavelet="db2", level=3, threshold_mode="blockjs", noise=0.1, transform="modwt", boundary="periodic"
    )
    np.testing.assert_allclose(found, total / n, rtol=0, atol=1e-10)


@pytest.mark.parametrize("transform", ["dwt", "modwt"])
@pytest.mark.parametrize("mode", [*MODES, "bayes", "universal"])
def test_a_scale_of_zero_changes_nothing(mode, transform):
    x = bumpy(300)
    found = rpsd.denoise(x, transform=transform, threshold_mode=mode, threshold_scale=0, noise="mad")
    np.testing.assert_allclose(found, x, rtol=1e-12)


@pytest.mark.parametrize("transform", ["dwt", "modwt"])
def test_local_noise_follows_the_noise(transform):
    """Ten times the noise in the second half: known there, it costs the first half nothing."""
    errors = {"mad": [], "local": []}
    for seed in range(10):
        rng = np.random.default_rng(seed)
        truth = 10 * np.sin(np.arange(2048) / 100)
        x = truth + rng.standard_normal(2048) * np.where(np.arange(2048) < 1024, 0.1, 1)
        for noise, found in errors.items():
            y = rpsd.denoise(x, transform=transform, wavelet="sym8", threshold_mode="universal", noise=noise)
            found.append(np.mean((y - truth)[1100:] ** 2))
    assert np.mean(errors["local"]) < 0.6 * np.mean(errors["mad"])


@pytest.mark.parametrize("transform", ["dwt", "modwt"])
def test_local_noise_of_one_window_is_mad(transform):
    x = bumpy(100)
    for mode in ("universal", "ebayes", "sure", "wiener", "blockjs"):
        options = {"transform": transform, "threshold_mode": mode, "wavelet": "db2", "level": 3}
        found = rpsd.denoise(x, noise="local", **options)
        np.testing.assert_allclose(found, rpsd.denoise(x, noise="mad", **options), rtol=0, atol=1e-9)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("transform", ["dwt", "modwt"])
def test_same_bits_for_any_threads_and_batch(transform, dtype):
    x = bits.prices(2, 20_011, dtype)
    for mode in MODES:
        for noise in ("mad", "level", "local", 0.05):
            denoiser = rpsd.Denoiser(
                transform=transform, threshold_mode=mode, noise=noise, wavelet="db4", level=4
            )
            one = denoiser.denoise(x[0])
            assert one.dtype == dtype
            assert np.isfinite(one).all()
            assert bits.digest(denoiser.denoise(x[0], threads=3)) == bits.digest(one)
            assert bits.digest(denoiser.denoise(x, threads=2)[0]) == bits.digest(one)


@pytest.mark.parametrize("mode", MODES)
def test_short_series(mode):
    for n in range(1, 40):
        for options in ({}, {"transform": "modwt"}, {"noise": "local"}, {"level": 2}):
            x = bumpy(n)
            assert np.isfinite(rpsd.denoise(x, threshold_mode=mode, **options)).all()
            np.testing.assert_array_equal(
                rpsd.denoise(np.full(n, 3.0), threshold_mode=mode, **options), np.full(n, 3.0)
            )


def test_what_auto_is_with_ebayes():
    options = rpsd.Denoiser(threshold_mode="ebayes").options
    assert (options.wavelet, options.threshold_rule) == ("sym8", "posterior_median")
    assert rpsd.Denoiser(threshold_mode="ebayes", threshold_rule="soft").options.threshold_rule == "soft"
    assert rpsd.Denoiser(threshold_rule="posterior_mean").options.threshold_mode == "ebayes"
    assert rpsd.Denoiser(threshold_mode="sure").options.threshold_rule == "soft"
    levels = [rpsd.Denoiser(threshold_mode="ebayes").run(bumpy(n)).level for n in (100, 1024, 50_000)]
    assert levels == [2, 6, 8]
    with pytest.raises(
        rpsd.ConfigError, match=r'threshold_rule="posterior_mean" needs threshold_mode="ebayes", got .*"sure"'
    ):
        rpsd.Denoiser(threshold_mode="sure", threshold_rule="posterior_mean")


# EbayesThresh, translation-invariant with the Cauchy prior and the posterior median, of 40 seeds.
PUBLISHED = {
    3: {"blocks": 0.209, "bumps": 0.197, "heavisine": 0.051, "doppler": 0.094},
    7: {"blocks": 0.207, "bumps": 0.237, "heavisine": 0.071, "doppler": 0.104},
}


@pytest.mark.parametrize("snr", [3, 7])
def test_the_signals_of_donoho_and_johnstone(snr):
    denoiser = rpsd.Denoiser(method="wavelet", transform="modwt", threshold_mode="ebayes", noise="mad")
    for kind, published in PUBLISHED[snr].items():
        simulated = [rpsd.simulate(kind, 1024, seed, snr=snr) for seed in range(40)]
        error = np.mean([np.mean((denoiser.denoise(s.noisy) - s.truth) ** 2) for s in simulated])
        assert error <= 1.05 * published, kind
