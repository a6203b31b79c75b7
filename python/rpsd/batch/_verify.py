# SPDX-License-Identifier: MIT
"""Outputs computed once more from their inputs and receipts, and compared bit by bit."""

from __future__ import annotations

import json
import os
import tempfile
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import msgspec

from rpsd import InputError, RpsdError, __version__, build_info
from rpsd._text import one_line, shown
from rpsd.batch._compare import Cell, Comparison, compare, read_schema
from rpsd.batch._file import denoise_file
from rpsd.batch._manifest import manifest_path, read_manifest
from rpsd.batch._outcome import Columns
from rpsd.batch._partitions import without_other_keys
from rpsd.batch._plan import OWN, Source, files_below, find_inputs, target_of
from rpsd.batch._receipt import as_plain, file_hash, make_receipt, receipt_path
from rpsd.batch._store import Stage, is_url, need_local, taken_from
from rpsd.batch._unit import config_of
from rpsd.batch.files import format_of


@dataclass(frozen=True)
class Verdict:
    """What was found of one output.

    Attributes
    ----------
    file : str
        Its name below the folder.
    reason : str
        Why it is not what its receipt says, "" where it is.
    cells : sequence of Cell
        Where values differ: in the file, and recomputed.
    note : str
        What else the user should know.
    unknown : bool
        Whether it could not be compared, so that nobody knows.
    """

    file: str
    reason: str = ""
    cells: Sequence[Cell] = ()
    note: str = ""
    unknown: bool = False

    @property
    def same(self) -> bool:
        """Whether it is what its receipt says."""
        return not self.reason


class Folder:
    """An output folder: its outputs, their receipts, and what the manifest says of them."""

    def __init__(self, root: str) -> None:
        self.root = root
        self.run = _read_json(Path(root) / OWN / "run.json") or {}

    def outputs(self) -> dict[str, str]:
        """Return the paths of the outputs that are there, by name."""
        copy = self.run.get("manifest")
        return {name: path for name, path in files_below(self.root) if name != copy}

    def records(self) -> dict[str, dict[str, Any]] | None:
        """Return the records of the manifest by name, or None where the batch made none yet."""
        path = manifest_path(self.root)
        return {record["name"]: record for record in read_manifest(path)} if path.exists() else None

    def sources(self, given: str | None, data_dir: str) -> dict[str, Source]:
        """Return the inputs by name: where the user says, or where the run found them."""
        if given is not None:
            return {source.name: source for source in find_inputs([given], self.root, data_dir)}
        found: dict[str, Source] = {}
        columns = self.run.get("columns", {})
        for path in self.run.get("inputs", ()):
            try:
                sources = find_inputs([path], self.root)
                asked = without_other_keys(sources, columns.get("by"), columns.get("only", ()))
            except InputError:  # gone, or without a key asked for: each output will say so
                continue
            found |= {source.name: source for source in asked}
        return found

    def receipt(self, name: str) -> dict[str, Any] | None:
        """Return the receipt of an output."""
        return read_receipt(target_of(self.root, name), receipt_path(self.root, name))


def folder_of(path: str) -> tuple[Folder, str] | None:
    """Return the output folder that a file is in, with its name there, or None where it is in none."""
    full = Path(os.path.abspath(path))
    for above in full.parents:
        if (above / OWN / "run.json").exists():
            return Folder(os.fspath(above)), full.relative_to(above).as_posix()
    return None


def read_receipt(path: str, beside: str | None) -> dict[str, Any] | None:
    """Return a receipt from a file of its own, or from the file's metadata; None where there is none."""
    if beside is not None:
        return _read_json(Path(beside))
    try:
        kept = json.loads((read_schema(path).metadata or {}).get(b"rpsd", b"null"))
    except Exception:  # a damaged file may fail in any way that its reader knows
        return None
    return kept if isinstance(kept, dict) and "form" in kept else None


