# SPDX-License-Identifier: MIT
"""A CSV file read in blocks that end at the ends of rows."""

from __future__ import annotations

import io
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO, Final

from rpsd._errors import InputError
from rpsd.batch.files._buffers import as_numpy, texts
from rpsd.batch.files._csv import CsvTable, mends
from rpsd.batch.files._formats import Format
from rpsd.batch.files._split import Layout, find_newline, split

_SAMPLE: Final = 1 << 16
_LEAST_BLOCK: Final = 1 << 20
# No row is longer; a quote that is never closed would read the whole file.
_LONGEST_ROW: Final = 64 << 20
_RATIO: Final = 8  # of text to its compressed form, about


class CsvSource:
    """A CSV file, compressed or not; see `rpsd.batch.files._source.Source` for the methods.

    Parameters
    ----------
    place : str or bytes
        Its path, or the text.
    name : str
    form : Format
    rows : int
        Rows of a piece, about.
    """

    def __init__(self, place: str | bytes, name: str, form: Format, *, rows: int) -> None:
        self.name = name
        self.format = form
        length = len(place) if isinstance(place, bytes) else Path(place).stat().st_size
        self.size = length * (_RATIO if form.codec else 1)
        self._place = place
        self._whole = False
        self._rows = rows
        self._layout: Layout | None = None
        self._commas: dict[int, bool] = {}
        self._wanted: tuple[int, Any] | None = None
        self._block, self._newline = 0, b""
        # Where the pieces begin: byte and line.
        self._starts: list[tuple[int, int]] = []
        # What was put right in so many of them.
        self._counted, self._mark, self._blank, self._first_blank = 0, False, 0, 0
        with _opened(place, form):
            pass  # it can be read

    @property
    def mends(self) -> tuple[str, ...]:
        """What was put right in the pieces read so far."""
        return mends(self._mark, self._blank, self._first_blank)

    def use_whole(self) -> None:
        """Read all rows as one piece."""
        self._whole = True

    def head(self) -> CsvTable:
        """Return the first rows with all columns."""
        sample = 1 << 18
        with _opened(self._place, self.format) as file:
            data = self._read(file, sample)
        if len(data) == sample:
            newline = find_newline(data)
            data = data[: _row_end(data, newline)] or data
        if data.count(find_newline(data)) < 2 and len(data) == sample:
            return next(self.pieces())
        return CsvTable(data, self.name, self.format)

    def keep(self, by: int, only: Sequence[str]) -> None:
        """Leave out the rows that have none of some keys in a column."""
        import pyarrow as pa

        self._wanted = by, texts(only, pa.large_string())

    def pieces(self, columns: Sequence[int] | None = None, *, first: int = 0) -> Iterator[CsvTable]:
        """Yield the rows in file order, from a piece on; always with all columns."""
        number, offset, line = 0, 0, 1
        with _opened(self._place, self.format) as file:
            if not self.format.codec and first < len(self._starts):
                number = first
                offset, line = self._starts[first]
                file.seek(offset)
            for block in self._blocks(file):
                if number == len(self._starts):
                    self._starts.append((offset, line))
                if number >= first:
                    yield self._table(block, number, offset, line)
                assert self._layout is not None
                number, offset, line = (
                    number + 1,
                    offset + len(block),
                    line + block.count(self._layout.newline),
                )

    def _table(self, block: bytes, number: int, offset: int, line: int) -> CsvTable:
        layout = self._layout if number else None
        cells = split(block, self.name, layout, line=line, offset=offset)
        if number == self._counted:
            self._counted += 1
            self._layout = cells.layout
            self._mark |= cells.mark
            self._first_blank = self._first_blank or cells.first_blank
            self._blank += cells.blank
        table = CsvTable(cells, self.name, self.format)
        if self._wanted is not None:
            import pyarrow.compute as pc

            by, wanted = self._wanted
            keys = table.keys(by)
            table = table.kept(as_numpy(pc.is_in(keys.dictionary, value_set=wanted).take(keys.indices)))
        table.commas = self._commas
        return table

    def _blocks(self, file: BinaryIO) -> Iterator[bytes]:
        """Yield the text in blocks of whole rows; an empty file is one empty block."""
        if self._whole:
            yield self._read(file, -1)
            return
        rest = b""
        if not self._block:
            rest = self._read(file, _SAMPLE)
            self._newline = find_newline(rest)
            self._block = max(_LEAST_BLOCK, self._rows * (len(rest) // max(1, rest.count(self._newline))))
        # Blocks are the same from wherever the file is read.
        wanted = self._block
        while True:
            rest += self._read(file, max(0, wanted - len(rest)))
            if len(rest) < wanted:
                break
            end = _row_end(rest[:wanted], self._newline)
            if not end and wanted < _LONGEST_ROW:
                wanted += self._block
                continue
            yield rest[: end or wanted]
            rest, wanted = rest[end or wanted :], self._block
        if rest or self._layout is None:
            yield rest

    def _read(self, file: BinaryIO, size: int) -> bytes:
        try:
            return file.read() if size < 0 else file.read(size)
        except (OSError, EOFError, zlib.error) as error:
            what = f"not a readable {self.format.codec} file" if self.format.codec else "cannot be read"
            raise InputError(f"{self.name}: {what}: {str(error).splitlines()[0]}") from None

    def close(self) -> None:
        """Close the file: each pass opens it by itself."""


def _opened(place: str | bytes, form: Format) -> BinaryIO:
    """Open a file for reading, decompressed."""
    if form.codec == "gzip":
        import gzip

        return gzip.open(place, "rb")  # type: ignore[return-value]
    if form.codec == "zstd":
        import pyarrow as pa

        return pa.input_stream(place, compression="zstd")  # type: ignore[no-any-return]
    return io.BytesIO(place) if isinstance(place, bytes) else open(place, "rb")


def _row_end(data: bytes, newline: bytes) -> int:
    """Return where the last whole row of a text ends that begins with a row: not inside quotes."""
    end = data.rfind(newline) + 1
    odd = data.count(b'"', 0, end) & 1
    while end and odd:
        before = data.rfind(newline, 0, end - 1) + 1
        odd ^= data.count(b'"', before, end) & 1
        end = before
    return end
