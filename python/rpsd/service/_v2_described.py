# SPDX-License-Identifier: MIT
"""KServe's V2 protocol, as the OpenAPI document describes it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from rpsd.service import _media, _v2_forms
from rpsd.service._request import REPORTS
from rpsd.service._v2 import READY_PATH, SERVER_PATH
from rpsd.service._v2_forms import BINARY_OUTPUT, GUARDRAIL, OUTPUTS, REPORT, VALUES
from rpsd.service._versions import INFER, MODEL_PATH

ABOUT: Final = "The computation of /v1/denoise by KServe's V2 protocol, for clients that speak it."
#: Headers of answers.
HEADERS: Final = {"Inference-Header-Content-Length": "Bytes of the JSON, where tensors are behind it."}
#: What is read with GET: tag, summary, answer.
READ: Final[dict[str, tuple[str, str, type[msgspec.Struct] | str]]] = {
    SERVER_PATH: ("inference", "What serves.", _v2_forms.ServerMetadata),
    MODEL_PATH: ("inference", "The model and its tensors.", _v2_forms.ModelMetadata),
    READY_PATH: ("health", "As /health/ready, for the model.", _v2_forms.ModelReady),
}
#: Structs of answers.
FORMS: Final = (_v2_forms.InferResponse,)
_REFUSALS: Final = (400, 401, 403, 404, 408, 413, 414, 415, 422, 429, 431, 500, 503, 504)
_BINARY: Final = {
    "schema": {
        "type": "string",
        "contentMediaType": _media.BINARY,
        "description": "the JSON, and tensors behind it: FP64 little-endian; BYTES behind 4 bytes of length",
    }
}
_TEXT: Final = {"type": "string"}


def schemas(options: Mapping[str, Any], guardrails: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a request has, given the schemas of options and guardrails."""
    known = {
        BINARY_OUTPUT: {"type": "boolean", "description": "Whether outputs are bytes that say nothing else."},
        REPORT: {"enum": list(REPORTS), "description": "How much of the report details has; none."},
        **options["properties"],
        **{GUARDRAIL + name: schema for name, schema in guardrails["properties"].items()},
    }
    number = {"anyOf": [{"type": "number"}, {"type": "null"}]}
    size = {"type": "integer", "minimum": 0, "description": "Bytes behind the JSON, in place of data."}
    tensor = {
        "name": {"enum": [VALUES]},
        "datatype": {"enum": [OUTPUTS[VALUES]]},
        "shape": {
            "type": "array",
            "description": "Samples; or series, samples.",
            "minItems": 1,
            "maxItems": 2,
            "items": {"type": "integer", "minimum": 0},
        },
        "parameters": _object({"binary_data_size": size}),
        "data": {
            "type": "array",
            "items": {"anyOf": [number, {"type": "array", "items": number}]},
            "description": "Samples, one series after the other or a list for each; null is missing.",
        },
    }
    wanted = {"name": {"enum": list(OUTPUTS)}, "parameters": _object({"binary_data": {"type": "boolean"}})}
    request = {
        "id": {**_TEXT, "maxLength": 1024, "description": "Comes back."},
        "inputs": {
            "type": "array",
            "minItems": 1,
            "maxItems": 1,
            "items": _ref("InferInput"),
        },
        "outputs": {
            "type": "array",
            "maxItems": len(OUTPUTS),
            "items": _ref("InferOutput"),
            "description": "Which are wanted; all.",
        },
        "parameters": _ref("InferParameters"),
    }
    return {
        "InferRequest": {"description": "One tensor, and options.", **_object(request, "inputs")},
        "InferInput": {"description": "A tensor.", **_object(tensor, "name", "datatype", "shape")},
        "InferOutput": {"description": "A tensor that is wanted.", **_object(wanted, "name")},
        "InferParameters": {"description": "Options, and those of guardrails.", **_object(known)},
    }


def paths(headers: Mapping[str, Any]) -> dict[str, Any]:
    """Return the path of what is computed; headers are those of the answer."""
    ((head, said),) = HEADERS.items()
    number = {"type": "integer", "minimum": 0}
    operation = {
        "operationId": "infer",
        "tags": ["inference"],
        "summary": "Denoise one series or many.",
        "parameters": [{"name": head, "in": "header", "description": said, "schema": number}],
        "requestBody": {"required": True, "content": {**_json("InferRequest"), _media.BINARY: _BINARY}},
        "responses": {
            "200": {
                "description": "Done.",
                "headers": headers,
                "content": {**_json("InferResponse"), _media.BINARY: _BINARY},
            },
            **{str(status): {"$ref": f"#/components/responses/{status}"} for status in _REFUSALS},
        },
    }
    return {INFER: {"post": operation}}


def _object(properties: Mapping[str, Any], *required: str) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": dict(properties),
        **({"required": list(required)} if required else {}),
        "additionalProperties": False,
    }


def _json(name: str) -> dict[str, Any]:
    return {_media.JSON: {"schema": _ref(name)}}


def _ref(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{name}"}
