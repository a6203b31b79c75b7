# SPDX-License-Identifier: MIT
"""Timestamps as text or Arrow columns: read them, and check that they are in order."""

from __future__ import annotations

import operator
import re
from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np
import numpy.typing as npt

from rpsd._text import shown
from rpsd.batch.files._numbers import BadCell, first_failure

_ALLOWED: Final = (
    "ISO 8601 such as 2025-08-18 13:30:00+00:00 or 2025-08-18, "
    "an integer epoch in s, ms, us or ns, or an integer index"
)
#: Below this an integer is an index; above, an epoch in s, ms, us or ns by its size (years 1973 to 5138).
_EPOCH_UNITS: Final = ((1e8, ""), (1e11, "s"), (1e14, "ms"), (1e17, "us"), (np.inf, "ns"))
_NS_PER: Final = {"s": 10**9, "ms": 10**6, "us": 10**3, "ns": 1}
_ISO: Final = re.compile(r"\d{4}-\d\d-\d\d([ T]\d\d(:?\d\d(:?\d\d(\.\d*)?)?)?(Z|[+-]\d\d(:?\d\d)?)?)?")
_OFFSET: Final = re.compile(r"(Z|[+-]\d\d(:?\d\d)?)$")


@dataclass(frozen=True, eq=False)
class Times:
    """The times of the rows.

    Attributes
    ----------
    values : ndarray, shape (n,)
        datetime64[ns], or numbers where the column is an index.
    zone : {"UTC", "", None}
        "UTC" for instants, "" for times without a zone, None for an index.
    note : str
        What the user should know about how the column was read, or "".
    """

    values: npt.NDArray[Any]
    zone: Literal["UTC", ""] | None
    note: str = ""


def looks_like_time(cells: list[str]) -> bool:
    """Tell whether most cells are ISO 8601 dates or times."""
    present = [cell.strip() for cell in cells if cell.strip()]
    return 2 * sum(_ISO.fullmatch(cell) is not None for cell in present) > len(present)


def looks_like_epoch(cells: list[str]) -> bool:
    """Tell whether all cells are integers of the size of an epoch, in ascending order."""
    try:
        numbers = [int(cell) for cell in cells]
    except ValueError:
        return False
    return bool(numbers) and numbers[0] >= _EPOCH_UNITS[0][0] and numbers == sorted(numbers)


def read_times(text: Any) -> Times:
    """Read a pyarrow string array; BadCell names the first row that does not fit the others."""
    import pyarrow as pa
    import pyarrow.compute as pc

    for attempt in (text, pc.utf8_trim_whitespace(text)):
        for kind, zone in (
            (pa.timestamp("ns", tz="UTC"), "UTC"),
            (pa.timestamp("ns"), ""),
            (pa.int64(), None),
            (pa.float64(), None),
        ):
            try:
                values = pc.cast(attempt, kind)
            except pa.ArrowInvalid:
                continue
            if zone is None:
                return _from_numbers(values.to_numpy())
            instants = values.cast(pa.timestamp("ns")).to_numpy()
            return Times(instants, "UTC" if zone else "", _offsets_note(attempt) if zone else "")
    raise _blame(pc.utf8_trim_whitespace(text))


def read_arrow_times(column: Any) -> Times:
    """Read a pyarrow array of timestamps, dates or numbers."""
    import pyarrow as pa

    missing = np.asarray(column.is_null())
    if missing.any():
        raise BadCell(int(np.argmax(missing)), f"the time is missing; allowed: {_ALLOWED}")
    if pa.types.is_timestamp(column.type) or pa.types.is_date(column.type):
        zone: Literal["UTC", ""] = "UTC" if getattr(column.type, "tz", None) else ""
        unit = getattr(column.type, "unit", "ms")
        if pa.types.is_date(column.type):
            column = column.cast(pa.timestamp("ms"))
            unit = "ms"
        _check_range(column.cast(pa.int64()).to_numpy(zero_copy_only=False), unit)
        return Times(column.cast(pa.timestamp("ns"), safe=False).to_numpy(zero_copy_only=False), zone)
    return _from_numbers(column.to_numpy(zero_copy_only=False))


def check_order(times: Times) -> tuple[int, int]:
    """Return the number of duplicate times and the row of the first; BadCell where a time goes back."""
    steps = np.diff(times.values)
    zero = np.zeros((), steps.dtype)
    back = steps < zero
    if back.any():
        row = int(np.argmax(back)) + 1
        before, here = show_time(times, row - 1), show_time(times, row)
        hint = "the file runs from new to old: reverse it" if (steps <= zero).all() else "sort the file"
        raise BadCell(row, f"{here} comes after {before}; allowed: times that do not go back ({hint})")
    same = steps == zero
    return int(same.sum()), int(np.argmax(same)) + 1 if same.any() else 0


