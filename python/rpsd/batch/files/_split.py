# SPDX-License-Identifier: MIT
"""Find the cells of a delimited text by byte offset, so that all else can be kept as it came."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from rpsd._errors import InputError

_I64 = npt.NDArray[np.int64]
_Bytes = npt.NDArray[np.uint8]
_Mask = npt.NDArray[np.bool_]

_BOM: Final = b"\xef\xbb\xbf"
_QUOTE: Final = ord('"')
_START: Final = 1 << 12
_FEW_QUOTES: Final = 1000  # those of a header: cheaper one by one than a pass over the text
_DELIMITERS: Final = (b",", b";", b"\t", b"|")
_NOT_TEXT: Final = {
    b"\x1f\x8b": "a gzip file; decompress it first (gunzip -c FILE | rpsd denoise -), or name it .csv.gz",
    b"\x28\xb5\x2f\xfd": "a zstd file; name it .csv.zst",
    b"PK\x03\x04": "a zip file or a spreadsheet; export the sheet as CSV",
    b"PAR1": "a Parquet file; give it the suffix .parquet",
    b"\xff\xfe": "UTF-16 text; save it as UTF-8",
    b"\xfe\xff": "UTF-16 text; save it as UTF-8",
}
_NUMBER_OR_DATE: Final = re.compile(r"[+-]?(\d+[.,]?\d*|[.,]\d+)([eE][+-]?\d+)?|\d{4}-\d\d(-\d\d.*)?")


class Layout(NamedTuple):
    """How a delimited text is laid out, as its beginning tells.

    Attributes
    ----------
    delimiter, newline : bytes
        The delimiter found in the header, and the byte that ends a line.
    header : tuple of str
        Column names, without quotes and surrounding white space.
    """

    delimiter: bytes
    newline: bytes
    header: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Cells:
    """The cells of a delimited text, or of a block of its lines.

    Attributes
    ----------
    data : bytes
        The text, without a byte-order mark.
    layout : Layout
    starts, stops : ndarray of int64, shape (rows, columns)
        Byte offsets of each cell, quotes around it excluded.
    first_line : int
        Number of the first line of `data`, from 1.
    mark : bool
        Whether there was a byte-order mark.
    blank : int
        How many blank lines there are.
    first_blank : int
        The line number of the first of them.
    """

    data: bytes
    layout: Layout
    starts: _I64
    stops: _I64
    first_line: int = 1
    mark: bool = False
    blank: int = 0
    first_blank: int = 0

    @cached_property
    def lines(self) -> _I64:
        """The line number, from 1, on which each row starts."""
        text = np.frombuffer(self.data, np.uint8)
        newlines = np.flatnonzero(text == ord(self.layout.newline))
        return self.first_line + np.searchsorted(newlines, self.starts[:, 0])


def split(data: bytes, name: str, layout: Layout | None = None, *, line: int = 1, offset: int = 0) -> Cells:
    """Split a delimited text into cells; InputError names the line of what is wrong.

    Parameters
    ----------
    data : bytes
    name : str
        What messages call the file.
    layout : Layout, optional
        That of the lines before, where `data` is a later block of lines; None: the text has a header.
    line, offset : int
        Line number, from 1, and byte of the file at which `data` begins.
    """
    _check_is_text(data, name, line, offset)
    mark = layout is None and data.startswith(_BOM)
    if mark:
        data = data[len(_BOM) :]
    if layout is None and not data[:_START].strip() and not data.strip():
        raise InputError(f"{name}: the file is empty; needed: a header line with column names, and data rows")
    newline = find_newline(data) if layout is None else layout.newline
    delimiter = find_delimiter(data, newline) if layout is None else layout.delimiter
    starts, stops, ends_line = _find_cells(data, delimiter, newline, name, line)
    # A line is blank before its quotes are taken away: "" is a missing value of a file with one column.
    blank = ends_line & np.concatenate(([True], ends_line[:-1])) & (starts == stops)
    blanks = int(blank.sum())
    first_blank = line + _line(data, newline, int(starts[np.argmax(blank)])) if blanks else 0
    if blanks:
        starts, stops, ends_line = starts[~blank], stops[~blank], ends_line[~blank]
    if b'"' in data and starts.size:
        quotes = np.flatnonzero(np.frombuffer(data, np.uint8) == _QUOTE)
        at = np.minimum(np.searchsorted(starts, quotes), len(starts) - 1)
        quoted = at[(starts[at] == quotes) & (stops[at] - starts[at] >= 2)]
        starts[quoted] += 1
        stops[quoted] -= 1
    if layout is None:
        columns = int(np.argmax(ends_line)) + 1
        header = tuple(column_name(data[a:b]) for a, b in zip(starts[:columns], stops[:columns], strict=True))
        check_is_header(header, f"{name}: line {line + _line(data, newline, int(starts[0]))}")
        layout = Layout(delimiter, newline, header)
        starts, stops, ends_line = starts[columns:], stops[columns:], ends_line[columns:]
    columns = len(layout.header)
    _check_rectangular(data, newline, starts, ends_line, columns, name, line)
    starts, stops = starts.reshape(-1, columns), stops.reshape(-1, columns)
    return Cells(data, layout, starts, stops, line, mark, blanks, first_blank)


def find_newline(data: bytes) -> bytes:
    """Return the byte that ends the lines of a text."""
    return b"\n" if b"\n" in data or b"\r" not in data else b"\r"


def check_is_no_other_format(data: bytes, name: str) -> None:
    """Raise InputError where a text begins as files of other formats do."""
    for magic, what in _NOT_TEXT.items():
        if data.startswith(magic):
            raise InputError(f"{name}: this is {what}")


def check_is_header(cells: Sequence[str], place: str) -> None:
    """Raise InputError where the cells of what should be the header are all numbers or dates."""
    if all(_NUMBER_OR_DATE.fullmatch(cell) for cell in cells):
        raise InputError(
            f"{place} holds data ({', '.join(cells)[:60]}) where column names are needed; "
            "add a header line such as timestamp,price"
        )


def _check_is_text(data: bytes, name: str, line: int, offset: int) -> None:
    if not offset:
        check_is_no_other_format(data, name)
    nul = data.find(b"\0")
    if nul >= 0:
        at = line + _line(data, b"\n", nul)
        raise InputError(
            f"{name}: line {at}: a NUL byte (byte {offset + nul + 1} of the file); allowed: UTF-8 text"
        )
    if data.isascii():
        return
    try:
        data.decode()
    except UnicodeDecodeError as error:
        at, byte = line + _line(data, b"\n", error.start), offset + error.start + 1
        raise InputError(
            f"{name}: line {at}: byte 0x{data[error.start]:02x} (byte {byte} of the file) "
            "is not UTF-8; save the file as UTF-8"
        ) from None


def _line(data: bytes, newline: bytes, offset: int) -> int:
    """Return how many lines end before an offset."""
    return data.count(newline, 0, offset)


def find_delimiter(data: bytes, newline: bytes) -> bytes:
    """Return the most frequent delimiter of the header, best one that the next line has as often."""
    lines = data[: 1 << 20].lstrip(b"\r\n").split(newline, 2)[:2]
    header, row = ([re.sub(rb'"[^"]*"', b"", line) for line in lines] * 2)[:2]
    best = max(_DELIMITERS, key=lambda d: (0 < header.count(d) == row.count(d), header.count(d)))
    return best if best in header else b","


def _find_cells(
    data: bytes, delimiter: bytes, newline: bytes, name: str, line: int
) -> tuple[_I64, _I64, _Mask]:
    """Return start and stop of every cell in file order, and whether it is the last of its line."""
    text = np.frombuffer(data, np.uint8)
    mark = (text == ord(delimiter)) | (text == ord(newline))
    if b'"' in data:
        quote = text == _QUOTE
        quotes = np.flatnonzero(quote)
        _check_quotes(data, text, quotes, delimiter, newline, name, line)
        if len(quotes) <= _FEW_QUOTES:
            for opening, closing in zip(quotes[0::2], quotes[1::2], strict=True):
                mark[opening:closing] = False
        else:
            # Parity of the quotes so far; 8 bits are enough, as they wrap at an even number.
            mark &= (np.cumsum(quote, dtype=np.uint8) & 1) == 0
    ends = np.flatnonzero(mark)
    if not data.endswith(newline):
        ends = np.append(ends, len(data))
    starts = np.concatenate(([0], ends[:-1] + 1))
    stops = ends.copy()
    # A text that does not end in a newline has its last cell end at the end of the data.
    ends_line = text[np.minimum(ends, len(data) - 1)] == ord(newline)
    ends_line[-1] = True
    if newline == b"\n" and b"\r" in data:
        stops -= ends_line & (stops > starts) & (text[stops - 1] == ord("\r"))
    return starts, stops, ends_line


def _check_quotes(
    data: bytes, text: _Bytes, quotes: _I64, delimiter: bytes, newline: bytes, name: str, line: int
) -> None:
    """Refuse quotes that do not enclose a whole cell: what they mean differs from reader to reader."""
    opening, closing = quotes[0::2], quotes[1::2]
    outside = np.frombuffer(delimiter + newline + b'\r"', np.uint8)
    bad_open = (opening > 0) & ~np.isin(text[opening - 1], outside)
    bad_close = (closing < len(data) - 1) & ~np.isin(text[np.minimum(closing + 1, len(data) - 1)], outside)
    wrong = np.concatenate((opening[bad_open], closing[bad_close]))
    if wrong.size:
        at = line + _line(data, newline, int(wrong.min()))
        raise InputError(
            f'{name}: line {at}: a quote (") that does not enclose a whole cell; '
            "quote the whole cell and double the quotes inside it"
        )
    if quotes.size % 2:
        at = line + _line(data, newline, int(quotes[-1]))
        raise InputError(f'{name}: line {at}: a quote (") is opened here and never closed')


def column_name(cell: bytes) -> str:
    """Return the name that a cell of the header gives."""
    return cell.decode().replace('""', '"').strip()


def _check_rectangular(
    data: bytes, newline: bytes, starts: _I64, ends_line: _Mask, columns: int, name: str, line: int
) -> None:
    if ends_line.size % columns == 0:
        grid = ends_line.reshape(-1, columns)
        if grid[:, -1].all() and int(ends_line.sum()) == len(grid):
            return
    last = np.flatnonzero(ends_line)
    counts = np.diff(last, prepend=-1)
    bad = int(np.argmax(counts != columns))
    at = line + _line(data, newline, int(starts[last[bad] - counts[bad] + 1]))
    raise InputError(f"{name}: line {at}: {counts[bad]} cell(s) where the header has {columns}")
