# SPDX-License-Identifier: MIT
"""Arrow IPC streams in and out, by pyarrow and by polars, whose Arrow is another; and hostile ones."""

import contextlib
import gzip
import io
import json
import struct
import sys
from pathlib import Path

import numpy as np
import polars as pl
import psutil
import pyarrow as pa
import pytest
from serving import server

import rpsd
from rpsd._result import noise_data, report_data
from rpsd.service import _codec_arrow
from rpsd.service._answers import NoiseEstimate
from rpsd.service._problems import Problem
from rpsd.service._request import Answer, Limits, Outcome

__all__ = ["server"]
ARROW, JSON, BINARY = "application/vnd.apache.arrow.stream", "application/json", "application/octet-stream"
SMALL = Limits(points=1000, series=10, bytes=100_000)


def prices(n=400, seed=1):
    return 100 + rpsd.simulate("a", n, seed=seed, nsr=1.0).noisy


def stream(table, compression=None, rows=None):
    sink = pa.BufferOutputStream()
    options = pa.ipc.IpcWriteOptions(compression=compression)
    with pa.ipc.new_stream(sink, table.schema, options=options) as writer:
        writer.write_table(pa.table(table), rows)
    return sink.getvalue().to_pybytes()


def read(answer):
    assert (answer.status, answer.headers["content-type"]) == (200, ARROW), answer.body
    return pa.ipc.open_stream(answer.body).read_all()


def plain(content):
    return json.loads(json.dumps(content).replace("NaN", "null"))


def numbers(column):
    return column.to_numpy(zero_copy_only=False)


def ask(server, body, path="/v1/denoise", **headers):
    return server.post(body, path, **{"content_type": ARROW, **headers})


