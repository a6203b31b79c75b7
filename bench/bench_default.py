# SPDX-License-Identifier: MIT
"""The default, which fits a model to each series, and the plain local level beside statsmodels."""

import warnings

import numpy as np
import peers
import pytest
from statsmodels.tsa.statespace.structural import UnobservedComponents

import rpsd

N = 2048


def draw(kind: str, count: int) -> np.ndarray:
    """Series of the yardstick with noise as large as a step: cells a and b of docs/cells.md."""
    return np.stack([rpsd.simulate(kind, N, seed, nsr=1.0).noisy for seed in range(count)])


def statsmodels_level(x: np.ndarray) -> np.ndarray:
    """Fit a local level by maximum likelihood and smooth with it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return UnobservedComponents(x, "local level").fit(disp=False).smoothed_state[0]


@pytest.mark.parametrize("kind", ["a", "b"])
@pytest.mark.parametrize("who", ["rpsd Denoiser", "PyWavelets + NumPy", "statsmodels local level"])
def bench_default(benchmark, who, kind):
    benchmark.group = f"default, cell {kind}1, n = {N:,}"
    benchmark.extra_info.update(who=who, samples=N)
    functions = {
        "rpsd Denoiser": rpsd.Denoiser().denoise,
        "PyWavelets + NumPy": peers.pywt_bayes,
        "statsmodels local level": statsmodels_level,
    }
    benchmark(functions[who], draw(kind, 1)[0])


@pytest.mark.parametrize("kind", ["a", "b"])
@pytest.mark.parametrize(
    "who", ["rpsd Denoiser, 1 thread", "rpsd Denoiser, 2 threads", "PyWavelets + NumPy, axis=-1"]
)
def bench_default_batch(benchmark, who, kind):
    benchmark.group = f"default, cell {kind}1, 64 x {N:,}"
    benchmark.extra_info.update(who=who, samples=64 * N)
    denoiser = rpsd.Denoiser()
    functions = {
        "rpsd Denoiser, 1 thread": denoiser.denoise,
        "rpsd Denoiser, 2 threads": lambda x: denoiser.denoise(x, threads=2),
        "PyWavelets + NumPy, axis=-1": peers.pywt_bayes_batch,
    }
    benchmark(functions[who], draw(kind, 64))


@pytest.mark.parametrize("who", ["rpsd kalman", "statsmodels local level"])
def bench_kalman(benchmark, who):
    benchmark.group = f"local level fitted and smoothed, cell a1, n = {N:,}"
    benchmark.extra_info.update(who=who, samples=N)
    x = draw("a", 1)[0]
    ours = rpsd.Denoiser(method="kalman").denoise
    benchmark(ours if who == "rpsd kalman" else statsmodels_level, x)
    np.testing.assert_allclose(ours(x), statsmodels_level(x), rtol=0, atol=0.02)
