# SPDX-License-Identifier: MIT
"""A time axis by position: one place per row, so that nights and weekends take no room."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from rpsd._errors import InputError

_I64 = npt.NDArray[np.int64]

_MOST_TICKS: Final = 9
_FEWEST_TICKS: Final = 3
_HOUR_NS: Final = 3600 * 10**9
# Ticks of a long series are looked for among this many of its rows: nearer than an eye can tell.
_LOOKED_AT: Final = 20_000

# Candidate ticks from fine to coarse: numpy unit, units between ticks, and how a tick reads.
_STEPS: Final = (
    *(("ms", step, "millisecond") for step in (1, 10, 100)),
    *(("s", step, "second") for step in (1, 5, 15, 30)),
    *(("m", step, "minute") for step in (1, 5, 10, 15, 30)),
    *(("h", step, "minute") for step in (1, 2, 3, 6, 12)),
    *(("D", step, "day") for step in (1, 2, 7, 14)),
    *(("M", step, "month") for step in (1, 2, 3, 6)),
    *(("Y", step, "year") for step in (1, 2, 5, 10, 20, 50)),
)
# Characters of an ISO 8601 time that a tick shows: from, to.
_SHOWN: Final = {
    "millisecond": (11, 23),
    "second": (11, 19),
    "minute": (11, 16),
    "day and minute": (5, 16),
    "day": (5, 10),
    "month": (0, 7),
    "year": (0, 4),
}


@dataclass(frozen=True, eq=False)
class PositionAxis:
    """Where ticks stand, what they say, and where a session begins.

    Attributes
    ----------
    ticks : ndarray of int64
        Positions (row numbers) of the ticks.
    labels : list of str
        Their texts.
    title : str
        Axis label with the zone and the days covered.
    breaks : ndarray of int64
        Rows that open a new session after a long gap.
    """

    ticks: _I64
    labels: list[str]
    title: str
    breaks: _I64


def plain_time(time: Any, zone: str) -> tuple[npt.NDArray[Any] | None, str]:
    """Return times or numbers as an array, and the zone: that of a pandas index where none is given."""
    if time is None:
        return None, zone
    own = getattr(time, "tz", None)
    if own is not None:
        time, zone = time.tz_localize(None), zone or str(own)
    array = np.asarray(time)
    if array.dtype.kind not in "Mfiu":
        raise InputError(
            f"time must be datetime64, numbers or a pandas index of them, got dtype {array.dtype}"
        )
    return array, zone


def position_axis(time: npt.NDArray[Any] | None, n: int, zone: str = "") -> PositionAxis:
    """Lay out the axis of `n` rows; `time` is datetime64, numbers, or None."""
    none = np.zeros(0, np.int64)
    if time is None or n == 0:
        return PositionAxis(none, [], "row", none)
    if not np.issubdtype(time.dtype, np.datetime64):
        ticks = _even(n, _MOST_TICKS)
        return PositionAxis(ticks, [f"{time[i]:.10g}" for i in ticks], "index of the row", none)
    stamps = time.astype("datetime64[ns]")
    ticks, style = _choose_ticks(stamps)
    first, last = _SHOWN[style]
    labels = [_iso(stamps[i])[first:last].replace("T", " ") for i in ticks]
    days = sorted({_iso(stamps[i])[:10] for i in (0, n - 1)})
    title = f"time{f' ({zone})' if zone else ''}, {' to '.join(days)}"
    return PositionAxis(ticks, labels, title, session_breaks(stamps))


def session_breaks(time: npt.NDArray[Any]) -> _I64:
    """Return the rows that follow a gap of an hour or more that is also ten times the usual step."""
    if len(time) < 3:
        return np.zeros(0, np.int64)
    steps = np.diff(time.astype("datetime64[ns]").view(np.int64))
    return np.flatnonzero((steps >= _HOUR_NS) & (steps > 10 * np.median(steps))) + 1


def _iso(stamp: np.datetime64) -> str:
    return str(np.datetime_as_string(stamp, unit="ms"))


def _even(n: int, count: int) -> _I64:
    return np.unique(np.linspace(0, n - 1, min(n, count)).astype(np.int64))


def _choose_ticks(all_stamps: npt.NDArray[Any]) -> tuple[_I64, str]:
    """Return the rows at which the finest unit changes that is not too fine, and the style of their texts."""
    stride = -(-len(all_stamps) // _LOOKED_AT)
    stamps = all_stamps[::stride]
    days = len(np.unique(stamps.astype("datetime64[D]")))
    for unit, step, style in _STEPS:
        within_a_day = unit in ("ms", "s", "m", "h")
        # Over several days the days tell more than their hours; two days show both.
        if within_a_day and days > 2:
            continue
        # The epoch was a Thursday: 3 days make weeks begin on Monday.
        period = (stamps.astype(f"datetime64[{unit}]").astype(np.int64) + (3 if unit == "D" else 0)) // step
        changes = np.flatnonzero(np.diff(period)) + 1
        if not within_a_day:
            # The first row opens its day, month or year as far as the picture goes.
            changes = np.concatenate(([0], changes))
        if len(changes) <= _MOST_TICKS:
            if len(changes) < _FEWEST_TICKS:
                break
            both = within_a_day and days == 2
            return stride * _thinned(changes, len(stamps)), "day and minute" if both else style
    span = stamps[-1] - stamps[0]
    short = "second" if span < np.timedelta64(1, "h") else "day and minute"
    return _even(len(all_stamps), 5), short if span < np.timedelta64(60, "D") else "month"


def _thinned(ticks: _I64, n: int) -> _I64:
    """Drop ticks whose texts would touch the one after: the first period is the one that may be cut short."""
    kept = [int(ticks[-1])]
    for tick in ticks[-2::-1]:
        if kept[-1] - tick >= n / 10:
            kept.append(int(tick))
    return np.array(kept[::-1], np.int64)
