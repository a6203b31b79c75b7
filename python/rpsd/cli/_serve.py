# SPDX-License-Identifier: MIT
"""`rpsd serve`: the HTTP service."""

from __future__ import annotations

from typing import Any, Final

import click

from rpsd import Config, RpsdError
from rpsd.cli._options import configuration, read_configuration, service_options

_EXTRA: Final = ("httptools", "litestar", "prometheus_client", "psutil", "structlog", "uvicorn")


@click.command()
@service_options
def serve(config_path: str | None, **given: Any) -> int:
    """Answer HTTP requests on this machine until SIGTERM or Ctrl-C.

    Health, metrics and /v1 are on metrics_port of the loopback address; with --port, /v1 is on
    a port of its own. The log goes to standard error, a JSON object a line. SIGHUP reads the
    configuration anew.
    """
    config = configuration(config_path, given)
    try:
        from rpsd.service._server import serve as run
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in _EXTRA:
            raise
        raise RpsdError('the service needs the "service" extra: pip install "rpsd[service]"') from None

    def load() -> Config:
        return read_configuration(config_path, given)

    return run(config, load)
