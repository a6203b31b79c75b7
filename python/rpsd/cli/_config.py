# SPDX-License-Identifier: MIT
"""`rpsd config show` and `rpsd config validate`."""

from __future__ import annotations

from typing import Any

import click

from rpsd import Config, load_config
from rpsd.cli._options import configuration, denoiser_options


@click.group()
def config() -> None:
    """Show or check the configuration.

    Order, strongest first: command line, RPSD_* variables, --config or RPSD_CONFIG, ~/.rpsd/config.yaml,
    /etc/rpsd/config.yaml, defaults.
    """


@config.command()
@click.option("--origin", is_flag=True, help="Tell where each value came from.")
@denoiser_options
def show(origin: bool, config_path: str | None, **given: Any) -> None:
    """Print the configuration in effect, as YAML that gives it again."""
    settings = configuration(config_path, given)
    click.echo(_origins(settings) if origin else settings.to_yaml().rstrip())


@config.command()
@click.argument("file", required=False)
def validate(file: str | None) -> None:
    """Check the configuration file FILE, or with none all that would be used now."""
    load_config(file)
    click.echo(f"{file or 'the configuration in effect'}: valid")


def _origins(settings: Config) -> str:
    rows = [(f"{section}.{key}", str(value), origin) for section, key, value, origin in settings.rows()]
    widths = [max(len(row[i]) for row in rows) for i in (0, 1)]
    return "\n".join(f"{key:<{widths[0]}}  {value:<{widths[1]}}  {origin}" for key, value, origin in rows)
