# SPDX-License-Identifier: MIT
"""Rows that grant something, bound as a whole: who lacks the state key can neither make nor change one."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable
from typing import Any

import msgspec

from rpsd.service.store._seal import Seal


class Binding:
    """Binds the rows of one table under the oldest data key, as that outlives a change of the state key.

    Parameters
    ----------
    seal : Seal
    table : str
    """

    def __init__(self, seal: Seal, table: str) -> None:
        self._key = seal.derive(f"rows of {table}")

    def mac(self, values: Iterable[Any]) -> bytes:
        """Return what binds the values of a row, in the order of their columns."""
        # JSON tells where a value ends; of bytes and text it makes the same.
        return hmac.digest(self._key, msgspec.json.encode(list(values)), hashlib.sha256)

    def holds(self, values: Iterable[Any], mac: object) -> bool:
        """Return whether values, each of its column's type, are those that were bound."""
        return hmac.compare_digest(self.mac(values), mac if isinstance(mac, bytes) else b"")
