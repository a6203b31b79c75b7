# SPDX-License-Identifier: MIT
"""What a worker does for a request, and for several that are alike: all that takes time."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from rpsd.service._admission import Stop
from rpsd.service._compute import Compute, denoise
from rpsd.service._request import Answer, Asked, Limits
from rpsd.service._snapshot import Snapshot
from rpsd.service._stages import Stages

Decode = Callable[[bytes, bytes, Limits], Asked]
Encode = Callable[[Answer], tuple[bytes, dict[str, str]]]
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

    def __call__(self, stop: Stop) -> Done:
        """Decode, compute, encode."""
        return self._computed(self._asked(), stop)

    def _asked(self) -> Asked:
        self.stages.ended("queue")
        service = self.snapshot.service
        limits = Limits(service.max_points, service.max_series, service.max_body_bytes)
        asked = self.decode(self.body, self.query, limits)
        asked.check(limits)
        if self.compute is denoise:
            self.stages.algorithm = asked.options.get("method", self.snapshot.config.denoiser.method)
        self.stages.ended("parse")
        return asked

    def _computed(self, asked: Asked, stop: Stop) -> Done:
        answer = stop.during(lambda: self.compute(self.snapshot, asked, stop))
        stop.check()
        self.stages.ended("kernel")
        return self._done(answer)

    def _done(self, answer: Answer) -> Done:
        content, headers = self.encode(answer)
        self.stages.ended("serialise")
        return answer, content, headers

    @staticmethod
    def together(works: Sequence[Work], stops: Sequence[Stop]) -> list[Done | Exception]:
        """Return for each request what it would get alone: what is done, or the error.

        The kernel stage of each is the time of the call that they share.
        """
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
            every = [works[k].stages for k, _ in group]
            for stages in every:
                stages.waited()
            try:
                answers = _answers(works[group[0][0]], group, _Stops([stops[k] for k, _ in group]))
            except Exception:  # each by itself tells whose it is
                for k, asked in group:
                    works[k].stages.waited()
                    done[k] = _alone(works[k], asked, stops[k])
                continue
            for stages in every:
                stages.ended("kernel")
            for (k, _), answer in zip(group, answers, strict=True):
                works[k].stages.waited()
                done[k] = works[k]._done(answer)
        return done


def _kind(work: Work, asked: Asked, k: int) -> Hashable:
    if asked.names is not None:
        return k
    options = msgspec.json.encode((asked.options, asked.guardrails), order="sorted")
    return id(work.snapshot), work.compute, asked.report, options


def _answers(work: Work, group: list[tuple[int, Asked]], stop: Any) -> list[Answer]:
    first = group[0][1]
    if len(group) == 1:
        return [work.compute(work.snapshot, first, stop)]
    series = tuple(asked.series[0] for _, asked in group)
    asked = Asked(None, series, first.options, first.guardrails, first.report)
    answer = work.compute(work.snapshot, asked, stop)
    return [Answer(None, (outcome,)) for outcome in answer.outcomes]


def _alone(work: Work, asked: Asked, stop: Stop) -> Done | Exception:
    try:
        return work._computed(asked, stop)
    except Exception as error:
        return error


class _Stops(Stop):
    """Set where nobody of several waits any more."""

    __slots__ = ("_all",)

    def __init__(self, stops: Sequence[Stop]) -> None:
        self._all = stops

    @property
    def set(self) -> bool:
        return all(stop.set for stop in self._all)
