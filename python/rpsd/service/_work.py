# SPDX-License-Identifier: MIT
"""What a worker does for a request, and for several that are alike: all that takes time."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec

from rpsd import Options
from rpsd._schema import fields
from rpsd.service._admission import Stop
from rpsd.service._compute import Compute, denoise
from rpsd.service._request import Answer, Asked, Limits
from rpsd.service._snapshot import Snapshot
from rpsd.service._stages import Stages

Decode = Callable[[bytes, bytes, Limits], Asked]
Encode = Callable[[Answer], tuple[bytes, dict[str, str]]]
_METHODS: Final = fields(Options)["method"].words
#: The answer, its body, and headers of its own.
Done = tuple[Answer, bytes, dict[str, str]]


@dataclass(slots=True)
class Work:
    """One request, read; `alike` is equal for those that may be computed together, None for the others."""

    snapshot: Snapshot
    compute: Compute
    decode: Decode
    encode: Encode
    body: bytes
    query: bytes
    alike: Hashable = None
    stages: Stages = field(default_factory=lambda: Stages("none"))
    observe: Callable[[Stages], None] = lambda stages: None

    def __call__(self, stop: Stop) -> Done:
        """Decode, compute, encode."""
        try:
            return self._computed(self._asked(), stop)
        finally:
            self.observe(self.stages)

    def _asked(self) -> Asked:
        self.stages.ended("queue")
        service = self.snapshot.service
        limits = Limits(service.max_points, service.max_series, service.max_body_bytes)
        try:
            asked = self.decode(self.body, self.query, limits)
            asked.check(limits)
            method = asked.options.get("method", self.snapshot.config.denoiser.method)
            if self.compute is denoise and method in _METHODS:  # not what a client calls one
                self.stages.algorithm = method
        finally:
            self.stages.ended("parse")
        return asked

    def _computed(self, asked: Asked, stop: Stop) -> Done:
        try:
            answer = stop.during(lambda: self.compute(self.snapshot, asked, stop))
        finally:
            self.stages.ended("kernel")
        stop.check()
        return self._done(answer)

    def _done(self, answer: Answer) -> Done:
        try:
            content, headers = self.encode(answer)
        finally:
            self.stages.ended("serialise")
        return answer, content, headers

    @staticmethod
    def together(works: Sequence[Work], stops: Sequence[Stop]) -> list[Done | Exception]:
        """Return for each request what it would get alone: what is done, or the error."""
        done: list[Any] = [None] * len(works)
        groups: dict[Hashable, list[tuple[int, Asked]]] = {}
        for k, work in enumerate(works):
            try:
                asked = work._asked()
            except Exception as error:
                done[k] = error
                continue
            groups.setdefault(_kind(work, asked, k), []).append((k, asked))
        for group in groups.values():
            for (k, asked), answer in zip(group, _answers(works, stops, group), strict=True):
                work = works[k]
                work.stages.waited()
                try:
                    done[k] = work._computed(asked, stops[k]) if answer is None else work._done(answer)
                except Exception as error:
                    done[k] = error
        for work in works:
            work.observe(work.stages)
        return done


def _kind(work: Work, asked: Asked, k: int) -> Hashable:
    if asked.names is not None:
        return k
    options = msgspec.json.encode((asked.options, asked.guardrails), order="sorted")
    return id(work.snapshot), work.compute, asked.report, options


def _answers(
    works: Sequence[Work], stops: Sequence[Stop], group: list[tuple[int, Asked]]
) -> Sequence[Answer | None]:
    """Return the answers of requests of one kind by one call, each of which has its share of the time.

    None where each is to be computed by itself: there is but one, or to tell whose an error is.
    """
    if len(group) == 1:
        return [None]
    (leader, first), members = group[0], [works[k] for k, _ in group]
    for work in members:
        work.stages.waited()
    series = tuple(asked.series[0] for _, asked in group)
    asked = Asked(None, series, first.options, first.guardrails, first.report)
    found: Sequence[Answer | None] = [None] * len(group)
    with contextlib.suppress(Exception):
        answer = works[leader].compute(works[leader].snapshot, asked, _Stops([stops[k] for k, _ in group]))
        found = [Answer(None, (outcome,)) for outcome in answer.outcomes]
    for work, one in zip(members, series, strict=True):
        work.stages.ended("kernel", len(one) / asked.points if asked.points else 1 / len(group))
    return found


class _Stops(Stop):
    """Set where nobody of several waits any more."""

    __slots__ = ("_all",)

    def __init__(self, stops: Sequence[Stop]) -> None:
        self._all = stops

    @property
    def set(self) -> bool:
        return all(stop.set for stop in self._all)
