# SPDX-License-Identifier: MIT
"""Streams: the bits of the backtest in any pieces, amended bars, sparse banks, sessions, snapshots."""

import copy
import pickle
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import rpsd

pytestmark = pytest.mark.filterwarnings("ignore:Level value of:UserWarning")

OPTIONS = [
    {"lookahead": 0},
    {"lookahead": 3, "outliers": "spike"},
    {"method": "kalman", "lookahead": 2, "space": "log"},
    {"method": "wavelet", "lookahead": 0, "window": 64},
    {"method": "wavelet", "lookahead": 3, "window": 32, "min_periods": 5, "transform": "modwt"},
    {"method": "wavelet", "lookahead": 2, "window": 40, "space": "log", "outliers": "spike"},
    {"method": "wavelet", "lookahead": 9, "window": 100, "level": 3, "use_fir_filter": True, "fir_taps": 9},
    {"method": "fir", "lookahead": 4, "window": 30, "fir_taps": 15},
]


def dirty(n=400, seed=0):
    x = 500 + rpsd.simulate("c", n, seed, nsr=1.0).noisy
    rng = np.random.default_rng([seed, n])
    x[rng.random(n) < 0.05] = np.nan
    return x


def delayed(y, k):
    """What a stream returns: the backtest, k samples later."""
    return np.concatenate([np.full((*y.shape[:-1], k), np.nan), y[..., : y.shape[-1] - k]], axis=-1)


def expected(x, **options):
    return delayed(rpsd.denoise(x, **options), options["lookahead"])


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_a_stream_is_the_backtest_to_the_bit(options):
    x = dirty(700)
    stream = rpsd.Denoiser(**options).stream()
    y = [stream.push(v) for v in x]
    assert stream.n_series is None
    assert all(type(v) is float for v in y)
    np.testing.assert_array_equal(y, expected(x, **options))


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_warmup_is_that_of_the_backtest(options):
    x = rpsd.simulate("a", 300, 5, nsr=1.0).noisy + 200
    denoiser = rpsd.Denoiser(**options)
    stream = denoiser.stream()
    assert stream.warmup == denoiser.run(x).warmup
    np.testing.assert_array_equal(np.isnan(stream.push_many(x)), np.arange(300) < stream.warmup)


@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize("seed", range(4))
def test_a_bank_in_any_pieces_with_amended_bars_sessions_and_snapshots(options, seed):
    rng = np.random.default_rng(seed)
    x = np.stack([dirty(seed=s) for s in range(5)])
    stream = rpsd.Denoiser(**options).stream(5)
    pieces, at, breaks = [], 0, np.zeros(x.shape[1], dtype=bool)
    while at < x.shape[1]:
        way = rng.integers(4)
        size = int(rng.integers(1, 20)) if way == 0 else 1
        part = x[:, at : at + size]
        if rng.random() < 0.08:
            stream.new_session()
            breaks[at] = True
        if way == 0:
            y = stream.push_many(part)
        elif way == 1:
            y = stream.push(part[:, 0])[:, None]
        elif way == 2:
            stream.push(rng.choice([499.0, np.nan, 3e4], size=5))
            stream.amend(part[:, 0] + 7)
            y = stream.amend(part[:, 0])[:, None]
        else:
            y = np.empty((5, 1))
            for rows in np.array_split(rng.permutation(5), 2):
                y[rows, 0] = stream.push(rows, part[rows, 0])
        pieces.append(y)
        at += part.shape[1]
        if rng.random() < 0.1:
            stream = rpsd.Stream.restore(stream.snapshot())
    whole = expected(x, **options, breaks=breaks)
    np.testing.assert_array_equal(np.concatenate(pieces, axis=1), whole)


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_blocks_longer_than_what_is_worked_on_at_a_time(options):
    x = np.stack([dirty(3300, s) for s in range(2)])
    stream = rpsd.Denoiser(**options).stream(2)
    y = np.concatenate([stream.push_many(part) for part in np.split(x, [1, 1200, 3210], axis=1)], axis=1)
    np.testing.assert_array_equal(y, expected(x, **options))


