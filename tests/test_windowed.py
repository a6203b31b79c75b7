# SPDX-License-Identifier: MIT
"""A fixed lag is the offline run on each window, to the bit, whatever the pieces, threads and kernels."""

import hashlib
import os
import subprocess
import sys
import warnings
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
import pywt

import rpsd

ISAS = rpsd.build_info()["isas"]

pytestmark = pytest.mark.filterwarnings("ignore:Level value of:UserWarning")


def walk(n, seed, dtype=np.float64, tick=None):
    rng = np.random.default_rng(seed)
    x = 100 + np.cumsum(0.05 * rng.normal(size=n)) + 0.1 * rng.normal(size=n)
    if tick is not None:
        x = np.round(x / tick) * tick
    return x.astype(dtype)


def carried(x):
    """The last value seen at each sample, NaN before the first, written as a plain loop."""
    z = x.copy()
    for t in range(1, len(z)):
        if np.isnan(z[t]):
            z[t] = z[t - 1]
    return z


def by_definition(x, *, lookahead, window=256, min_periods=None, starts=(), **options):
    """The contract, word by word: the offline call on each window."""
    denoiser = rpsd.Denoiser(**options)
    least = window if min_periods is None else min_periods
    y = np.full_like(x, np.nan)
    for begin, end in pairwise([0, *starts, len(x)]):
        z = carried(x[begin:end])
        seen = np.flatnonzero(~np.isnan(z))
        first = seen[0] if seen.size else end - begin
        for t in range(first + least - 1, end - begin):
            if np.isnan(x[begin + t]) or begin + t + lookahead >= len(x):
                continue
            a = max(first, t - window + 1)
            y[begin + t] = denoiser.denoise(z[a : t + lookahead + 1])[t - a]
    return y


def drawn(seed):
    """Options, window and data of one random case."""
    rng = np.random.default_rng(seed)
    choose = lambda *values: values[rng.integers(len(values))]  # noqa: E731
    options = {"method": "wavelet", "wavelet": choose("db4", "haar", "sym8", "db2", "bior2.4")}
    options["level"] = choose("auto", "auto", 1, 2, 3, 4)
    options["transform"] = choose("dwt", "dwt", "dwt", "modwt")
    boundaries = ("symmetric", "periodic") if options["transform"] == "modwt" else (
        "symmetric", "symmetric", "zero", "constant", "smooth", "periodic", "reflect",
        "periodization", "antisymmetric", "antireflect",
    )  # fmt: skip
    options["boundary"] = choose(*boundaries)
    options["threshold_mode"] = choose(
        "bayes", "bayes", "bayes", "universal", "sure", "hybrid", "minimax", "fdr", "blockjs", "neighblock",
        "ebayes", "wiener", "none",
    )  # fmt: skip
    options["threshold_rule"] = choose("auto", "soft", "hard", "garrote", "firm", "scad")
    options["threshold_scale"] = choose(1.0, 1.0, 0.5, 0.0)
    options["noise"] = choose("mad", "mad", "mad", "level", "local", "price", 0.1)
    options["space"] = choose("price", "price", "log")
    options["outliers"] = choose("none", "none", "none", "spike")
    if options["threshold_mode"] == "ebayes":
        options["prior"] = choose("cauchy", "laplace")
    if rng.random() < 0.2:
        options |= {"use_fir_filter": True, "fir_taps": int(rng.integers(1, 60)), "fir_cutoff": 0.3}
    if rng.random() < 0.1:
        options = {"method": "fir", "fir_taps": int(rng.integers(1, 60)), "space": options["space"]}
    window = int(choose(2, 5, 16, 33, 64, 100, 128))
    windows = {"window": window, "lookahead": int(choose(0, 0, 0, 1, 2, 7, 40))}
    if rng.random() < 0.4:
        windows["min_periods"] = int(rng.integers(1, window + 1))
    n = int(choose(0, 1, 3, 50, 180, 260))
    x = walk(n, seed, choose(np.float64, np.float64, np.float32), choose(None, None, 0.1, 2.0))
    if rng.random() < 0.3 and n:
        x[rng.random(n) < choose(0.05, 0.5)] = np.nan
        x[: int(choose(0, 1, 9))] = np.nan
    if rng.random() < 0.1:
        x *= x.dtype.type(choose(1e-30, 1e30))  # squares leave the range of float32
    if options.get("outliers") == "spike" and n > 20:
        x[rng.integers(0, n, 2)] *= 3
    starts = sorted({int(s) for s in rng.integers(1, n, 3)}) if rng.random() < 0.3 and n > 3 else []
    return x, options, windows, starts


