# SPDX-License-Identifier: MIT
"""The unit of work of a batch, one file, and what any engine calls to have it done."""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from rpsd import Config, InputError, RpsdError
from rpsd._config import plain
from rpsd._options import make_guardrails, make_options
from rpsd._sections import Performance
from rpsd._text import one_line
from rpsd.batch._cache import Cache
from rpsd.batch._file import denoise_file
from rpsd.batch._outcome import Columns, Outcome
from rpsd.batch._partitions import partition_key
from rpsd.batch._plan import Source, is_inside, target_of
from rpsd.batch._receipt import (
    FORM,
    as_plain,
    file_hash,
    instruction_set,
    make_receipt,
    make_settings,
    receipt_bytes,
    receipt_path,
    settings_hash,
)
from rpsd.batch._store import Stage, absolute, is_url, remove, remove_stages
from rpsd.batch.files import LEAST_ROWS, Outputs, format_of, temporaries

# What the work depends on; the rest of a configuration stays at home.
_CARRIED = ("denoiser", "guardrails", "performance")


class Unit(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One file to denoise; engines carry it as the mapping that `make_unit` returns.

    Attributes
    ----------
    name : str
        Path of the output below the folder `output`, with slashes; messages call the input so too.
    source : str
        Path or URL of the input.
    output : str
        Folder or URL of the outputs.
    columns : Columns
    config : dict
        Values by section and key.
    origins : dict
        Where values that are no defaults came from, by ``section.key``.
    threads : int
        That share the series of the file.
    cache : str or None
        Folder of the cache, None for none.
    done : dict or None
        The record of an earlier run: where input, settings and output are what it says, nothing is done.
    given : str
        The input that the file was found in, for `finish`.
    refused : str
        Why the file fails without being read, else "".
    """

    name: str
    source: str
    output: str
    columns: Columns = Columns()
    config: dict[str, dict[str, Any]] = {}
    origins: dict[str, str] = {}
    threads: int = 1
    cache: str | None = None
    done: dict[str, Any] | None = None
    given: str = ""
    refused: str = ""


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a unit; engines carry it as a mapping of JSON's types (NaN is None).

    Attributes
    ----------
    name : str
        That of the unit.
    settings, input, output, receipt : str or None
        SHA-256 of settings, input file, output file and a receipt of its own; None where there is none.
    series : list of dict
        An `Outcome` for each series; one that failed, without a key or column, where the file did.
    how : str
        ``made``, ``cached`` (taken from the cache) or ``kept`` (it was there).
    """

    name: str
    settings: str = ""
    input: str | None = None
    output: str | None = None
    receipt: str | None = None
    series: list[dict[str, Any]] = []
    how: str = "made"


def make_unit(
    source: Source, output: str, columns: Columns, config: Config, *, threads: int = 1, cache: bool = True
) -> dict[str, Any]:
    """Return the unit of a file as a plain mapping, which JSON and pickle carry anywhere."""
    kept = cache and config.performance.cache_size > 0
    rows = list(config.rows())
    unit = Unit(
        name=source.name,
        source=source.path,
        output=absolute(output),
        columns=columns,
        config={
            carried: {key: plain(value) for section, key, value, _ in rows if section == carried}
            for carried in _CARRIED
        },
        origins={
            f"{section}.{key}": origin
            for section, key, _, origin in rows
            if section in _CARRIED and origin != "default"
        },
        threads=threads,
        cache=str(config.paths.cache_path.absolute() / "batch") if kept else None,
        given=source.given,
        refused=source.refused,
    )
    carried: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(unit))
    return carried


