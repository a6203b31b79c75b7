# SPDX-License-Identifier: MIT
"""Which row of the table of routes an address has."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from typing import Final, NamedTuple

from rpsd.service.access._roles import ROUTES

#: The method of those that become WebSockets.
WEBSOCKET: Final = "WEBSOCKET"
#: What an id looks like; what does not may be anything, and is not for the audit log.
_ID: Final = re.compile(r"[0-9A-Za-z_-]{1,64}")


class Row(NamedTuple):
    """A route and what it takes.

    Attributes
    ----------
    route : str
        As it is declared, with ``{...}`` for what is chosen by clients.
    permissions : mapping of str to str
        By method.
    """

    route: str
    permissions: Mapping[str, str]


def row_of(path: str) -> Row | None:
    """Return the row of an address, or None where there is nothing."""
    exact, patterns = _rows()
    if (row := exact.get(path)) is not None:
        return row
    parts = path.split("/")
    return next((row for pattern, row in patterns if _fits(pattern, parts)), None)


def chosen(route: str, path: str) -> dict[str, str]:
    """Return the ids that a client chose in an address, by the names that its route has for them."""
    parts = zip(route.split("/"), path.split("/"), strict=False)
    return {name[1:-1]: given for name, given in parts if name.startswith("{") and _ID.fullmatch(given)}


@cache
def _rows() -> tuple[dict[str, Row], list[tuple[list[str], Row]]]:
    by_route: dict[str, dict[str, str]] = {}
    for (method, route), permission in ROUTES.items():
        by_route.setdefault(route, {})[method] = permission
    rows = {route: Row(route, permissions) for route, permissions in by_route.items()}
    return rows, [(route.split("/"), row) for route, row in rows.items() if "{" in route]


def _fits(pattern: list[str], parts: list[str]) -> bool:
    return len(pattern) == len(parts) and all(
        bool(part) if wanted.startswith("{") else wanted == part
        for wanted, part in zip(pattern, parts, strict=True)
    )