def run(x, options, windows, starts, threads=1):
    mask = np.zeros(len(x), dtype=bool)
    mask[starts] = True
    return rpsd.Denoiser(**options, **windows, breaks=mask).run(x, threads=threads)


@pytest.mark.parametrize("seed", range(200))
@pytest.mark.filterwarnings("ignore::rpsd.RpsdWarning")
def test_is_the_definition_to_the_bit(seed):
    x, options, windows, starts = drawn(seed)
    result = run(x, options, windows, starts)
    expected = by_definition(x, starts=starts, **windows, **options)
    assert result.values.tobytes() == expected.tobytes(), (options, windows, starts)
    assert result.warmup == np.count_nonzero(np.isnan(expected) & ~np.isnan(x))
    assert result.missing == np.count_nonzero(np.isnan(x))


# Longer than the blocks that values are worked on in; enough full windows for all that neighbours share.
LONG = [
    {"noise": "mad"},
    {"noise": "price", "window": 100},
    {"noise": "level", "threshold_mode": "universal", "threshold_rule": "hard"},
    {"noise": 0.1, "threshold_rule": "garrote", "wavelet": "haar", "boundary": "reflect"},
    {"noise": "mad", "threshold_mode": "sure", "wavelet": "sym8", "level": 3},
    {"noise": "mad", "threshold_mode": "ebayes"},
    {"noise": "mad", "threshold_mode": "ebayes", "prior": "laplace"},
    {"noise": "mad", "threshold_mode": "wiener", "boundary": "antireflect", "window": 200},
    {"noise": "mad", "space": "log", "boundary": "smooth", "window": 97},
    {"noise": "mad", "min_gain_db": 2.0, "window": 64},
    {"noise": "mad", "use_fir_filter": True, "window": 64, "fir_taps": 21},
    {"method": "fir"},  # of more coefficients than single precision sums in one go
    {"method": "fir", "window": 700},  # by transforms
    {"noise": "mad", "wavelet": "db20", "level": 2, "boundary": "zero"},
]


@pytest.mark.filterwarnings("ignore:.*is not used with lookahead=0:rpsd.RpsdWarning")
@pytest.mark.parametrize("lookahead", [0, 3])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("options", LONG, ids=str)
def test_is_the_definition_in_long_series(options, dtype, lookahead):
    x = walk(1400, 7, dtype)
    x[760:830] = x[920:970] = np.nan  # where the first windows of the second block begin
    x[1100:1130] = x[1100]  # flat
    options = {"method": "wavelet", **options, "lookahead": lookahead}
    assert rpsd.denoise(x, **options).tobytes() == by_definition(x, **options).tobytes()


@pytest.mark.parametrize("seed", range(40))
@pytest.mark.filterwarnings("ignore::rpsd.RpsdWarning")
def test_a_stream_gives_the_same_bits_in_any_pieces(seed):
    x, options, windows, starts = drawn(seed + 1000)
    if len(x) == 0:
        return
    x = x.astype(np.float64)
    y = run(x, options, windows, starts).values
    stream = rpsd.Denoiser(**options, **windows).stream()
    rng = np.random.default_rng(seed)
    cuts = sorted({0, *starts, *rng.integers(0, len(x), rng.integers(0, 60)).tolist(), len(x)})
    pieces = []
    for a, b in pairwise(cuts):
        if a in starts:
            stream.new_session()
        pieces.append(stream.push_many(x[a:b]))
    late = np.concatenate(pieces)
    k = windows["lookahead"]
    assert np.isnan(late[:k]).all()
    assert late[k:].tobytes() == y[: len(x) - k].tobytes()


def test_sessions_in_long_series():
    x, starts = walk(2400, 6), [900, 1022, 1030, 2000]
    x[1000:1026] = x[1990:2005] = np.nan
    for windows in ({"window": 64, "lookahead": 5, "min_periods": 10}, {"window": 300, "lookahead": 0}):
        options = {"level": 2, "noise": "mad"}
        found = run(x, options, windows, starts)
        assert found.values.tobytes() == by_definition(x, starts=starts, **windows, **options).tobytes()
        assert found.sessions == 5


