# SPDX-License-Identifier: MIT
"""`rpsd state`: the service's database and the key that seals it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from rpsd.cli._options import state_options
from rpsd.cli._state_options import state_of, tell


@click.group()
def state() -> None:
    """Make and rotate the state key, upgrade the database."""


@state.command("new-key")
def new_key() -> None:
    """Print a new state key, for state_key_file, a credential rpsd-state-key or RPSD_STATE_KEY."""
    from rpsd.service.store._seal import StateKey

    click.echo(StateKey.new().reveal().decode())


@state.command()
@state_options
def upgrade(config_path: str | None, **given: Any) -> None:
    """Bring the database to the schema of this rpsd, as a service does when it starts."""
    with state_of(config_path, given) as (_, database):
        from rpsd.service.access._acts import act

        before, after = database.came_with, database.revision
        with act(database, "state upgrade", before=before, after=after):
            pass
    tell(f"the database has schema {after}" + (f", and had {before}" if before != after else ""))


@state.command("rotate-key")
@click.option(
    "--to",
    "new",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="File of the new key; without it that of the state directory is replaced.",
)
@state_options
def rotate_key(new: Path | None, config_path: str | None, **given: Any) -> None:
    """Seal the database's keys under another state key, and begin a new one for what is sealed from now on.

    Restart every service of the database afterwards.
    """
    with state_of(config_path, given) as (config, database):
        from rpsd.service.access._acts import act
        from rpsd.service.store._open import rotate_state_key

        with act(database, "state rotate-key"):
            place = rotate_state_key(config, database, new)
    tell(f"the state key is that of {place} from now on; restart every service of this database")
