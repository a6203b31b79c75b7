# SPDX-License-Identifier: MIT
"""Where the audit log's chain ends, signed: an end that is cut off meets no signature."""

from __future__ import annotations

import hashlib
import hmac
from typing import Final, NamedTuple

from rpsd.service.store._seal import Seal

_NUMBER_BYTES: Final = 8


class Head(NamedTuple):
    """Where the chain ends: the number of the last record, and its digest."""

    number: int
    digest: bytes

    def text(self) -> str:
        """Return it as people keep it."""
        return f"{self.number}:{self.digest.hex()}"

    @classmethod
    def of(cls, text: str) -> Head:
        """Return the head of such a text."""
        number, _, digest = text.partition(":")
        return cls(int(number), bytes.fromhex(digest))

    def signed(self, seal: Seal) -> bytes:
        """Return its signature."""
        message = self.number.to_bytes(_NUMBER_BYTES, "big") + self.digest
        return hmac.digest(seal.derive("audit head"), message, hashlib.sha256)


#: Of a chain without a record.
START: Final = Head(0, bytes(32))
