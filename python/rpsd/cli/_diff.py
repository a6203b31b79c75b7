# SPDX-License-Identifier: MIT
"""`rpsd diff`: why two outputs differ, and by how much."""

from __future__ import annotations

import logging
import math
import sys
from typing import TYPE_CHECKING, Any, Final

import click

from rpsd._text import one_line, shown
from rpsd.cli._log import logger
from rpsd.cli._options import configuration, general_options
from rpsd.cli._show import print_json
from rpsd.cli._verdict import comparing, counted, exit_code

if TYPE_CHECKING:
    from rpsd.batch._diff import Pair, Reason

# Files that are told of one by one.
_TOLD: Final = 20


@click.command()
@click.argument("first", metavar="A")
@click.argument("second", metavar="B")
@click.option("--json", "as_json", is_flag=True, help="Print JSON with every file on standard output.")
@general_options
def diff(first: str, second: str, as_json: bool, config_path: str | None, **given: Any) -> int:
    """Explain why the outputs A and B, two files or two folders of batches, differ.

    By data, options and where they came from, and version, as their receipts say, and by how much their
    values do. Exit codes, as of diff: 0 every value is the same, 1 different, 2 trouble: a file cannot be
    read, or A and B cannot be compared.
    """
    from rpsd.batch._diff import diff as diff_outputs

    configuration(config_path, given)
    with comparing():
        pairs = list(diff_outputs(first, second))
    told = [pair for pair in pairs if not pair.same]
    unknown = sum(pair.unread for pair in told)
    different = len(told) - unknown
    if as_json:
        files = [_summary(pair) for pair in pairs]
        print_json({"a": first, "b": second, "different": different, "unknown": unknown, "files": files})
    else:
        _tell_reasons(pairs)
        for pair in told[:_TOLD]:
            click.echo(f"{shown(pair.file)}: {_difference(pair)}")
        if len(told) > _TOLD:
            click.echo(f"... and {len(told) - _TOLD} more")
    if logger.isEnabledFor(logging.INFO) or told:
        counts = counted(len(pairs), different=different, unknown=unknown)
        print(f"rpsd: {one_line(f'{shown(first)} and {shown(second)}: {counts}')}", file=sys.stderr)
    return exit_code(different=different, unknown=unknown)


def _tell_reasons(pairs: list[Pair]) -> None:
    """Print what receipts differ in, once for all files in which it is the same."""
    files: dict[str, list[str]] = {}
    for pair in pairs:
        for reason in pair.reasons:
            files.setdefault(_reason(reason), []).append(pair.file)
        if pair.unknown:
            files.setdefault("no receipt that tells why", []).append(pair.file)
    for text, names in files.items():
        some = ", ".join(map(shown, names[:3]))
        click.echo(f"{text}, in {len(names)} file(s): {some}{', ...' if len(names) > 3 else ''}")


def _reason(reason: Reason) -> str:
    if reason.what == "input":  # the hashes differ from file to file, and say no more than that they do
        return "other input data"
    came = "" if reason.decides else ", which changes no value"
    return f"{reason.what}: {shown(reason.first)} | {shown(reason.second)}{came}"


def _difference(pair: Pair) -> str:
    found = pair.found
    if found is None:
        return f"only in {shown(pair.only)}"
    if found.layout:
        return found.layout
    text = f"{found.changed} cell(s) differ"
    if found.at is not None:
        cell = found.at
        text += (
            f', at most by {found.largest:.6g} (row {cell.row}, column "{shown(cell.column)}": '
            f"{shown(cell.first)} | {shown(cell.second)}), RMS {_rms(pair):.6g}"
        )
    elif found.cells:
        cell = found.cells[0]
        text += (
            f', first in row {cell.row}, column "{shown(cell.column)}": '
            f"{shown(cell.first)} | {shown(cell.second)}"
        )
    return text


def _rms(pair: Pair) -> float:
    """Return the root mean squared difference of the cells that differ."""
    found = pair.found
    return 0.0 if found is None or not found.changed else math.sqrt(found.squares / found.changed)


def _summary(pair: Pair) -> dict[str, Any]:
    found = pair.found
    return {
        "file": pair.file,
        "same": pair.same,
        "unknown": pair.unread,
        "only": pair.only,
        "layout": "" if found is None else found.layout,
        "changed": None if found is None else found.changed,
        "largest": None if found is None else found.largest,
        "rms": _rms(pair),
        "reasons": [reason._asdict() for reason in pair.reasons],
    }