def run_unit(unit: Mapping[str, Any]) -> dict[str, Any]:
    r"""Denoise one file and return a record of it; the same for the same unit, however often it is run.

    Reads the input, writes the output under another name and renames it, so that it is there whole or not
    at all. Errors of the data do not raise: they stand in the record. Needs nothing but the unit and the
    files it names.

    Parameters
    ----------
    unit : mapping
        As `plan` returns them.

    Returns
    -------
    dict
        ``name``, the hashes ``settings``, ``input``, ``output`` and ``receipt``, ``series`` with a dict for
        each series (its keys are columns of the manifest: docs/batch.md), and ``how``: made, cached or kept.

    Raises
    ------
    ConfigError
        Where the unit itself is none.

    Examples
    --------
    >>> import pathlib, tempfile, rpsd
    >>> from rpsd.batch import plan, run_unit
    >>> folder = pathlib.Path(tempfile.mkdtemp())
    >>> prices = rpsd.simulate("a", 200, seed=1, nsr=2.0).noisy
    >>> _ = (folder / "day.csv").write_text("price\n" + "\n".join(map(str, prices)) + "\n")
    >>> (unit,) = plan([folder / "day.csv"], folder / "out")
    >>> record = run_unit(unit)
    >>> record["name"], record["series"][0]["action"], (folder / "out" / "day.csv").exists()
    ('day.csv', 'denoised', True)
    """
    task = msgspec.convert(unit, Unit)
    config = config_of(task.config, task.origins)
    settings = make_settings(task.columns, config)
    key, digest = work_hash(settings, config), None
    try:
        if task.refused:
            raise InputError(task.refused)
        with Stage(task.source, task.output, task.name) as stage:
            stamp = _stamp(stage.source)
            digest = file_hash(stage.source)
            if task.done is not None and _is_done(task, key, digest):
                return {**task.done, "how": "kept"}
            here = msgspec.structs.replace(task, source=stage.source, output=stage.output)
            record = _make(here, config, settings, key, digest, stamp)
            if record.output is None:
                _remove_outputs(task)
            stage.put()
    except MemoryError:
        record = _fail(task, "out of memory")
    except OSError as error:
        record = _fail(task, error.strerror or str(error))
    except RpsdError as error:
        record = _fail(task, str(error))
    except Exception as error:  # one strange file must not end a batch of a million
        record = _fail(task, f"{type(error).__name__}: {error}")
    return _carried(record, settings=key, input=digest)


def failed_record(unit: Mapping[str, Any], reason: str) -> dict[str, Any]:
    """Return the record of a unit that no worker could do, and see to it that it has no output."""
    task = msgspec.convert(unit, Unit)
    config = config_of(task.config, task.origins)
    return _carried(_fail(task, reason), settings=work_hash(make_settings(task.columns, config), config))


