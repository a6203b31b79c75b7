# SPDX-License-Identifier: MIT
"""What answers where a computation failed: never a wrong number that looks like a right one."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any, Final

import msgspec
import numpy as np

from rpsd import CausalityError, ConfigError, GuardrailError, InputError
from rpsd._result import report_data
from rpsd.service._body import ClientGone
from rpsd.service._log import trace_of
from rpsd.service._problems import Problem
from rpsd.service._request import F64, Answer, Asked, Failure, Outcome
from rpsd.service._snapshot import Snapshot

#: Errors of the request, or of nobody: no policy answers them.
_NO_FAILURES: Final = (CausalityError, ClientGone, ConfigError, InputError, Problem)


class Failed(Problem):
    """A series could not be computed, and the policy is to say so.

    Attributes
    ----------
    failure : Failure
        For the log.
    """

    def __init__(self, failure: Failure, detail: str) -> None:
        super().__init__("computation-failed", detail)
        self.failure = failure


class _Unsound(Exception):
    """An output that no computation may have."""


def guarded(snapshot: Snapshot, asked: Asked, one: Callable[[int], Outcome]) -> Callable[[int], Outcome]:
    """Return a function that denoises one series of a request, or answers as ``service.on_failure`` says.

    A breach under the policy raise that the request itself asks for stays an error.
    """
    policy = snapshot.service.on_failure
    own = (asked.guardrails or {}).keys() & {"policy", "policies"}

    def safe(number: int) -> Outcome:
        try:
            outcome = one(number)
            accept(snapshot, asked, number, outcome)
        except GuardrailError as error:
            failure = Failure("guardrail", policy, report=report_data(error.report))
            instead = None if own else _instead(snapshot, asked, number, failure)
            if instead is None:
                raise
            return instead
        except _NO_FAILURES:
            raise
        except Exception as error:
            reason = "unsound-output" if isinstance(error, _Unsound) else "failure"
            failure = Failure(reason, policy, trace_of(error))
            instead = _instead(snapshot, asked, number, failure)
            if instead is None:
                answered = failure._replace(answer="error")
                raise Failed(answered, "a series could not be computed; the log says why") from None
            return instead
        return outcome

    return safe


def accept(snapshot: Snapshot, asked: Asked, number: int, outcome: Outcome) -> None:
    """Raise unless an outcome is sound, and remember it for a time when there is none."""
    x = asked.series[number]
    y = _sound(x, outcome)
    if snapshot.service.on_failure == "hold" and asked.names is not None:
        snapshot.held.remember(_key(asked, number), x, y)


def _sound(x: F64, outcome: Outcome) -> F64:
    """Return the output, or raise unless it has a finite number wherever the method promises one."""
    y = outcome.values
    if y is None or len(y) != len(x):
        raise _Unsound
    absent = len(y) - int(np.count_nonzero(np.isfinite(y)))
    if absent > int(np.count_nonzero(np.isnan(x))) + outcome.content["warmup"]:
        raise _Unsound
    return y


def _instead(snapshot: Snapshot, asked: Asked, number: int, failure: Failure) -> Outcome | None:
    """Return what is answered in place of an output, or None where that is an error."""
    x = asked.series[number]
    values: F64 | None = None
    if failure.answer == "raw":
        values = x
    elif failure.answer == "hold" and asked.names is not None:
        values = snapshot.held.recall(_key(asked, number), x)
    if values is None:
        return None
    content: dict[str, Any] = {
        "report": None,
        "noise": None,
        "action": failure.answer,
        "lookahead": asked.options.get("lookahead", snapshot.config.denoiser.lookahead),
        "warmup": 0,
        "notes": [],
        "degraded": {"answer": failure.answer, "reason": failure.reason},
    }
    return Outcome(values, content, len(x), failure)


def _key(asked: Asked, number: int) -> bytes:
    name = "" if asked.names is None else asked.names[number]
    content = msgspec.json.encode((name, asked.options, asked.guardrails), order="sorted")
    return hashlib.sha256(content).digest()  # a mask of breaks is as long as its series


def degraded_header(answer: Answer) -> dict[str, str]:
    """Return the header that says that an answer is not the one asked for."""
    failures = [outcome.failure for outcome in answer.outcomes if outcome.failure]
    texts = dict.fromkeys(f"{failure.answer};reason={failure.reason}" for failure in failures)
    return {"rpsd-degraded": ", ".join(texts)} if texts else {}
