# SPDX-License-Identifier: MIT
"""`rpsd denoise`: a file in, the same file out with denoised prices."""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import click
import numpy as np
import numpy.typing as npt

from rpsd import Config, Denoiser, GuardrailError, InputError, Options, Result
from rpsd._breaks import session_starts
from rpsd._result import noise_data, report_data
from rpsd._schema import fields
from rpsd._text import shown
from rpsd._unused import warn_of_unused
from rpsd.batch import Columns, Outcome
from rpsd.batch._receipt import as_plain, file_hash, make_receipt, make_settings
from rpsd.batch._series import fields_of
from rpsd.batch.files import (
    Outputs,
    Table,
    Times,
    check_writable,
    choose_columns,
    format_of,
    passed_over,
    read_numbers,
    read_times,
    read_whole,
    written,
)
from rpsd.cli._log import logger
from rpsd.cli._noise import action_rows, noise_rows
from rpsd.cli._options import configuration, denoiser_options, once
from rpsd.cli._show import console, guardrail_table, print_json, show, table

_F64 = npt.NDArray[np.float64]
_STDOUT: Final = (None, "-")


@dataclass(frozen=True, eq=False)
class _Job:
    """A table read, checked, and denoised."""

    table: Table
    time: int | None
    times: Times | None
    notes: list[str]
    inputs: dict[int, _F64]
    results: dict[int, Result]


@click.command()
@click.argument("in_path", metavar="IN")
@once("-o", "--output", metavar="OUT", help="File to write; without it, or -, standard output.")
@once("--plot", metavar="PNG", help="Draw the series before and after.")
@once("--report", metavar="HTML", help="Write a page of pictures and tables.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON summary on standard output (needs -o).")
@once("--time", metavar="COLUMN", help="Time column; found by itself where that is unambiguous.")
@click.option("--no-time", is_flag=True, help="Take the rows in file order, whatever their times.")
@click.option("--value", "values", metavar="COLUMN", multiple=True, help="Price column; may be repeated.")
@denoiser_options
def denoise(
    in_path: str,
    output: str | None,
    plot: str | None,
    report: str | None,
    as_json: bool,
    time: str | None,
    no_time: bool,
    values: tuple[str, ...],
    config_path: str | None,
    **given: Any,
) -> None:
    """Denoise the prices in the CSV or Parquet file IN (- is standard input).

    The output has the same rows, columns, order and text; only the price column has new numbers. A relative
    IN is taken from the data directory (RPSD_DATA_DIR). Outputs are written beside their places and renamed,
    so nothing is ever half-written.
    """
    _check_outputs(output, plot, report, as_json, values)
    if no_time and time is not None:
        raise click.UsageError("--time and --no-time exclude each other")
    config = configuration(config_path, given)
    denoiser = Denoiser(config)
    options = [name for name in fields(Options) if given[f"denoiser__{name}"] is not None]
    warn_of_unused(config.denoiser, denoiser.options, options)
    source, file = read_whole(in_path, str(config.paths.data_path))
    if output is not None and output != "-" and format_of(output) != source.format:
        raise click.UsageError(
            f"the output has the format of the input, {source.format.suffix}; got -o {output}"
        )
    time_column, columns = choose_columns(file, time, values, no_time=no_time)
    notes = [] if time is not None or no_time else passed_over(file, time_column, columns)
    job = _denoise(file, time_column, columns, config, denoiser, notes)
    asked = Columns(time=time, no_time=no_time, values=values)
    pieces = written(
        source,
        job.table,
        {column: result.values for column, result in job.results.items()},
        {} if source.format.kind == "csv" else _receipt(job, asked, config, in_path),
    )
    with Outputs() as outputs:
        if plot is not None:
            outputs.add(plot, [_picture(job)])
        if report is not None:
            outputs.add(report, [_page(job)])
        if output in _STDOUT:
            for piece in pieces:
                sys.stdout.buffer.write(piece)
            sys.stdout.buffer.flush()
        else:
            outputs.add(output, pieces)
        outputs.commit()
    _tell(job)
    if as_json:
        print_json(_summary(job, in_path, output, plot, report))


def _check_outputs(
    output: str | None, plot: str | None, report: str | None, as_json: bool, values: Sequence[str]
) -> None:
    """Refuse what cannot work before any file is read."""
    if output == "":
        raise click.UsageError("-o must name a file, got an empty name")
    if output in _STDOUT and as_json:
        raise click.UsageError("--json prints its summary where the data go without -o; give -o OUT")
    if plot is not None and len(values) > 1:
        raise click.UsageError("--plot draws one column; give --value once, or take --report")
    if plot is not None and not plot.lower().endswith(".png"):
        raise click.UsageError(f"--plot writes PNG; the name must end in .png, got {plot}")
    if report is not None and not report.lower().endswith((".html", ".htm")):
        raise click.UsageError(f"--report writes HTML; the name must end in .html or .htm, got {report}")
    places: dict[Path, str] = {}
    for option, path in (("-o", output), ("--plot", plot), ("--report", report)):
        if path in _STDOUT:
            continue
        other = places.setdefault(Path(path).resolve(), option)
        if other != option:
            raise click.UsageError(f"{other} and {option} name the same file, {path}")
        check_writable(path)