def settings_of(unit: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a unit says of the values that it makes: columns, options, guardrails."""
    task = msgspec.convert(unit, Unit)
    return make_settings(task.columns, config_of(task.config, task.origins))


def work_hash(settings: Mapping[str, Any], config: Config) -> str:
    """Return the SHA-256 of all that the output of an input depends on.

    Beside the settings these are the rows that are read at a time: the first of them tell how numbers are
    written, and whether a file has several series.
    """
    return settings_hash({**settings, "rows": max(LEAST_ROWS, config.performance.chunk_size)})


def remove_temporaries(output: str, names: Iterable[str]) -> None:
    """Remove what processes that were killed left of the outputs of these names."""
    names = list(names)
    remove_stages(output, names)
    folders: dict[str, set[str]] = {}
    for name in names:
        for path in (target_of(output, name), receipt_path(output, name)):
            if path is not None:
                folders.setdefault(os.path.dirname(path), set()).add(os.path.basename(path))
    for folder, files in folders.items():
        with contextlib.suppress(OSError):
            for path in temporaries(folder, files):
                os.unlink(path)


def remove_empty(output: str, names: Iterable[str]) -> None:
    """Remove the folders of outputs of these names in which nothing is; no unit may run any more."""
    if is_url(output):
        return
    for name in names:
        for path in (target_of(output, name), receipt_path(output, name)):
            folder = os.path.dirname(path or "")
            with contextlib.suppress(OSError):  # something is in it, or it was never made
                while folder and is_inside(folder, output) and not os.path.samefile(folder, output):
                    os.rmdir(folder)
                    folder = os.path.dirname(folder)


def config_of(values: Mapping[str, Mapping[str, Any]], origins: Mapping[str, str]) -> Config:
    """Return the configuration that a unit carries."""
    places = {(place.partition(".")[0], place.partition(".")[2]): origin for place, origin in origins.items()}
    return Config(
        denoiser=make_options(**values.get("denoiser", {})),
        guardrails=make_guardrails(**values.get("guardrails", {})),
        performance=msgspec.convert(values.get("performance", {}), Performance),
        _origins=places,
    )


def _make(
    task: Unit, config: Config, settings: dict[str, Any], key: str, digest: str, stamp: tuple[int, int]
) -> Record:
    """Write the output, from the cache where it has it, and its receipt."""
    target = target_of(task.output, task.name)
    receipt_at = receipt_path(task.output, task.name)
    cache = None if task.cache is None else Cache(task.cache, config.performance.cache_size)
    entry = settings_hash(
        {
            "settings": key,
            "form": FORM,
            "input": digest,
            "isa": instruction_set(),
            "format": format_of(task.name),
            "key": task.columns.by and partition_key(task.name, task.columns.by),
        }
    )
    os.makedirs(os.path.dirname(target), exist_ok=True)
    with Outputs() as outputs:
        temporary = outputs.reserve(target, through=False)
        found = None if cache is None else cache.fetch(entry, temporary)
        if found is not None:
            series, output = found["series"], found["output"]
        else:
            plainly: list[list[dict[str, Any]]] = []

            def metadata(outcomes: Sequence[Outcome]) -> dict[str, Any]:
                plainly[:] = [as_plain(outcomes)]
                return make_receipt(settings, digest, plainly[0])

            outcomes = denoise_file(
                task.source,
                os.fspath(temporary),
                task.columns,
                config,
                name=task.name,
                threads=task.threads,
                metadata=metadata,
            )
            series = plainly[0] if plainly else as_plain(outcomes)  # CSV has no place for it
            if _stamp(task.source) != stamp:
                raise InputError(f"{task.name}: it was changed while it was read")
            if not series:
                raise InputError(f"{task.name}: no series in it")
            if not temporary.exists():
                outputs.forget(temporary)
                return Record(name=task.name, series=[_undelivered(one) for one in series])
            output = file_hash(temporary)
            if cache is not None and not any(one["action"] == "failed" for one in series):
                cache.store(entry, temporary, {"output": output, "series": series})
        receipt = None
        if receipt_at is not None:
            os.makedirs(os.path.dirname(receipt_at), exist_ok=True)
            text = receipt_bytes(make_receipt(settings, digest, series))
            receipt = hashlib.sha256(text).hexdigest()
            outputs.add(receipt_at, [text], through=False)
        outputs.commit()
    how = "made" if found is None else "cached"
    return Record(name=task.name, output=output, receipt=receipt, series=series, how=how)


def _is_done(task: Unit, settings: str, digest: str) -> bool:
    """Tell whether what an earlier run left is what this one would make, and is still there."""
    done = msgspec.convert(task.done, Record)
    if (done.name, done.settings, done.input) != (task.name, settings, digest) or is_failed(done.series):
        return False
    target, receipt_at = target_of(task.output, task.name), receipt_path(task.output, task.name)
    try:
        if not is_url(target):
            _stamp(target)
        return done.output == file_hash(target) and (
            receipt_at is None or done.receipt == file_hash(receipt_at)
        )
    except (OSError, InputError):
        return False


def is_failed(series: Sequence[Mapping[str, Any]]) -> bool:
    """Tell whether any series of a record failed."""
    return any(one["action"] == "failed" for one in series)


def _fail(task: Unit, reason: str) -> Record:
    """Return the record of a file that failed as a whole; it keeps no output of an earlier run."""
    with contextlib.suppress(OSError):
        _remove_outputs(task)
    # The name of the file stands beside the reason wherever that is told.
    bare = reason.removeprefix(f"{task.name}: ").replace(f"cannot read {task.name}: ", "cannot be read: ")
    text = one_line(bare)
    return Record(name=task.name, series=as_plain([Outcome(error=text)]))


def _undelivered(series: dict[str, Any]) -> dict[str, Any]:
    """Return the outcome of a series whose file was not written."""
    if series["action"] == "failed":
        return series
    return {**series, "action": "failed", "error": "not written, as another column of the file failed"}


def _remove_outputs(task: Unit) -> None:
    for path in (target_of(task.output, task.name), receipt_path(task.output, task.name)):
        if path is not None:
            remove(path)


def _stamp(path: str) -> tuple[int, int]:
    found = os.stat(path)
    if not stat.S_ISREG(found.st_mode):  # to open a pipe would wait for someone to write to it
        raise InputError("not a regular file")
    return found.st_size, found.st_mtime_ns


def _carried(record: Record, **more: Any) -> dict[str, Any]:
    carried: dict[str, Any] = msgspec.to_builtins(msgspec.structs.replace(record, **more))
    return carried
