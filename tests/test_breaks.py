# SPDX-License-Identifier: MIT
"""Session breaks: each session is a series of its own, whether a mask, the times or the prices tell them."""

import pickle

import numpy as np
import pandas as pd
import pytest

import rpsd
from rpsd._breaks import _Running, causal_time_starts, price_starts, time_starts

DAY, DAYS = 390, 4
METHODS = [
    {},
    {"method": "kalman"},
    {"method": "wavelet"},
    {"method": "wavelet", "transform": "modwt"},
    {"method": "fir", "fir_taps": 11},
]
UNTOLD = pytest.mark.filterwarnings('ignore:breaks="auto" found no session break')


def five_days(seed=3, gap=60.0):
    rng = np.random.default_rng(seed)
    walks = [np.cumsum(rng.normal(size=DAY)) + gap * day for day in range(DAYS)]
    return np.concatenate(walks) + rng.normal(size=DAY * DAYS)


def starts(n=DAY * DAYS):
    mask = np.zeros(n, dtype=bool)
    mask[::DAY] = True
    return mask


@pytest.mark.parametrize("options", METHODS, ids=str)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_sessions_are_series_of_their_own(options, dtype):
    x = five_days().astype(dtype)
    whole = rpsd.denoise(x, breaks=starts(), **options)
    alone = [rpsd.denoise(day, **options) for day in x.reshape(DAYS, DAY)]
    np.testing.assert_array_equal(whole, np.concatenate(alone))
    assert whole.dtype == dtype


def test_a_batch_shares_the_mask_and_the_first_sample_need_not_be_marked():
    x = np.stack([five_days(seed) for seed in range(10)])
    mask = starts()
    mask[0] = False
    together = rpsd.denoise(x, breaks=mask, threads=2)
    np.testing.assert_array_equal(together, [rpsd.denoise(row, breaks=starts()) for row in x])


def test_times_tell_the_sessions():
    x = five_days(gap=0.0)
    days = [pd.date_range(f"2025-03-0{3 + day} 09:30", periods=DAY, freq="min") for day in range(DAYS)]
    series = pd.Series(x, index=days[0].append(days[1:]), name="price")
    told = rpsd.denoise(series, breaks="auto")
    np.testing.assert_array_equal(told.to_numpy(), rpsd.denoise(x, breaks=starts()))
    frame = rpsd.denoise(series.to_frame(), breaks="auto")
    np.testing.assert_array_equal(frame["price"].to_numpy(), told.to_numpy())


@pytest.mark.parametrize("starts_of", [time_starts, causal_time_starts])
def test_irregular_times_have_few_breaks(starts_of):
    rng = np.random.default_rng(11)
    assert len(starts_of(np.cumsum(rng.exponential(5e9, 4000)).astype(np.int64))) <= 1
    day, session = 86_400 * 10**9, 23_400 * 10**9
    trades = [k * day + np.sort(rng.integers(0, session, 1000)) for k in range(5)]
    assert [at for at in starts_of(np.concatenate(trades)) if at > 16] == [1000, 2000, 3000, 4000]
    hours = [k * day + np.arange(7) * 3600 * 10**9 for k in range(20)]
    assert starts_of(np.concatenate(hours)) == list(range(7, 140, 7))


@pytest.mark.parametrize(("share", "upper"), [(0.25, False), (0.5, False), (0.5, True), (0.99, False)])
def test_the_running_quantile_is_that_of_numpy(share, upper):
    numbers = np.random.default_rng(12).integers(0, 50, 400)
    running = _Running(share, upper=upper)
    for count, number in enumerate(numbers.tolist(), start=1):
        running.add(number)
        expected = np.quantile(numbers[:count], share, method="higher" if upper else "lower")
        assert running.value == expected


def test_times_that_repeat_do_not_count_as_distances():
    """Of trades most may have the time of the one before: the usual distance is that of those that differ."""
    seconds = np.repeat(np.r_[np.arange(100), 10_000 + np.arange(100)], 3)
    x = np.cumsum(np.random.default_rng(4).normal(size=600))
    trades = pd.Series(x, index=pd.Timestamp("2025-03-03 09:30") + pd.to_timedelta(seconds, unit="s"))
    with pytest.warns(rpsd.RpsdWarning, match="repeats 400 of 600 times"):
        assert rpsd.Denoiser(breaks="auto").run(trades).sessions == 2


def test_large_moves_that_stay_tell_the_sessions():
    x = five_days()
    np.testing.assert_array_equal(rpsd.denoise(x, breaks="auto"), rpsd.denoise(x, breaks=starts()))
    both = np.stack([x, five_days(gap=0.0)])
    with pytest.warns(
        rpsd.RpsdWarning, match='breaks="auto" found no session break by the prices alone in 1 of 2'
    ):
        result = rpsd.Denoiser(breaks="auto").run(both)
    np.testing.assert_array_equal(result.values[1], rpsd.denoise(both[1]))
    np.testing.assert_array_equal(result.sessions, [DAYS, 1])


