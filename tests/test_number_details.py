# SPDX-License-Identifier: MIT
"""Last digits, extreme units and the number of processors: what larger comparisons are too coarse to see."""

import decimal
import json
import math
import os
import subprocess
import sys
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest

import rpsd


def exact_metrics(x, y):
    """Correlation and rmse of two series of whole numbers, in integers up to the last square root."""
    x, y = ([int(value) for value in series] for series in (x, y))
    n = len(x)
    spread_x = n * sum(a * a for a in x) - sum(x) ** 2
    spread_y = n * sum(b * b for b in y) - sum(y) ** 2
    product = n * sum(a * b for a, b in zip(x, y, strict=True)) - sum(x) * sum(y)
    correlation = math.copysign(math.sqrt(Fraction(product**2, spread_x * spread_y)), product)
    difference = n * sum((a - b) ** 2 for a, b in zip(x, y, strict=True))
    return correlation, math.sqrt(Fraction(difference, spread_x))


@pytest.mark.parametrize("offset", [0, 10**9, 10**15, 2**52])
@pytest.mark.parametrize("n", [100, 777, 4001])
def test_metrics_of_small_moves_at_large_prices_are_exact(n, offset):
    # float64 holds every price; its mean, to which each sample is compared, it does not hold.
    x, y = offset + np.random.default_rng(n).integers(-2, 3, (2, n))
    report = rpsd.evaluate(x.astype(float), y.astype(float))
    assert (report.correlation, report.rmse) == pytest.approx(exact_metrics(x, y), rel=1e-12)


