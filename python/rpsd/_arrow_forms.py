# SPDX-License-Identifier: MIT
"""Arrow types of which pyarrow finds no values or takes no rows, by way of types of which it does."""

from __future__ import annotations

from typing import Any


def findable(kind: Any) -> Any:
    """Return a type of which pyarrow finds values and that has those of another; of a dictionary, its own."""
    import pyarrow as pa
    from pyarrow import types

    kind = kind.value_type if types.is_dictionary(kind) else kind
    if types.is_string_view(kind):
        return pa.large_string()
    if types.is_binary_view(kind):
        return pa.large_binary()
    if types.is_float16(kind):
        return pa.float64()
    if types.is_decimal32(kind) or types.is_decimal64(kind):
        return pa.decimal128(kind.precision, kind.scale)
    return kind


def in_findable(data: Any) -> Any:
    """Return an array, or one of a dictionary, with its values as `findable` has them."""
    import pyarrow as pa
    from pyarrow import types

    kind = findable(data.type)
    if not types.is_dictionary(data.type):
        return data if kind == data.type else data.cast(kind)
    if kind == data.type.value_type:
        return data
    return pa.DictionaryArray.from_arrays(data.indices, data.dictionary.cast(kind), ordered=data.type.ordered)


def decoded(column: Any) -> Any:
    """Return a chunked array with the value of each row in its place, as `findable` has it."""
    import pyarrow as pa
    import pyarrow.compute as pc
    from pyarrow import types

    column = pc.run_end_decode(column) if types.is_run_end_encoded(column.type) else column
    chunks = [in_findable(chunk) for chunk in column.chunks]
    chunks = [chunk.dictionary_decode() if types.is_dictionary(chunk.type) else chunk for chunk in chunks]
    return pa.chunked_array(chunks, findable(column.type))


def some_rows(column: Any, mask: Any) -> Any:
    """Return some rows of a chunked array; ArrowNotImplementedError where pyarrow has no way to take them."""
    import pyarrow as pa
    import pyarrow.compute as pc
    from pyarrow import types

    kind = column.type
    try:
        return column.filter(mask)
    except pa.ArrowNotImplementedError:
        if not types.is_run_end_encoded(kind):
            return column.cast(_without_views(kind)).filter(mask).cast(kind)
        part = some_rows(pc.run_end_decode(column), mask)
        return pc.run_end_encode(part, run_end_type=kind.run_end_type)


def _without_views(kind: Any) -> Any:
    """Return a type without views of texts and bytes, at any depth."""
    import pyarrow as pa
    from pyarrow import types

    def plain(field: Any) -> Any:
        return field.with_type(_without_views(field.type))

    if types.is_string_view(kind):
        return pa.large_string()
    if types.is_binary_view(kind):
        return pa.large_binary()
    if isinstance(kind, pa.BaseExtensionType):
        return _without_views(kind.storage_type)
    if types.is_struct(kind):
        return pa.struct([plain(field) for field in kind])
    if types.is_map(kind):
        return pa.map_(plain(kind.key_field), plain(kind.item_field), keys_sorted=kind.keys_sorted)
    if types.is_fixed_size_list(kind):
        return pa.list_(plain(kind.value_field), kind.list_size)
    if types.is_list(kind):
        return pa.list_(plain(kind.value_field))
    if types.is_large_list(kind):
        return pa.large_list(plain(kind.value_field))
    return kind
