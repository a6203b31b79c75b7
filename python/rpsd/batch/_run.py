# SPDX-License-Identifier: MIT
"""A batch from its plan to its manifest."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rpsd import Config, Denoiser, build_info
from rpsd._errors import ConfigError, InputError, warn
from rpsd._text import encodable
from rpsd.batch._journal import Journal, journal_name
from rpsd.batch._manifest import manifest_path, read_manifest, write_manifest
from rpsd.batch._outcome import Columns
from rpsd.batch._partitions import without_other_keys
from rpsd.batch._plan import OWN, Source, check_encodable, find_inputs, is_inside, share_of, suffix_of
from rpsd.batch._receipt import make_settings, receipt_bytes
from rpsd.batch._store import Mirror, absolute, is_url, join, put, real, taken_from
from rpsd.batch._summary import Summary
from rpsd.batch._unit import make_unit, remove_empty, remove_temporaries, settings_of, work_hash
from rpsd.batch.files import Outputs, check_writable, temporaries


def plan(
    inputs: Iterable[str | os.PathLike[str]],
    output: str | os.PathLike[str],
    *,
    columns: Columns | None = None,
    config: Config | None = None,
) -> list[dict[str, Any]]:
    """Return the units of a batch for `run_unit`, one for each file, for any engine to carry.

    Parameters
    ----------
    inputs : iterable of path
        Files, and folders with all below them; relative ones are taken from ``config.paths.data_dir``.
    output : path
        Folder that the outputs go to, under the names that the inputs have in theirs.
    columns : Columns, optional
        Which columns are what; found by themselves where that is unambiguous.
    config : Config, optional
        Options and guardrails, and the place and size of the cache.

    Returns
    -------
    list of dict
        Plain data: JSON and pickle carry it.

    Raises
    ------
    ConfigError, InputError
        As `rpsd batch`, before any work.
    """
    config = Config() if config is None else config
    Denoiser(config)
    check_encodable(os.fspath(output), "output")
    given = [os.fspath(path) for path in inputs]
    columns = Columns() if columns is None else columns
    found = find_inputs(given, os.fspath(output), str(config.paths.data_path))
    sources = without_other_keys(found, columns.by, columns.only)
    return [make_unit(source, os.fspath(output), columns, config) for source in sources]


def finish(
    records: Iterable[Mapping[str, Any]],
    output: str | os.PathLike[str],
    units: Iterable[Mapping[str, Any]] = (),
) -> str:
    """Write the manifest of a batch whose units another engine did, and return its path.

    No unit may run any more when the last record has come: what workers that were killed left of outputs is
    removed. ``rpsd batch IN -o OUT --resume`` takes it from there: it does what is missing or has failed.

    Parameters
    ----------
    records : iterable of mapping
        What `run_unit` returned for each unit, in any order.
    output : path
        The folder of the outputs, as `plan` was given it.
    units : iterable of mapping, optional
        What `plan` returned: where the inputs are is then written too, and ``rpsd verify OUT`` finds them.
    """
    place, planned = os.fspath(output), list(units)
    with Mirror(place, OWN, journal_name(None), resume=True, whole=True) as books:
        ordered = sorted(records, key=lambda record: str(record["name"]))
        remove_temporaries(place, (record["name"] for record in ordered))
        if planned:
            inputs = list(dict.fromkeys(unit["given"] for unit in planned))
            _write_run(Path(books.root) / OWN, inputs, None, settings_of(planned[0]))
            books.put("run.json")
        write_manifest(ordered, [os.fspath(manifest_path(books.root))])
        books.put("manifest.parquet")
    remove_empty(place, (record["name"] for record in ordered if record["output"] is None))
    return join(place, f"{OWN}/manifest.parquet")


@dataclass(frozen=True, kw_only=True)
class Batch:
    """What `rpsd batch` was asked for.

    Attributes
    ----------
    inputs : sequence of str
        Paths or URLs.
    output : str
        Folder or URL.
    columns : Columns
    config : Config
    resume : bool
        Keep what an earlier run finished.
    manifest : str or None
        Where a second copy of the manifest goes.
    shard : tuple of int or None
        Do part k of n (from 1) only, and leave its journal to a run that resumes without it.
    workers : int
        Processes; 0: as many as processors, at most `performance.max_workers`, and on a cluster all it has.
    engine : str
        ``local`` or ``ray``: what does the units.
    address : str or None
        Of the Ray cluster; None: RAY_ADDRESS, else one is started on this machine.
    """

    inputs: Sequence[str]
    output: str
    columns: Columns
    config: Config
    resume: bool = False
    manifest: str | None = None
    shard: tuple[int, int] | None = None
    workers: int = 0
    engine: str = "local"
    address: str | None = None

    def sources(self) -> list[Source]:
        """Return the input files of this run, all that is asked for having been checked."""
        if self.address is not None and self.engine != "ray":
            raise ConfigError("--address is that of a Ray cluster; add --engine ray")
        if self.engine == "ray":
            from rpsd.batch._ray import check_ray

            check_ray(self.address)
        if self.columns.only and self.columns.by is None:
            raise ConfigError("--only names keys of a column; give the column with --by")
        check_encodable(self.output, "-o")
        if self.manifest is not None:
            if self.shard is not None:
                raise ConfigError("--manifest and --shard exclude each other: a shard makes no manifest")
            if suffix_of(self.manifest) not in (".parquet", ".pq"):
                raise ConfigError(f"--manifest must end in .parquet or .pq, got {self.manifest}")
            check_encodable(self.manifest, "--manifest")
            if not (is_url(self.manifest) or is_inside(self.manifest, self.output)):
                check_writable(self.manifest)
        found = find_inputs(self.inputs, self.output, str(self.config.paths.data_path))
        return share_of(without_other_keys(found, self.columns.by, self.columns.only), self.shard)

    @property
    def _most(self) -> int:
        """Processes of this machine that may be used."""
        return self.workers or min(self.config.performance.max_workers, build_info()["cpu_count"])

    def workforce(self, sources: Sequence[Source]) -> str:
        """Return what does the work, for a message."""
        if self.engine == "ray":
            return f"{f'{self.workers} worker(s)' if self.workers else 'every worker'}, engine ray"
        return f"{max(1, min(self._most, len(sources)))} worker(s)"

    def run(self, sources: Sequence[Source], told: Callable[[Mapping[str, Any], Source], None]) -> Summary:
        """Do every unit, make the manifest, and return what became of them; `told` hears of each."""
        name, whole = journal_name(self.shard), self.shard is None
        with Mirror(self.output, OWN, name, resume=self.resume, whole=whole) as books:
            return self._run(sources, told, books)

    def _run(
        self, sources: Sequence[Source], told: Callable[[Mapping[str, Any], Source], None], books: Mirror
    ) -> Summary:
        own = Path(books.root) / OWN
        if self.manifest is not None and not is_url(self.manifest) and is_inside(self.manifest, self.output):
            os.makedirs(os.path.dirname(os.path.abspath(self.manifest)), exist_ok=True)
        settings = make_settings(self.columns, self.config)
        key = work_hash(settings, self.config)
        with Journal(own, self.shard, resume=self.resume, settings=key) as journal:
            self._clean(sources)
            manifest = manifest_path(books.root)
            if manifest.exists() and self.shard is None and not self.resume:
                manifest.unlink()
            if manifest.exists() and self.resume and journal.empty:
                try:
                    journal.begin_with(read_manifest(manifest))
                except InputError as error:  # damaged, or of another version
                    warn(f"{error}; every file is done again")
            data_dir = str(self.config.paths.data_path)
            inputs = [encodable(absolute(taken_from(data_dir, path))) for path in self.inputs]
            inside = self.manifest is not None and is_inside(self.manifest, self.output)
            copy = os.path.relpath(real(str(self.manifest)), real(self.output)) if inside else None
            _write_run(own, inputs, copy, settings)
            books.put("run.json")
            summary = Summary(self.output, self.columns.only if self.shard is None else ())
            failed: list[str] = []
            by_name = {source.name: source for source in sources}
            for record in self._records(sources, journal):
                if record["how"] != "kept":
                    journal.append(record)
                    books.keep()
                summary.add(record)
                if record["output"] is None:
                    failed.append(record["name"])
                told(record, by_name[record["name"]])
            if self.shard is None:
                self._finish(sources, journal, manifest, books)
                remove_empty(self.output, failed)
                summary.manifest = self.manifest or join(self.output, f"{OWN}/manifest.parquet")
            return summary

    def _records(self, sources: Sequence[Source], journal: Journal) -> Iterator[dict[str, Any]]:
        from rpsd.batch._workers import Workers, run_here

        count = self._most
        # Where there are fewer files than workers, their series share what is left.
        threads = max(1, count // max(1, len(sources))) if self.engine == "local" else 1
        # The largest first, so that none of them is what all wait for in the end; made when needed, as there
        # may be a million, which share what they have in common.
        alike = make_unit(Source("", "", 0), self.output, self.columns, self.config, threads=threads)
        units = (
            {
                **alike,
                "name": source.name,
                "source": source.path,
                "done": journal.get(source.name),
                "refused": source.refused,
            }
            for source in sorted(sources, key=lambda source: (-source.size, source.name))
        )
        if self.engine == "ray":
            from rpsd.batch._ray import RayWorkers

            with RayWorkers(self.workers, self.address, processors=count) as cluster:
                yield from cluster.run(units)
            return
        if len(sources) <= 1:
            yield from run_here(units)
            return
        with Workers(min(count, len(sources))) as workers:
            yield from workers.run(units)

    def _clean(self, sources: Sequence[Source]) -> None:
        """Remove the temporaries of runs that were killed: of the own units, and without shards of all."""
        if self.shard is not None or is_url(self.output):
            remove_temporaries(self.output, (source.name for source in sources))
            return
        for place, _, _ in os.walk(self.output):
            for path in temporaries(place):
                os.unlink(path)

    def _finish(self, sources: Sequence[Source], journal: Journal, manifest: Path, books: Mirror) -> None:
        records = (journal.get(source.name) for source in sources)
        copy = [] if self.manifest is None else [self.manifest]
        paths = [os.fspath(manifest), *(path for path in copy if not is_url(path))]
        write_manifest((record for record in records if record is not None), paths)
        for url in filter(is_url, copy):
            put(manifest, url)
        books.put("manifest.parquet")
        journal.remove()
        books.remove_journals()


def _write_run(own: Path, inputs: Sequence[str], copy: str | None, settings: Mapping[str, Any]) -> None:
    """Write what the outputs were asked to be, for `rpsd verify` to find their inputs.

    copy: a copy of the manifest among the outputs, which is none of them.
    """
    with Outputs() as outputs:
        text = receipt_bytes({"form": 1, "inputs": inputs, "manifest": copy, **settings})
        outputs.add(os.fspath(own / "run.json"), [text], through=False)
        outputs.commit()
