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
