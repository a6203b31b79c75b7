# SPDX-License-Identifier: MIT
"""TLS: the certificate, read anew without a connection being dropped, and who may show one."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from rpsd import ConfigError
from rpsd._sections import Security, expand

_CLIENT_CA: Final = "tls_client_ca"


class Tls:
    """What connections are encrypted with; each takes what is current when it begins.

    Parameters
    ----------
    security : Security

    Attributes
    ----------
    context : ssl.SSLContext
        For the listeners; it stays the same.
    not_after : float
        When the certificate ends, in Unix time.

    Raises
    ------
    ConfigError
        For files that cannot be read, or are no certificate with its key.
    """

    def __init__(self, security: Security) -> None:
        self._current, self.not_after = load(security)
        self.context = self._current
        # Called for each handshake, also of clients that name no server.
        self.context.sni_callback = self._choose

    def use(self, loaded: tuple[ssl.SSLContext, float]) -> None:
        """Take what `load` returned, for connections that begin from now on."""
        self._current, self.not_after = loaded

    def _choose(self, connection: Any, name: str | None, context: ssl.SSLContext) -> None:
        del name, context
        connection.context = self._current


def is_on(security: Security) -> bool:
    """Return whether connections are encrypted.

    Raises
    ------
    ConfigError
        For settings that make no sense without others.
    """
    pair = (security.tls_certificate, security.tls_key)
    if None in pair and pair != (None, None):
        raise ConfigError("tls_certificate and tls_key go together; one of them is not given")
    if security.tls_client_ca is not None and pair == (None, None):
        raise ConfigError("tls_client_ca needs tls_certificate and tls_key")
    return pair != (None, None)


def load(security: Security) -> tuple[ssl.SSLContext, float]:
    """Return a context of the files as they are now, and when the certificate ends.

    Raises
    ------
    ConfigError
        For files that cannot be read, or are no certificate with its key.
    """
    certificate, key = _path(security, "tls_certificate"), _path(security, "tls_key")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_CIPHER_SERVER_PREFERENCE
    context.set_alpn_protocols(["http/1.1"])
    try:
        # Without a password an encrypted key would be asked for on the terminal.
        context.load_cert_chain(certificate, key, password=_no_password)
    except (OSError, ValueError) as error:  # ssl.SSLError is one
        raise ConfigError(f"tls_certificate and tls_key: {_said(error)}") from None
    if security.tls_client_ca is not None:
        try:
            context.load_verify_locations(_path(security, _CLIENT_CA))
        except (OSError, ValueError) as error:
            raise ConfigError(f"{_CLIENT_CA}: {_said(error)}") from None
        # Keys and tokens are good without one; a certificate that is shown must be good.
        context.verify_mode = ssl.CERT_OPTIONAL
        # Each connection shows its certificate anew: a session that is resumed would bring an old one.
        context.num_tickets = 0
        context.options |= ssl.OP_NO_TICKET
    return context, _end_of(certificate)


def _no_password() -> str:
    raise ValueError("the key must not be encrypted")


def _path(security: Security, name: str) -> Path:
    text = getattr(security, name)
    assert text is not None
    return expand(text, name)


def _end_of(certificate: Path) -> float:
    """Return when the first certificate of a file ends."""
    from cryptography import x509

    try:
        first = x509.load_pem_x509_certificates(certificate.read_bytes())[0]
    except (OSError, ValueError, IndexError):
        raise ConfigError("tls_certificate: it is no certificate") from None
    end: datetime = first.not_valid_after_utc
    return end.astimezone(UTC).timestamp()


def _said(error: OSError | ValueError) -> str:
    if isinstance(error, ssl.SSLError):
        return f"they are no pair of PEM files ({error.reason or 'not readable'})"
    return str(getattr(error, "strerror", None) or error)
