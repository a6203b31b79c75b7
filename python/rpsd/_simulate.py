# SPDX-License-Identifier: MIT
"""Simulated series with a known truth, for demos, tests and yardsticks."""

from __future__ import annotations

import math
import operator
from dataclasses import dataclass, fields, replace
from numbers import Real
from typing import Final, SupportsIndex

import numpy as np
import numpy.typing as npt

from rpsd._errors import InputError
from rpsd._prices import Roll, Walk
from rpsd._test_signals import Curve, blocks, bumps, doppler, heavisine

_F64 = npt.NDArray[np.float64]

_BOTH: Final = Walk(nsr=3.0, noise="t", bad_ticks=0.005)
_KINDS: Final[dict[str, Walk | Roll | Curve]] = {
    "a": Walk(),
    "b": Walk(volatility="garch"),
    "c": Walk(volatility="garch", jumps=8),
    "d": Roll(),
    "e": _BOTH,
    "e_t3": Walk(nsr=3.0, noise="t"),
    "e_out": Walk(nsr=3.0, bad_ticks=0.005),
    "e_both": _BOTH,
    "f": Walk(volatility="garch", missing=0.05),
    "g": Walk(volatility="garch", gap_sd=10.0),
    "blocks": Curve(blocks),
    "bumps": Curve(bumps),
    "heavisine": Curve(heavisine),
    "doppler": Curve(doppler),
}

_WORDS: Final = {"steps": ("normal", "t"), "noise": ("normal", "t"), "volatility": ("constant", "garch")}


@dataclass(frozen=True, eq=False)
class Simulated:
    """A simulated series beside its truth.

    Attributes
    ----------
    noisy : ndarray of float64, shape (n,)
        What an observer sees: `truth` plus noise; NaN where a sample is missing.
    truth : ndarray of float64, shape (n,)
        The efficient price, or the test signal.
    noise_sd : float
        Standard deviation of the noise, in the units of `truth`; bad ticks do not count.
    kind : str
        The kind asked for.
    seed : int
        The seed asked for.
    step_sd : ndarray of float64, shape (n,)
        Standard deviation of the step of the price into each sample, apart from jumps and nights; 0 for
        the test signals, which are the same for every seed.
    jumps : ndarray of int64
        The first sample after each jump, ascending.
    bad_ticks : ndarray of bool, shape (n,)
        Where a bad tick was added.
    breaks : ndarray of bool, shape (n,)
        The first sample of each session, the first of the series included; False everywhere for kinds
        without nights.
    """

    noisy: _F64
    truth: _F64
    noise_sd: float
    kind: str
    seed: int
    step_sd: _F64
    jumps: npt.NDArray[np.int64]
    bad_ticks: npt.NDArray[np.bool_]
    breaks: npt.NDArray[np.bool_]


