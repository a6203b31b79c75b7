# SPDX-License-Identifier: MIT
"""The drift monitor: its alarms against a slow twin, its false-alarm rate, its delays, lag and residual."""

import numpy as np
import pytest
from price_paths import garch, intraday
from reference import drift as twin
from scipy import stats

from rpsd import _core

NAMES = ("scale", "noise", "missing", "stale")


def monitor(reference=512, run_length=1e5):
    return _core.Drift(reference=reference, run_length=run_length)


def run(x, y=None, **options):
    """Return the names of the alarms that stand, as booleans (name, time), and the report at the end."""
    drift = monitor(**options)
    state = drift.start()
    bits = drift.push(state, x, x, x if y is None else y)
    return {name: (bits >> i & 1).astype(bool) for i, name in enumerate(NAMES)}, drift.report(state)


def walk(generator, n, nsr, step=1.0, missing=0.0):
    """Level plus noise; each parameter a number or one for each sample."""
    x = np.cumsum(step * generator.standard_normal(n)) + nsr * generator.standard_normal(n)
    x[1:][generator.random(n - 1) < np.broadcast_to(missing, n)[1:]] = np.nan
    return x


def changed(n, start, before, after):
    return np.where(np.arange(n) < start, before, after)


def first(standing):
    return int(np.argmax(standing)) if standing.any() else None


# What changes at 1500: arguments of walk, or a function of the series.
CHANGES = {
    "scale": {"nsr": 1.0, "step": changed(6000, 1500, 1.0, 2.0)},
    "calm": {"nsr": 0.0, "step": changed(6000, 1500, 1.0, 0.5)},
    "noise": {"nsr": changed(6000, 1500, 1.0, 4.0)},
    "missing": {"nsr": 1.0, "missing": changed(6000, 1500, 0.01, 0.15)},
    "none": {"nsr": 1.0},
}


@pytest.mark.parametrize("kind", CHANGES)
@pytest.mark.parametrize("seed", range(3))
def test_alarms_come_when_the_slow_twin_has_them(kind, seed):
    x = walk(np.random.default_rng([seed, 1]), 6000, **CHANGES[kind])
    x = np.round(x, 1)  # some samples equal the one before
    standing, _ = run(x, reference=256, run_length=1e4)
    there = np.flatnonzero(~np.isnan(x))
    moved = there[1:][np.diff(x[there]) != 0]
    hits = {
        "missing": (np.arange(1, 6000), twin.missing_hits(x)),
        "stale": (there[1:], twin.stale_hits(x)),
        "scale": (moved, twin.scale_hits(x, 256)),
        "noise": (moved, twin.noise_hits(x, 256)),
    }
    for name, (times, indicators) in hits.items():
        alarm, _ = twin.first_alarm(indicators, name, 256, 1e4)
        assert first(standing[name]) == (None if alarm is None else times[alarm[0]]), name
    expected = {"scale": "scale", "calm": "scale", "noise": "noise", "missing": "missing", "none": None}[kind]
    assert expected is None or standing[expected].any()


def test_what_the_report_says_is_the_twin_s_reference():
    x = walk(np.random.default_rng(5), 2600, nsr=0.7, missing=0.05)
    _, report = run(x)
    for name, hits in {
        "missing": twin.missing_hits(x),
        "stale": twin.stale_hits(x),
        "scale": twin.scale_hits(x, 512),
        "noise": twin.noise_hits(x, 512),
    }.items():
        reference, recent, alarm, alarms = report[name]
        assert (reference, alarm, alarms) == (twin.first_alarm(hits, name, 512, 1e5)[1], 0, 0)
        assert abs(recent - reference) < 0.15
    assert 0.4 < report["scale"][0] < 0.6
    assert 0.45 < report["noise"][0] < 0.55  # innovations of a fitting gain are white


NSR = {
    **{"walk": 0.0, "a0.1": 0.1, "a1": 1.0, "a3": 3.0, "a10": 10.0},
    **{"t4": 0.5, "c1": 1.0, "d": 1.0, "e_both": 3.0, "missing": 1.0},
}


