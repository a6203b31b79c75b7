# SPDX-License-Identifier: MIT
"""The database that a configuration names, under its key."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from rpsd import Config, ConfigError, RpsdError
from rpsd.service.store._database import Database
from rpsd.service.store._place import FILE, place_of
from rpsd.service.store._seal import StateKey
from rpsd.service.store._secrets import Secret, read_secret

_KEY_FILE: Final = "state.key"
_NAME: Final = "state-key"


def open_database(config: Config, *, new_key: bool = True, begin: bool = True) -> Database:
    """Open the database of a configuration, made and upgraded as it needs.

    Parameters
    ----------
    config : Config
    new_key : bool
        Whether SQLite may be given a state key where there is none.
    begin : bool
        Whether there may be a new database where there is none.

    Raises
    ------
    ConfigError
        Where PostgreSQL's state key is not given, or what is given is none.
    StateError
        Where it cannot be opened.
    """
    return Database(place_of(config), state_key(config, new=new_key), begin=begin)


def state_key(config: Config, *, new: bool = False) -> StateKey:
    """Return the state key of a configuration; new: whether SQLite may be given one where there is none.

    Raises
    ------
    ConfigError
        Where there is none, or what is given is none.
    """
    secret, url = read_secret(_NAME, _given(config)), config.state.state_url
    if secret is None:
        if url is not None and not url.startswith("sqlite"):
            raise ConfigError(
                "a PostgreSQL database needs a state key: give state_key_file, the credential "
                f"rpsd-{_NAME}, or RPSD_STATE_KEY"
            )
        directory = config.paths.state_path
        if not new and not (directory / _KEY_FILE).exists():
            raise ConfigError(
                f"there is no state key: give state_key_file, or put it into {directory / _KEY_FILE}"
            )
        secret = _own_key(directory)
    return StateKey(secret)


def rotate_state_key(config: Config, database: Database, new: Path | None) -> Path:
    """Seal a database under another state key; return the file of it.

    Parameters
    ----------
    config : Config
    database : Database
    new : Path or None
        File of the new key; None makes one, and puts it in the place of that in the state directory.

    Raises
    ------
    ConfigError
        Where the file is none, or the key in use is not that of the state directory.
    """
    if new is not None:
        secret = read_secret(_NAME, new.expanduser())
        assert secret is not None
        database.rotate(StateKey(secret))
        return new
    if read_secret(_NAME, _given(config)) is not None:
        raise ConfigError("the state key is given by the configuration: name the file of the new one by --to")
    path = config.paths.state_path / _KEY_FILE
    coming = path.with_name(f"{path.name}.new")
    coming.unlink(missing_ok=True)
    secret = StateKey.new()
    _write_new(coming, secret)
    # Were it cut off here, the database would have one of the two keys, and both are there.
    database.rotate(StateKey(secret))
    coming.replace(path)
    return path


def _given(config: Config) -> Path | None:
    file = config.state.state_key_file
    return None if file is None else Path(file).expanduser()


def _own_key(directory: Path) -> Secret:
    """Return the key beside the database, made where there is none."""
    path = directory / _KEY_FILE
    try:
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        if not path.exists():
            if (directory / FILE).exists():
                raise ConfigError(f"{directory / FILE} is there, but not its state key {path}")
            _write_new(path, StateKey.new())
    except OSError as error:
        raise RpsdError(f"state_dir {directory} cannot be used: {error.strerror}") from None
    secret = read_secret(_NAME, path)
    assert secret is not None
    return secret


def _write_new(path: Path, secret: Secret) -> None:
    """Write a file whole: another process that starts at the same moment reads this one or its own."""
    part = path.with_name(f"{path.name}.{os.getpid()}")
    with open(os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as file:
        file.write(secret.reveal() + b"\n")
        file.flush()
        os.fsync(file.fileno())
    try:
        os.link(part, path)
    except FileExistsError:
        pass
    finally:
        part.unlink()
