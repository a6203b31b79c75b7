# SPDX-License-Identifier: MIT
"""The rows of a file as series: read until series have ended, denoise them, give their rows back."""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from operator import itemgetter
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from rpsd._errors import InputError
from rpsd._repeats import repeats_as_several
from rpsd._text import shown
from rpsd.batch._outcome import Columns, Outcome
from rpsd.batch._reader import NO_KEY, Reader
from rpsd.batch._rows import Rows
from rpsd.batch._series import Fields, Runner, runs_of
from rpsd.batch.files import Source, Table, Times
from rpsd.batch.files._table import blaming, why_duplicates, why_several
from rpsd.batch.files._times import why_back

_F64 = npt.NDArray[np.float64]
_I64 = npt.NDArray[np.int64]
_Mask = npt.NDArray[np.bool_]


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
    room : int
        Bytes of rows that may be held with all their columns, instead of read again.

    Attributes
    ----------
    values : list of int
        The price columns.
    """

    def __init__(self, file: Source, columns: Columns, runner: Runner, *, early: bool, room: int) -> None:
        self._file = file
        self._columns = columns
        self._runner = runner
        self._early = early
        self._room = room
        self._held = 0
        self._pieces: deque[_Piece] = deque()
        self._again: tuple[int, Iterator[Table]] | None = None
        self._last = NO_KEY
        self._base = 0  # row of the file at which the rows held begin
        self._rows = 0
        self._done = 0  # rows held whose series have ended
        self._found: list[tuple[int, int, Outcome]] = []
        self._begin()

    def _begin(self) -> None:
        """Choose the columns by the first rows."""
        head = self._file.head()
        self._reader = Reader(head, self._columns)
        self._by, self._time, self.values = self._reader.by, self._reader.time, self._reader.values
        self._names = head.columns
        if self._by is not None and self._columns.only:
            with blaming(head, self._by):
                self._file.keep(self._by, self._columns.only)
        elif self._columns.only and self._reader.key not in self._columns.only:
            raise self._no_rows()
        chosen = [column for column in (self._by, self._time, *self.values) if column is not None]
        self._tables = self._file.pieces(None if self._room else chosen)
        self._reset()

    def _reset(self) -> None:
        self._codes: list[npt.NDArray[np.int32]] = []
        self._times: list[npt.NDArray[Any]] = []
        self._numbers: dict[int, list[_F64]] = {column: [] for column in self.values}
        self._failed: dict[int, list[_Mask]] = {column: [] for column in self.values}

    @property
    def outcomes(self) -> list[Outcome]:
        """What became of each series so far, in the order in which they begin; rows without a key last."""
        self._found.sort(key=itemgetter(0, 1))
        found = [outcome for _, _, outcome in self._found]
        rows, error = self._reader.keyless
        if rows:
            missing = self._reader.keyless_missing
            found += [
                Outcome(column=self._names[column], rows=rows, missing=missing[column], error=error)
                for column in self.values
            ]
        notes = self._file.mends + self._reader.notes
        notes += self._time_notes(Times(np.empty(0), None, self._reader.offsets).notes)
        if not notes:
            return found
        return [msgspec.structs.replace(outcome, notes=notes + outcome.notes) for outcome in found]

    @property
    def delivers(self) -> bool:
        """Whether there is a file to write: all of its columns, or with `by` any series, came out."""
        came = [outcome.action != "failed" for _, _, outcome in self._found]
        return all(came) if self._columns.by is None else any(came)

    def __iter__(self) -> Iterator[tuple[Table, Mapping[int, _F64], Mapping[int, _Mask]]]:
        for number, table in enumerate(self._tables):
            ended = self._take(number, table)
            if self._early and ended > self._done:
                self._finish(ended)
                yield from self._given_back()
        if not self._base + self._rows:
            raise self._no_rows()
        self._finish(self._rows)
        if self._early or self.delivers:
            yield from self._given_back()

    def _no_rows(self) -> InputError:
        keys = ", ".join(map(shown, self._columns.only))
        which = f' with any of the keys {keys} in column "{self._columns.by}"' if keys else ""
        return InputError(f"{self._file.name}: no data rows{which}")

    def _take(self, number: int, table: Table) -> int:
        """Take rows up; return how many of those held belong to series that have ended."""
        start = self._rows
        held = table if self._room else None
        place = table.place if self._room else table.places()
        self._pieces.append(_Piece(number, self._base + start, table.rows, held, place))
        if not table.rows:
            return 0
        codes, times, numbers = self._reader.read(
            table, lambda: table if self._room else next(self._file.pieces(first=number))
        )
        self._codes.append(codes)
        if times is not None:
            self._times.append(times)
        for column, values in numbers.items():
            self._numbers[column].append(values)
            self._failed[column].append(np.zeros(table.rows, dtype=bool))
        self._rows += table.rows
        if held is not None:
            self._make_room(table.nbytes)
        return self._ended(start, codes) if self._early else 0

    def _ended(self, start: int, codes: npt.NDArray[np.int32]) -> int:
        """Return at which row held the last series begins, where it does so in the rows from start on."""
        known = codes[codes != NO_KEY]
        if not known.size:
            return 0
        if known[0] < self._last or (np.diff(known) < 0).any():
            raise OutOfOrder
        goes_on, self._last = known[-1] == self._last, int(known[-1])
        return 0 if goes_on else start + int(np.argmax(codes == self._last))

    def _make_room(self, more: int) -> None:
        """Let go of the columns that can be read again, where too much is held."""
        self._held += more
        if self._held <= self._room:
            return
        self._held = 0
        for piece in self._pieces:
            if piece.table is not None:
                piece.place, piece.table = piece.table.places(), None

    def _finish(self, stop: int) -> None:
        """Denoise the series in the rows held from those that are done up to stop."""
        self._codes = _joined(self._codes)
        self._times = _joined(self._times)
        for column in self.values:
            # Denoised in place: never what the table still holds.
            self._numbers[column] = [np.concatenate(self._numbers[column])]
            self._failed[column] = _joined(self._failed[column])
        start, self._done = self._done, stop
        codes = self._codes[0][start:stop]
        rows = None
        lost = codes == NO_KEY
        if lost.any():
            for column in self.values:
                self._fail(column, start + np.flatnonzero(lost))
            rows = np.flatnonzero(~lost)
            codes = codes[rows]
        if (np.diff(codes) < 0).any():
            # Few keys fit in two bytes, which sort by counting.
            short = codes.astype(np.uint16) if len(self._reader.ids) <= 1 << 16 else codes
            order = np.argsort(short, kind="stable")
            rows = order if rows is None else rows[order]
            codes = codes[order]
        begin = np.flatnonzero(np.diff(codes, prepend=-1))
        keys = list(self._reader.ids)
        for length, series in runs_of(np.diff(begin, append=len(codes))):
            where = Rows(start, begin[series], length, rows)
            for column in self.values:
                self._denoise(column, codes[begin[series]].tolist(), keys, where)

    def _denoise(self, column: int, codes: list[int], keys: list[str], where: Rows) -> None:
        """Denoise series of one length."""
        x = where.of(self._numbers[column][0])
        t = where.of(self._times[0]) if self._time is not None else None
        errors, notes = self._checked(column, codes, x, t, where)
        fields: list[Fields] = [{"error": error} for error in errors]
        good = np.array([k for k, error in enumerate(errors) if not error], dtype=np.intp)
        zoned = t is not None and self._reader.zone is not None
        name = shown(self._names[column])
        every = len(good) == len(x)
        stamps = None if t is None or not zoned else t if every else t[good]
        for part, starts in self._runner.batches(x if every else x[good], stamps):
            chosen = good[part].tolist()
            whole = len(chosen) == len(x)
            batch = x if whole else x[chosen]

            def place(k: int, at: int, chosen: list[int] = chosen) -> str:
                return f'{self._place(where.at(chosen[k], at))}, column "{name}"'

            for k, found in zip(chosen, self._runner.run(batch, starts, place), strict=True):
                fields[k] = found
            if not whole:
                x[chosen] = batch
        where.put(self._numbers[column][0], x)
        for k, (code, found, told) in enumerate(zip(codes, fields, notes, strict=True)):
            if found.get("error"):
                found.setdefault("missing", self._reader.missing(code, column, x[k]))
                self._fail(column, where.all_of(k))
            found["notes"] = told + found.get("notes", ())
            outcome = Outcome(key=keys[code], column=self._names[column], rows=where.shape[1], **found)
            self._found.append((code, column, outcome))

    def _checked(
        self,
        column: int,
        codes: list[int],
        x: _F64,
        t: npt.NDArray[Any] | None,
        where: Rows,
    ) -> tuple[list[str], list[tuple[str, ...]]]:
        """Return what is wrong with each series before it is denoised, or "", and notes."""
        errors = [""] * len(codes)
        notes: list[tuple[str, ...]] = [()] * len(codes)
        for k in np.flatnonzero(np.isnan(x).all(axis=1)).tolist():
            errors[k] = "no number in any row"
        if t is not None and t.shape[1] > 1 and not (t[:, 1:] > t[:, :-1]).all():
            steps = np.diff(t, axis=1)
            for k in np.flatnonzero((steps < 0).any(axis=1)).tolist():
                at = int(np.argmax(steps[k] < 0)) + 1
                reason = why_back(self._shown_times(t[k]), at)
                errors[k] = self._time_notes([reason], self._place(where.at(k, at)))[0]
            same = (steps == 0).sum(axis=1)
            for k in np.flatnonzero(same).tolist():
                if (codes[k], None) in self._reader.errors:
                    continue  # of times that were not read nothing is known
                first = self._place(where.at(k, int(np.argmax(steps[k] == 0)) + 1))
                if self._columns.by is not None and not errors[k] and repeats_as_several(t[k]):
                    errors[k] = self._time_notes([why_several(int(same[k]), t.shape[1])], first)[0]
                    continue
                notes[k] = self._time_notes([why_duplicates(int(same[k]), first)])
        if self._reader.errors:
            for k, code in enumerate(codes):
                errors[k] = (
                    self._reader.errors.get((code, None))
                    or self._reader.errors.get((code, column))
                    or errors[k]
                )
        return errors, notes

    def _time_notes(self, notes: list[str], place: str = "") -> tuple[str, ...]:
        if self._time is None:
            return ()
        where = ", ".join(filter(None, [place, f'column "{shown(self._names[self._time])}"']))
        return tuple(f"{where}: {note}" for note in notes)

    def _shown_times(self, t: npt.NDArray[Any]) -> Times:
        zone = self._reader.zone
        return Times(t if zone is None else t.view("datetime64[ns]"), zone)

    def _fail(self, column: int, rows: npt.NDArray[np.intp] | slice) -> None:
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
            if piece.table is not None:
                self._held -= piece.table.nbytes
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


def _joined(parts: list[npt.NDArray[Any]]) -> list[npt.NDArray[Any]]:
    """Return arrays as one, as it is where it is one already."""
    return parts if len(parts) < 2 else [np.concatenate(parts)]
