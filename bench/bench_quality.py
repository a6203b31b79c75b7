# SPDX-License-Identifier: MIT
"""Task G: the four guardrails with their score, and the Ljung-Box test over 20 lags."""

import numpy as np
import peers
import pytest
import scipy.signal
from statsmodels.stats.diagnostic import acorr_ljungbox

import rpsd
from rpsd import _core
from rpsd._whiteness import ljung_box

LENGTHS = (1000, 100_000, 1_000_000)
LAGS = 20
# Least-squares slopes of 30 samples as a convolution, and as a line fitted to each window.
RAMP = np.arange(29.0, -30.0, -2.0)


def convolved_slopes(x: np.ndarray) -> np.ndarray:
    return np.convolve(x, RAMP, "valid")


def fitted_slopes(x: np.ndarray) -> np.ndarray:
    return np.polyfit(np.arange(30.0), np.lib.stride_tricks.sliding_window_view(x, 30).T, 1)[0]


def composed(x: np.ndarray, y: np.ndarray, slopes) -> list[float]:
    """The four metrics from NumPy and SciPy, as their users write them."""
    frequency, (power_x, power_y) = scipy.signal.periodogram(np.stack([x, y]))
    low = (frequency > 0) & (frequency <= 0.05)
    low_x, low_y = power_x[low].sum(), power_y[low].sum()
    return [
        np.corrcoef(x, y)[0, 1],
        np.sqrt(np.mean((x - y) ** 2)) / np.std(x),
        np.mean(np.sign(slopes(x)) == np.sign(slopes(y))),
        1 - abs(low_y - low_x) / low_x,
    ]


@pytest.mark.parametrize("n", LENGTHS)
@pytest.mark.parametrize("who", ["rpsd core", "rpsd.evaluate", "NumPy + SciPy", "NumPy polyfit + SciPy"])
def bench_guardrails(benchmark, who, n):
    benchmark.group = f"G guardrails, n = {n:,}"
    benchmark.extra_info.update(who=who, samples=n)
    x = peers.prices(n)
    y = peers.zero_phase_average(x)
    functions = {
        "rpsd core": lambda: _core.metrics(x[None], y[None], threads=1)[0, :4],
        "rpsd.evaluate": lambda: rpsd.evaluate(x, y),
        "NumPy + SciPy": lambda: composed(x, y, convolved_slopes),
        "NumPy polyfit + SciPy": lambda: composed(x, y, fitted_slopes),
    }
    if who == "NumPy polyfit + SciPy":  # a second and more
        benchmark.pedantic(functions[who], rounds=1)
    else:
        benchmark(functions[who])
    if who != "rpsd.evaluate":
        np.testing.assert_allclose(functions[who](), functions["rpsd core"](), rtol=0, atol=1e-9)


@pytest.mark.parametrize("n", LENGTHS[:2])
@pytest.mark.parametrize("who", ["rpsd", "statsmodels"])
def bench_ljung_box(benchmark, who, n):
    benchmark.group = f"G Ljung-Box, {LAGS} lags, n = {n:,}"
    benchmark.extra_info.update(who=who, samples=n)
    x = np.random.default_rng(20261123).standard_normal(n)
    functions = {
        "rpsd": lambda: ljung_box(x[None], LAGS)[0][0],
        "statsmodels": lambda: acorr_ljungbox(x, lags=[LAGS])["lb_stat"].iloc[0],
    }
    if who == "rpsd":
        benchmark(functions[who])
    else:  # O(n^2)
        statistic = benchmark.pedantic(functions[who], rounds=1)
        np.testing.assert_allclose(statistic, functions["rpsd"](), rtol=1e-9)
