# SPDX-License-Identifier: MIT
"""The seed's chain equals PyWavelets and SciPy composed by hand, and the twin, option by option."""

import math
import warnings
from itertools import product

import numpy as np
import pytest
import pywt
from hypothesis import given
from hypothesis import strategies as st
from reference import chain, shrinkage
from reference.agreement import worst_error
from scipy import signal

import rpsd

SEED_OPTIONS = {"method": "wavelet", "wavelet": "db4", "level": 4, "threshold_mode": "bayes", "noise": "mad"}
FIR_OPTIONS = {"use_fir_filter": True, "fir_cutoff": 0.1}
SEED_TAPS = signal.firwin(101, 0.1, window="hann")
F64, F32 = 1e-10, 1e-5
BOUNDARIES = pywt.Modes.modes
RULES = ("soft", "hard", "garrote", "firm")

pytestmark = pytest.mark.filterwarnings("ignore:Level value of:UserWarning")


def prices(n, seed=1):
    """A random walk around 100 with noise on it."""
    rng = np.random.default_rng([seed, n])
    return 100 + np.cumsum(rng.standard_normal(n)) / 20 + rng.standard_normal(n) / 10


def composed(
    x,
    wavelet="db4",
    boundary="symmetric",
    level=4,
    threshold_mode="bayes",
    threshold_rule="soft",
    threshold_scale=1.0,
    noise="mad",
    taps=None,
):
    """The chain as a user of PyWavelets and SciPy would write it, for a series without NaN."""
    approximation, *details = pywt.wavedec(x, wavelet, mode=boundary, level=level)
    sigma = np.median(np.abs(details[-1])) / 0.6744897501960817 if noise in ("mad", "level") else noise
    shrunk = []
    for d in details:
        if noise == "level":
            sigma = np.median(np.abs(d)) / 0.6744897501960817
        if threshold_mode == "bayes":
            s = np.sqrt(max(np.mean(d**2) - sigma**2, 0))
            threshold = sigma**2 / s if s > 0 else np.inf
        else:
            threshold = sigma * np.sqrt(2 * np.log(len(x)))
        threshold = threshold * threshold_scale if threshold_scale > 0 else 0
        if threshold == 0:
            shrunk.append(d)
        elif np.isinf(threshold):
            shrunk.append(np.zeros_like(d))
        elif threshold_rule == "firm":
            shrunk.append(pywt.threshold_firm(d, threshold, 2 * threshold))
        else:
            shrunk.append(pywt.threshold(d, threshold, threshold_rule))
    y = pywt.waverec([approximation, *shrunk], wavelet, mode=boundary)[: len(x)]
    if taps is not None:
        y = signal.filtfilt(taps, 1, y, padlen=min(3 * len(taps), len(y) - 1))
    return y


@pytest.mark.parametrize("fir", [False, True], ids=["no fir", "fir"])
@pytest.mark.parametrize("n", [1946, 100, 4096, 10_001])
def test_the_seeds_chain(n, fir):
    x = prices(n)
    expected = composed(x, taps=SEED_TAPS if fir else None)
    actual = rpsd.Denoiser(**SEED_OPTIONS, **(FIR_OPTIONS if fir else {})).denoise(x)
    assert worst_error(actual, expected) <= F64
    twin = chain.denoise(x, pywt.Wavelet("db4").filter_bank, level=4, fir_taps=SEED_TAPS if fir else None)
    assert worst_error(actual, twin) <= F64


def test_the_wavelet_methods_defaults_are_the_seeds_chain_but_for_the_noise():
    x = prices(1000)
    assert worst_error(rpsd.denoise(x, method="wavelet", noise="mad"), composed(x)) <= F64
    assert worst_error(rpsd.denoise(x, method="wavelet"), composed(x)) > 100 * F64


OPTIONS = list(product(["bayes", "universal"], RULES, ["mad", "level", 0.07], [0.0, 0.5, 1.0, 3.0]))


