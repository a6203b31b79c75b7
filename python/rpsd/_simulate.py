# SPDX-License-Identifier: MIT
"""Simulated price series with a known truth, for demos, tests and yardsticks."""

from __future__ import annotations

import inspect
import math
import operator
from collections.abc import Callable
from dataclasses import dataclass
from numbers import Real
from typing import Final, SupportsIndex

import numpy as np
import numpy.typing as npt

from rpsd._errors import InputError

_F64 = npt.NDArray[np.float64]

# Donoho & Johnstone (1994), table 1: positions shared by Blocks and Bumps, then heights and widths.
_POSITIONS: Final = (0.1, 0.13, 0.15, 0.23, 0.25, 0.40, 0.44, 0.65, 0.76, 0.78, 0.81)
_BLOCK_HEIGHTS: Final = (4.0, -5.0, 3.0, -4.0, 5.0, -4.2, 2.1, 4.3, -3.1, 2.1, -4.2)
_BUMP_HEIGHTS: Final = (4.0, 5.0, 3.0, 4.0, 5.0, 4.2, 2.1, 4.3, 3.1, 5.1, 4.2)
_BUMP_WIDTHS: Final = (0.005, 0.005, 0.006, 0.01, 0.01, 0.03, 0.01, 0.01, 0.005, 0.008, 0.005)


@dataclass(frozen=True, eq=False)
class Simulated:
    """A simulated series beside its truth.

    Attributes
    ----------
    noisy : ndarray of float64, shape (n,)
        What an observer sees: `truth` plus noise.
    truth : ndarray of float64, shape (n,)
        The efficient price, or the test signal.
    noise_sd : float
        Standard deviation of the noise, in the units of `truth`.
    kind : str
        The kind asked for.
    seed : int
        The seed asked for.
    """

    noisy: _F64
    truth: _F64
    noise_sd: float
    kind: str
    seed: int


def simulate(kind: str, n: SupportsIndex, seed: SupportsIndex = 0, **parameters: float) -> Simulated:
    """Simulate a noisy series whose truth is known.

    Parameters
    ----------
    kind : {"a", "blocks", "bumps", "heavisine", "doppler"}
        "a" is the local-level model: a Gaussian random walk plus independent Gaussian noise; parameters
        `nsr` (noise sd over step sd, default 1.0) and `step_sd` (default 1.0). The other four are the test
        signals of Donoho & Johnstone on t = (1..n)/n with unit noise; parameter `snr` (standard deviation of
        the signal over that of the noise, called root-SNR, default 7.0).
    n : int
        Number of samples, 0 or more.
    seed : int
        Seed of the random numbers, 0 or more; the same seed gives the same series.
    **parameters : float
        Parameters of the kind, as above.

    Returns
    -------
    Simulated
        `noisy` and `truth`, float64 of shape (n,), with `noise_sd`.

    Raises
    ------
    InputError
        Where the kind or a parameter is unknown or out of range.

    References
    ----------
    D. L. Donoho and I. M. Johnstone, "Ideal spatial adaptation by wavelet shrinkage", Biometrika 81 (1994).
    A. C. Harvey, "Forecasting, Structural Time Series Models and the Kalman Filter" (1989).
    The local-level model is in its chapter 2.

    Examples
    --------
    >>> import rpsd
    >>> s = rpsd.simulate("a", 1000, seed=1, nsr=3.0)
    >>> s.noisy.shape, s.noise_sd
    ((1000,), 3.0)
    """
    model = _KINDS.get(kind) if isinstance(kind, str) else None
    if model is None:
        raise InputError(f"kind must be one of {', '.join(_KINDS)}, got {kind!r}")
    length = _integer("n", n)
    start = _integer("seed", seed)
    allowed = [name for name in inspect.signature(model).parameters if name not in {"n", "rng"}]
    values: dict[str, object] = {**parameters}
    for name, value in values.items():
        if name not in allowed:
            raise InputError(f"kind {kind!r} has the parameters {', '.join(allowed)}; got {name!r}")
        # Written so that NaN fails as well.
        if isinstance(value, bool) or not isinstance(value, Real) or not 0 <= float(value) < math.inf:
            raise InputError(f"{name} must be a finite number >= 0, got {value!r}")
    truth, noise, noise_sd = model(length, np.random.default_rng(start), **parameters)
    return Simulated(truth + noise, truth, noise_sd, kind, start)


def _integer(name: str, value: SupportsIndex) -> int:
    try:
        integer = operator.index(value)
    except TypeError:
        integer = -1
    if integer < 0:
        raise InputError(f"{name} must be an integer >= 0, got {value!r}")
    return integer


def _local_level(
    n: int, rng: np.random.Generator, nsr: float = 1.0, step_sd: float = 1.0
) -> tuple[_F64, _F64, float]:
    steps = rng.standard_normal(n) * step_sd
    noise_sd = nsr * step_sd
    return np.cumsum(steps), rng.standard_normal(n) * noise_sd, noise_sd


def _test_signal(curve: Callable[[_F64], _F64]) -> Callable[..., tuple[_F64, _F64, float]]:
    def model(n: int, rng: np.random.Generator, snr: float = 7.0) -> tuple[_F64, _F64, float]:
        raw = curve(np.arange(1, n + 1) / max(n, 1))
        # A single sample, or none, has no spread to scale.
        spread = float(raw.std()) if n > 1 else 0.0
        truth = raw * (snr / spread) if spread > 0 else np.zeros(n)
        return truth, rng.standard_normal(n), 1.0

    return model


def _blocks(t: _F64) -> _F64:
    out = np.zeros_like(t)
    for position, height in zip(_POSITIONS, _BLOCK_HEIGHTS, strict=True):
        out += height * (1 + np.sign(t - position)) / 2
    return out


def _bumps(t: _F64) -> _F64:
    out = np.zeros_like(t)
    for position, height, width in zip(_POSITIONS, _BUMP_HEIGHTS, _BUMP_WIDTHS, strict=True):
        out += height * (1 + np.abs((t - position) / width)) ** -4.0
    return out


def _heavisine(t: _F64) -> _F64:
    out: _F64 = 4 * np.sin(4 * np.pi * t) - np.sign(t - 0.3) - np.sign(0.72 - t)
    return out


def _doppler(t: _F64) -> _F64:
    out: _F64 = np.sqrt(t * (1 - t)) * np.sin(2 * np.pi * 1.05 / (t + 0.05))
    return out


_KINDS: Final[dict[str, Callable[..., tuple[_F64, _F64, float]]]] = {
    "a": _local_level,
    "blocks": _test_signal(_blocks),
    "bumps": _test_signal(_bumps),
    "heavisine": _test_signal(_heavisine),
    "doppler": _test_signal(_doppler),
}
