# SPDX-License-Identifier: MIT
"""The audit's verdict on functions that are known to look ahead, or not to."""

import numpy as np
import pandas as pd
import pytest
import pywt
from scipy import ndimage, signal

import rpsd

TAPS = signal.firwin(21, 0.2)


def walk(n=400, seed=0):
    rng = np.random.default_rng(seed)
    return 100 + np.cumsum(rng.standard_normal(n)) + rng.standard_normal(n)


def series(function):
    """Let a function of a pandas Series be called with an array."""
    return lambda x: function(pd.Series(x)).to_numpy()


def rolling_wavelet(x, window=64):
    """The last point of a denoised trailing window: what TA users do live."""
    y = np.full(len(x), np.nan)
    for t in range(window, len(x) + 1):
        y[t - 1] = rpsd.denoise(x[t - window : t], noise="mad")[-1]
    return y


def kalman_filter(x, q=1.0, r=1.0):
    level, variance, y = x[0], r, np.empty(len(x))
    for t, v in enumerate(x):
        variance += q
        gain = variance / (variance + r)
        if not np.isnan(v):
            level += gain * (v - level)
            variance *= 1 - gain
        y[t] = level
    return y


def polynomial_trend(x):
    t = np.linspace(-1, 1, len(x))
    return np.polyval(np.polyfit(t, x, 3), t)


def universal_threshold(x):
    smooth, *details = pywt.wavedec(x, "db4", level=4)
    return pywt.waverec([smooth, *(pywt.threshold(d, 3, "soft") for d in details)], "db4")[: len(x)]


CAUSAL = {
    "rolling mean": series(lambda s: s.rolling(20).mean()),
    "rolling median": series(lambda s: s.rolling(11, min_periods=1).median()),
    "exponential mean": series(lambda s: s.ewm(span=10).mean()),
    "expanding z-score": series(lambda s: (s - s.expanding().mean()) / s.expanding().std()),
    "forward fill": series(lambda s: s.ffill()),
    "lag": series(lambda s: s.shift(3)),
    "returns": series(lambda s: s.pct_change(fill_method=None)),
    "drawdown": series(lambda s: s / s.cummax() - 1),
    "trailing quantile rank": series(lambda s: s.rolling(50).rank(pct=True)),
    "causal filter": lambda x: signal.lfilter(TAPS, 1, x),
    "recursive filter": lambda x: signal.lfilter(*signal.butter(2, 0.1), x),
    "filter by transforms": lambda x: signal.fftconvolve(np.nan_to_num(x), TAPS)[: len(x)],
    "centred filter, delayed": lambda x: np.r_[np.full(20, np.nan), np.convolve(x, TAPS, "valid")],
    "Kalman filter": kalman_filter,
    "rolling wavelet": rolling_wavelet,
    "clip at constants": lambda x: np.clip(x, 90, 110),
    "nothing": lambda x: x,
}

# With how far they look, where that is known.
LEAKING = {
    "short gaps filled backwards": (series(lambda s: s.bfill(limit=1).rolling(5).mean()), None),
    "spikes told by the next": (
        series(lambda s: s.where((s - s.shift(1)).abs().lt(8) | (s.shift(-1) - s).abs().lt(8), s.shift(1))),
        None,
    ),
    "z-score of all": (lambda x: (x - np.nanmean(x)) / np.nanstd(x), None),
    "min-max of all": (lambda x: (x - np.nanmin(x)) / (np.nanmax(x) - np.nanmin(x)), None),
    "clip at quantiles of all": (lambda x: np.clip(x, *np.nanquantile(x, [0.01, 0.99])), None),
    "linear detrend": (signal.detrend, None),
    "centred rolling mean": (series(lambda s: s.rolling(21, center=True, min_periods=1).mean()), 10),
    "backward fill": (series(lambda s: s.bfill()), 2),
    "interpolated gaps": (series(lambda s: s.interpolate()), 2),
    "next return": (series(lambda s: s.shift(-1) / s - 1), 1),
    "gradient": (np.gradient, 1),
    "forward and backward filter": (lambda x: signal.filtfilt(TAPS, 1, x), None),
    "Savitzky-Golay": (lambda x: signal.savgol_filter(x, 11, 2), None),
    "Gaussian smoother": (lambda x: ndimage.gaussian_filter1d(x, 3), 12),
    "polynomial trend": (polynomial_trend, None),
    "universal threshold": (universal_threshold, None),
    "rpsd offline": (rpsd.denoise, None),
    "rpsd offline wavelets": (lambda x: rpsd.denoise(x, noise="mad"), None),
    "fit to all, then causal": (lambda x: kalman_filter(x, q=np.nanvar(np.diff(x))), None),
    "where the last price is high": (lambda x: x * (1 + (x[-1] > 150)), None),
    "reversed cumulative sum": (lambda x: np.cumsum(x[::-1])[::-1], None),
}


