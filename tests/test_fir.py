# SPDX-License-Identifier: MIT
"""fir_filter gives SciPy's numbers: every number of taps, modes, short series, axes, float32, transforms."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from reference import fir
from reference.agreement import worst_error
from scipy import signal

import rpsd

MODES = ("zero_phase", "causal", "same")
F64, F32 = 1e-12, 1e-5


def scipy_filter(x, taps, mode, axis=-1):
    n = x.shape[axis]
    if mode == "causal":
        return signal.lfilter(taps, 1, x, axis=axis)
    if mode == "same":
        start = (len(taps) - 1) // 2
        full = np.apply_along_axis(np.convolve, axis, x, taps)
        return np.take(full, range(start, start + n), axis=axis)
    if len(taps) == 1:  # which filtfilt does not take
        return x * taps[0] ** 2
    return np.moveaxis(filtfilt(np.moveaxis(x, axis, -1), taps), -1, axis)


def filtfilt(x, taps):
    """scipy.signal's, which solves a system as large as the taps for what here is a sum: its first state."""
    n = x.shape[-1]
    pad = min(3 * len(taps), n - 1)
    before, after = 2 * x[..., :1] - x[..., pad:0:-1], 2 * x[..., -1:] - x[..., -2 : -pad - 2 : -1]
    extended = np.concatenate((before, x, after), axis=-1)
    state = np.cumsum(taps[:0:-1])[::-1]
    forward = signal.lfilter(taps, 1, extended, zi=state * extended[..., :1])[0]
    backward = signal.lfilter(taps, 1, forward[..., ::-1], zi=state * forward[..., -1:])[0]
    return backward[..., ::-1][..., pad : pad + n]


def scale(x, taps, mode):
    """The largest number that can come out."""
    gain = np.sum(np.abs(taps))
    return np.max(np.abs(x), initial=0) * (3 * gain**2 if mode == "zero_phase" else gain)


def some_taps(rng, count, kind):
    """Taps of gain 1 in absolute terms."""
    taps = rng.standard_normal(count)
    if kind == "symmetric":
        taps += taps[::-1]
    elif kind == "antisymmetric":
        taps = taps - taps[::-1] + (count == 1)
    return taps / np.sum(np.abs(taps))


def lengths(taps):
    return sorted(
        {1, 2, 3, 5, *(n for n in (taps - 1, taps, taps + 1, 3 * taps, 3 * taps + 1) if n > 0), 150}
    )


@pytest.mark.parametrize("taps", [2, 3, 16, 101, 200, 341])
def test_filtfilt_is_scipys(taps):
    rng = np.random.default_rng([10, taps])
    h = some_taps(rng, taps, "any")
    for n in (*lengths(taps), 1000):
        x = rng.standard_normal((2, n))
        expected = signal.filtfilt(h, 1, x, padlen=min(3 * taps, n - 1))
        assert worst_error(filtfilt(x, h), expected, scale(x, h, "zero_phase")) <= F64, n
        assert worst_error(rpsd.fir_filter(x, h), expected, scale(x, h, "zero_phase")) <= F64, n


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("taps", [1, 2, 3, 4, 7, 12, 31])
def test_twin_agrees_with_scipy(taps, mode):
    rng = np.random.default_rng([1, taps])
    for n in lengths(taps):
        x, h = rng.standard_normal((2, n)), some_taps(rng, taps, "any")
        expected = scipy_filter(x, h, mode)
        assert worst_error(getattr(fir, mode)(x, h), expected, scale(x, h, mode)) <= F64


@pytest.mark.parametrize("kind", ["any", "symmetric", "antisymmetric"])
@pytest.mark.parametrize("mode", MODES)
def test_every_number_of_taps_to_201(mode, kind):
    rng = np.random.default_rng(2)
    for taps in range(1, 202):
        h = some_taps(rng, taps, kind)
        for n in lengths(taps) if kind == "any" else (taps, 150):
            x = rng.standard_normal(n)
            error = worst_error(rpsd.fir_filter(x, h, mode), scipy_filter(x, h, mode), scale(x, h, mode))
            assert error <= F64, (taps, n)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("taps", [1, 2, 5, 16])
