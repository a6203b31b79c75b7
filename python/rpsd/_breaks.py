# SPDX-License-Identifier: MIT
"""Where trading sessions begin: given by a mask, told by gaps in the times, or seen in the prices."""

from collections.abc import Iterable, Iterator
from heapq import heappop, heappush, heappushpop
from math import ceil, floor
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from rpsd._errors import CausalityError, InputError, warn

# A gap in the times is a break where it is this many times the usual distance, and where the times are
# irregular, as those of trades, also this many times what one distance in a hundred exceeds.
_LONG: Final = 5.0
# Times are irregular where a quarter of the distances are below this share of the median (random: 0.42).
_REGULAR: Final = 0.8
_FEW: Final = 16  # fewer distances do not tell whether they are regular
# A move between sessions stands out from those around it: this many robust standard deviations, and it stays.
_LARGE: Final = 12.0
#: Moves that differ by less of the largest are equal, and those that differ by how prices were rounded:
#: a move is of two prices, each half a unit in the last place off, and of their quotients by the scale.
_ROUNDING: Final = 1e-9
_ULPS: Final = 4.0
_BESIDE: Final = 5
_LEAST_SESSION: Final = 64


class Mask(tuple[bool, ...]):
    """A mask of first samples, which keeps the labels of the pandas Series it came as.

    Attributes
    ----------
    labels : pandas.Index or None
        The index of the Series; None where the mask goes by position.
    """

    labels: Any

    def __new__(cls, values: Iterable[bool], labels: Any = None) -> "Mask":
        """Return a tuple, so that options stay immutable, comparable and hashable."""
        mask = super().__new__(cls, values)
        mask.labels = labels
        return mask

    def aligned_with(self, index: Any) -> "tuple[bool, ...]":
        """Return the mask in the order of an index of the same labels; InputError for other labels."""
        if self.labels is None or index is None or self.labels.equals(index):
            return self
        unique = self.labels.is_unique and index.is_unique
        if not unique or len(self.labels) != len(index) or not index.isin(self.labels).all():
            raise InputError(
                "breaks must have the index of x, in any order, got another one "
                f"({len(self.labels)} labels, x has {len(index)}); a mask by position is breaks.to_numpy()"
            )
        return tuple(self[k] for k in self.labels.get_indexer(index))


def sessions(
    breaks: Any, batch: npt.NDArray[Any], times: npt.NDArray[np.int64] | None, index: Any, *, causal: bool
) -> list[tuple[slice, list[int]]]:
    """Return which rows of a batch have which session starts.

    Parameters
    ----------
    breaks, times, index
        As for `session_starts`.
    batch : ndarray, shape (series, time)
    causal : bool
        Whether a start may depend on what came before it only.

    Raises
    ------
    CausalityError
        Where sessions would have to be told by the prices, and a causal run is asked for.
    """
    if breaks != "auto" or times is not None:
        starts = session_starts(breaks, batch.shape[1], times, index, causal=causal)
        return [(slice(None), starts)]
    if causal:
        raise CausalityError(
            'breaks="auto" without times tells sessions by later prices, which lookahead forbids; '
            "allowed: a mask, or a pandas object with an index of times"
        )
    # Without times each series tells its own sessions.
    found = [price_starts(row) for row in batch]
    if batch.size and not all(found):
        warn(
            f'breaks="auto" found no session break by the prices alone in {found.count([])} of '
            f"{len(batch)} series; it needs times (a pandas DatetimeIndex) or breaks that stand out, "
            "else give a mask"
        )
    return [(slice(k, k + 1), starts) for k, starts in enumerate(found)]


def session_starts(
    breaks: Any, n: int, times: npt.NDArray[np.int64] | None, index: Any = None, *, causal: bool = False
) -> list[int]:
    """Return where sessions begin after the first sample, in every series alike.

    Parameters
    ----------
    breaks : None, "auto" or tuple of bool
        None: nowhere. A mask is True at the first sample of each session. "auto": after a gap in the
        times of more than five times their median distance; where the distances are irregular, also of more
        than five times their 99th percentile and than random times show once in a hundred series.
    n : int
        Samples of a series.
    times : ndarray of int64 or None
        Ascending times, for "auto".
    index : pandas.Index or None
        The labels of the samples, with which a mask that has labels is aligned.
    causal : bool
        Whether the usual distance of times is that of those before a gap, instead of all.

    Raises
    ------
    InputError
        Where a mask has not one value for each sample, or other labels.
    """
    if breaks is None or n == 0:
        return []
    if isinstance(breaks, tuple):
        if len(breaks) != n:
            raise InputError(f"breaks must be a mask of one value for each sample, {n}, got {len(breaks)}")
        starts = np.flatnonzero(breaks.aligned_with(index) if isinstance(breaks, Mask) else breaks)
        return [int(start) for start in starts if start > 0]
    if times is None:
        return []
    return causal_time_starts(times) if causal else time_starts(times)