@pytest.mark.parametrize("lookahead", [0, 4])
@pytest.mark.parametrize("window", [64, 256])
def test_is_the_composition_of_pywavelets(window, lookahead):
    x = walk(400, 11)
    y = rpsd.denoise(x, noise="mad", level=3, window=window, lookahead=lookahead)
    for t in range(window - 1, 400 - lookahead, 7):
        part = x[t - window + 1 : t + lookahead + 1]
        approximation, *details = pywt.wavedec(part, "db4", mode="symmetric", level=3)
        sigma = np.median(np.abs(details[-1])) / 0.6744897501960817
        kept = []
        for d in details:
            s = np.sqrt(max(np.mean(d**2) - sigma**2, 0))
            kept.append(pywt.threshold(d, sigma**2 / s, "soft") if s > 0 else np.zeros_like(d))
        whole = pywt.waverec([approximation, *kept], "db4", mode="symmetric")
        assert abs(y[t] - whole[window - 1]) < 1e-10 * abs(whole[window - 1])


@pytest.mark.parametrize("seed", range(30))
@pytest.mark.filterwarnings("ignore::rpsd.RpsdWarning")
def test_the_future_changes_no_bit(seed):
    x, options, windows, starts = drawn(seed + 2000)
    rng = np.random.default_rng(seed)
    t = int(rng.integers(0, len(x) + 1))
    other = x.copy()
    cut = min(t + windows["lookahead"] + 1, len(x))
    other[cut:] = [np.nan if rng.random() < 0.2 else abs(v) for v in rng.normal(90, 30, len(x) - cut)]
    if options.get("outliers") == "spike":
        other[cut:] = np.nan
    before, after = (run(v, options, windows, [s for s in starts if s < cut]).values for v in (x, other))
    settled = max(cut - windows["lookahead"], 0)
    assert before[:settled].tobytes() == after[:settled].tobytes()


def test_batches_threads_and_frames_have_the_same_bits():
    x = np.stack([walk(1500, seed) for seed in range(5)])
    x[1, 100:300] = np.nan
    x[2] = 7.0
    options = {"noise": "mad", "window": 100, "lookahead": 2, "min_periods": 40}
    y = rpsd.denoise(x, **options)
    assert all(rpsd.denoise(row, **options).tobytes() == out.tobytes() for row, out in zip(x, y, strict=True))
    assert rpsd.denoise(x, threads=3, **options).tobytes() == y.tobytes()
    assert rpsd.denoise(x[0], threads=2, **options).tobytes() == y[0].tobytes()
    index = pd.date_range("2026-01-01", periods=1500, freq="min")
    frame = pd.DataFrame(x.T, index=index, columns=list("abcde"))
    found = rpsd.Denoiser(**options).run(frame)
    pd.testing.assert_frame_equal(found.values, pd.DataFrame(y.T, index=frame.index, columns=frame.columns))
    assert found.warmup.tolist() == [39 + 2] * 5
    assert found.action.tolist() == ["denoised", "denoised", "passthrough", "denoised", "denoised"]
    assert found.lookahead == 2
    out = x.copy()
    rpsd.denoise(out, out=out, **options)
    assert out.tobytes() == y.tobytes()


PROGRAM = """
import hashlib, sys
import test_windowed
print(test_windowed.digest())
"""


def digest():
    sha = hashlib.sha256()
    for dtype in (np.float64, np.float32):
        for options in LONG:
            given = {"method": "wavelet", **options, "lookahead": 1}
            sha.update(rpsd.denoise(walk(900, 5, dtype, 1 / 1024), **given).tobytes())
    return sha.hexdigest()


@pytest.mark.parametrize("isa", ISAS)
def test_every_instruction_set_gives_the_same_bits(isa):
    environment = {**os.environ, "RPSD_ISA": isa}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], env=environment, cwd=os.path.dirname(__file__),
        capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == digest()


@pytest.mark.parametrize(
    ("windows", "warmup"),
    [
        ({}, 255),
        ({"window": 100}, 99),
        ({"window": 100, "min_periods": 1}, 0),
        ({"window": 100, "min_periods": 30, "lookahead": 5}, 34),
        ({"window": 900}, 500),
        ({"lookahead": 900}, 500),
    ],
)
def test_values_before_min_periods_are_missing_and_counted(windows, warmup):
    windows = {"lookahead": 0, **windows}
    result = rpsd.Denoiser(method="wavelet", **windows).run(walk(500, 1))
    lag = min(windows["lookahead"], 500)
    there = ~np.isnan(result.values)
    assert (result.warmup, result.missing) == (warmup, 0)
    assert there[warmup - lag : 500 - lag].all()
    assert np.count_nonzero(there) == 500 - warmup
    assert np.isnan(result.noise.noise_sd) == (warmup == 500)


