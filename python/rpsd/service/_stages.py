# SPDX-License-Identifier: MIT
"""When the stages of a request began and ended; metrics and traces are made of it."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator
from typing import NamedTuple


class Stage(NamedTuple):
    """One stage: seconds on the clock of `time.perf_counter`, and the part of them that is this request's."""

    name: str
    begin: float
    end: float
    share: float


class Stages:
    """Marks the moments at which one stage ends and the next begins; one thread at a time.

    Parameters
    ----------
    algorithm : str
        What runs; for metrics.
    """

    __slots__ = ("_marks", "algorithm")

    def __init__(self, algorithm: str) -> None:
        self.algorithm = algorithm
        self._marks: list[tuple[str, float, float]] = [("", time.perf_counter(), 1.0)]

    def ended(self, name: str, share: float = 1.0) -> None:
        """End a stage now; of one that was done for several requests at once, each has a share."""
        self._marks.append((name, time.perf_counter(), share))

    def waited(self) -> None:
        """Let the next stage begin now: what was since the last was done for others, and is of no stage."""
        self.ended("")

    def __iter__(self) -> Iterator[Stage]:
        """Yield the stages that have ended, in their order."""
        marks = tuple(self._marks)
        for (_, begin, _), (name, end, share) in itertools.pairwise(marks):
            if name:
                yield Stage(name, begin, end, share)

    def seconds(self) -> dict[str, float]:
        """Return by name of stage what this request took; one that was done twice counts twice."""
        found: dict[str, float] = {}
        for name, begin, end, share in self:
            found[name] = found.get(name, 0.0) + share * (end - begin)
        return found
