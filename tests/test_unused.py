# SPDX-License-Identifier: MIT
"""Options that change nothing are told once, by name and method; those that do, and defaults, are not."""

import warnings

import numpy as np
import pytest
from command import own_home

import rpsd
from rpsd.cli import main

__all__ = ["own_home"]  # a fixture that guards every test here

X = np.cumsum(np.random.default_rng(0).normal(size=64))

UNUSED = [
    ({"method": "kalman", "wavelet": "db4"}, 'wavelet="db4" is not used with method="kalman"'),
    ({"method": "auto", "threshold_mode": "sure"}, 'threshold_mode="sure" is not used with method="auto"'),
    ({"method": "auto", "use_fir_filter": True}, 'use_fir_filter=True is not used with method="auto"'),
    ({"boundary": "reflect"}, 'boundary="reflect" is not used with method="auto"'),
    ({"fir_cutoff": 0.3}, 'fir_cutoff=0.3 is not used with method="auto"'),
    ({"method": "fir", "level": 3}, 'level=3 is not used with method="fir"'),
    ({"wavelet": "db4", "fir_taps": 11}, "fir_taps=11 is not used with use_fir_filter=False"),
    ({"window": 99}, 'window=99 is not used with method="auto"'),
    (
        {"method": "wavelet", "window": 64},
        "window=64 is not used with lookahead=None, only by streams and with a lookahead",
    ),
    (
        {"method": "fir", "min_periods": 9},
        "min_periods=9 is not used with lookahead=None, only by streams and with a lookahead",
    ),
    ({"lookahead": 0, "window": 99}, 'window=99 is not used with method="auto"'),
    (
        {"lookahead": 2, "min_periods": 9, "method": "kalman"},
        'min_periods=9 is not used with method="kalman"',
    ),
    (
        {"threshold_mode": "wiener", "threshold_rule": "hard"},
        'threshold_rule="hard" is not used with threshold_mode="wiener"',
    ),
    ({"prior": "laplace"}, 'prior="laplace" is not used with method="auto"'),
    ({"prior": "laplace", "level": 2}, 'prior="laplace" is not used with threshold_mode="bayes"'),
    (
        {"method": "fir", "lookahead": 0},
        'method="fir" is not used with lookahead=0: a zero-phase filter keeps the newest sample',
    ),
    (
        {"wavelet": "db4", "use_fir_filter": True, "lookahead": 0},
        "use_fir_filter=True is not used with lookahead=0: a zero-phase filter keeps the newest sample",
    ),
]
USED = [
    {"method": "auto", "wavelet": "haar"},
    {"method": "fir", "fir_taps": 11, "use_fir_filter": True},
    {"method": "wavelet", "boundary": "reflect", "use_fir_filter": True, "fir_window": "hamming"},
    {"method": "kalman", "threshold_scale": 1.0, "level": "auto", "boundary": "symmetric"},
    {"method": "kalman", "min_gain_db": 1, "outliers": "spike", "space": "price"},
    {"noise": 0.5, "boundary": "reflect"},
    {"noise": 0.5, "threshold_mode": "ebayes", "prior": "laplace"},
    {"noise": 0.5, "prior": "cauchy"},
    {"wavelet": "db4", "use_fir_filter": True, "lookahead": 1, "window": 32},
]


@pytest.mark.parametrize(("options", "message"), UNUSED, ids=str)
def test_what_is_not_used_is_told(options, message):
    with pytest.warns(rpsd.RpsdWarning) as caught:
        rpsd.Denoiser(**options).denoise(X)
    assert [str(warning.message) for warning in caught] == [message]


@pytest.mark.parametrize("options", USED, ids=str)
def test_what_is_used_or_the_default_is_not(options):
    rpsd.Denoiser(**options).denoise(X)  # pytest makes any warning an error


def test_streams_use_what_is_said_to_be_used_by_streams():
    with pytest.warns(rpsd.RpsdWarning, match="only by streams"):
        denoiser = rpsd.Denoiser(method="wavelet", window=32)
    live = denoiser.stream().push_many(X)
    np.testing.assert_array_equal(live, rpsd.denoise(X, method="wavelet", window=32, lookahead=0))
    assert np.isnan(live).sum() == 31


def test_what_a_file_says_is_for_many_runs(tmp_path):
    path = tmp_path / "rpsd.yaml"
    path.write_text("denoiser: {method: kalman, fir_cutoff: 0.3, boundary: reflect}")
    rpsd.Denoiser(path).denoise(X)
    with pytest.warns(rpsd.RpsdWarning, match="fir_taps=11 is not used"):
        rpsd.Denoiser(path, fir_taps=11)


def test_the_command_line_tells_too(tmp_path, capsys):
    (tmp_path / "in.csv").write_text("price\n" + "".join(f"{v}\n" for v in X))
    assert main(["denoise", "in.csv", "--method", "kalman", "--wavelet", "db4"]) == 0
    assert 'warning: wavelet="db4" is not used with method="kalman"' in capsys.readouterr().err


def test_a_level_too_deep_is_told_by_a_warning_of_rpsd():
    with pytest.warns(rpsd.RpsdWarning, match="Level value of 20 is too high"):
        rpsd.denoise(X, level=20)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        rpsd.wavedec(X, "db4", level=20)
    assert [warning.category for warning in caught] == [UserWarning]  # as PyWavelets
