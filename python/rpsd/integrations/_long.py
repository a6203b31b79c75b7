# SPDX-License-Identifier: MIT
"""Long tables: many series one below the other, told apart by keys; each is denoised by itself."""

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

from rpsd._errors import GuardrailError, InputError
from rpsd._mirror import Batch, Mirror, checked_threads
from rpsd._result import METRICS, Check, NoiseModel, Report, Result
from rpsd.integrations._frames import check_clock, group_name, require_rows_of_time
from rpsd.integrations._tables import Column, series_columns, several, table_of

_T = TypeVar("_T")

# Fields with one value for each series.
_NOISE = ("noise_sd", "step_sd", "nsr", "predicted_gain_db", "predicted_causal_gain_db", "gain_probability")
_FIELDS = ("warmup", "action", "strength", "binding", "level", "missing", "sessions")
# The core shares out a batch of this many series a thread evenly enough.
_SERIES_EACH = 4


class _Part(NamedTuple):
    """Groups that are one batch: of one column and one length, and of the same times where they count."""

    column: int
    groups: npt.NDArray[np.intp]
    rows: npt.NDArray[np.intp] | None  # groups x time; None: all rows as they are
    source: Mirror


class LongTable:
    """A table with its groups and the columns to denoise.

    Parameters
    ----------
    x, axis, by, time, value
        As in `rpsd.denoise`.
    breaks : None, "auto" or tuple
        The option: with "auto" groups of other times are other batches.
    """

    def __init__(self, x: Any, axis: int, by: Any, time: Any, value: Any, breaks: Any = None) -> None:
        require_rows_of_time(x, axis)
        if isinstance(breaks, tuple):
            raise InputError('breaks must be None or "auto" with by, got a mask, which is for one series')
        self._table = table = table_of(x, "x")
        self._by = several(by)
        if not self._by:
            raise InputError(f"by must name at least one column, got {by!r}")
        self._groups = table.groups(self._by)
        clock = table.own_clock(self._by) if time is None else table.clock(time)
        self._labels = series_columns(table, self._by, time, value)
        self._single, self._one_key = not isinstance(value, list), not isinstance(by, list)
        if clock is not None:
            check_clock(table, time, clock, self._groups, self._by)
        self._times = clock.times if clock is not None and breaks == "auto" else None
        self._columns: list[Column] = [table.column(label) for label in self._labels]
        self._parts = list(self._split())

    @property
    def shape(self) -> tuple[int, ...]:
        """Of one value a series: groups, or groups x columns."""
        return (len(self._groups),) if self._single else (len(self._groups), len(self._columns))

    @property
    def keys(self) -> tuple[Any, ...]:
        """The key of each group, a tuple where by is a list."""
        keys = self._table.keys(self._by, self._groups.first_rows)
        return tuple(key[0] for key in keys) if self._one_key else tuple(keys)

    def run(self, work: Callable[[Mirror, int], _T], threads: int) -> list[_T]:
        """Return what work makes of each batch, with its errors naming the group.

        Threads share the series of large batches, and take small ones each by itself.
        """
        workers = checked_threads(threads) or os.cpu_count() or 1
        large = [part.groups.size >= _SERIES_EACH * workers for part in self._parts]
        if workers == 1 or large.count(False) < 2:
            return [self._one(work, part, workers) for part in self._parts]
        with ThreadPoolExecutor(workers) as pool:
            small = [
                None if big else pool.submit(self._one, work, part, 1)
                for part, big in zip(self._parts, large, strict=True)
            ]
        return [
            self._one(work, part, workers) if future is None else future.result()
            for part, future in zip(self._parts, small, strict=True)
        ]

    def assembled(self, outputs: list[Batch]) -> Any:
        """Return the table with the outputs of its batches in the places of their inputs."""
        restored = {}
        for j, (label, column) in enumerate(zip(self._labels, self._columns, strict=True)):
            values = None
            for part, output in zip(self._parts, outputs, strict=True):
                if part.column != j:
                    continue
                if part.rows is None:
                    values = output.reshape(-1)
                    continue
                values = np.empty_like(column.values) if values is None else values
                values[part.rows] = output
            restored[label] = column.restore(column.values if values is None else values)
        return self._table.replaced(restored)

    def series(self, place: int) -> npt.NDArray[np.float64]:
        """Return one series of the table, counted as `per_series` does."""
        group, column = divmod(place, len(self._columns))
        start = int(self._groups.starts[group])
        values = self._groups.in_order(self._columns[column].values)
        return np.asarray(values[start : start + int(self._groups.lengths[group])], dtype=np.float64)

    def per_series(self, parts: list[npt.NDArray[Any]]) -> npt.NDArray[Any]:
        """Return values of the series of each batch in the order of groups and columns."""
        dtype = np.concatenate([np.atleast_1d(found) for found in parts]).dtype
        values = np.empty((len(self._groups), len(self._columns)), dtype=dtype)
        for part, found in zip(self._parts, parts, strict=True):
            values[part.groups, part.column] = found
        return values.reshape(self.shape)

    def _split(self) -> Iterator[_Part]:
        for which, rows in self._groups.of_one_length():
            shape = (len(which), int(self._groups.lengths[which[0]]) if len(which) else 0)
            for some, clock in self._of_same_times(shape, rows):
                places = rows
                if len(some) < len(which):
                    places = (np.arange(shape[0] * shape[1]).reshape(shape) if rows is None else rows)[some]
                for j, column in enumerate(self._columns):
                    batch = column.values.reshape(shape) if places is None else column.values[places]
                    yield _Part(j, which[some], places, source_of(batch, clock))

    def _of_same_times(
        self, shape: tuple[int, int], rows: npt.NDArray[np.intp] | None
    ) -> list[tuple[npt.NDArray[np.intp], npt.NDArray[Any] | None]]:
        everything = np.arange(shape[0])
        if self._times is None or shape[0] == 0:
            return [(everything, None)]
        times = self._times.reshape(shape) if rows is None else self._times[rows]
        if (times == times[0]).all():
            return [(everything, times[0])]
        alike: dict[bytes, list[int]] = {}
        for group, clock in enumerate(times):
            alike.setdefault(clock.tobytes(), []).append(group)
        return [(np.array(some, dtype=np.intp), times[some[0]]) for some in alike.values()]

    def _one(self, work: Callable[[Mirror, int], _T], part: _Part, threads: int) -> _T:
        try:
            return work(part.source, threads)
        except InputError as error:
            raise self._of_group(work, part) or error from None
        except GuardrailError as error:
            bad = np.flatnonzero(~np.atleast_1d(error.report.passed))
            raise GuardrailError(f"{self._name(part, int(bad[0]))}: {error}", error.report) from None

    def _of_group(self, work: Callable[[Mirror, int], _T], part: _Part) -> InputError | None:
        """Return the error of the first group that has one by itself, with its name."""
        (batch,) = part.source.batches
        for place in range(len(batch)):
            try:
                work(source_of(batch[place : place + 1], part.source.times), 1)
            except InputError as error:
                return InputError(f"{self._name(part, place)}: {error}")
        return None

    def _name(self, part: _Part, place: int) -> str:
        name = group_name(self._table, self._groups, self._by, int(part.groups[place]))
        return name if len(self._columns) == 1 else f"{name}, {self._labels[part.column]!r}"


