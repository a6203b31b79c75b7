# SPDX-License-Identifier: MIT
"""The median of absolute values, by which noise is estimated, is NumPy's to the bit."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from rpsd import _core


@pytest.mark.parametrize("n", [1, 2, 3, 16, 17, 33, 100, 1000, 4097, 50_000])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_usual_and_unusual_distributions(dtype, n):
    generator = np.random.default_rng(20261123)
    normal = generator.standard_normal(n)
    for x in (
        normal,
        normal.round(1),
        np.where(generator.random(n) < 0.9, 0.0, normal),
        np.sort(normal),
        np.full(n, -3.0),
        generator.standard_cauchy(n) * 1e30,
        normal * np.finfo(dtype).tiny,
    ):
        row = x.astype(dtype)[None]
        assert _core.median_abs(row)[0] == np.median(np.abs(row.astype(np.float64)))


@given(npst.arrays(np.float64, st.integers(1, 200), elements=st.floats(-1e300, 1e300)))
def test_any_finite_numbers(x):
    assert _core.median_abs(x[None])[0] == np.median(np.abs(x))


@pytest.mark.parametrize("n", [33, 60, 260, 1000, 40_000])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_moves_on_ticks_that_differ_by_rounding(dtype, n):
    """A move of a tick is a few values side by side, many times each: both ends of a bracket are tied."""
    for seed in range(20 if n > 1000 else 600):
        generator = np.random.default_rng([n, seed])
        tick = generator.choice([0.01, 0.05, 0.25, 0.1])
        walk = generator.standard_normal(n + 1).cumsum() * generator.uniform(0.3, 3) * tick + 100
        row = np.diff(np.round(walk / tick) * tick).astype(dtype)[None]
        assert _core.median_abs(row)[0] == np.median(np.abs(row.astype(np.float64))), (n, seed)
