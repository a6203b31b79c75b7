# SPDX-License-Identifier: MIT
"""Prices whose volatility comes in bursts: some large steps take each other back, and are no bad ticks."""

import numpy as np
import pytest
import scipy.signal
from price_paths import cells, gains_db

import rpsd


def log_ar(generator, n, memory, spread):
    """Volatility whose logarithm is autoregressive."""
    return np.exp(scipy.signal.lfilter([spread], [1, -memory], generator.standard_normal(n)))


def short_bursts(generator, n):
    volatility = np.ones(n)
    for start in np.flatnonzero(generator.random(n) < 0.02):
        volatility[start : start + 8] = 8
    return volatility


def decaying_bursts(generator, n):
    volatility = np.ones(n)
    for start in np.flatnonzero(generator.random(n) < 0.01):
        after = np.arange(n - start)
        volatility[start:] = np.maximum(volatility[start:], 1 + 9 * np.exp(-after / 10))
    return volatility


BURSTS = {
    "slow": lambda generator, n: log_ar(generator, n, 0.98, 0.2),
    "fast": lambda generator, n: log_ar(generator, n, 0.95, 0.3),
    "openings": lambda _, n: np.where(np.arange(n) % 390 < 20, 8.0, 1.0),
    "short": short_bursts,
    "decaying": decaying_bursts,
    "in turn": lambda _, n: np.where(np.arange(n) // 50 % 2, 5.0, 1.0),
    "blocks": lambda generator, n: np.exp(0.7 * generator.standard_normal(n // 64 + 1)).repeat(64)[:n],
}
KINDS = pytest.mark.parametrize("kind", BURSTS)


def walks(kind, n, seeds):
    """Walks without noise, series x time, whose steps have a mean square of one."""
    found = []
    for seed in seeds:
        generator = np.random.default_rng(seed)
        volatility = BURSTS[kind](generator, n)
        steps = generator.standard_normal(n) * volatility / np.sqrt(np.mean(volatility**2))
        found.append(np.cumsum(steps))
    return np.stack(found)


@KINDS
@pytest.mark.parametrize(("n", "seeds"), [(600, 200), (2048, 100)])
def test_walks_come_back(kind, n, seeds):
    x = walks(kind, n, range(seeds))
    changed = (rpsd.denoise(x, threads=0) != x).any(axis=1)
    assert changed.mean() <= 0.03


@KINDS
def test_hardly_any_noise_is_left_alone(kind):
    truth = walks(kind, 1500, range(60))
    noisy = truth + 0.05 * np.random.default_rng(1).standard_normal(truth.shape)
    gains = gains_db(noisy, truth, rpsd.denoise(noisy, threads=0))
    assert gains.mean() > -0.3  # one series that loses 16 dB of 60


@pytest.mark.parametrize(("kind", "least"), [("a", 0.99), ("b", 0.98), ("c", 0.97), ("t4", 0.98)])
@pytest.mark.parametrize("share", [0.005, 0.02])
def test_bad_ticks_on_nearly_clean_prices_still_go(kind, least, share):
    """Also those near each other, and beside jumps."""
    noisy, truth = cells(kind, 0.05, 1500, range(20))
    generator = np.random.default_rng(2)
    bad = generator.random(noisy.shape) < share
    bad[:, [0, -1]] = False
    size = generator.choice([-1, 1], noisy.shape) * generator.uniform(12, 50, noisy.shape)
    dirty = np.where(bad, noisy + size, noisy)
    values = rpsd.denoise(dirty, threads=0)
    gone = np.abs(values - truth) < np.abs(size) / 2
    assert gone[bad].mean() >= least
    others = ((values != dirty) & ~bad).sum(axis=1)
    assert np.sort(others)[:-1].sum() <= 2  # one series is smoothed
