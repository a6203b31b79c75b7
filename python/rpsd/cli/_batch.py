# SPDX-License-Identifier: MIT
"""`rpsd batch`: files in, the same files out with denoised prices, by many processes."""

from __future__ import annotations

import logging
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

import click

from rpsd import Denoiser, Options
from rpsd._schema import fields
from rpsd._text import one_line, shown
from rpsd._unused import warn_of_unused
from rpsd.cli._log import logger
from rpsd.cli._options import batch_options, configuration, once
from rpsd.cli._progress import BatchProgress
from rpsd.cli._show import console, print_json, show, table

if TYPE_CHECKING:
    from rpsd.batch._summary import Summary

_NONE_DELIVERED: Final = 1
_PARTIAL: Final = 4
# Series with breached guardrails that are told of one by one.
_LOOKED_AT: Final = 5


def _read_shard(text: str) -> tuple[int, int]:
    k, slash, n = text.partition("/")
    if slash and k.isdecimal() and n.isdecimal() and 1 <= int(k) <= int(n):
        return int(k), int(n)
    raise click.BadParameter(f"must be K/N with K from 1 to N, as 3/8, got {text!r}")


@click.command()
@click.argument("inputs", metavar="IN...", nargs=-1, required=True)
@once("-o", "--output", metavar="OUT", required=True, help="Folder of the outputs.")
@once("--by", metavar="COLUMN", help="Column that tells the series of a long table apart.")
@once("--time", metavar="COLUMN", help="Time column; found by itself where that is unambiguous.")
@click.option("--no-time", is_flag=True, help="Take the rows in file order, whatever their times.")
@click.option("--value", "values", metavar="COLUMN", multiple=True, help="Price column; may be repeated.")
@click.option("--only", metavar="KEY", multiple=True, help="Series of --by to keep; may be repeated.")
@click.option(
    "--workers",
    metavar="N",
    type=click.IntRange(min=1),
    help="Processes.  [default: max_workers, at most one a processor]",
)
@click.option(
    "--engine",
    type=click.Choice(["local", "ray"]),
    default="local",
    show_default=True,
    help="Processes of this machine, or a Ray cluster.",
)
@once(
    "--address",
    metavar="ADDRESS",
    help="Of a Ray cluster, HOST:PORT or auto.  [default: RAY_ADDRESS, else one is started here]",
)
@click.option("--resume", is_flag=True, help="Keep what an earlier run finished; try again what failed.")
@once("--manifest", metavar="PARQUET", help="Where a copy of the manifest goes.")
@once("--shard", metavar="K/N", read=_read_shard, help="Do every N-th file from the K-th on only.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON summary on standard output.")
@batch_options
def batch(
    inputs: tuple[str, ...],
    output: str,
    by: str | None,
    time: str | None,
    no_time: bool,
    values: tuple[str, ...],
    only: tuple[str, ...],
    workers: int | None,
    engine: str,
    address: str | None,
    resume: bool,
    manifest: str | None,
    shard: tuple[int, int] | None,
    as_json: bool,
    config_path: str | None,
    **given: Any,
) -> int:
    """Denoise the files IN, and those in the folders IN, into the folder OUT under the same names.

    A file that fails, or a series of one, does not stop the others; OUT/_rpsd/manifest.parquet has a row for
    each series. Exit codes: 0 all series delivered, 4 some failed, 1 none delivered, 130 interrupted: what is
    done is kept, and --resume goes on.
    """
    from rpsd.batch import Columns
    from rpsd.batch._run import Batch

    if no_time and time is not None:
        raise click.UsageError("--time and --no-time exclude each other")
    config = configuration(config_path, given)
    options = [name for name in fields(Options) if given[f"denoiser__{name}"] is not None]
    warn_of_unused(config.denoiser, Denoiser(config).options, options)
    job = Batch(
        inputs=inputs,
        output=output,
        columns=Columns(by=by, time=time, no_time=no_time, values=values, only=only),
        config=config,
        resume=resume,
        manifest=manifest,
        shard=shard,
        workers=workers or 0,
        engine=engine,
        address=address,
    )
    sources = job.sources()
    with BatchProgress(sources, job.workforce(sources)) as progress:
        summary = job.run(sources, progress.told)
    _tell(summary, shard)
    if as_json:
        print_json(_summary(summary))
    if not summary.failed:
        return 0
    return _NONE_DELIVERED if summary.failed == summary.series else _PARTIAL


