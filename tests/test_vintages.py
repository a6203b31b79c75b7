# SPDX-License-Identifier: MIT
"""Denoiser.vintages: what was known at each age, and bands that hold the final value as often as they say."""

import numpy as np
import pandas as pd
import pytest

import rpsd

LAGS = (0, 1, 5, 30)


def prices(n=700, seed=0, kind="c", nsr=1.0):
    return 100 + rpsd.simulate(kind, n, seed, nsr=nsr).noisy


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"method": "kalman"},
        {"method": "wavelet", "window": 64, "lookahead": 0},
        {"space": "log", "outliers": "spike"},
    ],
    ids=str,
)
def test_a_value_is_what_was_known_so_many_samples_later(options):
    x = prices(400)
    denoiser = rpsd.Denoiser(**options)
    v = denoiser.vintages(x, (0, 2, 7))
    assert v.values.shape == (400, 3)
    for k, lag in enumerate(v.lags):
        alone = rpsd.Denoiser(**{**options, "lookahead": lag})
        np.testing.assert_array_equal(v.values[:, k], alone.denoise(x))
        for t in (80, 200, 399 - lag):
            assert alone.denoise(x[: t + lag + 1])[t] == v.values[t, k]


def test_the_last_lag_may_be_offline_and_the_lookahead_of_the_denoiser_does_not_count():
    x = prices()
    v = rpsd.Denoiser(lookahead=3).vintages(x, (0, None))
    np.testing.assert_array_equal(v.values[:, 0], rpsd.denoise(x, lookahead=0))
    np.testing.assert_array_equal(v.values[:, 1], rpsd.denoise(x))
    assert v.revision_sd[0] > 0
    assert v.revision_sd[1] == 0
    lower, upper = v.band()
    settled = slice(300, -64)
    inside = (lower <= v.values[:, 1:]) & (v.values[:, 1:] <= upper)
    assert 0.8 < inside[settled, 0].mean() < 0.97
    np.testing.assert_array_equal(lower[:, 1], v.values[:, 1])


def test_arrays_get_an_axis_of_lags_behind():
    x = np.stack([prices(seed=seed) for seed in range(6)]).reshape(2, 3, -1)
    v = rpsd.Denoiser().vintages(x, LAGS)
    assert v.values.shape == (*x.shape, 4)
    assert v.revision_sd.shape == (2, 3, 4)
    across = rpsd.Denoiser().vintages(np.moveaxis(x, -1, 1), LAGS, axis=1)
    np.testing.assert_array_equal(across.values, np.moveaxis(v.values, 2, 1))
    np.testing.assert_array_equal(across.revision_sd, v.revision_sd)
    for bound, other, one in zip(
        v.band(), across.band(), rpsd.Denoiser().vintages(x[1, 2], LAGS).band(), strict=True
    ):
        np.testing.assert_array_equal(other, np.moveaxis(bound, 2, 1))
        np.testing.assert_array_equal(bound[1, 2], one)
    single = rpsd.Denoiser().vintages(x.astype(np.float32), LAGS)
    assert single.values.dtype == single.band()[0].dtype == np.float32


def test_pandas_keeps_its_labels_with_a_column_for_each_lag():
    index = pd.date_range("2026-01-05 09:30", periods=700, freq="min", tz="America/New_York")
    frame = pd.DataFrame(
        {"A": prices(seed=1), "B": prices(seed=2).astype(np.float32), "C": pd.array(prices(seed=3))},
        index=index,
    )
    frame.iloc[50, 2] = pd.NA
    denoiser = rpsd.Denoiser()
    v = denoiser.vintages(frame, (0, 5, None))
    assert v.values.columns.names[0] == "lag"
    pd.testing.assert_frame_equal(v.values[5], denoiser.__class__(lookahead=5).denoise(frame))
    pd.testing.assert_frame_equal(v.values["offline"], denoiser.denoise(frame))
    lower, _ = v.band()
    assert lower.columns.equals(v.values.columns)
    for name in frame:
        one = denoiser.vintages(frame[name], (0, 5, None))
        assert one.values.columns.tolist() == [0, 5, "offline"]
        pd.testing.assert_series_equal(one.values[5], v.values[5, name], check_names=False)
        assert one.revision_sd[5] == v.revision_sd[5, name]
        pd.testing.assert_series_equal(one.band()[0][0], lower[0, name], check_names=False)


@pytest.mark.parametrize("lags", [LAGS, (0, 5, None)])
def test_the_band_of_a_value_knows_nothing_after_it(lags):
    x = prices(900)
    denoiser = rpsd.Denoiser()
    whole = denoiser.vintages(x, lags).band()
    for cut in (350, 611):
        for bound, before in zip(whole, denoiser.vintages(x[:cut], lags).band(), strict=True):
            for k, lag in enumerate(lags[:-1]):
                assert np.isfinite(before[cut - lag - 1, k])
                np.testing.assert_array_equal(before[: cut - lag, k], bound[: cut - lag, k])


