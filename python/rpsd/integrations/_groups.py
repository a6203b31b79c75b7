# SPDX-License-Identifier: MIT
"""Which rows of a long table are whose, and groups of one length as one batch."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

# NumPy sorts integers of 16 bits by radix, in one pass over the rows for each byte.
_RADIX = 1 << 16


class Groups:
    """Rows by group: the groups in the order in which they first come, each with its rows as they come.

    Parameters
    ----------
    order : ndarray of int or None
        The rows of the first group, then those of the second and so on; None where the table has them so.
    lengths : ndarray of int
        Rows of each group.
    """

    def __init__(self, order: npt.NDArray[np.intp] | None, lengths: npt.NDArray[np.intp]) -> None:
        self.order = order
        self.lengths = lengths
        self.starts = np.cumsum(lengths) - lengths

    def __len__(self) -> int:
        return len(self.lengths)

    @property
    def first_rows(self) -> npt.NDArray[np.intp]:
        """The row of the table in which each group begins."""
        return self.starts if self.order is None else self.order[self.starts]

    def in_order(self, values: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Return one value a row, group after group."""
        return values if self.order is None else values[self.order]

    def of_one_length(self) -> Iterator[tuple[npt.NDArray[np.intp], npt.NDArray[np.intp] | None]]:
        """Yield the groups of each length, and their rows, groups x time; None for all rows as they are."""
        if self.order is None and (self.lengths == self.lengths[:1]).all():
            yield np.arange(len(self)), None
            return
        by_length = np.argsort(self.lengths, kind="stable")
        sorted_lengths = self.lengths[by_length]
        for which in np.split(by_length, np.flatnonzero(np.diff(sorted_lengths)) + 1):
            rows = np.add.outer(self.starts[which], np.arange(self.lengths[which[0]]))
            yield which, rows if self.order is None else self.order[rows]


def groups_of_codes(keys: list[tuple[npt.NDArray[Any], int]], n: int) -> Groups:
    """Return the groups of n rows with a code from 0 and a number of codes for each of several keys."""
    codes = _combined(keys)
    if n == 0 or (codes[1:] >= codes[:-1]).all():
        return Groups(None, _lengths(codes))
    order = np.argsort(codes.astype(np.uint16) if codes.max() < _RADIX else codes, kind="stable")
    return Groups(order, _lengths(codes))


def groups_of_order(order: npt.NDArray[Any], lengths: npt.NDArray[Any]) -> Groups:
    """Return the groups of rows that are given group after group."""
    as_it_is = bool((order[1:] > order[:-1]).all())
    return Groups(None if as_it_is else order.astype(np.intp), lengths.astype(np.intp))


def _lengths(codes: npt.NDArray[Any]) -> npt.NDArray[np.intp]:
    return np.bincount(codes).astype(np.intp)


def _combined(keys: list[tuple[npt.NDArray[Any], int]]) -> npt.NDArray[np.int64]:
    """Return one code for each combination of keys, counted in the order in which they first come."""
    codes = np.asarray(keys[0][0], dtype=np.int64)
    for more, kinds in keys[1:]:
        # Counted anew after each key, so that the product stays far from overflowing.
        _, first, codes = np.unique(codes * kinds + more, return_index=True, return_inverse=True)
        rank = np.empty(len(first), dtype=np.int64)
        rank[np.argsort(first)] = np.arange(len(first))
        codes = rank[codes]
    return codes
