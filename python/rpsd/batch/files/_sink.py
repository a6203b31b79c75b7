# SPDX-License-Identifier: MIT
"""Files written piece by piece, in the format of the file that was read."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, BinaryIO, Final, Protocol

import numpy as np
import numpy.typing as npt

from rpsd.batch.files._arrow import ArrowTable, new_field
from rpsd.batch.files._arrow_source import ArrowSource, ParquetSource
from rpsd.batch.files._csv import CsvTable
from rpsd.batch.files._formats import Format

_F64 = npt.NDArray[np.float64]
_Mask = npt.NDArray[np.bool_]
_KEY: Final = b"rpsd"
_LEVEL: Final = 6  # of gzip: its own default


class Sink(Protocol):
    """A file that is being written."""

    def write(self, piece: Any, values: Mapping[int, _F64], failed: Mapping[int, _Mask]) -> None:
        """Write rows with new numbers in some columns, and none in the rows that failed."""

    def finish(self) -> None:
        """Write what comes last."""

    def close(self) -> None:
        """Write no more, finished or not."""


def open_sink(
    file: Any, source: Any, columns: Sequence[int], metadata: Callable[[], Mapping[str, Any]]
) -> Sink:
    """Return what writes the rows of a source again.

    Parameters
    ----------
    file : file
        Open for writing bytes.
    source : Source
    columns : sequence of int
        Those that get new numbers.
    metadata : callable
        Returns what is stored beside the columns, where the format has a place for it; asked for once: at
        the end, but for Arrow files before the first row.
    """
    if source.format.kind == "csv":
        return CsvSink(file, source.format)
    kind = ParquetSink if source.format.kind == "parquet" else ArrowSink
    return kind(file, source, columns, metadata)


def written(source: Any, table: Any, values: Mapping[int, _F64], metadata: Mapping[str, Any]) -> list[Any]:
    """Return the pieces (bytes or buffers) of a file with new numbers, whose rows are all in one table."""
    pieces = _Pieces()
    sink = open_sink(pieces, source, list(values), lambda: metadata)
    sink.write(table, values, {})
    sink.finish()
    return pieces


class _Pieces(list[Any]):
    """A file that keeps what is written to it, piece by piece."""

    closed = False

    def write(self, data: Any) -> int:
        """Keep some bytes."""
        self.append(data)
        return len(data)

    def flush(self) -> None:
        """Do nothing: all is kept."""


class CsvSink:
    """Writes CSV, compressed or not."""

    def __init__(self, file: BinaryIO, form: Format) -> None:
        self._file: Any = _compressed(file, form)
        self._plain = not form.codec

    def write(self, piece: CsvTable, values: Mapping[int, _F64], failed: Mapping[int, _Mask]) -> None:
        """Write rows."""
        for part in piece.replaced(values, failed):
            self._file.write(part)

    def finish(self) -> None:
        """End the compression."""
        self.close()

    def close(self) -> None:
        """End the compression."""
        if not self._plain:
            self._file.close()


class ParquetSink:
    """Writes Parquet with the row groups, compression and metadata of the source."""

    def __init__(
        self,
        file: Any,
        source: ParquetSource,
        columns: Sequence[int],
        metadata: Callable[[], Mapping[str, Any]],
    ) -> None:
        import pyarrow.parquet as pq

        self._schema = _new_schema(source.schema, columns)
        self._metadata = metadata
        self._writer = pq.ParquetWriter(file, self._schema, compression=_compressions(source))

    def write(self, piece: ArrowTable, values: Mapping[int, _F64], failed: Mapping[int, _Mask]) -> None:
        """Write row groups."""
        table = piece.with_values(values, failed).replace_schema_metadata(self._schema.metadata)
        start = 0
        for size in piece.groups:
            # In one chunk, however it was read, so that pages end at the same rows.
            self._writer.write_table(table.slice(start, size).combine_chunks(), row_group_size=size)
            start += size

    def finish(self) -> None:
        """Write the metadata and the footer."""
        text = json.dumps(self._metadata()).encode()
        full = self._schema.with_metadata({**(self._schema.metadata or {}), _KEY: text})
        # The schema in the footer was made before the series were known; readers take its metadata.
        schema = base64.b64encode(full.serialize().to_pybytes())
        self._writer.add_key_value_metadata({_KEY: text, b"ARROW:schema": schema})
        self.close()

    def close(self) -> None:
        """Write the footer."""
        self._writer.close()


class ArrowSink:
    """Writes an Arrow IPC file or stream, as the source is, with its record batches and compression."""

    def __init__(
        self,
        file: Any,
        source: ArrowSource,
        columns: Sequence[int],
        metadata: Callable[[], Mapping[str, Any]],
    ) -> None:
        import pyarrow as pa

        schema = _new_schema(source.schema, columns)
        text = json.dumps(metadata()).encode()
        self._schema = schema.with_metadata({**(schema.metadata or {}), _KEY: text})
        options = pa.ipc.IpcWriteOptions(compression=source.codec)
        make = pa.ipc.new_stream if source.stream else pa.ipc.new_file
        self._writer = make(file, self._schema, options=options)

    def write(self, piece: ArrowTable, values: Mapping[int, _F64], failed: Mapping[int, _Mask]) -> None:
        """Write record batches."""
        table = piece.with_values(values, failed).replace_schema_metadata(self._schema.metadata)
        start = 0
        for size in piece.groups:
            for batch in table.slice(start, size).combine_chunks().to_batches():
                self._writer.write_batch(batch)
            start += size

    def finish(self) -> None:
        """Write the footer."""
        self.close()

    def close(self) -> None:
        """Write the footer."""
        self._writer.close()


def _new_schema(schema: Any, columns: Sequence[int]) -> Any:
    for column in columns:
        schema = schema.set(column, new_field(schema.field(column)))
    kept = {key: value for key, value in (schema.metadata or {}).items() if key != _KEY}
    return schema.with_metadata(kept or None)


def _compressions(source: ParquetSource) -> dict[str, str]:
    """Return the compression of each column by its path."""
    meta = source.file.metadata
    names = {"LZ4_RAW": "LZ4", "UNCOMPRESSED": "NONE"}
    if not meta.num_row_groups:
        return {}
    columns = (meta.row_group(0).column(i) for i in range(meta.num_columns))
    return {column.path_in_schema: names.get(column.compression, column.compression) for column in columns}


def _compressed(file: BinaryIO, form: Format) -> Any:
    if form.codec == "gzip":
        import gzip

        # Without a name and a time: the same rows are the same bytes.
        return gzip.GzipFile("", "wb", _LEVEL, file, mtime=0)
    if form.codec == "zstd":
        import pyarrow as pa

        return pa.CompressedOutputStream(pa.PythonFile(_Left(file), "w"), "zstd")
    return file


class _Left:
    """A file that who writes to it does not close."""

    closed = False

    def __init__(self, file: BinaryIO) -> None:
        self.write = file.write
        self.flush = file.flush

    def close(self) -> None:
        """Do nothing: it is the caller's to close."""
