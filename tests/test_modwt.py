# SPDX-License-Identifier: MIT
"""The maximal overlap transform: by its definition, beside PyWavelets, and back."""

import numpy as np
import pandas as pd
import pytest
import pywt
from reference import modwt as twin

import rpsd

WAVELETS = pywt.wavelist(kind="discrete")
ORTHOGONAL = [name for name in WAVELETS if pywt.Wavelet(name).orthogonal]
BOUNDARIES = ("periodic", "symmetric")
SOME = ("haar", "db4", "sym5", "coif3", "db20", "bior2.4", "rbio3.1")


def series(n, seed=3):
    return np.random.default_rng([seed, n]).standard_normal(n)


def bank_error(name):
    """How far PyWavelets' taps are from perfect reconstruction: it bounds what any inverse can do."""
    wavelet = pywt.Wavelet(name)
    product = np.convolve(wavelet.dec_lo, wavelet.rec_lo) + np.convolve(wavelet.dec_hi, wavelet.rec_hi)
    product[wavelet.dec_len - 1] -= 2
    return np.abs(product).sum() / 2


@pytest.mark.parametrize("boundary", BOUNDARIES)
@pytest.mark.parametrize("wavelet", SOME)
def test_definition(wavelet, boundary):
    bank = pywt.Wavelet(wavelet).filter_bank
    for n in (1, 2, 3, 7, 16, 45, 300):
        x = series(n)
        for level in (0, 1, 2, 5):
            expected = getattr(twin, boundary)(x, bank, level)
            found = rpsd.modwt(x, wavelet, level, boundary)
            assert found.shape == (level + 1, n)
            np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12 * max(1, np.abs(expected).max()))
            single = rpsd.modwt(x.astype(np.float32), wavelet, level, boundary)
            assert single.dtype == np.float32
            np.testing.assert_allclose(single, expected, rtol=0, atol=2e-5 * max(1, np.abs(expected).max()))


