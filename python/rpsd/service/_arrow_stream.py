# SPDX-License-Identifier: MIT
"""Record batches of an Arrow IPC stream from anyone: what it declares is checked before it is believed.

pyarrow verifies the structure of each message, but takes its word for how large packed buffers become, and
reads numbers of the other byte order as its own. Both are read here, from the FlatBuffers of the messages
(Schema.fbs and Message.fbs of Arrow's format).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any, Final

import numpy as np

from rpsd.service._problems import Problem

_END: Final = b"\xff\xff\xff\xff\0\0\0\0"
#: Positions of fields in their tables.
_HEADER, _ENDIANNESS, _BUFFERS, _COMPRESSION = 2, 0, 2, 3
_MOST_BATCHES: Final = 10_000


def pyarrow(otherwise: str = "unsupported-media-type") -> Any:
    """Return pyarrow, or raise the Problem of a service without it."""
    try:
        import pyarrow as pa
        import pyarrow.ipc
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] != "pyarrow":
            raise
        raise Problem(
            otherwise,
            'this service has no pyarrow, which Arrow streams need: pip install "rpsd[service]"',
        ) from None
    return pa


def open_stream(body: bytes | bytearray, most_bytes: int) -> tuple[list[tuple[str, str]], Iterator[Any]]:
    """Return name and type of each column, and the record batches as they are read.

    Parameters
    ----------
    body : bytes
        The whole stream.
    most_bytes : int
        That packed buffers may become, all together.

    Raises
    ------
    Problem
        malformed-body for what is no whole stream, also while batches are read; too-large.
    """
    pa = pyarrow()
    messages = _messages(pa, body)
    first = next(messages, None)
    if first is None or first.type != "schema":
        raise _malformed("it does not begin with a schema")
    metadata = first.metadata.to_pybytes()
    with _Reading():
        place = _field(metadata, _header(metadata), _ENDIANNESS)
        big = place is not None and struct.unpack_from("<h", metadata, place)[0] != 0
    if big:
        raise _malformed("its numbers must be little-endian")
    with _Reading(pa):
        schema = pa.ipc.read_schema(first)
        columns = [(column.name, str(column.type)) for column in schema]
    return columns, _batches(pa, messages, schema, most_bytes)


def _messages(pa: Any, body: bytes | bytearray) -> Iterator[Any]:
    source = pa.BufferReader(body)
    with _Reading(pa):
        reader = pa.ipc.MessageReader.open_stream(source)
    while True:
        try:
            with _Reading(pa):
                message = reader.read_next_message()
        except StopIteration:
            break
        yield message
    # A stream that was cut off between two batches would else be taken for a shorter one.
    if source.tell() != len(body) or not body.endswith(_END):
        raise _malformed("it must end with the end-of-stream marker, and nothing behind it")


def _batches(pa: Any, messages: Iterator[Any], schema: Any, most_bytes: int) -> Iterator[Any]:
    room = most_bytes
    for number, message in enumerate(messages):
        if message.type != "record batch":
            raise _malformed(f"a message is no record batch: {message.type}")
        if number >= _MOST_BATCHES:
            raise Problem("too-large", f"an Arrow stream has at most {_MOST_BATCHES} record batches")
        with _Reading():
            room -= _unpacked_size(message.metadata.to_pybytes(), message.body)
        if room < 0:
            raise Problem("too-large", f"a body has at most {most_bytes} bytes, unpacked")
        with _Reading(pa):
            batch = pa.ipc.read_record_batch(message, schema)
            batch.validate(full=True)
        yield batch


def _unpacked_size(metadata: bytes, body: Any) -> int:
    """Return how many bytes the packed buffers of a record batch say that they become."""
    batch = _header(metadata)
    if _field(metadata, batch, _COMPRESSION) is None:
        return 0
    place = _field(metadata, batch, _BUFFERS)
    if place is None:
        return 0
    start = place + struct.unpack_from("<I", metadata, place)[0]
    count = struct.unpack_from("<I", metadata, start)[0]
    total = 0
    for offset, length in np.frombuffer(metadata, "<i8", 2 * count, start + 4).reshape(-1, 2).tolist():
        if length:
            if offset < 0:
                raise ValueError
            total += max(0, struct.unpack_from("<q", body, offset)[0])  # -1: not packed
    return total


def _header(metadata: bytes) -> int:
    """Return where the table is that a message is about."""
    place = _field(metadata, struct.unpack_from("<I", metadata)[0], _HEADER)
    if place is None:
        raise ValueError
    return place + int(struct.unpack_from("<I", metadata, place)[0])


def _field(metadata: bytes, table: int, number: int) -> int | None:
    """Return where a field of a table is, or None where it has its default."""
    vtable = table - struct.unpack_from("<i", metadata, table)[0]
    slot = 4 + 2 * number
    if vtable < 0 or slot >= struct.unpack_from("<H", metadata, vtable)[0]:
        return None
    offset = struct.unpack_from("<H", metadata, vtable + slot)[0]
    return table + offset if offset else None


class _Reading:
    """Turns errors of reading into problems; without pyarrow those of our own reading."""

    def __init__(self, pa: Any = None) -> None:
        self._errors: tuple[type[Exception], ...] = (struct.error, ValueError)
        if pa is not None:
            self._errors += (pa.ArrowException, OSError, UnicodeDecodeError)

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        if isinstance(error, self._errors):
            # What pyarrow says may tell of its insides: the shortest of it.
            raise _malformed("it is damaged") from None


def _malformed(why: str) -> Problem:
    return Problem("malformed-body", f"the body is not a whole Arrow IPC stream: {why}")