def stationary(kind, generator, n):
    """Return one series whose rates do not change, of the cells of docs/cells.md, and near them."""
    steps = generator.standard_normal(n)
    if kind == "d":
        return np.round(np.cumsum(0.5 * steps) + generator.choice([-1, 1], n))
    nsr = NSR[kind]
    noise = nsr * generator.standard_normal(n)
    if kind == "t4":
        steps = generator.standard_t(4, n) / np.sqrt(2)
    if kind == "c1":
        steps = steps + (generator.random(n) < 1 / 256) * generator.choice([-15, 15], n)
    if kind == "e_both":
        noise = nsr * generator.standard_t(3, n) / np.sqrt(3)
        size = generator.choice([-1, 1], n) * generator.uniform(15, 50, n) * nsr
        noise += np.where(generator.random(n) < 0.005, size, 0.0)
    x = np.cumsum(steps) + noise
    if kind == "missing":
        x[generator.random(n) < 0.05] = np.nan
    return x


def false_alarms(kind, n, **options):
    x = stationary(kind, np.random.default_rng([7, len(kind), ord(kind[0])]), n)
    _, report = run(x, **options)
    return np.array([report[name][3] for name in NAMES])


@pytest.mark.parametrize("kind", NSR)
def test_false_alarms_are_no_more_than_stated(kind):
    """At a tenth of the shortest run, so that there are some: 99.9 % of binomial counts are within."""
    n, run_length = 200_000, 1_000
    assert false_alarms(kind, n, run_length=run_length).sum() <= stats.binom.ppf(0.999, n, 1 / run_length)


@pytest.mark.slow
@pytest.mark.parametrize("kind", NSR)
def test_false_alarms_of_the_default_are_no_more_than_stated(kind):
    n = 4_000_000
    assert false_alarms(kind, n).sum() <= stats.binom.ppf(0.999, n, 1e-5)


@pytest.mark.slow
def test_moving_volatility_raises_no_false_alarm_of_noise():
    """The scale is not stationary there, and says so; noise in proportion to it is."""
    generator = np.random.default_rng(11)
    n = 400_000
    volatility = intraday(n)
    steps = garch(generator, n) * volatility
    x = np.cumsum(steps) + volatility * generator.standard_normal(n)
    _, report = run(x)
    assert report["noise"][3] <= stats.binom.ppf(0.999, n, 1e-5)


# What changes, the alarm, and the most samples that half of 20 series take; medians are in decision 12.
DELAYS = {
    "noise twice at 1": ({"nsr": (1, 2)}, "scale", 400),
    "noise twice at 3": ({"nsr": (3, 6)}, "scale", 260),
    "noise half at 3": ({"nsr": (3, 1.5)}, "scale", 180),
    "noise four times": ({"nsr": (1, 4)}, "noise", 1600),
    "scale twice": ({"nsr": (0, 0), "step": (1, 2)}, "scale", 260),
    "scale half": ({"nsr": (0, 0), "step": (1, 0.5)}, "scale", 150),
    "missing": ({"nsr": (1, 1), "missing": (0.01, 0.1)}, "missing", 320),
    "feed gone": ({"nsr": (1, 1), "missing": (0.0, 1.0)}, "missing", 12),
}


@pytest.mark.parametrize("change", DELAYS)
def test_changes_are_found_in_time(change):
    pairs, name, most = DELAYS[change]
    n, start = 6500, 4000
    delays = []
    for seed in range(20):
        arguments = {key: changed(n, start, *pair) for key, pair in pairs.items()}
        x = walk(np.random.default_rng([seed, 3]), n, **arguments)
        standing, _ = run(x)
        assert not standing[name][:start].any()
        delays.append(first(standing[name]) - start if standing[name].any() else n)
    assert np.median(delays) <= most


def test_a_stale_feed_is_an_alarm_for_as_long_as_it_lasts_and_teaches_nothing_else():
    x = walk(np.random.default_rng(2), 8000, nsr=1.0)
    x[3000:5000] = x[2999]
    standing, report = run(x)
    assert 3000 < first(standing["stale"]) < 3010
    assert standing["stale"][3010:5000].all()
    assert not standing["stale"][5100:].any()
    assert report["stale"][3] == 1
    assert not any(standing[name].any() for name in NAMES if name != "stale")


def test_a_change_stands_until_the_series_is_known_again():
    x = walk(np.random.default_rng(3), 6000, nsr=0.0, step=changed(6000, 2000, 1.0, 3.0))
    standing, report = run(x)
    begin = first(standing["scale"])
    assert 2000 < begin < 2200
    np.testing.assert_array_equal(np.flatnonzero(standing["scale"]), np.arange(begin, begin + 512))
    assert report["scale"][3] == 1


