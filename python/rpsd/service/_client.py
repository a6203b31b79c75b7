# SPDX-License-Identifier: MIT
"""The other end: a client of the standard library alone, for `rpsd smoke` and `rpsd compare`."""

from __future__ import annotations

import http.client
import json
import os
import time
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Final
from urllib.parse import urlsplit

from rpsd import InputError
from rpsd.service.store._secrets import Secret, read_secret

JSON: Final = "application/json"
BINARY: Final = "application/octet-stream"
ARROW: Final = "application/vnd.apache.arrow.stream"


_HERE: Final = ("127.0.0.1", "::1", "localhost")
_KEY_FILE: Final = "RPSD_API_KEY_FILE"


def given_key() -> Secret | None:
    """Return the API key of the file that RPSD_API_KEY_FILE names, or of RPSD_API_KEY; None without both.

    Raises
    ------
    ConfigError
        Where the file cannot be read, or others than its owner and group may read it.
    """
    file = os.environ.get(_KEY_FILE)
    return read_secret("api-key", Path(file).expanduser() if file else None)


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer: names of headers in lower case, and the seconds until its last byte."""

    status: int
    headers: dict[str, str]
    body: bytes
    seconds: float

    @property
    def json(self) -> Any:
        """The body as JSON; NaN and Infinity are none."""
        return json.loads(self.body, parse_constant=_no_json)


def _no_json(word: str) -> Any:
    raise ValueError(f"{word} is no JSON")


class Client:
    """One connection, kept and opened anew where the server closed it.

    Parameters
    ----------
    url : str
        Such as ``http://127.0.0.1:8000``; a path in it goes before every other.
    timeout : float
        Seconds until an answer is given up.
    key : Secret, optional
        An API key; it is sent over https, or to this machine.

    Raises
    ------
    InputError
        For what is no such address, or one to which the key would travel in plain sight.
    """

    def __init__(self, url: str, timeout: float = 10.0, key: Secret | None = None) -> None:
        parts = urlsplit(url)
        try:
            host, port = parts.hostname, parts.port
        except ValueError:
            host, port = None, None
        if parts.scheme not in _KINDS or not host or parts.query or parts.username:
            raise InputError(f'URL must be as http://127.0.0.1:8000, got "{url[:80]}"')
        if key is not None and parts.scheme != "https" and host not in _HERE:
            raise InputError(
                f"a key is sent over https, or to {', '.join(_HERE)}, got {parts.scheme}://{host}"
            )
        self._key = key
        self.url = url
        self._path = parts.path.rstrip("/")
        self._connection = _KINDS[parts.scheme](host, port, timeout=timeout)

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._connection.close()

    def ask(
        self, method: str, path: str, body: bytes | None = None, content_type: str | None = None
    ) -> Reply:
        """Send a request and return its answer.

        A connection that was kept and has been closed meanwhile is opened anew, once.

        Raises
        ------
        OSError, http.client.HTTPException
            Where no answer comes.
        """
        # What was kept from before says nothing of the kernel, and of its time.
        headers = {"cache-control": "no-store"}
        if content_type is not None:
            headers["content-type"] = content_type
        if self._key is not None:
            headers["authorization"] = f"Bearer {self._key.reveal().decode('latin-1')}"
        fresh = self._connection.sock is None
        begin = time.perf_counter()
        try:
            response = self._send(method, path, body, headers)
        except (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError):
            if fresh:
                raise
            self._connection.close()
            begin = time.perf_counter()
            response = self._send(method, path, body, headers)
        try:
            content = response.read()
        except BaseException:
            self._connection.close()
            raise
        seconds = time.perf_counter() - begin
        return Reply(
            response.status, {name.lower(): text for name, text in response.getheaders()}, content, seconds
        )

    def _send(
        self, method: str, path: str, body: bytes | None, headers: dict[str, str]
    ) -> http.client.HTTPResponse:
        try:
            self._connection.request(method, self._path + path, body, headers)
            return self._connection.getresponse()
        except BaseException:
            self._connection.close()
            raise


_KINDS: Final[dict[str, type[http.client.HTTPConnection]]] = {
    "http": http.client.HTTPConnection,
    "https": http.client.HTTPSConnection,
}
