# SPDX-License-Identifier: MIT
"""What answers an error: a problem of the catalogue, noted for the log and the metrics."""

from __future__ import annotations

from typing import Any, Final

from litestar.exceptions import HTTPException

from rpsd.service._body import ClientGone
from rpsd.service._degrade import Failed
from rpsd.service._log import trace_of
from rpsd.service._observe import Seen, note_failure, seen
from rpsd.service._problems import MEDIA_TYPE, Problem
from rpsd.service._request import Failure
from rpsd.service._state import State

_BY_STATUS: Final = {400: "malformed-request", 404: "not-found", 405: "method-not-allowed"}
_GONE: Final = 499


def answer_of(state: State, scope: Any, error: Exception) -> tuple[int, dict[str, str], bytes]:
    """Return status, headers and body for what a handler raised."""
    here = seen(scope)
    if isinstance(error, ClientGone):
        return _GONE, {}, b""
    problem = problem_of(state, here, error)
    note_problem(state, here, problem)
    body = problem.body(here.request_id, scope["path"])
    return problem.status, {"content-type": MEDIA_TYPE, **problem.headers}, body


def problem_of(state: State, here: Seen, error: Exception) -> Problem:
    """Return the problem that an error is; of one that nobody foresaw the log has where it was raised."""
    problem = _known(error)
    if problem is None:
        problem = Problem("internal-error", "the service failed; its log says why, by the request's id")
        state.log.write(
            "ERROR", here.operation, "unexpected error", trace=trace_of(error), request_id=here.request_id
        )
    return problem


def note_problem(state: State, here: Seen, problem: Problem) -> None:
    """Have the log and the metrics tell of a problem."""
    here.message = problem.title
    here.fields["problem"] = problem.name
    if isinstance(problem, Failed):
        note_failure(state, here, problem.failure)
    elif problem.name == "guardrail-breached":
        note_failure(state, here, Failure("guardrail", "error", report=problem.members["report"]))


def _known(error: Exception) -> Problem | None:
    if isinstance(error, Problem):
        return error
    if isinstance(error, HTTPException) and error.status_code in _BY_STATUS:
        name = _BY_STATUS[error.status_code]
        if error.status_code == 400:  # Litestar's own, of a Host that is none
            return Problem(name, error.detail)
        headers = {key.lower(): value for key, value in (error.headers or {}).items()}
        if "allow" in headers:
            headers["allow"] = ", ".join(sorted(headers["allow"].split(", ")))
        allowed = f"allowed: {headers['allow']}" if "allow" in headers else "there is no such address"
        return Problem(name, allowed, headers=headers)
    return None