def test_acknowledging_ends_alarms_and_learns_anew():
    x = walk(np.random.default_rng(4), 6000, nsr=1.0, missing=changed(6000, 2000, 0.0, 0.3))
    drift = monitor()
    state = drift.start()
    assert drift.push(state, x[:2500], x[:2500], x[:2500])[-1] == 4
    drift.acknowledge(state)
    rest = drift.push(state, x[2500:], x[2500:], x[2500:])
    assert not rest.any()
    assert drift.report(state)["missing"][0] == pytest.approx(0.3, abs=0.07)


def test_a_copy_is_a_snapshot_and_pieces_change_no_bit():
    x = walk(np.random.default_rng(6), 4000, nsr=changed(4000, 2500, 1.0, 4.0), missing=0.1)
    y = x + np.random.default_rng(7).standard_normal(4000)
    drift = monitor()
    whole, cut = drift.start(), drift.start()
    bits = drift.push(whole, x, x, y)
    pieces = []
    for part in np.split(np.arange(4000), [1, 7, 600, 601, 2700]):
        cut = cut.copy()
        pieces.append(drift.push(cut, x[part], x[part], y[part]))
    np.testing.assert_array_equal(np.concatenate(pieces), bits)
    assert cut.tobytes() == whole.tobytes()


@pytest.mark.parametrize("scale", [0.125, 3e-9, 1e12])
def test_units_and_origin_change_no_alarm(scale):
    x = walk(np.random.default_rng(8), 5000, nsr=changed(5000, 3000, 1.0, 3.0), missing=0.02)
    standing, _ = run(x)
    others, _ = run(scale * (x + 64))
    for name in NAMES:
        np.testing.assert_array_equal(standing[name], others[name])


@pytest.mark.parametrize("gain", [0.8, 0.3, 0.1])
def test_lag_and_residual_of_an_exponential_filter(gain):
    x = walk(np.random.default_rng(9), 4000, nsr=1.0)
    y = np.empty_like(x)
    y[0] = x[0]
    for t in range(1, len(x)):
        y[t] = y[t - 1] + gain * (x[t] - y[t - 1])
    v = (y[2:] - y[:-2]) / 2
    residual = (x - y)[1:-1]
    weights = (1 - 1 / 256) ** np.arange(len(v))[::-1]
    _, report = run(x, y)
    assert report["lag"] == pytest.approx((weights * residual * v).sum() / (weights * v * v).sum(), rel=1e-9)
    weights = (1 - 1 / 256) ** np.arange(len(x))[::-1]
    assert report["residual"] == pytest.approx(np.average(np.abs(x - y), weights=weights), rel=1e-9)


def test_a_symmetric_smoother_has_no_lag_and_a_filter_of_a_walk_its_own():
    x = walk(np.random.default_rng(10), 3000, nsr=0.0)
    smooth = np.convolve(x, np.ones(9) / 9, mode="same")
    smooth[:4] = smooth[-4:] = np.nan
    assert run(x, smooth)[1]["lag"] == pytest.approx(0, abs=0.5)
    trend = 0.01 * np.arange(3000.0)
    assert run(trend, trend - 0.05)[1]["lag"] == pytest.approx(5, rel=1e-6)
    assert run(x, x)[1]["lag"] == 0


@pytest.mark.parametrize(
    "x",
    [[], [np.nan] * 9, [5.0] * 2000, [0.0, 1e308, -1e308, 5e-324] * 500, [1.0, 2.0] * 1000],
    ids=["empty", "missing", "constant", "huge", "two prices"],
)
def test_odd_series_do_no_harm(x):
    x = np.asarray(x, dtype=np.float64)
    standing, report = run(x)
    assert not any(standing[name].any() for name in NAMES)
    assert all(not np.isinf(number) for name in NAMES for number in report[name])


def test_options_are_checked():
    with pytest.raises(ValueError, match="reference must be at least 64 samples, got 10"):
        monitor(reference=10)
    with pytest.raises(ValueError, match="run_length must be a finite number of at least 1000 samples, got"):
        monitor(run_length=np.inf)
    drift = monitor()
    with pytest.raises(ValueError, match=r"y must have the shape of x, \(2,\), got \(1,\)"):
        drift.push(drift.start(), np.zeros(2), np.zeros(2), np.zeros(1))
