# SPDX-License-Identifier: MIT
"""Choose the time column and the value columns of a table where the user names none."""

from __future__ import annotations

from collections.abc import Sequence, Set
from typing import Final, Protocol

from rpsd._errors import InputError
from rpsd._text import shown
from rpsd.batch.files._table import Table

#: Lower-case names, best first.
TIME_NAMES: Final = ("timestamp", "datetime", "time", "date")
VALUE_NAMES: Final = ("price", "close", "adj close", "last", "mid", "value", "px")
# A lone column of numbers under such a name is not the prices where another column could not be read.
_OTHER_NAMES: Final = (
    "volume",
    "vol",
    "size",
    "qty",
    "quantity",
    "amount",
    "count",
    "open_interest",
    "open interest",
    "trades",
    "t",
    "ts",
    "index",
    "id",
    "row",
    "",
)


class Named(Protocol):
    """What has a name and named columns."""

    @property
    def name(self) -> str:
        """Name of the file, for messages."""

    @property
    def columns(self) -> tuple[str, ...]:
        """Column names in file order."""


def choose_columns(
    table: Table, time: str | None, values: Sequence[str], *, no_time: bool = False, by: int | None = None
) -> tuple[int | None, list[int]]:
    """Return the index of the time column, or None, and those of the value columns.

    Parameters
    ----------
    table : Table
        The file.
    time : str or None
        Name given by the user, or None to look for one.
    values : sequence of str
        Names given by the user, or empty to look for one.
    no_time : bool
        The user wants none; a column that looks like times still is not taken for the values.
    by : int, optional
        The column that tells series apart; it is neither.

    Raises
    ------
    InputError
        Where a name is not in the file or there twice, and where no or several columns may be meant.
    """
    named = list(dict.fromkeys(find_column(table, value, "--value") for value in values))
    taken = named if by is None else [by, *named]
    time_column = _find_time(table, taken) if time is None else find_column(table, time, "--time")
    if by is not None and by in {time_column, *named}:
        option = "--time" if by == time_column else "--value"
        raise InputError(f'{table.name}: column "{table.columns[by]}" is named by both --by and {option}')
    if time_column in named:
        raise InputError(f'{table.name}: column "{time}" is named by both --time and --value')
    named = named or [_find_value(table, {time_column, by})]
    return None if no_time else time_column, named


def passed_over(table: Table, time: int | None, used: Sequence[int | None]) -> tuple[str, ...]:
    """Return a note on each column that is called as times are and holds none that can be read.

    Parameters
    ----------
    table : Table
    time : int or None
        The time column that was found without being named, or None.
    used : sequence of int
        Other columns that are something.
    """
    instead = (
        "rows are in file order" if time is None else f'times are those of "{shown(table.columns[time])}"'
    )
    return tuple(
        f'column "{shown(name)}" holds no times (stamps, dates or numbers) and was passed over: {instead}'
        for i, name in enumerate(table.columns)
        if i != time
        and i not in used
        and name.lower() in (*TIME_NAMES, "ts")
        and not (table.looks_like_time(i) or table.looks_numeric(i))
    )


def find_column(table: Named, name: str, option: str) -> int:
    """Return the index of the column of that name; InputError lists those there are."""
    matches = [i for i, column in enumerate(table.columns) if column == name]
    if len(matches) == 1:
        return matches[0]
    if matches:
        raise InputError(f'{table.name}: {len(matches)} columns are named "{name}" ({option}); rename them')
    known = listed(table, range(len(table.columns)))
    raise InputError(f'{table.name}: no column "{name}" ({option}); the file has {known}')


def _find_time(table: Table, taken: Sequence[int]) -> int | None:
    free = [i for i in range(len(table.columns)) if i not in taken]
    by_name = [i for name in TIME_NAMES for i in free if table.columns[i].lower() == name]
    for i in by_name:
        if table.looks_like_time(i) or table.looks_numeric(i):
            return i
    if by_name:
        return by_name[0]
    for i in free:
        if table.looks_like_time(i):
            # A lone column of numbers is the values, however large they are.
            numeric = [j for j in free if table.looks_numeric(j)]
            return None if numeric == [i] and not taken else i
    return None


def _find_value(table: Table, taken: Set[int | None]) -> int:
    others = [i for i in range(len(table.columns)) if i not in taken]
    # By name before by content: a price column full of bad cells must be refused, not passed over.
    known = [i for i in others if table.columns[i].lower() in VALUE_NAMES]
    if len(known) == 1:
        return known[0]
    numeric = [i for i in others if table.looks_numeric(i)]
    if len(numeric) == 1 and not known:
        _check_may_be_prices(table, numeric[0], [i for i in others if i not in numeric])
        return numeric[0]
    if numeric or known:
        raise InputError(
            f"{table.name}: several columns may hold the prices: {listed(table, known or numeric)}; "
            "choose with --value NAME (may be repeated)"
        )
    present = listed(table, others)
    raise InputError(f"{table.name}: no column of numbers beside the time; the file has {present}")


def _check_may_be_prices(table: Table, column: int, unread: Sequence[int]) -> None:
    name = table.columns[column]
    if unread and name.lower() in _OTHER_NAMES:
        raise InputError(
            f'{table.name}: "{shown(name)}" is the only column of numbers, and {listed(table, unread)} '
            "did not read as numbers; choose with --value NAME"
        )


def listed(table: Named, columns: Sequence[int]) -> str:
    """Return the names of some columns, as shown in a message."""
    return ", ".join(f'"{shown(table.columns[i])}"' for i in columns) or "no other columns"
