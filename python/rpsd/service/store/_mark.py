# SPDX-License-Identifier: MIT
"""When a command last succeeded here: a file whose time it is, for the services of this machine."""

from __future__ import annotations

from pathlib import Path
from typing import Final

#: Files of the state directory.
BACKUP: Final = "last-backup"
AUDIT: Final = "last-audit-verify"


def mark(directory: Path, name: str) -> None:
    """Say that the command of that file has succeeded now."""
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    (directory / name).touch(mode=0o600)


def marked(directory: Path, name: str) -> float | None:
    """Return when it last succeeded, in Unix time, or None where that is not known."""
    try:
        return (directory / name).stat().st_mtime
    except OSError:
        return None
