# SPDX-License-Identifier: MIT
"""Bodies as Arrow IPC: a Problem, or what pyarrow's own reader finds."""

import io

import atheris
import numpy as np
import pyarrow as pa

with atheris.instrument_imports(include=["rpsd.service"]):
    from rpsd.service import _codec_arrow
    from rpsd.service._problems import Problem
    from rpsd.service._request import Limits

from target import fuzz

_LIMITS = Limits(points=10_000, series=10, bytes=100_000)


def _seed(columns):
    out = io.BytesIO()
    table = pa.table({f"c{i}": pa.array(values, kind) for i, (kind, values) in enumerate(columns)})
    with pa.ipc.new_stream(out, table.schema) as writer:
        writer.write_table(table)
    return out.getvalue()


_N = [1, None, 3]
_SEEDS = [
    _seed([(pa.float64(), _N)]),
    _seed([(pa.float32(), _N), (pa.int8(), _N)]),
    _seed([(pa.uint64(), _N)]),
    _seed([(pa.string(), ["a", None, "1"])]),
]


def one(data):
    """Take a stream; a first byte below 128 says where, by the next ones, a good stream is changed."""
    if not data:
        return
    body = data[1:]
    if data[0] < 128:
        good = bytearray(_SEEDS[data[0] % len(_SEEDS)])
        for at in range(0, len(body) - 2, 3):
            good[int.from_bytes(body[at : at + 2], "little") % len(good)] = body[at + 2]
        body = bytes(good)
    try:
        asked = _codec_arrow.decode(body, b"", _LIMITS)
    except Problem:
        return
    table = pa.ipc.open_stream(body).read_all()
    assert list(asked.names) == table.column_names
    for read, column in zip(asked.series, table.columns, strict=True):
        expected = column.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)
        assert np.array_equal(read, expected, equal_nan=True)


fuzz(one)
