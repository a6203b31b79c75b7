# SPDX-License-Identifier: MIT
"""`rpsd backup`: all that the service keeps, in one sealed file, while it runs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from rpsd import StateError
from rpsd.cli._options import configuration, state_options
from rpsd.cli._show import print_json
from rpsd.cli._state_options import needing_service, state_of, tell

if TYPE_CHECKING:
    from rpsd.service.store._backup import Header


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--verify", "only_verify", is_flag=True, help="Check a backup that is there, and make none.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@state_options
def backup(file: Path, only_verify: bool, as_json: bool, config_path: str | None, **given: Any) -> None:
    """Write all that the service keeps into a new FILE, sealed under the state key, and read it back.

    Services go on meanwhile. Keep the state key elsewhere: without it nobody opens the file, nor do you.
    """
    if only_verify:
        config = configuration(config_path, given)
        with needing_service():
            from rpsd.service.store._backup import verify
            from rpsd.service.store._open import state_key
        header = verify(file, state_key(config))
    else:
        with state_of(config_path, given, new_key=False) as (config, database):
            if database.came_with is None:  # it was made by looking for it
                raise StateError("there was no database: is this the configuration of the service?")
            from rpsd.service.access._acts import act
            from rpsd.service.store import _backup
            from rpsd.service.store._mark import BACKUP, mark

            with act(database, "backup") as found:
                header = _backup.backup(database, file)
                found.update(time=header.time, rows=header.rows, head=header.audit_head)
            mark(config.paths.state_path, BACKUP)
    show(file, header, as_json)


def show(file: Path, header: Header, as_json: bool) -> None:
    """Say what a backup has."""
    if as_json:
        tables = {name: one.rows for name, one in header.tables.items()}
        print_json(
            {
                "time": header.time,
                "rpsd": header.rpsd,
                "schema": header.schema,
                "database": header.database,
                "tables": tables,
                "audit_head": header.audit_head,
            }
        )
    else:
        tell(f"{file} is whole: {header.rows} rows of schema {header.schema} as of {header.time}")
        click.echo(header.audit_head)
