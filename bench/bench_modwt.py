# SPDX-License-Identifier: MIT
"""Task C: the translation-invariant transform and chain beside PyWavelets' stationary transform."""

import math

import numpy as np
import peers
import pytest
import pywt

import rpsd

LENGTHS = (10_000, 2**20)  # the stationary transform needs a multiple of 2^level


def pywt_stationary(x):
    """There and back, nothing between."""
    coefficients = pywt.swt(x, peers.DB4, peers.LEVEL, norm=True, trim_approx=True)
    return pywt.iswt(coefficients, peers.DB4, norm=True)


def pywt_denoise(x):
    """BayesShrink in the stationary transform, as lean as NumPy lets it be."""
    coefficients = pywt.swt(x, peers.DB4, peers.LEVEL, norm=True, trim_approx=True)
    sigma = math.sqrt(2) * np.median(np.abs(coefficients[-1])) / peers.NORMAL_QUARTILE
    shrunk = [coefficients[0]]
    for scale, d in zip(range(peers.LEVEL, 0, -1), coefficients[1:], strict=True):
        variance = sigma**2 / 2**scale
        signal = math.sqrt(max(np.dot(d, d) / len(d) - variance, 0.0))
        shrunk.append(pywt.threshold(d, variance / signal, "soft") if signal > 0 else np.zeros_like(d))
    return pywt.iswt(shrunk, peers.DB4, norm=True)


def denoiser(threshold_mode, boundary="periodic"):
    return rpsd.Denoiser(
        transform="modwt",
        wavelet="db4",
        level=peers.LEVEL,
        threshold_mode=threshold_mode,
        noise="mad",
        boundary=boundary,
    )


@pytest.mark.parametrize("n", LENGTHS)
@pytest.mark.parametrize(
    "who",
    [
        "rpsd, bayes",
        "rpsd, universal",
        "rpsd, bayes, symmetric",
        "rpsd, bayes, 2 threads",
        "PyWavelets + NumPy, bayes",
        "PyWavelets, swt + iswt alone",
    ],
)
def bench_denoise(benchmark, who, n):
    benchmark.group = f"C translation-invariant denoise, db4 L4, n = {n:,}"
    benchmark.extra_info.update(who=who, samples=n)
    x = peers.prices(n)
    bayes = denoiser("bayes")
    functions = {
        "rpsd, bayes": bayes.denoise,
        "rpsd, universal": denoiser("universal").denoise,
        "rpsd, bayes, symmetric": denoiser("bayes", "symmetric").denoise,
        "rpsd, bayes, 2 threads": lambda x: bayes.denoise(x, threads=2),
        "PyWavelets + NumPy, bayes": pywt_denoise,
        "PyWavelets, swt + iswt alone": pywt_stationary,
    }
    benchmark(functions[who], x)
    np.testing.assert_allclose(bayes.denoise(x), pywt_denoise(x), rtol=0, atol=1e-8)


@pytest.mark.parametrize("n", LENGTHS)
@pytest.mark.parametrize("who", ["rpsd", "PyWavelets"])
def bench_transform(benchmark, who, n):
    benchmark.group = f"modwt + imodwt, db4 L4, periodic, n = {n:,}"
    benchmark.extra_info.update(who=who, samples=n)
    x = peers.prices(n)

    def ours(x):
        return rpsd.imodwt(rpsd.modwt(x, "db4", peers.LEVEL, "periodic"), "db4", "periodic")

    function = ours if who == "rpsd" else pywt_stationary
    benchmark(function, x)
    np.testing.assert_allclose(function(x), x, rtol=0, atol=1e-8)
