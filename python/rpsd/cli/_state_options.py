# SPDX-License-Identifier: MIT
"""What commands on the service's state share: its options, its database, spans of time."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import click

from rpsd import Config, RpsdError
from rpsd.cli._options import configuration

if TYPE_CHECKING:
    from rpsd.service.store._database import Database

_EXTRA: Final = ("alembic", "cryptography", "jwt", "sqlalchemy")
_SPAN: Final = re.compile(r"([0-9]{1,6}(?:\.[0-9]{1,3})?)([smhd])")
_SECONDS: Final = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


def span(context: click.Context, option: click.Parameter, text: str | None) -> float | None:
    """Return the seconds of an option such as 45s, 30m, 12h or 90d: a callback of click."""
    if text is None:
        return None
    match = _SPAN.fullmatch(text)
    if match is None:
        raise click.BadParameter(f"must be as 45s, 30m, 12h or 90d, got {text[:40]!r}", context, option)
    return float(match[1]) * _SECONDS[match[2]]


@contextmanager
def needing_service() -> Iterator[None]:
    """Name the extra where what the service needs cannot be imported."""
    try:
        yield
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in _EXTRA:
            raise
        raise RpsdError('state needs the "service" extra: pip install "rpsd[service]"') from None


@contextmanager
def state_of(
    config_path: str | None, given: dict[str, Any], *, new_key: bool = True, begin: bool = True
) -> Iterator[tuple[Config, Database]]:
    """Open the database of the configuration under the options given; the others are of `open_database`."""
    config = configuration(config_path, given)
    with needing_service():
        from rpsd.service.store._open import open_database
    database = open_database(config, new_key=new_key, begin=begin)
    try:
        yield config, database
    finally:
        database.close()


def tell(text: str) -> None:
    """Say something that is no data."""
    click.echo(text, err=True)


def shown_time(microseconds: int | None) -> str:
    """Return a time of the tables for people."""
    if microseconds is None:
        return ""
    return datetime.fromtimestamp(microseconds / 1e6, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
