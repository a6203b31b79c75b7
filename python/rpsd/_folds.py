# SPDX-License-Identifier: MIT
"""Where a walk forward trains and tests: parts of a series in time order, with gaps between them."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from rpsd._errors import InputError

#: Fewest samples of a test part and of a training part: the trend guardrail needs 30.
LEAST_PART = 32

Stretch = tuple[int, int]


class Split(NamedTuple):
    """One step of a walk forward; stretches are (start, stop), the stop left out."""

    train: tuple[Stretch, ...]
    test: Stretch


def walk_forward(n: int, folds: int, train: int | None, purge: int, embargo: int) -> list[Split]:
    """Return the training and test parts of a series of n samples.

    The test parts are equally long and end with the series. Each training part ends `purge` samples
    before its test part, and begins at the first sample, or `train` samples before its end. The
    `embargo` samples after a test part belong to no part of any fold.

    Raises
    ------
    InputError
        Where a part would have fewer than 32 samples.

    Examples
    --------
    >>> for split in walk_forward(200, folds=2, train=None, purge=10, embargo=20):
    ...     print(split.train, split.test)
    ((0, 58),) (68, 124)
    ((0, 124),) (144, 200)
    >>> walk_forward(200, folds=2, train=60, purge=0, embargo=20)[1].train
    ((80, 120),)
    """
    room = n - purge - (folds - 1) * embargo
    shares = folds + (train is None)
    least = LEAST_PART * shares + (train or 0) + n - room
    if n < least:
        raise InputError(
            f"x must have at least {least} samples with folds={folds}, train={train}, purge={purge} and "
            f"embargo={embargo}, got {n}; fewer folds or a smaller purge need fewer"
        )
    test = (room - (train or 0)) // shares
    first = n - folds * test - (folds - 1) * embargo
    splits: list[Split] = []
    for start in range(first, n, test + embargo):
        stop = start - purge
        begin = 0 if train is None else stop - train
        gaps = [(earlier.test[1], earlier.test[1] + embargo) for earlier in splits]
        splits.append(Split(_without(gaps, begin, stop), (start, start + test)))
    return splits


def _without(gaps: list[Stretch], begin: int, stop: int) -> tuple[Stretch, ...]:
    """Return what is left of begin to stop."""
    left = []
    for start, end in gaps:
        if end > begin and start < stop:
            left.append((begin, start))
            begin = end
    left.append((begin, stop))
    return tuple(part for part in left if part[0] < part[1])


def inside(stretches: tuple[Stretch, ...], n: int) -> npt.NDArray[np.bool_]:
    """Return which of n samples are in any of the stretches."""
    chosen = np.zeros(n, dtype=np.bool_)
    for start, stop in stretches:
        chosen[start:stop] = True
    return chosen
