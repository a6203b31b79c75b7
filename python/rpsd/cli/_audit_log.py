# SPDX-License-Identifier: MIT
"""`rpsd audit-log`: what was decided and done, and whether nothing of it was touched."""

from __future__ import annotations

import re
from typing import Any, Final

import click
import msgspec

from rpsd import StateError
from rpsd.cli._options import state_options
from rpsd.cli._show import print_json
from rpsd.cli._state_options import state_of, tell

_HEAD: Final = re.compile(r"[0-9]{1,18}:[0-9a-f]{64}")
_FAILURE: Final = 1


@click.group("audit-log")
def audit_log() -> None:
    """Show or verify the audit log of the service."""


@audit_log.command()
@click.option(
    "--after", type=click.IntRange(min=0), default=0, show_default=True, help="Number to begin after."
)
@click.option("--last", type=click.IntRange(min=1), help="The last so many only.")
@state_options
def show(after: int, last: int | None, config_path: str | None, **given: Any) -> None:
    """Print records, a JSON object a line, oldest first."""
    with state_of(config_path, given, new_key=False, begin=False) as (_, database):
        from rpsd.service.access._audit import AuditLog

        audit = AuditLog(database)
        if last is not None:
            after = max(after, audit.head().number - last)
        while records := list(audit.read(after)):
            for record in records:
                click.echo(msgspec.json.encode(record).decode())
            latest = records[-1].get("number")
            if not isinstance(latest, int) or latest <= after:
                raise StateError(f"the records after {after} are damaged: see rpsd audit-log verify")
            after = latest


@audit_log.command()
@click.option("--head", "text", metavar="N:HEX", help="A head of the service's log, kept elsewhere.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@state_options
def verify(text: str | None, as_json: bool, config_path: str | None, **given: Any) -> int:
    """Check every record: exit code 1 where one was changed, removed, swapped or cut off.

    Without --head, who can write the database can cut its end off and put the older head back, or empty it.
    Where all of them hold, the services of this state directory tell the time of it in their metrics.
    """
    match = _HEAD.fullmatch(text or "")
    if text is not None and match is None:
        raise click.BadParameter(f"must be as 310:261a...37f9, got {text[:80]!r}", param_hint="--head")
    with state_of(config_path, given, new_key=False, begin=False) as (config, database):
        from rpsd.service.access._audit import AuditLog
        from rpsd.service.store._head import Head
        from rpsd.service.store._mark import AUDIT, mark

        known = None if match is None else Head.of(match[0])
        verdict = AuditLog(database).verify(known)
        if verdict.fault is None:
            try:
                mark(config.paths.state_path, AUDIT)
            except OSError as error:  # who may read the log need not write there
                tell(f"rpsd: warning: the metrics will not have the time of it: {error}")
    if as_json:
        head = verdict.head.text()
        print_json(
            {"good": verdict.fault is None, "records": verdict.records, "fault": verdict.fault, "head": head}
        )
    elif verdict.fault is None:
        click.echo(f"{verdict.records} records hold; head {verdict.head.text()}")
    if verdict.fault is not None:
        tell(f"rpsd: error: {verdict.fault}; {verdict.records} records before it hold")
        return _FAILURE
    return 0
