# SPDX-License-Identifier: MIT
"""Options and Guardrails built by hand, and pandas objects that hold several series."""

import numpy as np
import pandas as pd
import pytest

import rpsd


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"level": -1}, 'level must be "auto" or an integer from 0 to 64, got -1'),
        ({"level": "abc"}, 'level must be "auto" or an integer from 0 to 64, got "abc"'),
        ({"noise": -1.0}, "noise must be"),
        ({"threshold_scale": -1.0}, "threshold_scale must be"),
    ],
)
def test_options_built_by_hand_are_checked(options, said):
    with pytest.raises(rpsd.ConfigError, match=said):
        rpsd.Denoiser(rpsd.Options(**options))


def test_guardrails_built_by_hand_are_checked():
    with pytest.raises(rpsd.ConfigError, match=r'policy must be .* got "rasie"'):
        rpsd.Denoiser(guardrails=rpsd.Guardrails(policy="rasie"))
    x = np.arange(50.0)
    with pytest.raises(rpsd.ConfigError, match="rmse_threshold must be"):
        rpsd.evaluate(x, x, rpsd.Guardrails(rmse_threshold="x"))


def test_several_series_in_one_index():
    times = pd.date_range("2024-01-01", periods=30)
    x = pd.Series(
        np.random.default_rng(1).standard_normal(60), pd.MultiIndex.from_product([["a", "b"], times])
    )
    with pytest.raises(rpsd.InputError, match=r"x.groupby\(level=0\).transform\(rpsd.denoise\)"):
        rpsd.denoise(x)
    parts = [rpsd.denoise(x[symbol].to_numpy()) for symbol in ("a", "b")]
    np.testing.assert_array_equal(x.groupby(level=0).transform(rpsd.denoise), np.concatenate(parts))
    assert rpsd.denoise(x.loc[["a"]]).index.equals(x.loc[["a"]].index)
