# SPDX-License-Identifier: MIT
"""What tuning scores: how well estimates forecast the next sample, and how smooth an output is."""

from typing import Final, NamedTuple

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


class Naive(NamedTuple):
    """What the forecast of one series in one fold is compared with: the newest price.

    Attributes
    ----------
    row : int
        Which series.
    train, test : ndarray of int
        Its samples that count in the two parts.
    train_log, test_log : ndarray of float64
        Log densities of the errors there.
    least : float
        Of a scale: errors within the rounding of a price are as good as none.
    """

    row: int
    train: npt.NDArray[np.intp]
    test: npt.NDArray[np.intp]
    train_log: _F64
    test_log: _F64
    least: float


def references(naive: _F64, usable: _Mask, splits: list[Split]) -> list[list[Naive]]:
    """Return, fold by fold, the reference of each series that has 16 errors and a move to train on.

    Parameters
    ----------
    naive : ndarray, shape (series, time)
        Errors of the newest price as the forecast.
    usable : ndarray of bool, shape (series, time)
        Where every candidate has a forecast.
    splits : list of Split
    """
    found: list[list[Naive]] = []
    for split in splits:
        trained, tested = (inside(part, naive.shape[1]) for part in (split.train, (split.test,)))
        found.append([])
        for row, (errors, known) in enumerate(zip(naive, usable, strict=True)):
            train, test = np.flatnonzero(known & trained), np.flatnonzero(known & tested)
            moves = np.abs(errors[train])
            moves = moves[moves > 0]
            if train.size < LEAST_ERRORS or moves.size == 0:
                continue
            least = float(moves.min()) / 12**0.5
            scale = error_scale(errors[train], least)
            logs = [log_density(errors[part], scale) for part in (train, test)]
            found[-1].append(Naive(row, train, test, logs[0], logs[1], least))
    return found


def likelihood_scores(errors: _F64, against: list[list[Naive]]) -> list[tuple[float, float]]:
    """Return, fold by fold, the score on the training part and that on the test part.

    A score is the mean, over the samples of all series, of the log density of a candidate's errors,
    series x time, with their scale in the training part, less that of the reference; NaN where no
    sample counts.
    """
    scores = []
    for fold in against:
        trained, tested = [np.empty(0)], [np.empty(0)]
        for reference in fold:
            error = errors[reference.row]
            scale = error_scale(error[reference.train], reference.least)
            trained.append(log_density(error[reference.train], scale) - reference.train_log)
            tested.append(log_density(error[reference.test], scale) - reference.test_log)
        scores.append((_mean(trained), _mean(tested)))
    return scores


def _mean(pieces: list[_F64]) -> float:
    values = np.concatenate(pieces)
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
