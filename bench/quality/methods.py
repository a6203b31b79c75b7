# SPDX-License-Identifier: MIT
"""The denoisers that are compared: ours, those of PyWavelets, scikit-image and statsmodels, and the limit."""

import math
import warnings
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pywt
from peers import NORMAL_QUARTILE, pywt_bayes
from scipy.linalg import solveh_banded
from skimage.restoration import denoise_wavelet
from statsmodels.tsa.statespace.structural import UnobservedComponents

import rpsd

ALL = ("offline", "harm", "walk", "short", "curve")


@dataclass(frozen=True)
class Outcome:
    """The output of a method, and what it said about it: its action, and its predicted gain in dB."""

    values: np.ndarray
    action: str = ""
    predicted_db: float = math.nan


@dataclass(frozen=True)
class Method:
    """A denoiser; the groups of cells it runs in, and how their names start; its options if it is ours."""

    name: str
    run: Callable[[rpsd.Simulated], Outcome]
    groups: tuple[str, ...] = ALL
    cells: tuple[str, ...] = ("",)
    options: dict[str, object] | None = None

    def refusal(self) -> str:
        """Return why this release refuses our options, empty where it does not."""
        if self.options is not None:
            try:
                rpsd.Denoiser(**self.options)
            except rpsd.ConfigError as error:
                return str(error)
        return ""


def filled(x: np.ndarray) -> np.ndarray:
    """Interpolate what is missing, as every metric here does with the raw series as well."""
    seen = np.flatnonzero(~np.isnan(x))
    return np.interp(np.arange(len(x)), seen, x[seen])


def ours(
    name: str, groups: tuple[str, ...] = ALL, cells: tuple[str, ...] = ("",), **options: object
) -> Method:
    """Return our denoiser with these options."""

    def run(series: rpsd.Simulated) -> Outcome:
        result = rpsd.Denoiser(**options).run(series.noisy)
        return Outcome(filled(result.values), result.action, float(result.noise.predicted_gain_db))

    return Method(name, run, groups, cells, options)


def peer(function: Callable[[np.ndarray], np.ndarray]) -> Callable[[rpsd.Simulated], Outcome]:
    """Return a denoiser of arrays without gaps."""
    return lambda series: Outcome(function(filled(series.noisy)))


def pywt_universal(x: np.ndarray) -> np.ndarray:
    """Universal threshold, soft, db4, MAD noise, down to 16 coarse coefficients (Donoho & Johnstone)."""
    coefficients = pywt.wavedec(x, "db4", level=max(int(math.log2(len(x))) - 4, 1))
    sigma = np.median(np.abs(coefficients[-1])) / NORMAL_QUARTILE
    threshold = sigma * math.sqrt(2 * math.log(len(x)))
    shrunk = [pywt.threshold(d, threshold, "soft") for d in coefficients[1:]]
    return pywt.waverec([coefficients[0], *shrunk], "db4")[: len(x)]


def skimage_bayes(x: np.ndarray) -> np.ndarray:
    """scikit-image's BayesShrink as it comes, with sym8."""
    return denoise_wavelet(x, wavelet="sym8", method="BayesShrink", mode="soft", rescale_sigma=False)


def local_level(series: rpsd.Simulated) -> Outcome:
    """statsmodels' maximum-likelihood smoother of the local level model; it knows what to do with NaN."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # near-clean series end at the border of the parameters
        fitted = UnobservedComponents(series.noisy, "local level").fit(disp=False)
    return Outcome(fitted.smoothed_state[0])


def true_parameters(series: rpsd.Simulated) -> Outcome:
    """Best estimate that knows noise sd, step sds and nights: the limit, for all else is Gaussian.

    The mode of the posterior solves a symmetric tridiagonal system: precisions of the samples on the
    diagonal, and those of the steps around it.
    """
    # A night tells next to nothing about the next morning.
    step = np.where(series.breaks[1:], 0.0, 1 / series.step_sd[1:] ** 2)
    seen = ~np.isnan(series.noisy)
    precision = np.where(seen, 1 / max(series.noise_sd, 1e-6) ** 2, 0.0)
    bands = np.zeros((2, len(seen)))
    bands[1] = precision
    bands[1, 1:] += step
    bands[1, :-1] += step
    bands[0, 1:] = -step
    return Outcome(solveh_banded(bands, precision * np.where(seen, series.noisy, 0.0)))


METHODS = (
    ours("rpsd.denoise"),
    ours("rpsd, breaks=auto", ("offline",), cells=("g",), breaks="auto"),
    ours("rpsd, kalman", method="kalman"),
    ours(
        "rpsd, modwt ebayes mad",
        ("curve",),
        method="wavelet",
        transform="modwt",
        threshold_mode="ebayes",
        noise="mad",
    ),
    ours(
        "rpsd, modwt ebayes laplace mad",
        ("curve",),
        method="wavelet",
        transform="modwt",
        threshold_mode="ebayes",
        prior="laplace",
        noise="mad",
    ),
    Method("statsmodels local level", local_level, ("offline", "short")),
    Method("PyWavelets BayesShrink db4", peer(pywt_bayes)),
    Method("scikit-image BayesShrink sym8", peer(skimage_bayes), ("offline", "curve")),
    Method("PyWavelets universal soft db4", peer(pywt_universal), ("offline", "curve")),
    Method("identity", peer(lambda x: x), ("offline", "curve")),
    Method("true parameters", true_parameters, ("offline", "harm", "short"), ("a", "b", "f", "g")),
)
# As slow as all others together.
SLOW = "statsmodels local level"
