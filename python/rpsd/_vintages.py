# SPDX-License-Identifier: MIT
"""What an estimate was as it aged, and by how much the newest one will still move."""

import math
import sys
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec
import numpy as np
import numpy.typing as npt

from rpsd._errors import InputError
from rpsd._mirror import is_frame, mirror

_F64 = npt.NDArray[np.float64]

# Revisions remembered, samples between two looks at them, and how fast their quantile follows the share
# of misses. Measured in docs/causality.md.
_MEMORY: Final = 256
_EVERY: Final = 8
_LEARNING: Final = 0.005
# Where misses stay away the quantile gives way, but not so far that it misses oftener than this many times.
_MOST_MISSES: Final = 5.0
# An offline run of a growing series is made anew after an eighth more samples; its newest values are not
# final yet.
_GROWTH: Final = 8
_UNSETTLED: Final = 64


@dataclass(frozen=True, slots=True)
class _Looks:
    """What was known of revisions, look after look.

    Attributes
    ----------
    clock : ndarray of int
        The newest sample at each look.
    first, count : ndarray of int
        The first sample whose revision is remembered then, and the number of them.
    offset : ndarray of int
        Where they stand in revisions.
    revisions : ndarray of float64, shape (series, places, lags)
    """

    clock: npt.NDArray[np.int64]
    first: npt.NDArray[np.int64]
    count: npt.NDArray[np.int64]
    offset: npt.NDArray[np.int64]
    revisions: _F64

    def remembered(self, look: int) -> _F64:
        start = self.offset[look]
        return self.revisions[:, start : start + self.count[look]]


@dataclass(frozen=True, slots=True, eq=False)
class Vintages:
    """Estimates of the same samples at several ages; `Denoiser.vintages` makes them.

    The value of sample t at lag L is what was known of it at t + L. The value at the last lag is the
    final one, and its difference to that at lag L the revision of lag L.

    Attributes
    ----------
    values : ndarray or DataFrame
        An ndarray has the shape of the input and an axis of lags behind it: (..., n, lags). A Series
        gives a DataFrame with a column for each lag, a DataFrame one with the lag as the first level of
        its columns, so that ``values[lag]`` is what ``denoise(x, lookahead=lag)`` gives; the lag None is
        called ``offline`` there.
    lags : tuple of int or None
    revision_sd : ndarray, shape (..., lags), or Series
        Root mean square of the newest 256 revisions that were known at the end of the series: how far
        values of this age still move. NaN where there were none; 0 for the last lag.
    """

    values: Any = field(repr=False)
    lags: tuple[int | None, ...]
    revision_sd: Any
    _looks: _Looks = field(repr=False)
    _axis: int = field(repr=False)

    def band(self, level: float = 0.9) -> tuple[Any, Any]:
        """Return bounds between which the final value will lie with a probability.

        The band of sample t at lag L is made when its value is, at t + L, of what was known then:
        ``value - h`` to ``value + h``, with h a quantile of the sizes of the newest 256 revisions of lag L
        whose final values were there. Which quantile follows from the past as well: it begins with
        level, moves up by 0.005 ``level`` for each miss and down by 0.005 ``(1 - level)`` for each hit
        (adaptive conformal inference [1]_), so that the share of hits comes back to level where
        volatility moves. With the last lag None a final value is never there for good: revisions are
        then those to offline runs of the series so far, made anew after each eighth more samples, but for
        the newest 64 samples.

        Parameters
        ----------
        level : float
            Probability, between 0 and 1.

        Returns
        -------
        lower, upper : ndarray or DataFrame
            Like `values`. NaN until ``level / (1 - level)`` revisions were known.

        References
        ----------
        .. [1] I. Gibbs, E. Candes, "Adaptive conformal inference under distribution shift", Advances in
           Neural Information Processing Systems 34, 2021.

        Examples
        --------
        >>> import rpsd
        >>> v = rpsd.Denoiser().vintages(rpsd.simulate("a", 3000, seed=1).noisy)
        >>> lower, upper = v.band()
        >>> final = v.values[300:-30, -1]
        >>> bool(0.87 < ((lower[300:-30, 0] <= final) & (final <= upper[300:-30, 0])).mean() < 0.93)
        True
        """
        number = isinstance(level, float | int | np.floating) and not isinstance(level, bool)
        if not number or not 0 < level < 1:
            raise InputError(f"level must be a number between 0 and 1, got {level!r}")
        values = self.values
        frame = hasattr(values, "columns")
        n = values.shape[0 if frame else self._axis]
        half = _half_widths(self._looks, self.lags, n, float(level))
        if frame:
            half = half.transpose(1, 2, 0).reshape(n, -1)
        else:
            outer = np.delete(values.shape[:-1], self._axis)
            half = np.moveaxis(half.reshape(*outer, *half.shape[1:]), -2, self._axis).astype(values.dtype)
        return values - half, values + half


