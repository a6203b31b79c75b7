# SPDX-License-Identifier: MIT
"""Tasks A and B: the textbook chain on one series and on batches, and the transform alone."""

import numpy as np
import peers
import pytest

import rpsd
from rpsd import _core

LENGTHS = (1000, 1741, 10_000, 100_000, 1_000_000, 10_000_000)


def textbook() -> rpsd.Denoiser:
    return rpsd.Denoiser(
        method="wavelet", wavelet="db4", level=peers.LEVEL, threshold_mode="bayes", noise="mad"
    )


@pytest.mark.parametrize("n", LENGTHS)
@pytest.mark.parametrize(
    "who",
    ["rpsd Denoiser", "rpsd.denoise", "rpsd Denoiser, 2 threads", "PyWavelets + NumPy", "scikit-image"],
)
def bench_series(benchmark, who, n):
    benchmark.group = f"A denoise, db4 L4 BayesShrink, n = {n:,}"
    benchmark.extra_info.update(who=who, samples=n)
    x = peers.prices(n)
    textbook_denoiser = textbook()
    options = textbook_denoiser.options
    given = {"wavelet": "db4", "level": peers.LEVEL, "threshold_mode": "bayes", "noise": "mad"}
    functions = {
        "rpsd Denoiser": textbook_denoiser.denoise,
        "rpsd.denoise": lambda x: rpsd.denoise(x, **given),
        "rpsd Denoiser, 2 threads": lambda x: textbook_denoiser.denoise(x, threads=2),
        "PyWavelets + NumPy": peers.pywt_bayes,
        "scikit-image": peers.skimage_bayes,
    }
    assert options.level == peers.LEVEL
    benchmark(functions[who], x)
    if who != "scikit-image":  # it scales its thresholds in its own way
        np.testing.assert_allclose(functions[who](x), peers.pywt_bayes(x), rtol=0, atol=1e-9)


@pytest.mark.parametrize("n", [10_000, 100_000, 1_000_000])
@pytest.mark.parametrize("who", ["rpsd Denoiser", "PyWavelets + NumPy"])
def bench_single_precision(benchmark, who, n):
    benchmark.group = f"A denoise in float32, db4 L4 BayesShrink, n = {n:,}"
    benchmark.extra_info.update(who=who, samples=n)
    x = peers.prices(n).astype(np.float32)
    function = textbook().denoise if who == "rpsd Denoiser" else peers.pywt_bayes
    benchmark(function, x)
    double = textbook().denoise(x.astype(np.float64))
    np.testing.assert_allclose(function(x), double, rtol=0, atol=1e-6 * np.abs(double).max())


@pytest.mark.parametrize("n", [10_000, 100_000, 1_000_000, 10_000_000])
@pytest.mark.parametrize("who", ["rpsd", "PyWavelets"])
def bench_transform(benchmark, who, n):
    benchmark.group = f"wavedec + waverec, db4 L4, n = {n:,}"
    benchmark.extra_info.update(who=who, samples=n)
    x = peers.prices(n)

    def ours(x):
        return rpsd.waverec(rpsd.wavedec(x, "db4", level=peers.LEVEL), "db4")

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


@pytest.mark.parametrize("n", [1000, 1_000_000])
@pytest.mark.parametrize("who", ["rpsd core", "np.partition", "np.median"])
def bench_median(benchmark, who, n):
    benchmark.group = f"E exact median of absolute values, n = {n:,}"
    benchmark.extra_info.update(who=who, samples=n)
    x = np.random.default_rng(20261123).standard_normal((1, n))
    functions = {
        "rpsd core": _core.median_abs,
        "np.partition": lambda x: np.partition(np.abs(x), (n // 2 - 1, n // 2))[
            0, n // 2 - 1 : n // 2 + 1
        ].mean(),
        "np.median": lambda x: np.median(np.abs(x)),
    }
    benchmark(functions[who], x)
    assert functions[who](x) == np.median(np.abs(x))
