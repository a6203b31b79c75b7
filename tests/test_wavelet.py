# SPDX-License-Identifier: MIT
"""wavedec and waverec give PyWavelets' numbers: every wavelet, boundary mode, length and axis."""

import numpy as np
import pytest
import pywt
from hypothesis import given
from hypothesis import strategies as st
from reference import dwt, extension
from reference.agreement import worst_error

import rpsd

WAVELETS = pywt.wavelist(kind="discrete")
MODES = extension.MODES
#: One of each kind: shortest, the default, near-symmetric, zero taps, unequal lengths, longest.
SOME_WAVELETS = ("haar", "db4", "sym5", "bior2.4", "rbio3.9", "coif2", "dmey", "db38")
F64, F32 = 1e-12, 1e-5

pytestmark = pytest.mark.filterwarnings("ignore:Level value of:UserWarning")


def cannot_reflect(n, wavelet, mode, level):
    """Whether some level has a single sample, which PyWavelets refuses to reflect."""
    if mode not in ("reflect", "antireflect"):
        return False
    taps, inputs = pywt.Wavelet(wavelet).dec_len, [n]
    for _ in range(level - 1):
        inputs.append((inputs[-1] + taps - 1) // 2)
    return 1 in inputs


def check(x, wavelet, mode, level=None, axis=-1):
    """Compare both directions with PyWavelets."""
    expected = pywt.wavedec(x, wavelet, mode, level, axis)
    actual = rpsd.wavedec(x, wavelet, mode, level, axis)
    single = x.dtype in (np.float32, np.complex64)
    close = worst_error(actual, expected) <= (F32 if single else F64)
    assert close or (single and no_worse(actual, expected, x, wavelet, mode, level, axis)), (
        f"{wavelet} {mode} shape {x.shape} level {level} axis {axis}: {worst_error(actual, expected):.2g}"
    )
    size = max(np.abs(c).max(initial=0) for c in expected)
    back = rpsd.waverec(expected, wavelet, mode, axis)
    wanted = pywt.waverec(expected, wavelet, mode, axis)
    assert worst_error(back, wanted, size) <= (F32 if single else F64), (wavelet, mode, x.shape, level, axis)


def no_worse(actual, expected, x, wavelet, mode, level, axis):
    """Whether single precision is about as far from the truth as PyWavelets' own.

    The smooth extension of 70 and more taps multiplies rounding so much that neither need be within 1e-5.
    """
    truth = pywt.wavedec(x.astype(np.result_type(x, np.float64)), wavelet, mode, level, axis)
    ours, theirs = (
        worst_error([c.astype(t.dtype) for c, t in zip(cs, truth, strict=True)], truth)
        for cs in (actual, expected)
    )
    return ours <= 2 * theirs


def check_lengths(wavelet, lengths, dtype=np.float64):
    """Compare at PyWavelets' own depth, but at least one level; odd lengths go one level too deep."""
    x = np.random.default_rng(1).standard_normal(max(lengths)).astype(dtype)
    taps = pywt.Wavelet(wavelet).dec_len
    for mode in MODES:
        for n in lengths:
            level = max(1, pywt.dwt_max_level(n, taps)) + n % 2
            if not cannot_reflect(n, wavelet, mode, level):
                check(x[:n], wavelet, mode, level)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("wavelet", ["haar", "db4", "bior2.4", "dmey"])
def test_long_series_in_tiles(wavelet, mode):
    """The core cuts these into tiles of some thousand samples: their seams and both ends must not show."""
    x = np.random.default_rng(3).standard_normal(50_001).cumsum()
    for n, level in ((50_001, 1), (50_000, 3), (30_011, 4), (49_998, 6)):
        check(x[:n], wavelet, mode, level)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("wavelet", SOME_WAVELETS)
def test_twin_agrees_with_pywavelets(wavelet, mode):
    bank = pywt.Wavelet(wavelet).filter_bank
    rng = np.random.default_rng(2)
    for n in (2, 3, 4, 5, 7, 8, 11, 16, 21, 33):
        x = rng.standard_normal((2, n))
        level = 2 if n > 2 else 1
        expected = pywt.wavedec(x, wavelet, mode, level)
        assert worst_error(dwt.wavedec(x, bank, mode, level), expected) <= F64
        size = max(np.abs(c).max() for c in expected)
        assert (
            worst_error(dwt.waverec(expected, bank, mode), pywt.waverec(expected, wavelet, mode), size) <= F64
        )


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("wavelet", SOME_WAVELETS)
def test_agrees_with_twin(wavelet, mode):
    bank = pywt.Wavelet(wavelet).filter_bank
    rng = np.random.default_rng(3)
    for n in (2, 3, 6, 9, 30, 61):
        x = rng.standard_normal((3, n))
        for level in (0, 1, 4):
            if cannot_reflect(n, wavelet, mode, level):
                continue
            expected = dwt.wavedec(x, bank, mode, level)
            assert worst_error(rpsd.wavedec(x, wavelet, mode, level), expected) <= F64
        size = max(np.abs(c).max() for c in expected)
        back = dwt.waverec(expected, bank, mode)
        assert worst_error(rpsd.waverec(expected, wavelet, mode), back, size) <= F64


@pytest.mark.parametrize("wavelet", SOME_WAVELETS)
def test_every_mode_and_length_to_200(wavelet):
    check_lengths(wavelet, [*range(1, 201), 1000])


@pytest.mark.parametrize("wavelet", WAVELETS)
def test_every_wavelet_and_mode(wavelet):
    """Short series, some of all lengths, and those about which the extension and the depth turn."""
    taps = pywt.Wavelet(wavelet).dec_len
    turns = {k * taps + d for k in (1, 2) for d in (-1, 0, 1)}
    check_lengths(wavelet, sorted({*range(1, 12), *range(12, 201, 9), *turns, 1000}))


@pytest.mark.slow
@pytest.mark.parametrize("wavelet", WAVELETS)
def test_every_wavelet_mode_and_length_to_200(wavelet):
    check_lengths(wavelet, range(1, 201))


@pytest.mark.parametrize("wavelet", ["haar", "db4", "bior3.5", "dmey"])
def test_long_series(wavelet):
    check_lengths(wavelet, [4097, 65536])


@pytest.mark.slow
@pytest.mark.parametrize("wavelet", WAVELETS)
def test_long_series_of_every_wavelet(wavelet):
    check_lengths(wavelet, [1000, 4097, 65536])


@pytest.mark.parametrize("wavelet", SOME_WAVELETS)
def test_float32(wavelet):
    check_lengths(wavelet, [*range(1, 40), 100, 1000, 4097], np.float32)


@pytest.mark.slow
@pytest.mark.parametrize("wavelet", WAVELETS)
def test_float32_of_every_wavelet(wavelet):
    check_lengths(wavelet, [*range(1, 201), 1000, 4097], np.float32)


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.complex64, np.complex128])
@pytest.mark.parametrize("axis", [0, 1, 2, -1, -2, -3])
def test_any_axis(axis, dtype):
    rng = np.random.default_rng(4)
    x = rng.standard_normal((37, 21, 18)).astype(dtype)
    if x.dtype.kind == "c":
        x += (1j * rng.standard_normal(x.shape)).astype(dtype)
    for mode in MODES:
        check(x, "db3", mode, 2, axis)
        check(x.transpose(1, 2, 0)[::-1, ::2], "sym4", mode, 1, axis)
    assert all(c.flags.c_contiguous and c.flags.writeable for c in rpsd.wavedec(x, "db3", axis=axis))


