# SPDX-License-Identifier: MIT
"""Values at the edges of what numbers are: one verdict in Python, on the command line and over HTTP."""

import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from command import QUIET, own_home
from serving import server

import rpsd
from rpsd.cli import main

__all__ = ["own_home", "server"]
JSON, BINARY, ARROW = "application/json", "application/octet-stream", "application/vnd.apache.arrow.stream"
TINY, HUGE, NAN, INF = 5e-324, 1e308, float("nan"), float("inf")
WALK = (100 + rpsd.simulate("a", 300, seed=1, nsr=1.0).noisy).tolist()

SERIES = {
    "none": [],
    "one": [3.0],
    "two": [3.0, 4.0],
    "one missing": [NAN],
    "all missing": [NAN] * 40,
    "missing at the ends": [NAN, *WALK[:60], NAN],
    "infinite": [1.0, INF, 2.0],
    "infinite below": [1.0, 2.0, -INF],
    "huge": [HUGE, -HUGE] * 40,
    "huge and small": [HUGE, 1.0, TINY] * 30,
    "largest": [1.7976931348623157e308] * 3,
    "tiny": [TINY, 0.0] * 40,
    "all equal": [7.0] * 60,
    "all zero": [0.0] * 60,
    "minus zero": [-0.0, 0.0, -0.0] * 20,
    "step": [1.0] * 60 + [2.0] * 60,
    "spike": [1.0] * 60 + [1e12] + [1.0] * 60,
    "whole numbers": [float(k * k) for k in range(60)],
}
# Levels that auto takes change where db4 has room for one more.
LENGTHS = (6, 7, 13, 14, 27, 28, 55, 56, 111, 112, 113)
OPTIONS = {"default": {}, "chain": {"method": "wavelet", "noise": "mad"}, "causal": {"lookahead": 0}}


def of_python(x, options):
    """Return the values, or None where they are refused."""
    try:
        return rpsd.denoise(np.array(x, dtype=float), **options)
    except rpsd.InputError:
        return None


def of_command(x, options, suffix):
    arguments = [part for name, value in options.items() for part in (f"--{name}", str(value))]
    if suffix == "csv":
        with open("in.csv", "w") as file:
            file.write("price\n" + "".join(f"{v!r}\n" for v in x))
    else:
        pq.write_table(pa.table({"price": pa.array(x, pa.float64())}), "in.parquet")
    done = main(["denoise", f"in.{suffix}", "-o", f"out.{suffix}", *QUIET, *arguments])
    if done != 0:
        assert done in (1, 2)  # an error in one line, no crash
        return None
    if suffix == "parquet":
        return pq.read_table("out.parquet")["price"].to_numpy()
    with open("out.csv") as file:
        return np.array([float(line.strip() or "nan") for line in file.readlines()[1:]])


def of_json(server, x, options):
    # Infinity is no JSON; a number that overflows is the only way to ask for one.
    text = json.dumps(x).replace("NaN", "null").replace("Infinity", "1e999")
    beside = "".join(f', "{name}": {json.dumps(value)}' for name, value in options.items())
    answer = server.post(f'{{"values": {text}{beside}}}'.encode())
    if answer.status != 200:
        return refused(answer)
    return np.array([NAN if v is None else v for v in answer.json["values"]], dtype=float)


def of_bytes(server, x, options):
    query = "&".join(f"{name}={value}" for name, value in options.items())
    answer = server.post(np.array(x, dtype="<f8").tobytes(), f"/v1/denoise?{query}", content_type=BINARY)
    return np.frombuffer(answer.body) if answer.status == 200 else refused(answer)


def of_arrow(server, x, options):
    query = "&".join(f"{name}={value}" for name, value in options.items())
    table = pa.table({"x": pa.array(x, pa.float64())})
    answer = server.post(stream(table), f"/v1/denoise?{query}", content_type=ARROW)
    if answer.status != 200:
        return refused(answer)
    return pa.ipc.open_stream(answer.body).read_all()["x"].to_numpy()


def stream(table):
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue().to_pybytes()


def refused(answer):
    assert answer.status == 422, answer.body
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("length", LENGTHS)
def test_one_verdict_of_every_number_of_levels(server, length):
    test_one_verdict(server, WALK[:length], OPTIONS["chain"])


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
@pytest.mark.parametrize("x", SERIES.values(), ids=SERIES)
def test_one_verdict(server, x, options):
    expected = of_python(x, options)
    if expected is not None:
        assert np.isfinite(expected[np.isfinite(x)]).all() or options.get("lookahead") == 0
        assert not np.isinf(expected).any()
    found = {
        "csv": of_command(x, options, "csv"),
        "parquet": of_command(x, options, "parquet"),
        "json": of_json(server, x, options),
        "bytes": of_bytes(server, x, options),
        "arrow": of_arrow(server, x, options),
    }
    for entry, values in found.items():
        # A file without a number is taken for one of which the wrong column was asked.
        empty = entry in ("csv", "parquet") and np.isnan(x).all()
        assert (values is None) == (expected is None or empty), entry
        if values is not None:
            assert values.tobytes() == canonical(expected, values).tobytes(), entry


