# SPDX-License-Identifier: MIT
"""Parquet files read by row groups, and Arrow IPC files and streams by record batches."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

from rpsd._arrow_forms import findable
from rpsd._errors import InputError
from rpsd.batch.files._arrow import ArrowTable, check_keys
from rpsd.batch.files._buffers import as_numpy
from rpsd.batch.files._formats import Format

_MAGIC: Final = b"ARROW1"
#: Rows by which columns are chosen.
HEAD: Final = 1000


class _Columnar:
    """What files of row groups share."""

    mends: tuple[str, ...] = ()

    def __init__(self, name: str, form: Format, schema: Any) -> None:
        self.name = name
        self.format = form
        self.schema = schema
        self.columns = tuple(schema.names)
        self._by = 0
        self._wanted: Any = None
        self._as_text = False

    def keep(self, by: int, only: Sequence[str]) -> None:
        """Leave out the rows that have none of some keys in a column."""
        import pyarrow as pa

        given = self.schema.field(by).type
        check_keys(given)
        kind = findable(given)
        given = given.value_type if pa.types.is_dictionary(given) else given
        self._by = by
        # pyarrow reads neither from a text: the keys are compared as the texts that name them.
        self._as_text = pa.types.is_time(given) or pa.types.is_duration(given)
        if self._as_text:
            self._wanted = pa.array(only, pa.string())
            return
        wanted = []
        for key in only:
            try:
                wanted.append(pa.scalar(key, pa.string()).cast(given).cast(kind))
            except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
                continue  # no key of this type
        self._wanted = pa.array([key.as_py() for key in wanted], kind)

    def _table(
        self, table: Any, columns: Sequence[int] | None, groups: Sequence[int], first: int
    ) -> ArrowTable:
        import pyarrow.compute as pc

        at = None if columns is None else {column: i for i, column in enumerate(columns)}
        piece = ArrowTable(table, self.name, self.format, self.columns, at=at, groups=groups, rows=first)
        if self._wanted is None:
            return piece
        keys = piece.keys(self._by)
        names = keys.dictionary.cast("string") if self._as_text else keys.dictionary
        mask = pc.fill_null(pc.is_in(names, value_set=self._wanted).take(keys.indices), False)
        return piece.kept(as_numpy(mask))


class ParquetSource(_Columnar):
    """A Parquet file; a piece is as many row groups as it takes for `rows` rows.

    Parameters
    ----------
    place : str or buffer
    name : str
    rows : int
    parallel : bool
    """

    def __init__(self, place: Any, name: str, *, rows: int, parallel: bool) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        try:
            self.file = pq.ParquetFile(pa.BufferReader(place) if isinstance(place, bytes) else place)
        except pa.ArrowException as error:
            raise _unreadable(name, "Parquet", error) from None
        super().__init__(name, Format("parquet"), self.file.schema_arrow)
        self._parallel = parallel
        meta = self.file.metadata
        self.groups = [meta.row_group(i).num_rows for i in range(meta.num_row_groups)]
        if not meta.num_rows:
            raise InputError(f"{name}: no data rows")
        stored = sum(meta.row_group(i).total_byte_size for i in range(meta.num_row_groups))
        # Repeated values are stored once.
        self.size = max(stored, meta.num_rows * sum(_width(field.type) for field in self.schema))
        self._rows = rows

    def use_whole(self) -> None:
        """Read all rows as one piece."""
        self._rows = sum(self.groups)

    def head(self) -> ArrowTable:
        """Return the first rows with all columns."""
        import pyarrow as pa

        try:
            first = next(i for i, size in enumerate(self.groups) if size)
            batch = next(self.file.iter_batches(batch_size=HEAD, row_groups=[first], use_threads=False))
        except (pa.ArrowException, OSError) as error:
            raise _unreadable(self.name, "Parquet", error) from None
        return self._table(pa.Table.from_batches([batch], self.schema), None, [], 0)

    def keep(self, by: int, only: Sequence[str]) -> None:
        """Leave out the rows that have none of some keys in a column."""
        super().keep(by, only)
        self._statistics = [self._may_hold(i) for i in range(len(self.groups))]

    def pieces(self, columns: Sequence[int] | None = None, *, first: int = 0) -> Iterator[ArrowTable]:
        """Yield the rows in file order, from a piece on."""
        import pyarrow as pa

        names = None if columns is None else [self.schema.names[column] for column in columns]
        if names is not None and len(set(names)) < len(names):
            names = columns = None
        for number, (groups, row) in enumerate(self._bundles()):
            if number < first:
                continue
            try:
                table = self.file.read_row_groups(groups, columns=names, use_threads=self._parallel)
            except (pa.ArrowException, OSError) as error:
                raise _unreadable(self.name, "Parquet", error) from None
            if names is not None:
                table = table.select(names)
            yield self._table(table, columns, [self.groups[i] for i in groups], row)

    def _bundles(self) -> Iterator[tuple[list[int], int]]:
        """Yield the row groups of each piece and its first row."""
        bundle: list[int] = []
        row, held = 0, 0
        for i, size in enumerate(self.groups):
            if self._wanted is not None and not self._statistics[i]:
                # The rows of a piece are without gaps.
                if bundle:
                    yield bundle, row
                row, bundle, held = row + held + size, [], 0
                continue
            bundle.append(i)
            held += size
            if held >= self._rows:
                yield bundle, row
                row, bundle, held = row + held, [], 0
        if bundle:
            yield bundle, row

    def _may_hold(self, group: int) -> bool:
        """Tell by its statistics whether a row group may have any of the wanted keys."""
        meta = self.file.metadata
        leaf = [i for i in range(meta.num_columns) if meta.schema.column(i).path == self.columns[self._by]]
        if not leaf:
            return True
        if self._as_text:
            return True
        statistics = meta.row_group(group).column(leaf[0]).statistics
        if statistics is None or not statistics.has_min_max:
            return True
        try:
            return any(statistics.min <= key <= statistics.max for key in self._wanted.to_pylist())
        except (TypeError, UnicodeDecodeError):
            return True

    def close(self) -> None:
        """Close the file."""
        self.file.close()


class ArrowSource(_Columnar):
    """An Arrow IPC file or stream, mapped into memory; a piece is as many record batches as make `rows` rows.

    Parameters
    ----------
    place : str or buffer
    name : str
    rows : int
    parallel : bool
    """

    def __init__(self, place: Any, name: str, *, rows: int, parallel: bool) -> None:
        import pyarrow as pa

        self.name = name
        self._data = pa.memory_map(place) if isinstance(place, str) else pa.BufferReader(place)
        self.stream = self._data.read_at(len(_MAGIC), 0) != _MAGIC
        self._rows = rows
        self._parallel = parallel
        reader = self._reader()
        super().__init__(name, Format("arrow"), reader.schema)
        self.codec = _codec(self._data, 0 if self.stream else 8)
        self.size = self._data.size() * (4 if self.codec else 1)

    def use_whole(self) -> None:
        """Read all rows as one piece."""
        self._rows = 2**62

    def head(self) -> ArrowTable:
        """Return the first rows with all columns."""
        for batch in self._batches():
            if batch.num_rows:
                return self._piece([batch], None, 0)
        raise InputError(f"{self.name}: no data rows")

    def pieces(self, columns: Sequence[int] | None = None, *, first: int = 0) -> Iterator[ArrowTable]:
        """Yield the rows in file order, from a piece on."""
        bundle: list[Any] = []
        row, held, number = 0, 0, 0
        for batch in self._batches():
            bundle.append(batch)
            held += batch.num_rows
            if held >= self._rows:
                if number >= first:
                    yield self._piece(bundle, columns, row)
                row, number, bundle, held = row + held, number + 1, [], 0
        if not (held or row):
            raise InputError(f"{self.name}: no data rows")
        if held and number >= first:
            yield self._piece(bundle, columns, row)

    def _piece(self, batches: list[Any], columns: Sequence[int] | None, row: int) -> ArrowTable:
        import pyarrow as pa

        table = pa.Table.from_batches(batches, self.schema)
        if columns is not None:
            table = table.select(list(columns))
        return self._table(table, columns, [batch.num_rows for batch in batches], row)

    def _batches(self) -> Iterator[Any]:
        import pyarrow as pa

        reader = self._reader()
        try:
            if self.stream:
                yield from reader
            else:
                for i in range(reader.num_record_batches):
                    yield reader.get_batch(i)
        except (pa.ArrowException, OSError) as error:
            raise _unreadable(self.name, "Arrow", error) from None

    def _reader(self) -> Any:
        import pyarrow as pa

        self._data.seek(0)
        options = pa.ipc.IpcReadOptions(use_threads=self._parallel)
        try:
            return (pa.ipc.open_stream if self.stream else pa.ipc.open_file)(self._data, options=options)
        except (pa.ArrowException, OSError) as error:
            raise _unreadable(self.name, "Arrow", error) from None

    def close(self) -> None:
        """Close the file."""
        self._data.close()


def _unreadable(name: str, what: str, error: Exception) -> InputError:
    reason = (str(error).splitlines() or ["it is torn"])[0]
    return InputError(f"{name}: not a readable {what} file: {reason}")


def _width(kind: Any) -> int:
    """Return about how many bytes a value takes."""
    try:
        return max(1, int(kind.bit_width) // 8)
    except ValueError:  # texts and lists
        return 16


def _codec(data: Any, start: int) -> str | None:
    """Return how the record batches of an IPC stream are compressed: "lz4", "zstd" or None."""
    import pyarrow as pa

    data.seek(start)
    try:
        for message in pa.ipc.MessageReader.open_stream(data):
            if message.type == "record batch":
                return _codec_of(message.metadata.to_pybytes())
    except (pa.ArrowException, OSError, IndexError):
        pass
    return None


def _codec_of(message: bytes) -> str | None:
    """Return the codec that a flatbuffer of Message.fbs names; pyarrow shows it nowhere."""

    def number(at: int, size: int, *, signed: bool = False) -> int:
        return int.from_bytes(message[at : at + size], "little", signed=signed)

    def field(table: int, index: int) -> int:
        """Return where a field of a table stands, 0 where it is not there."""
        vtable = table - number(table, 4, signed=True)
        slot = 4 + 2 * index
        offset = number(vtable + slot, 2) if slot < number(vtable, 2) else 0
        return table + offset if offset else 0

    root = number(0, 4)
    header = field(root, 2)  # Message.header, a RecordBatch
    batch = header + number(header, 4)
    compression = field(batch, 3)
    if not compression:
        return None
    codec = field(compression + number(compression, 4), 0)
    return "zstd" if codec and number(codec, 1) == 1 else "lz4"
