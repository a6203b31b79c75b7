# SPDX-License-Identifier: MIT
"""Real trades: half a million E-mini ticks, most of which repeat the price before, and whose moves bounce.

They are a file in the wheel of mlfinpy (MIT licence), which pins NumPy below 2 and so is no part of the extra
`test`: ``pip install --no-deps mlfinpy==0.1.2``, as .ci/run --full does.
"""

import importlib.util
from pathlib import Path

import numpy as np
import pytest

import rpsd

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def ticks():
    found = importlib.util.find_spec("mlfinpy")
    assert found is not None, "needs the ticks of mlfinpy: pip install --no-deps mlfinpy==0.1.2"
    path = Path(found.submodule_search_locations[0]) / "dataset" / "data" / "tick_data.csv"
    return np.loadtxt(path, delimiter=",", skiprows=1, usecols=1)


def autocorrelation(x):
    """Of the moves, at lag 1."""
    moves = np.diff(x) - np.diff(x).mean()
    return (moves[1:] @ moves[:-1]) / (moves @ moves)


def of_the_model(noise):
    """Lag-1 autocorrelation of the moves of a random walk under noise (Harvey 1989, section 2.4)."""
    return -(noise.noise_sd**2) / (2 * noise.noise_sd**2 + noise.step_sd**2)


def test_the_ticks_are_those_that_are_meant(ticks):
    assert len(ticks) == 500_000
    assert autocorrelation(ticks) == pytest.approx(-0.313, abs=0.001)


@pytest.mark.parametrize("method", ["auto", "kalman"])
def test_the_bounce_of_all_ticks_agrees_with_the_autocorrelation(ticks, method):
    noise = rpsd.Denoiser(method=method).estimate_noise(ticks)
    assert of_the_model(noise) == pytest.approx(-0.313, abs=0.06)


@pytest.mark.parametrize(("every", "tolerance"), [(1, 0.06), (10, 0.02), (20, 0.02), (50, 0.02)])
def test_the_fitted_bounce_agrees_with_the_autocorrelation(ticks, every, tolerance):
    """Tick by tick the model is too simple: what is bounced back comes with a delay."""
    x = ticks[: 50_000 * every : every]
    noise = rpsd.Denoiser(method="kalman").estimate_noise(x)
    assert of_the_model(noise) == pytest.approx(autocorrelation(x), abs=tolerance)


def test_flat_runs_stay_flat(ticks):
    for start, size in [
        *((k, 1000) for k in range(0, 500_000, 10_000)),
        *((k, 20_000) for k in (0, 250_000)),
    ]:
        x = ticks[start : start + size]
        flat = np.diff(x) == 0
        assert flat.mean() > 0.8
        assert (np.diff(rpsd.denoise(x))[flat] == 0).all()


def test_what_hardly_moves_is_returned(ticks):
    """Over 95 % of all ticks repeat the price before: flat runs stay flat."""
    result = rpsd.Denoiser().run(ticks)
    assert result.action == "passthrough"
    np.testing.assert_array_equal(result.values, ticks)
