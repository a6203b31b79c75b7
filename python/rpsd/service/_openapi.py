# SPDX-License-Identifier: MIT
"""The OpenAPI 3.1 document, of the same tables as the service itself: endpoints, options, answers, problems.

docs/openapi.json is a copy; tests/test_service_openapi.py says how it is made anew.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from http import HTTPStatus
from typing import Any, Final

import msgspec

import rpsd
from rpsd import Guardrails, Options
from rpsd.service import _answers, _media, _v2_described, _versions
from rpsd.service._admin import LOG_LEVEL, LogLevel
from rpsd.service._codec_json import EvaluateRequest
from rpsd.service._option_schemas import LARGEST_INT, in_address, settings_schema
from rpsd.service._problems import CATALOGUE, MEDIA_TYPE
from rpsd.service._request import REPORTS
from rpsd.service._series import ENDPOINTS, Endpoint
from rpsd.service.access._roles import OPEN, ROUTES
from rpsd.service.jobs import _described as _jobs_described
from rpsd.service.jobs._forms import USUAL
from rpsd.service.streams import _described

_SCHEMAS: Final = "#/components/schemas/{name}"
_NULL: Final = {"type": "null"}
_TEXT: Final = {"type": "string"}
_NUMBERS: Final = {"type": "array", "items": {"anyOf": [{"type": "number"}, _NULL]}}

_SECURITY: Final[list[dict[str, list[str]]]] = [{"bearer": []}, {"certificate": []}]
#: What a request may get where credentials are asked for.
_GUARDED: Final = (401, 403, 404, 429, 503)
#: Statuses that a request may get wherever it goes; the others are of addresses that are not here, and of
#: streams.
_ANYWHERE: Final = (400, 408, 414, 431, 500)
_ELSEWHERE: Final = (404, 405, 409)
#: What changing a setting may be refused with beside; 404 where another machine asks.
_SETTING: Final = (404, 413, 415, 422)

#: What is read with GET: its summary, and the struct or the media type of the answer.
READ: Final[dict[str, tuple[str, str, type[msgspec.Struct] | str]]] = {
    "/health": ("health", "Whether it should get requests.", _answers.Health),
    "/health/detailed": ("health", "And how busy it is.", _answers.DetailedHealth),
    "/health/live": ("health", "Whether it answers at all.", _answers.Probe),
    "/health/ready": ("health", "Whether it takes requests; 503 has the reason.", _answers.Probe),
    "/health/startup": ("health", "Whether it has started.", _answers.Probe),
    "/v2/health/live": ("health", "As /health/live.", _answers.Probe),
    "/v2/health/ready": ("health", "As /health/ready.", _answers.Probe),
    **_v2_described.READ,
    "/metrics": ("operation", "Metrics for Prometheus.", "text/plain"),
    "/openapi.json": ("operation", "This document.", _media.JSON),
    "/docs": ("operation", "This document as a page.", "text/html"),
}
#: Headers of every answer, and those that only some of denoise have.
_ALWAYS: Final = {
    "X-Request-ID": "That of the request, or a new one.",
    "RPSD-Version": "The version that answered.",
    "RPSD-Config": "Tells two configurations apart.",
}
_SOMETIMES: Final = {
    "RPSD-Degraded": "What answers instead of outputs that failed, and why: raw;reason=failure.",
    "RPSD-Action": "What was done to series; not in JSON, whose body says it.",
    "RPSD-Lookahead": "Samples of future that were used; not in JSON.",
    "RPSD-Notes": "How many notes there are; not in JSON.",
}
#: Headers that requests for numbers may have.
_HEADERS: Final[list[dict[str, Any]]] = [
    {"name": name, "in": "header", "description": said, "schema": schema}
    for name, schema, said in (
        (
            "Cache-Control",
            _TEXT,
            "no-cache has the answer computed anew; with no-store it is not kept either.",
        ),
        ("Request-Timeout", {"type": "number", "exclusiveMinimum": 0}, "Seconds that the client waits."),
        ("X-Request-ID", _TEXT, "Comes back, and is in the log, if it is 1 to 128 of A-Za-z0-9._:/+=-."),
    )
]
_BINARY: Final = {
    _media.BINARY: "float64, little-endian, one series after the other",
    _media.ARROW: "an Arrow IPC stream, a column for each series",
}
_SUMMARIES: Final = {
    "denoise": "Denoise one series or many.",
    "noise": "Estimate the noise of one series or many.",
    "evaluate": "Hold outputs against their inputs.",
}


@cache
def document(*, asks: bool = False) -> dict[str, Any]:
    """Return the document as plain data; asks is whether the service asks for credentials."""
    _, answers = msgspec.json.schema_components(
        [*dict.fromkeys(form for *_, form in READ.values() if not isinstance(form, str)),
         *(endpoint.answer for endpoint in ENDPOINTS), *_described.FORMS,
         *_jobs_described.FORMS, *_v2_described.FORMS, LogLevel],
        ref_template=_SCHEMAS,
    )  # fmt: skip
    return {
        "openapi": "3.1.0",
        "jsonSchemaDialect": "https://json-schema.org/draft/2020-12/schema",
        "info": {
            "title": "rpsd",
            "version": rpsd.__version__,
            "summary": "Denoise financial time series.",
            "description": "A missing sample is null in JSON and Arrow and NaN in float64. Options that a "
            "request does not give are those of the service's configuration. Errors are problem details "
            "(RFC 9457).",
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "servers": [{"url": "/"}],
        "security": _SECURITY if asks else [{}, *_SECURITY],
        "tags": [
            {
                "name": "series",
                "description": "Answers have the media type of the request, or what Accept prefers.",
            },
            {
                "name": "streams",
                "description": "Series that are still coming. The WebSocket /v1/stream does the same.",
            },
            {"name": "jobs", "description": "Series that take longer than a client waits."},
            {"name": "inference", "description": _v2_described.ABOUT},
            {"name": "health", "description": "For people, supervisors and balancers; never queued."},
            {"name": "operation", "description": "For those who run it or write clients."},
        ],
        "paths": {
            **{endpoint.path: {"post": _operation(endpoint)} for endpoint in ENDPOINTS},
            **_described.paths(_header_refs()),
            **_job_paths(),
            **_v2_described.paths(_header_refs(*_SOMETIMES, *_v2_described.HEADERS)),
            **{path: {"get": _reading(path)} for path in READ},
            LOG_LEVEL: _setting("log-level", "The level of the log", LogLevel),
        },
        "components": {
            "schemas": {
                "DenoiseRequest": _request(),
                "EvaluateRequest": _evaluate_request(),
                **_described.schemas(settings_schema(Options)),
                **_v2_described.schemas(settings_schema(Options), settings_schema(Guardrails)),
                "Guardrails": settings_schema(Guardrails),
                **answers,
                "Problem": _problem(),
            },
            "responses": {str(status): _refusal(status) for status in _statuses()},
            "headers": _headers(),
            "securitySchemes": {
                "bearer": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "An API key, or a token of the issuer; where the service asks for one.",
                },
                "certificate": {
                    "type": "mutualTLS",
                    "description": "A client's certificate, where the service takes them.",
                },
            },
        },
    }


def _bodies(endpoint: Endpoint) -> dict[str, Any]:
    """Return the contents that an address takes."""
    return {
        _media.JSON: {"schema": {"$ref": _SCHEMAS.format(name=_request_name(endpoint))}},
        **{name: _binary(name) for name in endpoint.decoders if name != _media.JSON},
    }


def _contents(endpoint: Endpoint) -> dict[str, Any]:
    """Return the contents that it answers."""
    answer = {"$ref": _SCHEMAS.format(name=endpoint.answer.__name__)}
    several = {
        "type": "object",
        "properties": {"series": {"type": "object", "additionalProperties": answer}},
        "required": ["series"],
    }
    values = _media.BINARY in endpoint.encoders
    said = _BINARY if values else {_media.ARROW: "an Arrow IPC stream, a row for each series"}
    return {
        _media.JSON: {"schema": {"anyOf": [answer, several]}},
        **{name: _binary(name, said) for name in endpoint.encoders if name != _media.JSON},
    }


def _job_paths() -> dict[str, Any]:
    """Return the addresses of jobs, which take and answer what those that compute do."""

    def merged(contents: Callable[[Endpoint], dict[str, Any]]) -> dict[str, Any]:
        found = [contents(endpoint) for endpoint in ENDPOINTS]
        texts = list({str(one[_media.JSON]): one[_media.JSON]["schema"] for one in found}.values())
        return {**found[0], _media.JSON: {"schema": {"anyOf": texts}}}

    result = {"headers": _header_refs(*_SOMETIMES), "content": merged(_contents)}
    parameters = [*in_address(USUAL), *(one for one in _HEADERS if one["name"] != "Cache-Control")]
    return _jobs_described.paths(_header_refs(), parameters, merged(_bodies), result)


def _operation(endpoint: Endpoint) -> dict[str, Any]:
    refusals = [status for status in _statuses() if status not in _ELSEWHERE]
    version = _versions.of(endpoint.path)
    sometimes = _SOMETIMES if endpoint.operation == "denoise" else ()
    return {
        "operationId": endpoint.operation,
        "tags": ["series"],
        "summary": _SUMMARIES[endpoint.operation],
        **({"deprecated": True} if version is not None and version.deprecated is not None else {}),
        "parameters": [*in_address(endpoint.operation), *_HEADERS],
        "requestBody": {"required": True, "content": _bodies(endpoint)},
        "responses": {
            "200": {
                "description": "Done.",
                "headers": _header_refs(*sometimes),
                "content": _contents(endpoint),
            },
            **{str(status): {"$ref": f"#/components/responses/{status}"} for status in refusals},
        },
    }


def _request_name(endpoint: Endpoint) -> str:
    return "EvaluateRequest" if endpoint.operation == "evaluate" else "DenoiseRequest"


def _binary(name: str, said: Mapping[str, str] = _BINARY) -> dict[str, Any]:
    return {"schema": {"type": "string", "contentMediaType": name, "description": said[name]}}


def _reading(path: str) -> dict[str, Any]:
    tag, summary, form = READ[path]
    if isinstance(form, str):
        content: dict[str, Any] = {form: {} if form == _media.JSON else {"schema": _TEXT}}
    else:
        content = {_media.JSON: {"schema": {"$ref": _SCHEMAS.format(name=form.__name__)}}}
    answers: dict[str, Any] = {
        "200": {"description": "Read.", "headers": _header_refs(), "content": content},
        **{str(status): {"$ref": f"#/components/responses/{status}"} for status in _ANYWHERE},
    }
    if path in ("/health", "/health/detailed"):
        answers["503"] = {"description": "It should get no requests.", "content": content}
    elif tag == "health":
        answers["503"] = {"$ref": "#/components/responses/503"}
    is_open = ROUTES["GET", path] == OPEN
    if not is_open:
        answers |= {
            str(status): answers.get(str(status), {"$ref": f"#/components/responses/{status}"})
            for status in _GUARDED
        }
    return {
        **({"security": []} if is_open else {}),
        "operationId": path.strip("/").replace("/", "_").replace(".", "_"),
        "tags": [tag],
        "summary": summary,
        "responses": answers,
    }


def _setting(name: str, what: str, form: type[msgspec.Struct]) -> dict[str, Any]:
    """Return GET and PUT of what is changed while the service runs."""
    content = {_media.JSON: {"schema": {"$ref": _SCHEMAS.format(name=form.__name__)}}}
    statuses = sorted({*_ANYWHERE, *_SETTING, *_GUARDED})
    common = {
        "tags": ["operation"],
        "responses": {
            "200": {"description": "In effect.", "headers": _header_refs(), "content": content},
            **{str(status): {"$ref": f"#/components/responses/{status}"} for status in statuses},
        },
    }
    where = "for this machine only."
    key = name.replace("-", "_")
    return {
        "get": {"operationId": f"get_{key}", "summary": f"{what}; {where}", **common},
        "put": {
            "operationId": f"put_{key}",
            "summary": f"{what}, until the next reload; {where}",
            "requestBody": {"required": True, "content": content},
            **common,
        },
    }


def _request() -> dict[str, Any]:
    schema = settings_schema(Options)
    schema["description"] = "One of values and series, with options."
    schema["properties"] = {
        "values": {**_NUMBERS, "description": "One series; null is a missing sample."},
        "series": {"type": "object", "additionalProperties": _NUMBERS, "description": "Many, by name."},
        "report": {"enum": list(REPORTS), "description": "How much of the report is wanted."},
        "guardrails": {"$ref": _SCHEMAS.format(name="Guardrails"), "description": "Thresholds and policies."},
        **schema["properties"],
    }
    schema["oneOf"] = [{"required": ["values"]}, {"required": ["series"]}]
    return schema


def _evaluate_request() -> dict[str, Any]:
    pair = {"x": {**_NUMBERS, "description": "The input."}, "y": {**_NUMBERS, "description": "The output."}}
    several = {"type": "object", "properties": pair, "required": ["x", "y"], "additionalProperties": False}
    lookahead = {"anyOf": [{"type": "integer", "minimum": 0, "maximum": LARGEST_INT}, _NULL]}
    known = {
        **pair,
        "series": {"type": "object", "additionalProperties": several, "description": "Many, by name."},
        "lookahead": {**lookahead, "description": "Samples of future that the output may have used."},
        "guardrails": {"anyOf": [{"$ref": _SCHEMAS.format(name="Guardrails")}, _NULL]},
    }
    assert known.keys() == set(EvaluateRequest.__struct_fields__)
    return {
        "type": "object",
        "description": "One pair, or many by name.",
        "properties": known,
        "additionalProperties": False,
        "oneOf": [
            {"required": ["x", "y"], "not": {"required": ["series"]}},
            {"required": ["series"], "not": {"anyOf": [{"required": ["x"]}, {"required": ["y"]}]}},
        ],
    }


def _problem() -> dict[str, Any]:
    return {
        "type": "object",
        "description": "Problem details (RFC 9457).",
        "properties": {
            "type": {"enum": [f"urn:rpsd:problem:{name}" for name in CATALOGUE]},
            "title": _TEXT,
            "status": {"type": "integer"},
            "detail": {**_TEXT, "description": "What came, and what is allowed."},
            "request_id": _TEXT,
            "report": {"$ref": _SCHEMAS.format(name="Report")},
            "sequence": {"type": "integer", "description": "Changes of the stream so far."},
            "error": {**_TEXT, "description": "As detail; below /v2, whose protocol knows it alone."},
        },
        "required": ["type", "title", "status", "detail"],
    }


def _statuses() -> list[int]:
    return sorted({entry.status for entry in CATALOGUE.values()})


def _refusal(status: int) -> dict[str, Any]:
    names = [name for name, entry in CATALOGUE.items() if entry.status == status]
    types = {"properties": {"type": {"enum": [f"urn:rpsd:problem:{name}" for name in names]}}}
    schema = {"allOf": [{"$ref": _SCHEMAS.format(name="Problem")}, types]}
    return {
        "description": "; ".join(CATALOGUE[name].title for name in names) or HTTPStatus(status).phrase,
        "content": {MEDIA_TYPE: {"schema": schema}},
    }


def _headers() -> dict[str, Any]:
    return {
        name: {"description": text, "required": name in _ALWAYS, "schema": _TEXT}
        for name, text in (_ALWAYS | _SOMETIMES | _v2_described.HEADERS).items()
    }


def _header_refs(*more: str) -> dict[str, Any]:
    return {name: {"$ref": f"#/components/headers/{name}"} for name in (*_ALWAYS, *more)}


def encoded(*, asks: bool = False) -> bytes:
    """Return the document as JSON for people."""
    return msgspec.json.format(msgspec.json.encode(document(asks=asks)), indent=1) + b"\n"
