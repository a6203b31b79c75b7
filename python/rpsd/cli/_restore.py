# SPDX-License-Identifier: MIT
"""`rpsd restore`: a backup back into a database, all of it or nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import click

from rpsd.cli._backup import show
from rpsd.cli._options import state_options
from rpsd.cli._state_options import state_of, tell

_FAILURE: Final = 1


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--replace", is_flag=True, help="Into a database that is not empty: all that it has is lost.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@state_options
def restore(file: Path, replace: bool, as_json: bool, config_path: str | None, **given: Any) -> int:
    """Put a backup into the database of the configuration, which must be empty; no service may use it.

    It takes the state key that the backup was made under. Exit code 1 also where the audit log in the backup
    does not hold: then it did not before.
    """
    with state_of(config_path, given, new_key=False) as (_, database):
        from rpsd.service.access._acts import actor
        from rpsd.service.access._audit import AuditLog, Record
        from rpsd.service.store import _backup
        from rpsd.service.store._head import Head

        before = AuditLog(database).head()
        header = _backup.restore(file, database, replace=replace)
        audit = AuditLog(database)
        fault = audit.verify(Head.of(header.audit_head)).fault
        show(file, header, as_json)
        lost = {"replaced": before.text()} if before.number else {}
        details = {"time": header.time, "rows": header.rows, "head": header.audit_head, **lost}
        audit.write([Record(actor(), "restore", "done", details)])
    if fault is not None:
        tell(f"rpsd: error: all of it is restored, but its audit log does not hold: {fault}")
        return _FAILURE
    return 0
