# SPDX-License-Identifier: MIT
"""Task F: each value from the past alone, by windows of wavelets and by the fitted methods."""

import numpy as np
import peers
import pytest

import rpsd

N, WINDOW = 10_000, 256
CHAIN = {"wavelet": "db4", "level": peers.LEVEL, "threshold_mode": "bayes", "noise": "mad", "window": WINDOW}


def rolling_pywt(x: np.ndarray) -> np.ndarray:
    """The last point of each denoised window."""
    y = np.full(len(x), np.nan)
    for t in range(WINDOW, len(x) + 1):
        y[t - 1] = peers.pywt_bayes(x[t - WINDOW : t])[-1]
    return y


@pytest.mark.parametrize("who", ["rpsd Denoiser", "PyWavelets + NumPy, rolling"])
def bench_windows(benchmark, who):
    benchmark.group = f"F causal, window {WINDOW}, db4 L4 BayesShrink, n = {N:,}"
    benchmark.extra_info.update(who=who, samples=N)
    x = peers.prices(N)
    ours = rpsd.Denoiser(method="wavelet", lookahead=0, **CHAIN).denoise
    benchmark(ours if who == "rpsd Denoiser" else rolling_pywt, x)
    np.testing.assert_allclose(ours(x), rolling_pywt(x), rtol=0, atol=1e-9)


@pytest.mark.parametrize("lookahead", [0, 5])
@pytest.mark.parametrize("who", ["rpsd auto", "rpsd kalman"])
def bench_fitted(benchmark, who, lookahead):
    benchmark.group = f"F2 causal, fitted, lookahead {lookahead}, n = {N:,}"
    benchmark.extra_info.update(who=who, samples=N)
    benchmark(rpsd.Denoiser(method=who.split()[1], lookahead=lookahead).denoise, peers.prices(N))


def bench_fitted_batch(benchmark):
    benchmark.group = "F2 causal, fitted, 1,000 x 500"
    benchmark.extra_info.update(who="rpsd auto", samples=500_000)
    benchmark(rpsd.Denoiser(lookahead=0).denoise, peers.prices(1000, 500))


STREAMS = {
    "wavelet": {"method": "wavelet", "lookahead": 0, **CHAIN},
    "auto": {"lookahead": 0},
    "kalman": {"method": "kalman", "lookahead": 0},
}


@pytest.mark.parametrize("who", ["push", "amend", "the batch"])
@pytest.mark.parametrize("method", STREAMS)
def bench_pushes(benchmark, method, who):
    """One float in, one out, from Python; beside the run over the whole series."""
    benchmark.group = f"F3 stream, {method}, one series"
    benchmark.extra_info.update(who=f"rpsd {who}", samples=N - WINDOW)
    denoiser, x = rpsd.Denoiser(**STREAMS[method]), peers.prices(N)
    if who == "the batch":
        benchmark(denoiser.denoise, x[WINDOW:])
        return
    stream, prices = denoiser.stream(), x[WINDOW:].tolist()
    stream.push_many(x[:WINDOW])
    move = stream.push if who == "push" else stream.amend
    benchmark(lambda: [move(price) for price in prices])


@pytest.mark.parametrize("method", STREAMS)
def bench_bank(benchmark, method):
    benchmark.group = f"F3 stream, {method}, a bank of 1,000"
    benchmark.extra_info.update(who="rpsd push", samples=10_000)
    x = peers.prices(1000, WINDOW + 10)
    stream = rpsd.Denoiser(**STREAMS[method]).stream(1000)
    stream.push_many(x[:, :WINDOW])
    samples = np.ascontiguousarray(x[:, WINDOW:].T)
    benchmark(lambda: [stream.push(values) for values in samples])