def simulate(kind: str, n: SupportsIndex, seed: SupportsIndex = 0, **parameters: float | str) -> Simulated:
    """Simulate a noisy series whose truth is known.

    Parameters
    ----------
    kind : str
        "a": local level, a Gaussian random walk under independent Gaussian noise. "b": the steps follow
        GARCH(1,1) times the U-shape of a trading day. "c": b with 8 jumps. "d": Roll's bid-ask bounce,
        rounded to ticks, in cents. "e_t3", "e_out", "e_both" (or "e"): a with Student-t noise, with 0.5 %
        bad ticks, with both. "f": b with 5 % of the samples missing. "g": b with a gap in the price
        between sessions. "blocks", "bumps", "heavisine", "doppler": the test signals of Donoho & Johnstone
        on t = (1..n)/n under unit noise.
    n : int
        Number of samples, 0 or more.
    seed : int
        Seed of the random numbers, 0 or more; the same seed gives the same series.
    **parameters : float or str
        Parameters of the kind; see Notes.

    Returns
    -------
    Simulated
        `noisy` and `truth`, float64 of shape (n,), with what was added to the truth.

    Raises
    ------
    InputError
        Where the kind or a parameter is unknown or out of range.

    Notes
    -----
    A kind is a choice of defaults: a, b, c, e, f and g all take the same parameters.

    - `nsr`: noise sd over step sd (1.0; 3.0 in e; 0 is a pure walk); `step_sd` (1.0).
    - `steps`: "normal" or "t" with `df` degrees of freedom (4.0), scaled to the same variance.
    - `volatility`: "constant" or "garch", with `alpha` (0.05), `beta` (0.93) and the number of samples in
      a trading `session` (390; 0 for no U-shape). The mean variance is `step_sd` squared.
    - `gap_sd`: sd of the price gap before each session but the first, in step sds, Student-t with 4
      degrees of freedom (0; 10 in g: a night moves the price half as far as a day of 390 steps does).
    - `jumps`: their number (0; 8 in c), sizes uniform in 8 to 22 step sds; a short series has fewer.
    - `noise`: "normal" or "t" with `noise_df` degrees of freedom (3.0), scaled to the same variance.
    - `bad_ticks`: share of samples off by 15 to 50 noise sds (0; 0.005 in e_out and e_both).
    - `missing`: share of samples that are NaN, never the first or the last (0; 0.05 in f).

    Kind d takes `nsr` (half-spread over step sd, 2.0), `step_sd` (0.5), `tick` (1.0; 0 for no rounding)
    and `start` (10000.3); the test signals take `snr`, the standard deviation of the signal over that of
    the noise, called root-SNR (7.0).

    References
    ----------
    A. C. Harvey, "Forecasting, Structural Time Series Models and the Kalman Filter" (1989), chapter 2.
    T. Bollerslev, "Generalized autoregressive conditional heteroskedasticity", J. Econometrics 31 (1986).
    R. A. Wood, T. H. McInish and J. K. Ord, "An investigation of transactions data for NYSE stocks",
    J. Finance 40 (1985), for the U-shape. R. Roll, "A simple implicit measure of the effective bid-ask
    spread in an efficient market", J. Finance 39 (1984). D. L. Donoho and I. M. Johnstone, "Ideal spatial
    adaptation by wavelet shrinkage", Biometrika 81 (1994).

    Examples
    --------
    >>> import rpsd
    >>> s = rpsd.simulate("a", 1000, seed=1, nsr=3.0)
    >>> s.noisy.shape, s.noise_sd
    ((1000,), 3.0)
    >>> rpsd.simulate("g", 1950, seed=1).breaks.nonzero()[0].tolist()
    [0, 390, 780, 1170, 1560]
    """
    model = _KINDS.get(kind) if isinstance(kind, str) else None
    if model is None:
        raise InputError(f"kind must be one of {', '.join(_KINDS)}, got {kind!r}")
    length = _integer("n", n)
    start = _integer("seed", seed)
    allowed = [field.name for field in fields(model) if field.name != "curve"]
    for name in parameters:
        if name not in allowed:
            raise InputError(f"kind {kind!r} has the parameters {', '.join(allowed)}; got {name!r}")
    checked = {name: _parameter(name, value, getattr(model, name)) for name, value in parameters.items()}
    model = replace(model, **checked)  # type: ignore[arg-type]
    model.check()
    drawn = model.draw(length, np.random.default_rng(start))
    return Simulated(
        noisy=drawn.noisy,
        truth=drawn.truth,
        noise_sd=drawn.noise_sd,
        kind=kind,
        seed=start,
        step_sd=drawn.step_sd,
        jumps=drawn.jumps,
        bad_ticks=drawn.bad_ticks,
        breaks=drawn.breaks,
    )


def _parameter(name: str, value: object, default: object) -> object:
    """Return the value if it is of the default's type and in range."""
    if isinstance(default, str):
        if not isinstance(value, str) or value not in _WORDS[name]:
            raise InputError(f"{name} must be one of {', '.join(_WORDS[name])}, got {value!r}")
        return value
    if isinstance(default, int):
        return _integer(name, value)
    # Written so that NaN fails as well.
    if isinstance(value, bool) or not isinstance(value, Real) or not 0 <= float(value) < math.inf:
        raise InputError(f"{name} must be a finite number >= 0, got {value!r}")
    return value


def _integer(name: str, value: object) -> int:
    try:
        integer = operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        integer = -1
    if integer < 0:
        raise InputError(f"{name} must be an integer >= 0, got {value!r}")
    return integer