@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize("n", [2, 5, 70, 300])
def test_flush_is_the_end_of_a_session_and_changes_nothing(options, n):
    k = options["lookahead"]
    x = dirty(n + k + 1)
    stream = rpsd.Denoiser(**options).stream()
    stream.push_many(x[:n])
    before = stream.snapshot()
    rest = stream.flush()
    assert rest.shape == (k,)
    assert stream.snapshot() == before
    whole = rpsd.denoise(x, **options, breaks=np.arange(len(x)) == n)
    np.testing.assert_array_equal(rest, np.r_[np.full(k, np.nan), whole][n : n + k])


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_sessions_of_some_series_and_of_hardly_any_samples(options):
    x = np.stack([dirty(130, s) for s in range(3)])
    starts = {0: [40, 41, 44, 90], 1: [], 2: [1, 2, 3, 60]}
    stream = rpsd.Denoiser(**options).stream(3)
    pieces = []
    for t in range(x.shape[1]):
        stream.new_session([row for row, at in starts.items() if t in at and row > 0])
        pieces.append(stream.push(x[:, t]))
        if t + 1 in starts[0]:
            stream.new_session([0])  # before the last sample of the session that ends is amended
            stream.amend([0, 1], [3.0, 4.0])
            pieces[-1][:2] = stream.amend([0, 1], x[:2, t])
    for row, at in starts.items():
        whole = expected(x[row], **options, breaks=np.isin(np.arange(130), at))
        np.testing.assert_array_equal(np.array(pieces)[:, row], whole)


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_amend_after_a_snapshot(options):
    x = dirty(120, 3)
    stream = rpsd.Denoiser(**options).stream()
    stream.push_many(x[:119])
    stream.push(np.nan)
    again = rpsd.Stream.restore(stream.snapshot())
    assert again.options == stream.options
    assert repr(again.health()) == repr(stream.health())
    last = expected(x, **options)[-1]
    np.testing.assert_array_equal([again.amend(x[119]), stream.amend(x[119])], [last, last])
    assert again.health().missing == stream.health().missing == np.count_nonzero(np.isnan(x))
    assert again.snapshot() == stream.snapshot()


@pytest.mark.parametrize("options", OPTIONS[1:4], ids=str)
def test_threads_that_push_to_one_bank_wait_for_one_another(options):
    x = np.stack([dirty(200, s) for s in range(4)])
    stream = rpsd.Denoiser(**options).stream(4)
    with ThreadPoolExecutor(4) as pool:
        y = list(pool.map(lambda row: [stream.push([row], [v])[0] for v in x[row]], range(4)))
    np.testing.assert_array_equal(y, expected(x, **options))


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_threads_that_share_a_bank_change_no_bit(options):
    x = np.stack([dirty(150, s) for s in range(5)])
    one, many = (rpsd.Denoiser(**options).stream(5) for _ in range(2))
    for threads, stream in ((1, one), (3, many)):
        stream.push_many(x[:, :100], threads=threads)
    for t in range(100, 149):
        np.testing.assert_array_equal(many.push(x[:, t], threads=0), one.push(x[:, t]))
        np.testing.assert_array_equal(
            many.amend([4, 1], x[[4, 1], t + 1], threads=2), one.amend([4, 1], x[[4, 1], t + 1])
        )
    assert many.snapshot() == one.snapshot()
    for call, samples in ((one.push, x[:, 0]), (one.amend, x[:, 0]), (one.push_many, x)):
        with pytest.raises(rpsd.InputError, match="threads must be an integer from 0"):
            call(samples, threads=-1)


def test_no_number_of_the_state_becomes_denormal():
    """Sums that are forgotten would, once nothing is added any more, and each operation on them be slow."""
    x = rpsd.simulate("a", 3000, 1, nsr=3.0).noisy
    x[1000:1005] = x[1000]
    x[2000] = np.nan
    walk = np.cumsum(np.random.default_rng(2).standard_normal(200_000)) + x[-1]
    stream = rpsd.Denoiser().stream()
    stream.push_many(np.concatenate([x, walk]))
    integers = 7  # of the series, ahead of its state
    state = np.frombuffer(stream._core.save(), np.float64)[integers:]
    subnormal = (state != 0) & (np.abs(state) < np.finfo(np.float64).smallest_normal)
    assert np.flatnonzero(subnormal).tolist() == []


