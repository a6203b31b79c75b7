# SPDX-License-Identifier: MIT
"""Mirrors of frames and series whose rows are time; columns are named by time and value."""

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from rpsd._errors import InputError, warn
from rpsd._mirror import Batch, Mirror, check_index
from rpsd._repeats import RULE, repeats_as_several
from rpsd.integrations._groups import Groups
from rpsd.integrations._tables import Clock, PandasTable, Table, series_columns, stacked, table_of


def mirror_table(x: Any, axis: int, name: str, time: Any, value: Any) -> Mirror:
    """Return the mirror of a table, which keeps the columns that are not denoised as they are."""
    require_rows_of_time(x, axis)
    table = table_of(x, name)
    labels = series_columns(table, (), time, value)
    index = None
    if isinstance(table, PandasTable):
        index = x.index
        if time is None:
            check_index(index, name)
    clock = None if time is None else table.clock(time)
    if clock is not None:
        check_clock(table, time, clock, Groups(None, np.array([len(clock.times)])), ())
    columns = [table.column(label) for label in labels]
    batches, order = stacked(columns)

    def rebuild(outputs: list[Batch]) -> Any:
        rows = [row for output in outputs for row in output]
        return table.replaced(
            {
                label: column.restore(rows[order[j]])
                for j, (label, column) in enumerate(zip(labels, columns, strict=True))
            }
        )

    single = table.is_series or (value is not None and not isinstance(value, list))
    shape = () if single else (len(labels),)
    return Mirror(batches, rebuild, shape, order, index, None if clock is None else clock.times)


def require_rows_of_time(x: Any, axis: int) -> None:
    """Refuse an axis for what has its time in rows."""
    if axis not in (-1, 0):
        raise InputError(
            f"axis must be 0 (or -1) for a {type(x).__name__}, whose rows are time, got {axis!r}"
        )


def check_clock(table: Table, label: Any, clock: Clock, groups: Groups, by: tuple[Any, ...]) -> None:
    """Refuse missing times and times that go back within a group; warn of repeated ones."""
    where = f"{table.name}.index" if label is None else f"{table.name}[{label!r}]"
    inner = np.ones(len(clock.times), dtype=bool)  # rows that come after another one of their group
    inner[groups.starts[groups.lengths > 0]] = False
    inner = inner[1:]

    def told(place: int) -> str:
        row = int(place if groups.order is None else groups.order[place])
        group = int(np.searchsorted(groups.starts, place, side="right")) - 1
        return f"at row {row}" + (f", {group_name(table, groups, by, group)}" if by else "")

    if clock.missing is not None:
        place = int(groups.in_order(clock.missing).argmax())
        raise InputError(f"{where} must have a time for each row, got none {told(place)}")
    steps = np.diff(groups.in_order(clock.times))
    back = (steps < 0) & inner
    if back.any():
        place = int(back.argmax()) + 1
        later, earlier = (int(p if groups.order is None else groups.order[p]) for p in (place, place - 1))
        within = " within a group" if by else ""
        raise InputError(
            f"{where} must not go back in time{within}, got {clock.shown(later)} after "
            f"{clock.shown(earlier)} {told(place)}; sort the rows by time first"
        )
    repeats = (steps == 0) & inner
    repeated = int(np.count_nonzero(repeats))
    if by and repeated:
        without = "reset the index" if label is None else "leave time out"
        _refuse_several(where, groups.in_order(clock.times), repeats, groups, told, without)
    if repeated:
        among = f"{len(clock.times)} times" if not by else f"{len(clock.times)} times of {len(groups)} groups"
        warn(f"{where} repeats {repeated} of {among}; rows are taken in the order given")


def _refuse_several(
    where: str,
    times: npt.NDArray[Any],
    repeats: npt.NDArray[np.bool_],
    groups: Groups,
    told: Callable[[int], str],
    without: str,
) -> None:
    """Refuse a group whose times, given group after group, repeat as those of several series do."""
    places = np.flatnonzero(repeats) + 1
    count = np.diff(np.searchsorted(places, np.append(groups.starts, len(times))))
    for group in np.flatnonzero(count > groups.lengths // 10).tolist():
        start, length = int(groups.starts[group]), int(groups.lengths[group])
        if repeats_as_several(times[start : start + length]):
            first = int(places[np.searchsorted(places, start)])
            raise InputError(
                f"{where} must tell the rows of a series apart ({RULE}, may repeat), got {count[group]} of "
                f"{length} rows that repeat the time before them, the first {told(first)}; by most likely "
                f"does not tell series apart: name another column too, or {without} to take rows as they come"
            )


def group_name(table: Table, groups: Groups, by: tuple[Any, ...], group: int) -> str:
    """Return the key of a group in words."""
    (key,) = table.keys(by, groups.first_rows[group : group + 1])
    return ", ".join(f"{label}={value!r}" for label, value in zip(by, key, strict=True))
