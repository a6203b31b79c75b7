# SPDX-License-Identifier: MIT
"""The addresses of jobs, as the OpenAPI document describes them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, Final

from rpsd.service import _describing
from rpsd.service._describing import ANY, ID, KEY, OF_ONE, json_of
from rpsd.service.jobs import _forms, _routes

#: Structs of answers.
FORMS: Final = (_forms.JobState, _forms.JobList)

_OPERATION: Final = {
    "name": "operation",
    "in": "query",
    "description": "What is done; the rest of the request is as there.",
    "schema": {"enum": list(_forms.OPERATIONS), "default": _forms.USUAL},
}


def paths(
    headers: Mapping[str, Any],
    parameters: Sequence[Mapping[str, Any]],
    bodies: Mapping[str, Any],
    result: Mapping[str, Any],
) -> dict[str, Any]:
    """Return the paths.

    Parameters
    ----------
    headers : mapping
        Those of every answer.
    parameters, bodies, result
        What the addresses that compute take, and answer.
    """
    operation = partial(_describing.operation, "jobs", headers)
    of_one = partial(operation, refusals=(*ANY, *OF_ONE))
    one = _routes.ONE
    state = {"content": json_of("JobState")}
    shown = of_one("show_job", "A job and where it is.", state, parameters=[ID])
    return {
        _routes.PATH: {
            "get": operation("list_jobs", "Jobs, oldest first.", {"content": json_of("JobList")}),
            "post": operation(
                "submit_job",
                "Have series computed that take longer than a client waits.",
                {**state, "links": _links()},
                code="202",
                refusals=(*ANY, 409),
                parameters=[_OPERATION, KEY, *parameters],
                requestBody={"required": True, "content": bodies},
            ),
        },
        one: {
            "get": shown,
            "delete": of_one("delete_job", "Stop and forget a job.", {}, code="204", parameters=[ID]),
        },
        f"{one}/cancel": {"post": of_one("cancel_job", "Stop a job.", state, parameters=[ID])},
        f"{one}/result": {"get": of_one("result_of_job", "What it computed.", result, parameters=[ID])},
    }


def _links() -> dict[str, Any]:
    """Return where a new job's id is of use."""
    return {
        name: {"operationId": name, "parameters": {"id": "$response.body#/id"}}
        for name in ("show_job", "cancel_job", "result_of_job", "delete_job")
    }
