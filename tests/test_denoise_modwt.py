# SPDX-License-Identifier: MIT
"""The translation-invariant chain: by its definition, and as the average of the decimated one over shifts."""

from itertools import product

import bits
import numpy as np
import pytest
import pywt
from reference import modwt as twin

import rpsd
from rpsd import _core

QUARTILE = 0.6744897501960817
BOUNDARIES = ("periodic", "symmetric")
RULES = ("soft", "hard", "garrote", "firm")

pytestmark = pytest.mark.filterwarnings("ignore:Level value of:UserWarning")


def prices(n, seed=1):
    rng = np.random.default_rng([seed, n])
    return 100 + np.cumsum(rng.standard_normal(n)) / 20 + rng.standard_normal(n) / 10


def shrunk(d, t, rule):
    if rule in ("soft", "hard", "garrote"):
        return (
            np.zeros_like(d) if np.isinf(t) else pywt.threshold(d, t, {"garrote": "garrote"}.get(rule, rule))
        )
    return np.zeros_like(d) if np.isinf(t) else pywt.threshold_firm(d, t, 2 * t)


def composed(x, wavelet, level, boundary, mode="bayes", noise="mad", rule="soft", scale=1.0):
    """The chain on the twin; symmetric is the periodic one on the series and its mirror, with thresholds
    from the coefficients that modwt returns."""
    bank = pywt.Wavelet(wavelet).filter_bank
    kept = getattr(twin, boundary)(x, bank, level)
    coeffs = kept if boundary == "periodic" else twin.periodic(np.concatenate([x, x[::-1]]), bank, level)
    coeffs = coeffs.copy()
    given = noise if isinstance(noise, float) else np.sqrt(2) * np.median(np.abs(kept[-1])) / QUARTILE
    for j in range(1, level + 1):
        sigma = np.median(np.abs(kept[-j])) / QUARTILE if noise == "level" else given / 2 ** (j / 2)
        if mode == "bayes":
            variance = max(np.mean(kept[-j] ** 2) - sigma**2, 0)
            t = sigma**2 / np.sqrt(variance) if variance > 0 else np.inf
        else:
            t = sigma * np.sqrt(2 * np.log(len(x)))
        coeffs[-j] = shrunk(coeffs[-j], t * scale, rule)
    return twin.inverse_periodic(coeffs, bank)[: len(x)]


@pytest.mark.parametrize("boundary", BOUNDARIES)
@pytest.mark.parametrize("n", [3, 7, 50, 104, 105, 106, 300, 4095, 4096, 4097, 9000])
def test_definition(n, boundary):
    x = prices(n)
    for mode, noise, level in product(("bayes", "universal"), ("mad", "level", 0.1), (1, 4, 6)):
        options = {"wavelet": "db4", "level": level, "threshold_mode": mode, "noise": noise}
        found = rpsd.denoise(x, transform="modwt", boundary=boundary, **options)
        expected = composed(x, "db4", level, boundary, mode, noise)
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-10, err_msg=f"{mode} {noise} {level}")


@pytest.mark.parametrize("boundary", BOUNDARIES)
@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("wavelet", ["haar", "sym8", "db20", "bior2.4"])
def test_rules_and_wavelets(wavelet, rule, boundary):
    for n in (40, 1000, 5000):
        x = prices(n)
        options = {"wavelet": wavelet, "level": 3, "threshold_rule": rule, "noise": "mad"}
        options["threshold_scale"] = 0.7
        found = rpsd.denoise(x, transform="modwt", boundary=boundary, **options)
        expected = composed(x, wavelet, 3, boundary, rule=rule, scale=0.7)
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-9)
        single = rpsd.denoise(x.astype(np.float32), transform="modwt", boundary=boundary, **options)
        if rule != "hard":  # which jumps at the threshold
            np.testing.assert_allclose(single, expected, rtol=0, atol=1e-3)


@pytest.mark.parametrize(
    ("wavelet", "rule"), [("haar", "hard"), ("db4", "soft"), ("sym4", "garrote"), ("coif1", "soft")]
)
def test_average_over_all_shifts(wavelet, rule):
    """Cycle spinning (Coifman & Donoho 1995): with one threshold for all shifts the two are the same."""
    n, level, sigma = 128, 4, 0.1
    x = prices(n)
    threshold = sigma * np.sqrt(2 * np.log(n))
    total = np.zeros(n)
    for shift in range(n):
        approximation, *details = pywt.wavedec(np.roll(x, shift), wavelet, "periodization", level)
        details = [pywt.threshold(d, threshold, rule) for d in details]
        total += np.roll(pywt.waverec([approximation, *details], wavelet, "periodization"), -shift)
    options = {"wavelet": wavelet, "level": level, "threshold_mode": "universal", "threshold_rule": rule}
    found = rpsd.denoise(x, transform="modwt", boundary="periodic", noise=sigma, **options)
    np.testing.assert_allclose(found, total / n, rtol=0, atol=1e-10)


