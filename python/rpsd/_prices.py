# SPDX-License-Identifier: MIT
"""Models of prices under microstructure noise, from which `rpsd.simulate` draws."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from rpsd._errors import InputError

_F64 = npt.NDArray[np.float64]

# Steps of GARCH that are drawn and thrown away, so that the start does not matter.
_BURN_IN: Final = 500
# Smallest and largest size of a jump in step sds, and of a bad tick in noise sds.
_JUMP_SIZES: Final = (8.0, 22.0)
_BAD_TICK_SIZES: Final = (15.0, 50.0)
# No jump this near an end, or an eighth of a short series.
_JUMP_MARGIN: Final = 40
# Nights are heavy-tailed: news comes when the market is closed.
_NIGHT_DF: Final = 4.0


@dataclass(frozen=True, eq=False)
class Draw:
    """A series and its truth, as a model draws them; the fields are those of `rpsd.Simulated`."""

    noisy: _F64
    truth: _F64
    noise_sd: float
    step_sd: _F64
    jumps: npt.NDArray[np.int64]
    bad_ticks: npt.NDArray[np.bool_]
    breaks: npt.NDArray[np.bool_]

    @classmethod
    def undisturbed(cls, noisy: _F64, truth: _F64, noise_sd: float, step_sd: float) -> Draw:
        """Return a series without jumps, bad ticks and sessions, whose steps are all alike."""
        n = len(noisy)
        nowhere = np.zeros(n, dtype=np.bool_)
        path_sd = np.full(n, float(step_sd))
        return cls(noisy, truth, noise_sd, path_sd, np.zeros(0, np.int64), nowhere, nowhere.copy())


@dataclass(frozen=True)
class Walk:
    """A random walk, if need be with changing volatility, jumps and nights, under independent noise."""

    nsr: float = 1.0
    step_sd: float = 1.0
    steps: str = "normal"
    df: float = 4.0
    volatility: str = "constant"
    alpha: float = 0.05
    beta: float = 0.93
    session: int = 390
    gap_sd: float = 0.0
    jumps: int = 0
    noise: str = "normal"
    noise_df: float = 3.0
    bad_ticks: float = 0.0
    missing: float = 0.0

    def check(self) -> None:
        """Refuse what no single parameter shows to be wrong."""
        for name in ("df", "noise_df"):
            if getattr(self, name) <= 2:
                raise InputError(f"{name} must be > 2 for a finite variance, got {getattr(self, name)!r}")
        for name in ("bad_ticks", "missing"):
            if getattr(self, name) > 1:
                raise InputError(f"{name} is a share and must be <= 1, got {getattr(self, name)!r}")
        if self.alpha + self.beta >= 1:
            raise InputError(f"alpha + beta must be < 1, got {self.alpha!r} + {self.beta!r}")
        if self.gap_sd > 0 and self.session == 0:
            raise InputError("session must be > 0 where gap_sd is, got 0")

    def draw(self, n: int, rng: np.random.Generator) -> Draw:
        """Draw n samples: the path first, then what the observer adds to it."""
        steps, path_sd = self._draw_steps(n, rng)
        at = np.zeros(0, np.int64)
        if self.jumps:
            at, sizes = self._draw_jumps(n, rng)
            steps[at] += sizes
        breaks = np.zeros(n, dtype=np.bool_)
        if self.gap_sd > 0:
            breaks[:: self.session] = True
            nights = np.flatnonzero(breaks)[1:]
            steps[nights] += _standardised(rng, len(nights), "t", _NIGHT_DF) * (self.gap_sd * self.step_sd)
        truth = np.cumsum(steps)
        noise_sd = self.nsr * self.step_sd
        noisy = truth + _standardised(rng, n, self.noise, self.noise_df) * noise_sd
        bad = np.zeros(n, dtype=np.bool_)
        if self.bad_ticks > 0:
            bad = rng.random(n) < self.bad_ticks
            noisy[bad] += _signed(rng, int(np.count_nonzero(bad)), _BAD_TICK_SIZES) * noise_sd
        if self.missing > 0:
            # Both ends are seen, so that every gap can be interpolated.
            noisy[1:-1][rng.random(max(n - 2, 0)) < self.missing] = np.nan
        return Draw(noisy, truth, noise_sd, path_sd, at, bad, breaks)

    def _draw_steps(self, n: int, rng: np.random.Generator) -> tuple[_F64, _F64]:
        if self.volatility == "constant":
            steps = _standardised(rng, n, self.steps, self.df) * self.step_sd
            return steps, np.full(n, float(self.step_sd))
        z = _standardised(rng, n + _BURN_IN, self.steps, self.df)
        variance = _garch_variance(z, self.alpha, self.beta)[_BURN_IN:]
        path_sd = np.sqrt(variance) * _intraday_shape(n, self.session) * self.step_sd
        return path_sd * z[_BURN_IN:], path_sd

    def _draw_jumps(self, n: int, rng: np.random.Generator) -> tuple[npt.NDArray[np.int64], _F64]:
        margin = min(_JUMP_MARGIN, n // 8 + 1)
        places = np.arange(margin, max(n - margin, margin))
        at = np.sort(rng.choice(places, min(self.jumps, len(places)), replace=False))
        return at, _signed(rng, len(at), _JUMP_SIZES) * self.step_sd


@dataclass(frozen=True)
class Roll:
    """Roll's model of the bid-ask bounce: trades at bid or ask by the toss of a coin, rounded to ticks."""

    nsr: float = 2.0
    step_sd: float = 0.5
    tick: float = 1.0
    start: float = 10000.3

    def check(self) -> None:
        """Every combination is a model."""

    def draw(self, n: int, rng: np.random.Generator) -> Draw:
        """Draw n trades."""
        truth = self.start + np.cumsum(rng.standard_normal(n) * self.step_sd)
        half_spread = self.nsr * self.step_sd
        noisy = truth + half_spread * rng.choice([-1.0, 1.0], n)
        if self.tick > 0:
            noisy = np.round(noisy / self.tick) * self.tick
        # Rounding errors of a walk are uniform over a tick.
        noise_sd = math.sqrt(half_spread**2 + self.tick**2 / 12)
        return Draw.undisturbed(noisy, truth, noise_sd, self.step_sd)


def _standardised(rng: np.random.Generator, n: int, law: str, df: float) -> _F64:
    """Draw n numbers of mean 0 and variance 1."""
    if law == "t":
        return rng.standard_t(df, n) / math.sqrt(df / (df - 2))
    return rng.standard_normal(n)


def _signed(rng: np.random.Generator, n: int, sizes: tuple[float, float]) -> _F64:
    return rng.choice([-1.0, 1.0], n) * rng.uniform(*sizes, n)


def _garch_variance(z: _F64, alpha: float, beta: float) -> _F64:
    """Return the conditional variances of GARCH(1,1) with mean 1, driven by the innovations z."""
    omega = 1 - alpha - beta
    variance = 1.0
    out = np.empty(len(z))
    # One multiplication a step: a loop over floats costs less than any scan of NumPy's.
    for i, square in enumerate((z * z).tolist()):
        out[i] = variance
        variance = omega + (alpha * square + beta) * variance
    return out


def _intraday_shape(n: int, session: int) -> _F64:
    """Return the U-shape of a day's volatility, three at open and close to one at noon, mean square 1."""
    if n == 0 or session == 0:
        return np.ones(n)
    time_of_day = (np.arange(n) % session) / max(session - 1, 1)
    shape = 1 + 2 * (2 * time_of_day - 1) ** 2
    out: _F64 = shape / np.sqrt(np.mean(shape**2))
    return out