def source_of(batch: Batch, clock: npt.NDArray[Any] | None) -> Mirror:
    """Return the mirror of a batch, series x time, with the times of its samples."""
    return Mirror([batch], lambda outputs: outputs[0], (len(batch),), np.arange(len(batch)), clock=clock)


def run_long(table: LongTable, run: Callable[[Mirror, int], Result], threads: int, **given: Any) -> Result:
    """Return the result of a long table, whose fields are arrays with one value for each series.

    Parameters
    ----------
    table : LongTable
    run : callable
        Takes one batch and a number of threads; returns its result.
    threads : int
    **given
        The fields that say what was given: x, axis, by, time and value.
    """
    results = table.run(run, threads)

    def of_all(get: Callable[[Any], Any], things: list[Any]) -> npt.NDArray[Any]:
        return table.per_series([get(thing) for thing in things])

    def field(name: str, things: list[Any]) -> npt.NDArray[Any]:
        return of_all(lambda thing: getattr(thing, name), things)

    first = results[0]
    noises = [result.noise for result in results]
    noise: dict[str, Any] = {name: field(name, noises) for name in _NOISE}
    fields: dict[str, Any] = {name: field(name, results) for name in _FIELDS}
    return Result(
        values=table.assembled([result.values for result in results]),
        report=_report([result.report for result in results], field, of_all),
        noise=NoiseModel(**noise, kind=first.noise.kind),
        lookahead=first.lookahead,
        options=first.options,
        groups=table.keys,
        **fields,
        **given,
    )


def _report(reports: list[Report], field: Callable[..., Any], of_all: Callable[..., Any]) -> Report:
    def judged() -> tuple[tuple[Check, ...], Any, Any]:
        checks = []
        for k, check in enumerate(reports[0].checks):
            values = {
                name: of_all(lambda report, k=k, name=name: getattr(report.checks[k], name), reports)
                for name in ("value", "passed", "counts")
            }
            checks.append(Check(check.name, threshold=check.threshold, relation=check.relation, **values))
        return tuple(checks), field("passed", reports), field("action", reports)

    return Report(**{name: field(name, reports) for name in METRICS}, judged=judged)