@pytest.mark.parametrize(("mode", "rule", "noise", "scale"), OPTIONS)
def test_every_threshold(mode, rule, noise, scale):
    for wavelet, level, n in (("haar", 3, 257), ("db4", 4, 500), ("bior4.4", 2, 64), ("coif3", 5, 1000)):
        x = prices(n)
        options = {"threshold_mode": mode, "threshold_rule": rule, "noise": noise, "threshold_scale": scale}
        actual = rpsd.denoise(x, wavelet=wavelet, level=level, **options)
        twin = chain.denoise(x, pywt.Wavelet(wavelet).filter_bank, level=level, **options)
        assert worst_error(actual, twin) <= F64, (wavelet, level, n)
        assert worst_error(actual, composed(x, wavelet, level=level, **options)) <= F64, (wavelet, level, n)


@pytest.mark.parametrize("boundary", BOUNDARIES)
@pytest.mark.parametrize("wavelet", ["haar", "db4", "sym8", "bior2.6", "rbio3.9", "coif2", "dmey"])
def test_every_boundary(wavelet, boundary):
    for n, level in ((1000, 4), (333, 2), (37, 1), (37, 3)):
        x = prices(n)
        actual = rpsd.denoise(x, wavelet=wavelet, level=level, boundary=boundary, noise="mad")
        assert worst_error(actual, composed(x, wavelet, boundary, level)) <= F64, n


def test_a_wavelet_of_ones_own():
    bank = pywt.Wavelet("own", pywt.Wavelet("sym3").filter_bank)
    x = prices(300)
    actual = rpsd.denoise(x, wavelet=bank, level=3, noise="mad")
    assert worst_error(actual, composed(x, "sym3", level=3)) <= F64


@pytest.mark.parametrize("fir", [False, True], ids=["no fir", "fir"])
@pytest.mark.parametrize("wavelet", ["haar", "db4", "sym20"])
def test_every_length_with_the_depth_that_fits(wavelet, fir):
    bank = pywt.Wavelet(wavelet).filter_bank
    options = {"use_fir_filter": True, "fir_taps": 15, "fir_cutoff": 0.3} if fir else {}
    taps = signal.firwin(15, 0.3, window="hann") if fir else None
    for n in range(131):
        x = prices(n)
        actual = rpsd.denoise(x, wavelet=wavelet, noise="mad", **options)
        assert worst_error(actual, chain.denoise(x, bank, fir_taps=taps)) <= F64, n


@pytest.mark.parametrize("n", [1, 2, 3, 5, 12])
def test_more_levels_than_the_length_has(n):
    x = prices(n)
    for level in (1, 4, 9):
        actual = rpsd.denoise(x, level=level, noise="mad")
        assert worst_error(actual, composed(x, level=level)) <= F64


@pytest.mark.parametrize("window", ["hann", "hamming", "boxcar"])
@pytest.mark.parametrize(("taps", "cutoff"), [(1, 0.5), (5, 0.02), (64, 0.9), (101, 0.1), (301, 0.05)])
def test_fir_design_and_order(taps, cutoff, window):
    designed = signal.firwin(taps, cutoff, window=window)
    options = {"use_fir_filter": True, "fir_taps": taps, "fir_cutoff": cutoff, "fir_window": window}
    for n in (20, 301, 900):
        x = prices(n)
        actual = rpsd.denoise(x, level=2, noise="mad", **options)
        twin = chain.denoise(x, pywt.Wavelet("db4").filter_bank, level=2, fir_taps=designed)
        assert worst_error(actual, twin) <= F64
        only_fir = rpsd.denoise(x, threshold_mode="none", **options)
        twin = chain.denoise(x, pywt.Wavelet("db4").filter_bank, threshold_mode="none", fir_taps=designed)
        assert worst_error(only_fir, twin) <= F64


def test_method_fir_is_the_filter_alone():
    x = prices(500)
    expected = rpsd.fir_filter(x, SEED_TAPS)
    np.testing.assert_array_equal(rpsd.denoise(x, method="fir"), expected)


