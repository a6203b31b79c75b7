# SPDX-License-Identifier: MIT
"""How busy the machine is, in percent."""

from __future__ import annotations

import contextlib
import time
from pathlib import Path
from typing import Any, Final, NamedTuple

import psutil

#: A reading of the processors is over the time since the one before, which must not be too short.
_LEAST_SECONDS: Final = 1.0


class Usage(NamedTuple):
    """Percent of processors, memory and disk in use."""

    cpu_usage: float
    memory_usage: float
    disk_usage: float


class System:
    """Reads the machine's load; one reading a second at most, whoever asks.

    Parameters
    ----------
    path : Path
        A place on the disk to watch.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        psutil.cpu_percent(None)  # the beginning of the first reading
        self._read_at = time.monotonic()
        self._usage: Usage | None = None

    def usage(self) -> Usage:
        """Return the last reading, or a new one where it is old."""
        now = time.monotonic()
        if self._usage is None or now - self._read_at >= _LEAST_SECONDS:
            self._read_at = now
            disk = float(disk_of(self._path).percent)
            self._usage = Usage(psutil.cpu_percent(None), psutil.virtual_memory().percent, disk)
        return self._usage


def disk_of(path: Path) -> Any:
    """Return how full the disk of a directory is, or of the nearest one above it that is there."""
    for place in (path, *path.parents):
        with contextlib.suppress(OSError):
            return psutil.disk_usage(str(place))
    return psutil.disk_usage(path.anchor or ".")