def make_vintages(denoiser: Any, x: Any, lags: Iterable[int | None], axis: int, threads: int) -> Vintages:
    """Return what `Denoiser.vintages` does, for a Denoiser, whose module needs this one."""
    ladder = _checked_lags(lags)
    source = mirror(x, axis)
    if is_frame(x) and source.shape != ():
        raise InputError(
            f"x must be an array, a single series or a pandas object, got a {type(x).__name__}; convert it, "
            "as by to_pandas()"
        )
    runs = [_denoised(denoiser, lag, x, axis, threads) for lag in ladder]
    table = np.stack([_series(run, axis) for run in runs], axis=-1)
    if ladder[-1] is None:
        looks = _offline_looks(denoiser, x, axis, threads, ladder, table)
    else:
        looks = _lagged_looks(table, ladder[-1])
    newest = looks.remembered(-1) if looks.clock.size else table[:, :0]
    with np.errstate(invalid="ignore"):  # 0 / 0 where no revision is known
        sd = np.sqrt(np.nansum(newest**2, axis=1) / np.count_nonzero(~np.isnan(newest), axis=1))
    if source.index is None:
        place = axis % (np.ndim(runs[0]))
        values, sd = np.stack(runs, axis=-1), sd.reshape(*source.shape, len(ladder))
    else:
        pandas, place = sys.modules["pandas"], 0
        labels = ["offline" if lag is None else lag for lag in ladder]
        values = pandas.concat(runs, axis=1, keys=labels, names=["lag"])
        sd = pandas.Series(sd.T.ravel(), index=values.columns, name="revision_sd")
    return Vintages(values, ladder, sd, looks, place)


def _checked_lags(lags: Iterable[int | None]) -> tuple[int | None, ...]:
    try:
        given = tuple(lags)
    except TypeError:
        given = ()
    finite = given[:-1] if given and given[-1] is None else given
    whole = all(
        isinstance(lag, int | np.integer) and not isinstance(lag, bool) and lag >= 0 for lag in finite
    )
    if not given or not whole or list(finite) != sorted(set(finite)):  # type: ignore[type-var]
        allowed = "integers of at least 0 that ascend, and None (offline) behind them"
        raise InputError(f"lags must be {allowed}, got {lags!r}")
    return tuple(None if lag is None else int(lag) for lag in given)


def _denoised(denoiser: Any, lag: int | None, x: Any, axis: int, threads: int, n: int | None = None) -> Any:
    """Return the run with a lag, of the first n samples where n is given."""
    breaks = denoiser.options.breaks
    if n is not None:
        if isinstance(breaks, tuple):
            index = getattr(x, "index", None)
            breaks = tuple(breaks.aligned_with(index) if hasattr(breaks, "aligned_with") else breaks)[:n]
        x = (
            x.iloc[:n]
            if hasattr(x, "iloc")
            else np.moveaxis(np.moveaxis(np.asarray(x), axis, 0)[:n], 0, axis)
        )
    options = msgspec.structs.replace(denoiser.options, lookahead=lag, breaks=breaks)
    run = type(denoiser)(options, guardrails=denoiser.guardrails)
    return run.denoise(x, axis=axis, threads=threads)


