# SPDX-License-Identifier: MIT
"""What tuning scores: how well estimates forecast the next sample, and how smooth an output is."""

from typing import Final

import numpy as np
import numpy.typing as npt

from rpsd._folds import Split, inside

_F64 = npt.NDArray[np.float64]
_Mask = npt.NDArray[np.bool_]

#: Degrees of freedom of the forecast's Student t distribution.
DEGREES: Final = 4.0
#: Fewer training errors do not tell a scale.
LEAST_ERRORS: Final = 16
_PRECISION: Final = 1e-12
_MOST_ROUNDS: Final = 1000


def forecast_errors(x: _F64, y: _F64, starts: list[int]) -> _F64:
    """Return x[t] less the newest y before t of the same session, series x time; NaN where there is none."""
    n = x.shape[1]
    newest = np.where(np.isnan(y), -1, np.arange(n))
    forecast = np.full_like(x, np.nan)
    for begin, stop in zip([0, *starts], [*starts, n], strict=True):
        last = np.maximum.accumulate(newest[:, begin:stop], axis=1)[:, :-1]
        known = np.take_along_axis(y, np.maximum(last, 0), axis=1)
        forecast[:, begin + 1 : stop] = np.where(last >= 0, known, np.nan)
    return x - forecast


def error_scale(errors: _F64, least: float) -> float:
    """Return the scale of a Student t distribution about 0 by maximum likelihood, or least.

    With r = (e / s)² the likelihood is greatest where the mean of 5 r / (4 + r) is 1, which the EM
    algorithm finds: s² is multiplied by that mean until it stays.

    Examples
    --------
    >>> round(error_scale(np.random.default_rng(0).standard_t(4, 100_000) * 3, 0.0), 1)
    3.0
    """
    scale = max(float(np.max(np.abs(errors))), least)
    if scale == 0:
        return least
    for _ in range(_MOST_ROUNDS):
        squares = (errors / scale) ** 2
        factor = (DEGREES + 1) * float(np.mean(squares / (DEGREES + squares)))
        scale *= factor**0.5
        if scale <= least:
            return least
        if abs(factor - 1) < _PRECISION:
            break
    return scale


def log_density(errors: _F64, scale: float) -> _F64:
    """Return the log density of Student's t with 4 degrees of freedom, without its constant."""
    return np.asarray(-np.log(scale) - (DEGREES + 1) / 2 * np.log1p((errors / scale) ** 2 / DEGREES))


def likelihood_scores(
    errors: _F64, naive: _F64, usable: _Mask, splits: list[Split]
) -> list[tuple[float, float]]:
    """Return, fold by fold, the score on the training part and that on the test part.

    A score is the mean, over the samples of all series, of the log density of the error of the
    forecast less that of the naive forecast (the newest price), each with the scale of its
    own errors in the training part. Series without 16 errors or without a move there do not count.

    Parameters
    ----------
    errors, naive : ndarray, shape (series, time)
        Errors of the candidate's forecasts, and of the naive ones.
    usable : ndarray of bool, shape (series, time)
        Where every candidate has a forecast.
    splits : list of Split

    Returns
    -------
    list of (float, float)
        NaN where no sample counts.
    """
    scores = []
    for train, test in splits:
        parts = [inside(stretches, errors.shape[1]) for stretches in (train, (test,))]
        gains: tuple[list[_F64], list[_F64]] = ([], [])
        for error, raw, known in zip(errors, naive, usable, strict=True):
            fitted = known & parts[0]
            moves = np.abs(raw[fitted])
            moves = moves[moves > 0]
            if np.count_nonzero(fitted) < LEAST_ERRORS or moves.size == 0:
                continue
            # Prices on ticks: an error within the rounding of a price is as good as none.
            least = float(moves.min()) / 12**0.5
            scale, raw_scale = error_scale(error[fitted], least), error_scale(raw[fitted], least)
            for part, gain in zip(parts, gains, strict=True):
                here = known & part
                gain.append(log_density(error[here], scale) - log_density(raw[here], raw_scale))
        scores.append((_mean(gains[0]), _mean(gains[1])))
    return scores


def _mean(pieces: list[_F64]) -> float:
    values = np.concatenate([np.empty(0), *pieces])
    return float(np.mean(values)) if values.size else float("nan")


def smoothness(x: _F64, y: _F64) -> float:
    """Return how much smoother y is than x, in decibels.

    -10 log10 of the sum of squared second differences of y over that of x, both over the places where
    x and y have three samples in a row; of several series the mean of that ratio. 0 for y = x, inf for
    straight lines, NaN where x has no second difference.

    Examples
    --------
    >>> x = np.array([[0.0, 1.0, 0.0, 1.0, 0.0]])
    >>> round(smoothness(x, x / 10), 9)
    20.0
    """
    ratios = []
    for before, after in zip(x, y, strict=True):
        bent, left = np.diff(before, 2), np.diff(after, 2)
        there = ~np.isnan(bent) & ~np.isnan(left)
        largest = np.max(np.abs(bent[there]), initial=0.0)
        if largest > 0:
            ratios.append(np.sum((left[there] / largest) ** 2) / np.sum((bent[there] / largest) ** 2))
    if not ratios:
        return float("nan")
    with np.errstate(divide="ignore"):
        return float(-10 * np.log10(np.mean(ratios)))
