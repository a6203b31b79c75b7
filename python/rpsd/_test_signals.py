# SPDX-License-Identifier: MIT
"""The four test signals of Donoho & Johnstone (1994), from which `rpsd.simulate` draws."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from rpsd._prices import Draw

_F64 = npt.NDArray[np.float64]

# Donoho & Johnstone (1994), table 1: positions shared by Blocks and Bumps, then heights and widths.
_POSITIONS: Final = (0.1, 0.13, 0.15, 0.23, 0.25, 0.40, 0.44, 0.65, 0.76, 0.78, 0.81)
_BLOCK_HEIGHTS: Final = (4.0, -5.0, 3.0, -4.0, 5.0, -4.2, 2.1, 4.3, -3.1, 2.1, -4.2)
_BUMP_HEIGHTS: Final = (4.0, 5.0, 3.0, 4.0, 5.0, 4.2, 2.1, 4.3, 3.1, 5.1, 4.2)
_BUMP_WIDTHS: Final = (0.005, 0.005, 0.006, 0.01, 0.01, 0.03, 0.01, 0.01, 0.005, 0.008, 0.005)


@dataclass(frozen=True)
class Curve:
    """A curve on t = (1..n)/n, scaled to a standard deviation of snr, under unit Gaussian noise."""

    curve: Callable[[_F64], _F64]
    snr: float = 7.0

    def check(self) -> None:
        """Every snr is a model."""

    def draw(self, n: int, rng: np.random.Generator) -> Draw:
        """Draw the noise; the curve is the same for every seed."""
        raw = self.curve(np.arange(1, n + 1) / max(n, 1))
        # A single sample, or none, has no spread to scale.
        spread = float(raw.std()) if n > 1 else 0.0
        truth = raw * (self.snr / spread) if spread > 0 else np.zeros(n)
        return Draw.undisturbed(truth + rng.standard_normal(n), truth, 1.0, 0.0)


def blocks(t: _F64) -> _F64:
    """Return steps of different heights."""
    out = np.zeros_like(t)
    for position, height in zip(_POSITIONS, _BLOCK_HEIGHTS, strict=True):
        out += height * (1 + np.sign(t - position)) / 2
    return out


def bumps(t: _F64) -> _F64:
    """Return peaks of different heights and widths."""
    out = np.zeros_like(t)
    for position, height, width in zip(_POSITIONS, _BUMP_HEIGHTS, _BUMP_WIDTHS, strict=True):
        out += height * (1 + np.abs((t - position) / width)) ** -4.0
    return out


def heavisine(t: _F64) -> _F64:
    """Return a sine with two steps."""
    out: _F64 = 4 * np.sin(4 * np.pi * t) - np.sign(t - 0.3) - np.sign(0.72 - t)
    return out


def doppler(t: _F64) -> _F64:
    """Return an oscillation that slows down."""
    out: _F64 = np.sqrt(t * (1 - t)) * np.sin(2 * np.pi * 1.05 / (t + 0.05))
    return out