@pytest.mark.parametrize("columns", [1, 2])
def test_large_answers_which_are_not_copied(server, columns):
    """Above a mebibyte, computed and then from the cache."""
    x = np.stack([prices(140_000 // columns, seed) for seed in range(columns)])
    y = rpsd.denoise(x, method="wavelet", noise="mad")
    options = f"/v1/denoise?method=wavelet&noise=mad&series={columns}"
    for _ in range(2):
        assert server.post(x.tobytes(), options, content_type=BINARY).body == y.tobytes()
        got = read(server.post(x.tobytes(), options, content_type=BINARY, accept=ARROW))
        np.testing.assert_array_equal([numbers(column) for column in got.columns], y)


@pytest.mark.parametrize("compression", [None, "zstd", "lz4"])
def test_columns_are_series(server, compression):
    gaps = prices(seed=2)
    gaps[[0, 7, 399]] = np.nan
    steps = np.round(10 * prices(seed=3)).astype(np.int32)
    table = pa.table(
        {
            "a": prices(),
            "nulls": pa.array(gaps, mask=np.isnan(gaps)),
            "NaN": gaps,
            "ü b": prices().astype(np.float32),
            "": pa.array(steps),
        }
    )
    got = read(ask(server, stream(table, compression, rows=150), "/v1/denoise?lookahead=3"))
    assert got.schema.types == [pa.float64()] * 5
    assert got.column_names == table.column_names
    for name in table.column_names:
        x = numbers(table[name]).astype(float)
        y = rpsd.denoise(x, lookahead=3)
        np.testing.assert_array_equal(numbers(got[name]), y)
        assert got[name].null_count == np.isnan(y).sum()  # null, never NaN
        assert json.loads(got.schema.field(name).metadata[b"rpsd"])["lookahead"] == 3


@pytest.mark.parametrize("compression", ["uncompressed", "lz4", "zstd"])
def test_polars_understands(server, compression):
    table = pl.DataFrame({"a": prices(), "b": [None, *prices(399).tolist()]})
    sink = io.BytesIO()
    table.write_ipc_stream(sink, compression=compression)
    answer = ask(server, sink.getvalue())
    got = pl.read_ipc_stream(io.BytesIO(answer.body))
    assert got.equals(pl.DataFrame({name: rpsd.denoise(table[name]) for name in table.columns}))
    assert answer.headers["rpsd-action"] == "denoised"
    assert answer.headers["rpsd-lookahead"] == "none"


def test_the_report_is_in_the_metadata_where_it_is_wanted(server):
    got = read(ask(server, stream(pa.table({"a": prices()})), "/v1/denoise?report=full"))
    content = json.loads(got.schema.field("a").metadata[b"rpsd"])
    expected = rpsd.Denoiser().run(prices())
    assert content["report"] == plain(report_data(expected.report))
    assert content["noise"] == plain(noise_data(expected.noise))
    assert content["action"] == "denoised"


def test_any_type_is_answered_in_any_other(server):
    x = prices()
    y, body = rpsd.denoise(x), stream(pa.table({"a": x}))
    assert ask(server, body, accept=JSON).json["series"]["a"]["values"] == y.tolist()
    assert ask(server, body, accept=BINARY).body == y.tobytes()
    assert numbers(read(server.post({"values": x.tolist()}, accept=ARROW))["values"]).tolist() == y.tolist()
    got = read(server.post(x.tobytes(), "/v1/denoise?series=2", content_type=BINARY, accept=ARROW))
    assert got.column_names == ["0", "1"]
    assert numbers(got["1"]).tolist() == rpsd.denoise(x[200:]).tolist()
    uneven = server.post({"series": {"a": [1, 2], "b": [1]}}, accept=ARROW)
    assert (uneven.status, uneven.json["type"]) == (406, "urn:rpsd:problem:not-acceptable")


def test_noise_is_a_row_for_each_series(server):
    x, clean = prices(), np.arange(30.0)
    got = read(ask(server, stream(pa.table({"a": x[:30], "b": clean})), "/v1/noise")).to_pylist()
    assert [row["series"] for row in got] == ["a", "b"]
    for row, values in zip(got, (x[:30], clean), strict=True):
        assert row["noise"] == plain(noise_data(rpsd.estimate_noise(values)))
        assert row["notes"] == []
    single = read(server.post({"values": x.tolist()}, "/v1/noise", accept=ARROW)).to_pylist()
    assert single == [{"series": None, "noise": plain(noise_data(rpsd.estimate_noise(x))), "notes": []}]


def test_evaluate_takes_pairs_of_columns(server):
    x, other = prices(), prices(seed=2)
    y, smooth = rpsd.denoise(x, lookahead=0), rpsd.denoise(other, lookahead=0)
    one = plain(report_data(rpsd.evaluate(x, y, lookahead=0)))
    two = plain(report_data(rpsd.evaluate(other, smooth, lookahead=0)))
    path = "/v1/evaluate?lookahead=0"
    assert ask(server, stream(pa.table({"y": y, "x": x})), path, accept=JSON).json["report"] == one
    table = pa.table({"a.x": x, "b.y": smooth, "b.x": other, "a.y": y})
    got = read(ask(server, stream(table), path)).to_pylist()
    assert got == [
        {"series": "a", "report": one, "lookahead": 0},
        {"series": "b", "report": two, "lookahead": 0},
    ]


def test_nothing_comes_back_as_nothing(server):
    for path in ("/v1/denoise", "/v1/noise", "/v1/evaluate"):
        assert read(ask(server, stream(pa.table({})), path)).num_rows == 0
        assert ask(server, stream(pa.table({})), path, accept=JSON).json == {"series": {}}
    empty = read(ask(server, stream(pa.table({"a": pa.array([], pa.float64())}))))
    assert (empty.column_names, empty.num_rows) == (["a"], 0)
    assert server.post({"series": {}}, accept=BINARY).body == b""


def batch(columns, names):
    return pa.Table.from_arrays([pa.array(c) if isinstance(c, list) else c for c in columns], names)


def big_endian():
    good = stream(pa.table({"a": [1.0, 2.0]}))
    # The schema has no endianness, as the default is not written: its vtable's first slot is 0, and the
    # length of the stream is kept by letting that slot point to a number that is there and is not 0.
    message = pa.ipc.read_message(good).metadata.to_pybytes()
    place = _header(message)
    vtable = place - struct.unpack_from("<i", message, place)[0]
    assert struct.unpack_from("<H", message, vtable + 4)[0] == 0
    found = good.index(message) + vtable + 4
    return good[:found] + struct.pack("<H", 4) + good[found + 2 :]


def _header(message):
    root = struct.unpack_from("<I", message)[0]
    vtable = root - struct.unpack_from("<i", message, root)[0]
    place = root + struct.unpack_from("<H", message, vtable + 8)[0]
    return place + struct.unpack_from("<I", message, place)[0]


def packed_bomb(declared):
    """Return a stream whose packed buffer says that it becomes so many bytes."""
    good = stream(pa.table({"a": np.zeros(1000)}), "zstd")
    found = good.index(struct.pack("<q", 8000))
    return good[:found] + struct.pack("<q", declared) + good[found + 8 :]


GOOD = stream(pa.table({"a": [1.0, 2.0, 3.0]}))
HOSTILE = {
    "empty": (b"", 400),
    "no stream": (b"ARROW1\0\0" * 9, 400),
    "end alone": (GOOD[-8:], 400),
    "schema alone": (GOOD[: GOOD.index(GOOD[:4], 4)], 400),
    "without an end": (GOOD[:-8], 400),
    "more behind": (GOOD + b"x", 400),
    "two streams": (GOOD * 2, 400),
    "huge message": (GOOD[:4] + struct.pack("<i", 2**31 - 1) + GOOD[8:], 400),
    "negative message": (GOOD[:4] + struct.pack("<i", -5) + GOOD[8:], 400),
    "huge rows": (GOOD.replace(struct.pack("<q", 3), struct.pack("<q", 2**60)), 400),
    "packed 2^62": (packed_bomb(2**62), 413),
    "packed 2^32": (packed_bomb(2**32), 413),
    "packed less": (packed_bomb(16), 400),
    "other byte order": (big_endian(), 400),
    "text": (stream(pa.table({"a": ["x", "y"]})), 422),
    "truth": (stream(pa.table({"a": [True, False]})), 422),
    "null": (stream(pa.table({"a": [None, None]})), 422),
    "time": (stream(pa.table({"a": pa.array([1, 2], pa.timestamp("s"))})), 422),
    "half": (stream(pa.table({"a": np.ones(2, np.float16)})), 422),
    "list": (stream(pa.table({"a": [[1.0], [2.0]]})), 422),
    "dictionary": (stream(pa.table({"a": pa.array([1.0, 2.0]).dictionary_encode()})), 422),
    "twice": (stream(batch([[1.0], [2.0]], ["a", "a"])), 422),
    "infinity": (stream(pa.table({"a": [1.0, np.inf]})), 422),
}


def require_problem(answer, status):
    assert answer.status == status, answer.body
    assert answer.headers["content-type"] == "application/problem+json"
    return answer.json["detail"]


@pytest.mark.parametrize(("body", "status"), HOSTILE.values(), ids=HOSTILE)
def test_streams_that_are_refused(server, body, status):
    require_problem(ask(server, body), status)


def test_messages_name_the_column(server):
    said = require_problem(ask(server, HOSTILE["text"][0]), 422)
    assert said == 'column "a" must be double, float or integers, got string'
    require_problem(ask(server, stream(pa.table({"x": [1.0]})), "/v1/evaluate"), 422)
    require_problem(ask(server, stream(pa.table({"a.x": [1.0], "b.y": [1.0]})), "/v1/evaluate"), 422)
    require_problem(ask(server, GOOD, "/v1/denoise?levle=3"), 422)


def test_hostile_streams_take_no_memory(server):
    """A gibibyte packed by Arrow, by gzip, and declared: refused before it is there."""
    process = psutil.Process(server.process.pid)
    # pyarrow is loaded, and the largest body that is taken has been there.
    require_problem(ask(server, stream(pa.table({"a": np.zeros(10_000_001)}))), 413)
    before = process.memory_info().rss
    huge = stream(pa.table({"a": np.zeros(2**20)}), "zstd", rows=2**20)
    end = len(huge) - 8
    begin = huge.index(b"\xff\xff\xff\xff", 4)
    bomb = huge[:begin] + huge[begin:end] * 128 + huge[end:]
    assert len(bomb) < 2**20
    require_problem(ask(server, bomb), 413)
    require_problem(ask(server, gzip.compress(bytes(2**27 + 1)), content_encoding="gzip"), 413)
    for size in (2**40, 2**62, 2**63 - 1):
        require_problem(ask(server, packed_bomb(size)), 413)
    peak = int(Path(f"/proc/{process.pid}/status").read_text().split("VmHWM:")[1].split()[0]) * 1024
    assert peak < before + 400e6


def read_damaged(compression, changes, step=1):
    """Read a stream with its bytes changed, each in turn: a problem, or other numbers of the same kind."""
    body = stream(pa.table({"a": [1.0, 2.0, None], "b": pa.array([1, 2, None])}), compression, rows=2)
    read = 0
    for place in range(0, len(body), step):
        with pytest.raises(Problem):
            _codec_arrow.decode(body[:place], b"", SMALL)
        for change in changes:
            damaged = bytearray(body)
            damaged[place] ^= change
            with contextlib.suppress(Problem):
                asked = _codec_arrow.decode(bytes(damaged), b"", SMALL)
                assert all(x.dtype == np.float64 for x in asked.series)
                assert asked.points <= SMALL.points
                read += 1
    assert read > 0


def test_a_damaged_byte_is_a_problem_or_another_number():
    read_damaged("zstd", (0x80,), step=3)


@pytest.mark.slow
@pytest.mark.parametrize("compression", [None, "zstd", "lz4"])
def test_any_damaged_byte_is_a_problem_or_another_number(compression):
    read_damaged(compression, range(1, 256))


@pytest.mark.parametrize(("rows", "series"), [(101, 10), (10, 11)])
def test_limits(rows, series):
    table = pa.table({str(k): np.zeros(rows - 1) for k in range(10)})
    assert _codec_arrow.decode(stream(table), b"", SMALL).points == 10 * (rows - 1)
    table = pa.table({str(k): np.zeros(rows) for k in range(series)})
    for compression in (None, "zstd"):
        with pytest.raises(Problem) as refused:
            _codec_arrow.decode(stream(table, compression, 5), b"", SMALL)
        assert refused.value.name == "too-large"


def test_a_service_without_pyarrow_says_what_is_missing(monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    answer = Answer(None, (Outcome(np.ones(1), {}, 1),))
    for call, status in (
        (lambda: _codec_arrow.decode(GOOD, b"", SMALL), 415),
        (lambda: _codec_arrow.encode(answer), 406),
        (lambda: _codec_arrow.rows_encoder(NoiseEstimate)(answer), 406),
    ):
        with pytest.raises(Problem, match=r'pip install "rpsd\[service\]"') as refused:
            call()
        assert refused.value.status == status