def test_integers_and_arrays_of_no_axis_are_numbers():
    numbers = [7, np.float32(7.5), np.array(8.0), np.float64(6.0)]
    stream, other = rpsd.Denoiser().stream(), rpsd.Denoiser().stream()
    assert [stream.push(v) for v in numbers] == [other.push(float(v)) for v in numbers]


def test_offline_options_make_a_causal_stream():
    assert rpsd.Denoiser().stream().options.lookahead == 0


def test_nothing_to_push():
    stream = rpsd.Denoiser(method="wavelet").stream(2)
    assert stream.push_many(np.empty((2, 0))).shape == (2, 0)
    assert stream.push([], []).shape == (0,)
    assert stream.flush().shape == (2, 0)
    np.testing.assert_array_equal(stream.health().samples, [0, 0])


def test_health_tells_what_was_pushed_and_is_believed():
    x = rpsd.simulate("a", 3000, 1, nsr=2.0).noisy.copy()
    x[::10] = np.nan
    stream = rpsd.Denoiser().stream(2)
    stream.push_many(np.stack([x, np.full(3000, 7.0)]))
    health = stream.health()
    np.testing.assert_array_equal(health.samples, [3000, 3000])
    np.testing.assert_array_equal(health.missing, [300, 0])
    assert health.noise_sd[0] == pytest.approx(2, rel=0.1)
    assert health.step_sd[0] == pytest.approx(1, rel=0.15)
    assert health.gate[0] > 0.9
    assert np.isnan(health.noise_sd[1])
    assert health.gate[1] == 0
    stream.new_session()
    stream.push([1.0, 2.0])
    np.testing.assert_array_equal(stream.health().samples, [3001, 3001])
    windows = rpsd.Denoiser(method="wavelet", noise="mad", lookahead=0).stream()
    windows.push_many(x[1:10])
    assert np.isnan(windows.health().noise_sd)
    windows.push_many(x[10:])
    assert (windows.health().samples, windows.health().missing) == (2999, 299)
    assert (
        windows.health().noise_sd
        == rpsd.Denoiser(method="wavelet", noise="mad").run(fill(x)[-256:]).noise.noise_sd
    )


def fill(x):
    """The last value seen at each sample."""
    at = np.where(np.isnan(x), 0, np.arange(len(x)))
    return x[np.maximum.accumulate(at)]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda s: s.push([1.0, 2.0]), r"x must be one number for each of 3 series, got shape \(2,\)"),
        (lambda s: s.push(1.0), r"x must be one number for each of 3 series, got shape \(\)"),
        (lambda s: s.push([1.0, np.inf, 2.0]), "x has inf at series 1, position 50; allowed: finite"),
        (lambda s: s.amend([1.0, 3.0, -np.inf]), "x has -inf at series 2, position 49; allowed: finite"),
        (lambda s: s.push([2, 0], [1.0, np.inf]), "x has inf at series 0, position 50"),
        (
            lambda s: s.push_many([[1, 2, 3], [1, 2, 3], [1, 2, -np.inf]]),
            "x has -inf at series 2, position 52",
        ),
        (lambda s: s.push([0, 3], [1.0, 2.0]), "x must be indices from 0 to 2, each once"),
        (lambda s: s.push([-1], [1.0]), "x must be indices from 0 to 2, each once"),
        (lambda s: s.push([0, 0], [1.0, 2.0]), "indices must be from 0 to 2, each once"),
        (lambda s: s.push([0.5], [1.0]), "x must be indices of series"),
        (lambda s: s.push([0, 1], [1.0]), "values must have the shape of the indices"),
        (lambda s: s.push_many(np.ones(5)), r"block must have shape \(3, time\), got \(5,\)"),
        (lambda s: s.push("abc"), "x must be numbers, got str"),
        (lambda s: s.new_session([3]), "series must be indices from 0 to 2"),
    ],
)
@pytest.mark.parametrize("method", ["auto", "wavelet"])
def test_bad_samples_change_nothing(call, message, method):
    stream = rpsd.Denoiser(method=method, lookahead=1).stream(3)
    stream.push_many(np.stack([dirty(50, s) for s in range(3)]))
    before = stream.snapshot()
    with pytest.raises(rpsd.InputError, match=message):
        call(stream)
    assert stream.snapshot() == before


