# SPDX-License-Identifier: MIT
"""`rpsd verify`: outputs recomputed from their inputs and receipts."""

from __future__ import annotations

import logging
import sys
from typing import TYPE_CHECKING, Any, Final

import click

from rpsd._text import one_line, shown
from rpsd.cli._log import logger
from rpsd.cli._options import configuration, general_options, once
from rpsd.cli._show import print_json

if TYPE_CHECKING:
    from rpsd.batch._verify import Verdict

_DIFFERENT: Final = 1


@click.command()
@click.argument("out", metavar="OUT")
@once("--input", "source", metavar="IN", help="Where its input is, if not where it was.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON summary on standard output.")
@general_options
def verify(out: str, source: str | None, as_json: bool, config_path: str | None, **given: Any) -> int:
    """Recompute OUT, the folder of a batch or one file, and tell whether it is the same, or where not.

    Options come from the receipts, inputs from where the batch found them. Exit codes: 0 same, 1 different.
    """
    from rpsd.batch._verify import verify as verify_outputs

    config = configuration(config_path, given)
    verdicts = []
    for verdict in verify_outputs(out, source, str(config.paths.data_path)):
        verdicts.append(verdict)
        if not as_json:
            _tell(verdict)
    different = sum(not verdict.same for verdict in verdicts)
    if as_json:
        files = [_summary(verdict) for verdict in verdicts]
        print_json({"output": out, "same": len(verdicts) - different, "different": different, "files": files})
    if logger.isEnabledFor(logging.INFO) or different:
        counts = f"{len(verdicts)} file(s): {len(verdicts) - different} same, {different} different"
        print(f"rpsd: {one_line(f'{shown(out)}: {counts}')}", file=sys.stderr)
    return _DIFFERENT if different else 0


def _tell(verdict: Verdict) -> None:
    note = f" ({verdict.note})" if verdict.note else ""
    if verdict.same:
        if note:
            click.echo(f"{shown(verdict.file)}: same{note}")
        return
    click.echo(f"{shown(verdict.file)}: {verdict.reason}{note}")
    for cell in verdict.cells:
        there, again = shown(cell.first), shown(cell.second)
        click.echo(f'  row {cell.row}, column "{shown(cell.column)}": {there}, recomputed {again}')


def _summary(verdict: Verdict) -> dict[str, Any]:
    return {
        "file": verdict.file,
        "same": verdict.same,
        "reason": verdict.reason,
        "note": verdict.note,
        "cells": [
            {"row": cell.row, "column": cell.column, "there": cell.first, "recomputed": cell.second}
            for cell in verdict.cells
        ],
    }
