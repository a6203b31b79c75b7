# SPDX-License-Identifier: MIT
"""KServe's V2 protocol: what it says of the server and its one model, and how that is asked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import msgspec
from litestar import HttpMethod, MediaType, Request, Response, route
from litestar.handlers import HTTPRouteHandler

import rpsd
from rpsd.service import _compute, _media
from rpsd.service._observe import seen
from rpsd.service._problems import Problem
from rpsd.service._state import State
from rpsd.service._v2_forms import (
    DETAILS,
    OUTPUTS,
    VALUES,
    ModelMetadata,
    ModelReady,
    ServerMetadata,
    TensorMetadata,
)
from rpsd.service._v2_tensors import Tensors
from rpsd.service._versions import INFER, MODEL, MODEL_PATH
from rpsd.service._work import Form

_READ: Final = (HttpMethod.GET, HttpMethod.HEAD)
_Any = Request[Any, Any, Any]
SERVER_PATH: Final = "/v2"
READY_PATH: Final = f"{MODEL_PATH}/ready"
_SHAPES: Final = {VALUES: [-1, -1], DETAILS: [-1]}
_SERVER: Final = ServerMetadata("rpsd", rpsd.__version__, ["binary_tensor_data"])
_MODEL: Final = ModelMetadata(
    MODEL,
    "rpsd",
    [TensorMetadata(VALUES, OUTPUTS[VALUES], _SHAPES[VALUES])],
    [TensorMetadata(name, kind, _SHAPES[name]) for name, kind in OUTPUTS.items()],
)


@dataclass(frozen=True, slots=True)
class Infer:
    """The address of KServe's V2 protocol: the computation of /v1/denoise, with tensors in and out."""

    operation: str = "infer"
    message: str = "Inference completed successfully"
    compute: _compute.Compute = _compute.denoise
    path: str = INFER

    def form(self, headers: Mapping[str, str]) -> Form:
        """Return how a request of these headers is read and answered, or raise the Problem of others."""
        tensors = Tensors.of(headers)
        return Form(
            (self.operation, tensors.head),
            _media.JSON,
            tensors.decode,
            tensors.encode,
            tensors.most_points,
            tensors.is_quick,
        )


def v2_routes(state: State) -> list[HTTPRouteHandler]:
    """Return the handlers of what is read; `Infer` is served with the other addresses of series."""

    @route(SERVER_PATH, http_method=_READ)
    async def server(request: _Any) -> Response[bytes]:
        return _answer(request, SERVER_PATH, "server-metadata", _SERVER)

    @route(MODEL_PATH, http_method=_READ)
    async def model(request: _Any) -> Response[bytes]:
        return _answer(request, MODEL_PATH, "model-metadata", _MODEL)

    @route(READY_PATH, http_method=_READ)
    async def ready(request: _Any) -> Response[bytes]:
        answer = _answer(request, READY_PATH, "health", ModelReady(MODEL, ready=True))
        if state.phase.reason is not None:
            raise Problem("not-ready", state.phase.reason, headers={"retry-after": "1"})
        return answer

    return [server, model, ready]


def _answer(request: _Any, path: str, operation: str, content: msgspec.Struct) -> Response[bytes]:
    here = seen(request.scope)
    here.route, here.operation = path, operation
    return Response(msgspec.json.encode(content), media_type=MediaType.JSON)