def _series(run: Any, axis: int) -> _F64:
    """Return series x time."""
    if hasattr(run, "to_numpy"):
        table = run.to_numpy(dtype=np.float64, na_value=np.nan)
        return np.asarray(table.reshape(len(run), -1).T)
    last = np.moveaxis(np.asarray(run, dtype=np.float64), axis, -1)
    return last.reshape(math.prod(last.shape[:-1]), last.shape[-1])


def _lagged_looks(table: _F64, last: int) -> _Looks:
    """Return looks at revisions to the value of the last lag."""
    clock = np.arange(last, table.shape[1], _EVERY)
    end = clock - last + 1
    first = np.maximum(end - _MEMORY, 0)
    return _Looks(clock, first, end - first, first, table[:, :, -1:] - table)


def _offline_looks(
    denoiser: Any, x: Any, axis: int, threads: int, lags: tuple[int | None, ...], table: _F64
) -> _Looks:
    """Return looks at revisions to offline runs of the series so far."""
    unsettled = max(_UNSETTLED, *(lag for lag in lags if lag is not None), 0)
    clock, first, revisions = [], [], []
    known = unsettled + unsettled // _GROWTH
    while known <= table.shape[1]:
        so_far = _series(_denoised(denoiser, None, x, axis, threads, known), axis)
        end = known - unsettled
        start = max(end - _MEMORY, 0)
        move = so_far[:, start:end, None] - table[:, start:end]
        move[..., -1] = 0.0
        clock.append(known - 1)
        first.append(start)
        revisions.append(move)
        known += known // _GROWTH
    count = np.array([move.shape[1] for move in revisions], dtype=np.int64)
    return _Looks(
        np.array(clock, dtype=np.int64),
        np.array(first, dtype=np.int64),
        count,
        np.cumsum(count) - count,
        np.concatenate([table[:, :0], *revisions], axis=1),
    )


def _half_widths(looks: _Looks, lags: tuple[int | None, ...], n: int, level: float) -> _F64:
    """Return the half width of the band, series x time x lags."""
    series, _, width = looks.revisions.shape
    half = np.full((series, n, width), np.nan)
    quantile = np.full((series, width), level)
    least = max(1 - _MOST_MISSES * (1 - level), 0.0)
    told = 0
    for look, clock in enumerate(looks.clock):
        sizes = np.abs(looks.remembered(look))
        begin = looks.first[look]
        fresh = max(told - begin, 0)
        told = begin + looks.count[look]
        bounds = half[:, begin + fresh : told]
        judged = ~np.isnan(sizes[:, fresh:]) & ~np.isnan(bounds)
        misses = np.count_nonzero(judged & (sizes[:, fresh:] > bounds), axis=1)
        quantile += _LEARNING * (misses - (1 - level) * np.count_nonzero(judged, axis=1))
        np.clip(quantile, least, 1.0, out=quantile)
        found = _upper_bound(sizes, level, quantile)
        until = looks.clock[look + 1] if look + 1 < len(looks.clock) else sys.maxsize
        for k, lag in enumerate(lags[:-1]):
            assert lag is not None  # only the last may be
            half[:, max(clock - lag, 0) : max(until - lag, 0), k] = found[:, k, None]
    half[..., -1] = 0.0
    return half


def _upper_bound(sizes: _F64, level: float, quantile: _F64) -> _F64:
    """Return what a new size exceeds as seldom as asked; sizes are series x samples x lags."""
    ranked = np.sort(sizes, axis=1)  # NaN come last
    count = np.count_nonzero(~np.isnan(sizes), axis=1)
    tiny = 1e-9  # 0.9 * 10 may be a little more than 9
    rank = np.clip(np.ceil(quantile * (count + 1) - tiny), 1, np.maximum(count, 1)).astype(np.int64)
    found = np.take_along_axis(ranked, rank[:, None] - 1, axis=1)[:, 0]
    return np.where(level * (count + 1) - tiny <= count, found, np.nan)
