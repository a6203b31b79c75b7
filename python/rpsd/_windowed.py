# SPDX-License-Identifier: MIT
"""Runs with a fixed lag: each value from what there is `lookahead` samples after it."""

from typing import Any

import numpy as np
import numpy.typing as npt

from rpsd import _core
from rpsd._options import Options


def build_windowed(chain: _core.Denoiser, options: Options) -> _core.Windowed | _core.Causal | None:
    """Return what runs with the lag that resolved options ask for; None where they are offline."""
    if options.lookahead is None:
        return None
    if options.method in {"auto", "kalman"}:
        return _core.Causal(chain, lookahead=options.lookahead)
    return _core.Windowed(
        chain, window=options.window, lookahead=options.lookahead, min_periods=least_periods(options)
    )


def least_periods(options: Options) -> int:
    """Return the samples that a window needs before it has a value."""
    return options.window if options.min_periods == "window" else int(options.min_periods)


def longest_window(options: Options, n: int) -> int:
    """Return how many of n samples are transformed at once."""
    return n if options.lookahead is None else min(n, options.window + options.lookahead)


def with_values(
    x: npt.NDArray[np.float64], y: npt.NDArray[np.float64]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return what guardrails compare: from the first to the last sample with a value, the others missing."""
    there = np.flatnonzero(~np.isnan(y).all(axis=0)) if y.size else np.empty(0, dtype=np.intp)
    if there.size == 0:
        return x[:, :0].copy(), y[:, :0].copy()
    span = slice(int(there[0]), int(there[-1]) + 1)
    return np.where(np.isnan(y[:, span]), np.nan, x[:, span]), np.ascontiguousarray(y[:, span])


def without_warmup(
    x: npt.NDArray[np.float64], y: npt.NDArray[np.float64], lookahead: int
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return the same where it is not known why values of y are missing.

    Those before the first value of a series, and the last `lookahead` ones, are no loss; others are.
    """
    early = np.cumsum(~np.isnan(y), axis=-1) == 0
    early[:, max(0, y.shape[1] - lookahead) :] |= np.isnan(y[:, max(0, y.shape[1] - lookahead) :])
    kept = np.flatnonzero(~early.all(axis=0)) if y.size else np.empty(0, dtype=np.intp)
    span = slice(int(kept[0]), int(kept[-1]) + 1) if kept.size else slice(0)
    return np.where(early, np.nan, x)[:, span].copy(), np.ascontiguousarray(y[:, span])


def runner(chain: _core.Denoiser, windowed: _core.Windowed | _core.Causal | None) -> Any:
    """Return ``run(x, out, starts=, threads=)``: what the chain reports, and the warm-up of each series."""
    if windowed is not None:
        return windowed.run

    def offline(x: Any, out: Any, *, starts: list[int], threads: int) -> Any:
        return chain.run(x, out, starts=starts, threads=threads), np.zeros(len(x), dtype=np.int64)

    return offline
