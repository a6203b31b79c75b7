# SPDX-License-Identifier: MIT
"""`rpsd stream`: lines in, lines out, with a state that outlives the process."""

from __future__ import annotations

import re
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

import click
import msgspec

from rpsd import Denoiser, InputError, Options, RpsdError, StateError
from rpsd._schema import fields
from rpsd._unused import warn_of_unused
from rpsd.batch.files import check_writable
from rpsd.cli._log import logger
from rpsd.cli._options import configuration, once, stream_options
from rpsd.cli.lines import Chosen, Flow, Pipes, State, no_state, read_state, write_state

_INTERRUPTED: Final = 130


@dataclass
class _Saving:
    """Where the state goes, and when; `done` lines are in it already."""

    path: str | None
    lines: float
    seconds: float
    done: int = 0
    at: float = field(default_factory=time.monotonic)

    def wait(self, state: State) -> float | None:
        """Return the seconds until the state is due, or None where nothing is to be saved."""
        if self.path is None or self.done == state.lines:
            return None
        if state.lines - self.done >= self.lines:
            return 0
        return None if self.seconds == float("inf") else max(0, self.at + self.seconds - time.monotonic())

    def save(self, saved: Callable[[], State], pipes: Pipes) -> None:
        """Save the state; what it says was printed has been."""
        if self.path is None:
            return
        pipes.sync()
        state = saved()
        state.unsent = bytes(pipes.unsent)
        write_state(self.path, state)
        self.done, self.at = state.lines, time.monotonic()


@click.command()
@once("--time", metavar="COLUMN", help="Time column; its text is kept and not read.")
@click.option("--value", "values", metavar="COLUMN", multiple=True, help="Price column; may be repeated.")
@once("--series", metavar="COLUMN", help="Column that tells series apart; each has its own stream.")
@once("--columns", metavar="NAMES", help="Names of the columns, with commas, where no header comes.")
@once("--state", "path", metavar="FILE", help="Go on from FILE if it is there; save the state in it.")
@click.option(
    "--save-every",
    metavar="N|Ns",
    help="Save the state every N lines, or N seconds, while lines come too.  [default: 10s]",
)
@click.option("--skip-seen", is_flag=True, help="The input begins anew: skip the lines the state has seen.")
@click.option("--flush", is_flag=True, help="At the end of input print the last rows with what is known.")
@click.option(
    "--on-error",
    type=click.Choice(["fail", "skip"]),
    default="fail",
    show_default=True,
    help="What a bad line does: end the command, or go with a warning.",
)
@click.option(
    "--max-series",
    type=click.IntRange(min=1),
    metavar="N",
    default=1000,
    show_default=True,
    help="A further series is a bad line.",
)
@stream_options
def stream(
    time: str | None,
    values: tuple[str, ...],
    series: str | None,
    columns: str | None,
    path: str | None,
    save_every: str | None,
    skip_seen: bool,
    flush: bool,
    on_error: str,
    max_series: int,
    config_path: str | None,
    **given: Any,
) -> int:
    """Denoise prices line by line, from standard input to standard output.

    A line is one number, or a row of a CSV file that begins with a header. Each row comes out at once, with
    the estimate in place of the price; with --lookahead K (none counts as 0) it comes out when K more of its
    series have come. The output is that of rpsd denoise with the same lookahead.

    SIGTERM ends it with the state saved and exit code 0, SIGINT likewise with 130.
    """
    if path is None and (skip_seen or save_every is not None):
        raise click.UsageError("--skip-seen and --save-every need --state FILE")
    saving = _Saving(path, *_intervals(save_every or "10s"))
    config = configuration(config_path, given)
    denoiser = Denoiser(config)
    options = denoiser.stream().options
    warn_of_unused(
        config.denoiser, options, [name for name in fields(Options) if given[f"denoiser__{name}"] is not None]
    )
    chosen = Chosen(columns, time, values, series)
    found = None
    if path is not None:
        check_writable(path)
        found = read_state(path, msgspec.to_builtins(options), chosen)
    state = found or State(msgspec.to_builtins(options), chosen)
    if found is not None:
        saving.done = found.lines
        logger.info("goes on from %s: %s", path, _told(found, found.unsent))
    try:
        flow = Flow(denoiser, state, skip_seen=skip_seen, skip_bad=on_error == "skip", max_series=max_series)
    except (StateError, InputError) as error:
        raise no_state(path, str(error)) from None
    with Pipes() as pipes:
        _run(flow, state, pipes, saving, flush=flush)
        logger.info("%s%s", _told(state, pipes.unsent), f"; state saved in {path}" if path else "")
        return _INTERRUPTED if pipes.stopped == signal.SIGINT else 0


def _run(flow: Flow, state: State, pipes: Pipes, saving: _Saving, *, flush: bool) -> None:
    """Go through the input; whatever ends it, the state is saved."""
    try:
        pipes.write(state.unsent)
        ended = False
        while not (ended or pipes.stopped):
            data = pipes.read(saving.wait(state))
            try:
                if data:
                    flow.take(data)
                elif data is not None:
                    ended = True
                    flow.end(more=saving.path is not None, flush=flush)
            finally:
                # Where a line is bad, those before it are answered.
                pipes.write(flow.printed())
            if saving.wait(state) == 0:
                saving.save(flow.saved, pipes)
    except (RpsdError, OSError):
        saving.save(flow.saved, pipes)
        raise
    saving.save(flow.saved, pipes)


def _intervals(text: str) -> tuple[float, float]:
    """Return lines and seconds between two savings."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)s|(\d+)", text)
    if found is None or float(found[1] or found[2]) == 0:
        raise click.UsageError(f"--save-every must be lines, as 1000, or seconds, as 10s, got {text}")
    return (float("inf"), float(found[1])) if found[1] else (float(found[2]), float("inf"))


def _told(state: State, unsent: bytes | bytearray) -> str:
    return f"{state.lines} line(s) read, {state.printed - unsent.count(10)} printed"
