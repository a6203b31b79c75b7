# SPDX-License-Identifier: MIT
"""Numbers as text: read cells as float64, and write float64 as the shortest text that reads back the same."""

from __future__ import annotations

import re
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from rpsd._text import shown

_F64 = npt.NDArray[np.float64]

#: Texts of a missing value, in lower case.
MISSING: Final = ("", "na", "n/a", "n-a", "nan", "null", "none", "<na>", "#n/a")

_NUMBER: Final = re.compile(r"[+-]?(\d+[.,]?\d*|[.,]\d+)(e[+-]?\d+)?", re.IGNORECASE)
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


def read_numbers(text: Any, *, comma_allowed: bool) -> tuple[_F64, bool]:
    """Return the numbers of a pyarrow string array, missing as NaN, and whether they have a decimal comma."""
    import pyarrow as pa
    import pyarrow.compute as pc

    try:
        values: _F64 = pc.cast(text, pa.float64()).to_numpy()
        comma = False
    except pa.ArrowInvalid:
        text = pc.utf8_trim_whitespace(text)
        comma = comma_allowed and _has_decimal_comma(text)
        words = pc.is_in(pc.utf8_lower(text), value_set=pa.array(MISSING, text.type))
        plain = pc.replace_substring(text, ",", ".") if comma else text
        plain = pc.if_else(words, pa.scalar(None, text.type), plain)
        _cast_or_blame(plain, text, pa.float64(), comma_allowed)
        values = pc.cast(plain, pa.float64()).to_numpy(zero_copy_only=False)
    infinite = np.isinf(values)
    if infinite.any():
        row = int(np.argmax(infinite))
        raise BadCell(row, why_infinite(text[row].as_py()))
    return values, comma


def write_numbers(values: _F64, *, comma: bool) -> Any:
    """Return the shortest texts that read back as the same numbers, as a pyarrow large_string array.

    NaN is written as a word, as an empty cell alone on its line would be a blank line.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    text = pc.cast(pa.array(values), pa.large_string())
    if np.isnan(values).any():
        text = pc.if_else(pa.array(np.isnan(values)), pa.scalar("NaN", pa.large_string()), text)
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


def _has_decimal_comma(text: Any) -> bool:
    import pyarrow as pa
    import pyarrow.compute as pc

    true = pa.scalar(True)
    with_comma = pc.index(pc.match_substring(text, ","), true).as_py()
    if with_comma < 0:
        return False
    with_point = pc.index(pc.match_substring(text, "."), true).as_py()
    if with_point >= 0:
        row = max(with_comma, with_point)
        other = text[min(with_comma, with_point)].as_py()
        raise BadCell(row, why_mixed(text[row].as_py(), other))
    return True


def _cast_or_blame(plain: Any, text: Any, kind: Any, comma_allowed: bool) -> None:
    row = first_failure(plain, kind)
    if row is None:
        return
    raise BadCell(row, why_no_number(text[row].as_py(), comma_allowed=comma_allowed))


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
