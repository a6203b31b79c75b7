# SPDX-License-Identifier: MIT
"""Lines in, lines out: rows are pushed in the order in which they come, and printed with their estimates."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from rpsd import Denoiser, Stream
from rpsd._errors import InputError, StateError
from rpsd._text import shown
from rpsd.batch.files import check_is_no_other_format
from rpsd.cli._log import logger
from rpsd.cli.lines._layout import NAME, Row, read_layout
from rpsd.cli.lines._state import Held, Series, State

_F64 = npt.NDArray[np.float64]

_LONGEST: Final = 1 << 20


@dataclass(slots=True)
class _Live:
    """A series: its stream, a bank of its price columns, and the rows without an estimate yet."""

    stream: Stream
    held: list[Row | None]


class Flow:
    """What `rpsd stream` does to its input.

    Parameters
    ----------
    denoiser : Denoiser
        Of every series.
    state : State
        Where to go on; a new one at the start. It is kept up to date but for the streams: see `saved`.
    skip_seen : bool
        The input begins anew with the lines that the state has seen.
    skip_bad : bool
        Leave out bad lines with a warning.
    max_series : int
        More series are an error.

    Raises
    ------
    StateError, InputError
        For a state that no flow has saved.
    """

    def __init__(
        self, denoiser: Denoiser, state: State, *, skip_seen: bool, skip_bad: bool, max_series: int
    ) -> None:
        self._denoiser, self._state, self._layout = denoiser, state, state.layout
        self._skip_bad, self._max_series = skip_bad, max_series
        self._lookahead = int(state.options["lookahead"])
        self._to_skip = state.lines if skip_seen else 0
        self._number, self._begins, self._begun = 0, True, b""
        self._run: list[Row] = []
        self._out: list[str] = []
        if not (state.layout.fits() if state.layout else not state.series):
            raise StateError("columns that are none")
        self._series = {key: self._restored(saved) for key, saved in state.series.items()}
        held = [row for live in self._series.values() for row in live.held if row is not None]
        # The last row read, if it is held: blank lines that follow it stay behind it.
        self._last = next((row for row in held if row.order == state.rows - 1), None)

    def take(self, data: bytes) -> None:
        """Take some of the input; an InputError leaves done what came before the bad line."""
        lines = (self._begun + data).split(b"\n")
        self._begun = lines.pop()
        self._take(line + b"\n" for line in lines)
        if len(self._begun) > _LONGEST:
            raise InputError(f"{NAME}: line {self._number + 1}: longer than {_LONGEST} bytes")

    def end(self, *, more: bool, flush: bool) -> None:
        """Take the end of the input.

        Parameters
        ----------
        more : bool
            Held rows stay for an input that goes on later, and the last line is ended for it.
        flush : bool
            Print held rows with what is known of them; without it and `more` they are printed as missing.
        """
        if self._begun:
            last, self._begun = self._begun, b""
            self._take([last + (b"\n" if more else b"")])
        if self._to_skip:
            raise InputError(
                f"{NAME}: it ends after line {self._number} of the {self._state.lines} that the state has "
                "seen; --skip-seen needs an input that begins anew"
            )
        if flush or not more:
            self._print_held(flush=flush)
        if not self._state.rows:
            raise InputError(f"{NAME}: no data rows")

    def printed(self) -> bytes:
        """Return what is to be printed now, and not again."""
        text = "".join(self._out)
        self._out.clear()
        self._state.printed += text.count("\n")
        return text.encode()

    def saved(self) -> State:
        """Return the state with that of the streams."""
        self._state.layout = self._layout
        self._state.series = {
            key: Series(
                live.stream.snapshot(),
                [Held(-1, None) if row is None else Held(row.order, row.text) for row in live.held],
            )
            for key, live in self._series.items()
        }
        return self._state

    def _restored(self, saved: Series) -> _Live:
        held: list[Row | None] = []
        for kept in saved.held:
            row = None
            if kept.text is not None and self._layout is not None:
                line, end, blank = kept.text.partition("\n")
                row = self._layout.row(line + end, 0, kept.order)
                row.text += blank
            held.append(row)
        stream = Stream.restore(saved.snapshot)
        columns = 0 if self._layout is None else len(self._layout.values)
        if (stream.n_series, stream.options.lookahead) != (columns, self._lookahead):
            raise StateError("a stream of other columns or another lookahead")
        if len(held) > self._lookahead:
            raise StateError(f"{len(held)} held rows with lookahead={self._lookahead}")
        return _Live(stream, held)

    def _take(self, lines: Iterable[bytes]) -> None:
        for line in lines:
            self._number += 1
            if self._number == 1:
                check_is_no_other_format(line, NAME)
            try:
                text = line.decode()
            except UnicodeDecodeError as error:
                self._refuse(InputError(f"byte 0x{line[error.start]:02x} is not UTF-8"), self._number)
                continue
            if self._number == 1 and text.startswith("\ufeff"):
                logger.warning("%s: the byte-order mark at the start was removed", NAME)
                text = text[1:]
            content = text.rstrip("\n").removesuffix("\r")
            if self._is_known(text, content):
                continue
            if self._layout is None or not content:
                self._print_blank(text)
                continue
            try:
                row = self._layout.row(text, self._number, self._state.rows + len(self._run))
            except InputError as error:
                self._refuse(error, self._number)
                continue
            if self._run and self._run[0].key != row.key:
                self._push_run()
            self._run.append(row)
        self._push_run()

    def _is_known(self, text: str, content: str) -> bool:
        """Tell whether a line needs nothing more: seen before, or the header."""
        first, self._begins = self._begins and content != "", self._begins and content == ""
        header = None if self._layout is None else self._layout.header
        if self._to_skip:
            if first and header and content != header:
                raise InputError(
                    f"{NAME}: line {self._number} is not the header that the state has seen; "
                    "--skip-seen needs an input that begins anew"
                )
            self._to_skip -= 1
            return True
        if first and header is None:
            self._layout = read_layout(content, self._state.chosen)
            if self._layout.header:
                self._out.append(text)
                self._state.lines += 1
            return bool(self._layout.header)
        # An input that goes on may begin with the header again, as the file of another day does.
        return first and content == header

    def _push_run(self) -> None:
        """Push the rows that were read; they are of one series, so that one call takes them all."""
        run, self._run = self._run, []
        if run:
            self._push(run)

    def _push(self, run: list[Row]) -> None:
        try:
            live = self._known(run[0])
            y = live.stream.push_many(np.array([row.samples for row in run]).T)
        except InputError as error:
            if len(run) == 1:
                self._refuse(error, run[0].number)
            else:
                for row in run:
                    self._push([row])
            return
        live.held += run
        ready = max(0, len(live.held) - self._lookahead)
        self._print(live.held[:ready], y[:, y.shape[1] - ready :].T)
        del live.held[:ready]
        self._last = run[-1] if self._lookahead else None
        self._state.lines += len(run)
        self._state.rows += len(run)

    def _known(self, row: Row) -> _Live:
        """Return the series of a row, a new one if need be."""
        live = self._series.get(row.key)
        if live is None:
            if len(self._series) >= self._max_series:
                raise InputError(
                    f'"{shown(row.key)}" would be series {len(self._series) + 1}; '
                    f"allowed: {self._max_series} (--max-series)"
                )
            live = self._series[row.key] = _Live(self._denoiser.stream(len(row.samples)), [])
        return live

    def _refuse(self, error: InputError, number: int) -> None:
        self._push_run()
        # The core counts samples of the series.
        message = f"{NAME}: line {number}: {re.sub(r' at position [0-9]+', '', str(error))}"
        if not self._skip_bad or self._layout is None:
            raise InputError(message) from None
        logger.warning("%s; skipped", message)
        self._state.lines += 1

    def _print_blank(self, text: str) -> None:
        self._push_run()
        self._state.lines += 1
        if self._last is None:
            self._out.append(text)
        else:
            self._last.text += text

    def _print_held(self, *, flush: bool) -> None:
        """Print what waits for samples that do not come, in the order of the input."""
        rows: list[tuple[Row | None, _F64]] = []
        for live in self._series.values():
            y = live.stream.flush().T
            if not flush:
                y[:] = np.nan
            rows += zip(live.held, y[self._lookahead - len(live.held) :], strict=True)
            live.held = [None] * len(live.held)
        self._last = None
        rows.sort(key=lambda pair: -1 if pair[0] is None else pair[0].order)
        for row, estimates in rows:
            self._print([row], estimates[None])

    def _print(self, rows: list[Row | None], y: _F64) -> None:
        for row, estimates in zip(rows, y.tolist(), strict=True):
            if row is not None and self._layout is not None:
                self._out.append(self._layout.replaced(row, estimates))
