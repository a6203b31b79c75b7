# SPDX-License-Identifier: MIT
"""Prices with a known truth, by NumPy alone: walks of several kinds of steps, noise, jumps and bad ticks."""

import numpy as np


def gaussian(generator, n):
    return generator.standard_normal(n)


def student(generator, n):
    """Student's t with 4 degrees of freedom, of unit variance."""
    return generator.standard_t(4, n) / np.sqrt(2)


def garch(generator, n):
    """GARCH(1,1) of unit variance: Bollerslev (1986), alpha 0.05 and beta 0.93."""
    z = generator.standard_normal(n)
    variance, steps = 1.0, np.empty(n)
    for t in range(n):
        steps[t] = np.sqrt(variance) * z[t]
        variance = 0.02 + 0.05 * steps[t] ** 2 + 0.93 * variance
    return steps


STEPS = {"gaussian": gaussian, "student": student, "garch": garch}


def intraday(n):
    """Relative volatility over days of 390 samples, U-shaped, mean square one."""
    place = np.arange(n) % 390 / 389
    shape = 1 + 2 * (2 * place - 1) ** 2
    return shape / np.sqrt(np.mean(shape**2))


def jumps(generator, n, count=8):
    """Steps of 8 to 22 at a few places."""
    steps = np.zeros(n)
    places = generator.choice(np.arange(40, n - 40), count, replace=False)
    steps[places] = generator.choice([-1, 1], count) * generator.uniform(8, 22, count)
    return steps


def bad_ticks(generator, n, noise_sd):
    """One sample in 200 is off by 15 to 50 noise standard deviations."""
    errors = generator.choice([-1, 1], n) * generator.uniform(15, 50, n) * noise_sd
    return np.where(generator.random(n) < 0.005, errors, 0.0)


def cell(kind, nsr, n, seed):
    """Return prices and truth, in steps: kind a (Gaussian), b (moving volatility), c (b with jumps),
    t4 (heavy steps), e_t3 (heavy noise), e_out (bad ticks), e_both.
    """
    generator = np.random.default_rng([seed, n, round(1000 * nsr)])
    if kind in ("b", "c"):
        steps = garch(generator, n) * intraday(n)
    else:
        steps = (student if kind == "t4" else gaussian)(generator, n)
    if kind == "c":
        steps = steps + jumps(generator, n)
    if kind in ("e_t3", "e_both"):
        noise = nsr * generator.standard_t(3, n) / np.sqrt(3)
    else:
        noise = nsr * generator.standard_normal(n)
    if kind in ("e_out", "e_both"):
        noise = noise + bad_ticks(generator, n, nsr)
    truth = np.cumsum(steps)
    return truth + noise, truth


def cells(kind, nsr, n, seeds):
    """Return prices and truth of several seeds, series x time."""
    pairs = [cell(kind, nsr, n, seed) for seed in seeds]
    return np.stack([noisy for noisy, _ in pairs]), np.stack([truth for _, truth in pairs])


def gains_db(noisy, truth, values):
    """Return what each series gained: error before over error after."""
    before, after = (np.nanmean((x - truth) ** 2, axis=-1) for x in (noisy, values))
    return 10 * np.log10(before / after)
