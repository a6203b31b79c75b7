# SPDX-License-Identifier: MIT
"""The HTTP service (extra: service): `serve` runs it until it is told to stop."""

from rpsd.service._server import serve

__all__ = ["serve"]
