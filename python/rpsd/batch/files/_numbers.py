# SPDX-License-Identifier: MIT
"""Numbers as text: read cells as float64, and write float64 as the shortest text that reads back the same."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from rpsd._text import shown
from rpsd.batch.files._buffers import as_arrow, as_numpy, scalar, texts

_F64 = npt.NDArray[np.float64]

#: Texts of a missing value, in lower case.
MISSING: Final = ("", "na", "n/a", "n-a", "nan", "null", "none", "<na>", "#n/a")

_NUMBER: Final = re.compile(r"[+-]?(\d+[.,]?\d*|[.,]\d+)(e[+-]?\d+)?", re.IGNORECASE)
# What Arrow casts to a number.
_PLAIN_NUMBER: Final = r"^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$|^(?i)[+-]?(inf|infinity|nan)$"
_THOUSANDS: Final = re.compile(r"[+-]?\d{1,3}([.,'_\s]\d{3})+([.,]\d*)?")


class BadCell(Exception):
    """A cell that cannot be read; the table that holds it knows its line and column.

    Parameters
    ----------
    row : int
        Index of the row, from 0.
    reason : str
        What came and what is allowed.
    """

    def __init__(self, row: int, reason: str) -> None:
        super().__init__(reason)
        self.row = row
        self.reason = reason


def looks_numeric(cells: list[str]) -> bool:
    """Tell whether most cells that are not missing are numbers: one bad cell must not hide a column."""
    present = [cell.strip() for cell in cells if cell.strip().lower() not in MISSING]
    numbers = sum(_NUMBER.fullmatch(cell) is not None for cell in present)
    return 2 * numbers > len(present)


@dataclass(frozen=True, eq=False)
class BadCells:
    """The cells of a column that cannot be read.

    Attributes
    ----------
    rows : ndarray of int64
        Their rows, ascending.
    why : callable
        Takes a row and returns what came and what is allowed.
    """

    rows: npt.NDArray[np.int64]
    why: Callable[[int], str]

    def raise_first(self) -> None:
        """Raise BadCell for the first of them, where there is one."""
        if self.rows.size:
            raise BadCell(int(self.rows[0]), self.why(int(self.rows[0])))


#: Where every cell could be read.
NO_BAD_CELLS: Final = BadCells(np.empty(0, np.int64), str)


class Numbers(NamedTuple):
    """The numbers of a column, missing and unreadable ones as NaN."""

    values: _F64
    bad: BadCells
    #: whether they are written with a decimal comma
    comma: bool = False


def read_numbers(text: Any, *, comma_allowed: bool, comma: bool = False) -> Numbers:
    """Return the numbers of a pyarrow string array; comma: earlier rows have a decimal comma."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if not comma:
        try:
            values: _F64 = as_numpy(pc.cast(text, pa.float64()))
            return finite_numbers(values, lambda row: why_infinite(text[row].as_py()))
        except pa.ArrowInvalid:
            pass
    text = pc.utf8_trim_whitespace(text)
    comma, mixed = _find_decimal_comma(text, comma) if comma_allowed else (False, NO_BAD_CELLS)
    words = pc.is_in(pc.utf8_lower(text), value_set=texts(MISSING, text.type))
    plain = pc.replace_substring(text, ",", ".") if comma else text
    plain = pc.if_else(words, scalar(None, text.type), plain)
    unread = failures(plain, pa.float64(), _PLAIN_NUMBER)
    plain = without(plain, np.union1d(unread, mixed.rows))
    values = as_numpy(pc.cast(plain, pa.float64()))
    infinite = np.flatnonzero(np.isinf(values))
    values = np.where(np.isinf(values), np.nan, values)

    def why(row: int) -> str:
        if row in mixed.rows:
            return mixed.why(row)
        cell = text[row].as_py()
        return why_infinite(cell) if row in infinite else why_no_number(cell, comma_allowed=comma_allowed)

    return Numbers(values, BadCells(np.unique(np.concatenate([mixed.rows, unread, infinite])), why), comma)


def finite_numbers(values: _F64, why: Callable[[int], str]) -> Numbers:
    """Return numbers whose infinite ones are bad cells; why: tells what is wrong with one."""
    infinite = np.flatnonzero(np.isinf(values))
    if not infinite.size:
        return Numbers(values, NO_BAD_CELLS)
    return Numbers(np.where(np.isinf(values), np.nan, values), BadCells(infinite, why))


