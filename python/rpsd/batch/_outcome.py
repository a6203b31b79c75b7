# SPDX-License-Identifier: MIT
"""What is asked of a file, and what came out for each series in it."""

from __future__ import annotations

from typing import Any

import msgspec


class Columns(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which columns of a file are what, by name; None and empty: found by themselves.

    Attributes
    ----------
    by : str or None
        Column that tells the series of a long table apart; None: the whole file is one series a value column.
    time : str or None
        Time column.
    no_time : bool
        Rows are in file order, whatever their times.
    values : tuple of str
        Price columns.
    only : tuple of str
        Keys of `by` to keep; empty: all.
    """

    by: str | None = None
    time: str | None = None
    no_time: bool = False
    values: tuple[str, ...] = ()
    only: tuple[str, ...] = ()


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one series.

    Attributes
    ----------
    key : str
        Its key in the `by` column, "" without one.
    column : str
        Name of its price column.
    action : str
        As `rpsd.Result.action`, or ``failed``.
    error : str
        One line that says why it failed, else "".
    notes : tuple of str
        What the user should know about how it was read.
    breached : str
        The guardrails that count and do not hold, joined by commas.
    checks : dict
        Value of each guardrail by name; NaN where it cannot be computed.
    """

    key: str = ""
    column: str = ""
    rows: int = 0
    missing: int = 0
    sessions: int = 0
    action: str = "failed"
    error: str = ""
    notes: tuple[str, ...] = ()
    noise_sd: float = float("nan")
    step_sd: float = float("nan")
    nsr: float = float("nan")
    predicted_gain_db: float = float("nan")
    level: int = 0
    warmup: int = 0
    strength: float = 1.0
    binding: str = ""
    passed: bool = False
    breached: str = ""
    score: float = float("nan")
    checks: dict[str, Any] = {}