def verify(path: str, given: str | None, data_dir: str = ".") -> Iterator[Verdict]:
    """Yield what is found of each output at a path, a file or a folder.

    Parameters
    ----------
    path : str
        An output, or the folder of a batch.
    given : str or None
        Input file or folder; None: as ``OUT/_rpsd/run.json`` says.
    data_dir : str
        Where a relative `given` is.
    """
    need_local(path)
    if os.path.isdir(path):
        yield from _verify_folder(Folder(path), given, data_dir)
        return
    if not os.path.exists(path):
        raise InputError(f"cannot read {shown(path)}: no such file or folder")
    place = folder_of(path)
    if place is None:
        if format_of(path).kind == "csv":
            raise InputError(
                f"{shown(path)} is in no folder of a batch, and a CSV file carries no receipt of its own: "
                "run rpsd denoise again with the same options and compare the two with rpsd diff; outputs of "
                "rpsd batch, and Parquet and Arrow files, have one"
            )
        if given is None:
            raise InputError(f"{shown(path)} is in no folder of a batch; name its input with --input")
        alone = Source(os.path.basename(path), taken_from(data_dir, given), 0)
        yield _verify_file(path, alone.name, alone, None, None)
        return
    folder, name = place
    sources = folder.sources(given, data_dir)
    source = _source_of(name, sources) or (next(iter(sources.values()), None) if given else None)
    record = (folder.records() or {}).get(name)
    yield _verify_file(path, name, source, receipt_path(folder.root, name), record)


def _verify_folder(folder: Folder, given: str | None, data_dir: str) -> Iterator[Verdict]:
    outputs, records = folder.outputs(), folder.records()
    sources = folder.sources(given, data_dir)
    if not folder.run and given is None:
        raise InputError(f"{shown(folder.root)} has no {OWN}/run.json that names its inputs; give --input")
    expected = {name for name, record in (records or {}).items() if record["output"] is not None}
    for name in sorted(outputs.keys() | expected | sources.keys()):
        if name not in outputs:
            if name in expected:
                yield Verdict(name, "missing: the manifest has it, the folder has not")
            elif records is not None and name in records:
                continue  # it failed, as the manifest says
            elif name.endswith("/"):
                yield Verdict(name, sources[name].refused, unknown=True)
            else:
                yield Verdict(name, "missing: its input has no output")
        elif records is not None and name not in expected and not _is_unseen(name, records):
            yield Verdict(name, "extra: the manifest has no output of that name")
        else:
            record = None if records is None else records.get(name)
            beside = receipt_path(folder.root, name)
            yield _verify_file(outputs[name], name, _source_of(name, sources), beside, record)


def _is_unseen(name: str, records: Mapping[str, Any]) -> bool:
    """Tell whether the run of the manifest could not read the folder that the input of an output is in."""
    return name not in records and any(folder in records for folder in _folders_above(name))


def _source_of(name: str, sources: Mapping[str, Source]) -> Source | None:
    """Return the input of an output, or the folder in its place that cannot be read."""
    return next((sources[one] for one in (name, *_folders_above(name)) if one in sources), None)


def _folders_above(name: str) -> Iterator[str]:
    """Yield the folders of a name as `find_inputs` calls those that cannot be read."""
    parts = name.split("/")
    return ("/".join(parts[:k]) + "/" for k in range(len(parts) - 1, 0, -1))


def _verify_file(
    path: str, name: str, source: Source | None, beside: str | None, record: Mapping[str, Any] | None
) -> Verdict:
    found = _computed_again(path, name, source, beside, record)
    if found.unknown and _tells_of(record, path, beside) is False:
        # Whatever it would be computed to be, it was changed, lost or damaged since.
        return replace(found, unknown=False)
    return found


