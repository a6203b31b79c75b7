# SPDX-License-Identifier: MIT
"""JSON Schemas of options, made of what checks them."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from rpsd import Guardrails, Options
from rpsd._schema import Field, fields
from rpsd.service._request import REPORTS

_NULL: Final = {"type": "null"}
_TEXT: Final = {"type": "string"}
LARGEST_INT: Final = 2**31 - 1

#: What JSON has for options that are neither words nor plain values.
_SPECIAL: Final[dict[str, list[dict[str, Any]]]] = {
    "wavelet": [_TEXT],
    "fir_window": [_TEXT, {"type": "number"}, {"type": "array", "minItems": 1}],
    "breaks": [_NULL, {"enum": ["auto"]}, {"type": "array", "items": {"type": "boolean"}}],
    "policies": [_NULL, _TEXT, {"type": "object", "minProperties": 1, "additionalProperties": _TEXT}],
}


def settings_schema(settings: type[msgspec.Struct]) -> dict[str, Any]:
    """Return the schema of all options of a kind."""
    return {
        "type": "object",
        "description": (settings.__doc__ or "").partition("\n")[0],
        "properties": {name: field_schema(field) for name, field in fields(settings).items()},
        "additionalProperties": False,
    }


def field_schema(field: Field, *, text: bool = False) -> dict[str, Any]:
    """Return the schema of an option in JSON, or as the text of an address."""
    choices = _SPECIAL[field.name] if field.special is not None else [_NULL] * field.nullable
    if text:
        choices = [one for one in choices if one.get("type") not in ("null", "array", "object")]
    if field.words:
        choices = [*choices, {"enum": list(field.words)}]
    if field.special is None and field.kind is not None:
        choices = [*choices, _plain(field)]
    schema = choices[0] if len(choices) == 1 else {"anyOf": choices}
    return {**schema, "description": field.help}


def _plain(field: Field) -> dict[str, Any]:
    names = {bool: "boolean", int: "integer", float: "number", str: "string"}
    bounds = field.bounds
    limits = {
        "minimum": bounds.ge,
        "exclusiveMinimum": bounds.gt,
        "maximum": LARGEST_INT if field.kind is int and bounds.le is None else bounds.le,
        "exclusiveMaximum": bounds.lt,
    }
    assert field.kind is not None
    return {
        "type": names[field.kind],
        **{name: limit for name, limit in limits.items() if limit is not None},
    }


def in_address(operation: str) -> list[dict[str, Any]]:
    """Return the options in the address that media types without room for them have."""
    known: dict[str, dict[str, Any]] = {}
    if operation == "evaluate":
        known["lookahead"] = field_schema(fields(Options)["lookahead"], text=True)
    else:
        known |= {name: field_schema(field, text=True) for name, field in fields(Options).items()}
        known["report"] = {"enum": list(REPORTS), "description": "How much of the report is wanted."}
        counted = {"type": "integer", "minimum": 1, "description": "How many series float64 has."}
        known["series"] = counted
    known |= {
        f"guardrails.{name}": field_schema(field, text=True) for name, field in fields(Guardrails).items()
    }
    return [
        {"name": name, "in": "query", "description": schema.pop("description"), "schema": schema}
        for name, schema in known.items()
    ]
