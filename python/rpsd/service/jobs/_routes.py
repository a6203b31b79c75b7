# SPDX-License-Identifier: MIT
"""The addresses of jobs: /v1/jobs and below."""

from __future__ import annotations

from typing import Final

from litestar import Response
from litestar.handlers import HTTPRouteHandler

from rpsd.service import _media
from rpsd.service._calls import (
    DELETE,
    GET,
    POST,
    SMALL_BODY,
    Answer,
    AnyRequest,
    Call,
    as_before,
    as_json,
    handlers_of,
)
from rpsd.service._idempotency import key_of
from rpsd.service._observe import Seen
from rpsd.service._state import State
from rpsd.service.jobs import _forms
from rpsd.service.jobs._jobs import Jobs

PATH: Final = "/v1/jobs"
ONE: Final = f"{PATH}/{{id}}"


class _Call(Call):
    """One request about jobs."""

    def __init__(self, state: State, jobs: Jobs, request: AnyRequest, here: Seen) -> None:
        super().__init__(state, request, here)
        self.jobs = jobs


def job_routes(state: State, jobs: Jobs) -> list[HTTPRouteHandler]:
    """Return the handlers of jobs."""

    def make(request: AnyRequest, here: Seen) -> _Call:
        return _Call(state, jobs, request, here)

    return handlers_of(
        make,
        state,
        {
            PATH: {POST: ("submit-job", _submit), GET: ("list-jobs", _list)},
            ONE: {GET: ("show-job", _show), DELETE: ("delete-job", _delete)},
            f"{ONE}/cancel": {POST: ("cancel-job", _cancel)},
            f"{ONE}/result": {GET: ("result-of-job", _result)},
        },
    )


async def _submit(call: _Call) -> Answer:
    headers, query = call.request.headers, call.request.scope["query_string"]
    operation, rest = _forms.read_query(query)
    endpoint = _forms.OPERATIONS[operation]
    sent = _media.sent_type(headers.get("content-type"), tuple(endpoint.decoders))
    wanted = _media.wanted_type(headers.get("accept"), sent, tuple(endpoint.encoders))
    key = key_of(headers)
    with call.jobs.under_way.alone(call.who.tenant, key):
        body, _ = await call.body(call.service.max_body_bytes, sent)
        kept = _forms.Kept(sent, wanted, rest)
        answered, call.here.data_size = await call.jobs.submit(
            call.here.snapshot, call.who, operation, kept, body, key, call.deadline, call.request.receive
        )
    return as_before(answered)


async def _list(call: _Call) -> Answer:
    rows = await call.jobs.rows(call.who, call.deadline, call.request.receive)
    return as_json({"jobs": [_forms.row_data(row) for row in rows]})


async def _show(call: _Call) -> Answer:
    found = await call.jobs.row(call.who, call.id, call.deadline, call.request.receive)
    return as_json(_forms.state_data(*found))


async def _delete(call: _Call) -> Answer:
    await call.jobs.delete(call.who, call.id, call.deadline, call.request.receive)
    return Response(b"", status_code=204)


async def _cancel(call: _Call) -> Answer:
    await call.body(SMALL_BODY, _media.JSON)
    row = await call.jobs.cancel(call.who, call.id, call.deadline, call.request.receive)
    return as_json(_forms.state_data(row))


async def _result(call: _Call) -> Answer:
    headers, body = await call.jobs.result(call.who, call.id, call.deadline, call.request.receive)
    kind = headers.pop("content-type")
    _media.wanted_type(call.request.headers.get("accept"), kind, (kind,))
    return Response(body, media_type=kind, headers=headers)
