# SPDX-License-Identifier: MIT
"""`rpsd tune`: options chosen by how well they do on later parts of a file than those they saw."""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import click
import numpy as np
import numpy.typing as npt

from rpsd import Candidate, Config, ConfigError, InputError, Options, Tuned
from rpsd import tune as tune_series
from rpsd._breaks import Mask, session_starts
from rpsd._config_file import read_grid
from rpsd._folds import LEAST_PART
from rpsd._options import make_options
from rpsd._schema import fields, unknown
from rpsd._text import shown
from rpsd.batch.files import (
    Outputs,
    check_writable,
    choose_columns,
    passed_over,
    read_numbers,
    read_table,
    read_times,
)
from rpsd.cli._log import logger
from rpsd.cli._options import configuration, once, tuning_options
from rpsd.cli._show import console, number, print_json, show, table

_MOST_ROWS: Final = 20
_UNITS: Final = {
    "likelihood": "nats a sample above forecasting the newest price",
    "smoothness": "dB smoother than the input",
}
_DIGITS: Final = {"likelihood": 4, "smoothness": 2}

_Grid = list[dict[str, list[Any]]]


@click.command()
@click.argument("in_path", metavar="IN")
@click.option(
    "--grid",
    "grids",
    metavar="YAML|OPTION=V1,V2",
    multiple=True,
    required=True,
    help="Values to try: a file, or an option and its values; may be repeated.",
)
@click.option(
    "--objective",
    type=click.Choice(["likelihood", "smoothness"]),
    default="likelihood",
    help="What is best: forecasts of the next price, or the smoothest that passes all guardrails.",
    show_default=True,
)
@click.option(
    "--folds", type=click.IntRange(min=2), metavar="N", default=5, help="Test parts.", show_default=True
)
@click.option(
    "--train",
    type=click.IntRange(min=LEAST_PART),
    metavar="N",
    help="Samples of a training part.  [default: all before]",
)
@click.option(
    "--purge",
    type=click.IntRange(min=0),
    metavar="N",
    help="Samples between training and test part.  [default: what values depend on]",
)
@click.option(
    "--embargo",
    type=click.IntRange(min=0),
    metavar="N",
    help="Samples after a test part that no fold uses.  [default: a hundredth of the rows]",
)
@click.option(
    "--random",
    "n_random",
    type=click.IntRange(min=1),
    metavar="N",
    help="Combinations to draw.  [default: all]",
)
@click.option(
    "--seed", type=click.IntRange(min=0), metavar="S", default=0, help="Seed of the draw.", show_default=True
)
@click.option(
    "--workers",
    type=click.IntRange(0, 1024),
    metavar="N",
    default=1,
    help="Threads; 0 is all.",
    show_default=True,
)
@once("-o", "--output", metavar="OUT", help="YAML to write; without it, or -, standard output.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON on standard output, in place of YAML.")
@once("--time", metavar="COLUMN", help="Time column; found by itself where that is unambiguous.")
@click.option("--no-time", is_flag=True, help="Take the rows in file order, whatever their times.")
@click.option("--value", "values", metavar="COLUMN", multiple=True, help="Price column; may be repeated.")
@tuning_options
def tune(
    in_path: str,
    grids: tuple[str, ...],
    n_random: int | None,
    output: str | None,
    as_json: bool,
    time: str | None,
    no_time: bool,
    values: tuple[str, ...],
    config_path: str | None,
    objective: str,
    folds: int,
    train: int | None,
    purge: int | None,
    embargo: int | None,
    seed: int,
    workers: int,
    **given: Any,
) -> None:
    """Choose options for the prices in the CSV or Parquet file IN (- is standard input).

    Every combination of the grid is tried by walking forward over the rows: each part is tested with what
    came before it. The best is written as a configuration that --config takes; the table goes to standard
    error. Options that the grid does not name come from --config and the options below. Several price
    columns get one choice.
    """
    if no_time and time is not None:
        raise click.UsageError("--time and --no-time exclude each other")
    if output == "":
        raise click.UsageError("-o must name a file, got an empty name")
    to_file = output not in (None, "-")
    if to_file:
        check_writable(str(output))
    config = configuration(config_path, given)
    grid = _read_grids(grids)
    series, starts = _read(in_path, time, values, config, no_time=no_time)
    base = config.denoiser
    if starts is not None:
        # The library sees no times: "auto" becomes the mask that they make, and is put back below.
        grid = [{name: _masked(name, listed, starts) for name, listed in part.items()} for part in grid]
        base = make_options(base, breaks=starts) if base.breaks == "auto" else base
    with _progress() as progress:
        tuned = tune_series(
            series,
            grid,
            config=base,
            guardrails=config.guardrails,
            objective=objective,
            folds=folds,
            train=train,
            purge=purge,
            embargo=embargo,
            n_random=n_random,
            seed=seed,
            workers=workers,
            progress=progress,
        )
    settings = tuned.to_config()
    if isinstance(tuned.best.breaks, Mask):
        settings["denoiser"]["breaks"] = "auto"
    text = _yaml(tuned, settings)
    if to_file:
        with Outputs() as outputs:
            outputs.add(str(output), [text.encode()])
            outputs.commit()
    _tell(tuned, in_path)
    if as_json:
        print_json(_json(tuned, settings, in_path, output))
    elif not to_file:
        click.echo(text, nl=False)


