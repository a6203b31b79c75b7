# SPDX-License-Identifier: MIT
"""Whom a client's certificate proves; that it is good, the TLS handshake has seen to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime

from cryptography import x509
from cryptography.x509.oid import NameOID

from rpsd import ConfigError
from rpsd.service.access._principal import Principal
from rpsd.service.access._roles import GRANTED


class Identities:
    """Names of certificates, and their roles.

    Parameters
    ----------
    text : str or None
        ``NAME=ROLE+ROLE, NAME=ROLE``.

    Raises
    ------
    ConfigError
        For another form, or a role that there is not.
    """

    def __init__(self, text: str | None) -> None:
        self._roles = parse(text)

    def find(self, der: bytes) -> Principal | None:
        """Return whom a certificate proves: its first name that has roles."""
        try:
            certificate = x509.load_der_x509_certificate(der)
            names = list(_names(certificate))
        except ValueError:
            return None
        name = names[0] if names else None
        if name is None or name not in self._roles:
            return None
        # The handshake has looked too, but a connection may outlive its certificate.
        if not certificate.not_valid_before_utc <= datetime.now(UTC) < certificate.not_valid_after_utc:
            return None
        return Principal(name=f"certificate:{name}", tenant=name, roles=self._roles[name])


def parse(text: str | None) -> Mapping[str, frozenset[str]]:
    """Return the roles of each name."""
    found: dict[str, frozenset[str]] = {}
    for part in filter(None, (one.strip() for one in (text or "").split(","))):
        name, equals, roles = part.rpartition("=")
        chosen = frozenset(role.strip() for role in roles.split("+"))
        name = name.strip()
        if not equals or not name or name in found or not chosen <= set(GRANTED):
            raise ConfigError(
                f"certificate_roles must be NAME=ROLE+ROLE, ..., each name once, of {', '.join(GRANTED)}, "
                f'got "{part[:80]}"'
            )
        found[name] = chosen
    return found


def _names(certificate: x509.Certificate) -> Iterator[str]:
    """Yield the URIs of a certificate, else its DNS names, else its common names."""
    try:
        extension = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound:
        pass
    else:
        names = extension.value
        yield from names.get_values_for_type(x509.UniformResourceIdentifier)
        yield from names.get_values_for_type(x509.DNSName)
    for attribute in certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME):
        value = attribute.value
        if isinstance(value, str):
            yield value
