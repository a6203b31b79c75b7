# SPDX-License-Identifier: MIT
"""`rpsd verify`: outputs recomputed from their inputs and receipts."""

from __future__ import annotations

import logging
import sys
from typing import TYPE_CHECKING, Any

import click

from rpsd._text import one_line, shown
from rpsd.cli._log import logger
from rpsd.cli._options import configuration, general_options, once
from rpsd.cli._show import print_json
from rpsd.cli._verdict import comparing, counted, exit_code

if TYPE_CHECKING:
    from rpsd.batch._verify import Verdict


@click.command()
@click.argument("out", metavar="OUT")
@once("--input", "source", metavar="IN", help="Where its input is, if not where it was.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON summary on standard output.")
@general_options
def verify(out: str, source: str | None, as_json: bool, config_path: str | None, **given: Any) -> int:
    """Recompute OUT, the folder of a batch or one file, and tell whether it is the same, or where not.

    Options come from the receipts, inputs from where the batch found them. Exit codes, as of cmp: 0 same,
    1 different, 2 trouble: something could not be compared, such as where an input is not there.
    """
    from rpsd.batch._verify import verify as verify_outputs

    config = configuration(config_path, given)
    verdicts = []
    with comparing():
        for verdict in verify_outputs(out, source, str(config.paths.data_path)):
            verdicts.append(verdict)
            if not as_json:
                _tell(verdict)
    unknown = sum(verdict.unknown for verdict in verdicts)
    different = sum(not verdict.same for verdict in verdicts) - unknown
    same = len(verdicts) - different - unknown
    if as_json:
        files = [_summary(verdict) for verdict in verdicts]
        print_json({"output": out, "same": same, "different": different, "unknown": unknown, "files": files})
    if logger.isEnabledFor(logging.INFO) or different or unknown:
        counts = counted(len(verdicts), different=different, unknown=unknown)
        print(f"rpsd: {one_line(f'{shown(out)}: {counts}')}", file=sys.stderr)
    return exit_code(different=different, unknown=unknown)


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
        "unknown": verdict.unknown,
        "reason": verdict.reason,
        "note": verdict.note,
        "cells": [
            {"row": cell.row, "column": cell.column, "there": cell.first, "recomputed": cell.second}
            for cell in verdict.cells
        ],
    }
