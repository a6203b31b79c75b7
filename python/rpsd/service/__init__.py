# SPDX-License-Identifier: MIT
"""The HTTP service (extra: service): `serve` runs it until it is told to stop."""

from __future__ import annotations

from collections.abc import Callable

from rpsd import Config

__all__ = ["serve"]


def serve(config: Config, load: Callable[[], Config] | None = None) -> int:
    """Serve until told to stop; as `rpsd.service._server.serve`, imported when it is wanted.

    The other end, `rpsd smoke` and `rpsd compare`, needs none of what the server does.
    """
    from rpsd.service._server import serve as run

    return run(config, load)
