# SPDX-License-Identifier: MIT
"""Timestamps as text or Arrow columns: read them, and check that they are in order."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np
import numpy.typing as npt

from rpsd._decimals import nearest_doubles
from rpsd._text import shown
from rpsd.batch.files._buffers import as_arrow, as_numpy, missing_rows
from rpsd.batch.files._numbers import NO_BAD_CELLS, BadCell, BadCells, failures, first_failure, without
from rpsd.batch.files._spellings import is_time, spellings, why_no_instant

_ALLOWED: Final = (
    "ISO 8601 such as 2025-08-18 13:30:00+00:00, 20250818T1330Z or 2025-08-18, the year first, also written "
    "2025/08/18 or with UTC or a zone such as America/New_York behind, digits YYYYMMDD or YYYYMMDDhhmmss, "
    "an epoch in s, ms, us or ns, or an index of numbers"
)
#: Below this an integer is an index; above, an epoch in s, ms, us or ns by its size (years 1973 to 5138).
_EPOCH_UNITS: Final = ((1e8, ""), (1e11, "s"), (1e14, "ms"), (1e17, "us"), (np.inf, "ns"))
_NS_PER: Final = {"s": 10**9, "ms": 10**6, "us": 10**3, "ns": 1}
_OFFSET: Final = re.compile(r"(Z|[+-]\d\d(:?\d\d)?)$")
# What Arrow casts to a time with and without a zone, and to a number.
_CLOCK: Final = r"^\d{4}-\d\d-\d\d([ T]\d\d(:?\d\d(:?\d\d(\.\d*)?)?)?"
_ZONED: Final = _CLOCK + r"(Z|[+-]\d\d(:?\d\d)?))$"
_LOCAL: Final = _CLOCK + r")?$"
_NUMBER: Final = r"^[+-]?[\d.]"


@dataclass(frozen=True, eq=False)
class Times:
    """The times of the rows.

    Attributes
    ----------
    values : ndarray, shape (n,)
        datetime64[ns], or numbers where the column is an index.
    zone : {"UTC", "", None}
        "UTC" for instants, "" for times without a zone, None for an index.
    offsets : frozenset of str
        The UTC offsets that occur, where the text has several.
    """

    values: npt.NDArray[Any]
    zone: Literal["UTC", ""] | None
    offsets: frozenset[str] = frozenset()

    @property
    def notes(self) -> list[str]:
        """What the user should know about how the column was read."""
        if len(self.offsets) < 2:
            return []
        return [f"UTC offsets {', '.join(sorted(self.offsets))} occur; times are compared as instants"]


def looks_like_time(cells: list[str]) -> bool:
    """Tell whether most cells are dates or times, the year first."""
    present = [cell.strip() for cell in cells if cell.strip()]
    return 2 * sum(map(is_time, present)) > len(present)


def looks_like_epoch(cells: list[str]) -> bool:
    """Tell whether all cells are integers of the size of an epoch, in ascending order."""
    try:
        numbers = [int(cell) for cell in cells]
    except ValueError:
        return False
    return bool(numbers) and numbers[0] >= _EPOCH_UNITS[0][0] and numbers == sorted(numbers)


def read_times(text: Any) -> tuple[Times, BadCells]:
    """Read a pyarrow string array; the cells that do not fit the others have any time."""
    import pyarrow as pa
    import pyarrow.compute as pc

    kinds = _kinds()
    for attempt in spellings(text):
        for kind, _ in kinds:
            try:
                # A cast that fails in every row takes long: try a row first.
                pc.cast(attempt.slice(0, 1), kind)
                values = pc.cast(attempt, kind)
            except pa.ArrowInvalid:
                continue
            return _from_cast(values, attempt)
    fits = [len(attempt) if (row := first_failure(attempt, kind)) is None else row for kind, _ in kinds]
    kind, pattern = kinds[fits.index(max(fits))]
    bad = failures(attempt, kind, pattern)
    blame = _blamer(pc.utf8_trim_whitespace(text), attempt, kind)
    if len(bad) == len(attempt):
        return Times(np.zeros(len(attempt), np.int64), None), BadCells(bad, blame)
    fitting = without(attempt, bad)
    first = int(np.argmin(np.isin(np.arange(len(bad) + 1), bad)))
    times, more = _from_cast(pc.fill_null(pc.cast(fitting, kind), pc.cast(fitting, kind)[first]), fitting)
    return times, BadCells(
        np.union1d(bad, more.rows), lambda row: more.why(row) if row in more.rows else blame(row)
    )


def _kinds() -> tuple[tuple[Any, str], ...]:
    """Return what times are tried as, with the pattern of what can be cast to it."""
    import pyarrow as pa

    return (
        (pa.timestamp("ns", tz="UTC"), _ZONED),
        (pa.timestamp("ns"), _LOCAL),
        (pa.int64(), _NUMBER),
        (pa.float64(), _NUMBER),
    )


def _from_cast(values: Any, text: Any) -> tuple[Times, BadCells]:
    import pyarrow as pa

    if not pa.types.is_timestamp(values.type):
        return _from_numbers(as_numpy(values))
    instants = as_numpy(values.cast(pa.timestamp("ns")))
    if not values.type.tz:
        return Times(instants, ""), NO_BAD_CELLS
    return Times(instants, "UTC", _offsets(text)), NO_BAD_CELLS


def read_arrow_times(column: Any) -> tuple[Times, BadCells]:
    """Read a pyarrow array of timestamps, dates or numbers."""
    missing = np.flatnonzero(missing_rows(column))
    lost = BadCells(missing, lambda row: f"the time is missing; allowed: {_ALLOWED}")
    if missing.size == len(column):
        return Times(np.zeros(len(column), np.int64), None), lost
    if missing.size:
        column = column.fill_null(column.drop_null()[0])
    times, bad = _from_arrow(column)
    if not missing.size:
        return times, bad
    rows = np.union1d(missing, bad.rows)
    return times, BadCells(rows, lambda row: lost.why(row) if row in missing else bad.why(row))


def _from_arrow(column: Any) -> tuple[Times, BadCells]:
    import pyarrow as pa

    if not (pa.types.is_timestamp(column.type) or pa.types.is_date(column.type)):
        decimals = pa.types.is_decimal(column.type)
        return _from_numbers(_of_decimals(column) if decimals else as_numpy(column))
    zone: Literal["UTC", ""] = "UTC" if getattr(column.type, "tz", None) else ""
    unit = getattr(column.type, "unit", "ms")
    if pa.types.is_date(column.type):
        column = column.cast(pa.timestamp("ms"))
        unit = "ms"
    bad = _out_of_range(as_numpy(column.cast(pa.int64())), unit)
    return Times(as_numpy(column.cast(pa.timestamp("ns"), safe=False)), zone), bad


def _of_decimals(column: Any) -> npt.NDArray[Any]:
    """Return decimals as int64 where they have no places and fit, else as the nearest float64."""
    import pyarrow as pa

    if column.type.scale <= 0:
        try:
            return as_numpy(column.cast(pa.int64()))
        except pa.ArrowInvalid:
            pass
    return nearest_doubles(column)


def check_order(times: Times) -> tuple[int, int]:
    """Return the number of duplicate times and the row of the first; BadCell where a time goes back."""
    steps = np.diff(times.values)
    zero = np.zeros((), steps.dtype)
    back = steps < zero
    if back.any():
        row = int(np.argmax(back)) + 1
        raise BadCell(row, why_back(times, row))
    same = steps == zero
    return int(same.sum()), int(np.argmax(same)) + 1 if same.any() else 0


def why_back(times: Times, row: int) -> str:
    """Return what is wrong with a time that is before that of the row before it, and what is allowed."""
    before, here = show_time(times, row - 1), show_time(times, row)
    falls = (np.diff(times.values) <= np.zeros((), np.diff(times.values[:2]).dtype)).all()
    hint = "the file runs from new to old: reverse it" if falls else "sort the file"
    return f"{here} comes after {before}; allowed: times that do not go back ({hint})"


def show_time(times: Times, row: int) -> str:
    """Return one time as text."""
    value = times.values[row]
    if times.zone is None:
        return str(value)
    return re.sub(r"\.?0+$", "", str(value)).replace("T", " ") + ("Z" if times.zone else "")


def _from_numbers(values: npt.NDArray[Any]) -> tuple[Times, BadCells]:
    finite = np.isfinite(values)
    if not finite.all():
        bad = BadCells(
            np.flatnonzero(~finite), lambda row: f"{given[row]} is not a time; allowed: {_ALLOWED}"
        )
        given, values = values, np.where(finite, values, values[np.argmax(finite)] if finite.any() else 0.0)
        times, more = _from_numbers(values)
        rows = np.union1d(bad.rows, more.rows)
        return times, BadCells(rows, lambda row: bad.why(row) if row in bad.rows else more.why(row))
    largest = float(np.abs(values.astype(np.float64)).max(initial=0))
    digits = _date_digits(values)
    if digits:
        return _from_digits(values, digits)
    unit = next(unit for bound, unit in _EPOCH_UNITS if largest < bound)
    if not unit:
        return Times(values, None), NO_BAD_CELLS
    per = _NS_PER[unit]
    bad = _out_of_range(values, unit)
    if bad.rows.size:
        values = values.copy()
        values[bad.rows] = 0
    if np.issubdtype(values.dtype, np.floating):
        whole = np.floor(values)
        # Whole and part apart: a float64 cannot hold an epoch in nanoseconds.
        ns = whole.astype(np.int64) * per + np.round((values - whole) * per).astype(np.int64)
    else:
        ns = values.astype(np.int64) * per
    return Times(ns.view("datetime64[ns]"), "UTC"), bad


def _out_of_range(values: npt.NDArray[Any], unit: str) -> BadCells:
    """Return the times that int64 nanoseconds since 1970 cannot hold."""
    limit = (2**63 - 1) // _NS_PER[unit]
    if values.dtype.kind == "f":
        outside = np.abs(values) >= float(limit)
    elif values.dtype.kind == "u":
        outside = values > np.uint64(limit)
    else:
        wide = values.astype(np.int64, copy=False)
        outside = (wide > limit) | (wide < -limit)
    return BadCells(
        np.flatnonzero(outside),
        lambda row: (
            f"{values[row]} as an epoch in {unit} is outside the years 1677 to 2262; allowed: {_ALLOWED}"
        ),
    )


def _date_digits(values: npt.NDArray[Any]) -> int:
    """Return 8 or 14 where all numbers are integers written as YYYYMMDD or YYYYMMDDhhmmss, else 0.

    As an epoch in ms a number of 14 digits would lie beyond 2286, which int64 nanoseconds cannot hold.
    """
    if values.dtype.kind not in "iu" or not len(values):
        return 0
    least, greatest = int(values.min()), int(values.max())
    if least >= 10**13 and greatest < 10**14:
        return 14
    return 8 if least >= 16770101 and greatest <= 22621231 else 0


def _from_digits(values: npt.NDArray[Any], digits: int) -> tuple[Times, BadCells]:
    import pyarrow as pa
    import pyarrow.compute as pc

    text = pc.cast(as_arrow(values), pa.string())
    cut = "(.{4})(.{2})(.{2})" + "(.{2})(.{2})(.{2})" * (digits == 14)
    iso = pc.replace_substring_regex(text, cut, r"\1-\2-\3" + r" \4:\5:\6" * (digits == 14))
    bad = failures(iso, pa.timestamp("ns"), _LOCAL)
    form = "YYYYMMDDhhmmss"[:digits]
    instants = pc.cast(without(iso, bad), pa.timestamp("ns")).fill_null(0)
    return Times(as_numpy(instants), ""), BadCells(
        bad,
        lambda row: (
            f"{values[row]} is no date in the form {form} from 1677 to 2262; "
            f"allowed: {_ALLOWED}, or --no-time"
        ),
    )


def _offsets(text: Any) -> frozenset[str]:
    """Return the UTC offsets that occur, as at a change to summer time."""
    import pyarrow.compute as pc

    # Few distinct tails, so the regular expression sees few strings.
    tails = pc.unique(pc.utf8_slice_codeunits(text, -6)).to_pylist()
    return frozenset(match.group() for tail in tails if (match := _OFFSET.search(tail or "")))


def _blamer(text: Any, read: Any, kind: Any) -> Callable[[int], str]:
    """Return what tells why a cell does not read as those before it do; read: their text in one form."""
    import pyarrow as pa

    zoned, local = pa.timestamp("ns", tz="UTC"), pa.timestamp("ns")
    other = {zoned: local, local: zoned}.get(kind)

    def why(row: int) -> str:
        cell = text[row].as_py()
        if not cell:
            return f"the time is missing; allowed: {_ALLOWED}"
        if row and other is not None and first_failure(read.slice(row, 1), other) is None:
            before = text[row - 1].as_py()
            both = "mixes times with and without a zone; allowed: all with, or all without"
            return f"'{shown(cell)}' after '{shown(before)}' {both}"
        no_instant = why_no_instant(cell)
        if no_instant:
            return f"'{shown(cell)}': {no_instant}"
        return f"'{shown(cell)}' is not a time; allowed: {_ALLOWED}, the same in every row, or --no-time"

    return why
