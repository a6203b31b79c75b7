# SPDX-License-Identifier: MIT
"""Whom a credential proves."""

from __future__ import annotations

from typing import Final

import msgspec


class KeyLimits(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Limits of one key; None is the configuration's."""

    rate: float | None = None
    points_per_day: int | None = None


class Principal(msgspec.Struct, frozen=True, kw_only=True):
    """Whom a credential proves; keys, tokens and certificates all become one.

    Attributes
    ----------
    name : str
        Stable, for the audit log and the log's ``user_id``: ``key:ID``, ``token:SUBJECT``,
        ``certificate:NAME``.
    tenant : str
        Whose streams and jobs it sees.
    roles : frozenset of str
    limits : KeyLimits
    """

    name: str
    tenant: str
    roles: frozenset[str] = frozenset()
    limits: KeyLimits = KeyLimits()


#: Who has shown no credential.
ANYBODY: Final = Principal(name="anybody", tenant="")
#: Everyone on this machine, where no credentials are asked for.
LOCAL: Final = Principal(name="local", tenant="local", roles=frozenset({"local"}))
