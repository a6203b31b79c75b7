# SPDX-License-Identifier: MIT
"""Administrative acts of the command line, in the audit log before they begin and when they are over."""

from __future__ import annotations

import getpass
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from rpsd.service.access._audit import AuditLog, Record
from rpsd.service.store._database import Database


@contextmanager
def act(database: Database, action: str, **details: Any) -> Iterator[dict[str, Any]]:
    """Record an act around its doing; what is put into the mapping is told when it is done.

    What cannot be recorded is not begun, and what was cut off in the middle has a record without an end.

    Raises
    ------
    StateError
        Where it cannot be recorded.
    """
    audit, who, found = AuditLog(database), actor(), dict(details)
    audit.write([Record(who, action, "begun", details)])
    try:
        yield found
    except BaseException as error:
        audit.write([Record(who, action, "failed", {**found, "error": type(error).__name__})])
        raise
    audit.write([Record(who, action, "done", found)])


def actor() -> str:
    """Return who acts, as this machine knows it."""
    try:
        name = getpass.getuser()
    except (KeyError, OSError):
        name = str(os.getuid()) if hasattr(os, "getuid") else "unknown"
    return f"cli:{name}"