def _read_grids(given: tuple[str, ...]) -> _Grid:
    """Return the grids: options on the command line go with each grid of a file."""
    known = fields(Options)
    on_line: dict[str, list[Any]] = {}
    grids: _Grid = [{}]
    for text in given:
        name, is_option, listed = text.partition("=")
        if not is_option or os.sep in name:
            try:
                read = read_grid(Path(text), known)
            except (FileNotFoundError, NotADirectoryError):
                raise ConfigError(
                    f"--grid: there is no file {shown(text)}; allowed: a YAML file, or OPTION=V1,V2,..."
                ) from None
            grids = [first | second for first in grids for second in read]
            continue
        name = name.strip().replace("-", "_")
        if name not in known:
            raise ConfigError(f"--grid: {unknown('option', name, known)}")
        try:
            on_line[name] = [known[name].parse(value) for value in listed.split(",")]
        except (ConfigError, InputError) as error:
            raise ConfigError(f"--grid {shown(text)}: {error}") from None
    return [part | on_line for part in grids]


def _read(
    in_path: str, time: str | None, values: tuple[str, ...], config: Config, *, no_time: bool
) -> tuple[npt.NDArray[np.float64], Mask | None]:
    """Return the price columns, series x time, and where the times begin sessions, if there are times."""
    file = read_table(in_path, str(config.paths.data_path))
    time_column, columns = choose_columns(file, time, values, no_time=no_time)
    notes = list(file.mends)
    if time is None and not no_time:
        notes += passed_over(file, time_column, columns)
    starts = None
    if time_column is not None:
        times, time_notes = read_times(file, time_column)
        notes += time_notes
        if times.zone is not None:
            first = np.zeros(file.rows, dtype=bool)
            # By what came before each, as the library tells them: a test part is no part of what is known.
            first[session_starts("auto", file.rows, times.values.astype(np.int64), causal=True)] = True
            starts = Mask(first.tolist())
    for note in notes:
        logger.warning("%s: %s", file.name, note)
    series = np.stack([read_numbers(file, column) for column in columns])
    for column, prices in zip(columns, series, strict=True):
        if np.isnan(prices).all():
            name = shown(file.columns[column])
            raise InputError(f'{file.name}: column "{name}": no number in any row')
    return series, starts


def _masked(name: str, listed: list[Any], starts: Mask) -> list[Any]:
    return [starts if name == "breaks" and value == "auto" else value for value in listed]