def test_every_length_to_70(taps, mode):
    rng = np.random.default_rng([3, taps])
    h = some_taps(rng, taps, "any")
    for n in range(1, 71):
        x = rng.standard_normal(n)
        expected = getattr(fir, mode)(x, h)
        assert worst_error(rpsd.fir_filter(x, h, mode), expected, scale(x, h, mode)) <= F64, n


@pytest.mark.parametrize("mode", MODES)
def test_the_seed_filter_on_prices(mode):
    taps = signal.firwin(101, 0.1, window="hann")
    x = 100 + np.cumsum(np.random.default_rng(4).standard_normal(20_000)) / 10
    assert worst_error(rpsd.fir_filter(x, taps, mode), scipy_filter(x, taps, mode)) <= F64


@pytest.mark.parametrize("mode", MODES)
def test_float32(mode):
    rng = np.random.default_rng(5)
    for taps in (1, 2, 3, 8, 101, 200):
        h = some_taps(rng, taps, "any")
        for n in (1, 2, 50, 1000):
            x = rng.standard_normal(n).astype(np.float32)
            expected = scipy_filter(x.astype(float), h, mode).astype(np.float32)
            assert worst_error(rpsd.fir_filter(x, h, mode), expected, scale(x, h, mode)) <= F32


LONG = [64, 65, 101, 200, 341, 342, 1000, 1025, 2100]


@pytest.mark.parametrize("kind", ["any", "symmetric"])
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("taps", LONG)
def test_many_taps_on_long_series(taps, mode, kind):
    """Lengths about the ends of blocks: 2 (size - taps + 1) samples of a transform or 4096 of sums."""
    rng = np.random.default_rng([7, taps])
    h = some_taps(rng, taps, kind)
    for n in (4095, 4097, 8192, 13_001, 40_000):
        x = rng.standard_normal(n)
        error = worst_error(rpsd.fir_filter(x, h, mode), scipy_filter(x, h, mode), scale(x, h, mode))
        assert error <= F64, n
        narrow = x.astype(np.float32)
        expected = scipy_filter(narrow.astype(float), h, mode)
        got = rpsd.fir_filter(narrow, h, mode).astype(float)
        assert worst_error(got, expected, scale(x, h, mode)) <= 1e-6, n


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("taps", [1, 30, 101, 1025])
def test_threads_share_one_series_with_the_same_bits(taps, mode, dtype):
    rng = np.random.default_rng([8, taps])
    h = some_taps(rng, taps, "any")
    for shape in ((50_000,), (1, 9000), (3, 9000), (2, taps)):
        x = rng.standard_normal(shape).astype(dtype)
        one = rpsd.fir_filter(x, h, mode)
        for threads in (2, 3, 7):
            np.testing.assert_array_equal(rpsd.fir_filter(x, h, mode, threads=threads), one)


@pytest.mark.parametrize("kind", ["any", "symmetric"])
@pytest.mark.parametrize("taps", [1, 7, 31, 101, 1025])
def test_causal_output_keeps_its_bits_whatever_comes_after(taps, kind):
    rng = np.random.default_rng([9, taps])
    h, x = some_taps(rng, taps, kind), rng.standard_normal(10_000)
    y = rpsd.fir_filter(x, h, "causal")
    for end in (1, 2, 100, 1023, 1025, 4095, 4097, 9999):
        np.testing.assert_array_equal(rpsd.fir_filter(x[:end], h, "causal"), y[:end])
        later = x.copy()
        later[end:] = 1e12
        np.testing.assert_array_equal(rpsd.fir_filter(later, h, "causal")[:end], y[:end])


@pytest.mark.parametrize("taps", [101, 1025])
def test_spike_is_felt_beyond_its_reach_in_the_last_digits_only(taps):
    rng = np.random.default_rng([10, taps])
    h, x = some_taps(rng, taps, "symmetric"), rng.standard_normal(20_000)
    spiked = x.copy()
    spiked[10_000] = 1e12
    change = np.abs(rpsd.fir_filter(spiked, h, "same") - rpsd.fir_filter(x, h, "same"))
    change[10_000 - taps : 10_001 + taps] = 0
    assert np.max(change) <= 1e-15 * 1e12


