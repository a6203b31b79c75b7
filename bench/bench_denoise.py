# SPDX-License-Identifier: MIT
"""Tasks A and B: the textbook chain on one series and on batches, and the transform alone."""

import numpy as np
import peers
import pytest

import rpsd

LENGTHS = (1000, 1741, 10_000, 100_000, 1_000_000)


def textbook() -> rpsd.Denoiser:
    return rpsd.Denoiser(
        method="wavelet", wavelet="db4", level=peers.LEVEL, threshold_mode="bayes", noise="mad"
    )


@pytest.mark.parametrize("n", LENGTHS)
@pytest.mark.parametrize("who", ["rpsd Denoiser", "rpsd.denoise", "PyWavelets + NumPy", "scikit-image"])
def bench_series(benchmark, who, n):
    benchmark.group = f"A denoise, db4 L4 BayesShrink, n = {n:,}"
    benchmark.extra_info.update(who=who, samples=n)
    x = peers.prices(n)
    options = textbook().options
    given = {"wavelet": "db4", "level": peers.LEVEL, "threshold_mode": "bayes", "noise": "mad"}
    functions = {
        "rpsd Denoiser": textbook().denoise,
        "rpsd.denoise": lambda x: rpsd.denoise(x, **given),
        "PyWavelets + NumPy": peers.pywt_bayes,
        "scikit-image": peers.skimage_bayes,
    }
    assert options.level == peers.LEVEL
    benchmark(functions[who], x)
    if who != "scikit-image":  # it scales its thresholds in its own way
        np.testing.assert_allclose(functions[who](x), peers.pywt_bayes(x), rtol=0, atol=1e-9)


@pytest.mark.parametrize("n", [10_000, 1_000_000])
@pytest.mark.parametrize("who", ["rpsd", "PyWavelets"])
def bench_transform(benchmark, who, n):
    benchmark.group = f"wavedec + waverec, db4 L4, n = {n:,}"
    benchmark.extra_info.update(who=who, samples=n)
    x = peers.prices(n)

    def ours(x):
        return rpsd.waverec(rpsd.wavedec(x, peers.DB4, level=peers.LEVEL), peers.DB4)

    function = ours if who == "rpsd" else peers.pywt_round_trip
    benchmark(function, x)
    np.testing.assert_allclose(function(x)[:n], x, rtol=0, atol=1e-9)


@pytest.mark.parametrize("shape", [(1000, 2000), (5000, 390)])
@pytest.mark.parametrize(
    "who", ["rpsd, 1 thread", "rpsd, 2 threads", "PyWavelets + NumPy, axis=-1", "PyWavelets + NumPy, loop"]
)
def bench_batch(benchmark, who, shape):
    benchmark.group = f"B denoise, db4 L4 BayesShrink, {shape[0]:,} x {shape[1]:,}"
    benchmark.extra_info.update(who=who, samples=shape[0] * shape[1])
    x = peers.prices(*shape)
    denoiser = textbook()
    functions = {
        "rpsd, 1 thread": denoiser.denoise,
        "rpsd, 2 threads": lambda x: denoiser.denoise(x, threads=2),
        "PyWavelets + NumPy, axis=-1": peers.pywt_bayes_batch,
        "PyWavelets + NumPy, loop": lambda x: np.stack([peers.pywt_bayes(row) for row in x]),
    }
    benchmark(functions[who], x)
