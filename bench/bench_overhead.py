# SPDX-License-Identifier: MIT
"""Short series: what a call costs beside the work on 64 samples."""

import numpy as np
import peers
import pytest

import rpsd

N = 64
LEVEL = 3  # the deepest that PyWavelets takes for 64 samples without a warning
OPTIONS = {"wavelet": "db4", "level": LEVEL, "threshold_mode": "bayes", "noise": "mad"}


@pytest.mark.parametrize(
    "who", ["rpsd Denoiser", "rpsd Denoiser, no samples", "rpsd.denoise", "PyWavelets + NumPy"]
)
def bench_call(benchmark, who):
    """Without samples the core has nothing to do: what is left is the call."""
    benchmark.group = f"call overhead: denoise, db4 L{LEVEL} BayesShrink, n = {N}"
    x = peers.prices(0 if who.endswith("no samples") else N)
    benchmark.extra_info.update(who=who, samples=len(x))
    # An explicit level looks at the length of x; without samples that takes the long way.
    denoiser = rpsd.Denoiser(**OPTIONS | ({} if len(x) else {"level": "auto"}))
    functions = {
        "rpsd.denoise": lambda x: rpsd.denoise(x, **OPTIONS),
        "PyWavelets + NumPy": lambda x: peers.pywt_bayes(x, LEVEL),
    }
    function = functions.get(who, denoiser.denoise)
    benchmark.pedantic(function, args=(x,), iterations=200, rounds=200, warmup_rounds=5)
    if len(x):
        np.testing.assert_allclose(function(x), peers.pywt_bayes(x, LEVEL), rtol=0, atol=1e-9)
