# SPDX-License-Identifier: MIT
"""The manifest: a Parquet table with a row for each series of a batch, made of records and read back."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any, Final

import msgspec

from rpsd._errors import InputError, RpsdError
from rpsd._guardrails import NAMES
from rpsd._text import shown
from rpsd.batch._outcome import Outcome
from rpsd.batch._plan import OWN
from rpsd.batch.files import Outputs

# Rows of a row group, and the rest of a file: fixed, so that it is the same however the batch was run.
_GROUP: Final = 20_000
#: Column of the value of a guardrail.
CHECK: Final = "check_"
# Columns that every row of a file repeats.
_OF_FILE: Final = ("settings", "input", "output", "receipt")
_SERIES: Final = tuple(name for name in Outcome.__struct_fields__ if name != "checks")


def manifest_path(output: str | os.PathLike[str]) -> Path:
    """Return where the manifest of an output folder is."""
    return Path(output) / OWN / "manifest.parquet"


def write_manifest(records: Iterable[Mapping[str, Any]], paths: Sequence[str]) -> None:
    """Write the rows of all records, in their order, to every path; all of the file or none."""
    import pyarrow.parquet as pq

    with Outputs() as outputs:
        temporary = outputs.reserve(paths[0], through=False)
        try:
            # Opened here, as pyarrow raises errors of its own otherwise.
            with open(temporary, "xb") as file:
                with pq.ParquetWriter(file, _schema()) as writer:
                    for rows in _groups(records):
                        writer.write_table(_table(rows))
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise RpsdError(f"cannot write {paths[0]}: {error.strerror or error}") from None
        for path in paths[1:]:
            outputs.add(path, [temporary.read_bytes()])
        outputs.commit()


def read_manifest(path: str | os.PathLike[str]) -> Iterator[dict[str, Any]]:
    """Yield the records that a manifest was made of, in its order."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as file:
            rows = (
                row for group in range(file.num_row_groups) for row in file.read_row_group(group).to_pylist()
            )
            for name, series in groupby(rows, key=lambda row: row["file"]):
                yield _record(name, list(series))
    except (pa.ArrowException, OSError, KeyError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise InputError(f"{shown(os.fspath(path))}: not a manifest of rpsd: {reason}") from None


def _groups(records: Iterable[Mapping[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    rows: list[dict[str, Any]] = []
    for record in records:
        of_file = {"file": record["name"], **{f"{name}_sha256": record[name] for name in _OF_FILE}}
        for series in record["series"]:
            checks = {CHECK + name: value for name, value in series["checks"].items()}
            rows.append({**of_file, **series, **checks})
        if len(rows) >= _GROUP:
            yield rows
            rows = []
    if rows:
        yield rows


def _table(rows: list[dict[str, Any]]) -> Any:
    """Return rows as a table, by way of JSON: pyarrow loads pandas to make arrays of Python objects."""
    import pyarrow as pa
    from pyarrow import json

    schema = _schema()
    text = msgspec.json.Encoder().encode_lines(rows)
    parsing = json.ParseOptions(explicit_schema=schema, unexpected_field_behavior="ignore")
    reading = json.ReadOptions(use_threads=False, block_size=len(text) + 1)
    return json.read_json(pa.BufferReader(text), reading, parsing).select(schema.names)


def _record(name: str, rows: list[dict[str, Any]]) -> dict[str, Any]:
    series = [
        {key: row[key] for key in _SERIES}
        | {"checks": {check: row[CHECK + check] for check in NAMES if row[CHECK + check] is not None}}
        for row in rows
    ]
    return {"name": name, **{key: rows[0][f"{key}_sha256"] for key in _OF_FILE}, "series": series}


def _schema() -> Any:
    import pyarrow as pa

    kinds = {"str": pa.string(), "int": pa.int64(), "float": pa.float64(), "bool": pa.bool_()}
    hints = msgspec.structs.fields(Outcome)
    series = {field.name: kinds.get(getattr(field.type, "__name__", "")) for field in hints}
    series["notes"] = pa.list_(pa.string())
    del series["checks"]
    return pa.schema(
        [
            ("file", pa.string()),
            *series.items(),
            *((CHECK + name, pa.float64()) for name in NAMES),
            *((f"{name}_sha256", pa.string()) for name in _OF_FILE),
        ]
    )
