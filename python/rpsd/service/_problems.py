# SPDX-License-Identifier: MIT
"""The one catalogue of what the service refuses, as RFC 9457 problem details."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

import msgspec

from rpsd._text import one_line

MEDIA_TYPE: Final = "application/problem+json"
#: Where problems have one more member, `error`: all that KServe's V2 protocol knows.
_V2: Final = re.compile("/v2(?:/|$)")


class Entry(NamedTuple):
    """One kind of problem."""

    status: int
    title: str


CATALOGUE: Final[Mapping[str, Entry]] = {
    "malformed-request": Entry(400, "The request is not valid HTTP"),
    "malformed-body": Entry(400, "The body is not what its media type says"),
    "credentials-in-address": Entry(400, "A credential is in the address"),
    "unauthenticated": Entry(401, "This takes a credential"),
    "forbidden": Entry(403, "This is not for these credentials"),
    "foreign-page": Entry(403, "Pages of other origins may not ask for this"),
    "not-found": Entry(404, "There is nothing at this address"),
    "method-not-allowed": Entry(405, "This address does not take this method"),
    "not-acceptable": Entry(406, "None of the media types asked for is available"),
    "slow-request": Entry(408, "The request did not arrive in time"),
    "conflict": Entry(409, "The request does not fit the state of what it is for"),
    "too-large": Entry(413, "The request is larger than this service takes"),
    "address-too-long": Entry(414, "The address is longer than this service takes"),
    "unsupported-media-type": Entry(415, "The body's media type or encoding is not known"),
    "invalid-request": Entry(422, "The request asks for what is not allowed"),
    "key-reused": Entry(422, "The Idempotency-Key is that of another request"),
    "guardrail-breached": Entry(422, "A guardrail was breached under the policy raise"),
    "rate-limited": Entry(429, "There were too many requests"),
    "quota-used": Entry(429, "The samples of today are used up"),
    "headers-too-large": Entry(431, "The headers are larger than this service takes"),
    "internal-error": Entry(500, "The service failed"),
    "computation-failed": Entry(500, "A series could not be computed"),
    "state-damaged": Entry(500, "What is kept is damaged"),
    "overloaded": Entry(503, "The service has more to do than it takes on"),
    "not-ready": Entry(503, "The service takes no requests now"),
    "not-checked": Entry(503, "Credentials cannot be checked now"),
    "not-recorded": Entry(503, "The request cannot be recorded, and is not answered"),
    "state-unavailable": Entry(503, "The database did not answer"),
    "deadline-exceeded": Entry(504, "The deadline passed before the answer was there"),
}


class Problem(Exception):
    """A request gets an error for an answer.

    Parameters
    ----------
    name : str
        Which one of the catalogue.
    detail : str
        What came and what is allowed; nothing of the service's own.
    headers : mapping, optional
        Beside those that every answer has.
    **members
        More members of the body, such as ``report``.
    """

    def __init__(
        self, name: str, detail: str, *, headers: Mapping[str, str] | None = None, **members: Any
    ) -> None:
        super().__init__(detail)
        self.name = name
        self.status, self.title = CATALOGUE[name]
        self.detail = one_line(detail)
        self.headers = dict(headers or {})
        self.members = members

    def body(self, request_id: str | None = None, path: str = "") -> bytes:
        """Return the problem as JSON, for the address that was asked."""
        content = {
            "type": f"urn:rpsd:problem:{self.name}",
            "title": self.title,
            "status": self.status,
            "detail": self.detail,
            **({"request_id": request_id} if request_id else {}),
            **({"error": self.detail} if _V2.match(path) else {}),
            **self.members,
        }
        return msgspec.json.encode(content)