def slow_band(move, lag, last, level):
    """The half widths by the definition, a sample at a time."""
    n, quantile, told = len(move), level, 0
    half = np.full(n, np.nan)
    for clock in range(last, n + lag, 8):
        end = min(clock, n - 1 + last) - last + 1
        for s in range(told, end):
            if not np.isnan(half[s]) and not np.isnan(move[s]):
                quantile += 0.005 * (level if abs(move[s]) > half[s] else level - 1)
        told = max(end, told)
        quantile = min(max(quantile, 1 - 5 * (1 - level)), 1)
        sizes = np.sort(np.abs(move[max(end - 256, 0) : end]))
        sizes = sizes[~np.isnan(sizes)]
        if level * (len(sizes) + 1) <= len(sizes) + 1e-9:
            rank = min(max(int(np.ceil(quantile * (len(sizes) + 1) - 1e-9)), 1), len(sizes))
            half[clock - lag : clock - lag + 8] = sizes[rank - 1]
    return half


@pytest.mark.parametrize("level", [0.5, 0.9])
def test_the_band_is_as_defined(level):
    x = prices(900)
    x[100:140:3] = np.nan
    v = rpsd.Denoiser(method="kalman").vintages(x, (0, 3, 20))
    lower, upper = v.band(level)
    move = v.values[:, -1:] - v.values
    for k, lag in enumerate((0, 3)):
        expected = slow_band(move[:, k], lag, 20, level)
        there = np.isfinite(v.values[:, k]) & (np.arange(900) + lag < 896)
        np.testing.assert_allclose(((upper - lower) / 2)[there, k], expected[there], rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("method", ["auto", "kalman"])
@pytest.mark.parametrize("cell", ["a0.5", "a1", "a3", "b1", "b3", "c1", "c3", "d1", "d3"])
def test_nine_of_ten_revisions_lie_in_the_band(method, cell):
    x = np.stack([prices(2048, seed, cell[0], float(cell[1:])) for seed in range(6)])
    v = rpsd.Denoiser(method=method).vintages(x, LAGS)
    lower, upper = v.band()
    final = v.values[..., -1:]
    judged = np.isfinite(lower) & np.isfinite(final)
    inside = judged & (lower <= final) & (final <= upper)
    share = inside.sum(axis=(0, 1)) / judged.sum(axis=(0, 1))
    np.testing.assert_array_less(np.abs(share[:-1] - 0.9), 0.02)


def test_the_revision_sd_is_that_of_the_newest_revisions():
    x = prices(2000, 3, "a")
    v = rpsd.Denoiser(method="kalman").vintages(x, LAGS)
    move = v.values[:, -1:] - v.values
    # The last look of every eighth sample from the 30th on is at 1998, which settles 1968.
    newest = move[1969 - 256 : 1969]
    np.testing.assert_allclose(v.revision_sd, np.sqrt(np.mean(newest**2, axis=0)), rtol=1e-12)
    assert v.revision_sd[0] > v.revision_sd[1] > v.revision_sd[2] > v.revision_sd[3] == 0


@pytest.mark.parametrize("n", [0, 1, 5, 31])
@pytest.mark.parametrize("lags", [LAGS, (0, None), (None,), (4,)])
def test_short_series_have_no_band_yet(n, lags):
    v = rpsd.Denoiser().vintages(prices(40)[:n], lags)
    assert v.values.shape == (n, len(lags))
    lower, upper = v.band()
    assert np.isnan(lower[:, :-1]).all()
    np.testing.assert_array_equal(upper[:, -1], v.values[:, -1])


def test_breaks_and_missing_samples():
    x = prices(800)
    x[400] = np.nan
    mask = np.zeros(800, dtype=bool)
    mask[[0, 390]] = True
    denoiser = rpsd.Denoiser(breaks=mask)
    v = denoiser.vintages(x, (0, 5, None))
    np.testing.assert_array_equal(v.values[:, 2], denoiser.denoise(x))
    assert np.isnan(v.values[400]).all()
    assert np.isfinite(v.band()[0][700, :2]).all()
    by_label = pd.Series(mask, index=pd.RangeIndex(800))
    again = rpsd.Denoiser(breaks=by_label[::-1]).vintages(pd.Series(x), (0, 5, None))
    np.testing.assert_array_equal(again.values.to_numpy(), v.values)


@pytest.mark.parametrize(
    "lags", [(), 3, (1, 0), (0, 0), (-1,), (0.5,), (True, 2), (None, 1), (0, None, None)]
)
def test_lags_that_are_none(lags):
    with pytest.raises(rpsd.InputError, match=r"lags must be integers of at least 0 that ascend"):
        rpsd.Denoiser().vintages(prices(50), lags)


@pytest.mark.parametrize("level", [0, 1, 1.5, np.nan, "0.9", True])
def test_levels_that_are_none(level):
    with pytest.raises(rpsd.InputError, match=r"level must be a number between 0 and 1"):
        rpsd.Denoiser().vintages(prices(50)).band(level)
