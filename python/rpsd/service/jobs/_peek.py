# SPDX-License-Identifier: MIT
"""Whether there are jobs in a file of SQLite, asked without what opens it as a database of the service.

Most services of one machine keep nothing: they must not load a database's libraries to learn it.
"""

from __future__ import annotations

import contextlib
import time
from pathlib import Path
from typing import Final

_ANY: Final = """
SELECT EXISTS (SELECT 1 FROM jobs WHERE status IN ('queued', 'running'))
    OR EXISTS (SELECT 1 FROM jobs WHERE expires <= ?)
"""


def may_have_jobs(file: Path) -> bool:
    """Return whether there may be jobs that wait, run or have expired."""
    if not file.exists():
        return False
    import sqlite3

    try:
        address = f"{file.absolute().as_uri()}?mode=rw"
        with contextlib.closing(sqlite3.connect(address, uri=True, timeout=1.0)) as connection:
            found = connection.execute(_ANY, (time.time_ns() // 1000,)).fetchone()
    except sqlite3.Error:  # what is wrong with it is told by who opens it
        return True
    return bool(found[0])
