# SPDX-License-Identifier: MIT
"""Multilevel wavelet transform and its inverse, as drop-ins for PyWavelets' wavedec and waverec."""

import math
import operator
from collections.abc import Sequence
from functools import cache, lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from rpsd import _core
from rpsd._errors import InputError, warn
from rpsd._mirror import checked_axis, raise_from_core

_Taps = tuple[float, ...]
#: dec_lo, dec_hi, rec_lo, rec_hi
_Bank = tuple[_Taps, _Taps, _Taps, _Taps]
_Array = npt.NDArray[Any]

_BOUNDARIES = (
    "symmetric", "zero", "constant", "smooth", "periodic",
    "reflect", "periodization", "antisymmetric", "antireflect",
)  # fmt: skip
_COEFFICIENT_DTYPES = frozenset(map(np.dtype, (np.float32, np.float64, np.complex64, np.complex128)))


class _AxisError(InputError, np.exceptions.AxisError):
    """An axis that the array does not have, by NumPy's name as well, which PyWavelets' callers may catch."""

    def __reduce__(self) -> tuple[type["_AxisError"], tuple[str]]:
        # Left to Exception, Dask rebuilds it without calling __init__, which sets the slots.
        return type(self), (str(self),)


def wavedec(
    x: Any, wavelet: Any, mode: Any = "symmetric", level: int | None = None, axis: int = -1
) -> list[_Array]:
    """Decompose a signal into wavelet coefficients; takes the place of ``pywt.wavedec``.

    Parameters
    ----------
    x : array_like
        Signals along one axis, real or complex. float32 and complex64 (and float16, as float32) are
        worked on in single precision, all other dtypes in double. Never modified.
    wavelet : str or pywt.Wavelet
        Name of a discrete wavelet (``pywt.wavelist(kind="discrete")``), or a filter bank.
    mode : str or int, optional
        How the signal is extended past its ends: symmetric, reflect, periodic, zero, constant,
        smooth, antisymmetric, antireflect or periodization; or a member of ``pywt.Modes``.
    level : int, optional
        Levels of decomposition, at least 0; 0 returns x. None: ``pywt.dwt_max_level``.
    axis : int, optional
        The axis to transform.

    Returns
    -------
    list of ndarray
        ``[cA_L, cD_L, ..., cD_1]``. A level of F taps on n samples has ``(n + F - 1) // 2``
        coefficients, or ``(n + 1) // 2`` with periodization.

    Raises
    ------
    InputError
        For x without a dimension or without samples (reflect and antireflect: with a single one),
        and for a bad wavelet, mode, level or axis.

    Warns
    -----
    UserWarning
        For a level above ``pywt.dwt_max_level``; it is computed all the same.

    References
    ----------
    S. Mallat, "A theory for multiresolution signal decomposition: the wavelet representation", IEEE
    Trans. Pattern Analysis and Machine Intelligence 11(7), 1989. PyWavelets, doi:10.21105/joss.01237.

    Examples
    --------
    >>> import rpsd
    >>> [c.round(3).tolist() for c in rpsd.wavedec([1.0, 3.0, 5.0, 11.0], "haar")]
    [[10.0], [-6.0], [-1.414, -4.243]]
    """
    if axis == -1 and type(mode) is str and mode in _BOUNDARIES:
        plain: list[_Array] | None = _transform(filter_bank(wavelet), mode).wavedec_series(x, level)
        if plain is not None:
            return plain
    bank = filter_bank(wavelet)
    array = _as_array(x, "x")
    axis = _checked_axis(axis, array.ndim, "x")
    n = array.shape[axis]
    level = _checked_level(level, n, len(bank[0]))
    if level == 0:
        return [array]  # whatever the mode, as in PyWavelets
    boundary = _boundary(mode)
    if n == 0:
        raise InputError(f"x must have at least one sample along axis {axis}, got shape {array.shape}")
    if boundary in ("reflect", "antireflect"):
        _require_two_samples(boundary, n, level, len(bank[0]))
    layout = _Layout(array.shape, axis, _coefficient_dtype([array]))
    rows = layout.to_rows(array, "x")
    try:
        coeffs = _transform(bank, boundary).wavedec(rows, level=level, threads=1)
    except ValueError as error:
        raise_from_core(error)
    return [layout.from_rows(c) for c in coeffs]