def _tell(summary: Summary, shard: tuple[int, int] | None) -> None:
    """Say what became of the batch; the last line has the counts and where the rest is."""
    if summary.unmatched:
        keys = ", ".join(f'"{shown(key)}"' for key in summary.unmatched)
        logger.warning("--only: no series of any file has the key %s", keys)
    for failure in summary.failures:
        logger.error("%s", _failure(failure))
    if summary.failed > len(summary.failures):
        logger.error("... and %d more, all in the manifest", summary.failed - len(summary.failures))
    if not (logger.isEnabledFor(logging.INFO) or summary.failed):
        return
    if logger.isEnabledFor(logging.INFO) and summary.series:
        facts = table("series", "", title=f"{shown(summary.output)}")
        for action, count in sorted(summary.actions.items()):
            facts.add_row(action, str(count))
        show(console(stderr=True), facts)
        _tell_what_to_look_at(summary)
    files = f"{summary.files} file(s)"
    there = [f"{summary.kept} there already"] if summary.kept else []
    there += [f"{summary.cached} from the cache"] if summary.cached else []
    done = f"{files} ({', '.join(there)})" if there else files
    last = f"shard {shard[0]}/{shard[1]}" if shard else f"manifest {summary.manifest}"
    delivered = summary.series - summary.failed
    counts = f"{summary.series} series in {done}: {delivered} delivered, {summary.failed} failed"
    print(f"rpsd: {one_line(f'{counts}; {last}')}", file=sys.stderr)


def _tell_what_to_look_at(summary: Summary) -> None:
    """Say whose guardrails do not hold, and what was put right in reading."""
    if summary.breached:
        delivered = summary.series - summary.failed
        checks = ", ".join(f"{name} {count}" for name, count in summary.guardrails.most_common())
        logger.info("guardrails breached in %d of %d series: %s", summary.breached, delivered, checks)
        for one in summary.breaches[:_LOOKED_AT]:
            logger.info("breached: %s: %s", _place(one), one["breached"].replace(",", ", "))
        if summary.breached > _LOOKED_AT:
            more = summary.breached - _LOOKED_AT
            logger.info("... and %d more, in the manifest's column breached", more)
    if summary.note is not None:
        notes = f"notes on {summary.noted} of {summary.files} file(s), in the manifest's column notes"
        logger.info("%s; such as %s: %s", notes, shown(summary.note["file"]), summary.note["note"])


def _failure(failure: Mapping[str, str]) -> str:
    """Return which series failed and why, in one line."""
    error, column = failure["error"], f'column "{shown(failure["column"])}"'
    told = failure["column"] and column not in error
    return f"{_place(failure)}: {f'{column}: ' if told else ''}{error}"


def _place(series: Mapping[str, str]) -> str:
    """Return what a series is called: its file, and its key in it."""
    return ": ".join(shown(series[name]) for name in ("file", "key") if series[name])


def _summary(summary: Summary) -> dict[str, Any]:
    return {
        "output": summary.output,
        "manifest": summary.manifest,
        "files": summary.files,
        "kept": summary.kept,
        "cached": summary.cached,
        "series": summary.series,
        "delivered": summary.series - summary.failed,
        "failed": summary.failed,
        "breached": summary.breached,
        "guardrails": dict(sorted(summary.guardrails.items())),
        "noted": summary.noted,
        "unmatched": summary.unmatched,
        "actions": dict(sorted(summary.actions.items())),
        "failures": summary.failures,
        "breaches": summary.breaches,
    }