@pytest.mark.parametrize("wavelet", ["haar", "db4", "sym8", "coif2", "bior4.4"])
def test_every_other_coefficient_is_the_decimated_transform(wavelet):
    """Percival & Walden (2000), chapter 5: the DWT's are among them, times 2^(j/2)."""
    n, level = 320, 4
    x = series(n)
    coeffs = rpsd.modwt(x, wavelet, level, "periodic")
    decimated = pywt.wavedec(x, wavelet, "periodization", level)
    half = pywt.Wavelet(wavelet).dec_len // 2
    for row, other, j in zip(coeffs, decimated, [level, *range(level, 0, -1)], strict=True):
        places = 2**j * np.arange(n // 2**j) + half * (2**j - 1)
        np.testing.assert_allclose(
            2 ** (j / 2) * row[places % n], other, rtol=0, atol=1e-12 * np.abs(other).max()
        )


@pytest.mark.parametrize("wavelet", ["haar", "db4", "sym8", "coif2", "db11"])
def test_stationary_transform_of_pywavelets(wavelet):
    """It is the same but for a shift at each level, to the filters' middle."""
    level, n = 4, 16 * 20
    x = series(n)
    stationary = pywt.swt(x, wavelet, level, norm=True, trim_approx=True)
    found = rpsd.modwt(x, wavelet, level, "periodic")
    half = pywt.Wavelet(wavelet).dec_len // 2
    for row, other, j in zip(found, stationary, [level, *range(level, 0, -1)], strict=True):
        expected = np.roll(other, half * (2**j - 1))
        np.testing.assert_allclose(row, expected, rtol=0, atol=1e-12 * np.abs(expected).max())


@pytest.mark.parametrize("boundary", BOUNDARIES)
@pytest.mark.parametrize("wavelet", WAVELETS)
def test_perfect_reconstruction(wavelet, boundary):
    tolerance = 1e-12 + 12 * bank_error(wavelet)
    for n in [*range(1, 65), 1000]:
        x = series(n)
        for level in (1, 2, 3, 6) if n < 65 else (1, 4):
            back = rpsd.imodwt(rpsd.modwt(x, wavelet, level, boundary), wavelet, boundary)
            assert np.abs(back - x).max() <= tolerance * np.abs(x).max(), (n, level)


@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_reconstruction_of_long_series_and_deep_levels(boundary):
    for n, wavelet, level in ((20_011, "db4", 6), (3000, "sym8", 9), (50, "haar", 64), (2**16, "haar", 8)):
        x = 100 + np.cumsum(series(n))
        back = rpsd.imodwt(rpsd.modwt(x, wavelet, level, boundary), wavelet, boundary)
        np.testing.assert_allclose(back, x, rtol=1e-12, atol=0)


@pytest.mark.parametrize("unit", [1e-290, 1e290])
def test_reconstruction_in_any_unit(unit):
    x = unit * series(200)
    for boundary in BOUNDARIES:
        np.testing.assert_allclose(
            rpsd.imodwt(rpsd.modwt(x, "db4", 3, boundary), "db4", boundary), x, rtol=0, atol=1e-11 * unit
        )


@pytest.mark.parametrize("wavelet", ["haar", "db4", "sym5", "coif1", "db10"])
def test_inverse_of_other_coefficients_is_least_squares(wavelet):
    """For an orthogonal wavelet, at the ends and away from them, whatever the length."""
    bank = pywt.Wavelet(wavelet).filter_bank
    for n, level in ((1, 2), (9, 1), (40, 2), (90, 3), (300, 2)):
        coeffs = np.random.default_rng(n).standard_normal((level + 1, n))
        expected = twin.inverse_symmetric(coeffs, bank)
        np.testing.assert_allclose(rpsd.imodwt(coeffs, wavelet), expected, rtol=0, atol=1e-9)
        np.testing.assert_allclose(
            rpsd.imodwt(coeffs, wavelet, "periodic"), twin.inverse_periodic(coeffs, bank), rtol=0, atol=1e-12
        )


@pytest.mark.parametrize("wavelet", ["haar", "db4", "db16", "coif4", "sym13"])
def test_energy_is_kept(wavelet):
    for n in (1, 5, 100, 1001):
        x = series(n)
        coeffs = rpsd.modwt(x, wavelet, 5, "periodic")
        assert np.sum(coeffs**2) == pytest.approx(np.sum(x**2), rel=1e-11)


@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_multiresolution_analysis_adds_up(boundary):
    """The series is the sum of what each row gives by itself: Percival & Walden (2000), chapter 5."""
    x = 100 + np.cumsum(series(777))
    coeffs = rpsd.modwt(x, "sym8", 4, boundary)
    parts = [rpsd.imodwt(coeffs * (np.arange(5) == k)[:, None], "sym8", boundary) for k in range(len(coeffs))]
    np.testing.assert_allclose(sum(parts), x, rtol=1e-12, atol=0)


def test_shift():
    x = series(123)
    shifted = rpsd.modwt(np.roll(x, 17), "db3", 4, "periodic")
    np.testing.assert_array_equal(shifted, np.roll(rpsd.modwt(x, "db3", 4, "periodic"), 17, axis=-1))


@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_constant(boundary):
    coeffs = rpsd.modwt(np.full(50, 7.0), "db4", 3, boundary)
    np.testing.assert_allclose(coeffs[0], 7, rtol=1e-11)
    np.testing.assert_allclose(coeffs[1:], 0, atol=1e-9)


@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_layouts(boundary):
    x = series(6 * 80).reshape(2, 3, 80)
    coeffs = rpsd.modwt(x, "db4", 2, boundary)
    assert coeffs.shape == (2, 3, 3, 80)
    one_by_one = [rpsd.modwt(row, "db4", 2, boundary) for row in x.reshape(6, 80)]
    np.testing.assert_array_equal(coeffs.reshape(6, 3, 80), one_by_one)
    back = rpsd.imodwt(coeffs, "db4", boundary)
    assert back.shape == x.shape
    np.testing.assert_array_equal(back[1, 2], rpsd.imodwt(one_by_one[5], "db4", boundary))
    np.testing.assert_array_equal(rpsd.modwt(x[..., ::2], "db4", 2), rpsd.modwt(x[..., ::2].copy(), "db4", 2))
    frame = pd.DataFrame(x[0].T)
    np.testing.assert_array_equal(rpsd.modwt(frame, "db4", 2, boundary), coeffs[0])
    mixed = pd.DataFrame({"a": x[0, 0], "b": x[0, 1].astype(np.float32), "c": x[0, 2]})
    np.testing.assert_array_equal(rpsd.modwt(mixed, "db4", 2, boundary)[[0, 2]], coeffs[0][[0, 2]])
    integers = np.arange(30) ** 2 % 17
    np.testing.assert_array_equal(
        rpsd.modwt(integers, pywt.Wavelet("db4"), 2), rpsd.modwt(integers * 1.0, "db4", 2)
    )
    kept = x.copy()
    rpsd.modwt(x, "db4", 2, boundary)
    np.testing.assert_array_equal(x, kept)


def test_nan_spreads_as_far_as_the_filters():
    x = series(100)
    x[50] = np.nan
    coeffs = rpsd.modwt(x, "haar", 2, "periodic")
    assert [np.flatnonzero(np.isnan(row)).tolist() for row in coeffs] == [
        [50, 51, 52, 53], [50, 51, 52, 53], [50, 51]
    ]  # fmt: skip


BAD = {
    "no samples": (lambda: rpsd.modwt([], "db4", 2), "x must have at least one sample"),
    "scalar": (lambda: rpsd.modwt(1.0, "db4", 2), "x must have at least one dimension"),
    "text": (lambda: rpsd.modwt(["a"], "db4", 2), "x must be float32, float64 or integers"),
    "complex": (lambda: rpsd.modwt([1j], "db4", 2), "x must be float32, float64 or integers"),
    "wavelet": (lambda: rpsd.modwt([1.0], "morl", 2), "wavelet must be a discrete wavelet"),
    "level": (lambda: rpsd.modwt([1.0], "db4", -1), "level must be an integer from 0 to 64, got -1"),
    "level type": (lambda: rpsd.modwt([1.0], "db4", 2.5), "level must be an integer from 0 to 64, got 2.5"),
    "bool level": (lambda: rpsd.modwt([1.0], "db4", True), "level must be an integer from 0 to 64, got True"),
    "boundary": (lambda: rpsd.modwt([1.0], "db4", 2, "zero"), "boundary must be one of symmetric, periodic"),
    "shape": (lambda: rpsd.imodwt([1.0], "db4"), r"coeffs must have shape \(\.\.\., level \+ 1, n\)"),
    "empty": (lambda: rpsd.imodwt(np.empty((3, 0)), "db4"), r"coeffs must have shape .* got \(3, 0\)"),
    "inf": (lambda: rpsd.imodwt([[np.inf], [0.0]], "db4"), "coeffs must be finite"),
    "inverse's boundary": (lambda: rpsd.imodwt([[1.0]], "db4", 3), "boundary must be one of"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input(case):
    call, message = BAD[case]
    with pytest.raises(rpsd.InputError, match=message):
        call()
