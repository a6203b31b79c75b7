# SPDX-License-Identifier: MIT
"""A pandas that another thread is about to import is there by name, and has nothing in it yet."""

import sys
import types

import numpy as np
import pytest

import rpsd


@pytest.mark.parametrize(
    "call",
    [
        rpsd.denoise,
        lambda x: rpsd.denoise(np.array(x), breaks=[False] * len(x)),
        lambda x: rpsd.estimate_noise(x).noise_sd,
    ],
    ids=["list", "breaks", "noise"],
)
def test_nothing_needs_a_pandas_that_is_not_ready(call, monkeypatch):
    x = [100.0 + k % 7 for k in range(64)]
    expected = call(x)
    monkeypatch.setitem(sys.modules, "pandas", types.ModuleType("pandas"))
    np.testing.assert_array_equal(call(x), expected)