def test_less_error_than_the_decimated_transform():
    """What it is for: on average over series, at the same threshold rule."""
    errors = {"dwt": [], "modwt": []}
    for seed in range(20):
        simulated = rpsd.simulate("doppler", 1024, seed=seed)
        for transform, found_errors in errors.items():
            found = rpsd.denoise(
                simulated.noisy, transform=transform, threshold_mode="universal", wavelet="sym8", noise="mad"
            )
            found_errors.append(np.mean((found - simulated.truth) ** 2))
    assert np.mean(errors["modwt"]) < 0.9 * np.mean(errors["dwt"])


def test_report():
    x = prices(500)
    result = rpsd.Denoiser(transform="modwt", noise="mad").run(x)
    detail = rpsd.modwt(x, "db4", 1)[-1]
    assert result.noise.noise_sd == pytest.approx(
        np.sqrt(2) * np.median(np.abs(detail)) / QUARTILE, rel=1e-12
    )
    assert (result.level, result.action, result.options.transform) == (4, "denoised", "modwt")


def test_untouched_where_there_is_no_noise():
    for x in (np.full(300, 5.0), 100 + np.arange(300) // 150 * 1.0):
        for noise in ("mad", "price"):
            result = rpsd.Denoiser(transform="modwt", noise=noise).run(x)
            assert result.action == "passthrough"
            np.testing.assert_array_equal(result.values, x)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_same_bits_for_any_threads_batch_and_place(boundary, dtype):
    x = bits.prices(3, 30_011, dtype)
    for noise, mode in product(("mad", "level", 0.05), ("bayes", "universal")):
        denoiser = rpsd.Denoiser(transform="modwt", boundary=boundary, noise=noise, threshold_mode=mode)
        one = denoiser.denoise(x[0])
        for threads in (2, 5, 0):
            assert bits.digest(denoiser.denoise(x[0], threads=threads)) == bits.digest(one)
            assert bits.digest(denoiser.denoise(x, threads=threads)[0]) == bits.digest(one)
        core_input = x[:1].copy()
        denoiser._core.run(core_input, core_input, starts=[], threads=2)
        assert bits.digest(core_input[0]) == bits.digest(one)


def test_gaps_logarithms_and_units():
    x = prices(400)
    x[[3, 50, 51, 399]] = np.nan
    filled = np.interp(np.arange(400), np.flatnonzero(~np.isnan(x)), x[~np.isnan(x)])
    options = {"transform": "modwt", "noise": "mad"}
    expected = rpsd.denoise(filled, **options)
    expected[np.isnan(x)] = np.nan
    np.testing.assert_allclose(rpsd.denoise(x, **options), expected, rtol=1e-13)
    logs = np.exp(rpsd.denoise(np.log(filled), **options))
    np.testing.assert_allclose(rpsd.denoise(filled, space="log", **options), logs, rtol=1e-12)
    np.testing.assert_array_equal(
        rpsd.denoise(filled * 2.0**900, **options), rpsd.denoise(filled, **options) * 2.0**900
    )


@pytest.mark.parametrize("boundary", ["zero", "periodization", "smooth"])
def test_other_boundaries_are_refused(boundary):
    with pytest.raises(
        rpsd.ConfigError,
        match=f'boundary must be symmetric or periodic with transform="modwt", got "{boundary}"',
    ):
        rpsd.Denoiser(transform="modwt", boundary=boundary)


def test_core_names_the_transforms():
    options = rpsd.Denoiser().options
    assert options.transform == "dwt"
    with pytest.raises(ValueError, match="transform must be one of dwt, modwt"):
        _core.Denoiser(
            method="wavelet", bank=pywt.Wavelet("haar").filter_bank, transform="swt", boundary="periodic",
            level=1, threshold_mode="bayes", threshold_rule="soft", threshold_scale=1.0, prior="cauchy",
            noise="mad", noise_sd=0.0, min_gain_db=0.0, fir_taps=np.empty(0), space="price", missing="raise",
            outliers="none",
        )  # fmt: skip
