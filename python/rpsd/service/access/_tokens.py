# SPDX-License-Identifier: MIT
"""Tokens (JWT, RFC 7519 and RFC 8725) of one issuer, by public keys alone."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

import jwt
from jwt.exceptions import PyJWTError

from rpsd import ConfigError
from rpsd._sections import Security
from rpsd.service.access._issuer import Issuer
from rpsd.service.access._principal import Principal
from rpsd.service.access._roles import GRANTED

#: Seconds by which clocks may differ.
_LEEWAY: Final = 60
_NAME: Final = re.compile(r"[!-~]{1,128}")
_ALGORITHMS: Final = ("RS256", "ES256", "EdDSA")
_TYPES: Final = (None, "jwt", "at+jwt", "application/at+jwt")
_TOGETHER: Final = ("token_issuer", "token_audience", "token_keys")


class Tokens:
    """Tokens of one issuer for one audience.

    Parameters
    ----------
    issuer, audience : str
    keys : Issuer
    roles : str
        The claim that names roles, a list or a text with blanks.
    """

    def __init__(self, issuer: str, audience: str, keys: Issuer, roles: str) -> None:
        self._issuer = issuer
        self._audience = audience
        self._keys = keys
        self._roles = roles

    @classmethod
    def of(cls, security: Security, before: Tokens | None = None) -> Tokens | None:
        """Return those of a configuration, None where it takes none.

        What those before it know of the issuer's address stays known.

        Raises
        ------
        ConfigError
            Where some of the issuer, the audience and the keys are given, or the keys are none.
        """
        given = {name: getattr(security, name) for name in _TOGETHER}
        absent = [name for name, value in given.items() if value is None]
        if len(absent) == len(given):
            return None
        if absent:
            raise ConfigError(f"{', '.join(_TOGETHER)} go together; {', '.join(absent)} is not given")
        issuer, audience, place = given.values()
        keys = before._keys if before is not None and before._keys.is_of(place) else Issuer(place)
        return cls(issuer, audience, keys, security.token_roles)

    def find(self, text: str) -> Principal | None:
        """Return whom a token proves, None where it proves nobody.

        Raises
        ------
        StateError
            Where the issuer's keys are not known.
        """
        try:
            header = jwt.get_unverified_header(text)
        except PyJWTError:
            return None
        kid, kind = header.get("kid"), header.get("typ")
        # What the token says of itself chooses among the issuer's keys, and nothing else (RFC 8725, 3.1).
        plain = (kid is None or isinstance(kid, str)) and (kind is None or isinstance(kind, str))
        if not plain or (kind and kind.lower() not in _TYPES) or "crit" in header:
            return None
        if header.get("alg") not in _ALGORITHMS:
            return None
        key = self._keys.find(kid)
        if key is None:
            return None
        try:
            claims = jwt.decode(
                text,
                key.key,
                algorithms=[key.algorithm],
                audience=self._audience,
                issuer=self._issuer,
                leeway=_LEEWAY,
                options={"require": ["exp", "iss", "aud", "sub"]},
            )
        except (PyJWTError, ValueError, TypeError, OverflowError):
            return None
        return self._principal(claims)

    def _principal(self, claims: Mapping[str, Any]) -> Principal | None:
        subject, tenant = claims["sub"], claims.get("tenant", claims["sub"])
        if not all(isinstance(name, str) and _NAME.fullmatch(name) for name in (subject, tenant)):
            return None
        said = claims.get(self._roles, ())
        words = said.split() if isinstance(said, str) else said if isinstance(said, list) else ()
        roles = frozenset(word for word in words if isinstance(word, str) and word in GRANTED)
        return Principal(name=f"token:{subject}", tenant=tenant, roles=roles)