def waverec(coeffs: Sequence[Any], wavelet: Any, mode: Any = "symmetric", axis: int = -1) -> Any:
    """Reconstruct a signal from wavelet coefficients; takes the place of ``pywt.waverec``.

    Parameters
    ----------
    coeffs : list or tuple
        ``[cA_L, cD_L, ..., cD_1]`` as `wavedec` returns them. The approximation, or any detail, may
        be None and counts as zeros; they may differ in dtype. A single element is returned as it is.
    wavelet, mode : optional
        Those of the decomposition; see `wavedec`.
    axis : int, optional
        The axis that was transformed.

    Returns
    -------
    ndarray
        The signal; one sample longer than what was decomposed where that had an odd length.
        Single precision only if all coefficients have it.

    Raises
    ------
    InputError
        For coeffs that is no list or tuple or is empty, coefficients whose shapes do not fit to one
        another or to the wavelet, and a bad wavelet, mode or axis.

    References
    ----------
    See `wavedec`.

    Examples
    --------
    >>> import rpsd
    >>> rpsd.waverec(rpsd.wavedec([1.0, 3.0, 5.0, 11.0], "db2"), "db2").round(9)
    array([ 1.,  3.,  5., 11.])
    """
    plain_mode = type(mode) is str and mode in _BOUNDARIES
    if axis == -1 and plain_mode and type(coeffs) is list and len(coeffs) > 1:
        plain = _transform(filter_bank(wavelet), mode).waverec_series(coeffs)
        if plain is not None:
            return plain
    if not isinstance(coeffs, list | tuple):
        raise InputError(f"coeffs must be a list or tuple of arrays, got {type(coeffs).__name__}")
    if not coeffs:
        raise InputError("coeffs must hold at least one array, got none")
    if len(coeffs) == 1:
        return coeffs[0]
    arrays = _checked_types(coeffs)
    known = [c for c in arrays if c is not None]
    if arrays[0] is None and arrays[1] is None:
        raise InputError("coeffs[0] and coeffs[1] must not both be None")
    # Before wavelet and mode, as in PyWavelets, which has a class for it.
    axes = [_checked_axis(axis, c.ndim, "coeffs") for c in known]
    bank = filter_bank(wavelet)
    boundary = _boundary(mode)
    axis = axes[0]
    lengths = _checked_lengths(arrays, axis, len(bank[0]), boundary)
    layout = _Layout(known[0].shape, axis, _coefficient_dtype(known))
    rows = [
        layout.zeros(lengths[i]) if c is None else layout.to_rows(c, f"coeffs[{i}]")
        for i, c in enumerate(arrays)
    ]
    try:
        return layout.from_rows(_transform(bank, boundary).waverec(rows, threads=1))
    except ValueError as error:
        raise_from_core(error)


def filter_bank(wavelet: Any) -> _Bank:
    """Return dec_lo, dec_hi, rec_lo and rec_hi of a discrete wavelet, each a tuple of floats.

    Parameters
    ----------
    wavelet : str or pywt.Wavelet
        A name in any case, or an object with filters of its own.

    Raises
    ------
    InputError
        For anything else, continuous wavelets included.

    Examples
    --------
    >>> from rpsd._wavelet import filter_bank
    >>> [round(tap, 3) for tap in filter_bank("haar")[0]]
    [0.707, 0.707]
    """
    if isinstance(wavelet, str):
        return _named_bank(wavelet.lower())
    import pywt

    if isinstance(wavelet, pywt.Wavelet):
        return _frozen_bank(wavelet)
    raise InputError(
        f"wavelet must be the name of a discrete wavelet or a pywt.Wavelet, got {type(wavelet).__name__}"
    )


@cache
def _named_bank(name: str) -> _Bank:
    import pywt

    if name not in pywt.wavelist(kind="discrete"):
        raise InputError(
            f'wavelet must be a discrete wavelet, one of pywt.wavelist(kind="discrete"), got {name!r}'
        )
    return _frozen_bank(pywt.Wavelet(name))


@lru_cache(maxsize=64)
def _transform(bank: _Bank, boundary: str) -> _core.Transform:
    return _core.Transform(bank=bank, boundary=boundary)


def _frozen_bank(wavelet: Any) -> _Bank:
    dec_lo, dec_hi, rec_lo, rec_hi = (tuple(taps) for taps in wavelet.filter_bank)
    return dec_lo, dec_hi, rec_lo, rec_hi


def _boundary(mode: Any) -> str:
    if isinstance(mode, str) and mode in _BOUNDARIES:
        return mode
    import pywt

    members = {int(getattr(pywt.Modes, name)): str(name) for name in pywt.Modes.modes}
    try:
        # from_object warns of the short names that PyWavelets is giving up.
        return members[int(pywt.Modes.from_object(mode))]
    except (KeyError, TypeError, ValueError):
        allowed = ", ".join(_BOUNDARIES)
        raise InputError(f"mode must be one of {allowed} or a member of pywt.Modes, got {mode!r}") from None


def _as_array(values: Any, name: str) -> _Array:
    try:
        return np.asarray(values)
    except ValueError as error:
        raise InputError(f"{name} must be an array of numbers: {error}") from None


def _checked_axis(axis: Any, ndim: int, name: str) -> int:
    try:
        return checked_axis(axis, ndim, name)
    except InputError as error:
        raise _AxisError(str(error)) from None


def _checked_level(level: Any, n: int, taps: int) -> int:
    if level is None:
        return deepest_level(n, taps)
    try:
        chosen = operator.index(level)
    except TypeError:
        raise InputError(f"level must be an integer >= 0 or None, got {level!r}") from None
    if chosen < 0:
        raise InputError(f"level must be an integer >= 0 or None, got {chosen}")
    if chosen > deepest_level(n, taps):
        warn(  # in PyWavelets' words and class, which filters may know
            f"Level value of {level} is too high: all coefficients will experience boundary effects.",
            UserWarning,
        )
    return chosen


