# SPDX-License-Identifier: MIT
"""What the commands show: tables for people, JSON for programs."""

from __future__ import annotations

import json
import math
import re
import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Final

from rpsd import Report
from rpsd._text import shown

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

#: Version of the JSON that the commands print; raised when a key is removed or changes its meaning.
JSON_VERSION = 1
# Before what turns colours off, where there is a terminal.
_BLANKS: Final = re.compile(r" +((?:\x1b\[[0-9;]*m)*)$", re.MULTILINE)


def console(*, stderr: bool) -> Console:
    """Return a rich console; not a terminal, not a colour, and no path or number is made to stand out."""
    from rich.console import Console

    return Console(stderr=stderr, highlight=False, markup=False, emoji=False)


def table(*columns: str, title: str = "") -> Table:
    """Return an empty table, first column left, the others right."""
    from rich import box
    from rich.table import Table

    out = Table(box=box.SIMPLE_HEAD, title=title or None, title_justify="left", pad_edge=False)
    for i, column in enumerate(columns):
        out.add_column(column, justify="right" if i else "left")
    return out


def show(where: Console, what: Table) -> None:
    """Print a table without the blanks that its lines end in, and its title in one line however long."""
    title, what.title = what.title, None
    with where.capture() as captured:
        if title:
            where.print(title, style="italic", soft_wrap=True)
        where.print(what)
    where.file.write(_BLANKS.sub(r"\1", captured.get()))


def guardrail_table(report: Report, title: str = "") -> Table:
    """Return metric, value, threshold and verdict of each guardrail, and the score."""
    out = table("guardrail", "value", "threshold", "verdict", title=title)
    for check in report.checks:
        verdict = "ok" if check.verdict == "passed" else check.verdict
        out.add_row(check.name, number(check.value), f"{check.relation} {check.threshold:g}", verdict)
    out.add_row("score", number(report.score, 1), "of 100", "passed" if report.passed else "breached")
    if report.action == "passthrough":
        out.caption = "nothing was done: the output is the input"
        out.caption_justify = "left"
    return out


def number(value: float, digits: int = 4) -> str:
    """Return a number for a table cell."""
    return "-" if math.isnan(value) else f"{value:.{digits}f}"


def small_number(value: float) -> str:
    """Return a number that may be far below 1, with an exponent where decimals would show none of it."""
    return f"{value:.2e}" if 0 < abs(value) < 0.001 else number(value)


def print_json(content: dict[str, Any]) -> None:
    """Print one JSON object with its version on standard output; NaN is null there."""
    json.dump(_without_nan({"version": JSON_VERSION, **content}), sys.stdout, allow_nan=False, indent=2)
    print()


def show_guardrails(reports: Iterable[tuple[str, Report]], *, stderr: bool) -> None:
    """Print the guardrail table of each column."""
    where = console(stderr=stderr)
    for name, report in reports:
        show(where, guardrail_table(report, title=shown(name)))


def _without_nan(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_nan(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_without_nan(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