def test_missing_samples_are_carried_and_stay_missing():
    x = walk(300, 2)
    x[:3] = x[200:210] = np.nan
    y = rpsd.denoise(x, noise="mad", lookahead=0, window=64)
    assert np.isnan(y[: 3 + 63]).all()
    np.testing.assert_array_equal(np.isnan(y[66:]), np.isnan(x[66:]))
    z = x.copy()
    z[200:210] = x[199]
    np.testing.assert_array_equal(y[210:], rpsd.denoise(z, noise="mad", lookahead=0, window=64)[210:])


def test_each_session_warms_up_by_itself():
    x = walk(400, 4)
    mask = np.arange(400) == 150
    options = {"noise": "mad", "window": 64, "lookahead": 3}
    result = rpsd.Denoiser(**options, breaks=mask).run(x)
    assert (result.sessions, result.warmup) == (2, 63 + 63 + 3)
    alone = rpsd.denoise(x[150:], **options)
    np.testing.assert_array_equal(result.values[150:], alone)


def test_sessions_by_times_use_the_past_only():
    minutes = np.concatenate([np.arange(100), 2000 + np.arange(100), 9000 + 500 * np.arange(400)])
    index = pd.Timestamp("2026-01-02") + pd.to_timedelta(minutes, unit="min")
    x = pd.Series(walk(600, 8), index=index)
    options = {"noise": "mad", "breaks": "auto", "lookahead": 0, "window": 32}
    y = rpsd.denoise(x, **options)
    for n in (100, 101, 150, 250):
        np.testing.assert_array_equal(rpsd.denoise(x[:n], **options), y[:n])
    mask = np.zeros(600, dtype=bool)
    mask[[100, 200]] = True
    expected = rpsd.denoise(x[:201], **{**options, "breaks": mask[:201]})
    np.testing.assert_array_equal(y[:201], expected)


def test_sessions_by_the_prices_look_ahead_and_are_refused():
    with pytest.raises(rpsd.CausalityError, match=r'breaks="auto" without times .* allowed: a mask'):
        rpsd.denoise(walk(300, 1), method="wavelet", lookahead=0, breaks="auto")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"lookahead": -1}, "lookahead must be"),
        ({"lookahead": 1.5}, "lookahead must be"),
        ({"lookahead": 0, "window": 1}, "window must be an integer >= 2, got 1"),
        ({"lookahead": 0, "window": 10, "min_periods": 11}, "min_periods must be"),
        ({"lookahead": 0, "min_periods": 0}, "min_periods must be"),
    ],
)
def test_options_that_cannot_be(options, message):
    with pytest.raises(rpsd.ConfigError, match=message):
        rpsd.denoise(walk(50, 1), **{"method": "wavelet", **options})


def test_data_that_cannot_be():
    x = walk(400, 1)
    options = {"method": "wavelet", "lookahead": 0, "window": 50}
    for value, more, message in (
        (np.inf, {}, "x has inf at position 300"),
        (np.nan, {"missing": "raise"}, "x has NaN at position 300"),
        (-1.0, {"space": "log"}, "x has a value <= 0 at position 300"),
        (-1.0, {"space": "log", "outliers": "spike"}, "x has 3 values <= 0 of 50, the first at .* 300"),
    ):
        bad = x.copy()
        bad[300:303] = value
        with pytest.raises(rpsd.InputError, match=message):
            rpsd.denoise(bad, **options, **more)


def test_a_level_too_high_for_the_window_is_told():
    with pytest.warns(UserWarning, match="Level value of 4 is too high"):
        rpsd.denoise(walk(400, 1), method="wavelet", level=4, lookahead=0, window=50)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        rpsd.denoise(walk(400, 1), method="wavelet", level=4, lookahead=0)


def test_guardrails_compare_where_there_are_values():
    x = walk(600, 9)
    result = rpsd.Denoiser(noise="mad", lookahead=1).run(x)
    expected = rpsd.evaluate(x[255:-1], result.values[255:-1], lookahead=1)
    assert result.report.correlation == expected.correlation
    assert result.report.failures() == expected.failures()
    assert "missing" not in result.report.failures()
