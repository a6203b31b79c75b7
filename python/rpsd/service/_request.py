# SPDX-License-Identifier: MIT
"""What a request asks for, whatever media type it came in, and what it is answered."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Final, Literal, NamedTuple
from urllib.parse import parse_qsl

import numpy as np
import numpy.typing as npt

from rpsd import ConfigError, Guardrails, InputError, Options
from rpsd._schema import NUMBER, fields, unknown
from rpsd.service._problems import Problem

F64 = npt.NDArray[np.float64]
Reported = Literal["full", "metrics", "none"]

REPORTS: Final = ("full", "metrics", "none")
_MOST_FIELDS: Final = 100
_MOST_DIGITS: Final = 18
_GUARDRAIL: Final = "guardrails."


@dataclass(frozen=True, slots=True)
class Limits:
    """How large a request may be."""

    points: int
    series: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Asked:
    """Series with the options that they are to be treated with.

    Attributes
    ----------
    names : tuple of str or None
        One for each series; None for a single one without a name.
    series : tuple of ndarray
    others : tuple of ndarray
        The output of each series, where that is what is asked about.
    options, guardrails : mapping
        As given; not checked yet.
    report : str
        How much of the report is wanted: full, metrics or none.
    """

    names: tuple[str, ...] | None
    series: tuple[F64, ...]
    options: Mapping[str, Any] = field(default_factory=dict)
    guardrails: Mapping[str, Any] | None = None
    report: Reported = "full"
    others: tuple[F64, ...] = ()

    @property
    def points(self) -> int:
        """Samples in all."""
        return sum(len(one) for one in (*self.series, *self.others))

    def check(self, limits: Limits) -> None:
        """Raise the Problem of too many series or samples."""
        if len(self.series) > limits.series:
            raise Problem(
                "too-large", f"a request has at most {limits.series} series, got {len(self.series)}"
            )
        if self.points > limits.points:
            raise Problem("too-large", f"a request has at most {limits.points} samples, got {self.points}")


class Failure(NamedTuple):
    """Why a series was not computed, and what answers instead; the trace is for the log alone.

    Where a guardrail is why, its report has the checks, which count like those of any answer.
    """

    reason: str
    answer: str
    trace: str | None = None
    report: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one series.

    Attributes
    ----------
    values : ndarray or None
        The output, where there is one.
    content : mapping
        All else, as plain data in the order of JSON.
    size : int
        Samples of the series.
    failure : Failure or None
        Where it is not what was asked for.
    removed : float or None
        Share of the variance of steps that was removed, where the full report is wanted.
    """

    values: F64 | None
    content: Mapping[str, Any]
    size: int
    failure: Failure | None = None
    removed: float | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of all series of a request, in their order."""

    names: tuple[str, ...] | None
    outcomes: tuple[Outcome, ...]


def outcome_headers(answer: Answer) -> dict[str, str]:
    """Return what was done to series, for answers that have no better place for it."""
    contents = [one.content for one in answer.outcomes]
    lookaheads = {one["lookahead"] for one in contents}
    return {
        "rpsd-action": ", ".join(dict.fromkeys(one["action"] for one in contents)),
        "rpsd-lookahead": ", ".join("none" if one is None else str(one) for one in lookaheads),
        "rpsd-notes": str(sum(len(one["notes"]) for one in contents)),
    }


@dataclass(slots=True)
class Query:
    """Options in an address, as media types without room for them have; read once for all that are equal."""

    options: dict[str, Any] = field(default_factory=dict)
    guardrails: dict[str, Any] = field(default_factory=dict)
    report: Reported = "none"
    series: int = 1


@lru_cache
def read_query(text: bytes) -> Query:
    """Read options as environment variables are read: `level=3&guardrails.policy=raise&series=2`.

    Raises
    ------
    Problem
        For an unknown name, a value that is not allowed, or a name given twice.
    """
    try:
        pairs = (
            parse_qsl(
                text.decode("ascii"), keep_blank_values=True, strict_parsing=True, max_num_fields=_MOST_FIELDS
            )
            if text
            else []
        )
    except ValueError:
        raise Problem("invalid-request", "the query must be name=value pairs joined by &") from None
    query = Query()
    seen = set()
    for name, value in pairs:
        if name in seen:
            raise Problem("invalid-request", f'the query gives "{name}" twice')
        seen.add(name)
        try:
            _take(query, name, value)
        except (ConfigError, InputError) as error:
            raise Problem("invalid-request", str(error)) from None
    return query


def _take(query: Query, name: str, value: str) -> None:
    if name == "report":
        query.report = checked_report(value)
    elif name == "series":
        if not (value.isascii() and value.isdecimal()) or len(value) > _MOST_DIGITS or not int(value) > 0:
            raise InputError(f'series must be an integer of at least 1, got "{value[:20]}"')
        query.series = int(value)
    elif name.startswith(_GUARDRAIL):
        key = name.removeprefix(_GUARDRAIL)
        known = fields(Guardrails)
        if key not in known:
            raise unknown("guardrail key", key, known)
        query.guardrails[key] = known[key].parse(value)
    else:
        options = fields(Options)
        if name not in options:
            raise unknown("option", name, [*options, "report", "series"])
        query.options[name] = options[name].parse(value)


def checked_report(value: object) -> Reported:
    """Return how much of the report is wanted, or raise the Problem of another value."""
    if value not in REPORTS:
        raise Problem("invalid-request", f"report must be {', '.join(REPORTS)}")
    return value


def seconds_of(text: str | None, most: float) -> float:
    """Return for how long the client waits: as Request-Timeout says, within what the service allows."""
    if text is None:
        return most
    number = text.strip()
    seconds = float(number) if NUMBER.fullmatch(number) else 0.0
    if not seconds > 0:
        raise Problem("invalid-request", "Request-Timeout must be a number of seconds > 0")
    return min(seconds, most)