def canonical(expected, values):
    """Return the expected bits; a NaN is a NaN, whichever of them it is."""
    assert (np.isnan(expected) == np.isnan(values)).all()
    return np.where(np.isnan(expected), values, expected)


KINDS = {
    "truth": np.array([True, False]),
    "complex": np.array([1j, 2.0]),
    "text": np.array(["1", "2"]),
    "half": np.ones(3, "f2"),
    "time": np.array(["2025-01-01"], "M8[s]"),
}


@pytest.mark.parametrize("kind", KINDS)
def test_other_kinds_of_numbers_are_refused(server, kind):
    with pytest.raises(rpsd.InputError):
        rpsd.denoise(KINDS[kind])
    as_json = {"truth": [True], "complex": [[0, 1]], "text": ["1"], "time": ["2025-01-01"]}.get(kind)
    if as_json is not None:
        refused(server.post({"values": as_json}))
    if kind != "complex":  # Arrow has none
        refused(server.post(stream(pa.table({"x": KINDS[kind]})), content_type=ARROW))


@pytest.mark.parametrize("kind", ["i1", "u1", "i2", "i4", "i8", "u8", "f4", ">f8", ">i4"])
def test_kinds_of_numbers_that_are_taken(server, kind):
    x = np.round(WALK).astype(kind)
    expected = rpsd.denoise(x.astype(float))
    np.testing.assert_array_equal(rpsd.denoise(x), expected.astype("f4") if kind == "f4" else expected)
    native = x.astype(x.dtype.newbyteorder("="))
    answer = server.post(stream(pa.table({"x": native})), content_type=ARROW)
    np.testing.assert_array_equal(pa.ipc.open_stream(answer.body).read_all()["x"].to_numpy(), expected)


def test_rows_and_single_numbers_are_not_series(server):
    for values in (3.0, [[1.0, 2.0]], {"a": [1.0]}, "1,2", None):
        refused(server.post({"values": values}))
    refused(server.post(stream(pa.table({"x": [[1.0], [2.0]]})), content_type=ARROW))
    with pytest.raises(rpsd.InputError):
        rpsd.denoise(3.0)


def test_names_given_twice_are_refused(server):
    """Of which a decoder takes the last: a series would be lost, and nothing said."""
    for path, body in (
        ("/v1/denoise", '{"values": [1], "values": [2]}'),
        ("/v1/denoise", '{"values": [1], "level": 1, "level": 2}'),
        ("/v1/denoise", '{"series": {"a": [1], "b": [1], "a": [2]}}'),
        ("/v1/denoise", r'{"series": {"a": [1], "\u0061": [2]}}'),
        ("/v1/denoise", r'{"values": [1], "\u0076alues": [2]}'),
        ("/v1/denoise", '{"values": [1], "guardrails": {"policy": "warn", "policy": "raise"}}'),
        ("/v1/denoise", '{"values": [1], "guardrails": {}, "guardrails": {}}'),
        ("/v1/noise", '{"values": [1], "values": [2]}'),
        ("/v1/evaluate", '{"x": [1], "y": [1], "x": [2]}'),
        ("/v1/evaluate", '{"series": {"a": {"x": [1], "y": [1], "y": [2]}}}'),
        ("/v1/evaluate", '{"series": {"a": {"x": [1], "y": [1]}, "a": {"x": [1], "y": [1]}}}'),
    ):
        answer = server.post(body.encode(), path)
        refused(answer)
        assert answer.json["detail"].endswith('" twice')
    series = {'"': [1], "\\": [2], "a": [3], "ä": [4], "": [5], '":{': [6]}
    for text in (json.dumps({"series": series}), json.dumps({"series": series}, ensure_ascii=False)):
        assert server.post(text.encode()).json["series"].keys() == series.keys()
    taken = {"values": [1], "guardrails": {"policies": {"gain": "warn"}}, "fir_window": ["kaiser", 8.0]}
    assert server.post({**taken, "report": "none", "method": "fir"}).status == 200


def test_more_than_any_limit_is_refused_by_its_length(server):
    head = b"POST /v1/denoise HTTP/1.1\r\nHost: x\r\nContent-Type: application/octet-stream\r\n"
    received = server.send(head + b"Content-Length: 800000000\r\n\r\n")
    assert received.startswith(b"HTTP/1.1 413 ")
