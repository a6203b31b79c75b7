# SPDX-License-Identifier: MIT
"""The keys of a token issuer (JWKS, RFC 7517), from a file or an https address, within bounds."""

from __future__ import annotations

import json
import threading
import time
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple
from urllib.parse import urlsplit

from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from jwt import PyJWK
from jwt.exceptions import PyJWTError

from rpsd import ConfigError, StateError

_MOST_BYTES: Final = 65_536
_MOST_KEYS: Final = 16
_LEAST_RSA_BITS: Final = 2048
_TIMEOUT: Final = 4.0
#: Seconds for which keys are used, between two questions for one that is unknown, and after a failure.
_FRESH: Final = 600.0
_ASK_AGAIN: Final = 60.0
_TRY_AGAIN: Final = 10.0


class IssuerKey(NamedTuple):
    """A public key, and the one algorithm that it is for."""

    key: Any
    algorithm: str


class Issuer:
    """The keys of an issuer, by their ``kid``; any thread may ask.

    Parameters
    ----------
    place : str
        A file or an https address.
    clock : callable
        Seconds, never going back.

    Raises
    ------
    ConfigError
        For an address that is not https, or a file that is no JWKS.
    """

    def __init__(self, place: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._place = place
        self._clock = clock
        self._lock = threading.Lock()
        self._keys: Mapping[str | None, IssuerKey] | None = None
        self._read_at = self._tried_at = -float("inf")
        scheme = urlsplit(place).scheme
        self._is_file = scheme == "" or len(scheme) == 1
        if not self._is_file and scheme != "https":
            raise ConfigError(f"token_keys must be a file or an https address, got {scheme}:")
        if self._is_file:
            try:
                self._keys = parse(_of_file(place))
            except (OSError, ValueError) as error:
                raise ConfigError(f"token_keys: the file {place} is no JWKS: {error}") from None

    def is_of(self, place: str) -> bool:
        """Return whether it is what an address tells; a file is read anew."""
        return not self._is_file and self._place == place

    def find(self, kid: str | None) -> IssuerKey | None:
        """Return a key of the issuer, None where it has none of this name.

        What is known is used while the issuer is away.

        Raises
        ------
        StateError
            Where nothing is known and the issuer does not tell.
        """
        known = self._keys is not None and kid in self._keys
        # Who has a key that is known does not wait for another who asks.
        if not self._is_file and self._lock.acquire(blocking=not known):
            try:
                self._ask(kid)
            finally:
                self._lock.release()
        keys = self._keys
        if keys is None:
            raise StateError("the issuer of tokens does not tell its keys")
        return keys.get(kid)

    def _ask(self, kid: str | None) -> None:
        """Ask the issuer, where it is time to."""
        now = self._clock()
        known = self._keys is not None and kid in self._keys
        wanted = now - self._read_at >= (_FRESH if known else _ASK_AGAIN)
        if wanted and now - self._tried_at >= _TRY_AGAIN:
            self._tried_at = now
            self._read()

    def _read(self) -> None:
        try:
            self._keys = parse(_of_address(self._place))
            self._read_at = self._clock()
        except (OSError, ValueError):  # urllib's and ssl's errors are OSError; what is known stays
            pass


def parse(data: bytes) -> dict[str | None, IssuerKey]:
    """Return the keys of a JWKS; those of other kinds are left out.

    A single key is found without a name too.

    Raises
    ------
    ValueError
        For what is none, or too much.
    """
    if len(data) > _MOST_BYTES:
        raise ValueError(f"more than {_MOST_BYTES} bytes")
    try:
        content = json.loads(data)
    except (ValueError, RecursionError):
        raise ValueError("it is no JSON") from None
    entries = content.get("keys") if isinstance(content, dict) else None
    if not isinstance(entries, list) or not all(isinstance(one, dict) for one in entries):
        raise ValueError('it has no list "keys" of objects')
    if len(entries) > _MOST_KEYS:
        raise ValueError(f"more than {_MOST_KEYS} keys")
    found: dict[str | None, IssuerKey] = {}
    for entry in entries:
        key = _key(entry)
        kid = entry.get("kid")
        if key is not None and (kid is None or isinstance(kid, str)):
            found[kid] = key
    if len(found) == 1:
        found[None] = next(iter(found.values()))
    elif None in found:
        del found[None]
    if not found:
        raise ValueError("it has no key for RS256, ES256 or EdDSA")
    return found


def _key(entry: Mapping[str, Any]) -> IssuerKey | None:
    if entry.get("use", "sig") != "sig" or entry.get("kty") == "oct":
        return None
    try:
        key = PyJWK.from_dict({name: value for name, value in entry.items() if name != "alg"}).key
    except (PyJWTError, ValueError, TypeError, KeyError):
        return None
    algorithm = None
    if isinstance(key, RSAPublicKey) and key.key_size >= _LEAST_RSA_BITS:
        algorithm = "RS256"
    elif isinstance(key, EllipticCurvePublicKey) and isinstance(key.curve, SECP256R1):
        algorithm = "ES256"
    elif isinstance(key, Ed25519PublicKey):
        algorithm = "EdDSA"
    if algorithm is None or entry.get("alg", algorithm) != algorithm:
        return None
    return IssuerKey(key, algorithm)


def _of_file(place: str) -> bytes:
    with Path(place).expanduser().open("rb") as file:
        return file.read(_MOST_BYTES + 1)


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        return None


def _of_address(place: str) -> bytes:
    """Read an address; of time it has little, and it leads nowhere else."""
    opener = urllib.request.build_opener(_NoRedirect, urllib.request.ProxyHandler({}))
    request = urllib.request.Request(place, headers={"accept": "application/json"})
    end, data = time.monotonic() + _TIMEOUT, b""
    with opener.open(request, timeout=_TIMEOUT) as answer:
        while piece := answer.read1(_MOST_BYTES + 1 - len(data)):
            data += piece
            if len(data) > _MOST_BYTES or time.monotonic() > end:
                raise ValueError("it is too large or too slow")
    return data
