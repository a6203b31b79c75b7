# SPDX-License-Identifier: MIT
"""Counters and histograms of one thread: those of prometheus_client lock, which costs more than to count."""

from __future__ import annotations

import itertools
import math
from abc import abstractmethod
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from typing import Any, Generic, TypeVar

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString


class _Count:
    """One number that grows."""

    __slots__ = ("value",)

    def __init__(self) -> None:
        self.value = 0.0

    def inc(self, amount: float = 1.0) -> None:
        """Add to it."""
        self.value += amount


class _Distribution:
    """How many observations are in each bucket, up to and with its bound."""

    __slots__ = ("_bounds", "counts", "sum")

    def __init__(self, bounds: Sequence[float]) -> None:
        self._bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.sum = 0.0

    def observe(self, value: float) -> None:
        """Count one."""
        self.counts[bisect_left(self._bounds, value)] += 1
        self.sum += value


_Child = TypeVar("_Child", _Count, _Distribution)


class _Labelled(Collector, Generic[_Child]):
    """A metric with a child for each combination of its labels; without labels it has one from the start."""

    def __init__(
        self, name: str, text: str, labels: Sequence[str] = (), *, registry: CollectorRegistry
    ) -> None:
        self._name, self._text, self._labels = name, text, labels
        self._children: dict[tuple[str, ...], _Child] = {}
        if not labels:
            self.labels()
        registry.register(self)

    def labels(self, *values: object) -> _Child:
        """Return the child of these values."""
        key = tuple(map(str, values))
        if key not in self._children:
            self._children[key] = self._new()
        return self._children[key]

    @abstractmethod
    def _new(self) -> _Child:
        """Return a child that has counted nothing."""

    def describe(self) -> list[Metric]:
        """Say what it is called."""
        return list(self.collect())


class Counter(_Labelled[_Count]):
    """As that of prometheus_client; for one thread."""

    def __init__(self, *arguments: Any, **more: Any) -> None:
        super().__init__(*arguments, **more)
        if not self._labels:
            self.inc = self.labels().inc

    def _new(self) -> _Count:
        return _Count()

    def collect(self) -> Iterator[Metric]:
        """Yield it with what it has counted."""
        family = CounterMetricFamily(self._name, self._text, labels=self._labels)
        for values, child in self._children.items():
            family.add_metric(values, child.value)
        yield family


class Histogram(_Labelled[_Distribution]):
    """As that of prometheus_client; for one thread."""

    def __init__(self, *arguments: Any, buckets: Sequence[float], **more: Any) -> None:
        self._bounds = tuple(map(float, buckets))
        super().__init__(*arguments, **more)
        if not self._labels:
            self.observe = self.labels().observe

    def _new(self) -> _Distribution:
        return _Distribution(self._bounds)

    def collect(self) -> Iterator[Metric]:
        """Yield it with what it has counted."""
        family = HistogramMetricFamily(self._name, self._text, labels=self._labels)
        bounds = (*self._bounds, math.inf)
        names = [floatToGoString(bound) for bound in bounds]  # type: ignore[no-untyped-call]
        for values, child in self._children.items():
            totals = itertools.accumulate(child.counts)
            family.add_metric(values, list(zip(names, totals, strict=True)), child.sum)
        yield family