@pytest.mark.parametrize("taps", [30, 101, 1025])
@pytest.mark.parametrize("n", [900, 5000, 20_000])
def test_in_place_inside_denoise(taps, n):
    """The denoiser filters in place; the filter alone, out of place."""
    x = 100 + np.cumsum(np.random.default_rng([11, taps]).standard_normal(n))
    h = signal.firwin(taps, 0.1, window="hann")
    np.testing.assert_array_equal(rpsd.denoise(x, method="fir", fir_taps=taps), rpsd.fir_filter(x, h))


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("axis", [0, 1, 2, -1, -2, -3])
def test_any_axis_and_order_in_memory(axis, mode):
    rng = np.random.default_rng(6)
    x, h = rng.standard_normal((11, 8, 14)), some_taps(rng, 6, "any")
    before = x.copy()
    for view in (x, x[::-1, ::2], x.transpose(2, 0, 1), np.asfortranarray(x)):
        error = worst_error(
            rpsd.fir_filter(view, h, mode, axis=axis), scipy_filter(view, h, mode, axis), scale(x, h, mode)
        )
        assert error <= F64
    np.testing.assert_array_equal(x, before)


@pytest.mark.parametrize("mode", MODES)
def test_integers_and_lists_become_float64(mode):
    expected = scipy_filter(np.array([1.0, 5.0, 2.0, 8.0]), np.array([0.5, 0.25]), mode)
    for x in ([1, 5, 2, 8], np.array([1, 5, 2, 8], np.int16)):
        np.testing.assert_allclose(rpsd.fir_filter(x, [0.5, 0.25], mode), expected, rtol=1e-12)


@pytest.mark.parametrize("mode", MODES)
def test_empty_series(mode):
    assert rpsd.fir_filter(np.empty(0), [1.0, 2.0], mode).shape == (0,)
    assert rpsd.fir_filter(np.empty((3, 0), np.float32), [1.0, 2.0], mode).dtype == np.float32
    assert rpsd.fir_filter(np.empty((0, 3)), [1.0, 2.0], mode).shape == (0, 3)


@given(st.integers(1, 60), st.integers(1, 200), st.sampled_from(MODES), st.integers(0, 2**32 - 1))
def test_filter_is_linear(taps, n, mode, seed):
    rng = np.random.default_rng(seed)
    h, (x, y) = some_taps(rng, taps, "any"), rng.standard_normal((2, n))
    both = rpsd.fir_filter(x + 3 * y, h, mode)
    parts = rpsd.fir_filter(x, h, mode) + 3 * rpsd.fir_filter(y, h, mode)
    assert worst_error(both, parts, scale(x, h, mode) + 3 * scale(y, h, mode)) <= F64


@given(st.integers(1, 60), st.integers(1, 200), st.integers(0, 2**32 - 1))
def test_zero_phase_keeps_straight_lines(taps, n, seed):
    h = np.random.default_rng(seed).random(taps)
    h = (h + h[::-1]) / np.sum(h) / 2
    line = 3 - 0.5 * np.arange(n)
    # Odd extension goes on along the line; only the steady states outside, beyond a short series, do not.
    if n > 3 * taps:
        assert worst_error(rpsd.fir_filter(line, h), line) <= 1e-11
    np.testing.assert_allclose(rpsd.fir_filter(np.full(n, 7.0), h), 7.0, rtol=1e-12)


REFUSED = [
    ({"taps": []}, "taps must have at least one value, got none"),
    ({"taps": [[1.0, 2.0]]}, r"taps must be one-dimensional, got shape \(1, 2\)"),
    ({"taps": 3}, "taps must be one-dimensional, got the scalar 3.0; one tap is a list of one"),
    ({"taps": np.float32(0.5)}, "taps must be one-dimensional, got the scalar 0.5; one tap"),
    ({"taps": [1.0, np.nan]}, "taps must be finite in the precision of x, got nan"),
    ({"taps": ["a"]}, "taps must be"),
    ({"mode": "full"}, "mode must be .*zero_phase.*causal.*same.* got .full."),
    ({"axis": 1}, "axis must be an integer from -1 to 0 .* got 1"),
    ({"threads": -1}, "threads must be an integer from 0 .* got -1"),
    ({"x": np.float64(1)}, "x must have at least one dimension"),
    ({"x": np.array(["a"])}, "x must be float32, float64 or integers, got dtype <U1"),
    ({"x": np.ones(3) * 1j}, "x must be float32, float64 or integers, got dtype complex128"),
]


