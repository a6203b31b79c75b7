# SPDX-License-Identifier: MIT
"""`rpsd evaluate`: what was done to a file, by the guardrails."""

from __future__ import annotations

import sys
from typing import Any

import click
import numpy as np

from rpsd import GuardrailError, Guardrails, InputError, Report
from rpsd import evaluate as evaluate_series
from rpsd._result import report_data
from rpsd._text import shown
from rpsd.batch.files import Table, choose_columns, read_numbers, read_table, read_times
from rpsd.cli._log import logger
from rpsd.cli._options import configuration, guardrail_options, once
from rpsd.cli._show import print_json, show_guardrails


def _read_lookahead(_: click.Context, __: click.Parameter, text: str | None) -> int | str | None:
    if text is None or text == "none":
        return text
    if text.isdecimal():
        return int(text)
    raise click.BadParameter(f"lookahead must be none or an integer of at least 0, got {text!r}")


@click.command()
@click.argument("original")
@click.argument("denoised")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of tables.")
@once("--time", metavar="COLUMN", help="Time column of both files.")
@click.option("--no-time", is_flag=True, help="Compare the rows in file order, whatever their times.")
@click.option("--value", "values", metavar="COLUMN", multiple=True, help="Price column; may be repeated.")
@click.option(
    "--lookahead",
    metavar="INTEGER|none",
    callback=_read_lookahead,
    help="Samples of future that each value of DENOISED used.  [default: what the file says, else none]",
)
@guardrail_options
def evaluate(
    original: str,
    denoised: str,
    as_json: bool,
    time: str | None,
    no_time: bool,
    values: tuple[str, ...],
    lookahead: int | str | None,
    config_path: str | None,
    **given: Any,
) -> None:
    """Compare the prices of two files, ORIGINAL and DENOISED, row by row.

    The columns must have the same names in both. The tables (or JSON) go to standard output.
    """
    if original == denoised == "-":
        raise click.UsageError("only one of ORIGINAL and DENOISED can be standard input")
    if no_time and time is not None:
        raise click.UsageError("--time and --no-time exclude each other")
    config = configuration(config_path, given)
    data_dir = str(config.paths.data_path)
    before, after = read_table(original, data_dir), read_table(denoised, data_dir)
    if before.rows != after.rows:
        raise InputError(
            f"{after.name}: {after.rows} rows where {before.name} has {before.rows}; allowed: the same rows"
        )
    time_column, columns = choose_columns(before, time, values, no_time=no_time)
    names = [before.columns[column] for column in columns]
    time_name = None if time_column is None else before.columns[time_column]
    other_time, others = choose_columns(after, time_name, names, no_time=time_column is None)
    if time_column is not None and other_time is not None:
        _check_same_times(before, time_column, after, other_time)
    ahead = after.metadata.get("lookahead") if lookahead is None else lookahead
    ahead = ahead if isinstance(ahead, int) else None
    reports: list[tuple[str, Report]] = []
    for name, column, other in zip(names, columns, others, strict=True):
        x, y = read_numbers(before, column), read_numbers(after, other)
        reports.append((name, evaluate_series(x, y, config, lookahead=ahead)))
    if as_json:
        series = [{"column": name, "report": report_data(report)} for name, report in reports]
        print_json(
            {
                "original": original,
                "denoised": denoised,
                "rows": before.rows,
                "lookahead": ahead,
                "series": series,
            }
        )
    else:
        show_guardrails(reports, stderr=False)
    _apply_policy(config.guardrails, reports)


def _apply_policy(guardrails: Guardrails, reports: list[tuple[str, Report]]) -> None:
    """Warn of breaches, or fail, after everything has been printed; nothing here can be relaxed."""
    breached = [(name, report) for name, report in reports if not report.passed]
    policies = {
        guardrails.policy_of(check.name)
        for _, report in breached
        for check in report.checks
        if check.counts and not check.passed
    }
    if policies <= {"report"}:
        return
    failures = "; ".join(f'column "{shown(name)}": {report.failures()}' for name, report in breached)
    message = f"guardrails breached: {failures}"
    if "raise" in policies:
        sys.stdout.flush()
        raise GuardrailError(message, breached[0][1])
    logger.warning("%s", message)


def _check_same_times(before: Table, column: int, after: Table, other: int) -> None:
    first, second = read_times(before, column)[0], read_times(after, other)[0]
    differ = first.values != second.values
    if np.any(differ):
        row = int(np.argmax(differ))
        raise InputError(
            f'{after.name}: {after.place(row)}, column "{after.columns[other]}": '
            f"another time than at {before.place(row)} of {before.name}; allowed: the same rows"
        )
