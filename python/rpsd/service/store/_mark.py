# SPDX-License-Identifier: MIT
"""When a backup last succeeded here: a file whose time it is, for the services of this machine."""

from __future__ import annotations

from pathlib import Path
from typing import Final

_NAME: Final = "last-backup"


def mark(directory: Path) -> None:
    """Say that a backup has succeeded now."""
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    (directory / _NAME).touch(mode=0o600)


def last_backup(directory: Path) -> float | None:
    """Return when one succeeded, in Unix time, or None where none is known."""
    try:
        return (directory / _NAME).stat().st_mtime
    except OSError:
        return None