def time_starts(times: npt.NDArray[np.int64]) -> list[int]:
    """Return where sessions begin after the first sample: after long gaps in ascending times."""
    gaps = np.diff(times)
    moved = gaps[gaps > 0]
    if moved.size == 0:
        return []
    quarter, most = (float(np.quantile(moved, share, method="lower")) for share in (0.25, 0.99))
    return [
        int(at) + 1 for at in np.flatnonzero(gaps > _long(moved.size, quarter, float(np.median(moved)), most))
    ]


def causal_time_starts(times: npt.NDArray[np.int64]) -> list[int]:
    """Return where sessions begin: after gaps that are long beside the distances before them."""
    starts: list[int] = []
    count, quarter, below, above, most = (
        0,
        _Running(0.25),
        _Running(0.5),
        _Running(0.5, upper=True),
        _Running(0.99),
    )
    for at, gap in enumerate(np.diff(times).tolist(), start=1):
        if gap <= 0:
            continue
        if count and gap > _long(count, quarter.value, (below.value + above.value) / 2, most.value):
            starts.append(at)
        for quantile in (quarter, below, above, most):
            quantile.add(gap)
        count += 1
    return starts


def _long(count: int, quarter: float, median: float, most: float) -> float:
    """Return how long a gap must be to be a break, which random times show in one of a hundred series."""
    if count < _FEW:
        return 1.5 * median * float(np.log2(100 * count))
    if quarter > _REGULAR * median:
        return _LONG * median
    return max(_LONG * median, _LONG * most, median * float(np.log2(100 * count)))


class _Running:
    """A quantile of the numbers so far, which is one of them: of the rank rounded down, or up."""

    def __init__(self, share: float, *, upper: bool = False) -> None:
        self._share, self._round = share, ceil if upper else floor
        self._lower: list[int] = []  # negated, so that the largest is first: the quantile
        self._upper: list[int] = []

    @property
    def value(self) -> int:
        return -self._lower[0]

    def add(self, number: int) -> None:
        heappush(self._upper, -heappushpop(self._lower, -number))
        rank = self._round(self._share * (len(self._lower) + len(self._upper) - 1))
        while len(self._lower) <= rank:
            heappush(self._lower, -heappop(self._upper))


def price_starts(x: npt.NDArray[Any]) -> list[int]:
    """Return where sessions begin, by the prices alone: at moves that stand out and are not taken back.

    A move of more than twelve robust standard deviations (median absolute move / 0.6745) between the
    medians of the five samples on either side, the largest first, and none within 64 samples of
    another or of an end.
    """
    seen = np.flatnonzero(~np.isnan(x))
    y = x[seen].astype(np.float64)
    if y.size <= 2 * _LEAST_SESSION:
        return []
    scale = max(abs(float(y.max())), abs(float(y.min()))) or 1.0
    moves = np.diff(y / scale)
    spread = float(np.median(np.abs(moves))) / 0.6744897501960817
    if spread == 0:
        return []
    starts: list[int] = []
    taken = np.zeros(y.size, np.bool_)
    candidates = np.flatnonzero(np.abs(moves) > _LARGE * spread) + 1
    rounded = _ULPS * float(np.finfo(x.dtype).eps)
    for at in _in_order(candidates, np.abs(moves[candidates - 1]), rounded):
        if at < _LEAST_SESSION or at > y.size - _LEAST_SESSION:
            continue
        if taken[at]:
            continue
        stays = np.median(y[at : at + _BESIDE]) - np.median(y[at - _BESIDE : at])
        if abs(stays) / scale > _LARGE / 2 * spread:
            starts.append(at)
            taken[at - _LEAST_SESSION + 1 : at + _LEAST_SESSION] = True
    return [int(seen[start]) for start in sorted(starts)]


def _in_order(places: npt.NDArray[np.intp], sizes: npt.NDArray[np.float64], rounded: float) -> Iterator[int]:
    """Yield places, of those near each other the largest first.

    Only those are compared: among thousands each is by rounding like the next, and so all like each other.
    """
    rounded = max(_ROUNDING * float(sizes.max(initial=0.0)), rounded)
    ends = np.flatnonzero(np.diff(places) >= _LEAST_SESSION) + 1
    for near, of in zip(np.split(places, ends), np.split(sizes, ends), strict=True):
        yield from _largest_first(near, of, rounded).tolist() if len(near) > 1 else near.tolist()


def _largest_first(
    places: npt.NDArray[np.intp], sizes: npt.NDArray[np.float64], rounded: float
) -> npt.NDArray[np.intp]:
    """Return places by size; on ticks many are equal but for rounding: of these the first comes first."""
    order = np.argsort(-sizes, kind="stable")
    falls = np.diff(sizes[order]) < -rounded
    ranks = np.concatenate([[0], np.cumsum(falls)])[: len(order)]
    return places[order[np.lexsort((places[order], ranks))]]
