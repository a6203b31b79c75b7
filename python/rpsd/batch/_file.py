# SPDX-License-Identifier: MIT
"""Denoise every series of a file, with a bounded memory."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from rpsd._config import Config
from rpsd._errors import RpsdError
from rpsd.batch._outcome import Columns, Outcome
from rpsd.batch._regions import OutOfOrder, Regions
from rpsd.batch._series import Runner
from rpsd.batch.files import LEAST_ROWS, MOST_HELD, Source, open_sink, open_source


def denoise_file(
    source: str,
    target: str,
    columns: Columns,
    config: Config,
    *,
    name: str,
    threads: int,
    metadata: Callable[[Sequence[Outcome]], Mapping[str, Any]],
) -> list[Outcome]:
    """Denoise every series of a file and write the whole file with its new values.

    Parameters
    ----------
    source, target : str
        Paths. `target` is flushed and synced, not renamed. It is not written where a file of one series
        a column (no `by`) has a column that failed, and where all series failed.
    columns : Columns
    config : Config
    name : str
        What messages call the file; its suffixes give the format.
    threads : int
    metadata : callable
        Takes the outcomes and returns what Parquet and Arrow files keep as JSON under the schema's key
        ``rpsd``.

    Returns
    -------
    list of Outcome
        A series each, in the order in which they begin in the file. In a table with `by` the rows of series
        that failed have no value.

    Raises
    ------
    InputError
        Where the file cannot be read, has no such column, or no rows.
    RpsdError
        Where `target` cannot be written.
    """
    runner = Runner(config, threads)
    rows = max(LEAST_ROWS, config.performance.chunk_size)
    file = open_source(source, name, rows=rows, parallel=threads != 1)
    small = file.size <= MOST_HELD
    try:
        # Series that have ended are written before those that follow are read; in Arrow files what is
        # known at the end stands at the beginning.
        early = not small and columns.by is not None and file.format.kind != "arrow"
        room = MOST_HELD if small or early else 0
        try:
            return _denoise(file, target, columns, runner, metadata, early=early, room=room)
        except OutOfOrder:
            return _denoise(file, target, columns, runner, metadata, early=False, room=0)
    except BaseException as error:
        Path(target).unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise RpsdError(f"the output cannot be written: {error.strerror or error}") from None
        raise
    finally:
        file.close()


def _denoise(
    file: Source,
    target: str,
    columns: Columns,
    runner: Runner,
    metadata: Callable[[Sequence[Outcome]], Mapping[str, Any]],
    *,
    early: bool,
    room: int,
) -> list[Outcome]:
    regions = Regions(file, columns, runner, early=early, room=room)
    with open(target, "wb") as out, ExitStack() as stack:
        sink = None
        for piece, values, failed in regions:
            if sink is None:
                sink = open_sink(out, file, regions.values, lambda: metadata(regions.outcomes))
                stack.callback(sink.close)
            sink.write(piece, values, failed)
        if sink is not None and regions.delivers:
            sink.finish()
            out.flush()
            os.fsync(out.fileno())
    if not regions.delivers:
        os.unlink(target)
    return regions.outcomes