def show_time(times: Times, row: int) -> str:
    """Return one time as text."""
    value = times.values[row]
    if times.zone is None:
        return str(value)
    return re.sub(r"\.?0+$", "", str(value)).replace("T", " ") + ("Z" if times.zone else "")


def _from_numbers(values: npt.NDArray[Any]) -> Times:
    finite = np.isfinite(values)
    if not finite.all():
        row = int(np.argmin(finite))
        raise BadCell(row, f"{values[row]} is not a time; allowed: {_ALLOWED}")
    largest = float(np.abs(values.astype(np.float64)).max(initial=0))
    digits = _date_digits(values)
    if digits:
        return Times(_from_digits(values, digits), "")
    unit = next(unit for bound, unit in _EPOCH_UNITS if largest < bound)
    if not unit:
        return Times(values, None)
    per = _NS_PER[unit]
    _check_range(values, unit)
    if np.issubdtype(values.dtype, np.floating):
        whole = np.floor(values)
        # Whole and part apart: a float64 cannot hold an epoch in nanoseconds.
        ns = whole.astype(np.int64) * per + np.round((values - whole) * per).astype(np.int64)
    else:
        ns = values.astype(np.int64) * per
    return Times(ns.view("datetime64[ns]"), "UTC")


def _check_range(values: npt.NDArray[Any], unit: str) -> None:
    """Raise BadCell for a time that int64 nanoseconds since 1970 cannot hold."""
    limit = (2**63 - 1) // _NS_PER[unit]
    if values.dtype.kind == "f":
        outside = np.abs(values) >= float(limit)
    elif values.dtype.kind == "u":
        outside = values > np.uint64(limit)
    else:
        outside = (values.astype(np.int64) > limit) | (values.astype(np.int64) < -limit)
    if outside.any():
        row = int(np.argmax(outside))
        raise BadCell(
            row, f"{values[row]} as an epoch in {unit} is outside the years 1677 to 2262; allowed: {_ALLOWED}"
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


def _from_digits(values: npt.NDArray[Any], digits: int) -> npt.NDArray[Any]:
    import pyarrow as pa
    import pyarrow.compute as pc

    text = pc.cast(pa.array(values), pa.string())
    cut = "(.{4})(.{2})(.{2})" + "(.{2})(.{2})(.{2})" * (digits == 14)
    iso = pc.replace_substring_regex(text, cut, r"\1-\2-\3" + r" \4:\5:\6" * (digits == 14))
    row = first_failure(iso, pa.timestamp("ns"))
    if row is not None:
        raise BadCell(
            row,
            f"{values[row]} is no date in the form {'YYYYMMDDhhmmss'[:digits]} from 1677 to 2262; "
            f"allowed: {_ALLOWED}, or --no-time",
        )
    out: npt.NDArray[Any] = pc.cast(iso, pa.timestamp("ns")).to_numpy(zero_copy_only=False)
    return out


def _offsets_note(text: Any) -> str:
    """Return a note where the rows carry several UTC offsets, as at a change to summer time."""
    import pyarrow.compute as pc

    # Few distinct tails, so the regular expression sees few strings.
    tails = pc.unique(pc.utf8_slice_codeunits(text, -6)).to_pylist()
    offsets = {match.group() for tail in tails if (match := _OFFSET.search(tail))}
    if len(offsets) < 2:
        return ""
    return f"UTC offsets {', '.join(sorted(offsets))} occur; times are compared as instants"


def _blame(text: Any) -> BadCell:
    """Find the first cell that does not read as the first one does."""
    import pyarrow as pa

    zoned, local = pa.timestamp("ns", tz="UTC"), pa.timestamp("ns")
    failures = {kind: first_failure(text, kind) or 0 for kind in (zoned, local, pa.int64(), pa.float64())}
    kind, row = max(failures.items(), key=operator.itemgetter(1))
    cell = text[row].as_py()
    if not cell:
        return BadCell(row, f"the time is missing; allowed: {_ALLOWED}")
    other = {zoned: local, local: zoned}.get(kind)
    if row and other is not None and first_failure(text.slice(row, 1), other) is None:
        before = text[row - 1].as_py()
        both = "mixes times with and without a zone; allowed: all with, or all without"
        return BadCell(row, f"'{shown(cell)}' after '{shown(before)}' {both}")
    return BadCell(
        row, f"'{shown(cell)}' is not a time; allowed: {_ALLOWED}, the same in every row, or --no-time"
    )