def deepest_level(n: int, taps: int) -> int:
    """Return the deepest level with a coefficient that no extension touches, floor(log2(n / (taps - 1)))."""
    return max((n // (taps - 1)).bit_length() - 1, 0)


def warn_of_level(level: int, n: int, taps: int) -> None:
    """Warn of a level at which only extended samples speak; it is still computed."""
    if level > deepest_level(n, taps):
        warn(
            f"Level value of {level} is too high for {n} samples and {taps} taps: above level "
            f"{deepest_level(n, taps)} every coefficient depends on how the signal is extended"
        )


def _require_two_samples(boundary: str, n: int, level: int, taps: int) -> None:
    """Refuse what PyWavelets refuses: a single sample, which has no neighbour to reflect."""
    for i in range(1, level + 1):
        if n == 1:
            raise InputError(f"mode {boundary} needs at least 2 samples at every level, got 1 at level {i}")
        n = (n + taps - 1) // 2


def _coefficient_dtype(arrays: list[_Array]) -> np.dtype[Any]:
    """Return PyWavelets' dtype for the arrays: their own if it is one and the same, else double."""
    singles = {np.dtype(np.float16): np.dtype(np.float32)}
    dtypes = {singles.get(a.dtype, a.dtype) for a in arrays}
    if len(dtypes) == 1 and dtypes <= _COEFFICIENT_DTYPES:
        return dtypes.pop()
    return np.dtype(np.complex128 if any(d.kind == "c" for d in dtypes) else np.float64)


def _checked_types(coeffs: Sequence[Any]) -> list[_Array | None]:
    for i, c in enumerate(coeffs[1:], start=1):
        if c is not None and not isinstance(c, np.ndarray):
            # The first four words are those by which callers of PyWavelets know this error.
            raise InputError(
                f"Unexpected detail coefficient type: coeffs[{i}] must be an ndarray or None, got "
                f"{type(c).__name__}"
            )
    return [None if coeffs[0] is None else _as_array(coeffs[0], "coeffs[0]"), *coeffs[1:]]


def _checked_lengths(arrays: list[_Array | None], axis: int, taps: int, boundary: str) -> list[int]:
    """Return the length of each coefficient array along axis, or raise InputError where they do not fit."""
    first = next(a for a in arrays if a is not None)
    approximation = first.shape[axis]
    lengths = [approximation]
    for i, detail in enumerate(arrays[1:], start=1):
        n = approximation
        if detail is not None:
            if detail.ndim != first.ndim or _without(detail.shape, axis) != _without(first.shape, axis):
                raise InputError(
                    f"coeffs must have one shape but for axis {axis}, got {first.shape} and {detail.shape}"
                )
            n = detail.shape[axis]
        if approximation not in (n, n + 1):
            raise InputError(
                f"coeffs[{i}] must have {approximation} or {approximation - 1} samples along axis {axis}, "
                f"got {n}"
            )
        lengths.append(n)
        approximation = 2 * n if boundary == "periodization" else 2 * n - taps + 2
        if approximation < 1:
            raise InputError(
                f"coeffs[{i}] is too short for a wavelet of {taps} taps with mode {boundary}: got {n} samples"
            )
    return lengths


def _without(shape: tuple[int, ...], axis: int) -> tuple[int, ...]:
    return shape[:axis] + shape[axis + 1 :]


class _Layout:
    """The way from an array of any shape to the core's rows (series x time) and back.

    A complex series becomes two rows, real and imaginary part: the transform is linear and its taps
    are real.
    """

    __slots__ = ("_axis", "_dtype", "_outer", "_series")

    def __init__(self, shape: tuple[int, ...], axis: int, dtype: np.dtype[Any]) -> None:
        self._outer = _without(shape, axis)
        self._axis = axis
        self._dtype = dtype
        self._series = math.prod(self._outer)

    def zeros(self, n: int) -> _Array:
        parts = 2 if self._dtype.kind == "c" else 1
        return np.zeros((parts * self._series, n), dtype=np.empty(0, self._dtype).real.dtype)

    def to_rows(self, array: _Array, name: str) -> _Array:
        n = array.shape[self._axis]
        if self._axis != len(self._outer):
            array = np.moveaxis(array, self._axis, -1)
        try:
            rows = array.astype(self._dtype, order="C", copy=False).reshape(self._series, n)
        except (TypeError, ValueError) as error:
            raise InputError(f"{name} must hold numbers, got dtype {array.dtype}: {error}") from None
        if self._dtype.kind == "c":
            return np.concatenate((rows.real, rows.imag))
        return rows if rows.flags.aligned else rows.copy()

    def from_rows(self, rows: _Array) -> _Array:
        if self._dtype.kind == "c":
            parts = rows
            rows = np.empty((self._series, parts.shape[1]), dtype=self._dtype)
            rows.real, rows.imag = parts[: self._series], parts[self._series :]
        array = rows.reshape(*self._outer, rows.shape[1])
        if self._axis == len(self._outer):
            return array
        return np.ascontiguousarray(np.moveaxis(array, -1, self._axis))
