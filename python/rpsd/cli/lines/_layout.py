# SPDX-License-Identifier: MIT
"""What a line holds: which cells are the prices, and which one tells series apart."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import msgspec
import numpy as np

from rpsd._errors import InputError
from rpsd._text import shown
from rpsd.batch.files import (
    MISSING,
    TIME_NAMES,
    VALUE_NAMES,
    check_is_header,
    column_name,
    find_column,
    find_delimiter,
    listed,
    why_infinite,
    why_mixed,
    why_no_number,
    write_numbers,
)
from rpsd.cli._log import logger

#: What messages call the input.
NAME: Final = "standard input"

# Lower-case names of columns that tell series apart as a rule.
_SERIES_NAMES: Final = ("symbol", "sym", "ticker", "instrument", "series")


class Chosen(msgspec.Struct, frozen=True):
    """What the user says of the columns; see the options of `rpsd stream`."""

    columns: str | None = None
    time: str | None = None
    values: tuple[str, ...] = ()
    series: str | None = None


@dataclass(slots=True)
class Row:
    """One line with a sample of each price column.

    Attributes
    ----------
    number : int
        Line of this input, from 1.
    order : int
        How many rows came before it, in all inputs.
    text : str
        The whole line and its end; blank lines that follow are added to it while the row is held back.
    key : str
        The series.
    samples : list of float
        One for each price column; NaN where it is missing.
    """

    number: int
    order: int
    text: str
    key: str
    samples: list[float]


class Layout(msgspec.Struct):
    """The columns of the lines.

    Parameters
    ----------
    header : str
        The header line without its end; empty where the lines have none.
    names : tuple of str
        Column names; empty for one number a line.
    delimiter : str
        Empty for one number a line.
    values : tuple of int
        Price columns.
    series : int or None
        Column that tells series apart.
    comma : bool or None
        Whether numbers have a decimal comma; None as long as none has told.
    """

    header: str
    names: tuple[str, ...]
    delimiter: str
    values: tuple[int, ...]
    series: int | None
    comma: bool | None = None

    @property
    def name(self) -> str:
        """Name of the input."""
        return NAME

    @property
    def columns(self) -> tuple[str, ...]:
        """Column names in file order."""
        return self.names

    def fits(self) -> bool:
        """Tell whether the lines have the columns that are named."""
        cells = len(self.names) if self.delimiter else 1
        named = self.values if self.series is None else (*self.values, self.series)
        unnamed = self.series is not None and not self.names
        return bool(self.values) and not unnamed and all(0 <= column < cells for column in named)

    def row(self, text: str, number: int, order: int) -> Row:
        """Read a line; InputError says what is wrong with it."""
        line = text.rstrip("\n").removesuffix("\r")
        if "\0" in line:
            raise InputError("a NUL byte; allowed: UTF-8 text")
        cells = self._cells(line)
        samples = [self._sample(cells, column) for column in self.values]
        key = "" if self.series is None else _inside(cells[self.series]).replace('""', '"')
        if self.series is not None and not key.strip():
            raise InputError(f'column "{shown(self.names[self.series])}": the series is missing')
        return Row(number, order, text, key, samples)

    def replaced(self, row: Row, estimates: Sequence[float]) -> str:
        """Return the text of a row with its estimates; a cell that does not change, or is missing, stays."""
        new = [
            (column, self.written(y))
            for column, x, y in zip(self.values, row.samples, estimates, strict=True)
            if y != x and not math.isnan(x)
        ]
        if not new:
            return row.text
        line, end, rest = row.text.partition("\n")
        line, end = (line[:-1], "\r" + end) if line.endswith("\r") else (line, end)
        cells = self._cells(line)
        for column, text in new:
            cells[column] = f'"{text}"' if cells[column].startswith('"') else text
        return self.delimiter.join(cells) + end + rest

    def written(self, y: float) -> str:
        """Return a number as `rpsd denoise` writes it."""
        if math.isnan(y):
            return "NaN"
        if 1e-4 <= abs(y) < 1e10:
            # The same text, and a tenth of the time where there is one number at a time.
            text = repr(y).removesuffix(".0")
            return text.replace(".", ",") if self.comma else text
        one: str = write_numbers(np.array([y]), comma=bool(self.comma))[0].as_py()
        return one

    def _cells(self, line: str) -> list[str]:
        if not self.delimiter:
            return [line]
        cells = split_line(line, self.delimiter)
        if len(cells) != len(self.names):
            raise InputError(f"{len(cells)} cell(s) where the header has {len(self.names)}")
        return cells

    def _sample(self, cells: list[str], column: int) -> float:
        cell = _inside(cells[column]).strip()
        if cell.lower() in MISSING:
            return math.nan
        try:
            return self._number(cell)
        except InputError as error:
            where = f'column "{shown(self.names[column])}": ' if self.names else ""
            raise InputError(f"{where}{error}") from None

    def _number(self, cell: str) -> float:
        semicolon = self.delimiter == ";"
        comma = semicolon and "," in cell
        plain = cell.replace(",", ".") if comma else cell
        try:
            # float() reads 1_000 and the digits of all scripts as well.
            number = float(plain) if plain.isascii() and "_" not in plain else math.nan
        except ValueError:
            number = math.nan
        if math.isnan(number):
            raise InputError(why_no_number(cell, comma_allowed=semicolon))
        if math.isinf(number):
            raise InputError(why_infinite(cell))
        if semicolon and (comma or "." in cell):
            if self.comma is not None and self.comma != comma:
                raise InputError(why_mixed(cell, "1,5" if self.comma else "1.5"))
            self.comma = comma
        return number


def read_layout(line: str, chosen: Chosen) -> Layout:
    """Return the layout that the first line of an input shows.

    Parameters
    ----------
    line : str
        Without its end.
    chosen : Chosen
        What the user says of the columns.

    Raises
    ------
    InputError
        Where the line is no header, and where no or several columns may be meant.
    """
    if "\r" in line or "\0" in line:
        raise InputError(f"{NAME}: line ends must be LF or CR LF, and the text UTF-8")
    delimiter = find_delimiter(line.encode(), b"\n").decode()
    if chosen.columns is not None:
        names = tuple(name.strip() for name in chosen.columns.split(","))
        return _with_columns("", names, delimiter, chosen)
    cells = split_line(line, delimiter)
    if chosen == Chosen() and len(cells) == 1 and _is_sample(cells[0]):
        return Layout("", (), "", (0,), None)
    names = tuple(column_name(_inside(cell).encode()) for cell in cells)
    check_is_header(names, f"{NAME}: line 1")
    return _with_columns(line, names, delimiter, chosen)


def split_line(line: str, delimiter: str) -> list[str]:
    """Return the cells of a line, quotes and all."""
    if '"' not in line:
        return line.split(delimiter)
    cell = re.compile(rf'("(?:[^"]|"")*"|[^"{re.escape(delimiter)}]*)({re.escape(delimiter)}|\Z)')
    cells, at, more = [], 0, delimiter
    while more:
        found = cell.match(line, at)
        if found is None:
            raise InputError(
                'a quote (") that does not enclose a whole cell, or is not closed in its line; '
                "quote the whole cell and double the quotes inside it"
            )
        (text, more), at = found.groups(), found.end()
        cells.append(text)
    return cells


def _with_columns(header: str, names: tuple[str, ...], delimiter: str, chosen: Chosen) -> Layout:
    layout = Layout(header, names, delimiter, (), None)
    time = None if chosen.time is None else find_column(layout, chosen.time, "--time")
    series = None if chosen.series is None else find_column(layout, chosen.series, "--series")
    values = [find_column(layout, value, "--value") for value in dict.fromkeys(chosen.values)]
    if not values:
        values = [_find_value(layout, [time, series])]
    named = [column for column in (time, series, *values) if column is not None]
    for column in named:
        if named.count(column) > 1:
            raise InputError(f'{NAME}: column "{names[column]}" is named by two of --time, --value, --series')
    for i, name in enumerate(names):
        if series is None and i not in named and name.lower() in _SERIES_NAMES:
            logger.warning(
                'column "%s" may tell series apart; all rows are taken as one series: give --series %s',
                *[shown(name)] * 2,
            )
    return Layout(header, names, delimiter, tuple(values), series)


def _find_value(layout: Layout, taken: Sequence[int | None]) -> int:
    """Return the price column by the names alone: there is no row yet."""
    others = [i for i in range(len(layout.names)) if i not in taken]
    known = [i for i in others if layout.names[i].lower() in VALUE_NAMES]
    free = [i for i in others if layout.names[i].lower() not in TIME_NAMES]
    for candidates in (known, free):
        if len(candidates) == 1:
            return candidates[0]
    raise InputError(
        f"{NAME}: the header does not tell which column holds the prices: {listed(layout, known or others)}; "
        "choose with --value NAME (may be repeated)"
    )


def _is_sample(cell: str) -> bool:
    text = _inside(cell).strip()
    if text.lower() in MISSING:
        return True
    try:
        float(text)
    except ValueError:
        return False
    return True


def _inside(cell: str) -> str:
    return cell[1:-1] if cell.startswith('"') else cell