def _denoise(
    file: Table,
    time_column: int | None,
    columns: list[int],
    config: Config,
    denoiser: Denoiser,
    more_notes: Sequence[str],
) -> _Job:
    notes = [*file.mends, *more_notes]
    times = None
    if time_column is not None:
        times, time_notes = read_times(file, time_column)
        notes += time_notes
    for note in notes:
        logger.warning("%s: %s", file.name, note)
    inputs = {column: read_numbers(file, column) for column in columns}
    if config.denoiser.breaks == "auto" and times is not None and times.zone is not None:
        mask = np.zeros(file.rows, dtype=bool)
        stamps = times.values.astype(np.int64)
        causal = config.denoiser.lookahead is not None
        mask[session_starts("auto", file.rows, stamps, causal=causal)] = True
        denoiser = Denoiser(config, breaks=mask)
    results = {}
    for column, series in inputs.items():
        name = f'column "{shown(file.columns[column])}"'
        if np.isnan(series).all():
            raise InputError(f"{file.name}: {name}: no number in any row")
        try:
            results[column] = denoiser.run(series, threads=config.performance.threads)
        except GuardrailError as error:
            if logger.isEnabledFor(logging.INFO):
                show(console(stderr=True), guardrail_table(error.report, title=shown(file.columns[column])))
            raise
        except InputError as error:
            raise _placed(error, file, name) from None
    return _Job(file, time_column, times, notes, inputs, results)


def _receipt(job: _Job, columns: Columns, config: Config, in_path: str) -> dict[str, Any]:
    """Return what decided the values and what came out; of standard input nothing is left to hash."""
    series = [
        Outcome(
            column=job.table.columns[i], rows=job.table.rows, notes=tuple(job.notes), **fields_of(result)[0]
        )
        for i, result in job.results.items()
    ]
    digest = None if in_path == "-" else file_hash(job.table.name)
    return make_receipt(make_settings(columns, config), digest, as_plain(series))


def _placed(error: InputError, file: Table, name: str) -> InputError:
    """Return an error of the core with the file, the line and the column instead of the position."""
    position = re.search(r" at position (\d+)", str(error))
    if position is None:
        return InputError(f"{file.name}: {name}: {error}")
    text = str(error).replace(position.group(), "", 1)
    return InputError(f"{file.name}: {file.place(int(position.group(1)))}, {name}: {text}")


def _picture(job: _Job) -> bytes:
    from rpsd.report import plot_denoised, to_png

    ((column, series),) = job.inputs.items()
    name, result = job.table.columns[column], job.results[column]
    told = "returned as it is by" if result.action == "passthrough" else "before and after"
    figure = plot_denoised(
        None if job.times is None else job.times.values,
        series,
        result.values,
        name=name,
        title=f"{Path(job.table.name).name}: {name} {told} rpsd denoise",
        zone="" if job.times is None else job.times.zone or "",
        noise_sd=result.noise.noise_sd,
        log=result.options.space == "log",
    )
    return to_png(figure)


def _page(job: _Job) -> bytes:
    from rpsd.report import to_html

    page = to_html(
        {job.table.columns[column]: result for column, result in job.results.items()},
        title=f"{Path(job.table.name).name}, denoised",
        time=None if job.times is None else job.times.values,
        zone="" if job.times is None else job.times.zone or "",
        notes=job.notes,
    )
    return page.encode()


def _tell(job: _Job) -> None:
    """Print what was done, column by column, on standard error."""
    if not logger.isEnabledFor(logging.INFO):
        return
    where = console(stderr=True)
    offline = "none (offline: every value uses the whole series)"
    for column, result in job.results.items():
        facts = table("", "", title=f"{job.table.name}: {shown(job.table.columns[column])}")
        facts.show_header = False
        for key, value in (
            ("rows", str(job.table.rows)),
            ("missing", str(result.missing)),
            *((("sessions", str(result.sessions)),) if result.options.breaks is not None else ()),
            *noise_rows(result.noise),
            *action_rows(result, job.inputs[column]),
            ("lookahead", offline if result.lookahead is None else str(result.lookahead)),
        ):
            facts.add_row(key, value)
        show(where, facts)
        show(where, guardrail_table(result.report))


def _summary(
    job: _Job, in_path: str, output: str | None, plot: str | None, report: str | None
) -> dict[str, Any]:
    return {
        "input": in_path,
        "output": output,
        "plot": plot,
        "report": report,
        "rows": job.table.rows,
        "time": None if job.time is None else job.table.columns[job.time],
        "notes": job.notes,
        "series": [
            {
                "column": job.table.columns[column],
                "missing": int(result.missing),
                "sessions": int(result.sessions),
                "noise_sd": float(result.noise.noise_sd),
                "noise": noise_data(result.noise),
                "level": int(result.level),
                "action": str(result.action),
                "strength": float(result.strength),
                "binding": str(result.binding),
                "lookahead": result.lookahead,
                "warmup": int(result.warmup),
                "report": report_data(result.report),
            }
            for column, result in job.results.items()
        ],
    }
