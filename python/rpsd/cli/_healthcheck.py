# SPDX-License-Identifier: MIT
"""`rpsd healthcheck`: whether the service on this machine takes requests, for containers and scripts."""

from __future__ import annotations

import http.client
import ssl
from urllib.parse import urlsplit

import click

from rpsd import InputError

_HERE = ("127.0.0.1", "::1", "localhost")


@click.command()
@click.argument("url", metavar="[URL]", default="http://127.0.0.1:8000")
@click.option(
    "--timeout", type=click.FloatRange(min=0, min_open=True), default=3.0, show_default=True,
    help="Seconds to wait for the answer.",
)  # fmt: skip
def healthcheck(url: str, timeout: float) -> int:
    """Ask URL, on this machine, for /health/ready; the exit code is 0 where it says 200, else 1.

    It sends no credential, and does not verify a certificate: that is of the name that others know.
    """
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or parts.hostname not in _HERE:
        raise InputError(f'URL must be as http://127.0.0.1:8000, of this machine, got "{url[:80]}"')
    connection: http.client.HTTPConnection
    if parts.scheme == "http":
        connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=timeout)
    else:
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        connection = http.client.HTTPSConnection(parts.hostname, parts.port, timeout=timeout, context=context)
    try:
        connection.request("GET", "/health/ready")
        answer = connection.getresponse()
        code, text = answer.status, answer.read(4096).decode("utf-8", "replace")
    except (OSError, http.client.HTTPException) as error:
        click.echo(f"no answer: {error or type(error).__name__}", err=True)
        return 1
    finally:
        connection.close()
    click.echo(text)
    return 0 if code == http.client.OK else 1
