# SPDX-License-Identifier: MIT
"""Whether one service may take the place of another: `rpsd compare URL_A URL_B`."""

from __future__ import annotations

import http.client
import json
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

import rpsd
from rpsd.service._client import BINARY, JSON, Client

_NO_ANSWER: Final = (OSError, http.client.HTTPException)
_SIZES: Final = (256, 1741, 10_000)
_KINDS: Final = (("a", 1.0), ("a", 0.3), ("a", 0.0))
#: Two-sided confidence of the interval around the median ratio of times.
_CONFIDENCE: Final = 0.95

Verdict = Literal["no worse", "worse", "undecided"]


class Question(NamedTuple):
    """One request of those that both are sent."""

    name: str
    body: bytes
    content_type: str
    path: str = "/v1/denoise"


class Heard(NamedTuple):
    """What came of one request: no values where it failed."""

    status: str
    seconds: float
    values: dict[str, npt.NDArray[np.float64]] | None


@dataclass(frozen=True)
class Comparison:
    """What was heard of both, request by request.

    Attributes
    ----------
    names : list of str
    a, b : list of Heard
    """

    names: list[str]
    a: list[Heard]
    b: list[Heard]

    def errors(self, which: str) -> int:
        """Return how many requests failed at a or b."""
        heard: list[Heard] = getattr(self, which)
        return sum(one.values is None for one in heard)

    def differences(self, tolerance: float) -> list[tuple[str, float]]:
        """Return names and greatest relative differences of the outputs that differ by more."""
        found = []
        for name, a, b in zip(self.names, self.a, self.b, strict=True):
            if a.values is not None and b.values is not None:
                worst = _difference(a.values, b.values)
                if worst > tolerance:
                    found.append((name, worst))
        return found

    def seconds(self) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """Return the times of requests that both answered."""
        pairs = [
            (a.seconds, b.seconds)
            for a, b in zip(self.a, self.b, strict=True)
            if a.values is not None and b.values is not None
        ]
        both = np.array(pairs, dtype=float).reshape(-1, 2)
        return both[:, 0], both[:, 1]


def questions(count: int, seed: int) -> Iterator[Question]:
    """Yield simulated series of several sizes and noises, in JSON and as float64."""
    for number in range(count):
        size, (kind, nsr) = _SIZES[number % len(_SIZES)], _KINDS[number // len(_SIZES) % len(_KINDS)]
        x = 100 + rpsd.simulate(kind, size, seed=seed + number, nsr=nsr).noisy
        if number % 2:
            yield Question(f"{number}: {size} float64", x.astype("<f8").tobytes(), BINARY)
        else:
            body = json.dumps({"values": x.tolist(), "report": "none"}).encode()
            yield Question(f"{number}: {size} json", body, JSON)


def replay(lines: Sequence[bytes]) -> Iterator[Question]:
    """Yield recorded bodies of POST /v1/denoise, one JSON object a line."""
    for number, line in enumerate(lines, 1):
        if line.strip():
            yield Question(f"line {number}", line, JSON)


def compare(a: Client, b: Client, asked: Iterator[Question], *, seed: int, warmup: int) -> Comparison:
    """Send each request to both, one right after the other, in an order drawn for each.

    Parameters
    ----------
    a, b : Client
    asked : iterator of Question
    seed : int
        Of the order.
    warmup : int
        Requests at the beginning that are sent and not counted.
    """
    order = random.Random(seed)
    found = Comparison([], [], [])
    for number, question in enumerate(asked):
        pair: dict[str, Heard] = {}
        for name in order.sample(("a", "b"), 2):
            pair[name] = _hear(a if name == "a" else b, question)
        if number >= warmup:
            found.names.append(question.name)
            found.a.append(pair["a"])
            found.b.append(pair["b"])
    return found


def _hear(client: Client, question: Question) -> Heard:
    try:
        reply = client.ask("POST", question.path, question.body, question.content_type)
    except _NO_ANSWER as error:
        return Heard(type(error).__name__, float("nan"), None)
    if reply.status != 200 or "rpsd-degraded" in reply.headers:
        degraded = " degraded" if reply.status == 200 else ""
        return Heard(f"{reply.status}{degraded}", reply.seconds, None)
    try:
        values = (
            _values(reply.json) if question.content_type == JSON else {"": np.frombuffer(reply.body, "<f8")}
        )
    except (ValueError, KeyError, TypeError, AttributeError):
        return Heard("unreadable", reply.seconds, None)
    return Heard("200", reply.seconds, values)


def _values(content: Any) -> dict[str, npt.NDArray[np.float64]]:
    series = content.get("series", {"": content})
    return {
        name: np.array([np.nan if value is None else value for value in one["values"]], dtype=float)
        for name, one in series.items()
    }


def _difference(a: dict[str, npt.NDArray[np.float64]], b: dict[str, npt.NDArray[np.float64]]) -> float:
    """Return the greatest difference, relative to the greatest value; inf where shapes or gaps differ."""
    if a.keys() != b.keys():
        return float("inf")
    worst = 0.0
    for name, x in a.items():
        y = b[name]
        if x.shape != y.shape or not np.array_equal(np.isnan(x), np.isnan(y)):
            return float("inf")
        there = ~np.isnan(x)
        if there.any():
            scale = float(np.max(np.abs(x[there]))) or 1.0
            worst = max(worst, float(np.max(np.abs(x[there] - y[there]))) / scale)
    return worst


class Ratio(NamedTuple):
    """How many times as long B takes: the median of the pairs, within an interval."""

    median: float
    low: float
    high: float


def ratio_of(a: npt.NDArray[np.float64], b: npt.NDArray[np.float64]) -> Ratio:
    """Return the median ratio of paired times, with its interval by order statistics.

    That interval supposes nothing about how times are distributed; it is infinite where pairs are too few.
    """
    from scipy.stats import binom

    ratios = np.sort(b / a)
    n = len(ratios)
    if not n:
        return Ratio(float("nan"), 0.0, float("inf"))
    # The k-th smallest and k-th largest enclose the median with 1 - 2 P(Binomial(n, 1/2) < k).
    k = int(binom.ppf((1 - _CONFIDENCE) / 2, n, 0.5))
    if k < 1:
        return Ratio(float(np.median(ratios)), 0.0, float("inf"))
    return Ratio(float(np.median(ratios)), float(ratios[k - 1]), float(ratios[n - k]))


def verdicts(found: Comparison, *, tolerance: float, max_ratio: float) -> dict[str, Verdict]:
    """Return whether B is no worse in outputs, errors and time.

    Time is no worse where the whole interval of the ratio is within ``max_ratio``, worse where none of it is.
    """
    interval = ratio_of(*found.seconds())
    time: Verdict = "undecided"
    if interval.high <= max_ratio:
        time = "no worse"
    elif interval.low > max_ratio:
        time = "worse"
    compared = len(found.seconds()[0]) > 0
    differ = bool(found.differences(tolerance))
    return {
        "outputs": "worse" if differ else "no worse" if compared else "undecided",
        "errors": "worse" if found.errors("b") > found.errors("a") else "no worse",
        "time": time,
    }
