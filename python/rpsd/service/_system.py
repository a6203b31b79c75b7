# SPDX-License-Identifier: MIT
"""How busy the machine is, in percent."""

from __future__ import annotations

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
            self._usage = Usage(psutil.cpu_percent(None), psutil.virtual_memory().percent, self._disk())
        return self._usage

    def disk_free(self) -> int:
        """Return the free bytes of the disk."""
        return int(self._read_disk().free)

    def _disk(self) -> float:
        return float(self._read_disk().percent)

    def _read_disk(self) -> Any:
        try:
            return psutil.disk_usage(str(self._path))
        except OSError:  # the directory is not there (any more)
            return psutil.disk_usage(self._path.anchor or ".")
