# SPDX-License-Identifier: MIT
"""Streams: the bits of the backtest in any pieces, amended bars, sparse banks, snapshots."""

import numpy as np
import pytest

import rpsd

OPTIONS = [
    {"lookahead": 0},
    {"lookahead": 3, "outliers": "spike"},
    {"method": "kalman", "lookahead": 2, "space": "log"},
]


def dirty(n=400, seed=0):
    x = 500 + rpsd.simulate("c", n, seed, nsr=1.0).noisy
    rng = np.random.default_rng([seed, n])
    x[rng.random(n) < 0.05] = np.nan
    return x


def expected(x, **options):
    """What a stream returns: the backtest, `lookahead` samples later."""
    k = options["lookahead"]
    y = rpsd.denoise(x, **options)
    return np.concatenate([np.full((*x.shape[:-1], k), np.nan), y[..., : x.shape[-1] - k]], axis=-1)


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_a_stream_is_the_backtest_to_the_bit(options):
    x = dirty()
    stream = rpsd.Denoiser(**options).stream()
    assert (stream.n_series, stream.warmup) == (None, options["lookahead"])
    y = [stream.push(v) for v in x]
    assert all(type(v) is float for v in y)
    np.testing.assert_array_equal(y, expected(x, **options))


@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize("seed", range(4))
def test_a_bank_in_any_pieces_with_amended_bars_and_snapshots(options, seed):
    rng = np.random.default_rng(seed)
    x = np.stack([dirty(seed=s) for s in range(5)])
    stream = rpsd.Denoiser(**options).stream(5)
    pieces, at = [], 0
    while at < x.shape[1]:
        way = rng.integers(4)
        size = int(rng.integers(1, 20)) if way == 0 else 1
        part = x[:, at : at + size]
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
    np.testing.assert_array_equal(np.concatenate(pieces, axis=1), expected(x, **options))


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_flush_gives_what_is_known_of_the_last_samples_and_changes_nothing(options):
    x = dirty(300)
    stream = rpsd.Denoiser(**options).stream()
    stream.push_many(x)
    rest = stream.flush()
    k = options["lookahead"]
    longer = np.r_[x, np.full(k, np.nan)]
    np.testing.assert_array_equal(rest, rpsd.denoise(longer, **options)[300 - k : 300])
    assert stream.push(510.0) == expected(np.r_[x, 510.0], **options)[-1] or np.isnan(x[300 - k])


def test_amend_after_a_snapshot():
    x = dirty(100)
    stream = rpsd.Denoiser().stream()
    stream.push_many(x[:99])
    stream.push(1e6)
    again = rpsd.Stream.restore(stream.snapshot())
    assert again.amend(x[99]) == stream.amend(x[99]) == expected(x, lookahead=0)[-1]
    assert again.options == stream.options
    assert again.health() == stream.health()


def test_offline_options_make_a_causal_stream():
    assert rpsd.Denoiser().stream().options.lookahead == 0


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
    single = rpsd.Denoiser().stream()
    single.push_many(x)
    assert single.health().samples == 3000


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda s: s.push([1.0, 2.0]), r"x must be one number for each of 3 series, got shape \(2,\)"),
        (lambda s: s.push(1.0), r"x must be one number for each of 3 series, got shape \(\)"),
        (lambda s: s.push([1.0, np.inf, 2.0]), "x has an infinite sample in series 1; allowed: finite"),
        (lambda s: s.push([0, 3], [1.0, 2.0]), "x must be indices from 0 to 2, each once"),
        (lambda s: s.push([0, 0], [1.0, 2.0]), "x must be indices from 0 to 2, each once"),
        (lambda s: s.push([0.5], [1.0]), "x must be indices of series"),
        (lambda s: s.push([0, 1], [1.0]), "values must have the shape of the indices"),
        (lambda s: s.push_many(np.ones(5)), r"block must have shape \(3, time\), got \(5,\)"),
        (lambda s: s.push("abc"), "x must be numbers, got str"),
    ],
)
def test_bad_samples_change_nothing(call, message):
    stream = rpsd.Denoiser().stream(3)
    stream.push_many(np.stack([dirty(50, s) for s in range(3)]))
    before = stream.snapshot()
    with pytest.raises(rpsd.InputError, match=message):
        call(stream)
    assert stream.snapshot() == before


def test_amend_needs_a_sample():
    with pytest.raises(rpsd.StateError, match="amend needs a sample to replace"):
        rpsd.Denoiser().stream().amend(1.0)


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (
            lambda: rpsd.Denoiser(method="wavelet").stream(),
            rpsd.ConfigError,
            'method="wavelet" has no stream',
        ),
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


def test_a_changed_snapshot_is_refused():
    stream = rpsd.Denoiser().stream(2)
    stream.push([1.0, 2.0])
    data = stream.snapshot()
    rng = np.random.default_rng(3)
    for at in rng.integers(len(data), size=50):
        changed = bytearray(data)
        changed[at] ^= 1 << int(rng.integers(8))
        with pytest.raises(rpsd.StateError, match="snapshot must be"):
            rpsd.Stream.restore(bytes(changed))
    for wrong in (b"", b"rpsdstream", data[:-1], data + b"x", "text", None):
        with pytest.raises(rpsd.StateError, match="snapshot must be"):
            rpsd.Stream.restore(wrong)
