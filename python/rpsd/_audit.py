# SPDX-License-Identifier: MIT
"""Does a function look ahead? Change the future and see whether the past moves."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from rpsd._errors import InputError

_CUTS: Final = 6
_LEAST: Final = 32
# Rounding is no leak: a transform may move the past by this share of the numbers at hand.
_ROUNDING: Final = 1e-9
_SPIKE, _LEVEL = 50.0, 20.0  # in usual moves

_Array = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Leak:
    """One change of the future that moved the past.

    Attributes
    ----------
    data : str
        What the function was given: ``as it came``, ``with noise``, ``with gaps`` (of two samples ahead
        of each cut), ``with short gaps`` (of one) or ``with bad ticks`` (one ahead of each cut).
    change : str
        What was done to the samples from ``cut`` on: ``level``, ``spike``, ``dip``, ``noise``,
        ``scaling``, ``missing``, or ``cut off``.
    cut : int
        The first sample that was changed.
    first : int
        The first output that moved.
    size : float
        By how much outputs before the cut moved at most; inf where one went from or to NaN.
    """

    data: str
    change: str
    cut: int
    first: int
    size: float


@dataclass(frozen=True, slots=True)
class LeakReport:
    """What `rpsd.audit` found.

    Attributes
    ----------
    causal : bool
        No output moved when samples after it were changed or cut off.
    lookahead : int
        How many samples ahead an output was seen to look, at most: 0 where causal; about the length
        of the series where a parameter comes from all of it.
    max_change : float
        By how much an output moved at most, in its own units; 0 where causal, inf where one went
        from or to NaN.
    revision : float
        Root mean square of how much the newest output is revised once all data are there.
    leaks : tuple of Leak
        Each change that moved the past, the furthest look ahead first.
    """

    causal: bool
    lookahead: int
    max_change: float
    revision: float
    leaks: tuple[Leak, ...]

    def __str__(self) -> str:
        """Return the verdict in words."""
        if self.causal:
            return "causal: nothing before a change of the future moved"
        worst = self.leaks[0]
        return (
            f"looks ahead by {self.lookahead} samples: {worst.change} from sample {worst.cut} on moved "
            f"the output at {worst.first} (data {worst.data}; {len(self.leaks)} such changes); newest "
            f"outputs are revised by {self.revision:.3g} RMS"
        )


def audit(fn: Callable[[Any], Any], x: Any, *, seed: int = 0) -> LeakReport:
    """Tell whether a function of a series looks ahead, and how far.

    The future of six cuts is shifted, spiked, dipped, made noisy, scaled, taken away as NaN, and cut
    off; outputs before the cut must not move. That is done to the series as it came, with noise on it,
    as a gate may hide a leak on clean data, with gaps before the cuts, which a backward fill closes from
    the future, and with bad ticks there, which a filter of spikes tells by what comes after them. What a
    function takes from its options is no leak; what it takes from the length of the series is, and so is a
    NaN that spreads to the past, as in filters by Fourier transforms.
    A change of the past below 1e-9 of the numbers at hand is rounding.

    Parameters
    ----------
    fn : callable
        Takes a series and returns one output, or a row of outputs, for each of its samples. It is
        called about 220 times. A call that raises on changed data is passed over.
    x : array_like or pandas.Series
        One series of at least 32 samples. fn gets an ndarray of float64, or a Series where x is one.
    seed : int
        Of the cuts and the noise.

    Returns
    -------
    LeakReport

    Raises
    ------
    InputError
        Where x is not one series, or fn does not give one output a sample, or not the same output
        twice. What fn raises on x itself is not caught.

    Examples
    --------
    >>> import numpy as np, rpsd
    >>> x = 100 + np.cumsum(np.random.default_rng(0).normal(size=300))
    >>> rpsd.audit(np.cumsum, x).causal
    True
    >>> rpsd.audit(lambda x: (x - x.mean()) / x.std(), x).causal
    False
    >>> centred = rpsd.audit(lambda x: np.convolve(x, np.ones(5) / 5, "same"), x)
    >>> centred.causal, centred.lookahead
    (False, 2)
    """
    values, rebuild = _series(x)
    n = len(values)
    rng = np.random.default_rng(seed)

    def run(data: _Array) -> _Array:
        return _outputs(fn(rebuild(data.copy())), len(data))

    edges = np.linspace(n // 3, n - 1, _CUTS + 1).astype(int)
    cuts = [
        int(rng.integers(low, high))
        for low, high in zip(edges, np.maximum(edges[1:], edges[:-1] + 1), strict=False)
    ]
    cuts[-1] = n - 1
    moves = np.abs(np.diff(values[~np.isnan(values)]))
    spread = float(np.sqrt(np.mean(moves**2))) or 1.0

    first = run(values)
    if not _same(first, run(values)):
        raise InputError(
            "fn must give the same output for the same series, got two different ones; fix its seed"
        )
    leaks: list[Leak] = []
    revisions: list[float] = []
    for name, data in _variants(values, cuts, spread, rng):
        try:
            base = first if name == "as it came" else run(data)
        except Exception:  # a function may refuse gaps
            continue
        for cut in cuts:
            for change, changed in _futures(data, cut, spread, rng):
                try:
                    moved = run(changed)[:cut]
                except Exception:  # or NaN, or fewer samples
                    continue
                if change == "cut off" and name == "as it came":
                    revisions += [float(v) for v in (moved[-1] - base[cut - 1]) ** 2 if np.isfinite(v)]
                scale = max(_peak(data), _peak(changed), _peak(base[:cut]))
                found = _leak(base[:cut], moved, _ROUNDING * scale)
                if found is not None:
                    leaks.append(Leak(name, change, cut, *found))
    leaks.sort(key=lambda leak: leak.first - leak.cut)
    return LeakReport(
        causal=not leaks,
        lookahead=max((leak.cut - leak.first for leak in leaks), default=0),
        max_change=max((leak.size for leak in leaks), default=0.0),
        revision=math.sqrt(np.mean(revisions)) if revisions else math.nan,
        leaks=tuple(leaks),
    )


def _series(x: Any) -> tuple[_Array, Callable[[_Array], Any]]:
    """Return the values of one series, and what makes an input of fn of changed ones, perhaps fewer."""
    values = np.array(x, dtype=np.float64)
    if values.ndim != 1 or len(values) < _LEAST:
        raise InputError(f"x must be one series of at least {_LEAST} samples, got shape {values.shape}")
    if np.isinf(values).any():
        at = int(np.argmax(np.isinf(values)))
        raise InputError(
            f"x has an infinite sample at {at}; allowed: finite numbers, and NaN for a missing one"
        )
    if np.isnan(values).all():
        raise InputError("x must have samples that are not NaN, got none")
    if type(x).__module__.startswith("pandas"):
        kind, index, name = type(x), x.index, x.name
        return values, lambda data: kind(data, index=index[: len(data)], name=name)
    return values, lambda data: data


def _outputs(y: Any, n: int) -> _Array:
    values = np.asarray(y, dtype=np.float64)
    if values.ndim == 0 or len(values) != n:
        raise InputError(f"fn must give one output for each of {n} samples, got shape {values.shape}")
    return values.reshape(n, -1)


def _variants(
    x: _Array, cuts: list[int], spread: float, rng: np.random.Generator
) -> Iterator[tuple[str, _Array]]:
    yield "as it came", x
    yield "with noise", x + spread * rng.standard_normal(len(x))
    for length, name in ((2, "with gaps"), (1, "with short gaps")):
        gaps = x.copy()
        for cut in cuts:
            gaps[max(cut - length, 1) : cut] = np.nan
        yield name, gaps
    ticks = x.copy()
    for cut in cuts:
        ticks[cut - 1] += _SPIKE * spread
    yield "with bad ticks", ticks


def _futures(x: _Array, cut: int, spread: float, rng: np.random.Generator) -> Iterator[tuple[str, _Array]]:
    """Yield the series with other samples from the cut on. Prices stay positive where they are."""
    future = slice(cut, None)

    def changed(values: Any) -> _Array:
        other = x.copy()
        other[future] = values
        return other

    ahead = x[future]
    noise = spread * rng.standard_normal(len(ahead))
    yield "level", changed(ahead + _LEVEL * spread)
    for name, size in (("spike", _SPIKE * spread), ("dip", -_SPIKE * spread)):
        tick = ahead.copy()
        tick[0] = tick[0] / 2 if size < 0 < np.nanmin(x) else tick[0] + size
        yield name, changed(tick)
    yield "noise", changed(ahead + np.maximum(noise, -ahead / 2 if np.nanmin(x) > 0 else -np.inf))
    yield "scaling", changed(2 * ahead)
    yield "missing", changed(np.nan)
    yield "cut off", x[:cut]


def _same(a: _Array, b: _Array) -> bool:
    return a.shape == b.shape and np.array_equal(a, b, equal_nan=True)


def _peak(x: _Array) -> float:
    finite = np.abs(x[np.isfinite(x)])
    return float(finite.max()) if finite.size else 0.0


def _leak(before: _Array, after: _Array, rounding: float) -> tuple[int, float] | None:
    """Return the first output that moved and the largest move, None where there is none."""
    if before.shape != after.shape:
        return 0, math.inf
    same = (before == after) | (np.isnan(before) & np.isnan(after))
    with np.errstate(invalid="ignore"):
        size = np.where(same, 0.0, np.abs(after - before))
    size[np.isnan(size)] = math.inf
    moved = np.flatnonzero((size > rounding).any(axis=1))
    return (int(moved[0]), float(size.max())) if moved.size else None