def missing_patterns(n):
    rng = np.random.default_rng(3)
    yield "scattered", rng.random(n) < 0.2
    yield "ends", (np.arange(n) < 7) | (np.arange(n) > n - 5)
    yield "one long gap", (np.arange(n) > n // 3) & (np.arange(n) < n // 2)
    yield "all but one", np.arange(n) != n // 2
    yield "all", np.ones(n, bool)


@pytest.mark.parametrize("space", ["price", "log"])
@pytest.mark.parametrize("fir", [False, True], ids=["no fir", "fir"])
def test_missing_samples_and_log_space(space, fir):
    for n in (60, 601):
        for what, missing in [("none", np.zeros(n, bool)), *missing_patterns(n)]:
            x = np.where(missing, np.nan, prices(n))
            before = x.copy()
            actual = rpsd.denoise(x, space=space, level=3, noise="mad", **(FIR_OPTIONS if fir else {}))
            twin = chain.denoise(
                x, pywt.Wavelet("db4").filter_bank, level=3, space=space, fir_taps=SEED_TAPS if fir else None
            )
            assert worst_error(actual, twin) <= F64, what
            np.testing.assert_array_equal(np.isnan(actual), missing, what)
            np.testing.assert_array_equal(x, before)


def test_interpolation_written_out():
    x = np.array([np.nan, 2.0, np.nan, np.nan, 8.0, 3.0, np.nan])
    by_hand = np.array([2.0, 2.0, 4.0, 6.0, 8.0, 3.0, 3.0])
    expected = np.where(np.isnan(x), np.nan, composed(by_hand, "haar", level=2))
    assert worst_error(rpsd.denoise(x, wavelet="haar", level=2, noise="mad"), expected) <= F64


def test_float32():
    for n in (50, 1946, 10_001):
        x = prices(n).astype(np.float32)
        for options in ({}, FIR_OPTIONS, {"threshold_rule": "firm"}, {"threshold_mode": "universal"}):
            single = rpsd.denoise(x, level=4, noise="mad", **options)
            double = rpsd.denoise(x.astype(float), level=4, noise="mad", **options)
            assert single.dtype == np.float32
            assert worst_error(single, double.astype(np.float32)) <= F32


def test_what_a_run_reports():
    x = np.stack([prices(700, seed) for seed in range(3)])
    x[1, 5:9] = np.nan
    result = rpsd.Denoiser(**SEED_OPTIONS).run(x)
    filled = np.where(np.isnan(x), np.nan, x)
    filled[1] = np.interp(np.arange(700), np.flatnonzero(~np.isnan(x[1])), x[1][~np.isnan(x[1])])
    sigma = [shrinkage.mad(pywt.wavedec(row, "db4", level=4)[-1]) for row in filled]
    np.testing.assert_allclose(result.noise.noise_sd, sigma, rtol=1e-10)
    assert result.missing.tolist() == [0, 4, 0]
    assert result.level.tolist() == [4, 4, 4]
    assert result.lookahead is None
    np.testing.assert_array_equal(result.values, rpsd.denoise(x, method="wavelet", noise="mad"))


@pytest.mark.parametrize("scale", [1e-150, 1e-30, 1e30, 1e150])
def test_the_unit_of_the_price_does_not_matter(scale):
    x = prices(400)
    options = {"level": 4, "noise": "mad", **FIR_OPTIONS}
    assert worst_error(rpsd.denoise(x * scale, **options) / scale, rpsd.denoise(x, **options)) <= F64


@pytest.mark.parametrize("rule", RULES)
def test_constant_series_come_back(rule):
    for n in (1, 2, 30, 500):
        x = np.full(n, 101.37)
        for options in ({}, FIR_OPTIONS, {"threshold_mode": "universal"}, {"space": "log"}):
            for noise in ("mad", "price"):
                y = rpsd.denoise(x, threshold_rule=rule, noise=noise, **options)
                np.testing.assert_allclose(y, x, rtol=1e-12)


def test_details_without_signal_are_zeroed():
    # One level of Haar on +-1: every detail is sqrt 2, so s = 0 and only the pairs' means are left.
    x = np.tile([1.0, -1.0], 8)
    for rule in RULES:
        np.testing.assert_allclose(
            rpsd.denoise(x, wavelet="haar", level=1, threshold_rule=rule, noise="mad"),
            np.zeros(16),
            atol=1e-15,
        )


def test_universal_threshold_written_out():
    x = np.array([4.0, 0.0, 2.0, 2.0])
    d = np.array([4.0, 0.0]) / math.sqrt(2)
    threshold = np.median(d) / 0.6744897501960817 * math.sqrt(2 * math.log(4))
    kept = max(d[0] - threshold, 0) / math.sqrt(2)
    actual = rpsd.denoise(x, wavelet="haar", level=1, threshold_mode="universal", noise="mad")
    np.testing.assert_allclose(actual, [2 + kept, 2 - kept, 2, 2], rtol=1e-14)


options_drawn = st.fixed_dictionaries(
    {
        "boundary": st.sampled_from(BOUNDARIES),
        "level": st.one_of(st.just("auto"), st.integers(0, 6)),
        "threshold_mode": st.sampled_from(["bayes", "universal", "none"]),
        "threshold_rule": st.sampled_from(RULES),
        "threshold_scale": st.floats(0, 5),
        "noise": st.one_of(st.sampled_from(["mad", "level"]), st.floats(1e-3, 10)),
        "space": st.sampled_from(["price", "log"]),
    }
)
drawn_wavelets = st.sampled_from(["haar", "db2", "db4", "db10", "sym5", "bior2.4", "rbio1.5", "coif1"])


@given(st.integers(2, 400), drawn_wavelets, options_drawn, st.integers(0, 2**32 - 1))
def test_any_options_agree_with_the_twin(n, wavelet, options, seed):
    x = prices(n, seed)
    x[np.random.default_rng(seed).random(n) < 0.1] = np.nan
    twin = chain.denoise(x, pywt.Wavelet(wavelet).filter_bank, **options)
    if options["threshold_mode"] == "none":
        del options["threshold_rule"]  # of no use there, which would be told
    # The scale of what is extended: smooth and antireflect can leave the range of the series far behind.
    assert worst_error(rpsd.denoise(x, wavelet=wavelet, **options), twin, scale=200) <= F64


@pytest.mark.filterwarnings("default:Level value of:UserWarning")
def test_an_explicit_level_beyond_the_length_warns_and_computes():
    x = prices(37)
    with pytest.warns(UserWarning, match="Level value of 4 is too high"):
        actual = rpsd.denoise(x, level=4, noise="mad")
    assert worst_error(actual, composed(x)) <= F64
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        rpsd.denoise(x, level="auto")
        rpsd.denoise(x, level=2)


@pytest.mark.parametrize(
    "options",
    [
        {"method": "wavelet"},
        {"method": "wavelet", "transform": "modwt", "use_fir_filter": True},
        {"method": "fir"},
    ],
    ids=str,
)
def test_what_no_smoother_could_gain_leaves_the_series(options):
    near_clean, noisy = (rpsd.simulate("a", 2048, 1, nsr=nsr).noisy for nsr in (0.1, 1.0))
    careful = rpsd.Denoiser(min_gain_db=0.1, **options)
    left = careful.run(near_clean)
    assert (left.action, left.level, left.noise.predicted_gain_db) == ("passthrough", 0, 0.0)
    np.testing.assert_array_equal(left.values, near_clean)
    done = careful.run(noisy)
    assert done.action == "denoised"
    np.testing.assert_array_equal(done.values, rpsd.denoise(noisy, **options))
    assert done.noise.predicted_gain_db == rpsd.estimate_noise(noisy).predicted_gain_db
    assert rpsd.Denoiser(min_gain_db=20, **options).run(noisy).action == "passthrough"