@pytest.mark.parametrize("mode", MODES)
def test_far_more_levels_than_the_length_has(mode):
    x = np.random.default_rng(5).standard_normal(9)
    check(x, "db2", mode, 20)
    check(x, "dmey", mode, 6)


@pytest.mark.parametrize("wavelet", SOME_WAVELETS)
def test_nan_and_inf_reach_as_far_as_the_filter(wavelet):
    for bad in (np.nan, np.inf):
        for n, position in ((1, 0), (40, 0), (40, 21), (41, 40), (150, 74)):
            x = np.random.default_rng(6).standard_normal(n)
            x[position] = bad
            for mode in MODES:
                if cannot_reflect(n, wavelet, mode, 1):
                    continue
                expected, actual = (m.wavedec(x, wavelet, mode, 1) for m in (pywt, rpsd))
                for a, e in zip(actual, expected, strict=True):
                    np.testing.assert_array_equal(
                        np.isfinite(a), np.isfinite(e), (wavelet, mode, n, position)
                    )


@pytest.mark.parametrize("taps", range(1, 8))
def test_filter_bank_of_ones_own(taps):
    rng = np.random.default_rng([7, taps])
    wavelet = pywt.Wavelet("own", rng.standard_normal((4, taps)).tolist())
    for mode in MODES:
        for n in (2, 3, 8, 21):
            check(rng.standard_normal((2, n)), wavelet, mode, 1)


lengths = st.integers(1, 300)
wavelets = st.sampled_from([w for w in WAVELETS if w != "dmey"])
modes = st.sampled_from(MODES)
seeds = st.integers(0, 2**32 - 1)


@given(lengths, wavelets, modes, st.integers(1, 6), seeds)
def test_reconstruction_is_perfect(n, wavelet, mode, level, seed):
    if cannot_reflect(n, wavelet, mode, level):
        mode = "symmetric"
    x = np.random.default_rng(seed).standard_normal(n)
    coeffs = rpsd.wavedec(x, wavelet, mode, level)
    back = rpsd.waverec(coeffs, wavelet, mode)
    size = max(np.abs(c).max() for c in coeffs)
    assert len(back) in (n, n + 1)
    # Tabulated filters reconstruct to the digits of their tables: long coiflets to about nine.
    assert worst_error(back[:n], x, size) <= 1e-7


@given(st.integers(1, 6), st.sampled_from(["haar", "db4", "db12", "sym8"]), seeds)
def test_energy_is_kept_by_an_orthogonal_wavelet(exponent, wavelet, seed):
    x = np.random.default_rng(seed).standard_normal(2**exponent * 8)
    coeffs = rpsd.wavedec(x, wavelet, "periodization", 3)
    assert sum(np.sum(c**2) for c in coeffs) == pytest.approx(np.sum(x**2), rel=1e-9)


@given(lengths, wavelets, modes, seeds)
def test_transform_is_linear(n, wavelet, mode, seed):
    # Three samples at least: the shortest filters leave two for the second level, which reflection needs.
    x, y = np.random.default_rng(seed).standard_normal((2, n + 2))
    both = rpsd.wavedec(x + 3 * y, wavelet, mode, 2)
    parts = zip(rpsd.wavedec(x, wavelet, mode, 2), rpsd.wavedec(y, wavelet, mode, 2), strict=True)
    assert worst_error(both, [a + 3 * b for a, b in parts]) <= F64