@pytest.mark.parametrize("n", [3, 5, 7, 100, 1001])
def test_metrics_of_one_tick_at_the_largest_prices_in_closed_form(n):
    # At 2^52 the spacing of float64 is one tick, so the mean of a series with one raised sample is rounded.
    x, y = np.full((2, n), 2.0**52)
    x[n // 2] += 1
    y[0] += 1
    report = rpsd.evaluate(x, y)
    assert report.correlation == pytest.approx(-1 / (n - 1), rel=1e-12)
    assert report.rmse == pytest.approx(math.sqrt(2 * n / (n - 1)), rel=1e-12)


def universal_threshold_seen(n):
    """The threshold that a series of n samples with noise 1 got, from what was left of its only detail."""
    # A detail a little above the threshold: what is left of it is small, and so is its rounding.
    x = np.zeros(n)
    x[0] = math.sqrt(math.log(n)) * (1 + 1 / 64)
    x[1] = -x[0]
    detail = rpsd.wavedec(x, "haar", level=1)[1][0]
    left = rpsd.denoise(x, wavelet="haar", level=1, threshold_mode="universal", noise=1.0)[0]
    return abs(Decimal(float(detail))) - abs(Decimal(float(left))) * Decimal(2).sqrt()


def test_the_universal_threshold_is_right_to_the_last_digits():
    # All short lengths, and lengths where the mantissa of n is about 1, sqrt 2 and 2.
    longer = {round(2 ** (k / 2)) + d for k in range(24, 39) for d in (-1, 0, 1)}
    with decimal.localcontext(prec=40):
        for n in [*range(2, 3000), *sorted(longer)]:
            expected = (2 * Decimal(n).ln()).sqrt()
            error = abs(universal_threshold_seen(n) - expected)
            assert error <= 2 * Decimal(math.ulp(float(expected))), n


def quotes(dtype):
    """A random walk around 100 with little noise, and one around 0: ticks, so that units are exact."""
    rng = np.random.default_rng(8)
    walk = np.cumsum(rng.integers(-3, 4, 400)) / 64 + rng.integers(-2, 3, 400) / 256
    return np.stack([100 + walk, walk - walk.mean().round(), -100 - walk, walk / 64 + 1]).astype(dtype)


CHAINS = [
    {},
    {"method": "wavelet"},
    {"threshold_mode": "universal", "threshold_rule": "hard", "noise": "level"},
    {"threshold_rule": "firm", "wavelet": "sym5", "noise": "mad", "use_fir_filter": True, "fir_taps": 15},
    {"method": "fir", "fir_taps": 31},
]
CASES = [
    *((dtype, options) for dtype in (np.float64, np.float32) for options in CHAINS),
    (np.float64, {"threshold_rule": "garrote", "noise": "mad"}),
    (np.float32, {"threshold_rule": "garrote", "noise": "mad"}),
]
# Powers of two by which a series of either dtype keeps all its digits.
UNITS = {np.float64: range(-1000, 1001, 50), np.float32: range(-110, 111, 10)}


@pytest.mark.parametrize(("dtype", "options"), CASES)
def test_a_unit_that_is_a_power_of_two_changes_no_digit(dtype, options):
    denoiser = rpsd.Denoiser(**options)
    x = quotes(dtype)
    plain = denoiser.run(x)
    for exponent in UNITS[dtype]:
        result = denoiser.run(np.ldexp(x, exponent))
        np.testing.assert_array_equal(result.values, np.ldexp(plain.values, exponent), f"2^{exponent}")
        np.testing.assert_array_equal(result.noise.noise_sd, np.ldexp(plain.noise.noise_sd, exponent))
        np.testing.assert_array_equal(result.action, plain.action)


def test_noise_far_below_the_smallest_price_keeps_its_digits():
    # The square of the price is in the range of float64 and that of the noise is not.
    x = 1 + np.random.default_rng(9).standard_normal(500) / 2**30
    for threshold_mode in ("bayes", "universal"):
        expected = rpsd.denoise(x, threshold_mode=threshold_mode, noise="mad")
        for exponent in (-480, -500, -520, -560):
            actual = rpsd.denoise(np.ldexp(x, exponent), threshold_mode=threshold_mode, noise="mad")
            np.testing.assert_array_equal(actual, np.ldexp(expected, exponent), f"2^{exponent}")


def test_metrics_have_no_unit():
    x = quotes(np.float64)
    y = np.round(x * 8) / 8
    plain = rpsd.evaluate(x, y)
    for exponent in UNITS[np.float64]:
        report = rpsd.evaluate(np.ldexp(x, exponent), np.ldexp(y, exponent))
        for name in ("correlation", "rmse", "trend", "power", "score"):
            np.testing.assert_array_equal(getattr(report, name), getattr(plain, name), f"2^{exponent}")


COUNT_UNDER_AFFINITY = """
import json, os
import numpy as np
import rpsd

allowed = sorted(os.sched_getaffinity(0))
sizes = sorted({1, (len(allowed) + 1) // 2, len(allowed)}, reverse=True)
counts = []
for size in sizes:
    os.sched_setaffinity(0, allowed[:size])
    counts.append(rpsd.build_info()["cpu_count"])
# The last size is 1: as many series as processors may be wanted must start no thread.
before = len(os.listdir("/proc/self/task"))
rpsd.denoise(np.random.default_rng(0).standard_normal((64, 100)), threads=0)
print(json.dumps([sizes, counts, len(os.listdir("/proc/self/task")) - before]))
"""


def test_processors_are_those_that_the_process_may_use():
    assert 1 <= rpsd.build_info()["cpu_count"] <= os.cpu_count()
    if sys.platform == "linux":
        # In a process of its own, which the affinity dies with.
        child = subprocess.run(
            [sys.executable, "-c", COUNT_UNDER_AFFINITY], check=True, capture_output=True, text=True
        )
        sizes, counts, started = json.loads(child.stdout)
        assert sizes[-1] == 1
        assert counts == sizes
        assert started == 0


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize(
    "options",
    [
        {"method": "fir"},
        {"use_fir_filter": True, "noise": "mad"},
        {"method": "wavelet"},
        {"method": "wavelet", "noise": "mad"},
    ],
)
def test_the_largest_finite_prices_stay_finite(options, dtype):
    """The filter's extension of these goes beyond the range of numbers."""
    most = np.finfo(dtype).max
    x = np.resize(np.array([most, most, -most, most], dtype), 64)
    for n in (4, 64):
        assert np.isfinite(rpsd.denoise(x[:n], **options)).all()


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("options", [{}, {"method": "wavelet"}, {"noise": "mad"}], ids=str)
def test_a_wave_up_to_the_largest_number_stays_finite(options, dtype):
    """Wavelets overshoot at the crests, where the type has no room for it."""
    noise = np.random.default_rng(3).normal(scale=0.1, size=2048)
    wave = np.clip(np.sin(np.arange(2048) / 20) + noise, -1, 1).astype(dtype)
    assert np.max(np.abs(rpsd.denoise(wave, **options))) > 1
    for x in (wave, np.sin(np.arange(300)).astype(dtype)):
        assert np.isfinite(rpsd.denoise(x * np.finfo(dtype).max, **options)).all()


def test_a_window_that_is_zero_at_every_tap():
    with pytest.raises(rpsd.ConfigError, match=r"fir_window 'hann' must not be zero .* fir_taps, got 2 taps"):
        rpsd.Denoiser(method="fir", fir_taps=2)
