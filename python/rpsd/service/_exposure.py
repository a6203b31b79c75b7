# SPDX-License-Identifier: MIT
"""Who can reach the service, and what must be there before it lets them."""

from __future__ import annotations

import ipaddress
import socket
from typing import TYPE_CHECKING

from rpsd import Config, ConfigError
from rpsd.service import _tls
from rpsd.service._state import State

if TYPE_CHECKING:
    from rpsd.service.access._access import Access
    from rpsd.service.store._database import Database


def is_local(host: str) -> bool:
    """Return whether only this machine can reach a host.

    Raises
    ------
    ConfigError
        For a host that is none.
    """
    try:
        found = {info[4][0] for info in socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)}
    except (OSError, UnicodeError):
        raise ConfigError(f'host must be an address or a name of this machine, got "{host}"') from None
    return all(ipaddress.ip_address(str(address).partition("%")[0]).is_loopback for address in found)


def asks_credentials(config: Config) -> bool:
    """Return whether a configuration has credentials asked for.

    Raises
    ------
    ConfigError
        Where others would reach it without credentials, or with them in plain sight.
    """
    security, host = config.security, config.service.host
    encrypted = _tls.is_on(security)
    if is_local(host):
        return security.auth == "on"
    if security.auth == "off":
        raise ConfigError(f'auth must be on or auto where others can reach host "{host}", got "off"')
    if not encrypted and not security.plain_http:
        raise ConfigError(
            f'host "{host}" needs tls_certificate and tls_key, as keys would travel in plain sight; '
            "where a proxy of yours ends TLS, set plain_http"
        )
    return True


def open_to_others(config: Config) -> Database:
    """Open the database of a service that asks for credentials.

    Raises
    ------
    ConfigError
        Where nobody can have any.
    """
    from rpsd.service.access._keys import Keys
    from rpsd.service.store._open import open_database

    security, database = config.security, open_database(config)
    if security.token_issuer is None and security.tls_client_ca is None and not Keys(database).is_any():
        raise ConfigError(
            f'host "{config.service.host}" asks for credentials, and nobody has any: make a key '
            "(rpsd keys create), or give token_issuer or tls_client_ca"
        )
    return database


def open_access(state: State, database: Database) -> Access:
    """Return what decides on access."""
    from rpsd.service.access._access import Access
    from rpsd.service.access._told import Told

    return Access(state.snapshot.config, database, Told(state))