@pytest.mark.parametrize(("arguments", "message"), REFUSED, ids=range(len(REFUSED)))
def test_bad_arguments(arguments, message):
    with pytest.raises(rpsd.InputError, match=message):
        rpsd.fir_filter(**{"x": np.ones(5), "taps": [1.0], **arguments})


def test_mode_of_another_type():
    with pytest.raises(rpsd.InputError, match="mode must be one of zero_phase, causal, same, got 3"):
        rpsd.fir_filter([1.0, 2.0], [1.0], 3)


@pytest.mark.parametrize("bad", [np.nan, np.inf, 1e306])
@pytest.mark.parametrize("mode", ["zero_phase", "causal", "same"])
def test_a_bad_sample_reaches_no_farther_than_the_taps(mode, bad):
    """Also where others of the same length are filtered by transforms, which mix all samples of a block."""
    x = np.random.default_rng(8).standard_normal(20_000)
    taps = np.hanning(101) / 50
    good = rpsd.fir_filter(x, taps, mode=mode)
    x[7_000] = bad
    touched = np.abs(rpsd.fir_filter(x, taps, mode=mode) - good) > 1e-12
    changed = np.flatnonzero(touched | ~np.isfinite(rpsd.fir_filter(x, taps, mode=mode)))
    before, after = {"zero_phase": (100, 100), "causal": (0, 100), "same": (50, 50)}[mode]
    assert 7_000 - before <= changed.min() < changed.max() <= 7_000 + after


def test_many_taps_in_single_precision():
    x = (100 + np.random.default_rng(0).standard_normal(20_000).cumsum() / 10).astype(np.float32)
    taps = np.ones(5000) / 5000
    for mode in ("causal", "same"):
        exact = rpsd.fir_filter(x.astype(np.float64), taps, mode=mode)
        assert np.abs(rpsd.fir_filter(x, taps, mode=mode) - exact).max() <= 1e-6 * np.abs(exact).max()


@pytest.mark.parametrize("n", [700, 4000, 5000])
def test_many_taps_on_fewer_samples_in_single_precision(n):
    x = (100 + np.random.default_rng(0).standard_normal(n).cumsum() / 10).astype(np.float32)
    taps = np.ones(5000) / 5000
    exact = scipy_filter(x.astype(np.float64), taps, "zero_phase")
    assert np.abs(rpsd.fir_filter(x, taps) - exact).max() <= 1e-6 * np.abs(exact).max()


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("mode", ["zero_phase", "same"])
def test_the_rounding_of_a_spike_stays_with_it(mode, dtype):
    x = np.random.default_rng(1).standard_normal(20_000).astype(dtype)
    taps = np.hanning(103)[1:-1] / 51
    clean = rpsd.fir_filter(x, taps, mode=mode)
    x[10_000] = 1e12
    far = np.abs(np.arange(20_000) - 10_000) > 101
    bound = 1e-12 if dtype == np.float64 else 1e-5
    np.testing.assert_allclose(rpsd.fir_filter(x, taps, mode=mode)[far], clean[far], rtol=0, atol=bound)


@pytest.mark.parametrize("mode", ["zero_phase", "same"])
def test_prices_whose_transform_would_leave_single_precision(mode):
    x = (1e36 + 1e33 * np.random.default_rng(9).standard_normal(20_000).cumsum()).astype(np.float32)
    taps = np.hanning(103)[1:-1] / 51
    exact = rpsd.fir_filter(x.astype(np.float64), taps, mode=mode)
    assert np.abs(rpsd.fir_filter(x, taps, mode=mode) - exact).max() <= 1e-6 * np.abs(exact).max()


def test_taps_beyond_single_precision():
    with pytest.raises(rpsd.InputError, match="taps must be finite in the precision of x"):
        rpsd.fir_filter(np.ones(5, np.float32), [1e39], mode="causal")