@pytest.mark.parametrize("name", CAUSAL)
def test_functions_of_the_past_pass(name):
    report = rpsd.audit(CAUSAL[name], walk())
    assert report.causal, report
    assert (report.lookahead, report.max_change, report.leaks) == (0, 0.0, ())
    assert report.revision == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("name", LEAKING)
def test_functions_that_look_ahead_are_caught(name):
    function, lookahead = LEAKING[name]
    report = rpsd.audit(function, walk())
    assert not report.causal
    assert report.max_change > 0
    assert report.lookahead > 0
    assert lookahead is None or report.lookahead == lookahead, report
    assert str(report).startswith(f"looks ahead by {report.lookahead} samples")


def test_how_far_a_parameter_of_all_looks():
    assert rpsd.audit(LEAKING["z-score of all"][0], walk()).lookahead > 300


def test_revision_is_that_of_the_newest_output():
    """Of x[t] + x[t + 1] - x[t] the newest output is x[t], revised by a move."""
    x = walk(5000, seed=3)
    report = rpsd.audit(lambda x: np.r_[x[1:], x[-1]], x)
    assert report.lookahead == 1
    assert 0.1 < report.revision / np.std(np.diff(x)) < 3


def test_a_series_of_pandas_reaches_the_function_as_one():
    index = pd.date_range("2026-01-05 09:30", periods=200, freq="min", tz="America/New_York", name="time")
    seen = []

    def function(s):
        seen.append(s)
        return s.rolling("10min").mean()

    assert rpsd.audit(function, pd.Series(walk(200), index=index, name="close")).causal
    assert all(s.index.equals(index[: len(s)]) and s.name == "close" for s in seen)


def test_outputs_may_be_frames():
    def bands(x):
        s = pd.Series(x)
        return pd.DataFrame({"mid": s.rolling(10).mean(), "ahead": s.shift(-2)})

    assert rpsd.audit(bands, walk()).lookahead == 2


def test_the_input_is_not_modified_and_may_be_by_the_function():
    x = walk()
    kept = x.copy()

    def careless(x):
        x -= x[0]
        return x

    assert rpsd.audit(careless, x).causal
    np.testing.assert_array_equal(x, kept)


def test_the_seed_settles_the_report():
    function = LEAKING["Savitzky-Golay"][0]
    assert rpsd.audit(function, walk(), seed=5) == rpsd.audit(function, walk(), seed=5)


@pytest.mark.parametrize(
    ("function", "x", "message"),
    [
        (lambda x: x[:-1], walk(), "fn must give one output for each of 400 samples, got shape"),
        (np.mean, walk(), "fn must give one output for each of 400 samples, got shape"),
        (lambda x: x + np.random.default_rng().random(), walk(), "fn must give the same output for the same"),
        (np.cumsum, walk(20), "x must be one series of at least 32 samples, got shape"),
        (np.cumsum, np.ones((3, 50)), "x must be one series of at least 32 samples, got shape"),
        (np.cumsum, np.r_[walk(40), -np.inf], "x has an infinite sample at 40; allowed: finite"),
        (np.cumsum, np.full(50, np.nan), "x must have samples that are not NaN, got none"),
    ],
)
def test_bad_input(function, x, message):
    with pytest.raises(rpsd.InputError, match=message):
        rpsd.audit(function, x)


def test_an_error_on_the_series_itself_is_the_callers():
    def broken(x):
        raise ZeroDivisionError("mine")

    with pytest.raises(ZeroDivisionError, match="mine"):
        rpsd.audit(broken, walk())
