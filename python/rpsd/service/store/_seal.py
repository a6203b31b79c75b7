# SPDX-License-Identifier: MIT
"""Sealing: AES-256-GCM under data keys, which are sealed under the state key (NIST SP 800-38D, RFC 5869)."""

from __future__ import annotations

import base64
import binascii
import secrets
from collections.abc import Mapping
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from rpsd import ConfigError, StateError
from rpsd.service.store._secrets import Secret

KEY_BYTES: Final = 32
_NONCE: Final = 12
#: Of what is sealed: a format, the number of the data key, a nonce; then the text and its tag.
_FORMAT: Final = b"\x01"
_NUMBER: Final = 4
#: What a data key is sealed for: since schema 0004 for a database whose keys are bound.
_UNBOUND: Final = b"rpsd data key"
_BOUND: Final = b"rpsd data key of bound rows"


class StateKey:
    """The key that all others come from or are sealed under.

    Parameters
    ----------
    secret : Secret
        32 bytes, as base64 (standard or of URLs).

    Raises
    ------
    ConfigError
        For anything else.
    """

    def __init__(self, secret: Secret) -> None:
        try:
            text = secret.reveal().translate(bytes.maketrans(b"-_", b"+/"))
            key = base64.b64decode(text, validate=True)
        except (binascii.Error, ValueError):
            key = b""
        if len(key) != KEY_BYTES:
            raise ConfigError("the state key must be 32 bytes as base64 (make one with: rpsd state new-key)")
        self._key = key

    @staticmethod
    def new() -> Secret:
        """Return the text of a new one."""
        return Secret(base64.b64encode(secrets.token_bytes(KEY_BYTES)))

    def derive(self, purpose: str, salt: bytes) -> bytes:
        """Return 32 bytes for one purpose and salt."""
        return _derive(self._key, purpose, salt)

    def new_data_key(self, number: int) -> bytes:
        """Return a new data key, sealed."""
        return self.wrap(secrets.token_bytes(KEY_BYTES), number)

    def wrap_again(self, wrapped: bytes, number: int, under: StateKey) -> bytes:
        """Return a data key, sealed under another state key."""
        return under.wrap(self.unwrap(wrapped, number), number)

    def wrap(self, key: bytes, number: int) -> bytes:
        """Return a data key, sealed."""
        nonce = secrets.token_bytes(_NONCE)
        cipher = AESGCM(_derive(self._key, "data keys"))
        return nonce + cipher.encrypt(nonce, key, _BOUND + number.to_bytes(_NUMBER, "big"))

    def unwrap(self, wrapped: bytes, number: int) -> bytes:
        """Return a data key.

        Raises
        ------
        StateError
            Where it was sealed under another state key.
        """
        key = self._unwrapped(wrapped, number, _BOUND)
        if key is None:
            raise StateError("the state key is not the one that the database was made with")
        return key

    def unwrap_unbound(self, wrapped: bytes, number: int) -> bytes:
        """Return a data key of a schema before 0004.

        Raises
        ------
        StateError
            Where it was sealed under another state key, or the database had schema 0004 already.
        """
        key = self._unwrapped(wrapped, number, _UNBOUND)
        if key is None:
            self.unwrap(wrapped, number)
            raise StateError("the database was said to have an older schema than it has")
        return key

    def _unwrapped(self, wrapped: bytes, number: int, purpose: bytes) -> bytes | None:
        cipher = AESGCM(_derive(self._key, "data keys"))
        try:
            return cipher.decrypt(
                wrapped[:_NONCE], wrapped[_NONCE:], purpose + number.to_bytes(_NUMBER, "big")
            )
        except (InvalidTag, ValueError):
            return None


class Seal:
    """Seals and opens under the data keys of a database.

    Parameters
    ----------
    data_keys : mapping of int to bytes
        By number; the highest seals, all of them open.
    """

    def __init__(self, data_keys: Mapping[int, bytes]) -> None:
        self._ciphers = {number: AESGCM(key) for number, key in data_keys.items()}
        self._newest = max(data_keys)
        self._root = data_keys[min(data_keys)]

    def derive(self, purpose: str) -> bytes:
        """Return 32 bytes for one purpose, of the oldest data key: they outlive a change of the state key."""
        return _derive(self._root, purpose)

    def close(self, plain: bytes, where: str) -> bytes:
        """Return bytes sealed for one place, such as ``streams/ab12/checkpoint``."""
        nonce = secrets.token_bytes(_NONCE)
        head = _FORMAT + self._newest.to_bytes(_NUMBER, "big")
        return head + nonce + self._ciphers[self._newest].encrypt(nonce, plain, head + where.encode())

    def open(self, sealed: bytes, where: str) -> bytes:
        """Return what was sealed for a place.

        Raises
        ------
        StateError
            Where a byte was changed, or it was sealed for another place or under a key that is not here.
        """
        head, rest = sealed[: 1 + _NUMBER], sealed[1 + _NUMBER :]
        cipher = self._ciphers.get(int.from_bytes(head[1:], "big"))
        if head[:1] != _FORMAT or len(head) != 1 + _NUMBER or cipher is None:
            raise StateError(f"{where} was not sealed by this service")
        try:
            return cipher.decrypt(rest[:_NONCE], rest[_NONCE:], head + where.encode())
        except (InvalidTag, ValueError):
            raise StateError(f"{where} was changed after it was sealed") from None


def _derive(key: bytes, purpose: str, salt: bytes | None = None) -> bytes:
    return HKDF(hashes.SHA256(), KEY_BYTES, salt=salt, info=b"rpsd " + purpose.encode()).derive(key)


def place_of(*parts: str | int) -> str:
    """Return the place of a part of a row; a tenant may hold what stands between two of them."""
    return "/".join(str(part).replace("%", "%25").replace("/", "%2F") for part in parts)
