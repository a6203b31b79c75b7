# SPDX-License-Identifier: MIT
"""One request's way from bytes to bytes, or that of several that are alike."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

import msgspec

from rpsd import Options
from rpsd._schema import fields
from rpsd.service import _codec_binary, _codec_json
from rpsd.service._admission import Stop
from rpsd.service._bounded import is_bounded
from rpsd.service._compute import Compute, denoise, evaluate
from rpsd.service._plain import Content
from rpsd.service._request import Answer, Asked, Limits
from rpsd.service._snapshot import Snapshot
from rpsd.service._stages import Stages

Decode = Callable[[bytes | bytearray, bytes, Limits], Asked]
Encode = Callable[[Answer], tuple[Content, dict[str, str]]]
#: The answer, its body, and headers of its own.
Done = tuple[Answer, Content, dict[str, str]]

_METHODS: Final = fields(Options)["method"].words
#: Samples up to which requests are computed together, longer ones gain little, and by the event loop.
_SHORT: Final = 4_096

#: What writes answers in a time that their length bounds, with nothing to import first.
_ENCODERS: Final = (_codec_json.encode, _codec_binary.encode)


class Form(NamedTuple):
    """How one request is read and answered.

    Attributes
    ----------
    key : hashable
        What beside body and query has a say in the answer's bytes.
    media : str
        The type of the answer, unless its encoder gives another.
    most_points : callable
        Returns a number of samples that a body does not exceed, without reading it.
    is_quick : callable
        Whether the event loop may read a small body.
    """

    key: Hashable
    media: str
    decode: Decode
    encode: Encode
    most_points: Callable[[bytes | bytearray], int]
    is_quick: Callable[[bytes | bytearray, bytes], bool]


@dataclass(slots=True)
class Work:
    """One request.

    Attributes
    ----------
    alike : hashable
        Equal for those that may be computed together, None for the others; known once it was read.
    light : bool
        Whether the event loop may do it, known once it was read: it is short, and its options bound its time
        for any samples.
    """

    snapshot: Snapshot
    compute: Compute
    decode: Decode
    encode: Encode
    body: bytes | bytearray
    query: bytes
    stages: Stages = field(default_factory=lambda: Stages("none"))
    observe: Callable[[Stages], None] = lambda stages: None
    alike: Hashable = None
    light: bool = False
    _asked: Asked | None = None

    def read(self) -> Asked:
        """Return what is asked for; decoded at the first time.

        Raises
        ------
        Problem
            Where it is not what its media type says, or not allowed.
        """
        if self._asked is not None:
            return self._asked
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
        if asked.names is None and asked.points <= _SHORT and self.compute is not evaluate:
            options = msgspec.json.encode((asked.options, asked.guardrails), order="sorted")
            self.alike = self.compute, asked.report, options, asked.points, id(self.snapshot)
            self.light = self.encode in _ENCODERS and is_bounded(asked, self.snapshot.config)
        self._asked, self.body = asked, b""
        return asked

    @property
    def samples(self) -> int:
        """Samples of its series; 0 where it was not read."""
        return 0 if self._asked is None else sum(map(len, self._asked.series))

    def __call__(self, stop: Stop) -> Done:
        """Decode, compute, encode."""
        done = self.together([self], [stop])[0]
        if isinstance(done, Exception):
            raise done
        return done

    @staticmethod
    def together(works: Sequence[Work], stops: Sequence[Stop]) -> list[Done | Exception]:
        """Return for each request what it would get alone: what is done, or the error."""
        for work in works:
            work.stages.ended("queue")
        try:
            return [work.done(answer) for work, answer in zip(works, _answers(works, stops), strict=True)]
        finally:
            for work in works:
                work.observe(work.stages)

    def done(self, answer: Answer | Exception) -> Done | Exception:
        """Encode an answer."""
        if isinstance(answer, Exception):
            return answer
        self.stages.waited()
        try:
            content, headers = self.encode(answer)
        except Exception as error:
            return error
        finally:
            self.stages.ended("serialise")
        return answer, content, headers

    def answer(self, stop: Stop) -> Answer | Exception:
        """Compute it by itself."""
        try:
            asked = self.read()
            self.stages.waited()
            try:
                answer = stop.during(lambda: self.compute(self.snapshot, asked, stop))
            finally:
                self.stages.ended("kernel")
            stop.check()
        except Exception as error:
            return error
        return answer


def _answers(works: Sequence[Work], stops: Sequence[Stop]) -> Sequence[Answer | Exception]:
    """Return the answers of requests that are alike, by one call of which each has its share of the time."""
    if len(works) > 1:
        first = works[0].read()
        series = tuple(work.read().series[0] for work in works)
        asked = Asked(None, series, first.options, first.guardrails, first.report)
        for work in works:
            work.stages.waited()
        try:
            answer = works[0].compute(works[0].snapshot, asked, _Stops(stops))
            return [Answer(None, (outcome,)) for outcome in answer.outcomes]
        except Exception:  # each by itself tells whose it is
            pass
        finally:
            for work in works:
                work.stages.ended("kernel", 1 / len(works))
    return [work.answer(stop) for work, stop in zip(works, stops, strict=True)]


class _Stops(Stop):
    """Set where nobody of several waits any more."""

    __slots__ = ("_all",)

    def __init__(self, stops: Sequence[Stop]) -> None:
        self._all = stops

    @property
    def set(self) -> bool:
        return all(stop.set for stop in self._all)