def without(text: Any, rows: npt.NDArray[np.int64]) -> Any:
    """Return a pyarrow string array with nulls in some rows."""
    import pyarrow.compute as pc

    if not rows.size:
        return text
    out = np.zeros(len(text), np.bool_)
    out[rows] = True
    return pc.if_else(as_arrow(out), scalar(None, text.type), text)


def write_numbers(values: _F64, *, comma: bool) -> Any:
    """Return the shortest texts that read back as the same numbers, as a pyarrow large_string array.

    NaN is written as a word, as an empty cell alone on its line would be a blank line.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    text = pc.cast(as_arrow(values), pa.large_string())
    if np.isnan(values).any():
        text = pc.if_else(as_arrow(np.isnan(values)), scalar("NaN", pa.large_string()), text)
    return pc.replace_substring(text, ".", ",") if comma else text


def first_failure(text: Any, kind: Any) -> int | None:
    """Return the first row of a pyarrow string array that cannot be cast, by bisection."""
    import pyarrow as pa
    import pyarrow.compute as pc

    def fails(start: int, stop: int) -> bool:
        try:
            pc.cast(text.slice(start, stop - start), kind)
        except pa.ArrowInvalid:
            return True
        return False

    start, stop = 0, len(text)
    if not fails(start, stop):
        return None
    while stop - start > 1:
        middle = (start + stop) // 2
        if fails(start, middle):
            stop = middle
        else:
            start = middle
    return start


def failures(text: Any, kind: Any, pattern: str) -> npt.NDArray[np.int64]:
    """Return all rows of a pyarrow string array that cannot be cast, ascending.

    pattern: what every text that can be cast matches; so few others are left that they are found one by one.
    """
    import pyarrow.compute as pc

    if first_failure(text, kind) is None:
        return np.empty(0, np.int64)
    unlike = pc.fill_null(pc.invert(pc.match_substring_regex(text, pattern)), False)
    out = as_numpy(unlike)
    rest = pc.if_else(unlike, scalar(None, text.type), text)
    found = [np.flatnonzero(out)]
    start = 0
    while (row := first_failure(rest.slice(start), kind)) is not None:
        found.append(np.array([start + row]))
        start += row + 1
    return np.sort(np.concatenate(found))


def _find_decimal_comma(text: Any, comma: bool) -> tuple[bool, BadCells]:
    """Return whether numbers have a decimal comma, and the cells whose sign is not that of the first."""
    import pyarrow.compute as pc

    with_comma = np.flatnonzero(as_numpy(pc.match_substring(text, ",")))
    with_point = np.flatnonzero(as_numpy(pc.match_substring(text, ".")))
    if not with_comma.size and not comma:
        return False, NO_BAD_CELLS
    if not with_point.size:
        return True, NO_BAD_CELLS
    first_is_comma = comma or with_comma[0] < with_point[0]
    ours, others = (with_comma, with_point) if first_is_comma else (with_point, with_comma)
    # Both in one cell are thousands and decimals, which do not show which is which.
    both = np.intersect1d(ours, others)
    first = text[int(ours[0])].as_py() if ours.size else "1,5"
    bad = np.union1d(others, both)
    return bool(first_is_comma), BadCells(bad, lambda row: why_mixed(text[row].as_py(), first))


def why_no_number(cell: str, *, comma_allowed: bool) -> str:
    """Return what is wrong with a cell that is neither a number nor missing, and what is allowed."""
    if _THOUSANDS.fullmatch(cell):
        return f"'{shown(cell)}' has thousands separators; allowed: digits with one decimal point"
    if "," in cell and _NUMBER.fullmatch(cell) and not comma_allowed:
        return f"'{shown(cell)}' has a decimal comma, which is read only where the delimiter is a semicolon"
    return (
        f"'{shown(cell)}' is not a number; allowed: a number, or an empty cell, NA, NaN or null for missing"
    )


def why_infinite(cell: str) -> str:
    """Return what is wrong with a cell whose number is infinite, and what is allowed."""
    return f"'{shown(cell)}' is infinite; allowed: a finite number, or empty for missing"


def why_mixed(cell: str, other: str) -> str:
    """Return what is wrong with a cell whose decimal sign is not that of another."""
    return (
        f"'{shown(cell)}' beside '{shown(other)}' mixes decimal comma and decimal point; "
        "allowed: one of them in a column, and no thousands separators"
    )
