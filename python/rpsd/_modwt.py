# SPDX-License-Identifier: MIT
"""The maximal overlap (translation-invariant, undecimated) wavelet transform and its inverse."""

import operator
from typing import Any

import numpy as np
import numpy.typing as npt

from rpsd import _core
from rpsd._errors import InputError
from rpsd._mirror import mirror, numeric_array, raise_from_core
from rpsd._wavelet import filter_bank

_BOUNDARIES = ("symmetric", "periodic")
_MOST_LEVELS = 64


def modwt(x: Any, wavelet: Any, level: int, boundary: str = "symmetric") -> npt.NDArray[Any]:
    """Return the maximal overlap discrete wavelet transform of a series, or of each of several.

    Every level has as many coefficients as the series has samples, for any length; shifting a
    periodic series shifts its coefficients.

    Parameters
    ----------
    x : array_like, pandas.Series or pandas.DataFrame
        One series or more, time last (DataFrame: time x series). float32 stays float32, integers
        become float64. NaN and infinities spread as far as the filters reach.
    wavelet : str or pywt.Wavelet
        Any discrete wavelet of PyWavelets, biorthogonal ones included.
    level : int
        Levels, from 0 (the series itself) to 64.
    boundary : {"symmetric", "periodic"}, optional
        periodic : the series repeats; Percival & Walden's definition.
        symmetric : the series followed by its mirror repeats (half-point reflection). Of each
        level's 2n coefficients those n are returned that stand over the series, which takes out the
        delay of the level's filter: ``np.roll(modwt(np.r_[x, x[::-1]], ..., "periodic"),
        -lag)[:n]``, lag being the filter's centre of energy.

    Returns
    -------
    ndarray, shape (level + 1, n)
        V_J, W_J, ..., W_1: convolutions, over past samples, with PyWavelets' dec_lo and dec_hi divided
        by sqrt(2), so that a coefficient of `wavedec` with mode periodization is one of these times
        2^(j/2). Several series: shape (..., level + 1, n).

    Raises
    ------
    InputError
        For x without a dimension or without samples, and for a bad wavelet, level or boundary.

    Notes
    -----
    With boundary periodic and an orthogonal wavelet the sum of all squared coefficients is that of
    the squared samples. docs/decisions/0007-modwt.md says why symmetric keeps the coefficients it
    keeps.

    References
    ----------
    D. B. Percival, A. T. Walden, "Wavelet Methods for Time Series Analysis", Cambridge University
    Press, 2000, chapter 5.

    Examples
    --------
    >>> import rpsd
    >>> rpsd.modwt([1.0, 3.0, 5.0, 11.0], "haar", 1, "periodic")
    array([[ 6.,  2.,  4.,  8.],
           [ 5., -1., -1., -3.]])
    """
    bank = filter_bank(wavelet)
    _check_boundary(boundary)
    level = _checked_level(level)
    source = mirror(x, -1)
    n = source.batches[0].shape[-1]
    if n == 0:
        raise InputError(f"x must have at least one sample along time, got shape {np.shape(x)}")
    try:
        parts = [
            _core.modwt(batch, bank=bank, boundary=boundary, level=level, threads=1)
            for batch in source.batches
        ]
    except ValueError as error:
        raise_from_core(error)
    coeffs = parts[0] if len(parts) == 1 else np.concatenate(parts)[source.order]
    return coeffs.reshape(*source.shape, level + 1, n)


def imodwt(coeffs: npt.ArrayLike, wavelet: Any, boundary: str = "symmetric") -> npt.NDArray[Any]:
    """Return the series that `modwt` made the coefficients of.

    Parameters
    ----------
    coeffs : array_like, shape (..., level + 1, n)
        V_J, W_J, ..., W_1, changed or not. float32 stays float32.
    wavelet, boundary : optional
        Those of `modwt`.

    Returns
    -------
    ndarray, shape (..., n)
        Coefficients that no series has give with boundary periodic the synthesis sum, which for an
        orthogonal wavelet is the series whose coefficients are nearest (least squares); with boundary
        symmetric the same away from the ends, and least squares for the (F - 1)(2^level - 1) samples
        at each end, F being the number of taps.

    Raises
    ------
    InputError
        For coeffs of fewer than two dimensions or without samples, and for a bad wavelet or
        boundary; with boundary symmetric also for coefficients that are not finite.

    References
    ----------
    See `modwt`.

    Examples
    --------
    >>> import rpsd
    >>> rpsd.imodwt(rpsd.modwt([1.0, 3.0, 5.0, 11.0], "db4", 3), "db4").round(9)
    array([ 1.,  3.,  5., 11.])
    """
    bank = filter_bank(wavelet)
    _check_boundary(boundary)
    array = numeric_array(coeffs, "coeffs")
    if array.ndim < 2 or array.shape[-1] == 0 or not 1 <= array.shape[-2] <= _MOST_LEVELS + 1:
        raise InputError(
            f"coeffs must have shape (..., level + 1, n) with level from 0 to {_MOST_LEVELS} and n >= 1, "
            f"got {array.shape}"
        )
    if boundary == "symmetric" and not np.isfinite(array).all():
        raise InputError('coeffs must be finite with boundary="symmetric", got NaN or inf')
    outer = array.shape[:-2]
    rows = np.require(array, requirements=["C", "A"]).reshape(-1, *array.shape[-2:])
    try:
        x = _core.imodwt(rows, bank=bank, boundary=boundary, threads=1)
    except ValueError as error:
        raise_from_core(error)
    return x.reshape(*outer, array.shape[-1])


def _check_boundary(boundary: Any) -> None:
    if not isinstance(boundary, str) or boundary not in _BOUNDARIES:
        raise InputError(f"boundary must be one of {', '.join(_BOUNDARIES)}, got {boundary!r}")


def _checked_level(level: Any) -> int:
    allowed = f"level must be an integer from 0 to {_MOST_LEVELS}"
    try:
        chosen = operator.index(level)
    except TypeError:
        raise InputError(f"{allowed}, got {level!r}") from None
    if isinstance(level, bool) or not 0 <= chosen <= _MOST_LEVELS:
        raise InputError(f"{allowed}, got {level!r}")
    return chosen