def _computed_again(
    path: str, name: str, source: Source | None, beside: str | None, record: Mapping[str, Any] | None
) -> Verdict:
    receipt = read_receipt(path, beside)
    if receipt is None:
        return Verdict(name, "it has no receipt that can be read", unknown=True)
    version = receipt.get("version")
    note = "" if version == __version__ else f"made by rpsd {version}, recomputed by {__version__}"
    if source is not None and source.refused:
        reason = f"its input cannot be read: {shown(source.path)}: {source.refused}"
        return Verdict(name, reason, note=note, unknown=True)
    if source is None or not (is_url(source.path) or os.path.exists(source.path)):
        reason = "its input is not there (name another place with --input)"
        return Verdict(name, reason, note=note, unknown=True)
    try:
        with Stage(source.path, os.path.dirname(path), name) as stage:
            now, was = file_hash(stage.source), receipt["input"]["sha256"]
            if now != (was or now):
                reason = f"its input has changed since: SHA-256 {now[:12]}..., was {was[:12]}..."
                return Verdict(name, reason, note=note)
            with tempfile.TemporaryDirectory(prefix="rpsd-verify-") as scratch:
                again = os.path.join(scratch, os.path.basename(path))
                made = _recompute(stage.source, again, name, receipt)
                if not os.path.exists(again):
                    why = next(
                        (one["error"] for one in made["series"] or () if one["error"]), "its series fail"
                    )
                    return Verdict(name, f"recomputed it has no output: {why}", note=note)
                told = _tells_of(record, path, beside)
                return _judge(name, compare(path, again), made == receipt, told, note)
    except OSError as error:
        return Verdict(name, f"{error.filename or source.path}: {error.strerror}", note=note, unknown=True)
    except (RpsdError, msgspec.MsgspecError, KeyError, TypeError, ValueError) as error:
        reason = one_line(f"it cannot be recomputed: {error}")
        return Verdict(name, reason, note=note, unknown=True)


def _recompute(source: str, target: str, name: str, receipt: Mapping[str, Any]) -> dict[str, Any]:
    """Write the output again and return its receipt, with instruction set and version of the first."""
    values = {"denoiser": receipt["options"], "guardrails": receipt["guardrails"]}
    config = config_of(
        {section: {key: entry["value"] for key, entry in keys.items()} for section, keys in values.items()},
        {
            f"{section}.{key}": entry["origin"]
            for section, keys in values.items()
            for key, entry in keys.items()
        },
    )

    def metadata(outcomes: Sequence[Any]) -> dict[str, Any]:
        made = make_receipt(receipt, receipt["input"]["sha256"], as_plain(outcomes))
        return {**made, "isa": receipt["isa"]}

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        outcomes = denoise_file(
            source,
            target,
            msgspec.convert(receipt["columns"], Columns),
            config,
            name=name,
            threads=int(build_info()["cpu_count"]),
            metadata=metadata,
        )
    return metadata(outcomes)


def _tells_of(record: Mapping[str, Any] | None, path: str, beside: str | None) -> bool | None:
    """Tell whether output and receipt are those that the manifest tells of; None where nobody knows."""
    if record is None:
        return None
    try:
        receipt = None if beside is None else file_hash(beside)
        return (record["output"], record["receipt"]) == (file_hash(path), receipt)
    except FileNotFoundError:
        return False
    except OSError:
        return None


def _judge(name: str, found: Comparison, receipt_same: bool, told: bool | None, note: str) -> Verdict:
    if found.layout:
        return Verdict(name, f"different: {found.layout}", note=note)
    if found.changed:
        reason = f"different: {found.changed} cell(s) are not what they are recomputed to be"
        return Verdict(name, reason, found.cells, note)
    if not receipt_same:
        return Verdict(name, "different: its receipt is not the one recomputed; the values are", note=note)
    if found.byte is not None and not told:
        return Verdict(name, f"different: byte {found.byte} of the file, in none of its values", note=note)
    if told is False:
        reason = "different: what its receipt says is right, but it is not what the manifest tells of"
        return Verdict(name, reason, note=note)
    return Verdict(name, note=note or ("" if found.byte is None else "the same values in other bytes"))


def _read_json(path: Path) -> dict[str, Any] | None:
    try:
        kept = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None
    return kept if isinstance(kept, dict) else None
