# SPDX-License-Identifier: MIT
"""Secrets: where they come from, and that nothing shows them."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Final

from rpsd import ConfigError

#: Where systemd puts the credentials of a unit (LoadCredential=).
_CREDENTIALS: Final = "CREDENTIALS_DIRECTORY"
_LARGEST: Final = 65536


class Secret:
    """Bytes that no log, trace or dump shows.

    Parameters
    ----------
    value : bytes
    """

    __slots__ = ("_value",)

    def __init__(self, value: bytes) -> None:
        self._value = value

    def reveal(self) -> bytes:
        """Return the bytes; only where they are used."""
        return self._value

    def __repr__(self) -> str:
        return "Secret(***)"

    def __reduce__(self) -> str:
        raise TypeError("a secret is not pickled")


def read_secret(name: str, file: Path | None) -> Secret | None:
    """Return a secret from a file, from systemd's credentials or from the environment, in this order.

    Parameters
    ----------
    name : str
        What it is called: the file ``rpsd-NAME`` among the credentials, the variable ``RPSD_NAME`` with
        _ for -.
    file : Path or None
        As the configuration says; then it is read, and nothing else.

    Raises
    ------
    ConfigError
        Where the file cannot be read, or others than its owner and group may read it.
    """
    if file is not None:
        return _of_file(name, file)
    credentials = os.environ.get(_CREDENTIALS)
    if credentials and (path := Path(credentials, f"rpsd-{name}")).is_file():
        return _of_file(name, path)
    text = os.environ.get("RPSD_" + name.replace("-", "_").upper())
    return Secret(text.strip().encode()) if text else None


def _of_file(name: str, path: Path) -> Secret:
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            value = file.read(_LARGEST + 1).strip()
    except OSError as error:
        raise ConfigError(f"the file of {name} cannot be read: {error.strerror}") from None
    if os.name == "posix" and mode & (stat.S_IROTH | stat.S_IWOTH):
        raise ConfigError(f"the file of {name} must not be open to everybody, got mode {mode & 0o777:04o}")
    if not value or len(value) > _LARGEST:
        raise ConfigError(f"the file of {name} must have 1 to {_LARGEST} bytes")
    return Secret(value)