@pytest.mark.parametrize("method", ["auto", "kalman", "wavelet", "fir"])
@pytest.mark.parametrize(
    ("options", "value", "message"),
    [
        ({"missing": "raise"}, np.nan, "x has NaN at position 30"),
        ({"space": "log"}, -1.0, "x has a value <= 0 at position 30"),
    ],
)
def test_samples_that_the_options_refuse_change_nothing(method, options, value, message):
    windows = {"window": 20} if method in {"wavelet", "fir"} else {}
    stream = rpsd.Denoiser(method=method, lookahead=2, **windows, **options).stream()
    stream.push_many(200 + rpsd.simulate("a", 30, 1).noisy)
    before = stream.snapshot()
    for call in (stream.push, lambda v: stream.push_many([v, 300.0]), lambda v: stream.push_many([v])):
        with pytest.raises(rpsd.InputError, match=message):
            call(value)
        assert stream.snapshot() == before
    with pytest.raises(rpsd.InputError, match=message.replace("30", "29")):
        stream.amend(value)
    assert stream.snapshot() == before


def test_a_window_with_too_many_bad_ticks_changes_nothing():
    options = {"method": "wavelet", "lookahead": 1, "window": 40, "space": "log", "outliers": "spike"}
    x = np.stack([200 + rpsd.simulate("a", 90, s).noisy for s in range(2)])
    x[1, [60, 70]] = -1.0
    stream = rpsd.Denoiser(**options).stream(2)
    y = stream.push_many(x[:, :80])
    before = stream.snapshot()
    for bad in ([5.0, -2.0], [5.0, 0.0]):
        with pytest.raises(rpsd.InputError, match=r"x has 3 values <= 0 of 41, the first at series 1, .* 60"):
            stream.push(bad)
        with pytest.raises(rpsd.InputError, match="x has 3 values <= 0"):
            stream.push_many(np.tile(np.array(bad)[:, None], 3))
        assert stream.snapshot() == before
    y = np.concatenate([y, stream.push_many(x[:, 80:])], axis=1)
    np.testing.assert_array_equal(y, expected(x, **options))


@pytest.mark.parametrize("method", ["auto", "wavelet"])
def test_amend_needs_a_sample(method):
    with pytest.raises(rpsd.StateError, match="amend needs a sample to replace"):
        rpsd.Denoiser(method=method).stream().amend(1.0)
    bank = rpsd.Denoiser(method=method).stream(2)
    bank.push([0], [1.0])
    before = bank.snapshot()
    with pytest.raises(rpsd.StateError, match="amend needs a sample to replace"):
        bank.amend([2.0, 3.0])
    assert bank.snapshot() == before


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: rpsd.Denoiser(breaks="auto").stream(), rpsd.ConfigError, "breaks must be None in a stream"),
        (
            lambda: rpsd.Denoiser().stream(0),
            rpsd.InputError,
            "n_series must be None or an integer of at least 1",
        ),
        (lambda: rpsd.Denoiser().stream(1.5), rpsd.InputError, "n_series must be None or an integer"),
    ],
)
def test_streams_that_cannot_be(make, error, message):
    with pytest.raises(error, match=message):
        make()


def test_a_stream_can_be_copied_and_pickled():
    stream = rpsd.Denoiser(lookahead=1).stream(2)
    stream.push_many(np.stack([dirty(100, s) for s in range(2)]))
    for other in (copy.deepcopy(stream), pickle.loads(pickle.dumps(stream))):
        assert other.snapshot() == stream.snapshot()
