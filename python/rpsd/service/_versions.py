# SPDX-License-Identifier: MIT
"""Which versions of the interface there are, and which of them are on their way out (RFC 9745, RFC 8594)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Final


@dataclass(frozen=True, slots=True)
class Version:
    """A version of the interface, the first part of its addresses.

    Attributes
    ----------
    deprecated : datetime or None
        Since when, or from when on, clients should not use it any more; in UTC.
    sunset : datetime or None
        When it goes; not before it is deprecated.
    link : str or None
        Where it is said what to use in its place.
    """

    deprecated: datetime | None = None
    sunset: datetime | None = None
    link: str | None = None

    def headers(self) -> list[tuple[bytes, bytes]]:
        """Return what every answer of this version says of it."""
        found: list[tuple[bytes, bytes]] = []
        if self.deprecated is not None:
            found.append((b"deprecation", f"@{int(self.deprecated.timestamp())}".encode()))
        if self.sunset is not None:
            found.append((b"sunset", format_datetime(self.sunset.astimezone(UTC), usegmt=True).encode()))
        if self.link is not None:
            found.append((b"link", f'<{self.link}>; rel="deprecation"; type="text/html"'.encode()))
        return found


#: KServe's V2 protocol: the model that there is, and where it takes tensors.
MODEL: Final = "rpsd"
MODEL_PATH: Final = f"/v2/models/{MODEL}"
INFER: Final = f"{MODEL_PATH}/infer"

#: A version that is deprecated keeps working until its sunset, at least a year later.
VERSIONS: Final[Mapping[str, Version]] = {"v1": Version()}


def of(path: str) -> Version | None:
    """Return the version that an address belongs to, or None where it has none."""
    return VERSIONS.get(path.removeprefix("/").partition("/")[0])


def headers_of(path: str) -> list[tuple[bytes, bytes]]:
    """Return what an answer at this address says of its version."""
    version = of(path)
    return [] if version is None else version.headers()
