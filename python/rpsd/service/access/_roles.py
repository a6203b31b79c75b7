# SPDX-License-Identifier: MIT
"""Roles, what each may do, and what each route takes. docs/security.md shows the whole matrix."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from rpsd.service._versions import INFER, MODEL_PATH
from rpsd.service.access._principal import Principal

#: Permissions that need no credential: what supervisors and balancers ask.
OPEN: Final = "open"
#: Permissions that those who lack them do not see the routes of: 404 instead of 403.
HIDDEN: Final = frozenset({"operate", "administer", "audit"})
#: Permissions whose use, to read, is no decision worth a record.
QUIET: Final = frozenset({"observe"})
#: Routes that change nothing: they are computed while their record is written, not after.
UNCHANGING: Final = frozenset({"/v1/denoise", "/v1/noise", "/v1/evaluate", INFER, "/v1/jobs/{id}/result"})
#: Methods, and routes beside them, that take no samples: also for who has used up those of today.
FREE: Final = (frozenset({"GET", "HEAD", "DELETE"}), frozenset({"/v1/jobs/{id}/cancel"}))

ROLES: Final[Mapping[str, frozenset[str]]] = MappingProxyType(
    {
        "viewer": frozenset({"observe"}),
        "user": frozenset({"observe", "compute"}),
        "operator": frozenset({"observe", "operate"}),
        "admin": frozenset({"observe", "operate", "administer"}),
        "auditor": frozenset({"observe", "audit"}),
        # Of this machine, where no credentials are asked for; no key can have it.
        "local": frozenset({"observe", "compute", "operate"}),
    }
)
#: Roles that a credential can have.
GRANTED: Final = tuple(name for name in ROLES if name != "local")

_READ: Final = ("GET", "HEAD")
_HEALTH: Final = ("/health", "/health/live", "/health/ready", "/health/startup")
_V2_HEALTH: Final = ("/v2/health/live", "/v2/health/ready", f"{MODEL_PATH}/ready")

#: The permission that each method and route takes. A route without a row fails a test.
ROUTES: Final[Mapping[tuple[str, str], str]] = MappingProxyType(
    {
        **{(method, path): OPEN for method in _READ for path in _HEALTH},
        **{(method, path): OPEN for method in _READ for path in _V2_HEALTH},
        **{
            (method, path): "observe"
            for method in _READ
            for path in ("/health/detailed", "/metrics", "/openapi.json", "/docs", "/v2", MODEL_PATH)
        },
        **{("POST", f"/v1/{name}"): "compute" for name in ("denoise", "noise", "evaluate")},
        ("POST", INFER): "compute",
        ("WEBSOCKET", "/v1/stream"): "compute",
        **{(method, "/v1/streams"): "compute" for method in ("GET", "HEAD", "POST")},
        **{(method, "/v1/streams/{id}"): "compute" for method in ("GET", "HEAD", "DELETE")},
        **{(method, "/v1/streams/{id}/snapshot"): "compute" for method in _READ},
        **{
            ("POST", f"/v1/streams/{{id}}/{name}"): "compute"
            for name in ("push", "amend", "new-session", "acknowledge", "flush")
        },
        **{(method, "/v1/jobs"): "compute" for method in ("GET", "HEAD", "POST")},
        **{(method, "/v1/jobs/{id}"): "compute" for method in ("GET", "HEAD", "DELETE")},
        **{(method, "/v1/jobs/{id}/result"): "compute" for method in _READ},
        ("POST", "/v1/jobs/{id}/cancel"): "compute",
        **{(method, "/admin/log-level"): "operate" for method in ("GET", "PUT")},
    }
)


def may(principal: Principal, permission: str) -> bool:
    """Return whether a principal has a permission."""
    return permission == OPEN or any(permission in ROLES.get(role, ()) for role in principal.roles)
