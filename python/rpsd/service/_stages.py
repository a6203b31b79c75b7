# SPDX-License-Identifier: MIT
"""When the stages of a request began and ended; metrics and traces are made of it."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator
from typing import NamedTuple


class Stage(NamedTuple):
    """One stage: seconds on the clock of `time.perf_counter`."""

    name: str
    begin: float
    end: float


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
        self._marks: list[tuple[str, float]] = [("", time.perf_counter())]

    def ended(self, name: str) -> None:
        """End a stage now."""
        self._marks.append((name, time.perf_counter()))

    def waited(self) -> None:
        """Let the next stage begin now: what was since the last was done for others, and is of no stage."""
        self.ended("")

    def __iter__(self) -> Iterator[Stage]:
        """Yield the stages that have ended, in their order."""
        marks = tuple(self._marks)
        for (_, begin), (name, end) in itertools.pairwise(marks):
            if name:
                yield Stage(name, begin, end)
