# SPDX-License-Identifier: MIT
"""Where the database is."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from rpsd import Config

#: In the state directory, where no address is given.
FILE: Final = "rpsd.db"
_SQLITE: Final = "sqlite:///"


def place_of(config: Config) -> str:
    """Return the address of a configuration's database."""
    return config.state.state_url or f"{_SQLITE}{config.paths.state_path / FILE}"


def file_of(config: Config) -> Path | None:
    """Return SQLite's file, None where the database is another one."""
    place = place_of(config)
    return Path(place.removeprefix(_SQLITE).partition("?")[0]) if place.startswith(_SQLITE) else None
