# SPDX-License-Identifier: MIT
"""What takes the function itself to check: exact prefix invariance, and equivariance."""

import math
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np

from rpsd._audit import LeakReport, audit
from rpsd._errors import InputError
from rpsd._result import Check

# Of the largest of the changed prices.
_MOST_DEVIATION: Final = 1e-9
# x -> a x + b, b in ranges of x. A power of two alone must change no bit.
_EXACT: Final = (0.25, 1024.0)
_CHANGES: Final = ((3.0, 0.0), (0.01, 7.0), (1.7, -20.0))


@dataclass(frozen=True, slots=True)
class Verification:
    """What `Denoiser.verify` found.

    Attributes
    ----------
    passed : bool
    checks : tuple of Check
        ``prefix``: samples that outputs were seen to look ahead beyond the lookahead, at most 0; NaN
        offline, where nothing is promised. ``equivariance``: greatest deviation of the output of
        a x + b from a y + b, as a share of the largest of a x + b, at most 1e-9; inf where a power of two
        alone changes a bit. Of ``space="log"`` b is 0. NaN with a given noise, which is in the prices' units.
    leaks : LeakReport or None
        What `rpsd.audit` found; None offline.
    """

    passed: bool
    checks: tuple[Check, ...]
    leaks: LeakReport | None = field(repr=False)

    def __str__(self) -> str:
        """Return the verdict in words."""
        words = [
            f"{c.name}: {c.verdict}" + ("" if math.isnan(c.value) else f" ({c.value:.3g})")
            for c in self.checks
        ]
        if self.leaks is not None and not self.leaks.causal:
            words.append(str(self.leaks))
        return "; ".join(words)


def verify(denoiser: Any, x: Any, seed: int) -> Verification:
    """Return what a denoiser does to changed copies of x."""
    prices = np.asarray(x, dtype=np.float64)
    if prices.ndim != 1:
        raise InputError(f"x must be one series, got shape {prices.shape}")
    lookahead = denoiser.options.lookahead
    leaks = None if lookahead is None else audit(denoiser.denoise, x, seed=seed)
    ahead = math.nan if leaks is None else float(max(0, leaks.lookahead - lookahead))
    checks = (
        _check("prefix", ahead, 0.0),
        _check("equivariance", _deviation(denoiser, prices), _MOST_DEVIATION),
    )
    return Verification(all(check.passed for check in checks), checks, leaks)


def _check(name: str, value: float, threshold: float) -> Check:
    return Check(name, value, threshold, "<=", math.isnan(value) or value <= threshold, True)


def _deviation(denoiser: Any, x: np.ndarray[Any, np.dtype[np.float64]]) -> float:
    if not isinstance(denoiser.options.noise, str):
        return math.nan
    y = denoiser.denoise(x)
    for a in _EXACT if denoiser.options.space == "price" else ():
        if not np.array_equal(denoiser.denoise(a * x), a * y, equal_nan=True):
            return math.inf
    span = np.nanmax(x) - np.nanmin(x) if np.isfinite(x).any() else 0.0
    worst = 0.0
    for a, ranges in _CHANGES:
        b = ranges * span if denoiser.options.space == "price" else 0.0
        changed = a * x + b
        apart = np.abs(denoiser.denoise(changed) - (a * y + b))
        largest = np.nanmax(np.abs(changed), initial=0.0)
        if largest > 0:
            worst = max(worst, float(np.nanmax(apart, initial=0.0) / largest))
    return worst
