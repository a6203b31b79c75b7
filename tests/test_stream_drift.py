# SPDX-License-Identifier: MIT
"""What streams say of drift, and what comes out while an alarm stands."""

import numpy as np
import pytest

import rpsd

N, STOPS = 1500, 900


def feed(seed=0):
    """Prices whose feed repeats itself from STOPS on, for 200 samples."""
    x = rpsd.simulate("a", N, seed, nsr=2.0).noisy
    x[STOPS : STOPS + 200] = x[STOPS - 1]
    return x


def alarms(x, **options):
    """Return after each sample whether an alarm of a stale feed stands."""
    stream = rpsd.Denoiser(**options).stream()
    found = []
    for v in x:
        stream.push(v)
        found.append("stale" in stream.health().alarms)
    return np.array(found)


OPTIONS = [
    {"lookahead": 0},
    {"lookahead": 3, "method": "kalman", "space": "price"},
    {"method": "wavelet", "lookahead": 1, "window": 32, "min_periods": 8, "level": 2},
]


@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize("policy", ["raw", "hold"])
def test_what_comes_out_while_an_alarm_stands(options, policy):
    x = feed()
    standing = alarms(x, **options)
    assert STOPS < np.argmax(standing) < STOPS + 20
    assert not standing[-1]
    y = rpsd.Denoiser(**options).stream().push_many(x)
    begin, k = int(np.argmax(standing)), options["lookahead"]
    instead = np.r_[np.full(k, np.nan), x[: N - k]] if policy == "raw" else y[begin - 1]
    expected = np.where(standing, instead, y)
    stream = rpsd.Denoiser(**options).stream(on_breach=policy)
    pieces = []
    for part in np.split(x, [7, 905, 906, 1000]):
        pieces.append(stream.push_many(part))
        stream = rpsd.Stream.restore(stream.snapshot())
    np.testing.assert_array_equal(np.concatenate(pieces), expected)
    assert not np.array_equal(expected, y, equal_nan=True)


def test_raise_refuses_the_next_sample_until_it_is_acknowledged():
    x = np.stack([rpsd.simulate("a", N, 1, nsr=2.0).noisy, feed()])
    stream = rpsd.Denoiser(lookahead=0).stream(2, on_breach="raise")
    stream.push_many(x[:, : STOPS + 50])
    assert stream.health().alarms == ((), ("stale",))
    before = stream.snapshot()
    with pytest.raises(rpsd.StateError, match="drift of series 1 of 2: stale; acknowledge it, or see health"):
        stream.push(x[:, STOPS + 50])
    assert stream.snapshot() == before
    stream.push([0], x[:1, STOPS + 50])
    stream.acknowledge([1])
    stream.push([1], x[1:, STOPS + 50])
    assert stream.health().alarms == ((), ())
    single = rpsd.Denoiser(lookahead=0).stream(on_breach="raise")
    single.push_many(x[1, : STOPS + 50])
    with pytest.raises(rpsd.StateError, match="drift of series 0 of 1: stale"):
        single.push(float(x[1, STOPS + 50]))


def test_an_amended_bar_raises_no_alarm_that_its_last_form_does_not():
    x = feed()
    stream, other = (rpsd.Denoiser(lookahead=0).stream() for _ in range(2))
    for v in x[: STOPS + 100]:
        stream.push(v)
        other.push(x[STOPS - 1])
        other.amend(v + 1)
        other.amend(v)
    assert stream.health() == other.health()


def test_health_tells_how_the_model_fits():
    x = rpsd.simulate("f", 3000, 3, nsr=3.0).noisy
    for lookahead in (0, 4):
        stream = rpsd.Denoiser(lookahead=lookahead, method="kalman").stream()
        stream.push_many(x)
        health = stream.health()
        assert health.noise_ratio == pytest.approx(1, abs=0.3)
        assert health.missing_rate == pytest.approx(0.05, abs=0.04)
        assert abs(health.lag - (0 if lookahead else 3)) < 2.5
        assert health.alarms == ()


def test_a_clean_series_has_no_lag_and_expects_no_residual():
    stream = rpsd.Denoiser(lookahead=0).stream()
    stream.push_many(np.cumsum(np.random.default_rng(0).normal(size=2000)))
    health = stream.health()
    assert (health.gate, health.lag) == (0, 0)
    assert np.isnan(health.noise_ratio)


def test_options_of_the_monitor_are_checked():
    with pytest.raises(rpsd.ConfigError, match='on_breach must be None, "raw", "hold" or "raise", got'):
        rpsd.Denoiser(lookahead=0).stream(on_breach="drop")
