# SPDX-License-Identifier: MIT
"""The addresses of streams, as the OpenAPI document describes them."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any, Final

from rpsd.service import _describing, _media
from rpsd.service._describing import ANY, ID, KEY, OF_ONE, json_of
from rpsd.service.streams import _forms, _routes
from rpsd.service.streams._ops import SAMPLES

_SEQUENCE: Final = {"type": "integer", "minimum": 1, "maximum": 2**53}
_SAMPLE: Final = {"anyOf": [{"type": "number"}, {"type": "null"}]}
_ROW: Final = {"type": "array", "minItems": 1, "items": _SAMPLE}
_BINARY: Final = {"type": "string", "contentMediaType": _media.BINARY}
_RAW: Final = {**_BINARY, "description": "float64, little-endian, one series after the other"}
_LATEST: Final = {
    "name": "sequence",
    "in": "query",
    "description": "Which change of the stream it is, for a body that has no room for it.",
    "schema": _SEQUENCE,
}
#: Structs of answers.
FORMS: Final = (_forms.Changed, _forms.Estimates, _forms.StreamState, _forms.StreamList)

_CHANGES: Final = {
    "push": "Push samples, get estimates.",
    "amend": "Replace the last sample of each series.",
    "new-session": "Begin a session with the next sample.",
    "acknowledge": "Take series as they are now for what they should be: no alarm stands any more.",
}


def schemas(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return what requests have, given the schema of the options."""
    nullable = {
        "anyOf": [_SEQUENCE, {"type": "null"}],
        "description": "Which change of the stream it is: asked again, answered again.",
    }
    values = {"anyOf": [_ROW, {"type": "array", "minItems": 1, "items": _ROW}]}
    return {
        "NewStream": {
            **options,
            "description": "A stream: options, and how many series it has.",
            "properties": {
                "series": {
                    "anyOf": [{"type": "integer", "minimum": 1}, {"type": "null"}],
                    "description": "Series of a bank; null for one series.",
                },
                "on_breach": {
                    "enum": [None, "raw", "hold", "raise"],
                    "description": "What comes out while an alarm stands, as of rpsd.Stream.",
                },
                **options["properties"],
            },
        },
        "StreamChange": {
            "type": "object",
            "description": "A change without samples.",
            "properties": {"sequence": nullable},
            "additionalProperties": False,
        },
        "StreamSamples": {
            "type": "object",
            "description": "A change with samples.",
            "properties": {
                "values": {**values, "description": "Samples; a list for each series of a bank."},
                "sequence": nullable,
            },
            "required": ["values"],
            "additionalProperties": False,
        },
    }


def paths(headers: Mapping[str, Any]) -> dict[str, Any]:
    """Return the paths; headers are those of every answer."""
    operation = partial(_describing.operation, "streams", headers)

    def of_one(name: str, summary: str, answer: Mapping[str, Any], **more: Any) -> dict[str, Any]:
        more["parameters"] = [ID, *more.get("parameters", ())]
        return operation(name, summary, answer, refusals=(*ANY, *OF_ONE), **more)

    def change(kind: str) -> dict[str, Any]:
        name = kind.replace("-", "_") + "_stream"
        if kind not in SAMPLES:
            simple = {"content": json_of("StreamChange")}
            return {"post": of_one(name, _CHANGES[kind], {"content": json_of("Changed")}, requestBody=simple)}
        body = {"required": True, "content": {**json_of("StreamSamples"), _media.BINARY: {"schema": _RAW}}}
        answer = {"content": {**json_of("Estimates"), _media.BINARY: {"schema": _RAW}}}
        return {
            "post": of_one(name, _CHANGES[kind], answer, requestBody=body, parameters=[_LATEST]),
        }

    created = {"content": json_of("StreamState"), "links": _links()}
    flushed = {"content": {**json_of("Estimates"), _media.BINARY: {"schema": _RAW}}}
    snapshot = {"content": {_media.BINARY: {"schema": {**_BINARY, "description": "for rpsd.Stream.restore"}}}}
    one = _routes.ONE
    return {
        _routes.PATH: {
            "get": operation("list_streams", "Streams, oldest first.", {"content": json_of("StreamList")}),
            "post": operation(
                "create_stream",
                "Create a stream of one series, or a bank of many.",
                created,
                code="201",
                refusals=(*ANY, 409),
                parameters=[KEY],
                requestBody={"content": json_of("NewStream")},
            ),
        },
        one: {
            "get": of_one("show_stream", "A stream and its health.", {"content": json_of("StreamState")}),
            "delete": of_one("delete_stream", "Delete a stream.", {}, code="204"),
        },
        **{f"{one}/{kind}": change(kind) for kind in _CHANGES},
        f"{one}/flush": {
            "post": of_one(
                "flush_stream", "Estimates of the last samples, as if the session ended here.", flushed
            )
        },
        f"{one}/snapshot": {
            "get": of_one("snapshot_stream", "All there is to know of it, to go on elsewhere.", snapshot)
        },
    }


def _links() -> dict[str, Any]:
    """Return where a new stream's id is of use."""
    names = [f"{kind.replace('-', '_')}_stream" for kind in _CHANGES]
    return {
        name: {"operationId": name, "parameters": {"id": "$response.body#/id"}}
        for name in (*names, "show_stream", "flush_stream", "snapshot_stream", "delete_stream")
    }