@contextlib.contextmanager
def _progress() -> Iterator[Callable[[int, int], object] | None]:
    """Yield what shows how many candidates are done; None where nobody looks."""
    where = console(stderr=True)
    if not where.is_terminal or not logger.isEnabledFor(logging.INFO):
        yield None
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("candidates"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=where, transient=True) as bar:
        task = bar.add_task("", total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def _yaml(tuned: Tuned, settings: dict[str, dict[str, object]]) -> str:
    import yaml

    best = tuned.table[tuned.best_index]
    about = (
        f"# rpsd tune: {_words(best)}\n"
        f"# best of {len(tuned.table)} by {tuned.objective}: {best.mean:.6g}, s.e. {best.standard_error:.2g} "
        f"({_UNITS[tuned.objective]})\n"
        f"# folds {len(tuned.folds)}, purge {tuned.purge}, embargo {tuned.embargo}\n"
    )
    return about + str(yaml.safe_dump(settings, sort_keys=False, allow_unicode=True))


def _words(row: Candidate) -> str:
    """Return what the grid gave, as --grid takes it."""
    choice = {name: "auto" if isinstance(value, Mask) else value for name, value in row.choice.items()}
    return " ".join(f"{name}={_shown(value)}" for name, value in choice.items()) or "the options given"


def _shown(value: object) -> str:
    if isinstance(value, tuple):
        return ",".join(map(_shown, value))
    return "none" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def _tell(tuned: Tuned, in_path: str) -> None:
    """Print the candidates, the best first, on standard error."""
    if not logger.isEnabledFor(logging.INFO):
        return
    order = sorted(range(len(tuned.table)), key=lambda k: (k != tuned.best_index, -tuned.table[k].mean))
    out = table("candidate", tuned.objective, "s.e.", "guardrails", title=f"{in_path}: best first")
    digits = _DIGITS[tuned.objective]
    for k in order[:_MOST_ROWS]:
        row = tuned.table[k]
        verdict = "passed" if row.passed else "breached"
        out.add_row(_words(row), _signed(row.mean, digits), number(row.standard_error, digits), verdict)
    where = console(stderr=True)
    show(where, out)
    if len(order) > _MOST_ROWS:
        where.print(f"and {len(order) - _MOST_ROWS} more; --json lists all of them")
    for line in _remarks(tuned):
        where.print(line)


def _signed(value: float, digits: int) -> str:
    return number(round(value, digits) + 0.0, digits)  # no -0.0000


def _remarks(tuned: Tuned) -> Iterator[str]:
    best, digits = tuned.table[tuned.best_index], _DIGITS[tuned.objective]
    yield (
        f"{tuned.objective}: {_UNITS[tuned.objective]}, mean of {len(tuned.folds)} test parts "
        f"(purge {tuned.purge}, embargo {tuned.embargo})"
    )
    yield (
        f"walk forward: {_signed(tuned.forward, digits)}, s.e. {number(tuned.forward_error, digits)}, chosen "
        "in each fold by its training part alone; the best of many is too good by design, this is not"
    )
    if tuned.objective == "likelihood" and best.mean < 2 * best.standard_error:
        yield "no candidate is better than doing nothing by two standard errors: this choice may be luck"
    elif tuned.objective == "likelihood" and tuned.forward < 0:
        yield "chosen by the past alone, the candidates earned less than doing nothing: do not trust them"


def _json(
    tuned: Tuned, settings: dict[str, dict[str, object]], in_path: str, output: str | None
) -> dict[str, Any]:
    return {
        "input": in_path,
        "output": output,
        "objective": tuned.objective,
        "purge": tuned.purge,
        "embargo": tuned.embargo,
        "best": tuned.best_index,
        "forward": tuned.forward,
        "forward_error": tuned.forward_error,
        "config": settings,
        "candidates": [
            {
                "options": {name: _plain(value) for name, value in row.choice.items()},
                "mean": row.mean,
                "standard_error": row.standard_error,
                "scores": list(row.scores),
                "passed": row.passed,
            }
            for row in tuned.table
        ],
        "folds": [
            {
                "train": [list(stretch) for stretch in fold.train],
                "test": list(fold.test),
                "chosen": fold.chosen,
                "score": fold.score,
                "passed": fold.passed,
            }
            for fold in tuned.folds
        ],
    }


def _plain(value: Any) -> Any:
    if isinstance(value, Mask):
        return "auto"
    return [_plain(item) for item in value] if isinstance(value, tuple) else value
