# SPDX-License-Identifier: MIT
"""How addresses of what is kept are described in the OpenAPI document."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from rpsd.service import _media
from rpsd.service._idempotency import HEADER, PATTERN

ID: Final = {"name": "id", "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}
KEY: Final = {
    "name": HEADER,
    "in": "header",
    "description": "A request that comes again with its key within a day gets the same answer, and is not "
    "done twice.",
    "schema": {"type": "string", "pattern": f"^{PATTERN}$"},
}
#: What a request may be refused with wherever it goes, and below the address of one thing.
ANY: Final = (400, 401, 403, 406, 408, 413, 414, 415, 422, 429, 431, 500, 503, 504)
OF_ONE: Final = (404, 409)


def operation(
    tag: str,
    headers: Mapping[str, Any],
    name: str,
    summary: str,
    answer: Mapping[str, Any],
    *,
    code: str = "200",
    refusals: Iterable[int] = ANY,
    **more: Any,
) -> dict[str, Any]:
    """Return an operation; headers are those of every answer."""
    return {
        "operationId": name,
        "tags": [tag],
        "summary": summary,
        **more,
        "responses": {
            code: {"description": "Done.", "headers": headers, **answer},
            **{str(status): {"$ref": f"#/components/responses/{status}"} for status in sorted(refusals)},
        },
    }


def json_of(name: str) -> dict[str, Any]:
    """Return the content that is JSON of a schema."""
    return {_media.JSON: {"schema": {"$ref": f"#/components/schemas/{name}"}}}
