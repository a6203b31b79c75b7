# SPDX-License-Identifier: MIT
"""Task D: FIR filtering, causal, centred and zero-phase."""

import numpy as np
import peers
import pytest
import scipy.signal

import rpsd

LENGTHS = (10_000, 1_000_000)
CENTRED = ((101, 10_000), (101, 1_000_000), (101, 10_000_000), (1025, 1_000_000))
TAPS = scipy.signal.firwin(101, 0.1, window="hann")


@pytest.mark.parametrize("n", LENGTHS)
@pytest.mark.parametrize("who", ["rpsd", "SciPy lfilter", "SciPy oaconvolve", "NumPy convolve"])
def bench_causal(benchmark, who, n):
    benchmark.group = f"D causal FIR, 101 taps, n = {n:,}"
    benchmark.extra_info.update(who=who, samples=n)
    x = peers.prices(n)
    functions = {
        "rpsd": lambda x: rpsd.fir_filter(x, TAPS, mode="causal"),
        "SciPy lfilter": lambda x: peers.scipy_lfilter(TAPS, x),
        "SciPy oaconvolve": lambda x: peers.scipy_oaconvolve(TAPS, x),
        "NumPy convolve": lambda x: peers.numpy_convolve(TAPS, x),
    }
    benchmark(functions[who], x)
    np.testing.assert_allclose(functions[who](x), peers.scipy_lfilter(TAPS, x), rtol=0, atol=1e-9)


@pytest.mark.parametrize(("taps", "n"), CENTRED)
@pytest.mark.parametrize("who", ["rpsd", "rpsd, two threads", "SciPy oaconvolve"])
def bench_centred(benchmark, who, taps, n):
    benchmark.group = f"D centred FIR, {taps} taps, n = {n:,}"
    benchmark.extra_info.update(who=who, samples=n)
    x, h = peers.prices(n), scipy.signal.firwin(taps, 0.1, window="hann")
    functions = {
        "rpsd": lambda x: rpsd.fir_filter(x, h, mode="same"),
        "rpsd, two threads": lambda x: rpsd.fir_filter(x, h, mode="same", threads=2),
        "SciPy oaconvolve": lambda x: scipy.signal.oaconvolve(x, h, mode="same"),
    }
    benchmark(functions[who], x)
    np.testing.assert_allclose(
        functions[who](x), scipy.signal.oaconvolve(x, h, mode="same"), rtol=0, atol=1e-8
    )


@pytest.mark.parametrize("n", LENGTHS)
@pytest.mark.parametrize("who", ["rpsd", "SciPy filtfilt"])
def bench_zero_phase(benchmark, who, n):
    benchmark.group = f"D zero-phase FIR, 101 taps, n = {n:,}"
    benchmark.extra_info.update(who=who, samples=n)
    x = peers.prices(n)
    functions = {
        "rpsd": lambda x: rpsd.fir_filter(x, TAPS),
        "SciPy filtfilt": lambda x: peers.scipy_filtfilt(TAPS, x),
    }
    benchmark(functions[who], x)
    np.testing.assert_allclose(functions[who](x), peers.scipy_filtfilt(TAPS, x), rtol=0, atol=1e-9)