def test_of_equal_moves_the_first_is_the_break_in_any_unit():
    """Prices on ticks often go up and back by as much; rounding must not choose between the two moves."""
    for seed in range(30):
        generator = np.random.default_rng(seed)
        x = 100 + 0.01 * generator.standard_normal(300).cumsum() + 0.04 * generator.standard_normal(300)
        up = generator.integers(300, 2000) / 100
        x[150:153] += up
        x[150], x[153] = x[149] + up, x[152] - up
        x = np.round(x, 2)
        for a in (1, 3.1, -0.77, 0.1, 1 / 3):
            assert price_starts(a * x) == [150], (seed, a)
            # float32 moves of 1,000 ticks are off by a few in a million.
            assert price_starts((a * x).astype(np.float32)) == [150], (seed, a)


def test_moves_far_away_do_not_make_two_near_each_other_equal():
    """Sorted by size each move of many is within rounding of the next, but the larger of two near is not."""
    moves = 0.001 * (-1.0) ** np.arange(21_000)
    links = 500 + 100 * np.arange(201)
    moves[links - 1] = (1 + 0.5e-9 * np.arange(201)) * (-1.0) ** np.arange(201)
    moves[[199, 229]] = 1.0, 1 + 1e-7
    for unit in (1.0, 3.1, 0.01, 1 / 7):
        starts = price_starts(unit * np.cumsum(moves))
        assert starts == [229, *(links - 1).tolist()], unit


@UNTOLD
def test_a_bad_tick_is_no_break():
    x = np.cumsum(np.random.default_rng(1).normal(size=1000))
    x[500] += 200.0
    np.testing.assert_array_equal(rpsd.denoise(x, breaks="auto"), rpsd.denoise(x))


def test_no_break_found_without_times_is_told_and_with_times_is_not():
    x = five_days(gap=0.0)
    with pytest.warns(rpsd.RpsdWarning, match=r"DatetimeIndex\) or breaks that stand out, else give a mask"):
        rpsd.denoise(x, breaks="auto")
    timed = pd.Series(x, index=pd.date_range("2025-03-03", periods=len(x), freq="min"))
    assert rpsd.Denoiser(breaks="auto").run(timed).sessions == 1


def test_the_number_of_sessions_is_reported():
    x = five_days()
    assert rpsd.Denoiser(breaks=starts()).run(x).sessions == DAYS
    assert rpsd.Denoiser(breaks="auto").run(x).sessions == DAYS
    np.testing.assert_array_equal(rpsd.Denoiser().run(np.stack([x, x])).sessions, [1, 1])
    frame = pd.DataFrame({"a": x, "b": x.astype(np.float32), "c": x})
    np.testing.assert_array_equal(rpsd.Denoiser(breaks=starts()).run(frame).sessions, [DAYS] * 3)


def test_a_mask_of_pandas_goes_by_its_labels():
    x = pd.Series(five_days(), index=pd.date_range("2025-03-03", periods=DAY * DAYS, freq="min"))
    mask = pd.Series(starts(), index=x.index)
    shuffled = mask.sample(frac=1, random_state=1)
    expected = rpsd.denoise(x, breaks=starts())
    for breaks in (mask, shuffled):
        pd.testing.assert_series_equal(rpsd.denoise(x, breaks=breaks), expected)
        frame = rpsd.denoise(x.to_frame("price"), breaks=breaks)
        np.testing.assert_array_equal(frame["price"].to_numpy(), expected.to_numpy())
    # An array has no labels: by position.
    np.testing.assert_array_equal(rpsd.denoise(x.to_numpy(), breaks=mask), expected.to_numpy())
    denoiser = pickle.loads(pickle.dumps(rpsd.Denoiser(breaks=shuffled)))
    pd.testing.assert_series_equal(denoiser.denoise(x), expected)


@pytest.mark.parametrize("shift", [1, 5000])
def test_a_mask_with_other_labels_is_refused(shift):
    x = pd.Series(np.arange(100.0))
    mask = pd.Series(np.arange(100) % 50 == 0, index=np.arange(100) + shift)
    with pytest.raises(
        rpsd.InputError, match=r"breaks must have the index of x, in any order, got another one"
    ):
        rpsd.denoise(x, breaks=mask)
    repeated = mask.set_axis(np.zeros(100))
    with pytest.raises(rpsd.InputError, match=r"a mask by position is breaks.to_numpy\(\)"):
        rpsd.denoise(x, breaks=repeated)


def test_reports_are_of_all_sessions():
    x = five_days()
    result = rpsd.Denoiser(breaks=starts()).run(x)
    alone = [rpsd.Denoiser().run(day).noise.noise_sd for day in x.reshape(DAYS, DAY)]
    assert result.noise.noise_sd == pytest.approx(np.sqrt(np.mean(np.square(alone))), rel=1e-12)
    assert result.action == "denoised"
    assert result.missing == 0


@UNTOLD
@pytest.mark.parametrize("n", [0, 1, 2, 40])
def test_short_series_with_a_break_at_every_sample(n):
    x = np.arange(n, dtype=float)
    np.testing.assert_array_equal(rpsd.denoise(x, breaks=np.ones(n, dtype=bool)), x)
    np.testing.assert_array_equal(rpsd.denoise(x, breaks="auto"), x)


def test_a_mask_of_another_length_is_refused():
    with pytest.raises(rpsd.InputError, match="breaks must be a mask of one value for each sample, 5, got 4"):
        rpsd.denoise(np.arange(5.0), breaks=[True, False, False, True])


def test_what_is_wrong_is_named_by_its_place_in_the_whole_series():
    x = five_days()
    x[700] = np.inf
    with pytest.raises(rpsd.InputError, match="position 700"):
        rpsd.denoise(x, breaks=starts())
