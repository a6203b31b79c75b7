# SPDX-License-Identifier: MIT
"""Series as columns of an Arrow IPC stream: null and NaN are missing samples, null is one in the answer."""

from __future__ import annotations

import io
import types
import typing
from collections.abc import Iterable
from typing import Any, Final

import msgspec
import numpy as np

from rpsd.service._arrow_stream import open_stream, pyarrow
from rpsd.service._plain import LARGE, Content
from rpsd.service._problems import Problem
from rpsd.service._request import F64, Answer, Asked, Limits, Outcome, outcome_headers, read_query

#: The key of a column's metadata that has, as JSON, all of its answer but the values.
_KEY: Final = b"rpsd"
#: A series that came without a name.
_UNNAMED: Final = "values"
_ITEM: Final = 8
#: Types of columns, as Arrow writes them.
_NUMBERS: Final = frozenset(
    ("double", "float", *(f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)))
)


def most_points(body: bytes | bytearray) -> int:
    """Return about how many samples there are; what narrow or packed numbers are more is seen when read."""
    return len(body) // _ITEM


def decode(body: bytes | bytearray, query: bytes, limits: Limits) -> Asked:
    """Read series, one a column of numbers, with options in the query.

    Raises
    ------
    Problem
        For what is no whole stream, has other columns than numbers, or is too large.
    """
    given = read_query(query)
    columns = _columns(body, limits, limits.series)
    return Asked(
        tuple(columns), tuple(columns.values()), given.options, given.guardrails or None, given.report
    )


def decode_pairs(body: bytes | bytearray, query: bytes, limits: Limits) -> Asked:
    """Read inputs and their outputs: columns x and y, or NAME.x and NAME.y for each of several.

    Raises
    ------
    Problem
        As `decode`, and for a column without the other.
    """
    given = read_query(query)
    columns = _columns(body, limits, 2 * limits.series)
    single = columns.keys() == {"x", "y"}
    stems = [""] if single else [name[:-1] for name in columns if name.endswith(".x")]
    if len(columns) != 2 * len(stems) or any(f"{stem}y" not in columns for stem in stems):
        raise Problem("invalid-request", "columns must be x and y, or NAME.x and NAME.y of each series")
    return Asked(
        None if single else tuple(stem[:-1] for stem in stems),
        tuple(columns[f"{stem}x"] for stem in stems),
        given.options,
        given.guardrails or None,
        "full",
        tuple(columns[f"{stem}y"] for stem in stems),
    )


def _columns(body: bytes | bytearray, limits: Limits, most: int) -> dict[str, F64]:
    """Return every column as float64, by its name."""
    pa = pyarrow()
    kinds, batches = open_stream(body, limits.bytes)
    names = [name for name, _ in kinds]
    if len(names) > most:
        raise Problem("too-large", f"a request has at most {limits.series} series, got {len(names)} columns")
    if len(set(names)) < len(names):
        raise Problem("invalid-request", "columns must have different names")
    for name, kind in kinds:
        if kind not in _NUMBERS:
            raise Problem(
                "invalid-request",
                f'column "{name[:80]}" must be double, float or integers, got {kind[:80]}',
            )
    parts: list[list[F64]] = [[] for _ in names]
    rows = 0
    for batch in batches:
        rows += batch.num_rows
        if rows * len(names) > limits.points:
            raise Problem("too-large", f"a request has at most {limits.points} samples")
        if batch.num_rows:
            for part, column in zip(parts, batch.columns, strict=True):
                part.append(_floats(pa, column))
    whole = (part[0] if len(part) == 1 else np.concatenate([np.empty(0), *part]) for part in parts)
    return dict(zip(names, whole, strict=True))


def _floats(pa: Any, column: Any) -> F64:
    values: F64 = column.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)
    return values


def encode(answer: Answer) -> tuple[Content, dict[str, str]]:
    """Return the values of all series as columns, with the rest of their answers in the columns' metadata.

    Raises
    ------
    Problem
        For series of several lengths, which are no table.
    """
    pa = pyarrow("not-acceptable")
    values = [one.values for one in answer.outcomes if one.values is not None]
    if len({len(one) for one in values}) > 1:
        raise Problem("not-acceptable", "series of several lengths do not fit an Arrow table: accept JSON")
    columns = [
        pa.field(name, pa.float64(), metadata={_KEY: msgspec.json.encode(one.content)})
        for name, one in _named(answer)
    ]
    arrays = [_array(pa, one) for one in values]
    batch = pa.RecordBatch.from_arrays(arrays, schema=pa.schema(columns))
    return _stream(pa, batch.schema, [batch]), outcome_headers(answer)


def rows_encoder(form: type[msgspec.Struct]) -> typing.Callable[[Answer], tuple[Content, dict[str, str]]]:
    """Return an encoder of answers without values: a row for each series, its name first."""

    def encode_rows(answer: Answer) -> tuple[Content, dict[str, str]]:
        pa = pyarrow("not-acceptable")
        from pyarrow import json

        schema = pa.schema([("series", pa.utf8()), *_columns_of(pa, form)])
        if not answer.outcomes:
            return _stream(pa, schema, []), {}
        lines = b"\n".join(
            msgspec.json.encode({"series": answer.names and name, **one.content})
            for name, one in _named(answer)
        )
        # By way of JSON: pyarrow loads pandas to make arrays of Python objects.
        table = json.read_json(
            io.BytesIO(lines),
            json.ReadOptions(use_threads=False, block_size=len(lines) + 1),
            json.ParseOptions(explicit_schema=schema, unexpected_field_behavior="ignore"),
        )
        return _stream(pa, schema, table.to_batches()), {}

    return encode_rows


def _named(answer: Answer) -> Iterable[tuple[str, Outcome]]:
    names = (_UNNAMED,) if answer.names is None else answer.names
    return zip(names, answer.outcomes, strict=True)


def _array(pa: Any, values: F64) -> Any:
    """Return values as an Arrow array without a copy, NaN as null."""
    there = ~np.isnan(values)
    bitmap = None if there.all() else pa.py_buffer(np.packbits(there, bitorder="little"))
    return pa.Array.from_buffers(
        pa.float64(), len(values), [bitmap, pa.py_buffer(np.ascontiguousarray(values))]
    )


def _stream(pa: Any, schema: Any, batches: Iterable[Any]) -> Content:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, schema) as writer:
        for batch in batches:
            writer.write_batch(batch)
    content = memoryview(sink.getvalue()).cast("B")
    return content if len(content) >= LARGE else bytes(content)


def _columns_of(pa: Any, form: type[msgspec.Struct]) -> list[tuple[str, Any]]:
    hints = typing.get_type_hints(form)
    return [(field.name, _type_of(pa, hints[field.name])) for field in msgspec.structs.fields(form)]


def _type_of(pa: Any, hint: Any) -> Any:
    """Return the Arrow type of a field of an answer."""
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        hint = next(part for part in typing.get_args(hint) if part not in (types.NoneType, msgspec.UnsetType))
    if typing.get_origin(hint) is list:
        return pa.list_(_type_of(pa, typing.get_args(hint)[0]))
    if isinstance(hint, type) and issubclass(hint, msgspec.Struct):
        return pa.struct(_columns_of(pa, hint))
    return {float: pa.float64(), int: pa.int64(), bool: pa.bool_(), str: pa.utf8()}[hint]
