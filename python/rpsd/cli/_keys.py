# SPDX-License-Identifier: MIT
"""`rpsd keys`: API keys of the service."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click
import msgspec

from rpsd.cli._options import state_options
from rpsd.cli._show import console, print_json, table
from rpsd.cli._state_options import shown_time, span, state_of, tell

if TYPE_CHECKING:
    from rpsd.service.access._keys import Key


@click.group()
def keys() -> None:
    """Make, list, rotate and revoke API keys of the service.

    The text of a new key is the only output; it is shown this once. Each act is in the audit log.
    """


@keys.command()
@click.argument("name")
@click.option(
    "--role",
    "roles",
    multiple=True,
    required=True,
    metavar="ROLE",
    help="viewer, user, operator, admin or auditor; may be given several times.",
)
@click.option("--tenant", help="Whose streams and jobs it sees.  [default: NAME]")
@click.option("--expires", callback=span, metavar="SPAN", help="When it ends: 12h, 90d.  [default: never]")
@click.option("--rate", type=click.FloatRange(min=0, min_open=True), help="Requests a second.")
@click.option("--points-per-day", type=click.IntRange(min=1), help="Samples a day.")
@state_options
def create(
    name: str, roles: tuple[str, ...], tenant: str | None, expires: float | None, rate: float | None,
    points_per_day: int | None, config_path: str | None, **given: Any,
) -> None:  # fmt: skip
    """Make a key for NAME and print its text."""
    with state_of(config_path, given) as (_, database):
        from rpsd.service.access._acts import act
        from rpsd.service.access._keys import Keys
        from rpsd.service.access._principal import KeyLimits

        limits = KeyLimits(rate=rate, points_per_day=points_per_day)
        with act(database, "keys create", name=name, roles=sorted(set(roles))) as found:
            key, text = Keys(database).create(name, roles, tenant=tenant, seconds=expires, limits=limits)
            found.update(key=key.id, tenant=key.tenant)
    tell(f"key {key.id} of {name}: {', '.join(key.roles)}{_until(key)}; it is not shown again")
    click.echo(text)


@keys.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
@state_options
def list_(as_json: bool, config_path: str | None, **given: Any) -> None:
    """List every key, without its secret."""
    with state_of(config_path, given) as (_, database):
        from rpsd.service.access._keys import Keys

        found = Keys(database).all()
    if as_json:
        print_json({"keys": [msgspec.to_builtins(key) for key in found]})
        return
    shown = table("id", "name", "tenant", "roles", "created", "ends", "last used")
    for key in found:
        ends = f"revoked {shown_time(key.revoked)}" if key.revoked else shown_time(key.expires)
        if not key.holds:
            ends = "changed past rpsd: proves nobody"
        times = shown_time(key.created), ends, shown_time(key.last_used)
        shown.add_row(key.id, key.name, key.tenant, ", ".join(key.roles), *times)
    console(stderr=False).print(shown)


@keys.command()
@click.argument("key_id", metavar="ID")
@click.option(
    "--overlap",
    callback=span,
    metavar="SPAN",
    default="24h",
    show_default=True,
    help="For how long the old text still works.",
)
@state_options
def rotate(key_id: str, overlap: float, config_path: str | None, **given: Any) -> None:
    """Give the key ID a new text and print it; the old one works for a while longer."""
    with state_of(config_path, given) as (_, database):
        from rpsd.service.access._acts import act
        from rpsd.service.access._keys import Keys

        with act(database, "keys rotate", key=key_id[:12], overlap=overlap):
            key, text = Keys(database).rotate(key_id, overlap)
    tell(f"key {key.id} of {key.name}: the old text works until {shown_time(key.overlap_until)}")
    click.echo(text)


@keys.command()
@click.argument("key_id", metavar="ID")
@state_options
def revoke(key_id: str, config_path: str | None, **given: Any) -> None:
    """End the key ID: within two seconds no service takes it any more."""
    with state_of(config_path, given) as (_, database):
        from rpsd.service.access._acts import act
        from rpsd.service.access._keys import Keys

        with act(database, "keys revoke", key=key_id[:12]):
            key = Keys(database).revoke(key_id)
    tell(f"key {key.id} of {key.name} is revoked since {shown_time(key.revoked)}")


def _until(key: Key) -> str:
    return "" if key.expires is None else f", until {shown_time(key.expires)}"
