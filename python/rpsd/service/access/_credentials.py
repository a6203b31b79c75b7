# SPDX-License-Identifier: MIT
"""What a request shows of who sends it: a key, a token or a certificate, not looked into yet."""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Iterable
from typing import Final, Literal, NamedTuple
from urllib.parse import parse_qsl, unquote

from rpsd.service.access._keys import KeyText

Kind = Literal["key", "token", "certificate"]

#: Longer ones are no credentials of ours.
_LONGEST: Final = 8192
_TOLD: Final = 8
_BEARER: Final = re.compile(rb"[Bb][Ee][Aa][Rr][Ee][Rr] +([A-Za-z0-9._~+/=-]+)")
_KEY: Final = re.compile(r"rpsd_[0-9A-Za-z]{12}_[0-9A-Za-z]{20,}")
_NAMES: Final = frozenset(
    ("key", "apikey", "xapikey", "token", "accesstoken", "auth", "authorization", "secret", "password",
     "jwt", "bearer", "credential", "credentials")
)  # fmt: skip
# Of this process alone: what is kept of a credential must not be of use to who reads memory elsewhere.
_PROCESS: Final = secrets.token_bytes(32)


class Shown(NamedTuple):
    """A credential as it came.

    Attributes
    ----------
    kind : str
    content : bytes
        The text of a key or a token, or a certificate in DER.
    """

    kind: Kind
    content: bytes

    @property
    def digest(self) -> bytes:
        """What it is known by in memory."""
        return hashlib.blake2b(self.content, digest_size=16, key=_PROCESS).digest()

    @property
    def prefix(self) -> str:
        """What may be told of it: the id of a key; of others, what tells them apart in this process."""
        if self.kind != "key":
            return f"{self.kind}:{self.digest.hex()[:_TOLD]}"
        parts = KeyText.parse(self.content.decode("ascii"))
        return "key" if parts is None else f"key:{parts.id}"

    def __repr__(self) -> str:
        return f"Shown({self.prefix})"


class Malformed(Exception):
    """There is an Authorization that is no credential of ours."""


def read(headers: Iterable[tuple[bytes, bytes]], certificate: bytes | None) -> Shown | None:
    """Return what a request shows; a certificate only where there is no Authorization.

    Raises
    ------
    Malformed
        For another scheme, two of them, or what can be neither key nor token.
    """
    found = [value for name, value in headers if name == b"authorization"]
    if not found:
        return None if certificate is None else Shown("certificate", certificate)
    match = _BEARER.fullmatch(found[0].strip()) if len(found) == 1 and len(found[0]) <= _LONGEST else None
    if match is None:
        raise Malformed
    return Shown("key" if match[1].startswith(b"rpsd_") else "token", match[1])


def in_address(path: str, query: bytes) -> bool:
    """Return whether an address has a credential: it would be in the logs of all that pass it on."""
    if not query and "rpsd_" not in path:
        return False
    text = query.decode("latin-1")
    names = {name.lower().replace("_", "").replace("-", "") for name, _ in _pairs(text)}
    return bool(_KEY.search(path) or _KEY.search(unquote(text)) or not names.isdisjoint(_NAMES))


def _pairs(text: str) -> list[tuple[str, str]]:
    return parse_qsl(text, keep_blank_values=True)
