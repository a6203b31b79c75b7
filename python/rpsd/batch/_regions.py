# SPDX-License-Identifier: MIT
"""The rows of a file as series: read until series have ended, denoise them, give their rows back."""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from typing import Any, Final

import msgspec
import numpy as np
import numpy.typing as npt

from rpsd._errors import InputError
from rpsd._text import shown
from rpsd.batch._outcome import Columns, Outcome
from rpsd.batch._series import Fields, Runner, runs_of
from rpsd.batch.files import MOST_HELD, Source, Table, Times, choose_columns, find_column
from rpsd.batch.files._numbers import BadCells
from rpsd.batch.files._table import blaming, refuse_several_series, why_duplicates
from rpsd.batch.files._times import why_back

_F64 = npt.NDArray[np.float64]
_I64 = npt.NDArray[np.int64]
_Mask = npt.NDArray[np.bool_]

_NO_KEY: Final = -1


class OutOfOrder(Exception):
    """A series goes on after another one, so that none is known to have ended before the file has."""


@dataclass
class _Piece:
    """Rows that are not given back yet, and the table that holds them, or None where it is read again."""

    number: int
    start: int
    rows: int
    table: Table | None
    place: Callable[[int], str]


class Regions:
    """Iterates over the pieces of a file with the new values of their rows.

    Parameters
    ----------
    file : Source
    columns : Columns
    runner : Runner
    early : bool
        Whether rows are given back once their series has ended, instead of all at the end.
    hold : bool
        Whether rows are held with all columns as long as there is room, instead of read again.

    Attributes
    ----------
    values : list of int
        The price columns.
    """

    def __init__(self, file: Source, columns: Columns, runner: Runner, *, early: bool, hold: bool) -> None:
        self._file = file
        self._columns = columns
        self._runner = runner
        self._early = early
        self._hold = hold
        self._pieces: deque[_Piece] = deque()
        self._again: tuple[int, Iterator[Table]] | None = None
        self._ids: dict[Any, int] = {}
        self._last = _NO_KEY
        self._base = 0  # row of the file at which the rows held begin
        self._rows = 0
        self._done = 0  # rows held whose series have ended
        self._zone: tuple[Any, str] | None = None
        self._offsets: frozenset[str] = frozenset()
        self._errors: dict[tuple[int, int | None], str] = {}
        self._keyless: tuple[int, str] = (0, "")
        self._found: list[tuple[int, int, Outcome]] = []
        self._begin()

    def _begin(self) -> None:
        """Choose the columns by the first rows."""
        pieces = self._file.pieces()
        head = next(pieces)
        by = self._columns.by
        self._by = None if by is None else find_column(head, by, "--by")
        self._time, self.values = choose_columns(
            head, self._columns.time, self._columns.values, no_time=self._columns.no_time, by=self._by
        )
        self._names = head.columns
        if self._by is not None and self._columns.only:
            self._file.keep(self._by, self._columns.only)
        elif self._hold:
            self._tables: Iterator[Table] = chain([head], pieces)
            self._reset()
            return
        chosen = [column for column in (self._by, self._time, *self.values) if column is not None]
        self._tables = self._file.pieces(None if self._hold else chosen)
        self._reset()

    def _reset(self) -> None:
        self._codes: list[npt.NDArray[np.int32]] = []
        self._times: list[npt.NDArray[Any]] = []
        self._numbers: dict[int, list[_F64]] = {column: [] for column in self.values}
        self._failed: dict[int, list[_Mask]] = {column: [] for column in self.values}

    @property
    def outcomes(self) -> list[Outcome]:
        """What became of each series so far, in the order in which they begin; rows without a key last."""
        found = [outcome for _, _, outcome in sorted(self._found, key=lambda item: item[:2])]
        rows, error = self._keyless
        if rows:
            found += [Outcome(column=self._names[column], rows=rows, error=error) for column in self.values]
        notes = self._file.mends + self._time_notes(Times(np.empty(0), None, self._offsets).notes)
        if not notes:
            return found
        return [msgspec.structs.replace(outcome, notes=notes + outcome.notes) for outcome in found]

    @property
    def delivers(self) -> bool:
        """Whether there is a file to write: all of its columns, or with `by` any series, came out."""
        came = [outcome.action != "failed" for _, _, outcome in self._found]
        return all(came) if self._by is None else any(came)

    def __iter__(self) -> Iterator[tuple[Table, Mapping[int, _F64], Mapping[int, _Mask]]]:
        for number, table in enumerate(self._tables):
            ended = self._take(number, table)
            if self._early and ended > self._done:
                self._finish(ended)
                yield from self._given_back()
        if not self._base + self._rows:
            keys = ", ".join(map(shown, self._columns.only))
            which = f' with any of the keys {keys} in column "{self._columns.by}"' if keys else ""
            raise InputError(f"{self._file.name}: no data rows{which}")
        self._finish(self._rows)
        if self._early or self.delivers:
            yield from self._given_back()

    def _take(self, number: int, table: Table) -> int:
        """Take rows up; return how many of those held belong to series that have ended."""
        start = self._rows
        held = table if self._hold else None
        place = table.place if self._hold else table.places()
        self._pieces.append(_Piece(number, self._base + start, table.rows, held, place))
        codes = self._coded(table)
        self._codes.append(codes)
        if self._time is not None:
            with blaming(table, self._time):
                times, bad = table.read_times(self._time)
            self._blame(codes, bad, None, self._time, table)
            self._check_zone(codes, times, table)
            if self._by is None and not number:
                refuse_several_series(table, times)
            self._times.append(_as_numbers(times))
            self._offsets |= times.offsets
        for column in self.values:
            with blaming(table, column):
                values, bad, _ = table.read_numbers(column)
            self._blame(codes, bad, column, column, table)
            self._numbers[column].append(values)
            self._failed[column].append(np.zeros(table.rows, dtype=bool))
        self._rows += table.rows
        self._make_room()
        return start + self._ended(codes) if self._early else 0

    def _ended(self, codes: npt.NDArray[np.int32]) -> int:
        """Return at which row the last series of some rows begins."""
        known = codes[codes != _NO_KEY]
        if not known.size:
            return 0
        if known[0] < self._last or (np.diff(known) < 0).any():
            raise OutOfOrder
        goes_on, self._last = known[-1] == self._last, int(known[-1])
        return 0 if goes_on else int(np.argmax(codes == self._last))

    def _make_room(self) -> None:
        held = [piece for piece in self._pieces if piece.table is not None]
        if sum(piece.table.nbytes for piece in held if piece.table is not None) <= MOST_HELD:
            return
        for piece in held:
            if piece.table is not None:
                piece.place, piece.table = piece.table.places(), None

    def _coded(self, table: Table) -> npt.NDArray[np.int32]:
        """Return a number for the key of each row, counted as they appear."""
        if self._by is None:
            self._ids.setdefault("", 0)
            return np.zeros(table.rows, dtype=np.int32)
        with blaming(table, self._by):
            keys = table.keys(self._by)
        indices = keys.indices
        if indices.null_count:
            indices = indices.fill_null(len(keys.dictionary))
        local = indices.to_numpy(zero_copy_only=False)
        texts = [*keys.dictionary.cast("string").to_pylist(), None]
        ids = np.full(len(texts), _NO_KEY, dtype=np.int32)
        for place in indices.unique().to_pylist():
            if texts[place]:
                ids[place] = self._ids.setdefault(texts[place], len(self._ids))
        codes: npt.NDArray[np.int32] = ids[local]
        lost = codes == _NO_KEY
        if lost.any():
            rows, error = self._keyless
            where = f'{table.place(int(np.argmax(lost)))}, column "{shown(self._names[self._by])}"'
            error = error or f"{where}: the key is missing; allowed: a name of the series in every row"
            self._keyless = rows + int(lost.sum()), error
        return codes

    def _blame(
        self,
        codes: npt.NDArray[np.int32],
        bad: BadCells,
        key: int | None,
        column: int,
        table: Table,
    ) -> None:
        """Keep the first bad cell of each series."""
        if not bad.rows.size:
            return
        first = np.unique(codes[bad.rows], return_index=True)[1]
        for row in bad.rows[np.sort(first)].tolist():
            series = int(codes[row]), key
            if series not in self._errors:
                place = f'{table.place(row)}, column "{shown(self._names[column])}"'
                self._errors[series] = f"{place}: {bad.why(row)}"

    def _check_zone(self, codes: npt.NDArray[np.int32], times: Times, table: Table) -> None:
        """Refuse times that are not of the kind of the first rows."""
        kinds = {"UTC": "with a zone", "": "without a zone", None: "numbers"}
        if self._zone is None:
            self._zone = times.zone, kinds[times.zone]
        if times.zone == self._zone[0] or self._time is None:
            return
        every = np.arange(table.rows)
        why = f"times {kinds[times.zone]} where the file began with times {self._zone[1]}; allowed: one kind"
        self._blame(codes, BadCells(every, lambda row: why), None, self._time, table)

    def _finish(self, stop: int) -> None:
        """Denoise the series in the rows held from those that are done up to stop."""
        self._codes = [np.concatenate(self._codes)]
        if self._time is not None:
            self._times = [np.concatenate(self._times)]
        for column in self.values:
            self._numbers[column] = [np.concatenate(self._numbers[column])]
            self._failed[column] = [np.concatenate(self._failed[column])]
        start, self._done = self._done, stop
        codes = self._codes[0][start:stop]
        rows = None
        lost = codes == _NO_KEY
        if lost.any():
            for column in self.values:
                self._fail(column, start + np.flatnonzero(lost))
            rows = np.flatnonzero(~lost)
            codes = codes[rows]
        if (np.diff(codes) < 0).any():
            # Few keys fit in two bytes, which sort by counting.
            short = codes.astype(np.uint16) if len(self._ids) <= 1 << 16 else codes
            order = np.argsort(short, kind="stable")
            rows = order if rows is None else rows[order]
            codes = codes[order]
        begin = np.flatnonzero(np.diff(codes, prepend=-1))
        keys = list(self._ids)
        for length, series in runs_of(np.diff(begin, append=len(codes))):
            at = begin[series][:, None] + np.arange(length)
            index = start + (at if rows is None else rows[at])
            for column in self.values:
                self._denoise(column, codes[begin[series]].tolist(), keys, index)

    def _denoise(self, column: int, codes: list[int], keys: list[str], index: npt.NDArray[np.intp]) -> None:
        """Denoise series of one length; index: the rows of each."""
        values = self._numbers[column][0]
        x = values[index]
        t = self._times[0][index] if self._time is not None else None
        errors, notes = self._checked(column, codes, x, t, index)
        fields: list[Fields] = [{"error": error} for error in errors]
        good = np.array([k for k, error in enumerate(errors) if not error], dtype=np.intp)
        zoned = t is not None and self._zone is not None and self._zone[0] is not None
        name = shown(self._names[column])
        for part, starts in self._runner.batches(x[good], t[good] if t is not None and zoned else None):
            chosen = good[part]
            batch = x[chosen]

            def place(k: int, at: int, rows: npt.NDArray[np.intp] = index[chosen]) -> str:
                return f'{self._place(int(rows[k, at]))}, column "{name}"'

            for k, found in zip(chosen.tolist(), self._runner.run(batch, starts, place), strict=True):
                fields[k] = found
            x[chosen] = batch
        values[index] = x
        for k, (code, found, told) in enumerate(zip(codes, fields, notes, strict=True)):
            if found.get("error"):
                self._fail(column, index[k])
                found.setdefault("missing", int(np.isnan(x[k]).sum()))
            found["notes"] = told + found.get("notes", ())
            outcome = Outcome(key=keys[code], column=self._names[column], rows=index.shape[1], **found)
            self._found.append((code, column, outcome))

    def _checked(
        self,
        column: int,
        codes: list[int],
        x: _F64,
        t: npt.NDArray[Any] | None,
        index: npt.NDArray[np.intp],
    ) -> tuple[list[str], list[tuple[str, ...]]]:
        """Return what is wrong with each series before it is denoised, or "", and notes."""
        errors = [""] * len(codes)
        notes: list[tuple[str, ...]] = [()] * len(codes)
        for k in np.flatnonzero(np.isnan(x).all(axis=1)).tolist():
            errors[k] = "no number in any row"
        if t is not None and t.shape[1] > 1:
            steps = np.diff(t, axis=1)
            for k in np.flatnonzero((steps < 0).any(axis=1)).tolist():
                at = int(np.argmax(steps[k] < 0)) + 1
                reason = why_back(self._shown_times(t[k]), at)
                errors[k] = self._time_notes([reason], self._place(int(index[k, at])))[0]
            same = (steps == 0).sum(axis=1)
            for k in np.flatnonzero(same).tolist():
                first = self._place(int(index[k, int(np.argmax(steps[k] == 0)) + 1]))
                notes[k] = self._time_notes([why_duplicates(int(same[k]), first)])
        if self._errors:
            for k, code in enumerate(codes):
                errors[k] = self._errors.get((code, None)) or self._errors.get((code, column)) or errors[k]
        return errors, notes

    def _time_notes(self, notes: list[str], place: str = "") -> tuple[str, ...]:
        if self._time is None:
            return ()
        where = ", ".join(filter(None, [place, f'column "{shown(self._names[self._time])}"']))
        return tuple(f"{where}: {note}" for note in notes)

    def _shown_times(self, t: npt.NDArray[Any]) -> Times:
        zone = None if self._zone is None else self._zone[0]
        return Times(t if zone is None else t.view("datetime64[ns]"), zone)

    def _fail(self, column: int, rows: npt.NDArray[np.intp]) -> None:
        self._numbers[column][0][rows] = np.nan
        self._failed[column][0][rows] = True

    def _place(self, row: int) -> str:
        pieces = list(self._pieces)
        piece = pieces[bisect_right([piece.start for piece in pieces], self._base + row) - 1]
        return piece.place(self._base + row - piece.start)

    def _given_back(self) -> Iterator[tuple[Table, Mapping[int, _F64], Mapping[int, _Mask]]]:
        """Yield the pieces whose rows are all done, and let them go."""
        gone = 0
        while self._pieces and gone + self._pieces[0].rows <= self._done:
            piece = self._pieces.popleft()
            part = slice(gone, gone + piece.rows)
            failed = {
                column: parts[0][part] for column, parts in self._failed.items() if parts[0][part].any()
            }
            table = self._reread(piece.number) if piece.table is None else piece.table
            yield table, {column: parts[0][part] for column, parts in self._numbers.items()}, failed
            gone += piece.rows
        for parts in (self._codes, self._times, *self._numbers.values(), *self._failed.values()):
            parts[:] = [parts[0][gone:]] if parts else []
        self._base, self._rows, self._done = self._base + gone, self._rows - gone, self._done - gone

    def _reread(self, number: int) -> Table:
        if self._again is None or self._again[0] != number:
            self._again = number, self._file.pieces(first=number)
        tables = self._again[1]
        self._again = number + 1, tables
        return next(tables)


def _as_numbers(times: Times) -> npt.NDArray[Any]:
    return times.values.view(np.int64) if times.values.dtype.kind == "M" else times.values
