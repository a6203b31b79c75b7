# SPDX-License-Identifier: MIT
"""rpsd.estimate_noise: right where the truth is known, of any input, and what the default goes by."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
from price_paths import cell, cells

import rpsd

FIELDS = ("noise_sd", "step_sd", "nsr", "predicted_gain_db", "predicted_causal_gain_db", "gain_probability")


@pytest.mark.parametrize("nsr", [0.5, 1, 3, 10])
@pytest.mark.parametrize("seed", [1, 2])
def test_standard_deviations_of_the_local_level_model(nsr, seed):
    s = rpsd.simulate("a", 20_000, seed=seed, nsr=nsr, step_sd=0.02)
    noise = rpsd.estimate_noise(s.noisy)
    assert noise.noise_sd == pytest.approx(0.02 * nsr, rel=0.03 if nsr > 0.5 else 0.1)
    assert noise.step_sd == pytest.approx(0.02, rel=0.1)
    assert noise.nsr == noise.noise_sd / noise.step_sd
    assert noise.predicted_gain_db == pytest.approx(5 * np.log10(1 + 4 * nsr**2), abs=0.35)
    steady = (np.sqrt(1 + 4 * nsr**2) - 1) / (2 * nsr**2)
    assert noise.predicted_causal_gain_db == pytest.approx(-10 * np.log10(steady), abs=0.35)
    assert noise.gain_probability > 0.999
    assert noise.kind == "price"


@pytest.mark.parametrize("kind", ["c", "e_out"])
def test_jumps_and_bad_ticks_do_not_count(kind):
    noisy, _ = cells(kind, 3, 2048, range(5))
    noise = rpsd.estimate_noise(noisy)
    assert np.median(noise.noise_sd) == pytest.approx(3, rel=0.05)
    assert np.median(noise.step_sd) == pytest.approx(1, rel=0.35)


def test_a_walk_without_noise_has_nothing_to_gain():
    noise = rpsd.estimate_noise(np.cumsum(np.random.default_rng(3).standard_normal(2000)))
    assert (noise.predicted_gain_db, noise.predicted_causal_gain_db) == (0, 0)
    assert noise.nsr < 0.2
    assert noise.gain_probability < 0.95


def test_it_is_what_a_run_reports():
    x, _ = cells("c", 2, 300, range(6))
    assert_same(rpsd.estimate_noise(x), rpsd.Denoiser().run(x).noise)
    assert_same(rpsd.estimate_noise(x[0]), rpsd.Denoiser().run(x[0]).noise)
    kalman = rpsd.Denoiser(method="kalman", space="log")
    prices = np.exp(0.01 * x)
    assert_same(kalman.estimate_noise(prices), kalman.run(prices).noise)


def assert_same(first, second):
    for field in dataclasses.fields(first):
        np.testing.assert_array_equal(getattr(first, field.name), getattr(second, field.name))


def test_fields_have_the_shape_of_the_input_without_time():
    x, _ = cells("a", 2, 200, range(6))
    one = rpsd.estimate_noise(x[0])
    for name in FIELDS:
        assert type(getattr(one, name)) is float
    whole = rpsd.estimate_noise(x)
    for other, shape in (
        (rpsd.estimate_noise(x.T, axis=0), (6,)),
        (rpsd.estimate_noise(x.T, 0, threads=3), (6,)),
        (rpsd.estimate_noise(x.reshape(2, 3, 200)), (2, 3)),
        (rpsd.estimate_noise(np.moveaxis(x.reshape(2, 3, 200), -1, 1), axis=1), (2, 3)),
        (rpsd.estimate_noise(pd.DataFrame(x.T)), (6,)),
    ):
        for name in FIELDS:
            value = getattr(other, name)
            assert value.shape == shape
            np.testing.assert_array_equal(value.ravel(), getattr(whole, name))
    assert_same(rpsd.estimate_noise(pd.Series(x[0])), one)
    assert_same(rpsd.estimate_noise(x[0].tolist()), one)


def test_frames_of_both_precisions_keep_the_order_of_columns():
    x, _ = cells("a", 2, 200, range(3))
    frame = pd.DataFrame({"a": x[0], "b": x[1].astype(np.float32), "c": x[2]})
    noise = rpsd.estimate_noise(frame)
    expected = [rpsd.estimate_noise(frame[name].to_numpy()).noise_sd for name in "abc"]
    np.testing.assert_array_equal(noise.noise_sd, expected)


@pytest.mark.parametrize("n", range(40))
@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.int64])
def test_any_length(n, dtype):
    x = (100 * cell("a", 3, 40, 4)[0][:n]).astype(dtype)
    noise = rpsd.estimate_noise(x)
    assert np.isnan(noise.noise_sd) == (n < 32)
    assert noise.predicted_gain_db >= 0
    assert 0 <= noise.gain_probability <= 1


@pytest.mark.parametrize(
    "x",
    [
        np.full(100, np.nan),
        np.full(100, 7.0),
        np.repeat([1.0, 2.0], 100),
        np.empty((0, 50)),
        np.empty((3, 0)),
    ],
    ids=["all missing", "constant", "one move", "no series", "no samples"],
)
def test_nothing_to_fit(x):
    noise = rpsd.estimate_noise(x)
    assert np.isnan(noise.noise_sd).all()
    assert np.isnan(noise.nsr).all()
    np.testing.assert_array_equal(noise.predicted_gain_db, 0)
    np.testing.assert_array_equal(noise.predicted_causal_gain_db, 0)


def test_missing_samples_and_single_precision():
    x, _ = cell("a", 2, 4000, 5)
    noise = rpsd.estimate_noise(x)
    single = rpsd.estimate_noise(x.astype(np.float32))
    assert single.noise_sd == pytest.approx(noise.noise_sd, rel=1e-4)
    high = rpsd.estimate_noise((1e30 * x).astype(np.float32))
    assert high.noise_sd == pytest.approx(1e30 * noise.noise_sd, rel=1e-4)
    x[::3] = np.nan
    assert rpsd.estimate_noise(x).noise_sd == pytest.approx(2, rel=0.1)


def test_the_smallest_numbers():
    noise = rpsd.estimate_noise(np.round(cell("a", 2, 200, 6)[0]) * 5e-324)
    assert noise.predicted_gain_db > 0
    assert noise.noise_sd > 0


def test_input_is_not_written():
    x, _ = cells("a", 2, 100, range(3))
    x.flags.writeable = False
    before = x.copy()
    rpsd.estimate_noise(x)
    np.testing.assert_array_equal(x, before)


@pytest.mark.parametrize(
    ("x", "arguments", "message"),
    [
        ([1.0, np.inf], {}, "x has inf at position 1"),
        (["a"], {}, "x must be"),
        (3.0, {}, "x must have at least one dimension, got a scalar"),
        ([1.0, 2.0], {"axis": 1}, "axis must be an integer from -1 to 0"),
        ([1.0, 2.0], {"threads": -1}, "threads must be"),
    ],
)
def test_bad_arguments_are_named(x, arguments, message):
    with pytest.raises(rpsd.InputError, match=message):
        rpsd.estimate_noise(x, **arguments)
